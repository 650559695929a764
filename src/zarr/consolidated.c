/*
 * Consolidated metadata as a store: documents come from one that was read once, all else from the store
 * below.
 *
 * Source: Zarr v3 core specification, "Additional fields" (the member consolidated_metadata of a group);
 * the key .zmetadata that zarr-python writes for version 2.
 */
#include "zarr/node.h"

#include "store/internal.h"
#include "util/alloc.h"
#include "util/buf.h"

#include <stdlib.h>
#include <string.h>

typedef struct kept_document {
    char *key;
    vv_buf text;
    size_t place; /* in the order of reading; of a repeated key the last counts */
} kept_document;

typedef struct consolidated_store {
    vv_store base;
    vv_store *below;          /* held */
    char *prefix;             /* "" or "path/" */
    kept_document *documents; /* sorted by key; fixed once open */
    size_t count, cap;
} consolidated_store;

/* ---- documents ----------------------------------------------------------------------------- */

static int compare_documents(const void *a, const void *b)
{
    const kept_document *one = a;
    const kept_document *other = b;
    int order = strcmp(one->key, other->key);

    return order ? order : one->place < other->place ? 1 : -1;
}

static const kept_document *find_document(const consolidated_store *self, const char *key)
{
    size_t low = 0;
    size_t high = self->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(self->documents[middle].key, key);

        if (order == 0)
            return &self->documents[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool is_document_name(const char *name)
{
    static const char *const names[] = { "zarr.json", ".zarray", ".zgroup", ".zattrs" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Would a document of this hierarchy have that key? Then the store below is not asked. */
static bool is_ours(const consolidated_store *self, const char *key)
{
    const char *slash = strrchr(key, '/');

    return strncmp(key, self->prefix, strlen(self->prefix)) == 0 &&
           is_document_name(slash ? slash + 1 : key);
}

static vv_status add_document(consolidated_store *self, const char *path,
                              const char *name, const vvi_json *value, vv_error *err)
{
    vv_buf key = VV_BUF_INIT;
    kept_document *document;
    vv_status status;

    VVI_TRY(vvi_grow((void **)&self->documents, &self->cap, self->count + 1,
                     sizeof(*self->documents), err));
    document = &self->documents[self->count];
    *document = (kept_document){ .place = self->count };
    status = vvi_buf_append_text(&key, self->prefix, err);
    if (!status)
        status = vvi_path_key(path, name, &key, err);
    if (!status)
        status = vvi_json_write(value, 0, &document->text, err);
    if (status) {
        vv_buf_clear(&document->text);
        vv_buf_clear(&key);
        return status;
    }
    document->key = (char *)key.data; /* from the same allocator */
    self->count++;
    return VV_OK;
}

/* A name in the metadata is the path of a node below the group. */
static vv_status add_node(consolidated_store *self, const vvi_json *node, vv_error *err)
{
    char *clean;
    vv_status status = vvi_path_clean(vvi_json_name(node), &clean, err);

    if (status)
        return vvi_wrap(err, status == VV_EINVAL ? VV_ECORRUPT : status,
                        "consolidated_metadata");
    status = *clean ? add_document(self, clean, "zarr.json", node, err)
                    : vvi_fail(err, VV_ECORRUPT,
                               "consolidated_metadata: a node without a name");
    vvi_free(clean);
    return status;
}

/* Of version 2 it is the key of a document. */
static vv_status add_key(consolidated_store *self, const vvi_json *value, vv_error *err)
{
    const char *key = vvi_json_name(value);
    const char *slash = strrchr(key, '/');
    const char *name = slash ? slash + 1 : key;
    char *parent = vvi_strndup(key, slash ? (size_t)(slash - key) : 0);
    char *clean = NULL;
    vv_status status;

    if (!parent)
        return vvi_fail_nomem(err, strlen(key));
    status = vvi_path_clean(parent, &clean, err);
    if (status)
        vvi_wrap(err, status == VV_EINVAL ? VV_ECORRUPT : status, ".zmetadata");
    else if (is_document_name(name))
        status = add_document(self, clean, name, value, err);
    vvi_free(parent);
    vvi_free(clean);
    return status == VV_EINVAL ? VV_ECORRUPT : status;
}

static vv_status add_all(consolidated_store *self, const vvi_json *metadata,
                         vv_status (*add)(consolidated_store *, const vvi_json *,
                                          vv_error *),
                         vv_error *err)
{
    if (!vvi_json_is(metadata, VVI_JSON_OBJECT))
        return vvi_fail(err, VV_ECORRUPT,
                        "member 'metadata' is %s, not an object of documents",
                        vvi_json_kind_name(metadata));
    for (const vvi_json *m = vvi_json_first(metadata); m; m = vvi_json_next(m))
        VVI_TRY(add(self, m, err));
    return VV_OK;
}

static vv_status fail_none(const char *path, vv_error *err)
{
    return vvi_fail(err, VV_ENOTFOUND, "'%s' has no consolidated metadata", path);
}

/* The member of the group's document. */
static vv_status read_member(consolidated_store *self, const char *path,
                             const vvi_json *document, vv_error *err)
{
    const vvi_json *member = vvi_json_get(document, "consolidated_metadata");
    const char *kind = vvi_json_text(vvi_json_get(member, "kind"), NULL);

    if (!vvi_json_is(member, VVI_JSON_OBJECT))
        return fail_none(path, err);
    if (!kind || strcmp(kind, "inline") != 0)
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "'%s': consolidated_metadata of the kind '%.40s', not 'inline'",
                        path, kind ? kind : "");
    VVI_TRY(add_document(self, "", "zarr.json", document, err));
    return add_all(self, vvi_json_get(member, "metadata"), add_node, err);
}

static vv_status read_zmetadata(consolidated_store *self, const vvi_json *document,
                                vv_error *err)
{
    int64_t format = 0;

    if (!vvi_json_int64(vvi_json_get(document, "zarr_consolidated_format"), &format) ||
        format != 1)
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "'%s.zmetadata' is not of zarr_consolidated_format 1",
                        self->prefix);
    return add_all(self, vvi_json_get(document, "metadata"), add_key, err);
}

/* Read PREFIX/name; *out stays NULL where there is none. */
static vv_status fetch(consolidated_store *self, const char *name, vvi_json **out,
                       vv_error *err)
{
    vv_buf key = VV_BUF_INIT;
    vv_buf text = VV_BUF_INIT;
    vv_status status = vvi_buf_append_text(&key, self->prefix, err);

    if (!status)
        status = vvi_path_key("", name, &key, err);
    if (!status) {
        status = vv_store_get(self->below, (const char *)key.data, VV_RANGE_ALL, &text,
                              err);
        if (!status)
            status = vvi_document_parse((const char *)key.data, vvi_buf_bytes(&text), out,
                                        err);
        else if (status == VV_ENOTFOUND)
            status = VV_OK;
    }
    vv_buf_clear(&key);
    vv_buf_clear(&text);
    return status;
}

static vv_status read_documents(consolidated_store *self, const char *path, vv_error *err)
{
    vvi_json *document = NULL;
    size_t kept = 0;
    vv_status status = fetch(self, "zarr.json", &document, err);

    if (!status && document) {
        status = read_member(self, path, document, err);
    } else if (!status) {
        status = fetch(self, ".zmetadata", &document, err);
        if (!status)
            status = document ? read_zmetadata(self, document, err)
                              : fail_none(path, err);
    }
    vvi_json_free(document);
    VVI_TRY(status);
    if (self->count)
        qsort(self->documents, self->count, sizeof(*self->documents), compare_documents);
    for (size_t i = 0; i < self->count; i++)
        if (kept && strcmp(self->documents[kept - 1].key, self->documents[i].key) == 0) {
            vvi_free(self->documents[i].key);
            vv_buf_clear(&self->documents[i].text);
        } else {
            self->documents[kept++] = self->documents[i];
        }
    self->count = kept;
    return VV_OK;
}

/* ---- the store ------------------------------------------------------------------------------ */

static vv_status consolidated_get(vv_store *base, const char *key, vv_range range,
                                  vv_buf *out, vv_error *err)
{
    consolidated_store *self = (consolidated_store *)base;
    const kept_document *document;
    uint64_t offset;
    uint64_t count;

    if (!is_ours(self, key))
        return vv_store_get(self->below, key, range, out, err);
    document = find_document(self, key);
    if (!document)
        return vvi_fail_missing_key(err, base, key);
    vvi_range_resolve(range, document->text.len, &offset, &count);
    return vvi_buf_set(out, vvi_bytes(document->text.data + offset, (size_t)count), err);
}

static vv_status consolidated_get_many(vv_store *base, const char *const *keys,
                                       const vv_range *ranges, size_t n, vv_buf *outs,
                                       vv_status *statuses, vv_error *err)
{
    consolidated_store *self = (consolidated_store *)base;
    vv_status first = VV_OK;
    bool below = true;

    for (size_t i = 0; i < n && below; i++)
        below = !is_ours(self, keys[i]);
    if (below)
        return vv_store_get_many(self->below, keys, ranges, n, outs, statuses, err);
    for (size_t i = 0; i < n; i++) {
        statuses[i] = consolidated_get(base, keys[i], ranges ? ranges[i] : VV_RANGE_ALL,
                                       &outs[i], first ? NULL : err);
        if (!first)
            first = statuses[i];
    }
    return first;
}

static vv_status consolidated_exists(vv_store *base, const char *key, bool *out,
                                     vv_error *err)
{
    consolidated_store *self = (consolidated_store *)base;

    if (!is_ours(self, key))
        return vv_store_exists(self->below, key, out, err);
    *out = find_document(self, key) != NULL;
    return VV_OK;
}

static vv_status consolidated_size(vv_store *base, const char *key, uint64_t *out,
                                   vv_error *err)
{
    consolidated_store *self = (consolidated_store *)base;
    const kept_document *document;

    if (!is_ours(self, key))
        return vv_store_size(self->below, key, out, err);
    document = find_document(self, key);
    if (!document)
        return vvi_fail_missing_key(err, base, key);
    *out = document->text.len;
    return VV_OK;
}

static vv_status consolidated_list(vv_store *base, const char *prefix, vv_key_fn visit,
                                   void *ctx, vv_error *err)
{
    const consolidated_store *self = (const consolidated_store *)base;

    for (size_t i = 0; i < self->count; i++)
        if (strncmp(self->documents[i].key, prefix, strlen(prefix)) == 0)
            VVI_TRY(visit(ctx, self->documents[i].key, err));
    return VV_OK;
}

static void consolidated_free(vv_store *base)
{
    consolidated_store *self = (consolidated_store *)base;

    for (size_t i = 0; i < self->count; i++) {
        vvi_free(self->documents[i].key);
        vv_buf_clear(&self->documents[i].text);
    }
    vvi_free(self->documents);
    vvi_free(self->prefix);
    vv_store_free(self->below);
    vvi_free(self);
}

static const vv_store_ops consolidated_ops = {
    .name = "consolidated",
    .get = consolidated_get,
    .get_many = consolidated_get_many,
    .exists = consolidated_exists,
    .size = consolidated_size,
    .list = consolidated_list,
    .free = consolidated_free,
};

vv_status vv_consolidated_store_open(vv_store *store, const char *path, vv_store **out,
                                     vv_error *err)
{
    consolidated_store *self;
    vv_buf prefix = VV_BUF_INIT;
    char *clean;
    vv_status status;

    VVI_TRY(vvi_path_clean(path, &clean, err));
    self = vvi_alloc_zero(sizeof(*self));
    status = self ? vvi_path_key(clean, "", &prefix, err)
                  : vvi_fail_nomem(err, sizeof(*self));
    if (status) {
        vv_buf_clear(&prefix);
        vvi_free(self);
        vvi_free(clean);
        return status;
    }
    vv_store_base_init(&self->base, &consolidated_ops, true);
    self->below = vv_store_retain(store);
    self->prefix = (char *)prefix.data;
    status = read_documents(self, clean, err);
    if (status)
        consolidated_free(&self->base);
    else
        *out = &self->base;
    vvi_free(clean);
    return status;
}
