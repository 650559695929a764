/* Chunks of one index laid into another, beside plain lists. */
#include "index_support.h"

typedef struct fixture {
    vv_blockstore *memory, *faulty;
    vvi_shard_cache *cache;
    vvi_chunk_index *index, *source;
    model model, other;
} fixture;

static const uint64_t shape[MODEL_NDIM] = { 6, 5, 7 };
static const uint64_t small[MODEL_NDIM] = { 3, 4, 5 };

static int setup(void **state)
{
    static fixture self;
    vv_error err;

    memset(&self, 0, sizeof(self));
    assert_vv_ok(vv_memory_blockstore_new(&self.memory, &err));
    self.faulty = faulty_blockstore_new(self.memory);
    self.cache = new_cache(self.faulty, 0);
    self.index = new_index(self.cache, shape, 8);
    self.source = new_index(self.cache, small, 3);
    model_resize(&self.model, shape);
    model_resize(&self.other, small);
    *state = &self;
    return 0;
}

static int teardown(void **state)
{
    fixture *self = *state;

    vvi_chunk_index_free(self->index);
    vvi_chunk_index_free(self->source);
    vvi_shard_cache_free(self->cache);
    vv_blockstore_free(self->faulty);
    vv_blockstore_free(self->memory);
    return 0;
}

static void fill(vvi_chunk_index *index, model *expected, uint64_t seed, int n)
{
    for (int i = 0; i < n; i++) {
        uint64_t at[MODEL_NDIM];

        for (int d = 0; d < MODEL_NDIM; d++)
            at[d] = next_random(&seed) % expected->shape[d];
        set_both(index, expected, at, next_random(&seed) % 60);
    }
}

/* What a graft makes of the plain lists; the number of chunks. */
static uint64_t model_graft(fixture *self, const uint64_t *offset)
{
    uint64_t n = 0;

    for (uint64_t a = 0; a < small[0]; a++)
        for (uint64_t b = 0; b < small[1]; b++)
            for (uint64_t c = 0; c < small[2]; c++) {
                uint64_t value = self->other.values[a][b][c];

                if (value)
                    self->model.values[a + offset[0]][b + offset[1]][c + offset[2]] =
                        value;
                n += value != 0;
            }
    return n;
}

/* Drop all that is held, so that shards must be read. */
static void start_anew(fixture *self)
{
    vvi_shard_cache *cache = new_cache(self->faulty, 0);
    vvi_chunk_index *index = reopen(self->index, cache);
    vvi_chunk_index *source = reopen(self->source, cache);

    vvi_chunk_index_free(self->index);
    vvi_chunk_index_free(self->source);
    vvi_shard_cache_free(self->cache);
    self->cache = cache;
    self->index = index;
    self->source = source;
}

static void save(fixture *self)
{
    vv_error err;

    assert_vv_ok(vvi_chunk_index_save(self->index, &err));
    assert_vv_ok(vvi_chunk_index_save(self->source, &err));
}

static void chunks_lie_where_they_were_laid(void **state)
{
    fixture *self = *state;
    uint64_t seed = 1;
    uint64_t chunks;
    vv_error err;

    for (int round = 0; round < 60; round++) {
        const uint64_t offset[MODEL_NDIM] = { next_random(&seed) % 4,
                                              next_random(&seed) % 2,
                                              next_random(&seed) % 3 };

        fill(self->index, &self->model, next_random(&seed), 10);
        fill(self->source, &self->other, next_random(&seed), 10);
        if (round % 3) {
            save(self);
            if (round % 3 == 1)
                start_anew(self);
        }
        assert_vv_ok(vvi_chunk_index_graft(self->index, self->source, offset, NULL, NULL,
                                           &chunks, &err));
        assert_int_equal(chunks, model_graft(self, offset));
        assert_index(self->index, &self->model, VV_SHARD_AUTO);
        assert_index(self->source, &self->other, VV_SHARD_AUTO);
        if (round % 2) {
            save(self);
            start_anew(self);
            assert_index(self->index, &self->model, VV_SHARD_AUTO);
        }
    }
}

static void a_second_graft_changes_nothing(void **state)
{
    fixture *self = *state;
    const uint64_t offset[MODEL_NDIM] = { 3, 1, 2 };
    uint64_t chunks;
    vv_error err;

    fill(self->source, &self->other, 2, 40);
    assert_vv_ok(vvi_chunk_index_graft(self->index, self->source, offset, NULL, NULL,
                                       &chunks, &err));
    save(self);
    assert_vv_ok(vvi_chunk_index_graft(self->index, self->source, offset, NULL, NULL,
                                       &chunks, &err));
    assert_false(vvi_chunk_index_is_changed(self->index));
}

static void what_does_not_fit_is_refused_before_anything_changes(void **state)
{
    fixture *self = *state;
    const uint64_t offset[MODEL_NDIM] = { 4, 0, 0 };
    const uint64_t far[MODEL_NDIM] = { 0, UINT64_MAX, 0 };
    const uint64_t last[MODEL_NDIM] = { 2, 3, 4 };
    const uint64_t lengths[MODEL_NDIM] = { 1, 2, 1 };
    vvi_chunk_index *other;
    vvi_geometry geometry;
    uint64_t chunks;
    vv_error err;

    fill(self->index, &self->model, 3, 50);
    fill(self->source, &self->other, 4, 30);
    set_both(self->source, &self->other, last, 1);
    save(self);
    assert_int_equal(vvi_chunk_index_graft(self->index, self->source, offset, NULL, NULL,
                                           &chunks, &err),
                     VV_ERANGE);
    assert_int_equal(
        vvi_chunk_index_graft(self->index, self->source, far, NULL, NULL, &chunks, &err),
        VV_ERANGE);
    assert_vv_ok(vvi_geometry_init(&geometry, 2, small, lengths, 3, &err));
    assert_vv_ok(vvi_chunk_index_new(self->cache, "flat", &geometry, &other, &err));
    assert_int_equal(
        vvi_chunk_index_graft(self->index, other, offset, NULL, NULL, &chunks, &err),
        VV_EINVAL);
    vvi_chunk_index_free(other);
    assert_vv_ok(vvi_geometry_init(&geometry, 3, small, lengths, 3, &err));
    assert_vv_ok(vvi_chunk_index_new(self->cache, "wide", &geometry, &other, &err));
    assert_int_equal(
        vvi_chunk_index_graft(self->index, other, offset, NULL, NULL, &chunks, &err),
        VV_EINVAL);
    assert_non_null(strstr(err.message, "wide"));
    vvi_chunk_index_free(other);
    assert_false(vvi_chunk_index_is_changed(self->index));
    assert_index(self->index, &self->model, VV_SHARD_AUTO);
}

static void a_failing_read_changes_nothing(void **state)
{
    fixture *self = *state;
    const uint64_t offset[MODEL_NDIM] = { 1, 1, 1 };
    bool failed = true;
    uint64_t chunks;
    vv_error err;

    fill(self->index, &self->model, 5, 80);
    fill(self->source, &self->other, 6, 60);
    save(self);
    for (size_t n = 0; failed; n++) {
        start_anew(self);
        faulty_fail_after(self->faulty, n, VV_EIO, false);
        failed = vvi_chunk_index_graft(self->index, self->source, offset, NULL, NULL,
                                       &chunks, &err) != VV_OK;
        assert_int_equal(faulty_stop(self->faulty), failed);
        if (failed) {
            assert_false(vvi_chunk_index_is_changed(self->index));
            assert_index(self->index, &self->model, VV_SHARD_FULL);
        }
    }
    model_graft(self, offset);
    assert_index(self->index, &self->model, VV_SHARD_FULL);
}

static vv_status lay(void *ctx)
{
    fixture *self = ctx;
    const uint64_t offset[MODEL_NDIM] = { 1, 1, 1 };
    vv_cid_prefix ids = VV_PREFIX_CBOR_BLAKE3;
    vvi_shard_cache *cache = NULL;
    vvi_chunk_index *index = NULL;
    uint64_t chunks;
    vv_cid cid;
    vv_status status = vvi_shard_cache_new(self->memory, &ids, 0, &cache, NULL);

    if (!status)
        status = vvi_chunk_index_new(cache, "a", vvi_chunk_index_geometry(self->index),
                                     &index, NULL);
    for (uint64_t i = 0; i < 27 && !status; i++)
        if (vvi_chunk_index_shard(self->index, i, &cid))
            status = vvi_chunk_index_put_shard(index, i, &cid, NULL);
    if (!status)
        status = vvi_chunk_index_graft(index, self->source, offset, NULL, NULL, &chunks,
                                       NULL);
    vvi_chunk_index_free(index);
    vvi_shard_cache_free(cache);
    return status;
}

static void it_survives_any_failing_allocation(void **state)
{
    fixture *self = *state;

    fill(self->index, &self->model, 7, 60);
    fill(self->source, &self->other, 8, 60);
    save(self);
    survives_failing_allocations(lay, self);
}

static vv_status stop(void *ctx, const vv_progress *progress)
{
    uint64_t *told = ctx;

    *told = progress->items_done;
    return VV_ECANCELED;
}

static void the_caller_can_stop_it(void **state)
{
    fixture *self = *state;
    const uint64_t ones[1] = { 1 };
    const uint64_t many[1] = { 5000 };
    const uint64_t none[1] = { 0 };
    vvi_chunk_index *from;
    vvi_chunk_index *to;
    vvi_geometry geometry;
    uint64_t chunks;
    uint64_t told = 0;
    vv_error err;

    assert_vv_ok(vvi_geometry_init(&geometry, 1, many, ones, 100, &err));
    assert_vv_ok(vvi_chunk_index_new(self->cache, "from", &geometry, &from, &err));
    assert_vv_ok(vvi_chunk_index_new(self->cache, "to", &geometry, &to, &err));
    for (uint64_t i = 0; i < 5000; i++) {
        vv_cid cid = cid_number(i);

        assert_vv_ok(vvi_chunk_index_set(from, &i, &cid, NULL, &err));
    }
    assert_int_equal(vvi_chunk_index_graft(to, from, none, stop, &told, &chunks, &err),
                     VV_ECANCELED);
    assert_int_equal(told, 1024);
    assert_false(vvi_chunk_index_is_changed(to));
    vvi_chunk_index_free(from);
    vvi_chunk_index_free(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(chunks_lie_where_they_were_laid, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_graft_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(
            what_does_not_fit_is_refused_before_anything_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failing_read_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(it_survives_any_failing_allocation, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_caller_can_stop_it, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
