#include "copy/diff.h"

#include "copy/run.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/options.h"
#include "zarr/node.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TELL_EVERY_NS 100000000u

/* ---- nodes ----------------------------------------------------------------------------------------- */

vv_status vvi_diff_node_at(vvi_tree_diff *diff, const char *path, size_t len,
                           vvi_diff_node **out, vv_error *err)
{
    vvi_key_entry *entry;
    vvi_diff_node *node;
    bool is_new;

    VVI_TRY(vvi_key_set_add(&diff->nodes, len ? path : "/", len ? len : 1, &entry,
                            &is_new, err));
    if (is_new) {
        node = vvi_alloc_zero(sizeof(*node));
        if (node)
            node->path = vvi_strndup(path, len);
        if (!node || !node->path) {
            vvi_free(node);
            vvi_key_set_remove(&diff->nodes, entry);
            return vvi_fail_nomem(err, sizeof(*node) + len);
        }
        node->max_difference = -1;
        entry->value = node;
    }
    *out = entry->value;
    return VV_OK;
}

static bool same_lengths(uint32_t ndim, const uint64_t *a, const uint64_t *b)
{
    if (!a || !b)
        return !a && !b;
    return ndim == 0 || memcmp(a, b, ndim * sizeof(*a)) == 0;
}

/* Do stored chunks mean the same? Variable lengths aside: their fill values are told apart as
 * metadata. */
static bool same_form(const vv_array_meta *a, const vv_array_meta *b)
{
    size_t item = vv_dtype_is_variable(a->dtype) ? 0
                  : a->item_size                 ? a->item_size
                                                 : vv_dtype_size(a->dtype);

    return a->dtype == b->dtype && a->ndim == b->ndim && a->item_size == b->item_size &&
           same_lengths(a->ndim, a->chunk_shape, b->chunk_shape) &&
           same_lengths(a->ndim, a->inner_chunk_shape, b->inner_chunk_shape) &&
           !a->chunk_edges && !b->chunk_edges && strcmp(a->codecs, b->codecs) == 0 &&
           a->separator == b->separator && a->v2_keys == b->v2_keys &&
           a->time_scale == b->time_scale &&
           (!a->time_unit || !b->time_unit ? a->time_unit == b->time_unit
                                           : strcmp(a->time_unit, b->time_unit) == 0) &&
           memcmp(a->fill_value, b->fill_value, item) == 0;
}

vv_status vvi_diff_open(vvi_tree_diff *diff, vvi_diff_node *node, vv_error *err)
{
    vv_buf path = VV_BUF_INIT;
    vv_status status = VV_OK;

    if (node->opened)
        return VV_OK;
    for (int i = 0; i < 2 && !status; i++) {
        status = vvi_copy_path(diff->paths[i], node->path, &path, err);
        if (!status)
            status = vv_array_open(diff->stores[i], (const char *)path.data,
                                   &node->arrays[i], err);
        if (status == VV_ENOTFOUND)
            status = VV_OK;
    }
    vv_buf_clear(&path);
    if (status)
        return status;
    node->opened = true;
    node->recoded = node->arrays[0] && node->arrays[1] &&
                    !same_form(vv_array_get_meta(node->arrays[0]),
                               vv_array_get_meta(node->arrays[1]));
    return VV_OK;
}

static void node_free(vvi_diff_node *node)
{
    if (!node)
        return;
    vv_array_free(node->arrays[0]);
    vv_array_free(node->arrays[1]);
    vvi_free(node->path);
    vvi_free(node);
}

/* ---- telling --------------------------------------------------------------------------------------- */

vv_status vvi_diff_report(vvi_tree_diff *diff, const vv_diff_finding *finding,
                          vv_error *err)
{
    diff->result.findings++;
    if (finding->kind == VV_DIFF_KEY)
        diff->result.same = false;
    return diff->visit ? diff->visit(diff->ctx, finding, err) : VV_OK;
}

vv_status vvi_diff_tell_keys(vvi_tree_diff *diff, uint64_t seen, vv_error *err)
{
    vv_progress now = { .what = "diff" };
    vv_status status;

    diff->keys_seen += seen;
    now.items_done = diff->keys_seen;
    if (!diff->options.progress || vvi_now_ns() - diff->told_ns < TELL_EVERY_NS)
        return VV_OK;
    diff->told_ns = vvi_now_ns();
    status = diff->options.progress(diff->options.progress_ctx, &now);
    return status ? vvi_fail(err, status, "the comparison was stopped") : VV_OK;
}

static vv_status tell_chunks(vvi_tree_diff *diff, const vvi_diff_node *node,
                             vv_error *err)
{
    vv_diff_finding finding = {
        .kind = VV_DIFF_CHUNKS,
        .path = node->path,
        .node = VV_NODE_ARRAY,
        .encoded_differently = node->recoded,
        .ndim = vv_array_get_meta(node->arrays[1])->ndim,
        .start = node->start,
        .stop = node->stop,
    };

    if (!node->recoded) {
        finding.chunks_added = node->counts[VVI_KEY_ADDED];
        finding.chunks_removed = node->counts[VVI_KEY_REMOVED];
        finding.chunks_changed = node->counts[VVI_KEY_CHANGED];
    }
    if (!diff->options.values)
        diff->result.same = false;
    return vvi_diff_report(diff, &finding, err);
}

static vv_status tell_values(vvi_tree_diff *diff, const vvi_diff_node *node,
                             vv_error *err)
{
    vv_diff_finding finding = {
        .kind = VV_DIFF_VALUES,
        .path = node->path,
        .node = VV_NODE_ARRAY,
        .ndim = vv_array_get_meta(node->arrays[1])->ndim,
        .start = node->value_start,
        .stop = node->value_stop,
        .compared = node->compared,
        .differing = node->differing,
        .max_difference = node->max_difference < 0 ? (double)NAN : node->max_difference,
    };

    diff->result.values_differing += node->differing;
    if (node->differing)
        diff->result.same = false;
    return node->differing ? vvi_diff_report(diff, &finding, err) : VV_OK;
}

static vv_status tell_array(vvi_tree_diff *diff, vvi_diff_node *node, vv_error *err)
{
    bool any = node->counts[0] || node->counts[1] || node->counts[2];
    bool can = true;

    if (any || node->recoded)
        VVI_TRY(tell_chunks(diff, node, err));
    if (!diff->options.values)
        return VV_OK;
    if (node->recoded)
        VVI_TRY(vvi_diff_whole(diff, node, &can, err));
    if (!can)
        diff->result.same = false;
    return tell_values(diff, node, err);
}

static vv_status tell_node(vvi_tree_diff *diff, vvi_diff_node *node, vv_error *err)
{
    bool both = true;
    vv_status status = VV_OK;

    if (node->document)
        status = vvi_diff_documents(diff, node, &both, err);
    if (!status && both && node->arrays[0] && node->arrays[1])
        status = tell_array(diff, node, err);
    return status ? vvi_wrap(err, status, "'/%s'", node->path) : VV_OK;
}

static int compare_nodes(const void *a, const void *b)
{
    const vvi_diff_node *left = *(vvi_diff_node *const *)a;
    const vvi_diff_node *right = *(vvi_diff_node *const *)b;

    return vvi_path_compare(left->path, strlen(left->path), right->path,
                            strlen(right->path));
}

static vv_status tell_all(vvi_tree_diff *diff, vv_error *err)
{
    vvi_diff_node **sorted = vvi_alloc_array(diff->nodes.count + 1, sizeof(*sorted));
    vv_status status = VV_OK;
    size_t n = 0;

    if (!sorted)
        return vvi_fail_nomem(err, diff->nodes.count * sizeof(*sorted));
    for (size_t i = 0; i < diff->nodes.capacity; i++)
        if (diff->nodes.entries[i].key)
            sorted[n++] = diff->nodes.entries[i].value;
    qsort(sorted, n, sizeof(*sorted), compare_nodes);
    for (size_t i = 0; i < n && !status; i++)
        status = tell_node(diff, sorted[i], err);
    vvi_free(sorted);
    return status;
}

/* ---- all of it ------------------------------------------------------------------------------------- */

static vv_status check_ends(vvi_tree_diff *diff, vv_error *err)
{
    static const char *const names[] = { "nothing", "an array", "a group" };
    vv_node_kind kinds[2];

    for (int i = 0; i < 2; i++)
        VVI_TRY(vv_node_kind_of(diff->stores[i], diff->paths[i], &kinds[i], err));
    if (!kinds[0] && !kinds[1])
        return vvi_fail(err, VV_ENOTFOUND, "no array or group at '/%s' nor at '/%s'",
                        diff->paths[0], diff->paths[1]);
    /* What has become an array under one path is a difference; two paths can also be a mistake. */
    if (kinds[0] && kinds[1] && kinds[0] != kinds[1] &&
        strcmp(diff->paths[0], diff->paths[1]) != 0)
        return vvi_fail(
            err, VV_EINVAL,
            "'/%s' is %s and '/%s' is %s; arrays are compared with arrays and "
            "groups with groups",
            diff->paths[0], names[kinds[0]], diff->paths[1], names[kinds[1]]);
    return VV_OK;
}

static vv_status run_diff(vvi_tree_diff *diff, vv_error *err)
{
    vv_status status = check_ends(diff, err);

    diff->result.same = true;
    if (!status)
        status = vvi_diff_all_keys(diff, err);
    if (!status)
        status = vvi_diff_run_jobs(diff, err);
    if (!status)
        status = tell_all(diff, err);
    if (status)
        diff->result.same = false;
    return status;
}

static vv_status start(vvi_tree_diff *diff, const vv_diff_options *options, vv_error *err)
{
    VVI_TRY(vvi_read_options(&diff->options, sizeof(diff->options), options, err));
    if (!diff->options.memory_bytes)
        diff->options.memory_bytes = VVI_COPY_MEMORY;
    return vvi_mutex_init(&diff->lock, err);
}

static void finish(vvi_tree_diff *diff)
{
    for (size_t i = 0; i < diff->nodes.capacity; i++)
        if (diff->nodes.entries[i].key)
            node_free(diff->nodes.entries[i].value);
    vvi_key_set_clear(&diff->nodes);
    vvi_mutex_clear(&diff->lock);
}

vv_status vv_diff(vv_store *before, const char *before_path, vv_store *after,
                  const char *after_path, const vv_diff_options *options,
                  vv_diff_fn visit, void *ctx, vv_diff_result *result, vv_error *err)
{
    vvi_tree_diff *diff = vvi_alloc_zero(sizeof(*diff));
    char *paths[2] = { NULL, NULL };
    vv_status status;

    if (!diff)
        return vvi_fail_nomem(err, sizeof(*diff));
    status = vvi_path_clean(before_path, &paths[0], err);
    if (!status)
        status = vvi_path_clean(after_path, &paths[1], err);
    if (!status)
        status = start(diff, options, err);
    if (!status) {
        diff->stores[0] = before;
        diff->stores[1] = after;
        diff->paths[0] = paths[0];
        diff->paths[1] = paths[1];
        diff->visit = visit;
        diff->ctx = ctx;
        status = run_diff(diff, err);
        finish(diff);
    }
    if (result)
        *result = diff->result;
    vvi_free(paths[0]);
    vvi_free(paths[1]);
    vvi_free(diff);
    return status;
}
