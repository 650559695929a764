/* The paths of a plan: its groups first, then in each group what the recorder puts there, then the leaves. */
#include "recorder/zarr_names.h"

#include "util/alloc.h"

#include <string.h>

/* Numbers of nodes; paths are taken of them when there are no more to come. */
typedef struct places {
    size_t *groups, *written;
    size_t **leaves;
} places;

static vv_status place_group(vvi_tree_paths *paths, const vvi_plan_group *group,
                             size_t node, size_t *leaves, size_t *written, vv_error *err)
{
    size_t count = group->leaf_count;

    if (group->kind == VVI_GROUP_PLACED)
        VVI_TRY(vvi_tree_paths_own(paths, node, VVI_ZARR_WRITTEN, written, err));
    /* They stand last, and are named first. What was not recorded by us has none. */
    if (count && strcmp(group->leaves[count - 1].name, VVI_PLAN_STEPS) == 0) {
        count--;
        VVI_TRY(vvi_tree_paths_own(paths, node, VVI_PLAN_STEPS, &leaves[count], err));
    }
    for (size_t i = 0; i < count; i++)
        VVI_TRY(vvi_tree_paths_leaf(paths, node, group->leaves[i].name, &leaves[i], err));
    return VV_OK;
}

static vv_status place_all(vvi_tree_paths *paths, const vvi_plan *plan, places *at,
                           vv_error *err)
{
    /* Groups first, so that none has to give way to a leaf. */
    for (size_t g = 0; g < plan->group_count; g++)
        VVI_TRY(vvi_tree_paths_follow(paths, VVI_PATH_TOP, plan->groups[g].name,
                                      &at->groups[g], err));
    for (size_t g = 0; g < plan->group_count; g++)
        VVI_TRY(place_group(paths, &plan->groups[g], at->groups[g], at->leaves[g],
                            &at->written[g], err));
    return VV_OK;
}

/* inner has a place for each node; those that are a group or a leaf are taken out of it. */
static const char *take_path(vvi_zarr_names *names, size_t node)
{
    if (node != VVI_PATH_TOP)
        names->inner[node] = NULL;
    return vvi_tree_paths_text(&names->paths, node);
}

static void take_paths(vvi_zarr_names *names, const vvi_plan *plan, const places *at)
{
    size_t count = 0;

    for (size_t i = 0; i < names->paths.count; i++)
        names->inner[i] = vvi_tree_paths_text(&names->paths, i);
    for (size_t g = 0; g < plan->group_count; g++) {
        names->groups[g] = take_path(names, at->groups[g]);
        if (plan->groups[g].kind == VVI_GROUP_PLACED)
            names->written[g] = take_path(names, at->written[g]);
        for (size_t i = 0; i < plan->groups[g].leaf_count; i++)
            names->leaves[g][i] = take_path(names, at->leaves[g][i]);
    }
    for (size_t i = 0; i < names->paths.count; i++)
        if (names->inner[i])
            names->inner[count++] = names->inner[i];
    names->inner_count = count;
}

static vv_status make_room(vvi_zarr_names *names, const vvi_plan *plan, places *at,
                           vv_error *err)
{
    size_t n = plan->group_count;

    names->groups = vvi_alloc_array_zero(n, sizeof(*names->groups));
    names->leaves = vvi_alloc_array_zero(n, sizeof(*names->leaves));
    names->written = vvi_alloc_array_zero(n, sizeof(*names->written));
    names->group_count = n;
    at->groups = vvi_alloc_array_zero(n, sizeof(*at->groups));
    at->written = vvi_alloc_array_zero(n, sizeof(*at->written));
    at->leaves = vvi_alloc_array_zero(n, sizeof(*at->leaves));
    if (!names->groups || !names->leaves || !names->written || !at->groups ||
        !at->written || !at->leaves)
        return vvi_fail_nomem(err, n * sizeof(void *));
    for (size_t g = 0; g < n; g++) {
        size_t leaves = plan->groups[g].leaf_count;

        names->leaves[g] = vvi_alloc_array_zero(leaves, sizeof(*names->leaves[g]));
        at->leaves[g] = vvi_alloc_array_zero(leaves, sizeof(*at->leaves[g]));
        if (!names->leaves[g] || !at->leaves[g])
            return vvi_fail_nomem(err, leaves * sizeof(void *));
    }
    return VV_OK;
}

vv_status vvi_zarr_names_make(const vvi_plan *plan, vvi_zarr_names *out, vv_error *err)
{
    places at = { NULL, NULL, NULL };
    vv_status status;

    memset(out, 0, sizeof(*out));
    status = make_room(out, plan, &at, err);
    if (!status)
        status = place_all(&out->paths, plan, &at, err);
    if (!status) {
        out->inner = vvi_alloc_array_zero(out->paths.count, sizeof(*out->inner));
        if (!out->inner)
            status = vvi_fail_nomem(err, out->paths.count * sizeof(*out->inner));
    }
    if (!status)
        take_paths(out, plan, &at);
    for (size_t g = 0; at.leaves && g < plan->group_count; g++)
        vvi_free(at.leaves[g]);
    vvi_free(at.leaves);
    vvi_free(at.groups);
    vvi_free(at.written);
    return status;
}

void vvi_zarr_names_clear(vvi_zarr_names *names)
{
    for (size_t g = 0; names->leaves && g < names->group_count; g++)
        vvi_free(names->leaves[g]);
    vvi_free(names->groups);
    vvi_free(names->leaves);
    vvi_free(names->written);
    vvi_free(names->inner);
    vvi_tree_paths_clear(&names->paths);
    memset(names, 0, sizeof(*names));
}
