#include "faults.h"

#include "util/fault.h"

#include <errno.h>
#include <unistd.h>

#define SCENARIOS_MAX 64
#define RUNS_MAX      100000 /* a loop that gets so far does not end */

/* ---- what scenarios share --------------------------------------------------------------------- */

const char *path_in(const world *w, const char *name)
{
    static char paths[2][512];
    static unsigned turn;
    char *path = paths[turn++ % 2];

    snprintf(path, sizeof(paths[0]), "%s/%s", w->directory, name);
    return path;
}

vv_bytes block_of(unsigned i)
{
    static uint8_t bytes[4096];
    size_t len = 1 + (i * 211u) % sizeof(bytes);

    for (size_t k = 0; k < len; k++)
        bytes[k] = (uint8_t)(i * 31u + k * 7u + (k >> 8));
    bytes[0] = (uint8_t)i;
    return (vv_bytes){ bytes, len };
}

vv_cid cid_of_block(unsigned i)
{
    vv_cid_prefix prefix = VV_PREFIX_RAW_BLAKE3;
    vv_cid cid;

    assert_int_equal(vv_cid_of(&prefix, block_of(i), &cid, NULL), VV_OK);
    return cid;
}

void assert_blocks(vv_blockstore *blocks, unsigned first, unsigned count)
{
    vv_buf out = VV_BUF_INIT;
    vv_error err = VV_ERROR_INIT;

    for (unsigned i = first; i < first + count; i++) {
        vv_cid cid = cid_of_block(i);
        vv_bytes want = block_of(i);

        assert_vv_ok(vv_blockstore_get(blocks, &cid, &out, &err));
        assert_int_equal(out.len, want.len);
        assert_memory_equal(out.data, want.data, want.len);
    }
    vv_buf_clear(&out);
}

vv_status put_blocks(vv_blockstore *blocks, unsigned first, unsigned count, vv_error *err)
{
    vv_cid_prefix prefix = VV_PREFIX_RAW_BLAKE3;
    vv_status status = VV_OK;

    for (unsigned i = first; i < first + count && status == VV_OK; i++)
        status = vv_blockstore_put(blocks, &prefix, block_of(i), NULL, err);
    return status;
}

/* ---- the loops -------------------------------------------------------------------------------- */

static vv_status run_once(const scenario *s, world *w, vv_error *err)
{
    return s->act(w, err);
}

static void set_up(const scenario *s, world *w)
{
    memset(w, 0, sizeof(*w));
    w->directory = make_directory();
    if (s->prepare)
        s->prepare(w);
}

static void tear_down(world *w)
{
#ifdef WITH_STORE
    vv_store_free(w->store);
#endif
    vv_blockstore_free(w->blocks);
    remove_directory(w->directory);
}

/* First without faults: what the library sets up once is set up, and the scenario is sound. */
static void run_without_faults(const scenario *s)
{
    vv_error err = VV_ERROR_INIT;
    world w;

    watch_allocations();
    set_up(s, &w);
    assert_vv_ok(run_once(s, &w, &err));
    s->check(&w);
    tear_down(&w);
}

static void every_allocation_may_fail(void **state)
{
    const scenario *s = *state;
    bool any = true;

    run_without_faults(s);
    for (size_t n = 0; any; n++) {
        size_t live = live_allocations();
        vv_error err = VV_ERROR_INIT;
        vv_status status;
        world w;

        set_up(s, &w);
        fail_allocation_after(n, false);
        status = run_once(s, &w, &err);
        any = stop_failing_allocations();
        if (status != VV_OK && (status != VV_ENOMEM || !any))
            fail_msg("allocation %zu failing gives %s: %s", n, vv_status_name(status),
                     err.message);
        s->check(&w);
        tear_down(&w);
        if (live_allocations() != live)
            fail_msg("allocation %zu failing leaves %zu allocations behind", n,
                     live_allocations() - live);
        assert_true(n < RUNS_MAX);
    }
}

/* The calls that a signal can interrupt. */
#define SLOW_CALLS                                                \
    (VVI_CALL_BIT(VVI_CALL_OPEN) | VVI_CALL_BIT(VVI_CALL_READ) |  \
     VVI_CALL_BIT(VVI_CALL_WRITE) | VVI_CALL_BIT(VVI_CALL_SYNC) | \
     VVI_CALL_BIT(VVI_CALL_TRUNCATE) | VVI_CALL_BIT(VVI_CALL_ALLOCATE))

/* A way for a file call to fail. */
typedef struct file_fault {
    const char *name;
    vvi_fault plan;
    bool harmless; /* the library must get over it */
} file_fault;

static const file_fault file_faults[] = {
    { "an I/O error",
      { .calls = VVI_CALLS_ALL, .kind = VVI_FAULT_ERROR, .error_number = EIO },
      false },
    { "a disk that is gone from then on",
      { .calls = VVI_CALLS_ALL,
        .kind = VVI_FAULT_ERROR,
        .error_number = EIO,
        .forever = true },
      false },
    { "a full disk from then on",
      { .calls = VVI_CALL_BIT(VVI_CALL_WRITE) | VVI_CALL_BIT(VVI_CALL_ALLOCATE),
        .kind = VVI_FAULT_ERROR,
        .error_number = ENOSPC,
        .forever = true },
      false },
    { "a torn write",
      { .calls = VVI_CALL_BIT(VVI_CALL_WRITE),
        .kind = VVI_FAULT_TORN,
        .error_number = EIO },
      false },
    { "a short transfer",
      { .calls = VVI_CALL_BIT(VVI_CALL_READ) | VVI_CALL_BIT(VVI_CALL_WRITE),
        .kind = VVI_FAULT_SHORT },
      true },
    { "an interrupted call", { .calls = SLOW_CALLS, .kind = VVI_FAULT_INTERRUPT }, true },
};

static void run_file_fault(const scenario *s, const file_fault *fault, uint64_t n,
                           bool *any)
{
    size_t live = live_allocations();
    vvi_fault plan = fault->plan;
    vv_error err = VV_ERROR_INIT;
    vv_status status;
    world w;

    plan.after = n;
    set_up(s, &w);
    vvi_fault_plan(&plan);
    status = run_once(s, &w, &err);
    *any = vvi_fault_plan(NULL) > 0;
    if (status != VV_OK && (!*any || fault->harmless || status != VV_EIO))
        fail_msg("%s at call %" PRIu64 " gives %s: %s", fault->name, n,
                 vv_status_name(status), err.message);
    if (status != VV_OK && !*err.message)
        fail_msg("%s at call %" PRIu64 " fails without a message", fault->name, n);
    s->check(&w);
    tear_down(&w);
    if (live_allocations() != live)
        fail_msg("%s at call %" PRIu64 " leaves %zu allocations behind", fault->name, n,
                 live_allocations() - live);
}

static void every_file_call_may_fail(void **state)
{
    const scenario *s = *state;

    run_without_faults(s);
    for (size_t i = 0; i < sizeof(file_faults) / sizeof(file_faults[0]); i++) {
        bool any = true;

        for (uint64_t n = 0; any; n++) {
            run_file_fault(s, &file_faults[i], n, &any);
            assert_true(n < RUNS_MAX);
        }
    }
}

/* ---- the table -------------------------------------------------------------------------------- */

static struct CMUnitTest tests[2 * SCENARIOS_MAX];
static size_t test_count;

static void add_test(const scenario *s, CMUnitTestFunction run, const char *what)
{
    char *name = NULL;

    if (test_count == sizeof(tests) / sizeof(tests[0]) ||
        asprintf(&name, "%s: %s", s->name, what) < 0)
        abort();
    tests[test_count++] = (struct CMUnitTest){ .name = name,
                                               .test_func = run,
                                               .initial_state = (void *)(uintptr_t)s };
}

static void add_scenarios(const scenario *list)
{
    for (const scenario *s = list; s->name; s++) {
        add_test(s, every_allocation_may_fail, "every allocation may fail");
        if (s->files)
            add_test(s, every_file_call_may_fail, "every file call may fail");
    }
}

int main(void)
{
    int failed;

#ifdef WITH_LOCAL
    add_scenarios(scenarios_local);
#endif
#ifdef WITH_HAMT
    add_scenarios(scenarios_hamt);
#endif
#ifdef WITH_STORE
    add_scenarios(scenarios_store);
#endif
#ifdef WITH_ZARR
    add_scenarios(scenarios_zarr);
#endif
#ifdef WITH_CAR
    add_scenarios(scenarios_car);
#endif
#ifdef WITH_COPY
    add_scenarios(scenarios_copy);
#endif
#ifdef WITH_DATASET
    add_scenarios(scenarios_dataset);
#endif
    failed = _cmocka_run_group_tests("faults", tests, test_count, NULL, NULL);
    for (size_t i = 0; i < test_count; i++)
        free((void *)(uintptr_t)tests[i].name);
    return failed;
}
