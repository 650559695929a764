/* The schema that a recording keeps: what its groups and leaves are, as JSON. */
#include "trajectory/trajectory.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

static vv_status bad(vv_error *err, const char *what)
{
    return vvi_fail(err, VV_ECORRUPT, "%s: %s", "varvite_schema", what);
}

/* A tree that stands in the schema. */
static vv_status read_tree(const vvi_json *value, vv_tree **out, vv_error *err)
{
    vv_buf text = VV_BUF_INIT;
    vv_status status = vvi_json_write(value, 0, &text, err);

    if (!status)
        status = vvi_buf_terminate(&text, err);
    if (!status)
        status = vv_tree_from_json((const char *)text.data, out, err);
    vv_buf_clear(&text);
    return status == VV_EINVAL || status == VV_ELIMIT ? VV_ECORRUPT : status;
}

/* "once", {"once": …}, {"every": n}, {"placed": [extent]}. */
static vv_status read_frequency(const vvi_json *value, vvi_traj_group *group,
                                vv_error *err)
{
    const vvi_json *placed = vvi_json_get(value, "placed");
    const vvi_json *every = vvi_json_get(value, "every");
    uint32_t n = 0;

    group->public.kind = VV_TRAJ_ROWS;
    if (vvi_json_is_text(value, "once") || vvi_json_get(value, "once")) {
        group->public.kind = VV_TRAJ_ONCE;
        return VV_OK;
    }
    if (every)
        return vvi_json_uint64(every, &group->public.every)
                   ? VV_OK
                   : bad(err, "a frequency that is no number of steps");
    if (!vvi_json_is(placed, VVI_JSON_ARRAY))
        return bad(err, "a group without a frequency");
    group->public.kind = VV_TRAJ_PLACED;
    for (const vvi_json *at = vvi_json_first(placed); at; at = vvi_json_next(at))
        if (n == VV_TRAJ_NDIM_MAX || !vvi_json_uint64(at, &group->extent[n++]))
            return bad(err, "an extent that is none");
    group->public.extent_ndim = n;
    group->public.extent = group->extent;
    return VV_OK;
}

static vv_status read_leaves(const vvi_json *leaves, vvi_traj_group *group, vv_error *err)
{
    vvi_json *names = vvi_json_new(VVI_JSON_ARRAY);
    vv_status status = names ? VV_OK : vvi_fail_nomem(err, sizeof(void *));
    size_t i = 0;

    for (const vvi_json *at = vvi_json_first(leaves); at && !status;
         at = vvi_json_next(at)) {
        size_t len;
        const char *name = vvi_json_text(vvi_json_get(at, "name"), &len);

        status = name && strlen(name) == len
                     ? vvi_json_append(names, vvi_json_new_text(name), err)
                     : bad(err, "a leaf without a name");
    }
    if (status) {
        vvi_json_free(names);
        return status;
    }
    VVI_TRY(vvi_traj_list_leaves(group, names, err));
    for (const vvi_json *at = vvi_json_first(leaves); at; at = vvi_json_next(at)) {
        const char *dtype = vvi_json_text(vvi_json_get(at, "dtype"), NULL);

        const vvi_json *shape = vvi_json_get(at, "shape");
        vvi_traj_leaf *leaf = &group->leaves[i++];

        leaf->said = dtype ? vv_dtype_by_name(dtype) : VV_DTYPE_NONE;
        if (vvi_json_is(shape, VVI_JSON_ARRAY))
            VVI_TRY(vvi_json_copy(shape, &leaf->said_shape, err));
    }
    return VV_OK;
}

static vv_status read_group(vv_traj *traj, const vvi_json *value, vvi_traj_group *group,
                            vv_error *err)
{
    const char *name = vvi_json_text(vvi_json_get(value, "name"), NULL);
    const vvi_json *leaves = vvi_json_get(value, "leaves");

    if (!name || !vvi_json_is(leaves, VVI_JSON_ARRAY))
        return bad(err, "a group without a name or leaves");
    VVI_TRY(vvi_traj_place_group(traj, name, group, err));
    VVI_TRY(read_frequency(vvi_json_get(value, "frequency"), group, err));
    VVI_TRY(read_leaves(leaves, group, err));
    VVI_TRY(read_tree(vvi_json_get(value, "tree"), &group->tree, err));
    if (vv_tree_leaf_count(group->tree) != group->public.leaf_count)
        return bad(err, "a tree of another number of leaves than are named");
    group->class_name.len = 0;
    group->public.tree = group->tree;
    if (!vv_tree_class_name(group->tree))
        return VV_OK;
    VVI_TRY(
        vvi_buf_append_text(&group->class_name, vv_tree_class_name(group->tree), err));
    VVI_TRY(vvi_buf_terminate(&group->class_name, err));
    group->public.class_name = (const char *)group->class_name.data;
    return VV_OK;
}

static vv_status read_document(vv_traj *traj, const vvi_json *document, vv_error *err)
{
    const vvi_json *groups = vvi_json_get(document, "groups");
    uint64_t version;

    if (!vvi_json_uint64(vvi_json_get(document, "varvite_recording"), &version))
        return bad(err, "it says no version");
    if (version != 1)
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "a recording of version %" PRIu64 "; this build knows 1",
                        version);
    if (!vvi_json_is(groups, VVI_JSON_ARRAY))
        return bad(err, "no groups");
    VVI_TRY(read_tree(vvi_json_get(document, "config"), &traj->config, err));
    traj->groups = vvi_alloc_array_zero(vvi_json_count(groups), sizeof(*traj->groups));
    if (!traj->groups)
        return vvi_fail_nomem(err, vvi_json_count(groups) * sizeof(*traj->groups));
    for (const vvi_json *at = vvi_json_first(groups); at; at = vvi_json_next(at)) {
        vvi_traj_group *group = &traj->groups[traj->info.group_count++];
        vv_status status = read_group(traj, at, group, err);

        if (status)
            return vvi_wrap(err, status, "%s", group->name ? group->name : "a group");
    }
    traj->info.config = traj->config;
    traj->info.is_recording = true;
    return VV_OK;
}

vv_status vvi_traj_read_schema(vv_traj *traj, vv_error *err)
{
    vv_buf text = VV_BUF_INIT;
    vvi_json *document = NULL;
    vvi_h5_type type;
    vv_status status = vvi_traj_read_small(traj, vvi_h5_get_info(traj->file)->root,
                                           "varvite_schema", &text, &type, err);

    if (!status) {
        while (text.len && !text.data[text.len - 1]) /* a text of a fixed length */
            text.len--;
        status = vvi_json_parse(vvi_buf_bytes(&text), &document, err);
        if (status)
            vvi_wrap(err, status, "varvite_schema");
    }
    vv_buf_clear(&text);
    if (!status)
        status = read_document(traj, document, err);
    vvi_json_free(document);
    return status;
}
