/* py-hamt's encrypted values: the contract of stores, ranges, refusals, and what stays of the inner store. */
#include "store/contract.h"

#include "encrypted/pyhamt.h"
#include "util/buf.h"

#include <varvite/store_backend.h>

#include <stdio.h>

typedef struct held {
    vv_blockstore *blocks;
    vv_store *inner;
    vv_key *key;
} held;

static vv_key *key_of(uint8_t fill)
{
    uint8_t bytes[VV_KEY_BYTES];
    vv_key *key = NULL;

    memset(bytes, fill, sizeof(bytes));
    assert_int_equal(vv_key_from_bytes(vvi_bytes(bytes, sizeof(bytes)), &key, NULL),
                     VV_OK);
    return key;
}

static int setup(void **state)
{
    store_fixture *fixture = calloc(1, sizeof(*fixture));
    held *all = calloc(1, sizeof(*all));

    *state = fixture;
    fixture->held = all;
    if (vv_memory_blockstore_new(&all->blocks, NULL) ||
        vv_hamt_store_open(all->blocks, NULL, NULL, &all->inner, NULL) ||
        vv_key_from_bytes(vvi_bytes("0123456789abcdef0123456789abcdef", 32), &all->key,
                          NULL))
        return 1;
    return vv_pyhamt_encrypted_store_new(all->inner, all->key, vv_bytes_of("header"),
                                         &fixture->store, NULL) != VV_OK;
}

static int teardown(void **state)
{
    store_fixture *fixture = *state;
    held *all = fixture->held;

    vv_store_free(fixture->store);
    vv_store_free(all->inner);
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

/* A value of the inner store, as it is stored. */
static vv_buf stored_of(held *all, const char *key)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf stored = VV_BUF_INIT;
    vv_buf own = VV_BUF_INIT;

    assert_vv_ok(vv_store_get(all->inner, key, VV_RANGE_ALL, &stored, &err));
    assert_vv_ok(vvi_buf_set(&own, vvi_buf_bytes(&stored), &err));
    vv_buf_clear(&stored);
    return own;
}

static void values_are_nonce_tag_and_ciphertext_and_never_repeat(void **state)
{
    vv_store *store = ((store_fixture *)*state)->store;
    held *all = held_of(state);
    vv_buf first;
    vv_buf second;

    set_text(store, "a/zarr.json", "the same text");
    set_text(store, "b/zarr.json", "the same text");
    first = stored_of(all, "a/zarr.json");
    second = stored_of(all, "b/zarr.json");
    assert_int_equal(first.len, 13 + 40);
    assert_memory_not_equal(first.data, second.data, 24);
    assert_memory_not_equal(first.data + 40, second.data + 40, 13);
    vv_buf_clear(&first);
    vv_buf_clear(&second);
}

static void assert_refused(vv_store *store, const char *key)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf out = VV_BUF_INIT;
    vv_range part = VV_RANGE_OF(1, 2);

    assert_int_equal(vv_store_get(store, key, VV_RANGE_ALL, &out, &err), VV_EAUTH);
    assert_non_null(strstr(err.message, key));
    err.message[0] = 0;
    assert_int_equal(vv_store_get(store, key, part, &out, &err), VV_EAUTH);
    assert_non_null(strstr(err.message, key));
    err.message[0] = 0;
    assert_int_equal(vv_store_get_many(store, &key, &part, 1, &out, NULL, &err),
                     VV_EAUTH);
    assert_non_null(strstr(err.message, key));
    assert_null(out.data);
}

static void every_flipped_bit_and_every_cut_is_refused(void **state)
{
    vv_store *store = ((store_fixture *)*state)->store;
    held *all = held_of(state);
    vv_error err = VV_ERROR_INIT;
    vv_buf stored;

    set_text(store, "t/c/0", "a chunk of some bytes");
    stored = stored_of(all, "t/c/0");
    for (size_t bit = 0; bit < stored.len * 8; bit++) {
        stored.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_vv_ok(vv_store_set(all->inner, "t/c/0", vvi_buf_bytes(&stored), &err));
        assert_refused(store, "t/c/0");
        stored.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len < stored.len; len++) {
        assert_vv_ok(
            vv_store_set(all->inner, "t/c/0", vvi_bytes(stored.data, len), &err));
        assert_refused(store, "t/c/0");
    }
    assert_vv_ok(vv_store_set(all->inner, "t/c/0", vvi_buf_bytes(&stored), &err));
    assert_text(store, "t/c/0", "a chunk of some bytes");
    vv_buf_clear(&stored);
}

static void another_key_or_header_is_refused(void **state)
{
    vv_store *store = ((store_fixture *)*state)->store;
    held *all = held_of(state);
    vv_error err = VV_ERROR_INIT;
    vv_key *other_key = key_of(7);
    vv_store *others[2];

    set_text(store, "t/c/0", "a chunk");
    assert_vv_ok(vv_pyhamt_encrypted_store_new(all->inner, other_key,
                                               vv_bytes_of("header"), &others[0], &err));
    assert_vv_ok(vv_pyhamt_encrypted_store_new(all->inner, all->key,
                                               vv_bytes_of("Header"), &others[1], &err));
    for (int i = 0; i < 2; i++) {
        assert_refused(others[i], "t/c/0");
        vv_store_free(others[i]);
    }
    vv_key_free(other_key);
}

/* py-hamt gives the whole value for any range. */
static void ranges_are_those_of_the_value(void **state)
{
    vv_store *store = ((store_fixture *)*state)->store;
    vv_error err = VV_ERROR_INIT;
    const char *keys[] = { "k", "k", "k" };
    vv_range ranges[] = { VV_RANGE_OF(2, 3), VV_RANGE_SUFFIX(2), VV_RANGE_AT(6) };
    vv_buf outs[3] = { VV_BUF_INIT, VV_BUF_INIT, VV_BUF_INIT };

    set_text(store, "k", "0123456789");
    assert_vv_ok(vv_store_get_many(store, keys, ranges, 3, outs, NULL, &err));
    assert_int_equal(outs[0].len, 3);
    assert_memory_equal(outs[0].data, "234", 3);
    assert_int_equal(outs[1].len, 2);
    assert_memory_equal(outs[1].data, "89", 2);
    assert_int_equal(outs[2].len, 4);
    assert_memory_equal(outs[2].data, "6789", 4);
    for (int i = 0; i < 3; i++)
        vv_buf_clear(&outs[i]);
}

static void one_bad_value_is_named_among_good_ones(void **state)
{
    vv_store *store = ((store_fixture *)*state)->store;
    held *all = held_of(state);
    vv_error err = VV_ERROR_INIT;
    const char *keys[] = { "good", "none", "bad", "fine" };
    vv_buf outs[4] = { VV_BUF_INIT, VV_BUF_INIT, VV_BUF_INIT, VV_BUF_INIT };
    vv_status statuses[4];

    set_text(store, "good", "a");
    set_text(store, "fine", "b");
    assert_vv_ok(vv_store_set(all->inner, "bad", vv_bytes_of("in clear"), &err));
    assert_int_equal(vv_store_get_many(store, keys + 2, NULL, 2, outs, NULL, &err),
                     VV_EAUTH);
    assert_non_null(strstr(err.message, "'bad'"));
    assert_null(outs[1].data);
    assert_vv_ok(vv_store_get_many(store, keys, NULL, 4, outs, statuses, &err));
    assert_int_equal(statuses[0], VV_OK);
    assert_int_equal(statuses[1], VV_ENOTFOUND);
    assert_int_equal(statuses[2], VV_EAUTH);
    assert_int_equal(statuses[3], VV_OK);
    assert_memory_equal(outs[3].data, "b", 1);
    assert_null(outs[2].data);
    for (int i = 0; i < 4; i++)
        vv_buf_clear(&outs[i]);
}

/* A store that cannot read the key "gone", and has the rest from another. */
typedef struct half_store {
    vv_store base;
    vv_store *inner; /* borrowed */
} half_store;

static vv_status half_get_many(vv_store *base, const char *const *keys,
                               const vv_range *ranges, size_t n, vv_buf *outs,
                               vv_status *statuses, vv_error *err)
{
    vv_status status = vv_store_get_many(((half_store *)base)->inner, keys, ranges, n,
                                         outs, statuses, err);

    for (size_t i = 0; i < n; i++)
        if (strcmp(keys[i], "gone") == 0)
            status = statuses[i] = vvi_fail(err, VV_EIO, "key 'gone' cannot be read");
    return status;
}

static void half_free(vv_store *base)
{
    free(base);
}

static void values_beside_one_that_cannot_be_read_are_decrypted(void **state)
{
    static const vv_store_ops ops = { .name = "half",
                                      .get_many = half_get_many,
                                      .free = half_free };
    vv_store *whole = ((store_fixture *)*state)->store;
    held *all = held_of(state);
    vv_error err = VV_ERROR_INIT;
    const char *keys[] = { "good", "gone", "bad" };
    vv_buf outs[3] = { VV_BUF_INIT, VV_BUF_INIT, VV_BUF_INIT };
    half_store *half = calloc(1, sizeof(*half));
    vv_status statuses[3];
    vv_store *store;

    set_text(whole, "good", "a");
    assert_vv_ok(vv_store_set(all->inner, "bad", vv_bytes_of("in clear"), &err));
    vv_store_base_init(&half->base, &ops, true);
    half->inner = all->inner;
    assert_vv_ok(vv_pyhamt_encrypted_store_new(&half->base, all->key,
                                               vv_bytes_of("header"), &store, &err));
    assert_int_equal(vv_store_get_many(store, keys, NULL, 3, outs, statuses, &err),
                     VV_EIO);
    assert_non_null(strstr(err.message, "'gone'"));
    assert_int_equal(statuses[0], VV_OK);
    assert_int_equal(outs[0].len, 1);
    assert_memory_equal(outs[0].data, "a", 1);
    assert_int_equal(statuses[1], VV_EIO);
    assert_int_equal(statuses[2], VV_EAUTH);
    assert_null(outs[2].data);
    for (int i = 0; i < 3; i++)
        vv_buf_clear(&outs[i]);
    vv_store_free(store);
    vv_store_free(&half->base);
}

static void the_root_and_the_pointers_are_the_inner_stores(void **state)
{
    vv_store *store = ((store_fixture *)*state)->store;
    held *all = held_of(state);
    vv_error err = VV_ERROR_INIT;
    uint64_t size;
    vv_cid root;
    vv_cid inner_root;
    vv_cid pointer;

    set_text(store, "a", "value");
    assert_vv_ok(vv_store_commit(store, &root, &err));
    assert_vv_ok(vv_store_commit(all->inner, &inner_root, &err));
    assert_true(vv_cid_equal(&root, &inner_root));
    assert_vv_ok(vv_store_pointer(store, "a", &pointer, &err));
    assert_vv_ok(vv_store_set_pointer(store, "b", &pointer, &err));
    assert_text(store, "b", "value");
    assert_vv_ok(vv_store_size(store, "b", &size, &err));
    assert_int_equal(size, 5);
    assert_vv_ok(vv_store_set(all->inner, "short", vv_bytes_of("39"), &err));
    assert_int_equal(vv_store_size(store, "short", &size, &err), VV_EAUTH);
}

static void any_store_can_hold_encrypted_values(void **state)
{
    held *all = held_of(state);
    vv_error err = VV_ERROR_INIT;
    vv_store *memory;
    vv_store *store;
    vv_cid root;

    assert_vv_ok(vv_memory_store_new(&memory, &err));
    assert_vv_ok(vv_pyhamt_encrypted_store_new(memory, all->key, vvi_bytes(NULL, 0),
                                               &store, &err));
    set_text(store, "k", "value");
    assert_text(store, "k", "value");
    assert_int_equal(vv_store_commit(store, &root, &err), VV_EINVAL);
    vv_store_free(store);
    vv_store_free(memory);
}

#define WITH_STORE(test_) cmocka_unit_test_setup_teardown(test_, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(values_are_nonce_tag_and_ciphertext_and_never_repeat),
        WITH_STORE(every_flipped_bit_and_every_cut_is_refused),
        WITH_STORE(another_key_or_header_is_refused),
        WITH_STORE(ranges_are_those_of_the_value),
        WITH_STORE(one_bad_value_is_named_among_good_ones),
        WITH_STORE(values_beside_one_that_cannot_be_read_are_decrypted),
        WITH_STORE(the_root_and_the_pointers_are_the_inner_stores),
        WITH_STORE(any_store_can_hold_encrypted_values),
    };
    int failed = run_store_contract("py-hamt's encrypted store", setup, teardown);

    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
