#include "dataset/copy.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/thread.h"
#include "zarr/listed.h"

#include <varvite/store_backend.h>

#include <stdatomic.h>
#include <string.h>

#define BATCH_MAX 1024

typedef struct batch {
    vvi_copy *copy;
    char *keys[BATCH_MAX];
    size_t count;
    bool metadata; /* copy documents in this pass, and nothing else; or the rest */
    atomic_uint_fast64_t chunks;
    atomic_uint_fast64_t bytes;
    uint64_t told_ns;
    vvi_own_keys own; /* of the source */
    vv_buf key;
} batch;

/* Documents of Zarr version 3, and of 2. */
static bool is_metadata(const char *key)
{
    static const char *const names[] = { "zarr.json", ".zarray", ".zattrs", ".zgroup",
                                         ".zmetadata" };
    const char *slash = strrchr(key, '/');

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(slash ? slash + 1 : key, names[i]) == 0)
            return true;
    return false;
}

/* The key below to_path of what lies at key below from_path. */
static vv_status target_key(const vvi_copy *copy, const char *key, vv_buf *out,
                            vv_error *err)
{
    size_t skip = strlen(copy->from_path);

    key += skip + (skip && key[skip] == '/' ? 1 : 0);
    return vvi_buf_printf(out, err, "%s%s%s", copy->to_path, copy->to_path[0] ? "/" : "",
                          key);
}

static vv_status copy_one(void *ctx, size_t i, vv_error *err)
{
    batch *self = ctx;
    vvi_copy *copy = self->copy;
    vv_buf value = VV_BUF_INIT;
    vv_buf key = VV_BUF_INIT;
    bool there = false;
    vv_status status = target_key(copy, self->keys[i], &key, err);

    if (!status && copy->skip_existing && !self->metadata)
        status = vv_store_exists(copy->to, (const char *)key.data, &there, err);
    if (!status && !there)
        status = vv_store_get(copy->from, self->keys[i], VV_RANGE_ALL, &value, err);
    if (!status && !there)
        status = vv_store_set(copy->to, (const char *)key.data, vvi_buf_bytes(&value),
                              err);
    /* A key that the target cannot have, as ".." in a directory: nobody asked for it by name. */
    if (status == VV_EINVAL)
        status = VV_EUNSUPPORTED;
    if (!status) {
        atomic_fetch_add(&self->bytes, value.len);
        if (!self->metadata && !there)
            atomic_fetch_add(&self->chunks, 1);
    } else {
        vvi_wrap(err, status, "copy '%s'", self->keys[i]);
    }
    vv_buf_clear(&value);
    vv_buf_clear(&key);
    return status;
}

static vv_status run_batch(batch *self, vv_error *err)
{
    vvi_copy *copy = self->copy;
    vv_status status = vvi_parallel(copy->threads, self->count, copy_one, self, err);

    for (size_t i = 0; i < self->count; i++)
        vvi_free(self->keys[i]);
    self->count = 0;
    copy->chunks = atomic_load(&self->chunks);
    copy->bytes = atomic_load(&self->bytes);
    if (!status && copy->progress && vvi_now_ns() - self->told_ns > 100000000u) {
        vv_progress now = { .what = copy->what,
                            .items_done = copy->chunks,
                            .bytes_done = copy->bytes };

        self->told_ns = vvi_now_ns();
        status = copy->progress(copy->ctx, &now);
        if (status)
            vvi_fail(err, status, "stopped by the caller");
    }
    return status;
}

static vv_status on_key(void *ctx, const char *key, vv_error *err)
{
    batch *self = ctx;
    size_t len = strlen(self->copy->from_path);

    if (is_metadata(key) != self->metadata || (len && key[len] != '/'))
        return VV_OK;
    VVI_TRY(vvi_own_key(&self->own, key, &self->key, err));
    self->keys[self->count] = vvi_strdup((const char *)self->key.data);
    if (!self->keys[self->count])
        return vvi_fail_nomem(err, strlen(key) + 1);
    self->count++;
    return self->count < (self->metadata ? BATCH_MAX : 64) ? VV_OK : run_batch(self, err);
}

static vv_status pass(batch *self, bool metadata, vv_error *err)
{
    vv_status status;

    self->metadata = metadata;
    status = vv_store_list(self->copy->from, self->copy->from_path, on_key, self, err);
    if (!status)
        status = run_batch(self, err);
    for (size_t i = 0; i < self->count; i++)
        vvi_free(self->keys[i]);
    self->count = 0;
    return status;
}

vv_status vvi_copy_run(vvi_copy *copy, vv_error *err)
{
    batch *self = vvi_alloc_zero(sizeof(*self));
    vv_status status = VV_OK;

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    self->copy = copy;
    atomic_init(&self->chunks, 0);
    atomic_init(&self->bytes, 0);
    self->own.store = copy->from;
    /* Documents behind the chunks, so that no reader finds an array in part; where chunks are kept in an
     * index of their array, ahead of them. */
    if (copy->to->indexes_chunks && !copy->chunks_only)
        status = pass(self, true, err);
    if (!status)
        status = pass(self, false, err);
    if (!status && !copy->to->indexes_chunks && !copy->chunks_only)
        status = pass(self, true, err);
    vvi_own_keys_clear(&self->own);
    vv_buf_clear(&self->key);
    vvi_free(self);
    return status;
}
