/* Regions of a Zarr array: written and read as a whole, a random box, single steps; a memory store,
 * so that what is measured is ours. The yardstick is a copy of the same bytes. */
#include "bench.h"

static const uint64_t chunk_shape[3] = { 64, 64, 64 };

typedef struct cube {
    vv_store *store;
    vv_array *array;
    uint64_t shape[3];
    float *values;
    size_t bytes;
} cube;

static void make_values(cube *self)
{
    uint64_t side = bench_size(320, 128);
    uint64_t random = 1;

    for (int d = 0; d < 3; d++)
        self->shape[d] = side;
    self->bytes = (size_t)(side * side * side * sizeof(float));
    self->values = malloc(self->bytes);
    if (!self->values)
        exit(1);
    /* Numbers that go up slowly with some noise, as fields do. */
    for (size_t i = 0; i < self->bytes / sizeof(float); i++)
        self->values[i] = (float)(i / 64) + (float)(bench_random(&random) & 7) / 8;
}

static void open_array(cube *self, const char *codecs)
{
    vv_array_meta meta = VV_ARRAY_META_INIT;

    meta.dtype = VV_FLOAT32;
    meta.ndim = 3;
    meta.shape = self->shape;
    meta.chunk_shape = chunk_shape;
    meta.codecs = codecs;
    BENCH_OK(vv_memory_store_new(&self->store, &bench_error));
    BENCH_OK(vv_array_create(self->store, "x", &meta, false, &self->array, &bench_error));
}

static void close_array(cube *self)
{
    vv_array_free(self->array);
    vv_store_free(self->store);
    self->array = NULL;
    self->store = NULL;
}

static void measure_whole(cube *self, const char *label)
{
    uint64_t start[3] = { 0 };
    char name[64];
    bench_timer timer = bench_begin();

    BENCH_OK(vv_array_write(self->array, start, self->shape, self->values, self->bytes,
                            &bench_error));
    timer = bench_end(&timer);
    snprintf(name, sizeof(name), "zarr/write/%s", label);
    bench_line(name, 1, &timer, "\"bytes_per_item\":%zu", self->bytes);

    timer = bench_begin();
    BENCH_OK(vv_array_read(self->array, start, self->shape, NULL, self->values,
                           self->bytes, &bench_error));
    timer = bench_end(&timer);
    snprintf(name, sizeof(name), "zarr/read/%s", label);
    bench_line(name, 1, &timer, "\"bytes_per_item\":%zu", self->bytes);
}

/* Boxes of 32 elements a side anywhere: mostly several chunks in part. */
static void measure_boxes(cube *self, const char *label)
{
    static const uint64_t count[3] = { 32, 32, 32 };
    size_t n = bench_size(400, 50);
    uint64_t random = 2;
    char name[64];
    bench_timer timer = bench_begin();

    for (size_t i = 0; i < n; i++) {
        uint64_t start[3];

        for (int d = 0; d < 3; d++)
            start[d] = bench_random(&random) % (self->shape[d] - count[d] + 1);
        BENCH_OK(vv_array_read(self->array, start, count, NULL, self->values,
                               32 * 32 * 32 * sizeof(float), &bench_error));
    }
    timer = bench_end(&timer);
    snprintf(name, sizeof(name), "zarr/box/%s", label);
    bench_line(name, n, &timer, "\"bytes_per_item\":%zu", 32 * 32 * 32 * sizeof(float));
}

static void measure_copy(const cube *self)
{
    float *copy = malloc(self->bytes);
    bench_timer timer;

    if (!copy)
        exit(1);
    memset(copy, 1, self->bytes);
    timer = bench_begin();
    memcpy(copy, self->values, self->bytes);
    timer = bench_end(&timer);
    /* Read one number, so that the copy is made. */
    bench_line("zarr/memcpy", 1, &timer, "\"bytes_per_item\":%zu,\"check\":%g",
               self->bytes, (double)copy[self->bytes / sizeof(float) / 2]);
    free(copy);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *label, *codecs;
    } chains[] = { { "raw", "none" },
                   { "zstd", "zstd:3" },
                   { "blosc", "blosc:lz4:5" },
                   { "crc32c", "crc32c" } };
    cube self = { .array = NULL };

    bench_main(argc, argv);
    make_values(&self);
    if (bench_wants("zarr/memcpy"))
        measure_copy(&self);
    for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
        char names[3][64];

        snprintf(names[0], sizeof(names[0]), "zarr/write/%s", chains[i].label);
        snprintf(names[1], sizeof(names[1]), "zarr/read/%s", chains[i].label);
        snprintf(names[2], sizeof(names[2]), "zarr/box/%s", chains[i].label);
        if (!bench_wants(names[0]) && !bench_wants(names[1]) && !bench_wants(names[2]))
            continue;
        open_array(&self, chains[i].codecs);
        measure_whole(&self, chains[i].label);
        measure_boxes(&self, chains[i].label);
        close_array(&self);
    }
    free(self.values);
    return 0;
}
