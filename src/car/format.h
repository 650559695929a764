/* The layout of CAR files: headers and sections. See docs/format/car.md. */
#ifndef VVI_CAR_FORMAT_H
#define VVI_CAR_FORMAT_H

#include <varvite/cid.h>

#include "util/error.h"

/* A header longer than this is refused, as other readers do. */
#define VVI_CAR_HEADER_MAX ((uint64_t)32 << 20)
/* The bytes of a section before its block: its length and the CID. */
#define VVI_CAR_SECTION_HEAD_MAX (VV_VARINT_MAX + VV_CID_BYTES_MAX)

/* ---- version 1 --------------------------------------------------------------------------- */

typedef struct vvi_car_header {
    uint64_t version;
    vv_cid *roots; /* vvi_free() */
    size_t root_count;
} vvi_car_header;

/* Parse a header without its length. offset is where it lies, for messages. */
vv_status vvi_car_header_parse(vv_bytes bytes, uint64_t offset, vvi_car_header *out,
                               vv_error *err);
void vvi_car_header_clear(vvi_car_header *header);
/* Append a header with its length. */
vv_status vvi_car_header_write(const vv_cid *roots, size_t n, vv_buf *out, vv_error *err);

/* What a CAR says of a bare multihash: a CIDv1 of that codec. */
vv_cid vvi_car_name(const vv_cid *cid, uint32_t codec);

/* ---- version 2 --------------------------------------------------------------------------- */

#define VVI_CAR_V2_BYTES  51 /* the header that says version 2, and what follows it */
#define VVI_CAR_V2_PRAGMA 11 /* of these, the header that says version 2 */

typedef struct vvi_car_v2 {
    uint64_t data_offset; /* of the CARv1 inside */
    uint64_t data_size;
    uint64_t index_offset; /* 0: none */
} vvi_car_v2;

/* Parse the 40 bytes behind the pragma. */
vv_status vvi_car_v2_parse(const uint8_t *bytes, vvi_car_v2 *out, vv_error *err);
void vvi_car_v2_write(const vvi_car_v2 *header, uint8_t out[VVI_CAR_V2_BYTES]);

/* ---- sections ---------------------------------------------------------------------------- */

typedef struct vvi_car_section {
    vv_cid cid;
    vv_bytes data;
    uint64_t offset; /* of its length */
    uint64_t end;
} vvi_car_section;

/* Check a section's length. */
vv_status vvi_car_check_length(uint64_t len, uint64_t offset, vv_error *err);
/* The CID at the front of a section's bytes. */
vv_status vvi_car_parse_cid(vv_bytes section, uint64_t offset, vv_cid *cid, size_t *used,
                            vv_error *err);
/* The section at offset of a file in memory, whose sections end at end. */
vv_status vvi_car_section_at(const uint8_t *file, uint64_t offset, uint64_t end,
                             vvi_car_section *out, vv_error *err);
/* Write what comes before the block; returns its length. */
size_t vvi_car_section_head(const vv_cid *cid, uint64_t block_len,
                            uint8_t out[VVI_CAR_SECTION_HEAD_MAX]);

#endif
