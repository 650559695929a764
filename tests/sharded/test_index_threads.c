/* The index of an array used from many threads at once. */
#include "index_support.h"

#include "util/thread.h"

#include <stdatomic.h>

#define READERS 4
#define WRITERS 3
#define ROUNDS  400

typedef struct shared {
    vv_blockstore *memory;
    vvi_shard_cache *cache;
    vvi_chunk_index *index;
    vvi_rwlock
        grid; /* writers share it, resizing and saving have it alone where a test says so */
    atomic_bool stop;
    atomic_int readers, writers; /* begun */
} shared;

static const uint64_t shape[MODEL_NDIM] = { 6, 5, 4 };

static int setup(void **state)
{
    static shared self;
    vv_error err;

    memset(&self, 0, sizeof(self));
    assert_vv_ok(vv_memory_blockstore_new(&self.memory, &err));
    assert_vv_ok(vvi_rwlock_init_writers_first(&self.grid, &err));
    self.cache = new_cache(self.memory, 4000);
    self.index = new_index(self.cache, shape, 7);
    *state = &self;
    return 0;
}

static int teardown(void **state)
{
    shared *self = *state;

    vvi_chunk_index_free(self->index);
    vvi_shard_cache_free(self->cache);
    vv_blockstore_free(self->memory);
    vvi_rwlock_clear(&self->grid);
    return 0;
}

static void start(pthread_t *threads, int n, void *(*run)(void *), shared *self)
{
    for (int i = 0; i < n; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run, self), 0);
}

static void join(pthread_t *threads, int n)
{
    for (int i = 0; i < n; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static vv_status see(void *ctx, const uint64_t *coords, const vv_cid *cid, vv_error *err)
{
    uint64_t *count = ctx;

    (void)coords;
    (void)err;
    *count += cid->version == 1;
    return VV_OK;
}

/* Chunks come and go; what is found is a name that was put there. */
static void *read_chunks(void *ctx)
{
    shared *self = ctx;
    uint64_t seed = 100 + (uint64_t)atomic_fetch_add(&self->readers, 1);

    while (!atomic_load(&self->stop)) {
        uint64_t coords[5][MODEL_NDIM];
        vv_status statuses[5];
        uint64_t count = 0;
        vv_cid cids[5];
        vv_error err;

        for (int i = 0; i < 5; i++)
            for (int d = 0; d < MODEL_NDIM; d++)
                coords[i][d] = next_random(&seed) % 4;
        assert_vv_ok(vvi_chunk_index_get_many(self->index, coords[0], 5,
                                              (vv_shard_read)(next_random(&seed) % 3),
                                              cids, statuses, &err));
        for (int i = 0; i < 5; i++)
            assert_true(statuses[i] == VV_ENOTFOUND || cids[i].version == 1);
        if (next_random(&seed) % 16 == 0)
            assert_vv_ok(vvi_chunk_index_visit(self->index, see, &count, &err));
    }
    return NULL;
}

/* Each writer has rows of its own, and ends with the number of its last round in all of them. */
static void *write_chunks(void *ctx)
{
    shared *self = ctx;
    int me = atomic_fetch_add(&self->writers, 1);
    vv_error err;

    for (uint64_t round = 1; round <= ROUNDS; round++)
        for (uint64_t row = (uint64_t)me; row < 4; row += WRITERS)
            for (uint64_t i = 0; i < 16; i++) {
                const uint64_t at[MODEL_NDIM] = { row, i / 4, i % 4 };
                vv_cid cid = cid_number(round);

                vvi_rwlock_read(&self->grid);
                assert_vv_ok(vvi_chunk_index_set(self->index, at, round % 5 ? &cid : NULL,
                                                 NULL, &err));
                if (round == ROUNDS)
                    assert_vv_ok(vvi_chunk_index_set(self->index, at, &cid, NULL, &err));
                vvi_rwlock_unlock(&self->grid);
            }
    return NULL;
}

static void assert_all_written(shared *self)
{
    vvi_shard_cache *cache = new_cache(self->memory, 0);
    vvi_chunk_index *again;
    vv_cid right = cid_number(ROUNDS);
    vv_error err;
    vv_cid cid;

    assert_vv_ok(vvi_chunk_index_save(self->index, &err));
    assert_false(vvi_chunk_index_is_changed(self->index));
    again = reopen(self->index, cache);
    for (uint64_t i = 0; i < 64; i++) {
        const uint64_t at[MODEL_NDIM] = { i / 16, i / 4 % 4, i % 4 };

        assert_vv_ok(vvi_chunk_index_get(again, at, VV_SHARD_FULL, &cid, &err));
        assert_true(vv_cid_equal(&cid, &right));
    }
    vvi_chunk_index_free(again);
    vvi_shard_cache_free(cache);
}

static void *save_again_and_again(void *ctx)
{
    shared *self = ctx;
    vv_error err;

    while (!atomic_load(&self->stop))
        assert_vv_ok(vvi_chunk_index_save(self->index, &err));
    return NULL;
}

static void writes_during_a_save_are_not_lost(void **state)
{
    shared *self = *state;
    pthread_t readers[READERS];
    pthread_t writers[WRITERS];
    pthread_t saver;

    start(readers, READERS, read_chunks, self);
    start(&saver, 1, save_again_and_again, self);
    start(writers, WRITERS, write_chunks, self);
    join(writers, WRITERS);
    atomic_store(&self->stop, true);
    join(&saver, 1);
    join(readers, READERS);
    assert_all_written(self);
}

static void *resize_again_and_again(void *ctx)
{
    shared *self = ctx;
    uint64_t seed = 5;
    vv_error err;

    while (!atomic_load(&self->stop)) {
        const uint64_t to[MODEL_NDIM] = { 4 + next_random(&seed) % 8,
                                          4 + next_random(&seed) % 3,
                                          4 + next_random(&seed) % 3 };

        vvi_rwlock_write(&self->grid);
        assert_vv_ok(vvi_chunk_index_resize(self->index, to, &err));
        if (next_random(&seed) % 2)
            assert_vv_ok(vvi_chunk_index_save(self->index, &err));
        vvi_rwlock_unlock(&self->grid);
    }
    return NULL;
}

static void readers_go_on_while_the_grid_changes(void **state)
{
    shared *self = *state;
    pthread_t readers[READERS];
    pthread_t writers[WRITERS];
    pthread_t resizer;

    start(readers, READERS, read_chunks, self);
    start(&resizer, 1, resize_again_and_again, self);
    start(writers, WRITERS, write_chunks, self);
    join(writers, WRITERS);
    atomic_store(&self->stop, true);
    join(&resizer, 1);
    join(readers, READERS);
    assert_all_written(self);
}

static void *read_one(void *ctx)
{
    shared *self = ctx;
    const uint64_t at[MODEL_NDIM] = { 0, 0, 1 };
    vv_error err;
    vv_cid cid;

    assert_vv_ok(vvi_chunk_index_get(self->index, at, VV_SHARD_FULL, &cid, &err));
    return NULL;
}

static void one_read_serves_all_who_wait_for_a_shard(void **state)
{
    shared *self = *state;
    const uint64_t at[MODEL_NDIM] = { 0, 0, 1 };
    pthread_t readers[16];
    vv_cid cid = cid_number(1);
    uint64_t bytes;
    uint64_t loads;
    vv_error err;

    assert_vv_ok(vvi_chunk_index_set(self->index, at, &cid, NULL, &err));
    assert_vv_ok(vvi_chunk_index_save(self->index, &err));
    for (int round = 0; round < 20; round++) {
        vvi_shard_cache *cache = new_cache(self->memory, 0);
        vvi_chunk_index *index = reopen(self->index, cache);

        vvi_chunk_index_free(self->index);
        vvi_shard_cache_free(self->cache);
        self->cache = cache;
        self->index = index;
        start(readers, 16, read_one, self);
        join(readers, 16);
        vvi_shard_cache_stat(cache, &bytes, &loads);
        assert_int_equal(loads, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_during_a_save_are_not_lost, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(readers_go_on_while_the_grid_changes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_read_serves_all_who_wait_for_a_shard, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
