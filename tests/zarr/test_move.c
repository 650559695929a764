/* Nodes are deleted, copied and renamed over every store, and a copy reads no chunk. */
#include "support/support.h"

#include "util/buf.h"

#include <varvite/store_backend.h>

#include <stdio.h>

typedef struct fixture {
    vv_store *store;
    char *directory;
} fixture;

static int setup_memory(void **state)
{
    fixture *self = calloc(1, sizeof(*self));

    *state = self;
    return !self || vv_memory_store_new(&self->store, NULL) != VV_OK;
}

static int setup_directory(void **state)
{
    fixture *self = calloc(1, sizeof(*self));

    *state = self;
    if (!self)
        return 1;
    self->directory = make_directory();
    return vv_directory_store_open(self->directory, false, &self->store, NULL) != VV_OK;
}

static int setup_hamt(void **state)
{
    fixture *self = calloc(1, sizeof(*self));
    vv_blockstore *blocks = NULL;
    vv_status status;

    *state = self;
    if (!self || vv_memory_blockstore_new(&blocks, NULL))
        return 1;
    status = vv_hamt_store_open(blocks, NULL, NULL, &self->store, NULL);
    vv_blockstore_free(blocks);
    return status != VV_OK;
}

static int teardown(void **state)
{
    fixture *self = *state;

    vv_store_free(self->store);
    if (self->directory)
        remove_directory(self->directory);
    free(self);
    return 0;
}

static void put(vv_store *store, const char *key, const char *text)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_store_set(store, key, vv_bytes_of(text), &err));
}

#define GROUP "{\"zarr_format\": 3, \"node_type\": \"group\"}"

/* A root with g, in it h and the array t of three chunks; beside it "gx". */
static void make_tree(vv_store *store)
{
    static const uint64_t shape[] = { 6 }, chunk[] = { 2 }, start[] = { 0 };
    static const int16_t data[] = { 1, 2, 3, 4, 5, 6 };
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;

    meta.dtype = VV_INT16;
    meta.ndim = 1;
    meta.shape = shape;
    meta.chunk_shape = chunk;
    meta.attributes = "{\"a\": 1}";
    assert_vv_ok(vv_array_create(store, "g/h/t", &meta, false, &array, &err));
    assert_vv_ok(vv_array_write(array, start, shape, data, sizeof(data), &err));
    vv_array_free(array);
    assert_vv_ok(vv_group_create(store, "gx", NULL, false, &err));
    put(store, "zarr.json",
        "{\"zarr_format\": 3, \"node_type\": \"group\", \"consolidated_metadata\": "
        "{\"kind\": \"inline\", \"must_understand\": false, \"metadata\": {}}}");
}

static void assert_is_whole(vv_store *store, const char *path)
{
    static const uint64_t start[] = { 0 }, count[] = { 6 };
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;
    int16_t got[6];

    assert_vv_ok(vv_array_open(store, path, &array, &err));
    assert_vv_ok(vv_array_read(array, start, count, NULL, got, sizeof(got), &err));
    for (int16_t i = 0; i < 6; i++)
        assert_int_equal(got[i], i + 1);
    assert_string_equal(vv_array_get_meta(array)->attributes, "{\"a\": 1}");
    vv_array_free(array);
}

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

static void assert_nodes(vv_store *store, const char *expected)
{
    vv_error err = VV_ERROR_INIT;
    char text[300] = "";

    assert_vv_ok(vv_node_walk(store, "", true, see, text, &err));
    assert_string_equal(text, expected);
}

static vv_status count_key(void *ctx, const char *key, vv_error *err)
{
    (void)key;
    (void)err;
    ++*(int *)ctx;
    return VV_OK;
}

static int keys_below(vv_store *store, const char *prefix)
{
    vv_error err = VV_ERROR_INIT;
    int n = 0;

    assert_vv_ok(vv_store_list(store, prefix, count_key, &n, &err));
    return n;
}

static bool is_consolidated(vv_store *store)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf text = VV_BUF_INIT;
    bool found;

    assert_vv_ok(vv_store_get(store, "zarr.json", VV_RANGE_ALL, &text, &err));
    assert_vv_ok(vvi_buf_terminate(&text, &err));
    found = strstr((char *)text.data, "consolidated") != NULL;
    vv_buf_clear(&text);
    return found;
}

static void a_copy_is_all_of_a_node(void **state)
{
    vv_store *store = ((fixture *)*state)->store;
    vv_error err = VV_ERROR_INIT;

    make_tree(store);
    assert_vv_ok(vv_node_copy(store, "g", "new/place", &err));
    assert_nodes(store, "g: g:g g:g/h a:g/h/t g:gx g:new g:new/place g:new/place/h "
                        "a:new/place/h/t ");
    assert_is_whole(store, "g/h/t");
    assert_is_whole(store, "new/place/h/t");
    assert_false(is_consolidated(store));
    assert_vv_ok(vv_node_copy(store, "/g/h/t/", "t", &err));
    assert_is_whole(store, "t");
}

static void a_renamed_node_has_left_its_place(void **state)
{
    vv_store *store = ((fixture *)*state)->store;
    vv_error err = VV_ERROR_INIT;

    make_tree(store);
    /* What a killed copy may have left there. */
    put(store, "moved/x/c/0", "rest");
    assert_vv_ok(vv_node_rename(store, "g/h", "moved/x", &err));
    assert_nodes(store, "g: g:g g:gx g:moved g:moved/x a:moved/x/t ");
    assert_is_whole(store, "moved/x/t");
    assert_int_equal(keys_below(store, "g/h"), 0);
    assert_int_equal(keys_below(store, "moved/x/"), 5);
    assert_false(is_consolidated(store));
    assert_vv_ok(vv_node_rename(store, "moved/x", "g/h", &err));
    assert_is_whole(store, "g/h/t");
}

static void a_deleted_node_leaves_its_neighbours(void **state)
{
    vv_store *store = ((fixture *)*state)->store;
    vv_error err = VV_ERROR_INIT;

    make_tree(store);
    assert_vv_ok(vv_node_delete(store, "g", &err));
    assert_nodes(store, "g: g:gx ");
    assert_int_equal(keys_below(store, "g/"), 0);
    assert_false(is_consolidated(store));
    assert_int_equal(vv_node_delete(store, "g", &err), VV_ENOTFOUND);
    assert_vv_ok(vv_node_delete(store, "", &err));
    assert_int_equal(keys_below(store, ""), 0);
}

static void what_cannot_be_relocated_stays(void **state)
{
    vv_store *store = ((fixture *)*state)->store;
    vv_error err = VV_ERROR_INIT;
    int keys;

    make_tree(store);
    put(store, "bare/n/zarr.json", GROUP); /* in no group */
    put(store, "old/.zgroup", "{\"zarr_format\": 2}");
    keys = keys_below(store, "");
    static const struct {
        const char *from, *to;
        vv_status status;
    } cases[] = {
        { "none", "x", VV_ENOTFOUND },   { "g", "gx", VV_EEXISTS },
        { "g", "g", VV_EINVAL },         { "g", "g/h/i", VV_EINVAL },
        { "", "x", VV_EINVAL },          { "g/h", "g", VV_EINVAL },
        { "bare/n", "bare", VV_EINVAL }, { "g", "a/../b", VV_EINVAL },
        { "gx", "g/h/t/gx", VV_EINVAL }, { "gx", "old/gx", VV_EUNSUPPORTED },
        { "g", "", VV_EINVAL },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (vv_node_copy(store, cases[i].from, cases[i].to, &err) != cases[i].status ||
            vv_node_rename(store, cases[i].from, cases[i].to, &err) != cases[i].status)
            fail_msg("%s to %s: %s", cases[i].from, cases[i].to, err.message);
        assert_int_equal(keys_below(store, ""), keys);
    }
    assert_is_whole(store, "g/h/t");
}

/* TensorStore, for one, makes no groups above the arrays that it makes. */
static void nodes_below_no_group_are_not_replaced(void **state)
{
    vv_store *store = ((fixture *)*state)->store;
    vv_error err = VV_ERROR_INIT;
    int keys;

    make_tree(store);
    assert_vv_ok(vv_node_copy(store, "g/h", "loose/h", &err));
    assert_vv_ok(vv_store_delete(store, "loose/zarr.json", &err));
    keys = keys_below(store, "loose/");
    assert_int_equal(vv_node_copy(store, "g/h", "loose", &err), VV_EEXISTS);
    assert_non_null(strstr(err.message, "loose/h"));
    assert_int_equal(vv_node_rename(store, "g/h", "loose", &err), VV_EEXISTS);
    assert_int_equal(keys_below(store, "loose/"), keys);
    assert_is_whole(store, "loose/h/t");
    assert_is_whole(store, "g/h/t");
}

/* Copying over a store whose chunks cannot be read. */
static void no_chunk_is_read(void **state)
{
    vv_store *store = ((fixture *)*state)->store;
    vv_error err = VV_ERROR_INIT;
    vv_cid pointer;
    vv_cid same;

    if (strcmp(vv_store_name(store), "HAMT") != 0)
        return;
    make_tree(store);
    assert_vv_ok(vv_node_rename(store, "g", "r", &err));
    assert_vv_ok(vv_node_copy(store, "r/h/t", "u", &err));
    assert_vv_ok(vv_store_pointer(store, "r/h/t/c/0", &pointer, &err));
    assert_vv_ok(vv_store_pointer(store, "u/c/0", &same, &err));
    assert_memory_equal(&pointer, &same, sizeof(pointer));
}

int main(void)
{
#define PROMISES(setup_)                                                               \
    cmocka_unit_test_setup_teardown(a_copy_is_all_of_a_node, setup_, teardown),        \
        cmocka_unit_test_setup_teardown(a_renamed_node_has_left_its_place, setup_,     \
                                        teardown),                                     \
        cmocka_unit_test_setup_teardown(a_deleted_node_leaves_its_neighbours, setup_,  \
                                        teardown),                                     \
        cmocka_unit_test_setup_teardown(what_cannot_be_relocated_stays, setup_,        \
                                        teardown),                                     \
        cmocka_unit_test_setup_teardown(nodes_below_no_group_are_not_replaced, setup_, \
                                        teardown),                                     \
        cmocka_unit_test_setup_teardown(no_chunk_is_read, setup_, teardown)
    const struct CMUnitTest tests[] = { PROMISES(setup_memory), PROMISES(setup_directory),
                                        PROMISES(setup_hamt) };
#undef PROMISES

    return cmocka_run_group_tests(tests, NULL, NULL);
}
