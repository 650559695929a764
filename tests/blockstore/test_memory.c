/* The block store in memory. */
#include "blockstore/contract.h"

#include "util/buf.h"

#include <pthread.h>
#include <stdio.h>

static vv_error err;

static vv_blockstore *make(void **ctx, const vv_block *blocks, size_t n)
{
    vv_blockstore *store = NULL;

    *ctx = NULL;
    assert_vv_ok(vv_memory_blockstore_new(&store, &err));
    contract_fill(store, blocks, n);
    return store;
}

#define THREADS    4
#define PER_THREAD 2000

static void *put_and_get(void *arg)
{
    vv_blockstore *store = arg;

    /* All threads put the same blocks, so that they meet. Every tenth is deleted by whoever comes,
     * so it may be gone between another's put and get. */
    for (int i = 0; i < PER_THREAD; i++) {
        char text[32];
        vv_cid cid;
        vv_buf out = VV_BUF_INIT;
        vv_status status;

        snprintf(text, sizeof(text), "block %d", i);
        status = vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of(text), &cid,
                                   NULL);
        if (!status)
            status = vv_blockstore_get(store, &cid, &out, NULL);
        if (status && (i % 10 != 9 || status != VV_ENOTFOUND))
            return "wrong status";
        if (!status && (out.len != strlen(text) || memcmp(out.data, text, out.len) != 0))
            return "wrong bytes";
        if (i % 10 == 9 && vv_blockstore_delete(store, &cid, NULL) > VV_ENOTFOUND)
            return "cannot delete";
        vv_buf_clear(&out);
    }
    return NULL;
}

static void threads_that_put_the_same_blocks_store_each_once(void **state)
{
    vv_blockstore *store;
    pthread_t threads[THREADS];
    vv_blockstore_stats stats;

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&store, &err));
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_and_get, store), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *wrong = NULL;

        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        if (wrong)
            fail_msg("%s", (const char *)wrong);
    }
    assert_vv_ok(vv_blockstore_stat(store, &stats, &err));
    assert_true(stats.block_count <= PER_THREAD);
    assert_true(stats.block_count >= PER_THREAD * 9 / 10);
    vv_blockstore_free(store);
}

/* More than go together, some of them twice, and some that are not there. */
static void many_blocks_put_together_are_got_together(void **state)
{
    enum {
        COUNT = 5000
    };
    static char texts[COUNT][32];
    static vv_bytes blocks[COUNT];
    static vv_cid cids[COUNT];
    static vv_buf outs[COUNT];
    static vv_status statuses[COUNT];
    vv_blockstore_stats stats;
    vv_blockstore *store;

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof(texts[i]), "block %d", i % 4000);
        blocks[i] = vv_bytes_of(texts[i]);
    }
    assert_vv_ok(vv_memory_blockstore_new(&store, &err));
    assert_vv_ok(
        vv_blockstore_put_many(store, &VV_PREFIX_RAW_BLAKE3, blocks, COUNT, cids, &err));
    assert_vv_ok(vv_blockstore_stat(store, &stats, &err));
    assert_int_equal(stats.block_count, 4000);
    assert_vv_ok(vv_blockstore_get_many(store, cids, COUNT, outs, NULL, &err));
    for (int i = 0; i < 4000; i += 9)
        assert_vv_ok(vv_blockstore_delete(store, &cids[i], &err));
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(outs[i].len, blocks[i].len);
            assert_memory_equal(outs[i].data, blocks[i].data, blocks[i].len);
        }
        assert_vv_ok(vv_blockstore_get_many(store, cids, COUNT, outs, statuses, &err));
        for (int i = 0; i < COUNT; i++)
            assert_int_equal(statuses[i], i % 4000 % 9 ? VV_OK : VV_ENOTFOUND);
        if (turn == 0) /* into empty buffers, of which some stay so */
            for (int i = 0; i < COUNT; i++)
                vv_buf_clear(&outs[i]);
        assert_int_equal(vv_blockstore_get_many(store, cids, COUNT, outs, NULL, &err),
                         VV_ENOTFOUND);
        for (int i = 0; i < COUNT && turn == 0; i++)
            assert_null(outs[i].data);
        assert_vv_ok(vv_blockstore_put_many(store, &VV_PREFIX_RAW_BLAKE3, blocks, COUNT,
                                            NULL, &err));
        assert_vv_ok(vv_blockstore_get_many(store, cids, COUNT, outs, NULL, &err));
        for (int i = 0; i < 4000; i += 9)
            assert_vv_ok(vv_blockstore_delete(store, &cids[i], &err));
    }
    for (int i = 0; i < COUNT; i++)
        vv_buf_clear(&outs[i]);
    vv_blockstore_free(store);
}

static vv_status put_a_few_together(void *ctx)
{
    static char large[20000];
    vv_bytes blocks[] = { vv_bytes_of("a"), vvi_bytes(large, sizeof(large)),
                          vv_bytes_of("b"), vv_bytes_of("c"), vv_bytes_of("a") };
    vv_blockstore *store = NULL;
    vv_status status = vv_memory_blockstore_new(&store, &err);

    (void)ctx;
    for (int turn = 0; turn < 2 && !status; turn++)
        status = vv_blockstore_put_many(store, &VV_PREFIX_RAW_BLAKE3, blocks, 5, NULL,
                                        &err);
    vv_blockstore_free(store);
    return status;
}

static void a_put_of_many_survives_any_failing_allocation(void **state)
{
    (void)state;
    survives_failing_allocations(put_a_few_together, NULL);
}

static vv_status make_and_free(void *ctx)
{
    vv_blockstore *store = NULL;
    vv_status status = vv_memory_blockstore_new(&store, &err);

    (void)ctx;
    if (!status)
        status = vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of("x"), NULL,
                                   &err);
    vv_blockstore_free(store);
    return status;
}

static void a_store_survives_any_failing_allocation(void **state)
{
    (void)state;
    survives_failing_allocations(make_and_free, NULL);
}

int main(void)
{
    static const contract_backend memory = { .name = "memory", .make = make };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_that_put_the_same_blocks_store_each_once),
        cmocka_unit_test(many_blocks_put_together_are_got_together),
        cmocka_unit_test(a_put_of_many_survives_any_failing_allocation),
        cmocka_unit_test(a_store_survives_any_failing_allocation),
    };
    int failed = run_blockstore_contract(&memory);

    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
