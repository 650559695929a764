#include "dataset/slab.h"

#include <string.h>

static uint64_t at_most(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Elements of dimension i that rows chunks cover at most. */
static uint64_t span(const vvi_grid *grid, uint32_t i, uint64_t rows)
{
    uint64_t n;

    return __builtin_mul_overflow(rows, grid->chunk[i], &n) ? grid->shape[i]
                                                            : at_most(n, grid->shape[i]);
}

/* How many chunk rows of dimension i fit when all behind it takes bytes a row of elements. */
static uint64_t fitting_rows(const vvi_slabs *slabs, uint32_t i, uint64_t bytes,
                             uint64_t source_chunk, uint64_t max_bytes)
{
    uint64_t chunk = slabs->grid.chunk[i];
    uint64_t rows = max_bytes / bytes / chunk;
    uint64_t unit;

    if (rows >= slabs->grid.count[i])
        return slabs->grid.count[i];
    if (rows < 1)
        return 1;
    unit = source_chunk > chunk && source_chunk % chunk == 0 ? source_chunk / chunk : 1;
    return rows >= unit ? rows / unit * unit : rows;
}

vv_status vvi_slabs_init(vvi_slabs *slabs, uint32_t ndim, const uint64_t *shape,
                         const uint64_t *chunk, const uint64_t *source_chunks,
                         size_t item, uint64_t max_bytes, vv_error *err)
{
    uint64_t bytes = item;
    bool whole = true;

    memset(slabs, 0, sizeof(*slabs));
    VVI_TRY(vvi_grid_init(&slabs->grid, ndim, shape, chunk, err));
    slabs->item = item;
    for (uint32_t i = 0; i < ndim; i++) {
        slabs->rows[i] = 1;
        slabs->done = slabs->done || shape[i] == 0;
    }
    for (uint32_t i = 0; i < ndim && !slabs->done; i++)
        if (__builtin_mul_overflow(bytes, span(&slabs->grid, i, 1), &bytes))
            return vvi_fail(err, VV_ELIMIT, "a chunk of more than 2^64 bytes");
    /* bytes: one chunk. From the last dimension on, widen it to the whole dimension. */
    for (uint32_t i = ndim; i-- > 0 && whole && !slabs->done;) {
        uint64_t one = bytes / span(&slabs->grid, i, 1);

        slabs->rows[i] = fitting_rows(slabs, i, one, source_chunks ? source_chunks[i] : 0,
                                      max_bytes);
        whole = slabs->rows[i] == slabs->grid.count[i];
        bytes = one * span(&slabs->grid, i, slabs->rows[i]);
    }
    return VV_OK;
}

bool vvi_slabs_next(vvi_slabs *slabs, vvi_slab *out)
{
    const vvi_grid *grid = &slabs->grid;

    if (slabs->done)
        return false;
    out->elements = 1;
    out->chunk_total = 1;
    for (uint32_t i = 0; i < grid->ndim; i++) {
        out->chunk[i] = slabs->next[i];
        out->chunks[i] = at_most(slabs->rows[i], grid->count[i] - slabs->next[i]);
        out->start[i] = slabs->next[i] * grid->chunk[i];
        out->count[i] = at_most(out->chunks[i] * grid->chunk[i],
                                grid->shape[i] - out->start[i]);
        out->elements *= out->count[i];
        out->chunk_total *= (size_t)out->chunks[i];
    }
    slabs->done = true;
    for (uint32_t i = grid->ndim; i-- > 0;) {
        slabs->next[i] += slabs->rows[i];
        if (slabs->next[i] < grid->count[i]) {
            slabs->done = false;
            break;
        }
        slabs->next[i] = 0;
    }
    return true;
}

uint64_t vvi_slabs_most(const vvi_slabs *slabs, uint64_t *lengths)
{
    uint64_t bytes = slabs->item;

    for (uint32_t i = 0; i < slabs->grid.ndim; i++) {
        uint64_t n = span(&slabs->grid, i, slabs->rows[i]);

        if (lengths)
            lengths[i] = n;
        bytes *= n;
    }
    return bytes;
}

void vvi_slab_chunk(const vvi_slabs *slabs, const vvi_slab *slab, size_t i,
                    uint64_t *index)
{
    for (uint32_t d = slabs->grid.ndim; d-- > 0;) {
        index[d] = slab->chunk[d] + i % (size_t)slab->chunks[d];
        i /= (size_t)slab->chunks[d];
    }
}

void vvi_slab_cut(const vvi_slabs *slabs, const vvi_slab *slab, const uint8_t *data,
                  const uint64_t *index, const uint8_t *fill, uint8_t *scratch,
                  const uint8_t **out)
{
    const vvi_grid *grid = &slabs->grid;
    uint64_t from_strides[VVI_GRID_NDIM_MAX];
    uint64_t to_strides[VVI_GRID_NDIM_MAX];
    uint64_t count[VVI_GRID_NDIM_MAX];
    size_t offset = 0;
    bool full = true;  /* no edge of the array in this chunk */
    bool whole = true; /* the dimensions so far lie within one row of the slab */
    bool in_place = true;

    vvi_strides(grid->ndim, slab->count, slabs->item, from_strides);
    vvi_strides(grid->ndim, grid->chunk, slabs->item, to_strides);
    for (uint32_t i = 0; i < grid->ndim; i++) {
        uint64_t first = index[i] * grid->chunk[i];

        count[i] = at_most(grid->chunk[i], grid->shape[i] - first);
        full = full && count[i] == grid->chunk[i];
        in_place = in_place && (whole || count[i] == slab->count[i]);
        whole = whole && count[i] == 1;
        offset += (size_t)((first - slab->start[i]) * from_strides[i]);
    }
    if (full && in_place) {
        *out = data + offset;
        return;
    }
    if (!full)
        vvi_fill(scratch, (size_t)grid->chunk_elements, slabs->item, fill);
    vvi_copy_box(grid->ndim, count, slabs->item, scratch, to_strides, data + offset,
                 from_strides);
    *out = scratch;
}
