/*
 * Opening after whatever happened: the tail of the log that the index may lack is read again,
 * and an index that is gone or damaged is made anew.
 */
#include "local/store.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

typedef struct replay {
    vvi_local *self;
    vvi_index_state *state;
    vvi_apply_mode mode;
    bool writable;     /* the files may be mended */
    vvi_place trusted; /* acknowledged up to here: what is wrong before it is damage */
    uint64_t *numbers; /* of the pack files from the start on */
    size_t count;
    uint64_t last_end; /* where the records of the segment before end */
    bool lost;         /* bytes were found that are no records, past trusted */
    bool cut;          /* the log ends before trusted */
    bool holes; /* and records behind them: what those say may refer to what was lost */
} replay;

static char *segment_path(const vvi_local *self, uint64_t number)
{
    char name[VVI_SEGMENT_NAME_MAX];

    vvi_segment_name(number, name);
    return vvi_path_join(self->directory, name);
}

vv_status vvi_local_read_segment(vvi_local *self, uint64_t number,
                                 vvi_segment_header *out, vv_error *err)
{
    uint8_t bytes[VVI_SEGMENT_HEADER];
    char *path = segment_path(self, number);
    vvi_file file = VVI_FILE_INIT;
    size_t got = 0;
    vv_status status;

    if (!path)
        return vvi_fail_nomem(err, 1);
    status = vvi_file_open(&file, path, VVI_FILE_READ, err);
    if (!status)
        status = vvi_file_read_at(&file, 0, bytes, sizeof(bytes), &got, err);
    if (!status)
        status = vvi_segment_header_decode(vvi_bytes(bytes, got), out, err);
    if (!status && (out->number != number || memcmp(out->id, self->key.id, 16) != 0))
        status = vvi_fail(err, VV_ECORRUPT, "a pack file of another store");
    if (status)
        vvi_wrap(err, status, "%s", path);
    vvi_file_close(&file);
    vvi_free(path);
    return status;
}

/* Make the first or the next segment, empty. */
vv_status vvi_local_write_segment(vvi_local *self, uint64_t number, uint64_t previous,
                                  uint64_t previous_end, vv_error *err)
{
    vvi_segment_header header = { .number = number,
                                  .previous = previous,
                                  .previous_end = previous_end };
    uint8_t bytes[VVI_SEGMENT_HEADER];
    char *path = segment_path(self, number);
    vvi_file file = VVI_FILE_INIT;
    vv_status status;

    if (!path)
        return vvi_fail_nomem(err, 1);
    memcpy(header.id, self->key.id, sizeof(header.id));
    vvi_segment_header_encode(&header, bytes);
    status = vvi_file_open(&file, path, VVI_FILE_WRITE | VVI_FILE_CREATE, err);
    if (!status)
        status = vvi_file_write_at(&file, 0, vvi_bytes(bytes, sizeof(bytes)), err);
    if (!status)
        status = vvi_file_sync(&file, err);
    if (!status)
        status = vvi_dir_sync(self->directory, err);
    vvi_file_close(&file);
    vvi_free(path);
    return status;
}

/* ---- the end of the log ------------------------------------------------------------------ */

/* Overwrite the first bytes of an unfinished write, behind which whole records follow. */
vv_status vvi_local_write_void(vvi_local *self, uint64_t number, uint64_t from,
                               uint64_t to, vv_error *err)
{
    uint8_t header[VVI_RECORD_HEADER_MAX];
    char *path = segment_path(self, number);
    vvi_file file = VVI_FILE_INIT;
    vv_status status;
    vv_cid none;

    if (!path)
        return vvi_fail_nomem(err, 1);
    memset(&none, 0, sizeof(none));
    status = vvi_file_open(&file, path, VVI_FILE_WRITE, err);
    while (!status && to - from >= VVI_RECORD_FIXED) {
        uint64_t len = to - from < VV_BLOCK_BYTES_MAX ? to - from : VV_BLOCK_BYTES_MAX;
        size_t n = vvi_record_encode(VVI_RECORD_VOID, &none, len - VVI_RECORD_FIXED, 0,
                                     header);

        vvi_record_set_check(header, &self->key, vvi_place_of(number, from));
        status = vvi_file_write_at(&file, from, vvi_bytes(header, n), err);
        from += len;
    }
    if (!status && from < to) {
        memset(header, 0, VVI_RECORD_FIXED);
        status = vvi_file_write_at(&file, from, vvi_bytes(header, (size_t)(to - from)),
                                   err);
    }
    if (!status)
        status = vvi_file_sync(&file, err);
    vvi_file_close(&file);
    vvi_free(path);
    return status;
}

vv_status vvi_local_cut_segment(vvi_local *self, uint64_t number, uint64_t end,
                                vv_error *err)
{
    char *path = segment_path(self, number);
    vvi_file file = VVI_FILE_INIT;
    vv_status status;

    if (!path)
        return vvi_fail_nomem(err, 1);
    status = vvi_file_open(&file, path, VVI_FILE_WRITE, err);
    if (!status)
        status = vvi_file_truncate(&file, end, err);
    if (!status)
        status = vvi_file_sync(&file, err);
    vvi_file_close(&file);
    vvi_free(path);
    return status;
}

/* ---- one segment ------------------------------------------------------------------------- */

/*
 * Segments but the last were synced up to the end that the next one names before that one was
 * made: what is wrong in them is damage, left as it is for fsck, and their blocks go into the
 * index so that asking for them says "damaged", not "missing".
 */
static vv_status replay_record(replay *r, vvi_scan *scan, vvi_scanned *item, bool sealed,
                               uint64_t *gap, vv_error *err)
{
    uint64_t offset = vvi_place_offset(item->place);
    bool trusted = sealed || item->place + (item->len >> 3) <= r->trusted;
    bool whole = !item->bad;

    if (whole && !sealed)
        VVI_TRY(vvi_scan_check(scan, item, &whole, err));
    if (item->bad && trusted)
        return VV_OK;
    if (!whole && !trusted) {
        if (!*gap)
            *gap = offset;
        r->lost = true;
        return VV_OK;
    }
    r->holes |= *gap != 0;
    if (*gap && r->writable && r->mode == VVI_APPLY_GOING_ON)
        VVI_TRY(vvi_local_write_void(r->self, scan->number, *gap, offset, err));
    *gap = 0;
    return vvi_local_apply(r->self, r->state, item->place, &item->record, item->header,
                           r->mode, err);
}

/*
 * A segment whose records reached the disk and whose header did not: nothing of it was
 * acknowledged, or a bit flipped in it. Its records are kept either way.
 */
static vv_status mend_header(const replay *r, size_t i, vv_error *err)
{
    vvi_segment_header header;
    uint64_t number = r->numbers[i];
    vv_status status;

    if (!i || !r->writable || number <= vvi_place_segment(r->trusted))
        return VV_OK;
    status = vvi_local_read_segment(r->self, number, &header, err);
    if (status != VV_ECORRUPT)
        return status;
    return vvi_local_write_segment(r->self, number, r->numbers[i - 1], r->last_end, err);
}

vv_status vvi_local_sealed_end(vvi_local *self, uint64_t number, uint64_t successor,
                               uint64_t *out, vv_error *err)
{
    vvi_segment_header next;
    vv_status status = vvi_local_read_segment(self, successor, &next, err);

    *out = UINT64_MAX;
    if (!status && next.previous == number && next.previous_end >= VVI_SEGMENT_HEADER)
        *out = next.previous_end;
    return status == VV_ECORRUPT || status == VV_ENOTFOUND ? VV_OK : status;
}

/* The last segment was read up to stop, or to its end: the log goes on from there. */
static vv_status end_log(replay *r, uint64_t number, uint64_t gap, uint64_t from,
                         uint64_t stop, vv_error *err)
{
    r->cut = stop < from;
    if (stop < from)
        stop = from;
    if (gap)
        stop = gap;
    r->state->written = vvi_place_of(number, stop);
    r->cut |= r->state->written < r->trusted;
    if (!gap || !r->writable || r->cut)
        return VV_OK;
    if (r->mode == VVI_APPLY_GOING_ON && !(r->state->flags & VVI_INDEX_ROLL))
        return vvi_local_cut_segment(r->self, number, gap, err);
    /* Without an index there is no knowing what was acknowledged: nothing is cut. */
    r->state->flags |= VVI_INDEX_ROLL;
    return VV_OK;
}

static vv_status replay_segment(replay *r, size_t i, uint64_t from, vv_error *err)
{
    uint64_t number = r->numbers[i];
    bool last = i + 1 == r->count;
    uint64_t gap = 0;
    uint64_t end = UINT64_MAX;
    vvi_scanned item;
    vvi_scan scan;
    vv_status status;

    VVI_TRY(mend_header(r, i, err));
    if (!last)
        VVI_TRY(vvi_local_sealed_end(r->self, number, r->numbers[i + 1], &end, err));
    r->holes |= i > 0 && number != r->numbers[i - 1] + 1;
    VVI_TRY(
        vvi_scan_open(&scan, r->self->directory, &r->self->key, number, from, end, err));
    r->last_end = from;
    while (!(status = vvi_scan_next(&scan, &item, err))) {
        if (!item.bad)
            r->last_end = vvi_place_offset(item.place) + item.len;
        status = replay_record(r, &scan, &item, !last, &gap, err);
        if (status)
            break;
    }
    if (status == VV_ENOTFOUND)
        status = VV_OK;
    if (!status && last)
        status = end_log(r, number, gap, from, scan.end, err);
    vvi_scan_close(&scan);
    return status;
}

vv_status vvi_local_is_unborn(vvi_local *self, uint64_t number, vvi_place trusted,
                              bool *out, vv_error *err)
{
    vvi_segment_header header;
    vvi_scanned item;
    vvi_scan scan;
    vv_error why = VV_ERROR_INIT;
    vv_status status = vvi_local_read_segment(self, number, &header, &why);
    bool whole = false;

    *out = false;
    if (!status || number <= vvi_place_segment(trusted))
        return VV_OK;
    if (status != VV_ECORRUPT)
        return vvi_fail(err, status, "%s", why.message);
    VVI_TRY(vvi_scan_open(&scan, self->directory, &self->key, number, VVI_SEGMENT_HEADER,
                          UINT64_MAX, err));
    while (!whole && !(status = vvi_scan_next(&scan, &item, err)))
        whole = !item.bad;
    vvi_scan_close(&scan);
    *out = !whole;
    return status == VV_ENOTFOUND ? VV_OK : status;
}

vv_status vvi_local_remove_segment(vvi_local *self, uint64_t number, vv_error *err)
{
    char *path = segment_path(self, number);
    vv_status status;

    if (!path)
        return vvi_fail_nomem(err, 1);
    status = vvi_file_unlink(path, err);
    vvi_free(path);
    return status;
}

/* Nothing was acknowledged of a last segment that was being made when the power went. */
static vv_status drop_unborn(replay *r, vv_error *err)
{
    bool unborn = true;

    while (r->count > 1 && unborn) {
        uint64_t number = r->numbers[r->count - 1];
        vv_status status = vvi_local_is_unborn(r->self, number, r->trusted, &unborn, err);

        if (!status && unborn && r->writable && r->mode == VVI_APPLY_GOING_ON)
            status = vvi_local_remove_segment(r->self, number, err);
        if (status && status != VV_ENOTFOUND)
            return status;
        r->count -= unborn;
    }
    return VV_OK;
}

/* A first segment that was being made when the power went has no header yet. */
static vv_status finish_first(replay *r, vv_error *err)
{
    vvi_segment_header header;
    uint64_t size = 0;
    char *path;
    vv_status status;

    if (r->count != 1 || !r->writable)
        return VV_OK;
    status = vvi_local_read_segment(r->self, r->numbers[0], &header, err);
    if (status != VV_ECORRUPT)
        return status;
    path = segment_path(r->self, r->numbers[0]);
    if (!path)
        return vvi_fail_nomem(err, 1);
    status = vvi_path_size(path, &size, err);
    vvi_free(path);
    if (status || size > VVI_SEGMENT_HEADER)
        return status;
    return vvi_local_write_segment(r->self, r->numbers[0], 0, 0, err);
}

/* ---- the log ----------------------------------------------------------------------------- */

/* Apply everything from a place on, and find where the log ends. */
static vv_status replay_log(replay *r, vvi_place from, vv_error *err)
{
    uint64_t first = vvi_place_segment(from);
    uint64_t *all = NULL;
    size_t count;
    size_t skip = 0;
    vv_status status;

    VVI_TRY(vvi_packs_list(r->self->directory, &all, &count, err));
    while (skip < count && all[skip] < first)
        skip++;
    r->numbers = skip ? all + skip : all;
    r->count = count - skip;
    status = drop_unborn(r, err);
    if (!status)
        status = finish_first(r, err);
    /* The data first: what is in the index must be on the disk. */
    if (!status && r->writable && r->count)
        status = vvi_local_sync_log(r->self, vvi_place_of(r->numbers[0], 0),
                                    vvi_place_of(r->numbers[r->count - 1], 0), err);
    if (!r->count) {
        r->state->written = from;
        r->cut = true;
    }
    for (size_t i = 0; i < r->count && !status; i++)
        status = replay_segment(
            r, i, r->numbers[i] == first ? vvi_place_offset(from) : VVI_SEGMENT_HEADER,
            err);
    r->state->indexed = r->state->written;
    vvi_free(all);
    return status;
}

vv_status vvi_local_start_private(vvi_local *self, vvi_index_state *state, vv_error *err)
{
    vvi_index *index;

    VVI_TRY(vvi_index_new(&self->key, VVI_INDEX_SLOTS_MIN, &index, err));
    *state = (vvi_index_state){ .indexed = vvi_place_of(1, VVI_SEGMENT_HEADER) };
    state->written = state->durable = state->indexed;
    vvi_index_set_state(index, state);
    vvi_local_use_index(self, index);
    return VV_OK;
}

/* The index in memory becomes the file, and the file is what is used from then on. */
static vv_status save_index(vvi_local *self, vvi_index_state *state, vv_error *err)
{
    vvi_index *mapped;

    state->durable = state->indexed;
    state->durable_count = state->count;
    state->durable_bytes = state->bytes;
    vvi_index_set_state(self->index, state);
    VVI_TRY(vvi_index_save(self->index, self->directory, err));
    VVI_TRY(vvi_index_open(self->directory, &self->key, true, &mapped, err));
    vvi_local_use_index(self, mapped);
    return VV_OK;
}

/* A new index. again: from there on a sync failed, so that the log is written again; or EMPTY. */
static vv_status rebuild(vvi_local *self, vvi_place again, vv_error *err)
{
    vvi_index_state state;
    bool whole;
    replay r = {
        .self = self, .state = &state, .mode = VVI_APPLY_REBUILD, .writable = true
    };

    VVI_TRY(vvi_local_start_private(self, &state, err));
    VVI_TRY(replay_log(&r, vvi_place_of(1, VVI_SEGMENT_HEADER), err));
    if (!r.count)
        VVI_TRY(vvi_local_write_segment(self, 1, 0, 0, err));
    if (again != VVI_PLACE_EMPTY) {
        VVI_TRY(vvi_local_rewrite_log(self, again, state.indexed, &whole, err));
        VVI_TRY(vvi_local_sync_log(self, again, state.indexed, err));
    }
    return save_index(self, &state, err);
}

vv_status vvi_local_rebuild(vvi_local *self, vv_error *err)
{
    return rebuild(self, VVI_PLACE_EMPTY, err);
}

/* ---- what open.c calls ------------------------------------------------------------------- */

vv_status vvi_local_is_clean(vvi_local *self, bool *out, vv_error *err)
{
    char name[VVI_SEGMENT_NAME_MAX];
    vvi_index_state state;
    uint64_t *numbers;
    uint64_t size;
    size_t count;
    uint64_t last;
    char *path;
    vv_status status;

    *out = false;
    if (!self->index || !vvi_index_get_state(self->index, &state) || state.flags ||
        vvi_index_is_moving(self->index) || state.durable != state.indexed ||
        state.indexed != state.written)
        return VV_OK;
    VVI_TRY(vvi_packs_list(self->directory, &numbers, &count, err));
    last = count ? numbers[count - 1] : 0;
    vvi_free(numbers);
    if (last != vvi_place_segment(state.written))
        return VV_OK;
    vvi_segment_name(last, name);
    path = vvi_path_join(self->directory, name);
    if (!path)
        return vvi_fail_nomem(err, 1);
    status = vvi_path_size(path, &size, err);
    vvi_free(path);
    *out = !status && size == vvi_place_offset(state.written);
    return status;
}

/* What was acknowledged and synced is gone: no crash does that. */
static vv_status fail_cut(const vvi_local *self, const vvi_index_state *state,
                          vvi_place trusted, vv_error *err)
{
    vvi_place end = trusted > state->durable ? trusted : state->durable;
    char name[VVI_SEGMENT_NAME_MAX];

    vvi_segment_name(vvi_place_segment(end), name);
    return vvi_fail(err, VV_ECORRUPT,
                    "%s: %s is missing or cut off: it held records up to byte %" PRIu64
                    "; see fsck",
                    self->directory, name, vvi_place_offset(end));
}

/* What the index says past its durable place counts for nothing; the log says it again. */
static vv_status replay_tail(vvi_local *self, vv_error *err)
{
    vvi_index_state state;
    replay r = {
        .self = self, .state = &state, .mode = VVI_APPLY_GOING_ON, .writable = true
    };

    (void)vvi_index_get_state(self->index, &state);
    if (!(state.flags & VVI_INDEX_UNSYNCED))
        r.trusted = state.indexed;
    vvi_index_forget_from(self->index, state.durable, &state.used);
    state.count = state.durable_count;
    state.bytes = state.durable_bytes;
    state.indexed = state.durable;
    VVI_TRY(replay_log(&r, state.durable, err));
    if (r.cut)
        return fail_cut(self, &state, r.trusted, err);
    /* Deletions without their blocks, or the other way round: only counting anew is right. After
     * a power cut the log may be shorter than the index knew, and end in a whole record. */
    if (r.holes || (state.flags & VVI_INDEX_UNSYNCED &&
                    (r.lost || !vvi_index_is_of_this_boot(self->index))))
        return rebuild(
            self, state.flags & VVI_INDEX_REWRITE ? state.durable : VVI_PLACE_EMPTY, err);
    vvi_index_set_moving(self->index, false);
    state.flags |=
        VVI_INDEX_UNSYNCED; /* so that the checkpoint syncs what was mended too */
    return vvi_local_checkpoint(self, &state, err);
}

vv_status vvi_local_recover(vvi_local *self, bool first, vv_error *err)
{
    vvi_index *index;
    bool clean;
    vv_status status = vvi_index_open(self->directory, &self->key, true, &index, err);

    if (status == VV_ENOTFOUND || status == VV_ECORRUPT)
        return vvi_local_rebuild(self, err);
    if (status)
        return status;
    vvi_local_use_index(self, index);
    if (!first)
        return VV_OK;
    VVI_TRY(vvi_local_is_clean(self, &clean, err));
    return clean ? VV_OK : replay_tail(self, err);
}

vv_status vvi_local_read_privately(vvi_local *self, vv_error *err)
{
    vvi_index_state state;
    replay r = { .self = self, .state = &state, .mode = VVI_APPLY_REBUILD };
    vv_status status;

    if (!self->is_private) {
        VVI_TRY(vvi_local_start_private(self, &state, err));
        self->is_private = true;
        /* A private reader is unknown to writers, who may cut what it reads: nothing is lent. */
        self->packs.map_bytes = 0;
    } else {
        (void)vvi_index_get_state(self->index, &state);
    }
    r.trusted = state.indexed;
    status = replay_log(&r, state.written, err);
    if (!status)
        vvi_index_set_state(self->index, &state);
    return status;
}
