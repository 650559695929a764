/* The cache before a block store. */
#include "blockstore/contract.h"
#include "support/faulty_blockstore.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static vv_error err;

static vv_blockstore *make_with(size_t capacity, const vv_block *blocks, size_t n)
{
    vv_blockstore *memory = NULL;
    vv_blockstore *cache = NULL;

    assert_vv_ok(vv_memory_blockstore_new(&memory, &err));
    contract_fill(memory, blocks, n);
    assert_vv_ok(vv_cache_blockstore_new(memory, capacity, &cache, &err));
    vv_blockstore_free(memory);
    return cache;
}

static vv_blockstore *make_roomy(void **ctx, const vv_block *blocks, size_t n)
{
    *ctx = NULL;
    return make_with((size_t)1 << 24, blocks, n);
}

static vv_blockstore *make_narrow(void **ctx, const vv_block *blocks, size_t n)
{
    *ctx = NULL;
    return make_with(5000, blocks, n);
}

static vv_cache_stats stats_of(vv_blockstore *cache)
{
    vv_cache_stats stats;

    assert_vv_ok(vv_cache_blockstore_stats(cache, &stats, &err));
    return stats;
}

/* A cache before a faulty store before memory with the blocks "0", "1", … in it. */
typedef struct layers {
    vv_blockstore *memory, *faulty, *cache;
    vv_cid cids[64];
} layers;

static void layers_init(layers *self, size_t capacity)
{
    assert_vv_ok(vv_memory_blockstore_new(&self->memory, &err));
    self->faulty = faulty_blockstore_new(self->memory);
    assert_vv_ok(vv_cache_blockstore_new(self->faulty, capacity, &self->cache, &err));
    for (int i = 0; i < 64; i++) {
        char text[100];

        snprintf(text, sizeof(text), "%099d", i);
        assert_vv_ok(vv_blockstore_put(self->memory, &VV_PREFIX_RAW_BLAKE3,
                                       vv_bytes_of(text), &self->cids[i], &err));
    }
}

static void layers_clear(layers *self)
{
    vv_blockstore_free(self->cache);
    vv_blockstore_free(self->faulty);
    vv_blockstore_free(self->memory);
}

static void read_ok(layers *self, int i)
{
    vv_buf out = VV_BUF_INIT;

    assert_vv_ok(vv_blockstore_get(self->cache, &self->cids[i], &out, &err));
    assert_int_equal(out.len, 99);
    vv_buf_clear(&out);
}

static void a_block_is_read_from_inner_once(void **state)
{
    layers all;

    (void)state;
    layers_init(&all, 1 << 20);
    for (int turn = 0; turn < 3; turn++)
        for (int i = 0; i < 64; i++)
            read_ok(&all, i);
    assert_int_equal(faulty_calls(all.faulty), 64);
    assert_int_equal(stats_of(all.cache).hits, 128);
    assert_int_equal(stats_of(all.cache).misses, 64);
    layers_clear(&all);
}

static void the_least_recently_used_block_makes_room_and_the_cap_holds(void **state)
{
    layers all;
    size_t capacity = 4000;

    (void)state;
    layers_init(&all, capacity);
    for (int i = 0; i < 64; i++) {
        read_ok(&all, i);
        read_ok(&all, 0); /* used all the time: stays */
        assert_true(stats_of(all.cache).bytes <= capacity);
    }
    assert_true(stats_of(all.cache).evictions > 30);
    assert_int_equal(faulty_calls(all.faulty), 64);
    read_ok(&all, 1);
    assert_int_equal(faulty_calls(all.faulty), 65);
    layers_clear(&all);
}

static void a_long_block_is_passed_by(void **state)
{
    static uint8_t data[1000];
    vv_blockstore *cache = make_with(7000, NULL, 0);
    vv_buf out = VV_BUF_INIT;
    vv_cid cid;

    (void)state;
    assert_vv_ok(vv_blockstore_put(cache, &VV_PREFIX_RAW_BLAKE3,
                                   (vv_bytes){ data, sizeof(data) }, &cid, &err));
    assert_vv_ok(vv_blockstore_get(cache, &cid, &out, &err));
    assert_int_equal(out.len, sizeof(data));
    assert_int_equal(stats_of(cache).bytes, 0);
    vv_buf_clear(&out);
    vv_blockstore_free(cache);
}

static void a_lying_store_is_found_out_before_the_cache_takes_it_in(void **state)
{
    layers all;
    vv_buf out = VV_BUF_INIT;

    (void)state;
    layers_init(&all, 1 << 20);
    faulty_lie_after(all.faulty, 0);
    assert_int_equal(vv_blockstore_get(all.cache, &all.cids[3], &out, &err), VV_ECORRUPT);
    assert_non_null(strstr(err.message, cid_text(&all.cids[3])));
    assert_int_equal(stats_of(all.cache).bytes, 0);
    read_ok(&all, 3);
    layers_clear(&all);
}

static void a_failure_is_told_and_not_kept(void **state)
{
    layers all;
    vv_buf outs[4] = { 0 };
    vv_status statuses[4];

    (void)state;
    layers_init(&all, 1 << 20);
    read_ok(&all, 2);
    faulty_fail_after(all.faulty, 1, VV_EIO, false);
    assert_int_equal(vv_blockstore_get_many(all.cache, all.cids, 4, outs, statuses, &err),
                     VV_EIO);
    assert_non_null(strstr(err.message, "fails in get"));
    assert_int_equal(statuses[0], VV_OK);
    assert_int_equal(statuses[1], VV_EIO);
    assert_int_equal(statuses[2], VV_OK);
    for (int i = 0; i < 4; i++) {
        vv_buf_clear(&outs[i]);
        read_ok(&all, i);
    }
    layers_clear(&all);
}

static vv_status read_all(void *ctx)
{
    layers *all = ctx;
    vv_blockstore *cache = NULL;
    vv_buf outs[64] = { 0 };
    vv_status status = vv_cache_blockstore_new(all->faulty, 2000, &cache, &err);

    if (!status)
        status = vv_blockstore_get_many(cache, all->cids, 64, outs, NULL, &err);
    for (int i = 0; i < 64; i++)
        vv_buf_clear(&outs[i]);
    vv_blockstore_free(cache);
    return status;
}

static void reading_survives_any_failing_call_or_allocation(void **state)
{
    layers all;

    (void)state;
    layers_init(&all, 1 << 20);
    survives_failing_calls(all.faulty, VV_EIO, read_all, &all);
    survives_failing_allocations(read_all, &all);
    layers_clear(&all);
}

/* ---- threads ----------------------------------------------------------------------------- */

/* An inner store whose reads take a while, and that counts them. */
typedef struct slow_store {
    vv_blockstore base;
    vv_blockstore *inner;
    atomic_int reads;
} slow_store;

static vv_status slow_get(vv_blockstore *store, const vv_cid *cid, vv_buf *out,
                          vv_error *error)
{
    slow_store *self = (slow_store *)store;

    atomic_fetch_add(&self->reads, 1);
    usleep(20000);
    return vv_blockstore_get(self->inner, cid, out, error);
}

static void slow_free(vv_blockstore *store)
{
    vv_blockstore_free(((slow_store *)store)->inner);
    free(store);
}

static const vv_blockstore_ops slow_ops = { .name = "slow",
                                            .get = slow_get,
                                            .free = slow_free };

static vv_cid shared_cid;

static void *read_shared(void *arg)
{
    vv_buf out = VV_BUF_INIT;
    bool ok = vv_blockstore_get(arg, &shared_cid, &out, NULL) == VV_OK && out.len == 6;

    vv_buf_clear(&out);
    return ok ? NULL : "wrong";
}

static void concurrent_reads_of_one_block_become_one(void **state)
{
    slow_store *slow = calloc(1, sizeof(*slow));
    vv_blockstore *cache = NULL;
    pthread_t threads[8];

    (void)state;
    assert_non_null(slow);
    vv_blockstore_base_init(&slow->base, &slow_ops, false);
    assert_vv_ok(vv_memory_blockstore_new(&slow->inner, &err));
    assert_vv_ok(vv_blockstore_put(slow->inner, &VV_PREFIX_RAW_BLAKE3,
                                   vv_bytes_of("shared"), &shared_cid, &err));
    assert_vv_ok(vv_cache_blockstore_new(&slow->base, 1 << 20, &cache, &err));
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_shared, cache), 0);
    for (size_t i = 0; i < 8; i++) {
        void *wrong = NULL;

        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    assert_int_equal(atomic_load(&slow->reads), 1);
    vv_blockstore_free(&slow->base);
    vv_blockstore_free(cache);
}

static layers crowd;

static void *use_at_random(void *arg)
{
    uint64_t seed = (uint64_t)(uintptr_t)arg;

    for (int i = 0; i < 3000; i++) {
        uint64_t r = next_random(&seed);
        vv_cid cids[3] = { crowd.cids[r % 64], crowd.cids[(r >> 8) % 64],
                           crowd.cids[(r >> 16) % 64] };
        vv_buf outs[3] = { 0 };
        vv_status statuses[3];

        if (vv_blockstore_get_many(crowd.cache, cids, 3, outs, statuses, NULL))
            return "wrong";
        for (size_t k = 0; k < 3; k++) {
            if (statuses[k] == VV_OK && outs[k].len != 99)
                return "wrong";
            vv_buf_clear(&outs[k]);
        }
        if (r % 50 == 0)
            vv_blockstore_delete(crowd.cache, &crowd.cids[(r >> 24) % 64], NULL);
    }
    return NULL;
}

static void threads_that_read_and_delete_at_random_stay_right(void **state)
{
    pthread_t threads[4];

    (void)state;
    layers_init(&crowd, 4000);
    for (uintptr_t i = 0; i < 4; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, use_at_random, (void *)(i + 1)), 0);
    for (size_t i = 0; i < 4; i++) {
        void *wrong = NULL;

        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    assert_true(stats_of(crowd.cache).bytes <= 4000);
    layers_clear(&crowd);
}

static void stats_of_another_store_are_refused(void **state)
{
    vv_blockstore *memory;
    vv_cache_stats stats;

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&memory, &err));
    assert_int_equal(vv_cache_blockstore_stats(memory, &stats, &err), VV_EINVAL);
    vv_blockstore_free(memory);
}

/* A store in which another thread deletes a block just after it was put. */
typedef struct meddler {
    vv_blockstore base;
    vv_blockstore *memory;
    vv_blockstore *cache; /* borrowed; that other thread goes through it */
    bool deletes;         /* just after a put; else it puts just after a read */
    pthread_t thread;
    atomic_bool done;
    atomic_int seen; /* what the other thread got back of the block that it put */
} meddler;

/* Store a block through the cache and read it back. */
static void *put_and_get(void *ctx)
{
    meddler *self = ctx;
    vv_buf out = VV_BUF_INIT;
    vv_cid cid;

    if (vv_blockstore_put(self->cache, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of("late"), &cid,
                          NULL) == VV_OK)
        atomic_store(&self->seen, (int)vv_blockstore_get(self->cache, &cid, &out, NULL));
    vv_buf_clear(&out);
    atomic_store(&self->done, true);
    return NULL;
}

/* The block comes after inner was asked and before the answer arrives. */
static vv_status meddler_get(vv_blockstore *store, const vv_cid *cid, vv_buf *out,
                             vv_error *why)
{
    meddler *self = (meddler *)store;
    vv_status status = vv_blockstore_get(self->memory, cid, out, why);

    if (status == VV_ENOTFOUND && !self->deletes) {
        assert_int_equal(pthread_create(&self->thread, NULL, put_and_get, self), 0);
        for (int i = 0; i < 100 && !atomic_load(&self->done); i++)
            usleep(2000);
    }
    return status;
}

static vv_status meddler_put_many(vv_blockstore *store, const vv_block *blocks, size_t n,
                                  vv_error *why)
{
    meddler *self = (meddler *)store;
    vv_status status = vv_blockstore_add_many(self->memory, blocks, n, why);

    if (!status && self->deletes)
        status = vv_blockstore_delete(self->cache, &blocks[0].cid, why);
    return status;
}

static vv_status meddler_has_many(vv_blockstore *store, const vv_cid *cids, size_t n,
                                  bool *out, vv_error *why)
{
    return vv_blockstore_has_many(((meddler *)store)->memory, cids, n, out, why);
}

static vv_status meddler_remove(vv_blockstore *store, const vv_cid *cid, vv_error *why)
{
    return vv_blockstore_delete(((meddler *)store)->memory, cid, why);
}

static void meddler_free(vv_blockstore *store)
{
    vv_blockstore_free(((meddler *)store)->memory);
}

static void meddler_init(meddler *self)
{
    static const vv_blockstore_ops ops = { .name = "meddler",
                                           .get = meddler_get,
                                           .put_many = meddler_put_many,
                                           .has_many = meddler_has_many,
                                           .remove = meddler_remove,
                                           .free = meddler_free };

    vv_blockstore_base_init(&self->base, &ops, true);
    assert_vv_ok(vv_memory_blockstore_new(&self->memory, &err));
}

static void a_block_that_is_put_while_it_is_read_is_there_for_who_put_it(void **state)
{
    meddler inner = { .seen = -1 };
    vv_blockstore *cache = NULL;
    vv_buf out = VV_BUF_INIT;
    vv_cid cid = cid_of_text("late");

    (void)state;
    meddler_init(&inner);
    assert_vv_ok(vv_cache_blockstore_new(&inner.base, 1 << 20, &cache, &err));
    inner.cache = cache;
    assert_int_equal(vv_blockstore_get(cache, &cid, &out, &err), VV_ENOTFOUND);
    assert_int_equal(pthread_join(inner.thread, NULL), 0);
    assert_int_equal(atomic_load(&inner.seen), VV_OK);
    vv_blockstore_free(cache);
    vv_blockstore_free(&inner.base);
}

static void a_block_that_is_deleted_while_it_is_put_is_not_kept(void **state)
{
    meddler inner = { .deletes = true };
    vv_blockstore *cache = NULL;
    bool there = true;
    vv_cid cid;

    (void)state;
    meddler_init(&inner);
    assert_vv_ok(vv_cache_blockstore_new(&inner.base, 1 << 20, &cache, &err));
    inner.cache = cache;
    assert_vv_ok(
        vv_blockstore_put(cache, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of("gone"), &cid, &err));
    assert_vv_ok(vv_blockstore_has(cache, &cid, &there, &err));
    assert_false(there);
    vv_blockstore_free(cache);
    vv_blockstore_free(&inner.base);
}

int main(void)
{
    static const contract_backend roomy = { .name = "cache", .make = make_roomy };
    static const contract_backend narrow = { .name = "cache of 5 kB",
                                             .make = make_narrow };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_that_is_put_while_it_is_read_is_there_for_who_put_it),
        cmocka_unit_test(a_block_that_is_deleted_while_it_is_put_is_not_kept),
        cmocka_unit_test(a_block_is_read_from_inner_once),
        cmocka_unit_test(the_least_recently_used_block_makes_room_and_the_cap_holds),
        cmocka_unit_test(a_long_block_is_passed_by),
        cmocka_unit_test(a_lying_store_is_found_out_before_the_cache_takes_it_in),
        cmocka_unit_test(a_failure_is_told_and_not_kept),
        cmocka_unit_test(reading_survives_any_failing_call_or_allocation),
        cmocka_unit_test(concurrent_reads_of_one_block_become_one),
        cmocka_unit_test(threads_that_read_and_delete_at_random_stay_right),
        cmocka_unit_test(stats_of_another_store_are_refused),
    };
    int failed = run_blockstore_contract(&roomy) + run_blockstore_contract(&narrow);

    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
