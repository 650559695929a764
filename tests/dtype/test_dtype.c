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

/* A type as metadata states it: a name, or the text of an object. */
static vv_status type_of(const char *text, vvi_dtype *out, vv_error *err)
{
    vvi_json *value = NULL;
    vv_status status = VV_OK;

    if (*text == '{')
        status = vvi_json_parse(vv_bytes_of(text), &value, err);
    else
        value = vvi_json_new_text(text);
    if (!status)
        status = vvi_dtype_read(value, out, err);
    vvi_json_free(value);
    return status;
}

static vv_status read_fill(const char *dtype, const char *json, void *out, vv_error *err)
{
    vvi_json *value = NULL;
    vv_buf element = VV_BUF_INIT;
    vvi_dtype type;
    vv_status status = vvi_json_parse(vv_bytes_of(json), &value, err);

    assert_int_equal(type_of(dtype, &type, err), VV_OK);
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
        { "bool", "1", "01" },
        { "bool", "0", "00" },
        { "bfloat16", "\"NaN\"", "7fc0" },
        { "bfloat16", "\"0x7fc1\"", "7fc1" },
        { "bfloat16", "\"-Infinity\"", "ff80" },
        { "bfloat16", "0.1", "3dcd" },
        { "bfloat16", "-1.5", "bfc0" },
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

#define RAW3 "{\"name\": \"raw_bytes\", \"configuration\": {\"length_bytes\": 3}}"
#define TEXT8 \
    "{\"name\": \"fixed_length_utf32\", \"configuration\": {\"length_bytes\": 8}}"
#define CHARS \
    "{\"name\": \"null_terminated_bytes\", \"configuration\": {\"length_bytes\": 3}}"
#define MOMENT                                                               \
    "{\"name\": \"numpy.datetime64\", \"configuration\": {\"unit\": \"s\", " \
    "\"scale_factor\": 1}}"

static void fill_values_of_bytes_and_times_are_read(void **state)
{
    static const struct {
        const char *dtype, *json, *bytes;
    } cases[] = {
        { RAW3, "\"AQL/\"", "0102ff" },    { RAW3, "\"AQI=\"", "010200" },
        { RAW3, "[1, 2, 255]", "0102ff" }, { "r24", "[1, 2, 255]", "0102ff" },
        { "r24", "\"AQL/\"", "0102ff" },   { "r8", "[0]", "00" },
        { CHARS, "\"YWI=\"", "616200" },   { CHARS, "\"\"", "000000" },
        { CHARS, "[97]", "610000" },
    };
    int64_t count;
    uint32_t points[2];
    vv_error err = VV_ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t element[16];

        assert_vv_ok(read_fill(cases[i].dtype, cases[i].json, element, &err));
        assert_string_equal(to_hex(element, strlen(cases[i].bytes) / 2), cases[i].bytes);
    }
    assert_vv_ok(read_fill(MOMENT, "\"NaT\"", &count, &err));
    assert_true(count == INT64_MIN);
    assert_vv_ok(read_fill(MOMENT, "-9223372036854775808", &count, &err));
    assert_true(count == INT64_MIN);
    assert_vv_ok(read_fill(MOMENT, "-5", &count, &err));
    assert_true(count == -5);
    assert_vv_ok(read_fill(TEXT8, "\"\\u00e9\\ud83d\\ude00\"", points, &err));
    assert_true(points[0] == 0xE9 && points[1] == 0x1F600);
    assert_vv_ok(read_fill(TEXT8, "\"\"", points, &err));
    assert_true(points[0] == 0 && points[1] == 0);
    /* What does not fit, or is none. */
    uint8_t none[16];
    assert_int_equal(read_fill(RAW3, "\"AQL/AA==\"", none, &err), VV_ECORRUPT);
    assert_int_equal(read_fill(RAW3, "[1, 2, 256]", none, &err), VV_ECORRUPT);
    assert_int_equal(read_fill(RAW3, "[1, 2, 3, 4]", none, &err), VV_ECORRUPT);
    assert_int_equal(read_fill(RAW3, "\"A?\"", none, &err), VV_ECORRUPT);
    assert_int_equal(read_fill(RAW3, "0", none, &err), VV_ECORRUPT);
    assert_int_equal(read_fill(CHARS, "null", none, &err), VV_ECORRUPT);
    assert_int_equal(read_fill(TEXT8, "\"abc\"", none, &err), VV_ECORRUPT);
    assert_int_equal(read_fill(TEXT8, "3", none, &err), VV_ECORRUPT);
    assert_int_equal(read_fill(MOMENT, "\"2020-01-01\"", none, &err), VV_ECORRUPT);
    assert_int_equal(read_fill(MOMENT, "1.5", none, &err), VV_ECORRUPT);
}

static void fill_values_of_any_length_carry_their_bytes(void **state)
{
    static const struct {
        const char *dtype, *json, *bytes; /* NULL: refused */
    } cases[] = {
        { "string", "\"h\xc3\xa9llo\"", "h\xc3\xa9llo" },
        { "string", "\"\"", "" },
        { "string", "0", "0" },
        { "string", "null", NULL },
        { "bytes", "\"AP9hYg==\"",
          "\0\xff"
          "ab" },
        { "bytes", "[97, 98]", "ab" },
        { "bytes", "\"\"", "" },
        { "variable_length_bytes", "[]", "" },
        { "bytes", "true", NULL },
        { "bytes", "[true]", NULL },
    };
    static const size_t lengths[] = { 6, 0, 1, 0, 4, 2, 0, 0, 0, 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vv_buf element = VV_BUF_INIT;
        vvi_json *value = NULL;
        vv_error err = VV_ERROR_INIT;
        vv_bytes bytes;
        vvi_dtype type;
        vv_status status;

        assert_vv_ok(type_of(cases[i].dtype, &type, &err));
        assert_int_equal(type.item, sizeof(vv_bytes));
        assert_vv_ok(vvi_json_parse(vv_bytes_of(cases[i].json), &value, &err));
        status = vvi_fill_read(&type, value, &element, &err);
        vvi_json_free(value);
        assert_int_equal(status, cases[i].bytes ? VV_OK : VV_ECORRUPT);
        if (status)
            continue;
        memcpy(&bytes, element.data, sizeof(bytes));
        assert_int_equal(bytes.len, lengths[i]);
        if (bytes.len)
            assert_memory_equal(bytes.data, cases[i].bytes, bytes.len);
        vv_buf_clear(&element);
    }
}

static void types_are_read_and_written_as_others_spell_them(void **state)
{
    /* What zarr-python 3.4.2 writes. */
    static const char *const same[] = {
        "\"bool\"",
        "\"complex128\"",
        "\"bfloat16\"",
        "\"string\"",
        "\"variable_length_bytes\"",
        "{\"name\": \"raw_bytes\", \"configuration\": {\"length_bytes\": 3}}",
        "{\"name\": \"null_terminated_bytes\", \"configuration\": {\"length_bytes\": 5}}",
        "{\"name\": \"fixed_length_utf32\", \"configuration\": {\"length_bytes\": 16}}",
        "{\"name\": \"numpy.datetime64\", \"configuration\": {\"unit\": \"ns\", "
        "\"scale_factor\": 1}}",
        "{\"name\": \"numpy.timedelta64\", \"configuration\": {\"unit\": \"generic\", "
        "\"scale_factor\": 2147483647}}",
    };
    static const char *const others[][2] = {
        { "\"r24\"",
          "{\"name\": \"raw_bytes\", \"configuration\": {\"length_bytes\": 3}}" },
        { "\"bytes\"", "\"variable_length_bytes\"" },
        { "{\"name\": \"string\", \"configuration\": {}}", "\"string\"" },
        { "{\"name\": \"numpy.datetime64\", \"configuration\": {\"unit\": \"\xce\xbcs\", "
          "\"scale_factor\": 10}}",
          "{\"name\": \"numpy.datetime64\", \"configuration\": {\"unit\": \"us\", "
          "\"scale_factor\": 10}}" },
    };

    (void)state;
    for (size_t i = 0; i < 10 + 4; i++) {
        const char *from = i < 10 ? same[i] : others[i - 10][0];
        const char *to = i < 10 ? same[i] : others[i - 10][1];
        vvi_json *value = NULL;
        vvi_json *again = NULL;
        vv_buf text = VV_BUF_INIT;
        vv_error err = VV_ERROR_INIT;
        vvi_dtype type;
        vvi_dtype made;

        assert_vv_ok(vvi_json_parse(vv_bytes_of(from), &value, &err));
        assert_vv_ok(vvi_dtype_read(value, &type, &err));
        assert_vv_ok(vvi_dtype_write(&type, &again, &err));
        assert_vv_ok(vvi_json_write(again, 0, &text, &err));
        assert_vv_ok(vvi_buf_terminate(&text, &err));
        assert_string_equal((char *)text.data, to);
        /* What a caller says of it makes the same. */
        assert_vv_ok(vvi_dtype_make(type.code, type.item,
                                    type.scale ? vvi_time_unit_name(type.unit) : NULL,
                                    type.scale, &made, &err));
        assert_memory_equal(&made, &type, sizeof(made));
        vvi_json_free(value);
        vvi_json_free(again);
        vv_buf_clear(&text);
    }
}

static void types_that_are_none_are_refused_by_name(void **state)
{
    static const struct {
        const char *text;
        vv_status status;
        const char *named;
    } cases[] = {
        { "r12", VV_EUNSUPPORTED, "r12" },
        { "r0", VV_EUNSUPPORTED, "r0" },
        { "r", VV_EUNSUPPORTED, "'r'" },
        { "r*", VV_EUNSUPPORTED, "r*" },
        { "r24x", VV_EUNSUPPORTED, "r24x" },
        { "r99999999999999999999", VV_EUNSUPPORTED, "r999" },
        { "r800000000000", VV_EUNSUPPORTED, "raw" },
        { "int4", VV_EUNSUPPORTED, "int4" },
        { "raw_bytes", VV_ECORRUPT, "raw_bytes" },
        { "fixed_length_utf32", VV_ECORRUPT, "fixed_length_utf32" },
        { "numpy.datetime64", VV_ECORRUPT, "numpy.datetime64" },
        { "{\"name\": \"struct\", \"configuration\": {\"fields\": []}}", VV_EUNSUPPORTED,
          "struct" },
        { "{\"name\": \"structured\", \"configuration\": {\"fields\": []}}",
          VV_EUNSUPPORTED, "structured" },
        { "{\"name\": \"fixed_length_utf32\", \"configuration\": {\"length_bytes\": 6}}",
          VV_ECORRUPT, "fixed_length_utf32" },
        { "{\"name\": \"raw_bytes\", \"configuration\": {\"length_bytes\": 0}}",
          VV_ECORRUPT, "raw_bytes" },
        { "{\"name\": \"raw_bytes\", \"configuration\": {\"length_bytes\": 99999999999}}",
          VV_EUNSUPPORTED, "99999999999" },
        { "{\"name\": \"raw_bytes\", \"configuration\": {\"length_bytes\": -1}}",
          VV_ECORRUPT, "raw_bytes" },
        { "{\"name\": \"raw_bytes\", \"configuration\": {\"length_bytes\": 1, \"x\": 2}}",
          VV_EUNSUPPORTED, "'x'" },
        { "{\"name\": \"numpy.datetime64\", \"configuration\": {\"unit\": \"s\"}}",
          VV_ECORRUPT, "scale_factor" },
        { "{\"name\": \"numpy.datetime64\", \"configuration\": {\"unit\": \"q\", "
          "\"scale_factor\": 1}}",
          VV_ECORRUPT, "'q'" },
        { "{\"name\": \"numpy.timedelta64\", \"configuration\": {\"unit\": \"s\", "
          "\"scale_factor\": 0}}",
          VV_ECORRUPT, "scale" },
        { "{\"name\": \"numpy.timedelta64\", \"configuration\": {\"unit\": \"s\", "
          "\"scale_factor\": 2147483648}}",
          VV_ECORRUPT, "scale" },
        { "{\"name\": \"string\", \"configuration\": {\"length_bytes\": 1}}",
          VV_EUNSUPPORTED, "length_bytes" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vv_error err = VV_ERROR_INIT;
        vvi_dtype type;

        if (type_of(cases[i].text, &type, &err) != cases[i].status ||
            !strstr(err.message, cases[i].named))
            fail_msg("%s: %s", cases[i].text, err.message);
    }
}

static void making_a_type_checks_its_parameters(void **state)
{
    vvi_dtype type;
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_int_equal(vvi_dtype_make(VV_DTYPE_NONE, 0, NULL, 0, &type, NULL), VV_EINVAL);
    assert_int_equal(vvi_dtype_make(VV_RAW, 0, NULL, 0, &type, NULL), VV_EINVAL);
    assert_int_equal(vvi_dtype_make(VV_FIXED_UTF32, 6, NULL, 0, &type, NULL), VV_EINVAL);
    assert_int_equal(vvi_dtype_make(VV_INT32, 8, NULL, 0, &type, NULL), VV_EINVAL);
    assert_int_equal(vvi_dtype_make(VV_INT32, 4, "s", 0, &type, NULL), VV_EINVAL);
    assert_int_equal(vvi_dtype_make(VV_DATETIME64, 0, "q", 0, &type, NULL), VV_EINVAL);
    assert_int_equal(vvi_dtype_make(VV_RAW, (size_t)1 << 40, NULL, 0, &type, NULL),
                     VV_EUNSUPPORTED);
    assert_vv_ok(vvi_dtype_make(VV_INT32, 4, NULL, 0, &type, &err));
    assert_vv_ok(vvi_dtype_make(VV_DATETIME64, 0, NULL, 0, &type, &err));
    assert_int_equal(type.unit, VVI_TIME_GENERIC);
    assert_int_equal(type.scale, 1);
}

/* Every bfloat16, and the halfway cases between each two. */
static void bfloat16_rounds_to_nearest_with_ties_to_even(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        double number = vvi_bfloat_to_double((uint16_t)bits);
        double next = vvi_bfloat_to_double((uint16_t)(bits + 1));

        if (isnan(number))
            continue;
        assert_int_equal(vvi_bfloat_from_double(number), bits);
        if (isinf(number) || isinf(next) || bits == 0xFFFF)
            continue;
        uint16_t even = (uint16_t)(bits & 1 ? bits + 1 : bits);
        assert_int_equal(vvi_bfloat_from_double((number + next) / 2), even);
        assert_int_equal(vvi_bfloat_from_double(nextafter((number + next) / 2, number)),
                         bits);
    }
    assert_int_equal(vvi_bfloat_from_double(1e300), 0x7F80);
    assert_int_equal(vvi_bfloat_from_double(-3.4e38), 0xFF80);
    assert_int_equal(vvi_bfloat_from_double((double)NAN) & 0x7FFF, 0x7FC0);
}

static void times_are_printed_as_iso_8601(void **state)
{
    static const struct {
        vv_dtype code;
        const char *unit;
        uint32_t scale;
        int64_t count;
        const char *text;
    } cases[] = {
        /* As numpy.datetime_as_string() prints them. */
        { VV_DATETIME64, "Y", 1, 50, "2020" },
        { VV_DATETIME64, "Y", 1, -2000, "-030" },
        { VV_DATETIME64, "M", 1, -1, "1969-12" },
        { VV_DATETIME64, "W", 1, 1, "1970-01-08" },
        { VV_DATETIME64, "D", 1, 0, "1970-01-01" },
        { VV_DATETIME64, "D", 1, 18321, "2020-02-29" },
        { VV_DATETIME64, "D", 1, -719528, "0000-01-01" },
        { VV_DATETIME64, "D", 1, -719529, "-001-12-31" },
        { VV_DATETIME64, "D", 1, 2932896, "9999-12-31" },
        { VV_DATETIME64, "h", 6, 1, "1970-01-01T06" },
        { VV_DATETIME64, "m", 1, 61, "1970-01-01T01:01" },
        { VV_DATETIME64, "s", 1, -1, "1969-12-31T23:59:59" },
        { VV_DATETIME64, "ms", 1, 1582977600125, "2020-02-29T12:00:00.125" },
        { VV_DATETIME64, "us", 1, -1, "1969-12-31T23:59:59.999999" },
        { VV_DATETIME64, "ns", 1, 1, "1970-01-01T00:00:00.000000001" },
        { VV_DATETIME64, "as", 1, INT64_MAX, "1970-01-01T00:00:09.223372036854775807" },
        { VV_DATETIME64, "s", 1, INT64_MIN, "NaT" },
        { VV_DATETIME64, "generic", 1, 7, "7" },
        { VV_DATETIME64, "Y", 1, INT64_MAX, "9223372036854775807 x 1 Y" },
        { VV_DATETIME64, "W", 1, INT64_MAX / 2, "4611686018427387903 x 1 W" },
        { VV_TIMEDELTA64, "D", 1, -3, "-P3D" },
        { VV_TIMEDELTA64, "Y", 2, 3, "P6Y" },
        { VV_TIMEDELTA64, "s", 1, 90, "PT90S" },
        { VV_TIMEDELTA64, "ms", 1, -1500, "-PT1.5S" },
        { VV_TIMEDELTA64, "ns", 1, 1, "PT0.000000001S" },
        { VV_TIMEDELTA64, "m", 1, 0, "PT0M" },
        { VV_TIMEDELTA64, "m", 1, INT64_MIN, "NaT" },
        { VV_TIMEDELTA64, "D", 2, INT64_MAX, "9223372036854775807 x 2 D" },
    };
    vv_error err = VV_ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vvi_dtype type;
        char text[VVI_TIME_TEXT];

        assert_vv_ok(
            vvi_dtype_make(cases[i].code, 0, cases[i].unit, cases[i].scale, &type, &err));
        assert_int_equal(vvi_element_format(&type, &cases[i].count, text, sizeof(text)),
                         strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
    /* No count is past the room for its text. */
    for (int unit = VVI_TIME_GENERIC; unit <= VVI_TIME_AS; unit++)
        for (int k = 0; k < 4; k++) {
            int64_t counts[] = { INT64_MAX, INT64_MIN + 1, INT64_MAX / 7, INT64_MIN / 7 };
            vvi_dtype type;
            char text[VVI_TIME_TEXT];

            assert_vv_ok(vvi_dtype_make(VV_DATETIME64 + (vv_dtype)(k & 1), 0,
                                        vvi_time_unit_name((vvi_time_unit)unit), 1, &type,
                                        &err));
            assert_true(vvi_time_format(&type, counts[k], text) < sizeof(text));
            assert_true(vvi_time_format(&type, counts[3 - k], text) < sizeof(text));
        }
}

static void text_and_bytes_are_printed_and_cut_between_characters(void **state)
{
    static const uint32_t points[4] = { 0x61, 0xE9, 0x1F600, 0 };
    static const uint32_t wrong[1] = { 0xD800 };
    static const uint8_t bytes[5] = { 'a', '\\', 0, 0xFF, 0 };
    vv_bytes string = vv_bytes_of("\xc3\xa9\n");
    vv_bytes none = { NULL, 0 };
    vv_bytes broken = vv_bytes_of("a\xff");
    vvi_dtype type;
    char out[32];
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_vv_ok(vvi_dtype_make(VV_FIXED_UTF32, 16, NULL, 0, &type, &err));
    assert_int_equal(vvi_element_format(&type, points, out, sizeof(out)), 7);
    assert_string_equal(out, "a\xc3\xa9\xf0\x9f\x98\x80");
    assert_int_equal(vvi_element_format(&type, points, out, 7), 7);
    assert_string_equal(out, "a\xc3\xa9");
    assert_vv_ok(vvi_dtype_make(VV_FIXED_UTF32, 4, NULL, 0, &type, &err));
    vvi_element_format(&type, wrong, out, sizeof(out));
    assert_string_equal(out, "\xef\xbf\xbd");
    assert_vv_ok(vvi_dtype_make(VV_NULL_TERMINATED_BYTES, 5, NULL, 0, &type, &err));
    vvi_element_format(&type, bytes, out, sizeof(out));
    assert_string_equal(out, "a\\x5c\\x00\\xff");
    assert_vv_ok(vvi_dtype_make(VV_RAW, 5, NULL, 0, &type, &err));
    vvi_element_format(&type, bytes, out, sizeof(out));
    assert_string_equal(out, "615c00ff00");
    assert_vv_ok(vvi_dtype_make(VV_STRING, 0, NULL, 0, &type, &err));
    assert_int_equal(vvi_element_format(&type, &string, out, sizeof(out)), 3);
    assert_string_equal(out, "\xc3\xa9\n");
    assert_int_equal(vvi_element_format(&type, &none, out, sizeof(out)), 0);
    assert_string_equal(out, "");
    vvi_element_format(&type, &broken, out, sizeof(out));
    assert_string_equal(out, "a\\xff");
    assert_vv_ok(vvi_dtype_make(VV_BYTES, 0, NULL, 0, &type, &err));
    assert_int_equal(vvi_element_format(&type, &string, out, 0), 12);
    assert_int_equal(vvi_element_format(&type, &string, out, sizeof(out)), 12);
    assert_string_equal(out, "\\xc3\\xa9\\x0a");
}

/* A random element of a random type; heap keeps what it points at. */
static void random_element(uint64_t *random, vvi_dtype *type, uint8_t element[64],
                           uint8_t pointed[64])
{
    vv_dtype code = (vv_dtype)(VV_BOOL + next_random(random) % VV_BYTES);
    size_t item = code == VV_RAW || code == VV_NULL_TERMINATED_BYTES
                      ? 1 + next_random(random) % 40
                  : code == VV_FIXED_UTF32 ? 4 * (1 + next_random(random) % 10)
                                           : 0;
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vvi_dtype_make(code, item, NULL, 0, type, &err));
    for (size_t k = 0; k < 64; k++) {
        element[k] = (uint8_t)next_random(random);
        pointed[k] = (uint8_t)next_random(random);
    }
    if (next_random(random) % 4 == 0) /* often a NaN, an infinity or a zero */
        memset(element, next_random(random) % 2 ? 0xFF : 0, 64);
    if (code == VV_BOOL)
        element[0] &= 1;
    for (size_t k = 0; k < 64 && code == VV_FIXED_UTF32; k += 4) {
        uint32_t point = (uint32_t)(next_random(random) % 0xD800);

        memcpy(element + k, &point, 4);
    }
    if (vv_dtype_is_variable(code)) {
        vv_bytes bytes = { pointed, next_random(random) % 64 };

        for (size_t k = 0; k < 64 && code == VV_STRING; k++)
            pointed[k] &= 0x7F;
        memcpy(element, &bytes, sizeof(bytes));
    }
}

static void fill_values_of_another_type_are_refused(void **state)
{
    static const char *const cases[][2] = {
        { "bool", "2" },
        { "bool", "1.0" },
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
        { "bfloat16", "\"0x7fc00000\"" },
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
        uint8_t element[64];
        uint8_t pointed[64];
        vv_buf back = VV_BUF_INIT;
        vvi_dtype type;
        vvi_json *value = NULL;
        vvi_json *parsed = NULL;
        vv_buf text = VV_BUF_INIT;
        vv_error err = VV_ERROR_INIT;

        random_element(&random, &type, element, pointed);
        assert_vv_ok(vvi_fill_write(&type, element, &value, &err));
        assert_vv_ok(vvi_json_write(value, 0, &text, &err));
        assert_vv_ok(vvi_json_parse(vvi_buf_bytes(&text), &parsed, &err));
        assert_vv_ok(vvi_fill_read(&type, parsed, &back, &err));
        assert_true(vvi_elements_equal(&type, back.data, 1, element));
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
        cmocka_unit_test(fill_values_of_bytes_and_times_are_read),
        cmocka_unit_test(fill_values_of_any_length_carry_their_bytes),
        cmocka_unit_test(types_are_read_and_written_as_others_spell_them),
        cmocka_unit_test(types_that_are_none_are_refused_by_name),
        cmocka_unit_test(making_a_type_checks_its_parameters),
        cmocka_unit_test(bfloat16_rounds_to_nearest_with_ties_to_even),
        cmocka_unit_test(times_are_printed_as_iso_8601),
        cmocka_unit_test(text_and_bytes_are_printed_and_cut_between_characters),
        cmocka_unit_test(elements_are_printed_as_short_as_they_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
