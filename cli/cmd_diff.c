/* diff: what two hierarchies do not have in common. */
#include "keys.h"
#include "out.h"
#include "progress.h"
#include "stores.h"

#include <varvite/copy.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Members of metadata can be long; as many characters of them are shown. */
#define SHOWN 160

static const char *kind_name(vv_node_kind kind)
{
    return kind == VV_NODE_ARRAY ? "array" : "group";
}

static void print_member(const char *text)
{
    char shown[SHOWN + 1];

    if (!text) {
        out_text("(none)");
        return;
    }
    strncpy(shown, text, SHOWN);
    shown[SHOWN] = '\0';
    out_name(shown);
    if (strlen(text) > SHOWN)
        out_text("...");
}

static void print_box(const vv_diff_finding *finding)
{
    out_text("[");
    for (uint32_t d = 0; d < finding->ndim; d++)
        out_format("%s%" PRIu64 ":%" PRIu64, d ? ", " : "", finding->start[d],
                   finding->stop[d]);
    out_text("]");
}

static void print_counts(const vv_diff_finding *finding)
{
    static const char *const words[] = { "added", "removed", "changed" };
    uint64_t counts[3] = { finding->chunks_added, finding->chunks_removed,
                           finding->chunks_changed };
    bool any = false;

    for (int i = 0; i < 3; i++)
        if (counts[i]) {
            out_format("%s%s %s", any ? ", " : "", cli_count_text(counts[i], "chunk"),
                       words[i]);
            any = true;
        }
    if (finding->ndim && any) {
        out_text(" within ");
        print_box(finding);
    }
}

static void print_values(const vv_diff_finding *finding)
{
    out_format("%" PRIu64 " of %s differ", finding->differing,
               cli_count_text(finding->compared, "value"));
    if (!isnan(finding->max_difference))
        out_format(", by %.9g at most", finding->max_difference);
}

static void print_text(const vv_diff_finding *finding)
{
    const char *mark = finding->kind == VV_DIFF_NODE_ADDED     ? "+ "
                       : finding->kind == VV_DIFF_NODE_REMOVED ? "- "
                                                               : "  ";

    if (finding->kind == VV_DIFF_KEY)
        mark = finding->chunks_added ? "+ " : finding->chunks_removed ? "- " : "  ";
    out_text(mark);
    out_name(*finding->path ? finding->path : "/");
    out_text(": ");
    switch (finding->kind) {
    case VV_DIFF_NODE_ADDED:
    case VV_DIFF_NODE_REMOVED:
        out_text(kind_name(finding->node));
        break;
    case VV_DIFF_NODE_KIND:
        out_format("became an %s",
                   finding->node == VV_NODE_ARRAY ? "array" : "group, was an array");
        break;
    case VV_DIFF_MEMBER:
        out_name(finding->member);
        out_text(": ");
        print_member(finding->before);
        out_text(" -> ");
        print_member(finding->after);
        break;
    case VV_DIFF_CHUNKS:
        if (finding->encoded_differently)
            out_text("encoded differently");
        else
            print_counts(finding);
        break;
    case VV_DIFF_VALUES:
        print_values(finding);
        break;
    case VV_DIFF_KEY:
        out_text("key of no array");
        break;
    }
    out_text("\n");
}

static void json_box(const vv_diff_finding *finding)
{
    json_uints("start", finding->start, finding->ndim);
    json_uints("stop", finding->stop, finding->ndim);
}

static void json_member(const char *key, const char *text)
{
    if (text)
        json_raw(key, text, strlen(text));
    else
        json_text(key, NULL);
}

static void json_counts(const vv_diff_finding *finding)
{
    json_uint("added", finding->chunks_added);
    json_uint("removed", finding->chunks_removed);
    json_uint("changed", finding->chunks_changed);
}

static void json_difference(double most)
{
    char text[40];

    snprintf(text, sizeof(text), "%.17g", most);
    if (isfinite(most))
        json_raw("max_difference", text, strlen(text));
    else
        json_text("max_difference", isnan(most) ? NULL : "Infinity");
}

static void print_json(const vv_diff_finding *finding)
{
    static const char *const kinds[] = { "node added", "node removed", "node kind",
                                         "member",     "chunks",       "values",
                                         "key" };

    json_object(NULL);
    json_text("kind", kinds[finding->kind]);
    json_text("path", finding->path);
    if (finding->kind <= VV_DIFF_NODE_KIND)
        json_text("node", kind_name(finding->node));
    if (finding->kind == VV_DIFF_MEMBER) {
        json_text("member", finding->member);
        json_member("before", finding->before);
        json_member("after", finding->after);
    }
    if (finding->kind == VV_DIFF_CHUNKS)
        json_bool("encoded_differently", finding->encoded_differently);
    if (finding->kind == VV_DIFF_KEY ||
        (finding->kind == VV_DIFF_CHUNKS && !finding->encoded_differently))
        json_counts(finding);
    if (finding->kind == VV_DIFF_VALUES) {
        json_uint("compared", finding->compared);
        json_uint("differing", finding->differing);
        json_difference(finding->max_difference);
    }
    if (finding->kind == VV_DIFF_VALUES ||
        (finding->kind == VV_DIFF_CHUNKS && !finding->encoded_differently))
        json_box(finding);
    json_end();
}

static vv_status visit(void *ctx, const vv_diff_finding *finding, vv_error *err)
{
    cli_call *call = ctx;

    (void)err;
    progress_hide();
    if (call->json)
        print_json(finding);
    else
        print_text(finding);
    return out_failed() ? VV_ECANCELED : VV_OK;
}

static vv_status run_diff(cli_call *call, vv_store *const *stores, char *const *paths,
                          vv_diff_options *options, vv_diff_result *result)
{
    cli_progress progress;

    progress_begin(&progress, call, "diff");
    options->progress = progress_tick;
    options->progress_ctx = &progress;
    if (call->json) {
        json_object(NULL);
        json_list("differences");
    }
    vv_status status = vv_diff(stores[0], paths[0], stores[1], paths[1], options, visit,
                               call, result, &call->err);
    progress_hide();
    if (call->json) {
        json_end();
        json_bool("same", status == VV_OK && result->same);
        json_uint("keys", result->keys);
        if (options->values)
            json_uint("values_differing", result->values_differing);
        json_uint("nodes_read", result->hamt_nodes);
        json_end();
    }
    return status;
}

/* --key-file and its like are for BEFORE, --to-key-file and its like for AFTER; where that is not given
 * and AFTER is encrypted too, one key is for both. */
static vv_status open_both(cli_call *call, char **roots, char **paths, vv_store **stores)
{
    vv_key *keys[2] = { NULL, NULL };
    vv_status status = cli_key(call, "key", &keys[0]);

    if (!status)
        status = cli_key(call, "to-key", &keys[1]);
    for (int i = 0; i < 2 && !status; i++) {
        const vv_key *key = keys[i];

        cli_split_root(call->args[i], &roots[i], &paths[i]);
        if (i && !key && keys[0] && cli_root_is_encrypted(call, roots[i]))
            key = keys[0];
        status = cli_open_root_by(call, roots[i], key, NULL, &stores[i]);
    }
    vv_key_free(keys[0]);
    vv_key_free(keys[1]);
    return status;
}

vv_status cmd_diff(cli_call *call)
{
    vv_diff_options options = VV_DIFF_OPTIONS_INIT;
    vv_store *stores[2] = { NULL, NULL };
    char *roots[2] = { NULL, NULL };
    char *paths[2] = { NULL, NULL };
    vv_diff_result result = { 0 };
    uint64_t threads = 0;

    options.values = cli_has(call, "values");
    vv_status status = cli_size(call, "memory", 0, &options.memory_bytes);
    if (!status)
        status = cli_number(call, "threads", 0, 1024, &threads);
    options.threads = (uint32_t)threads;
    if (!status)
        status = open_both(call, roots, paths, stores);
    if (!status)
        status = run_diff(call, stores, paths, &options, &result);
    if (!status && !result.same)
        status = cli_fail(call, VV_ENOTFOUND, "%s",
                          cli_count_text(result.findings, "difference"));
    else if (!status && !call->json)
        out_format("same%s\n", result.findings ? " values, in another form" : "");
    for (int i = 0; i < 2; i++) {
        vv_store_free(stores[i]);
        free(roots[i]);
        free(paths[i]);
    }
    return status;
}
