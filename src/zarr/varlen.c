/* Arrays of elements of variable length: text and bytes. */
#include "zarr/array.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

static vv_status check_variable(const vv_array *array, vv_error *err)
{
    if (array->meta.dtype.kind == VVI_KIND_VARIABLE)
        return VV_OK;
    return vvi_fail(err, VV_EINVAL,
                    "array '%s' has elements of a fixed length (%s): see vv_array_read()",
                    array->path, vv_dtype_name(array->meta.dtype.code));
}

static void free_heap(vvi_heap *heap)
{
    if (heap)
        vvi_heap_clear(heap);
    vvi_free(heap);
}

void vv_varlen_clear(vv_varlen *varlen)
{
    if (!varlen)
        return;
    vvi_free(varlen->items);
    free_heap(varlen->memory);
    *varlen = (vv_varlen)VV_VARLEN_INIT;
}

/* The fill value, with what it points at in the heap. */
static vv_status copy_fill(const vv_array *array, vvi_heap *heap, vv_bytes *out,
                           vv_error *err)
{
    vv_buf text = VV_BUF_INIT;
    vv_status status;

    memcpy(out, array->meta.fill.data, sizeof(*out));
    if (out->len == 0)
        return VV_OK;
    status = vvi_buf_set(&text, *out, err);
    out->data = text.data;
    if (!status)
        status = vvi_heap_keep(heap, &text, err);
    vv_buf_clear(&text);
    return status;
}

static vv_status new_heap(vvi_heap **out, vv_error *err)
{
    vvi_heap *heap = vvi_alloc(sizeof(*heap));
    vv_status status;

    if (!heap)
        return vvi_fail_nomem(err, sizeof(*heap));
    status = vvi_heap_init(heap, err);
    if (status)
        vvi_free(heap);
    else
        *out = heap;
    return status;
}

static vv_status read_items(vv_array *array, const vvi_selection *selection,
                            vv_varlen *out, vv_error *err)
{
    uint64_t strides[VV_NDIM_MAX];
    vv_bytes fill;
    vvi_reading self = { .array = array,
                         .selection = selection,
                         .result = { (uint8_t *)out->items, strides },
                         .heap = out->memory,
                         .fill = (const uint8_t *)&fill };

    VVI_TRY(copy_fill(array, out->memory, &fill, err));
    vvi_strides(selection->ndim, selection->count, array->item, strides);
    return vvi_read_selection(&self, err);
}

vv_status vv_array_read_varlen(vv_array *array, const uint64_t *start,
                               const uint64_t *count, const uint64_t *step,
                               vv_varlen *out, vv_error *err)
{
    vv_varlen made = VV_VARLEN_INIT;
    vvi_heap *heap = NULL;
    vvi_selection selection;
    vv_status status;

    VVI_TRY(check_variable(array, err));
    status = vvi_selection_init(&selection, &array->meta.grid, start, count, step, err);
    if (status)
        return vvi_wrap(err, status, "array '%s'", array->path);
    made.count = (size_t)selection.elements;
    made.items = vvi_alloc_array_zero(made.count, sizeof(*made.items));
    status = made.items ? new_heap(&heap, err)
                        : vvi_fail_nomem(err, made.count * sizeof(*made.items));
    made.memory = heap;
    if (!status)
        status = read_items(array, &selection, &made, err);
    if (status) {
        vv_varlen_clear(&made);
        return status;
    }
    vv_varlen_clear(out);
    *out = made;
    return VV_OK;
}

vv_status vv_array_write_varlen(vv_array *array, const uint64_t *start,
                                const uint64_t *count, const vv_bytes *items, size_t n,
                                vv_error *err)
{
    uint64_t strides[VV_NDIM_MAX];
    vvi_selection selection;
    vvi_heap *heap = NULL;
    vvi_writing self = { .array = array,
                         .selection = &selection,
                         .data = { (uint8_t *)(uintptr_t)items, strides } };
    vv_status status;

    VVI_TRY(check_variable(array, err));
    status = vvi_selection_init(&selection, &array->meta.grid, start, count, NULL, err);
    if (status)
        return vvi_wrap(err, status, "array '%s'", array->path);
    if (selection.elements != n)
        return vvi_fail(err, VV_EINVAL,
                        "array '%s': %zu elements for a region of %" PRIu64, array->path,
                        n, selection.elements);
    VVI_TRY(new_heap(&heap, err));
    self.heap = heap;
    vvi_strides(selection.ndim, selection.count, array->item, strides);
    status = vvi_write_selection(&self, err);
    free_heap(heap);
    return status;
}
