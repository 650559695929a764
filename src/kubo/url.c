/* URLs of stores: kubo://host:port?gateway=URL&pin=true, gateway+https://host,https://other. */
#include "kubo/kubo.h"

#include "util/alloc.h"

#include <stdio.h>
#include <string.h>

#define GATEWAYS_MAX (sizeof(((vvi_kubo_url *)0)->gateways) / sizeof(char *))

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* In place. */
static void unescape(char *text)
{
    char *out = text;

    for (; *text; text++) {
        if (*text == '%' && digit_of(text[1]) >= 0 && digit_of(text[2]) >= 0) {
            *out++ = (char)(digit_of(text[1]) * 16 + digit_of(text[2]));
            text += 2;
        } else {
            *out++ = *text;
        }
    }
    *out = '\0';
}

static vv_status add_gateway(vvi_kubo_url *out, char *url, vv_error *err)
{
    if (out->gateway_count == GATEWAYS_MAX)
        return vvi_fail(err, VV_EINVAL, "more than %zu gateways", GATEWAYS_MAX);
    if (!*url)
        return vvi_fail(err, VV_EINVAL, "a gateway's URL is empty");
    out->gateways[out->gateway_count++] = url;
    return VV_OK;
}

/* Take "name:password@" out of the authority at *authority, which begins behind "://". */
static void take_user(vvi_kubo_url *out, char *authority)
{
    size_t len = strcspn(authority, "/?#,");
    char *at = NULL;
    char *colon;

    for (size_t i = 0; i < len; i++)
        if (authority[i] == '@')
            at = authority + i;
    if (!at)
        return;
    *at = '\0';
    out->user = vvi_strdup(authority); /* NULL is seen below, at the copies */
    memmove(authority, at + 1, strlen(at + 1) + 1);
    if (!out->user)
        return;
    colon = strchr(out->user, ':');
    if (colon) {
        *colon = '\0';
        out->password = colon + 1;
        unescape(out->password);
    }
    unescape(out->user);
}

static vv_status take_parameter(vvi_kubo_url *out, char *parameter, vv_error *err)
{
    char *value = strchr(parameter, '=');

    if (value) {
        *value++ = '\0';
        unescape(value);
        if (strcmp(parameter, "gateway") == 0)
            return add_gateway(out, value, err);
        if (strcmp(parameter, "pin") == 0) {
            out->pin = strcmp(value, "true") == 0;
            if (out->pin || strcmp(value, "false") == 0)
                return VV_OK;
        }
    }
    /* Not shown: it may be the end of a password. */
    return vvi_fail(err, VV_EINVAL,
                    "behind '?' stand gateway=URL, pin=true and nothing else");
}

static vv_status parse_kubo(vvi_kubo_url *out, const char *scheme, char *rest,
                            vv_error *err)
{
    char *query = strchr(rest, '?');
    size_t size;

    if (query)
        *query++ = '\0';
    if (!*rest)
        return vvi_fail(err, VV_EINVAL,
                        "kubo:// needs a host, as in kubo://127.0.0.1:5001");
    size = strlen(scheme) + strlen(rest) + sizeof("://");
    out->rpc = vvi_alloc(size);
    if (!out->rpc)
        return vvi_fail_nomem(err, size);
    snprintf(out->rpc, size, "%s://%s", scheme, rest);
    while (query && *query) {
        char *end = query + strcspn(query, "&");
        bool is_last = !*end;

        *end = '\0';
        VVI_TRY(take_parameter(out, query, err));
        query = is_last ? NULL : end + 1;
    }
    return VV_OK;
}

static vv_status parse_gateways(vvi_kubo_url *out, char *rest, vv_error *err)
{
    while (rest) {
        char *comma = strchr(rest, ',');

        if (comma)
            *comma++ = '\0';
        VVI_TRY(add_gateway(out, rest, err));
        rest = comma;
    }
    return VV_OK;
}

static vv_status parse(vvi_kubo_url *out, vv_error *err)
{
    char *text = out->text;
    char *rest = strstr(text, "://");
    bool had_user;

    if (!rest)
        return vvi_fail(err, VV_EINVAL, "a store's URL has :// behind kubo or gateway");
    rest += 3;
    had_user = memchr(rest, '@', strcspn(rest, "/?#,")) != NULL;
    take_user(out, rest);
    if (had_user && !out->user)
        return vvi_fail_nomem(err, strlen(rest) + 1);
    if (strncmp(text, "kubo://", 7) == 0)
        return parse_kubo(out, "http", rest, err);
    if (strncmp(text, "kubo+http://", 12) == 0)
        return parse_kubo(out, "http", rest, err);
    if (strncmp(text, "kubo+https://", 13) == 0)
        return parse_kubo(out, "https", rest, err);
    if (strncmp(text, "gateway+http://", 15) == 0 ||
        strncmp(text, "gateway+https://", 16) == 0)
        return parse_gateways(out, text + strlen("gateway+"), err);
    return vvi_fail(err, VV_EINVAL,
                    "a store behind HTTP is kubo://HOST:PORT or gateway+https://HOST");
}

vv_status vvi_kubo_url_parse(const char *url, vvi_kubo_url *out, vv_error *err)
{
    vv_status status;

    memset(out, 0, sizeof(*out));
    out->text = vvi_strdup(url);
    if (!out->text)
        return vvi_fail_nomem(err, strlen(url) + 1);
    status = parse(out, err);
    if (status)
        vvi_kubo_url_clear(out);
    return status;
}

void vvi_kubo_url_clear(vvi_kubo_url *url)
{
    if (url->password)
        explicit_bzero(url->password, strlen(url->password));
    vvi_free(url->user);
    vvi_free(url->text);
    vvi_free(url->rpc);
    memset(url, 0, sizeof(*url));
}
