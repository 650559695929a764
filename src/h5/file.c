/* The file: superblock, and reading at addresses. */
#include "h5/inner.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/thread.h"

#include <string.h>

#define SUPERBLOCK_MAX 128
#define OPEN_FLAGS     5 /* of a file that a recorder has open */

static const uint8_t signature[8] = { 0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n' };

/* ---- reading ------------------------------------------------------------------------------- */

/* What a writer has open may have become longer since it was looked at, and its index may lead there. */
static bool lies_within(const vvi_h5 *file, uint64_t at, uint64_t len)
{
    uint64_t size = file->info.size;

    if (at <= size && len <= size - at)
        return true;
    return file->info.own_flags && vvi_file_size(&file->file, &size, NULL) == VV_OK &&
           at <= size && len <= size - at;
}

vv_status vvi_h5_load_into(const vvi_h5 *file, uint64_t address, void *out, size_t len,
                           vv_error *err)
{
    uint64_t at;
    size_t got;

    if (__builtin_add_overflow(file->base, address, &at) || !lies_within(file, at, len))
        return vvi_fail(err, VV_ECORRUPT,
                        "%zu bytes at address %" PRIu64 " lie past the end of the file",
                        len, address);
    VVI_TRY(vvi_file_read_at(&file->file, at, out, len, &got, err));
    if (got < len)
        return vvi_fail(err, VV_ECORRUPT, "the file was cut while it was read");
    vvi_h5_overlay_apply(&file->overlay, at, out, len);
    return VV_OK;
}

vv_status vvi_h5_load(const vvi_h5 *file, uint64_t address, uint64_t len, vv_buf *out,
                      vv_error *err)
{
    if (len > VVI_H5_BLOCK_MAX)
        return vvi_fail(err, VV_ECORRUPT,
                        "metadata of %" PRIu64 " bytes at address %" PRIu64, len,
                        address);
    /* Before memory is taken for what the file does not have. */
    if (!lies_within(file, 0, len))
        return vvi_fail(err, VV_ECORRUPT,
                        "%" PRIu64 " bytes at address %" PRIu64
                        " lie past the end of the file",
                        len, address);
    out->len = 0;
    VVI_TRY(vvi_buf_reserve(out, (size_t)len, err));
    VVI_TRY(vvi_h5_load_into(file, address, out->data, (size_t)len, err));
    out->len = (size_t)len;
    return VV_OK;
}

vv_status vvi_h5_load_block(const vvi_h5 *file, uint64_t address, uint64_t len,
                            const char *letters, bool checked, vv_buf *out, vv_error *err)
{
    size_t tail = checked ? 4 : 0;

    VVI_TRY(vvi_h5_load(file, address, len, out, err));
    if (out->len < 4 + tail || memcmp(out->data, letters, 4) != 0)
        return vvi_fail(err, VV_ECORRUPT, "address %" PRIu64 " holds no %s", address,
                        letters);
    if (checked && vvi_h5_checksum(vvi_bytes(out->data, out->len - 4)) !=
                       vvi_get_le32(out->data + out->len - 4))
        return vvi_fail(err, VV_ECORRUPT,
                        "%s at address %" PRIu64 ": its checksum is wrong", letters,
                        address);
    return VV_OK;
}

/* ---- superblock ---------------------------------------------------------------------------- */

static vv_status check_widths(uint64_t offsets, uint64_t lengths, vv_error *err)
{
    if (offsets != 8 || lengths != 8)
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "addresses of %" PRIu64 " bytes and lengths of %" PRIu64, offsets,
                        lengths);
    return VV_OK;
}

/* Versions 0 and 1: behind the addresses stands the symbol table entry of the root group. */
static vv_status read_old(vvi_h5 *file, vvi_h5_cursor *in, vv_error *err)
{
    uint64_t offsets, lengths;

    vvi_h5_take(in, 4);
    offsets = vvi_h5_number(in, 1);
    lengths = vvi_h5_number(in, 1);
    vvi_h5_take(in, file->info.superblock == 0 ? 9 : 13);
    VVI_TRY(check_widths(offsets, lengths, err));
    file->base = vvi_h5_number(in, 8);
    vvi_h5_take(in, 8);
    file->info.end = vvi_h5_number(in, 8);
    vvi_h5_take(in, 16);
    file->info.root = vvi_h5_number(in, 8);
    return VV_OK;
}

static vv_status read_new(vvi_h5 *file, vvi_h5_cursor *in, const uint8_t *block,
                          vv_error *err)
{
    uint64_t offsets = vvi_h5_number(in, 1);
    uint64_t lengths = vvi_h5_number(in, 1);

    VVI_TRY(check_widths(offsets, lengths, err));
    file->info.flags = (uint8_t)vvi_h5_number(in, 1);
    file->base = vvi_h5_number(in, 8);
    vvi_h5_take(in, 8);
    file->info.end = vvi_h5_number(in, 8);
    file->info.root = vvi_h5_number(in, 8);
    if (!in->short_of &&
        vvi_h5_checksum(vvi_bytes(block, 44)) != (uint32_t)vvi_h5_number(in, 4))
        return vvi_fail(err, VV_ECORRUPT, "the superblock's checksum is wrong");
    return VV_OK;
}

static vv_status parse_superblock(vvi_h5 *file, const uint8_t *block, size_t got,
                                  vv_error *err)
{
    vvi_h5_cursor in;

    if (got < sizeof(signature) || memcmp(block, signature, sizeof(signature)) != 0)
        return vvi_fail(err, VV_ECORRUPT, "no HDF5 file");
    in = vvi_h5_cursor_of(vvi_bytes(block + 8, got - 8));
    file->info.superblock = (uint8_t)vvi_h5_number(&in, 1);
    file->info.flags = 0;
    if (file->info.superblock > 3)
        return vvi_fail(err, VV_EUNSUPPORTED, "a superblock of version %d",
                        file->info.superblock);
    VVI_TRY(file->info.superblock < 2 ? read_old(file, &in, err)
                                      : read_new(file, &in, block, err));
    if (in.short_of)
        return vvi_fail(err, VV_ECORRUPT, "the file ends inside its superblock");
    return VV_OK;
}

/* A file that a writer has open is read as of the commit in its journal; so is one whose superblock was only half written
 * when its writer ended. */
static vv_status read_superblock(vvi_h5 *file, vv_error *err)
{
    uint8_t block[SUPERBLOCK_MAX] = { 0 };
    vv_error why = VV_ERROR_INIT;
    vv_status status;
    size_t got;

    vvi_h5_overlay_clear(&file->overlay);
    file->info.commit = 0;
    VVI_TRY(vvi_file_size(&file->file, &file->info.size, err));
    VVI_TRY(vvi_file_read_at(&file->file, 0, block, sizeof(block), &got, err));
    status = parse_superblock(file, block, got, &why);
    file->info.own_flags = status ? OPEN_FLAGS : file->info.flags;
    if (!file->info.own_flags)
        return VV_OK;
    if (!status || file->info.superblock == 3)
        VVI_TRY(vvi_h5_overlay_read(file->file.path, &file->file, &file->overlay, err));
    file->info.commit = file->overlay.seq;
    if (!file->info.commit)
        return status ? vvi_fail(err, status, "%s", why.message) : VV_OK;
    /* The commit made the file as long as it says before it was written. */
    VVI_TRY(vvi_file_size(&file->file, &file->info.size, err));
    vvi_h5_overlay_apply(&file->overlay, 0, block, got);
    return parse_superblock(file, block, got, err);
}

vv_status vvi_h5_refresh(vvi_h5 *file, vv_error *err)
{
    vv_status status = read_superblock(file, err);

    vvi_h5_cache_clear(file->cache);
    /* The end counts from the base address on. A closed file is as long as it says; one that is written
     * may be longer. */
    if (!status && file->info.end > file->info.size - file->base)
        status = vvi_fail(err, VV_ECORRUPT,
                          "cut short: %" PRIu64 " bytes of %" PRIu64 " are there",
                          file->info.size, file->base + file->info.end);
    return status ? vvi_wrap(err, status, "%s", file->file.path) : VV_OK;
}

/* A writer does not use space again that it moved chunks out of for longer than this. */
#define STALE_NS ((uint64_t)30 * 1000000000)

bool vvi_h5_is_stale(const vvi_h5 *file)
{
    uint8_t block[12];
    uint64_t changed, names;
    size_t got;

    if (!file->info.flags)
        return false;
    if (vvi_file_read_at(&file->file, 0, block, sizeof(block), &got, NULL) ||
        got < sizeof(block) ||
        (file->info.superblock >= 2 && block[11] != file->info.own_flags))
        return true;
    return vvi_now_ns() - file->looked_ns > STALE_NS &&
           (vvi_file_changed(&file->file, &changed, &names, NULL) ||
            changed != file->changed_ns);
}

vv_status vvi_h5_reopen(const vvi_h5 *file, vvi_h5 **out, vv_error *err)
{
    uint64_t before, now;
    vv_status status;

    VVI_TRY(vvi_file_identity(&file->file, &before, err));
    VVI_TRY(vvi_h5_open(file->file.path, out, err));
    status = vvi_file_identity(&(*out)->file, &now, err);
    if (!status && now != before)
        status = vvi_fail(err, VV_EIO, "%s is another file now", file->file.path);
    if (status)
        vvi_h5_close(*out);
    return status;
}

vv_status vvi_h5_open(const char *path, vvi_h5 **out, vv_error *err)
{
    vvi_h5 *file = vvi_alloc_zero(sizeof(*file));
    vv_status status;

    if (!file)
        return vvi_fail_nomem(err, sizeof(*file));
    file->file = VVI_FILE_INIT;
    status = vvi_h5_cache_new(&file->cache, err);
    if (!status)
        status = vvi_file_open(&file->file, path, VVI_FILE_READ, err);
    if (!status)
        status = vvi_h5_refresh(file, err);
    if (status)
        vvi_h5_close(file);
    else
        *out = file;
    return status;
}

void vvi_h5_close(vvi_h5 *file)
{
    if (!file)
        return;
    vvi_h5_overlay_clear(&file->overlay);
    vvi_file_close(&file->file);
    vvi_h5_overlay_clear(&file->overlay);
    vvi_h5_cache_free(file->cache);
    vvi_h5_overlay_clear(&file->overlay);
    vvi_free(file);
}

const vvi_h5_info *vvi_h5_get_info(const vvi_h5 *file)
{
    return &file->info;
}

/* ---- checksum ------------------------------------------------------------------------------ */

static uint32_t turn(uint32_t x, int by)
{
    return x << by | x >> (32 - by);
}

static void mix(uint32_t s[3])
{
    static const int by[6] = { 4, 6, 8, 16, 19, 4 };

    for (int i = 0; i < 6; i++) {
        uint32_t *a = &s[i % 3], *b = &s[(i + 1) % 3], *c = &s[(i + 2) % 3];

        *a = (*a - *c) ^ turn(*c, by[i]);
        *c += *b;
    }
}

static void finish(uint32_t s[3])
{
    static const int by[7] = { 14, 11, 25, 16, 4, 14, 24 };

    for (int i = 0; i < 7; i++) {
        uint32_t *to = &s[(2 + i) % 3];
        uint32_t from = s[(1 + i) % 3];

        *to = (*to ^ from) - turn(from, by[i]);
    }
}

uint32_t vvi_h5_checksum(vv_bytes data)
{
    uint32_t start = 0xDEADBEEF + (uint32_t)data.len;
    uint32_t s[3] = { start, start, start };
    const uint8_t *at = data.data;
    size_t len = data.len;

    for (; len > 12; len -= 12, at += 12) {
        for (int i = 0; i < 3; i++)
            s[i] += vvi_get_le32(at + 4 * i);
        mix(s);
    }
    if (len) {
        uint8_t last[12] = { 0 };

        memcpy(last, at, len);
        for (int i = 0; i < 3; i++)
            s[i] += vvi_get_le32(last + 4 * i);
        finish(s);
    }
    return s[2];
}
