/*
 * A node of the tree: 256 elements, each a bucket of entries or a link to a child.
 *
 * A loaded node never changes. It is one allocation, with a copy of the block it was read from, so
 * that what is touched to find a key in it lies close together. A changed node has its elements in
 * memory of their own, in any order and with gaps; what is replaced stays behind as a gap until the
 * node is packed. Both keep elements in their DAG-CBOR form, so that loading, changing and saving
 * copy bytes and build nothing.
 *
 * Threads: a node that more than one holder can reach does not change. Whoever changes a node
 * makes sure that it is the only one (see tree.h).
 */
#ifndef VVI_HAMT_NODE_H
#define VVI_HAMT_NODE_H

#include "hamt/bits.h"
#include "hamt/entry.h"

#include <stdatomic.h>

/* 99 01 00 and 256 empty maps. */
#define VVI_NODE_EMPTY_SIZE (3 + VVI_SLOT_COUNT)
/* What a link to a changed child counts in vvi_node.size: 81 58 40 and the 64 bytes of its
 * private id, which is how py-hamt counts it in cache_size(). */
#define VVI_KID_LINK_SIZE 67
/* Nodes begin where a line of the processor's caches does. */
#define VVI_NODE_ALIGN 64u

typedef struct vvi_node vvi_node;
typedef _Atomic(vvi_node *) vvi_node_ref;

/* Where a used slot's element lies, or the changed child in its place. */
typedef union vvi_slot {
    struct {
        uint32_t at;
        uint32_t len;
    } element;
    vvi_node *kid;
} vvi_slot;

/* In the order in which they are needed: the first 128 bytes find a key, the next 48 change it. */
struct vvi_node {
    atomic_uint refs;
    uint16_t slot_cap;   /* places in slots */
    uint16_t slot_count; /* of these in use */
    atomic_bool recent;  /* the cache's (see cache.h), as all from link_hash on */
    bool inside;         /* slots lie in the node's own allocation */
    uint8_t link_len;    /* of a loaded node: its name, behind the struct */
    uint8_t shift;       /* bytes of the allocation in front of the node */
    uint8_t before[4];   /* used slots before each word of used */
    vvi_slot_set used;   /* slots whose element is not an empty bucket */
    vvi_slot *slots;     /* one for each used slot, in order */
    const uint8_t *data; /* of a loaded node, its block, in its own allocation; or own */
    vvi_slot_set links;  /* used slots that link to a child */
    vvi_slot_set kids;   /* of those: the child is changed and in memory */

    uint8_t *own;   /* of a changed node; NULL when it has no elements yet */
    size_t len;     /* bytes of data in use, with gaps */
    size_t cap;     /* bytes of own */
    size_t gaps;    /* bytes of own that no element needs */
    size_t size;    /* bytes of its DAG-CBOR form */
    uint64_t stamp; /* when it was last changed, counted in changes of the tree */
    uint32_t mark;  /* scratch of the one who saves nodes */

    uint64_t link_hash;
    vvi_node *chain;
    vvi_node *newer, *older;
    vvi_node_ref *below; /* of a loaded node with links: a place for each used slot */
    vvi_node_ref above;
    uint16_t above_rank;
    bool loading;
    bool kept;
};

/* The name of a loaded node. */
static inline vv_bytes vvi_node_name(const vvi_node *node)
{
    return vvi_bytes(node + 1, node->link_len);
}

/* A new empty changed node. @return VV_OK, VV_ENOMEM */
vv_status vvi_node_new(vvi_node **out, vv_error *err);
vvi_node *vvi_node_retain(vvi_node *node);
/* Let go; the last one frees it and lets go of its changed children. NULL is fine. */
void vvi_node_release(vvi_node *node);

/* Fill in before, once used is. */
static inline void vvi_node_count_used(vvi_node *node)
{
    for (unsigned w = 1; w < 4; w++)
        node->before[w] = (uint8_t)(node->before[w - 1] +
                                    vvi_popcount(node->used.words[w - 1]));
}

/* Where the slots of a node with a name of that length lie, from its beginning. */
static inline size_t vvi_node_slots_at(size_t link_len)
{
    return (sizeof(vvi_node) + link_len + 7) & ~(size_t)7;
}

/* Inlined whatever the compiler thinks: gcc drops a call of a function that only asks for memory, as
 * one without an effect. */
#define VVI_ASKING __attribute__((always_inline)) static inline

/* Ask for what finds a slot in a node; and of a loaded node the slots themselves, when they are few,
 * as they are where most nodes are. */
VVI_ASKING void vvi_node_ask(const vvi_node *node, bool loaded, size_t link_len)
{
    const char *slots = (const char *)node + vvi_node_slots_at(link_len);

    __builtin_prefetch(node);
    __builtin_prefetch((const char *)node + 64);
    if (!loaded)
        return;
    __builtin_prefetch(slots);
    __builtin_prefetch(slots + 64);
}

/* A node that has a name, a copy of a block, room for the slots of it, and for children if it links
 * to any; see cache.h. */
vv_status vvi_node_new_named(vv_bytes link, vv_bytes block, size_t slot_count,
                             bool has_links, vvi_node **out, vv_error *err);
/*
 * Check a block and make a loaded node of it. link: its name; may be empty.
 * @return VV_OK, VV_ECORRUPT (not a node; the message says where), VV_EUNSUPPORTED, VV_ENOMEM
 */
vv_status vvi_node_decode(vv_bytes block, vv_bytes link, vvi_node **out, vv_error *err);

/* A changed node with the same elements; changed children are shared. @return VV_OK, VV_ENOMEM */
vv_status vvi_node_copy(const vvi_node *node, vvi_node **out, vv_error *err);

/* Bytes of memory that the node takes, without its children. */
static inline size_t vvi_node_memory(const vvi_node *node)
{
    size_t slot = sizeof(*node->slots) + (node->below ? sizeof(*node->below) : 0);

    return sizeof(*node) + VVI_NODE_ALIGN + node->link_len + node->slot_cap * slot +
           (node->inside ? node->len : node->cap);
}

/* Bytes of the block that vvi_node_encode() gives when links to changed children take
 * link_len bytes. */
size_t vvi_node_encoded_size(const vvi_node *node, size_t link_len);
/* Write the block. kid_link gives the link to a changed child. out has room for
 * vvi_node_encoded_size() bytes. */
typedef vv_bytes (*vvi_kid_link_fn)(void *ctx, const vvi_node *kid);
void vvi_node_encode(const vvi_node *node, vvi_kid_link_fn kid_link, void *ctx,
                     uint8_t *out);

static inline bool vvi_node_is_empty(const vvi_node *node)
{
    const uint64_t *words = node->used.words;

    return !(words[0] | words[1] | words[2] | words[3]);
}

/* How many used slots lie below a slot: its place in slots. */
static inline unsigned vvi_node_rank(const vvi_node *node, unsigned slot)
{
    uint64_t below = ((uint64_t)1 << (slot & 63u)) - 1;

    return node->before[slot >> 6] + vvi_popcount(node->used.words[slot >> 6] & below);
}

static inline vvi_slot *vvi_node_slot(const vvi_node *node, unsigned slot)
{
    return &node->slots[vvi_node_rank(node, slot)];
}

/* The bytes of the element in a slot that is used and has no changed child. */
static inline vv_bytes vvi_node_element(const vvi_node *node, unsigned slot)
{
    const vvi_slot *where = vvi_node_slot(node, slot);

    return vvi_bytes(node->data + where->element.at, where->element.len);
}

/* The link in an element 81 link. */
static inline vv_bytes vvi_node_link(const vvi_node *node, unsigned slot)
{
    vv_bytes element = vvi_node_element(node, slot);

    return vvi_bytes(element.data + 1, element.len - 1);
}

/* Entries of the node's own buckets. */
uint64_t vvi_node_entry_count(const vvi_node *node);

/* Find the link of a key in a bucket. */
bool vvi_bucket_find(const uint8_t *bucket, vv_bytes key, vv_bytes *link);
/* Find a key in the bucket of a slot; false when it is not there (or the slot is a link). */
bool vvi_node_find(const vvi_node *node, unsigned slot, vv_bytes key, vv_bytes *link);
/* Entries in the bucket of a slot; 0 for an unused slot. */
uint64_t vvi_node_bucket_count(const vvi_node *node, unsigned slot);

/* ---- changing; each leaves the node as it was when it fails ------------------------------ */

/* Where a key lies in the bucket of a slot, or where it would. Holds until the node changes. */
typedef struct vvi_spot {
    unsigned rank;    /* of the slot among those in use */
    bool used;        /* the slot is in use */
    bool found;       /* the key is there, and then */
    vvi_entry entry;  /* this is its entry */
    uint64_t count;   /* entries of the bucket */
    vv_bytes element; /* the bucket; `a0` when the slot is not in use */
    size_t body;      /* bytes of the map's head in front of the entries */
    size_t from, to;  /* the entry, or the place for one, in bytes behind the head */
} vvi_spot;
/* The slot must not be a link. */
void vvi_node_locate(const vvi_node *node, unsigned slot, vv_bytes key, vvi_spot *out);
/* Put a key where it was located, over the value that it had. @return VV_OK, VV_ELIMIT, VV_ENOMEM */
vv_status vvi_node_put_at(vvi_node *node, unsigned slot, const vvi_spot *spot,
                          vv_bytes key, vv_bytes link, vv_error *err);
/* Take out the key that was found. */
vv_status vvi_node_remove_at(vvi_node *node, unsigned slot, const vvi_spot *spot,
                             vv_error *err);
/* The same two for a key that was not looked for before. Removing one that is not there is fine. */
vv_status vvi_node_put(vvi_node *node, unsigned slot, vv_bytes key, vv_bytes link,
                       vv_error *err);
vv_status vvi_node_remove(vvi_node *node, unsigned slot, vv_bytes key, vv_error *err);
/* Make these entries, in order, the bucket of a slot; none: an empty bucket. */
vv_status vvi_node_set_bucket(vvi_node *node, unsigned slot, const vv_bytes *entries,
                              size_t n, vv_error *err);
/* Make a slot a link to a changed child, whose reference the node takes over. */
vv_status vvi_node_set_kid(vvi_node *node, unsigned slot, vvi_node *kid, vv_error *err);
/* Make sure that so many calls of vvi_node_set_link() succeed. */
vv_status vvi_node_reserve_links(vvi_node *node, size_t count, size_t link_len,
                                 vv_error *err);
/* Make a slot that has a changed child a link by name. Room was reserved. */
void vvi_node_set_link(vvi_node *node, unsigned slot, vv_bytes link);

#endif
