/* What the files of the Kubo store share. */
#ifndef VVI_KUBO_KUBO_H
#define VVI_KUBO_KUBO_H

#include <varvite/blockstore_backend.h>
#include <varvite/kubo.h>

#include "http/http.h"
#include "util/error.h"
#include "util/thread.h"
#include "json/json.h"

#define VVI_KUBO_TRIP_FAILURES 3
#define VVI_KUBO_TRIP_NS       ((uint64_t)30000000000)

/* Somebody to read from: a gateway, or the daemon's RPC. */
typedef struct vvi_kubo_gateway {
    char *url; /* "http://h/ipfs/"; of an RPC "http://h:5001" */
    bool is_rpc;
    vvi_http_lane lane;
    bool is_trustless; /* atomic: it answers only ?format=raw */
    /* Guarded by the store's lock: */
    uint32_t failures_in_row;
    uint64_t tripped_until_ns;
    uint64_t loads, failures, lies;
} vvi_kubo_gateway;

/* What tests put in the place of the clock of the breaker; NULL: the real one. */
typedef struct vvi_kubo_hooks {
    vvi_http_hooks http;
    uint64_t (*now_ns)(void *ctx);
} vvi_kubo_hooks;

typedef struct vvi_kubo {
    vv_blockstore
        base; /* trusted: what is read is checked here, to know which gateway lied */
    /* Fixed once open: */
    vv_kubo_options opts; /* without texts and lists */
    char *rpc;            /* without "/" at the end; NULL: none */
    char *hasher, *chunker;
    uint64_t chunk_bytes; /* what is no longer stays in one piece, whatever the chunker */
    uint32_t max_retries;
    vvi_kubo_gateway *gateways;
    size_t gateway_count;
    vvi_http_lane rpc_lane;
    vvi_http *http;
    bool user_is_rpcs; /* user and password stood in the RPC's URL: for its origin alone */
    vvi_kubo_hooks hooks;

    vvi_mutex lock;
} vvi_kubo;

/* The store as what it is; VV_EINVAL for one of another kind. */
vv_status vvi_kubo_of(vv_blockstore *store, vvi_kubo **out, vv_error *err);
vv_status vvi_kubo_open_with(const vv_kubo_options *options, const vvi_kubo_hooks *hooks,
                             vv_blockstore **out, vv_error *err);

/* ---- options.c ---- */
/* "http://h" → "http://h/ipfs/"; vvi_free() it. NULL: the default gateway. VV_ENOMEM */
vv_status vvi_kubo_gateway_url(const char *url, bool cut, char **out, vv_error *err);
bool vvi_kubo_chunker_is_valid(const char *chunker);
/* Fill what is fixed of a store that is zero. VV_EINVAL, VV_ENOMEM */
vv_status vvi_kubo_configure(vvi_kubo *self, const vv_kubo_options *given, vv_error *err);

/* ---- range.c ---- */
/* The value of the Range header, out of 64 bytes; false: the whole. */
bool vvi_kubo_range_header(vv_range range, char out[64]);
/* Nothing is asked for: no request is made. */
bool vvi_kubo_range_is_empty(vv_range range);
/*
 * An answer to a request for range: VV_OK with body cut to it; VV_EIO: the answer is none to that request, with
 * the reason. content_range NULL: there was none.
 */
vv_status vvi_kubo_check_range(vv_range range, uint32_t http_status,
                               const char *content_range, vv_buf *body, vv_error *err);

/* ---- load.c ---- */
/* Read n blocks; statuses (n places) and outs (n, empty) are filled. Returns the first failure, with its message.
 * check: hash what comes, for which the whole is asked for. as_file: of dag-pb the file. */
vv_status vvi_kubo_load_many(vvi_kubo *self, const vv_cid *cids, size_t n, vv_range range,
                             bool check, bool as_file, vv_buf *outs, vv_status *statuses,
                             vv_error *err);

/* ---- breaker.c ---- */
bool vvi_kubo_is_tripped(vvi_kubo *self, const vvi_kubo_gateway *gateway);
void vvi_kubo_note_success(vvi_kubo *self, vvi_kubo_gateway *gateway);
/* counts: toward tripping it. */
void vvi_kubo_note_failure(vvi_kubo *self, vvi_kubo_gateway *gateway, bool counts,
                           bool lied);

/* ---- rpc.c ---- */
/* A request to the RPC, of one path with its query; retried as often as the options say unless once. */
typedef struct vvi_kubo_call {
    vvi_http_request request;
    vv_buf url;
    char boundary[33];
    char content_type[80];
    char head[256], tail[64];
    size_t index; /* for the caller of many */
} vvi_kubo_call;
#define VVI_KUBO_ANSWER_MAX ((uint64_t)16 << 20)
/* VV_EREADONLY without an RPC. */
vv_status vvi_kubo_call_init(const vvi_kubo *self, vvi_kubo_call *call, vv_error *err,
                             const char *format, ...) VVI_PRINTF(4, 5);
void vvi_kubo_call_clear(vvi_kubo_call *call);
/* Let it carry data as a file. */
void vvi_kubo_call_attach(vvi_kubo_call *call, vv_bytes data);
/* What a call that is done says: VV_OK for a 200 without an error behind it. */
vv_status vvi_kubo_call_status(const vvi_kubo_call *call, vv_error *err);
/* Make it and wait. */
vv_status vvi_kubo_call_do(vvi_kubo *self, vvi_kubo_call *call, vv_error *err);
/*
 * Make n calls at the same time. make fills call number i; done looks at its answer, with status as
 * vvi_kubo_call_status() says. The first failure of either ends the rest and is returned.
 */
typedef struct vvi_kubo_calls {
    size_t n;
    vv_status (*make)(void *ctx, size_t i, vvi_kubo_call *call, vv_error *err);
    vv_status (*done)(void *ctx, size_t i, const vvi_kubo_call *call, vv_status status,
                      vv_error *err);
    void *ctx;
} vvi_kubo_calls;
vv_status vvi_kubo_call_many(vvi_kubo *self, const vvi_kubo_calls *calls, vv_error *err);
/* What an RPC's failure text means. */
vv_status vvi_kubo_status_of_text(const char *text);
/* Text of a server, for a message: one line, without control characters. */
void vvi_kubo_printable(const char *text, size_t len, char *out, size_t cap);
/* The reason in the answer to a call that failed, printable. */
void vvi_kubo_reason(const vvi_http_request *request, char *out, size_t cap);

/* JSON and CIDs of an answer; what names the call. VV_EIO: it is none. */
vv_status vvi_kubo_parse(vv_bytes text, const char *what, vvi_json **out, vv_error *err);
vv_status vvi_kubo_parse_cid(const char *text, const char *what, vv_cid *out,
                             vv_error *err);

/* A call of add. */
vv_status vvi_kubo_init_add(const vvi_kubo *self, vvi_kubo_call *call, const char *hasher,
                            vv_error *err);

/* ---- write.c, ask.c: operations of the block store ---- */
vv_status vvi_kubo_put_many(vv_blockstore *store, const vv_block *blocks, size_t n,
                            vv_error *err);
vv_status vvi_kubo_has_many(vv_blockstore *store, const vv_cid *cids, size_t n, bool *out,
                            vv_error *err);
vv_status vvi_kubo_size(vv_blockstore *store, const vv_cid *cid, uint64_t *out,
                        vv_error *err);
vv_status vvi_kubo_remove(vv_blockstore *store, const vv_cid *cid, vv_error *err);
vv_status vvi_kubo_iterate(vv_blockstore *store, vv_block_fn visit, void *ctx,
                           vv_error *err);
vv_status vvi_kubo_stat(vv_blockstore *store, vv_blockstore_stats *out, vv_error *err);
/* The CID in member (Hash, Key) of the last line of JSON that has it. VV_EIO: there is none. */
vv_status vvi_kubo_read_name(vv_bytes answer, const char *member, vv_cid *out,
                             vv_error *err);

/* CID text for a request: a bare multihash becomes a raw CIDv1. */
void vvi_kubo_cid_text(const vv_cid *cid, char out[VV_CID_TEXT_MAX]);

/* ---- url.c ---- */
/* A URL of the scheme kubo or gateway, taken apart. */
typedef struct vvi_kubo_url {
    char *text; /* what the others point into */
    char *rpc;  /* NULL: none */
    char *gateways[16];
    size_t gateway_count;
    char *user, *password;
    bool pin;
} vvi_kubo_url;
/* VV_EINVAL, VV_ENOMEM */
vv_status vvi_kubo_url_parse(const char *url, vvi_kubo_url *out, vv_error *err);
void vvi_kubo_url_clear(vvi_kubo_url *url);

#endif
