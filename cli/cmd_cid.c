#include "out.h"

#include <stdio.h>
#include <string.h>

static const char shown_bases[] = { 'b', 'z', 'k', 'f', 'u' };

static void code_text(const char *name, uint32_t code, char out[64])
{
    snprintf(out, 64, "%s (0x%x)", name ? name : "unknown", code);
}

static void hex_text(const vv_cid *cid, char out[2 * VV_DIGEST_MAX + 1])
{
    out[0] = '\0';
    for (size_t i = 0; i < cid->digest_len; i++)
        snprintf(out + 2 * i, 3, "%02x", cid->digest[i]);
}

static void print_bases(cli_call *call, const vv_cid *cid)
{
    char text[VV_CID_TEXT_MAX];

    if (call->json)
        json_object("bases");
    for (size_t i = 0; i < sizeof(shown_bases); i++) {
        if (vv_cid_format_base(cid, shown_bases[i], text, NULL))
            continue;
        const char *name = vv_multibase_name(shown_bases[i]);
        if (call->json)
            json_text(name, text);
        else
            out_format("%-9s %s\n", name, text);
    }
    if (call->json)
        json_end();
}

static void print_parts(cli_call *call, const vv_cid *cid)
{
    char codec[64], hash[64], hex[2 * VV_DIGEST_MAX + 1];

    hex_text(cid, hex);
    if (call->json) {
        json_object(NULL);
        json_cid("cid", cid);
        json_uint("version", cid->version);
        json_text("codec", vv_codec_name(cid->codec));
        json_uint("codec_code", cid->codec);
        json_text("hash", vv_hash_name(cid->hash));
        json_uint("hash_code", cid->hash);
        json_uint("digest_bytes", cid->digest_len);
        json_text("digest", hex);
        print_bases(call, cid);
        json_end();
        return;
    }
    code_text(vv_codec_name(cid->codec), cid->codec, codec);
    code_text(vv_hash_name(cid->hash), cid->hash, hash);
    out_text("cid       ");
    out_cid(cid);
    out_format("\nversion   %u\ncodec     %s\nhash      %s, %u bytes\ndigest    %s\n",
               cid->version, codec, hash, cid->digest_len, hex);
    print_bases(call, cid);
}

vv_status cmd_cid(cli_call *call)
{
    char text[VV_CID_TEXT_MAX];
    char base = cli_base_option(call, 0);
    vv_status status = VV_OK;
    vv_cid cid;

    if (call->json)
        json_list(NULL);
    for (size_t i = 0; i < call->arg_count && !status; i++) {
        status = cli_cid(call, call->args[i], &cid);
        if (!status && base)
            status = vv_cid_format_base(&cid, base, text, &call->err);
        if (status)
            break;
        if (base && call->json) {
            json_text(NULL, text);
        } else if (base) {
            out_format("%s\n", text);
        } else {
            if (i && !call->json)
                out_text("\n");
            print_parts(call, &cid);
        }
    }
    if (call->json)
        json_end();
    return status;
}
