/*
 * The index: an open-addressing hash table of (tag, place) in a mapped file, shared by all
 * processes that have the store open. It is derived: everything in it can be made again from
 * the pack files.
 *
 * Writers hold the store's writer lock; readers hold nothing. What a reader sees in a slot is a
 * claim to be checked against the record at that place.
 */
#ifndef VVI_LOCAL_INDEX_H
#define VVI_LOCAL_INDEX_H

#include "local/layout.h"
#include "util/file.h"

typedef struct vvi_slot {
    uint64_t tag;   /* written before place, read after it */
    uint64_t place; /* VVI_PLACE_EMPTY, VVI_PLACE_DELETED or where the record begins */
} vvi_slot;

typedef struct vvi_index {
    uint8_t *base;     /* header page, then the slots */
    vvi_slot *slots;   /* in little-endian order */
    uint64_t mask;     /* slots - 1 */
    uint64_t identity; /* inode number of the file */
    int refs;          /* atomic */
    vvi_map *map;      /* NULL: in memory of this process alone */
} vvi_index;

/* What is said about the log as a whole; changes as one. */
typedef struct vvi_index_state {
    uint64_t seq;
    vvi_place indexed; /* every record before it is in the index */
    vvi_place written; /* every byte before it was handed to the kernel whole */
    vvi_place
        durable; /* every record before it is in the index, and both are on the disk */
    uint64_t count, bytes;                 /* live blocks at indexed */
    uint64_t durable_count, durable_bytes; /* the same at durable */
    uint64_t used;                         /* slots that are not empty */
    uint64_t lost; /* how often unsynced records were given up after a failed sync */
    uint64_t flags;
} vvi_index_state;
/* Since durable, records were indexed that had not been synced. */
#define VVI_INDEX_UNSYNCED ((uint64_t)1)
/* The segment at the end took a failed sync: the next record begins another. */
#define VVI_INDEX_ROLL ((uint64_t)2)
/* A sync of what was indexed since durable failed: before the next it is written again. */
#define VVI_INDEX_REWRITE ((uint64_t)4)

#define VVI_INDEX_SLOTS_MIN ((uint64_t)1 << 12)
#define VVI_INDEX_SLOTS_MAX ((uint64_t)1 << 36)

/* An index in memory. slots: a power of two. */
vv_status vvi_index_new(const vvi_local_key *key, uint64_t slots, vvi_index **out,
                        vv_error *err);
/* @return VV_OK, VV_ENOTFOUND, VV_ECORRUPT (damaged or of another store), … */
vv_status vvi_index_open(const char *directory, const vvi_local_key *key, bool writable,
                         vvi_index **out, vv_error *err);
/* Counted, so that an iteration can go on with an index that was replaced. */
vvi_index *vvi_index_retain(vvi_index *index);
void vvi_index_free(vvi_index *index);

/* Check a whole index file, held in memory. For vvi_index_open() and fsck. */
vv_status vvi_index_check(vv_bytes head, uint64_t file_size, const vvi_local_key *key,
                          uint64_t *slots, vv_error *err);

/* False: neither copy is whole. */
bool vvi_index_get_state(const vvi_index *index, vvi_index_state *out);
/* Sets seq. */
void vvi_index_set_state(vvi_index *index, vvi_index_state *state);

/* This index is about to be replaced, or was: look whether the file has another identity. */
#define VVI_INDEX_MOVING_AT 64 /* in the header page */
static inline bool vvi_index_is_moving(const vvi_index *index)
{
    const uint64_t *at = (const uint64_t *)(const void *)(index->base +
                                                          VVI_INDEX_MOVING_AT);

    return __atomic_load_n(at, __ATOMIC_ACQUIRE) != 0;
}
void vvi_index_set_moving(vvi_index *index, bool moving);

/*
 * Note that this run of the machine fills slots for records that are not synced; and ask whether
 * one before it did. Then the slots of deletions may have reached the disk without their records.
 */
void vvi_index_set_boot(vvi_index *index);
bool vvi_index_is_of_this_boot(const vvi_index *index);

/* Walk the places under a tag: start at vvi_index_first(), end at VVI_PLACE_EMPTY. */
typedef struct vvi_probe {
    uint64_t slot;
    uint64_t left;
} vvi_probe;
static inline uint64_t vvi_slot_place(const vvi_slot *slot)
{
    return VVI_LE(64, __atomic_load_n(&slot->place, __ATOMIC_ACQUIRE));
}
static inline uint64_t vvi_slot_tag(const vvi_slot *slot)
{
    return VVI_LE(64, __atomic_load_n(&slot->tag, __ATOMIC_RELAXED));
}
static inline vvi_place vvi_index_next(const vvi_index *index, uint64_t tag,
                                       vvi_probe *probe)
{
    while (probe->left) {
        const vvi_slot *slot = &index->slots[probe->slot];
        vvi_place place = vvi_slot_place(slot);

        if (place == VVI_PLACE_EMPTY)
            return VVI_PLACE_EMPTY;
        probe->slot = (probe->slot + 1) & index->mask;
        probe->left--;
        if (place != VVI_PLACE_DELETED && vvi_slot_tag(slot) == tag)
            return place;
    }
    return VVI_PLACE_EMPTY;
}
static inline vvi_place vvi_index_first(const vvi_index *index, uint64_t tag,
                                        vvi_probe *probe)
{
    *probe = (vvi_probe){ tag & index->mask, index->mask + 1 };
    return vvi_index_next(index, tag, probe);
}
static inline void vvi_index_prefetch(const vvi_index *index, uint64_t tag)
{
    __builtin_prefetch(&index->slots[tag & index->mask]);
}

/* Add a place that is not there. False: no slot is free. *used grows if the slot was empty. */
bool vvi_index_add(vvi_index *index, uint64_t tag, vvi_place place, uint64_t *used);
/* Change the slot that holds place; to VVI_PLACE_DELETED to forget it. False: there is none. */
bool vvi_index_replace(vvi_index *index, uint64_t tag, vvi_place from, vvi_place to);
/* Forget every place at or behind end; counts the slots that are not empty. */
void vvi_index_forget_from(vvi_index *index, vvi_place end, uint64_t *used);

/* Must the index grow before so many more are added? */
bool vvi_index_is_full(const vvi_index *index, uint64_t used, uint64_t more);
/* A copy in memory with room for more; the state goes with it. */
vv_status vvi_index_grown(const vvi_index *index, const vvi_local_key *key, uint64_t more,
                          vvi_index **out, vv_error *err);
/* Write an index as the file of the directory, in place of what is there, durably. */
vv_status vvi_index_save(const vvi_index *index, const char *directory, vv_error *err);
/* Everything in the mapped index is on the disk. */
vv_status vvi_index_sync(vvi_index *index, vv_error *err);

#endif
