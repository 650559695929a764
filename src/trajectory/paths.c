/* Readable paths of groups and leaves, and finding them by these or by their names. */
#include "trajectory/trajectory.h"

#include "pytree/paths.h"
#include "util/alloc.h"

#include <string.h>

/* ---- making --------------------------------------------------------------------------------------- */

static vv_status copy_path(const vvi_tree_paths *paths, size_t node, char **out,
                           vv_error *err)
{
    *out = vvi_strdup(vvi_tree_paths_text(paths, node));
    return *out ? VV_OK : vvi_fail_nomem(err, 1);
}

static vv_status make_group(vvi_tree_paths *paths, size_t at, vvi_traj_group *group,
                            vv_error *err)
{
    size_t node;

    /* What stands beside the leaves of a recording goes first. */
    if (group->public.kind == VV_TRAJ_ROWS)
        VVI_TRY(vvi_tree_paths_own(paths, at, "steps", &node, err));
    if (group->public.kind == VV_TRAJ_PLACED)
        VVI_TRY(vvi_tree_paths_own(paths, at, "written", &node, err));
    for (size_t i = 0; i < group->public.leaf_count; i++) {
        VVI_TRY(vvi_tree_paths_leaf(paths, at, group->leaves[i].name, &node, err));
        VVI_TRY(copy_path(paths, node, &group->leaves[i].path, err));
    }
    return VV_OK;
}

vv_status vvi_traj_make_paths(vv_traj *traj, vv_error *err)
{
    size_t *nodes = vvi_alloc_array(traj->info.group_count, sizeof(*nodes));
    vvi_tree_paths paths = { NULL, 0, 0, NULL, 0, 0 };
    vv_status status = nodes ? VV_OK : vvi_fail_nomem(err, sizeof(*nodes));

    /* Groups first, so that none gives way to a leaf. */
    for (size_t g = 0; g < traj->info.group_count && !status; g++) {
        vvi_traj_group *group = &traj->groups[g];

        status = vvi_tree_paths_follow(&paths, VVI_PATH_TOP, group->name, &nodes[g], err);
        if (!status)
            status = copy_path(&paths, nodes[g], &group->path, err);
        group->public.path = group->path;
    }
    for (size_t g = 0; g < traj->info.group_count && !status; g++)
        status = make_group(&paths, nodes[g], &traj->groups[g], err);
    vvi_tree_paths_clear(&paths);
    vvi_free(nodes);
    return status;
}

/* ---- finding ------------------------------------------------------------------------------------- */

/* The names in the file, "group['a']/array['b']", or the path. */
static bool is_leaf(const vvi_traj_group *group, const vvi_traj_leaf *leaf,
                    const char *text)
{
    size_t len = strlen(group->name);

    return strcmp(leaf->path, text) == 0 ||
           (strncmp(text, group->name, len) == 0 && text[len] == '/' &&
            strcmp(text + len + 1, leaf->name) == 0);
}

/* "there are: init, step" of groups; of a group's leaves. */
static vv_status fail_to_find(const vv_traj *traj, const char *text, size_t group,
                              vv_error *err)
{
    const char *what = group == SIZE_MAX ? "groups" : "leaves";
    size_t count = group == SIZE_MAX ? traj->info.group_count
                                     : traj->groups[group].public.leaf_count;
    char list[300] = "";
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        const char *path = group == SIZE_MAX ? traj->groups[i].path
                                             : traj->groups[group].leaves[i].path;

        if (len + strlen(path) + 8 > sizeof(list)) {
            memcpy(list + len, ", …", sizeof(", …"));
            break;
        }
        if (len) {
            memcpy(list + len, ", ", 3);
            len += 2;
        }
        memcpy(list + len, path, strlen(path) + 1);
        len += strlen(path);
    }
    return vvi_fail(err, VV_ENOTFOUND, "%s: no '%.100s'; its %s are: %s", traj->path,
                    text, what, list);
}

vv_status vv_traj_find(const vv_traj *traj, const char *text, size_t *group, size_t *leaf,
                       vv_error *err)
{
    size_t near = SIZE_MAX;

    for (size_t g = 0; g < traj->info.group_count; g++) {
        const vvi_traj_group *in = &traj->groups[g];
        size_t len = strlen(in->path);

        if (strcmp(in->path, text) == 0 || strcmp(in->name, text) == 0) {
            *group = g;
            if (leaf)
                *leaf = SIZE_MAX;
            return VV_OK;
        }
        for (size_t i = 0; leaf && i < in->public.leaf_count; i++)
            if (is_leaf(in, &in->leaves[i], text)) {
                *group = g;
                *leaf = i;
                return VV_OK;
            }
        if (leaf && strncmp(text, in->path, len) == 0 && (!len || text[len] == '/'))
            near = g;
    }
    return fail_to_find(traj, text, near, err);
}
