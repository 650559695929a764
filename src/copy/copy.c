#include "copy/run.h"

#include "store/internal.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/options.h"
#include "util/thread.h"
#include "zarr/node.h"

#include <stdlib.h>
#include <string.h>

#define TELL_EVERY_NS 100000000u

vv_status vvi_copy_path(const char *start, const char *path, vv_buf *out, vv_error *err)
{
    out->len = 0;
    return vvi_buf_printf(out, err, "%s%s%s", start, *start && *path ? "/" : "", path);
}

vv_status vvi_copy_tell(vvi_copy_run *run, vv_error *err)
{
    vv_progress now = { .what = "copy",
                        .items_done = run->items,
                        .bytes_done = run->result.bytes,
                        .bytes_total = run->bytes_total };
    vv_status status;

    if (!run->options.progress || vvi_now_ns() - run->told_ns < TELL_EVERY_NS)
        return VV_OK;
    run->told_ns = vvi_now_ns();
    status = run->options.progress(run->options.ctx, &now);
    return status ? vvi_fail(err, status, "stopped by the caller") : VV_OK;
}

/* ---- the nodes of the source --------------------------------------------------------------------- */

int vvi_path_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t n = a_len < b_len ? a_len : b_len;

    for (size_t i = 0; i < n; i++) {
        /* The slash counts less than any character. */
        int left = a[i] == '/' ? 0 : (unsigned char)a[i];
        int right = b[i] == '/' ? 0 : (unsigned char)b[i];

        if (left != right)
            return left - right;
    }
    return a_len == b_len ? 0 : a_len < b_len ? -1 : 1;
}

static int compare_nodes(const void *a, const void *b)
{
    const vvi_copy_node *left = a;
    const vvi_copy_node *right = b;

    return vvi_path_compare(left->path, strlen(left->path), right->path,
                            strlen(right->path));
}

static vv_status gather_node(void *ctx, const char *path, vv_node_kind kind,
                             uint32_t depth, vv_error *err)
{
    vvi_copy_run *run = ctx;
    vvi_copy_node *node;
    size_t skip = strlen(run->from_path);

    (void)depth;
    VVI_TRY(
        vvi_grow((void **)&run->nodes, &run->cap, run->count + 1, sizeof(*node), err));
    node = &run->nodes[run->count];
    memset(node, 0, sizeof(*node));
    path += skip;
    node->path = vvi_strdup(path + (skip && *path == '/'));
    if (!node->path)
        return vvi_fail_nomem(err, strlen(path) + 1);
    node->kind = kind;
    run->count++;
    return VV_OK;
}

/* Are the changes for this array? */
static bool is_chosen(const vvi_copy_run *run, const char *path, bool *used)
{
    bool found = false;

    for (size_t i = 0; i < run->options.array_count; i++) {
        const char *name = run->options.arrays[i];

        name += strspn(name, "/");
        if (strcmp(name, path) == 0)
            found = used[i] = true;
    }
    return found || !run->options.array_count;
}

static vv_status choose_arrays(vvi_copy_run *run, vv_error *err)
{
    bool *used = vvi_alloc_array_zero(run->options.array_count + 1, sizeof(*used));
    vv_status status = VV_OK;

    if (!used)
        return vvi_fail_nomem(err, run->options.array_count);
    for (size_t i = 0; i < run->count; i++)
        if (run->nodes[i].kind == VV_NODE_ARRAY)
            run->nodes[i].change = is_chosen(run, run->nodes[i].path, used);
    for (size_t i = 0; i < run->options.array_count && !status; i++)
        if (!used[i])
            status = vvi_fail(err, VV_EINVAL, "there is no array '%s' to change",
                              run->options.arrays[i]);
    vvi_free(used);
    return status;
}

static vv_status plan_nodes(vvi_copy_run *run, vv_error *err)
{
    VVI_TRY(vv_node_walk(run->from, run->from_path, true, gather_node, run, err));
    qsort(run->nodes, run->count, sizeof(*run->nodes), compare_nodes);
    VVI_TRY(choose_arrays(run, err));
    for (size_t i = 0; i < run->count; i++)
        if (run->nodes[i].kind == VV_NODE_ARRAY)
            VVI_TRY(vvi_copy_plan_array(run, &run->nodes[i], err));
    VVI_TRY(vvi_lengths_check_used(&run->changes.chunks, "chunks", err));
    return vvi_lengths_check_used(&run->changes.shards, "shards", err);
}

/* ---- the target ---------------------------------------------------------------------------------- */

static vv_status clear_target(vvi_copy_run *run, vv_error *err)
{
    vv_buf prefix = VV_BUF_INIT;
    vv_status status = vvi_path_key(run->to_path, "", &prefix, err);

    if (!status)
        status = vv_store_delete_prefix(run->to, (const char *)prefix.data, NULL, err);
    vv_buf_clear(&prefix);
    return status;
}

static bool is_within(const char *path, const char *group)
{
    size_t len = strlen(group);

    return strncmp(path, group, len) == 0 &&
           (len == 0 || path[len] == '\0' || path[len] == '/');
}

static vv_status check_target(const vvi_copy_run *run, vv_error *err)
{
    vv_node_kind kind;

    if (vv_store_is_read_only(run->to))
        return vvi_fail(err, VV_EREADONLY,
                        "copy into a store that was opened for reading");
    if (run->from == run->to && (is_within(run->to_path, run->from_path) ||
                                 is_within(run->from_path, run->to_path)))
        return vvi_fail(err, VV_EINVAL,
                        "'/%s' and '/%s' of one store: one lies within the other",
                        run->from_path, run->to_path);
    VVI_TRY(vv_node_kind_of(run->to, run->to_path, &kind, err));
    if (kind != VV_NODE_NONE && !run->options.overwrite && !run->going_on)
        return vvi_fail(err, VV_EEXISTS, "there is %s at '/%s' already",
                        kind == VV_NODE_ARRAY ? "an array" : "a group", run->to_path);
    return VV_OK;
}

/* Which nodes a copy that was stopped had completed. */
static vv_status find_done(vvi_copy_run *run, vv_error *err)
{
    vv_buf path = VV_BUF_INIT;
    vv_status status = VV_OK;

    for (size_t i = 0; i < run->count && run->going_on && !status; i++) {
        vvi_copy_node *node = &run->nodes[i];
        vv_node_kind kind = VV_NODE_NONE;

        status = vvi_copy_path(run->to_path, node->path, &path, err);
        if (!status)
            status = vv_node_kind_of(run->to, (const char *)path.data, &kind, err);
        if (kind == VV_NODE_ARRAY && kind == node->kind && run->to->indexes_chunks) {
            node->documented = true; /* which says nothing of its chunks */
            continue;
        }
        node->done = kind == node->kind;
        run->result.passed_by += node->done && kind == VV_NODE_ARRAY;
    }
    vv_buf_clear(&path);
    return status;
}

/* ---- all of it ----------------------------------------------------------------------------------- */

static vv_status copy_nodes(vvi_copy_run *run, vv_error *err)
{
    for (size_t i = 0; i < run->count; i++) {
        vvi_copy_node *node = &run->nodes[i];

        run->result.groups += node->kind == VV_NODE_GROUP;
        run->result.arrays += node->kind == VV_NODE_ARRAY;
        run->result.arrays_stored += node->stored;
        if (node->kind == VV_NODE_GROUP && !node->done)
            VVI_TRY(vvi_copy_document(run, node, err));
    }
    VVI_TRY(vvi_copy_stored(run, err));
    for (size_t i = 0; i < run->count; i++) {
        const vvi_copy_node *node = &run->nodes[i];

        if (node->kind == VV_NODE_ARRAY && !node->stored && !node->done)
            VVI_TRY(vvi_copy_decoded(run, node, err));
    }
    return VV_OK;
}

static vv_status start(vvi_copy_run *run, const vv_copy_options *given, vv_error *err)
{
    vv_copy_options *options = &run->options;

    VVI_TRY(vvi_read_options(options, sizeof(*options), given, err));
    if (!options->memory_bytes)
        options->memory_bytes = VVI_COPY_MEMORY;
    run->linked = vvi_stores_share(run->from, run->to);
    return vvi_changes_parse(options->chunks, options->shards, options->codecs,
                             options->keys, &run->changes, err);
}

static vv_status run_copy(vvi_copy_run *run, vv_error *err)
{
    vv_buf note = VV_BUF_INIT;
    vv_status status = plan_nodes(run, err);

    if (!status)
        status = vvi_note_look(run, &note, err);
    if (!status)
        status = check_target(run, err);
    if (!status && !run->going_on && run->options.overwrite)
        status = clear_target(run, err);
    if (!status && !run->going_on)
        status = vvi_note_put(run, &note, err);
    if (!status)
        status = find_done(run, err);
    if (!status)
        status = copy_nodes(run, err);
    if (!status)
        status = vvi_note_end(run, err);
    vv_buf_clear(&note);
    return status;
}

vv_status vv_copy(vv_store *from, const char *from_path, vv_store *to,
                  const char *to_path, const vv_copy_options *options,
                  vv_copy_result *result, vv_error *err)
{
    vvi_copy_run run = { .from = from, .to = to };
    char *source = NULL;
    char *target = NULL;
    vv_status status = vvi_path_clean(from_path, &source, err);

    if (!status)
        status = vvi_path_clean(to_path, &target, err);
    run.from_path = source;
    run.to_path = target;
    if (!status)
        status = start(&run, options, err);
    if (!status)
        status = run_copy(&run, err);
    if (result)
        *result = run.result;
    for (size_t i = 0; i < run.count; i++)
        vvi_free(run.nodes[i].path);
    vvi_free(run.nodes);
    vvi_free(target);
    vvi_free(source);
    return status;
}
