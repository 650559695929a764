/* get, cat, put and rm: values by key. */
#include "out.h"
#include "stores.h"

#include <stdlib.h>
#include <string.h>

static vv_status range_option(cli_call *call, vv_range *range)
{
    uint64_t offset, length, last;
    vv_status status = cli_number(call, "offset", 0, UINT64_MAX, &offset);

    if (!status)
        status = cli_number(call, "length", 0, UINT64_MAX, &length);
    if (!status)
        status = cli_number(call, "last", 0, UINT64_MAX, &last);
    if (status)
        return status;
    if (cli_has(call, "last") && (cli_has(call, "offset") || cli_has(call, "length")))
        return cli_usage(call, "--last excludes --offset and --length");
    *range = cli_has(call, "last")     ? VV_RANGE_SUFFIX(last)
             : cli_has(call, "length") ? VV_RANGE_OF(offset, length)
                                       : VV_RANGE_AT(offset);
    return VV_OK;
}

static vv_status write_value(cli_call *call, vv_store *store, const char *key,
                             vv_range range, cli_result_file *out)
{
    vv_buf value = VV_BUF_INIT;
    vv_status status = vv_store_get(store, key, range, &value, &call->err);

    if (!status)
        status = result_write(out, (vv_bytes){ value.data, value.len });
    if (status == VV_ENOTFOUND)
        cli_fail(call, status,
                 "no key '%.150s'; 'varvite ls' lists them, 'varvite slice' "
                 "shows arrays",
                 key);
    vv_buf_clear(&value);
    return status;
}

vv_status cmd_get(cli_call *call)
{
    cli_result_file out = { NULL, NULL, NULL, NULL };
    vv_store *store = NULL;
    vv_range range = VV_RANGE_ALL;

    vv_status status = range_option(call, &range);
    if (!status)
        status = cli_open_root(call, call->args[0], &store);
    if (!status)
        status = result_open(call, cli_text(call, "output"), &out);
    if (!status)
        status = write_value(call, store, call->args[1], range, &out);
    if (!status)
        status = result_commit(&out);
    result_clear(&out);
    vv_store_free(store);
    return status;
}

static vv_status cat_block(cli_call *call)
{
    vv_blockstore *blocks = NULL;
    vv_buf block = VV_BUF_INIT;
    vv_cid cid;

    vv_status status = cli_cid(call, call->args[0], &cid);
    if (!status)
        status = cli_open_blocks(call, CLI_READ, &blocks);
    if (!status)
        status = vv_blockstore_get(blocks, &cid, &block, &call->err);
    if (!status)
        out_bytes((vv_bytes){ block.data, block.len });
    vv_buf_clear(&block);
    vv_blockstore_free(blocks);
    return status;
}

vv_status cmd_cat(cli_call *call)
{
    cli_result_file out = { NULL, NULL, NULL, NULL };
    vv_store *store = NULL;

    if (call->arg_count == 1)
        return cat_block(call);
    vv_status status = cli_open_root(call, call->args[0], &store);
    for (size_t i = 1; i < call->arg_count && !status; i++)
        status = write_value(call, store, call->args[i], VV_RANGE_ALL, &out);
    vv_store_free(store);
    return status;
}

vv_status cmd_put(cli_call *call)
{
    const char *root = call->arg_count == 3 ? call->args[0] : NULL;
    const char *key = call->args[call->arg_count - 2];
    const char *path = call->args[call->arg_count - 1];
    cli_tree tree = { NULL, NULL };
    void *owner = NULL;
    vv_bytes value;

    vv_status status = input_read(call, path, VV_BLOCK_BYTES_MAX, &value, &owner);
    if (!status)
        status = cli_tree_open(call, root, &tree);
    if (!status)
        status = vv_store_set(tree.store, key, value, &call->err);
    if (!status)
        status = cli_tree_finish(call, &tree);
    cli_tree_clear(&tree);
    free(owner);
    return status;
}

/* Delete a key, and with -r what is below it; how many keys went. */
static vv_status remove_key(cli_call *call, vv_store *store, const char *key,
                            uint64_t *removed)
{
    vv_status status;
    bool there;

    *removed = 0;
    status = vv_store_exists(store, key, &there, &call->err);
    if (!status && there) {
        status = vv_store_delete(store, key, &call->err);
        *removed = 1;
    }
    if (!status && cli_has(call, "recursive")) {
        uint64_t below = 0;
        size_t cap = strlen(key) + 2;
        char *copy = cli_strdup(key);
        char *prefix = cli_alloc(cap);
        strcpy(prefix, cli_trim_slashes(copy));
        if (*prefix)
            strcat(prefix, "/");
        status = vv_store_delete_prefix(store, prefix, &below, &call->err);
        *removed += below;
        free(prefix);
        free(copy);
    }
    return status;
}

vv_status cmd_rm(cli_call *call)
{
    cli_tree tree = { NULL, NULL };
    uint64_t total = 0;

    vv_status status = cli_tree_open(call, call->args[0], &tree);
    for (size_t i = 1; i < call->arg_count && !status; i++) {
        uint64_t removed;
        status = remove_key(call, tree.store, call->args[i], &removed);
        if (!status && !removed && !cli_has(call, "force"))
            status = cli_fail(call, VV_ENOTFOUND, "%.200s: no such key%s", call->args[i],
                              cli_has(call, "recursive")
                                  ? " and none below it"
                                  : "; -r deletes what is below a path");
        total += removed;
    }
    if (!status)
        status = cli_tree_finish(call, &tree);
    if (!status)
        cli_talk(call, "%s deleted", cli_count_text(total, "key"));
    cli_tree_clear(&tree);
    return status;
}
