/* Values of arrays in both, decoded and compared. */
#include "copy/diff.h"

#include "copy/plan.h"
#include "copy/run.h"
#include "dtype/dtype.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/endian.h"

#include <math.h>
#include <string.h>

/* What a comparison of elements found. */
typedef struct tally {
    uint64_t differing;
    double most; /* −1: none yet */
} tally;

static void note_difference(tally *sum, double difference)
{
    sum->differing++;
    if (!isnan(difference) && difference > sum->most)
        sum->most = difference;
}

/* ---- elements ------------------------------------------------------------------------------------ */

static void compare_real(tally *sum, double a, double b)
{
    if (!(a == b || (isnan(a) && isnan(b))))
        note_difference(sum, fabs(b - a));
}

static void compare_signed(tally *sum, int64_t a, int64_t b)
{
    if (a != b)
        note_difference(
            sum, (double)(a < b ? (uint64_t)b - (uint64_t)a : (uint64_t)a - (uint64_t)b));
}

static void compare_unsigned(tally *sum, uint64_t a, uint64_t b)
{
    if (a != b)
        note_difference(sum, (double)(a < b ? b - a : a - b));
}

static void compare_complex(tally *sum, const double *a, const double *b)
{
    bool same[2];

    for (int i = 0; i < 2; i++)
        same[i] = a[i] == b[i] || (isnan(a[i]) && isnan(b[i]));
    if (!same[0] || !same[1])
        note_difference(sum, hypot(b[0] - a[0], b[1] - a[1]));
}

static void compare_one(tally *sum, vv_dtype dtype, size_t item, const uint8_t *a,
                        const uint8_t *b)
{
    vv_dtype half = dtype == VV_COMPLEX64 ? VV_FLOAT32
                                          : VV_FLOAT64; /* of a complex one */
    double x[2];
    double y[2];

    switch (dtype) {
    case VV_FLOAT16:
    case VV_BFLOAT16:
    case VV_FLOAT32:
    case VV_FLOAT64:
        compare_real(sum, vvi_float_load(dtype, a), vvi_float_load(dtype, b));
        break;
    case VV_COMPLEX64:
    case VV_COMPLEX128:
        for (int i = 0; i < 2; i++) {
            x[i] = vvi_float_load(half, a + (size_t)i * item / 2);
            y[i] = vvi_float_load(half, b + (size_t)i * item / 2);
        }
        compare_complex(sum, x, y);
        break;
    case VV_INT8:
    case VV_INT16:
    case VV_INT32:
    case VV_INT64:
    case VV_DATETIME64:
    case VV_TIMEDELTA64:
        compare_signed(sum, (int64_t)vvi_integer_load(dtype, a),
                       (int64_t)vvi_integer_load(dtype, b));
        break;
    case VV_BOOL:
    case VV_UINT8:
    case VV_UINT16:
    case VV_UINT32:
    case VV_UINT64:
        compare_unsigned(sum, vvi_integer_load(dtype, a), vvi_integer_load(dtype, b));
        break;
    default:
        if (memcmp(a, b, item) != 0)
            note_difference(sum, NAN);
    }
}

static void compare_elements(tally *sum, vv_dtype dtype, size_t item, size_t n,
                             const uint8_t *a, const uint8_t *b)
{
    if (memcmp(a, b, n * item) == 0)
        return;
    for (size_t i = 0; i < n; i++)
        compare_one(sum, dtype, item, a + i * item, b + i * item);
}

/* ---- boxes ----------------------------------------------------------------------------------------- */

static vv_status compare_varlen(tally *sum, vvi_diff_node *node, const uint64_t *start,
                                const uint64_t *count, vv_error *err)
{
    vv_varlen sides[2] = { VV_VARLEN_INIT, VV_VARLEN_INIT };
    vv_status status = VV_OK;

    for (int i = 0; i < 2 && !status; i++)
        status = vv_array_read_varlen(node->arrays[i], start, count, NULL, &sides[i],
                                      err);
    for (size_t i = 0; i < sides[0].count && !status; i++)
        if (!vvi_bytes_equal(sides[0].items[i], sides[1].items[i]))
            note_difference(sum, (double)NAN);
    vv_varlen_clear(&sides[0]);
    vv_varlen_clear(&sides[1]);
    return status;
}

static vv_status compare_fixed(tally *sum, vvi_diff_node *node, const uint64_t *start,
                               const uint64_t *count, uint8_t *a, uint8_t *b,
                               size_t bytes, vv_error *err)
{
    const vv_array_meta *meta = vv_array_get_meta(node->arrays[0]);
    size_t item = vvi_copy_item(meta);

    VVI_TRY(vv_array_read(node->arrays[0], start, count, NULL, a, bytes, err));
    VVI_TRY(vv_array_read(node->arrays[1], start, count, NULL, b, bytes, err));
    compare_elements(sum, meta->dtype, item, bytes / item, a, b);
    return VV_OK;
}

static vv_status compare_box(vvi_tree_diff *diff, vvi_diff_node *node,
                             const uint64_t *start, const uint64_t *count, uint8_t *a,
                             uint8_t *b, size_t bytes, vv_error *err)
{
    const vv_array_meta *meta = vv_array_get_meta(node->arrays[0]);
    size_t item = vvi_copy_item(meta);
    tally sum = { 0, -1 };

    if (vv_dtype_is_variable(meta->dtype))
        VVI_TRY(compare_varlen(&sum, node, start, count, err));
    else
        VVI_TRY(compare_fixed(&sum, node, start, count, a, b, bytes, err));
    vvi_mutex_lock(&diff->lock);
    for (uint32_t d = 0; d < meta->ndim; d++) {
        if (!node->compared || start[d] < node->value_start[d])
            node->value_start[d] = start[d];
        if (!node->compared || start[d] + count[d] > node->value_stop[d])
            node->value_stop[d] = start[d] + count[d];
    }
    node->compared += bytes / item;
    node->differing += sum.differing;
    if (sum.most > node->max_difference)
        node->max_difference = sum.most;
    vvi_mutex_unlock(&diff->lock);
    return VV_OK;
}

static vv_status box_bytes(const vv_array_meta *meta, const uint64_t *count, size_t *out,
                           vv_error *err)
{
    uint64_t bytes = vvi_copy_item(meta);

    for (uint32_t d = 0; d < meta->ndim; d++)
        if (__builtin_mul_overflow(bytes, count[d], &bytes) || bytes > SIZE_MAX / 4)
            return vvi_fail(err, VV_ELIMIT, "a chunk too large to compare");
    *out = (size_t)bytes;
    return VV_OK;
}

static vv_status run_job(void *ctx, size_t i, vv_error *err)
{
    vvi_tree_diff *diff = ctx;
    vvi_diff_job *job = &diff->jobs[i];
    size_t bytes = 0;
    uint8_t *data;
    vv_status status = box_bytes(vv_array_get_meta(job->node->arrays[0]), job->count,
                                 &bytes, err);

    if (status)
        return status;
    data = vvi_alloc(bytes * 2);
    status = data ? compare_box(diff, job->node, job->start, job->count, data,
                                data + bytes, bytes, err)
                  : vvi_fail_nomem(err, bytes * 2);
    vvi_free(data);
    return status ? vvi_wrap(err, status, "compare '/%s'", job->node->path) : VV_OK;
}

/* As many threads as there is memory for. */
static uint32_t threads_for(const vvi_tree_diff *diff)
{
    uint32_t threads = diff->options.threads ? diff->options.threads : vvi_cpu_count();
    size_t most = 1;

    for (size_t i = 0; i < diff->job_count; i++) {
        const vvi_diff_job *job = &diff->jobs[i];
        size_t bytes = 0;

        if (!box_bytes(vv_array_get_meta(job->node->arrays[0]), job->count, &bytes,
                       NULL) &&
            bytes > most)
            most = bytes;
    }
    if (diff->options.memory_bytes / most / 2 < threads)
        threads = (uint32_t)(diff->options.memory_bytes / most / 2);
    return threads ? threads : 1;
}

vv_status vvi_diff_run_jobs(vvi_tree_diff *diff, vv_error *err)
{
    size_t n = diff->job_count;
    vv_status status = n ? vvi_parallel(threads_for(diff), n, run_job, diff, err) : VV_OK;

    diff->job_count = 0;
    return status;
}

/* ---- whole arrays ---------------------------------------------------------------------------------- */

static const uint64_t *unit_of(const vv_array_meta *meta)
{
    return meta->inner_chunk_shape ? meta->inner_chunk_shape : meta->chunk_shape;
}

static bool comparable(const vv_array_meta *a, const vv_array_meta *b)
{
    return a->dtype == b->dtype && a->ndim == b->ndim &&
           vvi_copy_item(a) == vvi_copy_item(b) &&
           ((!a->time_unit && !b->time_unit) ||
            (a->time_unit && b->time_unit && strcmp(a->time_unit, b->time_unit) == 0 &&
             a->time_scale == b->time_scale));
}

static vv_status compare_regions(vvi_tree_diff *diff, vvi_diff_node *node,
                                 const vvi_plan *plan, uint8_t *data, size_t most,
                                 vv_error *err)
{
    const vvi_grid *regions = &plan->regions;
    uint64_t zero[VVI_GRID_NDIM_MAX] = { 0 };
    vvi_region all;
    vvi_grid_walk walk;
    vvi_grid_part part;

    VVI_TRY(vvi_region_init(&all, regions, zero, regions->shape, NULL, err));
    if (all.elements == 0)
        return VV_OK;
    vvi_grid_walk_init(&walk, regions, &all);
    while (vvi_grid_walk_next(&walk, &part)) {
        uint64_t start[VV_NDIM_MAX];
        size_t bytes = 0;

        for (uint32_t d = 0; d < regions->ndim; d++)
            start[d] = part.index[d] * regions->chunk[d];
        VVI_TRY(box_bytes(vv_array_get_meta(node->arrays[0]), part.count, &bytes, err));
        VVI_TRY(
            compare_box(diff, node, start, part.count, data, data + most, bytes, err));
        VVI_TRY(vvi_diff_tell_keys(diff, 0, err));
    }
    return VV_OK;
}

vv_status vvi_diff_whole(vvi_tree_diff *diff, vvi_diff_node *node, bool *can,
                         vv_error *err)
{
    const vv_array_meta *a = vv_array_get_meta(node->arrays[0]);
    const vv_array_meta *b = vv_array_get_meta(node->arrays[1]);
    uint64_t shape[VV_NDIM_MAX];
    vvi_plan plan;
    uint8_t *data;
    size_t most;
    vv_status status;

    *can = comparable(a, b);
    if (!*can)
        return VV_OK;
    for (uint32_t d = 0; d < a->ndim; d++)
        shape[d] = a->shape[d] < b->shape[d] ? a->shape[d] : b->shape[d];
    VVI_TRY(vvi_plan_make(a->ndim, shape, unit_of(a), unit_of(b), vvi_copy_item(a),
                          diff->options.memory_bytes / 4, &plan, err));
    most = (size_t)plan.region_bytes;
    data = vvi_alloc(most * 2);
    status = data ? compare_regions(diff, node, &plan, data, most, err)
                  : vvi_fail_nomem(err, most * 2);
    vvi_free(data);
    return status;
}
