/* CAR → block store: sections are gathered, checked together and stored in one call. */
#include <varvite/car.h>

#include "blockstore/internal.h"
#include "car/progress.h"
#include "car/stream.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/file.h"
#include "util/options.h"

#include <string.h>

#define BATCH_BLOCKS ((size_t)256)
#define BATCH_BYTES  ((size_t)8 << 20)

typedef struct import {
    vv_blockstore *store;
    vv_car_options options;
    vvi_car_stream stream;
    vvi_car_progress progress;
    vv_car_result result;
    vv_buf bytes; /* sections without their lengths */
    size_t count;
    struct {
        uint64_t offset;  /* in the stream */
        size_t data, len; /* the block, in bytes */
    } at[BATCH_BLOCKS];
    vv_block blocks[BATCH_BLOCKS];
    vv_cid cids[BATCH_BLOCKS];
    vv_bytes data[BATCH_BLOCKS];
    vv_status statuses[BATCH_BLOCKS];
    bool there[BATCH_BLOCKS];
} import;

/* How many blocks of the batch, from its first, are what they claim to be; why not the next. */
static size_t check_batch(import *self, vv_status *status, vv_error *err)
{
    for (size_t i = 0; i < self->count; i++) {
        self->data[i] = vvi_bytes(self->bytes.data + self->at[i].data, self->at[i].len);
        self->statuses[i] = VV_OK;
        self->blocks[i] = (vv_block){ self->cids[i], self->data[i] };
    }
    vvi_verify_many(self->cids, self->data, self->statuses, self->count);
    for (size_t i = 0; i < self->count; i++)
        if (self->statuses[i]) {
            *status = vv_cid_verify(&self->cids[i], self->data[i], err);
            if (!*status) /* there was no memory for it before */
                continue;
            vvi_wrap(err, *status, "byte %" PRIu64, self->at[i].offset);
            return i;
        }
    *status = VV_OK;
    return self->count;
}

static vv_status store_batch(import *self, vv_error *err)
{
    vv_status damage;
    size_t good = check_batch(self, &damage, err);

    if (good) {
        VVI_TRY(vv_blockstore_has_many(self->store, self->cids, good, self->there, err));
        VVI_TRY(vvi_blockstore_add_checked(self->store, self->blocks, good, err));
    }
    for (size_t i = 0; i < good; i++) {
        self->result.blocks++;
        self->result.bytes += self->data[i].len;
        self->result.already += self->there[i];
    }
    self->bytes.len = 0;
    self->count = 0;
    /* A batch may have grown with one long block; memory is bounded by what is usual again. */
    if (self->bytes.cap > 2 * BATCH_BYTES)
        vv_buf_clear(&self->bytes);
    if (damage)
        return damage;
    return vvi_car_tell(&self->progress, &self->result, err);
}

static vv_status import_blocks(import *self, vv_error *err)
{
    vv_status status = VV_OK;
    bool ended = false;

    while (!status && !ended) {
        size_t before = self->bytes.len;
        size_t cid_bytes = 0;
        size_t i = self->count;

        status = vvi_car_stream_next(&self->stream, &self->bytes, &self->cids[i],
                                     &cid_bytes, &self->at[i].offset, &ended, err);
        if (!status && !ended) {
            self->at[i].data = before + cid_bytes;
            self->at[i].len = self->bytes.len - self->at[i].data;
            self->count++;
            if (self->count == BATCH_BLOCKS || self->bytes.len >= BATCH_BYTES)
                status = store_batch(self, err);
        } else if (self->count) {
            /* What came before the end or the damage is stored; the first damage is told. */
            vv_error why = VV_ERROR_INIT;
            vv_status stored = store_batch(self, &why);

            if (stored)
                return vvi_fail(err, stored, "%s", why.message);
        }
    }
    return status;
}

static vv_status import_stream(import *self, vv_source source, vv_error *err)
{
    vv_status status = vvi_car_stream_init(&self->stream, source, err);

    if (!status)
        status = import_blocks(self, err);
    return status;
}

vv_status vv_car_import_stream(vv_source source, vv_blockstore *store,
                               const vv_car_options *options, vv_cid **roots,
                               size_t *root_count, vv_car_result *result, vv_error *err)
{
    import *self = vvi_alloc_zero(sizeof(*self));
    vv_status status;

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    self->store = store;
    status = vvi_read_options(&self->options, sizeof(self->options), options, err);
    self->progress = (vvi_car_progress){ "import", self->options.progress,
                                         self->options.ctx, 0 };
    if (!status)
        status = import_stream(self, source, err);
    if (!status && roots) {
        *roots = self->stream.header.roots;
        self->stream.header.roots = NULL;
    }
    if (!status && root_count)
        *root_count = self->stream.header.root_count;
    if (result)
        *result = self->result;
    vvi_car_stream_clear(&self->stream);
    vv_buf_clear(&self->bytes);
    vvi_free(self);
    return status;
}

/* ---- from a file ------------------------------------------------------------------------- */

typedef struct file_source {
    vvi_file file;
    uint64_t offset;
} file_source;

static vv_status read_file(void *ctx, uint8_t *out, size_t cap, size_t *len,
                           vv_error *err)
{
    file_source *self = ctx;

    VVI_TRY(vvi_file_read_at(&self->file, self->offset, out, cap, len, err));
    self->offset += *len;
    return VV_OK;
}

vv_status vv_car_import(const char *path, vv_blockstore *store,
                        const vv_car_options *options, vv_cid **roots, size_t *root_count,
                        vv_car_result *result, vv_error *err)
{
    file_source from = { VVI_FILE_INIT, 0 };
    vv_source source = { read_file, &from };
    vv_status status;

    VVI_TRY(vvi_file_open(&from.file, path, VVI_FILE_READ, err));
    status = vv_car_import_stream(source, store, options, roots, root_count, result, err);
    if (status == VV_ECORRUPT || status == VV_EUNSUPPORTED || status == VV_ELIMIT)
        vvi_wrap(err, status, "%s", path);
    vvi_file_close(&from.file);
    return status;
}
