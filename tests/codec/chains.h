/* What the tests of codecs share. */
#ifndef VV_TESTS_CODEC_CHAINS_H
#define VV_TESTS_CODEC_CHAINS_H

#include "support/support.h"

#include "codec/codec.h"
#include "util/buf.h"

/* An array of a type without parameters; shape is borrowed. */
vvi_codec_array array_of_shape(vv_dtype dtype, uint32_t ndim, const uint64_t *shape);

/* A chain of a short form or of metadata. */
vv_status make_chain(const char *text, const vvi_codec_array *array,
                     vvi_codec_chain **out, vv_error *err);
/* The same; the test fails when it cannot be made. */
vvi_codec_chain *chain_of(const char *text, vvi_codec_array array);

/* Make, encode elements, decode into out: for failing allocations. */
vv_status there_and_back(const char *text, const vvi_codec_array *array,
                         const void *elements, void *out, vvi_heap *heap);

/*
 * Encoded bytes cut at every length (of long ones, at many), then with single bits flipped: decoding
 * must give a chunk or VV_ECORRUPT, and never touch what stands behind it.
 */
void survives_damage(const vvi_codec_chain *chain, vv_bytes encoded);

#endif
