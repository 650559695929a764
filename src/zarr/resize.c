/*
 * Changing the shape of an array.
 *
 * Outside the shape nothing may be stored that is not the fill value, or it would show when the array
 * grows. So everything outside of what stays is cleared before the metadata is written, also what a
 * killed writer may have left beyond the end.
 */
#include "zarr/array.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "zarr/listed.h"
#include "zarr/node.h"

#include <string.h>

typedef struct resize {
    vv_array *array;
    uint64_t
        keep[VV_NDIM_MAX]; /* elements of each dimension that stay; UINT64_MAX: all, also
                                   what nobody sees behind the end */
    size_t prefix;         /* bytes of a key in front of the chunk's own */
} resize;

/* ---- clearing ------------------------------------------------------------------------------ */

typedef enum place {
    PLACE_INSIDE,
    PLACE_EDGE, /* some of it stays */
    PLACE_OUTSIDE
} place;

static place place_of(const resize *self, const uint64_t *index)
{
    const vvi_grid *grid = &self->array->meta.grid;
    place found = PLACE_INSIDE;

    for (uint32_t d = 0; d < grid->ndim; d++) {
        uint64_t start;

        if (index[d] >= grid->count[d])
            return PLACE_OUTSIDE;
        start = vvi_grid_chunk_start(grid, d, index[d]);
        if (start >= self->keep[d])
            return PLACE_OUTSIDE;
        if (vvi_grid_chunk_length(grid, d, index[d]) > self->keep[d] - start)
            found = PLACE_EDGE;
    }
    return found;
}

/* Set what does not stay of a decoded chunk to the fill value. */
static void fill_outside(const resize *self, const uint64_t *index, const uint64_t *shape,
                         uint8_t *elements)
{
    const vv_array *array = self->array;
    uint32_t ndim = array->meta.grid.ndim;
    uint64_t strides[VV_NDIM_MAX];
    uint64_t count[VV_NDIM_MAX];

    vvi_strides(ndim, shape, array->item, strides);
    for (uint32_t d = 0; d < ndim; d++) {
        uint64_t stays = self->keep[d] -
                         vvi_grid_chunk_start(&array->meta.grid, d, index[d]);

        if (stays >= shape[d])
            continue;
        memcpy(count, shape, ndim * sizeof(count[0]));
        count[d] -= stays;
        vvi_fill_box(ndim, count, array->item, elements + stays * strides[d], strides,
                     array->meta.fill.data);
    }
}

/* Decode a stored chunk, clear it, and store it again, or delete it when nothing is left. */
static vv_status clear_value(const resize *self, const char *key, const uint64_t *index,
                             const uint64_t *shape, const vvi_codec_chain *chain,
                             vvi_heap *heap, uint8_t *elements, size_t bytes,
                             vv_error *err)
{
    const vv_array *array = self->array;
    vv_buf value = VV_BUF_INIT;
    vv_status status = vv_store_get(array->store, key, VV_RANGE_ALL, &value, err);

    if (status == VV_ENOTFOUND)
        return VV_OK;
    if (!status)
        status = vvi_codec_chain_decode(chain, vvi_buf_bytes(&value), elements, heap,
                                        err);
    if (!status) {
        fill_outside(self, index, shape, elements);
        if (vvi_elements_equal(&array->meta.dtype, elements, bytes / array->item,
                               array->meta.fill.data)) {
            status = vv_store_delete(array->store, key, err);
        } else {
            status = vvi_codec_chain_encode(chain, elements, &value, err);
            if (!status)
                status = vv_store_set(array->store, key, vvi_buf_bytes(&value), err);
        }
    }
    vv_buf_clear(&value);
    return status;
}

static vv_status clear_edge(const resize *self, const char *key, const uint64_t *index,
                            vv_error *err)
{
    const vv_array *array = self->array;
    const vvi_codec_chain *chain = array->meta.chain;
    vvi_codec_chain *own = NULL;
    uint64_t shape[VV_NDIM_MAX];
    uint8_t *elements = NULL;
    vvi_heap heap;
    size_t bytes = 0;
    vv_status status;

    vvi_grid_chunk_shape(&array->meta.grid, index, shape);
    if (!vvi_grid_is_regular(&array->meta.grid)) {
        VVI_TRY(vvi_meta_chain_new(&array->meta, shape, &own, err));
        chain = own;
    }
    status = vvi_heap_init(&heap, err);
    if (!status) {
        status = vvi_codec_chain_size(chain, &bytes, err);
        if (!status && !(elements = vvi_alloc(bytes)))
            status = vvi_fail_nomem(err, bytes);
        if (!status)
            status = clear_value(self, key, index, shape, chain, &heap, elements, bytes,
                                 err);
        vvi_heap_clear(&heap);
    }
    vvi_free(elements);
    vvi_codec_chain_free(own);
    return status ? vvi_wrap(err, status, "chunk %s", key) : VV_OK;
}

static vv_status clear_key(void *ctx, const char *key, vv_error *err)
{
    resize *self = ctx;
    const vv_array *array = self->array;
    uint64_t index[VV_NDIM_MAX];

    if (!vvi_listed_chunk(array->store, array->meta.keys, array->meta.grid.ndim,
                          key + self->prefix, index))
        return VV_OK;
    switch (place_of(self, index)) {
    case PLACE_OUTSIDE:
        return vv_store_delete(array->store, key, err);
    case PLACE_EDGE:
        return clear_edge(self, key, index, err);
    default:
        return VV_OK;
    }
}

static vv_status clear_outside(resize *self, vv_error *err)
{
    vv_buf prefix = VV_BUF_INIT;
    vv_status status = vvi_path_key(self->array->path, "", &prefix, err);

    self->prefix = prefix.len;
    if (!status)
        status = vv_store_list(self->array->store, (const char *)prefix.data, clear_key,
                               self, err);
    vv_buf_clear(&prefix);
    return status;
}

/* ---- the metadata -------------------------------------------------------------------------- */

/* The members that say what a stored value means, but for the shape. */
static const char *const meanings[] = {
    "data_type",  "chunk_grid", "chunk_key_encoding",
    "fill_value", "codecs",     "storage_transformers"
};

/* A member as text in *out; nothing where there is none. */
static vv_status member_text(const vvi_json *document, const char *name, vv_buf *out,
                             vv_error *err)
{
    const vvi_json *value = vvi_json_get(document, name);

    out->len = 0;
    return value ? vvi_json_write(value, 0, out, err) : VV_OK;
}

static vv_status check_meanings(const vv_array *array, const vvi_json *document,
                                vv_error *err)
{
    vv_buf opened = VV_BUF_INIT;
    vv_buf stored = VV_BUF_INIT;
    vv_status status = VV_OK;

    for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings) && !status; i++) {
        status = member_text(array->meta.document, meanings[i], &opened, err);
        if (!status)
            status = member_text(document, meanings[i], &stored, err);
        if (!status && !vvi_bytes_equal(vvi_buf_bytes(&opened), vvi_buf_bytes(&stored)))
            status = vvi_fail(err, VV_EBUSY,
                              "array '%s' was replaced since it was opened: it has "
                              "another '%s'",
                              array->path, meanings[i]);
    }
    vv_buf_clear(&opened);
    vv_buf_clear(&stored);
    return status;
}

vv_status vvi_array_check_same(const vv_array *array, const vvi_json *document,
                               vv_error *err)
{
    const vvi_json *list = vvi_json_get(document, "shape");
    const vvi_json *item = vvi_json_first(list);
    uint32_t ndim = array->meta.grid.ndim;
    uint64_t length;

    if (!vvi_json_is_text(vvi_json_get(document, "node_type"), "array") ||
        vvi_json_count(list) != ndim)
        return vvi_fail(err, VV_EBUSY, "array '%s' was replaced since it was opened",
                        array->path);
    for (uint32_t d = 0; d < ndim; d++, item = vvi_json_next(item))
        if (!vvi_json_uint64(item, &length) || length != array->meta.grid.shape[d])
            return vvi_fail(err, VV_EBUSY,
                            "array '%s' has changed its shape since it was opened",
                            array->path);
    return check_meanings(array, document, err);
}

static vv_status set_shape(vvi_json *document, const vv_array *array,
                           const uint64_t *shape, vv_error *err)
{
    /* A chunk that is added holds whole inner chunks. */
    const uint64_t *units = array->form.sharding ? array->form.units.chunk : NULL;
    uint32_t ndim = array->meta.grid.ndim;
    vvi_json *grid = vvi_json_get(document, "chunk_grid");
    vvi_json *list = vvi_json_new(VVI_JSON_ARRAY);

    VVI_TRY(vvi_json_set(document, "shape", list, err));
    for (uint32_t d = 0; d < ndim; d++)
        VVI_TRY(vvi_json_append(list, vvi_json_new_uint64(shape[d]), err));
    if (!vvi_json_is_text(vvi_json_get(grid, "name"), "rectilinear"))
        return VV_OK;
    return vvi_rectilinear_extend(vvi_json_get(grid, "configuration"), shape, units, err);
}

/* The metadata as it is stored now, with another shape. */
static vv_status load_resized(const vv_array *array, const uint64_t *shape, vvi_meta *out,
                              vv_error *err)
{
    vvi_json *document = NULL;
    vvi_zarr_node node;
    vv_status status = vvi_zarr_node_find(array->store, array->path, &node, err);

    if (!status)
        status = vvi_zarr_node_check_write(&node, array->path, err);
    if (!status)
        status = vvi_zarr_node_document(&node, &document, err);
    vvi_zarr_node_clear(&node);
    if (!status)
        status = vvi_array_check_same(array, document, err);
    if (!status)
        status = set_shape(document, array, shape, err);
    if (status) {
        vvi_json_free(document);
        return status;
    }
    status = vvi_meta_read(out, document, err);
    return status ? vvi_wrap(err, status, "array '%s'", array->path) : VV_OK;
}

/* Let the array have the new metadata and form, and fresh the old. Nothing here fails. */
static void take_meta(vv_array *array, vvi_meta *fresh, const vvi_form *form)
{
    vvi_meta *meta = &array->meta;
    vv_array_meta *told = &array->public_meta;
    vvi_meta old = *meta;
    bool regular = vvi_grid_is_regular(&fresh->grid);

    /* Type and fill value are the same. The codecs are made for the longest chunk, which may be another
     * now; the names belong to the document, and the grid points into the edges. */
    meta->chain = fresh->chain;
    array->form = *form;
    meta->document = fresh->document;
    meta->dimension_names = fresh->dimension_names;
    meta->edges = fresh->edges;
    meta->grid = fresh->grid;
    fresh->chain = old.chain;
    fresh->document = old.document;
    fresh->dimension_names = old.dimension_names;
    fresh->edges = old.edges;
    told->dimension_names = meta->dimension_names;
    told->chunk_edges = regular ? NULL : (const uint64_t *const *)meta->edges.lengths;
    told->chunk_edge_counts = regular ? NULL : meta->edges.counts;
    /* Chunks are counted in another way now. */
    vvi_index_cache_empty(&array->indexes);
}

vv_status vv_array_resize(vv_array *array, const uint64_t *shape, vv_error *err)
{
    const vvi_grid *grid = &array->meta.grid;
    resize self = { .array = array };
    vvi_form form;
    vvi_meta fresh;
    vv_status status;

    memset(&form, 0, sizeof(form));
    memset(&fresh, 0, sizeof(fresh));
    for (uint32_t d = 0; d < grid->ndim; d++)
        self.keep[d] = shape[d] == grid->shape[d]  ? UINT64_MAX
                       : shape[d] < grid->shape[d] ? shape[d]
                                                   : grid->shape[d];
    status = load_resized(array, shape, &fresh, err);
    if (!status)
        status = vvi_form_init(&form, array, fresh.chain, fresh.grid.chunk, err);
    if (!status)
        status = clear_outside(&self, err);
    if (!status)
        status = vvi_node_save(array->store, array->path, fresh.document, err);
    if (!status)
        take_meta(array, &fresh, &form);
    vvi_meta_clear(&fresh);
    return status;
}
