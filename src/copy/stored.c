/*
 * Arrays whose encoding does not change: stored values are copied as they are, by name where both
 * ends lie on one block store.
 *
 * A HAMT lists its keys by walking all of it, so there all arrays are copied in one listing; other
 * stores list the keys of each array by itself, and each array is complete before the next begins.
 */
#include "copy/run.h"

#include "grid/grid.h"
#include "store/internal.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/thread.h"
#include "zarr/listed.h"
#include "zarr/node.h"

#include <stdatomic.h>
#include <string.h>

#define BATCH_COPIED 64   /* values in one turn of the threads */
#define BATCH_LINKED 1024 /* names in one call of the map */

/* Values of one turn. */
typedef struct batch {
    vvi_copy_run *run;
    const vvi_copy_node *only; /* values of this array; NULL: of all that are copied so */
    vv_array *
        *arrays; /* of each node; opened when a key of it is to be put another way */
    char *from[BATCH_LINKED];
    char *to[BATCH_LINKED];
    size_t count;
    atomic_uint_fast64_t values;
} batch;

/* ---- which array a key belongs to -------------------------------------------------------------- */

/* key is below the start. Its array has a path that ends where one of its slashes stands. */
static const vvi_copy_node *array_of_key(const batch *self, const char *key)
{
    const vvi_copy_run *run = self->run;
    size_t len = strlen(key);

    for (; len > 0; len--) {
        size_t low = 0;
        size_t high = run->count;

        if (key[len] != '/')
            continue;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            const char *path = run->nodes[middle].path;
            int order = vvi_path_compare(path, strlen(path), key, len);

            if (order == 0)
                return run->nodes[middle].kind == VV_NODE_ARRAY ? &run->nodes[middle]
                                                                : NULL;
            *(order < 0 ? &low : &high) = order < 0 ? middle + 1 : middle;
        }
    }
    return run->count && run->nodes[0].kind == VV_NODE_ARRAY ? &run->nodes[0] : NULL;
}

static bool is_document(const char *name)
{
    static const char *const names[] = { "zarr.json", ".zarray", ".zattrs", ".zgroup",
                                         ".zmetadata" };

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* ---- keys ------------------------------------------------------------------------------------- */

static vv_status open_source(batch *self, const vvi_copy_node *node, vv_array **out,
                             vv_error *err)
{
    vvi_copy_run *run = self->run;
    vv_array **slot = &self->arrays[node - run->nodes];
    vv_buf path = VV_BUF_INIT;
    vv_status status = VV_OK;

    if (!*slot) {
        status = vvi_copy_path(run->from_path, node->path, &path, err);
        if (!status)
            status = vv_array_open(run->from, (const char *)path.data, slot, err);
        vv_buf_clear(&path);
    }
    *out = *slot;
    return status;
}

/* The key of the same chunk in the form of the copy; name is the key behind the array's path. Empty: it
 * is no chunk, and the form changes. */
static vv_status translate(batch *self, const vvi_copy_node *node, const char *name,
                           vv_buf *out, vv_error *err)
{
    const vvi_changes *changes = &self->run->changes;
    vvi_key_form to = { changes->separator, changes->v2_keys };
    const vv_array_meta *meta;
    uint64_t index[VV_NDIM_MAX];
    vvi_key_form own;
    vv_array *array = NULL;

    VVI_TRY(open_source(self, node, &array, err));
    meta = vv_array_get_meta(array);
    own = (vvi_key_form){ meta->separator, meta->v2_keys };
    out->len = 0;
    if (vvi_listed_chunk(self->run->from, own, meta->ndim, name, index))
        VVI_TRY(vvi_chunk_key(node->rekeyed ? to : own, meta->ndim, index, out, err));
    else if (!node->rekeyed)
        VVI_TRY(vvi_buf_append_text(out, name, err));
    return vvi_buf_terminate(out, err);
}

/* Where the value of a key goes; *out is empty when it is not copied. */
static vv_status target_of(batch *self, const char *key, vv_buf *out, vv_error *err)
{
    vvi_copy_run *run = self->run;
    size_t skip = strlen(run->from_path);
    const char *below = key + skip + (skip && key[skip] == '/');
    const vvi_copy_node *node = array_of_key(self, below);
    vv_buf name = VV_BUF_INIT;
    vv_buf path = VV_BUF_INIT;
    const char *rest;
    vv_status status;

    out->len = 0;
    if (!node || !node->stored || node->done || (self->only && node != self->only))
        return VV_OK;
    rest = below + strlen(node->path);
    rest += *rest == '/';
    if (is_document(rest))
        return VV_OK;
    status = vvi_copy_path(run->to_path, node->path, &path, err);
    if (!status && (node->rekeyed || run->from->indexes_chunks))
        status = translate(self, node, rest, &name, err);
    else if (!status)
        status = vvi_buf_append_text(&name, rest, err);
    if (!status)
        status = vvi_buf_terminate(&name, err);
    if (!status && name.len)
        status = vvi_copy_path((const char *)path.data, (const char *)name.data, out,
                               err);
    vv_buf_clear(&path);
    vv_buf_clear(&name);
    return status;
}

/* ---- batches ----------------------------------------------------------------------------------- */

static vv_status copy_one(void *ctx, size_t i, vv_error *err)
{
    batch *self = ctx;
    vvi_copy_run *run = self->run;
    vv_buf value = VV_BUF_INIT;
    bool there = false;
    vv_status status = VV_OK;

    if (run->going_on)
        status = vv_store_exists(run->to, self->to[i], &there, err);
    if (there)
        return status;
    if (!status)
        status = vv_store_get(run->from, self->from[i], VV_RANGE_ALL, &value, err);
    if (status == VV_ENOTFOUND)
        return VV_OK; /* deleted since the listing */
    if (!status)
        status = vv_store_set(run->to, self->to[i], vvi_buf_bytes(&value), err);
    if (!status)
        atomic_fetch_add(&self->values, 1);
    vv_buf_clear(&value);
    return status ? vvi_wrap(err, status, "copy '%s'", self->from[i]) : VV_OK;
}

static void drop_keys(batch *self)
{
    for (size_t i = 0; i < self->count; i++) {
        vvi_free(self->from[i]);
        vvi_free(self->to[i]);
    }
    self->count = 0;
}

static vv_status run_batch(batch *self, vv_error *err)
{
    vvi_copy_run *run = self->run;
    size_t linked = 0;
    vv_status status;

    if (run->linked) {
        status = vvi_store_link(run->from, (const char *const *)self->from, run->to,
                                (const char *const *)self->to, self->count, &linked, err);
        run->result.linked += linked;
        run->result.values += linked;
        run->items += linked;
    } else {
        status = vvi_parallel(run->options.threads, self->count, copy_one, self, err);
        linked = (size_t)atomic_exchange(&self->values, 0);
        run->result.values += linked;
        run->items += self->count;
    }
    drop_keys(self);
    return status ? status : vvi_copy_tell(run, err);
}

static vv_status on_key(void *ctx, const char *key, vv_error *err)
{
    batch *self = ctx;
    vv_buf to = VV_BUF_INIT;
    vv_status status = target_of(self, key, &to, err);

    if (!status && to.len) {
        self->from[self->count] = vvi_strdup(key);
        self->to[self->count] = vvi_strdup((const char *)to.data);
        self->count++;
        if (!self->from[self->count - 1] || !self->to[self->count - 1])
            status = vvi_fail_nomem(err, strlen(key) + to.len);
    }
    vv_buf_clear(&to);
    if (!status && self->count == (self->run->linked ? BATCH_LINKED : BATCH_COPIED))
        status = run_batch(self, err);
    return status;
}

/* All values below a path of the source. */
static vv_status copy_below(batch *self, const char *path, vv_error *err)
{
    vv_buf start = VV_BUF_INIT;
    vv_buf prefix = VV_BUF_INIT;
    vv_status status = vvi_copy_path(self->run->from_path, path, &start, err);

    if (!status)
        status = vvi_path_key((const char *)start.data, "", &prefix, err);
    if (!status)
        status = vv_store_list(self->run->from, (const char *)prefix.data, on_key, self,
                               err);
    if (!status && self->count)
        status = run_batch(self, err);
    drop_keys(self);
    vv_buf_clear(&prefix);
    vv_buf_clear(&start);
    return status;
}

/* ---- documents --------------------------------------------------------------------------------- */

/* What version 3 says of a node of version 2. */
static vv_status translate_document(vvi_copy_run *run, const vvi_copy_node *node,
                                    const char *path, vv_buf *out, vv_error *err)
{
    vv_array *array = NULL;
    vv_buf attributes = VV_BUF_INIT;
    vvi_json *document = NULL;
    vv_status status;

    if (node->kind == VV_NODE_ARRAY) {
        VVI_TRY(vv_array_open(run->from, path, &array, err));
        status = vv_array_metadata_json(array, out, err);
        vv_array_free(array);
        return status;
    }
    status = vv_node_attributes(run->from, path, &attributes, err);
    if (!status)
        status = vvi_group_document((const char *)attributes.data, &document, err);
    if (!status)
        status = vvi_json_write(document, 2, out, err);
    vvi_json_free(document);
    vv_buf_clear(&attributes);
    return status;
}

/* The text of a node's document: as it is, or for version 2 as version 3 says it. */
static vv_status read_document(vvi_copy_run *run, const vvi_copy_node *node,
                               const char *path, vv_buf *out, vv_error *err)
{
    vv_buf key = VV_BUF_INIT;
    vv_status status = vvi_path_key(path, "zarr.json", &key, err);

    if (!status)
        status = vv_store_get(run->from, (const char *)key.data, VV_RANGE_ALL, out, err);
    if (status == VV_ENOTFOUND)
        status = translate_document(run, node, path, out, err);
    vv_buf_clear(&key);
    return status;
}

/* What is to change in a document: the form of its keys; what it says of nodes below it. */
static vv_status change_document(vvi_copy_run *run, const vvi_copy_node *node,
                                 vvi_json *document, bool *changed, vv_error *err)
{
    vvi_json *encoding;
    vvi_json *settings;
    char separator[2] = { run->changes.separator, '\0' };

    *changed = vvi_json_get(document, "consolidated_metadata") != NULL || node->rekeyed;
    vvi_json_remove(document, "consolidated_metadata");
    if (!node->rekeyed)
        return VV_OK;
    encoding = vvi_json_new(VVI_JSON_OBJECT);
    VVI_TRY(vvi_json_set(document, "chunk_key_encoding", encoding, err));
    VVI_TRY(vvi_json_set(encoding, "name",
                         vvi_json_new_text(run->changes.v2_keys ? "v2" : "default"),
                         err));
    settings = vvi_json_new(VVI_JSON_OBJECT);
    VVI_TRY(vvi_json_set(encoding, "configuration", settings, err));
    return vvi_json_set(settings, "separator", vvi_json_new_text(separator), err);
}

vv_status vvi_copy_document(vvi_copy_run *run, const vvi_copy_node *node, vv_error *err)
{
    vv_buf from = VV_BUF_INIT;
    vv_buf to = VV_BUF_INIT;
    vv_buf key = VV_BUF_INIT;
    vv_buf text = VV_BUF_INIT;
    vvi_json *document = NULL;
    bool changed = false;
    vv_status status = vvi_copy_path(run->from_path, node->path, &from, err);

    if (!status)
        status = vvi_copy_path(run->to_path, node->path, &to, err);
    if (!status)
        status = read_document(run, node, (const char *)from.data, &text, err);
    if (!status)
        status = vvi_json_parse(vvi_buf_bytes(&text), &document, err);
    if (!status)
        status = change_document(run, node, document, &changed, err);
    /* Makes the groups above it too; they may be there already. */
    if (!status)
        status = vvi_node_save_new(run->to, (const char *)to.data, document, false, err);
    if (!status && !changed) {
        status = vvi_path_key((const char *)to.data, "zarr.json", &key, err);
        if (!status)
            status = vv_store_set(run->to, (const char *)key.data, vvi_buf_bytes(&text),
                                  err);
    }
    vvi_json_free(document);
    vv_buf_clear(&text);
    vv_buf_clear(&key);
    vv_buf_clear(&to);
    vv_buf_clear(&from);
    return status ? vvi_wrap(err, status, "'/%s'", node->path) : VV_OK;
}

/* ---- all of it --------------------------------------------------------------------------------- */

static vv_status finish_arrays(batch *self, vv_error *err)
{
    vvi_copy_run *run = self->run;

    for (size_t i = 0; i < run->count; i++) {
        const vvi_copy_node *node = &run->nodes[i];

        if (node->stored && !node->done && !node->documented &&
            (!self->only || node == self->only))
            VVI_TRY(vvi_copy_document(run, node, err));
    }
    return VV_OK;
}

/* The values below a path, and the documents of the arrays behind them, or ahead where it must be. */
static vv_status copy_arrays(batch *self, const char *path, vv_error *err)
{
    bool ahead = self->run->to->indexes_chunks;

    if (ahead)
        VVI_TRY(finish_arrays(self, err));
    VVI_TRY(copy_below(self, path, err));
    return ahead ? VV_OK : finish_arrays(self, err);
}

static vv_status copy_each(batch *self, vv_error *err)
{
    vvi_copy_run *run = self->run;

    for (size_t i = 0; i < run->count; i++) {
        if (!run->nodes[i].stored || run->nodes[i].done)
            continue;
        self->only = &run->nodes[i];
        VVI_TRY(copy_arrays(self, run->nodes[i].path, err));
    }
    return VV_OK;
}

vv_status vvi_copy_stored(vvi_copy_run *run, vv_error *err)
{
    batch *self;
    size_t wanted = 0;
    vv_status status;

    for (size_t i = 0; i < run->count; i++)
        wanted += run->nodes[i].stored && !run->nodes[i].done;
    if (!wanted)
        return VV_OK;
    self = vvi_alloc_zero(sizeof(*self));
    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    self->run = run;
    atomic_init(&self->values, 0);
    self->arrays = vvi_alloc_array_zero(run->count, sizeof(vv_array *));
    if (!self->arrays)
        status = vvi_fail_nomem(err, run->count * sizeof(vv_array *));
    else if (wanted > 1 && strcmp(vv_store_name(run->from), "HAMT") == 0)
        status = copy_arrays(self, "", err);
    else
        status = copy_each(self, err);
    for (size_t i = 0; i < run->count && self->arrays; i++)
        vv_array_free(self->arrays[i]);
    vvi_free(self->arrays);
    vvi_free(self);
    return status;
}
