/* A million keys of a HAMT as a sharded root, and back: streamed, verified in the end. The source lies in a
 * local store; peak_bytes is the most memory that the library had allocated at once, so without pages of
 * the store's files. */
#include "bench.h"

#include <varvite/local.h>
#include <varvite/sharded.h>

#include <inttypes.h>
#include <malloc.h>

#define COLUMNS   1000u
#define PER_SHARD 6250u

static uint64_t live_bytes, peak_bytes; /* atomic */

static void count(size_t more, size_t less)
{
    uint64_t now = __atomic_add_fetch(&live_bytes, more - less, __ATOMIC_RELAXED);

    if (now > __atomic_load_n(&peak_bytes, __ATOMIC_RELAXED))
        __atomic_store_n(&peak_bytes, now, __ATOMIC_RELAXED);
}

static void *counted_alloc(void *ctx, size_t size)
{
    void *made = malloc(size);

    (void)ctx;
    count(malloc_usable_size(made), 0);
    return made;
}

static void *counted_realloc(void *ctx, void *ptr, size_t size)
{
    const size_t before = malloc_usable_size(ptr);
    void *made = realloc(ptr, size);

    (void)ctx;
    if (made)
        count(malloc_usable_size(made), before);
    return made;
}

static void counted_free(void *ctx, void *ptr)
{
    (void)ctx;
    count(0, malloc_usable_size(ptr));
    free(ptr);
}

static void fill(vv_blockstore *blocks, uint64_t keys, vv_cid *root)
{
    vv_hamt_options options = VV_HAMT_OPTIONS_INIT;
    vv_hamt *map = NULL;
    char text[200];
    vv_cid value;

    options.values = VV_HAMT_BYTES;
    BENCH_OK(vv_hamt_open(blocks, NULL, &options, &map, &bench_error));
    snprintf(text, sizeof(text),
             "{\"zarr_format\": 3, \"node_type\": \"array\", \"shape\": [%" PRIu64
             ", %u], \"chunk_grid\": {\"name\": \"regular\", "
             "\"configuration\": {\"chunk_shape\": [1, 1]}}}",
             keys / COLUMNS, COLUMNS);
    BENCH_OK(vv_hamt_set(map, vv_bytes_of("0/temperature/zarr.json"), vv_bytes_of(text),
                         &bench_error));
    for (uint64_t i = 0; i < keys; i++) {
        /* Blocks of chunks are not needed: only their names are written. */
        BENCH_OK(vv_cid_of(&VV_PREFIX_RAW_BLAKE3, (vv_bytes){ (uint8_t *)&i, sizeof(i) },
                           &value, &bench_error));
        snprintf(text, sizeof(text), "0/temperature/c/%" PRIu64 "/%" PRIu64, i / COLUMNS,
                 i % COLUMNS);
        BENCH_OK(vv_hamt_set_pointer(map, vv_bytes_of(text), &value, &bench_error));
    }
    BENCH_OK(vv_hamt_flush(map, root, &bench_error));
    BENCH_OK(vv_blockstore_flush(blocks, &bench_error));
    vv_hamt_free(map);
}

static void convert(vv_blockstore *blocks, const char *name, const vv_cid *from,
                    vv_conversion to, bool unverified, vv_cid *root)
{
    vv_conversion_options options = VV_CONVERSION_OPTIONS_INIT;
    vv_conversion_result result;
    bench_timer timer;

    options.sharded = VV_SHARDED_OPTIONS_INIT;
    options.sharded.chunks_per_shard = PER_SHARD;
    options.hamt = VV_HAMT_OPTIONS_INIT;
    options.unverified = unverified;
    peak_bytes = live_bytes;
    timer = bench_begin();
    BENCH_OK(vv_sharded_convert(blocks, from, to, &options, root, &result, &bench_error));
    timer = bench_end(&timer);
    bench_line(name, result.keys, &timer,
               "\"passes\":%" PRIu64 ",\"peak_bytes\":%" PRIu64, result.passes,
               peak_bytes);
}

int main(int argc, char **argv)
{
    static const vv_allocator counted = { counted_alloc, counted_realloc, counted_free,
                                          NULL };
    const uint64_t keys = bench_size(1000000, 20000);
    char *directory = bench_directory();
    vv_local_options local = VV_LOCAL_OPTIONS_INIT;
    vv_blockstore *blocks = NULL;
    char path[4096];
    vv_cid hamt;
    vv_cid sharded;

    vv_set_allocator(&counted);
    bench_main(argc, argv);
    if (bench_wants("convert/to")) {
        local.create = true;
        snprintf(path, sizeof(path), "%s/store", directory);
        BENCH_OK(vv_local_open(path, &local, &blocks, &bench_error));
        fill(blocks, keys, &hamt);
        convert(blocks, "convert/to_sharded_unverified", &hamt, VV_TO_SHARDED_V2, true,
                &sharded);
        convert(blocks, "convert/to_sharded", &hamt, VV_TO_SHARDED_V2, false, &sharded);
        convert(blocks, "convert/to_hamt", &sharded, VV_TO_HAMT, false, &hamt);
        vv_blockstore_free(blocks);
    }
    bench_remove_directory(directory);
    return 0;
}
