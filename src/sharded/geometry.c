/* How the chunks of an array are numbered and dealt out to shards. */
#include "sharded/inner.h"

#include <string.h>

/* Numbers stay within what a signed count holds. */
#define CHUNKS_MAX ((uint64_t)1 << 63)

/* How many chunks, and shards of them, so many along each dimension make. */
static vv_status count_chunks(uint32_t ndim, const uint64_t *counts,
                              uint64_t chunks_per_shard, uint64_t *chunks,
                              uint64_t *shards, vv_error *err)
{
    if (vvi_product(ndim, counts, chunks, NULL) || *chunks >= CHUNKS_MAX)
        return vvi_fail(err, VV_ELIMIT, "the grid has 2^63 chunks or more");
    *shards = *chunks / chunks_per_shard + (*chunks % chunks_per_shard != 0);
    return VV_OK;
}

vv_status vvi_geometry_init(vvi_geometry *self, uint32_t ndim, const uint64_t *shape,
                            const uint64_t *chunk, uint64_t chunks_per_shard,
                            vv_error *err)
{
    if (chunks_per_shard == 0)
        return vvi_fail(err, VV_EINVAL, "a shard needs room for at least one chunk");
    VVI_TRY(vvi_grid_init(&self->grid, ndim, shape, chunk, err));
    self->chunks_per_shard = chunks_per_shard;
    return count_chunks(ndim, self->grid.count, chunks_per_shard, &self->chunk_count,
                        &self->shard_count, err);
}

vv_status vvi_geometry_extend(const vvi_geometry *self, uint64_t length, vvi_extent *out,
                              vv_error *err)
{
    uint64_t counts[VVI_GRID_NDIM_MAX];
    uint64_t chunk = self->grid.chunk[0];

    for (uint32_t d = 0; d < self->grid.ndim; d++)
        counts[d] = self->grid.count[d];
    counts[0] = length / chunk + (length % chunk != 0);
    out->length = length;
    out->count = counts[0];
    return count_chunks(self->grid.ndim, counts, self->chunks_per_shard,
                        &out->chunk_count, &out->shard_count, err);
}

vv_status vvi_chunk_index_number(const vvi_chunk_index *index,
                                 const vvi_geometry *geometry, const uint64_t *coords,
                                 uint64_t *out, vv_error *err)
{
    uint64_t number = 0;

    for (uint32_t d = 0; d < geometry->grid.ndim; d++) {
        if (coords[d] >= geometry->grid.count[d])
            return vvi_fail(err, VV_ERANGE,
                            "\"%s\": chunk %" PRIu64 " along dimension %" PRIu32
                            "; there are %" PRIu64,
                            index->name, coords[d], d, geometry->grid.count[d]);
        number = number * geometry->grid.count[d] + coords[d];
    }
    *out = number;
    return VV_OK;
}
