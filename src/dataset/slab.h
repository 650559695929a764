/*
 * Slabs: a variable cut into boxes of whole chunks that fit into memory, taken one after the other
 * in C order. A slab spans the last dimensions wholly as far as it can.
 */
#ifndef VVI_DATASET_SLAB_H
#define VVI_DATASET_SLAB_H

#include "grid/grid.h"

typedef struct vvi_slab {
    uint64_t start[VVI_GRID_NDIM_MAX]; /* elements */
    uint64_t count[VVI_GRID_NDIM_MAX];
    uint64_t chunk[VVI_GRID_NDIM_MAX];  /* the first chunk */
    uint64_t chunks[VVI_GRID_NDIM_MAX]; /* how many */
    uint64_t elements;
    size_t chunk_total;
} vvi_slab;

typedef struct vvi_slabs {
    vvi_grid grid;
    size_t item;
    uint64_t rows[VVI_GRID_NDIM_MAX]; /* chunks of a slab in each dimension */
    uint64_t next[VVI_GRID_NDIM_MAX]; /* first chunk of the next slab */
    bool done;
} vvi_slabs;

/* source_chunks: slabs end at their borders where that is possible; NULL: none. */
vv_status vvi_slabs_init(vvi_slabs *slabs, uint32_t ndim, const uint64_t *shape,
                         const uint64_t *chunk, const uint64_t *source_chunks,
                         size_t item, uint64_t max_bytes, vv_error *err);
bool vvi_slabs_next(vvi_slabs *slabs, vvi_slab *out);
/* Bytes of the largest slab, and its length in each dimension. */
uint64_t vvi_slabs_most(const vvi_slabs *slabs, uint64_t *lengths);

/* Coordinates of the i-th chunk of a slab. */
void vvi_slab_chunk(const vvi_slabs *slabs, const vvi_slab *slab, size_t i,
                    uint64_t *index);
/*
 * The elements of a chunk: *out points into the slab's data where they lie there as they are, else
 * to scratch (one chunk), where they were copied, with fill behind the edges of the array.
 */
void vvi_slab_cut(const vvi_slabs *slabs, const vvi_slab *slab, const uint8_t *data,
                  const uint64_t *index, const uint8_t *fill, uint8_t *scratch,
                  const uint8_t **out);

#endif
