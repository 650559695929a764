/* What is stored, and whether all of it is whole. */
#include "trajectory/trajectory.h"

#include "util/alloc.h"
#include "util/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- storage ------------------------------------------------------------------------------------ */

typedef struct storage_count {
    vv_traj_storage *out;
    uint32_t filters;
} storage_count;

static vv_status count_chunk(void *ctx, const uint64_t *index, const vvi_h5_chunk *chunk,
                             vv_error *err)
{
    const storage_count *self = ctx;
    uint32_t all = ((uint32_t)1 << self->filters) - 1;

    (void)index;
    (void)err;
    self->out->chunks++;
    self->out->stored_bytes += chunk->stored;
    self->out->plain += (chunk->mask & all) == all;
    return VV_OK;
}

/* Values of a DCD file lie in it as they are, but for the unit cell; what is calculated is not stored. */
static vv_status measure_other(vv_traj *traj, size_t group, size_t leaf,
                               vv_traj_storage *out, vv_error *err)
{
    vv_traj_storage found = VV_TRAJ_STORAGE_INIT;
    const vvi_traj_leaf *what = &traj->groups[group].leaves[leaf];
    vv_traj_leaf info;
    size_t size = out->struct_size;

    VVI_TRY(vv_traj_leaf_at(traj, group, leaf, &info, err));
    found.raw_bytes = info.item_size;
    for (uint32_t d = 0; d < info.ndim; d++)
        found.raw_bytes *= info.shape[d];
    if (what->source == VVI_TRAJ_DCD_ATOMS)
        found.stored_bytes = found.raw_bytes;
    if (what->source == VVI_TRAJ_DCD_BOX) /* six numbers of nine */
        found.stored_bytes = found.raw_bytes / 9 * 6;
    found.chunks = found.plain = found.stored_bytes ? 1 : 0;
    found.struct_size = size;
    memcpy(out, &found, size);
    return VV_OK;
}

vv_status vv_traj_leaf_storage(vv_traj *traj, size_t group, size_t leaf,
                               vv_traj_storage *out, vv_error *err)
{
    vv_traj_storage found = VV_TRAJ_STORAGE_INIT;
    size_t size = out->struct_size;
    const vvi_h5_dataset_info *info;
    storage_count count = { .out = &found };
    uint64_t all = 0;
    vvi_traj_leaf *what;
    vv_status status;

    if (size < sizeof(size) || size > sizeof(found))
        return vvi_fail(err, VV_EINVAL, "vv_traj_storage: struct_size is %zu", size);
    VVI_TRY(vvi_traj_need_leaf(traj, group, leaf, &what, err));
    if (what->source != VVI_TRAJ_DATASET)
        return measure_other(traj, group, leaf, out, err);
    info = vvi_h5_dataset_get_info(what->dataset);
    count.filters = info->filter_count;
    found.raw_bytes = info->type.item;
    for (uint32_t d = 0; d < info->space.rank; d++)
        found.raw_bytes *= what->shape[d];
    status = vvi_h5_each_chunk(what->dataset, count_chunk, &count, &all, err);
    if (status)
        return vvi_wrap(err, status, "%s: %s", traj->path, what->path);
    found.absent = all - found.chunks;
    found.struct_size = size;
    memcpy(out, &found, size);
    return VV_OK;
}

/* ---- checking ----------------------------------------------------------------------------------- */

/* Chunks that are decoded at once. */
#define BLOCK 1024
/* Leaves in one piece are read whole up to this. */
#define WHOLE_MAX ((uint64_t)64 << 20)

/* A chunk, for finding those that take each other's place. */
typedef struct place {
    uint64_t address, stored;
    size_t group, leaf;
} place;

typedef struct check {
    vv_traj *traj;
    vv_traj_check_options options;
    vv_traj_check_report report;
    vvi_mutex lock; /* of the report and the callbacks while chunks are decoded */
    place *places;
    size_t place_count, place_cap;
    /* The leaf that is looked at, and chunks of it. */
    size_t group, leaf;
    vvi_traj_leaf *what;
    uint64_t *indices; /* BLOCK × rank */
    size_t pending;
} check;

static vv_status report(check *self, const char *where, const char *what, vv_error *err)
{
    self->report.problems++;
    return self->options.problem
               ? self->options.problem(self->options.ctx, where, what, err)
               : VV_OK;
}

/* A failure is a problem of the file, unless it is one of the machine. */
static vv_status report_status(check *self, const char *where, vv_status status,
                               const vv_error *why, vv_error *err)
{
    if (status == VV_ENOMEM || status == VV_EIO)
        return vvi_fail(err, status, "%s", why->message);
    return report(self, where, why->message, err);
}

/* ---- chunks ---- */

static vv_status decode_chunk(void *ctx, size_t i, vv_error *err)
{
    check *self = ctx;
    const vvi_h5_dataset_info *info = vvi_h5_dataset_get_info(self->what->dataset);
    const uint64_t *index = self->indices + i * info->space.rank;
    uint64_t start[VVI_H5_RANK_MAX], count[VVI_H5_RANK_MAX], bytes = info->type.item;
    vv_error why = VV_ERROR_INIT;
    vv_status status;
    void *out;

    for (uint32_t d = 0; d < info->space.rank; d++) {
        uint64_t length = info->layout == VVI_H5_CHUNKED ? info->chunk[d]
                                                         : info->space.dims[d];

        start[d] = index[d] * length;
        count[d] = info->space.dims[d] - start[d];
        if (count[d] > length)
            count[d] = length;
        bytes *= count[d];
    }
    /* A leaf in one piece has no code and no checksum: whether its end is there is all that can be told. */
    if (info->layout != VVI_H5_CHUNKED && bytes > WHOLE_MAX) {
        for (uint32_t d = 0; d < info->space.rank; d++) {
            start[d] = info->space.dims[d] - 1;
            count[d] = 1;
        }
        bytes = info->type.item;
    }
    out = vvi_alloc(bytes ? (size_t)bytes : 1);
    if (!out)
        return vvi_fail_nomem(err, (size_t)bytes);
    status = vvi_traj_read_dataset(self->traj, &self->traj->groups[self->group],
                                   self->what->name, self->what->dataset, start, count,
                                   NULL, out, (size_t)bytes, &why);
    vvi_free(out);
    vvi_mutex_lock(&self->lock);
    self->report.chunks++;
    self->report.bytes += bytes;
    if (status)
        status = report_status(self, self->what->path, status, &why, err);
    if (!status && self->options.progress) {
        vv_progress at = { .items_done = self->report.chunks,
                           .bytes_done = self->report.bytes };

        status = self->options.progress(self->options.ctx, &at);
    }
    vvi_mutex_unlock(&self->lock);
    return status;
}

static vv_status decode_pending(check *self, vv_error *err)
{
    size_t n = self->pending;

    self->pending = 0;
    return vvi_parallel(0, n, decode_chunk, self, err);
}

static vv_status take_chunk(void *ctx, const uint64_t *index, const vvi_h5_chunk *chunk,
                            vv_error *err)
{
    check *self = ctx;
    uint32_t rank = vvi_h5_dataset_get_info(self->what->dataset)->space.rank;

    if (chunk->address) { /* else it is part of the header */
        VVI_TRY(vvi_grow((void **)&self->places, &self->place_cap, self->place_count + 1,
                         sizeof(*self->places), err));
        self->places[self->place_count++] = (place){ chunk->address, chunk->stored,
                                                     self->group, self->leaf };
    }
    if (rank)
        memcpy(self->indices + self->pending * rank, index, rank * sizeof(*index));
    return ++self->pending == BLOCK ? decode_pending(self, err) : VV_OK;
}

static int compare_places(const void *a, const void *b)
{
    const place *x = a, *y = b;

    return (x->address > y->address) - (x->address < y->address);
}

static vv_status check_places(check *self, vv_error *err)
{
    char text[400];

    if (self->place_count)
        qsort(self->places, self->place_count, sizeof(*self->places), compare_places);
    for (size_t i = 1; i < self->place_count; i++) {
        const place *a = &self->places[i - 1], *b = &self->places[i];
        vvi_traj_group *groups = self->traj->groups;

        if (b->address - a->address >= a->stored)
            continue;
        snprintf(text, sizeof(text), "a chunk at %" PRIu64 " lies in one of %.200s",
                 b->address, groups[a->group].leaves[a->leaf].path);
        VVI_TRY(report(self, groups[b->group].leaves[b->leaf].path, text, err));
    }
    return VV_OK;
}

/* ---- leaves ---- */

/* Are type and shape those of the schema? */
static vv_status check_type(check *self, vv_error *err)
{
    const vvi_h5_dataset_info *info = vvi_h5_dataset_get_info(self->what->dataset);
    const vv_traj_group *group = &self->traj->groups[self->group].public;
    uint32_t d = group->kind == VV_TRAJ_ROWS     ? 1
                 : group->kind == VV_TRAJ_PLACED ? group->extent_ndim
                                                 : 0;
    bool same = info->space.rank >= d;

    if (self->what->said && (info->type.dtype.code == VV_RAW
                                 ? vv_dtype_size(self->what->said) != info->type.item &&
                                       self->what->said != VV_RAW
                                 : info->type.dtype.code != self->what->said))
        VVI_TRY(report(self, self->what->path, "another type than the schema says", err));
    if (!self->what->said_shape)
        return VV_OK;
    for (uint32_t i = 0; same && group->kind == VV_TRAJ_PLACED && i < d; i++)
        same = info->space.dims[i] == group->extent[i];
    for (const vvi_json *at = vvi_json_first(self->what->said_shape); at && same;
         at = vvi_json_next(at), d++) {
        uint64_t length;

        same = vvi_json_uint64(at, &length) && d < info->space.rank &&
               info->space.dims[d] == length;
    }
    return same && d == info->space.rank
               ? VV_OK
               : report(self, self->what->path, "another shape than the schema says",
                        err);
}

/* Each frame of a DCD file: its records have the lengths that they must have. */
static vv_status check_frames(check *self, vv_error *err)
{
    uint64_t start[VV_TRAJ_NDIM_MAX] = { 0 }, count[VV_TRAJ_NDIM_MAX] = { 1 };
    vv_error why = VV_ERROR_INIT;
    uint64_t bytes;
    vv_traj_leaf leaf;
    void *out;
    vv_status status = VV_OK;

    VVI_TRY(vv_traj_leaf_at(self->traj, self->group, self->leaf, &leaf, err));
    bytes = leaf.item_size;
    for (uint32_t d = 1; d < leaf.ndim; d++)
        bytes *= count[d] = leaf.shape[d];
    if (self->what->source == VVI_TRAJ_LINE || !leaf.shape[0])
        return VV_OK;
    out = vvi_alloc((size_t)bytes);
    if (!out)
        return vvi_fail_nomem(err, (size_t)bytes);
    for (; start[0] < leaf.shape[0] && !status; start[0]++) {
        vv_progress at = { .items_done = start[0], .bytes_done = self->report.bytes };

        status = vv_traj_read(self->traj, self->group, self->leaf, start, count, NULL,
                              out, (size_t)bytes, &why);
        if (status)
            status = report_status(self, leaf.path, status, &why, err);
        self->report.bytes += bytes;
        self->report.chunks++;
        if (!status && self->options.progress)
            status = self->options.progress(self->options.ctx, &at);
    }
    vvi_free(out);
    return status;
}

static vv_status check_leaf(check *self, size_t group, size_t leaf, vv_error *err)
{
    vv_error why = VV_ERROR_INIT;
    uint64_t all;
    vv_status status = vvi_traj_need_leaf(self->traj, group, leaf, &self->what, &why);

    self->group = group;
    self->leaf = leaf;
    self->pending = 0;
    self->report.leaves++;
    if (status)
        return report_status(self, self->traj->groups[group].leaves[leaf].path, status,
                             &why, err);
    if (self->what->source != VVI_TRAJ_DATASET)
        return check_frames(self, err);
    VVI_TRY(check_type(self, err));
    status = vvi_h5_each_chunk(self->what->dataset, take_chunk, self, &all, &why);
    if (status == VV_ECORRUPT || status == VV_EUNSUPPORTED || status == VV_ELIMIT)
        return report(self, self->what->path, why.message, err);
    if (status)
        return vvi_fail(err, status, "%s", why.message);
    return decode_pending(self, err);
}

/* ---- groups ---- */

static vv_status check_steps(check *self, size_t group, vv_error *err)
{
    const vvi_traj_group *in = &self->traj->groups[group];
    vv_error why = VV_ERROR_INIT;
    int64_t steps[1024], last = -1;
    char text[100];

    for (uint64_t row = 0; (in->steps || in->by_rule) && row < in->rows;) {
        uint64_t n = in->rows - row < 1024 ? in->rows - row : 1024;
        vv_status status = vv_traj_read_steps(self->traj, group, row, n, steps, &why);

        if (status)
            return report_status(self, in->path, status, &why, err);
        for (uint64_t i = 0; i < n; i++, row++) {
            if (steps[i] <= last) {
                snprintf(text, sizeof(text),
                         "row %" PRIu64 " is of step %" PRId64 ", behind step %" PRId64,
                         row, steps[i], last);
                return report(self, in->path, text, err);
            }
            last = steps[i];
        }
    }
    if (self->traj->info.has_next_step && last >= self->traj->info.next_step)
        return report(self, in->path, "rows of steps that were not logged yet", err);
    return VV_OK;
}

static vv_status check_written(check *self, size_t group, vv_error *err)
{
    const vvi_traj_group *in = &self->traj->groups[group];
    vv_error why = VV_ERROR_INIT;
    uint64_t places = 1, count = 0;
    uint8_t *written;
    vv_status status;
    char text[100];

    if (in->public.kind != VV_TRAJ_PLACED)
        return VV_OK;
    if (!in->written)
        return report(self, in->path, "it is not said which places were written", err);
    for (uint32_t d = 0; d < in->public.extent_ndim; d++)
        places *= in->extent[d];
    written = vvi_alloc(places ? (size_t)places : 1);
    if (!written)
        return vvi_fail_nomem(err, (size_t)places);
    status = vv_traj_read_written(self->traj, group, written, (size_t)places, &why);
    for (uint64_t i = 0; !status && i < places; i++)
        count += written[i] != 0;
    vvi_free(written);
    if (status)
        return report_status(self, in->path, status, &why, err);
    if (count == in->rows)
        return VV_OK;
    snprintf(text, sizeof(text),
             "%" PRIu64 " places were written, %" PRIu64 " are counted", count, in->rows);
    return report(self, in->path, text, err);
}

static vv_status check_group(check *self, size_t group, vv_error *err)
{
    const vvi_traj_group *in = &self->traj->groups[group];

    self->report.groups++;
    if (in->problem)
        VVI_TRY(report(self, in->path, in->problem, err));
    if (in->address == VVI_H5_NONE && !self->traj->dcd)
        return in->problem ? VV_OK
                           : report(self, in->path, "the group is not in the file", err);
    VVI_TRY(check_steps(self, group, err));
    VVI_TRY(check_written(self, group, err));
    for (size_t i = 0; i < in->public.leaf_count; i++) {
        VVI_TRY(check_leaf(self, group, i, err));
        /* Those of an open file may have grown by rows that do not count yet. */
        if (in->public.kind == VV_TRAJ_ROWS && !self->traj->info.is_open &&
            in->leaves[i].dataset &&
            vvi_h5_dataset_get_info(in->leaves[i].dataset)->space.dims[0] > in->rows)
            VVI_TRY(report(self, in->leaves[i].path, "rows behind the last that counts",
                           err));
    }
    return VV_OK;
}

/* The frames that the header of a DCD file promises, whole. */
static vv_status check_length(check *self, vv_error *err)
{
    const vvi_dcd_info *info = vvi_dcd_get_info(self->traj->dcd);
    char text[160];

    if (info->said && info->said != info->frames) {
        snprintf(text, sizeof(text),
                 "%" PRIu64 " frames are there, and %" PRIu64 " by the header",
                 info->frames, info->said);
        VVI_TRY(report(self, "", text, err));
    }
    if (!info->rest)
        return VV_OK;
    snprintf(text, sizeof(text),
             "%" PRIu64 " bytes behind frame %" PRIu64 " are no whole frame", info->rest,
             info->frames);
    return report(self, "", text, err);
}

static vv_status check_all(check *self, vv_error *err)
{
    const vv_traj_info *info = &self->traj->info;

    self->report.is_open = info->is_open;
    VVI_TRY(vv_traj_is_written(self->traj, &self->report.is_written, err));
    if (info->schema_problem)
        VVI_TRY(report(self, "", info->schema_problem, err));
    if (info->config_problem)
        VVI_TRY(report(self, "", info->config_problem, err));
    if (self->traj->dcd)
        VVI_TRY(check_length(self, err));
    for (size_t g = 0; g < info->group_count; g++)
        VVI_TRY(check_group(self, g, err));
    return check_places(self, err);
}

vv_status vv_traj_check(vv_traj *traj, const vv_traj_check_options *options,
                        vv_traj_check_report *out, vv_error *err)
{
    check self = { .traj = traj, .report = VV_TRAJ_CHECK_REPORT_INIT };
    size_t size = out->struct_size;
    vv_status status;

    if (size < sizeof(size) || size > sizeof(self.report))
        return vvi_fail(err, VV_EINVAL, "vv_traj_check_report: struct_size is %zu", size);
    VVI_TRY(vvi_read_options(&self.options, sizeof(self.options), options, err));
    VVI_TRY(vvi_mutex_init(&self.lock, err));
    self.indices = vvi_alloc_array(BLOCK * VVI_H5_RANK_MAX, sizeof(*self.indices));
    status = self.indices
                 ? check_all(&self, err)
                 : vvi_fail_nomem(err, BLOCK * VVI_H5_RANK_MAX * sizeof(uint64_t));
    self.report.struct_size = size;
    memcpy(out, &self.report, size);
    vvi_free(self.indices);
    vvi_free(self.places);
    vvi_mutex_clear(&self.lock);
    return status;
}
