/*
 * Chunks on their way into the sink: encoded by several threads, put by one, in their order.
 */
#ifndef VVI_RECORDER_ENCODE_H
#define VVI_RECORDER_ENCODE_H

#include "recorder/sink.h"
#include "util/thread.h"

#define VVI_ENCODE_THREADS_MAX 64

typedef struct vvi_job {
    size_t group, leaf; /* set by the writer, as all to owner */
    uint64_t chunk, count;
    const void *rows;
    void *owner;         /* of rows: handed to done() */
    vvi_encoded encoded; /* whoever has the job, as all below */
    uint64_t counted;    /* bytes of encoded that are counted in held */
    vv_status status;
    vv_error error;
    enum {
        VVI_JOB_WAITS,
        VVI_JOB_RUNS,
        VVI_JOB_DONE
    } state; /* guarded by lock */
} vvi_job;

/* Told by the writer when a chunk is in the sink. */
typedef void (*vvi_job_done_fn)(void *ctx, const vvi_job *job);

typedef struct vvi_encoder {
    vvi_sink *sink; /* fixed, as all to slots */
    vvi_job_done_fn done;
    void *ctx;
    vvi_job *ring;
    size_t slots;
    pthread_t threads[VVI_ENCODE_THREADS_MAX];
    size_t thread_count;
    vvi_mutex lock;
    vvi_cond ready;    /* for threads: a job waits */
    vvi_cond finished; /* for the writer: a job is done */
    /* Guarded by lock. Job n lies at n % slots: put up to head, begun up to next, there up to tail. */
    uint64_t head, next, tail;
    bool stop;
    uint64_t held; /* atomic: bytes that encoded chunks take */
    uint64_t peak; /* writer */
} vvi_encoder;

/* Let the thread that calls give way to those that log. */
void vvi_thread_yields(void);

/* Threads besides the writer; fewer than asked for are no failure. */
vv_status vvi_encoder_init(vvi_encoder *encoder, vvi_sink *sink, uint32_t threads,
                           size_t slots, vvi_job_done_fn done, void *ctx, vv_error *err);
/* Ends the threads; jobs that are not put are forgotten. child: of a fork, where there are no threads. */
void vvi_encoder_clear(vvi_encoder *encoder, bool child);

/* All of the writer's thread. Have a chunk encoded and put; rows stay until done(). */
vv_status vvi_encoder_add(vvi_encoder *encoder, const vvi_job *job, vv_error *err);
/* Is a job there that is not put? */
bool vvi_encoder_busy(vvi_encoder *encoder);
/* Put the oldest job, when it is encoded; helps to. */
vv_status vvi_encoder_advance(vvi_encoder *encoder, vv_error *err);
/* Until none is left. */
vv_status vvi_encoder_drain(vvi_encoder *encoder, vv_error *err);

#endif
