/* copy: a hierarchy to another place, in other chunks if asked. */
#include "describe.h"
#include "fill.h"
#include "keys.h"
#include "out.h"

#include <varvite/copy.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct copy {
    cli_fill fill; /* first: see cli_fill_tick() */
    vv_copy_options options;
    vv_key *key; /* of the source; NULL: none */
    char *source_name;
    vv_copy_result result;
} copy;

static void planned(void *ctx, const char *path, const vv_array_meta *meta,
                    const vv_copy_plan *plan)
{
    copy *self = ctx;
    char inner[VV_NDIM_MAX * 24];
    char shards[VV_NDIM_MAX * 24];

    if (plan->way == VV_COPY_STORED)
        return;
    format_lengths(meta->inner_chunk_shape ? meta->inner_chunk_shape : meta->chunk_shape,
                   meta->ndim, inner, sizeof(inner));
    format_lengths(meta->chunk_shape, meta->ndim, shards, sizeof(shards));
    cli_talk(self->fill.call, "%.200s: chunks of %s%s%s, %s in hand", *path ? path : "/",
             inner, meta->inner_chunk_shape ? ", shards of " : "",
             meta->inner_chunk_shape ? shards : "", cli_bytes_text(plan->region_bytes));
    if (plan->source_reads > plan->source_chunks)
        cli_talk(self->fill.call,
                 "%.200s: a chunk is read %.1f times, for want of memory; see --memory",
                 *path ? path : "/",
                 (double)plan->source_reads / (double)plan->source_chunks);
}

static vv_status read_options(cli_call *call, copy *self)
{
    self->options = VV_COPY_OPTIONS_INIT;
    vv_status status = cli_fill_init(&self->fill, call, "array");
    if (!status && cli_text(call, "to") &&
        (cli_text(call, "root") || cli_text(call, "resume")))
        status = cli_usage(call, "--to does not go with --root and --resume");
    if (!status && cli_text(call, "to") &&
        (cli_text(call, "to-key-file") || cli_text(call, "to-key-fd") ||
         cli_text(call, "to-key-env") || cli_text(call, "layout")))
        status = cli_usage(
            call, "--to is a plain Zarr directory: no key for it, and no --layout");
    if (status)
        return status;
    self->options.memory_bytes = self->fill.memory_bytes;
    self->options.threads = self->fill.threads;
    self->options.chunks = self->fill.chunks;
    self->options.shards = self->fill.shards;
    self->options.arrays = self->fill.arrays;
    self->options.array_count = self->fill.array_count;
    self->options.codecs = cli_text(call, "codec");
    self->options.keys = cli_text(call, "keys");
    self->options.overwrite = cli_has(call, "force");
    self->options.resume = cli_text(call, "resume") != NULL;
    self->options.progress = cli_fill_tick;
    self->options.planned = planned;
    self->options.ctx = self;
    return VV_OK;
}

/* The source. Of a tree in the store that is written to, through the same handle: so its values are
 * copied by name. */
static vv_status open_source(cli_call *call, copy *self, const char *root, vv_store **out)
{
    vv_cid cid;

    vv_status status = cli_open_root_by(call, root, self->key, self->fill.blocks, out);
    if (!status && vv_cid_parse(root, &cid, NULL)) {
        char *real = realpath(root, NULL);
        if (real && asprintf(&self->source_name, "directory %s", real) < 0)
            self->source_name = NULL;
        free(real);
        self->options.source_name = self->source_name;
    }
    return status;
}

static void report(cli_call *call, copy *self, const vv_cid *root)
{
    const vv_copy_result *result = &self->result;

    cli_talk(call, "%s: %s as stored (%s), %s cut or encoded anew, in %.1f s",
             cli_count_text(result->arrays, "array"),
             cli_count_text(result->values, "value"),
             result->linked ? "by name" : "copied", cli_bytes_text(result->bytes),
             (double)progress_ms(&self->fill.progress) / 1000);
    if (!call->json) {
        if (root) {
            out_cid(root);
            out_text("\n");
        }
        return;
    }
    json_object(NULL);
    if (root)
        json_cid("root", root);
    json_uint("groups", result->groups);
    json_uint("arrays", result->arrays);
    json_uint("arrays_as_stored", result->arrays_stored);
    json_uint("values_as_stored", result->values);
    json_uint("values_by_name", result->linked);
    json_uint("bytes", result->bytes);
    json_end();
}

static vv_status copy_into_tree(cli_call *call, copy *self, const char *root,
                                const char *path, const char *into)
{
    const char *resume = cli_text(call, "resume");
    vv_store *from = NULL;
    cli_tree tree = { NULL, NULL };
    vv_cid made;

    vv_status status = cli_tree_open_by(call, resume ? resume : cli_text(call, "root"),
                                        "to-key", &tree);
    self->fill.blocks = tree.blocks;
    if (!status)
        status = open_source(call, self, root, &from);
    if (status)
        goto done;
    progress_begin(&self->fill.progress, call, "copy");
    status = vv_copy(from, path, tree.store, into, &self->options, &self->result,
                     &call->err);
    progress_hide();
    if (status == VV_ECANCELED)
        cli_fill_save_part(&self->fill, &tree, "copied");
    if (!status)
        status = cli_tree_commit(call, &tree, &made);
    if (!status)
        report(call, self, &made);

done:
    vv_store_free(from);
    cli_tree_clear(&tree);
    return status;
}

/* A copy that was stopped in this very directory is gone on with; its note tells. */
static vv_status look_for_note(cli_call *call, copy *self, vv_store *to, const char *into)
{
    char *key = cli_alloc(strlen(into) + 20);
    bool there = false;

    sprintf(key, "%s%s.varvite-copy", into, *into ? "/" : "");
    vv_status status = vv_store_exists(to, key, &there, &call->err);
    self->options.resume = there && !self->options.overwrite;
    free(key);
    return status;
}

/* Where a path leads, of which the last name need not be there yet; NULL: nowhere. */
static char *place_of(const char *path)
{
    char *whole = realpath(path, NULL);
    char *rest, *last, *parent;

    if (whole)
        return whole;
    rest = cli_strdup(path);
    for (size_t len = strlen(rest); len > 1 && rest[len - 1] == '/';)
        rest[--len] = '\0';
    last = strrchr(rest, '/');
    if (last)
        *last++ = '\0';
    parent = realpath(!last ? "." : *rest ? rest : "/", NULL);
    if (parent && asprintf(&whole, "%s/%s", parent, last ? last : rest) < 0)
        whole = NULL;
    free(parent);
    free(rest);
    return whole;
}

/* Is it the same place, or one inside it? */
static bool is_inside(const char *place, const char *outer)
{
    size_t len = strlen(outer);

    while (len && outer[len - 1] == '/')
        len--;
    return strncmp(place, outer, len) == 0 && (place[len] == '/' || place[len] == '\0');
}

/* A copy that lies in its own source would be copied too, and one that takes the place of its source
 * would delete it first. */
static vv_status check_apart(cli_call *call, const char *root, const char *path,
                             const char *to, const char *into)
{
    char *from_place = realpath(root, NULL);
    char *to_place = place_of(to);
    char *from = NULL, *target = NULL;
    vv_status status = VV_OK;

    if (from_place && to_place && asprintf(&from, "%s/%s", from_place, path) >= 0 &&
        asprintf(&target, "%s/%s", to_place, into) >= 0 &&
        (is_inside(target, from) || is_inside(from, target)))
        status = cli_fail(
            call, VV_EINVAL,
            "the source and the target lie in each other: %.200s and %.200s", from,
            target);
    free(from_place);
    free(to_place);
    free(from);
    free(target);
    return status;
}

static vv_status copy_into_directory(cli_call *call, copy *self, const char *root,
                                     const char *path, const char *into)
{
    vv_store *from = NULL;
    vv_store *to = NULL;

    vv_status status = cli_check_parent(call, cli_text(call, "to"));
    if (!status)
        status = check_apart(call, root, path, cli_text(call, "to"), into);
    if (!status)
        status = open_source(call, self, root, &from);
    if (!status)
        status = vv_directory_store_open(cli_text(call, "to"), false, &to, &call->err);
    if (!status)
        status = look_for_note(call, self, to, into);
    if (!status && !self->options.resume)
        status = cli_check_directory(call, to, cli_text(call, "to"));
    if (status)
        goto done;
    progress_begin(&self->fill.progress, call, "copy");
    status = vv_copy(from, path, to, into, &self->options, &self->result, &call->err);
    progress_hide();
    if (!status)
        status = vv_store_flush(to, &call->err);
    if (!status)
        report(call, self, NULL);

done:
    vv_store_free(from);
    vv_store_free(to);
    return status;
}

vv_status cmd_copy(cli_call *call)
{
    char *into = cli_strdup(cli_text(call, "into") ? cli_text(call, "into") : "");
    char *root = NULL;
    char *path = NULL;
    copy self = { 0 };

    vv_status status = read_options(call, &self);
    if (!status)
        status = cli_key(call, "key", &self.key);
    if (!status) {
        cli_split_root(call->args[0], &root, &path);
        status = cli_text(call, "to")
                     ? copy_into_directory(call, &self, root, path,
                                           cli_trim_slashes(into))
                     : copy_into_tree(call, &self, root, path, cli_trim_slashes(into));
    }
    if (status == VV_EEXISTS)
        cli_wrap(call, status, "give --force to replace it");
    vv_key_free(self.key);
    free(self.source_name);
    cli_fill_clear(&self.fill);
    free(root);
    free(path);
    free(into);
    return status;
}
