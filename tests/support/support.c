#include "support/support.h"

#include <dirent.h>
#include <ftw.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static atomic_size_t live;
static atomic_llong countdown = -1; /* allocations to let pass; -1: no failing */
static atomic_bool fail_forever;
static atomic_bool failed;

static bool must_fail(void)
{
    long long left = atomic_load(&countdown);

    if (left < 0)
        return false;
    left = atomic_fetch_sub(&countdown, 1);
    if (left > 0)
        return false;
    atomic_store(&failed, true);
    /* Below zero means "off", so hold it at zero to fail again. */
    atomic_store(&countdown, atomic_load(&fail_forever) ? 0 : -1);
    return true;
}

static void *watched_alloc(void *ctx, size_t size)
{
    void *ptr;

    (void)ctx;
    ptr = must_fail() ? NULL : malloc(size);
    if (ptr)
        atomic_fetch_add(&live, 1);
    return ptr;
}

static void *watched_realloc(void *ctx, void *old, size_t size)
{
    void *ptr;

    (void)ctx;
    ptr = must_fail() ? NULL : realloc(old, size);
    if (ptr && !old)
        atomic_fetch_add(&live, 1);
    return ptr;
}

static void watched_free(void *ctx, void *ptr)
{
    (void)ctx;
    atomic_fetch_sub(&live, 1);
    free(ptr);
}

void watch_allocations(void)
{
    static const vv_allocator allocator = { watched_alloc, watched_realloc, watched_free,
                                            NULL };
    static bool watching;

    if (!watching)
        vv_set_allocator(&allocator);
    watching = true;
}

void fail_allocation_after(size_t n, bool forever)
{
    watch_allocations();
    atomic_store(&failed, false);
    atomic_store(&fail_forever, forever);
    atomic_store(&countdown, (long long)n);
}

bool stop_failing_allocations(void)
{
    atomic_store(&countdown, -1);
    return atomic_load(&failed);
}

size_t live_allocations(void)
{
    return atomic_load(&live);
}

void survives_failing_allocations(vv_status (*scenario)(void *ctx), void *ctx)
{
    bool any = true;

    watch_allocations();
    for (size_t n = 0; any; n++) {
        size_t before = live_allocations();
        vv_status status;

        fail_allocation_after(n, false);
        status = scenario(ctx);
        any = stop_failing_allocations();
        if (status != VV_OK && (status != VV_ENOMEM || !any))
            fail_msg("allocation %zu failing gives %s", n, vv_status_name(status));
        if (live_allocations() != before)
            fail_msg("allocation %zu failing leaves %zu allocations behind", n,
                     live_allocations() - before);
    }
}

char *make_directory(void)
{
    const char *base = getenv("TMPDIR");
    char *path = NULL;

    if (asprintf(&path, "%s/varvite-test-XXXXXX", base ? base : "/tmp") < 0 ||
        !mkdtemp(path))
        fail_msg("cannot make a temporary directory");
    return path;
}

static int remove_entry(const char *path, const struct stat *st, int type,
                        struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void remove_directory(char *path)
{
    if (path)
        nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(path);
}

uint8_t *read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t used = 0;
    size_t cap = 0;
    size_t n = 1;

    if (!file)
        fail_msg("cannot open %s", path);
    while (n) {
        if (cap - used < 65537)
            data = realloc(data, cap = cap * 2 + 131072);
        assert_non_null(data);
        n = fread(data + used, 1, 65536, file);
        used += n;
    }
    fclose(file);
    data[used] = 0;
    if (len)
        *len = used;
    return data;
}

void write_file(const char *path, const void *data, size_t len)
{
    FILE *file = fopen(path, "wb");

    if (!file)
        fail_msg("cannot make %s", path);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static void free_lent(void *owner)
{
    free(owner);
}

vv_buf from_hex(const char *hex)
{
    size_t n = strlen(hex) / 2;
    uint8_t *data = malloc(n ? n : 1);

    assert_non_null(data);
    for (size_t i = 0; i < n; i++) {
        int high = hex_digit(hex[2 * i]);
        int low = hex_digit(hex[2 * i + 1]);

        if (high < 0 || low < 0)
            fail_msg("bad hexadecimal text: %.40s", hex);
        data[i] = (uint8_t)(high * 16 + low);
    }
    return (vv_buf){ .data = data, .len = n, .release = free_lent, .owner = data };
}

const char *to_hex(const void *data, size_t len)
{
    static char buffers[4][8193];
    static unsigned turn;
    char *out = buffers[turn++ % 4];

    for (size_t i = 0; i < len && i < 4096; i++)
        snprintf(out + 2 * i, 3, "%02x", ((const uint8_t *)data)[i]);
    out[2 * (len < 4096 ? len : 4096)] = '\0';
    return out;
}

uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}
