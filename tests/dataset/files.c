#include "dataset/files.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>

const char *in(const char *directory, const char *name)
{
    static char buffers[6][600];
    static unsigned turn;
    char *out = buffers[turn++ % 6];

    snprintf(out, sizeof(buffers[0]), "%s/%s", directory, name);
    return out;
}

static void text(int ncid, int varid, const char *name, const char *value)
{
    assert_nc(nc_put_att_text(ncid, varid, name, strlen(value), value));
}

/* Attributes of each type that classic files have, and of the others in netCDF-4 and CDF-5. */
static void put_attributes(int ncid, int varid, bool wide)
{
    static const double doubles[] = { 1.5, -0.0, INFINITY, 1e300 };
    static const float floats[] = { 0.1f, NAN };
    static const signed char bytes[] = { -128, 0, 127 };
    static const short shorts[] = { -1, 2 };

    text(ncid, varid, "title", "Temp\xC3\xA9rature");
    text(ncid, varid, "latin1", "Temp\xE9rature");
    assert_nc(nc_put_att_text(ncid, varid, "empty", 0, ""));
    assert_nc(nc_put_att_text(ncid, varid, "with_zero", 4, "ab\0c"));
    assert_nc(nc_put_att_double(ncid, varid, "doubles", NC_DOUBLE, 4, doubles));
    assert_nc(nc_put_att_float(ncid, varid, "floats", NC_FLOAT, 2, floats));
    assert_nc(nc_put_att_float(ncid, varid, "one_float", NC_FLOAT, 1, floats));
    assert_nc(nc_put_att_schar(ncid, varid, "bytes", NC_BYTE, 3, bytes));
    assert_nc(nc_put_att_short(ncid, varid, "shorts", NC_SHORT, 2, shorts));
    assert_nc(nc_put_att_int(ncid, varid, "int", NC_INT, 1, &(int){ INT_MIN }));
    assert_nc(
        nc_put_att_double(ncid, varid, "whole_double", NC_DOUBLE, 1, &(double){ 3.0 }));
    if (wide) {
        static const unsigned long long huge[] = { 0, ULLONG_MAX };

        assert_nc(nc_put_att_ulonglong(ncid, varid, "uint64s", NC_UINT64, 2, huge));
        assert_nc(nc_put_att_longlong(ncid, varid, "int64", NC_INT64, 1,
                                      &(long long){ LLONG_MIN }));
        assert_nc(
            nc_put_att_uint(ncid, varid, "uint", NC_UINT, 1, &(unsigned){ UINT_MAX }));
        assert_nc(nc_put_att_ushort(ncid, varid, "ushort", NC_USHORT, 1,
                                    &(unsigned short){ 65535 }));
        assert_nc(
            nc_put_att_ubyte(ncid, varid, "ubyte", NC_UBYTE, 1, &(unsigned char){ 255 }));
    }
}

static void put_climate(int ncid, int temp, int packed, int time, int lat, int area)
{
    static float values[5 * 6 * 7];
    static short shorts[5 * 6 * 7];
    static double areas[6 * 7];
    static const double times[] = { 0, 31, 59, 90, 120 };
    static const float lats[] = { -75, -45, -15, 15, 45, 75 };
    const size_t zero[3] = { 0, 0, 0 };
    const size_t count[3] = { 5, 6, 7 };

    for (int i = 0; i < 5 * 6 * 7; i++) {
        values[i] = i % 11 == 0 ? -1e34f : (float)i / 7;
        shorts[i] = (short)(i % 13 == 0 ? -999 : i * 31);
    }
    for (int i = 0; i < 6 * 7; i++)
        areas[i] = i * 1e10;
    values[3] = NAN;
    assert_nc(nc_put_vara_float(ncid, temp, zero, count, values));
    assert_nc(nc_put_vara_short(ncid, packed, zero, count, shorts));
    assert_nc(nc_put_vara_double(ncid, time, zero, count, times));
    assert_nc(nc_put_var_float(ncid, lat, lats));
    assert_nc(nc_put_var_double(ncid, area, areas));
}

void make_climate(const char *path, int mode)
{
    bool wide = (mode & NC_NETCDF4) || (mode & NC_64BIT_DATA);
    int ncid, dims[3], temp, packed, time, lat, area, height;

    assert_nc(nc_create(path, mode | NC_CLOBBER, &ncid));
    assert_nc(nc_def_dim(ncid, "time", NC_UNLIMITED, &dims[0]));
    assert_nc(nc_def_dim(ncid, "lat", 6, &dims[1]));
    assert_nc(nc_def_dim(ncid, "lon", 7, &dims[2])); /* without a coordinate variable */
    assert_nc(nc_def_var(ncid, "time", NC_DOUBLE, 1, &dims[0], &time));
    text(ncid, time, "units", "days since 2001-01-01 00:00:00");
    text(ncid, time, "calendar", "noleap");
    assert_nc(nc_def_var(ncid, "tas", NC_FLOAT, 3, dims, &temp));
    assert_nc(
        nc_put_att_float(ncid, temp, "_FillValue", NC_FLOAT, 1, &(float){ -1e34f }));
    assert_nc(
        nc_put_att_float(ncid, temp, "missing_value", NC_FLOAT, 1, &(float){ -1e34f }));
    text(ncid, temp, "units", "K");
    text(ncid, temp, "coordinates", "area height");
    assert_nc(nc_def_var(ncid, "packed", NC_SHORT, 3, dims, &packed));
    assert_nc(
        nc_put_att_short(ncid, packed, "_FillValue", NC_SHORT, 1, &(short){ -999 }));
    assert_nc(
        nc_put_att_double(ncid, packed, "scale_factor", NC_DOUBLE, 1, &(double){ 0.01 }));
    assert_nc(
        nc_put_att_double(ncid, packed, "add_offset", NC_DOUBLE, 1, &(double){ 273.15 }));
    assert_nc(nc_def_var(ncid, "lat", NC_FLOAT, 1, &dims[1], &lat));
    text(ncid, lat, "units", "degrees_north");
    assert_nc(nc_def_var(ncid, "area", NC_DOUBLE, 2, &dims[1], &area));
    put_attributes(ncid, area, wide);
    assert_nc(nc_def_var(ncid, "height", NC_INT, 0, NULL, &height));
    put_attributes(ncid, NC_GLOBAL, wide);
    assert_nc(nc_enddef(ncid));
    put_climate(ncid, temp, packed, time, lat, area);
    assert_nc(nc_put_var_int(ncid, height, &(int){ 2 }));
    assert_nc(nc_close(ncid));
}

static void put_bytes(int ncid, int varid, nc_type type, size_t n)
{
    static const size_t sizes[] = {
        [NC_BYTE] = 1,  [NC_SHORT] = 2,  [NC_INT] = 4,  [NC_FLOAT] = 4, [NC_DOUBLE] = 8,
        [NC_UBYTE] = 1, [NC_USHORT] = 2, [NC_UINT] = 4, [NC_INT64] = 8, [NC_UINT64] = 8
    };
    uint8_t *data = malloc(n * sizes[type] + 1);
    uint64_t seed = (uint64_t)type;

    assert_non_null(data);
    for (size_t i = 0; i < n * sizes[type]; i++)
        data[i] = (uint8_t)(i < 16 ? (i < 8 ? 0x00 : 0xFF) : next_random(&seed));
    assert_nc(nc_put_var(ncid, varid, data));
    free(data);
}

void make_types(const char *path, int mode)
{
    static const nc_type types[] = { NC_BYTE,  NC_SHORT,  NC_INT,  NC_FLOAT, NC_DOUBLE,
                                     NC_UBYTE, NC_USHORT, NC_UINT, NC_INT64, NC_UINT64 };
    bool wide = (mode & NC_NETCDF4) || (mode & NC_64BIT_DATA);
    size_t n = wide ? 10 : 5;
    int ncid, dims[3], vars[20], none;

    assert_nc(nc_create(path, mode | NC_CLOBBER, &ncid));
    assert_nc(nc_def_dim(ncid, "x", 3, &dims[0]));
    assert_nc(nc_def_dim(ncid, "y", 1, &dims[1]));
    assert_nc(nc_def_dim(ncid, "z", 5, &dims[2]));
    for (size_t i = 0; i < n; i++) {
        char name[32];

        snprintf(name, sizeof(name), "box_%zu", i);
        assert_nc(nc_def_var(ncid, name, types[i], 3, dims, &vars[2 * i]));
        snprintf(name, sizeof(name), "point_%zu", i);
        assert_nc(nc_def_var(ncid, name, types[i], 0, NULL, &vars[2 * i + 1]));
    }
    assert_nc(nc_def_dim(ncid, "nothing", NC_UNLIMITED, &dims[0]));
    assert_nc(nc_def_var(ncid, "empty", NC_FLOAT, 2, dims, &none));
    assert_nc(nc_enddef(ncid));
    for (size_t i = 0; i < n; i++) {
        put_bytes(ncid, vars[2 * i], types[i], 15);
        put_bytes(ncid, vars[2 * i + 1], types[i], 1);
    }
    assert_nc(nc_close(ncid));
}

void make_groups(const char *path)
{
    const char *strings[] = { "one", "zwei", "\xC3\xA9" };
    const char *one[] = { "just one" };
    const size_t chunks[2] = { 4, 16 };
    int ncid, sub, deeper, dims[2], var, big;
    float values[10 * 40];
    int ints[10];

    for (int i = 0; i < 400; i++)
        values[i] = (float)i;
    for (int i = 0; i < 10; i++)
        ints[i] = i * 1000003;
    assert_nc(nc_create(path, NC_NETCDF4 | NC_CLOBBER, &ncid));
    assert_nc(nc_put_att_string(ncid, NC_GLOBAL, "strings", 3, strings));
    assert_nc(nc_put_att_string(ncid, NC_GLOBAL, "string", 1, one));
    assert_nc(nc_def_dim(ncid, "x", 10, &dims[0]));
    assert_nc(nc_def_dim(ncid, "unused", 3, &dims[1]));
    assert_nc(nc_def_grp(ncid, "sub", &sub));
    text(sub, NC_GLOBAL, "note", "inner");
    assert_nc(nc_def_dim(sub, "y", 40, &dims[1]));
    assert_nc(nc_def_var(sub, "deflated", NC_FLOAT, 2, dims, &var));
    assert_nc(nc_def_var_chunking(sub, var, NC_CHUNKED, chunks));
    assert_nc(nc_def_var_deflate(sub, var, 1, 1, 4));
    assert_nc(nc_def_grp(sub, "deeper", &deeper));
    assert_nc(nc_def_var(deeper, "big_endian", NC_INT, 1, dims, &big));
    assert_nc(nc_def_var_endian(deeper, big, NC_ENDIAN_BIG));
    assert_nc(nc_def_grp(ncid, "hollow", &sub));
    assert_nc(nc_enddef(ncid));
    assert_nc(nc_inq_grp_ncid(ncid, "sub", &sub));
    assert_nc(nc_put_var_float(sub, var, values));
    assert_nc(nc_put_var_int(deeper, big, ints));
    assert_nc(nc_close(ncid));
}

void make_stations(const char *path, int mode)
{
    int ncid, dims[2], name, crs, height;

    assert_nc(nc_create(path, mode | NC_CLOBBER, &ncid));
    assert_nc(nc_def_dim(ncid, "station", 3, &dims[0]));
    assert_nc(nc_def_dim(ncid, "length", 6, &dims[1]));
    assert_nc(nc_def_var(ncid, "name", NC_CHAR, 2, dims, &name));
    assert_nc(nc_put_att_text(ncid, name, "_FillValue", 1, "-"));
    text(ncid, name, "long_name", "station name");
    assert_nc(nc_def_var(ncid, "crs", NC_CHAR, 0, NULL, &crs));
    text(ncid, crs, "grid_mapping_name", "latitude_longitude");
    assert_nc(nc_def_var(ncid, "height", NC_FLOAT, 1, dims, &height));
    text(ncid, height, "grid_mapping", "crs");
    text(ncid, height, "coordinates", "name");
    assert_nc(nc_enddef(ncid));
    assert_nc(nc_put_var_text(ncid, name, "Brest\0Dublin------"));
    assert_nc(nc_put_var_text(ncid, crs, "x"));
    assert_nc(nc_put_var_float(ncid, height, (const float[]){ 1, 2, 3 }));
    assert_nc(nc_close(ncid));
}

void make_large(const char *path, int mode, size_t rows, bool deflated)
{
    const size_t chunks[3] = { 1, 512, 512 };
    float *row = malloc(512 * 512 * sizeof(*row));
    uint64_t seed = 7;
    int ncid, dims[3], var;

    assert_non_null(row);
    assert_nc(nc_create(path, mode | NC_CLOBBER, &ncid));
    assert_nc(nc_def_dim(ncid, "t", rows, &dims[0]));
    assert_nc(nc_def_dim(ncid, "y", 512, &dims[1]));
    assert_nc(nc_def_dim(ncid, "x", 512, &dims[2]));
    assert_nc(nc_def_var(ncid, "v", NC_FLOAT, 3, dims, &var));
    if (deflated) {
        assert_nc(nc_def_var_chunking(ncid, var, NC_CHUNKED, chunks));
        assert_nc(nc_def_var_deflate(ncid, var, 1, 1, 1));
    }
    assert_nc(nc_enddef(ncid));
    for (size_t t = 0; t < rows; t++) {
        const size_t start[3] = { t, 0, 0 };
        const size_t count[3] = { 1, 512, 512 };

        for (size_t i = 0; i < (size_t)512 * 512; i++)
            row[i] = (float)(next_random(&seed) >> 52);
        assert_nc(nc_put_vara_float(ncid, var, start, count, row));
    }
    assert_nc(nc_close(ncid));
    free(row);
}

vv_store *imported(const char *path, const vv_import_options *options)
{
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;

    assert_vv_ok(vv_memory_store_new(&store, &err));
    assert_vv_ok(vv_dataset_import(path, store, "", options, NULL, &err));
    return store;
}

vv_status print_difference(void *ctx, const vv_difference *difference)
{
    char *first = ctx;

    if (!first)
        print_message("difference: %s: %s\n", difference->path, difference->message);
    else if (!first[0])
        snprintf(first, 512, "%s: %s", difference->path, difference->message);
    return VV_OK;
}

void assert_same(const char *path, vv_store *store)
{
    vv_error err = VV_ERROR_INIT;
    uint64_t differences = 0;
    uint64_t values = 0;

    assert_vv_ok(vv_dataset_compare(path, store, "", NULL, print_difference, NULL,
                                    &differences, &values, &err));
    assert_int_equal(differences, 0);
}
