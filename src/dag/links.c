#include "dag/links.h"

#include "util/buf.h"

#include <varvite/cbor.h>

/* Slots of a HAMT node: see docs/format/hamt.md. */
#define HAMT_SLOTS 256
#define BARE_BYTES 34

typedef struct link_list {
    vv_buf *out;
    uint32_t depth;
} link_list;

vvi_dag_form vvi_dag_form_of(const vv_cid *cid)
{
    if (cid->version == VV_CID_BARE || cid->codec == VV_CODEC_DAG_CBOR)
        return VVI_DAG_CBOR;
    if (cid->codec == VV_CODEC_RAW)
        return VVI_DAG_LEAF;
    return cid->codec == VV_CODEC_DAG_PB ? VVI_DAG_PB : VVI_DAG_OTHER;
}

uint32_t vvi_dag_codec(vvi_dag_form form, const vv_cid *cid)
{
    switch (form) {
    case VVI_DAG_LEAF:
        return VV_CODEC_RAW;
    case VVI_DAG_CBOR:
        return VV_CODEC_DAG_CBOR;
    case VVI_DAG_PB:
        return VV_CODEC_DAG_PB;
    default:
        return cid->codec;
    }
}

static vv_status add_link(void *ctx, const vv_cid *cid, vv_error *err)
{
    link_list *self = ctx;
    vvi_dag_link link = { *cid, self->depth, vvi_dag_form_of(cid) };

    return vvi_pending_push(self->out, &link, err);
}

/* One id of a HAMT node: a link, or a bare multihash. *ok is false for anything else. */
static vv_status add_id(link_list *self, vv_cbor_reader *reader, vvi_dag_form bare_form,
                        bool *ok, vv_error *err)
{
    vv_cbor_item item;
    vvi_dag_link link = { .depth = self->depth, .form = bare_form };
    size_t used;

    VVI_TRY(vv_cbor_next(reader, &item, err));
    *ok = item.kind == VV_CBOR_LINK || item.kind == VV_CBOR_BYTES;
    if (!*ok || item.bytes.len == 0)
        return VV_OK;
    if (item.kind == VV_CBOR_LINK) {
        VVI_TRY(vv_cid_from_bytes(item.bytes, &link.cid, err));
        return add_link(self, &link.cid, err);
    }
    *ok = item.bytes.len == BARE_BYTES && item.bytes.data[0] == VV_HASH_BLAKE3 &&
          vv_cid_read(item.bytes, &link.cid, &used, NULL) == VV_OK && used == BARE_BYTES;
    return *ok ? vvi_pending_push(self->out, &link, err) : VV_OK;
}

/* One slot of a HAMT node: a bucket { key: id … } or a child [ id ]. */
static vv_status add_slot(link_list *self, vv_cbor_reader *reader, bool *ok,
                          vv_error *err)
{
    vv_cbor_item item;
    vv_cbor_item key;

    VVI_TRY(vv_cbor_next(reader, &item, err));
    *ok = item.kind == VV_CBOR_MAP || (item.kind == VV_CBOR_LIST && item.u.count == 1);
    if (!*ok)
        return VV_OK;
    if (item.kind == VV_CBOR_LIST)
        return add_id(self, reader, VVI_DAG_CBOR, ok, err);
    for (uint64_t i = 0; i < item.u.count && *ok; i++) {
        VVI_TRY(vv_cbor_next(reader, &key, err));
        VVI_TRY(add_id(self, reader, VVI_DAG_LEAF, ok, err));
    }
    return VV_OK;
}

/* The links of a block that looks like a HAMT node; *ok says whether it does. */
static vv_status add_hamt_links(link_list *self, vv_bytes data, bool *ok, vv_error *err)
{
    vv_cbor_reader *reader = NULL;
    vv_cbor_item item = { .kind = VV_CBOR_NULL };
    vv_status status;

    *ok = true;
    VVI_TRY(vv_cbor_reader_new(data, &reader, err));
    status = vv_cbor_next(reader, &item, err);
    if (!status)
        *ok = item.kind == VV_CBOR_LIST && item.u.count == HAMT_SLOTS;
    for (size_t i = 0; i < HAMT_SLOTS && *ok && !status; i++)
        status = add_slot(self, reader, ok, err);
    if (!status && *ok && vv_cbor_next(reader, &item, NULL) != VV_ENOTFOUND)
        *ok = false;
    vv_cbor_reader_free(reader);
    return status;
}

static vv_status add_cbor_links(link_list *self, vv_bytes data, bool bare, vv_error *err)
{
    size_t before = self->out->len;
    bool ok = false;

    if (bare)
        VVI_TRY(add_hamt_links(self, data, &ok, err));
    if (ok)
        return VV_OK;
    self->out->len = before;
    return vv_cbor_links(data, add_link, self, err);
}

vv_status vvi_dag_links(const vvi_dag_link *block, vv_bytes data, bool bare, vv_buf *out,
                        vv_error *err)
{
    link_list self = { out, block->depth + 1 };

    switch (block->form) {
    case VVI_DAG_LEAF:
        return VV_OK;
    case VVI_DAG_CBOR:
        return add_cbor_links(&self, data, bare, err);
    case VVI_DAG_PB:
        return vvi_dag_pb_links(data, add_link, &self, err);
    default:
        return vvi_fail(err, VV_EUNSUPPORTED, "the links of codec 0x%x are not known",
                        block->cid.codec);
    }
}
