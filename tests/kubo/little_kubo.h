/*
 * A little Kubo for tests: RPC and gateway on one port, blocks in memory, and faults on demand. Blocks are kept by
 * hash and digest; a file of more than a chunk is refused.
 */
#ifndef VV_TESTS_LITTLE_KUBO_H
#define VV_TESTS_LITTLE_KUBO_H

#include "support/http_server.h"

#include <varvite/varvite.h>

typedef enum kubo_fault {
    KUBO_WELL = 0,
    KUBO_LIES,  /* one bit of every block is another */
    KUBO_SHORT, /* a byte is missing at the end of every block, with a length to match */
    KUBO_CUT,   /* the connection ends in mid-body */
    KUBO_STALL, /* the body stops coming */
    KUBO_RESET,
    KUBO_BUSY,      /* 503 */
    KUBO_BUSY_NEXT, /* 503 with Retry-After: 0, once; then well */
    KUBO_TOO_MANY,  /* 429 */
    KUBO_BROKEN,    /* 500 */
    KUBO_PARTIAL,   /* 206 to what asked for the whole */
    KUBO_LOOP,      /* redirects to itself */
    KUBO_HEADERS,   /* a header without end */
    KUBO_TRAILER,   /* an error behind the answer */
    KUBO_FORBIDDEN, /* 403 */
    KUBO_TRUSTLESS, /* a gateway that gives blocks as such only */
    KUBO_MISNAMES   /* add and block/put answer another CID */
} kubo_fault;

typedef struct little_kubo little_kubo;
little_kubo *little_kubo_start(void);
void little_kubo_stop(little_kubo *self);
const char *little_kubo_url(const little_kubo *self);
void little_kubo_fault(little_kubo *self, kubo_fault fault);
/* Milliseconds that every answer takes. */
void little_kubo_delay(little_kubo *self, unsigned ms);
unsigned little_kubo_requests(little_kubo *self);
/* The target of the last request. */
void little_kubo_last(little_kubo *self, char *out, size_t cap);

#endif
