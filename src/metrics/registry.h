/* What was counted, gathered for a snapshot. */
#ifndef VVI_METRICS_REGISTRY_H
#define VVI_METRICS_REGISTRY_H

#include "metrics/state.h"
#include "metrics/tally.h"

typedef struct vvi_counted {
    vvi_tally_table counters, bytes, times, values;
    vvi_tally_table asked[2]; /* by vvi_asked: cids, keys */
    vv_buf label;             /* no data: none */
    double elapsed_seconds;
    uint64_t max_inflight;
    size_t sample_limit;
} vvi_counted;

/* All of it; on failure too it is to be cleared. */
vv_status vvi_counted_gather(vvi_counted *out, vv_error *err);
void vvi_counted_clear(vvi_counted *counted);

/* Samples a series keeps, from the text of the environment; NULL: it is not set. */
size_t vvi_sample_limit_of(const char *text);

#endif
