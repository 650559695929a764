/*
 * Compaction: live blocks of a mostly dead segment are appended again, and the segment removed.
 * In that order, with log and index synced in between: at any moment a whole copy is named by
 * whatever of the index survives.
 */
#include "local/store.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

/* A segment is rewritten when at most this share of it is alive: a half. */
#define LIVE_SHARE 2

typedef struct survey {
    uint64_t number;
    uint64_t size; /* of the file */
    uint64_t live; /* bytes of records that must be kept */
    bool damaged;  /* left alone: fsck decides */
} survey;

static vv_status is_live(vvi_local *self, const vvi_scanned *item, bool *out,
                         vv_error *err)
{
    uint64_t tag = vvi_tag_of_header(&self->key, item->header);
    vvi_place now;

    VVI_TRY(vvi_local_place_of(self, item->header, tag, &now, err));
    *out = now == item->place;
    return VV_OK;
}

/* A deletion is needed while an older segment may hold the block, and the block is not back. */
static vv_status is_needed(vvi_local *self, const vvi_scanned *item, bool has_older,
                           bool *out, vv_error *err)
{
    uint64_t tag = vvi_tag_of_header(&self->key, item->header);
    vvi_place now;

    *out = false;
    if (!has_older)
        return VV_OK;
    VVI_TRY(vvi_local_place_of(self, item->header, tag, &now, err));
    *out = now == VVI_PLACE_EMPTY;
    return VV_OK;
}

static vv_status must_keep(vvi_local *self, const vvi_scanned *item, bool has_older,
                           bool *out, vv_error *err)
{
    *out = false;
    if (item->record.kind == VVI_RECORD_VOID)
        return VV_OK;
    return vvi_record_is_block(&item->record)
               ? is_live(self, item, out, err)
               : is_needed(self, item, has_older, out, err);
}

/* Where the records of a segment end, as far as the index goes. */
static vv_status records_end(vvi_local *self, const vvi_index_state *state,
                             uint64_t number, uint64_t *out, vv_error *err)
{
    *out = vvi_place_offset(state->indexed);
    return number == vvi_place_segment(state->indexed)
               ? VV_OK
               : vvi_local_sealed_end(self, number, number + 1, out, err);
}

static vv_status look_through(vvi_local *self, const vvi_index_state *state,
                              bool has_older, survey *out, vv_error *err)
{
    uint64_t end;
    vvi_scan scan;
    vvi_scanned item;
    vv_status status;

    VVI_TRY(records_end(self, state, out->number, &end, err));
    VVI_TRY(vvi_scan_open(&scan, self->directory, &self->key, out->number,
                          VVI_SEGMENT_HEADER, end, err));
    out->size = scan.size;
    while (!(status = vvi_scan_next(&scan, &item, err))) {
        bool keep = false;

        out->damaged |= item.bad;
        if (!item.bad)
            status = must_keep(self, &item, has_older, &keep, err);
        if (status)
            break;
        if (keep)
            out->live += item.len;
    }
    vvi_scan_close(&scan);
    return status == VV_ENOTFOUND ? VV_OK : status;
}

/* Append one record again. *whole is false when its data does not match its CRC. */
static vv_status copy_record(vvi_local *self, vvi_index_state *state,
                             const vvi_scanned *item, bool *whole, vv_error *err)
{
    uint8_t header[VVI_RECORD_HEADER_MAX];
    vv_buf data = VV_BUF_INIT;
    vvi_found found;
    vv_status status = VV_OK;

    memcpy(header, item->header, item->record.header_len);
    if (vvi_record_is_block(&item->record)) {
        header[8] = VVI_RECORD_MOVED;
        status = vvi_local_see(self, item->place, &found, err);
        if (!status)
            status = vvi_local_take(self, &found, VV_RANGE_ALL, &data, err);
        if (!status)
            *whole = vv_crc32c(0, vvi_buf_bytes(&data)) == item->record.data_crc;
    } else {
        header[8] = VVI_RECORD_DELETION_MOVED;
    }
    if (!status && *whole)
        status = vvi_local_append(self, state, header, item->record.header_len,
                                  vvi_buf_bytes(&data), err);
    vv_buf_clear(&data);
    return status;
}

static vv_status copy_segment(vvi_local *self, vvi_index_state *state, survey *victim,
                              bool has_older, vv_error *err)
{
    uint64_t end;
    vvi_scan scan;
    vvi_scanned item;
    vv_status status;

    VVI_TRY(records_end(self, state, victim->number, &end, err));
    VVI_TRY(vvi_scan_open(&scan, self->directory, &self->key, victim->number,
                          VVI_SEGMENT_HEADER, end, err));
    while (!victim->damaged && !(status = vvi_scan_next(&scan, &item, err))) {
        bool keep = false;
        bool whole = true;

        victim->damaged |= item.bad;
        if (!item.bad)
            status = must_keep(self, &item, has_older, &keep, err);
        if (!status && keep)
            status = copy_record(self, state, &item, &whole, err);
        victim->damaged |= !whole;
        if (status)
            break;
    }
    vvi_scan_close(&scan);
    return victim->damaged || status == VV_ENOTFOUND ? VV_OK : status;
}

static vv_status remove_segment(vvi_local *self, uint64_t number, vv_error *err)
{
    VVI_TRY(vvi_local_remove_segment(self, number, err));
    vvi_rwlock_write(&self->view);
    vvi_packs_drop(&self->packs, number);
    vvi_rwlock_unlock(&self->view);
    return vvi_dir_sync(self->directory, err);
}

/* One segment, within a turn. *gone: how much its file was longer than what was kept of it. */
static vv_status compact_segment(vvi_local *self, vvi_index_state *state, survey *victim,
                                 bool has_older, uint64_t *gone, vv_error *err)
{
    vv_status status;

    if (victim->number == vvi_place_segment(state->written))
        VVI_TRY(vvi_local_roll(self, state, err));
    VVI_TRY(copy_segment(self, state, victim, has_older, err));
    if (victim->damaged)
        return VV_OK;
    /* Copies on the disk, whatever the durability of the store: the old ones go away. */
    self->must_sync = true;
    status = vvi_local_commit(self, state, err);
    self->must_sync = false;
    if (!status)
        status = vvi_local_checkpoint(self, state, err);
    if (status)
        return status;
    VVI_TRY(remove_segment(self, victim->number, err));
    *gone += victim->size > victim->live ? victim->size - victim->live : 0;
    return VV_OK;
}

static vv_status compact_turn(vvi_local *self, uint64_t number, bool has_older,
                              uint64_t *gone, bool *damaged, vv_error *err)
{
    survey victim = { .number = number };
    vvi_index_state state;
    vv_status status;

    vvi_mutex_lock(&self->write_lock);
    status = vvi_local_turn_begin(self, &state, err);
    if (!status) {
        status = vvi_local_spill(self, &state, NULL, NULL, 0, err);
        if (!status)
            status = vvi_local_commit(self, &state, err);
        if (!status)
            status = look_through(self, &state, has_older, &victim, err);
        /* an empty last segment has nothing to give back */
        if (!status && !victim.damaged && victim.size > VVI_SEGMENT_HEADER &&
            victim.live <= victim.size / LIVE_SHARE)
            status = compact_segment(self, &state, &victim, has_older, gone, err);
        vvi_local_turn_end(self);
    }
    vvi_mutex_unlock(&self->write_lock);
    *damaged |= victim.damaged;
    /* another process compacts too: what it took is done */
    return status == VV_ENOTFOUND ? VV_OK : status;
}

vv_status vv_local_compact(vv_blockstore *store, uint64_t *reclaimed_bytes, vv_error *err)
{
    vvi_local *self = vvi_local_of(store);
    uint64_t gone = 0;
    bool damaged = false;
    uint64_t *numbers;
    size_t count;
    size_t kept = 0;
    vv_status status = VV_OK;

    if (!self)
        return vvi_fail(err, VV_EINVAL, "the %s store cannot be compacted",
                        vv_blockstore_name(store));
    if (self->opts.read_only)
        return vvi_fail(err, VV_EREADONLY, "%s is open for reading", self->directory);
    VVI_TRY(vvi_packs_list(self->directory, &numbers, &count, err));
    for (size_t i = 0; i < count && !status; i++) {
        uint64_t before = gone;

        status = compact_turn(self, numbers[i], kept > 0, &gone, &damaged, err);
        kept += gone == before;
    }
    vvi_free(numbers);
    if (reclaimed_bytes)
        *reclaimed_bytes = gone;
    if (!status && damaged)
        return vvi_fail(err, VV_ECORRUPT,
                        "%s: damaged pack files were left as they are; see fsck",
                        self->directory);
    return status;
}
