/* Who can open a data set: keys are added, exchanged and taken away over the same tree. */
#include "support/faulty_blockstore.h"
#include "support/support.h"

#include "util/buf.h"

typedef struct fixture {
    vv_blockstore *blocks;
    vv_key *key;
    vv_cid root;
} fixture;

static vv_key *new_key(void)
{
    vv_key *key = NULL;

    assert_int_equal(vv_key_new(&key, NULL), VV_OK);
    return key;
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    vv_error err = VV_ERROR_INIT;
    vv_store *store;

    *state = f;
    assert_vv_ok(vv_memory_blockstore_new(&f->blocks, &err));
    f->key = new_key();
    assert_vv_ok(vv_encrypted_store_open(f->blocks, NULL, f->key, NULL, &store, &err));
    assert_vv_ok(vv_store_set(store, "k", vv_bytes_of("value"), &err));
    assert_vv_ok(vv_store_commit(store, &f->root, &err));
    vv_store_free(store);
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    vv_blockstore_free(f->blocks);
    vv_key_free(f->key);
    free(f);
    return 0;
}

static vv_status read_with(fixture *f, const vv_cid *root, const vv_key *key,
                           vv_error *err)
{
    vv_encrypted_options options = VV_ENCRYPTED_OPTIONS_INIT;
    vv_store *store = NULL;
    vv_buf out = VV_BUF_INIT;
    vv_status status;

    options.read_only = true;
    status = vv_encrypted_store_open(f->blocks, root, key, &options, &store, err);
    if (!status)
        status = vv_store_get(store, "k", VV_RANGE_ALL, &out, err);
    if (!status)
        assert_memory_equal(out.data, "value", 5);
    vv_buf_clear(&out);
    vv_store_free(store);
    return status;
}

static uint64_t block_count(fixture *f)
{
    vv_blockstore_stats stats;

    assert_int_equal(vv_blockstore_stat(f->blocks, &stats, NULL), VV_OK);
    return stats.block_count;
}

static void another_key_does_not_open_it_and_is_told_which_does(void **state)
{
    fixture *f = *state;
    vv_error err = VV_ERROR_INIT;
    vv_key *other = new_key();
    uint8_t id[VV_KEY_ID_BYTES];
    char text[VV_KEY_ID_TEXT_MAX];

    assert_int_equal(read_with(f, &f->root, other, &err), VV_EAUTH);
    vv_key_id(f->key, id);
    vv_key_id_format(id, text);
    assert_non_null(strstr(err.message, text));
    vv_key_id(other, id);
    vv_key_id_format(id, text);
    assert_non_null(strstr(err.message, text));
    vv_key_free(other);
}

static void an_added_key_opens_it_beside_the_first(void **state)
{
    fixture *f = *state;
    vv_error err = VV_ERROR_INIT;
    vv_key *other = new_key();
    uint64_t before = block_count(f);
    vv_encrypted_info info;
    vv_encrypted_info old;
    vv_cid root;

    assert_vv_ok(vv_encrypted_add_key(f->blocks, &f->root, f->key, other, &root, &err));
    assert_int_equal(block_count(f), before + 1);
    assert_vv_ok(read_with(f, &root, f->key, &err));
    assert_vv_ok(read_with(f, &root, other, &err));
    assert_int_equal(read_with(f, &f->root, other, &err), VV_EAUTH);
    assert_vv_ok(vv_encrypted_info_read(f->blocks, &root, &info, &err));
    assert_vv_ok(vv_encrypted_info_read(f->blocks, &f->root, &old, &err));
    assert_int_equal(info.key_count, 2);
    assert_int_equal(old.key_count, 1);
    assert_true(vv_cid_equal(&info.tree, &old.tree));
    assert_memory_equal(info.data_set_id, old.data_set_id, 16);
    assert_int_equal(info.segment_bytes, 31744);
    vv_encrypted_info_clear(&info);
    vv_encrypted_info_clear(&old);
    assert_int_equal(vv_encrypted_add_key(f->blocks, &root, f->key, other, &root, &err),
                     VV_EEXISTS);
    vv_key_free(other);
}

static void rotation_takes_the_old_key_away_and_stores_one_block(void **state)
{
    fixture *f = *state;
    vv_error err = VV_ERROR_INIT;
    vv_key *fresh = new_key();
    uint64_t before = block_count(f);
    vv_cid root;
    vv_cid none;

    assert_vv_ok(
        vv_encrypted_rotate_key(f->blocks, &f->root, f->key, fresh, &root, &err));
    assert_int_equal(block_count(f), before + 1);
    assert_vv_ok(read_with(f, &root, fresh, &err));
    assert_int_equal(read_with(f, &root, f->key, &err), VV_EAUTH);
    assert_int_equal(
        vv_encrypted_rotate_key(f->blocks, &root, f->key, fresh, &none, &err), VV_EAUTH);
    assert_int_equal(vv_encrypted_rotate_key(f->blocks, &root, fresh, fresh, &none, &err),
                     VV_EEXISTS);
    vv_key_free(fresh);
}

static void a_key_is_removed_but_never_the_last(void **state)
{
    fixture *f = *state;
    vv_error err = VV_ERROR_INIT;
    vv_key *other = new_key();
    uint8_t id[VV_KEY_ID_BYTES];
    uint8_t other_id[VV_KEY_ID_BYTES];
    vv_cid root;

    vv_key_id(f->key, id);
    vv_key_id(other, other_id);
    assert_int_equal(
        vv_encrypted_remove_key(f->blocks, &f->root, f->key, id, &root, &err), VV_EINVAL);
    assert_int_equal(
        vv_encrypted_remove_key(f->blocks, &f->root, f->key, other_id, &root, &err),
        VV_ENOTFOUND);
    assert_vv_ok(vv_encrypted_add_key(f->blocks, &f->root, f->key, other, &root, &err));
    assert_vv_ok(vv_encrypted_remove_key(f->blocks, &root, other, id, &root, &err));
    assert_int_equal(read_with(f, &root, f->key, &err), VV_EAUTH);
    assert_vv_ok(read_with(f, &root, other, &err));
    vv_key_free(other);
}

static void a_root_of_another_kind_is_said_to_be_one(void **state)
{
    fixture *f = *state;
    vv_error err = VV_ERROR_INIT;
    vv_encrypted_info info;
    vv_store *plain;
    vv_cid root;
    vv_buf block = VV_BUF_INIT;

    assert_vv_ok(vv_blockstore_get(f->blocks, &f->root, &block, &err));
    assert_true(vv_encrypted_is_root(vvi_buf_bytes(&block)));
    assert_vv_ok(vv_hamt_store_open(f->blocks, NULL, NULL, &plain, &err));
    assert_vv_ok(vv_store_set(plain, "k", vv_bytes_of("value"), &err));
    assert_vv_ok(vv_store_commit(plain, &root, &err));
    vv_store_free(plain);
    assert_int_equal(read_with(f, &root, f->key, &err), VV_ECORRUPT);
    assert_int_equal(vv_encrypted_info_read(f->blocks, &root, &info, &err), VV_ECORRUPT);
    assert_vv_ok(vv_blockstore_get(f->blocks, &root, &block, &err));
    assert_false(vv_encrypted_is_root(vvi_buf_bytes(&block)));
    assert_false(vv_encrypted_is_root(vvi_bytes(NULL, 0)));
    assert_false(vv_encrypted_is_root(vv_bytes_of("text")));
    vv_buf_clear(&block);
}

static vv_status change_keys(void *ctx)
{
    fixture *f = ctx;
    vv_key *other = NULL;
    vv_key *third = NULL;
    vv_encrypted_info info = { 0 };
    uint8_t id[VV_KEY_ID_BYTES];
    vv_cid root;
    vv_status status = vv_key_new(&other, NULL);

    if (!status)
        status = vv_key_new(&third, NULL);
    if (!status)
        status = vv_encrypted_add_key(f->blocks, &f->root, f->key, other, &root, NULL);
    if (!status)
        status = vv_encrypted_rotate_key(f->blocks, &root, other, third, &root, NULL);
    vv_key_id(f->key, id);
    if (!status)
        status = vv_encrypted_remove_key(f->blocks, &root, third, id, &root, NULL);
    if (!status)
        status = vv_encrypted_info_read(f->blocks, &root, &info, NULL);
    vv_encrypted_info_clear(&info);
    vv_key_free(other);
    vv_key_free(third);
    return status;
}

/* In a block store of its own: what is stored stays allocated. */
static vv_status make_and_change(void *ctx)
{
    const fixture *f = ctx;
    fixture own = { .key = f->key };
    vv_store *store = NULL;
    vv_status status = vv_memory_blockstore_new(&own.blocks, NULL);

    if (!status)
        status = vv_encrypted_store_open(own.blocks, NULL, own.key, NULL, &store, NULL);
    if (!status)
        status = vv_store_commit(store, &own.root, NULL);
    vv_store_free(store);
    if (!status)
        status = change_keys(&own);
    vv_blockstore_free(own.blocks);
    return status;
}

static void changes_of_keys_survive_failing_allocations(void **state)
{
    survives_failing_allocations(make_and_change, *state);
}

static void changes_of_keys_survive_failing_calls(void **state)
{
    fixture *f = *state;
    vv_blockstore *faulty = faulty_blockstore_new(f->blocks);

    vv_status status = VV_EIO;
    vv_error err = VV_ERROR_INIT;

    vv_blockstore_free(f->blocks);
    f->blocks = faulty;
    for (size_t n = 0; status; n++) {
        faulty_fail_after(faulty, n, VV_EIO, false);
        status = change_keys(f);
        assert_true(status == VV_OK || status == VV_EIO);
        assert_int_equal(faulty_stop(faulty), status != VV_OK);
        assert_vv_ok(read_with(f, &f->root, f->key, &err));
    }
}

#define WITH(test_) cmocka_unit_test_setup_teardown(test_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(another_key_does_not_open_it_and_is_told_which_does),
        WITH(an_added_key_opens_it_beside_the_first),
        WITH(rotation_takes_the_old_key_away_and_stores_one_block),
        WITH(a_key_is_removed_but_never_the_last),
        WITH(a_root_of_another_kind_is_said_to_be_one),
        WITH(changes_of_keys_survive_failing_allocations),
        WITH(changes_of_keys_survive_failing_calls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
