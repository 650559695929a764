/*
 * Zarr in, chunks as they are. Documents go first, so that an import that is taken up again knows
 * which chunks belong to the arrays it finds; what an array of another kind left is deleted.
 */
#include "dataset/copy.h"
#include "dataset/import.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "zarr/meta.h"

#include <string.h>

static vv_status document_key(const char *root, const char *inside, vv_buf *out,
                              vv_error *err)
{
    vv_buf path = VV_BUF_INIT;
    vv_status status = vvi_join(root, inside, &path, err);

    if (!status)
        status = vvi_join((const char *)path.data, "zarr.json", out, err);
    vv_buf_clear(&path);
    return status;
}

/* ---- documents ------------------------------------------------------------------------------ */

/* Put a group's document without what it says of the nodes below it; nothing is written where it
 * says nothing and lies there already. */
static vv_status put_alone(vv_store *store, const char *key, vv_bytes text, bool is_there,
                           vv_error *err)
{
    vvi_json *document = NULL;
    vv_buf less = VV_BUF_INIT;
    vv_status status = vvi_json_parse(text, &document, err);

    if (!status && vvi_json_get(document, "consolidated_metadata")) {
        vvi_json_remove(document, "consolidated_metadata");
        status = vvi_json_write(document, 2, &less, err);
        if (!status)
            status = vv_store_set(store, key, vvi_buf_bytes(&less), err);
    } else if (!status && !is_there) {
        status = vv_store_set(store, key, text, err);
    }
    vvi_json_free(document);
    vv_buf_clear(&less);
    return status;
}

/* Delete all of an array that is to be replaced. */
static vv_status delete_array(vv_store *store, const char *key, vv_error *err)
{
    size_t len = strlen(key) - strlen("zarr.json");
    char *prefix = vvi_strndup(key, len);
    vv_status status = prefix ? vv_store_delete_prefix(store, prefix, NULL, err)
                              : vvi_fail_nomem(err, len + 1);

    vvi_free(prefix);
    return status;
}

static vv_status put_document(vvi_import *self, const char *to, vv_bytes text,
                              bool is_array, vv_error *err)
{
    vv_buf old = VV_BUF_INIT;
    vv_status status = vv_store_get(self->store, to, VV_RANGE_ALL, &old, err);
    bool is_there = status == VV_OK;
    bool same = is_there && vvi_bytes_equal(vvi_buf_bytes(&old), text);

    if (status == VV_ENOTFOUND)
        status = VV_OK;
    if (!status && is_array && same && self->options.skip_existing)
        goto done;
    if (!status && is_array && is_there)
        status = delete_array(self->store, to, err);
    if (!status && !is_array && is_there)
        status = same ? VV_OK : put_alone(self->store, to, text, false, err);
    else if (!status)
        status = vv_store_set(self->store, to, text, err);

done:
    vv_buf_clear(&old);
    return status;
}

/* What version 3 says of a node of version 2. */
static vv_status translate_document(vv_store *from, const char *path, bool is_array,
                                    vv_buf *out, vv_error *err)
{
    vv_array *array = NULL;
    vv_buf attributes = VV_BUF_INIT;
    vvi_json *document = NULL;
    vv_status status;

    if (is_array) {
        VVI_TRY(vv_array_open(from, path, &array, err));
        status = vv_array_metadata_json(array, out, err);
        vv_array_free(array);
        return status;
    }
    status = vv_node_attributes(from, path, &attributes, err);
    if (!status)
        status = vvi_group_document((const char *)attributes.data, &document, err);
    if (!status)
        status = vvi_json_write(document, 2, out, err);
    vvi_json_free(document);
    vv_buf_clear(&attributes);
    return status;
}

/* The document of a node: as it is, or for version 2 as version 3 says it. */
static vv_status read_document(vv_store *from, const char *root, const char *inside,
                               bool is_array, vv_buf *out, vv_error *err)
{
    vv_buf path = VV_BUF_INIT;
    vv_buf key = VV_BUF_INIT;
    vv_status status = vvi_join(root, inside, &path, err);

    if (!status)
        status = document_key(root, inside, &key, err);
    if (!status)
        status = vv_store_get(from, (const char *)key.data, VV_RANGE_ALL, out, err);
    if (status == VV_ENOTFOUND)
        status = translate_document(from, (const char *)path.data, is_array, out, err);
    vv_buf_clear(&key);
    vv_buf_clear(&path);
    return status;
}

static vv_status copy_document(vvi_import *self, const char *inside, bool is_array,
                               vv_error *err)
{
    vv_store *from;
    const char *root;
    vv_buf key = VV_BUF_INIT;
    vv_buf text = VV_BUF_INIT;
    vv_status status;

    vvi_zarr_source_place(self->source, &from, &root);
    status = read_document(from, root, inside, is_array, &text, err);
    if (!status)
        status = document_key(self->path, inside, &key, err);
    if (!status)
        status = put_document(self, (const char *)key.data, vvi_buf_bytes(&text),
                              is_array, err);
    vv_buf_clear(&text);
    vv_buf_clear(&key);
    return status;
}

/* An array and a group never replace each other. */
static vv_status check_kind(vvi_import *self, const char *inside, bool is_array,
                            vv_error *err)
{
    vv_buf path = VV_BUF_INIT;
    vv_node_kind kind;
    vv_status status = vvi_join(self->path, inside, &path, err);
    const char *at = (const char *)path.data;

    if (!status)
        status = vv_node_kind_of(self->store, at, &kind, err);
    if (!status && kind == (is_array ? VV_NODE_GROUP : VV_NODE_ARRAY))
        status = vvi_fail(err, VV_EEXISTS, "%s lies at '/%s', where %s is to be",
                          is_array ? "a group" : "an array", at,
                          is_array ? "an array" : "a group");
    vv_buf_clear(&path);
    return status;
}

/* Do this to each group and each array of the source, parents first. */
static vv_status each_node(vvi_import *self,
                           vv_status (*visit)(vvi_import *self, const char *inside,
                                              bool is_array, vv_error *err),
                           vv_error *err)
{
    const vvi_tree *tree = &self->source->tree;
    vv_buf path = VV_BUF_INIT;
    vv_status status = VV_OK;

    for (size_t g = 0; g < tree->count && !status; g++) {
        const vvi_group *group = &tree->groups[g];

        status = visit(self, group->path, false, err);
        for (size_t v = 0; v < group->var_count && !status; v++) {
            status = vvi_join(group->path, group->vars[v].name, &path, err);
            if (!status)
                status = visit(self, (const char *)path.data, true, err);
        }
    }
    vv_buf_clear(&path);
    return status;
}

/* ---- what lies above ------------------------------------------------------------------------ */

/* Take out of a group what it says of the nodes below it, since there will be others. */
static vv_status unconsolidate(vv_store *store, const char *path, vv_error *err)
{
    vv_buf key = VV_BUF_INIT;
    vv_buf text = VV_BUF_INIT;
    vv_status status = document_key(path, "", &key, err);

    if (!status)
        status = vv_store_get(store, (const char *)key.data, VV_RANGE_ALL, &text, err);
    if (!status)
        status = put_alone(store, (const char *)key.data, vvi_buf_bytes(&text), true,
                           err);
    vv_buf_clear(&text);
    vv_buf_clear(&key);
    return status;
}

static vv_status prepare_group(vv_store *store, const char *path, vv_error *err)
{
    vv_node_kind kind;

    VVI_TRY(vv_node_kind_of(store, path, &kind, err));
    if (kind == VV_NODE_NONE)
        return vv_group_create(store, path, NULL, false, err);
    if (kind == VV_NODE_ARRAY)
        return vvi_fail(err, VV_EINVAL, "'/%s' is an array, so no node can lie below it",
                        path);
    return unconsolidate(store, path, err);
}

/* The root and each group down to the one that path lies in. */
static vv_status prepare_above(vv_store *store, const char *path, vv_error *err)
{
    char *above = vvi_strdup(path);
    vv_status status;

    if (!above)
        return vvi_fail_nomem(err, strlen(path) + 1);
    status = *path ? prepare_group(store, "", err) : VV_OK;
    for (char *slash = strchr(above, '/'); slash && !status;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        status = prepare_group(store, above, err);
        *slash = '/';
    }
    vvi_free(above);
    return status;
}

/* ---- all of it ------------------------------------------------------------------------------ */

vv_status vvi_import_zarr(vvi_import *self, vv_error *err)
{
    vvi_copy copy = { .to = self->store,
                      .to_path = self->path,
                      .what = "import",
                      .threads = self->options.threads,
                      .skip_existing = self->options.skip_existing,
                      .chunks_only = true,
                      .memory_bytes = self->options.memory_bytes,
                      .progress = self->options.progress,
                      .ctx = self->options.ctx };
    vv_status status;

    vvi_zarr_source_place(self->source, &copy.from, &copy.from_path);
    VVI_TRY(each_node(self, check_kind, err));
    VVI_TRY(prepare_above(self->store, self->path, err));
    VVI_TRY(each_node(self, copy_document, err));
    VVI_TRY(vvi_import_note_put(self, err));
    status = vvi_copy_run(&copy, err);
    self->result.chunks = copy.chunks;
    self->result.bytes = self->bytes_total;
    return status;
}
