/* What the files of this room share. */
#ifndef VVI_METRICS_STATE_H
#define VVI_METRICS_STATE_H

#include "metrics/metrics.h"

/* Told once, before anything of the room is locked: its locks are taken around a fork, so that a child finds
 * them free. */
void vvi_metrics_begin(void);

static inline bool vvi_metrics_counting(void)
{
    return vvi_metrics_on() &&
           (atomic_load_explicit(&vvi_metrics_state, memory_order_relaxed) &
            VVI_METRICS_COUNTING);
}

/* ---- sinks (state.c) -------------------------------------------------------------------------- */

/* Call what the sink has for it, if there is one. */
void vvi_sink_span_start(vvi_span *span, const vv_span *what);
void vvi_sink_span_end(vvi_span *span, const vv_span *what);
void vvi_sink_measure(const vv_measurement *what);
bool vvi_sink_is_there(void);

/* ---- counting (registry.c) -------------------------------------------------------------------- */

/* Names of what blocks and keys were asked for. */
typedef enum vvi_asked {
    VVI_ASKED_CIDS = 0,
    VVI_ASKED_KEYS
} vvi_asked;

/* These count; the caller has asked vvi_metrics_counting(). */
void vvi_count(const char *name, double n);
void vvi_count_bytes(const char *name, double n);
void vvi_count_time(const char *name, double seconds);
void vvi_count_value(const char *name, double value);
void vvi_count_asked(vvi_asked what, const char *prefix, vv_bytes name);
void vvi_count_begun(void); /* a load of a block, whether counting is on or not */
void vvi_count_ended(void);
void vvi_count_point(uint32_t key, double value);
/* Counting begins now, unless it had begun. */
void vvi_registry_start(void);

/* Lock and unlock all of it, for a fork. */
void vvi_registry_lock(void);
void vvi_registry_unlock(void);
void vvi_kept_lock(void);
void vvi_kept_unlock(void);
void vvi_kept_reset(void);

#endif
