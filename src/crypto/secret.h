/* Memory for secrets, and what is made from one key by another. */
#ifndef VVI_CRYPTO_SECRET_H
#define VVI_CRYPTO_SECRET_H

#include <varvite/crypto.h>

#include "util/error.h"

/* Between guard pages, locked if the system lets it, left out of core dumps, wiped when freed. NULL: out of
 * memory. For a few keys: each takes pages of its own. */
void *vvi_secret_new(size_t size);
void vvi_secret_free(void *secret);

/* Overwrite what a secret lay in, in a way that no compiler leaves out. */
void vvi_wipe(void *at, size_t len);
/* Wipe what a buffer holds and clear it. */
void vvi_buf_wipe(vv_buf *buf);

/* In a time that does not depend on where they differ. */
bool vvi_secret_equal(const void *a, const void *b, size_t len);

void vvi_random(void *out, size_t len);

/*
 * A key's key for one purpose, or the tag of some bytes: BLAKE2b with a digest of out_len bytes (16 … 64),
 * keyed, of label, a zero byte, and the parts one after the other.
 */
void vvi_derive(const uint8_t key[VV_KEY_BYTES], const char *label, const vv_bytes *parts,
                size_t n, uint8_t *out, size_t out_len);

/* The key's own bytes, in their locked memory. */
const uint8_t *vvi_key_secret(const vv_key *key);

#endif
