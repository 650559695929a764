#include "hamt/seen.h"
#include "hamt/tree.h"

#include "util/alloc.h"

#include <string.h>

/* Nodes fetched ahead at once: many while they are small, about READ_AHEAD_BYTES of them. */
#define READ_AHEAD_NODES 256u
#define READ_AHEAD_BYTES ((size_t)4 << 20)

/* A node still to be visited. */
typedef struct todo {
    vvi_node *node; /* held; NULL: not loaded yet, and then its name is */
    vvi_link link;
    unsigned depth;
} todo;

/*
 * A walk over a snapshot: depth first, and of the children of a node the one in the highest slot
 * first, as py-hamt goes.
 */
typedef struct walk {
    vv_hamt *hamt;
    todo *stack;
    size_t count, cap;
    size_t ahead; /* nodes to fetch at once next time */
    vvi_seen seen;
} walk;

static vv_status push(walk *self, vvi_node *node, vv_bytes link, unsigned depth,
                      vv_error *err)
{
    todo *top;

    VVI_TRY(vvi_grow((void **)&self->stack, &self->cap, self->count + 1,
                     sizeof(*self->stack), err));
    top = &self->stack[self->count++];
    top->node = node ? vvi_node_retain(node) : NULL;
    top->link.len = node ? 0 : link.len;
    if (!node)
        memcpy(top->link.bytes, link.data, link.len);
    top->depth = depth;
    return VV_OK;
}

static void walk_clear(walk *self)
{
    for (size_t i = 0; i < self->count; i++)
        vvi_node_release(self->stack[i].node);
    vvi_free(self->stack);
    vvi_seen_clear(&self->seen);
}

static vv_status walk_init(walk *self, vv_hamt *hamt, vv_error *err)
{
    vvi_snapshot snapshot;
    vv_status status;

    memset(self, 0, sizeof(*self));
    self->hamt = hamt;
    self->ahead = 8;
    VVI_TRY(vvi_seen_init(&self->seen, err));
    vvi_hamt_snapshot(hamt, &snapshot);
    status = push(self, snapshot.root, vvi_bytes(snapshot.link.bytes, snapshot.link.len),
                  0, err);
    vvi_node_release(snapshot.root);
    if (status)
        walk_clear(self);
    return status;
}

/* Load the node on top, and in the same call those which come next. */
static vv_status fetch_ahead(walk *self, vv_error *err)
{
    size_t n = 0;
    size_t bytes = 0;
    size_t *which = vvi_alloc_array(self->ahead, sizeof(*which));
    vvi_link *links = vvi_alloc_array(self->ahead, sizeof(*links));
    vvi_node **nodes = vvi_alloc_array(self->ahead, sizeof(vvi_node *));
    vv_status status = VV_OK;

    if (!which || !links || !nodes)
        status = vvi_fail_nomem(err, self->ahead * sizeof(*links));
    for (size_t i = self->count; !status && i-- > 0 && n < self->ahead;) {
        if (self->stack[i].node)
            continue;
        which[n] = i;
        links[n++] = self->stack[i].link;
    }
    if (!status)
        status = vvi_hamt_load_many(self->hamt, links, n, nodes, NULL, err);
    for (size_t i = 0; i < n && !status; i++) {
        self->stack[which[i]].node = nodes[i];
        bytes += nodes[i]->size;
    }
    if (!status) {
        self->ahead = READ_AHEAD_BYTES / (bytes / n + 1);
        if (self->ahead > READ_AHEAD_NODES)
            self->ahead = READ_AHEAD_NODES;
        self->ahead += self->ahead == 0;
    }
    vvi_free(which);
    vvi_free(links);
    vvi_free(nodes);
    return status;
}

/* Put the children of a node on the stack, the highest slot on top. */
static vv_status push_children(walk *self, const vvi_node *node, unsigned depth,
                               vv_error *err)
{
    VVI_EACH_SLOT(slot, &node->links)
    {
        if (depth + 1 >= self->hamt->opts.hash_len)
            return vvi_fail(err, VV_ECORRUPT,
                            "the HAMT is deeper than the %" PRIu32 " bytes of a hash",
                            self->hamt->opts.hash_len);
        if (vvi_slot_has(&node->kids, slot))
            VVI_TRY(push(self, vvi_node_slot(node, slot)->kid, (vv_bytes){ NULL, 0 },
                         depth + 1, err));
        else
            VVI_TRY(push(self, NULL, vvi_node_link(node, slot), depth + 1, err));
    }
    return VV_OK;
}

/* The next node, held for the caller; NULL at the end. Its children are on the stack then. */
static vv_status walk_next(walk *self, vvi_node **out, vv_error *err)
{
    todo top;
    vv_status status;

    *out = NULL;
    if (!self->count)
        return VV_OK;
    if (!self->stack[self->count - 1].node)
        VVI_TRY(fetch_ahead(self, err));
    top = self->stack[self->count - 1];
    if (top.link.len)
        VVI_TRY(vvi_seen_check(&self->seen, &top.link, err));
    self->count--;
    status = push_children(self, top.node, top.depth, err);
    if (status)
        vvi_node_release(top.node);
    else
        *out = top.node;
    return status;
}

static vv_status visit_entries(const vvi_node *node, vv_bytes prefix,
                               vv_hamt_key_fn visit, void *ctx, vv_error *err)
{
    VVI_EACH_SLOT(slot, &node->used)
    {
        vvi_bucket_cursor cursor;
        vvi_entry entry;

        if (vvi_slot_has(&node->links, slot))
            continue;
        cursor = vvi_bucket_begin(vvi_node_element(node, slot).data);
        while (vvi_bucket_next(&cursor, &entry)) {
            vv_cid cid;

            if (!vvi_bytes_start_with(entry.key, prefix))
                continue;
            VVI_TRY(vvi_link_to_cid(entry.link, &cid, err));
            VVI_TRY(visit(ctx, entry.key, &cid, err));
        }
    }
    return VV_OK;
}

vv_status vv_hamt_iterate(vv_hamt *hamt, vv_bytes prefix, vv_hamt_key_fn visit, void *ctx,
                          vv_error *err)
{
    vvi_node *node = NULL;
    vv_status status;
    walk self;

    VVI_TRY(walk_init(&self, hamt, err));
    do {
        status = walk_next(&self, &node, err);
        if (!status && node)
            status = visit_entries(node, prefix, visit, ctx, err);
        vvi_node_release(node);
    } while (node && !status);
    walk_clear(&self);
    return status;
}

vv_status vv_hamt_len(vv_hamt *hamt, uint64_t *out, vv_error *err)
{
    vvi_node *node = NULL;
    uint64_t sum = 0;
    vv_status status;
    walk self;

    VVI_TRY(walk_init(&self, hamt, err));
    do {
        status = walk_next(&self, &node, err);
        if (!status && node)
            sum += vvi_node_entry_count(node);
        vvi_node_release(node);
    } while (node && !status);
    walk_clear(&self);
    if (!status)
        *out = sum;
    return status;
}
