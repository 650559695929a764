/*
 * Codecs "vlen-utf8" and "vlen-bytes": elements of any length each.
 *
 *   u32 count of elements, then for each of them: u32 bytes, the bytes (all little-endian)
 */
#include "codec/ops.h"

#include "util/buf.h"
#include "util/endian.h"

#include <string.h>

#define LENGTH_BYTES 4

/* ---- settings ------------------------------------------------------------------------------ */

static vv_status configure(vvi_codec *self, const vvi_json *settings,
                           const vvi_codec_stage *stage, vv_dtype dtype, vv_error *err)
{
    static const char *const known[] = { NULL };

    VVI_TRY(vvi_codec_known(self, settings, known, err));
    if (stage->array.dtype.code != dtype)
        return vvi_fail(err, VV_ECORRUPT, "codec %s: elements are of type '%s', not '%s'",
                        self->name, vv_dtype_name(stage->array.dtype.code),
                        vv_dtype_name(dtype));
    return VV_OK;
}

static vv_status utf8_configure(vvi_codec *self, const vvi_json *settings,
                                vvi_codec_stage *stage, vv_error *err)
{
    return configure(self, settings, stage, VV_STRING, err);
}

static vv_status bytes_configure(vvi_codec *self, const vvi_json *settings,
                                 vvi_codec_stage *stage, vv_error *err)
{
    return configure(self, settings, stage, VV_BYTES, err);
}

/* ---- encoding ------------------------------------------------------------------------------ */

static vv_status measure(const vvi_codec *self, const vv_bytes *elements, uint64_t *out,
                         vv_error *err)
{
    uint64_t total = LENGTH_BYTES;

    for (uint64_t i = 0; i < self->elements; i++) {
        total += LENGTH_BYTES + (uint64_t)elements[i].len;
        if (elements[i].len > VVI_CHUNK_BYTES_MAX || total > VVI_CHUNK_BYTES_MAX)
            return vvi_fail(err, VV_ELIMIT,
                            "codec %s: a chunk of more than %" PRIu64 " bytes",
                            self->name, VVI_CHUNK_BYTES_MAX);
        if (self->dtype.code == VV_STRING && !vvi_is_utf8(elements[i]))
            return vvi_fail(err, VV_EINVAL, "codec %s: element %" PRIu64 " is not UTF-8",
                            self->name, i);
    }
    *out = total;
    return VV_OK;
}

static vv_status vlen_encode(const vvi_codec *self, vv_bytes in, vv_buf *out,
                             vv_error *err)
{
    const vv_bytes *elements = (const void *)in.data;
    uint64_t total = 0;
    uint8_t *at;

    VVI_TRY(measure(self, elements, &total, err));
    VVI_TRY(vvi_buf_reserve(out, (size_t)total, err));
    out->len = (size_t)total;
    at = out->data;
    vvi_put_le32(at, (uint32_t)self->elements);
    at += LENGTH_BYTES;
    for (uint64_t i = 0; i < self->elements; i++) {
        vvi_put_le32(at, (uint32_t)elements[i].len);
        at += LENGTH_BYTES;
        if (elements[i].len)
            memcpy(at, elements[i].data, elements[i].len);
        at += elements[i].len;
    }
    return VV_OK;
}

/* ---- decoding ------------------------------------------------------------------------------ */

/* Point the elements into in. */
static vv_status point(const vvi_codec *self, vv_bytes in, vv_bytes *elements,
                       vv_error *err)
{
    const uint8_t *at = in.data + LENGTH_BYTES;
    const uint8_t *end = in.data + in.len;

    for (uint64_t i = 0; i < self->elements; i++) {
        uint32_t len;

        if ((size_t)(end - at) < LENGTH_BYTES)
            return vvi_fail(err, VV_ECORRUPT,
                            "codec %s: the data ends before element %" PRIu64, self->name,
                            i);
        len = vvi_get_le32(at);
        at += LENGTH_BYTES;
        if (len > (size_t)(end - at))
            return vvi_fail(err, VV_ECORRUPT,
                            "codec %s: element %" PRIu64 " of %" PRIu32
                            " bytes ends past the data",
                            self->name, i, len);
        elements[i] = vvi_bytes(len ? at : NULL, len);
        if (self->dtype.code == VV_STRING && !vvi_is_utf8(elements[i]))
            return vvi_fail(err, VV_ECORRUPT,
                            "codec %s: element %" PRIu64 " is not UTF-8", self->name, i);
        at += len;
    }
    if (at != end)
        return vvi_fail(err, VV_ECORRUPT, "codec %s: %zu bytes behind the last element",
                        self->name, (size_t)(end - at));
    return VV_OK;
}

static vv_status vlen_decode(const vvi_codec *self, vv_bytes in, vv_buf *owner,
                             void *elements, vvi_heap *heap, vv_error *err)
{
    uint64_t least = LENGTH_BYTES * (1 + self->elements);
    vv_buf copy = VV_BUF_INIT;
    vv_status status;

    if (in.len < LENGTH_BYTES || vvi_get_le32(in.data) != self->elements)
        return vvi_fail(err, VV_ECORRUPT,
                        "codec %s: not the %" PRIu64 " elements of a chunk", self->name,
                        self->elements);
    /* The data is kept as it is, and copied first where it is only lent. */
    if (!owner->data && in.len > least) {
        VVI_TRY(vvi_buf_set(&copy, in, err));
        in = vvi_buf_bytes(&copy);
        owner = &copy;
    }
    status = point(self, in, elements, err);
    if (!status && in.len > least)
        status = vvi_heap_keep(heap, owner, err);
    vv_buf_clear(&copy);
    return status;
}

/* No metadata says how long elements are. */
static uint64_t vlen_encoded_max(const vvi_codec *self)
{
    (void)self;
    return VVI_CHUNK_BYTES_MAX;
}

const vvi_codec_ops vvi_vlen_utf8_ops = {
    .name = "vlen-utf8",
    .old_names = { "numcodecs.vlen-utf8" },
    .kind = VVI_CODEC_ARRAY_TO_BYTES,
    .configure = utf8_configure,
    .encode = vlen_encode,
    .decode_elements = vlen_decode,
    .encoded_max = vlen_encoded_max,
};

const vvi_codec_ops vvi_vlen_bytes_ops = {
    .name = "vlen-bytes",
    .old_names = { "numcodecs.vlen-bytes" },
    .kind = VVI_CODEC_ARRAY_TO_BYTES,
    .configure = bytes_configure,
    .encode = vlen_encode,
    .decode_elements = vlen_decode,
    .encoded_max = vlen_encoded_max,
};
