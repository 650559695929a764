/*
 * The name of a block as it stands in a node: a tag-42 link, or for a bare multihash a byte
 * string. Nodes keep names in this form, so that reading and writing a node copies bytes.
 */
#ifndef VVI_HAMT_LINK_H
#define VVI_HAMT_LINK_H

#include <varvite/cid.h>

#include "util/buf.h"

/* d8 2a 58 nn 00 and the longest CID. */
#define VVI_LINK_MAX (5 + VV_CID_BYTES_MAX)

typedef struct vvi_link {
    size_t len;
    uint8_t bytes[VVI_LINK_MAX];
} vvi_link;

void vvi_link_of_cid(const vv_cid *cid, vvi_link *out);

/* Take a link apart. @return VV_OK, VV_EINVAL, VV_EUNSUPPORTED (a digest too long for vv_cid) */
vv_status vvi_link_to_cid(vv_bytes link, vv_cid *out, vv_error *err);

/*
 * What a reader of many links remembers: the last form it checked. Nearly all links of a tree
 * differ in their digests alone.
 */
typedef struct vvi_link_form {
    size_t len;        /* of the whole link; 0: none yet */
    size_t prefix_len; /* bytes in front of the digest */
    uint8_t prefix[48];
} vvi_link_form;

/* Check the link at the front of bytes; *len is how long it is. @return VV_OK, VV_ECORRUPT */
vv_status vvi_link_read(vvi_link_form *form, vv_bytes bytes, size_t *len, vv_error *err);

/* Length of a link that was checked before. */
static inline size_t vvi_link_len(const uint8_t *link)
{
    /* d8 2a in front of a link; then the head of a byte string of less than 256 bytes. */
    size_t tag = link[0] == 0xd8 ? 2 : 0;
    uint8_t head = link[tag];

    return head == 0x58 ? tag + 2 + link[tag + 1] : tag + 1 + (head & 31u);
}

#endif
