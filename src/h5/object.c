/* Object headers: their messages. */
#include "h5/inner.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

#define BLOCKS_MAX   4096 /* of one header */
#define MESSAGES_MAX 65536

/* Blocks that are still to be read. */
typedef struct todo {
    uint64_t address, len;
} todo;

typedef struct header_read {
    const vvi_h5 *file;
    vvi_h5_object *object;
    todo *blocks;
    size_t count, cap;
    bool ordered; /* messages have a creation order */
} header_read;

static vv_status add_block(header_read *self, uint64_t address, uint64_t len,
                           vv_error *err)
{
    if (self->count == BLOCKS_MAX)
        return vvi_fail(err, VV_ECORRUPT, "a header of more than %d blocks", BLOCKS_MAX);
    VVI_TRY(vvi_grow((void **)&self->blocks, &self->cap, self->count + 1,
                     sizeof(*self->blocks), err));
    self->blocks[self->count++] = (todo){ address, len };
    return VV_OK;
}

/* Keep a block for the messages that point into it; buf becomes empty. */
static vv_status keep(vvi_h5_object *object, vv_buf *buf, vv_error *err)
{
    VVI_TRY(vvi_grow((void **)&object->blocks, &object->block_cap,
                     object->block_count + 1, sizeof(*object->blocks), err));
    object->blocks[object->block_count] = (vv_buf)VV_BUF_INIT;
    vvi_buf_move(&object->blocks[object->block_count++], buf);
    return VV_OK;
}

static vv_status add_message(header_read *self, uint16_t type, uint8_t flags,
                             vv_bytes data, vv_error *err)
{
    vvi_h5_object *object = self->object;
    vvi_h5_cursor in = vvi_h5_cursor_of(data);

    if (type == VVI_H5_MSG_CONTINUATION) {
        uint64_t address = vvi_h5_number(&in, 8);
        uint64_t len = vvi_h5_number(&in, 8);

        if (in.short_of)
            return vvi_fail(err, VV_ECORRUPT, "a continuation without an address");
        return add_block(self, address, len, err);
    }
    if (object->count == MESSAGES_MAX)
        return vvi_fail(err, VV_ECORRUPT, "more than %d messages", MESSAGES_MAX);
    VVI_TRY(vvi_grow((void **)&object->messages, &object->cap, object->count + 1,
                     sizeof(*object->messages), err));
    object->messages[object->count++] = (vvi_h5_message){ type, flags, data };
    return VV_OK;
}

/* ---- version 1 ------------------------------------------------------------------------------ */

static vv_status read_old_messages(header_read *self, vv_bytes block, vv_error *err)
{
    vvi_h5_cursor in = vvi_h5_cursor_of(block);

    while ((size_t)(in.end - in.at) >= 8) {
        uint16_t type = (uint16_t)vvi_h5_number(&in, 2);
        uint16_t len = (uint16_t)vvi_h5_number(&in, 2);
        uint8_t flags = (uint8_t)vvi_h5_number(&in, 1);
        const uint8_t *data;

        vvi_h5_take(&in, 3);
        data = vvi_h5_take(&in, len);
        if (!data)
            return vvi_fail(err, VV_ECORRUPT, "a message longer than its block");
        VVI_TRY(add_message(self, type, flags, vvi_bytes(data, len), err));
    }
    return VV_OK;
}

static vv_status read_old(header_read *self, uint64_t address, vv_error *err)
{
    uint8_t prefix[16];

    VVI_TRY(vvi_h5_load_into(self->file, address, prefix, sizeof(prefix), err));
    VVI_TRY(add_block(self, address + sizeof(prefix), vvi_get_le32(prefix + 8), err));
    for (size_t i = 0; i < self->count; i++) {
        vv_buf block = VV_BUF_INIT;
        vv_status status = vvi_h5_load(self->file, self->blocks[i].address,
                                       self->blocks[i].len, &block, err);
        vv_bytes bytes = vvi_buf_bytes(&block);

        if (!status)
            status = keep(self->object, &block, err);
        vv_buf_clear(&block);
        if (status)
            return status;
        VVI_TRY(read_old_messages(self, bytes, err));
    }
    return VV_OK;
}

/* ---- version 2 ------------------------------------------------------------------------------ */

static vv_status read_new_messages(header_read *self, vv_bytes block, vv_error *err)
{
    vvi_h5_cursor in = vvi_h5_cursor_of(block);
    size_t head = self->ordered ? 6 : 4;

    /* What is shorter than a message's head is a gap. */
    while ((size_t)(in.end - in.at) >= head) {
        uint16_t type = (uint16_t)vvi_h5_number(&in, 1);
        uint16_t len = (uint16_t)vvi_h5_number(&in, 2);
        uint8_t flags = (uint8_t)vvi_h5_number(&in, 1);
        const uint8_t *data;

        vvi_h5_take(&in, head - 4);
        data = vvi_h5_take(&in, len);
        if (!data)
            return vvi_fail(err, VV_ECORRUPT, "a message longer than its block");
        VVI_TRY(add_message(self, type, flags, vvi_bytes(data, len), err));
    }
    return VV_OK;
}

/* How long the whole first block is, from its first bytes; *at: where its messages begin. */
static vv_status measure(const uint8_t *prefix, size_t *at, uint64_t *len, bool *ordered,
                         vv_error *err)
{
    vvi_h5_cursor in = vvi_h5_cursor_of(vvi_bytes(prefix + 4, 30));
    uint8_t version = (uint8_t)vvi_h5_number(&in, 1);
    uint8_t flags = (uint8_t)vvi_h5_number(&in, 1);

    if (version != 2)
        return vvi_fail(err, VV_EUNSUPPORTED, "an object header of version %d", version);
    *ordered = flags & 0x04;
    vvi_h5_take(&in, (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0));
    *len = vvi_h5_number(&in, (size_t)1 << (flags & 3));
    *at = (size_t)(in.at - prefix);
    if (*len > VVI_H5_BLOCK_MAX)
        return vvi_fail(err, VV_ECORRUPT, "an object header of %" PRIu64 " bytes", *len);
    *len += *at + 4;
    return VV_OK;
}

static vv_status read_new(header_read *self, uint64_t address, vv_error *err)
{
    uint8_t prefix[34] = { 0 };
    uint64_t room = self->file->info.size - self->file->base - address;
    size_t at;
    uint64_t len;

    VVI_TRY(vvi_h5_load_into(self->file, address, prefix,
                             room < sizeof(prefix) ? (size_t)room : sizeof(prefix), err));
    VVI_TRY(measure(prefix, &at, &len, &self->ordered, err));
    VVI_TRY(add_block(self, address, len, err));
    for (size_t i = 0; i < self->count; i++) {
        vv_buf block = VV_BUF_INIT;
        vv_status status = vvi_h5_load_block(self->file, self->blocks[i].address,
                                             self->blocks[i].len, i ? "OCHK" : "OHDR",
                                             true, &block, err);
        vv_bytes bytes = vvi_buf_bytes(&block);
        size_t skip = i ? 4 : at;

        if (!status)
            status = keep(self->object, &block, err);
        vv_buf_clear(&block);
        if (status)
            return status;
        if (bytes.len < skip + 4)
            return vvi_fail(err, VV_ECORRUPT, "a block of %zu bytes", bytes.len);
        VVI_TRY(read_new_messages(
            self, vvi_bytes(bytes.data + skip, bytes.len - skip - 4), err));
    }
    return VV_OK;
}

/* ---- both ---------------------------------------------------------------------------------- */

vv_status vvi_h5_object_read(const vvi_h5 *file, uint64_t address, vvi_h5_object *out,
                             vv_error *err)
{
    header_read self = { .file = file, .object = out };
    uint8_t first[4];
    vv_status status;

    memset(out, 0, sizeof(*out));
    out->address = address;
    status = vvi_h5_load_into(file, address, first, sizeof(first), err);
    if (!status) {
        if (memcmp(first, "OHDR", 4) == 0)
            status = read_new(&self, address, err);
        else if (first[0] == 1)
            status = read_old(&self, address, err);
        else
            status = vvi_fail(err, VV_ECORRUPT, "no object header");
    }
    vvi_free(self.blocks);
    if (status) {
        vvi_h5_object_clear(out);
        return vvi_wrap(err, status, "object header at %" PRIu64, address);
    }
    return VV_OK;
}

void vvi_h5_object_clear(vvi_h5_object *object)
{
    for (size_t i = 0; i < object->block_count; i++)
        vv_buf_clear(&object->blocks[i]);
    vvi_free(object->blocks);
    vvi_free(object->messages);
    memset(object, 0, sizeof(*object));
}

const vvi_h5_message *vvi_h5_message_of(const vvi_h5_object *object, uint16_t type)
{
    for (size_t i = 0; i < object->count; i++)
        if (object->messages[i].type == type)
            return &object->messages[i];
    return NULL;
}

bool vvi_h5_is_group(const vvi_h5_object *object)
{
    return vvi_h5_message_of(object, VVI_H5_MSG_SYMBOLS) ||
           vvi_h5_message_of(object, VVI_H5_MSG_LINK_INFO) ||
           vvi_h5_message_of(object, VVI_H5_MSG_LINK);
}

bool vvi_h5_is_dataset(const vvi_h5_object *object)
{
    return vvi_h5_message_of(object, VVI_H5_MSG_LAYOUT) != NULL;
}
