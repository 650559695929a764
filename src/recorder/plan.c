/* Plans: what a schema comes to with these options; chunks, and how the cap is divided. */
#include "recorder/inner.h"
#include "recorder/schema.h"
#include "recorder/sink.h"
#include "util/alloc.h"
#include "util/options.h"

#include <stdlib.h>
#include <string.h>

/* Aimed at for a chunk of a leaf: a row of a compressed recording is read by decoding one. What is not
 * compressed is read as it lies, so larger chunks only save calls. */
#define CHUNK_BYTES     ((uint64_t)256 << 10)
#define CHUNK_BYTES_RAW ((uint64_t)1 << 20)
#define CHUNK_ROWS_MAX  8192u
#define MEMORY_BYTES    ((uint64_t)64 << 20)
/* Rows at places are written one by one; a block of them is small. */
#define PLACED_ROWS_MAX 64u
#define THREADS_MAX     64u
/* Bytes of a block's header, and what aligning its leaves may take. */
#define BLOCK_HEADER 256u
#define ALIGN        64u

bool vvi_frequency_due(const vv_frequency *frequency, int64_t step)
{
    if (frequency->due)
        return frequency->due(frequency->ctx, step);
    if (step < 0)
        return false;
    return frequency->every ? (uint64_t)step % frequency->every == 0 : step == 0;
}

/* ---- options --------------------------------------------------------------------------------- */

static vv_status read_options(const vv_recorder_options *given, vv_recorder_options *out,
                              vv_error *err)
{
    VVI_TRY(vvi_read_options(out, sizeof(*out), given, err));
    if (!out->memory_bytes)
        out->memory_bytes = MEMORY_BYTES;
    if (out->memory_bytes > INT64_MAX) /* sums that stop above it are more than that */
        out->memory_bytes = INT64_MAX;
    if (!out->block_ms)
        out->block_ms = 30000;
    if (!out->flush_ms)
        out->flush_ms = 1000;
    if (!out->close_ms)
        out->close_ms = 60000;
    if (!out->threads)
        out->threads = vvi_cpu_count();
    if (out->threads > THREADS_MAX)
        out->threads = THREADS_MAX;
    if ((unsigned)out->when_full > VV_FULL_THIN)
        return vvi_fail(err, VV_EINVAL, "options: when_full %d is none",
                        (int)out->when_full);
    if ((unsigned)out->durability > VV_PROCESS)
        return vvi_fail(err, VV_EINVAL, "options: durability %d is none",
                        (int)out->durability);
    if (out->total_steps < 0)
        return vvi_fail(err, VV_EINVAL, "options: total_steps %" PRId64,
                        out->total_steps);
    return VV_OK;
}

static vv_compression fill_compression(vv_compression given)
{
    if (given.codec == VV_COMPRESS_DEFAULT)
        given.codec = VV_COMPRESS_ZSTD;
    if (!given.level)
        given.level = given.codec == VV_COMPRESS_BLOSC  ? 5
                      : given.codec == VV_COMPRESS_ZSTD ? 1
                      : given.codec == VV_COMPRESS_GZIP ? 1
                                                        : 0;
    if (given.codec == VV_COMPRESS_NONE)
        given.no_shuffle = true;
    return given;
}

/* ---- groups ---------------------------------------------------------------------------------- */

static vv_status ask_extent(vvi_plan_group *group, int64_t total_steps, vv_error *err)
{
    vv_status status = group->frequency.shape(group->frequency.ctx,
                                              total_steps ? total_steps : -1,
                                              &group->extent_ndim, group->extent, err);

    if (status)
        return status;
    if (!group->extent_ndim || group->extent_ndim > VVI_EXTENT_NDIM_MAX)
        return vvi_fail(err, VV_EINVAL, "an extent of %u dimensions, not 1 to %d",
                        group->extent_ndim, VVI_EXTENT_NDIM_MAX);
    group->places = 1;
    for (uint32_t i = 0; i < group->extent_ndim; i++)
        if (__builtin_mul_overflow(group->places, group->extent[i], &group->places) ||
            group->places > INT64_MAX)
            return vvi_fail(err, VV_EINVAL, "an extent of too many places");
    return VV_OK;
}

/* Values at places have the dimensions of both. */
static vv_status check_dimensions(const vvi_plan_group *group, vv_error *err)
{
    for (size_t i = 0; i < group->leaf_count; i++)
        if (group->extent_ndim + group->leaves[i].ndim > VV_RECORDER_NDIM_MAX + 1)
            return vvi_fail(err, VV_EINVAL,
                            "%s: %u dimensions in an extent of %u; at most %d together",
                            group->leaves[i].name, group->leaves[i].ndim,
                            group->extent_ndim, VV_RECORDER_NDIM_MAX + 1);
    return VV_OK;
}

static vv_status plan_leaves(const vvi_schema_group *from, vvi_plan_group *to,
                             vv_error *err)
{
    static const uint64_t no_shape[1] = { 0 };
    bool steps = to->kind == VVI_GROUP_ROWS;

    to->leaves = vvi_alloc_array_zero(from->count + 1, sizeof(*to->leaves));
    to->given = vvi_alloc_array_zero(from->count + 1, sizeof(*to->given));
    if (!to->leaves || !to->given)
        return vvi_fail_nomem(err, (from->count + 1) * sizeof(*to->leaves));
    for (size_t i = 0; i < from->count; i++) {
        const vvi_schema_leaf *leaf = &from->leaves[from->given[i]];

        to->given[i] = from->given[i];
        to->leaves[i] = (vvi_plan_leaf){ .name = leaf->name,
                                         .dtype = leaf->dtype,
                                         .ndim = leaf->ndim,
                                         .shape = leaf->shape,
                                         .row_bytes = leaf->row_bytes,
                                         .units = leaf->units,
                                         .chunk_rows = 1 };
    }
    to->leaf_count = from->count;
    if (steps) {
        vvi_plan_leaf *leaf = &to->leaves[to->leaf_count++];

        *leaf = (vvi_plan_leaf){ .name = VVI_PLAN_STEPS,
                                 .shape = no_shape,
                                 .row_bytes = sizeof(int64_t),
                                 .chunk_rows = 1 };
        (void)vvi_dtype_init(VV_INT64, &leaf->dtype);
    }
    return VV_OK;
}

static int compare_names(const void *a, const void *b)
{
    return vvi_name_compare(*(const char *const *)a, *(const char *const *)b);
}

/* No two names of count may be the same place, or one inside another. */
static vv_status check_clashes(const char **names, size_t count, vv_error *err)
{
    if (count)
        qsort(names, count, sizeof(*names), compare_names);
    for (size_t i = 1; i < count; i++)
        if (vvi_name_clash(names[i - 1], names[i]))
            return vvi_fail(err, VV_EINVAL, "%s and %s clash as paths in a file",
                            names[i - 1], names[i]);
    return VV_OK;
}

static vv_status check_leaf_names(const vvi_plan_group *group, vv_error *err)
{
    const char **names = vvi_alloc_array(group->leaf_count, sizeof(*names));
    vv_status status;

    if (!names)
        return vvi_fail_nomem(err, group->leaf_count * sizeof(*names));
    for (size_t i = 0; i < group->leaf_count; i++)
        names[i] = group->leaves[i].name;
    status = check_clashes(names, group->leaf_count, err);
    vvi_free(names);
    return status;
}

static vv_status check_group_names(const vvi_plan *plan, vv_error *err)
{
    const char **names = vvi_alloc_array(plan->group_count, sizeof(*names));
    vv_status status;

    if (!names)
        return vvi_fail_nomem(err, plan->group_count * sizeof(*names));
    for (size_t i = 0; i < plan->group_count; i++)
        names[i] = plan->groups[i].name;
    status = check_clashes(names, plan->group_count, err);
    vvi_free(names);
    return status;
}

static vv_status plan_group(const vvi_schema_group *from, int64_t total_steps,
                            vvi_plan_group *to, vv_error *err)
{
    to->name = from->name;
    to->tree = from->tree;
    to->frequency = from->frequency;
    to->kind = from->custom            ? VVI_GROUP_PLACED
               : from->frequency.every ? VVI_GROUP_ROWS
                                       : VVI_GROUP_ONCE;
    to->compression = fill_compression(from->compression);
    if (!from->tree)
        return vvi_fail(err, VV_EINVAL, "the schema is not a copy");
    if (from->custom && !from->frequency.due)
        return vvi_fail(
            err, VV_EINVAL,
            "its frequency is the caller's own, whose functions are not known");
    VVI_TRY(plan_leaves(from, to, err));
    VVI_TRY(check_leaf_names(to, err));
    if (to->kind != VVI_GROUP_PLACED)
        return VV_OK;
    VVI_TRY(ask_extent(to, total_steps, err));
    return check_dimensions(to, err);
}

/* ---- chunks ---------------------------------------------------------------------------------- */

static uint64_t clamp(uint64_t value, uint64_t least, uint64_t most)
{
    return value < least ? least : value > most ? most : value;
}

static uint64_t largest_row(const vvi_plan_group *group)
{
    uint64_t largest = 1;

    for (size_t i = 0; i < group->leaf_count; i++)
        if (group->leaves[i].row_bytes > largest)
            largest = group->leaves[i].row_bytes;
    return largest;
}

/* The largest leaf's chunk first; those of the others are whole multiples of it. */
static void choose_chunks(vvi_plan_group *group, int64_t total_steps, unsigned halvings)
{
    uint64_t aim = group->compression.chunk_bytes;
    uint64_t most = CHUNK_ROWS_MAX;
    uint64_t base;

    if (group->kind != VVI_GROUP_ROWS)
        return;
    if (!aim)
        aim = group->compression.codec == VV_COMPRESS_NONE ? CHUNK_BYTES_RAW
                                                           : CHUNK_BYTES;
    else
        most = UINT32_MAX;
    aim >>= halvings;
    if (total_steps > 0)
        most = clamp(((uint64_t)total_steps - 1) / group->frequency.every + 1, 1, most);
    base = clamp(aim / largest_row(group), 1, most);
    for (size_t i = 0; i < group->leaf_count; i++) {
        uint64_t bytes = group->leaves[i].row_bytes;

        /* Values without elements have no chunks, and make nothing else larger. */
        group->leaves[i].chunk_rows = clamp(bytes ? aim / bytes : base, base, most) /
                                      base * base;
    }
}

/* ---- memory ---------------------------------------------------------------------------------- */

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* Sums and products stop here instead of going round. */
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

static uint64_t rows_bytes(const vvi_plan_leaf *leaf, uint64_t rows)
{
    return sum(product(leaf->row_bytes, rows), ALIGN - 1) / ALIGN * ALIGN;
}

static void layout_group(const vvi_plan_group *group, uint32_t slots,
                         vvi_block_layout *out)
{
    uint64_t rows = 0;

    *out = (vvi_block_layout){ .rows = 1, .least = 1 };
    if (group->kind == VVI_GROUP_PLACED)
        rows = clamp(CHUNK_BYTES / largest_row(group), 1, PLACED_ROWS_MAX);
    for (size_t i = 0; i < group->leaf_count && group->kind == VVI_GROUP_ROWS; i++)
        rows = gcd(group->leaves[i].chunk_rows, rows);
    if (group->kind != VVI_GROUP_ONCE) {
        out->rows = (uint32_t)clamp(rows, 1, UINT32_MAX);
        out->least = rows == 1 ? 2 : 3;
    }
    out->bytes = BLOCK_HEADER + group->leaf_count * sizeof(size_t);
    out->bytes = sum(out->bytes, product(out->rows, sizeof(uint32_t)));
    if (group->kind == VVI_GROUP_PLACED)
        out->bytes = sum(out->bytes,
                         product(out->rows, VVI_EXTENT_NDIM_MAX * sizeof(uint64_t)));
    for (size_t i = 0; i < group->leaf_count; i++) {
        const vvi_plan_leaf *leaf = &group->leaves[i];

        out->bytes = sum(out->bytes, rows_bytes(leaf, out->rows));
        if (group->kind != VVI_GROUP_ROWS || leaf->chunk_rows == out->rows)
            continue;
        /* One is filled while the other is encoded. */
        out->fixed = sum(out->fixed, product(2, rows_bytes(leaf, leaf->chunk_rows)));
        if (leaf->chunk_rows > out->gather_rows)
            out->gather_rows = leaf->chunk_rows;
    }
    out->late_rows = sum(product(2, out->gather_rows), product(slots + 2u, out->rows));
    out->fixed = sum(out->fixed, product(out->late_rows, sizeof(uint32_t)));
    out->fixed = sum(out->fixed, product(group->leaf_count, sizeof(vvi_gather)));
}

/* Room for a chunk of the largest kind, encoded, and what the encoder needs beside it. */
static uint64_t slot_bytes(const vvi_plan *plan)
{
    uint64_t largest = 0;

    for (size_t g = 0; g < plan->group_count; g++)
        for (size_t i = 0; i < plan->groups[g].leaf_count; i++) {
            const vvi_plan_leaf *leaf = &plan->groups[g].leaves[i];
            uint64_t bytes = product(leaf->chunk_rows, leaf->row_bytes);

            /* Only rows that are stored as they are need no bytes of their own. */
            if (plan->groups[g].kind == VVI_GROUP_ROWS && bytes > largest &&
                (plan->groups[g].compression.codec != VV_COMPRESS_NONE ||
                 plan->options.checksum))
                largest = bytes;
        }
    return largest ? sum(product(largest, 2), largest / 8 + 4096) : 0;
}

static void add_up(const vvi_plan *plan, vvi_layout *out)
{
    out->fixed = product(out->slots, out->slot_bytes);
    out->least = 0;
    for (size_t g = 0; g < plan->group_count; g++) {
        vvi_block_layout *group = &out->groups[g];

        layout_group(&plan->groups[g], out->slots, group);
        out->fixed = sum(out->fixed, group->fixed);
        out->least = sum(out->least, product(group->least, group->bytes));
    }
}

vv_status vvi_recorder_layout(const vvi_plan *plan, vvi_layout *out, vv_error *err)
{
    uint64_t cap = plan->options.memory_bytes;

    *out = (vvi_layout){ .slot_bytes = slot_bytes(plan) };
    out->threads = out->slot_bytes ? plan->options.threads : 1;
    out->groups = vvi_alloc_array_zero(plan->group_count, sizeof(*out->groups));
    if (!out->groups)
        return vvi_fail_nomem(err, plan->group_count * sizeof(*out->groups));
    /* As many chunks at a time as leave half of the cap to rows. */
    for (out->slots = out->threads + 2; out->slots; out->slots--) {
        add_up(plan, out);
        if (out->slots == 1 || sum(out->fixed, out->least) <= cap / 2)
            break;
    }
    if (sum(out->fixed, out->least) > cap) {
        uint64_t needed = sum(out->fixed, out->least);

        vvi_free(out->groups);
        *out = (vvi_layout){ 0 };
        return vvi_fail(err, VV_ELIMIT,
                        "a cap of %" PRIu64 " bytes is too small; %" PRIu64
                        " are needed for these rows",
                        cap, needed);
    }
    out->blocks = cap - out->fixed;
    return VV_OK;
}

/* ---- plans ----------------------------------------------------------------------------------- */

void vvi_plan_clear(vvi_plan *plan)
{
    for (size_t g = 0; plan->groups && g < plan->group_count; g++) {
        vvi_free(plan->groups[g].leaves);
        vvi_free(plan->groups[g].given);
    }
    vvi_free(plan->groups);
    *plan = (vvi_plan){ 0 };
}

/* Chunks as wanted, or half as large again and again until the cap holds what is needed. */
static vv_status fit(vvi_plan *plan, vv_error *err)
{
    vv_status status = VV_ELIMIT;
    vv_error error = VV_ERROR_INIT;

    for (unsigned halvings = 0; halvings < 64 && status == VV_ELIMIT; halvings++) {
        vvi_layout layout;

        for (size_t g = 0; g < plan->group_count; g++)
            choose_chunks(&plan->groups[g], plan->options.total_steps, halvings);
        status = vvi_recorder_layout(plan, &layout, &error);
        if (!status)
            vvi_free(layout.groups);
    }
    if (status && err)
        *err = error;
    return status;
}

vv_status vvi_recorder_plan(const vv_schema *schema, const vv_recorder_options *options,
                            vvi_plan *out, vv_error *err)
{
    vvi_plan plan = { .schema = schema, .config = schema->config };
    vv_status status = read_options(options, &plan.options, err);

    if (status)
        return status;
    if (!schema->count)
        return vvi_fail(err, VV_EINVAL, "the schema has no group");
    if (!schema->config)
        return vvi_fail(err, VV_EINVAL, "the schema is not a copy");
    plan.groups = vvi_alloc_array_zero(schema->count, sizeof(*plan.groups));
    if (!plan.groups)
        return vvi_fail_nomem(err, schema->count * sizeof(*plan.groups));
    plan.group_count = schema->count;
    for (size_t g = 0; g < schema->count && !status; g++) {
        status = plan_group(&schema->groups[g], plan.options.total_steps, &plan.groups[g],
                            err);
        if (status)
            vvi_wrap(err, status, "%s", schema->groups[g].name);
    }
    if (!status)
        status = check_group_names(&plan, err);
    if (!status)
        status = fit(&plan, err);
    if (status)
        vvi_plan_clear(&plan);
    else
        *out = plan;
    return status;
}
