/* instrumentation.json: reads of a HAMT store behind a gateway and of a sharded store, with the spans and
 * measurements of each step, and the snapshot after all; distributions; what the environment means.
 *
 * The CAS of the sharded store is one that py-hamt does not instrument, so ours is one that is passed by. */
#include "hamt.h"

#include "store/internal.h"
#include "util/buf.h"

#include <varvite/blockstore_backend.h>
#include <varvite/sharded.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the two places where blocks lie ------------------------------------------------------------- */

typedef struct source {
    vv_blockstore base;
    vv_blockstore *memory; /* held */
    bool fails_once;       /* the next request times out and is made again */
} source;

static vv_status source_get_range(vv_blockstore *base, const vv_cid *cid, vv_range range,
                                  vv_buf *out, vv_error *err)
{
    source *self = (source *)base;
    vv_buf whole = VV_BUF_INIT;
    vv_status status = self->memory->ops->get(self->memory, cid, &whole, err);

    if (!status)
        status = vvi_buf_cut(&whole, range, err);
    if (!status)
        vvi_buf_move(out, &whole);
    vv_buf_clear(&whole);
    if (self->fails_once || status)
        vv_metrics_tell_load(0, self->fails_once,
                             status ? VV_LOAD_HTTP_ERROR : VV_LOAD_OK);
    self->fails_once = false;
    return status;
}

static vv_status source_get(vv_blockstore *base, const vv_cid *cid, vv_buf *out,
                            vv_error *err)
{
    return source_get_range(base, cid, VV_RANGE_ALL, out, err);
}

static vv_status source_put(vv_blockstore *base, const vv_block *blocks, size_t n,
                            vv_error *err)
{
    source *self = (source *)base;

    return self->memory->ops->put_many(self->memory, blocks, n, err);
}

static vv_status source_has(vv_blockstore *base, const vv_cid *cids, size_t n, bool *out,
                            vv_error *err)
{
    source *self = (source *)base;

    return self->memory->ops->has_many(self->memory, cids, n, out, err);
}

static void source_free(vv_blockstore *base)
{
    vv_blockstore_free(((source *)base)->memory);
    free(base);
}

static const vv_blockstore_ops source_ops = { .name = "gateway",
                                              .get = source_get,
                                              .get_range = source_get_range,
                                              .put_many = source_put,
                                              .has_many = source_has,
                                              .free = source_free };

static source *source_new(bool is_counted)
{
    source *self = calloc(1, sizeof(*self));

    if (!self || vv_memory_blockstore_new(&self->memory, NULL))
        abort();
    vv_blockstore_base_init(&self->base, &source_ops, true);
    self->base.is_wrapper = !is_counted;
    return self;
}

/* ---- what a step does, as the file has it -------------------------------------------------------------- */

typedef struct recording {
    json_t *spans, *metrics;
} recording;

/* Names of one block in different bases count as one. */
static json_t *text_value(const char *name, const char *text)
{
    char canonical[VV_CID_TEXT_MAX];
    vv_cid cid;

    if (strcmp(name, "py_hamt.cid") != 0 || vv_cid_parse(text, &cid, NULL))
        return json_string(text);
    vv_cid_format(&cid, canonical);
    return json_string(canonical);
}

static json_t *attributes_of(const vv_attribute *attributes, size_t n)
{
    json_t *object = json_object();

    for (size_t i = 0; i < n; i++) {
        const vv_attribute *a = &attributes[i];

        json_object_set_new(object, a->name,
                            a->kind == VV_ATTRIBUTE_TEXT ? text_value(a->name, a->text)
                            : a->kind == VV_ATTRIBUTE_BOOL
                                ? json_boolean(a->integer)
                                : json_integer((json_int_t)a->integer));
    }
    return object;
}

static void *record_start(void *ctx, const vv_span *span)
{
    recording *self = ctx;
    json_t *record = json_pack("{s:s, s:o, s:{}, s:n, s:n}", "name", span->name,
                               "start_attributes",
                               attributes_of(span->attributes, span->attribute_count),
                               "set_attributes", "status", "exception");

    json_array_append_new(self->spans, record);
    return record;
}

static void record_end(void *ctx, void *token, const vv_span *span)
{
    (void)ctx;
    json_object_set_new(token, "set_attributes",
                        attributes_of(span->attributes, span->attribute_count));
    if (span->failed)
        json_object_set_new(token, "status", json_pack("[s, s]", "ERROR", span->message));
    if (span->exception)
        json_object_set_new(token, "exception",
                            json_string(span->exception == VV_ENOTFOUND
                                            ? "KeyError"
                                            : vv_status_name(span->exception)));
}

static void record_measure(void *ctx, const vv_measurement *what)
{
    recording *self = ctx;

    if (strncmp(what->name, "varvite.", 8) == 0)
        return;
    json_array_append_new(
        self->metrics,
        json_pack("[s, s, o, o]", what->name, what->kind == VV_COUNTER ? "add" : "record",
                  strcmp(what->unit, "s") == 0 ? json_string("<seconds>")
                                               : json_integer((json_int_t)what->value),
                  attributes_of(what->attributes, what->attribute_count)));
}

/* ---- comparing ---------------------------------------------------------------------------------------------- */

static const char *as_text(const json_t *value)
{
    static char texts[2][600];
    static unsigned next;
    char *text = texts[next++ % 2];
    char *dump = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS) : NULL;

    snprintf(text, sizeof(texts[0]), "%s", dump ? dump : "nothing");
    free(dump);
    return text;
}

/* Ours, with the names that it gives for blocks made ours. */
static json_t *normalised_spans(const json_t *spans)
{
    json_t *copy = json_deep_copy(spans);

    for (size_t i = 0; i < json_array_size(copy); i++) {
        json_t *start = json_object_get(json_array_get(copy, i), "start_attributes");
        const char *cid = text_of(start, "py_hamt.cid");

        if (cid)
            json_object_set_new(start, "py_hamt.cid", text_value("py_hamt.cid", cid));
    }
    return copy;
}

/* Item for item, so that a failure says which. */
static bool same_lists(vector_run *run, const char *title, const char *what,
                       const json_t *want, const json_t *got)
{
    size_t n = json_array_size(want);

    for (size_t i = 0; i < n; i++)
        if (!json_equal(json_array_get(want, i), json_array_get(got, i))) {
            vector_fail(run, title, "%s %zu is %s, not %s", what, i,
                        as_text(json_array_get(got, i)),
                        as_text(json_array_get(want, i)));
            return false;
        }
    if (json_array_size(got) != n)
        vector_fail(run, title, "%zu of %s, not %zu", json_array_size(got), what, n);
    return json_array_size(got) == n;
}

/* ---- the steps ------------------------------------------------------------------------------------------------ */

typedef struct stage {
    source *gateway, *quiet;
    vv_store *hamt, *sharded;
    recording seen;
} stage;

static bool make_hamt(vector_run *run, stage *self, const json_t *tree)
{
    vv_hamt_options options = VV_HAMT_OPTIONS_INIT;
    const json_t *sets = json_object_get(tree, "sets");
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;
    vv_status status;
    vv_cid root;

    options.max_bucket_size = (uint32_t)int_of(tree, "max_bucket_size", 4);
    options.ids = VV_PREFIX_CBOR_BLAKE3;
    status = vv_hamt_store_open(&self->gateway->base, NULL, &options, &store, &err);
    for (size_t i = 0; i < json_array_size(sets) && !status; i++) {
        const json_t *set = json_array_get(sets, i);
        vv_buf value = bytes_of_hex(json_string_value(json_array_get(set, 1)));

        status = vv_store_set(store, json_string_value(json_array_get(set, 0)),
                              (vv_bytes){ value.data, value.len }, &err);
        vv_buf_clear(&value);
    }
    if (!status)
        status = vv_store_commit(store, &root, &err);
    vv_store_free(store);
    if (!status && strcmp(hamt_id_text(&root), text_of(tree, "root")) != 0) {
        vector_fail(run, "tree", "root %s", hamt_id_text(&root));
        return false;
    }
    options.read_only = true;
    if (!status)
        status = vv_hamt_store_open(&self->gateway->base, &root, &options, &self->hamt,
                                    &err);
    /* It has looked at the root, which the first step is to load. */
    if (!status)
        status = vv_hamt_vacate(vvi_hamt_store_map(self->hamt), &root, &err);
    if (status)
        vector_fail(run, "tree", "%s", err.message);
    return !status;
}

/* A store with one chunk, found in the first step on it that hits. */
static bool make_sharded(vector_run *run, stage *self, const json_t *steps)
{
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    uint64_t entries = 0, shape, chunk = 1;
    const char *key = NULL;
    vv_store *store = NULL;
    vv_status status;
    char path[256];
    vv_cid root;

    for (size_t i = 0; i < json_array_size(steps) && !entries; i++) {
        const json_t *span = json_array_get(
            json_object_get(json_array_get(steps, i), "spans"), 0);
        const json_t *set = json_object_get(span, "set_attributes");

        key = text_of(set, "py_hamt.zarr.key");
        entries = (uint64_t)int_of(set, "py_hamt.sharded_store.shard_entries", 0);
    }
    if (!entries || !strstr(key, "/c/"))
        return true;
    shape = 2 * entries;
    snprintf(path, sizeof(path), "%.*s", (int)(strstr(key, "/c/") - key), key);
    options.version = VV_SHARDED_V1;
    options.chunks_per_shard = entries;
    options.ndim = 1;
    options.array_shape = &shape;
    options.chunk_shape = &chunk;
    options.primary_array_path = path;
    status = vv_sharded_store_open(&self->quiet->base, NULL, &options, &store, &err);
    if (!status)
        status = vv_store_set(store, key, vv_bytes_of("value"), &err);
    if (!status)
        status = vv_store_commit(store, &root, &err);
    vv_store_free(store);
    options = VV_SHARDED_OPTIONS_INIT;
    options.read_only = true;
    if (!status)
        status = vv_sharded_store_open(&self->quiet->base, &root, &options,
                                       &self->sharded, &err);
    if (status)
        vector_fail(run, "sharded store", "%s", err.message);
    return !status;
}

/* "get KEY suffix N" asks for a part. */
static vv_range range_of(const char *what)
{
    const char *suffix = strstr(what, " suffix ");

    return suffix ? VV_RANGE_SUFFIX(strtoull(suffix + 8, NULL, 10)) : VV_RANGE_ALL;
}

static vv_status do_step(stage *self, const json_t *step)
{
    const char *what = text_of(step, "do");
    const json_t *start = json_object_get(
        json_array_get(json_object_get(step, "spans"), 0), "start_attributes");
    vv_buf out = VV_BUF_INIT;
    vv_status status;
    vv_cid cid;

    self->gateway->fails_once = strstr(what, "times out once") != NULL;
    if (strncmp(what, "cas.load", 8) == 0) {
        status = vv_cid_parse(text_of(start, "py_hamt.cid"), &cid, NULL);
        if (!status)
            status = vv_blockstore_get(&self->gateway->base, &cid, &out, NULL);
    } else {
        status = vv_store_get(
            strncmp(what, "sharded", 7) == 0 ? self->sharded : self->hamt,
            text_of(start, "py_hamt.zarr.key"), range_of(what), &out, NULL);
    }
    vv_buf_clear(&out);
    return status;
}

static void run_step(vector_run *run, stage *self, const json_t *step)
{
    const char *title = text_of(step, "do");
    const char *result = text_of(step, "result");
    json_t *want = normalised_spans(json_object_get(step, "spans"));
    vv_metrics_sink sink = VV_METRICS_SINK_INIT;
    vv_status status;

    sink.ctx = &self->seen;
    sink.span_start = record_start;
    sink.span_end = record_end;
    sink.measure = record_measure;
    self->seen = (recording){ json_array(), json_array() };
    vv_metrics_set_sink(&sink, NULL);
    status = do_step(self, step);
    vv_metrics_set_sink(NULL, NULL);
    if ((status == VV_OK) != (result && strcmp(result, "value") == 0) ||
        (status && status != VV_ENOTFOUND))
        vector_fail(run, title, "%s", vv_status_name(status));
    else if (same_lists(run, title, "span", want, self->seen.spans) &&
             same_lists(run, title, "measurement", json_object_get(step, "metrics"),
                        self->seen.metrics))
        vector_pass(run);
    json_decref(want);
    json_decref(self->seen.spans);
    json_decref(self->seen.metrics);
}

/* ---- the snapshot ------------------------------------------------------------------------------------------------ */

/* The numbers of want are in got, and nothing else but what is named varvite. */
static bool same_numbers(vector_run *run, const char *title, const json_t *want,
                         const json_t *got)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)got, name, value)
    {
        if (strncmp(name, "varvite.", 8) != 0 && !json_object_get(want, name)) {
            vector_fail(run, title, "%s is there", name);
            return false;
        }
    }
    json_object_foreach((json_t *)(uintptr_t)want, name, value)
    {
        const json_t *mine = json_object_get(got, name);

        if (!json_is_number(mine) ||
            json_number_value(mine) != json_number_value(value)) {
            vector_fail(run, title, "%s is %s, not %s", name, as_text(mine),
                        as_text(value));
            return false;
        }
    }
    return true;
}

/* Times are known by their counts and fields only. */
static bool same_times(vector_run *run, const json_t *want, const json_t *got)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)want, name, value)
    {
        const json_t *mine = json_object_get(got, name);
        const json_t *fields = json_object_get(value, "fields");
        bool right = json_object_size(mine) == json_array_size(fields);

        for (size_t i = 0; i < json_array_size(fields) && right; i++)
            right = json_object_get(mine, json_string_value(json_array_get(fields, i)));
        if (!right || int_of(mine, "count", -1) != int_of(value, "count", -2) ||
            int_of(mine, "sample_count", -1) != int_of(value, "sample_count", -2)) {
            vector_fail(run, name, "%s, not %s", as_text(mine), as_text(value));
            return false;
        }
    }
    return true;
}

static bool same_values(vector_run *run, const json_t *want, const json_t *got)
{
    const char *name;
    json_t *value;
    bool right = true;

    json_object_foreach((json_t *)(uintptr_t)want, name, value)
        right = right && same_numbers(run, name, value, json_object_get(got, name));
    return right;
}

/* Pairs of name and count; names of blocks in any base. */
static bool same_tops(vector_run *run, const char *title, const json_t *want,
                      const json_t *got, bool cids)
{
    json_t *copy = json_deep_copy(want);
    bool right;

    for (size_t i = 0; i < json_array_size(copy) && cids; i++) {
        json_t *pair = json_array_get(copy, i);

        json_array_set_new(
            pair, 0,
            text_value("py_hamt.cid", json_string_value(json_array_get(pair, 0))));
    }
    right = same_lists(run, title, "place", copy, got);
    json_decref(copy);
    return right;
}

static void run_snapshot(vector_run *run, const json_t *want)
{
    static const char *const plain[] = { "enabled",
                                         "label",
                                         "cas_load_unique_cids",
                                         "cas_load_duplicate_requests",
                                         "max_inflight_cas_loads",
                                         "sample_limit" };
    vv_buf text = VV_BUF_INIT;
    json_t *got = NULL;
    bool right = true;

    if (vv_metrics_snapshot(&text, NULL) == VV_OK)
        got = json_loadb((const char *)text.data, text.len, 0, NULL);
    vv_buf_clear(&text);
    for (size_t i = 0; i < sizeof(plain) / sizeof(*plain) && right; i++) {
        right = json_equal(json_object_get(want, plain[i]),
                           json_object_get(got, plain[i]));
        if (!right)
            vector_fail(run, "snapshot", "%s is %s", plain[i],
                        as_text(json_object_get(got, plain[i])));
    }
    right = right && json_object_size(got) == json_object_size(want) &&
            json_is_number(json_object_get(got, "elapsed_seconds")) &&
            same_numbers(run, "counters", json_object_get(want, "counters"),
                         json_object_get(got, "counters")) &&
            same_numbers(run, "bytes", json_object_get(want, "bytes"),
                         json_object_get(got, "bytes")) &&
            same_times(run, json_object_get(want, "timings"),
                       json_object_get(got, "timings")) &&
            same_values(run, json_object_get(want, "values"),
                        json_object_get(got, "values")) &&
            same_tops(run, "cas_load_top_cids",
                      json_object_get(want, "cas_load_top_cids"),
                      json_object_get(got, "cas_load_top_cids"), true) &&
            same_tops(run, "zarr_top_keys", json_object_get(want, "zarr_top_keys"),
                      json_object_get(got, "zarr_top_keys"), false);
    if (right)
        vector_pass(run);
    json_decref(got);
}

/* ---- the rest ------------------------------------------------------------------------------------------------------ */

static bool is_member(const json_t *result, const char *name, double value)
{
    const json_t *want = json_object_get(result, name);

    return !want || fabs(json_number_value(want) - value) <= 1e-15 * fabs(value);
}

static void run_distribution(vector_run *run, const json_t *entry)
{
    const json_t *samples = json_object_get(entry, "samples");
    const json_t *result = json_object_get(entry, "result");
    size_t n = json_array_size(samples);
    double *copy = calloc(n ? n : 1, sizeof(*copy));
    vv_distribution d;

    for (size_t i = 0; i < n; i++)
        copy[i] = json_number_value(json_array_get(samples, i));
    vv_metrics_distribution(copy, n, json_number_value(json_object_get(entry, "total")),
                            (uint64_t)int_of(entry, "count", 0), &d);
    free(copy);
    if (int_of(result, "count", -1) == (int64_t)d.count &&
        is_member(result, "avg", d.average) &&
        int_of(result, "sample_count", 0) == (int64_t)d.sample_count &&
        is_member(result, "min", d.min) && is_member(result, "p50", d.p50) &&
        is_member(result, "p95", d.p95) && is_member(result, "p99", d.p99) &&
        is_member(result, "max", d.max))
        vector_pass(run);
    else
        vector_fail(run, "distribution", "not %s", as_text(result));
}

static void run_enabled(vector_run *run, const json_t *pair)
{
    const char *text = json_string_value(json_array_get(pair, 0));
    bool right = true;

    for (int i = 0; i < 2; i++) {
        setenv(i ? "PY_HAMT_TRACE" : "IPFS_RETRIEVAL_TRACE", text, 1);
        vv_metrics_use_environment();
        right = right && vv_metrics_is_enabled() == json_is_true(json_array_get(pair, 1));
        unsetenv(i ? "PY_HAMT_TRACE" : "IPFS_RETRIEVAL_TRACE");
    }
    if (right)
        vector_pass(run);
    else
        vector_fail(run, "enabled_values", "%s", text);
}

static void run_sample_limit(vector_run *run, const json_t *pair)
{
    const char *text = json_string_value(json_array_get(pair, 0));
    vv_buf out = VV_BUF_INIT;
    json_t *got = NULL;

    setenv("IPFS_RETRIEVAL_TRACE_SAMPLE_LIMIT", text, 1);
    vv_metrics_reset(NULL);
    unsetenv("IPFS_RETRIEVAL_TRACE_SAMPLE_LIMIT");
    if (!vv_metrics_snapshot(&out, NULL))
        got = json_loadb((const char *)out.data, out.len, 0, NULL);
    if (int_of(got, "sample_limit", -1) == json_integer_value(json_array_get(pair, 1)))
        vector_pass(run);
    else
        vector_fail(run, "sample_limit_values", "\"%s\"", text);
    vv_buf_clear(&out);
    json_decref(got);
}

static void run_stage(vector_run *run, const json_t *document)
{
    const json_t *steps = json_object_get(document, "steps");
    stage self = { .gateway = source_new(true), .quiet = source_new(false) };

    vv_metrics_enable(false);
    if (make_hamt(run, &self, json_object_get(document, "hamt"))) {
        vv_metrics_enable(true);
        vv_metrics_reset(text_of(json_object_get(document, "snapshot"), "label"));
        if (make_sharded(run, &self, steps)) {
            for (size_t i = 0; i < json_array_size(steps); i++)
                run_step(run, &self, json_array_get(steps, i));
            run_snapshot(run, json_object_get(document, "snapshot"));
        }
    }
    vv_store_free(self.hamt);
    vv_store_free(self.sharded);
    vv_blockstore_free(&self.gateway->base);
    vv_blockstore_free(&self.quiet->base);
}

void run_instrumentation(vector_run *run, const json_t *document)
{
    static const struct {
        const char *list;
        void (*run)(vector_run *, const json_t *);
    } lists[] = { { "distribution", run_distribution },
                  { "enabled_values", run_enabled },
                  { "sample_limit_values", run_sample_limit } };

    unsetenv("IPFS_RETRIEVAL_TRACE");
    unsetenv("PY_HAMT_TRACE");
    unsetenv("IPFS_RETRIEVAL_TRACE_SAMPLE_LIMIT");
    run_stage(run, document);
    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
        const json_t *list = json_object_get(document, lists[i].list);

        vv_metrics_enable(true);
        for (size_t k = 0; k < json_array_size(list); k++)
            lists[i].run(run, json_array_get(list, k));
    }
    vv_metrics_enable(true);
    vv_metrics_reset(NULL);
    vv_metrics_enable(false);
}
