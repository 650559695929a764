/* Recordings made through the public calls, whose rows follow from their steps. */
#ifndef VV_TESTS_HDF5_RUNS_H
#define VV_TESTS_HDF5_RUNS_H

#include "support/support.h"

/* Groups: 0 "init" once (box float64[3]), 1 "step" every step (positions float32[50,3], energy float64, gzip),
 * 2 "sparse" every 7 (large float64[300], zstd). */
vv_schema *run_schema(void);
vv_recorder_options run_options(vv_durability durability);
/* Log one step. */
vv_status run_log(vv_recorder *recorder, int64_t step, vv_error *err);
/* Log steps from … to - 1. */
vv_status run_log_many(vv_recorder *recorder, int64_t from, int64_t to, vv_error *err);

/*
 * Read the file with our own reader: every row that is there must be right, and the groups must agree on where it ends.
 * *next: one past the last step that is covered. VV_ECORRUPT says what is wrong.
 */
vv_status run_look(const char *path, int64_t *next, vv_error *err);
/* The same with libhdf5 as anyone opens a file: not with the recorder's driver, and no journal. Energies alone. */
vv_status run_look_plainly(const char *path, int64_t *next, vv_error *err);

/* Temporary directories in memory where that is to be had. */
void run_in_memory(void);

#endif
