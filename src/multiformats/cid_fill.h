/* Filling in a CID where that is done for every key or block. */
#ifndef VVI_MULTIFORMATS_CID_FILL_H
#define VVI_MULTIFORMATS_CID_FILL_H

#include <varvite/cid.h>

#include <string.h>

/* Everything zero. In steps for which the compiler takes a few wide stores: for the whole it takes
 * an instruction that costs more than hashing a key. */
static inline void vvi_cid_zero(vv_cid *out)
{
    uint8_t *at = (uint8_t *)out;

    memset(at, 0, 48);
    memset(at + 48, 0, 48);
    memset(at + 96, 0, sizeof(*out) - 96);
}

#endif
