/* Which variables an import or an export takes, and in what chunks. */
#ifndef VVI_DATASET_PLAN_H
#define VVI_DATASET_PLAN_H

#include "dataset/source.h"

#define VVI_CHUNK_BYTES_LEAST ((uint64_t)1 << 20)
#define VVI_CHUNK_BYTES_MOST  ((uint64_t)4 << 20)

/*
 * Mark the variables to take: those named by name or path, and what they refer to; all if there are
 * no names. Then refuse, by name, what Zarr cannot hold. Returns VV_EINVAL (no such variable),
 * VV_EUNSUPPORTED.
 */
vv_status vvi_plan_select(vvi_source *source, const char *const *names, size_t count,
                          bool text_as_bytes, vv_error *err);

/* Take out of the tree what is not wanted, and the dimensions that nothing has then. */
void vvi_plan_drop(vvi_source *source);

/*
 * Choose a chunk shape for each wanted variable: 1 to 4 MiB made from the source's chunks where it
 * has any. chunks: "time=12,lat=90" or NULL; shards alike, NULL: none. Returns VV_EINVAL (malformed, no such dimension),
 * VV_ELIMIT (a chunk of more than memory_bytes).
 */
vv_status vvi_plan_chunks(vvi_source *source, const char *chunks, const char *shards,
                          uint64_t memory_bytes, vv_error *err);

#endif
