#include "zarr/node.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "zarr/v2.h"

#include <string.h>

#define DOCUMENT "zarr.json"
#define INDENT   2

/* Zarr v3 core, "Node names". */
static bool is_node_name(const char *name, size_t len)
{
    return len && strspn(name, ".") < len;
}

vv_status vvi_path_clean(const char *path, char **out, vv_error *err)
{
    size_t len;

    if (!path)
        path = "";
    path += strspn(path, "/");
    len = strlen(path);
    while (len && path[len - 1] == '/')
        len--;
    for (size_t at = 0; at < len;) {
        size_t part = strcspn(path + at, "/");

        if (part > len - at)
            part = len - at;
        if (!is_node_name(path + at, part))
            return vvi_fail(err, VV_EINVAL, "'%s': a node's name may not be '%.*s'", path,
                            (int)part, path + at);
        at += part + 1;
    }
    if (!vvi_is_utf8(vvi_bytes(path, len)))
        return vvi_fail(err, VV_EINVAL, "a path that is not UTF-8");
    *out = vvi_strndup(path, len);
    return *out ? VV_OK : vvi_fail_nomem(err, len + 1);
}

vv_status vvi_path_key(const char *path, const char *name, vv_buf *out, vv_error *err)
{
    if (*path) {
        VVI_TRY(vvi_buf_append_text(out, path, err));
        VVI_TRY(vvi_buf_append_byte(out, '/', err));
    }
    VVI_TRY(vvi_buf_append_text(out, name, err));
    return vvi_buf_terminate(out, err);
}

vv_status vvi_document_parse(const char *key, vv_bytes text, vvi_json **out,
                             vv_error *err)
{
    vv_status status = vvi_json_parse(text, out, err);

    return status ? vvi_wrap(err, status, "%s", key) : VV_OK;
}

void vvi_zarr_node_clear(vvi_zarr_node *node)
{
    vvi_json_free(node->document);
    vvi_json_free(node->zattrs);
    memset(node, 0, sizeof(*node));
}

/* ---- finding ------------------------------------------------------------------------------- */

static const char *const v2_names[] = { ".zarray", ".zgroup", ".zattrs" };

/* Read the three documents of a node of version 2, in one call. */
static vv_status get_v2(vv_store *store, const char *path, vv_buf keys[3],
                        vv_buf texts[3], vv_status statuses[3], vv_error *err)
{
    const char *names[3];

    for (size_t i = 0; i < 3; i++) {
        VVI_TRY(vvi_path_key(path, v2_names[i], &keys[i], err));
        names[i] = (const char *)keys[i].data;
    }
    VVI_TRY(vv_store_get_many(store, names, NULL, 3, texts, statuses, err));
    for (size_t i = 0; i < 3; i++)
        if (statuses[i] && statuses[i] != VV_ENOTFOUND) /* once more, for the reason */
            VVI_TRY(vv_store_get(store, names[i], VV_RANGE_ALL, &texts[i], err));
    return VV_OK;
}

static vv_status find_v2(vv_store *store, const char *path, vvi_zarr_node *out,
                         vv_error *err)
{
    vv_buf keys[3] = { VV_BUF_INIT, VV_BUF_INIT, VV_BUF_INIT };
    vv_buf texts[3] = { VV_BUF_INIT, VV_BUF_INIT, VV_BUF_INIT };
    vv_status statuses[3] = { VV_ENOTFOUND, VV_ENOTFOUND, VV_ENOTFOUND };
    vv_status status = get_v2(store, path, keys, texts, statuses, err);
    size_t which = statuses[0] ? 1 : 0;

    if (!status && statuses[0] && statuses[1])
        status = vvi_fail(err, VV_ENOTFOUND,
                          "no array or group at '%s' (no key '%s%s" DOCUMENT "')", path,
                          path, *path ? "/" : "");
    if (!status)
        status = vvi_document_parse((const char *)keys[which].data,
                                    vvi_buf_bytes(&texts[which]), &out->document, err);
    if (!status) {
        status = vvi_check_format(out->document, 2, err);
        if (status)
            vvi_wrap(err, status, "%s", (const char *)keys[which].data);
    }
    if (!status && !statuses[2])
        status = vvi_document_parse((const char *)keys[2].data, vvi_buf_bytes(&texts[2]),
                                    &out->zattrs, err);
    out->kind = which ? VV_NODE_GROUP : VV_NODE_ARRAY;
    out->format = 2;
    for (size_t i = 0; i < 3; i++) {
        vv_buf_clear(&keys[i]);
        vv_buf_clear(&texts[i]);
    }
    return status;
}

vv_status vvi_zarr_node_find(vv_store *store, const char *path, vvi_zarr_node *out,
                             vv_error *err)
{
    vv_buf key = VV_BUF_INIT;
    vv_buf text = VV_BUF_INIT;
    vv_status status = vvi_path_key(path, DOCUMENT, &key, err);

    memset(out, 0, sizeof(*out));
    out->format = 3;
    if (!status) {
        status = vv_store_get(store, (const char *)key.data, VV_RANGE_ALL, &text, err);
        if (status == VV_ENOTFOUND) {
            status = find_v2(store, path, out, err);
        } else if (!status) {
            status = vvi_document_parse((const char *)key.data, vvi_buf_bytes(&text),
                                        &out->document, err);
            if (!status) {
                status = vvi_document_kind(out->document, &out->kind, err);
                if (status)
                    vvi_wrap(err, status, "'%s'", path);
            }
        }
    }
    if (status)
        vvi_zarr_node_clear(out);
    vv_buf_clear(&key);
    vv_buf_clear(&text);
    return status;
}

vv_status vvi_zarr_node_document(vvi_zarr_node *node, vvi_json **out, vv_error *err)
{
    if (node->format == 2)
        return (node->kind == VV_NODE_ARRAY ? vvi_v2_array : vvi_v2_group)(
            node->document, node->zattrs, out, err);
    *out = node->document;
    node->document = NULL;
    return VV_OK;
}

vv_status vvi_zarr_node_check_write(const vvi_zarr_node *node, const char *path,
                                    vv_error *err)
{
    if (node->format == 2)
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "'%s' is Zarr version 2, which is read and not written", path);
    return VV_OK;
}

/* ---- making -------------------------------------------------------------------------------- */

/* Put the document under path/zarr.json. */
static vv_status put_document(vv_store *store, const char *path, const vvi_json *document,
                              bool only_if_absent, vv_error *err)
{
    vv_buf key = VV_BUF_INIT;
    vv_buf text = VV_BUF_INIT;
    vv_status status = vvi_path_key(path, DOCUMENT, &key, err);

    if (!status)
        status = vvi_json_write(document, INDENT, &text, err);
    if (!status)
        status = only_if_absent ? vv_store_set_if_absent(store, (const char *)key.data,
                                                         vvi_buf_bytes(&text), err)
                                : vv_store_set(store, (const char *)key.data,
                                               vvi_buf_bytes(&text), err);
    vv_buf_clear(&key);
    vv_buf_clear(&text);
    return status;
}

/*
 * What a group says of the nodes below it is no longer true once one of them changes. Readers that
 * find nothing there look at the nodes themselves.
 */
static vv_status drop_consolidated(vv_store *store, const char *path, vvi_json *document,
                                   vv_error *err)
{
    if (!vvi_json_is(vvi_json_get(document, "consolidated_metadata"), VVI_JSON_OBJECT))
        return VV_OK;
    vvi_json_remove(document, "consolidated_metadata");
    return put_document(store, path, document, false, err);
}

/* The group at path, made if there is nothing and fresh is not NULL; VV_EINVAL for an array. */
static vv_status prepare_group(vv_store *store, const char *path, const vvi_json *fresh,
                               vv_error *err)
{
    vvi_zarr_node node;
    vv_status status = vvi_zarr_node_find(store, path, &node, err);

    if (status == VV_ENOTFOUND) {
        status = fresh ? put_document(store, path, fresh, true, err) : VV_OK;
        /* Another writer was faster: then it is there. */
        return status == VV_EEXISTS ? VV_OK : status;
    }
    if (!status && node.kind == VV_NODE_ARRAY)
        status = vvi_fail(err, VV_EINVAL, "'%s' is an array, so no node can lie below it",
                          path);
    if (!status)
        status = vvi_zarr_node_check_write(&node, path, err);
    if (!status)
        status = drop_consolidated(store, path, node.document, err);
    vvi_zarr_node_clear(&node);
    return status;
}

/* Do this to the root and each group down to the one that path lies in. */
static vv_status prepare_parents(vv_store *store, const char *path, const vvi_json *fresh,
                                 vv_error *err)
{
    char *parent;
    vv_status status;

    if (*path == '\0')
        return VV_OK;
    parent = vvi_strdup(path);
    if (!parent)
        return vvi_fail_nomem(err, strlen(path) + 1);
    status = prepare_group(store, "", fresh, err);
    for (char *slash = strchr(parent, '/'); slash && !status;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        status = prepare_group(store, parent, fresh, err);
        *slash = '/';
    }
    vvi_free(parent);
    return status;
}

/* Names that the specification reserves: "__…" and that of the document. They are read where they are. */
static vv_status check_new_names(const char *path, vv_error *err)
{
    for (const char *name = path; *name;
         name += strcspn(name, "/"), name += *name == '/') {
        size_t len = strcspn(name, "/");

        if (strncmp(name, "__", 2) == 0 ||
            (len == strlen(DOCUMENT) && strncmp(name, DOCUMENT, len) == 0))
            return vvi_fail(err, VV_EINVAL, "'%s': the name '%.*s' is reserved", path,
                            (int)len, name);
    }
    return VV_OK;
}

vv_status vvi_zarr_make_parents(vv_store *store, const char *path, vv_error *err)
{
    vvi_json *fresh = NULL;
    vv_status status = check_new_names(path, err);

    VVI_TRY(status);
    status = vvi_group_document(NULL, &fresh, err);
    if (!status)
        status = prepare_parents(store, path, fresh, err);
    vvi_json_free(fresh);
    return status;
}

vv_status vvi_zarr_touch_parents(vv_store *store, const char *path, vv_error *err)
{
    return prepare_parents(store, path, NULL, err);
}

vv_status vvi_zarr_delete_below(vv_store *store, const char *path, vv_error *err)
{
    vv_buf prefix = VV_BUF_INIT;
    vv_status status = vvi_path_key(path, "", &prefix, err);

    if (!status)
        status = vv_store_delete_prefix(store, (const char *)prefix.data, NULL, err);
    vv_buf_clear(&prefix);
    return status;
}

/* A node of version 2 is in the way of a new one too, under keys of its own. */
static vv_status check_no_v2(vv_store *store, const char *path, bool overwrite,
                             vv_error *err)
{
    for (size_t i = 0; i < 2 && !overwrite; i++) {
        vv_buf key = VV_BUF_INIT;
        bool there = false;
        vv_status status = vvi_path_key(path, v2_names[i], &key, err);

        if (!status)
            status = vv_store_exists(store, (const char *)key.data, &there, err);
        vv_buf_clear(&key);
        VVI_TRY(status);
        if (there)
            return vvi_fail(err, VV_EEXISTS, "there is a node at '%s' already", path);
    }
    return VV_OK;
}

vv_status vvi_node_save_new(vv_store *store, const char *path, const vvi_json *document,
                            bool overwrite, vv_error *err)
{
    vv_status status;

    VVI_TRY(vvi_zarr_make_parents(store, path, err));
    VVI_TRY(check_no_v2(store, path, overwrite, err));
    if (overwrite)
        VVI_TRY(vvi_zarr_delete_tree(store, path, err));
    status = put_document(store, path, document, !overwrite, err);
    if (status == VV_EEXISTS)
        return vvi_fail(err, VV_EEXISTS, "there is a node at '%s' already", path);
    return status;
}

vv_status vvi_node_save(vv_store *store, const char *path, const vvi_json *document,
                        vv_error *err)
{
    VVI_TRY(prepare_parents(store, path, NULL, err));
    return put_document(store, path, document, false, err);
}

/* ---- public calls -------------------------------------------------------------------------- */

vv_status vv_node_kind_of(vv_store *store, const char *path, vv_node_kind *out,
                          vv_error *err)
{
    vvi_zarr_node node;
    char *clean;
    vv_status status;

    VVI_TRY(vvi_path_clean(path, &clean, err));
    status = vvi_zarr_node_find(store, clean, &node, err);
    if (!status)
        *out = node.kind;
    else if (status == VV_ENOTFOUND)
        *out = VV_NODE_NONE;
    vvi_zarr_node_clear(&node);
    vvi_free(clean);
    return status == VV_ENOTFOUND ? VV_OK : status;
}

vv_status vv_group_create(vv_store *store, const char *path, const char *attributes,
                          bool overwrite, vv_error *err)
{
    vvi_json *document = NULL;
    char *clean;
    vv_status status;

    VVI_TRY(vvi_path_clean(path, &clean, err));
    status = vvi_group_document(attributes, &document, err);
    if (!status)
        status = vvi_node_save_new(store, clean, document, overwrite, err);
    vvi_json_free(document);
    vvi_free(clean);
    return status;
}

static vv_status write_attributes(const vvi_zarr_node *node, vv_buf *out, vv_error *err)
{
    const vvi_json *attributes = vvi_json_get(node->document, "attributes");
    vvi_json *made = NULL;
    vv_status status;

    if (node->format == 2) {
        VVI_TRY(vvi_v2_attributes(node->document, node->zattrs, &made, err));
        attributes = made;
    }
    status = attributes ? vvi_json_write(attributes, 0, out, err)
                        : vvi_buf_append_text(out, "{}", err);
    vvi_json_free(made);
    return status ? status : vvi_buf_terminate(out, err);
}

vv_status vv_node_attributes(vv_store *store, const char *path, vv_buf *out,
                             vv_error *err)
{
    vv_buf text = VV_BUF_INIT;
    vvi_zarr_node node;
    char *clean;
    vv_status status;

    VVI_TRY(vvi_path_clean(path, &clean, err));
    status = vvi_zarr_node_find(store, clean, &node, err);
    if (!status)
        status = write_attributes(&node, &text, err);
    if (!status)
        vvi_buf_move(out, &text);
    vv_buf_clear(&text);
    vvi_zarr_node_clear(&node);
    vvi_free(clean);
    return status;
}

vv_status vv_node_set_attributes(vv_store *store, const char *path,
                                 const char *attributes, vv_error *err)
{
    vvi_json *value = NULL;
    vvi_zarr_node node = { .kind = VV_NODE_NONE };
    char *clean;
    vv_status status;

    VVI_TRY(vvi_path_clean(path, &clean, err));
    status = vvi_attributes_parse(attributes, &value, err);
    if (!status)
        status = vvi_zarr_node_find(store, clean, &node, err);
    if (!status)
        status = vvi_zarr_node_check_write(&node, clean, err);
    if (!status) {
        status = vvi_json_set(node.document, "attributes", value, err);
        value = NULL;
    }
    if (!status)
        status = vvi_node_save(store, clean, node.document, err);
    vvi_json_free(value);
    vvi_zarr_node_clear(&node);
    vvi_free(clean);
    return status;
}
