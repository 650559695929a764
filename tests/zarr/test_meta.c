/* Metadata: what is made reads back, every spelling is read, what cannot be meant is refused by
 * name. */
#include "support/support.h"

#include "util/buf.h"
#include "zarr/meta.h"

#include <math.h>
#include <stdio.h>

static int setup(void **state)
{
    vv_store *store = NULL;

    if (vv_memory_store_new(&store, NULL))
        return 1;
    *state = store;
    return 0;
}

static int teardown(void **state)
{
    vv_store_free(*state);
    return 0;
}

/* ---- documents ---------------------------------------------------------------------------------- */

/* A document of which one member is replaced; "" leaves it out. */
static vv_status open_with(vv_store *store, const char *member, const char *value,
                           vv_error *why)
{
    static const char *const members[][2] = {
        { "zarr_format", "3" },
        { "node_type", "\"array\"" },
        { "shape", "[4, 6]" },
        { "data_type", "\"int32\"" },
        { "chunk_grid",
          "{\"name\": \"regular\", \"configuration\": {\"chunk_shape\": [2, 3]}}" },
        { "chunk_key_encoding",
          "{\"name\": \"default\", \"configuration\": {\"separator\": \"/\"}}" },
        { "fill_value", "7" },
        { "codecs",
          "[{\"name\": \"bytes\", \"configuration\": {\"endian\": \"little\"}}]" },
    };
    vv_error err = VV_ERROR_INIT;
    vv_buf text = VV_BUF_INIT;
    vv_array *array = NULL;
    bool replaced = false;
    vv_status status;

    assert_vv_ok(vvi_buf_append_byte(&text, '{', &err));
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        bool this_one = strcmp(members[i][0], member) == 0;
        const char *json = this_one ? value : members[i][1];

        replaced = replaced || this_one;
        if (*json)
            assert_vv_ok(vvi_buf_printf(&text, &err, "%s\"%s\": %s",
                                        text.len > 1 ? ", " : "", members[i][0], json));
    }
    if (!replaced && *member)
        assert_vv_ok(vvi_buf_printf(&text, &err, ", \"%s\": %s", member, value));
    assert_vv_ok(vvi_buf_append_byte(&text, '}', &err));
    assert_vv_ok(vv_store_set(store, "x/zarr.json", vvi_buf_bytes(&text), &err));
    vv_buf_clear(&text);
    status = vv_array_open(store, "x", &array, &err);
    *why = err;
    assert_int_equal(array != NULL, status == VV_OK);
    vv_array_free(array);
    return status;
}

#define LITTLE "{\"name\": \"bytes\", \"configuration\": {\"endian\": \"little\"}}"

static void every_spelling_of_a_member_is_read(void **state)
{
    static const char *const cases[][2] = {
        { "", "" },
        { "data_type", "{\"name\": \"int32\"}" },
        { "data_type", "{\"name\": \"int32\", \"must_understand\": true}" },
        { "data_type", "{\"name\": \"int32\", \"note\": {\"must_understand\": false}}" },
        { "storage_transformers", "[{\"name\": \"cache\", \"must_understand\": false}]" },
        { "data_type", "{\"name\": \"int32\", \"configuration\": {}}" },
        { "chunk_key_encoding", "\"default\"" },
        { "chunk_key_encoding", "{\"name\": \"default\"}" },
        { "chunk_key_encoding", "{\"name\": \"default\", \"separator\": \".\"}" },
        { "chunk_key_encoding",
          "{\"name\": \"v2\", \"configuration\": {\"separator\": \"/\"}}" },
        { "chunk_key_encoding", "{\"name\": \"v2\"}" },
        { "attributes", "{}" },
        { "attributes", "{\"a\": NaN}" },
        { "storage_transformers", "[]" },
        { "dimension_names", "[\"a\", null]" },
        { "dimension_names", "null" },
        { "extra", "{\"must_understand\": false}" },
        { "extra",
          "{\"name\": \"x\", \"must_understand\": false, \"configuration\": 3}" },
        { "consolidated_metadata", "null" },
        { "codecs", "[" LITTLE ", {\"name\": \"hint\", \"must_understand\": false}]" },
        { "codecs", "[{\"name\": \"tidy\", \"must_understand\": false, "
                    "\"configuration\": {\"a\": 1}}, " LITTLE "]" },
        { "codecs", "[{\"name\": \"bytes\", \"must_understand\": true, "
                    "\"configuration\": {\"endian\": \"big\"}, "
                    "\"note\": {\"must_understand\": false}}]" },
        { "codecs", "[{\"name\": \"sharding_indexed\", \"configuration\": "
                    "{\"chunk_shape\": [1, 3], \"codecs\": [" LITTLE
                    ", {\"name\": \"hint\", \"must_understand\": false}]}}]" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vv_error err = VV_ERROR_INIT;
        vv_status status;

        status = open_with(*state, cases[i][0], cases[i][1], &err);
        if (status)
            fail_msg("%s: %s: %s", cases[i][0], cases[i][1], err.message);
    }
}

#define EDGES(shapes_)                                                       \
    "{\"name\": \"rectilinear\", \"configuration\": {\"kind\": \"inline\", " \
    "\"chunk_shapes\": " shapes_ "}}"

static void what_cannot_be_meant_is_refused_by_name(void **state)
{
    static const struct {
        const char *member, *value;
        vv_status status;
        const char *named;
    } cases[] = {
        { "zarr_format", "", VV_ECORRUPT, "zarr_format" },
        { "zarr_format", "\"3\"", VV_ECORRUPT, "zarr_format" },
        { "zarr_format", "2", VV_EUNSUPPORTED, "zarr_format 2" },
        { "node_type", "", VV_ECORRUPT, "node_type" },
        { "node_type", "\"table\"", VV_ECORRUPT, "node_type" },
        { "node_type", "\"group\"", VV_EUNSUPPORTED, "shape" },
        { "shape", "", VV_ECORRUPT, "shape" },
        { "shape", "4", VV_ECORRUPT, "shape" },
        { "shape", "[4, -6]", VV_ECORRUPT, "shape" },
        { "shape", "[4, 6.0]", VV_ECORRUPT, "shape" },
        { "shape", "[4, \"6\"]", VV_ECORRUPT, "shape" },
        { "shape", "[4, 18446744073709551616]", VV_ECORRUPT, "shape" },
        { "shape", "[4]", VV_ECORRUPT, "chunk_grid" },
        { "shape", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]",
          VV_EUNSUPPORTED, "shape" },
        { "data_type", "", VV_ECORRUPT, "data_type" },
        { "data_type", "\"string\"", VV_ECORRUPT, "string" }, /* with codec bytes */
        { "data_type",
          "{\"name\": \"struct\", \"configuration\": {\"fields\": [{\"name\": \"a\", "
          "\"data_type\": \"int32\"}]}}",
          VV_EUNSUPPORTED, "struct" },
        { "data_type",
          "{\"name\": \"numpy.datetime64\", \"configuration\": {\"unit\": \"s\"}}",
          VV_ECORRUPT, "numpy.datetime64" },
        { "data_type", "{\"name\": \"int32\", \"configuration\": {\"unit\": \"s\"}}",
          VV_EUNSUPPORTED, "int32" },
        { "data_type", "[[\"a\", \"int32\"]]", VV_ECORRUPT, "data_type" },
        { "chunk_grid", "", VV_ECORRUPT, "chunk_grid" },
        { "chunk_grid", "\"regular\"", VV_ECORRUPT, "chunk_shape" },
        { "chunk_grid", "{\"name\": \"rectilinear\"}", VV_ECORRUPT, "rectilinear" },
        { "chunk_grid",
          "{\"name\": \"rectilinear\", \"configuration\": {\"kind\": \"stored\"}}",
          VV_EUNSUPPORTED, "stored" },
        { "chunk_grid", EDGES("[[4]]"), VV_ECORRUPT, "chunk_shapes" },
        { "chunk_grid", EDGES("[[4], [1, 2, 0, 3]]"), VV_ECORRUPT, "dimension 1" },
        { "chunk_grid", EDGES("[[4], [1, 4]]"), VV_ECORRUPT, "end at 5" },
        { "chunk_grid", EDGES("[[4], [1, [2, 3, 4]]]"), VV_ECORRUPT, "dimension 1" },
        { "chunk_grid", EDGES("[[4], [[1, 0], 6]]"), VV_ECORRUPT, "dimension 1" },
        { "chunk_grid", EDGES("[[4], [[[1, 2], 3], 6]]"), VV_ECORRUPT, "dimension 1" },
        { "chunk_grid", EDGES("[[4], 0]"), VV_ECORRUPT, "dimension 1" },
        { "chunk_grid", EDGES("[[4], \"6\"]"), VV_ECORRUPT, "dimension 1" },
        { "chunk_grid", EDGES("[[4], [1, [4294967296, 4294967296]]]"), VV_ECORRUPT,
          "2^64" },
        { "chunk_grid", EDGES("[[4], [1, 18446744073709551615]]"), VV_ECORRUPT, "2^64" },
        { "chunk_grid", EDGES("[[4], [2, [1, 99999999999]]]"), VV_EUNSUPPORTED,
          "100000000000" },
        { "chunk_grid", EDGES("[[3, [1, 600000]], [3, [1, 600000]]]"), VV_EUNSUPPORTED,
          "1200002" },
        { "chunk_grid",
          "{\"name\": \"regular\", \"configuration\": {\"chunk_shape\": [2, 0]}}",
          VV_ECORRUPT, "chunk_grid" },
        { "chunk_grid", "{\"name\": \"regular\", \"configuration\": [2, 3]}", VV_ECORRUPT,
          "chunk_grid" },
        { "chunk_grid",
          "{\"name\": \"regular\", \"configuration\": {\"chunk_shape\": [4294967296, "
          "4294967296]}}",
          VV_ECORRUPT, "chunk_grid" },
        { "chunk_key_encoding", "", VV_ECORRUPT, "chunk_key_encoding" },
        { "chunk_key_encoding", "{\"name\": \"hilbert\"}", VV_EUNSUPPORTED, "hilbert" },
        { "chunk_key_encoding",
          "{\"name\": \"default\", \"configuration\": {\"separator\": "
          "\"-\"}}",
          VV_ECORRUPT, "separator" },
        { "fill_value", "", VV_ECORRUPT, "fill_value" },
        { "fill_value", "null", VV_ECORRUPT, "fill_value" },
        { "fill_value", "2147483648", VV_ECORRUPT, "fill_value" },
        { "codecs", "", VV_ECORRUPT, "codecs" },
        { "codecs", "[\"bytes\"]", VV_ECORRUPT, "endian" },
        { "codecs", "[{\"name\": \"zfpy\"}]", VV_EUNSUPPORTED, "zfpy" },
        { "attributes", "[]", VV_ECORRUPT, "attributes" },
        { "attributes", "null", VV_ECORRUPT, "attributes" },
        { "dimension_names", "[\"a\"]", VV_ECORRUPT, "dimension_names" },
        { "dimension_names", "[1, 2]", VV_ECORRUPT, "dimension_names" },
        { "storage_transformers", "[{\"name\": \"sharding\"}]", VV_EUNSUPPORTED,
          "sharding" },
        { "storage_transformers", "{}", VV_ECORRUPT, "storage_transformers" },
        { "storage_transformers", "[{\"must_understand\": false}]", VV_ECORRUPT,
          "storage_transformers" },
        { "storage_transformers",
          "[{\"name\": \"a\", \"must_understand\": false}, \"cloak\"]", VV_EUNSUPPORTED,
          "cloak" },
        /* Nobody can do without these. */
        { "data_type", "{\"name\": \"float8\", \"must_understand\": false}",
          VV_EUNSUPPORTED, "float8" },
        { "chunk_grid", "{\"name\": \"spiral\", \"must_understand\": false}",
          VV_EUNSUPPORTED, "spiral" },
        { "chunk_key_encoding", "{\"name\": \"hilbert\", \"must_understand\": false}",
          VV_EUNSUPPORTED, "hilbert" },
        { "codecs", "[{\"name\": \"cipher\"}]", VV_EUNSUPPORTED, "cipher" },
        { "codecs", "[" LITTLE ", {\"name\": \"cipher\", \"must_understand\": true}]",
          VV_EUNSUPPORTED, "cipher" },
        { "codecs", "[" LITTLE ", {\"name\": \"cipher\", \"must_understand\": \"no\"}]",
          VV_EUNSUPPORTED, "cipher" },
        { "codecs", "[{\"must_understand\": false}, " LITTLE "]", VV_ECORRUPT,
          "without a name" },
        /* Without one that makes bytes there is no reading; it may be this one. */
        { "codecs", "[{\"name\": \"cipher\", \"must_understand\": false}]",
          VV_EUNSUPPORTED, "cipher" },
        { "codecs",
          "[{\"name\": \"bytes\", \"configuration\": {\"endian\": \"big\"}, "
          "\"order\": \"F\"}]",
          VV_EUNSUPPORTED, "'order'" },
        { "chunk_grid",
          "{\"name\": \"regular\", \"configuration\": {\"chunk_shape\": [2, 3], "
          "\"offset\": [1, 1]}}",
          VV_EUNSUPPORTED, "offset" },
        { "chunk_key_encoding",
          "{\"name\": \"default\", \"configuration\": {\"prefix\": \"x\"}}",
          VV_EUNSUPPORTED, "prefix" },
        { "data_type", "{\"name\": \"int32\", \"endian\": \"big\"}", VV_EUNSUPPORTED,
          "endian" },
        { "extra", "1", VV_EUNSUPPORTED, "extra" },
        { "extra", "{\"must_understand\": true}", VV_EUNSUPPORTED, "extra" },
        { "extra", "{\"must_understand\": \"no\"}", VV_EUNSUPPORTED, "extra" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vv_error err = VV_ERROR_INIT;
        vv_status status = open_with(*state, cases[i].member, cases[i].value, &err);

        if (status != cases[i].status || !strstr(err.message, cases[i].named) ||
            !strstr(err.message, "x"))
            fail_msg("%s: %s: %s, %s", cases[i].member, cases[i].value,
                     vv_status_name(status), err.message);
    }
}

static void a_codec_that_may_be_ignored_is(void **state)
{
    static const uint64_t start[] = { 0, 0 }, count[] = { 2, 3 };
    static const int32_t values[] = { 1, 2, 3, 4, 5, 6 };
    vv_error err = VV_ERROR_INIT;
    vv_buf stored = VV_BUF_INIT;
    vv_array *array = NULL;
    int32_t out[6] = { 0 };

    assert_vv_ok(open_with(
        *state, "codecs",
        "[" LITTLE ", {\"name\": \"hint\", \"must_understand\": false}]", &err));
    assert_vv_ok(vv_array_open(*state, "x", &array, &err));
    assert_non_null(strstr(vv_array_get_meta(array)->codecs, "hint"));
    assert_vv_ok(vv_array_write(array, start, count, values, sizeof(values), &err));
    assert_vv_ok(vv_store_get(*state, "x/c/0/0", VV_RANGE_ALL, &stored, &err));
    assert_int_equal(stored.len, sizeof(values));
    assert_memory_equal(stored.data, values, sizeof(values));
    assert_vv_ok(vv_array_read(array, start, count, NULL, out, sizeof(out), &err));
    assert_memory_equal(out, values, sizeof(out));
    vv_buf_clear(&stored);
    vv_array_free(array);
}

static void chunks_of_different_lengths_are_told(void **state)
{
    /* The same lengths in five ways; the second as zarr-python 3.4.2 writes them. */
    static const char *const shapes[] = { "[[2, 2], [1, 2, 3]]", "[[[2, 2]], [1, 2, 3]]",
                                          "[2, [1, 2, 3]]",
                                          "[[[2, 99999999999]], [1, 2, [3, 5]]]",
                                          "[[[2, 1], 2], [1, 2, 3]]" };
    vv_error err = VV_ERROR_INIT;

    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        char grid[200];
        vv_array *array = NULL;
        vv_array *again = NULL;
        uint64_t chunks[2];

        snprintf(grid, sizeof(grid), EDGES("%s"), shapes[i]);
        assert_vv_ok(open_with(*state, "chunk_grid", grid, &err));
        assert_vv_ok(vv_array_open(*state, "x", &array, &err));
        for (int k = 0; k < 2; k++) {
            const vv_array_meta *meta = vv_array_get_meta(k ? again : array);

            assert_non_null(meta->chunk_edges);
            assert_null(meta->chunk_edges[0]);
            assert_int_equal(meta->chunk_shape[0], 2);
            assert_int_equal(meta->chunk_shape[1], 3);
            assert_int_equal(meta->chunk_edge_counts[1], 3);
            assert_int_equal(meta->chunk_edges[1][0], 1);
            assert_int_equal(meta->chunk_edges[1][1], 2);
            assert_int_equal(meta->chunk_edges[1][2], 3);
            vv_array_grid(array, chunks);
            assert_int_equal(chunks[0], 2);
            assert_int_equal(chunks[1], 3);
            if (!k)
                assert_vv_ok(vv_array_create(*state, "y", meta, true, &again, &err));
        }
        vv_array_free(array);
        vv_array_free(again);
    }
    /* Lengths that are all alike make a regular grid, however many there are. */
    vv_array *array = NULL;
    assert_vv_ok(
        open_with(*state, "chunk_grid", EDGES("[[[2, 99999999999]], [6]]"), &err));
    assert_vv_ok(vv_array_open(*state, "x", &array, &err));
    assert_null(vv_array_get_meta(array)->chunk_edges);
    vv_array_free(array);
}

static void a_document_that_is_no_json_is_named_by_its_key(void **state)
{
    static const char *const texts[] = {
        "", "{", "[]", "3", "\xff", "{\"zarr_format\": 3"
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        vv_error err = VV_ERROR_INIT;
        vv_array *array = NULL;
        vv_node_kind kind;

        assert_vv_ok(vv_store_set(*state, "x/zarr.json", vv_bytes_of(texts[i]), &err));
        assert_int_equal(vv_array_open(*state, "x", &array, &err), VV_ECORRUPT);
        assert_non_null(strstr(err.message, "x"));
        assert_int_equal(vv_node_kind_of(*state, "x", &kind, &err), VV_ECORRUPT);
    }
}

static void huge_shapes_are_opened_and_cost_nothing(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;
    uint64_t count;

    assert_vv_ok(
        open_with(*state, "shape", "[18446744073709551615, 18446744073709551615]", &err));
    assert_vv_ok(vv_array_open(*state, "x", &array, &err));
    assert_int_equal(vv_array_count(array, &count, &err), VV_ERANGE);
    uint64_t start[] = { UINT64_MAX - 2, UINT64_MAX - 3 };
    uint64_t one[] = { 1, 1 };
    int32_t value = 0;
    assert_vv_ok(vv_array_read(array, start, one, NULL, &value, sizeof(value), &err));
    assert_int_equal(value, 7);
    assert_vv_ok(vv_array_write(array, start, one, &value, sizeof(value), &err));
    vv_array_free(array);
    array = NULL;
    /* A chunk that no memory holds is refused, not tried. */
    assert_vv_ok(open_with(*state, "chunk_grid",
                           "{\"name\": \"regular\", \"configuration\": {\"chunk_shape\": "
                           "[4294967296, 4294967295]}}",
                           &err));
    assert_vv_ok(vv_array_open(*state, "x", &array, &err));
    start[0] = start[1] = 0;
    assert_int_equal(vv_array_read(array, start, one, NULL, &value, sizeof(value), &err),
                     VV_ELIMIT);
    assert_int_equal(vv_array_write(array, start, one, &value, sizeof(value), &err),
                     VV_ELIMIT);
    vv_array_free(array);
}

/* ---- what is made -------------------------------------------------------------------------------- */

static void assert_same_meta(const vv_array_meta *a, const vv_array_meta *b)
{
    size_t lengths = a->ndim * sizeof(uint64_t);

    assert_int_equal(a->dtype, b->dtype);
    assert_int_equal(a->ndim, b->ndim);
    if (lengths) {
        assert_memory_equal(a->shape, b->shape, lengths);
        assert_memory_equal(a->chunk_shape, b->chunk_shape, lengths);
    }
    assert_int_equal(vv_dtype_is_variable(a->dtype), vv_dtype_is_variable(b->dtype));
    if (vv_dtype_is_variable(a->dtype)) {
        const vv_bytes *one = a->fill_value;
        const vv_bytes *other = b->fill_value;

        assert_int_equal(one->len, other->len);
        assert_memory_equal(one->data, other->data, one->len);
    } else {
        assert_memory_equal(a->fill_value, b->fill_value, b->item_size);
    }
    if (a->time_unit)
        assert_string_equal(a->time_unit, b->time_unit);
    else
        assert_true(!b->time_unit || strcmp(b->time_unit, "generic") == 0);
    assert_true(a->item_size == 0 || a->item_size == b->item_size);
    assert_int_equal(a->separator, b->separator);
    assert_int_equal(a->v2_keys, b->v2_keys);
    assert_int_equal(!a->dimension_names, !b->dimension_names);
    for (uint32_t i = 0; a->dimension_names && i < a->ndim; i++) {
        assert_int_equal(!a->dimension_names[i], !b->dimension_names[i]);
        if (a->dimension_names[i])
            assert_string_equal(a->dimension_names[i], b->dimension_names[i]);
    }
}

static void random_arrays_are_opened_as_they_were_made(void **state)
{
    static const char *const codecs[] = { NULL,          "none",
                                          "zstd:7",      "gzip:1+crc32c",
                                          "blosc:lz4:3", "bytes:big" };
    static const char *const names[] = { "time", NULL, "\xd0\xba\"\\", "" };
    static const char *const attributes[] = { NULL, "{}",
                                              "{\"b\": 1, \"a\": [1.0, null, \"x\"]}" };
    uint64_t random = 41;

    for (int i = 0; i < 300; i++) {
        uint64_t shape[8], chunk[8];
        const char *dims[8];
        uint8_t fill[64];
        static const char *const units[] = { "ns", "D", NULL, "generic" };
        vv_bytes text = vv_bytes_of("h\xc3\xa9");
        vv_array_meta meta = VV_ARRAY_META_INIT;
        vv_array *made = NULL;
        vv_array *opened = NULL;
        vv_error err = VV_ERROR_INIT;

        meta.dtype = (vv_dtype)(VV_BOOL + next_random(&random) % VV_BYTES);
        if (vv_dtype_size(meta.dtype) == 0)
            meta.item_size = 4 * (1 + next_random(&random) % 16);
        if (meta.dtype == VV_DATETIME64 || meta.dtype == VV_TIMEDELTA64) {
            meta.time_unit = units[next_random(&random) % 4];
            meta.time_scale = (uint32_t)(next_random(&random) % 1000);
        }
        meta.ndim = (uint32_t)(next_random(&random) % 9);
        for (uint32_t d = 0; d < meta.ndim; d++) {
            shape[d] = next_random(&random) >> next_random(&random) % 64;
            chunk[d] = 1 + next_random(&random) % 5;
            dims[d] = names[next_random(&random) % 4];
        }
        for (size_t k = 0; k < sizeof(fill); k++)
            fill[k] = (uint8_t)(next_random(&random) % (meta.dtype == VV_BOOL ? 2 : 256));
        meta.shape = shape;
        meta.chunk_shape = chunk;
        if (vv_dtype_is_variable(meta.dtype))
            memcpy(fill, &text, sizeof(text));
        for (size_t k = 0; k < sizeof(fill) && meta.dtype == VV_FIXED_UTF32; k += 4)
            memset(fill + k + 1, 0, 3); /* Latin letters */
        meta.fill_value = fill;
        meta.codecs = codecs[next_random(&random) % 6];
        if (vv_dtype_is_variable(meta.dtype) && meta.codecs &&
            strcmp(meta.codecs, "bytes:big") == 0)
            meta.codecs = NULL;
        meta.v2_keys = next_random(&random) % 2;
        meta.separator = next_random(&random) % 2 ? '.' : '/';
        meta.dimension_names = next_random(&random) % 2 ? dims : NULL;
        meta.attributes = attributes[next_random(&random) % 3];
        assert_vv_ok(vv_array_create(*state, "g/x", &meta, true, &made, &err));
        assert_same_meta(&meta, vv_array_get_meta(made));
        assert_vv_ok(vv_array_open(*state, "/g/x/", &opened, &err));
        assert_same_meta(&meta, vv_array_get_meta(opened));
        assert_string_equal(vv_array_get_meta(opened)->codecs,
                            vv_array_get_meta(made)->codecs);
        assert_string_equal(vv_array_get_meta(opened)->attributes,
                            meta.attributes ? meta.attributes : "{}");
        assert_string_equal(vv_array_path(opened), "g/x");
        /* What was read makes the same once more. */
        vv_array_free(made);
        made = NULL;
        assert_vv_ok(
            vv_array_create(*state, "h", vv_array_get_meta(opened), true, &made, &err));
        assert_same_meta(&meta, vv_array_get_meta(made));
        vv_array_free(made);
        vv_array_free(opened);
    }
}

static void the_document_has_the_spelling_of_the_specification(void **state)
{
    static const uint64_t shape[] = { 4, 6 }, chunk[] = { 2, 3 };
    static const char *const names[] = { "lat", NULL };
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;
    vv_buf text = VV_BUF_INIT;

    meta.dtype = VV_FLOAT32;
    meta.ndim = 2;
    meta.shape = shape;
    meta.chunk_shape = chunk;
    meta.dimension_names = names;
    meta.attributes = "{\"units\": \"K\"}";
    assert_vv_ok(vv_array_create(*state, "", &meta, false, &array, &err));
    assert_vv_ok(vv_array_metadata_json(array, &text, &err));
    assert_string_equal(
        (char *)text.data,
        "{\n  \"zarr_format\": 3,\n  \"node_type\": \"array\",\n  \"shape\": [\n    4,\n    6\n  "
        "],\n  \"data_type\": \"float32\",\n  \"chunk_grid\": {\n    \"name\": \"regular\",\n    "
        "\"configuration\": {\n      \"chunk_shape\": [\n        2,\n        3\n      ]\n    }\n  "
        "},\n  \"chunk_key_encoding\": {\n    \"name\": \"default\",\n    \"configuration\": {\n   "
        "   \"separator\": \"/\"\n    }\n  },\n  \"fill_value\": 0.0,\n  \"codecs\": [\n    {\n    "
        "  \"name\": \"bytes\",\n      \"configuration\": {\n        \"endian\": \"little\"\n      "
        "}\n    },\n    {\n      \"name\": \"zstd\",\n      \"configuration\": {\n        "
        "\"level\": 3,\n        \"checksum\": false\n      }\n    }\n  ],\n  \"attributes\": {\n   "
        " \"units\": \"K\"\n  },\n  \"dimension_names\": [\n    \"lat\",\n    null\n  ]\n}");
    vv_buf_clear(&text);
    vv_array_free(array);
}

static void making_refuses_what_is_wrong_and_leaves_nothing(void **state)
{
    static const uint64_t shape[] = { 4 }, chunk[] = { 2 }, none[] = { 0 };
    vv_array_meta good = VV_ARRAY_META_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;
    bool there = true;

    good.dtype = VV_INT8;
    good.ndim = 1;
    good.shape = shape;
    good.chunk_shape = chunk;
#define REFUSES(change_, status_)                                                  \
    do {                                                                           \
        vv_array_meta meta = good;                                                 \
        meta.change_;                                                              \
        assert_int_equal(vv_array_create(*state, "x", &meta, false, &array, &err), \
                         status_);                                                 \
        assert_null(array);                                                        \
    } while (0)
    REFUSES(dtype = VV_DTYPE_NONE, VV_EINVAL);
    REFUSES(ndim = 33, VV_EINVAL);
    REFUSES(shape = NULL, VV_EINVAL);
    REFUSES(chunk_shape = none, VV_EINVAL);
    REFUSES(codecs = "xz", VV_EINVAL);
    REFUSES(codecs = "[", VV_EINVAL);
    REFUSES(codecs = "[{\"name\": \"zfp\"}]", VV_EUNSUPPORTED);
    REFUSES(codecs = "[]", VV_EINVAL);
    REFUSES(separator = 'x', VV_EINVAL);
    REFUSES(attributes = "[]", VV_EINVAL);
    REFUSES(attributes = "{", VV_EINVAL);
#undef REFUSES
    assert_int_equal(vv_array_create(*state, "a/../b", &good, false, &array, &err),
                     VV_EINVAL);
    assert_int_equal(vv_array_create(*state, "a//b", &good, false, &array, &err),
                     VV_EINVAL);
    assert_vv_ok(vv_store_exists(*state, "x/zarr.json", &there, &err));
    assert_false(there);
    assert_vv_ok(vv_store_exists(*state, "zarr.json", &there, &err));
    assert_false(there);
}

int main(void)
{
#define PROMISE(function_) cmocka_unit_test_setup_teardown(function_, setup, teardown)
    const struct CMUnitTest tests[] = {
        PROMISE(every_spelling_of_a_member_is_read),
        PROMISE(what_cannot_be_meant_is_refused_by_name),
        PROMISE(a_codec_that_may_be_ignored_is),
        PROMISE(chunks_of_different_lengths_are_told),
        PROMISE(a_document_that_is_no_json_is_named_by_its_key),
        PROMISE(huge_shapes_are_opened_and_cost_nothing),
        PROMISE(random_arrays_are_opened_as_they_were_made),
        PROMISE(the_document_has_the_spelling_of_the_specification),
        PROMISE(making_refuses_what_is_wrong_and_leaves_nothing),
    };
#undef PROMISE

    return cmocka_run_group_tests(tests, NULL, NULL);
}
