/* Export to netCDF-4 and to Zarr directories. */
#include "dataset/files.h"

#include <stdio.h>
#include <unistd.h>

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

/* What ncdump prints of a file, without its first line, which has the name; NULL: no ncdump. */
static char *dump(const char *path)
{
    char command[800];
    char *text = calloc(1, 1 << 20);
    size_t len;
    FILE *pipe;

    assert_non_null(text);
    snprintf(command, sizeof(command), "ncdump '%s' 2>&1 | tail -n +2", path);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    len = fread(text, 1, (1 << 20) - 1, pipe);
    pclose(pipe);
    if (len < 20 || !strstr(text, "variables:")) {
        free(text);
        return NULL;
    }
    return text;
}

/* Import, export as netCDF-4, and see that it is the same to varvite and to ncdump. */
static void check_netcdf(const char *directory, const char *source, uint32_t deflate)
{
    vv_export_options options = VV_EXPORT_OPTIONS_INIT;
    const char *target = in(directory, "out.nc");
    vv_import_options chunked = VV_IMPORT_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_import_result result;
    vv_store *store;
    char *before;
    char *after;

    chunked.memory_bytes = 1 << 20;
    chunked.text_as_bytes = true;
    options.overwrite = true;
    options.deflate_level = deflate;
    options.memory_bytes = 4096; /* many slabs */
    store = imported(source, &chunked);
    assert_vv_ok(vv_dataset_export(store, "", target, &options, &result, &err));
    assert_true(result.stored_bytes > 0);
    assert_same(target, store);
    vv_store_free(store);
    before = dump(source);
    after = dump(target);
    assert_true(!before == !after);
    if (before && after)
        assert_string_equal(before, after);
    free(before);
    free(after);
}

static void netcdf_export_equals_the_source(void **state)
{
    static const int modes[] = { 0, NC_64BIT_OFFSET, NC_64BIT_DATA, NC_NETCDF4 };

    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        make_climate(in(*state, "in.nc"), modes[i]);
        check_netcdf(*state, in(*state, "in.nc"), 0);
        make_types(in(*state, "in.nc"), modes[i]);
        check_netcdf(*state, in(*state, "in.nc"), (uint32_t)i);
        make_stations(in(*state, "in.nc"), modes[i]);
        check_netcdf(*state, in(*state, "in.nc"), 0);
    }
    make_groups(in(*state, "in.nc"));
    check_netcdf(*state, in(*state, "in.nc"), 0);
    check_netcdf(*state, in(*state, "in.nc"), 9);
}

static void zarr_export_is_read_back_and_imports_again(void **state)
{
    const char *source = in(*state, "in.nc");
    const char *target = in(*state, "out.zarr");
    vv_import_options options = VV_IMPORT_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_import_result result;
    vv_store *store;
    vv_store *again;

    make_climate(source, NC_NETCDF4);
    options.chunks = "time=2,lat=5";
    store = imported(source, &options);
    assert_vv_ok(vv_dataset_export(store, "", target, NULL, &result, &err));
    assert_int_equal(result.arrays, 6);
    assert_same(target, store);
    /* The directory is a source like any other: as it is, and with other chunks. */
    again = imported(target, NULL);
    assert_same(source, again);
    vv_store_free(again);
    options.chunks = "time=all,lat=1";
    options.codecs = "gzip:1";
    again = imported(target, &options);
    assert_same(source, again);
    assert_same(target, again);
    vv_store_free(again);
    vv_store_free(store);
}

static void a_group_is_exported_alone(void **state)
{
    const char *source = in(*state, "in.nc");
    const char *zarr = in(*state, "sub.zarr");
    const char *netcdf = in(*state, "sub.nc");
    vv_error err = VV_ERROR_INIT;
    uint64_t differences;
    vv_store *store;

    make_groups(source);
    store = imported(source, NULL);
    assert_vv_ok(vv_dataset_export(store, "sub", zarr, NULL, NULL, &err));
    assert_vv_ok(vv_dataset_compare(zarr, store, "sub", NULL, print_difference, NULL,
                                    &differences, NULL, &err));
    assert_int_equal(differences, 0);
    assert_vv_ok(vv_dataset_export(store, "/sub/", netcdf, NULL, NULL, &err));
    assert_vv_ok(vv_dataset_compare(netcdf, store, "sub", NULL, print_difference, NULL,
                                    &differences, NULL, &err));
    assert_int_equal(differences, 0);
    assert_int_equal(
        vv_dataset_export(store, "nosuch", in(*state, "x.zarr"), NULL, NULL, &err),
        VV_ENOTFOUND);
    vv_store_free(store);
}

static void a_target_is_replaced_only_when_asked_and_only_if_it_is_one(void **state)
{
    const char *source = in(*state, "in.nc");
    const char *home = in(*state, "home");
    const char *zarr = in(*state, "out.zarr");
    const char *netcdf = in(*state, "out.nc");
    vv_export_options options = VV_EXPORT_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    char command[700];
    vv_store *store;
    size_t len;

    make_climate(source, 0);
    store = imported(source, NULL);
    snprintf(command, sizeof(command), "mkdir '%s' && echo precious > '%s/letter'", home,
             home);
    assert_int_equal(system(command), 0);
    options.overwrite = true;
    assert_int_equal(vv_dataset_export(store, "", home, &options, NULL, &err),
                     VV_EEXISTS);
    free(read_file(in(home, "letter"), &len));
    assert_vv_ok(vv_dataset_export(store, "", zarr, NULL, NULL, &err));
    assert_vv_ok(vv_dataset_export(store, "", netcdf, NULL, NULL, &err));
    assert_int_equal(vv_dataset_export(store, "", zarr, NULL, NULL, &err), VV_EEXISTS);
    assert_non_null(strstr(err.message, "out.zarr"));
    assert_int_equal(vv_dataset_export(store, "", netcdf, NULL, NULL, &err), VV_EEXISTS);
    assert_vv_ok(vv_dataset_export(store, "", zarr, &options, NULL, &err));
    assert_vv_ok(vv_dataset_export(store, "", netcdf, &options, NULL, &err));
    assert_same(zarr, store);
    assert_same(netcdf, store);
    vv_store_free(store);
    snprintf(command, sizeof(command), "test -z \"$(ls -d '%s'/*.partial* 2>/dev/null)\"",
             (const char *)*state);
    assert_int_equal(system(command), 0);
}

static vv_status stop(void *ctx, const vv_progress *progress)
{
    (void)ctx;
    (void)progress;
    return VV_ECANCELED;
}

static void a_stopped_export_leaves_nothing_behind(void **state)
{
    const char *source = in(*state, "in.nc");
    vv_export_options options = VV_EXPORT_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    char command[700];
    vv_store *store;

    make_climate(source, 0);
    store = imported(source, NULL);
    options.progress = stop;
    assert_int_equal(
        vv_dataset_export(store, "", in(*state, "a.nc"), &options, NULL, &err),
        VV_ECANCELED);
    assert_int_equal(
        vv_dataset_export(store, "", in(*state, "a.zarr"), &options, NULL, &err),
        VV_ECANCELED);
    vv_store_free(store);
    snprintf(command, sizeof(command), "test \"$(ls '%s')\" = in.nc",
             (const char *)*state);
    assert_int_equal(system(command), 0);
}

static void what_a_killed_export_left_becomes_no_part_of_the_next(void **state)
{
    const char *source = in(*state, "in.nc");
    const char *zarr = in(*state, "a.zarr");
    const char *netcdf = in(*state, "a.nc");
    vv_error err = VV_ERROR_INIT;
    vv_store *store;

    make_climate(source, 0);
    store = imported(source, NULL);
    /* Names that a process of this number comes to. */
    for (int i = -1; i < 60; i++) {
        char command[1400];
        char tail[32] = "";

        if (i >= 0)
            snprintf(tail, sizeof(tail), "-%d", i);
        snprintf(
            command, sizeof(command),
            "mkdir -p '%s.partial-%ld%s/tas' && echo old > '%s.partial-%ld%s/tas/old' && "
            "echo old > '%s.partial-%ld%s'",
            zarr, (long)getpid(), tail, zarr, (long)getpid(), tail, netcdf,
            (long)getpid(), tail);
        assert_int_equal(system(command), 0);
    }
    assert_vv_ok(vv_dataset_export(store, "", zarr, NULL, NULL, &err));
    assert_vv_ok(vv_dataset_export(store, "", netcdf, NULL, NULL, &err));
    assert_int_equal(access(in(zarr, "tas/zarr.json"), F_OK), 0);
    assert_int_not_equal(access(in(zarr, "tas/old"), F_OK), 0);
    assert_same(zarr, store);
    assert_same(netcdf, store);
    vv_store_free(store);
}

static vv_status make_target(void *ctx, const vv_progress *progress)
{
    char command[700];

    (void)progress;
    snprintf(command, sizeof(command),
             "case '%s' in *.nc) echo mine > '%s';; *) mkdir -p '%s'; echo mine > "
             "'%s/letter';; esac",
             (char *)ctx, (char *)ctx, (char *)ctx, (char *)ctx);
    assert_int_equal(system(command), 0);
    return VV_OK;
}

static void a_target_that_comes_to_be_meanwhile_is_not_replaced(void **state)
{
    const char *source = in(*state, "in.nc");
    char *zarr = strdup(in(*state, "a.zarr"));
    char *netcdf = strdup(in(*state, "a.nc"));
    vv_export_options options = VV_EXPORT_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_store *store;

    make_climate(source, 0);
    store = imported(source, NULL);
    options.progress = make_target;
    for (int overwrite = 0; overwrite < 2; overwrite++) {
        options.overwrite = overwrite;
        options.ctx = zarr;
        assert_int_equal(vv_dataset_export(store, "", zarr, &options, NULL, &err),
                         VV_EEXISTS);
        assert_non_null(strstr(err.message, "a.zarr"));
        free(read_file(in(zarr, "letter"), NULL));
    }
    options.overwrite = false;
    options.ctx = netcdf;
    assert_int_equal(vv_dataset_export(store, "", netcdf, &options, NULL, &err),
                     VV_EEXISTS);
    free(read_file(netcdf, NULL));
    vv_store_free(store);
    free(netcdf);
    free(zarr);
}

/* An array that no netCDF file made. */
static vv_store *native(vv_dtype dtype, const char *const *names, const char *attributes)
{
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;
    vv_array *array = NULL;

    assert_vv_ok(vv_memory_store_new(&store, &err));
    assert_vv_ok(vv_group_create(store, "", NULL, false, &err));
    meta.dtype = dtype;
    meta.ndim = 2;
    meta.shape = (const uint64_t[]){ 3, 4 };
    meta.chunk_shape = (const uint64_t[]){ 2, 2 };
    meta.dimension_names = names;
    meta.attributes = attributes;
    assert_vv_ok(vv_array_create(store, "v", &meta, false, &array, &err));
    vv_array_free(array);
    return store;
}

static void arrays_without_a_layout_go_to_netcdf_and_back(void **state)
{
    const char *netcdf = in(*state, "out.nc");
    const char *zarr = in(*state, "out.zarr");
    vv_store *store = native(VV_FLOAT32, NULL,
                             "{\"_FillValue\": \"AAAAAAAA+H8=\", \"n\": 1, \"s\": \"K\","
                             " \"x\": [0.5, 2.0]}");
    vv_error err = VV_ERROR_INIT;
    uint64_t differences = 0;

    assert_vv_ok(vv_dataset_export(store, "", netcdf, NULL, NULL, &err));
    assert_vv_ok(vv_dataset_export(store, "", zarr, NULL, NULL, &err));
    assert_same(zarr, store);
    vv_store_free(store);
    /* The dimensions were named by their lengths. */
    store = native(VV_FLOAT32, (const char *const[]){ "dim_3", "dim_4" },
                   "{\"_FillValue\": \"AAAAAAAA+H8=\", \"n\": 1, \"s\": \"K\","
                   " \"x\": [0.5, 2.0]}");
    assert_vv_ok(vv_dataset_compare(netcdf, store, "", NULL, print_difference, NULL,
                                    &differences, NULL, &err));
    assert_int_equal(differences, 0);
    vv_store_free(store);
}

static void what_netcdf_cannot_hold_is_refused_by_name(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_store *store = native(VV_COMPLEX64, NULL, NULL);

    assert_int_equal(vv_dataset_export(store, "", in(*state, "a.nc"), NULL, NULL, &err),
                     VV_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "'v'"));
    assert_non_null(strstr(err.message, "complex64"));
    assert_vv_ok(vv_dataset_export(store, "", in(*state, "a.zarr"), NULL, NULL, &err));
    vv_store_free(store);
    store = native(VV_INT16, (const char *const[]){ "x", "x" }, NULL);
    assert_int_equal(vv_dataset_export(store, "", in(*state, "a.nc"), NULL, NULL, &err),
                     VV_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "dimension 'x'"));
    vv_store_free(store);
    assert_int_not_equal(access(in(*state, "a.nc"), F_OK), 0);
}

static void add(vv_store *store, const char *path, vv_dtype dtype, const char *dim,
                uint64_t length, const char *attributes)
{
    const char *dims[] = { dim };
    vv_array_meta meta = VV_ARRAY_META_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;

    meta.dtype = dtype;
    meta.ndim = 1;
    meta.shape = &length;
    meta.chunk_shape = &length;
    meta.dimension_names = dims;
    meta.attributes = attributes;
    assert_vv_ok(vv_array_create(store, path, &meta, false, &array, &err));
    vv_array_free(array);
}

static void chosen_arrays_are_exported_with_what_they_refer_to(void **state)
{
    static const char *const names[] = { "sub/y", "w" }, *const none[] = { "nothing" };
    vv_export_options options = VV_EXPORT_OPTIONS_INIT;
    vv_import_result result = { 0 };
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;
    vv_store *chosen = NULL;
    uint64_t differences = 1;

    assert_vv_ok(vv_memory_store_new(&store, &err));
    assert_vv_ok(vv_memory_store_new(&chosen, &err));
    for (int i = 0; i < 2; i++) {
        vv_store *to = i ? chosen : store;

        assert_vv_ok(vv_group_create(to, "", NULL, false, &err));
        assert_vv_ok(vv_group_create(to, "sub", "{\"k\": 1}", false, &err));
        add(to, "t", VV_FLOAT64, "t", 3, NULL);
        add(to, "w", VV_INT16, "w", 4, NULL);
        add(to, "sub/y", VV_INT16, "t", 3, "{\"coordinates\": \"aux\"}");
        add(to, "sub/aux", VV_UINT8, "t", 3, NULL);
    }
    add(store, "z", VV_COMPLEX64, "only", 5, NULL);
    add(store, "other", VV_INT8, "t", 3, NULL);
    assert_vv_ok(vv_group_create(store, "gone", NULL, false, &err));
    add(store, "gone/z2", VV_COMPLEX128, "only2", 2, NULL);
    assert_int_equal(vv_dataset_export(store, "", in(*state, "a.nc"), NULL, NULL, &err),
                     VV_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "array 'z'"));
    assert_non_null(strstr(err.message, "array 'gone/z2'"));
    options.variables = none;
    options.variable_count = 1;
    assert_int_equal(
        vv_dataset_export(store, "", in(*state, "a.nc"), &options, NULL, &err),
        VV_EINVAL);
    assert_non_null(strstr(err.message, "nothing"));
    options.variables = names;
    options.variable_count = 2;
    assert_int_equal(
        vv_dataset_export(store, "", in(*state, "a.zarr"), &options, NULL, &err),
        VV_EINVAL);
    assert_vv_ok(
        vv_dataset_export(store, "", in(*state, "a.nc"), &options, &result, &err));
    assert_int_equal(result.arrays, 4);
    assert_int_equal(result.groups, 2);
    /* Neither more nor less, dimensions with them. */
    assert_vv_ok(vv_dataset_compare(in(*state, "a.nc"), chosen, "", NULL,
                                    print_difference, NULL, &differences, NULL, &err));
    assert_int_equal(differences, 0);
    vv_store_free(store);
    vv_store_free(chosen);
}

static vv_status import_and_export(void *ctx)
{
    vv_export_options options = VV_EXPORT_OPTIONS_INIT;
    vv_store *store = NULL;
    vv_status status = vv_memory_store_new(&store, NULL);

    options.overwrite = true;
    if (!status)
        status = vv_dataset_import(in(ctx, "in.nc"), store, "", NULL, NULL, NULL);
    if (!status)
        status = vv_dataset_export(store, "", in(ctx, "out.nc"), &options, NULL, NULL);
    if (!status)
        status = vv_dataset_export(store, "", in(ctx, "out.zarr"), &options, NULL, NULL);
    vv_store_free(store);
    return status;
}

static void survives_any_failing_allocation(void **state)
{
    int ncid, dim, var;

    assert_nc(nc_create(in(*state, "in.nc"), NC_NETCDF4, &ncid));
    assert_nc(nc_def_dim(ncid, "x", 3, &dim));
    assert_nc(nc_def_var(ncid, "v", NC_SHORT, 1, &dim, &var));
    assert_nc(nc_put_att_short(ncid, var, "a", NC_SHORT, 1, &(short){ 3 }));
    assert_nc(nc_close(ncid));
    survives_failing_allocations(import_and_export, *state);
}

static void a_key_that_no_directory_has_is_unsupported(void **state)
{
    const char *path = in(*state, "climate.nc");
    const char *zarr = in(*state, "out.zarr");
    vv_error err = VV_ERROR_INIT;
    vv_store *store;

    make_climate(path, 0);
    store = imported(path, NULL);
    assert_vv_ok(vv_store_set(store, "tas/../x", vv_bytes_of("out of here"), &err));
    assert_int_equal(vv_dataset_export(store, "", zarr, NULL, NULL, &err),
                     VV_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "tas/../x"));
    vv_store_free(store);
}

/* names (station: 5, part: 2) and one string alone. */
static void make_strings(const char *path)
{
    const char *names[10] = {
        "Brest", "",  "D\xc3\xbcsseldorf", "x", "", "", "a much longer name of a place",
        "7",     "8", "\xff is no UTF-8"
    };
    const char *alone = "alone";
    const size_t chunks[2] = { 2, 2 };
    int ncid, dims[2], var, one;

    assert_nc(nc_create(path, NC_NETCDF4 | NC_CLOBBER, &ncid));
    assert_nc(nc_def_dim(ncid, "station", NC_UNLIMITED, &dims[0]));
    assert_nc(nc_def_dim(ncid, "part", 2, &dims[1]));
    assert_nc(nc_def_var(ncid, "names", NC_STRING, 2, dims, &var));
    assert_nc(nc_def_var_chunking(ncid, var, NC_CHUNKED, chunks));
    assert_nc(nc_def_var(ncid, "alone", NC_STRING, 0, NULL, &one));
    assert_nc(nc_put_att_text(ncid, var, "long_name", 5, "names"));
    assert_nc(nc_enddef(ncid));
    assert_nc(
        nc_put_vara_string(ncid, var, (size_t[]){ 0, 0 }, (size_t[]){ 5, 2 }, names));
    assert_nc(nc_put_var_string(ncid, one, &alone));
    assert_nc(nc_close(ncid));
}

static vv_status import_strings(void *ctx)
{
    vv_import_options options = VV_IMPORT_OPTIONS_INIT;
    vv_store *store = NULL;
    vv_status status = vv_memory_store_new(&store, NULL);

    options.chunks = "station=3";
    options.threads = 1;
    if (!status)
        status = vv_dataset_import(ctx, store, "", &options, NULL, NULL);
    vv_store_free(store);
    return status;
}

static void strings_come_in_and_go_out(void **state)
{
    char path[300];
    char back[300];
    vv_import_options options = VV_IMPORT_OPTIONS_INIT;
    vv_varlen items = VV_VARLEN_INIT;
    uint64_t start[2] = { 0, 0 };
    uint64_t count[2] = { 5, 2 };
    vv_error err = VV_ERROR_INIT;
    vv_array *array = NULL;
    uint64_t differences = 1;
    vv_store *store;

    strcpy(path, in(*state, "strings.nc"));
    strcpy(back, in(*state, "back.nc"));
    make_strings(path);
    options.chunks = "station=3";
    store = imported(path, &options);
    assert_same(path, store);
    assert_vv_ok(vv_array_open(store, "names", &array, &err));
    assert_int_equal(vv_array_get_meta(array)->dtype, VV_STRING);
    assert_vv_ok(vv_array_read_varlen(array, start, count, NULL, &items, &err));
    assert_int_equal(items.items[0].len, 5);
    assert_memory_equal(items.items[0].data, "Brest", 5);
    assert_int_equal(items.items[1].len, 0);
    assert_memory_equal(items.items[9].data, "\xef\xbf\xbd is", 6); /* put right */
    vv_varlen_clear(&items);
    vv_array_free(array);
    assert_vv_ok(vv_dataset_export(store, "", back, NULL, NULL, &err));
    assert_vv_ok(vv_dataset_compare(back, store, "", NULL, print_difference, NULL,
                                    &differences, NULL, &err));
    assert_int_equal(differences, 0);
    /* One string less: it is found. */
    assert_vv_ok(vv_array_open(store, "names", &array, &err));
    assert_vv_ok(vv_array_write_varlen(array, (uint64_t[]){ 3, 0 }, (uint64_t[]){ 1, 1 },
                                       (vv_bytes[]){ { NULL, 0 } }, 1, &err));
    vv_array_free(array);
    assert_vv_ok(
        vv_dataset_compare(path, store, "", NULL, NULL, NULL, &differences, NULL, &err));
    assert_int_equal(differences, 1);
    vv_store_free(store);
    survives_failing_allocations(import_strings, path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(strings_come_in_and_go_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_that_no_directory_has_is_unsupported, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(netcdf_export_equals_the_source, setup, teardown),
        cmocka_unit_test_setup_teardown(zarr_export_is_read_back_and_imports_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_group_is_exported_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_target_is_replaced_only_when_asked_and_only_if_it_is_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stopped_export_leaves_nothing_behind, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            what_a_killed_export_left_becomes_no_part_of_the_next, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_target_that_comes_to_be_meanwhile_is_not_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(arrays_without_a_layout_go_to_netcdf_and_back,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_netcdf_cannot_hold_is_refused_by_name, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            chosen_arrays_are_exported_with_what_they_refer_to, setup, teardown),
        cmocka_unit_test_setup_teardown(survives_any_failing_allocation, setup, teardown),
    };
    return cmocka_run_group_tests_name("dataset/export", tests, NULL, NULL);
}
