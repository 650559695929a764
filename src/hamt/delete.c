#include "hamt/tree.h"

#include "util/alloc.h"

#include <varvite/cbor.h>

#include <stdlib.h>
#include <string.h>

/*
 * What a delete will do, found out before anything changes.
 *
 * Canonical: a node whose whole subtree, without the key, has no more entries than a bucket
 * takes becomes a bucket of its parent. The other form drops nodes that become empty, and them
 * alone, which is the same with a bucket of none.
 */
typedef struct deletion {
    vv_hamt *hamt;
    vv_bytes key;
    const uint8_t *hash;
    unsigned path_len;            /* nodes from the root to the one with the key */
    vvi_node *path[VVI_HASH_MAX]; /* each held */
    size_t limit;                 /* entries that may be folded into a bucket */
    size_t visits;                /* nodes that may still be looked at */
    vv_buf bytes;                 /* the entries gathered, one behind the other */
    size_t *ends;                 /* where each ends in bytes */
    size_t count, cap;
    bool too_many;
} deletion;

static vv_status child_of(deletion *self, const vvi_node *node, unsigned slot,
                          vvi_node **out, vv_error *err)
{
    if (vvi_slot_has(&node->kids, slot)) {
        *out = vvi_node_retain(vvi_node_slot(node, slot)->kid);
        return VV_OK;
    }
    return vvi_hamt_load(self->hamt, vvi_node_link(node, slot), out, err);
}

/* Hold the nodes on the way to the key. */
static vv_status find_path(deletion *self, vv_error *err)
{
    vv_hamt *hamt = self->hamt;
    vv_bytes link;

    if (hamt->root)
        self->path[0] = vvi_node_retain(hamt->root);
    else
        VVI_TRY(vvi_hamt_load(hamt, vvi_bytes(hamt->root_link.bytes, hamt->root_link.len),
                              &self->path[0], err));
    for (self->path_len = 1;; self->path_len++) {
        const vvi_node *node = self->path[self->path_len - 1];
        unsigned slot = self->hash[self->path_len - 1];

        if (vvi_node_find(node, slot, self->key, &link))
            return VV_OK;
        if (!vvi_slot_has(&node->links, slot) || self->path_len >= hamt->opts.hash_len)
            return vvi_fail(err, VV_ENOTFOUND, "no key \"%.*s\"", VVI_KEY_ARG(self->key));
        VVI_TRY(child_of(self, node, slot, &self->path[self->path_len], err));
    }
}

static vv_status gather_entry(deletion *self, const vvi_entry *entry, vv_error *err)
{
    if (vvi_bytes_equal(entry->key, self->key))
        return VV_OK;
    if (self->count == self->limit) {
        self->too_many = true;
        return VV_OK;
    }
    VVI_TRY(vvi_grow((void **)&self->ends, &self->cap, self->count + 1,
                     sizeof(*self->ends), err));
    VVI_TRY(vvi_buf_append(&self->bytes, entry->whole, err));
    self->ends[self->count++] = self->bytes.len;
    return VV_OK;
}

static vv_status gather_own(deletion *self, const vvi_node *node, vv_error *err)
{
    VVI_EACH_SLOT(slot, &node->used)
    {
        vvi_bucket_cursor cursor;
        vvi_entry entry;

        if (vvi_slot_has(&node->links, slot))
            continue;
        cursor = vvi_bucket_begin(vvi_node_element(node, slot).data);
        while (!self->too_many && vvi_bucket_next(&cursor, &entry))
            VVI_TRY(gather_entry(self, &entry, err));
    }
    return VV_OK;
}

/*
 * Gather the entries at and below a node until there are too many. Goes as deep as a hash has
 * bytes. Every node that a HAMT may have holds an entry or a link, so a subtree of few entries
 * has few nodes; one that goes on and on is not followed.
 */
static vv_status gather(deletion *self, const vvi_node *node, unsigned depth,
                        vv_error *err)
{
    if (depth >= self->hamt->opts.hash_len || self->visits == 0)
        return vvi_fail(err, VV_ECORRUPT, "a subtree of more nodes than its keys need");
    self->visits--;
    VVI_TRY(gather_own(self, node, err));
    VVI_EACH_SLOT(slot, &node->links)
    {
        vvi_node *child;
        vv_status status;

        if (self->too_many)
            break;
        VVI_TRY(child_of(self, node, slot, &child, err));
        status = gather(self, child, depth + 1, err);
        vvi_node_release(child);
        VVI_TRY(status);
    }
    return VV_OK;
}

/* Gather below path[at]; *fits says whether that can become a bucket of path[at − 1]. */
static vv_status try_fold(deletion *self, unsigned at, bool *fits, vv_error *err)
{
    self->too_many = false;
    self->count = 0;
    self->bytes.len = 0;
    self->visits = (self->limit + 2) * (size_t)self->hamt->opts.hash_len;
    VVI_TRY(gather(self, self->path[at], at, err));
    *fits = !self->too_many;
    return VV_OK;
}

static vv_bytes gathered(const deletion *self, size_t i)
{
    size_t start = i ? self->ends[i - 1] : 0;

    return vvi_bytes(self->bytes.data + start, self->ends[i] - start);
}

static int compare_entries(const void *a, const void *b)
{
    vvi_entry x;
    vvi_entry y;

    vvi_entry_read(((const vv_bytes *)a)->data, &x);
    vvi_entry_read(((const vv_bytes *)b)->data, &y);
    return vv_cbor_key_cmp(x.key, y.key);
}

/* Put what was gathered into the bucket that takes the place of path[at]. */
static vv_status fold(deletion *self, unsigned at, vv_error *err)
{
    vv_hamt *hamt = self->hamt;
    vv_bytes *entries = vvi_alloc_array(self->count, sizeof(*entries));
    unsigned slot = self->hash[at - 1];
    vvi_node *node;
    unsigned depth;
    vv_status status;

    if (!entries)
        return vvi_fail_nomem(err, self->count * sizeof(*entries));
    for (size_t i = 0; i < self->count; i++)
        entries[i] = gathered(self, i);
    if (self->count > 1)
        qsort(entries, self->count, sizeof(*entries), compare_entries);
    status = vvi_hamt_own_path(hamt, self->hash, at - 1, false, &node, &depth, err);
    if (status)
        goto done;
    if (vvi_slot_has(&node->kids, slot))
        vvi_hamt_count_out_all(hamt, vvi_node_slot(node, slot)->kid);
    vvi_hamt_count_out(hamt, node);
    status = vvi_node_set_bucket(node, slot, entries, self->count, err);
    vvi_hamt_count_in(hamt, node);
    if (status && vvi_slot_has(&node->kids, slot))
        vvi_hamt_count_in_all(hamt, vvi_node_slot(node, slot)->kid);
    vvi_rwlock_unlock(&hamt->tree);

done:
    vvi_free(entries);
    return status;
}

static vv_status remove_key(deletion *self, vv_error *err)
{
    vv_hamt *hamt = self->hamt;
    vvi_node *node;
    unsigned depth;
    vv_status status;

    VVI_TRY(vvi_hamt_own_path(hamt, self->hash, self->path_len - 1, false, &node, &depth,
                              err));
    vvi_hamt_count_out(hamt, node);
    status = vvi_node_remove(node, self->hash[depth], self->key, err);
    vvi_hamt_count_in(hamt, node);
    vvi_rwlock_unlock(&hamt->tree);
    return status;
}

static void let_go_of_path(deletion *self)
{
    for (unsigned i = 0; i < VVI_HASH_MAX; i++) {
        vvi_node_release(self->path[i]);
        self->path[i] = NULL;
    }
}

static vv_status delete_key(deletion *self, vv_error *err)
{
    unsigned folded; /* path[folded] is the highest that goes */
    bool fits = true;

    VVI_TRY(find_path(self, err));
    /* A node with too many entries has ancestors with too many. */
    for (folded = self->path_len; folded > 1 && fits; folded -= fits)
        VVI_TRY(try_fold(self, folded - 1, &fits, err));
    if (!fits && folded < self->path_len)
        VVI_TRY(try_fold(self, folded, &fits, err));
    /* What the path holds is not the tree's alone. */
    let_go_of_path(self);
    return folded < self->path_len ? fold(self, folded, err) : remove_key(self, err);
}

vv_status vv_hamt_delete(vv_hamt *hamt, vv_bytes key, vv_error *err)
{
    uint8_t hash[VVI_HASH_MAX];
    deletion self = { .hamt = hamt, .key = key, .hash = hash };
    vv_status status;

    vvi_hamt_hash(hamt, &key, 1, hash);
    vvi_mutex_lock(&hamt->writer);
    status = vvi_hamt_check_writable(hamt, err);
    if (!status && hamt->dirty_bytes > hamt->opts.dirty_bytes)
        status = vvi_hamt_spill(hamt, err);
    self.limit = hamt->opts.deletes == VV_HAMT_CANONICAL ? atomic_load(&hamt->bucket) : 0;
    hamt->changes++;
    if (!status)
        status = delete_key(&self, err);
    let_go_of_path(&self);
    vvi_mutex_unlock(&hamt->writer);
    vv_buf_clear(&self.bytes);
    vvi_free(self.ends);
    return status == VV_OK || status == VV_ENOTFOUND
               ? status
               : vvi_wrap(err, status, "delete key \"%.*s\"", VVI_KEY_ARG(key));
}
