/* Listing: names first, then the chunks of each array, without a lock while somebody is told of them. */
#include "sharded/store.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

static vvi_sharded *shared_of(vv_store *base)
{
    return ((vvi_sharded_store *)base)->shared;
}

vv_status vvi_sharded_entries(vvi_sharded *self, vvi_index_entry ***out, size_t *n,
                              vv_error *err)
{
    vvi_index_entry **list;

    vvi_rwlock_read(&self->lock);
    *n = self->array_count;
    list = vvi_alloc_array(*n, sizeof(vvi_index_entry *));
    for (size_t i = 0; list && i < *n; i++)
        list[i] = vvi_index_entry_retain(self->arrays[i]);
    vvi_rwlock_unlock(&self->lock);
    *out = list;
    return list ? VV_OK : vvi_fail_nomem(err, *n * sizeof(vvi_index_entry *));
}

void vvi_index_entries_free(vvi_index_entry **entries, size_t n)
{
    for (size_t i = 0; entries && i < n; i++)
        vvi_index_entry_release(entries[i]);
    vvi_free(entries);
}

/* The names with this prefix as they are now, each with its end. */
static vv_status copy_names(vvi_sharded *self, const char *prefix, vv_buf *out,
                            vv_error *err)
{
    size_t len = strlen(prefix);
    vv_status status = VV_OK;

    vvi_rwlock_read(&self->lock);
    for (size_t i = 0; i < self->names.set.capacity && !status; i++) {
        const vvi_key_entry *entry = &self->names.set.entries[i];

        if (entry->key && entry->value && strncmp(entry->key, prefix, len) == 0)
            status = vvi_buf_append(out, vvi_bytes(entry->key, strlen(entry->key) + 1),
                                    err);
    }
    vvi_rwlock_unlock(&self->lock);
    return status;
}

/* Tell of the chunks of one array whose keys begin with a prefix. */
typedef struct chunk_teller {
    vvi_sharded *store;
    vvi_index_entry *entry;
    const char *prefix;
    size_t prefix_len;
    vv_key_fn visit;
    void *ctx;
    vv_buf key;
    bool skip_named; /* those that were told of by name */
} chunk_teller;

static vv_status tell_chunk(void *ctx, const uint64_t *coords, const vv_cid *cid,
                            vv_error *err)
{
    chunk_teller *self = ctx;
    bool named = false;
    vv_status status;

    (void)cid;
    self->key.len = 0;
    vvi_rwlock_read(&self->store->lock);
    status = vvi_chunk_key_append(self->store, self->entry, coords, &self->key, err);
    if (!status && self->skip_named)
        named = vvi_named_has(&self->store->names, (const char *)self->key.data,
                              self->key.len - 1);
    vvi_rwlock_unlock(&self->store->lock);
    VVI_TRY(status);
    if (named ||
        strncmp((const char *)self->key.data, self->prefix, self->prefix_len) != 0)
        return VV_OK;
    return self->visit(self->ctx, (const char *)self->key.data, err);
}

/* other: as in vvi_chunk_index_visit_unlike(). */
static vv_status tell_chunks(vvi_sharded *self, vvi_index_entry *entry,
                             vvi_index_entry *other, const char *prefix, vv_key_fn visit,
                             void *ctx, vv_error *err)
{
    chunk_teller telling = { .store = self,
                             .entry = entry,
                             .prefix = prefix,
                             .prefix_len = strlen(prefix),
                             .visit = visit,
                             .ctx = ctx,
                             .skip_named = true };
    bool may;
    vv_status status = VV_OK;

    vvi_rwlock_read(&self->lock);
    may = vvi_chunks_may_begin(self, entry, prefix);
    vvi_rwlock_unlock(&self->lock);
    if (may)
        status = vvi_chunk_index_visit_unlike(entry->index, other ? other->index : NULL,
                                              tell_chunk, &telling, err);
    vv_buf_clear(&telling.key);
    return status;
}

/* The array of the other store, of version 2 as well, with the path of one of this; NULL: there is none. */
static vvi_index_entry *same_array(vvi_sharded *self, vvi_sharded *other,
                                   const vvi_index_entry *entry)
{
    vvi_index_entry *found = NULL;
    bool is_v2;

    if (!other)
        return NULL;
    vvi_rwlock_read(&self->lock);
    is_v2 = self->version == VV_SHARDED_V2;
    vvi_rwlock_unlock(&self->lock);
    vvi_rwlock_read(&other->lock);
    if (is_v2 && other->version == VV_SHARDED_V2)
        found = vvi_sharded_find(other, entry->path, strlen(entry->path));
    if (found)
        vvi_index_entry_retain(found);
    vvi_rwlock_unlock(&other->lock);
    return found;
}

static vv_status list_keys(vv_store *base, vvi_sharded *other, const char *prefix,
                           vv_key_fn visit, void *ctx, vv_error *err)
{
    vvi_sharded *self = shared_of(base);
    vvi_index_entry **entries = NULL;
    vv_buf names = VV_BUF_INIT;
    size_t n = 0;
    vv_status status = vvi_sharded_entries(self, &entries, &n, err);

    if (!status)
        status = copy_names(self, prefix, &names, err);
    for (size_t at = 0; at < names.len && !status;) {
        const char *key = (const char *)names.data + at;

        at += strlen(key) + 1;
        status = visit(ctx, key, err);
    }
    for (size_t i = 0; i < n && !status; i++) {
        vvi_index_entry *same = same_array(self, other, entries[i]);

        status = tell_chunks(self, entries[i], same, prefix, visit, ctx, err);
        if (same)
            vvi_index_entry_release(same);
    }
    vvi_index_entries_free(entries, n);
    vv_buf_clear(&names);
    return status;
}

vv_status vvi_sharded_list(vv_store *base, const char *prefix, vv_key_fn visit, void *ctx,
                           vv_error *err)
{
    return list_keys(base, NULL, prefix, visit, ctx, err);
}

vv_status vvi_sharded_list_unlike(vv_store *base, vv_store *other, const char *prefix,
                                  vv_key_fn visit, void *ctx, vv_error *err)
{
    vvi_sharded *theirs;

    if (vvi_sharded_of(other, &theirs, NULL))
        theirs = NULL;
    return list_keys(base, theirs, prefix, visit, ctx, err);
}

/* ---- directories --------------------------------------------------------------------------------- */

/* Entries of a directory, each told of once. */
typedef struct directory {
    size_t prefix_len;
    vvi_key_set seen;
    vv_key_fn visit;
    void *ctx;
} directory;

/* A key below the directory: the key itself, or what lies below it. */
static vv_status tell_entry(void *ctx, const char *key, vv_error *err)
{
    directory *self = ctx;
    const char *name = key + self->prefix_len;
    const char *slash = strchr(name, '/');
    size_t len = slash ? (size_t)(slash + 1 - name) : strlen(name);
    vvi_key_entry *entry;
    bool is_new;

    if (len == 0)
        return VV_OK;
    VVI_TRY(vvi_key_set_add(&self->seen, name, len, &entry, &is_new, err));
    return is_new ? self->visit(self->ctx, entry->key, err) : VV_OK;
}

/* The directory that holds the coordinates of an array's chunks: "g/temp/c". An end is put behind. */
static vv_status chunk_directory(vvi_sharded *self, vvi_index_entry *entry, vv_buf *out,
                                 vv_error *err)
{
    const char *path = entry->path;
    vv_status status;

    out->len = 0;
    vvi_rwlock_read(&self->lock);
    if (self->version == VV_SHARDED_V1)
        path = self->primary ? self->primary : "";
    status = vvi_buf_append_text(out, path, err);
    vvi_rwlock_unlock(&self->lock);
    VVI_TRY(status);
    VVI_TRY(vvi_buf_append_text(out, out->len ? "/c" : "c", err));
    return vvi_buf_append_byte(out, 0, err);
}

/* Tell of the next part of each chunk key below a directory inside of an array's chunks. */
static vv_status tell_coordinates(vvi_sharded *self, vvi_index_entry *entry,
                                  const char *prefix, directory *out, vv_error *err)
{
    vv_buf whole = VV_BUF_INIT;
    vv_status status = VV_OK;
    bool slash;

    /* Keys of version 1 may be listed with a slash in front that the directory has not. */
    vvi_rwlock_read(&self->lock);
    slash = self->version == VV_SHARDED_V1 && !(self->primary && *self->primary) &&
            !(self->primary && self->primary_recorded);
    vvi_rwlock_unlock(&self->lock);
    if (slash)
        status = vvi_buf_append_byte(&whole, '/', err);
    if (!status)
        status = vvi_buf_append(&whole, vvi_bytes(prefix, strlen(prefix) + 1), err);
    out->prefix_len = strlen(prefix) + slash;
    if (!status)
        status = tell_chunks(self, entry, NULL, (const char *)whole.data, tell_entry, out,
                             err);
    out->prefix_len = strlen(prefix);
    vv_buf_clear(&whole);
    return status;
}

/* Tell of what a directory has: names, arrays and where their chunks lie, and, inside of these, chunks. */
static vv_status tell_directory(vvi_sharded *self, const char *prefix, directory *out,
                                vv_error *err)
{
    vvi_index_entry **entries = NULL;
    vv_buf names = VV_BUF_INIT, chunks = VV_BUF_INIT;
    size_t n = 0, len = strlen(prefix);
    vv_status status = copy_names(self, prefix, &names, err);

    out->prefix_len = len;
    for (size_t at = 0; at < names.len && !status;) {
        const char *key = (const char *)names.data + at;

        at += strlen(key) + 1;
        status = tell_entry(out, key, err);
    }
    if (!status)
        status = vvi_sharded_entries(self, &entries, &n, err);
    for (size_t i = 0; i < n && !status; i++) {
        size_t own;

        status = chunk_directory(self, entries[i], &chunks, err);
        own = chunks.len - 1;
        if (status)
            break;
        if (len > own && chunks.data[own] == '\0' && prefix[own] == '/' &&
            strncmp(prefix, (const char *)chunks.data, own) == 0) {
            status = tell_coordinates(self, entries[i], prefix, out, err);
        } else if (strncmp((const char *)chunks.data, prefix, len) == 0 &&
                   (entries[i]->ndim || own > len + 1)) {
            chunks.data[own] = '/';
            status = vvi_buf_append_byte(&chunks, 0, err);
            if (!status)
                status = tell_entry(out, (const char *)chunks.data, err);
        }
    }
    vvi_index_entries_free(entries, n);
    vv_buf_clear(&chunks);
    vv_buf_clear(&names);
    return status;
}

/* The one group at the top, with a slash behind it; "" when there is none, or other directories are meant.
 * VV_EINVAL: a reader has to say which of several. */
static vv_status group_of(vv_store *base, const char *prefix, vv_buf *out, vv_error *err)
{
    vvi_sharded *self = shared_of(base);
    vv_status status = VV_OK;

    vvi_rwlock_read(&self->lock);
    if (self->version == VV_SHARDED_V2 && !self->stored_keys && self->all_grouped) {
        if (self->group_len) {
            const char *group = self->arrays[0]->path;

            if (strncmp(prefix, group, self->group_len + 1) != 0)
                status = vvi_buf_append(out, vvi_bytes(group, self->group_len + 1), err);
        } else if (base->read_only && !*prefix) {
            status = vvi_fail(
                err, VV_EINVAL,
                "the store has several groups at its top: name one, or open "
                "the store with stored_keys");
        }
    }
    vvi_rwlock_unlock(&self->lock);
    return status;
}

vv_status vvi_sharded_list_dir(vv_store *base, const char *prefix, vv_key_fn visit,
                               void *ctx, vv_error *err)
{
    vvi_sharded *self = shared_of(base);
    directory out = { .visit = visit, .ctx = ctx };
    vv_buf group = VV_BUF_INIT;
    vv_status status = group_of(base, prefix, &group, err);

    /* As with keys, the directory itself is looked at first; that of the root is the group's. */
    if (!status && (*prefix || !group.len))
        status = tell_directory(self, prefix, &out, err);
    if (!status && group.len && out.seen.count == 0) {
        status = vvi_buf_append(&group, vvi_bytes(prefix, strlen(prefix) + 1), err);
        if (!status)
            status = tell_directory(self, (const char *)group.data, &out, err);
    }
    vvi_key_set_clear(&out.seen);
    vv_buf_clear(&group);
    return status;
}
