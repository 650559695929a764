/* Describing arrays, and reading the JSON text that the library hands out. */
#ifndef CLI_DESCRIBE_H
#define CLI_DESCRIBE_H

#include "call.h"

#include <varvite/store.h>
#include <varvite/zarr.h>

/* A part of a text, not terminated. */
typedef struct cli_span {
    const char *at;
    size_t len;
} cli_span;

/*
 * Members of a JSON object or array, in order. The text is valid JSON: this finds the ends of
 * values and leaves them as they were written, numbers of any size included.
 */
typedef struct cli_scan {
    const char *at;
    bool object;
} cli_scan;
bool scan_begin(cli_span text, cli_scan *out); /* false: neither object nor array */
/* key is with its quotes; empty in an array. False: no more. */
bool scan_next(cli_scan *scan, cli_span *key, cli_span *value);
/* The member of an object with a plain name; false if there is none. */
bool scan_find(cli_span object, const char *name, cli_span *value);
/* A key or text without its quotes; escapes stay as they are. */
cli_span scan_unquoted(cli_span quoted);

/* The text of an attribute, its escapes resolved, to be freed; NULL where there is no such text. */
char *attribute_text(const char *attributes, const char *name);

/* Nodes of a hierarchy, as vv_node_walk() shows them. */
typedef struct cli_node {
    char *path;
    vv_node_kind kind;
    uint32_t depth;
} cli_node;
typedef struct cli_nodes {
    cli_node *items;
    size_t count, cap;
} cli_nodes;
/* VV_ENOTFOUND when there is no node at path. */
vv_status cli_nodes_read(cli_call *call, vv_store *store, const char *path,
                         bool recursive, cli_nodes *out);
void cli_nodes_clear(cli_nodes *nodes);
/* Put behind the message in call->err which arrays there are below the group at path, or the
 * nearest above it. */
void cli_suggest_arrays(cli_call *call, vv_store *store, const char *path);

/* "(TIME: 12, 90)": dimension names where there are any, and lengths. */
void print_dimensions(const vv_array_meta *meta);
/* "12 x 90 x 180" */
void print_lengths(const uint64_t *lengths, uint32_t ndim);
/* Members "dtype", "shape", "chunks", "dimensions" of the JSON object that is open. */
void json_array_shape(const vv_array_meta *meta);
/* The same lines for standard error, at most cap bytes. */
void format_dimensions(const vv_array_meta *meta, char *out, size_t cap);
void format_lengths(const uint64_t *lengths, uint32_t ndim, char *out, size_t cap);
/* The type with its parameters: "numpy.datetime64[1 ns]". */
#define CLI_DTYPE_MAX 64
void dtype_text(const vv_array_meta *meta, char out[CLI_DTYPE_MAX]);
uint64_t chunk_bytes(const vv_array_meta *meta);

#endif
