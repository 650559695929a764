/* Block store → CAR: the blocks below the roots, in the order of the walk. */
#include <varvite/car.h>
#include <varvite/dag.h>

#include "car/format.h"
#include "car/index.h"
#include "car/progress.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/file.h"
#include "util/options.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Short sections are gathered; a block of this length is written as it is. */
#define GATHER_BYTES ((size_t)1 << 18)

typedef struct export
{
    vv_car_options options;
    vv_sink sink;
    vv_buf gathered;
    uint64_t offset; /* of the next byte, from the start of the CARv1 */
    bool indexed;
    vvi_car_index index;
    vvi_car_progress progress;
    vv_car_result result;
}
export;

static vv_status flush(export *self, vv_error *err)
{
    if (self->gathered.len)
        VVI_TRY(self->sink.write(self->sink.ctx, vvi_buf_bytes(&self->gathered), err));
    self->gathered.len = 0;
    return VV_OK;
}

static vv_status write_bytes(export *self, vv_bytes bytes, vv_error *err)
{
    self->offset += bytes.len;
    if (self->gathered.len + bytes.len > GATHER_BYTES)
        VVI_TRY(flush(self, err));
    if (bytes.len >= GATHER_BYTES)
        return self->sink.write(self->sink.ctx, bytes, err);
    return vvi_buf_append(&self->gathered, bytes, err);
}

static vv_status export_block(void *ctx, const vv_dag_visit *visit, vv_error *err)
{
    export *self = ctx;
    uint8_t head[VVI_CAR_SECTION_HEAD_MAX];
    vv_cid name = vvi_car_name(visit->cid, visit->codec);

    if (visit->status == VV_ENOTFOUND && self->options.allow_missing) {
        self->result.missing++;
        return VV_OK;
    }
    if (visit->status)
        return vvi_fail(err, visit->status, "%s", visit->message);
    /* Its CID holds the block: whoever reads the link has it. */
    if (name.hash == VV_HASH_IDENTITY)
        return VV_OK;
    if (self->indexed)
        VVI_TRY(vvi_car_index_add(&self->index, &name, self->offset, err));
    VVI_TRY(write_bytes(
        self, vvi_bytes(head, vvi_car_section_head(&name, visit->data.len, head)), err));
    VVI_TRY(write_bytes(self, visit->data, err));
    self->result.blocks++;
    self->result.bytes += visit->data.len;
    return vvi_car_tell(&self->progress, &self->result, err);
}

static vv_status export_init(export *self, const vv_car_options *options, vv_error *err)
{
    VVI_TRY(vvi_read_options(&self->options, sizeof(self->options), options, err));
    if (self->options.version > 2)
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "CAR version %" PRIu32 "; 1 and 2 can be written",
                        self->options.version);
    self->progress = (vvi_car_progress){ "export", self->options.progress,
                                         self->options.ctx, 0 };
    return VV_OK;
}

static vv_status export_v1(export *self, vv_blockstore *store, const vv_cid *roots,
                           size_t n, vv_error *err)
{
    vv_dag_options walk = VV_DAG_OPTIONS_INIT;
    vv_buf header = VV_BUF_INIT;
    vv_status status = vvi_car_header_write(roots, n, &header, err);

    walk.bare_links = self->options.bare_links;
    if (!status)
        status = write_bytes(self, vvi_buf_bytes(&header), err);
    if (!status)
        status = vv_dag_walk(store, roots, n, &walk, export_block, self, err);
    if (!status)
        status = flush(self, err);
    vv_buf_clear(&header);
    return status;
}

static void export_clear(export *self)
{
    vvi_car_index_clear(&self->index);
    vv_buf_clear(&self->gathered);
}

vv_status vv_car_export_stream(vv_blockstore *store, const vv_cid *roots, size_t n,
                               const vv_car_options *options, vv_sink sink,
                               vv_car_result *result, vv_error *err)
{
    export self = { .sink = sink };
    vv_status status = export_init(&self, options, err);

    if (!status && self.options.version == 2)
        status = vvi_fail(err, VV_EINVAL,
                          "a CARv2 needs a file: its header says how long it is");
    if (!status)
        status = export_v1(&self, store, roots, n, err);
    if (result)
        *result = self.result;
    export_clear(&self);
    return status;
}

/* ---- to a file --------------------------------------------------------------------------- */

typedef struct file_sink {
    vvi_file file;
    uint64_t offset;
} file_sink;

static vv_status write_file(void *ctx, vv_bytes data, vv_error *err)
{
    file_sink *self = ctx;

    VVI_TRY(vvi_file_write_at(&self->file, self->offset, data, err));
    self->offset += data.len;
    return VV_OK;
}

static vv_status write_v2(export *self, file_sink *out, vv_blockstore *store,
                          const vv_cid *roots, size_t n, vv_error *err)
{
    vvi_car_v2 v2 = { .data_offset = VVI_CAR_V2_BYTES };
    uint8_t header[VVI_CAR_V2_BYTES];

    out->offset = VVI_CAR_V2_BYTES;
    self->indexed = !self->options.no_index;
    VVI_TRY(export_v1(self, store, roots, n, err));
    v2.data_size = self->offset;
    if (self->indexed) {
        v2.index_offset = out->offset;
        VVI_TRY(vvi_car_index_write(&self->index, self->sink, err));
    }
    vvi_car_v2_write(&v2, header);
    return vvi_file_write_at(&out->file, 0, vvi_bytes(header, sizeof(header)), err);
}

/* The directory that a path lies in; vvi_free() it. */
static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return vvi_strdup(".");
    return slash == path ? vvi_strdup("/") : vvi_strndup(path, (size_t)(slash - path));
}

/* The name a file has until it is complete; vvi_free() it. */
static char *part_of(const char *path)
{
    size_t size = strlen(path) + 32;
    char *part = vvi_alloc(size);

    if (part)
        snprintf(part, size, "%s.%ld.part", path, (long)getpid());
    return part;
}

/* Complete, on the disk, and under its name. */
static vv_status finish(file_sink *out, const char *part, const char *path,
                        const char *directory, vv_error *err)
{
    VVI_TRY(vvi_file_sync(&out->file, err));
    vvi_file_close(&out->file);
    VVI_TRY(vvi_file_rename(part, path, err));
    return vvi_dir_sync(directory, err);
}

static vv_status export_file(export *self, vv_blockstore *store, const vv_cid *roots,
                             size_t n, const char *part, const char *path,
                             const char *directory, vv_error *err)
{
    file_sink out = { VVI_FILE_INIT, 0 };
    vv_status status;

    VVI_TRY(vvi_file_open(&out.file, part,
                          VVI_FILE_WRITE | VVI_FILE_CREATE | VVI_FILE_TRUNCATE, err));
    self->sink = (vv_sink){ write_file, &out };
    status = self->options.version == 2 ? write_v2(self, &out, store, roots, n, err)
                                        : export_v1(self, store, roots, n, err);
    if (!status)
        status = finish(&out, part, path, directory, err);
    self->sink = (vv_sink){ NULL, NULL };
    vvi_file_close(&out.file);
    if (status)
        vvi_file_unlink(part, NULL);
    return status;
}

vv_status vv_car_export(vv_blockstore *store, const vv_cid *roots, size_t n,
                        const vv_car_options *options, const char *path,
                        vv_car_result *result, vv_error *err)
{
    export self = { .indexed = false };
    char *directory = directory_of(path);
    char *part = part_of(path);
    vv_status status = directory && part ? export_init(&self, options, err)
                                         : vvi_fail_nomem(err, strlen(path));

    if (!status)
        status = export_file(&self, store, roots, n, part, path, directory, err);
    if (result)
        *result = self.result;
    export_clear(&self);
    vvi_free(part);
    vvi_free(directory);
    return status;
}
