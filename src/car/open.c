/* A read-only block store over a CAR file, which is mapped: blocks are lent, not copied. */
#include <varvite/blockstore_backend.h>
#include <varvite/car.h>

#include "blockstore/internal.h"
#include "car/format.h"
#include "car/index.h"
#include "multiformats/cid_map.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/endian.h"
#include "util/file.h"

#include <string.h>

/* Entries of an index that have one digest and another function than asked for; more than that
 * are no accident. */
#define ALIKE_MAX 16

typedef struct car_store {
    vv_blockstore base;
    /* All fixed once open. */
    vvi_map *map;
    uint64_t data;  /* where the CARv1 begins */
    uint64_t first; /* its first section */
    uint64_t end;   /* its end */
    vvi_car_header header;
    bool indexed;
    vvi_car_index index;
    vvi_cid_map offsets; /* without an index: CID → where its section lies in the file */
} car_store;

/* ---- finding ----------------------------------------------------------------------------- */

static vv_status find_in_index(const car_store *self, const vv_cid *cid,
                               vvi_car_section *out, vv_error *err)
{
    size_t cursor = 0;
    uint64_t offset;

    /* Digests of different functions may lie side by side in an index of kind 0x0400. */
    while (cursor < ALIKE_MAX &&
           vvi_car_index_find(&self->index, cid, &cursor, &offset)) {
        if (offset > self->end - self->data)
            return vvi_fail(err, VV_ECORRUPT,
                            "the index of the CAR points past its data (%" PRIu64 ")",
                            offset);
        VVI_TRY(vvi_car_section_at(self->map->data, self->data + offset, self->end, out,
                                   err));
        if (vv_cid_same_block(cid, &out->cid))
            return VV_OK;
    }
    return cursor ? vvi_fail(
                        err, VV_ECORRUPT,
                        "the index of the CAR points to another block, at byte %" PRIu64,
                        out->offset)
                  : vvi_fail_missing_block(err, &self->base, cid);
}

static vv_status find_section(const car_store *self, const vv_cid *cid,
                              vvi_car_section *out, vv_error *err)
{
    const vvi_cid_value *value;

    if (self->indexed)
        return find_in_index(self, cid, out, err);
    value = vvi_cid_map_find(&self->offsets, cid);
    if (!value)
        return vvi_fail_missing_block(err, &self->base, cid);
    return vvi_car_section_at(self->map->data, value->number, self->end, out, err);
}

static vv_status car_get(vv_blockstore *store, const vv_cid *cid, vv_buf *out,
                         vv_error *err)
{
    car_store *self = (car_store *)store;
    vvi_car_section section;

    VVI_TRY(find_section(self, cid, &section, err));
    vvi_buf_lend(out, section.data.data, section.data.len, vvi_map_release,
                 vvi_map_retain(self->map));
    return VV_OK;
}

static vv_status car_size(vv_blockstore *store, const vv_cid *cid, uint64_t *out,
                          vv_error *err)
{
    vvi_car_section section;

    VVI_TRY(find_section((car_store *)store, cid, &section, err));
    *out = section.data.len;
    return VV_OK;
}

static vv_status car_has_many(vv_blockstore *store, const vv_cid *cids, size_t n,
                              bool *out, vv_error *err)
{
    for (size_t i = 0; i < n; i++) {
        vvi_car_section section;
        vv_error why = VV_ERROR_INIT;
        vv_status status = find_section((car_store *)store, &cids[i], &section, &why);

        if (status && status != VV_ENOTFOUND)
            return vvi_fail(err, status, "%s", why.message);
        out[i] = !status;
    }
    return VV_OK;
}

/* ---- listing ----------------------------------------------------------------------------- */

static vv_status visit_section(const car_store *self, uint64_t offset, vv_block_fn visit,
                               void *ctx, vv_error *err)
{
    vvi_car_section section;

    VVI_TRY(vvi_car_section_at(self->map->data, offset, self->end, &section, err));
    if (vvi_cid_holds_block(&section.cid))
        return VV_OK;
    return visit(ctx, &section.cid, section.data.len, err);
}

/* Entries of equal digests are one block that lies there several times, or blocks of several
 * functions; a section that the index finds by its own name is told where it is found first. */
static vv_status visit_entry(const car_store *self, uint64_t offset, vv_block_fn visit,
                             void *ctx, vv_error *err)
{
    vvi_car_section section;
    vvi_car_section found;

    if (offset > self->end - self->data)
        return vvi_fail(err, VV_ECORRUPT,
                        "the index of the CAR points past its data (%" PRIu64 ")",
                        offset);
    VVI_TRY(vvi_car_section_at(self->map->data, self->data + offset, self->end, &section,
                               err));
    VVI_TRY(find_in_index(self, &section.cid, &found, err));
    if (found.offset != section.offset)
        return VV_OK;
    return visit_section(self, section.offset, visit, ctx, err);
}

static vv_status iterate_index(const car_store *self, vv_block_fn visit, void *ctx,
                               vv_error *err)
{
    for (size_t i = 0; i < self->index.count; i++) {
        const vvi_car_bucket *bucket = &self->index.buckets[i];

        for (size_t at = bucket->width; at <= bucket->entries.len; at += bucket->width)
            VVI_TRY(visit_entry(self, vvi_get_le64(bucket->entries.data + at - 8), visit,
                                ctx, err));
    }
    return VV_OK;
}

static vv_status car_iterate(vv_blockstore *store, vv_block_fn visit, void *ctx,
                             vv_error *err)
{
    const car_store *self = (const car_store *)store;
    vvi_cid_value *value;
    size_t cursor = 0;

    if (self->indexed)
        return iterate_index(self, visit, ctx, err);
    while (vvi_cid_map_next(&self->offsets, &cursor, NULL, &value))
        VVI_TRY(visit_section(self, value->number, visit, ctx, err));
    return VV_OK;
}

static vv_status count_block(void *ctx, const vv_cid *cid, uint64_t size, vv_error *err)
{
    vv_blockstore_stats *stats = ctx;

    (void)cid;
    (void)err;
    stats->block_count++;
    stats->block_bytes += size;
    return VV_OK;
}

static vv_status car_stat(vv_blockstore *store, vv_blockstore_stats *out, vv_error *err)
{
    out->storage_bytes = ((car_store *)store)->map->len;
    return car_iterate(store, count_block, out, err);
}

static void car_free(vv_blockstore *store)
{
    car_store *self = (car_store *)store;

    vvi_car_header_clear(&self->header);
    vvi_car_index_clear(&self->index);
    vvi_cid_map_clear(&self->offsets);
    vvi_map_release(self->map);
    vvi_free(self);
}

static const vv_blockstore_ops car_ops = {
    .name = "car",
    .get = car_get,
    .has_many = car_has_many,
    .size = car_size,
    .iterate = car_iterate,
    .stat = car_stat,
    .free = car_free,
};

/* ---- opening ----------------------------------------------------------------------------- */

/* The header at offset; *end is where it ends. */
static vv_status parse_header(car_store *self, uint64_t offset, uint64_t limit,
                              uint64_t *end, vv_error *err)
{
    vv_bytes rest = vvi_bytes(self->map->data + offset, (size_t)(limit - offset));
    uint64_t len;
    size_t used;

    if (vv_varint_decode(rest, &len, &used, err))
        return vvi_wrap(err, VV_ECORRUPT, "byte %" PRIu64 ": not a CAR", offset);
    if (len == 0 || len > VVI_CAR_HEADER_MAX)
        return vvi_fail(err, VV_ECORRUPT,
                        "byte %" PRIu64 ": not a CAR: a header of %" PRIu64 " bytes",
                        offset, len);
    if (len > rest.len - used)
        return vvi_fail(err, VV_ECORRUPT,
                        "byte %" PRIu64 ": the CAR ends inside its header", offset);
    *end = offset + used + len;
    return vvi_car_header_parse(vvi_bytes(rest.data + used, (size_t)len), offset + used,
                                &self->header, err);
}

/* The CARv1 inside a CARv2, and its index if it is of a kind that we read. */
static vv_status enter_v2(car_store *self, vv_error *err)
{
    uint64_t size = self->map->len;
    vvi_car_v2 v2;
    vv_status status;

    if (self->header.root_count || self->first != VVI_CAR_V2_PRAGMA ||
        size < VVI_CAR_V2_BYTES)
        return vvi_fail(err, VV_ECORRUPT, "byte 0: not a CARv2 header");
    vvi_car_header_clear(&self->header);
    VVI_TRY(vvi_car_v2_parse(self->map->data + VVI_CAR_V2_PRAGMA, &v2, err));
    if (v2.data_offset > size || v2.data_size > size - v2.data_offset)
        return vvi_fail(err, VV_ECORRUPT,
                        "byte 27: the CAR has %" PRIu64 " bytes of data at byte %" PRIu64
                        ", but ends at byte %" PRIu64,
                        v2.data_size, v2.data_offset, size);
    self->data = v2.data_offset;
    self->end = v2.data_offset + v2.data_size;
    VVI_TRY(parse_header(self, self->data, self->end, &self->first, err));
    if (v2.index_offset == 0)
        return VV_OK;
    if (v2.index_offset > size)
        return vvi_fail(err, VV_ECORRUPT,
                        "byte 43: the CAR ends before its index, at byte %" PRIu64, size);
    status = vvi_car_index_read(
        &self->index,
        vvi_bytes(self->map->data + v2.index_offset, (size_t)(size - v2.index_offset)),
        v2.index_offset, err);
    self->indexed = status == VV_OK;
    return status == VV_EUNSUPPORTED ? VV_OK : status;
}

static vv_status scan(car_store *self, vv_error *err)
{
    vvi_car_section section;

    for (uint64_t at = self->first; at < self->end; at = section.end) {
        vvi_cid_value *value;
        bool added;

        VVI_TRY(vvi_car_section_at(self->map->data, at, self->end, &section, err));
        if (vvi_cid_holds_block(&section.cid))
            continue;
        VVI_TRY(vvi_cid_map_put(&self->offsets, &section.cid, &value, &added, err));
        if (added)
            value->number = at;
    }
    return VV_OK;
}

static vv_status map_car(car_store *self, const char *path, vv_error *err)
{
    vvi_file file = VVI_FILE_INIT;
    uint64_t size;
    vv_status status;

    VVI_TRY(vvi_file_open(&file, path, VVI_FILE_READ, err));
    status = vvi_file_size(&file, &size, err);
    if (!status && size == 0)
        status = vvi_fail(err, VV_ECORRUPT, "byte 0: not a CAR: it is empty");
    if (!status)
        status = vvi_map_open(&file, (size_t)size, false, &self->map, err);
    vvi_file_close(&file);
    return status;
}

static vv_status open_car(car_store *self, const char *path, vv_error *err)
{
    VVI_TRY(map_car(self, path, err));
    self->end = self->map->len;
    VVI_TRY(parse_header(self, 0, self->end, &self->first, err));
    if (self->header.version == 2)
        VVI_TRY(enter_v2(self, err));
    if (self->header.version != 1)
        return vvi_fail(err, VV_EUNSUPPORTED, "CAR version %" PRIu64 "%s",
                        self->header.version, self->data ? " inside a CARv2" : "");
    return self->indexed ? VV_OK : scan(self, err);
}

vv_status vv_car_open(const char *path, vv_blockstore **out, vv_error *err)
{
    car_store *self = vvi_alloc_zero(sizeof(*self));
    vv_status status;

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    vv_blockstore_base_init(&self->base, &car_ops, false);
    self->base.is_near = true;
    status = open_car(self, path, err);
    if (status) {
        if (status == VV_ECORRUPT || status == VV_EUNSUPPORTED || status == VV_ELIMIT)
            vvi_wrap(err, status, "%s", path);
        car_free(&self->base);
        return status;
    }
    *out = &self->base;
    return VV_OK;
}

vv_status vv_car_roots(vv_blockstore *car, const vv_cid **roots, size_t *n, vv_error *err)
{
    car_store *self = (car_store *)car;

    if (car->ops != &car_ops)
        return vvi_fail(err, VV_EINVAL, "a %s store has no roots of its own",
                        car->ops->name);
    *roots = self->header.roots;
    *n = self->header.root_count;
    return VV_OK;
}
