/*
 * BLAKE3 of several inputs of one chunk each, a lane of a vector register for every input.
 *
 * The official code has such kernels only for whole blocks of 64 bytes; keys and small blocks
 * are shorter. A kernel takes exactly its number of lanes, all with the same number of blocks.
 */
#ifndef VVI_HASH_BLAKE3_MANY_H
#define VVI_HASH_BLAKE3_MANY_H

#include <varvite/hash.h>

#define VVI_BLAKE3_BLOCK        64
#define VVI_BLAKE3_CHUNK        1024
#define VVI_BLAKE3_CHUNK_BLOCKS (VVI_BLAKE3_CHUNK / VVI_BLAKE3_BLOCK)

/* Words that a hash starts from, and what a block is within its chunk and tree. */
#define VVI_BLAKE3_IV                                                                 \
    {                                                                                 \
        0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au, 0x510e527fu, 0x9b05688cu, \
            0x1f83d9abu, 0x5be0cd19u                                                  \
    }
#define VVI_BLAKE3_CHUNK_START 1u
#define VVI_BLAKE3_CHUNK_END   2u
#define VVI_BLAKE3_ROOT        8u

/* Blocks that an input of up to a chunk takes; an empty one takes one. */
static inline size_t vvi_blake3_blocks(size_t len)
{
    return len ? (len + VVI_BLAKE3_BLOCK - 1) / VVI_BLAKE3_BLOCK : 1;
}

#define VVI_BLAKE3_LANES_MAX 16

/* inputs: as many as the kernel has lanes, each of the same number of blocks. */
typedef void (*vvi_blake3_kernel)(const vv_bytes *const *inputs, size_t blocks,
                                  uint8_t *const *outs);

#if defined(__x86_64__)
#define VVI_BLAKE3_X86 1
bool vvi_blake3_have_avx2(void);
bool vvi_blake3_have_avx512(void);
void vvi_blake3_avx2(const vv_bytes *const *inputs, size_t blocks, uint8_t *const *outs);
void vvi_blake3_avx512(const vv_bytes *const *inputs, size_t blocks,
                       uint8_t *const *outs);
#endif

/* Hash n inputs with a kernel of so many lanes; what fits no group goes one by one. lanes 0:
 * no kernel. */
void vvi_blake3_many_with(vvi_blake3_kernel kernel, size_t lanes, const vv_bytes *inputs,
                          size_t n, uint8_t (*out)[VV_BLAKE3_SIZE]);

#endif
