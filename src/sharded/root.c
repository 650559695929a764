/*
 * Reading the root of a sharded store: docs/format/sharded.md.
 *
 * Members of the root that mean nothing here are kept as they were found, so that another root written from
 * this one has them too. In the root of version 1 that goes for "chunks" as well.
 */
#include "sharded/store.h"

#include "cbor/reader.h"
#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

void vvi_root_members_clear(vvi_root_members *members)
{
    for (size_t i = 0; i < members->count; i++) {
        vv_buf_clear(&members->list[i].key);
        vv_buf_clear(&members->list[i].value);
    }
    vvi_free(members->list);
    *members = (vvi_root_members){ NULL, 0, 0 };
}

static vv_status keep_member(vvi_root_members *members, vv_bytes key, vv_bytes value,
                             vv_error *err)
{
    vvi_root_member *member;

    VVI_TRY(vvi_grow((void **)&members->list, &members->cap, members->count + 1,
                     sizeof(*members->list), err));
    member = &members->list[members->count];
    *member = (vvi_root_member){ VV_BUF_INIT, VV_BUF_INIT };
    members->count++; /* cleared with the others from here on */
    VVI_TRY(vvi_buf_append(&member->key, key, err));
    return vvi_buf_append(&member->value, value, err);
}

static bool is_text(vv_bytes key, const char *text)
{
    return vvi_bytes_equal(key, vv_bytes_of(text));
}

/* ---- maps ------------------------------------------------------------------------------------ */

typedef vv_status (*member_fn)(void *ctx, vv_bytes key, vv_bytes value, vv_error *err);

/* Go through the members of a map; value is each member's DAG-CBOR. VV_EINVAL: it is no map. */
static vv_status each_member(vv_bytes map, member_fn visit, void *ctx, vv_error *err)
{
    vv_cbor_reader reader;
    vv_cbor_item item;
    uint64_t count;
    vv_status status;

    vvi_cbor_reader_init(&reader, map);
    status = vv_cbor_next(&reader, &item, err);
    if (!status && item.kind != VV_CBOR_MAP)
        status = VV_EINVAL;
    count = status ? 0 : item.u.count;
    for (uint64_t i = 0; i < count && !status; i++) {
        vv_bytes key;
        size_t start;

        status = vv_cbor_next(&reader, &item, err);
        if (status)
            break;
        key = item.bytes;
        status = vv_cbor_next(&reader, &item, err);
        start = item.offset;
        if (!status)
            status = vvi_cbor_skip(&reader, &item, err);
        if (!status)
            status = visit(ctx, key, vvi_bytes(map.data + start, reader.at - start), err);
    }
    vvi_cbor_reader_clear(&reader);
    return status;
}

/* The one item that a member's value begins with. */
static vv_status first_item(vv_bytes value, vv_cbor_item *item, vv_error *err)
{
    vv_cbor_reader reader;
    vv_status status;

    vvi_cbor_reader_init(&reader, value);
    status = vv_cbor_next(&reader, item, err);
    vvi_cbor_reader_clear(&reader);
    return status;
}

/* A list of integers that are not negative. */
static vv_status read_lengths(vv_bytes value, const char *what, uint32_t *n,
                              uint64_t out[VVI_GRID_NDIM_MAX], vv_error *err)
{
    vv_cbor_reader reader;
    vv_cbor_item item;
    vv_status status;
    uint64_t count = 0;

    vvi_cbor_reader_init(&reader, value);
    status = vv_cbor_next(&reader, &item, err);
    if (!status && item.kind != VV_CBOR_LIST)
        status = vvi_fail(err, VV_ECORRUPT, "%s is not a list", what);
    if (!status)
        count = item.u.count;
    if (count > VVI_GRID_NDIM_MAX)
        status = vvi_fail(err, VV_EUNSUPPORTED, "%s has %" PRIu64 " dimensions", what,
                          count);
    for (uint64_t i = 0; i < count && !status; i++) {
        status = vv_cbor_next(&reader, &item, err);
        if (!status && item.kind != VV_CBOR_UINT)
            status = vvi_fail(err, VV_ECORRUPT, "%s has a length that is %s", what,
                              item.kind == VV_CBOR_NINT ? "negative" : "no number");
        if (!status)
            out[i] = item.u.uint;
    }
    *n = (uint32_t)count;
    vvi_cbor_reader_clear(&reader);
    return status;
}

/* ---- an array ---------------------------------------------------------------------------------- */

/* The members of an array, or of "chunks", that mean something; data NULL: not there. */
typedef struct array_members {
    vv_bytes shards, config, shape, chunk, primary;
    vv_bytes order, chunks_per_shard; /* of config */
    vvi_root_members *others;         /* NULL: not kept */
} array_members;

static vv_status note_array_member(void *ctx, vv_bytes key, vv_bytes value, vv_error *err)
{
    array_members *self = ctx;

    if (is_text(key, "shard_cids"))
        self->shards = value;
    else if (is_text(key, "array_shape"))
        self->shape = value;
    else if (is_text(key, "chunk_shape"))
        self->chunk = value;
    else if (is_text(key, "primary_array_path") && self->others)
        self->primary = value;
    else if (is_text(key, "sharding_config"))
        self->config = value;
    if (self->others && !is_text(key, "shard_cids") && !is_text(key, "array_shape") &&
        !is_text(key, "chunk_shape"))
        return keep_member(self->others, key, value, err);
    return VV_OK;
}

static vv_status note_config_member(void *ctx, vv_bytes key, vv_bytes value,
                                    vv_error *err)
{
    array_members *self = ctx;

    (void)err;
    if (is_text(key, "order"))
        self->order = value;
    else if (is_text(key, "chunks_per_shard"))
        self->chunks_per_shard = value;
    return VV_OK;
}

static vv_status check_list(vv_bytes value, const char *what, vv_error *err)
{
    vv_cbor_item item;

    if (!value.data)
        return vvi_fail(err, VV_ECORRUPT, "%s is missing", what);
    VVI_TRY(first_item(value, &item, err));
    if (item.kind != VV_CBOR_LIST)
        return vvi_fail(err, VV_ECORRUPT, "%s is not a list", what);
    return VV_OK;
}

/* What the members say of the grid, checked in the order that py-hamt checks it. */
static vv_status read_geometry(array_members *self, vvi_geometry *out, vv_error *err)
{
    uint64_t shape[VVI_GRID_NDIM_MAX], chunk[VVI_GRID_NDIM_MAX];
    uint32_t ndim, chunk_ndim;
    vv_cbor_item item;
    vv_status status;

    VVI_TRY(check_list(self->shards, "shard_cids", err));
    if (self->config.data) {
        status = each_member(self->config, note_config_member, self, err);
        if (status)
            return status == VV_EINVAL
                       ? vvi_fail(err, VV_ECORRUPT, "sharding_config is not a map")
                       : status;
    }
    if (!self->shape.data || !self->chunk.data || !self->chunks_per_shard.data)
        return vvi_fail(err, VV_ECORRUPT, "%s is missing",
                        !self->shape.data   ? "array_shape"
                        : !self->chunk.data ? "chunk_shape"
                                            : "chunks_per_shard");
    VVI_TRY(first_item(self->chunks_per_shard, &item, err));
    if (item.kind != VV_CBOR_UINT || item.u.uint == 0)
        return vvi_fail(err, VV_ECORRUPT, "chunks_per_shard is not a positive integer");
    VVI_TRY(read_lengths(self->shape, "array_shape", &ndim, shape, err));
    VVI_TRY(read_lengths(self->chunk, "chunk_shape", &chunk_ndim, chunk, err));
    if (ndim != chunk_ndim)
        return vvi_fail(err, VV_ECORRUPT, "array_shape has %u dimensions, chunk_shape %u",
                        ndim, chunk_ndim);
    status = vvi_geometry_init(out, ndim, shape, chunk, item.u.uint, err);
    if (status)
        return status == VV_EINVAL ? VV_ECORRUPT : status;
    if (self->order.data) {
        VVI_TRY(first_item(self->order, &item, err));
        if (item.kind != VV_CBOR_TEXT || !is_text(item.bytes, "C"))
            return vvi_fail(err, VV_EUNSUPPORTED, "the order of shards is not \"C\"");
    }
    return VV_OK;
}

static vv_status keep_odd_shard(vvi_index_entry *entry, uint64_t shard, vv_bytes value,
                                vv_error *err)
{
    vvi_odd_shard *list = vvi_realloc(entry->odd,
                                      (entry->odd_count + 1) * sizeof(*entry->odd));
    vvi_odd_shard *odd;

    if (!list)
        return vvi_fail_nomem(err, sizeof(*list));
    entry->odd = list;
    odd = &list[entry->odd_count++];
    *odd = (vvi_odd_shard){
        .shard = shard,
        .stand_in = { .codec = VV_CODEC_DAG_CBOR, .hash = VV_HASH_IDENTITY, .version = 1 }
    };
    /* One byte less than all, of what is long or a list, so that it never passes for a shard. */
    odd->stand_in.digest_len = (uint8_t)(value.len > 1 ? (value.len - 1 < VV_DIGEST_MAX
                                                              ? value.len - 1
                                                              : VV_DIGEST_MAX)
                                                       : value.len);
    memcpy(odd->stand_in.digest, value.data, odd->stand_in.digest_len);
    VVI_TRY(vvi_chunk_index_put_shard(entry->index, shard, &odd->stand_in, err));
    return vvi_buf_append(&odd->value, value, err);
}

/* Let the index have its shards. As py-hamt has it, an entry that is no link harms its own shard only. */
static vv_status read_shards(vv_bytes value, vvi_index_entry *entry, vv_error *err)
{
    vv_cbor_reader reader;
    vv_cbor_item item;
    uint64_t count = 0;
    vv_status status;

    vvi_cbor_reader_init(&reader, value);
    status = vv_cbor_next(&reader, &item, err);
    if (!status)
        count = item.u.count;
    for (uint64_t i = 0; i < count && !status; i++) {
        vv_cid cid;

        status = vv_cbor_next(&reader, &item, err);
        if (status || item.kind == VV_CBOR_NULL)
            continue;
        if (item.kind == VV_CBOR_LINK) {
            status = vv_cid_from_bytes(item.bytes, &cid, err);
            if (!status)
                status = vvi_chunk_index_put_shard(entry->index, i, &cid, err);
            continue;
        }
        status = vvi_cbor_skip(&reader, &item, err);
        if (!status)
            status = keep_odd_shard(
                entry, i, vvi_bytes(value.data + item.offset, reader.at - item.offset),
                err);
    }
    vvi_cbor_reader_clear(&reader);
    return status;
}

static vv_status add_array(vvi_sharded *self, const char *path, size_t path_len,
                           array_members *members, vv_error *err)
{
    vvi_geometry geometry;
    vvi_index_entry *entry;
    vv_cbor_item item;
    vv_status status;

    VVI_TRY(read_geometry(members, &geometry, err));
    /* Before anything that takes memory for that many. */
    VVI_TRY(first_item(members->shards, &item, err));
    if (item.u.count != geometry.shard_count)
        return vvi_fail(err, VV_ECORRUPT, "%" PRIu64 " shards are named, not %" PRIu64,
                        item.u.count, geometry.shard_count);
    if (vvi_sharded_find(self, path, path_len))
        return vvi_fail(err, VV_ECORRUPT, "there are two of it");
    VVI_TRY(vvi_sharded_reserve(self, err));
    VVI_TRY(vvi_index_entry_new(self->cache, path, path_len, &geometry, &entry, err));
    status = read_shards(members->shards, entry, err);
    if (status)
        vvi_index_entry_release(entry);
    else
        vvi_sharded_add(self, entry);
    return status;
}

static vv_status add_v2_array(void *ctx, vv_bytes key, vv_bytes value, vv_error *err)
{
    array_members members = { .others = NULL };
    const char *path = (const char *)key.data;
    size_t len = key.len;
    vv_status status = each_member(value, note_array_member, &members, err);

    vvi_path_strip(&path, &len);
    if (status == VV_EINVAL)
        status = vvi_fail(err, VV_ECORRUPT, "it is not a map");
    if (!status && memchr(path, 0, len))
        status = vvi_fail(err, VV_EUNSUPPORTED, "its path has a zero byte");
    if (!status)
        status = add_array(ctx, path, len, &members, err);
    return status
               ? vvi_wrap(err, status, "array '%.*s'", (int)(len < 200 ? len : 200), path)
               : VV_OK;
}

/* ---- the root ------------------------------------------------------------------------------------ */

typedef struct root_members {
    vvi_sharded *store;
    vv_bytes arrays, chunks, metadata, version;
    vv_bytes chunks_per_shard; /* of the root's sharding_config */
} root_members;

static vv_status note_root_config(void *ctx, vv_bytes key, vv_bytes value, vv_error *err)
{
    root_members *self = ctx;

    (void)err;
    if (is_text(key, "chunks_per_shard"))
        self->chunks_per_shard = value;
    return VV_OK;
}

static vv_status note_root_member(void *ctx, vv_bytes key, vv_bytes value, vv_error *err)
{
    root_members *self = ctx;
    vv_status status;

    if (is_text(key, "metadata")) {
        self->metadata = value;
        return VV_OK;
    }
    if (is_text(key, "arrays"))
        self->arrays = value;
    else if (is_text(key, "chunks"))
        self->chunks = value;
    else if (is_text(key, "manifest_version"))
        self->version = value;
    else if (is_text(key, "sharding_config")) {
        status = each_member(value, note_root_config, self, err);
        if (status && status != VV_EINVAL)
            return status;
    }
    return keep_member(&self->store->members, key, value, err);
}

static vv_status add_name(void *ctx, vv_bytes key, vv_bytes value, vv_error *err)
{
    vvi_sharded *self = ctx;
    vvi_naming naming = { NULL, 0, 0 };
    vv_cbor_item item;
    vv_cid cid;
    vv_status status;

    status = first_item(value, &item, err);
    if (!status && item.kind != VV_CBOR_LINK)
        status = vvi_fail(err, VV_ECORRUPT, "it has no link");
    if (!status && memchr(key.data, 0, key.len))
        status = vvi_fail(err, VV_EUNSUPPORTED, "it has a zero byte");
    if (!status)
        status = vv_cid_from_bytes(item.bytes, &cid, err);
    if (!status)
        status = vvi_naming_add(&naming, &self->names, (const char *)key.data, key.len,
                                &cid, err);
    if (!status)
        vvi_naming_apply(&naming, &self->names);
    vvi_naming_clear(&naming, &self->names);
    return status ? vvi_wrap(err, status, "metadata key '%.*s'",
                             (int)(key.len < 200 ? key.len : 200), key.data)
                  : VV_OK;
}

/* The manifest version, also of what nobody can open. */
static vv_status read_version(vvi_sharded *self, vv_bytes value, vv_error *err)
{
    vv_cbor_item item = { .kind = VV_CBOR_NULL };

    if (value.data)
        VVI_TRY(first_item(value, &item, err));
    if (item.kind == VV_CBOR_TEXT && is_text(item.bytes, VVI_SHARDED_V2_NAME))
        self->version = VV_SHARDED_V2;
    else if (item.kind == VV_CBOR_TEXT && is_text(item.bytes, VVI_SHARDED_V1_NAME))
        self->version = VV_SHARDED_V1;
    else if (item.kind == VV_CBOR_TEXT)
        return vvi_fail(err, VV_EUNSUPPORTED, "manifest version '%.*s'",
                        (int)(item.bytes.len < 100 ? item.bytes.len : 100),
                        item.bytes.data);
    else
        return vvi_fail(err, VV_EUNSUPPORTED, "no manifest version");
    return VV_OK;
}

static void drop_member(vvi_root_members *members, const char *name)
{
    for (size_t i = 0; i < members->count; i++)
        if (is_text(vvi_buf_bytes(&members->list[i].key), name)) {
            vv_buf_clear(&members->list[i].key);
            vv_buf_clear(&members->list[i].value);
            memmove(&members->list[i], &members->list[i + 1],
                    (members->count - i - 1) * sizeof(*members->list));
            members->count--;
            return;
        }
}

static vv_status load_v2(vvi_sharded *self, const root_members *root, vv_error *err)
{
    vv_cbor_item item;
    vv_status status;

    drop_member(&self->members, "arrays");
    if (!root->metadata.data || !root->arrays.data)
        return vvi_fail(err, VV_ECORRUPT, "the root has no '%s'",
                        root->arrays.data ? "metadata" : "arrays");
    status = each_member(root->metadata, add_name, self, err);
    if (!status)
        status = each_member(root->arrays, add_v2_array, self, err);
    if (status == VV_EINVAL)
        return vvi_fail(err, VV_ECORRUPT,
                        "'arrays' or 'metadata' of the root is not a map");
    VVI_TRY(status);
    /* As py-hamt takes it: the first array's number goes before the root's. */
    if (self->array_count)
        self->chunks_per_shard = self->arrays[0]->chunks_per_shard;
    else if (root->chunks_per_shard.data) {
        VVI_TRY(first_item(root->chunks_per_shard, &item, err));
        if (item.kind == VV_CBOR_UINT)
            self->chunks_per_shard = item.u.uint;
    }
    return VV_OK;
}

static vv_status load_primary(vvi_sharded *self, vv_bytes value, vv_error *err)
{
    vv_cbor_item item;
    const char *path;

    if (!value.data)
        return VV_OK;
    VVI_TRY(first_item(value, &item, err));
    if (item.kind != VV_CBOR_TEXT || memchr(item.bytes.data, 0, item.bytes.len)) {
        self->primary_odd = true;
        return VV_OK;
    }
    path = (const char *)item.bytes.data;
    vvi_path_strip(&path, &item.bytes.len);
    self->primary = vvi_strndup(path, item.bytes.len);
    self->primary_recorded = true;
    return self->primary ? VV_OK : vvi_fail_nomem(err, item.bytes.len);
}

static vv_status load_v1(vvi_sharded *self, const root_members *root, vv_error *err)
{
    array_members chunks = { .others = &self->chunks };
    vv_status status;

    drop_member(&self->members, "chunks");
    if (!root->chunks.data)
        return vvi_fail(err, VV_ECORRUPT, "the root has no 'chunks'");
    status = each_member(root->chunks, note_array_member, &chunks, err);
    if (status == VV_EINVAL)
        status = vvi_fail(err, VV_ECORRUPT, "'chunks' of the root is not a map");
    VVI_TRY(status);
    VVI_TRY(add_array(self, "", 0, &chunks, err));
    self->chunks_per_shard = self->arrays[0]->chunks_per_shard;
    VVI_TRY(load_primary(self, chunks.primary, err));
    if (!root->metadata.data)
        return vvi_fail(err, VV_ECORRUPT, "the root has no 'metadata'");
    status = each_member(root->metadata, add_name, self, err);
    return status == VV_EINVAL
               ? vvi_fail(err, VV_ECORRUPT, "'metadata' of the root is not a map")
               : status;
}

vv_status vvi_sharded_load(vvi_sharded *self, vv_bytes block, vv_error *err)
{
    root_members root = { .store = self };
    vv_status status;

    VVI_TRY(vv_cbor_validate(block, err));
    status = each_member(block, note_root_member, &root, err);
    if (status == VV_EINVAL)
        status = vvi_fail(err, VV_ECORRUPT, "it is not a map");
    VVI_TRY(status);
    VVI_TRY(read_version(self, root.version, err));
    return self->version == VV_SHARDED_V2 ? load_v2(self, &root, err)
                                          : load_v1(self, &root, err);
}
