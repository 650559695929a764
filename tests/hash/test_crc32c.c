/* CRC-32C: published values, and every way of computing it against the definition. */
#include "support/support.h"

#include "hash/crc32c.h"
#include "util/buf.h"

/* The definition, one bit at a time, on the raw register. */
static uint32_t by_definition(uint32_t state, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        state ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            state = state & 1 ? state >> 1 ^ 0x82f63b78u : state >> 1;
    }
    return state;
}

static void published_values_come_out(void **state)
{
    uint8_t block[32];

    (void)state;
    assert_int_equal(vv_crc32c(0, vv_bytes_of("")), 0);
    assert_int_equal(vv_crc32c(0, vv_bytes_of("123456789")), 0xe3069283u);
    /* RFC 3720, B.4 */
    memset(block, 0, sizeof(block));
    assert_int_equal(vv_crc32c(0, vvi_bytes(block, 32)), 0x8a9136aau);
    memset(block, 0xff, sizeof(block));
    assert_int_equal(vv_crc32c(0, vvi_bytes(block, 32)), 0x62a8ab43u);
    for (uint8_t i = 0; i < 32; i++)
        block[i] = i;
    assert_int_equal(vv_crc32c(0, vvi_bytes(block, 32)), 0x46dd794eu);
}

static void going_on_from_a_crc_is_the_crc_of_the_whole(void **state)
{
    uint64_t seed = 7;
    uint8_t data[5000];

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)next_random(&seed);
    for (size_t cut = 0; cut < sizeof(data); cut += 271) {
        uint32_t crc = vv_crc32c(0, vvi_bytes(data, cut));

        crc = vv_crc32c(crc, vvi_bytes(data + cut, sizeof(data) - cut));
        assert_int_equal(crc, vv_crc32c(0, vvi_bytes(data, sizeof(data))));
    }
}

static void every_way_agrees_with_the_definition_at_any_length_and_alignment(void **state)
{
    static uint8_t data[40000];
    uint64_t seed = 1;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)next_random(&seed);
    for (int round = 0; round < 400; round++) {
        size_t offset = next_random(&seed) % 64;
        size_t len = next_random(&seed) % (round % 4 ? 900 : sizeof(data) - 64);
        uint32_t start = (uint32_t)next_random(&seed);
        uint32_t right = by_definition(start, data + offset, len);

        assert_int_equal(vvi_crc32c_portable(start, data + offset, len), right);
#if VVI_CRC32C_X86
        if (vvi_crc32c_have_sse42())
            assert_int_equal(vvi_crc32c_sse42(start, data + offset, len), right);
        if (vvi_crc32c_have_avx512())
            assert_int_equal(vvi_crc32c_avx512(start, data + offset, len), right);
#endif
        assert_int_equal(~vv_crc32c(~start, vvi_bytes(data + offset, len)), right);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_values_come_out),
        cmocka_unit_test(going_on_from_a_crc_is_the_crc_of_the_whole),
        cmocka_unit_test(
            every_way_agrees_with_the_definition_at_any_length_and_alignment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
