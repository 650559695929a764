/* The room grid: the walk over a region against counting element by element, keys, boxes. */
#include "support/support.h"

#include "grid/grid.h"
#include "util/buf.h"

#include <stdio.h>

static void a_grid_counts_chunks_up_to_the_ragged_end(void **state)
{
    static const uint64_t shape[] = { 10, 0, 9, 1 };
    static const uint64_t chunk[] = { 3, 5, 3, 100 };
    vv_error err = VV_ERROR_INIT;
    vvi_grid grid;

    (void)state;
    assert_vv_ok(vvi_grid_init(&grid, 4, shape, chunk, &err));
    assert_int_equal(grid.count[0], 4);
    assert_int_equal(grid.count[1], 0);
    assert_int_equal(grid.count[2], 3);
    assert_int_equal(grid.count[3], 1);
    assert_int_equal(grid.chunk_elements, 3 * 5 * 3 * 100);
    assert_vv_ok(vvi_grid_init(&grid, 0, NULL, NULL, &err));
    assert_int_equal(grid.chunk_elements, 1);
}

static void what_cannot_be_counted_is_refused(void **state)
{
    static const uint64_t huge[] = { UINT64_MAX, UINT64_MAX };
    static const uint64_t none[] = { 1, 0 };
    vv_error err = VV_ERROR_INIT;
    vvi_grid grid;
    uint64_t n;

    (void)state;
    assert_int_equal(vvi_grid_init(&grid, 2, huge, huge, &err), VV_ERANGE);
    assert_int_equal(vvi_grid_init(&grid, 2, huge, none, &err), VV_EINVAL);
    assert_int_equal(vvi_grid_init(&grid, 33, huge, none, &err), VV_EINVAL);
    assert_vv_ok(vvi_grid_init(&grid, 1, huge, huge, &err));
    assert_int_equal(grid.count[0], 1);
    assert_int_equal(vvi_product(2, huge, &n, &err), VV_ERANGE);
    assert_vv_ok(vvi_product(2, none, &n, &err));
    assert_int_equal(n, 0);
}

static void a_region_past_the_shape_is_refused(void **state)
{
    static const struct {
        uint64_t start, count, step;
        vv_status status;
    } cases[] = {
        { 0, 10, 1, VV_OK },
        { 0, 11, 1, VV_ERANGE },
        { 9, 1, 100, VV_OK },
        { 10, 0, 1, VV_OK },
        { 10, 1, 1, VV_ERANGE },
        { 11, 0, 1, VV_ERANGE },
        { 0, 5, 2, VV_OK },
        { 1, 5, 2, VV_OK },
        { 2, 5, 2, VV_ERANGE },
        { 0, 1, 0, VV_EINVAL },
        { 1, UINT64_MAX, UINT64_MAX, VV_ERANGE },
        { UINT64_MAX, 2, 1, VV_ERANGE },
    };
    static const uint64_t shape = 10;
    static const uint64_t chunk = 3;
    vv_error err = VV_ERROR_INIT;
    vvi_region region;
    vvi_grid grid;

    (void)state;
    assert_vv_ok(vvi_grid_init(&grid, 1, &shape, &chunk, &err));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(vvi_region_init(&region, &grid, &cases[i].start, &cases[i].count,
                                         &cases[i].step, &err),
                         cases[i].status);
}

/* The walk must give each element of the region once, and no empty part. */
static void check_walk(const vvi_grid *grid, const vvi_region *region)
{
    vvi_grid_walk walk;
    vvi_grid_part part;
    uint64_t seen = 0;
    uint64_t before = 0;
    bool first = true;

    vvi_grid_walk_init(&walk, grid, region);
    while (vvi_grid_walk_next(&walk, &part)) {
        uint64_t here = 0;
        uint64_t elements = 1;
        bool all = true;

        for (uint32_t d = 0; d < grid->ndim; d++) {
            uint64_t in_array = part.index[d] * grid->chunk[d] + part.first[d];
            uint64_t end = (part.index[d] + 1) * grid->chunk[d];
            uint64_t next = in_array + part.count[d] * region->step[d];

            assert_true(part.count[d] > 0 && part.first[d] < grid->chunk[d]);
            assert_int_equal(in_array, region->start[d] + part.at[d] * region->step[d]);
            assert_true(next - region->step[d] < end);
            /* Nothing of this chunk is left for another part. */
            assert_true(next >= end || part.at[d] + part.count[d] == region->count[d]);
            elements *= part.count[d];
            here = here * grid->count[d] + part.index[d];
            if (end > grid->shape[d])
                end = grid->shape[d];
            all = all && part.count[d] == end - part.index[d] * grid->chunk[d];
        }
        assert_true(first || here > before);
        assert_int_equal(vvi_grid_part_is_all(grid, &part), all);
        first = false;
        before = here;
        seen += elements;
    }
    assert_int_equal(seen, region->elements);
}

static void a_walk_gives_each_element_once_and_chunks_in_order(void **state)
{
    uint64_t random = 3;
    vv_error err = VV_ERROR_INIT;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint32_t ndim = (uint32_t)(next_random(&random) % 4);
        uint64_t shape[4], chunk[4], start[4], count[4], step[4];
        vvi_region region;
        vvi_grid grid;

        for (uint32_t d = 0; d < ndim; d++) {
            shape[d] = next_random(&random) % 12;
            chunk[d] = 1 + next_random(&random) % 7;
            start[d] = next_random(&random) % (shape[d] + 1);
            step[d] = 1 + next_random(&random) % 9;
            count[d] = (shape[d] - start[d] + step[d] - 1) / step[d];
            count[d] = next_random(&random) % (count[d] + 1);
        }
        assert_vv_ok(vvi_grid_init(&grid, ndim, shape, chunk, &err));
        assert_vv_ok(vvi_region_init(&region, &grid, start, count, step, &err));
        check_walk(&grid, &region);
    }
}

/* The chunk of an element by counting, and what lies in it of the region's one dimension. */
static uint64_t by_counting(const uint64_t *ends, uint64_t element)
{
    uint64_t index = 0;

    while (ends[index] <= element)
        index++;
    return index;
}

static void a_walk_over_chunks_of_different_lengths_is_as_counted(void **state)
{
    uint64_t random = 11;
    vv_error err = VV_ERROR_INIT;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint64_t shape = next_random(&random) % 20;
        uint64_t other = 4, ends[40], n = 0, end = 0, two[] = { shape, 6 };
        uint64_t chunk[] = { 1, other }, step[] = { 1 + next_random(&random) % 5, 1 };
        uint64_t start[] = { next_random(&random) % (shape + 1), 1 }, count[] = { 0, 4 };
        uint64_t at = 0;
        vvi_region region;
        vvi_grid grid;
        vvi_grid_walk walk;
        vvi_grid_part part;

        while (end < shape || next_random(&random) % 4 == 0)
            if (n < 39)
                ends[n++] = end += 1 + next_random(&random) % 6;
        count[0] = (shape - start[0] + step[0] - 1) / step[0];
        count[0] = next_random(&random) % (count[0] + 1);
        assert_vv_ok(vvi_grid_init(&grid, 2, two, chunk, &err));
        assert_vv_ok(vvi_grid_set_ends(&grid, 0, ends, n, &err));
        assert_false(vvi_grid_is_regular(&grid));
        assert_int_equal(grid.count[0], shape ? by_counting(ends, shape - 1) + 1 : 0);
        assert_vv_ok(vvi_region_init(&region, &grid, start, count, step, &err));
        vvi_grid_walk_init(&walk, &grid, &region);
        while (vvi_grid_walk_next(&walk, &part)) {
            uint64_t element = start[0] + at * step[0];
            uint64_t index = by_counting(ends, element);
            uint64_t begin = index ? ends[index - 1] : 0;
            uint64_t lengths[2];
            uint64_t fit = 0;

            assert_int_equal(part.index[0], index);
            assert_int_equal(part.first[0], element - begin);
            assert_int_equal(part.at[0], at);
            assert_int_equal(vvi_grid_chunk_start(&grid, 0, index), begin);
            vvi_grid_chunk_shape(&grid, part.index, lengths);
            assert_int_equal(lengths[0], ends[index] - begin);
            assert_int_equal(lengths[1], 4);
            assert_true(lengths[0] <= grid.chunk[0]);
            while (at + fit < count[0] && element + fit * step[0] < ends[index])
                fit++;
            assert_int_equal(part.count[0], fit);
            assert_int_equal(part.count[1], part.index[1] ? 1 : 3);
            assert_false(vvi_grid_part_is_all(&grid, &part) && part.index[1] == 0);
            if (part.index[1] == 1) /* the other chunk of this row was first */
                at += fit;
        }
        assert_int_equal(at, count[0]);
    }
}

static void ends_that_do_not_rise_or_fall_short_are_refused(void **state)
{
    static const uint64_t shape[] = { 6, UINT64_MAX }, chunk[] = { 6, 1 };
    static const uint64_t twice[] = { 2, 2, 6 }, down[] = { 4, 2, 6 }, none[] = { 0, 6 };
    static const uint64_t good[] = { 1, 5, 9, 12 }, huge[] = { 1, UINT64_MAX };
    vv_error err = VV_ERROR_INIT;
    vvi_grid grid;

    (void)state;
    assert_vv_ok(vvi_grid_init(&grid, 2, shape, chunk, &err));
    assert_int_equal(vvi_grid_set_ends(&grid, 0, twice, 3, &err), VV_EINVAL);
    assert_int_equal(vvi_grid_set_ends(&grid, 0, down, 3, &err), VV_EINVAL);
    assert_int_equal(vvi_grid_set_ends(&grid, 0, none, 2, &err), VV_EINVAL);
    assert_int_equal(vvi_grid_set_ends(&grid, 0, good, 2, &err), VV_EINVAL);
    assert_int_equal(vvi_grid_set_ends(&grid, 0, good, 0, &err), VV_EINVAL);
    assert_vv_ok(vvi_grid_set_ends(&grid, 0, good, 4, &err));
    assert_int_equal(grid.count[0], 3);
    assert_int_equal(grid.chunk[0], 4);
    assert_int_equal(vvi_grid_set_ends(&grid, 1, huge, 2, &err), VV_ERANGE);
}

static void keys_are_written_as_the_specification_says_and_read_back(void **state)
{
    static const struct {
        vvi_key_form form;
        uint32_t ndim;
        const char *key;
    } cases[] = {
        { { '/', false }, 3, "c/1/23/0" }, { { '.', false }, 3, "c.1.23.0" },
        { { '.', true }, 3, "1.23.0" },    { { '/', true }, 3, "1/23/0" },
        { { '/', false }, 0, "c" },        { { '.', true }, 0, "0" },
    };
    static const uint64_t index[] = { 1, 23, 0 };
    vv_error err = VV_ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t back[3] = { 0 };
        vv_buf key = VV_BUF_INIT;

        assert_vv_ok(vvi_chunk_key(cases[i].form, cases[i].ndim, index, &key, &err));
        assert_vv_ok(vvi_buf_terminate(&key, &err));
        assert_string_equal((char *)key.data, cases[i].key);
        assert_true(
            vvi_chunk_key_parse(cases[i].form, cases[i].ndim, cases[i].key, back));
        assert_memory_equal(back, index, cases[i].ndim * sizeof(index[0]));
        vv_buf_clear(&key);
    }
}

static void a_key_of_another_form_is_not_read(void **state)
{
    static const char *const keys[] = {
        "",        "c",      "c/",     "c/1",
        "c/1/2/3", "c/01/2", "c/1/x",  "c/-1/2",
        "c/1/2/",  "d/1/2",  "c.1.2",  "1/2",
        "c/1//",   "c/ 1/2", "c/+1/2", "c/1/18446744073709551616"
    };
    uint64_t index[2];

    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        assert_false(
            vvi_chunk_key_parse((vvi_key_form){ '/', false }, 2, keys[i], index));
    assert_true(vvi_chunk_key_parse((vvi_key_form){ '/', false }, 2,
                                    "c/1/18446744073709551615", index));
    assert_false(vvi_chunk_key_parse((vvi_key_form){ '.', true }, 0, "c", index));
}

static void boxes_are_copied_and_filled_as_one_element_at_a_time(void **state)
{
    uint64_t random = 5;
    static const size_t items[] = { 1, 2, 3, 4, 8, 16 };

    (void)state;
    for (int i = 0; i < 3000; i++) {
        size_t item = items[next_random(&random) % 6];
        uint32_t ndim = (uint32_t)(next_random(&random) % 4);
        uint64_t count[3] = { 1, 1, 1 }, from_shape[3] = { 1, 1, 1 },
                 to_shape[3] = { 1, 1, 1 };
        uint64_t from_strides[3] = { 0 }, to_strides[3] = { 0 };
        uint8_t from[9 * 9 * 9 * 16], to[5 * 5 * 5 * 16], expected[5 * 5 * 5 * 16];
        uint8_t value[16];

        for (size_t b = 0; b < sizeof(from); b++)
            from[b] = (uint8_t)next_random(&random);
        for (size_t b = 0; b < sizeof(to); b++)
            to[b] = expected[b] = (uint8_t)b;
        for (size_t b = 0; b < 16; b++)
            value[b] = i % 2 ? 7 : from[b];
        for (uint32_t d = 0; d < ndim; d++) {
            uint64_t step = 1 + next_random(&random) % 2;

            count[d] = next_random(&random) % 5;
            to_shape[d] = next_random(&random) % 2 ? count[d] : 5;
            from_shape[d] = step == 1 && next_random(&random) % 2 ? count[d] : 9;
            from_strides[d] = step;
        }
        vvi_strides(ndim, to_shape, item, to_strides);
        {
            uint64_t plain[3];

            vvi_strides(ndim, from_shape, item, plain);
            for (uint32_t d = 0; d < ndim; d++)
                from_strides[d] *= plain[d];
        }
        for (uint64_t a = 0; a < count[0]; a++)
            for (uint64_t b = 0; b < count[1]; b++)
                for (uint64_t c = 0; c < count[2]; c++)
                    memcpy(expected + a * to_strides[0] + b * to_strides[1] +
                               c * to_strides[2],
                           i % 4 < 2 ? value
                                     : from + a * from_strides[0] + b * from_strides[1] +
                                           c * from_strides[2],
                           item);
        if (i % 4 < 2)
            vvi_fill_box(ndim, count, item, to, to_strides, value);
        else
            vvi_copy_box(ndim, count, item, to, to_strides, from, from_strides);
        assert_memory_equal(to, expected, sizeof(to));
    }
}

static void equal_elements_are_told_by_their_bits(void **state)
{
    float values[100];
    float zero = 0.0f;

    (void)state;
    memset(values, 0, sizeof(values));
    assert_true(vvi_all_equal((uint8_t *)values, 100, 4, (uint8_t *)&zero));
    values[99] = -0.0f;
    assert_false(vvi_all_equal((uint8_t *)values, 100, 4, (uint8_t *)&zero));
    assert_true(vvi_all_equal((uint8_t *)values, 99, 4, (uint8_t *)&zero));
    assert_true(vvi_all_equal((uint8_t *)values, 0, 4, (uint8_t *)&zero));
    values[0] = 1;
    assert_false(vvi_all_equal((uint8_t *)values, 99, 4, (uint8_t *)&zero));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_grid_counts_chunks_up_to_the_ragged_end),
        cmocka_unit_test(what_cannot_be_counted_is_refused),
        cmocka_unit_test(a_region_past_the_shape_is_refused),
        cmocka_unit_test(a_walk_gives_each_element_once_and_chunks_in_order),
        cmocka_unit_test(a_walk_over_chunks_of_different_lengths_is_as_counted),
        cmocka_unit_test(ends_that_do_not_rise_or_fall_short_are_refused),
        cmocka_unit_test(keys_are_written_as_the_specification_says_and_read_back),
        cmocka_unit_test(a_key_of_another_form_is_not_read),
        cmocka_unit_test(boxes_are_copied_and_filled_as_one_element_at_a_time),
        cmocka_unit_test(equal_elements_are_told_by_their_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
