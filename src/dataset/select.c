#include "dataset/layout.h"
#include "dataset/plan.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <stdio.h>
#include <string.h>

/* ---- what was asked for, and what it refers to ------------------------------------------------ */

/* Is name this variable: its path, or its name in any group? */
static bool is_named(const vvi_group *group, const vvi_var *var, const char *name)
{
    size_t len = strlen(group->path);

    while (*name == '/')
        name++;
    if (!strchr(name, '/'))
        return strcmp(name, var->name) == 0;
    return strncmp(name, group->path, len) == 0 && name[len] == '/' &&
           strcmp(name + len + 1, var->name) == 0;
}

static vv_status want_named(vvi_source *source, const char *name, vv_error *err)
{
    vvi_tree *tree = &source->tree;
    bool found = false;
    char known[200] = "";
    size_t used = 0;

    for (size_t g = 0; g < tree->count; g++)
        for (size_t v = 0; v < tree->groups[g].var_count; v++) {
            vvi_var *var = &tree->groups[g].vars[v];

            if (is_named(&tree->groups[g], var, name))
                found = var->wanted = true;
            if (used < sizeof(known) - 1)
                used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
                                         used ? ", " : "", var->name);
        }
    if (!found)
        return vvi_fail(err, VV_EINVAL, "%s has no variable '%s'; it has: %s%s",
                        source->name, name, known, used >= sizeof(known) ? "…" : "");
    return VV_OK;
}

/* Want the variable of that name nearest to the group, upward, if Zarr can hold it. */
static bool want_nearest(vvi_tree *tree, const vvi_group *group, const char *name,
                         size_t len)
{
    for (; group; group = vvi_tree_parent(tree, group))
        for (size_t v = 0; v < group->var_count; v++) {
            vvi_var *var = &group->vars[v];

            if (strlen(var->name) != len || memcmp(var->name, name, len) != 0)
                continue;
            if (var->wanted || var->unsupported)
                return false;
            var->wanted = true;
            return true;
        }
    return false;
}

/* CF attributes that name other variables, separated by blanks. */
static const char *const references[] = { "coordinates", "bounds", "climatology",
                                          "grid_mapping", "edges" };

static bool want_references(vvi_tree *tree, const vvi_group *group, const vvi_var *var)
{
    bool more = false;

    for (uint32_t i = 0; i < var->ndim; i++)
        if (var->dims[i])
            more |= want_nearest(tree, group, var->dims[i], strlen(var->dims[i]));
    for (size_t r = 0; r < sizeof(references) / sizeof(*references); r++) {
        const vvi_attr *attr = vvi_attrs_find(&var->attrs, references[r]);
        const char *text = attr && attr->kind == VVI_ATTR_TEXT ? (const char *)attr->data
                                                               : "";
        size_t left = attr && attr->kind == VVI_ATTR_TEXT ? attr->count : 0;

        while (left) {
            size_t n = 0;

            while (n < left && text[n] != ' ' && text[n] != ':')
                n++;
            more |= want_nearest(tree, group, text, n);
            text += n < left ? n + 1 : n;
            left -= n < left ? n + 1 : n;
        }
    }
    return more;
}

static void want_companions(vvi_tree *tree)
{
    bool more = true;

    while (more) {
        more = false;
        for (size_t g = 0; g < tree->count; g++)
            for (size_t v = 0; v < tree->groups[g].var_count; v++)
                if (tree->groups[g].vars[v].wanted)
                    more |= want_references(tree, &tree->groups[g],
                                            &tree->groups[g].vars[v]);
    }
}

static void want_groups(vvi_tree *tree, bool all)
{
    for (size_t g = 0; g < tree->count; g++) {
        vvi_group *group = &tree->groups[g];

        group->wanted = all || g == 0;
        for (size_t v = 0; v < group->var_count; v++)
            group->wanted = group->wanted || group->vars[v].wanted;
    }
    /* Parents stand before their children, so one pass from the end carries it all the way up. */
    for (size_t g = tree->count; g-- > 1;) {
        vvi_group *parent = vvi_tree_parent(tree, &tree->groups[g]);

        if (parent && tree->groups[g].wanted)
            parent->wanted = true;
    }
}

/* ---- what cannot be held ---------------------------------------------------------------------- */

/* Refusals of all kinds, told in one message. */
typedef struct refusals {
    size_t count;
    size_t used;
    char text[360];
} refusals;

static void refuse(refusals *all, const char *kind, const char *group, const char *name,
                   const char *why)
{
    if (all->count++ < 5 && all->used < sizeof(all->text))
        all->used += (size_t)snprintf(
            all->text + all->used, sizeof(all->text) - all->used, "%s%s %s%s%s has %s",
            all->used ? "; " : "", kind, group, group[0] ? "/" : "", name, why);
}

/* A name that is one step of a Zarr path. */
static bool good_name(const char *name)
{
    return name[0] && name[strspn(name, ".")] && !strchr(name, '/') &&
           strncmp(name, "__", 2) != 0 && strcmp(name, "zarr.json") != 0 &&
           vvi_is_utf8(vv_bytes_of(name));
}

static void check_attrs(refusals *all, const vvi_group *group, const char *owner,
                        const vvi_attrs *attrs)
{
    for (size_t i = 0; i < attrs->count; i++) {
        char why[160];

        if (attrs->items[i].kind == VVI_ATTR_OTHER) {
            snprintf(why, sizeof(why), "attribute '%.60s' of type %.60s",
                     attrs->items[i].name, attrs->items[i].strings[0]);
            refuse(all, owner ? "variable" : "group", group->path, owner ? owner : "",
                   why);
        }
    }
}

static void check_var(refusals *all, const vvi_group *group, const vvi_var *var)
{
    const vvi_attr *fill = vvi_attrs_find(&var->attrs, "_FillValue");

    if (var->unsupported)
        refuse(all, "variable", group->path, var->name, var->unsupported);
    else if (!vvi_var_bytes(var, NULL, NULL))
        refuse(all, "variable", group->path, var->name, "more than 2^63 bytes");
    if (!good_name(var->name))
        refuse(all, "variable", group->path, var->name,
               "a name that Zarr does not allow");
    if (fill && group->ncid && !var->unsupported &&
        (fill->kind != (var->text ? VVI_ATTR_TEXT : VVI_ATTR_NUMBERS) ||
         fill->count != 1))
        refuse(all, "variable", group->path, var->name,
               "a _FillValue that is not one value");
    check_attrs(all, group, var->name, &var->attrs);
}

static vv_status check_all(const vvi_source *source, vv_error *err)
{
    const vvi_tree *tree = &source->tree;
    refusals all = { 0, 0, "" };

    for (size_t g = 0; g < tree->count; g++) {
        const vvi_group *group = &tree->groups[g];
        const char *slash = strrchr(group->path, '/');

        if (!group->wanted)
            continue;
        if (g && !good_name(slash ? slash + 1 : group->path))
            refuse(&all, "group", group->path, "", "a name that Zarr does not allow");
        check_attrs(&all, group, NULL, &group->attrs);
        if (group->ncid && vvi_attrs_find(&group->attrs, VVI_LAYOUT_NAME))
            refuse(&all, "group", group->path, "", "an attribute named " VVI_LAYOUT_NAME);
        for (size_t v = 0; v < group->var_count; v++)
            if (group->vars[v].wanted)
                check_var(&all, group, &group->vars[v]);
    }
    if (!all.count)
        return VV_OK;
    return vvi_fail(
        err, VV_EUNSUPPORTED,
        "%s: %s%s. Nothing was written; name the variables to take to leave such out",
        source->name, all.text, all.count > 5 ? "; and more" : "");
}

/* How char variables of a file are taken: as strings of a fixed length, as xarray takes them, or as
 * bytes. Strings of no length do not exist. */
static void choose_text(vvi_tree *tree, bool text_as_bytes)
{
    for (size_t g = 0; g < tree->count; g++)
        for (size_t v = 0; v < tree->groups[g].var_count; v++) {
            vvi_var *var = &tree->groups[g].vars[v];

            if (!var->array && var->text)
                var->fixed = !text_as_bytes &&
                             (var->ndim == 0 || var->shape[var->ndim - 1] > 0);
        }
}

vv_status vvi_plan_select(vvi_source *source, const char *const *names, size_t count,
                          bool text_as_bytes, vv_error *err)
{
    vvi_tree *tree = &source->tree;

    for (size_t i = 0; i < count; i++)
        VVI_TRY(want_named(source, names[i], err));
    for (size_t g = 0; g < tree->count && !count; g++)
        for (size_t v = 0; v < tree->groups[g].var_count; v++)
            tree->groups[g].vars[v].wanted = true;
    if (count)
        want_companions(tree);
    want_groups(tree, count == 0);
    choose_text(tree, text_as_bytes);
    return check_all(source, err);
}

/* ---- leaving out ------------------------------------------------------------------------------- */

static void drop_vars(vvi_group *group)
{
    size_t n = 0;

    for (size_t v = 0; v < group->var_count; v++)
        if (group->vars[v].wanted)
            group->vars[n++] = group->vars[v];
        else
            vvi_var_clear(&group->vars[v]);
    group->var_count = n;
}

/* Has a variable of the group, or of one below it, this dimension? */
static bool is_used(const vvi_tree *tree, const vvi_group *owner, const vvi_dim *dim)
{
    for (size_t g = 0; g < tree->count; g++)
        for (size_t v = 0; v < tree->groups[g].var_count; v++) {
            const vvi_group *group = &tree->groups[g];
            const vvi_var *var = &group->vars[v];

            for (uint32_t i = 0; i < var->ndim; i++) {
                const vvi_group *has = group;

                if (var->dims[i] && strcmp(var->dims[i], dim->name) == 0 &&
                    vvi_tree_resolve_dim(tree, group, var->dims[i], var->shape[i],
                                         &has) &&
                    has == owner)
                    return true;
            }
        }
    return false;
}

static void drop_dims(const vvi_tree *tree, vvi_group *group)
{
    for (size_t i = 0; i < group->dim_count;) {
        if (is_used(tree, group, &group->dims[i])) {
            i++;
            continue;
        }
        vvi_free(group->dims[i].name);
        group->dim_count--;
        memmove(&group->dims[i], &group->dims[i + 1],
                (group->dim_count - i) * sizeof(*group->dims));
    }
}

void vvi_plan_drop(vvi_source *source)
{
    vvi_tree *tree = &source->tree;
    size_t n = 0;

    for (size_t g = 0; g < tree->count; g++)
        if (tree->groups[g].wanted) {
            drop_vars(&tree->groups[g]);
            tree->groups[n++] = tree->groups[g];
        } else {
            vvi_group_clear(&tree->groups[g]);
        }
    tree->count = n;
    for (size_t g = 0; g < tree->count; g++)
        drop_dims(tree, &tree->groups[g]);
}
