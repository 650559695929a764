/* The HAMT store keeps the contract, names its contents by a root, and tells damage from absence. */
#include "store/contract.h"

#include "util/buf.h"

#include <stdio.h>

static int setup(void **state)
{
    store_fixture *fixture = calloc(1, sizeof(*fixture));
    vv_blockstore *blocks = NULL;

    *state = fixture;
    if (!fixture || vv_memory_blockstore_new(&blocks, NULL))
        return 1;
    fixture->held = blocks;
    return vv_hamt_store_open(blocks, NULL, NULL, &fixture->store, NULL) != VV_OK;
}

static int teardown(void **state)
{
    store_fixture *fixture = *state;

    vv_store_free(fixture->store);
    vv_blockstore_free(fixture->held);
    free(fixture);
    return 0;
}

static void the_root_depends_on_the_content_alone(void **state)
{
    store_fixture *fixture = *state;
    vv_error err = VV_ERROR_INIT;
    vv_store *other = NULL;
    vv_cid first;
    vv_cid second;

    for (int i = 0; i < 100; i++) {
        char key[32];

        snprintf(key, sizeof(key), "a/c/%d", i);
        set_text(fixture->store, key, key);
    }
    assert_vv_ok(vv_store_commit(fixture->store, &first, &err));
    assert_vv_ok(vv_hamt_store_open(fixture->held, NULL, NULL, &other, &err));
    for (int i = 99; i >= 0; i--) {
        char key[32];

        snprintf(key, sizeof(key), "a/c/%d", i);
        set_text(other, key, "before");
        set_text(other, key, key);
    }
    set_text(other, "gone", "x");
    assert_vv_ok(vv_store_delete(other, "gone", &err));
    assert_vv_ok(vv_store_commit(other, &second, &err));
    assert_true(vv_cid_equal(&first, &second));
    vv_store_free(other);
}

static void a_store_opened_from_its_root_reads_the_same(void **state)
{
    store_fixture *fixture = *state;
    vv_hamt_options options = VV_HAMT_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_store *again = NULL;
    vv_cid root;

    set_text(fixture->store, "zarr.json", "{}");
    set_text(fixture->store, "t/c/0", "chunk");
    assert_vv_ok(vv_store_commit(fixture->store, &root, &err));
    set_text(fixture->store, "t/c/0", "changed later");
    options.read_only = true;
    assert_vv_ok(vv_hamt_store_open(fixture->held, &root, &options, &again, &err));
    assert_true(vv_store_is_read_only(again));
    assert_text(again, "t/c/0", "chunk");
    assert_listing(listing(again, ""), "t/c/0 zarr.json");
    assert_int_equal(vv_store_set(again, "k", vv_bytes_of("x"), &err), VV_EREADONLY);
    assert_int_equal(vv_store_delete(again, "t/c/0", &err), VV_EREADONLY);
    assert_vv_ok(vv_store_flush(again, &err));
    vv_store_free(again);
}

static void a_missing_value_block_is_damage_not_absence(void **state)
{
    static const char *const keys[] = { "there", "t/c/0", "absent" };
    store_fixture *fixture = *state;
    vv_buf outs[3] = { VV_BUF_INIT, VV_BUF_INIT, VV_BUF_INIT };
    vv_status statuses[3];
    vv_error err = VV_ERROR_INIT;
    vv_buf out = VV_BUF_INIT;
    vv_cid pointer;
    bool there = false;
    uint64_t size;

    set_text(fixture->store, "there", "value");
    set_text(fixture->store, "t/c/0", "chunk");
    assert_vv_ok(vv_store_pointer(fixture->store, "t/c/0", &pointer, &err));
    assert_vv_ok(vv_blockstore_delete(fixture->held, &pointer, &err));
    assert_int_equal(vv_store_get(fixture->store, "t/c/0", VV_RANGE_ALL, &out, &err),
                     VV_ECORRUPT);
    assert_non_null(strstr(err.message, "t/c/0"));
    assert_vv_ok(vv_store_exists(fixture->store, "t/c/0", &there, &err));
    assert_true(there);
    assert_int_equal(vv_store_size(fixture->store, "t/c/0", &size, &err), VV_ECORRUPT);
    assert_non_null(strstr(err.message, "t/c/0"));
    assert_int_equal(vv_store_size(fixture->store, "absent", &size, &err), VV_ENOTFOUND);
    assert_vv_ok(vv_store_get_many(fixture->store, keys, NULL, 3, outs, statuses, &err));
    assert_int_equal(statuses[0], VV_OK);
    assert_int_equal(statuses[1], VV_ECORRUPT);
    assert_int_equal(statuses[2], VV_ENOTFOUND);
    assert_int_equal(vv_store_get_many(fixture->store, keys, NULL, 2, outs, NULL, &err),
                     VV_ECORRUPT);
    assert_non_null(strstr(err.message, "t/c/0"));
    for (int i = 0; i < 3; i++)
        vv_buf_clear(&outs[i]);
}

static void only_a_hamt_store_has_a_root(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_store *memory = NULL;
    vv_cid cid;

    (void)state;
    assert_vv_ok(vv_memory_store_new(&memory, &err));
    assert_int_equal(vv_store_commit(memory, &cid, &err), VV_EINVAL);
    assert_int_equal(vv_store_pointer(memory, "k", &cid, &err), VV_EINVAL);
    assert_int_equal(vv_store_pointers(memory, (const char *[]){ "k" }, 1, &cid,
                                       &(vv_status){ VV_OK }, &err),
                     VV_EINVAL);
    vv_store_free(memory);
}

static void pointers_of_many_keys_are_those_of_each(void **state)
{
    static const char *const keys[] = { "a", "none", "b/c" };
    store_fixture *fixture = *state;
    vv_error err = VV_ERROR_INIT;
    vv_status statuses[3];
    vv_cid pointers[3];
    vv_cid one;

    assert_vv_ok(vv_store_set(fixture->store, "a", vv_bytes_of("1"), &err));
    assert_vv_ok(vv_store_set(fixture->store, "b/c", vv_bytes_of("2"), &err));
    assert_vv_ok(vv_store_pointers(fixture->store, keys, 3, pointers, statuses, &err));
    assert_int_equal(statuses[0], VV_OK);
    assert_int_equal(statuses[1], VV_ENOTFOUND);
    assert_int_equal(statuses[2], VV_OK);
    assert_vv_ok(vv_store_pointer(fixture->store, "b/c", &one, &err));
    assert_true(vv_cid_equal(&one, &pointers[2]));
    /* And they can be given to other keys. */
    assert_vv_ok(vv_store_set_pointer(fixture->store, "d", &pointers[0], &err));
    assert_vv_ok(vv_store_pointer(fixture->store, "d", &one, &err));
    assert_true(vv_cid_equal(&one, &pointers[0]));
    assert_int_equal(vv_store_pointers(fixture->store, (const char *[]){ "/a" }, 1,
                                       pointers, statuses, &err),
                     VV_EINVAL);
}

static void set_many_keys(vv_store *store)
{
    static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h" };
    const char *keys[800];
    vv_bytes values[800];

    for (int i = 0; i < 800; i++) {
        keys[i] = names[i % 8];
        values[i] = vv_bytes_of(names[i / 8 % 8]);
    }
    (void)vv_store_set_many(store, keys, values, 800, NULL);
}

static void set_if_absent(vv_store *store)
{
    (void)vv_store_set_if_absent(store, "a", vv_bytes_of("value"), NULL);
}

/* Changes of all kinds go beside each other, but for one that depends on what is there. */
static void who_sets_if_absent_gets_its_turn_among_changes(void **state)
{
    store_fixture *fixture = *state;

    assert_a_writer_gets_its_turn(fixture->store, set_many_keys, set_if_absent);
}

int main(void)
{
#define OWN(function_) cmocka_unit_test_setup_teardown(function_, setup, teardown)
    const struct CMUnitTest tests[] = {
        OWN(the_root_depends_on_the_content_alone),
        OWN(a_store_opened_from_its_root_reads_the_same),
        OWN(a_missing_value_block_is_damage_not_absence),
        OWN(only_a_hamt_store_has_a_root),
        OWN(pointers_of_many_keys_are_those_of_each),
        OWN(who_sets_if_absent_gets_its_turn_among_changes),
    };
#undef OWN

    watch_allocations();
    return run_store_contract("HAMT", setup, teardown) |
           cmocka_run_group_tests(tests, NULL, NULL);
}
