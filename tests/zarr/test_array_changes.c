/*
 * Random writes, lists of positions, appends and new shapes of arrays of every make, through two handles
 * and over a store that fails now and then, against a table in memory. VV_SEED in the environment makes
 * another run.
 */
#include "far_store.h"
#include "support/support.h"

#include <stdio.h>

#define SIDE 20

/* The array as it should be: bits of float32. */
typedef struct table {
    uint32_t cells[SIDE][SIDE];
    uint64_t shape[2];
    uint32_t fill;
} table;

typedef struct work {
    vv_store *store;
    vv_array *array; /* that changes */
    vv_array *other; /* that was opened before, and reads */
    table is;
    uint64_t random;
    bool far, listed;
} work;

static uint64_t below(work *self, uint64_t n)
{
    return next_random(&self->random) % n;
}

static uint32_t any_cell(work *self)
{
    return below(self, 3) ? (uint32_t)below(self, 5) : self->is.fill;
}

/* ---- reading it back --------------------------------------------------------------------------- */

static void read_all(vv_array *array, table *out)
{
    static const uint64_t zero[] = { 0, 0 };
    uint32_t cells[SIDE * SIDE];
    vv_error err = VV_ERROR_INIT;
    const uint64_t *shape = vv_array_get_meta(array)->shape;

    memcpy(out->shape, shape, sizeof(out->shape));
    assert_vv_ok(vv_array_read(array, zero, shape, NULL, cells,
                               (size_t)(shape[0] * shape[1] * 4), &err));
    for (uint64_t i = 0; i < shape[0]; i++)
        memcpy(out->cells[i], cells + i * shape[1], (size_t)shape[1] * 4);
}

static bool same_cells(const table *a, const table *b)
{
    for (uint64_t i = 0; i < a->shape[0]; i++)
        if (memcmp(a->cells[i], b->cells[i], (size_t)a->shape[1] * 4) != 0)
            return false;
    return memcmp(a->shape, b->shape, sizeof(a->shape)) == 0;
}

static vv_status check_block(void *ctx, const uint64_t *start, const uint64_t *count,
                             const void *elements, size_t bytes, vv_error *err)
{
    const table *is = ctx;

    (void)bytes;
    (void)err;
    for (uint64_t i = 0; i < count[0]; i++)
        assert_memory_equal(&is->cells[start[0] + i][start[1]],
                            (const uint32_t *)elements + i * count[1], count[1] * 4);
    return VV_OK;
}

/* Some of it, by steps and by points. */
static void check_parts(work *self, vv_array *array)
{
    uint64_t start[2], count[2], step[2], coords[20];
    uint32_t cells[SIDE * SIDE];
    vv_error err = VV_ERROR_INIT;

    for (int d = 0; d < 2; d++) {
        uint64_t length = self->is.shape[d];

        start[d] = below(self, length);
        step[d] = 1 + below(self, 6);
        count[d] = 1 + below(self, (length - start[d] - 1) / step[d] + 1);
    }
    assert_vv_ok(vv_array_read(array, start, count, step, cells,
                               (size_t)(count[0] * count[1] * 4), &err));
    for (uint64_t i = 0; i < count[0] * count[1]; i++)
        assert_int_equal(cells[i], self->is.cells[start[0] + i / count[1] * step[0]]
                                                 [start[1] + i % count[1] * step[1]]);
    for (int i = 0; i < 20; i++)
        coords[i] = below(self, self->is.shape[i % 2]);
    assert_vv_ok(vv_array_read_points(array, 10, coords, cells, 40, &err));
    for (int i = 0; i < 10; i++)
        assert_int_equal(
            cells[i], self->is.cells[coords[(size_t)i * 2]][coords[(size_t)i * 2 + 1]]);
}

static void check(work *self)
{
    static const uint64_t zero[] = { 0, 0 };
    vv_array *arrays[] = { self->array, self->other };
    vv_error err = VV_ERROR_INIT;
    table got;

    for (int i = 0; i < 2; i++) {
        read_all(arrays[i], &got);
        assert_true(same_cells(&got, &self->is));
        if (got.shape[0] && got.shape[1])
            check_parts(self, arrays[i]);
        assert_vv_ok(vv_array_visit(arrays[i], zero, got.shape,
                                    1 + (size_t)below(self, 300), check_block, &self->is,
                                    &err));
    }
}

static void open_again(work *self, vv_array **array)
{
    vv_error err = VV_ERROR_INIT;

    vv_array_free(*array);
    *array = NULL;
    assert_vv_ok(vv_array_open(self->store, "g/x", array, &err));
}

/* ---- changing it ------------------------------------------------------------------------------- */

static void begin(work *self)
{
    if (self->far && below(self, 3) == 0)
        far_store_fail_after(self->store, below(self, 14));
}

static void end(work *self, vv_status status)
{
    if (self->far)
        far_store_fail_after(self->store, UINT64_MAX);
    assert_true(status == VV_OK || (self->far && status == VV_EIO));
}

/* After a change that failed each cell is as before or as it was to be; then it is what it is. */
static void take(work *self, const table *wanted, vv_status status)
{
    table got;

    if (status) {
        read_all(self->array, &got);
        assert_memory_equal(got.shape, self->is.shape, sizeof(got.shape));
        for (uint64_t i = 0; i < got.shape[0]; i++)
            for (uint64_t k = 0; k < got.shape[1]; k++)
                assert_true(got.cells[i][k] == self->is.cells[i][k] ||
                            got.cells[i][k] == wanted->cells[i][k]);
        got.fill = self->is.fill;
        self->is = got;
        return;
    }
    self->is = *wanted;
}

static void write_box(work *self)
{
    uint64_t start[2], count[2];
    uint32_t data[SIDE * SIDE];
    table wanted = self->is;
    vv_status status;
    size_t n = 0;
    bool all_fill = below(self, 4) == 0;

    for (int d = 0; d < 2; d++) {
        start[d] = below(self, self->is.shape[d] + 1);
        count[d] = below(self, self->is.shape[d] - start[d] + 1);
    }
    for (uint64_t i = 0; i < count[0]; i++)
        for (uint64_t k = 0; k < count[1]; k++)
            data[n++] = wanted.cells[start[0] + i][start[1] + k] = all_fill
                                                                       ? self->is.fill
                                                                       : any_cell(self);
    begin(self);
    status = vv_array_write(self->array, start, count, data, n * 4, NULL);
    end(self, status);
    take(self, &wanted, status);
}

/* One row twice in a list would let an old value of it be seen on the way. */
static void write_list(work *self)
{
    uint64_t rows[SIDE];
    vv_select dims[2] = { { .indices = rows }, { .step = 1 + below(self, 3) } };
    uint32_t data[SIDE * SIDE];
    table wanted = self->is;
    vv_status status;
    size_t n = 0;

    if (!self->is.shape[0] || !self->is.shape[1])
        return;
    dims[0].count = below(self, SIDE);
    dims[1].start = below(self, self->is.shape[1]);
    dims[1].count = (self->is.shape[1] - dims[1].start - 1) / dims[1].step + 1;
    for (uint64_t i = 0; i < dims[0].count; i++) {
        rows[i] = below(self, self->is.shape[0]);
        for (uint64_t k = 0; k < dims[1].count; k++)
            data[n++] = wanted.cells[rows[i]][dims[1].start + k * dims[1].step] =
                any_cell(self);
    }
    begin(self);
    status = vv_array_write_select(self->array, dims, data, n * 4, NULL);
    end(self, status);
    take(self, &wanted, status);
}

static void append(work *self)
{
    uint32_t axis = self->listed ? 1 : (uint32_t)below(self, 2);
    uint64_t from = self->is.shape[axis];
    uint64_t count = below(self, SIDE - from + 1);
    uint32_t data[SIDE * SIDE];
    table wanted = self->is;
    vv_status status;
    size_t n = 0;

    wanted.shape[axis] += count;
    for (uint64_t i = axis ? 0 : from; i < wanted.shape[0]; i++)
        for (uint64_t k = axis ? from : 0; k < wanted.shape[1]; k++)
            data[n++] = wanted.cells[i][k] = any_cell(self);
    begin(self);
    status = vv_array_append(self->array, axis, count, data, n * 4, NULL);
    end(self, status);
    if (!status)
        self->is = wanted;
    open_again(self, &self->other);
}

static void resize(work *self)
{
    uint64_t shape[] = { below(self, SIDE + 1), below(self, SIDE + 1) };
    table wanted = self->is;
    vv_status status;

    for (size_t i = 0; i < SIDE; i++)
        for (size_t k = 0; k < SIDE; k++)
            if (i >= self->is.shape[0] || k >= self->is.shape[1] || i >= shape[0] ||
                k >= shape[1])
                wanted.cells[i][k] = self->is.fill;
    memcpy(wanted.shape, shape, sizeof(shape));
    begin(self);
    status = vv_array_resize(self->array, shape, NULL);
    end(self, status);
    take(self, &wanted, status);
    open_again(self, &self->other);
}

/* ---- arrays of every make ---------------------------------------------------------------------- */

static void make(work *self)
{
    static const uint64_t odd[] = { 3, 1, 5, 2, 9 }, even[] = { 2, 6, 4, 2, 6 };
    static const char *const codecs[] = {
        "none",
        "zstd:1+crc32c",
        ("[{\"name\": \"transpose\", \"configuration\": {\"order\": [1, 0]}}, "
         "{\"name\": \"bytes\", \"configuration\": {\"endian\": \"big\"}}]"),
    };
    static const uint32_t fills[] = { 0x7FC01234, 0x80000000, 0, 0x3F800000 };
    bool sharded = below(self, 2);
    uint64_t inner[] = { 1 + below(self, 2), 1 + below(self, 3) };
    uint64_t chunk[] = { inner[0] * (1 + below(self, 4)),
                         inner[1] * (1 + below(self, 4)) };
    const uint64_t *edges[] = { sharded ? even : odd, NULL };
    uint64_t counts[] = { 5, 0 };
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_error err = VV_ERROR_INIT;

    self->listed = below(self, 3) == 0;
    self->is.fill = fills[below(self, 4)];
    for (size_t i = 0; i < SIDE; i++)
        for (size_t k = 0; k < SIDE; k++)
            self->is.cells[i][k] = self->is.fill;
    self->is.shape[0] = below(self, SIDE + 1);
    self->is.shape[1] = below(self, SIDE + 1);
    meta.dtype = VV_FLOAT32;
    meta.ndim = 2;
    meta.shape = self->is.shape;
    meta.chunk_shape = chunk;
    meta.inner_chunk_shape = sharded ? inner : NULL;
    meta.fill_value = &self->is.fill;
    meta.codecs = codecs[below(self, 3)];
    if (self->listed) {
        meta.chunk_edges = edges;
        meta.chunk_edge_counts = counts;
    }
    assert_vv_ok(vv_array_create(self->store, "g/x", &meta, true, &self->array, &err));
    open_again(self, &self->other);
}

static void change_at_random(vv_store *store, bool far, uint64_t seed)
{
    const char *other = getenv("VV_SEED");
    work *self = calloc(1, sizeof(*self));

    assert_non_null(self);
    *self = (work){ .store = store, .random = seed, .far = far };
    if (other)
        self->random += 1000 * strtoull(other, NULL, 10);
    for (int round = 0; round < 30; round++) {
        make(self);
        for (int i = 0; i < 12; i++) {
            uint64_t kind = below(self, 8);

            if (kind == 0)
                resize(self);
            else if (kind < 3)
                append(self);
            else if (kind < 5)
                write_list(self);
            else
                write_box(self);
            check(self);
            /* What it was left at is what is stored. */
            open_again(self, &self->other);
            if (below(self, 4) == 0)
                open_again(self, &self->array);
        }
        vv_array_free(self->array);
        self->array = NULL;
    }
    vv_array_free(self->other);
    free(self);
}

static void in_memory(void **state)
{
    vv_store *store = NULL;
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_vv_ok(vv_memory_store_new(&store, &err));
    change_at_random(store, false, 11);
    vv_store_free(store);
}

static void in_a_directory(void **state)
{
    char *directory = make_directory();
    vv_store *store = NULL;
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_vv_ok(vv_directory_store_open(directory, false, &store, &err));
    change_at_random(store, false, 12);
    vv_store_free(store);
    remove_directory(directory);
}

static void in_a_store_that_fails_now_and_then(void **state)
{
    vv_store *store = NULL;
    vv_error err = VV_ERROR_INIT;
    vv_store *far;

    (void)state;
    assert_vv_ok(vv_memory_store_new(&store, &err));
    far = far_store_new(store);
    change_at_random(far, true, 13);
    vv_store_free(far);
    vv_store_free(store);
}

/* What is overwritten is all there, or nothing of it is. */
static void a_replaced_array_is_not_seen_in_part(void **state)
{
    static const uint64_t shape[] = { 60 }, chunk[] = { 1 }, zero[] = { 0 };
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_status status = VV_EIO;
    vv_store *store = NULL;
    vv_store *far;
    int32_t data[60];

    (void)state;
    for (int i = 0; i < 60; i++)
        data[i] = i + 1;
    assert_vv_ok(vv_memory_store_new(&store, &err));
    far = far_store_new(store);
    meta.ndim = 1;
    meta.shape = shape;
    meta.chunk_shape = chunk;
    for (uint64_t n = 0; status; n++) {
        vv_array *array = NULL;
        int32_t got[60];

        meta.dtype = VV_INT32;
        assert_vv_ok(vv_array_create(far, "g/x", &meta, true, &array, &err));
        assert_vv_ok(vv_array_write(array, zero, shape, data, sizeof(data), &err));
        vv_array_free(array);
        array = NULL;
        meta.dtype = VV_INT8;
        far_store_fail_after(far, n);
        status = vv_array_create(far, "g/x", &meta, true, NULL, NULL);
        far_store_fail_after(far, UINT64_MAX);
        assert_true(status == VV_OK || status == VV_EIO);
        if (!vv_array_open(far, "g/x", &array, NULL) &&
            vv_array_get_meta(array)->dtype == VV_INT32) {
            assert_vv_ok(vv_array_read(array, zero, shape, NULL, got, sizeof(got), &err));
            assert_memory_equal(got, data, sizeof(got));
        }
        vv_array_free(array);
    }
    vv_store_free(far);
    vv_store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_memory),
        cmocka_unit_test(in_a_directory),
        cmocka_unit_test(in_a_store_that_fails_now_and_then),
        cmocka_unit_test(a_replaced_array_is_not_seen_in_part),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
