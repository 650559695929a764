/* URLs: origins, redirects, and what of a URL may stand in a message. */
#include "http/inner.h"

#include "util/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_http(const char *scheme, bool *is_https)
{
    *is_https = strcmp(scheme, "https") == 0;
    return *is_https || strcmp(scheme, "http") == 0;
}

/* Host in lower case, an IPv6 address without its brackets. */
static bool copy_host(const char *host, char out[VVI_HTTP_HOST_MAX])
{
    size_t len = strlen(host);

    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    if (len == 0 || len >= VVI_HTTP_HOST_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        out[i] = host[i] >= 'A' && host[i] <= 'Z' ? (char)(host[i] + 32) : host[i];
    out[len] = '\0';
    return true;
}

static vv_status fill_origin(CURLU *parsed, vvi_http_origin *out, vv_error *err)
{
    char *scheme = NULL;
    char *host = NULL;
    char *port = NULL;
    vv_status status = VV_OK;

    memset(out, 0, sizeof(*out));
    if (curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) ||
        curl_url_get(parsed, CURLUPART_HOST, &host, 0) ||
        curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ||
        !is_http(scheme, &out->is_https) || !copy_host(host, out->host))
        status = vvi_fail(err, VV_EINVAL, "not an http or https URL");
    else
        out->port = (uint16_t)strtoul(port, NULL, 10);
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    return status;
}

vv_status vvi_http_origin_of(const char *url, vvi_http_origin *out, vv_error *err)
{
    char shown[200];
    CURLU *parsed = curl_url();
    vv_status status;

    if (!parsed)
        return vvi_fail_nomem(err, 1);
    vvi_http_redact(url, shown, sizeof(shown));
    if (curl_url_set(parsed, CURLUPART_URL, url, 0))
        status = vvi_fail(err, VV_EINVAL, "%s: not an http or https URL", shown);
    else if ((status = fill_origin(parsed, out, err)))
        vvi_wrap(err, status, "%s", shown);
    curl_url_cleanup(parsed);
    return status;
}

bool vvi_http_same_origin(const vvi_http_origin *a, const vvi_http_origin *b)
{
    return a->is_https == b->is_https && a->port == b->port &&
           strcmp(a->host, b->host) == 0;
}

vv_status vvi_http_resolve(const char *base, const char *location, char **out,
                           vv_error *err)
{
    CURLU *parsed = curl_url();
    vvi_http_origin origin;
    char *text = NULL;
    vv_status status = VV_OK;

    if (!parsed)
        return vvi_fail_nomem(err, 1);
    if (curl_url_set(parsed, CURLUPART_URL, base, 0) ||
        curl_url_set(parsed, CURLUPART_URL, location, 0) ||
        /* A server gives no credentials to send on. */
        curl_url_set(parsed, CURLUPART_USER, NULL, 0) ||
        curl_url_set(parsed, CURLUPART_PASSWORD, NULL, 0) ||
        curl_url_set(parsed, CURLUPART_FRAGMENT, NULL, 0) ||
        fill_origin(parsed, &origin, NULL) ||
        curl_url_get(parsed, CURLUPART_URL, &text, 0)) {
        status = vvi_fail(err, VV_EIO, "redirected to what is no http or https URL");
    } else {
        *out = vvi_strdup(text);
        if (!*out)
            status = vvi_fail_nomem(err, strlen(text) + 1);
    }
    curl_free(text);
    curl_url_cleanup(parsed);
    return status;
}

/* Where the host begins: behind the last @ of the authority, or, where that is none because a password was written
 * as it is ("http://me:a/b@host"), behind the last @ at all. */
static size_t skip_user(const char *rest)
{
    size_t end = strcspn(rest, "/?#");
    size_t colon = end;

    while (colon && rest[colon - 1] != ':' && rest[colon - 1] != ']')
        colon--;
    if (!memchr(rest, '@', end) && colon && rest[colon - 1] == ':' &&
        strspn(rest + colon, "0123456789") < end - colon)
        end = strlen(rest);
    while (end && rest[end - 1] != '@')
        end--;
    return end;
}

void vvi_http_redact(const char *url, char *out, size_t cap)
{
    const char *rest = strstr(url, "://");
    size_t used = 0;

    /* Behind a path or a query it ends no scheme. */
    rest = rest && strcspn(url, "/?#") > (size_t)(rest - url) ? rest + 3 : url;
    for (const char *at = url; at < rest && used + 1 < cap; at++)
        out[used++] = *at;
    for (const char *at = rest + skip_user(rest);
         *at && *at != '?' && *at != '#' && used + 1 < cap; at++)
        out[used++] = *at;
    out[used] = '\0';
}

void vvi_http_describe(const vvi_http_request *request, char *out, size_t cap)
{
    static const char *const methods[] = { "GET", "HEAD", "POST" };
    char url[240];

    vvi_http_redact(request->hop ? request->hop : request->url, url, sizeof(url));
    snprintf(out, cap, "%s %s", methods[request->method], url);
}
