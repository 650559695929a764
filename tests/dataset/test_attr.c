/* Attributes: their JSON as xarray reads it, and back to the bit. */
#include "dataset/files.h"

#include "dataset/attr.h"
#include "dataset/layout.h"
#include "util/base64.h"
#include "util/buf.h"

#include <math.h>
#include <stdio.h>

/* The JSON of an attribute with these numbers. */
static const char *json_of(const char *name, vv_dtype owner, vv_dtype dtype,
                           const void *data, size_t count)
{
    static char text[400];
    vvi_attrs attrs = { NULL, 0, 0 };
    vvi_json *value = NULL;
    vv_buf buf = VV_BUF_INIT;
    vv_error err = VV_ERROR_INIT;
    vvi_attr *attr;

    assert_vv_ok(vvi_attrs_add(&attrs, name, &attr, &err));
    assert_vv_ok(vvi_attr_set_numbers(attr, dtype, data, count, &err));
    assert_vv_ok(vvi_attr_to_json(attr, owner, &value, &err));
    assert_vv_ok(vvi_json_write(value, 0, &buf, &err));
    assert_vv_ok(vvi_buf_terminate(&buf, &err));
    snprintf(text, sizeof(text), "%s", (const char *)buf.data);
    vv_buf_clear(&buf);
    vvi_json_free(value);
    vvi_attrs_clear(&attrs);
    return text;
}

static void numbers_keep_integer_and_float_apart(void **state)
{
    (void)state;
    assert_string_equal(json_of("a", 0, VV_INT32, &(int32_t){ -7 }, 1), "-7");
    assert_string_equal(json_of("a", 0, VV_FLOAT64, &(double){ 3 }, 1), "3.0");
    assert_string_equal(json_of("a", 0, VV_FLOAT32, &(float){ 0.1f }, 1),
                        "0.10000000149011612");
    assert_string_equal(json_of("a", 0, VV_UINT64, &(uint64_t){ UINT64_MAX }, 1),
                        "18446744073709551615");
    assert_string_equal(json_of("a", 0, VV_INT8, ((int8_t[]){ 1, 2 }), 2), "[1, 2]");
    assert_string_equal(json_of("a", 0, VV_INT8, "", 0), "[]");
    assert_string_equal(json_of("a", 0, VV_FLOAT64, &(double){ NAN }, 1), "\"NaN\"");
    assert_string_equal(json_of("a", 0, VV_FLOAT64, &(double){ -INFINITY }, 1),
                        "\"-Infinity\"");
}

/* The texts are those that xarray 2026.9 writes with zarr 3.1. */
static void fill_values_are_written_as_xarray_writes_them(void **state)
{
    (void)state;
    assert_string_equal(
        json_of("_FillValue", VV_FLOAT32, VV_FLOAT32, &(float){ -1e34f }, 1),
        "\"AAAA4JvQ/sY=\"");
    assert_string_equal(
        json_of("_FillValue", VV_FLOAT64, VV_FLOAT64, &(double){ NAN }, 1),
        "\"AAAAAAAA+H8=\"");
    assert_string_equal(json_of("_FillValue", VV_INT16, VV_INT16, &(int16_t){ -999 }, 1),
                        "-999");
    assert_string_equal(
        json_of("missing_value", VV_FLOAT32, VV_FLOAT32, &(float){ 2 }, 1), "2.0");
}

static void text_becomes_utf8_without_zeros(void **state)
{
    static const struct {
        const char *from;
        size_t len;
        const char *to;
    } cases[] = {
        { "plain", 5, "plain" },
        { "\xC3\xA9", 2, "\xC3\xA9" },
        { "a\0b", 3, "ab" },
        { "\xE9t\xE9", 3, "\xEF\xBF\xBDt\xEF\xBF\xBD" },
        { "\xE2\x82", 2, "\xEF\xBF\xBD" }, /* cut short: one mark */
        { "\xED\xA0\x80", 3, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" }, /* a surrogate */
        { "\xF0\x9F\x8C\x8D", 4, "\xF0\x9F\x8C\x8D" },
        { "\xC0\x80", 2, "\xEF\xBF\xBD\xEF\xBF\xBD" }, /* overlong */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        vv_buf out = VV_BUF_INIT;
        vv_error err = VV_ERROR_INIT;

        assert_vv_ok(vvi_text_clean(vvi_bytes(cases[i].from, cases[i].len), &out, &err));
        assert_string_equal((const char *)out.data, cases[i].to);
        vv_buf_clear(&out);
    }
}

static void base64_goes_there_and_back(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (size_t n = 0; n < 40; n++) {
        uint8_t bytes[40];
        vv_buf text = VV_BUF_INIT;
        vv_buf back = VV_BUF_INIT;
        vv_error err = VV_ERROR_INIT;

        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)next_random(&seed);
        assert_vv_ok(vvi_base64_encode(vvi_bytes(bytes, n), &text, &err));
        assert_int_equal(text.len, (n + 2) / 3 * 4);
        assert_vv_ok(vvi_base64_decode((const char *)text.data, text.len, &back, &err));
        assert_int_equal(back.len, n);
        assert_memory_equal(n ? back.data : bytes, bytes, n);
        vv_buf_clear(&text);
        vv_buf_clear(&back);
    }
    vv_buf out = VV_BUF_INIT;
    assert_int_equal(vvi_base64_decode("ab!d", 4, &out, NULL), VV_ECORRUPT);
    vv_buf_clear(&out);
}

static vv_status attributes_through_json(void *ctx)
{
    char path[] = "";
    vvi_group group = { .path = path };
    vvi_tree tree = { &group, 1, 0 };
    vvi_attrs back = { NULL, 0, 0 };
    const char *strings[] = { "a\xE9", "b" };
    vvi_json *object = NULL;
    vvi_json *layout = NULL;
    vvi_attr *attr;
    uint32_t odd_nan = 0x7FA00001;
    vv_status status;

    (void)ctx;
    status = vvi_attrs_add(&group.attrs, "short", &attr, NULL);
    if (!status)
        status = vvi_attr_set_numbers(attr, VV_INT16, &(int16_t){ -5 }, 1, NULL);
    if (!status)
        status = vvi_attrs_add(&group.attrs, "odd", &attr, NULL);
    if (!status)
        status = vvi_attr_set_numbers(attr, VV_FLOAT32, &odd_nan, 1, NULL);
    if (!status)
        status = vvi_attrs_add(&group.attrs, "text", &attr, NULL);
    if (!status)
        status = vvi_attr_set_text(attr, "x\0\xFF", 3, NULL);
    if (!status)
        status = vvi_attrs_add(&group.attrs, "strings", &attr, NULL);
    if (!status)
        status = vvi_attr_set_strings(attr, strings, 2, NULL);
    if (!status)
        status = vvi_attrs_to_json(&group.attrs, VV_DTYPE_NONE, &object, NULL);
    if (!status)
        status = vvi_layout_make(&tree, &group, &layout, NULL);
    if (!status)
        status = vvi_attrs_from_json(&back, object, VV_DTYPE_NONE, layout, NULL);
    if (!status) {
        assert_int_equal(back.count, 4);
        for (size_t i = 0; i < 4; i++)
            if (!vvi_attr_equal(&group.attrs.items[i], &back.items[i]))
                fail_msg("attribute '%s' changed", back.items[i].name);
    }
    vvi_json_free(layout);
    vvi_json_free(object);
    vvi_attrs_clear(&back);
    vvi_attrs_clear(&group.attrs);
    return status;
}

static void the_layout_brings_back_types_and_odd_bits(void **state)
{
    (void)state;
    assert_int_equal(attributes_through_json(NULL), VV_OK);
    survives_failing_allocations(attributes_through_json, NULL);
}

static void a_stale_hint_gives_way_to_the_value(void **state)
{
    static const char changed[] = "{\"a\": \"new\", \"b\": 70000, \"c\": 1.5}";
    static const char hints[] =
        "{\"types\": {\"a\": \"char\", \"b\": \"short\", \"c\": \"x\"},"
        " \"raw\": {\"a\": \"AP8=\", \"b\": \"!\"}}";
    vvi_json *object = NULL;
    vvi_json *layout = NULL;
    vvi_attrs attrs = { NULL, 0, 0 };
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_vv_ok(vvi_json_parse(vv_bytes_of(changed), &object, &err));
    assert_vv_ok(vvi_json_parse(vv_bytes_of(hints), &layout, &err));
    assert_vv_ok(vvi_attrs_from_json(&attrs, object, VV_DTYPE_NONE, layout, &err));
    assert_int_equal(attrs.items[0].kind, VVI_ATTR_TEXT);
    assert_memory_equal(attrs.items[0].data, "new", 3);
    assert_int_equal(attrs.items[1].dtype, VV_INT32);
    assert_int_equal(attrs.items[2].dtype, VV_FLOAT64);
    vvi_attrs_clear(&attrs);
    vvi_json_free(layout);
    vvi_json_free(object);
}

static void what_netcdf_has_no_type_for_becomes_text(void **state)
{
    static const char text[] =
        "{\"n\": null, \"o\": {\"x\": [1]}, \"b\": true, \"m\": [1, \"a\"],"
        " \"e\": [], \"f\": [1, 2.5], \"s\": [\"p\", \"q\"]}";
    vvi_json *object = NULL;
    vvi_attrs attrs = { NULL, 0, 0 };
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_vv_ok(vvi_json_parse(vv_bytes_of(text), &object, &err));
    assert_vv_ok(vvi_attrs_from_json(&attrs, object, VV_DTYPE_NONE, NULL, &err));
    assert_int_equal(attrs.count, 7);
    assert_memory_equal(attrs.items[0].data, "null", 4);
    assert_memory_equal(attrs.items[1].data, "{\"x\": [1]}", 10);
    assert_int_equal(attrs.items[2].dtype, VV_INT8);
    assert_memory_equal(attrs.items[3].data, "[1, \"a\"]", 8);
    assert_int_equal(attrs.items[4].kind, VVI_ATTR_TEXT);
    assert_int_equal(attrs.items[5].dtype, VV_FLOAT64);
    assert_int_equal(attrs.items[6].kind, VVI_ATTR_STRINGS);
    vvi_attrs_clear(&attrs);
    vvi_json_free(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_keep_integer_and_float_apart),
        cmocka_unit_test(fill_values_are_written_as_xarray_writes_them),
        cmocka_unit_test(text_becomes_utf8_without_zeros),
        cmocka_unit_test(base64_goes_there_and_back),
        cmocka_unit_test(the_layout_brings_back_types_and_odd_bits),
        cmocka_unit_test(a_stale_hint_gives_way_to_the_value),
        cmocka_unit_test(what_netcdf_has_no_type_for_becomes_text),
    };
    return cmocka_run_group_tests_name("dataset/attr", tests, NULL, NULL);
}
