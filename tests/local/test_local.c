/* The embedded store: the contract of every block store, and what is its own. */
#include "blockstore/contract.h"

#include "local/store.h"
#include "util/file.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

static vv_error err;

static vv_blockstore *open_store(const char *dir, const vv_local_options *options)
{
    vv_local_options opts = options ? *options : VV_LOCAL_OPTIONS_INIT;
    vv_blockstore *store = NULL;

    opts.create = !opts.read_only;
    assert_vv_ok(vv_local_open(dir, &opts, &store, &err));
    return store;
}

/* ---- the contract ------------------------------------------------------------------------ */

static vv_local_options contract_options;

static vv_blockstore *make(void **ctx, const vv_block *blocks, size_t n)
{
    char *dir = make_directory();
    vv_blockstore *store = open_store(dir, &contract_options);

    *ctx = dir;
    contract_fill(store, blocks, n);
    return store;
}

static vv_blockstore *make_flushed(void **ctx, const vv_block *blocks, size_t n)
{
    vv_blockstore *store = make(ctx, blocks, n);

    assert_vv_ok(vv_blockstore_flush(store, &err));
    return store;
}

static vv_blockstore *make_read_only(void **ctx, const vv_block *blocks, size_t n)
{
    vv_local_options opts = contract_options;
    vv_blockstore *store = make_flushed(ctx, blocks, n);

    vv_blockstore_free(store);
    opts.read_only = true;
    return open_store(*ctx, &opts);
}

static void unmake(void *ctx)
{
    remove_directory(ctx);
}

static int run_contracts(void)
{
    static const struct {
        const char *name;
        vv_blockstore *(*make)(void **ctx, const vv_block *blocks, size_t n);
        vv_local_options opts;
    } kinds[] = {
        { "local", make, { .struct_size = sizeof(vv_local_options) } },
        { "local, flushed", make_flushed, { .struct_size = sizeof(vv_local_options) } },
        { "local, read-only",
          make_read_only,
          { .struct_size = sizeof(vv_local_options) } },
        { "local, trusted",
          make_flushed,
          { .struct_size = sizeof(vv_local_options), .trusted = true } },
        { "local, small files and buffer",
          make,
          { .struct_size = sizeof(vv_local_options),
            .segment_bytes = 4096,
            .buffer_bytes = 1000,
            .durability = VV_PROCESS } },
    };
    int failed = 0;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        contract_backend backend = { .name = kinds[i].name,
                                     .make = kinds[i].make,
                                     .unmake = unmake,
                                     .read_only = kinds[i].make == make_read_only };

        contract_options = kinds[i].opts;
        failed += run_blockstore_contract(&backend);
    }
    return failed;
}

/* ---- its own promises ---------------------------------------------------------------------- */

typedef struct fixture {
    char *dir;
} fixture;

static int set_up(void **state)
{
    *state = make_directory();
    return 0;
}

static int tear_down(void **state)
{
    remove_directory(*state);
    return 0;
}

static vv_cid put_number(vv_blockstore *store, unsigned n)
{
    char text[64];
    vv_cid cid;

    snprintf(text, sizeof(text), "block number %u", n);
    assert_vv_ok(
        vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of(text), &cid, &err));
    return cid;
}

static vv_cid name_number(unsigned n)
{
    char text[64];

    snprintf(text, sizeof(text), "block number %u", n);
    return cid_of_text(text);
}

static bool has_number(vv_blockstore *store, unsigned n)
{
    vv_cid cid = name_number(n);
    vv_buf out = VV_BUF_INIT;
    vv_status status = vv_blockstore_get(store, &cid, &out, &err);
    char text[64];

    assert_true(status == VV_OK || status == VV_ENOTFOUND);
    if (!status) {
        snprintf(text, sizeof(text), "block number %u", n);
        assert_int_equal(out.len, strlen(text));
        assert_memory_equal(out.data, text, out.len);
    }
    vv_buf_clear(&out);
    return status == VV_OK;
}

static uint64_t count_blocks(vv_blockstore *store)
{
    vv_blockstore_stats stats;

    assert_vv_ok(vv_blockstore_stat(store, &stats, &err));
    return stats.block_count;
}

static void flushed_blocks_are_there_after_reopening(void **state)
{
    vv_local_options small = VV_LOCAL_OPTIONS_INIT;
    vv_blockstore *store;

    small.segment_bytes = 1 << 16;
    store = open_store(*state, &small);
    for (unsigned n = 0; n < 10000; n++) {
        put_number(store, n);
        if (n % 1000 == 999)
            assert_vv_ok(vv_blockstore_flush(store, &err));
    }
    vv_blockstore_free(store);
    store = open_store(*state, NULL);
    assert_int_equal(count_blocks(store), 10000);
    for (unsigned n = 0; n < 10000; n++)
        assert_true(has_number(store, n));
    assert_false(has_number(store, 10000));
    vv_blockstore_free(store);
}

static void a_block_put_again_takes_no_space(void **state)
{
    vv_blockstore *store = open_store(*state, NULL);
    vv_blockstore_stats before;
    vv_blockstore_stats after;

    put_number(store, 1);
    put_number(store, 1);
    assert_vv_ok(vv_blockstore_flush(store, &err));
    put_number(store, 2);
    assert_vv_ok(vv_blockstore_flush(store, &err));
    assert_vv_ok(vv_blockstore_stat(store, &before, &err));
    assert_int_equal(before.block_count, 2);
    for (int i = 0; i < 100; i++) {
        put_number(store, 1);
        put_number(store, 2);
        assert_vv_ok(vv_blockstore_flush(store, &err));
    }
    assert_vv_ok(vv_blockstore_stat(store, &after, &err));
    assert_int_equal(after.storage_bytes, before.storage_bytes);
    assert_int_equal(after.block_count, 2);
    vv_blockstore_free(store);
}

static void deletions_and_new_puts_survive_in_order(void **state)
{
    vv_blockstore *store = open_store(*state, NULL);
    vv_cid cid = put_number(store, 1);

    put_number(store, 2);
    assert_vv_ok(vv_blockstore_delete(store, &cid, &err)); /* not flushed yet */
    assert_false(has_number(store, 1));
    assert_int_equal(vv_blockstore_delete(store, &cid, &err), VV_ENOTFOUND);
    assert_int_equal(count_blocks(store), 1);
    put_number(store, 1);
    assert_true(has_number(store, 1));
    assert_vv_ok(vv_blockstore_flush(store, &err));
    assert_vv_ok(vv_blockstore_delete(store, &cid, &err)); /* flushed */
    put_number(store, 3);
    cid = name_number(3);
    assert_vv_ok(vv_blockstore_delete(store, &cid, &err)); /* only in memory */
    assert_vv_ok(vv_blockstore_flush(store, &err));
    assert_int_equal(count_blocks(store), 1);
    vv_blockstore_free(store);
    store = open_store(*state, NULL);
    assert_false(has_number(store, 1));
    assert_true(has_number(store, 2));
    assert_false(has_number(store, 3));
    assert_int_equal(count_blocks(store), 1);
    vv_blockstore_free(store);
}

static void two_handles_see_what_the_other_flushed(void **state)
{
    vv_blockstore *a = open_store(*state, NULL);
    vv_blockstore *b = open_store(*state, NULL);
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    vv_blockstore *reader;

    opts.read_only = true;
    reader = open_store(*state, &opts);
    for (unsigned n = 0; n < 20000; n += 2) { /* enough for the index to grow */
        put_number(a, n);
        put_number(b, n + 1);
        if (n % 500 == 0) {
            assert_vv_ok(vv_blockstore_flush(a, &err));
            assert_true(has_number(b, n));
            assert_true(has_number(reader, n));
            assert_vv_ok(vv_blockstore_flush(b, &err));
            assert_true(has_number(a, n + 1));
            assert_true(has_number(reader, n + 1));
        }
    }
    assert_vv_ok(vv_blockstore_flush(a, &err));
    assert_vv_ok(vv_blockstore_flush(b, &err));
    assert_int_equal(count_blocks(reader), 20000);
    for (unsigned n = 0; n < 20000; n++)
        assert_true(has_number(reader, n));
    vv_blockstore_free(reader);
    vv_blockstore_free(a);
    vv_blockstore_free(b);
}

static void an_index_that_is_gone_is_made_again(void **state)
{
    vv_blockstore *store = open_store(*state, NULL);
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    vv_cid cid = { 0 };
    char path[512];

    for (unsigned n = 0; n < 5000; n++)
        cid = put_number(store, n);
    assert_vv_ok(vv_blockstore_delete(store, &cid, &err));
    assert_vv_ok(vv_blockstore_flush(store, &err));
    vv_blockstore_free(store);
    snprintf(path, sizeof(path), "%s/index", (char *)*state);
    assert_int_equal(remove(path), 0);
    opts.read_only = true; /* made in memory */
    store = open_store(*state, &opts);
    assert_int_equal(count_blocks(store), 4999);
    assert_true(has_number(store, 4998));
    vv_blockstore_free(store);
    store = open_store(*state, NULL); /* made as a file */
    assert_int_equal(count_blocks(store), 4999);
    for (unsigned n = 0; n < 5000; n++)
        assert_int_equal(has_number(store, n), n < 4999);
    vv_blockstore_free(store);
}

static void a_store_of_another_version_is_refused_with_both(void **state)
{
    vv_blockstore *store = open_store(*state, NULL);
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    char path[512];
    uint8_t *bytes;
    size_t len;

    vv_blockstore_free(store);
    snprintf(path, sizeof(path), "%s/varvite-store", (char *)*state);
    bytes = read_file(path, &len);
    bytes[8] = 7;
    write_file(path, bytes, len);
    assert_int_equal(vv_local_open(*state, &opts, &store, &err), VV_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "version 7"));
    assert_non_null(strstr(err.message, "version 1"));
    bytes[8] = 1;
    bytes[20] ^= 1;
    write_file(path, bytes, len);
    assert_int_equal(vv_local_open(*state, &opts, &store, &err), VV_ECORRUPT);
    assert_non_null(strstr(err.message, "fsck"));
    free(bytes);
}

static void what_is_no_store_is_not_opened(void **state)
{
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    vv_blockstore *store;

    assert_int_equal(vv_local_open(*state, &opts, &store, &err), VV_ENOTFOUND);
    assert_non_null(strstr(err.message, *state));
    assert_int_equal(vv_local_open("/no/such/directory", NULL, &store, &err),
                     VV_ENOTFOUND);
    assert_int_equal(vv_local_open("", NULL, &store, &err), VV_EINVAL);
    opts.create = opts.read_only = true;
    assert_int_equal(vv_local_open(*state, &opts, &store, &err), VV_EINVAL);
}

static void a_reader_does_not_write(void **state)
{
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    vv_blockstore *store = open_store(*state, NULL);
    vv_cid cid = put_number(store, 1);

    assert_vv_ok(vv_blockstore_flush(store, &err));
    vv_blockstore_free(store);
    opts.read_only = true;
    store = open_store(*state, &opts);
    assert_int_equal(
        vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of("x"), NULL, &err),
        VV_EREADONLY);
    assert_int_equal(vv_blockstore_delete(store, &cid, &err), VV_EREADONLY);
    assert_vv_ok(vv_blockstore_flush(store, &err));
    assert_true(has_number(store, 1));
    vv_blockstore_free(store);
}

static void long_blocks_lie_in_files_of_their_own_length(void **state)
{
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    size_t sizes[] = { 0, 1, 32767, 32768, 100000, 3000000, 70000 };
    vv_cid cids[7];
    vv_bytes blocks[7];
    vv_blockstore *store;
    uint8_t *data = malloc(3000000);
    uint64_t seed = 3;

    assert_non_null(data);
    for (size_t i = 0; i < 3000000; i++)
        data[i] = (uint8_t)next_random(&seed);
    opts.segment_bytes = 200000;
    store = open_store(*state, &opts);
    for (size_t i = 0; i < 7; i++)
        blocks[i] = (vv_bytes){ data, sizes[i] };
    assert_vv_ok(
        vv_blockstore_put_many(store, &VV_PREFIX_RAW_BLAKE3, blocks, 7, cids, &err));
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 7; i++) {
            vv_buf out = VV_BUF_INIT;

            assert_vv_ok(vv_blockstore_get(store, &cids[i], &out, &err));
            assert_int_equal(out.len, sizes[i]);
            assert_memory_equal(out.data ? out.data : data, data, sizes[i]);
            vv_buf_clear(&out);
        }
        if (round == 0)
            assert_vv_ok(vv_blockstore_flush(store, &err));
        if (round == 1) {
            vv_blockstore_free(store);
            store = open_store(*state, NULL);
        }
    }
    vv_blockstore_free(store);
    free(data);
}

static void a_writer_waits_only_so_long_for_another(void **state)
{
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    vvi_file lock = VVI_FILE_INIT;
    vv_blockstore *store;
    char path[512];

    opts.lock_timeout_ms = 20;
    store = open_store(*state, &opts);
    put_number(store, 1);
    snprintf(path, sizeof(path), "%s/lock.writer", (char *)*state);
    assert_vv_ok(vvi_file_open(&lock, path, VVI_FILE_READ, &err));
    assert_vv_ok(vvi_file_lock(&lock, VVI_LOCK_EXCLUSIVE, 0, &err));
    assert_int_equal(vv_blockstore_flush(store, &err), VV_EBUSY);
    assert_non_null(strstr(err.message, "lock.writer"));
    assert_true(has_number(store, 1)); /* nothing is lost by that */
    vvi_file_close(&lock);
    assert_vv_ok(vv_blockstore_flush(store, &err));
    vv_blockstore_free(store);
}

static void who_never_flushes_is_flushed_for(void **state)
{
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    vv_blockstore *store;
    vv_blockstore *other;

    opts.buffer_bytes = 1 << 20;
    store = open_store(*state, &opts);
    other = open_store(*state, NULL);
    for (unsigned n = 0; n < 160000; n++)
        put_number(store, n);
    assert_true(has_number(other, 0));
    assert_false(has_number(other, 159999));
    vv_blockstore_free(store);
    vv_blockstore_free(other);
}

#define THREADS 4
#define EACH    3000

typedef struct worker {
    vv_blockstore *store;
    unsigned first;
    const char *wrong;
} worker;

static void *put_flush_get(void *arg)
{
    worker *self = arg;
    vv_error mine;

    for (unsigned n = self->first; n < self->first + EACH; n++) {
        char text[64];
        vv_cid cid;
        vv_buf out = VV_BUF_INIT;

        snprintf(text, sizeof(text), "block number %u", n);
        if (vv_blockstore_put(self->store, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of(text), &cid,
                              &mine) ||
            vv_blockstore_get(self->store, &cid, &out, &mine)) {
            self->wrong = "put or get failed";
            return NULL;
        }
        if (out.len != strlen(text) || memcmp(out.data, text, out.len) != 0)
            self->wrong = "another block came back";
        vv_buf_clear(&out);
        if (n % 250 == 249 && vv_blockstore_flush(self->store, &mine))
            self->wrong = "flush failed";
        if (n % 10 == 9 && vv_blockstore_delete(self->store, &cid, &mine))
            self->wrong = "delete failed";
    }
    return NULL;
}

static void many_threads_share_one_handle(void **state)
{
    vv_blockstore *store = open_store(*state, NULL);
    pthread_t threads[THREADS];
    worker workers[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        /* neighbours overlap by half: they put the same blocks */
        workers[i] = (worker){ store, i * EACH, NULL };
        assert_int_equal(pthread_create(&threads[i], NULL, put_flush_get, &workers[i]),
                         0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        if (workers[i].wrong)
            fail_msg("thread %u: %s", i, workers[i].wrong);
    }
    assert_vv_ok(vv_blockstore_flush(store, &err));
    assert_int_equal(count_blocks(store), THREADS * EACH * 9 / 10);
    for (unsigned n = 0; n < THREADS * EACH; n++)
        assert_int_equal(has_number(store, n), n % 10 != 9);
    vv_blockstore_free(store);
}

static void *change_the_view(void *ctx)
{
    vvi_local *self = ctx;

    vvi_rwlock_write(&self->view);
    vvi_rwlock_unlock(&self->view);
    return NULL;
}

/* Who must map more of a file, or take a new index, waits for the readers there are, not for more. */
static void new_readers_wait_for_a_change_of_the_view(void **state)
{
    vv_blockstore *store = open_store(*state, NULL);
    vvi_local *self = vvi_local_of(store);
    uint64_t until_ns = vvi_now_ns() + (uint64_t)20 * 1000000000u;
    pthread_t thread;
    int got = 0;

    vvi_rwlock_read(&self->view);
    assert_int_equal(pthread_create(&thread, NULL, change_the_view, self), 0);
    while (!got && vvi_now_ns() < until_ns) {
        got = pthread_rwlock_tryrdlock(&self->view.l);
        if (!got)
            vvi_rwlock_unlock(&self->view);
    }
    vvi_rwlock_unlock(&self->view);
    pthread_join(thread, NULL);
    vv_blockstore_free(store);
    assert_int_equal(got, EBUSY);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(flushed_blocks_are_there_after_reopening),
        TEST(a_block_put_again_takes_no_space),
        TEST(deletions_and_new_puts_survive_in_order),
        TEST(two_handles_see_what_the_other_flushed),
        TEST(an_index_that_is_gone_is_made_again),
        TEST(a_store_of_another_version_is_refused_with_both),
        TEST(what_is_no_store_is_not_opened),
        TEST(a_reader_does_not_write),
        TEST(long_blocks_lie_in_files_of_their_own_length),
        TEST(a_writer_waits_only_so_long_for_another),
        TEST(who_never_flushes_is_flushed_for),
        TEST(many_threads_share_one_handle),
        TEST(new_readers_wait_for_a_change_of_the_view),
    };
    int failed;

    watch_allocations();
    failed = cmocka_run_group_tests_name("local", tests, NULL, NULL);
    return failed + run_contracts();
}
