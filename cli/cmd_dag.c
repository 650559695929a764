/* dag get: a value within DAG-CBOR blocks, by path. */
#include "out.h"
#include "stores.h"

#include <varvite/cbor.h>

#include <stdlib.h>
#include <string.h>

/* Read one value with all in it and forget it. first is its first item, read already. */
static vv_status skip_rest(cli_call *call, vv_cbor_reader *reader,
                           const vv_cbor_item *first)
{
    vv_cbor_item item = *first;
    uint64_t pending = 1;

    for (;;) {
        pending--;
        if (item.kind == VV_CBOR_LIST)
            pending += item.u.count;
        else if (item.kind == VV_CBOR_MAP)
            pending += 2 * item.u.count;
        if (pending == 0)
            return VV_OK;
        vv_status status = vv_cbor_next(reader, &item, &call->err);
        if (status)
            return status;
    }
}

static vv_status skip_value(cli_call *call, vv_cbor_reader *reader)
{
    vv_cbor_item item;
    vv_status status = vv_cbor_next(reader, &item, &call->err);

    return status ? status : skip_rest(call, reader, &item);
}

static vv_status no_member(cli_call *call, const char *name)
{
    return cli_fail(call, VV_ENOTFOUND, "%.200s: no such member", name);
}

/* Go on to the item of a list with this number; item is the list. */
static vv_status enter_list(cli_call *call, vv_cbor_reader *reader, vv_cbor_item *item,
                            const char *name)
{
    char *end;
    unsigned long long at = strtoull(name, &end, 10);
    vv_status status = VV_OK;

    if (*name < '0' || *name > '9' || *end || at >= item->u.count)
        return no_member(call, name);
    for (unsigned long long i = 0; i < at && !status; i++)
        status = skip_value(call, reader);
    return status ? status : vv_cbor_next(reader, item, &call->err);
}

static vv_status enter_map(cli_call *call, vv_cbor_reader *reader, vv_cbor_item *item,
                           const char *name)
{
    uint64_t count = item->u.count;
    size_t len = strlen(name);
    vv_status status = VV_OK;

    for (uint64_t i = 0; i < count && !status; i++) {
        status = vv_cbor_next(reader, item, &call->err);
        if (!status && item->bytes.len == len && memcmp(item->bytes.data, name, len) == 0)
            return vv_cbor_next(reader, item, &call->err);
        if (!status)
            status = skip_value(call, reader);
    }
    return status ? status : no_member(call, name);
}

/* Cut the first name off *path; NULL when none is left. */
static char *next_name(char **path)
{
    char *name = *path + strspn(*path, "/");
    size_t len = strcspn(name, "/");

    if (!*name)
        return NULL;
    *path = name + len + (name[len] == '/');
    name[len] = '\0';
    return name;
}

/*
 * Follow path within a block. *part is the value it leads to; or *link is set, the rest of the
 * path lies in that block, and *followed is true.
 */
static vv_status resolve(cli_call *call, vv_bytes block, char **path, vv_bytes *part,
                         vv_cid *link, bool *followed)
{
    vv_cbor_reader *reader;
    vv_cbor_item item;
    char *name;

    *followed = false;
    vv_status status = vv_cbor_reader_new(block, &reader, &call->err);
    if (status)
        return status;
    status = vv_cbor_next(reader, &item, &call->err);
    while (!status) {
        bool is_link = item.kind == VV_CBOR_LINK;
        if (is_link && (*path)[strspn(*path, "/")]) {
            status = vv_cid_from_bytes(item.bytes, link, &call->err);
            *followed = true;
            break;
        }
        name = next_name(path);
        if (!name) {
            size_t begin = item.offset;
            status = skip_rest(call, reader, &item);
            if (!status)
                status = vv_cbor_next(reader, &item, &call->err);
            if (status == VV_OK || status == VV_ENOTFOUND) {
                size_t end = status ? block.len : item.offset;
                *part = (vv_bytes){ block.data + begin, end - begin };
                status = VV_OK;
            }
            break;
        }
        if (item.kind == VV_CBOR_LIST)
            status = enter_list(call, reader, &item, name);
        else if (item.kind == VV_CBOR_MAP)
            status = enter_map(call, reader, &item, name);
        else
            status = no_member(call, name);
    }
    vv_cbor_reader_free(reader);
    return status;
}

static vv_status print_value(cli_call *call, vv_bytes value)
{
    vv_buf text = VV_BUF_INIT;
    vv_status status = vv_cbor_to_json(value, !cli_has(call, "compact"), &text,
                                       &call->err);

    if (!status) {
        out_bytes((vv_bytes){ text.data, text.len });
        if (!text.len || text.data[text.len - 1] != '\n')
            out_text("\n");
    }
    vv_buf_clear(&text);
    return status;
}

vv_status cmd_dag_get(cli_call *call)
{
    char *given = cli_strdup(call->args[0]);
    char *path = given + strcspn(given, "/");
    vv_blockstore *blocks = NULL;
    vv_buf block = VV_BUF_INIT;
    vv_bytes part = { NULL, 0 };
    bool followed = true;
    vv_cid cid;

    if (*path)
        *path++ = '\0';
    vv_status status = cli_cid(call, given, &cid);
    if (!status)
        status = cli_open_blocks(call, CLI_READ, &blocks);
    while (!status && followed) {
        char text[VV_CID_TEXT_MAX];
        vv_cid link;
        vv_cid_format(&cid, text);
        if (cid.codec != VV_CODEC_DAG_CBOR) {
            status = cli_usage(call,
                               "%s is %s, not dag-cbor; 'varvite block get' gives its "
                               "bytes",
                               text,
                               vv_codec_name(cid.codec) ? vv_codec_name(cid.codec) : "");
            break;
        }
        status = vv_blockstore_get(blocks, &cid, &block, &call->err);
        if (status)
            break;
        status = resolve(call, (vv_bytes){ block.data, block.len }, &path, &part, &link,
                         &followed);
        if (status)
            cli_wrap(call, status, "%s", text);
        else if (followed)
            cid = link;
    }
    if (!status)
        status = print_value(call, part);
    vv_buf_clear(&block);
    vv_blockstore_free(blocks);
    free(given);
    return status;
}
