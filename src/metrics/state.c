/* Who wants to know: the switch, the environment and the sink. */
#include "metrics/state.h"

#include "util/options.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

atomic_uint vvi_metrics_state = VVI_METRICS_UNDECIDED;

/* Is this thread in a call of the sink? */
static _Thread_local bool in_sink;

/* Readers call the sink, so that who changes it waits for them. */
static pthread_rwlock_t sink_lock = PTHREAD_RWLOCK_INITIALIZER;
static vv_metrics_sink sink; /* guarded by sink_lock */
static uint64_t sink_number; /* guarded by sink_lock: counts sinks */

/* ---- on and off -------------------------------------------------------------------------------- */

/* Not within a sink, where this thread holds the lock to read already. */
static void before_fork(void)
{
    if (in_sink)
        return;
    pthread_rwlock_wrlock(&sink_lock);
    vvi_kept_lock();
    vvi_registry_lock();
}

static void after_fork_in_parent(void)
{
    if (in_sink)
        return;
    vvi_registry_unlock();
    vvi_kept_unlock();
    pthread_rwlock_unlock(&sink_lock);
}

/* The thread that holds the lock is another one there, so it cannot be unlocked. */
static void after_fork_in_child(void)
{
    static const pthread_rwlock_t fresh = PTHREAD_RWLOCK_INITIALIZER;

    sink_lock = fresh;
    if (in_sink)
        return;
    vvi_registry_unlock();
    vvi_kept_unlock();
}

static void begin(void)
{
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void vvi_metrics_begin(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, begin);
}

static bool says_yes(const char *variable)
{
    static const char *const yes[] = { "True", "true", "1", "yes", "Y", "T" };
    const char *text = getenv(variable);

    for (size_t i = 0; text && i < sizeof(yes) / sizeof(*yes); i++)
        if (strcmp(text, yes[i]) == 0)
            return true;
    return false;
}

void vv_metrics_enable(bool on)
{
    vvi_metrics_begin();
    if (on)
        vvi_registry_start();
    if (on)
        atomic_fetch_or(&vvi_metrics_state, VVI_METRICS_COUNTING);
    else
        atomic_fetch_and(&vvi_metrics_state, ~VVI_METRICS_COUNTING);
    atomic_fetch_and(&vvi_metrics_state, ~VVI_METRICS_UNDECIDED);
}

void vv_metrics_use_environment(void)
{
    vv_metrics_enable(says_yes("IPFS_RETRIEVAL_TRACE") || says_yes("PY_HAMT_TRACE"));
}

/* Apart from the call above: a thread that comes late must not undo what a caller has said meanwhile. */
static void decide(void)
{
    unsigned undecided = atomic_load(&vvi_metrics_state);
    unsigned decided;
    bool on = says_yes("IPFS_RETRIEVAL_TRACE") || says_yes("PY_HAMT_TRACE");

    vvi_metrics_begin();
    if (on)
        vvi_registry_start();
    do {
        if (!(undecided & VVI_METRICS_UNDECIDED))
            return;
        decided = (undecided & ~VVI_METRICS_UNDECIDED) | (on ? VVI_METRICS_COUNTING : 0);
    } while (!atomic_compare_exchange_weak(&vvi_metrics_state, &undecided, decided));
}

bool vvi_metrics_wanted(void)
{
    if (in_sink)
        return false;
    if (atomic_load(&vvi_metrics_state) & VVI_METRICS_UNDECIDED)
        decide();
    return atomic_load(&vvi_metrics_state) != 0;
}

bool vv_metrics_is_enabled(void)
{
    return vvi_metrics_counting();
}

/* ---- the sink ---------------------------------------------------------------------------------- */

vv_status vv_metrics_set_sink(const vv_metrics_sink *given, vv_error *err)
{
    vv_metrics_sink next;

    VVI_TRY(vvi_read_options(&next, sizeof(next), given, err));
    vvi_metrics_begin();
    pthread_rwlock_wrlock(&sink_lock);
    sink = next;
    sink_number++;
    if (given)
        atomic_fetch_or(&vvi_metrics_state, VVI_METRICS_SINK);
    else
        atomic_fetch_and(&vvi_metrics_state, ~VVI_METRICS_SINK);
    pthread_rwlock_unlock(&sink_lock);
    return VV_OK;
}

bool vvi_sink_is_there(void)
{
    return atomic_load_explicit(&vvi_metrics_state, memory_order_relaxed) &
           VVI_METRICS_SINK;
}

void vvi_sink_span_start(vvi_span *span, const vv_span *what)
{
    span->sink = 0;
    if (!vvi_sink_is_there() || in_sink)
        return;
    pthread_rwlock_rdlock(&sink_lock);
    in_sink = true;
    if (sink.span_start)
        span->token = sink.span_start(sink.ctx, what);
    in_sink = false;
    span->sink = sink_number;
    pthread_rwlock_unlock(&sink_lock);
}

void vvi_sink_span_end(vvi_span *span, const vv_span *what)
{
    if (!span->sink || in_sink)
        return;
    pthread_rwlock_rdlock(&sink_lock);
    in_sink = true;
    if (span->sink == sink_number && sink.span_end)
        sink.span_end(sink.ctx, span->token, what);
    in_sink = false;
    pthread_rwlock_unlock(&sink_lock);
}

void vvi_sink_measure(const vv_measurement *what)
{
    if (!vvi_sink_is_there() || in_sink)
        return;
    pthread_rwlock_rdlock(&sink_lock);
    in_sink = true;
    if (sink.measure)
        sink.measure(sink.ctx, what);
    in_sink = false;
    pthread_rwlock_unlock(&sink_lock);
}
