/* A stored value that is read: a chunk, or a shard of inner chunks. */
#include "zarr/array.h"

#include "util/alloc.h"
#include "util/buf.h"

/* A chunk of many shards inside has an index many times its length; nothing grows more. What is shorter
 * than this is read in any case. */
#define ENCODED_RATIO_MAX 32
#define ENCODED_BYTES_MAX ((uint64_t)1 << 20)

static vv_bytes none(void)
{
    return (vv_bytes){ NULL, 0 };
}

void vvi_stored_clear(vvi_stored *source)
{
    vvi_shard_index_release(source->index);
    for (size_t i = 0; i < source->piece_count; i++)
        vv_buf_clear(&source->pieces[i].bytes);
    vvi_free(source->pieces);
    vv_buf_clear(&source->loaded);
    if (source->array)
        vvi_value_close(source->array->store, &source->value);
    *source = (vvi_stored){ .value = { .fd = -1 } };
}

static void source_init(vvi_stored *source, vv_array *array, const vvi_form *form)
{
    *source = (vvi_stored){
        .array = array, .form = form, .value = { .fd = -1 }, .size = UINT64_MAX
    };
}

/* ---- indexes of shards ----------------------------------------------------------------------- */

/* What no writer makes: more bytes of inner chunks than there are. It would let a short shard keep its
 * readers busy for long. */
static vv_status check_overlap(const vvi_shard_index *index, uint64_t shard_bytes,
                               vv_error *err)
{
    uint64_t left = shard_bytes;

    for (size_t i = 0; i < index->count; i++) {
        if (index->entries[i].offset == UINT64_MAX &&
            index->entries[i].length == UINT64_MAX)
            continue;
        if (index->entries[i].length > left)
            return vvi_fail(err, VV_ECORRUPT,
                            "the inner chunks of the shard's index overlap");
        left -= index->entries[i].length;
    }
    return VV_OK;
}

static vv_status decode_index(vvi_stored *source, uint64_t number, vv_bytes encoded,
                              vv_error *err)
{
    const vvi_sharding *sharding = source->form->sharding;
    vvi_shard_index *index;
    size_t bytes;
    vv_status status;

    if (__builtin_mul_overflow(sharding->chunk_count, sizeof(index->entries[0]),
                               &bytes) ||
        __builtin_add_overflow(bytes, sizeof(*index), &bytes))
        return vvi_fail_nomem(err, SIZE_MAX);
    index = vvi_alloc(bytes);
    if (!index)
        return vvi_fail_nomem(err, bytes);
    index->refs = 1;
    index->number = number;
    index->size = source->value.size;
    index->version[0] = source->value.version[0];
    index->version[1] = source->value.version[1];
    index->count = sharding->chunk_count;
    source->index = index;
    status = vvi_shard_index_decode(sharding, encoded, source->size, index->entries, err);
    if (!status)
        status = check_overlap(index, source->size, err);
    return status;
}

/* Where the index stands in a shard of this size. */
static vv_status place_index(const vvi_stored *source, uint64_t *offset, vv_error *err)
{
    const vvi_sharding *sharding = source->form->sharding;

    if (source->size < sharding->index_bytes)
        return vvi_fail(err, VV_ECORRUPT,
                        "a shard of %" PRIu64 " bytes; its index alone has %zu",
                        source->size, sharding->index_bytes);
    *offset = sharding->index_at_start ? 0 : source->size - sharding->index_bytes;
    return VV_OK;
}

static vv_status read_index(vvi_stored *source, uint64_t number, vv_error *err)
{
    size_t bytes = source->form->sharding->index_bytes;
    vv_buf scratch = VV_BUF_INIT;
    vv_bytes encoded;
    uint64_t offset;
    vv_status status;

    source->index = vvi_index_cache_get(&source->array->indexes, number, &source->value);
    if (source->index)
        return VV_OK;
    VVI_TRY(place_index(source, &offset, err));
    status = vvi_stored_bytes(source, offset, bytes, &scratch, &encoded, err);
    if (!status)
        status = decode_index(source, number, encoded, err);
    if (!status)
        vvi_index_cache_put(&source->array->indexes, source->index);
    vv_buf_clear(&scratch);
    return status;
}

/* ---- opening --------------------------------------------------------------------------------- */

/* From a near store: nothing is read yet. */
static vv_status open_near(vvi_stored *source, const char *key, vv_error *err)
{
    VVI_TRY(vvi_value_open(source->array->store, key, &source->value, err));
    source->is_there = true;
    source->size = source->value.size;
    if (source->value.view)
        source->whole = vvi_bytes(source->value.view, (size_t)source->size);
    return VV_OK;
}

static vv_status open_far(vvi_stored *source, const char *key, vv_error *err)
{
    VVI_TRY(vv_store_get(source->array->store, key, VV_RANGE_ALL, &source->loaded, err));
    source->is_there = true;
    source->size = source->loaded.len;
    source->whole = vvi_buf_bytes(&source->loaded);
    return VV_OK;
}

vv_status vvi_stored_open(vvi_stored *source, vv_array *array, const vvi_form *form,
                          const uint64_t *index, const char *key, vv_error *err)
{
    vv_status status;

    source_init(source, array, form);
    status = vvi_store_is_near(array->store) ? open_near(source, key, err)
                                             : open_far(source, key, err);
    if (status == VV_ENOTFOUND)
        return VV_OK;
    if (!status && form->sharding)
        status = read_index(source, vvi_array_chunk_number(array, index), err);
    return status;
}

vv_status vvi_stored_take(vvi_stored *source, vv_array *array, const vvi_form *form,
                          const uint64_t *index, vv_buf *loaded, vv_error *err)
{
    source_init(source, array, form);
    vvi_buf_move(&source->loaded, loaded);
    source->is_there = true;
    source->size = source->loaded.len;
    source->whole = vvi_buf_bytes(&source->loaded);
    if (!form->sharding)
        return VV_OK;
    return read_index(source, vvi_array_chunk_number(array, index), err);
}

vv_status vvi_stored_take_index(vvi_stored *source, vv_array *array, const vvi_form *form,
                                const uint64_t *index, vv_bytes encoded, vv_error *err)
{
    source_init(source, array, form);
    source->is_there = true;
    return decode_index(source, vvi_array_chunk_number(array, index), encoded, err);
}

vv_status vvi_stored_load(vvi_stored *source, vv_error *err)
{
    vv_bytes bytes;

    if (source->whole.data || source->size == 0)
        return VV_OK;
    VVI_TRY(vvi_stored_bytes(source, 0, source->size, &source->loaded, &bytes, err));
    source->whole = bytes;
    return VV_OK;
}

/* ---- units ----------------------------------------------------------------------------------- */

bool vvi_stored_find(const vvi_stored *source, const uint64_t *unit, uint64_t *offset,
                     uint64_t *length)
{
    const vvi_shard_entry *entry;
    const vvi_grid *units;
    uint64_t number = 0;

    if (!source->is_there)
        return false;
    *offset = 0;
    *length = source->size;
    if (!source->index)
        return true;
    units = &source->form->units;
    for (uint32_t d = 0; d < units->ndim; d++)
        number = number * units->count[d] + unit[d];
    entry = &source->index->entries[number];
    *offset = entry->offset;
    *length = entry->length;
    return entry->offset != UINT64_MAX || entry->length != UINT64_MAX;
}

/* The fetched piece that holds these bytes. */
static vv_bytes find_piece(const vvi_stored *source, uint64_t offset, uint64_t length)
{
    const vvi_piece *piece = source->pieces;
    size_t count = source->piece_count;

    /* The last one that begins there or before. */
    while (count > 1) {
        size_t half = count / 2;

        if (piece[half].offset <= offset) {
            piece += half;
            count -= half;
        } else {
            count = half;
        }
    }
    if (count == 0 || offset < piece->offset ||
        offset - piece->offset > piece->bytes.len ||
        length > piece->bytes.len - (offset - piece->offset))
        return none();
    return vvi_bytes(piece->bytes.data + (offset - piece->offset), (size_t)length);
}

vv_status vvi_stored_bytes(const vvi_stored *source, uint64_t offset, uint64_t length,
                           vv_buf *scratch, vv_bytes *out, vv_error *err)
{
    if (source->whole.data || source->size == 0) {
        *out = source->size ? vvi_bytes(source->whole.data + offset, (size_t)length)
                            : none();
        return VV_OK;
    }
    if (source->pieces) {
        *out = find_piece(source, offset, length);
        return out->data || length == 0
                   ? VV_OK
                   : vvi_fail(err, VV_ECORRUPT, "the shard changed while it was read");
    }
    if (length > VV_BLOCK_BYTES_MAX)
        return vvi_fail(err, VV_ELIMIT, "%" PRIu64 " bytes at once", length);
    scratch->len = 0;
    VVI_TRY(vvi_buf_reserve(scratch, (size_t)length, err));
    VVI_TRY(vvi_value_read(source->array->store, &source->value, offset, scratch->data,
                           (size_t)length, err));
    scratch->len = (size_t)length;
    *out = vvi_buf_bytes(scratch);
    return VV_OK;
}

vv_status vvi_stored_unit(const vvi_stored *source, uint64_t offset, uint64_t length,
                          vv_buf *scratch, vv_bytes *out, vv_error *err)
{
    size_t unit = source->form->unit_bytes;

    /* What stands in a shard was checked with its index, and text may be of any length. */
    if (!source->index && source->array->meta.dtype.kind != VVI_KIND_VARIABLE &&
        length / ENCODED_RATIO_MAX > unit && length > ENCODED_BYTES_MAX)
        return vvi_fail(err, VV_ECORRUPT,
                        "%" PRIu64 " bytes are stored for a chunk of %zu", length, unit);
    return vvi_stored_bytes(source, offset, length, scratch, out, err);
}
