/* A trajectory, or a part of it, into a new recording in HDF5. */
#include "convert/transfer.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/thread.h"

#ifdef VV_HAVE_HDF5
#include "hdf5/create.h"
#endif

#include <string.h>

#ifdef VV_HAVE_HDF5

/* ---- comparing ----------------------------------------------------------------------------------- */

/* What was written, read by the same ranges of rows that are now all there are. */
typedef struct comparison {
    const vvi_rows *was;
    vvi_rows is;
    size_t group, leaf;
    uint64_t first, rows, chunk_rows; /* chunk */
    size_t row_bytes;
    uint8_t **buffers; /* two a chunk */
} comparison;

static vv_status compare_chunk(void *ctx, size_t i, vv_error *err)
{
    comparison *self = ctx;
    uint64_t row = (self->first + i) * self->chunk_rows;
    uint64_t count = self->rows - row < self->chunk_rows ? self->rows - row
                                                         : self->chunk_rows;

    VVI_TRY(vvi_rows_read(self->was, self->group, self->leaf, row, count,
                          self->buffers[2 * i], err));
    VVI_TRY(vvi_rows_read(&self->is, self->group, self->leaf, row, count,
                          self->buffers[2 * i + 1], err));
    if (memcmp(self->buffers[2 * i], self->buffers[2 * i + 1],
               (size_t)count * self->row_bytes) == 0)
        return VV_OK;
    return vvi_fail(err, VV_ECORRUPT,
                    "%s does not read back as it was written, near row %" PRIu64,
                    self->was->plan.groups[self->group].leaves[self->leaf].name, row);
}

static vv_status compare_leaf(vvi_rows *was, comparison *self, vv_error *err)
{
    const vvi_plan_leaf *leaf = &was->plan.groups[self->group].leaves[self->leaf];
    size_t batch = vvi_rows_batch(was, leaf);
    uint64_t chunks;
    vv_status status = VV_OK;

    self->rows = was->groups[self->group].rows;
    self->chunk_rows = leaf->chunk_rows;
    self->row_bytes = leaf->row_bytes;
    chunks = self->rows / self->chunk_rows + (self->rows % self->chunk_rows ? 1 : 0);
    self->buffers = vvi_alloc_array_zero(2 * batch, sizeof(*self->buffers));
    if (!self->buffers)
        return vvi_fail_nomem(err, 2 * batch * sizeof(*self->buffers));
    for (size_t i = 0; i < 2 * batch && !status; i++) {
        self->buffers[i] = vvi_alloc_array((size_t)self->chunk_rows, self->row_bytes);
        if (!self->buffers[i])
            status = vvi_fail_nomem(err, (size_t)self->chunk_rows * self->row_bytes);
    }
    for (self->first = 0; self->first < chunks && self->row_bytes && !status;
         self->first += batch) {
        uint64_t left = chunks - self->first;
        uint64_t rows = self->rows - self->first * self->chunk_rows;

        status = vvi_parallel(was->options.threads, left < batch ? (size_t)left : batch,
                              compare_chunk, self, err);
        if (rows > batch * self->chunk_rows)
            rows = batch * self->chunk_rows;
        if (!status)
            status = vvi_rows_tick(was, rows * self->row_bytes, err);
    }
    for (size_t i = 0; i < 2 * batch; i++)
        vvi_free(self->buffers[i]);
    vvi_free(self->buffers);
    return status;
}

/* One value, or one a place that was written. */
static vv_status compare_values(vvi_rows *was, const vvi_rows *is, size_t group,
                                size_t leaf, vv_error *err)
{
    const vvi_plan_group *planned = &was->plan.groups[group];
    size_t bytes = planned->leaves[leaf].row_bytes;
    void *values[2] = { NULL, NULL };
    vv_status status;

    if (bytes == 0 || was->groups[group].rows == 0 || planned->kind != VVI_GROUP_ONCE)
        return VV_OK;
    status = vvi_rows_value(was, group, leaf, &values[0], err);
    if (!status)
        status = vvi_rows_value(is, group, leaf, &values[1], err);
    if (!status && memcmp(values[0], values[1], bytes) != 0)
        status = vvi_fail(err, VV_ECORRUPT, "%s does not read back as it was written",
                          planned->leaves[leaf].name);
    vvi_free(values[0]);
    vvi_free(values[1]);
    return status ? status : vvi_rows_tick(was, bytes, err);
}

static vv_status compare_places(vvi_rows *was, const vvi_rows *is, size_t group,
                                vv_error *err)
{
    const vvi_plan_group *planned = &was->plan.groups[group];
    uint8_t *written[2] = { NULL, NULL };
    vv_status status = vvi_rows_written(was, group, &written[0], err);

    if (!status)
        status = vvi_rows_written(is, group, &written[1], err);
    if (!status && memcmp(written[0], written[1], (size_t)planned->places) != 0)
        status = vvi_fail(err, VV_ECORRUPT, "%s: other places are written",
                          planned->name);
    for (size_t i = 0; i < planned->leaf_count && !status; i++) {
        size_t bytes = planned->leaves[i].row_bytes;
        uint64_t index[VVI_EXTENT_NDIM_MAX] = { 0 };
        uint8_t *both = vvi_alloc_array(2, bytes);

        if (!both)
            status = vvi_fail_nomem(err, 2 * bytes);
        for (uint64_t place = 0; place < planned->places && !status && bytes; place++) {
            if (written[0][place]) {
                status = vvi_rows_place(was, group, i, index, both, err);
                if (!status)
                    status = vvi_rows_place(is, group, i, index, both + bytes, err);
                if (!status && memcmp(both, both + bytes, bytes) != 0)
                    status = vvi_fail(err, VV_ECORRUPT,
                                      "%s does not read back as it was written",
                                      planned->leaves[i].name);
                if (!status)
                    status = vvi_rows_tick(was, bytes, err);
            }
            vvi_rows_next_place(planned, index);
        }
        vvi_free(both);
    }
    vvi_free(written[0]);
    vvi_free(written[1]);
    return status;
}

static vv_status compare_group(vvi_rows *was, comparison *self, vv_error *err)
{
    const vvi_plan_group *planned = &was->plan.groups[self->group];

    if (self->is.groups[self->group].rows != was->groups[self->group].rows)
        return vvi_fail(err, VV_ECORRUPT, "%s has not the rows that were written",
                        planned->name);
    if (planned->kind == VVI_GROUP_PLACED)
        return compare_places(was, &self->is, self->group, err);
    for (self->leaf = 0; self->leaf < planned->leaf_count; self->leaf++)
        VVI_TRY(planned->kind == VVI_GROUP_ROWS
                    ? compare_leaf(was, self, err)
                    : compare_values(was, &self->is, self->group, self->leaf, err));
    return VV_OK;
}

static vv_status compare(vvi_rows *was, const char *path, vv_error *err)
{
    comparison self = { .was = was };
    vv_traj *traj = NULL;
    vv_status status = vv_traj_open(path, &traj, err);

    if (status)
        return status;
    status = vvi_rows_open(traj, NULL, &self.is, err);
    if (!status && self.is.plan.group_count != was->plan.group_count)
        status = vvi_fail(err, VV_ECORRUPT, "%s has not the groups that were written",
                          path);
    for (; self.group < was->plan.group_count && !status; self.group++)
        status = compare_group(was, &self, err);
    vvi_rows_clear(&self.is);
    vv_traj_close(traj);
    return status;
}

/* ---- writing ------------------------------------------------------------------------------------- */

vv_status vv_traj_rewrite(vv_traj *traj, const char *path,
                          const vv_transfer_options *options, vv_transfer_result *result,
                          vv_error *err)
{
    vv_transfer_result told = { .groups = 0 };
    vvi_sink *sink = NULL;
    vvi_rows rows;
    vv_status status = vvi_rows_open(traj, options, &rows, err);

    if (!status)
        status = vvi_rows_complete(&rows, err);
    if (!status && !rows.options.unverified)
        rows.at.bytes_total *= 2;
    if (!status)
        status = vvi_hdf5_sink_create(path, &rows.plan, &sink, err);
    if (!status) {
        status = vvi_transfer(&rows, sink, NULL, err);
        vvi_transfer_count(&rows, sink, &told);
        sink->ops->free(sink, false);
    }
    if (!status && !rows.options.unverified) {
        status = compare(&rows, path, err);
        told.verified = status == VV_OK;
    }
    if (result)
        *result = told;
    vvi_rows_clear(&rows);
    return status;
}

#else

vv_status vv_traj_rewrite(vv_traj *traj, const char *path,
                          const vv_transfer_options *options, vv_transfer_result *result,
                          vv_error *err)
{
    (void)traj;
    (void)options;
    (void)result;
    return vvi_fail(err, VV_EUNSUPPORTED, "%s: this build writes no HDF5", path);
}

#endif
