/*
 * Writers that are killed between chunks leave readable arrays, and processes that write
 * chunks of their own lose nothing of each other.
 *
 * test_array_crash ROUNDS: so many kills each; default 20.
 */
#include "zarr/squares.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static unsigned rounds = 20;

/* What a writer says of what it does, in memory that outlives it. */
typedef struct diary {
    uint32_t begun[SQUARES], done[SQUARES]; /* numbers that it writes; directory store */
    /* HAMT store: two slots, so that one is whole when it is killed while it writes the other. */
    struct {
        char root[VV_CID_TEXT_MAX];
        uint32_t values[SQUARES];
    } commits[2];
    uint32_t committed; /* how many; the last is in slot (committed - 1) % 2 */
} diary;

static diary *new_diary(void)
{
    diary *self = mmap(NULL, sizeof(*self), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(self != MAP_FAILED);
    return self;
}

static void note(uint32_t *where, uint32_t value)
{
    __atomic_store_n(where, value, __ATOMIC_SEQ_CST);
}

/* Let a writer work for a while, and kill it. */
static void run_and_kill(void (*work)(const char *, diary *, uint64_t), const char *dir,
                         diary *self, uint64_t *random)
{
    const struct timespec while_ = { 0, (long)(next_random(random) % 20000000) };
    uint64_t seed = next_random(random);
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        work(dir, self, seed);
    nanosleep(&while_, NULL);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status))
        fail_msg("the writer ended by itself: %x", status);
}

/* ---- directory store --------------------------------------------------------------------------- */

static void write_squares(const char *dir, diary *self, uint64_t seed)
{
    vv_store *store;
    vv_array *array;

    if (vv_directory_store_open(dir, false, &store, NULL) ||
        vv_array_open(store, "a", &array, NULL))
        _exit(2);
    for (;;) {
        unsigned square = (unsigned)(next_random(&seed) % SQUARES);
        uint32_t value = (uint32_t)next_random(&seed) | 1;

        note(&self->begun[square], value);
        if (write_square(array, square, value, NULL))
            _exit(3);
        note(&self->done[square], value);
    }
}

/* Every square holds what was acknowledged last, or what was being written. */
static void check_squares(const char *dir, diary *self)
{
    vv_error err = VV_ERROR_INIT;
    vv_store *store;
    vv_array *array;

    assert_vv_ok(vv_directory_store_open(dir, true, &store, &err));
    assert_vv_ok(vv_array_open(store, "a", &array, &err));
    for (unsigned i = 0; i < SQUARES; i++) {
        uint32_t found = read_square(array, i);

        if (found != self->done[i] && found != self->begun[i])
            fail_msg("square %u holds %u, not %u or %u", i, found, self->done[i],
                     self->begun[i]);
        self->done[i] = self->begun[i] = found;
    }
    vv_array_free(array);
    vv_store_free(store);
}

static void kill_writers_of(layout how)
{
    char *dir = make_directory();
    diary *self = new_diary();
    uint64_t random = 1;
    vv_error err = VV_ERROR_INIT;
    vv_store *store;
    vv_array *array;

    assert_vv_ok(vv_directory_store_open(dir, false, &store, &err));
    assert_vv_ok(make_squares(store, how, &array, &err));
    vv_array_free(array);
    vv_store_free(store);
    for (unsigned i = 0; i < rounds; i++) {
        run_and_kill(write_squares, dir, self, &random);
        check_squares(dir, self);
    }
    munmap(self, sizeof(*self));
    remove_directory(dir);
}

static void a_killed_writer_leaves_whole_chunks_in_a_directory(void **state)
{
    (void)state;
    kill_writers_of(CHUNKS);
}

static void a_killed_writer_leaves_whole_shards_in_a_directory(void **state)
{
    (void)state;
    kill_writers_of(SHARDS);
}

/* ---- HAMT in a local store --------------------------------------------------------------------- */

static vv_status open_root(const char *dir, const char *root_text, vv_blockstore **blocks,
                           vv_store **store, vv_error *err)
{
    vv_local_options options = VV_LOCAL_OPTIONS_INIT;
    vv_cid root;
    vv_status status;

    options.create = true;
    options.durability = VV_PROCESS;
    options.buffer_bytes = 20000;
    status = vv_local_open(dir, &options, blocks, err);
    if (!status && root_text)
        status = vv_cid_parse(root_text, &root, err);
    if (!status)
        status = vv_hamt_store_open(*blocks, root_text ? &root : NULL, NULL, store, err);
    return status;
}

/* Write a few squares, commit, say so; for ever. */
static void write_and_commit(const char *dir, diary *self, uint64_t seed)
{
    uint32_t values[SQUARES], last = (self->committed - 1) % 2;
    vv_blockstore *blocks;
    vv_store *store;
    vv_array *array;
    vv_cid root;

    memcpy(values, self->commits[last].values, sizeof(values));
    if (open_root(dir, self->commits[last].root, &blocks, &store, NULL) ||
        vv_array_open(store, "a", &array, NULL))
        _exit(2);
    for (;;) {
        uint32_t slot = self->committed % 2;

        for (uint64_t n = 1 + next_random(&seed) % 8; n > 0; n--) {
            unsigned square = (unsigned)(next_random(&seed) % SQUARES);

            values[square] = (uint32_t)next_random(&seed) | 1;
            if (write_square(array, square, values[square], NULL))
                _exit(3);
        }
        if (vv_store_commit(store, &root, NULL))
            _exit(4);
        memcpy(self->commits[slot].values, values, sizeof(values));
        vv_cid_format(&root, self->commits[slot].root);
        note(&self->committed, self->committed + 1);
    }
}

/* The root of the last commit holds what was written before it. */
static void check_commit(const char *dir, const diary *self)
{
    uint32_t last = (self->committed - 1) % 2;
    vv_error err = VV_ERROR_INIT;
    vv_blockstore *blocks;
    vv_store *store;
    vv_array *array;

    assert_vv_ok(open_root(dir, self->commits[last].root, &blocks, &store, &err));
    assert_vv_ok(vv_array_open(store, "a", &array, &err));
    for (unsigned i = 0; i < SQUARES; i++)
        assert_int_equal(read_square(array, i), self->commits[last].values[i]);
    vv_array_free(array);
    vv_store_free(store);
    vv_blockstore_free(blocks);
}

static void kill_committers_of(layout how)
{
    char *dir = make_directory();
    diary *self = new_diary();
    uint64_t random = 2;
    vv_error err = VV_ERROR_INIT;
    vv_blockstore *blocks;
    vv_store *store;
    vv_array *array;
    vv_cid root;

    assert_vv_ok(open_root(dir, NULL, &blocks, &store, &err));
    assert_vv_ok(make_squares(store, how, &array, &err));
    assert_vv_ok(vv_store_commit(store, &root, &err));
    vv_cid_format(&root, self->commits[0].root);
    self->committed = 1;
    vv_array_free(array);
    vv_store_free(store);
    vv_blockstore_free(blocks);
    for (unsigned i = 0; i < rounds; i++) {
        run_and_kill(write_and_commit, dir, self, &random);
        check_commit(dir, self);
    }
    assert_true(self->committed > 1);
    assert_vv_ok(vv_local_fsck(dir, NULL, NULL, &err));
    munmap(self, sizeof(*self));
    remove_directory(dir);
}

static void a_killed_writer_leaves_its_last_commit(void **state)
{
    (void)state;
    kill_committers_of(CHUNKS);
}

static void a_killed_writer_of_shards_leaves_its_last_commit(void **state)
{
    (void)state;
    kill_committers_of(SHARDS);
}

/* ---- several processes ------------------------------------------------------------------------- */

#define WRITERS 4
#define TURNS   20

/* Squares of its own; where there are shards, shards of its own: square 0 lies beside 1, 8 and 9. */
static unsigned owner_of(unsigned square, layout how)
{
    unsigned shard = square / ALONG / 2 * (ALONG / 2) + square % ALONG / 2;

    return (how == SHARDS ? shard : square) % WRITERS;
}

static void write_own(const char *dir, layout how, unsigned me)
{
    vv_store *store;
    vv_array *array;

    if (vv_directory_store_open(dir, false, &store, NULL) ||
        vv_array_open(store, "a", &array, NULL))
        _exit(2);
    for (unsigned turn = 1; turn <= TURNS; turn++)
        for (unsigned square = 0; square < SQUARES; square++)
            if (owner_of(square, how) == me &&
                write_square(array, square, turn * SQUARES + square, NULL))
                _exit(3);
    _exit(0);
}

static void share_a_directory(layout how)
{
    char *dir = make_directory();
    vv_error err = VV_ERROR_INIT;
    pid_t pids[WRITERS];
    vv_store *store;
    vv_array *array;

    assert_vv_ok(vv_directory_store_open(dir, false, &store, &err));
    assert_vv_ok(make_squares(store, how, &array, &err));
    for (unsigned i = 0; i < WRITERS; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0)
            write_own(dir, how, i);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        int status;

        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    for (unsigned i = 0; i < SQUARES; i++)
        assert_int_equal(read_square(array, i), TURNS * SQUARES + i);
    vv_array_free(array);
    vv_store_free(store);
    remove_directory(dir);
}

static void processes_that_write_chunks_of_their_own_lose_nothing(void **state)
{
    (void)state;
    share_a_directory(CHUNKS);
}

static void processes_that_write_shards_of_their_own_lose_nothing(void **state)
{
    (void)state;
    share_a_directory(SHARDS);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_writer_leaves_whole_chunks_in_a_directory),
        cmocka_unit_test(a_killed_writer_leaves_whole_shards_in_a_directory),
        cmocka_unit_test(a_killed_writer_leaves_its_last_commit),
        cmocka_unit_test(a_killed_writer_of_shards_leaves_its_last_commit),
        cmocka_unit_test(processes_that_write_chunks_of_their_own_lose_nothing),
        cmocka_unit_test(processes_that_write_shards_of_their_own_lose_nothing),
    };

    if (argc > 1)
        rounds = (unsigned)atoi(argv[1]);
    return cmocka_run_group_tests_name("crash", tests, NULL, NULL);
}
