/* Pieces of DAG-JSON text. */
#ifndef VVI_CBOR_JSON_H
#define VVI_CBOR_JSON_H

#include <varvite/cbor.h>

/* Append a scalar, text, byte string or link. */
vv_status vvi_json_put_scalar(vv_buf *out, const vv_cbor_item *item, vv_error *err);
/* Append text in quotes. It is UTF-8. */
vv_status vvi_json_put_text(vv_buf *out, vv_bytes text, vv_error *err);

#endif
