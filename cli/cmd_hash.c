#include "out.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE_BYTES ((size_t)1 << 20)

static vv_status hash_file(cli_call *call, const char *path, vv_cid *cid)
{
    uint8_t *piece = NULL;
    vv_hasher *hasher = NULL;
    int fd;

    vv_status status = input_open(call, path, &fd);
    if (status)
        return status;
    status = vv_hasher_new(cid->hash, &hasher, &call->err);
    piece = cli_alloc(PIECE_BYTES);
    while (!status) {
        ssize_t n = read(fd, piece, PIECE_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            status = cli_fail_errno(call, "%s", path);
        if (n <= 0)
            break;
        status = vv_hasher_update(hasher, (vv_bytes){ piece, (size_t)n }, &call->err);
    }
    cid->digest_len = (uint8_t)vv_hash_size(cid->hash);
    if (!status)
        status = vv_hasher_finish(hasher, cid->digest, cid->digest_len, &call->err);
    vv_hasher_free(hasher);
    free(piece);
    input_close(fd);
    return status;
}

static void hex_text(const vv_cid *cid, char out[2 * VV_DIGEST_MAX + 1])
{
    out[0] = '\0';
    for (size_t i = 0; i < cid->digest_len; i++)
        snprintf(out + 2 * i, 3, "%02x", cid->digest[i]);
}

static void print_one(cli_call *call, const char *path, const vv_cid *cid,
                      const char *text)
{
    if (call->json) {
        char hex[2 * VV_DIGEST_MAX + 1];
        hex_text(cid, hex);
        json_object(NULL);
        json_text("file", path);
        json_text("cid", text);
        json_text("hash", vv_hash_name(cid->hash));
        json_text("digest", hex);
        json_end();
        return;
    }
    out_text(text);
    if (call->arg_count > 1) {
        out_text("  ");
        out_name(path);
    }
    out_text("\n");
}

vv_status cmd_hash(cli_call *call)
{
    char text[VV_CID_TEXT_MAX];
    vv_cid cid = { .version = 1 };
    vv_status status = cli_hash_option(call, &cid.hash);

    if (!status)
        status = cli_codec_option(call, &cid.codec);
    if (status)
        return status;
    if (call->json)
        json_list(NULL);
    for (size_t i = 0; i < call->arg_count && !status; i++) {
        status = hash_file(call, call->args[i], &cid);
        if (!status && cli_has(call, "digest") && !call->json)
            hex_text(&cid, text);
        else if (!status)
            status = vv_cid_format_base(&cid, cli_base_option(call, 'b'), text,
                                        &call->err);
        if (!status)
            print_one(call, call->args[i], &cid, text);
    }
    if (call->json)
        json_end();
    return status;
}
