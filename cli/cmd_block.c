/* block get, put, stat, ls, rm. */
#include "out.h"
#include "stores.h"

#include <stdlib.h>
#include <string.h>

static vv_status write_block(cli_call *call, vv_blockstore *blocks, const char *cid_text,
                             cli_result_file *out)
{
    vv_buf block = VV_BUF_INIT;
    vv_cid cid;

    vv_status status = cli_cid(call, cid_text, &cid);
    if (!status)
        status = vv_blockstore_get(blocks, &cid, &block, &call->err);
    if (!status)
        status = result_write(out, (vv_bytes){ block.data, block.len });
    vv_buf_clear(&block);
    return status;
}

vv_status cmd_block_get(cli_call *call)
{
    cli_result_file out = { NULL, NULL, NULL, NULL };
    vv_blockstore *blocks = NULL;

    vv_status status = cli_open_blocks(call, CLI_READ, &blocks);
    if (!status)
        status = result_open(call, cli_text(call, "output"), &out);
    if (!status)
        status = write_block(call, blocks, call->args[0], &out);
    if (!status)
        status = result_commit(&out);
    result_clear(&out);
    vv_blockstore_free(blocks);
    return status;
}

static vv_status put_file(cli_call *call, vv_blockstore *blocks, const char *path,
                          const vv_cid_prefix *prefix, vv_cid *cid)
{
    void *owner = NULL;
    vv_bytes data;

    vv_status status = input_read(call, path, VV_BLOCK_BYTES_MAX, &data, &owner);
    if (!status)
        status = vv_blockstore_put(blocks, prefix, data, cid, &call->err);
    if (!status && call->json) {
        json_object(NULL);
        json_text("file", path);
        json_cid("cid", cid);
        json_uint("bytes", data.len);
        json_end();
    }
    free(owner);
    return status;
}

vv_status cmd_block_put(cli_call *call)
{
    vv_cid_prefix prefix = { .version = 1 };
    vv_blockstore *blocks = NULL;
    vv_cid *cids = cli_alloc(call->arg_count * sizeof(*cids));
    size_t done = 0;

    vv_status status = cli_hash_option(call, &prefix.hash);
    if (!status)
        status = cli_codec_option(call, &prefix.codec);
    if (!status)
        status = cli_open_blocks(call, CLI_WRITE, &blocks);
    if (status)
        goto done;
    if (call->json)
        json_list(NULL);
    for (; done < call->arg_count && !status; done += !status)
        status = put_file(call, blocks, call->args[done], &prefix, &cids[done]);
    if (call->json)
        json_end();
    if (done && (!status || !call->json)) {
        vv_error first = call->err;
        vv_status flushed = vv_blockstore_flush(blocks, &call->err);
        if (status)
            call->err = first;
        else
            status = flushed;
        for (size_t i = 0; i < done && !call->json && !flushed; i++) {
            out_cid(&cids[i]);
            out_text("\n");
        }
    }

done:
    free(cids);
    vv_blockstore_free(blocks);
    return status;
}

static vv_status block_size(cli_call *call, vv_blockstore *blocks, const char *text)
{
    uint64_t bytes;
    vv_cid cid;

    vv_status status = cli_cid(call, text, &cid);
    if (!status)
        status = vv_blockstore_size(blocks, &cid, &bytes, &call->err);
    if (status)
        return status;
    if (call->json) {
        json_object(NULL);
        json_text("cid", text);
        json_uint("bytes", bytes);
        json_end();
    } else {
        out_format("%s  %llu\n", text, (unsigned long long)bytes);
    }
    return VV_OK;
}

static vv_status store_stat(cli_call *call, vv_blockstore *blocks)
{
    vv_blockstore_stats stats;
    vv_status status = vv_blockstore_stat(blocks, &stats, &call->err);

    if (status)
        return status;
    if (call->json) {
        json_object(NULL);
        json_text("backend", vv_blockstore_name(blocks));
        json_uint("blocks", stats.block_count);
        json_uint("bytes", stats.block_bytes);
        json_uint("storage_bytes", stats.storage_bytes);
        json_end();
        return VV_OK;
    }
    out_format("backend  %s\nblocks   %llu\nbytes    %llu (%s)\n",
               vv_blockstore_name(blocks), (unsigned long long)stats.block_count,
               (unsigned long long)stats.block_bytes, cli_bytes_text(stats.block_bytes));
    if (stats.storage_bytes)
        out_format("storage  %llu (%s)\n", (unsigned long long)stats.storage_bytes,
                   cli_bytes_text(stats.storage_bytes));
    return VV_OK;
}

vv_status cmd_block_stat(cli_call *call)
{
    vv_blockstore *blocks = NULL;
    vv_status status = cli_open_blocks(call, CLI_READ, &blocks);

    if (!status && call->arg_count == 0)
        status = store_stat(call, blocks);
    else if (!status && call->json)
        json_list(NULL);
    for (size_t i = 0; i < call->arg_count && !status; i++)
        status = block_size(call, blocks, call->args[i]);
    if (blocks && call->arg_count && call->json)
        json_end();
    vv_blockstore_free(blocks);
    return status;
}

static vv_status list_block(void *ctx, const vv_cid *cid, uint64_t size, vv_error *err)
{
    const cli_call *call = ctx;
    vv_cid named = *cid;

    (void)err;
    if (named.version == VV_CID_BARE)
        named.version = 1;
    if (call->json) {
        json_object(NULL);
        json_cid("cid", &named);
        json_uint("bytes", size);
        json_end();
    } else {
        out_cid(&named);
        if (cli_has(call, "long"))
            out_format("  %llu", (unsigned long long)size);
        out_text("\n");
    }
    return out_failed() ? VV_ECANCELED : VV_OK;
}

vv_status cmd_block_ls(cli_call *call)
{
    vv_blockstore *blocks = NULL;
    vv_status status = cli_open_blocks(call, CLI_READ, &blocks);

    if (status)
        return status;
    if (call->json)
        json_list(NULL);
    status = vv_blockstore_iterate(blocks, list_block, call, &call->err);
    if (call->json)
        json_end();
    vv_blockstore_free(blocks);
    return status;
}

vv_status cmd_block_rm(cli_call *call)
{
    vv_blockstore *blocks = NULL;
    vv_cid cid;

    /* All names are read before the first block goes. */
    for (size_t i = 0; i < call->arg_count; i++) {
        vv_status bad = cli_cid(call, call->args[i], &cid);
        if (bad)
            return bad;
    }
    vv_status status = cli_open_blocks(call, CLI_WRITE, &blocks);
    for (size_t i = 0; i < call->arg_count && !status; i++) {
        status = cli_cid(call, call->args[i], &cid);
        if (!status)
            status = vv_blockstore_delete(blocks, &cid, &call->err);
    }
    if (!status)
        status = vv_blockstore_flush(blocks, &call->err);
    vv_blockstore_free(blocks);
    return status;
}
