#include "multiformats/multibase.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <ctype.h>
#include <string.h>

/* Longest input of the bases that need the square of its length in time. */
#define NUMBER_MAX 16384

static const vvi_base bases[] = {
    { 'b', 5, 0, true, "base32", "abcdefghijklmnopqrstuvwxyz234567" },
    { 'z', 0, 0, false, "base58btc",
      "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz" },
    { 'k', 0, 0, true, "base36", "0123456789abcdefghijklmnopqrstuvwxyz" },
    { 'f', 4, 0, true, "base16", "0123456789abcdef" },
    { 'u', 6, 0, false, "base64url",
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" },
    { 'm', 6, 0, false, "base64",
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" },
    { 'B', 5, 0, true, "base32upper", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" },
    { 'K', 0, 0, true, "base36upper", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" },
    { 'F', 4, 0, true, "base16upper", "0123456789ABCDEF" },
    { 'Z', 0, 0, false, "base58flickr",
      "123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ" },
    { '0', 1, 0, false, "base2", "01" },
    { '7', 3, 8, false, "base8", "01234567" },
    { '9', 0, 0, false, "base10", "0123456789" },
    { 'c', 5, 8, true, "base32pad", "abcdefghijklmnopqrstuvwxyz234567" },
    { 'C', 5, 8, true, "base32padupper", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" },
    { 'v', 5, 0, true, "base32hex", "0123456789abcdefghijklmnopqrstuv" },
    { 'V', 5, 0, true, "base32hexupper", "0123456789ABCDEFGHIJKLMNOPQRSTUV" },
    { 't', 5, 8, true, "base32hexpad", "0123456789abcdefghijklmnopqrstuv" },
    { 'T', 5, 8, true, "base32hexpadupper", "0123456789ABCDEFGHIJKLMNOPQRSTUV" },
    { 'h', 5, 0, true, "base32z", "ybndrfg8ejkmcpqxot1uwisza345h769" },
    { 'M', 6, 4, false, "base64pad",
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" },
    { 'U', 6, 4, false, "base64urlpad",
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" },
};
#define BASE_COUNT (sizeof(bases) / sizeof(bases[0]))

const vvi_base *vvi_base_find(char prefix)
{
    for (size_t i = 0; i < BASE_COUNT; i++)
        if (bases[i].prefix == prefix)
            return &bases[i];
    return NULL;
}

char vv_multibase_by_name(const char *name)
{
    for (size_t i = 0; name && i < BASE_COUNT; i++)
        if (strcmp(bases[i].name, name) == 0)
            return bases[i].prefix;
    return '\0';
}

const char *vv_multibase_name(char base)
{
    const vvi_base *found = vvi_base_find(base);

    return found ? found->name : NULL;
}

int vvi_base_digit(const vvi_base *base, uint8_t character)
{
    const char *at = character ? strchr(base->alphabet, character) : NULL;

    if (!at && base->fold &&
        ((character >= 'a' && character <= 'z') ||
         (character >= 'A' && character <= 'Z')))
        at = strchr(base->alphabet, character ^ 0x20);
    return at ? (int)(at - base->alphabet) : -1;
}

size_t vvi_base_text_max(const vvi_base *base, size_t data_len)
{
    /* base10 is the longest of the number bases: 2.41 digits a byte. */
    size_t n = base->bits ? (data_len * 8 + base->bits - 1) / base->bits
                          : data_len * 5 / 2 + 1;

    return n + base->group;
}

size_t vvi_base_data_max(const vvi_base *base, size_t text_len)
{
    /* A character of a number base is less than six bits, but a zero digit is a whole byte. */
    return base->bits ? text_len * base->bits / 8 : text_len;
}

size_t vvi_base_encode(const vvi_base *base, vv_bytes data, char *out)
{
    return base->bits ? vvi_bits_encode(base, data, out)
                      : vvi_number_encode(base, data, out);
}

vv_status vvi_base_decode(const vvi_base *base, vv_bytes text, uint8_t *out, size_t *len,
                          vv_error *err)
{
    return base->bits ? vvi_bits_decode(base, text, out, len, err)
                      : vvi_number_decode(base, text, out, len, err);
}

vv_status vvi_fail_digit(vv_error *err, const vvi_base *base, vv_bytes text, size_t at)
{
    if (isgraph(text.data[at]))
        return vvi_fail(err, VV_EINVAL, "multibase %s: no character '%c' (at %zu)",
                        base->name, text.data[at], at);
    return vvi_fail(err, VV_EINVAL, "multibase %s: no character 0x%02x (at %zu)",
                    base->name, text.data[at], at);
}

static vv_status find_base(char prefix, const vvi_base **out, vv_error *err)
{
    *out = vvi_base_find(prefix);
    if (*out)
        return VV_OK;
    return vvi_fail(err, VV_EINVAL, "multibase: no base has the prefix 0x%02x",
                    (unsigned char)prefix);
}

static vv_status check_length(const vvi_base *base, size_t len, vv_error *err)
{
    if (base->bits || len <= NUMBER_MAX)
        return VV_OK;
    return vvi_fail(err, VV_ELIMIT, "multibase %s: %zu bytes, and %d are the most",
                    base->name, len, NUMBER_MAX);
}

vv_status vv_multibase_encode(char prefix, vv_bytes data, vv_buf *out, vv_error *err)
{
    const vvi_base *base;
    vv_buf text = VV_BUF_INIT;

    VVI_TRY(find_base(prefix, &base, err));
    VVI_TRY(check_length(base, data.len, err));
    if (data.len > SIZE_MAX / 16)
        return vvi_fail_nomem(err, SIZE_MAX);
    VVI_TRY(vvi_buf_reserve(&text, vvi_base_text_max(base, data.len) + 2, err));
    text.data[0] = (uint8_t)prefix;
    text.len = 1 + vvi_base_encode(base, data, (char *)text.data + 1);
    text.data[text.len] = '\0';
    vvi_buf_move(out, &text);
    return VV_OK;
}

vv_status vv_multibase_decode(vv_bytes text, char *prefix, vv_buf *out, vv_error *err)
{
    vv_buf data = VV_BUF_INIT;
    const vvi_base *base;
    vv_status status;

    if (text.len == 0)
        return vvi_fail(err, VV_EINVAL, "multibase: the text is empty");
    VVI_TRY(find_base((char)text.data[0], &base, err));
    text = vvi_bytes(text.data + 1, text.len - 1);
    VVI_TRY(check_length(base, text.len, err));
    VVI_TRY(vvi_buf_reserve(&data, vvi_base_data_max(base, text.len) + 1, err));
    status = vvi_base_decode(base, text, data.data, &data.len, err);
    if (status) {
        vv_buf_clear(&data);
        return status;
    }
    if (prefix)
        *prefix = base->prefix;
    vvi_buf_move(out, &data);
    return VV_OK;
}
