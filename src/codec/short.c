/* Short forms of codec chains: "zstd:3+crc32c" → the metadata that says the same. */
#include "codec/codec.h"

#include "util/buf.h"

#include <stdlib.h>
#include <string.h>

#define PART_MAX   64
#define FIELDS_MAX 4

/* One name with its settings, cut at the colons. */
typedef struct part {
    char text[PART_MAX];
    char *field[FIELDS_MAX]; /* NULL behind the last */
} part;

static vv_status cut_part(const char *text, size_t len, part *out, vv_error *err)
{
    char *rest = out->text;
    size_t n = 0;

    if (len >= PART_MAX)
        return vvi_fail(err, VV_EINVAL, "codecs '%s': too long", text);
    memset(out, 0, sizeof(*out));
    memcpy(out->text, text, len);
    while (rest) {
        if (n == FIELDS_MAX)
            return vvi_fail(err, VV_EINVAL, "codec '%s' has too many settings",
                            out->field[0]);
        out->field[n++] = rest;
        rest = strchr(rest, ':');
        if (rest)
            *rest++ = '\0';
    }
    return VV_OK;
}

static vv_status read_level(const part *from, size_t field, int64_t otherwise,
                            int64_t *out, vv_error *err)
{
    char *end;

    *out = otherwise;
    if (field >= FIELDS_MAX || !from->field[field])
        return VV_OK;
    *out = strtol(from->field[field], &end, 10);
    if (*end != '\0' || end == from->field[field])
        return vvi_fail(err, VV_EINVAL, "codec '%s': '%s' is no level", from->field[0],
                        from->field[field]);
    return VV_OK;
}

static vv_status refuse_more(const part *from, size_t fields, vv_error *err)
{
    if (fields < FIELDS_MAX && from->field[fields])
        return vvi_fail(err, VV_EINVAL, "codec '%s' takes no setting '%s'",
                        from->field[0], from->field[fields]);
    return VV_OK;
}

static vv_status set_zstd(const part *from, vvi_json *settings, vv_error *err)
{
    int64_t level;

    VVI_TRY(refuse_more(from, 2, err));
    VVI_TRY(read_level(from, 1, 3, &level, err));
    VVI_TRY(vvi_json_set(settings, "level", vvi_json_new_int64(level), err));
    return vvi_json_set(settings, "checksum", vvi_json_new_bool(false), err);
}

static vv_status set_gzip(const part *from, vvi_json *settings, vv_error *err)
{
    int64_t level;

    VVI_TRY(refuse_more(from, 2, err));
    VVI_TRY(read_level(from, 1, 5, &level, err));
    return vvi_json_set(settings, "level", vvi_json_new_int64(level), err);
}

static vv_status set_blosc(const part *from, const vvi_codec_array *array,
                           vvi_json *settings, vv_error *err)
{
    const char *shuffle = from->field[1] && from->field[2] ? from->field[3] : NULL;
    const char *name = from->field[1] ? from->field[1] : "lz4";
    int64_t level;

    if (!shuffle)
        shuffle = array->dtype.item == 1 ? "bitshuffle" : "shuffle";
    VVI_TRY(read_level(from, 2, 5, &level, err));
    VVI_TRY(
        vvi_json_set(settings, "typesize", vvi_json_new_uint64(array->dtype.item), err));
    VVI_TRY(vvi_json_set(settings, "cname", vvi_json_new_text(name), err));
    VVI_TRY(vvi_json_set(settings, "clevel", vvi_json_new_int64(level), err));
    VVI_TRY(vvi_json_set(settings, "shuffle", vvi_json_new_text(shuffle), err));
    return vvi_json_set(settings, "blocksize", vvi_json_new_int64(0), err);
}

static vv_status set_bytes(const part *from, const vvi_codec_array *array,
                           vvi_json *settings, vv_error *err)
{
    const char *order = from && from->field[1] ? from->field[1] : "little";

    if (from)
        VVI_TRY(refuse_more(from, 2, err));
    if (array->dtype.word == 1)
        return VV_OK;
    return vvi_json_set(settings, "endian", vvi_json_new_text(order), err);
}

/* The codec that makes bytes of elements where none is named. */
static const char *usual_name(const vvi_codec_array *array)
{
    return array->dtype.code == VV_STRING  ? "vlen-utf8"
           : array->dtype.code == VV_BYTES ? "vlen-bytes"
                                           : "bytes";
}

/* Append {"name": …, "configuration": {…}}; from NULL: the usual one that makes bytes. */
static vv_status append_codec(const part *from, const vvi_codec_array *array,
                              vvi_json *codecs, vv_error *err)
{
    const char *name = from ? from->field[0] : usual_name(array);
    vvi_json *settings = vvi_json_new(VVI_JSON_OBJECT);
    vvi_json *codec = vvi_json_new(VVI_JSON_OBJECT);
    vv_status status;

    if (!settings || !codec)
        status = vvi_fail_nomem(err, 0);
    else if (strcmp(name, "bytes") == 0)
        status = set_bytes(from, array, settings, err);
    else if (!from)
        status = VV_OK;
    else if (strcmp(name, "zstd") == 0)
        status = set_zstd(from, settings, err);
    else if (strcmp(name, "gzip") == 0)
        status = set_gzip(from, settings, err);
    else if (strcmp(name, "blosc") == 0)
        status = set_blosc(from, array, settings, err);
    else if (strcmp(name, "crc32c") == 0)
        status = refuse_more(from, 1, err);
    else
        status = vvi_fail(err, VV_EINVAL,
                          "codec '%s' is not known; there are zstd:LEVEL, gzip:LEVEL, "
                          "blosc:COMPRESSOR:LEVEL, crc32c and none",
                          name);
    if (!status)
        status = vvi_json_set(codec, "name", vvi_json_new_text(name), err);
    if (!status && vvi_json_count(settings)) {
        status = vvi_json_set(codec, "configuration", settings, err);
        settings = NULL;
    }
    if (!status) {
        status = vvi_json_append(codecs, codec, err);
        codec = NULL;
    }
    vvi_json_free(settings);
    vvi_json_free(codec);
    return status;
}

static vv_status append_all(const char *text, const vvi_codec_array *array,
                            vvi_json *codecs, vv_error *err)
{
    bool first = true;

    while (text) {
        const char *end = strchr(text, '+');
        size_t len = end ? (size_t)(end - text) : strlen(text);
        part from;

        VVI_TRY(cut_part(text, len, &from, err));
        if (first && strcmp(from.field[0], "bytes") != 0)
            VVI_TRY(append_codec(NULL, array, codecs, err));
        if (first && !end && strcmp(from.text, "none") == 0)
            return refuse_more(&from, 1, err);
        VVI_TRY(append_codec(&from, array, codecs, err));
        first = false;
        text = end ? end + 1 : NULL;
    }
    return VV_OK;
}

vv_status vvi_codecs_from_text(const char *text, const vvi_codec_array *array,
                               vvi_json **out, vv_error *err)
{
    vvi_json *codecs = NULL;
    vv_status status;

    if (*text == '[') {
        status = vvi_json_parse(vv_bytes_of(text), &codecs, err);
        if (status == VV_ECORRUPT)
            status = vvi_wrap(err, VV_EINVAL, "codecs");
    } else {
        codecs = vvi_json_new(VVI_JSON_ARRAY);
        status = codecs ? append_all(text, array, codecs, err)
                        : vvi_fail_nomem(err, sizeof(codecs));
    }
    if (status)
        vvi_json_free(codecs);
    else
        *out = codecs;
    return status;
}
