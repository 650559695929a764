/*
 * The walk: depth first, parents before children, each block once, in the order that other
 * exporters of the same tree use. Blocks are fetched ahead of the visit, from the top of the
 * stack of pending links, many at once; what was fetched waits in `held` for its turn.
 */
#include <varvite/dag.h>

#include "dag/links.h"
#include "multiformats/cid_map.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/options.h"

#define BATCH_BLOCKS ((size_t)64)
#define BATCH_BYTES  ((size_t)64 << 20)
/* Blocks fetched at first, before their length is known; doubled from there. */
#define FIRST_BATCH ((size_t)4)
/* Blocks that wait, in batches: each level of the tree may leave some behind. */
#define HELD_BATCHES ((size_t)8)

typedef struct held_block {
    vv_buf data;
    vv_status status;
} held_block;

typedef struct walk {
    vv_blockstore *store;
    vv_dag_options options;
    vv_dag_fn visit;
    void *ctx;
    vv_buf pending;   /* links to follow, see pending.h */
    vv_buf children;  /* of the block being visited */
    vvi_cid_map seen; /* CID → forms it was read in */
    vvi_cid_map held; /* CID → held_block */
    size_t held_bytes;
    size_t batch;      /* blocks to fetch next time */
    size_t longest[2]; /* block of the last batch: leaves, others */
    vv_cid *cids;      /* of one batch, options.batch_blocks places each */
    vvi_dag_form *forms;
    held_block **batch_held;
    vv_buf *bufs;
    vv_status *statuses;
} walk;

static bool is_leaf(const vvi_dag_link *link)
{
    return link->form == VVI_DAG_LEAF;
}

static uint64_t forms_seen(const walk *self, const vv_cid *cid)
{
    const vvi_cid_value *value = vvi_cid_map_find(&self->seen, cid);

    return value ? value->number : 0;
}

/* Nothing new can come of this link. A leaf has no links, so one reading of any form covers it. */
static bool is_done(const walk *self, const vvi_dag_link *link)
{
    uint64_t forms = forms_seen(self, &link->cid);

    return is_leaf(link) ? forms != 0 : (forms & link->form) != 0;
}

/* ---- fetching ---------------------------------------------------------------------------- */

/* Would link fit into what may still be fetched? Takes its share if so. */
static bool take_share(const walk *self, const vvi_dag_link *link, size_t *bytes)
{
    size_t share = self->longest[is_leaf(link)];

    if (share > *bytes)
        return false;
    *bytes -= share;
    return true;
}

/* A place for a block that is about to be fetched: the next one of the batch. */
static vv_status add_to_batch(walk *self, size_t i, const vvi_dag_link *link,
                              vv_error *err)
{
    held_block *block = vvi_alloc_zero(sizeof(*block));
    vvi_cid_value *value;
    vv_status status;

    if (!block)
        return vvi_fail_nomem(err, sizeof(*block));
    status = vvi_cid_map_put(&self->held, &link->cid, &value, NULL, err);
    if (status) {
        vvi_free(block);
        return status;
    }
    value->ptr = block;
    self->batch_held[i] = block;
    self->forms[i] = link->form;
    self->cids[i] = link->cid;
    return VV_OK;
}

/* The block asked for now and those that come next. */
static vv_status choose_batch(walk *self, const vvi_dag_link *now, size_t *count,
                              vv_error *err)
{
    size_t room = self->options.batch_bytes > self->held_bytes
                      ? self->options.batch_bytes - self->held_bytes
                      : 0;
    size_t most = self->held.count < HELD_BATCHES * self->options.batch_blocks
                      ? self->batch
                      : 1;
    size_t end = self->pending.len;
    size_t looked_at = 0;

    *count = 0;
    VVI_TRY(add_to_batch(self, (*count)++, now, err));
    while (*count < most && end && looked_at++ < 4 * most) {
        vvi_dag_link link;

        vvi_pending_before(&self->pending, &end, &link);
        if (is_done(self, &link) || (is_leaf(&link) && self->options.leaves_unread) ||
            vvi_cid_map_find(&self->held, &link.cid))
            continue;
        if (!take_share(self, &link, &room))
            break;
        VVI_TRY(add_to_batch(self, (*count)++, &link, err));
    }
    return VV_OK;
}

static vv_status fetch(walk *self, const vvi_dag_link *now, vv_error *err)
{
    size_t longest[2] = { 0, 0 };
    size_t n;

    VVI_TRY(choose_batch(self, now, &n, err));
    /* A failure of the call is a failure of some blocks; each is told when its turn comes. */
    if (vv_blockstore_get_many(self->store, self->cids, n, self->bufs, self->statuses,
                               err) == VV_ENOMEM) {
        for (size_t i = 0; i < n; i++)
            vv_buf_clear(&self->bufs[i]);
        return VV_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        bool leaf = self->forms[i] == VVI_DAG_LEAF;

        if (self->bufs[i].len > longest[leaf])
            longest[leaf] = self->bufs[i].len;
        self->held_bytes += self->bufs[i].len;
        self->batch_held[i]->status = self->statuses[i];
        vvi_buf_move(&self->batch_held[i]->data, &self->bufs[i]);
    }
    for (size_t leaf = 0; leaf < 2; leaf++)
        if (longest[leaf])
            self->longest[leaf] = longest[leaf];
    self->batch *= 2;
    if (self->batch > self->options.batch_blocks)
        self->batch = self->options.batch_blocks;
    return VV_OK;
}

/* The block of a link, fetched before or now. VV_ENOMEM ends the walk; block->status is told. */
static vv_status take(walk *self, const vvi_dag_link *link, held_block *block,
                      vv_error *err)
{
    vvi_cid_value value;

    if (!vvi_cid_map_find(&self->held, &link->cid))
        VVI_TRY(fetch(self, link, err));
    vvi_cid_map_remove(&self->held, &link->cid, &value);
    *block = *(held_block *)value.ptr;
    self->held_bytes -= block->data.len;
    vvi_free(value.ptr);
    return VV_OK;
}

/* ---- visiting ---------------------------------------------------------------------------- */

static vv_status report(walk *self, const vvi_dag_link *link, vv_bytes data,
                        vv_status status, const vv_error *why, vv_error *err)
{
    vv_dag_visit visit = { .cid = &link->cid,
                           .codec = vvi_dag_codec(link->form, &link->cid),
                           .depth = link->depth,
                           .status = status,
                           .data = status ? (vv_bytes){ NULL, 0 } : data,
                           .message = status ? why->message : NULL };

    return self->visit(self->ctx, &visit, err);
}

static vv_status mark(walk *self, const vvi_dag_link *link, bool *first, vv_error *err)
{
    vvi_cid_value *value;

    VVI_TRY(vvi_cid_map_put(&self->seen, &link->cid, &value, first, err));
    value->number |= (uint64_t)link->form;
    return VV_OK;
}

/* Its links into children, or why the block has none to give; block->status is VV_OK when there
 * is a block at all. */
static vv_status read_block(walk *self, const vvi_dag_link *link, held_block *block,
                            vv_error *why)
{
    vv_status status;

    self->children.len = 0;
    /* Asked once more, for the reason; if it is there now, so much the better. */
    if (block->status)
        block->status = vv_blockstore_get(self->store, &link->cid, &block->data, why);
    if (block->status)
        return block->status;
    /* Who names a block by a bare multihash names its children so. */
    status = vvi_dag_links(link, vvi_buf_bytes(&block->data),
                           self->options.bare_links || link->cid.version == VV_CID_BARE,
                           &self->children, why);
    if (status && status != VV_ENOMEM) {
        char text[VV_CID_TEXT_MAX];

        vv_cid_format(&link->cid, text);
        vvi_wrap(why, status, "block %s", text);
    }
    return status;
}

static vv_status visit_link(walk *self, const vvi_dag_link *link, vv_error *err)
{
    held_block block = { VV_BUF_INIT, VV_OK };
    vv_error why = VV_ERROR_INIT;
    vv_status found;
    vv_status status;
    bool first;

    if (is_done(self, link))
        return VV_OK;
    if (is_leaf(link) && self->options.leaves_unread) {
        VVI_TRY(mark(self, link, &first, err));
        return report(self, link, (vv_bytes){ NULL, 0 }, VV_OK, &why, err);
    }
    VVI_TRY(take(self, link, &block, err));
    found = read_block(self, link, &block, &why);
    status = found == VV_ENOMEM ? vvi_fail(err, VV_ENOMEM, "%s", why.message)
                                : mark(self, link, &first, err);
    /* A block that was read in another form before is not told twice, but its links count. */
    if (!status && (first || (found && !block.status)))
        status = report(self, link, vvi_buf_bytes(&block.data), found, &why, err);
    if (!status && !found)
        status = vvi_pending_push_reversed(&self->pending, &self->children, err);
    vv_buf_clear(&block.data);
    return status;
}

static void walk_clear(walk *self)
{
    vvi_cid_value *value;
    size_t cursor = 0;

    while (vvi_cid_map_next(&self->held, &cursor, NULL, &value)) {
        held_block *block = value->ptr;

        vv_buf_clear(&block->data);
        vvi_free(block);
    }
    vvi_cid_map_clear(&self->held);
    vvi_cid_map_clear(&self->seen);
    vv_buf_clear(&self->pending);
    vv_buf_clear(&self->children);
    vvi_free(self->cids);
    vvi_free(self->forms);
    vvi_free(self->batch_held);
    vvi_free(self->bufs);
    vvi_free(self->statuses);
}

static vv_status walk_init(walk *self, const vv_dag_options *options, vv_error *err)
{
    size_t n;

    VVI_TRY(vvi_read_options(&self->options, sizeof(self->options), options, err));
    if (self->options.batch_blocks == 0)
        self->options.batch_blocks = BATCH_BLOCKS;
    if (self->options.batch_bytes == 0)
        self->options.batch_bytes = BATCH_BYTES;
    n = self->options.batch_blocks;
    self->batch = n < FIRST_BATCH ? n : FIRST_BATCH;
    self->cids = vvi_alloc_array(n, sizeof(*self->cids));
    self->forms = vvi_alloc_array(n, sizeof(*self->forms));
    self->batch_held = vvi_alloc_array(n, sizeof(*self->batch_held));
    self->bufs = vvi_alloc_array_zero(n, sizeof(*self->bufs));
    self->statuses = vvi_alloc_array(n, sizeof(*self->statuses));
    if (!self->cids || !self->forms || !self->batch_held || !self->bufs ||
        !self->statuses)
        return vvi_fail_nomem(err, n * sizeof(*self->cids));
    return VV_OK;
}

vv_status vv_dag_walk(vv_blockstore *store, const vv_cid *roots, size_t n,
                      const vv_dag_options *options, vv_dag_fn visit, void *ctx,
                      vv_error *err)
{
    walk self = { .store = store, .visit = visit, .ctx = ctx };
    vv_status status = walk_init(&self, options, err);

    for (size_t i = n; i-- > 0 && !status;) {
        vvi_dag_link root = { roots[i], 0, vvi_dag_form_of(&roots[i]) };

        status = vvi_pending_push(&self.pending, &root, err);
    }
    while (!status && self.pending.len) {
        size_t end = self.pending.len;
        vvi_dag_link link;

        vvi_pending_before(&self.pending, &end, &link);
        self.pending.len = end;
        status = visit_link(&self, &link, err);
    }
    walk_clear(&self);
    return status;
}
