/* Fill values: JSON ↔ one element. */
#include "dtype/dtype.h"

#include "util/buf.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAN_HALF   0x7E00u
#define NAN_FLOAT  0x7FC00000u
#define NAN_DOUBLE 0x7FF8000000000000u

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

static void store_float(double number, size_t size, void *out)
{
    uint16_t half = vvi_half_from_double(number);
    float single = (float)number;

    memcpy(out,
           size == 2   ? (void *)&half
           : size == 4 ? (void *)&single
                       : (void *)&number,
           size);
}

static void store_nan(size_t size, void *out)
{
    store_bits(size == 2 ? NAN_HALF : size == 4 ? NAN_FLOAT : NAN_DOUBLE, size, out);
}

/* A number, one of the three names, or the bits in hexadecimal. */
static bool read_float(const vvi_json *value, size_t size, void *out)
{
    double number;
    uint64_t bits;

    if (vvi_json_is_text(value, "NaN")) {
        store_nan(size, out);
    } else if (vvi_json_is_text(value, "Infinity")) {
        store_float((double)INFINITY, size, out);
    } else if (vvi_json_is_text(value, "-Infinity")) {
        store_float(-(double)INFINITY, size, out);
    } else if (read_hex(value, size, &bits)) {
        store_bits(bits, size, out);
    } else if (vvi_json_double(value, &number)) {
        if (isnan(number))
            store_nan(size, out);
        else
            store_float(number, size, out);
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

static bool read_element(const vvi_dtype *dtype, const vvi_json *value, void *out)
{
    bool boolean;

    switch (dtype->kind) {
    case VVI_KIND_BOOL:
        if (!vvi_json_bool(value, &boolean))
            return false;
        *(uint8_t *)out = boolean;
        return true;
    case VVI_KIND_INT:
        return read_int(value, dtype->item, out);
    case VVI_KIND_UINT:
        return read_uint(value, dtype->item, out);
    case VVI_KIND_FLOAT:
        return read_float(value, dtype->item, out);
    case VVI_KIND_COMPLEX:
        return vvi_json_is(value, VVI_JSON_ARRAY) && vvi_json_count(value) == 2 &&
               read_float(vvi_json_first(value), dtype->word, out) &&
               read_float(vvi_json_next(vvi_json_first(value)), dtype->word,
                          (uint8_t *)out + dtype->word);
    default:
        return false;
    }
}

vv_status vvi_fill_read(const vvi_dtype *dtype, const vvi_json *value, vv_buf *out,
                        vv_error *err)
{
    vv_buf element = VV_BUF_INIT;

    VVI_TRY(vvi_buf_reserve(&element, dtype->item, err));
    element.len = dtype->item;
    memset(element.data, 0, element.len);
    if (!read_element(dtype, value, element.data)) {
        vv_buf_clear(&element);
        return refuse(dtype, value, err);
    }
    vvi_buf_move(out, &element);
    return VV_OK;
}

/* ---- writing ------------------------------------------------------------------------------- */

static double load_float(const void *in, size_t size)
{
    double number;
    float single;

    if (size == 2)
        return vvi_half_to_double((uint16_t)load_bits(in, 2));
    if (size == 4) {
        memcpy(&single, in, sizeof(single));
        return (double)single;
    }
    memcpy(&number, in, sizeof(number));
    return number;
}

static vvi_json *write_float(const void *in, size_t size)
{
    uint64_t bits = load_bits(in, size);
    double number = load_float(in, size);
    char text[24];

    if (isfinite(number))
        return vvi_json_new_double(number);
    if (!isnan(number))
        return vvi_json_new_text(number > 0 ? "Infinity" : "-Infinity");
    if (bits == (size == 2 ? NAN_HALF : size == 4 ? NAN_FLOAT : NAN_DOUBLE))
        return vvi_json_new_text("NaN");
    snprintf(text, sizeof(text), "0x%0*" PRIx64, (int)(2 * size), bits);
    return vvi_json_new_text(text);
}

static vvi_json *write_complex(const uint8_t *in, size_t word, vv_error *err)
{
    vvi_json *pair = vvi_json_new(VVI_JSON_ARRAY);

    if (pair && !vvi_json_append(pair, write_float(in, word), err) &&
        !vvi_json_append(pair, write_float(in + word, word), err))
        return pair;
    vvi_json_free(pair);
    return NULL;
}

vv_status vvi_fill_write(const vvi_dtype *dtype, const void *element, vvi_json **out,
                         vv_error *err)
{
    size_t size = dtype->item;
    uint64_t bits = load_bits(element, size < 8 ? size : 8);
    vvi_json *value = NULL;

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
        value = write_float(element, size);
        break;
    case VVI_KIND_COMPLEX:
        value = write_complex(element, dtype->word, err);
        break;
    default:
        return vvi_fail(err, VV_EUNSUPPORTED, "fill values of %s",
                        vv_dtype_name(dtype->code));
    }
    if (!value)
        return vvi_fail_nomem(err, 0);
    *out = value;
    return VV_OK;
}
