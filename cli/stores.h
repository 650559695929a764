/* Opening what a command works on: the block store, and the tree below a root. */
#ifndef CLI_STORES_H
#define CLI_STORES_H

#include "call.h"

#include <varvite/blockstore.h>
#include <varvite/crypto.h>
#include <varvite/open.h>
#include <varvite/store.h>

/* The URL or directory of the chosen store, to be freed with free(). */
vv_status cli_store_url(cli_call *call, char **out);

typedef enum cli_access {
    CLI_READ,
    CLI_WRITE
} cli_access;

vv_status cli_open_blocks(cli_call *call, cli_access access, vv_blockstore **out);

/* The tree of a root, the Zarr store in a directory, or a recording, for reading. An encrypted root is
 * opened by the key of --key-file, --key-fd or --key-env. */
vv_status cli_open_root(cli_call *call, const char *root, vv_store **out);
/* The same for listings: in a sharded root with one group at its top that group cannot be left out. So it is of all
 * that is opened below too, where what is not there must not be found in another place. */
vv_status cli_open_root_listed(cli_call *call, const char *root, vv_store **out);
/* The same by a key in hand, NULL for none; the tree of a root in blocks, NULL for the chosen store. */
vv_status cli_open_root_by(cli_call *call, const char *root, const vv_key *key,
                           vv_blockstore *blocks, vv_store **out);
/* Is it the CID of a root of our own encrypted format? */
bool cli_root_is_encrypted(cli_call *call, const char *root);

/* "ROOT:PATH" taken apart, both to be freed; "" where there is no path. A directory whose name has a
 * colon is taken as it is. */
void cli_split_root(const char *text, char **root, char **path);

/* A file or directory that cannot be read as a data set: where it is a root instead, say so, and what to
 * do with one. */
vv_status cli_check_source(cli_call *call, vv_status status, const char *source,
                           const char *instead);

/* VV_EIO where there is no directory to make target in: it is no answer to what was asked, so no
 * VV_ENOTFOUND. */
vv_status cli_check_parent(cli_call *call, const char *target);

/* A directory, open as a store, to write a hierarchy into: new, empty, or with a hierarchy in it. Other
 * files are left alone: what is written would be hard to tell among them, and the next --force would delete
 * them with it. */
vv_status cli_check_directory(cli_call *call, vv_store *store, const char *path);

/*
 * A tree to change: that of root, or an empty one for NULL. --bucket-size, --hash, --layout and
 * --chunks-per-shard are obeyed where the command has them; so is the key that key_option names ("key" for
 * --key-file and its like), with which a new tree is encrypted.
 */
typedef struct cli_tree {
    vv_blockstore *blocks;
    vv_store *store;
} cli_tree;
vv_status cli_tree_open(cli_call *call, const char *root, cli_tree *out);
vv_status cli_tree_open_by(cli_call *call, const char *root, const char *key_option,
                           cli_tree *out);
/* Save it, make it durable, and name it. */
vv_status cli_tree_commit(cli_call *call, cli_tree *tree, vv_cid *root);
/* The same, and print the new root. */
vv_status cli_tree_finish(cli_call *call, cli_tree *tree);
void cli_tree_clear(cli_tree *tree);

/* A path as the stores want it: no slashes at its ends. In place. */
char *cli_trim_slashes(char *path);

#endif
