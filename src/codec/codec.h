/*
 * Codec chains: a chunk's elements ↔ the bytes that are stored.
 *
 * A chain is what the member "codecs" of Zarr v3 array metadata lists: array → array codecs, one
 * array → bytes codec, bytes → bytes codecs, in the order of encoding. Decoding is held to the
 * size that the metadata states, so that a small chunk cannot unfold into a large one.
 *
 * Threads: one chain may encode and decode in many at once.
 */
#ifndef VVI_CODEC_CODEC_H
#define VVI_CODEC_CODEC_H

#include "dtype/dtype.h"
#include "json/json.h"

/* A longer chunk is refused with VV_ELIMIT when it is encoded or decoded. */
#define VVI_CHUNK_BYTES_MAX ((uint64_t)1 << 31)

/* What a chunk is before it is encoded. */
typedef struct vvi_codec_array {
    vvi_dtype dtype;
    uint32_t ndim;
    const uint64_t *shape; /* of a chunk; borrowed while a chain is made */
    uint64_t elements;     /* of a chunk */
    const void *fill;      /* one element; borrowed while a chain is made; NULL: zero */
} vvi_codec_array;

typedef struct vvi_codec_chain vvi_codec_chain;

/* Returns VV_ECORRUPT (names the codec and what is wrong), VV_EUNSUPPORTED (a codec or a setting
 * that this build lacks, by name), VV_ENOMEM. */
vv_status vvi_codec_chain_new(const vvi_json *codecs, const vvi_codec_array *array,
                              vvi_codec_chain **out, vv_error *err);
void vvi_codec_chain_free(vvi_codec_chain *chain);

/*
 * The metadata for a short form: names joined by "+", each with its settings behind colons:
 * "zstd:3", "shuffle+gzip:5", "transpose:1,0+bytes:big", "blosc:lz4:5:shuffle", "none"; or JSON text
 * of a list, which is only parsed. The codec that makes bytes is put in where none is named. Of array
 * only the type counts. Returns VV_EINVAL (an unknown name with those there are), VV_ENOMEM.
 */
vv_status vvi_codecs_from_text(const char *text, const vvi_codec_array *array,
                               vvi_json **out, vv_error *err);

/* Bytes of a decoded chunk; VV_ELIMIT past VVI_CHUNK_BYTES_MAX. */
vv_status vvi_codec_chain_size(const vvi_codec_chain *chain, size_t *out, vv_error *err);

/* Replace what out holds with the encoded form of a chunk's elements, in native byte order. */
vv_status vvi_codec_chain_encode(const vvi_codec_chain *chain, const void *elements,
                                 vv_buf *out, vv_error *err);
/* Are the encoded bytes the elements as they lie in memory? */
bool vvi_codec_chain_is_identity(const vvi_codec_chain *chain);
/*
 * Decode into elements, which holds exactly one chunk; what they are after a failure is not said.
 * heap: keeps what elements of variable length point at; NULL will do for others. Returns
 * VV_ECORRUPT, VV_ELIMIT, VV_ENOMEM.
 */
vv_status vvi_codec_chain_decode(const vvi_codec_chain *chain, vv_bytes encoded,
                                 void *elements, vvi_heap *heap, vv_error *err);
/*
 * Where the elements lie in encoded just as they are in memory, point *out at them and set *found;
 * nothing is copied then. Checksums are checked. The elements may lie at any alignment.
 */
vv_status vvi_codec_chain_view(const vvi_codec_chain *chain, vv_bytes encoded,
                               vv_bytes *out, bool *found, vv_error *err);

/* First the lowest bytes of all n elements of size bytes, then their next ones, and so on. */
void vvi_shuffle(size_t size, size_t n, const uint8_t *restrict in,
                 uint8_t *restrict out);

#endif
