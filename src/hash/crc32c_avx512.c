/* CRC-32C by folding with carry-less multiplications, four 64-byte vectors at once. */
#include "hash/crc32c.h"

#if VVI_CRC32C_X86

#include <immintrin.h>

#define TARGET \
    __attribute__((target("avx512f,avx512vl,avx512bw,vpclmulqdq,sse4.2,pclmul")))
#define INLINE TARGET static inline __attribute__((always_inline))

/*
 * A 128-bit lane that stands D bits in front of another is folded into it: its low half times
 * x^(D+64) and its high half times x^D, both modulo the polynomial. A carry-less product of a
 * lane's half and a 32-bit constant gives x^33 on top, as bits are kept lowest first; hence the
 * constants x^(D+64−33) and x^(D−33), at every distance D that is needed.
 */
typedef struct distance {
    uint64_t low, high;
} distance;
static const distance by_2048 = { 0xdcb17aa4, 0xb9e02b86 };
static const distance by_1536 = { 0xa87ab8a8, 0xab7aff2a };
static const distance by_1024 = { 0x6992cea2, 0x0d3b6092 };
static const distance by_512 = { 0x740eef02, 0x9e4addf8 };
static const distance by_384 = { 0x1c291d04, 0xddc0152b };
static const distance by_256 = { 0x3da6d0cb, 0xba4fc28e };
static const distance by_128 = { 0xf20c0dfe, 0x493c7d27 };

bool vvi_crc32c_have_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("vpclmulqdq") &&
           vvi_crc32c_have_sse42();
}

INLINE __m512i fold(__m512i x, distance by, __m512i onto)
{
    __m512i k = _mm512_broadcast_i32x4(
        _mm_set_epi64x((long long)by.high, (long long)by.low));

    return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(x, k, 0x00),
                                     _mm512_clmulepi64_epi128(x, k, 0x11), onto, 0x96);
}

INLINE __m128i fold_lane(__m512i x, distance by, __m128i onto)
{
    __m128i lane = _mm512_castsi512_si128(x);
    __m128i k = _mm_set_epi64x((long long)by.high, (long long)by.low);

    return _mm_xor_si128(onto, _mm_xor_si128(_mm_clmulepi64_si128(lane, k, 0x00),
                                             _mm_clmulepi64_si128(lane, k, 0x11)));
}

/* The register after the 64 bytes that x stands for: its lanes folded into the last one, which
 * then is 16 bytes of message. */
INLINE uint32_t reduce(__m512i x)
{
    __m128i last = _mm512_extracti32x4_epi32(x, 3);
    __m512i second = _mm512_shuffle_i32x4(x, x, 1);
    __m512i third = _mm512_shuffle_i32x4(x, x, 2);
    uint64_t state;

    last = fold_lane(x, by_384, last);
    last = fold_lane(second, by_256, last);
    last = fold_lane(third, by_128, last);
    state = _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(last));
    return (uint32_t)_mm_crc32_u64(state, (uint64_t)_mm_extract_epi64(last, 1));
}

INLINE __m512i load(const uint8_t *data)
{
    return _mm512_loadu_si512(data);
}

TARGET uint32_t vvi_crc32c_avx512(uint32_t state, const uint8_t *data, size_t len)
{
    __m512i a;
    __m512i b;
    __m512i c;
    __m512i d;

    if (len < 256)
        return vvi_crc32c_sse42(state, data, len);
    a = _mm512_xor_si512(load(data),
                         _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)state)));
    b = load(data + 64);
    c = load(data + 128);
    d = load(data + 192);
    for (data += 256, len -= 256; len >= 256; data += 256, len -= 256) {
        a = fold(a, by_2048, load(data));
        b = fold(b, by_2048, load(data + 64));
        c = fold(c, by_2048, load(data + 128));
        d = fold(d, by_2048, load(data + 192));
    }
    d = fold(a, by_1536, d);
    d = fold(b, by_1024, d);
    d = fold(c, by_512, d);
    for (; len >= 64; data += 64, len -= 64)
        d = fold(d, by_512, load(data));
    return vvi_crc32c_sse42(reduce(d), data, len);
}

#else
typedef int vvi_no_crc32c_folding; /* a translation unit must not be empty */
#endif
