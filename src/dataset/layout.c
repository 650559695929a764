#include "dataset/layout.h"

#include "util/base64.h"
#include "util/buf.h"

#include <string.h>

#define LAYOUT_VERSION 1

/* ---- making ------------------------------------------------------------------------------ */

vv_status vvi_attrs_to_json(const vvi_attrs *attrs, vv_dtype owner, vvi_json **out,
                            vv_error *err)
{
    vvi_json *object = vvi_json_new(VVI_JSON_OBJECT);
    vv_status status = object ? VV_OK : vvi_fail_nomem(err, 1);

    for (size_t i = 0; i < attrs->count && !status; i++) {
        vvi_json *value = NULL;
        vv_buf name = VV_BUF_INIT;

        status = vvi_attr_to_json(&attrs->items[i], owner, &value, err);
        if (!status)
            status = vvi_text_clean(vv_bytes_of(attrs->items[i].name), &name, err);
        if (!status)
            status = vvi_json_set(object, (const char *)name.data, value, err);
        else
            vvi_json_free(value);
        vv_buf_clear(&name);
    }
    if (status)
        vvi_json_free(object);
    else
        *out = object;
    return status;
}

/* Does value, read with that type, give attr again to the bit? */
static vv_status reads_back(const vvi_attr *attr, const vvi_json *value, vv_dtype owner,
                            const char *type, bool *out, vv_error *err)
{
    vvi_attrs back = { NULL, 0, 0 };
    vvi_attr *copy;
    vv_status status = vvi_attrs_add(&back, attr->name, &copy, err);

    if (!status)
        status = vvi_attr_from_json(copy, value, owner, type, err);
    if (!status)
        *out = vvi_attr_equal(attr, copy);
    vvi_attrs_clear(&back);
    return status;
}

/* Put a member into the object of that name within hints, which is made when it is missing. */
static vv_status set_hint(vvi_json *hints, const char *kind, const char *name,
                          vv_bytes text, vv_error *err)
{
    vvi_json *object = vvi_json_get(hints, kind);

    if (!object) {
        VVI_TRY(vvi_json_set(hints, kind, vvi_json_new(VVI_JSON_OBJECT), err));
        object = vvi_json_get(hints, kind);
    }
    return vvi_json_set(object, name, vvi_json_new_string(text), err);
}

static vv_status hint_raw(vvi_json *hints, const vvi_attr *attr, vv_error *err)
{
    vv_buf raw = VV_BUF_INIT;
    vv_buf text = VV_BUF_INIT;
    vv_status status = vvi_attr_raw(attr, &raw, err);

    if (!status)
        status = vvi_base64_encode(vvi_buf_bytes(&raw), &text, err);
    if (!status)
        status = set_hint(hints, "raw", attr->name, vvi_buf_bytes(&text), err);
    vv_buf_clear(&text);
    vv_buf_clear(&raw);
    return status;
}

static vv_status hint_attr(vvi_json *hints, const vvi_attr *attr, vv_dtype owner,
                           vv_error *err)
{
    const char *type = vvi_attr_type_name(attr);
    vvi_json *value = NULL;
    bool same = false;
    vv_status status = vvi_attr_to_json(attr, owner, &value, err);

    if (!status)
        status = reads_back(attr, value, owner, NULL, &same, err);
    if (!status && !same) {
        status = set_hint(hints, "types", attr->name, vv_bytes_of(type), err);
        if (!status)
            status = reads_back(attr, value, owner, type, &same, err);
        if (!status && !same)
            status = hint_raw(hints, attr, err);
    }
    vvi_json_free(value);
    return status;
}

static vv_status hint_attrs(vvi_json *hints, const vvi_attrs *attrs, vv_dtype owner,
                            vv_error *err)
{
    for (size_t i = 0; i < attrs->count; i++)
        VVI_TRY(hint_attr(hints, &attrs->items[i], owner, err));
    return VV_OK;
}

static vv_status add_dims(vvi_json *layout, const vvi_group *group, vv_error *err)
{
    vvi_json *list = vvi_json_new(VVI_JSON_ARRAY);

    VVI_TRY(vvi_json_set(layout, "dimensions", list, err));
    for (size_t i = 0; i < group->dim_count; i++) {
        const vvi_dim *dim = &group->dims[i];
        vvi_json *item = vvi_json_new(VVI_JSON_OBJECT);

        VVI_TRY(vvi_json_append(list, item, err));
        VVI_TRY(vvi_json_set(item, "name", vvi_json_new_text(dim->name), err));
        VVI_TRY(vvi_json_set(item, "length", vvi_json_new_uint64(dim->length), err));
        if (dim->unlimited)
            VVI_TRY(vvi_json_set(item, "unlimited", vvi_json_new_bool(true), err));
    }
    return VV_OK;
}

/* What an array of strings does not say: the dimension that their chars lie along, and their
 * _FillValue, which xarray would refuse beside strings. */
static vv_status add_string(vvi_json *item, const vvi_var *var, vv_error *err)
{
    const vvi_attr *fill = vvi_attrs_find(&var->attrs, "_FillValue");

    if (var->ndim)
        VVI_TRY(vvi_json_set(item, "string_dimension",
                             vvi_json_new_text(var->dims[var->ndim - 1]), err));
    if (fill && fill->kind == VVI_ATTR_TEXT && fill->count == 1)
        return vvi_json_set(item, "fill", vvi_json_new_int64(fill->data[0]), err);
    return VV_OK;
}

static vv_status add_vars(vvi_json *layout, const vvi_group *group, vv_error *err)
{
    vvi_json *list = vvi_json_new(VVI_JSON_ARRAY);

    VVI_TRY(vvi_json_set(layout, "variables", list, err));
    for (size_t i = 0; i < group->var_count; i++) {
        const vvi_var *var = &group->vars[i];
        vvi_json *item;

        if (!var->wanted)
            continue;
        item = vvi_json_new(VVI_JSON_OBJECT);
        VVI_TRY(vvi_json_append(list, item, err));
        VVI_TRY(vvi_json_set(item, "name", vvi_json_new_text(var->name), err));
        if (var->text)
            VVI_TRY(vvi_json_set(item, "type", vvi_json_new_text("char"), err));
        if (var->fixed)
            VVI_TRY(add_string(item, var, err));
        VVI_TRY(hint_attrs(item, &var->attrs, var->dtype, err));
    }
    return VV_OK;
}

/* The names of the groups directly below that are wanted, in their order. */
static vv_status add_groups(vvi_json *layout, const vvi_tree *tree,
                            const vvi_group *group, vv_error *err)
{
    vvi_json *list = vvi_json_new(VVI_JSON_ARRAY);

    VVI_TRY(vvi_json_set(layout, "groups", list, err));
    for (size_t g = 1; g < tree->count; g++) {
        const vvi_group *child = &tree->groups[g];
        const char *slash = strrchr(child->path, '/');

        if (child->wanted && vvi_tree_parent(tree, child) == group)
            VVI_TRY(vvi_json_append(
                list, vvi_json_new_text(slash ? slash + 1 : child->path), err));
    }
    return VV_OK;
}

vv_status vvi_layout_make(const vvi_tree *tree, const vvi_group *group, vvi_json **out,
                          vv_error *err)
{
    vvi_json *layout = vvi_json_new(VVI_JSON_OBJECT);
    vv_status status = layout ? VV_OK : vvi_fail_nomem(err, 1);

    if (!status)
        status = vvi_json_set(layout, "version", vvi_json_new_int64(LAYOUT_VERSION), err);
    if (!status)
        status = add_dims(layout, group, err);
    if (!status)
        status = hint_attrs(layout, &group->attrs, VV_DTYPE_NONE, err);
    if (!status)
        status = add_vars(layout, group, err);
    if (!status)
        status = add_groups(layout, tree, group, err);
    if (status)
        vvi_json_free(layout);
    else
        *out = layout;
    return status;
}

/* ---- reading ----------------------------------------------------------------------------- */

const vvi_json *vvi_layout_find(const vvi_json *attributes)
{
    const vvi_json *layout = vvi_json_get(attributes, VVI_LAYOUT_NAME);
    int64_t version;

    if (!vvi_json_int64(vvi_json_get(layout, "version"), &version) ||
        version != LAYOUT_VERSION)
        return NULL;
    return layout;
}

const vvi_json *vvi_layout_variable(const vvi_json *layout, const char *name,
                                    size_t *place)
{
    const vvi_json *list = vvi_json_get(layout, "variables");
    size_t i = 0;

    for (const vvi_json *item = vvi_json_first(list); item;
         item = vvi_json_next(item), i++)
        if (vvi_json_is_text(vvi_json_get(item, "name"), name)) {
            *place = i;
            return item;
        }
    return NULL;
}

vv_status vvi_layout_dims(const vvi_json *layout, vvi_group *group, vv_error *err)
{
    const vvi_json *list = vvi_json_get(layout, "dimensions");

    for (const vvi_json *item = vvi_json_first(list); item; item = vvi_json_next(item)) {
        const char *name = vvi_json_text(vvi_json_get(item, "name"), NULL);
        bool unlimited = false;
        uint64_t length;

        vvi_json_bool(vvi_json_get(item, "unlimited"), &unlimited);
        if (name && vvi_json_uint64(vvi_json_get(item, "length"), &length) &&
            !vvi_group_find_dim(group, name))
            VVI_TRY(vvi_group_add_dim(group, name, length, unlimited, err));
    }
    return VV_OK;
}

/* Is the JSON of attr still what value says, so that its raw bytes still stand for it? */
static vv_status still_says(const vvi_attr *attr, vv_dtype owner, const vvi_json *value,
                            bool *out, vv_error *err)
{
    vvi_json *again = NULL;
    vv_buf a = VV_BUF_INIT;
    vv_buf b = VV_BUF_INIT;
    vv_status status = vvi_attr_to_json(attr, owner, &again, err);

    if (!status)
        status = vvi_json_write(again, 0, &a, err);
    if (!status)
        status = vvi_json_write(value, 0, &b, err);
    if (!status)
        *out = vvi_bytes_equal(vvi_buf_bytes(&a), vvi_buf_bytes(&b));
    vv_buf_clear(&b);
    vv_buf_clear(&a);
    vvi_json_free(again);
    return status;
}

static vv_status take_raw(vvi_attr *attr, const vvi_json *value, vv_dtype owner,
                          const char *type, const vvi_json *raw, bool *done,
                          vv_error *err)
{
    size_t len;
    const char *text = vvi_json_text(raw, &len);
    vv_buf bytes = VV_BUF_INIT;
    vv_status status;

    *done = false;
    if (!text || !type)
        return VV_OK;
    status = vvi_base64_decode(text, len, &bytes, err);
    if (!status)
        status = vvi_attr_set_raw(attr, type, vvi_buf_bytes(&bytes), err);
    if (!status)
        status = still_says(attr, owner, value, done, err);
    if (status == VV_ECORRUPT)
        status = VV_OK; /* a hint that is no use: the JSON value stands */
    vv_buf_clear(&bytes);
    return status;
}

vv_status vvi_attrs_from_json(vvi_attrs *attrs, const vvi_json *object, vv_dtype owner,
                              const vvi_json *hints, vv_error *err)
{
    for (const vvi_json *value = vvi_json_first(object); value;
         value = vvi_json_next(value)) {
        const char *name = vvi_json_name(value);
        const char *type = vvi_json_text(vvi_json_get(vvi_json_get(hints, "types"), name),
                                         NULL);
        const vvi_json *raw = vvi_json_get(vvi_json_get(hints, "raw"), name);
        vvi_attr *attr;
        bool done;

        if (owner == VV_DTYPE_NONE && strcmp(name, VVI_LAYOUT_NAME) == 0)
            continue;
        VVI_TRY(vvi_attrs_add(attrs, name, &attr, err));
        VVI_TRY(take_raw(attr, value, owner, type, raw, &done, err));
        if (!done)
            VVI_TRY(vvi_attr_from_json(attr, value, owner, type, err));
    }
    return VV_OK;
}
