/*
 * Conversions: the keys of one root below a root of another layout, by the names of their blocks.
 *
 * The index of a sharded store is made in parts that fit into memory: a pass over the source fills the
 * slots of its part and passes the rest by. A HAMT is made likewise, in parts of the range of hashes. A
 * pass ends with a root of what is done, from which a stopped conversion is gone on with.
 */
#include "sharded/convert.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/options.h"

#include <varvite/hash.h>

#include <stdlib.h>
#include <string.h>

#define TELL_EVERY_NS   100000000u
#define TELL_EVERY_KEYS 1024u /* the clock is looked at */
#define MEMORY_DEFAULT  ((uint64_t)96 << 20)
#define SLOT_BYTES      48u  /* of a slot of a changed shard, with room */
#define KEY_BYTES       128u /* of a key in the changed nodes of a HAMT */
#define CACHE_BYTES     ((size_t)32 << 20)

vv_status vvi_conversion_tell(vvi_conversion *self, vv_error *err)
{
    vv_progress now = { .what = self->what,
                        .items_done = ++self->done,
                        .items_total = self->total };
    vv_status status;

    if (!self->options.progress || self->done % TELL_EVERY_KEYS ||
        vvi_now_ns() - self->told_ns < TELL_EVERY_NS)
        return VV_OK;
    self->told_ns = vvi_now_ns();
    status = self->options.progress(self->options.ctx, &now);
    return status ? vvi_fail(err, status, "stopped by the caller") : VV_OK;
}

bool vvi_conversion_is_document(const char *key, size_t len)
{
    static const char *const ends[] = { "zarr.json", ".zarray", ".zattrs", ".zgroup",
                                        ".zmetadata" };

    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        size_t n = strlen(ends[i]);

        if (len >= n && memcmp(key + len - n, ends[i], n) == 0)
            return true;
    }
    return false;
}

/* ---- the source ------------------------------------------------------------------------------- */

typedef struct pairs {
    vv_store *store;
    bool (*wants)(void *ctx, const char *key, size_t len);
    vv_hamt_key_fn visit;
    void *ctx;
} pairs;

static vv_status tell_pair(void *ctx, const char *key, vv_error *err)
{
    const pairs *self = ctx;
    const size_t len = strlen(key);
    vv_cid pointer;

    if (self->wants && !self->wants(self->ctx, key, len))
        return VV_OK;
    VVI_TRY(vv_store_pointer(self->store, key, &pointer, err));
    return self->visit(self->ctx, vvi_bytes(key, len), &pointer, err);
}

vv_status vvi_sharded_pairs(vv_store *store,
                            bool (*wants)(void *ctx, const char *key, size_t len),
                            vv_hamt_key_fn visit, void *ctx, vv_error *err)
{
    pairs self = { .store = store, .wants = wants, .visit = visit, .ctx = ctx };

    return vv_store_list(store, "", tell_pair, &self, err);
}

static vv_status each_pair(vvi_conversion *self, vv_hamt_key_fn visit, vv_error *err)
{
    return self->from_hamt
               ? vv_hamt_iterate(self->tree, vvi_bytes(NULL, 0), visit, self, err)
               : vvi_sharded_pairs(self->from, NULL, visit, self, err);
}

/* The key of a pair as text, in self->key. */
static vv_status take_key(vvi_conversion *self, vv_bytes key, vv_error *err)
{
    if (key.len && memchr(key.data, 0, key.len))
        return vvi_fail(err, VV_EINVAL, "a key with a zero byte in it");
    self->key.len = 0;
    VVI_TRY(vvi_buf_append(&self->key, key, err));
    return vvi_buf_terminate(&self->key, err);
}

static const char *key_text(const vvi_conversion *self)
{
    return (const char *)self->key.data;
}

/* ---- a sharded target ------------------------------------------------------------------------- */

static vv_status put_document(void *ctx, vv_bytes key, const vv_cid *pointer,
                              vv_error *err)
{
    vvi_conversion *self = ctx;

    self->result.keys++;
    VVI_TRY(vvi_conversion_tell(self, err));
    if (!vvi_conversion_is_document((const char *)key.data, key.len))
        return VV_OK;
    self->result.documents++;
    VVI_TRY(take_key(self, key, err));
    return vv_store_set_pointer(self->into, key_text(self), pointer, err);
}

/* The one chunk of an array without dimensions, which is kept by name: path/c, and path/0 of Zarr 2. */
static bool is_scalar_chunk(const vvi_sharded *into, const char *key)
{
    const char *slash = strrchr(key, '/');
    const char *name = slash ? slash + 1 : key;
    const vvi_index_entry *array;

    if (strcmp(name, "c") != 0 && strcmp(name, "0") != 0)
        return false;
    array = vvi_sharded_find(into, key, slash ? (size_t)(slash - key) : 0);
    return array && array->ndim == 0;
}

/* Is the slot of a chunk among those of the pass in hand? VV_ERANGE: it is outside the grid. */
static vv_status is_in_pass(const vvi_conversion *self, const vvi_chunk_place *place,
                            bool *out, vv_error *err)
{
    const vvi_grid *grid = &vvi_chunk_index_geometry(place->array->index)->grid;
    uint64_t slot = 0;
    size_t i = 0;

    for (uint32_t d = 0; d < grid->ndim; d++) {
        if (place->coords[d] >= grid->count[d])
            return vvi_fail(err, VV_ERANGE,
                            "key '%s': chunk %" PRIu64 " of dimension %" PRIu32
                            ", which has %" PRIu64,
                            key_text(self), place->coords[d], d, grid->count[d]);
        slot = slot * grid->count[d] + place->coords[d];
    }
    *out = true;
    if (self->passes > 1) {
        while (i < self->array_count && self->arrays[i] != place->array)
            i++;
        *out = (self->first_slots[i] + slot) / self->slots_a_pass + 1 == self->pass;
    }
    return VV_OK;
}

static vv_status put_chunk(void *ctx, vv_bytes key, const vv_cid *pointer, vv_error *err)
{
    vvi_conversion *self = ctx;
    vvi_sharded *into;
    vvi_chunk_place place;
    bool scalar;
    bool now = self->pass == 1;

    if (vvi_conversion_is_document((const char *)key.data, key.len))
        return VV_OK;
    VVI_TRY(vvi_sharded_of(self->into, &into, err));
    VVI_TRY(take_key(self, key, err));
    vvi_rwlock_read(&into->lock);
    vvi_key_place(into, key_text(self), &place);
    scalar = place.kind == VVI_KEY_NAME && is_scalar_chunk(into, key_text(self));
    vvi_rwlock_unlock(&into->lock);
    if (place.kind == VVI_KEY_CHUNK) {
        VVI_TRY(is_in_pass(self, &place, &now, err));
        if (now && self->to == VV_TO_SHARDED_V2) {
            VVI_TRY(vvi_conversion_tell(self, err));
            self->written++;
            return vvi_chunk_index_set(place.array->index, place.coords, pointer, NULL,
                                       err);
        }
    } else if (self->to == VV_TO_SHARDED_V2 && !scalar) {
        return vvi_fail(err, place.kind == VVI_KEY_BAD ? place.why : VV_EINVAL,
                        "key '%s' is no document, and no chunk of an array with one",
                        key_text(self));
    }
    if (!now)
        return VV_OK;
    VVI_TRY(vvi_conversion_tell(self, err));
    self->written++;
    return vv_store_set_pointer(self->into, key_text(self), pointer, err);
}

/* How the slots of the target are parted into passes. */
static vv_status part_slots(vvi_conversion *self, vv_error *err)
{
    vvi_sharded *into;
    uint64_t slots = 0;
    uint64_t fit = self->options.memory_bytes / SLOT_BYTES;
    uint64_t per_shard = 1;

    VVI_TRY(vvi_sharded_of(self->into, &into, err));
    VVI_TRY(vvi_sharded_entries(into, &self->arrays, &self->array_count, err));
    self->first_slots = vvi_alloc_array(self->array_count + 1, sizeof(uint64_t));
    if (!self->first_slots)
        return vvi_fail_nomem(err, self->array_count * sizeof(uint64_t));
    for (size_t i = 0; i < self->array_count; i++) {
        const vvi_geometry *geometry = vvi_chunk_index_geometry(self->arrays[i]->index);

        self->first_slots[i] = slots;
        per_shard = geometry->chunks_per_shard;
        slots += geometry->shard_count * per_shard;
    }
    /* Shards have one length in a new store, so that a pass ends where one does. */
    self->slots_a_pass = fit > per_shard ? fit - fit % per_shard : per_shard;
    self->passes = slots / self->slots_a_pass + (slots % self->slots_a_pass != 0);
    if (self->passes == 0)
        self->passes = 1; /* for what is kept by name */
    return VV_OK;
}

/* ---- which array an index of the first version is for ----------------------------------------- */

typedef struct primary {
    vvi_conversion *conversion;
    char *path;
    vvi_document document;
} primary;

/* Arrays that are coordinates: by py-hamt's names, or one dimension that has the array's name. */
static bool is_coordinate(const char *path, size_t len, const vvi_document *document)
{
    return vvi_path_is_coordinate(path, len) || document->ndim <= 1;
}

static vv_status look_at_document(vvi_conversion *self, const char *key,
                                  const vv_cid *pointer, primary *out, vv_error *err)
{
    const char *wanted = self->options.sharded.primary_array_path;
    vv_buf text = VV_BUF_INIT;
    vvi_document document;
    size_t len;
    vv_status status;

    if (!vvi_key_is_array_document(key, &len) ||
        (wanted && (strlen(wanted) != len || memcmp(wanted, key, len) != 0)))
        return VV_OK;
    status = vv_blockstore_get(self->blocks, pointer, &text, err);
    if (!status)
        status = vvi_document_read(vvi_buf_bytes(&text), &document, err);
    vv_buf_clear(&text);
    if (status)
        return vvi_wrap(err, status, "document '%s'", key);
    if (!document.has_shape || !document.has_chunk ||
        document.ndim != document.chunk_ndim ||
        (!wanted && is_coordinate(key, len, &document)))
        return VV_OK;
    if (out->path && (strlen(out->path) != len || memcmp(out->path, key, len) != 0))
        return vvi_fail(
            err, VV_EINVAL,
            "arrays '%s' and '%.*s': a sharded root of version 1 has one index, so "
            "name the array that it is for",
            out->path, (int)len, key);
    if (out->path)
        return VV_OK;
    out->document = document;
    out->path = vvi_strndup(key, len);
    return out->path ? VV_OK : vvi_fail_nomem(err, len + 1);
}

static vv_status find_primary(void *ctx, vv_bytes key, const vv_cid *pointer,
                              vv_error *err)
{
    primary *self = ctx;

    if (!vvi_conversion_is_document((const char *)key.data, key.len))
        return VV_OK;
    VVI_TRY(take_key(self->conversion, key, err));
    return look_at_document(self->conversion, key_text(self->conversion), pointer, self,
                            err);
}

static vv_status open_v1(vvi_conversion *self, vv_sharded_options *options, vv_error *err)
{
    primary found = { .conversion = self };
    vv_status status = self->from_hamt ? vv_hamt_iterate(self->tree, vvi_bytes(NULL, 0),
                                                         find_primary, &found, err)
                                       : vvi_sharded_pairs(self->from, NULL, find_primary,
                                                           &found, err);

    if (!status && !found.path)
        status = vvi_fail(err, VV_EINVAL, "no array for the index of version 1");
    if (!status) {
        options->ndim = found.document.ndim;
        options->array_shape = found.document.shape;
        options->chunk_shape = found.document.chunk;
        options->primary_array_path = found.path;
        status = vv_sharded_store_open(self->blocks, NULL, options, &self->into, err);
    }
    vvi_free(found.path);
    return status;
}

static vv_status open_into(vvi_conversion *self, const vv_cid *partial, vv_error *err)
{
    vv_sharded_options options = self->options.sharded;

    options.read_only = false;
    options.cache_bytes = CACHE_BYTES;
    options.version = self->to == VV_TO_SHARDED_V1 ? VV_SHARDED_V1 : VV_SHARDED_V2;
    options.ndim = 0;
    options.array_shape = NULL;
    options.chunk_shape = NULL;
    options.primary_array_path = NULL;
    if (!partial && self->to == VV_TO_SHARDED_V1)
        return open_v1(self, &options, err);
    return vv_sharded_store_open(self->blocks, partial, &options, &self->into, err);
}

static vv_status count_added(vvi_conversion *self, vv_error *err)
{
    vv_sharded_info info = VV_SHARDED_INFO_INIT;

    VVI_TRY(vv_sharded_store_info(self->into, &info, err));
    self->result.added = info.metadata_count > self->result.documents
                             ? info.metadata_count - self->result.documents
                             : 0;
    return VV_OK;
}

/* The end of a pass: all of it is stored, and the next one is to come. */
static vv_status end_pass(vvi_conversion *self, vv_cid *root, vv_error *err)
{
    vv_status status;

    if (self->into) {
        status = vv_store_commit(self->into, root, err);
    } else {
        status = vv_hamt_flush(self->tree, root, err);
        if (!status)
            status = vv_blockstore_flush(self->blocks, err);
    }
    self->pass++;
    if (!status && self->note.len)
        status = vvi_conversion_keep(self, root, err);
    return status;
}

/* Before the store goes whose arrays they are. */
static void forget_slots(vvi_conversion *self)
{
    vvi_index_entries_free(self->arrays, self->array_count);
    vvi_free(self->first_slots);
    self->arrays = NULL;
    self->first_slots = NULL;
    self->array_count = 0;
}

static vv_status fill_sharded(vvi_conversion *self, const vv_cid *partial, vv_cid *root,
                              vv_error *err)
{
    if (self->pass == 0) {
        VVI_TRY(each_pair(self, put_document, err));
        VVI_TRY(count_added(self, err));
        self->written = self->result.documents;
    }
    VVI_TRY(part_slots(self, err));
    if (self->pass == 0)
        VVI_TRY(end_pass(self, root, err));
    self->result.going_on = partial ? self->pass - 1 : 0;
    self->total = self->result.keys;
    while (self->pass <= self->passes) {
        self->done = self->written;
        VVI_TRY(each_pair(self, put_chunk, err));
        VVI_TRY(end_pass(self, root, err));
    }
    return VV_OK;
}

static vv_status make_sharded(vvi_conversion *self, const vv_cid *partial, vv_cid *root,
                              vv_error *err)
{
    vv_status status = open_into(self, partial, err);

    if (!status)
        status = fill_sharded(self, partial, root, err);
    forget_slots(self);
    return status;
}

/* ---- a HAMT as target ------------------------------------------------------------------------- */

static vv_status count_key(void *ctx, const char *key, vv_error *err)
{
    vvi_conversion *self = ctx;
    const size_t len = strlen(key);

    if (key[0] == '/')
        return vvi_fail(
            err, VV_EINVAL,
            "chunk '%s': the root does not say of which array; migrate it first", key);
    self->result.keys++;
    self->result.documents += vvi_conversion_is_document(key, len);
    return vvi_conversion_tell(self, err);
}

/* Keys of a pass lie near each other in the tree: a part of the range of hashes. */
static bool is_hashed_here(void *ctx, const char *key, size_t len)
{
    const vvi_conversion *self = ctx;
    uint8_t hash[64];
    uint64_t high;

    if (self->passes == 1)
        return true;
    if (self->options.hamt.hash_fn)
        self->options.hamt.hash_fn(
            self->options.hamt.hash_ctx, vvi_bytes(key, len), hash,
            self->options.hamt.hash_len ? self->options.hamt.hash_len : VV_BLAKE3_SIZE);
    else
        vv_blake3(vvi_bytes(key, len), hash);
    high = (uint64_t)hash[0] << 8 | hash[1];
    return (high * self->passes >> 16) + 1 == self->pass;
}

static vv_status put_into_tree(void *ctx, vv_bytes key, const vv_cid *pointer,
                               vv_error *err)
{
    vvi_conversion *self = ctx;

    self->written++;
    VVI_TRY(vvi_conversion_tell(self, err));
    return vv_hamt_set_pointer(self->tree, key, pointer, err);
}

static vv_status make_hamt(vvi_conversion *self, const vv_cid *partial, vv_cid *root,
                           vv_error *err)
{
    vv_hamt_options options = self->options.hamt;

    options.read_only = false;
    options.values = VV_HAMT_BYTES;
    options.clean_cache_bytes = CACHE_BYTES;
    options.dirty_bytes = (size_t)self->options.memory_bytes;
    VVI_TRY(vv_hamt_open(self->blocks, partial, &options, &self->tree, err));
    if (self->pass == 0) {
        VVI_TRY(vv_store_list(self->from, "", count_key, self, err));
        self->passes = self->result.keys / (self->options.memory_bytes / KEY_BYTES + 1) +
                       1;
        if (self->passes > 65536)
            self->passes = 65536;
        self->pass = 1;
    }
    self->result.going_on = partial ? self->pass - 1 : 0;
    self->total = self->result.keys;
    while (self->pass <= self->passes) {
        self->done = self->written;
        VVI_TRY(vvi_sharded_pairs(self->from, is_hashed_here, put_into_tree, self, err));
        VVI_TRY(end_pass(self, root, err));
    }
    return VV_OK;
}

/* ---- the whole -------------------------------------------------------------------------------- */

static bool is_no_prefix(const vv_cid_prefix *ids)
{
    return !ids->version && !ids->hash && !ids->digest_len;
}

/* Blocks are named as those of the source, unless it is said how. */
static void take_ids(const vvi_conversion *self, vv_cid_prefix *ids, bool bare)
{
    if (!is_no_prefix(ids))
        return;
    ids->codec = VV_CODEC_RAW;
    ids->hash = self->source.hash;
    ids->digest_len = (uint8_t)self->source.digest_len;
    ids->version = bare && self->source.version == VV_CID_BARE ? VV_CID_BARE : 1;
}

static vv_status take_options(vvi_conversion *self, const vv_conversion_options *given,
                              vv_error *err)
{
    vv_conversion_options *options = &self->options;

    VVI_TRY(vvi_read_options(options, sizeof(*options), given, err));
    if (!options->sharded.struct_size)
        options->sharded.struct_size = sizeof(options->sharded);
    if (!options->hamt.struct_size)
        options->hamt.struct_size = sizeof(options->hamt);
    if (!options->memory_bytes)
        options->memory_bytes = MEMORY_DEFAULT;
    take_ids(self, &options->sharded.ids, false);
    take_ids(self, &options->hamt.ids, true);
    if (options->note_path && !*options->note_path)
        return vvi_fail(err, VV_EINVAL, "an empty path for the note");
    return options->note_path ? vvi_conversion_describe(self, err) : VV_OK;
}

/* HAMT nodes are lists, sharded roots maps. */
static vv_status look_at_source(vvi_conversion *self, vv_error *err)
{
    vv_buf block = VV_BUF_INIT;
    vv_status status = vv_blockstore_get(self->blocks, &self->source, &block, err);
    const uint8_t kind = !status && block.len ? block.data[0] >> 5 : 0;

    vv_buf_clear(&block);
    if (status)
        return vvi_wrap(err, status, "source");
    if (kind != 4 && kind != 5) {
        char text[VV_CID_TEXT_MAX];

        vv_cid_format(&self->source, text);
        return vvi_fail(err, VV_ECORRUPT, "%s is no root of a store", text);
    }
    self->from_hamt = kind == 4;
    return VV_OK;
}

static vv_status open_source(vvi_conversion *self, vv_error *err)
{
    vv_sharded_options sharded = self->options.sharded;
    vv_hamt_options hamt = self->options.hamt;
    vv_sharded_info info = VV_SHARDED_INFO_INIT;

    VVI_TRY(look_at_source(self, err));
    if (self->from_hamt) {
        if (self->to == VV_TO_HAMT)
            return vvi_fail(err, VV_EINVAL, "the source is a HAMT already");
        hamt.read_only = true;
        hamt.values = VV_HAMT_BYTES;
        return vv_hamt_open(self->blocks, &self->source, &hamt, &self->tree, err);
    }
    sharded.read_only = true;
    sharded.stored_keys = true;
    sharded.cache_bytes = CACHE_BYTES;
    sharded.read = VV_SHARD_FULL; /* all of it is read, shard by shard */
    VVI_TRY(
        vv_sharded_store_open(self->blocks, &self->source, &sharded, &self->from, err));
    VVI_TRY(vv_sharded_store_info(self->from, &info, err));
    if (self->to != VV_TO_HAMT &&
        (info.version == VV_SHARDED_V1) == (self->to == VV_TO_SHARDED_V1))
        return vvi_fail(err, VV_EINVAL, "the source is sharded, of version %d, already",
                        info.version == VV_SHARDED_V1 ? 1 : 2);
    return VV_OK;
}

static vv_status convert(vvi_conversion *self, vv_cid *root, vv_error *err)
{
    vv_cid partial;
    bool going_on = false;

    VVI_TRY(open_source(self, err));
    if (self->note.len)
        VVI_TRY(vvi_conversion_look(self, &going_on, &partial, err));
    if (going_on)
        *root = partial;
    self->what = "convert";
    VVI_TRY((self->to == VV_TO_HAMT ? make_hamt : make_sharded)(
        self, going_on ? &partial : NULL, root, err));
    self->result.passes = self->passes;
    if (!self->options.unverified) {
        self->what = "verify";
        self->done = 0;
        VVI_TRY(vvi_conversion_verify(self, root, err));
    }
    return self->note.len ? vvi_conversion_forget(self, err) : VV_OK;
}

vv_status vv_sharded_convert(vv_blockstore *blocks, const vv_cid *source,
                             vv_conversion to, const vv_conversion_options *options,
                             vv_cid *root, vv_conversion_result *result, vv_error *err)
{
    vvi_conversion self = { .blocks = blocks, .source = *source, .to = to };
    vv_status status = take_options(&self, options, err);
    vv_cid made;

    if (!status)
        status = convert(&self, &made, err);
    if (!status)
        *root = made;
    if (result)
        *result = self.result;
    vv_store_free(self.into);
    vv_store_free(self.from);
    vv_hamt_free(self.tree);
    vv_buf_clear(&self.key);
    vv_buf_clear(&self.note);
    return status;
}
