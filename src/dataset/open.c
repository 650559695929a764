/* Whatever a path turns out to be. */
#include "dataset/source.h"

#include "util/alloc.h"
#include "util/file.h"

#include <errno.h>
#include <sys/stat.h>

static bool exists_in(const char *directory, const char *name)
{
    char *path = vvi_path_join(directory, name);
    struct stat st;
    bool found = path && stat(path, &st) == 0;

    vvi_free(path);
    return found;
}

static vv_status open_directory(const char *path, vvi_source **out, vv_error *err)
{
    vv_store *store = NULL;
    vv_status status;

    if (!exists_in(path, "zarr.json")) {
        if (exists_in(path, ".zgroup") || exists_in(path, ".zarray"))
            return vvi_fail(err, VV_EUNSUPPORTED,
                            "%s: Zarr version 2; this build reads version 3", path);
        return vvi_fail(err, VV_EINVAL,
                        "%s: a directory without zarr.json: no Zarr v3 data set", path);
    }
    status = vv_directory_store_open(path, true, &store, err);
    if (!status)
        status = vvi_zarr_source_open(store, "", path, out, err);
    vv_store_free(store);
    return status;
}

vv_status vvi_source_open(const char *path, vvi_source **out, vv_error *err)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return vvi_fail_errno(err, errno, "%s", path);
    if (S_ISDIR(st.st_mode))
        return open_directory(path, out, err);
    return vvi_netcdf_source_open(path, out, err);
}
