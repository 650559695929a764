/* Groups, attributes and the walk. */
#include "support/support.h"

#include "util/buf.h"

#include <stdio.h>

static int setup(void **state)
{
    vv_store *store = NULL;

    if (vv_memory_store_new(&store, NULL))
        return 1;
    *state = store;
    return 0;
}

static int teardown(void **state)
{
    vv_store_free(*state);
    return 0;
}

static vv_status make_array(vv_store *store, const char *path, bool overwrite,
                            vv_error *err)
{
    static const uint64_t shape[] = { 4 }, chunk[] = { 2 };
    vv_array_meta meta = VV_ARRAY_META_INIT;

    meta.dtype = VV_INT16;
    meta.ndim = 1;
    meta.shape = shape;
    meta.chunk_shape = chunk;
    return vv_array_create(store, path, &meta, overwrite, NULL, err);
}

static void put(vv_store *store, const char *key, const char *text)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_store_set(store, key, vv_bytes_of(text), &err));
}

static vv_node_kind kind_of(vv_store *store, const char *path)
{
    vv_error err = VV_ERROR_INIT;
    vv_node_kind kind = VV_NODE_NONE;

    assert_vv_ok(vv_node_kind_of(store, path, &kind, &err));
    return kind;
}

static void assert_attributes(vv_store *store, const char *path, const char *expected)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf text = VV_BUF_INIT;

    assert_vv_ok(vv_node_attributes(store, path, &text, &err));
    assert_string_equal((char *)text.data, expected);
    assert_int_equal(text.len, strlen(expected));
    vv_buf_clear(&text);
}

static vv_status note_node(void *ctx, const char *path, vv_node_kind kind, uint32_t depth,
                           vv_error *err)
{
    return vvi_buf_printf(ctx, err, "%u%c%s ", depth, kind == VV_NODE_ARRAY ? 'a' : 'g',
                          path);
}

static void assert_walk(vv_store *store, const char *path, bool recursive,
                        const char *expected)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf text = VV_BUF_INIT;

    assert_vv_ok(vv_node_walk(store, path, recursive, note_node, &text, &err));
    assert_vv_ok(vvi_buf_terminate(&text, &err));
    assert_string_equal((char *)text.data, expected);
    vv_buf_clear(&text);
}

static void groups_above_a_node_are_made_with_it(void **state)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(make_array(*state, "a/b/x", false, &err));
    assert_int_equal(kind_of(*state, ""), VV_NODE_GROUP);
    assert_int_equal(kind_of(*state, "a"), VV_NODE_GROUP);
    assert_int_equal(kind_of(*state, "/a/b/"), VV_NODE_GROUP);
    assert_int_equal(kind_of(*state, "a/b/x"), VV_NODE_ARRAY);
    assert_int_equal(kind_of(*state, "a/b/y"), VV_NODE_NONE);
}

static void a_group_that_is_there_keeps_its_attributes(void **state)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_group_create(*state, "a", "{\"title\": \"kept\"}", false, &err));
    assert_vv_ok(make_array(*state, "a/x", false, &err));
    assert_attributes(*state, "a", "{\"title\": \"kept\"}");
}

static void nothing_lies_below_an_array(void **state)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(make_array(*state, "x", false, &err));
    assert_int_equal(make_array(*state, "x/y", false, &err), VV_EINVAL);
    assert_non_null(strstr(err.message, "'x'"));
    assert_int_equal(vv_group_create(*state, "x/y/z", NULL, false, &err), VV_EINVAL);
    assert_int_equal(kind_of(*state, "x/y"), VV_NODE_NONE);
}

static void a_node_is_replaced_only_when_asked_and_with_all_below_it(void **state)
{
    vv_error err = VV_ERROR_INIT;
    bool there = true;

    assert_vv_ok(make_array(*state, "a/x", false, &err));
    put(*state, "a/x/c/0", "old chunk");
    put(*state, "ab/c/0", "beside");
    assert_int_equal(make_array(*state, "a/x", false, &err), VV_EEXISTS);
    assert_int_equal(vv_group_create(*state, "a", NULL, false, &err), VV_EEXISTS);
    assert_vv_ok(vv_store_exists(*state, "a/x/c/0", &there, &err));
    assert_true(there);
    assert_vv_ok(make_array(*state, "a/x", true, &err));
    assert_vv_ok(vv_store_exists(*state, "a/x/c/0", &there, &err));
    assert_false(there);
    assert_vv_ok(vv_group_create(*state, "a", NULL, true, &err));
    assert_int_equal(kind_of(*state, "a/x"), VV_NODE_NONE);
    assert_vv_ok(vv_store_exists(*state, "ab/c/0", &there, &err));
    assert_true(there);
    assert_vv_ok(vv_group_create(*state, "", NULL, true, &err));
    assert_vv_ok(vv_store_exists(*state, "ab/c/0", &there, &err));
    assert_false(there);
}

static void attributes_keep_order_numbers_and_script(void **state)
{
    static const char text[] =
        "{\"z\": 1, \"a\": 1.0, \"\xd0\xba\": [\"\xc3\xa9\", null, true, {}], "
        "\"u\": 18446744073709551615, \"n\": NaN, \"e\": 1e-05, \"s\": \"\\\"\\n\"}";
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_group_create(*state, "g", text, false, &err));
    assert_attributes(*state, "g", text);
    assert_vv_ok(make_array(*state, "g/x", false, &err));
    assert_attributes(*state, "g/x", "{}");
    assert_vv_ok(vv_node_set_attributes(*state, "g/x", text, &err));
    assert_attributes(*state, "g/x", text);
    assert_int_equal(kind_of(*state, "g/x"), VV_NODE_ARRAY);
    assert_vv_ok(vv_node_set_attributes(*state, "g/x", NULL, &err));
    assert_attributes(*state, "g/x", "{}");
}

static void attributes_that_are_none_are_refused(void **state)
{
    static const char *const texts[] = { "",  "[]",           "3",
                                         "{", "{\"a\": 1} x", "{\"a\": \xff}" };
    vv_error err = VV_ERROR_INIT;
    vv_buf out = VV_BUF_INIT;

    assert_vv_ok(vv_group_create(*state, "g", "{\"a\": 1}", false, &err));
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(vv_node_set_attributes(*state, "g", texts[i], &err), VV_EINVAL);
    assert_attributes(*state, "g", "{\"a\": 1}");
    assert_int_equal(vv_node_set_attributes(*state, "none", "{}", &err), VV_ENOTFOUND);
    assert_int_equal(vv_node_attributes(*state, "none", &out, &err), VV_ENOTFOUND);
    assert_non_null(strstr(err.message, "none/zarr.json"));
}

static void members_that_we_do_not_use_stay_when_attributes_change(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf text = VV_BUF_INIT;

    put(*state, "zarr.json",
        "{\"zarr_format\": 3, \"node_type\": \"group\", \"other\": {\"must_understand\": false, "
        "\"x\": [1]}, \"consolidated_metadata\": null}");
    assert_attributes(*state, "", "{}");
    assert_vv_ok(vv_node_set_attributes(*state, "", "{\"a\": 1}", &err));
    assert_vv_ok(vv_store_get(*state, "zarr.json", VV_RANGE_ALL, &text, &err));
    assert_vv_ok(vvi_buf_terminate(&text, &err));
    assert_non_null(strstr((char *)text.data, "\"must_understand\": false"));
    assert_non_null(strstr((char *)text.data, "consolidated_metadata"));
    assert_attributes(*state, "", "{\"a\": 1}");
    vv_buf_clear(&text);
}

static bool is_consolidated(vv_store *store, const char *key)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf text = VV_BUF_INIT;
    bool found;

    assert_vv_ok(vv_store_get(store, key, VV_RANGE_ALL, &text, &err));
    assert_vv_ok(vvi_buf_terminate(&text, &err));
    found = strstr((char *)text.data, "consolidated_metadata") != NULL;
    vv_buf_clear(&text);
    return found;
}

static void consolidated_metadata_goes_when_it_is_no_longer_true(void **state)
{
    static const char group[] =
        "{\"zarr_format\": 3, \"node_type\": \"group\", \"attributes\": {\"kept\": 1}, "
        "\"consolidated_metadata\": {\"kind\": \"inline\", \"must_understand\": false, "
        "\"metadata\": {}}}";
    vv_error err = VV_ERROR_INIT;

    put(*state, "zarr.json", group);
    put(*state, "g/zarr.json", group);
    put(*state, "h/zarr.json", group);
    assert_vv_ok(make_array(*state, "g/x", false, &err));
    assert_false(is_consolidated(*state, "zarr.json"));
    assert_false(is_consolidated(*state, "g/zarr.json"));
    assert_true(is_consolidated(*state, "h/zarr.json"));
    assert_attributes(*state, "g", "{\"kept\": 1}");
    put(*state, "zarr.json", group);
    assert_vv_ok(vv_node_set_attributes(*state, "h", "{\"new\": 1}", &err));
    assert_false(is_consolidated(*state, "zarr.json"));
    assert_true(is_consolidated(*state, "h/zarr.json"));
}

static void a_group_with_members_of_unknown_meaning_is_refused(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_node_kind kind;
    vv_buf out = VV_BUF_INIT;

    put(*state, "g/zarr.json",
        "{\"zarr_format\": 3, \"node_type\": \"group\", \"encryption\": {}}");
    assert_int_equal(vv_node_kind_of(*state, "g", &kind, &err), VV_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "encryption"));
    assert_int_equal(vv_node_attributes(*state, "g", &out, &err), VV_EUNSUPPORTED);
}

static void reserved_names_are_read_and_not_made(void **state)
{
    vv_error err = VV_ERROR_INIT;

    assert_int_equal(vv_group_create(*state, "__cache", NULL, false, &err), VV_EINVAL);
    assert_non_null(strstr(err.message, "__cache"));
    assert_int_equal(vv_group_create(*state, "g/__x/y", NULL, false, &err), VV_EINVAL);
    assert_int_equal(make_array(*state, "g/zarr.json", true, &err), VV_EINVAL);
    assert_int_equal(kind_of(*state, "g"), VV_NODE_NONE);
    assert_vv_ok(vv_group_create(*state, "g_/_x/zarr.jso", NULL, false, &err));
    put(*state, "__old/zarr.json", "{\"zarr_format\": 3, \"node_type\": \"group\"}");
    assert_int_equal(kind_of(*state, "__old"), VV_NODE_GROUP);
}

static void a_group_is_no_array(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;

    assert_vv_ok(vv_group_create(*state, "g", NULL, false, &err));
    assert_int_equal(vv_array_open(*state, "g", &array, &err), VV_ENOTFOUND);
    assert_int_equal(vv_array_open(*state, "none", &array, &err), VV_ENOTFOUND);
    assert_null(array);
}

static void the_walk_gives_parents_first_and_names_in_order(void **state)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(make_array(*state, "b/y", false, &err));
    assert_vv_ok(make_array(*state, "b/x", false, &err));
    assert_vv_ok(make_array(*state, "b!", false, &err));
    assert_vv_ok(vv_group_create(*state, "b/x.group/deep", NULL, false, &err));
    assert_vv_ok(make_array(*state, "a", false, &err));
    put(*state, "a/c/0", "chunk");
    assert_walk(*state, "", true,
                "0g 1aa 1gb 2ab/x 2gb/x.group 3gb/x.group/deep 2ab/y 1ab! ");
    assert_walk(*state, "b", true, "0gb 1ab/x 1gb/x.group 2gb/x.group/deep 1ab/y ");
    assert_walk(*state, "/b/x.group/", true, "0gb/x.group 1gb/x.group/deep ");
    assert_walk(*state, "b", false, "0gb ");
    assert_walk(*state, "a", true, "0aa ");
}

static void the_walk_passes_by_what_no_group_leads_to(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf text = VV_BUF_INIT;

    assert_vv_ok(make_array(*state, "a", false, &err));
    assert_vv_ok(make_array(*state, "g/x", false, &err));
    put(*state, "a/c/zarr.json", "{\"zarr_format\": 3, \"node_type\": \"group\"}");
    put(*state, "f/orphan/zarr.json", "{\"zarr_format\": 3, \"node_type\": \"group\"}");
    put(*state, "z/zarr.json/zarr.json", "no document at all");
    assert_walk(*state, "", true, "0g 1aa 1gg 2ag/x ");
    assert_walk(*state, "g", true, "0gg 1ag/x ");
    assert_int_equal(vv_node_walk(*state, "none", true, note_node, &text, &err),
                     VV_ENOTFOUND);
    put(*state, "g/x/zarr.json", "damaged");
    assert_int_equal(vv_node_walk(*state, "", true, note_node, &text, &err), VV_ECORRUPT);
    assert_non_null(strstr(err.message, "g/x"));
    vv_buf_clear(&text);
}

static void the_walk_takes_more_nodes_than_one_batch(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf text = VV_BUF_INIT;
    size_t seen = 0;

    for (int i = 0; i < 200; i++) {
        char path[16];

        snprintf(path, sizeof(path), "g%d/%d", i % 10, i);
        assert_vv_ok(vv_group_create(*state, path, NULL, false, &err));
    }
    assert_vv_ok(vv_node_walk(*state, "", true, note_node, &text, &err));
    for (size_t i = 0; i < text.len; i++)
        seen += text.data[i] == ' ';
    assert_int_equal(seen, 211);
    vv_buf_clear(&text);
}

static vv_status stop(void *ctx, const char *path, vv_node_kind kind, uint32_t depth,
                      vv_error *err)
{
    (void)ctx;
    (void)path;
    (void)kind;
    return depth ? vvi_fail(err, VV_ECANCELED, "enough") : VV_OK;
}

static void the_walk_stops_when_told_to(void **state)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(make_array(*state, "a", false, &err));
    assert_int_equal(vv_node_walk(*state, "", true, stop, NULL, &err), VV_ECANCELED);
    assert_string_equal(err.message, "enough");
}

static vv_status make_and_walk(void *ctx)
{
    vv_store *store = NULL;
    vv_buf text = VV_BUF_INIT;
    vv_status status = vv_memory_store_new(&store, NULL);

    (void)ctx;
    if (!status)
        status = vv_group_create(store, "a/b", "{\"x\": [1, 2]}", true, NULL);
    if (!status)
        status = make_array(store, "a/c", false, NULL);
    if (!status)
        status = vv_node_set_attributes(store, "a/c", "{\"y\": 1}", NULL);
    if (!status)
        status = vv_node_attributes(store, "a/c", &text, NULL);
    text.len = 0;
    if (!status)
        status = vv_node_walk(store, "", true, note_node, &text, NULL);
    vv_buf_clear(&text);
    vv_store_free(store);
    return status;
}

static void nodes_survive_any_failing_allocation(void **state)
{
    (void)state;
    survives_failing_allocations(make_and_walk, NULL);
}

int main(void)
{
#define PROMISE(function_) cmocka_unit_test_setup_teardown(function_, setup, teardown)
    const struct CMUnitTest tests[] = {
        PROMISE(groups_above_a_node_are_made_with_it),
        PROMISE(a_group_that_is_there_keeps_its_attributes),
        PROMISE(nothing_lies_below_an_array),
        PROMISE(a_node_is_replaced_only_when_asked_and_with_all_below_it),
        PROMISE(attributes_keep_order_numbers_and_script),
        PROMISE(attributes_that_are_none_are_refused),
        PROMISE(members_that_we_do_not_use_stay_when_attributes_change),
        PROMISE(consolidated_metadata_goes_when_it_is_no_longer_true),
        PROMISE(a_group_with_members_of_unknown_meaning_is_refused),
        PROMISE(reserved_names_are_read_and_not_made),
        PROMISE(a_group_is_no_array),
        PROMISE(the_walk_gives_parents_first_and_names_in_order),
        PROMISE(the_walk_passes_by_what_no_group_leads_to),
        PROMISE(the_walk_takes_more_nodes_than_one_batch),
        PROMISE(the_walk_stops_when_told_to),
        cmocka_unit_test(nodes_survive_any_failing_allocation),
    };
#undef PROMISE

    watch_allocations();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
