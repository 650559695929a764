#include "stats/decode.h"

#include "dtype/dtype.h"
#include "util/base64.h"
#include "util/endian.h"
#include "json/json.h"

#include <math.h>
#include <string.h>

vvi_number_kind vvi_number_kind_of(vv_dtype dtype)
{
    switch (dtype) {
    case VV_BOOL:
    case VV_INT8:
    case VV_INT16:
    case VV_INT32:
    case VV_INT64:
    case VV_DATETIME64:
    case VV_TIMEDELTA64:
        return VVI_NUMBER_SINT;
    case VV_UINT8:
    case VV_UINT16:
    case VV_UINT32:
    case VV_UINT64:
        return VVI_NUMBER_UINT;
    case VV_FLOAT16:
    case VV_FLOAT32:
    case VV_FLOAT64:
    case VV_BFLOAT16:
        return VVI_NUMBER_REAL;
    case VV_COMPLEX64:
    case VV_COMPLEX128:
        return VVI_NUMBER_COMPLEX;
    default:
        return VVI_NUMBER_NONE;
    }
}

static bool is_time(vv_dtype dtype)
{
    return dtype == VV_DATETIME64 || dtype == VV_TIMEDELTA64;
}

bool vv_dtype_is_number(vv_dtype dtype)
{
    return vvi_number_kind_of(dtype) != VVI_NUMBER_NONE && !is_time(dtype);
}

/* ---- attributes ------------------------------------------------------------------------------ */

/* xarray writes _FillValue of floats as base64 of a little-endian double. */
static vv_status base64_double(const char *text, size_t len, double *out, bool *good,
                               vv_error *err)
{
    vv_buf bytes = VV_BUF_INIT;
    uint64_t bits;
    vv_status status = vvi_base64_decode(text, len, &bytes, err);

    *good = !status && bytes.len == sizeof(bits);
    if (*good) {
        bits = vvi_get_le64(bytes.data);
        memcpy(out, &bits, sizeof(*out));
    }
    vv_buf_clear(&bytes);
    return status == VV_ENOMEM ? status : VV_OK;
}

static vv_status real_of(const vvi_json *value, double *out, bool *good, vv_error *err)
{
    size_t len;
    const char *text = vvi_json_text(value, &len);

    *good = vvi_json_double(value, out) || (text && vvi_double_parse(text, out));
    return *good || !text ? VV_OK : base64_double(text, len, out, good, err);
}

/* To what the element type holds: 1e20 in a float32 is not 1e20. */
static double rounded_to(vv_dtype dtype, double number)
{
    if (dtype == VV_FLOAT16)
        return vvi_half_to_double(vvi_half_from_double(number));
    if (dtype == VV_FLOAT32 || dtype == VV_BFLOAT16 || dtype == VV_COMPLEX64)
        return fabs(number) > 3.4028235677973366e38 ? copysign(HUGE_VAL, number)
                                                    : (double)(float)number;
    return number;
}

/* A missing value, which the attribute may state in another type than the elements have. */
static vv_status add_missing(vvi_decoding *self, const vvi_json *value, vv_error *err)
{
    vvi_number number = { 0 };
    double real = 0;
    bool good;

    VVI_TRY(real_of(value, &real, &good, err));
    if (self->kind == VVI_NUMBER_SINT || self->kind == VVI_NUMBER_UINT) {
        bool is_signed = self->kind == VVI_NUMBER_SINT;
        bool whole = is_signed ? vvi_json_int64(value, &number.sint)
                               : vvi_json_uint64(value, &number.uint);
        if (!whole && good && real == floor(real) && fabs(real) < 9e15 &&
            (is_signed || real >= 0)) {
            whole = true;
            if (is_signed)
                number.sint = (int64_t)real;
            else
                number.uint = (uint64_t)real;
        }
        good = whole;
    } else {
        number.real = rounded_to(self->dtype, real);
        good = good && !isnan(real);
    }
    if (good && self->missing_count < VVI_MISSING_MAX)
        self->missing[self->missing_count++] = number;
    return VV_OK;
}

static vv_status read_missing(vvi_decoding *self, const vvi_json *attributes,
                              const char *name, vv_error *err)
{
    const vvi_json *value = vvi_json_get(attributes, name);

    if (!vvi_json_is(value, VVI_JSON_ARRAY))
        return value ? add_missing(self, value, err) : VV_OK;
    for (const vvi_json *item = vvi_json_first(value); item; item = vvi_json_next(item))
        VVI_TRY(add_missing(self, item, err));
    return VV_OK;
}

/* scale_factor and add_offset are one number; some writers put it into a list. */
static bool read_factor(const vvi_json *attributes, const char *name, double *out)
{
    const vvi_json *value = vvi_json_get(attributes, name);
    double number;

    if (vvi_json_is(value, VVI_JSON_ARRAY) && vvi_json_count(value) == 1)
        value = vvi_json_first(value);
    if (!vvi_json_double(value, &number) || !isfinite(number))
        return false;
    *out = number;
    return true;
}

vv_status vvi_decoding_init(vvi_decoding *decoding, const vv_array_meta *meta,
                            vv_error *err)
{
    vvi_json *attributes = NULL;

    *decoding = (vvi_decoding){ .dtype = meta->dtype,
                                .kind = vvi_number_kind_of(meta->dtype),
                                .scale = 1 };
    if (decoding->kind == VVI_NUMBER_NONE)
        return vvi_fail(err, VV_EUNSUPPORTED, "its type, %s, has no numbers",
                        vv_dtype_name(meta->dtype) ? vv_dtype_name(meta->dtype) : "none");
    if (is_time(meta->dtype)) /* NaT */
        decoding->missing[decoding->missing_count++].sint = INT64_MIN;
    if (!meta->attributes)
        return VV_OK;
    VVI_TRY(vvi_json_parse(vv_bytes_of(meta->attributes), &attributes, err));
    vv_status status = read_missing(decoding, attributes, "_FillValue", err);
    if (!status)
        status = read_missing(decoding, attributes, "missing_value", err);
    if (meta->dtype != VV_BOOL) {
        bool scaled = read_factor(attributes, "scale_factor", &decoding->scale);
        bool moved = read_factor(attributes, "add_offset", &decoding->offset);
        decoding->packed = scaled || moved;
    }
    vvi_json_free(attributes);
    return status;
}

/* ---- elements -------------------------------------------------------------------------------- */

#define AT(type_) \
    type_ value;  \
    memcpy(&value, (const uint8_t *)elements + i * sizeof(value), sizeof(value))

static bool is_missing_sint(const vvi_decoding *self, int64_t value)
{
    for (size_t i = 0; i < self->missing_count; i++) {
        if (self->missing[i].sint == value)
            return true;
    }
    return false;
}

static bool is_missing_uint(const vvi_decoding *self, uint64_t value)
{
    for (size_t i = 0; i < self->missing_count; i++) {
        if (self->missing[i].uint == value)
            return true;
    }
    return false;
}

static bool is_missing_real(const vvi_decoding *self, double value)
{
    for (size_t i = 0; i < self->missing_count; i++) {
        if (self->missing[i].real == value)
            return true;
    }
    return false;
}

#define TAKE_INTEGERS(name_, type_, member_)                                             \
    static size_t take_##name_(const vvi_decoding *self, const void *elements, size_t n, \
                               vvi_number *out)                                          \
    {                                                                                    \
        size_t taken = 0;                                                                \
                                                                                         \
        for (size_t i = 0; i < n; i++) {                                                 \
            AT(type_);                                                                   \
            if (!self->missing_count || !is_missing_##member_(self, value))              \
                out[taken++].member_ = value;                                            \
        }                                                                                \
        return taken;                                                                    \
    }

TAKE_INTEGERS(int8, int8_t, sint)
TAKE_INTEGERS(int16, int16_t, sint)
TAKE_INTEGERS(int32, int32_t, sint)
TAKE_INTEGERS(int64, int64_t, sint)
TAKE_INTEGERS(uint8, uint8_t, uint)
TAKE_INTEGERS(uint16, uint16_t, uint)
TAKE_INTEGERS(uint32, uint32_t, uint)
TAKE_INTEGERS(uint64, uint64_t, uint)

static size_t take_bool(const void *elements, size_t n, vvi_number *out)
{
    for (size_t i = 0; i < n; i++)
        out[i].sint = ((const uint8_t *)elements)[i] != 0;
    return n;
}

static double real_at(vv_dtype dtype, const void *elements, size_t i)
{
    if (dtype == VV_FLOAT16) {
        AT(uint16_t);
        return vvi_half_to_double(value);
    }
    if (dtype == VV_BFLOAT16) {
        AT(uint16_t);
        uint32_t bits = (uint32_t)value << 16;
        float single;
        memcpy(&single, &bits, sizeof(single));
        return (double)single;
    }
    if (dtype == VV_FLOAT32 || dtype == VV_COMPLEX64) {
        AT(float);
        return (double)value;
    }
    AT(double);
    return value;
}

static size_t take_reals(const vvi_decoding *self, const void *elements, size_t n,
                         vvi_number *out, vvi_left_out *left_out)
{
    size_t taken = 0;

    for (size_t i = 0; i < n; i++) {
        double value = real_at(self->dtype, elements, i);
        if (isnan(value)) {
            left_out->nan++;
            left_out->missing++;
        } else if (self->missing_count && is_missing_real(self, value)) {
            left_out->missing++;
        } else if (isinf(value)) {
            left_out->infinite++;
        } else {
            out[taken++].real = value;
        }
    }
    return taken;
}

static size_t take_complex(const vvi_decoding *self, const void *elements, size_t n,
                           vvi_number *out, vvi_left_out *left_out)
{
    size_t taken = 0;

    for (size_t i = 0; i < n; i++) {
        double real = real_at(self->dtype, elements, 2 * i);
        double imaginary = real_at(self->dtype, elements, 2 * i + 1);
        if (isnan(real) || isnan(imaginary)) {
            left_out->nan++;
            left_out->missing++;
        } else if (isinf(real) || isinf(imaginary)) {
            left_out->infinite++;
        } else {
            out[taken++].real = real;
            out[taken++].real = imaginary;
        }
    }
    return taken;
}

size_t vvi_decode_finite(const vvi_decoding *decoding, const void *elements, size_t n,
                         vvi_number *out, vvi_left_out *left_out)
{
    size_t taken = 0;

    switch (decoding->dtype) {
    case VV_BOOL:
        return take_bool(elements, n, out);
    case VV_INT8:
        taken = take_int8(decoding, elements, n, out);
        break;
    case VV_INT16:
        taken = take_int16(decoding, elements, n, out);
        break;
    case VV_INT32:
        taken = take_int32(decoding, elements, n, out);
        break;
    case VV_INT64:
    case VV_DATETIME64:
    case VV_TIMEDELTA64:
        taken = take_int64(decoding, elements, n, out);
        break;
    case VV_UINT8:
        taken = take_uint8(decoding, elements, n, out);
        break;
    case VV_UINT16:
        taken = take_uint16(decoding, elements, n, out);
        break;
    case VV_UINT32:
        taken = take_uint32(decoding, elements, n, out);
        break;
    case VV_UINT64:
        taken = take_uint64(decoding, elements, n, out);
        break;
    case VV_COMPLEX64:
    case VV_COMPLEX128:
        return take_complex(decoding, elements, n, out, left_out);
    default:
        return take_reals(decoding, elements, n, out, left_out);
    }
    left_out->missing += n - taken;
    return taken;
}

double vvi_number_double(const vvi_decoding *decoding, vvi_number number)
{
    return decoding->kind == VVI_NUMBER_SINT   ? (double)number.sint
           : decoding->kind == VVI_NUMBER_UINT ? (double)number.uint
                                               : number.real;
}

/* One element, missing or not; *missing says which. */
static double double_at(const vvi_decoding *self, const uint8_t *element, bool *missing)
{
    vvi_number number;
    vvi_left_out left_out = { 0, 0, 0 };

    if (self->kind == VVI_NUMBER_REAL) {
        double value = real_at(self->dtype, element, 0);
        *missing = isnan(value) || is_missing_real(self, value);
        return value;
    }
    *missing = vvi_decode_finite(self, element, 1, &number, &left_out) == 0;
    return vvi_number_double(self, number);
}

void vvi_decode_doubles(const vvi_decoding *decoding, const void *elements, size_t n,
                        double *out)
{
    size_t size = vv_dtype_size(decoding->dtype);

    for (size_t i = 0; i < n; i++) {
        bool missing;
        double value = double_at(decoding, (const uint8_t *)elements + i * size,
                                 &missing);
        out[i] = missing ? (double)NAN : value * decoding->scale + decoding->offset;
    }
}

void vvi_number_element(const vvi_decoding *decoding, vvi_number number, void *out)
{
    uint16_t half;
    uint32_t int32;
    uint8_t int8;
    float single;

    /* A signed number cut to fewer bits is the unsigned one cut: both read the same memory. */
    switch (decoding->dtype) {
    case VV_BOOL:
    case VV_INT8:
    case VV_UINT8:
        int8 = (uint8_t)number.uint;
        memcpy(out, &int8, sizeof(int8));
        break;
    case VV_INT16:
    case VV_UINT16:
        half = (uint16_t)number.uint;
        memcpy(out, &half, sizeof(half));
        break;
    case VV_INT32:
    case VV_UINT32:
        int32 = (uint32_t)number.uint;
        memcpy(out, &int32, sizeof(int32));
        break;
    case VV_FLOAT16:
        half = vvi_half_from_double(number.real);
        memcpy(out, &half, sizeof(half));
        break;
    case VV_FLOAT32:
    case VV_BFLOAT16:
        single = (float)number.real;
        memcpy(&int32, &single, sizeof(single));
        half = (uint16_t)(int32 >> 16);
        if (decoding->dtype == VV_BFLOAT16)
            memcpy(out, &half, sizeof(half));
        else
            memcpy(out, &single, sizeof(single));
        break;
    default:
        memcpy(out, &number, sizeof(number));
        break;
    }
}
