#include "hamt/node.h"

#include "util/alloc.h"

#include <varvite/blockstore.h>
#include <varvite/cbor.h>

#include <string.h>

/* Room for a node, which begins at a line, and for more bytes behind it; the node is empty. */
static vvi_node *make_node(size_t more)
{
    uint8_t *base;
    vvi_node *node;
    size_t shift;

    if (more > SIZE_MAX - sizeof(*node) - VVI_NODE_ALIGN)
        return NULL;
    base = vvi_alloc(sizeof(*node) + VVI_NODE_ALIGN + more);
    if (!base)
        return NULL;
    shift = -(uintptr_t)base & (VVI_NODE_ALIGN - 1);
    node = (vvi_node *)(void *)(base + shift);
    memset(node, 0, sizeof(*node));
    node->shift = (uint8_t)shift;
    atomic_init(&node->refs, 1);
    node->size = VVI_NODE_EMPTY_SIZE;
    return node;
}

vv_status vvi_node_new(vvi_node **out, vv_error *err)
{
    vvi_node *node = make_node(0);

    if (!node)
        return vvi_fail_nomem(err, sizeof(*node));
    *out = node;
    return VV_OK;
}

vv_status vvi_node_new_named(vv_bytes link, vv_bytes block, size_t slot_count,
                             bool has_links, vvi_node **out, vv_error *err)
{
    /* The name, then slots where they may lie, then the places for children, then the block. */
    size_t slots = vvi_node_slots_at(link.len);
    size_t below = slots + slot_count * sizeof(vvi_slot);
    size_t data = below + (has_links ? slot_count * sizeof(vvi_node_ref) : 0);
    vvi_node *node = make_node(data - sizeof(vvi_node) + block.len);
    uint8_t *base = (uint8_t *)node;

    if (!node)
        return vvi_fail_nomem(err, data + block.len);
    node->slots = (vvi_slot *)(void *)(base + slots);
    node->slot_cap = (uint16_t)slot_count;
    node->inside = true;
    node->link_len = (uint8_t)link.len;
    if (link.len)
        memcpy(node + 1, link.data, link.len);
    if (has_links) {
        node->below = (vvi_node_ref *)(void *)(base + below);
        for (size_t i = 0; i < slot_count; i++)
            atomic_init(&node->below[i], NULL);
    }
    node->data = base + data;
    node->len = block.len;
    if (block.len) {
        memcpy(base + data, block.data, block.len);
        node->size = block.len;
    }
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
    vvi_free(node->own);
    if (!node->inside)
        vvi_free(node->slots);
    vvi_free((uint8_t *)node - node->shift);
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
    unsigned slot_cap = node->slot_count + 4u < VVI_SLOT_COUNT ? node->slot_count + 4u
                                                               : VVI_SLOT_COUNT;
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
    copy->slot_count = node->slot_count;
    copy->cap = cap;
    copy->data = copy->own;
    copy->len = copy_elements(node, copy->slots, copy->own);
    copy->size = node->size;
    copy->stamp = node->stamp;
    copy->used = node->used;
    memcpy(copy->before, node->before, sizeof(copy->before));
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

bool vvi_bucket_find(const uint8_t *bucket, vv_bytes key, vv_bytes *link)
{
    uint64_t left;
    const uint8_t *at = bucket + vvi_head_read(bucket, &left);

    for (; left; left--) {
        uint64_t len;

        at += vvi_head_read(at, &len);
        if (len > key.len)
            return false; /* shorter keys come first */
        if (len == key.len && (!len || memcmp(at, key.data, key.len) == 0)) {
            *link = vvi_bytes(at + len, vvi_link_len(at + len));
            return true;
        }
        at += len;
        at += vvi_link_len(at);
    }
    return false;
}

bool vvi_node_find(const vvi_node *node, unsigned slot, vv_bytes key, vv_bytes *link)
{
    return is_bucket(node, slot) &&
           vvi_bucket_find(vvi_node_element(node, slot).data, key, link);
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
    unsigned cap = node->slot_cap + node->slot_cap / 2u + 4u;
    vvi_slot *slots;

    if (vvi_slot_has(&node->used, slot) || node->slot_count < node->slot_cap)
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

/* Forget what a slot of that rank holds but keep its place, which is made if there was none. A
 * kid is handed back, to be released by the caller. */
static vvi_node *vacate_slot(vvi_node *node, unsigned slot, unsigned rank)
{
    vvi_slot *where = node->slots + rank;
    vvi_node *kid = NULL;

    if (!vvi_slot_has(&node->used, slot)) {
        memmove(where + 1, where, (node->slot_count - rank) * sizeof(*where));
        vvi_slot_add(&node->used, slot);
        vvi_node_count_used(node);
        node->slot_count++;
        node->size -= 1; /* the empty bucket */
    } else if (vvi_slot_has(&node->kids, slot)) {
        kid = where->kid;
        node->size -= VVI_KID_LINK_SIZE;
    } else {
        node->gaps += where->element.len;
        node->size -= where->element.len;
    }
    vvi_slot_drop(&node->links, slot);
    vvi_slot_drop(&node->kids, slot);
    return kid;
}

/* Let a vacated slot hold the len bytes behind the elements. */
static void fill_slot(vvi_node *node, unsigned rank, size_t len)
{
    vvi_slot *where = node->slots + rank;

    where->element.at = (uint32_t)node->len;
    where->element.len = (uint32_t)len;
    node->len += len;
    node->size += len;
}

static void clear_slot(vvi_node *node, unsigned slot)
{
    unsigned rank = vvi_node_rank(node, slot);

    if (!vvi_slot_has(&node->used, slot))
        return;
    vvi_node_release(vacate_slot(node, slot, rank));
    node->slot_count--;
    memmove(node->slots + rank, node->slots + rank + 1,
            (node->slot_count - rank) * sizeof(*node->slots));
    vvi_slot_drop(&node->used, slot);
    vvi_node_count_used(node);
    node->size += 1;
}

void vvi_node_locate(const vvi_node *node, unsigned slot, vv_bytes key, vvi_spot *out)
{
    static const uint8_t empty[1] = { 0xa0 };
    vvi_bucket_cursor cursor;

    out->rank = vvi_node_rank(node, slot);
    out->used = vvi_slot_has(&node->used, slot);
    out->found = false;
    out->element = vvi_bytes(empty, 1);
    if (out->used)
        out->element = vvi_bytes(node->data + node->slots[out->rank].element.at,
                                 node->slots[out->rank].element.len);
    cursor = vvi_bucket_begin(out->element.data);
    out->body = (size_t)(cursor.at - out->element.data);
    out->count = cursor.left;
    out->from = 0;
    while (vvi_bucket_next(&cursor, &out->entry)) {
        int order = vv_cbor_key_cmp(out->entry.key, key);

        out->found = order == 0;
        if (order >= 0)
            break;
        out->from += out->entry.whole.len;
    }
    out->to = out->from + (out->found ? out->entry.whole.len : 0);
}

/* Links that are filled in when a node is saved may be longer than what they count until then. */
#define SIZE_MAX_BYTES (VV_BLOCK_BYTES_MAX - ((size_t)64 << 10))

/* May the node grow by so many bytes? It has to fit into a block. */
static vv_status check_size(const vvi_node *node, size_t more, vv_error *err)
{
    if (more > SIZE_MAX_BYTES || node->size > SIZE_MAX_BYTES - more)
        return vvi_fail(err, VV_ELIMIT, "a node longer than %zu bytes",
                        (size_t)SIZE_MAX_BYTES);
    return VV_OK;
}

/* Write the located bucket anew with so many entries: without the one that was found, and with
 * one of key and link unless link is empty. */
static vv_status rewrite_bucket(vvi_node *node, unsigned slot, const vvi_spot *spot,
                                uint64_t count, vv_bytes key, vv_bytes link,
                                vv_error *err)
{
    size_t rest = spot->element.len - spot->body - spot->to;
    size_t entry = link.len ? vvi_cbor_head_len(key.len) + key.len + link.len : 0;
    size_t len = vvi_cbor_head_len(count) + spot->from + entry + rest;
    const uint8_t *old = spot->element.data;
    uint8_t *at;

    VVI_TRY(check_size(node, entry, err));
    VVI_TRY(reserve_slot(node, slot, err));
    VVI_TRY(reserve(node, len, err));
    if (spot->used) /* it may have moved */
        old = node->data + node->slots[spot->rank].element.at;
    at = node->own + node->len;
    at += vvi_cbor_put_head(at, VVI_CBOR_MAP, count);
    memcpy(at, old + spot->body, spot->from);
    at += spot->from;
    if (link.len) {
        at += vvi_cbor_put_head(at, VVI_CBOR_TEXT, key.len);
        if (key.len)
            memcpy(at, key.data, key.len);
        at += key.len;
        memcpy(at, link.data, link.len);
        at += link.len;
    }
    memcpy(at, old + spot->body + spot->to, rest);
    vacate_slot(node, slot, spot->rank);
    fill_slot(node, spot->rank, len);
    return VV_OK;
}

vv_status vvi_node_put_at(vvi_node *node, unsigned slot, const vvi_spot *spot,
                          vv_bytes key, vv_bytes link, vv_error *err)
{
    if (spot->found && spot->entry.link.len == link.len) {
        memcpy(node->own + (spot->entry.link.data - node->data), link.data, link.len);
        return VV_OK;
    }
    return rewrite_bucket(node, slot, spot, spot->count + !spot->found, key, link, err);
}

vv_status vvi_node_remove_at(vvi_node *node, unsigned slot, const vvi_spot *spot,
                             vv_error *err)
{
    vv_bytes none = { NULL, 0 };

    if (spot->count == 1) {
        clear_slot(node, slot);
        return VV_OK;
    }
    return rewrite_bucket(node, slot, spot, spot->count - 1, none, none, err);
}

vv_status vvi_node_put(vvi_node *node, unsigned slot, vv_bytes key, vv_bytes link,
                       vv_error *err)
{
    vvi_spot spot;

    vvi_node_locate(node, slot, key, &spot);
    return vvi_node_put_at(node, slot, &spot, key, link, err);
}

vv_status vvi_node_remove(vvi_node *node, unsigned slot, vv_bytes key, vv_error *err)
{
    vvi_spot spot;

    vvi_node_locate(node, slot, key, &spot);
    return spot.found ? vvi_node_remove_at(node, slot, &spot, err) : VV_OK;
}

vv_status vvi_node_set_bucket(vvi_node *node, unsigned slot, const vv_bytes *entries,
                              size_t n, vv_error *err)
{
    size_t len = vvi_cbor_head_len(n);
    unsigned rank = vvi_node_rank(node, slot);
    uint8_t *at;

    if (n == 0) {
        clear_slot(node, slot);
        return VV_OK;
    }
    for (size_t i = 0; i < n; i++)
        len += entries[i].len;
    VVI_TRY(check_size(node, len, err));
    VVI_TRY(reserve_slot(node, slot, err));
    VVI_TRY(reserve(node, len, err));
    at = node->own + node->len;
    at += vvi_cbor_put_head(at, VVI_CBOR_MAP, n);
    for (size_t i = 0; i < n; i++) {
        memcpy(at, entries[i].data, entries[i].len);
        at += entries[i].len;
    }
    vvi_node_release(vacate_slot(node, slot, rank));
    fill_slot(node, rank, len);
    return VV_OK;
}

vv_status vvi_node_set_kid(vvi_node *node, unsigned slot, vvi_node *kid, vv_error *err)
{
    unsigned rank = vvi_node_rank(node, slot);

    VVI_TRY(reserve_slot(node, slot, err));
    vvi_node_release(vacate_slot(node, slot, rank));
    node->slots[rank].kid = kid;
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
    unsigned rank = vvi_node_rank(node, slot);
    uint8_t *at = node->own + node->len;

    at[0] = 0x81;
    memcpy(at + 1, link.data, link.len);
    vvi_node_release(vacate_slot(node, slot, rank));
    fill_slot(node, rank, 1 + link.len);
    vvi_slot_add(&node->links, slot);
}
