#include "kubo_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- the server ----------------------------------------------------------------------------- */

static void play(void *ctx, const server_request *request, server_answer *answer)
{
    plan *self = ctx;

    if (self->asked < SEEN_MAX) {
        server_request *seen = &self->seen[self->asked];

        *seen = *request;
        seen->body = malloc(request->body_len + 1);
        if (!seen->body)
            abort();
        memcpy(seen->body, request->body, request->body_len);
    }
    if (self->count == 0)
        abort();
    *answer = self->answers[self->asked < self->count ? self->asked : self->count - 1];
    /* So that every request is one that the server sees: kept connections are tried twice by libcurl. */
    answer->close = true;
    self->asked++;
}

plan *plan_start(void)
{
    plan *self = calloc(1, sizeof(*self));

    if (!self)
        abort();
    self->server = http_server_start(play, self);
    return self;
}

void plan_add(plan *self, server_answer answer)
{
    if (self->count == PLAN_MAX)
        abort();
    self->answers[self->count++] = answer;
}

void plan_end(plan *self)
{
    http_server_stop(self->server);
    for (size_t i = 0; i < self->asked && i < SEEN_MAX; i++)
        free(self->seen[i].body);
    free(self);
}

size_t plan_asked(plan *self)
{
    http_server_settle(self->server);
    return self->asked;
}

/* ---- hooks ---------------------------------------------------------------------------------- */

static double still_random(void *ctx)
{
    return ((still *)ctx)->random;
}

static void note_wait(void *ctx, double seconds)
{
    still *self = ctx;

    if (self->wait_count < 32)
        self->waits[self->wait_count++] = seconds;
}

static uint64_t still_clock(void *ctx)
{
    (void)ctx;
    return 1000;
}

vvi_kubo_hooks still_hooks(still *self)
{
    return (vvi_kubo_hooks){ { still_random, note_wait, self }, still_clock };
}

/* ---- stores --------------------------------------------------------------------------------- */

/* 0 is how the C interface says "the default": what it means to the reference is said otherwise. */
static int32_t plain_int(const json_t *value, int32_t zero)
{
    int32_t number = (int32_t)json_integer_value(value);

    return number ? number : zero;
}

static void read_headers(const json_t *headers, vector_options *out)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)headers, name, value)
    {
        if (out->opts.header_count == VECTOR_HEADERS)
            abort();
        out->headers[out->opts.header_count++] = (vv_http_header){
            name, json_string_value(value)
        };
    }
    out->opts.headers = out->headers;
}

void read_kubo_options(const json_t *options, vector_options *out)
{
    const char *name;
    json_t *value;
    json_t *url;
    size_t i;

    memset(out, 0, sizeof(*out));
    out->opts = VV_KUBO_OPTIONS_INIT;
    out->opts.proxy = "";
    out->opts.trusted = true;
    json_object_foreach((json_t *)(uintptr_t)options, name, value)
    {
        if (strcmp(name, "hasher") == 0)
            out->opts.hasher = json_string_value(value);
        else if (strcmp(name, "chunker") == 0)
            out->opts.chunker = json_string_value(value);
        else if (strcmp(name, "pin_on_add") == 0)
            out->opts.pin_on_add = json_is_true(value);
        else if (strcmp(name, "headers") == 0)
            read_headers(value, out);
        else if (strcmp(name, "auth") == 0) {
            out->opts.user = json_string_value(json_array_get(value, 0));
            out->opts.password = json_string_value(json_array_get(value, 1));
        } else if (strcmp(name, "max_retries") == 0)
            out->opts.max_retries = json_integer_value(value) < 0
                                        ? -2
                                        : plain_int(value, VV_KUBO_NO_RETRIES);
        else if (strcmp(name, "initial_delay") == 0)
            out->opts.initial_delay_s = json_number_value(value) > 0
                                            ? json_number_value(value)
                                            : -1;
        else if (strcmp(name, "backoff_factor") == 0)
            out->opts.backoff_factor = json_number_value(value);
        else if (strcmp(name, "concurrency") == 0)
            out->opts.max_in_flight = plain_int(value, -1);
        else if (strcmp(name, "verify_content") == 0)
            out->opts.trusted = !json_is_true(value);
        else if (strcmp(name, "gateway_base_urls") == 0) {
            out->opts.gateway_urls = out->gateways;
            json_array_foreach(value, i, url)
                out->gateways[out->opts.gateway_count++] = json_string_value(url);
        } else if (strcmp(name, "gateway_base_url") != 0)
            abort();
    }
}

vv_blockstore *open_for(plan *rpc_and_gateway, vector_options *options, still *hooks,
                        vv_error *err)
{
    vvi_kubo_hooks still_ones = still_hooks(hooks);
    vv_blockstore *store = NULL;

    if (rpc_and_gateway) {
        options->gateways[0] = http_server_url(rpc_and_gateway->server);
        options->opts.rpc_url = options->gateways[0];
        options->opts.gateway_urls = options->gateways;
        options->opts.gateway_count = 1;
    }
    if (vvi_kubo_open_with(&options->opts, &still_ones, &store, err))
        return NULL;
    return store;
}

/* ---- loads ---------------------------------------------------------------------------------- */

vv_range range_of_numbers(int64_t offset, int64_t length, int64_t suffix)
{
    if (offset >= 0 && length >= 0)
        return VV_RANGE_OF((uint64_t)offset, (uint64_t)length);
    if (offset >= 0)
        return VV_RANGE_AT((uint64_t)offset);
    return suffix >= 0 ? VV_RANGE_SUFFIX((uint64_t)suffix) : VV_RANGE_ALL;
}

vv_range range_of_members(const json_t *object)
{
    return range_of_numbers(int_of(object, "offset", -1), int_of(object, "length", -1),
                            int_of(object, "suffix", -1));
}

vv_status load_text(vv_blockstore *store, const char *cid, vv_range range, vv_buf *out,
                    vv_error *err)
{
    vv_status each;
    vv_cid parsed;
    vvi_kubo *self;

    if (vv_cid_parse(cid, &parsed, err) || vvi_kubo_of(store, &self, err))
        abort();
    if (parsed.hash != VV_HASH_IDENTITY)
        return vv_kubo_load_range(store, &parsed, range, out, err);
    return vvi_kubo_load_many(self, &parsed, 1, range, false, true, out, &each, err);
}

const char *compare_bytes(const char *hex, vv_status status, const vv_buf *got)
{
    bool same;
    char *ours;

    if (!hex)
        return status ? NULL : "success where the reference fails";
    if (status)
        return "failure";
    ours = hex_of((vv_bytes){ got->data, got->len });
    same = strcmp(ours, hex) == 0;
    free(ours);
    return same ? NULL : "other bytes";
}

/* Of the transport, or ours to choose. */
static bool says_nothing(const char *name)
{
    static const char *const names[] = { "host", "connection", "user-agent",
                                         "accept-encoding", "content-length" };

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

const char *compare_headers(const json_t *want, const server_request *seen)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)want, name, value)
    {
        const char *got = server_header(seen, name);
        const char *wanted = json_string_value(value);
        size_t len = strcspn(wanted, "=");

        if (strcmp(name, "content-length") == 0 && (!got || strcmp(got, wanted) != 0))
            return name;
        if (says_nothing(name))
            continue;
        if (!got || (strstr(wanted, "BOUNDARY") ? strncmp(got, wanted, len) != 0
                                                : strcmp(got, wanted) != 0))
            return name;
    }
    for (size_t i = 0; i < seen->header_count; i++)
        if (!says_nothing(seen->headers[i].name) &&
            !json_object_get(want, seen->headers[i].name))
            return seen->headers[i].name;
    return NULL;
}

/* ---- parts of both files -------------------------------------------------------------------- */

void run_normalisation(vector_run *run, const json_t *cases, bool cut)
{
    const json_t *item;
    size_t i;

    json_array_foreach(cases, i, item)
    {
        const char *in = text_of(item, "in");
        const char *right = text_of(item, "right");
        const char *want = right ? right : text_of(item, "out");
        char *got = NULL;

        if (vvi_kubo_gateway_url(in, cut, &got, NULL) == VV_OK && strcmp(got, want) == 0)
            vector_pass(run);
        else
            vector_fail(run, in ? in : "null", "%s", got ? got : "failure");
        vv_free(got);
    }
}

void run_constructor(vector_run *run, const json_t *item)
{
    const json_t *options = json_object_get(item, "options");
    const char *one_more = text_of(options, "gateway_base_url");
    char *name = json_dumps(options, 0);
    vv_error err = VV_ERROR_INIT;
    vv_blockstore *store = NULL;
    vector_options given;
    vv_status status;
    char url[256];

    read_kubo_options(options, &given);
    snprintf(url, sizeof(url), "gateway+%s", one_more ? one_more : "");
    /* Two ways to name gateways: here a URL, and the list. */
    status = one_more ? vv_kubo_open_url(url, &given.opts, &store, &err)
                      : vv_kubo_open(&given.opts, &store, &err);
    if (status == (json_object_get(item, "error") ? VV_EINVAL : VV_OK))
        vector_pass(run);
    else
        vector_fail(run, name, "%s: %s", vv_status_name(status), err.message);
    vv_blockstore_free(store);
    free(name);
}
