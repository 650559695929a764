/*
 * What someone who has the blocks and not the key can do to a data set of our own format: change, swap, cut,
 * reorder and replay. Everything is refused with the name of the key, and no part of a value is handed out.
 */
#include "patched_blockstore.h"

#include "encrypted/store.h"

#include <stdio.h>

#define PLAIN   VVI_ENC_SEGMENT_MIN
#define SEGMENT (PLAIN + 16) /* in the body */

typedef struct fixture {
    vv_blockstore *blocks;
    patched_blockstore *lying; /* trusted, before blocks */
    vv_key *key;
    vv_store *store; /* on lying */
} fixture;

static int set_up(void **state)
{
    vv_encrypted_options options = VV_ENCRYPTED_OPTIONS_INIT;
    fixture *f = calloc(1, sizeof(*f));
    vv_error err = VV_ERROR_INIT;

    *state = f;
    options.segment_bytes = PLAIN;
    assert_vv_ok(vv_memory_blockstore_new(&f->blocks, &err));
    assert_vv_ok(vv_key_new(&f->key, &err));
    f->lying = patched_blockstore_new(f->blocks, true);
    assert_vv_ok(vv_encrypted_store_open(&f->lying->base, NULL, f->key, &options,
                                         &f->store, &err));
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    vv_store_free(f->store);
    vv_blockstore_free(&f->lying->base);
    vv_blockstore_free(f->blocks);
    vv_key_free(f->key);
    free(f);
    return 0;
}

static uint8_t *pattern(size_t len, uint8_t from)
{
    uint8_t *bytes = malloc(len + 1);

    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(from + i * 7 + i / 251);
    return bytes;
}

static void set_value(fixture *f, const char *key, size_t len, uint8_t from)
{
    vv_error err = VV_ERROR_INIT;
    uint8_t *bytes = pattern(len, from);

    assert_vv_ok(vv_store_set(f->store, key, vvi_bytes(bytes, len), &err));
    free(bytes);
}

/* A copy of a value's block, which is lied about from now on. */
static vv_buf aim(fixture *f, const char *key)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf copy = VV_BUF_INIT;
    vv_buf block = VV_BUF_INIT;
    vvi_descriptor at;
    vv_cid pointer;

    assert_vv_ok(vv_store_pointer(f->store, key, &pointer, &err));
    assert_vv_ok(vvi_descriptor_of_cid(&pointer, &at, &err));
    f->lying->lie = vvi_bytes(NULL, 0);
    assert_vv_ok(vv_blockstore_get(f->blocks, &at.body, &block, &err));
    assert_vv_ok(vvi_buf_set(&copy, vvi_buf_bytes(&block), &err));
    vv_buf_clear(&block);
    f->lying->name = at.body;
    f->lying->lie = vvi_buf_bytes(&copy);
    return copy;
}

static void assert_range_refused(fixture *f, const char *key, vv_range range)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf out = VV_BUF_INIT;
    vv_status status = vv_store_get(f->store, key, range, &out, &err);

    assert_true(status == VV_EAUTH || status == VV_ECORRUPT);
    assert_non_null(strstr(err.message, key));
    assert_null(out.data);
    err.message[0] = 0;
    status = vv_store_get_many(f->store, &key, &range, 1, &out, NULL, &err);
    assert_true(status == VV_EAUTH || status == VV_ECORRUPT);
    assert_non_null(strstr(err.message, key));
    assert_null(out.data);
}

static void assert_reads(fixture *f, const char *key, size_t len, uint8_t from)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf out = VV_BUF_INIT;
    uint8_t *bytes = pattern(len, from);

    assert_vv_ok(vv_store_get(f->store, key, VV_RANGE_ALL, &out, &err));
    assert_int_equal(out.len, len);
    if (len)
        assert_memory_equal(out.data, bytes, len);
    vv_buf_clear(&out);
    free(bytes);
}

static void every_changed_byte_of_a_value_is_refused(void **state)
{
    fixture *f = *state;
    size_t len = 2 * PLAIN + 100;
    vv_buf body;

    set_value(f, "t/c/0", len, 1);
    body = aim(f, "t/c/0");
    assert_int_equal(body.len, len + 3 * 16);
    for (size_t i = 0; i < body.len; i++) {
        uint64_t segment = i / SEGMENT;

        body.data[i] ^= (uint8_t)(1u << i % 8);
        assert_range_refused(f, "t/c/0", VV_RANGE_ALL);
        if (i % 97 == 0)
            assert_range_refused(f, "t/c/0", VV_RANGE_OF(segment * PLAIN + 5, 1));
        body.data[i] ^= (uint8_t)(1u << i % 8);
    }
    assert_reads(f, "t/c/0", len, 1);
    vv_buf_clear(&body);
}

/* In the tags every bit. */
static void every_bit_of_a_short_value_is_refused(void **state)
{
    static const size_t lengths[] = { 0, 1, 15, 40 };
    fixture *f = *state;

    for (size_t n = 0; n < sizeof(lengths) / sizeof(*lengths); n++) {
        vv_buf body;

        set_value(f, "k", lengths[n], 3);
        body = aim(f, "k");
        for (size_t bit = 0; bit < body.len * 8; bit++) {
            body.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_range_refused(f, "k", VV_RANGE_ALL);
            body.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_reads(f, "k", lengths[n], 3);
        vv_buf_clear(&body);
    }
}

static void segments_in_another_order_are_refused(void **state)
{
    fixture *f = *state;
    uint8_t *swapped = malloc(SEGMENT);
    vv_buf body;

    set_value(f, "t/c/0", 4 * PLAIN, 1);
    body = aim(f, "t/c/0");
    assert_int_equal(body.len, 4 * SEGMENT);
    for (size_t a = 0; a < 4; a++)
        for (size_t b = 0; b < 4; b++) {
            uint8_t *at_a = body.data + a * SEGMENT;
            uint8_t *at_b = body.data + b * SEGMENT;

            if (a == b)
                continue;
            memcpy(swapped, at_a, SEGMENT);
            memcpy(at_a, at_b, SEGMENT); /* b twice */
            assert_range_refused(f, "t/c/0", VV_RANGE_ALL);
            assert_range_refused(f, "t/c/0", VV_RANGE_OF(a * PLAIN + 9, 20));
            memcpy(at_b, swapped, SEGMENT); /* exchanged */
            assert_range_refused(f, "t/c/0", VV_RANGE_ALL);
            assert_range_refused(f, "t/c/0", VV_RANGE_OF(b * PLAIN, 1));
            memcpy(at_b, at_a, SEGMENT);
            memcpy(at_a, swapped, SEGMENT);
        }
    assert_reads(f, "t/c/0", 4 * PLAIN, 1);
    free(swapped);
    vv_buf_clear(&body);
}

static void a_value_that_was_cut_or_made_longer_is_refused(void **state)
{
    fixture *f = *state;
    vv_buf body;
    size_t full;

    set_value(f, "t/c/0", 2 * PLAIN + 7, 1);
    body = aim(f, "t/c/0");
    full = body.len;
    for (size_t len = 0; len < full; len += len % SEGMENT < 40 ? 1 : SEGMENT / 8) {
        f->lying->lie = vvi_bytes(body.data, len);
        assert_range_refused(f, "t/c/0", VV_RANGE_ALL);
        assert_range_refused(f, "t/c/0", VV_RANGE_SUFFIX(3));
    }
    assert_int_equal(vvi_buf_append_byte(&body, 0, NULL), VV_OK);
    f->lying->lie = vvi_bytes(body.data, full + 1);
    assert_range_refused(f, "t/c/0", VV_RANGE_ALL);
    vv_buf_clear(&body);
}

static void an_older_value_of_the_same_key_is_refused(void **state)
{
    fixture *f = *state;
    vv_buf old;
    vv_buf now;

    set_value(f, "t/c/0", PLAIN + 9, 1);
    old = aim(f, "t/c/0");
    set_value(f, "t/c/0", PLAIN + 9, 2);
    now = aim(f, "t/c/0");
    f->lying->lie = vvi_buf_bytes(&old);
    assert_range_refused(f, "t/c/0", VV_RANGE_ALL);
    assert_range_refused(f, "t/c/0", VV_RANGE_OF(2, 3));
    assert_range_refused(f, "t/c/0", VV_RANGE_SUFFIX(3));
    /* One segment of it, among those of today. */
    f->lying->lie = vvi_buf_bytes(&now);
    memcpy(now.data, old.data, SEGMENT);
    assert_range_refused(f, "t/c/0", VV_RANGE_ALL);
    assert_range_refused(f, "t/c/0", VV_RANGE_OF(0, 1));
    vv_buf_clear(&old);
    vv_buf_clear(&now);
}

static void the_value_of_another_key_is_refused(void **state)
{
    fixture *f = *state;
    vv_error err = VV_ERROR_INIT;
    vv_cid a;
    vv_cid b;

    set_value(f, "a/c/0", PLAIN + 9, 1);
    set_value(f, "b/c/0", PLAIN + 9, 1);
    assert_vv_ok(vv_store_pointer(f->store, "a/c/0", &a, &err));
    assert_vv_ok(vv_store_pointer(f->store, "b/c/0", &b, &err));
    assert_vv_ok(vv_store_set_pointer(f->store, "a/c/0", &b, &err));
    assert_vv_ok(vv_store_set_pointer(f->store, "b/c/0", &a, &err));
    assert_range_refused(f, "a/c/0", VV_RANGE_ALL);
    assert_range_refused(f, "b/c/0", VV_RANGE_OF(3, 3));
    assert_vv_ok(vv_store_set_pointer(f->store, "a/c/0", &a, &err));
    assert_reads(f, "a/c/0", PLAIN + 9, 1);
}

/* The salt and the length that the tree says. */
static void a_changed_descriptor_is_refused(void **state)
{
    fixture *f = *state;
    vv_error err = VV_ERROR_INIT;
    vvi_descriptor right;
    vvi_descriptor wrong;
    vv_cid pointer;
    uint64_t size;

    set_value(f, "k", 2 * PLAIN, 1);
    assert_vv_ok(vv_store_pointer(f->store, "k", &pointer, &err));
    assert_vv_ok(vvi_descriptor_of_cid(&pointer, &right, &err));
    for (size_t i = 0; i < sizeof(right.salt); i++) {
        wrong = right;
        wrong.salt[i] ^= 1;
        assert_vv_ok(vvi_descriptor_to_cid(&wrong, &pointer, &err));
        assert_vv_ok(vv_store_set_pointer(f->store, "k", &pointer, &err));
        assert_range_refused(f, "k", VV_RANGE_ALL);
        assert_range_refused(f, "k", VV_RANGE_OF(1, 1));
    }
    for (int64_t d = -40; d <= 40; d++) {
        wrong = right;
        wrong.length = (uint64_t)((int64_t)right.length + d);
        assert_vv_ok(vvi_descriptor_to_cid(&wrong, &pointer, &err));
        assert_vv_ok(vv_store_set_pointer(f->store, "k", &pointer, &err));
        if (d) {
            assert_range_refused(f, "k", VV_RANGE_ALL);
            assert_range_refused(f, "k", VV_RANGE_OF(1, 1));
        }
    }
    wrong.length = UINT64_MAX;
    assert_vv_ok(vvi_descriptor_to_cid(&wrong, &pointer, &err));
    assert_vv_ok(vv_store_set_pointer(f->store, "k", &pointer, &err));
    assert_range_refused(f, "k", VV_RANGE_ALL);
    assert_int_equal(vv_store_size(f->store, "k", &size, &err), VV_ECORRUPT);
    assert_non_null(strstr(err.message, "'k'"));
}

static void what_is_no_descriptor_is_no_pointer(void **state)
{
    fixture *f = *state;
    vv_error err = VV_ERROR_INIT;
    vv_cid_prefix raw = VV_PREFIX_RAW_BLAKE3;
    vv_cid cid;

    assert_vv_ok(vv_cid_of(&raw, vv_bytes_of("block"), &cid, &err));
    assert_int_equal(vv_store_set_pointer(f->store, "k", &cid, &err), VV_EINVAL);
    assert_non_null(strstr(err.message, "'k'"));
}

/* ---- the root ------------------------------------------------------------------------------- */

static vv_status open_block(fixture *f, vv_bytes block, vv_error *err)
{
    vv_cid_prefix prefix = VV_PREFIX_CBOR_BLAKE3;
    vv_store *store = NULL;
    vv_status status;
    vv_cid root;

    assert_int_equal(vv_blockstore_put(f->blocks, &prefix, block, &root, NULL), VV_OK);
    status = vv_encrypted_store_open(f->blocks, &root, f->key, NULL, &store, err);
    vv_store_free(store);
    return status;
}

static vv_buf root_block(fixture *f)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf block = VV_BUF_INIT;
    vv_buf copy = VV_BUF_INIT;
    vv_cid root;

    assert_vv_ok(vv_store_commit(f->store, &root, &err));
    assert_vv_ok(vv_blockstore_get(f->blocks, &root, &block, &err));
    assert_vv_ok(vvi_buf_set(&copy, vvi_buf_bytes(&block), &err));
    vv_buf_clear(&block);
    return copy;
}

static void every_changed_bit_of_a_root_is_refused(void **state)
{
    fixture *f = *state;
    vv_error err = VV_ERROR_INIT;
    vv_buf block;

    set_value(f, "k", 10, 1);
    block = root_block(f);
    assert_vv_ok(open_block(f, vvi_buf_bytes(&block), &err));
    for (size_t bit = 0; bit < block.len * 8; bit++) {
        vv_status status;

        block.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        status = open_block(f, vvi_buf_bytes(&block), &err);
        assert_true(status == VV_EAUTH || status == VV_ECORRUPT ||
                    status == VV_EUNSUPPORTED);
        assert_non_null(strstr(err.message, "root b"));
        block.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len < block.len; len++)
        assert_int_equal(open_block(f, vvi_bytes(block.data, len), &err), VV_ECORRUPT);
    vv_buf_clear(&block);
}

/* A tree of the same data set, made of entries that are all right in themselves: the seal names another. */
static void an_older_tree_under_todays_root_is_refused(void **state)
{
    fixture *f = *state;
    vv_error err = VV_ERROR_INIT;
    vvi_envelope old;
    vvi_envelope now;
    vv_buf old_block;
    vv_buf block;
    uint8_t *at = NULL;

    set_value(f, "k", 10, 1);
    old_block = root_block(f);
    set_value(f, "k", 10, 2);
    block = root_block(f);
    assert_vv_ok(vvi_envelope_decode(vvi_buf_bytes(&old_block), &old, &err));
    assert_vv_ok(vvi_envelope_decode(vvi_buf_bytes(&block), &now, &err));
    for (size_t i = 0; i + 32 <= block.len && !at; i++)
        if (memcmp(block.data + i, now.tree.digest, 32) == 0)
            at = block.data + i;
    assert_non_null(at);
    memcpy(at, old.tree.digest, 32);
    assert_int_equal(open_block(f, vvi_buf_bytes(&block), &err), VV_EAUTH);
    assert_non_null(strstr(err.message, "changed by someone"));
    vvi_envelope_clear(&old);
    vvi_envelope_clear(&now);
    vv_buf_clear(&old_block);
    vv_buf_clear(&block);
}

static void a_listing_refuses_names_of_others(void **state)
{
    fixture *f = *state;
    vv_error err = VV_ERROR_INIT;
    encrypted_store *inner = (encrypted_store *)f->store;
    vv_buf token = VV_BUF_INIT;
    vv_buf name = VV_BUF_INIT;
    vv_cid pointer;

    set_value(f, "a/zarr.json", 10, 1);
    assert_vv_ok(vv_store_pointer(f->store, "a/zarr.json", &pointer, &err));
    assert_vv_ok(vvi_name_seal(inner->keys, "a/zarr.json", &token, &err));
    for (size_t i = 0; i < token.len; i++) {
        uint8_t before = token.data[i];

        token.data[i] = before == 'A' ? 'B' : 'A';
        assert_int_equal(vvi_name_open(inner->keys, vvi_buf_bytes(&token), &name, &err),
                         VV_EAUTH);
        assert_int_equal(name.len, 0);
        token.data[i] = before;
    }
    for (size_t len = 0; len < token.len; len++)
        assert_int_equal(
            vvi_name_open(inner->keys, vvi_bytes(token.data, len), &name, &err),
            VV_EAUTH);
    assert_vv_ok(
        vv_hamt_set_pointer(inner->hamt, vv_bytes_of("zarr.json"), &pointer, &err));
    assert_int_equal(vv_store_delete_prefix(f->store, "a/", NULL, &err), VV_EAUTH);
    vv_buf_clear(&token);
    vv_buf_clear(&name);
}

/* Nothing of keys and values stands in any block. */
static vv_status look_into_block(void *ctx, const vv_cid *cid, uint64_t size,
                                 vv_error *err)
{
    vv_blockstore *blocks = ctx;
    vv_buf block = VV_BUF_INIT;

    (void)size;
    assert_int_equal(vv_blockstore_get(blocks, cid, &block, err), VV_OK);
    assert_null(memmem(block.data, block.len, "temperature", 11));
    assert_null(memmem(block.data, block.len, "zarr.json", 9));
    assert_null(memmem(block.data, block.len, "secret word", 11));
    vv_buf_clear(&block);
    return VV_OK;
}

static void no_block_shows_names_or_values(void **state)
{
    fixture *f = *state;
    vv_error err = VV_ERROR_INIT;
    vv_buf root;

    assert_vv_ok(vv_store_set(f->store, "temperature/zarr.json",
                              vv_bytes_of("a secret word"), &err));
    assert_vv_ok(
        vv_store_set(f->store, "temperature/c/0", vv_bytes_of("secret word"), &err));
    root = root_block(f);
    assert_vv_ok(vv_blockstore_iterate(f->blocks, look_into_block, f->blocks, &err));
    vv_buf_clear(&root);
}

#define WITH(test_) cmocka_unit_test_setup_teardown(test_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(every_changed_byte_of_a_value_is_refused),
        WITH(every_bit_of_a_short_value_is_refused),
        WITH(segments_in_another_order_are_refused),
        WITH(a_value_that_was_cut_or_made_longer_is_refused),
        WITH(an_older_value_of_the_same_key_is_refused),
        WITH(the_value_of_another_key_is_refused),
        WITH(a_changed_descriptor_is_refused),
        WITH(what_is_no_descriptor_is_no_pointer),
        WITH(every_changed_bit_of_a_root_is_refused),
        WITH(an_older_tree_under_todays_root_is_refused),
        WITH(a_listing_refuses_names_of_others),
        WITH(no_block_shows_names_or_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
