#include "car/stream.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

#define WINDOW_BYTES ((size_t)1 << 16)
/* What is read at once of a long block, so that a length that lies costs no memory. */
#define STEP_BYTES ((size_t)1 << 20)

/* Let the window hold a byte at least; *ended when the stream has none. */
static vv_status fill(vvi_car_stream *self, bool *ended, vv_error *err)
{
    size_t got = 0;

    *ended = false;
    if (self->start < self->end)
        return VV_OK;
    VVI_TRY(self->source.read(self->source.ctx, self->window, WINDOW_BYTES, &got, err));
    self->start = 0;
    self->end = got;
    *ended = got == 0;
    return VV_OK;
}

static vv_status fail_cut(const vvi_car_stream *self, const char *what, vv_error *err)
{
    return vvi_fail(err, VV_ECORRUPT, "byte %" PRIu64 ": the CAR ends inside %s",
                    self->offset, what);
}

/* Up to len bytes; *got is 0 at the end of the stream. */
static vv_status read_some(vvi_car_stream *self, uint8_t *out, size_t len, size_t *got,
                           vv_error *err)
{
    *got = self->end - self->start;
    if (*got) {
        if (*got > len)
            *got = len;
        memcpy(out, self->window + self->start, *got);
        self->start += *got;
    } else {
        VVI_TRY(self->source.read(self->source.ctx, out, len, got, err));
    }
    self->offset += *got;
    return VV_OK;
}

/* Append len bytes to out. */
static vv_status read_bytes(vvi_car_stream *self, uint64_t len, const char *what,
                            vv_buf *out, vv_error *err)
{
    if (len > self->limit - self->offset)
        return fail_cut(self, what, err);
    while (len) {
        size_t step = len < STEP_BYTES ? (size_t)len : STEP_BYTES;
        size_t got;

        VVI_TRY(vvi_buf_reserve(out, step, err));
        VVI_TRY(read_some(self, out->data + out->len, step, &got, err));
        if (got == 0)
            return fail_cut(self, what, err);
        out->len += got;
        len -= got;
    }
    return VV_OK;
}

/* A length. *ended when the stream, or its CARv1, has ended before it. */
static vv_status read_varint(vvi_car_stream *self, const char *what, uint64_t *out,
                             bool *ended, vv_error *err)
{
    uint8_t bytes[VV_VARINT_MAX];
    uint64_t offset = self->offset;
    size_t used;
    size_t n = 0;

    *ended = self->offset == self->limit;
    if (*ended)
        return VV_OK;
    do {
        bool cut;

        VVI_TRY(fill(self, &cut, err));
        if (cut && n == 0) {
            *ended = self->limit == UINT64_MAX;
            return *ended ? VV_OK : fail_cut(self, "its data", err);
        }
        if (cut || self->offset == self->limit)
            return fail_cut(self, what, err);
        bytes[n++] = self->window[self->start++];
        self->offset++;
    } while (bytes[n - 1] >= 0x80 && n < VV_VARINT_MAX);
    if (vv_varint_decode(vvi_bytes(bytes, n), out, &used, err))
        return vvi_wrap(err, VV_ECORRUPT, "byte %" PRIu64 ": %s", offset, what);
    return VV_OK;
}

static vv_status read_header(vvi_car_stream *self, vv_error *err)
{
    uint64_t at = self->offset;
    vv_buf bytes = VV_BUF_INIT;
    vv_status status;
    uint64_t len = 0;
    bool ended;

    VVI_TRY(read_varint(self, "the length of its header", &len, &ended, err));
    if (ended)
        return vvi_fail(err, VV_ECORRUPT, "byte %" PRIu64 ": not a CAR: it is empty", at);
    if (len == 0 || len > VVI_CAR_HEADER_MAX)
        return vvi_fail(err, VV_ECORRUPT,
                        "byte %" PRIu64 ": not a CAR: a header of %" PRIu64 " bytes", at,
                        len);
    at = self->offset;
    status = read_bytes(self, len, "its header", &bytes, err);
    if (!status)
        status = vvi_car_header_parse(vvi_buf_bytes(&bytes), at, &self->header, err);
    vv_buf_clear(&bytes);
    return status;
}

/* Pass over bytes between the parts of a CARv2. */
static vv_status skip_to(vvi_car_stream *self, uint64_t offset, vv_error *err)
{
    while (self->offset < offset) {
        size_t some;
        bool ended;

        VVI_TRY(fill(self, &ended, err));
        if (ended)
            return fail_cut(self, "the padding before its data", err);
        some = self->end - self->start;
        if (some > offset - self->offset)
            some = (size_t)(offset - self->offset);
        self->start += some;
        self->offset += some;
    }
    return VV_OK;
}

/* Past the header that says version 2, to the CARv1 inside. */
static vv_status enter_v2(vvi_car_stream *self, vv_error *err)
{
    vv_buf bytes = VV_BUF_INIT;
    vvi_car_v2 v2;
    vv_status status;

    if (self->header.root_count || self->offset != VVI_CAR_V2_PRAGMA)
        return vvi_fail(err, VV_ECORRUPT,
                        "byte 0: a CARv2 header with more than its version");
    status = read_bytes(self, VVI_CAR_V2_BYTES - VVI_CAR_V2_PRAGMA, "its header", &bytes,
                        err);
    if (!status)
        status = vvi_car_v2_parse(bytes.data, &v2, err);
    vv_buf_clear(&bytes);
    if (!status)
        status = skip_to(self, v2.data_offset, err);
    if (!status) {
        self->limit = v2.data_offset + v2.data_size;
        vvi_car_header_clear(&self->header);
        status = read_header(self, err);
    }
    return status;
}

vv_status vvi_car_stream_init(vvi_car_stream *self, vv_source source, vv_error *err)
{
    *self = (vvi_car_stream){ .source = source, .limit = UINT64_MAX };
    self->window = vvi_alloc(WINDOW_BYTES);
    if (!self->window)
        return vvi_fail_nomem(err, WINDOW_BYTES);
    VVI_TRY(read_header(self, err));
    if (self->header.version == 2)
        VVI_TRY(enter_v2(self, err));
    if (self->header.version != 1)
        return vvi_fail(err, VV_EUNSUPPORTED, "CAR version %" PRIu64 "%s",
                        self->header.version,
                        self->limit == UINT64_MAX ? "" : " inside a CARv2");
    return VV_OK;
}

void vvi_car_stream_clear(vvi_car_stream *self)
{
    vvi_car_header_clear(&self->header);
    vvi_free(self->window);
    self->window = NULL;
}

vv_status vvi_car_stream_next(vvi_car_stream *self, vv_buf *out, vv_cid *cid,
                              size_t *cid_bytes, uint64_t *offset, bool *ended,
                              vv_error *err)
{
    size_t before = out->len;
    uint64_t len;

    *offset = self->offset;
    VVI_TRY(read_varint(self, "the length of a section", &len, ended, err));
    if (*ended)
        return VV_OK;
    VVI_TRY(vvi_car_check_length(len, *offset, err));
    VVI_TRY(read_bytes(self, len, "a section", out, err));
    return vvi_car_parse_cid(vvi_bytes(out->data + before, out->len - before), *offset,
                             cid, cid_bytes, err);
}
