/* Import, and comparison with what was imported. */
#include "dataset/files.h"

#include <varvite/store_backend.h>

#include <stdio.h>

static int setup(void **state)
{
    *state = make_directory();
    return 0;
}

static int teardown(void **state)
{
    remove_directory(*state);
    return 0;
}

/* Every format that libnetcdf writes. */
static const struct {
    const char *name;
    int mode;
} formats[] = {
    { "classic.nc", 0 },
    { "offset64.nc", NC_64BIT_OFFSET },
    { "cdf5.nc", NC_64BIT_DATA },
    { "netcdf4.nc", NC_NETCDF4 },
    { "model.nc", NC_NETCDF4 | NC_CLASSIC_MODEL },
};
#define FORMAT_COUNT (sizeof(formats) / sizeof(*formats))

static void every_format_and_type_comes_back_bit_for_bit(void **state)
{
    static const char *const chunks[] = { NULL, "x=2,z=2", "x=1,y=1,z=4", "z=all" };

    for (size_t f = 0; f < FORMAT_COUNT; f++) {
        const char *path = in(*state, formats[f].name);

        if (formats[f].mode & NC_CLASSIC_MODEL)
            continue;
        make_types(path, formats[f].mode);
        for (size_t c = 0; c < sizeof(chunks) / sizeof(*chunks); c++) {
            vv_import_options options = VV_IMPORT_OPTIONS_INIT;
            vv_store *store;

            options.chunks = chunks[c];
            options.codecs = c % 2 ? "none" : NULL;
            store = imported(path, &options);
            assert_same(path, store);
            vv_store_free(store);
        }
    }
}

static void records_fill_values_packing_and_attributes_come_back(void **state)
{
    for (size_t f = 0; f < FORMAT_COUNT; f++) {
        const char *path = in(*state, formats[f].name);
        int mode = formats[f].mode;
        vv_import_options options = VV_IMPORT_OPTIONS_INIT;
        vv_store *store;

        if (mode & NC_CLASSIC_MODEL)
            continue; /* has classic types only, which make_climate() knows by the mode */
        make_climate(path, mode);
        options.chunks = "time=2,lat=4";
        store = imported(path, &options);
        assert_same(path, store);
        vv_store_free(store);
    }
}

static void groups_dimensions_of_parents_and_strings_come_back(void **state)
{
    const char *path = in(*state, "groups.nc");
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;
    vv_store *store;

    make_groups(path);
    store = imported(path, NULL);
    assert_same(path, store);
    assert_vv_ok(vv_array_open(store, "sub/deflated", &array, &err));
    assert_string_equal(vv_array_get_meta(array)->dimension_names[0], "x");
    assert_string_equal(vv_array_get_meta(array)->dimension_names[1], "y");
    vv_array_free(array);
    vv_store_free(store);
}

static void below_a_path_and_twice_into_one_store(void **state)
{
    const char *path = in(*state, "groups.nc");
    vv_import_options options = VV_IMPORT_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;
    uint64_t differences;

    make_groups(path);
    assert_vv_ok(vv_memory_store_new(&store, &err));
    assert_vv_ok(vv_dataset_import(path, store, "/a/b/", NULL, NULL, &err));
    assert_vv_ok(vv_dataset_import(path, store, "a/c", NULL, NULL, &err));
    assert_int_equal(vv_dataset_import(path, store, "a/c", NULL, NULL, &err), VV_EEXISTS);
    options.overwrite = true;
    assert_vv_ok(vv_dataset_import(path, store, "a/c", &options, NULL, &err));
    assert_vv_ok(vv_dataset_compare(path, store, "a/b", NULL, print_difference, NULL,
                                    &differences, NULL, &err));
    assert_int_equal(differences, 0);
    assert_vv_ok(vv_dataset_compare(path, store, "a/c", NULL, print_difference, NULL,
                                    &differences, NULL, &err));
    assert_int_equal(differences, 0);
    vv_store_free(store);
}

static void a_changed_value_and_attribute_are_found(void **state)
{
    const char *path = in(*state, "climate.nc");
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;
    char first[512] = "";
    uint64_t differences;
    uint64_t values;
    vv_store *store;

    make_climate(path, 0);
    store = imported(path, NULL);
    assert_vv_ok(vv_array_open(store, "tas", &array, &err));
    assert_vv_ok(vv_array_write(array, (const uint64_t[]){ 3, 2, 1 },
                                (const uint64_t[]){ 1, 1, 1 }, &(float){ 9999 }, 4,
                                &err));
    vv_array_free(array);
    assert_vv_ok(vv_dataset_compare(path, store, "", NULL, print_difference, first,
                                    &differences, &values, &err));
    assert_int_equal(differences, 1);
    assert_int_equal(values, 5 + 210 + 210 + 6 + 42 + 1);
    assert_non_null(strstr(first, "tas: 1 of 210 values, the first at [3,2,1]"));
    assert_non_null(strstr(first, "9999"));

    first[0] = '\0';
    assert_vv_ok(vv_node_set_attributes(store, "lat", "{\"units\": \"K\"}", &err));
    assert_vv_ok(vv_dataset_compare(path, store, "", NULL, print_difference, first,
                                    &differences, &values, &err));
    assert_int_equal(differences, 2);
    vv_store_free(store);
}

static void a_variable_brings_its_coordinates_along(void **state)
{
    static const char *const names[] = { "tas" };
    const char *path = in(*state, "climate.nc");
    vv_import_options options = VV_IMPORT_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_import_result result;
    vv_store *store = NULL;
    vv_node_kind kind;

    make_climate(path, 0);
    options.variables = names;
    options.variable_count = 1;
    assert_vv_ok(vv_memory_store_new(&store, &err));
    assert_vv_ok(vv_dataset_import(path, store, "", &options, &result, &err));
    assert_int_equal(result.arrays, 5); /* tas, time, lat, area, height */
    assert_vv_ok(vv_node_kind_of(store, "packed", &kind, &err));
    assert_int_equal(kind, VV_NODE_NONE);
    options.variables = (const char *const[]){ "nosuch" };
    assert_int_equal(vv_dataset_import(path, store, "", &options, &result, &err),
                     VV_EINVAL);
    assert_non_null(strstr(err.message, "no variable 'nosuch'"));
    assert_non_null(strstr(err.message, "packed"));
    vv_store_free(store);
}

static vv_status count_key(void *ctx, const char *key, vv_error *err)
{
    (void)key;
    (void)err;
    ++*(size_t *)ctx;
    return VV_OK;
}

static void what_zarr_cannot_hold_is_refused_by_name_before_writing(void **state)
{
    const char *path = in(*state, "text.nc");
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;
    size_t keys = 0;
    int ncid, dim, var, type;

    assert_nc(nc_create(path, NC_NETCDF4, &ncid));
    assert_nc(nc_def_dim(ncid, "n", 4, &dim));
    assert_nc(nc_def_var(ncid, "good", NC_INT, 1, &dim, &var));
    assert_nc(nc_def_var(ncid, "name", NC_CHAR, 1, &dim, &var));
    assert_nc(nc_def_var(ncid, "label", NC_STRING, 1, &dim, &var));
    assert_nc(nc_def_compound(ncid, 8, "pair_t", &type));
    assert_nc(nc_insert_compound(ncid, type, "a", 0, NC_INT));
    assert_nc(nc_def_var(ncid, "pair", type, 1, &dim, &var));
    assert_nc(nc_def_enum(ncid, NC_BYTE, "sky_t", &type));
    assert_nc(nc_insert_enum(ncid, type, "clear", &(signed char){ 0 }));
    assert_nc(nc_def_var(ncid, "sky", type, 1, &dim, &var));
    assert_nc(nc_def_var(ncid, "__odd", NC_INT, 1, &dim, &var));
    assert_nc(nc_close(ncid));
    assert_vv_ok(vv_memory_store_new(&store, &err));
    assert_int_equal(vv_dataset_import(path, store, "", NULL, NULL, &err),
                     VV_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "text.nc"));
    assert_null(strstr(err.message, "name has"));
    assert_null(strstr(err.message, "label has"));
    assert_non_null(strstr(err.message, "pair has a compound type"));
    assert_non_null(strstr(err.message, "sky has an enumeration"));
    assert_non_null(strstr(err.message, "__odd has a name"));
    assert_vv_ok(vv_store_list(store, "", count_key, &keys, &err));
    assert_int_equal(keys, 0);
    vv_store_free(store);
}

static void text_variables_come_as_bytes_when_asked(void **state)
{
    static const int modes[] = { 0, NC_NETCDF4 };
    const char *path = in(*state, "stations.nc");

    for (size_t i = 0; i < 2; i++) {
        vv_import_options options = VV_IMPORT_OPTIONS_INIT;
        vv_error err = VV_ERROR_INIT;
        vv_import_result result;
        vv_store *store = NULL;

        make_stations(path, modes[i]);
        assert_vv_ok(vv_memory_store_new(&store, &err));
        options.variables = (const char *const[]){ "height" };
        options.variable_count = 1;
        options.text_as_bytes = true;
        assert_vv_ok(vv_dataset_import(path, store, "b", &options, &result, &err));
        assert_int_equal(result.arrays, 3);
        vv_store_free(store);
        options.variable_count = 0;
        store = imported(path, &options);
        assert_same(path, store);
        vv_store_free(store);
    }
}

static void text_variables_become_strings_of_a_fixed_length(void **state)
{
    static const int modes[] = { 0, NC_NETCDF4 };
    const char *path = in(*state, "stations.nc");

    for (size_t i = 0; i < 2; i++) {
        vv_store *store;
        vv_error err = VV_ERROR_INIT;
        vv_array *array = NULL;
        const vv_array_meta *meta;
        uint64_t start = 0;
        uint64_t count = 3;
        char names[18];
        char one;

        make_stations(path, modes[i]);
        store = imported(path, NULL);
        assert_same(path, store);
        assert_vv_ok(vv_array_open(store, "name", &array, &err));
        meta = vv_array_get_meta(array);
        assert_int_equal(meta->dtype, VV_NULL_TERMINATED_BYTES);
        assert_int_equal(meta->item_size, 6);
        assert_int_equal(meta->ndim, 1);
        assert_string_equal(meta->dimension_names[0], "station");
        assert_memory_equal(meta->fill_value, "------", 6);
        assert_null(strstr(meta->attributes, "_FillValue"));
        assert_vv_ok(
            vv_array_read(array, &start, &count, NULL, names, sizeof(names), &err));
        assert_memory_equal(names, "Brest\0Dublin------", 18);
        vv_array_free(array);
        assert_vv_ok(vv_array_open(store, "crs", &array, &err));
        assert_int_equal(vv_array_get_meta(array)->ndim, 0);
        assert_vv_ok(vv_array_read(array, NULL, NULL, NULL, &one, 1, &err));
        assert_int_equal(one, 'x');
        vv_array_free(array);
        vv_store_free(store);
    }
}

static void shards_are_made_as_asked(void **state)
{
    const char *path = in(*state, "climate.nc");
    vv_import_options options = VV_IMPORT_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_store *store;
    vv_array *array = NULL;
    const vv_array_meta *meta;

    make_climate(path, NC_NETCDF4);
    options.chunks = "time=2";
    options.shards = "time=3";
    store = imported(path, &options);
    assert_same(path, store);
    assert_vv_ok(vv_array_open(store, "tas", &array, &err));
    meta = vv_array_get_meta(array);
    assert_non_null(meta->inner_chunk_shape);
    assert_int_equal(meta->inner_chunk_shape[0], 2);
    assert_int_equal(meta->chunk_shape[0], 4);
    vv_array_free(array);
    assert_vv_ok(vv_array_open(store, "time", &array, &err));
    assert_null(vv_array_get_meta(array)->inner_chunk_shape);
    vv_array_free(array);
    options.shards = "depth=3";
    assert_int_equal(vv_dataset_import(path, store, "x", &options, NULL, &err),
                     VV_EINVAL);
    assert_non_null(strstr(err.message, "shards: no variable has a dimension 'depth'"));
    vv_store_free(store);
}

static void bad_options_are_refused_before_writing(void **state)
{
    const char *path = in(*state, "climate.nc");
    vv_import_options options = VV_IMPORT_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;
    size_t keys = 0;

    make_climate(path, 0);
    assert_vv_ok(vv_memory_store_new(&store, &err));
    options.codecs = "zstandard:3";
    assert_int_not_equal(vv_dataset_import(path, store, "", &options, NULL, &err), VV_OK);
    options.codecs = NULL;
    options.chunks = "depth=3";
    assert_int_equal(vv_dataset_import(path, store, "", &options, NULL, &err), VV_EINVAL);
    assert_int_equal(
        vv_dataset_import(in(*state, "missing.nc"), store, "", NULL, NULL, &err),
        VV_ENOTFOUND);
    assert_non_null(strstr(err.message, "missing.nc"));
    assert_vv_ok(vv_store_list(store, "", count_key, &keys, &err));
    assert_int_equal(keys, 0);
    vv_store_free(store);
}

/* ---- stopping and going on -------------------------------------------------------------------- */

typedef struct stopper {
    int calls;
    int stop_at; /* -1: never */
    uint64_t last_bytes, total;
    int planned;
} stopper;

static vv_status on_progress(void *ctx, const vv_progress *progress)
{
    stopper *self = ctx;

    assert_true(progress->bytes_done >= self->last_bytes);
    assert_true(progress->bytes_done <= progress->bytes_total);
    self->last_bytes = progress->bytes_done;
    self->total = progress->bytes_total;
    return self->calls++ == self->stop_at ? VV_ECANCELED : VV_OK;
}

static void on_plan(void *ctx, const char *path, const vv_array_meta *meta)
{
    assert_true(path[0] != '\0');
    assert_true(meta->ndim <= 3);
    ((stopper *)ctx)->planned++;
}

static void progress_and_plan_are_told(void **state)
{
    const char *path = in(*state, "large.nc");
    vv_import_options options = VV_IMPORT_OPTIONS_INIT;
    stopper seen = { .stop_at = -1 };
    vv_store *store;

    make_large(path, 0, 12, false);
    options.progress = on_progress;
    options.planned = on_plan;
    options.ctx = &seen;
    store = imported(path, &options);
    assert_int_equal(seen.planned, 1);
    assert_true(seen.calls >= 1);
    assert_int_equal(seen.last_bytes, 12u << 20);
    assert_int_equal(seen.total, 12u << 20);
    vv_store_free(store);
}

static void a_stopped_import_keeps_its_chunks_and_goes_on_from_there(void **state)
{
    const char *path = in(*state, "large.nc");
    vv_import_options options = VV_IMPORT_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    stopper stop = { .stop_at = 0 };
    vv_import_result first;
    vv_import_result second;
    vv_store *store = NULL;

    make_large(path, NC_NETCDF4, 12, true);
    assert_vv_ok(vv_memory_store_new(&store, &err));
    options.progress = on_progress;
    options.ctx = &stop;
    options.memory_bytes = 6u << 20; /* so that there are several rounds */
    options.chunks = "t=1";
    assert_int_equal(vv_dataset_import(path, store, "", &options, &first, &err),
                     VV_ECANCELED);
    assert_true(first.chunks > 0 && first.chunks < 12);
    stop = (stopper){ .stop_at = -1 };
    options.skip_existing = true;
    assert_vv_ok(vv_dataset_import(path, store, "", &options, &second, &err));
    assert_int_equal(first.chunks + second.chunks, 12);
    assert_same(path, store);
    options.chunks = "t=2"; /* another array: nothing of the old one is taken */
    options.overwrite = true;
    stop = (stopper){ .stop_at = -1 };
    assert_vv_ok(vv_dataset_import(path, store, "", &options, &second, &err));
    assert_int_equal(second.chunks, 6);
    assert_same(path, store);
    vv_store_free(store);
}

static void an_import_is_never_taken_up_from_another_file(void **state)
{
    const char *path = in(*state, "large.nc");
    const char *other = in(*state, "other.nc");
    vv_import_options options = VV_IMPORT_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    stopper stop = { .stop_at = 0 };
    vv_import_result result;
    vv_store *store = NULL;
    bool there = false;

    make_large(path, NC_NETCDF4, 12, true);
    make_large(other, NC_NETCDF4, 12, true); /* the same but for when it was made */
    assert_vv_ok(vv_memory_store_new(&store, &err));
    options.progress = on_progress;
    options.ctx = &stop;
    options.memory_bytes = 6u << 20;
    options.chunks = "t=1";
    assert_int_equal(vv_dataset_import(path, store, "", &options, &result, &err),
                     VV_ECANCELED);
    assert_vv_ok(vv_store_exists(store, ".varvite-import", &there, &err));
    assert_true(there);
    options.skip_existing = true;
    options.progress = NULL;
    assert_int_equal(vv_dataset_import(other, store, "", &options, &result, &err),
                     VV_EEXISTS);
    assert_non_null(strstr(err.message, "other.nc"));
    assert_vv_ok(vv_dataset_import(path, store, "", &options, &result, &err));
    assert_true(result.chunks < 12);
    assert_same(path, store);
    assert_vv_ok(vv_store_exists(store, ".varvite-import", &there, &err));
    assert_false(there);
    /* Where no import was stopped, nothing counts as stored, and nothing is replaced unasked. */
    assert_int_equal(vv_dataset_import(other, store, "", &options, &result, &err),
                     VV_EEXISTS);
    options.overwrite = true;
    assert_vv_ok(vv_dataset_import(other, store, "", &options, &result, &err));
    assert_int_equal(result.chunks, 12);
    vv_store_free(store);
}

static void assert_attributes(vv_store *store, const char *path, const char *wanted)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf text = VV_BUF_INIT;

    assert_vv_ok(vv_node_attributes(store, path, &text, &err));
    assert_non_null(strstr((const char *)text.data, wanted));
    vv_buf_clear(&text);
}

/* From a netCDF file and from a Zarr directory, which take different ways in. */
static void what_is_there_is_neither_replaced_nor_forgotten(void **state)
{
    static const uint64_t shape[] = { 3 }, zero[] = { 0 };
    static const int32_t old[] = { 7, 8, 9 };
    const char *source = in(*state, "groups.nc");
    const char *zarr = in(*state, "groups.zarr");
    const char *const sources[] = { source, zarr };
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;

    make_groups(source);
    assert_vv_ok(vv_memory_store_new(&store, &err));
    assert_vv_ok(vv_group_create(store, "", "{\"from\": \"groups\"}", false, &err));
    assert_vv_ok(vv_dataset_import(source, store, "in", NULL, NULL, &err));
    assert_vv_ok(vv_node_set_attributes(store, "in", "{\"title\": \"new\", \"more\": 1}", &err));
    assert_vv_ok(vv_dataset_export(store, "in", zarr, NULL, NULL, &err));
    vv_store_free(store);
    for (size_t i = 0; i < 2; i++) {
        vv_import_options options = VV_IMPORT_OPTIONS_INIT;
        vv_array_meta meta = VV_ARRAY_META_INIT;
        vv_array *array = NULL;
        int32_t values[3] = { 0 };
        vv_buf before = VV_BUF_INIT;

        assert_vv_ok(vv_memory_store_new(&store, &err));
        /* A group with attributes of its own gets those of the source beside them. */
        assert_vv_ok(vv_group_create(store, "a", "{\"own\": \"kept\"}", false, &err));
        assert_vv_ok(vv_dataset_import(sources[i], store, "a", NULL, NULL, &err));
        assert_attributes(store, "a", "kept");
        assert_attributes(store, "a", i ? "more" : "_nc_layout");
        /* One that the source has too, with another value, is not replaced, and nothing is written. */
        assert_vv_ok(vv_group_create(store, "b",
                                     i ? "{\"title\": \"old\"}" : "{\"_nc_layout\": \"old\"}",
                                     false, &err));
        assert_int_equal(vv_dataset_import(sources[i], store, "b", NULL, NULL, &err), VV_EEXISTS);
        assert_non_null(strstr(err.message, i ? "title" : "_nc_layout"));
        assert_attributes(store, "b", "old");
        assert_vv_ok(vv_store_get(store, "b/zarr.json", VV_RANGE_ALL, &before, &err));
        vv_buf_clear(&before);
        assert_int_equal(vv_store_get(store, "b/sub/zarr.json", VV_RANGE_ALL, &before, &err),
                         VV_ENOTFOUND);
        /* An array of the name keeps its values, until it is to be replaced. */
        meta.dtype = VV_INT32;
        meta.ndim = 1;
        meta.shape = meta.chunk_shape = shape;
        assert_vv_ok(vv_array_create(store, "c/sub/deflated", &meta, false, &array, &err));
        assert_vv_ok(vv_array_write(array, zero, shape, old, sizeof(old), &err));
        assert_int_equal(vv_dataset_import(sources[i], store, "c", NULL, NULL, &err), VV_EEXISTS);
        assert_non_null(strstr(err.message, "c/sub/deflated"));
        assert_vv_ok(vv_array_read(array, zero, shape, NULL, values, sizeof(values), &err));
        assert_memory_equal(values, old, sizeof(old));
        vv_array_free(array);
        options.overwrite = true;
        assert_vv_ok(vv_dataset_import(sources[i], store, "c", &options, NULL, &err));
        assert_vv_ok(vv_dataset_import(sources[i], store, "b", &options, NULL, &err));
        vv_store_free(store);
    }
}

static vv_status stop_at_once(void *ctx, const vv_progress *progress)
{
    ++*(int *)ctx;
    assert_true(progress->bytes_done > 0 && progress->bytes_done < progress->bytes_total);
    return VV_ECANCELED;
}

static void a_comparison_can_be_stopped(void **state)
{
    const char *path = in(*state, "large.nc");
    vv_compare_options options = VV_COMPARE_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_store *store;
    int calls = 0;

    make_large(path, NC_NETCDF4, 12, true);
    store = imported(path, NULL);
    options.memory_bytes = 4u << 20;
    options.progress = stop_at_once;
    options.progress_ctx = &calls;
    assert_int_equal(
        vv_dataset_compare(path, store, "", &options, NULL, NULL, NULL, NULL, &err),
        VV_ECANCELED);
    assert_int_equal(calls, 1);
    vv_store_free(store);
}

/* A store whose n-th write fails. */
typedef struct failing_store {
    vv_store base;
    vv_store *inner;
    int left;
} failing_store;

static vv_store *inner_of(vv_store *self)
{
    return ((failing_store *)self)->inner;
}

static vv_status failing_set(vv_store *self, const char *key, vv_bytes value,
                             bool only_if_absent, vv_error *err)
{
    if (__atomic_fetch_sub(&((failing_store *)self)->left, 1, __ATOMIC_RELAXED) == 0) {
        if (err)
            snprintf(err->message, sizeof(err->message), "no space for %s", key);
        return VV_EIO;
    }
    return only_if_absent ? vv_store_set_if_absent(inner_of(self), key, value, err)
                          : vv_store_set(inner_of(self), key, value, err);
}

static vv_status failing_get(vv_store *self, const char *key, vv_range range, vv_buf *out,
                             vv_error *err)
{
    return vv_store_get(inner_of(self), key, range, out, err);
}

static vv_status failing_remove(vv_store *self, const char *key, vv_error *err)
{
    return vv_store_delete(inner_of(self), key, err);
}

static vv_status failing_exists(vv_store *self, const char *key, bool *out, vv_error *err)
{
    return vv_store_exists(inner_of(self), key, out, err);
}

static vv_status failing_size(vv_store *self, const char *key, uint64_t *out,
                              vv_error *err)
{
    return vv_store_size(inner_of(self), key, out, err);
}

static vv_status failing_list(vv_store *self, const char *prefix, vv_key_fn visit,
                              void *ctx, vv_error *err)
{
    return vv_store_list(inner_of(self), prefix, visit, ctx, err);
}

static void failing_free(vv_store *self)
{
    vv_store_free(inner_of(self));
    free(self);
}

static const vv_store_ops failing_ops = {
    .name = "failing",
    .get = failing_get,
    .set = failing_set,
    .remove = failing_remove,
    .exists = failing_exists,
    .size = failing_size,
    .list = failing_list,
    .free = failing_free,
};

static void any_write_may_fail_and_the_next_run_completes(void **state)
{
    const char *path = in(*state, "climate.nc");
    vv_import_options options = VV_IMPORT_OPTIONS_INIT;
    vv_status status = VV_EIO;
    int n;

    make_climate(path, NC_NETCDF4);
    options.chunks = "time=2";
    options.skip_existing = true;
    for (n = 0; status; n++) {
        failing_store *failing = calloc(1, sizeof(*failing));
        vv_error err = VV_ERROR_INIT;

        assert_non_null(failing);
        vv_store_base_init(&failing->base, &failing_ops, false);
        assert_vv_ok(vv_memory_store_new(&failing->inner, &err));
        failing->left = n;
        status = vv_dataset_import(path, &failing->base, "", &options, NULL, &err);
        if (status) {
            assert_int_equal(status, VV_EIO);
            assert_non_null(strstr(err.message, "no space for"));
            assert_vv_ok(
                vv_dataset_import(path, &failing->base, "", &options, NULL, &err));
        }
        assert_same(path, &failing->base);
        vv_store_free(&failing->base);
    }
    assert_true(n > 12); /* a group, six arrays and their chunks */
}

static vv_status import_and_compare(void *ctx)
{
    vv_import_options options = VV_IMPORT_OPTIONS_INIT;
    vv_store *store = NULL;
    uint64_t differences = 0;
    vv_status status = vv_memory_store_new(&store, NULL);

    options.threads = 1;
    options.chunks = "time=4";
    options.codecs = "none";
    if (!status)
        status = vv_dataset_import(ctx, store, "", &options, NULL, NULL);
    if (!status)
        status = vv_dataset_compare(ctx, store, "", NULL, NULL, NULL, &differences, NULL,
                                    NULL);
    vv_store_free(store);
    assert_int_equal(differences, 0);
    return status;
}

static void survives_any_failing_allocation(void **state)
{
    char *path = strdup(in(*state, "small.nc"));
    int ncid, dim, var;

    assert_nc(nc_create(path, NC_NETCDF4, &ncid));
    assert_nc(nc_def_dim(ncid, "time", 5, &dim));
    assert_nc(nc_def_var(ncid, "v", NC_FLOAT, 1, &dim, &var));
    assert_nc(nc_put_att_short(ncid, var, "a", NC_SHORT, 1, &(short){ 3 }));
    assert_nc(nc_put_att_float(ncid, var, "_FillValue", NC_FLOAT, 1, &(float){ -1 }));
    assert_nc(nc_put_var_float(ncid, var, (const float[]){ 1, 2, 3, 4, 5 }));
    assert_nc(nc_close(ncid));
    survives_failing_allocations(import_and_compare, path);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_format_and_type_comes_back_bit_for_bit,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            records_fill_values_packing_and_attributes_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(
            groups_dimensions_of_parents_and_strings_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(below_a_path_and_twice_into_one_store, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_there_is_neither_replaced_nor_forgotten,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_changed_value_and_attribute_are_found, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_variable_brings_its_coordinates_along, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            what_zarr_cannot_hold_is_refused_by_name_before_writing, setup, teardown),
        cmocka_unit_test_setup_teardown(text_variables_come_as_bytes_when_asked, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(text_variables_become_strings_of_a_fixed_length,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(shards_are_made_as_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(an_import_is_never_taken_up_from_another_file,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_comparison_can_be_stopped, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_options_are_refused_before_writing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(progress_and_plan_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_stopped_import_keeps_its_chunks_and_goes_on_from_there, setup, teardown),
        cmocka_unit_test_setup_teardown(any_write_may_fail_and_the_next_run_completes,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(survives_any_failing_allocation, setup, teardown),
    };
    return cmocka_run_group_tests_name("dataset/import", tests, NULL, NULL);
}
