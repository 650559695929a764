#include "grid/grid.h"

#include <string.h>

vv_status vvi_product(uint32_t n, const uint64_t *lengths, uint64_t *out, vv_error *err)
{
    uint64_t product = 1;

    /* A zero anywhere makes the product 0, however long the others are. */
    for (uint32_t i = 0; i < n; i++)
        if (lengths[i] == 0) {
            *out = 0;
            return VV_OK;
        }
    for (uint32_t i = 0; i < n; i++)
        if (__builtin_mul_overflow(product, lengths[i], &product))
            return vvi_fail(err, VV_ERANGE, "more than 2^64 elements");
    *out = product;
    return VV_OK;
}

vv_status vvi_grid_init(vvi_grid *grid, uint32_t ndim, const uint64_t *shape,
                        const uint64_t *chunk, vv_error *err)
{
    if (ndim > VVI_GRID_NDIM_MAX)
        return vvi_fail(err, VV_EINVAL, "%" PRIu32 " dimensions; at most %d are handled",
                        ndim, VVI_GRID_NDIM_MAX);
    memset(grid, 0, sizeof(*grid));
    grid->ndim = ndim;
    for (uint32_t i = 0; i < ndim; i++) {
        if (chunk[i] == 0)
            return vvi_fail(err, VV_EINVAL,
                            "the chunk length of dimension %" PRIu32 " is 0", i);
        grid->shape[i] = shape[i];
        grid->chunk[i] = chunk[i];
        grid->count[i] = shape[i] / chunk[i] + (shape[i] % chunk[i] != 0);
    }
    if (vvi_product(ndim, chunk, &grid->chunk_elements, NULL))
        return vvi_fail(err, VV_ERANGE, "a chunk has more than 2^64 elements");
    return VV_OK;
}

/* ---- chunks of different lengths ------------------------------------------------------------ */

vv_status vvi_grid_set_ends(vvi_grid *grid, uint32_t dimension, const uint64_t *ends,
                            uint64_t n, vv_error *err)
{
    uint64_t shape = grid->shape[dimension];
    uint64_t start = 0;
    uint64_t longest = n ? ends[0] : 1; /* also where the shape has none of them */
    uint64_t count = 0;

    for (uint64_t i = 0; i < n; i++) {
        if (ends[i] <= start)
            return vvi_fail(err, VV_EINVAL,
                            "chunk %" PRIu64 " of dimension %" PRIu32 " has no length", i,
                            dimension);
        if (start < shape) {
            count++;
            longest = ends[i] - start > longest ? ends[i] - start : longest;
        }
        start = ends[i];
    }
    if (start < shape)
        return vvi_fail(err, VV_EINVAL,
                        "the chunks of dimension %" PRIu32 " end at %" PRIu64
                        "; its length is %" PRIu64,
                        dimension, start, shape);
    grid->ends[dimension] = ends;
    grid->count[dimension] = count;
    grid->chunk[dimension] = longest;
    if (vvi_product(grid->ndim, grid->chunk, &grid->chunk_elements, NULL))
        return vvi_fail(err, VV_ERANGE, "a chunk has more than 2^64 elements");
    return VV_OK;
}

bool vvi_grid_is_regular(const vvi_grid *grid)
{
    for (uint32_t d = 0; d < grid->ndim; d++)
        if (grid->ends[d])
            return false;
    return true;
}

uint64_t vvi_grid_chunk_of(const vvi_grid *grid, uint32_t dimension, uint64_t element)
{
    const uint64_t *ends = grid->ends[dimension];
    uint64_t low = 0;
    uint64_t high = grid->count[dimension];

    if (!ends)
        return element / grid->chunk[dimension];
    /* The first that ends behind it. */
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (ends[middle] <= element)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t vvi_grid_chunk_start(const vvi_grid *grid, uint32_t dimension, uint64_t index)
{
    const uint64_t *ends = grid->ends[dimension];

    if (!ends)
        return index * grid->chunk[dimension];
    return index ? ends[index - 1] : 0;
}

uint64_t vvi_grid_chunk_length(const vvi_grid *grid, uint32_t dimension, uint64_t index)
{
    const uint64_t *ends = grid->ends[dimension];

    return ends ? ends[index] - vvi_grid_chunk_start(grid, dimension, index)
                : grid->chunk[dimension];
}

void vvi_grid_chunk_shape(const vvi_grid *grid, const uint64_t *index, uint64_t *shape)
{
    for (uint32_t d = 0; d < grid->ndim; d++)
        shape[d] = vvi_grid_chunk_length(grid, d, index[d]);
}

/* ---- regions ------------------------------------------------------------------------------- */

vv_status vvi_grid_check_chunk(const vvi_grid *grid, const uint64_t *index, vv_error *err)
{
    for (uint32_t i = 0; i < grid->ndim; i++)
        if (index[i] >= grid->count[i])
            return vvi_fail(err, VV_ERANGE,
                            "chunk %" PRIu64 " of dimension %" PRIu32
                            "; there are %" PRIu64,
                            index[i], i, grid->count[i]);
    return VV_OK;
}

vv_status vvi_region_init(vvi_region *region, const vvi_grid *grid, const uint64_t *start,
                          const uint64_t *count, const uint64_t *step, vv_error *err)
{
    for (uint32_t i = 0; i < grid->ndim; i++) {
        uint64_t by = step ? step[i] : 1;
        uint64_t last = 0;

        if (by == 0)
            return vvi_fail(err, VV_EINVAL, "the step of dimension %" PRIu32 " is 0", i);
        if (count[i] &&
            (__builtin_mul_overflow(count[i] - 1, by, &last) ||
             __builtin_add_overflow(last, start[i], &last) || last >= grid->shape[i]))
            return vvi_fail(err, VV_ERANGE,
                            "dimension %" PRIu32 ": %" PRIu64 " elements from %" PRIu64
                            ", step %" PRIu64 ", reach past its length %" PRIu64,
                            i, count[i], start[i], by, grid->shape[i]);
        if (start[i] > grid->shape[i])
            return vvi_fail(err, VV_ERANGE,
                            "dimension %" PRIu32 ": start %" PRIu64
                            " lies past its length "
                            "%" PRIu64,
                            i, start[i], grid->shape[i]);
        region->start[i] = start[i];
        region->count[i] = count[i];
        region->step[i] = by;
    }
    return vvi_product(grid->ndim, region->count, &region->elements, err);
}

/* Let dimension d of the next part begin with element number at of the region. */
static void seek(vvi_grid_walk *walk, uint32_t d, uint64_t at)
{
    const vvi_region *region = walk->region;
    uint64_t element = region->start[d] + at * region->step[d];
    uint64_t index = vvi_grid_chunk_of(walk->grid, d, element);
    uint64_t first = element - vvi_grid_chunk_start(walk->grid, d, index);
    uint64_t length = vvi_grid_chunk_length(walk->grid, d, index);
    uint64_t fit = (length - 1 - first) / region->step[d] + 1;
    uint64_t rest = region->count[d] - at;

    walk->next.index[d] = index;
    walk->next.first[d] = first;
    walk->next.count[d] = fit < rest ? fit : rest;
    walk->next.at[d] = at;
}

void vvi_grid_walk_init(vvi_grid_walk *walk, const vvi_grid *grid,
                        const vvi_region *region)
{
    *walk = (vvi_grid_walk){ .grid = grid,
                             .region = region,
                             .done = region->elements == 0 };
    for (uint32_t d = 0; d < grid->ndim && !walk->done; d++)
        seek(walk, d, 0);
}

bool vvi_grid_walk_next(vvi_grid_walk *walk, vvi_grid_part *out)
{
    if (walk->done)
        return false;
    *out = walk->next;
    for (uint32_t d = walk->grid->ndim; d > 0; d--) {
        uint64_t at = walk->next.at[d - 1] + walk->next.count[d - 1];

        if (at < walk->region->count[d - 1]) {
            seek(walk, d - 1, at);
            return true;
        }
        seek(walk, d - 1, 0);
    }
    walk->done = true;
    return true;
}

bool vvi_grid_part_is_all(const vvi_grid *grid, const vvi_grid_part *part)
{
    for (uint32_t d = 0; d < grid->ndim; d++) {
        uint64_t rest = grid->shape[d] - vvi_grid_chunk_start(grid, d, part->index[d]);
        uint64_t length = vvi_grid_chunk_length(grid, d, part->index[d]);
        uint64_t inside = rest < length ? rest : length;

        if (part->count[d] != inside)
            return false;
    }
    return true;
}

uint64_t vvi_grid_part_offset(const vvi_grid *grid, const vvi_grid_part *part,
                              const uint64_t *strides)
{
    uint64_t offset = 0;

    for (uint32_t d = 0; d < grid->ndim; d++)
        offset += part->at[d] * strides[d];
    return offset;
}

bool vvi_grid_part_lies_alike(const vvi_grid *grid, const vvi_grid_part *part,
                              const uint64_t *strides, const uint64_t *chunk_strides)
{
    for (uint32_t d = 0; d < grid->ndim; d++) {
        uint64_t length = vvi_grid_chunk_length(grid, d, part->index[d]);

        if (part->count[d] != length || (length > 1 && strides[d] != chunk_strides[d]))
            return false;
    }
    return true;
}
