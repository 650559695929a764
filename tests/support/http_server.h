/*
 * An HTTP server for tests: 127.0.0.1, a free port, answers from a function, and every fault on demand.
 */
#ifndef VV_TESTS_HTTP_SERVER_H
#define VV_TESTS_HTTP_SERVER_H

#include <varvite/base.h>

#define SERVER_HEADERS_MAX 64

typedef struct server_request {
    char method[16];
    char target[2048];
    size_t header_count;
    struct {
        char name[64]; /* in lower case */
        char value[512];
    } headers[SERVER_HEADERS_MAX];
    uint8_t *body; /* whole, without its transfer coding */
    size_t body_len;
} server_request;

/* The value of a header (name in lower case), or NULL. */
const char *server_header(const server_request *request, const char *name);

typedef struct server_answer {
    int status; /* 0: 200 */
    const char *
        headers; /* more of them, each ending in "\r\n"; static or of the handler's ctx */
    const uint8_t *body; /* copied before the handler is called again */
    size_t body_len;
    void *owned;       /* free()d once sent; body may point into it */
    unsigned delay_ms; /* before the answer */
    bool reset;        /* end the connection without an answer */
    bool cut;          /* end it after cut_at bytes of the body */
    bool stall;        /* say nothing more after cut_at bytes of the body */
    size_t cut_at;
    bool close; /* Connection: close */
    const char
        *trailer; /* sent chunked, with this behind the body: "X-Stream-Error: why\r\n" */
    const char *raw; /* sent as it is, and nothing else; raw_len bytes */
    size_t raw_len;
    size_t huge_header; /* one header line of so many bytes */
} server_answer;

/* Called on a thread of the server, one call at a time. */
typedef void (*server_fn)(void *ctx, const server_request *request,
                          server_answer *answer);

typedef struct http_server http_server;
http_server *http_server_start(server_fn answer, void *ctx);
/* "http://127.0.0.1:1234" */
const char *http_server_url(const http_server *server);
/* Requests so far. */
unsigned http_server_requests(http_server *server);
unsigned http_server_connections(http_server *server);
/* After this, what the handler did for requests that were answered may be looked at. */
void http_server_settle(http_server *server);
void http_server_stop(http_server *server);

/* The bytes of the first part of a multipart body; false if it is none. */
bool server_first_part(const server_request *request, vv_bytes *part);
/* The value of a query parameter, percent-decoded, into out; false if there is none. n: the n-th of that name. */
bool server_query(const server_request *request, const char *name, unsigned n, char *out,
                  size_t cap);

/* A port of 127.0.0.1 at which nobody listens. */
unsigned unused_port(void);

#endif
