/* Codecs "gzip": RFC 1952, one member or several behind each other; and "zlib": RFC 1950. */
#include "codec/ops.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <zlib.h>

#define GZIP_WINDOW (15 + 16)         /* the longest window, with a gzip header */
#define ZLIB_WINDOW 15                /* with a zlib one */
#define PIECE_MAX   ((size_t)1 << 30) /* zlib counts in unsigned int */

static voidpf zlib_alloc(voidpf ctx, uInt count, uInt size)
{
    (void)ctx;
    return vvi_alloc_array(count, size);
}

static void zlib_free(voidpf ctx, voidpf ptr)
{
    (void)ctx;
    vvi_free(ptr);
}

static uInt piece(size_t len)
{
    return (uInt)(len < PIECE_MAX ? len : PIECE_MAX);
}

static vv_status configure(vvi_codec *self, const vvi_json *settings, int window,
                           vv_error *err)
{
    static const char *const known[] = { "level", NULL };
    int64_t level;

    VVI_TRY(vvi_codec_known(self, settings, known, err));
    VVI_TRY(vvi_codec_integer(self, settings, "level", -1, 9, 5, &level, err));
    self->u.gzip.level = (int)level;
    self->u.gzip.window = window;
    return VV_OK;
}

static vv_status gzip_configure(vvi_codec *self, const vvi_json *settings,
                                vvi_codec_stage *stage, vv_error *err)
{
    (void)stage;
    return configure(self, settings, GZIP_WINDOW, err);
}

static vv_status zlib_configure(vvi_codec *self, const vvi_json *settings,
                                vvi_codec_stage *stage, vv_error *err)
{
    (void)stage;
    return configure(self, settings, ZLIB_WINDOW, err);
}

static vv_status deflate_all(z_stream *z, vv_bytes in, vv_buf *out, vv_error *err)
{
    int result = Z_OK;

    VVI_TRY(vvi_buf_reserve(out, deflateBound(z, (uLong)in.len), err));
    while (result != Z_STREAM_END) {
        uInt give = piece(in.len);
        uInt room = piece(out->cap - out->len);

        /* zlib's header leaves out a const. */
        z->next_in = (Bytef *)(uintptr_t)in.data;
        z->avail_in = give;
        z->next_out = out->data + out->len;
        z->avail_out = room;
        result = deflate(z, give == in.len ? Z_FINISH : Z_NO_FLUSH);
        if (result != Z_OK && result != Z_STREAM_END)
            return vvi_fail(err, VV_EIO, "zlib's deflate failed (%d)", result);
        in.data += give - z->avail_in;
        in.len -= give - z->avail_in;
        out->len += room - z->avail_out;
        if (out->len == out->cap)
            VVI_TRY(vvi_buf_reserve(out, 4096, err));
    }
    return VV_OK;
}

static vv_status gzip_encode(const vvi_codec *self, vv_bytes in, vv_buf *out,
                             vv_error *err)
{
    z_stream z = { .zalloc = zlib_alloc, .zfree = zlib_free };
    vv_status status;

    if (deflateInit2(&z, self->u.gzip.level, Z_DEFLATED, self->u.gzip.window, 8,
                     Z_DEFAULT_STRATEGY))
        return vvi_fail_nomem(err, 0);
    status = deflate_all(&z, in, out, err);
    deflateEnd(&z);
    if (status)
        vv_buf_clear(out);
    return status;
}

/* Inflate the member at the front of *in. */
static vv_status inflate_member(const vvi_codec *self, z_stream *z, vv_bytes *in,
                                uint8_t *out, size_t cap, size_t *len, vv_error *err)
{
    int result = Z_OK;

    while (result != Z_STREAM_END) {
        uInt give = piece(in->len);
        uInt room = piece(cap - *len);
        uint8_t none;

        z->next_in = (Bytef *)(uintptr_t)in->data;
        z->avail_in = give;
        z->next_out = room ? out + *len : &none;
        z->avail_out = room;
        result = inflate(z, Z_NO_FLUSH);
        in->data += give - z->avail_in;
        in->len -= give - z->avail_in;
        *len += room - z->avail_out;
        if (result == Z_MEM_ERROR)
            return vvi_fail_nomem(err, 0);
        if (result == Z_BUF_ERROR && in->len)
            return vvi_codec_too_long(self, cap, len, err);
        if (result != Z_OK && result != Z_STREAM_END)
            return vvi_fail(err, VV_ECORRUPT, "codec %s: %s", self->name,
                            result == Z_BUF_ERROR ? "the data ends too early"
                            : z->msg              ? z->msg
                                                  : "not data of this kind");
    }
    return VV_OK;
}

static vv_status gzip_decode(const vvi_codec *self, vv_bytes in, uint8_t *out, size_t cap,
                             size_t *len, vv_error *err)
{
    z_stream z = { .zalloc = zlib_alloc, .zfree = zlib_free };
    vv_status status = VV_OK;

    *len = 0;
    if (inflateInit2(&z, self->u.gzip.window))
        return vvi_fail_nomem(err, 0);
    do {
        status = inflate_member(self, &z, &in, out, cap, len, err);
        inflateReset(&z);
    } while (!status && in.len && self->u.gzip.window == GZIP_WINDOW);
    if (!status && in.len)
        status = vvi_fail(err, VV_ECORRUPT, "codec %s: %zu bytes behind the data",
                          self->name, in.len);
    inflateEnd(&z);
    return status;
}

const vvi_codec_ops vvi_gzip_ops = {
    .name = "gzip",
    .old_names = { "numcodecs.gzip" },
    .kind = VVI_CODEC_BYTES_TO_BYTES,
    .configure = gzip_configure,
    .encode = gzip_encode,
    .decode = gzip_decode,
};

const vvi_codec_ops vvi_zlib_ops = {
    .name = "zlib",
    .old_names = { "numcodecs.zlib" },
    .kind = VVI_CODEC_BYTES_TO_BYTES,
    .configure = zlib_configure,
    .encode = gzip_encode,
    .decode = gzip_decode,
};
