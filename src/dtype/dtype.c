/* Element types: one table. */
#include "dtype/dtype.h"

#include "grid/grid.h"

#include <math.h>
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

vv_status vvi_dtype_make(vv_dtype code, size_t item, const char *unit, uint32_t scale,
                         vvi_dtype *out, vv_error *err)
{
    if (!row_of(code))
        return vvi_fail(err, VV_EINVAL, "member 'dtype': %d is none", (int)code);
    if (!vvi_dtype_init(code, out) || out->kind == VVI_KIND_VARIABLE)
        return vvi_fail(err, VV_EUNSUPPORTED, "member 'dtype': %s", vv_dtype_name(code));
    if (item && item != out->item)
        return vvi_fail(err, VV_EINVAL, "member 'item_size': %s has %zu bytes, not %zu",
                        vv_dtype_name(code), out->item, item);
    if (unit || scale)
        return vvi_fail(err, VV_EINVAL, "member 'time_unit': %s has none",
                        vv_dtype_name(code));
    return VV_OK;
}

vv_status vvi_dtype_read(const vvi_json *value, vvi_dtype *out, vv_error *err)
{
    const vvi_json *settings = vvi_json_get(value, "configuration");
    const char *name = vvi_json_text(value, NULL);

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
    if (!vvi_dtype_init(vv_dtype_by_name(name), out) || out->kind == VVI_KIND_VARIABLE)
        return vvi_fail(err, VV_EUNSUPPORTED, "data_type '%s' is not known to this build",
                        name);
    if (vvi_json_count(settings))
        return vvi_fail(err, VV_EUNSUPPORTED, "data_type '%s' with a configuration",
                        name);
    return VV_OK;
}

vv_status vvi_dtype_write(const vvi_dtype *dtype, vvi_json **out, vv_error *err)
{
    *out = vvi_json_new_text(vv_dtype_name(dtype->code));
    return *out ? VV_OK : vvi_fail_nomem(err, 0);
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

/* ---- float16: a sign, 5 bits of exponent (bias 15), 10 of fraction --------------------------- */

double vvi_half_to_double(uint16_t bits)
{
    int exponent = bits >> 10 & 0x1F;
    int fraction = bits & 0x3FF;
    double number;

    if (exponent == 0x1F)
        number = fraction ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        number = ldexp(fraction, -24);
    else
        number = ldexp(fraction + 1024, exponent - 25);
    return bits & 0x8000 ? -number : number;
}

uint16_t vvi_half_from_double(double number)
{
    uint16_t sign = signbit(number) ? 0x8000 : 0;
    double size = fabs(number);
    int exponent;
    int fraction;

    if (isnan(number))
        return (uint16_t)(sign | 0x7E00);
    if (size >= 65520) /* halfway from the largest to the next */
        return (uint16_t)(sign | 0x7C00);
    if (size < ldexp(1, -14)) /* subnormal; 1024 of them make the smallest normal one */
        return (uint16_t)(sign | (int)rint(ldexp(size, 24)));
    (void)frexp(size, &exponent);
    exponent--;
    fraction = (int)rint(ldexp(size, 10 - exponent));
    /* A fraction that rounds up to 2048 carries into the exponent, as it should. */
    return (uint16_t)(sign | (((exponent + 15) << 10) + fraction - 1024));
}
