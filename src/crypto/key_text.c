/*
 * Keys as text.
 *
 *     # varvite key 3f2a91bc00112233: who has the next line can read what it encrypts
 *     varvite-key-1:<44 characters of base64>
 *
 * Lines that begin with # are passed over. 64 hexadecimal digits, and 32 bytes as they are, are keys too:
 * what py-hamt's users have.
 */
#include "crypto/key.h"
#include "crypto/secret.h"
#include "util/buf.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define PREFIX       "varvite-key-1:"
#define PREFIX_LEN   (sizeof(PREFIX) - 1)
#define BASE64_CHARS 44
#define HEX_CHARS    ((size_t)2 * VV_KEY_BYTES)

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Cut blanks and lines that are comments off the front, and blanks off the end. */
static vv_bytes strip(vv_bytes text)
{
    for (;;) {
        const uint8_t *end;

        while (text.len && is_blank(*text.data)) {
            text.data++;
            text.len--;
        }
        if (!text.len || *text.data != '#')
            break;
        end = memchr(text.data, '\n', text.len);
        if (!end)
            return vvi_bytes(NULL, 0);
        text.len -= (size_t)(end - text.data);
        text.data = end;
    }
    while (text.len && is_blank(text.data[text.len - 1]))
        text.len--;
    return text;
}

static bool decode(vv_bytes text, uint8_t out[VV_KEY_BYTES])
{
    size_t len = 0;

    if (text.len == PREFIX_LEN + BASE64_CHARS &&
        memcmp(text.data, PREFIX, PREFIX_LEN) == 0)
        return sodium_base642bin(out, VV_KEY_BYTES, (const char *)text.data + PREFIX_LEN,
                                 BASE64_CHARS, NULL, &len, NULL,
                                 sodium_base64_VARIANT_ORIGINAL) == 0 &&
               len == VV_KEY_BYTES;
    return text.len == HEX_CHARS &&
           sodium_hex2bin(out, VV_KEY_BYTES, (const char *)text.data, text.len, NULL,
                          &len, NULL) == 0 &&
           len == VV_KEY_BYTES;
}

vv_status vvi_key_parse(vv_bytes text, bool raw, vv_key **out, vv_error *err)
{
    uint8_t bytes[VV_KEY_BYTES];
    vv_status status;

    /* Before all else: 32 random bytes may begin with # or a blank. */
    if (raw && text.len == VV_KEY_BYTES)
        return vv_key_from_bytes(text, out, err);
    if (text.len <= VVI_KEY_TEXT_MAX && decode(strip(text), bytes))
        status = vv_key_from_bytes(vvi_bytes(bytes, sizeof(bytes)), out, err);
    else
        status = vvi_fail(
            err, VV_EINVAL,
            "no key: a key is what 'varvite key new' writes, %zu hexadecimal "
            "digits%s",
            HEX_CHARS, raw ? ", or 32 bytes" : "");
    vvi_wipe(bytes, sizeof(bytes));
    return status;
}

void vvi_key_format(const vv_key *key, char out[VVI_KEY_FILE_MAX], size_t *len)
{
    uint8_t id[VV_KEY_ID_BYTES];
    char name[VV_KEY_ID_TEXT_MAX];
    size_t front;

    vv_key_id(key, id);
    vv_key_id_format(id, name);
    front = (size_t)snprintf(out, VVI_KEY_FILE_MAX,
                             "# varvite key %s: who has the next line can read what it "
                             "encrypts\n" PREFIX,
                             name);
    sodium_bin2base64(out + front, VVI_KEY_FILE_MAX - front, vvi_key_secret(key),
                      VV_KEY_BYTES, sodium_base64_VARIANT_ORIGINAL);
    strcat(out, "\n");
    *len = strlen(out);
}
