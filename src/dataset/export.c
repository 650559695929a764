#include <varvite/dataset.h>

#include "dataset/copy.h"
#include "dataset/netcdf_writer.h"
#include "dataset/plan.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/file.h"
#include "util/options.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY_DEFAULT ((uint64_t)128 << 20)

typedef struct export
{
    vv_export_options options;
    vvi_source *source;
    const char *target;
    char *partial; /* where it is written */
    char *parent;  /* directory of target */
    vv_import_result result;
}
export;

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text);
    size_t m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

static int remove_entry(const char *path, const struct stat *st, int type,
                        struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void remove_tree(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static bool is_there(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 || errno != ENOENT;
}

/* "name.partial-PID-N", one that is not there: what a killed process of the same number left must
 * not become a part of this export. */
static vv_status name_partial(export *self, size_t len, vv_error *err)
{
    static unsigned next; /* atomic */
    vv_buf text = VV_BUF_INIT;
    vv_status status;

    do {
        vv_buf_clear(&text);
        status = vvi_buf_printf(&text, err, "%.*s.partial-%ld-%u", (int)len, self->target,
                                (long)getpid(),
                                __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED));
    } while (!status && is_there((const char *)text.data));
    if (!status) {
        self->partial = vvi_strdup((const char *)text.data);
        status = self->partial ? VV_OK : vvi_fail_nomem(err, text.len + 1);
    }
    vv_buf_clear(&text);
    return status;
}

/* Beside the target, so that a rename completes it. */
static vv_status name_files(export *self, vv_error *err)
{
    size_t len = strlen(self->target);
    const char *slash;

    while (len > 1 && self->target[len - 1] == '/')
        len--;
    if (len == 0)
        return vvi_fail(err, VV_EINVAL, "export to an empty path");
    slash = memrchr(self->target, '/', len);
    self->parent = !slash ? vvi_strdup(".")
                   : slash == self->target
                       ? vvi_strdup("/")
                       : vvi_strndup(self->target, (size_t)(slash - self->target));
    return self->parent ? name_partial(self, len, err) : vvi_fail_nomem(err, len);
}

/* May the target be written, and be replaced if it is there? Only what is a Zarr hierarchy, an
 * empty directory or a file of its own kind ever is. */
static vv_status check_target(const export *self, vv_error *err)
{
    bool netcdf = self->options.format == VV_EXPORT_NETCDF;
    struct stat st;
    bool zarr;

    if (lstat(self->target, &st) < 0)
        return errno == ENOENT ? VV_OK : vvi_fail_errno(err, errno, "%s", self->target);
    if (!self->options.overwrite)
        return vvi_fail(err, VV_EEXISTS, "%s is there already", self->target);
    if (netcdf && !S_ISREG(st.st_mode))
        return vvi_fail(err, VV_EEXISTS, "%s is no file, it is not replaced",
                        self->target);
    if (netcdf)
        return VV_OK;
    if (!S_ISDIR(st.st_mode))
        return vvi_fail(err, VV_EEXISTS, "%s is no directory, it is not replaced",
                        self->target);
    VVI_TRY(vvi_has_document(self->target, &zarr, err));
    if (!zarr && rmdir(self->target) < 0)
        return vvi_fail(err, VV_EEXISTS, "%s holds no Zarr hierarchy, it is not replaced",
                        self->target);
    return VV_OK;
}

/* ---- the two formats -------------------------------------------------------------------------- */

static vv_status write_zarr(export *self, vv_error *err)
{
    const vvi_tree *tree = &self->source->tree;
    vvi_copy copy = { .to_path = "",
                      .what = "export",
                      .memory_bytes = self->options.memory_bytes,
                      .progress = self->options.progress,
                      .ctx = self->options.ctx };
    vv_store *to = NULL;
    vv_status status = vv_directory_store_open(self->partial, false, &to, err);

    vvi_zarr_source_place(self->source, &copy.from, &copy.from_path);
    copy.to = to;
    if (!status)
        status = vvi_copy_run(&copy, err);
    if (!status)
        status = vv_store_flush(to, err);
    vv_store_free(to);
    self->result.chunks = copy.chunks;
    self->result.stored_bytes = copy.bytes;
    for (size_t g = 0; g < tree->count; g++) {
        self->result.groups++;
        self->result.arrays += tree->groups[g].var_count;
        for (size_t v = 0; v < tree->groups[g].var_count; v++) {
            uint64_t bytes = 0;

            vvi_var_bytes(&tree->groups[g].vars[v], NULL, &bytes);
            self->result.bytes += bytes;
        }
    }
    return status;
}

static vv_status write_netcdf(export *self, vv_error *err)
{
    vvi_file file = VVI_FILE_INIT;
    vv_status status;

    if (self->options.variable_count) {
        VVI_TRY(vvi_plan_select(self->source, self->options.variables,
                                self->options.variable_count, false, err));
        vvi_plan_drop(self->source);
    }
    VVI_TRY(vvi_netcdf_can_hold(self->source, err));
    VVI_TRY(vvi_netcdf_write(self->source, self->partial, &self->options, &self->result,
                             err));
    status = vvi_file_open(&file, self->partial, VVI_FILE_WRITE, err);
    if (!status)
        status = vvi_file_sync(&file, err);
    if (!status)
        status = vvi_file_size(&file, &self->result.stored_bytes, err);
    vvi_file_close(&file);
    return status;
}

/* A directory cannot be renamed over another one, so the old one steps aside first. */
static vv_status replace_directory(const export *self, vv_error *err)
{
    vv_buf old = VV_BUF_INIT;
    struct stat st;
    vv_status status = VV_OK;

    /* This replaces no directory that holds anything. */
    if (!self->options.overwrite || lstat(self->target, &st) < 0)
        return vvi_file_rename(self->partial, self->target, err);
    status = vvi_buf_printf(&old, err, "%s.old", self->partial);
    if (!status)
        status = vvi_file_rename(self->target, (const char *)old.data, err);
    if (!status) {
        status = vvi_file_rename(self->partial, self->target, err);
        if (status)
            vvi_file_rename((const char *)old.data, self->target, NULL);
        else
            remove_tree((const char *)old.data);
    }
    vv_buf_clear(&old);
    return status;
}

/* What came to be at target in the meantime is replaced only if that was asked, as at the start. */
static vv_status put_in_place(const export *self, vv_error *err)
{
    bool netcdf = self->options.format == VV_EXPORT_NETCDF;

    VVI_TRY(check_target(self, err));
    if (netcdf && self->options.overwrite)
        VVI_TRY(vvi_file_rename(self->partial, self->target, err));
    else if (netcdf)
        VVI_TRY(vvi_file_rename_new(self->partial, self->target, err));
    else
        VVI_TRY(replace_directory(self, err));
    return vvi_dir_sync(self->parent, err);
}

static vv_status start(export *self, vv_store *store, const char *path,
                       const vv_export_options *options, vv_error *err)
{
    VVI_TRY(vvi_read_options(&self->options, sizeof(self->options), options, err));
    if (self->options.deflate_level > 9)
        return vvi_fail(err, VV_EINVAL, "deflate level %u is not in 0 … 9",
                        self->options.deflate_level);
    if (!self->options.memory_bytes)
        self->options.memory_bytes = MEMORY_DEFAULT;
    if (self->options.format == VV_EXPORT_AUTO)
        self->options.format = ends_with(self->target, ".nc") ||
                                       ends_with(self->target, ".nc4") ||
                                       ends_with(self->target, ".cdf")
                                   ? VV_EXPORT_NETCDF
                                   : VV_EXPORT_ZARR;
    if (self->options.variable_count && self->options.format == VV_EXPORT_ZARR)
        return vvi_fail(
            err, VV_EINVAL,
            "variables are chosen of a netCDF file; a Zarr directory gets all");
    VVI_TRY(name_files(self, err));
    VVI_TRY(check_target(self, err));
    return vvi_zarr_source_open(store, path, "export", &self->source, err);
}

vv_status vv_dataset_export(vv_store *store, const char *path, const char *target,
                            const vv_export_options *options, vv_import_result *result,
                            vv_error *err)
{
    export self = { .target = target };
    bool netcdf;
    vv_status status = start(&self, store, path, options, err);

    netcdf = self.options.format == VV_EXPORT_NETCDF;
    if (!status) {
        status = netcdf ? write_netcdf(&self, err) : write_zarr(&self, err);
        if (!status)
            status = put_in_place(&self, err);
        if (status && netcdf)
            unlink(self.partial);
        else if (status)
            remove_tree(self.partial);
        if (status)
            vvi_wrap(err, status, "export to %s", target);
    }
    vvi_source_free(self.source);
    vvi_free(self.partial);
    vvi_free(self.parent);
    if (result)
        *result = self.result;
    return status;
}
