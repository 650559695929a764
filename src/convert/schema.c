/* The schema by which a recorder would record a trajectory again. */
#include "convert/transfer.h"

#include "recorder/schema.h"
#include "util/alloc.h"
#include "util/buf.h"

static vv_status take_types(vv_traj *traj, size_t group, uint32_t leading,
                            vv_leaf_type *types, size_t count, vv_error *err)
{
    for (size_t i = 0; i < count; i++) {
        vv_traj_leaf leaf;

        VVI_TRY(vv_traj_leaf_at(traj, group, i, &leaf, err));
        if (leaf.ndim < leading)
            return vvi_fail(err, VV_ECORRUPT, "%s has no rows", leaf.name);
        types[i] = (vv_leaf_type){ .dtype = leaf.dtype,
                                   .item_size = leaf.dtype == VV_RAW ? leaf.item_size : 0,
                                   .ndim = leaf.ndim - leading,
                                   .shape = leaf.shape + leading,
                                   .units = leaf.units };
    }
    return VV_OK;
}

static vv_status add_group(vv_schema *schema, vv_traj *traj, size_t number, vv_error *err)
{
    const vv_traj_group *group = vv_traj_group_at(traj, number);
    uint32_t leading = group->kind == VV_TRAJ_ROWS     ? 1
                       : group->kind == VV_TRAJ_PLACED ? group->extent_ndim
                                                       : 0;
    vv_leaf_type *types;
    size_t made;
    vv_status status;

    if (group->kind == VV_TRAJ_UNKNOWN || !group->tree ||
        (group->kind == VV_TRAJ_ROWS && !group->every))
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "%s: the file does not say when it was logged", group->name);
    types = vvi_alloc_array_zero(group->leaf_count, sizeof(*types));
    if (!types)
        return vvi_fail_nomem(err, group->leaf_count * sizeof(*types));
    status = take_types(traj, number, leading, types, group->leaf_count, err);
    if (!status)
        status = vv_schema_add_group(schema, group->path, VV_EVERY(group->every), NULL,
                                     &made, err);
    if (!status)
        status = vv_schema_set_tree(schema, made, group->tree, types, group->leaf_count,
                                    err);
    if (!status) /* its functions are its writer's */
        schema->groups[made].custom = group->kind == VV_TRAJ_PLACED;
    vvi_free(types);
    return status;
}

/* The group that a leaf of the configuration is. */
static vv_status find_group(const vv_traj *traj, const char *leaf, size_t *out,
                            vv_error *err)
{
    vv_buf name = VV_BUF_INIT;
    vv_status status = vvi_buf_printf(&name, err, "group%s", leaf);

    if (!status)
        status = vvi_buf_terminate(&name, err);
    if (!status && !vv_traj_group_by_name(traj, (const char *)name.data, out))
        status = vvi_fail(err, VV_EUNSUPPORTED, "the file does not hold %s",
                          (const char *)name.data);
    vv_buf_clear(&name);
    return status;
}

static vv_status fill(vv_schema *schema, vv_traj *traj, vv_error *err)
{
    const vv_tree *config = vv_traj_get_info(traj)->config;

    if (!config)
        return vvi_fail(err, VV_EUNSUPPORTED, "the file has no readable configuration");
    for (size_t i = 0; i < vv_tree_leaf_count(config); i++) {
        size_t group;

        VVI_TRY(find_group(traj, vv_tree_leaf_name(config, i), &group, err));
        VVI_TRY(add_group(schema, traj, group, err));
    }
    return vv_schema_set_config(schema, config, err);
}

vv_status vv_traj_schema(vv_traj *traj, vv_schema **out, vv_error *err)
{
    vv_schema *schema = NULL;
    vv_status status = vv_schema_new(&schema, err);

    if (!status)
        status = fill(schema, traj, err);
    if (status)
        vv_schema_free(schema);
    else
        *out = schema;
    return status;
}
