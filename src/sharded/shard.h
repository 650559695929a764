/*
 * A shard in memory: slots, each the name of a block or none; and its block, a DAG-CBOR list of links and
 * nulls.
 *
 *   block   list head, then a slot each: f6, or d8 2a 58 25 00 and the 36 bytes of a usual CID
 *   memory  what the names share is kept once; of each only the digest, 64 to a page. Names of another
 *           kind than the first stand aside, and their place says where.
 *
 * The names of the shards of an array are kept the same way. Threads: one at a time while it is changed,
 * any number of readers otherwise.
 */
#ifndef VVI_SHARDED_SHARD_H
#define VVI_SHARDED_SHARD_H

#include <varvite/cid.h>

#include "util/error.h"

#define VVI_SHARD_PAGE 64u

typedef struct vvi_shard_page {
    uint64_t present; /* a bit a slot */
    uint64_t odd;     /* a bit a slot: its place holds an index into odd, not a digest */
    uint8_t *digests; /* VVI_SHARD_PAGE × stride; NULL until one is present */
} vvi_shard_page;

typedef struct vvi_shard_odd {
    uint64_t slot;
    vv_cid cid;
} vvi_shard_odd;

typedef struct vvi_shard {
    uint64_t slot_count;
    uint64_t link_count;
    vv_cid_prefix kind;    /* of the names in the pages; once stride is set */
    size_t stride;         /* bytes a place takes; 0: no name was put in yet */
    vvi_shard_page *pages; /* page_count of them; 64 slots behind have no name */
    size_t page_count;
    vvi_shard_odd *odd;
    size_t odd_count, odd_cap;
    size_t bytes; /* of memory, for caps */
} vvi_shard;

/* Slots without a name; it allocates nothing. */
void vvi_shard_init(vvi_shard *self, uint64_t slot_count);
void vvi_shard_clear(vvi_shard *self);
/* to holds nothing before; nothing on failure. */
vv_status vvi_shard_copy(const vvi_shard *from, vvi_shard *to, vv_error *err);

/* The name in a slot; false: none. */
bool vvi_shard_get(const vvi_shard *self, uint64_t slot, vv_cid *out);
/* Ask for the memory that looking a slot up will need: first the page, later the digest. */
static inline void vvi_shard_expect_page(const vvi_shard *self, uint64_t slot)
{
    if (slot / VVI_SHARD_PAGE < self->page_count)
        __builtin_prefetch(&self->pages[slot / VVI_SHARD_PAGE]);
}
static inline void vvi_shard_expect(const vvi_shard *self, uint64_t slot)
{
    const vvi_shard_page *page = &self->pages[slot / VVI_SHARD_PAGE];

    if (slot / VVI_SHARD_PAGE < self->page_count && page->digests)
        __builtin_prefetch(page->digests + slot % VVI_SHARD_PAGE * self->stride);
}

/* Does the slot hold this name; or, cid NULL, none? */
bool vvi_shard_holds(const vvi_shard *self, uint64_t slot, const vv_cid *cid);
/* Put a name into a slot; NULL: take it out, which cannot fail. VV_EINVAL: a bare multihash, which no
 * link can hold. Unchanged on failure. */
vv_status vvi_shard_set(vvi_shard *self, uint64_t slot, const vv_cid *cid, vv_error *err);
/* Move *slot to the first one with a name, itself included; false: there is none any more. */
bool vvi_shard_next(const vvi_shard *self, uint64_t *slot);
/* Take the names of all slots from first on out; how many there were. */
uint64_t vvi_shard_cut(vvi_shard *self, uint64_t first);

/* Read a block into a shard that was initialised; its length must be slot_count. VV_ECORRUPT (what is
 * wrong, with the entry), VV_EUNSUPPORTED (a digest too long). On failure nothing is held. */
vv_status vvi_shard_decode(vvi_shard *self, vv_bytes block, vv_error *err);
/* Append the block. VV_ELIMIT: longer than a block may be. */
vv_status vvi_shard_encode(const vvi_shard *self, vv_buf *out, vv_error *err);

/*
 * Find n slots, rising, in a block without decoding the others: what stands behind the last one is not
 * looked at. has[i]: there is a name in slots[i], and it is outs[i].
 */
vv_status vvi_shard_find(vv_bytes block, uint64_t slot_count, const uint64_t *slots,
                         size_t n, vv_cid *outs, bool *has, vv_error *err);

#endif
