/* A comparison of two hierarchies under way. */
#ifndef VVI_COPY_DIFF_H
#define VVI_COPY_DIFF_H

#include <varvite/copy.h>

#include "store/key_set.h"
#include "util/thread.h"
#include "json/json.h"

/* How a key differs. */
typedef enum vvi_key_change {
    VVI_KEY_ADDED,
    VVI_KEY_REMOVED,
    VVI_KEY_CHANGED
} vvi_key_change;

/* A node at which something differs. */
typedef struct vvi_diff_node {
    char *path;
    bool document;       /* its metadata differs, or is in one only */
    bool opened;         /* the arrays were looked for */
    vv_array *arrays[2]; /* NULL: there is no array */
    bool recoded;        /* arrays in both, encoded in different ways */
    uint64_t counts[3];  /* of keys, by vvi_key_change */
    uint64_t start[VV_NDIM_MAX], stop[VV_NDIM_MAX]; /* elements that they cover */
    bool boxed;                                     /* there is such a box */
    uint64_t compared, differing; /* guarded by the run's lock, as the next */
    double max_difference;        /* −1: none yet */
    uint64_t value_start[VV_NDIM_MAX], value_stop[VV_NDIM_MAX]; /* what was compared */
} vvi_diff_node;

/* A chunk whose values are to be compared. */
typedef struct vvi_diff_job {
    vvi_diff_node *node;
    uint64_t start[VV_NDIM_MAX], count[VV_NDIM_MAX];
} vvi_diff_job;

#define VVI_DIFF_JOBS 64

typedef struct vvi_tree_diff {
    vv_store *stores[2];
    const char *paths[2]; /* clean */
    vv_diff_options options;
    vv_diff_fn visit;
    void *ctx;
    vvi_key_set nodes;   /* path → vvi_diff_node; "" stands as "/" */
    vvi_diff_node *last; /* the one that the last key belonged to */
    vvi_diff_job jobs[VVI_DIFF_JOBS];
    size_t job_count;
    vvi_mutex lock;
    uint64_t keys_seen;
    uint64_t told_ns;
    vv_diff_result result;
} vvi_tree_diff;

/* ---- diff.c ---- */
/* The node at a path, made if it is new. */
vv_status vvi_diff_node_at(vvi_tree_diff *diff, const char *path, size_t len,
                           vvi_diff_node **out, vv_error *err);
/* Open the arrays of a node, once. */
vv_status vvi_diff_open(vvi_tree_diff *diff, vvi_diff_node *node, vv_error *err);
vv_status vvi_diff_report(vvi_tree_diff *diff, const vv_diff_finding *finding,
                          vv_error *err);
vv_status vvi_diff_tell_keys(vvi_tree_diff *diff, uint64_t seen, vv_error *err);

/* ---- diff_keys.c: which keys differ ---- */
vv_status vvi_diff_all_keys(vvi_tree_diff *diff, vv_error *err);

/* ---- diff_meta.c ---- */
/* Compare a node's documents, and tell. *both: it is the same kind of node in both. */
vv_status vvi_diff_documents(vvi_tree_diff *diff, vvi_diff_node *node, bool *both,
                             vv_error *err);

/* ---- diff_values.c ---- */
/* Compare the values of the jobs that wait. */
vv_status vvi_diff_run_jobs(vvi_tree_diff *diff, vv_error *err);
/* Compare all values of two arrays that are encoded in different ways; *can: they can be compared. */
vv_status vvi_diff_whole(vvi_tree_diff *diff, vvi_diff_node *node, bool *can,
                         vv_error *err);

#endif
