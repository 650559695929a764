/* A netCDF-3, netCDF-4 or HDF5 file as a source. */
#include "dataset/netcdf.h"

#include "dataset/classic.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ATTRIBUTE_BYTES_MAX ((size_t)256 << 20)

typedef struct netcdf_source {
    vvi_source base;
    int ncid;
    bool open;
    char *
        *strings; /* of the last slab of text that was read; its elements point at them */
    size_t string_count;
} netcdf_source;

/* ---- scanning, with the lock held ----------------------------------------------------------- */

static vv_status type_of_its_own(int ncid, nc_type type, vvi_attr *attr, vv_error *err)
{
    char name[NC_MAX_NAME + 1] = "of its own";
    const char *names[] = { name };

    nc_inq_user_type(ncid, type, name, NULL, NULL, NULL, NULL);
    VVI_TRY(vvi_attr_set_strings(attr, names, 1, err));
    attr->kind = VVI_ATTR_OTHER;
    return VV_OK;
}

static vv_status read_strings(int ncid, int varid, const char *name, size_t count,
                              vvi_attr *attr, vv_error *err)
{
    char **strings = vvi_alloc_array_zero(count ? count : 1, sizeof(*strings));
    vv_status status = VV_OK;
    int code;

    if (!strings)
        return vvi_fail_nomem(err, count * sizeof(*strings));
    code = count ? nc_get_att_string(ncid, varid, name, strings) : NC_NOERR;
    if (code)
        status = vvi_fail_netcdf(err, code, "attribute '%s'", name);
    else
        status = vvi_attr_set_strings(attr, (const char *const *)strings, count, err);
    if (!code && count)
        nc_free_string(count, strings);
    vvi_free(strings);
    return status;
}

static vv_status read_attribute(int ncid, int varid, int number, vvi_attrs *attrs,
                                vv_error *err)
{
    char name[NC_MAX_NAME + 1];
    vvi_attr *attr;
    nc_type type;
    size_t count;
    size_t size;
    void *data;
    vv_status status;
    int code = nc_inq_attname(ncid, varid, number, name);

    if (!code)
        code = nc_inq_att(ncid, varid, name, &type, &count);
    if (code)
        return vvi_fail_netcdf(err, code, "attribute number %d", number);
    VVI_TRY(vvi_attrs_add(attrs, name, &attr, err));
    if (type == NC_STRING)
        return read_strings(ncid, varid, name, count, attr, err);
    size = type == NC_CHAR ? 1 : vv_dtype_size(vvi_dtype_of_nc(type));
    if (!size)
        return type_of_its_own(ncid, type, attr, err);
    if (count > ATTRIBUTE_BYTES_MAX / size)
        return vvi_fail(err, VV_ELIMIT, "attribute '%s' has %zu values", name, count);
    data = vvi_alloc(count * size + 1);
    if (!data)
        return vvi_fail_nomem(err, count * size);
    code = count ? nc_get_att(ncid, varid, name, data) : NC_NOERR;
    if (code)
        status = vvi_fail_netcdf(err, code, "attribute '%s'", name);
    else if (type == NC_CHAR)
        status = vvi_attr_set_text(attr, data, count, err);
    else
        status = vvi_attr_set_numbers(attr, vvi_dtype_of_nc(type), data, count, err);
    vvi_free(data);
    return status;
}

static vv_status read_attributes(int ncid, int varid, vvi_attrs *attrs, vv_error *err)
{
    int n = 0;
    int code = varid == NC_GLOBAL ? nc_inq_natts(ncid, &n)
                                  : nc_inq_varnatts(ncid, varid, &n);

    if (code)
        return vvi_fail_netcdf(err, code, "attributes");
    for (int i = 0; i < n; i++)
        VVI_TRY(read_attribute(ncid, varid, i, attrs, err));
    return VV_OK;
}

static vv_status set_unsupported(vvi_var *var, const char *what, vv_error *err)
{
    if (var->unsupported)
        return VV_OK;
    var->unsupported = vvi_strdup(what);
    return var->unsupported ? VV_OK : vvi_fail_nomem(err, strlen(what) + 1);
}

static vv_status set_type(vvi_var *var, nc_type type, vv_error *err)
{
    static const char *const classes[] = { [NC_VLEN] = "a variable-length type",
                                           [NC_OPAQUE] = "an opaque type",
                                           [NC_ENUM] = "an enumeration",
                                           [NC_COMPOUND] = "a compound type" };
    int class = 0;

    var->dtype = vvi_dtype_of_nc(type);
    var->item = vv_dtype_size(var->dtype);
    if (var->dtype != VV_DTYPE_NONE)
        return VV_OK;
    if (type == NC_CHAR) {
        var->dtype = VV_UINT8;
        var->item = 1;
        var->text = true;
        return VV_OK;
    }
    if (type == NC_STRING) {
        var->dtype = VV_STRING;
        var->item = sizeof(vv_bytes);
        return VV_OK;
    }
    if (nc_inq_user_type(var->ncid, type, NULL, NULL, NULL, NULL, &class) == NC_NOERR &&
        class >= NC_VLEN && class <= NC_COMPOUND)
        return set_unsupported(var, classes[class], err);
    return set_unsupported(var, "a type of its own", err);
}

static vv_status read_shape(vvi_var *var, int ndims, vv_error *err)
{
    int ids[NC_MAX_VAR_DIMS];
    size_t chunks[NC_MAX_VAR_DIMS];
    int storage = NC_CONTIGUOUS;
    int code;

    if (ndims < 0 || ndims > VV_NDIM_MAX)
        return set_unsupported(var, "too many dimensions", err);
    code = nc_inq_vardimid(var->ncid, var->varid, ids);
    for (int i = 0; i < ndims && !code; i++) {
        char name[NC_MAX_NAME + 1];
        size_t length;

        code = nc_inq_dim(var->ncid, ids[i], name, &length);
        if (code)
            break;
        var->dims[i] = vvi_strdup(name);
        var->ndim = (uint32_t)i + 1;
        if (!var->dims[i])
            return vvi_fail_nomem(err, strlen(name) + 1);
        var->shape[i] = length;
    }
    if (code)
        return vvi_fail_netcdf(err, code, "dimensions");
    if (nc_inq_var_chunking(var->ncid, var->varid, &storage, chunks) == NC_NOERR &&
        storage == NC_CHUNKED)
        for (int i = 0; i < ndims; i++)
            var->chunks[i] = chunks[i];
    return VV_OK;
}

static vv_status scan_var(vvi_group *group, int varid, vv_error *err)
{
    char name[NC_MAX_NAME + 1] = "";
    nc_type type = NC_NAT;
    int ndims = 0;
    vvi_var *var;
    int code = nc_inq_varname(group->ncid, varid, name);

    if (!code)
        code = nc_inq_vartype(group->ncid, varid, &type);
    if (!code)
        code = nc_inq_varndims(group->ncid, varid, &ndims);
    if (code)
        return vvi_fail_netcdf(err, code, "variable number %d", varid);
    VVI_TRY(vvi_group_add_var(group, name, &var, err));
    var->ncid = group->ncid;
    var->varid = varid;
    vv_status status = set_type(var, type, err);
    if (!status)
        status = read_shape(var, ndims, err);
    if (!status)
        status = read_attributes(var->ncid, varid, &var->attrs, err);
    return status ? vvi_wrap(err, status, "variable '%s'", name) : VV_OK;
}

static vv_status scan_dims(vvi_group *group, vv_error *err)
{
    int *ids = NULL;
    int *unlimited = NULL;
    int n = 0;
    int nu = 0;
    int code = nc_inq_dimids(group->ncid, &n, NULL, 0);
    vv_status status = VV_OK;

    if (!code)
        code = nc_inq_unlimdims(group->ncid, &nu, NULL);
    if (code)
        return vvi_fail_netcdf(err, code, "dimensions");
    ids = vvi_alloc_array((size_t)n + 1, sizeof(*ids));
    unlimited = vvi_alloc_array((size_t)nu + 1, sizeof(*unlimited));
    if (!ids || !unlimited) {
        status = vvi_fail_nomem(err, (size_t)n * sizeof(*ids));
        goto done;
    }
    code = nc_inq_dimids(group->ncid, &n, ids, 0);
    if (!code)
        code = nc_inq_unlimdims(group->ncid, &nu, unlimited);
    for (int i = 0; i < n && !code && !status; i++) {
        char name[NC_MAX_NAME + 1];
        size_t length = 0;
        bool grows = false;

        code = nc_inq_dim(group->ncid, ids[i], name, &length);
        for (int k = 0; k < nu; k++)
            grows = grows || unlimited[k] == ids[i];
        if (!code)
            status = vvi_group_add_dim(group, name, length, grows, err);
    }
    if (code)
        status = vvi_fail_netcdf(err, code, "dimensions");
done:
    vvi_free(unlimited);
    vvi_free(ids);
    return status;
}

/* Add the groups below group number g to the end of the tree. */
static vv_status scan_subgroups(vvi_tree *tree, size_t g, vv_error *err)
{
    int n = 0;
    int *ids;
    vv_buf path = VV_BUF_INIT;
    vv_status status = VV_OK;
    int code = nc_inq_grps(tree->groups[g].ncid, &n, NULL);

    if (code)
        return vvi_fail_netcdf(err, code, "groups");
    ids = vvi_alloc_array((size_t)n + 1, sizeof(*ids));
    if (!ids)
        return vvi_fail_nomem(err, (size_t)n * sizeof(*ids));
    code = nc_inq_grps(tree->groups[g].ncid, &n, ids);
    for (int i = 0; i < n && !code && !status; i++) {
        char name[NC_MAX_NAME + 1];
        vvi_group *group;

        code = nc_inq_grpname(ids[i], name);
        if (code)
            break;
        status = vvi_join(tree->groups[g].path, name, &path, err);
        if (!status)
            status = vvi_tree_add_group(tree, (const char *)path.data, &group, err);
        if (!status)
            group->ncid = ids[i];
    }
    if (code)
        status = vvi_fail_netcdf(err, code, "groups");
    vv_buf_clear(&path);
    vvi_free(ids);
    return status;
}

static vv_status scan_group(vvi_group *group, vv_error *err)
{
    int n = 0;
    int code;

    VVI_TRY(scan_dims(group, err));
    VVI_TRY(read_attributes(group->ncid, NC_GLOBAL, &group->attrs, err));
    code = nc_inq_nvars(group->ncid, &n);
    if (code)
        return vvi_fail_netcdf(err, code, "variables");
    for (int i = 0; i < n; i++)
        VVI_TRY(scan_var(group, i, err));
    group->exact = true;
    return VV_OK;
}

static vv_status scan(netcdf_source *self, vv_error *err)
{
    vvi_tree *tree = &self->base.tree;
    vvi_group *root;

    VVI_TRY(vvi_tree_add_group(tree, "", &root, err));
    root->ncid = self->ncid;
    for (size_t g = 0; g < tree->count; g++) {
        vv_status status = scan_group(&tree->groups[g], err);

        if (status)
            return vvi_wrap(err, status, "group '/%s'", tree->groups[g].path);
        VVI_TRY(scan_subgroups(tree, g, err));
    }
    return VV_OK;
}

/* Note on variables what HDF5 says of them, and add those that libnetcdf leaves out. */
static vv_status apply_hdf5_items(vvi_tree *tree, const vvi_hdf5_items *items,
                                  vv_error *err)
{
    for (size_t i = 0; i < items->count; i++) {
        const char *path = items->items[i].path;
        const char *slash = strrchr(path, '/');
        const char *name = slash ? slash + 1 : path;
        char *parent = vvi_strndup(path, slash ? (size_t)(slash - path) : 0);
        vvi_group *group = parent ? vvi_tree_find(tree, parent) : NULL;
        vvi_var *var = group ? vvi_group_find_var(group, name) : NULL;
        vv_status status = parent ? VV_OK : vvi_fail_nomem(err, strlen(path));

        vvi_free(parent);
        if (!status && group && !var)
            status = vvi_group_add_var(group, name, &var, err);
        if (!status && var)
            status = set_unsupported(var, items->items[i].reason, err);
        VVI_TRY(status);
    }
    return VV_OK;
}

/* ---- the source ----------------------------------------------------------------------------- */

static void drop_strings(netcdf_source *self)
{
    if (self->strings)
        nc_free_string(self->string_count, self->strings);
    vvi_free(self->strings);
    self->strings = NULL;
    self->string_count = 0;
}

/* Zarr's strings are UTF-8: put what is none right, as text attributes are. */
static vv_status clean_string(char **string, vv_error *err)
{
    vv_buf clean = VV_BUF_INIT;
    char *copy = NULL;
    vv_status status;

    if (!*string || vvi_is_utf8(vv_bytes_of(*string)))
        return VV_OK;
    status = vvi_text_clean(vv_bytes_of(*string), &clean, err);
    if (!status) {
        copy = strndup((const char *)clean.data,
                       clean.len); /* nc_free_string() frees it */
        status = copy ? VV_OK : vvi_fail_nomem(err, clean.len);
    }
    if (!status) {
        free(*string);
        *string = copy;
    }
    vv_buf_clear(&clean);
    return status;
}

/* Read text, which stays until the next read. */
static vv_status read_text(netcdf_source *self, const vvi_var *var, const size_t *from,
                           const size_t *n, vv_bytes *out, size_t count, vv_error *err)
{
    vv_status status = VV_OK;
    int code;

    vvi_hdf5_lock();
    drop_strings(self);
    vvi_hdf5_unlock();
    self->strings = vvi_alloc_array_zero(count + 1, sizeof(*self->strings));
    if (!self->strings)
        return vvi_fail_nomem(err, count * sizeof(*self->strings));
    vvi_hdf5_lock();
    code = nc_get_vara_string(var->ncid, var->varid, from, n, self->strings);
    vvi_hdf5_unlock();
    if (code)
        return vvi_fail_netcdf(err, code,
                               "its values cannot be read, the file is damaged");
    self->string_count = count;
    for (size_t i = 0; i < count && !status; i++) {
        status = clean_string(&self->strings[i], err);
        out[i] = self->strings[i] ? vv_bytes_of(self->strings[i]) : (vv_bytes){ NULL, 0 };
    }
    return status;
}

static vv_status netcdf_read(vvi_source *base, const vvi_var *var, const uint64_t *start,
                             const uint64_t *count, void *out, size_t bytes,
                             vv_error *err)
{
    size_t from[VV_NDIM_MAX + 1] = { 0 };
    size_t n[VV_NDIM_MAX + 1] = { 0 };
    int code;

    for (uint32_t i = 0; i < var->ndim; i++) {
        from[i] = (size_t)start[i];
        n[i] = (size_t)count[i];
    }
    if (var->dtype == VV_STRING)
        return read_text((netcdf_source *)base, var, from, n, out,
                         bytes / sizeof(vv_bytes), err);
    vvi_hdf5_lock();
    code = nc_get_vara(var->ncid, var->varid, from, n, out);
    vvi_hdf5_unlock();
    if (code)
        return vvi_fail_netcdf(err, code,
                               "its values cannot be read, the file is damaged");
    return VV_OK;
}

/*
 * Slabs that are not made of whole chunks of the file meet a compressed chunk several times: the
 * cache then holds one row of chunks. Otherwise it holds nothing.
 */
static void netcdf_reading(vvi_source *base, const vvi_var *var, const uint64_t *slab,
                           uint64_t memory_bytes)
{
    uint64_t bytes = var->item;
    bool whole = true;

    (void)base;
    if (var->ndim == 0 || var->chunks[0] == 0)
        return;
    for (uint32_t i = 0; i < var->ndim && slab; i++) {
        uint64_t span = (slab[i] + var->chunks[i] - 1) / var->chunks[i] + 1;

        if (slab[i] < var->shape[i] && slab[i] % var->chunks[i])
            whole = false;
        if (__builtin_mul_overflow(bytes, span * var->chunks[i], &bytes))
            bytes = UINT64_MAX;
    }
    if (!slab || whole)
        bytes = 0;
    else if (bytes > memory_bytes)
        bytes = memory_bytes;
    vvi_hdf5_lock();
    nc_set_var_chunk_cache(var->ncid, var->varid, (size_t)bytes, 1009, 0.75f);
    vvi_hdf5_unlock();
}

static void netcdf_free(vvi_source *base)
{
    netcdf_source *self = (netcdf_source *)base;

    vvi_hdf5_lock();
    drop_strings(self);
    if (self->open)
        nc_close(self->ncid);
    vvi_hdf5_unlock();
    vvi_free(self);
}

static const vvi_source_ops netcdf_ops = { .read = netcdf_read,
                                           .reading = netcdf_reading,
                                           .free = netcdf_free };

/* An absolute path is never taken for a URL by libnetcdf. */
static vv_status open_file(netcdf_source *self, const char *path, bool hdf5,
                           vv_error *err)
{
    char *absolute = realpath(path, NULL);
    vvi_hdf5_items items = { NULL, 0, 0 };
    size_t buffer = 1 << 20;
    vv_status status = VV_OK;
    int code;

    if (!absolute)
        return vvi_fail_errno(err, errno, "find it");
    vvi_hdf5_lock();
    if (hdf5)
        status = vvi_hdf5_check(absolute, &items, err);
    if (!status) {
        code = nc__open(absolute, NC_NOWRITE, &buffer, &self->ncid);
        self->open = code == NC_NOERR;
        if (code)
            status = vvi_fail_netcdf(err, code, "it is cut short or damaged");
    }
    if (!status)
        status = scan(self, err);
    vvi_hdf5_unlock();
    if (!status)
        status = apply_hdf5_items(&self->base.tree, &items, err);
    vvi_hdf5_items_clear(&items);
    free(absolute);
    return status;
}

/* What a file begins with, and what to say of those that people take for netCDF. */
static vv_status identify(const uint8_t *head, size_t len, bool *classic, bool *hdf5,
                          vv_error *err)
{
    static const struct {
        const char *magic;
        size_t len;
        const char *what;
    } known[] = {
        { "\x1f\x8b", 2, "a gzip file: unpack it first" },
        { "\x28\xb5\x2f\xfd", 4, "a zstd file: unpack it first" },
        { "BZh", 3, "a bzip2 file: unpack it first" },
        { "PK\x03\x04", 4, "a zip file: unpack it first" },
        { "GRIB", 4, "a GRIB file: convert it to netCDF first" },
        { "\x0e\x03\x13\x01", 4, "an HDF4 file: convert it to netCDF first" },
        { "II*", 3, "a TIFF file" },
        { "<", 1, "a web page or XML" },
    };

    *classic = len >= 4 && memcmp(head, "CDF", 3) == 0 &&
               (head[3] == 1 || head[3] == 2 || head[3] == 5);
    *hdf5 = false;
    for (size_t at = 0; at + 8 <= len && !*hdf5; at = at ? at * 2 : 512)
        *hdf5 = memcmp(head + at, "\x89HDF\r\n\x1a\n", 8) == 0;
    if (*classic || *hdf5)
        return VV_OK;
    if (len == 0)
        return vvi_fail(err, VV_EINVAL, "it is empty, no netCDF or HDF5 file");
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (len >= known[i].len && memcmp(head, known[i].magic, known[i].len) == 0)
            return vvi_fail(err, VV_EINVAL, "no netCDF or HDF5 file but %s",
                            known[i].what);
    return vvi_fail(err, VV_EINVAL, "no netCDF or HDF5 file");
}

vv_status vvi_netcdf_check_file(const char *path, bool *hdf5, vv_error *err)
{
    uint8_t *head = vvi_alloc(65536);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    ssize_t n = -1;
    bool classic = false;
    vv_status status;

    if (!head)
        status = vvi_fail_nomem(err, 65536);
    else if (fd < 0 || fstat(fd, &st) < 0)
        status = vvi_fail_errno(err, errno, "open it");
    else if (!S_ISREG(st.st_mode))
        status = vvi_fail(err, VV_EINVAL, "neither a file nor a directory");
    else if ((n = pread(fd, head, 65536, 0)) < 0)
        status = vvi_fail_errno(err, errno, "read it");
    else
        status = identify(head, (size_t)n, &classic, hdf5, err);
    if (!status && classic)
        status = vvi_classic_check(fd, (uint64_t)st.st_size, err);
    if (fd >= 0)
        close(fd);
    vvi_free(head);
    return status;
}

vv_status vvi_netcdf_source_open(const char *path, vvi_source **out, vv_error *err)
{
    netcdf_source *self = vvi_alloc_zero(sizeof(*self));
    bool hdf5 = false;
    vv_status status;

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    self->base.ops = &netcdf_ops;
    self->base.name = vvi_strdup(path);
    status = self->base.name ? vvi_netcdf_check_file(path, &hdf5, err)
                             : vvi_fail_nomem(err, 1);
    if (!status)
        status = open_file(self, path, hdf5, err);
    if (status) {
        vvi_source_free(&self->base);
        return vvi_wrap(err, status, "%s", path);
    }
    *out = &self->base;
    return VV_OK;
}
