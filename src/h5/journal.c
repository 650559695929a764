#include "h5/journal.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/endian.h"

#include <varvite/hash.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the record ---------------------------------------------------------------------------- */

static bool has_checksum(const uint8_t *bytes, size_t len)
{
    uint8_t sum[VV_BLAKE3_SIZE];

    vv_blake3(vvi_bytes(bytes, len - VV_BLAKE3_SIZE), sum);
    return memcmp(sum, bytes + len - VV_BLAKE3_SIZE, VV_BLAKE3_SIZE) == 0;
}

/* Is the journal that of this file? */
static vv_status belongs(const vvi_file *journal, const vvi_file *file, bool *out,
                         vv_error *err)
{
    uint8_t top[VVI_H5_JOURNAL_TOP];
    uint8_t id[VVI_H5_JOURNAL_ID];
    size_t got;

    *out = false;
    VVI_TRY(vvi_file_read_at(journal, 0, top, sizeof(top), &got, err));
    if (got < sizeof(top) || memcmp(top, VVI_H5_JOURNAL_MAGIC, 8) != 0 ||
        !has_checksum(top, sizeof(top)))
        return VV_OK;
    if (vvi_get_le64(top + 8) > INT64_MAX - sizeof(id))
        return VV_OK;
    VVI_TRY(vvi_file_read_at(file, vvi_get_le64(top + 8), id, sizeof(id), &got, err));
    *out = got == sizeof(id) && memcmp(id, top + 16, sizeof(id)) == 0;
    return VV_OK;
}

/* Do the lengths that a record states add up to its own? */
static bool adds_up(const vvi_h5_commit *commit, uint64_t writes, uint64_t spaces)
{
    const uint8_t *entry = commit->record.data + VVI_H5_JOURNAL_HEAD;
    uint64_t left = commit->record.len - VVI_H5_JOURNAL_HEAD - VV_BLAKE3_SIZE;

    if (writes > left / VVI_H5_JOURNAL_ENTRY || spaces > left / VVI_H5_JOURNAL_ENTRY ||
        writes + spaces > left / VVI_H5_JOURNAL_ENTRY)
        return false;
    left -= (writes + spaces) * VVI_H5_JOURNAL_ENTRY;
    for (uint64_t i = 0; i < writes + spaces; i++, entry += VVI_H5_JOURNAL_ENTRY) {
        uint64_t address = vvi_get_le64(entry), len = vvi_get_le64(entry + 8);

        if (len > INT64_MAX || address > INT64_MAX - len)
            return false;
        if (i >= writes)
            continue;
        if (len > left)
            return false;
        left -= len;
    }
    return left == 0;
}

static vv_status read_record(const vvi_file *journal, vvi_h5_commit *out, vv_error *err)
{
    uint8_t head[VVI_H5_JOURNAL_HEAD];
    uint64_t size, total;
    size_t got;

    VVI_TRY(vvi_file_size(journal, &size, err));
    VVI_TRY(
        vvi_file_read_at(journal, VVI_H5_JOURNAL_RECORD, head, sizeof(head), &got, err));
    if (got < sizeof(head) || memcmp(head, VVI_H5_JOURNAL_RECORD_MAGIC, 8) != 0)
        return VV_OK;
    total = vvi_get_le64(head + 40);
    if (total < VVI_H5_JOURNAL_HEAD + VV_BLAKE3_SIZE ||
        total > size - VVI_H5_JOURNAL_RECORD)
        return VV_OK;
    VVI_TRY(vvi_buf_reserve(&out->record, (size_t)total, err));
    VVI_TRY(vvi_file_read_at(journal, VVI_H5_JOURNAL_RECORD, out->record.data,
                             (size_t)total, &got, err));
    out->record.len = got;
    /* The head again: it may be another one by now. */
    if (got < total || vvi_get_le64(out->record.data + 40) != total ||
        !has_checksum(out->record.data, got) ||
        !adds_up(out, vvi_get_le64(out->record.data + 24),
                 vvi_get_le64(out->record.data + 32)))
        return VV_OK;
    out->seq = vvi_get_le64(out->record.data + 8);
    out->end = vvi_get_le64(out->record.data + 16);
    out->write_count = (size_t)vvi_get_le64(out->record.data + 24);
    out->space_count = (size_t)vvi_get_le64(out->record.data + 32);
    return VV_OK;
}

vv_status vvi_h5_commit_read(const vvi_file *journal, const vvi_file *file,
                             vvi_h5_commit *out, vv_error *err)
{
    bool ours;
    vv_status status;

    memset(out, 0, sizeof(*out));
    status = belongs(journal, file, &ours, err);
    if (!status && ours)
        status = read_record(journal, out, err);
    if (status || !out->seq)
        vvi_h5_commit_clear(out);
    return status;
}

void vvi_h5_commit_clear(vvi_h5_commit *commit)
{
    vv_buf_clear(&commit->record);
    memset(commit, 0, sizeof(*commit));
}

static const uint8_t *entry_of(const vvi_h5_commit *commit, size_t i)
{
    return commit->record.data + VVI_H5_JOURNAL_HEAD + i * VVI_H5_JOURNAL_ENTRY;
}

bool vvi_h5_commit_next(const vvi_h5_commit *commit, vvi_h5_commit_cursor *cursor,
                        uint64_t *address, vv_bytes *bytes)
{
    const uint8_t *data = entry_of(commit, commit->write_count + commit->space_count);
    const uint8_t *entry;

    if (cursor->i == commit->write_count)
        return false;
    entry = entry_of(commit, cursor->i++);
    *address = vvi_get_le64(entry);
    *bytes = vvi_bytes(data + cursor->at, (size_t)vvi_get_le64(entry + 8));
    cursor->at += bytes->len;
    return true;
}

void vvi_h5_commit_space(const vvi_h5_commit *commit, size_t i, uint64_t *address,
                         uint64_t *len)
{
    const uint8_t *entry = entry_of(commit, commit->write_count + i);

    *address = vvi_get_le64(entry);
    *len = vvi_get_le64(entry + 8);
}

/* ---- the overlay --------------------------------------------------------------------------- */

static int by_address(const void *a, const void *b)
{
    const vvi_h5_piece *x = a, *y = b;

    return x->address < y->address ? -1 : x->address > y->address;
}

/* Where the writes go, without overlaps: those that touch become one piece. */
static vv_status make_pieces(const vvi_h5_commit *commit, vvi_h5_overlay *out,
                             vv_error *err)
{
    size_t total = 0, n = 0;

    out->pieces = vvi_alloc_array_zero(commit->write_count, sizeof(*out->pieces));
    if (!out->pieces)
        return vvi_fail_nomem(err, commit->write_count * sizeof(*out->pieces));
    for (size_t i = 0; i < commit->write_count; i++) {
        const uint8_t *entry = entry_of(commit, i);

        out->pieces[i].address = vvi_get_le64(entry);
        out->pieces[i].len = (size_t)vvi_get_le64(entry + 8);
    }
    qsort(out->pieces, commit->write_count, sizeof(*out->pieces), by_address);
    for (size_t i = 0; i < commit->write_count; i++) {
        vvi_h5_piece *last = n ? &out->pieces[n - 1] : NULL;
        const vvi_h5_piece one = out->pieces[i];

        if (!last || one.address > last->address + last->len)
            out->pieces[n++] = one;
        else if (one.address + one.len > last->address + last->len)
            last->len = (size_t)(one.address + one.len - last->address);
    }
    out->count = n;
    for (size_t i = 0; i < n; i++) {
        out->pieces[i].at = total;
        total += out->pieces[i].len;
    }
    VVI_TRY(vvi_buf_reserve(&out->bytes, total, err));
    out->bytes.len = total;
    return VV_OK;
}

/* The last piece that begins at or before an address; count when there is none. */
static size_t piece_before(const vvi_h5_overlay *overlay, uint64_t address)
{
    size_t lo = 0, hi = overlay->count;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (overlay->pieces[mid].address <= address)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo ? lo - 1 : overlay->count;
}

static vv_status fill_pieces(const vvi_h5_commit *commit, vvi_h5_overlay *out,
                             vv_error *err)
{
    vvi_h5_commit_cursor cursor = { 0, 0 };
    uint64_t address;
    vv_bytes bytes;

    if (!commit->write_count)
        return VV_OK;
    VVI_TRY(make_pieces(commit, out, err));
    while (vvi_h5_commit_next(commit, &cursor, &address, &bytes)) {
        const vvi_h5_piece *piece = &out->pieces[piece_before(out, address)];

        if (bytes.len)
            memcpy(out->bytes.data + piece->at + (address - piece->address), bytes.data,
                   bytes.len);
    }
    return VV_OK;
}

vv_status vvi_h5_overlay_make(const vvi_h5_commit *commit, vvi_h5_overlay *overlay,
                              vv_error *err)
{
    vv_status status;

    vvi_h5_overlay_clear(overlay);
    if (!commit->seq)
        return VV_OK;
    status = fill_pieces(commit, overlay, err);
    overlay->seq = commit->seq;
    if (status)
        vvi_h5_overlay_clear(overlay);
    return status;
}

vv_status vvi_h5_overlay_read(const char *path, const vvi_file *file,
                              vvi_h5_overlay *overlay, vv_error *err)
{
    vvi_file journal = VVI_FILE_INIT;
    vv_buf name = VV_BUF_INIT;
    vvi_h5_commit commit;
    char *real = vvi_path_real(
        path); /* it stands beside the file, not beside a link to it */
    vv_status status;

    vvi_h5_overlay_clear(overlay);
    if (!real)
        return vvi_fail_nomem(err, strlen(path));
    status = vvi_buf_printf(&name, err, "%s%s", real, VVI_H5_JOURNAL_SUFFIX);
    vvi_free(real);
    if (!status)
        status = vvi_buf_terminate(&name, err);
    if (!status)
        status = vvi_file_open(&journal, (const char *)name.data, VVI_FILE_READ, err);
    vv_buf_clear(&name);
    if (status)
        return status == VV_ENOTFOUND ? VV_OK : status;
    status = vvi_h5_commit_read(&journal, file, &commit, err);
    vvi_file_close(&journal);
    if (status)
        return status;
    status = vvi_h5_overlay_make(&commit, overlay, err);
    vvi_h5_commit_clear(&commit);
    return status;
}

void vvi_h5_overlay_clear(vvi_h5_overlay *overlay)
{
    vvi_free(overlay->pieces);
    vv_buf_clear(&overlay->bytes);
    memset(overlay, 0, sizeof(*overlay));
}

void vvi_h5_overlay_apply(const vvi_h5_overlay *overlay, uint64_t offset, void *bytes,
                          size_t len)
{
    size_t i = piece_before(overlay, offset);

    if (i == overlay->count)
        i = 0;
    for (; i < overlay->count && overlay->pieces[i].address < offset + len; i++) {
        const vvi_h5_piece *piece = &overlay->pieces[i];
        uint64_t from = piece->address > offset ? piece->address : offset;
        uint64_t to = piece->address + piece->len < offset + len
                          ? piece->address + piece->len
                          : offset + len;

        if (from < to)
            memcpy((uint8_t *)bytes + (from - offset),
                   overlay->bytes.data + piece->at + (from - piece->address),
                   (size_t)(to - from));
    }
}
