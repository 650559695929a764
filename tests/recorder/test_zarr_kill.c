/*
 * Writers of Zarr that are killed at random moments: the last root that was told, or the directory gone on with, holds
 * every row that a flush covered, and nothing that is not right.
 *
 * test_zarr_kill ROUNDS: so many kills of each kind; default 8.
 */
#include "recorder/zarr_place.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static vv_error err;
static unsigned rounds = 8;

/* What the writer tells: a root, or that all before a step is safe. */
typedef struct news {
    bool is_root;
    int64_t step;
    vv_cid root;
} news;

static void tell_root(void *ctx, const vv_cid *root)
{
    news told = { .is_root = true, .root = *root };

    if (write(*(int *)ctx, &told, sizeof(told)) != (ssize_t)sizeof(told))
        _exit(2);
}

static void record_forever(vv_store *store, int64_t from, int out)
{
    vv_recorder_options options = VV_RECORDER_OPTIONS_INIT;
    vv_schema *schema = contract_schema();
    vv_recorder *recorder = NULL;
    vv_node_kind there = VV_NODE_NONE;
    vv_status status = vv_node_kind_of(store, "run/1", &there, &err);

    options.flush_ms = 7;
    options.durability = VV_PROCESS;
    if (status)
        _exit(8);
    status = there ? vv_recorder_append_zarr(store, "run/1", NULL, -1, &options,
                                             tell_root, &out, &recorder, &err)
                   : vv_recorder_create_zarr(store, "run/1", schema, &options, tell_root,
                                             &out, &recorder, &err);
    if (status == VV_EINVAL) /* groups of a caller's own need their functions */
        status = vv_recorder_append_zarr(store, "run/1", schema, -1, &options, tell_root,
                                         &out, &recorder, &err);
    if (status) {
        fprintf(stderr, "writer: %s\n", err.message);
        _exit(3);
    }
    for (int64_t step = from;; step++) {
        news told = { .step = step + 1 };

        if (contract_log(recorder, step, &err))
            _exit(4);
        if (step % 13)
            continue;
        if (vv_recorder_flush(recorder, VV_PROCESS, 0, &err))
            _exit(5);
        if (write(out, &told, sizeof(told)) != (ssize_t)sizeof(told))
            _exit(6);
    }
}

/* One past the last step that the recording says it has. */
static int64_t next_step_of(vv_store *store)
{
    vv_buf attributes = VV_BUF_INIT;
    const char *at;
    int64_t step;

    assert_vv_ok(vv_node_attributes(store, "run/1", &attributes, &err));
    at = strstr((const char *)attributes.data, "\"next_step\": ");
    assert_non_null(at);
    step = strtoll(at + strlen("\"next_step\": "), NULL, 10);
    vv_buf_clear(&attributes);
    return step;
}

/* Start a writer, kill it after a while, and take in what it told; the step that is safe. */
static int64_t write_and_kill(vv_store *(*open)(void *ctx), void *ctx, int64_t from,
                              uint64_t *random, vv_cid *root, bool *has_root)
{
    unsigned us = 3000 + (unsigned)(next_random(random) % 150000);
    struct timespec wait = { 0, (long)us * 1000 };
    int64_t safe = from;
    int ends[2];
    int code;
    news told;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        vv_store *store;

        close(ends[0]);
        store = open(ctx);
        if (!store)
            _exit(7);
        record_forever(store, from, ends[1]);
    }
    close(ends[1]);
    nanosleep(&wait, NULL);
    kill(pid, SIGKILL);
    while (read(ends[0], &told, sizeof(told)) == (ssize_t)sizeof(told)) {
        if (told.is_root) {
            *root = told.root;
            *has_root = true;
        } else {
            safe = told.step;
        }
    }
    close(ends[0]);
    assert_int_equal(waitpid(pid, &code, 0), pid);
    if (!WIFSIGNALED(code))
        fail_msg("the writer ended by itself, with %d", WEXITSTATUS(code));
    return safe;
}

typedef struct kept_in {
    const char *directory;
    vv_cid *root; /* NULL: a new tree */
} kept_in;

static vv_blockstore *open_blocks(const char *directory)
{
    vv_local_options options = VV_LOCAL_OPTIONS_INIT;
    vv_blockstore *blocks = NULL;

    options.create = true;
    options.durability = VV_PROCESS;
    return vv_local_open(directory, &options, &blocks, &err) ? NULL : blocks;
}

static vv_store *open_tree(void *ctx)
{
    kept_in *self = ctx;
    vv_blockstore *blocks = open_blocks(self->directory);
    vv_store *store = NULL;

    if (!blocks || vv_hamt_store_open(blocks, self->root, NULL, &store, &err))
        store = NULL;
    vv_blockstore_free(blocks);
    return store;
}

static void the_last_root_told_has_every_row(void **state)
{
    vv_schema *schema = contract_schema();
    uint64_t random = 11;

    (void)state;
    for (unsigned round = 0; round < rounds; round++) {
        char *directory = make_directory();
        kept_in kept = { .directory = directory };
        int64_t from = 0;
        vv_cid root;
        bool has_root = false;

        for (int life = 0; life < 3; life++) {
            place at = { .has_root = true };
            int64_t safe = write_and_kill(open_tree, &kept, from, &random, &root,
                                          &has_root);

            if (!has_root)
                continue; /* killed before it had begun */
            at.root = root;
            at.blocks = open_blocks(directory);
            assert_non_null(at.blocks);
            vv_store *store = open_place(&at);
            from = next_step_of(store);
            vv_store_free(store);
            assert_true(from >= safe);
            contract_check(&zarr_in_blocks, &at, schema, from);
            vv_blockstore_free(at.blocks);
            kept.root = &root;
        }
        remove_directory(directory);
    }
    vv_schema_free(schema);
}

static vv_store *open_files(void *ctx)
{
    vv_store *store = NULL;

    return vv_directory_store_open(ctx, false, &store, &err) ? NULL : store;
}

static void a_directory_goes_on_with_every_row(void **state)
{
    vv_schema *schema = contract_schema();
    uint64_t random = 12;

    (void)state;
    for (unsigned round = 0; round < rounds; round++) {
        place at = { .directory = make_directory() };
        vv_cid root;
        bool has_root = false;
        int64_t from = 0;

        for (int life = 0; life < 3; life++) {
            vv_recorder_options options = VV_RECORDER_OPTIONS_INIT;
            int64_t safe = write_and_kill(open_files, at.directory, from, &random, &root,
                                          &has_root);
            vv_recorder *recorder = NULL;
            vv_node_kind there;
            vv_store *store = open_place(&at);

            assert_vv_ok(vv_node_kind_of(store, "run/1", &there, &err));
            vv_store_free(store);
            if (there == VV_NODE_NONE) {
                /* Killed before it had begun: what lies there is in the way of another. */
                assert_int_equal(safe, 0);
                break;
            }
            options.durability = VV_PROCESS;
            assert_vv_ok(
                zarr_in_directory.append(&at, schema, -1, &options, &recorder, &err));
            assert_vv_ok(vv_recorder_close(recorder, &err));
            store = open_place(&at);
            from = next_step_of(store);
            vv_store_free(store);
            assert_true(from >= safe);
            contract_check(&zarr_in_directory, &at, schema, from);
        }
        remove_directory(at.directory);
    }
    vv_schema_free(schema);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_root_told_has_every_row),
        cmocka_unit_test(a_directory_goes_on_with_every_row),
    };

    if (argc > 1)
        rounds = (unsigned)atoi(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
