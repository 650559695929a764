/* Making metadata documents. */
#include "zarr/meta.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

vv_status vvi_attributes_parse(const char *text, vvi_json **out, vv_error *err)
{
    vvi_json *value = NULL;
    vv_status status;

    status = vvi_json_parse(vv_bytes_of(text ? text : "{}"), &value, err);
    if (status == VV_ECORRUPT)
        return vvi_wrap(err, VV_EINVAL, "attributes");
    if (status)
        return status;
    if (!vvi_json_is(value, VVI_JSON_OBJECT)) {
        status = vvi_fail(err, VV_EINVAL, "attributes: %s, not an object",
                          vvi_json_kind_name(value));
        vvi_json_free(value);
        return status;
    }
    *out = value;
    return VV_OK;
}

static vv_status set_attributes(vvi_json *document, const char *text, vv_error *err)
{
    vvi_json *attributes = NULL;

    VVI_TRY(vvi_attributes_parse(text, &attributes, err));
    return vvi_json_set(document, "attributes", attributes, err);
}

static vv_status begin_document(const char *type, vvi_json **out, vv_error *err)
{
    *out = vvi_json_new(VVI_JSON_OBJECT);
    if (!*out)
        return vvi_fail_nomem(err, 0);
    VVI_TRY(vvi_json_set(*out, "zarr_format", vvi_json_new_int64(3), err));
    return vvi_json_set(*out, "node_type", vvi_json_new_text(type), err);
}

vv_status vvi_group_document(const char *attributes, vvi_json **out, vv_error *err)
{
    vvi_json *document = NULL;
    vv_status status = begin_document("group", &document, err);

    if (!status)
        status = set_attributes(document, attributes, err);
    if (status)
        vvi_json_free(document);
    else
        *out = document;
    return status;
}

static vv_status set_lengths(vvi_json *object, const char *name, uint32_t n,
                             const uint64_t *lengths, vv_error *err)
{
    vvi_json *list = vvi_json_new(VVI_JSON_ARRAY);

    for (uint32_t i = 0; list && i < n; i++) {
        vv_status status = vvi_json_append(list, vvi_json_new_uint64(lengths[i]), err);

        if (status) {
            vvi_json_free(list);
            return status;
        }
    }
    return vvi_json_set(object, name, list, err);
}

/* {"name": …, "configuration": {}}; the configuration is *settings, to be filled. */
static vv_status set_extension(vvi_json *document, const char *member, const char *name,
                               vvi_json **settings, vv_error *err)
{
    vvi_json *extension = vvi_json_new(VVI_JSON_OBJECT);

    VVI_TRY(vvi_json_set(document, member, extension, err));
    VVI_TRY(vvi_json_set(extension, "name", vvi_json_new_text(name), err));
    *settings = vvi_json_new(VVI_JSON_OBJECT);
    return vvi_json_set(extension, "configuration", *settings, err);
}

static vv_status set_keys(vvi_json *document, const vv_array_meta *wanted, vv_error *err)
{
    char separator[] = { wanted->separator, '\0' };
    vvi_json *settings;

    if (!wanted->separator)
        separator[0] = wanted->v2_keys ? '.' : '/';
    if (separator[0] != '/' && separator[0] != '.')
        return vvi_fail(err, VV_EINVAL, "member 'separator': neither '/' nor '.'");
    VVI_TRY(set_extension(document, "chunk_key_encoding",
                          wanted->v2_keys ? "v2" : "default", &settings, err));
    return vvi_json_set(settings, "separator", vvi_json_new_text(separator), err);
}

static vv_status set_dtype(vvi_json *document, const vvi_dtype *dtype, vv_error *err)
{
    vvi_json *value = NULL;

    VVI_TRY(vvi_dtype_write(dtype, &value, err));
    return vvi_json_set(document, "data_type", value, err);
}

static vv_status set_fill(vvi_json *document, const vvi_dtype *dtype,
                          const void *fill_value, vv_error *err)
{
    void *zero = fill_value ? NULL : vvi_alloc_zero(dtype->item);
    vvi_json *value = NULL;
    vv_status status;

    if (!fill_value && !zero)
        return vvi_fail_nomem(err, dtype->item);
    status = vvi_fill_write(dtype, fill_value ? fill_value : zero, &value, err);
    vvi_free(zero);
    return status ? status : vvi_json_set(document, "fill_value", value, err);
}

/* Put a codec at the end of a list; *settings belongs to it. */
static vv_status append_codec(vvi_json *codecs, const char *name, vvi_json **settings,
                              vv_error *err)
{
    vvi_json *codec = vvi_json_new(VVI_JSON_OBJECT);

    VVI_TRY(vvi_json_append(codecs, codec, err));
    VVI_TRY(vvi_json_set(codec, "name", vvi_json_new_text(name), err));
    if (!settings)
        return VV_OK;
    *settings = vvi_json_new(VVI_JSON_OBJECT);
    return vvi_json_set(codec, "configuration", *settings, err);
}

/* Shards: the codecs are those inside, the index is checked by a CRC-32C and stands at the end. */
static vv_status set_sharding(vvi_json *document, const vv_array_meta *wanted,
                              vvi_json *inner, vv_error *err)
{
    vvi_json *codecs = vvi_json_new(VVI_JSON_ARRAY);
    vvi_json *settings = NULL;
    vvi_json *index;
    vv_status status = vvi_json_set(document, "codecs", codecs, err);

    if (!status)
        status = append_codec(codecs, "sharding_indexed", &settings, err);
    if (status) {
        vvi_json_free(inner);
        return status;
    }
    VVI_TRY(vvi_json_set(settings, "codecs", inner, err));
    VVI_TRY(set_lengths(settings, "chunk_shape", wanted->ndim, wanted->inner_chunk_shape,
                        err));
    index = vvi_json_new(VVI_JSON_ARRAY);
    VVI_TRY(vvi_json_set(settings, "index_codecs", index, err));
    VVI_TRY(vvi_json_set(settings, "index_location", vvi_json_new_text("end"), err));
    VVI_TRY(append_codec(index, "bytes", &settings, err));
    VVI_TRY(vvi_json_set(settings, "endian", vvi_json_new_text("little"), err));
    return append_codec(index, "crc32c", NULL, err);
}

static vv_status set_codecs(vvi_json *document, const vv_array_meta *wanted,
                            const vvi_dtype *dtype, vv_error *err)
{
    vvi_codec_array array = { .dtype = *dtype };
    vvi_json *codecs = NULL;

    VVI_TRY(vvi_codecs_from_text(wanted->codecs ? wanted->codecs : "zstd:3", &array,
                                 &codecs, err));
    if (wanted->inner_chunk_shape)
        return set_sharding(document, wanted, codecs, err);
    return vvi_json_set(document, "codecs", codecs, err);
}

static vv_status set_dimension_names(vvi_json *document, const vv_array_meta *wanted,
                                     vv_error *err)
{
    vvi_json *list;

    if (!wanted->dimension_names)
        return VV_OK;
    list = vvi_json_new(VVI_JSON_ARRAY);
    VVI_TRY(vvi_json_set(document, "dimension_names", list, err));
    for (uint32_t i = 0; i < wanted->ndim; i++) {
        const char *name = wanted->dimension_names[i];

        if (name && !vvi_is_utf8(vv_bytes_of(name)))
            return vvi_fail(err, VV_EINVAL, "dimension_names: a name that is not UTF-8");
        VVI_TRY(vvi_json_append(
            list, name ? vvi_json_new_text(name) : vvi_json_new(VVI_JSON_NULL), err));
    }
    return VV_OK;
}

static vv_status fill_document(vvi_json *document, const vv_array_meta *wanted,
                               vv_error *err)
{
    vvi_json *settings;
    vvi_dtype dtype;

    VVI_TRY(vvi_dtype_make(wanted->dtype, wanted->item_size, wanted->time_unit,
                           wanted->time_scale, &dtype, err));
    VVI_TRY(set_lengths(document, "shape", wanted->ndim, wanted->shape, err));
    VVI_TRY(set_dtype(document, &dtype, err));
    VVI_TRY(set_extension(document, "chunk_grid",
                          wanted->chunk_edges ? "rectilinear" : "regular", &settings,
                          err));
    if (wanted->chunk_edges)
        VVI_TRY(vvi_rectilinear_write(wanted, settings, err));
    else
        VVI_TRY(
            set_lengths(settings, "chunk_shape", wanted->ndim, wanted->chunk_shape, err));
    VVI_TRY(set_keys(document, wanted, err));
    VVI_TRY(set_fill(document, &dtype, wanted->fill_value, err));
    VVI_TRY(set_codecs(document, wanted, &dtype, err));
    VVI_TRY(set_attributes(document, wanted->attributes, err));
    return set_dimension_names(document, wanted, err);
}

vv_status vvi_meta_document(const vv_array_meta *wanted, vvi_json **out, vv_error *err)
{
    vvi_json *document = NULL;
    vv_status status;

    if (wanted->ndim > VV_NDIM_MAX)
        return vvi_fail(err, VV_EINVAL,
                        "member 'ndim': %" PRIu32 "; at most %d are handled",
                        wanted->ndim, VV_NDIM_MAX);
    if (wanted->ndim &&
        (!wanted->shape || (!wanted->chunk_shape && !wanted->chunk_edges)))
        return vvi_fail(err, VV_EINVAL, "member '%s' is missing",
                        wanted->shape ? "chunk_shape" : "shape");
    status = begin_document("array", &document, err);
    if (!status)
        status = fill_document(document, wanted, err);
    if (status)
        vvi_json_free(document);
    else
        *out = document;
    return status;
}
