/*
 * What rooms do to be counted.
 *
 * Each asks vvi_metrics_on() first, which is one load and a branch when nobody wants to know, and then goes
 * another way, in a function of its own, so that the usual way has neither the room nor the code of this one:
 *
 *     if (vvi_metrics_on())
 *         return get_counted(…);  // begin, get, end
 *     return get(…);
 *
 * None of these calls fails. Threads: a begin and its end are called in one thread; the rest any.
 */
#ifndef VVI_METRICS_METRICS_H
#define VVI_METRICS_METRICS_H

#include <varvite/metrics.h>

#include "util/error.h"

#include <stdatomic.h>

/* Bits of vvi_metrics_state; 0: nobody wants to know. */
#define VVI_METRICS_UNDECIDED 1u /* the environment was not looked at yet */
#define VVI_METRICS_COUNTING  2u
#define VVI_METRICS_SINK      4u /* there is a sink */
#define VVI_METRICS_KEEPING   8u /* spans are kept */

/* Hidden: it is read without a look into the table of addresses. */
extern atomic_uint vvi_metrics_state __attribute__((visibility("hidden")));

/* The rest of the question: the environment decides at first; work of a sink is never counted. */
bool vvi_metrics_wanted(void);

static inline bool vvi_metrics_on(void)
{
    return __builtin_expect(
               atomic_load_explicit(&vvi_metrics_state, memory_order_relaxed) != 0, 0) &&
           vvi_metrics_wanted();
}

/* Put before a function that counts: it stays out of the usual way. */
#define VVI_COUNTING __attribute__((noinline, cold))

/* A span that may be told or kept. Of this room. */
typedef struct vvi_span {
    struct vvi_span *outer; /* the thread's innermost one before */
    uint64_t sink;          /* number of the sink that was told of the start; 0: none */
    void *token;            /* that the sink gave */
    uint64_t start_ns;      /* since 1970 */
    uint8_t trace_id[16], span_id[8], parent_id[8];
    bool is_live; /* someone wants to know of it */
} vvi_span;

/* ---- loads of blocks: py_hamt.cas.load --------------------------------------------------------- */

typedef struct vvi_load {
    vvi_span span;
    uint64_t begun_ns;
    uint32_t retries;
    vv_load_outcome outcome; /* when is_told */
    bool is_told;
    bool is_inflight, is_alone;
} vvi_load;

/* The loads that vv_metrics_tell_load() in this thread is about; returns those it was about before, which
 * are set again in the end. first: added to the numbers that the backend says. */
typedef struct vvi_told_loads {
    vvi_load *loads;
    size_t count, first;
} vvi_told_loads;
vvi_told_loads vvi_loads_set_told(vvi_told_loads loads);
/* From now on the backend's 0 is the i-th of them; the one after that. */
void vvi_loads_at(size_t i);
void vvi_loads_next(void);

/* is_alone: work until the end is a part of it; else several begin before the first ends. cid: its text, the
 * same at both. */
void vvi_load_begin(vvi_load *self, const char *cid, bool has_range, bool is_alone);
void vvi_load_end(vvi_load *self, const char *cid, bool has_range, vv_status status,
                  uint64_t bytes);

/* ---- lookups in a HAMT: py_hamt.hamt.lookup ---------------------------------------------------- */

typedef struct vvi_lookup {
    vvi_span span;
    struct vvi_lookup *outer; /* the thread's innermost one before */
    uint64_t begun_ns;
    uint64_t node_loads, node_hits;
    uint64_t last_bytes; /* of the last node load */
    bool last_hit;
    bool is_alone;
} vvi_lookup;

void vvi_lookup_begin(vvi_lookup *self, vv_bytes key, bool is_alone);
/* depth: of the node where it ended. VV_ENOTFOUND: there is no such key. */
void vvi_lookup_end(vvi_lookup *self, vv_bytes key, unsigned depth, vv_status status);

/* Nodes that a map open for reading was asked for, n of them in all those ns: found in its cache, or (hit
 * false) loaded, each of bytes. Belongs to the thread's innermost lookup, if there is one. */
void vvi_count_node_loads(bool hit, uint64_t n, uint64_t bytes, uint64_t ns);
/* How many of them this thread has counted so far. */
uint64_t vvi_node_loads_counted(void);

/* ---- gets of stores: py_hamt.hamt_store.get, py_hamt.sharded_store.get ---------------------------- */

typedef enum vvi_get_store {
    VVI_GET_HAMT = 0,
    VVI_GET_SHARDED
} vvi_get_store;

typedef struct vvi_get {
    vvi_span span;
    struct vvi_get *outer; /* the thread's innermost one before */
    uint64_t begun_ns;
    vvi_get_store store;
    bool has_range;
    bool is_alone;
    bool has_shard; /* vvi_count_shard_load() was called meanwhile */
    bool shard_hit;
    uint64_t shard, shard_entries;
} vvi_get;

void vvi_get_begin(vvi_get *self, vvi_get_store store, const char *key, bool has_range,
                   bool is_alone);
/* VV_ENOTFOUND: a miss. is_metadata: not a chunk. */
void vvi_get_end(vvi_get *self, const char *key, bool is_metadata, vv_status status);

/* A sharded index was asked for a shard, to read or to change a slot: it was held (hit) or had to be read or
 * begun. entries: slots of it; 0: it could not be had. ns: how long that took. Belongs to the thread's
 * innermost get, if there is one. */
void vvi_count_shard_load(uint64_t shard, bool hit, uint64_t entries, uint64_t ns);

/* ---- what py-hamt does not count: varvite.… ----------------------------------------------------- */

typedef enum vvi_work {
    VVI_BLOCK_PUT = 0, /* where: name of the block store */
    VVI_STORE_GET,     /* where: name of the store, and so below */
    VVI_STORE_SET,
    VVI_STORE_DELETE,
    VVI_STORE_LIST,
    VVI_WORK_COUNT
} vvi_work;

/* Work that began at begun_ns (vvi_now_ns()) ended: items asked for, bytes moved. */
void vvi_count_work(vvi_work work, const char *where, uint64_t items, uint64_t bytes,
                    uint64_t begun_ns, vv_status status);
/* A cache of blocks was asked for blocks, of which it held hits. */
void vvi_count_block_cache(uint64_t hits, uint64_t misses);

#endif
