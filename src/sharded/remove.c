/* Deleting keys and directories. */
#include "sharded/store.h"

#include "store/internal.h"
#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

static vvi_sharded *shared_of(vv_store *base)
{
    return ((vvi_sharded_store *)base)->shared;
}

/* Forget a name; false: it was not there. With changes held. */
static bool remove_name(vvi_sharded *self, const char *key)
{
    bool removed;

    vvi_rwlock_write(&self->lock);
    removed = vvi_named_remove(&self->names, key);
    if (removed)
        vvi_sharded_mark(self);
    vvi_rwlock_unlock(&self->lock);
    return removed;
}

static vv_status remove_chunk(vvi_sharded *self, const char *key, vv_error *err)
{
    vvi_index_entry *entry = NULL;
    vv_buf listed = VV_BUF_INIT;
    vvi_chunk_place place;
    bool there = false, is_v1;
    vv_status status = VV_OK;

    vvi_rwlock_read(&self->lock);
    is_v1 = self->version == VV_SHARDED_V1;
    vvi_key_place(self, key, &place);
    if (place.kind == VVI_KEY_CHUNK) {
        entry = vvi_index_entry_retain(place.array);
        status = vvi_chunk_key_append(self, entry, place.coords, &listed, err);
    }
    vvi_rwlock_unlock(&self->lock);
    if (place.kind == VVI_KEY_BAD)
        return is_v1
                   ? vvi_fail(err, place.why, "key '%s' names no chunk of the array", key)
                   : VV_ENOTFOUND;
    if (entry && !status)
        status = vvi_chunk_index_set(entry->index, place.coords, NULL, &there, err);
    if (status == VV_ERANGE && !is_v1)
        status = VV_ENOTFOUND;
    if (!status && remove_name(self, key))
        there = true;
    if (!status && listed.len && remove_name(self, (const char *)listed.data))
        there = true;
    vvi_index_entry_release(entry);
    vv_buf_clear(&listed);
    if (status && status != VV_ENOTFOUND)
        return vvi_wrap(err, status, "key '%s'", key);
    return status ? status : there ? VV_OK : VV_ENOTFOUND;
}

/* The other document that an array may have. */
static vv_status other_document(const char *key, size_t path_len, vv_buf *out,
                                vv_error *err)
{
    size_t name_at = path_len ? path_len + 1 : 0;

    VVI_TRY(vvi_buf_append(out, vvi_bytes(key, name_at), err));
    return vvi_buf_append_text(out, key[name_at] == '.' ? "zarr.json" : ".zarray", err);
}

/* With its last document an array leaves, index and chunks. */
static vv_status remove_document(vvi_sharded *self, const char *key, size_t path_len,
                                 vv_error *err)
{
    vvi_index_entry *dropped = NULL;
    vv_buf other = VV_BUF_INIT;
    const char *path = key;
    size_t len = path_len;
    bool removed;
    vv_status status = other_document(key, path_len, &other, err);

    vvi_path_strip(&path, &len);
    if (status) {
        vv_buf_clear(&other);
        return status;
    }
    vvi_rwlock_write(&self->lock);
    removed = vvi_named_remove(&self->names, key);
    if (removed) {
        vvi_sharded_mark(self);
        if (self->version == VV_SHARDED_V2 &&
            !vvi_named_has(&self->names, (const char *)other.data, other.len))
            dropped = vvi_sharded_find(self, path, len);
        if (dropped)
            vvi_sharded_take(self, dropped);
    }
    vvi_rwlock_unlock(&self->lock);
    vvi_index_entry_release(dropped);
    vv_buf_clear(&other);
    return removed ? VV_OK : VV_ENOTFOUND;
}

vv_status vvi_sharded_remove(vv_store *base, const char *key, vv_error *err)
{
    vvi_sharded *self = shared_of(base);
    size_t path_len;
    vv_status status;

    if (vvi_key_is_array_document(key, &path_len)) {
        vvi_rwlock_write(&self->changes);
        status = remove_document(self, key, path_len, err);
    } else {
        vvi_rwlock_read(&self->changes);
        status = remove_chunk(self, key, err);
    }
    vvi_rwlock_unlock(&self->changes);
    return status == VV_ENOTFOUND ? vvi_fail_missing_key(err, base, key) : status;
}

/* ---- directories --------------------------------------------------------------------------------- */

/* Chunks told of one array: those whose keys begin with a prefix are counted. */
typedef struct chunk_count {
    vvi_sharded *store;
    vvi_index_entry *entry;
    const char *prefix; /* of keys */
    uint64_t deleted;
    vv_buf key;
} chunk_count;

static vv_status count_chunk(void *ctx, const uint64_t *coords, bool *wanted,
                             vv_error *err)
{
    chunk_count *self = ctx;
    bool named;
    vv_status status;

    self->key.len = 0;
    vvi_rwlock_read(&self->store->lock);
    status = vvi_chunk_key_append(self->store, self->entry, coords, &self->key, err);
    named = !status &&
            vvi_named_has(&self->store->names, (char *)self->key.data, self->key.len - 1);
    vvi_rwlock_unlock(&self->store->lock);
    VVI_TRY(status);
    *wanted = strncmp((char *)self->key.data, self->prefix, strlen(self->prefix)) == 0;
    self->deleted += *wanted && !named; /* else its name is counted */
    return VV_OK;
}

static vv_status count_only(void *ctx, const uint64_t *coords, const vv_cid *cid,
                            vv_error *err)
{
    bool ignored;

    (void)cid;
    return count_chunk(ctx, coords, &ignored, err);
}

/* Count the chunks below prefix; emptying NULL: no more than that. */
static vv_status look_at_chunks(vvi_sharded *store, vvi_index_entry *entry,
                                const char *prefix, vvi_emptying **emptying,
                                uint64_t *deleted, vv_error *err)
{
    chunk_count count = { .store = store, .entry = entry, .prefix = prefix };
    vv_status status = emptying
                           ? vvi_emptying_new(entry->index, count_chunk, &count, emptying,
                                              err)
                           : vvi_chunk_index_visit(entry->index, count_only, &count, err);

    *deleted += count.deleted;
    vv_buf_clear(&count.key);
    return status ? vvi_wrap(err, status, "directory '%s'", prefix) : VV_OK;
}

/* Does the array lie at or below the directory? prefix ends in a slash, or is "". */
static bool lies_below(const vvi_index_entry *entry, const char *prefix)
{
    size_t len = strlen(prefix), path_len = strlen(entry->path);

    if (len == 0)
        return true;
    return path_len + 1 == len ? strncmp(entry->path, prefix, path_len) == 0
                               : strncmp(entry->path, prefix, len) == 0;
}

static void remove_names(vvi_sharded *self, const char *prefix, uint64_t *deleted)
{
    size_t len = strlen(prefix);

    vvi_rwlock_write(&self->lock);
    for (size_t i = 0; i < self->names.set.capacity;) {
        const vvi_key_entry *entry = &self->names.set.entries[i];

        /* What is moved into the place of one that is taken out is looked at next. */
        if (entry->key && entry->value && strncmp(entry->key, prefix, len) == 0) {
            vvi_named_remove(&self->names, entry->key);
            vvi_sharded_mark(self);
            ++*deleted;
        } else {
            i++;
        }
    }
    vvi_rwlock_unlock(&self->lock);
}

static void drop_array(vvi_sharded *self, vvi_index_entry *entry)
{
    vvi_rwlock_write(&self->lock);
    vvi_sharded_take(self, entry);
    vvi_sharded_mark(self);
    vvi_rwlock_unlock(&self->lock);
    vvi_index_entry_release(entry);
}

/* Read what must be read, and make the shards that stay aside: emptyings, one an array or NULL. */
static vv_status prepare(vvi_sharded *self, const char *prefix, bool counted,
                         vvi_emptying **emptyings, uint64_t *deleted, vv_error *err)
{
    for (size_t i = 0; i < self->array_count; i++) {
        vvi_index_entry *entry = self->arrays[i];

        if (self->version == VV_SHARDED_V2 && lies_below(entry, prefix)) {
            if (counted)
                VVI_TRY(look_at_chunks(self, entry, prefix, NULL, deleted, err));
        } else if (vvi_chunks_may_begin(self, entry, prefix)) {
            VVI_TRY(look_at_chunks(self, entry, prefix, &emptyings[i], deleted, err));
        }
    }
    return VV_OK;
}

/* Make the change. Nothing can fail any more. */
static void change(vvi_sharded *self, const char *prefix, vvi_emptying **emptyings,
                   uint64_t *deleted)
{
    for (size_t i = 0; i < self->array_count; i++)
        if (emptyings[i])
            vvi_emptying_apply(emptyings[i]);
    remove_names(self, prefix, deleted);
}

static void drop_arrays(vvi_sharded *self, const char *prefix)
{
    for (size_t i = 0; i < self->array_count;)
        if (self->version == VV_SHARDED_V2 && lies_below(self->arrays[i], prefix))
            drop_array(self, self->arrays[i]);
        else
            i++;
}

vv_status vvi_sharded_remove_dir(vv_store *base, const char *prefix, uint64_t *deleted,
                                 vv_error *err)
{
    vvi_sharded *self = shared_of(base);
    vvi_emptying **emptyings;
    uint64_t removed = 0;
    vv_status status;
    size_t count;

    vvi_rwlock_write(&self->changes);
    count = self->array_count;
    emptyings = vvi_alloc_array_zero(count + 1, sizeof(*emptyings));
    if (emptyings)
        status = prepare(self, prefix, deleted != NULL, emptyings, &removed, err);
    else
        status = vvi_fail_nomem(err, (count + 1) * sizeof(*emptyings));
    if (!status)
        change(self, prefix, emptyings, &removed);
    for (size_t i = 0; emptyings && i < count; i++)
        vvi_emptying_free(emptyings[i]);
    if (!status)
        drop_arrays(self, prefix);
    vvi_rwlock_unlock(&self->changes);
    vvi_free(emptyings);
    if (deleted && !status)
        *deleted += removed;
    return status;
}
