/* A store in front of another one that counts what is written. */
#ifndef VVI_DATASET_COUNTING_H
#define VVI_DATASET_COUNTING_H

#include <varvite/store.h>

vv_status vvi_counting_store_new(vv_store *inner, vv_store **out, vv_error *err);
/* Values, and their bytes, that were set so far. */
void vvi_counting_store_get(vv_store *store, uint64_t *values, uint64_t *bytes);

#endif
