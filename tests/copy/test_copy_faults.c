/* Copies that fail, are stopped or are killed: what is left is whole arrays, and the next run
 * completes it. */
#include "copy_support.h"

#include "support/faulty_blockstore.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const arrays[] = { "time", "ocean/temp", "ocean/deep/salt", "scalar" };

/* Arrays that are at the target are as at the source; how many there are. */
static size_t assert_whole_arrays(vv_store *from, vv_store *to)
{
    size_t there = 0;

    for (size_t i = 0; i < HIERARCHY_ARRAYS; i++) {
        vv_node_kind kind = VV_NODE_NONE;
        vv_error err = VV_ERROR_INIT;

        assert_vv_ok(vv_node_kind_of(to, arrays[i], &kind, &err));
        if (kind == VV_NODE_NONE)
            continue;
        assert_same_array(from, arrays[i], to, arrays[i]);
        there++;
    }
    return there;
}

static vv_copy_options options_of(bool rechunk)
{
    vv_copy_options options = VV_COPY_OPTIONS_INIT;

    options.chunks = rechunk ? "time=7,lat=4" : NULL;
    options.codecs = rechunk ? "zstd:1" : NULL;
    options.memory_bytes = 16000;
    options.threads = 1;
    options.source_name = "the source of this test";
    return options;
}

/* ---- failing calls ------------------------------------------------------------------------------- */

typedef struct fault_case {
    vv_blockstore *blocks; /* faulty */
    vv_store *from;
    bool rechunk;
    bool sharded; /* what is copied into */
} fault_case;

/* Stores that want the document of an array before its chunks. */
static vv_status open_sharded(vv_blockstore *blocks, vv_store **out)
{
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;

    options.chunks_per_shard = 7;
    return vv_sharded_store_open(blocks, NULL, &options, out, NULL);
}

static vv_status copy_once(void *ctx)
{
    fault_case *self = ctx;
    vv_copy_options options = options_of(self->rechunk);
    vv_store *to = NULL;
    vv_status status = self->sharded
                           ? open_sharded(self->blocks, &to)
                           : vv_hamt_store_open(self->blocks, NULL, NULL, &to, NULL);
    vv_cid root;

    if (!status)
        status = vv_copy(self->from, "", to, "g", &options, NULL, NULL);
    if (!status)
        status = vv_store_commit(to, &root, NULL);
    vv_store_free(to);
    return status;
}

static void failing_memory_and_stores_leave_no_trace(void **state)
{
    vv_blockstore *memory = NULL;
    vv_error err = VV_ERROR_INIT;
    fault_case self;

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&memory, &err));
    self.blocks = faulty_blockstore_new(memory);
    self.from = new_hamt_store(memory, NULL);
    make_hierarchy(self.from, 3);
    commit(self.from);
    for (int i = 0; i < 4; i++) {
        self.rechunk = i % 2;
        self.sharded = i / 2;
        assert_int_equal(copy_once(&self), VV_OK); /* from here on all blocks are there */
        survives_failing_allocations(copy_once, &self);
        survives_failing_calls(self.blocks, VV_EIO, copy_once, &self);
    }
    vv_store_free(self.from);
    vv_blockstore_free(self.blocks);
    vv_blockstore_free(memory);
}

static vv_status diff_once(void *ctx)
{
    fault_case *self = ctx;
    vv_diff_options options = VV_DIFF_OPTIONS_INIT;
    vv_store *other = NULL;
    vv_cid root;
    vv_status status = vv_store_commit(self->from, &root, NULL);

    options.values = true;
    options.threads = 1;
    if (!status)
        status = vv_hamt_store_open(self->blocks, &root, NULL, &other, NULL);
    if (!status && self->rechunk)
        status = vv_diff(self->from, "ocean/temp", other, "ocean/deep/salt", &options,
                         NULL, NULL, NULL, NULL);
    else if (!status)
        status = vv_diff(self->from, "", other, "", &options, NULL, NULL, NULL, NULL);
    vv_store_free(other);
    return status;
}

static void failing_memory_and_stores_fail_a_comparison_cleanly(void **state)
{
    vv_blockstore *memory = NULL;
    vv_error err = VV_ERROR_INIT;
    fault_case self;

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&memory, &err));
    self.blocks = faulty_blockstore_new(memory);
    self.from = new_hamt_store(self.blocks, NULL);
    make_hierarchy(self.from, 3);
    commit(self.from);
    for (int other = 0; other < 2; other++) {
        self.rechunk = other;
        survives_failing_allocations(diff_once, &self);
        survives_failing_calls(self.blocks, VV_EIO, diff_once, &self);
    }
    vv_store_free(self.from);
    vv_blockstore_free(self.blocks);
    vv_blockstore_free(memory);
}

/* ---- stops --------------------------------------------------------------------------------------- */

static vv_status stop_at(void *ctx, const vv_progress *progress)
{
    (void)progress;
    return --*(int *)ctx < 0 ? VV_ECANCELED : VV_OK;
}

static void a_stopped_copy_is_taken_up_again(void **state)
{
    vv_store *from = new_memory_store();
    vv_copy_result result;
    vv_error err = VV_ERROR_INIT;

    (void)state;
    make_hierarchy(from, 3);
    for (int rechunk = 0; rechunk < 2; rechunk++) {
        vv_copy_options options = options_of(rechunk);
        vv_store *to = new_memory_store();
        int turns = 0;

        options.progress = stop_at;
        options.ctx = &turns;
        assert_int_equal(vv_copy(from, "", to, "", &options, &result, &err),
                         VV_ECANCELED);
        assert_true(assert_whole_arrays(from, to) < HIERARCHY_ARRAYS);
        assert_true(key_exists(to, ".varvite-copy"));
        options.progress = NULL;
        /* Neither unasked, nor from another source, nor with other changes. */
        assert_int_equal(vv_copy(from, "", to, "", &options, &result, &err), VV_EEXISTS);
        options.resume = true;
        options.source_name = "another source";
        assert_int_equal(vv_copy(from, "", to, "", &options, &result, &err), VV_EEXISTS);
        options = options_of(rechunk);
        options.resume = true;
        options.codecs = "gzip:1";
        assert_int_equal(vv_copy(from, "", to, "", &options, &result, &err), VV_EEXISTS);
        options = options_of(rechunk);
        options.resume = true;
        options.source_name = NULL;
        assert_int_equal(vv_copy(from, "", to, "", &options, &result, &err), VV_EINVAL);
        options = options_of(rechunk);
        options.resume = true;
        assert_vv_ok(vv_copy(from, "", to, "", &options, &result, &err));
        assert_int_equal(assert_whole_arrays(from, to), HIERARCHY_ARRAYS);
        assert_false(key_exists(to, ".varvite-copy"));
        /* And what is complete is not taken up. */
        assert_int_equal(vv_copy(from, "", to, "", &options, &result, &err), VV_EEXISTS);
        vv_store_free(to);
    }
    vv_store_free(from);
}

/* Documents lie ahead of their chunks there, so what they tell is not that an array is complete. */
static void a_stopped_copy_into_a_sharded_store_is_taken_up_again(void **state)
{
    vv_blockstore *blocks = NULL;
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&blocks, &err));
    for (int i = 0; i < 4; i++) {
        vv_store *from = i / 2 ? new_hamt_store(blocks, NULL) : new_memory_store();
        vv_copy_options options = options_of(i % 2);
        vv_copy_result result;
        vv_store *to = NULL;
        int turns = 0;

        make_hierarchy(from, 3);
        assert_vv_ok(open_sharded(blocks, &to));
        options.progress = stop_at;
        options.ctx = &turns;
        assert_int_equal(vv_copy(from, "", to, "g", &options, &result, &err),
                         VV_ECANCELED);
        options.progress = NULL;
        options.resume = true;
        assert_vv_ok(vv_copy(from, "", to, "g", &options, &result, &err));
        for (size_t k = 0; k < HIERARCHY_ARRAYS; k++) {
            char path[64];

            snprintf(path, sizeof(path), "g/%s", arrays[k]);
            assert_same_array(from, arrays[k], to, path);
        }
        assert_false(key_exists(to, "g/.varvite-copy"));
        vv_store_free(to);
        vv_store_free(from);
    }
    vv_blockstore_free(blocks);
}

/* ---- kills --------------------------------------------------------------------------------------- */

static vv_status die_at(void *ctx, const vv_progress *progress)
{
    (void)progress;
    if (--*(int *)ctx < 0)
        kill(getpid(), SIGKILL);
    return VV_OK;
}

/* A store whose n-th write from now on kills the process: between any two keys. */
static void copy_and_die(vv_store *from, const char *path, bool rechunk, int after);

static void a_killed_copy_leaves_whole_arrays(void **state)
{
    vv_store *from = new_memory_store();
    char *directory = make_directory();
    vv_error err = VV_ERROR_INIT;
    size_t partial = 0;

    (void)state;
    make_hierarchy(from, 3);
    for (int rechunk = 0; rechunk < 2; rechunk++)
        for (int after = 0; after < 140; after += 9) {
            vv_copy_options options = options_of(rechunk);
            char path[300];
            vv_store *to = NULL;
            vv_diff_result result;
            vv_diff_options how = VV_DIFF_OPTIONS_INIT;
            size_t there;
            vv_status status;

            snprintf(path, sizeof(path), "%s/%d-%d", directory, rechunk, after);
            copy_and_die(from, path, rechunk, after);
            assert_vv_ok(vv_directory_store_open(path, false, &to, &err));
            there = assert_whole_arrays(from, to);
            partial += there > 0 && there < HIERARCHY_ARRAYS;
            options.resume = true;
            status = vv_copy(from, "", to, "", &options, NULL, &err);
            if (status == VV_EEXISTS) /* it was complete */
                assert_false(key_exists(to, ".varvite-copy"));
            else
                assert_vv_ok(status);
            how.values = true;
            assert_vv_ok(vv_diff(from, "", to, "", &how, NULL, NULL, &result, &err));
            assert_true(result.same);
            assert_int_equal(assert_whole_arrays(from, to), HIERARCHY_ARRAYS);
            vv_store_free(to);
        }
    assert_true(partial > 3);
    vv_store_free(from);
    remove_directory(directory);
}

/* ---- a store that kills --------------------------------------------------------------------------- */

#include <varvite/store_backend.h>

typedef struct deadly {
    vv_store base;
    vv_store *inner;
    int left;
} deadly;

static vv_status deadly_get(vv_store *base, const char *key, vv_range range, vv_buf *out,
                            vv_error *err)
{
    return vv_store_get(((deadly *)base)->inner, key, range, out, err);
}

static vv_status deadly_set(vv_store *base, const char *key, vv_bytes value,
                            bool only_if_absent, vv_error *err)
{
    deadly *self = (deadly *)base;

    if (self->left-- == 0)
        kill(getpid(), SIGKILL);
    return only_if_absent ? vv_store_set_if_absent(self->inner, key, value, err)
                          : vv_store_set(self->inner, key, value, err);
}

static vv_status deadly_remove(vv_store *base, const char *key, vv_error *err)
{
    deadly *self = (deadly *)base;

    if (self->left-- == 0)
        kill(getpid(), SIGKILL);
    return vv_store_delete(self->inner, key, err);
}

static vv_status deadly_exists(vv_store *base, const char *key, bool *out, vv_error *err)
{
    return vv_store_exists(((deadly *)base)->inner, key, out, err);
}

static vv_status deadly_size(vv_store *base, const char *key, uint64_t *out,
                             vv_error *err)
{
    return vv_store_size(((deadly *)base)->inner, key, out, err);
}

static vv_status deadly_list(vv_store *base, const char *prefix, vv_key_fn visit,
                             void *ctx, vv_error *err)
{
    return vv_store_list(((deadly *)base)->inner, prefix, visit, ctx, err);
}

static void deadly_free(vv_store *base)
{
    (void)base;
}

static const vv_store_ops deadly_ops = { .name = "deadly",
                                         .get = deadly_get,
                                         .set = deadly_set,
                                         .remove = deadly_remove,
                                         .exists = deadly_exists,
                                         .size = deadly_size,
                                         .list = deadly_list,
                                         .free = deadly_free };

static void copy_and_die(vv_store *from, const char *path, bool rechunk, int after)
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        vv_copy_options options = options_of(rechunk);
        deadly target = { .left = after };
        int turns = 1000;

        options.progress = die_at;
        options.ctx = &turns;
        if (vv_directory_store_open(path, false, &target.inner, NULL))
            _exit(3);
        vv_store_base_init(&target.base, &deadly_ops, false);
        _exit(vv_copy(from, "", &target.base, "", &options, NULL, NULL) ? 4 : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ||
                (WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failing_memory_and_stores_leave_no_trace),
        cmocka_unit_test(failing_memory_and_stores_fail_a_comparison_cleanly),
        cmocka_unit_test(a_stopped_copy_is_taken_up_again),
        cmocka_unit_test(a_stopped_copy_into_a_sharded_store_is_taken_up_again),
        cmocka_unit_test(a_killed_copy_leaves_whole_arrays),
    };

    return cmocka_run_group_tests_name("copy_faults", tests, NULL, NULL);
}
