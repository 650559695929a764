/* Calls of what a backend implements, counted when someone wants to know. */
#ifndef VVI_STORE_CALLS_H
#define VVI_STORE_CALLS_H

#include <varvite/store_backend.h>

#include "util/error.h"

vv_status vvi_call_get(vv_store *store, const char *key, vv_range range, vv_buf *out,
                       vv_error *err);
/* One get a key where the backend has no better. outs are empty; fills all statuses. */
vv_status vvi_call_get_many(vv_store *store, const char *const *keys,
                            const vv_range *ranges, size_t n, vv_buf *outs,
                            vv_status *statuses, vv_error *err);
vv_status vvi_call_set(vv_store *store, const char *key, vv_bytes value,
                       bool only_if_absent, vv_error *err);
vv_status vvi_call_set_many(vv_store *store, const char *const *keys,
                            const vv_bytes *values, size_t n, vv_error *err);
vv_status vvi_call_remove(vv_store *store, const char *key, vv_error *err);
/* The time of visit counts too. */
vv_status vvi_call_list(vv_store *store, const char *prefix, vv_key_fn visit, void *ctx,
                        vv_error *err);
vv_status vvi_call_open_value(vv_store *store, const char *key, vv_store_value *out,
                              vv_error *err);

#endif
