/*
 * A block that is opened as a root of whatever layout: what it is told to be, it opens as, or is refused with
 * a message; what verifies opens, and what does not open does not verify.
 */
#include "fuzz.h"

#include "util/buf.h"

#include <varvite/open.h>

static vv_status ignore_finding(void *ctx, const vv_verify_finding *finding)
{
    (void)ctx;
    CHECK(finding->key != NULL && finding->message != NULL && finding->cid != NULL);
    return VV_OK;
}

static bool is_refusal(vv_status status)
{
    return status == VV_ECORRUPT || status == VV_EUNSUPPORTED;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const vv_cid_prefix prefix = VV_PREFIX_CBOR_BLAKE3;
    vv_verify_options verify = VV_VERIFY_OPTIONS_INIT;
    vv_root_options options = VV_ROOT_OPTIONS_INIT;
    vv_blockstore *blocks = NULL;
    vv_verify_result result;
    vv_store *store = NULL;
    vv_error err = VV_ERROR_INIT;
    vv_layout layout;
    vv_status known, opened, verified;
    vv_cid root;

    CHECK(vv_memory_blockstore_new(&blocks, NULL) == VV_OK);
    CHECK(vv_blockstore_put(blocks, &prefix, vvi_bytes(data, len), &root, NULL) == VV_OK);
    options.read_only = true;
    verify.threads = 1;
    verify.report = ignore_finding;
    known = vv_root_layout(blocks, &root, &layout, &err);
    opened = vv_root_open(blocks, &root, &options, &store, &err);
    verified = vv_root_verify(blocks, &root, &verify, &result, &err);
    if (known) {
        CHECK(is_refusal(known) && opened == known);
        CHECK(verified == VV_ECORRUPT && result.bad == 1);
    } else if (layout == VV_LAYOUT_ENCRYPTED) {
        CHECK(opened == VV_EAUTH || is_refusal(opened));
    } else {
        CHECK(opened == VV_OK || is_refusal(opened) || opened == VV_ELIMIT);
        CHECK(opened == VV_OK || verified != VV_OK);
    }
    vv_store_free(store);
    vv_blockstore_free(blocks);
    return 0;
}
