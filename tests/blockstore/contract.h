/* What every block store owes, whatever lies behind it: run by the tests of each backend. */
#ifndef VV_TESTS_BLOCKSTORE_CONTRACT_H
#define VV_TESTS_BLOCKSTORE_CONTRACT_H

#include "support/support.h"

/* A backend under test. */
typedef struct contract_backend {
    const char *name;
    /* A store that holds these blocks and no others. *ctx is handed to unmake. */
    vv_blockstore *(*make)(void **ctx, const vv_block *blocks, size_t n);
    /* After the store was freed: remove files and the like. NULL: nothing to do. */
    void (*unmake)(void *ctx);
    bool read_only;
    bool no_iterate; /* it cannot list its blocks */
} contract_backend;

/* Runs the suite; the number of failed tests, as cmocka gives it. */
int run_blockstore_contract(const contract_backend *backend);

/* Put blocks one after the other: what make() of a writable backend needs. */
void contract_fill(vv_blockstore *store, const vv_block *blocks, size_t n);

/* A raw blake3 name of text, and its printed form in a static buffer. */
vv_cid cid_of_text(const char *text);
const char *cid_text(const vv_cid *cid);

#endif
