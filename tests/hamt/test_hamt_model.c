/* Random histories of a map beside an array: whatever was done, both hold the same. */
#include "hamt_support.h"

#include <stdio.h>

#define KEYS 220

typedef struct model {
    vv_blockstore *store;
    vv_hamt *hamt;
    vv_hamt_options options;
    int64_t values[KEYS];  /* −1: not there */
    int64_t flushed[KEYS]; /* at the last flush */
    uint64_t random;
} model;

static uint64_t below(model *self, uint64_t n)
{
    return next_random(&self->random) % n;
}

static void compare_all(model *self)
{
    uint64_t count = 0;

    for (size_t i = 0; i < KEYS; i++) {
        assert_key(self->hamt, i, self->values[i]);
        count += self->values[i] >= 0;
    }
    assert_int_equal(count_keys(self->hamt), count);
}

static void compare_many(model *self)
{
    vv_bytes keys[8];
    vv_buf outs[8];
    vv_status statuses[8];
    uint64_t which[8];
    vv_error err = VV_ERROR_INIT;

    memset(outs, 0, sizeof(outs));
    for (size_t i = 0; i < 8; i++) {
        which[i] = below(self, KEYS);
        keys[i] = key_number(which[i]);
    }
    assert_vv_ok(vv_hamt_get_many(self->hamt, keys, 8, outs, statuses, &err));
    for (size_t i = 0; i < 8; i++) {
        int64_t v = self->values[which[i]];

        assert_int_equal(statuses[i], v < 0 ? VV_ENOTFOUND : VV_OK);
        if (v >= 0) {
            vv_bytes want = value_number((uint64_t)v);

            assert_int_equal(outs[i].len, want.len);
            assert_memory_equal(outs[i].data, want.data, want.len);
        }
        vv_buf_clear(&outs[i]);
    }
}

static void set_some(model *self)
{
    vv_bytes keys[4];
    vv_bytes values[4];
    vv_error err = VV_ERROR_INIT;
    size_t done = 0;

    /* Keys may repeat: the last one counts. Four keys and four values: there are eight static
     * buffers for texts. */
    for (size_t i = 0; i < 4; i++) {
        uint64_t k = below(self, KEYS);

        keys[i] = key_number(k);
        values[i] = value_number(k + 7);
        self->values[k] = (int64_t)k + 7;
    }
    assert_vv_ok(vv_hamt_set_many(self->hamt, keys, values, 4, &done, &err));
    assert_int_equal(done, 4);
}

static void reopen(model *self, bool keep)
{
    vv_cid root = flush_hamt(self->hamt);

    memcpy(self->flushed, self->values, sizeof(self->values));
    if (!keep) {
        /* What is not flushed is lost, and only that. */
        set_key(self->hamt, below(self, KEYS), 99);
    }
    vv_hamt_free(self->hamt);
    self->hamt = open_hamt(self->store, &root, &self->options);
}

static void step(model *self)
{
    uint64_t k = below(self, KEYS);
    uint64_t what = below(self, 100);
    vv_error err = VV_ERROR_INIT;

    if (what < 50) {
        uint64_t v = below(self, 1000);

        set_key(self->hamt, k, v);
        self->values[k] = (int64_t)v;
    } else if (what < 80) {
        assert_int_equal(vv_hamt_delete(self->hamt, key_number(k), NULL),
                         self->values[k] < 0 ? VV_ENOTFOUND : VV_OK);
        self->values[k] = -1;
    } else if (what < 84)
        set_some(self);
    else if (what < 90)
        compare_many(self);
    else if (what < 93)
        flush_hamt(self->hamt);
    else if (what < 95)
        assert_vv_ok(vv_hamt_vacate(self->hamt, NULL, &err));
    else if (what < 97)
        reopen(self, what == 95);
    else
        assert_key(self->hamt, k, self->values[k]);
}

static void run_history(uint64_t seed, const vv_hamt_options *options, size_t steps)
{
    model self = { .options = *options, .random = seed };
    vv_cid root;
    vv_cid fresh;

    self.store = new_memory();
    self.hamt = open_hamt(self.store, NULL, options);
    memset(self.values, 0xff, sizeof(self.values));
    for (size_t i = 0; i < steps; i++)
        step(&self);
    compare_all(&self);
    root = flush_hamt(self.hamt);
    vv_hamt_vacate(self.hamt, NULL, NULL);
    compare_all(&self);
    fresh = fresh_root(self.values, KEYS, options);
    if (options->deletes == VV_HAMT_CANONICAL)
        assert_same_cid(&root, &fresh);
    vv_hamt_free(self.hamt);
    vv_blockstore_free(self.store);
}

/* Few of the 256 slots, so that trees get deep. */
static void narrow_hash(void *ctx, vv_bytes key, uint8_t *out, size_t out_len)
{
    uint8_t hash[VV_BLAKE3_SIZE];

    (void)ctx;
    vv_blake3(key, hash);
    for (size_t i = 0; i < out_len; i++)
        out[i] = hash[i] & 3u;
}

static uint64_t seeds = 6; /* `long` on the command line: many more */

static void run_histories(vv_hamt_options options)
{
    static const uint32_t buckets[] = { 1, 2, 4, 13, 1000 };

    for (size_t b = 0; b < sizeof(buckets) / sizeof(buckets[0]); b++)
        for (uint64_t seed = 0; seed < seeds; seed++) {
            options.max_bucket_size = buckets[b];
            options.hash_fn = seed % 2 ? narrow_hash : NULL;
            run_history(seed * 1000 + b, &options, 700);
        }
}

static void any_history_gives_the_map_and_the_root_of_a_fresh_tree(void **state)
{
    (void)state;
    run_histories(byte_options());
}

static void the_older_form_of_deletes_gives_the_same_map(void **state)
{
    vv_hamt_options options = byte_options();

    (void)state;
    options.deletes = VV_HAMT_PRUNE_EMPTY;
    run_histories(options);
}

static void small_caps_change_neither_content_nor_root(void **state)
{
    vv_hamt_options options = byte_options();

    (void)state;
    options.dirty_bytes = 3000;
    options.clean_cache_bytes = 3000;
    run_histories(options);
    options.dirty_bytes = 1;
    options.clean_cache_bytes = 1;
    run_histories(options);
}

static void bare_multihash_names_work_as_well(void **state)
{
    vv_hamt_options options = byte_options();

    (void)state;
    options.ids = (vv_cid_prefix){ VV_CODEC_RAW, VV_HASH_BLAKE3, VV_CID_BARE, 32 };
    options.dirty_bytes = 3000;
    run_histories(options);
    options.ids = (vv_cid_prefix){ VV_CODEC_RAW, VV_HASH_SHA2_256, VV_CID_BARE, 32 };
    run_history(4, &options, 700);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_history_gives_the_map_and_the_root_of_a_fresh_tree),
        cmocka_unit_test(the_older_form_of_deletes_gives_the_same_map),
        cmocka_unit_test(small_caps_change_neither_content_nor_root),
        cmocka_unit_test(bare_multihash_names_work_as_well),
    };

    if (argc > 1 && strcmp(argv[1], "long") == 0)
        seeds = 300;
    return cmocka_run_group_tests_name("hamt_model", tests, NULL, NULL);
}
