#include "util/thread.h"

#include "util/alloc.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <time.h>

/* Locking a valid mutex cannot fail; a failure is a broken promise of our own. */
#define MUST(call_)          \
    do {                     \
        int must_ = (call_); \
        assert(must_ == 0);  \
        (void)must_;         \
    } while (0)

vv_status vvi_mutex_init(vvi_mutex *mutex, vv_error *err)
{
    int error = pthread_mutex_init(&mutex->m, NULL);

    return error ? vvi_fail_errno(err, error, "make a mutex") : VV_OK;
}

void vvi_mutex_clear(vvi_mutex *mutex)
{
    pthread_mutex_destroy(&mutex->m);
}

void vvi_mutex_lock(vvi_mutex *mutex)
{
    MUST(pthread_mutex_lock(&mutex->m));
}

void vvi_mutex_unlock(vvi_mutex *mutex)
{
    MUST(pthread_mutex_unlock(&mutex->m));
}

vv_status vvi_rwlock_init(vvi_rwlock *lock, vv_error *err)
{
    int error = pthread_rwlock_init(&lock->l, NULL);

    return error ? vvi_fail_errno(err, error, "make a lock") : VV_OK;
}

vv_status vvi_rwlock_init_writers_first(vvi_rwlock *lock, vv_error *err)
{
    pthread_rwlockattr_t attr;
    int error = pthread_rwlockattr_init(&attr);

    if (error)
        return vvi_fail_errno(err, error, "make a lock");
#ifdef PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
#endif
    error = pthread_rwlock_init(&lock->l, &attr);
    pthread_rwlockattr_destroy(&attr);
    return error ? vvi_fail_errno(err, error, "make a lock") : VV_OK;
}

void vvi_rwlock_clear(vvi_rwlock *lock)
{
    pthread_rwlock_destroy(&lock->l);
}

void vvi_rwlock_read(vvi_rwlock *lock)
{
    MUST(pthread_rwlock_rdlock(&lock->l));
}

void vvi_rwlock_write(vvi_rwlock *lock)
{
    MUST(pthread_rwlock_wrlock(&lock->l));
}

void vvi_rwlock_unlock(vvi_rwlock *lock)
{
    MUST(pthread_rwlock_unlock(&lock->l));
}

vv_status vvi_cond_init(vvi_cond *cond, vv_error *err)
{
    pthread_condattr_t attr;
    int error = pthread_condattr_init(&attr);

    if (error)
        return vvi_fail_errno(err, error, "make a condition");
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    error = pthread_cond_init(&cond->c, &attr);
    pthread_condattr_destroy(&attr);
    return error ? vvi_fail_errno(err, error, "make a condition") : VV_OK;
}

void vvi_cond_clear(vvi_cond *cond)
{
    pthread_cond_destroy(&cond->c);
}

void vvi_cond_signal(vvi_cond *cond)
{
    MUST(pthread_cond_signal(&cond->c));
}

void vvi_cond_broadcast(vvi_cond *cond)
{
    MUST(pthread_cond_broadcast(&cond->c));
}

bool vvi_cond_wait_until(vvi_cond *cond, vvi_mutex *mutex, uint64_t deadline_ns)
{
    struct timespec at = { .tv_sec = (time_t)(deadline_ns / 1000000000u),
                           .tv_nsec = (long)(deadline_ns % 1000000000u) };
    int error = pthread_cond_timedwait(&cond->c, &mutex->m, &at);

    assert(error == 0 || error == ETIMEDOUT);
    return error == 0;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static vvi_mutex hdf5_lock = { PTHREAD_MUTEX_INITIALIZER };

void vvi_hdf5_lock(void)
{
    vvi_mutex_lock(&hdf5_lock);
}

void vvi_hdf5_unlock(void)
{
    vvi_mutex_unlock(&hdf5_lock);
}

uint64_t vvi_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t vvi_wall_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

uint32_t vvi_cpu_count(void)
{
    cpu_set_t set;
    int n = 1;

    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        n = CPU_COUNT(&set);
    return n > 0 ? (uint32_t)n : 1;
}
