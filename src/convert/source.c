/* A trajectory as what a recorder would have been asked to record. */
#include "convert/transfer.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/options.h"
#include "util/thread.h"
#include "json/json.h"

#include <string.h>

#define MEMORY_BYTES    ((uint64_t)64 << 20)
#define CHUNK_BYTES     ((uint64_t)256 << 10)
#define CHUNK_BYTES_RAW ((uint64_t)1 << 20)
#define CHUNK_ROWS_MAX  8192

/* ---- rows that are wanted ------------------------------------------------------------------------ */

static uint64_t count_range(vv_row_range *range, uint64_t rows)
{
    if (range->stop > rows)
        range->stop = rows;
    if (range->start >= range->stop)
        return 0;
    return (range->stop - range->start - 1) / range->step + 1;
}

static vv_status set_leaf(vv_traj *traj, size_t group, size_t number, uint32_t leading,
                          vvi_plan_leaf *out, vv_error *err)
{
    vv_traj_leaf leaf;

    VVI_TRY(vv_traj_leaf_at(traj, group, number, &leaf, err));
    if (leaf.ndim < leading)
        return vvi_fail(err, VV_ECORRUPT, "%s has no rows", leaf.name);
    if (leaf.ndim - leading > VV_RECORDER_NDIM_MAX)
        return vvi_fail(err, VV_EUNSUPPORTED, "%s has too many dimensions", leaf.name);
    *out = (vvi_plan_leaf){ .name = leaf.name,
                            .ndim = leaf.ndim - leading,
                            .shape = leaf.shape + leading,
                            .units = leaf.units,
                            .chunk_rows = 1 };
    VVI_TRY(vvi_dtype_make(leaf.dtype, leaf.dtype == VV_RAW ? leaf.item_size : 0, NULL, 0,
                           &out->dtype, err));
    out->row_bytes = out->dtype.item;
    for (uint32_t d = 0; d < out->ndim; d++)
        if (__builtin_mul_overflow(out->row_bytes, (size_t)out->shape[d],
                                   &out->row_bytes))
            return vvi_fail(err, VV_ELIMIT, "%s: rows of 2^64 bytes", leaf.name);
    return VV_OK;
}

/* The steps stand behind the leaves, as in a plan of the recorder's. */
static void add_steps(vvi_plan_group *group)
{
    vvi_plan_leaf *leaf = &group->leaves[group->leaf_count++];

    *leaf = (vvi_plan_leaf){ .name = VVI_PLAN_STEPS,
                             .row_bytes = sizeof(int64_t),
                             .chunk_rows = 1 };
    (void)vvi_dtype_init(VV_INT64, &leaf->dtype);
}

static uint64_t clamp(uint64_t value, uint64_t least, uint64_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* As the recorder does it: the largest leaf's chunk first, those of the others are whole multiples. */
static void choose_chunks(vvi_plan_group *group, uint64_t rows)
{
    uint64_t most = clamp(rows, 1, CHUNK_ROWS_MAX);
    uint64_t aim = group->compression.chunk_bytes;
    uint64_t largest = 1;
    uint64_t base;

    if (!aim)
        aim = group->compression.codec == VV_COMPRESS_NONE ? CHUNK_BYTES_RAW
                                                           : CHUNK_BYTES;
    for (size_t i = 0; i < group->leaf_count; i++)
        if (group->leaves[i].row_bytes > largest)
            largest = group->leaves[i].row_bytes;
    base = clamp(aim / largest, 1, most);
    for (size_t i = 0; i < group->leaf_count; i++) {
        uint64_t bytes = group->leaves[i].row_bytes ? group->leaves[i].row_bytes : 1;

        group->leaves[i].chunk_rows = clamp(aim / bytes, base, most) / base * base;
    }
}

/* As the recorder does it. */
static void fill_compression(vv_compression *compression)
{
    if (compression->codec == VV_COMPRESS_DEFAULT)
        compression->codec = VV_COMPRESS_ZSTD;
    if (compression->codec == VV_COMPRESS_NONE)
        compression->no_shuffle = true;
    if (!compression->level)
        compression->level = compression->codec == VV_COMPRESS_BLOSC  ? 5
                             : compression->codec == VV_COMPRESS_ZSTD ? 1
                             : compression->codec == VV_COMPRESS_GZIP ? 1
                                                                      : 0;
}

static vv_status set_extent(const vv_traj_group *group, vvi_plan_group *out,
                            vv_error *err)
{
    if (group->extent_ndim > VVI_EXTENT_NDIM_MAX)
        return vvi_fail(err, VV_EUNSUPPORTED, "an extent of %" PRIu32 " dimensions",
                        group->extent_ndim);
    out->extent_ndim = group->extent_ndim;
    out->places = 1;
    for (uint32_t d = 0; d < group->extent_ndim; d++) {
        out->extent[d] = group->extent[d];
        if (__builtin_mul_overflow(out->places, group->extent[d], &out->places))
            return vvi_fail(err, VV_ELIMIT, "an extent of 2^64 places");
    }
    return VV_OK;
}

static vv_status set_group(vvi_rows *self, size_t number, vvi_plan_group *out,
                           struct vvi_rows_group *from, vv_error *err)
{
    const vv_traj_group *group = vv_traj_group_at(self->traj, number);
    vv_traj_rows rows = VV_TRAJ_ROWS_INIT;
    uint32_t leading = 0;

    VVI_TRY(vv_traj_get_rows(self->traj, number, &rows, err));
    *from = (struct vvi_rows_group){ .group = number,
                                     .range = self->options.rows,
                                     .rows = rows.rows };
    out->name = group->name;
    out->tree = group->tree;
    out->kind = VVI_GROUP_ONCE;
    out->frequency = VV_EVERY(group->every);
    if (self->options.compression)
        out->compression = *self->options.compression;
    fill_compression(&out->compression);
    if (group->kind == VV_TRAJ_PLACED) {
        out->kind = VVI_GROUP_PLACED;
        from->rows = rows.written;
        VVI_TRY(set_extent(group, out, err));
        leading = out->extent_ndim;
    } else if (rows.has_rows) {
        out->kind = VVI_GROUP_ROWS;
        from->rows = count_range(&from->range, rows.rows);
        from->has_steps = rows.has_steps;
        leading = 1;
    } else if (group->kind == VV_TRAJ_UNKNOWN) {
        from->rows = 1;
    }
    out->leaves = vvi_alloc_array_zero(group->leaf_count + 1, sizeof(*out->leaves));
    if (!out->leaves)
        return vvi_fail_nomem(err, (group->leaf_count + 1) * sizeof(*out->leaves));
    for (size_t i = 0; i < group->leaf_count; i++)
        VVI_TRY(set_leaf(self->traj, number, i, leading, &out->leaves[i], err));
    out->leaf_count = group->leaf_count;
    if (from->has_steps)
        add_steps(out);
    if (out->kind == VVI_GROUP_ROWS)
        choose_chunks(out, from->rows);
    return VV_OK;
}

/* ---- opening ------------------------------------------------------------------------------------- */

static vv_status read_options(const vv_transfer_options *given, vv_transfer_options *out,
                              vv_error *err)
{
    VVI_TRY(vvi_read_options(out, sizeof(*out), given, err));
    if (out->rows.stop == 0 && out->rows.start == 0)
        out->rows = VV_ROW_RANGE_ALL;
    if (out->rows.step == 0)
        out->rows.step = 1;
    if (!out->threads)
        out->threads = vvi_cpu_count();
    if (!out->memory_bytes)
        out->memory_bytes = MEMORY_BYTES;
    return VV_OK;
}

static vv_status set_groups(vvi_rows *self, vv_error *err)
{
    const vv_traj_info *info = vv_traj_get_info(self->traj);
    size_t only = SIZE_MAX;

    if (self->options.group)
        VVI_TRY(vv_traj_find(self->traj, self->options.group, &only, NULL, err));
    self->groups = vvi_alloc_array_zero(info->group_count, sizeof(*self->groups));
    self->plan.groups = vvi_alloc_array_zero(info->group_count,
                                             sizeof(*self->plan.groups));
    if (!self->groups || !self->plan.groups)
        return vvi_fail_nomem(err, info->group_count * sizeof(*self->plan.groups));
    for (size_t g = 0; g < info->group_count; g++) {
        const vv_traj_group *group = vv_traj_group_at(self->traj, g);
        size_t n = self->plan.group_count;
        vv_status status;

        if (only != SIZE_MAX && g != only)
            continue;
        /* What the file names and does not hold has no leaves. */
        if (group->leaf_count == 0 && group->problem)
            continue;
        self->plan.group_count++;
        status = set_group(self, g, &self->plan.groups[n], &self->groups[n], err);
        if (status)
            return vvi_wrap(err, status, "%s", group->name);
    }
    return VV_OK;
}

vv_status vvi_rows_open(vv_traj *traj, const vv_transfer_options *options, vvi_rows *out,
                        vv_error *err)
{
    const vv_traj_info *info = vv_traj_get_info(traj);

    memset(out, 0, sizeof(*out));
    out->traj = traj;
    VVI_TRY(read_options(options, &out->options, err));
    out->plan.config = info->config;
    out->plan.options.overwrite = out->options.overwrite;
    out->plan.options.checksum = out->options.checksum;
    out->next_step = info->has_next_step      ? info->next_step
                     : info->has_actual_steps ? info->actual_steps
                                              : 0;
    VVI_TRY(set_groups(out, err));
    if (out->plan.group_count == 0)
        return vvi_fail(err, VV_EINVAL, "the trajectory has no groups");
    out->at.bytes_total = vvi_rows_bytes(out);
    return VV_OK;
}

/* ---- a plan that a file can be made by ------------------------------------------------------------- */

static vv_status complete_group(vvi_rows *self, size_t g, vv_error *err)
{
    vvi_plan_group *group = &self->plan.groups[g];

    if (!group->tree)
        return vvi_fail(err, VV_EUNSUPPORTED, "%s: its tree cannot be read", group->name);
    if (group->kind == VVI_GROUP_ROWS && !self->groups[g].has_steps) {
        self->groups[g].has_steps = self->groups[g].is_numbered = true;
        add_steps(group);
        choose_chunks(group, self->groups[g].rows);
        if (self->groups[g].rows > (uint64_t)self->next_step)
            self->next_step = (int64_t)self->groups[g].rows;
    }
    if (group->kind == VVI_GROUP_ROWS && group->frequency.every == 0)
        group->frequency.every = 1;
    group->given = vvi_alloc_array(group->leaf_count, sizeof(*group->given));
    if (!group->given)
        return vvi_fail_nomem(err, group->leaf_count * sizeof(*group->given));
    for (size_t i = 0; i < group->leaf_count; i++)
        group->given[i] = i;
    return VV_OK;
}

/* A dict of the one group that is wanted, by its path. */
static vv_status choose_config(vvi_rows *self, vv_error *err)
{
    const char *path = vv_traj_group_at(self->traj, self->groups[0].group)->path;
    vv_buf text = VV_BUF_INIT;
    vv_buf name = VV_BUF_INIT;
    vv_status status = vvi_buf_append_text(&text, "{\"kind\": \"dict\", \"keys\": [",
                                           err);

    if (!status)
        status = vvi_json_write_string(vv_bytes_of(*path ? path : "group"), &text, err);
    if (!status)
        status = vvi_buf_append_text(&text, "], \"children\": [{\"kind\": \"leaf\"}]}",
                                     err);
    if (!status)
        status = vvi_buf_terminate(&text, err);
    if (!status)
        status = vv_tree_from_json((const char *)text.data, &self->config, err);
    if (!status)
        status = vvi_buf_printf(&name, err, "group%s",
                                vv_tree_leaf_name(self->config, 0));
    if (!status)
        status = vvi_buf_terminate(&name, err);
    vv_buf_clear(&text);
    if (status) {
        vv_buf_clear(&name);
        return status;
    }
    self->only = (char *)name.data;
    self->plan.groups[0].name = self->only;
    self->plan.config = self->config;
    return VV_OK;
}

vv_status vvi_rows_complete(vvi_rows *self, vv_error *err)
{
    for (size_t g = 0; g < self->plan.group_count; g++)
        VVI_TRY(complete_group(self, g, err));
    self->at.bytes_total = vvi_rows_bytes(self);
    if (self->plan.config &&
        vv_tree_leaf_count(self->plan.config) == self->plan.group_count)
        return VV_OK;
    if (self->plan.group_count == 1)
        return choose_config(self, err);
    return vvi_fail(err, VV_EUNSUPPORTED,
                    "the file does not hold all groups of its configuration; choose one");
}

void vvi_rows_clear(vvi_rows *self)
{
    for (size_t g = 0; self->plan.groups && g < self->plan.group_count; g++) {
        vvi_free(self->plan.groups[g].leaves);
        vvi_free(self->plan.groups[g].given);
    }
    vv_tree_free(self->config);
    vvi_free(self->only);
    vvi_free(self->plan.groups);
    vvi_free(self->groups);
    memset(self, 0, sizeof(*self));
}

uint64_t vvi_rows_bytes(const vvi_rows *self)
{
    uint64_t bytes = 0;

    for (size_t g = 0; g < self->plan.group_count; g++)
        for (size_t i = 0; i < self->plan.groups[g].leaf_count; i++)
            bytes += self->groups[g].rows * self->plan.groups[g].leaves[i].row_bytes;
    return bytes;
}

size_t vvi_rows_batch(const vvi_rows *self, const vvi_plan_leaf *leaf)
{
    uint64_t chunk = leaf->chunk_rows * leaf->row_bytes;

    /* Each is there decoded and encoded, or as it is and as it was. */
    return (size_t)clamp(self->options.memory_bytes / (2 * (chunk ? chunk : 1)), 1,
                         2 * (uint64_t)self->options.threads);
}

vv_status vvi_rows_tick(vvi_rows *self, uint64_t bytes, vv_error *err)
{
    vv_status status;

    self->at.what = "rows";
    self->at.bytes_done += bytes;
    if (!self->options.progress)
        return VV_OK;
    status = self->options.progress(self->options.ctx, &self->at);
    return status ? vvi_fail(err, status, "stopped") : VV_OK;
}

/* ---- reading ------------------------------------------------------------------------------------- */

static vv_status read_steps(const vvi_rows *self, const struct vvi_rows_group *from,
                            uint64_t first, uint64_t count, int64_t *out, vv_error *err)
{
    uint64_t step = from->range.step;

    for (uint64_t i = 0; from->is_numbered && i < count; i++)
        out[i] = (int64_t)(from->range.start + (first + i) * step);
    if (from->is_numbered)
        return VV_OK;
    if (step == 1)
        return vv_traj_read_steps(self->traj, from->group, from->range.start + first,
                                  count, out, err);
    for (uint64_t i = 0; i < count; i++)
        VVI_TRY(vv_traj_read_steps(self->traj, from->group,
                                   from->range.start + (first + i) * step, 1, &out[i],
                                   err));
    return VV_OK;
}

vv_status vvi_rows_read(const vvi_rows *self, size_t group, size_t number, uint64_t first,
                        uint64_t count, void *out, vv_error *err)
{
    const struct vvi_rows_group *from = &self->groups[group];
    const vvi_plan_group *planned = &self->plan.groups[group];
    const vvi_plan_leaf *leaf = &planned->leaves[number];
    uint64_t start[VV_TRAJ_NDIM_MAX] = { from->range.start + first * from->range.step };
    uint64_t counts[VV_TRAJ_NDIM_MAX] = { count };
    uint64_t steps[VV_TRAJ_NDIM_MAX] = { from->range.step };

    if (from->has_steps && number + 1 == planned->leaf_count)
        return read_steps(self, from, first, count, out, err);
    for (uint32_t d = 0; d < leaf->ndim; d++) {
        counts[d + 1] = leaf->shape[d];
        steps[d + 1] = 1;
    }
    return vv_traj_read(self->traj, from->group, number, start, counts, steps, out,
                        (size_t)count * leaf->row_bytes, err);
}

vv_status vvi_rows_value(const vvi_rows *self, size_t group, size_t number, void **out,
                         vv_error *err)
{
    const vvi_plan_leaf *leaf = &self->plan.groups[group].leaves[number];
    uint64_t start[VV_TRAJ_NDIM_MAX] = { 0 };
    vv_status status;

    *out = vvi_alloc(leaf->row_bytes);
    if (!*out)
        return vvi_fail_nomem(err, leaf->row_bytes);
    status = vv_traj_read(self->traj, self->groups[group].group, number, start,
                          leaf->ndim ? leaf->shape : start, NULL, *out, leaf->row_bytes,
                          err);
    if (status) {
        vvi_free(*out);
        *out = NULL;
    }
    return status;
}

vv_status vvi_rows_place(const vvi_rows *self, size_t group, size_t number,
                         const uint64_t *index, void *out, vv_error *err)
{
    const vvi_plan_group *planned = &self->plan.groups[group];
    const vvi_plan_leaf *leaf = &planned->leaves[number];
    uint64_t start[VV_TRAJ_NDIM_MAX] = { 0 };
    uint64_t counts[VV_TRAJ_NDIM_MAX];

    for (uint32_t d = 0; d < planned->extent_ndim; d++) {
        start[d] = index[d];
        counts[d] = 1;
    }
    for (uint32_t d = 0; d < leaf->ndim; d++)
        counts[planned->extent_ndim + d] = leaf->shape[d];
    return vv_traj_read(self->traj, self->groups[group].group, number, start, counts,
                        NULL, out, leaf->row_bytes, err);
}

vv_status vvi_rows_written(const vvi_rows *self, size_t group, uint8_t **out,
                           vv_error *err)
{
    uint64_t places = self->plan.groups[group].places;
    vv_status status;

    *out = vvi_alloc((size_t)places);
    if (!*out)
        return vvi_fail_nomem(err, (size_t)places);
    status = vv_traj_read_written(self->traj, self->groups[group].group, *out,
                                  (size_t)places, err);
    if (status) {
        vvi_free(*out);
        *out = NULL;
    }
    return status;
}

void vvi_rows_next_place(const vvi_plan_group *group, uint64_t *index)
{
    for (uint32_t d = group->extent_ndim; d-- > 0 && ++index[d] == group->extent[d];)
        index[d] = 0;
}
