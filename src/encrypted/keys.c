/* The keys that are made of a data set's key, one for each use. */
#include "encrypted/format.h"

#include "crypto/secret.h"

#include <string.h>

static const struct {
    const char *label;
    size_t at;
} uses[] = {
    { "varvite encrypted v1: name tag key", offsetof(vvi_data_keys, tag) },
    { "varvite encrypted v1: name key", offsetof(vvi_data_keys, name) },
    { "varvite encrypted v1: value key", offsetof(vvi_data_keys, value) },
    { "varvite encrypted v1: root key", offsetof(vvi_data_keys, root) },
};

vv_status vvi_data_keys_new(const uint8_t data[VV_KEY_BYTES], vvi_data_keys **out,
                            vv_error *err)
{
    vvi_data_keys *keys = vvi_secret_new(sizeof(*keys));

    if (!keys)
        return vvi_fail_nomem(err, sizeof(*keys));
    memcpy(keys->data, data, sizeof(keys->data));
    for (size_t i = 0; i < sizeof(uses) / sizeof(*uses); i++)
        vvi_derive(data, uses[i].label, NULL, 0, (uint8_t *)keys + uses[i].at,
                   VV_KEY_BYTES);
    *out = keys;
    return VV_OK;
}

void vvi_data_keys_free(vvi_data_keys *keys)
{
    vvi_secret_free(keys);
}

void vvi_draw_bytes(const vvi_draw *draw, uint8_t *out, size_t len)
{
    if (draw && draw->fill)
        draw->fill(draw->ctx, out, len);
    else
        vvi_random(out, len);
}
