/* Data sets: what the messages of one say. */
#include "h5/inner.h"

#include "grid/grid.h"
#include "h5/dataset.h"
#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

/* ---- filters ------------------------------------------------------------------------------- */

static vv_status read_filter(vvi_h5_cursor *in, uint64_t version, vvi_h5_filter *out,
                             vv_error *err)
{
    uint64_t id = vvi_h5_number(in, 2);
    uint64_t name = version == 1 || id >= 256 ? vvi_h5_number(in, 2) : 0;
    uint64_t count;

    vvi_h5_take(in,
                2); /* flags: whether it may be left out, which each chunk's mask says */
    count = vvi_h5_number(in, 2);
    vvi_h5_take(in, (size_t)(version == 1 ? (name + 7) / 8 * 8 : name));
    out->id = (uint16_t)id;
    out->value_count = 0;
    for (uint64_t i = 0; i < count && !in->short_of; i++) {
        uint32_t value = (uint32_t)vvi_h5_number(in, 4);

        if (out->value_count < sizeof(out->values) / sizeof(out->values[0]))
            out->values[out->value_count++] = value;
    }
    if (version == 1 && count % 2)
        vvi_h5_take(in, 4);
    if (in->short_of)
        return vvi_fail(err, VV_ECORRUPT, "a filter that is cut short");
    return VV_OK;
}

static vv_status read_filters(vvi_h5_dataset_info *info, vv_bytes message, vv_error *err)
{
    vvi_h5_cursor in = vvi_h5_cursor_of(message);
    uint64_t version = vvi_h5_number(&in, 1);
    uint64_t count = vvi_h5_number(&in, 1);

    if (version < 1 || version > 2)
        return vvi_fail(err, VV_EUNSUPPORTED, "filters of version %" PRIu64, version);
    if (count > VVI_H5_FILTERS_MAX)
        return vvi_fail(err, VV_EUNSUPPORTED, "%" PRIu64 " filters", count);
    vvi_h5_take(&in, version == 1 ? 6 : 0);
    for (uint64_t i = 0; i < count; i++)
        VVI_TRY(read_filter(&in, version, &info->filters[i], err));
    info->filter_count = (uint32_t)count;
    return VV_OK;
}

/* ---- fill value ---------------------------------------------------------------------------- */

/* A value of the type's length; anything else means zero. */
static vv_status read_fill(vvi_h5_dataset *self, vv_bytes message, vv_error *err)
{
    vvi_h5_cursor in = vvi_h5_cursor_of(message);
    uint64_t version = vvi_h5_number(&in, 1);
    bool defined;
    uint64_t len;
    const uint8_t *value;

    if (version == 3) {
        defined = vvi_h5_number(&in, 1) & 0x20;
    } else {
        vvi_h5_take(&in, 2);
        defined = vvi_h5_number(&in, 1) || version == 1;
    }
    len = defined ? vvi_h5_number(&in, 4) : 0;
    if (len != self->info.type.item)
        return VV_OK;
    value = vvi_h5_take(&in, (size_t)len);
    if (!value)
        return vvi_fail(err, VV_ECORRUPT, "a fill value that is cut short");
    memcpy(self->fill, value, (size_t)len);
    return VV_OK;
}

/* ---- layout -------------------------------------------------------------------------------- */

static vv_status cut_short(vv_error *err)
{
    return vvi_fail(err, VV_ECORRUPT, "a layout that is cut short");
}

static vv_status read_compact(vvi_h5_dataset *self, vvi_h5_cursor *in, vv_error *err)
{
    uint64_t len = vvi_h5_number(in, 2);
    const uint8_t *data = vvi_h5_take(in, (size_t)len);

    self->info.layout = VVI_H5_COMPACT;
    if (!data || len != self->bytes)
        return cut_short(err);
    return vvi_buf_set(&self->compact, vvi_bytes(data, (size_t)len), err);
}

static vv_status read_contiguous(vvi_h5_dataset *self, vvi_h5_cursor *in, vv_error *err)
{
    self->info.layout = VVI_H5_CONTIGUOUS;
    self->address = vvi_h5_number(in, 8);
    self->info.address = self->address;
    vvi_h5_take(in, 8);
    return in->short_of ? cut_short(err) : VV_OK;
}

/* Lengths of a chunk; the last one is an element's bytes. */
static vv_status read_chunk_shape(vvi_h5_dataset *self, vvi_h5_cursor *in, uint64_t count,
                                  size_t width, vv_error *err)
{
    if (count != (uint64_t)self->info.space.rank + 1)
        return vvi_fail(err, VV_ECORRUPT, "chunks of another rank than the data set");
    for (uint32_t d = 0; d < self->info.space.rank; d++)
        self->info.chunk[d] = vvi_h5_number(in, width);
    if (vvi_h5_number(in, width) != self->info.type.item || in->short_of)
        return vvi_fail(err, VV_ECORRUPT, "chunks of elements of another length");
    return VV_OK;
}

static vv_status read_btree1(vvi_h5_dataset *self, vvi_h5_cursor *in, vv_error *err)
{
    uint64_t count = vvi_h5_number(in, 1);

    self->chunking.address = vvi_h5_number(in, 8);
    self->info.index = VVI_H5_BTREE1;
    return read_chunk_shape(self, in, count, 4, err);
}

/* Behind the shape stand measures of the index, which the index says of itself again. */
static vv_status read_index(vvi_h5_dataset *self, vvi_h5_cursor *in, vv_error *err)
{
    static const size_t measures[] = { [VVI_H5_SINGLE] = 0,
                                       [VVI_H5_IMPLICIT] = 0,
                                       [VVI_H5_FIXED_ARRAY] = 1,
                                       [VVI_H5_EXTENSIBLE_ARRAY] = 5,
                                       [VVI_H5_BTREE2] = 6 };
    uint64_t flags = vvi_h5_number(in, 1);
    uint64_t count = vvi_h5_number(in, 1);
    uint64_t width = vvi_h5_number(in, 1);
    uint64_t index;

    if (width < 1 || width > 8)
        return vvi_fail(err, VV_ECORRUPT, "chunk lengths of %" PRIu64 " bytes", width);
    VVI_TRY(read_chunk_shape(self, in, count, (size_t)width, err));
    index = vvi_h5_number(in, 1);
    if (index < VVI_H5_SINGLE || index > VVI_H5_BTREE2)
        return vvi_fail(err, VV_EUNSUPPORTED, "a chunk index of kind %" PRIu64, index);
    self->info.index = (vvi_h5_index)index;
    self->edges_unfiltered = flags & 1;
    vvi_h5_take(in, measures[index]);
    if (index == VVI_H5_SINGLE && flags & 2) {
        self->chunking.single.stored = vvi_h5_number(in, 8);
        self->chunking.single.mask = (uint32_t)vvi_h5_number(in, 4);
    }
    self->chunking.address = vvi_h5_number(in, 8);
    self->chunking.single.address = self->chunking.address;
    return in->short_of ? cut_short(err) : VV_OK;
}

static vv_status read_layout(vvi_h5_dataset *self, vv_bytes message, vv_error *err)
{
    vvi_h5_cursor in = vvi_h5_cursor_of(message);
    uint64_t kind;

    self->info.layout_version = (uint8_t)vvi_h5_number(&in, 1);
    kind = vvi_h5_number(&in, 1);
    if (self->info.layout_version < 3 || self->info.layout_version > 5 || kind > 2)
        return vvi_fail(err, VV_EUNSUPPORTED, "a layout of version %d and kind %" PRIu64,
                        self->info.layout_version, kind);
    if (kind == 0)
        return read_compact(self, &in, err);
    if (kind == 1)
        return read_contiguous(self, &in, err);
    self->info.layout = VVI_H5_CHUNKED;
    return self->info.layout_version == 3 ? read_btree1(self, &in, err)
                                          : read_index(self, &in, err);
}

/* ---- chunks -------------------------------------------------------------------------------- */

/* How arrays number chunks: in C order over the largest extent, but a dimension without an end, which
 * only one can be, goes first. */
static void order_chunks(vvi_h5_dataset *self)
{
    vvi_h5_chunking *chunking = &self->chunking;
    uint32_t rank = self->info.space.rank;
    uint32_t next = 0;

    for (uint32_t d = 0; d < rank; d++) {
        uint64_t most = self->info.space.max[d];

        chunking->spans[d] = most / chunking->chunk[d] + (most % chunking->chunk[d] != 0);
        if (most == VVI_H5_NONE && next == 0)
            chunking->order[next++] = d;
    }
    for (uint32_t d = 0; d < rank; d++)
        if (next == 0 || d != chunking->order[0])
            chunking->order[next == 0 ? next++ : next++] = d;
}

static vv_status prepare_chunks(vvi_h5_dataset *self, vv_error *err)
{
    vvi_h5_chunking *chunking = &self->chunking;
    uint64_t elements;

    chunking->index = self->info.index;
    chunking->rank = self->info.space.rank;
    chunking->filtered = self->info.filter_count != 0;
    if (chunking->rank == 0)
        return vvi_fail(err, VV_ECORRUPT, "chunks of one element");
    for (uint32_t d = 0; d < chunking->rank; d++) {
        chunking->chunk[d] = self->info.chunk[d];
        if (!chunking->chunk[d])
            return vvi_fail(err, VV_ECORRUPT, "chunks without elements");
    }
    VVI_TRY(vvi_product(chunking->rank, chunking->chunk, &elements, err));
    if (__builtin_mul_overflow(elements, self->info.type.item, &chunking->chunk_bytes) ||
        chunking->chunk_bytes > VVI_H5_CHUNK_MAX)
        return vvi_fail(err, VV_ELIMIT, "chunks of more than %" PRIu64 " bytes",
                        VVI_H5_CHUNK_MAX);
    if (!chunking->filtered || !chunking->single.stored)
        chunking->single.stored = chunking->chunk_bytes;
    order_chunks(self);
    return VV_OK;
}

/* Are chunks kept where they are, and one behind the other along the first dimension? */
static bool can_have_window(const vvi_h5_dataset *self)
{
    if (self->info.layout != VVI_H5_CHUNKED || self->file->info.flags)
        return false;
    for (uint32_t d = 1; d < self->info.space.rank; d++)
        if (self->info.chunk[d] < self->info.space.dims[d])
            return false;
    return true;
}

static vv_status make_window(vvi_h5_dataset *self, vv_error *err)
{
    vvi_h5_window *window = vvi_alloc(sizeof(*window));
    vv_status status;

    if (!window)
        return vvi_fail_nomem(err, sizeof(*window));
    window->count = 0;
    status = vvi_mutex_init(&window->lock, err);
    if (status)
        vvi_free(window);
    else
        self->window = window;
    return status;
}

/* ---- opening ------------------------------------------------------------------------------- */

static vv_status read_messages(vvi_h5_dataset *self, const vvi_h5_object *object,
                               vv_error *err)
{
    const vvi_h5_message *type = vvi_h5_message_of(object, VVI_H5_MSG_TYPE);
    const vvi_h5_message *space = vvi_h5_message_of(object, VVI_H5_MSG_SPACE);
    const vvi_h5_message *layout = vvi_h5_message_of(object, VVI_H5_MSG_LAYOUT);
    const vvi_h5_message *fill = vvi_h5_message_of(object, VVI_H5_MSG_FILL);
    const vvi_h5_message *filters = vvi_h5_message_of(object, VVI_H5_MSG_FILTERS);
    vvi_h5_cursor in;
    uint64_t count;

    if (!type || !space || !layout)
        return vvi_fail(err, VV_ECORRUPT, "no data set");
    if (type->flags & 2 || space->flags & 2)
        return vvi_fail(err, VV_EUNSUPPORTED, "a shared type or space");
    if (vvi_h5_message_of(object, VVI_H5_MSG_EXTERNAL))
        return vvi_fail(err, VV_EUNSUPPORTED, "its values lie in other files");
    in = vvi_h5_cursor_of(type->data);
    VVI_TRY(vvi_h5_type_read(&in, &self->info.type, err));
    in = vvi_h5_cursor_of(space->data);
    VVI_TRY(vvi_h5_space_read(&in, &self->info.space, err));
    VVI_TRY(vvi_h5_space_count(&self->info.space, &count, err));
    if (__builtin_mul_overflow(count, self->info.type.item, &self->bytes))
        return vvi_fail(err, VV_ERANGE, "more than 2^64 bytes");
    self->fill = vvi_alloc_zero(self->info.type.item);
    if (!self->fill)
        return vvi_fail_nomem(err, self->info.type.item);
    if (fill)
        VVI_TRY(read_fill(self, fill->data, err));
    if (filters)
        VVI_TRY(read_filters(&self->info, filters->data, err));
    VVI_TRY(read_layout(self, layout->data, err));
    return self->info.layout == VVI_H5_CHUNKED ? prepare_chunks(self, err) : VV_OK;
}

vv_status vvi_h5_dataset_open(const vvi_h5 *file, uint64_t address, vvi_h5_dataset **out,
                              vv_error *err)
{
    vvi_h5_dataset *self = vvi_alloc_zero(sizeof(*self));
    vvi_h5_object object;
    vv_status status;

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    self->file = file;
    status = vvi_h5_object_read(file, address, &object, err);
    if (!status) {
        status = read_messages(self, &object, err);
        vvi_h5_object_clear(&object);
    }
    if (!status && can_have_window(self))
        status = make_window(self, err);
    self->number = vvi_h5_cache_number(file->cache);
    if (status)
        vvi_h5_dataset_free(self);
    else
        *out = self;
    return status;
}

void vvi_h5_dataset_free(vvi_h5_dataset *dataset)
{
    if (!dataset)
        return;
    if (dataset->window)
        vvi_mutex_clear(&dataset->window->lock);
    vvi_free(dataset->window);
    vv_buf_clear(&dataset->compact);
    vvi_free(dataset->fill);
    vvi_free(dataset);
}

const vvi_h5_dataset_info *vvi_h5_dataset_get_info(const vvi_h5_dataset *dataset)
{
    return &dataset->info;
}
