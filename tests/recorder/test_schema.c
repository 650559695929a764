/* Schemas: builder, JSON in both forms, names, what is refused; plans and estimates. */
#include "support/support.h"

#include "recorder/plan.h"
#include "recorder/schema.h"
#include "recorder/sink.h"
#include "util/alloc.h"

static vv_schema *schema_of(const char *json)
{
    vv_error err = VV_ERROR_INIT;
    vv_schema *schema = NULL;

    assert_vv_ok(vv_schema_from_json(json, &schema, &err));
    return schema;
}

static void groups_and_leaves_are_named_as_in_the_file(void **state)
{
    uint64_t shape[2] = { 1000, 3 };
    vv_error err = VV_ERROR_INIT;
    vv_leaf_type type;
    vv_schema *schema;
    size_t group, leaf;

    (void)state;
    assert_vv_ok(vv_schema_new(&schema, &err));
    assert_vv_ok(vv_schema_add_group(schema, "step", VV_EVERY(10), NULL, &group, &err));
    assert_int_equal(group, 0);
    assert_vv_ok(
        vv_schema_add_leaf(schema, 0, "positions", VV_FLOAT32, 2, shape, &leaf, &err));
    assert_vv_ok(vv_schema_add_leaf(schema, 0, "it's", VV_FLOAT64, 0, NULL, &leaf, &err));
    assert_int_equal(leaf, 1);
    assert_vv_ok(vv_schema_add_group(schema, "init", VV_ONCE, NULL, &group, &err));
    assert_string_equal(vv_schema_group_name(schema, 0), "group['step']");
    assert_string_equal(vv_schema_leaf_name(schema, 0, 0), "array['positions']");
    assert_string_equal(vv_schema_leaf_name(schema, 0, 1), "array[\"it's\"]");
    assert_null(vv_schema_leaf_name(schema, 0, 2));
    assert_null(vv_schema_group_name(schema, 2));
    assert_true(vv_schema_group_by_name(schema, "init", &group));
    assert_int_equal(group, 1);
    assert_true(vv_schema_group_by_name(schema, "group['init']", &group));
    assert_false(vv_schema_group_by_name(schema, "none", &group));
    assert_true(vv_schema_leaf_by_name(schema, 0, "it's", &leaf));
    assert_true(vv_schema_leaf_by_name(schema, 0, "array['positions']", &leaf));
    assert_int_equal(leaf, 0);
    assert_true(vv_schema_leaf_type(schema, 0, 0, &type));
    assert_int_equal(type.dtype, VV_FLOAT32);
    assert_int_equal(type.shape[0], 1000);
    assert_int_equal(vv_schema_row_bytes(schema, 0), 12008);
    assert_null(type.units);
    assert_vv_ok(vv_schema_set_units(schema, 0, 0, "pm", &err));
    assert_vv_ok(vv_schema_set_units(schema, 0, 0, "nm", &err));
    assert_true(vv_schema_leaf_type(schema, 0, 0, &type));
    assert_string_equal(type.units, "nm");
    assert_int_equal(vv_schema_set_units(schema, 0, 0, "\xff", &err), VV_EINVAL);
    assert_int_equal(vv_schema_set_units(schema, 0, 2, "nm", &err), VV_EINVAL);
    assert_int_equal(vv_schema_set_units(schema, 2, 0, "nm", &err), VV_EINVAL);
    assert_true(vv_schema_leaf_type(schema, 0, 0, &type));
    assert_string_equal(type.units, "nm");
    assert_vv_ok(vv_schema_set_units(schema, 0, 0, "", &err));
    assert_true(vv_schema_leaf_type(schema, 0, 0, &type));
    assert_null(type.units);
    vv_schema_free(schema);
}

/* The plan has the order of the file; what the caller numbers goes where it belongs. */
static void a_plan_puts_leaves_in_the_order_of_the_tree(void **state)
{
    vv_schema *schema = schema_of(
        "{\"groups\": {\"b\": {\"every\": 1, \"leaves\": "
        "{\"z\": \"int8\", \"a\": {\"y\": \"int16\", \"x\": \"int32\"}}},"
        "\"a\": {\"every\": \"once\", \"leaves\": \"bool\"}}}");
    vv_error err = VV_ERROR_INIT;
    vv_schema *copy = NULL;
    vvi_plan plan;

    (void)state;
    assert_string_equal(vv_schema_leaf_name(schema, 0, 0), "array['z']");
    assert_string_equal(vv_schema_leaf_name(schema, 0, 1), "array['a']['y']");
    assert_string_equal(vv_schema_leaf_name(schema, 1, 0), "array");
    assert_vv_ok(vvi_schema_copy(schema, &copy, &err));
    assert_vv_ok(vvi_recorder_plan(copy, NULL, &plan, &err));
    assert_int_equal(plan.groups[0].leaf_count, 4);
    assert_string_equal(plan.groups[0].leaves[0].name, "array['a']['x']");
    assert_int_equal(plan.groups[0].given[0], 2);
    assert_int_equal(plan.groups[0].given[1], 1);
    assert_int_equal(plan.groups[0].given[2], 0);
    assert_string_equal(plan.groups[0].leaves[3].name, VVI_PLAN_STEPS);
    assert_int_equal(plan.groups[1].kind, VVI_GROUP_ONCE);
    assert_int_equal(plan.groups[1].leaf_count, 1);
    /* The configuration, sorted as the file has it. */
    assert_string_equal(vv_tree_leaf_name(plan.config, 0), "['a']");
    vvi_plan_clear(&plan);
    vv_schema_free(copy);
    vv_schema_free(schema);
}

static void json_of_a_schema_reads_back_as_the_same(void **state)
{
    static const char *const cases[] = {
        "{\"groups\": {\"step\": {\"every\": 10, \"leaves\": {\"b\": \"float32[1000,3]\", "
        "\"a\": \"float64\"}}, \"init\": {\"every\": \"once\", \"leaves\": \"bool[3]\"}}}",
        "{\"groups\": {\"\": {\"every\": 1, \"compression\": {\"codec\": \"gzip\", "
        "\"level\": 4, \"shuffle\": false, \"chunk_bytes\": 4096}, \"leaves\": "
        "[\"r24[2]\", null, {\"x\": \"complex64[0,3]\"}]}}}",
        "{\"groups\": {\"g\": {\"every\": \"custom\", \"leaves\": {\"kind\": \"dataclass\", "
        "\"class\": \"md:State\", \"meta\": {\"tuple\": [1]}, \"fields\": [\"pos\", \"vel\"], "
        "\"children\": [\"bfloat16[5]\", {\"kind\": \"dict\", \"keys\": [3, 1], "
        "\"children\": [\"int8\", \"uint64\"]}]}}}, \"config\": {\"kind\": \"tuple\", "
        "\"children\": [{\"kind\": \"leaf\", \"leaf\": 0}]}}",
        "{\"groups\": {\"g\": {\"every\": 2, \"leaves\": []}}}",
        "{\"groups\": {\"g\": {\"every\": 2, \"leaves\": {\"x\": {\"kind\": \"leaf\", "
        "\"dtype\": \"float32\", \"shape\": [5, 3], \"units\": \"\u00b5m\"}, \"e\": {\"kind\": "
        "\"leaf\", \"dtype\": \"float64\", \"units\": \"kJ mol-1\"}, \"n\": \"int8[2]\"}}}}",
    };
    vv_error err = VV_ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vv_schema *schema = schema_of(cases[i]);
        vv_buf text = VV_BUF_INIT, again = VV_BUF_INIT;
        vv_schema *second;

        assert_vv_ok(vv_schema_to_json(schema, &text, &err));
        assert_string_equal((const char *)text.data, cases[i]);
        second = schema_of((const char *)text.data);
        for (size_t g = 0; g < vv_schema_group_count(schema); g++)
            for (size_t k = 0; k < vv_schema_leaf_count(schema, g); k++)
                assert_string_equal(vv_schema_leaf_name(schema, g, k),
                                    vv_schema_leaf_name(second, g, k));
        assert_vv_ok(vv_schema_to_json(second, &again, &err));
        assert_string_equal((const char *)again.data, cases[i]);
        vv_buf_clear(&text);
        vv_buf_clear(&again);
        vv_schema_free(second);
        vv_schema_free(schema);
    }
}

static void what_is_wrong_in_json_is_named(void **state)
{
    static const struct {
        const char *json, *message;
    } cases[] = {
        { "", "JSON" },
        { "[]", "not an object" },
        { "{}", "'groups'" },
        { "{\"groups\": {}}", "'groups'" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"leaves\": \"int8\"}}, \"x\": 1}",
          "'x'" },
        { "{\"groups\": {\"a\": 1}}", "group 'a'" },
        { "{\"groups\": {\"a\": {\"every\": 0, \"leaves\": \"int8\"}}}", "'every'" },
        { "{\"groups\": {\"a\": {\"every\": -1, \"leaves\": \"int8\"}}}", "'every'" },
        { "{\"groups\": {\"a\": {\"every\": 1.5, \"leaves\": \"int8\"}}}", "'every'" },
        { "{\"groups\": {\"a\": {\"leaves\": \"int8\"}}}", "'every'" },
        { "{\"groups\": {\"a\": {\"every\": 1}}}", "'leaves'" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"leafs\": {}, \"leaves\": \"int8\"}}}",
          "'leafs'" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"leaves\": {\"p\": [\"int8\", \"flaot\"]}}}}",
          "['p'][1]" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"leaves\": {\"p\": \"int8[\"}}}}",
          "['p']" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"leaves\": {\"p\": \"int8[2\"}}}}",
          "int8[2" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"leaves\": {\"p\": \"int8[-2]\"}}}}",
          "['p']" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"leaves\": {\"p\": \"int8[]\"}}}}",
          "['p']" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"leaves\": {\"p\": \"int8[2]x\"}}}}",
          "follows" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"leaves\": {\"p\": \"r7\"}}}}", "r7" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"leaves\": {\"p\": \"r*\"}}}}", "r*" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"leaves\": {\"p\": \"string\"}}}}",
          "array['p']" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"leaves\": {\"p\": 5}}}}", "number" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"leaves\": {\"p\": {\"kind\": \"leaf\", "
          "\"dtype\": \"int8\", \"units\": 3}}}}}",
          "'units'" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"leaves\": {\"p\": {\"kind\": \"leaf\", "
          "\"dtype\": \"int8\", \"units\": \"\"}}}}}",
          "'units'" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"leaves\": {\"kind\": \"list\", "
          "\"units\": \"nm\", \"children\": []}}}}",
          "'units'" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"leaves\": {\"p\": "
          "\"float64[4000000000,4000000000,4000000000]\"}}}}",
          "larger than memory" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"leaves\": {\"p\": \"int8\", \"p\": "
          "\"int8\"}}}}",
          "equal keys" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"leaves\": \"int8\"}, \"a\": {\"every\": 1, "
          "\"leaves\": \"int8\"}}}",
          "there already" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"leaves\": {\"kind\": \"leaf\"}}}}",
          "dtype" },
        { "{\"groups\": {}, \"groups\": {\"a\": {\"every\": 1, \"leaves\": \"int8\"}}}",
          "'groups' is there twice" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"every\": 2, \"leaves\": \"int8\"}}}",
          "'every' is there twice" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"leaves\": {\"kind\": \"leaf\", \"dtype\": "
          "\"int8\", \"dtype\": \"int16\"}}}}",
          "'dtype' is there twice" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"leaves\": {\"kind\": \"tuple\", \"children\": "
          "[], \"children\": []}}}}",
          "'children' is there twice" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"compression\": {\"level\": 1, \"level\": 2}, "
          "\"leaves\": \"int8\"}}}",
          "'level' is there twice" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"leaves\": {\"kind\": \"leaf\", \"dtype\": "
          "\"int8\", \"shap\": []}}}}",
          "'shap'" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"leaves\": {\"kind\": \"bag\"}}}}",
          "bag" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"leaves\": {\"kind\": \"tuple\", \"chlidren\": "
          "[]}}}}",
          "chlidren" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"compression\": \"zip\", \"leaves\": "
          "\"int8\"}}}",
          "zip" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"compression\": \"zstd:23\", \"leaves\": "
          "\"int8\"}}}",
          "level 23" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"compression\": \"lzf:1\", \"leaves\": "
          "\"int8\"}}}",
          "level 1" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"compression\": {\"kodec\": \"zstd\"}, "
          "\"leaves\": \"int8\"}}}",
          "kodec" },
        { "{\"groups\": {\"a\": {\"every\": 1, \"leaves\": \"int8\"}}, \"config\": {\"kind\": "
          "\"none\"}}",
          "'config'" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vv_error err = VV_ERROR_INIT;
        vv_schema *schema = NULL;
        vv_status status = vv_schema_from_json(cases[i].json, &schema, &err);

        if (status != VV_EINVAL && status != VV_EUNSUPPORTED)
            fail_msg("%s: %s", cases[i].json, vv_status_name(status));
        if (!strstr(err.message, cases[i].message))
            fail_msg("%s: '%s' says nothing of '%s'", cases[i].json, err.message,
                     cases[i].message);
    }
}

static void names_that_are_one_path_in_a_file_are_refused(void **state)
{
    static const char *const clashes[][2] = {
        { "a/b", "a//b" }, { "a/./b", "a/b" }, { "a/b", "a/././b" }, { "x", "x" }
    };
    static const char *const fine[][2] = {
        { "a/b", "a/c" }, { "a", "a/b" }, { "a.", "a" }, { "a/../b", "b" }
    };
    vv_error err = VV_ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        vv_schema *schema;

        assert_vv_ok(vv_schema_new(&schema, &err));
        assert_vv_ok(
            vv_schema_add_group(schema, clashes[i][0], VV_ONCE, NULL, NULL, &err));
        assert_int_equal(
            vv_schema_add_group(schema, clashes[i][1], VV_ONCE, NULL, NULL, &err),
            VV_EINVAL);
        assert_vv_ok(
            vv_schema_add_leaf(schema, 0, clashes[i][0], VV_INT8, 0, NULL, NULL, &err));
        assert_int_equal(
            vv_schema_add_leaf(schema, 0, clashes[i][1], VV_INT8, 0, NULL, NULL, &err),
            VV_EINVAL);
        vv_schema_free(schema);
        assert_vv_ok(vv_schema_new(&schema, &err));
        assert_vv_ok(vv_schema_add_group(schema, fine[i][0], VV_ONCE, NULL, NULL, &err));
        assert_vv_ok(vv_schema_add_group(schema, fine[i][1], VV_ONCE, NULL, NULL, &err));
        vv_schema_free(schema);
    }
    assert_int_equal(vvi_name_clash("array", "array/b"), 2);
    assert_int_equal(vvi_name_clash("array/./b", "array"), 3);
    assert_int_equal(vvi_name_clash("arra", "array"), 0);
}

static vv_status no_index(void *ctx, int64_t step, uint64_t *index, vv_error *err)
{
    (void)ctx, (void)step, (void)index, (void)err;
    return VV_OK;
}

static void what_a_builder_cannot_take_is_refused(void **state)
{
    uint64_t shape[VV_RECORDER_NDIM_MAX + 1] = { 0 };
    vv_frequency half = { .shape = NULL, .index = NULL };
    vv_compression bad = { .codec = (vv_compression_codec)77 };
    vv_error err = VV_ERROR_INIT;
    vv_schema *schema = NULL, *copy = NULL;
    vvi_plan plan;

    (void)state;
    assert_vv_ok(vv_schema_new(&schema, &err));
    assert_vv_ok(vvi_schema_copy(schema, &copy, &err));
    assert_int_equal(vvi_recorder_plan(copy, NULL, &plan, &err), VV_EINVAL);
    vv_schema_free(copy);
    assert_int_equal(vv_schema_add_group(schema, "\xff", VV_ONCE, NULL, NULL, &err),
                     VV_EINVAL);
    assert_int_equal(vv_schema_add_group(schema, "a", VV_ONCE, &bad, NULL, &err),
                     VV_EINVAL);
    half.every = 3;
    half.ctx = &half;
    half.index = no_index;
    assert_int_equal(vv_schema_add_group(schema, "a", half, NULL, NULL, &err), VV_EINVAL);
    assert_vv_ok(vv_schema_add_group(schema, "a", VV_ONCE, NULL, NULL, &err));
    assert_int_equal(vv_schema_add_group(schema, "", VV_ONCE, NULL, NULL, &err),
                     VV_EINVAL);
    assert_int_equal(vvi_schema_copy(schema, &copy, &err), VV_EINVAL); /* no leaf */
    assert_int_equal(vv_schema_add_leaf(schema, 1, "x", VV_INT8, 0, NULL, NULL, &err),
                     VV_EINVAL);
    assert_int_equal(vv_schema_add_leaf(schema, 0, "x", VV_STRING, 0, NULL, NULL, &err),
                     VV_EUNSUPPORTED);
    assert_int_equal(
        vv_schema_add_leaf(schema, 0, "x", VV_FIXED_UTF32, 0, NULL, NULL, &err),
        VV_EUNSUPPORTED);
    assert_int_equal(
        vv_schema_add_leaf(schema, 0, "x", VV_DATETIME64, 0, NULL, NULL, &err),
        VV_EUNSUPPORTED);
    assert_int_equal(vv_schema_add_leaf(schema, 0, "x", VV_RAW, 0, NULL, NULL, &err),
                     VV_EINVAL);
    assert_int_equal(
        vv_schema_add_leaf(schema, 0, "x", (vv_dtype)99, 0, NULL, NULL, &err), VV_EINVAL);
    assert_int_equal(vv_schema_add_leaf(schema, 0, "x", VV_INT8, VV_RECORDER_NDIM_MAX + 1,
                                        shape, NULL, &err),
                     VV_EINVAL);
    assert_vv_ok(vv_schema_add_leaf(schema, 0, "", VV_INT8, 0, NULL, NULL, &err));
    assert_int_equal(vv_schema_add_leaf(schema, 0, "x", VV_INT8, 0, NULL, NULL, &err),
                     VV_EINVAL);
    vv_schema_free(schema);

    /* Functions that are not known. */
    schema = schema_of(
        "{\"groups\": {\"a\": {\"every\": \"custom\", \"leaves\": \"int8\"}}}");
    assert_vv_ok(vvi_schema_copy(schema, &copy, &err));
    assert_int_equal(vvi_recorder_plan(copy, NULL, &plan, &err), VV_EINVAL);
    assert_non_null(strstr(err.message, "group['a']"));
    vv_schema_free(copy);
    vv_schema_free(schema);
}

static void a_configuration_can_be_any_tree(void **state)
{
    vv_schema *schema = schema_of(
        "{\"groups\": {\"one\": {\"every\": 1, \"leaves\": \"int8\"}, "
        "\"two\": {\"every\": 2, \"leaves\": \"int8\"}}, \"config\": {\"kind\": "
        "\"dataclass\", \"class\": \"md:Log\", \"fields\": [\"x\", \"none\", \"y\"],"
        "\"children\": [{\"kind\": \"leaf\"}, {\"kind\": \"none\"}, {\"kind\": "
        "\"leaf\"}]}}");
    vv_error err = VV_ERROR_INIT;
    size_t group;

    (void)state;
    assert_string_equal(vv_schema_group_name(schema, 0), "group.x");
    assert_true(vv_schema_group_by_name(schema, "two", &group));
    assert_int_equal(group, 1);
    assert_true(vv_schema_group_by_name(schema, "group.y", &group));
    assert_int_equal(vv_schema_add_group(schema, "c", VV_ONCE, NULL, NULL, &err),
                     VV_EINVAL);
    vv_schema_free(schema);
}

/* ---- plans ---------------------------------------------------------------------------------- */

static vvi_plan plan_of(const char *json, uint64_t memory, int64_t steps,
                        vv_schema **copy)
{
    vv_recorder_options options = VV_RECORDER_OPTIONS_INIT;
    vv_schema *schema = schema_of(json);
    vv_error err = VV_ERROR_INIT;
    vvi_plan plan;

    options.memory_bytes = memory;
    options.total_steps = steps;
    assert_vv_ok(vvi_schema_copy(schema, copy, &err));
    assert_vv_ok(vvi_recorder_plan(*copy, &options, &plan, &err));
    vv_schema_free(schema);
    return plan;
}

static void chunks_suit_rows_and_cap(void **state)
{
    static const char positions[] =
        "{\"groups\": {\"s\": {\"every\": 1, \"leaves\": {\"x\": \"float32[1000,3]\", "
        "\"e\": \"float64\"}}}}";
    static const char scalars[] =
        "{\"groups\": {\"s\": {\"every\": 10, \"leaves\": {\"a\": \"float64\", \"b\": "
        "\"int8\"}}}}";
    static const char huge[] =
        "{\"groups\": {\"s\": {\"every\": 1, \"leaves\": {\"x\": \"float64[1000000]\"}}}}";
    vv_schema *copy;
    vvi_plan plan;

    (void)state;
    plan = plan_of(positions, 0, 0, &copy);                    /* leaves: e, x, steps */
    assert_int_equal(plan.groups[0].leaves[1].chunk_rows, 21); /* 252 kB */
    assert_int_equal(plan.groups[0].leaves[0].chunk_rows % 21, 0);
    assert_true(plan.groups[0].leaves[0].chunk_rows > 8000);
    vvi_plan_clear(&plan);
    vv_schema_free(copy);

    plan = plan_of(positions, 400000, 0, &copy); /* a small cap makes small chunks */
    assert_true(plan.groups[0].leaves[1].chunk_rows < 10);
    assert_true(plan.groups[0].leaves[1].chunk_rows >= 1);
    vvi_plan_clear(&plan);
    vv_schema_free(copy);

    plan = plan_of(scalars, 0, 0, &copy);
    assert_int_equal(plan.groups[0].leaves[0].chunk_rows, 8192);
    assert_int_equal(plan.groups[0].leaves[1].chunk_rows, 8192);
    vvi_plan_clear(&plan);
    vv_schema_free(copy);

    plan = plan_of(scalars, 0, 101, &copy); /* no longer than the recording */
    assert_int_equal(plan.groups[0].leaves[0].chunk_rows, 11);
    vvi_plan_clear(&plan);
    vv_schema_free(copy);

    plan = plan_of(huge, 0, 0, &copy);
    assert_int_equal(plan.groups[0].leaves[0].chunk_rows, 1);
    vvi_plan_clear(&plan);
    vv_schema_free(copy);
}

static void a_cap_too_small_is_refused_and_says_what_is_needed(void **state)
{
    vv_schema *schema = schema_of(
        "{\"groups\": {\"s\": {\"every\": 1, \"leaves\": {\"x\": \"float64[1000]\"}}}}");
    vv_recorder_options options = VV_RECORDER_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_schema *copy;
    vvi_plan plan;

    (void)state;
    assert_vv_ok(vvi_schema_copy(schema, &copy, &err));
    options.memory_bytes = 16000;
    assert_int_equal(vvi_recorder_plan(copy, &options, &plan, &err), VV_ELIMIT);
    assert_non_null(strstr(err.message, "are needed"));
    options.memory_bytes = 16000 * 3;
    assert_vv_ok(vvi_recorder_plan(copy, &options, &plan, &err));
    vvi_plan_clear(&plan);
    vv_schema_free(copy);
    vv_schema_free(schema);
}

static void an_estimate_counts_rows_and_bytes(void **state)
{
    vv_schema *schema = schema_of(
        "{\"groups\": {\"s\": {\"every\": 10, \"leaves\": {\"x\": \"float32[1000,3]\"}}, "
        "\"i\": {\"every\": \"once\", \"leaves\": \"float64[10]\"}}}");
    vv_recorder_estimate estimate = VV_RECORDER_ESTIMATE_INIT;
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_vv_ok(vv_recorder_estimate_steps(schema, NULL, 100001, &estimate, &err));
    assert_int_equal(estimate.rows, 10002);
    assert_int_equal(estimate.raw_bytes, 10001u * 12008u + 80u);
    assert_true(estimate.file_bytes_most > estimate.raw_bytes);
    assert_true(estimate.file_bytes_most < estimate.raw_bytes * 102 / 100);
    assert_true(estimate.file_bytes_least < estimate.raw_bytes / 9);
    assert_true(estimate.memory_bytes <= 64u << 20);
    assert_vv_ok(vv_recorder_estimate_steps(schema, NULL, 10, &estimate, &err));
    assert_true(estimate.memory_bytes < 4u << 20);
    assert_int_equal(vv_recorder_estimate_steps(schema, NULL, -1, &estimate, &err),
                     VV_EINVAL);
    vv_schema_free(schema);
}

static vv_status read_and_write(void *ctx)
{
    static const char json[] =
        "{\"groups\": {\"s\": {\"every\": 1, \"leaves\": {\"b\": [\"int8[2]\", null], \"a\": "
        "{\"kind\": \"dict\", \"keys\": [2, 1], \"children\": [{\"kind\": \"leaf\", \"dtype\": \"bool\", \"units\": \"1\"}, \"r16\"]}}}, "
        "\"i\": {\"every\": \"once\", \"leaves\": \"float64[10]\"}}, \"config\": {\"kind\": "
        "\"list\", \"children\": [{\"kind\": \"leaf\"}, {\"kind\": \"leaf\"}]}}";
    uint64_t shape[1] = { 3 };
    vv_schema *schema = NULL, *built = NULL, *copy = NULL;
    vv_buf text = VV_BUF_INIT;
    vvi_plan plan = { 0 };
    vv_status status = vv_schema_from_json(json, &schema, NULL);

    (void)ctx;
    if (!status)
        status = vv_schema_to_json(schema, &text, NULL);
    if (!status)
        status = vv_schema_new(&built, NULL);
    if (!status)
        status = vv_schema_add_group(built, "g", VV_EVERY(1), NULL, NULL, NULL);
    for (int i = 0; i < 10 && !status; i++) {
        char name[2] = { (char)('z' - i), 0 };

        status = vv_schema_add_leaf(built, 0, name, VV_INT16, 1, shape, NULL, NULL);
    }
    if (!status)
        status = vvi_schema_copy(built, &copy, NULL);
    if (!status)
        status = vvi_recorder_plan(copy, NULL, &plan, NULL);
    vvi_plan_clear(&plan);
    vv_buf_clear(&text);
    vv_schema_free(copy);
    vv_schema_free(built);
    vv_schema_free(schema);
    return status;
}

static void schemas_survive_failing_allocations(void **state)
{
    (void)state;
    survives_failing_allocations(read_and_write, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_and_leaves_are_named_as_in_the_file),
        cmocka_unit_test(a_plan_puts_leaves_in_the_order_of_the_tree),
        cmocka_unit_test(json_of_a_schema_reads_back_as_the_same),
        cmocka_unit_test(what_is_wrong_in_json_is_named),
        cmocka_unit_test(names_that_are_one_path_in_a_file_are_refused),
        cmocka_unit_test(what_a_builder_cannot_take_is_refused),
        cmocka_unit_test(a_configuration_can_be_any_tree),
        cmocka_unit_test(chunks_suit_rows_and_cap),
        cmocka_unit_test(a_cap_too_small_is_refused_and_says_what_is_needed),
        cmocka_unit_test(an_estimate_counts_rows_and_bytes),
        cmocka_unit_test(schemas_survive_failing_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
