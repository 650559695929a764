#include "copy/target.h"

#include "util/buf.h"

#include <string.h>

vv_status vvi_changes_parse(const char *chunks, const char *shards, const char *codecs,
                            const char *keys, vvi_changes *out, vv_error *err)
{
    static const struct {
        const char *name;
        char separator;
        bool v2;
    } forms[] = { { "default/", '/', false },
                  { "default.", '.', false },
                  { "v2/", '/', true },
                  { "v2.", '.', true } };

    memset(out, 0, sizeof(*out));
    out->unshard = shards && strcmp(shards, "none") == 0;
    VVI_TRY(vvi_lengths_parse(chunks, "chunks", &out->chunks, err));
    VVI_TRY(vvi_lengths_parse(out->unshard ? NULL : shards, "shards", &out->shards, err));
    for (size_t i = 0; keys && i < sizeof(forms) / sizeof(*forms); i++)
        if (strcmp(keys, forms[i].name) == 0) {
            out->separator = forms[i].separator;
            out->v2_keys = forms[i].v2;
        }
    if (keys && !out->separator)
        return vvi_fail(err, VV_EINVAL,
                        "keys '%.40s': one of default/, default., v2/ and v2.", keys);
    out->codecs = codecs;
    out->any = out->chunks.count || out->shards.count || out->unshard || codecs || keys;
    return VV_OK;
}

static uint64_t clamp(uint64_t length, uint64_t shape)
{
    return length < shape ? length : shape ? shape : 1;
}

/* A dimension's own array is read whole whenever anything of that dimension is. */
static bool is_coordinate(const vv_array_meta *meta, const char *name)
{
    return meta->ndim == 1 && meta->dimension_names && meta->dimension_names[0] &&
           strcmp(meta->dimension_names[0], name) == 0;
}

/* Shards are whole chunks. */
static vv_status round_shard(vvi_target *out, uint32_t d, uint64_t wanted, vv_error *err)
{
    uint64_t inner = out->inner[d];
    uint64_t shape = out->meta.shape[d] ? out->meta.shape[d] : 1;
    uint64_t length = wanted < shape ? wanted : shape;
    uint64_t count = length / inner + (length % inner != 0);

    if (__builtin_mul_overflow(count ? count : 1, inner, &out->chunk[d]))
        return vvi_fail(err, VV_ELIMIT, "a shard longer than 2^64");
    return VV_OK;
}

static vv_status choose_lengths(const vv_array_meta *from, const char *name,
                                vvi_changes *changes, vvi_target *out, vv_error *err)
{
    const uint64_t *inner = from->inner_chunk_shape ? from->inner_chunk_shape
                                                    : from->chunk_shape;
    bool fixed = is_coordinate(from, name) && !changes->chunks.by_place;
    bool sharded = from->inner_chunk_shape && !changes->unshard;

    for (uint32_t d = 0; d < from->ndim; d++) {
        const char *dim = from->dimension_names ? from->dimension_names[d] : NULL;
        uint64_t wanted = from->inner_chunk_shape ? from->chunk_shape[d] : 0;
        uint64_t length;

        out->inner[d] = inner[d];
        if (vvi_lengths_find(&changes->chunks, dim, d, from->ndim, &length) && !fixed)
            out->inner[d] = clamp(length, from->shape[d]);
        if (vvi_lengths_find(&changes->shards, dim, d, from->ndim, &length) && !fixed) {
            sharded = true;
            wanted = length;
        }
        if (wanted)
            VVI_TRY(round_shard(out, d, wanted, err));
        else
            out->chunk[d] = out->inner[d];
    }
    out->meta.chunk_shape = sharded ? out->chunk : out->inner;
    out->meta.inner_chunk_shape = sharded ? out->inner : NULL;
    return VV_OK;
}

/* The document that an array made of this metadata gets. */
static vv_status document_of(const vv_array_meta *meta, vv_buf *out, vv_error *err)
{
    vv_store *scratch = NULL;
    vv_array *array = NULL;
    vv_status status = vv_memory_store_new(&scratch, err);

    if (!status)
        status = vv_array_create(scratch, "", meta, false, &array, err);
    if (!status)
        status = vv_array_metadata_json(array, out, err);
    vv_array_free(array);
    vv_store_free(scratch);
    return status;
}

static vv_status same_documents(const vv_array_meta *a, const vv_array_meta *b, bool *out,
                                vv_error *err)
{
    vv_buf x = VV_BUF_INIT;
    vv_buf y = VV_BUF_INIT;
    vv_status status = document_of(a, &x, err);

    if (!status)
        status = document_of(b, &y, err);
    if (!status)
        *out = vvi_bytes_equal(vvi_buf_bytes(&x), vvi_buf_bytes(&y));
    vv_buf_clear(&x);
    vv_buf_clear(&y);
    return status;
}

vv_status vvi_target_make(const vv_array_meta *from, const char *name,
                          vvi_changes *changes, vvi_target *out, vv_error *err)
{
    vv_array_meta renamed = *from;

    memset(out, 0, sizeof(*out));
    out->meta = *from;
    out->meta.struct_size = sizeof(out->meta);
    out->meta.zarr_format = 0;
    out->same_encoding = out->same_keys = true;
    if (!changes || !changes->any)
        return VV_OK;
    if (changes->separator) {
        out->meta.separator = renamed.separator = changes->separator;
        out->meta.v2_keys = renamed.v2_keys = changes->v2_keys;
        out->same_keys = changes->separator == from->separator &&
                         changes->v2_keys == from->v2_keys;
    }
    if (changes->codecs)
        out->meta.codecs = changes->codecs;
    if (from->chunk_edges && !changes->chunks.count && !changes->shards.count &&
        !changes->codecs)
        return VV_OK; /* its grid stays as it is, whatever its keys become */
    out->meta.chunk_edges = NULL;
    out->meta.chunk_edge_counts = NULL;
    VVI_TRY(choose_lengths(from, name, changes, out, err));
    renamed.struct_size = sizeof(renamed);
    renamed.zarr_format = 0;
    if (from->chunk_edges)
        out->same_encoding = false;
    else
        VVI_TRY(same_documents(&out->meta, &renamed, &out->same_encoding, err));
    return VV_OK;
}
