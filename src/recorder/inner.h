/* The recorder, for the files of this room. */
#ifndef VVI_RECORDER_INNER_H
#define VVI_RECORDER_INNER_H

#include "recorder/encode.h"
#include "recorder/queue.h"

/* A leaf whose chunks are made of several blocks: two buffers, one filled, one being encoded. */
typedef struct vvi_gather {
    uint8_t *rows[2]; /* NULL: its chunks are those of the blocks */
    bool busy[2];
    unsigned at;   /* that is filled */
    uint64_t fill; /* rows in it */
    uint64_t tail; /* of those, in the sink */
    uint64_t put;  /* rows of the leaf in the sink */
} vvi_gather;

/* A group, as the writer's thread sees it. */
typedef struct vvi_writing {
    uint64_t rows;    /* in blocks that are done with; PLACED, ONCE: put */
    uint64_t partial; /* taken from the block that is still being filled */
    uint64_t written; /* rows in the sink, with all leaves */
    uint64_t resumed; /* rows that were there before */
    vvi_gather *leaves;
    uint32_t *times; /* of rows on their way, in a ring of layout.late_rows */
    uint64_t row_bytes;
    /* Where a flush stands: the block that is being filled, and rows of it; NULL: none. Set under the log lock. */
    vvi_block *block;
    uint32_t block_rows;
} vvi_writing;

/* Counters for stats(). Each is changed by one thread at a time, and read by any. */
typedef struct vvi_counters {
    uint64_t logged, logged_bytes, dropped, dropped_bytes, thinned, refused;
    uint64_t waits, wait_ns;
    uint64_t written, raw_bytes, flushed, durable, flushes, stored;
    uint64_t lateness[24];
} vvi_counters;
#define VVI_COUNT(field_, more_) __atomic_fetch_add(&(field_), (more_), __ATOMIC_RELEASE)

/* A due group of the step that is logged, and its values. */
typedef struct vvi_due {
    bool due, given;
    const vv_value *values;   /* in the caller's order; or */
    const void *const *plain; /* pointers alone */
    uint64_t index[VVI_EXTENT_NDIM_MAX];
} vvi_due;

struct vv_recorder {
    vv_schema *schema; /* fixed, as all to forks */
    vvi_plan plan;
    vvi_layout layout;
    vvi_sink *sink; /* writer, until it has ended */
    uint64_t start_ns;
    uint64_t fixed_bytes; /* allocated besides blocks and encoded chunks */
    uint64_t
        patience_ns; /* that log waits for the writer to keep large rows in a cache; 0: not at all */
    unsigned forks; /* of the process, when it was made */
    pthread_t thread;

    vvi_mutex log_lock;
    int64_t next_step;  /* guarded by log_lock */
    int64_t last_step;  /* guarded by log_lock; -1: none */
    uint64_t thin_turn; /* guarded by log_lock */
    vvi_due *due;       /* guarded by log_lock; of each group */
    uint64_t
        dirty_since; /* atomic; set under log_lock: the first row that no flush covers; 0: none */

    vvi_queue queue;
    vvi_encoder encoder;
    vvi_counters counters; /* atomic */

    vvi_writing *writing; /* writer, as all to progress_ns */
    uint64_t *rows;       /* of each group: handed to the sink */
    uint64_t *committed;
    int64_t committed_step;
    int64_t flush_step;
    vv_durability committed_as;
    uint64_t progress_ns;

    vvi_mutex lock;
    vvi_cond told;                       /* something below has changed */
    uint64_t flush_asked, durable_asked; /* guarded by lock, as all below */
    uint64_t flush_done, durable_done;
    char *attributes;
    bool close_asked;
    bool ended;        /* the thread does nothing more */
    bool detached;     /* the thread frees the recorder when it ends */
    bool give_up;      /* atomic: the thread is to end without writing */
    vv_status failure; /* atomic; the first of the writer */
    vv_error error;
};

/* In ms since the recorder was made. */
static inline uint32_t vvi_recorder_ms(const vv_recorder *recorder, uint64_t now_ns)
{
    return (uint32_t)((now_ns - recorder->start_ns) / 1000000u);
}

/* The writer's thread. */
void *vvi_writer_run(void *recorder);
/* The state that it begins with. */
vv_status vvi_writer_init(vv_recorder *recorder, const vvi_resume *resume, vv_error *err);
void vvi_writer_clear(vv_recorder *recorder);

void vvi_recorder_destroy(vv_recorder *recorder, bool child);
/* Was the process forked since it was made? */
bool vvi_recorder_is_child(const vv_recorder *recorder);
/* VV_EINVAL in the child of a fork, or the writer's failure. */
vv_status vvi_recorder_check(vv_recorder *recorder, vv_error *err);

#endif
