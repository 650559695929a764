/*
 * The plan of a recording: what a schema comes to once its options are known. Sinks are told of it, and the
 * queue is cut after it.
 */
#ifndef VVI_RECORDER_PLAN_H
#define VVI_RECORDER_PLAN_H

#include <varvite/recorder.h>

#include "dtype/dtype.h"

#define VVI_EXTENT_NDIM_MAX 8

typedef enum vvi_group_kind {
    VVI_GROUP_ONCE,  /* no rows: each leaf is its one value */
    VVI_GROUP_ROWS,  /* rows one after another; the extent grows */
    VVI_GROUP_PLACED /* rows at places of the caller's, in an extent that is fixed */
} vvi_group_kind;

typedef struct vvi_plan_leaf {
    const char *name; /* "array['positions']"; borrowed from the schema */
    vvi_dtype dtype;
    uint32_t ndim;
    const uint64_t *shape; /* of a value; borrowed from the schema */
    size_t row_bytes;
    const char *units; /* NULL: not said; borrowed from the schema */
    uint64_t
        chunk_rows; /* ROWS: rows of a chunk, at least 1; others 1. May be changed before the start, to what
                            a file that is gone on with has */
} vvi_plan_leaf;

typedef struct vvi_plan_group {
    const char *name; /* "group['step']"; borrowed from the schema */
    vvi_group_kind kind;
    vv_frequency frequency;
    vv_compression compression; /* with every default filled in */
    const vv_tree *tree; /* of the leaves, without the steps; lives as the schema */
    /* As the file has them, in the order of the tree. A group of ROWS has one more leaf behind them, the step
     * of each row, VVI_PLAN_STEPS by name. */
    vvi_plan_leaf *leaves;
    size_t leaf_count;    /* with the steps */
    size_t *given;        /* given[i]: which of the caller's leaves leaf i is */
    uint32_t extent_ndim; /* PLACED */
    uint64_t extent[VVI_EXTENT_NDIM_MAX];
    uint64_t places; /* product of the extent */
} vvi_plan_group;
#define VVI_PLAN_STEPS "steps"

typedef struct vvi_plan {
    const vv_schema *schema;     /* lives as long as the plan */
    vv_recorder_options options; /* with every default filled in */
    const vv_tree *
        config; /* its leaves are the groups, by name and in the file's order; as the schema */
    vvi_plan_group *groups; /* numbered as the schema's */
    size_t group_count;
} vvi_plan;

/* Zero is an empty plan. The schema must come from vvi_schema_copy(). Returns VV_EINVAL (no group, no leaf, names
 * that clash, a frequency without its functions), VV_ELIMIT (the cap). */
vv_status vvi_recorder_plan(const vv_schema *schema, const vv_recorder_options *options,
                            vvi_plan *out, vv_error *err);
void vvi_plan_clear(vvi_plan *plan);

/*
 * How the cap is divided. Rows are held in blocks: of each leaf so many rows one behind the other, so that a chunk
 * of the largest leaf is encoded where log() put it. The chunks of smaller leaves are gathered from several blocks.
 */
typedef struct vvi_block_layout {
    uint32_t rows;        /* of a block: a chunk of the largest leaf */
    uint64_t bytes;       /* of a block, with what is kept beside the rows */
    uint32_t least;       /* blocks that the group always has */
    uint64_t gather_rows; /* of the largest chunk that is gathered; 0: none is */
    uint64_t late_rows;   /* rows that may be between a block and the sink */
    uint64_t fixed;       /* bytes of gathering and the like */
} vvi_block_layout;
typedef struct vvi_layout {
    uint32_t threads;         /* that encode, the writer among them */
    uint32_t slots;           /* chunks that are encoded at a time */
    uint64_t slot_bytes;      /* set aside for each */
    uint64_t fixed;           /* bytes of all that are not blocks */
    uint64_t least;           /* bytes of the blocks that are always there */
    uint64_t blocks;          /* bytes that all blocks may take */
    vvi_block_layout *groups; /* of each; vvi_free() */
} vvi_layout;
/* Returns VV_ELIMIT when the cap cannot hold it. */
vv_status vvi_recorder_layout(const vvi_plan *plan, vvi_layout *out, vv_error *err);

/* Is a group of the plan logged at this step? */
bool vvi_frequency_due(const vv_frequency *frequency, int64_t step);

#endif
