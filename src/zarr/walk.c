/* The walk over a hierarchy. */
#include "zarr/node.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "zarr/v2.h"

#include <stdlib.h>
#include <string.h>

#define BATCH 64

/* The documents that make a node; at one path the first of them counts. */
static const char *const documents[] = { "zarr.json", ".zarray", ".zgroup" };
#define DOCUMENTS (sizeof(documents) / sizeof(documents[0]))

typedef struct found_node {
    char *path;
    size_t document; /* which of them */
} found_node;

/* The documents below the start. */
typedef struct node_list {
    found_node *nodes;
    size_t count, cap;
} node_list;

static void clear_list(node_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        vvi_free(list->nodes[i].path);
    vvi_free(list->nodes);
}

/* Is this the key of a document, and of which? *len becomes the length of the path. */
static bool is_document(const char *key, size_t *len, size_t *which)
{
    const char *slash = strrchr(key, '/');
    const char *name = slash ? slash + 1 : key;

    *len = slash ? (size_t)(slash - key) : 0;
    for (*which = 0; *which < DOCUMENTS; ++*which)
        if (strcmp(name, documents[*which]) == 0)
            return true;
    return false;
}

static vv_status take_key(void *ctx, const char *key, vv_error *err)
{
    node_list *list = ctx;
    size_t which;
    size_t len;

    if (!is_document(key, &len, &which))
        return VV_OK;
    VVI_TRY(vvi_grow((void **)&list->nodes, &list->cap, list->count + 1,
                     sizeof(*list->nodes), err));
    list->nodes[list->count] = (found_node){ vvi_strndup(key, len), which };
    if (!list->nodes[list->count].path)
        return vvi_fail_nomem(err, len);
    list->count++;
    return VV_OK;
}

/* Names in order, a node before what lies below it: the slash counts less than any character. */
static int compare_nodes(const void *a, const void *b)
{
    const found_node *one = a;
    const found_node *other = b;
    const unsigned char *left = (const unsigned char *)one->path;
    const unsigned char *right = (const unsigned char *)other->path;

    while (*left && *left == *right) {
        left++;
        right++;
    }
    if (*left == *right)
        return (int)one->document - (int)other->document;
    return (*left == '/' ? 1
            : *left      ? *left + 1
                         : 0) -
           (*right == '/' ? 1
            : *right      ? *right + 1
                          : 0);
}

/* Keep the first document of each path. */
static void drop_repeated(node_list *list)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++)
        if (kept && strcmp(list->nodes[kept - 1].path, list->nodes[i].path) == 0)
            vvi_free(list->nodes[i].path);
        else
            list->nodes[kept++] = list->nodes[i];
    list->count = kept;
}

typedef struct node_walk {
    vv_store *store;
    const char *start;
    vv_node_fn visit;
    void *ctx;
    char
        *group; /* the group visited last that the next node may lie in; NULL: none yet */
} node_walk;

/* Is path directly below group? */
static bool is_child(const char *group, const char *path)
{
    size_t len = strlen(group);

    if (len && (strncmp(path, group, len) != 0 || path[len] != '/'))
        return false;
    path += len ? len + 1 : 0;
    return *path && !strchr(path, '/');
}

/* Find the visited group that path lies in directly: the last one or one above it, not above the
 * start. */
static bool climb_to_parent(char *group, const char *start, const char *path)
{
    while (!is_child(group, path)) {
        char *slash = strrchr(group, '/');

        if (strlen(group) <= strlen(start))
            return false;
        *(slash ? slash : group) = '\0';
    }
    return true;
}

static uint32_t depth_of(const char *start, const char *path)
{
    uint32_t depth = strcmp(path, start) != 0;

    for (path += strlen(start) + (*start != '\0'); depth && *path; path++)
        depth += *path == '/';
    return depth;
}

/* The kind of node that a document describes. */
static vv_status read_kind(const found_node *node, vv_bytes text, vv_node_kind *out,
                           vv_error *err)
{
    vvi_json *document = NULL;
    vv_status status = vvi_document_parse(node->path, text, &document, err);

    if (!status && node->document == 0)
        status = vvi_document_kind(document, out, err);
    else if (!status)
        status = vvi_check_format(document, 2, err);
    if (node->document > 0)
        *out = node->document == 1 ? VV_NODE_ARRAY : VV_NODE_GROUP;
    vvi_json_free(document);
    return status ? vvi_wrap(err, status, "'%s'", node->path) : VV_OK;
}

static vv_status visit_node(node_walk *self, const found_node *node, vv_bytes text,
                            vv_error *err)
{
    const char *path = node->path;
    vv_node_kind kind = VV_NODE_NONE;
    char *copy;

    VVI_TRY(read_kind(node, text, &kind, err));
    if (kind == VV_NODE_GROUP) {
        copy = vvi_strdup(path);
        if (!copy)
            return vvi_fail_nomem(err, strlen(path) + 1);
        vvi_free(self->group);
        self->group = copy;
    }
    return self->visit(self->ctx, path, kind, depth_of(self->start, path), err);
}

/* What no group leads to is no part of the hierarchy. */
static bool is_reached(node_walk *self, const char *path)
{
    return strcmp(path, self->start) == 0 ||
           (self->group && climb_to_parent(self->group, self->start, path));
}

static vv_status read_batch(node_walk *self, const found_node *nodes, size_t n,
                            vv_error *err)
{
    vv_buf keys[BATCH];
    vv_buf texts[BATCH];
    const char *names[BATCH];
    vv_status statuses[BATCH];
    vv_status status = VV_OK;

    memset(keys, 0, sizeof(keys));
    memset(texts, 0, sizeof(texts));
    for (size_t i = 0; i < n && !status; i++) {
        status = vvi_path_key(nodes[i].path, documents[nodes[i].document], &keys[i], err);
        names[i] = (const char *)keys[i].data;
    }
    if (!status)
        status = vv_store_get_many(self->store, names, NULL, n, texts, statuses, err);
    for (size_t i = 0; i < n && !status; i++) {
        if (statuses[i] == VV_ENOTFOUND || !is_reached(self, nodes[i].path))
            continue; /* deleted since the listing; or not ours */
        status = statuses[i]
                     ? vv_store_get(self->store, names[i], VV_RANGE_ALL, &texts[i], err)
                     : visit_node(self, &nodes[i], vvi_buf_bytes(&texts[i]), err);
    }
    for (size_t i = 0; i < n; i++) {
        vv_buf_clear(&keys[i]);
        vv_buf_clear(&texts[i]);
    }
    return status;
}

static vv_status walk_all(node_walk *self, vv_error *err)
{
    node_list list = { NULL, 0, 0 };
    vv_buf prefix = VV_BUF_INIT;
    vv_status status = vvi_path_key(self->start, "", &prefix, err);

    if (!status)
        status = vv_store_list(self->store, (const char *)prefix.data, take_key, &list,
                               err);
    if (!status && list.count) {
        qsort(list.nodes, list.count, sizeof(*list.nodes), compare_nodes);
        drop_repeated(&list);
    }
    for (size_t at = 0; at < list.count && !status; at += BATCH) {
        size_t n = list.count - at < BATCH ? list.count - at : BATCH;

        status = read_batch(self, list.nodes + at, n, err);
    }
    clear_list(&list);
    vv_buf_clear(&prefix);
    return status;
}

vv_status vv_node_walk(vv_store *store, const char *path, bool recursive,
                       vv_node_fn visit, void *ctx, vv_error *err)
{
    node_walk self = { .store = store, .visit = visit, .ctx = ctx };
    vvi_zarr_node node;
    vv_node_kind kind;
    char *clean;
    vv_status status;

    VVI_TRY(vvi_path_clean(path, &clean, err));
    self.start = clean;
    status = vvi_zarr_node_find(store, clean, &node, err);
    kind = node.kind;
    vvi_zarr_node_clear(&node);
    if (!status && kind == VV_NODE_GROUP && recursive)
        status = walk_all(&self, err);
    else if (!status)
        status = visit(ctx, clean, kind, 0, err);
    vvi_free(self.group);
    vvi_free(clean);
    return status;
}
