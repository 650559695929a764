/* What the two halves of the check share: the pack files, and the index beside them. */
#ifndef VVI_LOCAL_FSCK_H
#define VVI_LOCAL_FSCK_H

#include "local/store.h"

typedef struct vvi_fsck {
    vv_fsck_options opts;
    vv_fsck_result *result;
    const char *directory;
    vvi_local *self;       /* its index is made from what the check reads */
    vvi_index_state state; /* of that index */
    vvi_index *index;      /* the file, as it was; NULL: it cannot be used */
    vvi_place limit;       /* the log is looked at up to here */
    vvi_place trusted;     /* acknowledged up to here */
    bool alone;            /* nobody else has the store open */
    bool clean;            /* closed in order: the index can be held against the log */
    bool blocks_are_bad;   /* slots of the index lead to what was reported already */
    bool index_is_bad;     /* it must be made again */
    uint64_t harmless;     /* findings that are no damage */
    uint64_t next_report_ns;
    uint64_t bytes_total;
} vvi_fsck;

/* Count a finding and tell the caller of it. repaired: it is or will be mended in this run. */
vv_status vvi_fsck_found(vvi_fsck *f, vv_fsck_finding *finding, bool repaired,
                         vv_error *err, const char *format, ...) VVI_PRINTF(5, 6);

/* Hold the index file against the one made from the log. */
vv_status vvi_fsck_index(vvi_fsck *f, vv_error *err);

#endif
