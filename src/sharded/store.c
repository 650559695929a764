/* Sharded stores: opening, committing, and what is told of them. */
#include "sharded/store.h"

#include "store/internal.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/options.h"

#include <varvite/blockstore_backend.h>

#include <string.h>

#define CHUNKS_PER_SHARD 6250
#define CACHE_BYTES      ((size_t)100 << 20)

static void release(vvi_sharded *self)
{
    if (__atomic_sub_fetch(&self->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    for (size_t i = 0; i < self->array_count; i++)
        vvi_index_entry_release(self->arrays[i]);
    vvi_free(self->arrays);
    vvi_named_clear(&self->names);
    vvi_root_members_clear(&self->members);
    vvi_root_members_clear(&self->chunks);
    vvi_free(self->primary);
    vvi_shard_cache_free(self->cache);
    vvi_views_clear(&self->views);
    vvi_rwlock_clear(&self->changes);
    vvi_rwlock_clear(&self->lock);
    vv_blockstore_free(self->blocks);
    vvi_free(self);
}

static void sharded_free(vv_store *base)
{
    release(((vvi_sharded_store *)base)->shared);
    vvi_free(base);
}

/* ---- committing --------------------------------------------------------------------------------- */

void vvi_sharded_mark(vvi_sharded *self)
{
    self->changed = true;
    /* What was found out of a root that does not say it is recorded with the first change. */
    if (self->primary && !self->without_primary)
        self->primary_recorded = true;
}

static vv_status save_shards(vvi_sharded *self, vv_error *err)
{
    for (size_t i = 0; i < self->array_count; i++) {
        vvi_chunk_index *index = self->arrays[i]->index;
        vv_status status;

        if (!vvi_chunk_index_is_changed(index))
            continue;
        /* Also when it fails: some of its shards may have been saved. */
        vvi_rwlock_write(&self->lock);
        vvi_sharded_mark(self);
        vvi_rwlock_unlock(&self->lock);
        status = vvi_chunk_index_save(index, err);
        if (status)
            return self->arrays[i]->path[0]
                       ? vvi_wrap(err, status, "array '%s'", self->arrays[i]->path)
                       : status;
    }
    return VV_OK;
}

vv_status vvi_sharded_save(vvi_sharded *self, vv_error *err)
{
    vv_buf block = VV_BUF_INIT;
    vv_status status;
    vv_cid root;

    VVI_TRY(save_shards(self, err));
    if (self->has_root && !self->changed)
        return VV_OK;
    status = vvi_sharded_encode(self, &block, err);
    if (!status)
        status = vv_blockstore_put(self->blocks, &self->cbor_ids, vvi_buf_bytes(&block),
                                   &root, err);
    vv_buf_clear(&block);
    if (status)
        return vvi_wrap(err, status, "the root");
    vvi_rwlock_write(&self->lock);
    self->root = root;
    self->has_root = true;
    self->changed = false;
    vvi_rwlock_unlock(&self->lock);
    return VV_OK;
}

static bool is_changed(const vvi_sharded *self)
{
    if (self->changed || !self->has_root)
        return true;
    for (size_t i = 0; i < self->array_count; i++)
        if (vvi_chunk_index_is_changed(self->arrays[i]->index))
            return true;
    return false;
}

static vv_status sharded_commit(vv_store *base, vv_cid *root, vv_error *err)
{
    vvi_sharded *self = ((vvi_sharded_store *)base)->shared;
    vv_status status = VV_OK;

    vvi_rwlock_write(&self->changes);
    if (!base->read_only)
        status = vvi_sharded_save(self, err);
    else if (is_changed(self))
        status = vvi_fail(err, VV_EREADONLY,
                          "the sharded store has changes of another handle; this one is "
                          "open for reading only");
    if (!status)
        *root = self->root;
    vvi_rwlock_unlock(&self->changes);
    return status || base->read_only ? status : vv_blockstore_flush(self->blocks, err);
}

static vv_status sharded_flush(vv_store *base, vv_error *err)
{
    vv_cid root;

    return base->read_only ? VV_OK : sharded_commit(base, &root, err);
}

/* ---- small calls ----------------------------------------------------------------------------------- */

static vv_status sharded_pointer(vv_store *base, const char *key, vv_cid *out,
                                 vv_error *err)
{
    vv_status status = vvi_sharded_pointer(((vvi_sharded_store *)base)->shared, key, out,
                                           err);

    return status == VV_ENOTFOUND ? vvi_fail_missing_key(err, base, key) : status;
}

/* The same block under both keys. */
static vv_status sharded_copy(vv_store *base, const char *from, const char *to,
                              vv_error *err)
{
    vv_cid pointer;

    VVI_TRY(sharded_pointer(base, from, &pointer, err));
    return vvi_sharded_set_pointer(base, to, &pointer, err);
}

static vv_blockstore *sharded_blocks(vv_store *base)
{
    return ((vvi_sharded_store *)base)->shared->blocks;
}

static const vv_store_ops sharded_ops = {
    .name = "sharded",
    .get = vvi_sharded_counted_get,
    .get_many = vvi_sharded_counted_get_many,
    .set = vvi_sharded_set,
    .set_many = vvi_sharded_set_many,
    .remove = vvi_sharded_remove,
    .remove_dir = vvi_sharded_remove_dir,
    .copy = sharded_copy,
    .exists = vvi_sharded_exists,
    .size = vvi_sharded_size,
    .list = vvi_sharded_list,
    .list_dir = vvi_sharded_list_dir,
    .flush = sharded_flush,
    .free = sharded_free,
    .open_value = vvi_sharded_counted_open_value,
    .close_value = vvi_sharded_close_value,
    .commit = sharded_commit,
    .pointer = sharded_pointer,
    .set_pointer = vvi_sharded_set_pointer,
    .pointers = vvi_sharded_pointers,
    .blocks = sharded_blocks,
    .list_unlike = vvi_sharded_list_unlike,
};

vv_status vvi_sharded_of(vv_store *store, vvi_sharded **out, vv_error *err)
{
    if (store->ops != &sharded_ops)
        return vvi_fail(err, VV_EINVAL, "a %s store is not sharded", store->ops->name);
    *out = ((vvi_sharded_store *)store)->shared;
    return VV_OK;
}

vv_status vvi_sharded_begin(vv_store *store, vvi_sharded **out, vv_error *err)
{
    VVI_TRY(vvi_sharded_of(store, out, err));
    if (store->read_only)
        return vvi_fail(err, VV_EREADONLY, "the sharded store is open for reading only");
    vvi_rwlock_write(&(*out)->changes);
    return VV_OK;
}

void vvi_sharded_end(vvi_sharded *self)
{
    vvi_rwlock_unlock(&self->changes);
}

/* ---- opening ----------------------------------------------------------------------------------------- */

/* A handle on what is shared, which it takes a hold of. */
static vv_status new_handle(vvi_sharded *shared, bool read_only, vv_store **out,
                            vv_error *err)
{
    vvi_sharded_store *self = vvi_alloc_zero(sizeof(*self));

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    vv_store_base_init(&self->base, &sharded_ops, read_only);
    self->base.is_near = shared->blocks->is_near;
    self->base.slashed_keys = true;
    self->base.indexes_chunks = true;
    __atomic_add_fetch(&shared->refs, 1, __ATOMIC_RELAXED);
    self->shared = shared;
    *out = &self->base;
    return VV_OK;
}

/* Everything but what lies in the root. */
static vv_status new_shared(vv_blockstore *blocks, vvi_sharded **out, vv_error *err)
{
    vvi_sharded *self = vvi_alloc_zero(sizeof(*self));
    vv_status status;

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    self->refs = 1;
    status = vvi_rwlock_init_writers_first(&self->changes, err);
    if (status)
        goto no_changes;
    status = vvi_rwlock_init_writers_first(&self->lock, err);
    if (status)
        goto no_lock;
    status = vvi_views_init(&self->views, err);
    if (status)
        goto no_views;
    self->blocks = vv_blockstore_retain(blocks);
    *out = self;
    return VV_OK;

no_views:
    vvi_rwlock_clear(&self->lock);
no_lock:
    vvi_rwlock_clear(&self->changes);
no_changes:
    vvi_free(self);
    return status;
}

/* How blocks are named: as the options say, else as the root is, else by BLAKE3. */
static vv_status set_ids(vvi_sharded *self, const vv_cid *root,
                         const vv_sharded_options *options, vv_error *err)
{
    vv_cid_prefix ids = options->ids;
    vv_cid probe;

    if (!ids.codec && !ids.hash && !ids.version && !ids.digest_len) {
        ids = VV_PREFIX_CBOR_BLAKE3;
        if (root) {
            ids.hash = root->hash;
            ids.digest_len = root->digest_len;
        }
        /* A root may be named in a way that nothing is to be named by, such as holding itself. */
        if (vv_cid_of(&ids, (vv_bytes){ NULL, 0 }, &probe, NULL))
            ids = VV_PREFIX_CBOR_BLAKE3;
    }
    if (ids.version != 1)
        return vvi_fail(err, VV_EINVAL,
                        "sharded stores name blocks by CIDs of version 1");
    self->cbor_ids = self->raw_ids = ids;
    self->cbor_ids.codec = VV_CODEC_DAG_CBOR;
    self->raw_ids.codec = VV_CODEC_RAW;
    return vv_cid_of(&self->raw_ids, (vv_bytes){ NULL, 0 }, &probe, err);
}

static vv_status load(vvi_sharded *self, const vv_cid *root, vv_error *err)
{
    char text[VV_CID_TEXT_MAX];
    vv_buf block = VV_BUF_INIT;
    vv_status status = vv_blockstore_get(self->blocks, root, &block, err);

    if (!status)
        status = vvi_sharded_load(self, vvi_buf_bytes(&block), err);
    vv_buf_clear(&block);
    if (!status)
        status = vvi_sharded_infer_primary(self, err);
    if (status) {
        vv_cid_format(root, text);
        return vvi_wrap(err, status, "sharded root %s", text);
    }
    self->root = *root;
    self->has_root = true;
    return VV_OK;
}

static vv_status begin_new(vvi_sharded *self, const vv_sharded_options *options,
                           vv_error *err)
{
    const char *path = options->primary_array_path ? options->primary_array_path : "";
    bool has_array = options->array_shape || options->chunk_shape || options->ndim;
    size_t path_len = strlen(path);
    vvi_index_entry *entry;
    vvi_geometry geometry;

    if (options->version != VV_SHARDED_V1 && options->version != VV_SHARDED_V2)
        return vvi_fail(err, VV_EINVAL, "version %d of a sharded store",
                        (int)options->version);
    self->version = options->version;
    self->chunks_per_shard = options->chunks_per_shard ? options->chunks_per_shard
                                                       : CHUNKS_PER_SHARD;
    VVI_TRY(vvi_sharded_new_members(self, err));
    if (options->ndim && (!options->array_shape || !options->chunk_shape))
        return vvi_fail(err, VV_EINVAL, "an array needs both its shape and its chunks'");
    if (!has_array && self->version == VV_SHARDED_V1)
        return vvi_fail(err, VV_EINVAL,
                        "a sharded store of version 1 needs the shape of its array");
    if (!has_array)
        return VV_OK;
    VVI_TRY(vvi_geometry_init(&geometry, options->ndim, options->array_shape,
                              options->chunk_shape, self->chunks_per_shard, err));
    vvi_path_strip(&path, &path_len);
    if (self->version == VV_SHARDED_V1)
        path_len = 0;
    VVI_TRY(vvi_sharded_reserve(self, err));
    VVI_TRY(vvi_index_entry_new(self->cache, path, path_len, &geometry, &entry, err));
    vvi_sharded_add(self, entry);
    return VV_OK;
}

vv_status vv_sharded_store_open(vv_blockstore *blocks, const vv_cid *root,
                                const vv_sharded_options *given, vv_store **out,
                                vv_error *err)
{
    vv_sharded_options options;
    vvi_sharded *self;
    vv_status status;

    VVI_TRY(vvi_read_options(&options, sizeof(options), given, err));
    if (!root && options.read_only)
        return vvi_fail(err, VV_EINVAL, "a store that is read needs a root");
    VVI_TRY(new_shared(blocks, &self, err));
    self->read = options.read;
    self->without_primary = options.without_primary;
    self->stored_keys = options.stored_keys;
    status = set_ids(self, root, &options, err);
    if (!status)
        status = vvi_shard_cache_new(
            blocks, &self->cbor_ids,
            options.cache_bytes ? options.cache_bytes : CACHE_BYTES, &self->cache, err);
    if (!status)
        status = root ? load(self, root, err) : begin_new(self, &options, err);
    if (!status)
        status = new_handle(self, options.read_only, out, err);
    release(self);
    return status;
}

vv_status vv_sharded_store_with_read_only(vv_store *store, bool read_only, vv_store **out,
                                          vv_error *err)
{
    vvi_sharded *self;

    VVI_TRY(vvi_sharded_of(store, &self, err));
    return new_handle(self, read_only, out, err);
}

/* ---- what is told of a store ---------------------------------------------------------------------------- */

vv_status vv_sharded_store_info(vv_store *store, vv_sharded_info *out, vv_error *err)
{
    vv_sharded_info made;
    vvi_sharded *self;

    VVI_TRY(vvi_check_result(out, err));
    VVI_TRY(vvi_sharded_of(store, &self, err));
    vvi_rwlock_read(&self->lock);
    made = (vv_sharded_info){ .version = self->version,
                              .chunks_per_shard = self->chunks_per_shard,
                              .array_count = self->array_count,
                              .metadata_count = self->names.count };
    if (self->version == VV_SHARDED_V1)
        made.primary_array_path = self->primary;
    else if (self->array_count)
        made.primary_array_path = self->arrays[0]->path;
    made.has_primary = made.primary_array_path != NULL;
    vvi_rwlock_unlock(&self->lock);
    vvi_shard_cache_stat(self->cache, &made.cached_bytes, &made.shard_loads);
    vvi_write_result(out, &made, sizeof(made));
    return VV_OK;
}

vv_status vv_sharded_store_arrays(vv_store *store, vv_sharded_array_fn visit, void *ctx,
                                  vv_error *err)
{
    vvi_index_entry **entries;
    vvi_sharded *self;
    vv_status status;
    size_t n;

    VVI_TRY(vvi_sharded_of(store, &self, err));
    status = vvi_sharded_entries(self, &entries, &n, err);
    for (size_t i = 0; i < n && !status; i++) {
        vvi_geometry geometry;
        vv_sharded_array array;

        vvi_rwlock_read(&self->changes); /* the grid holds still */
        geometry = *vvi_chunk_index_geometry(entries[i]->index);
        vvi_rwlock_unlock(&self->changes);
        array = (vv_sharded_array){ .path = entries[i]->path,
                                    .ndim = geometry.grid.ndim,
                                    .shape = geometry.grid.shape,
                                    .chunk_shape = geometry.grid.chunk,
                                    .grid = geometry.grid.count,
                                    .chunks_per_shard = geometry.chunks_per_shard,
                                    .shard_count = geometry.shard_count };
        status = visit(ctx, &array, err);
    }
    vvi_index_entries_free(entries, n);
    return status;
}

/* ---- resizing --------------------------------------------------------------------------------------------- */

vv_status vv_sharded_store_resize(vv_store *store, const char *array_path, uint32_t ndim,
                                  const uint64_t *shape, vv_error *err)
{
    vvi_index_entry *entry;
    vvi_sharded *self;
    vv_status status;

    VVI_TRY(vvi_sharded_begin(store, &self, err));
    status = vvi_sharded_choose(self, array_path, &entry, err);
    if (!status && ndim != entry->ndim)
        status = vvi_fail(err, VV_EINVAL, "array '%s' has %u dimensions, the shape %u",
                          entry->path, entry->ndim, ndim);
    if (!status)
        status = vvi_chunk_index_resize(entry->index, shape, err);
    if (!status) {
        vvi_rwlock_write(&self->lock);
        vvi_sharded_mark(self);
        vvi_rwlock_unlock(&self->lock);
    }
    vvi_sharded_end(self);
    return status;
}
