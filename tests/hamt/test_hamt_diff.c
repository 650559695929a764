/* What differs between two maps, beside two arrays that hold the same. */
#include "hamt_support.h"

#include <stdio.h>

#define KEYS 260

typedef struct seen {
    int64_t before[KEYS], after[KEYS]; /* as a change told them; −1: not there */
    bool told[KEYS];
    uint64_t count;
    uint64_t stop_at; /* return VV_ECANCELED at this change; 0: never */
} seen;

/* The value whose block has that name. */
static int64_t value_of(const vv_cid *cid)
{
    static vv_cid names[1000];
    vv_cid_prefix prefix = VV_PREFIX_RAW_BLAKE3;

    if (!cid)
        return -1;
    for (uint64_t v = 0; v < 1000; v++) {
        if (!names[v].digest_len)
            assert_int_equal(vv_cid_of(&prefix, value_number(v), &names[v], NULL), VV_OK);
        if (vv_cid_same_block(&names[v], cid))
            return (int64_t)v;
    }
    fail_msg("a value that nobody set");
    return -1;
}

static vv_status see(void *ctx, const vv_hamt_change *change, vv_error *err)
{
    seen *self = ctx;
    char text[16] = "";
    unsigned long key;

    (void)err;
    assert_in_range(change->key.len, 2, 10);
    memcpy(text, change->key.data, change->key.len);
    key = strtoul(text + 1, NULL, 10);
    assert_in_range(key, 0, KEYS - 1);
    assert_false(self->told[key]);
    self->told[key] = true;
    self->before[key] = value_of(change->before);
    self->after[key] = value_of(change->after);
    return ++self->count == self->stop_at ? VV_ECANCELED : VV_OK;
}

/* A map and the array beside it. */
typedef struct side {
    vv_blockstore *store;
    vv_hamt_options options;
    vv_cid root;
    int64_t values[KEYS];
} side;

static void change_some(side *self, uint64_t *random, size_t steps)
{
    vv_hamt *hamt = open_hamt(self->store, self->root.digest_len ? &self->root : NULL,
                              &self->options);

    for (size_t i = 0; i < steps; i++) {
        uint64_t k = next_random(random) % KEYS;

        if (next_random(random) % 5 < 2) {
            assert_int_equal(vv_hamt_delete(hamt, key_number(k), NULL),
                             self->values[k] < 0 ? VV_ENOTFOUND : VV_OK);
            self->values[k] = -1;
        } else {
            self->values[k] = (int64_t)(next_random(random) % 1000);
            set_key(hamt, k, (uint64_t)self->values[k]);
        }
    }
    self->root = flush_hamt(hamt);
    vv_hamt_free(hamt);
}

static vv_hamt_diff_options options_of(const side *a, const side *b)
{
    vv_hamt_diff_options options = VV_HAMT_DIFF_OPTIONS_INIT;

    options.before = a->options;
    options.after = b->options;
    return options;
}

/* The difference is that of the arrays. */
static void check_diff(const side *a, const side *b, vv_hamt_diff_result *result)
{
    vv_hamt_diff_options options = options_of(a, b);
    uint64_t added = 0;
    uint64_t removed = 0;
    uint64_t changed = 0;
    seen what;
    vv_error err = VV_ERROR_INIT;

    memset(&what, 0, sizeof(what));
    assert_vv_ok(vv_hamt_diff(a->store, &a->root, b->store, &b->root, &options, see,
                              &what, result, &err));
    for (size_t k = 0; k < KEYS; k++) {
        assert_int_equal(what.told[k], a->values[k] != b->values[k]);
        if (!what.told[k])
            continue;
        assert_int_equal(what.before[k], a->values[k]);
        assert_int_equal(what.after[k], b->values[k]);
        added += a->values[k] < 0;
        removed += b->values[k] < 0;
        changed += a->values[k] >= 0 && b->values[k] >= 0;
    }
    assert_int_equal(result->added, added);
    assert_int_equal(result->removed, removed);
    assert_int_equal(result->changed, changed);
}

static void side_init(side *self, const vv_hamt_options *options)
{
    memset(self, 0, sizeof(*self));
    memset(self->values, 0xff, sizeof(self->values));
    self->store = new_memory();
    self->options = *options;
}

/* Another store with the same blocks. */
static void copy_blocks(vv_blockstore *from, vv_blockstore *to);
static vv_status copy_block(void *ctx, const vv_cid *cid, uint64_t size, vv_error *err)
{
    vv_blockstore *const *stores = ctx;
    vv_buf block = VV_BUF_INIT;
    vv_block added = { .cid = *cid };
    vv_status status = vv_blockstore_get(stores[0], cid, &block, err);

    (void)size;
    added.data = (vv_bytes){ block.data, block.len };
    if (!status)
        status = vv_blockstore_add_many(stores[1], &added, 1, err);
    vv_buf_clear(&block);
    return status;
}

static void copy_blocks(vv_blockstore *from, vv_blockstore *to)
{
    vv_blockstore *stores[2] = { from, to };
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_blockstore_iterate(from, copy_block, stores, &err));
}

static void narrow_hash(void *ctx, vv_bytes key, uint8_t *out, size_t out_len)
{
    uint8_t hash[VV_BLAKE3_SIZE];

    (void)ctx;
    vv_blake3(key, hash);
    for (size_t i = 0; i < out_len; i++)
        out[i] = hash[i] & 3u;
}

/* Two descendants of one map, in two stores. */
static void run_pair(uint64_t seed, const vv_hamt_options *a_options,
                     const vv_hamt_options *b_options, bool merged)
{
    vv_hamt_diff_result result;
    uint64_t random = seed;
    side a;
    side b;

    side_init(&a, a_options);
    side_init(&b, b_options);
    change_some(&a, &random, 20 + seed % 7 * 60);
    if (a_options->hash_fn == b_options->hash_fn) {
        copy_blocks(a.store, b.store);
        b.root = a.root;
        memcpy(b.values, a.values, sizeof(a.values));
    }
    for (int round = 0; round < 4; round++) {
        change_some(&b, &random, seed % 11 * 7 + 1);
        check_diff(&a, &b, &result);
        assert_int_equal(result.merged, merged);
        check_diff(&b, &a, &result);
        change_some(&a, &random, next_random(&random) % 30);
        check_diff(&a, &b, &result);
    }
    check_diff(&a, &a, &result);
    assert_int_equal(result.nodes, 0);
    vv_blockstore_free(a.store);
    vv_blockstore_free(b.store);
}

static uint64_t seeds = 12; /* `long` on the command line: many more */

static void the_difference_is_that_of_the_contents(void **state)
{
    static const uint32_t buckets[] = { 1, 2, 4, 13, 1000 };
    vv_hamt_options options = byte_options();

    (void)state;
    for (size_t b = 0; b < sizeof(buckets) / sizeof(buckets[0]); b++)
        for (uint64_t seed = 0; seed < seeds; seed++) {
            options.max_bucket_size = buckets[b];
            options.hash_fn = seed % 2 ? narrow_hash : NULL;
            options.deletes = seed % 3 ? VV_HAMT_CANONICAL : VV_HAMT_PRUNE_EMPTY;
            run_pair(seed * 977 + b, &options, &options, false);
        }
}

static void canonical_and_uneven_trees_are_compared_by_content(void **state)
{
    vv_hamt_options a = byte_options();
    vv_hamt_options b = byte_options();

    (void)state;
    b.deletes = VV_HAMT_PRUNE_EMPTY;
    for (uint64_t seed = 0; seed < seeds; seed++) {
        a.hash_fn = b.hash_fn = seed % 2 ? narrow_hash : NULL;
        run_pair(seed, &a, &b, false);
    }
}

static void other_bucket_sizes_and_names_change_nothing(void **state)
{
    vv_hamt_options a = byte_options();
    vv_hamt_options b = byte_options();

    (void)state;
    a.max_bucket_size = 1;
    b.max_bucket_size = 40;
    b.ids = (vv_cid_prefix){ VV_CODEC_RAW, VV_HASH_BLAKE3, VV_CID_BARE, 32 };
    for (uint64_t seed = 0; seed < seeds; seed++) {
        a.hash_fn = b.hash_fn = seed % 2 ? narrow_hash : NULL;
        run_pair(seed, &a, &b, false);
    }
}

static void maps_that_hash_keys_differently_are_merged(void **state)
{
    vv_hamt_options a = byte_options();
    vv_hamt_options b = byte_options();

    (void)state;
    b.hash_fn = narrow_hash;
    for (uint64_t seed = 0; seed < seeds; seed++)
        run_pair(seed, &a, &b, true);
    b = byte_options();
    b.hash_len = 20;
    run_pair(1, &a, &b, true);
}

static void no_root_is_the_empty_map(void **state)
{
    vv_hamt_options options = byte_options();
    vv_hamt_diff_result result;
    uint64_t random = 5;
    vv_error err = VV_ERROR_INIT;
    uint64_t keys = 0;
    side a;

    (void)state;
    side_init(&a, &options);
    change_some(&a, &random, 300);
    for (size_t k = 0; k < KEYS; k++)
        keys += a.values[k] >= 0;
    assert_vv_ok(
        vv_hamt_diff(NULL, NULL, a.store, &a.root, NULL, NULL, NULL, &result, &err));
    assert_int_equal(result.added, keys);
    assert_vv_ok(
        vv_hamt_diff(a.store, &a.root, NULL, NULL, NULL, NULL, NULL, &result, &err));
    assert_int_equal(result.removed, keys);
    assert_int_equal(result.added + result.changed, 0);
    assert_vv_ok(vv_hamt_diff(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, &err));
    vv_blockstore_free(a.store);
}

/* ---- stops and damage ---------------------------------------------------------------------- */

static vv_status cancel(void *ctx, const vv_progress *progress)
{
    ++*(int *)ctx;
    assert_true(progress->items_done > 0);
    return VV_ECANCELED;
}

static void both_callbacks_can_stop_it(void **state)
{
    vv_hamt_options options = byte_options();
    vv_hamt_diff_options given;
    uint64_t random = 5;
    vv_error err = VV_ERROR_INIT;
    int calls = 0;
    seen what;
    side a;
    side b;

    (void)state;
    side_init(&a, &options);
    side_init(&b, &options);
    change_some(&a, &random, 300);
    change_some(&b, &random, 300);
    memset(&what, 0, sizeof(what));
    what.stop_at = 3;
    given = options_of(&a, &b);
    assert_int_equal(
        vv_hamt_diff(a.store, &a.root, b.store, &b.root, &given, see, &what, NULL, &err),
        VV_ECANCELED);
    assert_int_equal(what.count, 3);
    given.progress = cancel;
    given.progress_ctx = &calls;
    assert_int_equal(
        vv_hamt_diff(a.store, &a.root, b.store, &b.root, &given, NULL, NULL, NULL, &err),
        VV_ECANCELED);
    assert_int_equal(calls, 1);
    vv_blockstore_free(a.store);
    vv_blockstore_free(b.store);
}

/* Take each block of the tree away in turn: the difference is whole or the node is named. */
typedef struct names {
    vv_cid cids[400];
    size_t count;
} names;

static vv_status gather_name(void *ctx, const vv_cid *cid, uint64_t size, vv_error *err)
{
    names *all = ctx;

    (void)size;
    (void)err;
    assert_true(all->count < 400);
    all->cids[all->count++] = *cid;
    return VV_OK;
}

static void a_missing_node_is_named(void **state)
{
    vv_hamt_options options = byte_options();
    vv_hamt_diff_result result;
    uint64_t random = 9;
    vv_error err = VV_ERROR_INIT;
    size_t failures = 0;
    names all = { .count = 0 };
    side a;
    side b;

    (void)state;
    options.hash_fn = narrow_hash;
    side_init(&a, &options);
    side_init(&b, &options);
    change_some(&a, &random, 120);
    change_some(&b, &random, 120);
    assert_vv_ok(vv_blockstore_iterate(b.store, gather_name, &all, &err));
    for (size_t i = 0; i < all.count; i++) {
        vv_hamt_diff_options given = options_of(&a, &b);
        vv_buf block = VV_BUF_INIT;
        vv_block again = { .cid = all.cids[i] };
        char text[VV_CID_TEXT_MAX];
        vv_status status;

        assert_vv_ok(vv_blockstore_get(b.store, &all.cids[i], &block, &err));
        assert_vv_ok(vv_blockstore_delete(b.store, &all.cids[i], &err));
        status = vv_hamt_diff(a.store, &a.root, b.store, &b.root, &given, NULL, NULL,
                              &result, &err);
        if (status) {
            bool is_root = vv_cid_same_block(&all.cids[i], &b.root);
            vv_cid named = all.cids[i];

            failures++;
            named.codec = VV_CODEC_DAG_CBOR;
            vv_cid_format(&named, text);
            assert_int_equal(status, is_root ? VV_ENOTFOUND : VV_ECORRUPT);
            assert_non_null(strstr(err.message, text));
            assert_non_null(strstr(err.message, "the second map"));
        }
        again.data = (vv_bytes){ block.data, block.len };
        assert_vv_ok(vv_blockstore_add_many(b.store, &again, 1, &err));
        vv_buf_clear(&block);
    }
    assert_true(failures > 3);
    vv_blockstore_free(a.store);
    vv_blockstore_free(b.store);
}

static void a_damaged_node_is_found(void **state)
{
    vv_hamt_options options = byte_options();
    vv_hamt_diff_result result;
    vv_blockstore *faulty;
    uint64_t random = 9;
    vv_error err = VV_ERROR_INIT;
    side a;
    side b;

    (void)state;
    options.hash_fn = narrow_hash;
    side_init(&a, &options);
    side_init(&b, &options);
    change_some(&a, &random, 300);
    change_some(&b, &random, 300);
    faulty = faulty_blockstore_new(b.store);
    for (size_t n = 0;; n++) {
        vv_hamt_diff_options given = options_of(&a, &b);
        vv_status status;

        faulty_lie_after(faulty, n);
        status = vv_hamt_diff(a.store, &a.root, faulty, &b.root, &given, NULL, NULL,
                              &result, &err);
        if (!faulty_stop(faulty)) {
            assert_vv_ok(status);
            assert_true(n > 1);
            break;
        }
        assert_int_equal(status, VV_ECORRUPT);
        assert_non_null(strstr(err.message, "bafy"));
    }
    vv_blockstore_free(faulty);
    vv_blockstore_free(a.store);
    vv_blockstore_free(b.store);
}

static void a_map_of_another_hash_is_refused_not_misread(void **state)
{
    vv_hamt_options options = byte_options();
    uint64_t random = 9;
    vv_error err = VV_ERROR_INIT;
    side a;
    side b;

    (void)state;
    side_init(&a, &options);
    options.hash_fn = narrow_hash;
    side_init(&b, &options);
    change_some(&a, &random, 300);
    change_some(&b, &random, 300);
    assert_int_equal(
        vv_hamt_diff(a.store, &a.root, b.store, &b.root, NULL, NULL, NULL, NULL, &err),
        VV_ECORRUPT);
    assert_non_null(strstr(err.message, "hash"));
    vv_blockstore_free(a.store);
    vv_blockstore_free(b.store);
}

typedef struct fault_case {
    side a, b;
    vv_blockstore *faulty;
} fault_case;

static vv_status diff_once(void *ctx)
{
    fault_case *self = ctx;
    vv_hamt_diff_options given = options_of(&self->a, &self->b);
    seen what;

    memset(&what, 0, sizeof(what));
    return vv_hamt_diff(self->faulty, &self->a.root, self->faulty, &self->b.root, &given,
                        see, &what, NULL, NULL);
}

static void failing_memory_and_stores_are_survived(void **state)
{
    vv_hamt_options options = byte_options();
    uint64_t random = 9;
    fault_case self;

    (void)state;
    for (int merged = 0; merged < 2; merged++) {
        options.hash_fn = NULL;
        side_init(&self.a, &options);
        options.hash_fn = merged ? narrow_hash : NULL;
        side_init(&self.b, &options);
        change_some(&self.a, &random, 90);
        change_some(&self.b, &random, 90);
        copy_blocks(self.b.store, self.a.store);
        self.faulty = faulty_blockstore_new(self.a.store);
        survives_failing_allocations(diff_once, &self);
        survives_failing_calls(self.faulty, VV_EIO, diff_once, &self);
        vv_blockstore_free(self.faulty);
        vv_blockstore_free(self.a.store);
        vv_blockstore_free(self.b.store);
    }
}

/* ---- the cost ------------------------------------------------------------------------------ */

static uint64_t many_keys = 200000;

static void ten_changes_among_many_keys_read_few_nodes(void **state)
{
    vv_blockstore *store = new_memory();
    vv_hamt *hamt = open_hamt(store, NULL, NULL);
    vv_hamt_diff_result result;
    vv_error err = VV_ERROR_INIT;
    vv_cid before;
    vv_cid after;

    (void)state;
    for (uint64_t i = 0; i < many_keys; i++)
        set_key(hamt, i, i % 100);
    before = flush_hamt(hamt);
    for (uint64_t i = 0; i < 10; i++)
        set_key(hamt, i * (many_keys / 10), 1000 + i);
    after = flush_hamt(hamt);
    assert_vv_ok(
        vv_hamt_diff(store, &before, store, &after, NULL, NULL, NULL, &result, &err));
    print_message("%u keys, 10 changes: %u nodes read\n", (unsigned)many_keys,
                  (unsigned)result.nodes);
    assert_int_equal(result.changed, 10);
    assert_int_equal(result.added + result.removed, 0);
    assert_true(result.nodes < 200);
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_difference_is_that_of_the_contents),
        cmocka_unit_test(canonical_and_uneven_trees_are_compared_by_content),
        cmocka_unit_test(other_bucket_sizes_and_names_change_nothing),
        cmocka_unit_test(maps_that_hash_keys_differently_are_merged),
        cmocka_unit_test(no_root_is_the_empty_map),
        cmocka_unit_test(both_callbacks_can_stop_it),
        cmocka_unit_test(a_missing_node_is_named),
        cmocka_unit_test(a_damaged_node_is_found),
        cmocka_unit_test(a_map_of_another_hash_is_refused_not_misread),
        cmocka_unit_test(failing_memory_and_stores_are_survived),
        cmocka_unit_test(ten_changes_among_many_keys_read_few_nodes),
    };

    if (argc > 1 && strcmp(argv[1], "long") == 0) {
        seeds = 400;
        many_keys = 1000000;
    }
    return cmocka_run_group_tests_name("hamt_diff", tests, NULL, NULL);
}
