/*
 * Named counts: a table from name to a total, a count and samples.
 *
 * Threads: one at a time. Ownership: names are copied.
 */
#ifndef VVI_METRICS_TALLY_H
#define VVI_METRICS_TALLY_H

#include "util/error.h"

typedef struct vvi_tally {
    uint64_t hash;
    uint64_t seq; /* order of first sight, over all tables of the process */
    double total;
    uint64_t count;
    double *samples;
    size_t sample_count, sample_cap;
    size_t len;
    char name[]; /* terminated */
} vvi_tally;

/* Open addressing, linear probing; capacity is 0 or a power of two. Zero is an empty one. */
typedef struct vvi_tally_table {
    vvi_tally **slots;
    size_t capacity;
    size_t count;
} vvi_tally_table;

void vvi_tally_table_clear(vvi_tally_table *table);
/* The tally of that name; NULL: there is none. */
vvi_tally *vvi_tally_find(const vvi_tally_table *table, const char *name, size_t len);
/* The tally of that name, which is made where there was none; NULL: out of memory, or VVI_TALLY_MAX. */
vvi_tally *vvi_tally_at(vvi_tally_table *table, const char *name, size_t len);
/* Keep a sample unless there are limit of them. */
void vvi_tally_sample(vvi_tally *tally, double value, size_t limit);
/* Add all of from, which came by seq earlier or later, to tally; samples up to limit. */
void vvi_tally_merge(vvi_tally *tally, const vvi_tally *from, size_t limit);
/* The tallies in order of first sight; count of them, vvi_free(). NULL: out of memory, or none. */
vvi_tally **vvi_tally_sorted(const vvi_tally_table *table);

/* Add to a total, which stops short of infinity. */
void vvi_tally_add(vvi_tally *tally, double value);

/* Names that a table holds at most. */
#define VVI_TALLY_MAX ((size_t)1 << 20)

#endif
