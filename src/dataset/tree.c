#include "dataset/source.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

void vvi_var_clear(vvi_var *var)
{
    for (uint32_t i = 0; i < var->ndim; i++)
        vvi_free(var->dims[i]);
    vvi_free(var->name);
    vvi_free(var->unsupported);
    vvi_attrs_clear(&var->attrs);
    vv_array_free(var->array);
    memset(var, 0, sizeof(*var));
}

void vvi_group_clear(vvi_group *group)
{
    for (size_t i = 0; i < group->dim_count; i++)
        vvi_free(group->dims[i].name);
    for (size_t i = 0; i < group->var_count; i++)
        vvi_var_clear(&group->vars[i]);
    vvi_free(group->dims);
    vvi_free(group->vars);
    vvi_free(group->path);
    vvi_attrs_clear(&group->attrs);
}

void vvi_tree_clear(vvi_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++)
        vvi_group_clear(&tree->groups[i]);
    vvi_free(tree->groups);
    *tree = (vvi_tree){ NULL, 0, 0 };
}

vv_status vvi_tree_add_group(vvi_tree *tree, const char *path, vvi_group **out,
                             vv_error *err)
{
    vvi_group *group;

    if (tree->count >= VVI_GROUPS_MAX)
        return vvi_fail(err, VV_ELIMIT, "more than %d groups", VVI_GROUPS_MAX);
    VVI_TRY(vvi_grow((void **)&tree->groups, &tree->cap, tree->count + 1,
                     sizeof(*tree->groups), err));
    group = &tree->groups[tree->count];
    memset(group, 0, sizeof(*group));
    group->path = vvi_strdup(path);
    if (!group->path)
        return vvi_fail_nomem(err, strlen(path) + 1);
    tree->count++;
    *out = group;
    return VV_OK;
}

vv_status vvi_group_add_dim(vvi_group *group, const char *name, uint64_t length,
                            bool unlimited, vv_error *err)
{
    vvi_dim *dim;

    VVI_TRY(vvi_grow((void **)&group->dims, &group->dim_cap, group->dim_count + 1,
                     sizeof(*group->dims), err));
    dim = &group->dims[group->dim_count];
    *dim = (vvi_dim){ vvi_strdup(name), length, unlimited };
    if (!dim->name)
        return vvi_fail_nomem(err, strlen(name) + 1);
    group->dim_count++;
    return VV_OK;
}

vv_status vvi_group_add_var(vvi_group *group, const char *name, vvi_var **out,
                            vv_error *err)
{
    vvi_var *var;

    if (group->var_count >= VVI_VARIABLES_MAX)
        return vvi_fail(err, VV_ELIMIT, "more than %d variables", VVI_VARIABLES_MAX);
    VVI_TRY(vvi_grow((void **)&group->vars, &group->var_cap, group->var_count + 1,
                     sizeof(*group->vars), err));
    var = &group->vars[group->var_count];
    memset(var, 0, sizeof(*var));
    var->name = vvi_strdup(name);
    if (!var->name)
        return vvi_fail_nomem(err, strlen(name) + 1);
    group->var_count++;
    *out = var;
    return VV_OK;
}

vvi_group *vvi_tree_find(const vvi_tree *tree, const char *path)
{
    for (size_t i = 0; i < tree->count; i++)
        if (strcmp(tree->groups[i].path, path) == 0)
            return &tree->groups[i];
    return NULL;
}

vvi_var *vvi_group_find_var(const vvi_group *group, const char *name)
{
    for (size_t i = 0; i < group->var_count; i++)
        if (strcmp(group->vars[i].name, name) == 0)
            return &group->vars[i];
    return NULL;
}

const vvi_dim *vvi_group_find_dim(const vvi_group *group, const char *name)
{
    for (size_t i = 0; i < group->dim_count; i++)
        if (strcmp(group->dims[i].name, name) == 0)
            return &group->dims[i];
    return NULL;
}

vvi_group *vvi_tree_parent(const vvi_tree *tree, const vvi_group *group)
{
    const char *slash = strrchr(group->path, '/');
    size_t len = slash ? (size_t)(slash - group->path) : 0;

    if (group->path[0] == '\0')
        return NULL;
    for (size_t i = 0; i < tree->count; i++)
        if (strlen(tree->groups[i].path) == len &&
            memcmp(tree->groups[i].path, group->path, len) == 0)
            return &tree->groups[i];
    return NULL;
}

const vvi_dim *vvi_tree_resolve_dim(const vvi_tree *tree, const vvi_group *group,
                                    const char *name, uint64_t length,
                                    const vvi_group **owner)
{
    for (; group; group = vvi_tree_parent(tree, group)) {
        const vvi_dim *dim = vvi_group_find_dim(group, name);

        if (dim && dim->length == length) {
            if (owner)
                *owner = group;
            return dim;
        }
    }
    return NULL;
}

char *vvi_path_trim(const char *path)
{
    size_t len;

    while (*path == '/')
        path++;
    len = strlen(path);
    while (len && path[len - 1] == '/')
        len--;
    return vvi_strndup(path, len);
}

vv_status vvi_join(const char *path, const char *name, vv_buf *out, vv_error *err)
{
    const char *between = path[0] && name[0] ? "/" : "";

    out->len = 0;
    return vvi_buf_printf(out, err, "%s%s%s", path, between, name);
}

uint32_t vvi_var_array_ndim(const vvi_var *var)
{
    return var->ndim - (var->fixed && var->ndim > 0);
}

size_t vvi_var_array_item(const vvi_var *var)
{
    return var->fixed && var->ndim > 0 ? (size_t)var->shape[var->ndim - 1] : var->item;
}

bool vvi_var_bytes(const vvi_var *var, uint64_t *elements, uint64_t *bytes)
{
    uint64_t n = 1;
    uint64_t total;

    for (uint32_t i = 0; i < var->ndim; i++)
        if (__builtin_mul_overflow(n, var->shape[i], &n))
            return false;
    if (__builtin_mul_overflow(n, (uint64_t)var->item, &total) || total > INT64_MAX)
        return false;
    if (elements)
        *elements = n;
    if (bytes)
        *bytes = total;
    return true;
}

vv_status vvi_source_read(vvi_source *source, const vvi_var *var, const uint64_t *start,
                          const uint64_t *count, void *out, size_t bytes, vv_error *err)
{
    vv_status status = source->ops->read(source, var, start, count, out, bytes, err);

    return status ? vvi_wrap(err, status, "%s: variable '%s'", source->name, var->name)
                  : VV_OK;
}

void vvi_source_reading(vvi_source *source, const vvi_var *var, const uint64_t *slab,
                        uint64_t memory_bytes)
{
    if (source->ops->reading)
        source->ops->reading(source, var, slab, memory_bytes);
}

void vvi_source_free(vvi_source *source)
{
    if (!source)
        return;
    vvi_tree_clear(&source->tree);
    vvi_free(source->name);
    source->ops->free(source);
}
