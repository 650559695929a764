/* One element as text. */
#include "dtype/dtype.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fewest digits that round to the same float16. */
static size_t format_half(uint16_t bits, char *out)
{
    double number = vvi_half_to_double(bits);
    char text[VVI_DOUBLE_TEXT];
    double back;

    if (isfinite(number))
        for (int digits = 0; digits < 5; digits++) {
            /* Through text of so many digits, which vvi_double_format() keeps. */
            double scale = number == 0 ? 1 : pow(10, digits - floor(log10(fabs(number))));

            back = rint(number * scale) / scale;
            vvi_double_format(back, text);
            if (vvi_double_parse(text, &back) && vvi_half_from_double(back) == bits)
                return vvi_double_format(back, out);
        }
    return vvi_double_format(number, out);
}

static size_t format_float(const uint8_t *in, size_t size, char *out)
{
    double number;
    float single;
    uint16_t half;

    switch (size) {
    case 2:
        memcpy(&half, in, sizeof(half));
        return format_half(half, out);
    case 4:
        memcpy(&single, in, sizeof(single));
        return vvi_float_format(single, out);
    default:
        memcpy(&number, in, sizeof(number));
        return vvi_double_format(number, out);
    }
}

static size_t format_complex(const uint8_t *in, size_t word, char *out)
{
    size_t len = format_float(in, word, out);
    char imaginary[VVI_DOUBLE_TEXT];

    format_float(in + word, word, imaginary);
    return len +
           (size_t)sprintf(out + len, "%s%sj", *imaginary == '-' ? "" : "+", imaginary);
}

static size_t format_integer(vv_dtype dtype, const void *element, char *out)
{
    union {
        int8_t i8;
        int16_t i16;
        int32_t i32;
        int64_t i64;
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
    } u;

    memcpy(&u, element, vv_dtype_size(dtype));
    switch (dtype) {
    case VV_INT8:
        return (size_t)sprintf(out, "%d", u.i8);
    case VV_INT16:
        return (size_t)sprintf(out, "%d", u.i16);
    case VV_INT32:
        return (size_t)sprintf(out, "%" PRId32, u.i32);
    case VV_INT64:
        return (size_t)sprintf(out, "%" PRId64, u.i64);
    case VV_UINT8:
        return (size_t)sprintf(out, "%u", u.u8);
    case VV_UINT16:
        return (size_t)sprintf(out, "%u", u.u16);
    case VV_UINT32:
        return (size_t)sprintf(out, "%" PRIu32, u.u32);
    default:
        return (size_t)sprintf(out, "%" PRIu64, u.u64);
    }
}

size_t vv_element_format(vv_dtype dtype, const void *element, char *out, size_t cap)
{
    char text[3 * VVI_DOUBLE_TEXT] = "";
    vvi_dtype type;
    size_t len = 0;

    if (!vvi_dtype_init(dtype, &type)) {
        if (cap)
            out[0] = '\0';
        return 0;
    }
    switch (type.kind) {
    case VVI_KIND_BOOL:
        len = (size_t)sprintf(text, "%s", *(const uint8_t *)element ? "true" : "false");
        break;
    case VVI_KIND_INT:
    case VVI_KIND_UINT:
        len = format_integer(dtype, element, text);
        break;
    case VVI_KIND_FLOAT:
        len = format_float(element, type.item, text);
        break;
    case VVI_KIND_COMPLEX:
        len = format_complex(element, type.word, text);
        break;
    default:
        break;
    }
    if (cap) {
        size_t fit = len < cap ? len : cap - 1;

        memcpy(out, text, fit);
        out[fit] = '\0';
    }
    return len;
}
