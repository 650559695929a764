/* Metadata, member by member. */
#include "copy/diff.h"

#include "copy/run.h"
#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

/* A node's metadata as version 3 says it. */
static vv_status read_document(vvi_tree_diff *diff, int which, const vvi_diff_node *node,
                               vv_node_kind *kind, vvi_json **out, vv_error *err)
{
    vv_buf path = VV_BUF_INIT;
    vv_buf text = VV_BUF_INIT;
    vvi_json *attributes = NULL;
    const char *at;
    vv_status status = vvi_copy_path(diff->paths[which], node->path, &path, err);

    at = (const char *)path.data;
    *kind = VV_NODE_NONE;
    *out = NULL;
    if (!status)
        status = vv_node_kind_of(diff->stores[which], at, kind, err);
    if (status || *kind == VV_NODE_NONE)
        goto done;
    if (*kind == VV_NODE_ARRAY && node->arrays[which]) {
        status = vv_array_metadata_json(node->arrays[which], &text, err);
        if (!status)
            status = vvi_json_parse(vvi_buf_bytes(&text), out, err);
        goto done;
    }
    status = vv_node_attributes(diff->stores[which], at, &text, err);
    if (!status)
        status = vvi_json_parse(vvi_buf_bytes(&text), &attributes, err);
    if (!status) {
        *out = vvi_json_new(VVI_JSON_OBJECT);
        status = *out ? vvi_json_set(*out, "attributes", attributes, err)
                      : vvi_fail_nomem(err, 64);
        if (*out)
            attributes = NULL;
    }
done:
    vvi_json_free(attributes);
    vv_buf_clear(&text);
    vv_buf_clear(&path);
    return status;
}

/* How values are stored, not what they are. */
static bool is_form(const char *name)
{
    static const char *const names[] = { "chunk_grid", "codecs", "chunk_key_encoding",
                                         "storage_transformers", "zarr_format" };

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static vv_status text_of(const vvi_json *value, vv_buf *out, vv_error *err)
{
    out->len = 0;
    if (value)
        VVI_TRY(vvi_json_write(value, 0, out, err));
    return vvi_buf_terminate(out, err);
}

/* 0 and 0.0 are one fill value, in two forms. */
static bool same_fill(const vvi_diff_node *node)
{
    const vv_array_meta *a;
    const vv_array_meta *b;

    if (!node->arrays[0] || !node->arrays[1])
        return false;
    a = vv_array_get_meta(node->arrays[0]);
    b = vv_array_get_meta(node->arrays[1]);
    return a->dtype == b->dtype && a->item_size == b->item_size &&
           !vv_dtype_is_variable(a->dtype) && a->item_size &&
           memcmp(a->fill_value, b->fill_value, a->item_size) == 0;
}

/* No storage transformers, said in two ways. */
static bool is_empty_list(const char *name, const vvi_json *value)
{
    return strcmp(name, "storage_transformers") == 0 &&
           (!value || (vvi_json_is(value, VVI_JSON_ARRAY) && !vvi_json_count(value)));
}

/* Compare one member, which may be missing on one side. */
static vv_status compare_member(vvi_tree_diff *diff, const vvi_diff_node *node,
                                vv_node_kind kind, const char *prefix, const char *name,
                                const vvi_json *const *values, vv_error *err)
{
    vv_buf texts[2] = { VV_BUF_INIT, VV_BUF_INIT };
    vv_buf member = VV_BUF_INIT;
    vv_diff_finding finding = { .kind = VV_DIFF_MEMBER,
                                .path = node->path,
                                .node = kind };
    vv_status status = text_of(values[0], &texts[0], err);

    if (!status)
        status = text_of(values[1], &texts[1], err);
    if (!status)
        status = vvi_buf_printf(&member, err, "%s%s", prefix, name);
    if (!status &&
        (!values[0] || !values[1] ||
         !vvi_bytes_equal(vvi_buf_bytes(&texts[0]), vvi_buf_bytes(&texts[1])))) {
        finding.member = (const char *)member.data;
        finding.before = values[0] ? (const char *)texts[0].data : NULL;
        finding.after = values[1] ? (const char *)texts[1].data : NULL;
        if (!diff->options.values || *prefix || !is_form(name))
            diff->result.same = false;
        status = vvi_diff_report(diff, &finding, err);
    }
    vv_buf_clear(&member);
    vv_buf_clear(&texts[0]);
    vv_buf_clear(&texts[1]);
    return status;
}

/* Compare the members of two objects, either of which may be NULL; of "attributes" each by itself. */
static vv_status compare_objects(vvi_tree_diff *diff, const vvi_diff_node *node,
                                 vv_node_kind kind, const char *prefix,
                                 const vvi_json *const *objects, vv_error *err)
{
    for (int side = 0; side < 2; side++)
        for (const vvi_json *item = vvi_json_first(objects[side]); item;
             item = vvi_json_next(item)) {
            const char *name = vvi_json_name(item);
            const vvi_json *values[2];

            values[0] = vvi_json_get(objects[0], name);
            values[1] = vvi_json_get(objects[1], name);
            if ((side == 1 && values[0]) || strcmp(name, "consolidated_metadata") == 0 ||
                (!*prefix && strcmp(name, "attributes") == 0) ||
                (is_empty_list(name, values[0]) && is_empty_list(name, values[1])) ||
                (!*prefix && strcmp(name, "fill_value") == 0 && same_fill(node)))
                continue;
            VVI_TRY(compare_member(diff, node, kind, prefix, name, values, err));
        }
    return VV_OK;
}

static vv_status tell_node(vvi_tree_diff *diff, const vvi_diff_node *node,
                           const vv_node_kind *kinds, vv_error *err)
{
    vv_diff_finding finding = { .kind = !kinds[0]   ? VV_DIFF_NODE_ADDED
                                        : !kinds[1] ? VV_DIFF_NODE_REMOVED
                                                    : VV_DIFF_NODE_KIND,
                                .path = node->path,
                                .node = kinds[1] ? kinds[1] : kinds[0] };

    finding.chunks_added = node->counts[VVI_KEY_ADDED];
    finding.chunks_removed = node->counts[VVI_KEY_REMOVED];
    finding.chunks_changed = node->counts[VVI_KEY_CHANGED];
    diff->result.same = false;
    return vvi_diff_report(diff, &finding, err);
}

vv_status vvi_diff_documents(vvi_tree_diff *diff, vvi_diff_node *node, bool *both,
                             vv_error *err)
{
    vvi_json *documents[2] = { NULL, NULL };
    vv_node_kind kinds[2] = { VV_NODE_NONE, VV_NODE_NONE };
    vv_status status = vvi_diff_open(diff, node, err);

    for (int i = 0; i < 2 && !status; i++)
        status = read_document(diff, i, node, &kinds[i], &documents[i], err);
    *both = !status && kinds[0] && kinds[0] == kinds[1];
    if (!status && kinds[0] != kinds[1])
        status = tell_node(diff, node, kinds, err);
    if (!status && *both) {
        const vvi_json *attributes[2];

        attributes[0] = vvi_json_get(documents[0], "attributes");
        attributes[1] = vvi_json_get(documents[1], "attributes");
        status = compare_objects(diff, node, kinds[0], "",
                                 (const vvi_json *const *)documents, err);
        if (!status)
            status = compare_objects(diff, node, kinds[0], "attributes.", attributes,
                                     err);
    }
    vvi_json_free(documents[0]);
    vvi_json_free(documents[1]);
    return status;
}
