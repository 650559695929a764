/*
 * Codecs "crc32c", "crc32", "adler32", "fletcher32": the data and a checksum of it, four bytes,
 * little-endian, behind it or in front.
 */
#include "codec/ops.h"

#include "util/buf.h"
#include "util/endian.h"

#include <varvite/hash.h>

#include <zlib.h>

#define SUM_BYTES 4

/* ---- sums ---------------------------------------------------------------------------------- */

static uint32_t sum_crc32c(vv_bytes data)
{
    return vv_crc32c(0, data);
}

static uint32_t sum_crc32(vv_bytes data)
{
    return (uint32_t)crc32_z(crc32_z(0, NULL, 0), data.data, data.len);
}

static uint32_t sum_adler32(vv_bytes data)
{
    return (uint32_t)adler32_z(adler32_z(0, NULL, 0), data.data, data.len);
}

/* As HDF5 has it: big-endian 16-bit words, an odd byte at the end as the high one of a word. A sum
 * that is a multiple of 65535 is 65535, unless all of it is 0. */
static uint32_t fold(uint64_t sum)
{
    return sum ? (uint32_t)((sum - 1) % 65535 + 1) : 0;
}

static uint32_t sum_fletcher32(vv_bytes data)
{
    uint64_t a = 0;
    uint64_t b = 0;
    size_t i = 0;

    while (i < data.len) {
        /* So many words keep the sums within 64 bits. */
        size_t end = data.len - i > 65536 ? i + 65536 : data.len;

        for (; i + 1 < end; i += 2) {
            a += vvi_get_be16(data.data + i);
            b += a;
        }
        if (i < end) {
            a += (uint64_t)data.data[i++] << 8;
            b += a;
        }
        a = fold(a);
        b = fold(b);
    }
    return (uint32_t)(b << 16 | a);
}

/* ---- settings ------------------------------------------------------------------------------ */

static vv_status configure(vvi_codec *self, const vvi_json *settings,
                           uint32_t (*sum)(vv_bytes data), bool in_front, vv_error *err)
{
    static const char *const known[] = { "location", NULL };
    const vvi_json *location = vvi_json_get(settings, "location");

    VVI_TRY(vvi_codec_known(self, settings, known, err));
    self->u.checksum.sum = sum;
    self->u.checksum.in_front = in_front;
    if (!location || vvi_json_is(location, VVI_JSON_NULL))
        return VV_OK;
    self->u.checksum.in_front = vvi_json_is_text(location, "start");
    if (!self->u.checksum.in_front && !vvi_json_is_text(location, "end"))
        return vvi_fail(err, VV_ECORRUPT,
                        "codec %s: 'location' must be \"start\" or \"end\"", self->name);
    return VV_OK;
}

static vv_status crc32c_configure(vvi_codec *self, const vvi_json *settings,
                                  vvi_codec_stage *stage, vv_error *err)
{
    (void)stage;
    return configure(self, settings, sum_crc32c, false, err);
}

static vv_status crc32_configure(vvi_codec *self, const vvi_json *settings,
                                 vvi_codec_stage *stage, vv_error *err)
{
    (void)stage;
    return configure(self, settings, sum_crc32, true, err);
}

static vv_status adler32_configure(vvi_codec *self, const vvi_json *settings,
                                   vvi_codec_stage *stage, vv_error *err)
{
    (void)stage;
    return configure(self, settings, sum_adler32, true, err);
}

static vv_status fletcher32_configure(vvi_codec *self, const vvi_json *settings,
                                      vvi_codec_stage *stage, vv_error *err)
{
    static const char *const known[] = { NULL };

    (void)stage;
    VVI_TRY(vvi_codec_known(self, settings, known, err));
    return configure(self, NULL, sum_fletcher32, false, err);
}

/* ---- both ways ------------------------------------------------------------------------------ */

static vv_status checksum_encode(const vvi_codec *self, vv_bytes in, vv_buf *out,
                                 vv_error *err)
{
    uint8_t bytes[SUM_BYTES];
    vv_bytes sum = { bytes, sizeof(bytes) };
    bool in_front = self->u.checksum.in_front;

    vvi_put_le32(bytes, self->u.checksum.sum(in));
    VVI_TRY(vvi_buf_reserve(out, in.len + SUM_BYTES, err));
    VVI_TRY(vvi_buf_append(out, in_front ? sum : in, err));
    return vvi_buf_append(out, in_front ? in : sum, err);
}

static vv_status checksum_view(const vvi_codec *self, vv_bytes in, vv_bytes *out,
                               vv_error *err)
{
    bool in_front = self->u.checksum.in_front;
    uint32_t stored;
    uint32_t sum;
    vv_bytes data;

    if (in.len < SUM_BYTES)
        return vvi_fail(err, VV_ECORRUPT, "codec %s: %zu bytes hold no checksum",
                        self->name, in.len);
    data = vvi_bytes(in.data + (in_front ? SUM_BYTES : 0), in.len - SUM_BYTES);
    stored = vvi_get_le32(in_front ? in.data : data.data + data.len);
    sum = self->u.checksum.sum(data);
    if (sum != stored)
        return vvi_fail(err, VV_ECORRUPT,
                        "codec %s: the checksum is %08" PRIx32
                        ", the data has %08" PRIx32,
                        self->name, stored, sum);
    *out = data;
    return VV_OK;
}

static size_t checksum_encoded_size(const vvi_codec *self, size_t in)
{
    (void)self;
    return in + SUM_BYTES;
}

#define CHECKSUM(name_)                        \
    const vvi_codec_ops vvi_##name_##_ops = {  \
        .name = #name_,                        \
        .old_names = { "numcodecs." #name_ },  \
        .kind = VVI_CODEC_BYTES_TO_BYTES,      \
        .configure = name_##_configure,        \
        .encode = checksum_encode,             \
        .encoded_size = checksum_encoded_size, \
        .view = checksum_view,                 \
    }

CHECKSUM(crc32c);
CHECKSUM(crc32);
CHECKSUM(adler32);
CHECKSUM(fletcher32);
