/* Sharded stores of version 1: one index, whose array has to be found out, and the way to version 2. */
#include "sharded/store_support.h"

static void the_first_chunk_says_whose_index_it_is(void **state)
{
    vv_store *store = store_of(state), *again;

    assert_string_equal(commit(store),
                        "bafyr4ifam7zqzquxufv7oaglflyogmcyubd6sl2ku4tbfikwspaq3olasq");
    set_text(store, "temp/c/0/1", "A");
    set_text(store, "precip/c/0/1", "B");
    assert_text(store, "temp/c/0/1", "A");
    assert_text(store, "precip/c/0/1", "B");
    again = reopen(state, true);
    assert_text(again, "temp/c/0/1", "A");
    assert_text(again, "precip/c/0/1", "B");
    assert_listing(listing(again, ""), "precip/c/0/1 temp/c/0/1");
    vv_store_free(again);
}

static void only_the_document_of_its_array_resizes_version_1(void **state)
{
    vv_store *store = store_of(state);
    vv_error err = VV_ERROR_INIT;

    set_text(store, "temp/c/1/2", "x");
    set_text(store, "lat/zarr.json", array_document("2, 2", "2, 2"));
    assert_text(store, "temp/c/1/2", "x");
    set_text(store, "temp/zarr.json", array_document("2, 6", "2, 2"));
    assert_int_equal(set_value(store, "temp/c/1/2", "y", &err), VV_ERANGE);
    set_text(store, "temp/zarr.json", array_document("4, 6", "2, 2"));
    assert_absent(store, "temp/c/1/2");
    set_text(store, "temp/c/1/2", "z");
}

static vv_status migrate_from(vv_blockstore *blocks, const vv_cid *root, vv_cid *out)
{
    vv_store *store = NULL;
    vv_status status = vv_sharded_store_open(blocks, root, NULL, &store, NULL);

    if (!status)
        status = vv_sharded_store_migrate(store, "0/temp", out, NULL);
    vv_store_free(store);
    return status;
}

/* Blocks, a root of version 1 and the root that it becomes. */
typedef struct migration {
    vv_blockstore *blocks;
    vv_cid from, to;
} migration;

static vv_status migrate_again(void *ctx)
{
    migration *self = ctx;
    vv_cid root;
    vv_status status = migrate_from(self->blocks, &self->from, &root);

    if (!status)
        assert_true(vv_cid_equal(&root, &self->to));
    return status;
}

static void a_store_of_version_1_becomes_one_of_version_2(void **state)
{
    vv_store *store = store_of(state), *again = NULL;
    migration work = { .blocks = faulty_of(state) };
    vv_error err = VV_ERROR_INIT;

    set_text(store, "zarr.json",
             "{\"node_type\": \"group\", \"consolidated_metadata\": {\"a\": 1}}");
    set_text(store, "temp/zarr.json", array_document("4, 6", "2, 2"));
    set_text(store, "temp/c/1/2", "chunk");
    set_text(store, "lat/c/0", "lat");
    assert_vv_ok(vv_store_commit(store, &work.from, &err));
    assert_int_equal(migrate_from(work.blocks, &work.from, &work.to), VV_OK);
    assert_vv_ok(vv_sharded_store_open(work.blocks, &work.to, NULL, &again, &err));
    assert_listing(listing(again, ""),
                   "0/lat/c/0 0/temp/c/1/2 0/temp/zarr.json 0/zarr.json zarr.json");
    assert_text(again, "0/temp/c/1/2", "chunk");
    assert_text(again, "zarr.json", "{\"node_type\": \"group\"}");
    vv_store_free(again);
    survives_failing_calls(work.blocks, VV_EIO, migrate_again, &work);
    survives_failing_allocations(migrate_again, &work);
}

static void only_a_store_of_version_1_can_be_migrated_and_to_a_path(void **state)
{
    vv_store *store = store_of(state), *reader = NULL;
    vv_error err = VV_ERROR_INIT;
    vv_cid root;

    assert_int_equal(vv_sharded_store_migrate(store, "/", &root, &err), VV_EINVAL);
    assert_vv_ok(vv_sharded_store_with_read_only(store, true, &reader, &err));
    assert_int_equal(vv_sharded_store_migrate(reader, "x", &root, &err), VV_EREADONLY);
    vv_store_free(reader);
    assert_vv_ok(vv_sharded_store_migrate(store, "x/y", &root, &err));
    assert_int_equal(vv_sharded_store_migrate(store, "x/y", &root, &err), VV_EINVAL);
    set_text(store, "x/y/c/1/2", "chunk");
    assert_text(store, "y/c/1/2", "chunk");
}

/* Roots of 3.3.2 do not say whose index it is; a root is left alone until something is written. */
static void the_array_of_an_old_root_is_found_by_its_document(void **state)
{
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    static const uint64_t shape[] = { 4, 6 }, chunk[] = { 2, 2 };
    vv_store *store = NULL, *again = NULL;
    vv_error err = VV_ERROR_INIT;
    vv_sharded_info info = VV_SHARDED_INFO_INIT;
    vv_cid old, root;

    options.version = VV_SHARDED_V1;
    options.without_primary = true;
    options.ndim = 2;
    options.array_shape = shape;
    options.chunk_shape = chunk;
    assert_vv_ok(vv_sharded_store_open(faulty_of(state), NULL, &options, &store, &err));
    set_text(store, "lat/zarr.json", array_document("4, 6", "2, 2"));
    set_text(store, "temp/zarr.json", array_document("4, 6", "2, 2"));
    set_text(store, "temp/c/0/0", "x");
    assert_vv_ok(vv_store_commit(store, &old, &err));
    vv_store_free(store);
    assert_vv_ok(vv_sharded_store_open(faulty_of(state), &old, NULL, &again, &err));
    assert_vv_ok(vv_sharded_store_info(again, &info, &err));
    assert_string_equal(info.primary_array_path, "temp");
    assert_listing(listing(again, "temp/c"), "temp/c/0/0");
    assert_absent(again, "other/c/0/0");
    assert_vv_ok(vv_store_commit(again, &root, &err));
    assert_true(vv_cid_equal(&root, &old));
    set_text(again, "note", "x");
    assert_vv_ok(vv_store_commit(again, &root, &err));
    assert_vv_ok(vv_store_delete(again, "note", &err));
    assert_vv_ok(vv_store_commit(again, &root, &err));
    assert_false(vv_cid_equal(&root, &old)); /* it says so now */
    vv_store_free(again);
}

static void a_store_that_cannot_be_cleared_stays(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_status status = VV_EIO;
    vv_store *store = store_of(state);
    vv_cid root, now;

    set_text(store, "temp/zarr.json", array_document("4, 6", "2, 2"));
    set_text(store, "temp/c/0/0", "first shard");
    set_text(store, "temp/c/1/2", "second shard");
    assert_vv_ok(vv_store_commit(store, &root, &err));
    for (size_t n = 0; status; n++) {
        vv_store *again = NULL;

        assert_vv_ok(vv_sharded_store_open(faulty_of(state), &root, NULL, &again, &err));
        faulty_fail_after(faulty_of(state), n, VV_EIO, true);
        status = vv_store_delete_prefix(again, "", NULL, &err);
        faulty_stop(faulty_of(state));
        assert_vv_ok(vv_store_commit(again, &now, &err));
        assert_int_equal(vv_cid_equal(&now, &root), status != VV_OK);
        assert_int_equal(status, n < 4 ? VV_EIO : VV_OK);
        if (!status)
            assert_listing(listing(again, ""), "");
        vv_store_free(again);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define PROMISE(function_) cmocka_unit_test_setup_teardown(function_, setup_v1, teardown)
        PROMISE(the_first_chunk_says_whose_index_it_is),
        PROMISE(only_the_document_of_its_array_resizes_version_1),
        PROMISE(a_store_of_version_1_becomes_one_of_version_2),
        PROMISE(only_a_store_of_version_1_can_be_migrated_and_to_a_path),
        PROMISE(the_array_of_an_old_root_is_found_by_its_document),
        PROMISE(a_store_that_cannot_be_cleared_stays),
    };

    return cmocka_run_group_tests_name("version 1", tests, NULL, NULL);
}
