/* Shapes of trees: bucket sizes, deep and odd and hostile ones, and what is kept in memory. */
#include "hamt_support.h"

#include "hamt/node.h"
#include "util/buf.h"

#include <stdio.h>

static void identity(void *ctx, vv_bytes key, uint8_t *out, size_t out_len)
{
    size_t n = key.len < out_len ? key.len : out_len;

    (void)ctx;
    memset(out, 0, out_len);
    memcpy(out, key.data, n);
}

static vv_hamt_options options_of(uint32_t bucket)
{
    vv_hamt_options options = byte_options();

    options.max_bucket_size = bucket;
    return options;
}

static void a_smaller_bucket_size_loses_no_key(void **state)
{
    vv_hamt_options options = options_of(13);
    vv_blockstore *store = new_memory();
    vv_hamt *hamt = open_hamt(store, NULL, &options);
    vv_error err = VV_ERROR_INIT;
    vv_cid root;

    (void)state;
    for (uint64_t i = 0; i < 2000; i++)
        set_key(hamt, i, i);
    root = flush_hamt(hamt);
    vv_hamt_free(hamt);
    options.max_bucket_size = 1;
    hamt = open_hamt(store, &root, &options);
    for (uint64_t i = 2000; i < 2200; i++)
        set_key(hamt, i, i);
    assert_vv_ok(vv_hamt_vacate(hamt, NULL, &err));
    for (uint64_t i = 0; i < 2200; i++)
        assert_key(hamt, i, (int64_t)i);
    assert_int_equal(count_keys(hamt), 2200);
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

static void the_bucket_size_of_a_live_map_can_change(void **state)
{
    vv_hamt_options options = options_of(1);
    vv_blockstore *store = new_memory();
    vv_hamt *hamt = open_hamt(store, NULL, &options);
    vv_error err = VV_ERROR_INIT;
    uint64_t random = 8;
    vv_cid root;
    vv_cid right;
    int64_t values[600];

    (void)state;
    for (uint64_t i = 0; i < 600; i++) {
        assert_vv_ok(vv_hamt_set_max_bucket_size(
            hamt, (uint32_t)(next_random(&random) % 9 + 1), &err));
        set_key(hamt, i, i);
        if (i % 3 == 2)
            assert_vv_ok(vv_hamt_delete(hamt, key_number(i - 1), &err));
    }
    assert_int_equal(vv_hamt_set_max_bucket_size(hamt, 0, &err), VV_EINVAL);
    for (uint64_t i = 0; i < 600; i++)
        assert_key(hamt, i, i % 3 == 1 ? -1 : (int64_t)i);
    /* Delete all of it: an empty tree is an empty tree. */
    for (uint64_t i = 0; i < 600; i++) {
        values[i] = -1;
        if (i % 3 != 1)
            assert_vv_ok(vv_hamt_delete(hamt, key_number(i), &err));
    }
    root = flush_hamt(hamt);
    right = fresh_root(values, 600, &options);
    assert_same_cid(&root, &right);
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

static void keys_of_one_hash_fill_a_bucket_and_no_more(void **state)
{
    vv_hamt_options options = options_of(2);
    vv_blockstore *store = new_memory();
    vv_error err = VV_ERROR_INIT;
    vv_hamt *hamt;
    vv_cid root;

    (void)state;
    options.hash_fn = identity;
    options.hash_len = 3;
    hamt = open_hamt(store, NULL, &options);
    assert_vv_ok(vv_hamt_set(hamt, vv_bytes_of("abc1"), vv_bytes_of("1"), &err));
    assert_vv_ok(vv_hamt_set(hamt, vv_bytes_of("abc2"), vv_bytes_of("2"), &err));
    for (int flushed = 0; flushed < 2; flushed++) {
        vv_cid before = flush_hamt(hamt);

        assert_int_equal(vv_hamt_set(hamt, vv_bytes_of("abc3"), vv_bytes_of("3"), &err),
                         VV_ELIMIT);
        assert_non_null(strstr(err.message, "abc3"));
        root = flush_hamt(hamt);
        assert_same_cid(&before, &root);
        assert_int_equal(count_keys(hamt), 2);
        assert_vv_ok(vv_hamt_vacate(hamt, NULL, &err));
    }
    /* Another value for a key that is there needs no room. */
    assert_vv_ok(vv_hamt_set(hamt, vv_bytes_of("abc2"), vv_bytes_of("4"), &err));
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

static void deep_trees_fold_back_when_keys_go(void **state)
{
    vv_hamt_options options = options_of(1);
    vv_blockstore *store = new_memory();
    vv_error err = VV_ERROR_INIT;
    vv_hamt_stats stats;
    vv_hamt *hamt;

    (void)state;
    options.hash_fn = identity;
    hamt = open_hamt(store, NULL, &options);
    assert_vv_ok(vv_hamt_set(hamt, vv_bytes_of("0123456789abcdefghijklmnopqrstu1"),
                             vv_bytes_of("1"), &err));
    assert_vv_ok(vv_hamt_set(hamt, vv_bytes_of("0123456789abcdefghijklmnopqrstu2"),
                             vv_bytes_of("2"), &err));
    vv_hamt_stat(hamt, &stats);
    assert_int_equal(stats.dirty_nodes, 32);
    assert_vv_ok(vv_hamt_vacate(hamt, NULL, &err));
    assert_vv_ok(
        vv_hamt_delete(hamt, vv_bytes_of("0123456789abcdefghijklmnopqrstu2"), &err));
    assert_int_equal(count_keys(hamt), 1);
    vv_hamt_stat(hamt, &stats);
    assert_int_equal(stats.dirty_nodes, 1);
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

/* ---- hostile trees ------------------------------------------------------------------------ */

/* A node whose slots are all links to child, or empty when child is NULL. */
static vv_cid put_links(vv_blockstore *store, const vv_cid *child, const vv_cid *other)
{
    vv_buf block = VV_BUF_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_cid cid;

    assert_vv_ok(vv_cbor_put_list(&block, 256, &err));
    for (unsigned slot = 0; slot < 256; slot++) {
        const vv_cid *link = slot % 2 ? child : other;

        assert_vv_ok(link ? vv_cbor_put_list(&block, 1, &err)
                          : vv_cbor_put_map(&block, 0, &err));
        if (link)
            assert_vv_ok(vv_cbor_put_link(&block, link, &err));
    }
    assert_vv_ok(vv_blockstore_put(store, &VV_PREFIX_CBOR_BLAKE3, vvi_buf_bytes(&block),
                                   &cid, &err));
    vv_buf_clear(&block);
    return cid;
}

static vv_status ignore_key(void *ctx, vv_bytes key, const vv_cid *pointer, vv_error *err)
{
    (void)ctx;
    (void)key;
    (void)pointer;
    (void)err;
    return VV_OK;
}

static void a_tree_that_repeats_itself_ends_with_an_error(void **state)
{
    vv_blockstore *store = new_memory();
    vv_error err = VV_ERROR_INIT;
    vv_cid level = put_links(store, NULL, NULL);
    vv_cid twin = level;
    uint64_t count;
    vv_hamt *hamt;

    (void)state;
    /* Thirty levels of two nodes each, every one linking to both below: 2^30 ways down, and more
     * than 256^30 counted by slots. */
    for (int depth = 0; depth < 30; depth++) {
        vv_cid next = put_links(store, &level, &twin);

        twin = put_links(store, &twin, &level);
        level = next;
    }
    hamt = open_hamt(store, &level, NULL);
    assert_int_equal(vv_hamt_iterate(hamt, vv_bytes_of(""), ignore_key, NULL, &err),
                     VV_ECORRUPT);
    assert_int_equal(vv_hamt_len(hamt, &count, &err), VV_ECORRUPT);
    assert_key(hamt, 1, -1);
    assert_int_equal(vv_hamt_delete(hamt, key_number(1), &err), VV_ENOTFOUND);
    set_key(hamt, 1, 1);
    assert_key(hamt, 1, 1);
    assert_int_equal(vv_hamt_delete(hamt, key_number(1), &err), VV_ECORRUPT);
    assert_key(hamt, 1, 1);
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

static void a_tree_deeper_than_the_hash_is_refused_where_it_matters(void **state)
{
    vv_hamt_options options = byte_options();
    vv_blockstore *store = new_memory();
    vv_error err = VV_ERROR_INIT;
    vv_cid level = put_links(store, NULL, NULL);
    uint64_t count;
    vv_hamt *hamt;

    (void)state;
    for (int depth = 0; depth < 4; depth++)
        level = put_links(store, &level, &level);
    options.hash_len = 3;
    hamt = open_hamt(store, &level, &options);
    assert_key(hamt, 1, -1);
    assert_int_equal(vv_hamt_set(hamt, key_number(1), value_number(1), &err), VV_ELIMIT);
    assert_int_equal(vv_hamt_len(hamt, &count, &err), VV_ECORRUPT);
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

/* ---- memory ------------------------------------------------------------------------------- */

static void caps_bound_what_is_kept(void **state)
{
    vv_hamt_options options = byte_options();
    vv_blockstore *store = new_memory();
    vv_error err = VV_ERROR_INIT;
    vv_hamt_stats stats;
    vv_hamt *hamt;

    (void)state;
    options.dirty_bytes = 200000;
    options.clean_cache_bytes = 100000;
    hamt = open_hamt(store, NULL, &options);
    for (uint64_t i = 0; i < 20000; i++) {
        set_key(hamt, i, i);
        if (i % 64)
            continue;
        vv_hamt_stat(hamt, &stats);
        assert_true(stats.dirty_bytes < 230000);
        assert_true(stats.clean_bytes <= 100000);
    }
    assert_true(stats.node_saves > 0);
    assert_int_equal(count_keys(hamt), 20000);
    for (uint64_t i = 0; i < 20000; i += 17)
        assert_key(hamt, i, (int64_t)i);
    vv_hamt_stat(hamt, &stats);
    assert_true(stats.clean_bytes <= 100000);
    assert_vv_ok(vv_hamt_vacate(hamt, NULL, &err));
    vv_hamt_stat(hamt, &stats);
    assert_int_equal(stats.dirty_nodes, 0);
    assert_int_equal(stats.dirty_bytes, 0);
    assert_int_equal(stats.clean_nodes, 0);
    assert_int_equal(stats.encoded_bytes, 0);
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

static void reading_twice_keeps_and_loads_each_node_once(void **state)
{
    vv_blockstore *store = new_memory();
    vv_hamt *hamt = open_hamt(store, NULL, NULL);
    vv_error err = VV_ERROR_INIT;
    vv_hamt_stats first;
    vv_hamt_stats second;

    (void)state;
    for (uint64_t i = 0; i < 5000; i++)
        set_key(hamt, i, i);
    assert_vv_ok(vv_hamt_vacate(hamt, NULL, &err));
    for (uint64_t i = 0; i < 5000; i++)
        assert_key(hamt, i, (int64_t)i);
    vv_hamt_stat(hamt, &first);
    assert_int_equal(first.node_loads, 257);
    assert_int_equal(first.clean_nodes, 257);
    for (uint64_t i = 0; i < 5000; i++)
        assert_key(hamt, i, (int64_t)i);
    vv_hamt_stat(hamt, &second);
    assert_int_equal(second.node_loads, first.node_loads);
    assert_int_equal(second.encoded_bytes, first.encoded_bytes);
    assert_true(second.node_hits > first.node_hits);
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

static void a_flush_without_changes_saves_nothing(void **state)
{
    vv_blockstore *store = new_memory();
    vv_hamt *hamt = open_hamt(store, NULL, NULL);
    vv_hamt_stats stats;
    uint64_t changed;
    uint64_t saves;
    vv_cid a;
    vv_cid b;

    (void)state;
    for (uint64_t i = 0; i < 3000; i++)
        set_key(hamt, i, i);
    vv_hamt_stat(hamt, &stats);
    changed = stats.dirty_nodes;
    a = flush_hamt(hamt);
    vv_hamt_stat(hamt, &stats);
    saves = stats.node_saves;
    assert_int_equal(saves, changed);
    b = flush_hamt(hamt);
    assert_same_cid(&a, &b);
    vv_hamt_stat(hamt, &stats);
    assert_int_equal(stats.node_saves, saves);
    set_key(hamt, 1, 2);
    flush_hamt(hamt);
    vv_hamt_stat(hamt, &stats);
    assert_int_equal(stats.node_saves, saves + 2);
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_smaller_bucket_size_loses_no_key),
        cmocka_unit_test(the_bucket_size_of_a_live_map_can_change),
        cmocka_unit_test(keys_of_one_hash_fill_a_bucket_and_no_more),
        cmocka_unit_test(deep_trees_fold_back_when_keys_go),
        cmocka_unit_test(a_tree_that_repeats_itself_ends_with_an_error),
        cmocka_unit_test(a_tree_deeper_than_the_hash_is_refused_where_it_matters),
        cmocka_unit_test(caps_bound_what_is_kept),
        cmocka_unit_test(reading_twice_keeps_and_loads_each_node_once),
        cmocka_unit_test(a_flush_without_changes_saves_nothing),
    };

    return cmocka_run_group_tests_name("hamt_trees", tests, NULL, NULL);
}
