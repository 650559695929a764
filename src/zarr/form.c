/* Forms: how the stored values of an array are made up, each shape of chunk with its own codecs. */
#include "zarr/array.h"

#include "util/alloc.h"

#include <string.h>

/* Below this, starting threads costs more than they bring. */
#define THREAD_BYTES     ((uint64_t)256 << 10)
#define RAW_THREAD_BYTES ((uint64_t)4 << 20)

/* What one call of a store with latency is for: so many values, and so many bytes of them. */
#define BATCH_VALUES 256
#define BATCH_BYTES  ((uint64_t)64 << 20)

vv_status vvi_form_init(vvi_form *form, const vv_array *array,
                        const vvi_codec_chain *chain, const uint64_t *shape,
                        vv_error *err)
{
    uint32_t ndim = array->meta.grid.ndim;

    memcpy(form->shape, shape, ndim * sizeof(form->shape[0]));
    form->sharding = vvi_codec_chain_sharding(chain);
    form->chain = form->sharding ? form->sharding->inner : chain;
    if (form->sharding)
        form->units = form->sharding->grid;
    else
        VVI_TRY(vvi_grid_init(&form->units, ndim, shape, shape, err));
    vvi_strides(ndim, form->units.chunk, array->item, form->strides);
    if (vvi_codec_chain_size(form->chain, &form->unit_bytes, NULL))
        form->unit_bytes = SIZE_MAX;
    return VV_OK;
}

vv_status vvi_forms_init(vv_array *array, vv_error *err)
{
    VVI_TRY(vvi_mutex_init(&array->forms.lock, err));
    array->forms.is_ready = true;
    return vvi_form_init(&array->form, array, array->meta.chain, array->meta.grid.chunk,
                         err);
}

static void free_form(vvi_form *form)
{
    vvi_codec_chain_free(form->own);
    vvi_free(form);
}

void vvi_forms_clear(vv_array *array)
{
    vvi_forms *forms = &array->forms;

    if (!forms->is_ready)
        return;
    for (size_t i = 0; i < forms->count; i++)
        free_form(forms->kept[i]);
    vvi_mutex_clear(&forms->lock);
}

/* ---- grids whose chunks have different lengths ------------------------------------------------ */

static vvi_form *find_form(vv_array *array, const uint64_t *shape)
{
    vvi_forms *forms = &array->forms;
    size_t bytes = array->meta.grid.ndim * sizeof(*shape);

    for (size_t i = 0; i < forms->count; i++)
        if (memcmp(forms->kept[i]->shape, shape, bytes) == 0)
            return forms->kept[i];
    return NULL;
}

static vv_status make_form(vv_array *array, const uint64_t *shape, vvi_form **out,
                           vv_error *err)
{
    vvi_form *form = vvi_alloc_zero(sizeof(*form));
    vv_status status;

    if (!form)
        return vvi_fail_nomem(err, sizeof(*form));
    status = vvi_meta_chain_new(&array->meta, shape, &form->own, err);
    if (!status)
        status = vvi_form_init(form, array, form->own, shape, err);
    if (status)
        free_form(form);
    else
        *out = form;
    return status;
}

/* Take out the one that nobody uses and that came first; NULL when all are used. */
static vvi_form *take_unused(vvi_forms *forms)
{
    for (size_t i = 0; i < forms->count; i++)
        if (forms->kept[i]->users == 0) {
            vvi_form *form = forms->kept[i];

            forms->count--;
            memmove(&forms->kept[i], &forms->kept[i + 1],
                    (forms->count - i) * sizeof(forms->kept[0]));
            return form;
        }
    return NULL;
}

/* Put a form among those that are kept, unless another thread was faster: then that one it is. Who has
 * no place is its user's alone. */
static vvi_form *keep_form(vv_array *array, vvi_form *made)
{
    vvi_forms *forms = &array->forms;
    vvi_form *form;
    vvi_form *old = NULL;

    vvi_mutex_lock(&forms->lock);
    form = find_form(array, made->shape);
    if (form) {
        old = made;
    } else {
        form = made;
        if (forms->count == VVI_FORMS_KEPT)
            old = take_unused(forms);
        form->is_kept = forms->count < VVI_FORMS_KEPT;
        if (form->is_kept)
            forms->kept[forms->count++] = form;
    }
    form->users++;
    vvi_mutex_unlock(&forms->lock);
    if (old)
        free_form(old);
    return form;
}

static vv_status form_of_shape(vv_array *array, const uint64_t *shape,
                               const vvi_form **out, vv_error *err)
{
    vvi_form *form;

    vvi_mutex_lock(&array->forms.lock);
    form = find_form(array, shape);
    if (form)
        form->users++;
    vvi_mutex_unlock(&array->forms.lock);
    if (!form) {
        VVI_TRY(make_form(array, shape, &form, err));
        form = keep_form(array, form);
    }
    *out = form;
    return VV_OK;
}

vv_status vvi_form_take(vv_array *array, const uint64_t *index, const vvi_form **out,
                        vv_error *err)
{
    uint64_t shape[VV_NDIM_MAX];
    const vvi_form *form = &array->form;
    size_t bytes;
    vv_status status;

    if (!vvi_grid_is_regular(&array->meta.grid)) {
        vvi_grid_chunk_shape(&array->meta.grid, index, shape);
        status = form_of_shape(array, shape, &form, err);
        if (status)
            return vvi_wrap(err, status, "array '%s'", array->path);
    }
    status = vvi_codec_chain_size(form->chain, &bytes, err);
    if (status) {
        vvi_form_give(array, form);
        return vvi_wrap(err, status, "array '%s'", array->path);
    }
    *out = form;
    return VV_OK;
}

void vvi_form_give(vv_array *array, const vvi_form *form)
{
    vvi_form *made = (vvi_form *)(uintptr_t)form;
    bool is_last;

    if (!form || form == &array->form)
        return;
    vvi_mutex_lock(&array->forms.lock);
    is_last = --made->users == 0 && !made->is_kept;
    vvi_mutex_unlock(&array->forms.lock);
    if (is_last)
        free_form(made);
}

/* ---- work ---------------------------------------------------------------------------------- */

uint64_t vvi_selection_units(const vv_array *array, const vvi_selection *selection)
{
    const vvi_form *form = &array->form;
    uint64_t units = 1;

    if (!form->sharding)
        return vvi_selection_chunks(selection, &array->meta.grid);
    for (uint32_t d = 0; d < selection->ndim; d++) {
        uint64_t count = selection->count[d];
        uint64_t unit = form->units.chunk[d];

        if (count && !selection->picks[d]) {
            uint64_t first = selection->start[d];
            uint64_t last = first + (count - 1) * selection->step[d];

            if (last / unit - first / unit < count)
                count = last / unit - first / unit + 1;
        }
        if (__builtin_mul_overflow(units, count, &units))
            return UINT64_MAX;
    }
    return units;
}

uint64_t vvi_part_units(const vvi_form *form, const vvi_selection *selection,
                        const vvi_grid_part *part)
{
    uint64_t units = 1;

    for (uint32_t d = 0; d < selection->ndim; d++) {
        uint64_t count = part->count[d];
        uint64_t first = part->first[d];
        uint64_t last = first + vvi_selection_reach(selection, part, d);
        uint64_t spanned = last / form->units.chunk[d] - first / form->units.chunk[d] + 1;

        units *= spanned < count ? spanned : count;
    }
    return units;
}

uint32_t vvi_form_threads(const vvi_form *form, uint64_t units)
{
    uint64_t worth = vvi_codec_chain_is_identity(form->chain) ? RAW_THREAD_BYTES
                                                              : THREAD_BYTES;
    uint64_t bytes;

    if (__builtin_mul_overflow(units, form->unit_bytes, &bytes))
        bytes = UINT64_MAX;
    return bytes < worth ? 1 : 0;
}

size_t vvi_form_batch(const vvi_form *form, uint64_t values)
{
    uint64_t bytes;
    uint64_t fit = vvi_cpu_count();

    if (!__builtin_mul_overflow(form->sharding ? form->sharding->chunk_count : 1,
                                form->unit_bytes, &bytes) &&
        bytes && BATCH_BYTES / bytes > fit)
        fit = BATCH_BYTES / bytes;
    if (fit > BATCH_VALUES)
        fit = BATCH_VALUES;
    return (size_t)(values < fit ? values : fit);
}
