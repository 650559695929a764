/*
 * HTTP, as far as callers of the library meet it: headers of requests, and one blocking POST.
 */
#ifndef VARVITE_HTTP_H
#define VARVITE_HTTP_H

#include <varvite/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A header of a request. The library copies both texts. */
typedef struct vv_http_header {
    const char *name;
    const char *value;
} vv_http_header;

typedef struct vv_http_post_options {
    size_t struct_size;
    const vv_http_header *headers; /* sent too, to the URL's own origin only */
    size_t header_count;
    uint32_t timeout_ms; /* for all attempts together; 0: 10 000 */
    uint32_t
        max_retries; /* after 429, 500, 502, 503, 504 and broken connections; 0: none */
} vv_http_post_options;
#define VV_HTTP_POST_OPTIONS_INIT \
    ((vv_http_post_options){ .struct_size = sizeof(vv_http_post_options) })

/**
 * Send body to url and wait for the answer: what a metrics exporter needs. Redirects are followed only where
 * they keep the method (307, 308), and take no headers to another origin.
 *
 * Threads: any. Each call has a connection of its own.
 * @param content_type  "application/json"
 * @param answer        the answer's body, at most 1 MiB; NULL if not wanted
 * @return VV_OK         an answer of 200 … 299
 *         VV_EINVAL     the URL, or a header
 *         VV_EAUTH      401, 403, 407, or a certificate that does not match
 *         VV_EIO        no connection, or any other answer; the message has its number
 *         VV_ETIMEDOUT, VV_ELIMIT (the answer is longer than 1 MiB), VV_ENOMEM
 */
VV_API vv_status vv_http_post(const char *url, const char *content_type, vv_bytes body,
                              const vv_http_post_options *options, vv_buf *answer,
                              vv_error *err);

#ifdef __cplusplus
}
#endif
#endif
