/* Writing: a turn of the writer's lock, in which blocks go to the log and the log to the index. */
#include "local/store.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>
#include <unistd.h>

vv_status vvi_local_failure(vvi_local *self, vv_error *err)
{
    vv_status status;

    if (!atomic_load_explicit(&self->failed, memory_order_acquire))
        return VV_OK;
    vvi_mutex_lock(&self->pending_lock);
    status = vvi_fail(err, self->failure.status, "%s", self->failure.message);
    vvi_mutex_unlock(&self->pending_lock);
    return status;
}

/*
 * Blocks that a flush did not cover are lost: whoever put them must hear of it, and who that was
 * is not known. So this handle takes no more.
 */
static vv_status latch(vvi_local *self, vv_status status, vv_error *err)
{
    char why[VV_ERROR_MESSAGE_SIZE / 2] = "";

    if (err) {
        memcpy(why, err->message, sizeof(why) - 1);
        why[sizeof(why) - 1] = '\0';
    }
    vvi_mutex_lock(&self->pending_lock);
    vvi_fail(&self->failure, status,
             "%s: %s; blocks put since the last flush are lost: open the store again",
             self->directory, why);
    vvi_pending_empty(&self->front);
    vvi_pending_empty(&self->writing);
    vvi_pending_empty(&self->spilled);
    atomic_store(&self->pending_count, 0);
    atomic_store(&self->has_spilled, false);
    vvi_mutex_unlock(&self->pending_lock);
    atomic_store_explicit(&self->failed, true, memory_order_release);
    return vvi_local_failure(self, err);
}

/* ---- the log file ---------------------------------------------------------------------- */

static char *segment_path(vvi_local *self, uint64_t number)
{
    char name[VVI_SEGMENT_NAME_MAX];

    vvi_segment_name(number, name);
    return vvi_path_join(self->directory, name);
}

/*
 * Remove segments behind a number: a writer began them and published nothing of them. One that
 * stayed would tell a later reading that the segment before it ends where it ended then.
 */
static vv_status remove_behind(vvi_local *self, uint64_t number, vv_error *err)
{
    vv_status status = VV_OK;
    bool any = false;

    while (!status) {
        char *path = segment_path(self, ++number);

        if (!path)
            return vvi_fail_nomem(err, 1);
        status = vvi_file_unlink(path, NULL);
        any |= !status;
        vvi_free(path);
    }
    if (status != VV_ENOTFOUND)
        return vvi_fail(err, status, "%s: a pack file that was never used stays",
                        self->directory);
    return any ? vvi_dir_sync(self->directory, err) : VV_OK;
}

/* Open the segment that grows, and cut what a writer that died left behind its end. */
static vv_status open_log(vvi_local *self, const vvi_index_state *state, vv_error *err)
{
    uint64_t number = vvi_place_segment(state->written);
    uint64_t end = vvi_place_offset(state->written);
    uint64_t size;

    if (!vvi_file_is_open(&self->log) || self->log_number != number) {
        char *path = segment_path(self, number);
        vv_status status;

        if (!path)
            return vvi_fail_nomem(err, 1);
        vvi_file_close(&self->log);
        self->log_space = 0;
        status = vvi_file_open(&self->log, path, VVI_FILE_WRITE, err);
        vvi_free(path);
        if (status)
            return status == VV_ENOTFOUND
                       ? vvi_wrap(err, VV_ECORRUPT, "a pack file is missing; see fsck")
                       : status;
        self->log_number = number;
    }
    VVI_TRY(vvi_file_size(&self->log, &size, err));
    if (size < end)
        return vvi_fail(err, VV_ECORRUPT,
                        "%s is cut off: %" PRIu64 " bytes of %" PRIu64 "; see fsck",
                        self->log.path, size, end);
    if (state->flags & VVI_INDEX_ROLL)
        return VV_OK;
    if (size > end)
        VVI_TRY(vvi_file_truncate(&self->log, end, err));
    return remove_behind(self, number, err);
}

static void cut_behind(vvi_local *self, uint64_t number, uint64_t end)
{
    char *path = segment_path(self, number);
    vvi_file file = VVI_FILE_INIT;

    if (path && !vvi_file_open(&file, path, VVI_FILE_WRITE, NULL))
        (void)vvi_file_truncate(&file, end, NULL);
    vvi_file_close(&file);
    vvi_free(path);
}

/*
 * A sync failed: the kernel may have dropped the pages, and would say yes if asked again. What
 * was written since the last commit is given up, and the next record goes to a new file.
 */
static vv_status give_up_tail(vvi_local *self, vvi_index_state *state, vv_status status,
                              vv_error *err)
{
    uint64_t number = vvi_place_segment(state->indexed);

    cut_behind(self, number, vvi_place_offset(state->indexed));
    if (self->log_number > number++) {
        /* Emptied, not removed: others have this file open, and it is the next to be written. */
        cut_behind(self, number, VVI_SEGMENT_HEADER);
        (void)vvi_local_write_segment(self, number, number - 1,
                                      vvi_place_offset(state->indexed), NULL);
        (void)remove_behind(self, number, NULL);
    }
    vvi_file_close(&self->log);
    state->written = state->indexed;
    state->flags |= VVI_INDEX_ROLL;
    /* What was indexed without a sync lies in the same files. */
    if (state->flags & VVI_INDEX_UNSYNCED)
        state->flags |= VVI_INDEX_REWRITE;
    self->lost_seen = ++state->lost;
    vvi_index_set_state(self->index, state);
    return latch(self, status, err);
}

/* Begin the next segment. Nothing of it counts before state is published. */
static vv_status begin_segment(vvi_local *self, vvi_index_state *state, vv_error *err)
{
    uint64_t number = vvi_place_segment(state->written) + 1;
    vvi_segment_header header = { .number = number,
                                  .previous = number - 1,
                                  .previous_end = vvi_place_offset(state->written) };
    uint8_t bytes[VVI_SEGMENT_HEADER];
    vvi_file file = VVI_FILE_INIT;
    vv_status status;
    char *path;

    if (number >= VVI_SEGMENT_MAX)
        return vvi_fail(err, VV_ELIMIT, "the store has used up its pack file numbers");
    /* What the new header says of this one must be true before it can be read. */
    if (state->flags & VVI_INDEX_REWRITE)
        VVI_TRY(vvi_local_sync_indexed(self, state, err));
    path = segment_path(self, number);
    if (!path)
        return vvi_fail_nomem(err, 1);
    if (!(state->flags & VVI_INDEX_ROLL)) {
        vvi_local_give_space(self, state);
        status = vvi_file_sync(&self->log, err);
        if (status) {
            self->sync_failed = true;
            vvi_free(path);
            return status;
        }
    }
    memcpy(header.id, self->key.id, sizeof(header.id));
    vvi_segment_header_encode(&header, bytes);
    status = vvi_file_open(&file, path,
                           VVI_FILE_WRITE | VVI_FILE_CREATE | VVI_FILE_TRUNCATE, err);
    if (!status)
        status = vvi_file_write_at(&file, 0, vvi_bytes(bytes, sizeof(bytes)), err);
    if (status) {
        if (vvi_file_is_open(&file))
            (void)vvi_file_unlink(path, NULL);
        vvi_file_close(&file);
    } else {
        vvi_file_close(&self->log);
        self->log = file;
        self->log_number = number;
        self->log_space = 0;
        state->written = vvi_place_of(number, VVI_SEGMENT_HEADER);
        state->flags &= ~VVI_INDEX_ROLL;
    }
    vvi_free(path);
    return status;
}

void vvi_local_give_space(vvi_local *self, const vvi_index_state *state)
{
    uint64_t size;

    /* Only where it changes nothing else: bytes behind the end are for open_log() to cut. */
    if (!vvi_file_is_open(&self->log) ||
        self->log_number != vvi_place_segment(state->written) ||
        vvi_file_size(&self->log, &size, NULL) ||
        size != vvi_place_offset(state->written))
        return;
    (void)vvi_file_truncate(&self->log, size, NULL);
    self->log_space = 0;
}

/* Does a record of so many bytes still go into the segment that ends at place? */
static bool fits(const vvi_local *self, const vvi_index_state *state, uint64_t bytes)
{
    uint64_t at = vvi_place_offset(state->written);

    return !(state->flags & VVI_INDEX_ROLL) &&
           (at == VVI_SEGMENT_HEADER || at + bytes <= self->opts.segment_bytes);
}

/* ---- turns ----------------------------------------------------------------------------- */

/* All of it is in the index. */
static void forget_spilled(vvi_local *self)
{
    vvi_mutex_lock(&self->pending_lock);
    vvi_pending_empty(&self->spilled);
    atomic_store(&self->pending_count, self->front.count + self->writing.count);
    atomic_store(&self->has_spilled, false);
    vvi_mutex_unlock(&self->pending_lock);
}

vv_status vvi_local_turn_begin(vvi_local *self, vvi_index_state *state, vv_error *err)
{
    vv_status status;

    VVI_TRY(vvi_local_failure(self, err));
    if (self->owner != getpid())
        return vvi_fail(err, VV_EINVAL,
                        "%s was opened before a fork: a child opens it anew to write",
                        self->directory);
    VVI_TRY(vvi_file_lock(&self->writer_lock, VVI_LOCK_EXCLUSIVE,
                          self->opts.lock_timeout_ms, err));
    status = vvi_local_renew_index(self, err);
    if (status == VV_ENOTFOUND) /* somebody removed it: it can be made again */
        status = vvi_local_recover(self, false, err);
    if (!status && !vvi_index_get_state(self->index, state))
        status = vvi_fail(err, VV_ECORRUPT,
                          "%s: its state is damaged; open the store again",
                          VVI_INDEX_FILE);
    if (!status && vvi_index_is_moving(self->index))
        vvi_index_set_moving(self->index, false); /* who replaced it died before it did */
    if (!status && state->lost != self->lost_seen) {
        self->lost_seen = state->lost;
        if (self->spilled.count) {
            status = vvi_fail(err, VV_EIO,
                              "another process could not sync the pack files");
            status = latch(self, status, err);
        }
    }
    if (!status)
        status = open_log(self, state, err);
    if (status) {
        vvi_local_turn_end(self);
        return status;
    }
    if (self->spilled.count && state->indexed >= self->own_end)
        forget_spilled(self); /* somebody else flushed */
    if (state->written != self->own_end)
        self->foreign_tail = state->indexed != state->written;
    return VV_OK;
}

void vvi_local_turn_end(vvi_local *self)
{
    (void)vvi_file_lock(&self->writer_lock, VVI_LOCK_NONE, 0, NULL);
}

/* ---- spill ----------------------------------------------------------------------------- */

/* A run of records that lie one behind the other in the log, gathered to be written at once. */
#define RUN_PIECES 192
/* Long data goes in writes of this length. */
#define RUN_BYTES ((uint64_t)1 << 20)
/* As much written is worth telling the disk of before it is synced. */
#define WRITEBACK_BYTES ((uint64_t)4 << 20)
/* Space is set aside for a log of this length and longer, so many bytes ahead of its end at most. */
#define SPACE_FROM      ((uint64_t)1 << 20)
#define SPACE_AHEAD_MAX ((uint64_t)32 << 20)
typedef struct run {
    uint64_t offset; /* in the log file */
    uint64_t len;
    uint64_t told; /* the disk was told of the log file up to here; 0: of nothing */
    vv_bytes pieces[RUN_PIECES];
    size_t count;
} run;

/*
 * Set space aside for what is written: as much again as the log has, within bounds. It costs the kernel
 * less to find space for much at once than for each page by itself.
 */
static void set_space_aside(vvi_local *self, uint64_t offset, uint64_t end)
{
    uint64_t from = self->log_space > offset ? self->log_space : offset;

    if (end <= self->log_space || end < SPACE_FROM)
        return;
    self->log_space = end + (end < SPACE_AHEAD_MAX ? end : SPACE_AHEAD_MAX);
    if (self->log_space > self->opts.segment_bytes)
        self->log_space = end < self->opts.segment_bytes ? self->opts.segment_bytes : end;
    if (!vvi_file_set_aside(&self->log, from, self->log_space))
        self->log_space = UINT64_MAX;
}

static vv_status run_write(vvi_local *self, run *r, vv_error *err)
{
    uint64_t end = r->offset + r->len;
    vv_status status = VV_OK;

    set_space_aside(self, r->offset, end);
    if (r->count)
        status = vvi_file_writev_at(&self->log, r->offset, r->pieces, r->count, err);
    if (!r->told || r->told > r->offset)
        r->told = r->offset;
    if (!status && end - r->told >= WRITEBACK_BYTES) {
        vvi_file_start_writeback(&self->log, r->told, end - r->told);
        r->told = end;
    }
    r->count = 0;
    r->len = 0;
    return status;
}

/* Add bytes; those that go on where the last piece ends in memory become part of it. */
static void run_add(run *r, const uint8_t *data, size_t len)
{
    vv_bytes *last = r->count ? &r->pieces[r->count - 1] : NULL;

    r->len += len;
    if (last && last->data + last->len == data)
        last->len += len;
    else if (len)
        r->pieces[r->count++] = vvi_bytes(data, len);
}

/* Make room in the run, and in the segment, for a record at state->written. */
static vv_status run_place(vvi_local *self, run *r, vvi_index_state *state,
                           uint64_t bytes, vv_error *err)
{
    bool fit = fits(self, state, bytes);

    if (!fit || r->count + 3 > RUN_PIECES)
        VVI_TRY(run_write(self, r, err));
    if (!fit)
        VVI_TRY(begin_segment(self, state, err));
    if (!r->count)
        r->offset = vvi_place_offset(state->written);
    return VV_OK;
}

static void advance(vvi_index_state *state, uint64_t bytes)
{
    state->written += bytes >> 3; /* within one segment: the offset is the low part */
}

/* Give every record of `writing` its place and hand them to the kernel. */
static vv_status write_buffered(vvi_local *self, vvi_index_state *state,
                                vvi_place *places, run *r, vv_error *err)
{
    vvi_pending *set = &self->writing;

    for (size_t i = 0; i < set->count; i++) {
        size_t at = set->entries[i].at;
        size_t end = i + 1 < set->count ? set->entries[i + 1].at : set->bytes.len;

        VVI_TRY(run_place(self, r, state, end - at, err));
        vvi_record_set_check(set->bytes.data + at, &self->key, state->written);
        places[i] = state->written;
        run_add(r, set->bytes.data + at, end - at);
        advance(state, end - at);
    }
    return VV_OK;
}

typedef struct direct {
    uint8_t header[VVI_RECORD_HEADER_MAX];
    size_t header_len;
    vvi_place place;
} direct;

static vv_status write_direct(vvi_local *self, vvi_index_state *state,
                              const vv_block *blocks, const uint32_t *crcs, size_t n,
                              direct *directs, run *r, vv_error *err)
{
    static const uint8_t zeros[8];

    for (size_t i = 0; i < n; i++) {
        vv_bytes data = blocks[i].data;
        direct *d = &directs[i];
        uint64_t pad = vvi_pad8(data.len) - data.len;

        /* Long data is written while it is still in the cache from its CRC. */
        if (r->len >= RUN_BYTES)
            VVI_TRY(run_write(self, r, err));
        d->header_len = vvi_record_encode(VVI_RECORD_BLOCK, &blocks[i].cid, data.len,
                                          crcs ? crcs[i] : vv_crc32c(0, data), d->header);
        VVI_TRY(run_place(self, r, state, d->header_len + data.len + pad, err));
        vvi_record_set_check(d->header, &self->key, state->written);
        d->place = state->written;
        run_add(r, d->header, d->header_len);
        run_add(r, data.data, data.len);
        run_add(r, zeros, (size_t)pad);
        advance(state, d->header_len + data.len + pad);
    }
    return VV_OK;
}

static void add_spilled(vvi_local *self, uint64_t tag, vvi_place place,
                        const uint8_t *header)
{
    vv_bytes name = vvi_bytes(header, vvi_record_header_len(header[10]));

    /* reserved: cannot fail */
    (void)vvi_pending_add(&self->spilled, tag, place, name, (vv_bytes){ NULL, 0 }, NULL);
}

/* What was written becomes known: to other processes by state, to our readers by `spilled`. */
static vv_status publish(vvi_local *self, vvi_index_state *state, const vvi_place *places,
                         const vv_block *blocks, const direct *directs, size_t n,
                         vv_error *err)
{
    vvi_pending *set = &self->writing;
    bool swap = !self->spilled.count;
    size_t more = n + (swap ? 0 : set->count);
    vv_status status;

    vvi_mutex_lock(&self->pending_lock);
    status = vvi_pending_reserve(swap ? set : &self->spilled, more,
                                 more * VVI_RECORD_HEADER_MAX, err);
    if (status)
        goto done;
    for (size_t i = 0; i < set->count; i++)
        set->entries[i].place = places[i];
    if (swap) {
        vvi_pending empty = self->spilled;

        self->spilled = *set;
        *set = empty;
    }
    for (size_t i = 0; i < set->count; i++)
        add_spilled(self, set->entries[i].tag, set->entries[i].place,
                    vvi_pending_header(set, &set->entries[i]));
    for (size_t i = 0; i < n; i++)
        add_spilled(self, vvi_tag_of_cid(&self->key, &blocks[i].cid), directs[i].place,
                    directs[i].header);
    vvi_pending_empty(set);
    vvi_index_set_state(self->index, state);
    self->own_end = state->written;
    self->put_seq += n; /* those in `writing` were counted when they were put */
    atomic_store(&self->pending_count, self->front.count + self->spilled.count);
    atomic_store(&self->has_spilled, true);

done:
    vvi_mutex_unlock(&self->pending_lock);
    return status;
}

static vv_status spill_once(vvi_local *self, vvi_index_state *state,
                            const vv_block *blocks, const uint32_t *crcs, size_t n,
                            vv_error *err)
{
    vvi_index_state next = *state;
    direct *directs = n ? vvi_alloc_array(n, sizeof(*directs)) : NULL;
    size_t count = self->writing.count;
    vvi_place *places = vvi_alloc_array(count + 1, sizeof(*places));
    run r = { .count = 0 };
    vv_status status;

    if (!places || (n && !directs)) {
        status = vvi_fail_nomem(err, n * sizeof(*directs) + count * sizeof(*places));
        goto done;
    }
    status = write_buffered(self, &next, places, &r, err);
    if (!status && n)
        status = write_direct(self, &next, blocks, crcs, n, directs, &r, err);
    if (!status)
        status = run_write(self, &r, err);
    if (!status)
        status = publish(self, &next, places, blocks, directs, n, err);
    if (!status) {
        *state = next;
        self->wrote = true;
    } else if (self->sync_failed) {
        self->sync_failed = false;
        status = give_up_tail(self, state, status, err);
    } else {
        /* Give the space back; whatever of it stays is cut when the next turn begins. */
        if (self->log_number == vvi_place_segment(state->written)) {
            (void)vvi_file_truncate(&self->log, vvi_place_offset(state->written), NULL);
            self->log_space = 0;
        } else {
            vvi_file_close(&self->log);
            if (!(state->flags & VVI_INDEX_ROLL))
                (void)remove_behind(self, vvi_place_segment(state->written), NULL);
        }
    }

done:
    vvi_free(directs);
    vvi_free(places);
    return status;
}

vv_status vvi_local_spill(vvi_local *self, vvi_index_state *state, const vv_block *blocks,
                          const uint32_t *crcs, size_t n, vv_error *err)
{
    /* A spill that failed left its records in `writing`: they go first. */
    if (self->writing.count)
        VVI_TRY(spill_once(self, state, NULL, NULL, 0, err));
    vvi_mutex_lock(&self->pending_lock);
    vvi_pending swapped = self->writing;
    self->writing = self->front;
    self->front = swapped;
    vvi_mutex_unlock(&self->pending_lock);
    if (!self->writing.count && !n)
        return VV_OK;
    return spill_once(self, state, blocks, crcs, n, err);
}

vv_status vvi_local_roll(vvi_local *self, vvi_index_state *state, vv_error *err)
{
    vvi_index_state next = *state;
    vv_status status = begin_segment(self, &next, err);

    if (status) {
        if (self->sync_failed) {
            self->sync_failed = false;
            return give_up_tail(self, state, status, err);
        }
        return status;
    }
    *state = next;
    vvi_index_set_state(self->index, state);
    self->own_end = state->written;
    self->wrote = true;
    return VV_OK;
}

vv_status vvi_local_append(vvi_local *self, vvi_index_state *state, uint8_t *header,
                           size_t header_len, vv_bytes data, vv_error *err)
{
    static const uint8_t zeros[8];
    vvi_index_state next = *state;
    size_t pad = (size_t)(vvi_pad8(data.len) - data.len);
    vv_bytes pieces[3] = { { header, header_len }, data, { zeros, pad } };

    if (!fits(self, state, header_len + data.len + pad)) {
        VVI_TRY(vvi_local_roll(self, state, err));
        next = *state;
    }
    vvi_record_set_check(header, &self->key, next.written);
    VVI_TRY(
        vvi_file_writev_at(&self->log, vvi_place_offset(next.written), pieces, 3, err));
    advance(&next, header_len + data.len + pad);
    *state = next;
    vvi_index_set_state(self->index, state);
    self->own_end = state->written;
    self->wrote = true;
    return VV_OK;
}

/* ---- commit ---------------------------------------------------------------------------- */

static vv_status index_tail(vvi_local *self, vvi_index_state *state, vv_error *err)
{
    uint64_t last = vvi_place_segment(state->written);
    vv_status status = VV_OK;

    for (uint64_t n = vvi_place_segment(state->indexed); n <= last && !status; n++) {
        bool first = n == vvi_place_segment(state->indexed);
        uint64_t from = first ? vvi_place_offset(state->indexed) : VVI_SEGMENT_HEADER;
        uint64_t end = vvi_place_offset(state->written);
        vvi_scan scan;
        vvi_scanned item;

        if (n != last)
            VVI_TRY(vvi_local_sealed_end(self, n, n + 1, &end, err));
        status = vvi_scan_open(&scan, self->directory, &self->key, n, from, end, err);
        if (status == VV_ENOTFOUND)
            return vvi_wrap(err, VV_ECORRUPT, "a pack file is missing; see fsck");
        if (status)
            return status;
        while (!(status = vvi_scan_next(&scan, &item, err))) {
            if (!item.bad)
                status = vvi_local_apply(self, state, item.place, &item.record,
                                         item.header, VVI_APPLY_GOING_ON, err);
            if (status)
                break;
        }
        vvi_scan_close(&scan);
        if (status == VV_ENOTFOUND)
            status = VV_OK; /* the end of the segment */
    }
    return status;
}

vv_status vvi_local_commit(vvi_local *self, vvi_index_state *state, vv_error *err)
{
    bool durable = self->opts.durability == VV_DURABLE || self->must_sync;
    vvi_index_state next;
    vv_status status;

    if (state->indexed == state->written &&
        !(durable && state->flags & VVI_INDEX_UNSYNCED))
        return VV_OK;
    if (durable) {
        status = vvi_local_sync_log(self, state->indexed, state->written, err);
        if (status)
            return give_up_tail(self, state, status, err);
    } else if (!(state->flags & VVI_INDEX_UNSYNCED)) {
        /* Known on the disk before the first slot that a power cut could make wrong. */
        state->flags |= VVI_INDEX_UNSYNCED;
        vvi_index_set_boot(self->index);
        vvi_index_set_state(self->index, state);
        VVI_TRY(vvi_index_sync(self->index, err));
    }
    next = *state;
    status = index_tail(self, &next, err);
    if (status) {
        state->used = next.used; /* slots stay filled; the rest is done again */
        return status;
    }
    next.indexed = next.written;
    vvi_index_set_state(self->index, &next);
    *state = next;
    self->own_end = state->written;
    self->foreign_tail = false;
    forget_spilled(self);
    if (vvi_place_segment(state->durable) != vvi_place_segment(state->indexed) ||
        (durable && ((state->indexed - state->durable) << 3 > VVI_CHECKPOINT_BYTES ||
                     state->flags & VVI_INDEX_UNSYNCED)))
        return vvi_local_checkpoint(self, state, err);
    return VV_OK;
}
