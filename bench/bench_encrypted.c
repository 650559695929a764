/* Encrypted values beside the fastest AEAD alone: XChaCha20-Poly1305 with libcrypto's bulk, on the same bytes
 * in the same run. One thread, but for the store's own calls. */
#include "bench.h"

#include "encrypted/format.h"
#include "encrypted/pyhamt.h"
#include "util/buf.h"

#include <openssl/evp.h>
#include <sodium.h>

#define VALUE  ((size_t)512 << 10)
#define PLACES 8 /* different values, 4 MiB: beyond the nearest caches, as chunks are */
#define FRONT  64

static uint8_t *plain;  /* PLACES values */
static uint8_t *sealed; /* PLACES times a value and FRONT, or a body */
static uint8_t *opened; /* one value */
static size_t items;

static uint8_t *plain_at(size_t i)
{
    return plain + i % PLACES * VALUE;
}

static uint8_t *sealed_at(size_t i)
{
    return sealed + i % PLACES * 2 * VALUE;
}

/* before: what call needs to find, done for every place first; NULL: nothing. */
static void time_it(const char *name, void (*before)(size_t i), void (*call)(size_t i))
{
    bench_timer timer;

    if (!bench_wants(name))
        return;
    for (size_t i = 0; before && i < PLACES; i++)
        before(i);
    for (size_t i = 0; i < PLACES; i++)
        call(i);
    timer = bench_begin();
    for (size_t i = 0; i < items; i++)
        call(i);
    timer = bench_end(&timer);
    bench_line(name, items, &timer, "\"bytes_per_item\":%zu", VALUE);
}

/* ---- the AEAD alone ------------------------------------------------------------------------ */

static const uint8_t key[32] = { 1, 2, 3 };
static EVP_CIPHER *cipher;
static EVP_CIPHER_CTX *ctx;

static void need(int done)
{
    if (done <= 0) {
        fprintf(stderr, "libcrypto failed\n");
        exit(1);
    }
}

/* HChaCha20 for the long nonce, then one pass of libcrypto over the value. */
static void aead_begin(size_t i, bool seal)
{
    uint8_t nonce[24] = { (uint8_t)(i % PLACES) };
    uint8_t subkey[32];
    uint8_t short_nonce[12] = { 0 };

    crypto_core_hchacha20(subkey, nonce, key, NULL);
    memcpy(short_nonce + 4, nonce + 16, 8);
    need(EVP_CipherInit_ex2(ctx, cipher, subkey, short_nonce, seal, NULL));
}

static void aead_seal(size_t i)
{
    uint8_t *to = sealed_at(i);
    int len;

    aead_begin(i, true);
    need(EVP_CipherUpdate(ctx, to, &len, plain_at(i), (int)VALUE));
    need(EVP_CipherFinal_ex(ctx, to + VALUE, &len));
    need(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, to + VALUE));
}

static void aead_open(size_t i)
{
    uint8_t *from = sealed_at(i);
    int len;

    aead_begin(i, false);
    need(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, from + VALUE));
    need(EVP_CipherUpdate(ctx, opened, &len, from, (int)VALUE));
    need(EVP_CipherFinal_ex(ctx, opened + VALUE, &len));
}

/* ---- the two formats -------------------------------------------------------------------------- */

static vvi_data_keys *keys;

static vvi_sealed_value value_of(size_t i, vvi_segments *run)
{
    uint8_t salt[VVI_ENC_SALT_BYTES] = { (uint8_t)(i % PLACES) };
    vvi_sealed_value value;

    vvi_sealed_value_init(&value, keys, "temperature/c/0/12", salt, VALUE,
                          VVI_ENC_SEGMENT_DEFAULT);
    *run = vvi_segments_of(&value, 0, VALUE);
    return value;
}

static void ours_seal(size_t i)
{
    vvi_segments run;
    vvi_sealed_value value = value_of(i, &run);

    BENCH_OK(
        vvi_segments_seal(&value, &run, plain_at(i), sealed_at(i), false, &bench_error));
}

static void ours_open(size_t i)
{
    vvi_segments run;
    vvi_sealed_value value = value_of(i, &run);

    BENCH_OK(vvi_segments_open(&value, &run, sealed_at(i), opened, false, &bench_error));
}

static void pyhamt_seal(size_t i)
{
    uint8_t *to = sealed_at(i);

    memset(to, (int)i, VVI_XCHACHA_NONCE_BYTES);
    BENCH_OK(vvi_pyhamt_seal(key, vv_bytes_of("header"), vvi_bytes(plain_at(i), VALUE),
                             to, &bench_error));
}

static void pyhamt_open(size_t i)
{
    vv_buf out = VV_BUF_INIT;

    BENCH_OK(vvi_pyhamt_open(key, vv_bytes_of("header"),
                             vvi_bytes(sealed_at(i), VALUE + VVI_PYHAMT_FRONT), &out,
                             &bench_error));
    vv_buf_clear(&out);
}

/* ---- through the stores ------------------------------------------------------------------------ */

static vv_store *store;

static void store_set(size_t i)
{
    char name[BENCH_KEY_MAX];

    bench_key(name, i % PLACES);
    BENCH_OK(vv_store_set(store, name, vvi_bytes(plain_at(i), VALUE), &bench_error));
}

static void store_get(size_t i)
{
    char name[BENCH_KEY_MAX];
    vv_buf out = VV_BUF_INIT;

    bench_key(name, i % PLACES);
    BENCH_OK(vv_store_get(store, name, VV_RANGE_ALL, &out, &bench_error));
    vv_buf_clear(&out);
}

static uint64_t long_length;

static void store_range(size_t i)
{
    uint64_t state = i;
    uint64_t at = bench_random(&state) % (long_length - 4096);
    vv_buf out = VV_BUF_INIT;

    BENCH_OK(vv_store_get(store, "long", VV_RANGE_OF(at, 4096), &out, &bench_error));
    vv_buf_clear(&out);
}

static void run_stores(void)
{
    vv_blockstore *blocks = NULL;
    vv_store *inner = NULL;
    vv_key *user = NULL;
    uint8_t *bytes;

    BENCH_OK(vv_key_new(&user, &bench_error));
    BENCH_OK(vv_memory_blockstore_new(&blocks, &bench_error));
    BENCH_OK(vv_hamt_store_open(blocks, NULL, NULL, &inner, &bench_error));
    BENCH_OK(vv_pyhamt_encrypted_store_new(inner, user, vv_bytes_of("header"), &store,
                                           &bench_error));
    items = items < 200 ? items : 200; /* what is set stays */
    time_it("encrypted/pyhamt_set", NULL, store_set);
    time_it("encrypted/pyhamt_get", store_set, store_get);
    vv_store_free(store);
    vv_store_free(inner);
    vv_blockstore_free(blocks);

    BENCH_OK(vv_memory_blockstore_new(&blocks, &bench_error));
    BENCH_OK(vv_encrypted_store_open(blocks, NULL, user, NULL, &store, &bench_error));
    time_it("encrypted/set", NULL, store_set);
    time_it("encrypted/get", store_set, store_get);
    long_length = bench_size((size_t)64 << 20, (size_t)8 << 20);
    bytes = calloc(1, long_length);
    BENCH_OK(vv_store_set(store, "long", vvi_bytes(bytes, long_length), &bench_error));
    time_it("encrypted/range_4k", NULL, store_range);
    free(bytes);
    vv_store_free(store);
    vv_blockstore_free(blocks);
    vv_key_free(user);
}

int main(int argc, char **argv)
{
    bench_main(argc, argv);
    items = bench_size(2000, 200);
    plain = malloc(PLACES * VALUE);
    sealed = malloc(PLACES * 2 * VALUE);
    opened = malloc(VALUE + FRONT);
    bench_fill(plain, PLACES * VALUE, 1);
    memset(sealed, 0, PLACES * 2 * VALUE);
    memset(opened, 0, VALUE + FRONT);
    BENCH_OK(vvi_data_keys_new(key, &keys, &bench_error));
    cipher = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    ctx = EVP_CIPHER_CTX_new();
    time_it("aead/seal", NULL, aead_seal);
    time_it("aead/open", aead_seal, aead_open);
    time_it("encrypted/seal", NULL, ours_seal);
    time_it("encrypted/open", ours_seal, ours_open);
    time_it("encrypted/pyhamt_seal", NULL, pyhamt_seal);
    time_it("encrypted/pyhamt_open", pyhamt_seal, pyhamt_open);
    run_stores();
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
    vvi_data_keys_free(keys);
    free(plain);
    free(sealed);
    free(opened);
    return 0;
}
