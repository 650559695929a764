#include "hamt/tree.h"

#include "util/alloc.h"

#include <stdlib.h>
#include <string.h>

/* Blocks go to the store in calls of about this size. */
#define BATCH_BYTES ((size_t)8 << 20)
#define BATCH_NODES 4096u

/*
 * Changed nodes on their way to the store, ordered by depth. A chosen node's mark is its place
 * in nodes plus one; other nodes' marks are 0.
 */
typedef struct saver {
    vv_hamt *hamt;
    vvi_node **nodes;
    size_t n;
    size_t starts[VVI_HASH_MAX + 2]; /* depth d begins at starts[d] */
    uint64_t newest;                 /* stamps of chosen nodes are at most this */
    uint8_t *links;                  /* one of link_len bytes a node, once it is saved */
    unsigned cache_depth;            /* nodes above this depth are kept as loaded nodes */
} saver;

/* Count or list the chosen nodes at and below a node. What hangs below a chosen node is chosen
 * too: it cannot be younger, and its name is needed. */
static void gather(saver *self, vvi_node *node, unsigned depth, bool above, size_t *next)
{
    bool chosen = above || node->stamp <= self->newest;

    if (!self->nodes && chosen)
        self->starts[depth + 1]++;
    else if (self->nodes) {
        node->mark = chosen ? (uint32_t)next[depth] + 1 : 0;
        if (chosen)
            self->nodes[next[depth]++] = node;
    }
    VVI_EACH_SLOT(slot, &node->kids)
    gather(self, vvi_node_slot(node, slot)->kid, depth + 1, chosen, next);
}

static vv_status saver_init(saver *self, vv_hamt *hamt, uint64_t newest, vv_error *err)
{
    size_t next[VVI_HASH_MAX + 1];

    memset(self, 0, sizeof(*self));
    self->hamt = hamt;
    self->newest = newest;
    gather(self, hamt->root, 0, false, next);
    for (unsigned d = 0; d <= VVI_HASH_MAX; d++)
        self->starts[d + 1] += self->starts[d];
    self->n = self->starts[VVI_HASH_MAX + 1];
    self->nodes = vvi_alloc_array(self->n, sizeof(*self->nodes));
    self->links = vvi_alloc_array(self->n, hamt->link_len);
    if (!self->nodes || !self->links || self->n >= UINT32_MAX)
        return vvi_fail_nomem(err, self->n * (sizeof(*self->nodes) + hamt->link_len));
    memcpy(next, self->starts, sizeof(next));
    gather(self, hamt->root, 0, false, next);
    return VV_OK;
}

static void saver_clear(saver *self)
{
    vvi_free(self->nodes);
    vvi_free(self->links);
}

static vv_bytes saved_link(void *ctx, const vvi_node *kid)
{
    saver *self = ctx;
    size_t len = self->hamt->link_len;

    return vvi_bytes(self->links + (kid->mark - 1) * len, len);
}

/* Keep a block that was just saved as a loaded node, so that reading it again costs nothing. */
static void keep(saver *self, vv_bytes block, vv_bytes link)
{
    vvi_node *node;

    if (vvi_node_decode(block, link, &node, NULL))
        return;
    vvi_node_cache_put(&self->hamt->clean, node);
    vvi_node_release(node);
}

/* Write nodes from … to − 1 in one call. */
static vv_status save_batch(saver *self, size_t from, size_t to, size_t size,
                            bool keep_them, vv_error *err)
{
    vv_hamt *hamt = self->hamt;
    size_t n = to - from;
    uint8_t *data = vvi_alloc(size);
    vv_bytes *blocks = vvi_alloc_array(n, sizeof(*blocks));
    vv_cid *cids = vvi_alloc_array(n, sizeof(*cids));
    vv_status status = VV_OK;
    size_t at = 0;

    if (!data || !blocks || !cids)
        status = vvi_fail_nomem(err, size);
    for (size_t i = 0; i < n && !status; i++) {
        size_t len = vvi_node_encoded_size(self->nodes[from + i], hamt->link_len);

        vvi_node_encode(self->nodes[from + i], saved_link, self, data + at);
        blocks[i] = vvi_bytes(data + at, len);
        at += len;
    }
    if (!status)
        status = vv_blockstore_put_many(hamt->store, &hamt->node_ids, blocks, n, cids,
                                        err);
    for (size_t i = 0; i < n && !status; i++) {
        uint8_t *place = self->links + (from + i) * hamt->link_len;
        vvi_link link;

        vvi_link_of_cid(&cids[i], &link);
        memcpy(place, link.bytes, hamt->link_len);
        if (keep_them)
            keep(self, blocks[i], vvi_bytes(place, hamt->link_len));
    }
    if (!status)
        atomic_fetch_add_explicit(&hamt->saves, n, memory_order_relaxed);
    vvi_free(data);
    vvi_free(blocks);
    vvi_free(cids);
    return status;
}

/* Write the nodes of one depth. */
static vv_status save_level(saver *self, unsigned depth, vv_error *err)
{
    size_t from = self->starts[depth];
    size_t size = 0;

    for (size_t i = from; i < self->starts[depth + 1]; i++) {
        size_t len = vvi_node_encoded_size(self->nodes[i], self->hamt->link_len);

        if (i > from && (size + len > BATCH_BYTES || i - from >= BATCH_NODES)) {
            VVI_TRY(save_batch(self, from, i, size, depth < self->cache_depth, err));
            from = i;
            size = 0;
        }
        size += len;
    }
    if (self->starts[depth + 1] > from)
        VVI_TRY(save_batch(self, from, self->starts[depth + 1], size,
                           depth < self->cache_depth, err));
    return VV_OK;
}

/* Children before parents: the deepest level first. */
static vv_status save_levels(saver *self, vv_error *err)
{
    for (unsigned d = VVI_HASH_MAX + 1; d-- > 0;)
        if (self->starts[d + 1] > self->starts[d])
            VVI_TRY(save_level(self, d, err));
    return VV_OK;
}

/* Keep the top of the tree, as many whole levels as the cache has room for. */
static void choose_cached_levels(saver *self)
{
    size_t sum = 0;

    while (self->cache_depth <= VVI_HASH_MAX) {
        for (size_t i = self->starts[self->cache_depth];
             i < self->starts[self->cache_depth + 1]; i++)
            sum += 2 * self->nodes[i]->size;
        if (sum > self->hamt->clean.cap_bytes)
            break;
        self->cache_depth++;
    }
}

vv_status vvi_hamt_save_all(vv_hamt *hamt, vv_error *err)
{
    vvi_node *root = hamt->root; /* only the writer, which we are, exchanges it */
    saver self;
    vv_status status;

    if (!root)
        return VV_OK;
    status = saver_init(&self, hamt, UINT64_MAX, err);
    if (status)
        goto done;
    choose_cached_levels(&self);
    status = save_levels(&self, err);
    if (status)
        goto done;
    vvi_rwlock_write(&hamt->tree);
    hamt->root = NULL;
    hamt->root_link.len = hamt->link_len;
    memcpy(hamt->root_link.bytes, self.links, hamt->link_len);
    hamt->dirty_nodes = 0;
    hamt->dirty_bytes = 0;
    hamt->dirty_encoded = 0;
    vvi_rwlock_unlock(&hamt->tree);
    vvi_node_release(root);

done:
    saver_clear(&self);
    return status;
}

/* ---- spilling ------------------------------------------------------------------------- */

typedef struct age {
    uint64_t stamp;
    size_t bytes;
} age;

static int compare_ages(const void *a, const void *b)
{
    const age *x = a;
    const age *y = b;

    return (x->stamp > y->stamp) - (x->stamp < y->stamp);
}

static void list_ages(const vvi_node *node, age *ages, size_t *n)
{
    ages[*n] = (age){ node->stamp, vvi_node_memory(node) };
    ++*n;
    VVI_EACH_SLOT(slot, &node->kids)
    list_ages(vvi_node_slot(node, slot)->kid, ages, n);
}

/* The stamp up to which nodes have to go so that half of the cap is free; the root stays. */
static vv_status find_age(vv_hamt *hamt, uint64_t *newest, vv_error *err)
{
    age *ages = vvi_alloc_array((size_t)hamt->dirty_nodes, sizeof(*ages));
    size_t n = 0;
    size_t i = 0;
    uint64_t left = hamt->dirty_bytes;

    if (!ages)
        return vvi_fail_nomem(err, (size_t)hamt->dirty_nodes * sizeof(*ages));
    list_ages(hamt->root, ages, &n);
    qsort(ages, n, sizeof(*ages), compare_ages);
    while (i + 1 < n && left > hamt->opts.dirty_bytes / 2)
        left -= ages[i++].bytes;
    *newest = i ? ages[i - 1].stamp : 0;
    if (i == 0 || *newest >= hamt->root->stamp)
        *newest = hamt->root->stamp ? hamt->root->stamp - 1 : 0;
    vvi_free(ages);
    return VV_OK;
}

/* Replace saved children of *place by their names. A failure leaves a tree with the same
 * content, in which some have been replaced. */
static vv_status drop_saved(saver *self, vvi_node **place, vv_error *err)
{
    vv_hamt *hamt = self->hamt;
    vvi_slot_set kids = (*place)->kids;
    vv_status status = VV_OK;
    size_t saved = 0;

    VVI_EACH_SLOT(slot, &kids)
    saved += vvi_node_slot(*place, slot)->kid->mark != 0;
    VVI_TRY(vvi_hamt_own(hamt, place, err));
    vvi_hamt_count_out(hamt, *place);
    status = vvi_node_reserve_links(*place, saved, hamt->link_len, err);
    vvi_hamt_count_in(hamt, *place);
    VVI_EACH_SLOT(slot, &kids)
    {
        vvi_slot *where = vvi_node_slot(*place, slot);

        if (status)
            break;
        if (!where->kid->mark) {
            status = drop_saved(self, &where->kid, err);
            continue;
        }
        vvi_hamt_count_out_all(hamt, where->kid);
        vvi_hamt_count_out(hamt, *place);
        vvi_node_set_link(*place, slot, saved_link(self, where->kid));
        vvi_hamt_count_in(hamt, *place);
    }
    return status;
}

vv_status vvi_hamt_spill(vv_hamt *hamt, vv_error *err)
{
    uint64_t newest = 0;
    saver self;
    vv_status status;

    VVI_TRY(find_age(hamt, &newest, err));
    status = saver_init(&self, hamt, newest, err);
    if (!status)
        status = save_levels(&self, err);
    if (!status) {
        vvi_rwlock_write(&hamt->tree);
        status = drop_saved(&self, &hamt->root, err);
        vvi_rwlock_unlock(&hamt->tree);
    }
    saver_clear(&self);
    return status ? vvi_wrap(err, status, "make room for changed nodes") : VV_OK;
}
