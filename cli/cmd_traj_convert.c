/* traj convert: a recording into another one, or into a format of others. */
#include "out.h"
#include "progress.h"
#include "traj.h"

#include <varvite/convert.h>

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
    } ends[] = { { ".h5md", "h5md" },
                 { ".xyz", "xyz" },
                 { ".extxyz", "xyz" },
                 { ".h5", "recording" },
                 { ".hdf5", "recording" } };
    size_t len = strlen(to);

    *out = cli_text(call, "as");
    if (!*out && strcmp(to, "-") == 0) /* the only one that can be piped */
        *out = "xyz";
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
    if (!status)
        status = strcmp(format, "recording") == 0
                     ? write_recording(call, &self, traj)
                     : write_frames(call, &self, traj, strcmp(format, "h5md") == 0);
    if (!status)
        report(call, &self, format);
    vv_traj_close(traj);
    free(self.map);
    return status;
}
