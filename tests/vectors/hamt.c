#include "hamt.h"

#include "hamt/node.h"
#include "util/buf.h"

#include <stdlib.h>
#include <string.h>

const hamt_backend hamt_backends[HAMT_BACKEND_COUNT] = {
    { "inmemory", { VV_CODEC_RAW, VV_HASH_BLAKE3, VV_CID_BARE, 32 } },
    { "cid_blake3", { VV_CODEC_RAW, VV_HASH_BLAKE3, 1, 32 } },
    { "cid_sha2_256", { VV_CODEC_RAW, VV_HASH_SHA2_256, 1, 32 } },
};

const char *hamt_id_text(const vv_cid *cid)
{
    static char texts[4][VV_CID_TEXT_MAX];
    static unsigned turn;
    char *text = texts[turn++ % 4];

    vv_cid_format(cid, text);
    /* The vectors write a bare multihash without a multibase prefix. */
    return cid->version == VV_CID_BARE ? text + 1 : text;
}

static void identity(void *ctx, vv_bytes key, uint8_t *out, size_t out_len)
{
    size_t n = key.len < out_len ? key.len : out_len;

    (void)ctx;
    memset(out, 0, out_len);
    if (n)
        memcpy(out, key.data, n);
}

static void sevens(void *ctx, vv_bytes key, uint8_t *out, size_t out_len)
{
    (void)ctx;
    (void)key;
    memset(out, 7, out_len);
}

static void zero8_blake3(void *ctx, vv_bytes key, uint8_t *out, size_t out_len)
{
    uint8_t hash[VV_BLAKE3_SIZE];

    (void)ctx;
    vv_blake3(key, hash);
    memset(out, 0, 8);
    memcpy(out + 8, hash, out_len - 8);
}

void hamt_use_hash(const char *name, vv_hamt_options *options)
{
    static const struct {
        const char *name;
        vv_hamt_hash_fn fn;
        uint32_t len;
    } functions[] = { { "identity32", identity, 32 },
                      { "first2", identity, 2 },
                      { "const4", sevens, 4 },
                      { "zero8_blake3", zero8_blake3, 32 } };

    if (!name || strcmp(name, "blake3") == 0)
        return;
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
        if (strcmp(functions[i].name, name) == 0) {
            options->hash_fn = functions[i].fn;
            options->hash_len = functions[i].len;
            return;
        }
    abort();
}

static vv_status count_below(vv_blockstore *store, const vv_cid *id, uint64_t depth,
                             hamt_counts *out)
{
    vv_buf block = VV_BUF_INIT;
    vvi_node *node;
    vv_status status;

    VVI_TRY(vv_blockstore_get(store, id, &block, NULL));
    out->nodes++;
    out->node_bytes += block.len;
    if (depth > out->max_depth)
        out->max_depth = depth;
    status = vvi_node_decode(vvi_buf_bytes(&block), vvi_bytes(NULL, 0), &node, NULL);
    vv_buf_clear(&block);
    VVI_TRY(status);
    out->entries += vvi_node_entry_count(node);
    VVI_EACH_SLOT(slot, &node->links)
    {
        vv_cid child;

        VVI_TRY(vvi_link_to_cid(vvi_node_link(node, slot), &child, NULL));
        VVI_TRY(count_below(store, &child, depth + 1, out));
    }
    vvi_node_release(node);
    return VV_OK;
}

vv_status hamt_count(vv_blockstore *store, const vv_cid *root, hamt_counts *out)
{
    memset(out, 0, sizeof(*out));
    return count_below(store, root, 0, out);
}

bool hamt_counts_match(const hamt_counts *counts, const json_t *expected)
{
    return counts->nodes == (uint64_t)int_of(expected, "nodes", -1) &&
           counts->node_bytes == (uint64_t)int_of(expected, "node_bytes", -1) &&
           counts->max_depth == (uint64_t)int_of(expected, "max_depth", -1) &&
           counts->entries == (uint64_t)int_of(expected, "entries", -1);
}

vv_buf hamt_value(const json_t *typed, bool values_are_bytes)
{
    vv_buf out = VV_BUF_INIT;

    if (values_are_bytes)
        return bytes_of_hex(text_of(typed, "bytes"));
    if (vector_encode(typed, &out))
        abort();
    return out;
}
