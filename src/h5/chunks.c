/* Chunk indexes: where the chunks of a box lie. */
#include "h5/inner.h"

#include "grid/grid.h"
#include "util/buf.h"

#include <string.h>

/* A block of an index that was read last, since neighbours mostly stand in the same. */
typedef struct index_read {
    const vvi_h5 *file;
    const vvi_h5_chunking *chunking;
    size_t entry; /* bytes */
    bool filtered;
    vv_buf head;  /* of a fixed array's data block, or an extensible one's index block */
    vv_buf block; /* data block or page */
    uint64_t block_address; /* VVI_H5_NONE: none is loaded */
    vv_buf super;           /* super block of an extensible array */
    uint64_t super_address;
} index_read;

static vvi_h5_chunk nowhere(void)
{
    return (vvi_h5_chunk){ .address = VVI_H5_NONE };
}

static vvi_h5_chunk read_entry(const index_read *self, const uint8_t *at)
{
    vvi_h5_cursor in = vvi_h5_cursor_of(vvi_bytes(at, self->entry));
    vvi_h5_chunk chunk = { .address = vvi_h5_number(&in, 8),
                           .stored = self->chunking->chunk_bytes };

    if (self->filtered) {
        chunk.stored = vvi_h5_number(&in, self->entry - 12);
        chunk.mask = (uint32_t)vvi_h5_number(&in, 4);
    }
    return chunk;
}

static vv_status check_entry(index_read *self, uint64_t client, uint64_t entry,
                             vv_error *err)
{
    self->filtered = client == 1;
    self->entry = (size_t)entry;
    if (client > 1 || (client == 0 ? entry != 8 : entry < 13 || entry > 20))
        return vvi_fail(err, VV_ECORRUPT, "entries of %" PRIu64 " bytes", entry);
    return VV_OK;
}

/* Load a data block or page, unless it is loaded. */
static vv_status need_block(index_read *self, uint64_t address, uint64_t len,
                            const char *letters, vv_error *err)
{
    if (self->block_address == address)
        return VV_OK;
    self->block_address = VVI_H5_NONE;
    if (letters) {
        VVI_TRY(vvi_h5_load_block(self->file, address, len, letters, true, &self->block,
                                  err));
    } else {
        VVI_TRY(vvi_h5_load(self->file, address, len, &self->block, err));
        if (vvi_h5_checksum(vvi_bytes(self->block.data, self->block.len - 4)) !=
            vvi_get_le32(self->block.data + self->block.len - 4))
            return vvi_fail(err, VV_ECORRUPT,
                            "page at %" PRIu64 ": its checksum is wrong", address);
    }
    self->block_address = address;
    return VV_OK;
}

static bool bit_of(const uint8_t *bits, uint64_t i)
{
    return bits[i / 8] & (0x80 >> (i % 8));
}

/* ---- fixed array ---------------------------------------------------------------------------- */

typedef struct fixed_array {
    uint64_t entries, page; /* entries in all, and in a page */
    uint64_t block;         /* address of the data block */
    bool paged;
    uint64_t pages_at; /* address of the first page */
} fixed_array;

static vv_status open_fixed(index_read *self, fixed_array *out, vv_error *err)
{
    vv_buf head = VV_BUF_INIT;
    vvi_h5_cursor in;
    uint64_t client, entry, bits;
    vv_status status = vvi_h5_load_block(self->file, self->chunking->address, 28, "FAHD",
                                         true, &head, err);

    if (status) {
        vv_buf_clear(&head);
        return status;
    }
    in = vvi_h5_cursor_of(vvi_bytes(head.data + 5, head.len - 5));
    client = vvi_h5_number(&in, 1);
    entry = vvi_h5_number(&in, 1);
    bits = vvi_h5_number(&in, 1);
    out->entries = vvi_h5_number(&in, 8);
    out->block = vvi_h5_number(&in, 8);
    vv_buf_clear(&head);
    VVI_TRY(check_entry(self, client, entry, err));
    if (bits > 32)
        return vvi_fail(err, VV_ECORRUPT, "pages of 2^%" PRIu64 " entries", bits);
    out->page = (uint64_t)1 << bits;
    out->paged = out->entries > out->page;
    if (out->block == VVI_H5_NONE)
        return VV_OK;
    if (out->paged) {
        uint64_t pages = (out->entries - 1) / out->page + 1;
        uint64_t len = 14 + (pages + 7) / 8 + 4;

        out->pages_at = out->block + len;
        return vvi_h5_load_block(self->file, out->block, len, "FADB", true, &self->head,
                                 err);
    }
    return need_block(self, out->block, 14 + out->entries * self->entry + 4, "FADB", err);
}

static vv_status fixed_entry(index_read *self, const fixed_array *array, uint64_t i,
                             vvi_h5_chunk *out, vv_error *err)
{
    uint64_t page, first, count;

    *out = nowhere();
    if (i >= array->entries || array->block == VVI_H5_NONE)
        return VV_OK;
    if (!array->paged) {
        *out = read_entry(self, self->block.data + 14 + i * self->entry);
        return VV_OK;
    }
    page = i / array->page;
    if (!bit_of(self->head.data + 14, page))
        return VV_OK;
    first = page * array->page;
    count = array->entries - first < array->page ? array->entries - first : array->page;
    VVI_TRY(need_block(self, array->pages_at + page * (array->page * self->entry + 4),
                       count * self->entry + 4, NULL, err));
    *out = read_entry(self, self->block.data + (i - first) * self->entry);
    return VV_OK;
}

/* ---- extensible array ------------------------------------------------------------------------- */

/*
 * The index block holds the first entries, the addresses of the first data blocks and those of super
 * blocks, which hold the addresses of further ones. Super block number u stands for 2^(u/2) data blocks
 * of min × 2^((u+1)/2) entries each; the first few are kept in the index block itself.
 */
typedef struct extensible_array {
    uint64_t index_entries; /* in the index block */
    uint64_t min_entries;   /* in the smallest data block */
    uint64_t min_pointers;  /* in the smallest super block */
    uint64_t page;          /* entries */
    uint64_t most_bits;     /* of an entry's number */
    uint64_t index_block;
    unsigned inner_supers; /* super blocks that the index block stands for */
    uint64_t block_pointers, super_pointers;
} extensible_array;

static unsigned log2_of(uint64_t number)
{
    unsigned bits = 0;

    while (number >>= 1)
        bits++;
    return bits;
}

static uint64_t blocks_of(unsigned super)
{
    return (uint64_t)1 << (super / 2);
}

static uint64_t entries_of(const extensible_array *array, unsigned super)
{
    return array->min_entries << ((super + 1) / 2);
}

static vv_status read_extensible_head(index_read *self, extensible_array *out,
                                      vv_error *err)
{
    vv_buf head = VV_BUF_INIT;
    vvi_h5_cursor in;
    uint64_t client, entry, page_bits;
    vv_status status = vvi_h5_load_block(self->file, self->chunking->address, 72, "EAHD",
                                         true, &head, err);

    if (status) {
        vv_buf_clear(&head);
        return status;
    }
    in = vvi_h5_cursor_of(vvi_bytes(head.data + 5, head.len - 5));
    client = vvi_h5_number(&in, 1);
    entry = vvi_h5_number(&in, 1);
    out->most_bits = vvi_h5_number(&in, 1);
    out->index_entries = vvi_h5_number(&in, 1);
    out->min_entries = vvi_h5_number(&in, 1);
    out->min_pointers = vvi_h5_number(&in, 1);
    page_bits = vvi_h5_number(&in, 1);
    vvi_h5_take(&in, 6 * 8);
    out->index_block = vvi_h5_number(&in, 8);
    vv_buf_clear(&head);
    VVI_TRY(check_entry(self, client, entry, err));
    if (out->most_bits > 64 || page_bits > 32 || !out->min_entries ||
        !out->min_pointers || (out->min_entries & (out->min_entries - 1)) ||
        (out->min_pointers & (out->min_pointers - 1)) || out->min_pointers < 2 ||
        out->most_bits < log2_of(out->min_entries))
        return vvi_fail(err, VV_ECORRUPT, "an extensible array of impossible measures");
    out->page = (uint64_t)1 << page_bits;
    return VV_OK;
}

static vv_status open_extensible(index_read *self, extensible_array *out, vv_error *err)
{
    uint64_t supers, len;

    VVI_TRY(read_extensible_head(self, out, err));
    supers = 1 + out->most_bits - log2_of(out->min_entries);
    out->inner_supers = 2 * log2_of(out->min_pointers);
    out->block_pointers = 2 * (out->min_pointers - 1);
    out->super_pointers = supers > out->inner_supers ? supers - out->inner_supers : 0;
    if (out->index_block == VVI_H5_NONE)
        return VV_OK;
    len = 14 + out->index_entries * self->entry +
          8 * (out->block_pointers + out->super_pointers) + 4;
    return vvi_h5_load_block(self->file, out->index_block, len, "EAIB", true, &self->head,
                             err);
}

/* The address at number i behind the entries of the index block. */
static uint64_t pointer_of(const index_read *self, const extensible_array *array,
                           uint64_t i)
{
    return vvi_get_le64(self->head.data + 14 + array->index_entries * self->entry +
                        8 * i);
}

/* The data block number block of super block number super, and whether page of it was written. */
static vv_status find_in_super(index_read *self, const extensible_array *array,
                               unsigned super, uint64_t block, uint64_t page,
                               uint64_t *address, bool *written, vv_error *err)
{
    uint64_t number = super - array->inner_supers;
    uint64_t pages = entries_of(array, super) / array->page;
    uint64_t page_bytes = entries_of(array, super) > array->page ? (pages + 7) / 8 : 0;
    uint64_t head = 14 + (array->most_bits + 7) / 8;
    uint64_t at;

    *address = VVI_H5_NONE;
    if (number >= array->super_pointers)
        return vvi_fail(err, VV_ECORRUPT, "a chunk past the array's end");
    at = pointer_of(self, array, array->block_pointers + number);
    if (at == VVI_H5_NONE)
        return VV_OK;
    if (self->super_address != at) {
        self->super_address = VVI_H5_NONE;
        VVI_TRY(vvi_h5_load_block(self->file, at,
                                  head + blocks_of(super) * (page_bytes + 8) + 4, "EASB",
                                  true, &self->super, err));
        self->super_address = at;
    }
    *written = !page_bytes || bit_of(self->super.data + head + block * page_bytes, page);
    *address = vvi_get_le64(self->super.data + head + blocks_of(super) * page_bytes +
                            8 * block);
    return VV_OK;
}

/* Entry number i of a data block of count entries. */
static vv_status entry_of_block(index_read *self, const extensible_array *array,
                                uint64_t address, uint64_t count, uint64_t i,
                                vvi_h5_chunk *out, vv_error *err)
{
    uint64_t head = 14 + (array->most_bits + 7) / 8;
    uint64_t page = i / array->page;

    if (count <= array->page) {
        VVI_TRY(need_block(self, address, head + count * self->entry + 4, "EADB", err));
        *out = read_entry(self, self->block.data + head + i * self->entry);
        return VV_OK;
    }
    VVI_TRY(need_block(self, address + head + 4 + page * (array->page * self->entry + 4),
                       array->page * self->entry + 4, NULL, err));
    *out = read_entry(self, self->block.data + i % array->page * self->entry);
    return VV_OK;
}

static vv_status extensible_entry(index_read *self, const extensible_array *array,
                                  uint64_t i, vvi_h5_chunk *out, vv_error *err)
{
    uint64_t start = 0, first_block = 0, count, block, address;
    bool written = true;
    unsigned super;

    *out = nowhere();
    if (array->index_block == VVI_H5_NONE)
        return VV_OK;
    if (i < array->index_entries) {
        *out = read_entry(self, self->head.data + 14 + i * self->entry);
        return VV_OK;
    }
    i -= array->index_entries;
    super = log2_of(i / array->min_entries + 1);
    for (unsigned s = 0; s < super; s++) {
        start += blocks_of(s) * entries_of(array, s);
        first_block += blocks_of(s);
    }
    count = entries_of(array, super);
    block = (i - start) / count;
    if (super < array->inner_supers)
        address = first_block + block < array->block_pointers
                      ? pointer_of(self, array, first_block + block)
                      : VVI_H5_NONE;
    else
        VVI_TRY(find_in_super(self, array, super, block,
                              (i - start) % count / array->page, &address, &written,
                              err));
    if (address == VVI_H5_NONE || !written)
        return VV_OK;
    return entry_of_block(self, array, address, count, (i - start) % count, out, err);
}

/* ---- arrays -------------------------------------------------------------------------------- */

/* The number that an array gives to the chunk at these coordinates. */
static vv_status number_of(const vvi_h5_chunking *chunking, const uint64_t *at,
                           uint64_t *out, vv_error *err)
{
    uint64_t number = 0;

    for (uint32_t k = 0; k < chunking->rank; k++) {
        uint32_t d = chunking->order[k];

        /* The slowest may be without an end. */
        if ((k && __builtin_mul_overflow(number, chunking->spans[d], &number)) ||
            __builtin_add_overflow(number, at[d], &number))
            return vvi_fail(err, VV_ERANGE, "more than 2^64 chunks");
    }
    *out = number;
    return VV_OK;
}

static vv_status find_number(index_read *self, const fixed_array *fixed,
                             const extensible_array *extensible, uint64_t number,
                             vvi_h5_chunk *out, vv_error *err)
{
    const vvi_h5_chunking *chunking = self->chunking;

    switch (chunking->index) {
    case VVI_H5_SINGLE:
        *out = number ? nowhere() : chunking->single;
        return VV_OK;
    case VVI_H5_FIXED_ARRAY:
        return fixed_entry(self, fixed, number, out, err);
    case VVI_H5_EXTENSIBLE_ARRAY:
        return extensible_entry(self, extensible, number, out, err);
    default: /* implicit: one behind the other */
        *out = (vvi_h5_chunk){ .stored = chunking->chunk_bytes };
        if (__builtin_mul_overflow(number, chunking->chunk_bytes, &out->address) ||
            __builtin_add_overflow(out->address, chunking->address, &out->address))
            return vvi_fail(err, VV_ECORRUPT, "a chunk past the end of the file");
        return VV_OK;
    }
}

static vv_status find_in_array(index_read *self, const uint64_t *lo, const uint64_t *n,
                               uint64_t count, vvi_h5_chunk *out, vv_error *err)
{
    uint64_t at[VVI_H5_RANK_MAX] = { 0 };
    extensible_array extensible = { 0 };
    fixed_array fixed = { 0 };
    uint32_t rank = self->chunking->rank;

    if (self->chunking->index == VVI_H5_FIXED_ARRAY)
        VVI_TRY(open_fixed(self, &fixed, err));
    if (self->chunking->index == VVI_H5_EXTENSIBLE_ARRAY)
        VVI_TRY(open_extensible(self, &extensible, err));
    for (uint32_t d = 0; d < rank; d++)
        at[d] = lo[d];
    for (uint64_t i = 0; i < count; i++) {
        uint64_t number;

        VVI_TRY(number_of(self->chunking, at, &number, err));
        VVI_TRY(find_number(self, &fixed, &extensible, number, &out[i], err));
        for (uint32_t d = rank; d-- > 0;) {
            if (++at[d] < lo[d] + n[d])
                break;
            at[d] = lo[d];
        }
    }
    return VV_OK;
}

/* ---- trees --------------------------------------------------------------------------------- */

typedef struct tree_read {
    const vvi_h5_chunking *chunking;
    const uint64_t *lo, *n;
    vvi_h5_chunk *out;
} tree_read;

/* Keep a chunk that lies in the box. */
static void place(const tree_read *self, const uint64_t *at, vvi_h5_chunk chunk)
{
    uint64_t i = 0;

    for (uint32_t d = 0; d < self->chunking->rank; d++) {
        if (at[d] < self->lo[d] || at[d] - self->lo[d] >= self->n[d])
            return;
        i = i * self->n[d] + (at[d] - self->lo[d]);
    }
    self->out[i] = chunk;
}

/* Version 2: address, with filters length and mask, coordinates in chunks. */
static vv_status read_record(void *ctx, vv_bytes record, vv_error *err)
{
    const tree_read *self = ctx;
    size_t coordinates = 8 * (size_t)self->chunking->rank;
    bool filtered = self->chunking->filtered;
    size_t head = filtered ? 12 : 8;
    uint64_t at[VVI_H5_RANK_MAX];
    vvi_h5_cursor in = vvi_h5_cursor_of(record);
    vvi_h5_chunk chunk = { .stored = self->chunking->chunk_bytes };

    if (record.len < head + coordinates || record.len - head - coordinates > 8 ||
        (!filtered && record.len != head + coordinates))
        return vvi_fail(err, VV_ECORRUPT, "a record of %zu bytes", record.len);
    chunk.address = vvi_h5_number(&in, 8);
    if (filtered) {
        chunk.stored = vvi_h5_number(&in, record.len - head - coordinates);
        chunk.mask = (uint32_t)vvi_h5_number(&in, 4);
    }
    for (uint32_t d = 0; d < self->chunking->rank; d++)
        at[d] = vvi_h5_number(&in, 8);
    place(self, at, chunk);
    return VV_OK;
}

/* Version 1: length, mask, coordinates in elements. */
static vv_status read_key(void *ctx, vv_bytes key, uint64_t child, vv_error *err)
{
    const tree_read *self = ctx;
    vvi_h5_cursor in = vvi_h5_cursor_of(key);
    vvi_h5_chunk chunk = { .address = child };
    uint64_t at[VVI_H5_RANK_MAX];

    (void)err;
    chunk.stored = vvi_h5_number(&in, 4);
    chunk.mask = (uint32_t)vvi_h5_number(&in, 4);
    for (uint32_t d = 0; d < self->chunking->rank; d++)
        at[d] = vvi_h5_number(&in, 8) / self->chunking->chunk[d];
    place(self, at, chunk);
    return VV_OK;
}

static vv_status find_in_tree(const index_read *self, const uint64_t *lo,
                              const uint64_t *n, uint64_t count, vvi_h5_chunk *out,
                              vv_error *err)
{
    tree_read read = { self->chunking, lo, n, out };
    uint8_t type;

    for (uint64_t i = 0; i < count; i++)
        out[i] = nowhere();
    if (self->chunking->index == VVI_H5_BTREE1)
        return vvi_h5_btree1(self->file, self->chunking->address, 1,
                             8 + 8 * (size_t)(self->chunking->rank + 1), read_key, &read,
                             err);
    type = self->chunking->filtered ? 11 : 10;
    return vvi_h5_btree2(self->file, self->chunking->address, type, type, &type,
                         read_record, &read, err);
}

vv_status vvi_h5_chunks_find(const vvi_h5 *file, const vvi_h5_chunking *chunking,
                             const uint64_t *lo, const uint64_t *n, vvi_h5_chunk *out,
                             vv_error *err)
{
    index_read self = { .file = file,
                        .chunking = chunking,
                        .head = VV_BUF_INIT,
                        .block = VV_BUF_INIT,
                        .super = VV_BUF_INIT,
                        .block_address = VVI_H5_NONE,
                        .super_address = VVI_H5_NONE };
    uint64_t count;
    vv_status status;

    VVI_TRY(vvi_product(chunking->rank, n, &count, err));
    if (chunking->address == VVI_H5_NONE && chunking->index != VVI_H5_SINGLE) {
        for (uint64_t i = 0; i < count; i++)
            out[i] = nowhere();
        return VV_OK;
    }
    if (chunking->index == VVI_H5_BTREE1 || chunking->index == VVI_H5_BTREE2)
        status = find_in_tree(&self, lo, n, count, out, err);
    else
        status = find_in_array(&self, lo, n, count, out, err);
    vv_buf_clear(&self.head);
    vv_buf_clear(&self.block);
    vv_buf_clear(&self.super);
    return status ? vvi_wrap(err, status, "chunk index at %" PRIu64, chunking->address)
                  : VV_OK;
}
