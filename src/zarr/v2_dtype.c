/* Data types as NumPy names them. */
#include "zarr/v2.h"

#include <string.h>

static vv_status unknown(const char *text, vv_error *err)
{
    return vvi_fail(err, VV_EUNSUPPORTED, "dtype '%.60s' is not known to this build",
                    text);
}

/* A number without a sign; false where there is none, or a very large one. */
static bool take_number(const char **text, uint64_t *out)
{
    const char *at = *text;

    *out = 0;
    for (; *at >= '0' && *at <= '9' && *out < UINT64_MAX / 100; at++)
        *out = *out * 10 + (uint64_t)(*at - '0');
    if (at == *text || (*at >= '0' && *at <= '9'))
        return false;
    *text = at;
    return true;
}

/* "[10s]" behind a time; nothing: generic. */
static bool take_unit(const char *text, char unit[16], uint64_t *scale)
{
    size_t len;

    *scale = 1;
    strcpy(unit, "generic");
    if (*text == '\0')
        return true;
    if (*text++ != '[')
        return false;
    if (*text >= '0' && *text <= '9' && !take_number(&text, scale))
        return false;
    len = strcspn(text, "]");
    if (len == 0 || len > 15 || strcmp(text + len, "]") != 0)
        return false;
    memcpy(unit, text, len);
    unit[len] = '\0';
    return *scale > 0 && *scale <= INT32_MAX;
}

/* The type of a number of that many bytes. */
static vv_dtype number_type(char kind, uint64_t size)
{
    static const struct {
        char kind;
        uint8_t size;
        uint8_t dtype;
    } numbers[] = { { 'b', 1, VV_BOOL },      { 'i', 1, VV_INT8 },
                    { 'i', 2, VV_INT16 },     { 'i', 4, VV_INT32 },
                    { 'i', 8, VV_INT64 },     { 'u', 1, VV_UINT8 },
                    { 'u', 2, VV_UINT16 },    { 'u', 4, VV_UINT32 },
                    { 'u', 8, VV_UINT64 },    { 'f', 2, VV_FLOAT16 },
                    { 'f', 4, VV_FLOAT32 },   { 'f', 8, VV_FLOAT64 },
                    { 'c', 8, VV_COMPLEX64 }, { 'c', 16, VV_COMPLEX128 } };

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (numbers[i].kind == kind && numbers[i].size == size)
            return (vv_dtype)numbers[i].dtype;
    return VV_DTYPE_NONE;
}

static vv_status make(const char *text, vv_dtype code, uint64_t item, const char *unit,
                      uint64_t scale, vvi_dtype *out, vv_error *err)
{
    vv_status status = vvi_dtype_make(code, (size_t)item, unit, (uint32_t)scale, out,
                                      err);

    return status ? vvi_wrap(err, status == VV_EINVAL ? VV_ECORRUPT : status,
                             "dtype '%.60s'", text)
                  : VV_OK;
}

vv_status vvi_v2_dtype(const char *text, vvi_dtype *out, char *order, vv_error *err)
{
    const char *at = text + 2;
    uint64_t size;
    uint64_t scale;
    char unit[16];

    if (strchr("<>|=", *text) == NULL || *text == '\0' || text[1] == '\0')
        return unknown(text, err);
    *order = *text;
    if (!take_number(&at, &size))
        return unknown(text, err);
    switch (text[1]) {
    case 'M':
    case 'm':
        if (size != 8 || !take_unit(at, unit, &scale))
            return unknown(text, err);
        return make(text, text[1] == 'M' ? VV_DATETIME64 : VV_TIMEDELTA64, 0, unit, scale,
                    out, err);
    case 'S':
        return *at ? unknown(text, err)
                   : make(text, VV_NULL_TERMINATED_BYTES, size, NULL, 0, out, err);
    case 'U':
        return *at || size > UINT64_MAX / 4
                   ? unknown(text, err)
                   : make(text, VV_FIXED_UTF32, 4 * size, NULL, 0, out, err);
    case 'V':
        return *at ? unknown(text, err) : make(text, VV_RAW, size, NULL, 0, out, err);
    default:
        return *at || !number_type(text[1], size)
                   ? unknown(text, err)
                   : make(text, number_type(text[1], size), 0, NULL, 0, out, err);
    }
}
