/* Base64: RFC 4648, section 4. */
#ifndef VVI_UTIL_BASE64_H
#define VVI_UTIL_BASE64_H

#include "util/error.h"

/* Append the text, filled with "=" and terminated. */
vv_status vvi_base64_encode(vv_bytes bytes, vv_buf *out, vv_error *err);
/* Append the bytes. Filling may be there or not. Returns VV_ECORRUPT, VV_ENOMEM. */
vv_status vvi_base64_decode(const char *text, size_t len, vv_buf *out, vv_error *err);

#endif
