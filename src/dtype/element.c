/* One element as text. */
#include "dtype/dtype.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fewest digits that round to the same float16 or bfloat16. */
static size_t format_half(vv_dtype type, uint16_t bits, char *out)
{
    uint16_t (*round_to)(double) = type == VV_BFLOAT16 ? vvi_bfloat_from_double
                                                       : vvi_half_from_double;
    double number = vvi_float_load(type, &bits);
    char text[VVI_DOUBLE_TEXT];
    double back;

    if (isfinite(number))
        for (int digits = 0; digits < 5; digits++) {
            /* Through text of so many digits, which vvi_double_format() keeps. */
            double scale = number == 0 ? 1 : pow(10, digits - floor(log10(fabs(number))));

            back = rint(number * scale) / scale;
            vvi_double_format(back, text);
            if (vvi_double_parse(text, &back) && round_to(back) == bits)
                return vvi_double_format(back, out);
        }
    return vvi_double_format(number, out);
}

static size_t format_float(vv_dtype type, const uint8_t *in, char *out)
{
    double number;
    float single;
    uint16_t half;

    switch (vv_dtype_size(type)) {
    case 2:
        memcpy(&half, in, sizeof(half));
        return format_half(type, half, out);
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
    vv_dtype type = word == 4 ? VV_FLOAT32 : VV_FLOAT64;
    size_t len = format_float(type, in, out);
    char imaginary[VVI_DOUBLE_TEXT];

    format_float(type, in + word, imaginary);
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

/* Text that is cut to what there is room for; len counts all of it. */
typedef struct cut_text {
    char *out;
    size_t cap, len;
    bool full; /* something did not fit: nothing goes behind it */
} cut_text;

/* Add all n bytes or none, so that no character is cut in two. */
static void add(cut_text *text, const char *bytes, size_t n)
{
    text->full = text->full || text->len + n >= text->cap;
    if (!text->full) {
        memcpy(text->out + text->len, bytes, n);
        text->out[text->len + n] = '\0';
    }
    text->len += n;
}

static void add_utf32(cut_text *text, const uint8_t *in, size_t item)
{
    while (item && memcmp(in + item - 4, "\0\0\0", 4) == 0)
        item -= 4;
    for (size_t at = 0; at < item; at += 4) {
        char bytes[4];
        uint32_t point;
        size_t n;

        memcpy(&point, in + at, 4);
        n = vvi_utf8_put(point, bytes);
        add(text, n ? bytes : "\xef\xbf\xbd", n ? n : 3); /* U+FFFD: none */
    }
}

/* ASCII as it is, all else as \x and two digits. */
static void add_bytes(cut_text *text, vv_bytes bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = bytes.data[i];
        char four[5] = { (char)byte, '\0', 0, 0, 0 };

        if (byte < 0x20 || byte > 0x7E || byte == '\\')
            snprintf(four, sizeof(four), "\\x%02x", byte);
        add(text, four, strlen(four));
    }
}

static void add_string(cut_text *text, vv_bytes bytes)
{
    const char *at = (const char *)bytes.data;

    if (!vvi_is_utf8(bytes)) {
        add_bytes(text, bytes);
        return;
    }
    for (const char *end = at + bytes.len; at < end;) {
        const char *from = at;

        (void)vvi_utf8_next(&at);
        add(text, from, (size_t)(at - from));
    }
}

static void add_hex(cut_text *text, const uint8_t *in, size_t item)
{
    char two[3];

    for (size_t i = 0; i < item; i++) {
        snprintf(two, sizeof(two), "%02x", in[i]);
        add(text, two, 2);
    }
}

static size_t format_number(const vvi_dtype *dtype, const void *element, char *text)
{
    int64_t count;

    switch (dtype->kind) {
    case VVI_KIND_BOOL:
        return (size_t)sprintf(text, "%s", *(const uint8_t *)element ? "true" : "false");
    case VVI_KIND_INT:
    case VVI_KIND_UINT:
        return format_integer(dtype->code, element, text);
    case VVI_KIND_FLOAT:
        return format_float(dtype->code, element, text);
    case VVI_KIND_COMPLEX:
        return format_complex(element, dtype->word, text);
    case VVI_KIND_TIME:
        memcpy(&count, element, sizeof(count));
        return vvi_time_format(dtype, count, text);
    default:
        return 0;
    }
}

size_t vvi_element_format(const vvi_dtype *dtype, const void *element, char *out,
                          size_t cap)
{
    cut_text text = { .out = out, .cap = cap };
    char number[3 * VVI_DOUBLE_TEXT] = "";
    vv_bytes bytes = { element, dtype->item };

    if (cap)
        out[0] = '\0';
    switch (dtype->code) {
    case VV_RAW:
        add_hex(&text, element, dtype->item);
        break;
    case VV_FIXED_UTF32:
        add_utf32(&text, element, dtype->item);
        break;
    case VV_NULL_TERMINATED_BYTES:
        while (bytes.len && bytes.data[bytes.len - 1] == 0)
            bytes.len--;
        add_bytes(&text, bytes);
        break;
    case VV_STRING:
    case VV_BYTES:
        memcpy(&bytes, element, sizeof(bytes));
        (dtype->code == VV_STRING ? add_string : add_bytes)(&text, bytes);
        break;
    default:
        text.len = format_number(dtype, element, number);
        if (cap)
            snprintf(out, cap, "%s", number);
        break;
    }
    return text.len;
}

size_t vv_element_format(vv_dtype dtype, const void *element, char *out, size_t cap)
{
    vvi_dtype type;

    if (vvi_dtype_init(dtype, &type))
        return vvi_element_format(&type, element, out, cap);
    if (cap)
        out[0] = '\0';
    return 0;
}
