#include "codec/ops.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

#define CHAIN_MAX 16

static const vvi_codec_ops *const table[] = { &vvi_bytes_ops, &vvi_crc32c_ops,
                                              &vvi_gzip_ops, &vvi_zstd_ops,
                                              &vvi_blosc_ops };

struct vvi_codec_chain {
    uint64_t chunk_bytes; /* decoded; UINT64_MAX when it does not fit */
    size_t count;         /* without codecs that change nothing */
    vvi_codec codecs[CHAIN_MAX];
};

/* ---- settings ------------------------------------------------------------------------------ */

vv_status vvi_codec_known(const vvi_codec *self, const vvi_json *settings,
                          const char *const *names, vv_error *err)
{
    for (const vvi_json *m = vvi_json_first(settings); m; m = vvi_json_next(m)) {
        const char *const *name = names;

        while (*name && strcmp(*name, vvi_json_name(m)) != 0)
            name++;
        if (!*name)
            return vvi_fail(err, VV_EUNSUPPORTED, "codec %s: unknown setting '%s'",
                            self->name, vvi_json_name(m));
    }
    return VV_OK;
}

vv_status vvi_codec_integer(const vvi_codec *self, const vvi_json *settings,
                            const char *name, int64_t min, int64_t max, int64_t otherwise,
                            int64_t *out, vv_error *err)
{
    const vvi_json *value = vvi_json_get(settings, name);

    *out = otherwise;
    if (!value)
        return VV_OK;
    if (!vvi_json_int64(value, out) || *out < min || *out > max)
        return vvi_fail(err, VV_ECORRUPT,
                        "codec %s: '%s' must be an integer from %" PRId64 " to %" PRId64,
                        self->name, name, min, max);
    return VV_OK;
}

vv_status vvi_codec_too_long(const vvi_codec *self, size_t cap, vv_error *err)
{
    return vvi_fail(err, VV_ECORRUPT,
                    "codec %s: the data unfolds into more than %zu bytes", self->name,
                    cap);
}

/* ---- making -------------------------------------------------------------------------------- */

static const vvi_codec_ops *find_codec(const char *name)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i]->name, name) == 0)
            return table[i];
        for (size_t j = 0; j < 2 && table[i]->old_names[j]; j++)
            if (strcmp(table[i]->old_names[j], name) == 0)
                return table[i];
    }
    return NULL;
}

/* A codec is an object with a name and perhaps a configuration, or its name alone. */
static vv_status read_codec(vvi_codec *codec, const vvi_json *entry,
                            const vvi_codec_array *array, vv_error *err)
{
    const vvi_json *settings = vvi_json_get(entry, "configuration");
    const char *name = vvi_json_text(entry, NULL);

    if (!name)
        name = vvi_json_text(vvi_json_get(entry, "name"), NULL);
    if (!name)
        return vvi_fail(err, VV_ECORRUPT, "a codec without a name");
    if (settings && !vvi_json_is(settings, VVI_JSON_OBJECT) &&
        !vvi_json_is(settings, VVI_JSON_NULL))
        return vvi_fail(err, VV_ECORRUPT,
                        "codec %s: its configuration is %s, not an object", name,
                        vvi_json_kind_name(settings));
    codec->ops = find_codec(name);
    if (!codec->ops)
        return vvi_fail(err, VV_EUNSUPPORTED, "codec '%s' is not known to this build",
                        name);
    codec->name = codec->ops->name;
    return codec->ops->configure(codec, settings, array, err);
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

static vv_status read_codecs(vvi_codec_chain *chain, const vvi_json *codecs,
                             const vvi_codec_array *array, vv_error *err)
{
    vvi_codec_kind last = VVI_CODEC_ARRAY_TO_ARRAY;
    bool found = false;

    if (!vvi_json_is(codecs, VVI_JSON_ARRAY))
        return vvi_fail(err, VV_ECORRUPT, "codecs is %s, not a list",
                        vvi_json_kind_name(codecs));
    for (const vvi_json *entry = vvi_json_first(codecs); entry;
         entry = vvi_json_next(entry)) {
        vvi_codec *codec = &chain->codecs[chain->count];

        if (chain->count == CHAIN_MAX)
            return vvi_fail(err, VV_EUNSUPPORTED, "more than %d codecs", CHAIN_MAX);
        VVI_TRY(read_codec(codec, entry, array, err));
        VVI_TRY(check_order(&last, &found, codec, err));
        if (!codec->ops->is_identity || !codec->ops->is_identity(codec))
            chain->count++;
    }
    if (!found)
        return vvi_fail(err, VV_ECORRUPT,
                        "codecs has no codec that makes bytes of an array");
    return VV_OK;
}

vv_status vvi_codec_chain_new(const vvi_json *codecs, const vvi_codec_array *array,
                              vvi_codec_chain **out, vv_error *err)
{
    vvi_codec_chain *chain = vvi_alloc_zero(sizeof(*chain));
    vv_status status;

    if (!chain)
        return vvi_fail_nomem(err, sizeof(*chain));
    if (__builtin_mul_overflow(array->elements, array->dtype.item, &chain->chunk_bytes))
        chain->chunk_bytes = UINT64_MAX;
    status = read_codecs(chain, codecs, array, err);
    if (status)
        vvi_codec_chain_free(chain);
    else
        *out = chain;
    return status;
}

void vvi_codec_chain_free(vvi_codec_chain *chain)
{
    vvi_free(chain);
}

vv_status vvi_codec_chain_size(const vvi_codec_chain *chain, size_t *out, vv_error *err)
{
    if (chain->chunk_bytes > VVI_CHUNK_BYTES_MAX)
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

/* ---- encoding ------------------------------------------------------------------------------- */

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
        const vvi_codec *codec = &chain->codecs[i];
        vv_buf next = VV_BUF_INIT;

        if (codec->ops->turn) {
            status = vvi_buf_set(&next, bytes, err);
            if (!status)
                codec->ops->turn(codec, next.data, next.len);
        } else {
            status = codec->ops->encode(codec, bytes, &next, err);
        }
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

/*
 * The most bytes that codec number i may unfold into: the chunk, or what the encoders before it may
 * have made of it. Twice the chunk and a little each is more than encoders of these formats make,
 * however many there are.
 */
static size_t decoded_max(const vvi_codec_chain *chain, size_t i)
{
    size_t before = 0;

    for (size_t k = 0; k < i; k++)
        before += chain->codecs[k].ops->kind == VVI_CODEC_BYTES_TO_BYTES;
    return (size_t)chain->chunk_bytes * (before ? 2 : 1) + 65536 * before;
}

/* Is there nothing below codec number i but turns in place? */
static bool is_last_unfolding(const vvi_codec_chain *chain, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (!chain->codecs[k].ops->turn)
            return false;
    return true;
}

/* Decode with codec number i into scratch, or into elements when it is the last to unfold. */
static vv_status unfold(const vvi_codec_chain *chain, size_t i, uint8_t *elements,
                        vv_bytes *bytes, vv_buf *scratch, vv_error *err)
{
    const vvi_codec *codec = &chain->codecs[i];
    size_t cap = decoded_max(chain, i);
    vv_buf next = VV_BUF_INIT;
    size_t len = 0;

    if (codec->ops->view)
        return codec->ops->view(codec, *bytes, bytes, err);
    if (is_last_unfolding(chain, i)) {
        VVI_TRY(codec->ops->decode(codec, *bytes, elements, cap, &len, err));
        *bytes = vvi_bytes(elements, len);
        return VV_OK;
    }
    VVI_TRY(vvi_buf_reserve(&next, cap, err));
    vv_status status = codec->ops->decode(codec, *bytes, next.data, cap, &len, err);
    next.len = len;
    if (status) {
        vv_buf_clear(&next);
        return status;
    }
    vvi_buf_move(scratch, &next);
    *bytes = vvi_buf_bytes(scratch);
    return VV_OK;
}

static vv_status check_size(const vvi_codec_chain *chain, vv_bytes bytes, vv_error *err)
{
    if (bytes.len == chain->chunk_bytes)
        return VV_OK;
    return vvi_fail(err, VV_ECORRUPT, "decodes to %zu bytes; a chunk has %" PRIu64,
                    bytes.len, chain->chunk_bytes);
}

vv_status vvi_codec_chain_decode(const vvi_codec_chain *chain, vv_bytes encoded,
                                 void *elements, vv_error *err)
{
    vv_buf scratch = VV_BUF_INIT;
    vv_bytes bytes = encoded;
    vv_status status = VV_OK;
    size_t i = chain->count;
    size_t size = 0;

    VVI_TRY(vvi_codec_chain_size(chain, &size, err));
    while (i > 0 && !chain->codecs[i - 1].ops->turn && !status)
        status = unfold(chain, --i, elements, &bytes, &scratch, err);
    if (!status)
        status = check_size(chain, bytes, err);
    if (status)
        goto done;
    if (bytes.data != elements && size)
        memcpy(elements, bytes.data, size);
    while (i-- > 0)
        chain->codecs[i].ops->turn(&chain->codecs[i], elements, size);

done:
    vv_buf_clear(&scratch);
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
