/* Authenticated encryption: the published vectors, and both libraries giving the same bytes. */
#include "support/support.h"

#include "crypto/aead.h"
#include "crypto/secret.h"
#include "util/buf.h"

#include <sodium.h>

#define SUNSCREEN                                                                      \
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for " \
    "the future, sunscreen would be it."
#define SUNSCREEN_LEN (sizeof(SUNSCREEN) - 1)

static const uint8_t sunscreen_ad[] = { 0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1,
                                        0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7 };

static void count_up(uint8_t *out, size_t len, uint8_t from)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(from + i);
}

/* draft-irtf-cfrg-xchacha-03, A.3.1. */
static void xchacha_gives_the_bytes_of_the_draft(void **state)
{
    uint8_t key[32];
    uint8_t nonce[24];
    uint8_t out[SUNSCREEN_LEN];
    uint8_t tag[16];

    (void)state;
    count_up(key, sizeof(key), 0x80);
    count_up(nonce, sizeof(nonce), 0x40);
    assert_int_equal(vvi_xchacha_seal(key, nonce,
                                      vvi_bytes(sunscreen_ad, sizeof(sunscreen_ad)),
                                      vv_bytes_of(SUNSCREEN), out, tag, NULL),
                     VV_OK);
    assert_string_equal(to_hex(out, sizeof(out)),
                        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
                        "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
                        "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
                        "21f9664c97637da9768812f615c68b13b52e");
    assert_string_equal(to_hex(tag, sizeof(tag)), "c0875924c1c7987947deafd8780acf49");
}

/* RFC 8439, 2.8.2. */
static void chacha_gives_the_bytes_of_the_rfc(void **state)
{
    const uint8_t nonce[12] = {
        7, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47
    };
    uint8_t key[32];
    uint8_t out[SUNSCREEN_LEN];
    uint8_t tag[16];
    vvi_aead aead;

    (void)state;
    count_up(key, sizeof(key), 0x80);
    vvi_aead_init(&aead, key);
    assert_int_equal(vvi_aead_seal(&aead, nonce,
                                   vvi_bytes(sunscreen_ad, sizeof(sunscreen_ad)),
                                   vv_bytes_of(SUNSCREEN), out, tag, NULL),
                     VV_OK);
    vvi_aead_clear(&aead);
    assert_string_equal(to_hex(out, sizeof(out)),
                        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
                        "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
                        "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
                        "3ff4def08e4b7a9de576d26586cec64b6116");
    assert_string_equal(to_hex(tag, sizeof(tag)), "1ae10b594f09e26a7e902ecbd0600691");
}

static const size_t lengths[] = { 0,    1,    15,   16,    63,    64,     65,     1000,
                                  4095, 4096, 4097, 16384, 32752, 100001, 1048576 };

typedef struct message {
    uint8_t key[32], nonce[24], ad[40];
    size_t ad_len, len;
    uint8_t *plain, *cipher, *back;
    uint8_t tag[16];
} message;

static message make_message(size_t len, uint64_t *seed)
{
    message m = { .len = len };

    for (size_t i = 0; i < sizeof(m.key); i++)
        m.key[i] = (uint8_t)next_random(seed);
    for (size_t i = 0; i < sizeof(m.nonce); i++)
        m.nonce[i] = (uint8_t)next_random(seed);
    m.ad_len = (size_t)(next_random(seed) % sizeof(m.ad));
    m.plain = malloc(len + 1);
    m.cipher = malloc(len + 1);
    m.back = malloc(len + 1);
    for (size_t i = 0; i < len; i++)
        m.plain[i] = (uint8_t)next_random(seed);
    assert_int_equal(vvi_xchacha_seal(m.key, m.nonce, vvi_bytes(m.ad, m.ad_len),
                                      vvi_bytes(m.plain, len), m.cipher, m.tag, NULL),
                     VV_OK);
    return m;
}

static void free_message(message *m)
{
    free(m->plain);
    free(m->cipher);
    free(m->back);
}

static vv_status open_message(message *m, vv_error *err)
{
    return vvi_xchacha_open(m->key, m->nonce, vvi_bytes(m->ad, m->ad_len),
                            vvi_bytes(m->cipher, m->len), m->tag, m->back, err);
}

/* Whatever library a length is given to, libsodium alone makes the same of it. */
static void every_length_is_as_libsodium_has_it(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        message m = make_message(lengths[i], &seed);
        uint8_t tag[16];

        assert_int_equal(
            crypto_aead_xchacha20poly1305_ietf_encrypt_detached(
                m.back, tag, NULL, m.plain, m.len, m.ad, m.ad_len, NULL, m.nonce, m.key),
            0);
        assert_memory_equal(m.back, m.cipher, m.len);
        assert_memory_equal(tag, m.tag, sizeof(tag));
        memset(m.back, 0, m.len);
        assert_int_equal(open_message(&m, NULL), VV_OK);
        assert_memory_equal(m.back, m.plain, m.len);
        free_message(&m);
    }
}

static void assert_refused_and_wiped(message *m)
{
    vv_error err = VV_ERROR_INIT;

    memset(m->back, 0xee, m->len);
    assert_int_equal(open_message(m, &err), VV_EAUTH);
    for (size_t i = 0; i < m->len; i++)
        assert_int_equal(m->back[i], 0);
}

static void a_changed_message_is_refused_and_no_plaintext_is_left(void **state)
{
    uint64_t seed = 2;

    (void)state;
    for (size_t i = 1; i < sizeof(lengths) / sizeof(*lengths); i++) {
        message m = make_message(lengths[i], &seed);
        uint8_t *places[] = { &m.cipher[0], &m.cipher[m.len - 1],
                              &m.tag[0],    &m.tag[15],
                              &m.key[3],    &m.nonce[2],
                              &m.nonce[20], &m.ad[0] };

        m.ad_len = 7;
        assert_int_equal(vvi_xchacha_seal(m.key, m.nonce, vvi_bytes(m.ad, m.ad_len),
                                          vvi_bytes(m.plain, m.len), m.cipher, m.tag,
                                          NULL),
                         VV_OK);
        for (size_t j = 0; j < sizeof(places) / sizeof(*places); j++) {
            *places[j] ^= 1;
            assert_refused_and_wiped(&m);
            *places[j] ^= 1;
        }
        assert_int_equal(open_message(&m, NULL), VV_OK);
        m.len--;
        assert_refused_and_wiped(&m);
        free_message(&m);
    }
}

static void one_object_takes_messages_of_all_lengths_in_turn(void **state)
{
    uint8_t tag[16];
    uint8_t plain[9000];
    uint8_t sealed[9000];
    uint8_t back[9000];
    uint8_t key[32];
    vvi_aead one;

    (void)state;
    count_up(key, sizeof(key), 9);
    count_up(plain, sizeof(plain), 1);
    vvi_aead_init(&one, key);
    for (uint8_t i = 0; i < 40; i++) {
        uint8_t nonce[12] = { i };
        size_t len = i % 3 ? 9000u - i : 100u + i;
        uint8_t again[9000];
        uint8_t tag2[16];

        assert_int_equal(vvi_aead_seal(&one, nonce, vvi_bytes(&i, 1),
                                       vvi_bytes(plain, len), sealed, tag, NULL),
                         VV_OK);
        crypto_aead_chacha20poly1305_ietf_encrypt_detached(again, tag2, NULL, plain, len,
                                                           &i, 1, NULL, nonce, key);
        assert_memory_equal(again, sealed, len);
        assert_memory_equal(tag2, tag, sizeof(tag));
        tag[i % 16] ^= 4;
        assert_int_equal(vvi_aead_open(&one, nonce, vvi_bytes(&i, 1),
                                       vvi_bytes(sealed, len), tag, back, NULL),
                         VV_EAUTH);
        tag[i % 16] ^= 4;
        assert_int_equal(vvi_aead_open(&one, nonce, vvi_bytes(&i, 1),
                                       vvi_bytes(sealed, len), tag, back, NULL),
                         VV_OK);
        assert_memory_equal(back, plain, len);
    }
    vvi_aead_clear(&one);
    for (size_t i = 0; i < sizeof(one); i++)
        assert_int_equal(((uint8_t *)&one)[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xchacha_gives_the_bytes_of_the_draft),
        cmocka_unit_test(chacha_gives_the_bytes_of_the_rfc),
        cmocka_unit_test(every_length_is_as_libsodium_has_it),
        cmocka_unit_test(a_changed_message_is_refused_and_no_plaintext_is_left),
        cmocka_unit_test(one_object_takes_messages_of_all_lengths_in_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
