/* Consolidated metadata: one document answers for all, and chunks come from the store below. */
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

static void put(vv_store *store, const char *key, const char *text)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_store_set(store, key, vv_bytes_of(text), &err));
}

#define ARRAY                                                                            \
    "{\"shape\": [4], \"data_type\": \"int8\", \"chunk_grid\": {\"name\": \"regular\", " \
    "\"configuration\": {\"chunk_shape\": [2]}}, \"chunk_key_encoding\": {\"name\": "    \
    "\"default\", \"configuration\": {\"separator\": \"/\"}}, \"fill_value\": 7, "       \
    "\"codecs\": [{\"name\": \"bytes\"}], \"attributes\": {\"x\": 1}, "                  \
    "\"zarr_format\": 3, \"node_type\": \"array\", \"storage_transformers\": []}"
#define CONSOLIDATED(metadata_)                                                      \
    "{\"attributes\": {\"title\": \"all\"}, \"zarr_format\": 3, "                    \
    "\"consolidated_metadata\": {\"kind\": \"inline\", \"must_understand\": false, " \
    "\"metadata\": " metadata_ "}, \"node_type\": \"group\"}"
#define HIERARCHY                                                              \
    CONSOLIDATED("{\"a\": " ARRAY ", \"h\": {\"attributes\": {\"y\": [2]}, "   \
                 "\"zarr_format\": 3, \"consolidated_metadata\": {\"kind\": "  \
                 "\"inline\", \"must_understand\": false, \"metadata\": {}}, " \
                 "\"node_type\": \"group\"}, \"h/b\": " ARRAY "}")

static vv_status see(void *ctx, const char *path, vv_node_kind kind, uint32_t depth,
                     vv_error *err)
{
    char *text = ctx;
    size_t len = strlen(text);

    (void)depth;
    (void)err;
    snprintf(text + len, 300 - len, "%c:%s ", kind == VV_NODE_ARRAY ? 'a' : 'g', path);
    return VV_OK;
}

static void assert_reads(vv_store *store, const char *path, const char *nodes,
                         const char *array_path)
{
    static const uint64_t start[] = { 0 }, count[] = { 4 };
    vv_error err = VV_ERROR_INIT;
    char text[300] = "";
    vv_array *array = NULL;
    int8_t got[4];

    assert_vv_ok(vv_node_walk(store, path, true, see, text, &err));
    assert_string_equal(text, nodes);
    assert_vv_ok(vv_array_open(store, array_path, &array, &err));
    assert_vv_ok(vv_array_read(array, start, count, NULL, got, sizeof(got), &err));
    assert_int_equal(got[0], 1);
    assert_int_equal(got[1], 2);
    assert_int_equal(got[2], 7);
    vv_array_free(array);
}

/* The nodes below have no document of their own in the store: nothing else can have been read. */
static void one_document_answers_for_all_nodes(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;
    vv_node_kind kind;
    vv_buf text = VV_BUF_INIT;

    put(*state, "zarr.json", HIERARCHY);
    put(*state, "h/b/c/0", "\1\2");
    assert_vv_ok(vv_consolidated_store_open(*state, "", &store, &err));
    assert_reads(store, "", "g: a:a g:h a:h/b ", "h/b");
    assert_vv_ok(vv_node_attributes(store, "h", &text, &err));
    assert_string_equal((char *)text.data, "{\"y\": [2]}");
    assert_vv_ok(vv_node_attributes(store, "", &text, &err));
    assert_string_equal((char *)text.data, "{\"title\": \"all\"}");
    vv_buf_clear(&text);
    /* What it does not name is not there, whatever was made since. */
    put(*state, "new/zarr.json", "{\"zarr_format\": 3, \"node_type\": \"group\"}");
    assert_vv_ok(vv_node_kind_of(store, "new", &kind, &err));
    assert_int_equal(kind, VV_NODE_NONE);
    assert_vv_ok(vv_node_kind_of(*state, "new", &kind, &err));
    assert_int_equal(kind, VV_NODE_GROUP);
    /* It is for reading. */
    assert_int_equal(vv_store_set(store, "k", vv_bytes_of("v"), &err), VV_EREADONLY);
    assert_int_equal(vv_node_set_attributes(store, "h", "{}", &err), VV_EREADONLY);
    vv_store_free(store);
    /* Without being asked for, it is not used. */
    assert_vv_ok(vv_node_kind_of(*state, "h/b", &kind, &err));
    assert_int_equal(kind, VV_NODE_NONE);
}

static void a_group_below_the_top_has_its_own(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;

    put(*state, "sub/zarr.json", HIERARCHY);
    put(*state, "sub/a/c/0", "\1\2");
    put(*state, "other/zarr.json", "{\"zarr_format\": 3, \"node_type\": \"group\"}");
    assert_vv_ok(vv_consolidated_store_open(*state, "sub/", &store, &err));
    assert_reads(store, "sub", "g:sub a:sub/a g:sub/h a:sub/h/b ", "sub/a");
    /* Beside it the store below answers. */
    vv_node_kind kind;
    assert_vv_ok(vv_node_kind_of(store, "other", &kind, &err));
    assert_int_equal(kind, VV_NODE_GROUP);
    vv_store_free(store);
}

static void version_2_keeps_it_under_a_key_of_its_own(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;

    put(*state, ".zmetadata",
        "{\"metadata\": {\".zgroup\": {\"zarr_format\": 2}, \".zattrs\": {}, \"g/a/.zarray\": "
        "{\"shape\": [4], \"chunks\": [2], \"dtype\": \"|i1\", \"fill_value\": 7, \"order\": "
        "\"C\", \"filters\": null, \"compressor\": null, \"zarr_format\": 2}, "
        "\"g/.zgroup\": {\"zarr_format\": 2}}, \"zarr_consolidated_format\": 1}");
    put(*state, "g/a/0", "\1\2");
    assert_vv_ok(vv_consolidated_store_open(*state, "", &store, &err));
    assert_reads(store, "", "g: g:g a:g/a ", "g/a");
    vv_store_free(store);
}

static void what_is_no_consolidated_metadata_is_refused(void **state)
{
    static const struct {
        const char *document;
        vv_status status;
    } cases[] = {
        { "{\"zarr_format\": 3, \"node_type\": \"group\"}", VV_ENOTFOUND },
        { "{\"consolidated_metadata\": null}", VV_ENOTFOUND },
        { "{\"consolidated_metadata\": {\"kind\": \"far\"}}", VV_EUNSUPPORTED },
        { "{\"consolidated_metadata\": {\"kind\": \"inline\"}}", VV_ECORRUPT },
        { "{\"consolidated_metadata\": {\"kind\": \"inline\", \"metadata\": []}}",
          VV_ECORRUPT },
        { CONSOLIDATED("{\"\": {}}"), VV_ECORRUPT },
        { CONSOLIDATED("{\"a/../b\": {}}"), VV_ECORRUPT },
        { CONSOLIDATED("{\"a//b\": {}}"), VV_ECORRUPT },
        { "{", VV_ECORRUPT },
    };
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;

    assert_int_equal(vv_consolidated_store_open(*state, "", &store, &err), VV_ENOTFOUND);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        put(*state, "zarr.json", cases[i].document);
        if (vv_consolidated_store_open(*state, "", &store, &err) != cases[i].status)
            fail_msg("%s: %s", cases[i].document, err.message);
    }
    assert_null(store);
}

static vv_status open_and_walk(void *ctx)
{
    vv_store *store = NULL;
    char text[300] = "";
    vv_status status = vv_consolidated_store_open(ctx, "", &store, NULL);

    if (!status)
        status = vv_node_walk(store, "", true, see, text, NULL);
    vv_store_free(store);
    return status;
}

static void it_survives_failing_allocations(void **state)
{
    put(*state, "zarr.json", HIERARCHY);
    survives_failing_allocations(open_and_walk, *state);
}

int main(void)
{
#define PROMISE(function_) cmocka_unit_test_setup_teardown(function_, setup, teardown)
    const struct CMUnitTest tests[] = {
        PROMISE(one_document_answers_for_all_nodes),
        PROMISE(a_group_below_the_top_has_its_own),
        PROMISE(version_2_keeps_it_under_a_key_of_its_own),
        PROMISE(what_is_no_consolidated_metadata_is_refused),
        PROMISE(it_survives_failing_allocations),
    };
#undef PROMISE

    return cmocka_run_group_tests(tests, NULL, NULL);
}
