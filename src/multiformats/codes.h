/* The registered codes of multiformats. */
#ifndef VVI_MULTIFORMATS_CODES_H
#define VVI_MULTIFORMATS_CODES_H

#include <varvite/cid.h>

typedef struct vvi_code {
    uint32_t code;
    bool is_hash; /* a function that names content (tag multihash of the registry) */
    uint8_t size; /* of a full digest; 0: none is laid down */
    const char *name;
} vvi_code;

/* NULL when the code is not registered. */
const vvi_code *vvi_code_find(uint64_t code);

#endif
