/* CRC-32C with the crc32 instruction, three streams at once. */
#include "hash/crc32c.h"

#if VVI_CRC32C_X86

#include "util/endian.h"

#include <immintrin.h>

/*
 * The instruction takes eight bytes a cycle but its result is ready only after three, so three
 * neighbouring stretches are worked on in turn and then put together: what n further bytes do
 * to a register is a multiplication by x^8n modulo the polynomial. A carry-less product of two
 * registers, reduced by the instruction, gives a·b·x^33; hence the constants x^(8n−33).
 */
#define LONG_STRETCH  4096u
#define LONG_BY_ONE   0x82f89c77u
#define LONG_BY_TWO   0x54a86326u
#define SHORT_STRETCH 256u
#define SHORT_BY_ONE  0xb9e02b86u
#define SHORT_BY_TWO  0xdd7e3b0cu

#define TARGET __attribute__((target("sse4.2,pclmul")))

bool vvi_crc32c_have_sse42(void)
{
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

TARGET static inline uint32_t shift(uint32_t state, uint32_t by)
{
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi32_si128((int)state),
                                           _mm_cvtsi32_si128((int)by), 0);

    return (uint32_t)_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

TARGET static inline uint32_t three_stretches(uint32_t state, const uint8_t *data,
                                              size_t n, uint32_t by_one, uint32_t by_two)
{
    uint64_t a = state;
    uint64_t b = 0;
    uint64_t c = 0;

    for (size_t i = 0; i < n; i += 8) {
        a = _mm_crc32_u64(a, vvi_get_le64(data + i));
        b = _mm_crc32_u64(b, vvi_get_le64(data + n + i));
        c = _mm_crc32_u64(c, vvi_get_le64(data + 2 * n + i));
    }
    return shift((uint32_t)a, by_two) ^ shift((uint32_t)b, by_one) ^ (uint32_t)c;
}

TARGET uint32_t vvi_crc32c_sse42(uint32_t state, const uint8_t *data, size_t len)
{
    for (; len >= 3 * LONG_STRETCH; data += 3 * LONG_STRETCH, len -= 3 * LONG_STRETCH)
        state = three_stretches(state, data, LONG_STRETCH, LONG_BY_ONE, LONG_BY_TWO);
    for (; len >= 3 * SHORT_STRETCH; data += 3 * SHORT_STRETCH, len -= 3 * SHORT_STRETCH)
        state = three_stretches(state, data, SHORT_STRETCH, SHORT_BY_ONE, SHORT_BY_TWO);
    for (; len >= 8; data += 8, len -= 8)
        state = (uint32_t)_mm_crc32_u64(state, vvi_get_le64(data));
    for (; len; data++, len--)
        state = _mm_crc32_u8(state, *data);
    return state;
}

#else
typedef int vvi_no_crc32c_instruction; /* a translation unit must not be empty */
#endif
