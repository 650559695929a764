/* DAG-JSON: forms of every kind, the order of keys, what has no form. */
#include "support/support.h"

#include "util/buf.h"

#define CID_HEX  "01551e20af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
#define CID_TEXT "bafkr4ifpcne3t5pzugtkaqcn5i3nzskjtpfslsnnyejlpte2spfoihzsmi"

static void check(const char *hex, bool pretty, const char *wanted)
{
    vv_buf input = from_hex(hex);
    vv_error err = VV_ERROR_INIT;
    vv_buf out = VV_BUF_INIT;

    assert_vv_ok(vv_cbor_to_json(vvi_buf_bytes(&input), pretty, &out, &err));
    assert_string_equal((char *)out.data, wanted);
    assert_int_equal(out.len, strlen(wanted));
    vv_buf_clear(&input);
    vv_buf_clear(&out);
}

static void every_kind_has_its_form(void **state)
{
    (void)state;
    check("f6", false, "null");
    check("84f4f5001bffffffffffffffff", false, "[false,true,0,18446744073709551615]");
    check("8220"
          "3bffffffffffffffff",
          false, "[-1,-18446744073709551616]");
    check("84fb3ff8000000000000"
          "fb4000000000000000"
          "fb8000000000000000"
          "fb3fb999999999999a",
          false, "[1.5,2.0,-0.0,0.1]");
    check("82fb7fefffffffffffff"
          "fb0000000000000001",
          false, "[1.7976931348623157e+308,4.94065645841247e-324]");
    check("43010203", false, "{\"/\":{\"bytes\":\"AQID\"}}");
    check("40", false, "{\"/\":{\"bytes\":\"\"}}");
    check("4100", true, "{\"/\":{\"bytes\":\"AA\"}}");
    check("d82a582500" CID_HEX, false, "{\"/\":\"" CID_TEXT "\"}");
    check("6a225c0a01c3a9080c0d09", false, "\"\\\"\\\\\\n\\u0001\xc3\xa9\\b\\f\\r\\t\"");
    check("a0", false, "{}");
    check("82a080", false, "[{},[]]");
    check("82a080", true, "[\n  {},\n  []\n]");
}

static void keys_are_put_into_the_order_of_dag_json(void **state)
{
    (void)state;
    /* {"b": 1, "aa": {"z": 0, "xy": []}} */
    check("a2"
          "616201"
          "626161"
          "a2"
          "617a00"
          "62787980",
          false, "{\"aa\":{\"xy\":[],\"z\":0},\"b\":1}");
    check("a2"
          "616201"
          "626161"
          "a2"
          "617a00"
          "62787980",
          true, "{\n  \"aa\": {\n    \"xy\": [],\n    \"z\": 0\n  },\n  \"b\": 1\n}");
    check("a3"
          "616201"
          "616302"
          "62616103",
          false, "{\"aa\":3,\"b\":1,\"c\":2}");
}

static vv_status convert(const char *hex, vv_error *err)
{
    vv_buf input = from_hex(hex);
    vv_buf out = VV_BUF_INIT;
    vv_status status = vv_cbor_to_json(vvi_buf_bytes(&input), false, &out, err);

    assert_int_equal(out.len, 0);
    vv_buf_clear(&input);
    vv_buf_clear(&out);
    return status;
}

static void a_map_that_would_read_as_a_link_is_refused(void **state)
{
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_int_equal(convert("a1612f6161", &err), VV_EUNSUPPORTED);
    assert_int_equal(convert("8101ff", &err), VV_ECORRUPT);
    assert_int_equal(convert("a16161", &err), VV_ECORRUPT);
    check("a2612f01616102", false, "{\"/\":1,\"a\":2}");
}

static void deep_input_gives_text_of_a_bounded_size(void **state)
{
    static uint8_t lists[2000];
    vv_error err = VV_ERROR_INIT;
    vv_buf out = VV_BUF_INIT;

    (void)state;
    memset(lists, 0x81, 999);
    lists[999] = 0x99;
    lists[1000] = 0x03;
    lists[1001] = 0xe5; /* 997 zeros follow */
    assert_vv_ok(vv_cbor_to_json(vvi_bytes(lists, 999 + 3 + 997), true, &out, &err));
    assert_true(out.len < sizeof(lists) * 80);
    vv_buf_clear(&out);
}

static vv_status convert_a_value(void *ctx)
{
    vv_buf input = from_hex("a3"
                            "616241ff"
                            "6163d82a582500" CID_HEX "626161a2"
                            "617a00"
                            "62787980");
    vv_buf out = VV_BUF_INIT;
    vv_status status = vv_cbor_to_json(vvi_buf_bytes(&input), true, &out, NULL);

    (void)ctx;
    vv_buf_clear(&out);
    vv_buf_clear(&input);
    return status;
}

static void converting_survives_any_failing_allocation(void **state)
{
    (void)state;
    survives_failing_allocations(convert_a_value, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_its_form),
        cmocka_unit_test(keys_are_put_into_the_order_of_dag_json),
        cmocka_unit_test(a_map_that_would_read_as_a_link_is_refused),
        cmocka_unit_test(deep_input_gives_text_of_a_bounded_size),
        cmocka_unit_test(converting_survives_any_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
