/* Plans of regions: reads against memory. */
#include "support/support.h"

#include "copy/plan.h"

static vvi_plan plan_of(uint32_t ndim, const uint64_t *shape, const uint64_t *source,
                        const uint64_t *target, uint64_t bytes)
{
    vv_error err = VV_ERROR_INIT;
    vvi_plan plan;

    assert_vv_ok(vvi_plan_make(ndim, shape, source, target, 4, bytes, &plan, &err));
    assert_true(plan.region_bytes <= bytes);
    for (uint32_t d = 0; d < ndim; d++)
        assert_true(plan.regions.chunk[d] == shape[d] ||
                    plan.regions.chunk[d] % target[d] == 0);
    return plan;
}

/* Count reads one region at a time. */
static uint64_t count_reads(uint32_t ndim, const uint64_t *shape, const uint64_t *source,
                            const vvi_plan *plan)
{
    uint64_t reads = 1;

    for (uint32_t d = 0; d < ndim; d++) {
        uint64_t sum = 0;

        for (uint64_t at = 0; at < shape[d]; at += plan->regions.chunk[d]) {
            uint64_t end = at + plan->regions.chunk[d] < shape[d]
                               ? at + plan->regions.chunk[d]
                               : shape[d];

            sum += (end - 1) / source[d] - at / source[d] + 1;
        }
        reads *= sum;
    }
    return reads;
}

static void maps_become_time_series_in_one_reading_when_there_is_memory(void **state)
{
    uint64_t shape[3] = { 1000, 180, 360 };
    uint64_t source[3] = { 1, 180, 360 };
    uint64_t target[3] = { 1000, 10, 10 };
    vvi_plan plan;

    (void)state;
    /* All of it is 247 MiB: a region must hold the whole of time, and whole maps. */
    plan = plan_of(3, shape, source, target, (uint64_t)300 << 20);
    assert_int_equal(plan.source_chunks, 1000);
    assert_int_equal(plan.source_reads, 1000);
    plan = plan_of(3, shape, source, target, (uint64_t)64 << 20);
    assert_true(plan.source_reads <= 5000);
    assert_int_equal(plan.source_reads, count_reads(3, shape, source, &plan));
}

static void grids_that_share_ends_are_read_once(void **state)
{
    uint64_t shape[2] = { 6000, 6000 };
    uint64_t source[2] = { 100, 200 };
    uint64_t target[2] = { 150, 300 };
    vvi_plan plan = plan_of(2, shape, source, target, (uint64_t)1 << 20);

    (void)state;
    assert_int_equal(plan.source_reads, plan.source_chunks);
    assert_true(plan.regions.chunk[0] % 300 == 0);
    assert_true(plan.regions.chunk[1] % 600 == 0);
}

static void reads_are_counted_as_they_happen(void **state)
{
    uint64_t random = 4;

    (void)state;
    for (int round = 0; round < 500; round++) {
        uint32_t ndim = 1 + (uint32_t)(next_random(&random) % 4);
        uint64_t shape[4];
        uint64_t source[4];
        uint64_t target[4];
        uint64_t least = 4;
        vvi_plan once;
        vvi_plan plan;

        for (uint32_t d = 0; d < ndim; d++) {
            shape[d] = 1 + next_random(&random) % 60;
            source[d] = 1 + next_random(&random) % 20;
            target[d] = 1 + next_random(&random) % 20;
            least *= target[d];
        }
        plan = plan_of(ndim, shape, source, target,
                       least * (1 + next_random(&random) % 8));
        assert_int_equal(plan.source_reads, count_reads(ndim, shape, source, &plan));
        assert_true(plan.source_reads >= plan.source_chunks);
        once = plan_of(ndim, shape, source, target, (uint64_t)1 << 40);
        assert_int_equal(once.source_reads, once.source_chunks);
    }
}

static void huge_and_empty_arrays_have_plans_too(void **state)
{
    uint64_t shape[2] = { (uint64_t)1 << 40, (uint64_t)1 << 20 };
    uint64_t source[2] = { 1000003, 7 };
    uint64_t target[2] = { 512, 512 };
    uint64_t none[2] = { 0, 10 };
    vv_error err = VV_ERROR_INIT;
    vvi_plan plan = plan_of(2, shape, source, target, (uint64_t)64 << 20);

    (void)state;
    assert_true(plan.source_reads >= plan.source_chunks);
    assert_vv_ok(vvi_plan_make(2, none, source, target, 4, 100, &plan, &err));
    assert_int_equal(plan.source_reads, 0);
    assert_vv_ok(vvi_plan_make(0, NULL, NULL, NULL, 8, 100, &plan, &err));
    assert_int_equal(plan.source_reads, 1);
    assert_int_equal(vvi_plan_make(2, shape, source, target, 4, 1000, &plan, &err),
                     VV_ELIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_become_time_series_in_one_reading_when_there_is_memory),
        cmocka_unit_test(grids_that_share_ends_are_read_once),
        cmocka_unit_test(reads_are_counted_as_they_happen),
        cmocka_unit_test(huge_and_empty_arrays_have_plans_too),
    };

    return cmocka_run_group_tests_name("copy_plan", tests, NULL, NULL);
}
