/*
 * kubo_http.json: what py-hamt's KuboCAS sends, and what it makes of answers. The file of 3.3.2 is run here; where
 * its client is weak (K1, K3, K4, K8, K9 of the specification) the right answer counts. The file of 3.6 is in
 * kubo_http_36.c.
 */
#include "kubo_http.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- requests ------------------------------------------------------------------------------- */

/* A call as text: "save(00ff, raw) …", "load(CID, {'offset': 3})", "load(CID decoded from bytes of CID)". */
typedef struct call {
    char name[16];
    char first[2048];
    char second[2048];
    int64_t offset, length, suffix;
} call;

static int64_t number_after(const char *text, const char *key)
{
    const char *at = strstr(text, key);

    return at ? strtoll(at + strlen(key), NULL, 10) : -1;
}

/* "save: reply without Hash": the data stands in the body that was sent, between its heads and its end. */
static void parse_note(const char *text, const char *body, call *out)
{
    const char *data = strstr(body, "0d0a0d0a");
    const char *end = strstr(body, "0d0a2d2d424f554e444152592d2d0d0a");

    if (!data || !end)
        abort();
    data += 8;
    snprintf(out->name, sizeof(out->name), "%.*s", (int)strcspn(text, ":"), text);
    snprintf(out->first, sizeof(out->first), "%.*s", (int)(end - data), data);
    snprintf(out->second, sizeof(out->second), "raw");
}

static void parse_call(const char *text, const char *body, call *out)
{
    const char *open = strchr(text, '(');
    const char *bytes_of = strstr(text, "bytes of ");
    size_t len;

    memset(out, 0, sizeof(*out));
    if (!open) {
        parse_note(text, body, out);
        return;
    }
    snprintf(out->name, sizeof(out->name), "%.*s", (int)(open - text), text);
    open = bytes_of ? bytes_of + 9 : open + 1;
    len = strcspn(open, ",)");
    snprintf(out->first, sizeof(out->first), "%.*s", (int)len, open);
    if (open[len] == ',') {
        open += len + 2;
        snprintf(out->second, sizeof(out->second), "%.*s", (int)strcspn(open, ")"), open);
    }
    out->offset = number_after(text, "'offset': ");
    out->length = number_after(text, "'length': ");
    out->suffix = number_after(text, "'suffix': ");
}

static vv_cid cid_of(const char *text)
{
    vv_cid cid;

    if (vv_cid_parse(text, &cid, NULL))
        abort();
    return cid;
}

/* K9: asked for by name now. The text of a CID is ours to choose. */
static bool same_target(const char *want, const char *got)
{
    size_t len = strlen(want);
    vv_cid cid;
    vv_cid other;

    if (strncmp(want, "/api/v0/add?", 12) == 0)
        return strncmp(got, want, len) == 0 && strcmp(got + len, "&cid-version=1") == 0;
    if (strncmp(want, "/ipfs/", 6) != 0)
        return strcmp(want, got) == 0;
    return strncmp(got, "/ipfs/", 6) == 0 && !vv_cid_parse(want + 6, &cid, NULL) &&
           !vv_cid_parse(got + 6, &other, NULL) && vv_cid_equal(&cid, &other);
}

/* The body with its boundary written BOUNDARY. */
static bool same_body(const char *want, const server_request *seen)
{
    const char *type = server_header(seen, "content-type");
    const char *boundary = type ? strstr(type, "boundary=") : NULL;
    vv_buf wanted = bytes_of_hex(want);
    uint8_t *text = malloc(seen->body_len + 64);
    bool same;
    size_t used = 0;
    size_t len = boundary ? strlen(boundary + 9) : 0;

    if (!text)
        abort();
    for (size_t i = 0; i < seen->body_len;) {
        if (len && seen->body_len - i >= len &&
            memcmp(seen->body + i, boundary + 9, len) == 0) {
            memcpy(text + used, "BOUNDARY", 8);
            used += 8;
            i += len;
        } else {
            text[used++] = seen->body[i++];
        }
    }
    same = used == wanted.len && (!used || memcmp(text, wanted.data, used) == 0) &&
           (!boundary || len == 32);
    free(text);
    vv_buf_clear(&wanted);
    return same;
}

static const char *compare_request(const json_t *want, const server_request *seen)
{
    static char why[128];
    const char *header;

    if (strcmp(text_of(want, "method"), seen->method) != 0)
        return "another method";
    if (!same_target(text_of(want, "target"), seen->target))
        return seen->target;
    header = compare_headers(json_object_get(want, "headers"), seen);
    if (header) {
        snprintf(why, sizeof(why), "header %s", header);
        return why;
    }
    return same_body(text_of(want, "body"), seen) ? NULL : "another body";
}

static vv_status keep_pin(void *ctx, const vv_kubo_pin *pin, vv_error *err)
{
    json_t *pins = ctx;
    char text[VV_CID_TEXT_MAX];

    (void)err;
    vv_cid_format(&pin->cid, text);
    json_object_set_new(pins, text,
                        json_pack("{s:s,s:s}", "Type", pin->type, "Name", pin->name));
    return VV_OK;
}

static const char *compare_cid(const json_t *result, vv_status status, const vv_cid *cid)
{
    const char *want = text_of(result, "ok");
    vv_cid wanted;

    if (!want)
        return status ? NULL : "success where the reference fails";
    wanted = cid_of(want);
    return status ? "failure" : vv_cid_equal(&wanted, cid) ? NULL : "another CID";
}

static const char *do_save(vv_blockstore *store, const call *what, const json_t *result,
                           vv_error *err)
{
    vv_buf data = bytes_of_hex(what->first);
    uint32_t codec = 0;
    vv_cid cid = { 0 };
    vv_status status;

    if (!vv_codec_by_name(what->second, &codec))
        abort();
    status = vv_kubo_add(store, (vv_bytes){ data.data, data.len }, codec, &cid, err);
    vv_buf_clear(&data);
    return compare_cid(result, status, &cid);
}

/* K1: the answer to a range was the whole, so the whole is cut. */
static const char *do_load(vv_blockstore *store, const call *what, const json_t *item,
                           vv_error *err)
{
    vv_range range = range_of_numbers(what->offset, what->length, what->suffix);
    const char *body = text_of(item, "reply_body");
    size_t len = strlen(body);
    uint64_t from = range.kind == VV_RANGE_LAST ? len - range.length : range.offset;
    uint64_t count = range.kind == VV_RANGE_FROM || range.kind == VV_RANGE_WHOLE
                         ? UINT64_MAX
                         : range.length;
    vv_buf got = VV_BUF_INIT;
    const char *why;
    vv_status status = load_text(store, what->first, range, &got, err);
    char *hex;

    from = from > len ? len : from;
    count = count > len - from ? len - from : count;
    hex = hex_of((vv_bytes){ (const uint8_t *)body + from, count });
    why = compare_bytes(hex, status, &got);
    free(hex);
    vv_buf_clear(&got);
    return why;
}

static const char *do_pin(vv_blockstore *store, const call *what, const json_t *result,
                          vv_error *err)
{
    json_t *want = json_object_get(result, "ok");
    json_t *pins;
    vv_status status;
    bool same;
    vv_cid cid;
    vv_cid other;

    if (strcmp(what->name, "pin_ls") == 0) {
        pins = json_object();
        status = vv_kubo_pin_ls(store, NULL, keep_pin, pins, err);
        same = json_is_array(want) ? json_object_size(pins) == 0 : json_equal(pins, want);
        json_decref(pins);
        return status ? "failure" : same ? NULL : "other pins";
    }
    cid = cid_of(what->first);
    if (strcmp(what->name, "pin_cid") == 0)
        status = vv_kubo_pin_add(store, &cid, true, NULL, err);
    else if (strcmp(what->name, "unpin_cid") == 0)
        status = vv_kubo_pin_rm(store, &cid, true, err);
    else {
        other = cid_of(what->second);
        status = vv_kubo_pin_update(store, &cid, &other, false, err);
    }
    return status ? "failure" : NULL;
}

static void run_request(vector_run *run, const json_t *item)
{
    const char *text = text_of(item, "call");
    const char *body = text_of(item, "reply_body");
    const json_t *result = json_object_get(item, "result");
    vv_error err = VV_ERROR_INIT;
    still hooks = { .random = 0.5 };
    plan *server = plan_start();
    vector_options options;
    vv_blockstore *store;
    const char *why;
    call what;

    parse_call(text, text_of(json_object_get(item, "request"), "body"), &what);
    read_kubo_options(json_object_get(item, "options"), &options);
    plan_add(server,
             (server_answer){ .body = (const uint8_t *)body, .body_len = strlen(body) });
    store = open_for(server, &options, &hooks, &err);
    if (!store)
        why = "open";
    else if (strcmp(what.name, "save") == 0)
        why = do_save(store, &what, result, &err);
    else if (strcmp(what.name, "load") == 0)
        why = do_load(store, &what, item, &err);
    else
        why = do_pin(store, &what, result, &err);
    if (!why && plan_asked(server) != 1)
        why = "not one request";
    if (!why)
        why = compare_request(json_object_get(item, "request"), &server->seen[0]);
    if (why)
        vector_fail(run, text, "%s (%s)", why, err.message);
    else
        vector_pass(run);
    vv_blockstore_free(store);
    plan_end(server);
}

/* ---- options -------------------------------------------------------------------------------- */

/* K8 and K9: one slash, and a CID of version 1. */
static void run_add_url(vector_run *run, const json_t *item)
{
    const char *url = text_of(item, "url");
    const char *twice = strstr(url + 8, "//api");
    char want[512];
    still hooks = { .random = 0.5 };
    vv_error err = VV_ERROR_INIT;
    vector_options options;
    vv_blockstore *store;
    vvi_kubo_call made;
    vvi_kubo *self;

    read_kubo_options(NULL, &options);
    options.opts.rpc_url = text_of(item, "rpc");
    options.opts.hasher = text_of(item, "hasher");
    options.opts.chunker = text_of(item, "chunker");
    options.opts.pin_on_add = json_is_true(json_object_get(item, "pin_on_add"));
    if (twice)
        snprintf(want, sizeof(want), "%.*s%s&cid-version=1", (int)(twice - url), url,
                 twice + 1);
    else
        snprintf(want, sizeof(want), "%s&cid-version=1", url);
    store = open_for(NULL, &options, &hooks, &err);
    if (!store) {
        vector_fail(run, url, "%s", err.message);
        return;
    }
    if (vvi_kubo_of(store, &self, &err) ||
        vvi_kubo_init_add(self, &made, self->hasher, &err))
        abort();
    if (strcmp(made.request.url, want) == 0)
        vector_pass(run);
    else
        vector_fail(run, url, "%s", made.request.url);
    vvi_kubo_call_clear(&made);
    vv_blockstore_free(store);
}

static void run_chunker(vector_run *run, const json_t *item)
{
    const char *chunker = text_of(item, "chunker");
    bool want = json_is_true(json_object_get(item, "ok"));
    vv_blockstore *store = NULL;
    vector_options options;
    vv_status status;

    read_kubo_options(NULL, &options);
    options.opts.chunker = chunker;
    status = vv_kubo_open(&options.opts, &store, NULL);
    if (status == (want ? VV_OK : VV_EINVAL) &&
        vvi_kubo_chunker_is_valid(chunker) == want)
        vector_pass(run);
    else
        vector_fail(run, chunker, "%s", vv_status_name(status));
    vv_blockstore_free(store);
}

/* ---- retries -------------------------------------------------------------------------------- */

static const char hash_body[] =
    "{\"Hash\":\"bafkr4iac4oxad3xqle32f7mv443m3lehvujpv4bddek224gvtsh6lygwzq\"}";

static server_answer answer_of_plan(const json_t *step)
{
    const char *what = json_string_value(step);
    server_answer answer = { .body = (const uint8_t *)hash_body,
                             .body_len = strlen(hash_body) };

    if (json_is_integer(step)) {
        answer.status = (int)json_integer_value(step);
        answer.headers = answer.status == 301 ? "Location: /ipfs/next\r\n" : NULL;
    } else if (strcmp(what, "timeout") == 0) {
        answer.delay_ms = 60000;
    } else if (strcmp(what, "connect") == 0) {
        answer.reset = true;
    } else if (strcmp(what, "protocol") == 0) {
        answer.raw = "nonsense\r\n\r\n";
        answer.raw_len = strlen(answer.raw);
    } else if (strcmp(what, "ok") != 0) {
        abort();
    }
    return answer;
}

/* What must happen: K3 (some statuses are tried again) and K4 (a GET is redirected). */
typedef struct outcome {
    size_t requests, waits;
    double seconds[32];
    bool ok;
    bool is_as_the_file; /* neither K3 nor K4 came into it */
} outcome;

static outcome expect(const json_t *item, const vv_kubo_options *opts)
{
    const json_t *plan_of = json_object_get(item, "plan");
    double random = json_number_value(json_object_get(item, "random"));
    int32_t retries = opts->max_retries == VV_KUBO_NO_RETRIES ? 0
                      : opts->max_retries                     ? opts->max_retries
                                                              : 3;
    double delay = opts->initial_delay_s > 0 ? opts->initial_delay_s : 1;
    double factor = opts->backoff_factor > 0 ? opts->backoff_factor : 2;
    outcome out = { .is_as_the_file = true };
    bool is_load = strcmp(text_of(item, "kind"), "load") == 0;

    for (;;) {
        const json_t *step = json_array_get(plan_of, out.requests++);
        int64_t code = json_is_integer(step) ? json_integer_value(step) : 0;
        bool again = !code || code == 429 || code == 500 || (code >= 502 && code <= 504);

        out.ok = json_is_string(step) && strcmp(json_string_value(step), "ok") == 0;
        if (out.ok)
            return out;
        if (code && (again || (code == 301 && is_load)))
            out.is_as_the_file = false;
        if (code == 301 && is_load)
            continue;
        if (!again || out.waits == (size_t)retries)
            return out;
        out.seconds[out.waits] = delay * pow(factor, (double)out.waits);
        out.seconds[out.waits] += out.seconds[out.waits] * 0.1 * (random - 0.5);
        out.waits++;
    }
}

static const char *compare_waits(const double *got, size_t count, const double *want,
                                 size_t want_count)
{
    if (count != want_count)
        return "another number of waits";
    for (size_t i = 0; i < count; i++)
        if (fabs(got[i] - want[i]) > 1e-9)
            return "another wait";
    return NULL;
}

/* The file's own numbers, where its client is right. */
static const char *compare_file(const json_t *item, const outcome *want)
{
    const json_t *sleeps = json_object_get(item, "sleeps");
    double seconds[32];

    if ((int64_t)want->requests != int_of(item, "requests", -1))
        return "the file counts other requests";
    if (want->ok != (json_object_get(json_object_get(item, "result"), "ok") != NULL))
        return "the file ends otherwise";
    for (size_t i = 0; i < json_array_size(sleeps) && i < 32; i++)
        seconds[i] = json_number_value(json_array_get(sleeps, i));
    return compare_waits(want->seconds, want->waits, seconds, json_array_size(sleeps));
}

static const char *run_plan(const json_t *item, vector_options *options,
                            const outcome *want, vv_error *err)
{
    still hooks = { .random = json_number_value(json_object_get(item, "random")) };
    plan *server = plan_start();
    const char *why = NULL;
    vv_blockstore *store;
    vv_buf got = VV_BUF_INIT;
    vv_status status;
    json_t *step;
    vv_cid cid;
    size_t i;

    json_array_foreach(json_object_get(item, "plan"), i, step)
        plan_add(server, answer_of_plan(step));
    options->opts.idle_timeout_ms = 60;
    store = open_for(server, options, &hooks, err);
    if (!store)
        abort();
    if (strcmp(text_of(item, "kind"), "load") == 0)
        status = load_text(store,
                           "bafkr4iac4oxad3xqle32f7mv443m3lehvujpv4bddek224gvtsh6lygwzq",
                           VV_RANGE_ALL, &got, err);
    else
        status = vv_kubo_add(store, vv_bytes_of("x"), VV_CODEC_RAW, &cid, err);
    if ((status == VV_OK) != want->ok)
        why = "another end";
    else if (plan_asked(server) != want->requests)
        why = "another number of requests";
    else
        why = compare_waits(hooks.waits, hooks.wait_count, want->seconds, want->waits);
    vv_buf_clear(&got);
    vv_blockstore_free(store);
    plan_end(server);
    return why;
}

static void run_retry(vector_run *run, const json_t *item)
{
    char *name = json_dumps(item, 0);
    vv_error err = VV_ERROR_INIT;
    vector_options options;
    const char *why;
    outcome want;

    read_kubo_options(json_object_get(item, "options"), &options);
    want = expect(item, &options.opts);
    why = want.is_as_the_file ? compare_file(item, &want) : NULL;
    /* With one gateway both orders of failover are the same. */
    if (!why)
        why = run_plan(item, &options, &want, &err);
    options.opts.failover = VV_KUBO_RETRY_FIRST;
    if (!why)
        why = run_plan(item, &options, &want, &err);
    if (why)
        vector_fail(run, name, "%s (%s)", why, err.message);
    else
        vector_pass(run);
    free(name);
}

void run_kubo_http(vector_run *run, const json_t *document)
{
    const json_t *item;
    size_t i;

    if (json_object_get(document, "range_answers")) {
        run_kubo_http_36(run, document);
        return;
    }
    json_array_foreach(json_object_get(document, "requests"), i, item)
        run_request(run, item);
    run_normalisation(run, json_object_get(document, "gateway_normalisation"), true);
    json_array_foreach(json_object_get(document, "add_url"), i, item)
        run_add_url(run, item);
    json_array_foreach(json_object_get(document, "chunker"), i, item)
        run_chunker(run, item);
    json_array_foreach(json_object_get(document, "constructor"), i, item)
        run_constructor(run, item);
    json_array_foreach(json_object_get(document, "retries"), i, item)
        run_retry(run, item);
}
