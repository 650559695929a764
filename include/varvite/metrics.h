/*
 * Metrics: what the library counts, times and traces when it is asked to.
 *
 * Off, which is how a process starts, a call pays one load of a flag. On, each load of a block, lookup in a
 * HAMT and get of a store is
 * - counted in the process: vv_metrics_snapshot() gives it as JSON;
 * - recorded in instruments with attributes, as OpenTelemetry has them: vv_metrics_prometheus() and
 *   vv_metrics_otlp() give them as text, and a sink is told of every change;
 * - traced, where someone listens: a span with attributes is told to the sink when it starts and when it ends,
 *   or kept for vv_metrics_otlp().
 * Names, attributes, units and the snapshot's members are py-hamt's; what it does not have is named
 * "varvite.…" beside them. docs/metrics.md lists all.
 *
 * Metrics never make a call fail: what there is no memory for is not counted.
 *
 * Threads: every call may be made from any thread at any time, but not from within a sink. One state for the
 * process.
 */
#ifndef VARVITE_METRICS_H
#define VARVITE_METRICS_H

#include <varvite/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- on and off ------------------------------------------------------------------------------ */

/**
 * Count from now on, or do not. What was counted stays until the next vv_metrics_reset().
 *
 * Not called at all, the environment decides: counting is on when IPFS_RETRIEVAL_TRACE or PY_HAMT_TRACE is one
 * of True, true, 1, yes, Y, T.
 */
VV_API void vv_metrics_enable(bool on);
/** Let the environment decide, as it is now. */
VV_API void vv_metrics_use_environment(void);
VV_API bool vv_metrics_is_enabled(void);

/**
 * Forget everything counted, recorded and traced, and begin anew. Does nothing when counting is off.
 *
 * Reads how many samples a series keeps: IPFS_RETRIEVAL_TRACE_SAMPLE_LIMIT, 2000 when that is no number, 0
 * when it is negative.
 * @param label  copied into snapshots; NULL: none
 */
VV_API void vv_metrics_reset(const char *label);

/* ---- counting by name: what the library does itself, for the caller's own names too ------------ */

/* Each does nothing when counting is off. Names are UTF-8 and are copied. */

/** Add n to a counter. */
VV_API void vv_metrics_increment(const char *name, double n);
/** Add n to a count of bytes. */
VV_API void vv_metrics_add_bytes(const char *name, double n);
/** Add to a series of times, in seconds. */
VV_API void vv_metrics_observe(const char *name, double seconds);
/** Add to a series of values, and to the counters name.total and name.count. */
VV_API void vv_metrics_value(const char *name, double value);

/** What a counter or a count of bytes stands at; 0 where there is none of that name. */
VV_API double vv_metrics_counter(const char *name);

/* ---- what was counted ------------------------------------------------------------------------ */

/**
 * Everything counted since the last reset, as one JSON object of UTF-8, with a line end: label,
 * elapsed_seconds, counters, bytes, timings and values (distributions), the blocks and keys asked for most.
 * "{}" when counting is off.
 *
 * @param out  filled anew
 * @return VV_OK, VV_ENOMEM
 */
VV_API vv_status vv_metrics_snapshot(vv_buf *out, vv_error *err);

/**
 * The instruments in Prometheus' text format, version 0.0.4: names with "_" for ".", counters ending in
 * _total, histograms in seconds or plain numbers with buckets.
 * @param out  filled anew
 * @return VV_OK, VV_ENOMEM
 */
VV_API vv_status vv_metrics_prometheus(vv_buf *out, vv_error *err);

typedef enum vv_otlp_signal {
    VV_OTLP_METRICS = 0, /* ExportMetricsServiceRequest: POST to /v1/metrics */
    VV_OTLP_TRACES       /* ExportTraceServiceRequest: POST to /v1/traces */
} vv_otlp_signal;

/**
 * The body of a request to an OpenTelemetry collector, OTLP in JSON. Metrics are cumulative since the last
 * reset. Traces are the spans that ended since the last call, which are forgotten with this one; there are
 * none unless vv_metrics_keep_spans() was called.
 * @param service  resource attribute service.name; NULL: "varvite"
 * @param out      filled anew
 * @return VV_OK, VV_ENOMEM (no span is forgotten)
 */
VV_API vv_status vv_metrics_otlp(vv_otlp_signal signal, const char *service, vv_buf *out,
                                 vv_error *err);

/** Keep spans that ended until vv_metrics_otlp() takes them, at most limit: later ones are counted in
 *  varvite.spans_dropped. 0, as at first: none. Spans are kept whether counting is on or not. */
VV_API void vv_metrics_keep_spans(size_t limit);

/**
 * One distribution, as snapshots show it: count and avg = total / count; of the samples, min, p50 (the
 * median), p95, p99, max. Percentile p of n sorted samples is the one at (n−1)·p, rounded, ties to even.
 */
typedef struct vv_distribution {
    uint64_t count;
    uint64_t sample_count; /* 0: only count and average are meant */
    double average;
    double min, p50, p95, p99, max;
} vv_distribution;
/** @param samples  sorted by this call */
VV_API void vv_metrics_distribution(double *samples, size_t n, double total,
                                    uint64_t count, vv_distribution *out);

/* ---- sinks ----------------------------------------------------------------------------------- */

typedef enum vv_attribute_kind {
    VV_ATTRIBUTE_TEXT = 0,
    VV_ATTRIBUTE_BOOL,
    VV_ATTRIBUTE_INTEGER
} vv_attribute_kind;

/** A named value of a span or of a measurement. */
typedef struct vv_attribute {
    const char *name; /* static */
    vv_attribute_kind kind;
    const char *text; /* terminated */
    int64_t integer;  /* of a bool: 0 or 1 */
} vv_attribute;

/** A piece of work. */
typedef struct vv_span {
    size_t struct_size;
    const char *name;     /* static: "py_hamt.cas.load" */
    uint8_t trace_id[16]; /* shared by all spans below one outermost */
    uint8_t span_id[8];
    uint8_t parent_id[8]; /* all zero: outermost */
    uint64_t start_ns;    /* since 1970 */
    uint64_t end_ns;      /* 0 at the start */
    /* At the start: those known then. At the end: those set later. */
    const vv_attribute *attributes;
    size_t attribute_count;
    /* At the end. */
    bool failed;         /* status error; else it is not set */
    const char *message; /* of the status; "" */
    vv_status exception; /* VV_OK: none was recorded */
} vv_span;

typedef enum vv_instrument_kind {
    VV_COUNTER = 0,
    VV_HISTOGRAM
} vv_instrument_kind;

/** A change of an instrument. */
typedef struct vv_measurement {
    size_t struct_size;
    const char *name; /* static: "py_hamt.cas.load.requests" */
    const char *unit; /* "1", "s", "By" */
    vv_instrument_kind kind;
    double value; /* to add, or to record */
    const vv_attribute *attributes;
    size_t attribute_count;
} vv_measurement;

/**
 * Who is told. Any of the three may be NULL. They are called in the thread that did the work, several at
 * once, and may not call back into metrics; what they do in the library besides is not counted. What they
 * are given is theirs for the call only.
 */
typedef struct vv_metrics_sink {
    size_t struct_size;
    void *ctx;
    /* Returns what span_end() is given as token. */
    void *(*span_start)(void *ctx, const vv_span *span);
    /* Each span that started ends, in the same thread, unless another sink came meanwhile. */
    void (*span_end)(void *ctx, void *token, const vv_span *span);
    void (*measure)(void *ctx, const vv_measurement *measurement);
} vv_metrics_sink;
#define VV_METRICS_SINK_INIT ((vv_metrics_sink){ .struct_size = sizeof(vv_metrics_sink) })

/**
 * Tell this sink from now on, counting on or off; NULL: nobody. When it returns, the sink before is not
 * called any more.
 * @return VV_OK, VV_EINVAL (a struct of another version)
 */
VV_API vv_status vv_metrics_set_sink(const vv_metrics_sink *sink, vv_error *err);

/* ---- for backends of block stores --------------------------------------------------------------- */

/** What py_hamt.cas.status says. */
typedef enum vv_load_outcome {
    VV_LOAD_OK = 0,
    VV_LOAD_REQUEST_ERROR,   /* no answer: connection, protocol */
    VV_LOAD_HTTP_ERROR,      /* an answer that is an error; also: it has no such block */
    VV_LOAD_TIMEOUT,         /* no answer in time */
    VV_LOAD_CONTENT_MISMATCH /* bytes that are not the block */
} vv_load_outcome;

/**
 * Said by a backend from within get, get_range (i = 0) or get_many (i: place in its arguments), in the thread
 * of that call, about a load that was tried again or failed: how often it was tried again, and what came of
 * it. Otherwise no retry is counted and the status tells: VV_ENOTFOUND is http_error, VV_ECORRUPT
 * content_mismatch, VV_ETIMEDOUT timeout, every other failure request_error. Costs next to nothing when
 * nobody counts.
 */
VV_API void vv_metrics_tell_load(size_t i, uint32_t retries, vv_load_outcome outcome);

#ifdef __cplusplus
}
#endif
#endif
