/* Single elements at any coordinates: sorted by the chunk they lie in, so that each is read once. */
#include "zarr/array.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <stdlib.h>
#include <string.h>

typedef struct point {
    uint64_t value; /* number of the stored value it lies in, or else of the point */
    uint64_t unit;  /* number of the unit in that value */
    uint64_t which; /* of the points as the caller gave them */
} point;

typedef struct points {
    vv_array *array;
    const uint64_t *coords;
    uint8_t *out;
    point *all; /* sorted */
    size_t *
        first; /* the first point in each stored value, and behind them the number of points */
    size_t values;
} points;

static int by_place(const void *a, const void *b)
{
    const point *x = a;
    const point *y = b;

    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    if (x->unit != y->unit)
        return x->unit < y->unit ? -1 : 1;
    return x->which < y->which ? -1 : x->which > y->which;
}

/* Where a point lies: the chunk of the grid, and its coordinates within that. */
static void locate(const points *self, uint64_t which, uint64_t *index, uint64_t *within)
{
    const vvi_grid *grid = &self->array->meta.grid;

    for (uint32_t d = 0; d < grid->ndim; d++) {
        uint64_t at = self->coords[which * grid->ndim + d];

        index[d] = vvi_grid_chunk_of(grid, d, at);
        within[d] = at - vvi_grid_chunk_start(grid, d, index[d]);
    }
}

/* The number of the unit that coordinates within a value lie in; *unit: its index. */
static uint64_t unit_of(const vvi_form *form, const uint64_t *within, uint64_t *unit)
{
    uint64_t number = 0;

    for (uint32_t d = 0; d < form->units.ndim; d++) {
        unit[d] = within[d] / form->units.chunk[d];
        number = number * form->units.count[d] + unit[d];
    }
    return number;
}

/* Where an element stands in a decoded unit. */
static uint64_t offset_of(const vvi_form *form, const uint64_t *within)
{
    uint64_t offset = 0;

    for (uint32_t d = 0; d < form->units.ndim; d++)
        offset += within[d] % form->units.chunk[d] * form->strides[d];
    return offset;
}

static vv_status sort_points(points *self, size_t n, vv_error *err)
{
    uint64_t index[VV_NDIM_MAX], within[VV_NDIM_MAX], unit[VV_NDIM_MAX];
    bool numbered = vvi_array_numbers_differ(self->array);

    for (size_t i = 0; i < n; i++) {
        const vvi_form *form;

        locate(self, i, index, within);
        VVI_TRY(vvi_form_take(self->array, index, &form, err));
        self->all[i] = (point){ .value = numbered
                                             ? vvi_array_chunk_number(self->array, index)
                                             : i,
                                .unit = unit_of(form, within, unit),
                                .which = i };
        vvi_form_give(self->array, form);
    }
    qsort(self->all, n, sizeof(*self->all), by_place);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || self->all[i].value != self->all[i - 1].value)
            self->first[self->values++] = i;
    self->first[self->values] = n;
    return VV_OK;
}

/* The elements of a unit, which holds all points from a point on that have the same number; NULL: fill
 * values. */
static vv_status load_unit(const points *self, const vvi_stored *source,
                           const uint64_t *unit, vvi_desk *desk, const uint8_t **out,
                           vv_error *err)
{
    const vvi_form *form = source->form;
    uint64_t offset;
    uint64_t length;
    vv_bytes encoded;
    vv_bytes view;
    bool found;

    *out = NULL;
    if (!vvi_stored_find(source, unit, &offset, &length))
        return VV_OK;
    VVI_TRY(vvi_stored_unit(source, offset, length, &desk->encoded, &encoded, err));
    VVI_TRY(vvi_codec_chain_view(form->chain, encoded, &view, &found, err));
    *out = view.data;
    if (found)
        return VV_OK;
    VVI_TRY(vvi_desk_unit(desk, form, err));
    *out = desk->unit;
    (void)self;
    return vvi_unit_decode(form, encoded, desk->unit, NULL, err);
}

static vv_status read_points_of(const points *self, const vvi_stored *source,
                                size_t first, size_t end, vvi_desk *desk, vv_error *err)
{
    const vvi_form *form = source->form;
    uint64_t index[VV_NDIM_MAX], within[VV_NDIM_MAX], unit[VV_NDIM_MAX];
    const vv_array *array = self->array;
    const uint8_t *elements = NULL;

    for (size_t i = first; i < end; i++) {
        const uint8_t *from = array->meta.fill.data;

        locate(self, self->all[i].which, index, within);
        unit_of(form, within, unit);
        if (i == first || self->all[i].unit != self->all[i - 1].unit)
            VVI_TRY(load_unit(self, source, unit, desk, &elements, err));
        if (elements) {
            from = elements + offset_of(form, within);
        }
        memcpy(self->out + self->all[i].which * array->item, from, array->item);
    }
    return VV_OK;
}

/* ---- stores with latency: parts of a value ------------------------------------------------------- */

/* The inner chunks with points, unless those are most of the shard. *found: the source has them, or there
 * is no shard. */
static vv_status fetch_inner(const points *self, vvi_stored *source, const vvi_form *form,
                             const char *key, size_t first, size_t end, bool *found,
                             vv_error *err)
{
    uint64_t index[VV_NDIM_MAX], within[VV_NDIM_MAX], unit[VV_NDIM_MAX];
    vv_array *array = self->array;
    vv_buf bytes = VV_BUF_INIT;
    size_t units = 1;
    size_t cap = 0;
    vv_status status;

    for (size_t i = first + 1; i < end; i++)
        units += self->all[i].unit != self->all[i - 1].unit;
    if (units >= (form->sharding->chunk_count + 1) / 2)
        return VV_OK;
    status = vv_store_get(array->store, key, vvi_shard_index_range(form->sharding),
                          &bytes, err);
    *found = status == VV_ENOTFOUND;
    if (*found)
        return VV_OK;
    locate(self, self->all[first].which, index, within);
    if (!status)
        status = vvi_stored_take_index(source, array, form, index, vvi_buf_bytes(&bytes),
                                       err);
    for (size_t i = first; i < end && !status; i++) {
        uint64_t offset;
        uint64_t length;

        locate(self, self->all[i].which, index, within);
        unit_of(form, within, unit);
        if ((i == first || self->all[i].unit != self->all[i - 1].unit) &&
            vvi_stored_find(source, unit, &offset, &length))
            status = vvi_pieces_add(source, &cap, offset, length, err);
    }
    vv_buf_clear(&bytes);
    if (status || !vvi_pieces_join(source, false))
        return status;
    *found = true;
    return source->piece_count ? vvi_pieces_fetch(source, key, err) : VV_OK;
}

/* The elements themselves, of a chunk that is stored as it is in memory, where that is much less than the
 * chunk. How long the chunk is stays unknown. */
static vv_status fetch_elements(const points *self, vvi_stored *source,
                                const vvi_form *form, const char *key, size_t first,
                                size_t end, bool *found, vv_error *err)
{
    uint64_t index[VV_NDIM_MAX], within[VV_NDIM_MAX];
    vv_array *array = self->array;
    size_t cap = 0;
    vv_status status;

    if (!vvi_codec_chain_is_identity(form->chain))
        return VV_OK;
    source->array = array;
    source->size = UINT64_MAX;
    for (size_t i = first; i < end; i++) {
        locate(self, self->all[i].which, index, within);
        VVI_TRY(vvi_pieces_add(source, &cap, offset_of(form, within), array->item, err));
    }
    vvi_pieces_join(source, true);
    if (vvi_pieces_bytes(source) >= form->unit_bytes / 2)
        return VV_OK;
    status = vvi_pieces_fetch(source, key, err);
    *found = !status || status == VV_ENOTFOUND;
    source->is_there = !status;
    return *found ? VV_OK : status;
}

/* Copy elements that were fetched one by one. */
static vv_status take_elements(const points *self, const vvi_stored *source, size_t first,
                               size_t end, vv_error *err)
{
    uint64_t index[VV_NDIM_MAX], within[VV_NDIM_MAX];
    const vv_array *array = self->array;

    for (size_t i = first; i < end; i++) {
        vv_bytes element = vvi_bytes(array->meta.fill.data, array->item);

        locate(self, self->all[i].which, index, within);
        if (source->is_there)
            VVI_TRY(vvi_stored_bytes(source, offset_of(source->form, within), array->item,
                                     NULL, &element, err));
        memcpy(self->out + self->all[i].which * array->item, element.data, array->item);
    }
    return VV_OK;
}

/* Read the points in a value by parts of it. *done is false where it has to be read whole: that is less,
 * or parts of it do not go together, as when another writer replaced it. */
static vv_status read_in_part(const points *self, const vvi_form *form, const char *key,
                              size_t first, size_t end, vvi_desk *desk, bool *done,
                              vv_error *err)
{
    vvi_stored source = { .value = { .fd = -1 } };
    vv_status status;

    *done = false;
    status = form->sharding
                 ? fetch_inner(self, &source, form, key, first, end, done, err)
                 : fetch_elements(self, &source, form, key, first, end, done, err);
    source.form = form;
    if (!status && *done)
        status = form->sharding ? read_points_of(self, &source, first, end, desk, err)
                                : take_elements(self, &source, first, end, err);
    vvi_stored_clear(&source);
    if (status == VV_ENOMEM)
        return status;
    *done = *done && !status;
    return VV_OK;
}

/* ---- all points ---------------------------------------------------------------------------------- */

static vv_status read_value(void *ctx, size_t which, vv_error *err)
{
    const points *self = ctx;
    vv_array *array = self->array;
    size_t first = self->first[which];
    uint64_t index[VV_NDIM_MAX], within[VV_NDIM_MAX];
    vvi_stored source = { .value = { .fd = -1 } };
    const vvi_form *form;
    vvi_desk *desk;
    vv_status status;
    bool done = false;

    locate(self, self->all[first].which, index, within);
    VVI_TRY(vvi_form_take(array, index, &form, err));
    status = vvi_desk_take(array, &desk, err);
    if (status) {
        vvi_form_give(array, form);
        return status;
    }
    desk->key.len = 0;
    status = vvi_array_key(array, index, &desk->key, err);
    if (!status && !vvi_store_is_near(array->store))
        status = read_in_part(self, form, (const char *)desk->key.data, first,
                              self->first[which + 1], desk, &done, err);
    if (!status && !done) {
        status = vvi_stored_open(&source, array, form, index,
                                 (const char *)desk->key.data, err);
        source.form = form;
        if (!status)
            status = read_points_of(self, &source, first, self->first[which + 1], desk,
                                    err);
        if (status)
            vvi_wrap(err, status, "chunk %s", (const char *)desk->key.data);
    }
    vvi_stored_clear(&source);
    vvi_desk_give(array, desk);
    vvi_form_give(array, form);
    return status;
}

static vv_status check_points(const vv_array *array, size_t n, const uint64_t *coords,
                              vv_error *err)
{
    const vvi_grid *grid = &array->meta.grid;

    for (size_t i = 0; i < n; i++)
        for (uint32_t d = 0; d < grid->ndim; d++)
            if (coords[i * grid->ndim + d] >= grid->shape[d])
                return vvi_fail(err, VV_ERANGE,
                                "array '%s': point %zu has coordinate %" PRIu64
                                " in dimension %" PRIu32 "; its length is %" PRIu64,
                                array->path, i, coords[i * grid->ndim + d], d,
                                grid->shape[d]);
    return VV_OK;
}

vv_status vv_array_read_points(vv_array *array, size_t n, const uint64_t *coords,
                               void *out, size_t out_bytes, vv_error *err)
{
    points self = { .array = array, .coords = coords, .out = out };
    vv_status status;

    VVI_TRY(vvi_array_check_fixed(array, err));
    VVI_TRY(vvi_array_check_bytes(array, n, out_bytes, err));
    VVI_TRY(check_points(array, n, coords, err));
    if (n == 0)
        return VV_OK;
    self.all = vvi_alloc_array(n, sizeof(*self.all));
    self.first = vvi_alloc_array(n + 1, sizeof(*self.first));
    status = self.all && self.first ? sort_points(&self, n, err)
                                    : vvi_fail_nomem(err, n * sizeof(*self.all));
    if (!status)
        status = vvi_parallel(vvi_form_threads(&array->form, self.values), self.values,
                              read_value, &self, err);
    vvi_free(self.all);
    vvi_free(self.first);
    return status;
}
