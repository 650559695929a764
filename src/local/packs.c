#include "local/packs.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <stdlib.h>
#include <string.h>

/* ---- segments -------------------------------------------------------------------------- */

void vvi_packs_init(vvi_packs *packs, const char *directory, const vvi_local_key *key,
                    uint64_t map_bytes)
{
    *packs = (vvi_packs){ .directory = directory, .key = *key, .map_bytes = map_bytes };
}

static void segment_free(vvi_segment *segment)
{
    if (!segment)
        return;
    vvi_map_release(segment->map);
    vvi_file_close(&segment->file);
    vvi_free(segment);
}

void vvi_packs_clear(vvi_packs *packs)
{
    for (size_t i = 0; i < packs->cap; i++)
        segment_free(packs->table[i]);
    vvi_free(packs->table);
    packs->table = NULL;
    packs->cap = packs->count = 0;
}

static void table_add(vvi_segment **table, size_t cap, vvi_segment *segment)
{
    size_t i = (size_t)segment->number & (cap - 1);

    while (table[i])
        i = (i + 1) & (cap - 1);
    table[i] = segment;
}

static vv_status table_reserve(vvi_packs *packs, vv_error *err)
{
    size_t cap = packs->cap ? packs->cap * 2 : 16;
    vvi_segment **table;

    if (packs->count * 2 < packs->cap)
        return VV_OK;
    table = vvi_alloc_array_zero(cap, sizeof(*table));
    if (!table)
        return vvi_fail_nomem(err, cap * sizeof(*table));
    for (size_t i = 0; i < packs->cap; i++)
        if (packs->table[i])
            table_add(table, cap, packs->table[i]);
    vvi_free(packs->table);
    packs->table = table;
    packs->cap = cap;
    return VV_OK;
}

static vv_status segment_file_open(const char *directory, uint64_t number, vvi_file *file,
                                   vv_error *err)
{
    char name[VVI_SEGMENT_NAME_MAX];
    vv_status status;
    char *path;

    vvi_segment_name(number, name);
    path = vvi_path_join(directory, name);
    if (!path)
        return vvi_fail_nomem(err, strlen(directory));
    status = vvi_file_open(file, path, VVI_FILE_READ, err);
    vvi_free(path);
    return status;
}

/* Looks at a segment before it is mapped, two a block, and how long they may be. */
#define EARLY_LOOKS 128
#define EARLY_BYTES 32768

/* Files are few in a process: with so many open, those that were opened long ago are closed. */
#define SEGMENTS_OPEN_MAX 256

static void make_room(vvi_packs *packs)
{
    while (packs->count >= SEGMENTS_OPEN_MAX) {
        const vvi_segment *segment = packs->table[packs->hand++ & (packs->cap - 1)];

        if (segment)
            vvi_packs_drop(packs, segment->number);
    }
}

static vv_status segment_open(vvi_packs *packs, uint64_t number, vvi_segment **out,
                              vv_error *err)
{
    vvi_segment *segment = vvi_alloc_zero(sizeof(*segment));
    vv_status status;

    if (!segment)
        return vvi_fail_nomem(err, sizeof(*segment));
    segment->number = number;
    segment->file = VVI_FILE_INIT;
    status = segment_file_open(packs->directory, number, &segment->file, err);
    if (!status)
        status = vvi_file_size(&segment->file, &segment->size, err);
    if (!status)
        status = table_reserve(packs, err);
    if (status) {
        segment_free(segment);
        return status;
    }
    if (packs->map_bytes) {
        segment->early = EARLY_LOOKS;
        vvi_file_expect_random(&segment->file);
    }
    table_add(packs->table, packs->cap, segment);
    packs->count++;
    *out = segment;
    return VV_OK;
}

/*
 * Map a segment, past its present end if need be, so that it can grow without being mapped
 * again. A map that is not to be had is no failure: pread serves.
 */
static void segment_map(vvi_packs *packs, vvi_segment *segment, uint64_t upto)
{
    uint64_t len = packs->map_bytes;
    vvi_map *map;

    if (!len)
        return;
    if (len < segment->size)
        len = segment->size;
    if (len < upto)
        len = upto;
    len = (len + 65535) & ~(uint64_t)65535;
    if (segment->map && segment->map->len >= upto)
        return;
    if (len > SIZE_MAX / 2 ||
        vvi_map_open(&segment->file, (size_t)len, false, &map, NULL))
        map = NULL;
    vvi_map_release(segment->map);
    segment->map = map;
    if (!map)
        packs->map_bytes = 0;
}

vv_status vvi_packs_open(vvi_packs *packs, uint64_t number, uint64_t upto, vv_error *err)
{
    vvi_segment *segment = vvi_packs_get(packs, number);

    if (segment) {
        segment_map(packs, segment, upto);
        return VV_OK;
    }
    make_room(packs);
    return segment_open(packs, number, &segment, err);
}

void vvi_packs_drop(vvi_packs *packs, uint64_t number)
{
    vvi_segment *segment = vvi_packs_get(packs, number);
    size_t i = 0;

    if (!segment)
        return;
    while (packs->table[i] != segment)
        i++;
    packs->table[i] = NULL;
    packs->count--;
    segment_free(segment);
    /* Those behind it in its run are put again, so that no run has a gap. */
    for (i = (i + 1) & (packs->cap - 1); packs->table[i];
         i = (i + 1) & (packs->cap - 1)) {
        vvi_segment *moved = packs->table[i];

        packs->table[i] = NULL;
        table_add(packs->table, packs->cap, moved);
    }
}

/* Is it one of the first looks, and a short one? */
static bool is_early(vvi_segment *segment, uint64_t len)
{
    if (len > EARLY_BYTES || __atomic_load_n(&segment->early, __ATOMIC_RELAXED) <= 0)
        return false;
    __atomic_fetch_sub(&segment->early, 1, __ATOMIC_RELAXED);
    return true;
}

vvi_sight vvi_packs_see(const vvi_packs *packs, uint64_t number, uint64_t offset,
                        uint64_t len, vvi_segment **out)
{
    vvi_segment *segment = vvi_packs_get(packs, number);
    uint64_t size;

    if (!segment)
        return VVI_SIGHT_CLOSED;
    if (offset + len > __atomic_load_n(&segment->size, __ATOMIC_RELAXED)) {
        /* it may have grown since */
        if (vvi_file_size(&segment->file, &size, NULL))
            return VVI_SIGHT_SHORT;
        __atomic_store_n(&segment->size, size, __ATOMIC_RELAXED);
        if (offset + len > size)
            return VVI_SIGHT_SHORT;
    }
    if (segment->map ? offset + len > segment->map->len
                     : packs->map_bytes != 0 && !is_early(segment, len))
        return VVI_SIGHT_CLOSED;
    *out = segment;
    return VVI_SIGHT_CLEAR;
}

const uint8_t *vvi_segment_bytes(const vvi_segment *segment, uint64_t offset, size_t len,
                                 uint8_t *scratch, vv_error *err)
{
    size_t got;

    if (segment->map)
        return segment->map->data + offset;
    if (vvi_file_read_at(&segment->file, offset, scratch, len, &got, err))
        return NULL;
    if (got < len) {
        vvi_fail(err, VV_ECORRUPT, "%s ends at %" PRIu64 " in the middle of a block",
                 segment->file.path, offset + got);
        return NULL;
    }
    return scratch;
}

/* ---- list ------------------------------------------------------------------------------ */

typedef struct number_list {
    uint64_t *numbers;
    size_t count;
    size_t cap;
} number_list;

static vv_status note_segment(void *ctx, const char *name, vv_error *err)
{
    number_list *list = ctx;
    uint64_t number = vvi_segment_number(name);

    if (!number)
        return VV_OK;
    VVI_TRY(vvi_grow((void **)&list->numbers, &list->cap, list->count + 1,
                     sizeof(*list->numbers), err));
    list->numbers[list->count++] = number;
    return VV_OK;
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

vv_status vvi_packs_list(const char *directory, uint64_t **numbers, size_t *count,
                         vv_error *err)
{
    number_list list = { NULL, 0, 0 };
    vv_status status = vvi_dir_list(directory, note_segment, &list, err);

    if (status) {
        vvi_free(list.numbers);
        return status;
    }
    if (list.count)
        qsort(list.numbers, list.count, sizeof(*list.numbers), compare_numbers);
    *numbers = list.numbers;
    *count = list.count;
    return VV_OK;
}

/* ---- scanner --------------------------------------------------------------------------- */

#define WINDOW_BYTES 65536
#define JUMP_BYTES   1024

vv_status vvi_scan_open(vvi_scan *scan, const char *directory, const vvi_local_key *key,
                        uint64_t number, uint64_t offset, uint64_t end, vv_error *err)
{
    vv_status status;

    *scan = VVI_SCAN_INIT;
    scan->key = key;
    scan->number = number;
    scan->offset = offset;
    scan->window = vvi_alloc(WINDOW_BYTES);
    if (!scan->window)
        return vvi_fail_nomem(err, WINDOW_BYTES);
    status = segment_file_open(directory, number, &scan->file, err);
    if (!status)
        status = vvi_file_size(&scan->file, &scan->size, err);
    if (status)
        vvi_scan_close(scan);
    else
        scan->end = end < scan->size ? end : scan->size;
    return status;
}

void vvi_scan_close(vvi_scan *scan)
{
    vvi_file_close(&scan->file);
    vvi_free(scan->window);
    scan->window = NULL;
}

/* Bytes at offset, up to want of them: fewer only at the end of the file. */
static vv_status look(vvi_scan *scan, uint64_t offset, size_t want, vv_bytes *out,
                      vv_error *err)
{
    uint64_t in = offset - scan->window_at;

    if (offset < scan->window_at || in + want > scan->window_len) {
        /* a jump over a long block reads little: maybe the next block is as long */
        bool near = offset >= scan->window_at && in <= scan->window_len;

        VVI_TRY(vvi_file_read_at(&scan->file, offset, scan->window,
                                 near ? WINDOW_BYTES : JUMP_BYTES, &scan->window_len,
                                 err));
        scan->window_at = offset;
        in = 0;
    }
    *out = vvi_bytes(scan->window + in, scan->window_len - (size_t)in);
    if (out->len > scan->end - offset)
        out->len = (size_t)(scan->end - offset);
    return VV_OK;
}

static bool decode_at(vvi_scan *scan, uint64_t offset, vv_bytes bytes, vvi_record *out)
{
    return vvi_record_decode(bytes, scan->key, vvi_place_of(scan->number, offset), out) &&
           out->total_len <= scan->end - offset;
}

/* Find where records go on after bytes that are none; the end when they do not. */
static vv_status skip_bad(vvi_scan *scan, uint64_t *next, vv_error *err)
{
    uint64_t offset = (scan->offset + 8) & ~(uint64_t)7;
    vvi_record record;
    vv_bytes bytes;

    for (; offset + VVI_RECORD_FIXED <= scan->end; offset += 8) {
        VVI_TRY(look(scan, offset, VVI_RECORD_HEADER_MAX, &bytes, err));
        if (decode_at(scan, offset, bytes, &record)) {
            *next = offset;
            return VV_OK;
        }
    }
    *next = scan->end;
    return VV_OK;
}

/* Zeros too short for a void do for one. */
static bool is_filler(const uint8_t *bytes, uint64_t len)
{
    if (len >= VVI_RECORD_FIXED)
        return false;
    for (uint64_t i = 0; i < len; i++)
        if (bytes[i])
            return false;
    return true;
}

vv_status vvi_scan_next(vvi_scan *scan, vvi_scanned *out, vv_error *err)
{
    vv_bytes bytes;
    uint64_t next;

    if (scan->offset >= scan->end)
        return VV_ENOTFOUND;
    *out = (vvi_scanned){ .place = vvi_place_of(scan->number, scan->offset) };
    VVI_TRY(look(scan, scan->offset, VVI_RECORD_HEADER_MAX, &bytes, err));
    if (decode_at(scan, scan->offset, bytes, &out->record)) {
        out->header = bytes.data;
        out->len = out->record.total_len;
        scan->offset += out->len;
        return VV_OK;
    }
    VVI_TRY(skip_bad(scan, &next, err));
    out->len = next - scan->offset;
    VVI_TRY(look(scan, scan->offset, out->len < VVI_RECORD_FIXED ? (size_t)out->len : 1,
                 &bytes, err));
    out->bad = !is_filler(bytes.data, out->len);
    out->record.kind = VVI_RECORD_VOID;
    scan->offset = next;
    return VV_OK;
}

vv_status vvi_scan_check(vvi_scan *scan, vvi_scanned *item, bool *ok, vv_error *err)
{
    uint64_t offset = vvi_place_offset(item->place) + item->record.header_len;
    uint64_t left = item->record.data_len;
    uint8_t header[VVI_RECORD_HEADER_MAX];
    uint32_t crc = 0;
    vv_bytes bytes;

    *ok = true;
    if (!vvi_record_is_block(&item->record))
        return VV_OK;
    memcpy(header, item->header, item->record.header_len);
    while (left) {
        size_t n;

        VVI_TRY(look(scan, offset, 1, &bytes, err));
        n = bytes.len < left ? bytes.len : (size_t)left;
        if (!n)
            break;
        crc = vv_crc32c(crc, vvi_bytes(bytes.data, n));
        offset += n;
        left -= n;
    }
    *ok = !left && crc == item->record.data_crc;
    VVI_TRY(
        look(scan, vvi_place_offset(item->place), item->record.header_len, &bytes, err));
    item->header = bytes.data; /* the window may have been elsewhere */
    if (bytes.len < item->record.header_len ||
        memcmp(header, bytes.data, item->record.header_len) != 0)
        return vvi_fail(err, VV_EIO, "%s changed while it was read", scan->file.path);
    return VV_OK;
}
