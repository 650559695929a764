/* The embedded store with several handles at once, and after calls that failed half way. */
#include "local/numbers.h"

#include "util/fault.h"
#include "util/file.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static vv_error err;

static int set_up(void **state)
{
    *state = make_directory();
    return 0;
}

static int tear_down(void **state)
{
    (void)vvi_fault_plan(NULL);
    vvi_file_listen(NULL, NULL);
    remove_directory(*state);
    return 0;
}

static vv_bytes long_bytes(uint64_t seed, uint8_t *buffer, size_t len)
{
    for (size_t i = 0; i < len; i++)
        buffer[i] = (uint8_t)next_random(&seed);
    return (vv_bytes){ buffer, len };
}

static vv_status put_long(vv_blockstore *store, uint64_t seed, size_t len, vv_cid *cid)
{
    uint8_t *buffer = malloc(len);
    vv_status status = vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3,
                                         long_bytes(seed, buffer, len), cid, &err);

    free(buffer);
    return status;
}

static bool has(vv_blockstore *store, const vv_cid *cid)
{
    vv_buf out = VV_BUF_INIT;
    vv_status status = vv_blockstore_get(store, cid, &out, &err);

    if (status && status != VV_ENOTFOUND)
        fail_msg("%s", err.message);
    vv_buf_clear(&out);
    return status == VV_OK;
}

/* What the next process finds when all were killed now. */
static vv_blockstore *open_as_if_killed(const char *dir, char **copy)
{
    *copy = make_directory();
    copy_directory(dir, *copy);
    return open_numbers(*copy, NULL);
}

static void a_block_flushed_after_a_failed_new_segment_survives_a_kill(void **state)
{
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    vvi_fault fault = { .calls = VVI_CALL_BIT(VVI_CALL_WRITE),
                        .after = 1,
                        .kind = VVI_FAULT_ERROR,
                        .error_number = 28 };
    vv_blockstore *store;
    vv_blockstore *again;
    char *copy;

    opts.segment_bytes = 65536;
    store = open_numbers(*state, &opts);
    assert_vv_ok(put_number(store, 1, &err));
    assert_vv_ok(vv_blockstore_flush(store, &err));
    vvi_fault_plan(
        &fault); /* the header of the new segment is written, the block is not */
    assert_int_equal(put_long(store, 1, 65536, NULL), VV_EIO);
    assert_int_equal(vvi_fault_plan(NULL), 1);
    assert_vv_ok(put_number(store, 2, &err));
    assert_vv_ok(vv_blockstore_flush(store, &err));
    again = open_as_if_killed(*state, &copy);
    assert_vv_ok(get_number(again, 1, &err));
    assert_vv_ok(get_number(again, 2, &err));
    vv_blockstore_free(again);
    vv_blockstore_free(store);
    remove_directory(copy);
}

static void a_block_put_again_after_another_handle_deleted_it_is_there(void **state)
{
    vv_blockstore *a = open_numbers(*state, NULL);
    vv_blockstore *b = open_numbers(*state, NULL);
    vv_cid cid;

    assert_vv_ok(put_long(a, 1, 40000, &cid)); /* written at once, not in the index */
    assert_vv_ok(put_number(b, 1, &err));
    assert_vv_ok(vv_blockstore_flush(b, &err)); /* brings it into the index too */
    assert_vv_ok(vv_blockstore_flush(a, &err));
    assert_vv_ok(vv_blockstore_delete(b, &cid, &err));
    assert_vv_ok(vv_blockstore_flush(b, &err));
    assert_false(has(a, &cid));
    assert_vv_ok(put_long(a, 1, 40000, NULL));
    assert_vv_ok(vv_blockstore_flush(a, &err));
    vv_blockstore_free(a);
    assert_true(has(b, &cid));
    vv_blockstore_free(b);
}

static void what_another_handle_deleted_and_flushed_is_gone_before_our_flush(void **state)
{
    vv_blockstore *a = open_numbers(*state, NULL);
    vv_blockstore *b = open_numbers(*state, NULL);
    vv_cid cid;

    assert_vv_ok(put_long(a, 1, 40000, &cid));
    assert_vv_ok(vv_blockstore_delete(b, &cid, &err));
    assert_vv_ok(vv_blockstore_flush(b, &err));
    assert_vv_ok(put_long(a, 1, 40000, NULL));
    assert_vv_ok(vv_blockstore_flush(a, &err));
    assert_true(has(a, &cid));
    vv_blockstore_free(a);
    assert_true(has(b, &cid));
    vv_blockstore_free(b);
}

static void a_deletion_is_seen_through_an_index_that_was_replaced(void **state)
{
    vv_blockstore *a = open_numbers(*state, NULL);
    vv_blockstore *b = open_numbers(*state, NULL);
    vv_cid cid;

    assert_vv_ok(put_long(b, 1, 40000, &cid));
    assert_vv_ok(vv_blockstore_flush(b, &err));
    for (unsigned i = 0; i < 5000; i++)
        assert_vv_ok(put_number(a, i, &err));
    assert_vv_ok(vv_blockstore_flush(a, &err)); /* the index grows */
    assert_vv_ok(vv_blockstore_delete(a, &cid, &err));
    assert_vv_ok(vv_blockstore_flush(a, &err));
    assert_false(has(b, &cid));
    assert_vv_ok(put_long(b, 1, 40000, NULL));
    assert_vv_ok(vv_blockstore_flush(b, &err));
    assert_true(has(a, &cid));
    vv_blockstore_free(a);
    vv_blockstore_free(b);
}

static void blocks_that_another_handle_flushed_are_counted_once(void **state)
{
    vv_blockstore *a = open_numbers(*state, NULL);
    vv_blockstore *b = open_numbers(*state, NULL);
    vv_blockstore_stats stats;

    assert_vv_ok(put_long(a, 1, 40000, NULL));
    assert_vv_ok(put_number(b, 1, &err));
    assert_vv_ok(vv_blockstore_flush(b, &err));
    assert_vv_ok(vv_blockstore_stat(a, &stats, &err));
    assert_int_equal(stats.block_count, 2);
    assert_vv_ok(vv_blockstore_flush(a, &err));
    assert_vv_ok(vv_blockstore_stat(a, &stats, &err));
    assert_int_equal(stats.block_count, 2);
    vv_blockstore_free(a);
    vv_blockstore_free(b);
}

static void count_sync(void *ctx, const vvi_file_event *event)
{
    *(unsigned *)ctx += event->kind == VVI_EVENT_SYNC;
}

static void a_durable_flush_covers_a_block_that_a_lax_handle_stored(void **state)
{
    vv_local_options lax = VV_LOCAL_OPTIONS_INIT;
    static unsigned syncs;
    vv_blockstore *a;
    vv_blockstore *b;

    lax.durability = VV_PROCESS;
    vvi_file_listen(count_sync, &syncs);
    a = open_numbers(*state, &lax);
    b = open_numbers(*state, NULL);
    assert_vv_ok(put_number(a, 1, &err));
    assert_vv_ok(vv_blockstore_flush(a, &err));
    syncs = 0;
    assert_vv_ok(put_number(b, 1, &err));
    assert_vv_ok(vv_blockstore_flush(b, &err));
    assert_true(syncs > 0);
    vvi_file_listen(NULL, NULL);
    vv_blockstore_free(b);
    vv_blockstore_free(a);
}

static void a_lax_flush_waits_for_no_disk_however_much_was_put(void **state)
{
    vv_local_options lax = VV_LOCAL_OPTIONS_INIT;
    static unsigned syncs;
    vv_blockstore *store;
    char *copy;
    vv_cid cids[2];

    lax.durability = VV_PROCESS;
    store = open_numbers(*state, &lax);
    assert_vv_ok(put_number(store, 1, &err));
    assert_vv_ok(vv_blockstore_flush(store, &err));
    vvi_file_listen(count_sync, &syncs);
    syncs = 0;
    for (uint64_t i = 0; i < 2; i++)
        assert_vv_ok(put_long(store, i, (size_t)80 << 20, &cids[i]));
    assert_vv_ok(vv_blockstore_flush(store, &err));
    assert_int_equal(syncs, 0);
    vvi_file_listen(NULL, NULL);
    /* A process that ends without a word takes none of it with it. */
    vv_blockstore *next = open_as_if_killed(*state, &copy);
    for (size_t i = 0; i < 2; i++)
        assert_true(has(next, &cids[i]));
    vv_blockstore_free(next);
    remove_directory(copy);
    vv_blockstore_free(store);
}

/* Bytes of the disk that the first pack file takes, and its length. */
static void look_at_pack(const char *dir, uint64_t *taken, uint64_t *size)
{
    char path[512];
    struct stat st;

    snprintf(path, sizeof(path), "%s/pack-00000001", dir);
    assert_int_equal(stat(path, &st), 0);
    *taken = (uint64_t)st.st_blocks * 512;
    *size = (uint64_t)st.st_size;
}

static void space_set_aside_is_given_back_at_close(void **state)
{
    vv_blockstore *store = open_numbers(*state, NULL);
    uint64_t taken;
    uint64_t size;

    for (uint64_t i = 0; i < 5; i++)
        assert_vv_ok(put_long(store, i, (size_t)1 << 20, NULL));
    assert_vv_ok(vv_blockstore_flush(store, &err));
    look_at_pack(*state, &taken, &size);
    assert_true(size < (uint64_t)6 << 20);
    if (taken < size + ((uint64_t)1 << 20))
        print_message("nothing was set aside: the disk is nearly full, or cannot\n");
    vv_blockstore_free(store);
    look_at_pack(*state, &taken, &size);
    assert_in_range(size, (uint64_t)5 << 20, (uint64_t)6 << 20);
    assert_true(taken < size + ((uint64_t)1 << 20));
}

static void a_block_read_before_a_failed_sync_stays_readable(void **state)
{
    vv_blockstore *store = open_numbers(*state, NULL);
    vvi_fault fault = { .calls = VVI_CALL_BIT(VVI_CALL_SYNC),
                        .kind = VVI_FAULT_ERROR,
                        .error_number = 5 };
    vv_buf out = VV_BUF_INIT;
    uint8_t *want = malloc(100000);
    vv_cid cid;

    assert_vv_ok(put_long(store, 1, 100000, &cid));
    assert_vv_ok(vv_blockstore_get(store, &cid, &out, &err));
    vvi_fault_plan(&fault);
    assert_int_equal(vv_blockstore_flush(store, &err), VV_EIO);
    assert_int_equal(vvi_fault_plan(NULL), 1);
    (void)long_bytes(1, want, 100000);
    assert_memory_equal(out.data, want, 100000);
    vv_buf_clear(&out);
    vv_blockstore_free(store);
    free(want);
}

static void what_a_failed_sync_gave_up_does_not_come_back(void **state)
{
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    vvi_fault fault = { .calls = VVI_CALL_BIT(VVI_CALL_SYNC),
                        .kind = VVI_FAULT_ERROR,
                        .error_number = 5 };
    vv_blockstore *store;
    vv_blockstore *other;
    vv_cid first;
    vv_cid second;

    opts.segment_bytes = 65536;
    other = open_numbers(*state, &opts);
    store = open_numbers(*state, &opts);
    assert_vv_ok(put_long(store, 1, 40000, &first));
    assert_vv_ok(put_long(store, 2, 40000, &second)); /* in the next segment */
    vvi_fault_plan(&fault);
    assert_int_equal(vv_blockstore_flush(store, &err), VV_EIO);
    assert_int_equal(vvi_fault_plan(NULL), 1);
    assert_vv_ok(put_number(other, 1, &err));
    assert_vv_ok(vv_blockstore_flush(other, &err));
    assert_false(has(other, &first));
    assert_false(has(other, &second));
    vv_blockstore_free(store);
    vv_blockstore_free(other);
}

static void flushes_that_fail_half_way_do_not_fill_the_index(void **state)
{
    vv_blockstore *store = open_numbers(*state, NULL);
    unsigned n = 0;

    for (unsigned round = 0; round < 12; round++) {
        vvi_fault fault = { .calls = VVI_CALL_BIT(VVI_CALL_READ),
                            .kind = VVI_FAULT_ERROR,
                            .error_number = 5 };

        for (unsigned i = 0; i < 1300; i++)
            assert_vv_ok(put_number(store, n++, &err));
        fault.after = 3; /* the last part of the log */
        vvi_fault_plan(&fault);
        assert_int_equal(vv_blockstore_flush(store, &err), VV_EIO);
        vvi_fault_plan(NULL);
        assert_vv_ok(vv_blockstore_flush(store, &err));
    }
    for (unsigned i = 0; i < n; i++)
        assert_vv_ok(get_number(store, i, &err));
    vv_blockstore_free(store);
}

static void a_lost_last_pack_file_is_found_at_opening(void **state)
{
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    vv_fsck_options fsck = VV_FSCK_OPTIONS_INIT;
    vv_blockstore *store;
    char path[1024];
    vv_status status;

    opts.segment_bytes = 4096;
    store = open_numbers(*state, &opts);
    for (unsigned i = 0; i < 100; i++)
        assert_vv_ok(put_number(store, i, &err));
    assert_vv_ok(vv_blockstore_flush(store, &err));
    vv_blockstore_free(store);
    for (unsigned i = 99; i; i--) {
        snprintf(path, sizeof(path), "%s/pack-%08u", (char *)*state, i);
        if (unlink(path) == 0)
            break;
    }
    opts.create = false;
    status = vv_local_open(*state, &opts, &store, &err);
    if (!status) {
        status = get_number(store, 99, &err);
        vv_blockstore_free(store);
    }
    assert_int_equal(status, VV_ECORRUPT);
    assert_int_equal(vv_local_fsck(*state, NULL, NULL, &err), VV_ECORRUPT);
    fsck.repair = true;
    assert_vv_ok(vv_local_fsck(*state, &fsck, NULL, &err));
    opts.create = true;
    store = open_numbers(*state, &opts);
    assert_vv_ok(get_number(store, 0, &err));
    vv_blockstore_free(store);
}

static void blocks_in_many_pack_files_are_read_with_few_open(void **state)
{
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    struct rlimit all;
    struct rlimit few;
    vv_blockstore *store;

    opts.segment_bytes = 1024;
    store = open_numbers(*state, &opts);
    for (unsigned i = 0; i < 2000; i++)
        assert_vv_ok(put_number(store, i, &err));
    assert_vv_ok(vv_blockstore_flush(store, &err));
    vv_blockstore_free(store);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
    few = all;
    few.rlim_cur = 400;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    store = open_numbers(*state, &opts);
    for (unsigned i = 0; i < 2000; i++)
        assert_vv_ok(get_number(store, i * 7 % 2000, &err));
    vv_blockstore_free(store);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
}

static void a_child_of_a_fork_does_not_write_through_its_parents_handle(void **state)
{
    vv_blockstore *store = open_numbers(*state, NULL);
    int how;
    pid_t pid;

    assert_vv_ok(put_number(store, 1, &err));
    pid = fork();
    if (pid == 0) {
        vv_status status = vv_blockstore_flush(store, &err);

        vv_blockstore_free(store);
        _exit(status == VV_EINVAL ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_int_equal(how, 0);
    assert_vv_ok(vv_blockstore_flush(store, &err));
    assert_vv_ok(get_number(store, 1, &err));
    vv_blockstore_free(store);
}

static void a_reader_opens_a_store_whose_file_cannot_be_locked(void **state)
{
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    vvi_fault fault = { .calls = VVI_CALL_BIT(VVI_CALL_LOCK),
                        .kind = VVI_FAULT_ERROR,
                        .error_number = 9 }; /* as NFS answers who may only read */
    vv_blockstore *store = open_numbers(*state, NULL);

    assert_vv_ok(put_number(store, 1, &err));
    assert_vv_ok(vv_blockstore_flush(store, &err));
    vv_blockstore_free(store);
    opts.read_only = true;
    vvi_fault_plan(&fault);
    store = open_numbers(*state, &opts);
    assert_int_equal(vvi_fault_plan(NULL), 1);
    assert_vv_ok(get_number(store, 1, &err));
    vv_blockstore_free(store);
}

static void an_empty_block_is_read_where_no_file_can_be_mapped(void **state)
{
    vvi_fault fault = { .calls = VVI_CALL_BIT(VVI_CALL_MAP),
                        .forever = true,
                        .kind = VVI_FAULT_ERROR,
                        .error_number = 12 };
    vv_blockstore *store = open_numbers(*state, NULL);
    vv_buf out = VV_BUF_INIT;
    vv_cid cid;

    assert_vv_ok(vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3, (vv_bytes){ NULL, 0 },
                                   &cid, &err));
    assert_vv_ok(put_number(store, 1, &err));
    assert_vv_ok(vv_blockstore_flush(store, &err));
    vv_blockstore_free(store);
    store = open_numbers(*state, NULL);
    vvi_fault_plan(&fault);
    for (int i = 0; i < 100; i++) /* the first ones do not ask for a map */
        assert_vv_ok(get_number(store, 1, &err));
    assert_vv_ok(vv_blockstore_get(store, &cid, &out, &err));
    assert_true(vvi_fault_plan(NULL) > 0);
    assert_int_equal(out.len, 0);
    vv_buf_clear(&out);
    vv_blockstore_free(store);
}

static void copy_index(const char *from, const char *to)
{
    char source[1024];
    char target[1024];
    uint8_t *bytes;
    size_t len;

    snprintf(source, sizeof(source), "%s/index", from);
    snprintf(target, sizeof(target), "%s/index", to);
    bytes = read_file(source, &len);
    write_file(target, bytes, len);
    free(bytes);
}

/* One of those who open at once: 0 when it finds what was flushed. */
static int open_and_look(const char *dir, bool read_only)
{
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    vv_blockstore *store;
    vv_status status;

    opts.read_only = read_only;
    if (vv_local_open(dir, &opts, &store, &err))
        return 1;
    status = get_number(store, 2, &err);
    if (!read_only && !status)
        status = vv_blockstore_flush(store, &err);
    vv_blockstore_free(store);
    return status ? 2 : 0;
}

static void all_who_open_at_once_after_a_power_cut_find_what_was_flushed(void **state)
{
    char *old = make_directory();
    char *cut = make_directory();
    vv_blockstore *store = open_numbers(*state, NULL);

    assert_vv_ok(put_number(store, 1, &err));
    assert_vv_ok(vv_blockstore_flush(store, &err));
    copy_directory(*state, old); /* what of the index reaches the disk */
    assert_vv_ok(put_number(store, 2, &err));
    assert_vv_ok(vv_blockstore_flush(store, &err));
    copy_directory(*state, cut);
    for (unsigned round = 0; round < 25; round++) {
        enum {
            OPENERS = 6
        };
        pid_t pids[OPENERS];

        copy_index(old, cut);
        for (int i = 0; i < OPENERS; i++) {
            pids[i] = fork();
            if (pids[i] == 0)
                _exit(open_and_look(cut, i % 2));
        }
        for (int i = 0; i < OPENERS; i++) {
            int how;

            assert_int_equal(waitpid(pids[i], &how, 0), pids[i]);
            assert_int_equal(how, 0);
        }
    }
    vv_blockstore_free(store);
    remove_directory(old);
    remove_directory(cut);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_block_flushed_after_a_failed_new_segment_survives_a_kill),
        TEST(a_block_put_again_after_another_handle_deleted_it_is_there),
        TEST(what_another_handle_deleted_and_flushed_is_gone_before_our_flush),
        TEST(a_deletion_is_seen_through_an_index_that_was_replaced),
        TEST(blocks_that_another_handle_flushed_are_counted_once),
        TEST(a_durable_flush_covers_a_block_that_a_lax_handle_stored),
        TEST(what_a_failed_sync_gave_up_does_not_come_back),
        TEST(flushes_that_fail_half_way_do_not_fill_the_index),
        TEST(all_who_open_at_once_after_a_power_cut_find_what_was_flushed),
        TEST(blocks_in_many_pack_files_are_read_with_few_open),
        TEST(a_child_of_a_fork_does_not_write_through_its_parents_handle),
        TEST(a_reader_opens_a_store_whose_file_cannot_be_locked),
        TEST(an_empty_block_is_read_where_no_file_can_be_mapped),
        TEST(a_lost_last_pack_file_is_found_at_opening),
        TEST(a_lax_flush_waits_for_no_disk_however_much_was_put),
        TEST(space_set_aside_is_given_back_at_close),
        TEST(a_block_read_before_a_failed_sync_stays_readable),
    };

    return cmocka_run_group_tests_name("local, several", tests, NULL, NULL);
}
