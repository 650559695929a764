/*
 * Classic netCDF files as they come to an import: what passes our check of the header goes through
 * libnetcdf as far as the first values of each variable.
 */
#include "fuzz.h"

#include "dataset/source.h"

#include <unistd.h>

static void read_some(vvi_source *source, const vvi_var *var)
{
    uint64_t start[VV_NDIM_MAX] = { 0 };
    uint64_t count[VV_NDIM_MAX];
    uint8_t out[4096];
    uint64_t bytes = vv_dtype_size(var->dtype);

    for (uint32_t i = 0; i < var->ndim; i++) {
        count[i] = var->shape[i] < 3 ? var->shape[i] : 3;
        bytes *= count[i];
    }
    if (!var->unsupported && bytes && bytes <= sizeof(out))
        vvi_source_read(source, var, start, count, out, (size_t)bytes, NULL);
}

/* One file for the whole run, in memory where that is possible. */
static const char *file_with(const uint8_t *data, size_t len)
{
    static char path[64];
    FILE *file;

    if (!path[0])
        snprintf(path, sizeof(path), "%s/varvite-fuzz-%ld.nc",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (long)getpid());
    file = fopen(path, "wb");
    CHECK(file && fwrite(data, 1, len, file) == len && fclose(file) == 0);
    return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    vvi_source *source = NULL;
    vv_error err = VV_ERROR_INIT;
    const char *path;

    /* HDF5 files are libhdf5's own business. */
    if (len < 4 || memcmp(data, "CDF", 3) != 0)
        return 0;
    path = file_with(data, len);
    if (vvi_netcdf_source_open(path, &source, &err) == VV_OK) {
        for (size_t i = 0; i < source->tree.groups[0].var_count; i++)
            read_some(source, &source->tree.groups[0].vars[i]);
        vvi_source_free(source);
    } else {
        CHECK(err.status != VV_OK && err.message[0]);
    }
    unlink(path);
    return 0;
}
