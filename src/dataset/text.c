/* Text on its way into JSON: UTF-8 made clean, and base64 (RFC 4648, section 4). */
#include "dataset/attr.h"

#include "util/buf.h"

#include <string.h>

/* Bytes of the longest well-formed beginning of a UTF-8 sequence at text, and whether it is all of
 * one (Unicode 15, table 3-7). */
static size_t utf8_sequence(const uint8_t *text, size_t len, bool *whole)
{
    uint8_t first = text[0];
    uint8_t low = 0x80;
    uint8_t high = 0xBF;
    size_t want = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;

    *whole = first < 0x80;
    if (first < 0x80 || first < 0xC2 || first > 0xF4)
        return 1;
    if (first == 0xE0)
        low = 0xA0;
    if (first == 0xED)
        high = 0x9F;
    if (first == 0xF0)
        low = 0x90;
    if (first == 0xF4)
        high = 0x8F;
    for (size_t i = 1; i < want; i++) {
        if (i >= len || text[i] < low || text[i] > high)
            return i;
        low = 0x80;
        high = 0xBF;
    }
    *whole = true;
    return want;
}

vv_status vvi_text_clean(vv_bytes text, vv_buf *out, vv_error *err)
{
    size_t i = 0;

    VVI_TRY(vvi_buf_reserve(out, text.len + 1, err));
    while (i < text.len) {
        bool whole;
        size_t n = utf8_sequence(text.data + i, text.len - i, &whole);

        if (!whole)
            VVI_TRY(vvi_buf_append_text(out, "\xEF\xBF\xBD", err));
        else if (text.data[i] != 0)
            VVI_TRY(vvi_buf_append(out, vvi_bytes(text.data + i, n), err));
        i += n;
    }
    return vvi_buf_terminate(out, err);
}

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

vv_status vvi_base64_encode(vv_bytes bytes, vv_buf *out, vv_error *err)
{
    VVI_TRY(vvi_buf_reserve(out, bytes.len / 3 * 4 + 5, err));
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t bits = (uint32_t)bytes.data[i] << 16;

        if (n > 1)
            bits |= (uint32_t)bytes.data[i + 1] << 8;
        if (n > 2)
            bits |= bytes.data[i + 2];
        for (size_t k = 0; k < 4; k++) {
            char digit = k <= n ? alphabet[(bits >> (18 - 6 * k)) & 63] : '=';

            VVI_TRY(vvi_buf_append_byte(out, (uint8_t)digit, err));
        }
    }
    return vvi_buf_terminate(out, err);
}

vv_status vvi_base64_decode(const char *text, size_t len, vv_buf *out, vv_error *err)
{
    uint32_t bits = 0;
    unsigned have = 0;

    while (len && text[len - 1] == '=')
        len--;
    for (size_t i = 0; i < len; i++) {
        const char *digit = text[i] ? strchr(alphabet, text[i]) : NULL;

        if (!digit)
            return vvi_fail(err, VV_ECORRUPT, "not base64 at character %zu", i);
        bits = bits << 6 | (uint32_t)(digit - alphabet);
        have += 6;
        if (have >= 8) {
            have -= 8;
            VVI_TRY(vvi_buf_append_byte(out, (uint8_t)(bits >> have), err));
        }
    }
    return VV_OK;
}
