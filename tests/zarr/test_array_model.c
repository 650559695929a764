/*
 * Arrays against an array in memory: random types, shapes, chains, shards and stores; random
 * writes of regions and chunks, and after each of them random reads, with steps, of what is there.
 *
 * VV_SEED and VV_ROUNDS in the environment repeat a run or make it longer.
 */
#include "support/support.h"

#include <stdio.h>

#define NDIM_MAX 4
#define ITEM_MAX 16

typedef struct model {
    uint64_t random, seed;
    vv_blockstore *blocks; /* of a HAMT store */
    vv_store *store;
    vv_array *array;
    char *directory; /* of a directory store */
    size_t item;
    uint32_t ndim;
    uint64_t shape[NDIM_MAX], chunk[NDIM_MAX], inner[NDIM_MAX];
    uint64_t elements;
    uint8_t fill[ITEM_MAX];
    uint8_t *values; /* what the array should hold */
    char about[512]; /* for messages */
} model;

static uint64_t below(model *self, uint64_t n)
{
    return n ? next_random(&self->random) % n : 0;
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 10) : otherwise;
}

/* ---- making ------------------------------------------------------------------------------------ */

static const vv_dtype dtypes[] = { VV_BOOL,      VV_INT8,      VV_UINT8,   VV_INT16,
                                   VV_UINT16,    VV_INT32,     VV_UINT32,  VV_INT64,
                                   VV_UINT64,    VV_FLOAT16,   VV_FLOAT32, VV_FLOAT64,
                                   VV_COMPLEX64, VV_COMPLEX128 };

/* %s: an order of the dimensions. */
static const char *const chains[] = {
    "none",
    "zstd:1",
    "bytes:big",
    "gzip:1+crc32c",
    "blosc:lz4:5:shuffle",
    "crc32c",
    "[{\"name\":\"transpose\",\"configuration\":{\"order\":[%s]}},"
    "{\"name\":\"bytes\",\"configuration\":{\"endian\":\"big\"}}]",
    "[{\"name\":\"transpose\",\"configuration\":{\"order\":[%s]}},"
    "{\"name\":\"bytes\",\"configuration\":{\"endian\":\"little\"}},"
    "{\"name\":\"zstd\",\"configuration\":{\"level\":1,\"checksum\":true}}]",
};

/* Dimensions in a random order, "2,0,1". */
static void write_order(model *self, char *out)
{
    uint32_t order[NDIM_MAX];

    for (uint32_t d = 0; d < self->ndim; d++)
        order[d] = d;
    for (uint32_t d = self->ndim; d > 1; d--) {
        uint32_t other = (uint32_t)below(self, d), kept = order[d - 1];

        order[d - 1] = order[other];
        order[other] = kept;
    }
    *out = '\0';
    for (uint32_t d = 0; d < self->ndim; d++)
        out += sprintf(out, "%s%u", d ? "," : "", order[d]);
}

static void write_chain(model *self, char *out, size_t cap)
{
    const char *chain = chains[below(self, sizeof(chains) / sizeof(chains[0]))];
    const char *gap = strstr(chain, "%s");
    char order[32];

    write_order(self, order);
    if (gap)
        snprintf(out, cap, "%.*s%s%s", (int)(gap - chain), chain, order, gap + 2);
    else
        snprintf(out, cap, "%s", chain);
}

static void open_store(model *self)
{
    vv_error err = VV_ERROR_INIT;

    switch (below(self, 3)) {
    case 0:
        assert_vv_ok(vv_memory_store_new(&self->store, &err));
        break;
    case 1:
        self->directory = make_directory();
        assert_vv_ok(vv_directory_store_open(self->directory, false, &self->store, &err));
        break;
    default:
        assert_vv_ok(vv_memory_blockstore_new(&self->blocks, &err));
        assert_vv_ok(vv_hamt_store_open(self->blocks, NULL, NULL, &self->store, &err));
    }
}

/* Lengths, and chunks that divide them or not; shards of some inner chunks each. */
static bool make_shapes(model *self)
{
    bool sharded = below(self, 2) == 0;

    self->ndim = (uint32_t)below(self, NDIM_MAX + 1);
    self->elements = 1;
    for (uint32_t d = 0; d < self->ndim; d++) {
        uint64_t most = self->ndim > 2 ? 9 : 40;

        self->shape[d] = below(self, 20) ? 1 + below(self, most) : 0;
        self->inner[d] = 1 + below(self, self->shape[d] + 2);
        self->chunk[d] = sharded ? self->inner[d] * (1 + below(self, 4)) : self->inner[d];
        self->elements *= self->shape[d];
    }
    return sharded && self->ndim > 0;
}

static void fill_values(model *self, uint8_t *out, uint64_t elements)
{
    for (uint64_t i = 0; i < elements; i++)
        memcpy(out + i * self->item, self->fill, self->item);
}

static void make_array(model *self)
{
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_error err = VV_ERROR_INIT;
    bool sharded = make_shapes(self);
    char chain[400];

    meta.dtype = dtypes[below(self, sizeof(dtypes) / sizeof(dtypes[0]))];
    meta.ndim = self->ndim;
    meta.shape = self->shape;
    meta.chunk_shape = self->chunk;
    if (sharded)
        meta.inner_chunk_shape = self->inner;
    write_chain(self, chain, sizeof(chain));
    meta.codecs = chain;
    meta.v2_keys = below(self, 2);
    meta.separator = below(self, 2) ? '.' : '/';
    self->item = vv_dtype_size(meta.dtype);
    if (below(self, 2))
        memset(self->fill, 1, sizeof(self->fill));
    meta.fill_value = self->fill;
    snprintf(self->about, sizeof(self->about),
             "VV_SEED=%llu VV_ROUNDS=1: %s, %u dimensions, %ssharded, %s",
             (unsigned long long)self->seed, vv_dtype_name(meta.dtype), self->ndim,
             sharded ? "" : "not ", chain);
    if (vv_array_create(self->store, "group/a", &meta, false, &self->array, &err))
        fail_msg("%s: %s", self->about, err.message);
    self->values = malloc((size_t)(self->elements * self->item) + 1);
    assert_non_null(self->values);
    fill_values(self, self->values, self->elements);
}

static void clear(model *self)
{
    vv_array_free(self->array);
    vv_store_free(self->store);
    vv_blockstore_free(self->blocks);
    if (self->directory)
        remove_directory(self->directory);
    free(self->values);
}

/* ---- regions ----------------------------------------------------------------------------------- */

typedef struct region {
    uint64_t start[NDIM_MAX], count[NDIM_MAX], step[NDIM_MAX];
    uint64_t elements;
} region;

static region draw_region(model *self, bool steps)
{
    region out = { .elements = 1 };

    for (uint32_t d = 0; d < self->ndim; d++) {
        out.start[d] = below(self, self->shape[d] + 1);
        out.step[d] = steps ? 1 + below(self, 4) : 1;
        out.count[d] = below(
            self, (self->shape[d] - out.start[d] + out.step[d] - 1) / out.step[d] + 1);
        if (below(self, 4) == 0) {
            out.start[d] = 0;
            out.step[d] = 1;
            out.count[d] = self->shape[d];
        }
        out.elements *= out.count[d];
    }
    return out;
}

/* Where the region's element number i lies in the array. */
static uint64_t place_of(const model *self, const region *where, uint64_t i)
{
    uint64_t place = 0, stride = 1;

    for (uint32_t d = self->ndim; d-- > 0;) {
        place += (where->start[d] + i % where->count[d] * where->step[d]) * stride;
        stride *= self->shape[d];
        i /= where->count[d];
    }
    return place;
}

/* Any bits, but only 0 and 1 for those that are no other in a bool. */
static void draw_values(model *self, uint8_t *out, uint64_t elements)
{
    bool is_bool = vv_array_get_meta(self->array)->dtype == VV_BOOL;

    if (below(self, 4) == 0) { /* fill values: chunks go away again */
        fill_values(self, out, elements);
        return;
    }
    for (uint64_t i = 0; i < elements * self->item; i++)
        out[i] = (uint8_t)(is_bool ? below(self, 2) : below(self, 256));
}

static void write_region(model *self)
{
    region where = draw_region(self, false);
    size_t bytes = (size_t)where.elements * self->item;
    uint8_t *data = malloc(bytes + 1);
    vv_error err = VV_ERROR_INIT;

    assert_non_null(data);
    draw_values(self, data, where.elements);
    if (vv_array_write(self->array, where.start, where.count, data, bytes, &err))
        fail_msg("%s: %s", self->about, err.message);
    for (uint64_t i = 0; i < where.elements; i++)
        memcpy(self->values + place_of(self, &where, i) * self->item,
               data + i * self->item, self->item);
    free(data);
}

static void check_region(model *self)
{
    region where = draw_region(self, true);
    size_t bytes = (size_t)where.elements * self->item;
    uint8_t *data = malloc(bytes + 1);
    vv_error err = VV_ERROR_INIT;

    assert_non_null(data);
    memset(data, 0xEE, bytes + 1);
    if (vv_array_read(self->array, where.start, where.count, where.step, data, bytes,
                      &err))
        fail_msg("%s: %s", self->about, err.message);
    for (uint64_t i = 0; i < where.elements; i++)
        if (memcmp(data + i * self->item,
                   self->values + place_of(self, &where, i) * self->item,
                   self->item) != 0)
            fail_msg("%s: element %llu of a region is another", self->about,
                     (unsigned long long)i);
    assert_int_equal(data[bytes], 0xEE);
    free(data);
}

/* ---- chunks ------------------------------------------------------------------------------------ */

/* Draw a chunk that is there; false when there is none. where: the part of it in the array. */
static bool draw_chunk(model *self, uint64_t *index, region *where)
{
    where->elements = 1;
    for (uint32_t d = 0; d < self->ndim; d++) {
        uint64_t chunks = (self->shape[d] + self->chunk[d] - 1) / self->chunk[d];

        if (chunks == 0)
            return false;
        index[d] = below(self, chunks);
        where->start[d] = index[d] * self->chunk[d];
        where->count[d] = self->shape[d] - where->start[d] < self->chunk[d]
                              ? self->shape[d] - where->start[d]
                              : self->chunk[d];
        where->step[d] = 1;
        where->elements *= where->count[d];
    }
    return true;
}

static size_t chunk_elements(const model *self)
{
    size_t out = 1;

    for (uint32_t d = 0; d < self->ndim; d++)
        out *= (size_t)self->chunk[d];
    return out;
}

/* Where element i of the part of a chunk that lies in the array stands in the chunk. */
static uint64_t place_in_chunk(const model *self, const region *where, uint64_t i)
{
    uint64_t place = 0, stride = 1;

    for (uint32_t d = self->ndim; d-- > 0;) {
        place += i % where->count[d] * stride;
        stride *= self->chunk[d];
        i /= where->count[d];
    }
    return place;
}

static void use_chunk(model *self, bool write)
{
    size_t bytes = chunk_elements(self) * self->item;
    uint64_t index[NDIM_MAX];
    vv_error err = VV_ERROR_INIT;
    uint8_t *data;
    region where;

    if (!draw_chunk(self, index, &where))
        return;
    data = malloc(bytes);
    assert_non_null(data);
    draw_values(self, data, chunk_elements(self));
    if (write ? vv_array_write_chunk(self->array, index, data, &err)
              : vv_array_read_chunk(self->array, index, data, &err))
        fail_msg("%s: %s", self->about, err.message);
    for (uint64_t i = 0; i < where.elements; i++) {
        uint8_t *mine = self->values + place_of(self, &where, i) * self->item;
        uint8_t *its = data + place_in_chunk(self, &where, i) * self->item;

        if (write)
            memcpy(mine, its, self->item);
        else if (memcmp(mine, its, self->item) != 0)
            fail_msg("%s: element %llu of a chunk is another", self->about,
                     (unsigned long long)i);
    }
    free(data);
}

static void open_again(model *self)
{
    vv_error err = VV_ERROR_INIT;

    vv_array_free(self->array);
    self->array = NULL;
    if (vv_array_open(self->store, "group/a", &self->array, &err))
        fail_msg("%s: %s", self->about, err.message);
}

static void random_writes_are_read_as_an_array_in_memory_has_them(void **state)
{
    uint64_t seed = number_of("VV_SEED", 1), rounds = number_of("VV_ROUNDS", 200);

    (void)state;
    for (uint64_t round = 0; round < rounds; round++) {
        model self = { .random = seed + round, .seed = seed + round };

        open_store(&self);
        make_array(&self);
        for (int i = 0; i < 20; i++) {
            if (below(&self, 3) == 0)
                use_chunk(&self, true);
            else
                write_region(&self);
            if (below(&self, 4) == 0)
                open_again(&self);
            check_region(&self);
            use_chunk(&self, false);
        }
        clear(&self);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_writes_are_read_as_an_array_in_memory_has_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
