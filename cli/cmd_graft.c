/* graft: chunks of one sharded root in an array of another. */
#include "lengths.h"
#include "out.h"
#include "progress.h"
#include "stores.h"

#include <varvite/sharded.h>

/* Both roots must be sharded ones; that of TARGET was opened. */
static vv_status check_layout(cli_call *call, vv_blockstore *blocks, const char *text,
                              const vv_cid *root)
{
    vv_layout layout;
    vv_status status = vv_root_layout(blocks, root, &layout, &call->err);

    if (status || layout == VV_LAYOUT_SHARDED_V2 || layout == VV_LAYOUT_SHARDED_V1)
        return status;
    return cli_fail(
        call, VV_EINVAL, "%.200s is %s %s root, and graft takes sharded ones%s", text,
        layout == VV_LAYOUT_ENCRYPTED ? "an" : "a", vv_layout_name(layout),
        layout == VV_LAYOUT_HAMT ? ": 'varvite convert' makes one of it" : "");
}

static void report(cli_call *call, const vv_cid *root, uint64_t grafted)
{
    cli_talk(call, "%s grafted", cli_count_text(grafted, "chunk"));
    if (!call->json) {
        out_cid(root);
        out_text("\n");
        return;
    }
    json_object(NULL);
    json_cid("root", root);
    json_uint("chunks", grafted);
    json_end();
}

vv_status cmd_graft(cli_call *call)
{
    vv_graft_options options = VV_GRAFT_OPTIONS_INIT;
    uint64_t at[CLI_LENGTHS_MAX];
    cli_tree tree = { NULL, NULL };
    cli_progress progress;
    uint64_t grafted = 0;
    uint32_t ndim;
    vv_cid target, source;
    vv_cid root;

    if (!cli_text(call, "at"))
        return cli_usage(call, "--at is needed: an offset in chunks for each dimension");
    vv_status status = cli_lengths(call, "--at", cli_text(call, "at"), at, &ndim);
    if (!status)
        status = cli_cid(call, call->args[1], &source);
    if (!status)
        status = cli_cid(call, call->args[0], &target);
    if (!status)
        status = cli_tree_open(call, call->args[0], &tree);
    if (!status)
        status = check_layout(call, tree.blocks, call->args[0], &target);
    if (!status)
        status = check_layout(call, tree.blocks, call->args[1], &source);
    if (status)
        goto done;
    options.source_array_path = cli_text(call, "source-array");
    options.target_array_path = cli_text(call, "array");
    options.progress = progress_tick;
    options.ctx = &progress;
    progress_begin(&progress, call, "graft");
    status = vv_sharded_store_graft(tree.store, &source, ndim, at, &options, &grafted,
                                    &call->err);
    progress_hide();
    if (!status)
        status = cli_tree_commit(call, &tree, &root);
    if (!status)
        report(call, &root, grafted);

done:
    cli_tree_clear(&tree);
    return status;
}
