/* Sixteen inputs at once, with AVX-512. */
#include "hash/blake3_many.h"

#if VVI_BLAKE3_X86

#include <immintrin.h>

#define LANES  16
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx2")))
#define INLINE TARGET static inline __attribute__((always_inline))
#define VEC    __m512i

bool vvi_blake3_have_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl");
}

INLINE VEC add(VEC a, VEC b)
{
    return _mm512_add_epi32(a, b);
}

INLINE VEC xor (VEC a, VEC b) { return _mm512_xor_si512(a, b); }

#define rot16(a) _mm512_ror_epi32(a, 16)
#define rot12(a) _mm512_ror_epi32(a, 12)
#define rot8(a)  _mm512_ror_epi32(a, 8)
#define rot7(a)  _mm512_ror_epi32(a, 7)

#include "hash/blake3_rounds.h"

    /* Rows of sixteen words become columns. */
    INLINE void transpose(VEC m[16])
{
    VEC t[16];

    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(m[i], m[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(m[i], m[i + 1]);
    }
    /* m[4q + w]: in each 128 bits, word w of rows 4q … 4q + 3 */
    for (int q = 0; q < 16; q += 4) {
        m[q] = _mm512_unpacklo_epi64(t[q], t[q + 2]);
        m[q + 1] = _mm512_unpackhi_epi64(t[q], t[q + 2]);
        m[q + 2] = _mm512_unpacklo_epi64(t[q + 1], t[q + 3]);
        m[q + 3] = _mm512_unpackhi_epi64(t[q + 1], t[q + 3]);
    }
    for (int w = 0; w < 4; w++) {
        VEC low = _mm512_shuffle_i32x4(m[w], m[w + 4], 0x88);
        VEC high = _mm512_shuffle_i32x4(m[w + 8], m[w + 12], 0x88);
        VEC low_odd = _mm512_shuffle_i32x4(m[w], m[w + 4], 0xdd);
        VEC high_odd = _mm512_shuffle_i32x4(m[w + 8], m[w + 12], 0xdd);

        t[w] = _mm512_shuffle_i32x4(low, high, 0x88);
        t[w + 8] = _mm512_shuffle_i32x4(low, high, 0xdd);
        t[w + 4] = _mm512_shuffle_i32x4(low_odd, high_odd, 0x88);
        t[w + 12] = _mm512_shuffle_i32x4(low_odd, high_odd, 0xdd);
    }
    for (int i = 0; i < 16; i++)
        m[i] = t[i];
}

/* Block number `block` of every lane, zeros behind the end of an input; lens gets the lengths. */
INLINE void load_block(const vv_bytes *const *inputs, size_t block, VEC m[16],
                       uint32_t lens[LANES])
{
    size_t at = block * VVI_BLAKE3_BLOCK;

    for (int i = 0; i < LANES; i++) {
        size_t left = inputs[i]->len - at;
        size_t n = left < VVI_BLAKE3_BLOCK ? left : VVI_BLAKE3_BLOCK;
        __mmask64 mask = n == VVI_BLAKE3_BLOCK ? ~0ULL : (1ULL << n) - 1;

        lens[i] = (uint32_t)n;
        m[i] = n ? _mm512_maskz_loadu_epi8(mask, inputs[i]->data + at)
                 : _mm512_setzero_si512();
    }
    transpose(m);
}

TARGET static void store(VEC h[8], uint8_t *const *outs)
{
    VEC m[16];

    for (int i = 0; i < 8; i++) {
        m[i] = h[i];
        m[i + 8] = _mm512_setzero_si512();
    }
    transpose(m);
    for (int i = 0; i < LANES; i++)
        _mm256_storeu_si256((__m256i *)(void *)outs[i], _mm512_castsi512_si256(m[i]));
}

/* NOLINTNEXTLINE(readability-function-cognitive-complexity): the macros of the rounds */
TARGET void vvi_blake3_avx512(const vv_bytes *const *inputs, size_t blocks,
                              uint8_t *const *outs)
{
    static const uint32_t iv[8] = VVI_BLAKE3_IV;
    uint32_t flags = VVI_BLAKE3_CHUNK_START;
    VEC h[8];

    for (int i = 0; i < 8; i++)
        h[i] = _mm512_set1_epi32((int)iv[i]);
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
            v[i + 8] = _mm512_set1_epi32((int)iv[i]);
        v[12] = _mm512_setzero_si512(); /* the counter of the chunk: 0 */
        v[13] = _mm512_setzero_si512();
        v[14] = _mm512_loadu_si512(lens);
        v[15] = _mm512_set1_epi32((int)flags);
        SEVEN_ROUNDS(v, m);
        for (int i = 0; i < 8; i++)
            h[i] = xor(v[i], v[i + 8]);
        flags = 0;
    }
    store(h, outs);
}

#else
typedef int vvi_no_avx512; /* a translation unit must not be empty */
#endif
