#include "describe.h"
#include "fill.h"
#include "out.h"

#include <varvite/dataset.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct import {
    cli_fill fill; /* first: see cli_fill_tick() */
    vv_import_options options;
    vv_import_result result;
    uint64_t blocks_before;
} import;

static void planned(void *ctx, const char *path, const vv_array_meta *meta)
{
    import *self = ctx;
    char dimensions[512], lengths[VV_NDIM_MAX * 24], shards[VV_NDIM_MAX * 24] = "";
    const uint64_t *inner = meta->inner_chunk_shape;

    format_dimensions(meta, dimensions, sizeof(dimensions));
    format_lengths(inner ? inner : meta->chunk_shape, meta->ndim, lengths,
                   sizeof(lengths));
    if (inner)
        format_lengths(meta->chunk_shape, meta->ndim, shards, sizeof(shards));
    cli_talk(self->fill.call, "%.200s (%s) %s: chunks of %s%s%s, %s", path, dimensions,
             vv_dtype_name(meta->dtype), lengths, inner ? " in shards of " : "", shards,
             cli_bytes_text(chunk_bytes(meta)));
}

static vv_status read_options(cli_call *call, import *self)
{
    self->options = VV_IMPORT_OPTIONS_INIT;
    vv_status status = cli_fill_init(&self->fill, call, "var");
    if (status)
        return status;
    if (cli_text(call, "layout") && strcmp(cli_text(call, "layout"), "sharded") == 0 &&
        !cli_text(call, "into"))
        return cli_usage(call,
                         "--layout sharded needs --into GROUP: readers of that layout "
                         "look for arrays in groups");
    self->options.memory_bytes = self->fill.memory_bytes;
    self->options.threads = self->fill.threads;
    self->options.chunks = self->fill.chunks;
    self->options.shards = self->fill.shards;
    self->options.variables = self->fill.arrays;
    self->options.variable_count = self->fill.array_count;
    self->options.codecs = cli_text(call, "codec");
    self->options.text_as_bytes = cli_has(call, "text-as-bytes");
    self->options.skip_existing = cli_text(call, "resume") != NULL;
    self->options.overwrite = cli_has(call, "force");
    self->options.progress = cli_fill_tick;
    self->options.planned = planned;
    self->options.ctx = self;
    return VV_OK;
}

static uint64_t count_blocks(vv_blockstore *blocks)
{
    vv_blockstore_stats stats = { 0 };

    return vv_blockstore_stat(blocks, &stats, NULL) ? 0 : stats.block_count;
}

static void report(cli_call *call, import *self, cli_tree *tree, const vv_cid *root)
{
    const vv_import_result *result = &self->result;
    uint64_t fresh = count_blocks(tree->blocks) - self->blocks_before;

    cli_talk(call, "%s in %s, %s; %s stored, %s new, in %.1f s",
             cli_count_text(result->arrays, "array"),
             cli_count_text(result->chunks, "chunk"), cli_bytes_text(result->bytes),
             cli_bytes_text(result->stored_bytes), cli_count_text(fresh, "block"),
             (double)progress_ms(&self->fill.progress) / 1000);
    if (!call->json) {
        out_cid(root);
        out_text("\n");
        return;
    }
    json_object(NULL);
    json_cid("root", root);
    json_uint("groups", result->groups);
    json_uint("arrays", result->arrays);
    json_uint("chunks", result->chunks);
    json_uint("bytes", result->bytes);
    json_uint("stored_bytes", result->stored_bytes);
    json_uint("new_blocks", fresh);
    json_end();
}

vv_status cmd_import(cli_call *call)
{
    const char *resume = cli_text(call, "resume");
    char *into = cli_strdup(cli_text(call, "into") ? cli_text(call, "into") : "");
import self = { 0 };
    cli_tree tree = { NULL, NULL };
    vv_cid root;

    vv_status status = read_options(call, &self);
    if (!status)
        status = cli_check_source(call, vv_dataset_probe(call->args[0], &call->err),
                                  call->args[0], "'varvite copy' copies a root");
    if (!status)
        status = cli_tree_open(call, resume ? resume : cli_text(call, "root"), &tree);
    if (status)
        goto done;
    self.fill.blocks = tree.blocks;
    self.blocks_before = count_blocks(tree.blocks);
    progress_begin(&self.fill.progress, call, "import");
    status = vv_dataset_import(call->args[0], tree.store, cli_trim_slashes(into),
                               &self.options, &self.result, &call->err);
    progress_hide();
    if (status) {
        if (status == VV_ECANCELED || self.result.stored_bytes)
            cli_fill_save_part(&self.fill, &tree, "read");
        goto done;
    }
    status = cli_tree_commit(call, &tree, &root);
    if (!status)
        report(call, &self, &tree, &root);

done:
    cli_tree_clear(&tree);
    cli_fill_clear(&self.fill);
    free(into);
    return status;
}
