/* What the commands that write recordings share. */
#include "out.h"
#include "stores.h"
#include "traj.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

vv_status traj_open_directory(cli_call *call, const char *path, vv_store **out)
{
    vv_status status = cli_check_parent(call, path);

    *out = NULL;
    if (!status)
        status = vv_directory_store_open(path, false, out, &call->err);
    if (!status)
        status = cli_check_directory(call, *out, path);
    if (status) {
        vv_store_free(*out);
        *out = NULL;
    }
    return status;
}

vv_status traj_check_absent(cli_call *call, const char *path)
{
    struct stat info;

    /* Devices and pipes are written to. */
    if (cli_has(call, "force") || stat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return VV_OK;
    return cli_fail(call, VV_EEXISTS,
                    "%.200s is there already; give --force to replace it", path);
}

bool traj_begin_result(cli_call *call, const vv_cid *root)
{
    if (call->json) {
        json_object(NULL);
        if (root)
            json_cid("root", root);
        return true;
    }
    if (root) {
        out_cid(root);
        out_text("\n");
    }
    return false;
}

void traj_report_transfer(cli_call *call, const vv_transfer_result *result, uint64_t ms)
{
    cli_talk(call, "%s of %s in %s, %s; %s stored%s, in %.1f s",
             cli_count_text(result->rows, "row"), cli_count_text(result->leaves, "array"),
             cli_count_text(result->groups, "group"), cli_bytes_text(result->bytes),
             cli_bytes_text(result->stored_bytes),
             result->verified ? ", read back and equal" : "", (double)ms / 1000);
    if (!traj_begin_result(call, result->has_root ? &result->root : NULL))
        return;
    json_uint("groups", result->groups);
    json_uint("leaves", result->leaves);
    json_uint("rows", result->rows);
    json_uint("bytes", result->bytes);
    json_uint("stored_bytes", result->stored_bytes);
    json_bool("verified", result->verified);
    json_end();
}

vv_status traj_compression(cli_call *call, vv_compression *out)
{
    static const struct {
        const char *name;
        vv_compression_codec codec;
    } codecs[] = { { "none", VV_COMPRESS_NONE },
                   { "zstd", VV_COMPRESS_ZSTD },
                   { "gzip", VV_COMPRESS_GZIP },
                   { "lzf", VV_COMPRESS_LZF },
                   { "blosc", VV_COMPRESS_BLOSC } };
    const char *text = cli_text(call, "codec");
    const char *colon = text ? strchr(text, ':') : NULL;
    size_t len = text ? (colon ? (size_t)(colon - text) : strlen(text)) : 0;
    char *end;
    long level;

    *out = (vv_compression){ .codec = VV_COMPRESS_DEFAULT };
    vv_status status = cli_size(call, "chunk", 0, &out->chunk_bytes);
    if (status || !text)
        return status;
    for (size_t i = 0; i < sizeof(codecs) / sizeof(*codecs); i++)
        if (strlen(codecs[i].name) == len && strncmp(codecs[i].name, text, len) == 0)
            out->codec = codecs[i].codec;
    if (out->codec == VV_COMPRESS_DEFAULT)
        return cli_usage(call,
                         "--codec %.60s: none, zstd, gzip, lzf or blosc, with a "
                         "level behind a colon as in zstd:3",
                         text);
    if (!colon)
        return VV_OK;
    level = strtol(colon + 1, &end, 10);
    if (end == colon + 1 || *end || level < 1 ||
        level > (out->codec == VV_COMPRESS_ZSTD ? 22 : 9))
        return cli_usage(call, "--codec %.60s: that is no level", text);
    out->level = (int32_t)level;
    return VV_OK;
}

/* A number of a range; *there: one stands there. */
static bool read_part(const char **at, uint64_t *out, bool *there)
{
    char *end;

    *there = **at >= '0' && **at <= '9';
    if (!*there)
        return **at == ':' || **at == '\0';
    *out = strtoull(*at, &end, 10);
    *at = end;
    return *end == ':' || *end == '\0';
}

vv_status traj_row_range(cli_call *call, vv_row_range *out)
{
    const char *text = cli_text(call, "rows");
    const char *at = text;
    uint64_t parts[3] = { 0, UINT64_MAX, 1 };
    int n = 0;

    *out = VV_ROW_RANGE_ALL;
    if (!text)
        return VV_OK;
    for (;; at++) {
        bool there;

        if (n == 3 || !read_part(&at, &parts[n++], &there))
            break;
        if (*at == '\0') {
            if (n == 1 && !there)
                break;
            if (n == 1) /* one row */
                parts[1] = parts[0] + 1;
            if (parts[2] == 0)
                break;
            *out = (vv_row_range){ parts[0], parts[1], parts[2] };
            return VV_OK;
        }
    }
    return cli_usage(call,
                     "--rows %.60s: rows are given as START:STOP:STEP, as in "
                     "100:200, ::10 or 7",
                     text);
}
