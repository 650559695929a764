#include "util/fault.h"

#include "util/thread.h"

#include <errno.h>
#include <stdatomic.h>

static atomic_bool planned;
static atomic_bool listening;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static vvi_fault current; /* guarded by lock */
static uint64_t seen;     /* guarded by lock: calls of the plan's kinds */
static uint64_t struck;   /* guarded by lock */
static void (*listener)(void *ctx, const vvi_file_event *event); /* guarded by lock */
static void *listener_ctx;                                       /* guarded by lock */

uint64_t vvi_fault_plan(const vvi_fault *plan)
{
    uint64_t last;

    pthread_mutex_lock(&lock);
    last = struck;
    struck = 0;
    seen = 0;
    if (plan)
        current = *plan;
    atomic_store(&planned, plan != NULL);
    pthread_mutex_unlock(&lock);
    return last;
}

static int strike(size_t *len, bool *torn)
{
    switch (current.kind) {
    case VVI_FAULT_SHORT:
        if (!len || *len < 2)
            return 0;
        *len = (*len + 2) / 3;
        struck++;
        return 0;
    case VVI_FAULT_INTERRUPT:
        if (current.forever && (seen - current.after) % 2 == 0)
            return 0;
        struck++;
        return EINTR;
    case VVI_FAULT_TORN:
        if (torn && len && *len > 1) {
            *len /= 2;
            *torn = true;
        }
        break;
    case VVI_FAULT_ERROR:
        break;
    }
    struck++;
    return current.error_number;
}

int vvi_fault_check(vvi_call call, size_t *len, bool *torn)
{
    int error = 0;

    if (!atomic_load_explicit(&planned, memory_order_relaxed))
        return 0;
    pthread_mutex_lock(&lock);
    if (atomic_load(&planned) && (current.calls & VVI_CALL_BIT(call))) {
        seen++;
        if (seen == current.after + 1 || (current.forever && seen > current.after))
            error = strike(len, torn);
    }
    pthread_mutex_unlock(&lock);
    return error;
}

void vvi_file_listen(void (*fn)(void *ctx, const vvi_file_event *event), void *ctx)
{
    pthread_mutex_lock(&lock);
    listener = fn;
    listener_ctx = ctx;
    atomic_store(&listening, fn != NULL);
    pthread_mutex_unlock(&lock);
}

bool vvi_file_listening(void)
{
    return atomic_load_explicit(&listening, memory_order_relaxed);
}

void vvi_file_tell(const vvi_file_event *event)
{
    pthread_mutex_lock(&lock);
    if (listener)
        listener(listener_ctx, event);
    pthread_mutex_unlock(&lock);
}
