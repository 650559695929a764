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

/* The document of an array; what is there under its name goes, unless it is what a stopped import of
 * this source left. */
static vv_status put_array(vvi_import *self, const char *to, vv_bytes text, vv_error *err)
{
    vv_buf old = VV_BUF_INIT;
    vv_status status = vv_store_get(self->store, to, VV_RANGE_ALL, &old, err);
    bool is_there = status == VV_OK;
    bool same = is_there && vvi_bytes_equal(vvi_buf_bytes(&old), text);

    vv_buf_clear(&old);
    if (status && status != VV_ENOTFOUND)
        return status;
    if (same && self->options.skip_existing)
        return VV_OK;
    if (is_there)
        VVI_TRY(delete_array(self->store, to, err));
    return vv_store_set(self->store, to, text, err);
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

/* ---- groups that are there ------------------------------------------------------------------------ */

/* Take out of a group what it says of the nodes below it, since there will be others. */
static vv_status unconsolidate(vv_store *store, const char *path, vv_error *err)
{
    vv_buf key = VV_BUF_INIT;
    vv_buf text = VV_BUF_INIT;
    vv_buf less = VV_BUF_INIT;
    vvi_json *document = NULL;
    vv_status status = document_key(path, "", &key, err);

    if (!status)
        status = vv_store_get(store, (const char *)key.data, VV_RANGE_ALL, &text, err);
    if (!status)
        status = vvi_json_parse(vvi_buf_bytes(&text), &document, err);
    if (!status && vvi_json_get(document, "consolidated_metadata")) {
        vvi_json_remove(document, "consolidated_metadata");
        status = vvi_json_write(document, 2, &less, err);
        if (!status)
            status = vv_store_set(store, (const char *)key.data, vvi_buf_bytes(&less),
                                  err);
    }
    vvi_json_free(document);
    vv_buf_clear(&less);
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

/* ---- nodes ---------------------------------------------------------------------------------- */

static vv_status copy_array(vvi_import *self, const char *inside, vv_error *err)
{
    vv_store *from;
    const char *root;
    vv_buf key = VV_BUF_INIT;
    vv_buf text = VV_BUF_INIT;
    vv_status status;

    vvi_zarr_source_place(self->source, &from, &root);
    status = read_document(from, root, inside, true, &text, err);
    if (!status)
        status = document_key(self->path, inside, &key, err);
    if (!status)
        status = put_array(self, (const char *)key.data, vvi_buf_bytes(&text), err);
    vv_buf_clear(&text);
    vv_buf_clear(&key);
    return status;
}

/* The document as it is where there was no group; one that was there keeps its own. */
static vv_status copy_group(vvi_import *self, const vvi_group *group, vv_error *err)
{
    vv_store *from;
    const char *root;
    vv_buf path = VV_BUF_INIT;
    vv_buf key = VV_BUF_INIT;
    vv_buf text = VV_BUF_INIT;
    vv_node_kind kind = VV_NODE_NONE;
    vv_status status = vvi_join(self->path, group->path, &path, err);

    vvi_zarr_source_place(self->source, &from, &root);
    if (!status)
        status = vv_node_kind_of(self->store, (const char *)path.data, &kind, err);
    if (!status && kind != VV_NODE_NONE) {
        status = unconsolidate(self->store, (const char *)path.data, err);
        if (!status)
            status = vvi_import_group(self, group, err);
    } else if (!status) {
        status = read_document(from, root, group->path, false, &text, err);
        if (!status)
            status = document_key(self->path, group->path, &key, err);
        if (!status)
            status = vv_store_set(self->store, (const char *)key.data,
                                  vvi_buf_bytes(&text), err);
    }
    vv_buf_clear(&text);
    vv_buf_clear(&key);
    vv_buf_clear(&path);
    return status;
}

/* Groups before what lies in them. */
static vv_status copy_nodes(vvi_import *self, vv_error *err)
{
    const vvi_tree *tree = &self->source->tree;
    vv_buf path = VV_BUF_INIT;
    vv_status status = VV_OK;

    for (size_t g = 0; g < tree->count && !status; g++) {
        const vvi_group *group = &tree->groups[g];

        status = copy_group(self, group, err);
        for (size_t v = 0; v < group->var_count && !status; v++) {
            status = vvi_join(group->path, group->vars[v].name, &path, err);
            if (!status)
                status = copy_array(self, (const char *)path.data, err);
        }
    }
    vv_buf_clear(&path);
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
    if (!self->options.skip_existing)
        VVI_TRY(vvi_import_note_put(self, false, err));
    VVI_TRY(prepare_above(self->store, self->path, err));
    VVI_TRY(copy_nodes(self, err));
    VVI_TRY(vvi_import_note_put(self, true, err));
    status = vvi_copy_run(&copy, err);
    self->result.chunks = copy.chunks;
    self->result.bytes = self->bytes_total;
    return status;
}
