/*
 * Encrypted stores: py-hamt's format and our own, both as a vv_store (store.h).
 *
 * Our own hides values and key names, binds each value to its key, reads ranges by decrypting the segments
 * they touch, and wraps the key of the data set under the keys of those who may open it. Byte layouts, what
 * stays visible, and what is refused: docs/format/encrypted.md.
 *
 * A wrong key, and bytes that are not what the owner of the key wrote, are VV_EAUTH with the name of the
 * store's key (VV_ECORRUPT where the hash of a block shows it first). No part of such a value is handed out.
 *
 * Threads and ownership as of every vv_store. Values of several keys are encrypted and decrypted on the
 * worker threads.
 */
#ifndef VARVITE_ENCRYPTED_H
#define VARVITE_ENCRYPTED_H

#include <varvite/base.h>
#include <varvite/blockstore.h>
#include <varvite/crypto.h>
#include <varvite/store.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * py-hamt's SimpleEncryptedZarrHAMTStore: every value of inner is nonce, tag and ciphertext. Key names stay
 * readable, values are not bound to them, and sizes are 40 bytes more.
 *
 * @param inner   held; any store (for py-hamt's, a HAMT store). Commit, pointers and listing are its own
 * @param header  the associated data of every value, as py-hamt's argument; copied; may be empty
 * @return VV_OK, VV_ENOMEM
 */
VV_API vv_status vv_pyhamt_encrypted_store_new(vv_store *inner, const vv_key *key,
                                               vv_bytes header, vv_store **out,
                                               vv_error *err);

typedef struct vv_encrypted_options {
    size_t struct_size;
    bool read_only;
    /* Of a new data set, passed by when there is a root: bytes of a value that are encrypted together, a
     * multiple of 1024 from 4 KiB to 16 MiB. 0: 31 KiB. A range reads the segments that it touches. */
    uint32_t segment_bytes;
    vv_cid_prefix ids; /* as vv_hamt_options.ids, CIDv1 only; all zero: as the root, or
                        * CIDv1 blake3 */
    uint32_t max_bucket_size; /* these three as in vv_hamt_options */
    size_t clean_cache_bytes;
    size_t dirty_bytes;
} vv_encrypted_options;
#define VV_ENCRYPTED_OPTIONS_INIT \
    ((vv_encrypted_options){ .struct_size = sizeof(vv_encrypted_options) })

/**
 * Open a data set of our own format, or begin one.
 *
 * @param root  NULL: a new, empty one with a key of its own, wrapped under key; VV_EINVAL with read_only
 * @param key   one of the keys that the data set's is wrapped under
 * @return VV_OK, VV_EINVAL (options), VV_ENOTFOUND (root), VV_ECORRUPT (no such root), VV_EUNSUPPORTED (its
 *         version), VV_EAUTH (the key does not open it, or the root was changed by someone without it),
 *         VV_EIO, VV_ENOMEM
 */
VV_API vv_status vv_encrypted_store_open(vv_blockstore *blocks, const vv_cid *root,
                                         const vv_key *key,
                                         const vv_encrypted_options *options,
                                         vv_store **out, vv_error *err);

/** What a root says to everybody. */
typedef struct vv_encrypted_info {
    uint32_t version; /* of the format */
    uint32_t segment_bytes;
    uint8_t data_set_id[16]; /* drawn when it was made */
    vv_cid tree; /* the HAMT below the root; vv_hamt_verify() checks it without a key */
    size_t key_count;
    uint8_t (*key_ids)[VV_KEY_ID_BYTES]; /* who can open it: key_count names */
} vv_encrypted_info;

/** Does the block look like a root of our format? Says nothing about whether it is a right one. */
VV_API bool vv_encrypted_is_root(vv_bytes block);
/** Read a root without a key. out is cleared by vv_encrypted_info_clear().
 *  @return as vv_encrypted_store_open(), never VV_EAUTH */
VV_API vv_status vv_encrypted_info_read(vv_blockstore *blocks, const vv_cid *root,
                                        vv_encrypted_info *out, vv_error *err);
VV_API void vv_encrypted_info_clear(vv_encrypted_info *info);

/**
 * Change who can open a data set: a new root over the same tree; no value is read or written. The key of the
 * data set stays the same: whoever could open the old root still can, as long as it and their key exist, and
 * reads the values of later states with what is wrapped in it. Copy the data set into a new one to keep them
 * out.
 *
 * add: also added. rotate: new_key in the place of key. remove: not any more the key with that name, which may
 * be key's own. The block store is flushed.
 * @return as vv_encrypted_store_open(); VV_EEXISTS (it has that key already), VV_ENOTFOUND (remove: no such key),
 *         VV_EINVAL (remove: it is the last), VV_ELIMIT (more than 1024 keys)
 */
VV_API vv_status vv_encrypted_add_key(vv_blockstore *blocks, const vv_cid *root,
                                      const vv_key *key, const vv_key *added,
                                      vv_cid *new_root, vv_error *err);
VV_API vv_status vv_encrypted_rotate_key(vv_blockstore *blocks, const vv_cid *root,
                                         const vv_key *key, const vv_key *new_key,
                                         vv_cid *new_root, vv_error *err);
VV_API vv_status vv_encrypted_remove_key(vv_blockstore *blocks, const vv_cid *root,
                                         const vv_key *key,
                                         const uint8_t key_id[VV_KEY_ID_BYTES],
                                         vv_cid *new_root, vv_error *err);

#ifdef __cplusplus
}
#endif
#endif
