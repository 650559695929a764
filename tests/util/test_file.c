/* The file layer: whole transfers, locks, maps, faults on purpose, the recorder. */
#include "support/support.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/fault.h"
#include "util/file.h"

#include <errno.h>
#include <stdio.h>

typedef struct fixture {
    char *dir;
    char *path;
} fixture;

static int set_up(void **state)
{
    fixture *f = malloc(sizeof(*f));

    assert_non_null(f);
    f->dir = make_directory();
    f->path = vvi_path_join(f->dir, "file");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    vvi_fault_plan(NULL);
    vvi_file_listen(NULL, NULL);
    vvi_free(f->path);
    remove_directory(f->dir);
    free(f);
    return 0;
}

static vv_status write_and_read_back(const char *path, vv_error *err)
{
    static const vv_bytes pieces[] = { { (const uint8_t *)"abc", 3 },
                                       { NULL, 0 },
                                       { (const uint8_t *)"defgh", 5 },
                                       { (const uint8_t *)"i", 1 } };
    vvi_file file = VVI_FILE_INIT;
    char text[32] = "";
    size_t got = 0;
    vv_status status;

    status = vvi_file_open(&file, path,
                           VVI_FILE_WRITE | VVI_FILE_CREATE | VVI_FILE_TRUNCATE, err);
    if (!status)
        status = vvi_file_writev_at(&file, 0, pieces, 4, err);
    if (!status)
        status = vvi_file_sync(&file, err);
    if (!status)
        status = vvi_file_read_at(&file, 1, text, sizeof(text), &got, err);
    if (!status) {
        assert_int_equal(got, 8);
        assert_memory_equal(text, "bcdefghi", 8);
    }
    vvi_file_close(&file);
    return status;
}

static void pieces_are_written_in_order_and_read_to_the_end(void **state)
{
    fixture *f = *state;
    vv_error err;

    assert_vv_ok(write_and_read_back(f->path, &err));
}

static void short_transfers_and_interruptions_are_completed(void **state)
{
    fixture *f = *state;
    vvi_fault plan = { .calls = VVI_CALLS_ALL, .forever = true, .kind = VVI_FAULT_SHORT };
    vv_error err;

    vvi_fault_plan(&plan);
    assert_vv_ok(write_and_read_back(f->path, &err));
    plan.kind = VVI_FAULT_INTERRUPT;
    assert_true(vvi_fault_plan(&plan) > 3);
    assert_vv_ok(write_and_read_back(f->path, &err));
    assert_true(vvi_fault_plan(NULL) > 3);
}

static void every_failing_call_is_reported_with_the_path(void **state)
{
    fixture *f = *state;
    vv_error err = VV_ERROR_INIT;
    uint64_t n = 0;
    uint64_t struck;

    do {
        vvi_fault plan = { .calls = VVI_CALLS_ALL, .after = n++, .error_number = ENOSPC };
        vv_status status;

        vvi_fault_plan(&plan);
        status = write_and_read_back(f->path, &err);
        struck = vvi_fault_plan(NULL);
        assert_int_equal(status, struck ? VV_EIO : VV_OK);
        if (struck) {
            assert_non_null(strstr(err.message, f->path));
            assert_non_null(strstr(err.message, "No space left"));
        }
    } while (struck);
    assert_true(n > 4);
}

static void a_torn_write_leaves_half_and_fails(void **state)
{
    fixture *f = *state;
    vvi_fault plan = { .calls = VVI_CALL_BIT(VVI_CALL_WRITE),
                       .kind = VVI_FAULT_TORN,
                       .error_number = EIO };
    vvi_file file = VVI_FILE_INIT;
    uint64_t size;
    vv_error err;

    assert_vv_ok(vvi_file_open(&file, f->path, VVI_FILE_WRITE | VVI_FILE_CREATE, &err));
    vvi_fault_plan(&plan);
    assert_int_equal(vvi_file_write_at(&file, 0, vv_bytes_of("12345678"), &err), VV_EIO);
    assert_vv_ok(vvi_file_size(&file, &size, &err));
    assert_int_equal(size, 4);
    vvi_file_close(&file);
}

static void a_lock_held_elsewhere_is_busy_after_the_timeout(void **state)
{
    fixture *f = *state;
    vvi_file a = VVI_FILE_INIT;
    vvi_file b = VVI_FILE_INIT;
    vv_error err;

    assert_vv_ok(vvi_file_open(&a, f->path, VVI_FILE_WRITE | VVI_FILE_CREATE, &err));
    assert_vv_ok(vvi_file_open(&b, f->path, VVI_FILE_READ, &err));
    assert_vv_ok(vvi_file_lock(&a, VVI_LOCK_EXCLUSIVE, 0, &err));
    assert_int_equal(vvi_file_lock(&b, VVI_LOCK_SHARED, 5, &err), VV_EBUSY);
    assert_non_null(strstr(err.message, f->path));
    assert_vv_ok(vvi_file_lock(&a, VVI_LOCK_SHARED, 0, &err));
    assert_vv_ok(vvi_file_lock(&b, VVI_LOCK_SHARED, 0, &err));
    vvi_file_close(&a);
    assert_vv_ok(vvi_file_lock(&b, VVI_LOCK_EXCLUSIVE, 0, &err));
    vvi_file_close(&b);
}

static void a_lent_map_outlives_file_and_name(void **state)
{
    fixture *f = *state;
    vvi_file file = VVI_FILE_INIT;
    vvi_map *map;
    vv_buf buf = VV_BUF_INIT;
    vv_error err;

    assert_vv_ok(vvi_file_open(&file, f->path, VVI_FILE_WRITE | VVI_FILE_CREATE, &err));
    assert_vv_ok(vvi_map_open(&file, 1 << 20, false, &map, &err)); /* past the end */
    assert_vv_ok(vvi_file_write_at(&file, 0, vv_bytes_of("varve"), &err));
    vvi_buf_lend(&buf, map->data, 5, vvi_map_release, vvi_map_retain(map));
    vvi_map_release(map);
    vvi_file_close(&file);
    assert_vv_ok(vvi_file_unlink(f->path, &err));
    assert_memory_equal(buf.data, "varve", 5);
    vv_buf_clear(&buf);
}

static void saving_replaces_a_file_whole_or_not_at_all(void **state)
{
    fixture *f = *state;
    vv_buf buf = VV_BUF_INIT;
    vv_error err;
    uint64_t struck;
    uint64_t n = 0;

    assert_vv_ok(vvi_file_save(f->dir, "file", vv_bytes_of("old"), &err));
    do {
        vvi_fault plan = { .calls = VVI_CALLS_ALL, .after = n++, .error_number = EIO };
        vv_status status;

        vvi_fault_plan(&plan);
        status = vvi_file_save(f->dir, "file", vv_bytes_of("newer"), &err);
        struck = vvi_fault_plan(NULL);
        assert_vv_ok(vvi_file_load(f->path, 100, &buf, &err));
        assert_true(vvi_bytes_equal(vvi_buf_bytes(&buf), vv_bytes_of("newer")) ||
                    vvi_bytes_equal(vvi_buf_bytes(&buf), vv_bytes_of("old")));
        assert_int_equal(status, struck ? VV_EIO : VV_OK);
        if (struck)
            assert_vv_ok(vvi_file_save(f->dir, "file", vv_bytes_of("old"), &err));
    } while (struck);
    assert_int_equal(buf.len, 5);
    assert_int_equal(vvi_file_load(f->path, 4, &buf, &err), VV_ELIMIT);
    vv_buf_clear(&buf);
}

static void note_event(void *ctx, const vvi_file_event *event)
{
    char *log = ctx;

    snprintf(log + strlen(log), 1000 - strlen(log), "%d:%d+%d ", event->kind,
             (int)event->offset, (int)event->data.len);
}

static void the_recorder_hears_each_change_in_order(void **state)
{
    fixture *f = *state;
    char log[1000] = "";
    char want[200];
    vvi_file file = VVI_FILE_INIT;
    vvi_map *map;
    vv_error err;

    vvi_file_listen(note_event, log);
    assert_vv_ok(vvi_file_open(&file, f->path, VVI_FILE_WRITE | VVI_FILE_CREATE, &err));
    assert_vv_ok(vvi_file_allocate(&file, 4096, &err));
    assert_vv_ok(vvi_file_write_at(&file, 7, vv_bytes_of("data"), &err));
    assert_vv_ok(vvi_map_open(&file, 4096, true, &map, &err));
    map->data[9] = 'x';
    vvi_map_changed(map, map->data + 9, 1);
    assert_vv_ok(vvi_map_sync(map, &err));
    assert_vv_ok(vvi_file_unlink(f->path, &err));
    assert_vv_ok(vvi_dir_sync(f->dir, &err));
    snprintf(want, sizeof(want), "%d:0+0 %d:4096+0 %d:7+4 %d:9+1 %d:0+0 %d:0+0 %d:0+0 ",
             VVI_EVENT_CREATE, VVI_EVENT_TRUNCATE, VVI_EVENT_WRITE, VVI_EVENT_MAP,
             VVI_EVENT_SYNC, VVI_EVENT_UNLINK, VVI_EVENT_DIR_SYNC);
    assert_string_equal(log, want);
    vvi_map_release(map);
    vvi_file_close(&file);
}

static void space_set_aside_changes_no_size_and_may_be_refused(void **state)
{
    static const vvi_fault full = { .calls = VVI_CALL_BIT(VVI_CALL_ALLOCATE),
                                    .kind = VVI_FAULT_ERROR,
                                    .error_number = ENOSPC };
    fixture *f = *state;
    vvi_file file = VVI_FILE_INIT;
    uint64_t size;
    vv_error err;

    assert_vv_ok(vvi_file_open(&file, f->path, VVI_FILE_WRITE | VVI_FILE_CREATE, &err));
    assert_vv_ok(vvi_file_write_at(&file, 0, vv_bytes_of("data"), &err));
    (void)vvi_file_set_aside(&file, 4, 1 << 20);
    assert_vv_ok(vvi_file_size(&file, &size, &err));
    assert_int_equal(size, 4);
    vvi_fault_plan(&full);
    assert_false(vvi_file_set_aside(&file, 0, 4096));
    assert_int_equal(vvi_fault_plan(NULL), 1);
    /* More than a share of what the file system has left is not asked for. */
    assert_false(vvi_file_set_aside(&file, 0, (uint64_t)1 << 60));
    assert_vv_ok(vvi_file_truncate(&file, 4, &err));
    assert_vv_ok(vvi_file_size(&file, &size, &err));
    assert_int_equal(size, 4);
    vvi_file_close(&file);
}

static vv_status allocating_scenario(void *ctx)
{
    fixture *f = ctx;
    vv_buf buf = VV_BUF_INIT;
    vv_status status = vvi_file_save(f->dir, "file", vv_bytes_of("bytes"), NULL);

    if (!status)
        status = vvi_file_load(f->path, 100, &buf, NULL);
    vv_buf_clear(&buf);
    return status;
}

static void failing_allocations_leave_nothing_behind(void **state)
{
    survives_failing_allocations(allocating_scenario, *state);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(pieces_are_written_in_order_and_read_to_the_end),
        TEST(short_transfers_and_interruptions_are_completed),
        TEST(every_failing_call_is_reported_with_the_path),
        TEST(a_torn_write_leaves_half_and_fails),
        TEST(a_lock_held_elsewhere_is_busy_after_the_timeout),
        TEST(a_lent_map_outlives_file_and_name),
        TEST(saving_replaces_a_file_whole_or_not_at_all),
        TEST(the_recorder_hears_each_change_in_order),
        TEST(space_set_aside_changes_no_size_and_may_be_refused),
        TEST(failing_allocations_leave_nothing_behind),
    };

    watch_allocations();
    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
