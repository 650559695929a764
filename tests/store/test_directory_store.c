/* The directory store keeps the contract; keys cannot leave it; every file call may fail. */
#include "store/contract.h"

#include "util/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int setup(void **state)
{
    store_fixture *fixture = calloc(1, sizeof(*fixture));

    *state = fixture;
    if (!fixture)
        return 1;
    fixture->held = make_directory();
    return vv_directory_store_open(fixture->held, false, &fixture->store, NULL) != VV_OK;
}

static int teardown(void **state)
{
    store_fixture *fixture = *state;

    vv_store_free(fixture->store);
    remove_directory(fixture->held);
    free(fixture);
    return 0;
}

static char *path_in(const store_fixture *fixture, const char *name)
{
    static char path[4096];

    snprintf(path, sizeof(path), "%s/%s", (char *)fixture->held, name);
    return path;
}

static void a_key_is_the_path_of_a_plain_file(void **state)
{
    store_fixture *fixture = *state;
    uint8_t *data;
    size_t len;

    set_text(fixture->store, "a/c/0", "value");
    data = read_file(path_in(fixture, "a/c/0"), &len);
    assert_int_equal(len, 5);
    assert_memory_equal(data, "value", 5);
    free(data);
    write_file(path_in(fixture, "a/c/1"), "foreign", 7);
    assert_text(fixture->store, "a/c/1", "foreign");
}

static void hostile_keys_cannot_leave_the_directory(void **state)
{
    static const char *const keys[] = {
        "../out",
        "a/../../out",
        "..",
        ".",
        "a/./b",
        "a//b",
        "a/..",
        "a/.varvite-1-2.partial",
        ".varvite-.partial",
    };
    store_fixture *fixture = *state;
    vv_error err = VV_ERROR_INIT;
    char long_key[300];

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        vv_buf out = VV_BUF_INIT;

        assert_int_equal(vv_store_set(fixture->store, keys[i], vv_bytes_of("x"), &err),
                         VV_EINVAL);
        assert_non_null(strstr(err.message, keys[i]));
        assert_int_equal(vv_store_get(fixture->store, keys[i], VV_RANGE_ALL, &out, &err),
                         VV_EINVAL);
        assert_int_equal(vv_store_delete(fixture->store, keys[i], &err), VV_EINVAL);
    }
    memset(long_key, 'x', sizeof(long_key) - 1);
    long_key[sizeof(long_key) - 1] = '\0';
    assert_int_equal(vv_store_set(fixture->store, long_key, vv_bytes_of("x"), &err),
                     VV_EINVAL);
}

static void a_key_and_a_directory_of_one_name_exclude_each_other(void **state)
{
    store_fixture *fixture = *state;
    vv_error err = VV_ERROR_INIT;

    set_text(fixture->store, "a", "value");
    assert_int_equal(vv_store_set(fixture->store, "a/b", vv_bytes_of("x"), &err),
                     VV_EINVAL);
    set_text(fixture->store, "d/b", "value");
    assert_int_equal(vv_store_set(fixture->store, "d", vv_bytes_of("x"), &err),
                     VV_EINVAL);
    assert_text(fixture->store, "a", "value");
    assert_listing(listing(fixture->store, ""), "a d/b");
}

static void what_is_no_value_is_not_listed(void **state)
{
    store_fixture *fixture = *state;

    set_text(fixture->store, "a/k", "value");
    write_file(path_in(fixture, "a/.varvite-1-2.partial"), "half", 4);
    write_file(path_in(fixture, "\xff\xfe"), "no UTF-8", 8);
    assert_int_equal(symlink("..", path_in(fixture, "a/up")), 0);
    assert_int_equal(symlink("k", path_in(fixture, "a/link")), 0);
    assert_int_equal(symlink("nowhere", path_in(fixture, "a/dangling")), 0);
    assert_listing(listing(fixture->store, ""), "a/k a/link");
    assert_listing(dir_listing(fixture->store, "a"), "k link");
}

static void empty_directories_go_with_their_last_key(void **state)
{
    store_fixture *fixture = *state;
    vv_error err = VV_ERROR_INIT;

    set_text(fixture->store, "a/b/c/d", "value");
    assert_vv_ok(vv_store_delete(fixture->store, "a/b/c/d", &err));
    assert_int_equal(access(path_in(fixture, "a"), F_OK), -1);
    assert_int_equal(access(fixture->held, F_OK), 0);
}

static void a_read_only_store_reads_and_refuses_changes(void **state)
{
    store_fixture *fixture = *state;
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;

    set_text(fixture->store, "k", "value");
    assert_vv_ok(vv_directory_store_open(fixture->held, true, &store, &err));
    assert_true(vv_store_is_read_only(store));
    assert_text(store, "k", "value");
    assert_int_equal(vv_store_set(store, "k", vv_bytes_of("x"), &err), VV_EREADONLY);
    assert_int_equal(vv_store_set_if_absent(store, "n", vv_bytes_of("x"), &err),
                     VV_EREADONLY);
    assert_int_equal(vv_store_delete(store, "k", &err), VV_EREADONLY);
    assert_int_equal(vv_store_delete_prefix(store, "", NULL, &err), VV_EREADONLY);
    assert_vv_ok(vv_store_flush(store, &err));
    vv_store_free(store);
}

static void opening_says_what_is_wrong(void **state)
{
    store_fixture *fixture = *state;
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;

    write_file(path_in(fixture, "file"), "x", 1);
    assert_int_equal(
        vv_directory_store_open(path_in(fixture, "file"), false, &store, &err),
        VV_EINVAL);
    assert_int_equal(
        vv_directory_store_open(path_in(fixture, "none"), true, &store, &err),
        VV_ENOTFOUND);
    assert_int_equal(vv_directory_store_open("", false, &store, &err), VV_EINVAL);
    assert_int_equal(
        vv_directory_store_open(path_in(fixture, "no/parent"), false, &store, &err),
        VV_ENOTFOUND);
    assert_vv_ok(vv_directory_store_open(path_in(fixture, "new//"), false, &store, &err));
    set_text(store, "k", "value");
    assert_listing(listing(store, ""), "k");
    vv_store_free(store);
}

/* A scenario of every kind of file call; what was there before is there after it. */
static vv_status replace_and_delete(vv_store *store)
{
    bool there;
    uint64_t size;
    vv_buf out = VV_BUF_INIT;

    VVI_TRY(vv_store_set(store, "a/new", vv_bytes_of("new"), NULL));
    VVI_TRY(vv_store_set(store, "a/old", vv_bytes_of("newer"), NULL));
    VVI_TRY(vv_store_exists(store, "a/new", &there, NULL));
    VVI_TRY(vv_store_size(store, "a/new", &size, NULL));
    VVI_TRY(vv_store_set_if_absent(store, "b/new", vv_bytes_of("new"), NULL));
    vv_status status = vv_store_get(store, "a/old", VV_RANGE_ALL, &out, NULL);
    vv_buf_clear(&out);
    VVI_TRY(status);
    VVI_TRY(vv_store_flush(store, NULL));
    return vv_store_delete_prefix(store, "b/", NULL, NULL);
}

static void a_failing_file_call_leaves_whole_values_only(void **state)
{
    static const enum vvi_fault_kind kinds[] = { VVI_FAULT_ERROR, VVI_FAULT_TORN,
                                                 VVI_FAULT_SHORT, VVI_FAULT_INTERRUPT };
    store_fixture *fixture = *state;
    vv_error err = VV_ERROR_INIT;

    for (size_t kind = 0; kind < 4; kind++) {
        uint64_t struck = 1;

        for (uint64_t n = 0; struck && n < 500; n++) {
            vvi_fault plan = { .calls = VVI_CALLS_ALL,
                               .after = n,
                               .kind = kinds[kind],
                               .error_number = n % 2 ? ENOSPC : EIO };
            vv_buf old = VV_BUF_INIT;
            vv_status status;
            char *keys;

            set_text(fixture->store, "a/old", "old");
            assert_vv_ok(vv_store_delete_prefix(fixture->store, "b/", NULL, &err));
            vvi_fault_plan(&plan);
            status = replace_and_delete(fixture->store);
            struck = vvi_fault_plan(NULL);
            if (!struck || kind > 1)
                assert_int_equal(status, VV_OK);
            else if (status)
                assert_int_equal(status, VV_EIO);
            assert_vv_ok(vv_store_get(fixture->store, "a/old", VV_RANGE_ALL, &old, &err));
            assert_true((old.len == 3 && memcmp(old.data, "old", 3) == 0) ||
                        (old.len == 5 && memcmp(old.data, "newer", 5) == 0));
            vv_buf_clear(&old);
            keys = listing(fixture->store, "");
            assert_non_null(strstr(keys, "a/old"));
            assert_null(strstr(keys, "partial"));
            free(keys);
        }
        assert_int_equal(struck, 0);
    }
}

static void a_file_of_boundless_length_is_not_read_at_once(void **state)
{
    store_fixture *fixture = *state;
    vv_error err = VV_ERROR_INIT;
    vv_buf out = VV_BUF_INIT;

    write_file(path_in(fixture, "sparse"), "begin", 5);
    assert_int_equal(truncate(path_in(fixture, "sparse"), (off_t)1 << 40), 0);
    assert_int_equal(vv_store_get(fixture->store, "sparse", VV_RANGE_ALL, &out, &err),
                     VV_ELIMIT);
    assert_non_null(strstr(err.message, "sparse"));
    assert_vv_ok(vv_store_get(fixture->store, "sparse", VV_RANGE_OF(0, 5), &out, &err));
    assert_memory_equal(out.data, "begin", 5);
    vv_buf_clear(&out);
}

typedef struct writer {
    vv_store *store;
    char letter;
} writer;

/* Values of one letter each, in two lengths, all in one directory. */
static void *write_letters(void *ctx)
{
    const writer *self = ctx;
    char value[5000];

    memset(value, self->letter, sizeof(value));
    for (unsigned i = 0; i < 300; i++) {
        char key[16];

        snprintf(key, sizeof(key), "%c%u", self->letter, i);
        if (vv_store_set(self->store, key,
                         (vv_bytes){ (const uint8_t *)value, i % 2 ? 5000 : 100 }, NULL))
            return self->store;
    }
    return NULL;
}

static void two_handles_on_one_directory_keep_their_values_apart(void **state)
{
    store_fixture *fixture = *state;
    writer writers[] = { { fixture->store, 'a' }, { NULL, 'b' } };
    void *failed[2] = { NULL, NULL };
    pthread_t threads[2];
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_directory_store_open(fixture->held, false, &writers[1].store, &err));
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_letters, &writers[i]),
                         0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], &failed[i]);
    assert_null(failed[0]);
    assert_null(failed[1]);
    for (unsigned i = 0; i < 600; i++) {
        char letter = i % 2 ? 'b' : 'a';
        vv_buf out = VV_BUF_INIT;
        char key[16];

        snprintf(key, sizeof(key), "%c%u", letter, i / 2);
        assert_vv_ok(vv_store_get(fixture->store, key, VV_RANGE_ALL, &out, &err));
        assert_int_equal(out.len, i / 2 % 2 ? 5000 : 100);
        for (size_t k = 0; k < out.len; k++)
            assert_int_equal(out.data[k], letter);
        vv_buf_clear(&out);
    }
    vv_store_free(writers[1].store);
}

static void what_a_killed_writer_left_is_in_nobodys_way(void **state)
{
    store_fixture *fixture = *state;
    char name[64];

    /* Names that this process would come to, as after a restart under the same number. */
    for (unsigned i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), ".varvite-%ld-%u.partial", (long)getpid(), i);
        write_file(path_in(fixture, name), "torn", 4);
    }
    set_text(fixture->store, "key", "value");
    assert_text(fixture->store, "key", "value");
}

/* Make a file look as if it had been written two hours ago. */
static void make_old(const char *path)
{
    struct timespec times[2];

    assert_int_equal(clock_gettime(CLOCK_REALTIME, &times[0]), 0);
    times[0].tv_sec -= 7200;
    times[1] = times[0];
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool is_there(const store_fixture *fixture, const char *name)
{
    return access(path_in(fixture, name), F_OK) == 0;
}

static void stale_half_written_files_go_and_live_ones_stay(void **state)
{
    store_fixture *fixture = *state;
    vv_store *reader = NULL;
    vv_error err = VV_ERROR_INIT;
    int ends[2];
    char byte;
    int how;
    pid_t pid;

    set_text(fixture->store, "a/key", "value");
    write_file(path_in(fixture, ".varvite-1-1.partial"), "torn", 4);
    make_old(path_in(fixture, ".varvite-1-1.partial"));
    write_file(path_in(fixture, "a/.varvite-1-2.partial"), "torn", 4);
    make_old(path_in(fixture, "a/.varvite-1-2.partial"));
    write_file(path_in(fixture, "a/.varvite-1-3.partial"), "fresh", 5);
    write_file(path_in(fixture, "a/.varvite-1-4.partial"), "held", 4);
    make_old(path_in(fixture, "a/.varvite-1-4.partial"));
    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0) { /* a slow writer */
        alarm(20);
        int fd = open(path_in(fixture, "a/.varvite-1-4.partial"), O_RDWR);

        (void)!write(ends[1], flock(fd, LOCK_EX) ? "n" : "y", 1);
        pause();
    }
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');

    assert_vv_ok(vv_directory_store_open(fixture->held, true, &reader, &err));
    assert_listing(listing(reader, ""), "a/key");
    vv_store_free(reader);
    assert_true(
        is_there(fixture, ".varvite-1-1.partial")); /* who only reads removes nothing */
    assert_listing(listing(fixture->store, ""), "a/key");
    assert_false(is_there(fixture, ".varvite-1-1.partial"));
    assert_false(is_there(fixture, "a/.varvite-1-2.partial"));
    assert_true(is_there(fixture, "a/.varvite-1-3.partial"));
    assert_true(is_there(fixture, "a/.varvite-1-4.partial"));
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_listing(dir_listing(fixture->store, "a"), "key");
    assert_false(is_there(fixture, "a/.varvite-1-4.partial"));
    assert_true(is_there(fixture, "a/.varvite-1-3.partial"));
    close(ends[0]);
    close(ends[1]);
}

static unsigned seen_held; /* counted by look_at_partial() */

/* While the value is written the file has a name of its own; right after the renaming, the key's. */
static void look_at_partial(void *ctx, const vvi_file_event *event)
{
    const store_fixture *fixture = ctx;
    char pattern[4096];
    glob_t found;
    int fd;

    if (event->kind == VVI_EVENT_RENAME)
        snprintf(pattern, sizeof(pattern), "%s/key", (char *)fixture->held);
    else if (event->kind == VVI_EVENT_WRITE)
        snprintf(pattern, sizeof(pattern), "%s/.varvite-%ld-*.partial",
                 (char *)fixture->held, (long)getpid());
    else
        return;
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    fd = open(found.gl_pathv[0], O_RDWR);
    assert_true(fd >= 0);
    assert_true(flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK);
    seen_held++;
    close(fd);
    globfree(&found);
}

static void a_writer_holds_its_half_written_file_until_it_is_in_place(void **state)
{
    store_fixture *fixture = *state;

    seen_held = 0;
    vvi_file_listen(look_at_partial, fixture);
    set_text(fixture->store, "key", "value");
    vvi_file_listen(NULL, NULL);
    assert_int_equal(seen_held, 2);
}

int main(void)
{
#define OWN(function_) cmocka_unit_test_setup_teardown(function_, setup, teardown)
    const struct CMUnitTest tests[] = {
        OWN(a_key_is_the_path_of_a_plain_file),
        OWN(hostile_keys_cannot_leave_the_directory),
        OWN(a_key_and_a_directory_of_one_name_exclude_each_other),
        OWN(what_is_no_value_is_not_listed),
        OWN(empty_directories_go_with_their_last_key),
        OWN(a_read_only_store_reads_and_refuses_changes),
        OWN(opening_says_what_is_wrong),
        OWN(a_failing_file_call_leaves_whole_values_only),
        OWN(a_file_of_boundless_length_is_not_read_at_once),
        OWN(two_handles_on_one_directory_keep_their_values_apart),
        OWN(what_a_killed_writer_left_is_in_nobodys_way),
        OWN(stale_half_written_files_go_and_live_ones_stay),
        OWN(a_writer_holds_its_half_written_file_until_it_is_in_place),
    };
#undef OWN

    watch_allocations();
    return run_store_contract("directory", setup, teardown) |
           cmocka_run_group_tests(tests, NULL, NULL);
}
