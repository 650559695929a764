/* What the copy of an array is to be. */
#ifndef VVI_COPY_TARGET_H
#define VVI_COPY_TARGET_H

#include "copy/lengths.h"

#include <varvite/zarr.h>

/* Changes that a caller asked for, parsed. */
typedef struct vvi_changes {
    vvi_lengths chunks, shards;
    bool unshard;
    const char *codecs; /* NULL: keep */
    char separator;     /* 0: keep, and v2_keys too */
    bool v2_keys;
    bool any; /* is anything to change? */
} vvi_changes;

/* Returns VV_EINVAL. */
vv_status vvi_changes_parse(const char *chunks, const char *shards, const char *codecs,
                            const char *keys, vvi_changes *out, vv_error *err);

/* Metadata of the copy; points into itself and into that of the source. */
typedef struct vvi_target {
    vv_array_meta meta;
    uint64_t chunk[VV_NDIM_MAX], inner[VV_NDIM_MAX];
    bool same_encoding; /* stored values can be copied as they are */
    bool same_keys;     /* and under the same keys */
} vvi_target;

/* changes NULL: none. name: the array's own, to know coordinates by. Returns VV_ELIMIT (a shard's
 * length past 2^64), VV_ENOMEM, and what vv_array_create() does. */
vv_status vvi_target_make(const vv_array_meta *from, const char *name,
                          vvi_changes *changes, vvi_target *out, vv_error *err);

#endif
