#include "dataset/netcdf_writer.h"

#include "dataset/netcdf.h"
#include "dataset/slab.h"

#include "util/alloc.h"
#include "util/thread.h"

#include <string.h>

static vv_status tell(vvi_netcdf_writer *self, vv_error *err)
{
    vv_progress progress = { .what = "export",
                             .items_done = self->result->chunks,
                             .bytes_done = self->result->bytes,
                             .bytes_total = self->bytes_total };
    vv_status status;

    if (!self->options->progress || vvi_now_ns() - self->told_ns < 100000000u)
        return VV_OK;
    self->told_ns = vvi_now_ns();
    status = self->options->progress(self->options->ctx, &progress);
    return status ? vvi_fail(err, status, "stopped by the caller") : VV_OK;
}

static vv_status put_slab(const vvi_var *var, const vvi_slab *slab, const void *data,
                          vv_error *err)
{
    size_t start[VV_NDIM_MAX + 1] = { 0 };
    size_t count[VV_NDIM_MAX + 1] = { 0 };
    int code;

    for (uint32_t i = 0; i < var->ndim; i++) {
        start[i] = (size_t)slab->start[i];
        count[i] = (size_t)slab->count[i];
    }
    vvi_hdf5_lock();
    code = nc_put_vara(var->ncid, var->varid, start, count, data);
    vvi_hdf5_unlock();
    if (code == NC_EHDFERR)
        return vvi_fail(err, VV_EIO, "its values cannot be written; is the disk full?");
    return code ? vvi_fail_netcdf(err, code, "its values cannot be written") : VV_OK;
}

/* Text as libnetcdf takes it: each with an end. */
static vv_status put_text(const vvi_var *var, const vvi_slab *slab, const vv_bytes *items,
                          vv_error *err)
{
    size_t n = (size_t)slab->elements;
    const char **strings = vvi_alloc_array(n + 1, sizeof(*strings));
    char *memory;
    size_t bytes = n;
    vv_status status;

    for (size_t i = 0; i < n; i++)
        bytes += items[i].len;
    memory = vvi_alloc(bytes + 1);
    if (!strings || !memory) {
        status = vvi_fail_nomem(err, bytes);
    } else {
        char *at = memory;

        for (size_t i = 0; i < n; i++) {
            strings[i] = at;
            if (items[i].len)
                memcpy(at, items[i].data, items[i].len);
            at += items[i].len;
            *at++ = '\0';
        }
        status = put_slab(var, slab, strings, err);
    }
    vvi_free(memory);
    vvi_free(strings);
    return status;
}

static vv_status write_slabs(vvi_netcdf_writer *self, const vvi_var *var,
                             vvi_slabs *slabs, uint8_t *data, vv_error *err)
{
    vvi_slab slab;

    while (vvi_slabs_next(slabs, &slab)) {
        size_t bytes = (size_t)slab.elements * slabs->item;

        VVI_TRY(
            vvi_source_read(self->source, var, slab.start, slab.count, data, bytes, err));
        if (var->dtype == VV_STRING)
            VVI_TRY(put_text(var, &slab, (const vv_bytes *)(const void *)data, err));
        else
            VVI_TRY(put_slab(var, &slab, data, err));
        self->result->chunks += slab.chunk_total;
        self->result->bytes += bytes;
        VVI_TRY(tell(self, err));
    }
    return VV_OK;
}

static vv_status write_var(vvi_netcdf_writer *self, const vvi_var *var, vv_error *err)
{
    vvi_slabs slabs;
    uint8_t *data;
    size_t bytes;
    vv_status status;

    VVI_TRY(vvi_slabs_init(&slabs, var->ndim, var->shape, var->chunks, NULL, var->item,
                           self->options->memory_bytes / 3, err));
    bytes = (size_t)vvi_slabs_most(&slabs, NULL);
    data = vvi_alloc(bytes);
    if (!data)
        return vvi_fail_nomem(err, bytes);
    status = write_slabs(self, var, &slabs, data, err);
    vvi_free(data);
    if (!status && var->ndim) {
        /* Its chunk cache is not needed any more. */
        vvi_hdf5_lock();
        nc_set_var_chunk_cache(var->ncid, var->varid, 0, 1, 0.75f);
        vvi_hdf5_unlock();
    }
    self->result->arrays++;
    return status ? vvi_wrap(err, status, "variable '%s'", var->name) : VV_OK;
}

static vv_status write_values(vvi_netcdf_writer *self, vv_error *err)
{
    const vvi_tree *tree = &self->source->tree;

    for (size_t g = 0; g < tree->count; g++) {
        self->result->groups++;
        for (size_t v = 0; v < tree->groups[g].var_count; v++)
            VVI_TRY(write_var(self, &tree->groups[g].vars[v], err));
    }
    return VV_OK;
}

static vv_status define(vvi_netcdf_writer *self, const char *path, vv_error *err)
{
    int code;
    vv_status status;

    vvi_hdf5_lock();
    code = nc_create(path, NC_NETCDF4 | NC_NOCLOBBER, &self->ncid);
    if (code) {
        self->ncid = -1;
        status = code == NC_EHDFERR ? vvi_fail(err, VV_EIO, "cannot be made")
                                    : vvi_fail_netcdf(err, code, "cannot be made");
    } else {
        status = vvi_netcdf_define(self, err);
    }
    vvi_hdf5_unlock();
    return status;
}

vv_status vvi_netcdf_write(vvi_source *source, const char *path,
                           const vv_export_options *options, vv_import_result *result,
                           vv_error *err)
{
    vvi_netcdf_writer self = { .source = source, .options = options, .result = result };
    const vvi_tree *tree = &source->tree;
    vv_status status;
    int code = NC_NOERR;

    self.ncid = -1;
    self.groups = vvi_alloc_array(tree->count + 1, sizeof(*self.groups));
    if (!self.groups)
        return vvi_fail_nomem(err, tree->count * sizeof(*self.groups));
    for (size_t g = 0; g < tree->count; g++)
        for (size_t v = 0; v < tree->groups[g].var_count; v++) {
            uint64_t bytes = 0;

            vvi_var_bytes(&tree->groups[g].vars[v], NULL, &bytes);
            self.bytes_total += bytes;
        }
    status = define(&self, path, err);
    if (!status)
        status = write_values(&self, err);
    if (self.ncid >= 0) {
        vvi_hdf5_lock();
        code = nc_close(self.ncid);
        vvi_hdf5_unlock();
    }
    if (!status && code)
        status = vvi_fail(err, VV_EIO, "cannot be completed: %s; is the disk full?",
                          nc_strerror(code));
    vvi_free(self.groups);
    return status;
}
