/* Verification: what is right passes, and each kind of damage is named with its key. */
#include "hamt_support.h"

#include "hamt/node.h"
#include "util/buf.h"

#include <varvite/blockstore_backend.h>
#include <varvite/cbor.h>

#include <stdio.h>

#define KEYS 1500

typedef struct report {
    size_t count;
    vv_status status; /* of the last finding */
    bool is_node;
    char key[80];
    char message[200];
    vv_cid cid;
    vv_status answer;
    size_t progress_calls;
    vv_status progress_answer;
} report;

static vv_status take_finding(void *ctx, const vv_verify_finding *finding)
{
    report *self = ctx;

    self->count++;
    self->status = finding->status;
    self->is_node = finding->is_node;
    self->cid = *finding->cid;
    snprintf(self->key, sizeof(self->key), "%s", finding->key);
    snprintf(self->message, sizeof(self->message), "%s", finding->message);
    return self->answer;
}

static vv_status take_progress(void *ctx, const vv_progress *progress)
{
    report *self = ctx;

    self->progress_calls++;
    assert_string_equal(progress->what, "verify");
    return self->progress_answer;
}

typedef struct fixture {
    vv_blockstore *store;
    vv_cid root;
    report report;
    vv_verify_options options;
    vv_verify_result result;
} fixture;

static void setup_tree(fixture *self)
{
    vv_hamt *hamt;

    memset(self, 0, sizeof(*self));
    self->store = new_memory();
    hamt = open_hamt(self->store, NULL, NULL);
    for (uint64_t i = 0; i < KEYS; i++)
        set_key(hamt, i, i);
    self->root = flush_hamt(hamt);
    vv_hamt_free(hamt);
    self->options = VV_VERIFY_OPTIONS_INIT;
    self->options.threads = 2;
    self->options.report = take_finding;
    self->options.progress = take_progress;
    self->options.ctx = &self->report;
}

static vv_status verify(fixture *self)
{
    return vv_hamt_verify(self->store, &self->root, &self->options, &self->result, NULL);
}

static void a_sound_tree_passes_whole(void **state)
{
    fixture self;

    (void)state;
    setup_tree(&self);
    for (uint32_t threads = 1; threads <= 4; threads++) {
        self.options.threads = threads;
        assert_int_equal(verify(&self), VV_OK);
        assert_true(self.result.complete);
        assert_int_equal(self.result.keys, KEYS);
        assert_int_equal(self.result.values, KEYS);
        assert_true(self.result.nodes > 100);
        assert_true(self.result.bytes > KEYS * 40);
        assert_int_equal(self.report.count, 0);
    }
    assert_true(self.report.progress_calls > 0);
    assert_int_equal(vv_hamt_verify(self.store, &self.root, NULL, NULL, NULL), VV_OK);
    vv_blockstore_free(self.store);
}

static vv_cid value_of(fixture *self, uint64_t i)
{
    vv_hamt *hamt = open_hamt(self->store, &self->root, NULL);
    vv_error err = VV_ERROR_INIT;
    vv_cid cid;

    assert_vv_ok(vv_hamt_get_pointer(hamt, key_number(i), &cid, &err));
    vv_hamt_free(hamt);
    return cid;
}

static void a_lost_value_is_missing_under_its_key(void **state)
{
    fixture self;
    vv_cid cid;

    (void)state;
    setup_tree(&self);
    cid = value_of(&self, 77);
    assert_int_equal(vv_blockstore_delete(self.store, &cid, NULL), VV_OK);
    assert_int_equal(verify(&self), VV_ECORRUPT);
    assert_int_equal(self.result.missing, 1);
    assert_int_equal(self.result.bad, 0);
    assert_int_equal(self.report.count, 1);
    assert_int_equal(self.report.status, VV_ENOTFOUND);
    assert_false(self.report.is_node);
    assert_string_equal(self.report.key, "k77");
    assert_same_cid(&self.report.cid, &cid);
    assert_true(self.result.complete);
    vv_blockstore_free(self.store);
}

/* A store whose blocks lie, though it is trusted. */
typedef struct lying_store {
    vv_blockstore base;
    vv_blockstore *inner;
    vv_cid about;
    vv_status status; /* VV_OK: lie; else fail so */
} lying_store;

static vv_status lying_get(vv_blockstore *self, const vv_cid *cid, vv_buf *out,
                           vv_error *err)
{
    lying_store *store = (lying_store *)self;
    vv_buf block = VV_BUF_INIT;

    if (vv_cid_same_block(cid, &store->about) && store->status)
        return vvi_fail(err, store->status, "asked to fail");
    VVI_TRY(vv_blockstore_get(store->inner, cid, &block, err));
    VVI_TRY(vvi_buf_set(out, vvi_buf_bytes(&block), err));
    vv_buf_clear(&block);
    if (vv_cid_same_block(cid, &store->about))
        out->data[out->len - 1] ^= 1;
    return VV_OK;
}

static void lying_free(vv_blockstore *self)
{
    (void)self;
}

static const vv_blockstore_ops lying_ops = { .name = "lying",
                                             .get = lying_get,
                                             .free = lying_free };

static void damage_is_found_even_where_the_store_is_trusted(void **state)
{
    fixture self;
    lying_store liar;
    vv_blockstore *memory;

    (void)state;
    setup_tree(&self);
    memory = self.store;
    vv_blockstore_base_init(&liar.base, &lying_ops, true);
    liar.inner = memory;
    liar.status = VV_OK;
    liar.about = value_of(&self, 123);
    self.store = &liar.base;
    assert_int_equal(verify(&self), VV_ECORRUPT);
    assert_int_equal(self.result.bad, 1);
    assert_string_equal(self.report.key, "k123");
    assert_int_equal(self.report.status, VV_ECORRUPT);
    liar.about = self.root;
    assert_int_equal(verify(&self), VV_ECORRUPT);
    assert_true(self.report.is_node);
    assert_string_equal(self.report.key, "");
    assert_int_equal(self.result.keys, 0);
    /* What cannot be read is another matter. */
    liar.about = (self.store = memory, value_of(&self, 9));
    self.store = &liar.base;
    liar.status = VV_EIO;
    assert_int_equal(verify(&self), VV_EIO);
    assert_int_equal(self.result.unread, 1);
    assert_false(self.result.complete);
    vv_blockstore_free(memory);
}

/* A node block with one entry, in a slot. */
static vv_cid put_node(vv_blockstore *store, unsigned slot, const char *key,
                       const vv_cid *link)
{
    vvi_node *node = NULL;
    vv_buf block = VV_BUF_INIT;
    vv_error err = VV_ERROR_INIT;
    vvi_link id;
    vv_cid cid;

    vvi_link_of_cid(link, &id);
    assert_vv_ok(vvi_node_new(&node, &err));
    assert_vv_ok(
        vvi_node_put(node, slot, vv_bytes_of(key), vvi_bytes(id.bytes, id.len), &err));
    assert_vv_ok(vvi_buf_reserve(&block, node->size, &err));
    vvi_node_encode(node, NULL, NULL, block.data);
    block.len = node->size;
    assert_vv_ok(vv_blockstore_put(store, &VV_PREFIX_CBOR_BLAKE3, vvi_buf_bytes(&block),
                                   &cid, &err));
    vv_buf_clear(&block);
    vvi_node_release(node);
    return cid;
}

static void a_key_in_another_place_is_reported(void **state)
{
    fixture self;
    vv_cid value;

    (void)state;
    setup_tree(&self);
    value = value_of(&self, 1);
    self.root = put_node(self.store, 3, "foo", &value); /* foo belongs into slot 4 */
    assert_int_equal(verify(&self), VV_ECORRUPT);
    assert_string_equal(self.report.key, "foo");
    assert_non_null(strstr(self.report.message, "cannot be found"));
    self.root = put_node(self.store, 4, "foo", &value);
    assert_int_equal(verify(&self), VV_OK);
    vv_blockstore_free(self.store);
}

static void nodes_that_lead_to_each_other_again_and_again_end(void **state)
{
    fixture self;
    vv_buf block = VV_BUF_INIT;
    vv_error err = VV_ERROR_INIT;

    (void)state;
    setup_tree(&self);
    for (int depth = 0; depth < 40; depth++) {
        block.len = 0;
        assert_vv_ok(vv_cbor_put_list(&block, 256, &err));
        for (int slot = 0; slot < 256; slot++) {
            assert_vv_ok(vv_cbor_put_list(&block, 1, &err));
            assert_vv_ok(vv_cbor_put_link(&block, &self.root, &err));
        }
        assert_vv_ok(vv_blockstore_put(self.store, &VV_PREFIX_CBOR_BLAKE3,
                                       vvi_buf_bytes(&block), &self.root, &err));
    }
    vv_buf_clear(&block);
    assert_int_equal(verify(&self), VV_ECORRUPT);
    /* Thirty-two levels of a hash, 255 of 256 links of each reported once. */
    assert_in_range(self.report.count, 31 * 255, 33 * 256);
    vv_blockstore_free(self.store);
}

static void a_sample_or_a_budget_leaves_it_incomplete(void **state)
{
    fixture self;
    uint64_t first;

    (void)state;
    setup_tree(&self);
    self.options.sample = 0.25;
    assert_int_equal(verify(&self), VV_OK);
    assert_false(self.result.complete);
    assert_int_equal(self.result.keys, KEYS);
    assert_in_range(self.result.values, KEYS / 6, KEYS / 3);
    first = self.result.values;
    assert_int_equal(verify(&self), VV_OK);
    assert_int_equal(self.result.values, first);
    self.options.sample = 0;
    self.options.max_seconds = 1e-9;
    assert_int_equal(verify(&self), VV_OK);
    assert_false(self.result.complete);
    assert_true(self.result.values < KEYS);
    self.options.sample = 2;
    assert_int_equal(verify(&self), VV_EINVAL);
    vv_blockstore_free(self.store);
}

static void callbacks_can_stop_it(void **state)
{
    fixture self;
    vv_cid cid;

    (void)state;
    setup_tree(&self);
    self.report.progress_answer = VV_ECANCELED;
    assert_int_equal(verify(&self), VV_ECANCELED);
    assert_false(self.result.complete);
    self.report.progress_answer = VV_OK;
    cid = value_of(&self, 5);
    assert_int_equal(vv_blockstore_delete(self.store, &cid, NULL), VV_OK);
    self.report.answer = VV_ECANCELED;
    assert_int_equal(verify(&self), VV_ECANCELED);
    vv_blockstore_free(self.store);
}

static vv_status verify_plain(void *ctx)
{
    fixture *self = ctx;
    vv_verify_options options = VV_VERIFY_OPTIONS_INIT;

    options.threads = 1;
    return vv_hamt_verify(self->store, &self->root, &options, NULL, NULL);
}

static void any_allocation_may_fail(void **state)
{
    fixture self;
    vv_hamt *hamt;

    (void)state;
    setup_tree(&self);
    hamt = open_hamt(self.store, NULL, NULL);
    for (uint64_t i = 0; i < 20; i++)
        set_key(hamt, i, i);
    self.root = flush_hamt(hamt);
    vv_hamt_free(hamt);
    survives_failing_allocations(verify_plain, &self);
    vv_blockstore_free(self.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_tree_passes_whole),
        cmocka_unit_test(a_lost_value_is_missing_under_its_key),
        cmocka_unit_test(damage_is_found_even_where_the_store_is_trusted),
        cmocka_unit_test(a_key_in_another_place_is_reported),
        cmocka_unit_test(nodes_that_lead_to_each_other_again_and_again_end),
        cmocka_unit_test(a_sample_or_a_budget_leaves_it_incomplete),
        cmocka_unit_test(callbacks_can_stop_it),
        cmocka_unit_test(any_allocation_may_fail),
    };

    return cmocka_run_group_tests_name("hamt_verify", tests, NULL, NULL);
}
