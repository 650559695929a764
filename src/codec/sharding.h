/*
 * The codec "sharding_indexed", as who reads and writes parts of shards sees it.
 *
 * A shard is the inner chunks that are not empty, in any order, and an index of where each lies:
 * for every inner chunk in C order its offset and its length, little-endian 64-bit, both 2^64 − 1
 * where the chunk is absent; encoded by its own codecs, at the shard's start or end.
 * Source: Zarr v3, "Sharding codec (version 1.0)".
 */
#ifndef VVI_CODEC_SHARDING_H
#define VVI_CODEC_SHARDING_H

#include "codec/codec.h"
#include "grid/grid.h"

/* Where an inner chunk lies in its shard. */
typedef struct vvi_shard_entry {
    uint64_t offset, length; /* both UINT64_MAX: absent */
} vvi_shard_entry;

/* What a shard is made of; belongs to the chain. */
typedef struct vvi_sharding {
    vvi_grid grid;          /* of inner chunks; its shape is the shard's */
    size_t chunk_count;     /* inner chunks in a shard */
    vvi_codec_chain *inner; /* of one inner chunk */
    vvi_codec_chain *index; /* of the index */
    size_t index_bytes;     /* encoded */
    bool index_at_start;
} vvi_sharding;

/* The sharding of a chain that is nothing but sharding, so that its inner chunks can be read and
 * written one by one; NULL for any other chain. */
const vvi_sharding *vvi_codec_chain_sharding(const vvi_codec_chain *chain);

/* Where in the shard its index stands. */
vv_range vvi_shard_index_range(const vvi_sharding *sharding);

/*
 * Decode an index into chunk_count entries. shard_bytes is the shard's length where it is known;
 * else UINT64_MAX. Returns VV_ECORRUPT (a checksum, an entry past the shard's end), VV_ENOMEM.
 */
vv_status vvi_shard_index_decode(const vvi_sharding *sharding, vv_bytes encoded,
                                 uint64_t shard_bytes, vvi_shard_entry *entries,
                                 vv_error *err);

/* Put a shard together from chunk_count encoded inner chunks, one behind the other in C order; an
 * absent one has data NULL. Nothing but absent ones makes an empty buffer: a shard that is not
 * stored. */
vv_status vvi_shard_assemble(const vvi_sharding *sharding, const vv_bytes *chunks,
                             vv_buf *out, vv_error *err);

#endif
