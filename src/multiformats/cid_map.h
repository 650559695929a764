/*
 * A map from block names (hash function and digest; codec and version do not count) to a pointer
 * or a number: the index of memory stores, node caches and walks.
 *
 * Open addressing with linear probing, at most three quarters full. Digests are uniform, but an
 * attacker may choose them: each map mixes them with random numbers of its own, so that nobody
 * can prepare names that fall on the same slot. A name of up to 32 digest bytes lies in its
 * slot, a longer one in an allocation of its own.
 *
 * Threads: one at a time while it is changed, any number of readers otherwise.
 */
#ifndef VVI_MULTIFORMATS_CID_MAP_H
#define VVI_MULTIFORMATS_CID_MAP_H

#include <varvite/cid.h>

#include "util/error.h"

typedef union vvi_cid_value {
    void *ptr;
    uint64_t number;
} vvi_cid_value;

typedef struct vvi_cid_slot vvi_cid_slot;

typedef struct vvi_cid_map {
    vvi_cid_slot *slots; /* cap of them; NULL when cap is 0 */
    size_t cap;          /* a power of two, or 0 */
    size_t count;        /* names in the map */
    uint64_t seed[2];    /* drawn when the first slots are allocated */
} vvi_cid_map;
#define VVI_CID_MAP_INIT \
    {                    \
        NULL, 0, 0,      \
        {                \
            0, 0         \
        }                \
    }

/* What a map mixes names with, for tables of other kinds: draw a seed; mix a name. */
void vvi_cid_draw_seed(uint64_t seed[2]);
uint64_t vvi_cid_mix(const uint64_t seed[2], const vv_cid *cid);

/* Frees the map's own memory, not what its pointers point to. */
void vvi_cid_map_clear(vvi_cid_map *map);

/* The value kept for a name, or NULL; valid until the map is changed. */
vvi_cid_value *vvi_cid_map_find(const vvi_cid_map *map, const vv_cid *cid);

/*
 * The value kept for a name, which is put in with a zero value if it is not there. *added (may
 * be NULL) says whether it was. Valid until the map is changed again. VV_ENOMEM
 */
vv_status vvi_cid_map_put(vvi_cid_map *map, const vv_cid *cid, vvi_cid_value **value,
                          bool *added, vv_error *err);

/* Take a name out and hand over its value (may be NULL); false if it was not there. */
bool vvi_cid_map_remove(vvi_cid_map *map, const vv_cid *cid, vvi_cid_value *value);

/* Room for count names in all, so that putting up to so many does not allocate (but for names
 * of more than 32 digest bytes). VV_ENOMEM */
vv_status vvi_cid_map_reserve(vvi_cid_map *map, size_t count, vv_error *err);

/* Memory that the slots take, for caps in bytes. */
size_t vvi_cid_map_bytes(const vvi_cid_map *map);

/*
 * Go through the map in no order: *cursor is 0 at the start; false at the end. name (may be
 * NULL) gets hash and digest, with version 1 and codec raw. The map must not change meanwhile.
 */
bool vvi_cid_map_next(const vvi_cid_map *map, size_t *cursor, vv_cid *name,
                      vvi_cid_value **value);

#endif
