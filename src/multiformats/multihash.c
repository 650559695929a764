#include "multiformats/codes.h"

#include "util/buf.h"

vv_status vv_multihash_decode(vv_bytes bytes, vv_multihash *out, vv_error *err)
{
    const vvi_code *function;
    uint64_t code;
    uint64_t len;
    size_t used;

    VVI_TRY(vv_varint_decode(bytes, &code, &used, err));
    bytes = vvi_bytes(bytes.data + used, bytes.len - used);
    VVI_TRY(vv_varint_decode(bytes, &len, &used, err));
    bytes = vvi_bytes(bytes.data + used, bytes.len - used);
    function = vvi_code_find(code);
    if (!function || !function->is_hash)
        return vvi_fail(err, VV_EINVAL,
                        "multihash: 0x%" PRIx64 " is no registered hash function", code);
    if (len != bytes.len)
        return vvi_fail(err, VV_EINVAL,
                        "multihash: %zu bytes where a digest of %" PRIu64
                        " was announced",
                        bytes.len, len);
    if (function->size && len > function->size)
        return vvi_fail(err, VV_EINVAL,
                        "multihash: a %s digest has %u bytes, not %" PRIu64,
                        function->name, function->size, len);
    *out = (vv_multihash){ code, bytes };
    return VV_OK;
}
