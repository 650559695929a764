/* Trees: names, JSON, pickles read without executing anything, hostile input. The bytes of pickles are
 * held to Python's own in python_pickler.py, and to JAX's by the vectors. */
#include "support/support.h"

#include "pytree/paths.h"
#include "pytree/value.h"
#include "util/buf.h"

#include <stdio.h>

static vv_tree *tree_of(const char *json)
{
    vv_error err = VV_ERROR_INIT;
    vv_tree *tree = NULL;

    assert_vv_ok(vv_tree_from_json(json, &tree, &err));
    return tree;
}

static void leaves_are_named_and_found(void **state)
{
    static const char json[] =
        "{\"kind\": \"dict\", \"keys\": [\"pos\", \"box\", \"it's\"], \"children\": ["
        "{\"kind\": \"dataclass\", \"class\": \"md:Atoms\", \"fields\": [\"x\", \"none\", \"v\"],"
        " \"children\": [{\"kind\": \"leaf\"}, {\"kind\": \"none\"}, {\"kind\": \"leaf\"}]},"
        "{\"kind\": \"tuple\", \"children\": [{\"kind\": \"leaf\"}, {\"kind\": \"leaf\"}]},"
        "{\"kind\": \"custom\", \"class\": \"md:Odd\", \"children\": [{\"kind\": \"leaf\"}]}]}";
    static const char *const names[] = { "['box'][0]", "['box'][1]",
                                         "[\"it's\"][<flat index 0>]", "['pos'].x",
                                         "['pos'].v" };
    vv_tree *tree = tree_of(json);
    size_t leaf;

    (void)state;
    assert_int_equal(vv_tree_leaf_count(tree), 5);
    assert_int_equal(vv_tree_node_count(tree), 10);
    assert_string_equal(vv_tree_class_name(tree), "dict");
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(vv_tree_leaf_name(tree, i), names[i]);
        assert_true(vv_tree_leaf_by_name(tree, names[i], &leaf));
        assert_int_equal(leaf, i);
    }
    assert_null(vv_tree_leaf_name(tree, 5));
    assert_false(vv_tree_leaf_by_name(tree, "['pos']", &leaf));
    vv_tree_free(tree);

    tree = tree_of("{\"kind\": \"leaf\"}");
    assert_string_equal(vv_tree_leaf_name(tree, 0), "");
    assert_null(vv_tree_class_name(tree));
    vv_tree_free(tree);
}

static void values_print_as_python_prints_them(void **state)
{
    static const char *const cases[][2] = {
        { "1.5", "1.5" },
        { "-0.25", "-0.25" },
        { "1e16", "1e+16" },
        { "123456789012345.0", "123456789012345.0" },
        { "1e15", "1000000000000000.0" },
        { "0.0001", "0.0001" },
        { "0.00001", "1e-05" },
        { "1.25e-7", "1.25e-07" },
        { "5e-324", "5e-324" },
        { "-0.0", "-0.0" },
        { "{\"float\": \"nan\"}", "nan" },
        { "true", "True" },
        { "null", "None" },
        { "-4", "-4" },
        { "-9223372036854775808", "-9223372036854775808" },
        { "9223372036854775808", "9223372036854775808" },
        { "-340282366920938463463374607431768211456",
          "-340282366920938463463374607431768211456" },
        { "1000000000000000000000000000", "1000000000000000000000000000" },
        { "\"it's\"", "\"it's\"" },
        { "\"both'\\\"\"", "'both\\'\"'" },
        { "\"\\u0000\\u001f\\u007f\\u00a0\\u00ad\\n\\\\\"",
          "'\\x00\\x1f\\x7f\\xa0\\xad\\n\\\\'" },
        { "\"\\u00e9\\u200b\\ud83d\\ude00\\udb40\\udc01\"",
          "'\xc3\xa9\\u200b\xf0\x9f\x98\x80\\U000e0001'" },
        { "{\"bytes\": \"6162ff00\"}", "b'ab\\xff\\x00'" },
        { "{\"tuple\": [1]}", "(1,)" },
        { "{\"tuple\": [0, \"b\"]}", "(0, 'b')" },
        { "{\"list\": []}", "[]" },
        { "{\"dict\": [\"a\", 1]}", "{'a': 1}" },
        { "{\"new\": \"m:ParticleId\", \"args\": [3]}", "3" },
        { "{\"new\": \"m:Label\", \"args\": [\"x\"]}", "'x'" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vv_error err = VV_ERROR_INIT;
        vvi_json *json = NULL;
        vvi_py *value = NULL;
        vv_buf text = VV_BUF_INIT;

        assert_vv_ok(vvi_json_parse(vv_bytes_of(cases[i][0]), &json, &err));
        assert_vv_ok(vvi_py_from_json(json, &value, &err));
        assert_vv_ok(vvi_py_repr(value, &text, &err));
        assert_vv_ok(vvi_buf_terminate(&text, &err));
        assert_string_equal((const char *)text.data, cases[i][1]);
        vv_buf_clear(&text);
        vvi_py_free(value);
        vvi_json_free(json);
    }
}

static void keys_are_put_in_pythons_order(void **state)
{
    static const char *const cases[][2] = {
        { "[10, 9, -1]", "[\"[-1]\", \"[9]\", \"[10]\"]" },
        { "[1.5, 1, true]", NULL }, /* True equals 1 */
        { "[2.5, false, 1]", "[\"[False]\", \"[1]\", \"[2.5]\"]" },
        { "[\"b\", \"a\", \"\\u00e9\"]", "[\"['a']\", \"['b']\", \"['\\u00e9']\"]" },
        { "[{\"tuple\": [1, \"a\"]}, {\"tuple\": [0, \"b\"]}, {\"tuple\": [0]}]",
          "[\"[(0,)]\", \"[(0, 'b')]\", \"[(1, 'a')]\"]" },
        { "[1, \"a\", 2]", NULL },
        { "[\"a\", \"b\", \"a\"]", NULL },
        { "[-36893488147419103232, 36893488147419103232, -36893488147419103233]",
          "[\"[-36893488147419103233]\", \"[-36893488147419103232]\", \"[36893488147419103232]\"]" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static const char leaf[] = "{\"kind\": \"leaf\"}";
        vv_error err = VV_ERROR_INIT;
        vv_buf json = VV_BUF_INIT;
        vv_buf names = VV_BUF_INIT;
        vv_tree *tree = NULL;
        vv_status status;

        assert_vv_ok(vvi_buf_printf(
            &json, &err, "{\"kind\": \"dict\", \"keys\": %s, \"children\": [%s, %s, %s]}",
            cases[i][0], leaf, leaf, leaf));
        assert_vv_ok(vvi_buf_terminate(&json, &err));
        status = vv_tree_from_json((const char *)json.data, &tree, &err);
        assert_int_equal(status, cases[i][1] ? VV_OK : VV_EINVAL);
        if (cases[i][1]) {
            assert_vv_ok(vv_tree_names_json(tree, "", &names, &err));
            assert_string_equal((const char *)names.data, cases[i][1]);
        }
        vv_buf_clear(&json);
        vv_buf_clear(&names);
        vv_tree_free(tree);
    }
}

static void trees_that_are_none_are_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "[]",
        "{}",
        "{\"kind\": \"set\"}",
        "{\"kind\": \"dict\", \"children\": [{\"kind\": \"leaf\"}]}",
        "{\"kind\": \"dict\", \"keys\": [], \"children\": [{\"kind\": \"leaf\"}]}",
        "{\"kind\": \"dict\", \"keys\": [{}], \"children\": [{\"kind\": \"leaf\"}]}",
        "{\"kind\": \"list\", \"children\": {}}",
        "{\"kind\": \"dataclass\"}",
        "{\"kind\": \"dataclass\", \"class\": \"NoModule\"}",
        "{\"kind\": \"namedtuple\", \"class\": \":x\"}",
        "{\"kind\": \"dataclass\", \"class\": \"m:C\", \"fields\": [\"a\"]}",
        ("{\"kind\": \"dataclass\", \"class\": \"m:C\", \"fields\": [\"a.b\"], "
         "\"children\": [{\"kind\": \"leaf\"}]}"),
        "{\"kind\": \"custom\", \"class\": \"m:C\", \"meta\": {\"bytes\": \"0\"}}",
        "{\"kind\": \"custom\", \"class\": \"m:C\", \"meta\": {\"float\": \"1\"}}",
        "{\"kind\": \"custom\", \"class\": \"m:C\", \"meta\": {\"dict\": [1]}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vv_error err = VV_ERROR_INIT;
        vv_tree *tree = NULL;

        if (vv_tree_from_json(cases[i], &tree, &err) != VV_EINVAL)
            fail_msg("%s was taken", cases[i]);
        assert_non_null(strstr(err.message, "tree"));
    }
}

/* A tree with something of everything. */
static vv_tree *rich_tree(void)
{
    return tree_of(
        "{\"kind\": \"dict\", \"keys\": [\"a\", \"b\"], \"children\": ["
        "{\"kind\": \"dataclass\", \"class\": \"m:C\", \"fields\": [\"p\", \"q\"], \"meta\": "
        "{\"tuple\": [1, 70000, -1, 1.5, \"t\", {\"bytes\": \"00ff\"}, {\"class\": \"m:D\"}, "
        "{\"new\": \"m:I\", \"args\": [7]}, {\"set\": [1]}, {\"frozenset\": []}, {\"dict\": [1, 2]}, "
        "36893488147419103232]}, \"children\": [{\"kind\": \"leaf\"}, {\"kind\": \"none\"}]},"
        "{\"kind\": \"namedtuple\", \"class\": \"m:N\", \"fields\": [\"x\"], \"children\": ["
        "{\"kind\": \"list\", \"children\": [{\"kind\": \"leaf\"}]}]}]}");
}

static void pickles_and_json_come_back(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf json = VV_BUF_INIT, names = VV_BUF_INIT, pickle = VV_BUF_INIT,
           again = VV_BUF_INIT;
    vv_tree *tree = rich_tree();
    vv_tree *back = NULL;

    (void)state;
    assert_vv_ok(vv_tree_to_json(tree, &json, &err));
    assert_vv_ok(vv_tree_names_json(tree, "array", &names, &err));
    assert_vv_ok(vv_tree_to_pickle(tree, &pickle, &err));
    assert_vv_ok(vv_tree_from_pickle(vvi_buf_bytes(&pickle), &back, &err));
    assert_string_equal(vv_tree_leaf_name(back, 0), "['a'][<flat index 0>]");
    assert_vv_ok(vv_tree_set_names(back, (const char *)names.data, "array", &err));
    assert_string_equal(vv_tree_leaf_name(back, 0), "['a'].p");
    assert_vv_ok(vv_tree_to_pickle(back, &again, &err));
    assert_true(vvi_bytes_equal(vvi_buf_bytes(&pickle), vvi_buf_bytes(&again)));
    vv_tree_free(back);
    back = tree_of((const char *)json.data);
    again.len = 0;
    assert_vv_ok(vv_tree_to_json(back, &again, &err));
    assert_string_equal((const char *)json.data, (const char *)again.data);
    vv_tree_free(back);
    vv_tree_free(tree);
    vv_buf_clear(&json);
    vv_buf_clear(&names);
    vv_buf_clear(&pickle);
    vv_buf_clear(&again);
}

static void names_that_do_not_fit_change_nothing(void **state)
{
    static const char *const cases[] = {
        "[]",
        "[\"array['a'].p\"]",
        "[\"array['a'].p\", \"array['b'].x[0]\", \"array\"]",
        "[\"array['z'].p\", \"array['b'].x[0]\"]",
        "[\"array['a'].p\", \"array['b'].x[0]['more']\"]",
        "[\"other['a'].p\", \"array['b'].x[0]\"]",
        "[\"array['a'].p\", 3]",
        "{}",
        "[",
    };
    vv_tree *tree = rich_tree();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vv_error err = VV_ERROR_INIT;

        if (vv_tree_set_names(tree, cases[i], "array", &err) != VV_ECORRUPT)
            fail_msg("%s was taken", cases[i]);
        assert_string_equal(vv_tree_leaf_name(tree, 0), "['a'].p");
        assert_string_equal(vv_tree_leaf_name(tree, 1), "['b'].x[0]");
    }
    vv_tree_free(tree);
}

#define HEAD                                   \
    "8004"                                     \
    "8c126a61786c69622e5f6a61782e707974726565" \
    "8c095079547265654465669329818c126a61782e5f7372632e747265655f7574696c8c1064656661756c745f7265676973747279935d28"
#define LEAF "284b004b004e4e4b014b0174"

static void hostile_pickles_are_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "80",
        "8006",
        "80042e",
        "80044b012e",
        /* os.system("true"), called */
        "80048c026f73948c0673797374656d9493948c04747275659485945294"
        "2e",
        "8004636f730a73797374656d0a8c04747275658552"
        "2e",
        /* more than one root, none, a child too many, wrong counts */
        HEAD LEAF LEAF "6586622e",
        HEAD "6586622e",
        HEAD "284b044b014e4e4b004b0174"
             "6586622e",
        HEAD LEAF "284b044b014e4e4b024b0274"
                  "6586622e",
        HEAD LEAF "284b044b014e4e4b014b0374"
                  "6586622e",
        /* a dict with fewer keys than children, a leaf with data, an unknown kind, no class */
        HEAD LEAF "284b054b015d4e4b014b0274"
                  "6586622e",
        HEAD "284b004b004b014e4b014b0174"
             "6586622e",
        HEAD "284b094b004e4e4b004b0174"
             "6586622e",
        HEAD LEAF "284b074b01294e4b014b0274"
                  "6586622e",
        /* five parts, a negative arity, a list that holds itself, a state given twice */
        HEAD "284b004b004e4e4b0174"
             "6586622e",
        HEAD "284b004affffffff4e4e4b014b0174"
             "6586622e",
        "80045d94680061"
        "2e",
        HEAD LEAF "65864e622e",
        /* marks that are left, memo numbers that are not there, lengths past the end */
        "8004282e",
        "800468052e",
        "80048cff612e",
        "80048dffffffffffffffff612e",
        "80048afe01",
        "800495ffffffffffffff7f4e2e",
        /* bytes that are no UTF-8 */
        "80048c01ff2e",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vv_buf pickle = from_hex(cases[i]);
        vv_error err = VV_ERROR_INIT;
        vv_tree *tree = NULL;

        if (vv_tree_from_pickle(vvi_buf_bytes(&pickle), &tree, &err) != VV_ECORRUPT)
            fail_msg("%s was taken", cases[i]);
        assert_non_null(strstr(err.message, "pickle"));
        vv_buf_clear(&pickle);
    }
}

static void every_cut_of_a_pickle_is_refused(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf pickle = VV_BUF_INIT;
    vv_tree *tree = rich_tree();

    (void)state;
    assert_vv_ok(vv_tree_to_pickle(tree, &pickle, &err));
    vv_tree_free(tree);
    for (size_t len = 0; len < pickle.len; len++)
        assert_int_equal(vv_tree_from_pickle(vvi_bytes(pickle.data, len), &tree, &err),
                         VV_ECORRUPT);
    vv_buf_clear(&pickle);
}

/* Tuples in tuples, and each twice the one before it, are small: nothing is copied. */
static void deep_and_repeated_values_are_bounded(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf pickle = VV_BUF_INIT;
    vv_tree *tree = NULL;

    (void)state;
    assert_vv_ok(vvi_buf_append(&pickle, vvi_bytes("\x80\x04)\x94", 4), &err));
    for (int i = 0; i < 70; i++) /* the value, and the same from the memo: two of them */
        assert_vv_ok(vvi_buf_append(
            &pickle, vvi_bytes((uint8_t[]){ 'h', (uint8_t)i, 0x86, 0x94 }, 4), &err));
    assert_int_equal(vv_tree_from_pickle(vvi_buf_bytes(&pickle), &tree, &err), VV_ELIMIT);
    vv_buf_clear(&pickle);
    assert_vv_ok(vvi_buf_append(&pickle, vvi_bytes("\x80\x04N", 3), &err));
    for (int i = 0; i < 1000; i++)
        assert_vv_ok(vvi_buf_append_byte(&pickle, 0x85, &err));
    assert_int_equal(vv_tree_from_pickle(vvi_buf_bytes(&pickle), &tree, &err), VV_ELIMIT);
    vv_buf_clear(&pickle);
}

static vv_status make_and_read(void *ctx)
{
    const char *json = ctx;
    vv_error err = VV_ERROR_INIT;
    vv_buf pickle = VV_BUF_INIT, names = VV_BUF_INIT, text = VV_BUF_INIT;
    vv_tree *tree = NULL, *back = NULL;
    vv_status status = vv_tree_from_json(json, &tree, &err);

    if (!status)
        status = vv_tree_names_json(tree, "array", &names, &err);
    if (!status)
        status = vv_tree_to_pickle(tree, &pickle, &err);
    if (!status)
        status = vv_tree_from_pickle(vvi_buf_bytes(&pickle), &back, &err);
    if (!status)
        status = vv_tree_set_names(back, (const char *)names.data, "array", &err);
    if (!status)
        status = vv_tree_to_json(back, &text, &err);
    vv_buf_clear(&pickle);
    vv_buf_clear(&names);
    vv_buf_clear(&text);
    vv_tree_free(tree);
    vv_tree_free(back);
    return status;
}

static void names_become_readable_paths(void **state)
{
    static const struct {
        const char *name, *path;
    } cases[] = {
        { "array['positions']", "step/positions" },
        { "array.atoms[0]['mass']", "step/atoms/0/mass" },
        { "array.atoms[1]", "step/atoms/1" },
        { "array[<flat index 12>]", "step/12" },
        { "array['a/b']", "step/a_b" },
        { "array['a b']", "step/a_b_2" },
        { "array['a_b']", "step/a_b_3" },
        { "array['steps']", "step/steps_2" }, /* ours has the name */
        { "array['it\\'s [not] \"odd\"']", "step/it__s__not___odd_" },
        { "array[\"it's\"].x", "step/it_s/x" },
        { "array['..']", "step/_." },
        { "array['']", "step/_" },
        { "array['__x']", "step/_x" },
        { "array['zarr.json']", "step/zarr_json" },
        { "array[1]", "step/1" },
        { "array['1']", "step/1_2" },
        { "array['\xc3\xa9nergie']", "step/\xc3\xa9nergie" },
        { "array[(1, 'x]')]", "step/_1___x___" },
        { "array", "step/value" },
        { "array['open", "step/_open" },
    };
    vv_error err = VV_ERROR_INIT;
    vvi_tree_paths paths = { .count = 0 };
    size_t group, node, again;

    (void)state;
    assert_vv_ok(vvi_tree_paths_follow(&paths, VVI_PATH_TOP, "group", &group, &err));
    assert_true(group == VVI_PATH_TOP);
    assert_string_equal(vvi_tree_paths_text(&paths, group), "");
    assert_vv_ok(
        vvi_tree_paths_follow(&paths, VVI_PATH_TOP, "group['step']", &group, &err));
    assert_vv_ok(vvi_tree_paths_own(&paths, group, "steps", &node, &err));
    assert_string_equal(vvi_tree_paths_text(&paths, node), "step/steps");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_vv_ok(vvi_tree_paths_leaf(&paths, group, cases[i].name, &node, &err));
        assert_string_equal(vvi_tree_paths_text(&paths, node), cases[i].path);
    }
    assert_vv_ok(vvi_tree_paths_follow(&paths, group, "array['a b']", &node, &err));
    assert_vv_ok(vvi_tree_paths_follow(&paths, group, "other['a b']", &again, &err));
    assert_int_equal(node, again);
    vvi_tree_paths_clear(&paths);
}

static void paths_of_hostile_names_are_bounded(void **state)
{
    enum {
        MANY = 20000,
        DEEP = 100000
    };
    vv_error err = VV_ERROR_INIT;
    vvi_tree_paths paths = { .count = 0 };
    char *deep = malloc(3 * DEEP + 1);
    char name[300] = "array['";
    size_t node;

    (void)state;
    for (size_t i = 0; i < 119; i++)
        strcat(name, "x");
    strcat(name, "\xc3\xa9\xc3\xa9']"); /* cut between characters */
    assert_vv_ok(vvi_tree_paths_leaf(&paths, VVI_PATH_TOP, name, &node, &err));
    assert_int_equal(strlen(vvi_tree_paths_text(&paths, node)), 119);
    for (size_t i = 0; i < MANY; i++) { /* all of them want to be "_" */
        strcpy(name, "array['      ']");
        for (size_t d = 0, left = i; d < 6; d++, left /= 8)
            name[7 + d] = "!$%&()*+"[left % 8];
        assert_vv_ok(vvi_tree_paths_leaf(&paths, VVI_PATH_TOP, name, &node, &err));
    }
    snprintf(name, sizeof(name), "__%d", MANY);
    assert_string_equal(vvi_tree_paths_text(&paths, node), name);
    for (size_t i = 0; i < DEEP; i++)
        memcpy(deep + 3 * i, "[1]", 4);
    assert_vv_ok(vvi_tree_paths_leaf(&paths, VVI_PATH_TOP, deep, &node, &err));
    assert_true(strlen(vvi_tree_paths_text(&paths, node)) < 64 * 121);
    free(deep);
    vvi_tree_paths_clear(&paths);
}

static vv_status make_paths(void *ctx)
{
    vv_error err;
    vvi_tree_paths paths = { .count = 0 };
    vv_status status = VV_OK;
    char name[40];
    size_t node;

    (void)ctx;
    for (size_t i = 0; i < 40 && !status; i++) {
        snprintf(name, sizeof(name), "array['k%zu'].x[%zu]", i / 3, i);
        status = vvi_tree_paths_leaf(&paths, VVI_PATH_TOP, name, &node, &err);
    }
    vvi_tree_paths_clear(&paths);
    return status;
}

static void memory_may_end_anywhere(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf json = VV_BUF_INIT;
    vv_tree *tree = rich_tree();

    (void)state;
    assert_vv_ok(vv_tree_to_json(tree, &json, &err));
    vv_tree_free(tree);
    survives_failing_allocations(make_and_read, json.data);
    survives_failing_allocations(make_paths, NULL);
    vv_buf_clear(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_are_named_and_found),
        cmocka_unit_test(values_print_as_python_prints_them),
        cmocka_unit_test(keys_are_put_in_pythons_order),
        cmocka_unit_test(trees_that_are_none_are_refused),
        cmocka_unit_test(pickles_and_json_come_back),
        cmocka_unit_test(names_that_do_not_fit_change_nothing),
        cmocka_unit_test(hostile_pickles_are_refused),
        cmocka_unit_test(every_cut_of_a_pickle_is_refused),
        cmocka_unit_test(deep_and_repeated_values_are_bounded),
        cmocka_unit_test(names_become_readable_paths),
        cmocka_unit_test(paths_of_hostile_names_are_bounded),
        cmocka_unit_test(memory_may_end_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
