/* Reading: from a name to the bytes of a block, past growing files and a moving index. */
#include "local/store.h"

#include "util/alloc.h"
#include "util/buf.h"

/* Every so many misses look whether the file has been replaced behind our back. */
#define MISSES_A_LOOK 1024

/* Open the segment of a place, or map more of it. */
static vv_status open_segment(vvi_local *self, vvi_place place, uint64_t len,
                              vv_error *err)
{
    uint64_t upto = vvi_place_offset(place) + len;
    vv_status status;

    vvi_rwlock_write(&self->view);
    status = vvi_packs_open(&self->packs, vvi_place_segment(place), upto, err);
    vvi_rwlock_unlock(&self->view);
    return status;
}

static vv_status fail_short(vvi_place place, vv_error *err)
{
    char name[VVI_SEGMENT_NAME_MAX];

    vvi_segment_name(vvi_place_segment(place), name);
    return vvi_fail(err, VV_ECORRUPT,
                    "%s is cut off: it ends before the block at %" PRIu64 "; see fsck",
                    name, vvi_place_offset(place));
}

static vv_status fail_header(vvi_place place, vv_error *err)
{
    char name[VVI_SEGMENT_NAME_MAX];

    vvi_segment_name(vvi_place_segment(place), name);
    return vvi_fail(err, VV_ECORRUPT,
                    "%s: the header of a block at %" PRIu64 " is damaged; see fsck", name,
                    vvi_place_offset(place));
}

/* Who asks for a block reads it next: a short one comes together with its header. */
static inline void prefetch_block(const uint8_t *header)
{
    for (size_t line = 64; line <= 384; line += 64)
        __builtin_prefetch(header + line);
}

/*
 * The header at a place; view is held. *sight as vvi_packs_see() has it. len: bytes of it that
 * are needed, if that is known; 0: look at the digest length first.
 */
static vv_status see_header(vvi_local *self, vvi_place place, size_t len, vvi_found *out,
                            vvi_sight *sight, vv_error *err)
{
    uint64_t number = vvi_place_segment(place);
    uint64_t offset = vvi_place_offset(place);

    out->place = place;
    if (!len) {
        VVI_TRY(see_header(self, place, VVI_RECORD_FIXED, out, sight, err));
        if (*sight != VVI_SIGHT_CLEAR || out->header[10] > VV_DIGEST_MAX)
            return VV_OK; /* decoding will tell */
        len = VVI_RECORD_FIXED + (size_t)out->header[10];
    }
    *sight = vvi_packs_see(&self->packs, number, offset, len, &out->segment);
    if (*sight != VVI_SIGHT_CLEAR)
        return VV_OK;
    if (out->segment->map)
        prefetch_block(out->segment->map->data + offset);
    out->header = vvi_segment_bytes(out->segment, offset, len, out->scratch, err);
    return out->header ? VV_OK : VV_EIO;
}

static bool decode_found(vvi_local *self, vvi_found *found)
{
    size_t len = VVI_RECORD_FIXED;

    if (found->header[10] > VV_DIGEST_MAX)
        return false;
    len += found->header[10];
    return vvi_record_decode(vvi_bytes(found->header, len), &self->key, found->place,
                             &found->record);
}

vv_status vvi_local_see(vvi_local *self, vvi_place place, vvi_found *out, vv_error *err)
{
    vv_status status = VV_OK;
    vvi_sight sight = VVI_SIGHT_CLOSED;

    for (int attempt = 0; attempt < 4 && sight == VVI_SIGHT_CLOSED; attempt++) {
        uint64_t len = VVI_RECORD_HEADER_MAX;

        vvi_rwlock_read(&self->view);
        status = see_header(self, place, 0, out, &sight, err);
        if (!status && sight == VVI_SIGHT_CLEAR && !decode_found(self, out))
            status = fail_header(place, err);
        if (!status && sight == VVI_SIGHT_CLEAR && vvi_record_is_block(&out->record)) {
            len = out->record.total_len;
            sight = vvi_packs_see(&self->packs, vvi_place_segment(place),
                                  vvi_place_offset(place), len, &out->segment);
        }
        if (!status && sight == VVI_SIGHT_CLEAR)
            return VV_OK;
        vvi_rwlock_unlock(&self->view);
        if (status)
            return status;
        if (sight == VVI_SIGHT_CLOSED)
            status = open_segment(self, place, len, err);
        if (status)
            return status;
    }
    return fail_short(place, err);
}

vv_status vvi_local_renew_index(vvi_local *self, vv_error *err)
{
    char *path = vvi_path_join(self->directory, VVI_INDEX_FILE);
    vvi_index *index = NULL;
    uint64_t identity;
    vv_status status;

    if (!path)
        return vvi_fail_nomem(err, 1);
    status = vvi_path_identity(path, &identity, err);
    vvi_free(path);
    if (status || identity == self->index->identity)
        return status;
    status = vvi_index_open(self->directory, &self->key, !self->opts.read_only, &index,
                            err);
    if (status)
        return status;
    vvi_rwlock_write(&self->view);
    vvi_index *old = self->index;
    self->index = index;
    vvi_rwlock_unlock(&self->view);
    vvi_index_free(old);
    return VV_OK;
}

/* A slot led to a record that is not the one asked for: another block, or damage. */
static vv_status look_closer(vvi_local *self, vvi_found *found, vvi_place *damaged,
                             bool *cut, vv_error *err)
{
    vvi_sight sight;

    VVI_TRY(see_header(self, found->place, 0, found, &sight, err));
    if (sight == VVI_SIGHT_CLEAR && decode_found(self, found))
        return VV_OK;
    *damaged = found->place;
    *cut = sight == VVI_SIGHT_SHORT;
    return VV_OK;
}

/* Look under a tag for a record that names the block; view is held. */
static vv_status probe_index(vvi_local *self, const vv_cid *cid, uint64_t tag,
                             vvi_found *out, vvi_place *closed, vv_error *err)
{
    size_t len = VVI_RECORD_FIXED + (size_t)cid->digest_len;
    vvi_place damaged = VVI_PLACE_EMPTY;
    bool cut = false;
    vvi_probe probe;

    *closed = VVI_PLACE_EMPTY;
    for (vvi_place place = vvi_index_first(self->index, tag, &probe);
         place != VVI_PLACE_EMPTY; place = vvi_index_next(self->index, tag, &probe)) {
        vvi_sight sight;

        VVI_TRY(see_header(self, place, len, out, &sight, err));
        if (sight == VVI_SIGHT_CLOSED) {
            *closed = place;
            return VV_ENOTFOUND;
        }
        /* Tag and digest say which block it is; a wrong length is found when it is hashed. */
        if (sight == VVI_SIGHT_CLEAR && vvi_record_names(out->header, cid) &&
            vvi_record_read(out->header, &out->record))
            return VV_OK;
        VVI_TRY(look_closer(self, out, &damaged, &cut, err));
    }
    if (damaged == VVI_PLACE_EMPTY)
        return VV_ENOTFOUND;
    return cut ? fail_short(damaged, err) : fail_header(damaged, err);
}

/* An index that was replaced hears of nothing any more, of deletions neither. */
void vvi_local_follow(vvi_local *self, bool wait)
{
    bool is_moving;

    vvi_rwlock_read(&self->view);
    is_moving = vvi_index_is_moving(self->index);
    vvi_rwlock_unlock(&self->view);
    if (!is_moving)
        return;
    if (wait)
        vvi_mutex_lock(&self->write_lock);
    else if (pthread_mutex_trylock(&self->write_lock.m))
        return; /* who writes looks too */
    (void)vvi_local_renew_index(self, NULL);
    vvi_mutex_unlock(&self->write_lock);
}

/* Must a miss be doubted? Asked with view held, so that finding nothing stays cheap. */
typedef enum doubt {
    DOUBT_NONE,
    DOUBT_ROUTINE,
    DOUBT_MOVING
} doubt;

static doubt doubt_miss(vvi_local *self)
{
    if (self->is_private || vvi_index_is_moving(self->index))
        return DOUBT_MOVING;
    return atomic_fetch_add_explicit(&self->misses, 1, memory_order_relaxed) %
                   MISSES_A_LOOK
               ? DOUBT_NONE
               : DOUBT_ROUTINE;
}

/* Is there a newer index, or a longer log? */
static bool look_again(vvi_local *self, doubt why, uint64_t identity)
{
    vvi_index_state before;
    vvi_index_state after;
    bool changed;

    if (why == DOUBT_MOVING)
        vvi_mutex_lock(&self->write_lock);
    else if (pthread_mutex_trylock(&self->write_lock.m))
        return false; /* who writes looks too */
    if (self->is_private) {
        changed = vvi_index_get_state(self->index, &before) &&
                  !vvi_local_read_privately(self, NULL) &&
                  vvi_index_get_state(self->index, &after) &&
                  after.indexed != before.indexed;
    } else {
        (void)vvi_local_renew_index(self, NULL);
        changed = self->index->identity != identity;
    }
    vvi_mutex_unlock(&self->write_lock);
    return changed;
}

/* The index in memory does not hear of compaction: when a segment is gone, it is made anew. */
static void start_again(vvi_local *self)
{
    vvi_mutex_lock(&self->write_lock);
    self->is_private = false;
    (void)vvi_local_read_privately(self, NULL);
    self->is_private = true;
    vvi_mutex_unlock(&self->write_lock);
}

vv_status vvi_local_find(vvi_local *self, const vv_cid *cid, uint64_t tag, vvi_found *out,
                         vv_error *err)
{
    vvi_place last = VVI_PLACE_EMPTY;
    bool followed = false;

    for (;;) {
        vvi_place closed;
        vvi_sight sight = VVI_SIGHT_CLEAR;
        doubt why = DOUBT_NONE;
        uint64_t identity = 0;
        uint64_t len = VVI_RECORD_HEADER_MAX;
        vv_status status;

        vvi_rwlock_read(&self->view);
        if (!followed && vvi_index_is_moving(self->index)) {
            vvi_rwlock_unlock(&self->view);
            vvi_local_follow(self, false);
            followed = true;
            continue;
        }
        status = probe_index(self, cid, tag, out, &closed, err);
        if (!status) {
            len = out->record.total_len;
            sight = vvi_packs_see(&self->packs, vvi_place_segment(out->place),
                                  vvi_place_offset(out->place), len, &out->segment);
            if (sight == VVI_SIGHT_CLEAR)
                return VV_OK;
            closed = out->place;
        } else if (status == VV_ENOTFOUND && closed == VVI_PLACE_EMPTY) {
            why = doubt_miss(self);
            identity = self->index->identity;
        }
        vvi_rwlock_unlock(&self->view);
        if (sight == VVI_SIGHT_SHORT)
            return fail_short(out->place, err);
        if (status && status != VV_ENOTFOUND)
            return status;
        if (closed == VVI_PLACE_EMPTY) {
            if (why == DOUBT_NONE || !look_again(self, why, identity))
                return VV_ENOTFOUND;
            continue;
        }
        status = open_segment(self, closed, len, err);
        /* compaction changes the index before it removes a file: look where the block is now */
        if (status == VV_ENOTFOUND && closed != last) {
            last = closed;
            if (self->is_private)
                start_again(self);
            continue;
        }
        if (status == VV_ENOTFOUND)
            return vvi_wrap(err, VV_ECORRUPT, "a pack file is missing; see fsck");
        if (status)
            return status;
    }
}

/* A block in a mapped segment, found under the first slot that has its tag; view is held. */
static inline const vvi_segment *find_at_once(const vvi_local *self, const vv_cid *cid,
                                              uint64_t tag, uint64_t *offset,
                                              uint64_t *len)
{
    vvi_probe probe;
    vvi_place place = vvi_index_first(self->index, tag, &probe);
    const vvi_segment *segment = vvi_packs_get(&self->packs, vvi_place_segment(place));
    vvi_record record;
    const uint8_t *header;
    uint64_t room;

    if (!segment || !segment->map)
        return NULL;
    room = __atomic_load_n(&segment->size, __ATOMIC_RELAXED);
    if (room > segment->map->len)
        room = segment->map->len;
    *offset = vvi_place_offset(place);
    if (*offset + VVI_RECORD_FIXED + cid->digest_len > room)
        return NULL;
    header = segment->map->data + *offset;
    prefetch_block(header);
    if (!vvi_record_names(header, cid) || !vvi_record_read(header, &record) ||
        record.total_len > room - *offset)
        return NULL;
    *offset += record.header_len;
    *len = record.data_len;
    return segment;
}

bool vvi_local_lend(vvi_local *self, const vv_cid *cid, uint64_t tag, vv_buf *out)
{
    const vvi_segment *segment = NULL;
    vvi_map *map = NULL;
    uint64_t offset;
    uint64_t len;

    vvi_rwlock_read(&self->view);
    if (!vvi_index_is_moving(self->index))
        segment = find_at_once(self, cid, tag, &offset, &len);
    if (segment)
        map = vvi_map_retain(segment->map);
    vvi_rwlock_unlock(&self->view);
    if (!map)
        return false;
    vvi_buf_lend(out, map->data + offset, (size_t)len, vvi_map_release, map);
    return true;
}

vv_status vvi_local_take(vvi_local *self, const vvi_found *found, vv_range range,
                         vv_buf *out, vv_error *err)
{
    vv_buf copy = VV_BUF_INIT;
    vv_status status = VV_OK;
    uint64_t offset;
    uint64_t count;

    vvi_range_resolve(range, found->record.data_len, &offset, &count);
    offset += vvi_place_offset(found->place) + found->record.header_len;
    if (found->segment->map) {
        vvi_map *map = vvi_map_retain(found->segment->map);

        vvi_rwlock_unlock(&self->view);
        vvi_buf_lend(out, map->data + offset, (size_t)count, vvi_map_release, map);
        return VV_OK;
    }
    status = vvi_buf_reserve(&copy, (size_t)count, err);
    if (!status && count &&
        !vvi_segment_bytes(found->segment, offset, (size_t)count, copy.data, err))
        status = err && err->status ? err->status : VV_EIO;
    vvi_rwlock_unlock(&self->view);
    if (!status) {
        copy.len = (size_t)count;
        vvi_buf_move(out, &copy);
    }
    vv_buf_clear(&copy);
    return status;
}

/* Read a record with pread; view is held. */
static vv_status copy_record(const vvi_local *self, const vvi_segment *segment,
                             vvi_place place, const vv_cid *cid, vv_range range,
                             vv_buf *out, vv_error *err)
{
    size_t header_len = vvi_record_header_len(cid->digest_len);
    uint8_t header[VVI_RECORD_HEADER_MAX];
    uint64_t at = vvi_place_offset(place);
    vv_buf copy = VV_BUF_INIT;
    vvi_record record;
    uint64_t offset;
    uint64_t count;
    size_t got;
    vv_status status;

    VVI_TRY(vvi_file_read_at(&segment->file, at, header, header_len, &got, err));
    if (got < header_len ||
        !vvi_record_decode(vvi_bytes(header, got), &self->key, place, &record) ||
        !vvi_record_is_block(&record) || !vvi_record_names(header, cid))
        return VV_ENOTFOUND;
    vvi_range_resolve(range, record.data_len, &offset, &count);
    status = vvi_buf_reserve(&copy, (size_t)count, err);
    if (!status)
        status = vvi_file_read_at(&segment->file, at + header_len + offset, copy.data,
                                  (size_t)count, &got, err);
    if (!status && got < count)
        status = VV_ENOTFOUND;
    if (!status) {
        copy.len = got;
        vvi_buf_move(out, &copy);
    }
    vv_buf_clear(&copy);
    return status;
}

vv_status vvi_local_copy(vvi_local *self, vvi_place place, const vv_cid *cid,
                         vv_range range, vv_buf *out, vv_error *err)
{
    for (;;) {
        vv_status status = VV_ENOTFOUND;
        const vvi_segment *segment;

        vvi_rwlock_read(&self->view);
        segment = vvi_packs_get(&self->packs, vvi_place_segment(place));
        if (segment)
            status = copy_record(self, segment, place, cid, range, out, err);
        vvi_rwlock_unlock(&self->view);
        if (segment)
            return status;
        VVI_TRY(open_segment(self, place, 0, err));
    }
}

vvi_place vvi_local_settled(vvi_local *self)
{
    vvi_index_state state;
    bool whole;

    if (!atomic_load_explicit(&self->has_spilled, memory_order_acquire))
        return VVI_PLACE_EMPTY;
    vvi_local_follow(self, false);
    vvi_rwlock_read(&self->view);
    whole = vvi_index_get_state(self->index, &state);
    vvi_rwlock_unlock(&self->view);
    return whole ? state.indexed : VVI_PLACE_EMPTY;
}

vv_status vvi_local_place_of(vvi_local *self, const uint8_t *header, uint64_t tag,
                             vvi_place *out, vv_error *err)
{
    vvi_probe probe;
    vvi_found found;

    /* The index changes only in the hands of who calls this: no lock is needed to walk it. */
    *out = VVI_PLACE_EMPTY;
    for (vvi_place place = vvi_index_first(self->index, tag, &probe);
         place != VVI_PLACE_EMPTY; place = vvi_index_next(self->index, tag, &probe)) {
        vv_status status = vvi_local_see(self, place, &found, err);
        bool same;

        if (status == VV_ECORRUPT || status == VV_ENOTFOUND)
            continue; /* damaged: no reason to refuse what is whole */
        if (status)
            return status;
        same = found.header[10] == header[10] &&
               memcmp(found.header + 28, header + 28, 4) == 0 &&
               memcmp(found.header + VVI_RECORD_FIXED, header + VVI_RECORD_FIXED,
                      header[10]) == 0;
        vvi_rwlock_unlock(&self->view);
        if (same) {
            *out = place;
            return VV_OK;
        }
    }
    return VV_OK;
}
