/*
 * Trees as pickles of protocol 4, byte for byte what CPython writes of a jaxlib PyTreeDef.
 *
 * What decides the bytes: values are stored under memo numbers in the order in which they come, texts
 * and classes that came before are referred to by these, lists go in batches of a thousand, and a
 * frame ends at the first value past 64 KiB. Source: docs/format/tree.md, "Pickle".
 */
#include "pytree/tree.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/endian.h"

#include <string.h>

#define FRAME_TARGET 65536
#define FRAME_MIN    4
#define FRAME_HEADER 9
#define BATCH        1000

/* What is in the memo: some values by what they say, see is_shared(), others by which they are. */
typedef struct memo_slot {
    const vvi_py *value; /* NULL: empty */
    uint32_t number;
} memo_slot;

typedef struct pickler {
    vv_buf *out;
    size_t frame; /* where its header stands; SIZE_MAX: none is open */
    memo_slot *slots;
    size_t slot_count, used;
    uint32_t next;           /* memo number */
    vvi_py *type, *registry; /* classes that are not in the tree */
    vv_error *err;
} pickler;

/* ---- bytes and frames ---------------------------------------------------------------------- */

static vv_status put(pickler *self, const void *data, size_t len)
{
    static const uint8_t header[FRAME_HEADER] = { 0x95 };

    if (self->frame == SIZE_MAX) {
        self->frame = self->out->len;
        VVI_TRY(vvi_buf_append(self->out, vvi_bytes(header, sizeof(header)), self->err));
    }
    return vvi_buf_append(self->out, vvi_bytes(data, len), self->err);
}

static vv_status put_byte(pickler *self, uint8_t byte)
{
    return put(self, &byte, 1);
}

static void end_frame(pickler *self)
{
    uint8_t *header;
    size_t len;

    if (self->frame == SIZE_MAX)
        return;
    header = self->out->data + self->frame;
    len = self->out->len - self->frame - FRAME_HEADER;
    if (len < FRAME_MIN) {
        memmove(header, header + FRAME_HEADER, len);
        self->out->len -= FRAME_HEADER;
    } else {
        vvi_put_le64(header + 1, len);
    }
    self->frame = SIZE_MAX;
}

/* Before each value. */
static void begin_value(pickler *self)
{
    if (self->frame != SIZE_MAX &&
        self->out->len - self->frame - FRAME_HEADER >= FRAME_TARGET)
        end_frame(self);
}

/* ---- memo ---------------------------------------------------------------------------------- */

static uint64_t hash_bytes(vv_bytes bytes, uint64_t hash)
{
    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ bytes.data[i]) * 0x100000001b3u;
    return hash;
}

/* Does Python have only one object of this content? So it is, in practice, with all texts but those in
 * instances, with classes, and with bytes of at most one. */
static bool is_shared(const vvi_py *value)
{
    return value->kind == VVI_PY_TEXT || value->kind == VVI_PY_CLASS ||
           (value->kind == VVI_PY_BYTES && value->u.bytes.len <= 1);
}

static uint64_t hash_of(const vvi_py *value)
{
    uint64_t hash = 0xcbf29ce484222325u ^ value->kind;

    if (is_shared(value) && value->kind != VVI_PY_CLASS)
        return hash_bytes(vvi_py_bytes(value), hash);
    if (value->kind == VVI_PY_CLASS)
        return hash_bytes(vvi_py_bytes(value->u.list.items[1]), hash);
    return ((uintptr_t)value >> 4) * 0x9E3779B97F4A7C15u;
}

static bool is_same(const vvi_py *a, const vvi_py *b)
{
    if (a == b)
        return true;
    return a->kind == b->kind && is_shared(a) && vvi_py_equal(a, b);
}

static memo_slot *slot_of(const pickler *self, const vvi_py *value)
{
    size_t i = (size_t)(hash_of(value) >> 16) & (self->slot_count - 1);

    while (self->slots[i].value && !is_same(self->slots[i].value, value))
        i = (i + 1) & (self->slot_count - 1);
    return &self->slots[i];
}

static vv_status grow_memo(pickler *self)
{
    pickler grown = *self;

    grown.slot_count = self->slot_count ? 2 * self->slot_count : 64;
    grown.slots = vvi_alloc_array_zero(grown.slot_count, sizeof(*grown.slots));
    if (!grown.slots)
        return vvi_fail_nomem(self->err, grown.slot_count * sizeof(*grown.slots));
    for (size_t i = 0; i < self->slot_count; i++)
        if (self->slots[i].value)
            *slot_of(&grown, self->slots[i].value) = self->slots[i];
    vvi_free(self->slots);
    *self = grown;
    return VV_OK;
}

/* Store the value that was just written; value NULL: one that nothing refers to. */
static vv_status memoize(pickler *self, const vvi_py *value)
{
    if (value && 2 * self->used >= self->slot_count)
        VVI_TRY(grow_memo(self));
    if (value) {
        *slot_of(self, value) = (memo_slot){ value, self->next };
        self->used++;
    }
    self->next++;
    return put_byte(self, 0x94);
}

/* Refer to a value that is in the memo. */
static vv_status refer(pickler *self, const vvi_py *value, bool *done)
{
    const memo_slot *slot = self->slot_count ? slot_of(self, value) : NULL;
    uint8_t bytes[5] = { 0x6A };

    *done = slot && slot->value;
    if (!*done)
        return VV_OK;
    if (slot->number < 256) {
        bytes[0] = 0x68;
        bytes[1] = (uint8_t)slot->number;
        return put(self, bytes, 2);
    }
    vvi_put_le32(bytes + 1, slot->number);
    return put(self, bytes, sizeof(bytes));
}

/* ---- values -------------------------------------------------------------------------------- */

static vv_status put_value(pickler *self, const vvi_py *value);

static vv_status put_number(pickler *self, uint64_t number)
{
    uint8_t bytes[9] = { 0x8A };
    size_t len = 8;

    begin_value(self);
    if (number < 256) {
        bytes[0] = 0x4B;
        bytes[1] = (uint8_t)number;
        return put(self, bytes, 2);
    }
    if (number < 65536) {
        bytes[0] = 0x4D;
        vvi_put_le16(bytes + 1, (uint16_t)number);
        return put(self, bytes, 3);
    }
    if (number <= INT32_MAX) {
        bytes[0] = 0x4A;
        vvi_put_le32(bytes + 1, (uint32_t)number);
        return put(self, bytes, 5);
    }
    vvi_put_le64(bytes + 1, number);
    while (bytes[len] == 0)
        len--;
    len += bytes[len] >= 0x80;
    VVI_TRY(put(self, (uint8_t[]){ 0x8A, (uint8_t)len }, 2));
    return put(self, bytes + 1, len);
}

static vv_status put_int(pickler *self, const vvi_py *value)
{
    vv_bytes bytes = vvi_py_bytes(value);
    uint8_t head[5] = { 0x8B };
    int64_t number;

    if (vvi_py_fits_int64(value, &number) && number >= 0)
        return put_number(self, (uint64_t)number);
    begin_value(self);
    if (vvi_py_fits_int64(value, &number) && number >= INT32_MIN) {
        head[0] = 0x4A;
        vvi_put_le32(head + 1, (uint32_t)(int32_t)number);
        return put(self, head, 5);
    }
    if (bytes.len < 256) {
        head[0] = 0x8A;
        head[1] = (uint8_t)bytes.len;
        VVI_TRY(put(self, head, 2));
    } else {
        vvi_put_le32(head + 1, (uint32_t)bytes.len);
        VVI_TRY(put(self, head, 5));
    }
    return put(self, bytes.data, bytes.len);
}

static vv_status put_float(pickler *self, double number)
{
    uint8_t bytes[9] = { 0x47 };
    uint64_t bits;

    memcpy(&bits, &number, sizeof(bits));
    vvi_put_be64(bytes + 1, bits);
    return put(self, bytes, sizeof(bytes));
}

/* Texts and bytes: a short form with one byte of length, a long one with four. fresh: nothing will
 * refer to this one. */
static vv_status put_data(pickler *self, const vvi_py *value, uint8_t short_code,
                          uint8_t long_code, bool fresh)
{
    vv_bytes bytes = vvi_py_bytes(value);
    uint8_t head[5] = { long_code };

    if (bytes.len > UINT32_MAX)
        return vvi_fail(self->err, VV_ELIMIT, "a text of %zu bytes", bytes.len);
    if (bytes.len < 256) {
        head[0] = short_code;
        head[1] = (uint8_t)bytes.len;
        VVI_TRY(put(self, head, 2));
    } else {
        vvi_put_le32(head + 1, (uint32_t)bytes.len);
        VVI_TRY(put(self, head, 5));
    }
    VVI_TRY(put(self, bytes.data, bytes.len));
    return memoize(self, fresh ? NULL : value);
}

static vv_status put_class(pickler *self, const vvi_py *value)
{
    VVI_TRY(put_value(self, value->u.list.items[0]));
    VVI_TRY(put_value(self, value->u.list.items[1]));
    VVI_TRY(put_byte(self, 0x93));
    return memoize(self, value);
}

static vv_status put_tuple(pickler *self, const vvi_py *value)
{
    static const uint8_t codes[] = { 0x29, 0x85, 0x86, 0x87 };
    size_t count = value->u.list.count;

    if (count > 3)
        VVI_TRY(put_byte(self, '('));
    for (size_t i = 0; i < count; i++)
        VVI_TRY(put_value(self, value->u.list.items[i]));
    VVI_TRY(put_byte(self, count > 3 ? 't' : codes[count]));
    return count ? memoize(self, value) : VV_OK;
}

/* What a list, dict or set holds, group values at a time, in batches; one alone by its own opcode if
 * there is one. */
static vv_status put_batches(pickler *self, const vvi_py *value, size_t group,
                             uint8_t one_code, uint8_t many_code)
{
    size_t count = value->u.list.count / group;

    if (count == 1 && one_code) {
        for (size_t i = 0; i < group; i++)
            VVI_TRY(put_value(self, value->u.list.items[i]));
        return put_byte(self, one_code);
    }
    for (size_t done = 0; done < count; done += BATCH) {
        size_t end = count - done < BATCH ? count : done + BATCH;

        VVI_TRY(put_byte(self, '('));
        for (size_t i = group * done; i < group * end; i++)
            VVI_TRY(put_value(self, value->u.list.items[i]));
        VVI_TRY(put_byte(self, many_code));
    }
    return VV_OK;
}

static vv_status put_container(pickler *self, const vvi_py *value)
{
    uint8_t code = value->kind == VVI_PY_LIST   ? ']'
                   : value->kind == VVI_PY_DICT ? '}'
                                                : 0x8F;

    VVI_TRY(put_byte(self, code));
    VVI_TRY(memoize(self, value));
    switch ((vvi_py_kind)value->kind) {
    case VVI_PY_LIST:
        return put_batches(self, value, 1, 'a', 'e');
    case VVI_PY_DICT:
        return put_batches(self, value, 2, 's', 'u');
    default:
        return put_batches(self, value, 1, 0, 0x90);
    }
}

static vv_status put_frozenset(pickler *self, const vvi_py *value)
{
    VVI_TRY(put_byte(self, '('));
    for (size_t i = 0; i < value->u.list.count; i++)
        VVI_TRY(put_value(self, value->u.list.items[i]));
    VVI_TRY(put_byte(self, 0x91));
    return memoize(self, value);
}

/* Python makes the text of an instance anew to store it, so it is not shared, but for the empty one; nor
 * are the arguments. */
static vv_status put_arguments(pickler *self, const vvi_py *args)
{
    const vvi_py *text = args->u.list.count == 1 ? args->u.list.items[0] : NULL;

    if (!text || text->kind != VVI_PY_TEXT || !text->u.bytes.len)
        return put_value(self, args);
    begin_value(self);
    VVI_TRY(put_data(self, text, 0x8C, 'X', true));
    VVI_TRY(put_byte(self, 0x85));
    return memoize(self, NULL);
}

static vv_status put_instance(pickler *self, const vvi_py *value)
{
    VVI_TRY(put_value(self, value->u.list.items[0]));
    VVI_TRY(put_arguments(self, value->u.list.items[1]));
    VVI_TRY(put_byte(self, 0x81));
    return memoize(self, value);
}

/* Nests as deep as the value does. */
static vv_status put_value(pickler *self, const vvi_py *value)
{
    bool done = false;

    if (value->kind == VVI_PY_INT)
        return put_int(self, value);
    begin_value(self);
    if (value->kind >= VVI_PY_TEXT)
        VVI_TRY(refer(self, value, &done));
    if (done)
        return VV_OK;
    switch ((vvi_py_kind)value->kind) {
    case VVI_PY_NONE:
        return put_byte(self, 'N');
    case VVI_PY_BOOL:
        return put_byte(self, value->boolean ? 0x88 : 0x89);
    case VVI_PY_FLOAT:
        return put_float(self, value->u.number);
    case VVI_PY_TEXT:
        return put_data(self, value, 0x8C, 'X', false);
    case VVI_PY_BYTES:
        return put_data(self, value, 'C', 'B', false);
    case VVI_PY_TUPLE:
        return put_tuple(self, value);
    case VVI_PY_FROZENSET:
        return put_frozenset(self, value);
    case VVI_PY_CLASS:
        return put_class(self, value);
    case VVI_PY_INSTANCE:
        return put_instance(self, value);
    default:
        return put_container(self, value);
    }
}

/* ---- nodes --------------------------------------------------------------------------------- */

static vv_status put_or_none(pickler *self, const vvi_py *value)
{
    if (value)
        return put_value(self, value);
    begin_value(self);
    return put_byte(self, 'N');
}

/* One node, a tuple of six, as an item of the list of nodes. */
static vv_status put_node(pickler *self, const vvi_tree_node *node)
{
    bool named = node->kind == VVI_TREE_NAMEDTUPLE;
    const vvi_py *data = named ? node->type : node->keys ? node->keys : node->meta;

    begin_value(self);
    VVI_TRY(put_byte(self, '('));
    VVI_TRY(put_number(self, (uint64_t)node->kind));
    VVI_TRY(put_number(self, node->count));
    VVI_TRY(put_or_none(self, data));
    VVI_TRY(put_or_none(self, named ? NULL : node->type));
    VVI_TRY(put_number(self, node->leaves));
    VVI_TRY(put_number(self, node->nodes));
    VVI_TRY(put_byte(self, 't'));
    return memoize(self, NULL);
}

/* The nodes below and then this one; done counts them, and tells where batches begin and end. */
static vv_status put_nodes(pickler *self, const vvi_tree_node *node, size_t *done,
                           size_t all)
{
    for (size_t i = 0; i < node->count; i++)
        VVI_TRY(put_nodes(self, node->children[i], done, all));
    if (all > 1 && *done % BATCH == 0)
        VVI_TRY(put_byte(self, '('));
    VVI_TRY(put_node(self, node));
    ++*done;
    if (all == 1)
        return put_byte(self, 'a');
    return *done % BATCH == 0 || *done == all ? put_byte(self, 'e') : VV_OK;
}

/* A class of JAX's own, held as long as the memo may point at it. */
static vv_status put_global(pickler *self, vvi_py **held, const char *module,
                            const char *name)
{
    *held = vvi_py_new(VVI_PY_CLASS);
    if (!*held)
        return vvi_fail_nomem(self->err, sizeof(**held));
    VVI_TRY(
        vvi_py_append(*held, vvi_py_data(VVI_PY_TEXT, vv_bytes_of(module)), self->err));
    VVI_TRY(vvi_py_append(*held, vvi_py_data(VVI_PY_TEXT, vv_bytes_of(name)), self->err));
    return put_value(self, *held);
}

static vv_status put_tree(pickler *self, const vv_tree *tree)
{
    static const uint8_t protocol[] = { 0x80, 4 };
    size_t done = 0;

    VVI_TRY(vvi_buf_append(self->out, vvi_bytes(protocol, sizeof(protocol)), self->err));
    VVI_TRY(put_global(self, &self->type, "jaxlib._jax.pytree", "PyTreeDef"));
    VVI_TRY(put(self, (uint8_t[]){ 0x29, 0x81 }, 2));
    VVI_TRY(memoize(self, NULL));
    VVI_TRY(put_global(self, &self->registry, "jax._src.tree_util", "default_registry"));
    VVI_TRY(put_byte(self, ']'));
    VVI_TRY(memoize(self, NULL));
    VVI_TRY(put_nodes(self, tree->root, &done, tree->root->nodes));
    VVI_TRY(put_byte(self, 0x86));
    VVI_TRY(memoize(self, NULL));
    VVI_TRY(put(self, "b.", 2));
    end_frame(self);
    return VV_OK;
}

vv_status vv_tree_to_pickle(const vv_tree *tree, vv_buf *out, vv_error *err)
{
    pickler self = { .out = out, .frame = SIZE_MAX, .err = err };
    vv_status status = put_tree(&self, tree);

    vvi_free(self.slots);
    vvi_py_free(self.type);
    vvi_py_free(self.registry);
    return status;
}
