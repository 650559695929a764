/* The ways of computing CRC-32C; vv_crc32c() takes the fastest one the processor has. */
#ifndef VVI_HASH_CRC32C_H
#define VVI_HASH_CRC32C_H

#include <varvite/hash.h>

/* All of them: the raw shift register in and out, without the inversions of the CRC. */
uint32_t vvi_crc32c_portable(uint32_t state, const uint8_t *data, size_t len);

#if defined(__x86_64__)
#define VVI_CRC32C_X86 1
bool vvi_crc32c_have_sse42(void);
uint32_t vvi_crc32c_sse42(uint32_t state, const uint8_t *data, size_t len);
bool vvi_crc32c_have_avx512(void);
uint32_t vvi_crc32c_avx512(uint32_t state, const uint8_t *data, size_t len);
#endif

#endif
