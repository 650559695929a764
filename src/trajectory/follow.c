/* Waiting for rows of a file that is being written. */
#include "trajectory/trajectory.h"

#include "h5/journal.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/file.h"

#include <string.h>

/* Pauses between looks at the file. */
#define PAUSE_FIRST_NS ((uint64_t)1000000)
#define PAUSE_LAST_NS  ((uint64_t)50000000)
/* A file that looks corrupt for so long is. */
#define CORRUPT_NS ((uint64_t)2000000000)

/* Does somebody hold a lock on a file that keeps others from writing? A file that is not there nobody has. */
static vv_status is_locked(const char *path, bool *out, vv_error *err)
{
    vvi_file file = VVI_FILE_INIT;
    vv_status status = vvi_file_open(&file, path, VVI_FILE_READ, err);

    *out = false;
    if (status)
        return status == VV_ENOTFOUND ? VV_OK : status;
    status = vvi_file_lock(&file, VVI_LOCK_SHARED, 0, err);
    *out = status == VV_EBUSY;
    vvi_file_close(&file); /* which lets go of it */
    return *out ? VV_OK : status;
}

vv_status vv_traj_is_written(const vv_traj *traj, bool *out, vv_error *err)
{
    vv_buf journal = VV_BUF_INIT;
    char *real;
    vv_status status;

    *out = false;
    if (!traj->info.is_open)
        return VV_OK;
    real = vvi_path_real(traj->path);
    if (!real)
        return vvi_fail_nomem(err, strlen(traj->path));
    status = is_locked(real, out, err);
    if (!status && !*out)
        status = vvi_buf_printf(&journal, err, "%s%s", real, VVI_H5_JOURNAL_SUFFIX);
    if (!status && !*out)
        status = vvi_buf_terminate(&journal, err);
    if (!status && !*out)
        status = is_locked((const char *)journal.data, out, err);
    vv_buf_clear(&journal);
    vvi_free(real);
    return status;
}

vv_status vv_traj_follow(vv_traj *traj, size_t group, uint64_t seen, uint32_t timeout_ms,
                         uint64_t *rows, vv_error *err)
{
    uint64_t begun = vvi_now_ns(), good = begun, pause = PAUSE_FIRST_NS;
    uint64_t deadline = begun + (uint64_t)timeout_ms * 1000000;
    vv_traj_rows now = VV_TRAJ_ROWS_INIT;

    VVI_TRY(vv_traj_get_rows(traj, group, &now, err));
    for (;;) {
        bool was_open = traj->info.is_open;
        vv_status status = vv_traj_refresh(traj, err);
        uint64_t at;

        if (!status)
            status = vv_traj_get_rows(traj, group, &now, err);
        *rows = now.written;
        at = vvi_now_ns();
        if (status && (status != VV_ECORRUPT || !was_open || at - good > CORRUPT_NS))
            return status;
        if (!status) {
            good = at;
            if (now.written > seen)
                return VV_OK;
            if (!traj->info.is_open)
                return vvi_fail(err, VV_ENOTFOUND, "%s: the writer has closed it",
                                traj->path);
        }
        if (at >= deadline)
            return status ? status
                          : vvi_fail(err, VV_ETIMEDOUT, "%s: no row within %u ms",
                                     traj->path, timeout_ms);
        if (pause > deadline - at)
            pause = deadline - at;
        vvi_traj_pause(pause);
        pause = pause < PAUSE_LAST_NS / 2 ? 2 * pause : PAUSE_LAST_NS;
    }
}
