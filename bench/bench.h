/*
 * What benchmarks share: clocks, JSON lines, sizes.
 *
 * A benchmark is a program bench_<room>.c that prints one line a case on stdout:
 *   {"case":"hamt/set","items":1000000,"ns_per_item":812.3,"cpu_ns_per_item":810.9,…}
 * scripts/bench runs all of them several times beside the peers; bench/report.py knows which
 * case is held against which, and by what bar. `bench_<room> PREFIX` runs the cases whose name
 * begins so.
 */
#ifndef VV_BENCH_H
#define VV_BENCH_H

#include <varvite/varvite.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What calls that are measured write their message to. */
extern vv_error bench_error;
/* Ends the program with the message unless expr_ gives VV_OK. */
#define BENCH_OK(expr_) bench_ok(#expr_, (expr_))
void bench_ok(const char *what, vv_status status);

/* Wall and processor time of the whole process between begin and end. */
typedef struct bench_timer {
    uint64_t wall_ns, cpu_ns;
} bench_timer;
bench_timer bench_begin(void);
/* What passed since; also usable in the middle. */
bench_timer bench_end(const bench_timer *begin);

/*
 * Print the line of a case. more: further members, `"bytes_per_item":1048576`, or NULL.
 * "bytes_per_item" makes the report print a rate; "n" is the size of a growth case.
 */
void bench_line(const char *name, uint64_t items, const bench_timer *passed,
                const char *more, ...) __attribute__((format(printf, 4, 5)));

/* Call first: keeps the prefix of the cases that the command line asks for. */
void bench_main(int argc, char **argv);
bool bench_wants(const char *name);
/* full, or quick when BENCH_QUICK is set and not "0". */
size_t bench_size(size_t full, size_t quick);

/* A new directory below $BENCH_DIR or the working directory, and its end. */
char *bench_directory(void);
void bench_remove_directory(char *path);

/* The most memory that the process has had resident, in bytes. */
uint64_t bench_peak_rss(void);
/* SplitMix64. */
uint64_t bench_random(uint64_t *state);
/* Fill with pseudo-random bytes. */
void bench_fill(void *out, size_t len, uint64_t seed);

/* Key number i of a map, as a chunk of an array is named; and its value. */
#define BENCH_KEY_MAX     64
#define BENCH_VALUE_BYTES 64
size_t bench_key(char out[BENCH_KEY_MAX], uint64_t i);
vv_bytes bench_value(uint8_t out[BENCH_VALUE_BYTES], uint64_t i);

#endif
