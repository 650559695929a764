/* The room util: errors, buffers, options, endian, vvi_parallel. */
#include "support/support.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/endian.h"
#include "util/options.h"
#include "util/thread.h"

#include <dirent.h>
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

static void wrapping_puts_context_in_front_and_keeps_the_message(void **state)
{
    vv_error err = VV_ERROR_INIT;

    (void)state;
    vvi_fail(&err, VV_ECORRUPT, "no block %d", 7);
    assert_int_equal(vvi_wrap(&err, VV_ECORRUPT, "shard %d", 12), VV_ECORRUPT);
    assert_string_equal(err.message, "shard 12: no block 7");
    assert_int_equal(err.status, VV_ECORRUPT);
}

static void a_long_message_is_cut_and_terminated(void **state)
{
    vv_error err = VV_ERROR_INIT;
    char text[2000];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    vvi_fail(&err, VV_EINVAL, "%s", text);
    assert_int_equal(strlen(err.message), VV_ERROR_MESSAGE_SIZE - 1);
    vvi_wrap(&err, VV_EINVAL, "%s", text);
    assert_int_equal(strlen(err.message), VV_ERROR_MESSAGE_SIZE - 1);
}

static void errno_becomes_the_status_a_caller_can_act_on(void **state)
{
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_int_equal(vvi_fail_errno(&err, ENOENT, "open x"), VV_ENOTFOUND);
    assert_string_equal(err.message, "open x: No such file or directory");
    assert_int_equal(vvi_fail_errno(NULL, ENOSPC, "write"), VV_EIO);
    assert_int_equal(vvi_fail_errno(NULL, EACCES, "open"), VV_EAUTH);
}

static void a_range_is_cut_to_the_value(void **state)
{
    static const struct {
        vv_range range;
        uint64_t offset, count;
    } cases[] = {
        { { VV_RANGE_WHOLE, 0, 0 }, 0, 10 },
        { { VV_RANGE_FROM, 4, 0 }, 4, 6 },
        { { VV_RANGE_FROM, 11, 0 }, 10, 0 },
        { { VV_RANGE_SPAN, 2, 3 }, 2, 3 },
        { { VV_RANGE_SPAN, 8, 5 }, 8, 2 },
        { { VV_RANGE_SPAN, 8, UINT64_MAX }, 8, 2 },
        { { VV_RANGE_SPAN, UINT64_MAX, 1 }, 10, 0 },
        { { VV_RANGE_LAST, 0, 3 }, 7, 3 },
        { { VV_RANGE_LAST, 0, 30 }, 0, 10 },
        { { VV_RANGE_LAST, 0, 0 }, 10, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t offset;
        uint64_t count;

        vvi_range_resolve(cases[i].range, 10, &offset, &count);
        assert_int_equal(offset, cases[i].offset);
        assert_int_equal(count, cases[i].count);
    }
}

static int releases;

static void count_release(void *owner)
{
    (void)owner;
    releases++;
}

static void borrowed_bytes_are_cut_in_place_and_copied_when_appended_to(void **state)
{
    static const uint8_t lent[] = "0123456789";
    vv_error err = VV_ERROR_INIT;
    vv_buf buf = VV_BUF_INIT;

    (void)state;
    releases = 0;
    vvi_buf_lend(&buf, lent, 10, count_release, NULL);
    assert_vv_ok(vvi_buf_cut(&buf, VV_RANGE_OF(3, 4), &err));
    assert_ptr_equal(buf.data, lent + 3);
    assert_int_equal(releases, 0);
    assert_vv_ok(vvi_buf_append_text(&buf, "ab", &err));
    assert_int_equal(releases, 1);
    assert_int_equal(buf.len, 6);
    assert_memory_equal(buf.data, "3456ab", 6);
    vv_buf_clear(&buf);
    vv_buf_clear(&buf);
    assert_int_equal(releases, 1);
}

typedef struct sample_options {
    size_t struct_size;
    uint32_t a;
    uint32_t b;
} sample_options;

static void options_of_older_and_newer_callers_are_read(void **state)
{
    struct {
        sample_options known;
        uint64_t unknown;
    } newer = { { sizeof(newer), 1, 2 }, 0 };
    sample_options out;
    sample_options older = { offsetof(sample_options, b), 5, 6 };
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_vv_ok(vvi_read_options(&out, sizeof(out), NULL, &err));
    assert_int_equal(out.a, 0);
    assert_vv_ok(vvi_read_options(&out, sizeof(out), &older, &err));
    assert_int_equal(out.a, 5);
    assert_int_equal(out.b, 0);
    assert_vv_ok(vvi_read_options(&out, sizeof(out), &newer, &err));
    assert_int_equal(out.b, 2);
    newer.unknown = 1;
    assert_int_equal(vvi_read_options(&out, sizeof(out), &newer, &err), VV_EUNSUPPORTED);
    older.struct_size = 0;
    assert_int_equal(vvi_read_options(&out, sizeof(out), &older, &err), VV_EINVAL);
}

static void results_fit_structs_of_older_and_newer_callers(void **state)
{
    struct {
        sample_options known;
        uint64_t unknown;
    } newer = { { sizeof(newer), 0, 0 }, 7 };
    const sample_options made = { sizeof(made), 1, 2 };
    sample_options older = { offsetof(sample_options, b), 0, 5 };
    sample_options unset = { 0, 0, 0 };
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_vv_ok(vvi_check_result(&older, &err));
    vvi_write_result(&older, &made, sizeof(made));
    assert_int_equal(older.struct_size, offsetof(sample_options, b));
    assert_int_equal(older.a, 1);
    assert_int_equal(older.b, 5); /* which it does not have */
    assert_vv_ok(vvi_check_result(&newer, &err));
    vvi_write_result(&newer, &made, sizeof(made));
    assert_int_equal(newer.known.struct_size, sizeof(newer));
    assert_int_equal(newer.known.b, 2);
    assert_int_equal(newer.unknown, 7);
    assert_int_equal(vvi_check_result(&unset, &err), VV_EINVAL);
    unset.struct_size = SIZE_MAX; /* never set */
    assert_int_equal(vvi_check_result(&unset, &err), VV_EINVAL);
}

static void integers_are_read_in_their_stated_order(void **state)
{
    uint8_t bytes[8];

    (void)state;
    vvi_put_be32(bytes, 0x01020304u);
    assert_memory_equal(bytes, "\1\2\3\4", 4);
    assert_int_equal(vvi_get_le32(bytes), 0x04030201u);
    vvi_put_le64(bytes, 0x0102030405060708u);
    assert_int_equal(vvi_get_be64(bytes), 0x0807060504030201u);
}

static vv_status mark(void *ctx, size_t i, vv_error *err)
{
    (void)err;
    ((uint8_t *)ctx)[i]++;
    return VV_OK;
}

static vv_status fail_at_500(void *ctx, size_t i, vv_error *err)
{
    (void)ctx;
    return i == 500 ? vvi_fail(err, VV_EIO, "item %zu", i) : VV_OK;
}

static void parallel_work_is_done_once_each_and_reports_its_failure(void **state)
{
    uint8_t seen[1000] = { 0 };
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_vv_ok(vvi_parallel(4, 1000, mark, seen, &err));
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(seen[i], 1);
    assert_int_equal(vvi_parallel(4, 1000, fail_at_500, NULL, &err), VV_EIO);
    assert_string_equal(err.message, "item 500");
    assert_int_equal(vvi_parallel(1, 1000, fail_at_500, NULL, &err), VV_EIO);
    assert_vv_ok(vvi_parallel(4, 0, fail_at_500, NULL, &err));
}

static vv_status mark_from_inside(void *ctx, size_t i, vv_error *err)
{
    return vvi_parallel(3, 10, mark, (uint8_t *)ctx + 10 * i, err);
}

static void *call_again_and_again(void *ctx)
{
    (void)ctx;
    for (size_t call = 0; call < 200; call++) {
        uint8_t seen[100] = { 0 };
        vv_error err = VV_ERROR_INIT;

        if (vvi_parallel(4, 10, mark_from_inside, seen, &err))
            return "a call failed";
        for (size_t i = 0; i < sizeof(seen); i++)
            if (seen[i] != 1)
                return "an item was not done once";
    }
    return NULL;
}

static void parallel_calls_go_on_beside_and_within_each_other(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_again_and_again, NULL),
                         0);
    for (size_t i = 0; i < 4; i++) {
        void *complaint;

        pthread_join(threads[i], &complaint);
        if (complaint)
            fail_msg("%s", (const char *)complaint);
    }
}

static size_t count_threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    size_t count = 0;

    if (!dir)
        skip();
    for (const struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static void threads_of_parallel_calls_are_used_again(void **state)
{
    uint8_t seen[100];
    vv_error err = VV_ERROR_INIT;
    size_t before;

    (void)state;
    assert_vv_ok(vvi_parallel(4, sizeof(seen), mark, seen, &err));
    before = count_threads();
    for (size_t call = 0; call < 500; call++)
        assert_vv_ok(vvi_parallel(4, sizeof(seen), mark, seen, &err));
    assert_int_equal(count_threads(), before);
}

/* In the child there are no helpers to wait for. */
static void a_child_of_a_fork_has_threads_of_its_own(void **state)
{
    vv_error err = VV_ERROR_INIT;
    uint8_t seen[100] = { 0 };
    int status;
    pid_t child;

    (void)state;
#if defined(__SANITIZE_THREAD__)
    skip(); /* it follows no child of a process with threads that starts threads */
#endif
    assert_vv_ok(vvi_parallel(4, sizeof(seen), mark, seen, &err));
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(20);
        _exit(call_again_and_again(NULL) ? 1 : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_vv_ok(vvi_parallel(4, sizeof(seen), mark, seen, &err));
}

static vv_status build_a_buffer(void *ctx)
{
    vv_buf buf = VV_BUF_INIT;
    vv_status status = VV_OK;

    (void)ctx;
    for (int i = 0; i < 200 && !status; i++)
        status = vvi_buf_printf(&buf, NULL, "line %d\n", i);
    vv_buf_clear(&buf);
    return status;
}

static void a_buffer_survives_any_failing_allocation(void **state)
{
    (void)state;
    survives_failing_allocations(build_a_buffer, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrapping_puts_context_in_front_and_keeps_the_message),
        cmocka_unit_test(a_long_message_is_cut_and_terminated),
        cmocka_unit_test(errno_becomes_the_status_a_caller_can_act_on),
        cmocka_unit_test(a_range_is_cut_to_the_value),
        cmocka_unit_test(borrowed_bytes_are_cut_in_place_and_copied_when_appended_to),
        cmocka_unit_test(options_of_older_and_newer_callers_are_read),
        cmocka_unit_test(results_fit_structs_of_older_and_newer_callers),
        cmocka_unit_test(integers_are_read_in_their_stated_order),
        cmocka_unit_test(parallel_work_is_done_once_each_and_reports_its_failure),
        cmocka_unit_test(parallel_calls_go_on_beside_and_within_each_other),
        cmocka_unit_test(threads_of_parallel_calls_are_used_again),
        cmocka_unit_test(a_child_of_a_fork_has_threads_of_its_own),
        cmocka_unit_test(a_buffer_survives_any_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
