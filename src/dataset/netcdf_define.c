/* The definitions of a netCDF-4 file: groups, dimensions, variables, attributes. */
#include "dataset/netcdf.h"
#include "dataset/netcdf_writer.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <stdio.h>
#include <string.h>

/* ---- what netCDF cannot hold ------------------------------------------------------------------ */

/* Dimensions of Zarr need no name, those of netCDF do: call them by their length. */
static vv_status name_dims(vvi_tree *tree, vvi_group *group, vvi_var *var, vv_error *err)
{
    for (uint32_t i = 0; i < var->ndim; i++) {
        vv_buf name = VV_BUF_INIT;
        vv_status status;

        if (var->dims[i])
            continue;
        status = vvi_buf_printf(&name, err, "dim_%" PRIu64, var->shape[i]);
        if (!status)
            var->dims[i] = vvi_strdup((const char *)name.data);
        if (!status && !var->dims[i])
            status = vvi_fail_nomem(err, name.len);
        if (!status &&
            !vvi_tree_resolve_dim(tree, group, var->dims[i], var->shape[i], NULL))
            status = vvi_group_add_dim(group, var->dims[i], var->shape[i], false, err);
        vv_buf_clear(&name);
        VVI_TRY(status);
    }
    return VV_OK;
}

static nc_type type_of(const vvi_var *var)
{
    return var->text                 ? NC_CHAR
           : var->dtype == VV_STRING ? NC_STRING
                                     : vvi_nc_of_dtype(var->dtype);
}

static nc_type type_of_attr(const vvi_attr *attr)
{
    return attr->kind == VVI_ATTR_TEXT      ? NC_CHAR
           : attr->kind == VVI_ATTR_STRINGS ? NC_STRING
                                            : vvi_nc_of_dtype(attr->dtype);
}

static vv_status check_var(const vvi_tree *tree, const vvi_group *group,
                           const vvi_var *var, vv_error *err)
{
    const vvi_attr *fill = vvi_attrs_find(&var->attrs, "_FillValue");
    nc_type type = type_of(var);

    if (type == NC_NAT)
        return vvi_fail(err, VV_EUNSUPPORTED, "dtype %s has no netCDF type",
                        vv_dtype_name(var->dtype));
    if (fill && (fill->count != 1 || type_of_attr(fill) != type))
        return vvi_fail(
            err, VV_EUNSUPPORTED,
            "its _FillValue is not one value of its own type, which netCDF-4 asks");
    for (uint32_t i = 0; i < var->ndim; i++)
        if (!vvi_tree_resolve_dim(tree, group, var->dims[i], var->shape[i], NULL))
            return vvi_fail(
                err, VV_EUNSUPPORTED,
                "dimension '%s' has length %" PRIu64
                " here and another one elsewhere in the group, which netCDF cannot "
                "say",
                var->dims[i], var->shape[i]);
    if (!vvi_var_bytes(var, NULL, NULL))
        return vvi_fail(err, VV_EUNSUPPORTED, "more than 2^63 bytes");
    return VV_OK;
}

/* What is refused, by name: of all arrays, so that it need not be tried again and again. */
typedef struct refusals {
    size_t count, used;
    char text[400];
} refusals;

static void refuse(refusals *all, const vvi_group *group, const vvi_var *var,
                   const vv_error *why)
{
    if (all->count++ < 4 && all->used < sizeof(all->text))
        all->used += (size_t)snprintf(
            all->text + all->used, sizeof(all->text) - all->used,
            "%sarray '%.80s%s%.80s': %.150s", all->used ? "; " : "", group->path,
            group->path[0] ? "/" : "", var->name, why->message);
}

vv_status vvi_netcdf_can_hold(vvi_source *source, vv_error *err)
{
    vvi_tree *tree = &source->tree;
    refusals all = { 0, 0, "" };

    for (size_t g = 0; g < tree->count; g++)
        for (size_t v = 0; v < tree->groups[g].var_count; v++) {
            vvi_var *var = &tree->groups[g].vars[v];
            vv_error why = VV_ERROR_INIT;
            vv_status status = name_dims(tree, &tree->groups[g], var, err);

            if (status)
                return vvi_wrap(err, status, "array '%s%s%s'", tree->groups[g].path,
                                g ? "/" : "", var->name);
            if (check_var(tree, &tree->groups[g], var, &why))
                refuse(&all, &tree->groups[g], var, &why);
        }
    if (!all.count)
        return VV_OK;
    return vvi_fail(
        err, VV_EUNSUPPORTED,
        "%s%s. Nothing was written; name the variables to take to leave such out",
        all.text, all.count > 4 ? "; and more" : "");
}

/* ---- definitions ------------------------------------------------------------------------------- */

static int put_attribute(int ncid, int varid, const vvi_attr *attr)
{
    switch (attr->kind) {
    case VVI_ATTR_TEXT:
        return nc_put_att_text(ncid, varid, attr->name, attr->count,
                               (const char *)attr->data);
    case VVI_ATTR_STRINGS:
        return nc_put_att_string(ncid, varid, attr->name, attr->count,
                                 (const char **)attr->strings);
    default:
        return nc_put_att(ncid, varid, attr->name, vvi_nc_of_dtype(attr->dtype),
                          attr->count, attr->data);
    }
}

static vv_status put_attributes(int ncid, int varid, const vvi_attrs *attrs,
                                vv_error *err)
{
    for (size_t i = 0; i < attrs->count; i++) {
        int code = put_attribute(ncid, varid, &attrs->items[i]);

        if (code)
            return vvi_fail_netcdf(err, code, "attribute '%s'", attrs->items[i].name);
    }
    return VV_OK;
}

/* The group's number, upward from it, that has the dimension; its id there. */
static int find_dim(vvi_netcdf_writer *self, const vvi_group *group, const char *name,
                    uint64_t length, int *id)
{
    const vvi_group *owner = group;

    if (!vvi_tree_resolve_dim(&self->source->tree, group, name, length, &owner))
        return NC_EBADDIM;
    return nc_inq_dimid(self->groups[owner - self->source->tree.groups], name, id);
}

/* Chunks as the array has them, cut to the dimension; contiguous where one chunk is all. */
static int define_chunks(const vvi_netcdf_writer *self, int ncid, int varid,
                         const vvi_var *var, bool grows)
{
    size_t chunks[VV_NDIM_MAX + 1];
    unsigned level = var->dtype == VV_STRING ? 0 : self->options->deflate_level;
    bool whole = !grows && !level;
    int code;

    for (uint32_t i = 0; i < var->ndim; i++) {
        uint64_t most = var->shape[i] ? var->shape[i] : 1;

        chunks[i] = (size_t)(var->chunks[i] < most ? var->chunks[i] : most);
        whole = whole && chunks[i] == var->shape[i];
    }
    if (var->ndim == 0)
        return NC_NOERR;
    if (whole)
        return nc_def_var_chunking(ncid, varid, NC_CONTIGUOUS, NULL);
    code = nc_def_var_chunking(ncid, varid, NC_CHUNKED, chunks);
    if (!code && level)
        code = nc_def_var_deflate(ncid, varid, 1, 1, (int)level);
    return code;
}

static vv_status define_var(vvi_netcdf_writer *self, size_t g, vvi_var *var,
                            vv_error *err)
{
    const vvi_group *group = &self->source->tree.groups[g];
    int dims[VV_NDIM_MAX + 1];
    bool grows = false;
    int code = NC_NOERR;

    for (uint32_t i = 0; i < var->ndim && !code; i++) {
        const vvi_dim *dim = vvi_tree_resolve_dim(&self->source->tree, group,
                                                  var->dims[i], var->shape[i], NULL);

        grows = grows || (dim && (dim->unlimited || dim->length == 0));
        code = find_dim(self, group, var->dims[i], var->shape[i], &dims[i]);
    }
    var->ncid = self->groups[g];
    if (!code)
        code = nc_def_var(var->ncid, var->name, type_of(var), (int)var->ndim, dims,
                          &var->varid);
    if (!code)
        code = define_chunks(self, var->ncid, var->varid, var, grows);
    if (code)
        return vvi_fail_netcdf(err, code, "variable '%s'", var->name);
    if (var->dtype == VV_BOOL && !vvi_attrs_find(&var->attrs, "dtype"))
        code = nc_put_att_text(var->ncid, var->varid, "dtype", 4, "bool");
    if (code)
        return vvi_fail_netcdf(err, code, "variable '%s'", var->name);
    vv_status status = put_attributes(var->ncid, var->varid, &var->attrs, err);
    return status ? vvi_wrap(err, status, "variable '%s'", var->name) : VV_OK;
}

static vv_status define_group(vvi_netcdf_writer *self, size_t g, vv_error *err)
{
    const vvi_tree *tree = &self->source->tree;
    vvi_group *group = &tree->groups[g];
    const char *slash = strrchr(group->path, '/');
    int code = NC_NOERR;

    self->groups[g] = self->ncid;
    if (g) {
        const vvi_group *parent = vvi_tree_parent(tree, group);

        code = parent ? nc_def_grp(self->groups[parent - tree->groups],
                                   slash ? slash + 1 : group->path, &self->groups[g])
                      : NC_EBADGRPID;
    }
    for (size_t i = 0; i < group->dim_count && !code; i++) {
        const vvi_dim *dim = &group->dims[i];
        int id;

        code = nc_def_dim(self->groups[g], dim->name,
                          dim->unlimited ? NC_UNLIMITED : (size_t)dim->length, &id);
        if (code)
            return vvi_fail_netcdf(err, code, "dimension '%s'", dim->name);
    }
    if (code)
        return vvi_fail_netcdf(err, code, "group '/%s'", group->path);
    VVI_TRY(put_attributes(self->groups[g], NC_GLOBAL, &group->attrs, err));
    for (size_t v = 0; v < group->var_count; v++)
        VVI_TRY(define_var(self, g, &group->vars[v], err));
    return VV_OK;
}

vv_status vvi_netcdf_define(vvi_netcdf_writer *self, vv_error *err)
{
    int before;
    int code;

    for (size_t g = 0; g < self->source->tree.count; g++)
        VVI_TRY(define_group(self, g, err));
    code = nc_set_fill(self->ncid, NC_NOFILL, &before);
    if (!code)
        code = nc_enddef(self->ncid);
    return code ? vvi_fail_netcdf(err, code, "definitions") : VV_OK;
}
