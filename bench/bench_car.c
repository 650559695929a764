/* CAR files: export, import and reads, of long blocks and of short ones. */
#include "bench.h"

typedef struct tree {
    vv_blockstore *store;
    vv_cid root;
    uint64_t blocks, bytes;
} tree;

/* Lists of at most 1 000 links to blocks of len bytes, below a list of those lists. */
static void tree_init(tree *self, size_t count, size_t len)
{
    uint8_t *data = malloc(len);
    vv_buf top = VV_BUF_INIT;
    vv_cid cid;

    *self = (tree){ .bytes = (uint64_t)count * len, .blocks = count };
    if (!data)
        abort();
    BENCH_OK(vv_memory_blockstore_new(&self->store, &bench_error));
    BENCH_OK(vv_cbor_put_list(&top, (count + 999) / 1000, &bench_error));
    for (size_t i = 0; i < count; i += 1000) {
        size_t some = count - i < 1000 ? count - i : 1000;
        vv_buf node = VV_BUF_INIT;

        BENCH_OK(vv_cbor_put_list(&node, some, &bench_error));
        for (size_t j = 0; j < some; j++) {
            bench_fill(data, len, i + j);
            BENCH_OK(vv_blockstore_put(self->store, &VV_PREFIX_RAW_BLAKE3,
                                       (vv_bytes){ data, len }, &cid, &bench_error));
            BENCH_OK(vv_cbor_put_link(&node, &cid, &bench_error));
        }
        BENCH_OK(vv_blockstore_put(self->store, &VV_PREFIX_CBOR_BLAKE3,
                                   (vv_bytes){ node.data, node.len }, &cid,
                                   &bench_error));
        BENCH_OK(vv_cbor_put_link(&top, &cid, &bench_error));
        vv_buf_clear(&node);
    }
    BENCH_OK(vv_blockstore_put(self->store, &VV_PREFIX_CBOR_BLAKE3,
                               (vv_bytes){ top.data, top.len }, &self->root,
                               &bench_error));
    vv_buf_clear(&top);
    free(data);
}

static void line(const char *what, const char *size, const tree *all,
                 const bench_timer *begin)
{
    bench_timer passed = bench_end(begin);
    char name[64];

    snprintf(name, sizeof(name), "car/%s-%s", what, size);
    bench_line(name, all->blocks, &passed, "\"bytes_per_item\":%llu",
               (unsigned long long)(all->bytes / all->blocks));
}

static vv_status count(void *ctx, const vv_dag_visit *visit, vv_error *err)
{
    (void)err;
    *(uint64_t *)ctx += visit->data.len;
    return visit->status;
}

static void run(const char *size, size_t blocks, size_t len)
{
    vv_car_options options = VV_CAR_OPTIONS_INIT;
    char *directory = bench_directory();
    vv_blockstore *car = NULL;
    vv_blockstore *other = NULL;
    uint64_t bytes = 0;
    char path[4096];
    bench_timer begin;
    tree all;

    snprintf(path, sizeof(path), "%s/x.car", directory);
    tree_init(&all, blocks, len);
    options.version = 2;
    begin = bench_begin();
    BENCH_OK(vv_car_export(all.store, &all.root, 1, &options, path, NULL, &bench_error));
    line("export", size, &all, &begin);

    BENCH_OK(vv_memory_blockstore_new(&other, &bench_error));
    begin = bench_begin();
    BENCH_OK(vv_car_import(path, other, NULL, NULL, NULL, NULL, &bench_error));
    line("import", size, &all, &begin);
    vv_blockstore_free(other);

    begin = bench_begin();
    BENCH_OK(vv_car_open(path, &car, &bench_error));
    BENCH_OK(vv_dag_walk(car, &all.root, 1, NULL, count, &bytes, &bench_error));
    line("walk", size, &all, &begin);
    vv_blockstore_free(car);
    vv_blockstore_free(all.store);
    bench_remove_directory(directory);
}

int main(int argc, char **argv)
{
    bench_main(argc, argv);
    if (bench_wants("car/"))
        run("1MiB", bench_size(512, 16), (size_t)1 << 20);
    if (bench_wants("car/"))
        run("small", bench_size(500000, 20000), 300);
    return 0;
}
