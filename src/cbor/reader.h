/* The pull reader as a struct on the stack; vv_cbor_reader is the same, allocated. */
#ifndef VVI_CBOR_READER_H
#define VVI_CBOR_READER_H

#include <varvite/cbor.h>

/* A list or map that is open. */
typedef struct vvi_cbor_level {
    uint64_t left; /* items still to come; a map's keys and values are one each */
    vv_bytes key;  /* of a map: the key before, for the order; data NULL at the start */
    size_t offset; /* of its head */
    bool is_map;
} vvi_cbor_level;

#define VVI_CBOR_LEVELS_INSIDE 8

struct vv_cbor_reader {
    vv_bytes input;
    size_t at;              /* of the next item */
    bool started;           /* the head of the one value has been read */
    size_t depth;           /* levels in use */
    vvi_cbor_level *levels; /* `inside`, or an allocation once that is too small */
    size_t cap;
    vvi_cbor_level inside[VVI_CBOR_LEVELS_INSIDE];
};

/* Do not copy or move it afterwards. */
void vvi_cbor_reader_init(vv_cbor_reader *self, vv_bytes input);
void vvi_cbor_reader_clear(vv_cbor_reader *self);

/* Has the whole value been read, and nothing follows? Otherwise vv_cbor_next() is due. */
bool vvi_cbor_at_end(vv_cbor_reader *self);

/* Pass over the members of the list or map that item opened. As vv_cbor_next(). */
vv_status vvi_cbor_skip(vv_cbor_reader *self, const vv_cbor_item *item, vv_error *err);

#endif
