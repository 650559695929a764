/* Hashing beside the libraries that it is held against, called directly in the same run. */
#include "bench.h"

#include <blake3.h>
#ifdef HAVE_ISAL
#include <isa-l/crc.h>
#endif

#define LARGE    (1u << 20)
#define KEY_SIZE 32
#define BATCH    1024

static uint8_t *data;
/* What comes out is added up and looked at, so that no call can be left out. */
static uint64_t sum;

static void official(vv_bytes input, uint8_t out[VV_BLAKE3_SIZE])
{
    blake3_hasher hasher;

    blake3_hasher_init(&hasher);
    blake3_hasher_update(&hasher, input.data, input.len);
    blake3_hasher_finalize(&hasher, out, VV_BLAKE3_SIZE);
}

static void hash_ours(vv_bytes input)
{
    uint8_t out[VV_BLAKE3_SIZE];

    vv_blake3(input, out);
    sum += out[0];
}

static void hash_official(vv_bytes input)
{
    uint8_t out[VV_BLAKE3_SIZE];

    official(input, out);
    sum += out[0];
}

static void hash_sha256(vv_bytes input)
{
    uint8_t out[32];

    BENCH_OK(vv_hash(VV_HASH_SHA2_256, input, out, sizeof(out), &bench_error));
    sum += out[0];
}

static void crc_ours(vv_bytes input)
{
    sum += vv_crc32c(0, input);
}

#ifdef HAVE_ISAL
static void crc_peer(vv_bytes input)
{
    sum += ~crc32_iscsi((unsigned char *)(uintptr_t)input.data, (int)input.len, ~0u);
}
#endif

/* One call an item, each on another part of the data. */
static void run(const char *name, void (*call)(vv_bytes input), size_t len, size_t items)
{
    size_t places = LARGE * 4 / len;
    bench_timer timer;

    if (!bench_wants(name))
        return;
    for (size_t i = 0; i < items / 10 + 1; i++)
        call((vv_bytes){ data + i % places * len, len });
    timer = bench_begin();
    for (size_t i = 0; i < items; i++)
        call((vv_bytes){ data + i % places * len, len });
    timer = bench_end(&timer);
    bench_line(name, items, &timer, "\"bytes_per_item\":%zu", len);
}

static void run_many(const char *name, size_t len, size_t items)
{
    static uint8_t out[BATCH][VV_BLAKE3_SIZE];
    static vv_bytes inputs[BATCH];
    bench_timer timer;

    if (!bench_wants(name))
        return;
    for (size_t i = 0; i < BATCH; i++)
        inputs[i] = (vv_bytes){ data + i * len, len };
    vv_blake3_many(inputs, BATCH, out);
    timer = bench_begin();
    for (size_t i = 0; i < items; i += BATCH) {
        vv_blake3_many(inputs, BATCH, out);
        sum += out[i / BATCH % BATCH][0];
    }
    timer = bench_end(&timer);
    bench_line(name, (items + BATCH - 1) / BATCH * BATCH, &timer,
               "\"bytes_per_item\":%zu", len);
}

int main(int argc, char **argv)
{
    size_t large;
    size_t keys;

    bench_main(argc, argv);
    large = bench_size(500, 60);
    keys = bench_size(2000000, 200000);
    data = malloc(LARGE * 4);
    if (!data)
        return 1;
    bench_fill(data, LARGE * 4, 1);
    run("blake3/large", hash_ours, LARGE, large);
    run("blake3-official/large", hash_official, LARGE, large);
    run_many("blake3/many", KEY_SIZE, keys);
    run("blake3-official/many", hash_official, KEY_SIZE, keys);
    run("blake3/key", hash_ours, KEY_SIZE, keys);
    run_many("blake3/many_300", 300, keys / 4);
    run("blake3/block_300", hash_ours, 300, keys / 4);
    run("blake3-official/block_300", hash_official, 300, keys / 4);
    run("sha256/large", hash_sha256, LARGE, large / 4);
    run("sha256/block_300", hash_sha256, 300, keys / 4);
    run("crc32c/large", crc_ours, LARGE, large * 4);
    run("crc32c/block_300", crc_ours, 300, keys);
#ifdef HAVE_ISAL
    run("crc32c-peer/large", crc_peer, LARGE, large * 4);
    run("crc32c-peer/block_300", crc_peer, 300, keys);
#endif
    free(data);
    return sum == 0;
}
