/* Trees ↔ JSON; docs/format/tree.md. */
#include "pytree/tree.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <stdlib.h>
#include <string.h>

static const char *const kind_names[VVI_TREE_KINDS] = {
    [VVI_TREE_LEAF] = "leaf",     [VVI_TREE_NONE] = "none",
    [VVI_TREE_TUPLE] = "tuple",   [VVI_TREE_NAMEDTUPLE] = "namedtuple",
    [VVI_TREE_LIST] = "list",     [VVI_TREE_DICT] = "dict",
    [VVI_TREE_CUSTOM] = "custom", [VVI_TREE_DATACLASS] = "dataclass",
};

/* ---- writing ------------------------------------------------------------------------------- */

static vv_status write_member(const char *name, const vvi_py *value, vv_buf *out,
                              vv_error *err)
{
    VVI_TRY(vvi_buf_printf(out, err, ", \"%s\": ", name));
    return vvi_py_write_json(value, out, err);
}

static vv_status write_keys(const vvi_py *keys, vv_buf *out, vv_error *err)
{
    VVI_TRY(vvi_buf_append_text(out, ", \"keys\": [", err));
    for (size_t i = 0; i < keys->u.list.count; i++) {
        if (i)
            VVI_TRY(vvi_buf_append_text(out, ", ", err));
        VVI_TRY(vvi_py_write_json(keys->u.list.items[i], out, err));
    }
    return vvi_buf_append_byte(out, ']', err);
}

static vv_status write_class(const vvi_py *type, vv_buf *out, vv_error *err)
{
    vv_buf text = VV_BUF_INIT;
    vv_status status = vvi_class_text(type, &text, err);

    if (!status)
        status = vvi_buf_append_text(out, ", \"class\": ", err);
    if (!status)
        status = vvi_json_write_string(vvi_buf_bytes(&text), out, err);
    vv_buf_clear(&text);
    return status;
}

static vv_status write_fields(const vvi_tree_node *node, vv_buf *out, vv_error *err)
{
    VVI_TRY(vvi_buf_append_text(out, ", \"fields\": [", err));
    for (size_t i = 0; i < node->count; i++) {
        if (i)
            VVI_TRY(vvi_buf_append_text(out, ", ", err));
        if (node->fields[i])
            VVI_TRY(vvi_json_write_string(vv_bytes_of(node->fields[i]), out, err));
        else
            VVI_TRY(vvi_buf_append_text(out, "null", err));
    }
    return vvi_buf_append_byte(out, ']', err);
}

static bool has_fields(const vvi_tree_node *node)
{
    for (size_t i = 0; node->fields && i < node->count; i++)
        if (node->fields[i])
            return true;
    return false;
}

static vv_status write_node(const vvi_tree_node *node, vv_buf *out, vv_error *err)
{
    VVI_TRY(vvi_buf_printf(out, err, "{\"kind\": \"%s\"", kind_names[node->kind]));
    if (node->kind == VVI_TREE_LEAF)
        VVI_TRY(vvi_buf_printf(out, err, ", \"leaf\": %zu", node->leaf));
    if (node->keys)
        VVI_TRY(write_keys(node->keys, out, err));
    if (node->type)
        VVI_TRY(write_class(node->type, out, err));
    if (node->meta)
        VVI_TRY(write_member("meta", node->meta, out, err));
    if (has_fields(node))
        VVI_TRY(write_fields(node, out, err));
    if (node->count) {
        VVI_TRY(vvi_buf_append_text(out, ", \"children\": [", err));
        for (size_t i = 0; i < node->count; i++) {
            if (i)
                VVI_TRY(vvi_buf_append_text(out, ", ", err));
            VVI_TRY(write_node(node->children[i], out, err));
        }
        VVI_TRY(vvi_buf_append_byte(out, ']', err));
    }
    return vvi_buf_append_byte(out, '}', err);
}

vv_status vv_tree_to_json(const vv_tree *tree, vv_buf *out, vv_error *err)
{
    VVI_TRY(write_node(tree->root, out, err));
    return vvi_buf_terminate(out, err);
}

/* ---- reading ------------------------------------------------------------------------------- */

static vv_status read_node(const vvi_json *json, vvi_tree_node **out, vv_error *err);

static vv_status read_children(vvi_tree_node *node, const vvi_json *json, vv_error *err)
{
    const vvi_json *list = vvi_json_get(json, "children");

    if (!list)
        return VV_OK;
    if (!vvi_json_is(list, VVI_JSON_ARRAY))
        return vvi_fail(err, VV_EINVAL, "'children' is %s, not a list",
                        vvi_json_kind_name(list));
    node->children = vvi_alloc_array_zero(vvi_json_count(list), sizeof(*node->children));
    if (!node->children)
        return vvi_fail_nomem(err, vvi_json_count(list) * sizeof(*node->children));
    for (const vvi_json *item = vvi_json_first(list); item; item = vvi_json_next(item)) {
        VVI_TRY(read_node(item, &node->children[node->count], err));
        node->count++;
    }
    return VV_OK;
}

static vv_status read_fields(vvi_tree_node *node, const vvi_json *json, vv_error *err)
{
    const vvi_json *list = vvi_json_get(json, "fields");
    size_t i = 0;

    if (!list)
        return VV_OK;
    if (!node->type || !vvi_json_is(list, VVI_JSON_ARRAY) ||
        vvi_json_count(list) != node->count)
        return vvi_fail(err, VV_EINVAL,
                        "'fields' must name the children of a class, all of them");
    node->fields = vvi_alloc_array_zero(node->count, sizeof(*node->fields));
    if (!node->fields)
        return vvi_fail_nomem(err, node->count * sizeof(*node->fields));
    for (const vvi_json *item = vvi_json_first(list); item; item = vvi_json_next(item)) {
        size_t len;
        const char *name = vvi_json_text(item, &len);

        if (name ? !len || strcspn(name, ".[]'\"/") != len
                 : !vvi_json_is(item, VVI_JSON_NULL))
            return vvi_fail(err, VV_EINVAL, "field %zu has no name that a field can have",
                            i);
        if (name && !(node->fields[i] = vvi_strdup(name)))
            return vvi_fail_nomem(err, len);
        i++;
    }
    return VV_OK;
}

typedef struct keyed_child {
    vvi_py *key;
    vvi_tree_node *child;
} keyed_child;

typedef struct sorting {
    vv_status status; /* of the first comparison that failed */
    vv_error *err;
} sorting;

static int compare_keyed(const void *a, const void *b, void *ctx)
{
    sorting *self = ctx;
    int order = 0;

    if (!self->status)
        self->status = vvi_py_compare(((const keyed_child *)a)->key,
                                      ((const keyed_child *)b)->key, &order, self->err);
    if (!self->status && order == 0 && a != b)
        self->status = vvi_fail(self->err, VV_EINVAL, "a dict has two equal keys");
    return order;
}

/* Put keys and their children in Python's order. */
static vv_status sort_keys(vvi_tree_node *node, vv_error *err)
{
    keyed_child *pairs = vvi_alloc_array(node->count, sizeof(*pairs));
    sorting self = { VV_OK, err };

    if (!pairs)
        return vvi_fail_nomem(err, node->count * sizeof(*pairs));
    for (size_t i = 0; i < node->count; i++)
        pairs[i] = (keyed_child){ node->keys->u.list.items[i], node->children[i] };
    if (node->count)
        qsort_r(pairs, node->count, sizeof(*pairs), compare_keyed, &self);
    for (size_t i = 0; i < node->count; i++) {
        node->keys->u.list.items[i] = pairs[i].key;
        node->children[i] = pairs[i].child;
    }
    vvi_free(pairs);
    return self.status;
}

static vv_status read_keys(vvi_tree_node *node, const vvi_json *json, vv_error *err)
{
    const vvi_json *keys = vvi_json_get(json, "keys");

    if (!vvi_json_is(keys, VVI_JSON_ARRAY) || vvi_json_count(keys) != node->count)
        return vvi_fail(err, VV_EINVAL, "'keys' must be a list of as many as 'children'");
    node->keys = vvi_py_new(VVI_PY_LIST);
    if (!node->keys)
        return vvi_fail_nomem(err, sizeof(*node->keys));
    for (const vvi_json *item = vvi_json_first(keys); item; item = vvi_json_next(item)) {
        vvi_py *key;

        VVI_TRY(vvi_py_from_json(item, &key, err));
        VVI_TRY(vvi_py_append(node->keys, key, err));
    }
    return sort_keys(node, err);
}

static vv_status read_type(vvi_tree_node *node, const vvi_json *json, vv_error *err)
{
    const char *text = vvi_json_text(vvi_json_get(json, "class"), NULL);
    const char *colon = text ? strchr(text, ':') : NULL;

    if (!colon || colon == text || !colon[1])
        return vvi_fail(err, VV_EINVAL, "'class' must name one, as \"module:Name\"");
    node->type = vvi_py_new(VVI_PY_CLASS);
    if (!node->type)
        return vvi_fail_nomem(err, sizeof(*node->type));
    VVI_TRY(vvi_py_append(
        node->type, vvi_py_data(VVI_PY_TEXT, vvi_bytes(text, (size_t)(colon - text))),
        err));
    return vvi_py_append(node->type, vvi_py_data(VVI_PY_TEXT, vv_bytes_of(colon + 1)),
                         err);
}

static vv_status read_meta(vvi_tree_node *node, const vvi_json *json, vv_error *err)
{
    const vvi_json *meta = vvi_json_get(json, "meta");

    if (meta)
        return vvi_py_from_json(meta, &node->meta, err);
    node->meta = vvi_py_new(VVI_PY_TUPLE);
    return node->meta ? VV_OK : vvi_fail_nomem(err, sizeof(*node->meta));
}

static vv_status read_members(vvi_tree_node *node, const vvi_json *json, vv_error *err)
{
    uint64_t number;

    if (node->kind == VVI_TREE_LEAF && vvi_json_uint64(vvi_json_get(json, "leaf"), &number))
        node->leaf = (size_t)number;
    if (node->kind != VVI_TREE_LEAF && node->kind != VVI_TREE_NONE)
        VVI_TRY(read_children(node, json, err));
    if (node->kind == VVI_TREE_DICT)
        VVI_TRY(read_keys(node, json, err));
    if (node->kind == VVI_TREE_NAMEDTUPLE || node->kind >= VVI_TREE_CUSTOM)
        VVI_TRY(read_type(node, json, err));
    if (node->kind >= VVI_TREE_CUSTOM)
        VVI_TRY(read_meta(node, json, err));
    VVI_TRY(read_fields(node, json, err));
    return vvi_tree_node_close(node, err);
}

/* JSON nests at most VVI_JSON_DEPTH_MAX deep, and so does this. */
static vv_status read_node(const vvi_json *json, vvi_tree_node **out, vv_error *err)
{
    const char *name = vvi_json_text(vvi_json_get(json, "kind"), NULL);
    vvi_tree_node *node;
    int kind = 0;
    vv_status status;

    while (name && kind < VVI_TREE_KINDS && strcmp(name, kind_names[kind]) != 0)
        kind++;
    if (!name || kind == VVI_TREE_KINDS)
        return vvi_fail(err, VV_EINVAL, "a node of kind '%s'", name ? name : "(none)");
    node = vvi_tree_node_new((vvi_node_kind)kind);
    if (!node)
        return vvi_fail_nomem(err, sizeof(*node));
    status = read_members(node, json, err);
    if (status) {
        vvi_wrap(err, status, "%s", kind_names[kind]);
        vvi_tree_node_free(node);
        return status;
    }
    *out = node;
    return VV_OK;
}

/* The numbers of the leaves as they were read, in the order of the tree. */
static void collect_numbers(const vvi_tree_node *node, size_t *out, size_t *count)
{
    if (node->kind == VVI_TREE_LEAF)
        out[(*count)++] = node->leaf;
    for (size_t i = 0; i < node->count; i++)
        collect_numbers(node->children[i], out, count);
}

vv_status vvi_tree_from_json(const vvi_json *json, vv_tree **out, size_t **stated,
                             vv_error *err)
{
    vvi_tree_node *root = NULL;
    size_t *numbers = NULL;
    size_t count = 0;
    vv_status status = read_node(json, &root, err);

    if (status)
        return vvi_wrap(err, status, "tree");
    if (stated) {
        numbers = vvi_alloc_array(root->leaves, sizeof(*numbers));
        if (!numbers) {
            vvi_tree_node_free(root);
            return vvi_fail_nomem(err, sizeof(*numbers));
        }
        collect_numbers(root, numbers, &count);
    }
    status = vvi_tree_new(root, out, err);
    if (status)
        vvi_free(numbers);
    else if (stated)
        *stated = numbers;
    return status;
}

vv_status vv_tree_from_json(const char *text, vv_tree **out, vv_error *err)
{
    vvi_json *json = NULL;
    vv_status status = vvi_json_parse(vv_bytes_of(text), &json, err);

    if (status == VV_ECORRUPT)
        return vvi_wrap(err, VV_EINVAL, "tree");
    if (status)
        return status;
    status = vvi_tree_from_json(json, out, NULL, err);
    vvi_json_free(json);
    return status;
}
