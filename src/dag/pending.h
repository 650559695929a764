/*
 * Links still to be followed, packed: a stack of names in about 42 bytes each.
 *
 *   CID bytes (1 … 168) | depth, 4 bytes | how to read the block, 1 byte | length of the CID, 1
 */
#ifndef VVI_DAG_PENDING_H
#define VVI_DAG_PENDING_H

#include <varvite/cid.h>

#include "util/error.h"

/* How a block is read. A bit each, so that a set of them says how a block was read already. */
typedef enum vvi_dag_form {
    VVI_DAG_LEAF = 1, /* raw: no links */
    VVI_DAG_CBOR = 2,
    VVI_DAG_PB = 4,
    VVI_DAG_OTHER = 8 /* a codec whose links are not known here */
} vvi_dag_form;

typedef struct vvi_dag_link {
    vv_cid cid;
    uint32_t depth;
    vvi_dag_form form;
} vvi_dag_link;

vv_status vvi_pending_push(vv_buf *stack, const vvi_dag_link *link, vv_error *err);
/* The link that ends at byte *end of the stack; *end moves to its start. */
void vvi_pending_before(const vv_buf *stack, size_t *end, vvi_dag_link *link);
/* Append other's links in the opposite order: its first one ends up on top. */
vv_status vvi_pending_push_reversed(vv_buf *stack, const vv_buf *other, vv_error *err);

#endif
