/* Other shapes of an array's index, beside a plain list. */
#include "index_support.h"

#include "sharded/shard.h"

#include <varvite/blockstore_backend.h>

#include <stdlib.h>

typedef struct fixture {
    vv_blockstore *memory, *faulty;
    vvi_shard_cache *cache;
    vvi_chunk_index *index;
    model model;
} fixture;

static const uint64_t start[MODEL_NDIM] = { 4, 3, 5 };

static int setup(void **state)
{
    static fixture self;
    vv_error err;

    memset(&self, 0, sizeof(self));
    assert_vv_ok(vv_memory_blockstore_new(&self.memory, &err));
    self.faulty = faulty_blockstore_new(self.memory);
    self.cache = new_cache(self.faulty, 0);
    self.index = new_index(self.cache, start, 4);
    model_resize(&self.model, start);
    *state = &self;
    return 0;
}

static int teardown(void **state)
{
    fixture *self = *state;

    vvi_chunk_index_free(self->index);
    vvi_shard_cache_free(self->cache);
    vv_blockstore_free(self->faulty);
    vv_blockstore_free(self->memory);
    return 0;
}

static void save(fixture *self)
{
    vv_error err;

    assert_vv_ok(vvi_chunk_index_save(self->index, &err));
}

static void start_anew(fixture *self)
{
    vvi_shard_cache *cache = new_cache(self->faulty, 0);
    vvi_chunk_index *index = reopen(self->index, cache);

    vvi_chunk_index_free(self->index);
    vvi_shard_cache_free(self->cache);
    self->cache = cache;
    self->index = index;
}

static void fill(fixture *self, uint64_t *seed, int n)
{
    const uint64_t *shape = self->model.shape;

    for (int i = 0; i < n && shape[0] && shape[1] && shape[2]; i++) {
        uint64_t at[MODEL_NDIM] = { next_random(seed) % shape[0],
                                    next_random(seed) % shape[1],
                                    next_random(seed) % shape[2] };

        set_both(self->index, &self->model, at, next_random(seed) % 50);
    }
}

static void resize_both(fixture *self, uint64_t a, uint64_t b, uint64_t c)
{
    const uint64_t shape[MODEL_NDIM] = { a, b, c };
    vv_error err;

    assert_vv_ok(vvi_chunk_index_resize(self->index, shape, &err));
    model_resize(&self->model, shape);
}

static uint64_t loads(fixture *self)
{
    uint64_t bytes;
    uint64_t n;

    vvi_shard_cache_stat(self->cache, &bytes, &n);
    return n;
}

static void chunks_keep_their_coordinates(void **state)
{
    fixture *self = *state;
    uint64_t seed = 1;

    for (int round = 0; round < 300; round++) {
        fill(self, &seed, 8);
        if (next_random(&seed) % 3 == 0)
            save(self);
        if (next_random(&seed) % 4 == 0) {
            save(self);
            start_anew(self);
        }
        if (next_random(&seed) % 2)
            resize_both(self, next_random(&seed) % 9, next_random(&seed) % 9,
                        next_random(&seed) % 9);
        else
            resize_both(self,
                        self->model.shape[0] +
                            next_random(&seed) % 2 * (self->model.shape[0] < 8),
                        self->model.shape[1], self->model.shape[2]);
        assert_index(self->index, &self->model, (vv_shard_read)(next_random(&seed) % 3));
        save(self);
        assert_index(self->index, &self->model, VV_SHARD_AUTO);
    }
}

/* The root that a fresh index with the same chunks would have, shard by shard. */
static void assert_as_fresh(fixture *self)
{
    vvi_chunk_index *fresh = new_index(self->cache, self->model.shape, 4);
    const vvi_geometry *geometry = vvi_chunk_index_geometry(fresh);
    const uint64_t *shape = self->model.shape;
    vv_error err;
    vv_cid a;
    vv_cid b;

    for (uint64_t i = 0; i < geometry->chunk_count; i++) {
        uint64_t at[MODEL_NDIM] = { i / (shape[1] * shape[2]), i / shape[2] % shape[1],
                                    i % shape[2] };
        uint64_t value = self->model.values[at[0]][at[1]][at[2]];
        vv_cid cid = cid_number(value);

        if (value)
            assert_vv_ok(vvi_chunk_index_set(fresh, at, &cid, NULL, &err));
    }
    assert_vv_ok(vvi_chunk_index_save(fresh, &err));
    save(self);
    for (uint64_t i = 0; i < geometry->shard_count; i++) {
        bool there = vvi_chunk_index_shard(self->index, i, &a);

        assert_int_equal(there, vvi_chunk_index_shard(fresh, i, &b));
        if (there)
            assert_true(vv_cid_equal(&a, &b));
    }
    vvi_chunk_index_free(fresh);
}

static void a_moved_array_has_the_root_of_a_fresh_one(void **state)
{
    fixture *self = *state;
    uint64_t seed = 2;

    fill(self, &seed, 40);
    save(self);
    resize_both(self, 4, 4, 5);
    assert_as_fresh(self);
    start_anew(self);
    resize_both(self, 3, 4, 2);
    assert_as_fresh(self);
    resize_both(self, 7, 4, 2);
    resize_both(self, 2, 3, 3);
    assert_as_fresh(self);
}

static void growing_along_the_first_dimension_reads_nothing(void **state)
{
    fixture *self = *state;
    uint64_t seed = 3;

    fill(self, &seed, 40);
    save(self);
    start_anew(self);
    resize_both(self, 8, 3, 5);
    assert_int_equal(loads(self), 0);
    assert_index(self->index, &self->model, VV_SHARD_AUTO);
}

static void no_block_is_read_twice_by_one_resize(void **state)
{
    fixture *self = *state;
    uint64_t seed = 4;
    uint64_t there = 0;
    vv_cid cid;

    fill(self, &seed, 60);
    save(self);
    start_anew(self);
    for (uint64_t i = 0; vvi_chunk_index_shard(self->index, i, &cid); i++)
        there++;
    resize_both(self, 4, 4, 4);
    assert_true(loads(self) > 0 && loads(self) <= 15);
    assert_true(there > 0);
}

/* Shards that keep all their chunks where they were keep their names, and are not saved again. */
static void shards_that_stay_the_same_keep_their_names(void **state)
{
    fixture *self = *state;
    uint64_t seed = 5;
    size_t calls;
    vv_cid before;
    vv_cid after;

    fill(self, &seed, 60);
    save(self);
    assert_true(vvi_chunk_index_shard(self->index, 0, &before));
    resize_both(self, 2, 3, 5); /* 30 chunks: seven whole shards and a half */
    assert_true(vvi_chunk_index_shard(self->index, 0, &after));
    assert_true(vv_cid_equal(&before, &after));
    assert_true(vvi_chunk_index_shard(self->index, 6, &after));
    calls = faulty_calls(self->faulty);
    save(self);
    assert_true(faulty_calls(self->faulty) <= calls + 1);
}

static void a_shard_without_chunks_is_null_after_moving(void **state)
{
    fixture *self = *state;
    const uint64_t at[MODEL_NDIM] = { 0, 0, 0 };
    vv_cid cid;

    set_both(self->index, &self->model, at, 1);
    save(self);
    set_both(self->index, &self->model, at, 0);
    save(self);
    assert_true(vvi_chunk_index_shard(self->index, 0, &cid));
    resize_both(self, 5, 3, 5);
    assert_true(vvi_chunk_index_shard(self->index, 0, &cid));
    resize_both(self, 4, 3, 5);
    assert_false(vvi_chunk_index_shard(self->index, 0, &cid));
}

static void a_failing_read_changes_nothing(void **state)
{
    fixture *self = *state;
    const uint64_t shape[MODEL_NDIM] = { 4, 4, 4 };
    uint64_t seed = 6;
    vv_error err;
    bool failed = true;

    fill(self, &seed, 60);
    save(self);
    for (size_t n = 0; failed; n++) {
        start_anew(self);
        faulty_fail_after(self->faulty, n, VV_EIO, false);
        failed = vvi_chunk_index_resize(self->index, shape, &err) != VV_OK;
        assert_int_equal(faulty_stop(self->faulty), failed);
        if (failed) {
            assert_false(vvi_chunk_index_is_changed(self->index));
            assert_index(self->index, &self->model, VV_SHARD_FULL);
        }
    }
    model_resize(&self->model, shape);
    assert_index(self->index, &self->model, VV_SHARD_FULL);
}

/* A block whose last shard names chunks behind the end of the grid, as py-hamt 3.3.2 left them. */
static void put_stale(fixture *self, vvi_chunk_index *index)
{
    vv_cid_prefix ids = VV_PREFIX_CBOR_BLAKE3;
    vv_buf block = VV_BUF_INIT;
    vvi_shard shard;
    vv_error err;
    vv_cid cid;

    vvi_shard_init(&shard, 4);
    for (uint64_t slot = 0; slot < 4; slot++) {
        cid = cid_number(slot + 1);
        assert_vv_ok(vvi_shard_set(&shard, slot, &cid, &err));
    }
    assert_vv_ok(vvi_shard_encode(&shard, &block, &err));
    assert_vv_ok(vv_blockstore_put(self->memory, &ids,
                                   (vv_bytes){ block.data, block.len }, &cid, &err));
    assert_vv_ok(vvi_chunk_index_put_shard(index, 0, &cid, &err));
    vv_buf_clear(&block);
    vvi_shard_clear(&shard);
}

static void chunks_behind_the_old_end_do_not_come_back(void **state)
{
    fixture *self = *state;
    const uint64_t two[MODEL_NDIM] = { 2, 1, 1 };

    for (int way = 0; way < 12; way++) {
        const uint64_t at[MODEL_NDIM] = { 0, 0, 0 };

        vvi_chunk_index_free(self->index);
        memset(&self->model, 0, sizeof(self->model));
        self->index = new_index(self->cache, two, 4);
        model_resize(&self->model, two);
        self->model.values[0][0][0] = 1;
        self->model.values[1][0][0] = 2;
        put_stale(self, self->index);
        if (way % 2)
            assert_index(self->index, &self->model, VV_SHARD_FULL);
        assert_false(vvi_chunk_index_is_changed(self->index));
        if (way / 2 % 3 == 1)
            set_both(self->index, &self->model, at, 3);
        resize_both(self, 3, 1, 1);
        resize_both(self, 5, 1, 1);
        if (way / 2 % 3 == 1)
            set_both(self->index, &self->model, at, 1);
        if (way / 2 % 3 == 2)
            resize_both(self, 5, 2, 1);
        if (way < 6)
            assert_index(self->index, &self->model,
                         way % 2 ? VV_SHARD_FULL : VV_SHARD_SPARSE);
        assert_as_fresh(self);
        assert_index(self->index, &self->model, VV_SHARD_SPARSE);
        start_anew(self);
        assert_index(self->index, &self->model, VV_SHARD_FULL);
    }
}

static vv_status move(void *ctx)
{
    fixture *self = ctx;
    const uint64_t shape[MODEL_NDIM] = { 3, 4, 5 };
    vvi_shard_cache *cache = NULL;
    vvi_chunk_index *index = NULL;
    vv_cid_prefix ids = VV_PREFIX_CBOR_BLAKE3;
    vv_status status = vvi_shard_cache_new(self->memory, &ids, 0, &cache, NULL);
    vv_cid cid;

    if (!status)
        status = vvi_chunk_index_new(cache, "a", vvi_chunk_index_geometry(self->index),
                                     &index, NULL);
    for (uint64_t i = 0; i < 15 && !status; i++)
        if (vvi_chunk_index_shard(self->index, i, &cid))
            status = vvi_chunk_index_put_shard(index, i, &cid, NULL);
    if (!status)
        status = vvi_chunk_index_resize(index, shape, NULL);
    vvi_chunk_index_free(index);
    vvi_shard_cache_free(cache);
    return status;
}

static void it_survives_any_failing_allocation(void **state)
{
    fixture *self = *state;
    uint64_t seed = 7;

    fill(self, &seed, 60);
    save(self);
    survives_failing_allocations(move, self);
}

static void shapes_that_cannot_be_are_refused(void **state)
{
    fixture *self = *state;
    const uint64_t huge[MODEL_NDIM] = { UINT64_MAX, 3, 5 };
    const uint64_t many[MODEL_NDIM] = { (uint64_t)1 << 40, 3, 5 };
    vv_error err;

    assert_int_equal(vvi_chunk_index_resize(self->index, huge, &err), VV_ELIMIT);
    assert_int_equal(vvi_chunk_index_resize(self->index, many, &err), VV_ELIMIT);
    assert_int_equal(vvi_chunk_index_geometry(self->index)->grid.shape[0], 4);
}

/* A block store that resizes the index while blocks are being fetched for the first time. */
typedef struct meddler {
    vv_blockstore base;
    fixture *fixture;
    bool done;
} meddler;

static vv_status meddler_get(vv_blockstore *base, const vv_cid *cid, vv_buf *out,
                             vv_error *err)
{
    static const uint64_t narrower[MODEL_NDIM] = { 6, 8, 7 };
    meddler *self = (meddler *)base;

    if (!self->done) {
        self->done = true;
        VVI_TRY(vvi_chunk_index_resize(self->fixture->index, narrower, err));
    }
    return vv_blockstore_get(self->fixture->memory, cid, out, err);
}

static vv_status meddler_has_many(vv_blockstore *base, const vv_cid *cids, size_t n,
                                  bool *out, vv_error *err)
{
    return vv_blockstore_has_many(((meddler *)base)->fixture->memory, cids, n, out, err);
}

static vv_status meddler_put_many(vv_blockstore *base, const vv_block *blocks, size_t n,
                                  vv_error *err)
{
    return vv_blockstore_add_many(((meddler *)base)->fixture->memory, blocks, n, err);
}

static void meddler_free(vv_blockstore *base)
{
    free(base);
}

static const vv_blockstore_ops meddler_ops = { .name = "meddler",
                                               .get = meddler_get,
                                               .put_many = meddler_put_many,
                                               .has_many = meddler_has_many,
                                               .free = meddler_free };

/* Many shards are read one group after the other: those behind a resize have other chunks in their slots. */
static void a_resize_while_many_are_read_mixes_nothing_up(void **state)
{
    static const uint64_t shape[MODEL_NDIM] = { 6, 8, 8 };
    fixture *self = *state;
    meddler *blocks = calloc(1, sizeof(*blocks));
    uint64_t coords[48][MODEL_NDIM];
    vv_status statuses[48];
    vvi_shard_cache *cache;
    vv_cid cids[48];
    vv_error err;

    assert_non_null(blocks);
    vv_blockstore_base_init(&blocks->base, &meddler_ops, true);
    blocks->fixture = self;
    resize_both(self, shape[0], shape[1], shape[2]);
    for (uint64_t i = 0; i < 6 * 8 * 8; i++) {
        const uint64_t at[MODEL_NDIM] = { i / 64, i / 8 % 8, i % 8 };

        set_both(self->index, &self->model, at, 1 + i);
    }
    save(self);
    cache = new_cache(&blocks->base, 0);
    {
        vvi_chunk_index *index = reopen(self->index, cache);

        vvi_chunk_index_free(self->index);
        vvi_shard_cache_free(self->cache);
        self->cache = cache;
        self->index = index;
    }
    for (uint64_t i = 0; i < 48; i++)
        memcpy(coords[i], (uint64_t[]){ i / 8, i % 8, 3 }, sizeof(coords[i]));
    assert_vv_ok(vvi_chunk_index_get_many(self->index, coords[0], 48, VV_SHARD_FULL, cids,
                                          statuses, &err));
    for (uint64_t i = 0; i < 48; i++) {
        vv_cid expected = cid_number(1 + i * 8 + 3);

        assert_int_equal(statuses[i], VV_OK);
        assert_true(vv_cid_equal(&cids[i], &expected));
    }
    vv_blockstore_free(&blocks->base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(chunks_keep_their_coordinates, setup, teardown),
        cmocka_unit_test_setup_teardown(a_moved_array_has_the_root_of_a_fresh_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(growing_along_the_first_dimension_reads_nothing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(no_block_is_read_twice_by_one_resize, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(shards_that_stay_the_same_keep_their_names, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_shard_without_chunks_is_null_after_moving,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_failing_read_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(chunks_behind_the_old_end_do_not_come_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(it_survives_any_failing_allocation, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(shapes_that_cannot_be_are_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_resize_while_many_are_read_mixes_nothing_up,
                                        setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
