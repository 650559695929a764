/* Bugs of sharded stores. */
#ifndef VV_TESTS_VECTORS_SHARDED_BUGS_H
#define VV_TESTS_VECTORS_SHARDED_BUGS_H

#include "vectors.h"

/* Check the bug, if it is one of sharded stores; false: it is not. */
bool run_sharded_bug(vector_run *run, const json_t *bug);

#endif
