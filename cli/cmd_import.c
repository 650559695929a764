#include "describe.h"
#include "out.h"
#include "progress.h"
#include "stores.h"

#include <varvite/dataset.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What was stored is made safe this often, so that a kill costs little. */
#define FLUSH_EVERY_MS 2000

typedef struct import {
    cli_call *call;
    cli_progress progress;
    vv_blockstore *blocks;
    uint64_t flushed_ms;
    vv_import_options options;
    char *chunks, *shards;  /* all --chunk, all --shard, joined */
    const char **variables; /* all --var */
    vv_import_result result;
    uint64_t blocks_before;
} import;

static vv_status tick(void *ctx, const vv_progress *at)
{
    import *self = ctx;
    uint64_t now = progress_ms(&self->progress);

    if (now - self->flushed_ms >= FLUSH_EVERY_MS) {
        self->flushed_ms = now;
        vv_blockstore_flush(self->blocks,
                            NULL); /* a failure comes back from the next put */
    }
    return progress_tick(&self->progress, at);
}

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
    cli_talk(self->call, "%.200s (%s) %s: chunks of %s%s%s, %s", path, dimensions,
             vv_dtype_name(meta->dtype), lengths, inner ? " in shards of " : "", shards,
             cli_bytes_text(chunk_bytes(meta)));
}

/* --chunk a=1 --chunk b=2 is --chunk a=1,b=2. */
static char *join(const char **texts, size_t n)
{
    size_t cap = 1;

    for (size_t i = 0; i < n; i++)
        cap += strlen(texts[i]) + 1;
    char *joined = cli_alloc(cap);
    *joined = '\0';
    for (size_t i = 0; i < n; i++) {
        strcat(joined, i ? "," : "");
        strcat(joined, texts[i]);
    }
    return joined;
}

static vv_status read_options(cli_call *call, import *self)
{
    uint64_t threads;
    size_t n;

    self->options = VV_IMPORT_OPTIONS_INIT;
    vv_status status = cli_number(call, "threads", 0, 1024, &threads);
    if (!status)
        status = cli_size(call, "memory", 0, &self->options.memory_bytes);
    if (!status && cli_text(call, "root") && cli_text(call, "resume"))
        status = cli_usage(call, "--root and --resume exclude each other");
    if (status)
        return status;
    const char **chunks = cli_texts(call, "chunk", &n);
    if (n)
        self->options.chunks = self->chunks = join(chunks, n);
    free(chunks);
    chunks = cli_texts(call, "shard", &n);
    if (n)
        self->options.shards = self->shards = join(chunks, n);
    free(chunks);
    self->variables = cli_texts(call, "var", &n);
    self->options.variables = n ? self->variables : NULL;
    self->options.variable_count = n;
    self->options.codecs = cli_text(call, "codec");
    self->options.threads = (uint32_t)threads;
    self->options.text_as_bytes = cli_has(call, "text-as-bytes");
    self->options.skip_existing = cli_text(call, "resume") != NULL;
    self->options.overwrite = cli_has(call, "force");
    self->options.progress = tick;
    self->options.planned = planned;
    self->options.ctx = self;
    return VV_OK;
}

static uint64_t count_blocks(vv_blockstore *blocks)
{
    vv_blockstore_stats stats = { 0 };

    return vv_blockstore_stat(blocks, &stats, NULL) ? 0 : stats.block_count;
}

/*
 * Name what was stored before the end came, so that the next run can go on from there. The
 * failure stays in call->err.
 */
static void save_part(cli_call *call, cli_tree *tree)
{
    char text[VV_CID_TEXT_MAX];
    vv_error failure = call->err;
    vv_cid part;

    progress_hide();
    if (cli_tree_commit(call, tree, &part) == VV_OK) {
        vv_cid_format(&part, text);
        cli_complain(call, "what was read so far is stored; to go on:");
        cli_complain(call, "varvite import --resume %s ...", text);
    } else {
        cli_complain(call, "the part that was read has no root: %s", call->err.message);
    }
    call->err = failure;
}

static void report(cli_call *call, import *self, cli_tree *tree, const vv_cid *root)
{
    const vv_import_result *result = &self->result;
    uint64_t fresh = count_blocks(tree->blocks) - self->blocks_before;

    cli_talk(call, "%s in %s, %s; %s stored, %s new, in %.1f s",
             cli_count_text(result->arrays, "array"),
             cli_count_text(result->chunks, "chunk"), cli_bytes_text(result->bytes),
             cli_bytes_text(result->stored_bytes), cli_count_text(fresh, "block"),
             (double)progress_ms(&self->progress) / 1000);
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
import self = {.call = call };
    cli_tree tree = { NULL, NULL };
    vv_cid root;

    vv_status status = read_options(call, &self);
    if (!status)
        status = vv_dataset_probe(call->args[0], &call->err);
    if (!status)
        status = cli_tree_open(call, resume ? resume : cli_text(call, "root"), &tree);
    if (status)
        goto done;
    self.blocks = tree.blocks;
    self.blocks_before = count_blocks(tree.blocks);
    progress_begin(&self.progress, call, "import");
    status = vv_dataset_import(call->args[0], tree.store, cli_trim_slashes(into),
                               &self.options, &self.result, &call->err);
    progress_hide();
    if (status) {
        if (status == VV_ECANCELED || self.result.stored_bytes)
            save_part(call, &tree);
        goto done;
    }
    status = cli_tree_commit(call, &tree, &root);
    if (!status)
        report(call, &self, &tree, &root);

done:
    cli_tree_clear(&tree);
    free(self.variables);
    free(self.chunks);
    free(self.shards);
    free(into);
    return status;
}
