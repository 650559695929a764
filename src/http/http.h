/*
 * HTTP client: one thread that moves the bytes of all requests, connections kept for the next one, and calls
 * that wait for answers from any thread.
 *
 * A request is tried again as docs/ipfs.md says; a redirect is followed hop by hop, each hop with the headers
 * that its origin may see. No message names a password, a header's value, or the query of a URL.
 *
 * libcurl's own memory is libc's: it does not pass through util/alloc.h.
 */
#ifndef VVI_HTTP_HTTP_H
#define VVI_HTTP_HTTP_H

#include <varvite/http.h>

#include "util/error.h"
#include "util/thread.h"

/* What tests put in the place of time and chance. NULL members: the real ones. */
typedef struct vvi_http_hooks {
    double (*random)(void *ctx); /* in [0, 1) */
    /* Told how long a retry waits, and then it does not wait. */
    void (*waits)(void *ctx, double seconds);
    void *ctx;
} vvi_http_hooks;

typedef struct vvi_http_options {
    uint32_t connect_timeout_ms; /* 0: 30 000 */
    uint32_t idle_timeout_ms;    /* no byte in either direction for so long; 0: 60 000 */
    uint32_t
        total_timeout_ms;   /* a request with all its attempts and waits; 0: 20 minutes */
    uint32_t max_redirects; /* 0: 20 */
    double initial_delay_s; /* before the first retry; 0: 1 */
    double backoff_factor;  /* 0: 2 */
    const vv_http_header *headers; /* copied */
    size_t header_count;
    const char *user, *password; /* HTTP Basic; user NULL: none */
    const char *user_url; /* whose origin alone sees them; NULL: those of trusted */
    /* URLs whose origins may see all headers and the password; others see Accept, Accept-Encoding,
     * Accept-Language, User-Agent and Connection, and what belongs to the request itself. */
    const char *const *trusted;
    size_t trusted_count;
    const char *proxy;   /* NULL: from the environment; "": none */
    const char *ca_file; /* NULL: the system's */
    vvi_http_hooks hooks;
} vvi_http_options;

typedef struct vvi_http vvi_http;

/* The thread starts with the first request. VV_EINVAL, VV_ENOMEM */
vv_status vvi_http_new(const vvi_http_options *options, vvi_http **out, vv_error *err);
/* Nobody may be waiting. NULL is fine. */
void vvi_http_free(vvi_http *http);
/* Every request of a batch that was begun before ends with VV_ECANCELED, also one that it submits later. Any
 * thread. */
void vvi_http_cancel(vvi_http *http);

/* Requests of one lane run at the same time up to its limit; the rest waits in order. Zero but for limit at
 * the start; must outlive the client. */
typedef struct vvi_http_request vvi_http_request;
typedef struct vvi_http_lane {
    uint32_t limit;
    uint32_t load; /* atomic: requests submitted and not done */
    /* The transfer thread's: */
    uint32_t active;
    vvi_http_request *first, *last; /* that may start */
    struct vvi_http_lane *next;     /* in the client's list of those with such */
    bool is_listed;
} vvi_http_lane;

typedef enum vvi_http_method {
    VVI_HTTP_GET,
    VVI_HTTP_HEAD,
    VVI_HTTP_POST
} vvi_http_method;

#define VVI_HTTP_OWN_HEADERS 4
#define VVI_HTTP_BODY_PARTS  3
#define VVI_HTTP_HEADER_TEXT 128

typedef struct vvi_http_batch vvi_http_batch;

struct vvi_http_request {
    /* Filled by the caller; url, headers and body are borrowed until the request is done. */
    vvi_http_method method;
    const char *url; /* http or https */
    vvi_http_lane *lane;
    vv_http_header
        headers[VVI_HTTP_OWN_HEADERS]; /* of the request itself, for every origin */
    size_t header_count;
    vv_bytes body[VVI_HTTP_BODY_PARTS]; /* sent one behind the other */
    uint64_t max_body_bytes;            /* of a 2xx answer; longer ones are VV_ELIMIT */
    uint32_t max_retries;
    uint32_t idle_timeout_ms; /* 0: the client's */
    uint64_t delay_ns;        /* before the first attempt */
    bool once;                /* must not be sent twice, whatever the failure */
    bool is_500_final;        /* 500 is an answer, not to be tried again */
    void *user;

    /*
     * The outcome: VV_OK for any answer that came whole, whatever its status; else VV_EIO, VV_ETIMEDOUT,
     * VV_EAUTH (certificate), VV_ELIMIT, VV_EINVAL (URL), VV_ECANCELED, VV_ENOMEM.
     */
    vv_status status;
    vv_error error;
    uint32_t http_status; /* 0: no answer */
    vv_buf answer;        /* of answers that are not 2xx the first 8 KiB */
    uint64_t length;      /* Content-Length; UINT64_MAX: not told */
    uint32_t attempts;
    bool is_permanent; /* of a failure: trying again cannot help */
    bool has_content_range, has_retry_after;
    char content_range[VVI_HTTP_HEADER_TEXT];
    char retry_after[VVI_HTTP_HEADER_TEXT];
    char stream_error[VVI_HTTP_HEADER_TEXT]; /* trailer X-Stream-Error; empty: none */

    /* The client's. */
    vvi_http_batch *batch;
    vvi_http_request *next, *previous; /* in one list at a time */
    uint64_t generation;
    uint64_t start_ns;    /* not before */
    uint64_t deadline_ns; /* of the whole */
    uint64_t active_ns;   /* of the last byte */
    void *easy;
    void *header_list;
    char *hop; /* URL of a redirect; NULL: url */
    char *location;
    uint32_t redirects;
    size_t sent; /* of the body */
    size_t header_bytes;
    bool is_active;
    bool is_deadline_set;
    vv_status abort; /* why a callback ended the transfer */
    char curl_error[256];
};

/* Requests whose answers one thread waits for. */
struct vvi_http_batch {
    vvi_http *http;
    vvi_cond done;
    uint64_t generation; /* of its beginning: a cancel ends what it submits later too */
    size_t count;        /* submitted and not handed out; guarded by the client's lock */
    vvi_http_request *first, *last; /* done; guarded by the client's lock */
    bool is_canceled;               /* atomic */
};

/* VV_EINVAL in the child of a fork, where the transfer thread is not; VV_ENOMEM. */
vv_status vvi_http_batch_init(vvi_http_batch *batch, vvi_http *http, vv_error *err);
/* Ends what is still going on. */
void vvi_http_batch_clear(vvi_http_batch *batch);
/* Every request that was submitted is done once; a failure to start is its outcome. */
void vvi_http_submit(vvi_http_batch *batch, vvi_http_request *request);
/* Wait for one that is done; NULL when none is left. */
vvi_http_request *vvi_http_next(vvi_http_batch *batch);
/* Make it ready for another submit, with the same URL, headers and body. */
void vvi_http_request_rewind(vvi_http_request *request);
void vvi_http_request_clear(vvi_http_request *request);

/* Submit one and wait; its own status, with its message in err. */
vv_status vvi_http_perform(vvi_http *http, vvi_http_request *request, vv_error *err);

/* May an answer with this status come out otherwise the next time? */
bool vvi_http_is_retried(uint32_t http_status);
/* Seconds before retry number retry (1, 2, …), with retry_after as the server sent it (NULL: it did not). */
double vvi_http_delay(double initial_delay_s, double backoff_factor, uint32_t retry,
                      double random, const char *retry_after, uint64_t wall_ns);
/* The same with the client's numbers; told to the hook, which makes it 0. In nanoseconds. */
uint64_t vvi_http_wait_ns(vvi_http *http, uint32_t retry, const char *retry_after);

/* "POST http://host/api/v0/add": without credentials, query and fragment; cut to fit. */
void vvi_http_describe(const vvi_http_request *request, char *out, size_t cap);
/* A URL without credentials, query and fragment. */
void vvi_http_redact(const char *url, char *out, size_t cap);

/* Scheme, host in lower case, port. */
#define VVI_HTTP_HOST_MAX 256
typedef struct vvi_http_origin {
    bool is_https;
    uint16_t port;
    char host[VVI_HTTP_HOST_MAX];
} vvi_http_origin;
/* VV_EINVAL: not an http or https URL */
vv_status vvi_http_origin_of(const char *url, vvi_http_origin *out, vv_error *err);
bool vvi_http_same_origin(const vvi_http_origin *a, const vvi_http_origin *b);

#endif
