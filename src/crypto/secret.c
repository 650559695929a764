#include "crypto/secret.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>

static pthread_once_t started = PTHREAD_ONCE_INIT;
static bool is_ready;

static void start(void)
{
    is_ready = sodium_init() >= 0;
}

/* Random numbers and guard pages need libsodium to have looked at the system. */
static bool ready(void)
{
    pthread_once(&started, start);
    return is_ready;
}

void *vvi_secret_new(size_t size)
{
    return ready() ? sodium_malloc(size) : NULL;
}

void vvi_secret_free(void *secret)
{
    sodium_free(secret);
}

void vvi_wipe(void *at, size_t len)
{
    if (len)
        sodium_memzero(at, len);
}

void vvi_buf_wipe(vv_buf *buf)
{
    if (!buf->release)
        vvi_wipe(buf->data, buf->len > buf->cap ? buf->len : buf->cap);
    vv_buf_clear(buf);
}

bool vvi_secret_equal(const void *a, const void *b, size_t len)
{
    return sodium_memcmp(a, b, len) == 0;
}

void vvi_random(void *out, size_t len)
{
    (void)ready();
    randombytes_buf(out, len);
}

void vvi_derive(const uint8_t key[VV_KEY_BYTES], const char *label, const vv_bytes *parts,
                size_t n, uint8_t *out, size_t out_len)
{
    crypto_generichash_blake2b_state state;

    crypto_generichash_blake2b_init(&state, key, VV_KEY_BYTES, out_len);
    crypto_generichash_blake2b_update(&state, (const uint8_t *)label, strlen(label) + 1);
    for (size_t i = 0; i < n; i++)
        if (parts[i].len)
            crypto_generichash_blake2b_update(&state, parts[i].data, parts[i].len);
    crypto_generichash_blake2b_final(&state, out, out_len);
    sodium_memzero(&state, sizeof(state));
}
