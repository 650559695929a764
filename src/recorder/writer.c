/* The writer's thread: blocks to chunks, chunks to the sink, flushes, the end. */
#include "recorder/inner.h"
#include "util/alloc.h"

#include <string.h>

#define MS               1000000u
#define SECOND           1000000000u
#define LATENESS_BUCKETS 24

static bool gives_up(vv_recorder *self)
{
    return __atomic_load_n(&self->give_up, __ATOMIC_RELAXED);
}

static void chunk_is_put(void *ctx, const vvi_job *job);

/* ---- state --------------------------------------------------------------------------------- */

void vvi_writer_clear(vv_recorder *self)
{
    for (size_t g = 0; self->writing && g < self->plan.group_count; g++) {
        vvi_writing *to = &self->writing[g];

        for (size_t i = 0; to->leaves && i < self->plan.groups[g].leaf_count; i++) {
            vvi_free(to->leaves[i].rows[0]);
            vvi_free(to->leaves[i].rows[1]);
        }
        vvi_free(to->leaves);
        vvi_free(to->times);
    }
    vvi_free(self->writing);
    vvi_free(self->rows);
    vvi_free(self->committed);
}

static void *alloc_counted(vv_recorder *self, uint64_t count, uint64_t size)
{
    self->fixed_bytes += count * size;
    return vvi_alloc_array_zero((size_t)count, (size_t)size);
}

/* Where a group of ROWS that is gone on with stands: its unfinished chunks come from the resume. */
static vv_status resume_rows(vv_recorder *self, size_t g, uint64_t rows,
                             void *const *tails, vv_error *err)
{
    const vvi_plan_group *plan = &self->plan.groups[g];
    uint64_t block_rows = self->layout.groups[g].rows;
    vvi_writing *to = &self->writing[g];
    uint64_t rest = rows % block_rows;
    vvi_block *block = NULL;
    uint64_t dropped = 0;

    to->rows = rows - rest;
    to->partial = rest;
    if (rest) {
        VVI_TRY(vvi_queue_fill(&self->queue, g, VVI_ROOM_NONE, &dropped, err));
        block = self->queue.groups[g].filling;
        block->begun = true;
        block->rows = block->taken = block->put = (uint32_t)rest;
    }
    for (size_t i = 0; i < plan->leaf_count; i++) {
        const vvi_plan_leaf *leaf = &plan->leaves[i];
        vvi_gather *gather = &to->leaves[i];
        const void *tail = tails ? tails[i] : NULL;
        uint64_t count = rows % leaf->chunk_rows;

        gather->put = rows;
        if (!count || !leaf->row_bytes)
            continue;
        if (!tail)
            return vvi_fail(err, VV_EINVAL, "%s, %s: no tail to go on with", plan->name,
                            leaf->name);
        if (gather->rows[0])
            gather->fill = gather->tail = count;
        memcpy(gather->rows[0] ? gather->rows[0] : block->leaf[i], tail,
               (size_t)count * leaf->row_bytes);
    }
    return VV_OK;
}

static vv_status init_group(vv_recorder *self, size_t g, const vvi_resume *resume,
                            vv_error *err)
{
    const vvi_plan_group *plan = &self->plan.groups[g];
    const vvi_block_layout *layout = &self->layout.groups[g];
    uint64_t rows = resume && resume->rows ? resume->rows[g] : 0;
    vvi_writing *to = &self->writing[g];

    to->written = to->resumed = rows;
    to->leaves = alloc_counted(self, plan->leaf_count, sizeof(*to->leaves));
    to->times = alloc_counted(self, layout->late_rows, sizeof(*to->times));
    if (!to->leaves || !to->times)
        return vvi_fail_nomem(err, (size_t)layout->late_rows * sizeof(*to->times));
    for (size_t i = 0; i < plan->leaf_count; i++) {
        const vvi_plan_leaf *leaf = &plan->leaves[i];

        to->row_bytes += leaf->row_bytes;
        if (plan->kind != VVI_GROUP_ROWS || leaf->chunk_rows == layout->rows)
            continue;
        for (int k = 0; k < 2; k++) {
            to->leaves[i].rows[k] = alloc_counted(self, leaf->chunk_rows,
                                                  leaf->row_bytes);
            if (!to->leaves[i].rows[k])
                return vvi_fail_nomem(err, (size_t)leaf->chunk_rows * leaf->row_bytes);
        }
    }
    if (plan->kind == VVI_GROUP_ROWS)
        return resume_rows(
            self, g, rows,
            resume && resume->tails ? (void *const *)resume->tails[g] : NULL, err);
    to->rows = rows;
    return VV_OK;
}

vv_status vvi_writer_init(vv_recorder *self, const vvi_resume *resume, vv_error *err)
{
    size_t count = self->plan.group_count;

    self->writing = vvi_alloc_array_zero(count, sizeof(*self->writing));
    self->rows = vvi_alloc_array_zero(count, sizeof(*self->rows));
    self->committed = vvi_alloc_array_zero(count, sizeof(*self->committed));
    if (!self->writing || !self->rows || !self->committed)
        return vvi_fail_nomem(err, count * sizeof(*self->writing));
    for (size_t g = 0; g < count; g++) {
        VVI_TRY(init_group(self, g, resume, err));
        self->committed[g] = self->writing[g].written;
    }
    self->committed_step = resume ? resume->next_step : 0;
    return vvi_encoder_init(&self->encoder, self->sink, self->layout.threads - 1,
                            self->layout.slots, chunk_is_put, self, err);
}

/* ---- counting rows that are in the sink ------------------------------------------------------- */

static void count_late(vv_recorder *self, uint32_t logged_ms, uint32_t now_ms)
{
    uint32_t late = now_ms - logged_ms;
    unsigned bucket = late ? 32u - (unsigned)__builtin_clz(late) : 0;

    VVI_COUNT(self->counters
                  .lateness[bucket < LATENESS_BUCKETS ? bucket : LATENESS_BUCKETS - 1],
              1);
}

/* Rows up to this one, of all leaves, are in the sink. */
static void count_written(vv_recorder *self, size_t g, uint64_t rows)
{
    uint32_t now = vvi_recorder_ms(self, vvi_now_ns());
    vvi_writing *to = &self->writing[g];
    uint64_t more = rows - to->written;

    if (rows <= to->written)
        return;
    for (; to->written < rows; to->written++)
        count_late(self, to->times[to->written % self->layout.groups[g].late_rows], now);
    VVI_COUNT(self->counters.written, more);
    VVI_COUNT(self->counters.raw_bytes, more * to->row_bytes);
}

/* The rows of a group of ROWS that all leaves have in the sink. */
static void update_written(vv_recorder *self, size_t g)
{
    const vvi_plan_group *plan = &self->plan.groups[g];
    uint64_t least = UINT64_MAX;

    for (size_t i = 0; i < plan->leaf_count; i++)
        if (plan->leaves[i].row_bytes && self->writing[g].leaves[i].put < least)
            least = self->writing[g].leaves[i].put;
    count_written(self, g, least); /* the steps are always there */
}

static void keep_times(vv_recorder *self, size_t g, const vvi_block *block, uint32_t from,
                       uint32_t to)
{
    uint64_t first = self->writing[g].rows;

    for (uint32_t row = from; row < to; row++)
        self->writing[g].times[(first + row) % self->layout.groups[g].late_rows] =
            block->times[row];
}

/* ---- chunks -------------------------------------------------------------------------------- */

static void let_go(vv_recorder *self, vvi_block *block)
{
    if (--block->jobs == 0)
        vvi_queue_give_back(&self->queue, block);
}

/* A chunk is in the sink. */
static void chunk_is_put(void *ctx, const vvi_job *job)
{
    vv_recorder *self = ctx;
    vvi_gather *gather = &self->writing[job->group].leaves[job->leaf];
    uint64_t rows = job->chunk *
                        self->plan.groups[job->group].leaves[job->leaf].chunk_rows +
                    job->count;

    if (rows > gather->put)
        gather->put = rows;
    update_written(self, job->group);
    if (job->owner)
        let_go(self, job->owner);
    else
        gather->busy[job->rows == gather->rows[1]] = false;
}

static vv_status stop_or_go(vv_recorder *self, vv_error *err)
{
    return gives_up(self) ? vvi_fail(err, VV_ECANCELED, "the recording was given up")
                          : VV_OK;
}

/* Encode what a gathering leaf holds; the other buffer is filled from here on. */
static vv_status send_gathered(vv_recorder *self, size_t g, size_t i, vv_error *err)
{
    vvi_gather *gather = &self->writing[g].leaves[i];
    uint64_t chunk_rows = self->plan.groups[g].leaves[i].chunk_rows;
    vvi_job job = { .group = g, .leaf = i, .count = gather->fill };
    uint64_t last = self->writing[g].rows + self->writing[g].partial;

    job.chunk = (last - gather->fill) / chunk_rows;
    job.rows = gather->rows[gather->at];
    gather->busy[gather->at] = true;
    VVI_TRY(vvi_encoder_add(&self->encoder, &job, err));
    gather->at ^= 1;
    gather->fill = gather->tail = 0;
    while (gather->busy[gather->at]) {
        VVI_TRY(stop_or_go(self, err));
        VVI_TRY(vvi_encoder_advance(&self->encoder, err));
    }
    return VV_OK;
}

/* Rows partial to upto - 1 of a block go on to leaves that gather. */
static vv_status gather_rows(vv_recorder *self, size_t g, vvi_block *block, uint32_t upto,
                             vv_error *err)
{
    const vvi_plan_group *plan = &self->plan.groups[g];
    vvi_writing *to = &self->writing[g];
    uint64_t from = block->taken;

    keep_times(self, g, block, block->taken, upto);
    block->taken = upto;
    to->partial = upto;
    for (size_t i = 0; i < plan->leaf_count && from < upto; i++) {
        vvi_gather *gather = &to->leaves[i];
        size_t row_bytes = plan->leaves[i].row_bytes;

        /* A block never reaches over the end of a chunk, which is a multiple of it. */
        if (!gather->rows[0] || !row_bytes)
            continue;
        memcpy(gather->rows[gather->at] + gather->fill * row_bytes,
               block->leaf[i] + from * row_bytes, (upto - from) * row_bytes);
        gather->fill += upto - from;
        if (gather->fill == plan->leaves[i].chunk_rows)
            VVI_TRY(send_gathered(self, g, i, err));
    }
    return VV_OK;
}

/* Chunks of the leaves whose chunk a block is; count rows of it. The block is held by each. */
static vv_status send_block(vv_recorder *self, size_t g, vvi_block *block, uint64_t count,
                            vv_error *err)
{
    const vvi_plan_group *plan = &self->plan.groups[g];

    for (size_t i = 0; i < plan->leaf_count; i++) {
        vvi_job job = { .group = g, .leaf = i, .count = count, .owner = block };

        if (self->writing[g].leaves[i].rows[0] || !plan->leaves[i].row_bytes)
            continue;
        job.chunk = self->writing[g].rows / block->capacity;
        job.rows = block->leaf[i];
        block->jobs++;
        VVI_TRY(vvi_encoder_add(&self->encoder, &job, err));
    }
    return VV_OK;
}

/* Rows of PLACED and ONCE go one by one. */
static vv_status put_values(vv_recorder *self, size_t g, vvi_block *block, uint32_t upto,
                            vv_error *err)
{
    const vvi_plan_group *plan = &self->plan.groups[g];
    vvi_writing *to = &self->writing[g];

    for (; block->put < upto; block->put++) {
        const uint64_t *index =
            block->places ? &block->places[(size_t)block->put * VVI_EXTENT_NDIM_MAX]
                          : NULL;

        VVI_TRY(stop_or_go(self, err));
        for (size_t i = 0; i < plan->leaf_count; i++)
            if (plan->leaves[i].row_bytes)
                VVI_TRY(self->sink->ops->put_value(
                    self->sink, g, i, index,
                    block->leaf[i] + block->put * plan->leaves[i].row_bytes, err));
        to->times[to->rows % self->layout.groups[g].late_rows] = block->times[block->put];
        to->rows++;
        count_written(self, g, to->rows);
    }
    return VV_OK;
}

/* A full block, which the writer has taken. */
static vv_status write_block(vv_recorder *self, vvi_block *block, vv_error *err)
{
    size_t g = block->group;
    vv_status status;

    if (self->plan.groups[g].kind != VVI_GROUP_ROWS) {
        status = put_values(self, g, block, block->capacity, err);
        if (!status)
            vvi_queue_give_back(&self->queue, block);
        return status;
    }
    block->jobs = 1; /* held until all chunks are on their way */
    status = gather_rows(self, g, block, block->capacity, err);
    if (!status)
        status = send_block(self, g, block, block->capacity, err);
    if (status)
        return status;
    self->writing[g].rows += block->capacity;
    self->writing[g].partial = 0;
    let_go(self, block);
    return VV_OK;
}

/* Have all chunks that are on their way in the sink. */
static vv_status put_encoded(vv_recorder *self, vv_error *err)
{
    while (vvi_encoder_busy(&self->encoder)) {
        VVI_TRY(stop_or_go(self, err));
        VVI_TRY(vvi_encoder_advance(&self->encoder, err));
    }
    return VV_OK;
}

/* Write all full blocks below a number, and have them in the sink. */
static vv_status write_blocks(vv_recorder *self, uint64_t limit, vv_error *err)
{
    for (;;) {
        vvi_block *block = vvi_queue_take(&self->queue, limit);

        VVI_TRY(stop_or_go(self, err));
        if (block)
            VVI_TRY(write_block(self, block, err));
        else if (vvi_encoder_busy(&self->encoder))
            VVI_TRY(vvi_encoder_advance(&self->encoder, err));
        else
            return VV_OK;
    }
}

/* ---- flush --------------------------------------------------------------------------------- */

/* Where all groups stand after a step; the number of the first block that is full later. */
static uint64_t stand_still(vv_recorder *self)
{
    uint64_t limit;

    vvi_mutex_lock(&self->log_lock);
    vvi_mutex_lock(&self->queue.lock);
    limit = self->queue.next_number;
    for (size_t g = 0; g < self->plan.group_count; g++) {
        vvi_writing *to = &self->writing[g];

        to->block = self->queue.groups[g].filling;
        to->block_rows = 0;
        if (to->block)
            to->block_rows = __atomic_load_n(&to->block->rows, __ATOMIC_ACQUIRE);
        if (to->block_rows)
            to->block->begun = true;
        else
            to->block = NULL; /* it may be filled and dropped meanwhile */
    }
    self->flush_step = self->next_step;
    __atomic_store_n(&self->dirty_since, 0, __ATOMIC_RELAXED);
    vvi_mutex_unlock(&self->queue.lock);
    vvi_mutex_unlock(&self->log_lock);
    return limit;
}

static vv_status put_tail(vv_recorder *self, size_t g, size_t i, const void *rows,
                          uint64_t chunk, uint64_t first, uint64_t count, vv_error *err)
{
    const vvi_plan_leaf *leaf = &self->plan.groups[g].leaves[i];

    VVI_TRY(stop_or_go(self, err));
    VVI_TRY(self->sink->ops->put_tail(self->sink, g, i, chunk, rows, first, count, err));
    self->writing[g].leaves[i].put = chunk * leaf->chunk_rows + first + count;
    return VV_OK;
}

/* The rows of unfinished chunks that are not in the sink yet. */
static vv_status put_tails(vv_recorder *self, size_t g, vv_error *err)
{
    const vvi_plan_group *plan = &self->plan.groups[g];
    vvi_writing *to = &self->writing[g];
    vvi_block *block = to->block;

    if (block)
        VVI_TRY(gather_rows(self, g, block, to->block_rows, err));
    VVI_TRY(vvi_encoder_drain(&self->encoder, err)); /* what that filled */
    for (size_t i = 0; i < plan->leaf_count; i++) {
        uint64_t chunk_rows = plan->leaves[i].chunk_rows;
        vvi_gather *gather = &to->leaves[i];

        if (!plan->leaves[i].row_bytes)
            continue;
        if (gather->rows[0] && gather->fill > gather->tail) {
            VVI_TRY(put_tail(self, g, i, gather->rows[gather->at],
                             (to->rows + to->partial) / chunk_rows, gather->tail,
                             gather->fill - gather->tail, err));
            gather->tail = gather->fill;
        } else if (!gather->rows[0] && block && to->block_rows > block->put) {
            VVI_TRY(put_tail(self, g, i, block->leaf[i], to->rows / chunk_rows,
                             block->put, to->block_rows - block->put, err));
        }
    }
    if (block && to->block_rows > block->put)
        block->put = to->block_rows;
    update_written(self, g);
    return VV_OK;
}

/* Everything that stands still in the sink, and what the sink is told of it. */
static vv_status put_all(vv_recorder *self, uint64_t limit, vv_error *err)
{
    VVI_TRY(write_blocks(self, limit, err));
    for (size_t g = 0; g < self->plan.group_count; g++) {
        vvi_writing *to = &self->writing[g];

        if (self->plan.groups[g].kind == VVI_GROUP_ROWS)
            VVI_TRY(put_tails(self, g, err));
        else if (to->block)
            VVI_TRY(put_values(self, g, to->block, to->block_rows, err));
        self->rows[g] = to->rows + to->partial;
    }
    return VV_OK;
}

static void count_safe(vv_recorder *self, vv_durability durability)
{
    uint64_t written = __atomic_load_n(&self->counters.written, __ATOMIC_RELAXED);

    __atomic_store_n(&self->counters.flushed, written, __ATOMIC_RELEASE);
    if (durability == VV_DURABLE)
        __atomic_store_n(&self->counters.durable, written, __ATOMIC_RELEASE);
    __atomic_store_n(&self->counters.stored, self->sink->ops->stored(self->sink),
                     __ATOMIC_RELAXED);
}

static vv_status flush(vv_recorder *self, vv_durability durability, vv_error *err)
{
    size_t bytes = self->plan.group_count * sizeof(*self->rows);
    bool same;

    VVI_TRY(put_encoded(self, err)); /* so that few blocks are begun at a time */
    VVI_TRY(put_all(self, stand_still(self), err));
    same = memcmp(self->rows, self->committed, bytes) == 0 &&
           self->flush_step == self->committed_step;
    if (same && (durability == VV_PROCESS || self->committed_as == VV_DURABLE))
        return VV_OK;
    VVI_TRY(stop_or_go(self, err));
    VVI_TRY(self->sink->ops->commit(self->sink, self->rows, self->flush_step, durability,
                                    err));
    memcpy(self->committed, self->rows, bytes);
    self->committed_step = self->flush_step;
    self->committed_as = durability;
    VVI_COUNT(self->counters.flushes, 1);
    count_safe(self, durability);
    return VV_OK;
}

/* ---- the end -------------------------------------------------------------------------------- */

/* Encode the last chunk of each leaf, however short. */
static vv_status send_last(vv_recorder *self, size_t g, vv_error *err)
{
    vvi_writing *to = &self->writing[g];

    if (to->block) {
        VVI_TRY(gather_rows(self, g, to->block, to->block_rows, err));
        to->block->jobs = 1; /* it stays with the queue */
        VVI_TRY(send_block(self, g, to->block, to->block_rows, err));
    }
    for (size_t i = 0; i < self->plan.groups[g].leaf_count; i++)
        if (to->leaves[i].rows[0] && to->leaves[i].fill)
            VVI_TRY(send_gathered(self, g, i, err));
    return VV_OK;
}

static vv_status finish(vv_recorder *self, vv_error *err)
{
    VVI_TRY(write_blocks(self, stand_still(self), err));
    for (size_t g = 0; g < self->plan.group_count; g++) {
        vvi_writing *to = &self->writing[g];

        if (self->plan.groups[g].kind == VVI_GROUP_ROWS)
            VVI_TRY(send_last(self, g, err));
        else if (to->block)
            VVI_TRY(put_values(self, g, to->block, to->block_rows, err));
        self->rows[g] = to->rows + to->partial;
    }
    VVI_TRY(put_encoded(self, err));
    VVI_TRY(stop_or_go(self, err));
    VVI_TRY(self->sink->ops->close(self->sink, self->rows, self->flush_step,
                                   self->attributes, err));
    count_safe(self, self->plan.options.durability);
    return VV_OK;
}

/* ---- the thread ----------------------------------------------------------------------------- */

static void latch(vv_recorder *self, vv_status status, const vv_error *error)
{
    vvi_mutex_lock(&self->lock);
    self->error = *error;
    self->error.status = status;
    __atomic_store_n(&self->failure, status, __ATOMIC_RELEASE);
    vvi_mutex_unlock(&self->lock);
    vvi_cond_broadcast(&self->told);
    vvi_queue_next_turn(&self->queue);
}

typedef struct asked {
    uint64_t flush;
    bool any, durable, close;
} asked;

static asked look(vv_recorder *self)
{
    asked out;

    vvi_mutex_lock(&self->lock);
    out = (asked){ .flush = self->flush_asked,
                   .any = self->flush_asked > self->flush_done,
                   .durable = self->durable_asked > self->durable_done,
                   .close = self->close_asked };
    vvi_mutex_unlock(&self->lock);
    return out;
}

static void tell_flushed(vv_recorder *self, const asked *done)
{
    vvi_mutex_lock(&self->lock);
    self->flush_done = done->flush;
    if (done->durable)
        self->durable_done = done->flush;
    vvi_mutex_unlock(&self->lock);
    vvi_cond_broadcast(&self->told);
}

static void tell_progress(vv_recorder *self, bool last)
{
    vv_recorder_options *options = &self->plan.options;
    uint64_t now = vvi_now_ns();
    vv_recorder_stats stats = VV_RECORDER_STATS_INIT;

    if (!options->progress || (!last && now < self->progress_ns) || gives_up(self))
        return;
    self->progress_ns = now + SECOND;
    vv_recorder_get_stats(self, &stats);
    options->progress(options->ctx, &stats);
}

/* When a flush is due because of its age. */
static uint64_t flush_due_ns(vv_recorder *self)
{
    uint64_t since = __atomic_load_n(&self->dirty_since, __ATOMIC_RELAXED);

    return since ? since + (uint64_t)self->plan.options.flush_ms * MS : UINT64_MAX;
}

static void sleep_until_needed(vv_recorder *self)
{
    uint64_t deadline = vvi_now_ns() + SECOND;
    uint64_t due = flush_due_ns(self);

    vvi_queue_prepare(&self->queue);
    vvi_queue_sleep(&self->queue, due < deadline ? due : deadline);
}

/* One thing that is to be done; sleeps if there is none. */
static vv_status turn(vv_recorder *self, const asked *what, vv_error *err)
{
    vvi_block *block;
    bool old = vvi_now_ns() >= flush_due_ns(self);

    if (what->any || old) {
        bool durable = what->durable ||
                       (old && self->plan.options.durability == VV_DURABLE);

        VVI_TRY(flush(self, durable ? VV_DURABLE : VV_PROCESS, err));
        tell_flushed(self, what);
        return VV_OK;
    }
    block = vvi_queue_take(&self->queue, UINT64_MAX);
    if (block) {
        vvi_queue_prepare(&self->queue);
        return write_block(self, block, err);
    }
    if (vvi_encoder_busy(&self->encoder))
        return vvi_encoder_advance(&self->encoder, err);
    sleep_until_needed(self);
    return VV_OK;
}

static vv_status write_until_closed(vv_recorder *self, vv_error *err)
{
    for (;;) {
        asked what = look(self);

        VVI_TRY(stop_or_go(self, err));
        if (what.close)
            return finish(self, err);
        VVI_TRY(turn(self, &what, err));
        tell_progress(self, false);
    }
}

void *vvi_writer_run(void *arg)
{
    vv_recorder *self = arg;
    vv_error error = VV_ERROR_INIT;
    vv_status status;
    bool detached;

    vvi_thread_yields();
    status = write_until_closed(self, &error);
    if (status)
        latch(self, status, &error);
    tell_progress(self, true);
    vvi_encoder_clear(&self->encoder, false);
    vvi_mutex_lock(&self->lock);
    self->ended = true;
    detached = self->detached;
    vvi_mutex_unlock(&self->lock);
    if (detached) {
        vvi_recorder_destroy(self, false);
        return NULL;
    }
    vvi_cond_broadcast(&self->told);
    return NULL;
}
