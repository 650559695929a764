/* What the calls of block stores, maps and stores count. */
#include "metrics/snapshots.h"
#include "support/faulty_blockstore.h"

#include "store/internal.h"

#include <pthread.h>
#include <stdio.h>

static vv_error err;

static int begin_anew(void **state)
{
    (void)state;
    vv_metrics_enable(true);
    vv_metrics_reset(NULL);
    return 0;
}

static int forget(void **state)
{
    begin_anew(state);
    vv_metrics_enable(false);
    return (int)vv_metrics_set_sink(NULL, NULL);
}

static double count(const char *name)
{
    return vv_metrics_counter(name);
}

/* ---- block stores ------------------------------------------------------------------------------- */

/* A store that had to ask again: its i-th block i times. */
typedef struct retrying {
    vv_blockstore base;
    vv_blockstore *inner;
} retrying;

static vv_status retrying_get(vv_blockstore *base, const vv_cid *cid, vv_buf *out,
                              vv_error *why)
{
    retrying *self = (retrying *)base;

    vv_metrics_tell_load(0, 1, VV_LOAD_OK);
    vv_metrics_tell_load(1, 100, VV_LOAD_OK); /* there is no such load */
    return self->inner->ops->get(self->inner, cid, out, why);
}

static vv_status retrying_get_many(vv_blockstore *base, const vv_cid *cids, size_t n,
                                   vv_buf *outs, vv_status *statuses, vv_error *why)
{
    retrying *self = (retrying *)base;
    vv_status first = VV_OK;

    for (size_t i = 0; i < n; i++) {
        statuses[i] = self->inner->ops->get(self->inner, &cids[i], &outs[i], why);
        first = first ? first : statuses[i];
        vv_metrics_tell_load(i, (uint32_t)i, statuses[i] ? VV_LOAD_TIMEOUT : VV_LOAD_OK);
    }
    vv_metrics_tell_load(n, 100, VV_LOAD_OK);
    return first;
}

static void retrying_free(vv_blockstore *base)
{
    vv_blockstore_free(((retrying *)base)->inner);
}

static const vv_blockstore_ops retrying_ops = { .name = "retrying",
                                                .get = retrying_get,
                                                .get_many = retrying_get_many,
                                                .free = retrying_free };

static vv_cid name_of(const char *text, uint32_t hash)
{
    vv_cid_prefix prefix = { VV_CODEC_RAW, hash, 1, 0 };
    vv_cid cid;

    if (hash != VV_HASH_IDENTITY)
        prefix.digest_len = 32;
    else
        prefix.digest_len = (uint8_t)strlen(text);
    assert_vv_ok(vv_cid_of(&prefix, vv_bytes_of(text), &cid, &err));
    return cid;
}

static void retries_belong_to_the_load_that_the_backend_means(void **state)
{
    retrying store;
    vv_cid cids[4];
    vv_buf outs[4] = { VV_BUF_INIT, VV_BUF_INIT, VV_BUF_INIT, VV_BUF_INIT };
    vv_status statuses[4];
    json_t *tree;

    (void)state;
    vv_metrics_enable(false);
    assert_vv_ok(vv_memory_blockstore_new(&store.inner, &err));
    vv_blockstore_base_init(&store.base, &retrying_ops, true);
    assert_vv_ok(vv_blockstore_put(store.inner, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of("a"),
                                   &cids[1], &err));
    assert_vv_ok(vv_blockstore_put(store.inner, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of("bb"),
                                   &cids[2], &err));
    cids[0] = name_of("in its name", VV_HASH_IDENTITY);
    cids[3] = name_of("nowhere", VV_HASH_BLAKE3);
    vv_metrics_enable(true);
    assert_vv_ok(vv_blockstore_get(&store.base, &cids[1], &outs[1], &err));
    assert_true(count("cas_load.retries") == 1);
    /* The first is answered from its name, so that the backend's 0, 1, 2 are our 1, 2, 3. */
    assert_vv_ok(vv_blockstore_get_many(&store.base, cids, 4, outs, statuses, &err));
    assert_int_equal(statuses[3], VV_ENOTFOUND);
    assert_true(count("cas_load.retries") == 1 + 0 + 1 + 2);
    assert_true(count("cas_load.total") == 4);
    assert_true(count("cas_load.status.ok") == 3);
    assert_true(count("cas_load.status.timeout") == 1);
    assert_true(count("cas_load.response_bytes") == 1 + 1 + 2);
    tree = snapshot();
    assert_true(number_at(tree, NULL, "cas_load_unique_cids") == 3);
    assert_true(number_at(tree, NULL, "cas_load_duplicate_requests") == 1);
    assert_true(number_at(tree, NULL, "max_inflight_cas_loads") == 3);
    json_decref(tree);
    for (size_t i = 0; i < 4; i++)
        vv_buf_clear(&outs[i]);
    vv_blockstore_free(&store.base);
}

static void statuses_of_loads_are_told_apart(void **state)
{
    vv_blockstore *memory = NULL;
    vv_blockstore *faulty;
    vv_buf out = VV_BUF_INIT;
    vv_cid cid, missing = name_of("nowhere", VV_HASH_BLAKE3);

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&memory, &err));
    faulty = faulty_blockstore_new(memory);
    memory->is_wrapper = true; /* counted above it */
    assert_vv_ok(vv_blockstore_put(memory, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of("block"),
                                   &cid, &err));
    assert_vv_ok(vv_blockstore_get_range(faulty, &cid, VV_RANGE_SUFFIX(2), &out, &err));
    /* It is not trusted, so all of it was read. */
    assert_true(count("cas_load.response_bytes") == 5 && count("cas_load.range") == 1);
    assert_int_equal(vv_blockstore_get(faulty, &missing, &out, &err), VV_ENOTFOUND);
    faulty_lie_after(faulty, 0);
    assert_int_equal(vv_blockstore_get(faulty, &cid, &out, &err), VV_ECORRUPT);
    faulty_fail_after(faulty, 0, VV_ETIMEDOUT, false);
    assert_int_equal(vv_blockstore_get(faulty, &cid, &out, &err), VV_ETIMEDOUT);
    faulty_fail_after(faulty, 0, VV_EIO, false);
    assert_int_equal(vv_blockstore_get(faulty, &cid, &out, &err), VV_EIO);
    faulty_stop(faulty);
    assert_true(count("cas_load.status.ok") == 1);
    assert_true(count("cas_load.status.http_error") == 1);
    assert_true(count("cas_load.status.content_mismatch") == 1);
    assert_true(count("cas_load.status.timeout") == 1);
    assert_true(count("cas_load.status.request_error") == 1);
    vv_buf_clear(&out);
    vv_blockstore_free(faulty);
    vv_blockstore_free(memory);
}

static void a_cache_counts_its_hits_and_the_store_below_its_loads(void **state)
{
    vv_blockstore *memory = NULL;
    vv_blockstore *cache = NULL;
    vv_buf out = VV_BUF_INIT;
    vv_cid cid;

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&memory, &err));
    assert_vv_ok(vv_blockstore_put(memory, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of("block"),
                                   &cid, &err));
    assert_vv_ok(vv_cache_blockstore_new(memory, 1 << 20, &cache, &err));
    for (int i = 0; i < 3; i++)
        assert_vv_ok(vv_blockstore_get(cache, &cid, &out, &err));
    assert_true(count("cas_load.total") == 1);
    assert_true(count("varvite.block_cache.hit") == 2);
    assert_true(count("varvite.block_cache.miss") == 1);
    assert_vv_ok(vv_blockstore_put(cache, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of("another"),
                                   NULL, &err));
    assert_true(count("varvite.block.put.memory.total") == 2);
    assert_true(count("varvite.block.put.memory.bytes") == 12);
    assert_true(count("varvite.block.put.cache.total") == 0);
    vv_buf_clear(&out);
    vv_blockstore_free(cache);
    vv_blockstore_free(memory);
}

/* ---- maps ------------------------------------------------------------------------------------------ */

#define KEYS 600

static char texts[KEYS][16];
static vv_bytes keys[KEYS];

/* A map of half of the keys, open for reading; the other half are not there. */
static vv_hamt *make_map(vv_blockstore *blocks)
{
    vv_hamt_options options = VV_HAMT_OPTIONS_INIT;
    vv_hamt *map = NULL;
    vv_cid root;

    options.max_bucket_size = 1;
    options.values = VV_HAMT_BYTES;
    assert_vv_ok(vv_hamt_open(blocks, NULL, &options, &map, &err));
    for (size_t i = 0; i < KEYS; i++) {
        snprintf(texts[i], sizeof(texts[i]), "key %zu", i);
        keys[i] = vv_bytes_of(texts[i]);
        if (i % 2)
            assert_vv_ok(vv_hamt_set(map, keys[i], keys[i], &err));
    }
    assert_vv_ok(vv_hamt_make_read_only(map, &root, &err));
    assert_vv_ok(vv_hamt_vacate(map, &root, &err));
    return map;
}

/* Many keys in one call count as one after the other does. */
static void keys_of_one_call_count_as_single_ones(void **state)
{
    static const char *const names[] = { "hamt_lookup.total",
                                         "hamt_lookup.found",
                                         "hamt_lookup.missing",
                                         "hamt_lookup.depth.total",
                                         "hamt_lookup.node_loads.total",
                                         "hamt_lookup.node_cache_hits.total",
                                         "hamt_node_load.total",
                                         "hamt_node_load.cache_hit",
                                         "hamt_node_load.cache_miss",
                                         "hamt_node_load.bytes",
                                         "cas_load.total" };
    double single[sizeof(names) / sizeof(*names)];
    vv_buf outs[KEYS];
    vv_status statuses[KEYS];
    vv_blockstore *blocks = NULL;
    vv_hamt *map;
    vv_cid root;

    (void)state;
    memset(outs, 0, sizeof(outs));
    vv_metrics_enable(false);
    assert_vv_ok(vv_memory_blockstore_new(&blocks, &err));
    map = make_map(blocks);
    vv_metrics_enable(true);
    for (size_t i = 0; i < KEYS; i++)
        assert_int_equal(vv_hamt_get(map, keys[i], VV_RANGE_ALL, &outs[i], NULL),
                         i % 2 ? VV_OK : VV_ENOTFOUND);
    for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++)
        single[k] = count(names[k]);
    assert_true(single[0] == KEYS && single[1] == KEYS / 2 && single[3] > 0);
    assert_true(single[6] == single[4] && single[7] == single[5]);
    for (int turn = 0; turn < 2; turn++) {
        vv_metrics_enable(false);
        assert_vv_ok(vv_hamt_vacate(map, &root, &err));
        vv_metrics_enable(true);
        vv_metrics_reset(NULL);
        assert_vv_ok(vv_hamt_get_many(map, keys, KEYS, outs, statuses, &err));
        for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++)
            if (count(names[k]) != single[k])
                fail_msg("%s: %g in one call, %g one by one", names[k], count(names[k]),
                         single[k]);
    }
    for (size_t i = 0; i < KEYS; i++)
        vv_buf_clear(&outs[i]);
    vv_hamt_free(map);
    vv_blockstore_free(blocks);
}

static void nodes_of_maps_that_are_written_are_not_counted(void **state)
{
    vv_blockstore *blocks = NULL;
    vv_hamt *map = NULL;
    vv_buf out = VV_BUF_INIT;
    vv_cid root;

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&blocks, &err));
    assert_vv_ok(vv_hamt_open(blocks, NULL, NULL, &map, &err));
    assert_vv_ok(vv_hamt_set(map, vv_bytes_of("a"), vv_bytes_of("\x01"), &err));
    assert_vv_ok(vv_hamt_vacate(map, &root, &err));
    assert_vv_ok(vv_hamt_get(map, vv_bytes_of("a"), VV_RANGE_ALL, &out, &err));
    assert_true(count("hamt_lookup.found") == 1);
    assert_true(count("hamt_node_load.total") == 0);
    vv_buf_clear(&out);
    vv_hamt_free(map);
    vv_blockstore_free(blocks);
}

/* ---- stores ---------------------------------------------------------------------------------------- */

typedef struct stage {
    vv_blockstore *blocks;
    vv_store *store; /* a HAMT store, open for reading */
} stage;

static void stage_init(stage *self)
{
    vv_hamt_options options = VV_HAMT_OPTIONS_INIT;
    vv_store *store = NULL;
    char key[32];
    vv_cid root;

    assert_vv_ok(vv_memory_blockstore_new(&self->blocks, &err));
    assert_vv_ok(vv_hamt_store_open(self->blocks, NULL, NULL, &store, &err));
    for (int i = 0; i < 40; i++) {
        snprintf(key, sizeof(key), "t/c/%d", i);
        assert_vv_ok(vv_store_set(store, key, vv_bytes_of(key), &err));
    }
    assert_vv_ok(vv_store_set(store, "t/zarr.json", vv_bytes_of("{}"), &err));
    assert_vv_ok(vv_store_commit(store, &root, &err));
    vv_store_free(store);
    options.read_only = true;
    assert_vv_ok(vv_hamt_store_open(self->blocks, &root, &options, &self->store, &err));
}

static void stage_clear(stage *self)
{
    vv_store_free(self->store);
    vv_blockstore_free(self->blocks);
}

static void a_document_is_looked_up_once_and_kept(void **state)
{
    vv_buf out = VV_BUF_INIT;
    stage all;

    (void)state;
    stage_init(&all);
    vv_metrics_reset(NULL);
    for (int i = 0; i < 3; i++) {
        assert_vv_ok(vv_store_get(all.store, "t/zarr.json", VV_RANGE_ALL, &out, &err));
        assert_int_equal(out.len, 2);
    }
    assert_true(count("hamt_store.get.metadata.hit") == 3);
    assert_true(count("hamt_lookup.total") == 1);
    assert_true(count("varvite.store.get.HAMT.ok") == 3);
    assert_vv_ok(vv_metrics_prometheus(&out, &err));
    assert_non_null(memmem(out.data, out.len, "varvite_store=\"hamt\"", 20));
    /* A part of it is asked for anew. */
    assert_vv_ok(vv_store_get(all.store, "t/zarr.json", VV_RANGE_AT(1), &out, &err));
    assert_memory_equal(out.data, "}", 1);
    assert_true(count("hamt_store.get.metadata.byte_range") == 1);
    assert_true(count("hamt_lookup.total") == 2);
    vv_buf_clear(&out);
    stage_clear(&all);
}

/* Every way to read, on a stage that is there. */
static vv_status read_all_ways(void *ctx)
{
    static const char *const wanted[] = { "t/c/1", "t/c/2", "nothing", "t/zarr.json" };
    stage *self = ctx;
    vv_buf out = VV_BUF_INIT;
    vv_buf outs[4] = { VV_BUF_INIT, VV_BUF_INIT, VV_BUF_INIT, VV_BUF_INIT };
    vv_status statuses[4];
    vv_cid root;
    vv_status status;

    status = vv_hamt_vacate(vvi_hamt_store_map(self->store), &root, NULL);
    if (!status)
        status = vv_store_get(self->store, "t/c/7", VV_RANGE_ALL, &out, NULL);
    if (!status)
        status = vv_store_get(self->store, "t/zarr.json", VV_RANGE_ALL, &out, NULL);
    if (!status)
        status = vv_store_get_many(self->store, wanted, NULL, 4, outs, statuses, NULL);
    vv_buf_clear(&out);
    for (size_t i = 0; i < 4; i++)
        vv_buf_clear(&outs[i]);
    return status;
}

typedef struct thrifty {
    stage *stage;
    bool counting;
} thrifty;

static vv_status read_from_new_handle(void *ctx)
{
    thrifty *self = ctx;
    vv_hamt_options options = VV_HAMT_OPTIONS_INIT;
    stage all = { .blocks = self->stage->blocks };
    vv_status status;
    vv_cid root;

    vv_metrics_enable(true);
    vv_metrics_keep_spans(20);
    status = vv_store_commit(self->stage->store, &root, NULL);
    options.read_only = true;
    if (!status)
        status = vv_hamt_store_open(all.blocks, &root, &options, &all.store, NULL);
    if (!status)
        status = read_all_ways(&all);
    vv_store_free(all.store);
    vv_metrics_keep_spans(0);
    vv_metrics_reset(NULL);
    vv_metrics_enable(false);
    return status;
}

/* Counting takes memory too; where there is none, calls go on as without it. */
static void counting_fails_no_call(void **state)
{
    thrifty all;
    stage here;

    (void)state;
    stage_init(&here);
    vv_metrics_reset(NULL);
    vv_metrics_enable(false);
    all.stage = &here;
    survives_failing_allocations(read_from_new_handle, &all);
    stage_clear(&here);
}

static void *read_often(void *ctx)
{
    for (int i = 0; i < 100; i++)
        if (read_all_ways(ctx))
            return ctx;
    return NULL;
}

#define THREADS 4

static void readers_in_many_threads_are_all_counted(void **state)
{
    pthread_t threads[THREADS];
    stage all;

    (void)state;
    stage_init(&all);
    vv_metrics_reset(NULL);
    vv_metrics_keep_spans(1000);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_often, &all), 0);
    for (int i = 0; i < 20; i++) {
        vv_buf text = VV_BUF_INIT;

        json_decref(snapshot());
        assert_vv_ok(vv_metrics_prometheus(&text, &err));
        assert_vv_ok(vv_metrics_otlp(VV_OTLP_TRACES, NULL, &text, &err));
        vv_buf_clear(&text);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *failed = NULL;

        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_true(count("hamt_store.get.chunk.total") == THREADS * 100 * 4);
    assert_true(count("hamt_store.get.chunk.miss") == THREADS * 100);
    assert_true(count("hamt_store.get.metadata.hit") == THREADS * 100 * 2);
    assert_true(count("hamt_lookup.node_loads.total") == count("hamt_node_load.total"));
    vv_metrics_keep_spans(0);
    stage_clear(&all);
}

int main(void)
{
#define TEST(test_) cmocka_unit_test_setup_teardown(test_, begin_anew, forget)
    const struct CMUnitTest tests[] = {
        TEST(retries_belong_to_the_load_that_the_backend_means),
        TEST(statuses_of_loads_are_told_apart),
        TEST(a_cache_counts_its_hits_and_the_store_below_its_loads),
        TEST(keys_of_one_call_count_as_single_ones),
        TEST(nodes_of_maps_that_are_written_are_not_counted),
        TEST(a_document_is_looked_up_once_and_kept),
        TEST(counting_fails_no_call),
        TEST(readers_in_many_threads_are_all_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
