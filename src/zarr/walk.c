/* The walk over a hierarchy. */
#include "zarr/node.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <stdlib.h>
#include <string.h>

#define DOCUMENT "zarr.json"
#define BATCH    64

/* Paths of all documents below the start. */
typedef struct path_list {
    char **paths;
    size_t count, cap;
} path_list;

static void clear_list(path_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        vvi_free(list->paths[i]);
    vvi_free(list->paths);
}

/* Keep the keys that end in /zarr.json, without that end. */
static vv_status take_key(void *ctx, const char *key, vv_error *err)
{
    path_list *list = ctx;
    size_t len = strlen(key);
    size_t end = strlen(DOCUMENT);

    if (len < end || strcmp(key + len - end, DOCUMENT) != 0 ||
        (len > end && key[len - end - 1] != '/'))
        return VV_OK;
    VVI_TRY(vvi_grow((void **)&list->paths, &list->cap, list->count + 1,
                     sizeof(*list->paths), err));
    list->paths[list->count] = vvi_strndup(key, len > end ? len - end - 1 : 0);
    if (!list->paths[list->count])
        return vvi_fail_nomem(err, len);
    list->count++;
    return VV_OK;
}

/* Names in order, a node before what lies below it: the slash counts less than any character. */
static int compare_paths(const void *a, const void *b)
{
    const unsigned char *left = *(const unsigned char *const *)a;
    const unsigned char *right = *(const unsigned char *const *)b;

    while (*left && *left == *right) {
        left++;
        right++;
    }
    return (*left == '/' ? 1
            : *left      ? *left + 1
                         : 0) -
           (*right == '/' ? 1
            : *right      ? *right + 1
                          : 0);
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

static vv_status visit_node(node_walk *self, const char *path, vv_bytes text,
                            vv_error *err)
{
    vvi_json *document = NULL;
    vv_node_kind kind = VV_NODE_NONE;
    char *copy;
    vv_status status = vvi_document_parse(path, text, &document, err);

    if (!status)
        status = vvi_document_kind(document, &kind, err);
    vvi_json_free(document);
    if (status)
        return vvi_wrap(err, status, "'%s'", path);
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

static vv_status read_batch(node_walk *self, char *const *paths, size_t n, vv_error *err)
{
    vv_buf keys[BATCH];
    vv_buf texts[BATCH];
    const char *names[BATCH];
    vv_status statuses[BATCH];
    vv_status status = VV_OK;

    memset(keys, 0, sizeof(keys));
    memset(texts, 0, sizeof(texts));
    for (size_t i = 0; i < n && !status; i++) {
        status = vvi_path_key(paths[i], DOCUMENT, &keys[i], err);
        names[i] = (const char *)keys[i].data;
    }
    if (!status)
        status = vv_store_get_many(self->store, names, NULL, n, texts, statuses, err);
    for (size_t i = 0; i < n && !status; i++) {
        if (statuses[i] == VV_ENOTFOUND || !is_reached(self, paths[i]))
            continue; /* deleted since the listing; or not ours */
        status = statuses[i]
                     ? vv_store_get(self->store, names[i], VV_RANGE_ALL, &texts[i], err)
                     : visit_node(self, paths[i], vvi_buf_bytes(&texts[i]), err);
    }
    for (size_t i = 0; i < n; i++) {
        vv_buf_clear(&keys[i]);
        vv_buf_clear(&texts[i]);
    }
    return status;
}

static vv_status walk_all(node_walk *self, vv_error *err)
{
    path_list list = { NULL, 0, 0 };
    vv_buf prefix = VV_BUF_INIT;
    vv_status status = vvi_path_key(self->start, "", &prefix, err);

    if (!status)
        status = vv_store_list(self->store, (const char *)prefix.data, take_key, &list,
                               err);
    if (!status && list.count)
        qsort(list.paths, list.count, sizeof(*list.paths), compare_paths);
    for (size_t at = 0; at < list.count && !status; at += BATCH) {
        size_t n = list.count - at < BATCH ? list.count - at : BATCH;

        status = read_batch(self, list.paths + at, n, err);
    }
    clear_list(&list);
    vv_buf_clear(&prefix);
    return status;
}

vv_status vv_node_walk(vv_store *store, const char *path, bool recursive,
                       vv_node_fn visit, void *ctx, vv_error *err)
{
    node_walk self = { .store = store, .visit = visit, .ctx = ctx };
    vv_node_kind kind = VV_NODE_NONE;
    vvi_json *document = NULL;
    char *clean;
    vv_status status;

    VVI_TRY(vvi_path_clean(path, &clean, err));
    self.start = clean;
    status = vvi_node_load(store, clean, &document, err);
    if (!status)
        status = vvi_document_kind(document, &kind, err);
    vvi_json_free(document);
    if (!status && kind == VV_NODE_GROUP && recursive)
        status = walk_all(&self, err);
    else if (!status)
        status = visit(ctx, clean, kind, 0, err);
    vvi_free(self.group);
    vvi_free(clean);
    return status;
}
