/* Our own encrypted format keeps the contract of stores; its root, its ranges, and what needs no key. */
#include "store/contract.h"

#include "patched_blockstore.h"
#include "support/faulty_blockstore.h"

#include "encrypted/store.h"

#include <stdio.h>

typedef struct held {
    vv_blockstore *blocks;
    vv_key *key;
} held;

static int setup(void **state)
{
    store_fixture *fixture = calloc(1, sizeof(*fixture));
    held *all = calloc(1, sizeof(*all));

    *state = fixture;
    fixture->held = all;
    if (vv_memory_blockstore_new(&all->blocks, NULL) || vv_key_new(&all->key, NULL))
        return 1;
    return vv_encrypted_store_open(all->blocks, NULL, all->key, NULL, &fixture->store,
                                   NULL) != VV_OK;
}

static int teardown(void **state)
{
    store_fixture *fixture = *state;
    held *all = fixture->held;

    vv_store_free(fixture->store);
    vv_blockstore_free(all->blocks);
    vv_key_free(all->key);
    free(all);
    free(fixture);
    return 0;
}

static held *held_of(void **state)
{
    return ((store_fixture *)*state)->held;
}

static uint64_t block_count(held *all)
{
    vv_blockstore_stats stats;

    assert_int_equal(vv_blockstore_stat(all->blocks, &stats, NULL), VV_OK);
    return stats.block_count;
}

static vv_store *open_again(held *all, const vv_cid *root, bool read_only)
{
    vv_encrypted_options options = VV_ENCRYPTED_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;

    options.read_only = read_only;
    assert_vv_ok(
        vv_encrypted_store_open(all->blocks, root, all->key, &options, &store, &err));
    return store;
}

static void a_store_opened_from_its_root_reads_the_same(void **state)
{
    store_fixture *fixture = *state;
    held *all = fixture->held;
    vv_error err = VV_ERROR_INIT;
    vv_store *again;
    vv_cid root;
    vv_cid same;

    set_text(fixture->store, "zarr.json", "{}");
    set_text(fixture->store, "t/c/0", "chunk");
    assert_vv_ok(vv_store_commit(fixture->store, &root, &err));
    set_text(fixture->store, "t/c/0", "changed later");
    again = open_again(all, &root, true);
    assert_text(again, "t/c/0", "chunk");
    assert_listing(listing(again, ""), "t/c/0 zarr.json");
    assert_listing(listing(again, "t/"), "t/c/0");
    assert_listing(dir_listing(again, "t"), "c/");
    assert_int_equal(vv_store_set(again, "k", vv_bytes_of("x"), &err), VV_EREADONLY);
    assert_vv_ok(vv_store_commit(again, &same, &err));
    assert_true(vv_cid_equal(&root, &same));
    vv_store_free(again);
}

static void a_commit_without_changes_stores_nothing(void **state)
{
    store_fixture *fixture = *state;
    held *all = fixture->held;
    vv_error err = VV_ERROR_INIT;
    vv_store *again;
    vv_cid first;
    vv_cid second;
    uint64_t blocks;

    for (int i = 0; i < 50; i++) {
        char key[16];

        snprintf(key, sizeof(key), "t/c/%d", i);
        set_text(fixture->store, key, key);
    }
    assert_vv_ok(vv_store_commit(fixture->store, &first, &err));
    blocks = block_count(all);
    assert_vv_ok(vv_store_commit(fixture->store, &second, &err));
    assert_true(vv_cid_equal(&first, &second));
    again = open_again(all, &first, false);
    assert_vv_ok(vv_store_commit(again, &second, &err));
    assert_true(vv_cid_equal(&first, &second));
    assert_int_equal(block_count(all), blocks);
    /* One value more: its block, a new root node or two, a new root. */
    set_text(again, "t/c/7", "other");
    assert_vv_ok(vv_store_commit(again, &second, &err));
    assert_in_range(block_count(all), blocks + 3, blocks + 4);
    vv_store_free(again);
}

/* ---- ranges ---------------------------------------------------------------------------------- */

static void ranges_are_those_of_the_value(void **state)
{
    static const size_t lengths[] = { 0, 1, 4095, 4096, 4097, 8191, 8192, 8193, 50000 };
    held *all = held_of(state);
    vv_encrypted_options options = VV_ENCRYPTED_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    uint64_t seed = 4;
    vv_store *store;

    options.segment_bytes = VVI_ENC_SEGMENT_MIN;
    assert_vv_ok(
        vv_encrypted_store_open(all->blocks, NULL, all->key, &options, &store, &err));
    for (size_t n = 0; n < sizeof(lengths) / sizeof(*lengths); n++) {
        uint8_t *value = malloc(lengths[n] + 1);

        for (size_t i = 0; i < lengths[n]; i++)
            value[i] = (uint8_t)next_random(&seed);
        assert_vv_ok(vv_store_set(store, "k", vvi_bytes(value, lengths[n]), &err));
        for (int i = 0; i < 400; i++) {
            uint64_t from = next_random(&seed) % (lengths[n] + 20);
            uint64_t len = next_random(&seed) % (i % 2 ? 30 : lengths[n] + 20);
            vv_range ranges[] = { VV_RANGE_OF(from, len), VV_RANGE_AT(from),
                                  VV_RANGE_SUFFIX(len), VV_RANGE_ALL };
            vv_range range = ranges[next_random(&seed) % 4];
            vv_buf got = VV_BUF_INIT;
            uint64_t at;
            uint64_t count;

            vvi_range_resolve(range, lengths[n], &at, &count);
            assert_vv_ok(vv_store_get(store, "k", range, &got, &err));
            assert_int_equal(got.len, count);
            if (count)
                assert_memory_equal(got.data, value + at, count);
            vv_buf_clear(&got);
        }
        free(value);
    }
    vv_store_free(store);
}

/* A range reads and decrypts the segments that it touches: 64 KiB at most for 4 kB, whatever the length. */
static void a_short_range_of_a_long_value_reads_two_segments_at_most(void **state)
{
    held *all = held_of(state);
    patched_blockstore *counting = patched_blockstore_new(all->blocks, false);
    vv_error err = VV_ERROR_INIT;
    size_t len = (size_t)64 << 20;
    uint8_t *value = malloc(len);
    const char *key = "k";
    vv_buf got = VV_BUF_INIT;
    vv_store *store;

    for (size_t i = 0; i < len; i++)
        value[i] = (uint8_t)(i ^ i >> 8 ^ i >> 17);
    assert_vv_ok(
        vv_encrypted_store_open(&counting->base, NULL, all->key, NULL, &store, &err));
    assert_vv_ok(vv_store_set(store, key, vvi_bytes(value, len), &err));
    for (size_t i = 0; i < 40; i++) {
        size_t at = i * (len - 4096) / 39;
        vv_range range = VV_RANGE_OF(at, 4096);

        counting->bytes_read = 0;
        if (i % 2)
            assert_vv_ok(vv_store_get(store, key, range, &got, &err));
        else
            assert_vv_ok(vv_store_get_many(store, &key, &range, 1, &got, NULL, &err));
        assert_int_equal(got.len, 4096);
        assert_memory_equal(got.data, value + at, 4096);
        assert_in_range(counting->bytes_read, 31760, 2 * 31760);
    }
    /* All of it, by several threads, and checked by its hash. */
    assert_vv_ok(vv_store_get(store, key, VV_RANGE_ALL, &got, &err));
    assert_int_equal(got.len, len);
    assert_memory_equal(got.data, value, len);
    vv_buf_clear(&got);
    free(value);
    vv_store_free(store);
    vv_blockstore_free(&counting->base);
}

static void one_bad_value_is_named_among_good_ones(void **state)
{
    vv_store *store = ((store_fixture *)*state)->store;
    vv_error err = VV_ERROR_INIT;
    const char *keys[] = { "good", "none", "bad", "fine" };
    vv_buf outs[4] = { VV_BUF_INIT, VV_BUF_INIT, VV_BUF_INIT, VV_BUF_INIT };
    vv_status statuses[4];
    vv_cid pointer;

    set_text(store, "good", "a");
    set_text(store, "fine", "b");
    assert_vv_ok(vv_store_pointer(store, "good", &pointer, &err));
    assert_vv_ok(vv_store_set_pointer(store, "bad", &pointer, &err));
    assert_int_equal(vv_store_get_many(store, keys + 2, NULL, 2, outs, NULL, &err),
                     VV_EAUTH);
    assert_non_null(strstr(err.message, "'bad'"));
    assert_null(outs[1].data);
    assert_vv_ok(vv_store_get_many(store, keys, NULL, 4, outs, statuses, &err));
    assert_int_equal(statuses[0], VV_OK);
    assert_int_equal(statuses[1], VV_ENOTFOUND);
    assert_int_equal(statuses[2], VV_EAUTH);
    assert_int_equal(statuses[3], VV_OK);
    assert_null(outs[2].data);
    for (int i = 0; i < 4; i++)
        vv_buf_clear(&outs[i]);
}

/* ---- without a key ---------------------------------------------------------------------------- */

static vv_status count_blocks(void *ctx, const vv_dag_visit *visit, vv_error *err)
{
    (void)err;
    assert_int_equal(visit->status, VV_OK);
    ++*(size_t *)ctx;
    return VV_OK;
}

static vv_cid fill(vv_store *store, unsigned n)
{
    vv_error err = VV_ERROR_INIT;
    vv_cid root;

    for (unsigned i = 0; i < n; i++) {
        char key[24];

        snprintf(key, sizeof(key), "t/c/%u", i);
        set_text(store, key, key);
    }
    assert_vv_ok(vv_store_commit(store, &root, &err));
    return root;
}

static void verification_needs_no_key_and_misses_no_block(void **state)
{
    store_fixture *fixture = *state;
    held *all = fixture->held;
    vv_error err = VV_ERROR_INIT;
    vv_verify_result result;
    vv_encrypted_info info;
    vvi_descriptor at;
    vv_cid pointer;
    vv_cid root = fill(fixture->store, 30);

    assert_vv_ok(vv_encrypted_info_read(all->blocks, &root, &info, &err));
    assert_vv_ok(vv_hamt_verify(all->blocks, &info.tree, NULL, &result, &err));
    assert_int_equal(result.values, 30);
    assert_int_equal(result.keys, 30);
    assert_vv_ok(vv_store_pointer(fixture->store, "t/c/3", &pointer, &err));
    assert_vv_ok(vvi_descriptor_of_cid(&pointer, &at, &err));
    assert_vv_ok(vv_blockstore_delete(all->blocks, &at.body, &err));
    assert_int_equal(vv_hamt_verify(all->blocks, &info.tree, NULL, &result, &err),
                     VV_ECORRUPT);
    assert_int_equal(result.missing, 1);
    vv_encrypted_info_clear(&info);
}

static void a_walk_and_a_car_file_hold_everything(void **state)
{
    store_fixture *fixture = *state;
    held *all = fixture->held;
    vv_error err = VV_ERROR_INIT;
    held other = { NULL, all->key };
    vv_cid root = fill(fixture->store, 30);
    char *directory = make_directory();
    char path[256];
    size_t visited = 0;
    vv_store *again;

    assert_vv_ok(vv_dag_walk(all->blocks, &root, 1, NULL, count_blocks, &visited, &err));
    /* The root, the tree, the values, and the names in the tree that hold their descriptor. */
    assert_in_range(visited, 1 + 1 + 30 + 30, 1 + 40 + 30 + 30);
    snprintf(path, sizeof(path), "%s/set.car", directory);
    assert_vv_ok(vv_car_export(all->blocks, &root, 1, NULL, path, NULL, &err));
    assert_vv_ok(vv_memory_blockstore_new(&other.blocks, &err));
    assert_vv_ok(vv_car_import(path, other.blocks, NULL, NULL, NULL, NULL, &err));
    again = open_again(&other, &root, true);
    assert_text(again, "t/c/29", "t/c/29");
    for (int i = 0; i < 30; i++) {
        char key[24];

        snprintf(key, sizeof(key), "t/c/%d", i);
        assert_text(again, key, key);
    }
    vv_store_free(again);
    vv_blockstore_free(other.blocks);
    remove_directory(directory);
}

/* ---- options, and what fails ------------------------------------------------------------------- */

static void options_that_are_none_are_refused(void **state)
{
    static const uint32_t sizes[] = { 1, 2048, 4097, 33000, 1u << 25, 1u << 31 };
    held *all = held_of(state);
    vv_encrypted_options options = VV_ENCRYPTED_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_store *store;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        options.segment_bytes = sizes[i];
        assert_int_equal(
            vv_encrypted_store_open(all->blocks, NULL, all->key, &options, &store, &err),
            VV_EINVAL);
    }
    options.segment_bytes = 0;
    options.read_only = true;
    assert_int_equal(
        vv_encrypted_store_open(all->blocks, NULL, all->key, &options, &store, &err),
        VV_EINVAL);
    options.read_only = false;
    options.ids.version = VV_CID_BARE;
    options.ids.hash = VV_HASH_BLAKE3;
    assert_int_equal(
        vv_encrypted_store_open(all->blocks, NULL, all->key, &options, &store, &err),
        VV_EINVAL);
}

static void blocks_are_named_by_the_hash_that_is_asked_for(void **state)
{
    held *all = held_of(state);
    vv_encrypted_options options = VV_ENCRYPTED_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_store *store;
    vv_cid root;

    options.ids.hash = VV_HASH_SHA2_512;
    options.ids.version = 1;
    assert_vv_ok(
        vv_encrypted_store_open(all->blocks, NULL, all->key, &options, &store, &err));
    root = fill(store, 3);
    vv_store_free(store);
    assert_int_equal(root.hash, VV_HASH_SHA2_512);
    store = open_again(all, &root, false);
    set_text(store, "more", "x");
    assert_vv_ok(vv_store_commit(store, &root, &err));
    assert_int_equal(root.hash, VV_HASH_SHA2_512);
    vv_store_free(store);
}

/* A data set made, filled, committed, opened again and read in every way. */
static vv_status make_and_read(void *ctx)
{
    held *all = ctx;
    vv_blockstore *blocks = NULL;
    const char *keys[] = { "zarr.json", "t/c/0", "none" };
    vv_bytes values[] = { vv_bytes_of("{}"), vv_bytes_of("chunk") };
    vv_buf outs[3] = { VV_BUF_INIT, VV_BUF_INIT, VV_BUF_INIT };
    vv_status statuses[3];
    vv_encrypted_options options = VV_ENCRYPTED_OPTIONS_INIT;
    vv_store *store = NULL;
    vv_store *again = NULL;
    uint64_t size;
    vv_cid root;
    vv_status status = vv_memory_blockstore_new(&blocks, NULL);

    if (!status)
        status = vv_encrypted_store_open(blocks, NULL, all->key, NULL, &store, NULL);
    if (!status)
        status = vv_store_set_many(store, keys, values, 2, NULL);
    if (!status)
        status = vv_store_commit(store, &root, NULL);
    if (!status)
        status = vv_encrypted_store_open(blocks, &root, all->key, &options, &again, NULL);
    if (!status)
        status = vv_store_get_many(again, keys, NULL, 3, outs, statuses, NULL);
    if (!status)
        status = vv_store_get(again, "t/c/0", VV_RANGE_OF(1, 2), &outs[2], NULL);
    if (!status)
        status = vv_store_size(again, "t/c/0", &size, NULL);
    if (!status)
        status = vv_store_copy(again, "t/c/0", "t/c/1", NULL);
    if (!status)
        status = vv_store_delete_prefix(again, "t/", NULL, NULL);
    for (int i = 0; i < 3; i++)
        vv_buf_clear(&outs[i]);
    vv_store_free(store);
    vv_store_free(again);
    vv_blockstore_free(blocks);
    return status;
}

static void a_data_set_survives_failing_allocations(void **state)
{
    survives_failing_allocations(make_and_read, held_of(state));
}

/* Whatever call of the block store fails, the last root stays what it was. */
static vv_status change_and_commit(void *ctx)
{
    vv_store *store = ctx;
    vv_cid root;
    vv_status status = vv_store_set(store, "t/c/0", vv_bytes_of("changed"), NULL);

    return status ? status : vv_store_commit(store, &root, NULL);
}

static void a_commit_that_fails_leaves_the_former_root_valid(void **state)
{
    held *all = held_of(state);
    vv_blockstore *faulty = faulty_blockstore_new(all->blocks);
    vv_error err = VV_ERROR_INIT;
    vv_status status = VV_EIO;
    vv_store *store;
    vv_store *again;
    vv_cid root;

    assert_vv_ok(vv_encrypted_store_open(faulty, NULL, all->key, NULL, &store, &err));
    root = fill(store, 10);
    for (size_t n = 0; status; n++) {
        faulty_fail_after(faulty, n, VV_EIO, false);
        status = change_and_commit(store);
        assert_true(status == VV_OK || status == VV_EIO);
        faulty_stop(faulty);
        again = open_again(all, &root, true);
        assert_text(again, "t/c/0", "t/c/0");
        vv_store_free(again);
    }
    assert_text(store, "t/c/0", "changed");
    assert_vv_ok(vv_store_commit(store, &root, &err));
    again = open_again(all, &root, true);
    assert_text(again, "t/c/0", "changed");
    vv_store_free(again);
    vv_store_free(store);
    vv_blockstore_free(faulty);
}

#define WITH_STORE(test_) cmocka_unit_test_setup_teardown(test_, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(a_store_opened_from_its_root_reads_the_same),
        WITH_STORE(a_commit_without_changes_stores_nothing),
        WITH_STORE(ranges_are_those_of_the_value),
        WITH_STORE(a_short_range_of_a_long_value_reads_two_segments_at_most),
        WITH_STORE(one_bad_value_is_named_among_good_ones),
        WITH_STORE(verification_needs_no_key_and_misses_no_block),
        WITH_STORE(a_walk_and_a_car_file_hold_everything),
        WITH_STORE(options_that_are_none_are_refused),
        WITH_STORE(blocks_are_named_by_the_hash_that_is_asked_for),
        WITH_STORE(a_data_set_survives_failing_allocations),
        WITH_STORE(a_commit_that_fails_leaves_the_former_root_valid),
    };
    int failed = run_store_contract("encrypted store", setup, teardown);

    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
