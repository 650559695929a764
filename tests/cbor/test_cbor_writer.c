/* The writer: shortest forms, what has no form, the order of keys. */
#include "value.h"

#include "cbor/head.h"
#include "util/buf.h"

#include <math.h>

static void heads_are_as_short_as_they_can_be(void **state)
{
    static const struct {
        uint64_t value;
        const char *hex;
    } cases[] = {
        { 0, "00" },
        { 23, "17" },
        { 24, "1818" },
        { 255, "18ff" },
        { 256, "190100" },
        { 65535, "19ffff" },
        { 65536, "1a00010000" },
        { UINT32_MAX, "1affffffff" },
        { UINT64_C(1) << 32, "1b0000000100000000" },
        { UINT64_MAX, "1bffffffffffffffff" },
    };
    vv_error err = VV_ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vv_buf out = VV_BUF_INIT;
        vvi_cbor_fault fault;
        unsigned major = 0;
        uint64_t back = 0;

        assert_vv_ok(vv_cbor_put_uint(&out, cases[i].value, &err));
        assert_string_equal(to_hex(out.data, out.len), cases[i].hex);
        assert_int_equal(vvi_cbor_head_len(cases[i].value), out.len);
        assert_int_equal(vvi_cbor_get_head(out.data, out.len, &major, &back, &fault),
                         out.len);
        assert_true(back == cases[i].value && major == VVI_CBOR_UINT);
        for (size_t cut = 0; cut < out.len; cut++) {
            assert_int_equal(vvi_cbor_get_head(out.data, cut, &major, &back, &fault), 0);
            assert_int_equal(fault, VVI_CBOR_CUT);
        }
        vv_buf_clear(&out);
    }
}

static void signed_numbers_take_the_major_type_of_their_sign(void **state)
{
    static const struct {
        int64_t value;
        const char *hex;
    } cases[] = {
        { 0, "00" },
        { -1, "20" },
        { -24, "37" },
        { -25, "3818" },
        { 1000, "1903e8" },
        { INT64_MIN, "3b7fffffffffffffff" },
        { INT64_MAX, "1b7fffffffffffffff" },
    };
    vv_error err = VV_ERROR_INIT;
    vv_buf out = VV_BUF_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vv_buf_clear(&out);
        assert_vv_ok(vv_cbor_put_int(&out, cases[i].value, &err));
        assert_string_equal(to_hex(out.data, out.len), cases[i].hex);
    }
    vv_buf_clear(&out);
}

static void what_has_no_form_is_refused_and_leaves_the_buffer_alone(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf out = VV_BUF_INIT;

    (void)state;
    assert_int_equal(vv_cbor_put_float(&out, NAN, &err), VV_EINVAL);
    assert_int_equal(vv_cbor_put_float(&out, INFINITY, &err), VV_EINVAL);
    assert_int_equal(vv_cbor_put_float(&out, -INFINITY, &err), VV_EINVAL);
    assert_int_equal(vv_cbor_put_text(&out, vv_bytes_of("a\xed\xa0\x80"), &err),
                     VV_EINVAL);
    assert_non_null(strstr(err.message, "byte 1"));
    assert_int_equal(out.len, 0);
    assert_vv_ok(vv_cbor_put_float(&out, -0.0, &err));
    assert_string_equal(to_hex(out.data, out.len), "fb8000000000000000");
    vv_buf_clear(&out);
}

static void a_link_is_tagged_and_a_bare_multihash_is_not(void **state)
{
    const vv_cid_prefix bare = { VV_CODEC_RAW, VV_HASH_BLAKE3, VV_CID_BARE, 32 };
    vv_error err = VV_ERROR_INIT;
    vv_buf out = VV_BUF_INIT;
    vv_cid cid;

    (void)state;
    assert_vv_ok(vv_cid_of(&VV_PREFIX_CBOR_BLAKE3, vv_bytes_of("x"), &cid, &err));
    assert_vv_ok(vv_cbor_put_link(&out, &cid, &err));
    assert_int_equal(out.len, 41);
    assert_memory_equal(to_hex(out.data, out.len), "d82a58250001711e20", 18);
    vv_buf_clear(&out);
    assert_vv_ok(vv_cid_of(&bare, vv_bytes_of("x"), &cid, &err));
    assert_vv_ok(vv_cbor_put_link(&out, &cid, &err));
    assert_int_equal(out.len, 36);
    assert_memory_equal(to_hex(out.data, out.len), "58221e20", 8);
    vv_buf_clear(&out);
}

static void keys_are_ordered_by_length_first(void **state)
{
    static const char *const keys[] = {
        "", "a", "b", "z", "aa", "az", "\xc3\xa9", "aaa"
    };

    (void)state;
    for (size_t i = 0; i < 8; i++)
        for (size_t k = 0; k < 8; k++) {
            int order = vv_cbor_key_cmp(vv_bytes_of(keys[i]), vv_bytes_of(keys[k]));

            assert_int_equal(order < 0, i < k);
            assert_int_equal(order == 0, i == k);
        }
}

static vv_status write_a_value(void *ctx)
{
    vv_buf out = VV_BUF_INIT;
    vv_status status = VV_OK;
    vv_cid cid;

    (void)ctx;
    VVI_TRY(vv_cid_of(&VV_PREFIX_RAW_BLAKE3, vv_bytes_of("x"), &cid, NULL));
    for (int i = 0; i < 50 && !status; i++) {
        status = vv_cbor_put_text(&out, vv_bytes_of("some text"), NULL);
        if (!status)
            status = vv_cbor_put_link(&out, &cid, NULL);
        if (!status)
            status = vv_cbor_put_float(&out, i, NULL);
    }
    vv_buf_clear(&out);
    return status;
}

static void writing_survives_any_failing_allocation(void **state)
{
    (void)state;
    survives_failing_allocations(write_a_value, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_as_short_as_they_can_be),
        cmocka_unit_test(signed_numbers_take_the_major_type_of_their_sign),
        cmocka_unit_test(what_has_no_form_is_refused_and_leaves_the_buffer_alone),
        cmocka_unit_test(a_link_is_tagged_and_a_bare_multihash_is_not),
        cmocka_unit_test(keys_are_ordered_by_length_first),
        cmocka_unit_test(writing_survives_any_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
