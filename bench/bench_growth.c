/* What a key costs in maps of 10 k to 5 M keys on the local store: set with flush, get, verify. */
#include "bench.h"

#include <inttypes.h>

#define GETS 100000u

static vv_hamt *open_map(vv_blockstore *blocks, const vv_cid *root)
{
    vv_hamt_options options = VV_HAMT_OPTIONS_INIT;
    vv_hamt *map = NULL;

    options.values = VV_HAMT_BYTES;
    options.read_only = root != NULL;
    options.clean_cache_bytes = (size_t)2 << 30; /* nodes that were read stay */
    BENCH_OK(vv_hamt_open(blocks, root, &options, &map, &bench_error));
    return map;
}

/* Keys are set a batch at a time, as an import does it. */
#define BATCH 1000u
static vv_cid set_keys(vv_blockstore *blocks, uint64_t count)
{
    static char texts[BATCH][BENCH_KEY_MAX];
    static uint8_t bytes[BATCH][BENCH_VALUE_BYTES];
    static vv_bytes keys[BATCH], values[BATCH];
    vv_hamt *map = open_map(blocks, NULL);
    vv_cid root;

    for (uint64_t i = 0; i < count; i += BATCH) {
        for (uint64_t k = 0; k < BATCH; k++) {
            keys[k] = (vv_bytes){ (uint8_t *)texts[k], bench_key(texts[k], i + k) };
            values[k] = bench_value(bytes[k], i + k);
        }
        BENCH_OK(vv_hamt_set_many(map, keys, values, BATCH, NULL, &bench_error));
    }
    BENCH_OK(vv_hamt_flush(map, &root, &bench_error));
    BENCH_OK(vv_blockstore_flush(blocks, &bench_error));
    vv_hamt_free(map);
    return root;
}

/* Every key once, a batch at a time, from a map just opened: what a whole read costs. */
static void get_all(vv_blockstore *blocks, const vv_cid *root, uint64_t count)
{
    static char texts[BATCH][BENCH_KEY_MAX];
    static vv_bytes keys[BATCH];
    static vv_buf outs[BATCH];
    vv_hamt *map = open_map(blocks, root);

    for (uint64_t i = 0; i < count; i += BATCH) {
        for (uint64_t k = 0; k < BATCH; k++)
            keys[k] = (vv_bytes){ (uint8_t *)texts[k], bench_key(texts[k], i + k) };
        BENCH_OK(vv_hamt_get_many(map, keys, BATCH, outs, NULL, &bench_error));
        for (uint64_t k = 0; k < BATCH; k++)
            vv_buf_clear(&outs[k]);
    }
    vv_hamt_free(map);
}

/* So many keys at random, one by one, from a map just opened. The more keys it has, the fewer of these
 * find their node read already. */
static void get_some(vv_blockstore *blocks, const vv_cid *root, uint64_t count)
{
    vv_hamt *map = open_map(blocks, root);
    vv_buf out = VV_BUF_INIT;
    uint64_t state = 1;
    char key[BENCH_KEY_MAX];

    for (uint64_t i = 0; i < GETS; i++) {
        vv_bytes text = { (uint8_t *)key, bench_key(key, bench_random(&state) % count) };

        BENCH_OK(vv_hamt_get(map, text, VV_RANGE_ALL, &out, &bench_error));
    }
    vv_buf_clear(&out);
    vv_hamt_free(map);
}

static void verify_keys(vv_blockstore *blocks, const vv_cid *root, uint64_t count)
{
    vv_verify_options options = VV_VERIFY_OPTIONS_INIT;
    vv_verify_result result;

    options.threads = 1;
    options.hamt.values = VV_HAMT_BYTES;
    BENCH_OK(vv_hamt_verify(blocks, root, &options, &result, &bench_error));
    if (result.keys != count || !result.complete) {
        fprintf(stderr, "bench: verified %" PRIu64 " of %" PRIu64 " keys\n", result.keys,
                count);
        exit(1);
    }
}

static void measure(uint64_t count)
{
    vv_local_options options = VV_LOCAL_OPTIONS_INIT;
    char *directory = bench_directory();
    vv_blockstore *blocks = NULL;
    bench_timer begin, passed;
    vv_cid root;

    options.create = true;
    BENCH_OK(vv_local_open(directory, &options, &blocks, &bench_error));
    begin = bench_begin();
    root = set_keys(blocks, count);
    passed = bench_end(&begin);
    bench_line("growth/set", count, &passed, "\"n\":%" PRIu64, count);
    begin = bench_begin();
    get_all(blocks, &root, count);
    passed = bench_end(&begin);
    bench_line("growth/get", count, &passed, "\"n\":%" PRIu64, count);
    begin = bench_begin();
    get_some(blocks, &root, count);
    passed = bench_end(&begin);
    bench_line("growth/get_some", GETS, &passed, "\"n\":%" PRIu64, count);
    begin = bench_begin();
    verify_keys(blocks, &root, count);
    passed = bench_end(&begin);
    bench_line("growth/verify", count, &passed, "\"n\":%" PRIu64 ",\"peak_rss\":%" PRIu64,
               count, bench_peak_rss());
    vv_blockstore_free(blocks);
    bench_remove_directory(directory);
}

int main(int argc, char **argv)
{
    const uint64_t sizes[] = { 10000, 100000, 1000000, 5000000 };
    size_t n = bench_size(4, 2);

    bench_main(argc, argv);
    if (!bench_wants("growth"))
        return 0;
    for (size_t i = 0; i < n; i++)
        measure(sizes[i]);
    return 0;
}
