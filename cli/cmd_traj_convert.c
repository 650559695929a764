/* traj convert: a recording into another one, into a format of others, or a leaf of it into a table. */
#include "out.h"
#include "progress.h"
#include "slice.h"
#include "traj.h"

#include <varvite/convert.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct convert {
    cli_call *call;
    cli_progress progress;
    const char *to;
    const char **map;
    size_t map_count;
    vv_compression compression;
    uint64_t frames;
    vv_transfer_result result;
} convert;

/* --as, or what the end of the name says. */
static vv_status choose_format(cli_call *call, const char *to, const char **out)
{
    static const struct {
        const char *end, *format;
    } ends[] = { { ".h5md", "h5md" },    { ".xyz", "xyz" },        { ".extxyz", "xyz" },
                 { ".h5", "recording" }, { ".hdf5", "recording" }, { ".csv", "csv" },
                 { ".npy", "npy" } };
    size_t len = strlen(to);

    *out = cli_text(call, "as");
    if (!*out && strcmp(to, "-") == 0) /* what is piped most */
        *out = cli_text(call, "leaf") ? "csv" : "xyz";
    for (size_t i = 0; !*out && i < sizeof(ends) / sizeof(*ends); i++) {
        size_t end = strlen(ends[i].end);
        if (len > end && strcmp(to + len - end, ends[i].end) == 0)
            *out = ends[i].format;
    }
    if (*out)
        return VV_OK;
    return cli_usage(call, "%.200s: its name does not say what it is to be; give --as",
                     to);
}

static vv_status write_recording(cli_call *call, convert *self, vv_traj *traj)
{
    vv_transfer_options options = VV_TRANSFER_OPTIONS_INIT;
    uint64_t threads;

    if (self->map_count)
        return cli_usage(call, "--map is for formats of atoms");
    if (strcmp(self->to, "-") == 0)
        return cli_usage(call, "a recording needs a file");
    vv_status status = traj_compression(call, &self->compression);
    if (!status)
        status = traj_row_range(call, &options.rows);
    if (!status)
        status = cli_number(call, "threads", 0, 1024, &threads);
    if (!status)
        status = cli_size(call, "memory", 0, &options.memory_bytes);
    if (status)
        return status;
    options.compression = &self->compression;
    options.group = cli_text(call, "group");
    options.checksum = cli_has(call, "checksum");
    options.overwrite = cli_has(call, "force");
    options.unverified = cli_has(call, "no-verify");
    options.threads = (uint32_t)threads;
    options.progress = progress_tick;
    options.ctx = &self->progress;
    progress_begin(&self->progress, call, "convert");
    status = vv_traj_rewrite(traj, self->to, &options, &self->result, &call->err);
    progress_hide();
    return status == VV_EEXISTS ? cli_wrap(call, status, "give --force to replace it")
                                : status;
}

static vv_status write_frames(cli_call *call, convert *self, vv_traj *traj, bool h5md)
{
    vv_frames_options options = VV_FRAMES_OPTIONS_INIT;
    cli_result_file file = { .call = call };

    if (cli_text(call, "codec") || cli_text(call, "chunk") || cli_text(call, "group"))
        return cli_usage(call, "--codec, --chunk and --group are for recordings");
    vv_status status = traj_row_range(call, &options.rows);
    if (status)
        return status;
    options.map = self->map;
    options.map_count = self->map_count;
    options.progress = progress_tick;
    options.ctx = &self->progress;
    status = traj_check_absent(call, self->to);
    if (!status && !h5md)
        status = result_open(call, self->to, &file);
    if (status)
        return status;
    progress_begin(&self->progress, call, "convert");
    status = h5md
                 ? vv_traj_write_h5md(traj, &options, self->to, &self->frames, &call->err)
                 : vv_traj_write_xyz(traj, &options, result_sink(&file), &self->frames,
                                     &call->err);
    progress_hide();
    if (!status && !h5md)
        status = result_commit(&file);
    result_clear(&file);
    return status;
}

/* A leaf by its path or names, or by the last part of its path where only one has it. */
static vv_status find_leaf(cli_call *call, vv_traj *traj, const char *text,
                           const char **path)
{
    const vv_traj_info *info = vv_traj_get_info(traj);
    size_t group, leaf;
    vv_status status = vv_traj_find(traj, text, &group, &leaf, &call->err);

    if (!status && leaf != SIZE_MAX) {
        *path = vv_traj_leaf_path(traj, group, leaf);
        return VV_OK;
    }
    if (!status)
        return cli_fail(call, VV_EINVAL, "%s is a group; --leaf takes a leaf", text);
    *path = NULL;
    for (group = 0; group < info->group_count; group++)
        for (leaf = 0; vv_traj_leaf_name(traj, group, leaf); leaf++) {
            const char *here = vv_traj_leaf_path(traj, group, leaf);
            const char *slash = strrchr(here, '/');

            if (strcmp(slash ? slash + 1 : here, text) != 0)
                continue;
            if (*path)
                return cli_fail(call, VV_EINVAL, "--leaf %s may be %s or %s", text, *path,
                                here);
            *path = here;
        }
    return *path ? VV_OK : status;
}

/* The rows of --rows as a selection reads them: up to the bracket that closes it. */
static vv_status row_text(cli_call *call, char out[80])
{
    vv_row_range range;
    vv_status status = traj_row_range(call, &range);

    if (status)
        return status;
    int len = snprintf(out, 80, "%" PRIu64 ":", range.start);
    if (range.stop != UINT64_MAX)
        len += snprintf(out + len, 80 - (size_t)len, "%" PRIu64, range.stop);
    snprintf(out + len, 80 - (size_t)len, ":%" PRIu64 "]", range.step ? range.step : 1);
    return VV_OK;
}

static vv_status write_leaf(cli_call *call, const convert *self, vv_traj *traj, bool npy)
{
    cli_slice_target to = { .format = npy ? &numbers_npy : &numbers_csv,
                            .path = strcmp(self->to, "-") ? self->to : NULL,
                            .by_index = npy };
    const char *text = cli_text(call, "leaf"), *path = NULL, *inside;
    vv_store *store = NULL;
    vv_array *array = NULL;
    cli_selection selection;
    char rows[80];

    if (!text)
        return cli_usage(call, "CSV and NumPy's format hold one leaf; name it as --leaf");
    vv_status status = find_leaf(call, traj, text, &path);
    if (!status && to.path)
        status = traj_check_absent(call, to.path);
    if (!status)
        status = row_text(call, rows);
    if (!status)
        status = vv_traj_store_open(call->args[0], &store, &call->err);
    if (!status)
        status = select_open(call, store, path, &array, &inside);
    if (!status)
        status = select_resolve(call, cli_text(call, "rows") ? rows : NULL,
                                vv_array_get_meta(array), &selection);
    if (!status)
        status = slice_write(call, store, array, &selection, &to);
    vv_array_free(array);
    vv_store_free(store);
    return status;
}

static void report(cli_call *call, const convert *self, const char *format)
{
    uint64_t ms = progress_ms(&self->progress);

    if (strcmp(format, "recording") == 0)
        traj_report_transfer(call, &self->result, ms);
    else
        cli_talk(call, "%s in %.1f s", cli_count_text(self->frames, "frame"),
                 (double)ms / 1000);
}

vv_status cmd_traj_convert(cli_call *call)
{
    convert self = { .call = call, .to = call->args[1] };
    const char *format;
    vv_traj *traj = NULL;

    vv_status status = choose_format(call, self.to, &format);
    self.map = cli_texts(call, "map", &self.map_count);
    if (!status)
        status = traj_open(call, call->args[0], &traj);
    bool is_table = !status && (strcmp(format, "csv") == 0 || strcmp(format, "npy") == 0);
    if (!status && cli_text(call, "leaf") && !is_table)
        status = cli_usage(call, "--leaf is for CSV and NumPy's format");
    if (!status)
        status = is_table ? write_leaf(call, &self, traj, strcmp(format, "npy") == 0)
                 : strcmp(format, "recording") == 0
                     ? write_recording(call, &self, traj)
                     : write_frames(call, &self, traj, strcmp(format, "h5md") == 0);
    if (!status && !is_table)
        report(call, &self, format);
    vv_traj_close(traj);
    free(self.map);
    return status;
}
