/* Groups: what their links lead to. */
#include "h5/inner.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

typedef struct link_walk {
    const vvi_h5 *file;
    vvi_h5_link_fn visit;
    void *ctx;
    vv_buf names;     /* a symbol table's local heap */
    vvi_h5_heap heap; /* a dense group's */
} link_walk;

/* ---- link messages -------------------------------------------------------------------------- */

static vv_status read_link(link_walk *self, vv_bytes message, vv_error *err)
{
    vvi_h5_cursor in = vvi_h5_cursor_of(message);
    uint64_t version = vvi_h5_number(&in, 1);
    uint64_t flags = vvi_h5_number(&in, 1);
    uint64_t kind = flags & 0x08 ? vvi_h5_number(&in, 1) : 0;
    uint64_t len, address;
    const uint8_t *name;

    if (version != 1)
        return vvi_fail(err, VV_EUNSUPPORTED, "a link of version %" PRIu64, version);
    vvi_h5_take(&in, (flags & 0x04 ? 8 : 0) + (flags & 0x10 ? 1 : 0));
    len = vvi_h5_number(&in, (size_t)1 << (flags & 3));
    name = len <= message.len ? vvi_h5_take(&in, (size_t)len) : NULL;
    if (!name)
        return vvi_fail(err, VV_ECORRUPT, "a link that is cut short");
    if (kind != 0)
        return vvi_fail(err, VV_EUNSUPPORTED, "link '%.*s' leads %s", (int)len,
                        (const char *)name,
                        kind == 64 ? "to another file" : "to a path, not to an object");
    address = vvi_h5_number(&in, 8);
    if (in.short_of)
        return vvi_fail(err, VV_ECORRUPT, "a link that is cut short");
    return self->visit(self->ctx, vvi_bytes(name, (size_t)len), address, err);
}

/* ---- symbol tables -------------------------------------------------------------------------- */

#define SYMBOL_BYTES 40

static vv_status read_symbol(link_walk *self, const uint8_t *entry, vv_error *err)
{
    uint64_t offset = vvi_get_le64(entry);
    const char *name;
    size_t room;

    if (offset >= self->names.len)
        return vvi_fail(err, VV_ECORRUPT, "a name outside its heap");
    name = (const char *)self->names.data + offset;
    room = self->names.len - (size_t)offset;
    if (strnlen(name, room) == room)
        return vvi_fail(err, VV_ECORRUPT, "a name without an end");
    if (vvi_get_le32(entry + 16) == 2)
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "link '%s' leads to a path, not to an object", name);
    return self->visit(self->ctx, vv_bytes_of(name), vvi_get_le64(entry + 8), err);
}

static vv_status read_symbols(void *ctx, vv_bytes key, uint64_t address, vv_error *err)
{
    link_walk *self = ctx;
    vv_buf block = VV_BUF_INIT;
    uint8_t head[8];
    size_t count;
    vv_status status;

    (void)key;
    VVI_TRY(vvi_h5_load_into(self->file, address, head, sizeof(head), err));
    if (memcmp(head, "SNOD", 4) != 0)
        return vvi_fail(err, VV_ECORRUPT, "address %" PRIu64 " holds no SNOD", address);
    count = vvi_get_le16(head + 6);
    status = vvi_h5_load(self->file, address + sizeof(head), count * SYMBOL_BYTES, &block,
                         err);
    for (size_t i = 0; i < count && !status; i++)
        status = read_symbol(self, block.data + i * SYMBOL_BYTES, err);
    vv_buf_clear(&block);
    return status;
}

static vv_status walk_symbols(link_walk *self, vv_bytes message, vv_error *err)
{
    vvi_h5_cursor in = vvi_h5_cursor_of(message);
    uint64_t tree = vvi_h5_number(&in, 8);
    uint64_t heap = vvi_h5_number(&in, 8);
    vv_status status;

    if (in.short_of)
        return vvi_fail(err, VV_ECORRUPT, "a symbol table that is cut short");
    status = vvi_h5_local_heap(self->file, heap, &self->names, err);
    if (!status)
        status = vvi_h5_btree1(self->file, tree, 0, 8, read_symbols, self, err);
    vv_buf_clear(&self->names);
    return status;
}

/* ---- dense links ---------------------------------------------------------------------------- */

/* A record: the hash of the name, and the heap's id of the link message. */
static vv_status read_dense(void *ctx, vv_bytes record, vv_error *err)
{
    link_walk *self = ctx;
    vv_buf message = VV_BUF_INIT;
    vv_status status;

    if (record.len != 4 + (size_t)self->heap.id_len)
        return vvi_fail(err, VV_ECORRUPT, "a record of %zu bytes", record.len);
    status = vvi_h5_heap_get(self->file, &self->heap,
                             vvi_bytes(record.data + 4, record.len - 4), &message, err);
    if (!status)
        status = read_link(self, vvi_buf_bytes(&message), err);
    vv_buf_clear(&message);
    return status;
}

static vv_status walk_dense(link_walk *self, vv_bytes message, vv_error *err)
{
    vvi_h5_cursor in = vvi_h5_cursor_of(message);
    uint64_t flags, heap, tree;
    uint8_t type;

    vvi_h5_take(&in, 1);
    flags = vvi_h5_number(&in, 1);
    vvi_h5_take(&in, flags & 1 ? 8 : 0);
    heap = vvi_h5_number(&in, 8);
    tree = vvi_h5_number(&in, 8);
    if (in.short_of)
        return vvi_fail(err, VV_ECORRUPT, "link info that is cut short");
    if (heap == VVI_H5_NONE)
        return VV_OK;
    VVI_TRY(vvi_h5_heap_open(self->file, heap, &self->heap, err));
    return vvi_h5_btree2(self->file, tree, 5, 5, &type, read_dense, self, err);
}

/* ---- both ---------------------------------------------------------------------------------- */

vv_status vvi_h5_links(const vvi_h5 *file, const vvi_h5_object *group,
                       vvi_h5_link_fn visit, void *ctx, vv_error *err)
{
    link_walk self = { .file = file, .visit = visit, .ctx = ctx, .names = VV_BUF_INIT };

    for (size_t i = 0; i < group->count; i++) {
        const vvi_h5_message *message = &group->messages[i];

        if (message->type == VVI_H5_MSG_LINK)
            VVI_TRY(read_link(&self, message->data, err));
        else if (message->type == VVI_H5_MSG_SYMBOLS)
            VVI_TRY(walk_symbols(&self, message->data, err));
        else if (message->type == VVI_H5_MSG_LINK_INFO)
            VVI_TRY(walk_dense(&self, message->data, err));
    }
    return VV_OK;
}

typedef struct search {
    vv_bytes name;
    uint64_t address;
    bool found;
} search;

static vv_status compare_link(void *ctx, vv_bytes name, uint64_t address, vv_error *err)
{
    search *self = ctx;

    (void)err;
    if (!self->found && vvi_bytes_equal(name, self->name)) {
        self->found = true;
        self->address = address;
    }
    return VV_OK;
}

static vv_status find_part(const vvi_h5 *file, uint64_t *at, vv_bytes name, vv_error *err)
{
    search self = { .name = name };
    vvi_h5_object group;
    vv_status status;

    VVI_TRY(vvi_h5_object_read(file, *at, &group, err));
    status = vvi_h5_links(file, &group, compare_link, &self, err);
    vvi_h5_object_clear(&group);
    if (status)
        return status;
    if (!self.found)
        return vvi_fail(err, VV_ENOTFOUND, "no link '%.*s'", (int)name.len,
                        (const char *)name.data);
    *at = self.address;
    return VV_OK;
}

vv_status vvi_h5_find(const vvi_h5 *file, uint64_t group, const char *path, uint64_t *out,
                      vv_error *err)
{
    *out = group;
    while (*path) {
        size_t len = strcspn(path, "/");

        if (len && !(len == 1 && *path == '.'))
            VVI_TRY(find_part(file, out, vvi_bytes(path, len), err));
        path += len + (path[len] == '/');
    }
    return VV_OK;
}
