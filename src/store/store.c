/* The public calls: what every backend owes is checked and made here. */
#include "store/internal.h"

#include "store/calls.h"
#include "store/key_set.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "json/json.h"

#include <string.h>

void vv_store_base_init(vv_store *base, const vv_store_ops *ops, bool read_only)
{
    base->ops = ops;
    base->read_only = read_only;
    base->is_near = false;
    base->indexes_chunks = false;
    base->slashed_keys = false;
    __atomic_store_n(&base->refs, 1, __ATOMIC_RELAXED);
}

vv_store *vv_store_retain(vv_store *store)
{
    __atomic_add_fetch(&store->refs, 1, __ATOMIC_RELAXED);
    return store;
}

void vv_store_free(vv_store *store)
{
    if (store && __atomic_sub_fetch(&store->refs, 1, __ATOMIC_ACQ_REL) == 0)
        store->ops->free(store);
}

const char *vv_store_name(const vv_store *store)
{
    return store->ops->name;
}

bool vv_store_is_read_only(const vv_store *store)
{
    return store->read_only;
}

vv_status vvi_fail_missing_key(vv_error *err, const vv_store *store, const char *key)
{
    return vvi_fail(err, VV_ENOTFOUND, "no key '%s' in the %s store", key,
                    store->ops->name);
}

void vvi_store_give(vv_buf *value, vv_range range, vv_buf *out)
{
    (void)vvi_buf_cut(value, range, NULL); /* cannot fail */
    vvi_buf_move(out, value);
}

/* Zarr v3 core, "Abstract store interface": a key is not empty and neither begins nor ends with a
 * slash. */
vv_status vvi_store_check_key(const vv_store *store, const char *key, vv_error *err)
{
    size_t len = key ? strlen(key) : 0;

    if (len == 0)
        return vvi_fail(err, VV_EINVAL, "an empty key");
    if (!store->slashed_keys && (key[0] == '/' || key[len - 1] == '/'))
        return vvi_fail(err, VV_EINVAL, "key '%s' begins or ends with a slash", key);
    if (!vvi_is_utf8(vvi_bytes(key, len)))
        return vvi_fail(err, VV_EINVAL, "a key that is not UTF-8");
    return VV_OK;
}

static vv_status check_write(const vv_store *store, vv_error *err)
{
    if (store->read_only)
        return vvi_fail(err, VV_EREADONLY, "the %s store is open for reading only",
                        store->ops->name);
    return VV_OK;
}

/* ---- reading ------------------------------------------------------------------------------- */

vv_status vv_store_get(vv_store *store, const char *key, vv_range range, vv_buf *out,
                       vv_error *err)
{
    VVI_TRY(vvi_store_check_key(store, key, err));
    return vvi_call_get(store, key, range, out, err);
}

/* Values that are there, are not there, are damaged or do not decrypt are answers; the rest is a failure. */
static bool is_answer(vv_status status)
{
    return status == VV_OK || status == VV_ENOTFOUND || status == VV_ECORRUPT ||
           status == VV_EUNSUPPORTED || status == VV_EAUTH;
}

/* Fill got and statuses, all n; returns the first failure that concerns the caller. */
static vv_status get_all(vv_store *store, const char *const *keys, const vv_range *ranges,
                         size_t n, vv_buf *got, vv_status *statuses, bool all_wanted,
                         vv_error *err)
{
    vv_error why = VV_ERROR_INIT;

    vvi_call_get_many(store, keys, ranges, n, got, statuses, &why);
    for (size_t i = 0; i < n; i++) {
        if (all_wanted ? statuses[i] == VV_OK : is_answer(statuses[i]))
            continue;
        if (why.status == statuses[i]) {
            if (err)
                *err = why;
            return why.status;
        }
        return statuses[i] == VV_ENOTFOUND
                   ? vvi_fail_missing_key(err, store, keys[i])
                   : vvi_fail(err, statuses[i], "key '%s': %s", keys[i],
                              vv_status_name(statuses[i]));
    }
    return VV_OK;
}

vv_status vv_store_get_many(vv_store *store, const char *const *keys,
                            const vv_range *ranges, size_t n, vv_buf *outs,
                            vv_status *statuses, vv_error *err)
{
    vv_status *own = statuses;
    vv_buf *got = NULL;
    vv_status status = VV_OK;

    for (size_t i = 0; i < n && !status; i++)
        status = vvi_store_check_key(store, keys[i], err);
    if (!status) {
        got = vvi_alloc_array_zero(n, sizeof(*got));
        own = statuses ? statuses : vvi_alloc_array_zero(n, sizeof(*own));
        if (!got || !own)
            status = vvi_fail_nomem(err, n * (sizeof(*got) + sizeof(*own)));
    }
    if (status) {
        for (size_t i = 0; statuses && i < n; i++)
            statuses[i] = status;
        goto done;
    }
    status = get_all(store, keys, ranges, n, got, own, !statuses, err);
    for (size_t i = 0; i < n; i++)
        if (statuses ? !own[i] : !status)
            vvi_buf_move(&outs[i], &got[i]);

done:
    for (size_t i = 0; got && i < n; i++)
        vv_buf_clear(&got[i]);
    vvi_free(got);
    if (own != statuses)
        vvi_free(own);
    return status;
}

vv_status vv_store_exists(vv_store *store, const char *key, bool *out, vv_error *err)
{
    VVI_TRY(vvi_store_check_key(store, key, err));
    return store->ops->exists(store, key, out, err);
}

vv_status vv_store_size(vv_store *store, const char *key, uint64_t *out, vv_error *err)
{
    VVI_TRY(vvi_store_check_key(store, key, err));
    return store->ops->size(store, key, out, err);
}

/* ---- writing ------------------------------------------------------------------------------- */

vv_status vv_store_set(vv_store *store, const char *key, vv_bytes value, vv_error *err)
{
    VVI_TRY(check_write(store, err));
    VVI_TRY(vvi_store_check_key(store, key, err));
    return vvi_call_set(store, key, value, false, err);
}

vv_status vv_store_set_if_absent(vv_store *store, const char *key, vv_bytes value,
                                 vv_error *err)
{
    VVI_TRY(check_write(store, err));
    VVI_TRY(vvi_store_check_key(store, key, err));
    return vvi_call_set(store, key, value, true, err);
}

vv_status vv_store_set_many(vv_store *store, const char *const *keys,
                            const vv_bytes *values, size_t n, vv_error *err)
{
    VVI_TRY(check_write(store, err));
    for (size_t i = 0; i < n; i++)
        VVI_TRY(vvi_store_check_key(store, keys[i], err));
    return vvi_call_set_many(store, keys, values, n, err);
}

vv_status vv_store_copy(vv_store *store, const char *from, const char *to, vv_error *err)
{
    vv_buf value = VV_BUF_INIT;
    vv_status status;

    VVI_TRY(check_write(store, err));
    VVI_TRY(vvi_store_check_key(store, from, err));
    VVI_TRY(vvi_store_check_key(store, to, err));
    if (store->ops->copy)
        return store->ops->copy(store, from, to, err);
    status = vvi_call_get(store, from, VV_RANGE_ALL, &value, err);
    if (!status)
        status = vvi_call_set(store, to, vvi_buf_bytes(&value), false, err);
    vv_buf_clear(&value);
    return status;
}

vv_status vvi_store_rename_dir(vv_store *store, const char *from, const char *to,
                               vv_error *err)
{
    VVI_TRY(check_write(store, err));
    if (!store->ops->rename_dir)
        return vvi_fail(err, VV_EUNSUPPORTED, "the %s store renames no directories",
                        store->ops->name);
    return store->ops->rename_dir(store, from, to, err);
}

vv_status vv_store_delete(vv_store *store, const char *key, vv_error *err)
{
    vv_status status;

    VVI_TRY(check_write(store, err));
    VVI_TRY(vvi_store_check_key(store, key, err));
    status = vvi_call_remove(store, key, err);
    return status == VV_ENOTFOUND ? VV_OK : status;
}

typedef struct key_list {
    char **keys;
    size_t count, cap;
} key_list;

static vv_status append_key(void *ctx, const char *key, vv_error *err)
{
    key_list *list = ctx;

    VVI_TRY(vvi_grow((void **)&list->keys, &list->cap, list->count + 1,
                     sizeof(*list->keys), err));
    list->keys[list->count] = vvi_strdup(key);
    if (!list->keys[list->count])
        return vvi_fail_nomem(err, strlen(key) + 1);
    list->count++;
    return VV_OK;
}

vv_status vv_store_delete_prefix(vv_store *store, const char *prefix, uint64_t *deleted,
                                 vv_error *err)
{
    const size_t len = prefix ? strlen(prefix) : 0;
    key_list list = { NULL, 0, 0 };
    uint64_t ignored = 0;
    vv_status status;

    if (deleted)
        *deleted = 0;
    VVI_TRY(check_write(store, err));
    if (store->ops->remove_dir && (len == 0 || prefix[len - 1] == '/'))
        return store->ops->remove_dir(store, prefix ? prefix : "", deleted, err);
    if (!deleted)
        deleted = &ignored;
    /* The keys as they are now, so that deleting cannot disturb the listing. */
    status = vv_store_list(store, prefix, append_key, &list, err);
    for (size_t i = 0; i < list.count && !status; i++) {
        status = vvi_call_remove(store, list.keys[i], err);
        if (status == VV_ENOTFOUND)
            status = VV_OK;
        else if (!status)
            ++*deleted;
    }
    for (size_t i = 0; i < list.count; i++)
        vvi_free(list.keys[i]);
    vvi_free(list.keys);
    return status;
}

vv_status vv_store_flush(vv_store *store, vv_error *err)
{
    return store->ops->flush ? store->ops->flush(store, err) : VV_OK;
}

vv_status vv_store_commit(vv_store *store, vv_cid *root, vv_error *err)
{
    if (!store->ops->commit)
        return vvi_fail(err, VV_EINVAL, "a %s store has no root", store->ops->name);
    return store->ops->commit(store, root, err);
}

vv_status vv_store_pointer(vv_store *store, const char *key, vv_cid *out, vv_error *err)
{
    VVI_TRY(vvi_store_check_key(store, key, err));
    if (!store->ops->pointer)
        return vvi_fail(err, VV_EINVAL, "a %s store keeps no blocks", store->ops->name);
    return store->ops->pointer(store, key, out, err);
}

static vv_status each_pointer(vv_store *store, const char *const *keys, size_t n,
                              vv_cid *outs, vv_status *statuses, vv_error *err)
{
    vv_status first = VV_OK;

    for (size_t i = 0; i < n; i++) {
        statuses[i] = store->ops->pointer(store, keys[i], &outs[i], first ? NULL : err);
        if (!first && statuses[i] != VV_ENOTFOUND)
            first = statuses[i];
    }
    return first;
}

vv_status vv_store_pointers(vv_store *store, const char *const *keys, size_t n,
                            vv_cid *outs, vv_status *statuses, vv_error *err)
{
    vv_status status;

    for (size_t i = 0; i < n; i++)
        VVI_TRY(vvi_store_check_key(store, keys[i], err));
    if (!store->ops->pointer)
        return vvi_fail(err, VV_EINVAL, "a %s store keeps no blocks", store->ops->name);
    if (!store->ops->pointers)
        return each_pointer(store, keys, n, outs, statuses, err);
    status = store->ops->pointers(store, keys, n, outs, statuses, err);
    return status == VV_ENOTFOUND ? VV_OK : status;
}

vv_status vv_store_set_pointer(vv_store *store, const char *key, const vv_cid *pointer,
                               vv_error *err)
{
    VVI_TRY(check_write(store, err));
    VVI_TRY(vvi_store_check_key(store, key, err));
    if (!store->ops->set_pointer)
        return vvi_fail(err, VV_EINVAL, "a %s store keeps no blocks", store->ops->name);
    return store->ops->set_pointer(store, key, pointer, err);
}

bool vvi_store_has_root(const vv_store *store)
{
    return store->ops->commit != NULL;
}

vv_blockstore *vvi_store_blocks(vv_store *store)
{
    return store->ops->blocks && store->ops->pointer ? store->ops->blocks(store) : NULL;
}

bool vvi_stores_share(vv_store *a, vv_store *b)
{
    const vv_blockstore *blocks = vvi_store_blocks(a);

    return blocks && b->ops->set_pointer && vvi_store_blocks(b) == blocks;
}

vv_status vvi_store_link(vv_store *from, const char *const *from_keys, vv_store *to,
                         const char *const *to_keys, size_t n, size_t *linked,
                         vv_error *err)
{
    vv_cid *pointers = vvi_alloc_array(n, sizeof(*pointers));
    vv_status *statuses = vvi_alloc_array_zero(n, sizeof(*statuses));
    vv_status status = pointers && statuses ? VV_OK
                                            : vvi_fail_nomem(err, n * sizeof(*pointers));

    *linked = 0;
    if (!status)
        status = vv_store_pointers(from, from_keys, n, pointers, statuses, err);
    for (size_t i = 0; i < n && !status; i++) {
        if (statuses[i] == VV_ENOTFOUND)
            continue;
        status = vv_store_set_pointer(to, to_keys[i], &pointers[i], err);
        *linked += !status;
    }
    vvi_free(pointers);
    vvi_free(statuses);
    return status;
}

/* ---- listing ------------------------------------------------------------------------------- */

vv_status vv_store_list(vv_store *store, const char *prefix, vv_key_fn visit, void *ctx,
                        vv_error *err)
{
    return vvi_call_list(store, prefix ? prefix : "", visit, ctx, err);
}

vv_status vvi_store_list_unlike(vv_store *store, vv_store *other, const char *prefix,
                                vv_key_fn visit, void *ctx, vv_error *err)
{
    return store->ops->list_unlike
               ? store->ops->list_unlike(store, other, prefix, visit, ctx, err)
               : vvi_call_list(store, prefix, visit, ctx, err);
}

/* Tells of each entry below a directory once, while all keys below it go by. */
typedef struct entry_filter {
    size_t prefix_len;
    vvi_key_set seen;
    vv_key_fn visit;
    void *ctx;
} entry_filter;

static vv_status filter_key(void *ctx, const char *key, vv_error *err)
{
    entry_filter *self = ctx;
    const char *name = key + self->prefix_len;
    const char *slash = strchr(name, '/');
    vvi_key_entry *entry;
    bool is_new;

    if (!slash)
        return *name ? self->visit(self->ctx, name, err) : VV_OK;
    VVI_TRY(vvi_key_set_add(&self->seen, name, (size_t)(slash + 1 - name), &entry,
                            &is_new, err));
    return is_new ? self->visit(self->ctx, entry->key, err) : VV_OK;
}

/* "group", "group/" and "group//" are all the directory "group/"; "" is the root. */
static char *directory_prefix(const char *directory)
{
    size_t len = strlen(directory);
    char *prefix;

    while (len && directory[len - 1] == '/')
        len--;
    prefix = vvi_alloc(len + 2);
    if (!prefix)
        return NULL;
    memcpy(prefix, directory, len);
    memcpy(prefix + len, len ? "/" : "", len ? 2 : 1);
    return prefix;
}

vv_status vv_store_list_dir(vv_store *store, const char *directory, vv_key_fn visit,
                            void *ctx, vv_error *err)
{
    char *prefix = directory_prefix(directory ? directory : "");
    entry_filter filter = { .visit = visit, .ctx = ctx };
    vv_status status;

    if (!prefix)
        return vvi_fail_nomem(err, 0);
    filter.prefix_len = strlen(prefix);
    if (store->ops->list_dir)
        status = store->ops->list_dir(store, prefix, visit, ctx, err);
    else
        status = vvi_call_list(store, prefix, filter_key, &filter, err);
    vvi_key_set_clear(&filter.seen);
    vvi_free(prefix);
    return status;
}
