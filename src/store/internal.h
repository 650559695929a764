/* What the public calls of a store and the backends share. */
#ifndef VVI_STORE_INTERNAL_H
#define VVI_STORE_INTERNAL_H

#include <varvite/store_backend.h>

#include "util/error.h"

/* VV_ENOTFOUND: "no key 'temp/c/0' in the memory store". */
vv_status vvi_fail_missing_key(vv_error *err, const vv_store *store, const char *key);

/* Give out the part of value that range means. value is left empty. */
void vvi_store_give(vv_buf *value, vv_range range, vv_buf *out);

#endif
