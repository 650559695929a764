/*
 * Random histories of a sharded store beside plain arrays: whatever was done, and whatever failed in between,
 * both hold the same. A step is made to fail now and then, by a block that cannot be read or saved or by an
 * allocation that is refused; it must then have changed nothing.
 */
#include "support/faulty_blockstore.h"
#include "support/support.h"

#include <varvite/sharded.h>

#include <stdio.h>

#define ARRAYS  4
#define SIDE    6 /* chunks along a dimension, at most */
#define CELLS   (SIDE * SIDE * SIDE)
#define ROOTS   4
#define KEY_MAX 64

typedef struct plain_array {
    bool there;
    uint32_t ndim;
    uint64_t shape[3], chunk[3];
    int64_t values[CELLS]; /* by coordinates; −1: none */
} plain_array;

typedef struct plain {
    plain_array arrays[ARRAYS];
    int64_t note; /* of a key that is no chunk */
} plain;

typedef struct model {
    vv_blockstore *memory, *blocks; /* blocks: the same, which fails on demand */
    vv_store *store;
    vv_sharded_version version;
    plain now, committed;
    vv_cid root;
    bool has_root;
    struct {
        vv_cid root;
        plain then;
    } roots[ROOTS];
    size_t root_count;
    uint64_t random;
    uint64_t number; /* of the next value */
    uint64_t failed; /* steps that were made to fail */
    bool fails;      /* now and then */
} model;

static const char *const paths[ARRAYS] = { "g/a", "g/b", "h/deep/c", "g/b2" };

static uint64_t below(model *self, uint64_t n)
{
    return next_random(&self->random) % n;
}

/* ---- plain arrays ------------------------------------------------------------------------------ */

static uint64_t grid_of(const plain_array *array, uint32_t d)
{
    return d < array->ndim ? (array->shape[d] + array->chunk[d] - 1) / array->chunk[d]
                           : 1;
}

static bool is_inside(const plain_array *array, const uint64_t at[3])
{
    for (uint32_t d = 0; d < 3; d++)
        if (at[d] >= grid_of(array, d))
            return false;
    return true;
}

static size_t cell_of(const uint64_t at[3])
{
    return (size_t)((at[0] * SIDE + at[1]) * SIDE + at[2]);
}

static void cell_at(size_t cell, uint64_t at[3])
{
    at[0] = cell / (SIDE * SIDE);
    at[1] = cell / SIDE % SIDE;
    at[2] = cell % SIDE;
}

static void empty(plain_array *array)
{
    for (size_t i = 0; i < CELLS; i++)
        array->values[i] = -1;
}

static void drop_outside(plain_array *array)
{
    for (size_t i = 0; i < CELLS; i++) {
        uint64_t at[3];

        cell_at(i, at);
        if (!is_inside(array, at))
            array->values[i] = -1;
    }
}

/* ---- keys and values --------------------------------------------------------------------------- */

/* form 0: path/c/0/1; 1: path/0.1; 2: path/0/1. */
static void key_of(const plain_array *array, const char *path, const uint64_t at[3],
                   int form, char key[KEY_MAX])
{
    int n = snprintf(key, KEY_MAX, "%s%s", path, form == 0 ? "/c" : "");

    for (uint32_t d = 0; d < array->ndim; d++)
        n += snprintf(key + n, KEY_MAX - (size_t)n, "%c%llu", form == 1 && d ? '.' : '/',
                      (unsigned long long)at[d]);
}

static vv_bytes value_of(int64_t number, char text[32])
{
    snprintf(text, 32, "value %lld", (long long)number);
    return vv_bytes_of(text);
}

static void document_of(const plain_array *array, char text[400])
{
    int n = snprintf(text, 400,
                     "{\"zarr_format\": 3, \"node_type\": \"array\", \"shape\": [");

    for (uint32_t d = 0; d < array->ndim; d++)
        n += snprintf(text + n, 400 - (size_t)n, "%s%llu", d ? ", " : "",
                      (unsigned long long)array->shape[d]);
    n += snprintf(text + n, 400 - (size_t)n,
                  "], \"chunk_grid\": {\"name\": \"regular\", "
                  "\"configuration\": {\"chunk_shape\": [");
    for (uint32_t d = 0; d < array->ndim; d++)
        n += snprintf(text + n, 400 - (size_t)n, "%s%llu", d ? ", " : "",
                      (unsigned long long)array->chunk[d]);
    snprintf(text + n, 400 - (size_t)n, "]}}}");
}

/* An array that is there, and a chunk in its grid; false: there is none. */
static bool choose(model *self, size_t *which, uint64_t at[3])
{
    *which = below(self, ARRAYS);
    if (!self->now.arrays[*which].there)
        return false;
    for (uint32_t d = 0; d < 3; d++) {
        uint64_t n = grid_of(&self->now.arrays[*which], d);

        if (n == 0)
            return false;
        at[d] = below(self, n);
    }
    return true;
}

/* ---- failing ----------------------------------------------------------------------------------- */

static void begin_failing(model *self, int *how)
{
    *how = self->fails && below(self, 6) == 0 ? 1 + (int)below(self, 2) : 0;
    if (*how == 1)
        faulty_fail_after(self->blocks, below(self, 4), VV_EIO, false);
    else if (*how == 2)
        fail_allocation_after(below(self, 30), false);
}

/* Did the step work? Otherwise it failed because it was made to. */
static bool worked(model *self, int how, vv_status status, const vv_error *err)
{
    bool struck = how == 1   ? faulty_stop(self->blocks)
                  : how == 2 ? stop_failing_allocations()
                             : false;

    if (!status)
        return true;
    self->failed++;
    if (!struck || status != (how == 1 ? VV_EIO : VV_ENOMEM))
        fail_msg("%s: %s", vv_status_name(status), err->message);
    return false;
}

/* ---- steps ------------------------------------------------------------------------------------- */

static void set_chunk(model *self)
{
    char key[KEY_MAX];
    char text[32];
    vv_error err = VV_ERROR_INIT;
    vv_status status;
    uint64_t at[3];
    vv_cid pointer;
    size_t which;
    bool points = below(self, 5) == 0;
    int how;

    if (!choose(self, &which, at))
        return;
    key_of(&self->now.arrays[which], paths[which], at,
           self->version == VV_SHARDED_V2 ? (int)below(self, 3) : 0, key);
    if (points)
        assert_vv_ok(vv_blockstore_put(self->memory, &VV_PREFIX_RAW_BLAKE3,
                                       value_of((int64_t)self->number, text), &pointer,
                                       &err));
    begin_failing(self, &how);
    status = points ? vv_store_set_pointer(self->store, key, &pointer, &err)
                    : vv_store_set(self->store, key,
                                   value_of((int64_t)self->number, text), &err);
    if (worked(self, how, status, &err))
        self->now.arrays[which].values[cell_of(at)] = (int64_t)self->number;
    self->number++;
}

static void delete_chunk(model *self)
{
    char key[KEY_MAX];
    vv_error err = VV_ERROR_INIT;
    uint64_t at[3];
    size_t which;
    int how;

    if (!choose(self, &which, at))
        return;
    key_of(&self->now.arrays[which], paths[which], at, 0, key);
    begin_failing(self, &how);
    if (worked(self, how, vv_store_delete(self->store, key, &err), &err))
        self->now.arrays[which].values[cell_of(at)] = -1;
}

static void set_note(model *self)
{
    vv_error err = VV_ERROR_INIT;
    char text[32];
    int how;

    begin_failing(self, &how);
    if (worked(self, how,
               vv_store_set(self->store, "g/note", value_of((int64_t)self->number, text),
                            &err),
               &err))
        self->now.note = (int64_t)self->number;
    self->number++;
}

/* Register an array that is not there, by its document. */
static void begin_array(model *self, size_t which)
{
    plain_array array = { .there = true, .ndim = 1 + (uint32_t)(which % 3) };
    char key[KEY_MAX];
    char text[400];
    vv_error err = VV_ERROR_INIT;
    int how;

    for (uint32_t d = 0; d < array.ndim; d++) {
        array.chunk[d] = 1 + below(self, 3);
        array.shape[d] = 1 + below(self, SIDE * array.chunk[d]);
    }
    empty(&array);
    document_of(&array, text);
    snprintf(key, sizeof(key), "%s/zarr.json", paths[which]);
    begin_failing(self, &how);
    if (worked(self, how, vv_store_set(self->store, key, vv_bytes_of(text), &err), &err))
        self->now.arrays[which] = array;
}

static void resize(model *self)
{
    const size_t which = below(self, ARRAYS);
    plain_array array = self->now.arrays[which];
    /* In version 1 resizing a variable leaves the index alone, as in py-hamt. */
    const uint64_t what = below(self, self->version == VV_SHARDED_V1 ? 2 : 3);
    char key[KEY_MAX];
    char text[400];
    vv_error err = VV_ERROR_INIT;
    vv_status status;
    int how;

    if (!array.there)
        return;
    for (uint32_t d = 0; d < array.ndim; d++)
        if (d == 0 || below(self, 2))
            array.shape[d] = below(self, SIDE * array.chunk[d] + 1);
    document_of(&array, text);
    snprintf(key, sizeof(key), "%s/zarr.json", paths[which]);
    begin_failing(self, &how);
    if (what == 0)
        status = vv_store_set(self->store, key, vv_bytes_of(text), &err);
    else if (what == 1)
        status = vv_sharded_store_resize(self->store, paths[which], array.ndim,
                                         array.shape, &err);
    else
        status = vv_sharded_store_resize_variable(self->store, paths[which], array.ndim,
                                                  array.shape, &err);
    if (worked(self, how, status, &err)) {
        drop_outside(&array);
        self->now.arrays[which] = array;
    }
}

static void delete_array(model *self)
{
    const size_t which = below(self, ARRAYS);
    char prefix[KEY_MAX];
    vv_error err = VV_ERROR_INIT;

    snprintf(prefix, sizeof(prefix), "%s/", paths[which]);
    assert_vv_ok(vv_store_delete_prefix(self->store, prefix, NULL, &err));
    self->now.arrays[which].there = false;
}

static void commit(model *self)
{
    vv_error err = VV_ERROR_INIT;
    vv_cid root;
    int how;

    begin_failing(self, &how);
    if (!worked(self, how, vv_store_commit(self->store, &root, &err), &err))
        return;
    self->root = root;
    self->has_root = true;
    self->committed = self->now;
    if (below(self, 2)) {
        size_t i = self->root_count < ROOTS ? self->root_count++ : below(self, ROOTS);

        self->roots[i].root = root;
        self->roots[i].then = self->now;
    }
}

static void open_again(model *self)
{
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;

    options.read = (vv_shard_read)below(self, 3);
    options.cache_bytes = below(self, 2) ? 1 : 0; /* next to nothing, or the default */
    vv_store_free(self->store);
    self->store = NULL;
    assert_vv_ok(
        vv_sharded_store_open(self->blocks, &self->root, &options, &self->store, &err));
    self->now = self->committed;
}

/* Another handle takes the place of this one, and knows what this one did. */
static void change_handle(model *self)
{
    vv_error err = VV_ERROR_INIT;
    vv_store *other = NULL;

    assert_vv_ok(vv_sharded_store_with_read_only(self->store, false, &other, &err));
    vv_store_free(self->store);
    self->store = other;
}

/* Chunks of an older root land in the array of the same path, where all of its grid fits. */
static void graft(model *self)
{
    vv_graft_options options = VV_GRAFT_OPTIONS_INIT;
    const size_t which = below(self, ARRAYS);
    plain_array array = self->now.arrays[which];
    const plain_array *from;
    uint64_t offset[3] = { 0 };
    vv_error err = VV_ERROR_INIT;
    uint64_t grafted = 0;
    uint64_t count = 0;
    bool fits;
    vv_status status;
    size_t i;
    int how;

    if (!self->root_count || !array.there)
        return;
    i = below(self, self->root_count);
    from = &self->roots[i].then.arrays[which];
    if (!from->there)
        return;
    fits = memcmp(from->chunk, array.chunk, sizeof(array.chunk)) == 0;
    for (uint32_t d = 0; d < array.ndim; d++)
        offset[d] = below(self, 3);
    for (size_t c = 0; c < CELLS; c++) {
        uint64_t at[3];

        if (from->values[c] < 0)
            continue;
        cell_at(c, at);
        for (uint32_t d = 0; d < array.ndim; d++)
            at[d] += offset[d];
        if (!is_inside(&array, at)) {
            fits = false;
            continue;
        }
        array.values[cell_of(at)] = from->values[c];
        count++;
    }
    options.source_array_path = paths[which];
    options.target_array_path = paths[which];
    begin_failing(self, &how);
    status = vv_sharded_store_graft(self->store, &self->roots[i].root, array.ndim, offset,
                                    &options, &grafted, &err);
    if (!fits && (status == VV_ERANGE || status == VV_EINVAL)) {
        (void)worked(self, how, VV_OK, &err);
        return;
    }
    if (worked(self, how, status, &err)) {
        assert_true(fits);
        assert_int_equal(grafted, count);
        self->now.arrays[which] = array;
    }
}

/* ---- comparing --------------------------------------------------------------------------------- */

static void assert_value(model *self, const char *key, int64_t number)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf got = VV_BUF_INIT;
    vv_status status = vv_store_get(self->store, key, VV_RANGE_ALL, &got, &err);
    bool there = false;
    char text[32];

    if (number < 0) {
        assert_int_equal(status, VV_ENOTFOUND);
    } else {
        vv_bytes want = value_of(number, text);

        if (status)
            fail_msg("%s: %s", key, err.message);
        assert_int_equal(got.len, want.len);
        assert_memory_equal(got.data, want.data, want.len);
    }
    assert_vv_ok(vv_store_exists(self->store, key, &there, &err));
    assert_int_equal(there, number >= 0);
    vv_buf_clear(&got);
}

static vv_status count_chunk(void *ctx, const char *key, vv_error *err)
{
    (void)err;
    *(uint64_t *)ctx += strstr(key, "/c/") && !strstr(key, "zarr.json");
    return VV_OK;
}

static void compare_all(model *self)
{
    vv_error err = VV_ERROR_INIT;
    uint64_t listed = 0;
    uint64_t count = 0;

    for (size_t which = 0; which < ARRAYS; which++) {
        const plain_array *array = &self->now.arrays[which];

        for (size_t i = 0; i < CELLS && array->there; i++) {
            char key[KEY_MAX];
            uint64_t at[3];

            cell_at(i, at);
            if (!is_inside(array, at))
                continue;
            key_of(array, paths[which], at, 0, key);
            assert_value(self, key, array->values[i]);
            count += array->values[i] >= 0;
        }
    }
    assert_value(self, "g/note", self->now.note);
    assert_vv_ok(vv_store_list(self->store, "", count_chunk, &listed, &err));
    assert_int_equal(listed, count);
}

static void look(model *self)
{
    char key[KEY_MAX];
    uint64_t at[3];
    size_t which;

    if (!choose(self, &which, at))
        return;
    key_of(&self->now.arrays[which], paths[which], at, 0, key);
    assert_value(self, key, self->now.arrays[which].values[cell_of(at)]);
}

/* ---- histories --------------------------------------------------------------------------------- */

static void step(model *self)
{
    const uint64_t what = below(self, 100);
    const size_t which = below(self, ARRAYS);

    if (!self->now.arrays[which].there && self->version == VV_SHARDED_V2)
        begin_array(self, which);
    if (what < 45)
        set_chunk(self);
    else if (what < 60)
        delete_chunk(self);
    else if (what < 75)
        look(self);
    else if (what < 81)
        commit(self);
    else if (what < 84 && self->has_root)
        open_again(self);
    else if (what < 90)
        resize(self);
    else if (what < 92)
        set_note(self);
    else if (what < 95)
        change_handle(self);
    else if (what < 99 && self->version == VV_SHARDED_V2)
        graft(self);
    else if (what == 99 && self->version == VV_SHARDED_V2)
        delete_array(self);
}

static void open_new(model *self)
{
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    plain_array *array = &self->now.arrays[1];
    vv_error err = VV_ERROR_INIT;
    char text[400];

    options.version = self->version;
    options.chunks_per_shard = 1 + below(self, 9);
    if (self->version == VV_SHARDED_V1) {
        *array = (plain_array){
            .there = true, .ndim = 2, .shape = { 5, 7 }, .chunk = { 1, 2 }
        };
        empty(array);
        options.ndim = 2;
        options.array_shape = array->shape;
        options.chunk_shape = array->chunk;
        options.primary_array_path = paths[1];
    }
    assert_vv_ok(vv_sharded_store_open(self->blocks, NULL, &options, &self->store, &err));
    if (self->version == VV_SHARDED_V1) {
        char key[KEY_MAX];

        document_of(array, text);
        snprintf(key, sizeof(key), "%s/zarr.json", paths[1]);
        assert_vv_ok(vv_store_set(self->store, key, vv_bytes_of(text), &err));
    }
}

static void run_history(uint64_t seed, vv_sharded_version version, bool fails,
                        size_t steps)
{
    model *self = calloc(1, sizeof(*self));
    vv_error err = VV_ERROR_INIT;

    assert_non_null(self);
    self->random = seed;
    self->version = version;
    self->fails = fails;
    self->now.note = -1;
    assert_vv_ok(vv_memory_blockstore_new(&self->memory, &err));
    self->blocks = faulty_blockstore_new(self->memory);
    open_new(self);
    for (size_t i = 0; i < steps; i++) {
        step(self);
        if (i % 64 == 63)
            compare_all(self);
    }
    self->fails = false;
    commit(self);
    open_again(self);
    compare_all(self);
    vv_store_free(self->store);
    vv_blockstore_free(self->blocks);
    vv_blockstore_free(self->memory);
    free(self);
}

static void histories_of_version_2(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++)
        run_history(seed, VV_SHARDED_V2, false, 500);
}

static void histories_of_version_2_with_failures(void **state)
{
    (void)state;
    for (uint64_t seed = 101; seed <= 180; seed++)
        run_history(seed, VV_SHARDED_V2, true, 500);
}

static void histories_of_version_1(void **state)
{
    (void)state;
    for (uint64_t seed = 201; seed <= 240; seed++)
        run_history(seed, VV_SHARDED_V1, seed % 2, 400);
}

/* Nothing is left allocated, whatever failed. */
static void histories_leave_nothing_behind(void **state)
{
    size_t before;

    (void)state;
    watch_allocations();
    run_history(1, VV_SHARDED_V2, false, 50); /* what is made once and stays */
    before = live_allocations();
    run_history(301, VV_SHARDED_V2, true, 1200);
    assert_int_equal(live_allocations(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(histories_of_version_2),
        cmocka_unit_test(histories_of_version_2_with_failures),
        cmocka_unit_test(histories_of_version_1),
        cmocka_unit_test(histories_leave_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
