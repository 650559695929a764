/* A block store that breaks on demand: calls that fail, and bytes that lie. */
#ifndef VV_TESTS_FAULTY_BLOCKSTORE_H
#define VV_TESTS_FAULTY_BLOCKSTORE_H

#include "support/support.h"

#include <varvite/blockstore_backend.h>

/* A store before inner, which it holds; not trusted. A call is one block read or asked for, one
 * put of many, one remove, one flush. */
vv_blockstore *faulty_blockstore_new(vv_blockstore *inner);

/* The n-th call from now on (0: the next) fails with status, and every later one if forever. */
void faulty_fail_after(vv_blockstore *faulty, size_t n, vv_status status, bool forever);
/* The n-th block read from now on comes back with one bit flipped; an empty block with a byte. */
void faulty_lie_after(vv_blockstore *faulty, size_t n);
/* All is well again; true when a call was made to fail or to lie since. */
bool faulty_stop(vv_blockstore *faulty);
/* Calls so far. */
size_t faulty_calls(const vv_blockstore *faulty);

/*
 * Run scenario with the n-th call failing with status, n = 0, 1, 2, … until a run passes without
 * a failure. It must return VV_OK or that status, and leave no allocation behind.
 */
void survives_failing_calls(vv_blockstore *faulty, vv_status status,
                            vv_status (*scenario)(void *ctx), void *ctx);

#endif
