/*
 * Appending: the elements are written beyond the array's end first, where no reader looks, and the metadata
 * that lets them be seen last. Whoever is killed in between has changed nothing that can be seen. Stores that
 * are committed show nothing before that, and those among them that index chunks take the metadata first.
 */
#include "zarr/array.h"

#include "util/alloc.h"
#include "zarr/node.h"

#include <varvite/store_backend.h>

#include <string.h>

static vv_status fail_axis(const vv_array *array, uint32_t axis, vv_error *err)
{
    return vvi_fail(err, VV_EINVAL, "array '%s': no dimension %" PRIu32 " among %" PRIu32,
                    array->path, axis, array->meta.grid.ndim);
}

/* Also when all of a list have one length. */
static bool lists_chunks(const vv_array *array, uint32_t axis)
{
    const vvi_json *grid = vvi_json_get(array->meta.document, "chunk_grid");
    const vvi_json *spec = vvi_json_first(
        vvi_json_get(vvi_json_get(grid, "configuration"), "chunk_shapes"));

    while (spec && axis--)
        spec = vvi_json_next(spec);
    return vvi_json_is(spec, VVI_JSON_ARRAY);
}

static vv_status check_append(const vv_array *array, uint32_t axis, uint64_t count,
                              vv_error *err)
{
    uint64_t length;

    VVI_TRY(vvi_array_check_fixed(array, err));
    if (axis >= array->meta.grid.ndim)
        return fail_axis(array, axis, err);
    if (lists_chunks(array, axis))
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "array '%s': its metadata lists the chunks of dimension %" PRIu32
                        "; none can be appended",
                        array->path, axis);
    if (__builtin_add_overflow(array->meta.grid.shape[axis], count, &length))
        return vvi_fail(err, VV_ERANGE,
                        "array '%s': dimension %" PRIu32 " would pass 2^64 elements",
                        array->path, axis);
    return VV_OK;
}

/* The document as it is stored now, attributes that changed since and all, with another length of one
 * dimension. */
static vv_status lengthen(const vv_array *array, vvi_json *document, uint32_t axis,
                          uint64_t length, vv_error *err)
{
    vvi_json *shape = vvi_json_new(VVI_JSON_ARRAY);
    vv_status status = shape ? vvi_array_check_same(array, document, err)
                             : vvi_fail_nomem(err, 0);

    for (uint32_t d = 0; d < array->meta.grid.ndim && !status; d++)
        status = vvi_json_append(
            shape, vvi_json_new_uint64(d == axis ? length : array->meta.grid.shape[d]),
            err);
    if (status) {
        vvi_json_free(shape);
        return status;
    }
    return vvi_json_set(document, "shape", shape, err);
}

static vv_status write_behind(vv_array *longer, uint32_t axis, uint64_t from,
                              uint64_t count, const void *data, size_t data_bytes,
                              vv_error *err)
{
    uint64_t start[VV_NDIM_MAX] = { 0 };
    uint64_t counts[VV_NDIM_MAX];

    memcpy(counts, longer->meta.grid.shape, sizeof(counts));
    start[axis] = from;
    counts[axis] = count;
    return vv_array_write(longer, start, counts, data, data_bytes, err);
}

/* Let array be what longer is; longer gets what array was. Nothing here fails. */
static void take_length(vv_array *array, vv_array *longer, uint32_t axis)
{
    vvi_json *document = array->meta.document;
    const char **names = array->meta.dimension_names;

    /* The names belong to the document. */
    array->meta.document = longer->meta.document;
    array->meta.dimension_names = longer->meta.dimension_names;
    array->public_meta.dimension_names = array->meta.dimension_names;
    longer->meta.document = document;
    longer->meta.dimension_names = names;
    array->meta.grid.shape[axis] = longer->meta.grid.shape[axis];
    array->meta.grid.count[axis] = longer->meta.grid.count[axis];
    /* The last shard may have changed. */
    vvi_index_cache_empty(&array->indexes);
}

/* The document of the array as it is to be. */
static vv_status load_longer(const vv_array *array, uint32_t axis, uint64_t length,
                             vvi_json **out, vv_error *err)
{
    vvi_zarr_node node;
    vvi_json *document = NULL;
    vv_status status = vvi_zarr_node_find(array->store, array->path, &node, err);

    if (!status)
        status = vvi_zarr_node_check_write(&node, array->path, err);
    if (!status)
        status = vvi_zarr_node_document(&node, &document, err);
    vvi_zarr_node_clear(&node);
    if (!status)
        status = lengthen(array, document, axis, length, err);
    if (status)
        vvi_json_free(document);
    else
        *out = document;
    return status;
}

/* Elements first, so that no reader sees a length without them. */
static vv_status write_then_save(vv_array *array, vv_array *longer, uint32_t axis,
                                 uint64_t before, uint64_t count, const void *data,
                                 size_t data_bytes, vv_error *err)
{
    VVI_TRY(write_behind(longer, axis, before, count, data, data_bytes, err));
    return count ? vvi_node_save(array->store, array->path, longer->meta.document, err)
                 : VV_OK;
}

/* Where chunks are kept in an index of their array, there is no place for them before the document has made
 * it. The former document comes back when they could not be written. */
static vv_status save_then_write(vv_array *array, vv_array *longer, uint32_t axis,
                                 uint64_t before, uint64_t count, const void *data,
                                 size_t data_bytes, vv_error *err)
{
    vvi_json *former = NULL;
    vv_status status;

    if (!count)
        return VV_OK;
    VVI_TRY(load_longer(array, axis, before, &former, err));
    status = vvi_node_save(array->store, array->path, longer->meta.document, err);
    if (!status) {
        status = write_behind(longer, axis, before, count, data, data_bytes, err);
        if (status)
            (void)vvi_node_save(array->store, array->path, former, NULL);
    }
    vvi_json_free(former);
    return status;
}

vv_status vv_array_append(vv_array *array, uint32_t axis, uint64_t count,
                          const void *data, size_t data_bytes, vv_error *err)
{
    vvi_json *document = NULL;
    vv_array *longer = NULL;
    uint64_t before;
    vv_status status;

    VVI_TRY(check_append(array, axis, count, err));
    before = array->meta.grid.shape[axis];
    VVI_TRY(load_longer(array, axis, before + count, &document, err));
    VVI_TRY(vvi_array_of_document(array->store, array->path, document, &longer, err));
    status = (array->store->indexes_chunks ? save_then_write : write_then_save)(
        array, longer, axis, before, count, data, data_bytes, err);
    if (!status)
        take_length(array, longer, axis);
    vv_array_free(longer);
    return status;
}
