/* A copy under way. */
#ifndef VVI_COPY_RUN_H
#define VVI_COPY_RUN_H

#include "copy/target.h"

#include <varvite/copy.h>

#define VVI_COPY_MEMORY ((uint64_t)128 << 20)

/* A node of the source. */
typedef struct vvi_copy_node {
    char *path; /* below the start; "" for it */
    vv_node_kind kind;
    bool stored;  /* an array whose values are copied as they are */
    bool rekeyed; /* but under other keys */
    bool change;  /* the caller's changes are for this array */
    bool done;    /* a copy that was stopped had completed it */
    bool
        documented; /* a copy that was stopped had put its metadata, ahead of its chunks */
} vvi_copy_node;

typedef struct vvi_copy_run {
    vv_store *from, *to;
    const char *from_path, *to_path; /* clean */
    vv_copy_options options;
    vvi_changes changes;
    vvi_copy_node *nodes; /* parents first */
    size_t count, cap;
    bool linked;    /* values are copied by name */
    bool going_on;  /* with a copy that was stopped */
    uint64_t items; /* stored values and regions so far */
    uint64_t bytes_total;
    uint64_t told_ns;
    vv_copy_result result;
} vvi_copy_run;

/* Keys and paths at both ends; terminated. */
vv_status vvi_copy_path(const char *start, const char *path, vv_buf *out, vv_error *err);
/* Paths in the order of nodes: parents first, the slash counts less than any character. */
int vvi_path_compare(const char *a, size_t a_len, const char *b, size_t b_len);
/* Tell progress, unless that was done a moment ago. @return what the callback says */
vv_status vvi_copy_tell(vvi_copy_run *run, vv_error *err);

/* ---- stored.c: values as they are stored ---- */
/* Copy the values of all arrays that are copied so, and their metadata behind them. */
vv_status vvi_copy_stored(vvi_copy_run *run, vv_error *err);
/* Put the metadata of a node as it is (of version 2: as version 3 says it). */
vv_status vvi_copy_document(vvi_copy_run *run, const vvi_copy_node *node, vv_error *err);

/* ---- decoded.c ---- */
/* Bytes of an element in memory. */
size_t vvi_copy_item(const vv_array_meta *meta);
/* Plan the regions of an array; tell the caller. */
vv_status vvi_copy_plan_array(vvi_copy_run *run, vvi_copy_node *node, vv_error *err);
vv_status vvi_copy_decoded(vvi_copy_run *run, const vvi_copy_node *node, vv_error *err);

/* ---- note.c: what lies at the target until the copy is complete ---- */
/* Write this copy's note into a buffer, and look for one at the target: of a copy that this one goes
 * on with, or VV_EEXISTS. */
vv_status vvi_note_look(vvi_copy_run *run, vv_buf *note, vv_error *err);
vv_status vvi_note_put(vvi_copy_run *run, const vv_buf *note, vv_error *err);
vv_status vvi_note_end(vvi_copy_run *run, vv_error *err);

#endif
