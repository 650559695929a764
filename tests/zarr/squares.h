/*
 * What the tests of crashes and of several writers share: a square of numbers whose chunks each
 * hold one number, so that a chunk that is torn, lost or another's is seen.
 */
#ifndef VV_TESTS_SQUARES_H
#define VV_TESTS_SQUARES_H

#include "support/support.h"

/* Squares of 8 numbers a side, in one array of 64 a side; in shards of 4 squares each, or none. */
#define SIDE    64
#define SQUARE  8
#define ALONG   (SIDE / SQUARE)
#define SQUARES (ALONG * ALONG)

typedef enum layout {
    CHUNKS,
    SHARDS
} layout;

/* Returns what vv_array_create() says. */
static inline vv_status make_squares(vv_store *store, layout how, vv_array **out,
                                     vv_error *err)
{
    static const uint64_t shape[2] = { SIDE, SIDE }, square[2] = { SQUARE, SQUARE },
                          shard[2] = { 2 * SQUARE, 2 * SQUARE };
    vv_array_meta meta = VV_ARRAY_META_INIT;

    meta.dtype = VV_UINT32;
    meta.ndim = 2;
    meta.shape = shape;
    meta.chunk_shape = how == SHARDS ? shard : square;
    meta.inner_chunk_shape = how == SHARDS ? square : NULL;
    meta.codecs = "zstd:1+crc32c";
    return vv_array_create(store, "a", &meta, true, out, err);
}

static inline vv_status write_square(vv_array *array, unsigned square, uint32_t value,
                                     vv_error *err)
{
    const uint64_t start[2] = { square / ALONG * SQUARE, square % ALONG * SQUARE },
                   count[2] = { SQUARE, SQUARE };
    uint32_t data[SQUARE * SQUARE];

    for (unsigned i = 0; i < SQUARE * SQUARE; i++)
        data[i] = value;
    return vv_array_write(array, start, count, data, sizeof(data), err);
}

/* The number that a square holds; the test fails if it holds several. */
static inline uint32_t read_square(vv_array *array, unsigned square)
{
    const uint64_t start[2] = { square / ALONG * SQUARE, square % ALONG * SQUARE },
                   count[2] = { SQUARE, SQUARE };
    uint32_t data[SQUARE * SQUARE];
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_array_read(array, start, count, NULL, data, sizeof(data), &err));
    for (unsigned i = 1; i < SQUARE * SQUARE; i++)
        if (data[i] != data[0])
            fail_msg("square %u holds %u and %u", square, data[0], data[i]);
    return data[0];
}

#endif
