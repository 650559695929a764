#include "traj.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

vv_status traj_open(cli_call *call, const char *path, vv_traj **out)
{
    return vv_traj_open(path, out, &call->err);
}

const char *traj_logged(const vv_traj_group *group, char out[TRAJ_TEXT])
{
    size_t len;

    switch (group->kind) {
    case VV_TRAJ_ONCE:
        return "once";
    case VV_TRAJ_ROWS:
        if (group->every == 1)
            return "every step";
        if (group->every == 0)
            return "by steps";
        snprintf(out, TRAJ_TEXT, "every %" PRIu64 " steps", group->every);
        return out;
    case VV_TRAJ_PLACED:
        len = (size_t)snprintf(out, TRAJ_TEXT, "placed in ");
        for (uint32_t d = 0; d < group->extent_ndim && len + 24 < TRAJ_TEXT; d++)
            len += (size_t)snprintf(out + len, TRAJ_TEXT - len, "%s%" PRIu64,
                                    d ? " x " : "", group->extent[d]);
        return out;
    case VV_TRAJ_UNKNOWN:
        break;
    }
    return "not known";
}

uint32_t traj_leading(const vv_traj_group *group, const vv_traj_leaf *leaf, bool has_rows)
{
    uint32_t leading = group->kind == VV_TRAJ_PLACED ? group->extent_ndim : has_rows;

    return leading < leaf->ndim ? leading : leaf->ndim;
}

const char *traj_type(const vv_traj_group *group, const vv_traj_leaf *leaf,
                      bool with_rows, char out[TRAJ_TEXT])
{
    const char *name = vv_dtype_name(leaf->dtype);
    uint32_t first = with_rows ? 0
                               : traj_leading(group, leaf, group->kind != VV_TRAJ_ONCE);
    size_t len = leaf->dtype == VV_RAW
                     ? (size_t)snprintf(out, TRAJ_TEXT, "r%zu", 8 * leaf->item_size)
                     : (size_t)snprintf(out, TRAJ_TEXT, "%s", name ? name : "?");

    for (uint32_t d = first; d < leaf->ndim && len + 24 < TRAJ_TEXT; d++)
        len += (size_t)snprintf(out + len, TRAJ_TEXT - len, "%c%" PRIu64 "%s",
                                d == first ? '[' : ',', leaf->shape[d],
                                d + 1 == leaf->ndim ? "]" : "");
    return out;
}

/* Does the path of a leaf lie below the one that is given? */
static bool is_below(const char *path, const char *given)
{
    size_t len = strlen(given);

    return strncmp(path, given, len) == 0 &&
           (len == 0 || path[len] == '\0' || path[len] == '/');
}

static void add(traj_leaves *out, size_t group, size_t leaf)
{
    for (size_t i = 0; i < out->count; i++)
        if (out->items[i].group == group && out->items[i].leaf == leaf)
            return;
    out->items = cli_grow(out->items, &out->cap, out->count + 1, sizeof(*out->items));
    out->items[out->count].group = group;
    out->items[out->count++].leaf = leaf;
}

/* Paths of leaves that cannot be opened are not told of by them, so they are asked for one by one. */
static vv_status select_one(cli_call *call, const vv_traj *traj, const char *given,
                            traj_leaves *out)
{
    size_t group = 0, leaf = SIZE_MAX, before = out->count;
    vv_status status = *given ? vv_traj_find(traj, given, &group, &leaf, &call->err)
                              : VV_OK;

    if (!status && leaf != SIZE_MAX) {
        add(out, group, leaf);
        return VV_OK;
    }
    for (size_t g = 0; g < vv_traj_get_info(traj)->group_count; g++)
        for (size_t i = 0; vv_traj_leaf_name(traj, g, i); i++)
            if ((!status && *given && g == group) ||
                is_below(vv_traj_leaf_path(traj, g, i), given))
                add(out, g, i);
    return out->count > before ? VV_OK : status;
}

vv_status traj_select(cli_call *call, const vv_traj *traj, char *const *paths,
                      size_t count, traj_leaves *out)
{
    vv_status status = count ? VV_OK : select_one(call, traj, "", out);

    for (size_t i = 0; i < count && !status; i++)
        status = select_one(call, traj, paths[i], out);
    return status;
}

void traj_leaves_clear(traj_leaves *leaves)
{
    free(leaves->items);
    *leaves = (traj_leaves){ NULL, 0, 0 };
}
