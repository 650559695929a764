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

/* Texts of keys and values are made before anything is measured: they are the caller's. */
typedef struct keys {
    uint64_t count;
    char (*texts)[BENCH_KEY_MAX];
    vv_bytes *keys;
    uint8_t (*bytes)[BENCH_VALUE_BYTES];
    vv_bytes *values;
} keys;

static keys new_keys(uint64_t count)
{
    keys all = { .count = count,
                 .texts = malloc(count * sizeof(*all.texts)),
                 .keys = malloc(count * sizeof(*all.keys)),
                 .bytes = malloc(count * sizeof(*all.bytes)),
                 .values = malloc(count * sizeof(*all.values)) };

    if (!all.texts || !all.keys || !all.bytes || !all.values)
        exit(1);
    return all;
}

static void name_key(keys *all, uint64_t at, uint64_t number)
{
    all->keys[at] = (vv_bytes){ (uint8_t *)all->texts[at],
                                bench_key(all->texts[at], number) };
    all->values[at] = bench_value(all->bytes[at], number);
}

static keys keys_in_order(uint64_t count)
{
    keys all = new_keys(count);

    for (uint64_t i = 0; i < count; i++)
        name_key(&all, i, i);
    return all;
}

static keys keys_at_random(uint64_t n, uint64_t of)
{
    keys all = new_keys(n);
    uint64_t state = 1;

    for (uint64_t i = 0; i < n; i++)
        name_key(&all, i, bench_random(&state) % of);
    return all;
}

static void free_keys(keys *all)
{
    free(all->texts);
    free(all->keys);
    free(all->bytes);
    free(all->values);
}

static void set_one_by_one(vv_hamt *map, const keys *all)
{
    for (uint64_t i = 0; i < all->count; i++)
        BENCH_OK(vv_hamt_set(map, all->keys[i], all->values[i], &bench_error));
}

static void set_in_batches(vv_hamt *map, const keys *all)
{
    for (uint64_t i = 0; i < all->count; i += BATCH)
        BENCH_OK(vv_hamt_set_many(map, all->keys + i, all->values + i, BATCH, NULL,
                                  &bench_error));
}

static void bench_set(uint64_t count, bool batches)
{
    keys all = keys_in_order(count);
    vv_blockstore *blocks = NULL;
    bench_timer begin, passed;
    vv_hamt *map;

    BENCH_OK(vv_memory_blockstore_new(&blocks, &bench_error));
    map = open_map(blocks, NULL);
    begin = bench_begin();
    if (batches)
        set_in_batches(map, &all);
    else
        set_one_by_one(map, &all);
    passed = bench_end(&begin);
    bench_line(batches ? "hamt/set" : "hamt/set_single", count, &passed, NULL);
    free_keys(&all);
    vv_hamt_free(map);
    vv_blockstore_free(blocks);
}

static void bench_flush(uint64_t count)
{
    keys all = keys_in_order(count);
    vv_blockstore *blocks = NULL;
    bench_timer begin, passed;
    vv_hamt *map;

    BENCH_OK(vv_memory_blockstore_new(&blocks, &bench_error));
    map = open_map(blocks, NULL);
    set_in_batches(map, &all);
    begin = bench_begin();
    BENCH_OK(vv_hamt_flush(map, NULL, &bench_error));
    passed = bench_end(&begin);
    bench_line("hamt/flush", count, &passed, NULL);
    free_keys(&all);
    vv_hamt_free(map);
    vv_blockstore_free(blocks);
}

static void get_one_by_one(const char *name, vv_hamt *map, const keys *asked)
{
    vv_buf out = VV_BUF_INIT;
    bench_timer begin = bench_begin();
    bench_timer passed;

    for (uint64_t i = 0; i < asked->count; i++)
        BENCH_OK(vv_hamt_get(map, asked->keys[i], VV_RANGE_ALL, &out, &bench_error));
    passed = bench_end(&begin);
    bench_line(name, asked->count, &passed, NULL);
    vv_buf_clear(&out);
}

static void get_in_batches(const char *name, vv_hamt *map, const keys *asked)
{
    static vv_buf outs[BATCH];
    bench_timer begin = bench_begin();
    bench_timer passed;

    for (uint64_t i = 0; i < asked->count; i += BATCH)
        BENCH_OK(vv_hamt_get_many(map, asked->keys + i, BATCH, outs, NULL, &bench_error));
    passed = bench_end(&begin);
    bench_line(name, asked->count, &passed, NULL);
    for (size_t i = 0; i < BATCH; i++)
        vv_buf_clear(&outs[i]);
}

/* Are the values those that were set? Not measured. */
static void check_values(vv_hamt *map, const keys *asked)
{
    vv_buf out = VV_BUF_INIT;

    for (uint64_t i = 0; i < asked->count; i += 7) {
        BENCH_OK(vv_hamt_get_many(map, asked->keys + i, 1, &out, NULL, &bench_error));
        if (out.len != asked->values[i].len ||
            memcmp(out.data, asked->values[i].data, out.len) != 0) {
            fprintf(stderr, "bench: another value for %s\n", asked->texts[i]);
            exit(1);
        }
    }
    vv_buf_clear(&out);
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

/* A map just opened on a store on the disk, and again when its nodes were read. */
static void bench_get_local(const keys *all, const keys *asked)
{
    vv_local_options options = VV_LOCAL_OPTIONS_INIT;
    char *directory = bench_directory();
    vv_blockstore *blocks = NULL;
    vv_hamt *map;
    vv_cid root;

    options.create = true;
    BENCH_OK(vv_local_open(directory, &options, &blocks, &bench_error));
    map = open_map(blocks, NULL);
    set_in_batches(map, all);
    BENCH_OK(vv_hamt_flush(map, &root, &bench_error));
    BENCH_OK(vv_blockstore_flush(blocks, &bench_error));
    vv_hamt_free(map);
    vv_blockstore_free(blocks);
    BENCH_OK(vv_local_open(directory, &options, &blocks, &bench_error));
    map = open_map(blocks, &root);
    get_one_by_one("hamt/get_cold", map, asked);
    get_one_by_one("hamt/get_warm_local", map, asked);
    bench_list(map);
    vv_hamt_free(map);
    map = open_map(blocks, &root);
    get_in_batches("hamt/get_cold_many", map, asked);
    get_in_batches("hamt/get_warm_local_many", map, asked);
    vv_hamt_free(map);
    bench_delete(blocks, &root, all->count);
    vv_blockstore_free(blocks);
    bench_remove_directory(directory);
}

/* As the peer: blocks in memory, a map opened anew, and every key asked for was so once before. */
static void bench_get_memory(const keys *all, const keys *asked)
{
    vv_blockstore *blocks = NULL;
    vv_hamt *map;
    vv_cid root;

    BENCH_OK(vv_memory_blockstore_new(&blocks, &bench_error));
    map = open_map(blocks, NULL);
    set_in_batches(map, all);
    BENCH_OK(vv_hamt_flush(map, &root, &bench_error));
    vv_hamt_free(map);
    map = open_map(blocks, &root);
    get_one_by_one("hamt/get_cold_memory", map, asked);
    get_one_by_one("hamt/get_warm_single", map, asked);
    get_in_batches("hamt/get_warm", map, asked);
    check_values(map, asked);
    vv_hamt_free(map);
    vv_blockstore_free(blocks);
}

static void bench_get(uint64_t count)
{
    keys all = keys_in_order(count);
    keys asked = keys_at_random(bench_size(50000, 5000), count);

    bench_get_memory(&all, &asked);
    bench_get_local(&all, &asked);
    free_keys(&asked);
    free_keys(&all);
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
