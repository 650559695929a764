/*
 * DAG-PB, links alone (source: the IPLD DAG-PB specification):
 *
 *   node = { 0x12 varint(length) link }  [ 0x0a varint(length) data ]     either part first
 *   link = 0x0a varint(length) CID  [ 0x12 varint(length) name ]  [ 0x18 varint(Tsize) ]
 *
 * Nothing else is allowed: unknown fields, repeated ones, or a link without a CID are refused.
 */
#include "dag/links.h"

#include "util/buf.h"

#define FIELD_BYTES(number_)  ((number_) << 3 | 2)
#define FIELD_VARINT(number_) ((number_) << 3)

/* Bytes being read, and where they lie in the node, for messages. */
typedef struct pb_reader {
    vv_bytes rest;
    size_t offset;
} pb_reader;

static void advance(pb_reader *self, size_t n)
{
    self->rest.data += n;
    self->rest.len -= n;
    self->offset += n;
}

/* Protocol buffers allow 64 bits in ten bytes, and longer forms than needed. */
static vv_status read_varint(pb_reader *self, uint64_t *out, vv_error *err)
{
    uint64_t value = 0;

    for (size_t i = 0; i < 10 && i < self->rest.len; i++) {
        uint8_t byte = self->rest.data[i];

        if (i == 9 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            advance(self, i + 1);
            *out = value;
            return VV_OK;
        }
    }
    return vvi_fail(err, VV_ECORRUPT, "dag-pb, byte %zu: not a varint", self->offset);
}

static vv_status read_bytes(pb_reader *self, pb_reader *out, vv_error *err)
{
    uint64_t len;

    VVI_TRY(read_varint(self, &len, err));
    if (len > self->rest.len)
        return vvi_fail(err, VV_ECORRUPT,
                        "dag-pb, byte %zu: %" PRIu64 " bytes said, %zu there",
                        self->offset, len, self->rest.len);
    *out = (pb_reader){ { self->rest.data, (size_t)len }, self->offset };
    advance(self, (size_t)len);
    return VV_OK;
}

static vv_status fail_field(const pb_reader *self, uint64_t field, vv_error *err)
{
    return vvi_fail(err, VV_ECORRUPT,
                    "dag-pb, byte %zu: field tag %" PRIu64 " does not belong here",
                    self->offset, field);
}

/* The CID of a link; its name and size are only checked for form. */
static vv_status read_link(pb_reader *link, vv_cid *cid, vv_error *err)
{
    uint64_t last = 0;

    while (link->rest.len) {
        pb_reader value;
        uint64_t field;
        uint64_t size;

        VVI_TRY(read_varint(link, &field, err));
        if (field <= last)
            return fail_field(link, field, err);
        last = field;
        if (field == FIELD_VARINT(3)) {
            VVI_TRY(read_varint(link, &size, err));
            continue;
        }
        if (field != FIELD_BYTES(1) && field != FIELD_BYTES(2))
            return fail_field(link, field, err);
        VVI_TRY(read_bytes(link, &value, err));
        if (field == FIELD_BYTES(1)) {
            vv_status status = vv_cid_from_bytes(value.rest, cid, err);

            if (status)
                return vvi_wrap(err, status == VV_EINVAL ? VV_ECORRUPT : status,
                                "dag-pb, byte %zu", value.offset);
        }
    }
    return VV_OK;
}

vv_status vvi_dag_pb_links(vv_bytes node, vvi_dag_pb_fn visit, void *ctx, vv_error *err)
{
    pb_reader self = { node, 0 };
    bool data_seen = false;

    while (self.rest.len) {
        pb_reader value;
        uint64_t field;
        vv_cid cid = { 0 };

        VVI_TRY(read_varint(&self, &field, err));
        if (field != FIELD_BYTES(2) && (field != FIELD_BYTES(1) || data_seen))
            return fail_field(&self, field, err);
        VVI_TRY(read_bytes(&self, &value, err));
        if (field == FIELD_BYTES(1)) {
            data_seen = true;
            continue;
        }
        if (value.rest.len == 0 || value.rest.data[0] != FIELD_BYTES(1))
            return vvi_fail(err, VV_ECORRUPT, "dag-pb, byte %zu: a link without a CID",
                            value.offset);
        VVI_TRY(read_link(&value, &cid, err));
        VVI_TRY(visit(ctx, &cid, err));
    }
    return VV_OK;
}
