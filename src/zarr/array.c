/* Arrays: making, opening, asking. */
#include "zarr/array.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/options.h"
#include "zarr/node.h"

#include <string.h>

_Static_assert(VV_NDIM_MAX == VVI_GRID_NDIM_MAX,
               "a grid holds as many dimensions as an array");

/* ---- making and opening ---------------------------------------------------------------------- */

static vv_status write_text(const vvi_json *value, const char *otherwise, vv_buf *out,
                            vv_error *err)
{
    if (value)
        VVI_TRY(vvi_json_write(value, 0, out, err));
    else
        VVI_TRY(vvi_buf_append_text(out, otherwise, err));
    return vvi_buf_terminate(out, err);
}

/* Of an array in shards, the codecs of the inner chunks. */
static const vvi_json *codecs_of(const vv_array *array)
{
    const vvi_json *codecs = vvi_json_get(array->meta.document, "codecs");

    if (!array->form.sharding)
        return codecs;
    return vvi_json_get(vvi_json_get(vvi_json_first(codecs), "configuration"), "codecs");
}

static vv_status describe(vv_array *array, uint32_t format, vv_error *err)
{
    vvi_meta *meta = &array->meta;
    bool rectilinear = !vvi_grid_is_regular(&meta->grid);

    array->item = meta->dtype.item;
    VVI_TRY(vvi_forms_init(array, err));
    VVI_TRY(write_text(codecs_of(array), "[]", &array->codecs_text, err));
    VVI_TRY(write_text(vvi_json_get(meta->document, "attributes"), "{}",
                       &array->attributes_text, err));
    array->public_meta = (vv_array_meta){
        .struct_size = sizeof(vv_array_meta),
        .dtype = meta->dtype.code,
        .ndim = meta->grid.ndim,
        .shape = meta->grid.shape,
        .chunk_shape = meta->grid.chunk,
        .fill_value = meta->fill.data,
        .codecs = (const char *)array->codecs_text.data,
        .separator = meta->keys.separator,
        .v2_keys = meta->keys.v2,
        .dimension_names = meta->dimension_names,
        .attributes = (const char *)array->attributes_text.data,
        .chunk_edges = rectilinear ? (const uint64_t *const *)meta->edges.lengths : NULL,
        .chunk_edge_counts = rectilinear ? meta->edges.counts : NULL,
        .inner_chunk_shape = array->form.sharding ? array->form.units.chunk : NULL,
        .item_size = meta->dtype.item,
        .time_unit = meta->dtype.scale ? vvi_time_unit_name(meta->dtype.unit) : NULL,
        .time_scale = meta->dtype.scale,
        .zarr_format = format,
    };
    return VV_OK;
}

/* What of it can be cleared afterwards is told by has_locks. */
static vv_status init_locks(vv_array *array, vv_error *err)
{
    VVI_TRY(vvi_desks_init(&array->desks, err));
    vv_status status = vvi_index_cache_init(&array->indexes, err);

    if (!status) {
        status = vvi_turns_init(&array->turns, err);
        if (status)
            vvi_index_cache_clear(&array->indexes);
    }
    if (status)
        vvi_desks_clear(&array->desks);
    array->has_locks = status == VV_OK;
    return status;
}

static void clear_locks(vv_array *array)
{
    if (!array->has_locks)
        return;
    vvi_turns_clear(&array->turns);
    vvi_index_cache_clear(&array->indexes);
    vvi_desks_clear(&array->desks);
}

/* Takes path and document, also when it fails. */
static vv_status array_new(vv_store *store, char *path, vvi_json *document,
                           uint32_t format, vv_array **out, vv_error *err)
{
    vv_array *array = vvi_alloc_zero(sizeof(*array));
    vv_status status;

    if (!array) {
        vvi_free(path);
        vvi_json_free(document);
        return vvi_fail_nomem(err, sizeof(*array));
    }
    array->store = vv_store_retain(store);
    array->path = path;
    status = init_locks(array, err);
    if (status)
        vvi_json_free(document);
    else
        status = vvi_meta_read(&array->meta, document, err);
    if (!status)
        status = describe(array, format, err);
    if (status) {
        vvi_wrap(err, status, "array '%s'", path);
        vv_array_free(array);
        return status;
    }
    *out = array;
    return VV_OK;
}

vv_status vvi_array_of_document(vv_store *store, const char *path, vvi_json *document,
                                vv_array **out, vv_error *err)
{
    char *own = vvi_strdup(path);

    if (!own) {
        vvi_json_free(document);
        return vvi_fail_nomem(err, strlen(path) + 1);
    }
    return array_new(store, own, document, 3, out, err);
}

void vv_array_free(vv_array *array)
{
    if (!array)
        return;
    clear_locks(array);
    vvi_forms_clear(array);
    vvi_meta_clear(&array->meta);
    vv_buf_clear(&array->codecs_text);
    vv_buf_clear(&array->attributes_text);
    vv_store_free(array->store);
    vvi_free(array->path);
    vvi_free(array);
}

vv_status vv_array_open(vv_store *store, const char *path, vv_array **out, vv_error *err)
{
    vvi_json *document = NULL;
    vvi_zarr_node node;
    uint32_t format;
    char *clean;
    vv_status status;

    VVI_TRY(vvi_path_clean(path, &clean, err));
    status = vvi_zarr_node_find(store, clean, &node, err);
    if (!status && node.kind != VV_NODE_ARRAY)
        status = vvi_fail(err, VV_ENOTFOUND, "'%s' is a group, not an array", clean);
    if (!status) {
        status = vvi_zarr_node_document(&node, &document, err);
        if (status)
            vvi_wrap(err, status, "array '%s'", clean);
    }
    format = node.format;
    vvi_zarr_node_clear(&node);
    if (status) {
        vvi_free(clean);
        return status;
    }
    return array_new(store, clean, document, format, out, err);
}

vv_status vv_array_create(vv_store *store, const char *path, const vv_array_meta *given,
                          bool overwrite, vv_array **out, vv_error *err)
{
    vv_array_meta wanted;
    vvi_json *document = NULL;
    vv_array *array = NULL;
    char *clean;
    vv_status status;

    VVI_TRY(vvi_read_options(&wanted, sizeof(wanted), given, err));
    VVI_TRY(vvi_meta_document(&wanted, &document, err));
    status = vvi_path_clean(path, &clean, err);
    if (status) {
        vvi_json_free(document);
        return status;
    }
    status = array_new(store, clean, document, 3, &array, err);
    /* What is wrong with it came from the caller. */
    if (status == VV_ECORRUPT)
        return vvi_wrap(err, VV_EINVAL, "cannot be made");
    if (!status)
        status = vvi_node_save_new(store, array->path, array->meta.document, overwrite,
                                   err);
    if (status || !out)
        vv_array_free(array);
    else
        *out = array;
    return status;
}

/* ---- asking -------------------------------------------------------------------------------- */

const vv_array_meta *vv_array_get_meta(const vv_array *array)
{
    return &array->public_meta;
}

const char *vv_array_path(const vv_array *array)
{
    return array->path;
}

vv_status vv_array_metadata_json(const vv_array *array, vv_buf *out, vv_error *err)
{
    vv_buf text = VV_BUF_INIT;
    vv_status status = vvi_json_write(array->meta.document, 2, &text, err);

    if (!status)
        status = vvi_buf_terminate(&text, err);
    if (!status)
        vvi_buf_move(out, &text);
    vv_buf_clear(&text);
    return status;
}

vv_status vv_array_count(const vv_array *array, uint64_t *elements, vv_error *err)
{
    return vvi_product(array->meta.grid.ndim, array->meta.grid.shape, elements, err);
}

void vv_array_grid(const vv_array *array, uint64_t *chunks_per_dim)
{
    if (array->meta.grid.ndim)
        memcpy(chunks_per_dim, array->meta.grid.count,
               array->meta.grid.ndim * sizeof(*chunks_per_dim));
}

size_t vv_array_element_format(const vv_array *array, const void *element, char *out,
                               size_t cap)
{
    return vvi_element_format(&array->meta.dtype, element, out, cap);
}

vv_status vvi_array_key(const vv_array *array, const uint64_t *index, vv_buf *out,
                        vv_error *err)
{
    VVI_TRY(vvi_path_key(array->path, "", out, err));
    VVI_TRY(vvi_chunk_key(array->meta.keys, array->meta.grid.ndim, index, out, err));
    return vvi_buf_terminate(out, err);
}

vv_status vv_array_chunk_key(const vv_array *array, const uint64_t *index, vv_buf *out,
                             vv_error *err)
{
    vv_buf key = VV_BUF_INIT;
    vv_status status = vvi_grid_check_chunk(&array->meta.grid, index, err);

    if (!status)
        status = vvi_array_key(array, index, &key, err);
    if (!status)
        vvi_buf_move(out, &key);
    vv_buf_clear(&key);
    return status;
}

uint64_t vvi_array_chunk_number(const vv_array *array, const uint64_t *index)
{
    uint64_t number = 0;

    for (uint32_t d = 0; d < array->meta.grid.ndim; d++)
        number = number * array->meta.grid.count[d] + index[d];
    return number;
}

bool vvi_array_numbers_differ(const vv_array *array)
{
    uint64_t chunks;

    return !vvi_product(array->meta.grid.ndim, array->meta.grid.count, &chunks, NULL);
}

vv_status vvi_array_chunk_bytes(const vv_array *array, size_t *out, vv_error *err)
{
    vv_status status = vvi_codec_chain_size(array->meta.chain, out, err);
    return status ? vvi_wrap(err, status, "array '%s'", array->path) : VV_OK;
}

vv_status vvi_array_check_fixed(const vv_array *array, vv_error *err)
{
    if (array->meta.dtype.kind != VVI_KIND_VARIABLE)
        return VV_OK;
    return vvi_fail(err, VV_EINVAL,
                    "array '%s' has elements of variable length (%s): see "
                    "vv_array_read_varlen()",
                    array->path, vv_dtype_name(array->meta.dtype.code));
}

vv_status vvi_array_check_bytes(const vv_array *array, uint64_t elements, size_t given,
                                vv_error *err)
{
    uint64_t bytes;

    if (__builtin_mul_overflow(elements, array->item, &bytes) || bytes != given)
        return vvi_fail(err, VV_EINVAL,
                        "array '%s': %" PRIu64
                        " elements of %zu bytes do not make %zu bytes",
                        array->path, elements, array->item, given);
    return VV_OK;
}
