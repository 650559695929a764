#include "hdf5/journal.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/endian.h"

#include <varvite/hash.h>

#include <stdio.h>
#include <string.h>

static uint8_t *put_entry(uint8_t *at, uint64_t address, uint64_t len)
{
    vvi_put_le64(at, address);
    vvi_put_le64(at + 8, len);
    return at + VVI_H5_JOURNAL_ENTRY;
}

vv_status vvi_hdf5_journal_record(vvi_hdf5_file *self, vv_error *err)
{
    size_t entries = self->kept_count + self->waste_count;
    size_t total = VVI_H5_JOURNAL_HEAD + entries * VVI_H5_JOURNAL_ENTRY + VV_BLAKE3_SIZE;
    uint8_t *at;

    for (size_t i = 0; i < self->kept_count; i++)
        total += self->kept[i].len;
    self->record.len = 0;
    VVI_TRY(vvi_buf_reserve(&self->record, total, err));
    at = self->record.data;
    memcpy(at, VVI_H5_JOURNAL_RECORD_MAGIC, 8);
    vvi_put_le64(at + 8, self->seq + 1);
    vvi_put_le64(at + 16, self->end);
    vvi_put_le64(at + 24, self->kept_count);
    vvi_put_le64(at + 32, self->waste_count);
    vvi_put_le64(at + 40, total);
    at += VVI_H5_JOURNAL_HEAD;
    for (size_t i = 0; i < self->kept_count; i++)
        at = put_entry(at, self->kept[i].address, self->kept[i].len);
    for (size_t i = 0; i < self->waste_count; i++)
        at = put_entry(at, self->waste[i].address, self->waste[i].len);
    for (size_t i = 0; i < self->kept_count; at += self->kept[i++].len)
        memcpy(at, self->bytes.data + self->kept[i].at, self->kept[i].len);
    vv_blake3(vvi_bytes(self->record.data, total - VV_BLAKE3_SIZE), at);
    self->record.len = total;
    return VV_OK;
}

vv_status vvi_hdf5_journal_begin(vvi_hdf5_file *self, const char *id, vv_error *err)
{
    uint8_t top[VVI_H5_JOURNAL_TOP] = { 0 };

    memcpy(top, VVI_H5_JOURNAL_MAGIC, 8);
    vvi_put_le64(top + 8, self->id_at);
    memcpy(top + 16, id, VVI_H5_JOURNAL_ID);
    vv_blake3(vvi_bytes(top, VVI_H5_JOURNAL_TOP - VV_BLAKE3_SIZE),
              top + VVI_H5_JOURNAL_TOP - VV_BLAKE3_SIZE);
    /* A record of another recording must not come under this header. */
    VVI_TRY(vvi_file_truncate(&self->journal, 0, err));
    VVI_TRY(vvi_file_write_at(&self->journal, 0, vvi_bytes(top, sizeof(top)), err));
    return vvi_file_sync(&self->journal, err);
}

/* Is the open file what its path leads to? Another writer may have removed it between our open and our lock. */
static vv_status is_current(const vvi_file *file, bool *out, vv_error *err)
{
    uint64_t mine, there;
    vv_status status;

    VVI_TRY(vvi_file_identity(file, &mine, err));
    status = vvi_path_identity(file->path, &there, err);
    *out = !status && mine == there;
    return status == VV_ENOTFOUND ? VV_OK : status;
}

vv_status vvi_hdf5_journal_open(const char *path, vvi_file *out, vv_error *err)
{
    size_t len = strlen(path) + sizeof(VVI_H5_JOURNAL_SUFFIX);
    char *name = vvi_alloc(len);
    bool current = false;
    vv_status status = VV_OK;

    if (!name)
        return vvi_fail_nomem(err, len);
    snprintf(name, len, "%s%s", path, VVI_H5_JOURNAL_SUFFIX);
    for (int tries = 0; tries < 100 && !status && !current; tries++) {
        status = vvi_file_open(out, name, VVI_FILE_WRITE | VVI_FILE_CREATE, err);
        if (status)
            break;
        status = vvi_file_lock(out, VVI_LOCK_EXCLUSIVE, 0, err);
        if (status == VV_EBUSY)
            vvi_fail(err, VV_EBUSY, "%s: another writer has it open", path);
        if (!status)
            status = is_current(out, &current, err);
        if (status || !current)
            vvi_file_close(out);
    }
    if (!status && !current)
        status = vvi_fail(err, VV_EBUSY, "%s: others open and close it all the time",
                          path);
    vvi_free(name);
    return status;
}

static void let_go(vvi_file *journal)
{
    if (!vvi_file_is_open(journal))
        return;
    /* A child of a fork may have the file open too, and would go on to hold the lock. */
    (void)vvi_file_lock(journal, VVI_LOCK_NONE, 0, NULL);
    vvi_file_close(journal);
}

void vvi_hdf5_journal_end(vvi_file *journal)
{
    if (vvi_file_is_open(journal))
        (void)vvi_file_unlink(journal->path, NULL);
    let_go(journal);
}

void vvi_hdf5_journal_drop(vvi_file *journal)
{
    bool current;
    uint64_t size;

    /* Another may have taken its name. */
    if (vvi_file_is_open(journal) && !vvi_file_size(journal, &size, NULL) && !size &&
        !is_current(journal, &current, NULL) && current)
        (void)vvi_file_unlink(journal->path, NULL);
    let_go(journal);
}
