#include "hamt/node.h"

#include "util/alloc.h"

#include <varvite/blockstore.h>
#include <varvite/cbor.h>

#include <string.h>

vv_status vvi_node_new(vvi_node **out, vv_error *err)
{
    vvi_node *node = vvi_alloc_zero(sizeof(*node));

    if (!node)
        return vvi_fail_nomem(err, sizeof(*node));
    atomic_init(&node->refs, 1);
    node->size = VVI_NODE_EMPTY_SIZE;
    *out = node;
    return VV_OK;
}

vv_status vvi_node_new_named(vv_bytes link, size_t slot_count, vvi_node **out,
                             vv_error *err)
{
    /* The name, then slots where they may lie. */
    size_t at = (sizeof(vvi_node) + link.len + 7) & ~(size_t)7;
    size_t size = at + slot_count * sizeof(vvi_slot);
    vvi_node *node = vvi_alloc(size);

    if (!node)
        return vvi_fail_nomem(err, size);
    memset(node, 0, sizeof(*node));
    atomic_init(&node->refs, 1);
    node->size = VVI_NODE_EMPTY_SIZE;
    node->slots = (vvi_slot *)(void *)((uint8_t *)node + at);
    node->slot_cap = (uint16_t)slot_count;
    node->inside = true;
    node->link_len = (uint16_t)link.len;
    if (link.len)
        memcpy(node + 1, link.data, link.len);
    *out = node;
    return VV_OK;
}

vvi_node *vvi_node_retain(vvi_node *node)
{
    atomic_fetch_add_explicit(&node->refs, 1, memory_order_relaxed);
    return node;
}

/* Goes down as deep as changed nodes hang below each other: at most the bytes of a hash. */
void vvi_node_release(vvi_node *node)
{
    if (!node || atomic_fetch_sub_explicit(&node->refs, 1, memory_order_acq_rel) != 1)
        return;
    VVI_EACH_SLOT(slot, &node->kids)
    vvi_node_release(vvi_node_slot(node, slot)->kid);
    vv_buf_clear(&node->block);
    vvi_free(node->own);
    if (!node->inside)
        vvi_free(node->slots);
    vvi_free(node);
}

size_t vvi_node_memory(const vvi_node *node)
{
    return sizeof(*node) + node->link_len + node->slot_cap * sizeof(*node->slots) +
           node->cap + node->block.len;
}

/* Copy the elements, one behind the other, and say in slots where they lie now. */
static size_t copy_elements(const vvi_node *node, vvi_slot *slots, uint8_t *to)
{
    const vvi_slot *from = node->slots;
    size_t at = 0;

    VVI_EACH_SLOT(slot, &node->used)
    {
        vvi_slot moved = *from;

        if (!vvi_slot_has(&node->kids, slot)) {
            memcpy(to + at, node->data + from->element.at, from->element.len);
            moved.element.at = (uint32_t)at;
            at += from->element.len;
        }
        *slots++ = moved;
        from++;
    }
    return at;
}

static size_t element_bytes(const vvi_node *node)
{
    const vvi_slot *from = node->slots;
    size_t sum = 0;

    VVI_EACH_SLOT(slot, &node->used)
    {
        if (!vvi_slot_has(&node->kids, slot))
            sum += from->element.len;
        from++;
    }
    return sum;
}

vv_status vvi_node_copy(const vvi_node *node, vvi_node **out, vv_error *err)
{
    size_t live = element_bytes(node);
    size_t cap = live + live / 4 + 64;
    unsigned used = vvi_slot_rank(&node->used, VVI_SLOT_COUNT);
    unsigned slot_cap = used + 4 < VVI_SLOT_COUNT ? used + 4 : VVI_SLOT_COUNT;
    vvi_node *copy = NULL;

    if (cap > UINT32_MAX)
        return vvi_fail(err, VV_ELIMIT, "a node of %zu bytes", live);
    VVI_TRY(vvi_node_new(&copy, err));
    copy->slots = vvi_alloc_array(slot_cap, sizeof(*copy->slots));
    copy->own = vvi_alloc(cap);
    if (!copy->slots || !copy->own) {
        vvi_node_release(copy);
        return vvi_fail_nomem(err, cap);
    }
    copy->slot_cap = (uint16_t)slot_cap;
    copy->cap = cap;
    copy->data = copy->own;
    copy->len = copy_elements(node, copy->slots, copy->own);
    copy->size = node->size;
    copy->stamp = node->stamp;
    copy->used = node->used;
    copy->links = node->links;
    copy->kids = node->kids;
    VVI_EACH_SLOT(slot, &copy->kids)
    vvi_node_retain(vvi_node_slot(copy, slot)->kid);
    *out = copy;
    return VV_OK;
}

/* ---- reading --------------------------------------------------------------------------- */

static bool is_bucket(const vvi_node *node, unsigned slot)
{
    return vvi_slot_has(&node->used, slot) && !vvi_slot_has(&node->links, slot);
}

uint64_t vvi_node_bucket_count(const vvi_node *node, unsigned slot)
{
    uint64_t count = 0;

    if (is_bucket(node, slot))
        vvi_head_read(vvi_node_element(node, slot).data, &count);
    return count;
}

uint64_t vvi_node_entry_count(const vvi_node *node)
{
    uint64_t sum = 0;

    VVI_EACH_SLOT(slot, &node->used)
    sum += vvi_node_bucket_count(node, slot);
    return sum;
}

bool vvi_node_find(const vvi_node *node, unsigned slot, vv_bytes key, vvi_entry *out)
{
    vvi_bucket_cursor cursor;

    if (!is_bucket(node, slot))
        return false;
    cursor = vvi_bucket_begin(vvi_node_element(node, slot).data);
    while (vvi_bucket_next(&cursor, out)) {
        if (out->key.len > key.len)
            return false; /* shorter keys come first */
        if (vvi_bytes_equal(out->key, key))
            return true;
    }
    return false;
}

/* ---- writing --------------------------------------------------------------------------- */

size_t vvi_node_encoded_size(const vvi_node *node, size_t link_len)
{
    size_t kids = vvi_slot_rank(&node->kids, VVI_SLOT_COUNT);

    return node->size - kids * VVI_KID_LINK_SIZE + kids * (1 + link_len);
}

void vvi_node_encode(const vvi_node *node, vvi_kid_link_fn kid_link, void *ctx,
                     uint8_t *out)
{
    const vvi_slot *from = node->slots;
    unsigned next = 0;

    *out++ = 0x99;
    *out++ = 0x01;
    *out++ = 0x00;
    VVI_EACH_SLOT(slot, &node->used)
    {
        memset(out, 0xa0, slot - next);
        out += slot - next;
        next = slot + 1;
        if (vvi_slot_has(&node->kids, slot)) {
            vv_bytes link = kid_link(ctx, from->kid);

            *out++ = 0x81;
            memcpy(out, link.data, link.len);
            out += link.len;
        } else {
            memcpy(out, node->data + from->element.at, from->element.len);
            out += from->element.len;
        }
        from++;
    }
    memset(out, 0xa0, VVI_SLOT_COUNT - next);
}

/* ---- changing -------------------------------------------------------------------------- */

/* Room for need more bytes behind the elements; closes the gaps when memory has to grow. */
static vv_status reserve(vvi_node *node, size_t need, vv_error *err)
{
    size_t live = node->len - node->gaps;
    size_t cap;
    uint8_t *own;

    if (need <= node->cap - node->len)
        return VV_OK;
    if (need > UINT32_MAX || live + need > UINT32_MAX)
        return vvi_fail(err, VV_ELIMIT, "a node of more than %zu bytes", live);
    cap = live + need;
    cap += cap / 2 + 64;
    if (cap > UINT32_MAX)
        cap = UINT32_MAX;
    own = vvi_alloc(cap);
    if (!own)
        return vvi_fail_nomem(err, cap);
    node->len = copy_elements(node, node->slots, own);
    node->gaps = 0;
    vvi_free(node->own);
    node->own = own;
    node->data = own;
    node->cap = cap;
    return VV_OK;
}

/* A place in slots for one more used slot. */
static vv_status reserve_slot(vvi_node *node, unsigned slot, vv_error *err)
{
    unsigned used = vvi_slot_rank(&node->used, VVI_SLOT_COUNT);
    unsigned cap = node->slot_cap + node->slot_cap / 2u + 4u;
    vvi_slot *slots;

    if (vvi_slot_has(&node->used, slot) || used < node->slot_cap)
        return VV_OK;
    if (cap > VVI_SLOT_COUNT)
        cap = VVI_SLOT_COUNT;
    slots = vvi_realloc(node->slots, cap * sizeof(*slots));
    if (!slots)
        return vvi_fail_nomem(err, cap * sizeof(*slots));
    node->slots = slots;
    node->slot_cap = (uint16_t)cap;
    return VV_OK;
}

/* Forget what a slot holds but keep its place, which is made if there was none. A kid is
 * handed back, to be released by the caller. */
static vvi_node *vacate_slot(vvi_node *node, unsigned slot)
{
    unsigned rank = vvi_slot_rank(&node->used, slot);
    unsigned used = vvi_slot_rank(&node->used, VVI_SLOT_COUNT);
    vvi_node *kid = NULL;

    if (!vvi_slot_has(&node->used, slot)) {
        memmove(node->slots + rank + 1, node->slots + rank,
                (used - rank) * sizeof(*node->slots));
        vvi_slot_add(&node->used, slot);
        node->size -= 1; /* the empty bucket */
    } else if (vvi_slot_has(&node->kids, slot)) {
        kid = node->slots[rank].kid;
        node->size -= VVI_KID_LINK_SIZE;
    } else {
        node->gaps += node->slots[rank].element.len;
        node->size -= node->slots[rank].element.len;
    }
    vvi_slot_drop(&node->links, slot);
    vvi_slot_drop(&node->kids, slot);
    return kid;
}

/* Let a vacated slot hold the len bytes behind the elements. */
static void fill_slot(vvi_node *node, unsigned slot, size_t len)
{
    vvi_slot *where = vvi_node_slot(node, slot);

    where->element.at = (uint32_t)node->len;
    where->element.len = (uint32_t)len;
    node->len += len;
    node->size += len;
}

static void clear_slot(vvi_node *node, unsigned slot)
{
    unsigned rank = vvi_slot_rank(&node->used, slot);
    unsigned used = vvi_slot_rank(&node->used, VVI_SLOT_COUNT);

    if (!vvi_slot_has(&node->used, slot))
        return;
    vvi_node_release(vacate_slot(node, slot));
    memmove(node->slots + rank, node->slots + rank + 1,
            (used - rank - 1) * sizeof(*node->slots));
    vvi_slot_drop(&node->used, slot);
    node->size += 1;
}

/*
 * Write the bucket of a slot anew: its bytes before offset from, then an entry (when key.data),
 * then its bytes after offset to. Offsets count from behind the head of the map.
 */
static vv_status rewrite_bucket(vvi_node *node, unsigned slot, uint64_t count,
                                size_t from, size_t to, vv_bytes key, vv_bytes link,
                                vv_error *err)
{
    static const uint8_t empty[1] = { 0xa0 };
    bool used = vvi_slot_has(&node->used, slot);
    vv_bytes old = used ? vvi_node_element(node, slot) : vvi_bytes(empty, 1);
    uint64_t old_count;
    size_t skip = vvi_head_read(old.data, &old_count);
    size_t entry = key.data ? vvi_cbor_head_len(key.len) + key.len + link.len : 0;
    size_t len = vvi_cbor_head_len(count) + from + entry + (old.len - skip - to);
    uint8_t *at;

    if (key.len > VV_BLOCK_BYTES_MAX || node->size + len - old.len > VV_BLOCK_BYTES_MAX)
        return vvi_fail(err, VV_ELIMIT, "a node longer than %" PRIu64 " bytes",
                        VV_BLOCK_BYTES_MAX);
    VVI_TRY(reserve_slot(node, slot, err));
    VVI_TRY(reserve(node, len, err));
    if (used)
        old = vvi_node_element(node, slot); /* it may have moved */
    at = node->own + node->len;
    at += vvi_cbor_put_head(at, VVI_CBOR_MAP, count);
    memcpy(at, old.data + skip, from);
    at += from;
    if (key.data) {
        at += vvi_cbor_put_head(at, VVI_CBOR_TEXT, key.len);
        memcpy(at, key.data, key.len);
        at += key.len;
        memcpy(at, link.data, link.len);
        at += link.len;
    }
    memcpy(at, old.data + skip + to, old.len - skip - to);
    vacate_slot(node, slot);
    fill_slot(node, slot, len);
    return VV_OK;
}

vv_status vvi_node_insert(vvi_node *node, unsigned slot, vv_bytes key, vv_bytes link,
                          vv_error *err)
{
    uint64_t count = vvi_node_bucket_count(node, slot);
    size_t from = 0;
    vvi_bucket_cursor cursor;
    vvi_entry entry;

    if (count) {
        cursor = vvi_bucket_begin(vvi_node_element(node, slot).data);
        while (vvi_bucket_next(&cursor, &entry) && vv_cbor_key_cmp(entry.key, key) < 0)
            from += entry.whole.len;
    }
    if (!key.data)
        key.data = (const uint8_t *)"";
    return rewrite_bucket(node, slot, count + 1, from, from, key, link, err);
}

/* Where the entry of a key that is there lies, counted from behind the head of the map. */
static void locate(const vvi_node *node, unsigned slot, vv_bytes key, size_t *from,
                   size_t *to)
{
    vvi_bucket_cursor cursor = vvi_bucket_begin(vvi_node_element(node, slot).data);
    vvi_entry entry;

    *from = 0;
    *to = 0;
    while (vvi_bucket_next(&cursor, &entry)) {
        *to = *from + entry.whole.len;
        if (vvi_bytes_equal(entry.key, key))
            return;
        *from = *to;
    }
}

vv_status vvi_node_replace(vvi_node *node, unsigned slot, vv_bytes key, vv_bytes link,
                           vv_error *err)
{
    uint64_t count = vvi_node_bucket_count(node, slot);
    vvi_entry entry;
    size_t from;
    size_t to;

    if (vvi_node_find(node, slot, key, &entry) && entry.link.len == link.len) {
        memcpy(node->own + (entry.link.data - node->data), link.data, link.len);
        return VV_OK;
    }
    if (!key.data)
        key.data = (const uint8_t *)"";
    locate(node, slot, key, &from, &to);
    return rewrite_bucket(node, slot, count, from, to, key, link, err);
}

vv_status vvi_node_remove(vvi_node *node, unsigned slot, vv_bytes key, vv_error *err)
{
    uint64_t count = vvi_node_bucket_count(node, slot);
    vv_bytes none = { NULL, 0 };
    size_t from;
    size_t to;

    if (count == 1) {
        clear_slot(node, slot);
        return VV_OK;
    }
    locate(node, slot, key, &from, &to);
    return rewrite_bucket(node, slot, count - 1, from, to, none, none, err);
}

vv_status vvi_node_set_bucket(vvi_node *node, unsigned slot, const vv_bytes *entries,
                              size_t n, vv_error *err)
{
    size_t len = vvi_cbor_head_len(n);
    uint8_t *at;

    if (n == 0) {
        clear_slot(node, slot);
        return VV_OK;
    }
    for (size_t i = 0; i < n; i++)
        len += entries[i].len;
    VVI_TRY(reserve_slot(node, slot, err));
    VVI_TRY(reserve(node, len, err));
    at = node->own + node->len;
    at += vvi_cbor_put_head(at, VVI_CBOR_MAP, n);
    for (size_t i = 0; i < n; i++) {
        memcpy(at, entries[i].data, entries[i].len);
        at += entries[i].len;
    }
    vvi_node_release(vacate_slot(node, slot));
    fill_slot(node, slot, len);
    return VV_OK;
}

vv_status vvi_node_set_kid(vvi_node *node, unsigned slot, vvi_node *kid, vv_error *err)
{
    VVI_TRY(reserve_slot(node, slot, err));
    vvi_node_release(vacate_slot(node, slot));
    vvi_node_slot(node, slot)->kid = kid;
    vvi_slot_add(&node->links, slot);
    vvi_slot_add(&node->kids, slot);
    node->size += VVI_KID_LINK_SIZE;
    return VV_OK;
}

vv_status vvi_node_reserve_links(vvi_node *node, size_t count, size_t link_len,
                                 vv_error *err)
{
    return reserve(node, count * (1 + link_len), err);
}

void vvi_node_set_link(vvi_node *node, unsigned slot, vv_bytes link)
{
    uint8_t *at = node->own + node->len;

    at[0] = 0x81;
    memcpy(at + 1, link.data, link.len);
    vvi_node_release(vacate_slot(node, slot));
    fill_slot(node, slot, 1 + link.len);
    vvi_slot_add(&node->links, slot);
}
