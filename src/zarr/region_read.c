/*
 * Reading selections: values are opened one after the other where that costs little, and fetched many at
 * a time elsewhere (fetch.c); units are decoded in parallel, where they lie alike straight into the
 * caller's memory.
 */
#include "zarr/reading.h"

#include "util/alloc.h"
#include "util/buf.h"

/* Bytes of a raw unit that are read needlessly rather than with a call of their own. */
#define GAP_BYTES 4096

static vvi_box box_of(const void *data, const uint64_t *strides)
{
    return (vvi_box){ (uint8_t *)(uintptr_t)data, strides };
}

vv_status vvi_unit_decode(const vvi_form *form, vv_bytes encoded, void *elements,
                          vvi_heap *heap, vv_error *err)
{
    return vvi_codec_chain_decode(form->chain, encoded, elements, heap, err);
}

vv_status vvi_unit_encode(const vvi_form *form, const void *elements, vv_buf *out,
                          vv_error *err)
{
    return vvi_codec_chain_encode(form->chain, elements, out, err);
}

void vvi_fill_part(const vvi_reading *self, const vvi_grid_part *part)
{
    vvi_part_fill(self->selection, part, self->array->item, self->result, self->fill);
}

/* ---- one unit -------------------------------------------------------------------------------- */

/* The bytes of a raw unit that a part needs are read as runs, each at its own place in unit. */
typedef struct run {
    const vvi_stored *source;
    uint64_t offset; /* of the unit in the value */
    uint8_t *unit;
    uint64_t from, to; /* bytes of the unit that are to be read; from == to: none yet */
} run;

static vv_status end_run(run *self, vv_error *err)
{
    uint64_t from = self->from;

    if (self->to == from)
        return VV_OK;
    self->from = self->to;
    return vvi_value_read(self->source->array->store, &self->source->value,
                          self->offset + from, self->unit + from,
                          (size_t)(self->to - from), err);
}

static vv_status add_to_run(run *self, uint64_t from, uint64_t to, vv_error *err)
{
    if (self->to != self->from && from <= self->to + GAP_BYTES) {
        self->to = to;
        return VV_OK;
    }
    VVI_TRY(end_run(self, err));
    self->from = from;
    self->to = to;
    return VV_OK;
}

/* Read the rows of a part, from the first element wanted to the last. */
static vv_status read_rows(run *self, const vvi_selection *selection,
                           const vvi_grid_part *part, const vvi_form *form, size_t item,
                           vv_error *err)
{
    uint32_t ndim = selection->ndim;
    uint32_t outer = ndim ? ndim - 1 : 0;
    uint64_t at[VV_NDIM_MAX] = { 0 };
    uint64_t length = item;

    if (ndim)
        length += (part->count[outer] - 1) * selection->step[outer] * item;
    for (;;) {
        uint64_t from = ndim ? part->first[outer] * item : 0;
        uint32_t d;

        for (d = 0; d < outer; d++)
            from += (part->first[d] + at[d] * selection->step[d]) * form->strides[d];
        VVI_TRY(add_to_run(self, from, from + length, err));
        for (d = outer; d > 0 && ++at[d - 1] == part->count[d - 1]; d--)
            at[d - 1] = 0;
        if (d == 0)
            return end_run(self, err);
    }
}

/* A unit that is stored as it lies in memory, of a value that is not in memory: what of it is wanted
 * is read, straight to its place if it can be. */
static vv_status read_raw(const vvi_reading *self, const vvi_stored *source,
                          const vvi_grid_part *part, uint64_t offset, vvi_desk *desk,
                          vv_error *err)
{
    const vvi_form *form = source->form;
    uint8_t *place;

    if (vvi_part_lies_alike(self->selection, part, form->units.chunk, self->result,
                            form->strides, &place))
        return vvi_value_read(self->array->store, &source->value, offset, place,
                              form->unit_bytes, err);
    VVI_TRY(vvi_desk_unit(desk, form, err));
    if (self->selection->has_picks) {
        VVI_TRY(vvi_value_read(self->array->store, &source->value, offset, desk->unit,
                               form->unit_bytes, err));
    } else {
        run rows = { .source = source, .offset = offset, .unit = desk->unit };

        VVI_TRY(read_rows(&rows, self->selection, part, form, self->array->item, err));
    }
    vvi_part_read(self->selection, part, self->array->item, self->result,
                  box_of(desk->unit, form->strides));
    return VV_OK;
}

static vv_status read_unit(const vvi_reading *self, const vvi_stored *source,
                           const vvi_grid_part *part, vvi_desk *desk, vv_error *err)
{
    const vvi_form *form = source->form;
    uint64_t offset;
    uint64_t length;
    vv_bytes encoded;
    vv_bytes view;
    uint8_t *place;
    bool found;

    if (!vvi_stored_find(source, part->index, &offset, &length)) {
        vvi_fill_part(self, part);
        return VV_OK;
    }
    if (!source->whole.data && !source->pieces && length == form->unit_bytes &&
        vvi_codec_chain_is_identity(form->chain))
        return read_raw(self, source, part, offset, desk, err);
    VVI_TRY(vvi_stored_unit(source, offset, length, &desk->encoded, &encoded, err));
    VVI_TRY(vvi_codec_chain_view(form->chain, encoded, &view, &found, err));
    if (!found && vvi_part_lies_alike(self->selection, part, form->units.chunk,
                                      self->result, form->strides, &place))
        return vvi_unit_decode(form, encoded, place, self->heap, err);
    if (!found) {
        VVI_TRY(vvi_desk_unit(desk, form, err));
        VVI_TRY(vvi_unit_decode(form, encoded, desk->unit, self->heap, err));
        view = vvi_bytes(desk->unit, form->unit_bytes);
    }
    vvi_part_read(self->selection, part, self->array->item, self->result,
                  box_of(view.data, form->strides));
    return VV_OK;
}

/* ---- one stored value -------------------------------------------------------------------------- */

typedef struct unit_work {
    const vvi_reading *reading;
    const vvi_stored *source;
    vvi_walk walk;
} unit_work;

static vv_status read_next_unit(void *ctx, size_t i, vv_error *err)
{
    unit_work *self = ctx;
    vv_array *array = self->reading->array;
    vvi_grid_part part;
    vvi_desk *desk;
    vv_status status;

    (void)i;
    if (!vvi_walk_take(&self->walk, &part))
        return VV_OK;
    VVI_TRY(vvi_desk_take(array, &desk, err));
    status = read_unit(self->reading, self->source, &part, desk, err);
    vvi_desk_give(array, desk);
    return status;
}

vv_status vvi_read_units(const vvi_reading *self, const vvi_stored *source,
                         const vvi_grid_part *part, vvi_desk *desk, bool alone,
                         vv_error *err)
{
    unit_work work = { .reading = self, .source = source };
    vvi_grid_part unit;
    vv_status status;

    if (!source->is_there) {
        vvi_fill_part(self, part);
        return VV_OK;
    }
    VVI_TRY(vvi_walk_init_inside(&work.walk, self->selection, &source->form->units, part,
                                 err));
    status = VV_OK;
    if (alone || !source->form->sharding) {
        while (!status && vvi_walk_next(&work.walk, &unit))
            status = read_unit(self, source, &unit, desk, err);
    } else {
        uint64_t units = vvi_part_units(source->form, self->selection, part);

        status = vvi_parallel(vvi_form_threads(source->form, units), (size_t)units,
                              read_next_unit, &work, err);
    }
    vvi_walk_clear(&work.walk);
    return status;
}

vv_status vvi_read_part(const vvi_reading *self, const vvi_grid_part *part, bool alone,
                        vv_error *err)
{
    vvi_stored source = { .value = { .fd = -1 } };
    const vvi_form *form;
    vvi_desk *desk;
    vv_status status;

    VVI_TRY(vvi_form_take(self->array, part->index, &form, err));
    status = vvi_desk_take(self->array, &desk, err);
    if (status) {
        vvi_form_give(self->array, form);
        return status;
    }
    desk->key.len = 0;
    status = vvi_array_key(self->array, part->index, &desk->key, err);
    if (!status) {
        status = vvi_stored_open(&source, self->array, form, part->index,
                                 (const char *)desk->key.data, err);
        if (!status)
            status = vvi_read_units(self, &source, part, desk, alone, err);
        if (status)
            vvi_wrap(err, status, "chunk %s", (const char *)desk->key.data);
    }
    vvi_stored_clear(&source);
    vvi_desk_give(self->array, desk);
    vvi_form_give(self->array, form);
    return status;
}

/* ---- selections -------------------------------------------------------------------------------- */

typedef struct value_work {
    const vvi_reading *reading;
    vvi_walk walk;
} value_work;

static vv_status read_next_value(void *ctx, size_t i, vv_error *err)
{
    value_work *self = ctx;
    vvi_grid_part part;

    (void)i;
    return vvi_walk_take(&self->walk, &part)
               ? vvi_read_part(self->reading, &part, true, err)
               : VV_OK;
}

static vv_status read_near(const vvi_reading *self, uint64_t values, uint64_t units,
                           vv_error *err)
{
    value_work work = { .reading = self };
    uint32_t threads = vvi_form_threads(&self->array->form, units);
    vvi_grid_part part;
    vv_status status;

    VVI_TRY(vvi_walk_init(&work.walk, self->selection, &self->array->meta.grid, err));
    /* Few values of many units are shared out unit by unit. */
    if (threads == 1 || values >= 2 * (uint64_t)vvi_cpu_count() || units == values) {
        status = vvi_parallel(threads, (size_t)values, read_next_value, &work, err);
    } else {
        status = VV_OK;
        while (!status && vvi_walk_next(&work.walk, &part))
            status = vvi_read_part(self, &part, false, err);
    }
    vvi_walk_clear(&work.walk);
    return status;
}

vv_status vvi_read_selection(const vvi_reading *self, vv_error *err)
{
    uint64_t values;

    if (self->selection->elements == 0)
        return VV_OK;
    values = vvi_selection_chunks(self->selection, &self->array->meta.grid);
    if (!vvi_store_is_near(self->array->store))
        return vvi_read_far(self, values, err);
    return read_near(self, values, vvi_selection_units(self->array, self->selection),
                     err);
}

/* ---- public calls ------------------------------------------------------------------------------ */

vv_status vv_array_read(vv_array *array, const uint64_t *start, const uint64_t *count,
                        const uint64_t *step, void *out, size_t out_bytes, vv_error *err)
{
    vvi_selection selection;
    uint64_t strides[VV_NDIM_MAX];
    vvi_reading self = {
        array, &selection, { out, strides }, NULL, array->meta.fill.data
    };
    vv_status status = vvi_selection_init(&selection, &array->meta.grid, start, count,
                                          step, err);

    if (status)
        return vvi_wrap(err, status, "array '%s'", array->path);
    VVI_TRY(vvi_array_check_fixed(array, err));
    VVI_TRY(vvi_array_check_bytes(array, selection.elements, out_bytes, err));
    vvi_strides(array->meta.grid.ndim, selection.count, array->item, strides);
    return vvi_read_selection(&self, err);
}

static vv_status read_chunk(vv_array *array, const uint64_t *index, void *out, bool alone,
                            vv_error *err)
{
    vvi_selection selection;
    vvi_grid_part part;
    uint64_t strides[VV_NDIM_MAX];
    uint64_t shape[VV_NDIM_MAX];
    vvi_reading self = {
        array, &selection, { out, strides }, NULL, array->meta.fill.data
    };
    vv_status status = vvi_grid_check_chunk(&array->meta.grid, index, err);

    if (status)
        return vvi_wrap(err, status, "array '%s'", array->path);
    VVI_TRY(vvi_array_check_fixed(array, err));
    vvi_grid_chunk_shape(&array->meta.grid, index, shape);
    vvi_selection_of_chunk(&selection, &part, &array->meta.grid, shape, index);
    vvi_strides(selection.ndim, shape, array->item, strides);
    return vvi_read_part(&self, &part, alone, err);
}

vv_status vv_array_read_chunk(vv_array *array, const uint64_t *index, void *out,
                              vv_error *err)
{
    return read_chunk(array, index, out, false, err);
}

typedef struct chunk_work {
    vv_array *array;
    const uint64_t *indices;
    void *const *outs;
    bool alone;
} chunk_work;

static vv_status read_one_chunk(void *ctx, size_t i, vv_error *err)
{
    const chunk_work *self = ctx;

    return read_chunk(self->array, self->indices + i * self->array->meta.grid.ndim,
                      self->outs[i], self->alone, err);
}

vv_status vv_array_read_chunks(vv_array *array, size_t n, const uint64_t *indices,
                               void *const *outs, vv_error *err)
{
    chunk_work work = { array, indices, outs, n >= 2 * (size_t)vvi_cpu_count() };
    uint32_t threads = vvi_form_threads(
        &array->form,
        n * (uint64_t)(array->form.sharding ? array->form.sharding->chunk_count : 1));

    if (!work.alone && array->form.sharding)
        threads = 1; /* the inner chunks of each are shared out */
    return vvi_parallel(threads, n, read_one_chunk, &work, err);
}
