/* A map whose memory or whose block store fails: nothing is lost, nothing is half done. */
#include "hamt_support.h"

#define KEYS 60

typedef struct fault_case {
    vv_blockstore *store; /* faulty */
    vv_hamt_options options;
    vv_cid root; /* of a map with KEYS keys */
} fault_case;

static vv_status visit_nothing(void *ctx, vv_bytes key, const vv_cid *pointer,
                               vv_error *err)
{
    (void)key;
    (void)pointer;
    (void)err;
    ++*(uint64_t *)ctx;
    return VV_OK;
}

/* What every scenario ends with: the former root is whole. */
static void former_root_is_whole(const fault_case *self)
{
    vv_hamt *hamt = open_hamt(self->store, &self->root, &self->options);

    for (uint64_t i = 0; i < KEYS; i++)
        assert_key(hamt, i, (int64_t)i);
    vv_hamt_free(hamt);
}

/* All kinds of calls in a row; each failure must leave what came before. */
static vv_status everything(void *ctx)
{
    fault_case *self = ctx;
    vv_hamt *hamt = NULL;
    vv_buf outs[3] = { VV_BUF_INIT, VV_BUF_INIT, VV_BUF_INIT };
    vv_bytes keys[3] = { { (const uint8_t *)"k1", 2 },
                         { (const uint8_t *)"k2", 2 },
                         { (const uint8_t *)"n9", 2 } };
    uint64_t seen = 0;
    vv_cid root;
    vv_status status = vv_hamt_open(self->store, &self->root, &self->options, &hamt,
                                    NULL);

    for (uint64_t i = 0; i < 12 && !status; i++)
        status = vv_hamt_set(hamt, key_number(KEYS + i), value_number(i), NULL);
    if (!status)
        status = vv_hamt_set_many(hamt, keys, keys, 3, NULL, NULL);
    for (uint64_t i = 3; i < 30 && !status; i++)
        status = vv_hamt_delete(hamt, key_number(i), NULL);
    if (!status)
        status = vv_hamt_get(hamt, key_number(2), VV_RANGE_ALL, &outs[0], NULL);
    if (!status)
        status = vv_hamt_get_many(hamt, keys, 3, outs, NULL, NULL);
    if (!status)
        status = vv_hamt_iterate(hamt, (vv_bytes){ NULL, 0 }, visit_nothing, &seen, NULL);
    if (!status)
        status = vv_hamt_flush(hamt, &root, NULL);
    for (size_t i = 0; i < 3; i++)
        vv_buf_clear(&outs[i]);
    vv_hamt_free(hamt);
    return status;
}

static void setup_case(fault_case *self, size_t dirty_bytes)
{
    vv_blockstore *memory = new_memory();
    vv_hamt *hamt;

    memset(self, 0, sizeof(*self));
    self->store = faulty_blockstore_new(memory);
    vv_blockstore_free(memory);
    self->options = byte_options();
    self->options.max_bucket_size = 1;
    hamt = open_hamt(self->store, NULL, &self->options);
    for (uint64_t i = 0; i < KEYS; i++)
        set_key(hamt, i, i);
    self->root = flush_hamt(hamt);
    vv_hamt_free(hamt);
    self->options.dirty_bytes = dirty_bytes;
}

static void any_allocation_may_fail(void **state)
{
    fault_case self;
    uint64_t before;
    vv_blockstore_stats stats;

    (void)state;
    setup_case(&self, 0);
    /* The store keeps what a scenario puts; run it once so that later runs add nothing. */
    assert_int_equal(everything(&self), VV_OK);
    survives_failing_allocations(everything, &self);
    former_root_is_whole(&self);
    assert_int_equal(vv_blockstore_stat(self.store, &stats, NULL), VV_OK);
    before = stats.block_count;
    assert_true(before > 0);
    vv_blockstore_free(self.store);
}

static void any_allocation_may_fail_while_nodes_are_spilled(void **state)
{
    fault_case self;

    (void)state;
    setup_case(&self, 2000);
    assert_int_equal(everything(&self), VV_OK);
    survives_failing_allocations(everything, &self);
    former_root_is_whole(&self);
    vv_blockstore_free(self.store);
}

static void any_call_of_the_store_may_fail(void **state)
{
    fault_case self;

    (void)state;
    for (size_t dirty = 0; dirty <= 2000; dirty += 2000) {
        setup_case(&self, dirty);
        assert_int_equal(everything(&self), VV_OK);
        survives_failing_calls(self.store, VV_EIO, everything, &self);
        former_root_is_whole(&self);
        vv_blockstore_free(self.store);
    }
}

/* One map goes on after each failure; in the end it holds what a map without failures holds. */
static void a_map_goes_on_after_failures(void **state)
{
    fault_case self;
    int64_t values[KEYS];
    vv_error err = VV_ERROR_INIT;
    uint64_t random = 5;
    vv_hamt *hamt;
    vv_cid root;
    vv_cid right;
    size_t failures = 0;

    (void)state;
    setup_case(&self, 2500);
    self.options.clean_cache_bytes = 1;
    hamt = open_hamt(self.store, &self.root, &self.options);
    for (uint64_t i = 0; i < KEYS; i++)
        values[i] = (int64_t)i;
    for (uint64_t turn = 0; turn < 1500; turn++) {
        uint64_t k = next_random(&random) % KEYS;
        bool set = next_random(&random) % 2;
        vv_status status;

        faulty_fail_after(self.store, next_random(&random) % 6, VV_EIO, turn % 3 == 0);
        status = set ? vv_hamt_set(hamt, key_number(k), value_number(turn), &err)
                     : vv_hamt_delete(hamt, key_number(k), &err);
        if (turn % 10 == 0)
            failures += vv_hamt_flush(hamt, &root, &err) != VV_OK;
        faulty_stop(self.store);
        if (status == VV_OK)
            values[k] = set ? (int64_t)turn : -1;
        else if (status == VV_ENOTFOUND)
            assert_true(values[k] < 0);
        else {
            assert_int_equal(status, VV_EIO);
            failures++;
        }
        assert_key(hamt, k, values[k]);
    }
    assert_true(failures > 100);
    for (uint64_t i = 0; i < KEYS; i++)
        assert_key(hamt, i, values[i]);
    root = flush_hamt(hamt);
    self.options.dirty_bytes = 0;
    right = fresh_root(values, KEYS, &self.options);
    assert_same_cid(&root, &right);
    vv_hamt_free(hamt);
    vv_blockstore_free(self.store);
}

static void a_failed_flush_leaves_both_roots_usable(void **state)
{
    fault_case self;
    vv_hamt *hamt;
    vv_cid root;
    vv_error err = VV_ERROR_INIT;
    int64_t values[KEYS + 40];
    vv_cid right;

    (void)state;
    setup_case(&self, 0);
    for (size_t n = 0;; n++) {
        vv_status status;

        hamt = open_hamt(self.store, &self.root, &self.options);
        for (uint64_t i = 0; i < 40; i++)
            set_key(hamt, KEYS + i, i);
        faulty_fail_after(self.store, n, VV_EIO, false);
        status = vv_hamt_flush(hamt, &root, &err);
        if (!faulty_stop(self.store)) {
            assert_vv_ok(status);
            break;
        }
        assert_int_equal(status, VV_EIO);
        former_root_is_whole(&self);
        for (uint64_t i = 0; i < 40; i++)
            assert_key(hamt, KEYS + i, (int64_t)i);
        assert_vv_ok(vv_hamt_flush(hamt, &root, &err));
        for (uint64_t i = 0; i < KEYS + 40; i++)
            values[i] = (int64_t)(i < KEYS ? i : i - KEYS);
        right = fresh_root(values, KEYS + 40, &self.options);
        assert_same_cid(&root, &right);
        vv_hamt_free(hamt);
    }
    vv_hamt_free(hamt);
    vv_blockstore_free(self.store);
}

static void a_lying_store_is_noticed(void **state)
{
    fault_case self;
    bool any = true;

    (void)state;
    setup_case(&self, 0);
    for (size_t n = 0; any; n++) {
        vv_status status = VV_OK;
        vv_hamt *hamt = NULL;

        faulty_lie_after(self.store, n);
        status = vv_hamt_open(self.store, &self.root, &self.options, &hamt, NULL);
        for (uint64_t i = 0; i < KEYS && !status; i++) {
            vv_buf out = VV_BUF_INIT;

            status = vv_hamt_get(hamt, key_number(i), VV_RANGE_ALL, &out, NULL);
            vv_buf_clear(&out);
        }
        any = faulty_stop(self.store);
        assert_int_equal(status, any ? VV_ECORRUPT : VV_OK);
        vv_hamt_free(hamt);
    }
    vv_blockstore_free(self.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test(any_allocation_may_fail_while_nodes_are_spilled),
        cmocka_unit_test(any_call_of_the_store_may_fail),
        cmocka_unit_test(a_map_goes_on_after_failures),
        cmocka_unit_test(a_failed_flush_leaves_both_roots_usable),
        cmocka_unit_test(a_lying_store_is_noticed),
    };

    return cmocka_run_group_tests_name("hamt_faults", tests, NULL, NULL);
}
