/* Heaps: local ones with the names of old groups, global ones with variable texts, fractal ones with the
 * links of large groups. */
#include "h5/inner.h"

#include "util/buf.h"

#include <string.h>

/* ---- local --------------------------------------------------------------------------------- */

vv_status vvi_h5_local_heap(const vvi_h5 *file, uint64_t address, vv_buf *out,
                            vv_error *err)
{
    vv_buf head = VV_BUF_INIT;
    vvi_h5_cursor in;
    uint64_t size, data;
    vv_status status = vvi_h5_load_block(file, address, 32, "HEAP", false, &head, err);

    if (status) {
        vv_buf_clear(&head);
        return status;
    }
    in = vvi_h5_cursor_of(vvi_bytes(head.data + 8, 24));
    size = vvi_h5_number(&in, 8);
    vvi_h5_take(&in, 8);
    data = vvi_h5_number(&in, 8);
    vv_buf_clear(&head);
    return vvi_h5_load(file, data, size, out, err);
}

/* ---- global -------------------------------------------------------------------------------- */

/* Find object index in a collection. */
static vv_status find_object(vv_bytes collection, uint32_t index, vv_bytes *out,
                             vv_error *err)
{
    vvi_h5_cursor in = vvi_h5_cursor_of(collection);

    vvi_h5_take(&in, 16);
    while (in.end - in.at >= 16) {
        uint64_t number = vvi_h5_number(&in, 2);
        uint64_t len;
        const uint8_t *data;

        vvi_h5_take(&in, 6);
        len = vvi_h5_number(&in, 8);
        if (number == 0) /* what is left is free */
            break;
        if (len > (uint64_t)(in.end - in.at))
            return vvi_fail(err, VV_ECORRUPT, "an object longer than its collection");
        data = vvi_h5_take(&in, (size_t)len);
        if (number == index) {
            *out = vvi_bytes(data, (size_t)len);
            return VV_OK;
        }
        if (!vvi_h5_take(&in, (size_t)(-len & 7)))
            break;
    }
    return vvi_fail(err, VV_ECORRUPT, "no object %" PRIu32 " in the collection", index);
}

vv_status vvi_h5_global_object(const vvi_h5 *file, uint64_t collection, uint32_t index,
                               size_t len, vv_buf *out, vv_error *err)
{
    vv_buf block = VV_BUF_INIT;
    vv_bytes object;
    uint8_t head[16];
    vv_status status;

    VVI_TRY(vvi_h5_load_into(file, collection, head, sizeof(head), err));
    status = vvi_h5_load_block(file, collection, vvi_get_le64(head + 8), "GCOL", false,
                               &block, err);
    if (!status && block.len < sizeof(head))
        status = vvi_fail(err, VV_ECORRUPT, "a collection of %zu bytes", block.len);
    if (!status)
        status = find_object(vvi_buf_bytes(&block), index, &object, err);
    if (!status && object.len < len)
        status = vvi_fail(err, VV_ECORRUPT, "%zu bytes of an object of %zu", len,
                          object.len);
    if (!status)
        status = vvi_buf_set(out, vvi_bytes(object.data, len), err);
    vv_buf_clear(&block);
    return status ? vvi_wrap(err, status, "global heap at %" PRIu64, collection) : VV_OK;
}

/* ---- fractal ------------------------------------------------------------------------------- */

/*
 * Objects lie in blocks whose lengths double from row to row of a table: the first two rows have blocks
 * of start_size, the next of twice that, and so on. Blocks longer than max_direct are tables again. An
 * id says at which byte of the heap an object begins, counted over all blocks.
 */

#define HEAP_HEAD 142 /* without filters */
#define ROWS_MAX  64

static bool is_power_of_two(uint64_t number)
{
    return number && !(number & (number - 1));
}

static vv_status check_heap(const vvi_h5_heap *heap, vv_error *err)
{
    if (!is_power_of_two(heap->width) || !is_power_of_two(heap->start_size) ||
        !is_power_of_two(heap->max_direct) || heap->max_direct < heap->start_size ||
        heap->max_direct > VVI_H5_BLOCK_MAX || heap->start_size > heap->max_direct ||
        heap->rows > ROWS_MAX || heap->offset_width > 8)
        return vvi_fail(err, VV_ECORRUPT, "a heap of impossible measures");
    return VV_OK;
}

vv_status vvi_h5_heap_open(const vvi_h5 *file, uint64_t address, vvi_h5_heap *out,
                           vv_error *err)
{
    vv_buf head = VV_BUF_INIT;
    vvi_h5_cursor in;
    uint64_t filters, flags, max_object, bits;
    vv_status status;

    memset(out, 0, sizeof(*out));
    out->address = address;
    status = vvi_h5_load_block(file, address, HEAP_HEAD + 4, "FRHP", false, &head, err);
    if (status)
        goto done;
    in = vvi_h5_cursor_of(vvi_bytes(head.data + 5, head.len - 5));
    out->id_len = (uint16_t)vvi_h5_number(&in, 2);
    filters = vvi_h5_number(&in, 2);
    flags = vvi_h5_number(&in, 1);
    max_object = vvi_h5_number(&in, 4);
    vvi_h5_take(&in, 12 * 8);
    out->width = (uint16_t)vvi_h5_number(&in, 2);
    out->start_size = vvi_h5_number(&in, 8);
    out->max_direct = vvi_h5_number(&in, 8);
    bits = vvi_h5_number(&in, 2);
    vvi_h5_take(&in, 2);
    out->root = vvi_h5_number(&in, 8);
    out->rows = (uint16_t)vvi_h5_number(&in, 2);
    out->checked = flags & 2;
    out->offset_width = (size_t)((bits + 7) / 8);
    out->length_width = vvi_h5_width(max_object < out->max_direct ? max_object
                                                                  : out->max_direct);
    out->heap_bytes = bits >= 64 ? UINT64_MAX : (uint64_t)1 << bits;
    if (filters)
        status = vvi_fail(err, VV_EUNSUPPORTED, "a heap with filters");
    else if (vvi_h5_checksum(vvi_bytes(head.data, HEAP_HEAD)) !=
             vvi_get_le32(head.data + HEAP_HEAD))
        status = vvi_fail(err, VV_ECORRUPT, "its checksum is wrong");
    else
        status = check_heap(out, err);

done:
    vv_buf_clear(&head);
    return status ? vvi_wrap(err, status, "fractal heap at %" PRIu64, address) : VV_OK;
}

static uint64_t block_size(const vvi_h5_heap *heap, unsigned row)
{
    return row < 2 ? heap->start_size : heap->start_size << (row - 1);
}

/* The row of a table that holds an offset counted from the table's beginning, and where the row begins. */
static unsigned row_of(const vvi_h5_heap *heap, uint64_t offset, uint64_t *begin)
{
    uint64_t span = heap->start_size * heap->width;
    unsigned row = 0;

    *begin = 0;
    while (row < ROWS_MAX && offset - *begin >= span) {
        *begin += span;
        if (++row > 1)
            span <<= 1;
    }
    return row;
}

/* Rows of direct blocks in a table. */
static unsigned direct_rows(const vvi_h5_heap *heap)
{
    unsigned rows = 2;

    for (uint64_t size = heap->start_size; size < heap->max_direct; size <<= 1)
        rows++;
    return rows;
}

/* A table's address of child number child; the table has rows rows. */
static vv_status read_child(const vvi_h5 *file, const vvi_h5_heap *heap, uint64_t table,
                            unsigned rows, uint64_t child, uint64_t *out, vv_error *err)
{
    uint64_t entries = (uint64_t)rows * heap->width;
    uint64_t head = 4 + 1 + 8 + heap->offset_width;
    vv_buf block = VV_BUF_INIT;
    vv_status status = vvi_h5_load_block(file, table, head + 8 * entries + 4, "FHIB",
                                         true, &block, err);

    if (!status && vvi_get_le64(block.data + 5) != heap->address)
        status = vvi_fail(err, VV_ECORRUPT, "a table of another heap");
    if (!status)
        *out = vvi_get_le64(block.data + head + 8 * child);
    vv_buf_clear(&block);
    return status;
}

/* The direct block that holds an offset; *begin: the offset at which it begins. */
static vv_status find_block(const vvi_h5 *file, const vvi_h5_heap *heap, uint64_t offset,
                            uint64_t *address, uint64_t *begin, uint64_t *size,
                            vv_error *err)
{
    uint64_t table = heap->root;
    unsigned rows = heap->rows;

    *begin = 0;
    *size = heap->start_size;
    *address = heap->root;
    while (rows) {
        uint64_t row_begin, column;
        unsigned row = row_of(heap, offset - *begin, &row_begin);

        if (row >= rows)
            return vvi_fail(err, VV_ECORRUPT, "an offset past the table's rows");
        *size = block_size(heap, row);
        column = (offset - *begin - row_begin) / *size;
        VVI_TRY(read_child(file, heap, table, rows, row * (uint64_t)heap->width + column,
                           address, err));
        *begin += row_begin + column * *size;
        if (row < direct_rows(heap))
            return VV_OK;
        table = *address;
        /* A block of that length holds so many rows that these span it. */
        rows = 1;
        for (uint64_t span = heap->start_size * heap->width; span < *size; span <<= 1)
            rows++;
    }
    return VV_OK;
}

static vv_status read_object(const vvi_h5 *file, const vvi_h5_heap *heap, uint64_t offset,
                             uint64_t len, vv_buf *out, vv_error *err)
{
    uint64_t head = 4 + 1 + 8 + heap->offset_width + (heap->checked ? 4 : 0);
    uint64_t address, begin, size;
    uint8_t signature[13];

    if (offset >= heap->heap_bytes)
        return vvi_fail(err, VV_ECORRUPT, "an offset past the heap's end");
    VVI_TRY(find_block(file, heap, offset, &address, &begin, &size, err));
    if (offset - begin < head || offset - begin > size || len > size - (offset - begin))
        return vvi_fail(err, VV_ECORRUPT, "an object outside its block");
    VVI_TRY(vvi_h5_load_into(file, address, signature, sizeof(signature), err));
    if (memcmp(signature, "FHDB", 4) != 0 || vvi_get_le64(signature + 5) != heap->address)
        return vvi_fail(err, VV_ECORRUPT,
                        "address %" PRIu64 " holds no block of the heap", address);
    return vvi_h5_load(file, address + (offset - begin), len, out, err);
}

vv_status vvi_h5_heap_get(const vvi_h5 *file, const vvi_h5_heap *heap, vv_bytes id,
                          vv_buf *out, vv_error *err)
{
    vvi_h5_cursor in = vvi_h5_cursor_of(id);
    uint64_t kind = vvi_h5_number(&in, 1);
    uint64_t offset, len;
    vv_status status;

    if (kind == 0x00) {
        offset = vvi_h5_number(&in, heap->offset_width);
        len = vvi_h5_number(&in, heap->length_width);
        status = in.short_of ? vvi_fail(err, VV_ECORRUPT, "an id of %zu bytes", id.len)
                             : read_object(file, heap, offset, len, out, err);
    } else if (kind >> 4 == 2) { /* tiny: the object stands in the id */
        len = (kind & 0xF) + 1;
        status = len > id.len - 1
                     ? vvi_fail(err, VV_ECORRUPT, "an id of %zu bytes", id.len)
                     : vvi_buf_set(out, vvi_bytes(id.data + 1, (size_t)len), err);
    } else {
        status = vvi_fail(err, VV_EUNSUPPORTED, "an object of kind 0x%02" PRIx64, kind);
    }
    return status ? vvi_wrap(err, status, "fractal heap at %" PRIu64, heap->address)
                  : VV_OK;
}
