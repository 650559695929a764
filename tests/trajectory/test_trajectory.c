/* Trajectories: rows and parts of rows, and files that are damaged in every way. What the files of kUPS
 * hold is checked by the vectors. */
#include "support/support.h"

#include "trajectory/trajectory.h"
#include "util/buf.h"

#include <pthread.h>
#include <stdio.h>

#define KUPS_100 VECTORS "/trajectory/"
#define KUPS_108 VECTORS "/trajectory-1.0.8/"

static vv_traj *open_file(const char *path)
{
    vv_error err = VV_ERROR_INIT;
    vv_traj *traj = NULL;

    assert_vv_ok(vv_traj_open(path, &traj, &err));
    return traj;
}

/* Everything of a leaf; NULL when it cannot be read. free() it. */
static uint8_t *read_all(vv_traj *traj, size_t group, size_t leaf, size_t *bytes)
{
    uint64_t start[VV_TRAJ_NDIM_MAX] = { 0 };
    vv_traj_leaf what;
    uint8_t *data;

    if (vv_traj_leaf_at(traj, group, leaf, &what, NULL))
        return NULL;
    *bytes = what.item_size;
    for (uint32_t d = 0; d < what.ndim; d++)
        if (__builtin_mul_overflow(*bytes, what.shape[d], bytes) || *bytes > (64u << 20))
            return NULL;
    data = malloc(*bytes + 1);
    assert_non_null(data);
    if (vv_traj_read(traj, group, leaf, start, what.shape, NULL, data, *bytes, NULL)) {
        free(data);
        return NULL;
    }
    return data;
}

/* ---- rows ---------------------------------------------------------------------------------- */

static void rows_parts_and_steps_agree_with_the_whole(void **state)
{
    static const char *const files[] = { KUPS_100 "t01_single_group.h5",
                                         KUPS_108 "k06_chunks.h5",
                                         KUPS_108 "k25_c1108_gzip_earr.h5",
                                         KUPS_108 "k26_c1108_shuf_lzf_bt2.h5",
                                         KUPS_108 "k28_c1108_shuf_zstd_bt2.h5" };
    uint64_t random = 5;

    (void)state;
    for (size_t f = 0; f < sizeof(files) / sizeof(files[0]); f++) {
        vv_traj *traj = open_file(files[f]);

        for (int round = 0; round < 300; round++) {
            size_t group = next_random(&random) % vv_traj_get_info(traj)->group_count;
            size_t leaf = next_random(&random) %
                          vv_traj_group_at(traj, group)->leaf_count;
            uint64_t start[VV_TRAJ_NDIM_MAX], count[VV_TRAJ_NDIM_MAX],
                step[VV_TRAJ_NDIM_MAX];
            uint64_t at[VV_TRAJ_NDIM_MAX] = { 0 };
            vv_error err = VV_ERROR_INIT;
            vv_traj_leaf what;
            size_t bytes, n = 1;
            uint8_t *all = read_all(traj, group, leaf, &bytes);
            uint8_t *part;

            assert_non_null(all);
            assert_vv_ok(vv_traj_leaf_at(traj, group, leaf, &what, &err));
            for (uint32_t d = 0; d < what.ndim; d++) {
                start[d] = next_random(&random) % what.shape[d];
                step[d] = 1 + next_random(&random) % 3;
                count[d] = 1 + next_random(&random) %
                                   ((what.shape[d] - start[d] - 1) / step[d] + 1);
                n *= (size_t)count[d];
            }
            part = malloc(n * what.item_size);
            assert_vv_ok(vv_traj_read(traj, group, leaf, start, count, step, part,
                                      n * what.item_size, &err));
            for (size_t i = 0; i < n; i++) {
                size_t from = 0;

                for (uint32_t d = 0; d < what.ndim; d++)
                    from = from * what.shape[d] + start[d] + at[d] * step[d];
                assert_memory_equal(part + i * what.item_size,
                                    all + from * what.item_size, what.item_size);
                for (uint32_t d = what.ndim; d-- > 0;) {
                    if (++at[d] < count[d])
                        break;
                    at[d] = 0;
                }
            }
            free(part);
            free(all);
        }
        vv_traj_close(traj);
    }
}

static void rows_are_read_by_their_numbers(void **state)
{
    static const uint64_t rows[] = { 7, 2, 3, 4, 2 };
    static const uint64_t outside[] = { 1, 10 };
    vv_traj *traj = open_file(KUPS_100 "t01_single_group.h5");
    vv_error err = VV_ERROR_INIT;
    size_t leaf, bytes, row;
    uint8_t *all, *some;

    (void)state;
    assert_false(vv_traj_leaf_by_name(traj, 0, "['none']", &leaf));
    assert_true(vv_traj_leaf_by_name(traj, 0, vv_traj_leaf_name(traj, 0, 1) + 5, &leaf));
    assert_int_equal(leaf, 1);
    all = read_all(traj, 0, leaf, &bytes);
    row = bytes / 10;
    some = malloc(5 * row);
    assert_vv_ok(vv_traj_read_rows(traj, 0, leaf, rows, 5, some, 5 * row, &err));
    for (size_t i = 0; i < 5; i++)
        assert_memory_equal(some + i * row, all + rows[i] * row, row);
    assert_int_equal(vv_traj_read_rows(traj, 0, leaf, rows, 5, some, 4 * row, &err),
                     VV_EINVAL);
    assert_int_equal(vv_traj_read_rows(traj, 0, leaf, outside, 2, some, 2 * row, &err),
                     VV_ERANGE);
    assert_non_null(strstr(err.message, vv_traj_leaf_name(traj, 0, leaf)));
    free(all);
    free(some);
    vv_traj_close(traj);
}

/* ---- threads ------------------------------------------------------------------------------- */

typedef struct shared_reading {
    vv_traj *traj;
    size_t leaf, bytes;
    uint8_t *all; /* of the leaf */
    uint64_t rows;
    bool wrong; /* atomic */
} shared_reading;

/* Rows here and there, mostly of chunks that another has decoded. */
static void *read_random_rows(void *ctx)
{
    shared_reading *self = ctx;
    size_t row = self->bytes / (size_t)self->rows;
    uint64_t random = (uintptr_t)&row;
    uint8_t *out = malloc(row);

    for (int i = 0; i < 400; i++) {
        uint64_t at = next_random(&random) % self->rows;

        if (vv_traj_read_rows(self->traj, 0, self->leaf, &at, 1, out, row, NULL) ||
            memcmp(out, self->all + at * row, row) != 0)
            __atomic_store_n(&self->wrong, true, __ATOMIC_RELAXED);
    }
    free(out);
    return NULL;
}

static void many_threads_read_the_same_chunks(void **state)
{
    static const char *const files[] = { KUPS_108 "k24_c1108_shuf_zstd_fixed.h5",
                                         KUPS_108 "k25_c1108_gzip_earr.h5",
                                         KUPS_108 "k28_c1108_shuf_zstd_bt2.h5" };

    (void)state;
    for (size_t f = 0; f < sizeof(files) / sizeof(files[0]); f++) {
        shared_reading self = { .traj = open_file(files[f]) };
        pthread_t threads[4];
        vv_traj_leaf what;

        self.all = read_all(self.traj, 0, self.leaf, &self.bytes);
        assert_non_null(self.all);
        assert_int_equal(vv_traj_leaf_at(self.traj, 0, self.leaf, &what, NULL), VV_OK);
        self.rows = what.shape[0];
        for (int i = 0; i < 4; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, read_random_rows, &self),
                             0);
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
        assert_false(self.wrong);
        free(self.all);
        vv_traj_close(self.traj);
    }
}

static void what_is_not_there_is_said_by_name(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_traj *traj = NULL;
    vv_traj_leaf leaf;
    size_t group;

    (void)state;
    assert_int_equal(vv_traj_open("/nonexistent.h5", &traj, &err), VV_ENOTFOUND);
    assert_int_equal(vv_traj_open(KUPS_100 "t01_single_group.json", &traj, &err),
                     VV_ECORRUPT);
    assert_non_null(strstr(err.message, "t01_single_group.json"));
    traj = open_file(KUPS_100 "t17_damaged.h5");
    assert_true(vv_traj_group_by_name(traj, "gone", &group));
    assert_non_null(vv_traj_group_at(traj, group)->problem);
    assert_int_equal(vv_traj_leaf_at(traj, group, 0, &leaf, &err), VV_ERANGE);
    assert_null(vv_traj_group_at(traj, 99));
    vv_traj_close(traj);
}

/* ---- damage -------------------------------------------------------------------------------- */

/* Open and read all there is: nothing crashes, and what fails says why. */
static bool read_everything(const char *path)
{
    vv_error err = VV_ERROR_INIT;
    vv_traj *traj = NULL;
    bool whole = true;

    if (vv_traj_open(path, &traj, &err)) {
        assert_non_null(strstr(err.message, path));
        return false;
    }
    for (size_t g = 0; g < vv_traj_get_info(traj)->group_count; g++) {
        whole = whole && !vv_traj_group_at(traj, g)->problem;
        for (size_t i = 0; vv_traj_leaf_name(traj, g, i); i++) {
            size_t bytes;
            uint8_t *data = read_all(traj, g, i, &bytes);

            whole = whole && data;
            free(data);
        }
    }
    vv_traj_close(traj);
    return whole;
}

static void files_cut_anywhere_are_refused(void **state)
{
    static const char *const files[] = { KUPS_100 "t02_frequencies.h5",
                                         KUPS_108 "k01_core.h5",
                                         KUPS_108 "k28_c1108_shuf_zstd_bt2.h5" };
    char *directory = make_directory();
    char path[4096];

    (void)state;
    snprintf(path, sizeof(path), "%s/cut.h5", directory);
    for (size_t f = 0; f < sizeof(files) / sizeof(files[0]); f++) {
        size_t len;
        uint8_t *data = read_file(files[f], &len);

        write_file(path, data, len);
        assert_true(read_everything(path));
        for (size_t cut = 0; cut < len; cut += 512) {
            write_file(path, data, cut);
            assert_false(read_everything(path));
        }
        free(data);
    }
    remove_directory(directory);
}

static void flipped_bits_crash_nothing(void **state)
{
    static const char *const files[] = {
        KUPS_100 "t02_frequencies.h5",
        KUPS_100 "t14_legacy_attrs.h5",
        KUPS_108 "k01_core.h5",
        KUPS_108 "k25_c1108_gzip_earr.h5",
        KUPS_108 "k26_c1108_shuf_lzf_bt2.h5",
        KUPS_108 "k28_c1108_shuf_zstd_bt2.h5",
        KUPS_108 "k11_many_leaves.h5",
    };
    char *directory = make_directory();
    uint64_t random = 11;
    char path[4096];

    (void)state;
    snprintf(path, sizeof(path), "%s/flipped.h5", directory);
    for (size_t f = 0; f < sizeof(files) / sizeof(files[0]); f++) {
        size_t len;
        uint8_t *data = read_file(files[f], &len);

        for (int round = 0; round < 100; round++) {
            uint8_t before[8];
            size_t at[8];

            for (int i = 0; i < 8; i++) {
                at[i] = next_random(&random) % len;
                before[i] = data[at[i]];
            }
            for (int i = 0; i < 8; i++)
                data[at[i]] ^= (uint8_t)(1 << next_random(&random) % 8);
            write_file(path, data, len);
            (void)read_everything(path);
            for (int i = 8; i-- > 0;)
                data[at[i]] = before[i];
        }
        free(data);
    }
    remove_directory(directory);
}

static vv_status open_and_read(void *ctx)
{
    vv_error err = VV_ERROR_INIT;
    vv_traj *traj = NULL;
    vv_status status = vv_traj_open(ctx, &traj, &err);

    for (size_t g = 0; !status && g < vv_traj_get_info(traj)->group_count; g++)
        for (size_t i = 0; !status && vv_traj_leaf_name(traj, g, i); i++) {
            uint64_t start[VV_TRAJ_NDIM_MAX] = { 0 }, count[VV_TRAJ_NDIM_MAX];
            uint8_t row[4096];
            vv_traj_leaf leaf;
            size_t bytes;

            status = vv_traj_leaf_at(traj, g, i, &leaf, &err);
            if (status)
                break;
            bytes = leaf.item_size;
            for (uint32_t d = 0; d < leaf.ndim; d++) {
                count[d] = d ? leaf.shape[d] : 1;
                bytes *= (size_t)count[d];
            }
            if (bytes <= sizeof(row))
                status = vv_traj_read(traj, g, i, start, count, NULL, row, bytes, &err);
        }
    vv_traj_close(traj);
    return status;
}

static void memory_may_end_anywhere(void **state)
{
    (void)state;
    survives_failing_allocations(open_and_read,
                                 (void *)(uintptr_t)KUPS_108 "k09_classes.h5");
    survives_failing_allocations(open_and_read,
                                 (void *)(uintptr_t)KUPS_100 "t05_classes.h5");
}

int main(void)
{
    vvi_traj_tries = 0; /* what is damaged stays so */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_parts_and_steps_agree_with_the_whole),
        cmocka_unit_test(rows_are_read_by_their_numbers),
        cmocka_unit_test(many_threads_read_the_same_chunks),
        cmocka_unit_test(what_is_not_there_is_said_by_name),
        cmocka_unit_test(files_cut_anywhere_are_refused),
        cmocka_unit_test(flipped_bits_crash_nothing),
        cmocka_unit_test(memory_may_end_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
