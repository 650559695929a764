/*
 * Names of nodes that a walk remembers, to notice one that comes again.
 *
 * Two slots of a tree never lead to one node: it would hold the same keys at two places. Blocks
 * that link to each other so would make a walk of any length from a few of them. The memory has
 * room for so many names and no more; what makes a walk long comes again soon.
 */
#ifndef VVI_HAMT_SEEN_H
#define VVI_HAMT_SEEN_H

#include "hamt/link.h"
#include "util/alloc.h"
#include "util/endian.h"

#include <string.h>

#define VVI_SEEN_COUNT 16384u
#define VVI_SEEN_BYTES 16u

typedef struct vvi_seen {
    uint8_t (*names)[VVI_SEEN_BYTES];
} vvi_seen;

static inline vv_status vvi_seen_init(vvi_seen *seen, vv_error *err)
{
    seen->names = vvi_alloc_array_zero(VVI_SEEN_COUNT, VVI_SEEN_BYTES);
    return seen->names ? VV_OK
                       : vvi_fail_nomem(err, (size_t)VVI_SEEN_COUNT * VVI_SEEN_BYTES);
}

static inline void vvi_seen_clear(vvi_seen *seen)
{
    vvi_free(seen->names);
    seen->names = NULL;
}

/* Remember a name. @return VV_OK, VV_ECORRUPT (it is remembered already) */
static inline vv_status vvi_seen_check(vvi_seen *seen, const vvi_link *link,
                                       vv_error *err)
{
    uint8_t tail[VVI_SEEN_BYTES] = { 0 };
    size_t n = link->len < VVI_SEEN_BYTES ? link->len : VVI_SEEN_BYTES;
    size_t place;

    memcpy(tail, link->bytes + link->len - n, n);
    place = vvi_get_le32(tail) % VVI_SEEN_COUNT;
    if (memcmp(seen->names[place], tail, VVI_SEEN_BYTES) == 0)
        return vvi_fail(err, VV_ECORRUPT, "two links of the HAMT lead to one node");
    memcpy(seen->names[place], tail, VVI_SEEN_BYTES);
    return VV_OK;
}

#endif
