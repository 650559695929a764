/* Threads, locks and a worker pool: pthreads with the failures that cannot be handled taken out. */
#ifndef VVI_UTIL_THREAD_H
#define VVI_UTIL_THREAD_H

#include "util/error.h"

#include <pthread.h>

typedef struct vvi_mutex {
    pthread_mutex_t m;
} vvi_mutex;
typedef struct vvi_cond {
    pthread_cond_t c; /* on the monotonic clock */
} vvi_cond;
typedef struct vvi_rwlock {
    pthread_rwlock_t l;
} vvi_rwlock;

vv_status vvi_mutex_init(vvi_mutex *mutex, vv_error *err);
void vvi_mutex_clear(vvi_mutex *mutex);
void vvi_mutex_lock(vvi_mutex *mutex);
void vvi_mutex_unlock(vvi_mutex *mutex);

vv_status vvi_rwlock_init(vvi_rwlock *lock, vv_error *err);
/* The same, but a writer that waits goes before new readers, so that they cannot keep it out. A
 * thread must not hold such a lock for reading twice. */
vv_status vvi_rwlock_init_writers_first(vvi_rwlock *lock, vv_error *err);
void vvi_rwlock_clear(vvi_rwlock *lock);
void vvi_rwlock_read(vvi_rwlock *lock);
void vvi_rwlock_write(vvi_rwlock *lock);
void vvi_rwlock_unlock(vvi_rwlock *lock);

vv_status vvi_cond_init(vvi_cond *cond, vv_error *err);
void vvi_cond_clear(vvi_cond *cond);
void vvi_cond_signal(vvi_cond *cond);
void vvi_cond_broadcast(vvi_cond *cond);
/* Wait until woken or until the monotonic time deadline_ns; false when that passed. */
bool vvi_cond_wait_until(vvi_cond *cond, vvi_mutex *mutex, uint64_t deadline_ns);

/* The one lock around libhdf5, and libnetcdf which calls it: they keep state for the whole process, and some
 * builds of them may not run in two threads at once. Whoever holds it calls nothing of ours that takes it. */
void vvi_hdf5_lock(void);
void vvi_hdf5_unlock(void);

/* Monotonic and wall clock in nanoseconds. */
uint64_t vvi_now_ns(void);
uint64_t vvi_wall_ns(void);

/* Processors this process may use, at least 1. */
uint32_t vvi_cpu_count(void);

/*
 * Call work(ctx, i) for every i < n, on up to threads threads, the caller's among them. The
 * first failure stops the rest and is returned with its message. threads 0: one a processor.
 * With one thread, or one item, everything runs in the caller. The other threads belong to the
 * process: they stay, waiting, when a call is over. A child of a fork gets its own.
 */
typedef vv_status (*vvi_work_fn)(void *ctx, size_t i, vv_error *err);
vv_status vvi_parallel(uint32_t threads, size_t n, vvi_work_fn work, void *ctx,
                       vv_error *err);

#endif
