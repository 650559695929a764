/* Text on its way into JSON: UTF-8 made clean. */
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
