/* A new recording in Zarr: what its arrays are, and their documents in the store. */
#include "recorder/zarr_sink.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "zarr/node.h"

#include <stdio.h>
#include <string.h>

/* Aimed at, of a chunk of PLACED; and the most that a chunk of ONCE holds, if the shape lets it. */
#define PLACED_BYTES ((uint64_t)256 << 10)
#define ONCE_BYTES   ((uint64_t)32 << 20)
#define BLOCK_BYTES  ((uint64_t)4 << 20)

#define DIMENSION_TEXT 48

/* ---- an array ----------------------------------------------------------------------------------- */

/*
 * Codecs of the core specification only, so that every reader has them: shuffled zstd, deflate and lz4 are modes of
 * Blosc, while a codec that shuffles alone is an extension. Zarr has no lzf; lz4 is as fast and no larger.
 */
static void name_codecs(const vv_compression *compression, const vvi_dtype *dtype,
                        bool checksum, char out[64])
{
    /* Blosc shuffles elements of up to 255 bytes. */
    bool shuffle = !compression->no_shuffle && dtype->item > 1 && dtype->item <= 255;
    int level = compression->level;
    int len;

    switch (compression->codec) {
    case VV_COMPRESS_NONE:
        snprintf(out, 64, checksum ? "crc32c" : "none");
        return;
    case VV_COMPRESS_GZIP:
        len = snprintf(out, 64, shuffle ? "blosc:zlib:%d:shuffle" : "gzip:%d",
                       level ? level : 1);
        break;
    case VV_COMPRESS_LZF:
    case VV_COMPRESS_BLOSC:
        len = snprintf(out, 64, "blosc:lz4:%d:%sshuffle", level ? level : 5,
                       shuffle ? "" : "no");
        break;
    default:
        level = level ? level : 1;
        /* Blosc counts to 9: zstd's 1, 3, … 15, and its most. */
        if (shuffle)
            level = level < 1 ? 1 : level > 16 ? 9 : (level + 1) / 2;
        len = snprintf(out, 64, shuffle ? "blosc:zstd:%d:shuffle" : "zstd:%d", level);
        break;
    }
    if (checksum)
        snprintf(out + len, 64 - (size_t)len, "+crc32c");
}

/* What is known of an array before its document is made. */
typedef struct array_plan {
    uint32_t ndim;
    uint32_t leading; /* dimensions in front of a value's: rows or places */
    uint64_t shape[VV_NDIM_MAX];
    uint64_t chunk[VV_NDIM_MAX];
    char names[VV_NDIM_MAX][DIMENSION_TEXT];
    const char *name_list[VV_NDIM_MAX];
} array_plan;

/* Make the first dimensions shorter, one after another, until a chunk is no longer than limit. */
static void cut_chunk(array_plan *array, uint32_t dimensions, uint64_t bytes,
                      uint64_t limit)
{
    for (uint32_t d = 0; d < dimensions && bytes > limit; d++) {
        uint64_t one = bytes / array->chunk[d];
        uint64_t fits = one ? limit / one : array->chunk[d];

        array->chunk[d] = fits ? fits : 1;
        bytes = one * array->chunk[d];
    }
}

/* Dimensions of values have no names of their own: those of one length are taken for the same, as the readers of
 * netCDF do it. Of an array that has a length twice, the second is another. */
static void name_dimensions(array_plan *array, bool is_rows)
{
    for (uint32_t d = 0; d < array->ndim; d++) {
        uint32_t before = 1;

        for (uint32_t i = array->leading; i < d; i++)
            before += array->shape[i] == array->shape[d];
        if (d < array->leading)
            snprintf(array->names[d], DIMENSION_TEXT,
                     is_rows ? VVI_PLAN_STEPS : "place_%" PRIu32, d);
        else if (before == 1)
            snprintf(array->names[d], DIMENSION_TEXT, "dim_%" PRIu64, array->shape[d]);
        else
            snprintf(array->names[d], DIMENSION_TEXT, "dim_%" PRIu64 "_%" PRIu32,
                     array->shape[d], before);
        array->name_list[d] = array->names[d];
    }
}

/* leaf NULL: the places that were written. */
static void plan_array(const vvi_plan_group *group, const vvi_plan_leaf *leaf,
                       array_plan *out)
{
    uint64_t row_bytes = leaf ? leaf->row_bytes : 1;
    uint64_t bytes;
    uint32_t ndim = 0;

    if (group->kind == VVI_GROUP_ROWS) {
        out->shape[0] = 0;
        out->chunk[ndim++] = leaf->chunk_rows;
    }
    if (group->kind == VVI_GROUP_PLACED)
        for (; ndim < group->extent_ndim; ndim++)
            out->chunk[ndim] = out->shape[ndim] = group->extent[ndim];
    out->leading = ndim;
    for (uint32_t d = 0; leaf && d < leaf->ndim; d++, ndim++)
        out->chunk[ndim] = out->shape[ndim] = leaf->shape[d];
    out->ndim = ndim;
    for (uint32_t d = 0; d < ndim; d++)
        if (out->chunk[d] == 0)
            out->chunk[d] = 1;
    if (group->kind == VVI_GROUP_PLACED) {
        if (__builtin_mul_overflow(row_bytes, group->places, &bytes))
            bytes = UINT64_MAX;
        /* What says which rows count is stored at commits only, so all of it is one chunk. */
        cut_chunk(out, out->leading, bytes, leaf ? PLACED_BYTES : ONCE_BYTES);
    }
    if (group->kind == VVI_GROUP_ONCE)
        cut_chunk(out, ndim, row_bytes, ONCE_BYTES);
    name_dimensions(out, group->kind == VVI_GROUP_ROWS);
}

/* {"varvite_leaf": "array['positions']", "units": "nm"}, terminated. */
static vv_status leaf_attributes(const vvi_plan_leaf *leaf, vv_buf *out, vv_error *err)
{
    vvi_json *attributes = vvi_json_new(VVI_JSON_OBJECT);
    vv_status status = attributes ? VV_OK : vvi_fail_nomem(err, 0);

    if (!status && leaf)
        status = vvi_json_set(attributes, VVI_ZARR_LEAF, vvi_json_new_text(leaf->name),
                              err);
    if (!status && leaf && leaf->units)
        status = vvi_json_set(attributes, "units", vvi_json_new_text(leaf->units), err);
    if (!status)
        status = vvi_json_write(attributes, 0, out, err);
    vvi_json_free(attributes);
    return status ? status : vvi_buf_terminate(out, err);
}

/*
 * Blosc cuts what it compresses into blocks of some KiB, as it is made to be decoded in a cache; zstd and deflate find
 * less in those. Here a chunk is a block, up to BLOCK_BYTES.
 */
static vv_status set_block(vvi_json *document, const array_plan *array, size_t item,
                           vv_error *err)
{
    uint64_t bytes = item;

    for (uint32_t d = 0; d < array->ndim; d++)
        if (__builtin_mul_overflow(bytes, array->chunk[d], &bytes))
            bytes = UINT64_MAX;
    if (bytes > BLOCK_BYTES)
        bytes = BLOCK_BYTES / item * item;
    for (const vvi_json *codec = vvi_json_first(vvi_json_get(document, "codecs")); codec;
         codec = vvi_json_next(codec)) {
        vvi_json *settings = vvi_json_get(codec, "configuration");

        if (vvi_json_is_text(vvi_json_get(codec, "name"), "blosc") &&
            !vvi_json_is_text(vvi_json_get(settings, "cname"), "lz4"))
            return vvi_json_set(settings, "blocksize", vvi_json_new_uint64(bytes), err);
    }
    return VV_OK;
}

static vv_status make_array(const vvi_plan *plan, const vvi_plan_group *group,
                            const vvi_plan_leaf *planned, vvi_zarr_leaf *leaf,
                            vv_error *err)
{
    static const vvi_dtype flag = {
        .code = VV_BOOL, .kind = VVI_KIND_BOOL, .item = 1, .word = 1
    };
    const vvi_dtype *dtype = planned ? &planned->dtype : &flag;
    vv_buf attributes = VV_BUF_INIT;
    vvi_json *document = NULL;
    array_plan array = { .ndim = 0 };
    char codecs[64];
    vv_status status = leaf_attributes(planned, &attributes, err);

    plan_array(group, planned, &array);
    name_codecs(&group->compression, dtype, plan->options.checksum, codecs);
    if (!status) {
        vv_array_meta meta = VV_ARRAY_META_INIT;

        meta.dtype = dtype->code;
        meta.item_size = vv_dtype_size(dtype->code) ? 0 : dtype->item;
        meta.ndim = array.ndim;
        meta.shape = array.shape;
        meta.chunk_shape = array.chunk;
        meta.codecs = codecs;
        meta.dimension_names = array.name_list;
        meta.attributes = (const char *)attributes.data;
        status = vvi_meta_document(&meta, &document, err);
    }
    if (!status) {
        status = set_block(document, &array, dtype->item, err);
        if (status)
            vvi_json_free(document);
    }
    if (!status)
        status = vvi_meta_read(&leaf->meta, document, err);
    vv_buf_clear(&attributes);
    return status ? vvi_wrap(err, status, "array '%s'", leaf->path)
                  : vvi_zarr_leaf_ready(leaf, planned, err);
}

static vv_status make_arrays(vvi_zarr_sink *self, const vvi_plan *plan, vv_error *err)
{
    for (size_t g = 0; g < self->group_count; g++) {
        const vvi_plan_group *planned = &plan->groups[g];
        vvi_zarr_group *group = &self->groups[g];

        for (size_t i = 0; i < group->leaf_count; i++)
            VVI_TRY(
                make_array(plan, planned, &planned->leaves[i], &group->leaves[i], err));
        if (group->written)
            VVI_TRY(make_array(plan, planned, NULL, group->written, err));
    }
    return VV_OK;
}

/* ---- groups ------------------------------------------------------------------------------------- */

static vv_status set_tree(vvi_json *object, const vv_tree *tree, vv_error *err)
{
    vv_buf text = VV_BUF_INIT;
    vvi_json *value = NULL;
    vv_status status;

    if (!tree)
        return VV_OK;
    status = vv_tree_to_json(tree, &text, err);
    if (!status)
        status = vvi_json_parse(vvi_buf_bytes(&text), &value, err);
    if (!status)
        status = vvi_json_set(object, "tree", value, err);
    vv_buf_clear(&text);
    return status;
}

/* What a reader without the schema wants to know: the name of the group and its tree. */
static vv_status describe_group(vvi_json *document, const vvi_plan_group *group,
                                vv_error *err)
{
    static const char *const kinds[] = { [VVI_GROUP_ONCE] = "once",
                                         [VVI_GROUP_ROWS] = "rows",
                                         [VVI_GROUP_PLACED] = "placed" };
    vvi_json *ours = vvi_json_new(VVI_JSON_OBJECT);

    VVI_TRY(
        vvi_json_set(vvi_json_get(document, "attributes"), VVI_ZARR_GROUP, ours, err));
    VVI_TRY(vvi_json_set(ours, "name", vvi_json_new_text(group->name), err));
    VVI_TRY(vvi_json_set(ours, "kind", vvi_json_new_text(kinds[group->kind]), err));
    return set_tree(ours, group->tree, err);
}

static vv_status make_recording(vvi_zarr_sink *self, const vvi_plan *plan,
                                const vvi_zarr_names *names, const char *schema_json,
                                vv_error *err)
{
    vvi_json *ours = vvi_json_new(VVI_JSON_OBJECT);
    vvi_json *schema = NULL;
    vvi_json *attributes;

    if (!ours)
        return vvi_fail_nomem(err, 0);
    vv_status status = vvi_group_document(NULL, &self->document, err);
    if (!status && schema_json)
        status = vvi_json_parse(vv_bytes_of(schema_json), &schema, err);
    if (status) {
        vvi_json_free(ours);
        return status;
    }
    attributes = vvi_json_get(self->document, "attributes");
    status = vvi_json_set(attributes, VVI_ZARR_RECORDING, ours, err);
    if (status) {
        vvi_json_free(schema);
        return status;
    }
    if (schema)
        VVI_TRY(vvi_json_set(ours, "schema", schema, err));
    for (size_t g = 0; g < plan->group_count; g++)
        if (*names->groups[g] == '\0')
            VVI_TRY(describe_group(self->document, &plan->groups[g], err));
    return vvi_zarr_note(self, 0, false, err);
}

/* ---- into the store ------------------------------------------------------------------------------ */

/* Put a document where nothing is, or whatever was there where the old recording is gone. */
static vv_status put_new(vvi_zarr_sink *self, const char *path, const vvi_json *document,
                         bool overwrite, vv_error *err)
{
    vv_status status;

    if (overwrite)
        return vvi_zarr_put_document(self, path, document, err);
    self->key.len = 0;
    self->text.len = 0;
    VVI_TRY(vvi_path_key(path, "zarr.json", &self->key, err));
    VVI_TRY(vvi_json_write(document, 2, &self->text, err));
    status = vv_store_set_if_absent(self->store, (const char *)self->key.data,
                                    vvi_buf_bytes(&self->text), err);
    if (status == VV_EEXISTS)
        return vvi_fail(err, VV_EEXISTS, "there is a node at '%s' already", path);
    return status;
}

static vv_status put_group(vvi_zarr_sink *self, const char *below,
                           const vvi_plan_group *group, bool overwrite, vv_error *err)
{
    vv_buf path = VV_BUF_INIT;
    vvi_json *document = NULL;
    vv_status status = vvi_path_key(self->path, below, &path, err);

    if (!status)
        status = vvi_group_document(NULL, &document, err);
    if (!status && group)
        status = describe_group(document, group, err);
    if (!status)
        status = put_new(self, (const char *)path.data, document, overwrite, err);
    vvi_json_free(document);
    vv_buf_clear(&path);
    return status;
}

static vv_status put_arrays(vvi_zarr_sink *self, const vvi_zarr_group *group,
                            bool overwrite, vv_error *err)
{
    for (size_t i = 0; i < group->leaf_count; i++)
        VVI_TRY(put_new(self, group->leaves[i].path, group->leaves[i].meta.document,
                        overwrite, err));
    return group->written ? put_new(self, group->written->path,
                                    group->written->meta.document, overwrite, err)
                          : VV_OK;
}

/* The recording's own document comes last: with it all of the recording is there. */
static vv_status put_all(vvi_zarr_sink *self, const vvi_plan *plan,
                         const vvi_zarr_names *names, bool overwrite, vv_error *err)
{
    VVI_TRY(vvi_zarr_make_parents(self->store, self->path, err));
    for (size_t i = 0; i < names->inner_count; i++)
        VVI_TRY(put_group(self, names->inner[i], NULL, overwrite, err));
    for (size_t g = 0; g < plan->group_count; g++) {
        if (*names->groups[g])
            VVI_TRY(put_group(self, names->groups[g], &plan->groups[g], overwrite, err));
        VVI_TRY(put_arrays(self, &self->groups[g], overwrite, err));
    }
    VVI_TRY(put_new(self, self->path, self->document, overwrite, err));
    return vvi_zarr_make_safe(self, plan->options.durability, err);
}

/* Make room at the path. Only a recording makes way for another. */
static vv_status make_way(vv_store *store, const char *path, bool overwrite,
                          vv_error *err)
{
    vvi_zarr_node node;
    vv_status status = vvi_zarr_node_find(store, path, &node, err);
    bool is_recording;

    if (status)
        return status == VV_ENOTFOUND ? VV_OK : status;
    is_recording = vvi_json_is(
        vvi_json_get(vvi_json_get(node.document, "attributes"), VVI_ZARR_RECORDING),
        VVI_JSON_OBJECT);
    if (!overwrite)
        status = vvi_fail(err, VV_EEXISTS, "there is a node at '%s' already", path);
    else if (!is_recording)
        status = vvi_fail(err, VV_EEXISTS,
                          "the node at '%s' is no recording, and is not replaced", path);
    vvi_zarr_node_clear(&node);
    return status ? status : vvi_zarr_delete_tree(store, path, err);
}

vv_status vvi_zarr_sink_create(vv_store *store, const char *path, const vvi_plan *plan,
                               const char *schema_json, vv_recorder_root_fn root,
                               void *root_ctx, vvi_sink **out, vv_error *err)
{
    bool overwrite = plan->options.overwrite;
    vvi_zarr_sink *self = NULL;
    vvi_zarr_names names;
    char *clean = NULL;
    vv_status status;

    VVI_TRY(vvi_path_clean(path, &clean, err));
    status = vvi_zarr_names_make(plan, &names, err);
    if (status)
        vvi_free(clean);
    else
        status = vvi_zarr_sink_new(store, clean, plan, &names, root, root_ctx, &self,
                                   err);
    if (!status)
        status = make_arrays(self, plan, err);
    if (!status)
        status = make_recording(self, plan, &names, schema_json, err);
    if (!status)
        status = vvi_zarr_sink_ready(self, err);
    if (!status && overwrite)
        status = vvi_zarr_sink_lock(self, err); /* of what is to be replaced */
    if (!status)
        status = make_way(store, self->path, overwrite, err);
    if (!status)
        status = put_all(self, plan, &names, overwrite, err);
    if (!status)
        status = vvi_zarr_sink_lock(self, err);
    vvi_zarr_names_clear(&names);
    if (status)
        vvi_zarr_sink_free(self);
    else
        *out = &self->base;
    return status;
}
