/* Arrays in shards: regions against a plain block of memory, what is stored, hostile indexes. */
#include "far_store.h"
#include "model.h"
#include "support/support.h"

#include "util/buf.h"

#include <pthread.h>

typedef struct shards_fixture {
    vv_store *store;
    vv_array *array;
    char *directory;
} shards_fixture;

static int setup(void **state)
{
    shards_fixture *self = calloc(1, sizeof(*self));

    *state = self;
    return !self || vv_memory_store_new(&self->store, NULL);
}

static int teardown(void **state)
{
    shards_fixture *self = *state;

    vv_array_free(self->array);
    vv_store_free(self->store);
    if (self->directory)
        remove_directory(self->directory);
    free(self);
    return 0;
}

static void use_directory(shards_fixture *self)
{
    vv_error err = VV_ERROR_INIT;

    vv_store_free(self->store);
    self->store = NULL;
    self->directory = make_directory();
    assert_vv_ok(vv_directory_store_open(self->directory, false, &self->store, &err));
}

#ifdef VV_HAVE_LOCAL
static void use_local(shards_fixture *self)
{
    vv_local_options options = VV_LOCAL_OPTIONS_INIT;
    vv_blockstore *blocks = NULL;
    vv_error err = VV_ERROR_INIT;

    vv_store_free(self->store);
    self->store = NULL;
    self->directory = make_directory();
    options.create = true;
    assert_vv_ok(vv_local_open(self->directory, &options, &blocks, &err));
    assert_vv_ok(vv_hamt_store_open(blocks, NULL, NULL, &self->store, &err));
    vv_blockstore_free(blocks);
}
#endif

static void use_far(shards_fixture *self)
{
    vv_store *far = far_store_new(self->store);

    vv_store_free(self->store);
    self->store = far;
}

static vv_array *make(shards_fixture *self, vv_dtype dtype, uint32_t ndim,
                      const uint64_t *shape, const uint64_t *shard, const uint64_t *inner,
                      const char *codecs)
{
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_error err = VV_ERROR_INIT;

    meta.dtype = dtype;
    meta.ndim = ndim;
    meta.shape = shape;
    meta.chunk_shape = shard;
    meta.inner_chunk_shape = inner;
    meta.codecs = codecs;
    vv_array_free(self->array);
    self->array = NULL;
    assert_vv_ok(vv_array_create(self->store, "a", &meta, true, &self->array, &err));
    return self->array;
}

static uint64_t size_of(shards_fixture *self, const char *key)
{
    vv_error err = VV_ERROR_INIT;
    uint64_t size = 0;

    assert_vv_ok(vv_store_size(self->store, key, &size, &err));
    return size;
}

static bool has_key(shards_fixture *self, const char *key)
{
    vv_error err = VV_ERROR_INIT;
    bool there = false;

    assert_vv_ok(vv_store_exists(self->store, key, &there, &err));
    return there;
}

static void an_array_in_shards_says_so(void **state)
{
    static const uint64_t shape[] = { 10, 10 }, shard[] = { 4, 6 }, inner[] = { 2, 3 };
    shards_fixture *self = *state;
    vv_array *array = make(self, VV_INT16, 2, shape, shard, inner, "zstd:1");
    const vv_array_meta *meta;
    vv_error err = VV_ERROR_INIT;

    vv_array_free(array);
    self->array = NULL;
    assert_vv_ok(vv_array_open(self->store, "a", &self->array, &err));
    meta = vv_array_get_meta(self->array);
    assert_memory_equal(meta->chunk_shape, shard, sizeof(shard));
    assert_memory_equal(meta->inner_chunk_shape, inner, sizeof(inner));
    assert_non_null(strstr(meta->codecs, "zstd"));
    assert_null(strstr(meta->codecs, "sharding"));
}

static void an_inner_chunk_must_divide_its_shard(void **state)
{
    static const uint64_t shape[] = { 10 }, shard[] = { 4 }, inner[] = { 3 };
    shards_fixture *self = *state;
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_error err = VV_ERROR_INIT;

    meta.dtype = VV_INT8;
    meta.ndim = 1;
    meta.shape = shape;
    meta.chunk_shape = shard;
    meta.inner_chunk_shape = inner;
    assert_int_equal(vv_array_create(self->store, "a", &meta, true, &self->array, &err),
                     VV_EINVAL);
    assert_non_null(strstr(err.message, "chunk_shape"));
}

static void inner_chunks_of_fill_values_are_not_stored(void **state)
{
    static const uint64_t shape[] = { 64 }, shard[] = { 32 }, inner[] = { 8 },
                          zero[] = { 0 }, all[] = { 64 }, some[] = { 8 };
    shards_fixture *self = *state;
    vv_array *array = make(self, VV_UINT8, 1, shape, shard, inner, "none");
    vv_error err = VV_ERROR_INIT;
    uint8_t values[64] = { 0 };

    values[9] = 1;
    assert_vv_ok(vv_array_write(array, zero, all, values, sizeof(values), &err));
    /* One inner chunk, four entries of 16 bytes, their checksum; nothing of the second shard. */
    assert_int_equal(size_of(self, "a/c/0"), 8 + 64 + 4);
    assert_false(has_key(self, "a/c/1"));
    values[9] = 0;
    assert_vv_ok(vv_array_write(array, some, some, values + 8, 8, &err));
    assert_false(has_key(self, "a/c/0"));
}

static void untouched_inner_chunks_keep_their_bytes(void **state)
{
    static const uint64_t shape[] = { 32 }, shard[] = { 32 }, inner[] = { 8 },
                          zero[] = { 0 }, all[] = { 32 }, at[] = { 9 }, two[] = { 2 };
    shards_fixture *self = *state;
    vv_array *array = make(self, VV_UINT8, 1, shape, shard, inner, "none");
    vv_error err = VV_ERROR_INIT;
    vv_buf shard_bytes = VV_BUF_INIT;
    uint8_t values[32];

    for (int i = 0; i < 32; i++)
        values[i] = (uint8_t)(i + 1);
    assert_vv_ok(vv_array_write(array, zero, all, values, sizeof(values), &err));
    assert_vv_ok(vv_array_write(array, at, two, "xy", 2, &err));
    memcpy(values + 9, "xy", 2);
    assert_vv_ok(vv_store_get(self->store, "a/c/0", VV_RANGE_ALL, &shard_bytes, &err));
    assert_int_equal(shard_bytes.len, 32 + 64 + 4);
    assert_memory_equal(shard_bytes.data, values, 32);
    vv_buf_clear(&shard_bytes);
    memset(values, 0, sizeof(values));
    assert_vv_ok(vv_array_read(array, at, two, NULL, values, 2, &err));
    assert_memory_equal(values, "xy", 2);
}

static void what_another_writer_replaced_is_read_anew(void **state)
{
    static const uint64_t shape[] = { 32 }, shard[] = { 32 }, inner[] = { 8 },
                          zero[] = { 0 }, all[] = { 32 };
    shards_fixture *self = *state;
    vv_array *array = make(self, VV_UINT8, 1, shape, shard, inner, "none");
    vv_array *other = NULL;
    vv_error err = VV_ERROR_INIT;
    uint8_t values[32] = { 1 };
    uint8_t out[32];

    assert_vv_ok(vv_array_open(self->store, "a", &other, &err));
    for (uint8_t round = 1; round < 20; round++) {
        memset(values, 0, sizeof(values));
        values[round] = round;
        values[31 - round] = round;
        assert_vv_ok(vv_array_write(other, zero, all, values, sizeof(values), &err));
        assert_vv_ok(vv_array_read(array, zero, all, NULL, out, sizeof(out), &err));
        assert_memory_equal(out, values, sizeof(out));
    }
    vv_array_free(other);
}

/* ---- random regions against memory ------------------------------------------------------------ */

/* Whole shards: what lies outside the array's shape is written and read back too. */
static void write_shard(vv_array *array, model *m, uint64_t *random)
{
    uint64_t index[NDIM_MAX] = { 0 }, at[NDIM_MAX] = { 0 }, zero[NDIM_MAX] = { 0 };
    static const uint64_t ones[NDIM_MAX] = { 1, 1, 1, 1, 1, 1 };
    uint64_t elements = 1;
    vv_error err = VV_ERROR_INIT;
    uint8_t *in;
    uint8_t *out;
    size_t n = 0;

    for (uint32_t d = 0; d < m->ndim; d++) {
        index[d] = next_random(random) % ((m->shape[d] + m->chunk[d] - 1) / m->chunk[d]);
        elements *= m->chunk[d];
        zero[d] = index[d] * m->chunk[d];
    }
    in = malloc(elements * m->item);
    out = malloc(elements * m->item);
    for (size_t i = 0; i < elements * m->item; i++)
        in[i] = (uint8_t)next_random(random);
    assert_vv_ok(vv_array_write_chunk(array, index, in, &err));
    assert_vv_ok(vv_array_read_chunk(array, index, out, &err));
    assert_memory_equal(in, out, elements * m->item);
    memset(out, 0, elements * m->item);
    assert_vv_ok(vv_array_read_chunks(array, 1, index, &(void *){ out }, &err));
    assert_memory_equal(in, out, elements * m->item);
    do {
        bool inside = true;

        for (uint32_t d = 0; d < m->ndim; d++)
            inside = inside && zero[d] + at[d] < m->shape[d];
        if (inside)
            memcpy(m->values + offset_of(m, zero, ones, at), in + n, m->item);
        n += m->item;
    } while (next_at(m, m->chunk, at));
    free(in);
    free(out);
}

static void choose_shapes(model *m, uint64_t *random)
{
    do {
        m->ndim = 1 + (uint32_t)(next_random(random) % NDIM_MAX);
        m->elements = 1;
        for (uint32_t d = 0; d < m->ndim; d++) {
            uint64_t most = m->ndim > 3 ? 5 : 13;

            m->shape[d] = 1 + next_random(random) % most;
            m->inner[d] = 1 + next_random(random) % 3;
            m->chunk[d] = m->inner[d] * (1 + next_random(random) % 3);
            m->elements *= m->shape[d];
        }
    } while (m->elements > ELEMENTS_MAX);
}

static void try_regions(shards_fixture *self, int arrays, uint64_t random)
{
    static const vv_dtype dtypes[] = { VV_INT8, VV_UINT16, VV_FLOAT32, VV_INT64,
                                       VV_COMPLEX128 };
    static const char *const codecs[] = { "none", "zstd:1", "bytes:big", "crc32c" };
    model *m = malloc(sizeof(*m));

    for (int i = 0; i < arrays; i++) {
        vv_dtype dtype = dtypes[next_random(&random) % 5];
        vv_array *array;

        memset(m, 0, sizeof(*m));
        choose_shapes(m, &random);
        m->item = vv_dtype_size(dtype);
        array = make(self, dtype, m->ndim, m->shape, m->chunk, m->inner,
                     codecs[next_random(&random) % 4]);
        for (int k = 0; k < 10; k++) {
            if (next_random(&random) % 8 == 0)
                write_shard(array, m, &random);
            else
                write_region(array, m, &random);
            compare_region(array, m, &random);
        }
    }
    free(m);
}

static void random_regions_equal_an_array_in_memory(void **state)
{
    try_regions(*state, 150, 29);
}

static void they_do_so_in_a_directory(void **state)
{
    use_directory(*state);
    try_regions(*state, 20, 31);
}

#ifdef VV_HAVE_LOCAL
static void they_do_so_in_a_local_store(void **state)
{
    use_local(*state);
    try_regions(*state, 20, 37);
}
#endif

/* ---- stores with latency ------------------------------------------------------------------------ */

static void they_do_so_far_away(void **state)
{
    use_far(*state);
    try_regions(*state, 60, 37);
}

static void a_little_of_a_far_shard_is_read_in_two_trips(void **state)
{
    static const uint64_t shape[] = { 64, 64 }, shard[] = { 32, 32 }, inner[] = { 8, 8 },
                          zero[] = { 0, 0 }, start[] = { 28, 0 }, count[] = { 8, 8 };
    shards_fixture *self = *state;
    vv_error err = VV_ERROR_INIT;
    uint8_t values[64 * 64];
    far_store_calls calls;
    vv_array *array;

    use_far(self);
    array = make(self, VV_UINT8, 2, shape, shard, inner, "none");
    for (int i = 0; i < 64 * 64; i++)
        values[i] = (uint8_t)(i % 251 + 1);
    assert_vv_ok(vv_array_write(array, zero, shape, values, sizeof(values), &err));
    calls = far_store_count(self->store);
    assert_vv_ok(vv_array_read(array, start, count, NULL, values, 64, &err));
    calls = far_store_count(self->store);
    /* Two shards: an index and one inner chunk of each. */
    assert_int_equal(calls.trips, 2);
    assert_int_equal(calls.gets, 4);
    assert_int_equal(calls.bytes, 2 * (16 * 16 + 4 + 64));
    for (int i = 0; i < 64; i++)
        assert_int_equal(values[i], ((28 + i / 8) * 64 + i % 8) % 251 + 1);
    /* All of them: whole shards in one trip. */
    assert_vv_ok(vv_array_read(array, zero, shape, NULL, values, sizeof(values), &err));
    calls = far_store_count(self->store);
    assert_int_equal(calls.trips, 1);
    assert_int_equal(calls.gets, 4);
}

typedef struct replacing {
    vv_store *store;
    vv_buf shard;
    int gets;
} replacing;

/* After the index was read, another shard takes the place of the first. */
static void replace_shard(void *ctx)
{
    replacing *self = ctx;
    vv_error err = VV_ERROR_INIT;

    if (++self->gets == 1)
        assert_vv_ok(
            vv_store_set(self->store, "a/c/0", vvi_buf_bytes(&self->shard), &err));
}

static void a_shard_that_changes_meanwhile_is_read_once_more(void **state)
{
    static const uint64_t shape[] = { 64 }, inner[] = { 8 }, zero[] = { 0 },
                          at[] = { 56 }, count[] = { 8 };
    shards_fixture *self = *state;
    replacing other = { .store = vv_store_retain(self->store) };
    vv_error err = VV_ERROR_INIT;
    uint8_t values[64];
    uint8_t out[8];
    vv_array *array;

    use_far(self);
    array = make(self, VV_UINT8, 1, shape, shape, inner, "crc32c");
    memset(values, 0, sizeof(values));
    memset(values + 56, 7, 8);
    assert_vv_ok(vv_array_write(array, zero, shape, values, sizeof(values), &err));
    assert_vv_ok(vv_store_get(self->store, "a/c/0", VV_RANGE_ALL, &other.shard, &err));
    memset(values, 5, sizeof(values));
    assert_vv_ok(vv_array_write(array, zero, shape, values, sizeof(values), &err));
    far_store_on_get(self->store, "a/c/0", replace_shard, &other);
    assert_vv_ok(vv_array_read(array, at, count, NULL, out, sizeof(out), &err));
    for (int i = 0; i < 8; i++)
        assert_int_equal(out[i], 7);
    assert_int_equal(other.gets, 3);
    vv_buf_clear(&other.shard);
    vv_store_free(other.store);
}

static void a_failing_store_leaves_old_or_new_values(void **state)
{
    static const uint64_t shape[] = { 40, 6 }, shard[] = { 8, 6 }, inner[] = { 4, 3 },
                          zero[] = { 0, 0 }, start[] = { 3, 1 }, count[] = { 30, 4 };
    shards_fixture *self = *state;
    vv_error err = VV_ERROR_INIT;
    uint8_t before[240];
    uint8_t fresh[120];
    uint8_t out[240];
    vv_status status = VV_EIO;
    vv_array *array;

    use_far(self);
    array = make(self, VV_UINT8, 2, shape, shard, inner, "zstd:1");
    memset(before, 1, sizeof(before));
    memset(fresh, 2, sizeof(fresh));
    for (uint64_t n = 0; status; n++) {
        assert_vv_ok(vv_array_write(array, zero, shape, before, sizeof(before), &err));
        far_store_fail_after(self->store, n);
        status = vv_array_write(array, start, count, fresh, sizeof(fresh), &err);
        far_store_fail_after(self->store, UINT64_MAX);
        assert_true(status == VV_OK || status == VV_EIO);
        assert_vv_ok(vv_array_read(array, zero, shape, NULL, out, sizeof(out), &err));
        for (int i = 0; i < 240; i++) {
            int row = i / 6;
            int column = i % 6;
            bool inside = row >= 3 && row < 33 && column >= 1 && column < 5;

            assert_true(out[i] == 1 || (inside && out[i] == 2));
            assert_true(status || !inside || out[i] == 2);
        }
    }
}

/* ---- hostile shards ----------------------------------------------------------------------------- */

static void put_le64(uint8_t *to, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

/* A shard of two inner chunks of 4 bytes with the entries given; its checksum is right. */
static void put_shard(shards_fixture *self, const uint64_t entries[4], const char *expect)
{
    static const uint64_t zero[] = { 0 }, all[] = { 8 };
    uint8_t shard[8 + 32 + 4] = "abcdefgh";
    vv_error err = VV_ERROR_INIT;
    uint8_t out[8];
    uint32_t crc;

    for (int i = 0; i < 4; i++)
        put_le64(shard + 8 + 8 * i, entries[i]);
    crc = vv_crc32c(0, (vv_bytes){ shard + 8, 32 });
    for (int i = 0; i < 4; i++)
        shard[40 + i] = (uint8_t)(crc >> (8 * i));
    assert_vv_ok(
        vv_store_set(self->store, "a/c/0", (vv_bytes){ shard, sizeof(shard) }, &err));
    assert_int_equal(vv_array_read(self->array, zero, all, NULL, out, sizeof(out), &err),
                     expect ? VV_ECORRUPT : VV_OK);
    if (!expect)
        return;
    assert_non_null(strstr(err.message, "a/c/0"));
    assert_non_null(strstr(err.message, expect));
    /* Nor is it changed: a part of it is not known. */
    assert_int_equal(vv_array_write(self->array, zero, (uint64_t[]){ 1 }, "x", 1, &err),
                     VV_ECORRUPT);
}

static void hostile_indexes_are_refused(void **state)
{
    static const uint64_t shape[] = { 8 }, shard[] = { 8 }, inner[] = { 4 },
                          zero[] = { 0 };
    shards_fixture *self = *state;
    vv_error err = VV_ERROR_INIT;
    uint8_t out[8];

    make(self, VV_UINT8, 1, shape, shard, inner, "none");
    put_shard(self, (uint64_t[]){ 0, 4, 4, 4 }, NULL);
    put_shard(self, (uint64_t[]){ 0, 4, UINT64_MAX, UINT64_MAX }, NULL);
    put_shard(self, (uint64_t[]){ 0, 4, 41, 4 }, "past the shard");
    put_shard(self, (uint64_t[]){ 0, 4, UINT64_MAX - 2, 4 }, "past the shard");
    put_shard(self, (uint64_t[]){ 0, 4, 4, UINT64_MAX - 8 }, "past the shard");
    put_shard(self, (uint64_t[]){ 0, 4, 4, UINT64_MAX }, "only one");
    put_shard(self, (uint64_t[]){ 0, 40, 4, 40 }, "overlap");
    put_shard(self, (uint64_t[]){ 0, 3, 4, 4 }, "3 bytes");
    assert_vv_ok(vv_store_set(self->store, "a/c/0", vv_bytes_of("short"), &err));
    assert_int_equal(vv_array_read(self->array, zero, shape, NULL, out, 8, &err),
                     VV_ECORRUPT);
    assert_non_null(strstr(err.message, "its index alone has"));
    assert_vv_ok(vv_store_set(self->store, "a/c/0", vv_bytes_of(""), &err));
    assert_int_equal(vv_array_read(self->array, zero, shape, NULL, out, 8, &err),
                     VV_ECORRUPT);
}

/* Many entries that name the same bytes do not let a reader fetch them many times. */
static void overlapping_inner_chunks_are_fetched_once(void **state)
{
    enum {
        CHUNKS = 64,
        BYTES = 1 << 15
    };
    static const uint64_t shape[] = { CHUNKS }, inner[] = { 1 }, zero[] = { 0 },
                          count[] = { CHUNKS / 4 };
    static uint8_t shard[BYTES + CHUNKS * 16 + 4];
    shards_fixture *self = *state;
    vv_error err = VV_ERROR_INIT;
    uint8_t out[CHUNKS];
    vv_array *array;
    uint32_t crc;

    use_far(self);
    array = make(self, VV_UINT8, 1, shape, shape, inner, "zstd:1");
    for (size_t i = 0; i < CHUNKS; i++) {
        put_le64(shard + BYTES + 16 * i, 0);
        put_le64(shard + BYTES + 16 * i + 8, BYTES);
    }
    crc = vv_crc32c(0, vvi_bytes(shard + BYTES, (size_t)CHUNKS * 16));
    for (int i = 0; i < 4; i++)
        shard[BYTES + CHUNKS * 16 + i] = (uint8_t)(crc >> (8 * i));
    assert_vv_ok(
        vv_store_set(self->store, "a/c/0", vvi_bytes(shard, sizeof(shard)), &err));
    (void)far_store_count(self->store);
    assert_int_equal(vv_array_read(array, zero, count, NULL, out, (size_t)count[0], &err),
                     VV_ECORRUPT);
    assert_non_null(strstr(err.message, "a/c/0"));
    assert_non_null(strstr(err.message, "overlap"));
    /* The index, and the whole shard. */
    assert_true(far_store_count(self->store).bytes <= sizeof(shard) + CHUNKS * 16 + 4);
}

/* ---- several writers ---------------------------------------------------------------------------- */

#define WRITERS 4

typedef struct writer {
    vv_array *array;
    uint64_t which;
    vv_status status;
} writer;

/* Every WRITERS-th inner chunk is this writer's. */
static void *write_mine(void *arg)
{
    static const uint64_t count[] = { 4 };
    writer *self = arg;

    for (uint64_t round = 0; round < 20 && !self->status; round++)
        for (uint64_t i = self->which; i < 32 && !self->status; i += WRITERS) {
            uint64_t start[] = { 4 * i };
            uint8_t values[4];

            memset(values, (int)(round * 32 + i) % 255 + 1, sizeof(values));
            self->status = vv_array_write(self->array, start, count, values,
                                          sizeof(values), NULL);
        }
    return NULL;
}

static void write_from_several_threads(vv_array *array)
{
    static const uint64_t shape[] = { 128 }, zero[] = { 0 };
    vv_error err = VV_ERROR_INIT;
    writer writers[WRITERS];
    pthread_t threads[WRITERS];
    uint8_t out[128];

    for (uint64_t i = 0; i < WRITERS; i++) {
        writers[i] = (writer){ array, i, VV_OK };
        assert_int_equal(pthread_create(&threads[i], NULL, write_mine, &writers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(writers[i].status, VV_OK);
    }
    assert_vv_ok(vv_array_read(array, zero, shape, NULL, out, sizeof(out), &err));
    for (uint64_t i = 0; i < 128; i++)
        assert_int_equal(out[i], (19 * 32 + i / 4) % 255 + 1);
}

static void writers_of_one_value_lose_nothing(void **state)
{
    static const uint64_t shape[] = { 128 }, shard[] = { 64 }, inner[] = { 4 };

    write_from_several_threads(make(*state, VV_UINT8, 1, shape, shard, inner, "zstd:1"));
    write_from_several_threads(make(*state, VV_UINT8, 1, shape, shard, NULL, "zstd:1"));
}

static void nor_do_they_far_away(void **state)
{
    static const uint64_t shape[] = { 128 }, shard[] = { 64 }, inner[] = { 4 };

    use_far(*state);
    write_from_several_threads(make(*state, VV_UINT8, 1, shape, shard, inner, "none"));
}

/* ---- allocations -------------------------------------------------------------------------------- */

static vv_status write_and_read_shards(void *ctx)
{
    static const uint64_t shape[] = { 7, 7 }, shard[] = { 4, 4 }, inner[] = { 2, 2 },
                          start[] = { 1, 1 }, count[] = { 4, 3 };
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_store *store = NULL;
    vv_array *array = NULL;
    float values[12] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
    vv_status status;

    (void)ctx;
    meta.dtype = VV_FLOAT32;
    meta.ndim = 2;
    meta.shape = shape;
    meta.chunk_shape = shard;
    meta.inner_chunk_shape = inner;
    meta.codecs = "gzip:1";
    status = vv_memory_store_new(&store, NULL);
    if (!status)
        status = vv_array_create(store, "a", &meta, true, &array, NULL);
    for (int i = 0; i < 2 && !status; i++)
        status = vv_array_write(array, start, count, values, sizeof(values), NULL);
    if (!status)
        status = vv_array_read(array, start, count, NULL, values, sizeof(values), NULL);
    if (!status)
        assert_true(values[11] == 12);
    vv_array_free(array);
    vv_store_free(store);
    return status;
}

static void shards_survive_any_failing_allocation(void **state)
{
    (void)state;
    survives_failing_allocations(write_and_read_shards, NULL);
}

int main(void)
{
#define PROMISE(function_) cmocka_unit_test_setup_teardown(function_, setup, teardown)
    const struct CMUnitTest tests[] = {
        PROMISE(an_array_in_shards_says_so),
        PROMISE(an_inner_chunk_must_divide_its_shard),
        PROMISE(inner_chunks_of_fill_values_are_not_stored),
        PROMISE(untouched_inner_chunks_keep_their_bytes),
        PROMISE(what_another_writer_replaced_is_read_anew),
        PROMISE(random_regions_equal_an_array_in_memory),
        PROMISE(they_do_so_in_a_directory),
#ifdef VV_HAVE_LOCAL
        PROMISE(they_do_so_in_a_local_store),
#endif
        PROMISE(they_do_so_far_away),
        PROMISE(a_little_of_a_far_shard_is_read_in_two_trips),
        PROMISE(a_shard_that_changes_meanwhile_is_read_once_more),
        PROMISE(a_failing_store_leaves_old_or_new_values),
        PROMISE(hostile_indexes_are_refused),
        PROMISE(overlapping_inner_chunks_are_fetched_once),
        PROMISE(writers_of_one_value_lose_nothing),
        PROMISE(nor_do_they_far_away),
        PROMISE(shards_survive_any_failing_allocation),
    };
#undef PROMISE

    watch_allocations();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
