/* Import and export: nothing half-made under the target's name, what was in the store stays. */
#include "faults.h"

#include <netcdf.h>
#include <unistd.h>

#define NC_OK(expr_) assert_int_equal((expr_), NC_NOERR)

/* A small file with a coordinate, attributes and a fill value. */
static void write_netcdf(const char *path)
{
    float values[24], fill = -1e34f;
    double times[4] = { 0, 1, 2, 3 };
    int file, dims[2], time_var, var;

    for (int i = 0; i < 24; i++)
        values[i] = i == 5 ? fill : (float)i * 0.5f;
    NC_OK(nc_create(path, NC_CLOBBER, &file));
    NC_OK(nc_def_dim(file, "time", 4, &dims[0]));
    NC_OK(nc_def_dim(file, "lat", 6, &dims[1]));
    NC_OK(nc_def_var(file, "time", NC_DOUBLE, 1, dims, &time_var));
    NC_OK(nc_put_att_text(file, time_var, "units", 16, "days since 2000-"));
    NC_OK(nc_def_var(file, "tas", NC_FLOAT, 2, dims, &var));
    NC_OK(nc_put_att_float(file, var, "_FillValue", NC_FLOAT, 1, &fill));
    NC_OK(nc_put_att_text(file, NC_GLOBAL, "title", 4, "test"));
    NC_OK(nc_enddef(file));
    NC_OK(nc_put_var_double(file, time_var, times));
    NC_OK(nc_put_var_float(file, var, values));
    NC_OK(nc_close(file));
}

static void prepare_source(world *w)
{
    vv_error err = VV_ERROR_INIT;

    write_netcdf(path_in(w, "source.nc"));
    assert_vv_ok(vv_memory_blockstore_new(&w->blocks, &err));
    assert_vv_ok(vv_hamt_store_open(w->blocks, NULL, NULL, &w->store, &err));
    assert_vv_ok(vv_store_set(w->store, "kept", block_of(1), &err));
}

static vv_status import_file(world *w, vv_error *err)
{
    vv_status status = vv_dataset_import(path_in(w, "source.nc"), w->store, "data", NULL,
                                         NULL, err);

    if (status == VV_OK)
        status = vv_store_commit(w->store, &w->after, err);
    if (status == VV_OK)
        w->acked = 1;
    return status;
}

static void assert_equal_to_source(world *w, vv_store *store, const char *path)
{
    uint64_t differences = 1, values = 0;
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_dataset_compare(path_in(w, "source.nc"), store, path, NULL, NULL,
                                    NULL, &differences, &values, &err));
    assert_int_equal(differences, 0);
    assert_true(values >= 28);
}

static void check_import(world *w)
{
    vv_error err = VV_ERROR_INIT;
    bool there = false;

    assert_vv_ok(vv_store_exists(w->store, "kept", &there, &err));
    assert_true(there);
    if (w->acked)
        assert_equal_to_source(w, w->store, "data");
}

static void prepare_imported(world *w)
{
    vv_error err = VV_ERROR_INIT;

    prepare_source(w);
    assert_vv_ok(import_file(w, &err));
}

static vv_status export_zarr(world *w, vv_error *err)
{
    return vv_dataset_export(w->store, "data", path_in(w, "out.zarr"), NULL, NULL, err);
}

static vv_status export_netcdf(world *w, vv_error *err)
{
    return vv_dataset_export(w->store, "data", path_in(w, "out.nc"), NULL, NULL, err);
}

/* Whole, or not there. */
static void check_export(world *w)
{
    vv_error err = VV_ERROR_INIT;
    uint64_t differences = 1;

    if (access(path_in(w, "out.zarr"), F_OK) == 0) {
        vv_store *out = NULL;

        assert_vv_ok(vv_directory_store_open(path_in(w, "out.zarr"), true, &out, &err));
        assert_equal_to_source(w, out, "");
        vv_store_free(out);
    }
    if (access(path_in(w, "out.nc"), F_OK) == 0) {
        assert_vv_ok(vv_dataset_compare(path_in(w, "out.nc"), w->store, "data", NULL,
                                        NULL, NULL, &differences, NULL, &err));
        assert_int_equal(differences, 0);
    }
    assert_equal_to_source(w, w->store, "data");
}

const scenario scenarios_dataset[] = {
    { "dataset: import a netCDF file", false, prepare_source, import_file, check_import },
    { "dataset: export a Zarr directory", true, prepare_imported, export_zarr,
      check_export },
    { "dataset: export a netCDF file", true, prepare_imported, export_netcdf,
      check_export },
    { NULL, false, NULL, NULL, NULL },
};
