/* How the chunks of an array are numbered and dealt out to shards. */
#include "sharded/inner.h"

#include <string.h>

/* Numbers stay within what a signed count holds. */
#define CHUNKS_MAX ((uint64_t)1 << 63)

vv_status vvi_geometry_init(vvi_geometry *self, uint32_t ndim, const uint64_t *shape,
                            const uint64_t *chunk, uint64_t chunks_per_shard,
                            vv_error *err)
{
    vvi_geometry made = { .chunks_per_shard = chunks_per_shard };

    if (chunks_per_shard == 0)
        return vvi_fail(err, VV_EINVAL, "a shard needs room for at least one chunk");
    VVI_TRY(vvi_grid_init(&made.grid, ndim, shape, chunk, err));
    if (vvi_product(ndim, made.grid.count, &made.chunk_count, NULL) ||
        made.chunk_count >= CHUNKS_MAX)
        return vvi_fail(err, VV_ELIMIT, "the grid has 2^63 chunks or more");
    made.shard_count = made.chunk_count / chunks_per_shard +
                       (made.chunk_count % chunks_per_shard != 0);
    *self = made;
    return VV_OK;
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
