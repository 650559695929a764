/* Selections with lists of positions: sorted, so that each chunk is read and decoded once. */
#include "zarr/array.h"

#include "util/alloc.h"

#include <stdlib.h>
#include <string.h>

/* The same position twice: in the order of the list, so that of two values written the later stays. */
static int by_position(const void *a, const void *b)
{
    const vvi_pick *x = a;
    const vvi_pick *y = b;

    if (x->position != y->position)
        return x->position < y->position ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static vv_status take_list(vvi_selection *self, uint32_t d, const vv_select *wanted,
                           uint64_t length, vv_error *err)
{
    vvi_pick *picks;

    if (wanted->count > SIZE_MAX / sizeof(*picks))
        return vvi_fail(err, VV_EINVAL, "dimension %" PRIu32 ": %" PRIu64 " positions", d,
                        wanted->count);
    picks = vvi_alloc_array((size_t)wanted->count, sizeof(*picks));
    if (!picks)
        return vvi_fail_nomem(err, (size_t)wanted->count * sizeof(*picks));
    self->picks[d] = picks;
    self->has_picks = true;
    self->count[d] = wanted->count;
    self->step[d] = 1;
    for (uint64_t i = 0; i < wanted->count; i++) {
        picks[i] = (vvi_pick){ wanted->indices[i], i };
        if (picks[i].position >= length)
            return vvi_fail(err, VV_ERANGE,
                            "dimension %" PRIu32 ": position %" PRIu64
                            "; its length is %" PRIu64,
                            d, picks[i].position, length);
    }
    qsort(picks, (size_t)wanted->count, sizeof(*picks), by_position);
    return VV_OK;
}

static void clear_selection(vvi_selection *self)
{
    for (uint32_t d = 0; d < self->ndim; d++)
        vvi_free((vvi_pick *)(uintptr_t)self->picks[d]);
}

/* Clear it also after a failure. */
static vv_status init_selection(vvi_selection *self, const vv_array *array,
                                const vv_select *dims, vv_error *err)
{
    const vvi_grid *grid = &array->meta.grid;
    uint64_t start[VV_NDIM_MAX], count[VV_NDIM_MAX], step[VV_NDIM_MAX];
    vv_status status = VV_OK;

    self->ndim = 0;
    for (uint32_t d = 0; d < grid->ndim; d++) {
        /* What a list says is checked with the list. */
        start[d] = dims[d].indices ? 0 : dims[d].start;
        count[d] = dims[d].indices ? 0 : dims[d].count;
        step[d] = dims[d].indices || !dims[d].step ? 1 : dims[d].step;
    }
    status = vvi_selection_init(self, grid, start, count, step, err);
    for (uint32_t d = 0; d < grid->ndim && !status; d++)
        if (dims[d].indices)
            status = take_list(self, d, &dims[d], grid->shape[d], err);
    if (!status)
        status = vvi_product(grid->ndim, self->count, &self->elements, err);
    return status ? vvi_wrap(err, status, "array '%s'", array->path) : VV_OK;
}

vv_status vv_array_read_select(vv_array *array, const vv_select *dims, void *out,
                               size_t out_bytes, vv_error *err)
{
    vvi_selection selection;
    uint64_t strides[VV_NDIM_MAX];
    vvi_reading self = { .array = array,
                         .selection = &selection,
                         .result = { out, strides },
                         .fill = array->meta.fill.data };
    vv_status status = init_selection(&selection, array, dims, err);

    if (!status)
        status = vvi_array_check_fixed(array, err);
    if (!status)
        status = vvi_array_check_bytes(array, selection.elements, out_bytes, err);
    if (!status) {
        vvi_strides(array->meta.grid.ndim, selection.count, array->item, strides);
        status = vvi_read_selection(&self, err);
    }
    clear_selection(&selection);
    return status;
}

vv_status vv_array_write_select(vv_array *array, const vv_select *dims, const void *data,
                                size_t data_bytes, vv_error *err)
{
    vvi_selection selection;
    uint64_t strides[VV_NDIM_MAX];
    vvi_writing self = { .array = array,
                         .selection = &selection,
                         .data = { (uint8_t *)(uintptr_t)data, strides } };
    vv_status status = init_selection(&selection, array, dims, err);

    if (!status)
        status = vvi_array_check_fixed(array, err);
    if (!status)
        status = vvi_array_check_bytes(array, selection.elements, data_bytes, err);
    if (!status) {
        vvi_strides(array->meta.grid.ndim, selection.count, array->item, strides);
        status = vvi_write_selection(&self, err);
    }
    clear_selection(&selection);
    return status;
}
