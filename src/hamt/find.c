#include "hamt/tree.h"

#include <string.h>

/* Where a walk has come to. */
typedef enum step {
    STEP_FOUND,
    STEP_ABSENT,
    STEP_LINK /* *out names the next node */
} step;

static void copy_link(vv_bytes from, vvi_link *to)
{
    to->len = from.len;
    memcpy(to->bytes, from.data, from.len);
}

/*
 * Go down as far as nodes are in memory: changed nodes, which hang on each other; with a cache whose
 * lock is held, loaded ones too. *hits counts these.
 */
static step descend(vvi_node_cache *cache, vvi_node *node, vv_bytes key,
                    const uint8_t *hash, unsigned hash_len, unsigned *depth,
                    vvi_link *out, uint64_t *hits)
{
    vv_bytes link;

    while (*depth < hash_len) {
        unsigned slot = hash[*depth];
        vvi_node *child = NULL;

        if (vvi_slot_has(&node->kids, slot)) {
            node = vvi_node_slot(node, slot)->kid;
            ++*depth;
            continue;
        }
        if (!vvi_slot_has(&node->links, slot)) {
            if (!vvi_node_find(node, slot, key, &link))
                return STEP_ABSENT;
            copy_link(link, out);
            return STEP_FOUND;
        }
        ++*depth;
        if (cache)
            child = vvi_node_cache_child(cache, node, slot, vvi_node_rank(node, slot));
        if (!child) {
            copy_link(vvi_node_link(node, slot), out);
            return STEP_LINK;
        }
        vvi_node_ask(child, true, node->link_len);
        vvi_node_mark_recent(child);
        node = child;
        ++*hits;
    }
    return STEP_ABSENT;
}

/* Go on at the node that *out names: through nodes in the cache, or through that one alone, which is
 * loaded. *found: how many were in the cache. */
static vv_status go_on(vv_hamt *hamt, vv_bytes key, const uint8_t *hash, unsigned *depth,
                       vvi_link *out, step *at, uint64_t *found, vv_error *err)
{
    vv_bytes link = vvi_bytes(out->bytes, out->len);
    vvi_node_cache *cache = &hamt->clean;
    uint64_t hits = 0;
    vvi_node *node;

    vvi_node_cache_walk_begin(cache);
    node = vvi_node_cache_peek(cache, link);
    if (node) {
        hits++;
        *at = descend(cache, node, key, hash, hamt->opts.hash_len, depth, out, &hits);
    }
    vvi_node_cache_walk_end(cache, hits);
    *found = hits;
    if (node)
        return VV_OK;
    VVI_TRY(vvi_hamt_load(hamt, link, &node, err));
    *at = descend(NULL, node, key, hash, hamt->opts.hash_len, depth, out, &hits);
    vvi_node_release(node);
    return VV_OK;
}

/* One body for calls that are counted and those that are not: what it does between is short. */
vv_status vvi_hamt_find(vv_hamt *hamt, vv_bytes key, const uint8_t *hash, vvi_link *out,
                        vv_error *err)
{
    bool counted = vvi_metrics_on();
    vv_status status = VV_OK;
    unsigned depth = 0;
    uint64_t hits = 0;
    step at = STEP_LINK;
    vvi_lookup lookup;

    if (counted)
        vvi_lookup_begin(&lookup, key, true);
    vvi_rwlock_read(&hamt->tree);
    if (hamt->root)
        at = descend(NULL, hamt->root, key, hash, hamt->opts.hash_len, &depth, out,
                     &hits);
    else
        copy_link(vvi_bytes(hamt->root_link.bytes, hamt->root_link.len), out);
    vvi_rwlock_unlock(&hamt->tree);
    while (at == STEP_LINK && !status) {
        uint64_t begun_ns = counted ? vvi_now_ns() : 0;

        status = go_on(hamt, key, hash, &depth, out, &at, &hits, err);
        if (counted && hits && vvi_hamt_is_counted(hamt))
            vvi_count_node_loads(true, hits, 0, vvi_now_ns() - begun_ns);
    }
    if (!status && at == STEP_ABSENT)
        status = vvi_fail(err, VV_ENOTFOUND, "no key \"%.*s\"", VVI_KEY_ARG(key));
    if (counted)
        vvi_lookup_end(&lookup, key, depth, status);
    return status;
}
