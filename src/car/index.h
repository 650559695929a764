/*
 * Indexes of CARv2 files: digest → where the section lies, counted from the start of the CARv1.
 * See docs/format/car.md.
 */
#ifndef VVI_CAR_INDEX_H
#define VVI_CAR_INDEX_H

#include <varvite/cid.h>

#include "util/error.h"

#define VVI_CAR_INDEX_SORTED           0x0400u
#define VVI_CAR_INDEX_MULTIHASH_SORTED 0x0401u
/* For a bucket of 0x0400, which does not say which function its digests come from. */
#define VVI_CAR_ANY_HASH UINT64_MAX

/* Entries of one width: digest, then offset in 8 bytes, little-endian; by rising digest. */
typedef struct vvi_car_bucket {
    uint64_t hash;
    uint32_t width; /* of an entry: digest + 8 */
    vv_bytes entries;
    vv_buf own; /* the entries while an index is made; else empty */
} vvi_car_bucket;

typedef struct vvi_car_index {
    vvi_car_bucket *buckets;
    size_t count;
    size_t cap;
} vvi_car_index;

void vvi_car_index_clear(vvi_car_index *index);

/* ---- reading ----------------------------------------------------------------------------- */

/* Read the index that bytes begin with; it borrows them. VV_EUNSUPPORTED: of another kind.
 * offset is where it lies, for messages. */
vv_status vvi_car_index_read(vvi_car_index *index, vv_bytes bytes, uint64_t offset,
                             vv_error *err);
/* Offsets that are listed for a name, in turn: *cursor is 0 at first; false at the end. */
bool vvi_car_index_find(const vvi_car_index *index, const vv_cid *cid, size_t *cursor,
                        uint64_t *offset);

/* ---- writing ----------------------------------------------------------------------------- */

vv_status vvi_car_index_add(vvi_car_index *index, const vv_cid *cid, uint64_t offset,
                            vv_error *err);
/* Sort what was added and write it to sink as a MultihashIndexSorted. */
vv_status vvi_car_index_write(vvi_car_index *index, vv_sink sink, vv_error *err);

#endif
