#include "local/layout.h"

#include "util/buf.h"

#include <stdio.h>
#include <string.h>

static const char store_magic[8] = { 'V', 'V', 'S', 'T', 'O', 'R', 'E', '\n' };
static const char segment_magic[8] = { 'V', 'V', 'P', 'A', 'C', 'K', '1', '\n' };

/* ---- the file varvite-store ------------------------------------------------------------ */

void vvi_store_file_encode(const uint8_t id[16], uint8_t out[VVI_STORE_FILE_SIZE])
{
    memset(out, 0, VVI_STORE_FILE_SIZE);
    memcpy(out, store_magic, 8);
    vvi_put_le32(out + 8, VVI_LOCAL_VERSION);
    memcpy(out + 16, id, 16);
    vvi_put_le32(out + 12, vv_crc32c(0, vvi_bytes(out + 16, VVI_STORE_FILE_SIZE - 16)));
}

vv_status vvi_store_file_decode(vv_bytes bytes, vvi_local_key *out, vv_error *err)
{
    uint32_t version;

    if (bytes.len < 16 || memcmp(bytes.data, store_magic, 8) != 0)
        return vvi_fail(err, VV_ECORRUPT, "%s is damaged or of another program; see fsck",
                        VVI_STORE_FILE);
    version = vvi_get_le32(bytes.data + 8);
    if (version != VVI_LOCAL_VERSION)
        return vvi_fail(
            err, VV_EUNSUPPORTED,
            "%s: the store has format version %u, this build reads version %u",
            VVI_STORE_FILE, version, VVI_LOCAL_VERSION);
    if (bytes.len != VVI_STORE_FILE_SIZE ||
        vvi_get_le32(bytes.data + 12) !=
            vv_crc32c(0, vvi_bytes(bytes.data + 16, VVI_STORE_FILE_SIZE - 16)))
        return vvi_fail(err, VV_ECORRUPT, "%s is damaged; fsck with repair mends it",
                        VVI_STORE_FILE);
    vvi_local_key_init(out, bytes.data + 16);
    return VV_OK;
}

void vvi_local_key_init(vvi_local_key *key, const uint8_t id[16])
{
    memcpy(key->id, id, 16);
    key->crc_seed = vv_crc32c(0, vvi_bytes(id, 16));
    key->tag_seed = vvi_get_le64(id) ^ vvi_get_le64(id + 8) * 0x9E3779B97F4A7C15u;
}

/* ---- pack segments --------------------------------------------------------------------- */

void vvi_segment_name(uint64_t number, char out[VVI_SEGMENT_NAME_MAX])
{
    snprintf(out, VVI_SEGMENT_NAME_MAX, "pack-%08" PRIu32, (uint32_t)number);
}

uint64_t vvi_segment_number(const char *name)
{
    char again[VVI_SEGMENT_NAME_MAX];
    uint64_t number = 0;

    if (strncmp(name, "pack-", 5) != 0)
        return 0;
    for (const char *c = name + 5; *c; c++) {
        if (*c < '0' || *c > '9' || number > VVI_SEGMENT_MAX)
            return 0;
        number = number * 10 + (uint64_t)(*c - '0');
    }
    if (number == 0 || number > VVI_SEGMENT_MAX)
        return 0;
    vvi_segment_name(number, again);
    return strcmp(again, name) == 0 ? number : 0;
}

void vvi_segment_header_encode(const vvi_segment_header *header,
                               uint8_t out[VVI_SEGMENT_HEADER])
{
    memset(out, 0, VVI_SEGMENT_HEADER);
    memcpy(out, segment_magic, 8);
    vvi_put_le32(out + 8, VVI_LOCAL_VERSION);
    memcpy(out + 16, header->id, 16);
    vvi_put_le64(out + 32, header->number);
    vvi_put_le64(out + 40, header->previous);
    vvi_put_le64(out + 48, header->previous_end);
    vvi_put_le32(out + 12, vv_crc32c(0, vvi_bytes(out + 16, VVI_SEGMENT_HEADER - 16)));
}

vv_status vvi_segment_header_decode(vv_bytes bytes, vvi_segment_header *out,
                                    vv_error *err)
{
    if (bytes.len < VVI_SEGMENT_HEADER || memcmp(bytes.data, segment_magic, 8) != 0)
        return vvi_fail(err, VV_ECORRUPT, "not a pack file");
    /* The store has one version, which varvite-store says; another one here is damage. */
    if (vvi_get_le32(bytes.data + 8) != VVI_LOCAL_VERSION ||
        vvi_get_le32(bytes.data + 12) !=
            vv_crc32c(0, vvi_bytes(bytes.data + 16, VVI_SEGMENT_HEADER - 16)))
        return vvi_fail(err, VV_ECORRUPT, "the header of a pack file is damaged");
    memcpy(out->id, bytes.data + 16, 16);
    out->number = vvi_get_le64(bytes.data + 32);
    out->previous = vvi_get_le64(bytes.data + 40);
    out->previous_end = vvi_get_le64(bytes.data + 48);
    return VV_OK;
}

/* ---- records --------------------------------------------------------------------------- */

size_t vvi_record_encode(vvi_record_kind kind, const vv_cid *cid, uint64_t data_len,
                         uint32_t data_crc, uint8_t out[VVI_RECORD_HEADER_MAX])
{
    size_t len = vvi_record_header_len(cid->digest_len);

    vvi_put_le32(out, VVI_RECORD_MAGIC);
    vvi_put_le32(out + 4, 0);
    out[8] = (uint8_t)kind;
    out[9] = cid->version;
    out[10] = cid->digest_len;
    out[11] = 0;
    vvi_put_le32(out + 12, data_crc);
    vvi_put_le64(out + 16, data_len);
    vvi_put_le32(out + 24, cid->codec);
    vvi_put_le32(out + 28, cid->hash);
    memcpy(out + VVI_RECORD_FIXED, cid->digest, cid->digest_len);
    memset(out + VVI_RECORD_FIXED + cid->digest_len, 0,
           len - VVI_RECORD_FIXED - cid->digest_len);
    return len;
}

static uint32_t record_check(const uint8_t *header, const vvi_local_key *key,
                             vvi_place place)
{
    uint8_t at[8];
    uint32_t crc;

    vvi_put_le64(at, place);
    crc = vv_crc32c(key->crc_seed, vvi_bytes(at, 8));
    return vv_crc32c(crc, vvi_bytes(header + 8, VVI_RECORD_FIXED - 8u + header[10]));
}

void vvi_record_set_check(uint8_t *header, const vvi_local_key *key, vvi_place place)
{
    vvi_put_le32(header + 4, record_check(header, key, place));
}

bool vvi_record_decode(vv_bytes bytes, const vvi_local_key *key, vvi_place place,
                       vvi_record *out)
{
    const uint8_t *header = bytes.data;

    if (bytes.len < VVI_RECORD_FIXED || vvi_get_le32(header) != VVI_RECORD_MAGIC ||
        header[10] > VV_DIGEST_MAX || bytes.len < VVI_RECORD_FIXED + (size_t)header[10] ||
        vvi_get_le32(header + 4) != record_check(header, key, place))
        return false;
    if (header[8] < VVI_RECORD_BLOCK || header[8] > VVI_RECORD_VOID)
        return false;
    out->kind = (vvi_record_kind)header[8];
    out->data_crc = vvi_get_le32(header + 12);
    out->data_len = vvi_get_le64(header + 16);
    if (out->data_len > (uint64_t)1 << 31) /* VV_BLOCK_BYTES_MAX */
        return false;
    out->header_len = vvi_record_header_len(header[10]);
    out->total_len = out->header_len;
    if (vvi_record_is_block(out) || out->kind == VVI_RECORD_VOID)
        out->total_len += vvi_pad8(out->data_len);
    return true;
}

void vvi_record_cid(const uint8_t *header, vv_cid *out)
{
    memset(out, 0, sizeof(*out));
    out->version = header[9];
    out->digest_len = header[10];
    out->codec = vvi_get_le32(header + 24);
    out->hash = vvi_get_le32(header + 28);
    memcpy(out->digest, header + VVI_RECORD_FIXED, out->digest_len);
}
