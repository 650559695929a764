/*
 * Writing values: first their blocks, without a lock, then the slots or names that hold them.
 */
#include "sharded/store.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

static vvi_sharded *shared_of(vv_store *base)
{
    return ((vvi_sharded_store *)base)->shared;
}

static vv_status fail_place(const vvi_chunk_place *place, const char *key, vv_error *err)
{
    if (place->kind == VVI_KEY_NO_ARRAY)
        return vvi_fail(err, VV_EINVAL, "key '%s': no array is registered at '%.*s'", key,
                        (int)place->path_len, place->path);
    return vvi_fail(err, place->why, "key '%s' names no chunk: %s", key,
                    place->why == VV_ERANGE
                        ? "the array has another number of dimensions"
                        : "coordinates are whole numbers without signs or leading zeros");
}

/* Can the key be written? With changes held, so that grids hold still. */
static vv_status check_key(vvi_sharded *self, const char *key, vv_error *err)
{
    vv_status status = VV_OK;
    vvi_chunk_place place;

    vvi_rwlock_read(&self->lock);
    vvi_key_place(self, key, &place);
    if (place.kind == VVI_KEY_BAD || place.kind == VVI_KEY_NO_ARRAY)
        status = fail_place(&place, key, err);
    else if (place.kind == VVI_KEY_CHUNK) {
        status = vvi_grid_check_chunk(&vvi_chunk_index_geometry(place.array->index)->grid,
                                      place.coords, err);
        if (status)
            status = vvi_wrap(err, status, "key '%s'", key);
    }
    vvi_rwlock_unlock(&self->lock);
    return status;
}

void vvi_sharded_forget(vvi_sharded *self, const char *key)
{
    bool there;

    vvi_rwlock_read(&self->lock);
    there = vvi_named_has(&self->names, key, strlen(key));
    vvi_rwlock_unlock(&self->lock);
    if (!there)
        return;
    vvi_rwlock_write(&self->lock);
    if (vvi_named_remove(&self->names, key))
        vvi_sharded_mark(self);
    vvi_rwlock_unlock(&self->lock);
}

/* ---- slots and names, once the blocks are there ---------------------------------------------- */

/* Keys that are changed in one call of an index: those of one array, or those kept by name. */
typedef struct key_run {
    vvi_index_entry *entry; /* held; NULL: by name */
    uint64_t *coords;
    vv_buf
        listed; /* keys of these chunks as they are listed, where they were written otherwise */
    size_t count;
} key_run;

static void end_run(key_run *self)
{
    vvi_index_entry_release(self->entry);
    self->entry = NULL;
    self->count = 0;
    self->listed.len = 0;
}

/* Add a key to the run; false: it belongs to another. The first one begins it. With lock held. */
static vv_status add_to_run(vvi_sharded *self, key_run *out, const char *key, bool *added,
                            vv_error *err)
{
    vvi_chunk_place place;

    vvi_key_place(self, key, &place);
    *added = false;
    if (place.kind == VVI_KEY_BAD || place.kind == VVI_KEY_NO_ARRAY)
        return out->count ? VV_OK : fail_place(&place, key, err);
    if (out->count && out->entry != place.array)
        return VV_OK;
    if (!out->count && place.array)
        out->entry = vvi_index_entry_retain(place.array);
    if (place.array) {
        memcpy(&out->coords[out->count * place.array->ndim], place.coords,
               place.array->ndim * sizeof(uint64_t));
        if (!place.is_listed)
            VVI_TRY(
                vvi_chunk_key_append(self, place.array, place.coords, &out->listed, err));
    }
    out->count++;
    *added = true;
    return VV_OK;
}

/* Version 1: the array of the first chunk owns the index from now on. With changes held to write. */
static vv_status set_primary(vvi_sharded *self, const char *key, char **out,
                             vv_error *err)
{
    vvi_chunk_place place;

    *out = NULL;
    if (self->version != VV_SHARDED_V1 || self->primary || self->primary_odd)
        return VV_OK;
    vvi_key_place(self, key, &place);
    if (place.kind != VVI_KEY_CHUNK)
        return VV_OK;
    *out = vvi_strndup(place.path, place.path_len);
    return *out ? VV_OK : vvi_fail_nomem(err, place.path_len + 1);
}

static vv_status set_names(vvi_sharded *self, const char *const *keys, const vv_cid *cids,
                           size_t n, vv_error *err)
{
    vvi_naming naming = { NULL, 0, 0 };
    vv_status status = VV_OK;

    vvi_rwlock_write(&self->lock);
    for (size_t i = 0; i < n && !status; i++)
        status = vvi_naming_add(&naming, &self->names, keys[i], strlen(keys[i]), &cids[i],
                                err);
    if (!status && vvi_naming_apply(&naming, &self->names))
        vvi_sharded_mark(self);
    vvi_naming_clear(&naming, &self->names);
    vvi_rwlock_unlock(&self->lock);
    return status;
}

/* Let the keys of a run have their blocks. */
static vv_status apply_run(vvi_sharded *self, key_run *run, const char *const *keys,
                           const vv_cid *cids, vv_error *err)
{
    char *primary = NULL;
    vv_status status;

    if (!run->entry)
        return set_names(self, keys, cids, run->count, err);
    VVI_TRY(set_primary(self, keys[0], &primary, err));
    status = vvi_chunk_index_set_many(run->entry->index, run->coords, cids, run->count,
                                      err);
    if (status) {
        vvi_free(primary);
        return vvi_wrap(err, status, run->count == 1 ? "key '%s'" : "key '%s' and others",
                        keys[0]);
    }
    if (primary) {
        vvi_rwlock_write(&self->lock);
        self->primary = primary;
        self->primary_recorded = true;
        vvi_sharded_mark(self);
        vvi_rwlock_unlock(&self->lock);
    }
    for (size_t i = 0; i < run->count; i++)
        vvi_sharded_forget(self, keys[i]);
    for (size_t at = 0; at < run->listed.len;) {
        const char *key = (const char *)run->listed.data + at;

        at += strlen(key) + 1;
        vvi_sharded_forget(self, key);
    }
    return VV_OK;
}

static vv_status check_absent(vvi_sharded *self, const char *key, vv_error *err)
{
    vv_cid there;
    vv_status status = vvi_sharded_find_block(self, key, &there, err);

    if (status == VV_ENOTFOUND)
        return VV_OK;
    return status ? status : vvi_fail(err, VV_EEXISTS, "key '%s' is there already", key);
}

/* Let n keys, no documents, have their blocks. */
static vv_status apply_keys(vvi_sharded *self, const char *const *keys,
                            const vv_cid *cids, size_t n, bool only_if_absent,
                            vv_error *err)
{
    key_run run = { .coords = vvi_alloc_array(n, VVI_GRID_NDIM_MAX * sizeof(uint64_t)) };
    vv_status status = VV_OK;
    bool alone, added;

    if (!run.coords)
        return vvi_fail_nomem(err, n * VVI_GRID_NDIM_MAX * sizeof(uint64_t));
    /* The first chunk of a store of version 1 decides what the keys after it mean. */
    vvi_rwlock_read(&self->lock);
    alone = only_if_absent || (self->version == VV_SHARDED_V1 && !self->primary);
    vvi_rwlock_unlock(&self->lock);
    if (alone)
        vvi_rwlock_write(&self->changes);
    else
        vvi_rwlock_read(&self->changes);
    if (only_if_absent)
        status = check_absent(self, keys[0], err);
    for (size_t i = 0; i < n && !status; i += run.count) {
        end_run(&run);
        vvi_rwlock_read(&self->lock);
        do
            status = add_to_run(self, &run, keys[i + run.count], &added, err);
        while (!status && added && !alone && i + run.count < n);
        vvi_rwlock_unlock(&self->lock);
        if (!status)
            status = apply_run(self, &run, keys + i, cids + i, err);
    }
    vvi_rwlock_unlock(&self->changes);
    end_run(&run);
    vv_buf_clear(&run.listed);
    vvi_free(run.coords);
    return status;
}

/* Store n values that are no documents. */
static vv_status set_values(vvi_sharded *self, const char *const *keys,
                            const vv_bytes *values, size_t n, bool only_if_absent,
                            vv_error *err)
{
    vv_status status = VV_OK;
    vv_cid *cids;

    vvi_rwlock_read(&self->changes);
    for (size_t i = 0; i < n && !status; i++)
        status = check_key(self, keys[i], err);
    vvi_rwlock_unlock(&self->changes);
    if (!status && only_if_absent)
        status = check_absent(self, keys[0], err);
    VVI_TRY(status);
    cids = vvi_alloc_array(n, sizeof(*cids));
    if (!cids)
        return vvi_fail_nomem(err, n * sizeof(*cids));
    status = vv_blockstore_put_many(self->blocks, &self->raw_ids, values, n, cids, err);
    if (status)
        status = vvi_wrap(err, status, n == 1 ? "key '%s'" : "key '%s' and others",
                          keys[0]);
    else
        status = apply_keys(self, keys, cids, n, only_if_absent, err);
    vvi_free(cids);
    return status;
}

/* ---- the calls ----------------------------------------------------------------------------------- */

vv_status vvi_sharded_set(vv_store *base, const char *key, vv_bytes value,
                          bool only_if_absent, vv_error *err)
{
    vvi_sharded *self = shared_of(base);

    if (vvi_key_is_document(key))
        return vvi_sharded_set_document(self, key, value, NULL, only_if_absent, err);
    return set_values(self, &key, &value, 1, only_if_absent, err);
}

/* Documents change what the keys behind them mean, so they are set one by one, in their place. */
vv_status vvi_sharded_set_many(vv_store *base, const char *const *keys,
                               const vv_bytes *values, size_t n, vv_error *err)
{
    vvi_sharded *self = shared_of(base);
    size_t first = 0;

    for (size_t i = 0; i <= n; i++) {
        if (i < n && !vvi_key_is_document(keys[i]))
            continue;
        if (i > first)
            VVI_TRY(
                set_values(self, keys + first, values + first, i - first, false, err));
        if (i < n)
            VVI_TRY(vvi_sharded_set_document(self, keys[i], values[i], NULL, false, err));
        first = i + 1;
    }
    return VV_OK;
}

vv_status vvi_sharded_set_pointer(vv_store *base, const char *key, const vv_cid *pointer,
                                  vv_error *err)
{
    vvi_sharded *self = shared_of(base);
    vv_buf block = VV_BUF_INIT;
    vv_status status;

    if (pointer->version == VV_CID_BARE)
        return vvi_fail(err, VV_EINVAL, "key '%s': a bare multihash is no CID", key);
    if (!vvi_key_is_document(key)) {
        vvi_rwlock_read(&self->changes);
        status = check_key(self, key, err);
        vvi_rwlock_unlock(&self->changes);
        return status ? status : apply_keys(self, &key, pointer, 1, false, err);
    }
    status = vv_blockstore_get(self->blocks, pointer, &block, err);
    if (status)
        status = vvi_wrap(err, status == VV_ENOTFOUND ? VV_EINVAL : status, "key '%s'",
                          key);
    else
        status = vvi_sharded_set_document(self, key, vvi_buf_bytes(&block), pointer,
                                          false, err);
    vv_buf_clear(&block);
    return status;
}
