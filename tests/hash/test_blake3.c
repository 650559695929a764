/* BLAKE3 by our own ways against the official code: one chunk, many inputs, every kernel. */
#include "support/support.h"

#include "hash/blake3_many.h"
#include "util/buf.h"

#include <blake3.h>

static uint8_t data[8192];

static int fill_data(void **state)
{
    uint64_t seed = 11;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)next_random(&seed);
    return 0;
}

static void official(vv_bytes input, uint8_t out[VV_BLAKE3_SIZE])
{
    blake3_hasher hasher;

    blake3_hasher_init(&hasher);
    blake3_hasher_update(&hasher, input.data, input.len);
    blake3_hasher_finalize(&hasher, out, VV_BLAKE3_SIZE);
}

static void every_length_of_up_to_two_chunks_has_the_official_digest(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 2100; len++) {
        vv_bytes input = vvi_bytes(data + len % 7, len);
        uint8_t ours[VV_BLAKE3_SIZE];
        uint8_t theirs[VV_BLAKE3_SIZE];

        vv_blake3(input, ours);
        official(input, theirs);
        assert_memory_equal(ours, theirs, sizeof(ours));
    }
}

/* A copy that ends where the allocation ends, so that reading on is seen. */
static vv_bytes exact_copy(size_t offset, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);

    assert_non_null(copy);
    memcpy(copy, data + offset, len);
    return vvi_bytes(copy, len);
}

static void check_kernel(vvi_blake3_kernel kernel, size_t lanes)
{
    static const size_t longest[] = { 1, 2, 33, 65, 66, 129, 600, 1025, 1026, 3000 };
    uint8_t out[200][VV_BLAKE3_SIZE];
    vv_bytes inputs[200];
    uint64_t seed = 5;

    for (size_t round = 0; round < 120; round++) {
        size_t n = next_random(&seed) % 200;

        for (size_t i = 0; i < n; i++)
            inputs[i] = exact_copy(next_random(&seed) % 1000,
                                   next_random(&seed) % longest[round % 10]);
        vvi_blake3_many_with(kernel, lanes, inputs, n, out);
        for (size_t i = 0; i < n; i++) {
            uint8_t theirs[VV_BLAKE3_SIZE];

            official(inputs[i], theirs);
            assert_memory_equal(out[i], theirs, sizeof(theirs));
            free((void *)(uintptr_t)inputs[i].data);
        }
    }
}

static void many_inputs_have_the_official_digests_whatever_the_processor_offers(
    void **state)
{
    (void)state;
    check_kernel(NULL, 0);
#if VVI_BLAKE3_X86
    if (vvi_blake3_have_avx2())
        check_kernel(vvi_blake3_avx2, 8);
    if (vvi_blake3_have_avx512())
        check_kernel(vvi_blake3_avx512, 16);
#endif
}

static void the_public_call_takes_empty_inputs_and_none(void **state)
{
    vv_bytes inputs[40] = { { NULL, 0 } };
    uint8_t out[40][VV_BLAKE3_SIZE];
    uint8_t theirs[VV_BLAKE3_SIZE];

    (void)state;
    official(vvi_bytes(data, 0), theirs);
    vv_blake3_many(inputs, 40, out);
    for (size_t i = 0; i < 40; i++)
        assert_memory_equal(out[i], theirs, sizeof(theirs));
    vv_blake3_many(NULL, 0, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_of_up_to_two_chunks_has_the_official_digest),
        cmocka_unit_test(
            many_inputs_have_the_official_digests_whatever_the_processor_offers),
        cmocka_unit_test(the_public_call_takes_empty_inputs_and_none),
    };

    return cmocka_run_group_tests(tests, fill_data, NULL);
}
