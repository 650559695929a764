/*
 * The bytes of the embedded store: docs/format/local-store.md in code. All integers are
 * little-endian.
 */
#ifndef VVI_LOCAL_LAYOUT_H
#define VVI_LOCAL_LAYOUT_H

#include <varvite/cid.h>
#include <varvite/hash.h>

#include "util/endian.h"
#include "util/error.h"

#define VVI_LOCAL_VERSION 1u

#define VVI_STORE_FILE  "varvite-store"
#define VVI_WRITER_LOCK "lock.writer"
#define VVI_OPEN_LOCK   "lock.open"
#define VVI_INDEX_FILE  "index"
#define VVI_INDEX_NEW   "index.new"
#define VVI_QUARANTINE  "quarantine"

/* What tells one store from another; from the file varvite-store. */
typedef struct vvi_local_key {
    uint8_t id[16];
    uint32_t
        crc_seed; /* of record headers: a record copied from elsewhere does not check */
    uint64_t tag_seed; /* of the index: nobody outside can choose colliding digests */
} vvi_local_key;

/* ---- the file varvite-store ------------------------------------------------------------ */

#define VVI_STORE_FILE_SIZE 64
void vvi_store_file_encode(const uint8_t id[16], uint8_t out[VVI_STORE_FILE_SIZE]);
/* VV_ECORRUPT, VV_EUNSUPPORTED (another version; the message gives both). */
vv_status vvi_store_file_decode(vv_bytes bytes, vvi_local_key *out, vv_error *err);
void vvi_local_key_init(vvi_local_key *key, const uint8_t id[16]);

/* ---- places ---------------------------------------------------------------------------- */

/*
 * Where a record begins, or where the log ends: segment number and offset in one integer that
 * grows along the log. Segment numbers begin at 1, so 0 and 1 are free to mean an empty slot
 * and a slot whose block was deleted.
 */
typedef uint64_t vvi_place;
#define VVI_PLACE_EMPTY       ((vvi_place)0)
#define VVI_PLACE_DELETED     ((vvi_place)1)
#define VVI_OFFSET_BITS       37 /* of offset / 8: segments up to 1 TiB */
#define VVI_SEGMENT_MAX       ((uint64_t)1 << 26)
#define VVI_SEGMENT_BYTES_MAX ((uint64_t)1 << 39)

static inline vvi_place vvi_place_of(uint64_t segment, uint64_t offset)
{
    return segment << VVI_OFFSET_BITS | offset >> 3;
}

static inline uint64_t vvi_place_segment(vvi_place place)
{
    return place >> VVI_OFFSET_BITS;
}

static inline uint64_t vvi_place_offset(vvi_place place)
{
    return (place & (((uint64_t)1 << VVI_OFFSET_BITS) - 1)) << 3;
}

static inline uint64_t vvi_pad8(uint64_t n)
{
    return (n + 7) & ~(uint64_t)7;
}

/* ---- pack segments --------------------------------------------------------------------- */

#define VVI_SEGMENT_HEADER   64
#define VVI_SEGMENT_NAME_MAX 24
void vvi_segment_name(uint64_t number, char out[VVI_SEGMENT_NAME_MAX]);
/* 0: not the name of a segment. */
uint64_t vvi_segment_number(const char *name);

typedef struct vvi_segment_header {
    uint8_t id[16];
    uint64_t number;
    uint64_t previous;     /* the segment before it in the log; 0: none */
    uint64_t previous_end; /* where that one's records end */
} vvi_segment_header;
void vvi_segment_header_encode(const vvi_segment_header *header,
                               uint8_t out[VVI_SEGMENT_HEADER]);
vv_status vvi_segment_header_decode(vv_bytes bytes, vvi_segment_header *out,
                                    vv_error *err);

/* ---- records --------------------------------------------------------------------------- */

/*
 *  0  4  "VVR" 0x01
 *  4  4  check: CRC-32C over the store's id, the place, and bytes 8 … end of the digest
 *  8  1  kind
 *  9  1  CID version
 * 10  1  digest length
 * 11  1  0
 * 12  4  CRC-32C of the data
 * 16  8  data length; of a deletion, the length of the block that it deletes
 * 24  4  codec
 * 28  4  hash function
 * 32     digest, then zeros to a multiple of 8
 *        data, then zeros to a multiple of 8 (none for a deletion; anything for a void)
 */
#define VVI_RECORD_FIXED      32
#define VVI_RECORD_HEADER_MAX (VVI_RECORD_FIXED + VV_DIGEST_MAX)
#define VVI_RECORD_MAGIC      0x01525656u

typedef enum vvi_record_kind {
    VVI_RECORD_BLOCK = 1,
    VVI_RECORD_MOVED, /* a block that compaction copied forward */
    VVI_RECORD_DELETION,
    VVI_RECORD_DELETION_MOVED, /* a deletion that compaction copied forward */
    VVI_RECORD_VOID            /* bytes of an unfinished write, data length of them */
} vvi_record_kind;

typedef struct vvi_record {
    vvi_record_kind kind;
    uint32_t data_crc;
    uint64_t data_len;
    size_t header_len;  /* fixed part and padded digest */
    uint64_t total_len; /* of the whole record */
} vvi_record;

static inline size_t vvi_record_header_len(size_t digest_len)
{
    return (size_t)vvi_pad8(VVI_RECORD_FIXED + digest_len);
}

static inline bool vvi_record_is_block(const vvi_record *record)
{
    return record->kind == VVI_RECORD_BLOCK || record->kind == VVI_RECORD_MOVED;
}

/* The header without its check, which depends on where it will lie. Returns its length. */
size_t vvi_record_encode(vvi_record_kind kind, const vv_cid *cid, uint64_t data_len,
                         uint32_t data_crc, uint8_t out[VVI_RECORD_HEADER_MAX]);
void vvi_record_set_check(uint8_t *header, const vvi_local_key *key, vvi_place place);

/* The lengths in a header whose check is not looked at. False: they are out of all bounds, or
 * it is no block. */
static inline bool vvi_record_read(const uint8_t *header, vvi_record *out)
{
    out->kind = (vvi_record_kind)header[8];
    out->data_crc = vvi_get_le32(header + 12);
    out->data_len = vvi_get_le64(header + 16);
    out->header_len = vvi_record_header_len(header[10]);
    out->total_len = out->header_len + vvi_pad8(out->data_len);
    return vvi_record_is_block(out) && out->data_len <= (uint64_t)1 << 31;
}

/* Read the header at the front of bytes. False: it is not one that was written there. */
bool vvi_record_decode(vv_bytes bytes, const vvi_local_key *key, vvi_place place,
                       vvi_record *out);
/* The name in a decoded header. */
void vvi_record_cid(const uint8_t *header, vv_cid *out);

/* Does the header, of which at least its own length is there, name this block? */
static inline bool vvi_record_names(const uint8_t *header, const vv_cid *cid)
{
    const uint8_t *digest = header + VVI_RECORD_FIXED;

    if (vvi_get_le32(header) != VVI_RECORD_MAGIC || header[10] != cid->digest_len ||
        vvi_get_le32(header + 28) != cid->hash)
        return false;
    /* Nearly all digests have 32 bytes, and so many are compared without a call. */
    return cid->digest_len == 32 ? memcmp(digest, cid->digest, 32) == 0
                                 : memcmp(digest, cid->digest, cid->digest_len) == 0;
}

/* ---- tags: the part of a digest that the index keeps ----------------------------------- */

static inline uint64_t vvi_tag_of(const vvi_local_key *key, uint32_t hash,
                                  const uint8_t *digest, size_t digest_len)
{
    uint64_t h = key->tag_seed ^ hash ^ (uint64_t)digest_len << 32;
    size_t i = 0;

    for (; i + 8 <= digest_len; i += 8) {
        h = (h ^ vvi_get_le64(digest + i)) * 0x9FB21C651E98DF25u;
        h ^= h >> 32;
    }
    for (; i < digest_len; i++) {
        h = (h ^ digest[i]) * 0x9FB21C651E98DF25u;
        h ^= h >> 32;
    }
    h *= 0xD6E8FEB86659FD93u;
    return h ^ h >> 32;
}

static inline uint64_t vvi_tag_of_cid(const vvi_local_key *key, const vv_cid *cid)
{
    return vvi_tag_of(key, cid->hash, cid->digest, cid->digest_len);
}

static inline uint64_t vvi_tag_of_header(const vvi_local_key *key, const uint8_t *header)
{
    return vvi_tag_of(key, vvi_get_le32(header + 28), header + VVI_RECORD_FIXED,
                      header[10]);
}

#endif
