/* A map of a million keys with 64-byte values, one thread: set, flush, get, delete, list, nodes. */
#include "bench.h"

#include "hamt/node.h"

#include <inttypes.h>

#define BATCH 1000u

static vv_hamt *open_map(vv_blockstore *blocks, const vv_cid *root)
{
    vv_hamt_options options = VV_HAMT_OPTIONS_INIT;
    vv_hamt *map = NULL;

    options.values = VV_HAMT_BYTES;
    options.read_only = root != NULL;
    /* All of the map is meant to stay in memory, as it does in the peer. */
    options.dirty_bytes = (size_t)2 << 30;
    options.clean_cache_bytes = (size_t)2 << 30;
    BENCH_OK(vv_hamt_open(blocks, root, &options, &map, &bench_error));
    return map;
}

static void set_one_by_one(vv_hamt *map, uint64_t from, uint64_t to)
{
    uint8_t bytes[BENCH_VALUE_BYTES];
    char key[BENCH_KEY_MAX];

    for (uint64_t i = from; i < to; i++) {
        vv_bytes text = { (uint8_t *)key, bench_key(key, i) };

        BENCH_OK(vv_hamt_set(map, text, bench_value(bytes, i), &bench_error));
    }
}

static void set_in_batches(vv_hamt *map, uint64_t count)
{
    static char texts[BATCH][BENCH_KEY_MAX];
    static uint8_t bytes[BATCH][BENCH_VALUE_BYTES];
    static vv_bytes keys[BATCH], values[BATCH];

    for (uint64_t i = 0; i < count; i += BATCH) {
        for (uint64_t k = 0; k < BATCH; k++) {
            keys[k] = (vv_bytes){ (uint8_t *)texts[k], bench_key(texts[k], i + k) };
            values[k] = bench_value(bytes[k], i + k);
        }
        BENCH_OK(vv_hamt_set_many(map, keys, values, BATCH, NULL, &bench_error));
    }
}

static void bench_set(uint64_t count, bool batches)
{
    vv_blockstore *blocks = NULL;
    bench_timer begin, passed;
    vv_hamt *map;

    BENCH_OK(vv_memory_blockstore_new(&blocks, &bench_error));
    map = open_map(blocks, NULL);
    begin = bench_begin();
    if (batches)
        set_in_batches(map, count);
    else
        set_one_by_one(map, 0, count);
    passed = bench_end(&begin);
    bench_line(batches ? "hamt/set" : "hamt/set_single", count, &passed, NULL);
    vv_hamt_free(map);
    vv_blockstore_free(blocks);
}

static void bench_flush(uint64_t count)
{
    vv_blockstore *blocks = NULL;
    bench_timer begin, passed;
    vv_hamt *map;

    BENCH_OK(vv_memory_blockstore_new(&blocks, &bench_error));
    map = open_map(blocks, NULL);
    set_in_batches(map, count);
    begin = bench_begin();
    BENCH_OK(vv_hamt_flush(map, NULL, &bench_error));
    passed = bench_end(&begin);
    bench_line("hamt/flush", count, &passed, NULL);
    vv_hamt_free(map);
    vv_blockstore_free(blocks);
}

static bench_timer get_random(vv_hamt *map, uint64_t count, uint64_t gets)
{
    vv_buf out = VV_BUF_INIT;
    uint64_t state = 1;
    bench_timer begin = bench_begin();
    bench_timer passed;
    char key[BENCH_KEY_MAX];

    for (uint64_t i = 0; i < gets; i++) {
        vv_bytes text = { (uint8_t *)key, bench_key(key, bench_random(&state) % count) };

        BENCH_OK(vv_hamt_get(map, text, VV_RANGE_ALL, &out, &bench_error));
    }
    passed = bench_end(&begin);
    vv_buf_clear(&out);
    return passed;
}

static vv_status count_key(void *ctx, vv_bytes key, const vv_cid *pointer, vv_error *err)
{
    (void)key;
    (void)pointer;
    (void)err;
    ++*(uint64_t *)ctx;
    return VV_OK;
}

static void bench_list(vv_hamt *map)
{
    uint64_t seen = 0;
    bench_timer begin = bench_begin();
    bench_timer passed;

    BENCH_OK(vv_hamt_iterate(map, (vv_bytes){ NULL, 0 }, count_key, &seen, &bench_error));
    passed = bench_end(&begin);
    bench_line("hamt/list", seen, &passed, NULL);
}

static void bench_delete(vv_blockstore *blocks, const vv_cid *root, uint64_t count)
{
    vv_hamt *map = open_map(blocks, root);
    uint64_t deletes = count / 2;
    bench_timer begin, passed;
    char key[BENCH_KEY_MAX];

    BENCH_OK(vv_hamt_enable_write(map, &bench_error));
    begin = bench_begin();
    for (uint64_t i = 0; i < deletes; i++) {
        vv_bytes text = { (uint8_t *)key, bench_key(key, i * 7 % count) };

        BENCH_OK(vv_hamt_delete(map, text, &bench_error));
    }
    passed = bench_end(&begin);
    bench_line("hamt/delete", deletes, &passed, NULL);
    vv_hamt_free(map);
}

/* Cold: a map just opened on a store just opened. Warm: every node was read before. */
static void bench_get(uint64_t count)
{
    vv_local_options options = VV_LOCAL_OPTIONS_INIT;
    char *directory = bench_directory();
    vv_blockstore *blocks = NULL;
    uint64_t gets = bench_size(50000, 5000);
    bench_timer passed;
    vv_hamt *map;
    vv_cid root;

    options.create = true;
    BENCH_OK(vv_local_open(directory, &options, &blocks, &bench_error));
    map = open_map(blocks, NULL);
    set_in_batches(map, count);
    BENCH_OK(vv_hamt_flush(map, &root, &bench_error));
    BENCH_OK(vv_blockstore_flush(blocks, &bench_error));
    vv_hamt_free(map);
    vv_blockstore_free(blocks);
    BENCH_OK(vv_local_open(directory, &options, &blocks, &bench_error));
    map = open_map(blocks, &root);
    passed = get_random(map, count, gets);
    bench_line("hamt/get_cold", gets, &passed, NULL);
    passed = get_random(map, count, gets);
    bench_line("hamt/get_warm", gets, &passed, NULL);
    bench_list(map);
    vv_hamt_free(map);
    bench_delete(blocks, &root, count);
    vv_blockstore_free(blocks);
    bench_remove_directory(directory);
}

/* A node of the middle of a map of 100 k keys: some 390 entries. */
static void bench_node(void)
{
    size_t turns = bench_size(20000, 1000);
    vv_buf block = VV_BUF_INIT;
    bench_timer begin, passed;
    vvi_node *node = NULL;
    vv_cid cid;
    vvi_link link;

    BENCH_OK(vv_cid_of(&VV_PREFIX_RAW_BLAKE3, (vv_bytes){ NULL, 0 }, &cid, &bench_error));
    vvi_link_of_cid(&cid, &link);
    BENCH_OK(vvi_node_new(&node, &bench_error));
    for (uint64_t i = 0; i < 390; i++) {
        char key[BENCH_KEY_MAX];
        vv_bytes text = { (uint8_t *)key, bench_key(key, i * 1237) };

        BENCH_OK(vvi_node_put(node, (unsigned)(i * 97 % 256), text,
                              (vv_bytes){ link.bytes, link.len }, &bench_error));
    }
    block.data = malloc(node->size);
    block.len = node->size;
    begin = bench_begin();
    for (size_t i = 0; i < turns; i++)
        vvi_node_encode(node, NULL, NULL, block.data);
    passed = bench_end(&begin);
    bench_line("hamt/encode_node", turns, &passed, "\"bytes_per_item\":%zu", block.len);
    vvi_node_release(node);
    begin = bench_begin();
    for (size_t i = 0; i < turns; i++) {
        BENCH_OK(vvi_node_decode((vv_bytes){ block.data, block.len },
                                 (vv_bytes){ NULL, 0 }, &node, &bench_error));
        vvi_node_release(node);
    }
    passed = bench_end(&begin);
    bench_line("hamt/decode_node", turns, &passed, "\"bytes_per_item\":%zu", block.len);
    free(block.data);
}

int main(int argc, char **argv)
{
    uint64_t count = bench_size(1000000, 20000);

    bench_main(argc, argv);
    if (bench_wants("hamt/set"))
        bench_set(count, true);
    if (bench_wants("hamt/set_single"))
        bench_set(count, false);
    if (bench_wants("hamt/flush"))
        bench_flush(bench_size(100000, 5000));
    if (bench_wants("hamt/get"))
        bench_get(count);
    if (bench_wants("hamt/node"))
        bench_node();
    return 0;
}
