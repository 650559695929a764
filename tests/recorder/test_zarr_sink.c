/* The Zarr sink by itself: paths, documents, chunks, commits, and going on with a recording. */
#include "support/support.h"

#include "recorder/zarr_sink.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/fault.h"

#include <errno.h>
#include <stdio.h>

static vv_error err;

/* ---- a plan ------------------------------------------------------------------------------------- */

enum {
    INIT,
    STEP,
    RARE,
    GROUPS
};
enum {
    POSITIONS,
    ENERGY,
    STILL,
    LOCKED,
    STEPS,
    LEAVES
};

#define STEP_OF(row_) (10 * (int64_t)(row_))

static const char *const init_tree =
    "{\"kind\": \"dict\", \"keys\": [\"box\", \"seed\"],"
    " \"children\": [{\"kind\": \"leaf\"}, {\"kind\": \"leaf\"}]}";
static const char *const config_tree =
    "{\"kind\": \"dict\", \"keys\": [\"init\", \"rare\", \"step\"],"
    " \"children\": [{\"kind\": \"leaf\"}, {\"kind\": \"leaf\"}, {\"kind\": \"leaf\"}]}";

static const uint64_t shape_53[] = { 5, 3 };
static const uint64_t shape_33[] = { 3, 3 };
static const uint64_t shape_6[] = { 6 };

typedef struct fixture {
    vvi_plan plan;
    vvi_plan_group groups[GROUPS];
    vvi_plan_leaf init[2], step[LEAVES], rare[1];
    vv_tree *init_tree, *config;
} fixture;

static vvi_plan_leaf a_leaf(const char *name, vv_dtype type, uint32_t ndim,
                            const uint64_t *shape, uint64_t chunk_rows)
{
    vvi_plan_leaf leaf = {
        .name = name, .ndim = ndim, .shape = shape, .chunk_rows = chunk_rows
    };

    assert_true(vvi_dtype_init(type, &leaf.dtype));
    leaf.row_bytes = leaf.dtype.item;
    for (uint32_t d = 0; d < ndim; d++)
        leaf.row_bytes *= shape[d];
    return leaf;
}

/* At every seventh step, in two rows of three places. */
static bool rare_due(void *ctx, int64_t step)
{
    (void)ctx;
    return step % 70 == 0;
}

static vv_status rare_index(void *ctx, int64_t step, uint64_t *index, vv_error *e)
{
    (void)ctx;
    (void)e;
    index[0] = (uint64_t)(step / 70) / 3;
    index[1] = (uint64_t)(step / 70) % 3;
    return VV_OK;
}

static void make_plan(fixture *f)
{
    static const vv_frequency every = { .every = 10 };

    memset(f, 0, sizeof(*f));
    assert_vv_ok(vv_tree_from_json(init_tree, &f->init_tree, &err));
    assert_vv_ok(vv_tree_from_json(config_tree, &f->config, &err));
    f->init[0] = a_leaf("array['box']", VV_FLOAT64, 2, shape_33, 1);
    f->init[1] = a_leaf("array['seed']", VV_UINT64, 0, NULL, 1);
    f->step[POSITIONS] = a_leaf("array['atoms'].positions", VV_FLOAT32, 2, shape_53, 4);
    f->step[ENERGY] = a_leaf("array['energy']", VV_FLOAT64, 0, NULL, 8);
    f->step[STILL] = a_leaf("array['atoms'].still", VV_INT32, 1, shape_6, 4);
    f->step[LOCKED] = a_leaf("array['locked']", VV_BOOL, 0, NULL, 8);
    f->step[STEPS] = a_leaf(VVI_PLAN_STEPS, VV_INT64, 0, NULL, 16);
    f->rare[0] = a_leaf("array['v']", VV_FLOAT32, 1, shape_6, 1);
    f->groups[INIT] = (vvi_plan_group){ .name = "group['init']",
                                        .kind = VVI_GROUP_ONCE,
                                        .tree = f->init_tree,
                                        .leaves = f->init,
                                        .leaf_count = 2 };
    f->groups[STEP] = (vvi_plan_group){ .name = "group['step']",
                                        .kind = VVI_GROUP_ROWS,
                                        .frequency = every,
                                        .leaves = f->step,
                                        .leaf_count = LEAVES };
    f->groups[RARE] = (vvi_plan_group){ .name = "group['rare']",
                                        .kind = VVI_GROUP_PLACED,
                                        .frequency = { .due = rare_due,
                                                       .index = rare_index },
                                        .leaves = f->rare,
                                        .leaf_count = 1,
                                        .extent_ndim = 2,
                                        .extent = { 2, 3 },
                                        .places = 6 };
    f->plan = (vvi_plan){ .config = f->config,
                          .groups = f->groups,
                          .group_count = GROUPS };
}

static void drop_plan(fixture *f)
{
    vv_tree_free(f->init_tree);
    vv_tree_free(f->config);
}

/* ---- rows --------------------------------------------------------------------------------------- */

/* The bytes of a leaf's row: STILL never changes, the steps are what they are. */
static void make_row(const fixture *f, size_t leaf, uint64_t row, uint8_t *out)
{
    size_t bytes = f->step[leaf].row_bytes;
    uint64_t seed = row * LEAVES + leaf;
    int64_t step = STEP_OF(row);

    if (leaf == STEPS) {
        memcpy(out, &step, sizeof(step));
        return;
    }
    for (size_t i = 0; i < bytes; i++)
        out[i] = leaf == STILL    ? (uint8_t)(i + 1)
                 : leaf == LOCKED ? (uint8_t)(row % 3 == 0)
                                  : (uint8_t)next_random(&seed);
}

static void make_place(uint64_t place, float out[6])
{
    for (size_t i = 0; i < 6; i++)
        out[i] = (float)(place * 10 + i + 1);
}

/* What stands in for the writer: it packs rows into chunks and puts them. */
typedef struct driver {
    fixture *f;
    vvi_sink *sink;
    uint64_t rows,
        put_tail[LEAVES]; /* rows logged; of the unfinished chunk those put before */
    uint64_t places;
    uint8_t *chunk[LEAVES];
} driver;

static void start(driver *d, fixture *f, vvi_sink *sink)
{
    memset(d, 0, sizeof(*d));
    d->f = f;
    d->sink = sink;
    for (size_t i = 0; i < LEAVES; i++) {
        d->chunk[i] = calloc(f->step[i].chunk_rows, f->step[i].row_bytes);
        assert_non_null(d->chunk[i]);
    }
}

static void stop(driver *d)
{
    for (size_t i = 0; i < LEAVES; i++)
        free(d->chunk[i]);
    if (d->sink)
        d->sink->ops->free(d->sink, false);
    d->sink = NULL;
}

static vv_status put_chunk(driver *d, size_t leaf, uint64_t count)
{
    vvi_encoded encoded = { .left_out = 0 };
    vv_status status = d->sink->ops->encode(d->sink, STEP, leaf, d->chunk[leaf], count,
                                            &encoded, &err);

    if (!status)
        status = d->sink->ops->put_chunk(d->sink, STEP, leaf,
                                         (d->rows - 1) / d->f->step[leaf].chunk_rows,
                                         &encoded, &err);
    vv_buf_clear(&encoded.bytes);
    return status;
}

static vv_status log_row(driver *d)
{
    vv_status status = VV_OK;

    for (size_t i = 0; i < LEAVES; i++) {
        const vvi_plan_leaf *leaf = &d->f->step[i];

        make_row(d->f, i, d->rows,
                 d->chunk[i] + d->rows % leaf->chunk_rows * leaf->row_bytes);
    }
    d->rows++;
    for (size_t i = 0; i < LEAVES && !status; i++)
        if (d->rows % d->f->step[i].chunk_rows == 0) {
            status = put_chunk(d, i, d->f->step[i].chunk_rows);
            d->put_tail[i] = 0;
        }
    /* Row 7 n is also place n. */
    if (!status && (d->rows - 1) % 7 == 0 && (d->rows - 1) / 7 < 6) {
        uint64_t place = (d->rows - 1) / 7;
        uint64_t index[] = { place / 3, place % 3 };
        float value[6];

        make_place(place, value);
        status = d->sink->ops->put_value(d->sink, RARE, 0, index, value, &err);
        d->places++;
    }
    return status;
}

static vv_status put_init(driver *d)
{
    static const double box[9] = { 9, 0, 0, 0, 9, 0, 0, 0, 9 };
    static const uint64_t seed = 42;
    vv_status status = d->sink->ops->put_value(d->sink, INIT, 0, NULL, box, &err);

    return status ? status : d->sink->ops->put_value(d->sink, INIT, 1, NULL, &seed, &err);
}

static vv_status put_tails(driver *d)
{
    for (size_t i = 0; i < LEAVES; i++) {
        uint64_t left = d->rows % d->f->step[i].chunk_rows;
        uint64_t chunk = d->rows / d->f->step[i].chunk_rows;
        vv_status status = VV_OK;

        if (left > d->put_tail[i])
            status = d->sink->ops->put_tail(d->sink, STEP, i, chunk, d->chunk[i],
                                            d->put_tail[i], left - d->put_tail[i], &err);
        if (status)
            return status;
        d->put_tail[i] = left;
    }
    return VV_OK;
}

static vv_status flush(driver *d)
{
    uint64_t rows[GROUPS] = { 1, d->rows, d->places };
    vv_status status = put_tails(d);

    return status
               ? status
               : d->sink->ops->commit(d->sink, rows, STEP_OF(d->rows), VV_DURABLE, &err);
}

static vv_status finish(driver *d, const char *attributes)
{
    uint64_t rows[GROUPS] = { 1, d->rows, d->places };
    vv_status status = VV_OK;

    for (size_t i = 0; i < LEAVES && !status; i++)
        if (d->rows % d->f->step[i].chunk_rows)
            status = put_chunk(d, i, d->rows % d->f->step[i].chunk_rows);
    return status
               ? status
               : d->sink->ops->close(d->sink, rows, STEP_OF(d->rows), attributes, &err);
}

/* ---- looking at it --------------------------------------------------------------------------------- */

static const char *const leaf_paths[LEAVES] = { "run/step/atoms/positions",
                                                "run/step/energy", "run/step/atoms/still",
                                                "run/step/locked", "run/step/steps" };

static uint64_t length_of(vv_store *store, const char *path)
{
    vv_array *array;
    uint64_t length;

    assert_vv_ok(vv_array_open(store, path, &array, &err));
    length = vv_array_get_meta(array)->shape[0];
    vv_array_free(array);
    return length;
}

/* Every leaf has at least this many rows, and they are right. */
static void check_rows(vv_store *store, const fixture *f, uint64_t rows)
{
    for (size_t i = 0; i < LEAVES; i++) {
        const vvi_plan_leaf *leaf = &f->step[i];
        uint64_t start[3] = { 0 };
        uint64_t count[3] = { rows, leaf->ndim > 0 ? leaf->shape[0] : 0,
                              leaf->ndim > 1 ? leaf->shape[1] : 0 };
        size_t bytes = rows * leaf->row_bytes;
        uint8_t *got = malloc(bytes + 1);
        uint8_t *wanted = malloc(leaf->row_bytes);
        vv_array *array;

        assert_vv_ok(vv_array_open(store, leaf_paths[i], &array, &err));
        assert_vv_ok(vv_array_read(array, start, count, NULL, got, bytes, &err));
        for (uint64_t row = 0; row < rows; row++) {
            make_row(f, i, row, wanted);
            assert_memory_equal(got + row * leaf->row_bytes, wanted, leaf->row_bytes);
        }
        vv_array_free(array);
        free(got);
        free(wanted);
    }
}

static void check_exactly(vv_store *store, const fixture *f, uint64_t rows)
{
    for (size_t i = 0; i < LEAVES; i++)
        assert_int_equal(length_of(store, leaf_paths[i]), rows);
    check_rows(store, f, rows);
}

static void check_places(vv_store *store, uint64_t places)
{
    static const uint64_t start[3] = { 0 };
    static const uint64_t count[3] = { 2, 3, 6 };
    uint8_t written[6];
    float values[36];
    float wanted[6];
    vv_array *array;

    assert_vv_ok(vv_array_open(store, "run/rare/written", &array, &err));
    assert_vv_ok(vv_array_read(array, start, count, NULL, written, 6, &err));
    vv_array_free(array);
    assert_vv_ok(vv_array_open(store, "run/rare/v", &array, &err));
    assert_vv_ok(vv_array_read(array, start, count, NULL, values, sizeof(values), &err));
    vv_array_free(array);
    for (uint64_t i = 0; i < 6; i++) {
        assert_int_equal(written[i], i < places);
        make_place(i, wanted);
        if (i < places)
            assert_memory_equal(values + 6 * i, wanted, sizeof(wanted));
    }
}

static void create(driver *d, fixture *f, vv_store *store, vv_recorder_root_fn root,
                   void *ctx)
{
    vvi_sink *sink = NULL;

    assert_vv_ok(vvi_zarr_sink_create(store, "run", &f->plan, "{\"of\": \"a test\"}",
                                      root, ctx, &sink, &err));
    start(d, f, sink);
}

/* ---- tests ------------------------------------------------------------------------------------- */

static void groups_and_leaves_have_their_places(void **state)
{
    vvi_plan_leaf leaves[] = { { .name = "array['atoms'].mass" },
                               { .name = "array['steps']" },
                               { .name = VVI_PLAN_STEPS } };
    vvi_plan_group groups[] = {
        { .name = "group.run['a']",
          .kind = VVI_GROUP_ROWS,
          .leaves = leaves,
          .leaf_count = 3 },
        { .name = "group.run['b']",
          .kind = VVI_GROUP_PLACED,
          .leaves = leaves,
          .leaf_count = 1 },
    };
    vvi_plan plan = { .groups = groups, .group_count = 2 };
    vvi_zarr_names names;

    (void)state;
    assert_vv_ok(vvi_zarr_names_make(&plan, &names, &err));
    assert_string_equal(names.groups[0], "run/a");
    assert_string_equal(names.leaves[0][0], "run/a/atoms/mass");
    assert_string_equal(names.leaves[0][1], "run/a/steps_2");
    assert_string_equal(names.leaves[0][2], "run/a/steps");
    assert_string_equal(names.written[1], "run/b/written");
    assert_int_equal(names.inner_count, 3);
    assert_string_equal(names.inner[0], "run");
    assert_string_equal(names.inner[1], "run/a/atoms");
    assert_string_equal(names.inner[2], "run/b/atoms");
    vvi_zarr_names_clear(&names);

    /* One group without a name: the recording is the group. */
    plan.group_count = 1;
    groups[0].name = "group";
    assert_vv_ok(vvi_zarr_names_make(&plan, &names, &err));
    assert_string_equal(names.groups[0], "");
    assert_string_equal(names.leaves[0][0], "atoms/mass");
    vvi_zarr_names_clear(&names);
}

static void each_commit_is_all_that_was_put(void **state)
{
    uint64_t seed = 7;
    fixture f;
    driver d;
    vv_store *store;

    (void)state;
    make_plan(&f);
    assert_vv_ok(vv_memory_store_new(&store, &err));
    create(&d, &f, store, NULL, NULL);
    assert_vv_ok(put_init(&d));
    while (d.rows < 150) {
        assert_vv_ok(log_row(&d));
        if (next_random(&seed) % 4)
            continue;
        assert_vv_ok(flush(&d));
        check_exactly(store, &f, d.rows);
        check_places(store, d.places);
    }
    assert_vv_ok(finish(&d, "{\"author\": \"me\"}"));
    check_exactly(store, &f, 150);
    check_places(store, 6);
    stop(&d);
    vv_store_free(store);
    drop_plan(&f);
}

static void has_text(vv_store *store, const char *key, const char *text)
{
    vv_buf document = VV_BUF_INIT;
    vv_status status = vv_store_get(store, key, VV_RANGE_ALL, &document, &err);

    if (status)
        fail_msg("%s: %s", key, err.message);
    if (!memmem(document.data, document.len, text, strlen(text)))
        fail_msg("%s has no %s: %.*s", key, text, (int)document.len,
                 (char *)document.data);
    vv_buf_clear(&document);
}

static void documents_say_what_the_arrays_are(void **state)
{
    fixture f;
    driver d;
    vv_store *store;
    vv_array *array;
    const vv_array_meta *meta;

    (void)state;
    make_plan(&f);
    f.plan.options.checksum = true;
    assert_vv_ok(vv_memory_store_new(&store, &err));
    create(&d, &f, store, NULL, NULL);
    assert_vv_ok(log_row(&d));
    assert_vv_ok(finish(&d, "{\"author\": \"me\", \"varvite_recording\": 3}"));
    stop(&d);
    assert_vv_ok(vv_array_open(store, leaf_paths[POSITIONS], &array, &err));
    meta = vv_array_get_meta(array);
    assert_string_equal(meta->dimension_names[0], "steps");
    assert_string_equal(meta->dimension_names[1], "dim_5");
    assert_string_equal(meta->dimension_names[2], "dim_3");
    assert_string_equal(meta->attributes,
                        "{\"varvite_leaf\": \"array['atoms'].positions\"}");
    assert_int_equal(meta->chunk_shape[0], 4);
    assert_non_null(strstr(meta->codecs, "\"blosc\""));
    assert_non_null(strstr(meta->codecs, "\"zstd\""));
    assert_non_null(strstr(meta->codecs, "\"crc32c\""));
    vv_array_free(array);
    assert_vv_ok(vv_array_open(store, "run/init/box", &array, &err));
    meta = vv_array_get_meta(array);
    assert_string_equal(meta->dimension_names[0], "dim_3");
    assert_string_equal(meta->dimension_names[1], "dim_3_2");
    vv_array_free(array);
    has_text(store, "run/zarr.json", "\"next_step\": 10");
    has_text(store, "run/zarr.json", "\"closed\": true");
    has_text(store, "run/zarr.json", "\"author\": \"me\"");
    has_text(store, "run/zarr.json", "\"of\": \"a test\"");
    has_text(store, "run/init/zarr.json", "\"name\": \"group['init']\"");
    has_text(store, "run/init/zarr.json", "\"kind\": \"dict\"");
    has_text(store, "run/step/atoms/zarr.json", "\"group\"");
    vv_store_free(store);
    drop_plan(&f);
}

static void every_compression_reads_back(void **state)
{
    static const vv_compression_codec codecs[] = { VV_COMPRESS_NONE, VV_COMPRESS_ZSTD,
                                                   VV_COMPRESS_GZIP, VV_COMPRESS_LZF,
                                                   VV_COMPRESS_BLOSC };
    static const int levels[] = { 0, 1, 9, 22 };

    (void)state;
    for (size_t i = 0; i < 5 * 4 * 2; i++) {
        fixture f;
        driver d;
        vv_store *store;

        make_plan(&f);
        f.plan.options.checksum = i % 3 == 0;
        f.groups[STEP].compression = (vv_compression){ .codec = codecs[i / 8],
                                                       .level = levels[i / 2 % 4],
                                                       .no_shuffle = i % 2 };
        if (levels[i / 2 % 4] > 9 && codecs[i / 8] != VV_COMPRESS_ZSTD) {
            drop_plan(&f);
            continue;
        }
        assert_vv_ok(vv_memory_store_new(&store, &err));
        create(&d, &f, store, NULL, NULL);
        while (d.rows < 21)
            assert_vv_ok(log_row(&d));
        assert_vv_ok(finish(&d, NULL));
        check_exactly(store, &f, 21);
        stop(&d);
        vv_store_free(store);
        drop_plan(&f);
    }
}

/* ---- roots ------------------------------------------------------------------------------------- */

typedef struct roots {
    vv_cid all[64];
    size_t count;
} roots;

static void keep_root(void *ctx, const vv_cid *root)
{
    roots *self = ctx;

    assert_true(self->count < 64);
    self->all[self->count++] = *root;
}

static void every_root_is_the_recording_as_it_was(void **state)
{
    uint64_t rows[64] = { 0 };
    roots told = { .count = 0 };
    vv_blockstore *blocks;
    vv_store *store;
    fixture f;
    driver d;

    (void)state;
    make_plan(&f);
    assert_vv_ok(vv_memory_blockstore_new(&blocks, &err));
    assert_vv_ok(vv_hamt_store_open(blocks, NULL, NULL, &store, &err));
    create(&d, &f, store, keep_root, &told);
    assert_int_equal(told.count, 1);
    assert_vv_ok(put_init(&d));
    while (d.rows < 90) {
        assert_vv_ok(log_row(&d));
        if (d.rows % 7 == 0) {
            assert_vv_ok(flush(&d));
            rows[told.count - 1] = d.rows;
        }
    }
    assert_vv_ok(finish(&d, NULL));
    rows[told.count - 1] = d.rows;
    stop(&d);
    vv_store_free(store);
    assert_int_equal(told.count, 14);
    for (size_t i = 0; i < told.count; i++) {
        assert_vv_ok(vv_hamt_store_open(blocks, &told.all[i], NULL, &store, &err));
        check_exactly(store, &f, rows[i]);
        vv_store_free(store);
    }
    vv_blockstore_free(blocks);
    drop_plan(&f);
}

/* A leaf that stays the same has one block for all its full chunks. */
static void a_leaf_that_does_not_change_costs_nothing(void **state)
{
    vv_cid first, second;
    vv_blockstore *blocks;
    vv_store *store;
    fixture f;
    driver d;

    (void)state;
    make_plan(&f);
    assert_vv_ok(vv_memory_blockstore_new(&blocks, &err));
    assert_vv_ok(vv_hamt_store_open(blocks, NULL, NULL, &store, &err));
    create(&d, &f, store, NULL, NULL);
    while (d.rows < 40)
        assert_vv_ok(log_row(&d));
    assert_vv_ok(flush(&d));
    assert_vv_ok(vv_store_pointer(store, "run/step/atoms/still/c/0/0", &first, &err));
    assert_vv_ok(vv_store_pointer(store, "run/step/atoms/still/c/9/0", &second, &err));
    assert_true(vv_cid_equal(&first, &second));
    stop(&d);
    vv_store_free(store);
    vv_blockstore_free(blocks);
    drop_plan(&f);
}

/* ---- going on ------------------------------------------------------------------------------------- */

static vv_status append(driver *d, fixture *f, vv_store *store, int64_t next_step)
{
    vvi_resume resume;
    vvi_sink *sink = NULL;
    vv_status status = vvi_zarr_sink_append(store, "run", &f->plan, next_step, NULL, NULL,
                                            &sink, &resume, &err);

    if (!status) {
        start(d, f, sink);
        d->rows = resume.rows[STEP];
        d->places = resume.rows[RARE];
        assert_int_equal(resume.next_step, next_step < 0 ? STEP_OF(d->rows) : next_step);
        for (size_t i = 0; i < LEAVES; i++) {
            uint64_t left = d->rows % f->step[i].chunk_rows;

            assert_true((left == 0) == (resume.tails[STEP][i] == NULL));
            if (left)
                memcpy(d->chunk[i], resume.tails[STEP][i], left * f->step[i].row_bytes);
            d->put_tail[i] = left;
        }
    }
    for (size_t g = 0; resume.tails && g < GROUPS; g++) {
        for (size_t i = 0; resume.tails[g] && i < f->groups[g].leaf_count; i++)
            vvi_free(resume.tails[g][i]);
        vvi_free(resume.tails[g]);
    }
    vvi_free(resume.tails);
    vvi_free(resume.rows);
    return status;
}

static vv_status nothing_behind(void *ctx, const char *key, vv_error *e)
{
    const char *prefix = "run/step/energy/c/";

    (void)e;
    if (strncmp(key, prefix, strlen(prefix)) == 0)
        assert_true((uint64_t)atoi(key + strlen(prefix)) * 8 < *(uint64_t *)ctx);
    return VV_OK;
}

static void going_on_cuts_back_exactly(void **state)
{
    (void)state;
    for (uint64_t keep = 0; keep <= 37; keep++) {
        fixture f;
        driver d;
        vv_store *store;

        make_plan(&f);
        assert_vv_ok(vv_memory_store_new(&store, &err));
        create(&d, &f, store, NULL, NULL);
        assert_vv_ok(put_init(&d));
        while (d.rows < 37)
            assert_vv_ok(log_row(&d));
        assert_vv_ok(keep % 2 ? flush(&d) : finish(&d, NULL));
        stop(&d);
        /* A plan of other chunks takes those that are there. */
        f.step[ENERGY].chunk_rows = 1000;
        assert_vv_ok(append(&d, &f, store, keep ? STEP_OF(keep) - 9 : 0));
        assert_int_equal(f.step[ENERGY].chunk_rows, 8);
        assert_int_equal(d.rows, keep);
        assert_int_equal(d.places, keep ? (keep - 1) / 7 + 1 : 0);
        check_exactly(store, &f, keep);
        check_places(store, d.places);
        assert_vv_ok(vv_store_list(store, "run/", nothing_behind, &keep, &err));
        while (d.rows < 45)
            assert_vv_ok(log_row(&d));
        assert_vv_ok(finish(&d, NULL));
        check_exactly(store, &f, 45);
        check_places(store, 6);
        stop(&d);
        vv_store_free(store);
        drop_plan(&f);
    }
}

static void what_no_commit_covered_is_cut_off(void **state)
{
    fixture f;
    driver d;
    vv_store *store;

    (void)state;
    make_plan(&f);
    assert_vv_ok(vv_memory_store_new(&store, &err));
    create(&d, &f, store, NULL, NULL);
    while (d.rows < 10)
        assert_vv_ok(log_row(&d));
    assert_vv_ok(flush(&d));
    while (d.rows < 29)
        assert_vv_ok(log_row(&d));
    assert_vv_ok(put_tails(&d));
    stop(&d);
    check_exactly(store, &f, 10);
    assert_vv_ok(append(&d, &f, store, -1));
    assert_int_equal(d.rows, 10);
    while (d.rows < 29)
        assert_vv_ok(log_row(&d));
    assert_vv_ok(finish(&d, NULL));
    check_exactly(store, &f, 29);
    stop(&d);
    /* Past its end nothing is cut. */
    assert_vv_ok(append(&d, &f, store, STEP_OF(40)));
    assert_int_equal(d.rows, 29);
    stop(&d);
    vv_store_free(store);
    drop_plan(&f);
}

static vv_status put_place(driver *d, uint64_t place)
{
    uint64_t index[] = { place / 3, place % 3 };
    float value[6];

    make_place(place, value);
    return d->sink->ops->put_value(d->sink, RARE, 0, index, value, &err);
}

/* What the recorder counts is what it logged; the document says how many places hold something. */
static void a_place_that_is_put_again_counts_once(void **state)
{
    fixture f;
    driver d;
    vv_store *store;

    (void)state;
    make_plan(&f);
    assert_vv_ok(vv_memory_store_new(&store, &err));
    create(&d, &f, store, NULL, NULL);
    assert_vv_ok(put_place(&d, 0));
    assert_vv_ok(put_place(&d, 0));
    d.places = 2;
    assert_vv_ok(flush(&d));
    has_text(store, "run/zarr.json", "\"group['rare']\": 1");
    check_places(store, 1);
    assert_vv_ok(put_place(&d, 0));
    assert_vv_ok(put_place(&d, 1));
    d.places = 4;
    assert_vv_ok(finish(&d, NULL));
    has_text(store, "run/zarr.json", "\"group['rare']\": 2");
    stop(&d);
    assert_vv_ok(append(&d, &f, store, -1));
    assert_int_equal(d.places, 2);
    assert_vv_ok(put_place(&d, 1));
    d.places++;
    assert_vv_ok(finish(&d, NULL));
    has_text(store, "run/zarr.json", "\"group['rare']\": 2");
    check_places(store, 2);
    stop(&d);
    vv_store_free(store);
    drop_plan(&f);
}

/* A kill between the marks of places and the document that counts them. */
static void places_are_counted_by_their_marks(void **state)
{
    vv_buf document = VV_BUF_INIT;
    fixture f;
    driver d;
    vv_store *store;

    (void)state;
    make_plan(&f);
    assert_vv_ok(vv_memory_store_new(&store, &err));
    create(&d, &f, store, NULL, NULL);
    assert_vv_ok(put_place(&d, 0));
    d.places = 1;
    assert_vv_ok(flush(&d));
    assert_vv_ok(vv_store_get(store, "run/zarr.json", VV_RANGE_ALL, &document, &err));
    assert_vv_ok(put_place(&d, 1));
    d.places = 2;
    assert_vv_ok(flush(&d));
    stop(&d);
    assert_vv_ok(vv_store_set(store, "run/zarr.json", vvi_buf_bytes(&document), &err));
    assert_vv_ok(append(&d, &f, store, -1));
    assert_int_equal(d.places, 2);
    assert_vv_ok(put_place(&d, 1));
    assert_vv_ok(finish(&d, NULL));
    has_text(store, "run/zarr.json", "\"group['rare']\": 2");
    check_places(store, 2);
    stop(&d);
    vv_buf_clear(&document);
    vv_store_free(store);
    drop_plan(&f);
}

static void what_is_no_recording_is_left_alone(void **state)
{
    vvi_sink *sink = NULL;
    fixture f;
    driver d;
    vv_store *store;
    vv_buf schema = VV_BUF_INIT;

    (void)state;
    make_plan(&f);
    assert_vv_ok(vv_memory_store_new(&store, &err));
    assert_int_equal(append(&d, &f, store, -1), VV_ENOTFOUND);
    assert_vv_ok(vv_group_create(store, "run", NULL, false, &err));
    assert_int_equal(append(&d, &f, store, -1), VV_EUNSUPPORTED);
    assert_int_equal(
        vvi_zarr_sink_create(store, "run", &f.plan, "{}", NULL, NULL, &sink, &err),
        VV_EEXISTS);
    f.plan.options.overwrite = true;
    assert_int_equal(
        vvi_zarr_sink_create(store, "run", &f.plan, "{}", NULL, NULL, &sink, &err),
        VV_EEXISTS);
    assert_vv_ok(vv_node_delete(store, "run", &err));
    create(&d, &f, store, NULL, NULL);
    while (d.rows < 10)
        assert_vv_ok(log_row(&d));
    assert_vv_ok(finish(&d, NULL));
    stop(&d);
    /* A plan that does not do leaves the old one as it is. */
    f.step[POSITIONS].chunk_rows = (uint64_t)1 << 40;
    assert_int_equal(
        vvi_zarr_sink_create(store, "run", &f.plan, "{}", NULL, NULL, &sink, &err),
        VV_ELIMIT);
    check_exactly(store, &f, 10);
    f.step[POSITIONS].chunk_rows = 4;
    f.plan.options.overwrite = false;
    assert_int_equal(
        vvi_zarr_sink_create(store, "run", &f.plan, "{}", NULL, NULL, &sink, &err),
        VV_EEXISTS);
    f.plan.options.overwrite = true;
    create(&d, &f, store, NULL, NULL);
    assert_vv_ok(finish(&d, NULL));
    stop(&d);
    check_exactly(store, &f, 0);
    assert_vv_ok(vvi_zarr_recording_schema(store, "run", &schema, &err));
    assert_string_equal((char *)schema.data, "{\"of\": \"a test\"}");
    vv_buf_clear(&schema);
    vv_store_free(store);
    drop_plan(&f);
}

static void damaged_recordings_are_refused(void **state)
{
    fixture f;
    driver d;
    vv_store *store;
    vv_array *array;
    const uint64_t none[3] = { 3, 5, 3 };
    uint64_t other_shape[] = { 4, 3 };

    (void)state;
    make_plan(&f);
    assert_vv_ok(vv_memory_store_new(&store, &err));
    create(&d, &f, store, NULL, NULL);
    while (d.rows < 10)
        assert_vv_ok(log_row(&d));
    assert_vv_ok(finish(&d, NULL));
    stop(&d);
    f.step[POSITIONS].shape = other_shape;
    assert_int_equal(append(&d, &f, store, -1), VV_ECORRUPT);
    assert_non_null(strstr(err.message, "run/step/atoms/positions"));
    f.step[POSITIONS].shape = shape_53;
    assert_true(vvi_dtype_init(VV_INT64, &f.step[ENERGY].dtype));
    assert_int_equal(append(&d, &f, store, -1), VV_ECORRUPT);
    assert_non_null(strstr(err.message, "run/step/energy"));
    assert_true(vvi_dtype_init(VV_FLOAT64, &f.step[ENERGY].dtype));
    assert_vv_ok(vv_array_open(store, leaf_paths[POSITIONS], &array, &err));
    assert_vv_ok(vv_array_resize(array, none, &err));
    vv_array_free(array);
    assert_int_equal(append(&d, &f, store, -1), VV_ECORRUPT);
    assert_vv_ok(vv_node_delete(store, "run/step/locked", &err));
    assert_int_equal(append(&d, &f, store, -1), VV_ECORRUPT);
    assert_non_null(strstr(err.message, "run/step/locked"));
    vv_store_free(store);
    drop_plan(&f);
}

/* What a kill between two documents leaves: lengths that differ. */
static void a_recording_that_was_not_closed_is_repaired(void **state)
{
    static const char text[] = "{\"groups\": {\"step\": {\"every\": 1, \"leaves\": "
                               "{\"a\": \"float64\", \"b\": \"int32[3]\"}}}}";
    const uint64_t longer[2] = { 9, 3 }, start[2] = { 0, 0 }, count[2] = { 5, 3 };
    vv_repair_report report = VV_REPAIR_REPORT_INIT;
    vv_recorder *recorder = NULL;
    vv_schema *schema = NULL;
    vv_store *store;
    vv_array *array;
    int32_t values[15];

    (void)state;
    assert_vv_ok(vv_memory_store_new(&store, &err));
    assert_vv_ok(vv_schema_from_json(text, &schema, &err));
    assert_vv_ok(
        vv_recorder_create_zarr(store, "run", schema, NULL, NULL, NULL, &recorder, &err));
    for (int32_t step = 0; step < 5; step++) {
        const int32_t b[3] = { step, 2 * step, 3 * step };
        const double a = step;
        const void *leaves[] = { &a, b };

        assert_vv_ok(vv_recorder_log_group(recorder, step, 0, leaves, 2, &err));
    }
    assert_vv_ok(vv_recorder_flush(recorder, VV_PROCESS, 0, &err));
    vv_recorder_abandon(recorder);
    assert_vv_ok(vv_array_open(store, "run/step/b", &array, &err));
    assert_vv_ok(vv_array_resize(array, longer, &err));
    vv_array_free(array);
    report.struct_size = 0;
    assert_int_equal(vv_recorder_repair_zarr(store, "run", false, &report, &err),
                     VV_EINVAL);
    report = VV_REPAIR_REPORT_INIT;
    assert_vv_ok(vv_recorder_repair_zarr(store, "run", true, &report, &err));
    assert_true(report.was_open && !report.changed && report.rows == 5);
    assert_int_equal(length_of(store, "run/step/b"), 9);
    assert_vv_ok(vv_recorder_repair_zarr(store, "run", false, &report, &err));
    assert_true(report.was_open && report.changed && report.rows == 5);
    assert_int_equal(length_of(store, "run/step/b"), 5);
    assert_vv_ok(vv_array_open(store, "run/step/b", &array, &err));
    assert_vv_ok(vv_array_read(array, start, count, NULL, values, sizeof(values), &err));
    vv_array_free(array);
    for (int32_t i = 0; i < 15; i++)
        assert_int_equal(values[i], i / 3 * (i % 3 + 1));
    assert_vv_ok(vv_recorder_repair_zarr(store, "run", false, &report, &err));
    assert_true(!report.was_open && !report.changed);
    assert_int_equal(vv_recorder_repair_zarr(store, "none", false, &report, &err),
                     VV_ENOTFOUND);
    vv_schema_free(schema);
    vv_store_free(store);
}

/* A directory has one writer, whatever store object it is reached by. */
static void a_second_writer_of_a_directory_is_refused(void **state)
{
    char *directory = make_directory();
    vvi_sink *sink = NULL;
    vv_store *store, *other;
    fixture f;
    driver d, e;

    (void)state;
    make_plan(&f);
    assert_vv_ok(vv_directory_store_open(directory, false, &store, &err));
    assert_vv_ok(vv_directory_store_open(directory, false, &other, &err));
    create(&d, &f, store, NULL, NULL);
    while (d.rows < 10)
        assert_vv_ok(log_row(&d));
    assert_int_equal(append(&e, &f, other, -1), VV_EBUSY);
    f.plan.options.overwrite = true;
    assert_int_equal(
        vvi_zarr_sink_create(other, "run", &f.plan, "{}", NULL, NULL, &sink, &err),
        VV_EBUSY);
    assert_non_null(strstr(err.message, "'run'"));
    /* Beside it there is room. */
    assert_vv_ok(
        vvi_zarr_sink_create(other, "run2", &f.plan, "{}", NULL, NULL, &sink, &err));
    sink->ops->free(sink, false);
    assert_vv_ok(finish(&d, NULL));
    stop(&d);
    check_exactly(other, &f, 10);
    assert_vv_ok(append(&e, &f, other, -1));
    assert_int_equal(append(&d, &f, store, -1), VV_EBUSY);
    stop(&e);
    create(&d, &f, store, NULL, NULL);
    assert_int_equal(append(&e, &f, other, -1), VV_EBUSY);
    stop(&d);
    vv_store_free(store);
    vv_store_free(other);
    remove_directory(directory);
    drop_plan(&f);
}

/* ---- failures ------------------------------------------------------------------------------------ */

/* A short recording from its beginning to its end, then gone on with. */
static vv_status whole_life(fixture *f, vv_store *store)
{
    vvi_sink *sink = NULL;
    driver d;
    vv_status status = vvi_zarr_sink_create(store, "run", &f->plan, "{}", NULL, NULL,
                                            &sink, &err);

    if (status)
        return status;
    start(&d, f, sink);
    status = put_init(&d);
    while (!status && d.rows < 9)
        status = log_row(&d);
    if (!status)
        status = flush(&d);
    if (!status)
        status = log_row(&d);
    if (!status)
        status = finish(&d, "{\"a\": 1}");
    stop(&d);
    if (status)
        return status;
    status = append(&d, f, store, STEP_OF(5));
    if (status)
        return status;
    status = log_row(&d);
    if (!status)
        status = finish(&d, NULL);
    stop(&d);
    return status;
}

static vv_status in_memory(void *ctx)
{
    fixture *f = ctx;
    vv_store *store = NULL;
    vv_status status = vv_memory_store_new(&store, &err);

    if (!status)
        status = whole_life(f, store);
    vv_store_free(store);
    return status;
}

static void any_allocation_may_fail(void **state)
{
    fixture f;

    (void)state;
    make_plan(&f);
    survives_failing_allocations(in_memory, &f);
    drop_plan(&f);
}

/* Whatever file call fails, a recording that is there has what the last commit covered. */
static void any_file_call_may_fail(void **state)
{
    vvi_fault plan = { .calls = VVI_CALLS_ALL,
                       .kind = VVI_FAULT_ERROR,
                       .error_number = EIO };
    vv_status status = VV_EIO;
    fixture f;

    (void)state;
    make_plan(&f);
    for (plan.after = 0; status; plan.after += 3) {
        char *directory = make_directory();
        vv_store *store = NULL;
        uint64_t struck;

        vvi_fault_plan(&plan);
        status = vv_directory_store_open(directory, false, &store, &err);
        if (!status)
            status = whole_life(&f, store);
        struck = vvi_fault_plan(NULL);
        if (status) {
            vv_node_kind kind;
            driver d;

            assert_int_equal(struck, 1);
            vv_store_free(store);
            assert_vv_ok(vv_directory_store_open(directory, false, &store, &err));
            assert_vv_ok(vv_node_kind_of(store, "run", &kind, &err));
            if (kind != VV_NODE_NONE) {
                assert_vv_ok(append(&d, &f, store, -1));
                check_exactly(store, &f, d.rows);
                stop(&d);
            }
        }
        vv_store_free(store);
        remove_directory(directory);
    }
    drop_plan(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_and_leaves_have_their_places),
        cmocka_unit_test(each_commit_is_all_that_was_put),
        cmocka_unit_test(documents_say_what_the_arrays_are),
        cmocka_unit_test(every_compression_reads_back),
        cmocka_unit_test(every_root_is_the_recording_as_it_was),
        cmocka_unit_test(a_leaf_that_does_not_change_costs_nothing),
        cmocka_unit_test(going_on_cuts_back_exactly),
        cmocka_unit_test(what_no_commit_covered_is_cut_off),
        cmocka_unit_test(a_place_that_is_put_again_counts_once),
        cmocka_unit_test(places_are_counted_by_their_marks),
        cmocka_unit_test(what_is_no_recording_is_left_alone),
        cmocka_unit_test(damaged_recordings_are_refused),
        cmocka_unit_test(a_recording_that_was_not_closed_is_repaired),
        cmocka_unit_test(a_second_writer_of_a_directory_is_refused),
        cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test(any_file_call_may_fail),
    };

    watch_allocations();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
