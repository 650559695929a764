/* Trees: nodes, counts, the names of leaves. */
#include "pytree/tree.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <stdlib.h>
#include <string.h>

/* ---- nodes --------------------------------------------------------------------------------- */

vvi_tree_node *vvi_tree_node_new(vvi_node_kind kind)
{
    vvi_tree_node *node = vvi_alloc_zero(sizeof(*node));

    if (node)
        node->kind = kind;
    return node;
}

static void free_fields(vvi_tree_node *node)
{
    for (size_t i = 0; node->fields && i < node->count; i++)
        vvi_free(node->fields[i]);
    vvi_free(node->fields);
    node->fields = NULL;
}

/* Trees are at most VV_TREE_DEPTH_MAX deep, and so does this go. */
void vvi_tree_node_free(vvi_tree_node *node)
{
    if (!node)
        return;
    free_fields(node);
    for (size_t i = 0; i < node->count; i++)
        vvi_tree_node_free(node->children[i]);
    vvi_free(node->children);
    vvi_py_free(node->keys);
    vvi_py_free(node->type);
    vvi_py_free(node->meta);
    vvi_free(node);
}

vv_status vvi_tree_node_close(vvi_tree_node *node, vv_error *err)
{
    node->leaves = node->kind == VVI_TREE_LEAF;
    node->nodes = 1;
    node->depth = 0;
    for (size_t i = 0; i < node->count; i++) {
        node->leaves += node->children[i]->leaves;
        node->nodes += node->children[i]->nodes;
        if (node->depth <= node->children[i]->depth)
            node->depth = node->children[i]->depth + 1;
    }
    if (node->depth > VV_TREE_DEPTH_MAX)
        return vvi_fail(err, VV_ELIMIT, "a tree deeper than %d", VV_TREE_DEPTH_MAX);
    return VV_OK;
}

static vv_status copy_fields(const vvi_tree_node *from, vvi_tree_node *to, vv_error *err)
{
    to->fields = vvi_alloc_array_zero(from->count, sizeof(*to->fields));
    if (!to->fields)
        return vvi_fail_nomem(err, from->count * sizeof(*to->fields));
    for (size_t i = 0; i < from->count; i++)
        if (from->fields[i] && !(to->fields[i] = vvi_strdup(from->fields[i])))
            return vvi_fail_nomem(err, strlen(from->fields[i]));
    return VV_OK;
}

static vv_status copy_node(const vvi_tree_node *from, vvi_tree_node **out, vv_error *err)
{
    vvi_tree_node *to = vvi_alloc(sizeof(*to));
    vv_status status = VV_OK;

    if (!to)
        return vvi_fail_nomem(err, sizeof(*to));
    *to = *from;
    to->count = 0;
    to->fields = NULL;
    to->keys = from->keys ? vvi_py_retain(from->keys) : NULL;
    to->type = from->type ? vvi_py_retain(from->type) : NULL;
    to->meta = from->meta ? vvi_py_retain(from->meta) : NULL;
    to->children = vvi_alloc_array_zero(from->count, sizeof(*to->children));
    if (!to->children)
        status = vvi_fail_nomem(err, from->count * sizeof(*to->children));
    for (; to->count < from->count && !status; to->count += !status)
        status = copy_node(from->children[to->count], &to->children[to->count], err);
    if (!status && from->fields)
        status = copy_fields(from, to, err);
    if (status)
        vvi_tree_node_free(to);
    else
        *out = to;
    return status;
}

vv_status vvi_class_text(const vvi_py *type, vv_buf *out, vv_error *err)
{
    VVI_TRY(vvi_buf_append(out, vvi_py_bytes(type->u.list.items[0]), err));
    VVI_TRY(vvi_buf_append_byte(out, ':', err));
    return vvi_buf_append(out, vvi_py_bytes(type->u.list.items[1]), err);
}

static bool is_class(const vvi_py *type, const char *module, const char *name)
{
    return type &&
           vvi_bytes_equal(vvi_py_bytes(type->u.list.items[0]), vv_bytes_of(module)) &&
           vvi_bytes_equal(vvi_py_bytes(type->u.list.items[1]), vv_bytes_of(name));
}

/* ---- names --------------------------------------------------------------------------------- */

/* The keys of a node whose children are named by keys: a dict's, or those that an OrderedDict or a
 * defaultdict keeps beside them. NULL: there are none, or not as many as children. */
static const vvi_py *keys_of(const vvi_tree_node *node)
{
    const vvi_py *keys = node->keys;

    if (node->kind == VVI_TREE_CUSTOM &&
        is_class(node->type, "collections", "OrderedDict"))
        keys = node->meta;
    else if (node->kind == VVI_TREE_CUSTOM &&
             is_class(node->type, "collections", "defaultdict") &&
             node->meta->kind == VVI_PY_TUPLE && node->meta->u.list.count == 2)
        keys = node->meta->u.list.items[1];
    if (!keys || (keys->kind != VVI_PY_LIST && keys->kind != VVI_PY_TUPLE) ||
        keys->u.list.count != node->count)
        return NULL;
    return keys;
}

/* Append what a child adds to the name. Source: spec of the trajectory layout, "Trees and names". */
static vv_status append_key(const vvi_tree_node *node, size_t child, vv_buf *out,
                            vv_error *err)
{
    const vvi_py *keys = keys_of(node);

    if (node->kind == VVI_TREE_TUPLE || node->kind == VVI_TREE_LIST)
        return vvi_buf_printf(out, err, "[%zu]", child);
    if (keys) {
        VVI_TRY(vvi_buf_append_byte(out, '[', err));
        VVI_TRY(vvi_py_repr(keys->u.list.items[child], out, err));
        return vvi_buf_append_byte(out, ']', err);
    }
    if (node->fields && node->fields[child])
        return vvi_buf_printf(out, err, ".%s", node->fields[child]);
    return vvi_buf_printf(out, err, "[<flat index %zu>]", child);
}

/* Name the leaves below node; path holds what stands in front and comes back as it was. */
static vv_status name_leaves(const vvi_tree_node *node, vv_buf *path, char **names,
                             vv_error *err)
{
    size_t len = path->len;

    if (node->kind == VVI_TREE_LEAF) {
        names[node->leaf] = vvi_strndup((const char *)path->data, path->len);
        return names[node->leaf] ? VV_OK : vvi_fail_nomem(err, path->len);
    }
    for (size_t i = 0; i < node->count; i++) {
        if (!node->children[i]->leaves)
            continue;
        VVI_TRY(append_key(node, i, path, err));
        VVI_TRY(name_leaves(node->children[i], path, names, err));
        path->len = len;
    }
    return VV_OK;
}

static void free_names(char **names, size_t count)
{
    for (size_t i = 0; names && i < count; i++)
        vvi_free(names[i]);
    vvi_free(names);
}

typedef struct named_leaf {
    const char *name;
    size_t leaf;
} named_leaf;

static int compare_named(const void *a, const void *b)
{
    const named_leaf *p = a, *q = b;
    int order = strcmp(p->name, q->name);

    return order ? order : (p->leaf > q->leaf) - (p->leaf < q->leaf);
}

/* Take over new names, and sort them. */
static vv_status set_names(vv_tree *tree, char **names, vv_error *err)
{
    size_t count = tree->root->leaves;
    named_leaf *sorted = vvi_alloc_array(count, sizeof(*sorted));
    size_t *by_name = vvi_alloc_array(count, sizeof(*by_name));

    if (!sorted || !by_name) {
        vvi_free(sorted);
        vvi_free(by_name);
        free_names(names, count);
        return vvi_fail_nomem(err, count * sizeof(*sorted));
    }
    for (size_t i = 0; i < count; i++)
        sorted[i] = (named_leaf){ names[i], i };
    if (count)
        qsort(sorted, count, sizeof(*sorted), compare_named);
    for (size_t i = 0; i < count; i++)
        by_name[i] = sorted[i].leaf;
    vvi_free(sorted);
    free_names(tree->names, count);
    vvi_free(tree->by_name);
    tree->names = names;
    tree->by_name = by_name;
    return VV_OK;
}

static vv_status rename_leaves(vv_tree *tree, vv_error *err)
{
    char **names = vvi_alloc_array_zero(tree->root->leaves, sizeof(*names));
    vv_buf path = VV_BUF_INIT;
    vv_status status;

    if (!names)
        return vvi_fail_nomem(err, tree->root->leaves * sizeof(*names));
    status = vvi_buf_reserve(&path, 64, err);
    if (!status)
        status = name_leaves(tree->root, &path, names, err);
    vv_buf_clear(&path);
    if (status) {
        free_names(names, tree->root->leaves);
        return status;
    }
    return set_names(tree, names, err);
}

/* ---- trees --------------------------------------------------------------------------------- */

static void number_leaves(vvi_tree_node *node, size_t *next)
{
    if (node->kind == VVI_TREE_LEAF)
        node->leaf = (*next)++;
    for (size_t i = 0; i < node->count; i++)
        number_leaves(node->children[i], next);
}

static vv_status name_class(vv_tree *tree, vv_error *err)
{
    static const char *const names[VVI_TREE_KINDS] = { [VVI_TREE_NONE] = "NoneType",
                                                       [VVI_TREE_TUPLE] = "tuple",
                                                       [VVI_TREE_LIST] = "list",
                                                       [VVI_TREE_DICT] = "dict" };
    const char *name = names[tree->root->kind];

    if (tree->root->type)
        name = (const char *)tree->root->type->u.list.items[1]->u.bytes.data;
    if (!name)
        return VV_OK;
    tree->class_name = vvi_strdup(name);
    return tree->class_name ? VV_OK : vvi_fail_nomem(err, strlen(name));
}

vv_status vvi_tree_new(vvi_tree_node *root, vv_tree **out, vv_error *err)
{
    vv_tree *tree = vvi_alloc_zero(sizeof(*tree));
    size_t leaves = 0;
    vv_status status;

    if (!tree) {
        vvi_tree_node_free(root);
        return vvi_fail_nomem(err, sizeof(*tree));
    }
    tree->root = root;
    number_leaves(root, &leaves);
    status = name_class(tree, err);
    if (!status)
        status = rename_leaves(tree, err);
    if (status)
        vv_tree_free(tree);
    else
        *out = tree;
    return status;
}

void vv_tree_free(vv_tree *tree)
{
    if (!tree)
        return;
    free_names(tree->names, tree->root->leaves);
    vvi_tree_node_free(tree->root);
    vvi_free(tree->by_name);
    vvi_free(tree->class_name);
    vvi_free(tree);
}

size_t vv_tree_leaf_count(const vv_tree *tree)
{
    return tree->root->leaves;
}

size_t vv_tree_node_count(const vv_tree *tree)
{
    return tree->root->nodes;
}

const char *vv_tree_class_name(const vv_tree *tree)
{
    return tree->class_name;
}

const char *vv_tree_leaf_name(const vv_tree *tree, size_t leaf)
{
    return leaf < tree->root->leaves ? tree->names[leaf] : NULL;
}

bool vv_tree_leaf_by_name(const vv_tree *tree, const char *name, size_t *leaf)
{
    size_t low = 0;
    size_t high = tree->root->leaves;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(name, tree->names[tree->by_name[middle]]);

        if (order == 0) {
            *leaf = tree->by_name[middle];
            return true;
        }
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

vv_status vv_tree_names_json(const vv_tree *tree, const char *prefix, vv_buf *out,
                             vv_error *err)
{
    vv_buf name = VV_BUF_INIT;
    vv_status status = vvi_buf_append_byte(out, '[', err);

    for (size_t i = 0; i < tree->root->leaves && !status; i++) {
        name.len = 0;
        status = vvi_buf_printf(&name, err, "%s%s", prefix, tree->names[i]);
        if (!status && i)
            status = vvi_buf_append_text(out, ", ", err);
        if (!status)
            status = vvi_write_ascii_json(vvi_buf_bytes(&name), out, err);
    }
    if (!status)
        status = vvi_buf_append_byte(out, ']', err);
    if (!status)
        status = vvi_buf_terminate(out, err);
    vv_buf_clear(&name);
    return status;
}

/* ---- names from a list ----------------------------------------------------------------------- */

/* How long the field is that a name goes on with: up to the next '.' or '['; 0: it is none. */
static size_t field_length(const char *rest)
{
    return *rest == '.' ? strcspn(rest + 1, ".[") : 0;
}

/* The field of a child, from the rest of a name that leads through it. */
static vv_status learn_field(vvi_tree_node *node, size_t child, const char *rest,
                             vv_error *err)
{
    size_t len = field_length(rest);

    if (!len || node->fields[child])
        return VV_OK;
    node->fields[child] = vvi_strndup(rest + 1, len);
    return node->fields[child] ? VV_OK : vvi_fail_nomem(err, len);
}

/*
 * Go down one leaf's name. at: how much of it is read. What is known must stand there; what is not
 * is learned.
 */
static vv_status follow(vvi_tree_node *node, const char *const *names, size_t at,
                        vv_buf *key, vv_error *err)
{
    bool open = node->type && !keys_of(node);

    if (node->kind == VVI_TREE_LEAF)
        return names[node->leaf][at] == '\0'
                   ? VV_OK
                   : vvi_fail(err, VV_ECORRUPT, "the name '%s' goes on behind its leaf",
                              names[node->leaf]);
    for (size_t i = 0; i < node->count; i++) {
        const vvi_tree_node *first = node->children[i];
        const char *name;

        if (!first->leaves)
            continue;
        while (first->kind != VVI_TREE_LEAF) {
            size_t k = 0;

            while (!first->children[k]->leaves)
                k++;
            first = first->children[k];
        }
        name = names[first->leaf];
        if (open)
            VVI_TRY(learn_field(node, i, name + at, err));
        key->len = 0;
        VVI_TRY(append_key(node, i, key, err));
        VVI_TRY(vvi_buf_terminate(key, err));
        for (size_t l = 0; l < node->children[i]->leaves; l++)
            if (strncmp(names[first->leaf + l] + at, (const char *)key->data, key->len) !=
                0)
                return vvi_fail(err, VV_ECORRUPT,
                                "the name '%s' does not go on with '%s'",
                                names[first->leaf + l], (const char *)key->data);
        VVI_TRY(follow(node->children[i], names, at + key->len, key, err));
    }
    return VV_OK;
}

/* Make room for fields in every node of a class, emptied; the old ones are lost. */
static vv_status forget_fields(vvi_tree_node *node, vv_error *err)
{
    if (node->type) {
        free_fields(node);
        node->fields = vvi_alloc_array_zero(node->count, sizeof(*node->fields));
        if (!node->fields)
            return vvi_fail_nomem(err, node->count * sizeof(*node->fields));
    }
    for (size_t i = 0; i < node->count; i++)
        VVI_TRY(forget_fields(node->children[i], err));
    return VV_OK;
}

static vv_status read_names(const vv_tree *tree, const vvi_json *list, const char *prefix,
                            const char **names, vv_error *err)
{
    size_t i = 0;

    if (!vvi_json_is(list, VVI_JSON_ARRAY) || vvi_json_count(list) != tree->root->leaves)
        return vvi_fail(err, VV_ECORRUPT, "%zu names where the tree has %zu leaves",
                        vvi_json_count(list), tree->root->leaves);
    for (const vvi_json *item = vvi_json_first(list); item; item = vvi_json_next(item)) {
        size_t len = 0;
        const char *name = vvi_json_text(item, &len);

        if (!name || strlen(name) != len || strncmp(name, prefix, strlen(prefix)) != 0)
            return vvi_fail(err, VV_ECORRUPT, "name %zu does not begin with '%s'", i,
                            prefix);
        names[i++] = name + strlen(prefix);
    }
    return VV_OK;
}

vv_status vv_tree_set_names(vv_tree *tree, const char *names_json, const char *prefix,
                            vv_error *err)
{
    const char **names = vvi_alloc_array(tree->root->leaves, sizeof(*names));
    vvi_tree_node *root = NULL;
    vv_buf key = VV_BUF_INIT;
    vv_tree *trial = NULL;
    vvi_json *list = NULL;
    vv_status status = VV_OK;

    if (!names)
        return vvi_fail_nomem(err, tree->root->leaves * sizeof(*names));
    status = vvi_json_parse(vv_bytes_of(names_json), &list, err);
    if (!status)
        status = read_names(tree, list, prefix, names, err);
    /* Tried on a copy, so that a failure leaves this tree as it is. */
    if (!status)
        status = copy_node(tree->root, &root, err);
    if (!status)
        status = vvi_tree_new(root, &trial, err);
    if (!status)
        status = forget_fields(trial->root, err);
    if (!status)
        status = follow(trial->root, names, 0, &key, err);
    if (!status)
        status = rename_leaves(trial, err);
    if (!status) {
        vv_tree swapped = *tree;

        *tree = *trial;
        *trial = swapped;
    }
    vv_tree_free(trial);
    vv_buf_clear(&key);
    vvi_json_free(list);
    vvi_free(names);
    return status;
}
