/* What a recorder counts, and what one would take. */
#include "recorder/inner.h"
#include "recorder/schema.h"
#include "util/alloc.h"
#include "util/options.h"

#define LOAD(field_) __atomic_load_n(&(field_), __ATOMIC_ACQUIRE)

/* Rows, those that went furthest first, so that no number is less than what came of it. */
static void get_rows(const vvi_counters *c, vv_recorder_stats *out)
{
    uint64_t gone;

    out->durable = LOAD(c->durable);
    out->flushed = LOAD(c->flushed);
    out->written = LOAD(c->written);
    out->dropped = LOAD(c->dropped);
    out->raw_bytes = LOAD(c->raw_bytes);
    gone = out->raw_bytes + LOAD(c->dropped_bytes);
    out->logged = LOAD(c->logged);
    out->queued_bytes = LOAD(c->logged_bytes);
    out->queued_bytes = out->queued_bytes > gone ? out->queued_bytes - gone : 0;
}

static void get_stats(vv_recorder *self, vv_recorder_stats *out)
{
    const vvi_counters *c = &self->counters;
    uint64_t encoded = LOAD(self->encoder.held), encoded_peak = LOAD(self->encoder.peak);

    *out = (vv_recorder_stats){ .struct_size = sizeof(*out),
                                .thinned = LOAD(c->thinned),
                                .refused = LOAD(c->refused),
                                .stored_bytes = LOAD(c->stored),
                                .flushes = LOAD(c->flushes),
                                .waits = LOAD(c->waits),
                                .wait_ns = LOAD(c->wait_ns),
                                .failure = LOAD(self->failure) };
    get_rows(c, out);
    for (size_t i = 0; i < sizeof(out->lateness) / sizeof(out->lateness[0]); i++)
        out->lateness[i] = LOAD(c->lateness[i]);
    if (vvi_recorder_is_child(self)) { /* where the lock may be held for ever */
        out->failure = VV_EINVAL;
        return;
    }
    vvi_mutex_lock(&self->queue.lock);
    out->memory_bytes = self->queue.bytes + self->fixed_bytes + encoded;
    out->peak_memory_bytes = self->queue.peak + self->fixed_bytes + encoded_peak;
    vvi_mutex_unlock(&self->queue.lock);
    if (out->peak_memory_bytes < out->memory_bytes) /* a chunk was encoded just now */
        out->peak_memory_bytes = out->memory_bytes;
}

vv_status vv_recorder_get_stats(vv_recorder *self, vv_recorder_stats *out)
{
    vv_recorder_stats stats;

    VVI_TRY(vvi_check_result(out, NULL));
    get_stats(self, &stats);
    vvi_write_result(out, &stats, sizeof(stats));
    return VV_OK;
}

/* ---- before the run ------------------------------------------------------------------------- */

static uint64_t sum(uint64_t a, uint64_t b)
{
    uint64_t out;

    return __builtin_add_overflow(a, b, &out) ? UINT64_MAX : out;
}

static uint64_t product(uint64_t a, uint64_t b)
{
    uint64_t out;

    return __builtin_mul_overflow(a, b, &out) ? UINT64_MAX : out;
}

/* What a file takes besides rows: for itself, a leaf, a chunk. */
#define FILE_BYTES  8192u
#define LEAF_BYTES  1024u
#define CHUNK_BYTES 40u

static void estimate_group(const vvi_plan_group *group, const vvi_block_layout *layout,
                           int64_t steps, vv_recorder_estimate *out, uint64_t *blocks)
{
    bool packed = group->compression.codec != VV_COMPRESS_NONE;
    uint64_t rows = steps > 0; /* ONCE */
    uint64_t bytes = 0;
    uint64_t extra = 0;

    if (group->kind == VVI_GROUP_PLACED)
        rows = group->places;
    else if (group->kind == VVI_GROUP_ROWS)
        rows = steps ? ((uint64_t)steps - 1) / group->frequency.every + 1 : 0;
    for (size_t i = 0; i < group->leaf_count; i++) {
        bytes = sum(bytes, product(rows, group->leaves[i].row_bytes));
        extra = sum(extra, LEAF_BYTES);
        extra = sum(extra, product(rows / group->leaves[i].chunk_rows + 1, CHUNK_BYTES));
    }
    out->rows = sum(out->rows, rows);
    out->raw_bytes = sum(out->raw_bytes, bytes);
    out->file_bytes_least = sum(out->file_bytes_least,
                                sum(extra, packed ? bytes / 10 : bytes));
    out->file_bytes_most = sum(out->file_bytes_most, sum(extra, sum(bytes, bytes / 128)));
    *blocks = sum(*blocks,
                  product(layout->bytes, sum(rows / layout->rows, layout->least)));
}

vv_status vv_recorder_estimate_steps(const vv_schema *schema,
                                     const vv_recorder_options *options, int64_t steps,
                                     vv_recorder_estimate *out, vv_error *err)
{
    vv_recorder_estimate made = { .struct_size = sizeof(made),
                                  .file_bytes_least = FILE_BYTES,
                                  .file_bytes_most = FILE_BYTES };
    vv_schema *copy = NULL;
    vvi_plan plan = { 0 };
    vvi_layout layout = { 0 };
    uint64_t blocks = 0;
    vv_status status;

    VVI_TRY(vvi_check_result(out, err));
    if (steps < 0)
        return vvi_fail(err, VV_EINVAL, "%" PRId64 " steps", steps);
    status = vvi_schema_copy(schema, &copy, err);
    if (!status)
        status = vvi_recorder_plan(copy, options, &plan, err);
    if (!status)
        status = vvi_recorder_layout(&plan, &layout, err);
    for (size_t g = 0; g < plan.group_count && !status; g++)
        estimate_group(&plan.groups[g], &layout.groups[g], steps, &made, &blocks);
    if (!status) {
        made.memory_bytes = layout.fixed +
                            (blocks < layout.blocks ? blocks : layout.blocks);
        vvi_write_result(out, &made, sizeof(made));
    }
    vvi_free(layout.groups);
    vvi_plan_clear(&plan);
    vv_schema_free(copy);
    return status;
}
