/* Another shape for an array's document and its index together. */
#include "sharded/store.h"

#include "sharded/python_json.h"
#include "util/buf.h"

#include <string.h>

/* What a call works with: the document as it was found, and as it will be. */
typedef struct change {
    vvi_sharded *store;
    const char *path; /* of the array, without slashes at its ends */
    size_t path_len;
    vv_buf key;
    uint32_t ndim;
    const uint64_t *shape;
    vv_cid was, will;
} change;

static vv_status find_document(change *self, vv_cid *out, vv_error *err)
{
    vv_status status = vvi_sharded_find_block(self->store, (const char *)self->key.data,
                                              out, err);

    return status == VV_ENOTFOUND
               ? vvi_fail(err, VV_ENOTFOUND, "the store has no document '%s'",
                          (const char *)self->key.data)
               : status;
}

/* Store the document with its new shape, under no key yet. */
static vv_status write_anew(change *self, vv_error *err)
{
    const vvi_python_edit edit = { .set = "shape",
                                   .numbers = self->shape,
                                   .count = self->ndim };
    vv_buf text = VV_BUF_INIT;
    vv_buf made = VV_BUF_INIT;
    vv_status status;

    status = vv_blockstore_get(self->store->blocks, &self->was, &text, err);
    if (status == VV_ENOTFOUND)
        status = VV_ECORRUPT;
    if (!status)
        status = vvi_python_json(vvi_buf_bytes(&text), &edit, 2, &made, err);
    if (!status)
        status = vv_blockstore_put(self->store->blocks, &self->store->raw_ids,
                                   vvi_buf_bytes(&made), &self->will, err);
    vv_buf_clear(&text);
    vv_buf_clear(&made);
    return status ? vvi_wrap(err, status, "'%s'", (const char *)self->key.data) : VV_OK;
}

/* Resize the index, if there is one, then name the document. With changes held to write. */
static vv_status resize(change *self, vv_error *err)
{
    vvi_sharded *store = self->store;
    vvi_index_entry *entry = NULL;
    vvi_naming naming = { NULL, 0, 0 };
    vv_status status;

    /* py-hamt leaves the one index of version 1 alone here. */
    if (store->version != VV_SHARDED_V1)
        entry = vvi_sharded_find(store, self->path, self->path_len);
    if (entry && entry->ndim != self->ndim)
        return vvi_fail(err, VV_EINVAL,
                        "array '%s' has %" PRIu32 " dimensions, the shape %" PRIu32,
                        entry->path, entry->ndim, self->ndim);
    vvi_rwlock_write(&store->lock);
    status = vvi_naming_add(&naming, &store->names, (const char *)self->key.data,
                            self->key.len, &self->will, err);
    vvi_rwlock_unlock(&store->lock);
    if (!status && entry)
        status = vvi_chunk_index_resize(entry->index, self->shape, err);
    vvi_rwlock_write(&store->lock);
    if (!status) {
        vvi_naming_apply(&naming, &store->names);
        vvi_sharded_mark(store);
    }
    vvi_naming_clear(&naming, &store->names);
    vvi_rwlock_unlock(&store->lock);
    return status;
}

/* Change document and index, unless somebody else changed the document meanwhile: *done tells. */
static vv_status try_once(vv_store *handle, change *self, bool *done, vv_error *err)
{
    vvi_sharded *store;
    vv_status status;
    vv_cid now;

    VVI_TRY(find_document(self, &self->was, err));
    VVI_TRY(write_anew(self, err));
    VVI_TRY(vvi_sharded_begin(handle, &store, err));
    status = find_document(self, &now, err);
    *done = !status && vv_cid_equal(&now, &self->was);
    if (*done)
        status = resize(self, err);
    vvi_sharded_end(store);
    return status;
}

vv_status vv_sharded_store_resize_variable(vv_store *store, const char *name,
                                           uint32_t ndim, const uint64_t *shape,
                                           vv_error *err)
{
    change self = {
        .path = name, .path_len = strlen(name), .ndim = ndim, .shape = shape
    };
    bool done = false;
    vv_status status;

    VVI_TRY(vvi_sharded_begin(store, &self.store, err));
    vvi_sharded_end(self.store);
    vvi_path_strip(&self.path, &self.path_len);
    status = vvi_buf_append(&self.key, vvi_bytes(self.path, self.path_len), err);
    if (!status)
        status = vvi_buf_append_text(&self.key,
                                     self.path_len ? "/zarr.json" : "zarr.json", err);
    if (!status)
        status = vvi_buf_terminate(&self.key, err);
    while (!status && !done)
        status = try_once(store, &self, &done, err);
    vv_buf_clear(&self.key);
    return status;
}
