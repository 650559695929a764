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

/* Go down changed nodes as far as they reach. */
static step descend(const vvi_node *node, vv_bytes key, const uint8_t *hash,
                    unsigned hash_len, unsigned *depth, vvi_link *out)
{
    vvi_entry entry;

    while (*depth < hash_len) {
        unsigned slot = hash[*depth];

        if (vvi_slot_has(&node->kids, slot)) {
            node = vvi_node_slot(node, slot)->kid;
            ++*depth;
            continue;
        }
        if (vvi_slot_has(&node->links, slot)) {
            copy_link(vvi_node_link(node, slot), out);
            ++*depth;
            return STEP_LINK;
        }
        if (!vvi_node_find(node, slot, key, &entry))
            return STEP_ABSENT;
        copy_link(entry.link, out);
        return STEP_FOUND;
    }
    return STEP_ABSENT;
}

vv_status vvi_hamt_find(vv_hamt *hamt, vv_bytes key, const uint8_t *hash, vvi_link *out,
                        vv_error *err)
{
    unsigned depth = 0;
    step at = STEP_LINK;

    vvi_rwlock_read(&hamt->tree);
    if (hamt->root)
        at = descend(hamt->root, key, hash, hamt->opts.hash_len, &depth, out);
    else
        *out = hamt->root_link;
    vvi_rwlock_unlock(&hamt->tree);
    while (at == STEP_LINK) {
        vvi_node *node;

        VVI_TRY(vvi_hamt_load(hamt, vvi_bytes(out->bytes, out->len), &node, err));
        at = descend(node, key, hash, hamt->opts.hash_len, &depth, out);
        vvi_node_release(node);
    }
    if (at == STEP_ABSENT)
        return vvi_fail(err, VV_ENOTFOUND, "no key \"%.*s\"", VVI_KEY_ARG(key));
    return VV_OK;
}
