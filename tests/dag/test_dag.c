/* The walk below a root. */
#include "support/faulty_blockstore.h"

#include <stdio.h>

#define NODES_MAX 4000

static vv_error err;

/* What a walk came to. */
typedef struct trace {
    vv_cid cids[NODES_MAX];
    uint32_t depths[NODES_MAX];
    uint32_t codecs[NODES_MAX];
    vv_status statuses[NODES_MAX];
    size_t lens[NODES_MAX];
    size_t count;
    size_t stop_at;
} trace;

static trace walked;

static vv_status record(void *ctx, const vv_dag_visit *visit, vv_error *error)
{
    trace *self = ctx;

    (void)error;
    assert_true(self->count < NODES_MAX);
    self->cids[self->count] = *visit->cid;
    self->depths[self->count] = visit->depth;
    self->codecs[self->count] = visit->codec;
    self->statuses[self->count] = visit->status;
    self->lens[self->count] = visit->data.len;
    if (visit->status) {
        assert_non_null(visit->message);
        assert_true(strlen(visit->message) > 0);
        assert_int_equal(visit->data.len, 0);
    }
    self->count++;
    return self->count == self->stop_at ? VV_ECANCELED : VV_OK;
}

static vv_status walk(vv_blockstore *store, const vv_cid *root,
                      const vv_dag_options *options)
{
    walked.count = 0;
    walked.stop_at = 0;
    return vv_dag_walk(store, root, 1, options, record, &walked, &err);
}

static vv_cid put(vv_blockstore *store, vv_cid_prefix prefix, vv_bytes data)
{
    vv_cid cid;

    assert_vv_ok(vv_blockstore_put(store, &prefix, data, &cid, &err));
    return cid;
}

static vv_cid put_leaf(vv_blockstore *store, const char *text)
{
    return put(store, VV_PREFIX_RAW_BLAKE3, vv_bytes_of(text));
}

/* A list of links. */
static vv_cid put_node(vv_blockstore *store, const vv_cid *links, size_t n)
{
    vv_buf block = VV_BUF_INIT;
    vv_cid cid;

    assert_vv_ok(vv_cbor_put_list(&block, n, &err));
    for (size_t i = 0; i < n; i++)
        assert_vv_ok(vv_cbor_put_link(&block, &links[i], &err));
    cid = put(store, VV_PREFIX_CBOR_BLAKE3, (vv_bytes){ block.data, block.len });
    vv_buf_clear(&block);
    return cid;
}

static bool is(const vv_cid *a, const vv_cid *b)
{
    return vv_cid_equal(a, b);
}

static vv_blockstore *new_store(void)
{
    vv_blockstore *store;

    assert_vv_ok(vv_memory_blockstore_new(&store, &err));
    return store;
}

static void blocks_come_depth_first_each_once_parents_before_children(void **state)
{
    vv_blockstore *store = new_store();
    vv_cid a = put_leaf(store, "a");
    vv_cid b = put_leaf(store, "b");
    vv_cid c = put_leaf(store, "c");
    vv_cid left = put_node(store, (vv_cid[]){ b, a }, 2);
    vv_cid right = put_node(store, (vv_cid[]){ left, c, b }, 3);
    /* c is linked from the root before right, but right comes first: depth first. */
    vv_cid root = put_node(store, (vv_cid[]){ left, right, c }, 3);
    const vv_cid *order[] = { &root, &left, &b, &a, &right, &c };
    static const uint32_t depths[] = { 0, 1, 2, 2, 1, 2 };

    (void)state;
    for (size_t batch = 1; batch < 70; batch += 3) {
        vv_dag_options options = VV_DAG_OPTIONS_INIT;

        options.batch_blocks = batch;
        options.batch_bytes = batch % 2 ? 1 : 0;
        assert_vv_ok(walk(store, &root, &options));
        assert_int_equal(walked.count, 6);
        for (size_t i = 0; i < 6; i++) {
            assert_true(is(&walked.cids[i], order[i]));
            assert_int_equal(walked.depths[i], depths[i]);
            assert_int_equal(walked.statuses[i], VV_OK);
        }
    }
    vv_blockstore_free(store);
}

static void several_roots_are_walked_as_one(void **state)
{
    vv_blockstore *store = new_store();
    vv_cid a = put_leaf(store, "a");
    vv_cid one = put_node(store, &a, 1);
    vv_cid roots[3] = { a, one, a };

    (void)state;
    walked.count = 0;
    assert_vv_ok(vv_dag_walk(store, roots, 3, NULL, record, &walked, &err));
    assert_int_equal(walked.count, 2);
    assert_true(is(&walked.cids[0], &a));
    assert_true(is(&walked.cids[1], &one));
    vv_blockstore_free(store);
}

static void missing_and_damaged_blocks_are_told_and_the_rest_is_visited(void **state)
{
    vv_blockstore *store = new_store();
    vv_cid a = put_leaf(store, "a");
    vv_cid b = put_leaf(store, "b");
    vv_cid bad = put(store, VV_PREFIX_CBOR_BLAKE3, vv_bytes_of("\xff not CBOR"));
    vv_cid_prefix other = { 0x0129, VV_HASH_BLAKE3, 1, 32 };
    vv_cid json = put(store, other, vv_bytes_of("{}"));
    vv_cid root = put_node(store, (vv_cid[]){ a, bad, json, b }, 4);
    static const vv_status want[] = { VV_OK, VV_ENOTFOUND, VV_ECORRUPT, VV_EUNSUPPORTED,
                                      VV_OK };

    (void)state;
    assert_vv_ok(vv_blockstore_delete(store, &a, &err));
    assert_vv_ok(walk(store, &root, NULL));
    assert_int_equal(walked.count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(walked.statuses[i], want[i]);
    vv_blockstore_free(store);
}

static void a_lying_store_is_told_block_by_block(void **state)
{
    vv_blockstore *store = new_store();
    vv_blockstore *faulty = faulty_blockstore_new(store);
    vv_cid leaves[20];
    vv_cid root;

    (void)state;
    for (size_t i = 0; i < 20; i++) {
        char text[8];

        snprintf(text, sizeof(text), "%zu", i);
        leaves[i] = put_leaf(store, text);
    }
    root = put_node(store, leaves, 20);
    for (size_t n = 0; n < 21; n++) {
        faulty_fail_after(faulty, n, VV_EIO, true);
        assert_vv_ok(walk(faulty, &root, NULL));
        assert_int_equal(walked.statuses[0], n == 0 ? VV_EIO : VV_OK);
        assert_int_equal(walked.count, n == 0 ? 1 : 21);
        for (size_t i = 1; i < walked.count; i++)
            assert_int_equal(walked.statuses[i], i < n ? VV_OK : VV_EIO);
    }
    /* One lie is asked about again and was the last: nothing is wrong. */
    faulty_lie_after(faulty, 5);
    assert_vv_ok(walk(faulty, &root, NULL));
    for (size_t i = 0; i < walked.count; i++)
        assert_int_equal(walked.statuses[i], VV_OK);
    vv_blockstore_free(faulty);
    vv_blockstore_free(store);
}

static void leaves_can_be_left_unread(void **state)
{
    vv_blockstore *store = new_store();
    vv_cid leaf = put_leaf(store, "a leaf that is then lost");
    vv_cid root = put_node(store, &leaf, 1);
    vv_dag_options options = VV_DAG_OPTIONS_INIT;

    (void)state;
    assert_vv_ok(vv_blockstore_delete(store, &leaf, &err));
    options.leaves_unread = true;
    assert_vv_ok(walk(store, &root, &options));
    assert_int_equal(walked.count, 2);
    assert_true(is(&walked.cids[1], &leaf));
    assert_int_equal(walked.statuses[1], VV_OK);
    assert_int_equal(walked.lens[1], 0);
    vv_blockstore_free(store);
}

static void a_block_linked_as_leaf_and_as_node_is_told_once_and_followed(void **state)
{
    vv_blockstore *store = new_store();
    vv_cid deep = put_leaf(store, "deep");
    vv_cid node = put_node(store, &deep, 1);
    vv_cid as_leaf = node;
    vv_cid root;

    (void)state;
    as_leaf.codec = VV_CODEC_RAW;
    root = put_node(store, (vv_cid[]){ as_leaf, node }, 2);
    assert_vv_ok(walk(store, &root, NULL));
    assert_int_equal(walked.count, 3);
    assert_true(is(&walked.cids[1], &as_leaf));
    assert_true(is(&walked.cids[2], &deep));
    vv_blockstore_free(store);
}

static void a_chain_of_any_depth_is_walked(void **state)
{
    vv_blockstore *store = new_store();
    vv_cid cid = put_leaf(store, "the end");

    (void)state;
    for (int i = 0; i < NODES_MAX - 1; i++)
        cid = put_node(store, &cid, 1);
    assert_vv_ok(walk(store, &cid, NULL));
    assert_int_equal(walked.count, NODES_MAX);
    assert_int_equal(walked.depths[NODES_MAX - 1], NODES_MAX - 1);
    vv_blockstore_free(store);
}

/* A node of 256 slots: an empty bucket each, but for a bucket of one value and a child. */
static vv_cid put_hamt_node(vv_blockstore *store, const vv_cid *value,
                            const vv_cid *child)
{
    vv_buf block = VV_BUF_INIT;
    vv_cid cid;

    assert_vv_ok(vv_cbor_put_list(&block, 256, &err));
    for (int i = 0; i < 256; i++) {
        if (i == 7 && value) {
            assert_vv_ok(vv_cbor_put_map(&block, 1, &err));
            assert_vv_ok(vv_cbor_put_text(&block, vv_bytes_of("key"), &err));
            assert_vv_ok(vv_cbor_put_link(&block, value, &err));
        } else if (i == 9 && child) {
            assert_vv_ok(vv_cbor_put_list(&block, 1, &err));
            assert_vv_ok(vv_cbor_put_link(&block, child, &err));
        } else {
            assert_vv_ok(vv_cbor_put_map(&block, 0, &err));
        }
    }
    cid = put(store, VV_PREFIX_CBOR_BLAKE3, (vv_bytes){ block.data, block.len });
    cid.version = VV_CID_BARE;
    cid.codec = VV_CODEC_RAW;
    vv_buf_clear(&block);
    return cid;
}

static void bare_multihashes_of_hamt_nodes_are_followed(void **state)
{
    vv_blockstore *store = new_store();
    vv_dag_options options = VV_DAG_OPTIONS_INIT;
    vv_cid value = put_leaf(store, "value");
    vv_cid child;
    vv_cid root;

    (void)state;
    value.version = VV_CID_BARE;
    child = put_hamt_node(store, &value, NULL);
    root = put_hamt_node(store, NULL, &child);
    options.bare_links = true;
    assert_vv_ok(walk(store, &root, &options));
    assert_int_equal(walked.count, 3);
    assert_true(is(&walked.cids[1], &child));
    assert_int_equal(walked.codecs[1], VV_CODEC_DAG_CBOR);
    assert_true(is(&walked.cids[2], &value));
    assert_int_equal(walked.codecs[2], VV_CODEC_RAW);
    assert_vv_ok(walk(store, &root, NULL));
    assert_int_equal(walked.count, 3);
    /* Below a CID a byte string is a byte string, unless one asks. */
    root.version = 1;
    root.codec = VV_CODEC_DAG_CBOR;
    assert_vv_ok(walk(store, &root, NULL));
    assert_int_equal(walked.count, 1);
    assert_vv_ok(walk(store, &root, &options));
    assert_int_equal(walked.count, 3);
    vv_blockstore_free(store);
}

static void the_visitor_can_stop_the_walk(void **state)
{
    vv_blockstore *store = new_store();
    vv_cid leaf = put_leaf(store, "a");
    vv_cid root = put_node(store, &leaf, 1);

    (void)state;
    walked.count = 0;
    walked.stop_at = 1;
    assert_int_equal(vv_dag_walk(store, &root, 1, NULL, record, &walked, &err),
                     VV_ECANCELED);
    assert_int_equal(walked.count, 1);
    vv_blockstore_free(store);
}

static vv_cid scenario_root;

static vv_status walk_whole(void *ctx)
{
    vv_status status = walk(ctx, &scenario_root, NULL);

    for (size_t i = 0; !status && i < walked.count; i++)
        status = walked.statuses[i];
    return status;
}

static void a_walk_survives_any_failing_call_or_allocation(void **state)
{
    vv_blockstore *store = new_store();
    vv_blockstore *faulty = faulty_blockstore_new(store);
    vv_cid leaves[30];
    vv_cid nodes[5];

    (void)state;
    for (size_t i = 0; i < 30; i++) {
        char text[8];

        snprintf(text, sizeof(text), "%zu", i);
        leaves[i] = put_leaf(store, text);
    }
    for (size_t i = 0; i < 5; i++)
        nodes[i] = put_node(store, leaves + 6 * i, 6);
    scenario_root = put_node(store, nodes, 5);
    survives_failing_allocations(walk_whole, faulty);
    /* A call that fails once is made again. */
    faulty_fail_after(faulty, 3, VV_EIO, false);
    assert_vv_ok(walk_whole(faulty));
    vv_blockstore_free(faulty);
    vv_blockstore_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_come_depth_first_each_once_parents_before_children),
        cmocka_unit_test(several_roots_are_walked_as_one),
        cmocka_unit_test(missing_and_damaged_blocks_are_told_and_the_rest_is_visited),
        cmocka_unit_test(a_lying_store_is_told_block_by_block),
        cmocka_unit_test(leaves_can_be_left_unread),
        cmocka_unit_test(a_block_linked_as_leaf_and_as_node_is_told_once_and_followed),
        cmocka_unit_test(a_chain_of_any_depth_is_walked),
        cmocka_unit_test(bare_multihashes_of_hamt_nodes_are_followed),
        cmocka_unit_test(the_visitor_can_stop_the_walk),
        cmocka_unit_test(a_walk_survives_any_failing_call_or_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
