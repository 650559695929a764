/* Writing chunks and regions. */
#include "zarr/array.h"

#include "util/alloc.h"
#include "util/buf.h"

/* Does a chunk hold fill values only, bit for bit? Then it is not stored. */
static bool is_fill(const vv_array *array, const uint8_t *elements)
{
    return vvi_elements_equal(&array->meta.dtype, elements,
                              (size_t)array->meta.grid.chunk_elements,
                              array->meta.fill.data);
}

/* Encode a chunk; *elided when it is not to be stored. */
static vv_status encode_chunk(const vv_array *array, const uint8_t *elements,
                              const char *key, vv_buf *out, bool *elided, vv_error *err)
{
    vv_status status;

    *elided = is_fill(array, elements);
    if (*elided)
        return VV_OK;
    status = vvi_codec_chain_encode(array->meta.chain, elements, out, err);
    return status ? vvi_wrap(err, status, "chunk %s", key) : VV_OK;
}

vv_status vv_array_write_chunk(vv_array *array, const uint64_t *index, const void *data,
                               vv_error *err)
{
    vv_buf key = VV_BUF_INIT;
    vv_buf value = VV_BUF_INIT;
    size_t bytes;
    bool elided;
    vv_status status = vvi_grid_check_chunk(&array->meta.grid, index, err);

    if (status)
        return vvi_wrap(err, status, "array '%s'", array->path);
    VVI_TRY(vvi_array_chunk_bytes(array, &bytes, err));
    status = vvi_array_key(array, index, &key, err);
    if (!status)
        status = encode_chunk(array, data, (const char *)key.data, &value, &elided, err);
    if (!status)
        status = elided ? vv_store_delete(array->store, (const char *)key.data, err)
                        : vv_store_set(array->store, (const char *)key.data,
                                       vvi_buf_bytes(&value), err);
    vv_buf_clear(&key);
    vv_buf_clear(&value);
    return status;
}

/* ---- regions ------------------------------------------------------------------------------- */

/* A region that is being written: shared by the threads that encode, each at another chunk. */
typedef struct region_write {
    vv_array *array;
    vvi_chunk_batch batch;
    const uint8_t *data;
    uint64_t strides[VV_NDIM_MAX]; /* of data, in bytes */
    size_t chunk_bytes;
    vvi_scratch scratch;
} region_write;

/* A chunk that the region covers in part is read first. */
static bool is_partial(const vv_array *array, const vvi_chunk *chunk)
{
    return !vvi_grid_part_is_all(&array->meta.grid, &chunk->part);
}

/* Where the part's first element stands in data. */
static const uint8_t *source_of(const region_write *self, const vvi_grid_part *part)
{
    return self->data +
           vvi_grid_part_offset(&self->array->meta.grid, part, self->strides);
}

/* Every element of the chunk, also those outside the shape. */
static bool is_full(const vv_array *array, const vvi_grid_part *part)
{
    for (uint32_t d = 0; d < array->meta.grid.ndim; d++)
        if (part->count[d] != array->meta.grid.chunk[d])
            return false;
    return true;
}

/* The chunk as it was, or fill values, with the region's elements put into it. */
static vv_status compose(const region_write *self, const vvi_chunk *chunk,
                         const char *key, uint8_t *elements, vv_error *err)
{
    const vv_array *array = self->array;
    uint32_t ndim = array->meta.grid.ndim;
    uint8_t *to = elements;

    if (!is_full(array, &chunk->part))
        VVI_TRY(vvi_chunk_decode(array, chunk, key, elements, err));
    for (uint32_t d = 0; d < ndim; d++)
        to += chunk->part.first[d] * array->strides[d];
    vvi_copy_box(ndim, chunk->part.count, array->item, to, array->strides,
                 source_of(self, &chunk->part), self->strides);
    return VV_OK;
}

/* Say what is to be stored of a chunk's elements, which are the caller's or in *composed; the
 * status becomes VV_ENOTFOUND where nothing is to be stored. */
static vv_status encode_elements(region_write *self, vvi_chunk *chunk, const char *key,
                                 const uint8_t *elements, uint8_t **composed,
                                 vv_error *err)
{
    bool elided = false;

    if (vvi_codec_chain_is_identity(self->array->meta.chain)) {
        elided = is_fill(self->array, elements);
        chunk->stored = vvi_bytes(elements, self->chunk_bytes);
        /* The composed block is the value; it came from the same allocator. */
        vv_buf_clear(&chunk->value);
        if (*composed)
            chunk->value = (vv_buf){ .data = *composed,
                                     .len = self->chunk_bytes,
                                     .cap = self->chunk_bytes };
        *composed = NULL;
    } else {
        VVI_TRY(encode_chunk(self->array, elements, key, &chunk->value, &elided, err));
        chunk->stored = vvi_buf_bytes(&chunk->value);
    }
    chunk->status = elided ? VV_ENOTFOUND : VV_OK;
    return VV_OK;
}

/* Make the new value of one chunk of the batch. */
static vv_status encode_part(void *ctx, size_t i, vv_error *err)
{
    region_write *self = ctx;
    vvi_chunk *chunk = &self->batch.chunks[i];
    const char *key = self->batch.keys[i];
    uint8_t *composed = NULL;
    vv_status status;

    if (vvi_grid_part_lies_alike(&self->array->meta.grid, &chunk->part, self->strides,
                                 self->array->strides))
        return encode_elements(self, chunk, key, source_of(self, &chunk->part), &composed,
                               err);
    VVI_TRY(vvi_scratch_take(&self->scratch, &composed, err));
    status = compose(self, chunk, key, composed, err);
    if (!status)
        status = encode_elements(self, chunk, key, composed, &composed, err);
    vvi_scratch_give(&self->scratch, composed);
    return status;
}

/* Store the batch's values; delete where there is none to store. */
static vv_status store_batch(region_write *self, vv_error *err)
{
    vvi_chunk_batch *batch = &self->batch;
    vv_bytes *values = vvi_alloc_array(batch->count, sizeof(*values));
    vv_status status = VV_OK;
    size_t n = 0;

    if (!values)
        return vvi_fail_nomem(err, batch->count * sizeof(*values));
    for (size_t i = 0; i < batch->count && !status; i++) {
        if (batch->chunks[i].status == VV_ENOTFOUND) {
            status = vv_store_delete(self->array->store, batch->keys[i], err);
        } else {
            values[n] = batch->chunks[i].stored;
            batch->keys[n++] = batch->keys[i];
        }
    }
    if (!status)
        status = vv_store_set_many(self->array->store, batch->keys, values, n, err);
    vvi_free(values);
    return status;
}

static vv_status write_batches(region_write *self, const vvi_region *region,
                               vv_error *err)
{
    vvi_grid_walk walk;

    vvi_grid_walk_init(&walk, &self->array->meta.grid, region);
    for (;;) {
        VVI_TRY(vvi_chunk_batch_next(&self->batch, self->array, &walk, err));
        if (self->batch.count == 0)
            return VV_OK;
        VVI_TRY(vvi_chunk_batch_fetch(&self->batch, self->array, is_partial, err));
        VVI_TRY(vvi_parallel(vvi_array_threads(self->batch.count * self->chunk_bytes),
                             self->batch.count, encode_part, self, err));
        VVI_TRY(store_batch(self, err));
    }
}

vv_status vv_array_write(vv_array *array, const uint64_t *start, const uint64_t *count,
                         const void *data, size_t data_bytes, vv_error *err)
{
    vvi_region region;
    region_write self = { .array = array, .data = data };
    vv_status status = vvi_region_init(&region, &array->meta.grid, start, count, NULL,
                                       err);

    if (status)
        return vvi_wrap(err, status, "array '%s'", array->path);
    VVI_TRY(vvi_array_check_bytes(array, &region, data_bytes, err));
    if (region.elements == 0)
        return VV_OK;
    VVI_TRY(vvi_array_chunk_bytes(array, &self.chunk_bytes, err));
    vvi_strides(array->meta.grid.ndim, region.count, array->item, self.strides);
    VVI_TRY(vvi_scratch_init(&self.scratch, self.chunk_bytes, err));
    status = vvi_chunk_batch_init(&self.batch, vvi_array_batch(array, &region), err);
    if (!status)
        status = write_batches(&self, &region, err);
    vvi_chunk_batch_clear(&self.batch);
    vvi_scratch_clear(&self.scratch);
    return status;
}
