/* Fill values: JSON ↔ one element. */
#include "dtype/dtype.h"

#include "util/base64.h"
#include "util/buf.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static vv_status refuse(const vvi_dtype *dtype, const vvi_json *value, vv_error *err)
{
    return vvi_fail(err, VV_ECORRUPT, "fill_value is %s that is no %s",
                    vvi_json_kind_name(value), vv_dtype_name(dtype->code));
}

/* Put the low size bytes of number where an integer of that size is. */
static void store_bits(uint64_t number, size_t size, void *out)
{
    uint8_t one = (uint8_t)number;
    uint16_t two = (uint16_t)number;
    uint32_t four = (uint32_t)number;

    memcpy(out,
           size == 1   ? (void *)&one
           : size == 2 ? (void *)&two
           : size == 4 ? (void *)&four
                       : (void *)&number,
           size);
}

static uint64_t load_bits(const void *in, size_t size)
{
    uint8_t one;
    uint16_t two;
    uint32_t four;
    uint64_t eight;

    switch (size) {
    case 1:
        memcpy(&one, in, 1);
        return one;
    case 2:
        memcpy(&two, in, 2);
        return two;
    case 4:
        memcpy(&four, in, 4);
        return four;
    default:
        memcpy(&eight, in, 8);
        return eight;
    }
}

/* ---- reading ------------------------------------------------------------------------------- */

/* "0x" and exactly as many digits as the element has; the most significant first. */
static bool read_hex(const vvi_json *value, size_t size, uint64_t *out)
{
    size_t len;
    const char *text = vvi_json_text(value, &len);

    if (!text || len != 2 + 2 * size || text[0] != '0' ||
        (text[1] != 'x' && text[1] != 'X') ||
        strspn(text + 2, "0123456789abcdefABCDEF") != 2 * size)
        return false;
    *out = strtoull(text + 2, NULL, 16);
    return true;
}

/* The type of a complex element's halves; of others their own. */
static vv_dtype part_of(const vvi_dtype *dtype)
{
    return dtype->kind != VVI_KIND_COMPLEX ? dtype->code
           : dtype->word == 4              ? VV_FLOAT32
                                           : VV_FLOAT64;
}

static void store_float(double number, vv_dtype type, void *out)
{
    uint16_t half = type == VV_BFLOAT16 ? vvi_bfloat_from_double(number)
                                        : vvi_half_from_double(number);
    float single = (float)number;
    size_t size = vv_dtype_size(type);

    memcpy(out,
           size == 2   ? (void *)&half
           : size == 4 ? (void *)&single
                       : (void *)&number,
           size);
}

/* The bits that "NaN" stands for. */
static uint64_t nan_of(vv_dtype type)
{
    return type == VV_FLOAT16    ? 0x7E00
           : type == VV_BFLOAT16 ? 0x7FC0
           : type == VV_FLOAT32  ? 0x7FC00000
                                 : 0x7FF8000000000000;
}

/* A number, one of the three names, or the bits in hexadecimal. */
static bool read_float(const vvi_json *value, vv_dtype type, void *out)
{
    size_t size = vv_dtype_size(type);
    double number;
    uint64_t bits;

    if (vvi_json_is_text(value, "NaN")) {
        store_bits(nan_of(type), size, out);
    } else if (vvi_json_is_text(value, "Infinity")) {
        store_float((double)INFINITY, type, out);
    } else if (vvi_json_is_text(value, "-Infinity")) {
        store_float(-(double)INFINITY, type, out);
    } else if (read_hex(value, size, &bits)) {
        store_bits(bits, size, out);
    } else if (vvi_json_double(value, &number)) {
        if (isnan(number))
            store_bits(nan_of(type), size, out);
        else
            store_float(number, type, out);
    } else {
        return false;
    }
    return true;
}

/* An integer of the type's range; 3.0 counts as one, since some writers make no difference. */
static bool read_int(const vvi_json *value, size_t size, void *out)
{
    int64_t least = size == 8 ? INT64_MIN : -((int64_t)1 << (8 * size - 1));
    int64_t most = -(least + 1);
    int64_t number;
    double real;

    if (!vvi_json_int64(value, &number)) {
        if (!vvi_json_double(value, &real) || vvi_json_is_integer(value) ||
            real != rint(real) || fabs(real) > 9007199254740992.0)
            return false;
        number = (int64_t)real;
    }
    if (number < least || number > most)
        return false;
    store_bits((uint64_t)number, size, out);
    return true;
}

static bool read_uint(const vvi_json *value, size_t size, void *out)
{
    uint64_t most = UINT64_MAX >> (64 - 8 * size);
    uint64_t number;
    double real;

    if (!vvi_json_uint64(value, &number)) {
        if (!vvi_json_double(value, &real) || vvi_json_is_integer(value) ||
            real != rint(real) || real < 0 || real > 9007199254740992.0)
            return false;
        number = (uint64_t)real;
    }
    if (number > most)
        return false;
    store_bits(number, size, out);
    return true;
}

static bool read_bool(const vvi_json *value, uint8_t *out)
{
    int64_t number;
    bool boolean;

    if (!vvi_json_bool(value, &boolean)) {
        if (!vvi_json_int64(value, &number) || number < 0 || number > 1)
            return false;
        boolean = number == 1;
    }
    *out = boolean;
    return true;
}

static bool read_complex(const vvi_json *value, const vvi_dtype *dtype, uint8_t *out)
{
    const vvi_json *real = vvi_json_first(value);

    return vvi_json_is(value, VVI_JSON_ARRAY) && vvi_json_count(value) == 2 &&
           read_float(real, part_of(dtype), out) &&
           read_float(vvi_json_next(real), part_of(dtype), out + dtype->word);
}

/* Code points, as many as fit, zeros behind them. */
static bool read_utf32(const vvi_json *value, size_t item, uint8_t *out)
{
    size_t len;
    const char *text = vvi_json_text(value, &len);
    const char *end = text ? text + len : NULL;

    for (size_t at = 0; text && text < end; at += 4) {
        uint32_t point = vvi_utf8_next(&text);

        if (at == item)
            return false;
        memcpy(out + at, &point, 4);
    }
    return text != NULL;
}

/* Bytes as base64, or as a list of numbers. */
static vv_status read_bytes(const vvi_json *value, vv_buf *out, bool *good, vv_error *err)
{
    size_t len;
    const char *text = vvi_json_text(value, &len);
    uint64_t byte;

    if (text) {
        vv_status status = vvi_base64_decode(text, len, out, err);

        *good = status == VV_OK;
        return status == VV_ECORRUPT ? VV_OK : status;
    }
    *good = vvi_json_is(value, VVI_JSON_ARRAY);
    for (const vvi_json *item = vvi_json_first(value); item && *good;
         item = vvi_json_next(item)) {
        *good = vvi_json_uint64(item, &byte) && byte <= 255;
        if (*good)
            VVI_TRY(vvi_buf_append_byte(out, (uint8_t)byte, err));
    }
    return VV_OK;
}

/* Bytes of a fixed length: what is missing is zero. */
static vv_status read_fixed(const vvi_json *value, size_t item, uint8_t *out, bool *good,
                            vv_error *err)
{
    vv_buf bytes = VV_BUF_INIT;
    vv_status status = read_bytes(value, &bytes, good, err);

    *good = *good && bytes.len <= item;
    if (!status && *good && bytes.len)
        memcpy(out, bytes.data, bytes.len);
    vv_buf_clear(&bytes);
    return status;
}

/* The vv_bytes, and behind it what it points at. */
static vv_status read_variable(const vvi_json *value, vv_dtype code, vv_buf *out,
                               bool *good, vv_error *err)
{
    vv_bytes bytes = { NULL, 0 };
    size_t len;
    const char *text = vvi_json_text(value, &len);

    if (code == VV_BYTES) {
        VVI_TRY(read_bytes(value, out, good, err));
    } else if (text) {
        *good = true;
        VVI_TRY(vvi_buf_append(out, vvi_bytes(text, len), err));
    } else {
        /* zarr-python takes a number for its text. */
        *good = vvi_json_digits(value) != NULL;
        VVI_TRY(*good ? vvi_buf_append_text(out, vvi_json_digits(value), err) : VV_OK);
    }
    bytes.len = out->len - sizeof(bytes);
    bytes.data = bytes.len ? out->data + sizeof(bytes) : NULL;
    memcpy(out->data, &bytes, sizeof(bytes));
    return VV_OK;
}

static vv_status read_element(const vvi_dtype *dtype, const vvi_json *value, vv_buf *out,
                              bool *good, vv_error *err)
{
    switch (dtype->kind) {
    case VVI_KIND_BOOL:
        *good = read_bool(value, out->data);
        return VV_OK;
    case VVI_KIND_INT:
        *good = read_int(value, dtype->item, out->data);
        return VV_OK;
    case VVI_KIND_UINT:
        *good = read_uint(value, dtype->item, out->data);
        return VV_OK;
    case VVI_KIND_FLOAT:
        *good = read_float(value, dtype->code, out->data);
        return VV_OK;
    case VVI_KIND_COMPLEX:
        *good = read_complex(value, dtype, out->data);
        return VV_OK;
    case VVI_KIND_TIME:
        *good = true;
        if (vvi_json_is_text(value, "NaT"))
            store_bits((uint64_t)VVI_TIME_NAT, 8, out->data);
        else
            *good = read_int(value, 8, out->data);
        return VV_OK;
    case VVI_KIND_RAW:
        return read_fixed(value, dtype->item, out->data, good, err);
    case VVI_KIND_TEXT:
        if (dtype->code == VV_NULL_TERMINATED_BYTES)
            return read_fixed(value, dtype->item, out->data, good, err);
        *good = read_utf32(value, dtype->item, out->data);
        return VV_OK;
    case VVI_KIND_VARIABLE:
        return read_variable(value, dtype->code, out, good, err);
    }
    return VV_OK;
}

vv_status vvi_fill_read(const vvi_dtype *dtype, const vvi_json *value, vv_buf *out,
                        vv_error *err)
{
    vv_buf element = VV_BUF_INIT;
    bool good = false;
    vv_status status;

    VVI_TRY(vvi_buf_reserve(&element, dtype->item, err));
    element.len = dtype->item;
    memset(element.data, 0, element.len);
    status = read_element(dtype, value, &element, &good, err);
    if (!status && !good)
        status = refuse(dtype, value, err);
    if (status)
        vv_buf_clear(&element);
    else
        vvi_buf_move(out, &element);
    return status;
}

/* ---- writing ------------------------------------------------------------------------------- */

static vvi_json *write_float(const void *in, vv_dtype type)
{
    size_t size = vv_dtype_size(type);
    uint64_t bits = load_bits(in, size);
    double number = vvi_float_load(type, in);
    char text[24];

    if (isfinite(number))
        return vvi_json_new_double(number);
    if (!isnan(number))
        return vvi_json_new_text(number > 0 ? "Infinity" : "-Infinity");
    if (bits == nan_of(type))
        return vvi_json_new_text("NaN");
    snprintf(text, sizeof(text), "0x%0*" PRIx64, (int)(2 * size), bits);
    return vvi_json_new_text(text);
}

static vvi_json *write_complex(const vvi_dtype *dtype, const uint8_t *in, vv_error *err)
{
    vvi_json *pair = vvi_json_new(VVI_JSON_ARRAY);

    if (pair && !vvi_json_append(pair, write_float(in, part_of(dtype)), err) &&
        !vvi_json_append(pair, write_float(in + dtype->word, part_of(dtype)), err))
        return pair;
    vvi_json_free(pair);
    return NULL;
}

static vvi_json *write_base64(vv_bytes bytes, vv_error *err)
{
    vv_buf text = VV_BUF_INIT;
    vvi_json *value = NULL;

    if (!vvi_base64_encode(bytes, &text, err))
        value = vvi_json_new_string(vvi_buf_bytes(&text));
    vv_buf_clear(&text);
    return value;
}

/* Text of code points; VV_EINVAL where one is none. */
static vv_status write_utf32(const uint8_t *in, size_t item, vvi_json **out,
                             vv_error *err)
{
    vv_buf text = VV_BUF_INIT;
    vv_status status = VV_OK;

    while (item && memcmp(in + item - 4, "\0\0\0", 4) == 0)
        item -= 4;
    for (size_t at = 0; at < item && !status; at += 4) {
        uint32_t point;
        char bytes[4];
        size_t len;

        memcpy(&point, in + at, 4);
        len = vvi_utf8_put(point, bytes);
        status = len ? vvi_buf_append(&text, vvi_bytes(bytes, len), err)
                     : vvi_fail(err, VV_EINVAL, "fill_value: %" PRIx32 " is no character",
                                point);
    }
    if (!status) {
        *out = vvi_json_new_string(vvi_buf_bytes(&text));
        status = *out ? VV_OK : vvi_fail_nomem(err, text.len);
    }
    vv_buf_clear(&text);
    return status;
}

static vv_status write_string(vv_bytes text, vvi_json **out, vv_error *err)
{
    if (!vvi_is_utf8(text))
        return vvi_fail(err, VV_EINVAL, "fill_value: a string that is not UTF-8");
    *out = vvi_json_new_string(text);
    return *out ? VV_OK : vvi_fail_nomem(err, text.len);
}

/* A fixed length without the zeros at its end. */
static vv_bytes without_zeros(const uint8_t *in, size_t len)
{
    while (len && in[len - 1] == 0)
        len--;
    return vvi_bytes(in, len);
}

vv_status vvi_fill_write(const vvi_dtype *dtype, const void *element, vvi_json **out,
                         vv_error *err)
{
    size_t size = dtype->item;
    uint64_t bits = dtype->kind <= VVI_KIND_FLOAT ? load_bits(element, size) : 0;
    vvi_json *value = NULL;
    vv_bytes bytes;

    switch (dtype->kind) {
    case VVI_KIND_BOOL:
        value = vvi_json_new_bool(bits != 0);
        break;
    case VVI_KIND_INT:
        /* Shift the sign up and back down again. */
        value = vvi_json_new_int64((int64_t)(bits << (64 - 8 * size)) >> (64 - 8 * size));
        break;
    case VVI_KIND_UINT:
        value = vvi_json_new_uint64(bits);
        break;
    case VVI_KIND_FLOAT:
        value = write_float(element, dtype->code);
        break;
    case VVI_KIND_COMPLEX:
        value = write_complex(dtype, element, err);
        break;
    case VVI_KIND_TIME:
        /* NaT as its number too: zarr-python writes no other form. */
        value = vvi_json_new_int64((int64_t)load_bits(element, 8));
        break;
    case VVI_KIND_RAW:
        value = write_base64(vvi_bytes(element, size), err);
        break;
    case VVI_KIND_TEXT:
        if (dtype->code == VV_FIXED_UTF32)
            return write_utf32(element, size, out, err);
        value = write_base64(without_zeros(element, size), err);
        break;
    case VVI_KIND_VARIABLE:
        memcpy(&bytes, element, sizeof(bytes));
        if (dtype->code == VV_STRING)
            return write_string(bytes, out, err);
        value = write_base64(bytes, err);
        break;
    }
    if (!value)
        return vvi_fail_nomem(err, 0);
    *out = value;
    return VV_OK;
}
