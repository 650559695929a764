/*
 * Blocks and deletions that are not in the index yet, in the order in which they were asked for.
 * A set has no lock of its own.
 */
#ifndef VVI_LOCAL_PENDING_H
#define VVI_LOCAL_PENDING_H

#include "local/layout.h"

typedef struct vvi_pending_entry {
    uint64_t tag;
    vvi_place place; /* VVI_PLACE_EMPTY: only in memory */
    size_t at;       /* of its record, or of its header alone, in bytes */
} vvi_pending_entry;

typedef struct vvi_pending {
    vv_buf bytes;
    vvi_pending_entry *entries;
    size_t count;
    size_t cap;
    uint32_t
        *table; /* number + 1 of the last entry under a name; open addressing by tag */
    size_t table_cap;
} vvi_pending;

void vvi_pending_clear(vvi_pending *set); /* and give the memory back */
void vvi_pending_empty(vvi_pending *set); /* keep the memory */

/* The last entry under this name; NULL if there is none. */
const vvi_pending_entry *vvi_pending_find(const vvi_pending *set, uint64_t tag,
                                          const vv_cid *cid);
static inline const uint8_t *vvi_pending_header(const vvi_pending *set,
                                                const vvi_pending_entry *entry)
{
    return set->bytes.data + entry->at;
}
static inline bool vvi_pending_is_block(const vvi_pending *set,
                                        const vvi_pending_entry *entry)
{
    return vvi_pending_header(set, entry)[8] <= VVI_RECORD_MOVED;
}

/* Room for so many entries and bytes: adding them cannot fail then. */
vv_status vvi_pending_reserve(vvi_pending *set, size_t count, size_t bytes,
                              vv_error *err);
/* Add a header with data behind it, padded; as it was on failure. */
vv_status vvi_pending_add(vvi_pending *set, uint64_t tag, vvi_place place,
                          vv_bytes header, vv_bytes data, vv_error *err);

#endif
