/* Encoding on threads, putting in order. */
#include "recorder/encode.h"

#include "util/alloc.h"

#include <sched.h>
#include <string.h>

/* A thread that waits looks up this often, whatever happens. */
#define WAIT_NS 1000000000u

static vvi_job *job_at(vvi_encoder *encoder, uint64_t number)
{
    return &encoder->ring[number % encoder->slots];
}

/* Encode the next job that waits. Called with the lock, which is let go meanwhile. */
static void encode_next(vvi_encoder *encoder)
{
    vvi_job *job = job_at(encoder, encoder->next++);

    job->state = VVI_JOB_RUNS;
    vvi_mutex_unlock(&encoder->lock);
    job->encoded.left_out = 0;
    job->status = encoder->sink->ops->encode(encoder->sink, job->group, job->leaf,
                                             job->rows, job->count, &job->encoded,
                                             &job->error);
    vvi_mutex_lock(&encoder->lock);
    job->state = VVI_JOB_DONE;
}

void vvi_thread_yields(void)
{
    struct sched_param param = { 0 };

    /* Woken, it does not push the thread that logs off its processor. A wish. */
    (void)pthread_setschedparam(pthread_self(), SCHED_BATCH, &param);
}

static void *run(void *arg)
{
    vvi_encoder *encoder = arg;

    vvi_thread_yields();
    vvi_mutex_lock(&encoder->lock);
    while (!encoder->stop) {
        if (encoder->next == encoder->tail) {
            vvi_cond_wait_until(&encoder->ready, &encoder->lock, vvi_now_ns() + WAIT_NS);
            continue;
        }
        encode_next(encoder);
        vvi_cond_signal(&encoder->finished);
    }
    vvi_mutex_unlock(&encoder->lock);
    return NULL;
}

vv_status vvi_encoder_init(vvi_encoder *encoder, vvi_sink *sink, uint32_t threads,
                           size_t slots, vvi_job_done_fn done, void *ctx, vv_error *err)
{
    vv_status status;

    *encoder = (vvi_encoder){ .sink = sink, .done = done, .ctx = ctx, .slots = slots };
    encoder->ring = vvi_alloc_array_zero(slots, sizeof(*encoder->ring));
    if (!encoder->ring)
        return vvi_fail_nomem(err, slots * sizeof(*encoder->ring));
    status = vvi_mutex_init(&encoder->lock, err);
    if (status)
        goto no_lock;
    status = vvi_cond_init(&encoder->ready, err);
    if (status)
        goto no_ready;
    status = vvi_cond_init(&encoder->finished, err);
    if (status)
        goto no_finished;
    while (encoder->thread_count < threads &&
           encoder->thread_count < VVI_ENCODE_THREADS_MAX &&
           pthread_create(&encoder->threads[encoder->thread_count], NULL, run, encoder) ==
               0)
        encoder->thread_count++;
    return VV_OK;

no_finished:
    vvi_cond_clear(&encoder->ready);
no_ready:
    vvi_mutex_clear(&encoder->lock);
no_lock:
    vvi_free(encoder->ring);
    encoder->ring = NULL;
    return status;
}

void vvi_encoder_clear(vvi_encoder *encoder, bool child)
{
    bool certain = true; /* who has which job */

    if (!encoder->ring)
        return;
    if (child)
        certain = pthread_mutex_trylock(&encoder->lock.m) == 0;
    if (!child) {
        vvi_mutex_lock(&encoder->lock);
        encoder->stop = true;
        vvi_mutex_unlock(&encoder->lock);
        vvi_cond_broadcast(&encoder->ready);
        for (size_t i = 0; i < encoder->thread_count; i++)
            pthread_join(encoder->threads[i], NULL);
        vvi_cond_clear(&encoder->finished);
        vvi_cond_clear(&encoder->ready);
        vvi_mutex_clear(&encoder->lock);
    }
    /* What a thread was encoding when the process was forked is left alone. */
    for (size_t i = 0; i < encoder->slots && certain; i++)
        if (!child || encoder->ring[i].state != VVI_JOB_RUNS)
            vv_buf_clear(&encoder->ring[i].encoded.bytes);
    vvi_free(encoder->ring);
    encoder->ring = NULL;
}

/* What the encoded bytes of a job take now, in place of what they took before. */
static void count_bytes(vvi_encoder *encoder, vvi_job *job)
{
    uint64_t held;

    held = __atomic_add_fetch(&encoder->held, job->encoded.bytes.cap - job->counted,
                              __ATOMIC_RELAXED);
    job->counted = job->encoded.bytes.cap;
    if (held > encoder->peak)
        __atomic_store_n(&encoder->peak, held, __ATOMIC_RELAXED);
}

vv_status vvi_encoder_add(vvi_encoder *encoder, const vvi_job *job, vv_error *err)
{
    vvi_job *to;

    while (encoder->tail - encoder->head ==
           encoder->slots) /* only this thread changes them */
        VVI_TRY(vvi_encoder_advance(encoder, err));
    to = job_at(encoder, encoder->tail);
    to->group = job->group;
    to->leaf = job->leaf;
    to->chunk = job->chunk;
    to->count = job->count;
    to->rows = job->rows;
    to->owner = job->owner;
    vvi_mutex_lock(&encoder->lock);
    to->state = VVI_JOB_WAITS;
    encoder->tail++;
    vvi_mutex_unlock(&encoder->lock);
    if (encoder->thread_count)
        vvi_cond_signal(&encoder->ready);
    return VV_OK;
}

bool vvi_encoder_busy(vvi_encoder *encoder)
{
    return encoder->head != encoder->tail;
}

vv_status vvi_encoder_advance(vvi_encoder *encoder, vv_error *err)
{
    vvi_job *job = job_at(encoder, encoder->head);
    vv_status status;

    vvi_mutex_lock(&encoder->lock);
    while (job->state != VVI_JOB_DONE) {
        if (encoder->next != encoder->tail)
            encode_next(encoder);
        else
            vvi_cond_wait_until(&encoder->finished, &encoder->lock,
                                vvi_now_ns() + WAIT_NS);
    }
    vvi_mutex_unlock(&encoder->lock);
    count_bytes(encoder, job);
    status = job->status;
    if (status && err)
        *err = job->error;
    if (!status)
        status = encoder->sink->ops->put_chunk(encoder->sink, job->group, job->leaf,
                                               job->chunk, &job->encoded, err);
    if (status)
        return status;
    vvi_mutex_lock(&encoder->lock);
    encoder->head++;
    vvi_mutex_unlock(&encoder->lock);
    encoder->done(encoder->ctx, job);
    return VV_OK;
}

vv_status vvi_encoder_drain(vvi_encoder *encoder, vv_error *err)
{
    while (vvi_encoder_busy(encoder))
        VVI_TRY(vvi_encoder_advance(encoder, err));
    return VV_OK;
}
