/* cas_ranges.json: the in-memory store of py-hamt, whose names are bare multihashes. */
#include "vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* offset wins over suffix; length counts only together with offset. */
static vv_range range_of(const json_t *load)
{
    int64_t offset = int_of(load, "offset", -1);
    int64_t length = int_of(load, "length", -1);
    int64_t suffix = int_of(load, "suffix", -1);

    if (offset >= 0 && length >= 0)
        return VV_RANGE_OF((uint64_t)offset, (uint64_t)length);
    if (offset >= 0)
        return VV_RANGE_AT((uint64_t)offset);
    return suffix >= 0 ? VV_RANGE_SUFFIX((uint64_t)suffix) : VV_RANGE_ALL;
}

static void run_load(vector_run *run, vv_blockstore *store, const vv_cid *cid,
                     const json_t *load)
{
    /* Where the reference is wrong, "sane" is what is right. */
    const char *sane = text_of(load, "sane");
    const char *want = sane ? sane : text_of(load, "result");
    char *name = json_dumps(load, 0);
    vv_buf got = VV_BUF_INIT;
    vv_error err = VV_ERROR_INIT;
    char *hex;

    if (vv_blockstore_get_range(store, cid, range_of(load), &got, &err)) {
        vector_fail(run, name, "%s", err.message);
    } else {
        hex = hex_of((vv_bytes){ got.data, got.len });
        if (strcmp(hex, want) == 0)
            vector_pass(run);
        else
            vector_fail(run, name, "%s", hex);
        free(hex);
    }
    vv_buf_clear(&got);
    free(name);
}

/* C has no id of another type to give to a call. It can meet one in a block: a HAMT whose first child is
 * named by typed must be refused as no node. */
static void run_other_type(vector_run *run, vv_blockstore *store, const char *what,
                           const char *typed)
{
    static const vv_cid_prefix bare = { VV_CODEC_RAW, VV_HASH_BLAKE3, VV_CID_BARE, 0 };
    static const uint8_t head[] = { 0x99, 0x01, 0x00, 0x81 };
    vv_hamt_options options = VV_HAMT_OPTIONS_INIT;
    json_t *value = json_loads(typed, 0, NULL);
    vv_buf id = VV_BUF_INIT;
    vv_hamt *hamt = NULL;
    uint8_t bytes[300];
    vv_status status;
    vv_cid cid;

    options.ids = bare;
    options.read_only = true;
    if (!value || vector_encode(value, &id) || id.len > 40) {
        vector_fail(run, what, "%s cannot be encoded", typed);
        goto done;
    }
    memset(bytes, 0xa0, sizeof(bytes)); /* 255 empty buckets behind it */
    memcpy(bytes, head, sizeof(head));
    memcpy(bytes + sizeof(head), id.data, id.len);
    if (vv_blockstore_put(store, &bare, (vv_bytes){ bytes, sizeof(head) + id.len + 255 },
                          &cid, NULL)) {
        vector_fail(run, what, "the node cannot be stored");
        goto done;
    }
    status = vv_hamt_open(store, &cid, &options, &hamt, NULL);
    if (status == VV_ECORRUPT)
        vector_pass(run);
    else
        vector_fail(run, what, "a node that names its child so: %s",
                    vv_status_name(status));

done:
    vv_hamt_free(hamt);
    vv_buf_clear(&id);
    json_decref(value);
}

static void run_errors(vector_run *run, vv_blockstore *store, const vv_cid *cid,
                       const json_t *errors)
{
    const json_t *item;
    size_t i;

    json_array_foreach(errors, i, item)
    {
        const char *what = text_of(item, "what");
        vv_cid other = *cid;
        vv_buf out = VV_BUF_INIT;
        vv_status want = VV_ENOTFOUND;
        vv_status status;

        if (strcmp(what, "unknown id") == 0) {
            other.digest[0] ^= 1;
        } else if (strcmp(what, "empty id") == 0) {
            other.digest_len = 0;
            want = VV_EINVAL;
        } else {
            run_other_type(run, store, what,
                           strcmp(what, "text") == 0      ? "{\"str\": \"abc\"}"
                           : strcmp(what, "integer") == 0 ? "{\"int\": \"7\"}"
                                                          : "{\"null\": true}");
            continue;
        }
        status = vv_blockstore_get(store, &other, &out, NULL);
        if (status == want)
            vector_pass(run);
        else
            vector_fail(run, what, "%s", vv_status_name(status));
        vv_buf_clear(&out);
    }
}

void run_cas_ranges(vector_run *run, const json_t *document)
{
    static const vv_cid_prefix bare = { VV_CODEC_RAW, VV_HASH_BLAKE3, VV_CID_BARE, 0 };
    vv_buf data = bytes_of_hex(text_of(document, "data"));
    vv_error err = VV_ERROR_INIT;
    vv_blockstore *store = NULL;
    const json_t *load;
    char text[VV_CID_TEXT_MAX];
    vv_cid cid;
    size_t i;

    if (vv_memory_blockstore_new(&store, &err) ||
        vv_blockstore_put(store, &bare, (vv_bytes){ data.data, data.len }, &cid, &err)) {
        vector_fail(run, "save", "%s", err.message);
        goto done;
    }
    vv_cid_format(&cid, text);
    if (strcmp(text + 1, text_of(document, "id")) == 0)
        vector_pass(run);
    else
        vector_fail(run, "save", "%s", text);
    json_array_foreach(json_object_get(document, "loads"), i, load)
        run_load(run, store, &cid, load);
    run_errors(run, store, &cid, json_object_get(document, "errors"));

done:
    vv_blockstore_free(store);
    vv_buf_clear(&data);
}
