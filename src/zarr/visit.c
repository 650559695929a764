/* A region of any size in bounded memory: block by block, each of whole chunks. */
#include "zarr/array.h"

#include "util/alloc.h"

#define MEMORY_BYTES ((size_t)64 << 20)

/* The blocks of a region. */
typedef struct blocks {
    const vv_array *array;
    const uint64_t *start, *count; /* of the region */
    uint64_t
        length[VV_NDIM_MAX]; /* of a block, in elements: whole units, or all there is */
} blocks;

/*
 * As long as memory lasts, blocks grow by whole units, the last dimension first: they are then rows of
 * chunks, and each chunk lies in one block.
 */
static void choose_length(blocks *self, size_t memory)
{
    const vv_array *array = self->array;
    uint32_t ndim = array->meta.grid.ndim;
    uint64_t bytes = array->item;

    for (uint32_t d = 0; d < ndim; d++) {
        self->length[d] = array->form.units.chunk[d];
        if (self->length[d] > self->count[d])
            self->length[d] = self->count[d];
        if (__builtin_mul_overflow(bytes, self->length[d], &bytes))
            bytes = UINT64_MAX;
    }
    for (uint32_t d = ndim; d > 0 && bytes <= memory; d--) {
        uint64_t unit = self->length[d - 1];
        uint64_t fit = memory / (bytes / unit) / unit * unit;

        bytes /= unit;
        self->length[d - 1] = fit < self->count[d - 1] ? fit : self->count[d - 1];
        if (__builtin_mul_overflow(bytes, self->length[d - 1], &bytes) ||
            self->length[d - 1] < self->count[d - 1])
            return;
    }
}

/* How far the block that begins at this position of the array reaches: to a border of units. */
static uint64_t reach(const blocks *self, uint32_t d, uint64_t at)
{
    const vvi_grid *grid = &self->array->meta.grid;
    uint64_t end = self->start[d] + self->count[d];
    uint64_t unit = self->array->form.units.chunk[d];
    uint64_t most = end - at < self->length[d] ? end : at + self->length[d];
    uint64_t border;

    if (most == end)
        return end;
    if (grid->ends[d])
        border = vvi_grid_chunk_start(grid, d, vvi_grid_chunk_of(grid, d, most));
    else
        border = most - most % unit;
    return border > at ? border : most;
}

vv_status vv_array_visit(vv_array *array, const uint64_t *start, const uint64_t *count,
                         size_t memory_bytes, vv_array_block_fn visit, void *ctx,
                         vv_error *err)
{
    blocks self = { .array = array, .start = start, .count = count };
    uint32_t ndim = array->meta.grid.ndim;
    uint64_t at[VV_NDIM_MAX], size[VV_NDIM_MAX];
    uint64_t bytes = array->item;
    vvi_selection whole;
    vv_status status;
    uint32_t d = 0;
    void *elements;

    VVI_TRY(vvi_array_check_fixed(array, err));
    status = vvi_selection_init(&whole, &array->meta.grid, start, count, NULL, err);
    if (status)
        return vvi_wrap(err, status, "array '%s'", array->path);
    if (whole.elements == 0)
        return VV_OK;
    choose_length(&self, memory_bytes ? memory_bytes : MEMORY_BYTES);
    for (d = 0; d < ndim; d++) {
        at[d] = start[d];
        if (__builtin_mul_overflow(bytes, self.length[d], &bytes) || bytes > SIZE_MAX / 2)
            return vvi_fail_nomem(err, SIZE_MAX);
    }
    elements = vvi_alloc((size_t)bytes);
    if (!elements)
        return vvi_fail_nomem(err, (size_t)bytes);
    do {
        bytes = array->item;
        for (d = 0; d < ndim; d++) {
            size[d] = reach(&self, d, at[d]) - at[d];
            bytes *= size[d];
        }
        status = vv_array_read(array, at, size, NULL, elements, (size_t)bytes, err);
        if (!status)
            status = visit(ctx, at, size, elements, (size_t)bytes, err);
        for (d = ndim; d > 0; d--) {
            at[d - 1] += size[d - 1];
            if (at[d - 1] < start[d - 1] + count[d - 1])
                break;
            at[d - 1] = start[d - 1];
        }
    } while (!status && d > 0);
    vvi_free(elements);
    return status;
}
