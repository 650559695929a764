#include "util/base64.h"

#include "util/buf.h"

#include <string.h>

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
