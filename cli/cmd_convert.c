/* convert: a root in another layout. */
#include "out.h"
#include "progress.h"
#include "stores.h"

#include <varvite/sharded.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct convert {
    cli_progress progress; /* first: see progress_tick() */
    cli_call *call;
    vv_blockstore *blocks;
    vv_cid source;
    vv_conversion to;
    vv_conversion_options options;
    vv_conversion_result result;
} convert;

static vv_status read_options(cli_call *call, convert *self)
{
    const char *to = cli_text(call, "to");
    vv_conversion_options *options = &self->options;
    uint64_t bucket;

    *options = VV_CONVERSION_OPTIONS_INIT;
    options->sharded = VV_SHARDED_OPTIONS_INIT;
    options->hamt = VV_HAMT_OPTIONS_INIT;
    if (!to)
        return cli_usage(call, "--to is needed: sharded, v2, v1 or hamt");
    self->to = strcmp(to, "hamt") == 0 ? VV_TO_HAMT
               : strcmp(to, "v1") == 0 ? VV_TO_SHARDED_V1
                                       : VV_TO_SHARDED_V2;
    vv_status status = cli_number(call, "chunks-per-shard", 0, UINT64_MAX,
                                  &options->sharded.chunks_per_shard);
    if (!status)
        status = cli_number(call, "bucket-size", 0, UINT32_MAX, &bucket);
    if (!status)
        status = cli_size(call, "memory", 0, &options->memory_bytes);
    if (status)
        return status;
    if (cli_text(call, "hash")) {
        uint32_t hash;
        status = cli_hash_option(call, &hash);
        options->hamt.ids = (vv_cid_prefix){ .hash = hash, .version = 1 };
        options->sharded.ids = options->hamt.ids;
    }
    if (!status && cli_text(call, "chunks-per-shard") &&
        !options->sharded.chunks_per_shard)
        return cli_usage(call, "--chunks-per-shard 0: a shard lists one chunk at least");
    options->hamt.max_bucket_size = (uint32_t)bucket;
    options->sharded.primary_array_path = cli_text(call, "array");
    options->sharded.without_primary = cli_has(call, "without-primary");
    options->note_path = cli_text(call, "note");
    options->unverified = cli_has(call, "no-verify");
    options->progress = progress_tick;
    options->ctx = &self->progress;
    return status;
}

static void report(cli_call *call, const convert *self, const vv_cid *root)
{
    const vv_conversion_result *result = &self->result;

    cli_talk(call, "%s, %s of them, in %.1f s%s", cli_count_text(result->keys, "key"),
             cli_count_text(result->documents, "document"),
             (double)progress_ms(&self->progress) / 1000,
             self->options.unverified ? "; not verified" : "");
    if (result->added)
        cli_talk(call, "%s of groups added", cli_count_text(result->added, "document"));
    if (!call->json) {
        out_cid(root);
        out_text("\n");
        return;
    }
    json_object(NULL);
    json_cid("root", root);
    json_uint("keys", result->keys);
    json_uint("documents", result->documents);
    json_uint("documents_added", result->added);
    json_uint("passes", result->passes);
    json_uint("keys_verified", result->verified);
    json_end();
}

/* From v1 to v2: the shards stay as they are. */
static vv_status migrate(convert *self, vv_store *store, vv_cid *root)
{
    cli_call *call = self->call;
    const char *given = cli_text(call, "array");
    vv_sharded_info info = VV_SHARDED_INFO_INIT;
    char *path;

    vv_status status = vv_sharded_store_info(store, &info, &call->err);
    if (status)
        return status;
    if (!given &&
        (!info.has_primary || !info.primary_array_path || !*info.primary_array_path))
        return cli_usage(call, "the root does not say the path of its array: give "
                               "--array PATH");
    path = cli_strdup(given ? given : info.primary_array_path);
    status = vv_sharded_store_migrate(store, cli_trim_slashes(path), root, &call->err);
    free(path);
    return status;
}

static vv_status run_migrate(convert *self, vv_cid *root)
{
    cli_call *call = self->call;
    cli_tree tree = { NULL, NULL };

    if (cli_text(call, "chunks-per-shard"))
        return cli_usage(call, "--chunks-per-shard: from v1 to v2 the shards stay as "
                               "they are");
    if (self->options.note_path)
        return cli_usage(call, "--note: from v1 to v2 there is nothing to go on with");
    vv_status status = cli_tree_open(call, call->args[0], &tree);
    if (!status)
        status = migrate(self, tree.store, root);
    if (!status)
        status = vv_blockstore_flush(tree.blocks, &call->err);
    cli_tree_clear(&tree);
    if (status)
        return status;
    if (!call->json) {
        out_cid(root);
        out_text("\n");
        return VV_OK;
    }
    json_object(NULL);
    json_cid("root", root);
    json_end();
    return VV_OK;
}

static vv_status run_convert(convert *self, vv_cid *root)
{
    cli_call *call = self->call;

    vv_status status = vv_sharded_convert(self->blocks, &self->source, self->to,
                                          &self->options, root, &self->result,
                                          &call->err);
    progress_hide();
    if (status == VV_ECANCELED && self->options.note_path)
        cli_complain(call, "the same command goes on from here");
    if (!status)
        report(call, self, root);
    return status;
}

vv_status cmd_convert(cli_call *call)
{
    convert self = { .call = call };
    vv_layout layout;
    vv_cid root;

    vv_status status = read_options(call, &self);
    if (!status)
        status = cli_cid(call, call->args[0], &self.source);
    if (!status)
        status = cli_open_blocks(call, CLI_WRITE, &self.blocks);
    if (!status)
        status = vv_root_layout(self.blocks, &self.source, &layout, &call->err);
    if (status)
        goto done;
    progress_begin(&self.progress, call, "convert");
    if (layout == VV_LAYOUT_SHARDED_V1 && self.to == VV_TO_SHARDED_V2) {
        vv_blockstore_free(self.blocks);
        self.blocks = NULL;
        status = run_migrate(&self, &root);
    } else if (layout == VV_LAYOUT_ENCRYPTED) {
        status = cli_fail(call, VV_EINVAL,
                          "%.200s is encrypted: it is copied, not converted, by "
                          "'varvite copy' with its key",
                          call->args[0]);
    } else {
        status = run_convert(&self, &root);
    }

done:
    vv_blockstore_free(self.blocks);
    return status;
}
