/* Reading values: where the block of a key lies, then the block. */
#include "sharded/store.h"

#include "store/internal.h"
#include "util/alloc.h"
#include "util/buf.h"

#include <varvite/blockstore_backend.h>

#include <string.h>

/* Keys that mean the root itself, also where one group stands for it. */
static bool is_of_root(const char *key, size_t len)
{
    static const char *const names[] = { "", "zarr.json", ".zgroup", ".zattrs",
                                         ".zmetadata" };

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strlen(names[i]) == len && memcmp(key, names[i], len) == 0)
            return true;
    return false;
}

/*
 * What stands in front of a key that is not there: in a store whose arrays all lie below one group at the
 * top, that group. *out stays empty where nothing does. With lock held.
 */
static vv_status default_key(const vvi_sharded *self, const char *key, vv_buf *out,
                             vv_error *err)
{
    size_t len = strlen(key), group_len = self->group_len;
    const char *group;

    if (group_len == 0 || self->stored_keys)
        return VV_OK;
    group = self->arrays[0]->path;
    vvi_path_strip(&key, &len);
    if (is_of_root(key, len) ||
        (len >= group_len && strncmp(key, group, group_len) == 0 &&
         (len == group_len || key[group_len] == '/')))
        return VV_OK;
    VVI_TRY(vvi_buf_append(out, vvi_bytes(group, group_len), err));
    VVI_TRY(vvi_buf_append_byte(out, '/', err));
    VVI_TRY(vvi_buf_append(out, vvi_bytes(key, len), err));
    return vvi_buf_terminate(out, err);
}

vv_status vvi_sharded_find_block(vvi_sharded *self, const char *key, vv_cid *out,
                                 vv_error *err)
{
    vvi_index_entry *entry = NULL;
    vv_status status = VV_OK;
    vvi_chunk_place place;
    bool is_v1, named;
    vv_cid by_name;

    vvi_rwlock_read(&self->lock);
    is_v1 = self->version == VV_SHARDED_V1;
    vvi_key_place(self, key, &place);
    named = vvi_named_get(&self->names, key, strlen(key), &by_name);
    if (place.kind == VVI_KEY_CHUNK)
        entry = vvi_index_entry_retain(place.array);
    vvi_rwlock_unlock(&self->lock);
    if (place.kind == VVI_KEY_BAD)
        return is_v1 ? vvi_fail(err, place.why, "'%s' names no chunk of the array", key)
                     : VV_ENOTFOUND;
    if (entry) {
        status = vvi_chunk_index_get(entry->index, place.coords, self->read, out, err);
        vvi_index_entry_release(entry);
        if (status == VV_ERANGE && !is_v1)
            return VV_ENOTFOUND;
        if (status != VV_ENOTFOUND)
            return status ? vvi_wrap(err, status, "key '%s'", key) : VV_OK;
    }
    /* Where a slot is empty, a value that the chunk had before its array was known. */
    if (!named)
        return VV_ENOTFOUND;
    *out = by_name;
    return VV_OK;
}

vv_status vvi_sharded_pointer(vvi_sharded *self, const char *key, vv_cid *out,
                              vv_error *err)
{
    vv_status status = vvi_sharded_find_block(self, key, out, err);
    vv_buf other = VV_BUF_INIT;

    if (status != VV_ENOTFOUND)
        return status;
    vvi_rwlock_read(&self->lock);
    status = default_key(self, key, &other, err);
    vvi_rwlock_unlock(&self->lock);
    if (!status)
        status = other.len
                     ? vvi_sharded_find_block(self, (const char *)other.data, out, err)
                     : VV_ENOTFOUND;
    vv_buf_clear(&other);
    return status;
}

static vvi_sharded *shared_of(vv_store *base)
{
    return ((vvi_sharded_store *)base)->shared;
}

static vv_status find_pointer(vv_store *base, const char *key, vv_cid *out, vv_error *err)
{
    vv_status status = vvi_sharded_pointer(shared_of(base), key, out, err);

    return status == VV_ENOTFOUND ? vvi_fail_missing_key(err, base, key) : status;
}

/* The store names the value, so a block that is not there is damage: it must never read as a chunk that
 * was not written. */
static vv_status check_block(vv_status status, const char *key, vv_error *err)
{
    if (status == VV_ENOTFOUND)
        status = VV_ECORRUPT;
    return status ? vvi_wrap(err, status, "the value of key '%s'", key) : VV_OK;
}

vv_status vvi_sharded_get(vv_store *base, const char *key, vv_range range, vv_buf *out,
                          vv_error *err)
{
    vv_cid pointer;

    VVI_TRY(find_pointer(base, key, &pointer, err));
    return check_block(
        vv_blockstore_get_range(shared_of(base)->blocks, &pointer, range, out, err), key,
        err);
}

vv_status vvi_sharded_open_value(vv_store *base, const char *key, vv_store_value *out,
                                 vv_error *err)
{
    vvi_sharded *self = shared_of(base);
    vv_buf block = VV_BUF_INIT;
    vvi_view *view;
    vv_cid pointer;

    VVI_TRY(find_pointer(base, key, &pointer, err));
    view = vvi_views_get(&self->views, &pointer);
    if (!view) {
        VVI_TRY(check_block(vv_blockstore_get(self->blocks, &pointer, &block, err), key,
                            err));
        VVI_TRY(vvi_views_put(&self->views, &pointer, &block, !self->blocks->trusted,
                              &view, err));
    }
    out->size = view->block.len;
    out->view = view->block.data;
    out->handle = view;
    /* The name of what is in it. */
    if (pointer.hash != VV_HASH_IDENTITY && pointer.digest_len >= sizeof(out->version))
        memcpy(out->version, pointer.digest, sizeof(out->version));
    return VV_OK;
}

void vvi_sharded_close_value(vv_store *base, vv_store_value *value)
{
    (void)base;
    vvi_view_release(value->handle);
}

vv_status vvi_sharded_exists(vv_store *base, const char *key, bool *out, vv_error *err)
{
    vv_cid pointer;
    vv_status status = vvi_sharded_pointer(shared_of(base), key, &pointer, err);

    *out = status == VV_OK;
    /* What cannot be a chunk is not there. */
    return status == VV_ENOTFOUND || status == VV_EINVAL || status == VV_ERANGE ? VV_OK
                                                                                : status;
}

vv_status vvi_sharded_size(vv_store *base, const char *key, uint64_t *out, vv_error *err)
{
    vv_cid pointer;

    VVI_TRY(find_pointer(base, key, &pointer, err));
    return check_block(vv_blockstore_size(shared_of(base)->blocks, &pointer, out, err),
                       key, err);
}

/* ---- many at once ------------------------------------------------------------------------------ */

/* A key on its way to its value. */
typedef struct wanted {
    vvi_index_entry *entry; /* held; NULL: no chunk, or looked up already */
    uint64_t coords[VVI_GRID_NDIM_MAX];
    vv_cid pointer; /* where the status says so */
    bool named;     /* pointer is what the key has by name */
} wanted;

typedef struct many {
    wanted *keys;
    /* Of the array that is being asked, and then of the values: n places each. */
    uint64_t *coords;
    vv_cid *pointers;
    size_t *places;
    vv_status *statuses;
    vv_buf *blocks;
    vv_error why; /* of the first failure */
} many;

static void many_clear(many *self, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (self->keys)
            vvi_index_entry_release(self->keys[i].entry);
        if (self->blocks)
            vv_buf_clear(&self->blocks[i]);
    }
    vvi_free(self->keys);
    vvi_free(self->coords);
    vvi_free(self->pointers);
    vvi_free(self->places);
    vvi_free(self->statuses);
    vvi_free(self->blocks);
}

static vv_status many_init(many *self, size_t n, vv_error *err)
{
    *self = (many){ .keys = vvi_alloc_array_zero(n, sizeof(*self->keys)),
                    .coords = vvi_alloc_array(n, VVI_GRID_NDIM_MAX * sizeof(uint64_t)),
                    .pointers = vvi_alloc_array(n, sizeof(*self->pointers)),
                    .places = vvi_alloc_array(n, sizeof(*self->places)),
                    .statuses = vvi_alloc_array_zero(n, sizeof(*self->statuses)),
                    .blocks = vvi_alloc_array_zero(n, sizeof(*self->blocks)),
                    .why = VV_ERROR_INIT };
    if (!self->keys || !self->coords || !self->pointers || !self->places ||
        !self->statuses || !self->blocks)
        return vvi_fail_nomem(err, n * sizeof(*self->keys));
    return VV_OK;
}

static void note_failure(many *self, vv_status status, const vv_error *why)
{
    if (status && status != VV_ENOTFOUND && !self->why.status)
        self->why = *why;
}

/* Look at all keys; what is kept by name is found, chunks are left to their arrays. */
static void place_all(vvi_sharded *self, many *all, const char *const *keys, size_t n,
                      vv_status *statuses)
{
    vvi_rwlock_read(&self->lock);
    for (size_t i = 0; i < n; i++) {
        wanted *want = &all->keys[i];
        vvi_chunk_place place;

        vvi_key_place(self, keys[i], &place);
        want->named = vvi_named_get(&self->names, keys[i], strlen(keys[i]),
                                    &want->pointer);
        if (place.kind == VVI_KEY_CHUNK) {
            want->entry = vvi_index_entry_retain(place.array);
            memcpy(want->coords, place.coords, sizeof(want->coords));
        }
        statuses[i] = want->named && place.kind != VVI_KEY_BAD ? VV_OK : VV_ENOTFOUND;
    }
    vvi_rwlock_unlock(&self->lock);
}

/* Ask the array of key number `first` for the chunks of all keys from there on that are its own. */
static void ask_array(vvi_sharded *self, many *all, size_t first, size_t n,
                      vv_status *statuses)
{
    vvi_index_entry *entry = all->keys[first].entry;
    vv_error why = VV_ERROR_INIT;
    size_t count = 0;

    for (size_t i = first; i < n; i++)
        if (all->keys[i].entry == entry) {
            memcpy(&all->coords[count * entry->ndim], all->keys[i].coords,
                   entry->ndim * sizeof(uint64_t));
            all->places[count++] = i;
        }
    (void)vvi_chunk_index_get_many(entry->index, all->coords, count, self->read,
                                   all->pointers, all->statuses, &why);
    for (size_t k = 0; k < count; k++) {
        wanted *want = &all->keys[all->places[k]];
        vv_status status = all->statuses[k];

        if (status == VV_OK)
            want->pointer = all->pointers[k];
        else if (status == VV_ERANGE)
            status = VV_ENOTFOUND;
        if (status == VV_ENOTFOUND && want->named)
            status = VV_OK;
        statuses[all->places[k]] = status;
        note_failure(all, status, &why);
        want->entry = NULL;
        vvi_index_entry_release(entry);
    }
}

/* Read the blocks that were found, in one call; give each the part that was asked for. */
static void get_values(vvi_sharded *self, many *all, const char *const *keys,
                       const vv_range *ranges, size_t n, vv_buf *outs,
                       vv_status *statuses)
{
    vv_error why = VV_ERROR_INIT;
    size_t found = 0;

    for (size_t i = 0; i < n; i++)
        if (!statuses[i]) {
            all->pointers[found] = all->keys[i].pointer;
            all->places[found++] = i;
        }
    (void)vv_blockstore_get_many(self->blocks, all->pointers, found, all->blocks,
                                 all->statuses, &why);
    for (size_t k = 0; k < found; k++) {
        size_t i = all->places[k];
        vv_status status = all->statuses[k];

        if (status == VV_OK) {
            vvi_store_give(&all->blocks[k], ranges ? ranges[i] : VV_RANGE_ALL, &outs[i]);
            continue;
        }
        statuses[i] = status == VV_ENOTFOUND ? VV_ECORRUPT : status;
        if (!all->why.status) {
            if (why.status == status)
                all->why = why;
            else
                (void)vvi_fail(&all->why, statuses[i], "the block is %s",
                               status == VV_ENOTFOUND ? "missing" : "damaged");
            (void)vvi_wrap(&all->why, statuses[i], "the value of key '%s'", keys[i]);
            all->why.status = statuses[i];
        }
    }
}

/* Keys that are not there may be those of the one group at the top. */
static void try_group(vvi_sharded *self, many *all, const char *const *keys, size_t n,
                      vv_status *statuses)
{
    bool has_group;

    vvi_rwlock_read(&self->lock);
    has_group = self->group_len && !self->stored_keys;
    vvi_rwlock_unlock(&self->lock);
    for (size_t i = 0; has_group && i < n; i++)
        if (statuses[i] == VV_ENOTFOUND) {
            vv_error why = VV_ERROR_INIT;

            statuses[i] = vvi_sharded_pointer(self, keys[i], &all->keys[i].pointer, &why);
            note_failure(all, statuses[i], &why);
        }
}

/* Where all values lie: keys[i].pointer of those whose status is VV_OK. */
static void find_all(vvi_sharded *self, many *all, const char *const *keys, size_t n,
                     vv_status *statuses)
{
    place_all(self, all, keys, n, statuses);
    for (size_t i = 0; i < n; i++)
        if (all->keys[i].entry)
            ask_array(self, all, i, n, statuses);
    try_group(self, all, keys, n, statuses);
}

vv_status vvi_sharded_get_many(vv_store *base, const char *const *keys,
                               const vv_range *ranges, size_t n, vv_buf *outs,
                               vv_status *statuses, vv_error *err)
{
    vvi_sharded *self = shared_of(base);
    many all;
    vv_status status = many_init(&all, n, err);

    for (size_t i = 0; status && i < n; i++)
        statuses[i] = status;
    if (!status) {
        find_all(self, &all, keys, n, statuses);
        get_values(self, &all, keys, ranges, n, outs, statuses);
        if (err && all.why.status)
            *err = all.why;
        status = all.why.status;
    }
    many_clear(&all, n);
    return status;
}

vv_status vvi_sharded_pointers(vv_store *base, const char *const *keys, size_t n,
                               vv_cid *outs, vv_status *statuses, vv_error *err)
{
    many all;
    vv_status status = many_init(&all, n, err);

    for (size_t i = 0; status && i < n; i++)
        statuses[i] = status;
    if (!status) {
        find_all(shared_of(base), &all, keys, n, statuses);
        for (size_t i = 0; i < n; i++)
            if (!statuses[i])
                outs[i] = all.keys[i].pointer;
        if (err && all.why.status)
            *err = all.why;
        status = all.why.status;
    }
    many_clear(&all, n);
    return status;
}
