/* A HAMT over a block store as a Zarr store: keys and values unchanged, as py-hamt's
 * ZarrHAMTStore keeps them. */
#include "store/documents.h"
#include "store/internal.h"
#include "store/views.h"

#include "metrics/metrics.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/options.h"
#include "util/thread.h"

#include <varvite/blockstore_backend.h>

#include <string.h>

typedef struct hamt_store {
    vv_store base;
    vv_blockstore *blocks; /* held */
    vv_hamt *hamt;
    /* Held to write by "only if absent", which looks and then sets, and to read by other changes:
     * the map itself lets them store their values at the same time. */
    vvi_rwlock changes;
    vvi_views views;
    vvi_documents documents; /* used when the store is read-only */
} hamt_store;

/* Put the key's name in front of what the map said, which knows keys as bytes only. */
static vv_status name_key(vv_status status, const vv_store *base, const char *key,
                          vv_error *err)
{
    if (status == VV_ENOTFOUND)
        return vvi_fail_missing_key(err, base, key);
    return status ? vvi_wrap(err, status, "key '%s'", key) : VV_OK;
}

static vv_status find_pointer(hamt_store *self, const char *key, vv_cid *out,
                              vv_error *err)
{
    return name_key(vv_hamt_get_pointer(self->hamt, vv_bytes_of(key), out, err),
                    &self->base, key, err);
}

/* The map names the value, so a block that is not there is damage, not the absence of a key: it
 * must never read as a chunk that was not written. */
static vv_status check_block(vv_status status, const char *key, vv_error *err)
{
    if (status == VV_ENOTFOUND)
        status = VV_ECORRUPT;
    return status ? vvi_wrap(err, status, "the value of key '%s'", key) : VV_OK;
}

static vv_status get_block(hamt_store *self, const char *key, vv_range range, vv_buf *out,
                           vv_error *err)
{
    vv_cid pointer;

    VVI_TRY(find_pointer(self, key, &pointer, err));
    return check_block(vv_blockstore_get_range(self->blocks, &pointer, range, out, err),
                       key, err);
}

static vv_status get(hamt_store *self, const char *key, vv_range range, vv_buf *out,
                     vv_error *err)
{
    bool is_kept = self->base.read_only && range.kind == VV_RANGE_WHOLE &&
                   vvi_is_document(key);

    if (is_kept && vvi_documents_get(&self->documents, key, out))
        return VV_OK;
    VVI_TRY(get_block(self, key, range, out, err));
    if (is_kept)
        vvi_documents_put(&self->documents, key, vvi_buf_bytes(out));
    return VV_OK;
}

VVI_COUNTING static vv_status get_counted(hamt_store *self, const char *key,
                                          vv_range range, vv_buf *out, vv_error *err)
{
    vv_status status;
    vvi_get counted;

    vvi_get_begin(&counted, VVI_GET_HAMT, key, range.kind != VV_RANGE_WHOLE, true);
    status = get(self, key, range, out, err);
    vvi_get_end(&counted, key, vvi_is_document(key), status);
    return status;
}

static vv_status hamt_get(vv_store *base, const char *key, vv_range range, vv_buf *out,
                          vv_error *err)
{
    hamt_store *self = (hamt_store *)base;

    return (vvi_metrics_on() ? get_counted : get)(self, key, range, out, err);
}

static vv_status open_value(hamt_store *self, const char *key, vv_store_value *out,
                            vv_error *err)
{
    vv_buf block = VV_BUF_INIT;
    vvi_view *view;
    vv_cid pointer;

    VVI_TRY(find_pointer(self, key, &pointer, err));
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

VVI_COUNTING static vv_status open_value_counted(hamt_store *self, const char *key,
                                                 vv_store_value *out, vv_error *err)
{
    vv_status status;
    vvi_get counted;

    vvi_get_begin(&counted, VVI_GET_HAMT, key, false, true);
    status = open_value(self, key, out, err);
    vvi_get_end(&counted, key, vvi_is_document(key), status);
    return status;
}

static vv_status hamt_open_value(vv_store *base, const char *key, vv_store_value *out,
                                 vv_error *err)
{
    hamt_store *self = (hamt_store *)base;

    return (vvi_metrics_on() ? open_value_counted : open_value)(self, key, out, err);
}

static void hamt_close_value(vv_store *base, vv_store_value *value)
{
    (void)base;
    vvi_view_release(value->handle);
}

/* Where the values lie and what was asked of them, gathered for one call of the block store. */
typedef struct many {
    vv_bytes *texts;
    vv_cid *pointers; /* of all keys, then of those found, in front */
    size_t *places;   /* key number of each of these */
    vv_buf *blocks;
    vv_status *statuses;
} many;

static void many_clear(many *self, size_t n)
{
    for (size_t i = 0; self->blocks && i < n; i++)
        vv_buf_clear(&self->blocks[i]);
    vvi_free(self->texts);
    vvi_free(self->pointers);
    vvi_free(self->places);
    vvi_free(self->blocks);
    vvi_free(self->statuses);
}

static vv_status many_init(many *self, const char *const *keys, size_t n, vv_error *err)
{
    *self = (many){ .texts = vvi_alloc_array(n, sizeof(*self->texts)),
                    .pointers = vvi_alloc_array(n, sizeof(*self->pointers)),
                    .places = vvi_alloc_array(n, sizeof(*self->places)),
                    .blocks = vvi_alloc_array_zero(n, sizeof(*self->blocks)),
                    .statuses = vvi_alloc_array_zero(n, sizeof(*self->statuses)) };
    if (!self->texts || !self->pointers || !self->places || !self->blocks ||
        !self->statuses)
        return vvi_fail_nomem(err, n * sizeof(*self->pointers));
    for (size_t i = 0; i < n; i++)
        self->texts[i] = vv_bytes_of(keys[i]);
    return VV_OK;
}

/* Read the values that the map names, in one call; give each the part that was asked for. */
static vv_status get_values(hamt_store *self, many *all, const char *const *keys,
                            const vv_range *ranges, size_t n, vv_buf *outs,
                            vv_status *statuses, vv_error *err)
{
    vv_status first = VV_OK;
    size_t found = 0;

    for (size_t i = 0; i < n; i++)
        if (!statuses[i]) {
            all->pointers[found] = all->pointers[i];
            all->places[found++] = i;
        }
    first = vv_blockstore_get_many(self->blocks, all->pointers, found, all->blocks,
                                   all->statuses, err);
    for (size_t i = 0; i < found; i++) {
        size_t place = all->places[i];

        statuses[place] = all->statuses[i] == VV_ENOTFOUND ? VV_ECORRUPT
                                                           : all->statuses[i];
        if (!statuses[place])
            vvi_store_give(&all->blocks[i], ranges ? ranges[place] : VV_RANGE_ALL,
                           &outs[place]);
        else if (!first)
            first = vvi_fail(err, statuses[place], "the value of key '%s' is %s",
                             keys[place],
                             all->statuses[i] == VV_ENOTFOUND ? "missing" : "damaged");
    }
    return first;
}

static vv_status get_many(hamt_store *self, const char *const *keys,
                          const vv_range *ranges, size_t n, vv_buf *outs,
                          vv_status *statuses, vv_error *err)
{
    many all;
    vv_status status = many_init(&all, keys, n, err);

    if (!status)
        status = vv_hamt_get_pointers(self->hamt, all.texts, n, all.pointers, statuses,
                                      err);
    for (size_t i = 0; status && i < n; i++)
        statuses[i] = status;
    if (!status)
        status = get_values(self, &all, keys, ranges, n, outs, statuses, err);
    many_clear(&all, n);
    return status;
}

VVI_COUNTING static vv_status get_many_counted(hamt_store *self, const char *const *keys,
                                               const vv_range *ranges, size_t n,
                                               vv_buf *outs, vv_status *statuses,
                                               vv_error *err)
{
    vvi_get *gets = vvi_alloc_array(n, sizeof(*gets));
    uint64_t begun_ns = vvi_now_ns();
    vv_status status;

    for (size_t i = 0; i < n && gets; i++)
        vvi_get_begin(&gets[i], VVI_GET_HAMT, keys[i],
                      ranges && ranges[i].kind != VV_RANGE_WHOLE, false);
    status = get_many(self, keys, ranges, n, outs, statuses, err);
    for (size_t i = 0; i < n; i++) {
        vvi_get unseen = { .begun_ns = begun_ns,
                           .store = VVI_GET_HAMT,
                           .has_range = ranges && ranges[i].kind != VV_RANGE_WHOLE };

        vvi_get_end(gets ? &gets[i] : &unseen, keys[i], vvi_is_document(keys[i]),
                    statuses[i]);
    }
    vvi_free(gets);
    return status;
}

static vv_status hamt_get_many(vv_store *base, const char *const *keys,
                               const vv_range *ranges, size_t n, vv_buf *outs,
                               vv_status *statuses, vv_error *err)
{
    hamt_store *self = (hamt_store *)base;

    return (vvi_metrics_on() ? get_many_counted : get_many)(self, keys, ranges, n, outs,
                                                            statuses, err);
}

static vv_status hamt_exists(vv_store *base, const char *key, bool *out, vv_error *err)
{
    vv_cid pointer;
    vv_status status = find_pointer((hamt_store *)base, key, &pointer, err);

    *out = status == VV_OK;
    return status == VV_ENOTFOUND ? VV_OK : status;
}

static vv_status hamt_size(vv_store *base, const char *key, uint64_t *out, vv_error *err)
{
    hamt_store *self = (hamt_store *)base;
    vv_cid pointer;

    VVI_TRY(find_pointer(self, key, &pointer, err));
    return check_block(vv_blockstore_size(self->blocks, &pointer, out, err), key, err);
}

static vv_status hamt_set(vv_store *base, const char *key, vv_bytes value,
                          bool only_if_absent, vv_error *err)
{
    hamt_store *self = (hamt_store *)base;
    vv_status status = VV_OK;
    bool there = false;

    if (!only_if_absent) {
        vvi_rwlock_read(&self->changes);
    } else {
        vvi_rwlock_write(&self->changes);
        status = hamt_exists(base, key, &there, err);
    }
    if (!status && there)
        status = vvi_fail(err, VV_EEXISTS, "key '%s' is there already", key);
    if (!status)
        status = vv_hamt_set(self->hamt, vv_bytes_of(key), value, err);
    vvi_rwlock_unlock(&self->changes);
    return status;
}

static vv_status hamt_set_many(vv_store *base, const char *const *keys,
                               const vv_bytes *values, size_t n, vv_error *err)
{
    hamt_store *self = (hamt_store *)base;
    vv_bytes *texts = vvi_alloc_array(n, sizeof(*texts));
    vv_status status;

    if (!texts)
        return vvi_fail_nomem(err, n * sizeof(*texts));
    for (size_t i = 0; i < n; i++)
        texts[i] = vv_bytes_of(keys[i]);
    vvi_rwlock_read(&self->changes);
    status = vv_hamt_set_many(self->hamt, texts, values, n, NULL, err);
    vvi_rwlock_unlock(&self->changes);
    vvi_free(texts);
    return status;
}

static vv_status hamt_remove(vv_store *base, const char *key, vv_error *err)
{
    hamt_store *self = (hamt_store *)base;
    vv_status status;

    vvi_rwlock_read(&self->changes);
    status = vv_hamt_delete(self->hamt, vv_bytes_of(key), err);
    vvi_rwlock_unlock(&self->changes);
    return name_key(status, base, key, err);
}

/* The same block under both keys. */
static vv_status hamt_copy(vv_store *base, const char *from, const char *to,
                           vv_error *err)
{
    hamt_store *self = (hamt_store *)base;
    vv_cid pointer;
    vv_status status;

    VVI_TRY(find_pointer(self, from, &pointer, err));
    vvi_rwlock_read(&self->changes);
    status = vv_hamt_set_pointer(self->hamt, vv_bytes_of(to), &pointer, err);
    vvi_rwlock_unlock(&self->changes);
    return status ? vvi_wrap(err, status, "key '%s'", to) : VV_OK;
}

typedef struct key_visit {
    vv_key_fn visit;
    void *ctx;
    vv_buf key; /* with an end */
} key_visit;

static vv_status visit_key(void *ctx, vv_bytes key, const vv_cid *pointer, vv_error *err)
{
    key_visit *self = ctx;

    (void)pointer;
    /* A zero byte is UTF-8 too, but no store key can be asked for by it. */
    if (key.len && memchr(key.data, 0, key.len))
        return VV_OK;
    self->key.len = 0;
    VVI_TRY(vvi_buf_append(&self->key, key, err));
    VVI_TRY(vvi_buf_terminate(&self->key, err));
    return self->visit(self->ctx, (const char *)self->key.data, err);
}

static vv_status hamt_list(vv_store *base, const char *prefix, vv_key_fn visit, void *ctx,
                           vv_error *err)
{
    hamt_store *self = (hamt_store *)base;
    key_visit keys = { .visit = visit, .ctx = ctx };
    vv_status status = vv_hamt_iterate(self->hamt, vv_bytes_of(prefix), visit_key, &keys,
                                       err);

    vv_buf_clear(&keys.key);
    return status;
}

static vv_status hamt_commit(vv_store *base, vv_cid *root, vv_error *err)
{
    hamt_store *self = (hamt_store *)base;
    vv_status status = vv_hamt_flush(self->hamt, root, err);

    return status ? status : vv_blockstore_flush(self->blocks, err);
}

static vv_status hamt_flush(vv_store *base, vv_error *err)
{
    vv_cid root;

    return base->read_only ? VV_OK : hamt_commit(base, &root, err);
}

static vv_status hamt_pointer(vv_store *base, const char *key, vv_cid *out, vv_error *err)
{
    return find_pointer((hamt_store *)base, key, out, err);
}

static vv_status hamt_pointers(vv_store *base, const char *const *keys, size_t n,
                               vv_cid *outs, vv_status *statuses, vv_error *err)
{
    hamt_store *self = (hamt_store *)base;
    vv_bytes *texts = vvi_alloc_array(n, sizeof(*texts));
    vv_status status;

    if (!texts)
        return vvi_fail_nomem(err, n * sizeof(*texts));
    for (size_t i = 0; i < n; i++)
        texts[i] = vv_bytes_of(keys[i]);
    status = vv_hamt_get_pointers(self->hamt, texts, n, outs, statuses, err);
    for (size_t i = 0; i < n && !status; i++)
        if (statuses[i] && statuses[i] != VV_ENOTFOUND)
            status = vvi_fail(err, statuses[i], "key '%s' cannot be looked up", keys[i]);
    vvi_free(texts);
    return status;
}

static vv_blockstore *hamt_blocks(vv_store *base)
{
    return ((hamt_store *)base)->blocks;
}

static vv_status hamt_set_pointer(vv_store *base, const char *key, const vv_cid *pointer,
                                  vv_error *err)
{
    hamt_store *self = (hamt_store *)base;
    vv_status status;

    vvi_rwlock_read(&self->changes);
    status = vv_hamt_set_pointer(self->hamt, vv_bytes_of(key), pointer, err);
    vvi_rwlock_unlock(&self->changes);
    return name_key(status, base, key, err);
}

static void hamt_free(vv_store *base)
{
    hamt_store *self = (hamt_store *)base;

    vv_hamt_free(self->hamt);
    vvi_views_clear(&self->views);
    vvi_documents_clear(&self->documents);
    vv_blockstore_free(self->blocks);
    vvi_rwlock_clear(&self->changes);
    vvi_free(self);
}

static const vv_store_ops hamt_ops = {
    .name = "HAMT",
    .get = hamt_get,
    .get_many = hamt_get_many,
    .set = hamt_set,
    .set_many = hamt_set_many,
    .remove = hamt_remove,
    .copy = hamt_copy,
    .exists = hamt_exists,
    .size = hamt_size,
    .list = hamt_list,
    .flush = hamt_flush,
    .free = hamt_free,
    .open_value = hamt_open_value,
    .close_value = hamt_close_value,
    .commit = hamt_commit,
    .pointer = hamt_pointer,
    .set_pointer = hamt_set_pointer,
    .pointers = hamt_pointers,
    .blocks = hamt_blocks,
};

vv_status vv_hamt_store_open(vv_blockstore *blocks, const vv_cid *root,
                             const vv_hamt_options *given, vv_store **out, vv_error *err)
{
    vv_hamt_options options;
    hamt_store *self;
    vv_status status;

    VVI_TRY(vvi_read_options(&options, sizeof(options), given, err));
    options.values = VV_HAMT_BYTES;
    self = vvi_alloc_zero(sizeof(*self));
    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    status = vvi_rwlock_init_writers_first(&self->changes, err);
    if (status)
        goto no_changes;
    status = vvi_views_init(&self->views, err);
    if (status)
        goto no_views;
    status = vvi_documents_init(&self->documents, err);
    if (status)
        goto no_documents;
    vv_store_base_init(&self->base, &hamt_ops, options.read_only);
    self->base.is_near = blocks->is_near;
    self->blocks = vv_blockstore_retain(blocks);
    status = vv_hamt_open(blocks, root, &options, &self->hamt, err);
    if (status)
        hamt_free(&self->base);
    else
        *out = &self->base;
    return status;

no_documents:
    vvi_views_clear(&self->views);
no_views:
    vvi_rwlock_clear(&self->changes);
no_changes:
    vvi_free(self);
    return status;
}

static vv_status as_hamt(vv_store *store, hamt_store **out, vv_error *err)
{
    if (store->ops != &hamt_ops)
        return vvi_fail(err, VV_EINVAL, "a %s store has no root; only a HAMT store has",
                        store->ops->name);
    *out = (hamt_store *)store;
    return VV_OK;
}

vv_hamt *vvi_hamt_store_map(vv_store *store)
{
    return store->ops == &hamt_ops ? ((hamt_store *)store)->hamt : NULL;
}

vv_status vvi_hamt_store_parts(vv_store *store, vv_blockstore **blocks, vv_cid *root,
                               vv_error *err)
{
    hamt_store *self;

    VVI_TRY(as_hamt(store, &self, err));
    *blocks = self->blocks;
    return vv_hamt_flush(self->hamt, root, err);
}
