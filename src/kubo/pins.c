/* Pins: what the daemon's garbage collection leaves alone. */
#include "kubo/kubo.h"

#include "util/buf.h"

#include <string.h>

static vv_status writable(vv_blockstore *store, vvi_kubo **out, vv_error *err)
{
    VVI_TRY(vvi_kubo_of(store, out, err));
    if ((*out)->opts.read_only)
        return vvi_fail(err, VV_EREADONLY, "the store was opened read-only");
    return VV_OK;
}

/* Asked for once: a repeated update would fail on what the first one did. A pin may walk for long without a byte. */
static vv_status ask_once(vvi_kubo *self, vvi_kubo_call *call, vv_error *err)
{
    vv_status status;

    call->request.once = true;
    call->request.idle_timeout_ms = UINT32_MAX;
    status = vvi_kubo_call_do(self, call, err);
    vvi_kubo_call_clear(call);
    return status;
}

/* Append text as the value of a query parameter. */
static vv_status append_escaped(vvi_kubo_call *call, const char *text, vv_error *err)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            strchr("-._~", c))
            VVI_TRY(vvi_buf_append_byte(&call->url, c, err));
        else
            VVI_TRY(vvi_buf_printf(&call->url, err, "%%%02X", c));
    }
    VVI_TRY(vvi_buf_terminate(&call->url, err));
    call->request.url = (const char *)call->url.data;
    return VV_OK;
}

vv_status vv_kubo_pin_add(vv_blockstore *store, const vv_cid *cid, bool recursive,
                          const char *name, vv_error *err)
{
    char text[VV_CID_TEXT_MAX];
    vvi_kubo_call call;
    vvi_kubo *self;
    vv_status status = VV_OK;

    VVI_TRY(writable(store, &self, err));
    if (name && strlen(name) > 255)
        return vvi_fail(err, VV_EINVAL, "a pin's name has at most 255 bytes");
    vvi_kubo_cid_text(cid, text);
    VVI_TRY(vvi_kubo_call_init(self, &call, err, "pin/add?arg=%s&recursive=%s%s", text,
                               recursive ? "true" : "false", name ? "&name=" : ""));
    if (name)
        status = append_escaped(&call, name, err);
    if (status) {
        vvi_kubo_call_clear(&call);
        return status;
    }
    return ask_once(self, &call, err);
}

vv_status vv_kubo_pin_rm(vv_blockstore *store, const vv_cid *cid, bool recursive,
                         vv_error *err)
{
    char text[VV_CID_TEXT_MAX];
    vvi_kubo_call call;
    vvi_kubo *self;

    VVI_TRY(writable(store, &self, err));
    vvi_kubo_cid_text(cid, text);
    VVI_TRY(vvi_kubo_call_init(self, &call, err, "pin/rm?arg=%s&recursive=%s", text,
                               recursive ? "true" : "false"));
    return ask_once(self, &call, err);
}

vv_status vv_kubo_pin_update(vv_blockstore *store, const vv_cid *from, const vv_cid *to,
                             bool keep_old, vv_error *err)
{
    char old_text[VV_CID_TEXT_MAX];
    char new_text[VV_CID_TEXT_MAX];
    vvi_kubo_call call;
    vvi_kubo *self;

    VVI_TRY(writable(store, &self, err));
    vvi_kubo_cid_text(from, old_text);
    vvi_kubo_cid_text(to, new_text);
    VVI_TRY(vvi_kubo_call_init(self, &call, err, "pin/update?arg=%s&arg=%s%s", old_text,
                               new_text, keep_old ? "&unpin=false" : ""));
    return ask_once(self, &call, err);
}

static const char *text_or_empty(const vvi_json *object, const char *member)
{
    const char *text = vvi_json_text(vvi_json_get(object, member), NULL);

    return text ? text : "";
}

/* No pins: an answer without Keys. */
static vv_status visit_keys(const vvi_json *json, vv_kubo_pin_fn visit, void *ctx,
                            vv_error *err)
{
    const vvi_json *keys = vvi_json_get(json, "Keys");

    if (keys && !vvi_json_is(keys, VVI_JSON_OBJECT))
        return vvi_fail(err, VV_EIO, "pin/ls: Keys is no object");
    for (const vvi_json *key = vvi_json_first(keys); key; key = vvi_json_next(key)) {
        vv_kubo_pin pin = { .type = text_or_empty(key, "Type"),
                            .name = text_or_empty(key, "Name") };

        VVI_TRY(vvi_kubo_parse_cid(vvi_json_name(key), "pin/ls", &pin.cid, err));
        VVI_TRY(visit(ctx, &pin, err));
    }
    return VV_OK;
}

vv_status vv_kubo_pin_ls(vv_blockstore *store, const char *type, vv_kubo_pin_fn visit,
                         void *ctx, vv_error *err)
{
    vvi_json *json = NULL;
    vvi_kubo_call call;
    vv_status status;
    vvi_kubo *self;

    VVI_TRY(vvi_kubo_of(store, &self, err));
    if (type && strcmp(type, "recursive") != 0 && strcmp(type, "direct") != 0 &&
        strcmp(type, "indirect") != 0 && strcmp(type, "all") != 0)
        return vvi_fail(err, VV_EINVAL, "'%s' is no type of pins", type);
    VVI_TRY(vvi_kubo_call_init(self, &call, err, "pin/ls%s%s",
                               type ? "?names=true&type=" : "", type ? type : ""));
    call.request.max_body_bytes = (uint64_t)1 << 30;
    call.request.idle_timeout_ms = UINT32_MAX;
    status = vvi_kubo_call_do(self, &call, err);
    if (!status)
        status = vvi_kubo_parse(vvi_buf_bytes(&call.request.answer), "pin/ls", &json,
                                err);
    if (!status)
        status = visit_keys(json, visit, ctx, err);
    vvi_json_free(json);
    vvi_kubo_call_clear(&call);
    return status;
}
