/* What was counted, as py-hamt's snapshot shows it. */
#include "metrics/registry.h"
#include "metrics/text.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <stdlib.h>

#define CIDS_SHOWN 20
#define KEYS_SHOWN 50

static void number_member(vvi_text *text, const char *name, double value)
{
    vvi_text_item(text, name);
    vvi_text_number(text, value);
}

static vvi_tally **sorted(vvi_text *text, const vvi_tally_table *table)
{
    vvi_tally **all = vvi_tally_sorted(table);

    if (!all && table->count && !text->status)
        text->status = vvi_fail_nomem(text->err, table->count * sizeof(vvi_tally *));
    return all;
}

static void write_totals(vvi_text *text, const char *name, const vvi_tally_table *table)
{
    vvi_tally **all = sorted(text, table);

    vvi_text_item(text, name);
    vvi_text_open(text, '{');
    for (size_t i = 0; all && i < table->count; i++)
        number_member(text, all[i]->name, all[i]->total);
    vvi_text_close(text, '}');
    vvi_free(all);
}

static void write_distribution(vvi_text *text, vvi_tally *tally)
{
    vv_distribution d;

    vv_metrics_distribution(tally->samples, tally->sample_count, tally->total,
                            tally->count, &d);
    vvi_text_item(text, tally->name);
    vvi_text_open(text, '{');
    number_member(text, "count", (double)d.count);
    if (d.count) {
        number_member(text, "avg", d.average);
        number_member(text, "sample_count", (double)d.sample_count);
    }
    if (d.count && d.sample_count) {
        number_member(text, "min", d.min);
        number_member(text, "p50", d.p50);
        number_member(text, "p95", d.p95);
        number_member(text, "p99", d.p99);
        number_member(text, "max", d.max);
    }
    vvi_text_close(text, '}');
}

static void write_distributions(vvi_text *text, const char *name,
                                const vvi_tally_table *table)
{
    vvi_tally **all = sorted(text, table);

    vvi_text_item(text, name);
    vvi_text_open(text, '{');
    for (size_t i = 0; all && i < table->count; i++)
        write_distribution(text, all[i]);
    vvi_text_close(text, '}');
    vvi_free(all);
}

/* Most first; those with equal counts in the order of first sight. */
static int compare_counts(const void *a, const void *b)
{
    const vvi_tally *x = *(vvi_tally *const *)a;
    const vvi_tally *y = *(vvi_tally *const *)b;

    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

static void write_top(vvi_text *text, const char *name, const vvi_tally_table *table,
                      size_t shown)
{
    vvi_tally **all = sorted(text, table);

    if (all)
        qsort(all, table->count, sizeof(vvi_tally *), compare_counts);
    vvi_text_item(text, name);
    vvi_text_open(text, '[');
    for (size_t i = 0; all && i < table->count && i < shown; i++) {
        vvi_text_item(text, NULL);
        vvi_text_open(text, '[');
        vvi_text_item(text, NULL);
        vvi_text_string(text, vvi_bytes(all[i]->name, all[i]->len));
        vvi_text_item(text, NULL);
        vvi_text_number(text, (double)all[i]->count);
        vvi_text_close(text, ']');
    }
    vvi_text_close(text, ']');
    vvi_free(all);
}

static void write_snapshot(vvi_text *text, const vvi_counted *counted)
{
    uint64_t repeated = 0;

    for (size_t i = 0; i < counted->asked[VVI_ASKED_CIDS].capacity; i++) {
        const vvi_tally *one = counted->asked[VVI_ASKED_CIDS].slots[i];

        repeated += one ? one->count - 1 : 0;
    }
    vvi_text_open(text, '{');
    vvi_text_item(text, "enabled");
    vvi_text_put(text, "true");
    vvi_text_item(text, "label");
    if (counted->label.data)
        vvi_text_string(text, vvi_buf_bytes(&counted->label));
    else
        vvi_text_put(text, "null");
    number_member(text, "elapsed_seconds", counted->elapsed_seconds);
    write_totals(text, "counters", &counted->counters);
    write_totals(text, "bytes", &counted->bytes);
    write_distributions(text, "timings", &counted->times);
    write_distributions(text, "values", &counted->values);
    number_member(text, "cas_load_unique_cids",
                  (double)counted->asked[VVI_ASKED_CIDS].count);
    number_member(text, "cas_load_duplicate_requests", (double)repeated);
    write_top(text, "cas_load_top_cids", &counted->asked[VVI_ASKED_CIDS], CIDS_SHOWN);
    write_top(text, "zarr_top_keys", &counted->asked[VVI_ASKED_KEYS], KEYS_SHOWN);
    number_member(text, "max_inflight_cas_loads", (double)counted->max_inflight);
    number_member(text, "sample_limit", (double)counted->sample_limit);
    vvi_text_close(text, '}');
    vvi_text_put(text, "\n");
}

vv_status vv_metrics_snapshot(vv_buf *out, vv_error *err)
{
    vvi_text text = { .err = err };
    vvi_counted counted;

    if (!vvi_metrics_counting()) {
        vvi_text_put(&text, "{}\n");
        return vvi_text_end(&text, out);
    }
    text.status = vvi_counted_gather(&counted, err);
    if (!text.status)
        write_snapshot(&text, &counted);
    vvi_counted_clear(&counted);
    return vvi_text_end(&text, out);
}
