/* Batches of chunks: which, their keys, their stored values. */
#include "zarr/array.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/thread.h"

#include <string.h>

#define BATCH_CHUNKS 256
#define BATCH_BYTES  ((uint64_t)64 << 20)
/* Below this, starting threads costs more than they bring. */
#define THREAD_BYTES ((uint64_t)256 << 10)

static uint64_t multiply(uint64_t a, uint64_t b)
{
    uint64_t product;

    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

size_t vvi_array_batch(const vv_array *array, const vvi_region *region)
{
    const vvi_grid *grid = &array->meta.grid;
    uint64_t bytes = multiply(grid->chunk_elements, array->item);
    uint64_t fit = BATCH_BYTES / bytes;
    uint64_t chunks = 1;

    /* Every thread is to have something, however long chunks are. */
    if (fit < vvi_cpu_count())
        fit = vvi_cpu_count();
    if (fit > BATCH_CHUNKS)
        fit = BATCH_CHUNKS;
    for (uint32_t d = 0; d < grid->ndim; d++) {
        uint64_t spanned = region->count[d];

        if (region->count[d] && region->step[d] < grid->chunk[d])
            spanned = (region->start[d] + (region->count[d] - 1) * region->step[d]) /
                          grid->chunk[d] -
                      region->start[d] / grid->chunk[d] + 1;
        chunks = multiply(chunks, spanned);
    }
    return (size_t)(chunks < fit ? chunks : fit);
}

uint32_t vvi_array_threads(uint64_t bytes)
{
    return bytes < THREAD_BYTES ? 1 : 0;
}

vv_status vvi_scratch_init(vvi_scratch *scratch, size_t bytes, vv_error *err)
{
    memset(scratch, 0, sizeof(*scratch));
    scratch->bytes = bytes;
    return vvi_mutex_init(&scratch->lock, err);
}

void vvi_scratch_clear(vvi_scratch *scratch)
{
    for (size_t i = 0; i < scratch->count; i++)
        vvi_free(scratch->blocks[i]);
    vvi_mutex_clear(&scratch->lock);
}

vv_status vvi_scratch_take(vvi_scratch *scratch, uint8_t **out, vv_error *err)
{
    *out = NULL;
    vvi_mutex_lock(&scratch->lock);
    if (scratch->count)
        *out = scratch->blocks[--scratch->count];
    vvi_mutex_unlock(&scratch->lock);
    if (!*out)
        *out = vvi_alloc(scratch->bytes);
    return *out ? VV_OK : vvi_fail_nomem(err, scratch->bytes);
}

void vvi_scratch_give(vvi_scratch *scratch, void *block)
{
    vvi_mutex_lock(&scratch->lock);
    if (block && scratch->count < sizeof(scratch->blocks) / sizeof(scratch->blocks[0])) {
        scratch->blocks[scratch->count++] = block;
        block = NULL;
    }
    vvi_mutex_unlock(&scratch->lock);
    vvi_free(block);
}

vv_status vvi_chunk_batch_init(vvi_chunk_batch *batch, size_t capacity, vv_error *err)
{
    *batch = (vvi_chunk_batch){
        .capacity = capacity,
        .chunks = vvi_alloc_array_zero(capacity, sizeof(*batch->chunks)),
        .key_at = vvi_alloc_array(capacity, sizeof(*batch->key_at)),
        .keys = vvi_alloc_array(capacity, sizeof(*batch->keys)),
        .values = vvi_alloc_array_zero(capacity, sizeof(*batch->values)),
        .statuses = vvi_alloc_array(capacity, sizeof(*batch->statuses)),
    };
    if (batch->chunks && batch->key_at && batch->keys && batch->values && batch->statuses)
        return VV_OK;
    vvi_chunk_batch_clear(batch);
    return vvi_fail_nomem(err, capacity * sizeof(*batch->chunks));
}

static void empty_values(vvi_chunk_batch *batch)
{
    for (size_t i = 0; i < batch->capacity; i++) {
        if (batch->chunks)
            vv_buf_clear(&batch->chunks[i].value);
        if (batch->values)
            vv_buf_clear(&batch->values[i]);
    }
}

void vvi_chunk_batch_clear(vvi_chunk_batch *batch)
{
    empty_values(batch);
    vv_buf_clear(&batch->key_text);
    vvi_free(batch->chunks);
    vvi_free(batch->key_at);
    vvi_free(batch->keys);
    vvi_free(batch->values);
    vvi_free(batch->statuses);
    memset(batch, 0, sizeof(*batch));
}

vv_status vvi_chunk_batch_next(vvi_chunk_batch *batch, const vv_array *array,
                               vvi_grid_walk *walk, vv_error *err)
{
    empty_values(batch);
    batch->key_text.len = 0;
    batch->count = 0;
    while (batch->count < batch->capacity) {
        vvi_chunk *chunk = &batch->chunks[batch->count];

        if (!vvi_grid_walk_next(walk, &chunk->part))
            break;
        chunk->status = VV_ENOTFOUND;
        batch->key_at[batch->count] = batch->key_text.len;
        VVI_TRY(vvi_array_key(array, chunk->part.index, &batch->key_text, err));
        VVI_TRY(vvi_buf_append_byte(&batch->key_text, '\0', err));
        batch->count++;
    }
    for (size_t i = 0; i < batch->count; i++)
        batch->keys[i] = (const char *)batch->key_text.data + batch->key_at[i];
    return VV_OK;
}

vv_status vvi_chunk_batch_fetch(vvi_chunk_batch *batch, const vv_array *array,
                                bool (*wanted)(const vv_array *, const vvi_chunk *),
                                vv_error *err)
{
    const char **keys = batch->keys;
    const char **some = NULL;
    size_t n = batch->count;
    vv_status status;

    if (wanted) {
        some = vvi_alloc_array(batch->count, sizeof(*some));
        if (!some)
            return vvi_fail_nomem(err, batch->count * sizeof(*some));
        n = 0;
        for (size_t i = 0; i < batch->count; i++)
            if (wanted(array, &batch->chunks[i]))
                some[n++] = batch->keys[i];
        keys = some;
    }
    status = vv_store_get_many(array->store, keys, NULL, n, batch->values,
                               batch->statuses, err);
    for (size_t i = 0, k = 0; i < batch->count && !status; i++) {
        if (wanted && !wanted(array, &batch->chunks[i]))
            continue;
        batch->chunks[i].status = batch->statuses[k];
        vvi_buf_move(&batch->chunks[i].value, &batch->values[k++]);
    }
    vvi_free(some);
    return status;
}

vv_status vvi_chunk_failure(const vv_array *array, const vvi_chunk *chunk,
                            const char *key, vv_error *err)
{
    vv_buf value = VV_BUF_INIT;
    vv_status status;

    if (!err)
        return chunk->status;
    /* Read once more for what is wrong with it. */
    status = vv_store_get(array->store, key, VV_RANGE_ALL, &value, err);
    vv_buf_clear(&value);
    if (status)
        return vvi_wrap(err, status, "chunk %s", key);
    return vvi_fail(err, chunk->status, "chunk %s: %s", key,
                    vv_status_name(chunk->status));
}

vv_status vvi_chunk_decode(const vv_array *array, const vvi_chunk *chunk, const char *key,
                           void *elements, vv_error *err)
{
    vv_status status;

    if (chunk->status == VV_ENOTFOUND) {
        vvi_fill(elements, (size_t)array->meta.grid.chunk_elements, array->item,
                 array->meta.fill.data);
        return VV_OK;
    }
    if (chunk->status)
        return vvi_chunk_failure(array, chunk, key, err);
    status = vvi_codec_chain_decode(array->meta.chain, vvi_buf_bytes(&chunk->value),
                                    elements, NULL, err);
    return status ? vvi_wrap(err, status, "chunk %s", key) : VV_OK;
}
