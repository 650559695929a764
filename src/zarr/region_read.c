/* Reading chunks and regions. */
#include "zarr/array.h"

#include "util/buf.h"

/* A region that is being read: shared by the threads that decode, each at another chunk. */
typedef struct region_read {
    vv_array *array;
    const vvi_region *region;
    vvi_chunk_batch batch;
    uint8_t *out;
    uint64_t strides[VV_NDIM_MAX]; /* of out, in bytes */
    size_t chunk_bytes;
    vvi_scratch scratch;
} region_read;

/* Where the part's first element goes in out. */
static uint8_t *place_of(const region_read *self, const vvi_grid_part *part)
{
    return self->out + vvi_grid_part_offset(&self->array->meta.grid, part, self->strides);
}

/* Copy the part's elements from the whole chunk that elements holds. */
static void copy_part(const region_read *self, const vvi_grid_part *part,
                      const uint8_t *elements)
{
    const vv_array *array = self->array;
    uint32_t ndim = array->meta.grid.ndim;
    uint64_t strides[VV_NDIM_MAX];

    for (uint32_t d = 0; d < ndim; d++) {
        elements += part->first[d] * array->strides[d];
        strides[d] = array->strides[d] * self->region->step[d];
    }
    vvi_copy_box(ndim, part->count, array->item, place_of(self, part), self->strides,
                 elements, strides);
}

static vv_status decode_aside(region_read *self, const vvi_chunk *chunk, const char *key,
                              vv_error *err)
{
    uint8_t *elements;
    vv_status status;

    VVI_TRY(vvi_scratch_take(&self->scratch, &elements, err));
    status = vvi_chunk_decode(self->array, chunk, key, elements, err);
    if (!status)
        copy_part(self, &chunk->part, elements);
    vvi_scratch_give(&self->scratch, elements);
    return status;
}

/* Bring one chunk of the batch into out. */
static vv_status decode_part(void *ctx, size_t i, vv_error *err)
{
    region_read *self = ctx;
    const vv_array *array = self->array;
    vvi_chunk *chunk = &self->batch.chunks[i];
    const char *key = self->batch.keys[i];
    vv_bytes view;
    bool found;
    vv_status status;

    if (chunk->status == VV_ENOTFOUND) {
        vvi_fill_box(array->meta.grid.ndim, chunk->part.count, array->item,
                     place_of(self, &chunk->part), self->strides, array->meta.fill.data);
        return VV_OK;
    }
    if (chunk->status)
        return vvi_chunk_failure(array, chunk, key, err);
    status = vvi_codec_chain_view(array->meta.chain, vvi_buf_bytes(&chunk->value), &view,
                                  &found, err);
    if (status)
        return vvi_wrap(err, status, "chunk %s", key);
    if (found)
        copy_part(self, &chunk->part, view.data);
    else if (vvi_grid_part_lies_alike(&self->array->meta.grid, &chunk->part,
                                      self->strides, self->array->strides))
        status = vvi_chunk_decode(array, chunk, key, place_of(self, &chunk->part), err);
    else
        status = decode_aside(self, chunk, key, err);
    vv_buf_clear(&chunk->value);
    return status;
}

static vv_status read_batches(region_read *self, vv_error *err)
{
    vvi_grid_walk walk;

    vvi_grid_walk_init(&walk, &self->array->meta.grid, self->region);
    for (;;) {
        VVI_TRY(vvi_chunk_batch_next(&self->batch, self->array, &walk, err));
        if (self->batch.count == 0)
            return VV_OK;
        VVI_TRY(vvi_chunk_batch_fetch(&self->batch, self->array, NULL, err));
        VVI_TRY(vvi_parallel(vvi_array_threads(self->batch.count * self->chunk_bytes),
                             self->batch.count, decode_part, self, err));
    }
}

vv_status vv_array_read(vv_array *array, const uint64_t *start, const uint64_t *count,
                        const uint64_t *step, void *out, size_t out_bytes, vv_error *err)
{
    vvi_region region;
    region_read self = { .array = array, .region = &region, .out = out };
    vv_status status = vvi_region_init(&region, &array->meta.grid, start, count, step,
                                       err);

    if (status)
        return vvi_wrap(err, status, "array '%s'", array->path);
    VVI_TRY(vvi_array_check_bytes(array, &region, out_bytes, err));
    if (region.elements == 0)
        return VV_OK;
    VVI_TRY(vvi_array_chunk_bytes(array, &self.chunk_bytes, err));
    vvi_strides(array->meta.grid.ndim, region.count, array->item, self.strides);
    VVI_TRY(vvi_scratch_init(&self.scratch, self.chunk_bytes, err));
    status = vvi_chunk_batch_init(&self.batch, vvi_array_batch(array, &region), err);
    if (!status)
        status = read_batches(&self, err);
    vvi_chunk_batch_clear(&self.batch);
    vvi_scratch_clear(&self.scratch);
    return status;
}

vv_status vv_array_read_chunk(vv_array *array, const uint64_t *index, void *out,
                              vv_error *err)
{
    vvi_chunk chunk = { .status = VV_OK };
    vv_buf key = VV_BUF_INIT;
    size_t bytes;
    vv_status status = vvi_grid_check_chunk(&array->meta.grid, index, err);

    if (status)
        return vvi_wrap(err, status, "array '%s'", array->path);
    VVI_TRY(vvi_array_chunk_bytes(array, &bytes, err));
    status = vvi_array_key(array, index, &key, err);
    if (!status) {
        chunk.status = vv_store_get(array->store, (const char *)key.data, VV_RANGE_ALL,
                                    &chunk.value, err);
        status = chunk.status && chunk.status != VV_ENOTFOUND
                     ? vvi_wrap(err, chunk.status, "chunk %s", (const char *)key.data)
                     : vvi_chunk_decode(array, &chunk, (const char *)key.data, out, err);
    }
    vv_buf_clear(&chunk.value);
    vv_buf_clear(&key);
    return status;
}
