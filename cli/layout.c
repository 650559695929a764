#include "layout.h"

#include "out.h"

#include <varvite/encrypted.h>
#include <varvite/open.h>
#include <varvite/sharded.h>

#include <inttypes.h>
#include <string.h>

/* ---- sharded roots ------------------------------------------------------------------------- */

static vv_status count_shards(void *ctx, const vv_sharded_array *array, vv_error *err)
{
    cli_layout *self = ctx;

    (void)err;
    self->shard_count += array->shard_count;
    return VV_OK;
}

static vv_status read_index(cli_call *call, vv_store *store, cli_layout *out)
{
    vv_sharded_info info = VV_SHARDED_INFO_INIT;
    vv_status status = vv_sharded_store_info(store, &info, &call->err);

    if (status)
        return status;
    out->has_index = true;
    out->array_count = info.array_count;
    out->key_count_by_name = info.metadata_count;
    out->chunks_per_shard = info.chunks_per_shard;
    return vv_sharded_store_arrays(store, count_shards, out, &call->err);
}

/* Looks for one array. */
typedef struct index_search {
    const char *path;
    bool is_v1;
    bool found;
    uint64_t shard_count, chunks_per_shard;
} index_search;

static vv_status find_array(void *ctx, const vv_sharded_array *array, vv_error *err)
{
    index_search *self = ctx;

    (void)err;
    if (!self->is_v1 && strcmp(array->path, self->path) != 0)
        return VV_OK;
    self->found = true;
    self->shard_count = array->shard_count;
    self->chunks_per_shard = array->chunks_per_shard;
    return VV_OK;
}

static bool search_index(vv_store *store, const char *path, index_search *out)
{
    vv_sharded_info info = VV_SHARDED_INFO_INIT;

    *out = (index_search){ .path = path };
    if (vv_sharded_store_info(store, &info, NULL))
        return false;
    out->is_v1 = info.version == VV_SHARDED_V1;
    if (out->is_v1 &&
        (!info.primary_array_path || strcmp(info.primary_array_path, path) != 0))
        return false;
    return vv_sharded_store_arrays(store, find_array, out, NULL) == VV_OK && out->found;
}

void layout_print_index(vv_store *store, const char *path)
{
    index_search found;

    if (search_index(store, path, &found))
        out_format("    listed  in %s of %" PRIu64 "\n",
                   cli_count_text(found.shard_count, "shard"), found.chunks_per_shard);
}

void layout_json_index(vv_store *store, const char *path)
{
    index_search found;

    if (!search_index(store, path, &found))
        return;
    json_object("index");
    json_uint("shards", found.shard_count);
    json_uint("chunks_per_shard", found.chunks_per_shard);
    json_end();
}

/* ---- roots of every kind ---------------------------------------------------------------------- */

static vv_status read_keys(cli_call *call, vv_blockstore *blocks, const vv_cid *root,
                           cli_layout *out)
{
    vv_encrypted_info info;
    vv_status status = vv_encrypted_info_read(blocks, root, &info, &call->err);

    if (status)
        return status;
    out->has_key = info.key_count > 0;
    out->key_count = info.key_count;
    if (out->has_key)
        vv_key_id_format(info.key_ids[0], out->key_id);
    vv_encrypted_info_clear(&info);
    return VV_OK;
}

vv_status layout_read(cli_call *call, vv_store *store, cli_layout *out)
{
    vv_blockstore *blocks = NULL;
    vv_layout layout;
    vv_cid root;

    *out = (cli_layout){ .name = NULL };
    if (vv_cid_parse(call->args[0], &root, NULL))
        return VV_OK;
    vv_status status = cli_open_blocks(call, CLI_READ, &blocks);
    if (!status)
        status = vv_root_layout(blocks, &root, &layout, &call->err);
    if (!status) {
        out->name = vv_layout_name(layout);
        if (layout == VV_LAYOUT_ENCRYPTED)
            status = read_keys(call, blocks, &root, out);
        else if (layout != VV_LAYOUT_HAMT)
            status = read_index(call, store, out);
        else if (strcmp(vv_store_name(store), "HAMT") != 0)
            out->name = "HAMT, encrypted by py-hamt's format";
    }
    vv_blockstore_free(blocks);
    return status;
}

void layout_print(const cli_layout *self)
{
    if (!self->name)
        return;
    out_format("layout  %s", self->name);
    if (self->has_index) {
        out_format(": %s in %s", cli_count_text(self->array_count, "array"),
                   cli_count_text(self->shard_count, "shard"));
        if (self->chunks_per_shard)
            out_format(" of %" PRIu64, self->chunks_per_shard);
        out_format(", %s by name", cli_count_text(self->key_count_by_name, "key"));
    }
    if (self->has_key) {
        out_format(": opened by key %s", self->key_id);
        if (self->key_count > 1)
            out_format(" and %zu more", self->key_count - 1);
    }
    out_text("\n\n");
}

void layout_json(const cli_layout *self)
{
    if (!self->name)
        return;
    json_object("layout");
    json_text("name", self->name);
    if (self->has_index) {
        json_uint("arrays", self->array_count);
        json_uint("shards", self->shard_count);
        json_uint("chunks_per_shard", self->chunks_per_shard);
        json_uint("keys_by_name", self->key_count_by_name);
    }
    if (self->has_key) {
        json_text("key", self->key_id);
        json_uint("keys", self->key_count);
    }
    json_end();
}
