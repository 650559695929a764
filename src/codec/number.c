#include "codec/number.h"

#include <math.h>
#include <string.h>

bool vvi_is_integer(const vvi_dtype *dtype)
{
    return dtype->kind == VVI_KIND_INT || dtype->kind == VVI_KIND_UINT ||
           dtype->kind == VVI_KIND_TIME;
}

bool vvi_is_real(const vvi_dtype *dtype)
{
    return vvi_is_integer(dtype) || dtype->kind == VVI_KIND_FLOAT;
}

/* ---- blocks -------------------------------------------------------------------------------- */

#define LOAD_AS(type_, make_)                              \
    for (size_t i = 0; i < n; i++) {                       \
        type_ v;                                           \
        memcpy(&v, in + i * sizeof(type_), sizeof(type_)); \
        out[i] = make_;                                    \
    }                                                      \
    return

#define STORE_AS(type_, make_)                              \
    for (size_t i = 0; i < n; i++) {                        \
        type_ v = (type_)(make_);                           \
        memcpy(out + i * sizeof(type_), &v, sizeof(type_)); \
    }                                                       \
    return

void vvi_load_doubles(const vvi_dtype *dtype, const uint8_t *in, size_t n, double *out)
{
    bool is_signed = dtype->kind != VVI_KIND_UINT;

    if (dtype->kind == VVI_KIND_FLOAT) {
        if (dtype->item == 8) {
            memcpy(out, in, n * sizeof(double));
            return;
        }
        if (dtype->item == 4) {
            LOAD_AS(float, (double)v);
        }
        if (dtype->code == VV_BFLOAT16) {
            LOAD_AS(uint16_t, vvi_bfloat_to_double(v));
        }
        LOAD_AS(uint16_t, vvi_half_to_double(v));
    }
    switch (dtype->item) {
    case 1:
        if (is_signed) {
            LOAD_AS(int8_t, (double)v);
        }
        LOAD_AS(uint8_t, (double)v);
    case 2:
        if (is_signed) {
            LOAD_AS(int16_t, (double)v);
        }
        LOAD_AS(uint16_t, (double)v);
    case 4:
        if (is_signed) {
            LOAD_AS(int32_t, (double)v);
        }
        LOAD_AS(uint32_t, (double)v);
    default:
        if (is_signed) {
            LOAD_AS(int64_t, (double)v);
        }
        LOAD_AS(uint64_t, (double)v);
    }
}

/* Towards zero; out of range and NaN: the least int64, as the machines that NumPy runs on do. */
static uint64_t bits_of_double(double number)
{
    if (number >= -9223372036854775808.0 && number < 9223372036854775808.0)
        return (uint64_t)(int64_t)number;
    if (number >= 0 && number < 18446744073709551616.0)
        return (uint64_t)number;
    return (uint64_t)INT64_MIN;
}

void vvi_store_doubles(const vvi_dtype *dtype, const double *in, size_t n, uint8_t *out)
{
    if (dtype->kind == VVI_KIND_FLOAT) {
        if (dtype->item == 8) {
            memcpy(out, in, n * sizeof(double));
            return;
        }
        if (dtype->item == 4) {
            STORE_AS(float, in[i]);
        }
        if (dtype->code == VV_BFLOAT16) {
            STORE_AS(uint16_t, vvi_bfloat_from_double(in[i]));
        }
        STORE_AS(uint16_t, vvi_half_from_double(in[i]));
    }
    if (dtype->kind == VVI_KIND_BOOL) {
        STORE_AS(uint8_t, in[i] != 0);
    }
    switch (dtype->item) {
    case 1:
        STORE_AS(uint8_t, bits_of_double(in[i]));
    case 2:
        STORE_AS(uint16_t, bits_of_double(in[i]));
    case 4:
        STORE_AS(uint32_t, bits_of_double(in[i]));
    default:
        STORE_AS(uint64_t, bits_of_double(in[i]));
    }
}

void vvi_load_integers(const vvi_dtype *dtype, const uint8_t *in, size_t n, uint64_t *out)
{
    bool is_signed = dtype->kind == VVI_KIND_INT || dtype->kind == VVI_KIND_TIME;

    switch (dtype->item) {
    case 1:
        if (is_signed) {
            LOAD_AS(int8_t, (uint64_t)v);
        }
        if (dtype->kind == VVI_KIND_BOOL) {
            LOAD_AS(uint8_t, v != 0);
        }
        LOAD_AS(uint8_t, v);
    case 2:
        if (is_signed) {
            LOAD_AS(int16_t, (uint64_t)v);
        }
        LOAD_AS(uint16_t, v);
    case 4:
        if (is_signed) {
            LOAD_AS(int32_t, (uint64_t)v);
        }
        LOAD_AS(uint32_t, v);
    default:
        memcpy(out, in, n * sizeof(*out));
    }
}

void vvi_store_integers(const vvi_dtype *dtype, const uint64_t *in, size_t n,
                        uint8_t *out)
{
    switch (dtype->item) {
    case 1:
        if (dtype->kind == VVI_KIND_BOOL) {
            STORE_AS(uint8_t, in[i] != 0);
        }
        STORE_AS(uint8_t, in[i]);
    case 2:
        STORE_AS(uint16_t, in[i]);
    case 4:
        STORE_AS(uint32_t, in[i]);
    default:
        memcpy(out, in, n * sizeof(*in));
    }
}

static void cast_block(const vvi_dtype *from, const vvi_dtype *to, const uint8_t *in,
                       size_t n, uint8_t *out)
{
    union {
        double real[VVI_BLOCK];
        uint64_t bits[VVI_BLOCK];
    } u;

    if (from->kind == VVI_KIND_FLOAT || from->kind == VVI_KIND_BOOL ||
        (to->kind == VVI_KIND_FLOAT && (from->item < 8 || to->item == 8))) {
        vvi_load_doubles(from, in, n, u.real);
        vvi_store_doubles(to, u.real, n, out);
        return;
    }
    vvi_load_integers(from, in, n, u.bits);
    if (to->kind != VVI_KIND_FLOAT) {
        vvi_store_integers(to, u.bits, n, out);
        return;
    }
    /* 64-bit integers to shorter floats: rounded once, not by way of double. */
    for (size_t i = 0; i < n; i++) {
        float single = from->kind == VVI_KIND_UINT ? (float)u.bits[i]
                                                   : (float)(int64_t)u.bits[i];

        u.real[i] = (double)single;
    }
    vvi_store_doubles(to, u.real, n, out);
}

void vvi_cast_elements(const vvi_dtype *from, const vvi_dtype *to, const uint8_t *in,
                       size_t n, uint8_t *out)
{
    if (from->code == to->code) {
        memcpy(out, in, n * from->item);
        return;
    }
    while (n) {
        size_t part = n < VVI_BLOCK ? n : VVI_BLOCK;

        cast_block(from, to, in, part, out);
        in += part * from->item;
        out += part * to->item;
        n -= part;
    }
}

double vvi_round_to(const vvi_dtype *dtype, double number)
{
    if (dtype->kind != VVI_KIND_FLOAT || dtype->item == 8)
        return number;
    if (dtype->item == 4)
        return (double)(float)number;
    if (dtype->code == VV_BFLOAT16)
        return vvi_bfloat_to_double(vvi_bfloat_from_double(number));
    return vvi_half_to_double(vvi_half_from_double(number));
}

/* ---- NumPy's names -------------------------------------------------------------------------- */

static const struct {
    const char *name;
    vv_dtype code;
} numpy_types[] = {
    { "|b1", VV_BOOL },    { "|i1", VV_INT8 },    { "<i2", VV_INT16 },
    { "<i4", VV_INT32 },   { "<i8", VV_INT64 },   { "|u1", VV_UINT8 },
    { "<u2", VV_UINT16 },  { "<u4", VV_UINT32 },  { "<u8", VV_UINT64 },
    { "<f2", VV_FLOAT16 }, { "<f4", VV_FLOAT32 }, { "<f8", VV_FLOAT64 },
};
#define NUMPY_TYPES (sizeof(numpy_types) / sizeof(numpy_types[0]))

const char *vvi_numpy_name(const vvi_dtype *dtype)
{
    for (size_t i = 0; i < NUMPY_TYPES; i++)
        if (numpy_types[i].code == dtype->code)
            return numpy_types[i].name;
    return NULL;
}

/* "<f4", "f4", "float32"; times are counted as the integers they are. */
static vv_dtype numpy_code(const char *text)
{
    const char *brief = strchr("<>=|", *text) && *text ? text + 1 : text;

    if (strncmp(brief, "M8", 2) == 0 || strncmp(brief, "m8", 2) == 0)
        return VV_INT64;
    for (size_t i = 0; i < NUMPY_TYPES; i++)
        if (strcmp(numpy_types[i].name + 1, brief) == 0 ||
            strcmp(vv_dtype_name(numpy_types[i].code), text) == 0)
            return numpy_types[i].code;
    return VV_DTYPE_NONE;
}

vv_status vvi_codec_numpy_type(const vvi_codec *self, const vvi_json *settings,
                               const char *name, const vvi_dtype *otherwise,
                               vvi_dtype *out, vv_error *err)
{
    const vvi_json *value = vvi_json_get(settings, name);
    const char *text = vvi_json_text(value, NULL);

    *out = *otherwise;
    if (!value || vvi_json_is(value, VVI_JSON_NULL))
        return VV_OK;
    if (!text)
        return vvi_fail(err, VV_ECORRUPT, "codec %s: '%s' is %s, not a type's name",
                        self->name, name, vvi_json_kind_name(value));
    if (!vvi_dtype_init(numpy_code(text), out))
        return vvi_fail(err, VV_EUNSUPPORTED, "codec %s: '%s' is '%s'", self->name, name,
                        text);
    return VV_OK;
}

void vvi_stage_cast(vvi_codec_stage *stage, const vvi_dtype *dtype)
{
    uint8_t old[16];

    if (stage->array.fill) {
        memcpy(old, stage->array.fill, stage->array.dtype.item);
        vvi_cast_elements(&stage->array.dtype, dtype, old, 1, stage->fill);
        stage->array.fill = stage->fill;
    }
    stage->array.dtype = *dtype;
}
