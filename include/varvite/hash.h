/*
 * Hash functions: BLAKE3, the SHA family through libcrypto, CRC-32C.
 *
 * Threads: every function may be called from any thread at any time.
 */
#ifndef VARVITE_HASH_H
#define VARVITE_HASH_H

#include <varvite/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Multihash codes of the functions that can be computed. */
#define VV_HASH_IDENTITY    0x00u
#define VV_HASH_SHA1        0x11u
#define VV_HASH_SHA2_256    0x12u
#define VV_HASH_SHA2_512    0x13u
#define VV_HASH_SHA3_256    0x16u
#define VV_HASH_BLAKE3      0x1eu
#define VV_HASH_BLAKE2B_256 0xb220u

#define VV_BLAKE3_SIZE 32

/** BLAKE3-256 of data. */
VV_API void vv_blake3(vv_bytes data, uint8_t out[VV_BLAKE3_SIZE]);

/** BLAKE3-256 of n inputs at once; several times faster than n calls when they are short. */
VV_API void vv_blake3_many(const vv_bytes *inputs, size_t n,
                           uint8_t (*out)[VV_BLAKE3_SIZE]);

/**
 * CRC-32C (Castagnoli) of data, going on from crc (0 at the start).
 */
VV_API uint32_t vv_crc32c(uint32_t crc, vv_bytes data);

/** Bytes of a full digest of the function; 0 for identity and for a code not known here. */
VV_API size_t vv_hash_size(uint64_t code);

/**
 * Hash data with the function a multihash code names.
 *
 * @param out_len  digest bytes wanted: 1 … vv_hash_size(code), for BLAKE3 up to 128; shorter
 *                 digests are cut. For identity: data.len.
 * @return VV_OK
 *         VV_EUNSUPPORTED  the code cannot be computed by this build
 *         VV_EINVAL        out_len is longer than the function gives
 *         VV_ENOMEM
 */
VV_API vv_status vv_hash(uint64_t code, vv_bytes data, uint8_t *out, size_t out_len,
                         vv_error *err);

/**
 * Hash bytes that come in pieces.
 *
 * Threads: one at a time. Ownership: free with vv_hasher_free().
 */
typedef struct vv_hasher vv_hasher;

/** @return VV_OK, VV_EUNSUPPORTED (code), VV_ENOMEM */
VV_API vv_status vv_hasher_new(uint64_t code, vv_hasher **out, vv_error *err);
/** @return VV_OK, VV_EIO (libcrypto failed) */
VV_API vv_status vv_hasher_update(vv_hasher *hasher, vv_bytes data, vv_error *err);
/** The digest so far; out_len as in vv_hash(). The hasher is used up. */
VV_API vv_status vv_hasher_finish(vv_hasher *hasher, uint8_t *out, size_t out_len,
                                  vv_error *err);
VV_API void vv_hasher_free(vv_hasher *hasher);

#ifdef __cplusplus
}
#endif
#endif
