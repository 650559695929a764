/* What the files of this room share. */
#ifndef VVI_H5_INNER_H
#define VVI_H5_INNER_H

#include "h5/cache.h"
#include "h5/h5.h"
#include "h5/journal.h"

#include "util/endian.h"
#include "util/file.h"

/* Messages of object headers. */
enum {
    VVI_H5_MSG_SPACE = 0x01,
    VVI_H5_MSG_LINK_INFO = 0x02,
    VVI_H5_MSG_TYPE = 0x03,
    VVI_H5_MSG_FILL = 0x05,
    VVI_H5_MSG_LINK = 0x06,
    VVI_H5_MSG_EXTERNAL = 0x07,
    VVI_H5_MSG_LAYOUT = 0x08,
    VVI_H5_MSG_FILTERS = 0x0B,
    VVI_H5_MSG_ATTRIBUTE = 0x0C,
    VVI_H5_MSG_CONTINUATION = 0x10,
    VVI_H5_MSG_SYMBOLS = 0x11,
    VVI_H5_MSG_ATTRIBUTE_INFO = 0x15
};

struct vvi_h5 {
    vvi_file file;
    uint64_t base;
    vvi_h5_info info;
    vvi_h5_cache *cache;
    /* Of a file that was open at the last look: when that was, and when the file had changed last. */
    uint64_t looked_ns, changed_ns;
    vvi_h5_overlay overlay; /* what the journal says on top of the file */
};

/* Metadata longer than this is refused. */
#define VVI_H5_BLOCK_MAX ((uint64_t)64 << 20)

/* Read len bytes at an address of the file; all of them must be there. */
vv_status vvi_h5_load(const vvi_h5 *file, uint64_t address, uint64_t len, vv_buf *out,
                      vv_error *err);
vv_status vvi_h5_load_into(const vvi_h5 *file, uint64_t address, void *out, size_t len,
                           vv_error *err);
/* The same for a block that begins with a signature of four letters and, if checked, ends with a
 * checksum. */
vv_status vvi_h5_load_block(const vvi_h5 *file, uint64_t address, uint64_t len,
                            const char *signature, bool checked, vv_buf *out,
                            vv_error *err);

/* Reads on from at; past the end it gives zeros and says so in short_of. */
typedef struct vvi_h5_cursor {
    const uint8_t *at, *end;
    bool short_of;
} vvi_h5_cursor;

static inline vvi_h5_cursor vvi_h5_cursor_of(vv_bytes bytes)
{
    static const uint8_t none[1];
    const uint8_t *data = bytes.data ? bytes.data : none; /* nothing is added to NULL */

    return (vvi_h5_cursor){ data, data + bytes.len, false };
}

/* The next len bytes; NULL when they are not there. */
static inline const uint8_t *vvi_h5_take(vvi_h5_cursor *cursor, size_t len)
{
    const uint8_t *from = cursor->at;

    if (len > (size_t)(cursor->end - cursor->at)) {
        cursor->short_of = true;
        return NULL;
    }
    cursor->at += len;
    return from;
}

/* A little-endian number of width bytes, 0 to 8. */
static inline uint64_t vvi_h5_number(vvi_h5_cursor *cursor, size_t width)
{
    const uint8_t *from = vvi_h5_take(cursor, width);
    uint64_t number = 0;

    for (size_t i = width; from && i-- > 0;)
        number = number << 8 | from[i];
    return number;
}

/* Bytes that a number up to limit needs. */
static inline size_t vvi_h5_width(uint64_t limit)
{
    size_t width = 1;

    while (width < 8 && limit >> (8 * width))
        width++;
    return width;
}

/* ---- messages ------------------------------------------------------------------------------ */

vv_status vvi_h5_type_read(vvi_h5_cursor *cursor, vvi_h5_type *out, vv_error *err);
vv_status vvi_h5_space_read(vvi_h5_cursor *cursor, vvi_h5_space *out, vv_error *err);
/* Elements; VV_ERANGE past 2^64. */
vv_status vvi_h5_space_count(const vvi_h5_space *space, uint64_t *out, vv_error *err);

/* ---- heaps --------------------------------------------------------------------------------- */

/* The terminated name at an offset of a local heap, which is loaded whole. */
vv_status vvi_h5_local_heap(const vvi_h5 *file, uint64_t address, vv_buf *out,
                            vv_error *err);
/* An object of a global heap collection, copied into out. */
vv_status vvi_h5_global_object(const vvi_h5 *file, uint64_t collection, uint32_t index,
                               size_t len, vv_buf *out, vv_error *err);

/* A fractal heap. */
typedef struct vvi_h5_heap {
    uint64_t address;
    uint16_t id_len;
    bool checked; /* direct blocks have checksums */
    size_t offset_width, length_width;
    uint16_t width; /* blocks in a row */
    uint64_t start_size, max_direct;
    uint16_t rows; /* of the root block; 0: it is a direct one */
    uint64_t root;
    uint64_t heap_bytes; /* most that the heap can address */
} vvi_h5_heap;

vv_status vvi_h5_heap_open(const vvi_h5 *file, uint64_t address, vvi_h5_heap *out,
                           vv_error *err);
/* The object that an id of the heap names, copied into out. */
vv_status vvi_h5_heap_get(const vvi_h5 *file, const vvi_h5_heap *heap, vv_bytes id,
                          vv_buf *out, vv_error *err);

/* ---- B-trees ------------------------------------------------------------------------------- */

/* Told of each record of a tree in order. */
typedef vv_status (*vvi_h5_record_fn)(void *ctx, vv_bytes record, vv_error *err);
/* Version 2: all records of a tree that must be of one of two types; *type says which. */
vv_status vvi_h5_btree2(const vvi_h5 *file, uint64_t address, uint8_t type_a,
                        uint8_t type_b, uint8_t *type, vvi_h5_record_fn visit, void *ctx,
                        vv_error *err);
/* Version 1: each child of the lowest level with the key before it, type 0 (groups) or 1 (chunks). */
typedef vv_status (*vvi_h5_leaf_fn)(void *ctx, vv_bytes key, uint64_t child,
                                    vv_error *err);
vv_status vvi_h5_btree1(const vvi_h5 *file, uint64_t address, uint8_t type,
                        size_t key_len, vvi_h5_leaf_fn visit, void *ctx, vv_error *err);

/* ---- chunks -------------------------------------------------------------------------------- */

/* What the layout message says of chunks. */
typedef struct vvi_h5_chunking {
    vvi_h5_index index;
    uint64_t address; /* of the index, or of the chunk */
    vvi_h5_chunk single;
    uint32_t rank;
    uint64_t chunk_bytes;
    uint64_t chunk[VVI_H5_RANK_MAX]; /* elements */
    /* How indexes that are arrays number chunks: this many after another in each dimension, the slowest
     * first in order. */
    uint64_t spans[VVI_H5_RANK_MAX];
    uint32_t order[VVI_H5_RANK_MAX];
    bool filtered;
} vvi_h5_chunking;

/* The chunks of a box: n[i] of them from lo[i] on in each dimension, in C order. Indexes that are arrays
 * are read where these stand, trees whole. */
vv_status vvi_h5_chunks_find(const vvi_h5 *file, const vvi_h5_chunking *chunking,
                             const uint64_t *lo, const uint64_t *n, vvi_h5_chunk *out,
                             vv_error *err);

#endif
