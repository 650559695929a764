/*
 * Writing selections: values are made in parallel, and stored one by one in a near store, many at a time
 * elsewhere (send.c). A value that the selection covers in part is read, changed and written by one
 * thread at a time, so that writers of its other elements lose nothing.
 */
#include "zarr/writing.h"

#include "util/alloc.h"
#include "util/buf.h"

/* ---- units --------------------------------------------------------------------------------- */

bool vvi_covers(const vvi_writing *self, const vvi_grid_part *part,
                const uint64_t *chunk_shape, const uint64_t *origin)
{
    const vvi_grid *grid = &self->array->meta.grid;

    /* A list may name one element several times. */
    if (self->selection->has_picks)
        return false;
    for (uint32_t d = 0; d < grid->ndim; d++) {
        uint64_t rest = grid->shape[d] > origin[d] ? grid->shape[d] - origin[d] : 0;

        if (part->count[d] < (rest < chunk_shape[d] ? rest : chunk_shape[d]))
            return false;
    }
    return true;
}

/* Every element of the chunk, also those outside the shape. */
static bool is_full(const vvi_writing *self, const vvi_grid_part *part,
                    const uint64_t *chunk_shape)
{
    if (self->selection->has_picks)
        return false;
    for (uint32_t d = 0; d < self->selection->ndim; d++)
        if (part->count[d] != chunk_shape[d])
            return false;
    return true;
}

bool vvi_unit_is_fill(const vv_array *array, const vvi_form *form,
                      const uint8_t *elements)
{
    return vvi_elements_equal(&array->meta.dtype, elements,
                              (size_t)form->units.chunk_elements, array->meta.fill.data);
}

vv_status vvi_compose_unit(const vvi_writing *self, const vvi_form *form,
                           const vvi_grid_part *part, const uint64_t *origin,
                           vv_bytes old, vvi_desk *desk, const uint8_t **out,
                           vv_error *err)
{
    const vv_array *array = self->array;
    const uint64_t *shape = form->units.chunk;
    uint8_t *place;

    if (vvi_part_lies_alike(self->selection, part, shape, self->data, form->strides,
                            &place)) {
        *out = place;
        return VV_OK;
    }
    VVI_TRY(vvi_desk_unit(desk, form, err));
    if (!is_full(self, part, shape)) {
        if (old.data && !vvi_covers(self, part, shape, origin))
            VVI_TRY(vvi_unit_decode(form, old, desk->unit, self->heap, err));
        else
            vvi_fill(desk->unit, (size_t)form->units.chunk_elements, array->item,
                     array->meta.fill.data);
    }
    vvi_part_write(self->selection, part, array->item, self->data,
                   (vvi_box){ desk->unit, form->strides });
    *out = desk->unit;
    return VV_OK;
}

/* ---- chunks -------------------------------------------------------------------------------- */

static void origin_of(const vvi_grid *grid, const vvi_grid_part *part, uint64_t *origin)
{
    for (uint32_t d = 0; d < grid->ndim; d++)
        origin[d] = vvi_grid_chunk_start(grid, d, part->index[d]);
}

bool vvi_keeps_old(const vvi_writing *self, const vvi_form *form,
                   const vvi_grid_part *part)
{
    uint64_t origin[VV_NDIM_MAX];

    origin_of(&self->array->meta.grid, part, origin);
    return !vvi_covers(self, part, form->shape, origin);
}

/* A value of one unit. */
static vv_status prepare_chunk(const vvi_writing *self, const vvi_form *form,
                               const vvi_grid_part *part, const vvi_stored *old,
                               vvi_desk *desk, vvi_prepared *prepared, vv_error *err)
{
    uint64_t origin[VV_NDIM_MAX];
    vv_bytes before = { NULL, 0 };
    const uint8_t *elements;

    origin_of(&self->array->meta.grid, part, origin);
    if (old->is_there)
        VVI_TRY(vvi_stored_unit(old, 0, old->size, &desk->encoded, &before, err));
    if (old->is_there && !before.data)
        before = vv_bytes_of(""); /* damaged, not absent */
    VVI_TRY(vvi_compose_unit(self, form, part, origin, before, desk, &elements, err));
    prepared->is_empty = vvi_unit_is_fill(self->array, form, elements);
    if (prepared->is_empty)
        return VV_OK;
    if (vvi_codec_chain_is_identity(form->chain)) {
        prepared->stored = vvi_bytes(elements, form->unit_bytes);
        return VV_OK;
    }
    VVI_TRY(vvi_unit_encode(form, elements, &prepared->value, err));
    prepared->stored = vvi_buf_bytes(&prepared->value);
    return VV_OK;
}

vv_status vvi_prepare_value(const vvi_writing *self, const vvi_form *form,
                            const vvi_grid_part *part, vvi_stored *old, vvi_desk *desk,
                            bool alone, vvi_prepared *prepared, vv_error *err)
{
    return form->sharding
               ? vvi_prepare_shard(self, form, part, old, desk, alone, prepared, err)
               : prepare_chunk(self, form, part, old, desk, prepared, err);
}

static vv_status store_value(const vvi_writing *self, const vvi_form *form,
                             const vvi_grid_part *part, vvi_desk *desk, bool alone,
                             vv_error *err)
{
    vv_store *store = self->array->store;
    const char *key = (const char *)desk->key.data;
    vvi_prepared prepared = { .value = VV_BUF_INIT };
    vvi_stored old = { .value = { .fd = -1 } };
    vv_status status = VV_OK;

    if (vvi_keeps_old(self, form, part))
        status = vvi_stored_open(&old, self->array, form, part->index, key, err);
    if (!status)
        status = vvi_prepare_value(self, form, part, &old, desk, alone, &prepared, err);
    vvi_stored_clear(&old);
    if (status)
        vvi_wrap(err, status, "chunk %s", key);
    else
        status = prepared.is_empty ? vv_store_delete(store, key, err)
                                   : vv_store_set(store, key, prepared.stored, err);
    vv_buf_clear(&prepared.value);
    return status;
}

static vv_status write_part(const vvi_writing *self, const vvi_grid_part *part,
                            bool alone, vv_error *err)
{
    vv_array *array = self->array;
    uint64_t number = vvi_array_chunk_number(array, part->index);
    const vvi_form *form;
    vvi_desk *desk;
    vv_status status;

    VVI_TRY(vvi_form_take(array, part->index, &form, err));
    status = vvi_desk_take(array, &desk, err);
    if (status) {
        vvi_form_give(array, form);
        return status;
    }
    desk->key.len = 0;
    status = vvi_array_key(array, part->index, &desk->key, err);
    if (!status) {
        status = vvi_turns_take(&array->turns, number, err);
        if (!status) {
            status = store_value(self, form, part, desk, alone, err);
            vvi_index_cache_drop(&array->indexes, number);
            vvi_turns_give(&array->turns, number);
        }
    }
    vvi_desk_give(array, desk);
    vvi_form_give(array, form);
    return status;
}

/* ---- selections -------------------------------------------------------------------------------- */

typedef struct value_work {
    const vvi_writing *writing;
    vvi_walk walk;
} value_work;

static vv_status write_next_value(void *ctx, size_t i, vv_error *err)
{
    value_work *self = ctx;
    vvi_grid_part part;

    (void)i;
    return vvi_walk_take(&self->walk, &part) ? write_part(self->writing, &part, true, err)
                                             : VV_OK;
}

static vv_status write_near(const vvi_writing *self, uint64_t values, uint64_t units,
                            vv_error *err)
{
    value_work work = { .writing = self };
    uint32_t threads = vvi_form_threads(&self->array->form, units);
    vvi_grid_part part;
    vv_status status = VV_OK;

    VVI_TRY(vvi_walk_init(&work.walk, self->selection, &self->array->meta.grid, err));
    if (threads == 1 || values >= 2 * (uint64_t)vvi_cpu_count() || units == values)
        status = vvi_parallel(threads, (size_t)values, write_next_value, &work, err);
    else
        while (!status && vvi_walk_next(&work.walk, &part))
            status = write_part(self, &part, false, err);
    vvi_walk_clear(&work.walk);
    return status;
}

vv_status vvi_write_selection(const vvi_writing *self, vv_error *err)
{
    uint64_t values;

    if (self->selection->elements == 0)
        return VV_OK;
    values = vvi_selection_chunks(self->selection, &self->array->meta.grid);
    if (!vvi_store_is_near(self->array->store))
        return vvi_write_far(self, values, err);
    return write_near(self, values, vvi_selection_units(self->array, self->selection),
                      err);
}

/* ---- public calls ------------------------------------------------------------------------------ */

vv_status vv_array_write(vv_array *array, const uint64_t *start, const uint64_t *count,
                         const void *data, size_t data_bytes, vv_error *err)
{
    vvi_selection selection;
    uint64_t strides[VV_NDIM_MAX];
    vvi_writing self = { array, &selection, { (void *)(uintptr_t)data, strides }, NULL };
    vv_status status = vvi_selection_init(&selection, &array->meta.grid, start, count,
                                          NULL, err);

    if (status)
        return vvi_wrap(err, status, "array '%s'", array->path);
    VVI_TRY(vvi_array_check_fixed(array, err));
    VVI_TRY(vvi_array_check_bytes(array, selection.elements, data_bytes, err));
    vvi_strides(array->meta.grid.ndim, selection.count, array->item, strides);
    return vvi_write_selection(&self, err);
}

vv_status vv_array_write_chunk(vv_array *array, const uint64_t *index, const void *data,
                               vv_error *err)
{
    vvi_selection selection;
    vvi_grid_part part;
    uint64_t strides[VV_NDIM_MAX];
    uint64_t shape[VV_NDIM_MAX];
    vvi_writing self = { array, &selection, { (void *)(uintptr_t)data, strides }, NULL };
    vv_status status = vvi_grid_check_chunk(&array->meta.grid, index, err);

    if (status)
        return vvi_wrap(err, status, "array '%s'", array->path);
    VVI_TRY(vvi_array_check_fixed(array, err));
    vvi_grid_chunk_shape(&array->meta.grid, index, shape);
    vvi_selection_of_chunk(&selection, &part, &array->meta.grid, shape, index);
    vvi_strides(selection.ndim, shape, array->item, strides);
    return write_part(&self, &part, false, err);
}
