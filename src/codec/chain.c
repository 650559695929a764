/* Chains: made from metadata; encoding in one direction, decoding in the other. */
#include "codec/ops.h"
#include "codec/sharding.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <assert.h>
#include <string.h>

#define CHAIN_MAX 16

struct vvi_codec_chain {
    vvi_dtype dtype;
    uint64_t elements;
    uint64_t chunk_bytes;   /* decoded; UINT64_MAX when it does not fit */
    uint64_t largest_bytes; /* the longest form of the array between its codecs */
    uint64_t array_bytes;   /* what comes to the array → bytes codec */
    size_t count;           /* without codecs that change nothing */
    size_t arrays;          /* of them array → array, which come first */
    vvi_codec codecs[CHAIN_MAX];
};

/* ---- making -------------------------------------------------------------------------------- */

static uint64_t bytes_of(const vvi_codec_array *array)
{
    uint64_t bytes;

    return __builtin_mul_overflow(array->elements, array->dtype.item, &bytes) ? UINT64_MAX
                                                                              : bytes;
}

/* Does an object say that who does not know it may act as if it were not there? */
static bool may_be_ignored(const vvi_json *object)
{
    bool needed = true;

    return vvi_json_bool(vvi_json_get(object, "must_understand"), &needed) && !needed;
}

/* Members beside those that a codec's object has are refused, unless they may be ignored. */
static vv_status check_members(const char *codec, const vvi_json *entry, vv_error *err)
{
    for (const vvi_json *m = vvi_json_first(entry); m; m = vvi_json_next(m)) {
        const char *name = vvi_json_name(m);

        if (strcmp(name, "name") != 0 && strcmp(name, "configuration") != 0 &&
            strcmp(name, "must_understand") != 0 && !may_be_ignored(m))
            return vvi_fail(err, VV_EUNSUPPORTED,
                            "codec %s: member '%s' is not known to this build", codec,
                            name);
    }
    return VV_OK;
}

/*
 * A codec is an object with a name and perhaps a configuration, or its name alone. One that we do not
 * know and that may be ignored leaves codec->ops NULL (core specification, "must_understand", which
 * excepts the type, the grid and the keys, and not codecs).
 */
static vv_status read_codec(vvi_codec *codec, const vvi_json *entry,
                            vvi_codec_stage *stage, vv_error *err)
{
    const vvi_json *settings = vvi_json_get(entry, "configuration");
    const char *name = vvi_json_text(entry, NULL);

    memset(codec, 0, sizeof(*codec));
    if (!name)
        name = vvi_json_text(vvi_json_get(entry, "name"), NULL);
    if (!name)
        return vvi_fail(err, VV_ECORRUPT, "a codec without a name");
    if (settings && !vvi_json_is(settings, VVI_JSON_OBJECT) &&
        !vvi_json_is(settings, VVI_JSON_NULL))
        return vvi_fail(err, VV_ECORRUPT,
                        "codec %s: its configuration is %s, not an object", name,
                        vvi_json_kind_name(settings));
    codec->ops = vvi_codec_find(name);
    if (!codec->ops)
        return may_be_ignored(entry) ? VV_OK : vvi_codec_unknown(name, err);
    if (vvi_json_is(entry, VVI_JSON_OBJECT))
        VVI_TRY(check_members(name, entry, err));
    codec->name = codec->ops->name;
    codec->dtype = stage->array.dtype;
    codec->elements = stage->array.elements;
    codec->bytes = bytes_of(&stage->array);
    return codec->ops->configure(codec, settings, stage, err);
}

static void clear_codec(vvi_codec *codec)
{
    if (codec->ops && codec->ops->clear)
        codec->ops->clear(codec);
    memset(codec, 0, sizeof(*codec));
}

/* Array → array codecs, exactly one array → bytes codec, bytes → bytes codecs. */
static vv_status check_order(vvi_codec_kind *last, bool *found, const vvi_codec *codec,
                             vv_error *err)
{
    vvi_codec_kind kind = codec->ops->kind;

    if (kind < *last || (kind == VVI_CODEC_ARRAY_TO_BYTES && *found) ||
        (kind == VVI_CODEC_BYTES_TO_BYTES && !*found))
        return vvi_fail(err, VV_ECORRUPT, "codec %s stands at the wrong place",
                        codec->name);
    *last = kind;
    *found = *found || kind == VVI_CODEC_ARRAY_TO_BYTES;
    return VV_OK;
}

/* Keep a codec that was read, unless it changes nothing. */
static void keep_codec(vvi_codec_chain *chain, vvi_codec *codec,
                       const vvi_codec_array *coded)
{
    if (codec->ops->is_identity && codec->ops->is_identity(codec)) {
        clear_codec(codec);
        return;
    }
    if (codec->ops->kind == VVI_CODEC_ARRAY_TO_ARRAY) {
        codec->coded_bytes = bytes_of(coded);
        chain->array_bytes = codec->coded_bytes;
        if (codec->coded_bytes > chain->largest_bytes)
            chain->largest_bytes = codec->coded_bytes;
        chain->arrays++;
    }
    chain->count++;
}

static vv_status read_codecs(vvi_codec_chain *chain, const vvi_json *codecs,
                             vvi_codec_stage *stage, vv_error *err)
{
    vvi_codec_kind last = VVI_CODEC_ARRAY_TO_ARRAY;
    const char *ignored = NULL;
    bool found = false;

    if (!vvi_json_is(codecs, VVI_JSON_ARRAY))
        return vvi_fail(err, VV_ECORRUPT, "codecs is %s, not a list",
                        vvi_json_kind_name(codecs));
    for (const vvi_json *entry = vvi_json_first(codecs); entry;
         entry = vvi_json_next(entry)) {
        vvi_codec *codec = &chain->codecs[chain->count];
        vv_status status;

        if (chain->count == CHAIN_MAX)
            return vvi_fail(err, VV_EUNSUPPORTED, "more than %d codecs", CHAIN_MAX);
        status = read_codec(codec, entry, stage, err);
        if (!status && !codec->ops) {
            ignored = vvi_json_text(vvi_json_get(entry, "name"), NULL);
            continue;
        }
        if (!status)
            status = check_order(&last, &found, codec, err);
        if (status) {
            clear_codec(codec);
            return status;
        }
        keep_codec(chain, codec, &stage->array);
    }
    if (!found && ignored)
        return vvi_codec_unknown(ignored, err); /* it may have been that one */
    if (!found)
        return vvi_fail(err, VV_ECORRUPT,
                        "codecs has no codec that makes bytes of an array");
    return VV_OK;
}

vv_status vvi_codec_chain_make(const vvi_json *codecs, const vvi_codec_array *array,
                               unsigned depth, vvi_codec_chain **out, vv_error *err)
{
    vvi_codec_chain *chain = vvi_alloc_zero(sizeof(*chain));
    vvi_codec_stage stage = { .array = *array, .depth = depth };
    vv_status status;

    if (!chain)
        return vvi_fail_nomem(err, sizeof(*chain));
    chain->dtype = array->dtype;
    chain->elements = array->elements;
    chain->chunk_bytes = bytes_of(array);
    chain->largest_bytes = chain->chunk_bytes;
    chain->array_bytes = chain->chunk_bytes;
    status = read_codecs(chain, codecs, &stage, err);
    if (status)
        vvi_codec_chain_free(chain);
    else
        *out = chain;
    return status;
}

vv_status vvi_codec_chain_new(const vvi_json *codecs, const vvi_codec_array *array,
                              vvi_codec_chain **out, vv_error *err)
{
    return vvi_codec_chain_make(codecs, array, 0, out, err);
}

void vvi_codec_chain_free(vvi_codec_chain *chain)
{
    if (!chain)
        return;
    for (size_t i = 0; i < chain->count; i++)
        clear_codec(&chain->codecs[i]);
    vvi_free(chain);
}

/* ---- what a chain is ------------------------------------------------------------------------ */

vv_status vvi_codec_chain_size(const vvi_codec_chain *chain, size_t *out, vv_error *err)
{
    if (chain->largest_bytes > VVI_CHUNK_BYTES_MAX)
        return vvi_fail(err, VV_ELIMIT,
                        "a chunk of more than %" PRIu64
                        " bytes is not handled by this build",
                        VVI_CHUNK_BYTES_MAX);
    *out = (size_t)chain->chunk_bytes;
    return VV_OK;
}

bool vvi_codec_chain_is_identity(const vvi_codec_chain *chain)
{
    return chain->count == 0;
}

const vvi_codec *vvi_codec_chain_only(const vvi_codec_chain *chain)
{
    return chain->count == 1 ? &chain->codecs[0] : NULL;
}

/* The array → bytes codec; NULL when bytes are what the elements are in memory. */
static const vvi_codec *to_bytes(const vvi_codec_chain *chain)
{
    const vvi_codec *codec = &chain->codecs[chain->arrays];

    return chain->arrays < chain->count && codec->ops->kind == VVI_CODEC_ARRAY_TO_BYTES
               ? codec
               : NULL;
}

/* Where the bytes → bytes codecs begin. */
static size_t first_of_bytes(const vvi_codec_chain *chain)
{
    return chain->arrays + (to_bytes(chain) ? 1 : 0);
}

bool vvi_codec_chain_encoded_size(const vvi_codec_chain *chain, size_t *out)
{
    size_t size = (size_t)chain->array_bytes;

    if (chain->largest_bytes > VVI_CHUNK_BYTES_MAX)
        return false;
    for (size_t i = chain->arrays; i < chain->count; i++) {
        const vvi_codec_ops *ops = chain->codecs[i].ops;

        if (!ops->turn && !ops->encoded_size)
            return false;
        if (ops->encoded_size)
            size = ops->encoded_size(&chain->codecs[i], size);
    }
    *out = size;
    return true;
}

/* The most bytes that the array → bytes codec and `more` codecs behind it may make of a chunk:
 * twice as much and a little each is more than encoders of these formats make, however many. */
static uint64_t made_max(const vvi_codec_chain *chain, size_t more)
{
    const vvi_codec *codec = to_bytes(chain);
    uint64_t bytes = codec && codec->ops->encoded_max ? codec->ops->encoded_max(codec)
                                                      : chain->array_bytes;

    if (bytes > 2 * VVI_CHUNK_BYTES_MAX)
        bytes = 2 * VVI_CHUNK_BYTES_MAX;
    return bytes * (more ? 2 : 1) + 65536 * more;
}

uint64_t vvi_codec_chain_encoded_max(const vvi_codec_chain *chain)
{
    return made_max(chain, chain->count - first_of_bytes(chain));
}

/* ---- encoding ------------------------------------------------------------------------------- */

/* An empty buffer with room for so many bytes, which count as there. */
static vv_status make_room(vv_buf *out, uint64_t bytes, vv_error *err)
{
    VVI_TRY(vvi_buf_reserve(out, bytes ? (size_t)bytes : 1, err));
    out->len = (size_t)bytes;
    return VV_OK;
}

/* Encode bytes with one codec into next. held: what bytes lie in, unless they are the caller's. */
static vv_status encode_one(const vvi_codec *codec, vv_bytes bytes, vv_buf *held,
                            vv_buf *next, vv_error *err)
{
    if (codec->ops->kind == VVI_CODEC_ARRAY_TO_ARRAY) {
        VVI_TRY(make_room(next, codec->coded_bytes, err));
        return codec->ops->encode_array(codec, bytes.data, next->data, err);
    }
    if (!codec->ops->turn)
        return codec->ops->encode(codec, bytes, next, err);
    if (held->data)
        vvi_buf_move(next, held);
    else
        VVI_TRY(vvi_buf_set(next, bytes, err));
    codec->ops->turn(codec, next->data, next->len);
    return VV_OK;
}

vv_status vvi_codec_chain_encode(const vvi_codec_chain *chain, const void *elements,
                                 vv_buf *out, vv_error *err)
{
    vv_buf held = VV_BUF_INIT; /* what bytes points into, once it is no longer elements */
    vv_bytes bytes;
    vv_status status = VV_OK;
    size_t size = 0;

    VVI_TRY(vvi_codec_chain_size(chain, &size, err));
    bytes = vvi_bytes(elements, size);
    for (size_t i = 0; i < chain->count && !status; i++) {
        vv_buf next = VV_BUF_INIT;

        status = encode_one(&chain->codecs[i], bytes, &held, &next, err);
        vvi_buf_move(&held, &next);
        bytes = vvi_buf_bytes(&held);
    }
    if (!status && chain->count == 0)
        status = vvi_buf_set(&held, bytes, err);
    if (!status)
        vvi_buf_move(out, &held);
    vv_buf_clear(&held);
    return status;
}

/* ---- decoding ------------------------------------------------------------------------------- */

/* For a decode of elements whose length no metadata states: this much, or this often the encoded
 * bytes, may come of them. */
#define VARIABLE_BYTES_MAX ((uint64_t)64 << 20)
#define VARIABLE_RATIO_MAX 1024

/* The state of one decode. */
typedef struct decoding {
    const vvi_codec_chain *chain;
    vvi_heap *heap;
    uint8_t *elements;
    size_t encoded_len;
    vv_bytes bytes; /* so far */
    vv_buf held;    /* what bytes lies in, unless it is the caller's */
} decoding;

/* The most bytes that codec number i may unfold into. */
static size_t decoded_max(const decoding *self, size_t i)
{
    const vvi_codec_chain *chain = self->chain;
    uint64_t max = made_max(chain, i - first_of_bytes(chain));
    uint64_t likely;

    if (chain->dtype.kind != VVI_KIND_VARIABLE)
        return (size_t)max;
    likely = (uint64_t)self->encoded_len * VARIABLE_RATIO_MAX;
    if (likely < VARIABLE_BYTES_MAX)
        likely = VARIABLE_BYTES_MAX;
    likely += chain->array_bytes;
    return (size_t)(likely < max ? likely : max);
}

/* Decode with codec number i into a buffer that grows while it is too short and may. */
static vv_status unfold(decoding *self, size_t i, vv_error *err)
{
    const vvi_codec *codec = &self->chain->codecs[i];
    size_t max = decoded_max(self, i);
    uint64_t stated = codec->ops->stated_size
                          ? codec->ops->stated_size(codec, self->bytes)
                          : 0;
    size_t guess = self->bytes.len < 8192 ? 65536 : 8 * self->bytes.len;
    size_t cap = stated && stated <= max ? (size_t)stated : guess < max ? guess : max;

    for (;;) {
        vv_buf next = VV_BUF_INIT;
        size_t len = 0;
        vv_status status = make_room(&next, cap, err);

        if (!status)
            status = codec->ops->decode(codec, self->bytes, next.data, cap, &len, err);
        if (!status) {
            next.len = len;
            vvi_buf_move(&self->held, &next);
            self->bytes = vvi_buf_bytes(&self->held);
            return VV_OK;
        }
        vv_buf_clear(&next);
        if (len != SIZE_MAX || cap == max)
            return status;
        cap = cap < max / 4 ? 4 * cap : max;
    }
}

static vv_status check_size(const vvi_codec_chain *chain, vv_bytes bytes, vv_error *err)
{
    if (bytes.len == chain->array_bytes)
        return VV_OK;
    return vvi_fail(err, VV_ECORRUPT, "decodes to %zu bytes; a chunk has %" PRIu64,
                    bytes.len, chain->array_bytes);
}

/* Undo the bytes → bytes codecs. What is left lies in bytes, which may be target. */
static vv_status decode_bytes(decoding *self, uint8_t *target, vv_error *err)
{
    const vvi_codec_chain *chain = self->chain;
    const vvi_codec *turn = to_bytes(chain);
    size_t first = first_of_bytes(chain);

    for (size_t i = chain->count; i-- > first;) {
        const vvi_codec *codec = &chain->codecs[i];
        size_t len = 0;

        if (codec->ops->view) {
            VVI_TRY(codec->ops->view(codec, self->bytes, &self->bytes, err));
        } else if (i == first && (!turn || turn->ops->turn)) {
            VVI_TRY(codec->ops->decode(codec, self->bytes, target,
                                       (size_t)chain->array_bytes, &len, err));
            self->bytes = vvi_bytes(target, len);
        } else {
            VVI_TRY(unfold(self, i, err));
        }
    }
    return VV_OK;
}

/* All but the array → array codecs; target has room for array_bytes. */
static vv_status decode_to_array(decoding *self, uint8_t *target, vv_error *err)
{
    const vvi_codec_chain *chain = self->chain;
    const vvi_codec *codec = to_bytes(chain);

    VVI_TRY(decode_bytes(self, target, err));
    if (codec && codec->ops->decode_elements)
        return codec->ops->decode_elements(codec, self->bytes, &self->held, target,
                                           self->heap, err);
    VVI_TRY(check_size(chain, self->bytes, err));
    if (self->bytes.data != target && self->bytes.len)
        memcpy(target, self->bytes.data, self->bytes.len);
    if (codec)
        codec->ops->turn(codec, target, (size_t)chain->array_bytes);
    return VV_OK;
}

/* Undo the array → array codecs; from holds what the last of them made. */
static vv_status decode_arrays(const decoding *self, vv_buf *from, vv_error *err)
{
    const vvi_codec_chain *chain = self->chain;

    for (size_t i = chain->arrays; i-- > 1;) {
        const vvi_codec *codec = &chain->codecs[i];
        vv_buf next = VV_BUF_INIT;
        vv_status status = make_room(&next, codec->bytes, err);

        if (!status)
            status = codec->ops->decode_array(codec, from->data, next.data, err);
        if (!status)
            vvi_buf_move(from, &next);
        vv_buf_clear(&next);
        if (status)
            return status;
    }
    return chain->codecs[0].ops->decode_array(&chain->codecs[0], from->data,
                                              self->elements, err);
}

vv_status vvi_codec_chain_decode(const vvi_codec_chain *chain, vv_bytes encoded,
                                 void *elements, vvi_heap *heap, vv_error *err)
{
    decoding self = { .chain = chain,
                      .heap = heap,
                      .elements = elements,
                      .encoded_len = encoded.len,
                      .bytes = encoded };
    vv_buf array = VV_BUF_INIT;
    vv_status status;
    size_t size;

    assert(heap || chain->dtype.kind != VVI_KIND_VARIABLE);
    VVI_TRY(vvi_codec_chain_size(chain, &size, err));
    if (chain->arrays == 0) {
        status = decode_to_array(&self, elements, err);
    } else {
        status = make_room(&array, chain->array_bytes, err);
        if (!status)
            status = decode_to_array(&self, array.data, err);
        vv_buf_clear(&self.held);
        if (!status)
            status = decode_arrays(&self, &array, err);
    }
    vv_buf_clear(&self.held);
    vv_buf_clear(&array);
    return status;
}

vv_status vvi_codec_chain_view(const vvi_codec_chain *chain, vv_bytes encoded,
                               vv_bytes *out, bool *found, vv_error *err)
{
    vv_bytes bytes = encoded;

    *found = false;
    for (size_t i = 0; i < chain->count; i++)
        if (!chain->codecs[i].ops->view)
            return VV_OK;
    for (size_t i = chain->count; i > 0; i--)
        VVI_TRY(
            chain->codecs[i - 1].ops->view(&chain->codecs[i - 1], bytes, &bytes, err));
    VVI_TRY(check_size(chain, bytes, err));
    *out = bytes;
    *found = true;
    return VV_OK;
}
