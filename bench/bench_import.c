/*
 * Memory while a file of 2 GiB is imported. The file is written first by a child of its own, so that
 * its memory does not count, as netCDF-3 with 64-bit offsets: one variable of random walks.
 */
#include "bench.h"

#include <inttypes.h>
#include <netcdf.h>
#include <sys/wait.h>
#include <unistd.h>

#define LAT 512u
#define LON 1024u

static void nc_ok(int status, const char *what)
{
    if (status == NC_NOERR)
        return;
    fprintf(stderr, "bench: %s: %s\n", what, nc_strerror(status));
    exit(1);
}

static void write_source(const char *path, size_t steps)
{
    float *field = calloc(LAT * LON, sizeof(*field));
    uint64_t state = 7;
    int file, dims[3], var;

    if (!field)
        exit(1);
    nc_ok(nc_create(path, NC_CLOBBER | NC_64BIT_OFFSET, &file), "create");
    nc_ok(nc_def_dim(file, "time", NC_UNLIMITED, &dims[0]), "time");
    nc_ok(nc_def_dim(file, "lat", LAT, &dims[1]), "lat");
    nc_ok(nc_def_dim(file, "lon", LON, &dims[2]), "lon");
    nc_ok(nc_def_var(file, "tas", NC_FLOAT, 3, dims, &var), "tas");
    nc_ok(nc_enddef(file), "enddef");
    for (size_t t = 0; t < steps; t++) {
        const size_t start[3] = { t, 0, 0 }, count[3] = { 1, LAT, LON };

        for (size_t i = 0; i < LAT * LON; i++)
            field[i] += (float)(bench_random(&state) >> 40) * 1e-7f;
        nc_ok(nc_put_vara_float(file, var, start, count, field), "write");
    }
    nc_ok(nc_close(file), "close");
    free(field);
}

static void write_source_in_child(const char *path, size_t steps)
{
    pid_t child = fork();
    int status = 1;

    if (child == 0) {
        write_source(path, steps);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        fprintf(stderr, "bench: cannot write %s\n", path);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    size_t steps = bench_size(1024, 64); /* 2 MiB a step */
    vv_local_options options = VV_LOCAL_OPTIONS_INIT;
    char *directory = bench_directory(), source[4200], target[4200];
    vv_blockstore *blocks = NULL;
    vv_store *store = NULL;
    vv_import_result result;
    bench_timer begin, passed;
    vv_cid root;

    bench_main(argc, argv);
    snprintf(source, sizeof(source), "%s/source.nc", directory);
    snprintf(target, sizeof(target), "%s/store", directory);
    write_source_in_child(source, steps);
    options.create = true;
    BENCH_OK(vv_local_open(target, &options, &blocks, &bench_error));
    BENCH_OK(vv_hamt_store_open(blocks, NULL, NULL, &store, &bench_error));
    begin = bench_begin();
    BENCH_OK(vv_dataset_import(source, store, "", NULL, &result, &bench_error));
    BENCH_OK(vv_store_commit(store, &root, &bench_error));
    passed = bench_end(&begin);
    bench_line("import/memory", 1, &passed,
               "\"bytes_per_item\":%" PRIu64 ",\"stored_bytes\":%" PRIu64
               ",\"peak_rss\":%" PRIu64,
               result.bytes, result.stored_bytes, bench_peak_rss());
    vv_store_free(store);
    vv_blockstore_free(blocks);
    bench_remove_directory(directory);
    return 0;
}
