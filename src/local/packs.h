/*
 * The pack files as they are read: opened when first needed, mapped where the address space
 * allows, else read with pread. And the scanner, which walks records in the order of the log.
 */
#ifndef VVI_LOCAL_PACKS_H
#define VVI_LOCAL_PACKS_H

#include "local/layout.h"
#include "util/file.h"

typedef struct vvi_segment {
    uint64_t number;
    vvi_file file;
    vvi_map *map;  /* NULL: read with pread */
    uint64_t size; /* atomic: bytes that the file has at least */
    int early;     /* atomic: looks that are still served by pread; see vvi_packs_see() */
} vvi_segment;

typedef struct vvi_packs {
    const char *directory; /* borrowed */
    vvi_local_key key;
    uint64_t map_bytes;  /* of address space for each segment; 0: do not map */
    vvi_segment **table; /* by number, open addressing; cap is a power of two */
    size_t cap;
    size_t count;
    size_t hand; /* where in the table the next segment to close is looked for */
} vvi_packs;

void vvi_packs_init(vvi_packs *packs, const char *directory, const vvi_local_key *key,
                    uint64_t map_bytes);
void vvi_packs_clear(vvi_packs *packs);

/* NULL: not open. The caller holds the table's lock for reading. */
static inline vvi_segment *vvi_packs_get(const vvi_packs *packs, uint64_t number)
{
    size_t i = (size_t)number & (packs->cap - 1);

    if (!packs->cap)
        return NULL;
    for (; packs->table[i]; i = (i + 1) & (packs->cap - 1))
        if (packs->table[i]->number == number)
            return packs->table[i];
    return NULL;
}

/*
 * Open a segment, or map more of it, so that the first `upto` bytes can be read. The caller
 * holds the table's lock for writing. VV_ENOTFOUND: no such file.
 */
vv_status vvi_packs_open(vvi_packs *packs, uint64_t number, uint64_t upto, vv_error *err);
/* Close segments; what was lent from their maps stays. Lock as above. */
void vvi_packs_drop(vvi_packs *packs, uint64_t number);

/* Can bytes [offset, offset + len) of a segment be read now? Lock for reading. */
typedef enum vvi_sight {
    VVI_SIGHT_CLEAR,
    VVI_SIGHT_CLOSED, /* call vvi_packs_open() */
    VVI_SIGHT_SHORT   /* the file ends before */
} vvi_sight;
/* Short looks at a segment that was just opened are served by pread, some dozens of them: touching a
 * map makes the kernel read around, megabytes where disks are set up so, which a process that wants a
 * few blocks of a store would wait for. */
vvi_sight vvi_packs_see(const vvi_packs *packs, uint64_t number, uint64_t offset,
                        uint64_t len, vvi_segment **out);

/* Bytes of a segment in sight: pages of its map, or read into scratch. NULL: err is set. */
const uint8_t *vvi_segment_bytes(const vvi_segment *segment, uint64_t offset, size_t len,
                                 uint8_t *scratch, vv_error *err);

/* Numbers of the pack files in a directory, sorted. Free with vvi_free(). */
vv_status vvi_packs_list(const char *directory, uint64_t **numbers, size_t *count,
                         vv_error *err);

/* ---- scanner --------------------------------------------------------------------------- */

typedef struct vvi_scan {
    const vvi_local_key *key;
    vvi_file file;
    uint64_t number;
    uint64_t size;   /* of the file */
    uint64_t offset; /* of the next record */
    uint64_t end;    /* stop here; at most size */
    uint8_t *window; /* bytes [window_at, window_at + window_len) of the file */
    uint64_t window_at;
    size_t window_len;
} vvi_scan;
#define VVI_SCAN_INIT ((vvi_scan){ .file = VVI_FILE_INIT })

typedef struct vvi_scanned {
    bool bad; /* bytes [place, place + len) are no record */
    vvi_place place;
    uint64_t len;
    vvi_record record;     /* unless bad */
    const uint8_t *header; /* unless bad; until the next call */
} vvi_scanned;

/* Begin at an offset of a segment. end: UINT64_MAX for all there is. VV_ENOTFOUND: no file. */
vv_status vvi_scan_open(vvi_scan *scan, const char *directory, const vvi_local_key *key,
                        uint64_t number, uint64_t offset, uint64_t end, vv_error *err);
void vvi_scan_close(vvi_scan *scan);
/* The next record, or the next stretch of bytes that is none. VV_ENOTFOUND at the end. */
vv_status vvi_scan_next(vvi_scan *scan, vvi_scanned *out, vv_error *err);
/* Does the data of the record just found match its CRC? Sets item->header again. */
vv_status vvi_scan_check(vvi_scan *scan, vvi_scanned *item, bool *ok, vv_error *err);

#endif
