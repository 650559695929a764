/*
 * Chunk grids: which chunks a region touches, and what of each; the keys of chunks.
 *
 * Along a dimension all chunks have the same length, or (a rectilinear grid) each has its own.
 *
 * All lengths are in elements, dimension 0 first; a grid without dimensions has one chunk of one
 * element. Threads: any.
 */
#ifndef VVI_GRID_GRID_H
#define VVI_GRID_GRID_H

#include "util/error.h"

#define VVI_GRID_NDIM_MAX 32

/* A plain value. */
typedef struct vvi_grid {
    uint32_t ndim;
    uint64_t shape[VVI_GRID_NDIM_MAX];
    uint64_t chunk[VVI_GRID_NDIM_MAX]; /* each ≥ 1; of different lengths: the longest */
    uint64_t count[VVI_GRID_NDIM_MAX]; /* chunks */
    uint64_t chunk_elements;           /* of a chunk with the lengths in chunk */
    const uint64_t *ends
        [VVI_GRID_NDIM_MAX]; /* where each chunk ends, count of them, borrowed; NULL: all
                                     have the same length */
} vvi_grid;

/* Returns VV_EINVAL (a chunk length of 0, too many dimensions), VV_ERANGE (a chunk of 2^64 elements
 * or more). */
vv_status vvi_grid_init(vvi_grid *grid, uint32_t ndim, const uint64_t *shape,
                        const uint64_t *chunk, vv_error *err);
/*
 * Let the chunks of a dimension end at ends[0], ends[1], …; the last one may reach past the shape, and
 * those that begin behind it do not count. ends is borrowed. Returns VV_EINVAL (not rising, or short
 * of the shape), VV_ERANGE (a chunk of 2^64 elements or more).
 */
vv_status vvi_grid_set_ends(vvi_grid *grid, uint32_t dimension, const uint64_t *ends,
                            uint64_t n, vv_error *err);
/* Does every chunk have the lengths in chunk? */
bool vvi_grid_is_regular(const vvi_grid *grid);
/* The chunk that an element of a dimension lies in. */
uint64_t vvi_grid_chunk_of(const vvi_grid *grid, uint32_t dimension, uint64_t element);
/* The first element of a chunk, and its length, also of what of it reaches past the shape. */
uint64_t vvi_grid_chunk_start(const vvi_grid *grid, uint32_t dimension, uint64_t index);
uint64_t vvi_grid_chunk_length(const vvi_grid *grid, uint32_t dimension, uint64_t index);
/* Its lengths in all dimensions. */
void vvi_grid_chunk_shape(const vvi_grid *grid, const uint64_t *index, uint64_t *shape);
/* The product of n lengths; VV_ERANGE past 2^64. */
vv_status vvi_product(uint32_t n, const uint64_t *lengths, uint64_t *out, vv_error *err);
/* VV_ERANGE when a chunk lies outside the grid. */
vv_status vvi_grid_check_chunk(const vvi_grid *grid, const uint64_t *index,
                               vv_error *err);

/* count[i] elements from start[i], every step[i]-th. */
typedef struct vvi_region {
    uint64_t start[VVI_GRID_NDIM_MAX];
    uint64_t count[VVI_GRID_NDIM_MAX];
    uint64_t step[VVI_GRID_NDIM_MAX];
    uint64_t elements;
} vvi_region;

/* step NULL: all 1. Returns VV_EINVAL (a step of 0), VV_ERANGE (reaches past the shape). */
vv_status vvi_region_init(vvi_region *region, const vvi_grid *grid, const uint64_t *start,
                          const uint64_t *count, const uint64_t *step, vv_error *err);

/* What a region takes of one chunk. */
typedef struct vvi_grid_part {
    uint64_t index[VVI_GRID_NDIM_MAX]; /* the chunk */
    uint64_t first[VVI_GRID_NDIM_MAX]; /* within the chunk: the first element taken */
    uint64_t count[VVI_GRID_NDIM_MAX]; /* elements taken, a step of the region apart */
    uint64_t at[VVI_GRID_NDIM_MAX];    /* within the region: where the first one goes */
} vvi_grid_part;

/* The chunks of a region in C order; those that a step leaps over are left out. */
typedef struct vvi_grid_walk {
    const vvi_grid *grid;
    const vvi_region *region;
    vvi_grid_part next;
    bool done;
} vvi_grid_walk;

void vvi_grid_walk_init(vvi_grid_walk *walk, const vvi_grid *grid,
                        const vvi_region *region);
bool vvi_grid_walk_next(vvi_grid_walk *walk, vvi_grid_part *out);

/* Does the part hold every element of its chunk that lies inside the shape? */
bool vvi_grid_part_is_all(const vvi_grid *grid, const vvi_grid_part *part);
/* Bytes from the region's first element to the part's, in a buffer with these strides. */
uint64_t vvi_grid_part_offset(const vvi_grid *grid, const vvi_grid_part *part,
                              const uint64_t *strides);
/* Does a buffer with these strides hold the whole chunk as it lies in one with chunk_strides? */
bool vvi_grid_part_lies_alike(const vvi_grid *grid, const vvi_grid_part *part,
                              const uint64_t *strides, const uint64_t *chunk_strides);

/* ---- keys ---------------------------------------------------------------------------------- */

/* How chunk coordinates become a key: the "default" encoding, c/0/1, or "v2", 0.1. */
typedef struct vvi_key_form {
    char separator; /* '/' or '.' */
    bool v2;
} vvi_key_form;

/* Append the key of a chunk. */
vv_status vvi_chunk_key(vvi_key_form form, uint32_t ndim, const uint64_t *index,
                        vv_buf *out, vv_error *err);
/* Read a key back; false when it is none of this form. */
bool vvi_chunk_key_parse(vvi_key_form form, uint32_t ndim, const char *key,
                         uint64_t *index);

/* ---- boxes of elements in memory ------------------------------------------------------------ */

/* Bytes from one element to the next in each dimension of a C-ordered block. */
void vvi_strides(uint32_t ndim, const uint64_t *shape, size_t item, uint64_t *out);

/* Copy count[0] × … elements of item bytes; strides in bytes. */
void vvi_copy_box(uint32_t ndim, const uint64_t *count, size_t item, uint8_t *to,
                  const uint64_t *to_strides, const uint8_t *from,
                  const uint64_t *from_strides);
/* Set each of them to *value. */
void vvi_fill_box(uint32_t ndim, const uint64_t *count, size_t item, uint8_t *to,
                  const uint64_t *to_strides, const uint8_t *value);

/* n elements in a row. */
void vvi_fill(uint8_t *to, size_t n, size_t item, const uint8_t *value);
/* Are they all bit for bit the same as value? */
bool vvi_all_equal(const uint8_t *data, size_t n, size_t item, const uint8_t *value);

#endif
