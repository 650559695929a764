/* Making a client: its own copy of the options, and libcurl's state. */
#include "http/inner.h"

#include "util/alloc.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONNECTIONS_KEPT 64

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static bool curl_works;

static void init_curl(void)
{
    curl_works = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

/* A header must not end its line early: what follows would be a header of its own. */
static vv_status check_header(const vv_http_header *header, vv_error *err)
{
    if (!header->name || !header->value || !*header->name ||
        header->name[strcspn(header->name, " \t\r\n:;")] != '\0' ||
        header->value[strcspn(header->value, "\r\n")] != '\0')
        return vvi_fail(err, VV_EINVAL,
                        "a header whose name or value no HTTP request can carry");
    return VV_OK;
}

static vv_status copy_text(const char **text, vv_error *err)
{
    const char *given = *text;

    if (!given)
        return VV_OK;
    *text = vvi_strdup(given);
    return *text ? VV_OK : vvi_fail_nomem(err, strlen(given) + 1);
}

/* Room for the copies first, so that what is there can always be freed. */
static vv_status copy_headers(vvi_http_options *opts, const vv_http_header *given,
                              size_t count, vv_error *err)
{
    vv_http_header *copies = vvi_alloc_array_zero(count, sizeof(*copies));

    if (!copies)
        return vvi_fail_nomem(err, count * sizeof(*copies));
    opts->headers = copies;
    opts->header_count = count;
    for (size_t i = 0; i < count; i++) {
        VVI_TRY(check_header(&given[i], err));
        copies[i].name = vvi_strdup(given[i].name);
        copies[i].value = vvi_strdup(given[i].value);
        if (!copies[i].name || !copies[i].value)
            return vvi_fail_nomem(err, strlen(given[i].value) + 1);
    }
    return VV_OK;
}

static vv_status copy_options(vvi_http *http, const vvi_http_options *given,
                              vv_error *err)
{
    vvi_http_options *opts = &http->opts;

    *opts = *given;
    opts->headers = NULL;
    opts->header_count = 0;
    opts->trusted = NULL;
    opts->trusted_count = 0;
    opts->user = opts->password = opts->proxy = opts->ca_file = NULL;
    opts->connect_timeout_ms = given->connect_timeout_ms ? given->connect_timeout_ms
                                                         : 30000;
    opts->idle_timeout_ms = given->idle_timeout_ms ? given->idle_timeout_ms : 60000;
    opts->total_timeout_ms = given->total_timeout_ms ? given->total_timeout_ms : 1200000;
    opts->max_redirects = given->max_redirects ? given->max_redirects : 20;
    opts->initial_delay_s = given->initial_delay_s > 0 ? given->initial_delay_s : 1;
    opts->backoff_factor = given->backoff_factor >= 1 ? given->backoff_factor : 2;
    VVI_TRY(copy_headers(opts, given->headers, given->header_count, err));
    http->origins = vvi_alloc_array_zero(given->trusted_count, sizeof(*http->origins));
    if (!http->origins)
        return vvi_fail_nomem(err, given->trusted_count * sizeof(*http->origins));
    for (size_t i = 0; i < given->trusted_count; i++)
        VVI_TRY(vvi_http_origin_of(given->trusted[i], &http->origins[i], err));
    opts->trusted_count = given->trusted_count;
    if (given->user_url)
        VVI_TRY(vvi_http_origin_of(given->user_url, &http->user_origin, err));
    http->has_user_origin = given->user_url != NULL;
    opts->user_url = NULL;
    opts->user = given->user;
    VVI_TRY(copy_text(&opts->user, err));
    opts->password = given->password;
    VVI_TRY(copy_text(&opts->password, err));
    opts->proxy = given->proxy;
    VVI_TRY(copy_text(&opts->proxy, err));
    opts->ca_file = given->ca_file;
    return copy_text(&opts->ca_file, err);
}

vv_status vvi_http_new(const vvi_http_options *options, vvi_http **out, vv_error *err)
{
    vvi_http *http;
    vv_status status;

    pthread_once(&curl_once, init_curl);
    if (!curl_works)
        return vvi_fail(err, VV_ENOMEM, "libcurl does not start");
    http = vvi_alloc_zero(sizeof(*http));
    if (!http)
        return vvi_fail_nomem(err, sizeof(*http));
    status = vvi_mutex_init(&http->lock, err);
    if (status) {
        vvi_free(http);
        return status;
    }
    http->pid = getpid();
    http->random_state = vvi_wall_ns() ^ (uint64_t)(uintptr_t)http;
    status = copy_options(http, options, err);
    if (!status) {
        http->multi = curl_multi_init();
        if (!http->multi)
            status = vvi_fail_nomem(err, 1);
        else
            curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
    }
    if (status)
        vvi_http_free(http);
    else
        *out = http;
    return status;
}

static void free_text(const char *text)
{
    vvi_free((void *)(uintptr_t)text);
}

/* Secrets do not stay in memory that is given back. */
static void wipe_text(const char *text)
{
    if (text)
        explicit_bzero((void *)(uintptr_t)text, strlen(text));
    free_text(text);
}

static void stop_thread(vvi_http *http)
{
    if (http->is_running) {
        vvi_mutex_lock(&http->lock);
        http->is_ending = true;
        curl_multi_wakeup(http->multi);
        vvi_mutex_unlock(&http->lock);
        pthread_join(http->thread, NULL);
    }
    for (size_t i = 0; i < http->idle_count; i++)
        curl_easy_cleanup(http->idle[i]);
    curl_multi_cleanup(http->multi);
}

void vvi_http_free(vvi_http *http)
{
    if (!http)
        return;
    /* In the child of a fork the thread is not there and libcurl's state is its parent's. */
    if (http->multi && http->pid == getpid())
        stop_thread(http);
    for (size_t i = 0; i < http->opts.header_count; i++) {
        free_text(http->opts.headers[i].name);
        wipe_text(http->opts.headers[i].value);
    }
    vvi_free((void *)(uintptr_t)http->opts.headers);
    vvi_free(http->origins);
    wipe_text(http->opts.user);
    wipe_text(http->opts.password);
    wipe_text(http->opts.proxy);
    free_text(http->opts.ca_file);
    vvi_mutex_clear(&http->lock);
    vvi_free(http);
}
