/*
 * A recorder that is killed at random moments loses no row that a flush had covered: the file is read as it was
 * left, then repaired and read by plain libhdf5, or gone on with at once.
 *
 * test_hdf5_kill ROUNDS: so many kills; default 20.
 */
#include "hdf5/runs.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static vv_error err;
static unsigned rounds = 20;

static void pause_us(unsigned us)
{
    struct timespec t = { us / 1000000, (long)(us % 1000000) * 1000 };

    nanosleep(&t, NULL);
}

static void tell(int acks, int64_t next)
{
    if (write(acks, &next, sizeof(next)) != (ssize_t)sizeof(next))
        _exit(7);
}

static void fail_in_child(int code)
{
    fprintf(stderr, "child: %s\n", err.message);
    _exit(code);
}

/* Begin, or go on with what is there; log and flush; now and then close and go on. */
static void record_forever(const char *path, int64_t next, int acks, uint64_t seed)
{
    vv_schema *schema = run_schema();

    for (;;) {
        vv_recorder_options options = run_options(next_random(&seed) % 2 ? VV_DURABLE
                                                                         : VV_PROCESS);
        vv_recorder *recorder = NULL;
        unsigned flushes = 1 + (unsigned)(next_random(&seed) % 20);

        options.flush_ms = 1 + (uint32_t)(next_random(&seed) % 20);
        if (access(path, F_OK) != 0) {
            if (vv_recorder_create_hdf5(path, schema, &options, &recorder, &err))
                fail_in_child(2);
        } else if (vv_recorder_append_hdf5(path, NULL, next, &options, &recorder, &err)) {
            fail_in_child(3);
        }
        for (unsigned i = 0; i < flushes; i++) {
            int64_t end = next + 1 + (int64_t)(next_random(&seed) % 60);

            if (run_log_many(recorder, next, end, &err))
                fail_in_child(4);
            next = end;
            if (vv_recorder_flush(
                    recorder, next_random(&seed) % 4 ? VV_PROCESS : VV_DURABLE, 0, &err))
                fail_in_child(5);
            tell(acks, next);
        }
        if (vv_recorder_close(recorder, &err))
            fail_in_child(6);
        tell(acks, next);
    }
}

typedef struct tally {
    int64_t acked; /* one past the last step that a flush had covered */
    unsigned long rows, repaired, journals;
} tally;

static void run_and_kill(const char *path, tally *t, uint64_t *seed)
{
    int64_t next;
    int status, ends[2];
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        record_forever(path, t->acked, ends[1], next_random(seed));
    }
    close(ends[1]);
    pause_us(500 + (unsigned)(next_random(seed) % 40000));
    kill(child, SIGKILL);
    while (read(ends[0], &next, sizeof(next)) == (ssize_t)sizeof(next))
        t->acked = next;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status))
        fail_msg("the recorder ended by itself: %d", WEXITSTATUS(status));
}

static void look(const char *path, const tally *t, const char *how,
                 vv_status (*with)(const char *, int64_t *, vv_error *), int64_t *next)
{
    vv_status status = with(path, next, &err);

    if (status)
        fail_msg("%s: %s", how, err.message);
    if (*next < t->acked)
        fail_msg("%s: step %lld was acknowledged, and the file ends at %lld", how,
                 (long long)t->acked, (long long)*next);
}

static void repair(const char *path, tally *t, int64_t seen)
{
    vv_repair_report report = VV_REPAIR_REPORT_INIT, again = report;
    int64_t next;

    assert_vv_ok(vv_traj_repair(path, true, &report, &err));
    assert_false(report.changed);
    assert_vv_ok(vv_traj_repair(path, false, &report, &err));
    t->repaired += report.was_open;
    t->journals += report.journal;
    look(path, t, "repaired", run_look, &next);
    assert_int_equal(next, seen);
    look(path, t, "plainly", run_look_plainly, &next);
    assert_int_equal(next, seen);
    assert_vv_ok(vv_traj_repair(path, false, &again, &err));
    assert_false(again.was_open || again.changed);
}

static void killed_recorders_lose_nothing_acknowledged(void **state)
{
    char *dir = make_directory();
    uint64_t seed = (uint64_t)time(NULL);
    tally t = { 0, 0, 0, 0 };
    char path[600];
    unsigned file = 0;

    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    snprintf(path, sizeof(path), "%s/0.h5", dir);
    for (unsigned round = 0; round < rounds; round++) {
        int64_t next = 0;

        if (next_random(&seed) % 8 == 0 || t.acked > 20000) { /* begin a new one */
            t.acked = 0;
            unlink(path);
            snprintf(path, sizeof(path), "%s/%u.h5", dir, ++file);
        }
        run_and_kill(path, &t, &seed);
        if (access(path, F_OK) != 0) { /* before it had its name */
            assert_int_equal(t.acked, 0);
            continue;
        }
        look(path, &t, "as it was left", run_look, &next);
        if (next_random(&seed) % 2)
            repair(path, &t, next);
        t.rows += (unsigned long)(next - t.acked >= 0 ? t.acked : 0);
        t.acked = next;
    }
    print_message(
        "%u kills, %lu rows acknowledged and read, %lu files repaired, %lu of them by their "
        "journal\n",
        rounds, t.rows, t.repaired, t.journals);
    remove_directory(dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_recorders_lose_nothing_acknowledged),
    };

    run_in_memory();
    if (argc > 1)
        rounds = (unsigned)atoi(argv[1]);
    return cmocka_run_group_tests_name("hdf5/kill", tests, NULL, NULL);
}
