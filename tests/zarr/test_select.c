/* Lists of positions, points, visits, appending, elements of variable length. */
#include "far_store.h"
#include "support/support.h"

typedef struct select_fixture {
    vv_store *store;
    vv_array *array;
} select_fixture;

static int setup(void **state)
{
    select_fixture *self = calloc(1, sizeof(*self));

    *state = self;
    return !self || vv_memory_store_new(&self->store, NULL);
}

static int teardown(void **state)
{
    select_fixture *self = *state;

    vv_array_free(self->array);
    vv_store_free(self->store);
    free(self);
    return 0;
}

static void use_far(select_fixture *self)
{
    vv_store *far = far_store_new(self->store);

    vv_store_free(self->store);
    self->store = far;
}

static vv_array *make(select_fixture *self, const vv_array_meta *meta)
{
    vv_error err = VV_ERROR_INIT;

    vv_array_free(self->array);
    self->array = NULL;
    assert_vv_ok(vv_array_create(self->store, "g/a", meta, true, &self->array, &err));
    return self->array;
}

/* ---- random selections of a cube whose elements are their numbers ------------------------------- */

#define NDIM     3
#define SIDE_MAX 12

typedef struct cube {
    uint64_t shape[NDIM], chunk[NDIM], inner[NDIM];
    uint64_t edges[NDIM][SIDE_MAX], edge_counts[NDIM]; /* of a rectilinear grid */
    uint32_t values[SIDE_MAX * SIDE_MAX * SIDE_MAX];
    size_t elements;
} cube;

/* Chunks of different lengths; the last may reach past the end. */
static void choose_edges(cube *c, uint64_t *random)
{
    for (int d = 0; d < NDIM; d++) {
        uint64_t end = 0;

        c->edge_counts[d] = 0;
        while (end < c->shape[d]) {
            uint64_t length = 1 + next_random(random) % 5;

            c->edges[d][c->edge_counts[d]++] = length;
            end += length;
        }
    }
}

static vv_array *make_cube(select_fixture *self, cube *c, uint64_t *random)
{
    static const uint64_t zero[NDIM] = { 0 };
    vv_array_meta meta = VV_ARRAY_META_INIT;
    const uint64_t *edges[NDIM];
    vv_error err = VV_ERROR_INIT;
    vv_array *array;

    c->elements = 1;
    for (int d = 0; d < NDIM; d++) {
        c->shape[d] = 1 + next_random(random) % SIDE_MAX;
        c->inner[d] = 1 + next_random(random) % 4;
        c->chunk[d] = c->inner[d] * (1 + next_random(random) % 3);
        c->elements *= c->shape[d];
    }
    for (uint32_t i = 0; i < c->elements; i++)
        c->values[i] = i;
    meta.dtype = VV_UINT32;
    meta.ndim = NDIM;
    meta.shape = c->shape;
    meta.chunk_shape = c->chunk;
    meta.inner_chunk_shape = next_random(random) % 2 ? c->inner : NULL;
    meta.codecs = next_random(random) % 2 ? "none" : "zstd:1";
    if (next_random(random) % 3 == 0) {
        choose_edges(c, random);
        for (int d = 0; d < NDIM; d++)
            edges[d] = c->edges[d];
        if (next_random(random) % 2)
            edges[2] = NULL;
        meta.chunk_edges = edges;
        meta.chunk_edge_counts = c->edge_counts;
        meta.inner_chunk_shape = NULL;
    }
    array = make(self, &meta);
    assert_vv_ok(vv_array_write(array, zero, c->shape, c->values,
                                c->elements * sizeof(uint32_t), &err));
    return array;
}

typedef struct selection {
    vv_select dims[NDIM];
    uint64_t lists[NDIM][2 * SIDE_MAX];
    size_t elements;
} selection;

static void random_selection(selection *s, const cube *c, uint64_t *random)
{
    s->elements = 1;
    for (int d = 0; d < NDIM; d++) {
        vv_select *dim = &s->dims[d];

        memset(dim, 0, sizeof(*dim));
        if (next_random(random) % 2) {
            dim->indices = s->lists[d];
            dim->count = next_random(random) % (2 * SIDE_MAX);
            for (uint64_t i = 0; i < dim->count; i++)
                s->lists[d][i] = next_random(random) % c->shape[d];
        } else {
            dim->start = next_random(random) % c->shape[d];
            dim->step = next_random(random) % 4;
            dim->count = 1 + next_random(random) % ((c->shape[d] - dim->start - 1) /
                                                        (dim->step ? dim->step : 1) +
                                                    1);
        }
        s->elements *= dim->count;
    }
}

/* The number in the cube of element i of the selection. */
static size_t number_of(const selection *s, const cube *c, size_t i)
{
    uint64_t at[NDIM];
    size_t number = 0;

    for (int d = NDIM - 1; d >= 0; d--) {
        const vv_select *dim = &s->dims[d];
        uint64_t k = i % dim->count;

        i /= dim->count;
        at[d] = dim->indices ? dim->indices[k]
                             : dim->start + k * (dim->step ? dim->step : 1);
    }
    for (int d = 0; d < NDIM; d++)
        number = number * c->shape[d] + at[d];
    return number;
}

static void try_selections(select_fixture *self, int arrays, uint64_t random)
{
    cube *c = malloc(sizeof(*c));
    selection *s = malloc(sizeof(*s));
    vv_error err = VV_ERROR_INIT;

    for (int i = 0; i < arrays; i++) {
        vv_array *array = make_cube(self, c, &random);

        for (int k = 0; k < 8; k++) {
            uint32_t *data;

            random_selection(s, c, &random);
            data = malloc(s->elements * sizeof(*data) + 1);
            assert_vv_ok(vv_array_read_select(array, s->dims, data,
                                              s->elements * sizeof(*data), &err));
            for (size_t n = 0; n < s->elements; n++)
                assert_int_equal(data[n], c->values[number_of(s, c, n)]);
            for (size_t n = 0; n < s->elements; n++)
                data[n] = (uint32_t)next_random(&random);
            assert_vv_ok(vv_array_write_select(array, s->dims, data,
                                               s->elements * sizeof(*data), &err));
            for (size_t n = 0; n < s->elements; n++)
                c->values[number_of(s, c, n)] = data[n];
            free(data);
        }
    }
    free(c);
    free(s);
}

static void random_selections_equal_an_array_in_memory(void **state)
{
    try_selections(*state, 120, 41);
}

static void they_do_so_far_away(void **state)
{
    use_far(*state);
    try_selections(*state, 40, 43);
}

static void positions_outside_are_refused(void **state)
{
    uint64_t random = 1;
    cube *c = calloc(1, sizeof(*c));
    vv_array *array = make_cube(*state, c, &random);
    uint64_t list[] = { 0, c->shape[1] };
    vv_select dims[NDIM] = { { NULL, 0, 1, 1 }, { list, 0, 2, 0 }, { NULL, 0, 1, 1 } };
    vv_error err = VV_ERROR_INIT;
    uint32_t out[2];

    assert_int_equal(vv_array_read_select(array, dims, out, sizeof(out), &err),
                     VV_ERANGE);
    assert_non_null(strstr(err.message, "dimension 1"));
    list[1] = 0;
    assert_int_equal(vv_array_read_select(array, dims, out, 4, &err), VV_EINVAL);
    assert_vv_ok(vv_array_read_select(array, dims, out, sizeof(out), &err));
    assert_int_equal(
        vv_array_read_points(array, 1, (uint64_t[]){ 0, c->shape[1], 0 }, out, 4, &err),
        VV_ERANGE);
    free(c);
}

static void points_are_found(void **state)
{
    uint64_t random = 47;
    cube *c = malloc(sizeof(*c));
    vv_error err = VV_ERROR_INIT;
    uint64_t coords[NDIM * 200];
    uint32_t out[200];

    for (int i = 0; i < 60; i++) {
        vv_array *array = make_cube(*state, c, &random);
        size_t n = next_random(&random) % 200;

        for (size_t k = 0; k < n * NDIM; k++)
            coords[k] = next_random(&random) % c->shape[k % NDIM];
        assert_vv_ok(
            vv_array_read_points(array, n, coords, out, n * sizeof(out[0]), &err));
        for (size_t k = 0; k < n; k++) {
            size_t number = 0;

            for (int d = 0; d < NDIM; d++)
                number = number * c->shape[d] + coords[k * NDIM + (size_t)d];
            assert_int_equal(out[k], c->values[number]);
        }
    }
    free(c);
}

/* More than 2^64 chunks: they cannot be told apart by their number. */
static void elements_of_a_huge_grid_are_told_apart(void **state)
{
    static const uint64_t shape[] = { UINT64_MAX, 4 }, chunk[] = { 1, 1 };
    static const uint64_t rows[] = { (uint64_t)1 << 62, 0, (uint64_t)3 << 62 };
    static const uint64_t coords[] = { 0, 0, (uint64_t)1 << 62, 0, (uint64_t)3 << 62, 0 };
    static const vv_select dims[] = { { .indices = rows, .count = 3 }, { .count = 1 } };
    static const int32_t data[] = { 1, 2, 3 };
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_error err = VV_ERROR_INIT;
    int32_t out[3];

    meta.dtype = VV_INT32;
    meta.ndim = 2;
    meta.shape = shape;
    meta.chunk_shape = chunk;
    for (int far = 0; far < 2; far++) {
        vv_array *array;

        if (far)
            use_far(*state);
        array = make(*state, &meta);
        assert_vv_ok(vv_array_write_select(array, dims, data, sizeof(data), &err));
        assert_vv_ok(vv_array_read_select(array, dims, out, sizeof(out), &err));
        assert_memory_equal(out, data, sizeof(out));
        assert_vv_ok(vv_array_read_points(array, 3, coords, out, sizeof(out), &err));
        assert_int_equal(out[0], 2);
        assert_int_equal(out[1], 1);
        assert_int_equal(out[2], 3);
    }
}

static void each_chunk_of_the_points_is_read_once(void **state)
{
    static const uint64_t shape[] = { 100 }, chunk[] = { 10 }, zero[] = { 0 };
    select_fixture *self = *state;
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_error err = VV_ERROR_INIT;
    uint64_t coords[100];
    uint8_t values[100];
    vv_array *array;

    use_far(self);
    meta.dtype = VV_UINT8;
    meta.ndim = 1;
    meta.shape = shape;
    meta.chunk_shape = chunk;
    array = make(self, &meta);
    for (uint64_t i = 0; i < 100; i++) {
        values[i] = (uint8_t)(i + 1);
        coords[i] = i * 37 % 100;
    }
    assert_vv_ok(vv_array_write(array, zero, shape, values, 100, &err));
    (void)far_store_count(self->store);
    assert_vv_ok(vv_array_read_points(array, 100, coords, values, 100, &err));
    assert_int_equal(far_store_count(self->store).gets, 10);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(values[i], coords[i] + 1);
}

static void points_are_found_far_away(void **state)
{
    use_far(*state);
    points_are_found(state);
}

/* 1 MiB in one value, of which four points are wanted, one of them twice. */
static far_store_calls read_few(select_fixture *self, const char *codecs, bool shards,
                                vv_array **out)
{
    static const uint64_t shape[] = { 1024, 1024 }, inner[] = { 64, 64 },
                          zero[] = { 0, 0 };
    static const uint64_t coords[] = { 0, 0, 1023, 1023, 500, 7, 0, 1, 500, 7 };
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_error err = VV_ERROR_INIT;
    uint8_t *values = malloc(1 << 20);
    uint8_t found[5];

    use_far(self);
    meta.dtype = VV_UINT8;
    meta.ndim = 2;
    meta.shape = shape;
    meta.chunk_shape = shape;
    meta.inner_chunk_shape = shards ? inner : NULL;
    meta.codecs = codecs;
    *out = make(self, &meta);
    for (uint64_t i = 0; i < 1 << 20; i++)
        values[i] = (uint8_t)(i % 251 + 1);
    assert_vv_ok(vv_array_write(*out, zero, shape, values, 1 << 20, &err));
    (void)far_store_count(self->store);
    assert_vv_ok(vv_array_read_points(*out, 5, coords, found, 5, &err));
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(found[i], values[coords[2 * i] * 1024 + coords[2 * i + 1]]);
    free(values);
    return far_store_count(self->store);
}

static void far_points_take_no_more_than_they_need(void **state)
{
    static const uint64_t corner[] = { 1023, 1023 };
    far_store_calls calls;
    vv_error err = VV_ERROR_INIT;
    vv_array *array;
    uint8_t found = 0;

    /* Elements: those near each other together. */
    calls = read_few(*state, "none", false, &array);
    assert_int_equal(calls.trips, 1);
    assert_int_equal(calls.gets, 3);
    assert_int_equal(calls.bytes, 2 + 1 + 1);
    /* An index of 256 entries, then three inner chunks. */
    calls = read_few(*state, "none", true, &array);
    assert_int_equal(calls.trips, 2);
    assert_int_equal(calls.bytes, 256 * 16 + 4 + 3 * 64 * 64);
    /* What is compressed is needed whole. */
    calls = read_few(*state, "zstd:1", false, &array);
    assert_int_equal(calls.trips, 1);
    assert_int_equal(calls.gets, 1);
    /* A value that is too short is named. */
    array = NULL;
    (void)read_few(*state, "none", false, &array);
    assert_vv_ok(vv_store_set(((select_fixture *)*state)->store, "g/a/c/0/0",
                              vv_bytes_of("short"), &err));
    assert_int_equal(vv_array_read_points(array, 1, corner, &found, 1, &err),
                     VV_ECORRUPT);
    assert_non_null(strstr(err.message, "g/a/c/0/0"));
}

/* ---- visits --------------------------------------------------------------------------------------- */

typedef struct seen {
    const cube *c;
    uint8_t *times;
    size_t most; /* bytes of a block */
    size_t blocks, stop_at;
} seen;

static vv_status see_block(void *ctx, const uint64_t *start, const uint64_t *count,
                           const void *elements, size_t bytes, vv_error *err)
{
    seen *self = ctx;
    const uint32_t *from = elements;

    (void)err;
    assert_int_equal(bytes, count[0] * count[1] * count[2] * sizeof(*from));
    if (bytes > self->most)
        self->most = bytes;
    for (uint64_t i = 0; i < count[0]; i++)
        for (uint64_t j = 0; j < count[1]; j++)
            for (uint64_t k = 0; k < count[2]; k++, from++) {
                size_t number = ((start[0] + i) * self->c->shape[1] + start[1] + j) *
                                    self->c->shape[2] +
                                start[2] + k;

                assert_int_equal(*from, self->c->values[number]);
                self->times[number]++;
            }
    return ++self->blocks == self->stop_at ? VV_ECANCELED : VV_OK;
}

static void a_visit_sees_each_element_once_in_bounded_memory(void **state)
{
    uint64_t random = 53;
    cube *c = malloc(sizeof(*c));
    vv_error err = VV_ERROR_INIT;

    for (int i = 0; i < 80; i++) {
        vv_array *array = make_cube(*state, c, &random);
        const uint64_t *unit = vv_array_get_meta(array)->inner_chunk_shape;
        uint64_t start[NDIM], count[NDIM];
        size_t memory = next_random(&random) % 3000 + 1;
        size_t one = sizeof(uint32_t);
        size_t elements = 1;
        seen all = { .c = c, .times = calloc(1, c->elements) };
        size_t n = 0;

        unit = unit ? unit : vv_array_get_meta(array)->chunk_shape;
        for (int d = 0; d < NDIM; d++) {
            start[d] = next_random(&random) % c->shape[d];
            count[d] = 1 + next_random(&random) % (c->shape[d] - start[d]);
            one *= unit[d];
            elements *= count[d];
        }
        assert_vv_ok(vv_array_visit(array, start, count, memory, see_block, &all, &err));
        for (size_t k = 0; k < c->elements; k++) {
            assert_true(all.times[k] <= 1);
            n += all.times[k];
        }
        assert_int_equal(n, elements);
        assert_true(all.most <= (memory > one ? memory : one));
        free(all.times);
    }
    free(c);
}

static void a_visitor_ends_the_visit(void **state)
{
    uint64_t random = 59;
    cube *c = malloc(sizeof(*c));
    vv_array *array = make_cube(*state, c, &random);
    seen all = { .c = c, .times = calloc(1, c->elements), .stop_at = 1 };
    static const uint64_t zero[NDIM] = { 0 };
    vv_error err = VV_ERROR_INIT;

    assert_int_equal(vv_array_visit(array, zero, c->shape, 1, see_block, &all, &err),
                     VV_ECANCELED);
    assert_int_equal(all.blocks, 1);
    free(all.times);
    free(c);
}

/* ---- appending ------------------------------------------------------------------------------------ */

static vv_array *make_log(select_fixture *self, const uint64_t *inner)
{
    static const uint64_t shape[] = { 0, 3 }, chunk[] = { 4, 2 };
    vv_array_meta meta = VV_ARRAY_META_INIT;
    static const char *const names[] = { "time", "x" };

    meta.dtype = VV_INT32;
    meta.ndim = 2;
    meta.shape = shape;
    meta.chunk_shape = chunk;
    meta.inner_chunk_shape = inner;
    meta.dimension_names = names;
    return make(self, &meta);
}

static void check_log(vv_array *array, uint64_t rows)
{
    static const uint64_t zero[] = { 0, 0 };
    uint64_t count[] = { rows, 3 };
    int32_t out[300];
    vv_error err = VV_ERROR_INIT;

    assert_int_equal(vv_array_get_meta(array)->shape[0], rows);
    assert_string_equal(vv_array_get_meta(array)->dimension_names[0], "time");
    assert_vv_ok(vv_array_read(array, zero, count, NULL, out, rows * 12, &err));
    for (uint64_t i = 0; i < rows * 3; i++)
        assert_int_equal(out[i], i);
}

static void appended_rows_stand_behind_the_others(void **state)
{
    static const uint64_t inner[] = { 2, 1 };
    select_fixture *self = *state;
    vv_error err = VV_ERROR_INIT;
    vv_array *again = NULL;
    uint64_t random = 61;

    for (int sharded = 0; sharded < 2; sharded++) {
        vv_array *array = make_log(self, sharded ? inner : NULL);
        int32_t data[30];
        uint64_t rows = 0;

        while (rows < 80) {
            uint64_t count = next_random(&random) % 10;

            for (uint64_t i = 0; i < count * 3; i++)
                data[i] = (int32_t)(rows * 3 + i);
            assert_vv_ok(vv_array_append(array, 0, count, data, count * 12, &err));
            rows += count;
            check_log(array, rows);
        }
        assert_vv_ok(vv_array_open(self->store, "g/a", &again, &err));
        check_log(again, rows);
        vv_array_free(again);
        again = NULL;
    }
}

static void what_an_append_is_given_is_checked(void **state)
{
    select_fixture *self = *state;
    vv_array *array = make_log(self, NULL);
    vv_array *other = NULL;
    vv_error err = VV_ERROR_INIT;
    int32_t data[3] = { 0, 1, 2 };

    assert_int_equal(vv_array_append(array, 2, 1, data, 12, &err), VV_EINVAL);
    assert_int_equal(vv_array_append(array, 0, 1, data, 8, &err), VV_EINVAL);
    assert_int_equal(vv_array_append(array, 0, UINT64_MAX, data, 8, &err), VV_ERANGE);
    assert_vv_ok(vv_array_open(self->store, "g/a", &other, &err));
    assert_vv_ok(vv_node_set_attributes(self->store, "g/a", "{\"units\": \"K\"}", &err));
    assert_vv_ok(vv_array_append(array, 0, 1, data, 12, &err));
    assert_non_null(strstr(vv_array_get_meta(array)->dimension_names[1], "x"));
    assert_int_equal(vv_array_append(other, 0, 1, data, 12, &err), VV_EBUSY);
    vv_array_free(other);
    /* What was changed beside it stays. */
    vv_buf text = VV_BUF_INIT;
    assert_vv_ok(vv_node_attributes(self->store, "g/a", &text, &err));
    assert_non_null(strstr((char *)text.data, "units"));
    vv_buf_clear(&text);
}

/* Whether the lengths in the list differ or not. */
static void nothing_is_appended_to_a_list_of_chunks(void **state)
{
    static const uint64_t alike[] = { 2, 2, 2 }, uneven[] = { 1, 3, 2 }, shape[] = { 4 },
                          start[] = { 0 };
    const uint64_t *edges[] = { alike };
    static const uint64_t count = 3;
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_error err = VV_ERROR_INIT;
    int32_t data[4] = { 1, 2, 3, 4 };

    meta.dtype = VV_INT32;
    meta.ndim = 1;
    meta.shape = shape;
    meta.chunk_edges = edges;
    meta.chunk_edge_counts = &count;
    for (int i = 0; i < 2; i++) {
        vv_array *array = make(*state, &meta);

        assert_int_equal(vv_array_append(array, 0, 3, data, 12, &err), VV_EUNSUPPORTED);
        assert_non_null(strstr(err.message, "dimension 0"));
        assert_int_equal(vv_array_append(array, 0, 1, data, 4, &err), VV_EUNSUPPORTED);
        assert_vv_ok(vv_array_write(array, start, shape, data, sizeof(data), &err));
        edges[0] = uneven;
    }
}

static void a_failing_append_shows_all_rows_or_none(void **state)
{
    select_fixture *self = *state;
    vv_error err = VV_ERROR_INIT;
    vv_status status = VV_EIO;
    int32_t data[60];

    use_far(self);
    for (int32_t i = 0; i < 60; i++)
        data[i] = i;
    for (uint64_t n = 0; status; n++) {
        vv_array *array = make_log(self, NULL);
        vv_array *again = NULL;

        assert_vv_ok(vv_array_append(array, 0, 5, data, 5 * 12, &err));
        far_store_fail_after(self->store, n);
        status = vv_array_append(array, 0, 15, data + 15, 15 * 12, &err);
        far_store_fail_after(self->store, UINT64_MAX);
        assert_true(status == VV_OK || status == VV_EIO);
        check_log(array, status ? 5 : 20);
        assert_vv_ok(vv_array_open(self->store, "g/a", &again, &err));
        check_log(again, status ? 5 : 20);
        vv_array_free(again);
    }
}

/* ---- elements of variable length ------------------------------------------------------------------- */

static void texts_of_any_length_are_written_and_read(void **state)
{
    static const uint64_t shape[] = { 7, 5 }, chunk[] = { 4, 2 }, inner[] = { 2, 1 },
                          zero[] = { 0, 0 };
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    select_fixture *self = *state;
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_bytes fill = vv_bytes_of("none");
    vv_error err = VV_ERROR_INIT;
    uint64_t random = 67;

    meta.dtype = VV_STRING;
    meta.ndim = 2;
    meta.shape = shape;
    meta.chunk_shape = chunk;
    meta.fill_value = &fill;
    for (int sharded = 0; sharded < 2; sharded++) {
        vv_bytes model[35];
        vv_array *array;

        meta.inner_chunk_shape = sharded ? inner : NULL;
        array = make(self, &meta);
        for (int i = 0; i < 35; i++)
            model[i] = fill;
        for (int round = 0; round < 30; round++) {
            vv_varlen read = VV_VARLEN_INIT;
            uint64_t start[2], count[2];
            vv_bytes items[35];
            size_t n = 0;

            for (int d = 0; d < 2; d++) {
                start[d] = next_random(&random) % shape[d];
                count[d] = 1 + next_random(&random) % (shape[d] - start[d]);
            }
            for (uint64_t i = 0; i < count[0]; i++)
                for (uint64_t j = 0; j < count[1]; j++) {
                    size_t len = next_random(&random) % 26;

                    items[n] = (vv_bytes){ (const uint8_t *)letters + len % 3, len };
                    if (next_random(&random) % 3 == 0)
                        items[n] = fill;
                    if (items[n].len > 23)
                        items[n].len = 0;
                    model[(start[0] + i) * 5 + start[1] + j] = items[n++];
                }
            assert_vv_ok(vv_array_write_varlen(array, start, count, items, n, &err));
            assert_vv_ok(vv_array_read_varlen(array, zero, shape, NULL, &read, &err));
            assert_int_equal(read.count, 35);
            for (int i = 0; i < 35; i++) {
                assert_int_equal(read.items[i].len, model[i].len);
                if (model[i].len)
                    assert_memory_equal(read.items[i].data, model[i].data, model[i].len);
            }
            vv_varlen_clear(&read);
        }
    }
}

static void what_was_read_outlives_the_array(void **state)
{
    static const uint64_t shape[] = { 2 }, chunk[] = { 2 }, zero[] = { 0 };
    select_fixture *self = *state;
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_varlen read = VV_VARLEN_INIT;
    char text[] = "kept";
    vv_bytes fill = vv_bytes_of(text);
    vv_error err = VV_ERROR_INIT;

    meta.dtype = VV_BYTES;
    meta.ndim = 1;
    meta.shape = shape;
    meta.chunk_shape = chunk;
    meta.fill_value = &fill;
    make(self, &meta);
    memset(text, 'x', 4);
    assert_vv_ok(vv_array_read_varlen(self->array, zero, shape, NULL, &read, &err));
    vv_array_free(self->array);
    self->array = NULL;
    assert_memory_equal(read.items[1].data, "kept", 4);
    vv_varlen_clear(&read);
    vv_varlen_clear(&read);
}

static void calls_for_other_elements_are_refused(void **state)
{
    static const uint64_t shape[] = { 2 }, chunk[] = { 2 }, zero[] = { 0 };
    select_fixture *self = *state;
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_varlen read = VV_VARLEN_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_bytes items[2] = { { NULL, 0 }, { NULL, 0 } };
    vv_array *array;

    meta.dtype = VV_STRING;
    meta.ndim = 1;
    meta.shape = shape;
    meta.chunk_shape = chunk;
    array = make(self, &meta);
    assert_int_equal(vv_array_read(array, zero, shape, NULL, items, sizeof(items), &err),
                     VV_EINVAL);
    assert_non_null(strstr(err.message, "vv_array_read_varlen"));
    assert_int_equal(vv_array_write(array, zero, shape, items, sizeof(items), &err),
                     VV_EINVAL);
    assert_int_equal(vv_array_read_chunk(array, zero, items, &err), VV_EINVAL);
    assert_int_equal(vv_array_write_chunk(array, zero, items, &err), VV_EINVAL);
    assert_int_equal(vv_array_write_varlen(array, zero, shape, items, 1, &err),
                     VV_EINVAL);
    meta.dtype = VV_INT8;
    array = make(self, &meta);
    assert_int_equal(vv_array_read_varlen(array, zero, shape, NULL, &read, &err),
                     VV_EINVAL);
    assert_int_equal(vv_array_write_varlen(array, zero, shape, items, 2, &err),
                     VV_EINVAL);
}

/* ---- allocations ------------------------------------------------------------------------------------ */

static vv_status use_all(void *ctx)
{
    static const uint64_t shape[] = { 6, 6 }, chunk[] = { 4, 4 }, zero[] = { 0, 0 },
                          inner[] = { 2, 2 };
    uint64_t list[] = { 5, 0, 5, 1 };
    vv_select dims[2] = { { list, 0, 3, 0 }, { NULL, 1, 2, 2 } };
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_bytes texts[36];
    vv_varlen read = VV_VARLEN_INIT;
    vv_store *store = NULL;
    vv_array *array = NULL;
    int16_t data[6] = { 1, 2, 3, 4, 5, 6 };
    vv_status status = vv_memory_store_new(&store, NULL);

    (void)ctx;
    meta.dtype = VV_INT16;
    meta.ndim = 2;
    meta.shape = shape;
    meta.chunk_shape = chunk;
    meta.inner_chunk_shape = inner;
    if (!status)
        status = vv_array_create(store, "a", &meta, true, &array, NULL);
    if (!status)
        status = vv_array_write_select(array, dims, data, sizeof(data), NULL);
    if (!status)
        status = vv_array_read_select(array, dims, data, sizeof(data), NULL);
    if (!status)
        status = vv_array_append(array, 0, 1, data, 12, NULL);
    if (!status)
        status = vv_array_read_points(array, 2, list, data, 4, NULL);
    vv_array_free(array);
    array = NULL;
    meta.dtype = VV_STRING;
    for (int i = 0; i < 36; i++)
        texts[i] = vv_bytes_of("text");
    if (!status)
        status = vv_array_create(store, "b", &meta, true, &array, NULL);
    if (!status)
        status = vv_array_write_varlen(array, zero, chunk, texts, 16, NULL);
    if (!status)
        status = vv_array_read_varlen(array, zero, shape, NULL, &read, NULL);
    vv_varlen_clear(&read);
    vv_array_free(array);
    vv_store_free(store);
    return status;
}

static void all_survive_any_failing_allocation(void **state)
{
    (void)state;
    survives_failing_allocations(use_all, NULL);
}

int main(void)
{
#define PROMISE(function_) cmocka_unit_test_setup_teardown(function_, setup, teardown)
    const struct CMUnitTest tests[] = {
        PROMISE(random_selections_equal_an_array_in_memory),
        PROMISE(they_do_so_far_away),
        PROMISE(positions_outside_are_refused),
        PROMISE(points_are_found),
        PROMISE(elements_of_a_huge_grid_are_told_apart),
        PROMISE(each_chunk_of_the_points_is_read_once),
        PROMISE(points_are_found_far_away),
        PROMISE(far_points_take_no_more_than_they_need),
        PROMISE(a_visit_sees_each_element_once_in_bounded_memory),
        PROMISE(a_visitor_ends_the_visit),
        PROMISE(appended_rows_stand_behind_the_others),
        PROMISE(what_an_append_is_given_is_checked),
        PROMISE(nothing_is_appended_to_a_list_of_chunks),
        PROMISE(a_failing_append_shows_all_rows_or_none),
        PROMISE(texts_of_any_length_are_written_and_read),
        PROMISE(what_was_read_outlives_the_array),
        PROMISE(calls_for_other_elements_are_refused),
        PROMISE(all_survive_any_failing_allocation),
    };
#undef PROMISE

    watch_allocations();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
