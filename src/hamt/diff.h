/* A comparison of two maps: what its two ways, diff.c and diff_keys.c, share. */
#ifndef VVI_HAMT_DIFF_H
#define VVI_HAMT_DIFF_H

#include "hamt/tree.h"

typedef struct vvi_diff {
    vv_hamt *maps[2]; /* NULL: the empty map */
    vv_hamt_change_fn visit;
    void *ctx;
    vv_progress_fn progress;
    void *progress_ctx;
    uint64_t next_progress_ns;
    vv_hamt_diff_result result;
} vvi_diff;

/* Count and tell a change; one of the two pointers may be NULL. */
vv_status vvi_diff_tell(vvi_diff *diff, vv_bytes key, const vv_cid *before,
                        const vv_cid *after, vv_error *err);
/* Tell how far it came, now and then. @return what the callback says */
vv_status vvi_diff_progress(vvi_diff *diff, vv_error *err);

/* "the first map": which one failed. */
vv_status vvi_diff_failed(unsigned which, vv_status status, vv_error *err);

/* Look up each key of one map in the other. */
vv_status vvi_diff_by_keys(vvi_diff *diff, vv_error *err);

#endif
