#include "hdf5/sink.h"

#include "hdf5/journal.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/endian.h"
#include "util/thread.h"

#include <stdlib.h>
#include <string.h>

#define NO_CHUNK UINT64_MAX

/* ---- errors -------------------------------------------------------------------------------- */

/* A sink that failed commits nothing any more, whatever the failure was. */
static vv_status latch(vvi_hdf5_sink *self, vv_status status, vv_error *err)
{
    vvi_hdf5_file *file = self->file;

    if (!file->failed) {
        file->failed = true;
        vvi_fail(&file->failure, status, "%s", err ? err->message : "an earlier failure");
    }
    return status;
}

static vv_status failed_before(const vvi_hdf5_sink *self, vv_error *err)
{
    return vvi_fail(err, self->file->failure.status, "%s", self->file->failure.message);
}

static vv_status in_leaf(const vvi_hdf5_sink *self, size_t group, size_t leaf,
                         vv_status status, vv_error *err)
{
    const vvi_plan_group *at = &self->plan.groups[group];

    return vvi_wrap(err, status, "%s: group '%s', leaf '%s'", self->path, at->name,
                    at->leaves[leaf].name);
}

/* ---- rows ---------------------------------------------------------------------------------- */

static vv_status sink_encode(vvi_sink *base, size_t group, size_t leaf, const void *rows,
                             uint64_t count, vvi_encoded *out, vv_error *err)
{
    const vvi_hdf5_sink *self = (const vvi_hdf5_sink *)base;
    const vvi_plan_leaf *plan = &self->plan.groups[group].leaves[leaf];
    const vvi_hdf5_pipeline *pipeline = &self->groups[group].leaves[leaf].pipeline;
    uint8_t *padded = NULL;
    vv_status status;

    if (count < plan->chunk_rows) { /* HDF5 stores whole chunks */
        padded = vvi_alloc_zero(pipeline->chunk_bytes);
        if (!padded)
            return vvi_fail_nomem(err, pipeline->chunk_bytes);
        memcpy(padded, rows, (size_t)count * plan->row_bytes);
        rows = padded;
    }
    status = vvi_hdf5_encode(pipeline, rows, out, err);
    if (!status && padded && out->bytes.release) /* it borrows what goes away here */
        vvi_buf_lend(&out->bytes, padded, pipeline->chunk_bytes, vvi_free, padded);
    else
        vvi_free(padded);
    return status ? in_leaf(self, group, leaf, status, err) : VV_OK;
}

vv_status vvi_hdf5_extend(vvi_hdf5_sink *self, size_t group, size_t leaf, uint64_t rows,
                          vv_error *err)
{
    const vvi_plan_leaf *plan = &self->plan.groups[group].leaves[leaf];
    vvi_hdf5_leaf *at = &self->groups[group].leaves[leaf];
    hsize_t dims[H5S_MAX_RANK] = { rows };

    if (rows <= at->extent)
        return VV_OK;
    for (uint32_t d = 0; d < plan->ndim; d++)
        dims[1 + d] = plan->shape[d];
    if (H5Dset_extent(at->dataset, dims) < 0)
        return vvi_hdf5_fail(self->file, err, "make room for row %" PRIu64, rows - 1);
    at->extent = rows;
    return VV_OK;
}

/* Leave libhdf5, and keep a failure of the leaf for all that comes. */
static vv_status end_put(vvi_hdf5_sink *self, size_t group, size_t leaf, vv_status status,
                         vv_error *why, vv_error *err)
{
    if (!status && self->file->failed)
        status = failed_before(self, why);
    if (status)
        latch(self, in_leaf(self, group, leaf, status, why), why);
    vvi_hdf5_leave();
    return status ? vvi_fail(err, status, "%s", why->message) : VV_OK;
}

/* Hand a stored chunk to libhdf5; file->raw_at says where it went. */
static vv_status write_chunk(vvi_hdf5_sink *self, size_t group, size_t leaf,
                             uint64_t chunk, uint32_t mask, const void *stored,
                             size_t len, vv_error *err)
{
    vvi_hdf5_leaf *at = &self->groups[group].leaves[leaf];
    hsize_t offset[H5S_MAX_RANK] = { chunk *
                                     self->plan.groups[group].leaves[leaf].chunk_rows };
    vv_status status = vvi_hdf5_extend(self, group, leaf, offset[0] + 1, err);

    if (status)
        return status;
    if (H5Dwrite_chunk(at->dataset, H5P_DEFAULT, mask, offset, len, stored) < 0)
        return vvi_hdf5_fail(self->file, err, "chunk %" PRIu64, chunk);
    return VV_OK;
}

/* The chunk stands raw already, and stays so: write the rows that are not there. */
static vv_status finish_tail(vvi_hdf5_sink *self, vvi_hdf5_leaf *at, size_t row_bytes,
                             const uint8_t *rows, vv_error *err)
{
    size_t done = (size_t)at->tail_rows * row_bytes;

    VVI_TRY(vvi_hdf5_file_put(self->file, at->tail_at + done,
                              vvi_bytes(rows + done, at->pipeline.chunk_bytes - done),
                              false, err));
    at->tail_chunk = NO_CHUNK;
    return VV_OK;
}

static vv_status put_chunk(vvi_hdf5_sink *self, size_t group, size_t leaf, uint64_t chunk,
                           const vvi_encoded *encoded, vv_error *err)
{
    vvi_hdf5_leaf *at = &self->groups[group].leaves[leaf];
    bool raw = encoded->left_out == vvi_hdf5_raw_mask(&at->pipeline) &&
               encoded->bytes.len == at->pipeline.chunk_bytes;
    bool was_tail = at->tail_chunk == chunk;

    if (raw && was_tail)
        return finish_tail(self, at, self->plan.groups[group].leaves[leaf].row_bytes,
                           encoded->bytes.data, err);
    VVI_TRY(write_chunk(self, group, leaf, chunk, encoded->left_out, encoded->bytes.data,
                        encoded->bytes.len, err));
    if (was_tail && self->file->raw_at != at->tail_at)
        VVI_TRY(
            vvi_hdf5_file_waste(self->file, at->tail_at, at->pipeline.chunk_bytes, err));
    if (was_tail)
        at->tail_chunk = NO_CHUNK;
    return VV_OK;
}

static vv_status sink_put_chunk(vvi_sink *base, size_t group, size_t leaf, uint64_t chunk,
                                const vvi_encoded *encoded, vv_error *err)
{
    vvi_hdf5_sink *self = (vvi_hdf5_sink *)base;
    vv_error why = VV_ERROR_INIT;
    vv_status status;

    if (self->file->failed)
        return failed_before(self, err);
    if (!encoded->bytes.len) /* of rows without elements */
        return VV_OK;
    self->changed = true;
    vvi_hdf5_enter();
    status = put_chunk(self, group, leaf, chunk, encoded, &why);
    return end_put(self, group, leaf, status, &why, err);
}

static vv_status put_tail(vvi_hdf5_sink *self, size_t group, size_t leaf, uint64_t chunk,
                          const uint8_t *rows, uint64_t first, uint64_t count,
                          vv_error *err)
{
    size_t row_bytes = self->plan.groups[group].leaves[leaf].row_bytes;
    vvi_hdf5_leaf *at = &self->groups[group].leaves[leaf];
    vvi_hdf5_file *file = self->file;

    if (at->tail_chunk == chunk) {
        VVI_TRY(vvi_hdf5_file_put(
            file, at->tail_at + first * row_bytes,
            vvi_bytes(rows + first * row_bytes, (size_t)count * row_bytes), false, err));
        at->tail_rows = first + count;
        return VV_OK;
    }
    vvi_hdf5_file_reuse(file, at->pipeline.chunk_bytes);
    file->raw_only = (size_t)(first + count) * row_bytes;
    VVI_TRY(write_chunk(self, group, leaf, chunk, vvi_hdf5_raw_mask(&at->pipeline), rows,
                        at->pipeline.chunk_bytes, err));
    at->tail_chunk = chunk;
    at->tail_at = file->raw_at;
    at->tail_rows = first + count;
    return VV_OK;
}

static vv_status sink_put_tail(vvi_sink *base, size_t group, size_t leaf, uint64_t chunk,
                               const void *rows, uint64_t first, uint64_t count,
                               vv_error *err)
{
    vvi_hdf5_sink *self = (vvi_hdf5_sink *)base;
    vv_error why = VV_ERROR_INIT;
    vv_status status;

    if (self->file->failed)
        return failed_before(self, err);
    if (!count || !self->plan.groups[group].leaves[leaf].row_bytes)
        return VV_OK;
    self->changed = true;
    vvi_hdf5_enter();
    status = put_tail(self, group, leaf, chunk, rows, first, count, &why);
    return end_put(self, group, leaf, status, &why, err);
}

/* ---- values of their own ------------------------------------------------------------------- */

/* Is something there that a commit knows of? */
static vv_status was_written(const vvi_hdf5_sink *self, const vvi_hdf5_group *group,
                             uint64_t place, bool *out, vv_error *err)
{
    uint8_t byte;

    VVI_TRY(vvi_hdf5_file_read(self->file, group->written_at + place, &byte, 1, err));
    *out = byte != 0;
    return VV_OK;
}

static vv_status put_placed_chunk(vvi_hdf5_sink *self, const vvi_plan_group *plan,
                                  vvi_hdf5_leaf *at, const uint64_t *index,
                                  const void *value, vv_error *err)
{
    vvi_encoded encoded = { VV_BUF_INIT, 0 };
    hsize_t offset[H5S_MAX_RANK] = { 0 };
    vv_status status = vvi_hdf5_encode(&at->pipeline, value, &encoded, err);

    for (uint32_t d = 0; index && d < plan->extent_ndim; d++)
        offset[d] = index[d];
    if (!status && H5Dwrite_chunk(at->dataset, H5P_DEFAULT, encoded.left_out, offset,
                                  encoded.bytes.len, encoded.bytes.data) < 0)
        status = vvi_hdf5_fail(self->file, err, "write it");
    vv_buf_clear(&encoded.bytes);
    return status;
}

static vv_status put_value(vvi_hdf5_sink *self, size_t group, size_t leaf,
                           const uint64_t *index, const void *value, vv_error *err)
{
    const vvi_plan_group *plan = &self->plan.groups[group];
    vvi_hdf5_group *to = &self->groups[group];
    vvi_hdf5_leaf *at = &to->leaves[leaf];
    size_t len = plan->leaves[leaf].row_bytes;
    uint64_t place = 0;
    bool meant = to->rows > 0;

    for (uint32_t d = 0; index && d < plan->extent_ndim; d++)
        place = place * plan->extent[d] + index[d];
    if (index) {
        VVI_TRY(was_written(self, to, place, &meant, err));
        if (!to->place_count || to->places[to->place_count - 1] != place) {
            VVI_TRY(vvi_grow((void **)&to->places, &to->place_cap, to->place_count + 1,
                             sizeof(*to->places), err));
            to->places[to->place_count++] = place;
        }
    }
    if (at->dataset >= 0)
        return put_placed_chunk(self, plan, at, index, value, err);
    if (!len)
        return VV_OK;
    return vvi_hdf5_file_put(self->file, at->address + place * len, vvi_bytes(value, len),
                             meant, err);
}

static vv_status sink_put_value(vvi_sink *base, size_t group, size_t leaf,
                                const uint64_t *index, const void *value, vv_error *err)
{
    vvi_hdf5_sink *self = (vvi_hdf5_sink *)base;
    vv_error why = VV_ERROR_INIT;
    vv_status status;

    if (self->file->failed)
        return failed_before(self, err);
    self->changed = true;
    vvi_hdf5_enter();
    status = put_value(self, group, leaf, index, value, &why);
    return end_put(self, group, leaf, status, &why, err);
}

/* ---- commits ------------------------------------------------------------------------------- */

static vv_status keep_number(vvi_hdf5_file *file, uint64_t address, uint64_t number,
                             vv_error *err)
{
    uint8_t bytes[8];

    vvi_put_le64(bytes, number);
    return vvi_hdf5_file_keep(file, address, vvi_bytes(bytes, 8), err);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Mark places, neighbours together, and count those that were not. */
static vv_status keep_places(vvi_hdf5_sink *self, vvi_hdf5_group *group, uint64_t *added,
                             vv_error *err)
{
    uint8_t ones[256], before[256];
    size_t i = 0;

    memset(ones, 1, sizeof(ones));
    if (group->place_count)
        qsort(group->places, group->place_count, sizeof(*group->places), by_number);
    while (i < group->place_count) {
        uint64_t first = group->places[i], last = first;
        size_t len;

        for (i++; i < group->place_count && last - first + 1 < sizeof(ones) &&
                  group->places[i] <= last + 1;
             i++)
            last = group->places[i];
        len = (size_t)(last - first + 1);
        VVI_TRY(
            vvi_hdf5_file_read(self->file, group->written_at + first, before, len, err));
        for (size_t k = 0; k < len; k++)
            *added += !before[k];
        VVI_TRY(vvi_hdf5_file_keep(self->file, group->written_at + first,
                                   vvi_bytes(ones, len), err));
    }
    group->place_count = 0;
    return VV_OK;
}

/* The recorder counts what it logged; of places that were put twice, one counts. */
static vv_status keep_rows(vvi_hdf5_sink *self, size_t g, uint64_t rows, vv_error *err)
{
    vvi_hdf5_group *group = &self->groups[g];

    if (self->plan.groups[g].kind == VVI_GROUP_PLACED) {
        rows = group->rows;
        VVI_TRY(keep_places(self, group, &rows, err));
    }
    if (rows == group->rows && !group->rows_changed)
        return VV_OK;
    VVI_TRY(keep_number(self->file, group->rows_at, rows, err));
    group->rows = rows;
    group->rows_changed = false;
    return VV_OK;
}

/* Everything that makes rows count, into what the file keeps for its next commit. */
static vv_status keep_all(vvi_hdf5_sink *self, const uint64_t *rows, int64_t next_step,
                          vv_error *err)
{
    for (size_t g = 0; g < self->plan.group_count; g++) {
        const vvi_plan_group *plan = &self->plan.groups[g];

        for (size_t i = 0; plan->kind == VVI_GROUP_ROWS && i < plan->leaf_count; i++) {
            vv_status status = vvi_hdf5_extend(self, g, i, rows[g], err);

            if (!status && self->groups[g].leaves[i].extent > rows[g])
                status = vvi_fail(err, VV_EINVAL,
                                  "%" PRIu64 " rows were put, and %" PRIu64 " count",
                                  self->groups[g].leaves[i].extent, rows[g]);
            if (status)
                return in_leaf(self, g, i, status, err);
        }
    }
    if (H5Fflush(self->id, H5F_SCOPE_LOCAL) < 0)
        return vvi_hdf5_fail(self->file, err, "%s", self->path);
    /* Behind all that libhdf5 writes: who sees the number sees the rows. */
    for (size_t g = 0; g < self->plan.group_count; g++)
        VVI_TRY(keep_rows(self, g, rows[g], err));
    if (next_step == self->next_step)
        return VV_OK;
    self->next_step = next_step;
    return keep_number(self->file, self->next_step_at, (uint64_t)next_step, err);
}

static bool nothing_new(const vvi_hdf5_sink *self, const uint64_t *rows,
                        int64_t next_step)
{
    for (size_t g = 0; g < self->plan.group_count; g++)
        if (self->plan.groups[g].kind != VVI_GROUP_PLACED &&
            rows[g] != self->groups[g].rows)
            return false;
    return !self->changed && next_step == self->next_step;
}

/* A file that nobody asked to survive a power cut was begun without waiting for the disk. */
static vv_status sync_names(vvi_hdf5_sink *self, bool durable, vv_error *err)
{
    if (!durable || self->named)
        return VV_OK;
    VVI_TRY(vvi_hdf5_sync_name(self->path, err));
    self->named = true;
    return VV_OK;
}

static vv_status sink_commit(vvi_sink *base, const uint64_t *rows, int64_t next_step,
                             vv_durability durability, vv_error *err)
{
    vvi_hdf5_sink *self = (vvi_hdf5_sink *)base;
    bool durable = durability == VV_DURABLE;
    vv_error why = VV_ERROR_INIT;
    vv_status status = VV_OK;

    if (self->file->failed)
        return failed_before(self, err);
    if (nothing_new(self, rows, next_step) && (!durable || self->durable))
        return VV_OK;
    vvi_hdf5_enter();
    if (!nothing_new(self, rows, next_step))
        status = keep_all(self, rows, next_step, &why);
    vvi_hdf5_leave();
    /* What was safe from a power cut stays so only if whatever comes on top of it is written as carefully. */
    self->durable |= durable;
    if (!status)
        status = vvi_hdf5_file_commit(self->file, self->durable, false, &why);
    if (!status)
        status = sync_names(self, self->durable, &why);
    if (status) {
        latch(self, status, &why);
        return vvi_fail(err, status, "%s", why.message);
    }
    self->changed = false;
    return VV_OK;
}

static uint64_t sink_stored(const vvi_sink *base)
{
    const vvi_hdf5_file *file = ((const vvi_hdf5_sink *)base)->file;
    uint64_t stored = file->end;

    for (size_t i = 0; i < file->waste_count; i++)
        stored -= file->waste[i].len;
    return stored > file->apart ? stored - file->apart : 0;
}

/* ---- the end ------------------------------------------------------------------------------- */

/* Let libhdf5 go. */
static vv_status close_id(vvi_hdf5_sink *self, bool discard, vv_error *err)
{
    hid_t id = self->id;

    self->id = -1;
    for (size_t g = 0; self->groups && g < self->plan.group_count; g++)
        for (size_t i = 0; self->groups[g].leaves && i < self->plan.groups[g].leaf_count;
             i++) {
            hid_t dataset = self->groups[g].leaves[i].dataset;

            self->groups[g].leaves[i].dataset = -1;
            if (dataset >= 0)
                (void)H5Dclose(dataset); /* the file's end tells of failures */
        }
    return id >= 0 ? vvi_hdf5_file_leave(self->file, id, discard, err) : VV_OK;
}

/* Attributes cannot be made in SWMR mode, so the file is opened once more. */
static vv_status end_file(vvi_hdf5_sink *self, const uint64_t *rows, int64_t next_step,
                          const char *attributes, vv_error *err)
{
    vv_status status;

    VVI_TRY(keep_all(self, rows, next_step, err));
    VVI_TRY(close_id(self, false, err));
    self->id = vvi_hdf5_file_enter(self->file, false, false);
    if (self->id < 0)
        return vvi_hdf5_fail(self->file, err, "open it again");
    status = vvi_hdf5_set_attributes(self->file, self->id, next_step, attributes, err);
    if (status)
        return status;
    return close_id(self, false, err);
}

static vv_status sink_close(vvi_sink *base, const uint64_t *rows, int64_t next_step,
                            const char *attributes, vv_error *err)
{
    vvi_hdf5_sink *self = (vvi_hdf5_sink *)base;
    bool durable = self->durable || self->plan.options.durability == VV_DURABLE;
    vv_error why = VV_ERROR_INIT;
    vv_status status;

    if (self->file->failed)
        return failed_before(self, err);
    vvi_hdf5_enter();
    status = end_file(self, rows, next_step, attributes, &why);
    vvi_hdf5_leave();
    if (!status)
        status = vvi_hdf5_file_commit(self->file, durable, true, &why);
    if (!status)
        status = sync_names(self, durable, &why);
    if (status) {
        latch(self, vvi_wrap(&why, status, "%s", self->path), &why);
        return vvi_fail(err, status, "%s", why.message);
    }
    (void)vvi_hdf5_file_give_back(self->file);
    vvi_hdf5_journal_end(&self->file->journal);
    return VV_OK;
}

static void sink_free(vvi_sink *base, bool forked)
{
    vvi_hdf5_sink *self = (vvi_hdf5_sink *)base;

    if (!self)
        return;
    if (!forked) {
        vvi_hdf5_enter();
        (void)close_id(self, true, NULL);
        vvi_hdf5_leave();
        vvi_hdf5_file_free(self->file);
    } else {
        vvi_hdf5_file_forget(self->file);
    }
    for (size_t g = 0; self->groups && g < self->plan.group_count; g++) {
        vvi_free(self->groups[g].leaves);
        vvi_free(self->groups[g].places);
    }
    vvi_free(self->groups);
    vvi_hdf5_scratch_clear(&self->scratch);
    vvi_free(self->path);
    vvi_free(self);
}

static const vvi_sink_ops sink_ops = {
    .name = "hdf5",
    .encode = sink_encode,
    .put_chunk = sink_put_chunk,
    .put_tail = sink_put_tail,
    .put_value = sink_put_value,
    .commit = sink_commit,
    .stored = sink_stored,
    .close = sink_close,
    .free = sink_free,
};

/* ---- opening ------------------------------------------------------------------------------- */

static vv_status open_leaf(vvi_hdf5_sink *self, hid_t in, size_t g, size_t i,
                           vv_error *err)
{
    const vvi_plan_group *plan = &self->plan.groups[g];
    const vvi_plan_leaf *leaf = &plan->leaves[i];
    vvi_hdf5_leaf *at = &self->groups[g].leaves[i];
    hsize_t dims[H5S_MAX_RANK] = { 0 };
    hid_t space;

    vvi_hdf5_leaf_pipeline(&self->plan, plan, leaf, &self->scratch, &at->pipeline);
    at->tail_chunk = NO_CHUNK;
    if (!vvi_hdf5_is_chunked(plan, leaf)) {
        at->address = vvi_hdf5_address_of(in, leaf->name);
        if (!at->address && leaf->row_bytes &&
            (plan->places || plan->kind != VVI_GROUP_PLACED))
            return vvi_hdf5_fail(self->file, err, "find it");
        return VV_OK;
    }
    at->dataset = H5Dopen2(in, leaf->name, H5P_DEFAULT);
    if (at->dataset < 0)
        return vvi_hdf5_fail(self->file, err, "open it");
    if (plan->kind != VVI_GROUP_ROWS)
        return VV_OK;
    space = H5Dget_space(at->dataset);
    if (space < 0 || H5Sget_simple_extent_ndims(space) != (int)(1 + leaf->ndim) ||
        H5Sget_simple_extent_dims(space, dims, NULL) < 0) {
        if (space >= 0)
            H5Sclose(space);
        return vvi_hdf5_fail(self->file, err, "its rows");
    }
    H5Sclose(space);
    at->extent = dims[0];
    return VV_OK;
}

static vv_status open_group(vvi_hdf5_sink *self, size_t g, vv_error *err)
{
    const vvi_plan_group *plan = &self->plan.groups[g];
    vvi_hdf5_group *group = &self->groups[g];
    hid_t in = H5Gopen2(self->id, plan->name, H5P_DEFAULT);
    uint8_t bytes[8];
    vv_status status = VV_OK;

    if (in < 0)
        return vvi_hdf5_fail(self->file, err, "group '%s'", plan->name);
    for (size_t i = 0; i < plan->leaf_count && !status; i++) {
        status = open_leaf(self, in, g, i, err);
        if (status)
            in_leaf(self, g, i, status, err);
    }
    group->rows_at = vvi_hdf5_address_of(in, VVI_HDF5_ROWS);
    if (plan->kind == VVI_GROUP_PLACED)
        group->written_at = vvi_hdf5_address_of(in, VVI_HDF5_WRITTEN);
    if (!status && (!group->rows_at || (plan->kind == VVI_GROUP_PLACED && plan->places &&
                                        !group->written_at)))
        status = vvi_hdf5_fail(self->file, err, "group '%s': its rows", plan->name);
    H5Gclose(in);
    if (!status)
        status = vvi_hdf5_file_read(self->file, group->rows_at, bytes, 8, err);
    if (!status)
        group->rows = vvi_get_le64(bytes);
    return status;
}

static vv_status make_groups(vvi_hdf5_sink *self, vv_error *err)
{
    const vvi_plan *plan = &self->plan;

    self->groups = vvi_alloc_array_zero(plan->group_count, sizeof(*self->groups));
    if (!self->groups)
        return vvi_fail_nomem(err, plan->group_count * sizeof(*self->groups));
    for (size_t g = 0; g < plan->group_count; g++) {
        size_t count = plan->groups[g].leaf_count;

        self->groups[g].leaves = vvi_alloc_array_zero(count, sizeof(vvi_hdf5_leaf));
        if (!self->groups[g].leaves)
            return vvi_fail_nomem(err, count * sizeof(vvi_hdf5_leaf));
        for (size_t i = 0; i < count; i++)
            self->groups[g].leaves[i].dataset = -1;
    }
    return VV_OK;
}

vv_status vvi_hdf5_sink_over(vvi_hdf5_file *file, const char *path, const vvi_plan *plan,
                             const char *recording, vvi_hdf5_sink **out, vv_error *err)
{
    vvi_hdf5_sink *self = vvi_alloc_zero(sizeof(*self));
    vv_status status;

    if (!self) {
        vvi_hdf5_file_free(file);
        return vvi_fail_nomem(err, sizeof(*self));
    }
    self->base.ops = &sink_ops;
    self->plan = *plan;
    self->file = file;
    self->id = -1;
    memcpy(self->recording, recording, VVI_HDF5_ID);
    self->path = vvi_strdup(path);
    status = self->path ? make_groups(self, err) : vvi_fail_nomem(err, strlen(path) + 1);
    if (status)
        sink_free(&self->base, false);
    else
        *out = self;
    return status;
}

/* With the lock held: open the file as the one writer that others read along with, and look where all stands. */
vv_status vvi_hdf5_sink_open(vvi_hdf5_sink *self, vv_error *err)
{
    uint8_t bytes[8];

    self->id = vvi_hdf5_file_enter(self->file, false, true);
    if (self->id < 0)
        return vvi_hdf5_fail(self->file, err, "open %s", self->path);
    for (size_t g = 0; g < self->plan.group_count; g++)
        VVI_TRY(open_group(self, g, err));
    self->next_step_at = vvi_hdf5_address_of(self->id, VVI_HDF5_NEXT_STEP);
    if (!self->next_step_at)
        return vvi_hdf5_fail(self->file, err, "find '%s'", VVI_HDF5_NEXT_STEP);
    VVI_TRY(vvi_hdf5_file_read(self->file, self->next_step_at, bytes, 8, err));
    self->next_step = (int64_t)vvi_get_le64(bytes);
    if (H5Fflush(self->id, H5F_SCOPE_LOCAL) < 0) /* the superblock says that it is open */
        return vvi_hdf5_fail(self->file, err, "open %s", self->path);
    return VV_OK;
}
