/*
 * The difference of two maps whose keys are hashed differently: nothing of one tree lies where the
 * other has it, so each key of one map is looked up in the other, some thousands at a time.
 */
#include "hamt/diff.h"

#include "util/alloc.h"

#include <string.h>

#define BATCH_KEYS  4096u
#define BATCH_BYTES ((size_t)1 << 20)

/* Keys of one map that wait to be looked up in the other. */
typedef struct batch {
    vvi_diff *diff;
    unsigned from; /* which map they are of */
    size_t count;
    vv_buf text;    /* all keys, one behind the other */
    size_t *starts; /* in text */
    vv_bytes *keys; /* filled in when they are looked up: text moves while it grows */
    vv_cid *cids, *found;
    vv_status *statuses;
} batch;

static void batch_clear(batch *self)
{
    vv_buf_clear(&self->text);
    vvi_free(self->starts);
    vvi_free(self->keys);
    vvi_free(self->cids);
    vvi_free(self->found);
    vvi_free(self->statuses);
}

static vv_status batch_init(batch *self, vvi_diff *diff, unsigned from, vv_error *err)
{
    memset(self, 0, sizeof(*self));
    self->diff = diff;
    self->from = from;
    self->starts = vvi_alloc_array(BATCH_KEYS, sizeof(*self->starts));
    self->keys = vvi_alloc_array(BATCH_KEYS, sizeof(*self->keys));
    self->cids = vvi_alloc_array(BATCH_KEYS, sizeof(*self->cids));
    self->found = vvi_alloc_array(BATCH_KEYS, sizeof(*self->found));
    self->statuses = vvi_alloc_array(BATCH_KEYS, sizeof(*self->statuses));
    if (self->starts && self->keys && self->cids && self->found && self->statuses)
        return VV_OK;
    return vvi_fail_nomem(err, BATCH_KEYS * sizeof(*self->cids));
}

/* Tell key i, which is in one map only or in both. Of those in both the first pass tells. */
static vv_status tell_key(batch *self, size_t i, vv_error *err)
{
    bool there = self->statuses[i] == VV_OK;

    if (self->statuses[i] && self->statuses[i] != VV_ENOTFOUND)
        return vvi_fail(err, self->statuses[i], "key \"%.*s\" could not be looked up",
                        VVI_KEY_ARG(self->keys[i]));
    if (self->from == 1)
        return there
                   ? VV_OK
                   : vvi_diff_tell(self->diff, self->keys[i], NULL, &self->cids[i], err);
    if (there && vv_cid_same_block(&self->cids[i], &self->found[i]))
        return VV_OK;
    return vvi_diff_tell(self->diff, self->keys[i], &self->cids[i],
                         there ? &self->found[i] : NULL, err);
}

static void count_nodes(vvi_diff *diff)
{
    vv_hamt_stats stats[2];

    vv_hamt_stat(diff->maps[0], &stats[0]);
    vv_hamt_stat(diff->maps[1], &stats[1]);
    diff->result.nodes = stats[0].node_loads + stats[1].node_loads;
}

static vv_status look_up(batch *self, vv_error *err)
{
    unsigned other = 1 - self->from;
    vv_status status;

    for (size_t i = 0; i < self->count; i++) {
        size_t end = i + 1 < self->count ? self->starts[i + 1] : self->text.len;

        self->keys[i] = vvi_bytes(self->text.data + self->starts[i],
                                  end - self->starts[i]);
    }
    status = vv_hamt_get_pointers(self->diff->maps[other], self->keys, self->count,
                                  self->found, self->statuses, err);
    if (status)
        return vvi_diff_failed(other, status, err);
    for (size_t i = 0; i < self->count; i++)
        VVI_TRY(tell_key(self, i, err));
    self->count = 0;
    self->text.len = 0;
    count_nodes(self->diff);
    return vvi_diff_progress(self->diff, err);
}

static vv_status gather(void *ctx, vv_bytes key, const vv_cid *pointer, vv_error *err)
{
    batch *self = ctx;

    if (self->count == BATCH_KEYS ||
        (self->count && self->text.len + key.len > BATCH_BYTES))
        VVI_TRY(look_up(self, err));
    self->starts[self->count] = self->text.len;
    VVI_TRY(vvi_buf_append(&self->text, key, err));
    self->cids[self->count++] = *pointer;
    return VV_OK;
}

static vv_status look_up_all(vvi_diff *diff, unsigned from, vv_error *err)
{
    batch self;
    vv_status status = batch_init(&self, diff, from, err);

    if (!status)
        status = vv_hamt_iterate(diff->maps[from], (vv_bytes){ NULL, 0 }, gather, &self,
                                 err);
    if (!status && self.count)
        status = look_up(&self, err);
    batch_clear(&self);
    count_nodes(diff);
    return status;
}

vv_status vvi_diff_by_keys(vvi_diff *diff, vv_error *err)
{
    VVI_TRY(look_up_all(diff, 0, err));
    return look_up_all(diff, 1, err);
}
