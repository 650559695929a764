/* Stores full of small numbered blocks, for the tests of the embedded store. */
#ifndef VV_TESTS_LOCAL_NUMBERS_H
#define VV_TESTS_LOCAL_NUMBERS_H

#include "support/support.h"

/* Where failing calls of the helpers leave their message. */
extern vv_error numbers_error;

/* Open, made if need be unless read_only; the test fails if that fails. */
vv_blockstore *open_numbers(const char *dir, const vv_local_options *options);

/* The bytes of block n: its number and some filling, 12 … 211 bytes; the buffer has 256. */
vv_bytes number_bytes(unsigned n, uint8_t buffer[256]);
vv_cid number_cid(unsigned n);
vv_status put_number(vv_blockstore *store, unsigned n, vv_error *err);
/* VV_OK only if the right bytes come back; the test fails when others do. */
vv_status get_number(vv_blockstore *store, unsigned n, vv_error *err);

/* Copy every file of a flat directory (and quarantine/ not). */
void copy_directory(const char *from, const char *to);

/* Make temporary directories in memory where that is to be had: thousands of syncs are made. */
void use_fast_directory(void);

#endif
