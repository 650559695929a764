/* Writing of a selection, for the files that share it out. */
#ifndef VVI_ZARR_WRITING_H
#define VVI_ZARR_WRITING_H

#include "zarr/array.h"

/* What is to be stored of a value. */
typedef struct vvi_prepared {
    vv_buf value;
    vv_bytes stored; /* in value, or in the caller's data */
    bool is_empty;   /* fill values only: nothing is to be stored */
} vvi_prepared;

/* Does the part leave elements of the value as they are, so that the old value is needed? */
bool vvi_keeps_old(const vvi_writing *self, const vvi_form *form,
                   const vvi_grid_part *part);
/* Make the new value of a part's chunk. old: the value before, opened where vvi_keeps_old(). alone: in
 * this thread. Clear prepared->value in any case. */
vv_status vvi_prepare_value(const vvi_writing *self, const vvi_form *form,
                            const vvi_grid_part *part, vvi_stored *old, vvi_desk *desk,
                            bool alone, vvi_prepared *prepared, vv_error *err);
/* The same for a shard; shard.c. */
vv_status vvi_prepare_shard(const vvi_writing *self, const vvi_form *form,
                            const vvi_grid_part *part, vvi_stored *old, vvi_desk *desk,
                            bool alone, vvi_prepared *prepared, vv_error *err);
/*
 * The elements of a unit as they are to be: in the caller's data, or put together on the desk. part is
 * within the unit; origin is where the unit begins in the array; old: its encoded bytes, data NULL where
 * there are none or none are needed.
 */
vv_status vvi_compose_unit(const vvi_writing *self, const vvi_form *form,
                           const vvi_grid_part *part, const uint64_t *origin,
                           vv_bytes old, vvi_desk *desk, const uint8_t **out,
                           vv_error *err);
/* Does the part hold every element of a chunk that lies inside the array's shape? */
bool vvi_covers(const vvi_writing *self, const vvi_grid_part *part,
                const uint64_t *chunk_shape, const uint64_t *origin);
/* Does a unit hold fill values only? Then it is not stored. */
bool vvi_unit_is_fill(const vv_array *array, const vvi_form *form,
                      const uint8_t *elements);

/* Into a store with latency: many values at a time. */
vv_status vvi_write_far(const vvi_writing *self, uint64_t values, vv_error *err);

#endif
