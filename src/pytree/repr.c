/* Python values as Python's repr() prints them; docs/format/tree.md, "Names". */
#include "pytree/value.h"

#include "pytree/printable.h"
#include "util/alloc.h"
#include "util/buf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* An integer with more bytes is refused. */
#define INT_BYTES_MAX 1024

/* ---- text ---------------------------------------------------------------------------------- */

bool vvi_is_printable(uint32_t character)
{
    size_t low = 0;
    size_t high = sizeof(unprintable) / sizeof(unprintable[0]);

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (character > unprintable[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low == sizeof(unprintable) / sizeof(unprintable[0]) ||
           character < unprintable[low].first;
}

/* One character as it stands between quotes. */
static vv_status write_character(uint32_t c, vv_bytes as_it_is, char quote, vv_buf *out,
                                 vv_error *err)
{
    switch (c) {
    case '\n':
        return vvi_buf_append_text(out, "\\n", err);
    case '\r':
        return vvi_buf_append_text(out, "\\r", err);
    case '\t':
        return vvi_buf_append_text(out, "\\t", err);
    default:
        break;
    }
    if (c == '\\' || c == (unsigned char)quote)
        return vvi_buf_printf(out, err, "\\%c", (int)c);
    if (vvi_is_printable(c))
        return vvi_buf_append(out, as_it_is, err);
    if (c > 0xFFFF)
        return vvi_buf_printf(out, err, "\\U%08" PRIx32, c);
    return vvi_buf_printf(out, err, c > 0xFF ? "\\u%04" PRIx32 : "\\x%02" PRIx32, c);
}

/* Single quotes, but for a text that has some and no double ones. */
static char quote_for(vv_bytes text)
{
    return memchr(text.data, '\'', text.len) && !memchr(text.data, '"', text.len) ? '"'
                                                                                  : '\'';
}

static vv_status write_text(vv_bytes text, vv_buf *out, vv_error *err)
{
    char quote = quote_for(text);

    VVI_TRY(vvi_buf_append_byte(out, (uint8_t)quote, err));
    for (const char *at = (const char *)text.data, *end = at + text.len; at < end;) {
        const char *from = at;
        uint32_t c = vvi_utf8_next(&at);

        VVI_TRY(
            write_character(c, vvi_bytes(from, (size_t)(at - from)), quote, out, err));
    }
    return vvi_buf_append_byte(out, (uint8_t)quote, err);
}

static vv_status write_bytes(vv_bytes bytes, vv_buf *out, vv_error *err)
{
    char quote = quote_for(bytes);

    VVI_TRY(vvi_buf_printf(out, err, "b%c", quote));
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.data[i] < 0x7F)
            VVI_TRY(write_character(bytes.data[i], vvi_bytes(bytes.data + i, 1), quote,
                                    out, err));
        else
            VVI_TRY(vvi_buf_printf(out, err, "\\x%02x", bytes.data[i]));
    }
    return vvi_buf_append_byte(out, (uint8_t)quote, err);
}

/* As Python's json.dumps() writes text, byte for byte, since names are compared as bytes; so ASCII only,
 * and not vvi_json_write_string(). */
vv_status vvi_write_ascii_json(vv_bytes text, vv_buf *out, vv_error *err)
{
    static const char *const short_forms[] = {
        ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n",  ['\f'] = "\\f",
        ['\r'] = "\\r", ['"'] = "\\\"", ['\\'] = "\\\\",
    };

    VVI_TRY(vvi_buf_append_byte(out, '"', err));
    for (const char *at = (const char *)text.data, *end = at + text.len; at < end;) {
        uint32_t c = vvi_utf8_next(&at);

        if (c < sizeof(short_forms) / sizeof(short_forms[0]) && short_forms[c])
            VVI_TRY(vvi_buf_append_text(out, short_forms[c], err));
        else if (c >= 0x20 && c < 0x7F)
            VVI_TRY(vvi_buf_append_byte(out, (uint8_t)c, err));
        else if (c > 0xFFFF)
            VVI_TRY(vvi_buf_printf(out, err, "\\u%04" PRIx32 "\\u%04" PRIx32,
                                   0xD800 + ((c - 0x10000) >> 10),
                                   0xDC00 + ((c - 0x10000) & 0x3FF)));
        else
            VVI_TRY(vvi_buf_printf(out, err, "\\u%04" PRIx32, c));
    }
    return vvi_buf_append_byte(out, '"', err);
}

/* ---- numbers ------------------------------------------------------------------------------- */

/* Divide the number in words (32 bits each, the least first) by 10^9; the remainder. */
static uint32_t divide(uint32_t *words, size_t count)
{
    uint64_t rest = 0;

    for (size_t i = count; i-- > 0;) {
        rest = rest << 32 | words[i];
        words[i] = (uint32_t)(rest / 1000000000);
        rest %= 1000000000;
    }
    return (uint32_t)rest;
}

static vv_status write_long(vv_bytes number, vv_buf *out, vv_error *err)
{
    uint32_t words[INT_BYTES_MAX / 4 + 1] = { 0 };
    uint32_t groups[INT_BYTES_MAX / 3] = { 0 };
    bool negative = number.data[number.len - 1] >= 0x80;
    size_t count = number.len / 4 + 1;
    size_t n = 0;
    uint64_t carry = negative;

    /* The magnitude: every bit turned, and one added, when negative. */
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < 4; k++) {
            uint8_t byte = 4 * i + k < number.len ? number.data[4 * i + k]
                                                  : (uint8_t)(negative ? 0xFF : 0);

            words[i] |= (uint32_t)byte << (8 * k);
        }
        carry += negative ? (uint32_t)~words[i] : words[i];
        words[i] = (uint32_t)carry;
        carry >>= 32;
    }
    for (;;) {
        while (count && !words[count - 1])
            count--;
        if (!count)
            break;
        groups[n++] = divide(words, count);
    }
    VVI_TRY(vvi_buf_printf(out, err, "%s%" PRIu32, negative ? "-" : "", groups[n - 1]));
    for (size_t i = n - 1; i-- > 0;)
        VVI_TRY(vvi_buf_printf(out, err, "%09" PRIu32, groups[i]));
    return VV_OK;
}

static vv_status write_int(const vvi_py *value, vv_buf *out, vv_error *err)
{
    int64_t number;

    if (vvi_py_fits_int64(value, &number))
        return vvi_buf_printf(out, err, "%" PRId64, number);
    if (value->u.bytes.len > INT_BYTES_MAX)
        return vvi_fail(err, VV_ELIMIT, "an integer of %zu bytes", value->u.bytes.len);
    return write_long(vvi_py_bytes(value), out, err);
}

static vv_status write_float(double number, vv_buf *out, vv_error *err)
{
    char text[VVI_DOUBLE_TEXT];

    if (isnan(number))
        return vvi_buf_append_text(out, "nan", err);
    if (isinf(number))
        return vvi_buf_append_text(out, number > 0 ? "inf" : "-inf", err);
    vvi_double_repr(number, text);
    return vvi_buf_append_text(out, text, err);
}

/* ---- the rest ------------------------------------------------------------------------------ */

static vv_status write_items(const vvi_py *value, const char *open, const char *close,
                             vv_buf *out, vv_error *err)
{
    VVI_TRY(vvi_buf_append_text(out, open, err));
    for (size_t i = 0; i < value->u.list.count; i++) {
        if (i)
            VVI_TRY(vvi_buf_append_text(
                out, value->kind == VVI_PY_DICT && i % 2 ? ": " : ", ", err));
        VVI_TRY(vvi_py_repr(value->u.list.items[i], out, err));
    }
    return vvi_buf_append_text(out, close, err);
}

/* Nests as deep as the value does. */
vv_status vvi_py_repr(const vvi_py *value, vv_buf *out, vv_error *err)
{
    switch ((vvi_py_kind)value->kind) {
    case VVI_PY_NONE:
        return vvi_buf_append_text(out, "None", err);
    case VVI_PY_BOOL:
        return vvi_buf_append_text(out, value->boolean ? "True" : "False", err);
    case VVI_PY_INT:
        return write_int(value, out, err);
    case VVI_PY_FLOAT:
        return write_float(value->u.number, out, err);
    case VVI_PY_TEXT:
        return write_text(vvi_py_bytes(value), out, err);
    case VVI_PY_BYTES:
        return write_bytes(vvi_py_bytes(value), out, err);
    case VVI_PY_TUPLE:
        return write_items(value, "(", value->u.list.count == 1 ? ",)" : ")", out, err);
    case VVI_PY_LIST:
        return write_items(value, "[", "]", out, err);
    case VVI_PY_DICT:
        return write_items(value, "{", "}", out, err);
    case VVI_PY_SET:
        return value->u.list.count ? write_items(value, "{", "}", out, err)
                                   : vvi_buf_append_text(out, "set()", err);
    case VVI_PY_FROZENSET:
        return value->u.list.count ? write_items(value, "frozenset({", "})", out, err)
                                   : vvi_buf_append_text(out, "frozenset()", err);
    case VVI_PY_CLASS:
        return vvi_buf_printf(out, err, "<class '%s.%s'>",
                              (const char *)value->u.list.items[0]->u.bytes.data,
                              (const char *)value->u.list.items[1]->u.bytes.data);
    case VVI_PY_INSTANCE:
        /* Of a subclass of int or str: printed as that. */
        if (value->u.list.items[1]->u.list.count == 1)
            return vvi_py_repr(value->u.list.items[1]->u.list.items[0], out, err);
        return vvi_fail(err, VV_EUNSUPPORTED, "an object as a key");
    }
    return VV_OK;
}
