/* key new, info, wrap, rotate, drop: the keys of encrypted roots. */
#include "keys.h"
#include "out.h"
#include "stores.h"

#include <varvite/encrypted.h>

#include <string.h>

static const char *name_of(const vv_key *key, char text[VV_KEY_ID_TEXT_MAX])
{
    uint8_t id[VV_KEY_ID_BYTES];

    vv_key_id(key, id);
    vv_key_id_format(id, text);
    return text;
}

vv_status cmd_key_new(cli_call *call)
{
    char name[VV_KEY_ID_TEXT_MAX];
    vv_key *key;

    vv_status status = vv_key_new(&key, &call->err);
    if (status)
        return status;
    status = vv_key_save(key, call->args[0], &call->err);
    if (!status && call->json) {
        json_object(NULL);
        json_text("key", name_of(key, name));
        json_end();
    } else if (!status) {
        out_format("%s\n", name_of(key, name));
    }
    vv_key_free(key);
    return status;
}

/* The key that an option must give. */
static vv_status need_key(cli_call *call, const char *prefix, vv_key **out)
{
    vv_status status = cli_key(call, prefix, out);

    if (!status && !*out)
        return cli_usage(call, "--%s-file, --%s-fd or --%s-env is needed", prefix, prefix,
                         prefix);
    return status;
}

/* ---- info -------------------------------------------------------------------------------- */

static void print_key(cli_call *call, const vv_key *key)
{
    char name[VV_KEY_ID_TEXT_MAX];

    if (call->json) {
        json_object(NULL);
        json_text("key", name_of(key, name));
        json_end();
    } else {
        out_format("%s\n", name_of(key, name));
    }
}

static void print_root(cli_call *call, const vv_encrypted_info *info, const vv_key *key)
{
    uint8_t own[VV_KEY_ID_BYTES] = { 0 };
    char name[VV_KEY_ID_TEXT_MAX];

    if (key)
        vv_key_id(key, own);
    if (call->json) {
        json_object(NULL);
        json_cid("tree", &info->tree);
        json_uint("version", info->version);
        json_uint("segment_bytes", info->segment_bytes);
        json_list("keys");
    }
    for (size_t i = 0; i < info->key_count; i++) {
        bool given = key && memcmp(info->key_ids[i], own, sizeof(own)) == 0;

        vv_key_id_format(info->key_ids[i], name);
        if (call->json)
            json_text(NULL, name);
        else
            out_format("%s%s\n", name, given ? "  the key given" : "");
    }
    if (call->json) {
        json_end();
        json_end();
    }
}

static vv_status info_of_root(cli_call *call, const vv_key *key)
{
    vv_encrypted_info info;
    vv_blockstore *blocks;
    vv_cid root;

    vv_status status = cli_cid(call, call->args[0], &root);
    if (!status)
        status = cli_open_blocks(call, CLI_READ, &blocks);
    if (status)
        return status;
    status = vv_encrypted_info_read(blocks, &root, &info, &call->err);
    if (!status) {
        print_root(call, &info, key);
        vv_encrypted_info_clear(&info);
    }
    vv_blockstore_free(blocks);
    return status;
}

vv_status cmd_key_info(cli_call *call)
{
    vv_key *key;
    vv_status status = cli_key(call, "key", &key);

    if (!status && !key && !call->arg_count)
        status = cli_usage(call, "a ROOT or a key is needed");
    if (!status && call->arg_count)
        status = info_of_root(call, key);
    else if (!status)
        print_key(call, key);
    vv_key_free(key);
    return status;
}

/* ---- changes ------------------------------------------------------------------------------- */

/* What a change works on. */
typedef struct change {
    vv_blockstore *blocks;
    vv_cid root;
    vv_key *key, *new_key; /* new_key: NULL where the command takes none */
} change;

static vv_status begin(cli_call *call, bool has_new_key, change *out)
{
    *out = (change){ .blocks = NULL };
    vv_status status = cli_cid(call, call->args[0], &out->root);
    if (!status)
        status = need_key(call, "key", &out->key);
    if (!status && has_new_key)
        status = need_key(call, "new-key", &out->new_key);
    if (!status)
        status = cli_open_blocks(call, CLI_WRITE, &out->blocks);
    return status;
}

static vv_status finish(cli_call *call, change *self, vv_status status,
                        const vv_cid *root)
{
    if (!status && call->json) {
        json_object(NULL);
        json_cid("root", root);
        json_end();
    } else if (!status) {
        out_cid(root);
        out_text("\n");
    }
    vv_key_free(self->key);
    vv_key_free(self->new_key);
    vv_blockstore_free(self->blocks);
    return status;
}

vv_status cmd_key_wrap(cli_call *call)
{
    change self;
    vv_cid root;

    vv_status status = begin(call, true, &self);
    if (!status)
        status = vv_encrypted_add_key(self.blocks, &self.root, self.key, self.new_key,
                                      &root, &call->err);
    return finish(call, &self, status, &root);
}

vv_status cmd_key_rotate(cli_call *call)
{
    change self;
    vv_cid root;

    vv_status status = begin(call, true, &self);
    if (!status)
        status = vv_encrypted_rotate_key(self.blocks, &self.root, self.key, self.new_key,
                                         &root, &call->err);
    return finish(call, &self, status, &root);
}

vv_status cmd_key_drop(cli_call *call)
{
    uint8_t id[VV_KEY_ID_BYTES];
    change self;
    vv_cid root;

    vv_status status = begin(call, false, &self);
    if (!status)
        status = vv_key_id_parse(call->args[1], id, &call->err);
    if (!status)
        status = vv_encrypted_remove_key(self.blocks, &self.root, self.key, id, &root,
                                         &call->err);
    return finish(call, &self, status, &root);
}
