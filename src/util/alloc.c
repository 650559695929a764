#include "util/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *libc_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void *libc_realloc(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    return realloc(ptr, size);
}

static void libc_free(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

static const vv_allocator libc_allocator = { libc_alloc, libc_realloc, libc_free, NULL };
static vv_allocator current = { libc_alloc, libc_realloc, libc_free, NULL };

void vv_set_allocator(const vv_allocator *allocator)
{
    current = allocator ? *allocator : libc_allocator;
}

void *vvi_alloc(size_t size)
{
    return current.alloc(current.ctx, size ? size : 1);
}

void *vvi_alloc_zero(size_t size)
{
    void *ptr = vvi_alloc(size);

    if (ptr)
        memset(ptr, 0, size);
    return ptr;
}

void *vvi_realloc(void *ptr, size_t size)
{
    return current.realloc(current.ctx, ptr, size ? size : 1);
}

void vvi_free(void *ptr)
{
    if (ptr)
        current.free(current.ctx, ptr);
}

void vv_free(void *ptr)
{
    vvi_free(ptr);
}

void *vvi_alloc_array(size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return vvi_alloc(total);
}

void *vvi_alloc_array_zero(size_t count, size_t size)
{
    void *ptr = vvi_alloc_array(count, size);

    if (ptr)
        memset(ptr, 0, count * size);
    return ptr;
}

char *vvi_strdup(const char *text)
{
    return vvi_strndup(text, strlen(text));
}

char *vvi_strndup(const char *text, size_t len)
{
    char *copy = vvi_alloc(len + 1);

    if (copy) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

vv_status vvi_grow(void **array, size_t *cap, size_t want, size_t size, vv_error *err)
{
    size_t bytes;
    size_t n = *cap;
    void *grown;

    if (want <= *cap)
        return VV_OK;
    n += n / 2;
    if (n < want)
        n = want;
    if (n < 8)
        n = 8;
    if (__builtin_mul_overflow(n, size, &bytes))
        return vvi_fail_nomem(err, SIZE_MAX);
    grown = vvi_realloc(*array, bytes);
    if (!grown)
        return vvi_fail_nomem(err, bytes);
    *array = grown;
    *cap = n;
    return VV_OK;
}
