/* Files that writers left open: repaired, refused, held by their writer, cut anywhere, on a full disk. */
#include "hdf5/runs.h"

#include "h5/h5.h"
#include "hdf5/driver.h"

#include <errno.h>
#include <hdf5.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static vv_error err;
static vv_schema *schema;

static vv_recorder *begin(const char *path, bool overwrite)
{
    vv_recorder_options options = run_options(VV_PROCESS);
    vv_recorder *recorder = NULL;

    options.overwrite = overwrite;
    assert_vv_ok(vv_recorder_create_hdf5(path, schema, &options, &recorder, &err));
    return recorder;
}

/* A recording that was given up, with its last commit in the journal. */
static void leave_open(const char *path, int64_t rows)
{
    vv_recorder *recorder = begin(path, true);

    assert_vv_ok(run_log_many(recorder, 0, rows / 2, &err));
    assert_vv_ok(vv_recorder_flush(recorder, VV_PROCESS, 0, &err));
    assert_vv_ok(run_log_many(recorder, rows / 2, rows, &err));
    assert_vv_ok(vv_recorder_flush(recorder, VV_PROCESS, 0, &err));
    assert_vv_ok(run_log_many(recorder, rows, rows + 5, &err));
    vv_recorder_abandon(recorder);
}

static void copy_file(const char *from, const char *to, size_t len)
{
    size_t all;
    uint8_t *bytes = read_file(from, &all);

    write_file(to, bytes, len < all ? len : all);
    free(bytes);
}

static void the_writer_holds_its_file(void **state)
{
    char *dir = make_directory();
    vv_recorder_options options = run_options(VV_PROCESS);
    vv_recorder *recorder, *second = NULL;
    char path[600], journal[620];
    int64_t next;

    (void)state;
    snprintf(path, sizeof(path), "%s/a.h5", dir);
    snprintf(journal, sizeof(journal), "%s.journal", path);
    recorder = begin(path, false);
    assert_vv_ok(run_log_many(recorder, 0, 12, &err));
    assert_vv_ok(vv_recorder_flush(recorder, VV_PROCESS, 0, &err));
    assert_int_equal(vv_recorder_create_hdf5(path, schema, &options, &second, &err),
                     VV_EBUSY);
    options.overwrite = true;
    assert_int_equal(vv_recorder_create_hdf5(path, schema, &options, &second, &err),
                     VV_EBUSY);
    assert_int_equal(vv_recorder_append_hdf5(path, NULL, -1, &options, &second, &err),
                     VV_EBUSY);
    assert_int_equal(vv_traj_repair(path, false, NULL, &err), VV_EBUSY);
    assert_int_equal(unlink(journal), 0); /* and without its journal */
    assert_int_equal(vv_traj_repair(path, false, NULL, &err), VV_EBUSY);
    assert_vv_ok(run_look(path, &next, &err));
    assert_int_equal(next, 12);
    assert_vv_ok(vv_recorder_close(recorder, &err));
    options.overwrite = false;
    assert_int_equal(vv_recorder_create_hdf5(path, schema, &options, &second, &err),
                     VV_EEXISTS);
    assert_int_equal(access(journal, F_OK), -1);
    assert_vv_ok(run_look_plainly(path, &next, &err));
    assert_int_equal(next, 12);
    assert_int_equal(
        vv_recorder_append_hdf5("/nowhere/a.h5", NULL, -1, &options, &second, &err),
        VV_ENOTFOUND);
    remove_directory(dir);
}

static void the_child_of_a_fork_changes_nothing(void **state)
{
    char *dir = make_directory();
    vv_recorder *recorder;
    char path[600];
    int64_t next;
    int status;
    pid_t child;

    (void)state;
    snprintf(path, sizeof(path), "%s/a.h5", dir);
    recorder = begin(path, false);
    assert_vv_ok(run_log_many(recorder, 0, 30, &err));
    fflush(NULL);
    child = fork();
    if (child == 0) {
        if (vv_recorder_flush(recorder, VV_PROCESS, 0, NULL) != VV_EINVAL)
            _exit(2);
        vv_recorder_abandon(recorder);
        /* What exit() would have libhdf5 do, and no more: a check for leaks cannot know what the threads
         * held that a child does not have. */
        _exit(H5close() < 0 ? 3 : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_vv_ok(run_log_many(recorder, 30, 50, &err));
    assert_vv_ok(vv_recorder_close(recorder, &err));
    assert_vv_ok(run_look_plainly(path, &next, &err));
    assert_int_equal(next, 50);
    remove_directory(dir);
}

/* Cut at every 512 bytes, with and without the journal, open and closed: a clear error or the rows, never a crash. */
static void a_file_cut_anywhere_is_read_or_refused(void **state)
{
    char *dir = make_directory();
    char whole[600], path[600], from[620], to[620];
    struct stat st;

    (void)state;
    snprintf(whole, sizeof(whole), "%s/whole.h5", dir);
    snprintf(path, sizeof(path), "%s/cut.h5", dir);
    snprintf(from, sizeof(from), "%s.journal", whole);
    snprintf(to, sizeof(to), "%s.journal", path);
    for (int closed = 0; closed < 2; closed++) {
        leave_open(whole, 30);
        if (closed)
            assert_vv_ok(vv_traj_repair(whole, false, NULL, &err));
        assert_int_equal(stat(whole, &st), 0);
        for (size_t len = 0; len < (size_t)st.st_size; len += 512) {
            vv_recorder_options options = run_options(VV_PROCESS);
            vv_recorder *recorder = NULL;
            int64_t next = -1;
            vv_status status;

            copy_file(whole, path, len);
            if (!closed && len % 1024)
                copy_file(from, to, SIZE_MAX);
            else
                unlink(to);
            status = vv_traj_repair(path, len % 2048 == 512, NULL, &err);
            if (status != VV_OK && status != VV_ECORRUPT)
                fail_msg("%zu bytes: %s (%s)", len, vv_status_name(status), err.message);
            if (status && !strstr(err.message, "cut.h5"))
                fail_msg("%zu bytes: %s", len, err.message);
            status = vv_recorder_append_hdf5(path, NULL, -1, &options, &recorder, &err);
            if (status != VV_OK && status != VV_ECORRUPT && status != VV_EUNSUPPORTED)
                fail_msg("%zu bytes: %s (%s)", len, vv_status_name(status), err.message);
            vv_recorder_abandon(recorder);
            if (!run_look(path, &next, &err))
                assert_int_equal(next, 30);
        }
    }
    remove_directory(dir);
}

/* A journal of which some bytes are others is none; the file is what the commit before left, or this one. */
static void a_damaged_journal_says_nothing(void **state)
{
    char *dir = make_directory();
    char path[600], journal[620];
    uint8_t *bytes;
    int64_t next;
    size_t len;

    (void)state;
    snprintf(path, sizeof(path), "%s/a.h5", dir);
    snprintf(journal, sizeof(journal), "%s.journal", path);
    leave_open(path, 30);
    bytes = read_file(journal, &len);
    for (size_t at = 0; at < len; at += at < 4300 ? 1 : 97) {
        if (at == 88) /* nothing stands between the header and the commit */
            at = 4096;
        bytes[at] ^= 0x41;
        write_file(journal, bytes, len);
        bytes[at] ^= 0x41;
        assert_vv_ok(run_look(path, &next, &err));
        assert_int_equal(next, 30);
    }
    write_file(journal, bytes, len);
    assert_vv_ok(vv_traj_repair(path, false, NULL, &err));
    assert_vv_ok(run_look_plainly(path, &next, &err));
    free(bytes);
    remove_directory(dir);
}

/* ---- files of others ----------------------------------------------------------------------- */

/* As kUPS since 1.0.3 leaves one that is killed (v110 and SWMR), and before (the earliest format). */
static void die_writing(const char *path, bool swmr)
{
    hsize_t dims[1] = { 100 }, chunk[1] = { 10 };
    int status;
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child == 0) {
        hid_t fapl = H5Pcreate(H5P_FILE_ACCESS), plist = H5Pcreate(H5P_DATASET_CREATE);
        hid_t text = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, dims, NULL);
        hid_t scalar = H5Screate(H5S_SCALAR), file, group, dataset, attribute;
        double values[100];

        for (int i = 0; i < 100; i++)
            values[i] = i;
        H5Pset_libver_bounds(fapl, swmr ? H5F_LIBVER_V110 : H5F_LIBVER_EARLIEST,
                             H5F_LIBVER_V110);
        H5Pset_chunk(plist, 1, chunk);
        file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
        group = H5Gcreate2(file, "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        dataset = H5Dcreate2(group, "array", H5T_IEEE_F64LE, space, H5P_DEFAULT,
                             swmr ? plist : H5P_DEFAULT, H5P_DEFAULT);
        H5Tset_size(text, 9);
        attribute = H5Acreate2(file, "group_names", text, scalar, H5P_DEFAULT,
                               H5P_DEFAULT);
        H5Awrite(attribute, text, "[\"group\"]");
        H5Aclose(attribute);
        attribute = H5Acreate2(group, "paths", text, scalar, H5P_DEFAULT, H5P_DEFAULT);
        H5Awrite(attribute, text, "[\"array\"]");
        H5Aclose(attribute);
        if (swmr && H5Fstart_swmr_write(file) < 0)
            _exit(2);
        if (H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) <
            0)
            _exit(3);
        if (swmr && H5Fflush(file, H5F_SCOPE_LOCAL) < 0)
            _exit(4);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void files_of_kups_are_closed_or_it_is_said_why_not(void **state)
{
    char *dir = make_directory();
    vv_repair_report report = VV_REPAIR_REPORT_INIT;
    double values[100];
    char path[600];
    uint8_t *before, *after;
    size_t len;
    hid_t file, dataset;

    (void)state;
    snprintf(path, sizeof(path), "%s/a.h5", dir);
    die_writing(path, true);
    before = read_file(path, &len);
    report.struct_size = 0;
    assert_int_equal(vv_traj_repair(path, false, &report, &err), VV_EINVAL);
    report = VV_REPAIR_REPORT_INIT;
    assert_vv_ok(vv_traj_repair(path, true, &report, &err));
    assert_true(report.was_open && !report.changed);
    after = read_file(path, &len);
    assert_memory_equal(before, after, len);
    free(before);
    free(after);
    assert_vv_ok(vv_traj_repair(path, false, &report, &err));
    assert_true(report.was_open && report.changed && !report.journal);
    file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    dataset = H5Dopen2(file, "group/array", H5P_DEFAULT);
    assert_true(
        H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    for (int i = 0; i < 100; i++)
        assert_true(values[i] == i);
    H5Dclose(dataset);
    H5Fclose(file);
    assert_vv_ok(vv_traj_repair(path, false, &report, &err));
    assert_false(report.was_open || report.changed);

    die_writing(path, false);
    assert_int_equal(truncate(path, 8454), 0); /* rows, which it had written somewhere */
    assert_int_equal(vv_traj_repair(path, false, &report, &err), VV_ECORRUPT);
    assert_non_null(strstr(err.message, "cannot be mended"));
    write_file(path, "no HDF5", 7);
    assert_int_equal(vv_traj_repair(path, false, &report, &err), VV_ECORRUPT);
    remove_directory(dir);
}

/* ---- a full disk --------------------------------------------------------------------------- */

static void a_full_disk_keeps_earlier_rows(void **state)
{
    char *dir = make_directory();
    vv_recorder *recorder;
    vv_status status = VV_OK;
    int64_t acked = 0, next = 0;
    char path[600];

    (void)state;
    if (mount("tmpfs", dir, "tmpfs", 0, "size=1m") != 0) {
        print_message("skipped: a tmpfs cannot be mounted: %s\n", strerror(errno));
        remove_directory(dir);
        skip();
    }
    snprintf(path, sizeof(path), "%s/a.h5", dir);
    recorder = begin(path, false);
    for (; !status && next < 100000; next++) {
        status = run_log(recorder, next, &err);
        if (!status && next % 50 == 49) {
            status = vv_recorder_flush(recorder, VV_PROCESS, 0, &err);
            if (!status)
                acked = next + 1;
        }
    }
    assert_int_equal(status, VV_EIO);
    assert_non_null(strstr(err.message, "No space left"));
    assert_int_equal(vv_recorder_close(recorder, &err), VV_EIO);
    assert_true(acked > 200);
    assert_vv_ok(run_look(path, &next, &err));
    assert_true(next >= acked);
    assert_vv_ok(
        vv_traj_repair(path, false, NULL, &err)); /* frees what no commit covered */
    assert_vv_ok(run_look_plainly(path, &next, &err));
    assert_true(next >= acked);
    assert_int_equal(umount(dir), 0);
    remove_directory(dir);
}

/* ---- others read it ------------------------------------------------------------------------ */

static void h5dump_reads_what_needs_no_plugin(void **state)
{
    char *dir = make_directory();
    char path[600], command[800], line[400];
    vv_recorder *recorder;
    bool found = false;
    FILE *out;

    (void)state;
    if (system("h5dump --version >/dev/null 2>&1") != 0) {
        remove_directory(dir);
        skip();
    }
    snprintf(path, sizeof(path), "%s/a.h5", dir);
    recorder = begin(path, false);
    assert_vv_ok(run_log_many(recorder, 0, 200, &err));
    assert_vv_ok(vv_recorder_close(recorder, &err));
    /* its own syntax takes the brackets of names for indexes, so the whole is asked for */
    snprintf(command, sizeof(command), "h5dump -w 0 %s 2>/dev/null", path);
    out = popen(command, "r");
    assert_non_null(out);
    while (fgets(line, sizeof(line), out))
        found |= strstr(line, "96.5") != NULL; /* the energy of the last step */
    pclose(out);
    assert_true(found);
    remove_directory(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_writer_holds_its_file),
        cmocka_unit_test(the_child_of_a_fork_changes_nothing),
        cmocka_unit_test(a_file_cut_anywhere_is_read_or_refused),
        cmocka_unit_test(a_damaged_journal_says_nothing),
        cmocka_unit_test(files_of_kups_are_closed_or_it_is_said_why_not),
        cmocka_unit_test(a_full_disk_keeps_earlier_rows),
        cmocka_unit_test(h5dump_reads_what_needs_no_plugin),
    };
    int failed;

    run_in_memory();
    schema = run_schema();
    failed = cmocka_run_group_tests_name("hdf5/repair", tests, NULL, NULL);
    vv_schema_free(schema);
    return failed;
}
