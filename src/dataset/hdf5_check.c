#define H5_USE_18_API
#include "dataset/netcdf.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <hdf5.h>
#include <string.h>

#define DEPTH_MAX 64 /* groups within groups; libnetcdf recurses on them */
#define LINKS_MAX 1000000

typedef struct walk {
    hid_t file;
    haddr_t *seen; /* addresses of groups */
    char **paths;  /* of the same groups; those from next on are still to be walked */
    size_t count, seen_cap, paths_cap, next;
    size_t links;
    const char *path; /* of the group being walked */
    vvi_hdf5_items *unsupported;
    vv_status status; /* of the callback that ended an iteration */
    vv_error *err;
} walk;

void vvi_hdf5_items_clear(vvi_hdf5_items *items)
{
    for (size_t i = 0; i < items->count; i++)
        vvi_free(items->items[i].path);
    vvi_free(items->items);
    *items = (vvi_hdf5_items){ NULL, 0, 0 };
}

static vv_status add_item(vvi_hdf5_items *items, const char *path, const char *reason,
                          vv_error *err)
{
    VVI_TRY(vvi_grow((void **)&items->items, &items->cap, items->count + 1,
                     sizeof(*items->items), err));
    items->items[items->count].path = vvi_strdup(path);
    items->items[items->count].reason = reason;
    if (!items->items[items->count].path)
        return vvi_fail_nomem(err, strlen(path) + 1);
    items->count++;
    return VV_OK;
}

static size_t depth_of(const char *path)
{
    size_t depth = path[0] ? 1 : 0;

    for (; *path; path++)
        depth += *path == '/';
    return depth;
}

static vv_status add_group(walk *self, const char *path, haddr_t address)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->seen[i] == address)
            return vvi_fail(
                self->err, VV_EUNSUPPORTED,
                "group '/%s' is also group '/%s': a tree with two ways to one group "
                "is no data set",
                path, self->paths[i]);
    if (self->count >= VVI_GROUPS_MAX)
        return vvi_fail(self->err, VV_ELIMIT, "more than %d groups", VVI_GROUPS_MAX);
    if (depth_of(path) > DEPTH_MAX)
        return vvi_fail(self->err, VV_ELIMIT, "groups nested deeper than %d", DEPTH_MAX);
    VVI_TRY(vvi_grow((void **)&self->seen, &self->seen_cap, self->count + 1,
                     sizeof(*self->seen), self->err));
    VVI_TRY(vvi_grow((void **)&self->paths, &self->paths_cap, self->count + 1,
                     sizeof(*self->paths), self->err));
    self->seen[self->count] = address;
    self->paths[self->count] = vvi_strdup(path);
    if (!self->paths[self->count])
        return vvi_fail_nomem(self->err, strlen(path) + 1);
    self->count++;
    return VV_OK;
}

static const char *type_reason(hid_t dataset)
{
    hid_t type = H5Dget_type(dataset);
    H5T_class_t class = type < 0 ? H5T_NO_CLASS : H5Tget_class(type);
    size_t size = type < 0 ? 0 : H5Tget_size(type);
    bool variable = class == H5T_STRING && H5Tis_variable_str(type) > 0;

    if (type >= 0)
        H5Tclose(type);
    switch (class) {
    case H5T_INTEGER:
        return size == 1 || size == 2 || size == 4 || size == 8 ? NULL
                                                                : "an unusual integer";
    case H5T_FLOAT:
        return size == 4 || size == 8 ? NULL : "a float of neither 4 nor 8 bytes";
    case H5T_STRING:
        return variable || size == 1 ? NULL : "HDF5 strings of a fixed length";
    case H5T_COMPOUND:
        return "a compound type";
    case H5T_ENUM:
        return "an enumeration";
    case H5T_VLEN:
        return "a variable-length type";
    case H5T_OPAQUE:
        return "an opaque type";
    case H5T_REFERENCE:
        return "a reference type";
    case H5T_ARRAY:
        return "an array type";
    default:
        return "a type of its own";
    }
}

/* Does a virtual data set take its values from this file alone? */
static bool virtual_within(hid_t plist)
{
    size_t n = 0;

    if (H5Pget_virtual_count(plist, &n) < 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        char name[8] = "";

        if (H5Pget_virtual_filename(plist, i, name, sizeof(name)) < 0 ||
            strcmp(name, ".") != 0)
            return false;
    }
    return true;
}

static const char *place_reason(hid_t dataset)
{
    hid_t plist = H5Dget_create_plist(dataset);
    hid_t space = H5Dget_space(dataset);
    const char *reason = NULL;

    if (plist < 0 || space < 0)
        reason = "a description that cannot be read";
    else if (H5Sget_simple_extent_type(space) == H5S_NULL)
        reason = "no value (a null data space)";
    else if (H5Pget_layout(plist) != H5D_VIRTUAL && H5Pget_external_count(plist) > 0)
        reason = "values that lie in another file";
    else if (H5Pget_layout(plist) == H5D_VIRTUAL && !virtual_within(plist))
        reason = "values that lie in other files";
    if (space >= 0)
        H5Sclose(space);
    if (plist >= 0)
        H5Pclose(plist);
    return reason;
}

static vv_status check_dataset(walk *self, hid_t group, const char *name,
                               const char *path)
{
    hid_t dataset = H5Dopen2(group, name, H5P_DEFAULT);
    const char *reason;

    if (dataset < 0)
        return vvi_fail(self->err, VV_ECORRUPT,
                        "data set '/%s' cannot be opened: damaged", path);
    reason = place_reason(dataset);
    if (!reason)
        reason = type_reason(dataset);
    H5Dclose(dataset);
    return reason ? add_item(self->unsupported, path, reason, self->err) : VV_OK;
}

static vv_status check_link(walk *self, hid_t group, const char *name,
                            const H5L_info_t *link, const char *path)
{
    H5O_info_t object;

    if (++self->links > LINKS_MAX)
        return vvi_fail(self->err, VV_ELIMIT, "more than %d links", LINKS_MAX);
    if (link->type != H5L_TYPE_HARD && link->type != H5L_TYPE_SOFT)
        return vvi_fail(self->err, VV_EUNSUPPORTED, "link '/%s' leads to another file",
                        path);
    if (H5Oget_info_by_name(group, name, &object, H5P_DEFAULT) < 0)
        return vvi_fail(self->err,
                        link->type == H5L_TYPE_SOFT ? VV_EUNSUPPORTED : VV_ECORRUPT,
                        "link '/%s' leads nowhere%s", path,
                        link->type == H5L_TYPE_SOFT ? "" : ": the file is damaged");
    if (object.type == H5O_TYPE_GROUP)
        return add_group(self, path, object.addr);
    if (object.type == H5O_TYPE_DATASET)
        return check_dataset(self, group, name, path);
    return VV_OK;
}

static herr_t on_link(hid_t group, const char *name, const H5L_info_t *link, void *ctx)
{
    walk *self = ctx;
    vv_buf path = VV_BUF_INIT;

    self->status = vvi_join(self->path, name, &path, self->err);
    if (!self->status)
        self->status = check_link(self, group, name, link, (const char *)path.data);
    vv_buf_clear(&path);
    return self->status ? 1 : 0;
}

static vv_status walk_group(walk *self, const char *path)
{
    hid_t group = H5Gopen2(self->file, path[0] ? path : "/", H5P_DEFAULT);
    herr_t result;

    if (group < 0)
        return vvi_fail(self->err, VV_ECORRUPT, "group '/%s' cannot be opened: damaged",
                        path);
    self->path = path;
    result = H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, on_link, self);
    H5Gclose(group);
    if (result < 0)
        return vvi_fail(self->err, VV_ECORRUPT, "group '/%s' cannot be listed: damaged",
                        path);
    return self->status;
}

vv_status vvi_hdf5_check(const char *path, vvi_hdf5_items *unsupported, vv_error *err)
{
    walk self = { .unsupported = unsupported, .err = err };
    H5O_info_t root;
    vv_status status = VV_OK;

    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    self.file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (self.file < 0)
        return vvi_fail(
            err, VV_ECORRUPT,
            "the HDF5 file cannot be opened: it is cut short, damaged, or of a newer "
            "version than this build's HDF5 reads");
    if (H5Oget_info(self.file, &root) < 0)
        status = vvi_fail(err, VV_ECORRUPT, "the root group of the HDF5 file is damaged");
    if (!status)
        status = add_group(&self, "", root.addr);
    while (!status && self.next < self.count)
        status = walk_group(&self, self.paths[self.next++]);
    for (size_t i = 0; i < self.count; i++)
        vvi_free(self.paths[i]);
    vvi_free(self.paths);
    vvi_free(self.seen);
    H5Fclose(self.file);
    return status;
}
