/* The index of an array, beside a plain list. */
#include "index_support.h"

static const uint64_t shape[MODEL_NDIM] = { 5, 4, 3 };

typedef struct fixture {
    vv_blockstore *memory, *faulty;
    vvi_shard_cache *cache;
    vvi_chunk_index *index;
    model model;
} fixture;

static int setup(void **state)
{
    static fixture self;
    vv_error err;

    memset(&self, 0, sizeof(self));
    assert_vv_ok(vv_memory_blockstore_new(&self.memory, &err));
    self.faulty = faulty_blockstore_new(self.memory);
    self.cache = new_cache(self.faulty, 0);
    self.index = new_index(self.cache, shape, 7);
    model_resize(&self.model, shape);
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
    assert_false(vvi_chunk_index_is_changed(self->index));
}

/* Go on with what the block store has. */
static void start_anew(fixture *self, size_t cap)
{
    vvi_shard_cache *cache = new_cache(self->faulty, cap);
    vvi_chunk_index *index = reopen(self->index, cache);

    vvi_chunk_index_free(self->index);
    vvi_shard_cache_free(self->cache);
    self->cache = cache;
    self->index = index;
}

static void fill(fixture *self, uint64_t seed)
{
    for (int i = 0; i < 40; i++) {
        uint64_t at[MODEL_NDIM] = { next_random(&seed) % 5, next_random(&seed) % 4,
                                    next_random(&seed) % 3 };

        set_both(self->index, &self->model, at, next_random(&seed) % 100);
    }
}

static void chunks_are_found_before_and_after_saving(void **state)
{
    fixture *self = *state;

    fill(self, 1);
    assert_index(self->index, &self->model, VV_SHARD_AUTO);
    save(self);
    assert_index(self->index, &self->model, VV_SHARD_AUTO);
    for (vv_shard_read read = VV_SHARD_AUTO; read <= VV_SHARD_SPARSE; read++) {
        start_anew(self, read == VV_SHARD_AUTO ? 2000 : 0);
        assert_index(self->index, &self->model, read);
    }
    fill(self, 2);
    assert_index(self->index, &self->model, VV_SHARD_SPARSE);
}

static void random_histories_agree_with_a_plain_list(void **state)
{
    fixture *self = *state;
    uint64_t seed = 3;

    for (int round = 0; round < 200; round++) {
        fill(self, next_random(&seed));
        if (next_random(&seed) % 3 == 0)
            save(self);
        if (next_random(&seed) % 5 == 0) {
            save(self);
            start_anew(self, next_random(&seed) % 2 ? 1500 : 0);
        }
        assert_index(self->index, &self->model, (vv_shard_read)(next_random(&seed) % 3));
    }
}

static void chunks_outside_the_grid_are_refused(void **state)
{
    fixture *self = *state;
    const uint64_t at[MODEL_NDIM] = { 0, 4, 0 };
    vv_cid cid = cid_number(1);
    vv_error err;

    assert_int_equal(vvi_chunk_index_set(self->index, at, &cid, NULL, &err), VV_ERANGE);
    assert_non_null(strstr(err.message, "g/a"));
    assert_int_equal(vvi_chunk_index_get(self->index, at, VV_SHARD_AUTO, &cid, &err),
                     VV_ERANGE);
    assert_false(vvi_chunk_index_is_changed(self->index));
}

static void a_shard_that_is_as_its_block_again_is_unchanged(void **state)
{
    fixture *self = *state;
    const uint64_t at[2][MODEL_NDIM] = { { 0, 0, 1 }, { 0, 0, 2 } };

    set_both(self->index, &self->model, at[0], 5);
    save(self);
    set_both(self->index, &self->model, at[0], 6);
    set_both(self->index, &self->model, at[1], 7);
    assert_true(vvi_chunk_index_is_changed(self->index));
    set_both(self->index, &self->model, at[1], 0);
    assert_true(vvi_chunk_index_is_changed(self->index));
    set_both(self->index, &self->model, at[0], 5);
    assert_false(vvi_chunk_index_is_changed(self->index));
    set_both(self->index, &self->model, at[0], 0);
    set_both(self->index, &self->model, at[0], 5);
    assert_false(vvi_chunk_index_is_changed(self->index));
}

/* As py-hamt has it: a shard that no chunk was ever written to is null, one that lost all is a block. */
static void a_shard_that_lost_its_chunks_is_a_block_of_nulls(void **state)
{
    fixture *self = *state;
    const uint64_t at[MODEL_NDIM] = { 0, 0, 0 };
    vv_buf block = VV_BUF_INIT;
    vv_error err;
    vv_cid cid;

    set_both(self->index, &self->model, at, 0);
    assert_false(vvi_chunk_index_is_changed(self->index));
    set_both(self->index, &self->model, at, 1);
    save(self);
    set_both(self->index, &self->model, at, 0);
    save(self);
    assert_true(vvi_chunk_index_shard(self->index, 0, &cid));
    assert_false(vvi_chunk_index_shard(self->index, 1, &cid));
    assert_vv_ok(vv_blockstore_get(self->memory, &cid, &block, &err));
    assert_string_equal(to_hex(block.data, block.len), "87f6f6f6f6f6f6f6");
    vv_buf_clear(&block);
}

static void a_failed_save_is_made_good_by_the_next(void **state)
{
    fixture *self = *state;
    vv_error err;

    fill(self, 8);
    faulty_fail_after(self->faulty, 0, VV_EIO, false);
    assert_int_equal(vvi_chunk_index_save(self->index, &err), VV_EIO);
    assert_true(faulty_stop(self->faulty));
    assert_true(vvi_chunk_index_is_changed(self->index));
    assert_index(self->index, &self->model, VV_SHARD_AUTO);
    save(self);
    start_anew(self, 0);
    assert_index(self->index, &self->model, VV_SHARD_AUTO);
}

static void a_failed_load_leaves_nothing_behind(void **state)
{
    fixture *self = *state;
    const uint64_t at[MODEL_NDIM] = { 0, 0, 0 };
    uint64_t bytes;
    uint64_t loads;
    vv_error err;
    vv_cid cid = cid_number(9);

    set_both(self->index, &self->model, at, 1);
    save(self);
    start_anew(self, 0);
    for (vv_shard_read read = VV_SHARD_AUTO; read <= VV_SHARD_SPARSE; read++) {
        faulty_fail_after(self->faulty, 0, VV_EIO, false);
        assert_int_equal(vvi_chunk_index_get(self->index, at, read, &cid, &err), VV_EIO);
        assert_non_null(strstr(err.message, "shard 0"));
        assert_true(faulty_stop(self->faulty));
    }
    faulty_fail_after(self->faulty, 0, VV_EIO, false);
    assert_int_equal(vvi_chunk_index_set(self->index, at, &cid, NULL, &err), VV_EIO);
    vvi_shard_cache_stat(self->cache, &bytes, &loads);
    assert_int_equal(bytes, 0);
    assert_false(vvi_chunk_index_is_changed(self->index));
    assert_index(self->index, &self->model, VV_SHARD_FULL);
}

static void a_missing_shard_is_damage_not_a_missing_chunk(void **state)
{
    fixture *self = *state;
    const uint64_t at[MODEL_NDIM] = { 0, 0, 0 };
    vv_cid cid = cid_number(1);
    vv_error err;

    assert_vv_ok(vvi_chunk_index_put_shard(self->index, 0, &cid, &err));
    for (vv_shard_read read = VV_SHARD_AUTO; read <= VV_SHARD_SPARSE; read++) {
        assert_int_equal(vvi_chunk_index_get(self->index, at, read, &cid, &err),
                         VV_ECORRUPT);
        assert_non_null(strstr(err.message, "missing"));
    }
}

static void the_cache_keeps_to_its_cap(void **state)
{
    fixture *self = *state;
    uint64_t bytes;
    uint64_t loads;

    fill(self, 4);
    fill(self, 5);
    save(self);
    start_anew(self, 3000);
    for (int i = 0; i < 3; i++) {
        assert_index(self->index, &self->model, VV_SHARD_FULL);
        vvi_shard_cache_stat(self->cache, &bytes, &loads);
        assert_true(bytes <= 3000);
    }
    assert_true(loads > 20);
    /* What is changed is kept all the same. */
    fill(self, 6);
    vvi_shard_cache_stat(self->cache, &bytes, &loads);
    assert_true(bytes > 3000);
    assert_index(self->index, &self->model, VV_SHARD_FULL);
}

static void one_call_reads_a_shard_once(void **state)
{
    fixture *self = *state;
    uint64_t coords[60][MODEL_NDIM];
    vv_status statuses[60];
    uint64_t before;
    uint64_t after;
    uint64_t bytes;
    vv_cid cids[60];
    vv_error err;

    fill(self, 4);
    fill(self, 5);
    save(self);
    for (uint64_t i = 0; i < 60; i++) {
        coords[i][0] = i / 12;
        coords[i][1] = i / 3 % 4;
        coords[i][2] = i % 3;
    }
    for (int round = 0; round < 12; round++) {
        if (round % 3 == 0)
            start_anew(self, 1 + 2000 * (size_t)(round / 3));
        vvi_shard_cache_stat(self->cache, &bytes, &before);
        assert_vv_ok(vvi_chunk_index_get_many(self->index, coords[0], 60,
                                              (vv_shard_read)(round % 3), cids, statuses,
                                              &err));
        vvi_shard_cache_stat(self->cache, &bytes, &after);
        assert_true(after - before <= 9);
    }
}

static vv_status set_save_and_read(void *ctx)
{
    fixture *self = ctx;
    vvi_shard_cache *cache = NULL;
    vv_blockstore *memory = NULL;
    vv_cid_prefix ids = VV_PREFIX_CBOR_BLAKE3;
    uint64_t coords[3][MODEL_NDIM] = { { 0, 0, 0 }, { 3, 1, 0 }, { 4, 3, 2 } };
    vv_cid cids[3] = { cid_number(7), cid_number(8), cid_number(14) };
    vv_status statuses[3];
    vvi_chunk_index *index = NULL;
    vv_cid outs[3];
    vv_status status = vv_memory_blockstore_new(&memory, NULL);

    if (!status)
        status = vvi_shard_cache_new(memory, &ids, 0, &cache, NULL);
    if (!status)
        status = vvi_chunk_index_new(cache, "g/a", vvi_chunk_index_geometry(self->index),
                                     &index, NULL);
    if (!status)
        status = vvi_chunk_index_set_many(index, coords[0], cids, 3, NULL);
    if (!status)
        status = vvi_chunk_index_save(index, NULL);
    if (!status)
        status = vvi_chunk_index_set(index, coords[1], &cids[2], NULL, NULL);
    if (!status)
        status = vvi_chunk_index_get_many(index, coords[0], 3, VV_SHARD_AUTO, outs,
                                          statuses, NULL);
    for (int i = 0; i < 3 && !status; i++)
        status = statuses[i];
    vvi_chunk_index_free(index);
    vvi_shard_cache_free(cache);
    vv_blockstore_free(memory);
    return status;
}

static void it_survives_any_failing_allocation(void **state)
{
    survives_failing_allocations(set_save_and_read, *state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(chunks_are_found_before_and_after_saving, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(random_histories_agree_with_a_plain_list, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(chunks_outside_the_grid_are_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_shard_that_is_as_its_block_again_is_unchanged,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_shard_that_lost_its_chunks_is_a_block_of_nulls,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_save_is_made_good_by_the_next, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_failed_load_leaves_nothing_behind, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_missing_shard_is_damage_not_a_missing_chunk,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(the_cache_keeps_to_its_cap, setup, teardown),
        cmocka_unit_test_setup_teardown(one_call_reads_a_shard_once, setup, teardown),
        cmocka_unit_test_setup_teardown(it_survives_any_failing_allocation, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
