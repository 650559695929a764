/* The instruments in Prometheus' text exposition format, version 0.0.4. */
#include "metrics/instruments.h"
#include "metrics/text.h"

#include "util/alloc.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX 128

/* A name of letters, digits and "_"; counters end in _total, what is timed in _seconds and what is counted in
 * bytes in _bytes before that. */
static void metric_name(const vvi_instrument_def *def, char out[NAME_MAX])
{
    size_t len = strlen(def->name);
    const char *unit = "";

    if (strcmp(def->unit, "s") == 0)
        unit = "_seconds";
    else if (strcmp(def->unit, "By") == 0 && strcmp(def->name + len - 5, "bytes") != 0)
        unit = "_bytes";
    snprintf(out, NAME_MAX, "%s%s%s", def->name, unit,
             def->kind == VV_COUNTER ? "_total" : "");
    for (char *c = out; *c; c++)
        if (*c == '.')
            *c = '_';
}

/* name="value",…; le: one more label, or NULL. Values are ours: nothing in them is to be escaped. */
static void write_labels(vvi_text *text, uint32_t key, const double *le, bool is_inf)
{
    vv_attribute attributes[VVI_POINT_ATTRIBUTES];
    size_t n = vvi_point_attributes(key, attributes);
    const char *separator = "{";

    for (size_t i = 0; i < n; i++, separator = ",") {
        char name[NAME_MAX];

        snprintf(name, sizeof(name), "%s", attributes[i].name);
        for (char *c = name; *c; c++)
            if (*c == '.')
                *c = '_';
        vvi_text_put(text, "%s%s=\"%s\"", separator, name,
                     attributes[i].kind == VV_ATTRIBUTE_TEXT ? attributes[i].text
                     : attributes[i].integer                 ? "true"
                                                             : "false");
    }
    if (le || is_inf) {
        vvi_text_put(text, "%sle=\"", separator);
        if (is_inf)
            vvi_text_put(text, "+Inf");
        else
            vvi_text_number(text, *le);
        vvi_text_put(text, "\"");
    }
    vvi_text_put(text, n || le || is_inf ? "} " : " ");
}

static void write_value(vvi_text *text, double value)
{
    vvi_text_number(text, value);
    vvi_text_put(text, "\n");
}

static void write_histogram(vvi_text *text, const char *name, const vvi_point *point)
{
    const vvi_instrument_def *def = vvi_point_instrument(point->key - 1);
    uint64_t below = 0;

    for (size_t i = 0; i <= def->bound_count; i++) {
        bool is_last = i == def->bound_count;

        below += point->buckets[i];
        vvi_text_put(text, "%s_bucket", name);
        write_labels(text, point->key - 1, is_last ? NULL : &def->bounds[i], is_last);
        write_value(text, (double)below);
    }
    vvi_text_put(text, "%s_sum", name);
    write_labels(text, point->key - 1, NULL, false);
    write_value(text, point->sum);
    vvi_text_put(text, "%s_count", name);
    write_labels(text, point->key - 1, NULL, false);
    write_value(text, (double)point->count);
}

vv_status vv_metrics_prometheus(vv_buf *out, vv_error *err)
{
    vvi_text text = { .err = err };
    const vvi_instrument_def *last = NULL;
    uint64_t since_ns;
    size_t n;
    vvi_point *points = vvi_points(&n, &since_ns);

    if (!points)
        return vvi_fail_nomem(err, sizeof(*points));
    vvi_text_put(&text, "# varvite %s\n", vv_version());
    for (size_t i = 0; i < n; i++) {
        const vvi_instrument_def *def = vvi_point_instrument(points[i].key - 1);
        char name[NAME_MAX];

        metric_name(def, name);
        if (def != last)
            vvi_text_put(&text, "# HELP %s %s\n# TYPE %s %s\n", name, def->help, name,
                         def->kind == VV_COUNTER ? "counter" : "histogram");
        last = def;
        if (def->kind == VV_HISTOGRAM) {
            write_histogram(&text, name, &points[i]);
            continue;
        }
        vvi_text_put(&text, "%s", name);
        write_labels(&text, points[i].key - 1, NULL, false);
        write_value(&text, points[i].sum);
    }
    vvi_free(points);
    return vvi_text_end(&text, out);
}
