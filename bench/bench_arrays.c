/*
 * One cell of the comparison of arrays, in a process of its own, so that its peak memory is its
 * own; bench/peer_arrays.py makes the cells of all who are compared take turns, and says what
 * each is.
 *
 *   bench_arrays data DIR SIDE               the cube that everybody writes: DIR/cube-SIDE.u16
 *   bench_arrays STORE CODEC OP DIR SIDE     a cell; STORE: directory or hamt
 *   bench_arrays many DIR                    a local store with an array of a million chunks
 *   bench_arrays one DIR                     open it and read one value
 *
 * Nothing is flushed to the disk: a directory store is not flushed, and the local store hands
 * its blocks to the kernel at the commit (VV_PROCESS).
 */
#include "bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define BOX       32
#define BOXES     200
#define ITEM      sizeof(uint16_t)
#define MANY_SIDE 1000000

typedef struct cell {
    const char *store_name, *codec, *op, *dir;
    uint64_t shape[3], chunk[3]; /* chunk: what one call of the chunk cells reads */
    vv_blockstore *blocks;
    vv_store *store;
    vv_array *array;
    atomic_size_t next; /* chunk to be read */
    atomic_ulong check; /* of one element a call: all who are compared must agree */
} cell;

static void *must_alloc(size_t bytes)
{
    void *out = malloc(bytes);

    if (!out) {
        fprintf(stderr, "bench: no memory for %zu bytes\n", bytes);
        exit(1);
    }
    return out;
}

/* For a whole array: on huge pages where the machine has them, as NumPy asks for its arrays. */
static void *must_alloc_array(size_t bytes)
{
    const size_t huge = (size_t)2 << 20;
    void *out = aligned_alloc(huge, (bytes + huge - 1) / huge * huge);

    if (!out) {
        fprintf(stderr, "bench: no memory for %zu bytes\n", bytes);
        exit(1);
    }
    madvise(out, bytes, MADV_HUGEPAGE);
    return out;
}

/* "dir/name", with "-tail" behind it unless that is NULL. */
static char *path_of(const char *dir, const char *name, const char *tail)
{
    size_t size = strlen(dir) + strlen(name) + (tail ? strlen(tail) : 0) + 3;
    char *out = must_alloc(size);

    snprintf(out, size, "%s/%s%s%s", dir, name, tail ? "-" : "", tail ? tail : "");
    return out;
}

static FILE *must_open(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);

    if (!file) {
        perror(path);
        exit(1);
    }
    return file;
}

/* The most memory this process had resident, in bytes. Not ru_maxrss, which a process takes over
 * from the one that started it. */
static unsigned long long peak_bytes(void)
{
    unsigned long long kib = 0;
    char line[256];
    FILE *file = must_open("/proc/self/status", "r");

    while (fgets(line, sizeof(line), file))
        if (sscanf(line, "VmHWM: %llu", &kib) == 1)
            break;
    fclose(file);
    return kib * 1024;
}

/* ---- the data ---------------------------------------------------------------------------------- */

/* A smooth wave along each axis, in units of the result. */
static void wave(double *out, uint64_t side, double turns)
{
    for (uint64_t i = 0; i < side; i++) {
        /* A parabola up and one down a turn: as smooth as a sine here, and the same everywhere. */
        double x = turns * (double)i / (double)side;
        double t = 2 * (x - (double)(uint64_t)x) - 1;

        out[i] = t < 0 ? 4 * t * (1 + t) : 4 * t * (1 - t);
    }
}

/* A smooth field with noise of two bits, as packed measurements are; zstd:1 takes a third off. */
static void make_data(const char *dir, uint64_t side)
{
    char name[32], *path;
    double *a = must_alloc(3 * side * sizeof(*a)), *b = a + side, *c = b + side;
    uint16_t *plane = must_alloc(side * side * ITEM);
    uint64_t random = 1;
    FILE *file;

    snprintf(name, sizeof(name), "cube-%llu.u16", (unsigned long long)side);
    path = path_of(dir, name, NULL);
    file = must_open(path, "wb");
    wave(a, side, 1.5);
    wave(b, side, 2.5);
    wave(c, side, 3.5);
    for (uint64_t z = 0; z < side; z++) {
        for (uint64_t i = 0; i < side * side; i++) {
            double field = 900 * a[z] + 600 * b[i / side] + 400 * c[i % side] * a[z];

            plane[i] = (uint16_t)(32768 + field + (double)(bench_random(&random) & 3));
        }
        if (fwrite(plane, ITEM, side * side, file) != side * side)
            exit(1);
    }
    if (fclose(file))
        exit(1);
    free(path);
    free(plane);
    free(a);
}

static uint16_t *load_data(const cell *self, size_t *bytes)
{
    char name[32], *path;
    uint16_t *out;
    FILE *file;

    *bytes = (size_t)(self->shape[0] * self->shape[1] * self->shape[2] * ITEM);
    out = must_alloc_array(*bytes);
    snprintf(name, sizeof(name), "cube-%llu.u16", (unsigned long long)self->shape[0]);
    path = path_of(self->dir, name, NULL);
    file = must_open(path, "rb");
    if (fread(out, 1, *bytes, file) != *bytes) {
        fprintf(stderr, "bench: %s is short\n", path);
        exit(1);
    }
    fclose(file);
    free(path);
    return out;
}

/* ---- stores ------------------------------------------------------------------------------------ */

static void read_root(const char *path, vv_cid *root)
{
    char text[VV_CID_TEXT_MAX] = { 0 };
    FILE *file = must_open(path, "r");

    if (!fgets(text, sizeof(text), file))
        exit(1);
    fclose(file);
    BENCH_OK(vv_cid_parse(text, root, &bench_error));
}

static void write_root(const char *path, const vv_cid *root)
{
    char text[VV_CID_TEXT_MAX];
    FILE *file = must_open(path, "w");

    vv_cid_format(root, text);
    fputs(text, file);
    fclose(file);
}

static void open_hamt(const char *dir, bool create, vv_blockstore **blocks,
                      vv_store **store)
{
    vv_local_options options = VV_LOCAL_OPTIONS_INIT;
    char *root_path = path_of(dir, "root.txt", NULL);
    vv_cid root;

    options.create = create;
    options.durability = VV_PROCESS;
    BENCH_OK(vv_local_open(dir, &options, blocks, &bench_error));
    if (!create)
        read_root(root_path, &root);
    BENCH_OK(
        vv_hamt_store_open(*blocks, create ? NULL : &root, NULL, store, &bench_error));
    free(root_path);
}

static void open_store(cell *self, bool create)
{
    char *dir = path_of(self->dir, self->store_name, self->codec);

    if (create)
        mkdir(dir, 0777);
    if (strcmp(self->store_name, "hamt") == 0)
        open_hamt(dir, create, &self->blocks, &self->store);
    else
        BENCH_OK(vv_directory_store_open(dir, !create, &self->store, &bench_error));
    free(dir);
}

static void commit(cell *self)
{
    char *dir, *path;
    vv_cid root;

    if (!self->blocks)
        return;
    BENCH_OK(vv_store_commit(self->store, &root, &bench_error));
    dir = path_of(self->dir, self->store_name, self->codec);
    path = path_of(dir, "root.txt", NULL);
    write_root(path, &root);
    free(dir);
    free(path);
}

/* ---- cells ------------------------------------------------------------------------------------- */

static const struct codec_setting {
    const char *name, *codecs;
    uint64_t chunk, inner; /* inner 0: not sharded */
} settings[] = {
    { "raw", "none", 64, 0 },
    { "zstd", "zstd:1", 64, 0 },
    { "blosc", "blosc:lz4:5:shuffle", 64, 0 },
    { "sharded", "zstd:1", 128, 32 },
};

static const struct codec_setting *setting_of(const char *name)
{
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        if (strcmp(settings[i].name, name) == 0)
            return &settings[i];
    fprintf(stderr, "bench: no codec '%s'\n", name);
    exit(2);
}

static void create_array(cell *self)
{
    const struct codec_setting *setting = setting_of(self->codec);
    vv_array_meta meta = VV_ARRAY_META_INIT;
    uint64_t chunk[3] = { setting->chunk, setting->chunk, setting->chunk };
    char sharding[512];

    meta.dtype = VV_UINT16;
    meta.ndim = 3;
    meta.shape = self->shape;
    meta.chunk_shape = chunk;
    meta.codecs = setting->codecs;
    if (setting->inner) {
        unsigned inner = (unsigned)setting->inner;

        snprintf(sharding, sizeof(sharding),
                 "[{\"name\":\"sharding_indexed\",\"configuration\":{\"chunk_shape\":"
                 "[%u,%u,%u],\"codecs\":[{\"name\":\"bytes\",\"configuration\":"
                 "{\"endian\":\"little\"}},{\"name\":\"zstd\",\"configuration\":"
                 "{\"level\":1,\"checksum\":false}}],\"index_codecs\":[{\"name\":"
                 "\"bytes\",\"configuration\":{\"endian\":\"little\"}},"
                 "{\"name\":\"crc32c\"}],\"index_location\":\"end\"}}]",
                 inner, inner, inner);
        meta.codecs = sharding;
    }
    BENCH_OK(vv_array_create(self->store, "x", &meta, true, &self->array, &bench_error));
}

/* bytes_per_item keeps its name whatever an item is, so that the report finds it. */
static void print_cell(const cell *self, uint64_t items, const bench_timer *passed,
                       uint64_t bytes_per_item)
{
    char name[128];

    snprintf(
        name, sizeof(name), "arrays/%llu/%s/%s/%s",
        (unsigned long long)(self->shape[0] * self->shape[0] * self->shape[0] * ITEM >>
                             20),
        self->codec, self->op, self->store_name);
    bench_line(
        name, items, passed, "\"bytes_per_item\":%llu,\"peak_rss\":%llu,\"check\":%lu",
        (unsigned long long)bytes_per_item, peak_bytes(), (unsigned long)self->check);
}

static void write_cell(cell *self)
{
    const uint64_t start[3] = { 0 };
    size_t bytes;
    uint16_t *data = load_data(self, &bytes);
    bench_timer timer;

    open_store(self, true);
    create_array(self);
    timer = bench_begin();
    BENCH_OK(vv_array_write(self->array, start, self->shape, data, bytes, &bench_error));
    commit(self);
    timer = bench_end(&timer);
    print_cell(self, 1, &timer, bytes);
    free(data);
}

static void read_cell(cell *self)
{
    const uint64_t start[3] = { 0 };
    size_t bytes = (size_t)(self->shape[0] * self->shape[1] * self->shape[2] * ITEM);
    uint16_t *out, *data;
    bench_timer timer = bench_begin();

    out = must_alloc_array(bytes);
    BENCH_OK(
        vv_array_read(self->array, start, self->shape, NULL, out, bytes, &bench_error));
    timer = bench_end(&timer);
    print_cell(self, 1, &timer, bytes);
    data = load_data(self, &bytes);
    if (memcmp(out, data, bytes) != 0) {
        fprintf(stderr, "bench: what was read is not what was written\n");
        exit(1);
    }
    free(out);
    free(data);
}

static void boxes_cell(cell *self)
{
    static const uint64_t count[3] = { BOX, BOX, BOX };
    uint16_t *out = must_alloc(BOX * BOX * BOX * ITEM);
    uint64_t random = 2, check = 0;
    bench_timer timer = bench_begin();

    for (size_t i = 0; i < BOXES; i++) {
        uint64_t start[3];

        for (int d = 0; d < 3; d++)
            start[d] = bench_random(&random) % (self->shape[d] - BOX + 1);
        BENCH_OK(vv_array_read(self->array, start, count, NULL, out,
                               BOX * BOX * BOX * ITEM, &bench_error));
        check += out[BOX * BOX * BOX - 1];
    }
    timer = bench_end(&timer);
    self->check = check;
    print_cell(self, BOXES, &timer, BOX * BOX * BOX * ITEM);
    free(out);
}

static size_t chunk_count(const cell *self)
{
    size_t side = (size_t)(self->shape[0] / self->chunk[0]);

    return side * side * side;
}

static void *read_chunks(void *ctx)
{
    cell *self = ctx;
    size_t elements = (size_t)(self->chunk[0] * self->chunk[1] * self->chunk[2]);
    uint16_t *out = must_alloc(elements * ITEM);
    size_t side = (size_t)(self->shape[0] / self->chunk[0]), i;
    vv_error err = VV_ERROR_INIT;

    while ((i = atomic_fetch_add(&self->next, 1)) < chunk_count(self)) {
        const uint64_t start[3] = { i / side / side * self->chunk[0],
                                    i / side % side * self->chunk[1],
                                    i % side * self->chunk[2] };

        if (vv_array_read(self->array, start, self->chunk, NULL, out, elements * ITEM,
                          &err)) {
            fprintf(stderr, "bench: %s\n", err.message);
            exit(1);
        }
        atomic_fetch_add(&self->check, out[elements - 1]);
    }
    free(out);
    return NULL;
}

/* Every chunk once, with as many calls in flight as threads. */
static void chunks_cell(cell *self, size_t threads, uint64_t side)
{
    pthread_t thread[8];
    bench_timer timer;

    for (int d = 0; d < 3; d++)
        self->chunk[d] = side;
    timer = bench_begin();
    for (size_t i = 1; i < threads; i++)
        if (pthread_create(&thread[i], NULL, read_chunks, self))
            exit(1);
    read_chunks(self);
    for (size_t i = 1; i < threads; i++)
        pthread_join(thread[i], NULL);
    timer = bench_end(&timer);
    print_cell(self, chunk_count(self), &timer, side * side * side * ITEM);
}

static void run_cell(cell *self)
{
    const struct codec_setting *setting = setting_of(self->codec);

    if (strcmp(self->op, "write") == 0) {
        write_cell(self);
        return;
    }
    open_store(self, false);
    BENCH_OK(vv_array_open(self->store, "x", &self->array, &bench_error));
    if (strcmp(self->op, "read") == 0)
        read_cell(self);
    else if (strcmp(self->op, "boxes") == 0)
        boxes_cell(self);
    else if (strcmp(self->op, "chunks1") == 0 || strcmp(self->op, "chunks8") == 0)
        chunks_cell(self, (size_t)(self->op[6] - '0'), setting->chunk);
    else if (strcmp(self->op, "inner1") == 0 || strcmp(self->op, "inner8") == 0)
        chunks_cell(self, (size_t)(self->op[5] - '0'), setting->inner);
    else
        exit(2);
}

/* ---- one value of a million chunks ------------------------------------------------------------- */

static void make_many(const char *dir)
{
    static const uint64_t shape[1] = { MANY_SIDE * 8 }, chunk[1] = { 8 };
    static const uint64_t start[1] = { 0 };
    char *root_path = path_of(dir, "root.txt", NULL);
    uint16_t *data = must_alloc(MANY_SIDE * 8 * ITEM);
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_blockstore *blocks;
    vv_store *store;
    vv_array *array;
    vv_cid root;

    for (size_t i = 0; i < MANY_SIDE * 8; i++)
        data[i] = (uint16_t)(i * 40503u >> 8 | 1);
    mkdir(dir, 0777);
    open_hamt(dir, true, &blocks, &store);
    meta.dtype = VV_UINT16;
    meta.ndim = 1;
    meta.shape = shape;
    meta.chunk_shape = chunk;
    meta.codecs = "none";
    BENCH_OK(vv_array_create(store, "x", &meta, true, &array, &bench_error));
    BENCH_OK(
        vv_array_write(array, start, shape, data, MANY_SIDE * 8 * ITEM, &bench_error));
    BENCH_OK(vv_store_commit(store, &root, &bench_error));
    write_root(root_path, &root);
    vv_array_free(array);
    vv_store_free(store);
    vv_blockstore_free(blocks);
    free(root_path);
    free(data);
}

static void read_one(const char *dir)
{
    static const uint64_t start[1] = { 3141592 }, count[1] = { 1 };
    bench_timer timer = bench_begin();
    vv_blockstore *blocks;
    vv_store *store;
    vv_array *array;
    uint16_t value;

    open_hamt(dir, false, &blocks, &store);
    BENCH_OK(vv_array_open(store, "x", &array, &bench_error));
    BENCH_OK(
        vv_array_read(array, start, count, NULL, &value, sizeof(value), &bench_error));
    timer = bench_end(&timer);
    if (value != (uint16_t)(3141592u * 40503u >> 8 | 1)) {
        fprintf(stderr, "bench: read %u\n", value);
        exit(1);
    }
    bench_line("arrays/one_of_million", 1, &timer, "\"peak_rss\":%llu", peak_bytes());
    vv_array_free(array);
    vv_store_free(store);
    vv_blockstore_free(blocks);
}

int main(int argc, char **argv)
{
    cell self = { .array = NULL };

    if (argc == 4 && strcmp(argv[1], "data") == 0) {
        make_data(argv[2], strtoull(argv[3], NULL, 10));
    } else if (argc == 3 && strcmp(argv[1], "many") == 0) {
        make_many(argv[2]);
    } else if (argc == 3 && strcmp(argv[1], "one") == 0) {
        read_one(argv[2]);
    } else if (argc == 6) {
        self.store_name = argv[1];
        self.codec = argv[2];
        self.op = argv[3];
        self.dir = argv[4];
        for (int d = 0; d < 3; d++)
            self.shape[d] = strtoull(argv[5], NULL, 10);
        run_cell(&self);
        vv_array_free(self.array);
        vv_store_free(self.store);
        vv_blockstore_free(self.blocks);
    } else {
        fprintf(stderr, "usage: see the head of bench_arrays.c\n");
        return 2;
    }
    return 0;
}
