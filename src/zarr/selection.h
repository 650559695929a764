/*
 * Which elements of an array are wanted, and what of them lies in each chunk.
 *
 * A selection has for each dimension either start, count and step, or a list of positions. A walk
 * visits the chunks of a grid that hold something of it; one walk goes over an array's stored values
 * and another, inside each, over the inner chunks of a shard. Threads: a selection is only read; a walk
 * is for one at a time, see vvi_walk_take().
 */
#ifndef VVI_ZARR_SELECTION_H
#define VVI_ZARR_SELECTION_H

#include "grid/grid.h"
#include "util/thread.h"

/* An element of a list: its position in the array, and where in the result it goes. */
typedef struct vvi_pick {
    uint64_t position, at;
} vvi_pick;

typedef struct vvi_selection {
    uint32_t ndim;
    uint64_t start[VVI_GRID_NDIM_MAX];
    uint64_t count[VVI_GRID_NDIM_MAX];
    uint64_t step[VVI_GRID_NDIM_MAX];
    const vvi_pick
        *picks[VVI_GRID_NDIM_MAX]; /* count, sorted; NULL: start and step say it */
    bool has_picks;
    uint64_t elements;
} vvi_selection;

/* count[i] elements from start[i], every step[i]-th; step NULL: all 1. As vvi_region_init(). */
vv_status vvi_selection_init(vvi_selection *self, const vvi_grid *grid,
                             const uint64_t *start, const uint64_t *count,
                             const uint64_t *step, vv_error *err);
/* One whole chunk, also what of it lies outside the shape, and the part that is all of it. */
void vvi_selection_of_chunk(vvi_selection *self, vvi_grid_part *part,
                            const vvi_grid *grid, const uint64_t *shape,
                            const uint64_t *index);

/* At most so many chunks of the grid hold something of the selection; UINT64_MAX past 2^64. */
uint64_t vvi_selection_chunks(const vvi_selection *self, const vvi_grid *grid);

/* From the first to the last element of a part in a dimension, counted in the array. */
uint64_t vvi_selection_reach(const vvi_selection *self, const vvi_grid_part *part,
                             uint32_t dimension);

/*
 * The chunks in C order. In a part, "first" is within the chunk and "at" within the selection: with a
 * list of positions, the number of the first pick.
 */
typedef struct vvi_walk {
    const vvi_selection *selection;
    const vvi_grid *grid;
    uint64_t origin[VVI_GRID_NDIM_MAX]; /* where the grid begins in the array */
    uint64_t begin[VVI_GRID_NDIM_MAX];  /* the part of the selection that is walked */
    uint64_t end[VVI_GRID_NDIM_MAX];
    vvi_grid_part next;
    bool done;
    vvi_mutex lock; /* of vvi_walk_take() */
} vvi_walk;

/* Over all of the selection. Clear with vvi_walk_clear(). */
vv_status vvi_walk_init(vvi_walk *self, const vvi_selection *selection,
                        const vvi_grid *grid, vv_error *err);
/* Over what part, of a chunk of another grid, holds: grid divides that chunk. */
vv_status vvi_walk_init_inside(vvi_walk *self, const vvi_selection *selection,
                               const vvi_grid *grid, const vvi_grid_part *part,
                               vv_error *err);
void vvi_walk_clear(vvi_walk *self);
bool vvi_walk_next(vvi_walk *self, vvi_grid_part *out);
/* The same, from several threads at once. */
bool vvi_walk_take(vvi_walk *self, vvi_grid_part *out);

/* A box of memory that holds the selection's elements, and one that holds a chunk's. */
typedef struct vvi_box {
    uint8_t *data;
    const uint64_t *strides; /* bytes */
} vvi_box;

/* Copy the elements of a part from a whole chunk to where they go in the result, or back. */
void vvi_part_read(const vvi_selection *selection, const vvi_grid_part *part, size_t item,
                   vvi_box result, vvi_box chunk);
void vvi_part_write(const vvi_selection *selection, const vvi_grid_part *part,
                    size_t item, vvi_box result, vvi_box chunk);
/* Set them to a value in the result. */
void vvi_part_fill(const vvi_selection *selection, const vvi_grid_part *part, size_t item,
                   vvi_box result, const uint8_t *value);
/* Does the result hold the chunk as the chunk itself lies in memory? Then *place is where. */
bool vvi_part_lies_alike(const vvi_selection *selection, const vvi_grid_part *part,
                         const uint64_t *chunk_shape, vvi_box result,
                         const uint64_t *chunk_strides, uint8_t **place);

#endif
