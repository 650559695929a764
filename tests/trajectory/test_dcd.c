/* DCD files as trajectories: every kind of them, parts of frames, files that are cut or lie. */
#include "trajectory/made_dcd.h"

#include "trajectory/dcd.h"

#include <math.h>
#include <stdio.h>

static vv_error err;
static char *directory;
static char path[256];

static const made_dcd plain = {
    .atoms = 7, .frames = 5, .first = 100, .by = 10, .delta = 0.02045482f
};

static vv_traj *open_bytes(const void *data, size_t len)
{
    vv_traj *traj = NULL;

    write_file(path, data, len);
    assert_vv_ok(vv_traj_open(path, &traj, &err));
    return traj;
}

static vv_traj *open_made(const made_dcd *what)
{
    vv_buf file = VV_BUF_INIT;
    vv_traj *traj;

    make_dcd(what, &file);
    traj = open_bytes(file.data, file.len);
    vv_buf_clear(&file);
    return traj;
}

static vv_traj_leaf leaf_of(vv_traj *traj, const char *text, size_t *leaf)
{
    vv_traj_leaf out;
    size_t group;

    assert_vv_ok(vv_traj_find(traj, text, &group, leaf, &err));
    assert_int_equal(group, 0);
    assert_vv_ok(vv_traj_leaf_at(traj, 0, *leaf, &out, &err));
    return out;
}

static void read_leaf(vv_traj *traj, const char *text, void *out, size_t bytes)
{
    static const uint64_t start[3];
    size_t leaf;
    vv_traj_leaf what = leaf_of(traj, text, &leaf);

    assert_vv_ok(vv_traj_read(traj, 0, leaf, start, what.shape, NULL, out, bytes, &err));
}

static void check_all(vv_traj *traj, const made_dcd *what, const char *name)
{
    size_t count = (size_t)what->frames * what->atoms * 3;
    float *values = malloc(count * sizeof(*values));
    float *at = values;

    read_leaf(traj, name, values, count * sizeof(*values));
    for (uint32_t frame = 0; frame < what->frames; frame++)
        for (uint32_t atom = 0; atom < what->atoms; atom++)
            for (uint32_t d = 0; d < 3; d++)
                assert_true(*at++ == made_dcd_value(what, frame, atom, d));
    free(values);
}

static void every_kind_of_file_is_read(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 64; kind++) {
        made_dcd what = plain;
        vv_traj_rows rows = VV_TRAJ_ROWS_INIT;
        int64_t steps[5];
        double times[5];
        vv_traj *traj;
        size_t leaf;

        what.big = kind & 1;
        what.wide = kind & 2;
        what.xplor = kind & 4;
        what.fixed = kind & 8 ? 3 : 0;
        if (!what.xplor) {
            what.cell[0] = kind & 16 ? 20 : 0;
            what.fourth = kind & 32;
        } else if (kind & 48) {
            continue;
        }
        traj = open_made(&what);
        assert_string_equal(vv_traj_get_info(traj)->format, "DCD");
        assert_vv_ok(vv_traj_get_rows(traj, 0, &rows, &err));
        assert_int_equal(rows.rows, 5);
        assert_true(rows.has_steps);
        check_all(traj, &what, "step/positions");
        assert_string_equal(leaf_of(traj, "step/positions", &leaf).units, "Angstrom");
        assert_vv_ok(vv_traj_read_steps(traj, 0, 0, 5, steps, &err));
        assert_int_equal(steps[4], 140);
        assert_int_equal(vv_traj_get_info(traj)->next_step, 141);
        read_leaf(traj, "step/time", times, sizeof(times));
        assert_true(fabs(times[0] - 0.1) < 1e-7 && fabs(times[4] - 0.14) < 1e-7);
        vv_traj_close(traj);
    }
}

static void parts_are_those_of_the_whole(void **state)
{
    uint64_t random = 3;

    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        made_dcd what = plain;
        vv_traj *traj;
        size_t leaf;

        what.atoms = 50;
        what.cell[0] = 20;
        what.fixed = kind ? 20 : 0;
        traj = open_made(&what);
        (void)leaf_of(traj, "step/positions", &leaf);
        for (int round = 0; round < 400; round++) {
            const uint64_t shape[3] = { 5, 50, 3 };
            uint64_t start[3], count[3], step[3];
            size_t n = 1;
            float values[750], *at = values;

            for (int d = 0; d < 3; d++) {
                start[d] = next_random(&random) % shape[d];
                step[d] = 1 + next_random(&random) % 3;
                count[d] = 1 + next_random(&random) %
                                   ((shape[d] - start[d] + step[d] - 1) / step[d]);
                if (start[d] + (count[d] - 1) * step[d] >= shape[d])
                    count[d] = 1;
                n *= count[d];
            }
            assert_vv_ok(
                vv_traj_read(traj, 0, leaf, start, count, step, values, n * 4, &err));
            for (uint64_t f = 0; f < count[0]; f++)
                for (uint64_t a = 0; a < count[1]; a++)
                    for (uint64_t d = 0; d < count[2]; d++)
                        assert_true(*at++ ==
                                    made_dcd_value(&what,
                                                   (uint32_t)(start[0] + f * step[0]),
                                                   (uint32_t)(start[1] + a * step[1]),
                                                   (uint32_t)(start[2] + d * step[2])));
        }
        vv_traj_close(traj);
    }
}

/* Where a box lies outside, or the room is another. */
static void what_is_not_there_is_not_read(void **state)
{
    const uint64_t start[3] = { 4, 0, 0 }, two[3] = { 2, 7, 3 }, one[3] = { 1, 7, 3 };
    const uint64_t none[3] = { 1, 0, 1 };
    const uint64_t far[3] = { UINT64_MAX, 1, 1 };
    vv_traj *traj = open_made(&plain);
    float values[42];
    size_t leaf;

    (void)state;
    (void)leaf_of(traj, "step/positions", &leaf);
    assert_int_equal(vv_traj_read(traj, 0, leaf, start, two, NULL, values, 168, &err),
                     VV_ERANGE);
    assert_int_equal(vv_traj_read(traj, 0, leaf, start, one, NULL, values, 80, &err),
                     VV_EINVAL);
    assert_int_equal(vv_traj_read(traj, 0, leaf, start, one, none, values, 84, &err),
                     VV_ERANGE);
    assert_int_equal(vv_traj_read(traj, 0, leaf, far, one, NULL, values, 84, &err),
                     VV_ERANGE);
    assert_vv_ok(vv_traj_read(traj, 0, leaf, start, none, NULL, values, 0, &err));
    vv_traj_close(traj);
}

/* Cosines, degrees, and the matrix of CHARMM 36 say one cell. */
static void cells_are_edges(void **state)
{
    static const double cells[3][6] = {
        { 10, 0.5, 20, 0, 0, 30 },
        { 10, 60, 20, 90, 90, 30 },
        { 10, 2, 20, 3, 4, 30 },
    };
    static const double edges[2][9] = {
        { 10, 0, 0, 10, 17.320508075688775, 0, 0, 0, 30 },
        { 10, 2, 3, 2, 20, 4, 3, 4, 30 },
    };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        made_dcd what = plain;
        double box[45];
        vv_traj *traj;

        memcpy(what.cell, cells[i], sizeof(what.cell));
        traj = open_made(&what);
        read_leaf(traj, "step/box", box, sizeof(box));
        /* Angles below a degree and a half are no angles in degrees; a matrix has any numbers. */
        for (size_t k = 0; k < 9 && i < 2; k++)
            assert_true(fabs(box[36 + k] - edges[0][k]) < 1e-12);
        vv_traj_close(traj);
    }
    made_dcd what = plain;
    double box[45];
    vv_traj *traj;

    memcpy(what.cell, cells[2], sizeof(what.cell));
    what.cell[3] = -3;
    traj = open_made(&what);
    read_leaf(traj, "step/box", box, sizeof(box));
    assert_true(box[0] == 10 && box[1] == 2 && box[2] == -3 && box[3] == 2 &&
                box[4] == 20 && box[5] == 4 && box[6] == -3 && box[7] == 4 &&
                box[8] == edges[1][8]);
    vv_traj_close(traj);
}

static vv_status count_problem(void *ctx, const char *where, const char *what,
                               vv_error *e)
{
    (void)where;
    (void)what;
    (void)e;
    ++*(int *)ctx;
    return VV_OK;
}

/* A file may end anywhere: what is whole is there, and a check says what is not. */
static void files_that_are_cut_have_their_whole_frames(void **state)
{
    made_dcd what = plain;
    vv_buf file = VV_BUF_INIT;
    size_t frame;

    (void)state;
    what.cell[0] = 20;
    make_dcd(&what, &file);
    frame = 56 + 3 * (8 + 4 * 7);
    for (size_t len = 0; len <= file.len; len++) {
        size_t header = file.len - 5 * frame;
        vv_traj *traj = NULL;
        vv_status status;

        write_file(path, file.data, len);
        status = vv_traj_open(path, &traj, &err);
        if (len < header) {
            assert_int_equal(status, VV_ECORRUPT);
            continue;
        }
        assert_int_equal(status, VV_OK);
        vv_traj_check_options options = VV_TRAJ_CHECK_OPTIONS_INIT;
        vv_traj_check_report report = VV_TRAJ_CHECK_REPORT_INIT;
        made_dcd there = what;
        int problems = 0;

        options.problem = count_problem;
        options.ctx = &problems;
        there.frames = (uint32_t)((len - header) / frame);
        check_all(traj, &there, "step/positions");
        assert_vv_ok(vv_traj_check(traj, &options, &report, &err));
        assert_int_equal(problems, (there.frames != 5) + ((len - header) % frame != 0));
        vv_traj_close(traj);
    }
    vv_buf_clear(&file);
}

/* Sizes that the file does not have are refused before anything is allocated for them. */
static void sizes_that_lie_are_refused(void **state)
{
    static const struct {
        size_t at;
        uint32_t value;
    } lies[] = {
        { 0, 0x7ffffff0 }, /* the header's length */
        { 92 + 172 + 4,
          0x7fffffff }, /* atoms: no frame is whole then, and there is none */
        { 92 + 172 + 4, 0 },
        { 92 + 172 + 4, 0x80000000 },
        { 92 + 172, 0x7ffffff0 },
        { 92 + 172 + 12, 0xffffffff },
        { 92 + 172 + 12 + 4, 0 },
        { 92 + 172 + 12 + 4, 8 },
        { 92 + 172 + 12 + 8, 4 },
        { 4 + 4 + 4 * 8, 7 },
        { 4 + 4 + 4 * 8, 0x7fffffff },
    };
    made_dcd what = plain;
    vv_buf file = VV_BUF_INIT;

    (void)state;
    what.fixed = 3;
    for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
        vv_traj *traj = NULL;

        make_dcd(&what, &file);
        memcpy(file.data + lies[i].at, &lies[i].value, 4);
        write_file(path, file.data, file.len);
        if (vv_traj_open(path, &traj, &err) != VV_ECORRUPT)
            fail_msg("lie %zu was taken", i);
    }
    vv_buf_clear(&file);
}

/* A record's length in the midst of the file: the frame is named, the others are read. */
static void a_damaged_frame_is_named(void **state)
{
    const uint64_t start[3] = { 2, 0, 0 }, count[3] = { 1, 7, 3 }, few[3] = { 1, 1, 1 };
    vv_buf file = VV_BUF_INIT;
    float values[21];
    vv_traj *traj;
    size_t leaf;

    (void)state;
    make_dcd(&plain, &file);
    file.data[file.len - 3 * 108] ^= 4;
    traj = open_bytes(file.data, file.len);
    (void)leaf_of(traj, "step/positions", &leaf);
    assert_int_equal(vv_traj_read(traj, 0, leaf, start, count, NULL, values, 84, &err),
                     VV_ECORRUPT);
    assert_non_null(strstr(err.message, "frame 2"));
    assert_int_equal(vv_traj_read(traj, 0, leaf, start, few, NULL, values, 4, &err),
                     VV_ECORRUPT);
    vv_traj_close(traj);
    vv_buf_clear(&file);
}

static void a_file_that_grows_is_looked_at_again(void **state)
{
    vv_traj_rows rows = VV_TRAJ_ROWS_INIT;
    made_dcd what = plain;
    vv_buf file = VV_BUF_INIT;
    vv_traj *traj;

    (void)state;
    make_dcd(&what, &file);
    traj = open_bytes(file.data, file.len - 2 * 108 - 5);
    assert_vv_ok(vv_traj_get_rows(traj, 0, &rows, &err));
    assert_int_equal(rows.rows, 2);
    write_file(path, file.data, file.len);
    assert_vv_ok(vv_traj_refresh(traj, &err));
    assert_vv_ok(vv_traj_get_rows(traj, 0, &rows, &err));
    assert_int_equal(rows.rows, 5);
    check_all(traj, &what, "step/positions");
    vv_traj_close(traj);
    vv_buf_clear(&file);
}

static void velocities_and_titles_that_lie(void **state)
{
    made_dcd what = plain;
    vv_buf file = VV_BUF_INIT;
    vv_traj *traj;

    (void)state;
    what.velocities = true;
    make_dcd(&what, &file);
    file.data[92] = file.data[92 + 168] = 84; /* the lengths around the title */
    traj = open_bytes(file.data, file.len);
    check_all(traj, &what, "step/velocities");
    vv_traj_close(traj);
    vv_buf_clear(&file);
}

/* The hierarchy that other commands see. */
static void it_is_a_store_too(void **state)
{
    vv_traj *traj = open_made(&plain);
    const uint64_t start[3] = { 4, 6, 2 }, count[3] = { 1, 1, 1 };
    vv_array *array;
    vv_store *store;
    float value;

    (void)state;
    vv_traj_close(traj);
    assert_vv_ok(vv_traj_store_open(path, &store, &err));
    assert_vv_ok(vv_array_open(store, "step/positions", &array, &err));
    assert_non_null(strstr(vv_array_get_meta(array)->attributes, "Angstrom"));
    assert_vv_ok(vv_array_read(array, start, count, NULL, &value, 4, &err));
    assert_true(value == made_dcd_value(&plain, 4, 6, 2));
    vv_array_free(array);
    vv_store_free(store);
}

static vv_status open_and_read(void *ctx)
{
    const uint64_t start[3] = { 3, 0, 0 }, count[3] = { 1, 7, 3 };
    float values[21];
    vv_traj *traj;
    size_t group, leaf;

    (void)ctx;
    vv_status status = vv_traj_open(path, &traj, &err);

    if (status)
        return status;
    status = vv_traj_find(traj, "step/positions", &group, &leaf, &err);
    if (!status)
        status = vv_traj_read(traj, 0, leaf, start, count, NULL, values, 84, &err);
    vv_traj_close(traj);
    return status;
}

static void any_allocation_may_fail(void **state)
{
    made_dcd what = plain;

    (void)state;
    what.fixed = 3;
    vv_traj_close(open_made(&what));
    survives_failing_allocations(open_and_read, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_file_is_read),
        cmocka_unit_test(parts_are_those_of_the_whole),
        cmocka_unit_test(what_is_not_there_is_not_read),
        cmocka_unit_test(cells_are_edges),
        cmocka_unit_test(files_that_are_cut_have_their_whole_frames),
        cmocka_unit_test(sizes_that_lie_are_refused),
        cmocka_unit_test(a_damaged_frame_is_named),
        cmocka_unit_test(a_file_that_grows_is_looked_at_again),
        cmocka_unit_test(velocities_and_titles_that_lie),
        cmocka_unit_test(it_is_a_store_too),
        cmocka_unit_test(any_allocation_may_fail),
    };
    int failed;

    watch_allocations();
    directory = make_directory();
    snprintf(path, sizeof(path), "%s/a.dcd", directory);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_directory(directory);
    return failed;
}
