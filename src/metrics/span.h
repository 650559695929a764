/* Spans: begun, ended, told to the sink and kept. */
#ifndef VVI_METRICS_SPAN_H
#define VVI_METRICS_SPAN_H

#include "metrics/state.h"

#define VVI_SPAN_ATTRIBUTES 12

/* What is known of a span at one of its ends. */
typedef struct vvi_span_facts {
    vv_attribute attributes[VVI_SPAN_ATTRIBUTES];
    size_t count;
    bool failed;
    const char *message;
    vv_status exception;
} vvi_span_facts;

static inline void vvi_fact_text(vvi_span_facts *facts, const char *name,
                                 const char *text)
{
    facts->attributes[facts->count++] = (vv_attribute){ name, VV_ATTRIBUTE_TEXT, text,
                                                        0 };
}
static inline void vvi_fact_bool(vvi_span_facts *facts, const char *name, bool value)
{
    facts->attributes[facts->count++] = (vv_attribute){ name, VV_ATTRIBUTE_BOOL, NULL,
                                                        value };
}
static inline void vvi_fact_number(vvi_span_facts *facts, const char *name,
                                   uint64_t value)
{
    facts->attributes[facts->count++] = (vv_attribute){ name, VV_ATTRIBUTE_INTEGER, NULL,
                                                        (int64_t)value };
}

/* is_alone: the spans that begin in this thread before it ends are below it. */
void vvi_span_begin(vvi_span *span, const char *name, const vvi_span_facts *facts,
                    bool is_alone);
/* start: what was known at the start, once more. */
void vvi_span_end(vvi_span *span, const char *name, const vvi_span_facts *start,
                  const vvi_span_facts *end, bool is_alone);

/* A span that ended, as it is kept. */
typedef struct vvi_kept_span {
    struct vvi_kept_span *next;
    vv_span span; /* attributes and message point into what follows */
    size_t attribute_count;
    vv_attribute attributes[]; /* then texts */
} vvi_kept_span;

/* Take all that are kept, the first that ended first; NULL: none. */
vvi_kept_span *vvi_kept_take(void);
/* Put them back in front of those that ended meanwhile. */
void vvi_kept_give_back(vvi_kept_span *spans);
void vvi_kept_free(vvi_kept_span *spans);

#endif
