/* Random DAG-CBOR for property tests. */
#ifndef VV_TESTS_CBOR_VALUE_H
#define VV_TESTS_CBOR_VALUE_H

#include "support/support.h"

/* Append a random value of at most so many levels. */
void put_random_value(vv_buf *out, uint64_t *seed, int levels);

/* Read one value and write it again item by item; false when the input is refused. */
bool copy_value(vv_bytes input, vv_buf *out);

#endif
