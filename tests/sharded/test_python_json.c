/* Documents written anew as Python writes them. With the argument "rewrite" it writes documents from
 * standard input anew, for check_python_json.py. */
#include "support/support.h"

#include "sharded/python_json.h"
#include "util/buf.h"

#include <stdio.h>

static const struct {
    const char *text, *line;
} documents[] = {
    { "{}", "{}" },
    { " [ ] ", "[]" },
    { "[1,2 ,3]", "[1, 2, 3]" },
    { "{\"a\":{\"b\":[]},\"c\":null}", "{\"a\": {\"b\": []}, \"c\": null}" },
    { "[1.50, 1e3, 1e16, 0.00001, 0.0001, 1E+2, -0.0, -0, 1e400, -1e400, 1e-400]",
      "[1.5, 1000.0, 1e+16, 1e-05, 0.0001, 100.0, -0.0, 0, Infinity, -Infinity, 0.0]" },
    { "[9007199254740993.0, 5.684341886080802e-14, 5e-324, 1.7976931348623157e308]",
      "[9007199254740992.0, 5.684341886080802e-14, 5e-324, 1.7976931348623157e+308]" },
    { "[NaN,Infinity,-Infinity,true,false]", "[NaN, Infinity, -Infinity, true, false]" },
    { "[123456789012345678901234567890]", "[123456789012345678901234567890]" },
    { "\"\\u0041\\/\\b\\f\\n\\r\\t\\\"\\\\\\u00e9\xc3\xa9\x7f\"",
      "\"A/\\b\\f\\n\\r\\t\\\"\\\\\\u00e9\\u00e9\\u007f\"" },
    { "\"\xf0\x9f\x98\x80\\ud83d\\ude00\\uD800\"",
      "\"\\ud83d\\ude00\\ud83d\\ude00\\ud800\"" },
    { "\xef\xbb\xbf\"\xed\xa0\xbd\xed\xb8\x80\"", "\"\\ud83d\\ude00\"" },
    { "{\"a\": 1, \"b\": 2, \"a\": {\"x\": 1}, \"\\u0061\": [3]}",
      "{\"a\": [3], \"b\": 2}" },
    { "{\"a\": {\"x\": 1}, \"a\": {\"y\": 1, \"x\": 2}}",
      "{\"a\": {\"y\": 1, \"x\": 2}}" },
    { "[{\"a\": 1}, {\"a\": 2}]", "[{\"a\": 1}, {\"a\": 2}]" },
    { "{\"\": 1, \"\\u0000\": 2}", "{\"\": 1, \"\\u0000\": 2}" },
};

static void documents_are_written_as_python_writes_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(documents) / sizeof(*documents); i++) {
        vv_buf out = VV_BUF_INIT;
        vv_error err;

        assert_vv_ok(
            vvi_python_json(vv_bytes_of(documents[i].text), NULL, 0, &out, &err));
        assert_int_equal(out.len, strlen(documents[i].line));
        assert_memory_equal(out.data, documents[i].line, out.len);
        vv_buf_clear(&out);
    }
}

static void indented_documents_have_an_item_a_line(void **state)
{
    static const char text[] = "{\"a\":[1,[],{}],\"b\":{\"c\":2}}";
    static const char right[] =
        "{\n  \"a\": [\n    1,\n    [],\n    {}\n  ],\n  \"b\": {\n"
        "    \"c\": 2\n  }\n}";
    vv_buf out = VV_BUF_INIT;
    vv_error err;

    (void)state;
    assert_vv_ok(vvi_python_json(vv_bytes_of(text), NULL, 2, &out, &err));
    assert_vv_ok(vvi_buf_terminate(&out, &err));
    assert_string_equal((char *)out.data, right);
    vv_buf_clear(&out);
}

static void assert_edited(const char *text, const vvi_python_edit *edit,
                          const char *right)
{
    vv_buf out = VV_BUF_INIT;
    vv_error err;

    assert_vv_ok(vvi_python_json(vv_bytes_of(text), edit, 0, &out, &err));
    assert_vv_ok(vvi_buf_terminate(&out, &err));
    assert_string_equal((char *)out.data, right);
    vv_buf_clear(&out);
}

static void members_are_changed_in_their_place(void **state)
{
    const uint64_t shape[] = { 7, UINT64_MAX };
    const vvi_python_edit set = { .set = "shape", .numbers = shape, .count = 2 };
    const vvi_python_edit none = { .set = "shape" };
    const vvi_python_edit cut = { .remove = "x" };

    (void)state;
    assert_edited("{\"a\":1,\"shape\":[1,2,3],\"b\":2}", &set,
                  "{\"a\": 1, \"shape\": [7, 18446744073709551615], \"b\": 2}");
    assert_edited("{\"a\":1}", &set, "{\"a\": 1, \"shape\": [7, 18446744073709551615]}");
    assert_edited("{\"shape\":5}", &none, "{\"shape\": []}");
    assert_edited("{\"x\":1}", &cut, "{}");
    assert_edited("{\"x\":1,\"y\":[{\"x\":2}]}", &cut, "{\"y\": [{\"x\": 2}]}");
    assert_edited("{\"y\":2,\"x\":{\"z\":3}}", &cut, "{\"y\": 2}");
    assert_edited("{\"y\":2,\"x\":1,\"z\":0,\"x\":4}", &cut, "{\"y\": 2, \"z\": 0}");
    assert_edited("{\"y\":2}", &cut, "{\"y\": 2}");
}

static void what_python_refuses_is_refused(void **state)
{
    static const char *const texts[] = {
        "",           " ",         "{",         "[1,]",    "{\"a\":1,}",  "01",
        "1.",         ".5",        "-",         "+1",      "1e",          "[1 2]",
        "nul",        "NaNN",      "\"a",       "\"\\x\"", "\"\\u12g4\"", "\"\n\"",
        "\"\x80\"",   "{1:2}",     "{\"a\" 1}", "[1]]",    "'a'",         "\"\xed\xa0\"",
        "\xef\xbb{}", "-infinity", "[\"a\":1]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        vv_buf out = VV_BUF_INIT;
        vv_error err;

        assert_vv_ok(vvi_buf_append_text(&out, "kept", &err));
        if (vvi_python_json(vv_bytes_of(texts[i]), NULL, 0, &out, &err) != VV_ECORRUPT)
            fail_msg("accepted: %s", texts[i]);
        assert_int_equal(out.len, 4);
        vv_buf_clear(&out);
    }
}

static void only_objects_have_members_to_change(void **state)
{
    const vvi_python_edit cut = { .remove = "x" };
    vv_buf out = VV_BUF_INIT;

    (void)state;
    assert_int_equal(vvi_python_json(vv_bytes_of("[1]"), &cut, 0, &out, NULL),
                     VV_ECORRUPT);
    vv_buf_clear(&out);
}

static void nesting_and_length_have_limits(void **state)
{
    size_t len = VVI_PYTHON_JSON_DEPTH_MAX + 1;
    vv_buf out = VV_BUF_INIT;
    char *text = malloc(4000000);
    vv_error err;

    (void)state;
    memset(text, '[', len);
    assert_int_equal(vvi_python_json(vvi_bytes(text, len), NULL, 0, &out, &err),
                     VV_ELIMIT);
    /* Not so deep, but with more blanks than anyone can want. */
    for (size_t i = 800; i < 4000000; i += 2)
        memcpy(text + i, "0,", 2);
    memcpy(text + 4000000 - 800, "1", 1);
    memset(text + 4000000 - 799, ']', 799);
    text[0] = '[';
    memset(text, '[', 799);
    text[799] = ' ';
    assert_int_equal(vvi_python_json(vvi_bytes(text, 4000000), NULL, 2, &out, &err),
                     VV_ELIMIT);
    assert_vv_ok(vvi_python_json(vvi_bytes(text, 4000000), NULL, 0, &out, &err));
    free(text);
    vv_buf_clear(&out);
}

static vv_status rewrite_one(void *ctx)
{
    const uint64_t shape[] = { 7 };
    const vvi_python_edit edit = {
        .remove = "b", .set = "shape", .numbers = shape, .count = 1
    };
    vv_buf out = VV_BUF_INIT;
    vv_status status = vvi_python_json(
        vv_bytes_of("{\"a\":[1,2.5,\"\\u00e9\"],\"b\":1,\"a\":{\"c\":1e300}}"), &edit, 2,
        &out, NULL);

    (void)ctx;
    vv_buf_clear(&out);
    return status;
}

static void it_survives_any_failing_allocation(void **state)
{
    (void)state;
    survives_failing_allocations(rewrite_one, NULL);
}

/* Documents come and go with their length in decimal and a line end in front; an indent before that. A length of
 * -1 goes out for a document that is refused. */
static int rewrite(void)
{
    unsigned indent;
    size_t len;

    while (scanf("%u %zu", &indent, &len) == 2 && getchar() == '\n') {
        char *text = malloc(len + 1);
        vv_buf out = VV_BUF_INIT;

        if (!text || fread(text, 1, len, stdin) != len)
            return 1;
        if (vvi_python_json(vvi_bytes(text, len), NULL, indent, &out, NULL))
            printf("-1\n");
        else
            printf("%zu\n%.*s", out.len, (int)out.len, (char *)out.data);
        vv_buf_clear(&out);
        free(text);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_written_as_python_writes_them),
        cmocka_unit_test(indented_documents_have_an_item_a_line),
        cmocka_unit_test(members_are_changed_in_their_place),
        cmocka_unit_test(what_python_refuses_is_refused),
        cmocka_unit_test(only_objects_have_members_to_change),
        cmocka_unit_test(nesting_and_length_have_limits),
        cmocka_unit_test(it_survives_any_failing_allocation),
    };

    if (argc == 2 && strcmp(argv[1], "rewrite") == 0)
        return rewrite();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
