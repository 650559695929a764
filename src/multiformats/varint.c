#include <varvite/cid.h>

#include "util/error.h"

size_t vv_varint_encode(uint64_t value, uint8_t out[VV_VARINT_MAX])
{
    size_t n = 0;

    if (value >> 63)
        return 0;
    for (; value >= 0x80; value >>= 7)
        out[n++] = (uint8_t)(value | 0x80);
    out[n++] = (uint8_t)value;
    return n;
}

vv_status vv_varint_decode(vv_bytes bytes, uint64_t *value, size_t *used, vv_error *err)
{
    uint64_t result = 0;

    for (size_t i = 0; i < VV_VARINT_MAX; i++) {
        if (i == bytes.len)
            return vvi_fail(err, VV_EINVAL, "varint: the input ends after %zu bytes", i);
        result |= (uint64_t)(bytes.data[i] & 0x7f) << (7 * i);
        if (bytes.data[i] & 0x80)
            continue;
        if (bytes.data[i] == 0 && i > 0)
            return vvi_fail(err, VV_EINVAL, "varint: %zu bytes for a shorter number",
                            i + 1);
        *value = result;
        *used = i + 1;
        return VV_OK;
    }
    return vvi_fail(err, VV_EINVAL, "varint: longer than %d bytes", VV_VARINT_MAX);
}
