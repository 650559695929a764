/* Recordings: rows that count, steps, places, live reading, what is stored, the view as a Zarr hierarchy. The files
 * are made by tests/data/trajectory/make.py. */
#include "support/support.h"

#include "trajectory/trajectory.h"
#include "util/buf.h"
#include "util/endian.h"
#include "util/fault.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define FILES TRAJECTORIES "/"
#define KUPS  VECTORS "/trajectory-1.0.8/"
#define ROWS  37

static vv_traj *open_file(const char *path)
{
    vv_error err = VV_ERROR_INIT;
    vv_traj *traj = NULL;

    assert_vv_ok(vv_traj_open(path, &traj, &err));
    return traj;
}

/* The number of a leaf by its path. */
static size_t find(const vv_traj *traj, const char *path, size_t *group)
{
    vv_error err = VV_ERROR_INIT;
    size_t leaf;

    assert_vv_ok(vv_traj_find(traj, path, group, &leaf, &err));
    assert_true(leaf != SIZE_MAX);
    return leaf;
}

/* ---- rows ------------------------------------------------------------------------------------- */

static void a_recording_says_what_its_groups_are(void **state)
{
    static const char *const files[] = { FILES "closed.h5", FILES "open.h5" };

    (void)state;
    for (int f = 0; f < 2; f++) {
        vv_traj *traj = open_file(files[f]);
        const vv_traj_info *info = vv_traj_get_info(traj);
        const vv_traj_group *group;
        vv_error err = VV_ERROR_INIT;
        vv_traj_rows rows = VV_TRAJ_ROWS_INIT;
        vv_traj_leaf leaf;

        assert_true(info->is_recording);
        assert_int_equal(info->is_open, f == 1);
        assert_true(info->has_next_step);
        assert_int_equal(info->next_step, 10 * (ROWS - 1) + 1);
        assert_int_equal(info->has_actual_steps, f == 0);
        assert_int_equal(info->group_count, 3);
        assert_null(info->schema_problem);

        group = vv_traj_group_at(traj, 0);
        assert_int_equal(group->kind, VV_TRAJ_ONCE);
        assert_string_equal(group->path, "init");
        assert_vv_ok(vv_traj_get_rows(traj, 0, &rows, &err));
        assert_true(rows.is_known && !rows.has_rows && rows.rows == 1);

        group = vv_traj_group_at(traj, 1);
        assert_int_equal(group->kind, VV_TRAJ_ROWS);
        assert_int_equal(group->every, 10);
        assert_string_equal(group->class_name, "dict");
        assert_string_equal(vv_tree_leaf_name(group->tree, 1), "['forces']['bond']");
        assert_vv_ok(vv_traj_get_rows(traj, 1, &rows, &err));
        assert_true(rows.is_known && rows.has_rows && rows.has_steps);
        assert_int_equal(rows.rows, ROWS);
        /* In open.h5 there are three rows more that no commit covered. */
        for (size_t i = 0; i < group->leaf_count; i++) {
            assert_vv_ok(vv_traj_leaf_at(traj, 1, i, &leaf, &err));
            assert_int_equal(leaf.shape[0], ROWS);
        }
        assert_vv_ok(vv_traj_leaf_at(traj, 1, 3, &leaf, &err));
        assert_int_equal(leaf.dtype, VV_BFLOAT16);
        assert_string_equal(leaf.path, "step/half");

        group = vv_traj_group_at(traj, 2);
        assert_int_equal(group->kind, VV_TRAJ_PLACED);
        assert_true(group->extent_ndim == 1 && group->extent[0] == 5);
        assert_vv_ok(vv_traj_get_rows(traj, 2, &rows, &err));
        assert_true(rows.rows == 5 && rows.written == 3);
        assert_int_equal(vv_traj_get_rows(traj, 3, &rows, &err), VV_ERANGE);
        vv_traj_close(traj);
    }
}

static void rows_that_no_commit_covered_are_not_there(void **state)
{
    vv_traj *traj = open_file(FILES "open.h5");
    uint64_t start = ROWS - 1, count = 1, step = 1;
    vv_error err = VV_ERROR_INIT;
    size_t group, leaf = find(traj, "step/energy", &group);
    double energy[2];
    int64_t steps[2];

    (void)state;
    assert_vv_ok(vv_traj_read(traj, group, leaf, &start, &count, NULL, energy, 8, &err));
    assert_true(energy[0] == -1.5 * (ROWS - 1));
    count = 2;
    assert_int_equal(
        vv_traj_read(traj, group, leaf, &start, &count, NULL, energy, 16, &err),
        VV_ERANGE);
    start = 0;
    step = ROWS;
    assert_int_equal(
        vv_traj_read(traj, group, leaf, &start, &count, &step, energy, 16, &err),
        VV_ERANGE);
    start = ROWS;
    assert_int_equal(vv_traj_read_rows(traj, group, leaf, &start, 1, energy, 8, &err),
                     VV_ERANGE);
    assert_vv_ok(vv_traj_read_steps(traj, group, ROWS - 2, 2, steps, &err));
    assert_true(steps[0] == 350 && steps[1] == 360);
    assert_int_equal(vv_traj_read_steps(traj, group, ROWS - 1, 2, steps, &err),
                     VV_ERANGE);
    vv_traj_close(traj);
}

static void rows_are_found_by_their_steps(void **state)
{
    static const struct {
        int64_t step;
        uint64_t row;
    } cases[] = { { -5, 0 },   { 0, 0 },           { 1, 1 },    { 10, 1 },
                  { 11, 2 },   { 355, 36 },        { 360, 36 }, { 361, ROWS },
                  { 200, 20 }, { INT64_MAX, ROWS } };
    vv_traj *traj = open_file(FILES "closed.h5");
    vv_error err = VV_ERROR_INIT;
    vv_traj *kups;
    uint64_t row;
    int64_t step;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_vv_ok(vv_traj_row_of_step(traj, 1, cases[i].step, &row, &err));
        assert_int_equal(row, cases[i].row);
    }
    assert_int_equal(vv_traj_row_of_step(traj, 0, 1, &row, &err), VV_ENOTFOUND);
    assert_int_equal(vv_traj_read_steps(traj, 2, 0, 1, &step, &err), VV_ENOTFOUND);
    vv_traj_close(traj);
    kups = open_file(KUPS "k01_core.h5");
    assert_int_equal(vv_traj_read_steps(kups, 0, 0, 1, &step, &err), VV_ENOTFOUND);
    vv_traj_close(kups);
}

static void written_places_are_told(void **state)
{
    static const uint8_t expected[5] = { 1, 0, 1, 1, 0 };
    vv_traj *traj = open_file(FILES "closed.h5");
    vv_error err = VV_ERROR_INIT;
    uint8_t written[5];
    double values[6];

    (void)state;
    assert_vv_ok(vv_traj_read_written(traj, 2, written, 5, &err));
    assert_memory_equal(written, expected, 5);
    assert_int_equal(vv_traj_read_written(traj, 2, written, 4, &err), VV_EINVAL);
    assert_int_equal(vv_traj_read_written(traj, 1, written, 5, &err), VV_ENOTFOUND);
    assert_vv_ok(vv_traj_read_mask(traj, 2, 0, written, 5, values, sizeof(values), &err));
    assert_true(values[1] == 1 && values[2] == 2 && values[5] == 4);
    assert_int_equal(vv_traj_read_mask(traj, 2, 0, written, 5, values, 16, &err),
                     VV_EINVAL);
    vv_traj_close(traj);
}

static void files_of_kups_tell_the_extent(void **state)
{
    vv_traj *traj = open_file(KUPS "k01_core.h5");
    vv_traj_rows rows = VV_TRAJ_ROWS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_traj_leaf leaf;

    (void)state;
    for (size_t g = 0; g < vv_traj_get_info(traj)->group_count; g++) {
        assert_int_equal(vv_traj_group_at(traj, g)->kind, VV_TRAJ_UNKNOWN);
        assert_vv_ok(vv_traj_get_rows(traj, g, &rows, &err));
        assert_false(rows.is_known || rows.has_steps);
        assert_vv_ok(vv_traj_leaf_at(traj, g, 0, &leaf, &err));
        if (rows.has_rows)
            assert_int_equal(rows.rows, leaf.shape[0]);
    }
    vv_traj_close(traj);
}

/* ---- names ------------------------------------------------------------------------------------ */

static void paths_are_readable_and_none_is_there_twice(void **state)
{
    static const char *const expected[] = { "same/a", "same/a_b", "same/steps_2",
                                            "same/x_y", "same/_" };
    vv_traj *traj = open_file(FILES "clash.h5");
    vv_error err = VV_ERROR_INIT;
    size_t group, leaf;

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        vv_traj_leaf what;
        uint64_t row = 3;
        int32_t value;

        assert_int_equal(find(traj, expected[i], &group), i);
        assert_vv_ok(vv_traj_leaf_at(traj, 0, i, &what, &err));
        assert_string_equal(what.path, expected[i]);
        assert_vv_ok(vv_traj_read_rows(traj, 0, i, &row, 1, &value, 4, &err));
        assert_int_equal(value, 10 * i + 3);
    }
    assert_vv_ok(vv_traj_find(traj, "group['same']/array['a/b']", &group, &leaf, &err));
    assert_int_equal(leaf, 1);
    assert_vv_ok(vv_traj_find(traj, "same", &group, &leaf, &err));
    assert_true(leaf == SIZE_MAX);
    assert_int_equal(vv_traj_find(traj, "same/b", &group, &leaf, &err), VV_ENOTFOUND);
    assert_non_null(strstr(err.message, "steps_2"));
    assert_int_equal(vv_traj_find(traj, "other", &group, &leaf, &err), VV_ENOTFOUND);
    assert_int_equal(vv_traj_find(traj, "same/a", &group, NULL, &err), VV_ENOTFOUND);
    vv_traj_close(traj);
}

static void subtrees_are_selected_by_prefix(void **state)
{
    vv_traj *traj = open_file(FILES "closed.h5");
    size_t leaves[8] = { 99, 99, 99, 99, 99, 99, 99, 99 };

    (void)state;
    assert_int_equal(vv_traj_select(traj, 1, "['forces']", leaves, 8), 2);
    assert_true(leaves[0] == 1 && leaves[1] == 2 && leaves[2] == 99);
    assert_int_equal(vv_traj_select(traj, 1, "array['forces']['lj']", leaves, 8), 1);
    assert_int_equal(leaves[0], 2);
    assert_int_equal(vv_traj_select(traj, 1, "['force", leaves, 8), 0);
    assert_int_equal(vv_traj_select(traj, 1, "", NULL, 0), 6);
    vv_traj_close(traj);
}

/* ---- batches ---------------------------------------------------------------------------------- */

static void batches_hold_their_memory_and_all_rows(void **state)
{
    static const uint64_t budgets[] = { 1, 256, 260 * 8, 260 * 20, 1 << 20, 0 };
    vv_traj *traj = open_file(FILES "open.h5");
    vv_error err = VV_ERROR_INIT;
    size_t group, leaves[2] = { find(traj, "step/positions", &group),
                                find(traj, "step/energy", &group) };

    (void)state;
    for (size_t b = 0; b < sizeof(budgets) / sizeof(budgets[0]); b++) {
        vv_traj_batches *batches;
        uint64_t first, count, seen = 2;
        const void *const *data;

        assert_vv_ok(vv_traj_batches_new(traj, group, leaves, 2, 2, UINT64_MAX,
                                         budgets[b], &batches, &err));
        for (;;) {
            assert_vv_ok(vv_traj_batches_next(batches, &first, &count, &data, &err));
            if (!count)
                break;
            assert_int_equal(first, seen);
            assert_true(count <= vv_traj_batches_rows(batches));
            assert_true(count == 1 || count * 248 <= (budgets[b] ? budgets[b] : 1 << 26));
            if (budgets[b] >= 260 * 8 && first + count < ROWS)
                assert_int_equal((first + count) % 8, 0); /* the chunk's rows */
            for (uint64_t i = 0; i < count; i++) {
                assert_true(((const float *)data[0])[60 * i + 7] ==
                            7 + (float)(first + i));
                assert_true(((const double *)data[1])[i] == -1.5 * (double)(first + i));
            }
            seen += count;
        }
        assert_int_equal(seen, ROWS);
        vv_traj_batches_free(batches);
    }
    vv_traj_close(traj);
}

static void batches_of_what_has_no_rows_are_refused(void **state)
{
    vv_traj *traj = open_file(FILES "closed.h5");
    vv_error err = VV_ERROR_INIT;
    vv_traj_batches *batches;

    (void)state;
    assert_int_equal(
        vv_traj_batches_new(traj, 0, NULL, 0, 0, UINT64_MAX, 0, &batches, &err),
        VV_EINVAL);
    assert_int_equal(
        vv_traj_batches_new(traj, 1, NULL, 0, 0, ROWS + 1, 0, &batches, &err), VV_EINVAL);
    assert_int_equal(
        vv_traj_batches_new(traj, 1, NULL, 0, ROWS + 1, UINT64_MAX, 0, &batches, &err),
        VV_ERANGE);
    assert_int_equal(vv_traj_batches_new(traj, 9, NULL, 0, 0, 1, 0, &batches, &err),
                     VV_ERANGE);
    vv_traj_close(traj);
}

/* ---- live ------------------------------------------------------------------------------------- */

/* Where the bytes of a data set of one number lie: of "rows" of the group "step". */
static size_t find_number(const uint8_t *data, size_t len, uint64_t number, size_t skip)
{
    for (size_t i = 0; i + 8 <= len; i++)
        if (vvi_get_le64(data + i) == number && skip-- == 0)
            return i;
    return SIZE_MAX;
}

typedef struct late_writer {
    const char *path;
    uint8_t *data;
    size_t len, rows_at;
    bool closes;
} late_writer;

/* After a while, commit two rows; or take the flags of the superblock away. */
static void *write_late(void *ctx)
{
    const late_writer *self = ctx;
    FILE *file;

    usleep(60000);
    file = fopen(self->path, "r+b");
    if (self->closes) {
        uint8_t *closed;
        size_t len;

        closed = read_file(FILES "closed.h5", &len);
        fwrite(closed, 1, len, file);
        free(closed);
    } else {
        uint8_t rows[8];

        vvi_put_le64(rows, ROWS + 2);
        fseek(file, (long)self->rows_at, SEEK_SET);
        fwrite(rows, 1, 8, file);
    }
    fclose(file);
    return NULL;
}

static void following_sees_rows_when_they_are_committed(void **state)
{
    char *dir = make_directory();
    char path[300];
    late_writer writer = { .path = path };
    vv_error err = VV_ERROR_INIT;
    pthread_t thread;
    vv_traj *traj;
    uint64_t rows = 0, start[2] = { ROWS, 0 }, count[2] = { 2, 3 };
    size_t group, leaf;
    double energy[2];

    (void)state;
    (void)start;
    snprintf(path, sizeof(path), "%s/run.h5", dir);
    writer.data = read_file(FILES "open.h5", &writer.len);
    write_file(path, writer.data, writer.len);
    for (size_t skip = 0;;
         skip++) { /* which of the numbers it is shows when it is changed */
        writer.rows_at = find_number(writer.data, writer.len, ROWS, skip);
        assert_true(writer.rows_at != SIZE_MAX);
        vvi_put_le64(writer.data + writer.rows_at, ROWS + 1);
        write_file(path, writer.data, writer.len);
        vvi_put_le64(writer.data + writer.rows_at, ROWS);
        vvi_traj_tries = 0;
        vv_traj_rows now = VV_TRAJ_ROWS_INIT;
        bool is_it = vv_traj_open(path, &traj, NULL) == VV_OK;
        if (is_it) {
            is_it = vv_traj_get_rows(traj, 1, &now, NULL) == VV_OK &&
                    now.rows == ROWS + 1;
            vv_traj_close(traj);
        }
        vvi_traj_tries = 6;
        if (is_it)
            break;
    }
    write_file(path, writer.data, writer.len);
    traj = open_file(path);
    leaf = find(traj, "step/energy", &group);
    assert_int_equal(vv_traj_follow(traj, group, ROWS, 30, &rows, &err), VV_ETIMEDOUT);
    assert_int_equal(rows, ROWS);
    assert_int_equal(pthread_create(&thread, NULL, write_late, &writer), 0);
    assert_vv_ok(vv_traj_follow(traj, group, ROWS, 20000, &rows, &err));
    pthread_join(thread, NULL);
    assert_int_equal(rows, ROWS + 2);
    assert_vv_ok(vv_traj_read(traj, group, leaf, start, count, NULL, energy, 16, &err));
    assert_true(energy[1] == -1.5 * (ROWS + 1));
    writer.closes = true;
    assert_int_equal(pthread_create(&thread, NULL, write_late, &writer), 0);
    assert_int_equal(vv_traj_follow(traj, group, ROWS + 2, 20000, &rows, &err),
                     VV_ENOTFOUND);
    pthread_join(thread, NULL);
    vv_traj_close(traj);
    free(writer.data);
    remove_directory(dir);
}

/* ---- what is stored ------------------------------------------------------------------------------ */

static void storage_is_counted(void **state)
{
    vv_traj *traj = open_file(FILES "open.h5");
    vv_traj_storage storage = VV_TRAJ_STORAGE_INIT;
    vv_error err = VV_ERROR_INIT;
    size_t group, leaf = find(traj, "step/energy", &group);

    (void)state;
    assert_vv_ok(vv_traj_leaf_storage(traj, group, leaf, &storage, &err));
    assert_int_equal(storage.raw_bytes, 8 * ROWS);
    assert_int_equal(storage.chunks, 5);
    assert_int_equal(storage.plain, 1); /* the unfinished one */
    assert_int_equal(storage.absent, 0);
    assert_true(storage.stored_bytes > 64 && storage.stored_bytes < 5 * 64);
    assert_vv_ok(vv_traj_leaf_storage(traj, 0, 0, &storage, &err));
    assert_true(storage.chunks == 1 && storage.plain == 1 && storage.stored_bytes == 72);
    vv_traj_close(traj);
}

static vv_status note_problem(void *ctx, const char *where, const char *what,
                              vv_error *err)
{
    vv_buf *text = ctx;

    return vvi_buf_printf(text, err, "%s: %s\n", where, what);
}

/* What the check of a file says; free() it. */
static char *check(const char *path, uint64_t *problems)
{
    vv_traj_check_options options = VV_TRAJ_CHECK_OPTIONS_INIT;
    vv_traj_check_report report = VV_TRAJ_CHECK_REPORT_INIT;
    vv_buf text = VV_BUF_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_traj *traj = open_file(path);
    char *copy;

    options.problem = note_problem;
    options.ctx = &text;
    assert_vv_ok(vv_traj_check(traj, &options, &report, &err));
    *problems = report.problems;
    assert_int_equal(report.groups, vv_traj_get_info(traj)->group_count);
    assert_int_equal(report.is_open, vv_traj_get_info(traj)->is_open);
    vv_traj_close(traj);
    copy = calloc(1, text.len + 1);
    if (text.len)
        memcpy(copy, text.data, text.len);
    vv_buf_clear(&text);
    return copy;
}

static void whole_files_have_no_problems(void **state)
{
    static const char *const files[] = { FILES "closed.h5", FILES "open.h5",
                                         FILES "clash.h5", KUPS "k01_core.h5",
                                         KUPS "k26_c1108_shuf_lzf_bt2.h5" };

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        uint64_t problems;
        char *text = check(files[i], &problems);

        assert_string_equal(text, "");
        assert_int_equal(problems, 0);
        free(text);
    }
}

static void damage_is_told_by_leaf_and_chunk(void **state)
{
    char *dir = make_directory(), path[300], *text;
    uint64_t problems;
    uint8_t *data;
    size_t len, at;

    (void)state;
    snprintf(path, sizeof(path), "%s/bad.h5", dir);
    text = check(KUPS "k30_damaged_chunk.h5", &problems);
    assert_true(problems >= 1);
    assert_non_null(strstr(text, "chunk "));
    free(text);
    /* A step that does not rise; the bytes of the array of steps are 0, 10, 20, … */
    data = read_file(FILES "closed.h5", &len);
    for (at = 0; vvi_get_le64(data + at) != 100 || vvi_get_le64(data + at + 8) != 110;)
        at++;
    vvi_put_le64(data + at, 120);
    write_file(path, data, len);
    text = check(path, &problems);
    assert_int_equal(problems, 1);
    assert_non_null(strstr(text, "step: row 11 is of step 110, behind step 120"));
    free(text);
    free(data);
    remove_directory(dir);
}

static void a_schema_that_is_damaged_leaves_the_names(void **state)
{
    char *dir = make_directory(), path[300], *found, *text;
    vv_error err = VV_ERROR_INIT;
    uint64_t problems;
    uint8_t *data;
    vv_traj *traj;
    size_t len;

    (void)state;
    snprintf(path, sizeof(path), "%s/bad.h5", dir);
    data = read_file(FILES "closed.h5", &len);
    found = memmem(data, len, "\"frequency\"", 11);
    assert_non_null(found);
    found[2] = 'x';
    write_file(path, data, len);
    traj = open_file(path);
    assert_false(vv_traj_get_info(traj)->is_recording);
    assert_non_null(strstr(vv_traj_get_info(traj)->schema_problem, "frequency"));
    assert_int_equal(vv_traj_group_at(traj, 1)->leaf_count, 6);
    vv_traj_close(traj);
    text = check(path, &problems);
    assert_non_null(strstr(text, "frequency"));
    free(text);
    found[2] = 'r';
    found = memmem(data, len, "\"varvite_recording\": 1", 22);
    assert_non_null(found);
    found[21] = '9';
    write_file(path, data, len);
    assert_int_equal(vv_traj_open(path, &traj, &err), VV_EUNSUPPORTED);
    free(data);
    remove_directory(dir);
}

/* ---- as a Zarr hierarchy ------------------------------------------------------------------------- */

static void the_view_holds_all_leaves_and_their_steps(void **state)
{
    static const char *const files[] = { FILES "closed.h5", FILES "open.h5" };

    (void)state;
    for (int f = 0; f < 2; f++) {
        vv_error err = VV_ERROR_INIT;
        vv_store *store;
        vv_array *array;
        uint64_t start[3] = { 30, 18, 1 }, count[3] = { 7, 2, 1 };
        float part[14];
        double energy[ROWS];
        int64_t steps[ROWS];
        bool there;

        assert_vv_ok(vv_traj_store_open(files[f], &store, &err));
        assert_true(vv_store_is_read_only(store));
        assert_vv_ok(vv_array_open(store, "step/positions", &array, &err));
        assert_string_equal(vv_array_get_meta(array)->dimension_names[0], "steps");
        assert_vv_ok(vv_array_read(array, start, count, NULL, part, sizeof(part), &err));
        assert_true(part[0] == 3 * 18 + 1 + 30 && part[13] == 3 * 19 + 1 + 36);
        vv_array_free(array);
        start[0] = 0;
        count[0] = ROWS;
        assert_vv_ok(vv_array_open(store, "step/energy", &array, &err));
        assert_vv_ok(
            vv_array_read(array, start, count, NULL, energy, sizeof(energy), &err));
        vv_array_free(array);
        assert_vv_ok(vv_array_open(store, "step/steps", &array, &err));
        assert_vv_ok(
            vv_array_read(array, start, count, NULL, steps, sizeof(steps), &err));
        vv_array_free(array);
        for (int i = 0; i < ROWS; i++)
            assert_true(energy[i] == -1.5 * i && steps[i] == 10 * i);
        assert_vv_ok(vv_store_exists(store, "step/energy/c/4", &there, &err));
        assert_true(there);
        assert_vv_ok(vv_store_exists(store, "step/energy/c/5", &there, &err));
        assert_false(there);
        assert_vv_ok(vv_store_exists(store, "init/natoms/c", &there, &err));
        assert_true(there);
        assert_int_equal(vv_store_set(store, "x", vvi_bytes("", 0), &err), VV_EREADONLY);
        vv_store_free(store);
    }
}

static void places_that_were_not_written_are_no_numbers(void **state)
{
    vv_error err = VV_ERROR_INIT;
    uint64_t start[2] = { 0, 0 }, count[2] = { 5, 2 };
    vv_store *store;
    vv_array *array;
    double values[10];

    (void)state;
    assert_vv_ok(vv_traj_store_open(FILES "open.h5", &store, &err));
    assert_vv_ok(vv_array_open(store, "moves/accepted", &array, &err));
    assert_vv_ok(vv_array_read(array, start, count, NULL, values, sizeof(values), &err));
    for (int i = 0; i < 5; i++)
        assert_true((i == 1 || i == 4) == (values[2 * i] != values[2 * i]));
    assert_true(values[0] == 0 && values[4] == 2 && values[7] == 4);
    assert_true(values[3] != values[3] && values[9] != values[9]);
    vv_array_free(array);
    vv_store_free(store);
}

static vv_status count_key(void *ctx, const char *key, vv_error *err)
{
    size_t *n = ctx;

    (void)key;
    (void)err;
    ++*n;
    return VV_OK;
}

static void keys_of_the_view_are_listed_and_read(void **state)
{
    vv_error err = VV_ERROR_INIT;
    size_t all = 0, some = 0, entries = 0;
    vv_store *store;
    vv_buf value = VV_BUF_INIT;
    uint64_t size;

    (void)state;
    assert_vv_ok(vv_traj_store_open(FILES "closed.h5", &store, &err));
    assert_vv_ok(vv_store_list(store, "", count_key, &all, &err));
    /* Groups: the root, init, step, step/forces, moves. Arrays: 2, 6 and steps, 1 and written. */
    assert_int_equal(all, 5 + 11 + 2 + 6 * 5 + 1 + 2);
    assert_vv_ok(vv_store_list(store, "step/energy/c/", count_key, &some, &err));
    assert_int_equal(some, 5);
    assert_vv_ok(vv_store_list_dir(store, "step", count_key, &entries, &err));
    assert_int_equal(entries, 1 + 7 - 1);
    assert_vv_ok(vv_store_get(store, "step/energy/c/4", VV_RANGE_ALL, &value, &err));
    assert_int_equal(value.len, 64);
    assert_vv_ok(vv_store_size(store, "step/energy/c/4", &size, &err));
    assert_int_equal(size, 64);
    assert_int_equal(vv_store_get(store, "step/energy/c/x", VV_RANGE_ALL, &value, &err),
                     VV_ENOTFOUND);
    assert_int_equal(vv_store_get(store, "nothing/zarr.json", VV_RANGE_ALL, &value, &err),
                     VV_ENOTFOUND);
    vv_buf_clear(&value);
    vv_store_free(store);
}

/* ---- failures ----------------------------------------------------------------------------------- */

static vv_status use_all(void *ctx)
{
    vv_traj_check_report report = VV_TRAJ_CHECK_REPORT_INIT;
    vv_traj_batches *batches = NULL;
    vv_store *store = NULL;
    vv_traj *traj = NULL;
    vv_status status = vv_traj_open(ctx, &traj, NULL);
    const void *const *data;
    uint64_t first, count = 1;

    if (!status)
        status = vv_traj_check(traj, NULL, &report, NULL);
    if (!status)
        status = vv_traj_batches_new(traj, 1, NULL, 0, 0, UINT64_MAX, 4000, &batches,
                                     NULL);
    while (!status && count)
        status = vv_traj_batches_next(batches, &first, &count, &data, NULL);
    vv_traj_batches_free(batches);
    vv_traj_close(traj);
    if (!status)
        status = vv_traj_store_open(ctx, &store, NULL);
    vv_store_free(store);
    return status;
}

static void memory_may_end_anywhere(void **state)
{
    (void)state;
    survives_failing_allocations(use_all, (void *)(uintptr_t)FILES "closed.h5");
    survives_failing_allocations(use_all, (void *)(uintptr_t)FILES "open.h5");
}

/* Whatever a damaged file holds, it is refused, or told of, or read. */
static void flipped_bits_crash_nothing(void **state)
{
    static const char *const files[] = { FILES "closed.h5", FILES "open.h5",
                                         FILES "clash.h5" };
    char *dir = make_directory(), path[300];
    size_t refused = 0, problems = 0;
    uint64_t random = 7;

    (void)state;
    vvi_traj_tries = 0;
    snprintf(path, sizeof(path), "%s/flipped.h5", dir);
    for (size_t round = 0; round < 300; round++) {
        vv_traj_check_report report = VV_TRAJ_CHECK_REPORT_INIT;
        vv_store *store = NULL;
        vv_traj *traj = NULL;
        size_t len;
        uint8_t *data = read_file(files[round % 3], &len);

        for (int i = 0; i < 4; i++)
            data[next_random(&random) % len] ^= (uint8_t)(1 << next_random(&random) % 8);
        write_file(path, data, len);
        free(data);
        if (vv_traj_open(path, &traj, NULL)) {
            refused++;
            continue;
        }
        if (vv_traj_check(traj, NULL, &report, NULL) == VV_OK)
            problems += report.problems != 0;
        vv_traj_close(traj);
        if (vv_traj_store_open(path, &store, NULL) == VV_OK) {
            vv_array *array = NULL;
            uint64_t start[VV_NDIM_MAX] = { 0 };
            double row;
            uint64_t one = 1;

            if (vv_array_open(store, "step/energy", &array, NULL) == VV_OK &&
                vv_array_get_meta(array)->ndim == 1)
                (void)vv_array_read(array, start, &one, NULL, &row, sizeof(row), NULL);
            vv_array_free(array);
        }
        vv_store_free(store);
    }
    vvi_traj_tries = 6;
    assert_true(refused > 10 && problems > 10);
    remove_directory(dir);
}

/* Each call of the file system fails once; short reads change nothing. */
static void files_may_fail_anywhere(void **state)
{
    static const char *const files[] = { FILES "closed.h5", FILES "open.h5" };
    size_t live = live_allocations();

    (void)state;
    for (int f = 0; f < 2; f++) {
        vvi_fault fault = { .calls = VVI_CALLS_ALL, .error_number = EIO };
        vv_status status;
        size_t failed = 0;

        do {
            vvi_fault_plan(&fault);
            status = use_all((void *)(uintptr_t)files[f]);
            if (!vvi_fault_plan(NULL))
                break;
            /* A look whether the file has changed may fail: then it is read anew. */
            assert_true(status == VV_EIO || (f == 1 && status == VV_OK));
            failed += status == VV_EIO;
            assert_int_equal(live_allocations(), live);
        } while (fault.after++ < 100000);
        assert_int_equal(status, VV_OK);
        assert_true(failed > 100);
        fault = (vvi_fault){ .calls = VVI_CALL_BIT(VVI_CALL_READ),
                             .forever = true,
                             .kind = VVI_FAULT_SHORT };
        vvi_fault_plan(&fault);
        assert_int_equal(use_all((void *)(uintptr_t)files[f]), VV_OK);
        assert_true(vvi_fault_plan(NULL) > 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recording_says_what_its_groups_are),
        cmocka_unit_test(rows_that_no_commit_covered_are_not_there),
        cmocka_unit_test(rows_are_found_by_their_steps),
        cmocka_unit_test(written_places_are_told),
        cmocka_unit_test(files_of_kups_tell_the_extent),
        cmocka_unit_test(paths_are_readable_and_none_is_there_twice),
        cmocka_unit_test(subtrees_are_selected_by_prefix),
        cmocka_unit_test(batches_hold_their_memory_and_all_rows),
        cmocka_unit_test(batches_of_what_has_no_rows_are_refused),
        cmocka_unit_test(following_sees_rows_when_they_are_committed),
        cmocka_unit_test(storage_is_counted),
        cmocka_unit_test(whole_files_have_no_problems),
        cmocka_unit_test(damage_is_told_by_leaf_and_chunk),
        cmocka_unit_test(a_schema_that_is_damaged_leaves_the_names),
        cmocka_unit_test(the_view_holds_all_leaves_and_their_steps),
        cmocka_unit_test(places_that_were_not_written_are_no_numbers),
        cmocka_unit_test(keys_of_the_view_are_listed_and_read),
        cmocka_unit_test(memory_may_end_anywhere),
        cmocka_unit_test(flipped_bits_crash_nothing),
        cmocka_unit_test(files_may_fail_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
