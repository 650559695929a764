/* Many keys in one call, over nodes that are changed, in memory, dropped or damaged. */
#include "hamt_support.h"

#include "hamt/node.h"
#include "util/buf.h"

#include <stdio.h>

#define KEYS 6000

static void identity(void *ctx, vv_bytes key, uint8_t *out, size_t out_len)
{
    size_t n = key.len < out_len ? key.len : out_len;

    (void)ctx;
    memset(out, 0, out_len);
    memcpy(out, key.data, n);
}

/* Two bytes, of which the first has four values: many keys of one hash. */
static void poor_hash(void *ctx, vv_bytes key, uint8_t *out, size_t out_len)
{
    uint8_t whole[VV_BLAKE3_SIZE];

    (void)ctx;
    vv_blake3(key, whole);
    whole[0] &= 3;
    memcpy(out, whole, out_len);
}

/* Some keys in random order; twice what was asked for before, and what is not there. */
typedef struct question {
    size_t n;
    uint64_t which[KEYS];
    char texts[KEYS][16];
    vv_bytes keys[KEYS];
    vv_buf outs[KEYS];
    vv_status statuses[KEYS];
    vv_cid cids[KEYS];
} question;

static void ask(question *self, size_t n, uint64_t *random)
{
    self->n = n;
    for (size_t i = 0; i < n; i++) {
        self->which[i] = i % 5 == 4 ? self->which[next_random(random) % i]
                                    : next_random(random) % (KEYS + 100);
        snprintf(self->texts[i], sizeof(self->texts[i]), "k%d", (int)self->which[i]);
        self->keys[i] = vv_bytes_of(self->texts[i]);
    }
}

/* What get_many and get_pointers say is what single calls and the model say. */
static void check_answers(vv_hamt *hamt, question *self, const int64_t *values)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(
        vv_hamt_get_many(hamt, self->keys, self->n, self->outs, self->statuses, &err));
    for (size_t i = 0; i < self->n; i++) {
        int64_t v = self->which[i] < KEYS ? values[self->which[i]] : -1;
        vv_bytes want = value_number(v < 0 ? 0 : (uint64_t)v);

        assert_int_equal(self->statuses[i], v < 0 ? VV_ENOTFOUND : VV_OK);
        if (v >= 0) {
            assert_int_equal(self->outs[i].len, want.len);
            assert_memory_equal(self->outs[i].data, want.data, want.len);
        }
        vv_buf_clear(&self->outs[i]);
    }
    assert_vv_ok(vv_hamt_get_pointers(hamt, self->keys, self->n, self->cids,
                                      self->statuses, &err));
    for (size_t i = 0; i < self->n; i += 7) {
        vv_cid cid;

        assert_int_equal(vv_hamt_get_pointer(hamt, self->keys[i], &cid, &err),
                         self->statuses[i]);
        if (!self->statuses[i])
            assert_same_cid(&cid, &self->cids[i]);
    }
}

static void change_some(vv_hamt *hamt, int64_t *values, size_t count, uint64_t *random)
{
    for (size_t i = 0; i < count; i++) {
        size_t k = (size_t)(next_random(random) % KEYS);

        if (values[k] >= 0 && i % 4 == 0) {
            assert_int_equal(vv_hamt_delete(hamt, key_number(k), NULL), VV_OK);
            values[k] = -1;
            continue;
        }
        values[k] = (int64_t)(next_random(random) % 1000);
        set_key(hamt, k, (uint64_t)values[k]);
    }
}

static void play(const vv_hamt_options *options, uint64_t seed)
{
    static question asked;
    static int64_t values[KEYS];
    vv_blockstore *store = new_memory();
    vv_hamt *hamt = open_hamt(store, NULL, options);
    vv_error err = VV_ERROR_INIT;

    for (size_t i = 0; i < KEYS; i++) {
        values[i] = i % 9 ? (int64_t)i : -1;
        if (values[i] >= 0)
            set_key(hamt, i, i);
    }
    for (int turn = 0; turn < 12; turn++) {
        if (turn % 4 == 1)
            flush_hamt(hamt);
        if (turn % 4 == 2) /* few are in memory */
            assert_vv_ok(vv_hamt_vacate(hamt, NULL, &err));
        ask(&asked, turn % 2 ? KEYS : 1 + next_random(&seed) % 200, &seed);
        check_answers(hamt, &asked, values);
        change_some(hamt, values, turn % 3 ? 40 : 0, &seed);
        ask(&asked, 500, &seed);
        check_answers(hamt, &asked, values);
    }
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

static void many_keys_are_answered_as_single_ones_are(void **state)
{
    vv_hamt_options options = byte_options();

    (void)state;
    play(&options, 1);
    options.max_bucket_size = 1;
    play(&options, 2);
}

static void a_small_cache_changes_no_answer(void **state)
{
    vv_hamt_options options = byte_options();

    (void)state;
    options.max_bucket_size = 1;
    options.clean_cache_bytes = 1;
    play(&options, 3);
    options.clean_cache_bytes = 20000;
    options.dirty_bytes = 50000;
    play(&options, 4);
}

static void keys_of_one_hash_are_told_apart(void **state)
{
    vv_hamt_options options = byte_options();

    (void)state;
    options.hash_fn = poor_hash;
    options.hash_len = 2;
    options.max_bucket_size = 40;
    play(&options, 5);
}

/* ---- odd trees ---------------------------------------------------------------------------- */

static vv_cid put_node(vv_blockstore *store, vvi_node *node)
{
    vv_buf block = VV_BUF_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_cid cid;

    block.data = malloc(node->size);
    block.len = node->size;
    vvi_node_encode(node, NULL, NULL, block.data);
    assert_vv_ok(vv_blockstore_put(store, &VV_PREFIX_CBOR_BLAKE3, vvi_buf_bytes(&block),
                                   &cid, &err));
    free(block.data);
    vvi_node_release(node);
    return cid;
}

static void put_entry(vv_blockstore *store, vvi_node *node, const char *key)
{
    vv_error err = VV_ERROR_INIT;
    vvi_link link;
    vv_cid cid;

    assert_vv_ok(
        vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of(key), &cid, &err));
    vvi_link_of_cid(&cid, &link);
    assert_vv_ok(vvi_node_put(node, (uint8_t)key[1], vv_bytes_of(key),
                              vvi_bytes(link.bytes, link.len), &err));
}

/* A root whose slots a and b lead to one child, which holds "ax" and "bx" in its slot x. */
static vv_cid put_two_ways(vv_blockstore *store)
{
    vv_error err = VV_ERROR_INIT;
    vvi_node *node = NULL;
    vvi_link link;
    vv_cid leaf;

    assert_vv_ok(vvi_node_new(&node, &err));
    put_entry(store, node, "ax");
    put_entry(store, node, "bx");
    leaf = put_node(store, node);
    vvi_link_of_cid(&leaf, &link);
    assert_vv_ok(vvi_node_new(&node, &err));
    assert_vv_ok(vvi_node_reserve_links(node, 2, link.len, &err));
    for (unsigned slot = 'a'; slot <= 'b'; slot++) {
        vvi_node *kid = NULL;

        assert_vv_ok(vvi_node_new(&kid, &err));
        assert_vv_ok(vvi_node_set_kid(node, slot, kid, &err));
    }
    for (unsigned slot = 'a'; slot <= 'b'; slot++)
        vvi_node_set_link(node, slot, vvi_bytes(link.bytes, link.len));
    return put_node(store, node);
}

static void a_child_that_two_slots_lead_to_is_found_both_ways(void **state)
{
    vv_bytes keys[] = { vv_bytes_of("ax"), vv_bytes_of("bx"), vv_bytes_of("ay"),
                        vv_bytes_of("bx") };
    vv_hamt_options options = byte_options();
    vv_blockstore *store = new_memory();
    vv_error err = VV_ERROR_INIT;
    vv_cid root = put_two_ways(store);
    vv_hamt *hamt;

    (void)state;
    options.hash_fn = identity;
    options.hash_len = 2;
    hamt = open_hamt(store, &root, &options);
    for (int turn = 0; turn < 6; turn++) {
        vv_buf outs[4] = { 0 };
        vv_status statuses[4];

        assert_vv_ok(vv_hamt_get_many(hamt, keys, 4, outs, statuses, &err));
        assert_int_equal(statuses[2], VV_ENOTFOUND);
        for (size_t i = 0; i < 4; i++) {
            if (i == 2)
                continue;
            assert_int_equal(statuses[i], VV_OK);
            assert_int_equal(outs[i].len, 2);
            assert_memory_equal(outs[i].data, keys[i].data, 2);
        }
        for (size_t i = 0; i < 4; i++)
            vv_buf_clear(&outs[i]);
        if (turn == 2) /* without the child, whose place the root had kept */
            assert_vv_ok(vv_hamt_vacate(hamt, NULL, &err));
        if (turn == 4) /* the root is changed, and the child below it is not */
            assert_vv_ok(vv_hamt_set(hamt, vv_bytes_of("cc"), vv_bytes_of("v"), &err));
    }
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

/* ---- failures ----------------------------------------------------------------------------- */

static void a_missing_node_fails_the_keys_below_it_alone(void **state)
{
    static question asked;
    vv_blockstore *store = new_memory();
    vv_hamt *hamt = open_hamt(store, NULL, NULL);
    vv_error err = VV_ERROR_INIT;
    vv_cid lost = { 0 };
    vv_cid root;
    vv_buf block = VV_BUF_INIT;
    vvi_node *node = NULL;
    char text[VV_CID_TEXT_MAX];
    size_t failed = 0;
    unsigned slot;

    (void)state;
    for (uint64_t i = 0; i < KEYS; i++)
        set_key(hamt, i, i);
    root = flush_hamt(hamt);
    assert_vv_ok(vv_blockstore_get(store, &root, &block, &err));
    assert_vv_ok(vvi_node_decode(vvi_buf_bytes(&block), vvi_bytes(NULL, 0), &node, &err));
    vv_buf_clear(&block);
    slot = vvi_slot_next(&node->links, 100);
    assert_vv_ok(vvi_link_to_cid(vvi_node_link(node, slot), &lost, &err));
    vvi_node_release(node);
    assert_vv_ok(vv_hamt_vacate(hamt, NULL, &err));
    assert_vv_ok(vv_blockstore_delete(store, &lost, &err));
    asked.n = KEYS;
    for (size_t i = 0; i < KEYS; i++) {
        snprintf(asked.texts[i], sizeof(asked.texts[i]), "k%d", (int)i);
        asked.keys[i] = vv_bytes_of(asked.texts[i]);
    }
    for (int turn = 0; turn < 2; turn++) {
        assert_vv_ok(vv_hamt_get_many(hamt, asked.keys, asked.n, asked.outs,
                                      asked.statuses, &err));
        for (size_t i = 0; i < KEYS; i++) {
            uint8_t hash[VV_BLAKE3_SIZE];

            vv_blake3(asked.keys[i], hash);
            assert_int_equal(asked.statuses[i], hash[0] == slot ? VV_ECORRUPT : VV_OK);
            failed += hash[0] == slot;
            vv_buf_clear(&asked.outs[i]);
        }
    }
    assert_true(failed > 0);
    assert_int_equal(vv_hamt_get_many(hamt, asked.keys, asked.n, asked.outs, NULL, &err),
                     VV_ECORRUPT);
    vv_cid_format(&lost, text);
    assert_non_null(strstr(err.message, text));
    for (size_t i = 0; i < KEYS; i++)
        assert_null(asked.outs[i].data);
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_keys_are_answered_as_single_ones_are),
        cmocka_unit_test(a_small_cache_changes_no_answer),
        cmocka_unit_test(keys_of_one_hash_are_told_apart),
        cmocka_unit_test(a_child_that_two_slots_lead_to_is_found_both_ways),
        cmocka_unit_test(a_missing_node_fails_the_keys_below_it_alone),
    };

    return cmocka_run_group_tests_name("hamt_read_many", tests, NULL, NULL);
}
