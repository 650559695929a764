#include "hash/blake3_many.h"

/* Inputs of the same number of blocks that wait for enough company to fill every lane. */
typedef struct lane_group {
    const vv_bytes *inputs[VVI_BLAKE3_LANES_MAX];
    uint8_t *outs[VVI_BLAKE3_LANES_MAX];
    size_t count;
} lane_group;

/* A kernel costs about as much as this share of its lanes one by one. */
#define WORTH(lanes) ((lanes) / 4)

/* Hash what is left in a group: lanes without an input repeat the first one. */
static void finish(lane_group *group, vvi_blake3_kernel kernel, size_t lanes,
                   size_t blocks)
{
    uint8_t spare[VV_BLAKE3_SIZE];

    if (group->count <= WORTH(lanes)) {
        for (size_t i = 0; i < group->count; i++)
            vv_blake3(*group->inputs[i], group->outs[i]);
        return;
    }
    for (size_t i = group->count; i < lanes; i++) {
        group->inputs[i] = group->inputs[0];
        group->outs[i] = spare;
    }
    kernel(group->inputs, blocks, group->outs);
}

void vvi_blake3_many_with(vvi_blake3_kernel kernel, size_t lanes, const vv_bytes *inputs,
                          size_t n, uint8_t (*out)[VV_BLAKE3_SIZE])
{
    lane_group groups[VVI_BLAKE3_CHUNK_BLOCKS];

    for (size_t b = 0; b < VVI_BLAKE3_CHUNK_BLOCKS; b++)
        groups[b].count = 0;
    for (size_t i = 0; i < n; i++) {
        size_t blocks = vvi_blake3_blocks(inputs[i].len);
        lane_group *group;

        if (lanes == 0 || inputs[i].len > VVI_BLAKE3_CHUNK) {
            vv_blake3(inputs[i], out[i]);
            continue;
        }
        group = &groups[blocks - 1];
        group->inputs[group->count] = &inputs[i];
        group->outs[group->count] = out[i];
        if (++group->count == lanes) {
            kernel(group->inputs, blocks, group->outs);
            group->count = 0;
        }
    }
    for (size_t b = 0; b < VVI_BLAKE3_CHUNK_BLOCKS; b++)
        if (groups[b].count)
            finish(&groups[b], kernel, lanes, b + 1);
}

void vv_blake3_many(const vv_bytes *inputs, size_t n, uint8_t (*out)[VV_BLAKE3_SIZE])
{
    vvi_blake3_kernel kernel = NULL;
    size_t lanes = 0;

#if VVI_BLAKE3_X86
    if (vvi_blake3_have_avx512()) {
        kernel = vvi_blake3_avx512;
        lanes = 16;
    } else if (vvi_blake3_have_avx2()) {
        kernel = vvi_blake3_avx2;
        lanes = 8;
    }
#endif
    vvi_blake3_many_with(kernel, lanes, inputs, n, out);
}
