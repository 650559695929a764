/*
 * Values that are open for reading: how the near stores (memory, disk) are read in part and without a
 * buffer for each value.
 *
 * Threads: one value may be read in several at once. Ownership: a value holds nothing of the store's
 * that would outlive it; close each before the store is freed.
 */
#ifndef VVI_STORE_VALUE_H
#define VVI_STORE_VALUE_H

#include <varvite/store_backend.h>

#include "util/error.h"

/* Can values of this store be opened, and is that the way to read many? */
bool vvi_store_is_near(const vv_store *store);

/* For near stores. Returns VV_ENOTFOUND and whatever a get may return. Nothing is open on failure. */
vv_status vvi_value_open(vv_store *store, const char *key, vv_store_value *out,
                         vv_error *err);
/* The len bytes from offset on, which lie within the size. */
vv_status vvi_value_read(vv_store *store, const vv_store_value *value, uint64_t offset,
                         void *out, size_t len, vv_error *err);
/* A value that is not open is fine. */
void vvi_value_close(vv_store *store, vv_store_value *value);

#endif
