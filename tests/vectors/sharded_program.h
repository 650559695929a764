/*
 * Programs: the steps that the vector files of sharded stores are made of, on the public calls. A step's
 * result is {"ok": value}, {"error": {"status", "message"}} or, where the call's types leave no way to
 * ask for it (a negative length), {"unasked": true}.
 */
#ifndef VV_TESTS_VECTORS_SHARDED_PROGRAM_H
#define VV_TESTS_VECTORS_SHARDED_PROGRAM_H

#include "vectors.h"

typedef struct sharded_program {
    bool
        old_form; /* sharded.json: its own names of steps, v1 roots without a recorded primary */
    vv_cid_prefix ids;     /* all zero: CIDv1 blake3 */
    vv_blockstore *blocks; /* counting_blocks.h; made by the first step */
    vv_store *store;       /* the current one */
    json_t *names;         /* remembered CIDs as texts */
    char *opened; /* the root that the current store was opened from; NULL: none */
    struct {
        char name[16];
        vv_store *store;
    } stash[8];
} sharded_program;

/* Do a step; the result is the caller's. */
json_t *sharded_program_step(sharded_program *self, const json_t *op);
void sharded_program_clear(sharded_program *self);

/* Is this what the file says? Only what binds is compared: see the READMEs of the vectors. before: the step
 * before this one, or NULL. */
bool sharded_result_binds(const sharded_program *self, const json_t *before,
                          const json_t *op, const json_t *expected, const json_t *got);

/* The name of a step, and its argument i, counted from 0. */
const char *sharded_step_name(const json_t *op);
const json_t *sharded_step_arg(const json_t *op, size_t i);

/*
 * Do all steps and compare each result. "ok" as text in expected stands for any success, "any" for any
 * result, "error" for any failure. A null expected compares nothing. On a difference a failure
 * is counted, unless it is a quirk, whose comparing only ends there. Returns the results.
 */
json_t *sharded_program_run(sharded_program *self, vector_run *run, const char *name,
                            const json_t *ops, const json_t *expected, bool is_quirk,
                            bool *right);

#endif
