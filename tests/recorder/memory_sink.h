/* A sink in memory, which can be slow, stand still, or fail; and checks what the recorder owes to a sink. */
#ifndef VV_TESTS_MEMORY_SINK_H
#define VV_TESTS_MEMORY_SINK_H

#include "recorder/sink_contract.h"

#include "recorder/sink.h"

#include <stdatomic.h>

typedef struct memory_leaf {
    size_t given, row_bytes;
    uint64_t chunk_rows;
    uint8_t *rows;
    size_t cap;
    uint64_t put; /* rows in it */
} memory_leaf;

typedef struct memory_group {
    vvi_group_kind kind;
    memory_leaf *leaves;
    size_t leaf_count;
    uint64_t places;
    uint64_t committed;
} memory_group;

/* What a recording leaves behind. Zero is an empty one. */
typedef struct memory_disk {
    memory_group *groups;
    size_t group_count;
    int64_t next_step;
    uint64_t commits, durable_commits;
    bool closed;
    char attributes[64];
    /* How it behaves: set before, or at any time where atomic. */
    atomic_ullong fail_at;   /* the n-th call fails, from 1; 0: none */
    atomic_ullong calls;     /* of encode, put, commit and close */
    atomic_uint delay_us;    /* of each call but encode */
    atomic_bool stands;      /* calls do not come back */
    uint64_t bytes_a_second; /* 0: any */
    bool count_only;         /* nothing is kept */
} memory_disk;

vv_status memory_create(memory_disk *disk, const vv_schema *schema,
                        const vv_recorder_options *options, vv_recorder **out,
                        vv_error *err);
vv_status memory_append(memory_disk *disk, const vv_schema *schema, int64_t next_step,
                        const vv_recorder_options *options, vv_recorder **out,
                        vv_error *err);
void memory_clear(memory_disk *disk);

extern const sink_kind memory_kind;

#endif
