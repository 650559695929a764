/* Codec "lzma": xz streams, the older .lzma files, or filters alone, as Python's lzma names them. */
#include "codec/ops.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <lzma.h>
#include <string.h>

/* A longer dictionary is refused: what is stored makes us hold one. Preset 9 has one of 64 MiB. */
#define DICTIONARY_MAX (256u << 20)
#define MEMORY_MAX     ((uint64_t)DICTIONARY_MAX + (16u << 20))
#define PRESET_MAX     9
#define FILTERS_MAX    LZMA_FILTERS_MAX
#define ENCODER_SLACK  4096

/* The numbers of numcodecs' "format". */
enum {
    FORMAT_XZ = 1,
    FORMAT_ALONE = 2,
    FORMAT_RAW = 3
};

typedef struct lzma_state {
    int64_t format;
    lzma_check check;
    lzma_filter filters[FILTERS_MAX + 1]; /* ends with LZMA_VLI_UNKNOWN */
    union {
        lzma_options_lzma lzma;
        lzma_options_delta delta;
    } options[FILTERS_MAX];
} lzma_state;

static void *take(void *ctx, size_t count, size_t size)
{
    (void)ctx;
    return vvi_alloc_array(count, size);
}

static void give(void *ctx, void *ptr)
{
    (void)ctx;
    vvi_free(ptr);
}

static const lzma_allocator allocator = { take, give, NULL };

/* ---- settings ------------------------------------------------------------------------------ */

/* An integer, where null is as good as none. */
static vv_status integer(const vvi_codec *self, const vvi_json *settings,
                         const char *name, int64_t min, int64_t max, int64_t otherwise,
                         int64_t *out, vv_error *err)
{
    *out = otherwise;
    if (vvi_json_is(vvi_json_get(settings, name), VVI_JSON_NULL))
        return VV_OK;
    return vvi_codec_integer(self, settings, name, min, max, otherwise, out, err);
}

static vv_status read_lzma(const vvi_codec *self, const vvi_json *settings,
                           lzma_options_lzma *out, vv_error *err)
{
    int64_t preset;
    int64_t dictionary;

    VVI_TRY(integer(self, settings, "preset", 0, LZMA_PRESET_EXTREME | PRESET_MAX,
                    LZMA_PRESET_DEFAULT, &preset, err));
    if (lzma_lzma_preset(out, (uint32_t)preset))
        return vvi_fail(err, VV_ECORRUPT, "codec %s: there is no preset %" PRId64,
                        self->name, preset);
    VVI_TRY(integer(self, settings, "dict_size", LZMA_DICT_SIZE_MIN, DICTIONARY_MAX,
                    out->dict_size, &dictionary, err));
    out->dict_size = (uint32_t)dictionary;
    return VV_OK;
}

static vv_status read_filter(const vvi_codec *self, const vvi_json *settings,
                             lzma_state *state, size_t i, vv_error *err)
{
    static const char *const of_lzma[] = { "id", "preset", "dict_size", NULL };
    static const char *const of_delta[] = { "id", "dist", NULL };
    int64_t distance;
    uint64_t id;

    if (!vvi_json_uint64(vvi_json_get(settings, "id"), &id))
        return vvi_fail(err, VV_ECORRUPT, "codec %s: a filter without an id", self->name);
    state->filters[i].id = id;
    state->filters[i].options = &state->options[i];
    if (id == LZMA_FILTER_LZMA1 || id == LZMA_FILTER_LZMA2) {
        VVI_TRY(vvi_codec_known(self, settings, of_lzma, err));
        return read_lzma(self, settings, &state->options[i].lzma, err);
    }
    if (id != LZMA_FILTER_DELTA)
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "codec %s: filter %" PRIu64 " is not known to this build",
                        self->name, id);
    VVI_TRY(vvi_codec_known(self, settings, of_delta, err));
    VVI_TRY(integer(self, settings, "dist", LZMA_DELTA_DIST_MIN, LZMA_DELTA_DIST_MAX, 1,
                    &distance, err));
    state->options[i].delta = (lzma_options_delta){ .type = LZMA_DELTA_TYPE_BYTE,
                                                    .dist = (uint32_t)distance };
    return VV_OK;
}

/* Those that are listed; else the one that the format has, with the preset. */
static vv_status read_filters(const vvi_codec *self, const vvi_json *settings,
                              lzma_state *state, vv_error *err)
{
    const vvi_json *list = vvi_json_get(settings, "filters");
    size_t n = 0;

    if (list && !vvi_json_is(list, VVI_JSON_NULL) && !vvi_json_is(list, VVI_JSON_ARRAY))
        return vvi_fail(err, VV_ECORRUPT, "codec %s: 'filters' is %s, not a list",
                        self->name, vvi_json_kind_name(list));
    if (vvi_json_count(list) > FILTERS_MAX)
        return vvi_fail(err, VV_ECORRUPT, "codec %s: more than %d filters", self->name,
                        FILTERS_MAX);
    for (const vvi_json *item = vvi_json_first(list); item; item = vvi_json_next(item))
        VVI_TRY(read_filter(self, item, state, n++, err));
    if (!n && state->format == FORMAT_RAW)
        return vvi_fail(err, VV_ECORRUPT, "codec %s: format 3 has to list its filters",
                        self->name);
    if (!n) {
        state->filters[0].id = state->format == FORMAT_ALONE ? LZMA_FILTER_LZMA1
                                                             : LZMA_FILTER_LZMA2;
        state->filters[0].options = &state->options[0];
        VVI_TRY(read_lzma(self, settings, &state->options[n++].lzma, err));
    }
    state->filters[n].id = LZMA_VLI_UNKNOWN;
    if (state->format == FORMAT_ALONE &&
        (n != 1 || state->filters[0].id != LZMA_FILTER_LZMA1))
        return vvi_fail(err, VV_ECORRUPT, "codec %s: format 2 has the filter LZMA1 alone",
                        self->name);
    return VV_OK;
}

static vv_status lzma_configure(vvi_codec *self, const vvi_json *settings,
                                vvi_codec_stage *stage, vv_error *err)
{
    static const char *const known[] = { "format", "check", "preset", "filters", NULL };
    lzma_state *state;
    int64_t check;

    (void)stage;
    VVI_TRY(vvi_codec_known(self, settings, known, err));
    state = vvi_alloc_zero(sizeof(*state));
    if (!state)
        return vvi_fail_nomem(err, sizeof(*state));
    self->state = state;
    VVI_TRY(integer(self, settings, "format", FORMAT_XZ, FORMAT_RAW, FORMAT_XZ,
                    &state->format, err));
    VVI_TRY(integer(self, settings, "check", -1, LZMA_CHECK_ID_MAX, -1, &check, err));
    state->check = check < 0 ? LZMA_CHECK_CRC64 : (lzma_check)check;
    if (!lzma_check_is_supported(state->check))
        return vvi_fail(err, VV_EUNSUPPORTED, "codec %s: there is no check %" PRId64,
                        self->name, check);
    return read_filters(self, settings, state, err);
}

static void lzma_clear(vvi_codec *self)
{
    vvi_free(self->state);
}

/* ---- both ways --------------------------------------------------------------------------------- */

static vv_status fail_lzma(const vvi_codec *self, lzma_ret result, vv_error *err)
{
    switch (result) {
    case LZMA_MEM_ERROR:
        return vvi_fail_nomem(err, 0);
    case LZMA_MEMLIMIT_ERROR:
        return vvi_fail(err, VV_ELIMIT, "codec %s: a dictionary of more than %u bytes",
                        self->name, DICTIONARY_MAX);
    case LZMA_OPTIONS_ERROR:
        return vvi_fail(err, VV_EUNSUPPORTED,
                        "codec %s: filters that this build has not, or not together",
                        self->name);
    default:
        return vvi_fail(err, VV_ECORRUPT, "codec %s: damaged data (%d)", self->name,
                        (int)result);
    }
}

static lzma_ret begin_encoder(lzma_stream *z, const lzma_state *state)
{
    switch (state->format) {
    case FORMAT_XZ:
        return lzma_stream_encoder(z, state->filters, state->check);
    case FORMAT_ALONE:
        return lzma_alone_encoder(z, state->filters[0].options);
    default:
        return lzma_raw_encoder(z, state->filters);
    }
}

static vv_status lzma_encode(const vvi_codec *self, vv_bytes in, vv_buf *out,
                             vv_error *err)
{
    lzma_stream z = LZMA_STREAM_INIT;
    lzma_ret result;
    vv_status status = VV_OK;

    z.allocator = &allocator;
    z.next_in = in.data;
    z.avail_in = in.len;
    result = begin_encoder(&z, self->state);
    while (result == LZMA_OK && !status) {
        status = vvi_buf_reserve(out, in.len / 2 + ENCODER_SLACK, err);
        if (status)
            break;
        z.next_out = out->data + out->len;
        z.avail_out = out->cap - out->len;
        result = lzma_code(&z, LZMA_FINISH);
        out->len = out->cap - z.avail_out;
    }
    lzma_end(&z);
    if (!status && result != LZMA_STREAM_END)
        status = fail_lzma(self, result, err);
    if (status)
        vv_buf_clear(out);
    return status;
}

static lzma_ret begin_decoder(lzma_stream *z, const lzma_state *state)
{
    switch (state->format) {
    case FORMAT_XZ:
        return lzma_stream_decoder(z, MEMORY_MAX, LZMA_CONCATENATED);
    case FORMAT_ALONE:
        return lzma_alone_decoder(z, MEMORY_MAX);
    default:
        return lzma_raw_decoder(z, state->filters);
    }
}

static vv_status lzma_decode(const vvi_codec *self, vv_bytes in, uint8_t *out, size_t cap,
                             size_t *len, vv_error *err)
{
    lzma_stream z = LZMA_STREAM_INIT;
    uint8_t spare;
    lzma_ret result;

    z.allocator = &allocator;
    z.next_in = in.data;
    z.avail_in = in.len;
    z.next_out = cap ? out : &spare;
    z.avail_out = cap;
    result = begin_decoder(&z, self->state);
    if (result == LZMA_OK)
        result = lzma_code(&z, LZMA_FINISH);
    /* Full: has it ended, or is there more? Raw data end where their input does. */
    if (result == LZMA_OK && z.avail_out == 0) {
        z.next_out = &spare;
        z.avail_out = 1;
        result = lzma_code(&z, LZMA_FINISH);
        if (z.avail_out == 0) {
            lzma_end(&z);
            return vvi_codec_too_long(self, cap, len, err);
        }
        z.avail_out = 0;
    }
    *len = cap - z.avail_out;
    lzma_end(&z);
    if (result == LZMA_STREAM_END && z.avail_in == 0)
        return VV_OK;
    return result == LZMA_OK || result == LZMA_BUF_ERROR || result == LZMA_STREAM_END
               ? vvi_fail(err, VV_ECORRUPT, "codec %s: the data end too %s", self->name,
                          result == LZMA_STREAM_END ? "late" : "early")
               : fail_lzma(self, result, err);
}

const vvi_codec_ops vvi_lzma_ops = {
    .name = "lzma",
    .old_names = { "numcodecs.lzma" },
    .kind = VVI_CODEC_BYTES_TO_BYTES,
    .configure = lzma_configure,
    .clear = lzma_clear,
    .encode = lzma_encode,
    .decode = lzma_decode,
};
