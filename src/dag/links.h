/* The links of one block. */
#ifndef VVI_DAG_LINKS_H
#define VVI_DAG_LINKS_H

#include "dag/pending.h"

/* How a block of that name is read: by its codec; a bare multihash on its own as DAG-CBOR. */
vvi_dag_form vvi_dag_form_of(const vv_cid *cid);
/* The codec of a form; cid's own where the form does not say. */
uint32_t vvi_dag_codec(vvi_dag_form form, const vv_cid *cid);

/*
 * Append the links of a block to out, in their order, one level deeper than depth.
 *
 * bare: in a HAMT node, 34-byte blake3 multihashes in byte strings are links too: those in a
 * bucket to values (raw), those in a list of one to nodes.
 * Returns VV_ECORRUPT where the block is not what its codec says, VV_EUNSUPPORTED where the codec
 * is not known; out may then hold some of the links.
 */
vv_status vvi_dag_links(const vvi_dag_link *block, vv_bytes data, bool bare, vv_buf *out,
                        vv_error *err);

/* The links of a dag-pb node, as it says them in field 2, field 1. */
typedef vv_status (*vvi_dag_pb_fn)(void *ctx, const vv_cid *link, vv_error *err);
vv_status vvi_dag_pb_links(vv_bytes node, vvi_dag_pb_fn visit, void *ctx, vv_error *err);

#endif
