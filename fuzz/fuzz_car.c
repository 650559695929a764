/* CAR files: whatever the bytes, import and open give only blocks that match their names, and
 * what was imported whole can be opened, too. */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

typedef struct bytes_source {
    const uint8_t *data;
    size_t len;
} bytes_source;

static vv_status read_bytes(void *ctx, uint8_t *out, size_t cap, size_t *len,
                            vv_error *err)
{
    bytes_source *self = ctx;
    size_t n = self->len < cap ? self->len : cap;

    (void)err;
    if (n)
        memcpy(out, self->data, n);
    self->data += n;
    self->len -= n;
    *len = n;
    return VV_OK;
}

static vv_status check_block(void *ctx, const vv_cid *cid, uint64_t size, vv_error *err)
{
    vv_blockstore *store = ctx;
    vv_buf block = VV_BUF_INIT;

    (void)err;
    if (vv_blockstore_get(store, cid, &block, NULL) == VV_OK) {
        CHECK(block.len == size);
        CHECK(vv_cid_verify(cid, (vv_bytes){ block.data, block.len }, NULL) == VV_OK);
    }
    vv_buf_clear(&block);
    return VV_OK;
}

static void open_car(const uint8_t *data, size_t len)
{
    int fd = memfd_create("fuzz-car", 0);
    vv_blockstore *car = NULL;
    char path[64];

    CHECK(fd >= 0);
    CHECK(write(fd, data, len) == (ssize_t)len);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (vv_car_open(path, &car, NULL) == VV_OK) {
        const vv_cid *roots;
        vv_car_options options = VV_CAR_OPTIONS_INIT;
        size_t n;

        CHECK(vv_car_roots(car, &roots, &n, NULL) == VV_OK);
        vv_blockstore_iterate(car, check_block, car, NULL);
        options.allow_missing = true;
        options.bare_links = true;
        CHECK(lseek(fd, 0, SEEK_END) >= 0);
        /* Written behind the mapped part of the same file: its bytes do not matter. */
        vv_car_export_stream(car, roots, n, &options, vv_sink_fd(fd), NULL, NULL);
    }
    vv_blockstore_free(car);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    bytes_source from = { data, len };
    vv_blockstore *store = NULL;
    vv_cid *roots = NULL;
    size_t n = 0;

    CHECK(vv_memory_blockstore_new(&store, NULL) == VV_OK);
    if (vv_car_import_stream((vv_source){ read_bytes, &from }, store, NULL, &roots, &n,
                             NULL, NULL) == VV_OK)
        CHECK(n == 0 || roots);
    vv_free(roots);
    CHECK(vv_blockstore_iterate(store, check_block, store, NULL) == VV_OK);
    vv_blockstore_free(store);
    open_car(data, len);
    return 0;
}
