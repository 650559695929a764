/* B-trees, walked from left to right without recursion. */
#include "h5/inner.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

#define DEPTH_MAX 32
#define NODES_MAX ((uint64_t)1 << 24) /* of one tree: a circle ends here */

/* ---- version 2 ------------------------------------------------------------------------------ */

#define NODE_HEAD 6  /* signature, version, type */
#define NODE_PLUS 10 /* and the checksum */

typedef struct tree2 {
    const vvi_h5 *file;
    uint64_t node_size;
    size_t record;                 /* bytes */
    size_t count_width;            /* of a child's record count */
    size_t total_width[DEPTH_MAX]; /* of the count of all below a child on this level */
    uint8_t type;
    uint64_t nodes;
    vvi_h5_record_fn visit;
    void *ctx;
} tree2;

/* How wide the counts in nodes of each level are: they follow from the most records that fit. */
static void measure_levels(tree2 *self, unsigned depth)
{
    uint64_t most = (self->node_size - NODE_PLUS) / self->record;
    uint64_t below = most;

    self->count_width = vvi_h5_width(most);
    self->total_width[0] = 0;
    for (unsigned level = 1; level <= depth; level++) {
        uint64_t pointer = 8 + self->count_width + self->total_width[level - 1];
        uint64_t fit = (self->node_size - NODE_PLUS - pointer) / (self->record + pointer);

        if (__builtin_mul_overflow(fit + 1, below, &below) ||
            __builtin_add_overflow(below, fit, &below))
            below = UINT64_MAX;
        self->total_width[level] = vvi_h5_width(below);
    }
}

static vv_status walk_node(tree2 *self, uint64_t address, uint64_t records,
                           unsigned level, vv_error *err);

/* Records and children in turn. Levels are at most DEPTH_MAX, and so does this nest. */
static vv_status walk_inner(tree2 *self, vv_bytes node, uint64_t records, unsigned level,
                            vv_error *err)
{
    size_t pointer = 8 + self->count_width + self->total_width[level - 1];
    vvi_h5_cursor in = vvi_h5_cursor_of(vvi_bytes(
        node.data + NODE_HEAD + records * self->record, (size_t)(records + 1) * pointer));

    for (uint64_t i = 0; i <= records; i++) {
        uint64_t child = vvi_h5_number(&in, 8);
        uint64_t count = vvi_h5_number(&in, self->count_width);

        vvi_h5_take(&in, self->total_width[level - 1]);
        VVI_TRY(walk_node(self, child, count, level - 1, err));
        if (i < records)
            VVI_TRY(self->visit(
                self->ctx,
                vvi_bytes(node.data + NODE_HEAD + i * self->record, self->record), err));
    }
    return VV_OK;
}

static vv_status walk_node(tree2 *self, uint64_t address, uint64_t records,
                           unsigned level, vv_error *err)
{
    uint64_t pointer = level ? 8 + self->count_width + self->total_width[level - 1] : 0;
    uint64_t len = NODE_PLUS + records * self->record +
                   (level ? records + 1 : 0) * pointer;
    vv_buf node = VV_BUF_INIT;
    vv_status status;

    if (++self->nodes > NODES_MAX || records > self->node_size || len > self->node_size)
        return vvi_fail(err, VV_ECORRUPT, "a node of %" PRIu64 " records", records);
    status = vvi_h5_load_block(self->file, address, len, level ? "BTIN" : "BTLF", true,
                               &node, err);
    if (!status && node.data[5] != self->type)
        status = vvi_fail(err, VV_ECORRUPT, "a node of another tree");
    if (!status && level)
        status = walk_inner(self, vvi_buf_bytes(&node), records, level, err);
    for (uint64_t i = 0; !status && !level && i < records; i++)
        status = self->visit(
            self->ctx, vvi_bytes(node.data + NODE_HEAD + i * self->record, self->record),
            err);
    vv_buf_clear(&node);
    return status;
}

vv_status vvi_h5_btree2(const vvi_h5 *file, uint64_t address, uint8_t type_a,
                        uint8_t type_b, uint8_t *type, vvi_h5_record_fn visit, void *ctx,
                        vv_error *err)
{
    tree2 self = { .file = file, .visit = visit, .ctx = ctx };
    vv_buf head = VV_BUF_INIT;
    vvi_h5_cursor in;
    uint64_t depth, root, records;
    vv_status status = vvi_h5_load_block(file, address, 38, "BTHD", true, &head, err);

    if (status) {
        vv_buf_clear(&head);
        return status;
    }
    in = vvi_h5_cursor_of(vvi_bytes(head.data + 5, head.len - 5));
    *type = self.type = (uint8_t)vvi_h5_number(&in, 1);
    self.node_size = vvi_h5_number(&in, 4);
    self.record = (size_t)vvi_h5_number(&in, 2);
    depth = vvi_h5_number(&in, 2);
    vvi_h5_take(&in, 2);
    root = vvi_h5_number(&in, 8);
    records = vvi_h5_number(&in, 2);
    vv_buf_clear(&head);
    if ((self.type != type_a && self.type != type_b) || self.record == 0 ||
        self.node_size < NODE_PLUS + 32 + self.record ||
        self.node_size > VVI_H5_BLOCK_MAX || depth >= DEPTH_MAX)
        return vvi_fail(err, VV_ECORRUPT, "B-tree at %" PRIu64 ": impossible measures",
                        address);
    if (root == VVI_H5_NONE || records == 0)
        return VV_OK;
    measure_levels(&self, (unsigned)depth);
    status = walk_node(&self, root, records, (unsigned)depth, err);
    return status ? vvi_wrap(err, status, "B-tree at %" PRIu64, address) : VV_OK;
}

/* ---- version 1 ------------------------------------------------------------------------------ */

/* A node that is being walked: at its next child. */
typedef struct node1 {
    vv_buf block;
    uint64_t next, count;
    unsigned level;
} node1;

static vv_status load_node1(const vvi_h5 *file, uint64_t address, uint8_t type,
                            size_t key_len, node1 *out, vv_error *err)
{
    uint8_t head[24];

    *out = (node1){ .block = VV_BUF_INIT };
    VVI_TRY(vvi_h5_load_into(file, address, head, sizeof(head), err));
    if (memcmp(head, "TREE", 4) != 0 || head[4] != type)
        return vvi_fail(err, VV_ECORRUPT, "address %" PRIu64 " holds no such B-tree",
                        address);
    out->level = head[5];
    out->count = vvi_get_le16(head + 6);
    return vvi_h5_load(file, address + sizeof(head), out->count * (key_len + 8) + key_len,
                       &out->block, err);
}

static vv_status walk_tree1(const vvi_h5 *file, uint8_t type, size_t key_len,
                            node1 *stack, size_t *depth, vvi_h5_leaf_fn visit, void *ctx,
                            vv_error *err)
{
    uint64_t nodes = 0;

    while (*depth) {
        node1 *node = &stack[*depth - 1];
        const uint8_t *entry;
        uint64_t child;

        if (node->next == node->count) {
            vv_buf_clear(&node->block);
            --*depth;
            continue;
        }
        entry = node->block.data + node->next++ * (key_len + 8);
        child = vvi_get_le64(entry + key_len);
        if (node->level == 0) {
            VVI_TRY(visit(ctx, vvi_bytes(entry, key_len), child, err));
            continue;
        }
        if (*depth == DEPTH_MAX || ++nodes > NODES_MAX)
            return vvi_fail(err, VV_ECORRUPT, "a B-tree that does not end");
        VVI_TRY(load_node1(file, child, type, key_len, &stack[*depth], err));
        if (stack[(*depth)++].level + 1 != node->level)
            return vvi_fail(err, VV_ECORRUPT, "a B-tree whose levels do not follow");
    }
    return VV_OK;
}

vv_status vvi_h5_btree1(const vvi_h5 *file, uint64_t address, uint8_t type,
                        size_t key_len, vvi_h5_leaf_fn visit, void *ctx, vv_error *err)
{
    node1 *stack = vvi_alloc_array_zero(DEPTH_MAX, sizeof(*stack));
    size_t depth = 0;
    vv_status status;

    if (!stack)
        return vvi_fail_nomem(err, DEPTH_MAX * sizeof(*stack));
    status = load_node1(file, address, type, key_len, &stack[0], err);
    depth = 1;
    if (!status)
        status = walk_tree1(file, type, key_len, stack, &depth, visit, ctx, err);
    while (depth)
        vv_buf_clear(&stack[--depth].block);
    vvi_free(stack);
    return status;
}
