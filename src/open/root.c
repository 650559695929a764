/* What a root is, seen from its block, and the store below it. */
#include <varvite/open.h>

#include "cbor/reader.h"
#include "util/buf.h"
#include "util/error.h"
#include "util/options.h"

#include <varvite/cid.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *vv_layout_name(vv_layout layout)
{
    switch (layout) {
    case VV_LAYOUT_HAMT:
        return "HAMT";
    case VV_LAYOUT_SHARDED_V2:
        return "sharded v2";
    case VV_LAYOUT_SHARDED_V1:
        return "sharded v1";
    case VV_LAYOUT_ENCRYPTED:
        return "encrypted";
    }
    return "unknown";
}

/* ---- what a root is ------------------------------------------------------------------------- */

static vv_status know_version(vv_bytes version, vv_layout *out, vv_error *err)
{
    static const struct {
        const char *version;
        vv_layout layout;
    } known[] = { { "sharded_zarr_v2", VV_LAYOUT_SHARDED_V2 },
                  { "sharded_zarr_v1", VV_LAYOUT_SHARDED_V1 } };

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (vvi_bytes_equal(version, vv_bytes_of(known[i].version))) {
            *out = known[i].layout;
            return VV_OK;
        }
    return vvi_fail(err, VV_EUNSUPPORTED,
                    "manifest version '%.*s'; this build knows sharded_zarr_v1 and "
                    "sharded_zarr_v2",
                    (int)(version.len < 80 ? version.len : 80),
                    (const char *)version.data);
}

/* Names of the members so far, for the message: "'a', 'b', …". */
typedef struct member_names {
    char text[120];
    size_t len;
    bool full;
} member_names;

static void add_name(member_names *self, vv_bytes name)
{
    size_t room = sizeof(self->text) - self->len;
    int written;

    if (self->full)
        return;
    self->full = name.len > 30 || name.len + 12 > room;
    written = self->full
                  ? snprintf(self->text + self->len, room, "%s…", self->len ? ", " : "")
                  : snprintf(self->text + self->len, room, "%s'%.*s'",
                             self->len ? ", " : "", (int)name.len,
                             (const char *)name.data);
    self->len += written > 0 ? (size_t)written : 0;
}

/* A map: sharded stores say which they are by a member of it. */
static vv_status look_at_map(vv_cbor_reader *reader, uint64_t members, vv_layout *out,
                             vv_error *err)
{
    member_names names = { .len = 0 };
    vv_cbor_item item;

    for (uint64_t i = 0; i < members; i++) {
        bool found;

        VVI_TRY(vv_cbor_next(reader, &item, err));
        found = vvi_bytes_equal(item.bytes, vv_bytes_of("manifest_version"));
        add_name(&names, item.bytes);
        VVI_TRY(vv_cbor_next(reader, &item, err));
        if (found && item.kind == VV_CBOR_TEXT)
            return know_version(item.bytes, out, err);
        if (found)
            return vvi_fail(err, VV_EUNSUPPORTED, "the manifest version is no text");
        VVI_TRY(vvi_cbor_skip(reader, &item, err));
    }
    return vvi_fail(err, VV_ECORRUPT,
                    "no root of a store, but a map of %" PRIu64 " member%s: %s", members,
                    members == 1 ? "" : "s", names.text);
}

static bool is_encrypted(vv_bytes block)
{
#ifdef VV_HAVE_ENCRYPTED
    return vv_encrypted_is_root(block);
#else
    (void)block;
    return false;
#endif
}

static vv_status look_at_block(vv_bytes block, vv_layout *out, vv_error *err)
{
    vv_cbor_reader reader;
    vv_cbor_item item;
    vv_status status;

    if (is_encrypted(block)) {
        *out = VV_LAYOUT_ENCRYPTED;
        return VV_OK;
    }
    vvi_cbor_reader_init(&reader, block);
    status = vv_cbor_next(&reader, &item, err);
    if (status) {
        status = vvi_wrap(err, VV_ECORRUPT, "no root of a store");
    } else if (item.kind == VV_CBOR_LIST) {
        *out = VV_LAYOUT_HAMT; /* how many there are in it is checked when it is opened */
    } else if (item.kind == VV_CBOR_MAP) {
        status = look_at_map(&reader, item.u.count, out, err);
    } else {
        status = vvi_fail(err, VV_ECORRUPT,
                          "no root of a store, but a single value of DAG-CBOR");
    }
    vvi_cbor_reader_clear(&reader);
    return status;
}

static vv_status look_at_root(vv_blockstore *blocks, const vv_cid *root, vv_layout *out,
                              vv_error *err)
{
    vv_buf block = VV_BUF_INIT;
    vv_status status;

    /* Bare multihashes have no codec. */
    if (root->version != VV_CID_BARE && root->codec == VV_CODEC_RAW)
        return vvi_fail(err, VV_ECORRUPT, "no root of a store, but a block of raw bytes");
    if (root->version != VV_CID_BARE && root->codec == VV_CODEC_DAG_PB)
        return vvi_fail(err, VV_ECORRUPT,
                        "no root of a store, but a file or directory of UnixFS");
    status = vv_blockstore_get(blocks, root, &block, err);
    if (!status)
        status = look_at_block(vvi_buf_bytes(&block), out, err);
    vv_buf_clear(&block);
    return status;
}

vv_status vv_root_layout(vv_blockstore *blocks, const vv_cid *root, vv_layout *out,
                         vv_error *err)
{
    char text[VV_CID_TEXT_MAX];
    vv_status status = look_at_root(blocks, root, out, err);

    if (status != VV_ECORRUPT && status != VV_EUNSUPPORTED)
        return status;
    vv_cid_format(root, text);
    return vvi_wrap(err, status, "%s", text);
}

/* ---- the store below it ----------------------------------------------------------------------- */

/* Let the HAMT in store be read and written in py-hamt's encrypted format. */
static vv_status encrypt_values(vv_store **store, const vv_root_options *given,
                                vv_error *err)
{
#ifdef VV_HAVE_ENCRYPTED
    vv_store *inner = *store;
    vv_status status = vv_pyhamt_encrypted_store_new(inner, given->key, given->header,
                                                     store, err);

    vv_store_free(inner); /* which the outer one holds */
    if (status)
        *store = NULL;
    return status;
#else
    (void)given;
    vv_store_free(*store);
    *store = NULL;
    return vvi_fail(err, VV_EUNSUPPORTED, "this build has no encrypted stores");
#endif
}

static vv_status open_hamt(vv_blockstore *blocks, const vv_cid *root,
                           const vv_root_options *given, vv_store **out, vv_error *err)
{
    vv_hamt_options options = given->hamt;

    if (!options.struct_size)
        options.struct_size = sizeof(options);
    options.read_only = given->read_only;
    VVI_TRY(vv_hamt_store_open(blocks, root, &options, out, err));
    return given->key ? encrypt_values(out, given, err) : VV_OK;
}

static vv_status open_sharded(vv_blockstore *blocks, const vv_cid *root, vv_layout layout,
                              const vv_root_options *given, vv_store **out, vv_error *err)
{
#ifdef VV_HAVE_SHARDED
    vv_sharded_options options = given->sharded;

    if (given->key)
        return vvi_fail(err, VV_EINVAL,
                        "a %s root is not encrypted: no key opens it, and none is needed",
                        vv_layout_name(layout));
    if (!options.struct_size)
        options.struct_size = sizeof(options);
    options.read_only = given->read_only;
    options.version = layout == VV_LAYOUT_SHARDED_V1 ? VV_SHARDED_V1 : VV_SHARDED_V2;
    return vv_sharded_store_open(blocks, root, &options, out, err);
#else
    (void)blocks;
    (void)root;
    (void)given;
    (void)out;
    return vvi_fail(err, VV_EUNSUPPORTED, "%s: this build has no sharded stores",
                    vv_layout_name(layout));
#endif
}

#ifdef VV_HAVE_ENCRYPTED
/* Say whose key is wanted. */
static vv_status ask_for_key(vv_blockstore *blocks, const vv_cid *root, vv_error *err)
{
    char id[VV_KEY_ID_TEXT_MAX] = "";
    vv_encrypted_info info;
    size_t count = 0;

    if (!root)
        return vvi_fail(err, VV_EINVAL, "a new encrypted store needs a key");
    VVI_TRY(vv_encrypted_info_read(blocks, root, &info, err));
    count = info.key_count;
    if (count)
        vv_key_id_format(info.key_ids[0], id);
    vv_encrypted_info_clear(&info);
    return vvi_fail(err, VV_EAUTH, "the root is encrypted; it is opened by key %s%s", id,
                    count > 1 ? " and others" : "");
}
#endif

static vv_status open_encrypted(vv_blockstore *blocks, const vv_cid *root,
                                const vv_root_options *given, vv_store **out,
                                vv_error *err)
{
#ifdef VV_HAVE_ENCRYPTED
    vv_encrypted_options options = given->encrypted;

    if (given->header.len)
        return vvi_fail(
            err, VV_EINVAL,
            "a header is of py-hamt's encrypted format, and this root is not");
    if (!given->key)
        return ask_for_key(blocks, root, err);
    if (!options.struct_size)
        options.struct_size = sizeof(options);
    options.read_only = given->read_only;
    return vv_encrypted_store_open(blocks, root, given->key, &options, out, err);
#else
    (void)blocks;
    (void)root;
    (void)given;
    (void)out;
    return vvi_fail(err, VV_EUNSUPPORTED, "this build has no encrypted stores");
#endif
}

vv_status vv_root_open(vv_blockstore *blocks, const vv_cid *root,
                       const vv_root_options *given, vv_store **out, vv_error *err)
{
    vv_root_options options;
    vv_layout layout;

    VVI_TRY(vvi_read_options(&options, sizeof(options), given, err));
    if (options.header.len && !options.key)
        return vvi_fail(err, VV_EINVAL, "a header without a key");
    layout = options.layout;
    if (root)
        VVI_TRY(vv_root_layout(blocks, root, &layout, err));
    switch (layout) {
    case VV_LAYOUT_HAMT:
        return open_hamt(blocks, root, &options, out, err);
    case VV_LAYOUT_SHARDED_V2:
    case VV_LAYOUT_SHARDED_V1:
        return open_sharded(blocks, root, layout, &options, out, err);
    case VV_LAYOUT_ENCRYPTED:
        return open_encrypted(blocks, root, &options, out, err);
    }
    return vvi_fail(err, VV_EINVAL, "layout %d is not known", (int)layout);
}

/* ---- verification ------------------------------------------------------------------------------ */

/* The root is none, for what err, which is not NULL, says. */
static vv_status report_root(const vv_cid *root, vv_status status,
                             const vv_verify_options *given, vv_verify_result *result,
                             vv_error *err)
{
    vv_verify_options options;
    vv_error why = *err;
    vv_verify_finding finding = { .status = status,
                                  .is_node = true,
                                  .key = "root",
                                  .cid = root,
                                  .message = why.message };
    vv_status answer = VV_OK;

    VVI_TRY(vvi_read_options(&options, sizeof(options), given, err));
    if (result && status == VV_ENOTFOUND)
        result->missing = 1;
    else if (result)
        result->bad = 1;
    if (result)
        result->complete = true;
    if (options.report)
        answer = options.report(options.ctx, &finding);
    return answer ? vvi_fail(err, answer, "stopped by the one who is told of findings")
                  : vvi_fail(err, VV_ECORRUPT, "the root is %s",
                             status == VV_ENOTFOUND ? "missing" : "bad");
}

static vv_status verify_sharded(vv_blockstore *blocks, const vv_cid *root,
                                const vv_verify_options *options,
                                vv_verify_result *result, vv_error *err)
{
#ifdef VV_HAVE_SHARDED
    return vv_sharded_verify(blocks, root, options, result, err);
#else
    (void)blocks;
    (void)root;
    (void)options;
    (void)result;
    return vvi_fail(err, VV_EUNSUPPORTED, "this build has no sharded stores");
#endif
}

/* The HAMT below it, whose values and names are ciphertext. */
static vv_status verify_encrypted(vv_blockstore *blocks, const vv_cid *root,
                                  const vv_verify_options *options,
                                  vv_verify_result *result, vv_error *err)
{
#ifdef VV_HAVE_ENCRYPTED
    vv_encrypted_info info;
    vv_status status;

    VVI_TRY(vv_encrypted_info_read(blocks, root, &info, err));
    status = vv_hamt_verify(blocks, &info.tree, options, result, err);
    result->nodes++;
    vv_encrypted_info_clear(&info);
    return status;
#else
    (void)blocks;
    (void)root;
    (void)options;
    (void)result;
    return vvi_fail(err, VV_EUNSUPPORTED, "this build has no encrypted stores");
#endif
}

static vv_status verify_known(vv_blockstore *blocks, const vv_cid *root,
                              const vv_verify_options *options, vv_verify_result *result,
                              vv_error *err)
{
    vv_layout layout;

    VVI_TRY(vv_root_layout(blocks, root, &layout, err));
    if (layout == VV_LAYOUT_HAMT)
        return vv_hamt_verify(blocks, root, options, result, err);
    if (layout == VV_LAYOUT_ENCRYPTED)
        return verify_encrypted(blocks, root, options, result, err);
    return verify_sharded(blocks, root, options, result, err);
}

static bool is_told(const vv_verify_result *result)
{
    return result->nodes || result->bad || result->missing || result->unread;
}

vv_status vv_root_verify(vv_blockstore *blocks, const vv_cid *root,
                         const vv_verify_options *options, vv_verify_result *result,
                         vv_error *err)
{
    vv_verify_result own = { 0 };
    vv_error why = VV_ERROR_INIT;
    vv_status status = verify_known(blocks, root, options, &own, &why);

    /* What could not even be looked into is the one finding. */
    if ((status == VV_ENOTFOUND || status == VV_ECORRUPT || status == VV_EUNSUPPORTED) &&
        !is_told(&own))
        status = report_root(root, status, options, &own, &why);
    if (result)
        *result = own;
    if (status && err)
        *err = why;
    return status;
}
