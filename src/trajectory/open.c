/* Opening: groups, the names of leaves, trees. */
#include "trajectory/trajectory.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

/* A pickle or a list of names may be so long. */
#define TEXT_MAX ((uint64_t)256 << 20)

/* ---- pieces -------------------------------------------------------------------------------- */

vv_status vvi_traj_read_text(const vv_traj *traj, const vvi_h5_object *object,
                             const char *name, vv_buf *out, vv_error *err)
{
    vvi_h5_attribute attribute;

    VVI_TRY(vvi_h5_attribute_read(traj->file, object, name, &attribute, err));
    if (attribute.type.kind != VVI_H5_FIXED_TEXT &&
        attribute.type.kind != VVI_H5_VARIABLE_TEXT) {
        vv_buf_clear(&attribute.value);
        return vvi_fail(err, VV_ECORRUPT, "attribute '%s' is no text", name);
    }
    vvi_buf_move(out, &attribute.value);
    return VV_OK;
}

vv_status vvi_traj_read_small(const vv_traj *traj, uint64_t group, const char *name,
                              vv_buf *out, vvi_h5_type *type, vv_error *err)
{
    const vvi_h5_dataset_info *info;
    vvi_h5_dataset *dataset = NULL;
    uint64_t address;
    vv_status status = vvi_h5_find(traj->file, group, name, &address, err);

    if (!status)
        status = vvi_h5_dataset_open(traj->file, address, &dataset, err);
    if (status)
        return vvi_wrap(err, status, "'%s'", name);
    info = vvi_h5_dataset_get_info(dataset);
    *type = info->type;
    if (info->space.is_null || info->space.rank > 1 || info->type.item > TEXT_MAX ||
        (info->space.rank && info->space.dims[0] > TEXT_MAX / info->type.item))
        status = vvi_fail(err, VV_ECORRUPT, "'%s' is no text and no number", name);
    if (!status) {
        uint64_t count = info->space.rank ? info->space.dims[0] : 1;
        uint64_t start = 0;
        size_t bytes = (size_t)(count * info->type.item);

        status = vvi_buf_reserve(out, bytes, err);
        if (!status)
            status = vvi_h5_read(dataset, &start, &count, NULL, out->data, bytes, err);
        if (!status)
            out->len = bytes;
        else
            vvi_wrap(err, status, "'%s'", name);
    }
    vvi_h5_dataset_free(dataset);
    return status;
}

/* The pickle in a data set of a group; or, as earlier files have it, in an attribute. */
static vv_status read_pickle(const vv_traj *traj, const vvi_h5_object *object,
                             const char *name, vv_buf *out, vv_error *err)
{
    vvi_h5_attribute attribute;
    vvi_h5_type type;
    vv_status status = vvi_traj_read_small(traj, object->address, name, out, &type, err);

    if (status != VV_ENOTFOUND)
        return status;
    VVI_TRY(vvi_h5_attribute_read(traj->file, object, name, &attribute, err));
    vvi_buf_move(out, &attribute.value);
    return VV_OK;
}

/* A tree, and why there is none. Running out of memory is the only failure. */
static vv_status read_tree(const vv_traj *traj, const vvi_h5_object *object,
                           const char *name, vv_tree **out, char **problem, vv_error *err)
{
    vv_error why = VV_ERROR_INIT;
    vv_buf pickle = VV_BUF_INIT;
    vv_status status = read_pickle(traj, object, name, &pickle, &why);

    if (!status)
        status = vv_tree_from_pickle(vvi_buf_bytes(&pickle), out, &why);
    vv_buf_clear(&pickle);
    if (status == VV_ENOMEM)
        return vvi_fail(err, status, "%s", why.message);
    if (!status)
        return VV_OK;
    *problem = vvi_strdup(why.message);
    return *problem ? VV_OK : vvi_fail_nomem(err, strlen(why.message));
}

/* An attribute that is a JSON list of texts. */
static vv_status read_names(const vv_traj *traj, const vvi_h5_object *object,
                            const char *name, vvi_json **out, vv_error *err)
{
    vv_buf text = VV_BUF_INIT;
    vv_status status = vvi_traj_read_text(traj, object, name, &text, err);

    if (!status) {
        status = vvi_json_parse(vvi_buf_bytes(&text), out, err);
        if (status)
            vvi_wrap(err, status, "attribute '%s'", name);
    }
    vv_buf_clear(&text);
    if (status)
        return status;
    if (!vvi_json_is(*out, VVI_JSON_ARRAY))
        return vvi_fail(err, VV_ECORRUPT, "attribute '%s' is no list", name);
    for (const vvi_json *item = vvi_json_first(*out); item; item = vvi_json_next(item)) {
        size_t len;
        const char *one = vvi_json_text(item, &len);

        if (!one || strlen(one) != len)
            return vvi_fail(err, VV_ECORRUPT, "attribute '%s' is no list of names", name);
    }
    return VV_OK;
}

/* ---- groups -------------------------------------------------------------------------------- */

vv_status vvi_traj_list_leaves(vvi_traj_group *group, vvi_json *names, vv_error *err)
{
    size_t count = vvi_json_count(names);
    size_t i = 0;

    group->paths = names;
    group->leaves = vvi_alloc_array_zero(count, sizeof(*group->leaves));
    if (!group->leaves)
        return vvi_fail_nomem(err, count * sizeof(*group->leaves));
    for (const vvi_json *item = vvi_json_first(group->paths); item;
         item = vvi_json_next(item))
        group->leaves[i++].name = vvi_json_text(item, NULL);
    group->public.leaf_count = count;
    return VV_OK;
}

/* Give the tree's fields the names that stand in the list; a tree that does not fit it is none. */
static vv_status name_tree(vvi_traj_group *group, vv_error *err)
{
    vv_error why = VV_ERROR_INIT;
    vv_buf names = VV_BUF_INIT;
    vv_status status = vvi_json_write(group->paths, 0, &names, err);

    if (!status)
        status = vvi_buf_terminate(&names, err);
    if (!status && vv_tree_leaf_count(group->tree) != group->public.leaf_count) {
        status = VV_ECORRUPT;
        vvi_fail(&why, status, "a tree of %zu leaves, and %zu names",
                 vv_tree_leaf_count(group->tree), group->public.leaf_count);
    }
    if (!status)
        status = vv_tree_set_names(group->tree, (const char *)names.data, "array", &why);
    vv_buf_clear(&names);
    if (status != VV_ECORRUPT)
        return status;
    vv_tree_free(group->tree);
    group->tree = NULL;
    group->problem = vvi_strdup(why.message);
    return group->problem ? VV_OK : vvi_fail_nomem(err, strlen(why.message));
}

static vv_status read_group(const vv_traj *traj, vvi_traj_group *group,
                            const vvi_h5_object *object, vv_error *err)
{
    vvi_json *names = NULL;
    vv_status status = vvi_traj_read_text(traj, object, "data_class_name",
                                          &group->class_name, err);

    if (status && status != VV_ENOTFOUND)
        return status;
    status = read_names(traj, object, "paths", &names, err);
    if (status) {
        vvi_json_free(names);
        return status;
    }
    VVI_TRY(vvi_traj_list_leaves(group, names, err));
    VVI_TRY(read_tree(traj, object, "tree_def", &group->tree, &group->problem, err));
    return group->tree ? name_tree(group, err) : VV_OK;
}

vv_status vvi_traj_place_group(const vv_traj *traj, const char *name,
                               vvi_traj_group *group, vv_error *err)
{
    group->address = VVI_H5_NONE;
    group->name = vvi_strdup(name);
    if (!group->name)
        return vvi_fail_nomem(err, strlen(name));
    group->public.name = group->name;
    return vvi_h5_find(traj->file, vvi_h5_get_info(traj->file)->root, name,
                       &group->address, err);
}

/* What is wrong with one group is said of it, and the others are there. */
static vv_status open_group(vv_traj *traj, const char *name, vvi_traj_group *group,
                            vv_error *err)
{
    vv_error why = VV_ERROR_INIT;
    vvi_h5_object object;
    vv_status status = vvi_traj_place_group(traj, name, group, &why);

    if (!status)
        status = vvi_h5_object_read(traj->file, group->address, &object, &why);
    if (!status) {
        status = read_group(traj, group, &object, &why);
        vvi_h5_object_clear(&object);
    }
    if (status == VV_ENOMEM || status == VV_EIO)
        return vvi_fail(err, status, "%s", why.message);
    if (status && !group->problem && !(group->problem = vvi_strdup(why.message)))
        return vvi_fail_nomem(err, strlen(why.message));
    group->public.class_name = (const char *)group->class_name.data;
    group->public.tree = group->tree;
    group->public.problem = group->problem;
    return VV_OK;
}

static vv_status open_groups(vv_traj *traj, const vvi_json *names, vv_error *err)
{
    size_t count = vvi_json_count(names);

    traj->groups = vvi_alloc_array_zero(count, sizeof(*traj->groups));
    if (!traj->groups)
        return vvi_fail_nomem(err, count * sizeof(*traj->groups));
    for (const vvi_json *item = vvi_json_first(names); item; item = vvi_json_next(item)) {
        vvi_traj_group *group = &traj->groups[traj->info.group_count++];
        vv_status status = open_group(traj, vvi_json_text(item, NULL), group, err);

        if (status)
            return vvi_wrap(err, status, "%s", group->name ? group->name : "a group");
    }
    return VV_OK;
}

/* ---- the file ------------------------------------------------------------------------------ */

/* An integer of any kind, as the caller's step was. */
static vv_status read_steps(vv_traj *traj, const vvi_h5_object *root, vv_error *err)
{
    vvi_h5_attribute attribute;
    vv_status status = vvi_h5_attribute_read(traj->file, root, "actual_steps", &attribute,
                                             err);
    uint64_t number = 0;

    if (status)
        return status == VV_ENOTFOUND ? VV_OK : status;
    if (attribute.type.kind == VVI_H5_NUMBER && !attribute.type.big_endian &&
        (attribute.type.dtype.kind == VVI_KIND_INT ||
         attribute.type.dtype.kind == VVI_KIND_UINT) &&
        attribute.value.len == attribute.type.item) {
        if (attribute.type.is_signed &&
            attribute.value.data[attribute.value.len - 1] >= 0x80)
            number = UINT64_MAX;
        for (size_t i = attribute.value.len; i-- > 0;)
            number = number << 8 | attribute.value.data[i];
        traj->info.has_actual_steps = true;
        traj->info.actual_steps = (int64_t)number;
    }
    vv_buf_clear(&attribute.value);
    return VV_OK;
}

static void describe_file(vv_traj *traj)
{
    const vvi_h5_info *info;

    if (!traj->file) {
        traj->info.file_bytes = vvi_dcd_get_info(traj->dcd)->size;
        return;
    }
    info = vvi_h5_get_info(traj->file);
    traj->info.is_open = info->flags != 0;
    traj->info.file_bytes = info->size;
}

static void clear_groups(vv_traj *traj);

/* From what kUPS writes. */
static vv_status read_attributes(vv_traj *traj, const vvi_h5_object *root, vv_error *err)
{
    vvi_json *names = NULL;
    vv_status status;

    traj->info.format = "kUPS";
    VVI_TRY(read_tree(traj, root, "config_pytree", &traj->config, &traj->config_problem,
                      err));
    status = read_names(traj, root, "group_names", &names, err);
    if (status == VV_ENOTFOUND)
        status = vvi_wrap(err, VV_ECORRUPT, "no trajectory");
    if (!status)
        status = open_groups(traj, names, err);
    vvi_json_free(names);
    traj->info.config = traj->config;
    traj->info.config_problem = traj->config_problem;
    return status;
}

/* From the recorder's schema. What cannot be read of it leaves the attributes, which are there too. */
static vv_status read_recording(vv_traj *traj, vv_error *err)
{
    vv_error why = VV_ERROR_INIT;
    vv_status status = vvi_traj_read_schema(traj, &why);

    if (!status)
        return VV_OK;
    clear_groups(traj);
    vv_tree_free(traj->config);
    traj->config = NULL;
    if (status == VV_ENOMEM || status == VV_EIO || status == VV_EUNSUPPORTED)
        return vvi_fail(err, status, "%s", why.message);
    if (status != VV_ENOTFOUND) {
        traj->schema_problem = vvi_strdup(why.message);
        traj->info.schema_problem = traj->schema_problem;
        if (!traj->schema_problem)
            return vvi_fail_nomem(err, strlen(why.message));
    }
    return VV_ENOTFOUND;
}

vv_status vvi_traj_has(const vv_traj *traj, uint64_t group, const char *name, bool *there,
                       vv_error *err)
{
    uint64_t address;
    vv_status status = vvi_h5_find(traj->file, group, name, &address, err);

    *there = status == VV_OK;
    return status == VV_ENOMEM || status == VV_EIO ? status : VV_OK;
}

/* From what is neither a recording nor kUPS's. */
static vv_status read_other(vv_traj *traj, const vvi_h5_object *root, vv_error *err)
{
    bool is_h5md;

    VVI_TRY(vvi_traj_has(traj, vvi_h5_get_info(traj->file)->root, "h5md", &is_h5md, err));
    return is_h5md ? vvi_traj_read_h5md(traj, err) : read_attributes(traj, root, err);
}

static vv_status read_root(vv_traj *traj, const vvi_h5_object *root, vv_error *err)
{
    vv_status status = vvi_traj_read_text(traj, root, "config_class_name",
                                          &traj->config_class, err);

    if (status && status != VV_ENOTFOUND)
        return status;
    traj->info.config_class = (const char *)traj->config_class.data;
    VVI_TRY(read_steps(traj, root, err));
    traj->info.format = "recording";
    status = read_recording(traj, err);
    if (status == VV_ENOTFOUND)
        status = read_other(traj, root, err);
    if (!status)
        status = vvi_traj_make_paths(traj, err);
    return status ? status : vvi_traj_load_rows(traj, err);
}

/* The root group, once. */
static vv_status read_file(vv_traj *traj, vv_error *err)
{
    vvi_h5_object root;

    describe_file(traj);
    if (traj->dcd) {
        VVI_TRY(vvi_traj_read_dcd(traj, err));
        return vvi_traj_make_paths(traj, err);
    }
    VVI_TRY(
        vvi_h5_object_read(traj->file, vvi_h5_get_info(traj->file)->root, &root, err));
    vv_status status = read_root(traj, &root, err);

    vvi_h5_object_clear(&root);
    return status;
}

/* What is no HDF5 file may be a DCD file; what is neither is told of as no HDF5 file. */
static vv_status open_file(vv_traj *traj, vv_error *err)
{
    vv_error why = VV_ERROR_INIT;
    vv_status status = vvi_h5_open(traj->path, &traj->file, err);
    vv_status other;

    if (status != VV_ECORRUPT && status != VV_EUNSUPPORTED)
        return status;
    other = vvi_dcd_open(traj->path, &traj->dcd, &why);
    if (other == VV_EUNSUPPORTED)
        return status;
    return other ? vvi_fail(err, other, "%s: %s", traj->path, why.message) : VV_OK;
}

/* Open and read it, once. */
static vv_status try_open(const char *path, vv_traj **out, bool *is_open, vv_error *err)
{
    vv_traj *traj = vvi_alloc_zero(sizeof(*traj));
    vv_status status;

    if (!traj)
        return vvi_fail_nomem(err, sizeof(*traj));
    status = vvi_mutex_init(&traj->lock, err);
    if (status) {
        vvi_free(traj);
        return status;
    }
    traj->path = vvi_strdup(path);
    status = traj->path ? open_file(traj, err) : vvi_fail_nomem(err, strlen(path));
    if (!status) {
        status = read_file(traj, err);
        if (status)
            vvi_wrap(err, status, "%s", path);
    }
    *is_open = traj->info.is_open;
    if (status)
        vv_traj_close(traj);
    else
        *out = traj;
    return status;
}

vv_status vv_traj_open(const char *path, vv_traj **out, vv_error *err)
{
    bool is_open = false;
    vv_status status;

    for (unsigned i = 0;; i++) {
        status = try_open(path, out, &is_open, err);
        if (!vvi_traj_try_again(is_open, status, i))
            return status;
    }
}

static void clear_group(vvi_traj_group *group)
{
    for (size_t i = 0; i < group->public.leaf_count; i++) {
        vvi_h5_dataset_free(group->leaves[i].dataset);
        vvi_free(group->leaves[i].filters);
        vvi_free(group->leaves[i].at);
        vvi_free(group->leaves[i].units);
        vvi_free(group->leaves[i].path);
        vvi_json_free(group->leaves[i].said_shape);
    }
    vvi_traj_drop_rows(group);
    vvi_free(group->leaves);
    vvi_json_free(group->paths);
    vv_buf_clear(&group->class_name);
    vv_tree_free(group->tree);
    vvi_free(group->name);
    vvi_free(group->path);
    vvi_free(group->problem);
}

static void clear_groups(vv_traj *traj)
{
    for (size_t i = 0; i < traj->info.group_count; i++)
        clear_group(&traj->groups[i]);
    vvi_free(traj->groups);
    traj->groups = NULL;
    traj->info.group_count = 0;
}

void vv_traj_close(vv_traj *traj)
{
    if (!traj)
        return;
    clear_groups(traj);
    vv_buf_clear(&traj->config_class);
    vv_tree_free(traj->config);
    vvi_free(traj->config_problem);
    vvi_free(traj->schema_problem);
    vvi_h5_close(traj->file);
    vvi_dcd_close(traj->dcd);
    vvi_free(traj->path);
    vvi_mutex_clear(&traj->lock);
    vvi_free(traj);
}

const vv_traj_info *vv_traj_get_info(const vv_traj *traj)
{
    return &traj->info;
}

const vv_traj_group *vv_traj_group_at(const vv_traj *traj, size_t group)
{
    return group < traj->info.group_count ? &traj->groups[group].public : NULL;
}

bool vv_traj_group_by_name(const vv_traj *traj, const char *name, size_t *group)
{
    for (size_t i = 0; i < traj->info.group_count; i++)
        if (strcmp(traj->groups[i].name, name) == 0) {
            *group = i;
            return true;
        }
    return false;
}

static vv_status refresh_once(vv_traj *traj, vv_error *err)
{
    vvi_h5_object root;
    vv_status status;

    if (traj->dcd)
        return vvi_traj_refresh_dcd(traj, err);
    VVI_TRY(vvi_h5_refresh(traj->file, err));
    describe_file(traj);
    for (size_t g = 0; g < traj->info.group_count; g++)
        for (size_t i = 0; i < traj->groups[g].public.leaf_count; i++) {
            vvi_traj_leaf *leaf = &traj->groups[g].leaves[i];

            vvi_h5_dataset_free(leaf->dataset);
            leaf->dataset = NULL;
        }
    VVI_TRY(
        vvi_h5_object_read(traj->file, vvi_h5_get_info(traj->file)->root, &root, err));
    status = read_steps(traj, &root, err);
    vvi_h5_object_clear(&root);
    return status ? status : vvi_traj_load_rows(traj, err);
}

vv_status vv_traj_refresh(vv_traj *traj, vv_error *err)
{
    vv_status status;

    for (unsigned i = 0;; i++) {
        status = refresh_once(traj, err);
        if (!vvi_traj_try_again(traj->info.is_open, status, i))
            return status;
    }
}
