/* What info says of how a root is laid out. */
#ifndef CLI_LAYOUT_H
#define CLI_LAYOUT_H

#include "stores.h"

typedef struct cli_layout {
    const char *name; /* NULL: not of a root */
    bool has_key;     /* encrypted; with the next */
    char key_id[VV_KEY_ID_TEXT_MAX];
    size_t key_count;
    bool has_index; /* sharded; with the rest */
    uint64_t array_count, key_count_by_name, shard_count, chunks_per_shard;
} cli_layout;

/* store is what the command's first operand names. */
vv_status layout_read(cli_call *call, vv_store *store, cli_layout *out);
/* "layout  sharded v2: 1 array …"; nothing where there is no root. */
void layout_print(const cli_layout *layout);
void layout_json(const cli_layout *layout);

/* Of an array in the index of a sharded root: its shards; nothing for others. */
void layout_print_index(vv_store *store, const char *path);
void layout_json_index(vv_store *store, const char *path);

#endif
