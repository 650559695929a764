/* Verification of sharded roots: what is missing or damaged is named by its key. */
#include "support/faulty_blockstore.h"
#include "support/support.h"

#include <varvite/blockstore_backend.h>
#include <varvite/sharded.h>

#include <stdio.h>

static vv_error err;

#define FOUND_MAX 64

/* The findings of one call: keys, kinds and statuses. */
typedef struct findings {
    char keys[FOUND_MAX][80];
    vv_status statuses[FOUND_MAX];
    bool nodes[FOUND_MAX];
    size_t count;
    vv_status answer; /* what the next is answered */
    uint64_t told;    /* calls of progress */
} findings;

static vv_status note(void *ctx, const vv_verify_finding *finding)
{
    findings *self = ctx;

    assert_true(self->count < FOUND_MAX);
    assert_non_null(finding->message);
    snprintf(self->keys[self->count], sizeof(self->keys[0]), "%s", finding->key);
    self->statuses[self->count] = finding->status;
    self->nodes[self->count++] = finding->is_node;
    return self->answer;
}

static vv_status tick(void *ctx, const vv_progress *at)
{
    findings *self = ctx;

    assert_string_equal(at->what, "verify");
    self->told++;
    return VV_OK;
}

/* g/a: 6 × 2 chunks, 4 a shard, all there but the last; g/b: no chunk; and a note. */
static vv_cid make_root(vv_blockstore *blocks, vv_sharded_version version)
{
    static const char document[] =
        "{\"zarr_format\":3,\"node_type\":\"array\",\"shape\":[%d,2],\"data_type\":\"int8\","
        "\"chunk_grid\":{\"name\":\"regular\",\"configuration\":{\"chunk_shape\":[1,1]}}}";
    const uint64_t shape[] = { 6, 2 };
    const uint64_t chunk[] = { 1, 1 };
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    char text[300];
    vv_store *store;
    vv_cid root;

    options.version = version;
    options.chunks_per_shard = 4;
    if (version == VV_SHARDED_V1) {
        options.ndim = 2;
        options.array_shape = shape;
        options.chunk_shape = chunk;
    }
    assert_vv_ok(vv_sharded_store_open(blocks, NULL, &options, &store, &err));
    snprintf(text, sizeof(text), document, 6);
    assert_vv_ok(vv_store_set(store, "g/a/zarr.json", vv_bytes_of(text), &err));
    if (version == VV_SHARDED_V2) {
        snprintf(text, sizeof(text), document, 3);
        assert_vv_ok(vv_store_set(store, "g/b/zarr.json", vv_bytes_of(text), &err));
    }
    assert_vv_ok(vv_store_set(store, "g/note", vv_bytes_of("a note"), &err));
    for (int i = 0; i < 11; i++) {
        char key[40];
        char value[40];

        snprintf(key, sizeof(key), "g/a/c/%d/%d", i / 2, i % 2);
        snprintf(value, sizeof(value), "chunk %d", i);
        assert_vv_ok(vv_store_set(store, key, vv_bytes_of(value), &err));
    }
    assert_vv_ok(vv_store_commit(store, &root, &err));
    vv_store_free(store);
    return root;
}

static vv_status verify(vv_blockstore *blocks, const vv_cid *root, findings *found,
                        vv_verify_result *result)
{
    vv_verify_options options = VV_VERIFY_OPTIONS_INIT;

    options.report = note;
    options.progress = tick;
    options.ctx = found;
    options.threads = 3;
    return vv_sharded_verify(blocks, root, &options, result, &err);
}

static void a_good_root_is_good(void **state)
{
    vv_blockstore *blocks;

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&blocks, &err));
    for (int version = VV_SHARDED_V2; version <= VV_SHARDED_V1; version++) {
        vv_cid root = make_root(blocks, (vv_sharded_version)version);
        findings found = { .count = 0 };
        vv_verify_result result;

        assert_vv_ok(verify(blocks, &root, &found, &result));
        assert_int_equal(found.count, 0);
        assert_true(found.told > 0);
        assert_true(result.complete);
        assert_int_equal(result.nodes, 4); /* the root and three shards */
        /* In v2 also g/b, and the groups that came with the arrays. */
        assert_int_equal(result.keys, version == VV_SHARDED_V2 ? 16 : 13);
        assert_int_equal(result.values, result.keys);
        assert_true(result.bytes > 11 * 7);
    }
    vv_blockstore_free(blocks);
}

static void remove_value(vv_blockstore *blocks, const vv_cid *root, const char *key)
{
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    vv_store *store;
    vv_cid cid;

    options.read_only = true;
    assert_vv_ok(vv_sharded_store_open(blocks, root, &options, &store, &err));
    assert_vv_ok(vv_store_pointer(store, key, &cid, &err));
    assert_vv_ok(vv_blockstore_delete(blocks, &cid, &err));
    vv_store_free(store);
}

static void a_missing_value_is_named_by_its_key(void **state)
{
    vv_blockstore *blocks;

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&blocks, &err));
    vv_cid root = make_root(blocks, VV_SHARDED_V2);
    findings found = { .count = 0 };
    vv_verify_result result;

    remove_value(blocks, &root, "g/a/c/3/1");
    assert_int_equal(verify(blocks, &root, &found, &result), VV_ECORRUPT);
    assert_int_equal(found.count, 1);
    assert_string_equal(found.keys[0], "g/a/c/3/1");
    assert_int_equal(found.statuses[0], VV_ENOTFOUND);
    assert_false(found.nodes[0]);
    assert_int_equal(result.missing, 1);
    assert_int_equal(result.values, 15);
    assert_true(result.complete);

    remove_value(blocks, &root, "g/note");
    found.count = 0;
    assert_int_equal(verify(blocks, &root, &found, &result), VV_ECORRUPT);
    assert_int_equal(found.count, 2);
    assert_string_equal(found.keys[0], "g/note");
    vv_blockstore_free(blocks);
}

/* Links of a block, in order. */
typedef struct link_list {
    vv_cid links[64];
    size_t count;
} link_list;

static vv_status take_link(void *ctx, const vv_cid *link, vv_error *why)
{
    link_list *self = ctx;

    (void)why;
    assert_true(self->count < 64);
    self->links[self->count++] = *link;
    return VV_OK;
}

static void a_missing_shard_hides_its_chunks_and_no_others(void **state)
{
    vv_blockstore *blocks;
    link_list list = { .count = 0 };
    vv_buf block = VV_BUF_INIT;

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&blocks, &err));
    vv_cid root = make_root(blocks, VV_SHARDED_V2);
    findings found = { .count = 0 };
    vv_verify_result result;

    assert_vv_ok(vv_blockstore_get(blocks, &root, &block, &err));
    assert_vv_ok(
        vv_cbor_links((vv_bytes){ block.data, block.len }, take_link, &list, &err));
    vv_buf_clear(&block);
    assert_int_equal(list.links[1].codec, VV_CODEC_DAG_CBOR); /* shard 1 of g/a */
    assert_vv_ok(vv_blockstore_delete(blocks, &list.links[1], &err));
    assert_int_equal(verify(blocks, &root, &found, &result), VV_ECORRUPT);
    assert_int_equal(found.count, 1);
    assert_string_equal(found.keys[0], "g/a shard 1");
    assert_true(found.nodes[0]);
    assert_int_equal(result.nodes, 3);
    assert_int_equal(result.keys, 12);
    vv_blockstore_free(blocks);
}

static void the_root_itself_can_be_what_is_wrong(void **state)
{
    vv_blockstore *blocks;
    findings found = { .count = 0 };
    vv_verify_result result;

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&blocks, &err));
    vv_cid root = make_root(blocks, VV_SHARDED_V2);
    root.digest[0] ^= 1;
    assert_int_equal(verify(blocks, &root, &found, &result), VV_ECORRUPT);
    assert_int_equal(found.count, 1);
    assert_string_equal(found.keys[0], "root");
    assert_int_equal(result.missing, 1);
    vv_blockstore_free(blocks);
}

static void a_trusted_store_is_hashed_all_the_same(void **state)
{
    vv_blockstore *memory;
    findings found = { .count = 0 };
    vv_verify_result result;

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&memory, &err));
    vv_blockstore *faulty = faulty_blockstore_new(memory);
    vv_cid root = make_root(faulty, VV_SHARDED_V2);

    faulty->trusted = true;
    assert_vv_ok(verify(faulty, &root, &found, &result));
    size_t calls = faulty_calls(faulty);
    assert_true(calls > 0);
    faulty_lie_after(faulty, 9);
    assert_int_equal(verify(faulty, &root, &found, &result), VV_ECORRUPT);
    faulty_stop(faulty);
    assert_true(found.count > 0);
    assert_int_equal(found.statuses[0], VV_ECORRUPT);
    vv_blockstore_free(faulty);
    vv_blockstore_free(memory);
}

static void what_cannot_be_read_is_neither_bad_nor_missing(void **state)
{
    vv_blockstore *memory;
    findings found = { .count = 0 };
    vv_verify_result result;

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&memory, &err));
    vv_blockstore *faulty = faulty_blockstore_new(memory);
    vv_cid root = make_root(faulty, VV_SHARDED_V2);

    faulty_fail_after(faulty, 12, VV_EIO, false);
    assert_int_equal(verify(faulty, &root, &found, &result), VV_EIO);
    faulty_stop(faulty);
    assert_int_equal(found.count, 1);
    assert_int_equal(result.unread, 1);
    assert_int_equal(result.bad + result.missing, 0);
    assert_false(result.complete);
    vv_blockstore_free(faulty);
    vv_blockstore_free(memory);
}

static void who_is_told_may_stop_it(void **state)
{
    vv_blockstore *blocks;
    findings found = { .answer = VV_ECANCELED };
    vv_verify_result result;

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&blocks, &err));
    vv_cid root = make_root(blocks, VV_SHARDED_V2);
    remove_value(blocks, &root, "g/note");
    assert_int_equal(verify(blocks, &root, &found, &result), VV_ECANCELED);
    assert_int_equal(found.count, 1);
    vv_blockstore_free(blocks);
}

static void a_sample_and_a_deadline_are_said_to_be_incomplete(void **state)
{
    vv_verify_options options = VV_VERIFY_OPTIONS_INIT;
    vv_blockstore *blocks;
    vv_verify_result result;

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&blocks, &err));
    vv_cid root = make_root(blocks, VV_SHARDED_V2);
    options.sample = 0.5;
    assert_vv_ok(vv_sharded_verify(blocks, &root, &options, &result, &err));
    assert_false(result.complete);
    assert_int_equal(result.nodes, 4);
    assert_true(result.values > 0 && result.values < result.keys);
    options.sample = 0;
    options.max_seconds = 1e-9;
    assert_vv_ok(vv_sharded_verify(blocks, &root, &options, &result, &err));
    assert_false(result.complete);
    options.sample = 2;
    assert_int_equal(vv_sharded_verify(blocks, &root, &options, &result, &err),
                     VV_EINVAL);
    vv_blockstore_free(blocks);
}

typedef struct place {
    vv_blockstore *blocks;
    vv_cid root;
} place;

static vv_status verify_once(void *ctx)
{
    place *self = ctx;
    vv_verify_options options = VV_VERIFY_OPTIONS_INIT;

    options.threads = 1;
    return vv_sharded_verify(self->blocks, &self->root, &options, NULL, &err);
}

static void verifying_survives_failing_allocations(void **state)
{
    place self;

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&self.blocks, &err));
    self.root = make_root(self.blocks, VV_SHARDED_V2);
    survives_failing_allocations(verify_once, &self);
    vv_blockstore_free(self.blocks);
}

static void a_document_that_disagrees_with_its_index_is_bad(void **state)
{
    const uint64_t shape[] = { 5, 2 };
    vv_blockstore *blocks;
    findings found = { .count = 0 };
    vv_verify_result result;
    vv_store *store;
    vv_cid root;

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&blocks, &err));
    root = make_root(blocks, VV_SHARDED_V2);
    assert_vv_ok(vv_sharded_store_open(blocks, &root, NULL, &store, &err));
    assert_vv_ok(vv_sharded_store_resize(store, "g/b", 2, shape, &err));
    assert_vv_ok(vv_store_commit(store, &root, &err));
    vv_store_free(store);
    assert_int_equal(verify(blocks, &root, &found, &result), VV_ECORRUPT);
    assert_int_equal(found.count, 1);
    assert_string_equal(found.keys[0], "g/b/zarr.json");
    assert_int_equal(found.statuses[0], VV_ECORRUPT);
    assert_false(found.nodes[0]);
    assert_int_equal(result.bad, 1);
    vv_blockstore_free(blocks);
}

/* In v1 the document alone is resized; its chunks are those of the index all the same. */
static void in_version_1_only_chunk_shapes_are_compared(void **state)
{
    static const char document[] =
        "{\"zarr_format\":3,\"node_type\":\"array\",\"shape\":[6,2],\"data_type\":\"int8\","
        "\"chunk_grid\":{\"name\":\"regular\",\"configuration\":{\"chunk_shape\":[1,2]}}}";
    const uint64_t shape[] = { 9, 2 };
    vv_blockstore *blocks;
    vv_verify_result result;
    vv_store *store;
    vv_cid root;

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&blocks, &err));
    root = make_root(blocks, VV_SHARDED_V1);
    assert_vv_ok(vv_sharded_store_open(blocks, &root, NULL, &store, &err));
    for (int other_chunks = 0; other_chunks < 2; other_chunks++) {
        findings found = { .count = 0 };

        if (other_chunks)
            assert_vv_ok(
                vv_store_set(store, "g/a/zarr.json", vv_bytes_of(document), &err));
        else
            assert_vv_ok(vv_sharded_store_resize_variable(store, "g/a", 2, shape, &err));
        assert_vv_ok(vv_store_commit(store, &root, &err));
        assert_int_equal(verify(blocks, &root, &found, &result),
                         other_chunks ? VV_ECORRUPT : VV_OK);
        assert_int_equal(found.count, other_chunks);
        if (other_chunks)
            assert_string_equal(found.keys[0], "g/a/zarr.json");
    }
    vv_store_free(store);
    vv_blockstore_free(blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_root_is_good),
        cmocka_unit_test(a_missing_value_is_named_by_its_key),
        cmocka_unit_test(a_missing_shard_hides_its_chunks_and_no_others),
        cmocka_unit_test(the_root_itself_can_be_what_is_wrong),
        cmocka_unit_test(a_trusted_store_is_hashed_all_the_same),
        cmocka_unit_test(what_cannot_be_read_is_neither_bad_nor_missing),
        cmocka_unit_test(who_is_told_may_stop_it),
        cmocka_unit_test(a_sample_and_a_deadline_are_said_to_be_incomplete),
        cmocka_unit_test(a_document_that_disagrees_with_its_index_is_bad),
        cmocka_unit_test(in_version_1_only_chunk_shapes_are_compared),
        cmocka_unit_test(verifying_survives_failing_allocations),
    };

    watch_allocations();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
