/* A Zarr v3 hierarchy in any store as a source. */
#include "dataset/layout.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <stdlib.h>
#include <string.h>

typedef struct zarr_source {
    vvi_source base;
    vv_store *store;
    char *path;
    vvi_json **attributes; /* of each group of the tree */
    size_t attributes_cap;
    vv_varlen text; /* what was read last; its elements point into it */
} zarr_source;

static vv_status zarr_read(vvi_source *base, const vvi_var *var, const uint64_t *start,
                           const uint64_t *count, void *out, size_t bytes, vv_error *err)
{
    zarr_source *self = (zarr_source *)base;

    if (!vv_dtype_is_variable(var->dtype))
        return vv_array_read(var->array, start, count, NULL, out, bytes, err);
    VVI_TRY(vv_array_read_varlen(var->array, start, count, NULL, &self->text, err));
    if (bytes)
        memcpy(out, self->text.items, bytes);
    return VV_OK;
}

static void zarr_free(vvi_source *base)
{
    zarr_source *self = (zarr_source *)base;

    vv_varlen_clear(&self->text);
    vvi_free(self->path);
    vv_store_free(self->store);
    vvi_free(self);
}

static const vvi_source_ops zarr_ops = { .read = zarr_read, .free = zarr_free };

bool vvi_zarr_source_place(const vvi_source *source, vv_store **store, const char **path)
{
    const zarr_source *self = (const zarr_source *)source;

    if (source->ops != &zarr_ops)
        return false;
    *store = self->store;
    *path = self->path;
    return true;
}

/* ---- scanning ------------------------------------------------------------------------------- */

/* path without the source's own and the slash behind it. */
static const char *below(const zarr_source *self, const char *path)
{
    size_t len = strlen(self->path);

    if (len == 0)
        return path;
    path += len;
    return *path == '/' ? path + 1 : path;
}

static vv_status add_group(zarr_source *self, const char *path, vv_error *err)
{
    vvi_tree *tree = &self->base.tree;
    vv_buf text = VV_BUF_INIT;
    vvi_group *group;
    vvi_json **slot;
    const vvi_json *layout;
    vv_status status;

    VVI_TRY(vvi_grow((void **)&self->attributes, &self->attributes_cap, tree->count + 1,
                     sizeof(*self->attributes), err));
    slot = &self->attributes[tree->count];
    *slot = NULL;
    VVI_TRY(vvi_tree_add_group(tree, below(self, path), &group, err));
    status = vv_node_attributes(self->store, path, &text, err);
    if (!status)
        status = vvi_json_parse(vvi_buf_bytes(&text), slot, err);
    if (!status) {
        layout = vvi_layout_find(*slot);
        group->exact = layout != NULL;
        status = vvi_attrs_from_json(&group->attrs, *slot, VV_DTYPE_NONE, layout, err);
        if (!status && layout)
            status = vvi_layout_dims(layout, group, err);
    }
    vv_buf_clear(&text);
    return status;
}

static vv_status set_shape(vvi_var *var, const vv_array_meta *meta, vv_error *err)
{
    var->dtype = meta->dtype;
    var->item = vv_dtype_is_variable(meta->dtype) ? sizeof(vv_bytes)
                : meta->item_size                 ? meta->item_size
                                                  : vv_dtype_size(meta->dtype);
    for (uint32_t i = 0; i < meta->ndim; i++) {
        const char *name = meta->dimension_names ? meta->dimension_names[i] : NULL;

        var->ndim = i + 1;
        var->shape[i] = meta->shape[i];
        var->chunks[i] = meta->chunk_shape[i];
        var->dims[i] = name ? vvi_strdup(name) : NULL;
        if (name && !var->dims[i])
            return vvi_fail_nomem(err, strlen(name) + 1);
    }
    return VV_OK;
}

/* An array of strings that were chars of a file: give it back the dimension that they lay along. */
static vv_status unfold_text(vvi_var *var, const vvi_json *hints, vv_error *err)
{
    const char *dim = vvi_json_text(vvi_json_get(hints, "string_dimension"), NULL);
    const vvi_json *fill = vvi_json_get(hints, "fill");
    uint64_t length = var->item;
    vvi_attr *attr;
    int64_t code;
    uint8_t byte;

    if (var->ndim == VV_NDIM_MAX || (!dim && (var->ndim || length != 1)))
        return VV_OK;
    var->text = var->fixed = true;
    var->dtype = VV_UINT8;
    var->item = 1;
    if (dim) {
        var->shape[var->ndim] = var->chunks[var->ndim] = length;
        var->dims[var->ndim] = vvi_strdup(dim);
        if (!var->dims[var->ndim++])
            return vvi_fail_nomem(err, strlen(dim) + 1);
    }
    if (!vvi_json_int64(fill, &code))
        return VV_OK;
    byte = (uint8_t)code;
    VVI_TRY(vvi_attrs_add(&var->attrs, "_FillValue", &attr, err));
    return vvi_attr_set_text(attr, &byte, 1, err);
}

static vv_status read_attributes(vvi_var *var, const vvi_json *layout, vv_error *err)
{
    const char *text = vv_array_get_meta(var->array)->attributes;
    const vvi_json *hints = NULL;
    vvi_json *object = NULL;
    size_t place;
    vv_status status = VV_OK;

    if (layout)
        hints = vvi_layout_variable(layout, var->name, &place);
    var->text = var->dtype == VV_UINT8 &&
                vvi_json_is_text(vvi_json_get(hints, "type"), "char");
    if (var->dtype == VV_NULL_TERMINATED_BYTES &&
        vvi_json_is_text(vvi_json_get(hints, "type"), "char"))
        status = unfold_text(var, hints, err);
    if (text && !status)
        status = vvi_json_parse(vv_bytes_of(text), &object, err);
    if (!status)
        status = vvi_attrs_from_json(&var->attrs, object, var->dtype, hints, err);
    vvi_json_free(object);
    return status;
}

static vv_status add_array(zarr_source *self, const char *path, vv_error *err)
{
    const char *relative = below(self, path);
    const char *slash = strrchr(relative, '/');
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    char *parent = vvi_strndup(relative, slash ? (size_t)(slash - relative) : 0);
    vvi_tree *tree = &self->base.tree;
    vvi_group *group = parent ? vvi_tree_find(tree, parent) : NULL;
    const vvi_json *layout;
    vvi_var *var;
    vv_status status = VV_OK;

    if (!parent)
        status = vvi_fail_nomem(err, strlen(relative));
    else if (!group && tree->count)
        status = vvi_fail(err, VV_ECORRUPT, "there is no group '/%s' above it", parent);
    else if (!group)
        status = vvi_tree_add_group(tree, "", &group, err); /* the source is one array */
    vvi_free(parent);
    if (!status)
        status = vvi_group_add_var(group, name, &var, err);
    if (!status)
        status = vv_array_open(self->store, path, &var->array, err);
    if (!status)
        status = set_shape(var, vv_array_get_meta(var->array), err);
    if (status)
        return vvi_wrap(err, status, "array '%s'", path);
    layout = self->attributes ? vvi_layout_find(self->attributes[group - tree->groups])
                              : NULL;
    return read_attributes(var, layout, err);
}

static vv_status visit_node(void *ctx, const char *path, vv_node_kind kind,
                            uint32_t depth, vv_error *err)
{
    (void)depth;
    return kind == VV_NODE_GROUP ? add_group(ctx, path, err) : add_array(ctx, path, err);
}

/* ---- dimensions and order ------------------------------------------------------------------- */

/* A layout's length gives way to the arrays', which may have grown since. */
static void refresh_dim(const vvi_group *group, vvi_dim *dim)
{
    uint64_t length = dim->length;
    bool found = false;

    for (size_t v = 0; v < group->var_count; v++)
        for (uint32_t i = 0; i < group->vars[v].ndim; i++) {
            const vvi_var *var = &group->vars[v];

            if (!var->dims[i] || strcmp(var->dims[i], dim->name) != 0)
                continue;
            if (var->shape[i] == dim->length || (found && var->shape[i] != length))
                return;
            length = var->shape[i];
            found = true;
        }
    dim->length = length;
}

static vv_status add_dims(vvi_tree *tree, vv_error *err)
{
    for (size_t g = 0; g < tree->count; g++) {
        vvi_group *group = &tree->groups[g];

        for (size_t d = 0; d < group->dim_count; d++)
            refresh_dim(group, &group->dims[d]);
        for (size_t v = 0; v < group->var_count; v++)
            for (uint32_t i = 0; i < group->vars[v].ndim; i++) {
                const vvi_var *var = &group->vars[v];

                if (var->dims[i] && !vvi_group_find_dim(group, var->dims[i]) &&
                    !vvi_tree_resolve_dim(tree, group, var->dims[i], var->shape[i], NULL))
                    VVI_TRY(vvi_group_add_dim(group, var->dims[i], var->shape[i], false,
                                              err));
            }
    }
    return VV_OK;
}

/* Put the variables in the layout's order, those that it does not know behind them. */
static vv_status order_vars(vvi_group *group, const vvi_json *layout, vv_error *err)
{
    size_t n = group->var_count;
    vvi_var *sorted;
    size_t used = 0;

    if (!layout || n < 2)
        return VV_OK;
    sorted = vvi_alloc_array(n, sizeof(*sorted));
    if (!sorted)
        return vvi_fail_nomem(err, n * sizeof(*sorted));
    for (const vvi_json *item = vvi_json_first(vvi_json_get(layout, "variables")); item;
         item = vvi_json_next(item)) {
        const char *name = vvi_json_text(vvi_json_get(item, "name"), NULL);
        vvi_var *var = name ? vvi_group_find_var(group, name) : NULL;

        if (var && !var->wanted) {
            var->wanted = true; /* here: taken */
            sorted[used++] = *var;
        }
    }
    for (size_t i = 0; i < n; i++)
        if (!group->vars[i].wanted)
            sorted[used++] = group->vars[i];
    for (size_t i = 0; i < n; i++) {
        group->vars[i] = sorted[i];
        group->vars[i].wanted = false;
    }
    vvi_free(sorted);
    return VV_OK;
}

/* Move group number g, if it is still to be placed, to the next place of both new lists. */
static void place_group(zarr_source *self, size_t g, vvi_group *groups,
                        vvi_json **attributes, size_t *used)
{
    vvi_group *group = &self->base.tree.groups[g];

    if (group->wanted)
        return;
    group->wanted = true; /* here: placed */
    groups[*used] = *group;
    attributes[(*used)++] = self->attributes[g];
}

/* The groups below one that is placed: in the order of its layout, the others behind. */
static void place_children(zarr_source *self, size_t parent, vvi_group *groups,
                           vvi_json **attributes, size_t *used)
{
    const vvi_tree *tree = &self->base.tree;
    const char *path = groups[parent].path;
    const vvi_json *names = vvi_json_get(vvi_layout_find(attributes[parent]), "groups");
    size_t len = strlen(path);
    size_t left = tree->count;

    for (const vvi_json *name = vvi_json_first(names); name && left--;
         name = vvi_json_next(name))
        for (size_t g = 1; g < tree->count; g++) {
            const char *child = tree->groups[g].path;

            if (strncmp(child, path, len) == 0 && (len == 0 || child[len] == '/') &&
                vvi_json_is_text(name, child + len + (len ? 1 : 0)))
                place_group(self, g, groups, attributes, used);
        }
    for (size_t g = 1; g < tree->count; g++) {
        const char *child = tree->groups[g].path;
        const char *slash = strrchr(child, '/');

        if ((slash ? (size_t)(slash - child) : 0) == len &&
            strncmp(child, path, len) == 0)
            place_group(self, g, groups, attributes, used);
    }
}

static vv_status order_groups(zarr_source *self, vv_error *err)
{
    vvi_tree *tree = &self->base.tree;
    size_t used = 0;
    vvi_group *groups;
    vvi_json **attributes;

    if (tree->count < 3 || !self->attributes)
        return VV_OK;
    groups = vvi_alloc_array(tree->count, sizeof(*groups));
    attributes = vvi_alloc_array(tree->count, sizeof(vvi_json *));
    if (!groups || !attributes) {
        vvi_free(groups);
        vvi_free(attributes);
        return vvi_fail_nomem(err, tree->count * sizeof(*groups));
    }
    place_group(self, 0, groups, attributes, &used);
    for (size_t g = 0; g < used; g++)
        place_children(self, g, groups, attributes, &used);
    for (size_t g = 0; g < tree->count; g++)
        place_group(self, g, groups, attributes, &used);
    for (size_t g = 0; g < used; g++)
        groups[g].wanted = false;
    memcpy(tree->groups, groups, used * sizeof(*groups));
    memcpy(self->attributes, attributes, used * sizeof(vvi_json *));
    vvi_free(groups);
    vvi_free(attributes);
    return VV_OK;
}

static vv_status scan(zarr_source *self, vv_error *err)
{
    vvi_tree *tree = &self->base.tree;
    vv_node_kind kind;

    VVI_TRY(vv_node_kind_of(self->store, self->path, &kind, err));
    if (kind == VV_NODE_NONE)
        return vvi_fail(err, VV_ENOTFOUND, "no Zarr group or array at '/%s'", self->path);
    VVI_TRY(vv_node_walk(self->store, self->path, true, visit_node, self, err));
    VVI_TRY(order_groups(self, err));
    for (size_t g = 0; g < tree->count && self->attributes; g++)
        VVI_TRY(order_vars(&tree->groups[g], vvi_layout_find(self->attributes[g]), err));
    return add_dims(tree, err);
}

vv_status vvi_zarr_source_open(vv_store *store, const char *path, const char *name,
                               vvi_source **out, vv_error *err)
{
    zarr_source *self = vvi_alloc_zero(sizeof(*self));
    vv_status status;

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    self->base.ops = &zarr_ops;
    self->base.name = vvi_strdup(name);
    self->path = vvi_path_trim(path);
    self->store = vv_store_retain(store);
    status = self->path && self->base.name ? scan(self, err) : vvi_fail_nomem(err, 1);
    for (size_t g = 0; g < self->base.tree.count && self->attributes; g++)
        vvi_json_free(self->attributes[g]);
    vvi_free(self->attributes);
    self->attributes = NULL;
    if (status) {
        vvi_wrap(err, status, "%s", name);
        vvi_source_free(&self->base);
        return status;
    }
    *out = &self->base;
    return VV_OK;
}
