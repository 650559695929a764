/* Rows of a trajectory into a sink of the recorder, chunk by chunk. */
#ifndef VVI_CONVERT_TRANSFER_H
#define VVI_CONVERT_TRANSFER_H

#include <varvite/convert.h>

#include "recorder/sink.h"

/* A trajectory as a plan: the groups that are wanted, with the rows that are wanted of them. */
typedef struct vvi_rows {
    vv_traj *traj;
    vv_transfer_options options; /* with every default filled in */
    vvi_plan plan;               /* borrows from the trajectory */
    struct vvi_rows_group {
        size_t group; /* of the trajectory */
        vv_row_range range;
        uint64_t rows;    /* that are wanted; ONCE: 0 or 1; PLACED: places written */
        bool has_steps;   /* the last leaf of the plan's group */
        bool is_numbered; /* they are the rows' numbers, as none are known */
    } * groups;
    int64_t next_step;
    vv_tree *config; /* of a part of the groups */
    char *only;      /* the name of the group that it has */
    vv_progress at;
} vvi_rows;

/* Clear it also after a failure. */
vv_status vvi_rows_open(vv_traj *traj, const vv_transfer_options *options, vvi_rows *out,
                        vv_error *err);
void vvi_rows_clear(vvi_rows *source);

/* Let the plan be one that a file can be made by: steps for all rows, a tree for each group, a configuration.
 * Returns VV_EUNSUPPORTED, VV_ENOMEM. */
vv_status vvi_rows_complete(vvi_rows *source, vv_error *err);
/* Rows first to first + count of those wanted of a leaf of ROWS, one behind the other. */
vv_status vvi_rows_read(const vvi_rows *source, size_t group, size_t leaf, uint64_t first,
                        uint64_t count, void *out, vv_error *err);
/* The one value of a leaf of ONCE; vvi_free(). */
vv_status vvi_rows_value(const vvi_rows *source, size_t group, size_t leaf, void **out,
                         vv_error *err);
/* The value of a leaf of PLACED at a place. */
vv_status vvi_rows_place(const vvi_rows *source, size_t group, size_t leaf,
                         const uint64_t *index, void *out, vv_error *err);
/* Which places of a group of PLACED were written; vvi_free(). */
vv_status vvi_rows_written(const vvi_rows *source, size_t group, uint8_t **out,
                           vv_error *err);
/* The place in C order behind this one. */
void vvi_rows_next_place(const vvi_plan_group *group, uint64_t *index);

/* Bytes of values that were dealt with since the last call; may stop all of it. */
vv_status vvi_rows_tick(vvi_rows *source, uint64_t bytes, vv_error *err);
/* Of all that is wanted. */
uint64_t vvi_rows_bytes(const vvi_rows *source);
/* How many chunks of a leaf are held at a time. */
size_t vvi_rows_batch(const vvi_rows *source, const vvi_plan_leaf *leaf);

/* Put everything and close the sink, which stays the caller's. attributes: as of its close. */
vv_status vvi_transfer(vvi_rows *source, vvi_sink *sink, const char *attributes,
                       vv_error *err);

/* Fill in what was transferred. */
void vvi_transfer_count(const vvi_rows *source, const vvi_sink *sink,
                        vv_transfer_result *out);

#endif
