/* What the tests of the map share. */
#ifndef VV_TESTS_HAMT_SUPPORT_H
#define VV_TESTS_HAMT_SUPPORT_H

#include "support/faulty_blockstore.h"
#include "support/support.h"

/* Text of key number i ("k17"), value number v ("value 4"); one of a few static buffers. */
vv_bytes key_number(uint64_t i);
vv_bytes value_number(uint64_t v);

/* A map over store with values of bytes; the test fails if it cannot be opened. */
vv_hamt *open_hamt(vv_blockstore *store, const vv_cid *root,
                   const vv_hamt_options *options);
vv_blockstore *new_memory(void);
vv_hamt_options byte_options(void);

void set_key(vv_hamt *hamt, uint64_t i, uint64_t v);
/* The test fails unless key i has value v; v < 0: unless it is not there. */
void assert_key(vv_hamt *hamt, uint64_t i, int64_t v);
vv_cid flush_hamt(vv_hamt *hamt);
uint64_t count_keys(vv_hamt *hamt);
/* The root of a fresh map that holds key i → values[i] for each values[i] ≥ 0. */
vv_cid fresh_root(const int64_t *values, size_t n, const vv_hamt_options *options);

void assert_same_cid(const vv_cid *a, const vv_cid *b);

#endif
