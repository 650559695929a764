/* What the files of the HTTP client share. */
#ifndef VVI_HTTP_INNER_H
#define VVI_HTTP_INNER_H

#include "http/http.h"

#include <curl/curl.h>
#include <pthread.h>
#include <sys/types.h>

#define IDLE_HANDLES 64

struct vvi_http {
    /* Fixed once made. */
    vvi_http_options opts;    /* texts and arrays are owned */
    vvi_http_origin *origins; /* opts.trusted_count of them */
    vvi_http_origin user_origin;
    bool has_user_origin;
    pid_t pid;
    CURLM *multi;

    vvi_mutex lock;
    /* Guarded by lock: */
    vvi_http_request *incoming, *incoming_last;
    uint64_t generation; /* requests of another one are canceled */
    uint64_t cancels;    /* how often anything was canceled */
    bool is_running, is_ending;
    bool is_woken; /* the thread has been told and has not looked yet */
    uint64_t random_state;

    pthread_t thread; /* once is_running */
    /* The transfer thread's: */
    vvi_http_request *active, *delayed;
    vvi_http_lane *lanes; /* that have requests which may start */
    CURL *idle[IDLE_HANDLES];
    size_t idle_count;
    uint64_t seen_generation, seen_cancels;
};

/* ---- client.c, on the transfer thread ---- */
/* Lists linked both ways. */
void vvi_http_link(vvi_http_request **list, vvi_http_request *request);
void vvi_http_unlink(vvi_http_request **list, vvi_http_request *request);

/* ---- transfer.c ---- */
/* Begin one exchange; false: request->status says why not. */
bool vvi_http_start(vvi_http *http, vvi_http_request *request);
/* Take it off libcurl. result: CURLE_OK for an answer that came whole. Fills the outcome. */
void vvi_http_stop(vvi_http *http, vvi_http_request *request, CURLcode result);

/* ---- url.c ---- */
/* Where a Location leads to, an http or https URL; vvi_free() it. VV_EIO, VV_ENOMEM */
vv_status vvi_http_resolve(const char *base, const char *location, char **out,
                           vv_error *err);

#endif
