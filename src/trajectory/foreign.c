/* Trajectories of formats of others: groups and trees made up for them, and leaves that are no data sets. */
#include "trajectory/trajectory.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <stdlib.h>
#include <string.h>

/* A unit of time of AKMA in picoseconds: (Å² u / (kcal/mol))^1/2. */
#define AKMA_PS 4.88882129e-2

/* ---- groups as they are to be ------------------------------------------------------------------- */

void vvi_traj_made_clear(vvi_traj_made *groups, size_t count)
{
    for (size_t g = 0; groups && g < count; g++) {
        for (size_t i = 0; i < groups[g].count; i++) {
            vvi_free(groups[g].parts[i].key);
            vvi_free(groups[g].parts[i].at);
            vvi_free(groups[g].parts[i].units);
        }
        vvi_free(groups[g].parts);
        vvi_free(groups[g].key);
        vvi_h5_dataset_free(groups[g].steps);
    }
}

static vv_status copy_text(const char *text, char **out, vv_error *err)
{
    if (!text)
        return VV_OK;
    *out = vvi_strdup(text);
    return *out ? VV_OK : vvi_fail_nomem(err, strlen(text));
}

vv_status vvi_traj_made_add(vvi_traj_made *group, const char *key, const char *at,
                            const char *units, vvi_traj_part **out, vv_error *err)
{
    VVI_TRY(vvi_grow((void **)&group->parts, &group->cap, group->count + 1,
                     sizeof(*group->parts), err));
    *out = &group->parts[group->count++];
    **out = (vvi_traj_part){ .source = VVI_TRAJ_DATASET };
    VVI_TRY(copy_text(key, &(*out)->key, err));
    VVI_TRY(copy_text(at, &(*out)->at, err));
    return copy_text(units, &(*out)->units, err);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const vvi_traj_part *)a)->key, ((const vvi_traj_part *)b)->key);
}

static int by_group(const void *a, const void *b)
{
    return strcmp(((const vvi_traj_made *)a)->key, ((const vvi_traj_made *)b)->key);
}

/* ---- trees -------------------------------------------------------------------------------------- */

/* A dict of leaves. keys: the first of texts that lie stride bytes apart. */
static vv_status make_dict(const void *keys, size_t stride, size_t count, vv_tree **out,
                           vv_error *err)
{
    vv_buf text = VV_BUF_INIT;
    vv_status status = vvi_buf_append_text(&text, "{\"kind\": \"dict\", \"keys\": [",
                                           err);

    for (size_t i = 0; i < count && !status; i++) {
        const char *key = *(char *const *)((const char *)keys + i * stride);

        status = vvi_buf_append_text(&text, i ? ", " : "", err);
        if (!status)
            status = vvi_json_write_string(vv_bytes_of(key), &text, err);
    }
    if (!status)
        status = vvi_buf_append_text(&text, "], \"children\": [", err);
    for (size_t i = 0; i < count && !status; i++)
        status = vvi_buf_append_text(
            &text, i ? ", {\"kind\": \"leaf\"}" : "{\"kind\": \"leaf\"}", err);
    if (!status)
        status = vvi_buf_append_text(&text, "]}", err);
    if (!status)
        status = vvi_buf_terminate(&text, err);
    if (!status)
        status = vv_tree_from_json((const char *)text.data, out, err);
    vv_buf_clear(&text);
    return status == VV_EINVAL || status == VV_ELIMIT ? VV_ECORRUPT : status;
}

/* "array['positions']" of each leaf. */
static vv_status name_leaves(vvi_traj_group *group, vv_error *err)
{
    vvi_json *names = NULL;
    vv_buf text = VV_BUF_INIT;
    vv_status status = vv_tree_names_json(group->tree, "array", &text, err);

    if (!status && text.len && !text.data[text.len - 1])
        text.len--;
    if (!status)
        status = vvi_json_parse(vvi_buf_bytes(&text), &names, err);
    vv_buf_clear(&text);
    return status ? status : vvi_traj_list_leaves(group, names, err);
}

/* Of what is no data set. */
static void set_shapes(const vv_traj *traj, vvi_traj_group *group)
{
    for (size_t i = 0; i < group->public.leaf_count; i++) {
        vvi_traj_leaf *leaf = &group->leaves[i];

        if (leaf->source == VVI_TRAJ_DATASET)
            continue;
        leaf->shape[0] = group->rows;
        leaf->shape[1] = leaf->source == VVI_TRAJ_DCD_ATOMS
                             ? vvi_dcd_get_info(traj->dcd)->atoms
                             : 3;
        leaf->shape[2] = 3;
    }
}

static vv_status make_group(vv_traj *traj, vvi_traj_made *made, size_t number,
                            vv_error *err)
{
    vvi_traj_group *group = &traj->groups[number];
    vv_buf name = VV_BUF_INIT;

    VVI_TRY(
        vvi_buf_printf(&name, err, "group%s", vv_tree_leaf_name(traj->config, number)));
    group->name = vvi_strndup((const char *)name.data, name.len);
    vv_buf_clear(&name);
    if (!group->name)
        return vvi_fail_nomem(err, 64);
    group->public.name = group->name;
    group->public.kind = made->is_once ? VV_TRAJ_ONCE : VV_TRAJ_ROWS;
    group->rows = made->is_once ? 1 : made->rows;
    group->address = traj->file ? vvi_h5_get_info(traj->file)->root : VVI_H5_NONE;
    group->steps = made->steps;
    made->steps = NULL;
    group->by_rule = made->by_rule;
    group->first_step = made->first_step;
    group->step_by = made->step_by;
    if (made->by_rule && made->step_by > 0 && made->first_step % made->step_by == 0)
        group->public.every = (uint64_t)made->step_by;
    VVI_TRY(make_dict(&made->parts->key, sizeof(*made->parts), made->count, &group->tree,
                      err));
    group->public.tree = group->tree;
    VVI_TRY(name_leaves(group, err));
    for (size_t i = 0; i < made->count; i++) {
        vvi_traj_leaf *leaf = &group->leaves[i];

        leaf->source = made->parts[i].source;
        leaf->first = made->parts[i].first;
        leaf->by = made->parts[i].by;
        leaf->at = made->parts[i].at;
        leaf->units = made->parts[i].units;
        made->parts[i].at = made->parts[i].units = NULL;
    }
    set_shapes(traj, group);
    return VV_OK;
}

/* One past the last step, of all groups. */
static vv_status find_end(vv_traj *traj, vv_error *err)
{
    int64_t next = 0;

    for (size_t g = 0; g < traj->info.group_count; g++) {
        const vvi_traj_group *group = &traj->groups[g];
        int64_t last;

        if (group->public.kind != VV_TRAJ_ROWS || !group->rows)
            continue;
        last = (int64_t)group->rows - 1; /* rows without steps count as their numbers */
        if (group->steps || group->by_rule)
            VVI_TRY(vv_traj_read_steps(traj, g, group->rows - 1, 1, &last, err));
        if (last >= next && last < INT64_MAX)
            next = last + 1;
    }
    traj->info.has_next_step = true;
    traj->info.next_step = next;
    return VV_OK;
}

vv_status vvi_traj_make_groups(vv_traj *traj, vvi_traj_made *groups, size_t count,
                               vv_error *err)
{
    for (size_t g = 0; g < count; g++)
        qsort(groups[g].parts, groups[g].count, sizeof(*groups[g].parts), by_key);
    qsort(groups, count, sizeof(*groups), by_group);
    VVI_TRY(make_dict(&groups->key, sizeof(*groups), count, &traj->config, err));
    traj->info.config = traj->config;
    traj->groups = vvi_alloc_array_zero(count, sizeof(*traj->groups));
    if (!traj->groups)
        return vvi_fail_nomem(err, count * sizeof(*traj->groups));
    traj->info.group_count = count;
    for (size_t g = 0; g < count; g++)
        VVI_TRY(make_group(traj, &groups[g], g, err));
    return find_end(traj, err);
}

/* ---- DCD ---------------------------------------------------------------------------------------- */

static vv_status add_dcd_parts(vvi_traj_made *group, const vvi_dcd_info *info,
                               vv_error *err)
{
    vvi_traj_part *part;

    VVI_TRY(vvi_traj_made_add(group, info->is_velocity ? "velocities" : "positions", NULL,
                              info->is_velocity ? NULL : "Angstrom", &part, err));
    part->source = VVI_TRAJ_DCD_ATOMS;
    if (info->has_cell) {
        VVI_TRY(vvi_traj_made_add(group, "box", NULL, "Angstrom", &part, err));
        part->source = VVI_TRAJ_DCD_BOX;
    }
    if (!(info->delta > 0 && info->delta < 1e30))
        return VV_OK;
    VVI_TRY(vvi_traj_made_add(group, "time", NULL, "ps", &part, err));
    part->source = VVI_TRAJ_LINE;
    part->by = (double)info->step_by * info->delta * AKMA_PS;
    part->first = (double)group->first_step * info->delta * AKMA_PS;
    return VV_OK;
}

vv_status vvi_traj_read_dcd(vv_traj *traj, vv_error *err)
{
    const vvi_dcd_info *info = vvi_dcd_get_info(traj->dcd);
    vvi_traj_made group = { .rows = info->frames,
                            .by_rule = true,
                            .first_step = info->first_step < 0 ? 0 : info->first_step,
                            .step_by = info->step_by };
    vv_status status = copy_text("step", &group.key, err);

    traj->info.format = "DCD";
    if (!status)
        status = add_dcd_parts(&group, info, err);
    if (!status)
        status = vvi_traj_make_groups(traj, &group, 1, err);
    vvi_traj_made_clear(&group, 1);
    return status;
}

vv_status vvi_traj_refresh_dcd(vv_traj *traj, vv_error *err)
{
    VVI_TRY(vvi_dcd_refresh(traj->dcd, err));
    traj->info.file_bytes = vvi_dcd_get_info(traj->dcd)->size;
    traj->groups[0].rows = vvi_dcd_get_info(traj->dcd)->frames;
    set_shapes(traj, &traj->groups[0]);
    return find_end(traj, err);
}

/* ---- leaves that are no data sets ---------------------------------------------------------------- */

void vvi_traj_other_leaf(const vvi_traj_leaf *leaf, vv_traj_leaf *out)
{
    bool atoms = leaf->source == VVI_TRAJ_DCD_ATOMS;

    *out = (vv_traj_leaf){ .name = leaf->name,
                           .dtype = atoms ? VV_FLOAT32 : VV_FLOAT64,
                           .item_size = atoms ? sizeof(float) : sizeof(double),
                           .ndim = leaf->source == VVI_TRAJ_LINE ? 1 : 3,
                           .shape = leaf->shape,
                           .filters = "",
                           .path = leaf->path,
                           .units = leaf->units };
}

/* Part of the edges of each frame. */
static vv_status read_boxes(const vv_traj *traj, const uint64_t *start,
                            const uint64_t *count, const uint64_t *step, double *out,
                            vv_error *err)
{
    static const uint64_t ones[3] = { 1, 1, 1 };

    step = step ? step : ones;
    for (uint64_t i = 0; i < count[0]; i++) {
        double box[9];

        VVI_TRY(vvi_dcd_read_box(traj->dcd, start[0] + i * step[0], box, err));
        for (uint64_t r = 0; r < count[1]; r++)
            for (uint64_t c = 0; c < count[2]; c++)
                *out++ = box[3 * (start[1] + r * step[1]) + start[2] + c * step[2]];
    }
    return VV_OK;
}

/* Does start, …, lie in the shape? For what does not see to it itself. */
static bool is_inside(uint32_t ndim, const uint64_t *shape, const uint64_t *start,
                      const uint64_t *count, const uint64_t *step)
{
    for (uint32_t d = 0; d < ndim; d++) {
        uint64_t last;

        if (step && !step[d])
            return false;
        if (count[d] &&
            (__builtin_mul_overflow(count[d] - 1, step ? step[d] : 1, &last) ||
             __builtin_add_overflow(last, start[d], &last) || last >= shape[d]))
            return false;
    }
    return true;
}

vv_status vvi_traj_read_other(const vv_traj *traj, const vvi_traj_leaf *leaf,
                              const uint64_t *start, const uint64_t *count,
                              const uint64_t *step, void *out, size_t out_bytes,
                              vv_error *err)
{
    uint32_t ndim = leaf->source == VVI_TRAJ_LINE ? 1 : 3;
    size_t bytes = leaf->source == VVI_TRAJ_DCD_ATOMS ? sizeof(float) : sizeof(double);
    double *line = out;

    if (!is_inside(ndim, leaf->shape, start, count, step))
        return vvi_fail(err, VV_ERANGE, "the box lies outside the leaf");
    for (uint32_t d = 0; d < ndim; d++)
        if (__builtin_mul_overflow(bytes, (size_t)count[d], &bytes))
            return vvi_fail(err, VV_EINVAL, "room for %zu bytes", out_bytes);
    if (bytes != out_bytes)
        return vvi_fail(err, VV_EINVAL, "room for %zu bytes, not for %zu", out_bytes,
                        bytes);
    if (leaf->source == VVI_TRAJ_DCD_ATOMS)
        return vvi_dcd_read(traj->dcd, start, count, step, out, err);
    if (leaf->source == VVI_TRAJ_DCD_BOX)
        return read_boxes(traj, start, count, step, out, err);
    for (uint64_t i = 0; i < count[0]; i++)
        line[i] = leaf->first + (double)(start[0] + i * (step ? step[0] : 1)) * leaf->by;
    return VV_OK;
}
