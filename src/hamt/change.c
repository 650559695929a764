#include "hamt/tree.h"

#include <string.h>

void vvi_hamt_count_in(vv_hamt *hamt, const vvi_node *node)
{
    hamt->dirty_nodes++;
    hamt->dirty_bytes += vvi_node_memory(node);
    hamt->dirty_encoded += node->size;
}

void vvi_hamt_count_out(vv_hamt *hamt, const vvi_node *node)
{
    hamt->dirty_nodes--;
    hamt->dirty_bytes -= vvi_node_memory(node);
    hamt->dirty_encoded -= node->size;
}

void vvi_hamt_count_out_all(vv_hamt *hamt, const vvi_node *node)
{
    vvi_hamt_count_out(hamt, node);
    VVI_EACH_SLOT(slot, &node->kids)
    vvi_hamt_count_out_all(hamt, vvi_node_slot(node, slot)->kid);
}

void vvi_hamt_count_in_all(vv_hamt *hamt, const vvi_node *node)
{
    vvi_hamt_count_in(hamt, node);
    VVI_EACH_SLOT(slot, &node->kids)
    vvi_hamt_count_in_all(hamt, vvi_node_slot(node, slot)->kid);
}

/* A node that was loaded to be changed, on its way from the store into the tree. */
typedef struct fresh_node {
    vvi_link link;
    vvi_node *node; /* a changeable copy */
} fresh_node;

/* Where the walk stopped for want of a node. */
static void need(fresh_node *fresh, vv_bytes link)
{
    fresh->link.len = link.len;
    memcpy(fresh->link.bytes, link.data, link.len);
}

static bool is_fresh(const fresh_node *fresh, vv_bytes link)
{
    return fresh->node &&
           vvi_bytes_equal(vvi_bytes(fresh->link.bytes, fresh->link.len), link);
}

/* Nobody but the tree holds it: then it may change in place. */
static bool is_ours(const vvi_node *node)
{
    return atomic_load_explicit(&node->refs, memory_order_acquire) == 1;
}

vv_status vvi_hamt_own(vv_hamt *hamt, vvi_node **place, vv_error *err)
{
    vvi_node *copy;

    if (is_ours(*place))
        return VV_OK;
    VVI_TRY(vvi_node_copy(*place, &copy, err));
    vvi_hamt_count_out(hamt, *place);
    vvi_hamt_count_in(hamt, copy);
    vvi_node_release(*place);
    *place = copy;
    return VV_OK;
}

/* Hand the fresh node over to the tree. */
static vvi_node *adopt(vv_hamt *hamt, fresh_node *fresh)
{
    vvi_node *node = fresh->node;

    vvi_node_cache_remove(&hamt->clean, vvi_bytes(fresh->link.bytes, fresh->link.len));
    vvi_hamt_count_in(hamt, node);
    fresh->node = NULL;
    return node;
}

/*
 * One walk with tree held for writing. Ends at the node wanted (*out), or at a link to a node
 * that has to be loaded first (*out NULL, its name in fresh).
 */
static vv_status walk(vv_hamt *hamt, const uint8_t *hash, unsigned deepest,
                      fresh_node *fresh, vvi_node **out, unsigned *depth, vv_error *err)
{
    vvi_node *node;

    *out = NULL;
    *depth = 0;
    if (!hamt->root) {
        vv_bytes link = vvi_bytes(hamt->root_link.bytes, hamt->root_link.len);

        if (!is_fresh(fresh, link)) {
            need(fresh, link);
            return VV_OK;
        }
        hamt->root = adopt(hamt, fresh);
    }
    VVI_TRY(vvi_hamt_own(hamt, &hamt->root, err));
    node = hamt->root;
    for (;; ++*depth) {
        unsigned slot = hash[*depth];

        node->stamp = hamt->changes;
        if (*depth == deepest || !vvi_slot_has(&node->links, slot))
            break;
        if (*depth + 1 >= hamt->opts.hash_len)
            return vvi_fail(err, VV_ELIMIT,
                            "the tree is deeper than the %" PRIu32 " bytes of a hash",
                            hamt->opts.hash_len);
        if (!vvi_slot_has(&node->kids, slot)) {
            vv_bytes link = vvi_node_link(node, slot);

            if (!is_fresh(fresh, link)) {
                need(fresh, link);
                return VV_OK;
            }
            vvi_hamt_count_out(hamt, node);
            /* The slot is in use, so it cannot fail for want of memory. */
            VVI_TRY(vvi_node_set_kid(node, slot, fresh->node, err));
            vvi_hamt_count_in(hamt, node);
            adopt(hamt, fresh);
        }
        VVI_TRY(vvi_hamt_own(hamt, &vvi_node_slot(node, slot)->kid, err));
        node = vvi_node_slot(node, slot)->kid;
    }
    *out = node;
    return VV_OK;
}

vv_status vvi_hamt_own_path(vv_hamt *hamt, const uint8_t *hash, unsigned deepest,
                            bool tree_held, vvi_node **out, unsigned *depth,
                            vv_error *err)
{
    fresh_node fresh = { .node = NULL };
    vv_status status;

    for (;;) {
        vvi_node *loaded;

        if (!tree_held)
            vvi_rwlock_write(&hamt->tree);
        tree_held = false;
        status = walk(hamt, hash, deepest, &fresh, out, depth, err);
        if (status || *out)
            break;
        vvi_rwlock_unlock(&hamt->tree);
        vvi_node_release(fresh.node);
        fresh.node = NULL;
        VVI_TRY(vvi_hamt_load(hamt, vvi_bytes(fresh.link.bytes, fresh.link.len), &loaded,
                              err));
        status = vvi_node_copy(loaded, &fresh.node, err);
        vvi_node_release(loaded);
        if (status)
            return status;
    }
    vvi_node_release(fresh.node);
    if (status)
        vvi_rwlock_unlock(&hamt->tree);
    return status;
}

/* Put a key into the slot of a node that may change. */
static vv_status put_into(vv_hamt *hamt, vvi_node *node, unsigned depth, unsigned slot,
                          vv_bytes key, vv_bytes link, vv_error *err)
{
    vvi_spot spot;
    vvi_node *kid;

    vvi_node_locate(node, slot, key, &spot);
    if (spot.found && vvi_bytes_equal(spot.entry.link, link))
        return VV_OK;
    if (spot.found ||
        spot.count < atomic_load_explicit(&hamt->bucket, memory_order_relaxed))
        return vvi_node_put_at(node, slot, &spot, key, link, err);
    VVI_TRY(vvi_hamt_split(hamt, spot.element, key, link, depth, &kid, err));
    /* The slot is in use, so this cannot fail for want of memory. */
    VVI_TRY(vvi_node_set_kid(node, slot, kid, err));
    vvi_hamt_count_in_all(hamt, kid);
    return VV_OK;
}

/* Set one key; `tree` may be held before, and is held when *tree_held says so afterwards. */
static vv_status put_one(vv_hamt *hamt, vv_bytes key, const uint8_t *hash,
                         const vv_cid *cid, bool *tree_held, vv_error *err)
{
    bool was_held = *tree_held;
    vvi_node *node;
    vvi_link link;
    unsigned depth;
    vv_status status;

    vvi_link_of_cid(cid, &link);
    hamt->changes++;
    *tree_held = false;
    VVI_TRY(vvi_hamt_own_path(hamt, hash, UINT32_MAX, was_held, &node, &depth, err));
    *tree_held = true;
    vvi_hamt_count_out(hamt, node);
    status = put_into(hamt, node, depth, hash[depth], key,
                      vvi_bytes(link.bytes, link.len), err);
    vvi_hamt_count_in(hamt, node);
    return status;
}

vv_status vvi_hamt_put(vv_hamt *hamt, const vv_bytes *keys, const uint8_t *hashes,
                       const vv_cid *cids, size_t n, size_t *done, vv_error *err)
{
    vv_status status = VV_OK;
    bool tree_held = false;

    for (size_t i = 0; i < n && !status; i++) {
        if (hamt->dirty_bytes > hamt->opts.dirty_bytes) {
            if (tree_held)
                vvi_rwlock_unlock(&hamt->tree);
            tree_held = false;
            status = vvi_hamt_spill(hamt, err);
        }
        if (!status)
            status = put_one(hamt, keys[i], hashes + i * hamt->opts.hash_len, &cids[i],
                             &tree_held, err);
        if (status)
            vvi_wrap(err, status, "set key \"%.*s\"", VVI_KEY_ARG(keys[i]));
        else
            ++*done;
    }
    if (tree_held)
        vvi_rwlock_unlock(&hamt->tree);
    return status;
}
