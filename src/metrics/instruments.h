/*
 * The instruments: what is measured, with which attributes. A point is an instrument with values of its
 * attributes; its key holds both, since attributes have few values.
 */
#ifndef VVI_METRICS_INSTRUMENTS_H
#define VVI_METRICS_INSTRUMENTS_H

#include "metrics/state.h"

#define VVI_POINT_ATTRIBUTES 4

typedef enum vvi_instrument {
    VVI_CAS_REQUESTS = 0,
    VVI_CAS_BYTES,
    VVI_CAS_RETRIES,
    VVI_CAS_DURATION,
    VVI_LOOKUP_REQUESTS,
    VVI_LOOKUP_DURATION,
    VVI_LOOKUP_DEPTH,
    VVI_NODE_REQUESTS,
    VVI_NODE_BYTES,
    VVI_NODE_DURATION,
    VVI_ZARR_REQUESTS,
    VVI_ZARR_DURATION,
    VVI_SHARD_REQUESTS,
    VVI_SHARD_DURATION,
    VVI_SHARD_ENTRIES,
    VVI_WORK_REQUESTS, /* of vvi_work 0; those of the others follow, four a work */
    VVI_WORK_ITEMS,
    VVI_WORK_BYTES,
    VVI_WORK_DURATION,
    VVI_BLOCK_CACHE_REQUESTS = VVI_WORK_REQUESTS + 4 * VVI_WORK_COUNT,
    VVI_INSTRUMENT_COUNT
} vvi_instrument;

/* What an attribute may be: one of these texts, or true and false where there are none. */
typedef struct vvi_attribute_def {
    const char *name;
    const char *const
        *values; /* ended by NULL; the last one stands for all that is not listed */
} vvi_attribute_def;

typedef struct vvi_instrument_def {
    const char *name;
    const char *unit;
    const char *help;
    vv_instrument_kind kind;
    const vvi_attribute_def *attributes[VVI_POINT_ATTRIBUTES]; /* NULL: no more */
    const double *bounds; /* of a histogram: upper bounds of its buckets but the last */
    size_t bound_count;
} vvi_instrument_def;

extern const vvi_instrument_def vvi_instruments[VVI_INSTRUMENT_COUNT];

/* Buckets of a histogram at most. */
#define VVI_BUCKETS_MAX 24

/* What a point came to. */
typedef struct vvi_point {
    uint32_t key; /* vvi_point_key() + 1; 0: a free place */
    uint64_t count;
    double sum, min, max;
    uint64_t buckets[VVI_BUCKETS_MAX];
} vvi_point;

/* values: a number for each attribute of the instrument, in their order. */
static inline uint32_t vvi_point_key(vvi_instrument instrument,
                                     const uint8_t values[VVI_POINT_ATTRIBUTES])
{
    return (uint32_t)instrument | (uint32_t)values[0] << 8 | (uint32_t)values[1] << 12 |
           (uint32_t)values[2] << 16 | (uint32_t)values[3] << 20;
}

/* The number of a text among an attribute's values. */
uint8_t vvi_attribute_value(const vvi_attribute_def *attribute, const char *text);
/* The instrument and the attributes of a key; how many. */
const vvi_instrument_def *vvi_point_instrument(uint32_t key);
size_t vvi_point_attributes(uint32_t key, vv_attribute out[VVI_POINT_ATTRIBUTES]);

/* Record in the instrument, where counting is on, and tell the sink. */
void vvi_record(vvi_instrument instrument, double value,
                const uint8_t values[VVI_POINT_ATTRIBUTES]);

/* All points so far, by instrument and attributes; vvi_free(). NULL with *n > 0: out of memory. since_ns:
 * when counting began, since 1970. */
vvi_point *vvi_points(size_t *n, uint64_t *since_ns);

extern const vvi_attribute_def vvi_attribute_store, vvi_attribute_status,
    vvi_attribute_where;

#endif
