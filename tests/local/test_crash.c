/*
 * Processes that are killed at random moments lose nothing that they had acknowledged, and
 * processes that share a store lose nothing of each other.
 *
 * test_local_crash ROUNDS: so many kills; default 20.
 */
#include "local/numbers.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
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

/* ---- kills ------------------------------------------------------------------------------- */

/* What a writer does with number n; number n − 3 goes away again when n ends in 5. */
static bool is_deleted_by(unsigned n)
{
    return n % 10 == 5;
}

static void write_forever(const char *dir, unsigned first, int acks, uint64_t seed)
{
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    vv_blockstore *store;
    unsigned batch = 1;

    opts.segment_bytes = 100000;
    opts.buffer_bytes = 3000;
    if (vv_local_open(dir, &opts, &store, &err))
        _exit(2);
    for (unsigned n = first;; n++) {
        vv_cid old = number_cid(n - 3);

        if (put_number(store, n, &err))
            _exit(3);
        if (is_deleted_by(n) && n >= first + 3 && vv_blockstore_delete(store, &old, &err))
            _exit(4);
        if (--batch)
            continue;
        batch = 1 + (unsigned)(next_random(&seed) % 40);
        if (vv_blockstore_flush(store, &err))
            _exit(5);
        if (next_random(&seed) % 50 == 0 && vv_local_compact(store, NULL, &err))
            _exit(6);
        if (write(acks, &n, sizeof(n)) != (ssize_t)sizeof(n))
            _exit(7);
    }
}

typedef struct writer {
    pid_t pid;
    int acks;
    unsigned first; /* of its numbers */
    unsigned acked; /* all before it were acknowledged */
} writer;

static void start_writer(writer *w, const char *dir, uint64_t seed)
{
    int ends[2];

    w->acked = w->first;
    assert_int_equal(pipe(ends), 0);
    w->pid = fork();
    assert_true(w->pid >= 0);
    if (w->pid == 0) {
        close(ends[0]);
        write_forever(dir, w->first, ends[1], seed);
    }
    close(ends[1]);
    w->acks = ends[0];
}

static void kill_writer(writer *w)
{
    unsigned n;
    int status;

    kill(w->pid, SIGKILL);
    while (read(w->acks, &n, sizeof(n)) == (ssize_t)sizeof(n))
        w->acked = n + 1;
    close(w->acks);
    assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
    if (WIFEXITED(status))
        fail_msg("the writer ended by itself: %d", WEXITSTATUS(status));
}

static void check_writer(vv_blockstore *store, const writer *w)
{
    for (unsigned n = w->first; n < w->acked; n++) {
        bool deleted = is_deleted_by(n + 3) && n + 3 < w->acked;
        bool may_be = is_deleted_by(n + 3) && !deleted;
        vv_status status = get_number(store, n, &err);

        if (status == VV_OK ? deleted : status != VV_ENOTFOUND || !(deleted || may_be))
            fail_msg("number %u (%u … %u acknowledged): %s", n, w->first, w->acked,
                     vv_status_name(status));
    }
}

static void check_and_fsck(const char *dir, const writer *writers, unsigned n)
{
    vv_blockstore *store = open_numbers(dir, NULL);
    vv_fsck_result result;

    for (unsigned i = 0; i < n; i++)
        check_writer(store, &writers[i]);
    vv_blockstore_free(store);
    if (vv_local_fsck(dir, NULL, &result, &err) || result.findings)
        fail_msg("fsck: %u findings, %s", (unsigned)result.findings, err.message);
}

/* Two writers; each round one of them, or both, are killed. The numbers go on from round to round. */
static void killed_writers_lose_nothing_acknowledged(void **state)
{
    char *dir = make_directory();
    uint64_t seed = (uint64_t)time(NULL);
    writer all[2] = { { .first = 1000, .acked = 1000 },
                      { .first = 100000000, .acked = 100000000 } };
    unsigned long blocks = 0;

    (void)state;
    vv_blockstore_free(open_numbers(dir, NULL));
    print_message("seed %llu\n", (unsigned long long)seed);
    for (unsigned round = 0; round < rounds; round++) {
        bool both = next_random(&seed) % 3 == 0;

        if (round % 25 == 24) { /* a check reads the whole store: begin a new one */
            remove_directory(dir);
            dir = make_directory();
            vv_blockstore_free(open_numbers(dir, NULL));
        }

        start_writer(&all[0], dir, next_random(&seed));
        if (both)
            start_writer(&all[1], dir, next_random(&seed));
        pause_us(2000 + (unsigned)(next_random(&seed) % 30000));
        kill_writer(&all[0]);
        if (both) {
            if (next_random(&seed) % 2) /* one goes on a while after the other's death */
                pause_us((unsigned)(next_random(&seed) % 10000));
            kill_writer(&all[1]);
        }
        check_and_fsck(dir, all, 2);
        for (unsigned i = 0; i < 2; i++) {
            blocks += all[i].acked - all[i].first;
            all[i].first = all[i].acked + 100;
            all[i].acked = all[i].first;
        }
    }
    print_message("%u kills, %lu numbers acknowledged\n", rounds, blocks);
    assert_true(blocks > rounds);
    remove_directory(dir);
}

/* ---- sharing ----------------------------------------------------------------------------- */

#define WRITERS 2
#define READERS 4
#define EACH    6000
#define EVERY   50
#define OTHER   1000000

typedef struct shared {
    unsigned acked[WRITERS]; /* atomic: numbers of that writer before it were flushed */
    unsigned done;           /* atomic: writers that ended */
    unsigned long read;      /* atomic */
} shared;

static void share_writing(const char *dir, shared *s, unsigned me)
{
    vv_blockstore *store = open_numbers(dir, NULL);

    for (unsigned n = 0; n < EACH; n++) {
        if (put_number(store, me * OTHER + n, &err))
            _exit(2);
        if (put_number(store, 5 * OTHER + n, &err)) /* both put these */
            _exit(3);
        if (n % EVERY == EVERY - 1) {
            if (vv_blockstore_flush(store, &err))
                _exit(4);
            __atomic_store_n(&s->acked[me], n + 1, __ATOMIC_RELEASE);
        }
    }
    vv_blockstore_free(store);
    __atomic_add_fetch(&s->done, 1, __ATOMIC_RELEASE);
    _exit(0);
}

static void share_reading(const char *dir, shared *s, uint64_t seed)
{
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;
    vv_blockstore *store;

    opts.read_only = true;
    store = open_numbers(dir, &opts);
    while (__atomic_load_n(&s->done, __ATOMIC_ACQUIRE) < WRITERS) {
        unsigned me = (unsigned)(next_random(&seed) % WRITERS);
        unsigned acked = __atomic_load_n(&s->acked[me], __ATOMIC_ACQUIRE);

        if (!acked) {
            pause_us(100);
            continue;
        }
        /* half the time the newest of all */
        unsigned n = next_random(&seed) % 2 ? acked - 1
                                            : (unsigned)(next_random(&seed) % acked);
        if (get_number(store, me * OTHER + n, &err))
            _exit(2);
        if (get_number(store, 5 * OTHER + n, &err))
            _exit(3);
        if (get_number(store, 7 * OTHER + n, &err) != VV_ENOTFOUND)
            _exit(4);
        __atomic_add_fetch(&s->read, 2, __ATOMIC_RELAXED);
    }
    vv_blockstore_free(store);
    _exit(0);
}

static void two_writers_and_four_readers_share_a_store(void **state)
{
    char *dir = make_directory();
    shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                     -1, 0);
    pid_t pids[WRITERS + READERS];
    vv_blockstore *store;
    vv_blockstore_stats stats;

    (void)state;
    assert_true(s != MAP_FAILED);
    vv_blockstore_free(open_numbers(dir, NULL));
    for (unsigned i = 0; i < WRITERS + READERS; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0 && i < WRITERS)
            share_writing(dir, s, i);
        if (pids[i] == 0)
            share_reading(dir, s, i);
    }
    for (unsigned i = 0; i < WRITERS + READERS; i++) {
        int status;

        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        if (!WIFEXITED(status) || WEXITSTATUS(status))
            fail_msg("process %u ended with %x", i, status);
    }
    assert_true(s->read > 0);
    print_message("%lu reads\n", s->read);
    store = open_numbers(dir, NULL);
    assert_vv_ok(vv_blockstore_stat(store, &stats, &err));
    assert_int_equal(stats.block_count, 3 * EACH);
    for (unsigned n = 0; n < EACH; n++) {
        assert_vv_ok(get_number(store, n, &err));
        assert_vv_ok(get_number(store, OTHER + n, &err));
        assert_vv_ok(get_number(store, 5 * OTHER + n, &err));
    }
    vv_blockstore_free(store);
    assert_vv_ok(vv_local_fsck(dir, NULL, NULL, &err));
    munmap(s, sizeof(*s));
    remove_directory(dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_writers_lose_nothing_acknowledged),
        cmocka_unit_test(two_writers_and_four_readers_share_a_store),
    };

    use_fast_directory();
    if (argc > 1)
        rounds = (unsigned)atoi(argv[1]);
    return cmocka_run_group_tests_name("crash", tests, NULL, NULL);
}
