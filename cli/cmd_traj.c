/* traj info, traj ls. */
#include "out.h"
#include "traj.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- info --------------------------------------------------------------------------------------- */

/* What a group takes, of the leaves that can be read. */
typedef struct group_size {
    uint64_t row_bytes, raw, stored;
} group_size;

static group_size measure(vv_traj *traj, size_t group, bool has_rows)
{
    group_size size = { 0, 0, 0 };

    for (size_t i = 0; vv_traj_leaf_name(traj, group, i); i++) {
        vv_traj_storage storage = VV_TRAJ_STORAGE_INIT;
        vv_traj_leaf leaf;

        if (vv_traj_leaf_at(traj, group, i, &leaf, NULL) ||
            vv_traj_leaf_storage(traj, group, i, &storage, NULL))
            continue;
        uint64_t row = leaf.item_size;
        for (uint32_t d = traj_leading(vv_traj_group_at(traj, group), &leaf, has_rows);
             d < leaf.ndim; d++)
            row *= leaf.shape[d];
        size.row_bytes += row;
        size.raw += storage.raw_bytes;
        size.stored += storage.stored_bytes;
    }
    return size;
}

/* "37", "3 of 5", "at most 40". */
static const char *rows_text(const vv_traj_group *group, const vv_traj_rows *rows,
                             char out[TRAJ_TEXT])
{
    uint64_t places = 1;

    for (uint32_t d = 0; d < group->extent_ndim; d++)
        places *= group->extent[d];
    if (group->kind == VV_TRAJ_PLACED)
        snprintf(out, TRAJ_TEXT, "%" PRIu64 " of %" PRIu64, rows->written, places);
    else if (!rows->is_known && !rows->has_rows)
        snprintf(out, TRAJ_TEXT, "-");
    else
        snprintf(out, TRAJ_TEXT, "%s%" PRIu64, rows->is_known ? "" : "at most ",
                 rows->rows);
    return out;
}

static const char *state_of(const vv_traj_info *info)
{
    return info->is_open ? "open: a writer has it, or did not close it" : "closed";
}

static void print_file(const cli_call *call, const vv_traj_info *info)
{
    out_name(call->args[0]);
    out_format(": %s%s, %s\n%s\n",
               info->is_recording                 ? "a "
               : strcmp(info->format, "DCD") == 0 ? "frames in "
                                                  : "a file of ",
               info->format, cli_bytes_text(info->file_bytes), state_of(info));
    if (info->has_actual_steps)
        out_format("steps      %" PRId64 "\n", info->actual_steps);
    else if (info->has_next_step)
        out_format("steps      %" PRId64 " so far\n", info->next_step);
    if (info->config_class) {
        out_text("config     ");
        out_name(info->config_class);
        out_text("\n");
    }
}

static void print_problem(const char *what, const char *problem)
{
    if (!problem)
        return;
    out_format("%s", what);
    out_name(problem);
    out_text("\n");
}

/* "step/positions in nm, step/energy in eV". */
static void print_units(vv_traj *traj, size_t group)
{
    const char *before = "    units    ";
    vv_traj_leaf leaf;

    for (size_t i = 0; vv_traj_leaf_name(traj, group, i); i++)
        if (!vv_traj_leaf_at(traj, group, i, &leaf, NULL) && leaf.units) {
            out_text(before);
            out_name(leaf.path);
            out_text(" in ");
            out_name(leaf.units);
            before = ", ";
        }
    if (*before == ',')
        out_text("\n");
}

static vv_status print_group(vv_traj *traj, size_t number, cli_call *call)
{
    const vv_traj_group *group = vv_traj_group_at(traj, number);
    vv_traj_rows rows = VV_TRAJ_ROWS_INIT;
    char logged[TRAJ_TEXT], text[TRAJ_TEXT];
    int64_t ends[2];

    out_text("\n");
    out_text(cli_color(call->color_out, "bold"));
    out_name(*group->path ? group->path : group->name);
    out_text(cli_color(call->color_out, "off"));
    out_text("\n");
    print_problem("    problem  ", group->problem);
    vv_status status = vv_traj_get_rows(traj, number, &rows, &call->err);
    if (status)
        return group->problem ? VV_OK : status;
    group_size size = measure(traj, number, rows.has_rows);
    out_format("    logged   %s\n    rows     %s\n", traj_logged(group, logged),
               rows_text(group, &rows, text));
    if (rows.has_steps && rows.rows &&
        !vv_traj_read_steps(traj, number, 0, 1, &ends[0], NULL) &&
        !vv_traj_read_steps(traj, number, rows.rows - 1, 1, &ends[1], NULL))
        out_format("    steps    %" PRId64 " to %" PRId64 "\n", ends[0], ends[1]);
    print_units(traj, number);
    out_format("    leaves   %zu, %s a row\n    stored   %s of %s", group->leaf_count,
               cli_bytes_text(size.row_bytes), cli_bytes_text(size.stored),
               cli_bytes_text(size.raw));
    if (size.stored)
        out_format(" (ratio %.2f)", (double)size.raw / (double)size.stored);
    return out_text("\n");
}

static const char *kind_name(vv_traj_kind kind)
{
    return kind == VV_TRAJ_ONCE     ? "once"
           : kind == VV_TRAJ_ROWS   ? "rows"
           : kind == VV_TRAJ_PLACED ? "placed"
                                    : NULL;
}

static void json_int(const char *key, int64_t number)
{
    char text[32];

    json_raw(key, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, number));
}

/* "units": {"step/positions": "nm"} */
static void json_units(vv_traj *traj, size_t group)
{
    bool any = false;
    vv_traj_leaf leaf;

    for (size_t i = 0; vv_traj_leaf_name(traj, group, i); i++)
        if (!vv_traj_leaf_at(traj, group, i, &leaf, NULL) && leaf.units) {
            if (!any)
                json_object("units");
            any = true;
            json_text(leaf.path, leaf.units);
        }
    if (any)
        json_end();
}

static vv_status json_group(vv_traj *traj, size_t number, cli_call *call)
{
    const vv_traj_group *group = vv_traj_group_at(traj, number);
    vv_traj_rows rows = VV_TRAJ_ROWS_INIT;
    int64_t step;

    vv_status status = vv_traj_get_rows(traj, number, &rows, &call->err);
    if (status && !group->problem)
        return status;
    group_size size = measure(traj, number, rows.has_rows);
    json_object(NULL);
    json_text("path", group->path);
    json_text("name", group->name);
    json_text("problem", group->problem);
    json_text("kind", kind_name(group->kind));
    if (group->every)
        json_uint("every", group->every);
    if (group->kind == VV_TRAJ_PLACED)
        json_uints("extent", group->extent, group->extent_ndim);
    json_uint("rows", rows.rows);
    json_bool("rows_known", rows.is_known);
    json_uint("written", rows.written);
    if (rows.has_steps && rows.rows) {
        if (!vv_traj_read_steps(traj, number, 0, 1, &step, NULL))
            json_int("first_step", step);
        if (!vv_traj_read_steps(traj, number, rows.rows - 1, 1, &step, NULL))
            json_int("last_step", step);
    }
    json_units(traj, number);
    json_uint("leaves", group->leaf_count);
    json_uint("row_bytes", size.row_bytes);
    json_uint("raw_bytes", size.raw);
    json_uint("stored_bytes", size.stored);
    json_end();
    return VV_OK;
}

vv_status cmd_traj_info(cli_call *call)
{
    vv_traj *traj = NULL;
    vv_status status = traj_open(call, call->args[0], &traj);

    if (status)
        return status;
    const vv_traj_info *info = vv_traj_get_info(traj);
    if (call->json) {
        json_object(NULL);
        json_text("file", call->args[0]);
        json_uint("bytes", info->file_bytes);
        json_bool("recording", info->is_recording);
        json_text("format", info->format);
        json_bool("open", info->is_open);
        if (info->has_actual_steps)
            json_int("actual_steps", info->actual_steps);
        if (info->has_next_step)
            json_int("next_step", info->next_step);
        json_text("config_class", info->config_class);
        json_list("groups");
    } else {
        print_file(call, info);
        print_problem("problem    ", info->schema_problem);
        print_problem("problem    ", info->config_problem);
    }
    for (size_t g = 0; g < info->group_count && !status; g++)
        status = (call->json ? json_group : print_group)(traj, g, call);
    if (call->json) {
        json_end();
        json_end();
    }
    vv_traj_close(traj);
    return status;
}

/* ---- ls ----------------------------------------------------------------------------------------- */

static void print_leaf(const vv_traj *traj, size_t group, size_t number,
                       const vv_traj_leaf *leaf, bool is_long, int width)
{
    const char *path = vv_traj_leaf_path(traj, group, number);
    char type[TRAJ_TEXT];

    out_name(path);
    if (is_long && leaf->name) {
        int pad = width - (int)strlen(path);
        out_format("%*s  ", pad > 0 ? pad : 0, "");
        traj_type(vv_traj_group_at(traj, group), leaf, true, type);
        out_format(leaf->chunk || *leaf->filters ? "%-20s" : "%s", type);
        if (leaf->chunk)
            out_format("  chunks of %" PRIu64 " rows", leaf->chunk[0]);
        out_format("%s%s", *leaf->filters ? ", " : "", leaf->filters);
        if (leaf->units) {
            out_text(leaf->chunk || *leaf->filters ? ", in " : "  in ");
            out_name(leaf->units);
        }
    }
    out_text("\n");
}

static void json_leaf(const vv_traj *traj, size_t group, size_t number,
                      const vv_traj_leaf *leaf, const char *problem)
{
    char type[TRAJ_TEXT];

    json_object(NULL);
    json_text("path", vv_traj_leaf_path(traj, group, number));
    json_text("group", vv_traj_group_at(traj, group)->name);
    json_text("name", vv_traj_leaf_name(traj, group, number));
    if (problem) {
        json_text("error", problem);
    } else {
        type[strcspn(traj_type(vv_traj_group_at(traj, group), leaf, true, type), "[")] =
            '\0';
        json_text("dtype", type);
        json_uints("shape", leaf->shape, leaf->ndim);
        if (leaf->chunk)
            json_uints("chunks", leaf->chunk, leaf->ndim);
        json_text("filters", leaf->filters);
        if (leaf->units)
            json_text("units", leaf->units);
    }
    json_end();
}

vv_status cmd_traj_ls(cli_call *call)
{
    traj_leaves leaves = { NULL, 0, 0 };
    bool is_long = cli_has(call, "long");
    vv_traj *traj = NULL;
    int width = 0;

    vv_status status = traj_open(call, call->args[0], &traj);
    if (!status)
        status = traj_select(call, traj, call->args + 1, call->arg_count - 1, &leaves);
    for (size_t i = 0; i < leaves.count; i++) {
        const char *path = vv_traj_leaf_path(traj, leaves.items[i].group,
                                             leaves.items[i].leaf);
        if ((int)strlen(path) > width && strlen(path) < 50)
            width = (int)strlen(path);
    }
    if (!status && call->json)
        json_list(NULL);
    for (size_t i = 0; i < leaves.count && !status && !out_failed(); i++) {
        size_t group = leaves.items[i].group, number = leaves.items[i].leaf;
        vv_traj_leaf leaf = { .name = NULL };
        vv_error why = VV_ERROR_INIT;
        bool bad = (is_long || call->json) &&
                   vv_traj_leaf_at(traj, group, number, &leaf, &why);
        if (call->json)
            json_leaf(traj, group, number, &leaf, bad ? why.message : NULL);
        else
            print_leaf(traj, group, number, &leaf, is_long, width);
        if (bad && !call->json)
            cli_complain(call, "%s", why.message);
    }
    if (!status && call->json)
        json_end();
    traj_leaves_clear(&leaves);
    vv_traj_close(traj);
    return status;
}
