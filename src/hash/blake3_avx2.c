/* Eight inputs at once, with AVX2. */
#include "hash/blake3_many.h"

#if VVI_BLAKE3_X86

#include <immintrin.h>
#include <string.h>

#define LANES  8
#define TARGET __attribute__((target("avx2")))
#define INLINE TARGET static inline __attribute__((always_inline))
#define VEC    __m256i

bool vvi_blake3_have_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}

INLINE VEC add(VEC a, VEC b)
{
    return _mm256_add_epi32(a, b);
}

INLINE VEC xor (VEC a, VEC b) { return _mm256_xor_si256(a, b); }

    INLINE VEC rot16(VEC a)
{
    return _mm256_shuffle_epi8(a, _mm256_set_epi8(13, 12, 15, 14, 9, 8, 11, 10, 5, 4, 7,
                                                  6, 1, 0, 3, 2, 13, 12, 15, 14, 9, 8, 11,
                                                  10, 5, 4, 7, 6, 1, 0, 3, 2));
}

INLINE VEC rot12(VEC a)
{
    return _mm256_or_si256(_mm256_srli_epi32(a, 12), _mm256_slli_epi32(a, 20));
}

INLINE VEC rot8(VEC a)
{
    return _mm256_shuffle_epi8(a, _mm256_set_epi8(12, 15, 14, 13, 8, 11, 10, 9, 4, 7, 6,
                                                  5, 0, 3, 2, 1, 12, 15, 14, 13, 8, 11,
                                                  10, 9, 4, 7, 6, 5, 0, 3, 2, 1));
}

INLINE VEC rot7(VEC a)
{
    return _mm256_or_si256(_mm256_srli_epi32(a, 7), _mm256_slli_epi32(a, 25));
}

#include "hash/blake3_rounds.h"

/* Rows of eight words become columns. */
INLINE void transpose(VEC m[8])
{
    VEC t[8];

    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_epi32(m[i], m[i + 1]);
        t[i + 1] = _mm256_unpackhi_epi32(m[i], m[i + 1]);
    }
    for (int q = 0; q < 8; q += 4) {
        m[q] = _mm256_unpacklo_epi64(t[q], t[q + 2]);
        m[q + 1] = _mm256_unpackhi_epi64(t[q], t[q + 2]);
        m[q + 2] = _mm256_unpacklo_epi64(t[q + 1], t[q + 3]);
        m[q + 3] = _mm256_unpackhi_epi64(t[q + 1], t[q + 3]);
    }
    for (int w = 0; w < 4; w++) {
        t[w] = _mm256_permute2x128_si256(m[w], m[w + 4], 0x20);
        t[w + 4] = _mm256_permute2x128_si256(m[w], m[w + 4], 0x31);
    }
    for (int i = 0; i < 8; i++)
        m[i] = t[i];
}

/* Block number `block` of every lane, zeros behind the end of an input; lens gets the lengths. */
INLINE void load_block(const vv_bytes *const *inputs, size_t block, VEC m[16],
                       uint32_t lens[LANES])
{
    size_t at = block * VVI_BLAKE3_BLOCK;

    for (int i = 0; i < LANES; i++) {
        size_t left = inputs[i]->len - at;
        uint8_t padded[VVI_BLAKE3_BLOCK];
        const uint8_t *from = padded;

        if (left >= VVI_BLAKE3_BLOCK) {
            left = VVI_BLAKE3_BLOCK;
            from = inputs[i]->data + at;
        } else {
            memset(padded, 0, sizeof(padded));
            if (left)
                memcpy(padded, inputs[i]->data + at, left);
        }
        lens[i] = (uint32_t)left;
        m[i] = _mm256_loadu_si256((const __m256i *)(const void *)from);
        m[i + 8] = _mm256_loadu_si256((const __m256i *)(const void *)(from + 32));
    }
    transpose(m);
    transpose(m + 8);
}

/* NOLINTNEXTLINE(readability-function-cognitive-complexity): the macros of the rounds */
TARGET void vvi_blake3_avx2(const vv_bytes *const *inputs, size_t blocks,
                            uint8_t *const *outs)
{
    static const uint32_t iv[8] = VVI_BLAKE3_IV;
    uint32_t flags = VVI_BLAKE3_CHUNK_START;
    VEC h[8];

    for (int i = 0; i < 8; i++)
        h[i] = _mm256_set1_epi32((int)iv[i]);
    for (size_t block = 0; block < blocks; block++) {
        uint32_t lens[LANES];
        VEC m[16];
        VEC v[16];

        load_block(inputs, block, m, lens);
        if (block + 1 == blocks)
            flags |= VVI_BLAKE3_CHUNK_END | VVI_BLAKE3_ROOT;
        for (int i = 0; i < 8; i++)
            v[i] = h[i];
        for (int i = 0; i < 4; i++)
            v[i + 8] = _mm256_set1_epi32((int)iv[i]);
        v[12] = _mm256_setzero_si256(); /* the counter of the chunk: 0 */
        v[13] = _mm256_setzero_si256();
        v[14] = _mm256_loadu_si256((const __m256i *)(const void *)lens);
        v[15] = _mm256_set1_epi32((int)flags);
        SEVEN_ROUNDS(v, m);
        for (int i = 0; i < 8; i++)
            h[i] = xor(v[i], v[i + 8]);
        flags = 0;
    }
    transpose(h);
    for (int i = 0; i < LANES; i++)
        _mm256_storeu_si256((__m256i *)(void *)outs[i], h[i]);
}

#else
typedef int vvi_no_avx2; /* a translation unit must not be empty */
#endif
