#include "car/format.h"

#include "util/buf.h"

#include <varvite/blockstore.h>

#include <string.h>

vv_status vvi_car_check_length(uint64_t len, uint64_t offset, vv_error *err)
{
    if (len == 0)
        return vvi_fail(err, VV_ECORRUPT, "byte %" PRIu64 ": a section of no bytes",
                        offset);
    if (len > VV_BLOCK_BYTES_MAX + VV_CID_BYTES_MAX)
        return vvi_fail(err, VV_ELIMIT,
                        "byte %" PRIu64 ": a section of %" PRIu64
                        " bytes; the limit is %" PRIu64,
                        offset, len, VV_BLOCK_BYTES_MAX);
    return VV_OK;
}

vv_status vvi_car_parse_cid(vv_bytes section, uint64_t offset, vv_cid *cid, size_t *used,
                            vv_error *err)
{
    vv_status status = vv_cid_read(section, cid, used, err);

    if (status)
        return vvi_wrap(err, status == VV_EINVAL ? VV_ECORRUPT : status,
                        "byte %" PRIu64 ": CID of a section", offset);
    if (cid->version == VV_CID_BARE)
        return vvi_fail(err, VV_ECORRUPT,
                        "byte %" PRIu64
                        ": a section begins with a bare multihash, not a CID",
                        offset);
    if (section.len - *used > VV_BLOCK_BYTES_MAX)
        return vvi_fail(err, VV_ELIMIT, "byte %" PRIu64 ": a block of %zu bytes", offset,
                        section.len - *used);
    return VV_OK;
}

vv_status vvi_car_section_at(const uint8_t *file, uint64_t offset, uint64_t end,
                             vvi_car_section *out, vv_error *err)
{
    vv_bytes rest;
    uint64_t len;
    size_t used;

    if (offset >= end)
        return vvi_fail(err, VV_ECORRUPT,
                        "byte %" PRIu64 ": no section there, the data ends at %" PRIu64,
                        offset, end);
    rest = vvi_bytes(file + offset, (size_t)(end - offset));
    out->offset = offset;
    if (vv_varint_decode(rest, &len, &used, err))
        return vvi_wrap(err, VV_ECORRUPT, "byte %" PRIu64 ": length of a section",
                        offset);
    VVI_TRY(vvi_car_check_length(len, offset, err));
    if (len > rest.len - used)
        return vvi_fail(err, VV_ECORRUPT,
                        "byte %" PRIu64 ": a section of %" PRIu64
                        " bytes, but only %zu are left",
                        offset, len, rest.len - used);
    out->end = offset + used + len;
    rest = vvi_bytes(rest.data + used, (size_t)len);
    VVI_TRY(vvi_car_parse_cid(rest, offset, &out->cid, &used, err));
    out->data = vvi_bytes(rest.data + used, rest.len - used);
    return VV_OK;
}

size_t vvi_car_section_head(const vv_cid *cid, uint64_t block_len,
                            uint8_t out[VVI_CAR_SECTION_HEAD_MAX])
{
    uint8_t name[VV_CID_BYTES_MAX];
    size_t name_len;
    size_t n;

    vv_cid_to_bytes(cid, name, &name_len);
    n = vv_varint_encode(name_len + block_len, out);
    memcpy(out + n, name, name_len);
    return n + name_len;
}
