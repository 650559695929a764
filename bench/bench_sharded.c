/* Sharded stores: a million small chunks set and committed, got at random among ten million, listed, resized. */
#include "bench.h"

#include <inttypes.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCH  1000u
#define SIDE   1000u /* chunks of a row */
#define SHARD  6250u /* chunks of a shard */
#define TURNS  100u
#define VALUES 1000u /* different chunks of the large root */

static vv_store *new_store(vv_blockstore *blocks, uint64_t chunks, size_t cache_bytes)
{
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    const uint64_t shape[2] = { chunks / SIDE, SIDE };
    const uint64_t ones[2] = { 1, 1 };
    vv_store *store = NULL;

    options.ndim = 2;
    options.array_shape = shape;
    options.chunk_shape = ones;
    options.primary_array_path = "g/temperature";
    options.cache_bytes = cache_bytes;
    BENCH_OK(vv_sharded_store_open(blocks, NULL, &options, &store, &bench_error));
    return store;
}

static vv_store *open_store(vv_blockstore *blocks, const vv_cid *root)
{
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    vv_store *store = NULL;

    options.read_only = true;
    BENCH_OK(vv_sharded_store_open(blocks, root, &options, &store, &bench_error));
    return store;
}

/* Texts of keys, made before anything is measured: they are the caller's. */
typedef struct keys {
    uint64_t count;
    char (*texts)[BENCH_KEY_MAX];
    const char **keys;
    uint8_t (*bytes)[BENCH_VALUE_BYTES];
    vv_bytes *values;
} keys;

static void name_key(keys *all, uint64_t at, uint64_t number)
{
    snprintf(all->texts[at], sizeof(all->texts[at]),
             "g/temperature/c/%" PRIu64 "/%" PRIu64, number / SIDE, number % SIDE);
    all->keys[at] = all->texts[at];
    all->values[at] = bench_value(all->bytes[at], number);
}

/* random_of 0: the first count ones in their order. */
static keys new_keys(uint64_t count, uint64_t random_of)
{
    keys all = { .count = count,
                 .texts = malloc(count * sizeof(*all.texts)),
                 .keys = malloc(count * sizeof(*all.keys)),
                 .bytes = malloc(count * sizeof(*all.bytes)),
                 .values = malloc(count * sizeof(*all.values)) };
    uint64_t state = 1;

    if (!all.texts || !all.keys || !all.bytes || !all.values)
        exit(1);
    for (uint64_t i = 0; i < count; i++)
        name_key(&all, i, random_of ? bench_random(&state) % random_of : i);
    return all;
}

static void free_keys(keys *all)
{
    free(all->texts);
    free(all->keys);
    free(all->bytes);
    free(all->values);
}

static void set_in_batches(vv_store *store, const keys *all)
{
    for (uint64_t i = 0; i < all->count; i += BATCH)
        BENCH_OK(vv_store_set_many(store, all->keys + i, all->values + i, BATCH,
                                   &bench_error));
}

static void set_one_by_one(vv_store *store, const keys *all)
{
    for (uint64_t i = 0; i < all->count; i++)
        BENCH_OK(vv_store_set(store, all->keys[i], all->values[i], &bench_error));
}

static void bench_set(uint64_t count, bool batches)
{
    keys all = new_keys(count, 0);
    vv_blockstore *blocks = NULL;
    bench_timer begin, passed;
    vv_store *store;
    vv_cid root;

    BENCH_OK(vv_memory_blockstore_new(&blocks, &bench_error));
    store = new_store(blocks, count, 0);
    begin = bench_begin();
    if (batches)
        set_in_batches(store, &all);
    else
        set_one_by_one(store, &all);
    BENCH_OK(vv_store_commit(store, &root, &bench_error));
    passed = bench_end(&begin);
    bench_line(batches ? "sharded/set" : "sharded/set_single", count, &passed, NULL);
    free_keys(&all);
    vv_store_free(store);
    vv_blockstore_free(blocks);
}

static vv_status count_key(void *ctx, const char *key, vv_error *err)
{
    (void)key;
    (void)err;
    ++*(uint64_t *)ctx;
    return VV_OK;
}

static void bench_list(uint64_t count)
{
    keys all = new_keys(count, 0);
    vv_blockstore *blocks = NULL;
    bench_timer begin, passed;
    uint64_t seen = 0;
    vv_store *store;
    vv_cid root;

    BENCH_OK(vv_memory_blockstore_new(&blocks, &bench_error));
    store = new_store(blocks, count, 0);
    set_in_batches(store, &all);
    BENCH_OK(vv_store_commit(store, &root, &bench_error));
    vv_store_free(store);
    store = open_store(blocks, &root);
    begin = bench_begin();
    BENCH_OK(vv_store_list(store, "", count_key, &seen, &bench_error));
    passed = bench_end(&begin);
    bench_line("sharded/list", seen, &passed, NULL);
    free_keys(&all);
    vv_store_free(store);
    vv_blockstore_free(blocks);
}

/* A root of count chunks, of which only VALUES are different. */
static vv_cid make_large(vv_blockstore *blocks, uint64_t count)
{
    vv_store *store = new_store(blocks, count, 0);
    uint8_t bytes[BENCH_VALUE_BYTES];
    vv_cid *cids = malloc(VALUES * sizeof(*cids));
    char key[BENCH_KEY_MAX];
    vv_cid root;

    if (!cids)
        exit(1);
    for (uint64_t i = 0; i < VALUES; i++)
        BENCH_OK(vv_blockstore_put(blocks, &VV_PREFIX_RAW_BLAKE3, bench_value(bytes, i),
                                   &cids[i], &bench_error));
    for (uint64_t i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "g/temperature/c/%" PRIu64 "/%" PRIu64, i / SIDE,
                 i % SIDE);
        BENCH_OK(vv_store_set_pointer(store, key, &cids[i * 7 % VALUES], &bench_error));
    }
    BENCH_OK(vv_store_commit(store, &root, &bench_error));
    vv_store_free(store);
    free(cids);
    return root;
}

static void get_one_by_one(const char *name, vv_store *store, const keys *asked)
{
    vv_buf out = VV_BUF_INIT;
    bench_timer begin, passed;
    vv_sharded_info info = VV_SHARDED_INFO_INIT;

    begin = bench_begin();
    for (uint64_t i = 0; i < asked->count; i++)
        BENCH_OK(vv_store_get(store, asked->keys[i], VV_RANGE_ALL, &out, &bench_error));
    passed = bench_end(&begin);
    BENCH_OK(vv_sharded_store_info(store, &info, &bench_error));
    bench_line(name, asked->count, &passed, "\"cached_bytes\":%" PRIu64,
               info.cached_bytes);
    vv_buf_clear(&out);
}

static void get_in_batches(const char *name, vv_store *store, const keys *asked)
{
    static vv_buf outs[BATCH];
    bench_timer begin = bench_begin();
    bench_timer passed;

    for (uint64_t i = 0; i < asked->count; i += BATCH)
        BENCH_OK(vv_store_get_many(store, asked->keys + i, NULL, BATCH, outs, NULL,
                                   &bench_error));
    passed = bench_end(&begin);
    bench_line(name, asked->count, &passed, NULL);
    for (size_t i = 0; i < BATCH; i++)
        vv_buf_clear(&outs[i]);
}

static void bench_get(uint64_t count)
{
    /* Warm: in twenty shards, all of them read before. */
    keys everywhere = new_keys(bench_size(20000, 2000), count);
    keys near = new_keys(bench_size(200000, 20000), bench_size(20 * SHARD, 2 * SHARD));
    vv_blockstore *blocks = NULL;
    vv_store *store;
    vv_cid root;

    BENCH_OK(vv_memory_blockstore_new(&blocks, &bench_error));
    root = make_large(blocks, count);
    store = open_store(blocks, &root);
    get_one_by_one("sharded/get_cold", store, &everywhere);
    vv_store_free(store);
    store = open_store(blocks, &root);
    get_in_batches("sharded/get_near_cold", store, &near);
    get_one_by_one("sharded/get_warm_single", store, &near);
    get_in_batches("sharded/get_warm", store, &near);
    vv_store_free(store);
    vv_blockstore_free(blocks);
    free_keys(&everywhere);
    free_keys(&near);
}

/* Growing along the first dimension, and along the second, where every chunk moves. */
static void bench_resize(uint64_t count)
{
    const uint64_t wider[2] = { count / SIDE + TURNS, SIDE + 1 };
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    vv_blockstore *blocks = NULL;
    bench_timer begin, passed;
    vv_store *store;
    vv_cid root;

    BENCH_OK(vv_memory_blockstore_new(&blocks, &bench_error));
    root = make_large(blocks, count);
    BENCH_OK(vv_sharded_store_open(blocks, &root, &options, &store, &bench_error));
    begin = bench_begin();
    for (uint64_t i = 1; i <= TURNS; i++)
        BENCH_OK(vv_sharded_store_resize(
            store, NULL, 2, (const uint64_t[]){ count / SIDE + i, SIDE }, &bench_error));
    passed = bench_end(&begin);
    bench_line("sharded/resize_leading", TURNS, &passed, NULL);
    BENCH_OK(vv_store_commit(store, &root, &bench_error));
    begin = bench_begin();
    BENCH_OK(vv_sharded_store_resize(store, NULL, 2, wider, &bench_error));
    BENCH_OK(vv_store_commit(store, &root, &bench_error));
    passed = bench_end(&begin);
    bench_line("sharded/resize_trailing", count, &passed, NULL);
    vv_store_free(store);
    vv_blockstore_free(blocks);
}

#define DOCUMENT                                                           \
    "{\"zarr_format\": 3, \"node_type\": \"array\", \"shape\": [%" PRIu64  \
    ", 1000], \"chunk_grid\": {\"name\": \"regular\", \"configuration\": " \
    "{\"chunk_shape\": [1, 1]}}}"

/* A HAMT of as many chunks and their document, on the disk. */
static void make_hamt(const char *directory, uint64_t count, vv_cid *root)
{
    vv_local_options options = VV_LOCAL_OPTIONS_INIT;
    vv_blockstore *blocks = NULL;
    keys all = new_keys(count, 0);
    char document[256];
    vv_store *store = NULL;

    options.create = true;
    BENCH_OK(vv_local_open(directory, &options, &blocks, &bench_error));
    BENCH_OK(vv_hamt_store_open(blocks, NULL, NULL, &store, &bench_error));
    set_in_batches(store, &all);
    snprintf(document, sizeof(document), DOCUMENT, count / SIDE);
    BENCH_OK(vv_store_set(store, "g/temperature/zarr.json", vv_bytes_of(document),
                          &bench_error));
    BENCH_OK(vv_store_commit(store, root, &bench_error));
    vv_store_free(store);
    vv_blockstore_free(blocks);
    free_keys(&all);
}

/* The map is made in a process of its own, so that its memory does not count. */
static void bench_convert(uint64_t count)
{
    vv_local_options options = VV_LOCAL_OPTIONS_INIT;
    char *directory = bench_directory();
    vv_blockstore *blocks = NULL;
    bench_timer begin, passed;
    int ends[2], status = 1;
    vv_cid root, made;
    pid_t child;

    if (pipe(ends) || (child = fork()) < 0)
        exit(1);
    if (child == 0) {
        make_hamt(directory, count, &root);
        _exit(write(ends[1], &root, sizeof(root)) != (ssize_t)sizeof(root));
    }
    if (waitpid(child, &status, 0) != child || status ||
        read(ends[0], &root, sizeof(root)) != (ssize_t)sizeof(root))
        exit(1);
    BENCH_OK(vv_local_open(directory, &options, &blocks, &bench_error));
    begin = bench_begin();
    BENCH_OK(vv_sharded_convert(blocks, &root, VV_TO_SHARDED_V2, NULL, &made, NULL,
                                &bench_error));
    passed = bench_end(&begin);
    bench_line("sharded/convert", count, &passed, "\"peak_rss\":%" PRIu64,
               bench_peak_rss());
    vv_blockstore_free(blocks);
    bench_remove_directory(directory);
}

int main(int argc, char **argv)
{
    uint64_t count = bench_size(1000000, 20000);

    bench_main(argc, argv);
    if (bench_wants("sharded/convert")) /* first: its peak of memory is told */
        bench_convert(count);
    if (bench_wants("sharded/set"))
        bench_set(count, true);
    if (bench_wants("sharded/set_single"))
        bench_set(count, false);
    if (bench_wants("sharded/list"))
        bench_list(count);
    if (bench_wants("sharded/resize"))
        bench_resize(count);
    if (bench_wants("sharded/get"))
        bench_get(bench_size(10000000, 100000));
    return 0;
}
