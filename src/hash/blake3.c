#include "hash/blake3_many.h"

#include <blake3.h>
#include <string.h>

#if VVI_BLAKE3_INNER
/* Of the official code's own header, which is not installed; its sources are compiled here. */
void blake3_compress_in_place(uint32_t cv[8], const uint8_t block[VVI_BLAKE3_BLOCK],
                              uint8_t block_len, uint64_t counter, uint8_t flags);
#endif

/*
 * The official code finds out what the processor can do on its first use and keeps that in a
 * plain variable. Make the first use now, before there is a second thread.
 */
__attribute__((constructor)) static void find_processor_features(void)
{
    uint8_t out[VV_BLAKE3_SIZE];

    vv_blake3((vv_bytes){ NULL, 0 }, out);
}

static void hash_any(vv_bytes data, uint8_t out[VV_BLAKE3_SIZE])
{
    blake3_hasher hasher;

    blake3_hasher_init(&hasher);
    if (data.len)
        blake3_hasher_update(&hasher, data.data, data.len);
    blake3_hasher_finalize(&hasher, out, VV_BLAKE3_SIZE);
}

#if VVI_BLAKE3_INNER && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* One chunk: compress block after block, without the tree's state of two kilobytes. */
static void hash_chunk(vv_bytes data, uint8_t out[VV_BLAKE3_SIZE])
{
    uint32_t cv[8] = VVI_BLAKE3_IV;
    uint8_t flags = VVI_BLAKE3_CHUNK_START;
    uint8_t last[VVI_BLAKE3_BLOCK] = { 0 };

    for (; data.len > VVI_BLAKE3_BLOCK; data.data += VVI_BLAKE3_BLOCK) {
        blake3_compress_in_place(cv, data.data, VVI_BLAKE3_BLOCK, 0, flags);
        data.len -= VVI_BLAKE3_BLOCK;
        flags = 0;
    }
    if (data.len)
        memcpy(last, data.data, data.len);
    flags |= VVI_BLAKE3_CHUNK_END | VVI_BLAKE3_ROOT;
    blake3_compress_in_place(cv, last, (uint8_t)data.len, 0, flags);
    memcpy(out, cv, VV_BLAKE3_SIZE);
}
#else
static void hash_chunk(vv_bytes data, uint8_t out[VV_BLAKE3_SIZE])
{
    hash_any(data, out);
}
#endif

void vv_blake3(vv_bytes data, uint8_t out[VV_BLAKE3_SIZE])
{
    if (data.len <= VVI_BLAKE3_CHUNK)
        hash_chunk(data, out);
    else
        hash_any(data, out);
}
