#include "metrics/span.h"

#include "util/alloc.h"
#include "util/thread.h"

#include <string.h>
#include <unistd.h>

/* The thread's innermost span that others begin below. */
static _Thread_local vvi_span *current;

/* ---- kept spans ---------------------------------------------------------------------------------- */

static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;
static vvi_kept_span *kept, **kept_end = &kept; /* guarded by kept_lock, as all below */
static size_t kept_count, kept_limit;

void vvi_kept_lock(void)
{
    pthread_mutex_lock(&kept_lock);
}

void vvi_kept_unlock(void)
{
    pthread_mutex_unlock(&kept_lock);
}

void vvi_kept_free(vvi_kept_span *spans)
{
    for (vvi_kept_span *next; spans; spans = next) {
        next = spans->next;
        vvi_free(spans);
    }
}

vvi_kept_span *vvi_kept_take(void)
{
    vvi_kept_span *all;

    vvi_kept_lock();
    all = kept;
    kept = NULL;
    kept_end = &kept;
    kept_count = 0;
    vvi_kept_unlock();
    return all;
}

void vvi_kept_give_back(vvi_kept_span *spans)
{
    vvi_kept_span *last = spans;
    size_t n = spans ? 1 : 0;

    if (!spans)
        return;
    for (; last->next; last = last->next)
        n++;
    vvi_kept_lock();
    last->next = kept;
    if (!kept)
        kept_end = &last->next;
    kept = spans;
    kept_count += n;
    vvi_kept_unlock();
}

void vvi_kept_reset(void)
{
    vvi_kept_free(vvi_kept_take());
}

void vv_metrics_keep_spans(size_t limit)
{
    vvi_metrics_begin();
    vvi_kept_lock();
    kept_limit = limit;
    if (limit)
        atomic_fetch_or(&vvi_metrics_state, VVI_METRICS_KEEPING);
    else
        atomic_fetch_and(&vvi_metrics_state, ~VVI_METRICS_KEEPING);
    vvi_kept_unlock();
    if (!limit)
        vvi_kept_reset();
}

static size_t text_bytes(const vvi_span_facts *facts)
{
    size_t bytes = 0;

    for (size_t i = 0; i < facts->count; i++)
        if (facts->attributes[i].text)
            bytes += strlen(facts->attributes[i].text) + 1;
    return bytes;
}

/* Behind what is there; *texts is where texts go. An attribute that is there already takes the new value. */
static void copy_facts(vvi_kept_span *to, const vvi_span_facts *facts, char **texts)
{
    for (size_t i = 0; i < facts->count; i++) {
        const vv_attribute *from = &facts->attributes[i];
        size_t k = 0;

        while (k < to->attribute_count && strcmp(to->attributes[k].name, from->name) != 0)
            k++;
        if (k == to->attribute_count)
            to->attribute_count++;
        to->attributes[k] = *from;
        if (!from->text)
            continue;
        to->attributes[k].text = strcpy(*texts, from->text);
        *texts += strlen(*texts) + 1;
    }
}

static bool keep(const vv_span *span, const vvi_span_facts *start,
                 const vvi_span_facts *end)
{
    size_t count = start->count + end->count;
    vvi_kept_span *one = vvi_alloc_zero(sizeof(*one) + count * sizeof(vv_attribute) +
                                        text_bytes(start) + text_bytes(end) +
                                        strlen(end->message) + 1);
    char *texts;
    bool fits;

    if (!one)
        return false;
    one->span = *span;
    texts = (char *)(one->attributes + count);
    copy_facts(one, start, &texts);
    copy_facts(one, end, &texts);
    one->span.attributes = one->attributes;
    one->span.attribute_count = one->attribute_count;
    one->span.message = strcpy(texts, end->message);
    vvi_kept_lock();
    fits = kept_count < kept_limit;
    if (fits) {
        *kept_end = one;
        kept_end = &one->next;
        kept_count++;
    }
    vvi_kept_unlock();
    if (!fits)
        vvi_free(one);
    return fits;
}

static bool is_keeping(void)
{
    return atomic_load_explicit(&vvi_metrics_state, memory_order_relaxed) &
           VVI_METRICS_KEEPING;
}

/* ---- spans ---------------------------------------------------------------------------------------- */

/* Eight bytes that no other span of any process is likely to have (SplitMix64 from a start of this process;
 * a fork's child begins at another). */
static void put_id(uint8_t out[8])
{
    static atomic_uint_least64_t next;
    uint64_t at = atomic_fetch_add(&next, 0x9E3779B97F4A7C15u);
    uint64_t id;

    if (at == 0) {
        at = vvi_wall_ns() * 0xBF58476D1CE4E5B9u ^ (uint64_t)(uintptr_t)&id;
        atomic_fetch_add(&next, at);
    }
    id = at ^ (uint64_t)getpid() << 40;
    id = (id ^ id >> 30) * 0xBF58476D1CE4E5B9u;
    id = (id ^ id >> 27) * 0x94D049BB133111EBu;
    id ^= id >> 31;
    id = id ? id : 1; /* all zero is no identifier */
    memcpy(out, &id, sizeof(id));
}

static void describe(const vvi_span *span, const char *name, vv_span *out)
{
    *out = (vv_span){ .struct_size = sizeof(*out),
                      .name = name,
                      .start_ns = span->start_ns,
                      .message = "" };
    memcpy(out->trace_id, span->trace_id, sizeof(out->trace_id));
    memcpy(out->span_id, span->span_id, sizeof(out->span_id));
    memcpy(out->parent_id, span->parent_id, sizeof(out->parent_id));
}

void vvi_span_begin(vvi_span *span, const char *name, const vvi_span_facts *facts,
                    bool is_alone)
{
    vv_span what;

    memset(span, 0, sizeof(*span));
    span->outer = current;
    span->is_live = vvi_sink_is_there() || is_keeping();
    if (!span->is_live)
        return;
    span->start_ns = vvi_wall_ns();
    put_id(span->span_id);
    if (current) {
        memcpy(span->parent_id, current->span_id, sizeof(span->parent_id));
        memcpy(span->trace_id, current->trace_id, sizeof(span->trace_id));
    } else {
        put_id(span->trace_id);
        put_id(span->trace_id + 8);
    }
    if (is_alone)
        current = span;
    describe(span, name, &what);
    what.attributes = facts->attributes;
    what.attribute_count = facts->count;
    vvi_sink_span_start(span, &what);
}

void vvi_span_end(vvi_span *span, const char *name, const vvi_span_facts *start,
                  const vvi_span_facts *end, bool is_alone)
{
    vv_span what;

    if (!span->is_live)
        return;
    if (is_alone)
        current = span->outer;
    describe(span, name, &what);
    what.end_ns = vvi_wall_ns();
    if (what.end_ns < what.start_ns) /* the clock was set back */
        what.end_ns = what.start_ns;
    what.attributes = end->attributes;
    what.attribute_count = end->count;
    what.failed = end->failed;
    what.message = end->message;
    what.exception = end->exception;
    vvi_sink_span_end(span, &what);
    if (is_keeping() && !keep(&what, start, end) && vvi_metrics_counting())
        vvi_count("varvite.spans_dropped", 1);
}
