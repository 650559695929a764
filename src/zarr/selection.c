#include "zarr/selection.h"

#include <string.h>

vv_status vvi_selection_init(vvi_selection *self, const vvi_grid *grid,
                             const uint64_t *start, const uint64_t *count,
                             const uint64_t *step, vv_error *err)
{
    vvi_region region;

    VVI_TRY(vvi_region_init(&region, grid, start, count, step, err));
    memset(self, 0, sizeof(*self));
    self->ndim = grid->ndim;
    self->elements = region.elements;
    for (uint32_t d = 0; d < grid->ndim; d++) {
        self->start[d] = region.start[d];
        self->count[d] = region.count[d];
        self->step[d] = region.step[d];
    }
    return VV_OK;
}

void vvi_selection_of_chunk(vvi_selection *self, vvi_grid_part *part,
                            const vvi_grid *grid, const uint64_t *shape,
                            const uint64_t *index)
{
    memset(self, 0, sizeof(*self));
    memset(part, 0, sizeof(*part));
    self->ndim = grid->ndim;
    self->elements = 1;
    for (uint32_t d = 0; d < grid->ndim; d++) {
        self->start[d] = vvi_grid_chunk_start(grid, d, index[d]);
        self->count[d] = part->count[d] = shape[d];
        self->step[d] = 1;
        self->elements *= shape[d];
        part->index[d] = index[d];
    }
}

/* ---- walks --------------------------------------------------------------------------------- */

/* The position in the array of element number at of dimension d. */
static uint64_t position_of(const vvi_selection *self, uint32_t d, uint64_t at)
{
    return self->picks[d] ? self->picks[d][at].position
                          : self->start[d] + at * self->step[d];
}

uint64_t vvi_selection_reach(const vvi_selection *self, const vvi_grid_part *part,
                             uint32_t dimension)
{
    uint64_t at = part->at[dimension];

    return position_of(self, dimension, at + part->count[dimension] - 1) -
           position_of(self, dimension, at);
}

/* How many of a selection's elements from number at to end lie below a position of the array. */
static uint64_t elements_below(const vvi_selection *self, uint32_t d, uint64_t at,
                               uint64_t end, uint64_t position)
{
    uint64_t from = at;
    uint64_t fit;

    if (self->picks[d]) {
        while (at < end && self->picks[d][at].position < position)
            at++;
        return at - from;
    }
    fit = (position - 1 - position_of(self, d, at)) / self->step[d] + 1;
    return fit < end - at ? fit : end - at;
}

/* Let dimension d of the next part begin with element number at. */
static void seek(vvi_walk *walk, uint32_t d, uint64_t at)
{
    uint64_t position = position_of(walk->selection, d, at) - walk->origin[d];
    uint64_t index = vvi_grid_chunk_of(walk->grid, d, position);
    uint64_t start = vvi_grid_chunk_start(walk->grid, d, index);
    uint64_t limit;

    walk->next.index[d] = index;
    walk->next.first[d] = position - start;
    if (__builtin_add_overflow(walk->origin[d] + start,
                               vvi_grid_chunk_length(walk->grid, d, index), &limit))
        limit = UINT64_MAX;
    walk->next.count[d] = elements_below(walk->selection, d, at, walk->end[d], limit);
    walk->next.at[d] = at;
}

vv_status vvi_walk_init_inside(vvi_walk *self, const vvi_selection *selection,
                               const vvi_grid *grid, const vvi_grid_part *part,
                               vv_error *err)
{
    VVI_TRY(vvi_mutex_init(&self->lock, err));
    self->selection = selection;
    self->grid = grid;
    self->done = selection->elements == 0;
    for (uint32_t d = 0; d < grid->ndim && !self->done; d++) {
        self->begin[d] = part ? part->at[d] : 0;
        self->end[d] = part ? part->at[d] + part->count[d] : selection->count[d];
        self->origin[d] = part ? position_of(selection, d, part->at[d]) - part->first[d]
                               : 0;
        seek(self, d, self->begin[d]);
    }
    return VV_OK;
}

vv_status vvi_walk_init(vvi_walk *self, const vvi_selection *selection,
                        const vvi_grid *grid, vv_error *err)
{
    return vvi_walk_init_inside(self, selection, grid, NULL, err);
}

void vvi_walk_clear(vvi_walk *self)
{
    vvi_mutex_clear(&self->lock);
}

/* Copy what a part has of its dimensions, which are mostly few. */
static void copy_part(vvi_grid_part *to, const vvi_grid_part *from, uint32_t ndim)
{
    size_t bytes = ndim * sizeof(to->index[0]);

    memcpy(to->index, from->index, bytes);
    memcpy(to->first, from->first, bytes);
    memcpy(to->count, from->count, bytes);
    memcpy(to->at, from->at, bytes);
}

bool vvi_walk_next(vvi_walk *self, vvi_grid_part *out)
{
    if (self->done)
        return false;
    copy_part(out, &self->next, self->grid->ndim);
    for (uint32_t d = self->grid->ndim; d > 0; d--) {
        uint64_t at = self->next.at[d - 1] + self->next.count[d - 1];

        if (at < self->end[d - 1]) {
            seek(self, d - 1, at);
            return true;
        }
        seek(self, d - 1, self->begin[d - 1]);
    }
    self->done = true;
    return true;
}

bool vvi_walk_take(vvi_walk *self, vvi_grid_part *out)
{
    bool taken;

    vvi_mutex_lock(&self->lock);
    taken = vvi_walk_next(self, out);
    vvi_mutex_unlock(&self->lock);
    return taken;
}

uint64_t vvi_selection_chunks(const vvi_selection *self, const vvi_grid *grid)
{
    uint64_t chunks = 1;

    for (uint32_t d = 0; d < self->ndim; d++) {
        uint64_t count = self->count[d];

        if (count) {
            uint64_t first = vvi_grid_chunk_of(grid, d, position_of(self, d, 0));
            uint64_t last = vvi_grid_chunk_of(grid, d, position_of(self, d, count - 1));

            if (last - first < count)
                count = last - first + 1;
        }
        if (__builtin_mul_overflow(chunks, count, &chunks))
            return UINT64_MAX;
    }
    return chunks;
}

/* ---- elements in memory ---------------------------------------------------------------------- */

/* Where the part begins in a result, when every dimension goes by steps. */
static uint8_t *place_in_result(const vvi_grid_part *part, uint32_t ndim, vvi_box result)
{
    for (uint32_t d = 0; d < ndim; d++)
        result.data += part->at[d] * result.strides[d];
    return result.data;
}

bool vvi_part_lies_alike(const vvi_selection *selection, const vvi_grid_part *part,
                         const uint64_t *chunk_shape, vvi_box result,
                         const uint64_t *chunk_strides, uint8_t **place)
{
    if (selection->has_picks)
        return false;
    for (uint32_t d = 0; d < selection->ndim; d++)
        if (part->count[d] != chunk_shape[d] ||
            (chunk_shape[d] > 1 && result.strides[d] != chunk_strides[d]))
            return false;
    *place = place_in_result(part, selection->ndim, result);
    return true;
}

/* Bytes from the beginning of each box to element number i of the part in dimension d. */
typedef struct offsets {
    const vvi_selection *selection;
    const vvi_grid_part *part;
    const uint64_t *result_strides, *chunk_strides;
} offsets;

static uint64_t result_offset(const offsets *self, uint32_t d, uint64_t i)
{
    uint64_t at = self->part->at[d] + i;

    return (self->selection->picks[d] ? self->selection->picks[d][at].at : at) *
           self->result_strides[d];
}

static uint64_t chunk_offset(const offsets *self, uint32_t d, uint64_t i)
{
    const vvi_selection *selection = self->selection;
    uint64_t at = self->part->at[d];

    return (self->part->first[d] + position_of(selection, d, at + i) -
            position_of(selection, d, at)) *
           self->chunk_strides[d];
}

typedef enum direction {
    TO_RESULT,
    TO_CHUNK,
    FILL_RESULT
} direction;

/* One element; a fixed size lets the compiler make one load and store of it. */
static void copy_element(uint8_t *to, const uint8_t *from, size_t item)
{
    switch (item) {
    case 1:
        *to = *from;
        break;
    case 2:
        memcpy(to, from, 2);
        break;
    case 4:
        memcpy(to, from, 4);
        break;
    case 8:
        memcpy(to, from, 8);
        break;
    default:
        memcpy(to, from, item);
    }
}

/* The innermost dimension of lists. chunk: one value when the result is filled. */
static void copy_picked_row(const offsets *self, size_t item, uint8_t *result,
                            uint8_t *chunk, direction way)
{
    uint32_t d = self->selection->ndim - 1;

    for (uint64_t i = 0; i < self->part->count[d]; i++) {
        uint8_t *there = result + result_offset(self, d, i);

        if (way == FILL_RESULT)
            copy_element(there, chunk, item);
        else if (way == TO_RESULT)
            copy_element(there, chunk + chunk_offset(self, d, i), item);
        else
            copy_element(chunk + chunk_offset(self, d, i), there, item);
    }
}

/* With lists: dimension by dimension, row by row. */
static void copy_picked(const offsets *self, size_t item, vvi_box result, uint8_t *chunk,
                        direction way)
{
    uint32_t outer = self->selection->ndim - 1;
    uint64_t position[VVI_GRID_NDIM_MAX] = { 0 };

    for (;;) {
        uint8_t *to = result.data;
        uint8_t *from = chunk;
        uint32_t d;

        for (d = 0; d < outer; d++) {
            to += result_offset(self, d, position[d]);
            if (way != FILL_RESULT)
                from += chunk_offset(self, d, position[d]);
        }
        copy_picked_row(self, item, to, from, way);
        for (d = outer; d > 0 && ++position[d - 1] == self->part->count[d - 1]; d--)
            position[d - 1] = 0;
        if (d == 0)
            return;
    }
}

/* Without: where the part begins in the chunk, and the strides of its elements there. */
static uint8_t *place_in_chunk(const vvi_selection *selection, const vvi_grid_part *part,
                               vvi_box chunk, uint64_t *strides)
{
    for (uint32_t d = 0; d < selection->ndim; d++) {
        chunk.data += part->first[d] * chunk.strides[d];
        strides[d] = chunk.strides[d] * selection->step[d];
    }
    return chunk.data;
}

void vvi_part_read(const vvi_selection *selection, const vvi_grid_part *part, size_t item,
                   vvi_box result, vvi_box chunk)
{
    offsets all = { selection, part, result.strides, chunk.strides };
    uint64_t strides[VVI_GRID_NDIM_MAX];

    if (selection->has_picks) {
        copy_picked(&all, item, result, chunk.data, TO_RESULT);
        return;
    }
    const uint8_t *from = place_in_chunk(selection, part, chunk, strides);
    vvi_copy_box(selection->ndim, part->count, item,
                 place_in_result(part, selection->ndim, result), result.strides, from,
                 strides);
}

void vvi_part_write(const vvi_selection *selection, const vvi_grid_part *part,
                    size_t item, vvi_box result, vvi_box chunk)
{
    offsets all = { selection, part, result.strides, chunk.strides };
    uint64_t strides[VVI_GRID_NDIM_MAX];

    if (selection->has_picks) {
        copy_picked(&all, item, result, chunk.data, TO_CHUNK);
        return;
    }
    uint8_t *to = place_in_chunk(selection, part, chunk, strides);
    vvi_copy_box(selection->ndim, part->count, item, to, strides,
                 place_in_result(part, selection->ndim, result), result.strides);
}

void vvi_part_fill(const vvi_selection *selection, const vvi_grid_part *part, size_t item,
                   vvi_box result, const uint8_t *value)
{
    offsets all = { selection, part, result.strides, NULL };

    if (!selection->has_picks) {
        vvi_fill_box(selection->ndim, part->count, item,
                     place_in_result(part, selection->ndim, result), result.strides,
                     value);
        return;
    }
    copy_picked(&all, item, result, (uint8_t *)(uintptr_t)value, FILL_RESULT);
}
