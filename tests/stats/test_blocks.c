/* Regions reduced to blocks, against a plain loop. */
#include "support/support.h"

#include <varvite/stats.h>

#include <math.h>

static const uint64_t shape[3] = { 9, 13, 31 }, chunk[3] = { 4, 5, 6 };
static float data[9][13][31];

static vv_array *make(vv_store *store)
{
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;
    uint64_t seed = 5;

    for (size_t i = 0; i < 9 * 13 * 31; i++)
        (&data[0][0][0])[i] = next_random(&seed) % 5 ? (float)(next_random(&seed) % 1000)
                                                     : NAN;
    meta.dtype = VV_FLOAT32;
    meta.ndim = 3;
    meta.shape = shape;
    meta.chunk_shape = chunk;
    assert_vv_ok(vv_array_create(store, "x", &meta, true, &array, &err));
    assert_vv_ok(
        vv_array_write(array, (uint64_t[]){ 0, 0, 0 }, shape, data, sizeof(data), &err));
    return array;
}

/* The value of one block by going through its elements. */
static double plain(const uint64_t *start, const uint64_t *count, const uint64_t *step,
                    const uint64_t *blocks, const uint64_t *block, vv_block_rule rule)
{
    double sum = 0, min = NAN, max = NAN;
    uint64_t n = 0, low[3], high[3];

    for (int d = 0; d < 3; d++) {
        low[d] = block[d] * count[d] / blocks[d];
        high[d] = (block[d] + 1) * count[d] / blocks[d];
    }
    for (uint64_t i = low[0]; i < high[0]; i++)
        for (uint64_t j = low[1]; j < high[1]; j++)
            for (uint64_t k = low[2]; k < high[2]; k++) {
                double v = (double)data[start[0] + i * step[0]][start[1] + j * step[1]]
                                       [start[2] + k * step[2]];
                if (isnan(v))
                    continue;
                sum += v;
                n++;
                min = fmin(min, v);
                max = fmax(max, v);
            }
    return rule == VV_BLOCK_MIN   ? min
           : rule == VV_BLOCK_MAX ? max
           : n                    ? sum / (double)n
                                  : NAN;
}

static void blocks_equal_a_plain_loop(void **state)
{
    vv_store *store = NULL;
    vv_error err = VV_ERROR_INIT;
    uint64_t seed = 11;
    double out[9 * 13 * 31];

    (void)state;
    assert_vv_ok(vv_memory_store_new(&store, &err));
    vv_array *array = make(store);
    for (int round = 0; round < 300; round++) {
        uint64_t start[3], count[3], step[3], blocks[3], at[3];
        vv_block_rule rule = (vv_block_rule)(round % 3);
        size_t n = 1, i = 0;
        for (int d = 0; d < 3; d++) {
            start[d] = next_random(&seed) % shape[d];
            step[d] = 1 + next_random(&seed) % 3;
            count[d] = 1 + next_random(&seed) % ((shape[d] - 1 - start[d]) / step[d] + 1);
            blocks[d] = 1 + next_random(&seed) % count[d];
            n *= blocks[d];
        }
        assert_vv_ok(vv_array_read_blocks(array, start, count, step, blocks, rule, out, n,
                                          NULL, NULL, &err));
        for (at[0] = 0; at[0] < blocks[0]; at[0]++)
            for (at[1] = 0; at[1] < blocks[1]; at[1]++)
                for (at[2] = 0; at[2] < blocks[2]; at[2]++, i++) {
                    double want = plain(start, count, step, blocks, at, rule);
                    if (isnan(want) ? !isnan(out[i]) : out[i] != want)
                        fail_msg("round %d, block %zu: %g, not %g", round, i, out[i],
                                 want);
                }
    }
    vv_array_free(array);
    vv_store_free(store);
}

static void what_does_not_fit_is_refused(void **state)
{
    vv_store *store = NULL;
    vv_error err = VV_ERROR_INIT;
    uint64_t zero[3] = { 0 }, blocks[3] = { 10, 1, 1 }, none[3] = { 0, 13, 31 };
    double out[16];

    (void)state;
    assert_vv_ok(vv_memory_store_new(&store, &err));
    vv_array *array = make(store);
    assert_int_equal(vv_array_read_blocks(array, zero, shape, NULL, blocks, VV_BLOCK_MEAN,
                                          out, 10, NULL, NULL, &err),
                     VV_EINVAL);
    blocks[0] = 3;
    assert_int_equal(vv_array_read_blocks(array, zero, shape, NULL, blocks, VV_BLOCK_MEAN,
                                          out, 4, NULL, NULL, &err),
                     VV_EINVAL);
    assert_int_equal(vv_array_read_numbers(array, (uint64_t[]){ 8, 0, 0 },
                                           (uint64_t[]){ 2, 1, 1 }, NULL, out, 2, &err),
                     VV_ERANGE);
    assert_int_equal(vv_array_read_numbers(array, zero, (uint64_t[]){ 1, 1, 4 },
                                           (uint64_t[]){ 1, 1, UINT64_MAX }, out, 4,
                                           &err),
                     VV_ERANGE);
    assert_vv_ok(vv_array_read_numbers(array, zero, none, NULL, out, 0, &err));
    vv_array_free(array);
    vv_store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_equal_a_plain_loop),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };

    watch_allocations();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
