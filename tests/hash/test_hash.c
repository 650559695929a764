/* Digests: published values, pieces, cut digests, refused requests, threads. */
#include "support/support.h"

#include "util/buf.h"
#include "util/thread.h"

#include <stdio.h>

static const struct {
    uint64_t code;
    size_t size;
    const char *of_abc; /* digest of "abc" in hexadecimal */
} functions[] = {
    { VV_HASH_SHA1, 20, "a9993e364706816aba3e25717850c26c9cd0d89d" },
    { VV_HASH_SHA2_256, 32,
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { VV_HASH_SHA2_512, 64,
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
      "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
    { VV_HASH_SHA3_256, 32,
      "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532" },
    { VV_HASH_BLAKE3, 32,
      "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85" },
    { VV_HASH_BLAKE2B_256, 32,
      "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319" },
    { 0xb240, 64,
      "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
      "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923" },
    { 0x20, 48,
      "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163"
      "1a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7" },
    { 0xb260, 32, "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982" },
    { 0x56, 32, "4f8b42c22dd3729b519ba6f68d2da7cc5b2d606d05daed5ad5128cc03e6c6358" },
    { 0xd5, 16, "900150983cd24fb0d6963f7d28e17f72" },
};
#define FUNCTIONS (sizeof(functions) / sizeof(functions[0]))

static void published_digests_come_out_whole_and_cut(void **state)
{
    vv_error err = VV_ERROR_INIT;
    uint8_t out[64];

    (void)state;
    for (size_t i = 0; i < FUNCTIONS; i++) {
        size_t size = functions[i].size;

        assert_int_equal(vv_hash_size(functions[i].code), size);
        for (size_t len = 1; len <= size; len++) {
            memset(out, 0xee, sizeof(out));
            assert_vv_ok(vv_hash(functions[i].code, vv_bytes_of("abc"), out, len, &err));
            assert_memory_equal(to_hex(out, len), functions[i].of_abc, 2 * len);
            if (len < sizeof(out))
                assert_int_equal(out[len], 0xee);
        }
    }
}

static void data_in_pieces_has_the_digest_of_the_whole(void **state)
{
    static uint8_t data[10000];
    vv_error err = VV_ERROR_INIT;
    uint64_t seed = 3;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)next_random(&seed);
    for (size_t i = 0; i < FUNCTIONS; i++) {
        size_t size = functions[i].size;
        vv_hasher *hasher = NULL;
        uint8_t pieces[64];
        uint8_t whole[64];
        size_t at = 0;

        assert_vv_ok(vv_hasher_new(functions[i].code, &hasher, &err));
        while (at < sizeof(data)) {
            size_t n = next_random(&seed) % 700;

            n = n < sizeof(data) - at ? n : sizeof(data) - at;
            assert_vv_ok(vv_hasher_update(hasher, vvi_bytes(data + at, n), &err));
            at += n;
        }
        assert_vv_ok(vv_hasher_finish(hasher, pieces, size, &err));
        vv_hasher_free(hasher);
        assert_vv_ok(
            vv_hash(functions[i].code, vvi_bytes(data, sizeof(data)), whole, size, &err));
        assert_memory_equal(pieces, whole, size);
    }
}

static void blake3_gives_digests_longer_than_its_usual_one(void **state)
{
    vv_error err = VV_ERROR_INIT;
    uint8_t out[128];
    uint8_t usual[VV_BLAKE3_SIZE];

    (void)state;
    assert_vv_ok(vv_hash(VV_HASH_BLAKE3, vv_bytes_of(""), out, 128, &err));
    vv_blake3(vv_bytes_of(""), usual);
    assert_memory_equal(out, usual, sizeof(usual));
    /* bytes 32 … 63 of the published extended output of the empty input */
    assert_string_equal(
        to_hex(out + 32, 32),
        "e00f03e7b69af26b7faaf09fcd333050338ddfe085b8cc869ca98b206c08243a");
    assert_int_equal(vv_hash(VV_HASH_BLAKE3, vv_bytes_of(""), out, 129, &err), VV_EINVAL);
}

static void what_cannot_be_computed_is_refused_by_name(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_hasher *hasher = NULL;
    uint8_t out[64];

    (void)state;
    assert_int_equal(vv_hash(0x1052, vv_bytes_of(""), out, 16, &err), VV_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "0x1052"));
    assert_int_equal(vv_hash_size(0x1052), 0);
    assert_int_equal(vv_hasher_new(VV_HASH_IDENTITY, &hasher, &err), VV_EUNSUPPORTED);
    assert_int_equal(vv_hash(VV_HASH_SHA2_256, vv_bytes_of(""), out, 33, &err),
                     VV_EINVAL);
    assert_int_equal(vv_hash(VV_HASH_SHA2_256, vv_bytes_of(""), out, 0, &err), VV_EINVAL);
    assert_int_equal(vv_hash(VV_HASH_IDENTITY, vv_bytes_of("ab"), out, 1, &err),
                     VV_EINVAL);
    assert_null(hasher);
}

static vv_status hash_some(void *ctx, size_t i, vv_error *err)
{
    uint8_t out[64];
    size_t which = i % FUNCTIONS;

    (void)ctx;
    VVI_TRY(vv_hash(functions[which].code, vv_bytes_of("abc"), out, functions[which].size,
                    err));
    for (size_t b = 0; b < functions[which].size; b++) {
        char two[3];

        snprintf(two, sizeof(two), "%02x", out[b]);
        if (memcmp(two, functions[which].of_abc + 2 * b, 2) != 0)
            return vvi_fail(err, VV_ECORRUPT, "function %zu", which);
    }
    return VV_OK;
}

static void threads_may_hash_at_the_same_time(void **state)
{
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_vv_ok(vvi_parallel(4, 2000, hash_some, NULL, &err));
}

static vv_status hash_in_pieces(void *ctx)
{
    vv_hasher *hasher = NULL;
    uint8_t out[20];
    vv_status status;

    (void)ctx;
    VVI_TRY(vv_hasher_new(VV_HASH_SHA1, &hasher, NULL));
    status = vv_hasher_update(hasher, vv_bytes_of("abc"), NULL);
    if (!status)
        status = vv_hasher_finish(hasher, out, sizeof(out), NULL);
    vv_hasher_free(hasher);
    return status;
}

static void a_hasher_survives_any_failing_allocation(void **state)
{
    (void)state;
    survives_failing_allocations(hash_in_pieces, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_digests_come_out_whole_and_cut),
        cmocka_unit_test(data_in_pieces_has_the_digest_of_the_whole),
        cmocka_unit_test(blake3_gives_digests_longer_than_its_usual_one),
        cmocka_unit_test(what_cannot_be_computed_is_refused_by_name),
        cmocka_unit_test(threads_may_hash_at_the_same_time),
        cmocka_unit_test(a_hasher_survives_any_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
