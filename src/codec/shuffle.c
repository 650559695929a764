/* Codec "shuffle": all first bytes of the elements, then all second ones, and so on. */
#include "codec/ops.h"

#include "util/buf.h"
#include "util/endian.h"

#include <string.h>

static vv_status shuffle_configure(vvi_codec *self, const vvi_json *settings,
                                   vvi_codec_stage *stage, vv_error *err)
{
    static const char *const known[] = { "elementsize", NULL };
    int64_t size = (int64_t)stage->array.dtype.item;

    VVI_TRY(vvi_codec_known(self, settings, known, err));
    if (!vvi_json_is(vvi_json_get(settings, "elementsize"), VVI_JSON_NULL))
        VVI_TRY(vvi_codec_integer(self, settings, "elementsize", 0, INT32_MAX, size,
                                  &size, err));
    self->u.shuffle.size = (size_t)size;
    return VV_OK;
}

static bool shuffle_is_identity(const vvi_codec *self)
{
    return self->u.shuffle.size <= 1;
}

/* As words that are shifted apart, which compilers make vectors of. */
#define SPLIT(bits_)                                                              \
    for (size_t b = 0; b < bits_ / 8; b++)                                        \
        for (size_t i = 0; i < n; i++)                                            \
            out[b * n + i] = (uint8_t)(vvi_get_le##bits_(in + i * (bits_ / 8)) >> \
                                       (8 * b));                                  \
    return

void vvi_shuffle(size_t size, size_t n, const uint8_t *restrict in, uint8_t *restrict out)
{
    switch (size) {
    case 2:
        SPLIT(16);
    case 4:
        SPLIT(32);
    case 8:
        SPLIT(64);
    default:
        for (size_t b = 0; b < size; b++)
            for (size_t i = 0; i < n; i++)
                out[b * n + i] = in[i * size + b];
    }
}

#define AT(b_) ((uint64_t)in[(b_)*n + i] << (8 * (b_)))

static void join(size_t size, size_t n, const uint8_t *restrict in, uint8_t *restrict out)
{
    switch (size) {
    case 2:
        for (size_t i = 0; i < n; i++)
            vvi_put_le16(out + i * 2, (uint16_t)(AT(0) | AT(1)));
        return;
    case 4:
        for (size_t i = 0; i < n; i++)
            vvi_put_le32(out + i * 4, (uint32_t)(AT(0) | AT(1) | AT(2) | AT(3)));
        return;
    case 8:
        for (size_t i = 0; i < n; i++)
            vvi_put_le64(out + i * 8,
                         AT(0) | AT(1) | AT(2) | AT(3) | AT(4) | AT(5) | AT(6) | AT(7));
        return;
    default:
        for (size_t i = 0; i < n; i++)
            for (size_t b = 0; b < size; b++)
                out[i * size + b] = in[b * n + i];
    }
}

static vv_status shuffle_encode(const vvi_codec *self, vv_bytes in, vv_buf *out,
                                vv_error *err)
{
    size_t size = self->u.shuffle.size;

    if (in.len % size)
        return vvi_fail(err, VV_EINVAL, "codec %s: %zu bytes are no elements of %zu",
                        self->name, in.len, size);
    VVI_TRY(vvi_buf_reserve(out, in.len + 1, err));
    vvi_shuffle(size, in.len / size, in.data, out->data);
    out->len = in.len;
    return VV_OK;
}

static vv_status shuffle_decode(const vvi_codec *self, vv_bytes in, uint8_t *out,
                                size_t cap, size_t *len, vv_error *err)
{
    size_t size = self->u.shuffle.size;

    if (in.len % size)
        return vvi_fail(err, VV_ECORRUPT, "codec %s: %zu bytes are no elements of %zu",
                        self->name, in.len, size);
    if (in.len > cap)
        return vvi_codec_too_long(self, cap, len, err);
    join(size, in.len / size, in.data, out);
    *len = in.len;
    return VV_OK;
}

static size_t shuffle_encoded_size(const vvi_codec *self, size_t in)
{
    (void)self;
    return in;
}

static uint64_t shuffle_stated_size(const vvi_codec *self, vv_bytes in)
{
    (void)self;
    return in.len;
}

const vvi_codec_ops vvi_shuffle_ops = {
    .name = "shuffle",
    .old_names = { "numcodecs.shuffle" },
    .kind = VVI_CODEC_BYTES_TO_BYTES,
    .configure = shuffle_configure,
    .is_identity = shuffle_is_identity,
    .encode = shuffle_encode,
    .encoded_size = shuffle_encoded_size,
    .decode = shuffle_decode,
    .stated_size = shuffle_stated_size,
};
