#include "hamt/tree.h"

#include <varvite/cbor.h>

vv_status vvi_hamt_check_writable(const vv_hamt *hamt, vv_error *err)
{
    return atomic_load(&hamt->read_only)
               ? vvi_fail(err, VV_EREADONLY, "the HAMT is read-only")
               : VV_OK;
}

vv_status vvi_hamt_check_value(const vv_hamt *hamt, vv_bytes key, vv_bytes value,
                               vv_error *err)
{
    vv_status status;

    if (hamt->opts.values != VV_HAMT_DAG_CBOR)
        return VV_OK;
    status = vv_cbor_validate(value, err);
    if (status && status != VV_ENOMEM)
        status = VV_EINVAL;
    return status ? vvi_wrap(err, status, "value of key \"%.*s\"", VVI_KEY_ARG(key))
                  : VV_OK;
}

vv_status vvi_hamt_value_cid(vv_bytes link, vv_cid *out, vv_error *err)
{
    VVI_TRY(vvi_link_to_cid(link, out, err));
    if (out->codec == VV_CODEC_DAG_PB)
        return vvi_fail(err, VV_EUNSUPPORTED, "cut into parts by UnixFS");
    return VV_OK;
}

vv_status vvi_hamt_value_failed(vv_status status, vv_bytes key, const vv_cid *cid,
                                vv_error *err)
{
    char text[VV_CID_TEXT_MAX];

    if (status == VV_ENOTFOUND) {
        vv_cid_format(cid, text);
        return vvi_fail(err, VV_ECORRUPT,
                        "value of key \"%.*s\": block %s is missing from the store",
                        VVI_KEY_ARG(key), text);
    }
    return vvi_wrap(err, status, "value of key \"%.*s\"", VVI_KEY_ARG(key));
}

/* ---- one key ---------------------------------------------------------------------------- */

static vv_status find_one(vv_hamt *hamt, vv_bytes key, vvi_link *out, vv_error *err)
{
    uint8_t hash[VVI_HASH_MAX];

    vvi_hamt_hash(hamt, &key, 1, hash);
    return vvi_hamt_find(hamt, key, hash, out, err);
}

vv_status vv_hamt_get_pointer(vv_hamt *hamt, vv_bytes key, vv_cid *out, vv_error *err)
{
    vvi_link link;

    VVI_TRY(find_one(hamt, key, &link, err));
    return vvi_link_to_cid(vvi_bytes(link.bytes, link.len), out, err);
}

vv_status vv_hamt_get(vv_hamt *hamt, vv_bytes key, vv_range range, vv_buf *out,
                      vv_error *err)
{
    vvi_link link;
    vv_cid cid;
    vv_status status;

    VVI_TRY(find_one(hamt, key, &link, err));
    status = vvi_hamt_value_cid(vvi_bytes(link.bytes, link.len), &cid, err);
    if (!status)
        status = range.kind == VV_RANGE_WHOLE
                     ? vv_blockstore_get(hamt->store, &cid, out, err)
                     : vv_blockstore_get_range(hamt->store, &cid, range, out, err);
    return status ? vvi_hamt_value_failed(status, key, &cid, err) : VV_OK;
}

static vv_status put_link(vv_hamt *hamt, vv_bytes key, const vv_cid *cid, vv_error *err)
{
    uint8_t hash[VVI_HASH_MAX];
    size_t done = 0;
    vv_status status;

    vvi_hamt_hash(hamt, &key, 1, hash);
    vvi_mutex_lock(&hamt->writer);
    status = vvi_hamt_check_writable(hamt, err);
    if (status)
        vvi_wrap(err, status, "set key \"%.*s\"", VVI_KEY_ARG(key));
    else
        status = vvi_hamt_put(hamt, &key, hash, cid, 1, &done, err);
    vvi_mutex_unlock(&hamt->writer);
    return status;
}

vv_status vv_hamt_set(vv_hamt *hamt, vv_bytes key, vv_bytes value, vv_error *err)
{
    vv_cid cid;
    vv_status status;

    /* Everything that can be checked is checked before the value is stored. */
    VVI_TRY(vvi_hamt_check_writable(hamt, err));
    VVI_TRY(vvi_hamt_check_key(key, err));
    VVI_TRY(vvi_hamt_check_value(hamt, key, value, err));
    status = vv_blockstore_put(hamt->store, &hamt->value_ids, value, &cid, err);
    if (status)
        return vvi_wrap(err, status, "set key \"%.*s\"", VVI_KEY_ARG(key));
    return put_link(hamt, key, &cid, err);
}

/* A name that cannot be read back would make the whole node unreadable. */
static vv_status check_pointer(vv_bytes key, const vv_cid *pointer, vv_error *err)
{
    vvi_link link;
    vv_cid again;

    if (pointer->digest_len <= VV_DIGEST_MAX) {
        vvi_link_of_cid(pointer, &link);
        if (vvi_link_to_cid(vvi_bytes(link.bytes, link.len), &again, NULL) == VV_OK &&
            vv_cid_equal(&again, pointer))
            return VV_OK;
    }
    return vvi_fail(err, VV_EINVAL, "set key \"%.*s\": the pointer is no valid CID",
                    VVI_KEY_ARG(key));
}

vv_status vv_hamt_set_pointer(vv_hamt *hamt, vv_bytes key, const vv_cid *pointer,
                              vv_error *err)
{
    VVI_TRY(vvi_hamt_check_writable(hamt, err));
    VVI_TRY(vvi_hamt_check_key(key, err));
    VVI_TRY(check_pointer(key, pointer, err));
    return put_link(hamt, key, pointer, err);
}
