#include "util/buf.h"

#include "util/alloc.h"

#include <stdio.h>
#include <string.h>

vv_bytes vv_bytes_of(const char *text)
{
    return vvi_bytes(text, text ? strlen(text) : 0);
}

bool vvi_bytes_equal(vv_bytes a, vv_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

int vvi_bytes_cmp(vv_bytes a, vv_bytes b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.data, b.data, n) : 0;

    if (order)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

bool vvi_bytes_start_with(vv_bytes bytes, vv_bytes prefix)
{
    return bytes.len >= prefix.len &&
           (prefix.len == 0 || memcmp(bytes.data, prefix.data, prefix.len) == 0);
}

void vvi_range_resolve(vv_range range, uint64_t len, uint64_t *offset, uint64_t *count)
{
    uint64_t rest;

    *offset = 0;
    *count = len;
    if (range.kind == VV_RANGE_WHOLE)
        return;
    if (range.kind == VV_RANGE_LAST) {
        *count = range.length < len ? range.length : len;
        *offset = len - *count;
        return;
    }
    *offset = range.offset < len ? range.offset : len;
    rest = len - *offset;
    *count = range.kind == VV_RANGE_SPAN && range.length < rest ? range.length : rest;
}

void vv_buf_clear(vv_buf *buf)
{
    if (!buf)
        return;
    if (buf->release)
        buf->release(buf->owner);
    else
        vvi_free(buf->data);
    *buf = (vv_buf)VV_BUF_INIT;
}

vv_status vvi_buf_reserve(vv_buf *buf, size_t more, vv_error *err)
{
    size_t want;
    size_t cap = buf->cap;
    uint8_t *data;

    if (__builtin_add_overflow(buf->len, more, &want))
        return vvi_fail_nomem(err, SIZE_MAX);
    if (!buf->release && want <= cap)
        return VV_OK;
    if (cap < SIZE_MAX / 2)
        cap += cap / 2;
    if (cap < want)
        cap = want;
    if (cap < 64)
        cap = 64;
    if (!buf->release) {
        data = vvi_realloc(buf->data, cap);
        if (!data)
            return vvi_fail_nomem(err, cap);
    } else {
        data = vvi_alloc(cap);
        if (!data)
            return vvi_fail_nomem(err, cap);
        if (buf->len)
            memcpy(data, buf->data, buf->len);
        buf->release(buf->owner);
        buf->release = NULL;
        buf->owner = NULL;
    }
    buf->data = data;
    buf->cap = cap;
    return VV_OK;
}

vv_status vvi_buf_append(vv_buf *buf, vv_bytes bytes, vv_error *err)
{
    if (bytes.len == 0)
        return VV_OK;
    VVI_TRY(vvi_buf_reserve(buf, bytes.len, err));
    memcpy(buf->data + buf->len, bytes.data, bytes.len);
    buf->len += bytes.len;
    return VV_OK;
}

vv_status vvi_buf_append_text(vv_buf *buf, const char *text, vv_error *err)
{
    return vvi_buf_append(buf, vv_bytes_of(text), err);
}

vv_status vvi_buf_append_byte(vv_buf *buf, uint8_t byte, vv_error *err)
{
    return vvi_buf_append(buf, vvi_bytes(&byte, 1), err);
}

vv_status vvi_buf_printf(vv_buf *buf, vv_error *err, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        return vvi_fail(err, VV_EINVAL, "cannot format '%s'", format);
    VVI_TRY(vvi_buf_reserve(buf, (size_t)n + 1, err));
    va_start(args, format);
    vsnprintf((char *)buf->data + buf->len, (size_t)n + 1, format, args);
    va_end(args);
    buf->len += (size_t)n;
    return VV_OK;
}

vv_status vvi_buf_terminate(vv_buf *buf, vv_error *err)
{
    VVI_TRY(vvi_buf_reserve(buf, 1, err));
    buf->data[buf->len] = '\0';
    return VV_OK;
}

vv_status vvi_buf_set(vv_buf *buf, vv_bytes bytes, vv_error *err)
{
    vv_buf copy = VV_BUF_INIT;

    VVI_TRY(vvi_buf_reserve(&copy, bytes.len, err));
    if (bytes.len)
        memcpy(copy.data, bytes.data, bytes.len);
    copy.len = bytes.len;
    vvi_buf_move(buf, &copy);
    return VV_OK;
}

void vvi_buf_move(vv_buf *buf, vv_buf *other)
{
    vv_buf taken = *other;

    *other = (vv_buf)VV_BUF_INIT;
    vv_buf_clear(buf);
    *buf = taken;
}

void vvi_buf_lend(vv_buf *buf, const uint8_t *data, size_t len, void (*release)(void *),
                  void *owner)
{
    vv_buf_clear(buf);
    /* The header says that data under a release callback is only read. */
    buf->data = (uint8_t *)(uintptr_t)data;
    buf->len = len;
    buf->release = release;
    buf->owner = owner;
}

vv_status vvi_buf_cut(vv_buf *buf, vv_range range, vv_error *err)
{
    uint64_t offset;
    uint64_t count;

    (void)err;
    vvi_range_resolve(range, buf->len, &offset, &count);
    if (buf->release)
        buf->data += offset;
    else if (offset && count)
        memmove(buf->data, buf->data + offset, (size_t)count);
    buf->len = (size_t)count;
    return VV_OK;
}
