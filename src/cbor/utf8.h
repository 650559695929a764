/* UTF-8 as RFC 3629 has it: no surrogates, no longer form than needed, up to U+10FFFF. */
#ifndef VVI_CBOR_UTF8_H
#define VVI_CBOR_UTF8_H

#include "util/error.h"

/* Bytes in front of the first that is wrong; bytes.len when there is none. */
size_t vvi_utf8_span(vv_bytes bytes);

static inline bool vvi_utf8_valid(vv_bytes bytes)
{
    return vvi_utf8_span(bytes) == bytes.len;
}

#endif
