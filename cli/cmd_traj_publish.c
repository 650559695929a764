/* traj publish: a recording into a store, as Zarr. */
#include "out.h"
#include "progress.h"
#include "stores.h"
#include "traj.h"

#include <varvite/convert.h>

#include <stdlib.h>
#include <string.h>

typedef struct publish {
    cli_call *call;
    cli_progress progress;
    vv_transfer_options options;
    vv_compression compression;
    vv_transfer_result result;
} publish;

static vv_status read_options(cli_call *call, publish *self)
{
    uint64_t threads;

    self->options = VV_TRANSFER_OPTIONS_INIT;
    vv_status status = cli_number(call, "threads", 0, 1024, &threads);
    if (!status)
        status = cli_size(call, "memory", 0, &self->options.memory_bytes);
    if (!status)
        status = traj_compression(call, &self->compression);
    if (!status)
        status = traj_row_range(call, &self->options.rows);
    if (status)
        return status;
    if (cli_text(call, "to") && cli_text(call, "root"))
        return cli_usage(call, "--to does not go with --root");
    self->options.compression = &self->compression;
    self->options.threads = (uint32_t)threads;
    self->options.group = cli_text(call, "group");
    self->options.checksum = cli_has(call, "checksum");
    self->options.overwrite = cli_has(call, "force");
    self->options.unverified = cli_has(call, "no-verify");
    self->options.progress = progress_tick;
    self->options.ctx = &self->progress;
    return VV_OK;
}

vv_status cmd_traj_publish(cli_call *call)
{
    const char *to = cli_text(call, "to");
    char *into = cli_strdup(cli_text(call, "into") ? cli_text(call, "into") : "");
    publish self = { .call = call };
    cli_tree tree = { NULL, NULL };
    vv_store *directory = NULL;
    vv_traj *traj = NULL;

    vv_status status = read_options(call, &self);
    if (!status)
        status = traj_open(call, call->args[0], &traj);
    if (!status && to)
        status = traj_open_directory(call, to, &directory);
    if (!status && !to)
        status = cli_tree_open(call, cli_text(call, "root"), &tree);
    if (status)
        goto done;
    progress_begin(&self.progress, call, "publish");
    status = vv_traj_publish(traj, to ? directory : tree.store, cli_trim_slashes(into),
                             &self.options, &self.result, &call->err);
    progress_hide();
    if (!status && to)
        status = vv_store_flush(directory, &call->err);
    if (!status)
        traj_report_transfer(call, &self.result, progress_ms(&self.progress));
    if (status == VV_EEXISTS)
        cli_wrap(call, status, "give --force to replace a recording");

done:
    cli_tree_clear(&tree);
    vv_store_free(directory);
    vv_traj_close(traj);
    free(into);
    return status;
}
