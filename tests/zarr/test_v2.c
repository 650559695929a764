/* Zarr version 2: every form of its documents is read as version 3 would say it. */
#include "support/support.h"

#include "util/buf.h"
#include "zarr/v2.h"

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

static void put(vv_store *store, const char *key, const char *text)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_store_set(store, key, vv_bytes_of(text), &err));
}

/* A .zarray of which some members are replaced: the last of a repeated member counts. */
static vv_status open_with(vv_store *store, const char *members, vv_array **out,
                           vv_error *err)
{
    char text[1000];

    snprintf(text, sizeof(text),
             "{\"zarr_format\": 2, \"shape\": [3, 4], \"chunks\": [2, 3], \"dtype\": "
             "\"<i4\", \"compressor\": null, \"fill_value\": 7, \"order\": \"C\", "
             "\"filters\": null%s%s}",
             *members ? ", " : "", members);
    put(store, "x/.zarray", text);
    return vv_array_open(store, "x", out, err);
}

static void documents_are_read_as_version_3_says_them(void **state)
{
    /* Members, and what they become. As zarr-python 3.4.2 and 2.18 write them. */
    static const struct {
        const char *members, *data_type, *fill, *codecs;
    } cases[] = {
        { "", "\"int32\"", "7",
          "[{\"name\": \"bytes\", \"configuration\": {\"endian\": "
          "\"little\"}}]" },
        { "\"dtype\": \">f8\", \"fill_value\": \"NaN\", \"order\": \"F\"", "\"float64\"",
          "\"NaN\"",
          "[{\"name\": \"transpose\", \"configuration\": {\"order\": [1, 0]}}, {\"name\": "
          "\"bytes\", \"configuration\": {\"endian\": \"big\"}}]" },
        { "\"dtype\": \"|b1\", \"fill_value\": null, \"compressor\": {\"id\": \"zstd\", "
          "\"level\": 0, \"checksum\": false}",
          "\"bool\"", "false",
          "[{\"name\": \"bytes\", \"configuration\": {\"endian\": \"little\"}}, {\"name\": "
          "\"numcodecs.zstd\", \"configuration\": {\"level\": 0, \"checksum\": false}}]" },
        { "\"dtype\": \"|b1\", \"fill_value\": null, \"compressor\": {\"id\": \"zstd\", "
          "\"level\": 100}",
          "\"bool\"", "false",
          "[{\"name\": \"bytes\", \"configuration\": {\"endian\": \"little\"}}, {\"name\": "
          "\"numcodecs.zstd\", \"configuration\": {\"level\": 22}}]" },
        { "\"dtype\": \"<c16\", \"fill_value\": [\"NaN\", -1.0]", "\"complex128\"",
          "[\"NaN\", -1.0]",
          "[{\"name\": \"bytes\", \"configuration\": {\"endian\": \"little\"}}]" },
        { "\"dtype\": \"|S10\", \"fill_value\": \"YWI=\"",
          "{\"name\": \"null_terminated_bytes\", \"configuration\": {\"length_bytes\": "
          "10}}",
          "\"YWI=\"",
          "[{\"name\": \"bytes\", \"configuration\": {\"endian\": \"little\"}}]" },
        { "\"dtype\": \"<U7\", \"fill_value\": \"\"",
          "{\"name\": \"fixed_length_utf32\", \"configuration\": {\"length_bytes\": 28}}",
          "\"\"",
          "[{\"name\": \"bytes\", \"configuration\": {\"endian\": \"little\"}}]" },
        { "\"dtype\": \">U2\", \"fill_value\": 0",
          "{\"name\": \"fixed_length_utf32\", \"configuration\": {\"length_bytes\": 8}}",
          "\"\"", "[{\"name\": \"bytes\", \"configuration\": {\"endian\": \"big\"}}]" },
        { "\"dtype\": \"|V4\", \"fill_value\": \"AQL/AA==\"",
          "{\"name\": \"raw_bytes\", \"configuration\": {\"length_bytes\": 4}}",
          "\"AQL/AA==\"",
          "[{\"name\": \"bytes\", \"configuration\": {\"endian\": \"little\"}}]" },
        { "\"dtype\": \"<M8[ns]\", \"fill_value\": null",
          "{\"name\": \"numpy.datetime64\", \"configuration\": {\"unit\": \"ns\", "
          "\"scale_factor\": 1}}",
          "-9223372036854775808",
          "[{\"name\": \"bytes\", \"configuration\": {\"endian\": \"little\"}}]" },
        { "\"dtype\": \"<m8[10s]\", \"fill_value\": 0",
          "{\"name\": \"numpy.timedelta64\", \"configuration\": {\"unit\": \"s\", "
          "\"scale_factor\": 10}}",
          "0", "[{\"name\": \"bytes\", \"configuration\": {\"endian\": \"little\"}}]" },
        { "\"dtype\": \"|O\", \"fill_value\": null, \"filters\": [{\"id\": "
          "\"vlen-utf8\"}], \"compressor\": {\"id\": \"gzip\", \"level\": 1}",
          "\"string\"", "\"\"",
          "[{\"name\": \"vlen-utf8\", \"configuration\": {}}, {\"name\": "
          "\"numcodecs.gzip\", \"configuration\": {\"level\": 1}}]" },
        { "\"dtype\": \"|O\", \"fill_value\": \"AP8=\", \"filters\": [{\"id\": "
          "\"vlen-bytes\"}]",
          "\"variable_length_bytes\"", "\"AP8=\"",
          "[{\"name\": \"vlen-bytes\", \"configuration\": {}}]" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vv_error err = VV_ERROR_INIT;
        vv_array *array = NULL;
        vv_buf text = VV_BUF_INIT;
        char expected[1000];
        vvi_json *value = NULL;
        vv_buf again = VV_BUF_INIT;

        if (open_with(*state, cases[i].members, &array, &err))
            fail_msg("%s: %s", cases[i].members, err.message);
        assert_int_equal(vv_array_get_meta(array)->zarr_format, 2);
        assert_vv_ok(vv_array_metadata_json(array, &text, &err));
        snprintf(expected, sizeof(expected),
                 "{\"zarr_format\": 3, \"node_type\": \"array\", \"shape\": [3, 4], "
                 "\"chunk_grid\": {\"name\": \"regular\", \"configuration\": "
                 "{\"chunk_shape\": [2, 3]}}, \"chunk_key_encoding\": {\"name\": \"v2\", "
                 "\"configuration\": {\"separator\": \".\"}}, \"data_type\": %s, "
                 "\"fill_value\": %s, \"codecs\": %s, \"attributes\": {}}",
                 cases[i].data_type, cases[i].fill, cases[i].codecs);
        assert_vv_ok(vvi_json_parse(vvi_buf_bytes(&text), &value, &err));
        assert_vv_ok(vvi_json_write(value, 0, &again, &err));
        assert_vv_ok(vvi_buf_terminate(&again, &err));
        assert_string_equal((char *)again.data, expected);
        vvi_json_free(value);
        vv_buf_clear(&again);
        vv_buf_clear(&text);
        vv_array_free(array);
    }
}

/* The chain alone, since not every codec of version 2 is in every build. */
static void filters_keep_their_order_around_the_bytes(void **state)
{
    static const struct {
        const char *members, *codecs;
    } cases[] = {
        { "\"filters\": [{\"id\": \"delta\", \"dtype\": \"<i4\", \"astype\": \">i2\"}], "
          "\"compressor\": {\"id\": \"lz4\", \"acceleration\": 1}",
          "[{\"name\": \"numcodecs.delta\", \"configuration\": {\"dtype\": \"<i4\", "
          "\"astype\": \">i2\"}}, {\"name\": \"bytes\", \"configuration\": {\"endian\": "
          "\"big\"}}, {\"name\": \"numcodecs.lz4\", \"configuration\": {\"acceleration\": "
          "1}}]" },
        { "\"filters\": [{\"id\": \"shuffle\", \"elementsize\": 4}, {\"id\": \"crc32\"}], "
          "\"compressor\": {\"id\": \"bz2\", \"level\": 1}",
          "[{\"name\": \"bytes\", \"configuration\": {\"endian\": \"little\"}}, {\"name\": "
          "\"numcodecs.shuffle\", \"configuration\": {\"elementsize\": 4}}, {\"name\": "
          "\"numcodecs.crc32\", \"configuration\": {}}, {\"name\": \"numcodecs.bz2\", "
          "\"configuration\": {\"level\": 1}}]" },
        { "\"dtype\": \"|b1\", \"fill_value\": false, \"order\": \"F\", \"filters\": "
          "[{\"id\": \"packbits\"}]",
          "[{\"name\": \"transpose\", \"configuration\": {\"order\": [1, 0]}}, {\"name\": "
          "\"numcodecs.packbits\", \"configuration\": {}}, {\"name\": \"bytes\", "
          "\"configuration\": {\"endian\": \"little\"}}]" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vv_error err = VV_ERROR_INIT;
        vvi_json *zarray = NULL;
        vvi_json *document = NULL;
        vv_buf codecs = VV_BUF_INIT;
        char text[1000];

        snprintf(
            text, sizeof(text),
            "{\"zarr_format\": 2, \"shape\": [3, 4], \"chunks\": [2, 3], \"dtype\": "
            "\"<i4\", \"compressor\": null, \"fill_value\": 7, \"order\": \"C\", %s}",
            cases[i].members);
        assert_vv_ok(vvi_json_parse(vv_bytes_of(text), &zarray, &err));
        assert_vv_ok(vvi_v2_array(zarray, NULL, &document, &err));
        assert_vv_ok(vvi_json_write(vvi_json_get(document, "codecs"), 0, &codecs, &err));
        assert_vv_ok(vvi_buf_terminate(&codecs, &err));
        assert_string_equal((char *)codecs.data, cases[i].codecs);
        vvi_json_free(zarray);
        vvi_json_free(document);
        vv_buf_clear(&codecs);
    }
}

static void what_has_no_place_in_version_3_is_refused_by_name(void **state)
{
    static const struct {
        const char *members;
        vv_status status;
        const char *named;
    } cases[] = {
        { "\"dtype\": [[\"a\", \"<i4\"], [\"b\", \"<f8\"]]", VV_EUNSUPPORTED,
          "structured" },
        { "\"dtype\": \"|O\"", VV_EUNSUPPORTED, "|O" },
        { "\"dtype\": \"|O\", \"filters\": [{\"id\": \"pickle\"}]", VV_EUNSUPPORTED,
          "pickle" },
        { "\"dtype\": \"<f16\"", VV_EUNSUPPORTED, "<f16" },
        { "\"dtype\": \"<c32\"", VV_EUNSUPPORTED, "<c32" },
        { "\"dtype\": \"i4\"", VV_EUNSUPPORTED, "i4" },
        { "\"dtype\": \"<\"", VV_EUNSUPPORTED, "<" },
        { "\"dtype\": \"\"", VV_EUNSUPPORTED, "dtype" },
        { "\"dtype\": \"<i4x\"", VV_EUNSUPPORTED, "<i4x" },
        { "\"dtype\": \"|S0\"", VV_ECORRUPT, "|S0" },
        { "\"dtype\": \"|V99999999999999999999999\"", VV_EUNSUPPORTED, "|V999" },
        { "\"dtype\": \"<U4611686018427387905\"", VV_EUNSUPPORTED, "<U4" },
        { "\"dtype\": \"<M8[10000000000s]\"", VV_EUNSUPPORTED, "<M8" },
        { "\"dtype\": \"<M8[0s]\"", VV_EUNSUPPORTED, "<M8" },
        { "\"dtype\": \"<M8[q]\"", VV_ECORRUPT, "'q'" },
        { "\"dtype\": \"<M8[s\"", VV_EUNSUPPORTED, "<M8" },
        { "\"dtype\": 3", VV_ECORRUPT, "dtype" },
        { "\"order\": \"K\"", VV_ECORRUPT, "order" },
        { "\"order\": null", VV_ECORRUPT, "order" },
        { "\"chunks\": null", VV_ECORRUPT, "chunks" },
        { "\"chunks\": [2]", VV_ECORRUPT, "chunk_grid" },
        { "\"shape\": 3", VV_ECORRUPT, "shape" },
        { "\"fill_value\": \"x\"", VV_ECORRUPT, "fill_value" },
        { "\"filters\": {}", VV_ECORRUPT, "filters" },
        { "\"filters\": [3]", VV_ECORRUPT, "id" },
        { "\"filters\": [{\"id\": \"sha256\"}]", VV_EUNSUPPORTED, "sha256" },
        { "\"filters\": [{\"id\": \"zlib\"}, {\"id\": \"delta\", \"dtype\": \"<i4\"}]",
          VV_EUNSUPPORTED, "delta" },
        { "\"compressor\": \"zlib\"", VV_ECORRUPT, "compressor" },
        { "\"compressor\": {\"level\": 1}", VV_ECORRUPT, "id" },
        { "\"dimension_separator\": \"-\"", VV_ECORRUPT, "dimension_separator" },
        { "\"zarr_format\": 1", VV_EUNSUPPORTED, "zarr_format 1" },
        { "\"zarr_format\": \"2\"", VV_ECORRUPT, "zarr_format" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vv_error err = VV_ERROR_INIT;
        vv_array *array = NULL;

        if (open_with(*state, cases[i].members, &array, &err) != cases[i].status ||
            !strstr(err.message, cases[i].named) || !strstr(err.message, "x"))
            fail_msg("%s: %s", cases[i].members, err.message);
        assert_null(array);
    }
}

static void elements_lie_where_version_2_puts_them(void **state)
{
    static const int16_t big[] = { 0x0100, 0x0200, 0x0300, 0x0400 };
    static const int16_t columns[6] = { 1, 4, 2, 5, 3, 6 };
    static const uint64_t start[] = { 0, 0 }, count[] = { 2, 3 };
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;
    int16_t got[6];
    int16_t one;

    /* Column-major, with a slash in its keys. */
    put(*state, "f/.zarray",
        "{\"zarr_format\": 2, \"shape\": [2, 3], \"chunks\": [2, 3], \"dtype\": \"<i2\", "
        "\"compressor\": null, \"fill_value\": 0, \"order\": \"F\", \"filters\": null, "
        "\"dimension_separator\": \"/\"}");
    assert_vv_ok(
        vv_store_set(*state, "f/0/0", vvi_bytes(columns, sizeof(columns)), &err));
    assert_vv_ok(vv_array_open(*state, "f", &array, &err));
    assert_vv_ok(vv_array_read(array, start, count, NULL, got, sizeof(got), &err));
    for (int16_t i = 0; i < 6; i++)
        assert_int_equal(got[i], i + 1);
    vv_array_free(array);
    /* Big-endian in chunks of 4, of which one is missing. */
    put(*state, "b/.zarray",
        "{\"zarr_format\": 2, \"shape\": [6], \"chunks\": [4], \"dtype\": \">i2\", "
        "\"compressor\": null, \"fill_value\": 9, \"order\": \"C\", \"filters\": null}");
    assert_vv_ok(vv_store_set(*state, "b/0", vvi_bytes(big, sizeof(big)), &err));
    assert_vv_ok(vv_array_open(*state, "b", &array, &err));
    static const uint64_t six[] = { 6 };
    assert_vv_ok(vv_array_read(array, start, six, NULL, got, sizeof(got), &err));
    assert_int_equal(got[0], 1);
    assert_int_equal(got[3], 4);
    assert_int_equal(got[5], 9);
    vv_array_free(array);
    /* Without dimensions the key is 0. */
    put(*state, "s/.zarray",
        "{\"zarr_format\": 2, \"shape\": [], \"chunks\": [], \"dtype\": \">i2\", "
        "\"compressor\": null, \"fill_value\": 9, \"order\": \"C\", \"filters\": null}");
    assert_vv_ok(vv_store_set(*state, "s/0", vvi_bytes(big, 2), &err));
    assert_vv_ok(vv_array_open(*state, "s", &array, &err));
    assert_vv_ok(vv_array_read(array, start, count, NULL, &one, sizeof(one), &err));
    assert_int_equal(one, 1);
    vv_array_free(array);
}

typedef struct seen {
    char text[400];
} seen;

static vv_status see(void *ctx, const char *path, vv_node_kind kind, uint32_t depth,
                     vv_error *err)
{
    seen *self = ctx;
    size_t len = strlen(self->text);

    (void)err;
    snprintf(self->text + len, sizeof(self->text) - len, "%u%c%s ", depth,
             kind == VV_NODE_ARRAY ? 'a' : 'g', path);
    return VV_OK;
}

#define ZARRAY                                                                         \
    "{\"zarr_format\": 2, \"shape\": [2, 3], \"chunks\": [2, 3], \"dtype\": \"<i2\", " \
    "\"compressor\": null, \"fill_value\": 0, \"order\": \"C\", \"filters\": null}"

static void nodes_of_version_2_are_nodes(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_node_kind kind;
    vv_array *array = NULL;
    vv_buf text = VV_BUF_INIT;
    seen nodes = { "" };

    put(*state, ".zgroup", "{\"zarr_format\": 2}");
    put(*state, ".zattrs", "{\"title\": \"old\"}");
    put(*state, "g/.zgroup", "{\"zarr_format\": 2}");
    put(*state, "g/t/.zarray", ZARRAY);
    put(*state, "g/t/.zattrs",
        "{\"units\": \"K\", \"_ARRAY_DIMENSIONS\": [\"lat\", \"lon\"], \"n\": NaN}");
    put(*state, "g/t/0.0", "123456123456");
    put(*state, "odd/.zarray", "{\"zarr_format\": 2, \"dtype\": \"|O\"}");
    put(*state, "lost/x/.zarray", ZARRAY); /* no group leads there */
    /* Both: version 3 counts. */
    put(*state, "both/.zarray", ZARRAY);
    put(*state, "both/zarr.json", "{\"zarr_format\": 3, \"node_type\": \"group\"}");
    assert_vv_ok(vv_node_kind_of(*state, "", &kind, &err));
    assert_int_equal(kind, VV_NODE_GROUP);
    assert_vv_ok(vv_node_kind_of(*state, "g/t", &kind, &err));
    assert_int_equal(kind, VV_NODE_ARRAY);
    assert_vv_ok(vv_node_kind_of(*state, "odd", &kind, &err));
    assert_int_equal(kind, VV_NODE_ARRAY);
    assert_vv_ok(vv_node_kind_of(*state, "none", &kind, &err));
    assert_int_equal(kind, VV_NODE_NONE);
    assert_vv_ok(vv_node_walk(*state, "", true, see, &nodes, &err));
    assert_string_equal(nodes.text, "0g 1gboth 1gg 2ag/t 1aodd ");
    assert_vv_ok(vv_node_attributes(*state, "", &text, &err));
    assert_string_equal((char *)text.data, "{\"title\": \"old\"}");
    assert_vv_ok(vv_node_attributes(*state, "g", &text, &err));
    assert_string_equal((char *)text.data, "{}");
    assert_vv_ok(vv_node_attributes(*state, "g/t", &text, &err));
    assert_string_equal((char *)text.data,
                        "{\"units\": \"K\", \"n\": NaN, \"_FillValue\": 0}");
    assert_vv_ok(vv_array_open(*state, "g/t", &array, &err));
    assert_string_equal(vv_array_get_meta(array)->dimension_names[1], "lon");
    assert_string_equal(vv_array_get_meta(array)->attributes,
                        "{\"units\": \"K\", \"n\": NaN, \"_FillValue\": 0}");
    vv_array_free(array);
    vv_buf_clear(&text);
}

/* xarray takes it for the missing value in version 2, where it wrote the array, and in version 3
 * looks at the attribute alone. */
static void fill_values_of_xarray_are_told_by_an_attribute(void **state)
{
    static const struct {
        const char *dtype, *fill, *zattrs, *expected;
    } cases[] = {
        { "<i2", "-9999", "{\"_ARRAY_DIMENSIONS\": [\"x\"]}", "{\"_FillValue\": -9999}" },
        { ">u8", "18446744073709551615", "{\"_ARRAY_DIMENSIONS\": [\"x\"], \"a\": 1}",
          "{\"a\": 1, \"_FillValue\": 18446744073709551615}" },
        { "<f4", "-1.5", "{\"_ARRAY_DIMENSIONS\": [\"x\"]}",
          "{\"_FillValue\": \"AAAAAAAA+L8=\"}" },
        { ">f8", "\"NaN\"", "{\"_ARRAY_DIMENSIONS\": [\"x\"]}",
          "{\"_FillValue\": \"AAAAAAAA+H8=\"}" },
        /* What is said already stays; none is none; what xarray did not write is left. */
        { "<i2", "3", "{\"_ARRAY_DIMENSIONS\": [\"x\"], \"_FillValue\": 4}",
          "{\"_FillValue\": 4}" },
        { "<i2", "null", "{\"_ARRAY_DIMENSIONS\": [\"x\"]}", "{}" },
        { "<i2", "0", "{\"a\": 1}", "{\"a\": 1}" },
        { "|b1", "false", "{\"_ARRAY_DIMENSIONS\": [\"x\"]}", "{}" },
        { "<U3", "\"\"", "{\"_ARRAY_DIMENSIONS\": [\"x\"]}", "{}" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vv_error err = VV_ERROR_INIT;
        vv_array *array = NULL;
        vv_buf text = VV_BUF_INIT;
        char zarray[300];

        snprintf(
            zarray, sizeof(zarray),
            "{\"zarr_format\": 2, \"shape\": [2], \"chunks\": [2], \"dtype\": \"%s\", "
            "\"compressor\": null, \"fill_value\": %s, \"order\": \"C\", "
            "\"filters\": null}",
            cases[i].dtype, cases[i].fill);
        put(*state, "v/.zarray", zarray);
        put(*state, "v/.zattrs", cases[i].zattrs);
        assert_vv_ok(vv_array_open(*state, "v", &array, &err));
        assert_string_equal(vv_array_get_meta(array)->attributes, cases[i].expected);
        assert_vv_ok(vv_node_attributes(*state, "v", &text, &err));
        assert_string_equal((char *)text.data, cases[i].expected);
        vv_array_free(array);
        vv_buf_clear(&text);
    }
}

static void nodes_of_version_2_are_not_written(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_array_meta meta = VV_ARRAY_META_INIT;
    bool there = true;

    meta.dtype = VV_INT8;
    put(*state, ".zgroup", "{\"zarr_format\": 2}");
    put(*state, "t/.zarray", ZARRAY);
    assert_int_equal(vv_node_set_attributes(*state, "t", "{}", &err), VV_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "version 2"));
    assert_int_equal(vv_node_set_attributes(*state, "", "{}", &err), VV_EUNSUPPORTED);
    assert_int_equal(vv_group_create(*state, "new", NULL, false, &err), VV_EUNSUPPORTED);
    assert_int_equal(vv_array_create(*state, "a/b", &meta, true, NULL, &err),
                     VV_EUNSUPPORTED);
    assert_int_equal(vv_group_create(*state, "", NULL, false, &err), VV_EEXISTS);
    assert_vv_ok(vv_store_exists(*state, "zarr.json", &there, &err));
    assert_false(there);
    /* The whole of it is replaced where that is asked for. */
    assert_vv_ok(vv_group_create(*state, "", NULL, true, &err));
    assert_vv_ok(vv_store_exists(*state, ".zgroup", &there, &err));
    assert_false(there);
}

static void damaged_documents_are_named_by_their_keys(void **state)
{
    static const char *const cases[][2] = {
        { "x/.zarray", "{" },    { "x/.zarray", "[]" }, { "x/.zarray", "{}" },
        { "x/.zattrs", "{" },    { "x/.zattrs", "[]" }, { "x/.zgroup", "3" },
        { "x/.zgroup", "\xff" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vv_error err = VV_ERROR_INIT;
        vv_array *array = NULL;
        vv_buf text = VV_BUF_INIT;
        bool is_attributes = strstr(cases[i][0], "zattrs") != NULL;

        assert_vv_ok(vv_store_delete_prefix(*state, "x/", NULL, &err));
        if (is_attributes)
            put(*state, "x/.zarray", ZARRAY);
        put(*state, cases[i][0], cases[i][1]);
        assert_int_equal(vv_node_attributes(*state, "x", &text, &err), VV_ECORRUPT);
        assert_int_equal(vv_array_open(*state, "x", &array, &err), VV_ECORRUPT);
        assert_non_null(strstr(err.message, "x"));
    }
}

int main(void)
{
#define PROMISE(function_) cmocka_unit_test_setup_teardown(function_, setup, teardown)
    const struct CMUnitTest tests[] = {
        PROMISE(documents_are_read_as_version_3_says_them),
        PROMISE(filters_keep_their_order_around_the_bytes),
        PROMISE(what_has_no_place_in_version_3_is_refused_by_name),
        PROMISE(elements_lie_where_version_2_puts_them),
        PROMISE(nodes_of_version_2_are_nodes),
        PROMISE(fill_values_of_xarray_are_told_by_an_attribute),
        PROMISE(nodes_of_version_2_are_not_written),
        PROMISE(damaged_documents_are_named_by_their_keys),
    };
#undef PROMISE

    return cmocka_run_group_tests(tests, NULL, NULL);
}
