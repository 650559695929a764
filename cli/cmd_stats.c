#include "describe.h"
#include "out.h"
#include "progress.h"
#include "stores.h"

#include <varvite/stats.h>

#include <inttypes.h>
#include <langinfo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BAR_MAX    40
#define VALUE_BINS 24

typedef struct stats_call {
    cli_call *call;
    vv_store *store;
    vv_stats_options options;
    cli_progress progress;
    size_t printed;
} stats_call;

/* ---- numbers ------------------------------------------------------------------------------- */

#define NUMBER_MAX 64

/* For people: enough digits to compare, few enough to read. */
static const char *short_text(double number, char out[NUMBER_MAX])
{
    snprintf(out, NUMBER_MAX, "%.8g", number);
    return out;
}

static bool is_time(vv_dtype dtype)
{
    return dtype == VV_DATETIME64 || dtype == VV_TIMEDELTA64;
}

/* The least or greatest: as it is stored, or decoded where that is something else. */
static const char *extreme_text(const vv_array *array, const vv_stats *stats,
                                const uint8_t *element, double decoded,
                                char out[NUMBER_MAX])
{
    if ((stats->packed && !is_time(stats->dtype)) || isnan(decoded))
        return short_text(decoded, out);
    vv_array_element_format(array, element, out, NUMBER_MAX);
    return out;
}

static void json_double(const char *key, double number)
{
    char text[NUMBER_MAX];

    if (!isfinite(number)) {
        json_text(key, NULL);
        return;
    }
    vv_element_format(VV_FLOAT64, &number, text, sizeof(text));
    json_raw(key, text, strlen(text));
}

static void json_extreme(const char *key, const vv_array *array, const vv_stats *stats,
                         const uint8_t *element, double decoded)
{
    char text[NUMBER_MAX];

    if (is_time(stats->dtype) && isfinite(decoded)) {
        vv_array_element_format(array, element, text, sizeof(text));
        json_text(key, text);
        return;
    }
    if (stats->packed || !isfinite(decoded)) {
        json_double(key, decoded);
        return;
    }
    vv_element_format(stats->dtype, element, text, sizeof(text));
    json_raw(key, text, strlen(text));
}

static double ratio_of(const vv_stats *stats)
{
    return stats->stored_bytes
               ? (double)stats->decoded_bytes / (double)stats->stored_bytes
               : (double)NAN;
}

/* ---- text ---------------------------------------------------------------------------------- */

static void print_bar(uint64_t count, uint64_t most)
{
    bool unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    uint64_t len = most ? (uint64_t)ceil((double)count / (double)most * BAR_MAX) : 0;

    out_text(len ? "  " : "");
    for (uint64_t i = 0; i < len; i++)
        out_text(unicode ? "█" : "#");
    out_text("\n");
}

static void print_chunk_sizes(const vv_stats *stats)
{
    unsigned first = 0, last = 63;
    uint64_t most = 0;

    while (!stats->chunk_sizes[first])
        first++;
    while (!stats->chunk_sizes[last])
        last--;
    for (unsigned i = first; i <= last; i++)
        most = stats->chunk_sizes[i] > most ? stats->chunk_sizes[i] : most;
    for (unsigned i = first; i <= last; i++) {
        out_format("%16s+%9" PRIu64, cli_bytes_text(i ? (uint64_t)1 << i : 0),
                   stats->chunk_sizes[i]);
        print_bar(stats->chunk_sizes[i], most);
    }
}

static void print_values(const vv_stats *stats)
{
    uint64_t most = 0;
    char text[NUMBER_MAX];

    out_text(stats->bins ? "    values from\n" : "");
    for (uint32_t i = 0; i < stats->bins; i++)
        most = stats->bin_counts[i] > most ? stats->bin_counts[i] : most;
    for (uint32_t i = 0; i < stats->bins; i++) {
        out_format("%16s %9" PRIu64,
                   short_text(stats->bin_low + i * stats->bin_width, text),
                   stats->bin_counts[i]);
        print_bar(stats->bin_counts[i], most);
    }
}

static void print_texts(const vv_stats *stats)
{
    bool text = stats->dtype == VV_STRING || stats->dtype == VV_FIXED_UTF32;
    bool many = stats->distinct > VV_STATS_DISTINCT_MAX;

    if (!stats->elements)
        return;
    out_format("    length   %" PRIu64, stats->shortest);
    if (stats->longest != stats->shortest)
        out_format(" to %" PRIu64, stats->longest);
    out_format(" %s", text ? "character" : "byte");
    out_text(stats->longest == 1 ? "\n" : "s\n");
    out_format("    distinct %s%" PRIu64 "\n", many ? "more than " : "",
               many ? (uint64_t)VV_STATS_DISTINCT_MAX : stats->distinct);
    if (stats->empty)
        out_format("    empty    %" PRIu64 "\n", stats->empty);
}

static void print_numbers(const vv_array *array, const vv_stats *stats, bool complex)
{
    char text[NUMBER_MAX];

    if (!complex) {
        out_format("    min      %s\n",
                   extreme_text(array, stats, stats->min_element, stats->min, text));
        out_format("    max      %s\n",
                   extreme_text(array, stats, stats->max_element, stats->max, text));
    }
    if (is_time(stats->dtype))
        return;
    out_format("    mean     %s", short_text(stats->mean, text));
    if (complex)
        out_format("%s%sj", stats->mean_imaginary < 0 ? "" : "+",
                   short_text(stats->mean_imaginary, text));
    out_format("\n    stddev   %s\n", short_text(stats->stddev, text));
}

static void print_stats(const vv_array *array, const vv_stats *stats)
{
    bool complex = stats->dtype == VV_COMPLEX64 || stats->dtype == VV_COMPLEX128;
    char text[NUMBER_MAX];

    if (stats->has_lengths)
        print_texts(stats);
    else if (stats->count > stats->infinite)
        print_numbers(array, stats, complex);
    out_format("    count    %" PRIu64 "\n    missing  %" PRIu64, stats->count,
               stats->missing);
    if (stats->missing)
        out_format(" of %" PRIu64 " (%.1f%%%s)", stats->elements,
                   100 * (double)stats->missing / (double)stats->elements,
                   stats->nan == stats->missing ? ", all NaN"
                   : stats->nan                 ? ", some NaN"
                                                : "");
    if (stats->infinite)
        out_format("\n    infinite %" PRIu64, stats->infinite);
    if (stats->packed) {
        out_format("\n    packed   times %s", short_text(stats->scale, text));
        out_format(", plus %s", short_text(stats->offset, text));
    }
    out_format("\n    stored   %s of %s", cli_bytes_text(stats->stored_bytes),
               cli_bytes_text(stats->decoded_bytes));
    if (stats->stored_bytes)
        out_format(" (ratio %.2f)", ratio_of(stats));
    out_format("\n    chunks   %s stored", cli_count_text(stats->chunks_stored, "chunk"));
    if (stats->chunks > stats->chunks_stored)
        out_format(", %" PRIu64 " absent", stats->chunks - stats->chunks_stored);
    if (stats->chunks_stored > 1) {
        bool equal = stats->smallest_chunk == stats->largest_chunk;
        out_format(", of %s%s%s\n", cli_bytes_text(stats->smallest_chunk),
                   equal ? " each" : " to ",
                   equal ? "" : cli_bytes_text(stats->largest_chunk));
        print_chunk_sizes(stats);
    } else {
        out_text("\n");
    }
    print_values(stats);
}

static void print_head(cli_call *call, const vv_array *array, const vv_array_meta *meta)
{
    char *units = attribute_text(meta->attributes, "units");

    out_text(cli_color(call->color_out, "bold"));
    out_name(vv_array_path(array));
    out_text(cli_color(call->color_out, "off"));
    out_text(" ");
    print_dimensions(meta);
    out_format(" %s", vv_dtype_name(meta->dtype));
    if (units) {
        out_text(", ");
        out_name(units);
    }
    out_text("\n");
    free(units);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void json_chunk_sizes(const vv_stats *stats)
{
    json_list("chunk_sizes");
    for (unsigned i = 0; i < 64; i++) {
        if (!stats->chunk_sizes[i])
            continue;
        json_row(NULL); /* from so many bytes on, so many chunks */
        json_uint(NULL, i ? (uint64_t)1 << i : 0);
        json_uint(NULL, stats->chunk_sizes[i]);
        json_end();
    }
    json_end();
}

static void json_texts(const vv_stats *stats)
{
    bool many = stats->distinct > VV_STATS_DISTINCT_MAX;

    if (stats->elements) {
        json_uint("shortest", stats->shortest);
        json_uint("longest", stats->longest);
    }
    json_uint("empty", stats->empty);
    json_uint(many ? "distinct_more_than" : "distinct",
              many ? (uint64_t)VV_STATS_DISTINCT_MAX : stats->distinct);
}

static void json_numbers(const vv_array *array, const vv_stats *stats)
{
    json_extreme("min", array, stats, stats->min_element, stats->min);
    json_extreme("max", array, stats, stats->max_element, stats->max);
    json_double("mean", stats->mean);
    if (stats->dtype == VV_COMPLEX64 || stats->dtype == VV_COMPLEX128)
        json_double("mean_imaginary", stats->mean_imaginary);
    json_double("stddev", stats->stddev);
}

static void json_stats(const vv_array *array, const vv_stats *stats)
{
    if (stats->has_lengths)
        json_texts(stats);
    else
        json_numbers(array, stats);
    json_uint("elements", stats->elements);
    json_uint("count", stats->count);
    json_uint("missing", stats->missing);
    json_uint("nan", stats->nan);
    json_uint("infinite", stats->infinite);
    json_bool("packed", stats->packed);
    if (stats->packed) {
        json_double("scale", stats->scale);
        json_double("offset", stats->offset);
    }
    json_uint("decoded_bytes", stats->decoded_bytes);
    json_uint("stored_bytes", stats->stored_bytes);
    json_double("ratio", ratio_of(stats));
    json_uint("chunk_count", stats->chunks);
    json_uint("chunks_stored", stats->chunks_stored);
    json_uint("smallest_chunk", stats->smallest_chunk);
    json_uint("largest_chunk", stats->largest_chunk);
    json_chunk_sizes(stats);
    if (!stats->bins)
        return;
    json_double("bin_low", stats->bin_low);
    json_double("bin_width", stats->bin_width);
    json_uints("bin_counts", stats->bin_counts, stats->bins);
}

static void json_head(const vv_array *array, const vv_array_meta *meta)
{
    char *units = attribute_text(meta->attributes, "units");

    json_text("path", vv_array_path(array));
    json_array_shape(meta);
    if (units)
        json_text("units", units);
    free(units);
}

/* ---- arrays -------------------------------------------------------------------------------- */

/* An array below a group that was named, or all: what it holds, or why that cannot be told. */
static vv_status say_why_not(stats_call *self, const char *path)
{
    cli_call *call = self->call;

    if (call->json) {
        json_object(NULL);
        json_text("path", path);
        json_text("error", call->err.message);
        json_end();
        return VV_OK;
    }
    out_text(self->printed++ ? "\n" : "");
    out_name(path);
    out_text("\n    no statistics: ");
    out_name(call->err.message);
    out_text("\n");
    return VV_OK;
}

static vv_status look_at(stats_call *self, const char *path, bool named)
{
    cli_call *call = self->call;
    vv_stats stats = VV_STATS_INIT;
    vv_array *array = NULL;

    vv_status status = vv_array_open(self->store, path, &array, &call->err);
    if (!status) {
        progress_begin(&self->progress, call, "stats");
        status = vv_array_stats(array, &self->options, &stats, &call->err);
        progress_hide();
    }
    if (status == VV_EUNSUPPORTED && !named) {
        vv_array_free(array);
        return say_why_not(self, path);
    }
    if (status) {
        vv_array_free(array);
        return status;
    }
    const vv_array_meta *meta = vv_array_get_meta(array);
    if (call->json) {
        json_object(NULL);
        json_head(array, meta);
        json_stats(array, &stats);
        json_end();
    } else {
        out_text(self->printed++ ? "\n" : "");
        print_head(call, array, meta);
        print_stats(array, &stats);
    }
    vv_array_free(array);
    return out_failed() ? VV_ECANCELED : VV_OK;
}

/* An array, or all arrays below a group. */
static vv_status look_below(stats_call *self, const char *given)
{
    char *copy = cli_strdup(given);
    char *path = cli_trim_slashes(copy);
    cli_nodes nodes = { NULL, 0, 0 };

    vv_status status = cli_nodes_read(self->call, self->store, path, true, &nodes);
    for (size_t i = 0; i < nodes.count && !status; i++) {
        if (nodes.items[i].kind == VV_NODE_ARRAY)
            status = look_at(self, nodes.items[i].path,
                             strcmp(nodes.items[i].path, path) == 0);
    }
    cli_nodes_clear(&nodes);
    free(copy);
    return status;
}

static vv_status read_options(stats_call *self)
{
    cli_call *call = self->call;
    uint64_t threads;

    self->options = VV_STATS_OPTIONS_INIT;
    vv_status status = cli_number(call, "threads", 0, 1024, &threads);
    if (!status)
        status = cli_size(call, "memory", 0, &self->options.memory_bytes);
    self->options.threads = (uint32_t)threads;
    self->options.bins = cli_has(call, "histogram") ? VALUE_BINS : 0;
    self->options.progress = progress_tick;
    self->options.ctx = &self->progress;
    return status;
}

vv_status cmd_stats(cli_call *call)
{
    stats_call self = { .call = call };
    size_t i = 1;

    vv_status status = read_options(&self);
    if (!status)
        status = cli_open_root(call, call->args[0], &self.store);
    if (!status && call->json)
        json_list(NULL);
    do {
        if (!status)
            status = look_below(&self, i < call->arg_count ? call->args[i] : "");
    } while (++i < call->arg_count);
    if (self.store && call->json)
        json_end();
    vv_store_free(self.store);
    return status;
}
