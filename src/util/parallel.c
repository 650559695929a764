/*
 * vvi_parallel(): the caller works, and threads that wait for work help.
 *
 * The helpers belong to the process and stay when a call is over: to start and to join a thread costs some
 * ten times as much as to wake one, and a call that is done before a helper has woken waits for nobody.
 * There are as many as were ever wanted at the same time.
 */
#include "util/thread.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#define THREADS_MAX 64
#define FOREVER_NS  (UINT64_MAX / 4)

/* One call. It lies on the stack of its caller, who waits for its helpers. */
typedef struct parallel {
    vvi_work_fn work;
    void *ctx;
    size_t n;
    atomic_size_t next; /* the item that the next free thread takes */
    atomic_bool stop;
    vvi_mutex lock;
    vv_status status; /* guarded by lock: the first failure */
    vv_error error;   /* guarded by lock */
    /* Guarded by the lock of the crew: */
    struct parallel *after; /* in the list of those that want help */
    uint32_t wanted;        /* helpers that may still come */
    uint32_t helpers;       /* that are at work */
    vvi_cond left;          /* the last of them went */
} parallel;

typedef struct helper {
    pthread_t thread;
    bool is_busy;
} helper;

static struct crew {
    vvi_mutex lock;
    vvi_cond called;
    /* Guarded by lock: */
    helper helpers[THREADS_MAX];
    uint32_t count;
    uint32_t idle;
    uint32_t wanted; /* of all calls together */
    parallel *calls; /* that want help, the oldest first */
    uint64_t forks;  /* of our ancestors: how often a child was left without the crew */
    bool is_over;
} crew = { .lock = { PTHREAD_MUTEX_INITIALIZER } };

static pthread_once_t crew_made = PTHREAD_ONCE_INIT;
static bool crew_works; /* set once, in make_crew() */

/* ---- the work -------------------------------------------------------------------------- */

static void run(parallel *self)
{
    while (!atomic_load(&self->stop)) {
        size_t i = atomic_fetch_add(&self->next, 1);
        vv_error error = VV_ERROR_INIT;
        vv_status status;

        if (i >= self->n)
            break;
        status = self->work(self->ctx, i, &error);
        if (!status)
            continue;
        vvi_mutex_lock(&self->lock);
        if (!self->status) {
            self->status = status;
            self->error = error;
        }
        vvi_mutex_unlock(&self->lock);
        atomic_store(&self->stop, true);
    }
}

/* ---- the crew -------------------------------------------------------------------------- */

static void drop_call(const parallel *self)
{
    parallel **place = &crew.calls;

    while (*place && *place != self)
        place = &(*place)->after;
    if (!*place)
        return;
    *place = self->after;
    crew.wanted -= self->wanted;
}

static void *help(void *arg)
{
    helper *self = arg;

    vvi_mutex_lock(&crew.lock);
    for (;;) {
        parallel *call = crew.calls;

        if (!call) {
            if (crew.is_over)
                break;
            (void)vvi_cond_wait_until(&crew.called, &crew.lock, FOREVER_NS);
            continue;
        }
        crew.wanted--;
        if (--call->wanted == 0)
            drop_call(call);
        call->helpers++;
        self->is_busy = true;
        crew.idle--;
        vvi_mutex_unlock(&crew.lock);
        run(call);
        vvi_mutex_lock(&crew.lock);
        crew.idle++;
        self->is_busy = false;
        /* From here the call may end with its caller's wait. */
        if (--call->helpers == 0)
            vvi_cond_signal(&call->left);
    }
    vvi_mutex_unlock(&crew.lock);
    return NULL;
}

/* One more helper; none is no failure. Signals are for the threads of the program. */
static bool hire(void)
{
    helper *fresh = &crew.helpers[crew.count];
    sigset_t all;
    sigset_t before;
    int error;

    if (crew.count == THREADS_MAX)
        return false;
    fresh->is_busy = false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&fresh->thread, NULL, help, fresh);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return false;
    crew.count++;
    crew.idle++;
    return true;
}

/* Over a fork the lock is held, so that the child gets it in order; of the threads it gets none. */
static void before_fork(void)
{
    vvi_mutex_lock(&crew.lock);
}

static void after_fork_in_parent(void)
{
    vvi_mutex_unlock(&crew.lock);
}

static void after_fork_in_child(void)
{
    crew.count = 0;
    crew.idle = 0;
    crew.wanted = 0;
    crew.calls = NULL;
    crew.forks++;
    /* Threads that are not there waited for it. */
    crew_works = vvi_cond_init(&crew.called, NULL) == VV_OK;
    vvi_mutex_unlock(&crew.lock);
}

static void make_crew(void)
{
    crew_works = vvi_cond_init(&crew.called, NULL) == VV_OK &&
                 pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) ==
                     0;
}

/* At the end of the process, or when the library is unloaded: who waits for work goes home. Who is at work
 * belongs to a call that goes on meanwhile, and is not waited for. */
__attribute__((destructor)) static void dismiss_crew(void)
{
    pthread_t idle[THREADS_MAX];
    size_t count = 0;

    vvi_mutex_lock(&crew.lock);
    crew.is_over = true;
    for (uint32_t i = 0; i < crew.count; i++)
        if (!crew.helpers[i].is_busy)
            idle[count++] = crew.helpers[i].thread;
    if (crew.count)
        vvi_cond_broadcast(&crew.called);
    vvi_mutex_unlock(&crew.lock);
    for (size_t i = 0; i < count; i++)
        pthread_join(idle[i], NULL);
}

/* ---- a call ---------------------------------------------------------------------------- */

/* Returns the number of forks so far. */
static uint64_t call_for_help(parallel *self, uint32_t wanted)
{
    parallel **place = &crew.calls;
    uint64_t forks;

    vvi_mutex_lock(&crew.lock);
    forks = crew.forks;
    while (!crew.is_over && crew.idle < crew.wanted + wanted && hire()) {
    }
    if (!crew.is_over && crew.count) {
        while (*place)
            place = &(*place)->after;
        self->wanted = wanted;
        crew.wanted += wanted;
        *place = self;
        for (uint32_t i = 0; i < wanted; i++)
            vvi_cond_signal(&crew.called);
    }
    vvi_mutex_unlock(&crew.lock);
    return forks;
}

/* No more help is wanted; wait for those who came. */
static void send_home(parallel *self, uint64_t forks)
{
    vvi_mutex_lock(&crew.lock);
    /* In a child of a fork that the work itself made, nobody came with us. */
    if (crew.forks == forks) {
        drop_call(self);
        while (self->helpers)
            (void)vvi_cond_wait_until(&self->left, &crew.lock, FOREVER_NS);
    }
    vvi_mutex_unlock(&crew.lock);
}

static vv_status share_out(uint32_t threads, size_t n, vvi_work_fn work, void *ctx,
                           vv_error *err)
{
    parallel self = { .work = work, .ctx = ctx, .n = n };
    vv_status status;

    atomic_init(&self.next, 0);
    atomic_init(&self.stop, false);
    VVI_TRY(vvi_mutex_init(&self.lock, err));
    status = vvi_cond_init(&self.left, err);
    if (!status) {
        /* Fewer threads than asked for, even none, still do all the work. */
        uint64_t forks = call_for_help(&self, threads - 1);

        run(&self);
        send_home(&self, forks);
        vvi_cond_clear(&self.left);
        status = self.status;
        if (status && err)
            *err = self.error;
    }
    vvi_mutex_clear(&self.lock);
    return status;
}

vv_status vvi_parallel(uint32_t threads, size_t n, vvi_work_fn work, void *ctx,
                       vv_error *err)
{
    if (threads == 0)
        threads = vvi_cpu_count();
    if (threads > THREADS_MAX)
        threads = THREADS_MAX;
    if (threads > n)
        threads = (uint32_t)n;
    if (threads > 1)
        pthread_once(&crew_made, make_crew);
    if (threads > 1 && crew_works)
        return share_out(threads, n, work, ctx, err);
    for (size_t i = 0; i < n; i++)
        VVI_TRY(work(ctx, i, err));
    return VV_OK;
}
