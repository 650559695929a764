/* From the log into the index; growth of the index; checkpoints. */
#include "local/store.h"

#include "util/alloc.h"
#include "util/buf.h"

/* ---- one record ------------------------------------------------------------------------ */

/*
 * A record may be applied again after a crash in the middle: then `now` is at or behind place,
 * and the counts, which are kept as of the last whole commit, still lack it.
 */
static vv_status apply_block(vvi_local *self, vvi_index_state *state, vvi_place place,
                             const vvi_record *record, uint64_t tag, vvi_place now,
                             vvi_apply_mode mode, vv_error *err)
{
    bool moved = record->kind == VVI_RECORD_MOVED;
    bool counts = !moved && (now == VVI_PLACE_EMPTY || now >= place);

    if (moved && now == VVI_PLACE_EMPTY && mode == VVI_APPLY_REBUILD)
        counts = true;
    if (now == VVI_PLACE_EMPTY) {
        if (vvi_index_is_full(self->index, state->used, 1))
            VVI_TRY(vvi_local_grow(self, state, 1, err));
        if (!vvi_index_add(self->index, tag, place, &state->used))
            return vvi_fail(err, VV_ECORRUPT, "%s is full beyond its count; see fsck",
                            VVI_INDEX_FILE);
    } else if (moved && now < place) {
        vvi_index_replace(self->index, tag, now, place);
    } else if (now >= place) {
        /* its slot was filled by a commit that did not come to say so; too many does no harm */
        state->used++;
    }
    if (counts) {
        state->count++;
        state->bytes += record->data_len;
    }
    return VV_OK;
}

static void apply_deletion(vvi_local *self, vvi_index_state *state, vvi_place place,
                           const vvi_record *record, uint64_t tag, vvi_place now,
                           vvi_apply_mode mode)
{
    bool there = now != VVI_PLACE_EMPTY && now < place;
    bool counts = mode == VVI_APPLY_REBUILD ? there : record->kind == VVI_RECORD_DELETION;

    if (there)
        vvi_index_replace(self->index, tag, now, VVI_PLACE_DELETED);
    if (counts && state->count) {
        state->count--;
        state->bytes -= record->data_len < state->bytes ? record->data_len : state->bytes;
    }
}

vv_status vvi_local_apply(vvi_local *self, vvi_index_state *state, vvi_place place,
                          const vvi_record *record, const uint8_t *header,
                          vvi_apply_mode mode, vv_error *err)
{
    uint64_t tag;
    vvi_place now;

    if (record->kind == VVI_RECORD_VOID)
        return VV_OK;
    tag = vvi_tag_of_header(&self->key, header);
    VVI_TRY(vvi_local_place_of(self, header, tag, &now, err));
    if (vvi_record_is_block(record))
        return apply_block(self, state, place, record, tag, now, mode, err);
    apply_deletion(self, state, place, record, tag, now, mode);
    return VV_OK;
}

/* ---- growth ---------------------------------------------------------------------------- */

void vvi_local_use_index(vvi_local *self, vvi_index *index)
{
    vvi_index *old;

    vvi_rwlock_write(&self->view);
    old = self->index;
    self->index = index;
    vvi_rwlock_unlock(&self->view);
    vvi_index_free(old);
}

vv_status vvi_local_grow(vvi_local *self, vvi_index_state *state, uint64_t more,
                         vv_error *err)
{
    vvi_index_state kept;
    vvi_index *grown;
    vvi_index *mapped;
    vv_status status;

    VVI_TRY(vvi_index_grown(self->index, &self->key, more, &grown, err));
    if (vvi_index_get_state(grown, &kept)) {
        state->used = kept.used;
        state->seq = kept.seq;
    }
    if (!self->index->map) {
        vvi_local_use_index(self, grown);
        return VV_OK;
    }
    /* From here readers look at the path before they believe a miss. */
    vvi_index_set_moving(self->index, true);
    status = vvi_index_save(grown, self->directory, err);
    if (!status)
        status = vvi_index_open(self->directory, &self->key, true, &mapped, err);
    vvi_index_free(grown);
    if (status)
        return vvi_wrap(err, status, "%s cannot grow", VVI_INDEX_FILE);
    vvi_local_use_index(self, mapped);
    return VV_OK;
}

/* ---- durability ------------------------------------------------------------------------ */

static vv_status open_segment(vvi_local *self, uint64_t number, vvi_file *file,
                              vv_error *err)
{
    char name[VVI_SEGMENT_NAME_MAX];
    vv_status status;
    char *path;

    vvi_segment_name(number, name);
    path = vvi_path_join(self->directory, name);
    if (!path)
        return vvi_fail_nomem(err, 1);
    status = vvi_file_open(file, path, VVI_FILE_WRITE, err);
    vvi_free(path);
    return status;
}

static vv_status sync_segment(vvi_local *self, uint64_t number, vv_error *err)
{
    vvi_file file = VVI_FILE_INIT;
    vv_status status;

    if (vvi_file_is_open(&self->log) && self->log_number == number)
        return vvi_file_sync(&self->log, err);
    status = open_segment(self, number, &file, err);
    if (!status)
        status = vvi_file_sync(&file, err);
    vvi_file_close(&file);
    return status;
}

vv_status vvi_local_sync_log(vvi_local *self, vvi_place from, vvi_place to, vv_error *err)
{
    uint64_t first = vvi_place_segment(from);
    uint64_t last = vvi_place_segment(to);

    for (uint64_t number = first; number <= last; number++) {
        vv_status status = sync_segment(self, number, err);

        /* a number that compaction has emptied, or that was never used */
        if (status && !(status == VV_ENOTFOUND && number != last))
            return status;
    }
    return first == last ? VV_OK : vvi_dir_sync(self->directory, err);
}

/* Write bytes of a file again as they are, so that the next sync has them before it. */
static vv_status rewrite_bytes(const vvi_file *file, uint64_t from, uint64_t len,
                               vv_error *err)
{
    uint8_t piece[4096];

    while (len) {
        size_t want = len < sizeof(piece) ? (size_t)len : sizeof(piece);
        size_t got;

        VVI_TRY(vvi_file_read_at(file, from, piece, want, &got, err));
        if (!got)
            break;
        VVI_TRY(vvi_file_write_at(file, from, vvi_bytes(piece, got), err));
        from += got;
        len -= got;
    }
    return VV_OK;
}

/* The records of one segment; those that the page cache has lost stay as the disk has them. */
static vv_status rewrite_segment(vvi_local *self, uint64_t number, uint64_t from,
                                 uint64_t end, bool *whole, vv_error *err)
{
    vvi_file file = VVI_FILE_INIT;
    vvi_scan scan;
    vvi_scanned item;
    vv_status status;

    VVI_TRY(vvi_scan_open(&scan, self->directory, &self->key, number, from, end, err));
    status = open_segment(self, number, &file, err);
    /* Its header too: nobody knows which pages it were. */
    if (!status && from == VVI_SEGMENT_HEADER)
        status = rewrite_bytes(&file, 0, VVI_SEGMENT_HEADER, err);
    while (!status && !(status = vvi_scan_next(&scan, &item, err))) {
        bool good = !item.bad;

        if (good)
            status = vvi_scan_check(&scan, &item, &good, err);
        if (!status && good)
            status = rewrite_bytes(&file, vvi_place_offset(item.place), item.len, err);
        *whole &= good;
    }
    vvi_file_close(&file);
    vvi_scan_close(&scan);
    return status == VV_ENOTFOUND ? VV_OK : status;
}

vv_status vvi_local_rewrite_log(vvi_local *self, vvi_place from, vvi_place to,
                                bool *whole, vv_error *err)
{
    uint64_t first = vvi_place_segment(from);
    uint64_t last = vvi_place_segment(to);

    *whole = true;
    for (uint64_t number = first; number <= last; number++) {
        uint64_t begin = number == first ? vvi_place_offset(from) : VVI_SEGMENT_HEADER;
        uint64_t end = vvi_place_offset(to);
        vv_status status = VV_OK;

        if (number != last)
            status = vvi_local_sealed_end(self, number, number + 1, &end, err);
        if (!status)
            status = rewrite_segment(self, number, begin, end, whole, err);
        if (status && !(status == VV_ENOTFOUND && number != last))
            return status;
    }
    return VV_OK;
}

vv_status vvi_local_sync_indexed(vvi_local *self, vvi_index_state *state, vv_error *err)
{
    bool whole = true;
    vv_status status;

    if (state->flags & VVI_INDEX_REWRITE)
        VVI_TRY(vvi_local_rewrite_log(self, state->durable, state->indexed, &whole, err));
    if (!whole)
        return vvi_fail(err, VV_ECORRUPT,
                        "%s: a sync failed, and blocks from before it are lost; see fsck",
                        self->directory);
    status = vvi_local_sync_log(self, state->durable, state->indexed, err);
    if (status && !(state->flags & VVI_INDEX_REWRITE)) {
        state->flags |= VVI_INDEX_REWRITE;
        vvi_index_set_state(self->index, state);
    } else if (!status) {
        state->flags &= ~VVI_INDEX_REWRITE;
    }
    return status;
}

vv_status vvi_local_checkpoint(vvi_local *self, vvi_index_state *state, vv_error *err)
{
    vv_status status;

    if (!self->index->map)
        return VV_OK;
    if (state->flags & VVI_INDEX_UNSYNCED)
        VVI_TRY(vvi_local_sync_indexed(self, state, err));
    status = vvi_index_sync(self->index, err);
    if (status) {
        /* The pages that failed may count as written now: only a new file is sure. */
        status = vvi_local_grow(self, state, 0, err);
        if (status)
            return status;
    }
    state->durable = state->indexed;
    state->durable_count = state->count;
    state->durable_bytes = state->bytes;
    state->flags &= ~VVI_INDEX_UNSYNCED;
    vvi_index_set_state(self->index, state);
    self->wrote = false;
    return VV_OK;
}
