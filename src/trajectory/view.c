/*
 * A trajectory as a read-only store: the keys of a Zarr v3 hierarchy, whose metadata is made here and whose chunks
 * are read when they are asked for.
 *
 * Documents of all nodes are made once, when it is opened, so that a store with n leaves holds n small texts.
 */
#include "trajectory/trajectory.h"

#include "grid/grid.h"
#include "store/internal.h"
#include "store/key_set.h"
#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

/* Of what is not chunked in the file, so many bytes make a chunk. */
#define CHUNK_BYTES ((uint64_t)1 << 20)

typedef enum node_kind {
    NODE_GROUP,
    NODE_LEAF,
    NODE_STEPS,
    NODE_WRITTEN
} node_kind;

typedef struct node {
    char *path;
    node_kind kind;
    size_t group, leaf;
    vvi_dtype dtype;
    vvi_grid grid;  /* of an array */
    bool is_masked; /* what was never written is shown as fill, which is NaN */
    uint8_t fill[16];
    vv_buf text; /* zarr.json */
} node;

typedef struct view {
    vv_store base;
    vv_traj *traj;
    node *nodes;
    size_t count, cap;
    vvi_key_set paths; /* path → number of its node, and one */
} view;

static const vvi_key_form key_form = { .separator = '/' };

/* ---- nodes -------------------------------------------------------------------------------------- */

static node *find_node(const view *self, const char *path, size_t len)
{
    const vvi_key_entry *entry = vvi_key_set_find(&self->paths, path, len);

    return entry && entry->value ? &self->nodes[(uintptr_t)entry->value - 1] : NULL;
}

static vv_status add_node(view *self, const char *path, size_t len, node_kind kind,
                          size_t group, size_t leaf, node **out, vv_error *err)
{
    vvi_key_entry *entry;
    bool is_new;
    char *copy = vvi_strndup(path, len);
    vv_status status = copy ? VV_OK : vvi_fail_nomem(err, len);

    if (!status)
        status = vvi_grow((void **)&self->nodes, &self->cap, self->count + 1,
                          sizeof(*self->nodes), err);
    if (!status)
        status = vvi_key_set_add(&self->paths, path, len, &entry, &is_new, err);
    if (status) {
        vvi_free(copy);
        return status;
    }
    entry->value = (void *)(uintptr_t)(self->count + 1);
    *out = &self->nodes[self->count++];
    **out = (node){ .path = copy, .kind = kind, .group = group, .leaf = leaf };
    return VV_OK;
}

/* The document of a group, and of those on the way to path. */
static vv_status add_groups(view *self, const char *path, size_t len, vv_error *err)
{
    node *made;

    for (size_t i = 0; i <= len; i++) {
        if ((i < len && i && path[i] != '/') || find_node(self, path, i))
            continue;
        VVI_TRY(add_node(self, path, i, NODE_GROUP, 0, 0, &made, err));
        VVI_TRY(vvi_buf_append_text(
            &made->text, "{\"zarr_format\": 3, \"node_type\": \"group\"}", err));
    }
    return VV_OK;
}

/* ---- documents ---------------------------------------------------------------------------------- */

static vv_status append_lengths(vv_buf *text, uint32_t ndim, const uint64_t *lengths,
                                vv_error *err)
{
    VVI_TRY(vvi_buf_append_text(text, "[", err));
    for (uint32_t d = 0; d < ndim; d++)
        VVI_TRY(vvi_buf_printf(text, err, "%s%" PRIu64, d ? ", " : "", lengths[d]));
    return vvi_buf_append_text(text, "]", err);
}

/* The type and the fill value: NaN of what is masked, else zeros. */
static vv_status append_type(vv_buf *text, const node *array, vv_error *err)
{
    const vvi_dtype *dtype = &array->dtype;
    vvi_json *type = NULL, *fill = NULL;
    void *zero = vvi_alloc_zero(dtype->item);
    vv_status status = zero ? vvi_dtype_write(dtype, &type, err)
                            : vvi_fail_nomem(err, dtype->item);

    if (!status)
        status = vvi_fill_write(dtype, array->is_masked ? array->fill : zero, &fill, err);
    if (!status)
        status = vvi_buf_append_text(text, ", \"data_type\": ", err);
    if (!status)
        status = vvi_json_write(type, 0, text, err);
    if (!status)
        status = vvi_buf_append_text(text, ", \"fill_value\": ", err);
    if (!status)
        status = vvi_json_write(fill, 0, text, err);
    vvi_json_free(type);
    vvi_json_free(fill);
    vvi_free(zero);
    return status;
}

/* Rows are named by their steps where they have some; places by nothing. */
static vv_status append_names(vv_buf *text, const node *array, const char *rows,
                              vv_error *err)
{
    if (!array->grid.ndim || !rows)
        return VV_OK;
    VVI_TRY(vvi_buf_printf(text, err, ", \"dimension_names\": [\"%s\"", rows));
    for (uint32_t d = 1; d < array->grid.ndim; d++)
        VVI_TRY(vvi_buf_append_text(text, ", null", err));
    return vvi_buf_append_text(text, "]", err);
}

static vv_status write_document(node *array, const char *rows, const char *attributes,
                                vv_error *err)
{
    const uint16_t one = 1;
    bool little = *(const uint8_t *)&one == 1;
    vv_buf *text = &array->text;

    VVI_TRY(vvi_buf_append_text(
        text, "{\"zarr_format\": 3, \"node_type\": \"array\", \"shape\": ", err));
    VVI_TRY(append_lengths(text, array->grid.ndim, array->grid.shape, err));
    VVI_TRY(append_type(text, array, err));
    VVI_TRY(vvi_buf_append_text(
        text,
        ", \"chunk_grid\": {\"name\": \"regular\", \"configuration\": {\"chunk_shape\": ",
        err));
    VVI_TRY(append_lengths(text, array->grid.ndim, array->grid.chunk, err));
    VVI_TRY(vvi_buf_printf(text, err,
                           "}}, \"chunk_key_encoding\": {\"name\": \"default\", "
                           "\"configuration\": {\"separator\": \"/\"}}, \"codecs\": "
                           "[{\"name\": \"bytes\"%s}]",
                           array->dtype.word == 1 ? ""
                           : little ? ", \"configuration\": {\"endian\": \"little\"}"
                                    : ", \"configuration\": {\"endian\": \"big\"}"));
    VVI_TRY(append_names(text, array, rows, err));
    return vvi_buf_printf(text, err, ", \"attributes\": {%s}}", attributes);
}

/* Whole rows of about CHUNK_BYTES. */
static void choose_chunk(uint32_t ndim, const uint64_t *shape, size_t item,
                         uint64_t *chunk)
{
    uint64_t left = CHUNK_BYTES / item;

    for (uint32_t d = ndim; d-- > 0;) {
        chunk[d] = shape[d] < left ? shape[d] : left;
        if (!chunk[d])
            chunk[d] = 1;
        left /= chunk[d];
    }
}

/* Can there be values of a group that were never written? */
static bool needs_mask(const view *self, size_t group)
{
    const vvi_traj_group *in = &self->traj->groups[group];

    return in->public.kind == VV_TRAJ_PLACED ||
           (in->public.kind == VV_TRAJ_ONCE && !in->rows);
}

/* An element that is not a number; false where the type has none. */
static bool make_nan(const vvi_dtype *dtype, uint8_t out[16])
{
    if (dtype->kind != VVI_KIND_FLOAT && dtype->kind != VVI_KIND_COMPLEX)
        return false;
    for (size_t at = 0; at < dtype->item; at += dtype->word) {
        uint64_t wide = 0x7FF8000000000000;
        uint32_t single = 0x7FC00000;
        uint16_t half = dtype->code == VV_BFLOAT16 ? 0x7FC0 : 0x7E00;

        memcpy(out + at,
               dtype->word == 8   ? (void *)&wide
               : dtype->word == 4 ? (void *)&single
                                  : (void *)&half,
               dtype->word);
    }
    return dtype->word >= 2;
}

static vv_status add_array(view *self, const char *path, node_kind kind, size_t group,
                           size_t leaf, const vvi_dtype *dtype, uint32_t ndim,
                           const uint64_t *shape, const uint64_t *chunk, const char *rows,
                           const char *attributes, vv_error *err)
{
    const char *slash = strrchr(path, '/');
    uint64_t chosen[VVI_GRID_NDIM_MAX];
    node *made;

    VVI_TRY(add_groups(self, path, slash ? (size_t)(slash - path) : 0, err));
    VVI_TRY(add_node(self, path, strlen(path), kind, group, leaf, &made, err));
    made->dtype = *dtype;
    made->is_masked = kind == NODE_LEAF && needs_mask(self, group) &&
                      make_nan(dtype, made->fill);
    if (!chunk) {
        choose_chunk(ndim, shape, dtype->item, chosen);
        chunk = chosen;
    }
    VVI_TRY(vvi_grid_init(&made->grid, ndim, shape, chunk, err));
    return write_document(made, rows, attributes, err);
}

static vv_status add_leaf(view *self, size_t group, size_t number, vv_error *err)
{
    const vv_traj_group *in = vv_traj_group_at(self->traj, group);
    vv_buf units = VV_BUF_INIT;
    vvi_dtype dtype;
    vv_traj_leaf leaf;
    vv_status status = vv_traj_leaf_at(self->traj, group, number, &leaf, err);

    /* What is not there or cannot be shown is left out; info and check tell of it. */
    if (status == VV_ENOTFOUND || status == VV_EUNSUPPORTED || status == VV_ECORRUPT)
        return VV_OK;
    if (status)
        return status;
    VVI_TRY(vvi_dtype_make(leaf.dtype, leaf.item_size, NULL, 0, &dtype, err));
    if (leaf.units) {
        status = vvi_buf_append_text(&units, "\"units\": ", err);
        if (!status)
            status = vvi_json_write_string(vv_bytes_of(leaf.units), &units, err);
        if (!status)
            status = vvi_buf_terminate(&units, err);
    }
    if (!status)
        status = add_array(self, leaf.path, NODE_LEAF, group, number, &dtype, leaf.ndim,
                           leaf.shape, leaf.chunk,
                           in->kind == VV_TRAJ_ROWS ? "steps" : NULL,
                           leaf.units ? (const char *)units.data : "", err);
    vv_buf_clear(&units);
    return status;
}

/* "step/steps". */
static vv_status add_beside(view *self, size_t group, const char *name, node_kind kind,
                            vv_dtype code, uint32_t ndim, const uint64_t *shape,
                            vv_error *err)
{
    const vv_traj_group *in = vv_traj_group_at(self->traj, group);
    bool steps = kind == NODE_STEPS;
    vv_buf path = VV_BUF_INIT;
    vvi_dtype dtype;
    vv_status status = vvi_buf_printf(&path, err, "%s%s%s", in->path,
                                      *in->path ? "/" : "", name);

    (void)vvi_dtype_init(code, &dtype);
    if (!status)
        status = vvi_buf_terminate(&path, err);
    if (!status)
        status = add_array(self, (const char *)path.data, kind, group, 0, &dtype, ndim,
                           shape, NULL, steps ? "steps" : NULL,
                           steps ? "\"long_name\": \"step\"" : "", err);
    vv_buf_clear(&path);
    return status;
}

static vv_status add_group(view *self, size_t group, vv_error *err)
{
    const vv_traj_group *in = vv_traj_group_at(self->traj, group);
    vv_traj_rows rows = VV_TRAJ_ROWS_INIT;

    VVI_TRY(add_groups(self, in->path, strlen(in->path), err));
    VVI_TRY(vv_traj_get_rows(self->traj, group, &rows, err));
    if (rows.has_steps)
        VVI_TRY(
            add_beside(self, group, "steps", NODE_STEPS, VV_INT64, 1, &rows.rows, err));
    if (self->traj->groups[group].written)
        VVI_TRY(add_beside(self, group, "written", NODE_WRITTEN, VV_UINT8,
                           in->extent_ndim, in->extent, err));
    for (size_t i = 0; i < in->leaf_count; i++)
        VVI_TRY(add_leaf(self, group, i, err));
    return VV_OK;
}

/* ---- keys --------------------------------------------------------------------------------------- */

/* What a key names: the document of a node, or a chunk of an array at index. NULL: nothing. */
static const node *find_key(const view *self, const char *key, bool *is_chunk,
                            uint64_t *index)
{
    static const char document[] = "zarr.json";
    const char *last = strrchr(key, '/');
    const char *name = last ? last + 1 : key;
    size_t len = strlen(key);

    *is_chunk = false;
    if (strcmp(name, document) == 0)
        return find_node(self, key, last ? (size_t)(last - key) : 0);
    /* An array's chunks have as many parts behind it as it has dimensions, and "c". */
    for (uint32_t parts = 0; len > 0 && parts <= VVI_GRID_NDIM_MAX; parts++) {
        const node *array;

        while (len && key[len - 1] != '/')
            len--;
        if (!len)
            return NULL;
        array = find_node(self, key, --len);
        if (!array || array->kind == NODE_GROUP)
            continue;
        *is_chunk = true;
        if (array->grid.ndim != parts ||
            !vvi_chunk_key_parse(key_form, parts, key + len + 1, index) ||
            vvi_grid_check_chunk(&array->grid, index, NULL))
            return NULL;
        return array;
    }
    return NULL;
}

/* Put the fill where nothing was written, in a box of a leaf as it lies in memory. */
static vv_status hide_unwritten(const view *self, const node *array,
                                const uint64_t *start, const uint64_t *count,
                                uint8_t *data, vv_error *err)
{
    const vvi_traj_group *in = &self->traj->groups[array->group];
    uint32_t leading = in->public.extent_ndim;
    uint64_t places = 1, elements = 1;
    vv_status status = VV_OK;
    uint8_t *written;

    for (uint32_t d = 0; d < array->grid.ndim; d++)
        *(d < leading ? &places : &elements) *= count[d];
    written = vvi_alloc_zero((size_t)places);
    if (!written)
        return vvi_fail_nomem(err, (size_t)places);
    if (in->written)
        status = vvi_traj_read_dataset(self->traj, in, "written", in->written, start,
                                       count, NULL, written, (size_t)places, err);
    for (uint64_t i = 0; i < places && !status; i++)
        if (!written[i])
            vvi_fill(data + i * elements * array->dtype.item, (size_t)elements,
                     array->dtype.item, array->fill);
    vvi_free(written);
    return status;
}

static vv_status read_node(const view *self, const node *array, const uint64_t *start,
                           const uint64_t *count, void *out, size_t bytes, vv_error *err)
{
    const vvi_traj_group *group = &self->traj->groups[array->group];

    if (array->kind == NODE_LEAF) {
        VVI_TRY(vv_traj_read(self->traj, array->group, array->leaf, start, count, NULL,
                             out, bytes, err));
        return array->is_masked ? hide_unwritten(self, array, start, count, out, err)
                                : VV_OK;
    }
    if (array->kind == NODE_STEPS)
        return vv_traj_read_steps(self->traj, array->group, *start, *count, out, err);
    return vvi_traj_read_dataset(self->traj, group, "written", group->written, start,
                                 count, NULL, out, bytes, err);
}

/* A chunk is as long as it says also where it reaches past the shape; there it holds zeros. */
static vv_status read_chunk(const view *self, const node *array, const uint64_t *index,
                            vv_buf *out, vv_error *err)
{
    const vvi_grid *grid = &array->grid;
    uint64_t start[VVI_GRID_NDIM_MAX], count[VVI_GRID_NDIM_MAX];
    uint64_t to[VVI_GRID_NDIM_MAX], from[VVI_GRID_NDIM_MAX];
    uint64_t elements = 1, bytes = grid->chunk_elements * array->dtype.item;
    uint8_t *inside;
    vv_status status;

    for (uint32_t d = 0; d < grid->ndim; d++) {
        start[d] = vvi_grid_chunk_start(grid, d, index[d]);
        count[d] = grid->shape[d] - start[d];
        if (count[d] > grid->chunk[d])
            count[d] = grid->chunk[d];
        elements *= count[d];
    }
    VVI_TRY(vvi_buf_reserve(out, (size_t)bytes, err));
    out->len = (size_t)bytes;
    if (elements == grid->chunk_elements)
        return read_node(self, array, start, count, out->data, out->len, err);
    memset(out->data, 0, out->len);
    inside = vvi_alloc_array((size_t)elements, array->dtype.item);
    if (!inside)
        return vvi_fail_nomem(err, (size_t)elements * array->dtype.item);
    status = read_node(self, array, start, count, inside,
                       (size_t)elements * array->dtype.item, err);
    vvi_strides(grid->ndim, grid->chunk, array->dtype.item, to);
    vvi_strides(grid->ndim, count, array->dtype.item, from);
    if (!status)
        vvi_copy_box(grid->ndim, count, array->dtype.item, out->data, to, inside, from);
    vvi_free(inside);
    return status;
}

/* ---- the store ---------------------------------------------------------------------------------- */

static vv_status view_get(vv_store *base, const char *key, vv_range range, vv_buf *out,
                          vv_error *err)
{
    const view *self = (view *)base;
    uint64_t index[VVI_GRID_NDIM_MAX];
    vv_buf value = VV_BUF_INIT;
    bool is_chunk;
    const node *found = find_key(self, key, &is_chunk, index);
    vv_status status;

    if (!found)
        return vvi_fail_missing_key(err, base, key);
    status = is_chunk ? read_chunk(self, found, index, &value, err)
                      : vvi_buf_append(&value, vvi_buf_bytes(&found->text), err);
    if (status) {
        vv_buf_clear(&value);
        return status;
    }
    vvi_store_give(&value, range, out);
    return VV_OK;
}

static vv_status view_set(vv_store *base, const char *key, vv_bytes value,
                          bool only_if_absent, vv_error *err)
{
    (void)base;
    (void)value;
    (void)only_if_absent;
    return vvi_fail(err, VV_EREADONLY, "key '%s' of a trajectory", key);
}

static vv_status view_remove(vv_store *base, const char *key, vv_error *err)
{
    return view_set(base, key, vvi_bytes(NULL, 0), false, err);
}

static vv_status view_exists(vv_store *base, const char *key, bool *out, vv_error *err)
{
    uint64_t index[VVI_GRID_NDIM_MAX];
    bool is_chunk;

    (void)err;
    *out = find_key((view *)base, key, &is_chunk, index) != NULL;
    return VV_OK;
}

static vv_status view_size(vv_store *base, const char *key, uint64_t *out, vv_error *err)
{
    uint64_t index[VVI_GRID_NDIM_MAX];
    bool is_chunk;
    const node *found = find_key((view *)base, key, &is_chunk, index);

    if (!found)
        return vvi_fail_missing_key(err, base, key);
    *out = is_chunk ? found->grid.chunk_elements * found->dtype.item : found->text.len;
    return VV_OK;
}

/* A key below a node, told if it begins with prefix. */
static vv_status tell(const node *at, const char *below, const char *prefix,
                      vv_key_fn visit, void *ctx, vv_error *err)
{
    vv_buf key = VV_BUF_INIT;
    vv_status status = vvi_buf_printf(&key, err, "%s%s%s", at->path, *at->path ? "/" : "",
                                      below);

    if (!status)
        status = vvi_buf_terminate(&key, err);
    if (!status && strncmp((const char *)key.data, prefix, strlen(prefix)) == 0)
        status = visit(ctx, (const char *)key.data, err);
    vv_buf_clear(&key);
    return status;
}

/* Can a key below path begin with prefix? */
static bool meets(const char *path, const char *prefix)
{
    size_t a = strlen(path), b = strlen(prefix);

    return strncmp(path, prefix, a < b ? a : b) == 0;
}

static vv_status list_chunks(const node *array, const char *prefix, vv_key_fn visit,
                             void *ctx, vv_error *err)
{
    uint64_t index[VVI_GRID_NDIM_MAX] = { 0 };
    const vvi_grid *grid = &array->grid;
    vv_buf key = VV_BUF_INIT;
    vv_status status = VV_OK;

    for (uint32_t d = 0; d < grid->ndim; d++)
        if (!grid->count[d])
            return VV_OK;
    for (;;) {
        uint32_t d = grid->ndim;

        key.len = 0;
        status = vvi_chunk_key(key_form, grid->ndim, index, &key, err);
        if (!status)
            status = vvi_buf_terminate(&key, err);
        if (!status)
            status = tell(array, (const char *)key.data, prefix, visit, ctx, err);
        while (d > 0 && ++index[d - 1] == grid->count[d - 1])
            index[--d] = 0;
        if (status || d == 0)
            break;
    }
    vv_buf_clear(&key);
    return status;
}

static vv_status view_list(vv_store *base, const char *prefix, vv_key_fn visit, void *ctx,
                           vv_error *err)
{
    const view *self = (view *)base;

    for (size_t i = 0; i < self->count; i++) {
        const node *at = &self->nodes[i];

        if (!meets(at->path, prefix))
            continue;
        VVI_TRY(tell(at, "zarr.json", prefix, visit, ctx, err));
        if (at->kind != NODE_GROUP)
            VVI_TRY(list_chunks(at, prefix, visit, ctx, err));
    }
    return VV_OK;
}

static void view_free(vv_store *base)
{
    view *self = (view *)base;

    for (size_t i = 0; i < self->count; i++) {
        vvi_free(self->nodes[i].path);
        vv_buf_clear(&self->nodes[i].text);
    }
    vvi_free(self->nodes);
    vvi_key_set_clear(&self->paths);
    vv_traj_close(self->traj);
    vvi_free(self);
}

static const vv_store_ops view_ops = { .name = "trajectory",
                                       .get = view_get,
                                       .set = view_set,
                                       .remove = view_remove,
                                       .exists = view_exists,
                                       .size = view_size,
                                       .list = view_list,
                                       .free = view_free };

vv_status vv_traj_store_open(const char *path, vv_store **out, vv_error *err)
{
    view *self = vvi_alloc_zero(sizeof(*self));
    vv_status status;

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    vv_store_base_init(&self->base, &view_ops, true);
    status = vv_traj_open(path, &self->traj, err);
    if (!status)
        status = add_groups(self, "", 0, err);
    for (size_t g = 0; !status && g < vv_traj_get_info(self->traj)->group_count; g++)
        status = add_group(self, g, err);
    if (status)
        view_free(&self->base);
    else
        *out = &self->base;
    return status;
}
