#include "car/format.h"

#include "cbor/head.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/endian.h"

#include <varvite/cbor.h>

#include <string.h>

/* A header that says version 2 and nothing else. */
static const uint8_t pragma[VVI_CAR_V2_PRAGMA] = { 0x0a, 0xa1, 0x67, 'v', 'e', 'r',
                                                   's',  'i',  'o',  'n', 0x02 };

/* ---- reading ----------------------------------------------------------------------------- */

/* Not vv_cbor_reader: old writers put "version" before "roots", which is not DAG-CBOR's order. */
typedef struct header_reader {
    vv_bytes rest;
    uint64_t offset;
    vvi_car_header *out;
    bool roots_seen, version_seen;
} header_reader;

static void advance(header_reader *self, size_t n)
{
    self->rest.data += n;
    self->rest.len -= n;
    self->offset += n;
}

static vv_status fail_header(const header_reader *self, const char *what, vv_error *err)
{
    return vvi_fail(err, VV_ECORRUPT, "byte %" PRIu64 ": not a CAR header: %s",
                    self->offset, what);
}

static vv_status read_head(header_reader *self, unsigned major, const char *what,
                           uint64_t *out, vv_error *err)
{
    vvi_cbor_fault fault;
    unsigned found;
    size_t used;

    used = vvi_cbor_get_head(self->rest.data, self->rest.len, &found, out, &fault);
    if (used == 0 || found != major)
        return fail_header(self, what, err);
    advance(self, used);
    return VV_OK;
}

static vv_status read_string(header_reader *self, unsigned major, const char *what,
                             vv_bytes *out, vv_error *err)
{
    uint64_t len;

    VVI_TRY(read_head(self, major, what, &len, err));
    if (len > self->rest.len)
        return fail_header(self, "it ends inside a string", err);
    *out = vvi_bytes(self->rest.data, (size_t)len);
    advance(self, (size_t)len);
    return VV_OK;
}

static vv_status read_root(header_reader *self, vv_cid *out, vv_error *err)
{
    uint64_t tag;
    vv_bytes link;
    vv_status status;

    VVI_TRY(read_head(self, VVI_CBOR_TAG, "a root is not a link", &tag, err));
    VVI_TRY(read_string(self, VVI_CBOR_BYTES, "a root is not a link", &link, err));
    if (tag != VVI_CBOR_LINK_TAG || link.len == 0 || link.data[0] != 0)
        return fail_header(self, "a root is not a link", err);
    status = vv_cid_from_bytes(vvi_bytes(link.data + 1, link.len - 1), out, err);
    return status ? vvi_wrap(err, status == VV_EINVAL ? VV_ECORRUPT : status,
                             "byte %" PRIu64 ": root of the CAR", self->offset - link.len)
                  : VV_OK;
}

static vv_status read_roots(header_reader *self, vv_error *err)
{
    uint64_t count;

    VVI_TRY(read_head(self, VVI_CBOR_LIST, "roots are not a list", &count, err));
    /* A link takes five bytes at least: no more memory than a multiple of the header. */
    if (count > self->rest.len / 5)
        return fail_header(self, "more roots than bytes", err);
    if (count == 0)
        return VV_OK;
    self->out->roots = vvi_alloc_array((size_t)count, sizeof(*self->out->roots));
    if (!self->out->roots)
        return vvi_fail_nomem(err, (size_t)count * sizeof(*self->out->roots));
    self->out->root_count = (size_t)count;
    for (size_t i = 0; i < count; i++)
        VVI_TRY(read_root(self, &self->out->roots[i], err));
    return VV_OK;
}

static vv_status read_members(header_reader *self, vv_error *err)
{
    uint64_t count;
    vv_bytes key;

    VVI_TRY(read_head(self, VVI_CBOR_MAP, "not a map", &count, err));
    for (uint64_t i = 0; i < count; i++) {
        VVI_TRY(read_string(self, VVI_CBOR_TEXT, "a key is not text", &key, err));
        if (vvi_bytes_equal(key, vv_bytes_of("version")) && !self->version_seen) {
            self->version_seen = true;
            VVI_TRY(read_head(self, VVI_CBOR_UINT, "version is not a number",
                              &self->out->version, err));
        } else if (vvi_bytes_equal(key, vv_bytes_of("roots")) && !self->roots_seen) {
            self->roots_seen = true;
            VVI_TRY(read_roots(self, err));
        } else {
            return fail_header(self, "an unknown or repeated key", err);
        }
    }
    if (self->rest.len)
        return fail_header(self, "bytes follow it", err);
    return self->version_seen ? VV_OK : fail_header(self, "no version", err);
}

vv_status vvi_car_header_parse(vv_bytes bytes, uint64_t offset, vvi_car_header *out,
                               vv_error *err)
{
    header_reader self = { .rest = bytes, .offset = offset, .out = out };
    vv_status status;

    *out = (vvi_car_header){ 0 };
    status = read_members(&self, err);
    if (status)
        vvi_car_header_clear(out);
    return status;
}

void vvi_car_header_clear(vvi_car_header *header)
{
    vvi_free(header->roots);
    *header = (vvi_car_header){ 0 };
}

vv_status vvi_car_v2_parse(const uint8_t *bytes, vvi_car_v2 *out, vv_error *err)
{
    uint64_t end;

    out->data_offset = vvi_get_le64(bytes + 16);
    out->data_size = vvi_get_le64(bytes + 24);
    out->index_offset = vvi_get_le64(bytes + 32);
    if (out->data_offset < VVI_CAR_V2_BYTES ||
        __builtin_add_overflow(out->data_offset, out->data_size, &end))
        return vvi_fail(err, VV_ECORRUPT,
                        "byte 27: data of %" PRIu64 " bytes at byte %" PRIu64
                        " of a CARv2",
                        out->data_size, out->data_offset);
    if (out->index_offset && out->index_offset < end)
        return vvi_fail(err, VV_ECORRUPT,
                        "byte 43: the index, at byte %" PRIu64
                        ", lies before the end of the data",
                        out->index_offset);
    return VV_OK;
}

/* ---- writing ----------------------------------------------------------------------------- */

vv_cid vvi_car_name(const vv_cid *cid, uint32_t codec)
{
    vv_cid name = *cid;

    if (name.version == VV_CID_BARE) {
        name.version = 1;
        name.codec = codec;
    }
    return name;
}

static vv_status write_header(const vv_cid *roots, size_t n, vv_buf *out, vv_error *err)
{
    VVI_TRY(vv_cbor_put_map(out, 2, err));
    VVI_TRY(vv_cbor_put_text(out, vv_bytes_of("roots"), err));
    VVI_TRY(vv_cbor_put_list(out, n, err));
    for (size_t i = 0; i < n; i++) {
        vv_cid name = vvi_car_name(&roots[i], VV_CODEC_DAG_CBOR);

        VVI_TRY(vv_cbor_put_link(out, &name, err));
    }
    VVI_TRY(vv_cbor_put_text(out, vv_bytes_of("version"), err));
    return vv_cbor_put_uint(out, 1, err);
}

vv_status vvi_car_header_write(const vv_cid *roots, size_t n, vv_buf *out, vv_error *err)
{
    uint8_t len[VV_VARINT_MAX];
    vv_buf header = VV_BUF_INIT;
    vv_status status = write_header(roots, n, &header, err);

    if (!status)
        status = vvi_buf_append(out, vvi_bytes(len, vv_varint_encode(header.len, len)),
                                err);
    if (!status)
        status = vvi_buf_append(out, vvi_buf_bytes(&header), err);
    vv_buf_clear(&header);
    return status;
}

void vvi_car_v2_write(const vvi_car_v2 *header, uint8_t out[VVI_CAR_V2_BYTES])
{
    memset(out, 0, VVI_CAR_V2_BYTES);
    memcpy(out, pragma, sizeof(pragma));
    vvi_put_le64(out + VVI_CAR_V2_PRAGMA + 16, header->data_offset);
    vvi_put_le64(out + VVI_CAR_V2_PRAGMA + 24, header->data_size);
    vvi_put_le64(out + VVI_CAR_V2_PRAGMA + 32, header->index_offset);
}
