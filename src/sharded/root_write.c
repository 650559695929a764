/* Writing the root of a sharded store: docs/format/sharded.md. */
#include "sharded/store.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <varvite/cbor.h>

#include <stdlib.h>
#include <string.h>

/* A member to be written, kept or made from what is here now. */
typedef struct part {
    vv_bytes key;
    const vvi_root_member *kept;
    vv_status (*write)(const vvi_sharded *self, vv_buf *out, vv_error *err);
} part;

static int compare_parts(const void *a, const void *b)
{
    return vv_cbor_key_cmp(((const part *)a)->key, ((const part *)b)->key);
}

/* Write a map of the members kept and n parts more, in the order of DAG-CBOR. */
static vv_status put_parts(const vvi_sharded *self, const vvi_root_members *kept,
                           const part *more, size_t n, vv_buf *out, vv_error *err)
{
    size_t count = kept->count + n;
    part *parts = vvi_alloc_array(count, sizeof(*parts));
    vv_status status;

    if (!parts)
        return vvi_fail_nomem(err, count * sizeof(*parts));
    if (n)
        memcpy(parts, more, n * sizeof(*parts));
    for (size_t i = 0; i < kept->count; i++)
        parts[n + i] = (part){ .key = vvi_buf_bytes(&kept->list[i].key),
                               .kept = &kept->list[i] };
    qsort(parts, count, sizeof(*parts), compare_parts);
    status = vv_cbor_put_map(out, count, err);
    for (size_t i = 0; i < count && !status; i++) {
        status = vv_cbor_put_text(out, parts[i].key, err);
        if (!status && parts[i].kept)
            status = vvi_buf_append(out, vvi_buf_bytes(&parts[i].kept->value), err);
        else if (!status)
            status = parts[i].write(self, out, err);
    }
    vvi_free(parts);
    return status;
}

static vv_status put_key(vv_buf *out, const char *key, vv_error *err)
{
    return vv_cbor_put_text(out, vv_bytes_of(key), err);
}

static vv_status put_lengths(vv_buf *out, uint32_t n, const uint64_t *lengths,
                             vv_error *err)
{
    VVI_TRY(vv_cbor_put_list(out, n, err));
    for (uint32_t i = 0; i < n; i++)
        VVI_TRY(vv_cbor_put_uint(out, lengths[i], err));
    return VV_OK;
}

static vv_status put_shards(vv_buf *out, const vvi_index_entry *entry, vv_error *err)
{
    uint64_t count = vvi_chunk_index_geometry(entry->index)->shard_count;
    size_t odd = 0;

    VVI_TRY(vv_cbor_put_list(out, count, err));
    for (uint64_t i = 0; i < count; i++) {
        vv_cid cid;

        while (odd < entry->odd_count && entry->odd[odd].shard < i)
            odd++;
        if (!vvi_chunk_index_shard(entry->index, i, &cid))
            VVI_TRY(vv_cbor_put_null(out, err));
        else if (odd < entry->odd_count && entry->odd[odd].shard == i &&
                 vv_cid_equal(&cid, &entry->odd[odd].stand_in))
            VVI_TRY(vvi_buf_append(out, vvi_buf_bytes(&entry->odd[odd].value), err));
        else
            VVI_TRY(vv_cbor_put_link(out, &cid, err));
    }
    return VV_OK;
}

static vv_status put_array(vv_buf *out, const vvi_index_entry *entry, vv_error *err)
{
    const vvi_geometry *geometry = vvi_chunk_index_geometry(entry->index);

    VVI_TRY(vv_cbor_put_map(out, 4, err));
    VVI_TRY(put_key(out, "shard_cids", err));
    VVI_TRY(put_shards(out, entry, err));
    VVI_TRY(put_key(out, "array_shape", err));
    VVI_TRY(put_lengths(out, entry->ndim, geometry->grid.shape, err));
    VVI_TRY(put_key(out, "chunk_shape", err));
    VVI_TRY(put_lengths(out, entry->ndim, entry->chunk, err));
    VVI_TRY(put_key(out, "sharding_config", err));
    VVI_TRY(vv_cbor_put_map(out, 2, err));
    VVI_TRY(put_key(out, "order", err));
    VVI_TRY(put_key(out, "C", err));
    VVI_TRY(put_key(out, "chunks_per_shard", err));
    return vv_cbor_put_uint(out, entry->chunks_per_shard, err);
}

static vv_status put_arrays(const vvi_sharded *self, vv_buf *out, vv_error *err)
{
    VVI_TRY(vv_cbor_put_map(out, self->array_count, err));
    for (size_t i = 0; i < self->array_count; i++) {
        VVI_TRY(put_key(out, self->arrays[i]->path, err));
        VVI_TRY(put_array(out, self->arrays[i], err));
    }
    return VV_OK;
}

/* A link is written from the bytes of its CID as they are kept. */
static vv_status put_metadata(const vvi_sharded *self, vv_buf *out, vv_error *err)
{
    const vvi_key_entry **names;
    vv_status status;
    vv_cid cid;

    VVI_TRY(vvi_named_sorted(&self->names, &names, err));
    status = vv_cbor_put_map(out, self->names.count, err);
    for (size_t i = 0; i < self->names.count && !status; i++) {
        status = put_key(out, names[i]->key, err);
        vvi_named_cid(names[i], &cid);
        if (!status)
            status = vv_cbor_put_link(out, &cid, err);
    }
    vvi_free(names);
    return status;
}

/* ---- version 1 ------------------------------------------------------------------------------- */

static vv_status put_v1_shards(const vvi_sharded *self, vv_buf *out, vv_error *err)
{
    return put_shards(out, self->arrays[0], err);
}

static vv_status put_v1_shape(const vvi_sharded *self, vv_buf *out, vv_error *err)
{
    const vvi_index_entry *entry = self->arrays[0];

    return put_lengths(out, entry->ndim,
                       vvi_chunk_index_geometry(entry->index)->grid.shape, err);
}

static vv_status put_v1_chunk(const vvi_sharded *self, vv_buf *out, vv_error *err)
{
    return put_lengths(out, self->arrays[0]->ndim, self->arrays[0]->chunk, err);
}

static vv_status put_v1_primary(const vvi_sharded *self, vv_buf *out, vv_error *err)
{
    return put_key(out, self->primary, err);
}

static bool has_member(const vvi_root_members *members, const char *name)
{
    for (size_t i = 0; i < members->count; i++)
        if (vvi_bytes_equal(vvi_buf_bytes(&members->list[i].key), vv_bytes_of(name)))
            return true;
    return false;
}

static vv_status put_chunks(const vvi_sharded *self, vv_buf *out, vv_error *err)
{
    const part parts[] = {
        { .key = vv_bytes_of("shard_cids"), .write = put_v1_shards },
        { .key = vv_bytes_of("array_shape"), .write = put_v1_shape },
        { .key = vv_bytes_of("chunk_shape"), .write = put_v1_chunk },
        { .key = vv_bytes_of("primary_array_path"), .write = put_v1_primary },
    };
    bool with_primary = self->primary && !self->without_primary &&
                        !has_member(&self->chunks, "primary_array_path");

    return put_parts(self, &self->chunks, parts, with_primary ? 4 : 3, out, err);
}

vv_status vvi_sharded_encode(const vvi_sharded *self, vv_buf *out, vv_error *err)
{
    bool is_v1 = self->version == VV_SHARDED_V1;
    const part parts[] = {
        { .key = vv_bytes_of(is_v1 ? "chunks" : "arrays"),
          .write = is_v1 ? put_chunks : put_arrays },
        { .key = vv_bytes_of("metadata"), .write = put_metadata },
    };

    return put_parts(self, &self->members, parts, 2, out, err);
}

/* ---- new roots --------------------------------------------------------------------------------- */

/* Add a member whose value is yet to be written. */
static vv_status new_member(vvi_root_members *members, const char *key, vv_buf **value,
                            vv_error *err)
{
    vvi_root_member *member;

    VVI_TRY(vvi_grow((void **)&members->list, &members->cap, members->count + 1,
                     sizeof(*members->list), err));
    member = &members->list[members->count++];
    *member = (vvi_root_member){ VV_BUF_INIT, VV_BUF_INIT };
    *value = &member->value;
    return vvi_buf_append_text(&member->key, key, err);
}

static vv_status new_text(vvi_root_members *members, const char *key, const char *text,
                          vv_error *err)
{
    vv_buf *value;

    VVI_TRY(new_member(members, key, &value, err));
    return put_key(value, text, err);
}

vv_status vvi_sharded_new_members(vvi_sharded *self, vv_error *err)
{
    bool is_v1 = self->version == VV_SHARDED_V1;
    vv_buf *value;

    VVI_TRY(new_text(&self->members, "manifest_version",
                     is_v1 ? VVI_SHARDED_V1_NAME : VVI_SHARDED_V2_NAME, err));
    VVI_TRY(new_member(is_v1 ? &self->chunks : &self->members, "sharding_config", &value,
                       err));
    VVI_TRY(vv_cbor_put_map(value, is_v1 ? 1 : 2, err));
    if (!is_v1) {
        VVI_TRY(put_key(value, "order", err));
        VVI_TRY(put_key(value, "C", err));
    }
    VVI_TRY(put_key(value, "chunks_per_shard", err));
    VVI_TRY(vv_cbor_put_uint(value, self->chunks_per_shard, err));
    if (is_v1)
        return VV_OK;
    VVI_TRY(new_text(&self->members, "store_type", "py_hamt.sharded_zarr", err));
    VVI_TRY(new_member(&self->members, "zarr_format", &value, err));
    return vv_cbor_put_uint(value, 3, err);
}
