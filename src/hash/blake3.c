#include <varvite/hash.h>

#include <blake3.h>

/*
 * The official code finds out what the processor can do on its first use and keeps that in a
 * plain variable. Make the first use now, before there is a second thread.
 */
__attribute__((constructor)) static void find_processor_features(void)
{
    uint8_t out[VV_BLAKE3_SIZE];

    vv_blake3((vv_bytes){ NULL, 0 }, out);
}

void vv_blake3(vv_bytes data, uint8_t out[VV_BLAKE3_SIZE])
{
    blake3_hasher hasher;

    blake3_hasher_init(&hasher);
    if (data.len)
        blake3_hasher_update(&hasher, data.data, data.len);
    blake3_hasher_finalize(&hasher, out, VV_BLAKE3_SIZE);
}

void vv_blake3_many(const vv_bytes *inputs, size_t n, uint8_t (*out)[VV_BLAKE3_SIZE])
{
    for (size_t i = 0; i < n; i++)
        vv_blake3(inputs[i], out[i]);
}
