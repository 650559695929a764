/*
 * varvite-vectors: runs golden vector files. A kind is a file name (hamt_small.json); each kind
 * has one function, in the file of its room, and one line in kinds.def.
 */
#ifndef VV_TESTS_VECTORS_H
#define VV_TESTS_VECTORS_H

#include <varvite/varvite.h>

#include <jansson.h>

/* What has been counted so far, and where we are. */
typedef struct vector_run {
    const char *file; /* path of the file being run */
    uint64_t passed, failed, skipped;
} vector_run;

typedef void (*vector_fn)(vector_run *run, const json_t *document);

/* Count one case. name tells it apart within the file; a failure prints file, name and why. */
void vector_pass(vector_run *run);
void vector_fail(vector_run *run, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Count a case that this build does not cover, and print why, once a reason. */
void vector_skip(vector_run *run, const char *name, const char *why);

/* Helpers; text members that are missing give NULL or the default. */
const char *text_of(const json_t *object, const char *member);
int64_t int_of(const json_t *object, const char *member, int64_t otherwise);
/* Bytes from hexadecimal text; aborts the program on bad text. Free with vv_buf_clear(). */
vv_buf bytes_of_hex(const char *hex);
/* Hexadecimal of bytes; free(). */
char *hex_of(vv_bytes bytes);

/* Append the DAG-CBOR form of a typed value ({"int":"3"}, …). */
vv_status vector_encode(const json_t *typed, vv_buf *out);

/* Of no fixed name. */
void run_trajectory(vector_run *run, const json_t *document);

#define VECTOR_KIND(file_, function_) void function_(vector_run *, const json_t *);
#define VECTOR_LATER(file_, why_)
#include "kinds.def"
#undef VECTOR_KIND
#undef VECTOR_LATER

#endif
