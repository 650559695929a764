/* Threads that write chunks of their own through one array lose nothing of each other. */
#include "zarr/squares.h"

#include "util/thread.h"

#define THREADS 8
#define TURNS   4

typedef struct work {
    vv_array *array;
    bool read_too;
} work;

/* Thread number i writes its squares, several times; with shards of 4 squares, one each. */
static vv_status write_own(void *ctx, size_t i, vv_error *err)
{
    const work *self = ctx;

    for (unsigned turn = 1; turn <= TURNS; turn++) {
        for (unsigned square = 0; square < SQUARES; square++) {
            /* Neighbours in a shard (0, 1, 8 and 9) belong to different threads. */
            if ((square % ALONG + 3 * (square / ALONG)) % THREADS != i)
                continue;
            VVI_TRY(write_square(self->array, square, turn * SQUARES + square, err));
            if (self->read_too)
                assert_int_equal(read_square(self->array, square),
                                 turn * SQUARES + square);
        }
    }
    return VV_OK;
}

static void write_with_threads(vv_store *store, layout how)
{
    vv_error err = VV_ERROR_INIT;
    work self = { .read_too = true };

    assert_vv_ok(make_squares(store, how, &self.array, &err));
    assert_vv_ok(vvi_parallel(THREADS, THREADS, write_own, &self, &err));
    for (unsigned i = 0; i < SQUARES; i++)
        assert_int_equal(read_square(self.array, i), TURNS * SQUARES + i);
    vv_array_free(self.array);
}

static void in_memory(layout how)
{
    vv_error err = VV_ERROR_INIT;
    vv_store *store;

    assert_vv_ok(vv_memory_store_new(&store, &err));
    write_with_threads(store, how);
    vv_store_free(store);
}

static void in_a_directory(layout how)
{
    char *dir = make_directory();
    vv_error err = VV_ERROR_INIT;
    vv_store *store;

    assert_vv_ok(vv_directory_store_open(dir, false, &store, &err));
    write_with_threads(store, how);
    vv_store_free(store);
    remove_directory(dir);
}

static void in_a_map(layout how)
{
    vv_error err = VV_ERROR_INIT;
    vv_blockstore *blocks;
    vv_store *store;

    assert_vv_ok(vv_memory_blockstore_new(&blocks, &err));
    assert_vv_ok(vv_hamt_store_open(blocks, NULL, NULL, &store, &err));
    write_with_threads(store, how);
    vv_store_free(store);
    vv_blockstore_free(blocks);
}

static void threads_that_write_chunks_of_their_own_lose_nothing(void **state)
{
    (void)state;
    in_memory(CHUNKS);
    in_a_directory(CHUNKS);
    in_a_map(CHUNKS);
}

static void threads_that_write_inner_chunks_of_one_shard_lose_nothing(void **state)
{
    (void)state;
    in_memory(SHARDS);
    in_a_directory(SHARDS);
    in_a_map(SHARDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_that_write_chunks_of_their_own_lose_nothing),
        cmocka_unit_test(threads_that_write_inner_chunks_of_one_shard_lose_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
