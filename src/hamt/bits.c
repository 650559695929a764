#include "hamt/bits.h"

vv_status vvi_extract_bits(vv_bytes hash, uint32_t depth, uint32_t count, uint32_t *out,
                           vv_error *err)
{
    uint64_t first = (uint64_t)depth * count;
    uint32_t bits = 0;

    if (first + count > (uint64_t)hash.len * 8)
        return vvi_fail(err, VV_ERANGE,
                        "bits %" PRIu64 " … %" PRIu64 " of a hash of %zu bytes", first,
                        first + count - 1, hash.len);
    for (uint64_t bit = first; bit < first + count; bit++)
        bits = bits << 1 | (((unsigned)hash.data[bit >> 3] >> (7 - (bit & 7u))) & 1u);
    *out = bits;
    return VV_OK;
}
