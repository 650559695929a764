/*
 * Nodes deleted, copied and renamed, with all below them and without reading a chunk.
 *
 * A node is there when its document is. So documents are copied last and deleted first, the node's own
 * after and before those below it: whoever is killed in between leaves the old state or the new one,
 * and keys without a document that nobody sees.
 */
#include "zarr/node.h"

#include "store/internal.h"
#include "util/alloc.h"
#include "util/buf.h"

#include <varvite/store_backend.h>

#include <stdlib.h>
#include <string.h>

static bool is_document(const char *key)
{
    static const char *const names[] = { "zarr.json", ".zarray", ".zgroup", ".zattrs" };
    const char *slash = strrchr(key, '/');

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(slash ? slash + 1 : key, names[i]) == 0)
            return true;
    return false;
}

typedef struct key_list {
    char **keys;
    size_t count, cap;
} key_list;

static vv_status keep_key(key_list *list, const char *key, vv_error *err)
{
    VVI_TRY(vvi_grow((void **)&list->keys, &list->cap, list->count + 1,
                     sizeof(*list->keys), err));
    list->keys[list->count] = vvi_strdup(key);
    if (!list->keys[list->count])
        return vvi_fail_nomem(err, strlen(key) + 1);
    list->count++;
    return VV_OK;
}

static void clear_keys(key_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        vvi_free(list->keys[i]);
    vvi_free(list->keys);
}

/* The document that makes a node lies above those of the nodes in it, and attributes count less. */
static int by_length(const void *a, const void *b)
{
    size_t left = strlen(*(char *const *)a);
    size_t right = strlen(*(char *const *)b);

    return left < right ? -1 : left > right;
}

/* ---- deleting ------------------------------------------------------------------------------ */

static vv_status keep_document(void *ctx, const char *key, vv_error *err)
{
    return is_document(key) ? keep_key(ctx, key, err) : VV_OK;
}

vv_status vvi_zarr_delete_tree(vv_store *store, const char *path, vv_error *err)
{
    key_list documents = { NULL, 0, 0 };
    vv_buf prefix = VV_BUF_INIT;
    vv_status status = vvi_path_key(path, "", &prefix, err);

    if (!status)
        status = vv_store_list(store, (const char *)prefix.data, keep_document,
                               &documents, err);
    if (documents.count)
        qsort(documents.keys, documents.count, sizeof(*documents.keys), by_length);
    for (size_t i = 0; i < documents.count && !status; i++)
        status = vv_store_delete(store, documents.keys[i], err);
    clear_keys(&documents);
    vv_buf_clear(&prefix);
    return status ? status : vvi_zarr_delete_below(store, path, err);
}

static vv_status check_there(vv_store *store, const char *path, vv_error *err)
{
    vvi_zarr_node node;
    vv_status status = vvi_zarr_node_find(store, path, &node, err);

    vvi_zarr_node_clear(&node);
    return status;
}

vv_status vv_node_delete(vv_store *store, const char *path, vv_error *err)
{
    char *clean;
    vv_status status;

    VVI_TRY(vvi_path_clean(path, &clean, err));
    status = check_there(store, clean, err);
    if (!status)
        status = vvi_zarr_touch_parents(store, clean, err);
    if (!status)
        status = vvi_zarr_delete_tree(store, clean, err);
    vvi_free(clean);
    return status;
}

/* ---- copying ------------------------------------------------------------------------------- */

typedef struct tree_copy {
    vv_store *store;
    size_t from_len; /* of the prefix that goes */
    const char *to;  /* the path that comes in its place */
    key_list documents;
    vv_buf key;
} tree_copy;

static vv_status copy_key(tree_copy *self, const char *key, vv_error *err)
{
    self->key.len = 0;
    VVI_TRY(vvi_path_key(self->to, key + self->from_len, &self->key, err));
    return vv_store_copy(self->store, key, (const char *)self->key.data, err);
}

static vv_status take_key(void *ctx, const char *key, vv_error *err)
{
    tree_copy *self = ctx;

    return is_document(key) ? keep_key(&self->documents, key, err)
                            : copy_key(self, key, err);
}

static vv_status take_value(void *ctx, const char *key, vv_error *err)
{
    return is_document(key) ? VV_OK : copy_key(ctx, key, err);
}

/* Documents behind all else, those of the nodes above last, so that no reader finds a part. */
static vv_status copy_documents_last(tree_copy *self, const char *prefix, vv_error *err)
{
    VVI_TRY(vv_store_list(self->store, prefix, take_key, self, err));
    if (self->documents.count)
        qsort(self->documents.keys, self->documents.count, sizeof(*self->documents.keys),
              by_length);
    for (size_t i = self->documents.count; i > 0; i--)
        VVI_TRY(copy_key(self, self->documents.keys[i - 1], err));
    return VV_OK;
}

/* Where chunks are kept in an index of their array, which its document makes. */
static vv_status copy_documents_first(tree_copy *self, const char *prefix, vv_error *err)
{
    VVI_TRY(vv_store_list(self->store, prefix, keep_document, &self->documents, err));
    if (self->documents.count)
        qsort(self->documents.keys, self->documents.count, sizeof(*self->documents.keys),
              by_length);
    for (size_t i = 0; i < self->documents.count; i++)
        VVI_TRY(copy_key(self, self->documents.keys[i], err));
    return vv_store_list(self->store, prefix, take_value, self, err);
}

static vv_status copy_tree(vv_store *store, const char *from, const char *to,
                           vv_error *err)
{
    tree_copy copy = { .store = store, .to = to };
    vv_buf prefix = VV_BUF_INIT;
    vv_status status = vvi_path_key(from, "", &prefix, err);

    copy.from_len = prefix.len;
    if (!status)
        status = (store->indexes_chunks ? copy_documents_first : copy_documents_last)(
            &copy, (const char *)prefix.data, err);
    clear_keys(&copy.documents);
    vv_buf_clear(&copy.key);
    vv_buf_clear(&prefix);
    return status;
}

/* Is path the node at above, or below it? */
static bool lies_in(const char *path, const char *above)
{
    size_t len = strlen(above);

    return len == 0 ||
           (strncmp(path, above, len) == 0 && (path[len] == '\0' || path[len] == '/'));
}

static vv_status refuse_document(void *ctx, const char *key, vv_error *err)
{
    return is_document(key) ? vvi_fail(err, VV_EEXISTS,
                                       "there is a node below '%s' already (key '%s')",
                                       (const char *)ctx, key)
                            : VV_OK;
}

/* Some writers make nodes without the groups above them; those are not what a killed copy left. */
static vv_status check_nothing_below(vv_store *store, const char *path, vv_error *err)
{
    vv_buf prefix = VV_BUF_INIT;
    vv_status status = vvi_path_key(path, "", &prefix, err);

    if (!status)
        status = vv_store_list(store, (const char *)prefix.data, refuse_document,
                               (void *)(uintptr_t)path, err);
    vv_buf_clear(&prefix);
    return status;
}

/* Let nothing be at to, and groups above it. */
static vv_status prepare_target(vv_store *store, const char *from, const char *to,
                                vv_error *err)
{
    vv_node_kind kind;

    if (lies_in(to, from))
        return vvi_fail(err, VV_EINVAL, "'%s' lies in '%s'", to, from);
    if (lies_in(from, to)) /* where nothing makes it a group */
        return vvi_fail(err, VV_EINVAL, "'%s' lies in '%s'", from, to);
    VVI_TRY(check_there(store, from, err));
    VVI_TRY(vv_node_kind_of(store, to, &kind, err));
    if (kind != VV_NODE_NONE)
        return vvi_fail(err, VV_EEXISTS, "there is a node at '%s' already", to);
    VVI_TRY(check_nothing_below(store, to, err));
    VVI_TRY(vvi_zarr_make_parents(store, to, err));
    /* What a killed copy left. */
    return vvi_zarr_delete_below(store, to, err);
}

/* In one step where the store can; false where not. */
static vv_status rename_at_once(vv_store *store, const char *from, const char *to,
                                bool *done, vv_error *err)
{
    vv_buf old = VV_BUF_INIT;
    vv_buf new = VV_BUF_INIT;
    vv_status status = vvi_path_key(from, "", &old, err);

    if (!status)
        status = vvi_path_key(to, "", &new, err);
    if (!status)
        status = vvi_store_rename_dir(store, (const char *)old.data,
                                      (const char *)new.data, err);
    *done = status == VV_OK;
    vv_buf_clear(&old);
    vv_buf_clear(&new);
    return status == VV_EUNSUPPORTED ? VV_OK : status;
}

static vv_status rename_tree(vv_store *store, const char *from, const char *to,
                             vv_error *err)
{
    bool done;

    VVI_TRY(vvi_zarr_touch_parents(store, from, err));
    VVI_TRY(rename_at_once(store, from, to, &done, err));
    if (done)
        return VV_OK;
    VVI_TRY(copy_tree(store, from, to, err));
    return vvi_zarr_delete_tree(store, from, err);
}

static vv_status relocate(vv_store *store, const char *from, const char *to,
                          vv_status (*act)(vv_store *, const char *, const char *,
                                           vv_error *),
                          vv_error *err)
{
    char *clean_from;
    char *clean_to;
    vv_status status;

    VVI_TRY(vvi_path_clean(from, &clean_from, err));
    status = vvi_path_clean(to, &clean_to, err);
    if (!status) {
        status = prepare_target(store, clean_from, clean_to, err);
        if (!status)
            status = act(store, clean_from, clean_to, err);
        vvi_free(clean_to);
    }
    vvi_free(clean_from);
    return status;
}

vv_status vv_node_copy(vv_store *store, const char *from, const char *to, vv_error *err)
{
    return relocate(store, from, to, copy_tree, err);
}

vv_status vv_node_rename(vv_store *store, const char *from, const char *to, vv_error *err)
{
    return relocate(store, from, to, rename_tree, err);
}
