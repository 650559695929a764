/* OTLP in JSON: what OpenTelemetry collectors take by HTTP.
 *
 * Source: the OpenTelemetry protocol, "JSON Protobuf Encoding": 64-bit integers as text, identifiers as
 * hexadecimal text, enumerations as numbers. */
#include "metrics/instruments.h"
#include "metrics/span.h"
#include "metrics/text.h"

#include "util/alloc.h"
#include "util/thread.h"

#include <string.h>

#define AGGREGATION_CUMULATIVE 2
#define SPAN_KIND_INTERNAL     1
#define SPAN_KIND_CLIENT       3
#define STATUS_ERROR           2

static const char scope_theirs[] = "py_hamt";
static const char scope_ours[] = "varvite";

static void write_integer(vvi_text *text, const char *name, uint64_t value)
{
    vvi_text_item(text, name);
    vvi_text_put(text, "\"%" PRIu64 "\"", value);
}

static void write_attributes(vvi_text *text, const vv_attribute *attributes, size_t n)
{
    vvi_text_item(text, "attributes");
    vvi_text_open(text, '[');
    for (size_t i = 0; i < n; i++) {
        const vv_attribute *a = &attributes[i];

        vvi_text_item(text, NULL);
        vvi_text_open(text, '{');
        vvi_text_member(text, "key", a->name);
        vvi_text_item(text, "value");
        vvi_text_open(text, '{');
        if (a->kind == VV_ATTRIBUTE_TEXT) {
            vvi_text_member(text, "stringValue", a->text);
        } else if (a->kind == VV_ATTRIBUTE_BOOL) {
            vvi_text_item(text, "boolValue");
            vvi_text_put(text, a->integer ? "true" : "false");
        } else {
            vvi_text_item(text, "intValue");
            vvi_text_put(text, "\"%" PRId64 "\"", a->integer);
        }
        vvi_text_close(text, '}');
        vvi_text_close(text, '}');
    }
    vvi_text_close(text, ']');
}

/* {"resourceX": [{"resource": …, "scopeX": [ */
static void begin_document(vvi_text *text, const char *resources, const char *scopes,
                           const char *service)
{
    vv_attribute name = { .name = "service.name",
                          .kind = VV_ATTRIBUTE_TEXT,
                          .text = service ? service : "varvite" };

    vvi_text_open(text, '{');
    vvi_text_item(text, resources);
    vvi_text_open(text, '[');
    vvi_text_item(text, NULL);
    vvi_text_open(text, '{');
    vvi_text_item(text, "resource");
    vvi_text_open(text, '{');
    write_attributes(text, &name, 1);
    vvi_text_close(text, '}');
    vvi_text_item(text, scopes);
    vvi_text_open(text, '[');
}

static void end_document(vvi_text *text)
{
    vvi_text_close(text, ']');
    vvi_text_close(text, '}');
    vvi_text_close(text, ']');
    vvi_text_close(text, '}');
    vvi_text_put(text, "\n");
}

/* {"scope": …, "X": [ */
static void begin_scope(vvi_text *text, const char *scope, const char *things)
{
    vvi_text_item(text, NULL);
    vvi_text_open(text, '{');
    vvi_text_item(text, "scope");
    vvi_text_open(text, '{');
    vvi_text_member(text, "name", scope);
    vvi_text_member(text, "version", vv_version());
    vvi_text_close(text, '}');
    vvi_text_item(text, things);
    vvi_text_open(text, '[');
}

static void end_scope(vvi_text *text)
{
    vvi_text_close(text, ']');
    vvi_text_close(text, '}');
}

/* ---- metrics ------------------------------------------------------------------------------------- */

static void write_histogram(vvi_text *text, const vvi_instrument_def *def,
                            const vvi_point *point)
{
    write_integer(text, "count", point->count);
    vvi_text_item(text, "sum");
    vvi_text_number(text, point->sum);
    vvi_text_item(text, "min");
    vvi_text_number(text, point->min);
    vvi_text_item(text, "max");
    vvi_text_number(text, point->max);
    vvi_text_item(text, "bucketCounts");
    vvi_text_open(text, '[');
    for (size_t i = 0; i <= def->bound_count; i++)
        write_integer(text, NULL, point->buckets[i]);
    vvi_text_close(text, ']');
    vvi_text_item(text, "explicitBounds");
    vvi_text_open(text, '[');
    for (size_t i = 0; i < def->bound_count; i++) {
        vvi_text_item(text, NULL);
        vvi_text_number(text, def->bounds[i]);
    }
    vvi_text_close(text, ']');
}

static void write_point(vvi_text *text, const vvi_point *point, uint64_t since_ns,
                        uint64_t now_ns)
{
    vv_attribute attributes[VVI_POINT_ATTRIBUTES];
    const vvi_instrument_def *def = vvi_point_instrument(point->key - 1);
    size_t n = vvi_point_attributes(point->key - 1, attributes);

    vvi_text_item(text, NULL);
    vvi_text_open(text, '{');
    write_attributes(text, attributes, n);
    write_integer(text, "startTimeUnixNano", since_ns);
    write_integer(text, "timeUnixNano", now_ns);
    if (def->kind == VV_COUNTER)
        write_integer(text, "asInt", (uint64_t)point->sum);
    else
        write_histogram(text, def, point);
    vvi_text_close(text, '}');
}

/* The points of one instrument, n of them. */
static void write_metric(vvi_text *text, const vvi_point *points, size_t n,
                         uint64_t since_ns, uint64_t now_ns)
{
    const vvi_instrument_def *def = vvi_point_instrument(points->key - 1);

    vvi_text_item(text, NULL);
    vvi_text_open(text, '{');
    vvi_text_member(text, "name", def->name);
    vvi_text_member(text, "description", def->help);
    vvi_text_member(text, "unit", def->unit);
    vvi_text_item(text, def->kind == VV_COUNTER ? "sum" : "histogram");
    vvi_text_open(text, '{');
    vvi_text_item(text, "aggregationTemporality");
    vvi_text_put(text, "%d", AGGREGATION_CUMULATIVE);
    if (def->kind == VV_COUNTER) {
        vvi_text_item(text, "isMonotonic");
        vvi_text_put(text, "true");
    }
    vvi_text_item(text, "dataPoints");
    vvi_text_open(text, '[');
    for (size_t i = 0; i < n; i++)
        write_point(text, &points[i], since_ns, now_ns);
    vvi_text_close(text, ']');
    vvi_text_close(text, '}');
    vvi_text_close(text, '}');
}

static bool is_theirs(const vvi_point *point)
{
    return strncmp(vvi_point_instrument(point->key - 1)->name, scope_theirs,
                   sizeof(scope_theirs) - 1) == 0;
}

static void write_metrics_scope(vvi_text *text, bool theirs, const vvi_point *points,
                                size_t n, uint64_t since_ns)
{
    uint64_t now_ns = vvi_wall_ns();
    size_t end;

    begin_scope(text, theirs ? scope_theirs : scope_ours, "metrics");
    for (size_t i = 0; i < n; i = end) {
        for (end = i + 1; end < n && vvi_point_instrument(points[end].key - 1) ==
                                         vvi_point_instrument(points[i].key - 1);)
            end++;
        if (is_theirs(&points[i]) == theirs)
            write_metric(text, points + i, end - i, since_ns, now_ns);
    }
    end_scope(text);
}

static vv_status write_metrics(vvi_text *text, const char *service, vv_error *err)
{
    uint64_t since_ns;
    size_t n;
    vvi_point *points = vvi_points(&n, &since_ns);

    if (!points)
        return vvi_fail_nomem(err, sizeof(*points));
    begin_document(text, "resourceMetrics", "scopeMetrics", service);
    write_metrics_scope(text, true, points, n, since_ns);
    write_metrics_scope(text, false, points, n, since_ns);
    end_document(text);
    vvi_free(points);
    return text->status;
}

/* ---- traces ---------------------------------------------------------------------------------------- */

static void write_id(vvi_text *text, const char *name, const uint8_t *id, size_t len)
{
    vvi_text_item(text, name);
    vvi_text_put(text, "\"");
    for (size_t i = 0; i < len; i++)
        vvi_text_put(text, "%02x", id[i]);
    vvi_text_put(text, "\"");
}

static void write_exception(vvi_text *text, const vv_span *span)
{
    vv_attribute what = { .name = "exception.type",
                          .kind = VV_ATTRIBUTE_TEXT,
                          .text = vv_status_name(span->exception) };

    vvi_text_item(text, "events");
    vvi_text_open(text, '[');
    vvi_text_item(text, NULL);
    vvi_text_open(text, '{');
    vvi_text_member(text, "name", "exception");
    write_integer(text, "timeUnixNano", span->end_ns);
    write_attributes(text, &what, 1);
    vvi_text_close(text, '}');
    vvi_text_close(text, ']');
}

static void write_span(vvi_text *text, const vv_span *span)
{
    static const uint8_t none[8];

    vvi_text_item(text, NULL);
    vvi_text_open(text, '{');
    write_id(text, "traceId", span->trace_id, sizeof(span->trace_id));
    write_id(text, "spanId", span->span_id, sizeof(span->span_id));
    if (memcmp(span->parent_id, none, sizeof(none)) != 0)
        write_id(text, "parentSpanId", span->parent_id, sizeof(span->parent_id));
    vvi_text_member(text, "name", span->name);
    vvi_text_item(text, "kind");
    vvi_text_put(text, "%d",
                 strcmp(span->name, "py_hamt.cas.load") == 0 ? SPAN_KIND_CLIENT
                                                             : SPAN_KIND_INTERNAL);
    write_integer(text, "startTimeUnixNano", span->start_ns);
    write_integer(text, "endTimeUnixNano", span->end_ns);
    write_attributes(text, span->attributes, span->attribute_count);
    if (span->exception)
        write_exception(text, span);
    vvi_text_item(text, "status");
    vvi_text_open(text, '{');
    if (span->failed) {
        vvi_text_item(text, "code");
        vvi_text_put(text, "%d", STATUS_ERROR);
        vvi_text_member(text, "message", span->message);
    }
    vvi_text_close(text, '}');
    vvi_text_close(text, '}');
}

static vv_status write_traces(vvi_text *text, const char *service)
{
    vvi_kept_span *spans = vvi_kept_take();

    begin_document(text, "resourceSpans", "scopeSpans", service);
    begin_scope(text, scope_theirs, "spans");
    for (const vvi_kept_span *one = spans; one; one = one->next)
        write_span(text, &one->span);
    end_scope(text);
    end_document(text);
    if (text->status)
        vvi_kept_give_back(spans);
    else
        vvi_kept_free(spans);
    return text->status;
}

vv_status vv_metrics_otlp(vv_otlp_signal signal, const char *service, vv_buf *out,
                          vv_error *err)
{
    vvi_text text = { .err = err };
    vv_status status = signal == VV_OTLP_METRICS ? write_metrics(&text, service, err)
                                                 : write_traces(&text, service);

    if (status) {
        vv_buf_clear(&text.out);
        return status;
    }
    return vvi_text_end(&text, out);
}
