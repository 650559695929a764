/* Recorders: begun, flushed, closed, given up. */
#include "recorder/inner.h"
#include "recorder/schema.h"
#include "util/alloc.h"
#include "util/buf.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#define MS        1000000u
#define LARGE_ROW ((uint64_t)512 << 10)
/* Rows on their way that a cache is hoped to hold. */
#define NEAR_BYTES ((uint64_t)8 << 20)

/* ---- forks --------------------------------------------------------------------------------- */

static atomic_uint fork_count;

static void count_fork(void)
{
    atomic_fetch_add(&fork_count, 1);
}

static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, count_fork);
}

bool vvi_recorder_is_child(const vv_recorder *self)
{
    return self->forks != atomic_load_explicit(&fork_count, memory_order_relaxed);
}

/* ---- begin and end --------------------------------------------------------------------------- */

void vvi_resume_clear(const vvi_plan *plan, vvi_resume *resume)
{
    for (size_t g = 0; resume->tails && g < plan->group_count; g++) {
        for (size_t i = 0; resume->tails[g] && i < plan->groups[g].leaf_count; i++)
            vvi_free(resume->tails[g][i]);
        vvi_free(resume->tails[g]);
    }
    vvi_free(resume->tails);
    vvi_free(resume->rows);
    *resume = (vvi_resume){ 0 };
}

void vvi_recorder_destroy(vv_recorder *self, bool child)
{
    vvi_encoder_clear(&self->encoder, child);
    if (self->sink)
        self->sink->ops->free(self->sink, child);
    vvi_writer_clear(self);
    vvi_queue_clear(&self->queue, child);
    if (!child) {
        vvi_mutex_clear(&self->log_lock);
        vvi_cond_clear(&self->told);
        vvi_mutex_clear(&self->lock);
    }
    vvi_free(self->attributes);
    vvi_free(self->due);
    vvi_free(self->layout.groups);
    vvi_plan_clear(&self->plan);
    vv_schema_free(self->schema);
    vvi_free(self);
}

static vv_status make_locks(vv_recorder *self, vv_error *err)
{
    VVI_TRY(vvi_mutex_init(&self->log_lock, err));
    VVI_TRY(vvi_mutex_init(&self->lock, err));
    return vvi_cond_init(&self->told, err);
}

/* For rows that take longer to copy than a wait costs: what a writer of 250 MB/s takes for one. */
static uint64_t patience_for(const vv_recorder *self)
{
    uint64_t largest = 0;

    if (self->plan.options.when_full != VV_FULL_BLOCK)
        return 0;
    for (size_t g = 0; g < self->plan.group_count; g++)
        if (self->plan.groups[g].kind != VVI_GROUP_ONCE &&
            self->writing[g].row_bytes > largest)
            largest = self->writing[g].row_bytes;
    if (largest < LARGE_ROW)
        return 0;
    return largest < 5 * MS ? 4 * largest : 20 * MS;
}

/* Enough for all chunks that are encoded at a time, and one that is filled. */
static uint64_t near_for(const vvi_layout *layout, const vvi_plan *plan)
{
    uint64_t largest = 0;

    for (size_t g = 0; g < plan->group_count; g++)
        if (layout->groups[g].bytes > largest)
            largest = layout->groups[g].bytes;
    largest *= layout->slots + 1;
    return largest > NEAR_BYTES ? largest : NEAR_BYTES;
}

static vv_status set_up(vv_recorder *self, const vvi_resume *resume, vv_error *err)
{
    int error;

    VVI_TRY(vvi_recorder_layout(&self->plan, &self->layout, err));
    self->due = vvi_alloc_array_zero(self->plan.group_count, sizeof(*self->due));
    if (!self->due)
        return vvi_fail_nomem(err, self->plan.group_count * sizeof(*self->due));
    VVI_TRY(vvi_queue_init(&self->queue, &self->plan, &self->layout, err));
    VVI_TRY(vvi_writer_init(self, resume, err));
    self->patience_ns = patience_for(self);
    self->queue.near = self->patience_ns ? near_for(&self->layout, &self->plan) : 0;
    error = pthread_create(&self->thread, NULL, vvi_writer_run, self);
    return error ? vvi_fail_errno(err, error, "start the recorder's thread") : VV_OK;
}

vv_status vvi_recorder_start(vv_schema *schema, vvi_plan *plan, vvi_sink *sink,
                             const vvi_resume *resume, vv_recorder **out, vv_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    vv_recorder *self = vvi_alloc_zero(sizeof(*self));
    vv_status status = VV_OK;
    sigset_t all, before;

    (void)pthread_once(&once, watch_forks);
    if (!self || make_locks(self, err)) {
        vvi_free(self);
        sink->ops->free(sink, false);
        vvi_plan_clear(plan);
        vv_schema_free(schema);
        return vvi_fail_nomem(err, sizeof(*self));
    }
    self->schema = schema;
    self->plan = *plan;
    *plan = (vvi_plan){ 0 };
    self->sink = sink;
    self->start_ns = vvi_now_ns();
    self->forks = atomic_load(&fork_count);
    self->next_step = resume ? resume->next_step : 0;
    sigfillset(&all); /* the threads inherit it: signals are for the program's own */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    status = set_up(self, resume, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (status)
        vvi_recorder_destroy(self, false);
    else
        *out = self;
    return status;
}

const vv_schema *vv_recorder_schema(const vv_recorder *recorder)
{
    return recorder->schema;
}

/* ---- what may be called ----------------------------------------------------------------------- */

/* The failure that is kept. */
static vv_status failure_of(vv_recorder *self, vv_error *err)
{
    vv_status status;

    vvi_mutex_lock(&self->lock);
    status = self->failure;
    if (status && err)
        *err = self->error;
    vvi_mutex_unlock(&self->lock);
    return status;
}

vv_status vvi_recorder_check(vv_recorder *self, vv_error *err)
{
    if (vvi_recorder_is_child(self))
        return vvi_fail(err, VV_EINVAL,
                        "the recorder belongs to the process that was forked");
    if (__atomic_load_n(&self->failure, __ATOMIC_ACQUIRE))
        return failure_of(self, err);
    return VV_OK;
}

/* ---- flush --------------------------------------------------------------------------------- */

vv_status vv_recorder_flush(vv_recorder *self, vv_durability durability,
                            uint32_t timeout_ms, vv_error *err)
{
    uint64_t deadline, ticket;
    bool in_time = true;
    bool done;

    if ((unsigned)durability > VV_PROCESS)
        return vvi_fail(err, VV_EINVAL, "durability %d is none", (int)durability);
    VVI_TRY(vvi_recorder_check(self, err));
    if (!timeout_ms)
        timeout_ms = self->plan.options.close_ms;
    deadline = vvi_now_ns() + (uint64_t)timeout_ms * MS;
    vvi_mutex_lock(&self->lock);
    ticket = ++self->flush_asked;
    if (durability == VV_DURABLE)
        self->durable_asked = ticket;
    vvi_mutex_unlock(&self->lock);
    vvi_queue_poke(&self->queue);
    vvi_mutex_lock(&self->lock);
    for (;;) {
        done = self->flush_done >= ticket &&
               (durability != VV_DURABLE || self->durable_done >= ticket);
        if (done || self->failure || self->ended || !in_time)
            break;
        in_time = vvi_cond_wait_until(&self->told, &self->lock, deadline);
    }
    vvi_mutex_unlock(&self->lock);
    if (done)
        return VV_OK;
    VVI_TRY(vvi_recorder_check(self, err));
    return vvi_fail(err, VV_ETIMEDOUT, "rows were not flushed within %u ms", timeout_ms);
}

/* Attributes that a file of kUPS has. */
static bool is_taken(const char *name)
{
    return strcmp(name, "actual_steps") == 0 || strcmp(name, "group_names") == 0 ||
           strcmp(name, "config_class_name") == 0 || strcmp(name, "config_pytree") == 0;
}

vv_status vv_recorder_set_attributes(vv_recorder *self, const char *json, vv_error *err)
{
    vvi_json *parsed = NULL;
    char *copy = NULL;
    char *before;
    vv_status status = vvi_recorder_check(self, err);

    if (status)
        return status;
    status = vvi_json_parse(vv_bytes_of(json), &parsed, err);
    if (status == VV_ECORRUPT)
        status = vvi_wrap(err, VV_EINVAL, "attributes");
    if (!status && !vvi_json_is(parsed, VVI_JSON_OBJECT))
        status = vvi_fail(err, VV_EINVAL, "attributes: %s, not an object",
                          vvi_json_kind_name(parsed));
    for (const vvi_json *m = vvi_json_first(parsed); m && !status; m = vvi_json_next(m))
        if (!vvi_json_text(m, NULL))
            status = vvi_fail(err, VV_EINVAL, "attribute '%.60s' is %s, not a text",
                              vvi_json_name(m), vvi_json_kind_name(m));
        else if (!vvi_json_name(m)[0] || is_taken(vvi_json_name(m)))
            status = vvi_fail(err, VV_EINVAL, "attribute '%s' is the recording's own",
                              vvi_json_name(m));
    vvi_json_free(parsed);
    if (!status && !(copy = vvi_strdup(json)))
        status = vvi_fail_nomem(err, strlen(json));
    if (status)
        return status;
    vvi_mutex_lock(&self->lock);
    before = self->attributes; /* freed when a child of a fork cannot see it any more */
    self->attributes = copy;
    vvi_mutex_unlock(&self->lock);
    vvi_free(before);
    return VV_OK;
}

/* ---- close --------------------------------------------------------------------------------- */

/* Wait until the thread has ended, and free all; where it does not end in time, it frees all when it does. */
static bool end(vv_recorder *self, bool close, uint32_t timeout_ms, vv_error *err,
                vv_status *failure)
{
    uint64_t deadline = vvi_now_ns() + (uint64_t)timeout_ms * MS;
    pthread_t thread = self->thread;
    bool in_time = true;

    if (!close)
        __atomic_store_n(&self->give_up, true, __ATOMIC_RELAXED);
    vvi_mutex_lock(&self->lock);
    self->close_asked = true;
    vvi_mutex_unlock(&self->lock);
    vvi_queue_poke(&self->queue);
    vvi_mutex_lock(&self->lock);
    while (!self->ended && in_time)
        in_time = vvi_cond_wait_until(&self->told, &self->lock, deadline);
    in_time = self->ended;
    *failure = self->failure;
    if (*failure && err)
        *err = self->error;
    if (!in_time) {
        __atomic_store_n(&self->give_up, true, __ATOMIC_RELAXED);
        self->detached = true;
        pthread_detach(thread);
    }
    vvi_mutex_unlock(&self->lock);
    if (in_time) {
        pthread_join(thread, NULL);
        vvi_recorder_destroy(self, false);
    }
    return in_time;
}

vv_status vv_recorder_close(vv_recorder *self, vv_error *err)
{
    vv_status failure;
    uint32_t close_ms;

    if (!self)
        return VV_OK;
    if (vvi_recorder_is_child(self)) {
        vvi_recorder_destroy(self, true);
        return vvi_fail(err, VV_EINVAL,
                        "the recorder belongs to the process that was forked");
    }
    close_ms = self->plan.options.close_ms;
    if (!end(self, true, close_ms, err, &failure) && !failure)
        return vvi_fail(err, VV_ETIMEDOUT, "not all rows could be written within %u ms",
                        close_ms);
    return failure;
}

void vv_recorder_abandon(vv_recorder *self)
{
    vv_status failure;

    if (!self)
        return;
    if (vvi_recorder_is_child(self))
        vvi_recorder_destroy(self, true);
    else
        (void)end(self, false, self->plan.options.close_ms, NULL, &failure);
}
