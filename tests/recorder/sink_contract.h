/*
 * What every sink of a recorder owes: run by the tests of each, and by those of the recorder over a sink in memory.
 *
 * Values are made from group, leaf and step, so that what was logged need not be kept.
 */
#ifndef VV_TESTS_SINK_CONTRACT_H
#define VV_TESTS_SINK_CONTRACT_H

#include "support/support.h"

/* A kind of sink under test. A place is where one recording lies: a file, a store. */
typedef struct sink_kind {
    const char *name;
    void *(*make)(void); /* an empty place */
    void (*unmake)(void *place);
    vv_status (*create)(void *place, const vv_schema *schema,
                        const vv_recorder_options *options, vv_recorder **out,
                        vv_error *err);
    vv_status (*append)(void *place, const vv_schema *schema, int64_t next_step,
                        const vv_recorder_options *options, vv_recorder **out,
                        vv_error *err);
    /*
     * Read a leaf (in the schema's numbers; CONTRACT_STEPS: the steps of rows, int64) as one who comes now would:
     * *rows of it, one behind the other, in out. ONCE: 0 or 1 row. A caller's own frequency: every place of the extent
     * as a row, whatever stands where nothing was put.
     */
    vv_status (*read)(void *place, const vv_schema *schema, size_t group, size_t leaf,
                      uint64_t *rows, vv_buf *out, vv_error *err);
    bool not_while_open; /* a recording cannot be read while a recorder has it */
} sink_kind;
#define CONTRACT_STEPS SIZE_MAX

/* Runs the suite; the number of failed tests, as cmocka gives it. */
int run_sink_contract(const sink_kind *kind);

/* ---- what the suite and other tests are made of ------------------------------------------------- */

/* The value of a leaf at a step: bytes of it, into out. Of bools, 0 or 1. */
void contract_value(const vv_schema *schema, size_t group, size_t leaf, int64_t step,
                    uint8_t *out);
/* Log all groups that are due. */
vv_status contract_log(vv_recorder *recorder, int64_t step, vv_error *err);
/* A group's rows are those that it has of steps 0 to next_step - 1, no more and no fewer. */
void contract_check(const sink_kind *kind, void *place, const vv_schema *schema,
                    int64_t next_step);
/* The schema of the suite, with all kinds of groups, leaves and element types. */
vv_schema *contract_schema(void);
/* The same with random groups and leaves. */
vv_schema *contract_random_schema(uint64_t *random);

#endif
