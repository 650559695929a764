/* Elements that are no numbers: how long they are, and how many different ones there are. */
#ifndef VVI_STATS_TEXTS_H
#define VVI_STATS_TEXTS_H

#include "dtype/dtype.h"

/* What some elements add up to; zero is none. */
typedef struct vvi_texts {
    uint64_t count, empty;
    uint64_t shortest, longest; /* see vv_stats */
    uint64_t bytes;             /* of all */
} vvi_texts;

/* Different elements, by a hash of 64 bits, up to a bound. Threads: any. */
typedef struct vvi_distinct {
    vvi_mutex lock;
    uint64_t *slots; /* guarded by lock, as the rest is; 0: free */
    size_t count;
    bool is_ready;
} vvi_distinct;

vv_status vvi_distinct_init(vvi_distinct *distinct, vv_error *err);
void vvi_distinct_clear(vvi_distinct *distinct);

/* Add n elements, all of which are the first one where repeat is set. */
void vvi_texts_add(vvi_texts *texts, vvi_distinct *distinct, const vvi_dtype *dtype,
                   const void *elements, uint64_t n, bool repeat);
void vvi_texts_merge(vvi_texts *to, const vvi_texts *from);

#endif
