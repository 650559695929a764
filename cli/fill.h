/* What the commands that fill a tree share, copy and import: their common options, making safe what is
 * stored as they go, and naming what is there when they are stopped. */
#ifndef CLI_FILL_H
#define CLI_FILL_H

#include "progress.h"
#include "stores.h"

typedef struct cli_fill {
    cli_call *call;
    cli_progress progress;
    vv_blockstore *blocks; /* NULL: into a directory */
    uint64_t flushed_ms;
    /* From the options: */
    uint64_t memory_bytes;
    uint32_t threads;
    char *chunks, *shards; /* all --chunk, all --shard, joined; NULL: none */
    const char **arrays;   /* all that are chosen by name; NULL: all there are */
    size_t array_count;
} cli_fill;

/* --threads, --memory, --chunk, --shard, --root against --resume, and the option that chooses arrays.
 * Clear it also after a failure. */
vv_status cli_fill_init(cli_fill *fill, cli_call *call, const char *arrays_option);
void cli_fill_clear(cli_fill *fill);

/* A vv_progress_fn; ctx begins with a cli_fill. */
vv_status cli_fill_tick(void *ctx, const vv_progress *at);

/* Name what was stored before the end came, so that the next run can go on from there; verb is what was
 * done to it, "copied". The failure stays in call->err. */
void cli_fill_save_part(cli_fill *fill, cli_tree *tree, const char *verb);

#endif
