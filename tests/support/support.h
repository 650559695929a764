/* What tests share: cmocka in the right order, failing allocations, temporary directories. */
#ifndef VV_TESTS_SUPPORT_H
#define VV_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <varvite/varvite.h>

/* The n-th allocation from now on (0: the next) fails, and every later one if forever. */
void fail_allocation_after(size_t n, bool forever);
/* Allocations succeed again; true when one was made to fail since fail_allocation_after(). */
bool stop_failing_allocations(void);
/* Blocks that the library allocated and has not freed. */
size_t live_allocations(void);
/* Count and, when asked, fail allocations; called by the three above too. */
void watch_allocations(void);

/*
 * Run scenario with the n-th allocation failing, n = 0, 1, 2, … until a run passes without a
 * failure. It must return VV_OK or VV_ENOMEM, and leave no allocation behind.
 */
void survives_failing_allocations(vv_status (*scenario)(void *ctx), void *ctx);

/* A new empty directory, removed with all in it by remove_directory(). */
char *make_directory(void);
void remove_directory(char *path);

/* A whole file; the test fails if it cannot be read. *len may be NULL; free() the result,
 * which has a zero byte behind its end. */
uint8_t *read_file(const char *path, size_t *len);
void write_file(const char *path, const void *data, size_t len);

/* n bytes from hexadecimal text; the test fails on bad text. Free with vv_buf_clear(). */
vv_buf from_hex(const char *hex);
/* Lower-case hexadecimal; one of a few static buffers of 8 KiB. */
const char *to_hex(const void *data, size_t len);

/* SplitMix64: the same numbers from the same state everywhere. */
uint64_t next_random(uint64_t *state);

#define assert_vv_ok(expr_)                                                        \
    do {                                                                           \
        vv_status status_ = (expr_);                                               \
        if (status_)                                                               \
            fail_msg("%s: %s (%s)", #expr_, vv_status_name(status_), err.message); \
    } while (0)

#endif
