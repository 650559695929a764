/* Element types: one table. */
#include "dtype/dtype.h"

#include "grid/grid.h"

#include <string.h>

typedef struct dtype_row {
    const char *name;
    uint8_t size; /* 0: a parameter */
    uint8_t word;
    uint8_t kind;
} dtype_row;

static const dtype_row rows[] = {
    [VV_BOOL] = { "bool", 1, 1, VVI_KIND_BOOL },
    [VV_INT8] = { "int8", 1, 1, VVI_KIND_INT },
    [VV_INT16] = { "int16", 2, 2, VVI_KIND_INT },
    [VV_INT32] = { "int32", 4, 4, VVI_KIND_INT },
    [VV_INT64] = { "int64", 8, 8, VVI_KIND_INT },
    [VV_UINT8] = { "uint8", 1, 1, VVI_KIND_UINT },
    [VV_UINT16] = { "uint16", 2, 2, VVI_KIND_UINT },
    [VV_UINT32] = { "uint32", 4, 4, VVI_KIND_UINT },
    [VV_UINT64] = { "uint64", 8, 8, VVI_KIND_UINT },
    [VV_FLOAT16] = { "float16", 2, 2, VVI_KIND_FLOAT },
    [VV_FLOAT32] = { "float32", 4, 4, VVI_KIND_FLOAT },
    [VV_FLOAT64] = { "float64", 8, 8, VVI_KIND_FLOAT },
    [VV_COMPLEX64] = { "complex64", 8, 4, VVI_KIND_COMPLEX },
    [VV_COMPLEX128] = { "complex128", 16, 8, VVI_KIND_COMPLEX },
    [VV_BFLOAT16] = { "bfloat16", 2, 2, VVI_KIND_FLOAT },
    [VV_RAW] = { "r*", 0, 1, VVI_KIND_RAW },
    [VV_FIXED_UTF32] = { "fixed_length_utf32", 0, 4, VVI_KIND_TEXT },
    [VV_NULL_TERMINATED_BYTES] = { "null_terminated_bytes", 0, 1, VVI_KIND_TEXT },
    [VV_DATETIME64] = { "numpy.datetime64", 8, 8, VVI_KIND_TIME },
    [VV_TIMEDELTA64] = { "numpy.timedelta64", 8, 8, VVI_KIND_TIME },
    [VV_STRING] = { "string", sizeof(vv_bytes), 1, VVI_KIND_VARIABLE },
    [VV_BYTES] = { "bytes", sizeof(vv_bytes), 1, VVI_KIND_VARIABLE },
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static const dtype_row *row_of(vv_dtype dtype)
{
    return (int)dtype > 0 && (size_t)dtype < ROW_COUNT ? &rows[dtype] : NULL;
}

size_t vv_dtype_size(vv_dtype dtype)
{
    const dtype_row *row = row_of(dtype);

    return row ? row->size : 0;
}

const char *vv_dtype_name(vv_dtype dtype)
{
    const dtype_row *row = row_of(dtype);

    return row ? row->name : NULL;
}

vv_dtype vv_dtype_by_name(const char *name)
{
    for (size_t i = 1; name && i < ROW_COUNT; i++)
        if (strcmp(rows[i].name, name) == 0)
            return (vv_dtype)i;
    return VV_DTYPE_NONE;
}

bool vv_dtype_is_variable(vv_dtype dtype)
{
    const dtype_row *row = row_of(dtype);

    return row && row->kind == VVI_KIND_VARIABLE;
}

bool vvi_dtype_init(vv_dtype code, vvi_dtype *out)
{
    const dtype_row *row = row_of(code);

    if (!row || row->size == 0 || row->kind == VVI_KIND_TIME)
        return false;
    *out = (vvi_dtype){ .code = code,
                        .kind = (vvi_dtype_kind)row->kind,
                        .item = row->size,
                        .word = row->word };
    return true;
}

static bool is_fixed(const dtype_row *row)
{
    return row->size == 0;
}

/* What readers of today know: zarr-python's names for raw bits and for bytes of any length. */
static const char *written_name(vv_dtype code)
{
    return code == VV_RAW     ? "raw_bytes"
           : code == VV_BYTES ? "variable_length_bytes"
                              : rows[code].name;
}

/* A type of the table with its parameters; scale 0 and unit NULL where there are none. */
static vv_status set_parameters(vv_dtype code, uint64_t item, const char *unit,
                                uint64_t scale, vvi_dtype *out, vv_error *err)
{
    const dtype_row *row = &rows[code];

    if (is_fixed(row) && (item == 0 || item % row->word))
        return vvi_fail(err, VV_EINVAL, "%s of %" PRIu64 " bytes", written_name(code),
                        item);
    if (is_fixed(row) && item > VVI_ITEM_BYTES_MAX)
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "%s of %" PRIu64 " bytes; at most %d are handled",
                        written_name(code), item, VVI_ITEM_BYTES_MAX);
    *out = (vvi_dtype){ .code = code,
                        .kind = (vvi_dtype_kind)row->kind,
                        .item = is_fixed(row) ? (size_t)item : row->size,
                        .word = row->word };
    if (row->kind != VVI_KIND_TIME)
        return VV_OK;
    if (!vvi_time_unit_by_name(unit, &out->unit))
        return vvi_fail(err, VV_EINVAL, "%s in the unit '%.40s', which is none",
                        row->name, unit);
    if (scale == 0 || scale > INT32_MAX)
        return vvi_fail(err, VV_EINVAL,
                        "%s with a scale of %" PRIu64 ", not 1 to 2^31 - 1", row->name,
                        scale);
    out->scale = (uint32_t)scale;
    return VV_OK;
}

vv_status vvi_dtype_make(vv_dtype code, size_t item, const char *unit, uint32_t scale,
                         vvi_dtype *out, vv_error *err)
{
    const dtype_row *row = row_of(code);
    bool timed = row && row->kind == VVI_KIND_TIME;
    vv_status status;

    if (!row)
        return vvi_fail(err, VV_EINVAL, "member 'dtype': %d is none", (int)code);
    if (!is_fixed(row) && item && item != row->size)
        return vvi_fail(err, VV_EINVAL, "member 'item_size': %s has %d bytes, not %zu",
                        row->name, row->size, item);
    if (!timed && (unit || scale))
        return vvi_fail(err, VV_EINVAL, "member 'time_unit': %s has none", row->name);
    status = set_parameters(code, item, unit ? unit : "generic", scale ? scale : 1, out,
                            err);
    return status
               ? vvi_wrap(err, status, "member '%s'", timed ? "time_unit" : "item_size")
               : VV_OK;
}

/* ---- the member "data_type" ------------------------------------------------------------------ */

static vv_status unknown(const char *name, vv_error *err)
{
    return vvi_fail(err, VV_EUNSUPPORTED, "data_type '%s' is not known to this build",
                    name);
}

/* "r24": the bits of an element behind the letter. */
static bool read_raw_name(const char *name, uint64_t *item)
{
    size_t digits = strspn(name + 1, "0123456789");
    uint64_t bits = 0;

    if (name[0] != 'r' || digits == 0 || digits > 12 || name[1] == '0' ||
        name[1 + digits] != '\0')
        return false;
    for (const char *at = name + 1; *at; at++)
        bits = bits * 10 + (uint64_t)(*at - '0');
    *item = bits / 8;
    return bits % 8 == 0;
}

/* The types by the names of metadata, which are not all those of the table. */
static vv_dtype code_of(const char *name)
{
    if (strcmp(name, "raw_bytes") == 0)
        return VV_RAW;
    if (strcmp(name, "variable_length_bytes") == 0)
        return VV_BYTES;
    return *name == 'r' ? VV_DTYPE_NONE : vv_dtype_by_name(name);
}

/* The settings hold these members and no others. */
static vv_status check_settings(const char *name, const vvi_json *settings,
                                const char *first, const char *second, vv_error *err)
{
    for (const vvi_json *m = vvi_json_first(settings); m; m = vvi_json_next(m)) {
        const char *member = vvi_json_name(m);

        if (!(first && strcmp(member, first) == 0) &&
            !(second && strcmp(member, second) == 0))
            return vvi_fail(err, VV_EUNSUPPORTED,
                            "data_type '%s' with a configuration '%s'", name, member);
    }
    return VV_OK;
}

static vv_status read_settings(const char *name, vv_dtype code, const vvi_json *settings,
                               vvi_dtype *out, vv_error *err)
{
    const vvi_json *unit = vvi_json_get(settings, "unit");
    const vvi_json *scale = vvi_json_get(settings, "scale_factor");
    const vvi_json *length = vvi_json_get(settings, "length_bytes");
    uint64_t number = 0;
    vv_status status;

    if (rows[code].kind == VVI_KIND_TIME) {
        VVI_TRY(check_settings(name, settings, "unit", "scale_factor", err));
        if (!vvi_json_text(unit, NULL) || !vvi_json_uint64(scale, &number))
            return vvi_fail(err, VV_ECORRUPT,
                            "data_type '%s' without a unit and a scale_factor", name);
    } else if (is_fixed(&rows[code])) {
        VVI_TRY(check_settings(name, settings, "length_bytes", NULL, err));
        if (!vvi_json_uint64(length, &number))
            return vvi_fail(err, VV_ECORRUPT, "data_type '%s' without a length_bytes",
                            name);
    } else {
        VVI_TRY(check_settings(name, settings, NULL, NULL, err));
    }
    status = set_parameters(code, number, vvi_json_text(unit, NULL), number, out, err);
    return status ? vvi_wrap(err, status == VV_EINVAL ? VV_ECORRUPT : status, "data_type")
                  : VV_OK;
}

vv_status vvi_dtype_read(const vvi_json *value, vvi_dtype *out, vv_error *err)
{
    const vvi_json *settings = vvi_json_get(value, "configuration");
    const char *name = vvi_json_text(value, NULL);
    uint64_t item;
    vv_dtype code;

    if (!name)
        name = vvi_json_text(vvi_json_get(value, "name"), NULL);
    if (!name)
        return vvi_fail(err, VV_ECORRUPT,
                        "member 'data_type' is %s, not a name or an object with one",
                        vvi_json_kind_name(value));
    if (settings && !vvi_json_is(settings, VVI_JSON_OBJECT) &&
        !vvi_json_is(settings, VVI_JSON_NULL))
        return vvi_fail(err, VV_ECORRUPT,
                        "member 'data_type': its configuration is %s, not an object",
                        vvi_json_kind_name(settings));
    code = code_of(name);
    if (code)
        return read_settings(name, code, settings, out, err);
    if (!read_raw_name(name, &item))
        return unknown(name, err);
    VVI_TRY(check_settings(name, settings, NULL, NULL, err));
    vv_status status = set_parameters(VV_RAW, item, NULL, 0, out, err);
    return status ? vvi_wrap(err, status == VV_EINVAL ? VV_ECORRUPT : status, "data_type")
                  : VV_OK;
}

static vv_status write_settings(const vvi_dtype *dtype, vvi_json *value, vv_error *err)
{
    vvi_json *settings = vvi_json_new(VVI_JSON_OBJECT);

    VVI_TRY(
        vvi_json_set(value, "name", vvi_json_new_text(written_name(dtype->code)), err));
    VVI_TRY(vvi_json_set(value, "configuration", settings, err));
    if (dtype->kind != VVI_KIND_TIME)
        return vvi_json_set(settings, "length_bytes", vvi_json_new_uint64(dtype->item),
                            err);
    VVI_TRY(vvi_json_set(settings, "unit",
                         vvi_json_new_text(vvi_time_unit_name(dtype->unit)), err));
    return vvi_json_set(settings, "scale_factor", vvi_json_new_uint64(dtype->scale), err);
}

vv_status vvi_dtype_write(const vvi_dtype *dtype, vvi_json **out, vv_error *err)
{
    bool plain = dtype->kind != VVI_KIND_TIME && !is_fixed(&rows[dtype->code]);
    vvi_json *value = plain ? vvi_json_new_text(written_name(dtype->code))
                            : vvi_json_new(VVI_JSON_OBJECT);
    vv_status status;

    if (!value)
        return vvi_fail_nomem(err, 0);
    status = plain ? VV_OK : write_settings(dtype, value, err);
    if (status)
        vvi_json_free(value);
    else
        *out = value;
    return status;
}

bool vvi_elements_equal(const vvi_dtype *dtype, const void *elements, size_t n,
                        const void *element)
{
    const vv_bytes *texts = elements;
    const vv_bytes *text = element;

    if (dtype->kind != VVI_KIND_VARIABLE)
        return vvi_all_equal(elements, n, dtype->item, element);
    for (size_t i = 0; i < n; i++)
        if (texts[i].len != text->len ||
            (text->len && memcmp(texts[i].data, text->data, text->len) != 0))
            return false;
    return true;
}
