/*
 * From version 1 to version 2: the index becomes that of one array, and documents and other keys move to
 * where version 2 wants them. Shards stay as they are.
 *
 * It runs alone, from the first look to the root. All that can fail is done with tables of its own, which
 * take the places of the store's in the end.
 */
#include "sharded/store.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

typedef struct migration {
    vvi_sharded *store;
    const char *path; /* of the array in version 2 */
    size_t path_len;
    size_t parent_len;  /* of the group that path lies in; 0: none */
    const char *source; /* of the array in version 1 */
    size_t source_len;
    vvi_named names;
    vvi_root_members members;
    vvi_index_entry *entry;
    vv_buf key; /* scratch */
} migration;

/* A key below a path in the scratch buffer. */
static vv_status make_key(migration *self, const char *path, size_t len, const char *rest,
                          vv_error *err)
{
    self->key.len = 0;
    VVI_TRY(vvi_buf_append(&self->key, vvi_bytes(path, len), err));
    if (len)
        VVI_TRY(vvi_buf_append_byte(&self->key, '/', err));
    return vvi_buf_append_text(&self->key, rest, err);
}

static vv_status has_key(migration *self, const vvi_named *names, const char *path,
                         size_t len, const char *name, bool *out, vv_error *err)
{
    VVI_TRY(make_key(self, path, len, name, err));
    *out = vvi_named_has(names, (const char *)self->key.data, self->key.len);
    return VV_OK;
}

/* Has the store an array's document there? */
static vv_status has_document(migration *self, const char *path, size_t len, bool *out,
                              vv_error *err)
{
    VVI_TRY(has_key(self, &self->store->names, path, len, "zarr.json", out, err));
    return *out ? VV_OK
                : has_key(self, &self->store->names, path, len, ".zarray", out, err);
}

static vv_status read_document(vvi_sharded *store, const vv_cid *cid, const char *key,
                               vv_buf *block, vvi_document *out, vv_error *err)
{
    vv_status status = vv_blockstore_get(store->blocks, cid, block, err);

    if (status == VV_ENOTFOUND)
        status = VV_ECORRUPT;
    if (!status)
        status = vvi_document_read(vvi_buf_bytes(block), out, err);
    return status ? vvi_wrap(err, status, "the value of key '%s'", key) : VV_OK;
}

/* Is there an array at the root, not only a group? */
static vv_status has_root_array(migration *self, bool *out, vv_error *err)
{
    vv_buf block = VV_BUF_INIT;
    vvi_document document;
    vv_status status;
    vv_cid cid;

    *out = vvi_named_has(&self->store->names, ".zarray", 7);
    if (*out || !vvi_named_get(&self->store->names, "zarr.json", 9, &cid))
        return VV_OK;
    status = read_document(self->store, &cid, "zarr.json", &block, &document, err);
    vv_buf_clear(&block);
    *out = !status && document.has_shape && document.has_chunk;
    return status;
}

static bool lies_below(const char *key, const char *path, size_t len)
{
    return strncmp(key, path, len) == 0 && key[len] == '/';
}

static bool has_keys(const migration *self, const char *path, size_t len)
{
    const vvi_key_set *set = &self->store->names.set;

    for (size_t i = 0; i < set->capacity; i++)
        if (set->entries[i].key && lies_below(set->entries[i].key, path, len))
            return true;
    return false;
}

/*
 * Where the array's documents lie now: as py-hamt looks for them, at its new path, under its last name, at
 * the root. Where there is nothing, at the path that the index is of: py-hamt leaves them there, and chunks
 * that nobody can open.
 */
static vv_status find_source(migration *self, vv_error *err)
{
    const char *primary = self->store->primary;
    const char *last = self->path + (self->parent_len ? self->parent_len + 1 : 0);
    bool found;

    self->source = self->path;
    self->source_len = self->path_len;
    VVI_TRY(has_document(self, self->source, self->source_len, &found, err));
    if (found)
        return VV_OK;
    self->source = last;
    self->source_len = (size_t)(self->path + self->path_len - last);
    VVI_TRY(has_document(self, self->source, self->source_len, &found, err));
    if (found)
        return VV_OK;
    VVI_TRY(has_root_array(self, &found, err));
    if (found) {
        self->source_len = 0;
        return VV_OK;
    }
    if (primary && !has_keys(self, self->source, self->source_len))
        VVI_TRY(has_document(self, primary, strlen(primary), &found, err));
    if (found) {
        self->source = primary;
        self->source_len = strlen(primary);
    }
    return VV_OK;
}

/* The key's name in version 2, in the scratch buffer. */
static vv_status rename_key(migration *self, const char *key, vv_error *err)
{
    if (self->source_len && lies_below(key, self->source, self->source_len))
        return make_key(self, self->path, self->path_len, key + self->source_len + 1,
                        err);
    if (!self->source_len &&
        (strncmp(key, "c/", 2) == 0 || strcmp(key, "zarr.json") == 0 ||
         strcmp(key, ".zarray") == 0))
        return make_key(self, self->path, self->path_len, key, err);
    if (self->parent_len && strchr(key, '/') &&
        !lies_below(key, self->path, self->parent_len))
        return make_key(self, self->path, self->parent_len, key, err);
    return make_key(self, "", 0, key, err);
}

static vv_status set_name(migration *self, const vv_cid *cid, vv_error *err)
{
    vvi_naming naming = { NULL, 0, 0 };
    vv_status status = vvi_naming_add(&naming, &self->names, (const char *)self->key.data,
                                      self->key.len, cid, err);

    if (!status)
        (void)vvi_naming_apply(&naming, &self->names);
    vvi_naming_clear(&naming, &self->names);
    return status;
}

static vv_status rename_all(migration *self, vv_error *err)
{
    const vvi_key_entry **list;
    vv_status status;
    vv_cid cid;

    VVI_TRY(vvi_named_sorted(&self->store->names, &list, err));
    status = VV_OK;
    for (size_t i = 0; i < self->store->names.count && !status; i++) {
        status = rename_key(self, list[i]->key, err);
        vvi_named_cid(list[i], &cid);
        if (!status)
            status = set_name(self, &cid, err);
    }
    vvi_free(list);
    return status;
}

/* ---- groups above the array --------------------------------------------------------------------- */

/* A group's document without consolidated metadata. */
static vv_status strip_group(migration *self, size_t len, vv_error *err)
{
    vv_buf block = VV_BUF_INIT, stripped = VV_BUF_INIT;
    vvi_document document;
    vv_status status;
    vv_cid cid;

    VVI_TRY(make_key(self, self->path, len, "zarr.json", err));
    VVI_TRY(vvi_buf_terminate(&self->key, err));
    if (!vvi_named_get(&self->names, (const char *)self->key.data, self->key.len, &cid))
        return VV_OK;
    status = read_document(self->store, &cid, (const char *)self->key.data, &block,
                           &document, err);
    if (!status && document.is_group && document.consolidated) {
        status = vvi_document_strip(vvi_buf_bytes(&block), &stripped, err);
        if (!status)
            status = vv_blockstore_put(self->store->blocks, &self->store->raw_ids,
                                       vvi_buf_bytes(&stripped), &cid, err);
        if (!status)
            status = set_name(self, &cid, err);
    }
    vv_buf_clear(&stripped);
    vv_buf_clear(&block);
    return status;
}

/* Let the group with this path, of so many bytes, have a document. */
static vv_status make_group(migration *self, size_t len, bool zarr2, vv_error *err)
{
    const char *name = zarr2 ? ".zgroup" : "zarr.json";
    bool found;
    vv_cid cid;

    VVI_TRY(strip_group(self, len, err));
    VVI_TRY(has_key(self, &self->names, self->path, len, name, &found, err));
    if (found)
        return VV_OK;
    VVI_TRY(vv_blockstore_put(self->store->blocks, &self->store->raw_ids,
                              vv_bytes_of(zarr2 ? VVI_GROUP_V2 : VVI_GROUP_V3), &cid,
                              err));
    VVI_TRY(make_key(self, self->path, len, name, err));
    return set_name(self, &cid, err);
}

static vv_status make_groups(migration *self, vv_error *err)
{
    bool zarr2;

    VVI_TRY(
        has_key(self, &self->names, self->path, self->path_len, ".zarray", &zarr2, err));
    VVI_TRY(make_group(self, 0, zarr2, err));
    for (size_t i = 1; i < self->path_len; i++)
        if (self->path[i] == '/')
            VVI_TRY(make_group(self, i, zarr2, err));
    return VV_OK;
}

/* ---- the array and the root ---------------------------------------------------------------------- */

/* The same shards under the new path. */
static vv_status move_index(migration *self, vv_error *err)
{
    vvi_index_entry *old = self->store->arrays[0];
    const vvi_geometry *geometry = vvi_chunk_index_geometry(old->index);

    VVI_TRY(vvi_index_entry_new(self->store->cache, self->path, self->path_len, geometry,
                                &self->entry, err));
    for (uint64_t i = 0; i < geometry->shard_count; i++) {
        vv_cid cid;

        if (vvi_chunk_index_shard(old->index, i, &cid))
            VVI_TRY(vvi_chunk_index_put_shard(self->entry->index, i, &cid, err));
    }
    if (!old->odd_count)
        return VV_OK;
    self->entry->odd = vvi_alloc_array_zero(old->odd_count, sizeof(*old->odd));
    if (!self->entry->odd)
        return vvi_fail_nomem(err, old->odd_count * sizeof(*old->odd));
    self->entry->odd_count = old->odd_count;
    for (size_t i = 0; i < old->odd_count; i++) {
        vvi_odd_shard *odd = &self->entry->odd[i];

        odd->shard = old->odd[i].shard;
        odd->stand_in = old->odd[i].stand_in;
        VVI_TRY(vvi_buf_append(&odd->value, vvi_buf_bytes(&old->odd[i].value), err));
    }
    return VV_OK;
}

static vv_status make_members(migration *self, vv_error *err)
{
    vvi_sharded fresh = { .version = VV_SHARDED_V2,
                          .chunks_per_shard = self->store->chunks_per_shard };
    vv_status status = vvi_sharded_new_members(&fresh, err);

    self->members = fresh.members;
    return status;
}

/* Put the new tables in place of the old ones, which are left for migration_clear(). */
static void take_over(migration *self)
{
    vvi_sharded *store = self->store;
    vvi_index_entry *old = store->arrays[0];
    vvi_root_members members = store->members;
    vvi_named names = store->names;

    vvi_rwlock_write(&store->lock);
    store->version = VV_SHARDED_V2;
    vvi_sharded_take(store, old);
    vvi_sharded_add(store, self->entry);
    store->names = self->names;
    store->members = self->members;
    vvi_root_members_clear(&store->chunks);
    vvi_free(store->primary);
    store->primary = NULL;
    store->primary_recorded = store->primary_odd = false;
    store->changed = true;
    vvi_rwlock_unlock(&store->lock);
    self->entry = old;
    self->names = names;
    self->members = members;
}

static void migration_clear(migration *self)
{
    vvi_index_entry_release(self->entry);
    vvi_named_clear(&self->names);
    vvi_root_members_clear(&self->members);
    vv_buf_clear(&self->key);
}

static vv_status migrate(vvi_sharded *store, const char *path, size_t len, vv_error *err)
{
    migration self = { .store = store, .path = path, .path_len = len };
    vv_status status;

    for (size_t i = 0; i < len; i++)
        if (path[i] == '/')
            self.parent_len = i;
    status = vvi_sharded_save(store, err);
    if (!status)
        status = find_source(&self, err);
    if (!status)
        status = rename_all(&self, err);
    if (!status)
        status = make_groups(&self, err);
    if (!status)
        status = move_index(&self, err);
    if (!status)
        status = make_members(&self, err);
    if (!status)
        take_over(&self);
    migration_clear(&self);
    return status;
}

vv_status vv_sharded_store_migrate(vv_store *base, const char *array_path, vv_cid *root,
                                   vv_error *err)
{
    const char *path = array_path ? array_path : "";
    size_t len = strlen(path);
    vvi_sharded *store;
    vv_status status;

    VVI_TRY(vvi_sharded_begin(base, &store, err));
    vvi_path_strip(&path, &len);
    if (len == 0)
        status = vvi_fail(err, VV_EINVAL, "the array needs a path in version 2");
    else if (store->version != VV_SHARDED_V1)
        status = vvi_fail(err, VV_EINVAL, "the store is of version 2 already");
    else
        status = migrate(store, path, len, err);
    if (!status)
        status = vvi_sharded_save(store, err);
    if (!status)
        *root = store->root;
    vvi_sharded_end(store);
    return status ? status : vv_blockstore_flush(store->blocks, err);
}
