/* Sharded stores keep the contract of stores; and what they alone promise: arrays, groups, roots. */
#include "sharded/store_support.h"

#include "util/buf.h"
#include "util/thread.h"

#include <stdio.h>

/* ---- arrays and keys ------------------------------------------------------------------------- */

static void an_empty_store_has_the_root_of_the_format(void **state)
{
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;

    options.chunks_per_shard = 3;
    assert_vv_ok(vv_sharded_store_open(faulty_of(state), NULL, &options, &store, &err));
    assert_string_equal(commit(store),
                        "bafyr4ib6sm5wmt5uv55hneiymxamt34a22f4okh5piyju3svdqeyeyeupi");
    vv_store_free(store);
}

static void a_document_registers_an_array_and_writes_its_groups(void **state)
{
    vv_store *store = store_of(state);
    vv_error err = VV_ERROR_INIT;
    vv_sharded_info info = VV_SHARDED_INFO_INIT;

    set_text(store, "g/h/t/zarr.json", array_document("4, 6", "2, 2"));
    assert_vv_ok(vv_sharded_store_info(store, &info, &err));
    assert_int_equal(info.array_count, 1);
    assert_string_equal(info.primary_array_path, "g/h/t");
    assert_text(store, "zarr.json", GROUP_DOCUMENT);
    assert_text(store, "g/zarr.json", GROUP_DOCUMENT);
    assert_text(store, "g/h/zarr.json", GROUP_DOCUMENT);
}

static void an_older_caller_is_told_what_its_struct_has(void **state)
{
    vv_store *store = store_of(state);
    vv_error err = VV_ERROR_INIT;
    vv_sharded_info info = VV_SHARDED_INFO_INIT;

    set_text(store, "g/t/zarr.json", array_document("4, 6", "2, 2"));
    info.struct_size = offsetof(vv_sharded_info, array_count);
    info.array_count = 77;
    assert_vv_ok(vv_sharded_store_info(store, &info, &err));
    assert_int_equal(info.struct_size, offsetof(vv_sharded_info, array_count));
    assert_int_equal(info.chunks_per_shard, 4);
    assert_int_equal(info.array_count, 77);
    info.struct_size = 0;
    assert_int_equal(vv_sharded_store_info(store, &info, &err), VV_EINVAL);
}

static void groups_have_a_document_of_each_version_that_has_arrays_below(void **state)
{
    vv_store *store = store_of(state);

    set_text(store, "g/a/.zarray", "{\"shape\": [4], \"chunks\": [1]}");
    set_text(store, "g/b/zarr.json", array_document("4", "1"));
    assert_listing(listing(store, ""),
                   ".zgroup g/.zgroup g/a/.zarray g/b/zarr.json g/zarr.json zarr.json");
}

static void whatever_lies_in_a_group_gives_it_a_document(void **state)
{
    vv_store *store = store_of(state);

    set_text(store, "g/h/zarr.json", GROUP_DOCUMENT);
    set_text(store, "g/i/.zarray", "no JSON");
    assert_listing(listing(store, ""),
                   ".zgroup g/.zgroup g/h/zarr.json g/i/.zarray g/zarr.json zarr.json");
}

/* As py-hamt writes it, at the root too. */
static void an_old_array_at_the_root_has_a_group_document_beside(void **state)
{
    vv_store *store = store_of(state);

    set_text(store, ".zarray", "{\"shape\": [4, 4], \"chunks\": [2, 2]}");
    set_text(store, "0.1", "value");
    assert_listing(listing(store, ""), ".zarray .zgroup c/0/1");
}

static void half_a_surrogate_pair_makes_no_document_unreadable(void **state)
{
    vv_store *store = store_of(state);

    set_text(store, "g/a/zarr.json",
             "{\"a\": \"\\\\\\ud800\", \"shape\": [4], \"chunks\": [1]}");
    set_text(store, "g/a/c/3", "value");
    set_text(
        store, "zarr.json",
        "{\"node_type\": \"group\", \"consolidated_metadata\": 1, \"x\": \"\\uDC00\"}");
    assert_text(store, "zarr.json", "{\"node_type\": \"group\", \"x\": \"\\udc00\"}");
}

static void every_form_of_a_chunk_key_names_one_slot(void **state)
{
    static const char *const forms[] = { "g/t/c/1/2", "g/t/1.2", "g/t/1/2",
                                         "/g/t/c/1/2" };
    vv_store *store = store_of(state);

    set_text(store, "g/t/zarr.json", array_document("4, 6", "2, 2"));
    for (int i = 0; i < 4; i++) {
        set_text(store, forms[i], forms[i]);
        for (int k = 0; k < 4; k++)
            assert_text(store, forms[k], forms[i]);
        assert_listing(listing(store, "g/t/"), "g/t/c/1/2 g/t/zarr.json");
    }
}

static void a_chunk_that_the_array_has_not_is_refused_and_never_stored(void **state)
{
    static const struct {
        const char *key;
        vv_status status;
    } bad[] = { { "g/t/c/2/0", VV_ERANGE },
                { "g/t/c/0/3", VV_ERANGE },
                { "g/t/c/0", VV_ERANGE },
                { "g/t/c/0/0/0", VV_ERANGE },
                { "g/t/c/99999999999999999999/0", VV_ERANGE },
                { "g/t/9.9", VV_ERANGE },
                { "g/t/c/x/0", VV_EINVAL },
                { "g/t/c/00/0", VV_EINVAL },
                { "g/t/c/-0/0", VV_EINVAL },
                { "g/other/c/0", VV_EINVAL } };
    vv_store *store = store_of(state);
    vv_error err = VV_ERROR_INIT;
    size_t calls;
    bool there;

    set_text(store, "g/t/zarr.json", array_document("4, 6", "2, 2"));
    calls = faulty_calls(faulty_of(state));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(set_value(store, bad[i].key, "x", &err), bad[i].status);
        assert_non_null(strstr(err.message, bad[i].key));
        assert_absent(store, bad[i].key);
        assert_vv_ok(vv_store_exists(store, bad[i].key, &there, &err));
        assert_false(there);
        assert_vv_ok(vv_store_delete(store, bad[i].key, &err));
    }
    assert_int_equal(faulty_calls(faulty_of(state)), calls);
}

static void values_are_looked_at_under_document_keys_only(void **state)
{
    vv_store *store = store_of(state);
    vv_error err = VV_ERROR_INIT;
    char digits[5001];

    memset(digits, '1', sizeof(digits) - 1);
    digits[sizeof(digits) - 1] = '\0';
    set_text(store, "g/t/zarr.json", array_document("4, 6", "2, 2"));
    set_text(store, "g/t/c/0/0", digits);
    assert_text(store, "g/t/c/0/0", digits);
    set_text(store, "g/t/c/0/1", array_document("9", "9"));
    assert_text(store, "g/t/c/0/1", array_document("9", "9"));
    assert_vv_ok(set_value(store, "g/t/zarr.json", "no JSON at all", &err));
    assert_text(store, "g/t/c/0/0", digits);
}

static void a_document_resizes_its_array_and_never_its_chunks(void **state)
{
    vv_store *store = store_of(state);
    vv_error err = VV_ERROR_INIT;

    set_text(store, "g/t/zarr.json", array_document("4, 6", "2, 2"));
    set_text(store, "g/t/c/1/1", "kept");
    set_text(store, "g/t/c/1/2", "cut");
    set_text(store, "g/t/zarr.json", array_document("8, 4", "2, 2"));
    assert_text(store, "g/t/c/1/1", "kept");
    assert_absent(store, "g/t/c/1/2");
    set_text(store, "g/t/c/3/1", "new");
    assert_int_equal(
        set_value(store, "g/t/zarr.json", array_document("8, 4", "2, 4"), &err),
        VV_EINVAL);
    assert_non_null(strstr(err.message, "g/t"));
    assert_text(store, "g/t/zarr.json", array_document("8, 4", "2, 2"));
}

static void an_array_leaves_with_its_last_document(void **state)
{
    vv_store *store = store_of(state);
    vv_error err = VV_ERROR_INIT;

    set_text(store, "g/t/zarr.json", array_document("4, 6", "2, 2"));
    set_text(store, "g/t/c/1/1", "x");
    assert_vv_ok(vv_store_delete(store, "g/t/zarr.json", &err));
    assert_listing(listing(store, ""), "g/zarr.json zarr.json");
    set_text(store, "g/t/zarr.json", array_document("4", "1"));
    set_text(store, "g/t/c/3", "y");
    set_text(store, "g/t/zarr.json", GROUP_DOCUMENT);
    assert_listing(listing(store, ""), "g/t/zarr.json g/zarr.json zarr.json");
    set_text(store, "g/t/zarr.json", array_document("4", "2"));
    assert_listing(listing(store, "g/t/c"), "");
}

static void a_root_that_is_a_group_wants_arrays_below_groups(void **state)
{
    vv_store *store = store_of(state);
    vv_error err = VV_ERROR_INIT;

    set_text(store, "zarr.json", GROUP_DOCUMENT);
    for (int i = 0; i < 3; i++)
        assert_int_equal(set_value(store, "t/zarr.json", array_document("4", "1"), &err),
                         VV_EINVAL);
    assert_listing(listing(store, ""), "zarr.json");
    set_text(store, "0/t/zarr.json", array_document("4", "1"));
}

static void readers_may_leave_the_only_group_out(void **state)
{
    vv_store *store = store_of(state);

    set_text(store, "0/t/zarr.json", array_document("4", "1"));
    set_text(store, "0/t/c/1", "one");
    assert_text(store, "t/c/1", "one");
    assert_listing(dir_listing(store, ""), "t/ zarr.json");
    assert_listing(dir_listing(store, "t"), "c/ zarr.json");
    /* The key itself goes first. */
    set_text(store, "note", "hi");
    assert_text(store, "note", "hi");
}

static void stored_keys_are_those_of_the_root(void **state)
{
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    vv_store *store = store_of(state), *plain = NULL, *reader;
    vv_error err = VV_ERROR_INIT;
    vv_cid root;

    set_text(store, "0/t/zarr.json", array_document("4", "1"));
    set_text(store, "0/t/c/1", "one");
    set_text(store, "1/t/zarr.json", array_document("4", "1"));
    assert_vv_ok(vv_store_commit(store, &root, &err));
    options.read_only = options.stored_keys = true;
    assert_vv_ok(vv_sharded_store_open(faulty_of(state), &root, &options, &plain, &err));
    assert_listing(dir_listing(plain, ""), "0/ 1/ zarr.json");
    assert_absent(plain, "t/c/1");
    vv_store_free(plain);
    /* A reader of several groups has to name one. */
    reader = reopen(state, true);
    assert_int_equal(vv_store_list_dir(reader, "", NULL, NULL, &err), VV_EINVAL);
    assert_listing(dir_listing(reader, "0"), "t/ zarr.json");
    vv_store_free(reader);
}

static void many_keys_are_found_wherever_they_lie(void **state)
{
    static const char *const keys[] = { "g/t/c/1", "g/u/0.1", "g/t/c/2",
                                        "note",    "t/c/1",   "g/t/c/9",
                                        "g/x/c/0", "g/t/c/x", "g/u/1/1" };
    static const char *const values[] = { "one", "u01", NULL, "n",  "one",
                                          NULL,  NULL,  NULL, "u11" };
    const size_t n = sizeof(keys) / sizeof(*keys);
    vv_store *store = store_of(state);
    vv_error err = VV_ERROR_INIT;
    vv_status statuses[9];
    vv_buf outs[9];

    set_text(store, "g/t/zarr.json", array_document("4", "1"));
    set_text(store, "g/u/zarr.json", array_document("4, 4", "2, 2"));
    set_text(store, "g/t/c/1", "one");
    set_text(store, "g/u/c/0/1", "u01");
    set_text(store, "g/u/c/1/1", "u11");
    set_text(store, "note", "n");
    memset(outs, 0, sizeof(outs));
    assert_vv_ok(vv_store_get_many(store, keys, NULL, n, outs, statuses, &err));
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(statuses[i], values[i] ? VV_OK : VV_ENOTFOUND);
        if (values[i]) {
            assert_int_equal(outs[i].len, strlen(values[i]));
            assert_memory_equal(outs[i].data, values[i], outs[i].len);
        }
        vv_buf_clear(&outs[i]);
    }
}

static void the_last_of_many_values_of_a_chunk_stays(void **state)
{
    static const char *const keys[] = { "g/t/c/1", "g/t/c/2", "g/t/1", "g/t/c/3" };
    const vv_bytes values[] = { vv_bytes_of("a"), vv_bytes_of("b"), vv_bytes_of("c"),
                                vv_bytes_of("d") };
    vv_store *store = store_of(state);
    vv_error err = VV_ERROR_INIT;

    set_text(store, "g/t/zarr.json", array_document("4", "1"));
    assert_vv_ok(vv_store_set_many(store, keys, values, 4, &err));
    assert_text(store, "g/t/c/1", "c");
    assert_listing(listing(store, "g/t/c"), "g/t/c/1 g/t/c/2 g/t/c/3");
    assert_int_equal(vv_store_set_if_absent(store, "g/t/c/1", vv_bytes_of("e"), &err),
                     VV_EEXISTS);
    assert_vv_ok(vv_store_set_if_absent(store, "g/t/c/0", vv_bytes_of("e"), &err));
    assert_text(store, "g/t/0", "e");
    assert_int_equal(vv_store_set_if_absent(store, "g/t/zarr.json",
                                            vv_bytes_of(array_document("9", "1")), &err),
                     VV_EEXISTS);
    assert_int_equal(vv_store_set(store, "g/t/c/4", vv_bytes_of("x"), &err), VV_ERANGE);
}

/* Such as it is after a migration: a value that the chunk had before its array was registered. */
static void a_chunk_kept_by_name_is_read_until_its_slot_is_set(void **state)
{
    vv_store *store = store_of(state);
    vv_error err = VV_ERROR_INIT;

    set_text(store, "g/u/zarr.json", array_document("4", "1"));
    set_text(store, "g/t/0", "by name");
    set_text(store, "g/t/zarr.json", array_document("4", "1"));
    assert_text(store, "g/t/0", "by name");
    set_text(store, "g/t/c/1", "slot");
    set_text(store, "g/t/0", "slot");
    assert_text(store, "g/t/c/0", "slot");
    assert_listing(listing(store, "g/t/"), "g/t/c/0 g/t/c/1 g/t/zarr.json");
    assert_vv_ok(vv_store_delete(store, "g/t/0", &err));
    assert_absent(store, "g/t/0");
}

/* ---- deleting -------------------------------------------------------------------------------------- */

static void a_directory_of_chunks_is_cleared(void **state)
{
    vv_store *store = store_of(state);
    vv_error err = VV_ERROR_INIT;
    uint64_t deleted;

    set_text(store, "g/t/zarr.json", array_document("4, 6", "2, 2"));
    set_text(store, "g/t/c/0/1", "a");
    set_text(store, "g/t/c/1/0", "b");
    set_text(store, "g/t/c/1/2", "c");
    assert_vv_ok(vv_store_delete_prefix(store, "g/t/c/1/", &deleted, &err));
    assert_int_equal(deleted, 2);
    assert_listing(listing(store, "g/t/c"), "g/t/c/0/1");
    assert_listing(dir_listing(store, "g/t/c"), "0/");
    assert_vv_ok(vv_store_delete_prefix(store, "g/t/c/", &deleted, &err));
    assert_int_equal(deleted, 1);
    assert_listing(listing(store, ""), "g/t/zarr.json g/zarr.json zarr.json");
    set_text(store, "g/t/c/1/1", "d");
    assert_vv_ok(vv_store_delete_prefix(store, "g/", &deleted, &err));
    assert_int_equal(deleted, 3);
    assert_listing(listing(store, ""), "zarr.json");
    set_text(store, "g/t/zarr.json", array_document("9", "3"));
    assert_listing(listing(store, "g/t/c"), "");
}

/* ---- handles and roots ----------------------------------------------------------------------------- */

static void handles_share_everything(void **state)
{
    vv_store *store = store_of(state);
    vv_error err = VV_ERROR_INIT;
    vv_store *reader = NULL, *writer = NULL;
    vv_cid root;

    assert_vv_ok(vv_sharded_store_with_read_only(store, true, &reader, &err));
    assert_vv_ok(vv_sharded_store_with_read_only(reader, false, &writer, &err));
    set_text(writer, "g/t/zarr.json", array_document("4", "1"));
    set_text(writer, "g/t/c/0", "x");
    assert_text(reader, "g/t/c/0", "x");
    assert_int_equal(set_value(reader, "g/t/c/0", "y", &err), VV_EREADONLY);
    assert_int_equal(vv_store_commit(reader, &root, &err), VV_EREADONLY);
    assert_string_equal(commit(store), commit(writer));
    assert_vv_ok(vv_store_commit(reader, &root, &err));
    vv_store_free(reader);
    vv_store_free(writer);
}

static void a_shard_that_is_missing_is_damage(void **state)
{
    vv_store *store = store_of(state), *again;
    vv_error err = VV_ERROR_INIT;
    vv_buf out = VV_BUF_INIT;

    set_text(store, "g/t/zarr.json", array_document("4", "1"));
    set_text(store, "g/t/c/0", "x");
    again = reopen(state, true);
    faulty_fail_after(faulty_of(state), 0, VV_ENOTFOUND, true);
    assert_int_equal(vv_store_get(again, "g/t/c/0", VV_RANGE_ALL, &out, &err),
                     VV_ECORRUPT);
    assert_non_null(strstr(err.message, "g/t"));
    assert_true(faulty_stop(faulty_of(state)));
    assert_text(again, "g/t/c/0", "x");
    vv_store_free(again);
}

/* ---- failures -------------------------------------------------------------------------------------- */

/* What a set that fails may not change. */
static void a_set_that_fails_changes_nothing(void **state)
{
    static const char *const keys[] = { "g/t/zarr.json", "g/n/zarr.json", "g/t/c/0/0",
                                        "note", "zarr.json" };
    const char *values[5];
    vv_store *store = store_of(state);
    const char *before;

    set_text(store, "g/t/zarr.json", array_document("4, 6", "2, 2"));
    set_text(store, "g/t/c/1/2", "cut");
    before = commit(store);
    values[0] = array_document("9, 3", "2, 2");
    values[1] = array_document("4", "1");
    values[2] = values[3] = "value";
    values[4] = "{\"node_type\": \"group\", \"consolidated_metadata\": 1}";
    for (size_t i = 0; i < 5; i++) {
        vv_status status = VV_EIO;

        for (size_t n = 0; status; n++) {
            vv_error err = VV_ERROR_INIT;

            faulty_fail_after(faulty_of(state), n, VV_EIO, false);
            status = set_value(store, keys[i], values[i], &err);
            if (!faulty_stop(faulty_of(state)))
                break;
            assert_int_equal(status, VV_EIO);
            assert_non_null(strstr(err.message, keys[i]));
            assert_string_equal(commit(store), before);
        }
        assert_int_equal(status, VV_OK);
        before = commit(store);
    }
}

static void fill(vv_store *store)
{
    char key[32];

    set_text(store, "g/t/zarr.json", array_document("40", "1"));
    set_text(store, "h/u/zarr.json", array_document("40", "1"));
    for (int i = 0; i < 40; i += 3) {
        snprintf(key, sizeof(key), "g/t/c/%d", i);
        set_text(store, key, key);
        snprintf(key, sizeof(key), "h/u/c/%d", i);
        set_text(store, key, key);
    }
}

static void a_commit_that_fails_can_be_made_again(void **state)
{
    vv_store *store = store_of(state), *old;
    vv_error err = VV_ERROR_INIT;
    vv_cid before, root;
    const char *right;
    void *other;

    assert_int_equal(setup_v2(&other), 0);
    fill(store_of(&other));
    right = commit(store_of(&other));
    teardown(&other);

    set_text(store, "note", "old");
    assert_vv_ok(vv_store_commit(store, &before, &err));
    fill(store);
    assert_vv_ok(vv_store_delete(store, "note", &err));
    for (size_t n = 0;; n++) {
        faulty_fail_after(faulty_of(state), n, VV_EIO, false);
        vv_status status = vv_store_commit(store, &root, &err);

        if (!faulty_stop(faulty_of(state)))
            break;
        assert_int_equal(status, VV_EIO);
        assert_vv_ok(vv_sharded_store_open(faulty_of(state), &before, NULL, &old, &err));
        assert_text(old, "note", "old");
        vv_store_free(old);
        assert_text(store, "g/t/c/3", "g/t/c/3");
    }
    assert_string_equal(commit(store), right);
}

static vv_status whole_life(void *ctx)
{
    static const char *const keys[] = { "g/t/c/0/0", "g/t/zarr.json", "g/t/c/3/0", "n" };
    const vv_bytes values[] = { vv_bytes_of("a"),
                                vv_bytes_of(array_document("8, 6", "2, 2")),
                                vv_bytes_of("b"), vv_bytes_of("c") };
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    vv_buf outs[4] = { VV_BUF_INIT, VV_BUF_INIT, VV_BUF_INIT, VV_BUF_INIT };
    vv_store *store = NULL, *again = NULL;
    vv_status statuses[4];
    vv_cid root;
    vv_status status;

    options.chunks_per_shard = 4;
    status = vv_sharded_store_open(ctx, NULL, &options, &store, NULL);
    if (!status)
        status = set_value(store, "g/t/zarr.json", array_document("4, 6", "2, 2"), NULL);
    if (!status)
        status = vv_store_set_many(store, keys, values, 4, NULL);
    if (!status)
        status = vv_store_commit(store, &root, NULL);
    if (!status)
        status = vv_sharded_store_open(ctx, &root, NULL, &again, NULL);
    if (!status)
        status = vv_store_get_many(again, keys, NULL, 4, outs, statuses, NULL);
    for (int i = 0; i < 4 && !status; i++)
        status = statuses[i];
    if (!status)
        status = vv_store_copy(again, "t/c/3/0", "g/t/c/2/1", NULL);
    if (!status)
        status = vv_store_delete(again, "g/t/c/0/0", NULL);
    if (!status)
        status = vv_store_delete_prefix(again, "g/t/c/3/", NULL, NULL);
    if (!status)
        status = vv_store_delete(again, "g/t/zarr.json", NULL);
    if (!status)
        status = vv_store_commit(again, &root, NULL);
    for (int i = 0; i < 4; i++)
        vv_buf_clear(&outs[i]);
    vv_store_free(again);
    vv_store_free(store);
    return status;
}

/* A first run leaves all blocks in the block store, so that what is counted is the store's. */
static void every_call_survives_a_failing_allocation(void **state)
{
    assert_int_equal(whole_life(faulty_of(state)), VV_OK);
    survives_failing_allocations(whole_life, memory_of(state));
}

static void every_call_survives_a_block_store_that_fails(void **state)
{
    assert_int_equal(whole_life(faulty_of(state)), VV_OK);
    survives_failing_calls(faulty_of(state), VV_EIO, whole_life, faulty_of(state));
}

/* ---- threads ------------------------------------------------------------------------------------------ */

static vv_status write_or_read(void *ctx, size_t i, vv_error *err)
{
    vv_store *store = ctx;
    vv_buf out = VV_BUF_INIT;
    vv_status status;
    vv_cid root;
    char key[32];

    if (i % 50 == 49)
        return vv_store_commit(store, &root, err);
    if (i % 50 == 25)
        return set_value(store, "g/t/.zarray",
                         i % 100 == 25 ? "{\"shape\": [600], \"chunks\": [1]}"
                                       : "{\"shape\": [500], \"chunks\": [1]}",
                         err);
    if (i % 50 == 20) {
        char *all = listing(store, "g/t/");

        free(all);
        return VV_OK;
    }
    snprintf(key, sizeof(key), "g/t/c/%zu", i % 400);
    VVI_TRY(set_value(store, key, key, err));
    status = vv_store_get(store, key, VV_RANGE_ALL, &out, err);
    if (!status && (out.len != strlen(key) || memcmp(out.data, key, out.len) != 0))
        status = vvi_fail(err, VV_ECORRUPT, "%s holds something else", key);
    vv_buf_clear(&out);
    return status;
}

static void threads_write_read_resize_and_commit_at_once(void **state)
{
    vv_store *store = store_of(state), *again;
    vv_error err = VV_ERROR_INIT;
    char key[32];

    set_text(store, "g/t/zarr.json", array_document("500", "1"));
    assert_vv_ok(vvi_parallel(4, 1000, write_or_read, store, &err));
    again = reopen(state, true);
    for (int i = 0; i < 400; i++) {
        if (i % 50 == 49 || i % 50 == 25 || i % 50 == 20)
            continue;
        snprintf(key, sizeof(key), "g/t/c/%d", i);
        assert_text(again, key, key);
    }
    vv_store_free(again);
}

/* 40 shards: more than are read in one go, and more than the cache has room for. */
static void fill_many_shards(vv_store *store, vv_cid *root)
{
    char key[40];
    vv_error err = VV_ERROR_INIT;

    set_text(store, "g/t/zarr.json", array_document("160", "1"));
    for (int i = 0; i < 160; i++) {
        snprintf(key, sizeof(key), "g/t/c/%d", i);
        set_text(store, key, key);
    }
    assert_vv_ok(vv_store_commit(store, root, &err));
}

static vv_store *open_with_little_cache(void **state, const vv_cid *root)
{
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;

    options.cache_bytes = 1;
    assert_vv_ok(vv_sharded_store_open(faulty_of(state), root, &options, &store, &err));
    return store;
}

static void chunks_that_cannot_all_be_cleared_all_stay(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_status status = VV_EIO;
    vv_cid root, now;

    fill_many_shards(store_of(state), &root);
    for (size_t n = 0; status; n++) {
        vv_store *store = open_with_little_cache(state, &root);
        uint64_t deleted = 77;

        set_text(store, "g/t/c/0", "another"); /* a changed shard too */
        faulty_fail_after(faulty_of(state), n, VV_EIO, true);
        status = vv_store_delete_prefix(store, "g/t/c/", &deleted, &err);
        faulty_stop(faulty_of(state));
        assert_int_equal(deleted, status ? 0 : 160);
        if (status) {
            assert_int_equal(status, VV_EIO);
            assert_true(n < 160);
            assert_text(store, "g/t/c/0", "another");
            set_text(store, "g/t/c/0", "g/t/c/0");
            assert_vv_ok(vv_store_commit(store, &now, &err));
            assert_true(vv_cid_equal(&now, &root));
        } else {
            assert_true(n > 40);
            assert_listing(listing(store, "g/t/"), "g/t/zarr.json");
            assert_vv_ok(vv_store_commit(store, &now, &err));
            assert_false(vv_cid_equal(&now, &root));
        }
        vv_store_free(store);
    }
}

typedef struct clearing {
    void **state;
    const vv_cid *root;
} clearing;

static vv_status clear_or_leave(void *ctx)
{
    clearing *self = ctx;
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    vv_store *store = NULL;
    vv_error err = VV_ERROR_INIT;
    vv_status status;

    status = vv_sharded_store_open(memory_of(self->state), self->root, &options, &store,
                                   &err);
    if (!status)
        status = vv_store_delete_prefix(store, "g/t/c/1", NULL, &err);
    if (!status)
        status = vv_store_delete_prefix(store, "g/t/c/", NULL, &err);
    vv_store_free(store);
    return status;
}

static void clearing_chunks_survives_a_failing_allocation(void **state)
{
    vv_cid root;
    clearing self = { state, &root };

    fill_many_shards(store_of(state), &root);
    survives_failing_allocations(clear_or_leave, &self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define PROMISE(function_) cmocka_unit_test_setup_teardown(function_, setup_v2, teardown)
        PROMISE(an_empty_store_has_the_root_of_the_format),
        PROMISE(a_document_registers_an_array_and_writes_its_groups),
        PROMISE(an_older_caller_is_told_what_its_struct_has),
        PROMISE(groups_have_a_document_of_each_version_that_has_arrays_below),
        PROMISE(whatever_lies_in_a_group_gives_it_a_document),
        PROMISE(an_old_array_at_the_root_has_a_group_document_beside),
        PROMISE(half_a_surrogate_pair_makes_no_document_unreadable),
        PROMISE(every_form_of_a_chunk_key_names_one_slot),
        PROMISE(a_chunk_that_the_array_has_not_is_refused_and_never_stored),
        PROMISE(values_are_looked_at_under_document_keys_only),
        PROMISE(a_document_resizes_its_array_and_never_its_chunks),
        PROMISE(an_array_leaves_with_its_last_document),
        PROMISE(a_root_that_is_a_group_wants_arrays_below_groups),
        PROMISE(readers_may_leave_the_only_group_out),
        PROMISE(stored_keys_are_those_of_the_root),
        PROMISE(many_keys_are_found_wherever_they_lie),
        PROMISE(the_last_of_many_values_of_a_chunk_stays),
        PROMISE(a_chunk_kept_by_name_is_read_until_its_slot_is_set),
        PROMISE(a_directory_of_chunks_is_cleared),
        PROMISE(chunks_that_cannot_all_be_cleared_all_stay),
        PROMISE(clearing_chunks_survives_a_failing_allocation),
        PROMISE(handles_share_everything),
        PROMISE(a_shard_that_is_missing_is_damage),
        PROMISE(a_set_that_fails_changes_nothing),
        PROMISE(a_commit_that_fails_can_be_made_again),
        PROMISE(every_call_survives_a_failing_allocation),
        PROMISE(every_call_survives_a_block_store_that_fails),
        PROMISE(threads_write_read_resize_and_commit_at_once),
    };

    return run_store_contract("sharded", setup_v2, teardown) +
           cmocka_run_group_tests_name("sharded store", tests, NULL, NULL);
}
