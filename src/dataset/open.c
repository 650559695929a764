/* Whatever a path turns out to be. */
#include "dataset/source.h"

#include "util/alloc.h"
#include "util/file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static vv_status look_in(const char *directory, const char *name, bool *found,
                         vv_error *err)
{
    char *path = vvi_path_join(directory, name);
    struct stat st;

    if (!path)
        return vvi_fail_nomem(err, strlen(directory));
    *found = stat(path, &st) == 0;
    vvi_free(path);
    return VV_OK;
}

/* Documents of Zarr version 3, and of 2. */
vv_status vvi_has_document(const char *path, bool *found, vv_error *err)
{
    static const char *const names[] = { "zarr.json", ".zgroup", ".zarray" };

    *found = false;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names) && !*found; i++)
        VVI_TRY(look_in(path, names[i], found, err));
    return VV_OK;
}

static vv_status open_directory(const char *path, vvi_source **out, vv_error *err)
{
    vv_store *store = NULL;
    bool found;
    vv_status status;

    VVI_TRY(vvi_has_document(path, &found, err));
    if (!found)
        return vvi_fail(err, VV_EINVAL,
                        "%s: a directory without zarr.json, .zgroup or .zarray: no Zarr "
                        "data set",
                        path);
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
