/* The choice of chunks, and slabs. */
#include "dataset/files.h"

#include "dataset/plan.h"
#include "dataset/slab.h"

#include "util/alloc.h"

#define MEMORY ((uint64_t)128 << 20)

/* A source with one variable, made without a file. */
static void no_free(vvi_source *self)
{
    (void)self;
}

static const vvi_source_ops ops = { .free = no_free };

static vvi_var *one_var(vvi_source *source, vv_dtype dtype, uint32_t ndim,
                        const uint64_t *shape, const uint64_t *chunks)
{
    static const char *const names[] = { "time", "lat", "lon", "z" };
    vv_error err = VV_ERROR_INIT;
    vvi_group *group;
    vvi_var *var;

    memset(source, 0, sizeof(*source));
    source->ops = &ops;
    assert_vv_ok(vvi_tree_add_group(&source->tree, "", &group, &err));
    assert_vv_ok(vvi_group_add_var(group, "v", &var, &err));
    var->dtype = dtype;
    var->item = vv_dtype_size(dtype);
    var->ndim = ndim;
    var->wanted = true;
    for (uint32_t i = 0; i < ndim; i++) {
        var->shape[i] = shape[i];
        var->chunks[i] = chunks ? chunks[i] : 0;
        var->dims[i] = vvi_strdup(names[i]);
    }
    return var;
}

static void default_chunks_are_one_to_four_mebibytes(void **state)
{
    static const struct {
        uint64_t shape[3], source[3], want[3];
    } cases[] = {
        { { 12, 90, 180 }, { 0 }, { 12, 90, 180 } },            /* all of it is less */
        { { 20, 180, 360 }, { 0 }, { 10, 180, 360 } },          /* 5.2 MB: halved once */
        { { 1461, 721, 1440 }, { 0 }, { 92, 46, 180 } },        /* halved in turn */
        { { 1000, 90, 180 }, { 1, 90, 180 }, { 32, 90, 180 } }, /* 32 of the source's */
        { { 365, 720, 1440 },
          { 1, 720, 1440 },
          { 1, 720, 1440 } }, /* the source's fits */
        { { 365, 720, 1440 }, { 30, 720, 1440 }, { 8, 180, 720 } },
        { { 0, 90, 180 }, { 0 }, { 1, 90, 180 } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        vvi_source source;
        vvi_var *var = one_var(&source, VV_FLOAT32, 3, cases[i].shape,
                               cases[i].source[0] ? cases[i].source : NULL);
        vv_error err = VV_ERROR_INIT;

        assert_vv_ok(vvi_plan_chunks(&source, NULL, NULL, MEMORY, &err));
        for (int d = 0; d < 3; d++)
            if (var->plan[d] != cases[i].want[d])
                fail_msg("case %zu: dimension %d has %d", i, d, (int)var->plan[d]);
        vvi_source_free(&source);
    }
}

static void named_lengths_are_kept_and_the_rest_is_fitted(void **state)
{
    vvi_source source;
    vvi_var *var = one_var(&source, VV_FLOAT32, 3, (const uint64_t[]){ 1461, 721, 1440 },
                           NULL);
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_vv_ok(vvi_plan_chunks(&source, "time=all,lat=7", NULL, MEMORY, &err));
    assert_int_equal(var->plan[0], 1461);
    assert_int_equal(var->plan[1], 7);
    assert_in_range(var->plan[2] * 1461 * 7 * 4, 1 << 20, 4 << 20);
    assert_vv_ok(vvi_plan_chunks(&source, "lat=100000,time=1,lon=2", NULL, MEMORY, &err));
    assert_int_equal(var->plan[0], 1);
    assert_int_equal(var->plan[1], 721);
    assert_int_equal(var->plan[2], 2);
    vvi_source_free(&source);
}

static void a_coordinate_stays_in_one_chunk(void **state)
{
    vvi_source source;
    vvi_var *var = one_var(&source, VV_FLOAT64, 1, (const uint64_t[]){ 1461 }, NULL);
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_vv_ok(vvi_plan_chunks(&source, "time=1", NULL, MEMORY, &err));
    assert_int_equal(var->plan[0], 1); /* another variable along time */
    vvi_free(var->name);
    var->name = vvi_strdup("time");
    assert_vv_ok(vvi_plan_chunks(&source, "time=1", NULL, MEMORY, &err));
    assert_int_equal(var->plan[0], 1461);
    vvi_source_free(&source);
}

static void wrong_chunks_are_refused_with_a_reason(void **state)
{
    static const struct {
        const char *chunks;
        vv_status status;
        const char *says;
    } cases[] = {
        { "time", VV_EINVAL, "name=length" },
        { "time=", VV_EINVAL, "name=length" },
        { "=3", VV_EINVAL, "name=length" },
        { "time=0", VV_EINVAL, "at least 1" },
        { "time=-1", VV_EINVAL, "no length" },
        { "time=1x", VV_EINVAL, "no length" },
        { "height=3", VV_EINVAL, "'height'" },
        { "time=1,,lat=1", VV_EINVAL, "name=length" },
        { "time=all,lat=all,lon=all", VV_ELIMIT, "'v'" },
        { "time=99999999999999999999", VV_EINVAL, "name=length" },
    };
    vvi_source source;
    vv_error err = VV_ERROR_INIT;

    (void)state;
    one_var(&source, VV_FLOAT32, 3, (const uint64_t[]){ 1461, 721, 1440 }, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(vvi_plan_chunks(&source, cases[i].chunks, NULL, MEMORY, &err),
                         cases[i].status);
        if (!strstr(err.message, cases[i].says))
            fail_msg("'%s' says: %s", cases[i].chunks, err.message);
    }
    vvi_source_free(&source);
}

/* Fill a box by slabs and chunks and see that each element comes once, in the right place. */
static void check_cover(uint64_t *seed, const uint64_t *shape, const uint64_t *chunk,
                        uint32_t ndim)
{
    vv_error err = VV_ERROR_INIT;
    uint64_t all = 1;
    uint64_t most;
    uint64_t seen = 0;
    vvi_slabs slabs;
    vvi_slab slab;

    for (uint32_t d = 0; d < ndim; d++)
        all *= shape[d];
    assert_vv_ok(vvi_slabs_init(&slabs, ndim, shape, chunk, NULL, 4,
                                next_random(seed) % 4096, &err));
    most = vvi_slabs_most(&slabs, NULL);
    while (vvi_slabs_next(&slabs, &slab)) {
        uint32_t *data = calloc(slab.elements, 4);
        uint32_t *scratch = calloc(slabs.grid.chunk_elements, 4);
        uint32_t fill = 0xFFFFFFFF;
        uint64_t sum = 0;

        assert_true(slab.elements * 4 <= most);
        for (uint64_t i = 0; i < slab.elements; i++)
            data[i] = (uint32_t)i + 1;
        for (size_t c = 0; c < slab.chunk_total; c++) {
            uint64_t index[VV_NDIM_MAX];
            const uint8_t *out;

            vvi_slab_chunk(&slabs, &slab, c, index);
            vvi_slab_cut(&slabs, &slab, (uint8_t *)data, index, (uint8_t *)&fill,
                         (uint8_t *)scratch, &out);
            for (uint64_t i = 0; i < slabs.grid.chunk_elements; i++) {
                uint32_t v = ((const uint32_t *)(const void *)out)[i];

                sum += v == fill ? 0 : v;
                seen += v != fill;
            }
        }
        assert_int_equal(sum, slab.elements * (slab.elements + 1) / 2);
        free(scratch);
        free(data);
    }
    assert_int_equal(seen, all);
}

static void chunks_of_the_source_fit_into_memory(void **state)
{
    const uint64_t shape[2] = { 100000, 100000 };
    const uint64_t chunks[2] = { 6000, 6000 };
    vvi_source source;
    vv_error err = VV_ERROR_INIT;

    (void)state;
    one_var(&source, VV_FLOAT32, 2, shape, chunks);
    assert_int_equal(vvi_plan_chunks(&source, NULL, NULL, MEMORY, &err), VV_ELIMIT);
    assert_non_null(strstr(err.message, "'v'"));
    assert_non_null(strstr(err.message, "144000000"));
    assert_vv_ok(vvi_plan_chunks(&source, NULL, NULL, 2 * MEMORY, &err));
    vvi_source_free(&source);
}

static void slabs_cover_every_element_once(void **state)
{
    uint64_t seed = 3;

    (void)state;
    for (int round = 0; round < 300; round++) {
        uint32_t ndim = (uint32_t)(next_random(&seed) % 5);
        uint64_t shape[4];
        uint64_t chunk[4];

        for (uint32_t d = 0; d < ndim; d++) {
            shape[d] = next_random(&seed) % 9;
            chunk[d] = 1 + next_random(&seed) % 5;
        }
        check_cover(&seed, shape, chunk, ndim);
    }
}

static void slabs_end_where_chunks_of_the_source_end(void **state)
{
    const uint64_t shape[2] = { 100, 10 };
    const uint64_t chunk[2] = { 2, 10 };
    const uint64_t source[2] = { 8, 10 };
    vvi_slabs slabs;
    vvi_slab slab;
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_vv_ok(vvi_slabs_init(&slabs, 2, shape, chunk, source, 1, 230, &err));
    assert_true(vvi_slabs_next(&slabs, &slab));
    assert_int_equal(slab.count[0], 16); /* 23 rows fit, 22 of whole chunks */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_chunks_are_one_to_four_mebibytes),
        cmocka_unit_test(named_lengths_are_kept_and_the_rest_is_fitted),
        cmocka_unit_test(a_coordinate_stays_in_one_chunk),
        cmocka_unit_test(wrong_chunks_are_refused_with_a_reason),
        cmocka_unit_test(chunks_of_the_source_fit_into_memory),
        cmocka_unit_test(slabs_cover_every_element_once),
        cmocka_unit_test(slabs_end_where_chunks_of_the_source_end),
    };
    return cmocka_run_group_tests_name("dataset/plan", tests, NULL, NULL);
}
