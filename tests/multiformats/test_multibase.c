/* Varint and multibase: round trips, what is refused. */
#include "support/support.h"

#include "multiformats/multibase.h"
#include "util/buf.h"

static const char prefixes[] = "bzkfumBKFZ079cCvVtThMU";

static void a_varint_is_read_back_whatever_its_size(void **state)
{
    vv_error err = VV_ERROR_INIT;
    uint64_t seed = 5;

    (void)state;
    for (int i = 0; i < 5000; i++) {
        uint64_t value = next_random(&seed) >> (1 + next_random(&seed) % 63);
        uint8_t bytes[VV_VARINT_MAX];
        size_t len = vv_varint_encode(value, bytes);
        uint64_t back;
        size_t used;

        assert_vv_ok(vv_varint_decode(vvi_bytes(bytes, len), &back, &used, &err));
        assert_int_equal(back, value);
        assert_int_equal(used, len);
        assert_int_equal(vv_varint_decode(vvi_bytes(bytes, len - 1), &back, &used, &err),
                         VV_EINVAL);
    }
    assert_int_equal(vv_varint_encode(UINT64_C(1) << 63, (uint8_t[VV_VARINT_MAX]){ 0 }),
                     0);
}

static void every_base_gives_back_what_it_was_given(void **state)
{
    vv_error err = VV_ERROR_INIT;
    uint64_t seed = 9;

    (void)state;
    for (int i = 0; i < 4000; i++) {
        char prefix = prefixes[(size_t)i % (sizeof(prefixes) - 1)];
        uint8_t data[70];
        size_t len = next_random(&seed) % sizeof(data);
        size_t zeros = next_random(&seed) % 4;
        vv_buf text = VV_BUF_INIT;
        vv_buf back = VV_BUF_INIT;
        char base = 0;

        for (size_t k = 0; k < len; k++)
            data[k] = k < zeros ? 0 : (uint8_t)next_random(&seed);
        assert_vv_ok(vv_multibase_encode(prefix, vvi_bytes(data, len), &text, &err));
        assert_int_equal(text.data[0], prefix);
        assert_int_equal(strlen((char *)text.data), text.len);
        assert_vv_ok(vv_multibase_decode(vvi_buf_bytes(&text), &base, &back, &err));
        assert_int_equal(base, prefix);
        assert_int_equal(back.len, len);
        if (len)
            assert_memory_equal(back.data, data, len);
        vv_buf_clear(&text);
        vv_buf_clear(&back);
    }
}

static vv_status decode(const char *text)
{
    vv_buf out = VV_BUF_INIT;
    vv_status status = vv_multibase_decode(vv_bytes_of(text), NULL, &out, NULL);

    vv_buf_clear(&out);
    return status;
}

static void letters_of_bases_with_one_case_are_read_in_either(void **state)
{
    (void)state;
    assert_int_equal(decode("bmzxw6"), VV_OK);
    assert_int_equal(decode("bMZxW6"), VV_OK);
    assert_int_equal(decode("F66Ff"), VV_OK);
    assert_int_equal(decode("kK8F"), VV_OK);
    assert_int_equal(decode("u_w"), VV_OK);
}

static void text_that_no_encoder_writes_is_refused(void **state)
{
    static const char
        *const
            wrong
                [] = {
                    "",         "?abc",       "b1",       "bmz\n",  "b mz",
                    "bmzxw7", /* bits left over */
                    "bm",       "bmzx",       "f6",       "f6g",    "01010101",
                    "z0",       "zl",         "9a",       "mZm9=v", "cmy",
                    "cmy=====", "cmy=======", "MZg=",     "U_=",    "7314====",
                    "u+w",      "m-w",        "\xc3\xa9", "vzz",    "z11I",
                };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (decode(wrong[i]) != VV_EINVAL)
            fail_msg("'%s' was not refused", wrong[i]);
}

static void long_numbers_are_refused_before_they_cost_time(void **state)
{
    static uint8_t data[20000];
    vv_error err = VV_ERROR_INIT;
    vv_buf out = VV_BUF_INIT;

    (void)state;
    memset(data, 'z', sizeof(data));
    assert_int_equal(vv_multibase_encode('z', vvi_bytes(data, sizeof(data)), &out, &err),
                     VV_ELIMIT);
    assert_int_equal(vv_multibase_decode(vvi_bytes(data, sizeof(data)), NULL, &out, &err),
                     VV_ELIMIT);
    assert_vv_ok(vv_multibase_encode('b', vvi_bytes(data, sizeof(data)), &out, &err));
    vv_buf_clear(&out);
}

static void names_and_prefixes_lead_to_each_other(void **state)
{
    (void)state;
    for (size_t i = 0; i + 1 < sizeof(prefixes); i++) {
        const char *name = vv_multibase_name(prefixes[i]);

        assert_non_null(name);
        assert_int_equal(vv_multibase_by_name(name), prefixes[i]);
    }
    assert_null(vv_multibase_name('?'));
    assert_null(vv_multibase_name('\0'));
    assert_int_equal(vv_multibase_by_name("base31"), 0);
    assert_int_equal(vv_multibase_by_name(NULL), 0);
}

static vv_status there_and_back(void *ctx)
{
    vv_buf text = VV_BUF_INIT;
    vv_buf back = VV_BUF_INIT;
    vv_status status = vv_multibase_encode('z', vv_bytes_of("some bytes"), &text, NULL);

    (void)ctx;
    if (!status)
        status = vv_multibase_decode(vvi_buf_bytes(&text), NULL, &back, NULL);
    vv_buf_clear(&text);
    vv_buf_clear(&back);
    return status;
}

static void multibase_survives_any_failing_allocation(void **state)
{
    (void)state;
    survives_failing_allocations(there_and_back, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_varint_is_read_back_whatever_its_size),
        cmocka_unit_test(every_base_gives_back_what_it_was_given),
        cmocka_unit_test(letters_of_bases_with_one_case_are_read_in_either),
        cmocka_unit_test(text_that_no_encoder_writes_is_refused),
        cmocka_unit_test(long_numbers_are_refused_before_they_cost_time),
        cmocka_unit_test(names_and_prefixes_lead_to_each_other),
        cmocka_unit_test(multibase_survives_any_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
