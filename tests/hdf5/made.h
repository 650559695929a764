/* Recordings made by calling the sink itself, and checked by reading them back. */
#ifndef VV_TESTS_HDF5_MADE_H
#define VV_TESTS_HDF5_MADE_H

#include "hdf5/sink.h"
#include "support/support.h"

/*
 * A plan: group 0 "once" with a box (float64[3,3]) and a count (int32), group 1 "step" with positions (float32[40,3]),
 * energy (float64), flag (bool) and bits (bfloat16[5]), group 2 "placed" in an extent of (6, 4) with big
 * (float64[700]) and small (int16).
 */
typedef struct made {
    vvi_plan plan;
    vvi_plan_group groups[3];
    vvi_plan_leaf leaves[3][5];
    vv_tree *config, *trees[3];
} made;

enum {
    MADE_ONCE,
    MADE_STEP,
    MADE_PLACED
};
#define MADE_STEP_LEAVES 5 /* with the steps */

void made_init(made *m, vv_compression_codec codec, bool checksum);
void made_clear(made *m);

/* Row number row of a leaf, or its value at a place. */
void made_value(const made *m, size_t group, size_t leaf, uint64_t row, void *out);
/* The rows of a chunk, as many as there are before end; to be freed. */
void *made_rows(const made *m, size_t leaf, uint64_t chunk, uint64_t end);

/* A writer: puts rows of group 1 as the recorder would. */
typedef struct made_writer {
    const made *m;
    vvi_sink *sink;
    uint64_t put[MADE_STEP_LEAVES]; /* rows of each leaf that were put */
    uint64_t rows[3];
    int64_t next_step;
} made_writer;

/* Put rows up to end, whole chunks encoded, the rest as tails, and commit. */
vv_status made_write(made_writer *w, uint64_t end, vv_durability durability,
                     vv_error *err);
/* The same for the end of the recording; frees the sink. */
vv_status made_close(made_writer *w, uint64_t end, vv_error *err);
/* Put the values of group 0, or of places first to end - 1 of group 2; commit_ counts them. */
vv_status made_put_once(made_writer *w, vv_error *err);
vv_status made_put_places(made_writer *w, uint64_t first, uint64_t end, vv_error *err);

/* Read the file with our own reader: rows[] rows of each group, all of them right. Fails the test otherwise, saying
 * when. Returns how many rows group 1 has. */
uint64_t made_check(const made *m, const char *path, const char *when);
/* The same, without failing; *rows of each group. */
vv_status made_look(const made *m, const char *path, uint64_t rows[3], vv_error *err);

#endif
