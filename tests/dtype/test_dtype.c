/* Element types: names and sizes, fill values in every form, elements as text. */
#include "support/support.h"

#include "dtype/dtype.h"
#include "util/buf.h"

#include <math.h>

static void dtypes_have_the_names_and_sizes_of_the_specification(void **state)
{
    static const struct {
        const char *name;
        size_t size, word;
    } cases[] = {
        { "bool", 1, 1 },      { "int8", 1, 1 },        { "int16", 2, 2 },
        { "int32", 4, 4 },     { "int64", 8, 8 },       { "uint8", 1, 1 },
        { "uint16", 2, 2 },    { "uint32", 4, 4 },      { "uint64", 8, 8 },
        { "float16", 2, 2 },   { "float32", 4, 4 },     { "float64", 8, 8 },
        { "complex64", 8, 4 }, { "complex128", 16, 8 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vv_dtype dtype = vv_dtype_by_name(cases[i].name);
        vvi_dtype type;

        assert_string_equal(vv_dtype_name(dtype), cases[i].name);
        assert_int_equal(vv_dtype_size(dtype), cases[i].size);
        assert_true(vvi_dtype_init(dtype, &type));
        assert_int_equal(type.item, cases[i].size);
        assert_int_equal(type.word, cases[i].word);
    }
    assert_int_equal(vv_dtype_by_name("text"), VV_DTYPE_NONE);
    assert_int_equal(vv_dtype_by_name(NULL), VV_DTYPE_NONE);
    assert_null(vv_dtype_name(VV_DTYPE_NONE));
    assert_null(vv_dtype_name((vv_dtype)99));
    assert_int_equal(vv_dtype_size((vv_dtype)99), 0);
}

/* Every float16, and the halfway cases between each two. */
static void float16_rounds_to_nearest_with_ties_to_even(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        double number = vvi_half_to_double((uint16_t)bits);
        double next = vvi_half_to_double((uint16_t)(bits + 1));

        if (isnan(number))
            continue;
        assert_int_equal(vvi_half_from_double(number), bits);
        if (isinf(number) || isinf(next))
            continue;
        uint16_t even = (uint16_t)(bits & 1 ? bits + 1 : bits);
        assert_int_equal(vvi_half_from_double((number + next) / 2), even);
        assert_int_equal(vvi_half_from_double(nextafter((number + next) / 2, number)),
                         bits);
    }
    assert_int_equal(vvi_half_from_double(65519.99), 0x7BFF);
    assert_int_equal(vvi_half_from_double(65520), 0x7C00);
    assert_int_equal(vvi_half_from_double(-1e300), 0xFC00);
    assert_int_equal(vvi_half_from_double((double)NAN) & 0x7FFF, 0x7E00);
}

static vv_status read_fill(const char *dtype, const char *json, void *out, vv_error *err)
{
    vvi_json *value = NULL;
    vv_buf element = VV_BUF_INIT;
    vvi_dtype type;
    vv_status status = vvi_json_parse(vv_bytes_of(json), &value, err);

    assert_true(vvi_dtype_init(vv_dtype_by_name(dtype), &type));
    if (!status)
        status = vvi_fill_read(&type, value, &element, err);
    if (!status)
        memcpy(out, element.data, element.len);
    vv_buf_clear(&element);
    vvi_json_free(value);
    return status;
}

static void fill_values_are_read_in_every_form(void **state)
{
    static const struct {
        const char *dtype, *json, *big_endian;
    } cases[] = {
        { "bool", "true", "01" },
        { "bool", "false", "00" },
        { "int8", "-128", "80" },
        { "int16", "-2", "fffe" },
        { "int32", "2147483647", "7fffffff" },
        { "int32", "3.0", "00000003" },
        { "int64", "-9223372036854775808", "8000000000000000" },
        { "uint8", "255", "ff" },
        { "uint64", "18446744073709551615", "ffffffffffffffff" },
        { "uint16", "0.0", "0000" },
        { "float16", "1.5", "3e00" },
        { "float16", "\"NaN\"", "7e00" },
        { "float16", "\"0x7c01\"", "7c01" },
        { "float32", "0", "00000000" },
        { "float32", "-0.0", "80000000" },
        { "float32", "0.1", "3dcccccd" },
        { "float32", "\"Infinity\"", "7f800000" },
        { "float32", "\"-Infinity\"", "ff800000" },
        { "float32", "\"NaN\"", "7fc00000" },
        { "float32", "NaN", "7fc00000" },
        { "float32", "\"0x7FC00001\"", "7fc00001" },
        { "float64", "1e-320", "00000000000007e8" },
        { "float64", "\"NaN\"", "7ff8000000000000" },
        { "float64", "-Infinity", "fff0000000000000" },
        { "float64", "\"0xfff8000000000000\"", "fff8000000000000" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t size = strlen(cases[i].big_endian) / 2;
        uint8_t element[16];
        uint8_t turned[16];
        vv_error err = VV_ERROR_INIT;

        assert_vv_ok(read_fill(cases[i].dtype, cases[i].json, element, &err));
        for (size_t k = 0; k < size; k++)
            turned[k] =
                element[__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? size - 1 - k : k];
        assert_string_equal(to_hex(turned, size), cases[i].big_endian);
    }
    double pair[2];
    vv_error err = VV_ERROR_INIT;
    assert_vv_ok(read_fill("complex128", "[1.5, \"-Infinity\"]", pair, &err));
    assert_true(pair[0] == 1.5 && isinf(pair[1]) && pair[1] < 0);
}

static void fill_values_of_another_type_are_refused(void **state)
{
    static const char *const cases[][2] = {
        { "bool", "1" },
        { "bool", "\"true\"" },
        { "bool", "null" },
        { "int8", "128" },
        { "int8", "-129" },
        { "int8", "1.5" },
        { "int8", "\"1\"" },
        { "int8", "\"0x01\"" },
        { "int64", "9223372036854775808" },
        { "int64", "1e30" },
        { "int32", "NaN" },
        { "uint8", "-1" },
        { "uint8", "256" },
        { "uint8", "-1.0" },
        { "uint64", "18446744073709551616" },
        { "float32", "true" },
        { "float32", "\"nan\"" },
        { "float32", "\"0x7fc000\"" },
        { "float32", "\"0x7fc0000g\"" },
        { "float32", "\"1.5\"" },
        { "float32", "[1]" },
        { "float64", "null" },
        { "complex64", "1" },
        { "complex64", "[1]" },
        { "complex64", "[1, 2, 3]" },
        { "complex64", "[1, \"x\"]" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t element[16];
        vv_error err = VV_ERROR_INIT;

        if (read_fill(cases[i][0], cases[i][1], element, &err) != VV_ECORRUPT)
            fail_msg("%s as %s was taken", cases[i][1], cases[i][0]);
        assert_non_null(strstr(err.message, "fill_value"));
        assert_non_null(strstr(err.message, cases[i][0]));
    }
}

static void any_bits_of_a_fill_value_survive_the_metadata(void **state)
{
    uint64_t random = 99;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        vv_dtype dtype = (vv_dtype)(VV_BOOL + next_random(&random) % 14);
        size_t size = vv_dtype_size(dtype);
        uint8_t element[16];
        vv_buf back = VV_BUF_INIT;
        vvi_dtype type;
        vvi_json *value = NULL;
        vvi_json *parsed = NULL;
        vv_buf text = VV_BUF_INIT;
        vv_error err = VV_ERROR_INIT;

        for (size_t k = 0; k < size; k++)
            element[k] = (uint8_t)next_random(&random);
        /* Often a NaN, an infinity or a zero. */
        if (i % 4 == 0)
            for (size_t k = 0; k < size; k++)
                element[k] = i % 8 ? 0xFF : 0;
        if (dtype == VV_BOOL)
            element[0] &= 1;
        assert_true(vvi_dtype_init(dtype, &type));
        assert_vv_ok(vvi_fill_write(&type, element, &value, &err));
        assert_vv_ok(vvi_json_write(value, 0, &text, &err));
        assert_vv_ok(vvi_json_parse(vvi_buf_bytes(&text), &parsed, &err));
        assert_vv_ok(vvi_fill_read(&type, parsed, &back, &err));
        assert_int_equal(back.len, size);
        assert_memory_equal(back.data, element, size);
        vv_buf_clear(&back);
        vvi_json_free(value);
        vvi_json_free(parsed);
        vv_buf_clear(&text);
    }
}

static void elements_are_printed_as_short_as_they_read_back(void **state)
{
    static const float f = 0.1f;
    static const double d = -1.0;
    static const uint16_t h = 0x2E66; /* 0.1 */
    static const int8_t i = -7;
    static const uint64_t u = UINT64_MAX;
    static const uint8_t b = 1;
    static const double c[2] = { 1.5, -2.0 };
    static const double n[2] = { (double)NAN, (double)INFINITY };
    static const struct {
        vv_dtype dtype;
        const void *element;
        const char *text;
    } cases[] = {
        { VV_FLOAT32, &f, "0.1" },
        { VV_FLOAT64, &d, "-1.0" },
        { VV_FLOAT16, &h, "0.1" },
        { VV_INT8, &i, "-7" },
        { VV_BOOL, &b, "true" },
        { VV_UINT64, &u, "18446744073709551615" },
        { VV_FLOAT64, n, "NaN" },
        { VV_COMPLEX128, c, "1.5-2.0j" },
        { VV_COMPLEX128, n, "NaN+Infinityj" },
    };
    char out[64];

    (void)state;
    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        assert_int_equal(
            vv_element_format(cases[k].dtype, cases[k].element, out, sizeof(out)),
            strlen(cases[k].text));
        assert_string_equal(out, cases[k].text);
    }
    assert_int_equal(vv_element_format(VV_UINT64, &u, out, 4), 20);
    assert_string_equal(out, "184");
    assert_int_equal(vv_element_format(VV_UINT64, &u, NULL, 0), 20);
    for (uint32_t bits = 0; bits < 0x7C00; bits++) {
        uint16_t half = (uint16_t)bits;
        double back;

        vv_element_format(VV_FLOAT16, &half, out, sizeof(out));
        assert_true(vvi_double_parse(out, &back));
        assert_int_equal(vvi_half_from_double(back), bits);
        assert_true(strlen(out) <= 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dtypes_have_the_names_and_sizes_of_the_specification),
        cmocka_unit_test(float16_rounds_to_nearest_with_ties_to_even),
        cmocka_unit_test(fill_values_are_read_in_every_form),
        cmocka_unit_test(fill_values_of_another_type_are_refused),
        cmocka_unit_test(any_bits_of_a_fill_value_survive_the_metadata),
        cmocka_unit_test(elements_are_printed_as_short_as_they_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
