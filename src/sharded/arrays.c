/* The arrays of a store, in the order of the root. */
#include "sharded/store.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <varvite/cbor.h>

#include <string.h>

vv_status vvi_index_entry_new(vvi_shard_cache *cache, const char *path, size_t path_len,
                              const vvi_geometry *geometry, vvi_index_entry **out,
                              vv_error *err)
{
    vvi_index_entry *self = vvi_alloc_zero(sizeof(*self));
    vv_status status = VV_OK;

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    self->refs = 1;
    self->ndim = geometry->grid.ndim;
    memcpy(self->chunk, geometry->grid.chunk, sizeof(self->chunk));
    self->chunks_per_shard = geometry->chunks_per_shard;
    self->path = vvi_strndup(path, path_len);
    if (!self->path)
        status = vvi_fail_nomem(err, path_len);
    if (!status)
        status = vvi_chunk_index_new(cache, self->path, geometry, &self->index, err);
    if (status) {
        vvi_index_entry_release(self);
        return status;
    }
    *out = self;
    return VV_OK;
}

vvi_index_entry *vvi_index_entry_retain(vvi_index_entry *entry)
{
    __atomic_add_fetch(&entry->refs, 1, __ATOMIC_RELAXED);
    return entry;
}

void vvi_index_entry_release(vvi_index_entry *entry)
{
    if (!entry || __atomic_sub_fetch(&entry->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    vvi_chunk_index_free(entry->index);
    for (size_t i = 0; i < entry->odd_count; i++)
        vv_buf_clear(&entry->odd[i].value);
    vvi_free(entry->odd);
    vvi_free(entry->path);
    vvi_free(entry);
}

void vvi_path_strip(const char **path, size_t *len)
{
    while (*len && (*path)[0] == '/') {
        ++*path;
        --*len;
    }
    while (*len && (*path)[*len - 1] == '/')
        --*len;
}

/* The place of a path, or where it would go. */
static size_t place_of(const vvi_sharded *self, const char *path, size_t len, bool *found)
{
    const vv_bytes wanted = vvi_bytes(path, len);
    size_t low = 0, high = self->array_count;

    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = vv_cbor_key_cmp(vv_bytes_of(self->arrays[middle]->path), wanted);

        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

vvi_index_entry *vvi_sharded_find(const vvi_sharded *self, const char *path, size_t len)
{
    bool found;
    size_t i = place_of(self, path, len, &found);

    return found ? self->arrays[i] : NULL;
}

vv_status vvi_sharded_choose(const vvi_sharded *self, const char *path,
                             vvi_index_entry **out, vv_error *err)
{
    size_t len = path ? strlen(path) : 0;

    if (self->version == VV_SHARDED_V1) {
        *out = self->arrays[0];
        return VV_OK;
    }
    if (!path) {
        if (self->array_count != 1)
            return vvi_fail(err, VV_EINVAL,
                            self->array_count
                                ? "the store has %zu arrays; the path of one is needed"
                                : "the store has %zu arrays",
                            self->array_count);
        *out = self->arrays[0];
        return VV_OK;
    }
    vvi_path_strip(&path, &len);
    *out = vvi_sharded_find(self, path, len);
    if (!*out)
        return vvi_fail(err, VV_ENOTFOUND, "the store has no index of an array '%.*s'",
                        (int)len, path);
    return VV_OK;
}

vv_status vvi_sharded_reserve(vvi_sharded *self, vv_error *err)
{
    return vvi_grow((void **)&self->arrays, &self->array_cap, self->array_count + 1,
                    sizeof(vvi_index_entry *), err);
}

/* One more path: do all arrays lie in groups still, and in one group at the top? */
static void note_group(vvi_sharded *self, const char *path, bool is_first)
{
    const char *slash = strchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    const char *other;

    if (is_first) {
        self->all_grouped = slash != NULL;
        self->group_len = len;
        return;
    }
    self->all_grouped = self->all_grouped && slash;
    other = self->arrays[0]->path == path ? self->arrays[1]->path : self->arrays[0]->path;
    if (!self->all_grouped || len != self->group_len || strncmp(path, other, len) != 0)
        self->group_len = 0;
}

void vvi_sharded_add(vvi_sharded *self, vvi_index_entry *entry)
{
    bool found;
    size_t at = place_of(self, entry->path, strlen(entry->path), &found);

    memmove(&self->arrays[at + 1], &self->arrays[at],
            (self->array_count - at) * sizeof(vvi_index_entry *));
    self->arrays[at] = entry;
    self->array_count++;
    note_group(self, entry->path, self->array_count == 1);
}

void vvi_sharded_take(vvi_sharded *self, const vvi_index_entry *entry)
{
    bool found;
    size_t at = place_of(self, entry->path, strlen(entry->path), &found);

    self->array_count--;
    memmove(&self->arrays[at], &self->arrays[at + 1],
            (self->array_count - at) * sizeof(vvi_index_entry *));
    self->all_grouped = false;
    self->group_len = 0;
    for (size_t i = 0; i < self->array_count; i++)
        note_group(self, self->arrays[i]->path, i == 0);
}
