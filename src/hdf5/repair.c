/* Making files that a killed writer left ordinary closed ones. */
#include "hdf5/repair.h"

#include "hdf5/journal.h"
#include "hdf5/sink.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/endian.h"
#include "util/options.h"

#include <varvite/trajectory.h>

#include <string.h>

#define SUPERBLOCK_BYTES 48

/* ---- looking ------------------------------------------------------------------------------- */

static vv_status check_chunk(void *ctx, const uint64_t *index, const vvi_h5_chunk *chunk,
                             vv_error *err)
{
    const vvi_h5_info *info = ctx;

    if (chunk->address == VVI_H5_NONE ||
        (chunk->address <= info->size && chunk->stored <= info->size - chunk->address))
        return VV_OK;
    return vvi_fail(err, VV_ECORRUPT,
                    "chunk %" PRIu64 ": %" PRIu64 " bytes at %" PRIu64
                    ", past the end of the file",
                    index ? index[0] : 0, chunk->stored, chunk->address);
}

static vv_status check_leaf(const vvi_h5 *file, const char *group, const char *leaf,
                            vv_error *err)
{
    vvi_h5_info info = *vvi_h5_get_info(file);
    vvi_h5_dataset *dataset = NULL;
    uint64_t address, all;
    vv_status status = vvi_h5_find(file, info.root, group, &address, err);

    if (!status)
        status = vvi_h5_find(file, address, leaf, &address, err);
    if (!status)
        status = vvi_h5_dataset_open(file, address, &dataset, err);
    if (!status)
        status = vvi_h5_each_chunk(dataset, check_chunk, &info, &all, err);
    vvi_h5_dataset_free(dataset);
    return status;
}

static vv_status check_groups(vv_traj *traj, const vvi_h5 *file, uint64_t *rows,
                              vv_error *err)
{
    const vv_traj_group *group;

    for (size_t g = 0; (group = vv_traj_group_at(traj, g)); g++) {
        vv_traj_rows there = VV_TRAJ_ROWS_INIT;

        VVI_TRY(vv_traj_get_rows(traj, g, &there, err));
        *rows += there.is_known ? there.written : 0;
        for (size_t i = 0; i < group->leaf_count; i++) {
            const char *leaf = vv_traj_leaf_name(traj, g, i);
            vv_traj_leaf out;
            vv_status status = vv_traj_leaf_at(traj, g, i, &out, err);

            if (!status)
                status = check_leaf(file, group->name, leaf, err);
            if (status)
                return vvi_wrap(err, status, "group '%s', leaf '%s'", group->name, leaf);
        }
    }
    return VV_OK;
}

vv_status vvi_hdf5_inspect(const char *path, uint64_t *rows, vv_error *err)
{
    vv_traj *traj = NULL;
    vvi_h5 *file = NULL;
    vv_status status = vv_traj_open(path, &traj, err);

    *rows = 0;
    if (!status && vv_traj_get_info(traj)->schema_problem)
        status = vvi_fail(err, VV_ECORRUPT, "%s: %s", path,
                          vv_traj_get_info(traj)->schema_problem);
    if (!status)
        status = vvi_h5_open(path, &file, err);
    if (!status) {
        status = check_groups(traj, file, rows, err);
        if (status)
            vvi_wrap(err, status, "%s", path);
    }
    vvi_h5_close(file);
    vv_traj_close(traj);
    return status;
}

/* Its addresses and digits are what a journal is told by. */
vv_status vvi_hdf5_find_id(vvi_hdf5_file *file, char *id, vv_error *err)
{
    vvi_h5_dataset *dataset = NULL;
    vvi_h5 *reader = NULL;
    uint64_t address;
    vv_status status = vvi_h5_open(file->file.path, &reader, err);

    if (!status)
        status = vvi_h5_find(reader, vvi_h5_get_info(reader)->root, VVI_HDF5_SCHEMA,
                             &address, err);
    if (!status)
        status = vvi_h5_dataset_open(reader, address, &dataset, err);
    if (!status) {
        const vvi_h5_dataset_info *info = vvi_h5_dataset_get_info(dataset);

        file->id_at = info->address + vvi_hdf5_schema_id();
        if (info->layout != VVI_H5_CONTIGUOUS || info->address == VVI_H5_NONE ||
            info->type.item < vvi_hdf5_schema_id() + VVI_HDF5_ID)
            status = vvi_fail(err, VV_ECORRUPT, "%s: no id", file->file.path);
    }
    vvi_h5_dataset_free(dataset);
    vvi_h5_close(reader);
    return status ? status : vvi_hdf5_file_read(file, file->id_at, id, VVI_HDF5_ID, err);
}

vv_status vvi_hdf5_file_new(const char *path, vvi_hdf5_file **out, vv_error *err)
{
    vvi_hdf5_file *file = vvi_alloc_zero(sizeof(*file));
    vv_status status;

    if (!file)
        return vvi_fail_nomem(err, sizeof(*file));
    status = vvi_hdf5_file_open(file, path, false, err);
    if (status) {
        vvi_hdf5_file_free(file);
        return status;
    }
    *out = file;
    return VV_OK;
}

/* ---- our own ------------------------------------------------------------------------------- */

/* What the last commit says, into the file: all but that it is closed. */
static vv_status replay(vvi_hdf5_file *file, const vvi_h5_commit *commit, vv_error *err)
{
    vvi_h5_commit_cursor cursor = { 0, 0 };
    uint64_t address;
    vv_bytes bytes;

    if (file->size < commit->end) {
        VVI_TRY(vvi_file_truncate(&file->file, commit->end, err));
        file->size = commit->end;
    }
    while (vvi_h5_commit_next(commit, &cursor, &address, &bytes))
        if (address >= SUPERBLOCK_BYTES)
            VVI_TRY(vvi_file_write_at(&file->file, address, bytes, err));
    VVI_TRY(vvi_file_sync(&file->file, err));
    cursor = (vvi_h5_commit_cursor){ 0, 0 };
    while (vvi_h5_commit_next(commit, &cursor, &address, &bytes)) {
        uint8_t block[SUPERBLOCK_BYTES];

        if (address != 0 || bytes.len != sizeof(block))
            continue;
        memcpy(block, bytes.data, sizeof(block));
        block[11] = VVI_HDF5_OPEN;
        vvi_put_le32(block + 44, vvi_h5_checksum(vvi_bytes(block, 44)));
        VVI_TRY(vvi_file_write_at(&file->file, 0, vvi_bytes(block, sizeof(block)), err));
    }
    for (size_t i = 0; i < commit->space_count; i++) {
        uint64_t len;

        vvi_h5_commit_space(commit, i, &address, &len);
        VVI_TRY(vvi_hdf5_file_waste(file, address, len, err));
    }
    file->seq = commit->seq;
    return vvi_file_sync(&file->file, err);
}

static vv_status read_next_step(const char *path, int64_t *out, vv_error *err)
{
    vv_traj *traj = NULL;
    vv_status status = vv_traj_open(path, &traj, err);

    if (!status && !vv_traj_get_info(traj)->has_next_step)
        status = vvi_fail(err, VV_ECORRUPT, "%s: no '%s'", path, VVI_HDF5_NEXT_STEP);
    if (!status)
        *out = vv_traj_get_info(traj)->next_step;
    vv_traj_close(traj);
    return status;
}

/* With the lock held. */
static vv_status close_properly(vvi_hdf5_file *file, int64_t next_step, vv_error *err)
{
    hid_t id = vvi_hdf5_file_enter(file, false, false);
    vv_status status;

    if (id < 0)
        return vvi_hdf5_fail(file, err, "open %s", file->file.path);
    status = vvi_hdf5_set_attributes(file, id, next_step, NULL, err);
    return vvi_hdf5_file_end(file, id, status, err);
}

vv_status vvi_hdf5_mend(vvi_hdf5_file *file, vv_repair_report *report, vv_error *err)
{
    char id[VVI_HDF5_ID];
    uint64_t before = file->size;
    vvi_h5_commit commit;
    int64_t next_step = 0;
    vv_status status = vvi_h5_commit_read(&file->journal, &file->file, &commit, err);

    if (status)
        return status;
    report->journal = commit.seq != 0;
    if (commit.seq)
        status = replay(file, &commit, err);
    vvi_h5_commit_clear(&commit);
    if (!status)
        status = read_next_step(file->file.path, &next_step, err);
    if (!status)
        status = vvi_hdf5_find_id(file, id, err);
    if (!status) /* the file has all that it said */
        status = vvi_hdf5_journal_begin(file, id, err);
    if (!status)
        status = vvi_hdf5_sync_name(file->journal.path, err);
    if (!status)
        status = vvi_hdf5_file_flag(file, 0, err);
    if (status)
        return status;
    file->known = file->size;
    vvi_hdf5_enter();
    status = close_properly(file, next_step, err);
    vvi_hdf5_leave();
    if (!status)
        status = vvi_hdf5_file_commit(file, true, true, err);
    if (status)
        return status;
    report->changed = true;
    report->bytes_freed = before > file->size ? before - file->size : 0;
    report->bytes_freed += vvi_hdf5_file_give_back(file);
    return VV_OK;
}

/* ---- files of kUPS ------------------------------------------------------------------------- */

/* What h5clear does: the flags go, and the end is where the file ends, since rows may lie behind what the last flush
 * called its end. */
static vv_status clear_flags(vvi_hdf5_file *file, vv_repair_report *report, vv_error *err)
{
    uint8_t block[SUPERBLOCK_BYTES];

    VVI_TRY(vvi_hdf5_file_read(file, 0, block, sizeof(block), err));
    block[11] = 0;
    if (vvi_get_le64(block + 12) == 0 && vvi_get_le64(block + 28) < file->size)
        vvi_put_le64(block + 28, file->size);
    vvi_put_le32(block + 44, vvi_h5_checksum(vvi_bytes(block, 44)));
    VVI_TRY(vvi_file_write_at(&file->file, 0, vvi_bytes(block, sizeof(block)), err));
    report->changed = true;
    return vvi_file_sync(&file->file, err);
}

/* ---- repairing ----------------------------------------------------------------------------- */

static bool is_there(const char *path)
{
    uint64_t id;

    return vvi_path_identity(path, &id, NULL) == VV_OK;
}

static vv_status repair_open(const char *path, bool own, bool dry_run,
                             vv_repair_report *report, vv_error *err)
{
    vvi_file journal = VVI_FILE_INIT;
    vvi_hdf5_file *file = NULL;
    vv_status status = vvi_hdf5_journal_open(path, &journal, err);

    if (status)
        return status;
    status = vvi_hdf5_file_new(path, &file, err);
    if (!status) { /* a writer that lost its journal holds this */
        status = vvi_file_lock(&file->file, VVI_LOCK_EXCLUSIVE, 0, err);
        file->journal = journal;
        journal = VVI_FILE_INIT;
    }
    if (!status)
        status = vvi_hdf5_inspect(path, &report->rows, err);
    if (!status && dry_run) {
        vvi_h5_commit commit;

        status = vvi_h5_commit_read(&file->journal, &file->file, &commit, err);
        report->journal = !status && commit.seq != 0;
        vvi_h5_commit_clear(&commit);
    } else if (!status) {
        status = own ? vvi_hdf5_mend(file, report, err) : clear_flags(file, report, err);
        if (!status)
            vvi_hdf5_journal_end(&file->journal);
    }
    vvi_hdf5_journal_drop(&journal);
    vvi_hdf5_file_free(file);
    return status;
}

/* A closed file is left as it is, but for a journal that its writer had no time to remove. */
static vv_status repair_closed(const char *path, bool dry_run, vv_repair_report *report,
                               vv_error *err)
{
    vvi_file journal = VVI_FILE_INIT;
    vv_buf name = VV_BUF_INIT;
    vv_status status = vvi_buf_printf(&name, err, "%s%s", path, VVI_H5_JOURNAL_SUFFIX);

    if (!status)
        status = vvi_buf_terminate(&name, err);
    if (!status && !dry_run && is_there((const char *)name.data)) {
        status = vvi_hdf5_journal_open(path, &journal, err);
        vvi_hdf5_journal_end(&journal);
    }
    vv_buf_clear(&name);
    return status ? status : vvi_hdf5_inspect(path, &report->rows, err);
}

/* Superblocks of versions 0 and 1 do not say that a writer has the file open. */
static vv_status check_root(const vvi_h5 *file, const char *path, vv_error *err)
{
    vvi_h5_object root = { 0 };
    vv_status status = vvi_h5_object_read(file, vvi_h5_get_info(file)->root, &root, err);

    if (!status)
        vvi_h5_object_clear(&root);
    if (status != VV_ECORRUPT && status != VV_EUNSUPPORTED)
        return status;
    return vvi_fail(
        err, VV_ECORRUPT,
        "%s: its writer ended before it wrote where anything lies, as kUPS before 1.0.3 "
        "does only when it closes the file; this cannot be mended",
        path);
}

vv_status vv_traj_repair(const char *path, bool dry_run, vv_repair_report *out,
                         vv_error *err)
{
    char *real;
    vv_repair_report report = VV_REPAIR_REPORT_INIT;
    vvi_h5 *file = NULL;
    bool own = false, is_open = false;
    uint64_t address;
    vv_status status;

    if (out)
        VVI_TRY(vvi_check_result(out, err));
    real = vvi_path_real(path); /* by whatever name: one file, one journal */
    status = real ? vvi_h5_open(real, &file, err) : vvi_fail_nomem(err, strlen(path));
    if (!status && vvi_h5_get_info(file)->superblock < 2) {
        status = check_root(file, path, err);
    } else if (!status) {
        is_open = vvi_h5_get_info(file)->own_flags != 0;
        status = vvi_h5_find(file, vvi_h5_get_info(file)->root, VVI_HDF5_SCHEMA, &address,
                             err);
        own = !status;
        if (status == VV_ENOTFOUND)
            status = VV_OK;
        else if (status)
            vvi_wrap(err, status, "%s", path);
    }
    vvi_h5_close(file);
    report.was_open = is_open;
    if (!status)
        status = is_open ? repair_open(real, own, dry_run, &report, err)
                         : repair_closed(real, dry_run, &report, err);
    vvi_free(real);
    if (!status && out)
        vvi_write_result(out, &report, sizeof(report));
    return status;
}
