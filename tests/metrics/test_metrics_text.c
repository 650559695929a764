/* The instruments as text: Prometheus and OTLP, spans kept and told to a sink. */
#include "metrics/snapshots.h"

#include "metrics/metrics.h"

#include <ctype.h>
#include <stdio.h>

static vv_error err;

static int begin_anew(void **state)
{
    (void)state;
    vv_metrics_enable(true);
    vv_metrics_reset(NULL);
    return 0;
}

static int forget(void **state)
{
    begin_anew(state);
    vv_metrics_keep_spans(0);
    vv_metrics_enable(false);
    return (int)vv_metrics_set_sink(NULL, NULL);
}

static void load(const char *cid, bool has_range, vv_status status, uint64_t bytes)
{
    vvi_load one;

    vvi_load_begin(&one, cid, has_range, true);
    vvi_load_end(&one, cid, has_range, status, bytes);
}

/* A bit of everything. */
static void work(void)
{
    vvi_lookup lookup;
    vvi_get get;

    vvi_get_begin(&get, VVI_GET_HAMT, "t/c/0", true, true);
    vvi_lookup_begin(&lookup, vv_bytes_of("t/c/0"), true);
    load("bafyroot", false, VV_OK, 300);
    vvi_count_node_loads(false, 1, 300, 1000);
    vvi_lookup_end(&lookup, vv_bytes_of("t/c/0"), 1, VV_OK);
    load("bafkvalue", true, VV_OK, 10);
    vvi_get_end(&get, "t/c/0", false, VV_OK);
    load("bafklost", false, VV_ENOTFOUND, 0);
    load("bafkbad", false, VV_ECORRUPT, 7);
    load("bafkslow", false, VV_ETIMEDOUT, 0);
    load("bafkgone", false, VV_EIO, 0);
    vvi_get_begin(&get, VVI_GET_SHARDED, "u/c/1", false, true);
    vvi_count_shard_load(3, true, 100, 500);
    vvi_get_end(&get, "u/c/1", false, VV_ENOTFOUND);
    vvi_count_work(VVI_STORE_SET, "memory", 2, 99, 0, VV_OK);
    vvi_count_work(VVI_STORE_GET, "a store of others", 1, 0, 0, VV_EIO);
    vvi_count_block_cache(2, 1);
}

/* ---- Prometheus ---------------------------------------------------------------------------------- */

static bool is_name(const char *from, const char *end, bool colons)
{
    if (from == end || isdigit((unsigned char)*from))
        return false;
    for (; from < end; from++)
        if (!isalnum((unsigned char)*from) && *from != '_' && !(colons && *from == ':'))
            return false;
    return true;
}

/* name{label="value",…} number, as the format has it; the place behind the name in *name_len. */
static bool is_sample(const char *line, size_t *name_len)
{
    const char *at = line + strcspn(line, "{ ");
    char *end;

    *name_len = (size_t)(at - line);
    if (!is_name(line, at, true))
        return false;
    if (*at == '{')
        do {
            const char *label = ++at;

            at = strchr(at, '=');
            if (!at || !is_name(label, at, false) || at[1] != '"')
                return false;
            at += 2 + strcspn(at + 2, "\"\\\n");
            if (*at++ != '"')
                return false;
        } while (*at == ',');
    if (*at == '}')
        at++;
    if (*at++ != ' ')
        return false;
    strtod(at, &end);
    return end > at && *end == '\0';
}

/* Each family once, with HELP and TYPE before its samples; counters named so; buckets that never fall, the
 * last of which is the count. */
static void check_prometheus(char *text)
{
    char families[64][128];
    size_t count = 0;
    char type[32] = "";
    double last_bucket = -1;

    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        size_t len;

        if (strncmp(line, "# HELP ", 7) == 0) {
            assert_true(sscanf(line, "# HELP %127s", families[count]) == 1);
            for (size_t i = 0; i < count; i++)
                assert_string_not_equal(families[i], families[count]);
            assert_true(is_name(families[count], strchr(families[count], '\0'), true));
            count++;
            type[0] = '\0';
            continue;
        }
        if (strncmp(line, "# TYPE ", 7) == 0) {
            char name[128];

            assert_true(sscanf(line, "# TYPE %127s %31s", name, type) == 2);
            assert_string_equal(name, families[count - 1]);
            assert_true(!strcmp(type, "counter") || !strcmp(type, "histogram"));
            continue;
        }
        if (*line == '#')
            continue;
        if (!is_sample(line, &len))
            fail_msg("no sample: %s", line);
        assert_true(count && *type);
        assert_memory_equal(line, families[count - 1], strlen(families[count - 1]));
        if (strcmp(type, "counter") == 0) {
            assert_int_equal(len, strlen(families[count - 1]));
            assert_memory_equal(line + len - 6, "_total", 6);
        } else if (strstr(line, "_bucket{")) {
            double now = atof(strrchr(line, ' '));

            assert_true(now >= last_bucket);
            last_bucket = strstr(line, "le=\"+Inf\"") ? -1 : now;
        }
    }
    assert_true(count >= 15);
}

static void prometheus_text_keeps_the_rules(void **state)
{
    vv_buf text = VV_BUF_INIT;
    char *copy;

    (void)state;
    work();
    assert_vv_ok(vv_metrics_prometheus(&text, &err));
    copy = calloc(1, text.len + 1);
    assert_non_null(copy);
    memcpy(copy, text.data, text.len);
    assert_non_null(
        strstr(copy, "py_hamt_cas_load_requests_total{py_hamt_cas_has_range=\"false\","
                     "py_hamt_cas_status=\"http_error\"} 1\n"));
    assert_non_null(strstr(copy,
                           "py_hamt_cas_load_response_bytes_total{py_hamt_cas_has_range="
                           "\"true\",py_hamt_cas_status=\"ok\"} 10\n"));
    assert_non_null(strstr(copy,
                           "py_hamt_hamt_lookup_depth_bucket{py_hamt_hamt_lookup_found="
                           "\"true\",le=\"0\"} 0\n"));
    assert_non_null(strstr(copy,
                           "py_hamt_hamt_lookup_depth_bucket{py_hamt_hamt_lookup_found="
                           "\"true\",le=\"1\"} 1\n"));
    assert_non_null(strstr(copy, "py_hamt_hamt_lookup_duration_seconds_count{"));
    assert_non_null(strstr(copy,
                           "varvite_store_get_requests_total{varvite_store=\"other\","
                           "varvite_status=\"error\"} 1\n"));
    check_prometheus(copy);
    free(copy);
    vv_buf_clear(&text);
}

/* ---- OTLP ------------------------------------------------------------------------------------------ */

static const json_t *first(const json_t *tree, const char *member)
{
    const json_t *list = json_object_get(tree, member);

    assert_true(json_is_array(list) && json_array_size(list) >= 1);
    return json_array_get(list, 0);
}

static const json_t *named(const json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);

        if (strcmp(json_string_value(json_object_get(one, "name")), name) == 0)
            return one;
    }
    fail_msg("no %s", name);
    return NULL;
}

static void otlp_metrics_have_points_with_times(void **state)
{
    vv_buf text = VV_BUF_INIT;
    const json_t *scope, *point, *metric;
    json_t *tree;
    uint64_t total = 0;

    (void)state;
    work();
    assert_vv_ok(vv_metrics_otlp(VV_OTLP_METRICS, "a test", &text, &err));
    tree = parse_text(&text);
    scope = first(first(tree, "resourceMetrics"), "scopeMetrics");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(scope, "scope"), "name")),
        "py_hamt");
    metric = named(json_object_get(scope, "metrics"), "py_hamt.cas.load.duration");
    assert_string_equal(json_string_value(json_object_get(metric, "unit")), "s");
    metric = json_object_get(metric, "histogram");
    assert_int_equal(
        json_integer_value(json_object_get(metric, "aggregationTemporality")), 2);
    point = first(metric, "dataPoints");
    assert_int_equal(json_array_size(json_object_get(point, "bucketCounts")),
                     json_array_size(json_object_get(point, "explicitBounds")) + 1);
    for (size_t i = 0; i < json_array_size(json_object_get(point, "bucketCounts")); i++)
        total += strtoull(
            json_string_value(json_array_get(json_object_get(point, "bucketCounts"), i)),
            NULL, 10);
    assert_int_equal(
        total, strtoull(json_string_value(json_object_get(point, "count")), NULL, 10));
    assert_true(
        strtoull(json_string_value(json_object_get(point, "startTimeUnixNano")), NULL,
                 10) <=
        strtoull(json_string_value(json_object_get(point, "timeUnixNano")), NULL, 10));
    metric = named(json_object_get(scope, "metrics"), "py_hamt.cas.load.requests");
    assert_true(
        json_is_true(json_object_get(json_object_get(metric, "sum"), "isMonotonic")));
    json_decref(tree);
}

static void kept_spans_are_taken_once_and_hang_together(void **state)
{
    vv_buf text = VV_BUF_INIT;
    const json_t *spans, *get, *lookup, *loads;
    json_t *tree;

    (void)state;
    vv_metrics_keep_spans(100);
    work();
    assert_vv_ok(vv_metrics_otlp(VV_OTLP_TRACES, NULL, &text, &err));
    tree = parse_text(&text);
    spans = json_object_get(first(first(tree, "resourceSpans"), "scopeSpans"), "spans");
    assert_int_equal(json_array_size(spans), 9);
    get = named(spans, "py_hamt.hamt_store.get");
    lookup = named(spans, "py_hamt.hamt.lookup");
    loads = named(spans, "py_hamt.cas.load"); /* the first that ended: of the root */
    assert_null(json_object_get(get, "parentSpanId"));
    assert_int_equal(strlen(json_string_value(json_object_get(get, "traceId"))), 32);
    assert_int_equal(strlen(json_string_value(json_object_get(get, "spanId"))), 16);
    assert_true(json_equal(json_object_get(lookup, "parentSpanId"),
                           json_object_get(get, "spanId")));
    assert_true(json_equal(json_object_get(loads, "parentSpanId"),
                           json_object_get(lookup, "spanId")));
    assert_true(
        json_equal(json_object_get(loads, "traceId"), json_object_get(get, "traceId")));
    json_decref(tree);
    assert_vv_ok(vv_metrics_otlp(VV_OTLP_TRACES, NULL, &text, &err));
    tree = parse_text(&text);
    spans = json_object_get(first(first(tree, "resourceSpans"), "scopeSpans"), "spans");
    assert_int_equal(json_array_size(spans), 0);
    json_decref(tree);
}

static void spans_above_the_limit_are_dropped_and_counted(void **state)
{
    (void)state;
    vv_metrics_keep_spans(2);
    work();
    assert_true(vv_metrics_counter("varvite.spans_dropped") == 7);
}

/* ---- sinks ------------------------------------------------------------------------------------------ */

typedef struct seen {
    size_t started, ended, open, most_open, measured, failed, exceptions;
} seen;

static void *see_start(void *ctx, const vv_span *span)
{
    seen *self = ctx;

    assert_int_equal(span->end_ns, 0);
    assert_true(span->attribute_count >= 1);
    self->started++;
    self->open++;
    self->most_open = self->open > self->most_open ? self->open : self->most_open;
    /* What a sink does is not counted. */
    vv_metrics_increment("from a sink", 1);
    load("bafkinner", false, VV_OK, 1);
    return (void *)(uintptr_t)self->started;
}

static void see_end(void *ctx, void *token, const vv_span *span)
{
    seen *self = ctx;

    assert_true(token != NULL && span->end_ns >= span->start_ns);
    self->ended++;
    self->open--;
    self->failed += span->failed;
    self->exceptions += span->exception != VV_OK;
}

static void see_measure(void *ctx, const vv_measurement *measurement)
{
    assert_non_null(measurement->name);
    ((seen *)ctx)->measured++;
}

static void a_sink_is_told_of_all_though_nothing_is_counted(void **state)
{
    seen all = { 0 };
    vv_metrics_sink sink = VV_METRICS_SINK_INIT;

    (void)state;
    sink.ctx = &all;
    sink.span_start = see_start;
    sink.span_end = see_end;
    sink.measure = see_measure;
    assert_vv_ok(vv_metrics_set_sink(&sink, &err));
    vv_metrics_enable(false);
    work();
    assert_int_equal(all.started, 9);
    assert_int_equal(all.ended, 9);
    assert_int_equal(all.most_open, 3);
    assert_int_equal(all.failed, 4);
    assert_int_equal(all.exceptions, 0);
    assert_true(all.measured > 6 * 4);
    vv_metrics_enable(true);
    assert_true(vv_metrics_counter("cas_load.total") == 0);
    assert_true(vv_metrics_counter("from a sink") == 0);
}

static void a_span_does_not_end_in_another_sink_than_it_began_in(void **state)
{
    seen before = { 0 }, after = { 0 };
    vv_metrics_sink sink = VV_METRICS_SINK_INIT;
    vvi_load one;

    (void)state;
    sink.span_start = see_start;
    sink.span_end = see_end;
    sink.ctx = &before;
    assert_vv_ok(vv_metrics_set_sink(&sink, &err));
    vvi_load_begin(&one, "bafk", false, true);
    sink.ctx = &after;
    assert_vv_ok(vv_metrics_set_sink(&sink, &err));
    vvi_load_end(&one, "bafk", false, VV_OK, 1);
    assert_int_equal(before.started, 1);
    assert_int_equal(before.ended + after.started + after.ended, 0);
    sink.struct_size = 1;
    assert_int_equal(vv_metrics_set_sink(&sink, &err), VV_EINVAL);
}

int main(void)
{
#define TEST(test_) cmocka_unit_test_setup_teardown(test_, begin_anew, forget)
    const struct CMUnitTest tests[] = {
        TEST(prometheus_text_keeps_the_rules),
        TEST(otlp_metrics_have_points_with_times),
        TEST(kept_spans_are_taken_once_and_hang_together),
        TEST(spans_above_the_limit_are_dropped_and_counted),
        TEST(a_sink_is_told_of_all_though_nothing_is_counted),
        TEST(a_span_does_not_end_in_another_sink_than_it_began_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
