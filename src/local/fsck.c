/* Check of a store: what the file of the store, the pack files and their blocks say. */
#include "local/fsck.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/options.h"

#include <stdio.h>
#include <string.h>

vv_status vvi_fsck_found(vvi_fsck *f, vv_fsck_finding *finding, bool repaired,
                         vv_error *err, const char *format, ...)
{
    char message[VV_ERROR_MESSAGE_SIZE];
    va_list args;
    vv_status status = VV_OK;

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    finding->message = message;
    if (finding->kind != VV_FSCK_FILE || vvi_segment_number(finding->file))
        f->blocks_are_bad = true;
    f->result->findings++;
    f->result->repaired += repaired;
    f->harmless += !repaired && finding->kind == VV_FSCK_TORN_TAIL;
    if (f->opts.report)
        status = f->opts.report(f->opts.ctx, finding);
    return status ? vvi_fail(err, status, "stopped by the caller") : VV_OK;
}

static vv_status progress(vvi_fsck *f, vv_error *err)
{
    vv_progress p = { .what = "fsck",
                      .items_done = f->result->blocks_checked,
                      .bytes_done = f->result->bytes_checked,
                      .bytes_total = f->bytes_total };
    uint64_t now;
    vv_status status;

    if (!f->opts.progress || (now = vvi_now_ns()) < f->next_report_ns)
        return VV_OK;
    f->next_report_ns = now + 100000000u;
    status = f->opts.progress(f->opts.ctx, &p);
    return status ? vvi_fail(err, status, "stopped by the caller") : VV_OK;
}

typedef struct segments {
    uint64_t *numbers;
    size_t count;
} segments;

/* ---- repairs ------------------------------------------------------------------------------- */

/* What is read at once: a damaged stretch may be as long as its segment. */
#define WINDOW 262144

/* Copy bytes of a segment into a new file, and have them on the disk. */
static vv_status copy_out(const vvi_scan *scan, uint64_t from, uint64_t len,
                          const char *path, vv_error *err)
{
    uint8_t *window = vvi_alloc(WINDOW);
    vvi_file file = VVI_FILE_INIT;
    uint64_t done = 0;
    size_t got = 1;
    vv_status status;

    if (!window)
        return vvi_fail_nomem(err, WINDOW);
    status = vvi_file_open(&file, path,
                           VVI_FILE_WRITE | VVI_FILE_CREATE | VVI_FILE_TRUNCATE, err);
    for (; !status && done < len && got; done += got) {
        size_t want = len - done < WINDOW ? (size_t)(len - done) : WINDOW;

        status = vvi_file_read_at(&scan->file, from + done, window, want, &got, err);
        if (!status)
            status = vvi_file_write_at(&file, done, vvi_bytes(window, got), err);
    }
    if (!status)
        status = vvi_file_sync(&file, err);
    vvi_file_close(&file);
    vvi_free(window);
    return status;
}

/* Copy bytes of a segment to a file of their own, durably: whole under its name, or not at all. */
static vv_status quarantine(vvi_fsck *f, vvi_scan *scan, uint64_t from, uint64_t len,
                            vv_error *err)
{
    char *directory = vvi_path_join(f->directory, VVI_QUARANTINE);
    char segment[VVI_SEGMENT_NAME_MAX];
    char name[VVI_SEGMENT_NAME_MAX + 48];
    char *path = NULL;
    char *new_path = NULL;
    vv_status status;

    vvi_segment_name(scan->number, segment);
    snprintf(name, sizeof(name), "%s.at-%" PRIu64 ".new", segment, from);
    if (directory)
        new_path = vvi_path_join(directory, name);
    name[strlen(name) - strlen(".new")] = '\0';
    if (new_path)
        path = vvi_path_join(directory, name);
    status = path ? vvi_dir_make(directory, err) : vvi_fail_nomem(err, 1);
    if (!status)
        status = copy_out(scan, from, len, new_path, err);
    if (!status)
        status = vvi_file_rename(new_path, path, err);
    if (status && path)
        (void)vvi_file_unlink(new_path, NULL);
    if (!status)
        status = vvi_dir_sync(directory, err);
    if (!status)
        status = vvi_dir_sync(f->directory, err);
    vvi_free(path);
    vvi_free(new_path);
    vvi_free(directory);
    return status;
}

/* Take damaged bytes out of the log: a copy into quarantine, a void in their place. */
static vv_status take_out(vvi_fsck *f, vvi_scan *scan, uint64_t from, uint64_t len,
                          vv_error *err)
{
    VVI_TRY(quarantine(f, scan, from, len, err));
    f->index_is_bad = true;
    return vvi_local_write_void(f->self, scan->number, from, from + len, err);
}

/*
 * Bytes that do not check: an unfinished write rather than damage? Behind what was acknowledged
 * they are; and when no index says what was, at the very end of the log.
 */
static bool is_torn(const vvi_fsck *f, const vvi_scan *scan, const vvi_scanned *item,
                    bool last)
{
    if (!last || !f->alone || item->place + (item->len >> 3) <= f->trusted)
        return false;
    return f->index || vvi_place_offset(item->place) + item->len == scan->end;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* Does the data of a record match its CRC and its name? */
static vv_status check_block(vvi_fsck *f, vvi_scan *scan, const vvi_scanned *item,
                             const vv_cid *cid, bool *good, vv_error *err)
{
    uint64_t at = vvi_place_offset(item->place) + item->record.header_len;
    uint64_t left = item->record.data_len;
    uint8_t digest[VV_DIGEST_MAX];
    uint8_t *window = vvi_alloc(WINDOW);
    vv_hasher *hasher = NULL;
    uint32_t crc = 0;
    size_t got = 1;
    vv_status status;

    if (!window)
        return vvi_fail_nomem(err, WINDOW);
    status = vv_hasher_new(cid->hash, &hasher, err);
    if (status == VV_EUNSUPPORTED)
        status = VV_OK; /* the CRC alone speaks for it */
    while (!status && left && got) {
        size_t want = left < WINDOW ? (size_t)left : WINDOW;

        status = vvi_file_read_at(&scan->file, at, window, want, &got, err);
        crc = vv_crc32c(crc, vvi_bytes(window, got));
        if (!status && hasher)
            status = vv_hasher_update(hasher, vvi_bytes(window, got), err);
        at += got;
        left -= got;
    }
    *good = !left && crc == item->record.data_crc;
    if (!status && hasher && *good && cid->digest_len) {
        status = vv_hasher_finish(hasher, digest, cid->digest_len, err);
        if (status == VV_EINVAL) /* a digest longer than the function gives */
            *good = false, status = VV_OK;
        else
            *good = !status && memcmp(digest, cid->digest, cid->digest_len) == 0;
    }
    f->result->bytes_checked += item->record.data_len;
    vv_hasher_free(hasher);
    vvi_free(window);
    return status;
}

/* Up to seven zeros end a record; other bytes there harm no block. */
static vv_status check_padding(vvi_fsck *f, vvi_scan *scan, const vvi_scanned *item,
                               vv_error *err)
{
    static const uint8_t zeros[8];
    uint64_t at = vvi_place_offset(item->place) + item->record.header_len +
                  item->record.data_len;
    size_t len = (size_t)(vvi_pad8(item->record.data_len) - item->record.data_len);
    char file[VVI_SEGMENT_NAME_MAX];
    vv_fsck_finding finding = {
        .kind = VV_FSCK_DAMAGED_HEADER, .file = file, .offset = at, .length = len
    };
    uint8_t bytes[8];
    vvi_file rw = VVI_FILE_INIT;
    size_t got;
    vv_status status;

    if (!len || !vvi_record_is_block(&item->record))
        return VV_OK;
    VVI_TRY(vvi_file_read_at(&scan->file, at, bytes, len, &got, err));
    if (got == len && memcmp(bytes, zeros, len) == 0)
        return VV_OK;
    vvi_segment_name(scan->number, file);
    VVI_TRY(vvi_fsck_found(f, &finding, f->opts.repair, err,
                           "%s at %" PRIu64 ": bytes between two blocks are damaged",
                           file, at));
    if (!f->opts.repair)
        return VV_OK;
    VVI_TRY(vvi_file_open(&rw, scan->file.path, VVI_FILE_WRITE, err));
    status = vvi_file_write_at(&rw, at, vvi_bytes(zeros, len), err);
    if (!status)
        status = vvi_file_sync(&rw, err);
    vvi_file_close(&rw);
    return status;
}

static vv_status check_record(vvi_fsck *f, vvi_scan *scan, vvi_scanned *item, bool last,
                              vv_error *err)
{
    uint64_t offset = vvi_place_offset(item->place);
    char file[VVI_SEGMENT_NAME_MAX];
    char name[VV_CID_TEXT_MAX];
    bool good = true;
    vv_fsck_finding finding = { .kind = VV_FSCK_DAMAGED_BLOCK,
                                .file = file,
                                .offset = offset,
                                .length = item->len,
                                .has_cid = true };

    vvi_segment_name(scan->number, file);
    if (vvi_record_is_block(&item->record)) {
        f->result->blocks_checked++;
        vvi_record_cid(item->header, &finding.cid);
        if (!f->opts.quick)
            VVI_TRY(check_block(f, scan, item, &finding.cid, &good, err));
        VVI_TRY(progress(f, err));
    }
    if (good)
        VVI_TRY(check_padding(f, scan, item, err));
    if (good)
        return vvi_local_apply(f->self, &f->state, item->place, &item->record,
                               item->header, VVI_APPLY_REBUILD, err);
    vv_cid_format(&finding.cid, name);
    if (is_torn(f, scan, item, last)) {
        finding.kind = VV_FSCK_TORN_TAIL;
        VVI_TRY(vvi_fsck_found(f, &finding, f->opts.repair, err,
                               "%s at %" PRIu64 ": block %s was not written to its end",
                               file, offset, name));
    } else {
        VVI_TRY(vvi_fsck_found(f, &finding, f->opts.repair, err,
                               "%s at %" PRIu64 ": block %s is damaged", file, offset,
                               name));
    }
    return f->opts.repair ? take_out(f, scan, offset, item->len, err) : VV_OK;
}

/* Segment i ends here from now on: its successor, or a new index, says so. */
static vv_status end_segment(vvi_fsck *f, const segments *all, size_t i, uint64_t end,
                             vv_error *err)
{
    f->index_is_bad = true;
    if (i + 1 == all->count)
        return VV_OK;
    return vvi_local_write_segment(f->self, all->numbers[i + 1], all->numbers[i],
                                   end > VVI_SEGMENT_HEADER ? end : VVI_SEGMENT_HEADER,
                                   err);
}

static vv_status check_stretch(vvi_fsck *f, const segments *all, size_t i, vvi_scan *scan,
                               const vvi_scanned *item, vv_error *err)
{
    uint64_t offset = vvi_place_offset(item->place);
    char file[VVI_SEGMENT_NAME_MAX];
    bool last = i + 1 == all->count;
    bool at_end = offset + item->len == scan->end;
    bool torn = is_torn(f, scan, item, last);
    vv_fsck_finding finding = { .kind = torn ? VV_FSCK_TORN_TAIL : VV_FSCK_DAMAGED_HEADER,
                                .file = file,
                                .offset = offset,
                                .length = item->len };

    vvi_segment_name(scan->number, file);
    VVI_TRY(vvi_fsck_found(f, &finding, f->opts.repair, err,
                           torn ? "%s at %" PRIu64 ": %" PRIu64
                                  " bytes of an unfinished write"
                                : "%s at %" PRIu64 ": %" PRIu64 " bytes cannot be read",
                           file, offset, item->len));
    if (!f->opts.repair)
        return VV_OK;
    if (torn && at_end) {
        f->index_is_bad = true;
        return vvi_local_cut_segment(f->self, scan->number, offset, err);
    }
    if (at_end && (item->len < VVI_RECORD_FIXED || item->len % 8)) {
        /* the rest of a file that was cut: too little for a void */
        VVI_TRY(quarantine(f, scan, offset, item->len, err));
        VVI_TRY(vvi_local_cut_segment(f->self, scan->number, offset, err));
        return end_segment(f, all, i, offset, err);
    }
    return take_out(f, scan, offset, item->len, err);
}

/* ---- segments --------------------------------------------------------------------------------- */

/* What the next segment, or the index, says about where this one ends; 0: nobody knows. */
static vv_status known_end(vvi_fsck *f, const segments *all, size_t i, uint64_t *out,
                           vv_error *err)
{
    vvi_segment_header next;
    vv_status status;

    *out = 0;
    if (i + 1 == all->count) {
        if (vvi_place_segment(f->trusted) == all->numbers[i])
            *out = vvi_place_offset(f->trusted);
        return VV_OK;
    }
    status = vvi_local_read_segment(f->self, all->numbers[i + 1], &next, err);
    if (!status && next.previous == all->numbers[i] &&
        next.previous_end >= VVI_SEGMENT_HEADER)
        *out = next.previous_end;
    return status == VV_ECORRUPT ? VV_OK : status;
}

static vv_status check_length(vvi_fsck *f, const segments *all, size_t i,
                              const vvi_scan *scan, uint64_t end, vv_error *err)
{
    char file[VVI_SEGMENT_NAME_MAX];
    vv_fsck_finding finding = { .kind = VV_FSCK_FILE,
                                .file = file,
                                .offset = scan->size,
                                .length = end - scan->size };

    if (scan->size >= end)
        return VV_OK;
    vvi_segment_name(scan->number, file);
    VVI_TRY(vvi_fsck_found(f, &finding, f->opts.repair, err,
                           "%s is cut off: %" PRIu64 " bytes of %" PRIu64, file,
                           scan->size, end));
    return f->opts.repair ? end_segment(f, all, i, scan->size, err) : VV_OK;
}

static vv_status check_header(vvi_fsck *f, const segments *all, size_t i,
                              uint64_t size_before, vv_error *err)
{
    uint64_t number = all->numbers[i];
    char file[VVI_SEGMENT_NAME_MAX];
    vv_fsck_finding finding = { .kind = VV_FSCK_DAMAGED_HEADER,
                                .file = file,
                                .length = VVI_SEGMENT_HEADER };
    vvi_segment_header header;
    vv_error why = VV_ERROR_INIT;
    vv_status status = vvi_local_read_segment(f->self, number, &header, &why);

    if (!status)
        return VV_OK;
    if (status != VV_ECORRUPT)
        return vvi_fail(err, status, "%s", why.message);
    vvi_segment_name(number, file);
    VVI_TRY(vvi_fsck_found(f, &finding, f->opts.repair, err, "%s: its header is damaged",
                           file));
    if (!f->opts.repair)
        return VV_OK;
    return vvi_local_write_segment(f->self, number, i ? all->numbers[i - 1] : 0,
                                   size_before, err);
}

/* *size: of the segment before; becomes where this one ends. */
static vv_status check_segment(vvi_fsck *f, const segments *all, size_t i, uint64_t *size,
                               vv_error *err)
{
    uint64_t number = all->numbers[i];
    bool last = i + 1 == all->count;
    uint64_t end;
    uint64_t limit = UINT64_MAX;
    vvi_scan scan;
    vvi_scanned item;
    vv_status status;

    if (number > vvi_place_segment(f->limit))
        return VV_OK; /* made since the check began */
    VVI_TRY(known_end(f, all, i, &end, err));
    if (number == vvi_place_segment(f->limit))
        limit = vvi_place_offset(f->limit);
    else if (end && !last)
        limit = end;
    VVI_TRY(check_header(f, all, i, *size, err));
    VVI_TRY(vvi_scan_open(&scan, f->directory, &f->self->key, number, VVI_SEGMENT_HEADER,
                          limit, err));
    status = check_length(f, all, i, &scan, end, err);
    while (!status && !(status = vvi_scan_next(&scan, &item, err)))
        status = item.bad ? check_stretch(f, all, i, &scan, &item, err)
                          : check_record(f, &scan, &item, last, err);
    *size = scan.end;
    vvi_scan_close(&scan);
    return status == VV_ENOTFOUND ? VV_OK : status;
}

/* Segments at the end that were being made when the power went. */
static vv_status drop_unborn(vvi_fsck *f, segments *all, vv_error *err)
{
    while (f->alone && all->count > 1) {
        uint64_t number = all->numbers[all->count - 1];
        char file[VVI_SEGMENT_NAME_MAX];
        vv_fsck_finding finding = { .kind = VV_FSCK_TORN_TAIL, .file = file };
        bool unborn;

        VVI_TRY(vvi_local_is_unborn(f->self, number, f->trusted, &unborn, err));
        if (!unborn)
            return VV_OK;
        vvi_segment_name(number, file);
        VVI_TRY(vvi_fsck_found(f, &finding, f->opts.repair, err,
                               "%s was begun and never written to", file));
        if (f->opts.repair) {
            f->index_is_bad = true;
            VVI_TRY(vvi_local_remove_segment(f->self, number, err));
        }
        all->count--;
    }
    return VV_OK;
}

/* The last one may be gone altogether; that of another shows in the index. */
static vv_status check_last(vvi_fsck *f, const segments *all, vv_error *err)
{
    uint64_t wanted = f->trusted ? vvi_place_segment(f->trusted) : 0;
    char file[VVI_SEGMENT_NAME_MAX];
    vv_fsck_finding finding = { .kind = VV_FSCK_FILE, .file = file };

    if (wanted <= (all->count ? all->numbers[all->count - 1] : 0))
        return VV_OK;
    vvi_segment_name(wanted, file);
    f->index_is_bad = true;
    return vvi_fsck_found(f, &finding, f->opts.repair, err, "%s is missing", file);
}

static vv_status check_segments(vvi_fsck *f, vv_error *err)
{
    segments all;
    uint64_t size = 0;
    vv_status status;

    VVI_TRY(vvi_packs_list(f->directory, &all.numbers, &all.count, err));
    for (size_t i = 0; i < all.count; i++) {
        char name[VVI_SEGMENT_NAME_MAX];
        uint64_t bytes;
        char *path;

        vvi_segment_name(all.numbers[i], name);
        path = vvi_path_join(f->directory, name);
        if (path && !vvi_path_size(path, &bytes, NULL))
            f->bytes_total += bytes;
        vvi_free(path);
    }
    status = drop_unborn(f, &all, err);
    if (!status)
        status = check_last(f, &all, err);
    for (size_t i = 0; i < all.count && !status; i++)
        status = check_segment(f, &all, i, &size, err);
    vvi_free(all.numbers);
    return status;
}

/* ---- the file of the store ---------------------------------------------------------------------- */

/* The id as the pack files have it, when the file of the store has lost it. */
static vv_status key_from_packs(const char *directory, vvi_local_key *out, vv_error *err)
{
    uint64_t *numbers;
    size_t count;
    bool found = false;

    VVI_TRY(vvi_packs_list(directory, &numbers, &count, err));
    for (size_t i = 0; i < count && !found; i++) {
        char name[VVI_SEGMENT_NAME_MAX];
        vvi_segment_header header;
        vv_buf bytes = VV_BUF_INIT;
        vvi_file file = VVI_FILE_INIT;
        uint8_t head[VVI_SEGMENT_HEADER];
        size_t got = 0;
        char *path;

        vvi_segment_name(numbers[i], name);
        path = vvi_path_join(directory, name);
        if (path && !vvi_file_open(&file, path, VVI_FILE_READ, NULL) &&
            !vvi_file_read_at(&file, 0, head, sizeof(head), &got, NULL) &&
            !vvi_segment_header_decode(vvi_bytes(head, got), &header, NULL)) {
            vvi_local_key_init(out, header.id);
            found = true;
        }
        vvi_file_close(&file);
        vv_buf_clear(&bytes);
        vvi_free(path);
    }
    vvi_free(numbers);
    return found ? VV_OK
                 : vvi_fail(err, VV_ENOTFOUND, "no store in %s: 'varvite init' makes one",
                            directory);
}

static vv_status check_store_file(vvi_fsck *f, vvi_local_key *key, vv_error *err)
{
    vv_fsck_finding finding = { .kind = VV_FSCK_FILE,
                                .file = VVI_STORE_FILE,
                                .length = VVI_STORE_FILE_SIZE };
    uint8_t bytes[VVI_STORE_FILE_SIZE];
    vv_status status = vvi_local_read_key(f->directory, key, err);

    if (status != VV_ECORRUPT && status != VV_ENOTFOUND)
        return status;
    VVI_TRY(key_from_packs(f->directory, key, err));
    VVI_TRY(vvi_fsck_found(f, &finding, f->opts.repair, err, "%s is %s", VVI_STORE_FILE,
                           status == VV_ENOTFOUND ? "missing" : "damaged"));
    if (!f->opts.repair)
        return VV_OK;
    vvi_store_file_encode(key->id, bytes);
    return vvi_file_save(f->directory, VVI_STORE_FILE, vvi_bytes(bytes, sizeof(bytes)),
                         err);
}

/* ---- the whole ------------------------------------------------------------------------------------ */

/* A repair is alone with the store; a check only asks whether it is. */
static vv_status take_locks(vvi_fsck *f, vv_error *err)
{
    vvi_local *self = f->self;
    bool make = f->opts.repair;
    vv_status status;

    status = vvi_local_lock_opening(self, err);
    if (status && (status != VV_ENOTFOUND || make))
        return status;
    status = vvi_local_open_lock(f->directory, VVI_OPEN_LOCK, make, &self->open_lock,
                                 err);
    if (status == VV_ENOTFOUND && !make) {
        f->alone = true;
        return VV_OK;
    }
    if (status)
        return status;
    status = vvi_file_lock(&self->open_lock, VVI_LOCK_EXCLUSIVE, 0, err);
    f->alone = status == VV_OK;
    if (!f->alone)
        vvi_file_close(&self->opening);
    if (status == VV_EBUSY && !f->opts.repair)
        status = VV_OK;
    if (status == VV_EBUSY)
        return vvi_fail(err, VV_EBUSY, "%s is open elsewhere: a repair needs it alone",
                        f->directory);
    if (status)
        return status;
    status = vvi_local_open_lock(f->directory, VVI_WRITER_LOCK, make, &self->writer_lock,
                                 err);
    if (status == VV_ENOTFOUND && !make)
        return VV_OK;
    if (!status && f->opts.repair)
        status = vvi_file_lock(&self->writer_lock, VVI_LOCK_EXCLUSIVE, 1000, err);
    return status;
}

/* What the index file says before the log is read. */
static vv_status look_at_index(vvi_fsck *f, vv_error *err)
{
    vv_fsck_finding finding = { .kind = VV_FSCK_FILE, .file = VVI_INDEX_FILE };
    vv_error why = VV_ERROR_INIT;
    vvi_index_state state;
    vv_status status;

    f->limit = UINT64_MAX;
    status = vvi_index_open(f->directory, &f->self->key, false, &f->index, &why);
    if (status == VV_ENOTFOUND || status == VV_ECORRUPT) {
        f->index_is_bad = true;
        return vvi_fsck_found(f, &finding, f->opts.repair, err, "%s", why.message);
    }
    if (status)
        return vvi_fail(err, status, "%s", why.message);
    (void)vvi_index_get_state(f->index, &state);
    f->self->index = f->index; /* for the question; not owned */
    status = vvi_local_is_clean(f->self, &f->clean, err);
    f->self->index = NULL;
    if (!(state.flags & VVI_INDEX_UNSYNCED))
        f->trusted = state.indexed;
    if (!f->alone) {
        f->limit = state.indexed;
        f->clean = true;
    }
    return status == VV_ENOTFOUND ? VV_OK : status;
}

static vv_status run(vvi_fsck *f, vv_error *err)
{
    vvi_local_key key;

    VVI_TRY(check_store_file(f, &key, err));
    f->self->key = key;
    vvi_packs_init(&f->self->packs, f->self->directory, &key, 0);
    VVI_TRY(take_locks(f, err));
    VVI_TRY(look_at_index(f, err));
    VVI_TRY(vvi_local_start_private(f->self, &f->state, err));
    VVI_TRY(check_segments(f, err));
    if (f->index && !f->index_is_bad && f->clean)
        VVI_TRY(vvi_fsck_index(f, err));
    if (f->opts.repair && (f->index_is_bad || !f->clean || f->result->findings))
        VVI_TRY(vvi_local_rebuild(f->self, err));
    return VV_OK;
}

vv_status vv_local_fsck(const char *directory, const vv_fsck_options *options,
                        vv_fsck_result *out, vv_error *err)
{
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    vv_fsck_result result = { 0 };
    vvi_fsck f = { .result = &result, .directory = directory };
    vv_status status;

    if (!directory || !*directory)
        return vvi_fail(err, VV_EINVAL, "the directory of a store has no name");
    VVI_TRY(vvi_read_options(&f.opts, sizeof(f.opts), options, err));
    opts.segment_bytes = (uint64_t)1 << 30;
    opts.lock_timeout_ms = 10000;
    VVI_TRY(vvi_local_new(directory, &opts, &f.self, err));
    vvi_mutex_lock(&f.self->write_lock);
    status = run(&f, err);
    vvi_mutex_unlock(&f.self->write_lock);
    vvi_index_free(f.index);
    vvi_local_free(&f.self->base);
    if (out)
        *out = result;
    if (status)
        return status;
    if (result.findings - f.harmless > result.repaired)
        return vvi_fail(
            err, VV_ECORRUPT, "%s: %" PRIu64 " finding%s, %" PRIu64 " repaired",
            directory, result.findings, result.findings == 1 ? "" : "s", result.repaired);
    return VV_OK;
}
