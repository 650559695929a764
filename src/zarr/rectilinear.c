/*
 * Rectilinear chunk grids in metadata.
 *
 * Source: the registered extension "rectilinear": for each dimension a list of chunk lengths, in which
 * [length, count] stands for a run. As zarr-python writes it too: a number alone for chunks of one
 * length, and a last chunk that reaches past the end of the array.
 */
#include "zarr/meta.h"

#include "util/alloc.h"

#include <string.h>

void vvi_edges_clear(vvi_edges *edges)
{
    for (uint32_t d = 0; d < VV_NDIM_MAX; d++) {
        vvi_free(edges->lengths[d]);
        vvi_free(edges->ends[d]);
    }
    memset(edges, 0, sizeof(*edges));
}

/* A length, or a run of them. */
static bool read_run(const vvi_json *item, uint64_t *length, uint64_t *count)
{
    *count = 1;
    if (vvi_json_is(item, VVI_JSON_ARRAY)) {
        if (vvi_json_count(item) != 2 ||
            !vvi_json_uint64(vvi_json_next(vvi_json_first(item)), count))
            return false;
        item = vvi_json_first(item);
    }
    return vvi_json_uint64(item, length) && *length > 0 && *count > 0;
}

/* What the runs of one dimension come to. */
typedef struct run_sum {
    uint64_t elements, chunks;
    uint64_t length; /* of the first */
    bool alike;      /* all of that length */
} run_sum;

static vv_status sum_runs(const vvi_json *list, uint32_t d, run_sum *out, vv_error *err)
{
    *out = (run_sum){ .alike = true };
    for (const vvi_json *item = vvi_json_first(list); item; item = vvi_json_next(item)) {
        uint64_t length, count, elements;

        if (!read_run(item, &length, &count))
            return vvi_fail(err, VV_ECORRUPT,
                            "member 'chunk_shapes': dimension %" PRIu32
                            " has an item that is neither a length of at least 1 nor "
                            "[length, count]",
                            d);
        if (__builtin_mul_overflow(length, count, &elements) ||
            __builtin_add_overflow(out->elements, elements, &out->elements) ||
            __builtin_add_overflow(out->chunks, count, &out->chunks))
            return vvi_fail(err, VV_ECORRUPT,
                            "member 'chunk_shapes': the lengths of dimension %" PRIu32
                            " pass 2^64",
                            d);
        if (!out->length)
            out->length = length;
        out->alike = out->alike && length == out->length;
    }
    return VV_OK;
}

/* Write out the lengths of a dimension and where each ends. */
static vv_status spread_runs(const vvi_json *list, uint32_t d, uint64_t chunks,
                             vvi_edges *edges, vv_error *err)
{
    uint64_t end = 0;
    uint64_t n = 0;

    edges->lengths[d] = vvi_alloc_array((size_t)chunks, sizeof(**edges->lengths));
    edges->ends[d] = vvi_alloc_array((size_t)chunks, sizeof(**edges->ends));
    if (!edges->lengths[d] || !edges->ends[d])
        return vvi_fail_nomem(err, (size_t)chunks * sizeof(**edges->ends));
    for (const vvi_json *item = vvi_json_first(list); item; item = vvi_json_next(item)) {
        uint64_t length = 0;
        uint64_t count = 0;

        (void)read_run(item, &length, &count);
        for (; count; count--) {
            edges->lengths[d][n] = length;
            end += length;
            edges->ends[d][n++] = end;
        }
    }
    return VV_OK;
}

static vv_status read_dimension(const vvi_json *spec, uint32_t d, uint64_t shape,
                                uint64_t *chunk, run_sum *sum, vv_error *err)
{
    if (vvi_json_is(spec, VVI_JSON_ARRAY)) {
        VVI_TRY(sum_runs(spec, d, sum, err));
        if (sum->elements < shape)
            return vvi_fail(err, VV_ECORRUPT,
                            "member 'chunk_shapes': the chunks of dimension %" PRIu32
                            " end at %" PRIu64 "; its length is %" PRIu64,
                            d, sum->elements, shape);
        *chunk = sum->length ? sum->length : 1;
        return VV_OK;
    }
    *sum = (run_sum){ .alike = true };
    if (!vvi_json_uint64(spec, chunk) || *chunk == 0)
        return vvi_fail(err, VV_ECORRUPT,
                        "member 'chunk_shapes': dimension %" PRIu32
                        " has neither a length of at least 1 nor a list of lengths",
                        d);
    return VV_OK;
}

/* What is written out is bounded, however short the runs say it. */
static vv_status check_total(const run_sum *sums, uint32_t ndim, vv_error *err)
{
    uint64_t total = 0;

    for (uint32_t d = 0; d < ndim; d++)
        if (!sums[d].alike && __builtin_add_overflow(total, sums[d].chunks, &total))
            total = UINT64_MAX;
    if (total > VVI_EDGES_MAX)
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "chunk_grid 'rectilinear' with %" PRIu64
                        " chunks of different lengths; at most %" PRIu64 " are handled",
                        total, VVI_EDGES_MAX);
    return VV_OK;
}

vv_status vvi_rectilinear_read(const vvi_json *settings, uint32_t ndim,
                               const uint64_t *shape, vvi_grid *grid, vvi_edges *edges,
                               vv_error *err)
{
    const vvi_json *shapes = vvi_json_get(settings, "chunk_shapes");
    const vvi_json *kind = vvi_json_get(settings, "kind");
    uint64_t chunk[VV_NDIM_MAX];
    run_sum sums[VV_NDIM_MAX];
    const vvi_json *spec;
    uint32_t d = 0;

    if (!vvi_json_is_text(kind, "inline"))
        return vvi_fail(err, vvi_json_text(kind, NULL) ? VV_EUNSUPPORTED : VV_ECORRUPT,
                        "chunk_grid 'rectilinear' of the kind '%.40s', not 'inline'",
                        vvi_json_text(kind, NULL) ? vvi_json_text(kind, NULL) : "");
    if (!vvi_json_is(shapes, VVI_JSON_ARRAY) || vvi_json_count(shapes) != ndim)
        return vvi_fail(err, VV_ECORRUPT,
                        "member 'chunk_shapes' is no list of as many items as the shape "
                        "has dimensions (%" PRIu32 ")",
                        ndim);
    for (spec = vvi_json_first(shapes); spec; spec = vvi_json_next(spec), d++)
        VVI_TRY(read_dimension(spec, d, shape[d], &chunk[d], &sums[d], err));
    VVI_TRY(check_total(sums, ndim, err));
    if (vvi_grid_init(grid, ndim, shape, chunk, err))
        return vvi_wrap(err, VV_ECORRUPT, "member 'chunk_grid'");
    for (spec = vvi_json_first(shapes), d = 0; spec; spec = vvi_json_next(spec), d++) {
        if (sums[d].alike)
            continue;
        VVI_TRY(spread_runs(spec, d, sums[d].chunks, edges, err));
        if (vvi_grid_set_ends(grid, d, edges->ends[d], sums[d].chunks, err))
            return vvi_wrap(err, VV_ECORRUPT, "member 'chunk_grid'");
        edges->counts[d] = grid->count[d];
    }
    return VV_OK;
}

vv_status vvi_rectilinear_extend(vvi_json *settings, const uint64_t *shape,
                                 const uint64_t *units, vv_error *err)
{
    vvi_json *spec = vvi_json_first(vvi_json_get(settings, "chunk_shapes"));
    run_sum sum;

    for (uint32_t d = 0; spec; spec = vvi_json_next(spec), d++) {
        if (!vvi_json_is(spec, VVI_JSON_ARRAY))
            continue; /* a number alone reaches anywhere */
        VVI_TRY(sum_runs(spec, d, &sum, err));
        if (sum.elements < shape[d]) {
            uint64_t missing = shape[d] - sum.elements;
            uint64_t rest = units ? missing % units[d] : 0;

            if (rest && __builtin_add_overflow(missing, units[d] - rest, &missing))
                return vvi_fail(err, VV_ERANGE,
                                "dimension %" PRIu32 " would have a chunk past 2^64", d);
            VVI_TRY(vvi_json_append(spec, vvi_json_new_uint64(missing), err));
        }
    }
    return VV_OK;
}

/* ---- making -------------------------------------------------------------------------------- */

/* A length alone, or [length, count]. */
static vv_status append_run(vvi_json *list, uint64_t length, uint64_t count,
                            vv_error *err)
{
    vvi_json *pair;

    if (count == 1)
        return vvi_json_append(list, vvi_json_new_uint64(length), err);
    pair = vvi_json_new(VVI_JSON_ARRAY);
    VVI_TRY(vvi_json_append(list, pair, err));
    VVI_TRY(vvi_json_append(pair, vvi_json_new_uint64(length), err));
    return vvi_json_append(pair, vvi_json_new_uint64(count), err);
}

static vv_status append_dimension(vvi_json *shapes, const uint64_t *lengths, uint64_t n,
                                  vv_error *err)
{
    vvi_json *list = vvi_json_new(VVI_JSON_ARRAY);

    VVI_TRY(vvi_json_append(shapes, list, err));
    for (uint64_t i = 0; i < n;) {
        uint64_t run = 1;

        while (i + run < n && lengths[i + run] == lengths[i])
            run++;
        VVI_TRY(append_run(list, lengths[i], run, err));
        i += run;
    }
    return VV_OK;
}

vv_status vvi_rectilinear_write(const vv_array_meta *wanted, vvi_json *settings,
                                vv_error *err)
{
    vvi_json *shapes = vvi_json_new(VVI_JSON_ARRAY);

    if (!wanted->chunk_edge_counts) {
        vvi_json_free(shapes);
        return vvi_fail(err, VV_EINVAL, "member 'chunk_edge_counts' is missing");
    }
    VVI_TRY(vvi_json_set(settings, "kind", vvi_json_new_text("inline"), err));
    VVI_TRY(vvi_json_set(settings, "chunk_shapes", shapes, err));
    for (uint32_t d = 0; d < wanted->ndim; d++) {
        if (wanted->chunk_edges[d])
            VVI_TRY(append_dimension(shapes, wanted->chunk_edges[d],
                                     wanted->chunk_edge_counts[d], err));
        else if (wanted->chunk_shape)
            VVI_TRY(vvi_json_append(shapes, vvi_json_new_uint64(wanted->chunk_shape[d]),
                                    err));
        else
            return vvi_fail(err, VV_EINVAL, "member 'chunk_shape' is missing");
    }
    return VV_OK;
}
