/* The room json: what is parsed comes back as it was, what is not JSON is refused. */
#include "support/support.h"

#include "util/buf.h"
#include "json/json.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>

static vvi_json *parse(const char *text)
{
    vv_error err = VV_ERROR_INIT;
    vvi_json *value = NULL;

    assert_vv_ok(vvi_json_parse(vv_bytes_of(text), &value, &err));
    return value;
}

static void assert_writes(const vvi_json *value, unsigned indent, const char *expected)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf out = VV_BUF_INIT;

    assert_vv_ok(vvi_json_write(value, indent, &out, &err));
    assert_vv_ok(vvi_buf_terminate(&out, &err));
    assert_string_equal((char *)out.data, expected);
    vv_buf_clear(&out);
}

static void text_comes_back_with_its_numbers_and_order(void **state)
{
    static const char *const texts[] = {
        "null",
        "true",
        "[]",
        "{}",
        "\"\"",
        "0",
        "-0",
        "1.0",
        "1e5",
        "1E+05",
        "-0.10",
        "18446744073709551615",
        "-9223372036854775808",
        "123456789012345678901234567890",
        "NaN",
        "-Infinity",
        "[1, 2.50, [], [[]], {}]",
        "{\"b\": 1, \"a\": {\"z\": [null, true], \"y\": \"\\\"\\\\\\n\\u0001\"}, \"\": 0}",
        "\"\xc3\xa9\xf0\x9f\x8c\x8d\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        vvi_json *value = parse(texts[i]);

        assert_writes(value, 0, texts[i]);
        vvi_json_free(value);
    }
}

static void indented_text_has_one_member_a_line(void **state)
{
    vvi_json *value = parse("{\"a\":[1,{}],\"b\":{\"c\":[]}}");

    (void)state;
    assert_writes(
        value, 2,
        "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": {\n    \"c\": []\n  }\n}");
    vvi_json_free(value);
}

static void escapes_become_utf8(void **state)
{
    vvi_json *value = parse(" \"\\u00e9\\ud83c\\udf0d\\/\\b\\f\\n\\r\\t\\u0000x\" ");
    size_t len;
    const char *text = vvi_json_text(value, &len);

    (void)state;
    assert_int_equal(len, 14);
    assert_memory_equal(text, "\xc3\xa9\xf0\x9f\x8c\x8d/\b\f\n\r\t\0x", 14);
    vvi_json_free(value);
}

static void numbers_are_read_exactly_or_not_at_all(void **state)
{
    vvi_json *list = parse("[18446744073709551615, -9223372036854775808, 1.0, 1e2, -0, "
                           "18446744073709551616, 0.1, NaN, -1]");
    const vvi_json *item = vvi_json_first(list);
    uint64_t u;
    int64_t i;
    double d;

    (void)state;
    assert_true(vvi_json_uint64(item, &u) && u == UINT64_MAX);
    assert_false(vvi_json_int64(item, &i));
    item = vvi_json_next(item);
    assert_true(vvi_json_int64(item, &i) && i == INT64_MIN);
    assert_false(vvi_json_uint64(item, &u));
    item = vvi_json_next(item);
    assert_false(vvi_json_is_integer(item) || vvi_json_int64(item, &i));
    assert_true(vvi_json_double(item, &d) && d == 1.0);
    item = vvi_json_next(item);
    assert_false(vvi_json_uint64(item, &u));
    item = vvi_json_next(item);
    assert_true(vvi_json_uint64(item, &u) && u == 0);
    item = vvi_json_next(item);
    assert_false(vvi_json_uint64(item, &u));
    assert_string_equal(vvi_json_digits(item), "18446744073709551616");
    item = vvi_json_next(item);
    assert_true(vvi_json_double(item, &d) && d == 0.1);
    item = vvi_json_next(item);
    assert_true(vvi_json_double(item, &d) && isnan(d));
    assert_false(vvi_json_is_integer(item));
    item = vvi_json_next(item);
    assert_false(vvi_json_uint64(item, &u));
    assert_null(vvi_json_next(item));
    assert_int_equal(vvi_json_count(list), 9);
    vvi_json_free(list);
}

static void what_is_not_json_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "nul",
        "tru",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1,}",
        "{a:1}",
        "{1:2}",
        "{\"a\" 1}",
        "[1 2]",
        "1 2",
        "01",
        "-",
        "-01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "+1",
        "nan",
        "Inf",
        "-NaN",
        "0x10",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"\n\"",
        "\"\xff\"",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xf5\x80\x80\x80\"",
        "\"\xe2\x82\"",
        "'a'",
        "[1]]",
        "{}}",
        "{\"a\\u0000\": 1}",
        "\"\xf0\x80\x80\x80\"",
        "// x\n1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        vv_error err = VV_ERROR_INIT;
        vvi_json *value = NULL;

        if (vvi_json_parse(vv_bytes_of(texts[i]), &value, &err) != VV_ECORRUPT)
            fail_msg("accepted: %s", texts[i]);
        assert_null(value);
        assert_non_null(strstr(err.message, "JSON line "));
    }
}

static void nesting_has_a_limit(void **state)
{
    char text[100001];
    vv_error err = VV_ERROR_INIT;
    vvi_json *value = NULL;

    (void)state;
    memset(text, '[', 100000);
    text[100000] = '\0';
    assert_int_equal(vvi_json_parse(vv_bytes_of(text), &value, &err), VV_ELIMIT);
    memset(text + VVI_JSON_DEPTH_MAX, ']', VVI_JSON_DEPTH_MAX);
    text[2 * VVI_JSON_DEPTH_MAX] = '\0';
    assert_vv_ok(vvi_json_parse(vv_bytes_of(text), &value, &err));
    vvi_json_free(value);
}

static void members_are_set_replaced_and_removed_in_place(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vvi_json *object = parse("{\"a\": 1, \"b\": [2], \"c\": 3}");
    vvi_json *copy = NULL;

    (void)state;
    assert_vv_ok(vvi_json_set(object, "b", vvi_json_new_text("x"), &err));
    assert_vv_ok(vvi_json_set(object, "d", vvi_json_new_uint64(UINT64_MAX), &err));
    assert_vv_ok(vvi_json_set(object, "c", vvi_json_new_double(3), &err));
    assert_writes(object, 0,
                  "{\"a\": 1, \"b\": \"x\", \"c\": 3.0, \"d\": 18446744073709551615}");
    vvi_json_remove(object, "d");
    vvi_json_remove(object, "a");
    vvi_json_remove(object, "none");
    assert_vv_ok(vvi_json_set(object, "e", vvi_json_new_int64(INT64_MIN), &err));
    assert_writes(object, 0, "{\"b\": \"x\", \"c\": 3.0, \"e\": -9223372036854775808}");
    assert_int_equal(vvi_json_set(object, "f", NULL, &err), VV_ENOMEM);
    assert_vv_ok(vvi_json_copy(object, &copy, &err));
    assert_vv_ok(vvi_json_set(object, "copy", copy, &err));
    copy = NULL;
    assert_vv_ok(vvi_json_copy(object, &copy, &err));
    vvi_json_free(object);
    assert_writes(
        copy, 0,
        "{\"b\": \"x\", \"c\": 3.0, \"e\": -9223372036854775808, \"copy\": {\"b\": "
        "\"x\", \"c\": 3.0, \"e\": -9223372036854775808}}");
    vvi_json_free(copy);
}

static void the_last_of_repeated_members_counts(void **state)
{
    vvi_json *object = parse("{\"a\": 1, \"a\": 2}");
    int64_t number;

    (void)state;
    assert_true(vvi_json_int64(vvi_json_get(object, "a"), &number));
    assert_int_equal(number, 2);
    vvi_json_free(object);
}

/* A tree of random shape; also what a copy and a second parse must equal. */
static vvi_json *random_value(uint64_t *random, int depth)
{
    vv_error err = VV_ERROR_INIT;
    uint64_t r = next_random(random);
    char text[32];
    vvi_json *value;

    switch (r % (depth ? 8 : 5)) {
    case 0:
        return vvi_json_new_bool(r >> 60 & 1);
    case 1:
        return vvi_json_new_int64((int64_t)next_random(random) >> (r >> 32) % 64);
    case 2:
        return vvi_json_new_double(
            ldexp((double)(int64_t)next_random(random), (int)(r >> 32) % 900 - 500));
    case 3:
        snprintf(text, sizeof(text), "\xc3\xa9%c%x", (int)(1 + (r >> 32) % 120),
                 (unsigned)r);
        return vvi_json_new_text(text);
    case 4:
        return vvi_json_new(VVI_JSON_NULL);
    case 5:
    case 6:
        value = vvi_json_new(VVI_JSON_ARRAY);
        for (uint64_t i = 0; i < (r >> 16) % 5; i++)
            assert_vv_ok(vvi_json_append(value, random_value(random, depth - 1), &err));
        return value;
    default:
        value = vvi_json_new(VVI_JSON_OBJECT);
        for (uint64_t i = 0; i < (r >> 16) % 5; i++) {
            snprintf(text, sizeof(text), "k%x", (unsigned)(next_random(random) % 8));
            assert_vv_ok(
                vvi_json_set(value, text, random_value(random, depth - 1), &err));
        }
        return value;
    }
}

static void random_trees_survive_text_and_copy(void **state)
{
    uint64_t random = 7;
    vv_error err = VV_ERROR_INIT;

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        vvi_json *value = random_value(&random, 6);
        vvi_json *again = NULL;
        vvi_json *copy = NULL;
        vv_buf text = VV_BUF_INIT;

        assert_vv_ok(vvi_json_write(value, i % 3, &text, &err));
        assert_vv_ok(vvi_buf_terminate(&text, &err));
        assert_vv_ok(vvi_json_parse(vvi_buf_bytes(&text), &again, &err));
        assert_writes(again, i % 3, (char *)text.data);
        assert_vv_ok(vvi_json_copy(again, &copy, &err));
        assert_writes(copy, i % 3, (char *)text.data);
        vvi_json_free(value);
        vvi_json_free(again);
        vvi_json_free(copy);
        vv_buf_clear(&text);
    }
}

static void floats_have_their_shortest_text(void **state)
{
    static const struct {
        double number;
        const char *text;
    } cases[] = {
        { 0.1, "0.1" },
        { 1, "1.0" },
        { -0.0, "-0.0" },
        { 1e300, "1e+300" },
        { NAN, "NaN" },
        { INFINITY, "Infinity" },
        { -INFINITY, "-Infinity" },
        { 5e-324, "4.94065645841247e-324" },
        { 0.30000000000000004, "0.30000000000000004" },
        { 123456789, "123456789.0" },
    };
    char out[VVI_DOUBLE_TEXT];
    uint64_t random = 1;
    double back;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(vvi_double_format(cases[i].number, out), strlen(cases[i].text));
        assert_string_equal(out, cases[i].text);
    }
    assert_int_equal(vvi_float_format(0.1f, out), 3);
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = next_random(&random);
        double number;

        memcpy(&number, &bits, sizeof(number));
        if (!isfinite(number))
            continue;
        vvi_double_format(number, out);
        assert_true(vvi_double_parse(out, &back));
        assert_memory_equal(&back, &number, sizeof(back));
    }
}

static void a_locale_with_a_decimal_comma_changes_nothing(void **state)
{
    char out[VVI_DOUBLE_TEXT];
    double back;

    (void)state;
    /* Where no such locale is installed this checks the usual one once more. */
    setlocale(LC_ALL, "de_DE.UTF-8");
    assert_int_equal(vvi_double_format(1.5, out), 3);
    assert_string_equal(out, "1.5");
    assert_true(vvi_double_parse("2.5", &back) && back == 2.5);
    assert_false(vvi_double_parse("2,5", &back));
    setlocale(LC_ALL, "C");
}

static vv_status parse_change_and_write(void *ctx)
{
    static const char text[] = "{\"a\": [1, \"\\u00e9\", {\"b\": null}], \"c\": 1.5}";
    vvi_json *value = NULL;
    vvi_json *copy = NULL;
    vv_buf out = VV_BUF_INIT;
    vv_status status = vvi_json_parse(vv_bytes_of(text), &value, NULL);

    (void)ctx;
    if (!status)
        status = vvi_json_set(value, "d", vvi_json_new_text("new"), NULL);
    if (!status)
        status = vvi_json_copy(value, &copy, NULL);
    if (!status)
        status = vvi_json_write(copy, 2, &out, NULL);
    vv_buf_clear(&out);
    vvi_json_free(copy);
    vvi_json_free(value);
    return status;
}

static void trees_survive_any_failing_allocation(void **state)
{
    (void)state;
    survives_failing_allocations(parse_change_and_write, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_comes_back_with_its_numbers_and_order),
        cmocka_unit_test(indented_text_has_one_member_a_line),
        cmocka_unit_test(escapes_become_utf8),
        cmocka_unit_test(numbers_are_read_exactly_or_not_at_all),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(members_are_set_replaced_and_removed_in_place),
        cmocka_unit_test(the_last_of_repeated_members_counts),
        cmocka_unit_test(random_trees_survive_text_and_copy),
        cmocka_unit_test(floats_have_their_shortest_text),
        cmocka_unit_test(a_locale_with_a_decimal_comma_changes_nothing),
        cmocka_unit_test(trees_survive_any_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
