#include "hamt/node.h"

#include "cbor/utf8.h"

#include <varvite/blockstore.h>
#include <varvite/cbor.h>

#include <string.h>

/* Where the elements of a block lie, found out before memory for them is taken. */
typedef struct decoder {
    vv_bytes input;
    size_t at;
    vvi_link_form form;
    vvi_slot_set used;
    vvi_slot_set links;
    vvi_slot slots[VVI_SLOT_COUNT];
    unsigned slot_count;
} decoder;

static vv_status corrupt(const decoder *self, vv_error *err, const char *what)
{
    return vvi_fail(err, VV_ECORRUPT, "not a HAMT node: %s, at byte %zu", what, self->at);
}

/* Read a head of that major type. */
static vv_status read_head(decoder *self, unsigned major, uint64_t *value, vv_error *err)
{
    unsigned found;
    vvi_cbor_fault fault;
    size_t len = vvi_cbor_get_head(self->input.data + self->at,
                                   self->input.len - self->at, &found, value, &fault);

    if (!len)
        return corrupt(self, err,
                       fault == VVI_CBOR_CUT ? "it ends too early"
                                             : "a length not in its one form");
    if (found != major)
        return corrupt(self, err,
                       major == VVI_CBOR_TEXT ? "a key is not a text" : "no map");
    self->at += len;
    return VV_OK;
}

static vv_status read_link(decoder *self, vv_error *err)
{
    vv_bytes rest = vvi_bytes(self->input.data + self->at, self->input.len - self->at);
    size_t len;
    vv_status status = vvi_link_read(&self->form, rest, &len, err);

    if (status)
        return vvi_wrap(err, status, "not a HAMT node: at byte %zu", self->at);
    self->at += len;
    return VV_OK;
}

static vv_status read_bucket(decoder *self, vv_error *err)
{
    vv_bytes last = { NULL, 0 };
    uint64_t count;

    VVI_TRY(read_head(self, VVI_CBOR_MAP, &count, err));
    for (uint64_t i = 0; i < count; i++) {
        uint64_t len;
        vv_bytes key;

        VVI_TRY(read_head(self, VVI_CBOR_TEXT, &len, err));
        if (len > self->input.len - self->at)
            return corrupt(self, err, "it ends too early");
        key = vvi_bytes(self->input.data + self->at, (size_t)len);
        if (i && vv_cbor_key_cmp(last, key) >= 0)
            return corrupt(self, err, "keys out of order or twice");
        if (!vvi_utf8_valid(key))
            return corrupt(self, err, "a key is not UTF-8");
        self->at += key.len;
        last = key;
        VVI_TRY(read_link(self, err));
    }
    return VV_OK;
}

/* Pass by empty buckets, which are most of most nodes. */
static unsigned skip_empty(decoder *self, unsigned slot)
{
    const uint8_t *data = self->input.data;
    size_t len = self->input.len;

    while (slot + 8 <= VVI_SLOT_COUNT && len - self->at >= 8 &&
           vvi_get_le64(data + self->at) == 0xa0a0a0a0a0a0a0a0u) {
        self->at += 8;
        slot += 8;
    }
    while (slot < VVI_SLOT_COUNT && self->at < len && data[self->at] == 0xa0) {
        self->at++;
        slot++;
    }
    return slot;
}

static vv_status read_element(decoder *self, unsigned slot, vv_error *err)
{
    size_t start = self->at;
    vvi_slot *where = &self->slots[self->slot_count++];

    if (self->at >= self->input.len)
        return corrupt(self, err, "it ends too early");
    vvi_slot_add(&self->used, slot);
    if (self->input.data[self->at] == 0x81) {
        vvi_slot_add(&self->links, slot);
        self->at++;
        VVI_TRY(read_link(self, err));
    } else if ((self->input.data[self->at] & 0xe0u) == 0xa0)
        VVI_TRY(read_bucket(self, err));
    else
        return corrupt(self, err,
                       "an element is neither a bucket nor a link to one child");
    where->element.at = (uint32_t)start;
    where->element.len = (uint32_t)(self->at - start);
    return VV_OK;
}

static vv_status read_node(decoder *self, vv_error *err)
{
    vv_bytes in = self->input;

    if (in.len < 3 || in.data[0] != 0x99 || in.data[1] != 0x01 || in.data[2] != 0x00)
        return corrupt(self, err, "no list of 256 elements");
    if (in.len > VV_BLOCK_BYTES_MAX)
        return corrupt(self, err, "longer than a block can be");
    self->at = 3;
    for (unsigned slot = skip_empty(self, 0); slot < VVI_SLOT_COUNT;
         slot = skip_empty(self, slot + 1))
        VVI_TRY(read_element(self, slot, err));
    if (self->at != in.len)
        return corrupt(self, err, "bytes follow the last element");
    return VV_OK;
}

vv_status vvi_node_decode(vv_bytes block, vv_bytes link, vvi_node **out, vv_error *err)
{
    decoder self;
    vvi_node *node = NULL;

    /* The slots are written before they are read. */
    self.input = block;
    self.at = 0;
    self.form.len = 0;
    self.slot_count = 0;
    memset(&self.used, 0, sizeof(self.used));
    memset(&self.links, 0, sizeof(self.links));
    VVI_TRY(read_node(&self, err));
    VVI_TRY(vvi_node_new_named(link, block, self.slot_count,
                               vvi_slot_next(&self.links, 0) < VVI_SLOT_COUNT, &node,
                               err));
    memcpy(node->slots, self.slots, self.slot_count * sizeof(*node->slots));
    node->slot_count = (uint16_t)self.slot_count;
    node->used = self.used;
    vvi_node_count_used(node);
    node->links = self.links;
    *out = node;
    return VV_OK;
}
