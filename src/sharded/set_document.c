/*
 * Setting a document, which may register an array, resize it or let it go.
 *
 * Blocks are stored first, without a lock; then everything is changed at once, or nothing. What is to be
 * stored depends on what the store holds, so that is looked at before and again after, and where it has
 * changed meanwhile the blocks are stored anew.
 */
#include "sharded/store.h"

#include "store/internal.h"
#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

/* Once is enough but for other writers; a store that changes so fast is given up on. */
#define TRIES_MAX 100

typedef struct setting {
    vvi_sharded *store;
    const char *key;
    bool is_array_document; /* by its name */
    bool is_zarr2;
    const char *path; /* of the array, within key */
    size_t path_len;
    char *scratch; /* room for a document of a group above it */
    vvi_document document;
    vv_bytes value;
    const vv_cid *given; /* the block that holds it already; NULL: it is to be stored */
    bool only_if_absent;
    bool root_is_group; /* the root has a document, and it is no array's */

    /* What was stored. */
    bool stripped, with_groups;
    vv_cid pointer, group;
} setting;

static bool has_geometry(const setting *self)
{
    return self->is_array_document && self->document.has_shape &&
           self->document.has_chunk;
}

/* ---- group documents ------------------------------------------------------------------------- */

/* Has the group a document of this version of Zarr? py-hamt asks for no other, and writes its own beside. */
static bool has_document(const setting *self, size_t len)
{
    memcpy(self->scratch, self->path, len);
    strcpy(self->scratch + len, len ? "/" : "");
    strcat(self->scratch + len, self->is_zarr2 ? ".zgroup" : "zarr.json");
    return vvi_named_has(&self->store->names, self->scratch, strlen(self->scratch));
}

/* The next group above path, from the root down: its length. False: that was the last. The root counts as
 * above itself: what py-hamt stores there makes way for zarr.json, and stays beside .zarray. */
static bool next_group(const char *path, size_t path_len, size_t *len, bool *started)
{
    size_t at = *len;

    if (!*started) {
        *started = true;
        *len = 0;
        return true;
    }
    for (at = at ? at + 1 : 0; at < path_len; at++)
        if (path[at] == '/') {
            *len = at;
            return true;
        }
    return false;
}

static bool wants_groups(const setting *self)
{
    size_t len = 0;
    bool started = false;

    /* Whatever the document says: of a group, or nothing that is understood. */
    if (self->store->version != VV_SHARDED_V2 || !self->is_array_document)
        return false;
    while (next_group(self->path, self->path_len, &len, &started))
        if (!has_document(self, len))
            return true;
    return false;
}

static vv_status name_groups(setting *self, vvi_naming *naming, vv_error *err)
{
    vvi_sharded *store = self->store;
    const char *name = self->is_zarr2 ? ".zgroup" : "zarr.json";
    vv_buf key = VV_BUF_INIT;
    size_t len = 0;
    bool started = false;
    vv_status status = VV_OK;

    while (!status && next_group(self->path, self->path_len, &len, &started)) {
        if (has_document(self, len))
            continue;
        key.len = 0;
        status = vvi_buf_append(&key, vvi_bytes(self->path, len), err);
        if (!status && len)
            status = vvi_buf_append_byte(&key, '/', err);
        if (!status)
            status = vvi_buf_append_text(&key, name, err);
        if (!status)
            status = vvi_naming_add(naming, &store->names, (const char *)key.data,
                                    key.len, &self->group, err);
    }
    vv_buf_clear(&key);
    return status;
}

/* ---- checks ------------------------------------------------------------------------------------ */

static bool wants_strip(const setting *self)
{
    return self->store->version == VV_SHARDED_V2 && self->store->all_grouped &&
           strcmp(self->key, "zarr.json") == 0 && self->document.is_group &&
           self->document.consolidated;
}

/* Is there a document of a group below the root? */
static bool has_groups(const vvi_sharded *store)
{
    for (size_t i = 0; i < store->names.set.capacity; i++) {
        const vvi_key_entry *entry = &store->names.set.entries[i];

        if (entry->key && entry->value && strchr(entry->key, '/') &&
            vvi_key_is_document(entry->key))
            return true;
    }
    return false;
}

/* A store whose root is a group, and that has nothing else yet, is for arrays in groups below it. */
static vv_status check_group_rule(const setting *self, vv_error *err)
{
    if (self->given || !self->root_is_group || self->store->array_count ||
        memchr(self->path, '/', self->path_len) || has_groups(self->store))
        return VV_OK;
    return vvi_fail(err, VV_EINVAL,
                    "array '%.*s' lies at the top of a hierarchy whose root is a group; "
                    "sharded stores of version 2 want a group below the root for it",
                    (int)self->path_len, self->path);
}

static vv_status check_v2(const setting *self, vvi_geometry *geometry, vv_error *err)
{
    const vvi_document *document = &self->document;
    const vvi_index_entry *entry;

    if (!has_geometry(self))
        return VV_OK;
    VVI_TRY(check_group_rule(self, err));
    if (document->ndim != document->chunk_ndim)
        return vvi_fail(err, VV_EINVAL, "shape has %u dimensions, chunks have %u",
                        document->ndim, document->chunk_ndim);
    entry = vvi_sharded_find(self->store, self->path, self->path_len);
    if (entry &&
        (entry->ndim != document->ndim ||
         memcmp(entry->chunk, document->chunk, document->ndim * sizeof(uint64_t)) != 0))
        return vvi_fail(err, VV_EINVAL, "the chunk shape of array '%s' cannot be changed",
                        entry->path);
    if (!entry && !self->store->chunks_per_shard)
        return vvi_fail(err, VV_EINVAL,
                        "the root does not say how many chunks a shard has");
    return vvi_geometry_init(
        geometry, document->ndim, document->shape, document->chunk,
        entry ? entry->chunks_per_shard : self->store->chunks_per_shard, err);
}

static vv_status check(const setting *self, vvi_geometry *geometry, vv_error *err)
{
    if (self->only_if_absent &&
        vvi_named_has(&self->store->names, self->key, strlen(self->key)))
        return vvi_fail(err, VV_EEXISTS, "it is there already");
    return self->store->version == VV_SHARDED_V2 ? check_v2(self, geometry, err) : VV_OK;
}

/* Version 1: does the document belong to the array of the index, and say its shape? While no chunk is there
 * that may be any array with its chunks. */
static bool is_of_index(const setting *self)
{
    const vvi_sharded *store = self->store;
    const vvi_index_entry *entry = store->arrays[0];
    const vvi_document *document = &self->document;

    if (!self->is_array_document || !document->has_shape || document->ndim == 0 ||
        document->ndim != entry->ndim)
        return false;
    if (store->primary)
        return strlen(store->primary) == self->path_len &&
               memcmp(store->primary, self->path, self->path_len) == 0;
    return !vvi_path_is_coordinate(self->path, self->path_len) &&
           !(store->without_primary && self->path_len == 0) &&
           (!document->has_chunk ||
            (document->chunk_ndim == entry->ndim &&
             memcmp(document->chunk, entry->chunk, entry->ndim * sizeof(uint64_t)) == 0));
}

/* ---- the change --------------------------------------------------------------------------------- */

/* The array whose shape the document changes; NULL: none. */
static vvi_index_entry *array_to_resize(const setting *self)
{
    const vvi_document *document = &self->document;
    vvi_index_entry *entry;

    if (self->store->version == VV_SHARDED_V1)
        entry = is_of_index(self) ? self->store->arrays[0] : NULL;
    else
        entry = has_geometry(self)
                    ? vvi_sharded_find(self->store, self->path, self->path_len)
                    : NULL;
    if (entry && memcmp(vvi_chunk_index_geometry(entry->index)->grid.shape,
                        document->shape, document->ndim * sizeof(uint64_t)) == 0)
        return NULL;
    return entry;
}

/* The array that lies where a group is now; NULL: none. */
static vvi_index_entry *array_to_drop(const setting *self)
{
    if (self->store->version == VV_SHARDED_V1 || !self->is_array_document ||
        !self->document.is_group || self->document.has_shape)
        return NULL;
    return vvi_sharded_find(self->store, self->path, self->path_len);
}

/* Everything at once, or nothing. With changes held to write. *again: other blocks are needed. */
static vv_status apply(setting *self, bool *again, vv_error *err)
{
    vvi_sharded *store = self->store;
    vvi_naming naming = { NULL, 0, 0 };
    vvi_index_entry *fresh = NULL, *dropped, *resized;
    vvi_geometry geometry;
    vv_status status;

    *again = wants_strip(self) != self->stripped ||
             (wants_groups(self) && !self->with_groups);
    if (*again)
        return VV_OK;
    VVI_TRY(check(self, &geometry, err));
    dropped = array_to_drop(self);
    resized = array_to_resize(self);
    if (store->version == VV_SHARDED_V2 && has_geometry(self) &&
        !vvi_sharded_find(store, self->path, self->path_len))
        VVI_TRY(vvi_index_entry_new(store->cache, self->path, self->path_len, &geometry,
                                    &fresh, err));
    vvi_rwlock_write(&store->lock);
    status = vvi_sharded_reserve(store, err);
    if (!status && self->with_groups)
        status = name_groups(self, &naming, err);
    if (!status)
        status = vvi_naming_add(&naming, &store->names, self->key, strlen(self->key),
                                &self->pointer, err);
    vvi_rwlock_unlock(&store->lock);
    if (!status && resized)
        status = vvi_chunk_index_resize(resized->index, self->document.shape, err);
    vvi_rwlock_write(&store->lock);
    if (!status) {
        if (vvi_naming_apply(&naming, &store->names) || fresh || dropped || resized)
            vvi_sharded_mark(store);
        if (fresh)
            vvi_sharded_add(store, fresh);
        if (dropped)
            vvi_sharded_take(store, dropped);
    }
    vvi_naming_clear(&naming, &store->names);
    vvi_rwlock_unlock(&store->lock);
    vvi_index_entry_release(status ? fresh : dropped);
    return status;
}

/* ---- around it ------------------------------------------------------------------------------------ */

/* Store what is to be stored as things are. */
static vv_status save(setting *self, vv_error *err)
{
    vvi_sharded *store = self->store;
    vv_buf stripped = VV_BUF_INIT;
    vvi_geometry geometry;
    vv_bytes blocks[2];
    vv_cid cids[2];
    size_t n = 0;
    vv_status status;

    vvi_rwlock_read(&store->changes);
    vvi_rwlock_read(&store->lock); /* keys that are no documents come and go meanwhile */
    self->stripped = wants_strip(self);
    self->with_groups = wants_groups(self);
    status = check(self, &geometry, err);
    vvi_rwlock_unlock(&store->lock);
    vvi_rwlock_unlock(&store->changes);
    if (!status && self->stripped)
        status = vvi_document_strip(self->value, &stripped, err);
    if (!status && self->with_groups)
        blocks[n++] = vv_bytes_of(self->is_zarr2 ? VVI_GROUP_V2 : VVI_GROUP_V3);
    if (!status && (self->stripped || !self->given))
        blocks[n++] = self->stripped ? vvi_buf_bytes(&stripped) : self->value;
    if (!status && n)
        status = vv_blockstore_put_many(store->blocks, &store->raw_ids, blocks, n, cids,
                                        err);
    if (!status) {
        if (self->with_groups)
            self->group = cids[0];
        self->pointer = self->stripped || !self->given ? cids[n - 1] : *self->given;
    }
    vv_buf_clear(&stripped);
    return status;
}

/* Is the document of the root that of a group? Only asked where a rule depends on it. */
static vv_status look_at_root(setting *self, vv_error *err)
{
    vvi_sharded *store = self->store;
    vv_buf block = VV_BUF_INIT;
    vvi_document document;
    bool zarr2 = false, found = false;
    vv_cid cid;
    vv_status status;

    vvi_rwlock_read(&store->lock);
    if (!self->given && store->version == VV_SHARDED_V2 && store->array_count == 0 &&
        has_geometry(self) && !memchr(self->path, '/', self->path_len)) {
        found = vvi_named_get(&store->names, "zarr.json", 9, &cid);
        zarr2 = vvi_named_has(&store->names, ".zgroup", 7);
    }
    vvi_rwlock_unlock(&store->lock);
    self->root_is_group = zarr2;
    if (!found)
        return VV_OK;
    status = vv_blockstore_get(store->blocks, &cid, &block, err);
    if (!status)
        status = vvi_document_read(vvi_buf_bytes(&block), &document, err);
    vv_buf_clear(&block);
    if (status)
        return vvi_wrap(err, status == VV_ENOTFOUND ? VV_ECORRUPT : status,
                        "the value of key 'zarr.json'");
    self->root_is_group = zarr2 || (document.is_object &&
                                    !(document.has_shape && document.has_chunk));
    return VV_OK;
}

vv_status vvi_sharded_set_document(vvi_sharded *store, const char *key, vv_bytes value,
                                   const vv_cid *pointer, bool only_if_absent,
                                   vv_error *err)
{
    setting self = { .store = store,
                     .key = key,
                     .path = key,
                     .value = value,
                     .given = pointer,
                     .only_if_absent = only_if_absent };
    bool again = true;
    vv_status status;

    self.is_array_document = vvi_key_is_array_document(key, &self.path_len);
    self.is_zarr2 = key[self.path_len ? self.path_len + 1 : 0] == '.';
    vvi_path_strip(&self.path, &self.path_len);
    self.scratch = vvi_alloc(self.path_len + sizeof("/zarr.json"));
    if (!self.scratch)
        return vvi_fail_nomem(err, self.path_len);
    status = vvi_document_read(value, &self.document, err);
    if (!status)
        status = look_at_root(&self, err);
    for (int tries = 0; again && !status && tries < TRIES_MAX; tries++) {
        status = save(&self, err);
        if (status)
            break;
        vvi_rwlock_write(&store->changes);
        status = apply(&self, &again, err);
        vvi_rwlock_unlock(&store->changes);
    }
    if (!status && again)
        status = vvi_fail(err, VV_EBUSY, "the store does not hold still");
    vvi_free(self.scratch);
    return status ? vvi_wrap(err, status, "key '%s'", key) : VV_OK;
}
