/* Grafts and other shapes, as callers of a sharded store see them. */
#include "support/faulty_blockstore.h"
#include "support/support.h"

#include <stdio.h>

#define DOCUMENT(shape_)  \
    "{\"shape\":[" shape_ \
    "],\"node_type\":\"array\",\"f\":1.50,\"chunk_grid\":{\"configuration\":{\"chunk_shape\":[1,1]}}}"

typedef struct fixture {
    vv_blockstore *memory, *faulty;
    vv_store *store;
} fixture;

static vv_store *new_store(fixture *self)
{
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    vv_store *store;
    vv_error err;

    options.chunks_per_shard = 4;
    assert_vv_ok(vv_sharded_store_open(self->faulty, NULL, &options, &store, &err));
    return store;
}

static int setup(void **state)
{
    static fixture self;
    vv_error err;

    assert_vv_ok(vv_memory_blockstore_new(&self.memory, &err));
    self.faulty = faulty_blockstore_new(self.memory);
    self.store = new_store(&self);
    *state = &self;
    return 0;
}

static int teardown(void **state)
{
    fixture *self = *state;

    vv_store_free(self->store);
    vv_blockstore_free(self->faulty);
    vv_blockstore_free(self->memory);
    return 0;
}

static void set(vv_store *store, const char *key, const char *value)
{
    vv_error err;

    assert_vv_ok(vv_store_set(store, key, vv_bytes_of(value), &err));
}

/* value NULL: there is none. */
static void assert_value(vv_store *store, const char *key, const char *value)
{
    vv_buf out = VV_BUF_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_status status = vv_store_get(store, key, VV_RANGE_ALL, &out, &err);

    if (status != (value ? VV_OK : VV_ENOTFOUND))
        fail_msg("%s: %s %s", key, vv_status_name(status), err.message);
    if (value) {
        assert_int_equal(out.len, strlen(value));
        assert_memory_equal(out.data, value, out.len);
    }
    vv_buf_clear(&out);
}

static vv_cid commit(vv_store *store)
{
    vv_error err;
    vv_cid root;

    assert_vv_ok(vv_store_commit(store, &root, &err));
    return root;
}

static vv_cid make_source(fixture *self, const char *path)
{
    vv_store *store = new_store(self);
    char key[64];
    vv_cid root;

    snprintf(key, sizeof(key), "%s/zarr.json", path);
    set(store, key, DOCUMENT("2,3"));
    for (int i = 0; i < 6; i++) {
        char value[2] = { (char)('a' + i), 0 };

        snprintf(key, sizeof(key), "%s/c/%d/%d", path, i / 3, i % 3);
        if (i != 4)
            set(store, key, value);
    }
    root = commit(store);
    vv_store_free(store);
    return root;
}

static void chunks_of_another_root_lie_where_they_were_laid(void **state)
{
    fixture *self = *state;
    const uint64_t offset[] = { 1, 2 };
    vv_cid source = make_source(self, "g/a");
    uint64_t grafted;
    vv_error err;

    set(self->store, "g/a/zarr.json", DOCUMENT("4,5"));
    set(self->store, "g/a/c/1/2", "old");
    set(self->store, "g/a/c/2/3", "stays");
    assert_vv_ok(
        vv_sharded_store_graft(self->store, &source, 2, offset, NULL, &grafted, &err));
    assert_int_equal(grafted, 5);
    assert_value(self->store, "g/a/c/1/2", "a");
    assert_value(self->store, "g/a/c/2/4", "f");
    assert_value(self->store, "g/a/c/2/3", "stays");
    assert_value(self->store, "g/a/c/0/0", NULL);
}

static vv_status graft(fixture *self, const vv_cid *source, uint32_t ndim, uint64_t a,
                       uint64_t b, const char *from, const char *to)
{
    const uint64_t offset[] = { a, b };
    vv_graft_options options = VV_GRAFT_OPTIONS_INIT;
    uint64_t grafted;

    options.source_array_path = from;
    options.target_array_path = to;
    return vv_sharded_store_graft(self->store, source, ndim, offset, &options, &grafted,
                                  NULL);
}

static void a_graft_that_does_not_fit_changes_nothing(void **state)
{
    fixture *self = *state;
    vv_cid source = make_source(self, "g/a");
    vv_cid nothing = {
        .version = 1, .codec = VV_CODEC_DAG_CBOR, .hash = VV_HASH_BLAKE3, .digest_len = 32
    };
    vv_store *reader;
    vv_cid before;
    vv_cid after;
    vv_error err;

    set(self->store, "g/b/zarr.json", DOCUMENT("3,3"));
    before = commit(self->store);
    assert_int_equal(graft(self, &source, 2, 0, 0, NULL, NULL), VV_ENOTFOUND);
    assert_int_equal(graft(self, &source, 2, 0, 0, "g/no", "g/b"), VV_ENOTFOUND);
    assert_int_equal(graft(self, &source, 2, 2, 0, NULL, "g/b"), VV_ERANGE);
    assert_int_equal(graft(self, &source, 1, 0, 0, NULL, "g/b"), VV_EINVAL);
    assert_int_equal(graft(self, &nothing, 2, 0, 0, NULL, "g/b"), VV_ENOTFOUND);
    assert_vv_ok(vv_sharded_store_with_read_only(self->store, true, &reader, &err));
    assert_int_equal(vv_sharded_store_graft(reader, &source, 2,
                                            (const uint64_t[]){ 0, 0 }, NULL, NULL, &err),
                     VV_EREADONLY);
    vv_store_free(reader);
    after = commit(self->store);
    assert_true(vv_cid_equal(&before, &after));
    assert_int_equal(graft(self, &source, 2, 1, 0, "g/a", "/g/b/"), VV_OK);
    assert_value(self->store, "g/b/c/1/0", "a");
}

static void a_source_without_arrays_gives_nothing(void **state)
{
    fixture *self = *state;
    vv_store *empty = new_store(self);
    const uint64_t offset[] = { 0 };
    uint64_t grafted = 7;
    vv_cid source = commit(empty);
    vv_error err;

    vv_store_free(empty);
    assert_vv_ok(
        vv_sharded_store_graft(self->store, &source, 1, offset, NULL, &grafted, &err));
    assert_int_equal(grafted, 0);
}

static void document_and_index_are_resized_together(void **state)
{
    fixture *self = *state;
    const uint64_t shape[] = { 5, 1 };
    vv_error err;

    set(self->store, "g/a/zarr.json", DOCUMENT("2,3"));
    set(self->store, "g/a/c/1/0", "x");
    set(self->store, "g/a/c/0/2", "y");
    assert_vv_ok(vv_sharded_store_resize_variable(self->store, "/g/a/", 2, shape, &err));
    assert_value(
        self->store, "g/a/zarr.json",
        "{\n  \"shape\": [\n    5,\n    1\n  ],\n  \"node_type\": \"array\",\n  \"f\": 1.5,\n"
        "  \"chunk_grid\": {\n    \"configuration\": {\n      \"chunk_shape\": [\n        1,\n"
        "        1\n      ]\n    }\n  }\n}");
    assert_value(self->store, "g/a/c/1/0", "x");
    assert_value(self->store, "g/a/c/0/2", NULL);
    set(self->store, "g/a/c/4/0", "z");
    assert_int_equal(vv_store_set(self->store, "g/a/c/0/1", vv_bytes_of("n"), &err),
                     VV_ERANGE);
}

static void a_resize_that_cannot_be_changes_neither(void **state)
{
    fixture *self = *state;
    const uint64_t shape[] = { 5, 1, 2 };
    vv_cid before;
    vv_cid after;
    vv_error err;

    set(self->store, "g/a/zarr.json", DOCUMENT("2,3"));
    set(self->store, "g/b/zarr.json", "[1]");
    before = commit(self->store);
    assert_int_equal(
        vv_sharded_store_resize_variable(self->store, "g/none", 2, shape, &err),
        VV_ENOTFOUND);
    assert_int_equal(vv_sharded_store_resize_variable(self->store, "g/a", 3, shape, &err),
                     VV_EINVAL);
    assert_int_equal(vv_sharded_store_resize_variable(self->store, "g/b", 3, shape, &err),
                     VV_ECORRUPT);
    for (size_t n = 0; n < 2; n++) {
        faulty_fail_after(self->faulty, n, VV_EIO, false);
        assert_int_equal(
            vv_sharded_store_resize_variable(self->store, "g/a", 2, shape, &err), VV_EIO);
        assert_true(faulty_stop(self->faulty));
    }
    after = commit(self->store);
    assert_true(vv_cid_equal(&before, &after));
}

/* py-hamt 3.3.2 and 3.6 alike. */
static void version_1_changes_the_document_alone(void **state)
{
    fixture *self = *state;
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    const uint64_t shape[] = { 4, 6 };
    const uint64_t chunk[] = { 2, 2 };
    const uint64_t more[] = { 8, 6 };
    vv_store *store;
    vv_error err;

    options.version = VV_SHARDED_V1;
    options.ndim = 2;
    options.array_shape = shape;
    options.chunk_shape = chunk;
    options.chunks_per_shard = 4;
    assert_vv_ok(vv_sharded_store_open(self->faulty, NULL, &options, &store, &err));
    set(store, "temp/zarr.json", "{\"shape\":[4,6]}");
    assert_vv_ok(vv_sharded_store_resize_variable(store, "temp", 2, more, &err));
    assert_value(store, "temp/zarr.json", "{\n  \"shape\": [\n    8,\n    6\n  ]\n}");
    assert_int_equal(vv_store_set(store, "temp/c/2/0", vv_bytes_of("n"), &err),
                     VV_ERANGE);
    vv_store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(chunks_of_another_root_lie_where_they_were_laid,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_graft_that_does_not_fit_changes_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_source_without_arrays_gives_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(document_and_index_are_resized_together, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_resize_that_cannot_be_changes_neither, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(version_1_changes_the_document_alone, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
