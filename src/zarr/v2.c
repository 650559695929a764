#include "zarr/v2.h"

#include "util/alloc.h"
#include "util/base64.h"
#include "util/buf.h"
#include "util/endian.h"

#include <stdio.h>
#include <string.h>

#define DIMENSIONS     "_ARRAY_DIMENSIONS"
#define ZSTD_LEVEL_MAX 22

/* Put a copy of value into the document. */
static vv_status set_copy(vvi_json *document, const char *name, const vvi_json *value,
                          vv_error *err)
{
    vvi_json *copy = NULL;

    VVI_TRY(vvi_json_copy(value, &copy, err));
    return vvi_json_set(document, name, copy, err);
}

/* {"name": …, "configuration": {}}; the configuration is *settings. extension goes into container,
 * under name where that is an object. */
static vv_status add_extension(vvi_json *container, const char *member, const char *name,
                               vvi_json **settings, vv_error *err)
{
    vvi_json *extension = vvi_json_new(VVI_JSON_OBJECT);

    VVI_TRY(member ? vvi_json_set(container, member, extension, err)
                   : vvi_json_append(container, extension, err));
    VVI_TRY(vvi_json_set(extension, "name", vvi_json_new_text(name), err));
    *settings = vvi_json_new(VVI_JSON_OBJECT);
    return vvi_json_set(extension, "configuration", *settings, err);
}

/* ---- codecs -------------------------------------------------------------------------------- */

/* The array → array filters, and which of their settings names the type that they make. */
static const char *const array_filters[][2] = {
    { "delta", "astype" }, { "fixedscaleoffset", "astype" }, { "quantize", "astype" },
    { "bitround", "" },    { "astype", "encode_dtype" },     { "packbits", "" },
};
#define ARRAY_FILTERS (sizeof(array_filters) / sizeof(array_filters[0]))

static bool is_array_filter(const char *id, size_t *which)
{
    for (*which = 0; *which < ARRAY_FILTERS; ++*which)
        if (strcmp(array_filters[*which][0], id) == 0)
            return true;
    return false;
}

static bool is_variable(const char *id)
{
    return strcmp(id, "vlen-utf8") == 0 || strcmp(id, "vlen-bytes") == 0;
}

/* A codec's setting as version 3 takes it: numcodecs takes any level of zstd for the nearest. */
static vv_status add_setting(vvi_json *settings, const char *id, const vvi_json *setting,
                             vv_error *err)
{
    int64_t level;

    if (strcmp(id, "zstd") == 0 && strcmp(vvi_json_name(setting), "level") == 0 &&
        vvi_json_int64(setting, &level) && level > ZSTD_LEVEL_MAX)
        return vvi_json_set(settings, "level", vvi_json_new_int64(ZSTD_LEVEL_MAX), err);
    return set_copy(settings, vvi_json_name(setting), setting, err);
}

/* A codec by the name that version 3 has for numcodecs' id, with its settings. */
static vv_status add_codec(vvi_json *codecs, const vvi_json *codec, vv_error *err)
{
    const char *id = vvi_json_text(vvi_json_get(codec, "id"), NULL);
    char name[80];
    vvi_json *settings;

    if (!id)
        return vvi_meta_wrong("id", vvi_json_get(codec, "id"), "the name of a codec",
                              err);
    if (strlen(id) > 60)
        return vvi_fail(err, VV_EUNSUPPORTED, "codec '%.60s…' is not known to this build",
                        id);
    snprintf(name, sizeof(name), "%s%s", is_variable(id) ? "" : "numcodecs.", id);
    VVI_TRY(add_extension(codecs, NULL, name, &settings, err));
    for (const vvi_json *m = vvi_json_first(codec); m; m = vvi_json_next(m))
        if (strcmp(vvi_json_name(m), "id") != 0)
            VVI_TRY(add_setting(settings, id, m, err));
    return VV_OK;
}

/* Column-major order is a transposition of all dimensions. */
static vv_status add_order(vvi_json *codecs, const vvi_json *zarray, size_t ndim,
                           vv_error *err)
{
    const vvi_json *order = vvi_json_get(zarray, "order");
    vvi_json *settings;
    vvi_json *list;

    if (!vvi_json_is_text(order, "C") && !vvi_json_is_text(order, "F"))
        return vvi_meta_wrong("order", order, "\"C\" or \"F\"", err);
    if (vvi_json_is_text(order, "C") || ndim < 2)
        return VV_OK;
    VVI_TRY(add_extension(codecs, NULL, "transpose", &settings, err));
    list = vvi_json_new(VVI_JSON_ARRAY);
    VVI_TRY(vvi_json_set(settings, "order", list, err));
    for (size_t d = ndim; d > 0; d--)
        VVI_TRY(vvi_json_append(list, vvi_json_new_uint64(d - 1), err));
    return VV_OK;
}

/* The filters on the array itself; *order becomes the byte order of what the last one makes. Those
 * behind *rest work on bytes. */
static vv_status add_array_filters(vvi_json *codecs, const vvi_json *filters, char *order,
                                   const vvi_json **rest, vv_error *err)
{
    const vvi_json *filter = vvi_json_first(filters);

    for (; filter; filter = vvi_json_next(filter)) {
        const char *id = vvi_json_text(vvi_json_get(filter, "id"), NULL);
        const char *type;
        size_t which;

        if (!id || !is_array_filter(id, &which))
            break;
        VVI_TRY(add_codec(codecs, filter, err));
        type = vvi_json_text(vvi_json_get(filter, array_filters[which][1]), NULL);
        if (!type)
            type = vvi_json_text(vvi_json_get(filter, "dtype"), NULL);
        if (type && *type)
            *order = *type;
    }
    *rest = filter;
    return VV_OK;
}

/* The step from elements to bytes; for text of any length it is a filter of version 2. */
static vv_status add_bytes(vvi_json *codecs, const vvi_dtype *dtype, char order,
                           const vvi_json **rest, vv_error *err)
{
    vvi_json *settings;

    if (dtype->kind == VVI_KIND_VARIABLE) {
        VVI_TRY(add_codec(codecs, *rest, err));
        *rest = vvi_json_next(*rest);
        return VV_OK;
    }
    VVI_TRY(add_extension(codecs, NULL, "bytes", &settings, err));
    return vvi_json_set(settings, "endian",
                        vvi_json_new_text(order == '>' ? "big" : "little"), err);
}

static vv_status set_codecs(vvi_json *document, const vvi_json *zarray,
                            const vvi_dtype *dtype, char order, vv_error *err)
{
    const vvi_json *filters = vvi_json_get(zarray, "filters");
    const vvi_json *compressor = vvi_json_get(zarray, "compressor");
    vvi_json *codecs = vvi_json_new(VVI_JSON_ARRAY);
    const vvi_json *rest;
    size_t which;

    VVI_TRY(vvi_json_set(document, "codecs", codecs, err));
    if (filters && !vvi_json_is(filters, VVI_JSON_ARRAY) &&
        !vvi_json_is(filters, VVI_JSON_NULL))
        return vvi_meta_wrong("filters", filters, "a list or null", err);
    VVI_TRY(
        add_order(codecs, zarray, vvi_json_count(vvi_json_get(zarray, "shape")), err));
    VVI_TRY(add_array_filters(codecs, filters, &order, &rest, err));
    VVI_TRY(add_bytes(codecs, dtype, order, &rest, err));
    for (; rest; rest = vvi_json_next(rest)) {
        const char *id = vvi_json_text(vvi_json_get(rest, "id"), NULL);

        if (id && is_array_filter(id, &which))
            return vvi_fail(err, VV_EUNSUPPORTED,
                            "filter '%s' behind one that works on bytes", id);
        VVI_TRY(add_codec(codecs, rest, err));
    }
    if (!compressor || vvi_json_is(compressor, VVI_JSON_NULL))
        return VV_OK;
    if (!vvi_json_is(compressor, VVI_JSON_OBJECT))
        return vvi_meta_wrong("compressor", compressor, "an object or null", err);
    return add_codec(codecs, compressor, err);
}

/* ---- types and fill values ------------------------------------------------------------------- */

/* Objects are text or bytes of any length if a filter says so, and it is the first one. */
static vv_status read_object(const vvi_json *zarray, vvi_dtype *out, vv_error *err)
{
    const vvi_json *filter = vvi_json_first(vvi_json_get(zarray, "filters"));
    const char *id = vvi_json_text(vvi_json_get(filter, "id"), NULL);

    if (!id || !is_variable(id))
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "dtype '|O' with the filter '%.60s'; objects are read as text or "
                        "bytes, with 'vlen-utf8' or 'vlen-bytes' first",
                        id ? id : "");
    (void)vvi_dtype_init(strcmp(id, "vlen-utf8") == 0 ? VV_STRING : VV_BYTES, out);
    return VV_OK;
}

static vv_status read_dtype(const vvi_json *zarray, vvi_dtype *out, char *order,
                            vv_error *err)
{
    const vvi_json *value = vvi_json_get(zarray, "dtype");
    const char *text = vvi_json_text(value, NULL);

    *order = '|';
    if (vvi_json_is(value, VVI_JSON_ARRAY))
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "a structured dtype is not known to this build");
    if (!text)
        return vvi_meta_wrong("dtype", value, "the name of a type", err);
    return strcmp(text, "|O") == 0 ? read_object(zarray, out, err)
                                   : vvi_v2_dtype(text, out, order, err);
}

/* Zero, or for times what is none. */
static vv_status default_fill(const vvi_dtype *dtype, vvi_json **out, vv_error *err)
{
    int64_t nat = VVI_TIME_NAT;
    void *zero;
    vv_status status;

    if (dtype->kind == VVI_KIND_TIME)
        return vvi_fill_write(dtype, &nat, out, err);
    zero = vvi_alloc_zero(dtype->item);
    if (!zero)
        return vvi_fail_nomem(err, dtype->item);
    status = vvi_fill_write(dtype, zero, out, err);
    vvi_free(zero);
    return status;
}

/* The forms are those of version 3, but null stands for none, and 0 for empty text too. */
static vv_status set_fill(vvi_json *document, const vvi_json *zarray,
                          const vvi_dtype *dtype, vv_error *err)
{
    const vvi_json *given = vvi_json_get(zarray, "fill_value");
    bool is_text = dtype->kind == VVI_KIND_TEXT || dtype->kind == VVI_KIND_RAW ||
                   dtype->kind == VVI_KIND_VARIABLE;
    vvi_json *value = NULL;
    int64_t number;

    if (!given || vvi_json_is(given, VVI_JSON_NULL) ||
        (is_text && vvi_json_int64(given, &number) && number == 0))
        VVI_TRY(default_fill(dtype, &value, err));
    else
        VVI_TRY(vvi_json_copy(given, &value, err));
    return vvi_json_set(document, "fill_value", value, err);
}

static vv_status set_dtype(vvi_json *document, const vvi_dtype *dtype, vv_error *err)
{
    vvi_json *value = NULL;

    VVI_TRY(vvi_dtype_write(dtype, &value, err));
    return vvi_json_set(document, "data_type", value, err);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static vv_status set_grid(vvi_json *document, const vvi_json *zarray, vv_error *err)
{
    const vvi_json *shape = vvi_json_get(zarray, "shape");
    const vvi_json *chunks = vvi_json_get(zarray, "chunks");
    const vvi_json *separator = vvi_json_get(zarray, "dimension_separator");
    vvi_json *settings;

    if (!vvi_json_is(shape, VVI_JSON_ARRAY))
        return vvi_meta_wrong("shape", shape, "a list of lengths", err);
    if (!vvi_json_is(chunks, VVI_JSON_ARRAY))
        return vvi_meta_wrong("chunks", chunks, "a list of lengths", err);
    if (separator && !vvi_json_is_text(separator, ".") &&
        !vvi_json_is_text(separator, "/"))
        return vvi_meta_wrong("dimension_separator", separator, "\"/\" or \".\"", err);
    VVI_TRY(set_copy(document, "shape", shape, err));
    VVI_TRY(add_extension(document, "chunk_grid", "regular", &settings, err));
    VVI_TRY(set_copy(settings, "chunk_shape", chunks, err));
    VVI_TRY(add_extension(document, "chunk_key_encoding", "v2", &settings, err));
    return vvi_json_set(settings, "separator",
                        vvi_json_new_text(vvi_json_is_text(separator, "/") ? "/" : "."),
                        err);
}

/* Names of dimensions as xarray keeps them: a list of texts, one a dimension. */
static bool are_names(const vvi_json *names, size_t ndim)
{
    if (!vvi_json_is(names, VVI_JSON_ARRAY) || vvi_json_count(names) != ndim)
        return false;
    for (const vvi_json *item = vvi_json_first(names); item; item = vvi_json_next(item))
        if (!vvi_json_is(item, VVI_JSON_STRING))
            return false;
    return true;
}

/* The text that xarray states the _FillValue of floats by. */
static vv_status fill_text(double number, vvi_json **out, vv_error *err)
{
    uint8_t bytes[sizeof(number)];
    vv_buf text = VV_BUF_INIT;
    uint64_t bits;

    memcpy(&bits, &number, sizeof(bits));
    vvi_put_le64(bytes, bits);
    vv_status status = vvi_base64_encode(vvi_bytes(bytes, sizeof(bytes)), &text, err);
    if (!status) {
        *out = vvi_json_new_string(vvi_buf_bytes(&text));
        status = *out ? VV_OK : vvi_fail_nomem(err, text.len);
    }
    vv_buf_clear(&text);
    return status;
}

/* In version 2 xarray takes the fill value for the missing one, and keeps it nowhere else; in
 * version 3 only the attribute says it. So it becomes the attribute, or packed data would lose
 * what is missing. Of what xarray did not write, a fill value of 0 is no more than that. */
static vv_status tell_missing(vvi_json *attributes, const vvi_json *zarray, vv_error *err)
{
    const vvi_json *fill = vvi_json_get(zarray, "fill_value");
    vvi_json *value = NULL;
    vv_buf element = VV_BUF_INIT;
    vvi_dtype dtype;
    char order;
    vv_status status;

    if (!fill || vvi_json_is(fill, VVI_JSON_NULL) ||
        vvi_json_get(attributes, "_FillValue") ||
        read_dtype(zarray, &dtype, &order, NULL) ||
        (dtype.kind != VVI_KIND_INT && dtype.kind != VVI_KIND_UINT &&
         dtype.kind != VVI_KIND_FLOAT))
        return VV_OK;
    status = vvi_fill_read(&dtype, fill, &element, err);
    if (!status)
        status = dtype.kind == VVI_KIND_FLOAT
                     ? fill_text(vvi_float_load(dtype.code, element.data), &value, err)
                     : vvi_fill_write(&dtype, element.data, &value, err);
    if (!status)
        status = vvi_json_set(attributes, "_FillValue", value, err);
    vv_buf_clear(&element);
    return status == VV_ECORRUPT ? VV_OK : status; /* said where the fill value is read */
}

vv_status vvi_v2_attributes(const vvi_json *document, const vvi_json *zattrs,
                            vvi_json **out, vv_error *err)
{
    size_t ndim = vvi_json_count(vvi_json_get(document, "shape"));
    vvi_json *attributes = NULL;

    if (zattrs && !vvi_json_is(zattrs, VVI_JSON_OBJECT))
        return vvi_fail(err, VV_ECORRUPT, "the attributes are %s, not an object",
                        vvi_json_kind_name(zattrs));
    if (!zattrs)
        attributes = vvi_json_new(VVI_JSON_OBJECT);
    else
        VVI_TRY(vvi_json_copy(zattrs, &attributes, err));
    if (!attributes)
        return vvi_fail_nomem(err, 0);
    /* They are told as names of dimensions. */
    if (vvi_json_get(document, "shape") &&
        are_names(vvi_json_get(attributes, DIMENSIONS), ndim)) {
        vvi_json_remove(attributes, DIMENSIONS);
        vv_status status = tell_missing(attributes, document, err);
        if (status) {
            vvi_json_free(attributes);
            return status;
        }
    }
    *out = attributes;
    return VV_OK;
}

static vv_status set_attributes(vvi_json *document, const vvi_json *from,
                                const vvi_json *zattrs, vv_error *err)
{
    vvi_json *attributes = NULL;

    VVI_TRY(vvi_v2_attributes(from, zattrs, &attributes, err));
    return vvi_json_set(document, "attributes", attributes, err);
}

static vv_status begin(vvi_json *document, const char *type, vv_error *err)
{
    VVI_TRY(vvi_json_set(document, "zarr_format", vvi_json_new_int64(3), err));
    return vvi_json_set(document, "node_type", vvi_json_new_text(type), err);
}

static vv_status fill_array(vvi_json *document, const vvi_json *zarray,
                            const vvi_json *zattrs, vv_error *err)
{
    const vvi_json *names = vvi_json_get(zattrs, DIMENSIONS);
    vvi_dtype dtype;
    char order;

    VVI_TRY(vvi_check_format(zarray, 2, err));
    VVI_TRY(begin(document, "array", err));
    VVI_TRY(read_dtype(zarray, &dtype, &order, err));
    VVI_TRY(set_grid(document, zarray, err));
    VVI_TRY(set_dtype(document, &dtype, err));
    VVI_TRY(set_fill(document, zarray, &dtype, err));
    VVI_TRY(set_codecs(document, zarray, &dtype, order, err));
    VVI_TRY(set_attributes(document, zarray, zattrs, err));
    if (!are_names(names, vvi_json_count(vvi_json_get(zarray, "shape"))))
        return VV_OK;
    return set_copy(document, "dimension_names", names, err);
}

static vv_status fill_group(vvi_json *document, const vvi_json *zgroup,
                            const vvi_json *zattrs, vv_error *err)
{
    VVI_TRY(vvi_check_format(zgroup, 2, err));
    VVI_TRY(begin(document, "group", err));
    return set_attributes(document, zgroup, zattrs, err);
}

static vv_status convert(vv_status (*fill)(vvi_json *, const vvi_json *, const vvi_json *,
                                           vv_error *),
                         const vvi_json *from, const vvi_json *zattrs, vvi_json **out,
                         vv_error *err)
{
    vvi_json *document = vvi_json_new(VVI_JSON_OBJECT);
    vv_status status;

    if (!document)
        return vvi_fail_nomem(err, 0);
    status = fill(document, from, zattrs, err);
    if (status)
        vvi_json_free(document);
    else
        *out = document;
    return status;
}

vv_status vvi_v2_array(const vvi_json *zarray, const vvi_json *zattrs, vvi_json **out,
                       vv_error *err)
{
    return convert(fill_array, zarray, zattrs, out, err);
}

vv_status vvi_v2_group(const vvi_json *zgroup, const vvi_json *zattrs, vvi_json **out,
                       vv_error *err)
{
    return convert(fill_group, zgroup, zattrs, out, err);
}
