/* The store as a block store backend. */
#include "local/store.h"

#include "blockstore/internal.h"
#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

/* How many index slots are fetched ahead of their use. */
#define AHEAD 16

static vvi_local *of(vv_blockstore *store)
{
    return (vvi_local *)store;
}

vvi_local *vvi_local_of(vv_blockstore *store)
{
    return store->ops == &vvi_local_ops || store->ops == &vvi_local_read_only_ops
               ? of(store)
               : NULL;
}

/* ---- blocks that are not in the index ------------------------------------------------------ */

typedef enum pending_answer {
    PENDING_UNKNOWN,
    PENDING_DELETED,
    PENDING_IN_MEMORY,
    PENDING_IN_PACK
} pending_answer;

/* The last thing asked for under a name; pending_lock is held. */
static pending_answer look_in(const vvi_pending *set, uint64_t tag, const vv_cid *cid,
                              vv_bytes *data, vvi_place *place)
{
    const vvi_pending_entry *entry = vvi_pending_find(set, tag, cid);
    const uint8_t *header;

    if (!entry)
        return PENDING_UNKNOWN;
    header = vvi_pending_header(set, entry);
    *place = entry->place;
    *data = (vv_bytes){ NULL, (size_t)vvi_get_le64(header + 16) };
    if (!vvi_pending_is_block(set, entry))
        return PENDING_DELETED;
    if (entry->place != VVI_PLACE_EMPTY)
        return PENDING_IN_PACK;
    data->data = header + vvi_record_header_len(header[10]);
    return PENDING_IN_MEMORY;
}

static pending_answer look(const vvi_local *self, uint64_t tag, const vv_cid *cid,
                           vvi_place settled, vv_bytes *data, vvi_place *place)
{
    pending_answer answer = look_in(&self->front, tag, cid, data, place);

    if (answer == PENDING_UNKNOWN)
        answer = look_in(&self->writing, tag, cid, data, place);
    if (answer == PENDING_UNKNOWN) {
        answer = look_in(&self->spilled, tag, cid, data, place);
        if (answer != PENDING_UNKNOWN && *place < settled)
            answer = PENDING_UNKNOWN; /* the index knows better */
    }
    return answer;
}

static bool any_pending(const vvi_local *self)
{
    return atomic_load_explicit(&self->pending_count, memory_order_acquire) != 0;
}

/* Answer, and a copy of the part that range means when the block is in memory and out given. */
static vv_status ask_pending(vvi_local *self, uint64_t tag, const vv_cid *cid,
                             vv_range range, pending_answer *answer, uint64_t *len,
                             vvi_place *place, vv_buf *out, vv_error *err)
{
    vvi_place settled = vvi_local_settled(self);
    vv_status status = VV_OK;
    vv_bytes data = { NULL, 0 };

    vvi_mutex_lock(&self->pending_lock);
    *answer = look(self, tag, cid, settled, &data, place);
    *len = data.len;
    if (*answer == PENDING_IN_MEMORY && out) {
        uint64_t offset;
        uint64_t count;

        vvi_range_resolve(range, data.len, &offset, &count);
        status = vvi_buf_set(out, vvi_bytes(data.data + offset, (size_t)count), err);
    }
    vvi_mutex_unlock(&self->pending_lock);
    return status;
}

/* ---- reading --------------------------------------------------------------------------------- */

/*
 * On VV_OK either *in_pack is false, *len and, if given, *out are filled; or found is, and view
 * is held. VV_ENOTFOUND sets no message.
 */
static vv_status find_block(vvi_local *self, const vv_cid *cid, vv_range range,
                            vv_buf *out, uint64_t *len, vvi_found *found, bool *in_pack,
                            vv_error *err)
{
    uint64_t tag = vvi_tag_of_cid(&self->key, cid);
    pending_answer answer = PENDING_UNKNOWN;
    vvi_place place = VVI_PLACE_EMPTY;
    vv_status status;

    *in_pack = false;
    if (any_pending(self))
        VVI_TRY(ask_pending(self, tag, cid, range, &answer, len, &place, out, err));
    if (answer == PENDING_IN_MEMORY)
        return VV_OK;
    if (answer == PENDING_DELETED)
        return VV_ENOTFOUND;
    status = VV_ENOTFOUND;
    if (answer == PENDING_IN_PACK) {
        status = out ? vvi_local_copy(self, place, cid, range, out, err) : VV_OK;
        if (status != VV_ENOTFOUND)
            return status;
    }
    if (status == VV_ENOTFOUND) /* also: compaction took the pack meanwhile */
        status = vvi_local_find(self, cid, tag, found, err);
    if (!status) {
        *len = found->record.data_len;
        *in_pack = true;
    }
    return status;
}

static vv_status local_get_range(vv_blockstore *store, const vv_cid *cid, vv_range range,
                                 vv_buf *out, vv_error *err)
{
    vvi_local *self = of(store);
    vvi_found found;
    uint64_t len;
    bool in_pack;
    vv_status status;

    status = find_block(self, cid, range, out, &len, &found, &in_pack, err);
    if (status)
        return status == VV_ENOTFOUND ? vvi_fail_missing_block(err, store, cid) : status;
    return in_pack ? vvi_local_take(self, &found, range, out, err) : VV_OK;
}

static vv_status local_get(vv_blockstore *store, const vv_cid *cid, vv_buf *out,
                           vv_error *err)
{
    vvi_local *self = of(store);

    if (!any_pending(self) &&
        vvi_local_lend(self, cid, vvi_tag_of_cid(&self->key, cid), out))
        return VV_OK;
    return local_get_range(store, cid, VV_RANGE_ALL, out, err);
}

/* Begin to fetch what a get of these blocks will look at: first slots, then records. */
static void fetch_ahead(vvi_local *self, const vv_cid *cids, size_t n)
{
    uint64_t tags[AHEAD];

    vvi_rwlock_read(&self->view);
    for (size_t i = 0; i < n; i++) {
        tags[i] = vvi_tag_of_cid(&self->key, &cids[i]);
        vvi_index_prefetch(self->index, tags[i]);
    }
    for (size_t i = 0; i < n; i++) {
        vvi_probe probe;
        vvi_place place = vvi_index_first(self->index, tags[i], &probe);
        uint64_t offset = vvi_place_offset(place);
        const vvi_segment *segment = vvi_packs_get(&self->packs,
                                                   vvi_place_segment(place));

        if (segment && segment->map && offset + VVI_RECORD_FIXED <= segment->map->len)
            __builtin_prefetch(segment->map->data + offset);
    }
    vvi_rwlock_unlock(&self->view);
}

static vv_status local_get_many(vv_blockstore *store, const vv_cid *cids, size_t n,
                                vv_buf *outs, vv_status *statuses, vv_error *err)
{
    vv_error why = VV_ERROR_INIT;
    vv_status first = VV_OK;

    for (size_t i = 0; i < n; i++) {
        if (i % AHEAD == 0 && n > 1)
            fetch_ahead(of(store), &cids[i], n - i < AHEAD ? n - i : AHEAD);
        statuses[i] = local_get(store, &cids[i], &outs[i], first ? NULL : &why);
        if (statuses[i] && !first)
            first = statuses[i];
    }
    if (first && err)
        *err = why;
    return first;
}

static vv_status size_of(vvi_local *self, const vv_cid *cid, uint64_t *out, vv_error *err)
{
    vvi_found found;
    uint64_t len = 0;
    bool in_pack;

    VVI_TRY(find_block(self, cid, VV_RANGE_ALL, NULL, &len, &found, &in_pack, err));
    if (in_pack)
        vvi_rwlock_unlock(&self->view);
    *out = len;
    return VV_OK;
}

static vv_status local_size(vv_blockstore *store, const vv_cid *cid, uint64_t *out,
                            vv_error *err)
{
    vv_status status = size_of(of(store), cid, out, err);

    return status == VV_ENOTFOUND ? vvi_fail_missing_block(err, store, cid) : status;
}

static void prefetch(vvi_local *self, const vv_cid *cids, size_t stride, size_t n)
{
    const uint8_t *at = (const uint8_t *)cids;

    vvi_rwlock_read(&self->view);
    for (size_t i = 0; i < n; i++, at += stride)
        vvi_index_prefetch(self->index,
                           vvi_tag_of_cid(&self->key, (const vv_cid *)(const void *)at));
    vvi_rwlock_unlock(&self->view);
}

static vv_status local_has_many(vv_blockstore *store, const vv_cid *cids, size_t n,
                                bool *out, vv_error *err)
{
    uint64_t size;

    for (size_t i = 0; i < n; i++) {
        vv_status status;

        if (i % AHEAD == 0 && n > 1)
            prefetch(of(store), &cids[i], sizeof(*cids), n - i < AHEAD ? n - i : AHEAD);
        status = size_of(of(store), &cids[i], &size, err);
        out[i] = status == VV_OK;
        if (status && status != VV_ENOTFOUND)
            return status;
    }
    return VV_OK;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Is the block in the index? An index that cannot tell does not keep it from being stored. */
static vv_status is_indexed(vvi_local *self, const vv_cid *cid, uint64_t tag, bool *out,
                            vv_error *err)
{
    vvi_found found;
    vv_status status = vvi_local_find(self, cid, tag, &found, err);

    *out = status == VV_OK;
    if (!status)
        vvi_rwlock_unlock(&self->view);
    return status == VV_ENOTFOUND || status == VV_ECORRUPT ? VV_OK : status;
}

/* Add a short block to `front`, unless it is there or pending. */
static vv_status put_short(vvi_local *self, const vv_block *block, uint64_t tag,
                           vvi_place settled, bool indexed, uint32_t crc, vv_error *err)
{
    uint8_t header[VVI_RECORD_HEADER_MAX];
    size_t header_len = vvi_record_encode(VVI_RECORD_BLOCK, &block->cid, block->data.len,
                                          crc, header);
    vv_status status = VV_OK;
    pending_answer answer;
    vvi_place place;
    vv_bytes data;

    vvi_mutex_lock(&self->pending_lock);
    answer = look(self, tag, &block->cid, settled, &data, &place);
    if (answer == PENDING_DELETED || (answer == PENDING_UNKNOWN && !indexed)) {
        status = vvi_pending_add(&self->front, tag, VVI_PLACE_EMPTY,
                                 vvi_bytes(header, header_len), block->data, err);
        if (!status) {
            self->put_seq++;
            atomic_fetch_add(&self->pending_count, 1);
        }
    }
    vvi_mutex_unlock(&self->pending_lock);
    return status;
}

/* Write what is pending, and long blocks from where they lie. */
/* Who never flushes is flushed for: what waits for the index lies in memory, by name. */
#define SPILLED_MAX       ((size_t)1 << 17)
#define SPILLED_BYTES_MAX ((uint64_t)1 << 30)

static bool waits_too_long(const vvi_local *self, const vvi_index_state *state)
{
    uint64_t segments = vvi_place_segment(state->written) -
                        vvi_place_segment(state->indexed);

    return self->spilled.count > SPILLED_MAX || segments > 64 ||
           (segments == 0 && (state->written - state->indexed) << 3 > SPILLED_BYTES_MAX);
}

static vv_status spill(vvi_local *self, const vv_block *blocks, const uint32_t *crcs,
                       size_t n, vv_error *err)
{
    vvi_index_state state;
    vv_status status;

    vvi_mutex_lock(&self->write_lock);
    status = vvi_local_turn_begin(self, &state, err);
    if (!status) {
        status = vvi_local_spill(self, &state, blocks, crcs, n, err);
        if (!status && waits_too_long(self, &state))
            status = vvi_local_commit(self, &state, err);
        vvi_local_turn_end(self);
    }
    vvi_mutex_unlock(&self->write_lock);
    return status;
}

static vv_status is_known(vvi_local *self, const vv_block *block, bool *out,
                          vv_error *err)
{
    uint64_t tag = vvi_tag_of_cid(&self->key, &block->cid);
    pending_answer answer = PENDING_UNKNOWN;
    vvi_place place;
    uint64_t len;

    if (any_pending(self))
        VVI_TRY(ask_pending(self, tag, &block->cid, VV_RANGE_ALL, &answer, &len, &place,
                            NULL, err));
    *out = answer != PENDING_DELETED;
    return answer == PENDING_UNKNOWN ? is_indexed(self, &block->cid, tag, out, err)
                                     : VV_OK;
}

/* A block as short as this is still in the processor's cache when its turn to be written comes. */
#define CRC_EARLY_BYTES ((size_t)1 << 20)

/* Long blocks, those that are new of them, written together. */
static vv_status put_long(vvi_local *self, const vv_block *blocks, size_t n,
                          vv_error *err)
{
    vv_block *fresh = vvi_alloc_array(n, sizeof(*fresh));
    vv_status status = VV_OK;
    size_t count = 0;
    uint32_t crc;

    if (!fresh)
        return vvi_fail_nomem(err, n * sizeof(*fresh));
    for (size_t i = 0; i < n && !status; i++) {
        bool known = false;

        status = is_known(self, &blocks[i], &known, err);
        for (size_t j = 0; j < count && !known; j++)
            known = vv_cid_same_block(&fresh[j].cid, &blocks[i].cid);
        if (!status && !known)
            fresh[count++] = blocks[i];
    }
    /* Of one block beforehand, so that others can write meanwhile. */
    if (count == 1 && fresh->data.len <= CRC_EARLY_BYTES) {
        crc = vv_crc32c(0, fresh->data);
        status = status ? status : spill(self, fresh, &crc, 1, err);
    } else if (!status && count) {
        status = spill(self, fresh, NULL, count, err);
    }
    vvi_free(fresh);
    return status;
}

static bool is_long(const vv_block *block)
{
    return block->data.len >= VVI_DIRECT_BYTES;
}

static vv_status put_run_of_short(vvi_local *self, const vv_block *blocks, size_t n,
                                  vv_error *err)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t tag = vvi_tag_of_cid(&self->key, &blocks[i].cid);
        vvi_place settled = vvi_local_settled(self);
        size_t held;
        bool indexed;

        if (i % AHEAD == 0 && n > 1)
            prefetch(self, &blocks[i].cid, sizeof(*blocks),
                     n - i < AHEAD ? n - i : AHEAD);
        VVI_TRY(is_indexed(self, &blocks[i].cid, tag, &indexed, err));
        VVI_TRY(put_short(self, &blocks[i], tag, settled, indexed,
                          vv_crc32c(0, blocks[i].data), err));
        vvi_mutex_lock(&self->pending_lock);
        held = self->front.bytes.len;
        vvi_mutex_unlock(&self->pending_lock);
        if (held >= self->opts.buffer_bytes)
            VVI_TRY(spill(self, NULL, NULL, 0, err));
    }
    return VV_OK;
}

/* Long blocks written with one call at most. */
#define LONG_AT_ONCE 64

static vv_status local_put_many(vv_blockstore *store, const vv_block *blocks, size_t n,
                                vv_error *err)
{
    vvi_local *self = of(store);
    vv_error own; /* so that a latched failure keeps its reason */
    size_t end;

    own.message[0] = '\0';
    err = err ? err : &own;
    VVI_TRY(vvi_local_failure(self, err));
    vvi_local_follow(self, true);
    for (size_t i = 0; i < n; i = end) {
        bool is_long_run = is_long(&blocks[i]);

        for (end = i + 1; end < n && is_long(&blocks[end]) == is_long_run; end++)
            if (is_long_run && end - i == LONG_AT_ONCE)
                break;
        VVI_TRY(
            (is_long_run ? put_long : put_run_of_short)(self, blocks + i, end - i, err));
    }
    return VV_OK;
}

static vv_status local_remove(vv_blockstore *store, const vv_cid *cid, vv_error *err)
{
    vvi_local *self = of(store);
    uint64_t tag = vvi_tag_of_cid(&self->key, cid);
    uint8_t header[VVI_RECORD_HEADER_MAX];
    uint64_t len = 0;
    size_t header_len;
    vvi_index_state state;
    vvi_found found;
    bool in_pack;
    vv_status status;

    /* With what others wrote in the index, the answer to "is it there" holds for this turn. */
    vvi_mutex_lock(&self->write_lock);
    status = vvi_local_turn_begin(self, &state, err);
    if (status)
        goto done;
    status = vvi_local_spill(self, &state, NULL, NULL, 0, err);
    if (!status && self->foreign_tail)
        status = vvi_local_commit(self, &state, err);
    if (!status)
        status = find_block(self, cid, VV_RANGE_ALL, NULL, &len, &found, &in_pack, err);
    if (!status && in_pack)
        vvi_rwlock_unlock(&self->view);
    if (!status) {
        header_len = vvi_record_encode(VVI_RECORD_DELETION, cid, len, 0, header);
        vvi_mutex_lock(&self->pending_lock);
        status = vvi_pending_add(&self->front, tag, VVI_PLACE_EMPTY,
                                 vvi_bytes(header, header_len), (vv_bytes){ NULL, 0 },
                                 err);
        if (!status) {
            self->put_seq++;
            atomic_fetch_add(&self->pending_count, 1);
        }
        vvi_mutex_unlock(&self->pending_lock);
    }
    if (!status)
        status = vvi_local_spill(self, &state, NULL, NULL, 0, err);
    vvi_local_turn_end(self);

done:
    vvi_mutex_unlock(&self->write_lock);
    return status == VV_ENOTFOUND ? vvi_fail_missing_block(err, store, cid) : status;
}

/* ---- flush ------------------------------------------------------------------------------------ */

static vv_status commit_all(vvi_local *self, uint64_t *covered, vv_error *err)
{
    vvi_index_state state;
    vv_status status;

    vvi_mutex_lock(&self->write_lock);
    status = vvi_local_turn_begin(self, &state, err);
    if (!status) {
        vvi_mutex_lock(&self->pending_lock);
        *covered = self->put_seq;
        vvi_mutex_unlock(&self->pending_lock);
        status = vvi_local_spill(self, &state, NULL, NULL, 0, err);
        if (!status)
            status = vvi_local_commit(self, &state, err);
        vvi_local_turn_end(self);
    }
    vvi_mutex_unlock(&self->write_lock);
    return status;
}

/* A handle of VV_PROCESS may have stored, unsynced, what a put through this one found there. */
static bool others_left_unsynced(vvi_local *self)
{
    vvi_index_state state = { .flags = 0 };

    if (self->opts.durability != VV_DURABLE)
        return false;
    vvi_rwlock_read(&self->view);
    (void)vvi_index_get_state(self->index, &state);
    vvi_rwlock_unlock(&self->view);
    return state.flags & VVI_INDEX_UNSYNCED;
}

/* One thread flushes for all that wait; who came too late for it goes on waiting for the next. */
static vv_status local_flush(vv_blockstore *store, vv_error *err)
{
    vvi_local *self = of(store);
    vv_error own = VV_ERROR_INIT; /* so that a latched failure keeps its reason */
    vv_status status = VV_OK;
    bool unsynced;
    uint64_t mine;

    err = err ? err : &own;
    VVI_TRY(vvi_local_failure(self, err));
    unsynced = others_left_unsynced(self);
    vvi_mutex_lock(&self->pending_lock);
    self->put_seq += unsynced;
    mine = self->put_seq;
    while (self->safe_seq < mine && !status) {
        uint64_t covered = 0;

        if (self->flushing) {
            (void)vvi_cond_wait_until(&self->flushed, &self->pending_lock,
                                      vvi_now_ns() + 1000000000u);
            continue;
        }
        self->flushing = true;
        vvi_mutex_unlock(&self->pending_lock);
        status = commit_all(self, &covered, err);
        vvi_mutex_lock(&self->pending_lock);
        self->flushing = false;
        if (!status && covered > self->safe_seq)
            self->safe_seq = covered;
        vvi_cond_broadcast(&self->flushed);
    }
    vvi_mutex_unlock(&self->pending_lock);
    return status;
}

/* ---- the whole ---------------------------------------------------------------------------------- */

static vv_status local_stat(vv_blockstore *store, vv_blockstore_stats *out, vv_error *err)
{
    vvi_local *self = of(store);
    vvi_index_state state;
    uint64_t *numbers;
    size_t count;
    bool whole;

    vvi_rwlock_read(&self->view);
    whole = vvi_index_get_state(self->index, &state);
    out->storage_bytes = (self->index->mask + 1) * sizeof(vvi_slot);
    vvi_rwlock_unlock(&self->view);
    if (!whole)
        return vvi_fail(err, VV_ECORRUPT, "the state of the index is damaged; see fsck");
    out->block_count = state.count;
    out->block_bytes = state.bytes;
    vvi_mutex_lock(&self->pending_lock);
    const vvi_pending *sets[] = { &self->spilled, &self->writing, &self->front };
    for (size_t s = 0; s < 3; s++)
        for (size_t i = 0; i < sets[s]->count; i++) {
            const vvi_pending_entry *entry = &sets[s]->entries[i];
            uint64_t len = vvi_get_le64(vvi_pending_header(sets[s], entry) + 16);
            bool is_block = vvi_pending_is_block(sets[s], entry);

            if (entry->place != VVI_PLACE_EMPTY && entry->place < state.indexed)
                continue;
            out->block_count += is_block ? 1 : (uint64_t)-1;
            out->block_bytes += is_block ? len : (uint64_t)0 - len;
        }
    vvi_mutex_unlock(&self->pending_lock);
    VVI_TRY(vvi_packs_list(self->directory, &numbers, &count, err));
    for (size_t i = 0; i < count; i++) {
        char name[VVI_SEGMENT_NAME_MAX];
        uint64_t size = 0;
        char *path;

        vvi_segment_name(numbers[i], name);
        path = vvi_path_join(self->directory, name);
        if (path && !vvi_path_size(path, &size, NULL))
            out->storage_bytes += size;
        vvi_free(path);
    }
    vvi_free(numbers);
    return VV_OK;
}

static void local_close(vv_blockstore *store)
{
    vvi_local *self = of(store);
    vvi_index_state state;

    /* So that the next to open has nothing to read again; a failure leaves it to do so. */
    if (self->wrote && !atomic_load(&self->failed)) {
        vvi_mutex_lock(&self->write_lock);
        vvi_pending_empty(&self->front);
        vvi_pending_empty(&self->writing);
        if (!vvi_local_turn_begin(self, &state, NULL)) {
            if (state.indexed == state.written)
                (void)vvi_local_checkpoint(self, &state, NULL);
            vvi_local_give_space(self, &state);
            vvi_local_turn_end(self);
        }
        vvi_mutex_unlock(&self->write_lock);
    }
    vvi_local_free(store);
}

const vv_blockstore_ops vvi_local_ops = {
    .name = "local",
    .get = local_get,
    .get_many = local_get_many,
    .get_range = local_get_range,
    .put_many = local_put_many,
    .has_many = local_has_many,
    .size = local_size,
    .remove = local_remove,
    .iterate = vvi_local_iterate,
    .stat = local_stat,
    .flush = local_flush,
    .free = local_close,
};

const vv_blockstore_ops vvi_local_read_only_ops = {
    .name = "local",
    .get = local_get,
    .get_many = local_get_many,
    .get_range = local_get_range,
    .has_many = local_has_many,
    .size = local_size,
    .iterate = vvi_local_iterate,
    .stat = local_stat,
    .free = local_close,
};
