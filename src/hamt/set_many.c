/* Setting many keys at once: their values go to the store in one call. */
#include "hamt/tree.h"

#include "util/alloc.h"

#include <string.h>

/* Keys set in one go, with their values in one put_many of at most about so many bytes. */
#define SET_KEYS  ((size_t)4096)
#define SET_BYTES ((size_t)32 << 20)

/* ---- setting ---------------------------------------------------------------------------- */

typedef struct setting {
    vv_hamt *hamt;
    vv_cid *cids;
    uint8_t *hashes;
} setting;

/* How many of n keys go together, and whether each is one that the map takes. */
static size_t choose_batch(const vv_bytes *values, size_t n)
{
    size_t bytes = 0;
    size_t count = 0;

    while (count < n && count < SET_KEYS && (count == 0 || bytes < SET_BYTES))
        bytes += values[count++].len;
    return count;
}

/*
 * Keys are set some at a time. First the memory is asked for that they will touch: a map that is
 * larger than the processor's caches spends its time waiting for memory, and waits for many lines at
 * once as long as for one. The nodes, then what they point to, then the buckets. Only the writer
 * changes nodes, so it may look at them without holding `tree`.
 */
#define ASK_KEYS  48u
#define ASK_DEPTH 2u

/* The changed node that a key goes to, as far down as is worth looking, and its slot there. */
static const vvi_node *target_of(const vv_hamt *hamt, const uint8_t *hash, unsigned *slot)
{
    const vvi_node *node = hamt->root;
    unsigned depth = 0;

    while (node && depth < ASK_DEPTH && depth + 1 < hamt->opts.hash_len &&
           vvi_slot_has(&node->kids, hash[depth]))
        node = vvi_node_slot(node, hash[depth++])->kid;
    *slot = hash[depth];
    return node;
}

VVI_ASKING void ask_for(const setting *self, size_t from, size_t n)
{
    const vvi_node *nodes[ASK_KEYS];
    unsigned slots[ASK_KEYS];
    size_t len = self->hamt->opts.hash_len;

    for (size_t i = 0; i < n; i++) {
        nodes[i] = target_of(self->hamt, self->hashes + (from + i) * len, &slots[i]);
        __builtin_prefetch(nodes[i], 1);
        __builtin_prefetch((const char *)nodes[i] + 64);
        __builtin_prefetch((const char *)nodes[i] + 128, 1);
    }
    for (size_t i = 0; i < n; i++)
        if (nodes[i] && nodes[i]->own) {
            __builtin_prefetch(vvi_node_slot(nodes[i], slots[i]), 1);
            __builtin_prefetch(nodes[i]->own + nodes[i]->len, 1);
            __builtin_prefetch(nodes[i]->own + nodes[i]->len + 64, 1);
        }
    for (size_t i = 0; i < n; i++)
        if (nodes[i] && vvi_slot_has(&nodes[i]->used, slots[i]) &&
            !vvi_slot_has(&nodes[i]->kids, slots[i]))
            __builtin_prefetch(nodes[i]->data +
                               vvi_node_slot(nodes[i], slots[i])->element.at);
}

static vv_status set_batch(setting *self, const vv_bytes *keys, const vv_bytes *values,
                           size_t n, size_t *done, vv_error *err)
{
    vv_hamt *hamt = self->hamt;
    size_t good = 0; /* keys in front of the first that is refused */
    vv_status refused = VV_OK;
    vv_status status = VV_OK;

    for (; good < n; good++) {
        refused = vvi_hamt_check_key(keys[good], err);
        if (!refused)
            refused = vvi_hamt_check_value(hamt, keys[good], values[good], err);
        if (refused)
            break;
    }
    if (good)
        VVI_TRY(vv_blockstore_put_many(hamt->store, &hamt->value_ids, values, good,
                                       self->cids, err));
    vvi_hamt_hash(hamt, keys, good, self->hashes);
    vvi_mutex_lock(&hamt->writer);
    status = vvi_hamt_check_writable(hamt, err);
    for (size_t i = 0; i < good && !status; i += ASK_KEYS) {
        size_t some = good - i < ASK_KEYS ? good - i : ASK_KEYS;

        ask_for(self, i, some);
        status = vvi_hamt_put(hamt, keys + i, self->hashes + i * hamt->opts.hash_len,
                              self->cids + i, some, done, err);
    }
    vvi_mutex_unlock(&hamt->writer);
    return status ? status : refused;
}

vv_status vv_hamt_set_many(vv_hamt *hamt, const vv_bytes *keys, const vv_bytes *values,
                           size_t n, size_t *done, vv_error *err)
{
    size_t batch = n < SET_KEYS ? n : SET_KEYS;
    setting self = { .hamt = hamt };
    vv_status status = vvi_hamt_check_writable(hamt, err);
    size_t set = 0;

    if (!status) {
        self.cids = vvi_alloc_array(batch, sizeof(*self.cids));
        self.hashes = vvi_alloc_array(batch, hamt->opts.hash_len);
        if (!self.cids || !self.hashes)
            status = vvi_fail_nomem(err, batch * sizeof(*self.cids));
    }
    for (size_t from = 0; from < n && !status;) {
        size_t count = choose_batch(values + from, n - from);

        status = set_batch(&self, keys + from, values + from, count, &set, err);
        from += count;
    }
    vvi_free(self.cids);
    vvi_free(self.hashes);
    if (done)
        *done = set;
    return status;
}
