/* Visiting every block: first what is not in the index yet, then the index slot by slot. */
#include "local/store.h"

#include "util/alloc.h"

#include <string.h>

/* Names taken from the sets of pending blocks, sorted by tag. */
typedef struct name {
    uint64_t tag;
    uint64_t len;
    vv_cid cid;
    bool gone; /* a deletion is the last word */
} name;

typedef struct names {
    name *list;
    size_t count;
} names;

static void collect(const vvi_pending *set, vvi_place settled, names *out)
{
    for (size_t i = 0; i < set->count; i++) {
        const vvi_pending_entry *entry = &set->entries[i];
        const uint8_t *header = vvi_pending_header(set, entry);
        name *to;

        if (entry->place != VVI_PLACE_EMPTY && entry->place < settled)
            continue;
        to = &out->list[out->count++];
        to->tag = entry->tag;
        to->len = vvi_get_le64(header + 16);
        to->gone = !vvi_pending_is_block(set, entry);
        vvi_record_cid(header, &to->cid);
    }
}

/* Equal names stay in the order in which they were asked for: the last one counts. */
static void sort_names(name *list, size_t n, name *scratch)
{
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t at = 0; at < n; at += 2 * width) {
            size_t mid = at + width < n ? at + width : n;
            size_t end = at + 2 * width < n ? at + 2 * width : n;
            size_t a = at;
            size_t b = mid;

            for (size_t i = at; i < end; i++)
                scratch[i] = a < mid && (b >= end || list[a].tag <= list[b].tag)
                                 ? list[a++]
                                 : list[b++];
        }
        memcpy(list, scratch, n * sizeof(*list));
    }
}

static vv_status snapshot(vvi_local *self, names *out, vv_error *err)
{
    vvi_place settled = vvi_local_settled(self);
    size_t n;

    vvi_mutex_lock(&self->pending_lock);
    n = self->front.count + self->writing.count + self->spilled.count;
    out->count = 0;
    out->list = vvi_alloc_array(n, 2 * sizeof(*out->list));
    if (out->list) {
        collect(&self->spilled, settled, out);
        collect(&self->writing, settled, out);
        collect(&self->front, settled, out);
    }
    vvi_mutex_unlock(&self->pending_lock);
    if (!out->list)
        return vvi_fail_nomem(err, n * 2 * sizeof(*out->list));
    sort_names(out->list, out->count, out->list + out->count);
    return VV_OK;
}

/* The last entry under a name, or NULL. */
static const name *last_of(const names *all, uint64_t tag, const vv_cid *cid)
{
    const name *found = NULL;
    size_t low = 0;
    size_t high = all->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (all->list[mid].tag < tag)
            low = mid + 1;
        else
            high = mid;
    }
    for (; low < all->count && all->list[low].tag == tag; low++)
        if (vv_cid_same_block(&all->list[low].cid, cid))
            found = &all->list[low];
    return found;
}

/* What the slot holds, if it is a block that is not among the pending ones. */
static vv_status read_slot(vvi_local *self, const vvi_slot *slot, const names *pending,
                           bool *visit, vv_cid *cid, uint64_t *len, vv_error *err)
{
    vvi_place place = vvi_slot_place(slot);
    vvi_found found;
    vv_status status;

    *visit = false;
    for (int attempt = 0; place > VVI_PLACE_DELETED; attempt++) {
        status = vvi_local_see(self, place, &found, err);
        if (!status) {
            vvi_record_cid(found.header, cid);
            *len = found.record.data_len;
            *visit = vvi_record_is_block(&found.record) &&
                     !last_of(pending, vvi_slot_tag(slot), cid);
            vvi_rwlock_unlock(&self->view);
            return VV_OK;
        }
        /* compaction may have moved the block; else it is damaged, which fsck names */
        if (status != VV_ENOTFOUND && status != VV_ECORRUPT)
            return status;
        if (attempt == 2 || vvi_slot_place(slot) == place)
            return VV_OK;
        place = vvi_slot_place(slot);
    }
    return VV_OK;
}

static vv_status still_there(vvi_local *self, const vv_cid *cid, bool *out, vv_error *err)
{
    return self->base.ops->has_many(&self->base, cid, 1, out, err);
}

static vv_status visit_pending(vvi_local *self, const names *pending, vv_block_fn visit,
                               void *ctx, vv_error *err)
{
    for (size_t i = 0; i < pending->count; i++) {
        const name *it = &pending->list[i];
        bool there;

        if (it->gone || last_of(pending, it->tag, &it->cid) != it)
            continue;
        VVI_TRY(still_there(self, &it->cid, &there, err));
        if (there)
            VVI_TRY(visit(ctx, &it->cid, it->len, err));
    }
    return VV_OK;
}

static vv_status visit_index(vvi_local *self, const vvi_index *index,
                             const names *pending, vv_block_fn visit, void *ctx,
                             vv_error *err)
{
    for (uint64_t i = 0; i <= index->mask; i++) {
        vv_cid cid;
        uint64_t len = 0;
        bool good;

        VVI_TRY(read_slot(self, &index->slots[i], pending, &good, &cid, &len, err));
        /* Once the index was replaced, this copy of it no longer hears of deletions. */
        if (good && vvi_index_is_moving(index))
            VVI_TRY(still_there(self, &cid, &good, err));
        if (good)
            VVI_TRY(visit(ctx, &cid, len, err));
    }
    return VV_OK;
}

vv_status vvi_local_iterate(vv_blockstore *store, vv_block_fn visit, void *ctx,
                            vv_error *err)
{
    vvi_local *self = (vvi_local *)store;
    names pending;
    vvi_index *index;
    vv_status status;

    VVI_TRY(snapshot(self, &pending, err));
    vvi_rwlock_read(&self->view);
    index = vvi_index_retain(self->index);
    vvi_rwlock_unlock(&self->view);
    status = visit_pending(self, &pending, visit, ctx, err);
    if (!status)
        status = visit_index(self, index, &pending, visit, ctx, err);
    vvi_index_free(index);
    vvi_free(pending.list);
    return status;
}
