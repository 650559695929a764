/*
 * Keys: 32 secret bytes, kept out of core dumps and swap, and wiped when they are let go.
 *
 * What they are used for: encrypted.h. How they lie in files and how one key wraps another:
 * docs/format/encrypted.md. Keys are never taken from the arguments of a process, which others can see.
 *
 * Threads: a key does not change once it is made; any calls at once. Ownership: free with vv_key_free();
 * what is opened with a key keeps what it needs of it, so that the key may be freed at once.
 */
#ifndef VARVITE_CRYPTO_H
#define VARVITE_CRYPTO_H

#include <varvite/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VV_KEY_BYTES 32
/** Of the name of a key: tells keys apart, and tells nothing about the key. */
#define VV_KEY_ID_BYTES 8
/** Of the name as hexadecimal digits, with its end. */
#define VV_KEY_ID_TEXT_MAX (2 * VV_KEY_ID_BYTES + 1)
/** Of a key that is wrapped under another. */
#define VV_KEY_WRAPPED_BYTES 72

/** In memory of its own between guard pages; locked where the system's limit (RLIMIT_MEMLOCK) lets it. */
typedef struct vv_key vv_key;

/** A new random key. @return VV_OK, VV_ENOMEM */
VV_API vv_status vv_key_new(vv_key **out, vv_error *err);
/** bytes: VV_KEY_BYTES of them, which the caller wipes. @return VV_OK, VV_EINVAL, VV_ENOMEM */
VV_API vv_status vv_key_from_bytes(vv_bytes bytes, vv_key **out, vv_error *err);
/** Wipes it. NULL is fine. */
VV_API void vv_key_free(vv_key *key);

/**
 * Read a key: the text that vv_key_save() writes, 64 hexadecimal digits (blanks and line ends may follow),
 * or VV_KEY_BYTES bytes as they are. Messages never show what was read.
 *
 * file: VV_EAUTH when everybody may read or change it, or its group may change it.
 * fd: read to its end, not closed; for keys that lie in no file, or whose file's mode cannot be changed.
 * env: the value of an environment variable, in one of the two text forms. It stays set.
 * @return VV_OK, VV_ENOTFOUND (no such file or variable), VV_EINVAL (no key in it), VV_EAUTH, VV_EIO, VV_ENOMEM
 */
VV_API vv_status vv_key_load(const char *path, vv_key **out, vv_error *err);
VV_API vv_status vv_key_load_fd(int fd, vv_key **out, vv_error *err);
VV_API vv_status vv_key_load_env(const char *variable, vv_key **out, vv_error *err);
/** Write a key to a new file that its owner alone may read, and make it durable.
 *  @return VV_OK, VV_EEXISTS (never over a file that is there), VV_EIO, VV_ENOMEM */
VV_API vv_status vv_key_save(const vv_key *key, const char *path, vv_error *err);

/** The bytes themselves, for who must hand them on; the caller wipes them. */
VV_API void vv_key_bytes(const vv_key *key, uint8_t out[VV_KEY_BYTES]);
/** In a time that does not depend on where they differ. */
VV_API bool vv_key_equal(const vv_key *a, const vv_key *b);

/** The key's name, which may be shown and stored. */
VV_API void vv_key_id(const vv_key *key, uint8_t out[VV_KEY_ID_BYTES]);
VV_API void vv_key_id_format(const uint8_t id[VV_KEY_ID_BYTES],
                             char out[VV_KEY_ID_TEXT_MAX]);
/** @return VV_OK, VV_EINVAL */
VV_API vv_status vv_key_id_parse(const char *text, uint8_t out[VV_KEY_ID_BYTES],
                                 vv_error *err);

/**
 * Wrap a key under another, which alone opens it again, and only with the same context (any bytes that say
 * what the key is for; they are not part of out). Random: the same key wrapped twice gives other bytes.
 */
VV_API vv_status vv_key_wrap(const vv_key *under, const vv_key *key, vv_bytes context,
                             uint8_t out[VV_KEY_WRAPPED_BYTES], vv_error *err);
/** @return VV_OK, VV_EAUTH (another key, another context, or changed bytes), VV_ENOMEM */
VV_API vv_status vv_key_unwrap(const vv_key *under,
                               const uint8_t wrapped[VV_KEY_WRAPPED_BYTES],
                               vv_bytes context, vv_key **out, vv_error *err);
/** A key made from this one for one purpose: label says which, context (may be empty) for whom. From the
 *  derived key the first cannot be found. @return VV_OK, VV_ENOMEM */
VV_API vv_status vv_key_derive(const vv_key *from, const char *label, vv_bytes context,
                               vv_key **out, vv_error *err);

#ifdef __cplusplus
}
#endif
#endif
