#include "convert/transfer.h"

#include "util/alloc.h"
#include "util/thread.h"

#include <string.h>

/* Some chunks of a leaf that are read and encoded at the same time. */
typedef struct batch {
    const vvi_rows *source;
    vvi_sink *sink;
    size_t group, leaf;
    uint64_t first; /* chunk */
    uint64_t rows, chunk_rows;
    size_t row_bytes;
    uint8_t **buffers;
    vvi_encoded *encoded;
    size_t size;
} batch;

static uint64_t rows_of(const batch *self, size_t i)
{
    uint64_t from = (self->first + i) * self->chunk_rows;

    return self->rows - from < self->chunk_rows ? self->rows - from : self->chunk_rows;
}

static vv_status read_and_encode(void *ctx, size_t i, vv_error *err)
{
    batch *self = ctx;
    uint64_t count = rows_of(self, i);

    VVI_TRY(vvi_rows_read(self->source, self->group, self->leaf,
                          (self->first + i) * self->chunk_rows, count, self->buffers[i],
                          err));
    return self->sink->ops->encode(self->sink, self->group, self->leaf, self->buffers[i],
                                   count, &self->encoded[i], err);
}

static vv_status put_batch(batch *self, size_t n, uint32_t threads, uint64_t *bytes,
                           vv_error *err)
{
    VVI_TRY(vvi_parallel(threads, n, read_and_encode, self, err));
    *bytes = 0;
    for (size_t i = 0; i < n; i++) {
        VVI_TRY(self->sink->ops->put_chunk(self->sink, self->group, self->leaf,
                                           self->first + i, &self->encoded[i], err));
        *bytes += rows_of(self, i) * self->row_bytes;
    }
    return VV_OK;
}

static vv_status init_batch(batch *self, vv_error *err)
{
    self->buffers = vvi_alloc_array_zero(self->size, sizeof(*self->buffers));
    self->encoded = vvi_alloc_array_zero(self->size, sizeof(*self->encoded));
    if (!self->buffers || !self->encoded)
        return vvi_fail_nomem(err, self->size * sizeof(*self->encoded));
    for (size_t i = 0; i < self->size; i++) {
        self->buffers[i] = vvi_alloc_array((size_t)self->chunk_rows, self->row_bytes);
        if (!self->buffers[i])
            return vvi_fail_nomem(err, (size_t)self->chunk_rows * self->row_bytes);
    }
    return VV_OK;
}

static void clear_batch(batch *self)
{
    for (size_t i = 0; i < self->size; i++) {
        if (self->encoded)
            vv_buf_clear(&self->encoded[i].bytes);
        if (self->buffers)
            vvi_free(self->buffers[i]);
    }
    vvi_free(self->buffers);
    vvi_free(self->encoded);
}

static vv_status put_rows(vvi_rows *source, vvi_sink *sink, size_t group, size_t number,
                          vv_error *err)
{
    const vvi_plan_leaf *leaf = &source->plan.groups[group].leaves[number];
    batch self = { .source = source,
                   .sink = sink,
                   .group = group,
                   .leaf = number,
                   .rows = source->groups[group].rows,
                   .chunk_rows = leaf->chunk_rows,
                   .row_bytes = leaf->row_bytes,
                   .size = vvi_rows_batch(source, leaf) };
    uint64_t chunks = self.rows / self.chunk_rows + (self.rows % self.chunk_rows ? 1 : 0);
    vv_status status;

    if (leaf->row_bytes == 0 || chunks == 0)
        return VV_OK;
    if (chunks < self.size)
        self.size = (size_t)chunks;
    status = init_batch(&self, err);
    while (self.first < chunks && !status) {
        uint64_t left = chunks - self.first;
        size_t n = left < self.size ? (size_t)left : self.size;
        uint64_t bytes;

        status = put_batch(&self, n, source->options.threads, &bytes, err);
        if (!status)
            status = vvi_rows_tick(source, bytes, err);
        self.first += n;
    }
    clear_batch(&self);
    return status;
}

static vv_status put_once(vvi_rows *source, vvi_sink *sink, size_t group, size_t number,
                          vv_error *err)
{
    const vvi_plan_leaf *leaf = &source->plan.groups[group].leaves[number];
    void *value = NULL;
    vv_status status;

    if (leaf->row_bytes == 0 || source->groups[group].rows == 0)
        return VV_OK;
    status = vvi_rows_value(source, group, number, &value, err);
    if (!status)
        status = sink->ops->put_value(sink, group, number, NULL, value, err);
    vvi_free(value);
    return status ? status : vvi_rows_tick(source, leaf->row_bytes, err);
}

static vv_status put_placed(vvi_rows *source, vvi_sink *sink, size_t group, size_t number,
                            const uint8_t *written, vv_error *err)
{
    const vvi_plan_group *planned = &source->plan.groups[group];
    const vvi_plan_leaf *leaf = &planned->leaves[number];
    uint64_t index[VVI_EXTENT_NDIM_MAX] = { 0 };
    void *value = vvi_alloc(leaf->row_bytes);
    vv_status status = value ? VV_OK : vvi_fail_nomem(err, leaf->row_bytes);

    for (uint64_t i = 0; i < planned->places && !status && leaf->row_bytes; i++) {
        if (written[i]) {
            status = vvi_rows_place(source, group, number, index, value, err);
            if (!status)
                status = sink->ops->put_value(sink, group, number, index, value, err);
            if (!status)
                status = vvi_rows_tick(source, leaf->row_bytes, err);
        }
        vvi_rows_next_place(planned, index);
    }
    vvi_free(value);
    return status;
}

static vv_status put_group(vvi_rows *source, vvi_sink *sink, size_t group, vv_error *err)
{
    const vvi_plan_group *planned = &source->plan.groups[group];
    uint8_t *written = NULL;
    vv_status status = VV_OK;

    if (planned->kind == VVI_GROUP_PLACED)
        status = vvi_rows_written(source, group, &written, err);
    for (size_t i = 0; i < planned->leaf_count && !status; i++)
        status = planned->kind == VVI_GROUP_ROWS ? put_rows(source, sink, group, i, err)
                 : planned->kind == VVI_GROUP_ONCE
                     ? put_once(source, sink, group, i, err)
                     : put_placed(source, sink, group, i, written, err);
    vvi_free(written);
    return status ? vvi_wrap(err, status, "%s", planned->name) : VV_OK;
}

vv_status vvi_transfer(vvi_rows *source, vvi_sink *sink, const char *attributes,
                       vv_error *err)
{
    size_t count = source->plan.group_count;
    uint64_t *rows = vvi_alloc_array(count, sizeof(*rows));
    vv_status status = rows ? VV_OK : vvi_fail_nomem(err, count * sizeof(*rows));

    for (size_t g = 0; g < count && !status; g++) {
        rows[g] = source->groups[g].rows;
        status = put_group(source, sink, g, err);
    }
    if (!status)
        status = sink->ops->close(sink, rows, source->next_step, attributes, err);
    vvi_free(rows);
    return status;
}

void vvi_transfer_count(const vvi_rows *source, const vvi_sink *sink,
                        vv_transfer_result *out)
{
    out->groups = source->plan.group_count;
    out->bytes = vvi_rows_bytes(source);
    out->stored_bytes = sink->ops->stored(sink);
    for (size_t g = 0; g < source->plan.group_count; g++) {
        out->leaves += source->plan.groups[g].leaf_count - source->groups[g].has_steps;
        out->rows += source->groups[g].rows;
    }
}
