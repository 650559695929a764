/*
 * Where the rows of a recording go: what the writer thread asks of an HDF5 file or a Zarr hierarchy.
 *
 * The writer packs rows into chunks. A chunk that is full is encoded on a worker and put once. At a flush the
 * rows of a chunk that is not full yet are put as its tail, raw; later flushes put only the rows behind them.
 * What was put counts from the next commit on, which is one step: after a kill the sink has all that a
 * commit covered, and of what came later nothing is seen.
 *
 * Leaves whose values have no elements are never encoded or put. Threads: encode is called by many at once; all others
 * by one thread at a time.
 */
#ifndef VVI_RECORDER_SINK_H
#define VVI_RECORDER_SINK_H

#include "recorder/plan.h"

typedef struct vvi_sink vvi_sink;

/* A chunk as it will be stored. Zero is empty. */
typedef struct vvi_encoded {
    vv_buf bytes;
    uint32_t left_out; /* bit i: filter i was of no use and is not applied (HDF5) */
} vvi_encoded;

typedef struct vvi_sink_ops {
    const char *name;
    /* Encode a chunk of ROWS: count rows, fewer than chunk_rows only in the last chunk of a recording
     * that is closed. Replaces out->bytes, which come back with what was in them before, so that their memory can be
     * used again; where nothing is to be done, rows may be lent (vvi_buf_lend()): they stay until put_chunk returned. */
    vv_status (*encode)(vvi_sink *sink, size_t group, size_t leaf, const void *rows,
                        uint64_t count, vvi_encoded *out, vv_error *err);
    /* Take chunk number chunk of a leaf of ROWS. */
    vv_status (*put_chunk)(vvi_sink *sink, size_t group, size_t leaf, uint64_t chunk,
                           const vvi_encoded *encoded, vv_error *err);
    /* Take rows first to first + count - 1 of the unfinished chunk; rows points at the chunk's first row, so that
     * those before first, which were put before, are there too. */
    vv_status (*put_tail)(vvi_sink *sink, size_t group, size_t leaf, uint64_t chunk,
                          const void *rows, uint64_t first, uint64_t count,
                          vv_error *err);
    /* Take the value of a leaf of ONCE (index NULL), or of PLACED at its place. */
    vv_status (*put_value)(vvi_sink *sink, size_t group, size_t leaf,
                           const uint64_t *index, const void *value, vv_error *err);
    /* Make all that was put count: rows[g] rows of each group (ONCE: 0 or 1; PLACED: rows put, of which a sink that keeps
     * a count counts each place once), and next_step, one past the last step logged. Returns when it is as safe as asked. */
    vv_status (*commit)(vvi_sink *sink, const uint64_t *rows, int64_t next_step,
                        vv_durability durability, vv_error *err);
    /* Bytes stored so far. */
    uint64_t (*stored)(const vvi_sink *sink);
    /* Commit what was put (the last chunk of each leaf encoded, however short) and make an ordinary, closed
     * recording. attributes: JSON object; NULL: none. */
    vv_status (*close)(vvi_sink *sink, const uint64_t *rows, int64_t next_step,
                       const char *attributes, vv_error *err);
    /* Always the last call; without close before it all stays as the last commit left it. In the child of a
     * fork (forked) nothing outside memory may be touched. */
    void (*free)(vvi_sink *sink, bool forked);
} vvi_sink_ops;

struct vvi_sink {
    const vvi_sink_ops *ops;
};

/* Where a recording that is gone on with stands. All zero for a new one. Of a leaf of ROWS, rows[g] % chunk_rows rows
 * are in its tail, and count as put. */
typedef struct vvi_resume {
    uint64_t *rows; /* of each group; NULL: none */
    void ***
        tails; /* tails[g][leaf]: the rows of the unfinished chunk of a group of ROWS; NULL: none */
    int64_t next_step; /* the least that log takes */
} vvi_resume;
void vvi_resume_clear(const vvi_plan *plan, vvi_resume *resume);

/*
 * Start recording into a sink, which the recorder owns from here on, also when this fails; schema and plan too. The
 * sinks' public calls end with it.
 */
vv_status vvi_recorder_start(vv_schema *schema, vvi_plan *plan, vvi_sink *sink,
                             const vvi_resume *resume, vv_recorder **out, vv_error *err);
/* A copy to record by: the caller may free or change his. Functions of frequencies are copied as they are. */
vv_status vvi_schema_copy(const vv_schema *schema, vv_schema **out, vv_error *err);

#endif
