/* A store that stands before another and hides that it is near, and that can be told to fail. */
#ifndef VV_TESTS_FAR_STORE_H
#define VV_TESTS_FAR_STORE_H

#include <varvite/varvite.h>

typedef struct far_store_calls {
    uint64_t gets;  /* values and parts that were asked for */
    uint64_t trips; /* calls */
    uint64_t bytes; /* that were read */
    uint64_t sets;
} far_store_calls;

/* inner is held. */
vv_store *far_store_new(vv_store *inner);
/* Calls so far, which are forgotten then. */
far_store_calls far_store_count(vv_store *store);
/* Let the n-th call of any kind from now on fail with VV_EIO, and all after it. UINT64_MAX: none. */
void far_store_fail_after(vv_store *store, uint64_t n);
/* Call this before every get that names the key. */
void far_store_on_get(vv_store *store, const char *key, void (*fn)(void *ctx), void *ctx);

#endif
