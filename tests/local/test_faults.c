/* The n-th file call and the n-th allocation fail, for every n: acknowledged blocks stay. */
#include "local/numbers.h"

#include "util/error.h"
#include "util/fault.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define BLOCKS 70

static vv_error err;
static vv_durability durability;

/* What a run was told, by number. */
typedef struct promises {
    bool present[BLOCKS + 1]; /* a flush covered its put */
    bool absent[BLOCKS + 1];  /* a flush covered its deletion */
    bool asked[BLOCKS + 1];   /* since the last flush something was asked for it */
    bool unsure[BLOCKS +
                1]; /* a call failed: it may have been done, now or at the next flush */
} promises;

static uint8_t long_bytes[40000];

static vv_status put_long(vv_blockstore *store, vv_error *e)
{
    return vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3,
                             (vv_bytes){ long_bytes, sizeof(long_bytes) }, NULL, e);
}

static vv_status get_long(vv_blockstore *store, vv_error *e)
{
    vv_buf out = VV_BUF_INIT;
    vv_status status;
    vv_cid cid;

    if (vv_cid_of(&VV_PREFIX_RAW_BLAKE3, (vv_bytes){ long_bytes, sizeof(long_bytes) },
                  &cid, e))
        return VV_EIO;
    status = vv_blockstore_get(store, &cid, &out, e);
    if (!status)
        assert_memory_equal(out.data, long_bytes, sizeof(long_bytes));
    vv_buf_clear(&out);
    return status;
}

/* What was asked for since the last flush; applied to promises when a flush says yes. */
typedef struct asked {
    bool put[BLOCKS + 1];
    bool deleted[BLOCKS + 1];
} asked;

static void keep(promises *p, asked *a)
{
    for (unsigned n = 0; n <= BLOCKS; n++) {
        if (a->put[n] || a->deleted[n]) {
            p->present[n] = a->put[n];
            p->absent[n] = a->deleted[n];
        }
        p->asked[n] = false;
    }
    *a = (asked){ { false }, { false } };
}

static vv_status do_put(vv_blockstore *store, unsigned n, promises *p, asked *a,
                        vv_error *e)
{
    vv_status status;

    p->asked[n] = true;
    status = n == BLOCKS ? put_long(store, e) : put_number(store, n, e);
    if (!status) {
        a->put[n] = true;
        a->deleted[n] = false;
    } else {
        p->unsure[n] = true;
    }
    return status;
}

static vv_status do_delete(vv_blockstore *store, unsigned n, promises *p, asked *a,
                           vv_error *e)
{
    vv_cid cid = number_cid(n);
    vv_status status;

    p->asked[n] = true;
    status = vv_blockstore_delete(store, &cid, e);
    if (!status) {
        a->put[n] = false;
        a->deleted[n] = true;
    } else {
        p->unsure[n] = true;
    }
    return status;
}

static vv_status do_flush(vv_blockstore *store, promises *p, asked *a, vv_error *e)
{
    vv_status status = vv_blockstore_flush(store, e);

    if (!status)
        keep(p, a);
    return status;
}

static vv_status count_block(void *ctx, const vv_cid *cid, uint64_t size, vv_error *e)
{
    (void)cid;
    (void)size;
    (void)e;
    ++*(unsigned *)ctx;
    return VV_OK;
}

/* Everything a store does, in a fixed order; ends at the first failure. */
static vv_status work(vv_blockstore *store, promises *p, asked *a, vv_error *e)
{
    unsigned seen = 0;

    for (unsigned n = 0; n < 30; n++)
        VVI_TRY(do_put(store, n, p, a, e));
    VVI_TRY(do_flush(store, p, a, e));
    for (unsigned n = 0; n < 30; n += 2)
        VVI_TRY(do_delete(store, n, p, a, e));
    VVI_TRY(do_put(store, 2, p, a, e));
    VVI_TRY(do_put(store, BLOCKS, p, a, e)); /* the long one */
    VVI_TRY(get_long(store, e));
    for (unsigned n = 30; n < BLOCKS; n++)
        VVI_TRY(do_put(store, n, p, a, e));
    VVI_TRY(do_flush(store, p, a, e));
    VVI_TRY(get_number(store, 2, e));
    VVI_TRY(vv_local_compact(store, NULL, e));
    VVI_TRY(vv_blockstore_iterate(store, count_block, &seen, e));
    for (unsigned n = 60; n < BLOCKS; n++)
        VVI_TRY(do_delete(store, n, p, a, e));
    VVI_TRY(do_put(store, 61, p, a, e));
    return do_flush(store, p, a, e);
}

static vv_status open_here(const char *dir, vv_blockstore **out, vv_error *e)
{
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;

    opts.create = true;
    opts.segment_bytes = 3000;
    opts.buffer_bytes = 2000;
    opts.durability = durability;
    return vv_local_open(dir, &opts, out, e);
}

static void check_promises(vv_blockstore *store, const promises *p, const char *when)
{
    for (unsigned n = 0; n <= BLOCKS; n++) {
        vv_status status = n == BLOCKS ? get_long(store, &err)
                                       : get_number(store, n, &err);

        if (status != VV_OK && status != VV_ENOTFOUND)
            fail_msg("%s: block %u: %s", when, n, err.message);
        if (p->asked[n] || p->unsure[n])
            continue; /* asked for, not acknowledged: either is fine */
        if (p->present[n] && status)
            fail_msg("%s: block %u was acknowledged and is gone", when, n);
        if (p->absent[n] && !status)
            fail_msg("%s: block %u was deleted and is back", when, n);
    }
}

static vv_status note(void *ctx, const vv_fsck_finding *finding)
{
    snprintf(ctx, 300, "%s", finding->message);
    return VV_OK;
}

static void check_sound(const char *dir, const char *when)
{
    vv_fsck_options opts = VV_FSCK_OPTIONS_INIT;
    char finding[300] = "";

    opts.report = note;
    opts.ctx = finding;
    if (vv_local_fsck(dir, &opts, NULL, &err))
        fail_msg("%s: fsck: %s: %s", when, err.message, finding);
}

/* The scenario with a plan at work. False: the plan did not strike any more. */
static bool run_with(vvi_fault plan, const char *what)
{
    char *dir = make_directory();
    vv_blockstore *store = NULL;
    promises p = { .present = { false } };
    asked a = { { false }, { false } };
    bool struck;
    char when[200];
    vv_status status;

    snprintf(when, sizeof(when), "%s, call %u", what, (unsigned)plan.after);
    vvi_fault_plan(&plan);
    status = open_here(dir, &store, &err);
    if (!status)
        status = work(store, &p, &a, &err);
    struck = vvi_fault_plan(NULL) > 0;
    if (status && !struck)
        fail_msg("%s: %s", when, err.message);
    if (status)
        assert_true(err.message[0] != '\0');
    if (store) {
        /* the handle goes on, or says that it cannot */
        vv_error again = VV_ERROR_INIT;
        vv_status later = do_flush(store, &p, &a, &again);

        if (!later)
            check_promises(store, &p, when);
        else if (!strstr(again.message, "open the store again"))
            fail_msg("%s: and then %s", when, again.message);
        vv_blockstore_free(store);
        check_sound(dir, when);
    }
    if (open_here(dir, &store, &err))
        fail_msg("%s: cannot open again: %s", when, err.message);
    check_promises(store, &p, when);
    assert_vv_ok(put_number(store, 1000, &err));
    assert_vv_ok(vv_blockstore_flush(store, &err));
    assert_vv_ok(get_number(store, 1000, &err));
    vv_blockstore_free(store);
    check_sound(dir, when);
    remove_directory(dir);
    return struck;
}

static void fail_every_call(vvi_fault plan, const char *what, unsigned least)
{
    unsigned n = 0;

    for (plan.after = 0; run_with(plan, what); plan.after++)
        n++;
    if (n < least)
        fail_msg("%s: only %u calls", what, n);
}

static void any_call_may_fail_once(void **state)
{
    (void)state;
    fail_every_call((vvi_fault){ .calls = VVI_CALLS_ALL, .error_number = EIO }, "EIO",
                    200);
}

static void any_call_may_fail_and_all_after_it(void **state)
{
    (void)state;
    fail_every_call(
        (vvi_fault){ .calls = VVI_CALLS_ALL, .forever = true, .error_number = EIO },
        "EIO for ever", 200);
}

static void the_disk_may_be_full_from_any_write_on(void **state)
{
    uint32_t calls = VVI_CALL_BIT(VVI_CALL_WRITE) | VVI_CALL_BIT(VVI_CALL_ALLOCATE);

    (void)state;
    fail_every_call(
        (vvi_fault){ .calls = calls, .kind = VVI_FAULT_TORN, .error_number = ENOSPC },
        "ENOSPC", 30);
    fail_every_call((vvi_fault){ .calls = calls,
                                 .kind = VVI_FAULT_TORN,
                                 .forever = true,
                                 .error_number = ENOSPC },
                    "ENOSPC for ever", 30);
}

static void any_sync_may_fail(void **state)
{
    uint32_t calls = VVI_CALL_BIT(VVI_CALL_SYNC);

    (void)state;
    fail_every_call((vvi_fault){ .calls = calls, .error_number = EIO }, "sync", 10);
    fail_every_call((vvi_fault){ .calls = calls, .forever = true, .error_number = EIO },
                    "sync for ever", 10);
}

static void short_transfers_and_interruptions_do_no_harm(void **state)
{
    vvi_fault plan = { .calls = VVI_CALLS_ALL, .forever = true, .kind = VVI_FAULT_SHORT };

    (void)state;
    assert_true(run_with(plan, "short"));
    plan.kind = VVI_FAULT_INTERRUPT;
    assert_true(run_with(plan, "interrupted"));
}

static void the_same_without_waiting_for_the_disk(void **state)
{
    (void)state;
    durability = VV_PROCESS;
    fail_every_call((vvi_fault){ .calls = VVI_CALLS_ALL, .error_number = EIO }, "process",
                    150);
    durability = VV_DURABLE;
}

static void a_failed_sync_is_told_by_every_later_call(void **state)
{
    char *dir = make_directory();
    vvi_fault plan = { .calls = VVI_CALL_BIT(VVI_CALL_SYNC), .error_number = EIO };
    vv_blockstore *store;
    vv_blockstore *other;

    (void)state;
    assert_vv_ok(open_here(dir, &store, &err));
    assert_vv_ok(open_here(dir, &other, &err));
    assert_vv_ok(put_number(store, 1, &err));
    assert_vv_ok(vv_blockstore_flush(store, &err));
    assert_vv_ok(put_number(store, 2, &err));
    vvi_fault_plan(&plan);
    assert_int_equal(vv_blockstore_flush(store, &err), VV_EIO);
    assert_int_equal(vvi_fault_plan(NULL), 1);
    assert_int_equal(vv_blockstore_flush(store, &err), VV_EIO);
    assert_non_null(strstr(err.message, "open the store again"));
    assert_int_equal(put_number(store, 3, &err), VV_EIO);
    assert_vv_ok(get_number(store, 1, &err)); /* what was safe can be read */
    assert_int_equal(get_number(store, 2, &err), VV_ENOTFOUND);
    assert_vv_ok(put_number(other, 4, &err)); /* another handle goes on */
    assert_vv_ok(vv_blockstore_flush(other, &err));
    vv_blockstore_free(store);
    vv_blockstore_free(other);
    assert_vv_ok(open_here(dir, &store, &err));
    assert_vv_ok(get_number(store, 1, &err));
    assert_vv_ok(get_number(store, 4, &err));
    assert_int_equal(get_number(store, 2, &err), VV_ENOTFOUND);
    vv_blockstore_free(store);
    check_sound(dir, "after a failed sync");
    remove_directory(dir);
}

static vv_status allocating(void *ctx)
{
    char *dir = ctx;
    vv_blockstore *store = NULL;
    vv_fsck_options fsck = VV_FSCK_OPTIONS_INIT;
    promises p = { .present = { false } };
    asked a = { { false }, { false } };
    char command[600];
    vv_status status = open_here(dir, &store, NULL);

    if (!status)
        status = work(store, &p, &a, NULL);
    vv_blockstore_free(store);
    if (!status)
        status = vv_local_fsck(dir, &fsck, NULL, NULL);
    fsck.repair = true;
    if (!status)
        status = vv_local_fsck(dir, &fsck, NULL, NULL);
    store = NULL;
    if (!status)
        status = open_here(dir, &store, NULL);
    for (unsigned n = 30; n < 60 && !status; n++)
        status = get_number(store, n, NULL);
    vv_blockstore_free(store);
    snprintf(command, sizeof(command), "rm -rf %s/*", dir);
    assert_int_equal(system(command), 0);
    return status;
}

static void any_allocation_may_fail(void **state)
{
    char *dir = make_directory();

    (void)state;
    survives_failing_allocations(allocating, dir);
    remove_directory(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_transfers_and_interruptions_do_no_harm),
        cmocka_unit_test(a_failed_sync_is_told_by_every_later_call),
        cmocka_unit_test(any_call_may_fail_once),
        cmocka_unit_test(any_call_may_fail_and_all_after_it),
        cmocka_unit_test(the_disk_may_be_full_from_any_write_on),
        cmocka_unit_test(any_sync_may_fail),
        cmocka_unit_test(the_same_without_waiting_for_the_disk),
        cmocka_unit_test(any_allocation_may_fail),
    };

    use_fast_directory();
    for (size_t i = 0; i < sizeof(long_bytes); i++)
        long_bytes[i] = (uint8_t)(i * 7 + i / 256);
    watch_allocations();
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
