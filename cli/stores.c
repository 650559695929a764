#include "stores.h"

#include "keys.h"
#include "out.h"

#include <varvite/trajectory.h>
#include <varvite/zarr.h>

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_directory(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static vv_status neither(cli_call *call, vv_status status, const char *root)
{
    char text[VV_ERROR_MESSAGE_SIZE];
    if (access(root, F_OK) == 0)
        return cli_fail(
            call, status,
            "'%.100s' is a file, not a root; 'varvite import' takes netCDF and "
            "HDF5 files in and prints their root",
            root);

    const char *why = strstr(call->err.message,
                             "is no CID: "); /* less what is said here */

    strcpy(text, why ? why + strlen("is no CID: ") : call->err.message);
    return cli_fail(call, status, "'%.100s' is neither a CID nor a directory: %s", root,
                    text);
}

/* A recording is read as the Zarr hierarchy that it shows. */
static vv_status open_recording(cli_call *call, vv_status status, const char *root,
                                vv_store **out)
{
    bool asked = call->command && strncmp(call->command->name, "traj ", 5) == 0;
    vv_error why = VV_ERROR_INIT;
    vv_status opened = vv_traj_store_open(root, out, &why);

    if (!opened)
        return VV_OK;
    return asked ? cli_fail(call, opened, "%s", why.message)
                 : neither(call, status, root);
}

/* --key-header, the associated data of py-hamt's encrypted format. */
static vv_bytes header_option(const cli_call *call)
{
    const char *text = cli_text(call, "key-header");

    return text ? vv_bytes_of(text) : (vv_bytes){ NULL, 0 };
}

/* What the key of an encrypted root is given by, said where it lacks. */
static vv_status want_key(cli_call *call, vv_status status)
{
    char text[VV_ERROR_MESSAGE_SIZE];

    if (status != VV_EAUTH || !strstr(call->err.message, "it is opened by key"))
        return status;
    strcpy(text, call->err.message);
    return cli_fail(call, status, "%s; give --key-file, --key-fd or --key-env", text);
}

/* stored: keys are those that the root has; see vv_sharded_options. */
static vv_status open_root(cli_call *call, const char *root, const vv_key *key,
                           bool stored, vv_blockstore *blocks, vv_store **out)
{
    vv_root_options options = VV_ROOT_OPTIONS_INIT;
    vv_cid cid;

    vv_status status = vv_cid_parse(root, &cid, &call->err);
    if (status && is_directory(root))
        return vv_directory_store_open(root, true, out, &call->err);
    if (status)
        return open_recording(call, status, root, out);
    if (blocks)
        blocks = vv_blockstore_retain(blocks);
    else
        status = cli_open_blocks(call, CLI_READ, &blocks);
    if (status)
        return status;
    options.read_only = true;
    options.key = key;
    options.header = key ? header_option(call) : (vv_bytes){ NULL, 0 };
    options.sharded = VV_SHARDED_OPTIONS_INIT;
    options.sharded.stored_keys = stored;
    status = vv_root_open(blocks, &cid, &options, out, &call->err);
    vv_blockstore_free(blocks);
    return status ? want_key(call, cli_wrap(call, status, "root")) : VV_OK;
}

vv_status cli_open_root_by(cli_call *call, const char *root, const vv_key *key,
                           vv_blockstore *blocks, vv_store **out)
{
    return open_root(call, root, key, true, blocks, out);
}

static vv_status open_with_key(cli_call *call, const char *root, bool stored,
                               vv_store **out)
{
    vv_key *key;
    vv_status status = cli_key(call, "key", &key);

    if (!status)
        status = open_root(call, root, key, stored, NULL, out);
    vv_key_free(key);
    return status;
}

vv_status cli_open_root(cli_call *call, const char *root, vv_store **out)
{
    return open_with_key(call, root, false, out);
}

vv_status cli_open_root_listed(cli_call *call, const char *root, vv_store **out)
{
    return open_with_key(call, root, true, out);
}

bool cli_root_is_encrypted(cli_call *call, const char *root)
{
    vv_blockstore *blocks = NULL;
    vv_layout layout = VV_LAYOUT_HAMT;
    vv_cid cid;

    if (vv_cid_parse(root, &cid, NULL) == VV_OK &&
        cli_open_blocks(call, CLI_READ, &blocks) == VV_OK)
        (void)vv_root_layout(blocks, &cid, &layout, NULL);
    vv_blockstore_free(blocks);
    return layout == VV_LAYOUT_ENCRYPTED;
}

vv_status cli_check_source(cli_call *call, vv_status status, const char *source,
                           const char *instead)
{
    vv_cid cid;

    if (status != VV_ENOTFOUND || vv_cid_parse(source, &cid, NULL))
        return status;
    return cli_usage(call, "%.100s is a root, and a file or a directory is wanted; %s",
                     source, instead);
}

void cli_split_root(const char *text, char **root, char **path)
{
    const char *colon = is_directory(text) ? NULL : strchr(text, ':');

    *root = cli_strdup(text);
    *path = cli_strdup(colon ? colon + 1 : "");
    if (colon)
        (*root)[colon - text] = '\0';
    cli_trim_slashes(*path);
}

vv_status cli_check_parent(cli_call *call, const char *target)
{
    size_t len = strlen(target);

    while (len > 1 && target[len - 1] == '/')
        len--;
    while (len && target[len - 1] != '/')
        len--;
    if (len <= 1)
        return VV_OK;
    char *parent = cli_strdup(target);
    parent[len - 1] = '\0';
    bool good = is_directory(parent);
    free(parent);
    return good ? VV_OK
                : cli_fail(call, VV_EIO, "%.300s: there is no directory for it", target);
}

/* How the blocks of the tree are named: as its root is, else as --hash says. */
static vv_status name_blocks(cli_call *call, const vv_cid *root, vv_cid_prefix *ids)
{
    uint32_t hash;

    if (cli_text(call, "hash")) {
        vv_status status = cli_hash_option(call, &hash);
        if (status)
            return status;
        if (root && root->hash != hash)
            return cli_usage(call, "--hash %s: the tree of ROOT is named by %s",
                             vv_hash_name(hash), vv_hash_name(root->hash));
        *ids = (vv_cid_prefix){ .hash = hash, .version = 1 };
    }
    if (root)
        *ids = (vv_cid_prefix){ .hash = root->hash,
                                .version = root->version,
                                .digest_len = root->digest_len };
    return VV_OK;
}

/* --layout, of a new tree; with a key and without --layout it is our encrypted one. */
static vv_status layout_option(cli_call *call, bool is_new, bool with_key, vv_layout *out)
{
    static const struct {
        const char *name;
        vv_layout layout;
    } layouts[] = { { "hamt", VV_LAYOUT_HAMT },
                    { "sharded", VV_LAYOUT_SHARDED_V2 },
                    { "encrypted", VV_LAYOUT_ENCRYPTED } };
    const char *text = cli_text(call, "layout");

    *out = with_key ? VV_LAYOUT_ENCRYPTED : VV_LAYOUT_HAMT;
    if (text && !is_new)
        return cli_usage(call,
                         "--layout is of a new tree; one that is there keeps its own");
    for (size_t i = 0; text && i < sizeof(layouts) / sizeof(*layouts); i++)
        if (strcmp(text, layouts[i].name) == 0)
            *out = layouts[i].layout;
    if (*out == VV_LAYOUT_SHARDED_V2 && with_key)
        return cli_usage(call, "--layout sharded is not encrypted: leave the key out");
    if (*out == VV_LAYOUT_ENCRYPTED && !with_key)
        return cli_usage(call, "--layout encrypted needs a key: --key-file, --key-fd or "
                               "--key-env");
    if (cli_text(call, "chunks-per-shard") && *out != VV_LAYOUT_SHARDED_V2)
        return cli_usage(call, "--chunks-per-shard is of a new sharded tree");
    return VV_OK;
}

/* What a tree is opened or begun with, apart from its key. */
static vv_status tree_options(cli_call *call, const vv_cid *root, bool with_key,
                              vv_root_options *options)
{
    vv_cid_prefix ids = { .hash = 0 };
    uint64_t bucket;

    *options = VV_ROOT_OPTIONS_INIT;
    vv_status status = layout_option(call, !root, with_key, &options->layout);
    if (!status)
        status = cli_number(call, "bucket-size", 0, UINT32_MAX, &bucket);
    if (!status)
        status = name_blocks(call, root, &ids);
    if (status)
        return status;
    options->hamt = VV_HAMT_OPTIONS_INIT;
    options->sharded = VV_SHARDED_OPTIONS_INIT;
    options->encrypted = VV_ENCRYPTED_OPTIONS_INIT;
    options->hamt.ids = options->sharded.ids = options->encrypted.ids = ids;
    options->hamt.max_bucket_size = options->encrypted.max_bucket_size = (uint32_t)bucket;
    options->sharded.stored_keys = true;
    return cli_number(call, "chunks-per-shard", 0, UINT64_MAX,
                      &options->sharded.chunks_per_shard);
}

vv_status cli_tree_open_by(cli_call *call, const char *root, const char *key_option,
                           cli_tree *out)
{
    vv_root_options options;
    vv_key *key = NULL;
    vv_cid cid;

    *out = (cli_tree){ NULL, NULL };
    vv_status status = root ? cli_cid(call, root, &cid) : VV_OK;
    if (!status)
        status = cli_key(call, key_option, &key);
    if (!status)
        status = tree_options(call, root ? &cid : NULL, key, &options);
    if (!status)
        status = cli_open_blocks(call, CLI_WRITE, &out->blocks);
    if (!status) {
        options.key = key;
        options.header = key ? header_option(call) : (vv_bytes){ NULL, 0 };
        status = vv_root_open(out->blocks, root ? &cid : NULL, &options, &out->store,
                              &call->err);
        if (status)
            want_key(call, cli_wrap(call, status, "root"));
    }
    vv_key_free(key);
    return status;
}

vv_status cli_tree_open(cli_call *call, const char *root, cli_tree *out)
{
    return cli_tree_open_by(call, root, "key", out);
}

vv_status cli_tree_commit(cli_call *call, cli_tree *tree, vv_cid *root)
{
    return vv_store_commit(tree->store, root, &call->err);
}

vv_status cli_tree_finish(cli_call *call, cli_tree *tree)
{
    vv_cid root;
    vv_status status = cli_tree_commit(call, tree, &root);

    if (status)
        return status;
    if (call->json) {
        json_object(NULL);
        json_cid("root", &root);
        json_end();
    } else {
        out_cid(&root);
        out_text("\n");
    }
    return VV_OK;
}

/* Does it hold anything but files of our own that were not finished? */
static bool holds_files(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    bool found = false;

    while (dir && !found && (entry = readdir(dir)))
        found = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                strncmp(entry->d_name, ".varvite-", 9) != 0;
    if (dir)
        closedir(dir);
    return found;
}

vv_status cli_check_directory(cli_call *call, vv_store *store, const char *path)
{
    vv_node_kind kind;

    vv_status status = vv_node_kind_of(store, "", &kind, &call->err);
    if (status || kind != VV_NODE_NONE || !holds_files(path))
        return status;
    return cli_fail(call, VV_EINVAL,
                    "%.200s holds files and no Zarr hierarchy; give a new or an empty "
                    "directory",
                    path);
}

void cli_tree_clear(cli_tree *tree)
{
    vv_store_free(tree->store);
    vv_blockstore_free(tree->blocks);
    *tree = (cli_tree){ NULL, NULL };
}

char *cli_trim_slashes(char *path)
{
    size_t len = strlen(path);

    while (len && path[len - 1] == '/')
        path[--len] = '\0';
    while (*path == '/')
        path++;
    return path;
}
