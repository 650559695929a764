/* The block store in memory and the cache: small blocks, long blocks, hits, misses. */
#include "bench.h"

#define SMALL_BYTES 300
#define LONG_BYTES  ((size_t)1 << 20)

typedef struct blocks {
    uint8_t *bytes;
    vv_bytes *data;
    vv_cid *cids;
    size_t count, len;
} blocks;

static void blocks_init(blocks *self, size_t count, size_t len)
{
    *self = (blocks){ .count = count, .len = len };
    self->bytes = malloc(count * len);
    self->data = malloc(count * sizeof(*self->data));
    self->cids = malloc(count * sizeof(*self->cids));
    if (!self->bytes || !self->data || !self->cids)
        abort();
    bench_fill(self->bytes, count * len, count);
    for (size_t i = 0; i < count; i++)
        self->data[i] = (vv_bytes){ self->bytes + i * len, len };
}

static void blocks_clear(blocks *self)
{
    free(self->bytes);
    free(self->data);
    free(self->cids);
}

static void line(const char *name, const blocks *all, const bench_timer *begin)
{
    bench_timer passed = bench_end(begin);

    bench_line(name, all->count, &passed, "\"bytes_per_item\":%zu", all->len);
}

static vv_blockstore *memory_of(blocks *all)
{
    vv_blockstore *store = NULL;

    BENCH_OK(vv_memory_blockstore_new(&store, &bench_error));
    BENCH_OK(vv_blockstore_put_many(store, &VV_PREFIX_RAW_BLAKE3, all->data, all->count,
                                    all->cids, &bench_error));
    return store;
}

/* Put one by one, and many at once; get one by one. */
static void put_and_get(const char *put, const char *put_many, const char *get,
                        size_t count, size_t len)
{
    blocks all;
    bench_timer begin;
    vv_blockstore *store = NULL;

    if (!bench_wants(put) && !bench_wants(put_many) && !bench_wants(get))
        return;
    blocks_init(&all, count, len);
    BENCH_OK(vv_memory_blockstore_new(&store, &bench_error));
    begin = bench_begin();
    for (size_t i = 0; i < count; i++)
        BENCH_OK(vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3, all.data[i], NULL,
                                   &bench_error));
    line(put, &all, &begin);
    vv_blockstore_free(store);

    begin = bench_begin();
    store = memory_of(&all);
    line(put_many, &all, &begin);

    begin = bench_begin();
    for (size_t i = 0; i < count; i++) {
        vv_buf out = VV_BUF_INIT;

        BENCH_OK(
            vv_blockstore_get(store, &all.cids[(i * 7919) % count], &out, &bench_error));
        vv_buf_clear(&out);
    }
    line(get, &all, &begin);
    vv_blockstore_free(store);
    blocks_clear(&all);
}

/* What a backend gives that is not trusted: copies, hashed when they come back. */
static void copy_and_verify(size_t count)
{
    const char *name = "blockstore/copy-and-verify-1MiB";
    bench_timer begin;
    uint8_t *copy;
    blocks all;

    if (!bench_wants(name))
        return;
    blocks_init(&all, count, LONG_BYTES);
    copy = malloc(LONG_BYTES);
    if (!copy)
        abort();
    BENCH_OK(
        vv_cid_of_many(&VV_PREFIX_RAW_BLAKE3, all.data, count, all.cids, &bench_error));
    begin = bench_begin();
    for (size_t i = 0; i < count; i++) {
        memcpy(copy, all.data[i].data, LONG_BYTES);
        BENCH_OK(
            vv_cid_verify(&all.cids[i], (vv_bytes){ copy, LONG_BYTES }, &bench_error));
    }
    line(name, &all, &begin);
    free(copy);
    blocks_clear(&all);
}

static void cache(size_t count)
{
    bench_timer begin;
    vv_blockstore *memory;
    vv_blockstore *store = NULL;
    blocks all;

    if (!bench_wants("blockstore/cache-miss") && !bench_wants("blockstore/cache-hit"))
        return;
    blocks_init(&all, count, SMALL_BYTES);
    memory = memory_of(&all);
    BENCH_OK(vv_cache_blockstore_new(memory, (size_t)1 << 30, &store, &bench_error));
    for (int hit = 0; hit < 2; hit++) {
        begin = bench_begin();
        for (size_t i = 0; i < count; i++) {
            vv_buf out = VV_BUF_INIT;

            BENCH_OK(vv_blockstore_get(store, &all.cids[(i * 7919) % count], &out,
                                       &bench_error));
            vv_buf_clear(&out);
        }
        line(hit ? "blockstore/cache-hit" : "blockstore/cache-miss", &all, &begin);
    }
    vv_blockstore_free(store);
    vv_blockstore_free(memory);
    blocks_clear(&all);
}

int main(int argc, char **argv)
{
    bench_main(argc, argv);
    put_and_get("blockstore/put-small", "blockstore/put-many-small",
                "blockstore/get-small", bench_size(1000000, 20000), SMALL_BYTES);
    put_and_get("blockstore/put-1MiB", "blockstore/put-many-1MiB", "blockstore/get-1MiB",
                bench_size(512, 16), LONG_BYTES);
    copy_and_verify(bench_size(256, 16));
    cache(bench_size(500000, 20000));
    return 0;
}
