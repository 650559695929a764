/* Codec "bz2": one bzip2 stream, or several behind each other. */
#include "codec/ops.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <bzlib.h>

#define PIECE_MAX ((size_t)1 << 30) /* libbz2 counts in unsigned int */

static void *bz2_alloc(void *ctx, int count, int size)
{
    (void)ctx;
    return vvi_alloc_array((size_t)count, (size_t)size);
}

static void bz2_free(void *ctx, void *ptr)
{
    (void)ctx;
    vvi_free(ptr);
}

static unsigned piece(size_t len)
{
    return (unsigned)(len < PIECE_MAX ? len : PIECE_MAX);
}

static vv_status bz2_configure(vvi_codec *self, const vvi_json *settings,
                               vvi_codec_stage *stage, vv_error *err)
{
    static const char *const known[] = { "level", NULL };
    int64_t level;

    (void)stage;
    VVI_TRY(vvi_codec_known(self, settings, known, err));
    VVI_TRY(vvi_codec_integer(self, settings, "level", 1, 9, 1, &level, err));
    self->u.level = (int)level;
    return VV_OK;
}

static vv_status compress_all(bz_stream *z, vv_bytes in, vv_buf *out, vv_error *err)
{
    int result = BZ_RUN_OK;

    /* The format's own bound: a hundredth more, and 600 bytes. */
    VVI_TRY(vvi_buf_reserve(out, in.len + in.len / 100 + 601, err));
    while (result != BZ_STREAM_END) {
        unsigned give = piece(in.len);
        unsigned room = piece(out->cap - out->len);

        z->next_in = (char *)(uintptr_t)in.data; /* its header leaves out a const */
        z->avail_in = give;
        z->next_out = (char *)out->data + out->len;
        z->avail_out = room;
        result = BZ2_bzCompress(z, give == in.len ? BZ_FINISH : BZ_RUN);
        if (result != BZ_RUN_OK && result != BZ_FINISH_OK && result != BZ_STREAM_END)
            return vvi_fail(err, VV_EIO, "codec bz2: libbz2 failed (%d)", result);
        in.data += give - z->avail_in;
        in.len -= give - z->avail_in;
        out->len += room - z->avail_out;
        if (out->len == out->cap)
            VVI_TRY(vvi_buf_reserve(out, 4096, err));
    }
    return VV_OK;
}

static vv_status bz2_encode(const vvi_codec *self, vv_bytes in, vv_buf *out,
                            vv_error *err)
{
    bz_stream z = { .bzalloc = bz2_alloc, .bzfree = bz2_free };
    vv_status status;

    if (BZ2_bzCompressInit(&z, self->u.level, 0, 0))
        return vvi_fail_nomem(err, 0);
    status = compress_all(&z, in, out, err);
    BZ2_bzCompressEnd(&z);
    if (status)
        vv_buf_clear(out);
    return status;
}

/* The stream at the front of *in. */
static vv_status decompress_stream(const vvi_codec *self, bz_stream *z, vv_bytes *in,
                                   uint8_t *out, size_t cap, size_t *len, vv_error *err)
{
    int result = BZ_OK;

    while (result != BZ_STREAM_END) {
        unsigned give = piece(in->len);
        unsigned room = piece(cap - *len);
        char none;

        z->next_in = (char *)(uintptr_t)in->data;
        z->avail_in = give;
        z->next_out = room ? (char *)out + *len : &none;
        z->avail_out = room;
        result = BZ2_bzDecompress(z);
        in->data += give - z->avail_in;
        in->len -= give - z->avail_in;
        *len += room - z->avail_out;
        if (result == BZ_MEM_ERROR)
            return vvi_fail_nomem(err, 0);
        if (result != BZ_OK && result != BZ_STREAM_END)
            return vvi_fail(err, VV_ECORRUPT, "codec %s: damaged data (%d)", self->name,
                            result);
        /* It neither took nor gave anything: it lacks room or input. */
        if (result == BZ_OK && give == z->avail_in && room == z->avail_out)
            return cap == *len
                       ? vvi_codec_too_long(self, cap, len, err)
                       : vvi_fail(err, VV_ECORRUPT, "codec %s: the data ends too early",
                                  self->name);
    }
    return VV_OK;
}

static vv_status bz2_decode(const vvi_codec *self, vv_bytes in, uint8_t *out, size_t cap,
                            size_t *len, vv_error *err)
{
    vv_status status;

    *len = 0;
    do {
        bz_stream z = { .bzalloc = bz2_alloc, .bzfree = bz2_free };

        if (BZ2_bzDecompressInit(&z, 0, 0))
            return vvi_fail_nomem(err, 0);
        status = decompress_stream(self, &z, &in, out, cap, len, err);
        BZ2_bzDecompressEnd(&z);
    } while (!status && in.len);
    return status;
}

const vvi_codec_ops vvi_bz2_ops = {
    .name = "bz2",
    .old_names = { "numcodecs.bz2" },
    .kind = VVI_CODEC_BYTES_TO_BYTES,
    .configure = bz2_configure,
    .encode = bz2_encode,
    .decode = bz2_decode,
};
