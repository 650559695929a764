/* Codec "sharding_indexed": an array as inner chunks, each encoded by itself, and their index. */
#include "codec/sharding.h"

#include "codec/ops.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

#define ABSENT      UINT64_MAX
#define ENTRY_BYTES sizeof(vvi_shard_entry)
/* Shards within shards; configure and decode go down as far. */
#define DEPTH_MAX 4

typedef struct sharding_state {
    vvi_sharding shard;
    vvi_dtype dtype;
    size_t inner_bytes; /* of an inner chunk's elements */
    vv_buf fill;        /* one element, and behind it what it points at */
    uint64_t strides[VVI_GRID_NDIM_MAX], inner_strides[VVI_GRID_NDIM_MAX]; /* in bytes */
    bool
        in_a_row; /* an inner chunk's elements lie in the shard as in a chunk of its own */
} sharding_state;

/* ---- settings ------------------------------------------------------------------------------ */

static vv_status read_grid(const vvi_codec *self, const vvi_json *settings,
                           const vvi_codec_array *array, vvi_sharding *shard,
                           vv_error *err)
{
    const vvi_json *lengths = vvi_json_get(settings, "chunk_shape");
    uint64_t chunk[VVI_GRID_NDIM_MAX];
    uint64_t chunks = 1;
    uint32_t d = 0;

    if (array->ndim > VVI_GRID_NDIM_MAX)
        return vvi_fail(err, VV_EUNSUPPORTED, "codec %s: %" PRIu32 " dimensions",
                        self->name, array->ndim);
    if (!vvi_json_is(lengths, VVI_JSON_ARRAY) || vvi_json_count(lengths) != array->ndim)
        return vvi_fail(err, VV_ECORRUPT,
                        "codec %s: 'chunk_shape' must list %" PRIu32 " lengths",
                        self->name, array->ndim);
    for (const vvi_json *m = vvi_json_first(lengths); m; m = vvi_json_next(m), d++) {
        if (!vvi_json_uint64(m, &chunk[d]) || chunk[d] == 0 ||
            array->shape[d] % chunk[d] != 0)
            return vvi_fail(err, VV_ECORRUPT,
                            "codec %s: 'chunk_shape' must divide the %" PRIu64
                            " elements of a shard in dimension %" PRIu32,
                            self->name, array->shape[d], d);
        if (__builtin_mul_overflow(chunks, array->shape[d] / chunk[d], &chunks) ||
            chunks > VVI_CHUNK_BYTES_MAX / ENTRY_BYTES)
            return vvi_fail(err, VV_EUNSUPPORTED,
                            "codec %s: more than %" PRIu64 " chunks in a shard",
                            self->name, VVI_CHUNK_BYTES_MAX / ENTRY_BYTES);
    }
    if (vvi_grid_init(&shard->grid, array->ndim, array->shape, chunk, err))
        return vvi_wrap(err, VV_ECORRUPT, "codec %s", self->name);
    shard->chunk_count = (size_t)chunks;
    return VV_OK;
}

static vv_status read_location(const vvi_codec *self, const vvi_json *settings,
                               vvi_sharding *shard, vv_error *err)
{
    const vvi_json *location = vvi_json_get(settings, "index_location");

    shard->index_at_start = vvi_json_is_text(location, "start");
    if (location && !shard->index_at_start && !vvi_json_is_text(location, "end"))
        return vvi_fail(err, VV_ECORRUPT,
                        "codec %s: 'index_location' must be \"start\" or \"end\"",
                        self->name);
    return VV_OK;
}

static vv_status read_inner(const vvi_codec *self, const vvi_json *settings,
                            const vvi_codec_stage *stage, sharding_state *state,
                            vv_error *err)
{
    const vvi_grid *grid = &state->shard.grid;
    vvi_codec_array array = stage->array;
    vv_status status;

    array.shape = grid->chunk;
    array.elements = grid->chunk_elements;
    status = vvi_codec_chain_make(vvi_json_get(settings, "codecs"), &array,
                                  stage->depth + 1, &state->shard.inner, err);
    return status ? vvi_wrap(err, status, "codec %s: member 'codecs'", self->name)
                  : VV_OK;
}

/* The index is an array of its own: of uint64, shaped as the grid with a last dimension of 2. */
static vv_status read_index_codecs(const vvi_codec *self, const vvi_json *settings,
                                   const vvi_codec_stage *stage, vvi_sharding *shard,
                                   vv_error *err)
{
    static const char usual[] =
        "[{\"name\":\"bytes\",\"configuration\":{\"endian\":\"little\"}},\"crc32c\"]";
    const vvi_json *codecs = vvi_json_get(settings, "index_codecs");
    uint64_t shape[VVI_CODEC_NDIM_MAX];
    vvi_codec_array array = { .ndim = shard->grid.ndim + 1,
                              .shape = shape,
                              .elements = 2 * (uint64_t)shard->chunk_count };
    vvi_json *made = NULL;
    vv_status status = VV_OK;

    vvi_dtype_init(VV_UINT64, &array.dtype);
    memcpy(shape, shard->grid.count, shard->grid.ndim * sizeof(shape[0]));
    shape[shard->grid.ndim] = 2;
    if (!codecs)
        status = vvi_json_parse(vv_bytes_of(usual), &made, err);
    if (!status)
        status = vvi_codec_chain_make(codecs ? codecs : made, &array, stage->depth + 1,
                                      &shard->index, err);
    vvi_json_free(made);
    if (status)
        return vvi_wrap(err, status, "codec %s: member 'index_codecs'", self->name);
    if (!vvi_codec_chain_encoded_size(shard->index, &shard->index_bytes))
        return vvi_fail(err, VV_ECORRUPT,
                        "codec %s: 'index_codecs' make an index of no fixed length",
                        self->name);
    return VV_OK;
}

/* A copy of the fill value that stays. */
static vv_status keep_fill(sharding_state *state, const void *fill, vv_error *err)
{
    size_t item = state->dtype.item;
    vv_bytes text = { NULL, 0 };

    if (fill && state->dtype.kind == VVI_KIND_VARIABLE)
        memcpy(&text, fill, sizeof(text));
    VVI_TRY(vvi_buf_reserve(&state->fill, item + text.len, err));
    state->fill.len = item + text.len;
    memset(state->fill.data, 0, item);
    if (fill)
        memcpy(state->fill.data, fill, item);
    if (text.len) {
        memcpy(state->fill.data + item, text.data, text.len);
        text.data = state->fill.data + item;
        memcpy(state->fill.data, &text, sizeof(text));
    }
    return VV_OK;
}

static bool lies_in_a_row(const vvi_grid *grid)
{
    uint32_t d = 0;

    while (d < grid->ndim && grid->chunk[d] == 1)
        d++;
    for (d++; d < grid->ndim; d++)
        if (grid->chunk[d] != grid->shape[d])
            return false;
    return true;
}

static vv_status sharding_configure(vvi_codec *self, const vvi_json *settings,
                                    vvi_codec_stage *stage, vv_error *err)
{
    static const char *const known[] = { "chunk_shape", "codecs", "index_codecs",
                                         "index_location", NULL };
    sharding_state *state = vvi_alloc_zero(sizeof(*state));
    vvi_grid *grid;
    uint64_t bytes;

    self->state = state;
    if (!state)
        return vvi_fail_nomem(err, sizeof(*state));
    state->dtype = stage->array.dtype;
    VVI_TRY(vvi_codec_known(self, settings, known, err));
    if (stage->depth == DEPTH_MAX)
        return vvi_fail(err, VV_EUNSUPPORTED, "codec %s: more than %d within each other",
                        self->name, DEPTH_MAX);
    VVI_TRY(read_grid(self, settings, &stage->array, &state->shard, err));
    VVI_TRY(read_location(self, settings, &state->shard, err));
    VVI_TRY(read_inner(self, settings, stage, state, err));
    VVI_TRY(read_index_codecs(self, settings, stage, &state->shard, err));
    VVI_TRY(keep_fill(state, stage->array.fill, err));
    grid = &state->shard.grid;
    /* A chunk of more bytes than fit is refused when one is encoded or decoded. */
    if (__builtin_mul_overflow(grid->chunk_elements, state->dtype.item, &bytes))
        bytes = 0;
    state->inner_bytes = (size_t)bytes;
    vvi_strides(grid->ndim, grid->shape, state->dtype.item, state->strides);
    vvi_strides(grid->ndim, grid->chunk, state->dtype.item, state->inner_strides);
    state->in_a_row = lies_in_a_row(grid);
    return VV_OK;
}

static void sharding_clear(vvi_codec *self)
{
    sharding_state *state = self->state;

    if (!state)
        return;
    vvi_codec_chain_free(state->shard.inner);
    vvi_codec_chain_free(state->shard.index);
    vv_buf_clear(&state->fill);
    vvi_free(state);
}

const vvi_sharding *vvi_codec_chain_sharding(const vvi_codec_chain *chain)
{
    const vvi_codec *only = vvi_codec_chain_only(chain);

    return only && only->ops == &vvi_sharding_ops
               ? &((const sharding_state *)only->state)->shard
               : NULL;
}

/* ---- the index ----------------------------------------------------------------------------- */

vv_range vvi_shard_index_range(const vvi_sharding *sharding)
{
    return sharding->index_at_start ? VV_RANGE_OF(0, sharding->index_bytes)
                                    : VV_RANGE_SUFFIX(sharding->index_bytes);
}

static vv_status check_entry(const vvi_shard_entry *entry, size_t chunk,
                             uint64_t shard_bytes, vv_error *err)
{
    uint64_t end;

    if (entry->offset == ABSENT && entry->length == ABSENT)
        return VV_OK;
    if (entry->offset == ABSENT || entry->length == ABSENT)
        return vvi_fail(err, VV_ECORRUPT,
                        "shard index: chunk %zu has only one of offset and length",
                        chunk);
    if (__builtin_add_overflow(entry->offset, entry->length, &end) || end > shard_bytes)
        return vvi_fail(err, VV_ECORRUPT,
                        "shard index: chunk %zu, %" PRIu64 " bytes from %" PRIu64
                        ", ends past the shard",
                        chunk, entry->length, entry->offset);
    return VV_OK;
}

vv_status vvi_shard_index_decode(const vvi_sharding *sharding, vv_bytes encoded,
                                 uint64_t shard_bytes, vvi_shard_entry *entries,
                                 vv_error *err)
{
    vv_status status = vvi_codec_chain_decode(sharding->index, encoded, entries, NULL,
                                              err);

    if (status)
        return vvi_wrap(err, status, "shard index");
    for (size_t i = 0; i < sharding->chunk_count; i++)
        VVI_TRY(check_entry(&entries[i], i, shard_bytes, err));
    return VV_OK;
}

/* ---- putting a shard together --------------------------------------------------------------- */

/* A shard that is being made. */
typedef struct shard_writer {
    const vvi_sharding *shard;
    vvi_shard_entry *entries;
    bool any; /* a chunk was put in */
    vv_buf out;
} shard_writer;

static void writer_clear(shard_writer *self)
{
    vvi_free(self->entries);
    vv_buf_clear(&self->out);
}

/* bytes: how long the shard will be about. */
static vv_status writer_begin(shard_writer *self, const vvi_sharding *shard, size_t bytes,
                              vv_error *err)
{
    memset(self, 0, sizeof(*self));
    self->shard = shard;
    self->entries = vvi_alloc_array(shard->chunk_count, ENTRY_BYTES);
    if (!self->entries)
        return vvi_fail_nomem(err, shard->chunk_count * ENTRY_BYTES);
    memset(self->entries, 0xFF, shard->chunk_count * ENTRY_BYTES);
    VVI_TRY(vvi_buf_reserve(&self->out, bytes + shard->index_bytes, err));
    if (shard->index_at_start) {
        memset(self->out.data, 0, shard->index_bytes);
        self->out.len = shard->index_bytes;
    }
    return VV_OK;
}

static vv_status writer_add(shard_writer *self, size_t chunk, vv_bytes bytes,
                            vv_error *err)
{
    self->entries[chunk].offset = self->out.len;
    self->entries[chunk].length = bytes.len;
    self->any = true;
    return vvi_buf_append(&self->out, bytes, err);
}

static vv_status writer_end(shard_writer *self, vv_error *err)
{
    vv_buf index = VV_BUF_INIT;
    vv_status status = vvi_codec_chain_encode(self->shard->index, self->entries, &index,
                                              err);

    if (!status && self->shard->index_at_start)
        memcpy(self->out.data, index.data, index.len);
    else if (!status)
        status = vvi_buf_append(&self->out, vvi_buf_bytes(&index), err);
    vv_buf_clear(&index);
    return status;
}

vv_status vvi_shard_assemble(const vvi_sharding *sharding, const vv_bytes *chunks,
                             vv_buf *out, vv_error *err)
{
    shard_writer writer;
    vv_status status;
    size_t bytes = 0;

    for (size_t i = 0; i < sharding->chunk_count; i++)
        if (chunks[i].data && __builtin_add_overflow(bytes, chunks[i].len, &bytes))
            return vvi_fail(err, VV_ELIMIT, "a shard longer than fits in memory");
    status = writer_begin(&writer, sharding, bytes, err);
    for (size_t i = 0; i < sharding->chunk_count && !status; i++)
        if (chunks[i].data)
            status = writer_add(&writer, i, chunks[i], err);
    if (!status && writer.any)
        status = writer_end(&writer, err);
    else
        writer.out.len = 0;
    if (!status)
        vvi_buf_move(out, &writer.out);
    writer_clear(&writer);
    return status;
}

/* ---- whole shards -------------------------------------------------------------------------- */

/* The inner chunks in C order, and where in the shard's elements each begins. */
typedef struct walk {
    size_t chunk;
    uint64_t position[VVI_GRID_NDIM_MAX];
    size_t offset; /* bytes */
} walk;

static void walk_on(walk *at, const sharding_state *state)
{
    const vvi_grid *grid = &state->shard.grid;

    at->chunk++;
    for (uint32_t d = grid->ndim; d-- > 0;) {
        uint64_t step = grid->chunk[d] * state->strides[d];

        at->offset += (size_t)step;
        if (++at->position[d] < grid->count[d])
            return;
        at->offset -= (size_t)(grid->count[d] * step);
        at->position[d] = 0;
    }
}

static void copy_in(const sharding_state *state, uint8_t *at, const uint8_t *inner)
{
    const vvi_grid *grid = &state->shard.grid;

    vvi_copy_box(grid->ndim, grid->chunk, state->dtype.item, at, state->strides, inner,
                 state->inner_strides);
}

static vv_status encode_inner(const sharding_state *state, const uint8_t *elements,
                              const walk *at, uint8_t *scratch, vv_buf *piece,
                              shard_writer *writer, vv_error *err)
{
    const vvi_grid *grid = &state->shard.grid;
    const uint8_t *inner = elements + at->offset;

    if (!state->in_a_row) {
        vvi_copy_box(grid->ndim, grid->chunk, state->dtype.item, scratch,
                     state->inner_strides, inner, state->strides);
        inner = scratch;
    }
    if (vvi_elements_equal(&state->dtype, inner, (size_t)grid->chunk_elements,
                           state->fill.data))
        return VV_OK;
    if (vvi_codec_chain_is_identity(state->shard.inner))
        return writer_add(writer, at->chunk, vvi_bytes(inner, state->inner_bytes), err);
    VVI_TRY(vvi_codec_chain_encode(state->shard.inner, inner, piece, err));
    return writer_add(writer, at->chunk, vvi_buf_bytes(piece), err);
}

/* Unlike an assembled one, a shard of nothing but fill values has its index: what stands around
 * it may keep no other sign of it. */
static vv_status sharding_encode(const vvi_codec *self, vv_bytes in, vv_buf *out,
                                 vv_error *err)
{
    const sharding_state *state = self->state;
    uint8_t *scratch = vvi_alloc(state->inner_bytes);
    vv_buf piece = VV_BUF_INIT;
    walk at = { 0 };
    shard_writer writer;
    vv_status status = writer_begin(&writer, &state->shard, 0, err);

    if (!scratch && !status)
        status = vvi_fail_nomem(err, state->inner_bytes);
    for (; at.chunk < state->shard.chunk_count && !status; walk_on(&at, state))
        status = encode_inner(state, in.data, &at, scratch, &piece, &writer, err);
    if (!status)
        status = writer_end(&writer, err);
    if (!status)
        vvi_buf_move(out, &writer.out);
    writer_clear(&writer);
    vv_buf_clear(&piece);
    vvi_free(scratch);
    return status;
}

static vv_status decode_inner(const sharding_state *state, vv_bytes shard,
                              const vvi_shard_entry *entry, uint8_t *at, uint8_t *scratch,
                              vvi_heap *heap, vv_error *err)
{
    const vvi_grid *grid = &state->shard.grid;
    const vvi_codec_chain *inner = state->shard.inner;
    vv_bytes encoded;
    vv_bytes view;
    bool found;

    if (entry->offset == ABSENT) {
        vvi_fill_box(grid->ndim, grid->chunk, state->dtype.item, at, state->strides,
                     state->fill.data);
        return VV_OK;
    }
    encoded = vvi_bytes(shard.data + entry->offset, (size_t)entry->length);
    if (state->in_a_row)
        return vvi_codec_chain_decode(inner, encoded, at, heap, err);
    VVI_TRY(vvi_codec_chain_view(inner, encoded, &view, &found, err));
    if (!found) {
        VVI_TRY(vvi_codec_chain_decode(inner, encoded, scratch, heap, err));
        view = vvi_bytes(scratch, state->inner_bytes);
    }
    copy_in(state, at, view.data);
    return VV_OK;
}

static vv_status decode_all(const sharding_state *state, vv_bytes shard,
                            vvi_shard_entry *entries, uint8_t *elements, uint8_t *scratch,
                            vvi_heap *heap, vv_error *err)
{
    const vvi_sharding *sharding = &state->shard;
    vv_bytes index = { shard.data, sharding->index_bytes };
    walk at = { 0 };

    if (shard.len < sharding->index_bytes)
        return vvi_fail(err, VV_ECORRUPT,
                        "codec sharding_indexed: %zu bytes hold no index of %zu",
                        shard.len, sharding->index_bytes);
    if (!sharding->index_at_start)
        index.data += shard.len - index.len;
    VVI_TRY(vvi_shard_index_decode(sharding, index, shard.len, entries, err));
    for (; at.chunk < sharding->chunk_count; walk_on(&at, state)) {
        vv_status status = decode_inner(state, shard, &entries[at.chunk],
                                        elements + at.offset, scratch, heap, err);

        if (status)
            return vvi_wrap(err, status, "chunk %zu of the shard", at.chunk);
    }
    return VV_OK;
}

static vv_status sharding_decode(const vvi_codec *self, vv_bytes in, vv_buf *owner,
                                 void *elements, vvi_heap *heap, vv_error *err)
{
    const sharding_state *state = self->state;
    size_t index_size = state->shard.chunk_count * ENTRY_BYTES;
    vvi_shard_entry *entries = vvi_alloc(index_size);
    uint8_t *scratch = state->in_a_row ? NULL : vvi_alloc(state->inner_bytes);
    vv_status status;

    (void)owner;
    if (!entries || (!scratch && !state->in_a_row))
        status = vvi_fail_nomem(err, index_size + state->inner_bytes);
    else
        status = decode_all(state, in, entries, elements, scratch, heap, err);
    vvi_free(entries);
    vvi_free(scratch);
    return status;
}

static uint64_t sharding_encoded_max(const vvi_codec *self)
{
    const sharding_state *state = self->state;
    uint64_t inner = vvi_codec_chain_encoded_max(state->shard.inner);
    uint64_t all;

    if (__builtin_mul_overflow(inner, state->shard.chunk_count, &all) ||
        __builtin_add_overflow(all, state->shard.index_bytes, &all))
        return UINT64_MAX;
    return all;
}

const vvi_codec_ops vvi_sharding_ops = {
    .name = "sharding_indexed",
    .old_names = { "sharding" },
    .kind = VVI_CODEC_ARRAY_TO_BYTES,
    .configure = sharding_configure,
    .clear = sharding_clear,
    .encode = sharding_encode,
    .decode_elements = sharding_decode,
    .encoded_max = sharding_encoded_max,
};
