/* Short forms of codec chains: "shuffle+zstd:3" → the metadata that says the same. */
#include "codec/number.h"

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

/* ---- settings, by codec ----------------------------------------------------------------------- */

/* Put the settings of one codec into an object; an array → array codec says in *dtype what its
 * elements become. */
typedef vv_status set_fn(const part *from, vvi_dtype *dtype, vvi_json *settings,
                         vv_error *err);

static vv_status set_nothing(const part *from, vvi_dtype *dtype, vvi_json *settings,
                             vv_error *err)
{
    (void)dtype;
    (void)settings;
    return refuse_more(from, 1, err);
}

/* One integer; otherwise where it is left out. */
static vv_status set_level(const part *from, const char *name, int64_t otherwise,
                           vvi_json *settings, vv_error *err)
{
    int64_t level;

    VVI_TRY(refuse_more(from, 2, err));
    VVI_TRY(read_level(from, 1, otherwise, &level, err));
    return vvi_json_set(settings, name, vvi_json_new_int64(level), err);
}

static vv_status set_zstd(const part *from, vvi_dtype *dtype, vvi_json *settings,
                          vv_error *err)
{
    (void)dtype;
    VVI_TRY(set_level(from, "level", 3, settings, err));
    return vvi_json_set(settings, "checksum", vvi_json_new_bool(false), err);
}

static vv_status set_deflate(const part *from, vvi_dtype *dtype, vvi_json *settings,
                             vv_error *err)
{
    (void)dtype;
    return set_level(from, "level", 5, settings, err);
}

static vv_status set_bz2(const part *from, vvi_dtype *dtype, vvi_json *settings,
                         vv_error *err)
{
    (void)dtype;
    return set_level(from, "level", 9, settings, err);
}

static vv_status set_lzma(const part *from, vvi_dtype *dtype, vvi_json *settings,
                          vv_error *err)
{
    (void)dtype;
    return set_level(from, "preset", 6, settings, err);
}

static vv_status set_lz4(const part *from, vvi_dtype *dtype, vvi_json *settings,
                         vv_error *err)
{
    (void)dtype;
    return set_level(from, "acceleration", 1, settings, err);
}

static vv_status set_shuffle(const part *from, vvi_dtype *dtype, vvi_json *settings,
                             vv_error *err)
{
    return set_level(from, "elementsize", (int64_t)dtype->item, settings, err);
}

static vv_status set_blosc(const part *from, vvi_dtype *dtype, vvi_json *settings,
                           vv_error *err)
{
    const char *shuffle = from->field[1] && from->field[2] ? from->field[3] : NULL;
    const char *name = from->field[1] ? from->field[1] : "lz4";
    int64_t level;

    if (!shuffle)
        shuffle = dtype->item == 1 ? "bitshuffle" : "shuffle";
    VVI_TRY(read_level(from, 2, 5, &level, err));
    VVI_TRY(vvi_json_set(settings, "typesize", vvi_json_new_uint64(dtype->item), err));
    VVI_TRY(vvi_json_set(settings, "cname", vvi_json_new_text(name), err));
    VVI_TRY(vvi_json_set(settings, "clevel", vvi_json_new_int64(level), err));
    VVI_TRY(vvi_json_set(settings, "shuffle", vvi_json_new_text(shuffle), err));
    return vvi_json_set(settings, "blocksize", vvi_json_new_int64(0), err);
}

static vv_status set_bytes(const part *from, vvi_dtype *dtype, vvi_json *settings,
                           vv_error *err)
{
    VVI_TRY(refuse_more(from, 2, err));
    if (dtype->word == 1)
        return VV_OK;
    return vvi_json_set(settings, "endian",
                        vvi_json_new_text(from->field[1] ? from->field[1] : "little"),
                        err);
}

/* "transpose:2,0,1" */
static vv_status set_transpose(const part *from, vvi_dtype *dtype, vvi_json *settings,
                               vv_error *err)
{
    vvi_json *order = vvi_json_new(VVI_JSON_ARRAY);
    const char *at = from->field[1] ? from->field[1] : "";
    vv_status status = refuse_more(from, 2, err);
    char *end = NULL;

    (void)dtype;
    while (!status) {
        long number = strtol(at, &end, 10);

        if (end == at || number < 0 || (*end && *end != ','))
            status = vvi_fail(err, VV_EINVAL,
                              "codec 'transpose' takes an order of dimensions as in "
                              "transpose:1,0");
        else
            status = vvi_json_append(order, vvi_json_new_int64(number), err);
        if (*end == '\0')
            break;
        at = end + 1;
    }
    if (status) {
        vvi_json_free(order);
        return status;
    }
    return vvi_json_set(settings, "order", order, err);
}

/* The type in a field as metadata names it; the elements' own where it is left out. */
static vv_status read_type(const part *from, size_t field, const vvi_dtype *own,
                           vvi_dtype *out, vv_error *err)
{
    const char *text = field < FIELDS_MAX ? from->field[field] : NULL;

    *out = *own;
    if (text && !vvi_dtype_init(vv_dtype_by_name(text), out))
        return vvi_fail(err, VV_EINVAL, "codec '%s': '%s' is no type of numbers",
                        from->field[0], text);
    return VV_OK;
}

/* A setting that NumPy's name of a type stands in. */
static vv_status set_numpy(const part *from, const char *name, const vvi_dtype *dtype,
                           vvi_json *settings, vv_error *err)
{
    const char *text = vvi_numpy_name(dtype);

    if (!text)
        return vvi_fail(err, VV_EINVAL, "codec '%s': not for elements of type '%s'",
                        from->field[0], vv_dtype_name(dtype->code));
    return vvi_json_set(settings, name, vvi_json_new_text(text), err);
}

/* A number that stays an integer where it is written as one. */
static vv_status set_number(const part *from, size_t field, const char *name,
                            vvi_json *settings, vv_error *err)
{
    const char *text = from->field[field];
    long long integer;
    double real;
    char *end;

    if (!text || !vvi_double_parse(text, &real))
        return vvi_fail(err, VV_EINVAL, "codec '%s' takes a number for '%s'",
                        from->field[0], name);
    integer = strtoll(text, &end, 10);
    return vvi_json_set(settings, name,
                        *end ? vvi_json_new_double(real) : vvi_json_new_int64(integer),
                        err);
}

static vv_status set_delta(const part *from, vvi_dtype *dtype, vvi_json *settings,
                           vv_error *err)
{
    VVI_TRY(refuse_more(from, 1, err));
    return set_numpy(from, "dtype", dtype, settings, err);
}

/* "fixedscaleoffset:SCALE:OFFSET:TYPE" */
static vv_status set_fixed(const part *from, vvi_dtype *dtype, vvi_json *settings,
                           vv_error *err)
{
    vvi_dtype out;

    VVI_TRY(set_number(from, 1, "scale", settings, err));
    VVI_TRY(set_number(from, 2, "offset", settings, err));
    VVI_TRY(read_type(from, 3, dtype, &out, err));
    VVI_TRY(set_numpy(from, "dtype", dtype, settings, err));
    VVI_TRY(set_numpy(from, "astype", &out, settings, err));
    *dtype = out;
    return VV_OK;
}

static vv_status set_quantize(const part *from, vvi_dtype *dtype, vvi_json *settings,
                              vv_error *err)
{
    VVI_TRY(refuse_more(from, 2, err));
    VVI_TRY(set_number(from, 1, "digits", settings, err));
    return set_numpy(from, "dtype", dtype, settings, err);
}

static vv_status set_bitround(const part *from, vvi_dtype *dtype, vvi_json *settings,
                              vv_error *err)
{
    (void)dtype;
    VVI_TRY(refuse_more(from, 2, err));
    return set_number(from, 1, "keepbits", settings, err);
}

/* "scale_offset:SCALE:OFFSET" */
static vv_status set_scale(const part *from, vvi_dtype *dtype, vvi_json *settings,
                           vv_error *err)
{
    (void)dtype;
    VVI_TRY(refuse_more(from, 3, err));
    VVI_TRY(set_number(from, 1, "scale", settings, err));
    return from->field[2] ? set_number(from, 2, "offset", settings, err) : VV_OK;
}

/* "cast_value:TYPE:RANGE" */
static vv_status set_cast(const part *from, vvi_dtype *dtype, vvi_json *settings,
                          vv_error *err)
{
    vvi_dtype out;

    VVI_TRY(refuse_more(from, 3, err));
    if (!from->field[1])
        return vvi_fail(err, VV_EINVAL, "codec 'cast_value' takes a type");
    VVI_TRY(read_type(from, 1, dtype, &out, err));
    VVI_TRY(vvi_json_set(settings, "data_type", vvi_json_new_text(from->field[1]), err));
    if (from->field[2])
        VVI_TRY(vvi_json_set(settings, "out_of_range", vvi_json_new_text(from->field[2]),
                             err));
    *dtype = out;
    return VV_OK;
}

/* ---- the table ------------------------------------------------------------------------------ */

/* name: what most readers know the codec by. */
typedef struct row {
    const char *text, *name;
    vvi_codec_kind kind;
    set_fn *set;
} row;

static const row rows[] = {
    { "transpose", "transpose", VVI_CODEC_ARRAY_TO_ARRAY, set_transpose },
    { "cast_value", "cast_value", VVI_CODEC_ARRAY_TO_ARRAY, set_cast },
    { "scale_offset", "scale_offset", VVI_CODEC_ARRAY_TO_ARRAY, set_scale },
    { "fixedscaleoffset", "numcodecs.fixedscaleoffset", VVI_CODEC_ARRAY_TO_ARRAY,
      set_fixed },
    { "delta", "numcodecs.delta", VVI_CODEC_ARRAY_TO_ARRAY, set_delta },
    { "quantize", "numcodecs.quantize", VVI_CODEC_ARRAY_TO_ARRAY, set_quantize },
    { "bitround", "numcodecs.bitround", VVI_CODEC_ARRAY_TO_ARRAY, set_bitround },
    { "bytes", "bytes", VVI_CODEC_ARRAY_TO_BYTES, set_bytes },
    { "packbits", "packbits", VVI_CODEC_ARRAY_TO_BYTES, set_nothing },
    { "vlen-utf8", "vlen-utf8", VVI_CODEC_ARRAY_TO_BYTES, set_nothing },
    { "vlen-bytes", "vlen-bytes", VVI_CODEC_ARRAY_TO_BYTES, set_nothing },
    { "shuffle", "numcodecs.shuffle", VVI_CODEC_BYTES_TO_BYTES, set_shuffle },
    { "zstd", "zstd", VVI_CODEC_BYTES_TO_BYTES, set_zstd },
    { "gzip", "gzip", VVI_CODEC_BYTES_TO_BYTES, set_deflate },
    { "blosc", "blosc", VVI_CODEC_BYTES_TO_BYTES, set_blosc },
    { "lz4", "numcodecs.lz4", VVI_CODEC_BYTES_TO_BYTES, set_lz4 },
    { "zlib", "numcodecs.zlib", VVI_CODEC_BYTES_TO_BYTES, set_deflate },
    { "bz2", "numcodecs.bz2", VVI_CODEC_BYTES_TO_BYTES, set_bz2 },
    { "lzma", "numcodecs.lzma", VVI_CODEC_BYTES_TO_BYTES, set_lzma },
    { "crc32c", "crc32c", VVI_CODEC_BYTES_TO_BYTES, set_nothing },
    { "crc32", "numcodecs.crc32", VVI_CODEC_BYTES_TO_BYTES, set_nothing },
    { "adler32", "numcodecs.adler32", VVI_CODEC_BYTES_TO_BYTES, set_nothing },
    { "fletcher32", "numcodecs.fletcher32", VVI_CODEC_BYTES_TO_BYTES, set_nothing },
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static vv_status find_row(const char *text, const row **out, vv_error *err)
{
    vv_buf names = VV_BUF_INIT;
    vv_status status = VV_OK;

    for (size_t i = 0; i < ROW_COUNT; i++)
        if (strcmp(rows[i].text, text) == 0 && vvi_codec_find(rows[i].name)) {
            *out = &rows[i];
            return VV_OK;
        }
    for (size_t i = 0; i < ROW_COUNT && !status; i++)
        if (vvi_codec_find(rows[i].name))
            status = vvi_buf_printf(&names, err, ", %s", rows[i].text);
    if (!status)
        status = vvi_fail(err, VV_EINVAL, "codec '%s' is not known; there are none%.*s",
                          text, (int)names.len, (const char *)names.data);
    vv_buf_clear(&names);
    return status;
}

/* The codec that makes bytes of elements where none is named. */
static const char *usual_name(const vvi_dtype *dtype)
{
    return dtype->code == VV_STRING  ? "vlen-utf8"
           : dtype->code == VV_BYTES ? "vlen-bytes"
                                     : "bytes";
}

/* ---- the chain ------------------------------------------------------------------------------ */

typedef struct chain {
    vvi_json *codecs;
    vvi_dtype dtype;     /* of what the next codec is given */
    vvi_codec_kind kind; /* of the last codec */
} chain;

/* Append {"name": …, "configuration": {…}}. */
static vv_status append_codec(chain *self, const row *codec, const part *from,
                              vv_error *err)
{
    vvi_json *settings = vvi_json_new(VVI_JSON_OBJECT);
    vvi_json *entry = vvi_json_new(VVI_JSON_OBJECT);
    vv_status status;

    self->kind = codec->kind;
    if (!settings || !entry)
        status = vvi_fail_nomem(err, 0);
    else
        status = codec->set(from, &self->dtype, settings, err);
    if (!status)
        status = vvi_json_set(entry, "name", vvi_json_new_text(codec->name), err);
    if (!status && vvi_json_count(settings)) {
        status = vvi_json_set(entry, "configuration", settings, err);
        settings = NULL;
    }
    if (!status) {
        status = vvi_json_append(self->codecs, entry, err);
        entry = NULL;
    }
    vvi_json_free(settings);
    vvi_json_free(entry);
    return status;
}

static vv_status append_usual(chain *self, vv_error *err)
{
    const char *name = usual_name(&self->dtype);
    const row *codec = NULL;
    part from;

    VVI_TRY(cut_part(name, strlen(name), &from, err));
    VVI_TRY(find_row(name, &codec, err));
    return append_codec(self, codec, &from, err);
}

static vv_status append_part(chain *self, const part *from, vv_error *err)
{
    const row *codec = NULL;

    VVI_TRY(find_row(from->field[0], &codec, err));
    if (codec->kind < self->kind || (codec->kind == VVI_CODEC_ARRAY_TO_BYTES &&
                                     self->kind == VVI_CODEC_ARRAY_TO_BYTES))
        return vvi_fail(err, VV_EINVAL, "codec '%s' stands at the wrong place",
                        from->field[0]);
    if (codec->kind == VVI_CODEC_BYTES_TO_BYTES && self->kind == VVI_CODEC_ARRAY_TO_ARRAY)
        VVI_TRY(append_usual(self, err));
    return append_codec(self, codec, from, err);
}

static vv_status append_all(const char *text, chain *self, vv_error *err)
{
    part from;

    VVI_TRY(cut_part(text, strcspn(text, "+"), &from, err));
    if (!strchr(text, '+') && strcmp(from.field[0], "none") == 0) {
        VVI_TRY(refuse_more(&from, 1, err));
        return append_usual(self, err);
    }
    while (text) {
        const char *end = strchr(text, '+');

        VVI_TRY(cut_part(text, strcspn(text, "+"), &from, err));
        VVI_TRY(append_part(self, &from, err));
        text = end ? end + 1 : NULL;
    }
    return self->kind == VVI_CODEC_ARRAY_TO_ARRAY ? append_usual(self, err) : VV_OK;
}

vv_status vvi_codecs_from_text(const char *text, const vvi_codec_array *array,
                               vvi_json **out, vv_error *err)
{
    chain self = { NULL, array->dtype, VVI_CODEC_ARRAY_TO_ARRAY };
    vvi_json *codecs = NULL;
    vv_status status;

    if (*text == '[') {
        status = vvi_json_parse(vv_bytes_of(text), &codecs, err);
        if (status == VV_ECORRUPT)
            status = vvi_wrap(err, VV_EINVAL, "codecs");
    } else {
        codecs = vvi_json_new(VVI_JSON_ARRAY);
        self.codecs = codecs;
        status = codecs ? append_all(text, &self, err)
                        : vvi_fail_nomem(err, sizeof(codecs));
    }
    if (status)
        vvi_json_free(codecs);
    else
        *out = codecs;
    return status;
}
