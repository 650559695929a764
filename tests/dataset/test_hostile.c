/* Truncated, foreign and hostile files: an error that names the file, and no crash. */
#define H5_USE_18_API
#include "dataset/files.h"

#include "dataset/source.h"

#include <hdf5.h>
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

/* Import into memory; the status, with the message in err. */
static vv_status import(const char *path, vv_error *err)
{
    vv_store *store = NULL;
    vv_status status = vv_memory_store_new(&store, err);

    if (!status)
        status = vv_dataset_import(path, store, "", NULL, NULL, err);
    vv_store_free(store);
    return status;
}

static void a_cut_file_is_corrupt_at_every_length(void **state)
{
    static const int modes[] = { 0, NC_64BIT_OFFSET, NC_64BIT_DATA };
    const char *whole = in(*state, "whole.nc");
    const char *cut = in(*state, "cut.nc");

    for (size_t m = 0; m < 3; m++) {
        size_t len;
        uint8_t *data;

        make_climate(whole, modes[m]);
        data = read_file(whole, &len);
        for (size_t n = 0; n + 4 <= len; n += n < 200 ? 1 : 97) {
            vv_error err = VV_ERROR_INIT;
            vv_status status;

            write_file(cut, data, n);
            status = import(cut, &err);
            if (status != VV_ECORRUPT && !(n < 4 && status == VV_EINVAL))
                fail_msg("mode %d cut at %zu of %zu: %s %s", modes[m], n, len,
                         vv_status_name(status), err.message);
            assert_non_null(strstr(err.message, "cut.nc"));
        }
        free(data);
    }
}

static void a_cut_netcdf4_file_is_corrupt(void **state)
{
    const char *whole = in(*state, "whole.nc");
    const char *cut = in(*state, "cut.nc");
    size_t len;
    uint8_t *data;

    make_groups(whole);
    data = read_file(whole, &len);
    for (size_t n = 8; n < len; n += len / 40) {
        vv_error err = VV_ERROR_INIT;

        write_file(cut, data, n);
        assert_int_equal(import(cut, &err), VV_ECORRUPT);
        assert_non_null(strstr(err.message, "cut.nc"));
    }
    free(data);
}

/* Headers with wrong bytes are refused or read as other numbers; nothing else happens. */
static void a_flipped_header_never_crashes(void **state)
{
    static const int modes[] = { 0, NC_64BIT_DATA };
    const char *path = in(*state, "in.nc");
    uint64_t seed = 11;

    for (size_t m = 0; m < 2; m++) {
        size_t refused = 0;
        size_t len;
        uint8_t *data;

        make_climate(path, modes[m]);
        data = read_file(path, &len);
        for (size_t round = 0; round < 400; round++) {
            size_t at = 4 + next_random(&seed) % 1500;
            uint8_t old = data[at];
            vv_error err = VV_ERROR_INIT;
            vvi_source *source = NULL;

            data[at] = (uint8_t)(round % 3 ? next_random(&seed) : 0xFF);
            write_file(path, data, len);
            if (vvi_source_open(path, &source, &err)) {
                refused++;
                assert_non_null(strstr(err.message, "in.nc"));
            }
            vvi_source_free(source);
            data[at] = old;
        }
        assert_true(refused > 40);
        free(data);
    }
}

static void foreign_files_are_named_for_what_they_are(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        vv_status status;
        const char *says;
    } cases[] = {
        { "", 0, VV_EINVAL, "empty" },
        { "\x1f\x8b\x08\x00", 4, VV_EINVAL, "gzip" },
        { "GRIB....", 8, VV_EINVAL, "GRIB" },
        { "\x0e\x03\x13\x01....", 8, VV_EINVAL, "HDF4" },
        { "PK\x03\x04", 4, VV_EINVAL, "zip" },
        { "<!DOCTYPE html>", 15, VV_EINVAL, "web page" },
        { "lon,lat\n1,2\n", 12, VV_EINVAL, "no netCDF or HDF5 file" },
        { "CDF\x07....", 8, VV_EINVAL, "no netCDF" },
        { "CDF\x01", 4, VV_ECORRUPT, "cut short" },
        { "CDF\x01\xFF\xFF\xFF\xFF", 8, VV_ECORRUPT, "never written" },
        { "\x89HDF\r\n\x1a\n", 8, VV_ECORRUPT, "cannot be opened" },
    };
    const char *path = in(*state, "file.nc");
    vv_error err = VV_ERROR_INIT;

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        vv_status status;

        write_file(path, cases[i].bytes, cases[i].len);
        status = import(path, &err);
        if (status != cases[i].status || !strstr(err.message, cases[i].says) ||
            !strstr(err.message, "file.nc"))
            fail_msg("case %zu: %s %s", i, vv_status_name(status), err.message);
    }
    assert_int_equal(import(*state, &err), VV_EINVAL);
    assert_non_null(strstr(err.message, "zarr.json"));
    assert_int_equal(import("/dev/null", &err), VV_EINVAL);
    assert_int_equal(import("http://127.0.0.1:9/x.nc", &err), VV_ENOTFOUND);
}

/* libhdf5 does not survive every damaged file; a probe does, and says so. */
static void a_probe_survives_what_libhdf5_does_not(void **state)
{
    const char *path = in(*state, "in.nc");
    size_t refused = 0;
    uint64_t seed = 5;
    vv_error err = VV_ERROR_INIT;
    size_t len;
    uint8_t *data;

    make_groups(path);
    assert_vv_ok(vv_dataset_probe(path, &err));
    data = read_file(path, &len);
    for (size_t round = 0; round < 300; round++) {
        uint8_t copy[4];
        size_t at = next_random(&seed) % (len - 4);
        vv_status status;

        memcpy(copy, data + at, 4);
        for (size_t i = 0; i < 4; i++)
            data[at + i] = (uint8_t)next_random(&seed);
        write_file(path, data, len);
        status = vv_dataset_probe(path, &err);
        refused += status != VV_OK;
        if (status)
            assert_non_null(strstr(err.message, "in.nc"));
        memcpy(data + at, copy, 4);
    }
    free(data);
    assert_true(refused > 30);
    assert_int_equal(vv_dataset_probe(in(*state, "missing.nc"), &err), VV_ENOTFOUND);
    write_file(path, "CDF\1", 4);
    assert_int_equal(vv_dataset_probe(path, &err), VV_ECORRUPT);
}

static hid_t new_hdf5(const char *path)
{
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);

    assert_true(file >= 0);
    return file;
}

static void hdf5_cycles_and_foreign_files_are_refused(void **state)
{
    const char *path = in(*state, "file.h5");
    vv_error err = VV_ERROR_INIT;
    hid_t file = new_hdf5(path);
    hid_t group = H5Gcreate2(file, "a", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space, plist, set;
    hsize_t size = 8;

    assert_true(H5Lcreate_hard(file, "/", group, "up", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    H5Gclose(group);
    H5Fclose(file);
    assert_int_equal(import(path, &err), VV_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "'/a/up' is also group '/'"));

    file = new_hdf5(path);
    H5Lcreate_soft("/", file, "self", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    assert_int_equal(import(path, &err), VV_EUNSUPPORTED);

    file = new_hdf5(path);
    H5Lcreate_soft("/nowhere", file, "gone", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    assert_int_equal(import(path, &err), VV_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "'/gone' leads nowhere"));

    file = new_hdf5(path);
    H5Lcreate_external("other.h5", "/", file, "out", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    assert_int_equal(import(path, &err), VV_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "another file"));

    file = new_hdf5(path);
    space = H5Screate_simple(1, &size, NULL);
    plist = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(plist, "/etc/hostname", 0, 8);
    set = H5Dcreate2(file, "host", H5T_NATIVE_UCHAR, space, H5P_DEFAULT, plist,
                     H5P_DEFAULT);
    H5Dclose(set);
    H5Pclose(plist);
    H5Sclose(space);
    H5Fclose(file);
    assert_int_equal(import(path, &err), VV_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "host has values that lie in another file"));
}

static void plain_hdf5_files_are_read(void **state)
{
    const char *path = in(*state, "file.h5");
    vv_error err = VV_ERROR_INIT;
    hid_t file = new_hdf5(path);
    hsize_t shape[2] = { 3, 4 };
    hid_t space = H5Screate_simple(2, shape, NULL);
    hid_t group = H5Gcreate2(file, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    hid_t set = H5Dcreate2(group, "d", H5T_IEEE_F64BE, space, H5P_DEFAULT, H5P_DEFAULT,
                           H5P_DEFAULT);
    hid_t text = H5Tcopy(H5T_C_S1);
    hid_t one = H5Screate(H5S_SCALAR);
    double values[12];
    vv_store *store;
    hid_t pair;

    for (int i = 0; i < 12; i++)
        values[i] = i / 3.0;
    H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    H5Dclose(set);
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    H5Gclose(group);
    H5Fclose(file);
    store = imported(path, NULL);
    assert_same(path, store);
    vv_store_free(store);

    /* What libnetcdf leaves out is still refused by name. */
    file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    pair = H5Tcreate(H5T_COMPOUND, 16);
    H5Tinsert(pair, "r", 0, H5T_NATIVE_DOUBLE);
    H5Tinsert(pair, "i", 8, H5T_NATIVE_DOUBLE);
    set = H5Dcreate2(file, "wave", pair, one, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dclose(set);
    H5Tclose(pair);
    H5Fclose(file);
    H5Sclose(one);
    H5Sclose(space);
    H5Tclose(text);
    assert_int_equal(import(path, &err), VV_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "wave has a compound type"));
}

static void damaged_zarr_directories_are_refused(void **state)
{
    const char *zarr = in(*state, "a.zarr");
    vv_error err = VV_ERROR_INIT;
    char command[900];
    vv_store *store;

    make_climate(in(*state, "in.nc"), 0);
    store = imported(in(*state, "in.nc"), NULL);
    assert_vv_ok(vv_dataset_export(store, "", zarr, NULL, NULL, &err));
    vv_store_free(store);
    snprintf(command, sizeof(command),
             "head -c 100 '%s/tas/zarr.json' > '%s/x' && mv '%s/x' "
             "'%s/tas/zarr.json'",
             zarr, zarr, zarr, zarr);
    assert_int_equal(system(command), 0);
    assert_int_equal(import(zarr, &err), VV_ECORRUPT);
    assert_non_null(strstr(err.message, "tas"));
    snprintf(command, sizeof(command),
             "cd '%s' && rm -rf a.zarr && mkdir a.zarr && "
             "echo '{\"zarr_format\": 2' > a.zarr/.zgroup",
             (const char *)*state);
    assert_int_equal(system(command), 0);
    assert_int_equal(import(zarr, &err), VV_ECORRUPT);
    assert_non_null(strstr(err.message, ".zgroup"));
}

int main(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_cut_file_is_corrupt_at_every_length, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_cut_netcdf4_file_is_corrupt, setup, teardown),
        cmocka_unit_test_setup_teardown(a_flipped_header_never_crashes, setup, teardown),
        cmocka_unit_test_setup_teardown(foreign_files_are_named_for_what_they_are, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_probe_survives_what_libhdf5_does_not, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(hdf5_cycles_and_foreign_files_are_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(plain_hdf5_files_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_zarr_directories_are_refused, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("dataset/hostile", tests, NULL, NULL);
}
