/* What the two kubo_http.json share: a server that plays a plan, and stores that talk to it. */
#ifndef VV_TESTS_VECTORS_KUBO_HTTP_H
#define VV_TESTS_VECTORS_KUBO_HTTP_H

#include "vectors.h"

#include "kubo/kubo.h"
#include "support/http_server.h"

#define PLAN_MAX 32
#define SEEN_MAX 64

/* One server: answers in order, the last one for ever; and what it was asked. */
typedef struct plan {
    http_server *server;
    server_answer answers[PLAN_MAX];
    size_t count;
    size_t asked;
    server_request seen[SEEN_MAX]; /* bodies are copies */
} plan;

plan *plan_start(void);
void plan_add(plan *self, server_answer answer);
void plan_end(plan *self);
/* Requests so far; what was seen of them may be looked at. */
size_t plan_asked(plan *self);

/* Waits that were told, and chance and clock that stand still. */
typedef struct still {
    double random;
    double waits[32];
    size_t wait_count;
} still;
vvi_kubo_hooks still_hooks(still *self);

/* Options that the reference's constructor has too, from JSON. headers is filled for opts->headers. */
#define VECTOR_HEADERS 8
typedef struct vector_options {
    vv_kubo_options opts;
    vv_http_header headers[VECTOR_HEADERS];
    const char *gateways[16];
} vector_options;
void read_kubo_options(const json_t *options, vector_options *out);

/* A store that trusts what comes, as the reference does unless it is told to verify. */
vv_blockstore *open_for(plan *rpc_and_gateway, vector_options *options, still *hooks,
                        vv_error *err);

/* The range of KuboCAS.load: offset wins over suffix, length alone says nothing. */
vv_range range_of_numbers(int64_t offset, int64_t length, int64_t suffix);
vv_range range_of_members(const json_t *object);

/* Read as KuboCAS loads, below the public call: blocks that their CIDs hold are asked for too. */
vv_status load_text(vv_blockstore *store, const char *cid, vv_range range, vv_buf *out,
                    vv_error *err);

/* A result in the file against what came; says what is wrong, or NULL. */
const char *compare_bytes(const char *hex, vv_status status, const vv_buf *got);

/* Headers that say something, against what was seen; NULL or the name of one that is wrong. */
const char *compare_headers(const json_t *want, const server_request *seen);

/* Parts of the file that both have. */
void run_normalisation(vector_run *run, const json_t *cases, bool cut);
void run_constructor(vector_run *run, const json_t *item);
void run_kubo_http_36(vector_run *run, const json_t *document);

#endif
