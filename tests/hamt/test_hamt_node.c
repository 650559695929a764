/* The node codec: what is refused, what decodes encodes to itself, changes keep the one form. */
#include "support/support.h"

#include "hamt/node.h"
#include "util/buf.h"

#include <varvite/cbor.h>

#include <stdio.h>

static void link_of(const char *text, vvi_link *out)
{
    vv_cid cid;

    assert_int_equal(vv_cid_of(&VV_PREFIX_RAW_BLAKE3, vv_bytes_of(text), &cid, NULL),
                     VV_OK);
    vvi_link_of_cid(&cid, out);
}

static vv_bytes link_bytes(const vvi_link *link)
{
    return vvi_bytes(link->bytes, link->len);
}

static vv_bytes no_kid(void *ctx, const vvi_node *kid)
{
    (void)ctx;
    (void)kid;
    fail_msg("there is no changed child");
    return vvi_bytes(NULL, 0);
}

static void encode(const vvi_node *node, vv_buf *out)
{
    size_t size = vvi_node_encoded_size(node, 0);

    vv_buf_clear(out);
    assert_int_equal(vvi_buf_reserve(out, size, NULL), VV_OK);
    vvi_node_encode(node, no_kid, NULL, out->data);
    out->len = size;
}

static vv_status decode(vv_bytes block, vvi_node **out, vv_error *err)
{
    /* As long as the block to the byte, and gone when the node is looked at. */
    vv_buf copy = VV_BUF_INIT;
    vv_status status;

    assert_int_equal(vvi_buf_set(&copy, block, NULL), VV_OK);
    status = vvi_node_decode(vvi_buf_bytes(&copy), vvi_bytes(NULL, 0), out, err);
    vv_buf_clear(&copy);
    return status;
}

/* A node made from the element at one slot, the rest empty, is refused or not. */
static vv_status decode_element(const char *hex, vv_error *err)
{
    vv_buf element = from_hex(hex);
    vv_buf block = VV_BUF_INIT;
    vvi_node *node = NULL;
    vv_status status;

    assert_int_equal(vvi_buf_append(&block, vvi_bytes("\x99\x01\x00", 3), NULL), VV_OK);
    for (unsigned slot = 0; slot < VVI_SLOT_COUNT; slot++)
        assert_int_equal(slot == 77
                             ? vvi_buf_append(&block, vvi_buf_bytes(&element), NULL)
                             : vvi_buf_append_byte(&block, 0xa0, NULL),
                         VV_OK);
    status = decode(vvi_buf_bytes(&block), &node, err);
    if (!status) {
        vv_buf again = VV_BUF_INIT;

        encode(node, &again);
        assert_int_equal(again.len, block.len);
        assert_memory_equal(again.data, block.data, block.len);
        vv_buf_clear(&again);
    }
    vvi_node_release(node);
    vv_buf_clear(&element);
    vv_buf_clear(&block);
    return status;
}

#define DIGEST "0000000000000000000000000000000000000000000000000000000000000001"
#define CID    "d82a58250001551e20" DIGEST
#define BARE   "58221e20" DIGEST

static void forms_that_a_node_may_have_are_read_and_written_back(void **state)
{
    static const char *const good[] = {
        "a0",
        "81" CID,
        "81" BARE,
        "a160" CID, /* the empty key */
        "a16161" BARE,
        "a2"
        "6161" CID "6162" BARE, /* both kinds side by side */
        "a2"
        "617a" CID "626161" CID, /* shorter keys first */
        "a1"
        "62c3a9" CID,
        "81d82a5823001220" DIGEST, /* CIDv0 */
        "8158221220" DIGEST,       /* a bare sha2-256, which is not a CIDv0 */
    };
    vv_error err = VV_ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (decode_element(good[i], &err))
            fail_msg("%s: %s", good[i], err.message);
}

static void other_forms_are_refused_with_their_place(void **state)
{
    static const char *const bad[] = {
        "01",              /* neither a bucket nor a link */
        "80",              /* a list of none */
        "82" CID CID,      /* and of two */
        "9801" CID,        /* not the shortest head */
        "b80100",          /* the same for a map */
        "bf6161" CID "ff", /* indefinite */
        "a1"
        "4161" CID, /* a key that is no text */
        "a1"
        "7801"
        "61" CID, /* its head too long */
        "a1"
        "61ff" CID, /* not UTF-8 */
        "a1"
        "63eda080" CID, /* a surrogate */
        "a2"
        "6162" CID "6161" CID, /* out of order */
        "a2"
        "6161" CID "6161" CID, /* twice */
        "a2"
        "626161" CID "617a" CID, /* the longer first */
        "a1"
        "6161"
        "01", /* an id that is none */
        "a1"
        "6161"
        "f6",
        "a1"
        "6161"
        "40", /* empty */
        "a1"
        "6161"
        "4101",
        "a1"
        "6161"
        "81" CID,
        "a1"
        "6161"
        "d82b58250001551e20" DIGEST, /* another tag */
        "a1"
        "6161"
        "d82a58250101551e20" DIGEST, /* no zero in front */
        "a1"
        "6161"
        "d82a58250002551e20" DIGEST, /* version 2 */
        "a1"
        "6161"
        "d82a58240001551e20"
        "00", /* cut */
        "a1"
        "6161"
        "5821"
        "1e20" DIGEST, /* length and digest differ */
        "a1"
        "6161"
        "590022"
        "1e20" DIGEST, /* not the shortest head */
        "a1"
        "7bffffffffffffffff"
        "61" CID, /* as long as can be said */
        "bbffffffffffffffff"
        "6161" CID,
        "a3"
        "6161" CID, /* fewer entries than said */
        "a0a0",     /* one element too many */
        "",         /* one too few */
    };
    vv_error err = VV_ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (decode_element(bad[i], &err) != VV_ECORRUPT)
            fail_msg("%s is not refused", bad[i]);
        assert_non_null(strstr(err.message, "at byte "));
    }
}

static void every_cut_of_a_node_is_refused(void **state)
{
    vvi_link link;
    vvi_node *node = NULL;
    vv_buf block = VV_BUF_INIT;

    (void)state;
    link_of("x", &link);
    assert_int_equal(vvi_node_new(&node, NULL), VV_OK);
    for (unsigned slot = 3; slot < 256; slot += 50)
        assert_int_equal(
            vvi_node_put(node, slot, vv_bytes_of("a key"), link_bytes(&link), NULL),
            VV_OK);
    encode(node, &block);
    vvi_node_release(node);
    for (size_t len = 0; len <= block.len; len++) {
        vv_status status = decode(vvi_bytes(block.data, len), &node, NULL);

        assert_int_equal(status, len == block.len ? VV_OK : VV_ECORRUPT);
        if (!status)
            vvi_node_release(node);
    }
    vv_buf_clear(&block);
}

/* ---- changing ----------------------------------------------------------------------------- */

#define MODEL_KEYS 40

typedef struct node_model {
    vvi_node *node;
    int values[MODEL_KEYS]; /* −1: not there */
} node_model;

static unsigned slot_of(int key)
{
    return (unsigned)key % 5 * 63;
}

static vv_bytes text_of_key(int key, char out[400])
{
    /* Of several lengths, so that heads have several sizes. */
    int n = snprintf(out, 400, "%0*d", key % 4 == 3 ? 260 : 1 + key % 4 * 20, key);

    return vvi_bytes(out, (size_t)n);
}

static void link_of_value(int value, vvi_link *out)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", value);
    link_of(text, out);
    if (value % 2) {
        vv_cid cid;

        /* Links of another length. */
        assert_int_equal(vvi_link_to_cid(link_bytes(out), &cid, NULL), VV_OK);
        cid.version = VV_CID_BARE;
        vvi_link_of_cid(&cid, out);
    }
}

static void change(node_model *self, uint64_t *random)
{
    int key = (int)(next_random(random) % MODEL_KEYS);
    int value = (int)(next_random(random) % 1000);
    char text[400];
    vv_bytes bytes = text_of_key(key, text);
    vv_status status = VV_OK;
    vvi_link link;

    link_of_value(value, &link);
    if (self->values[key] < 0)
        status = vvi_node_put(self->node, slot_of(key), bytes, link_bytes(&link), NULL);
    else if (next_random(random) % 2)
        status = vvi_node_put(self->node, slot_of(key), bytes, link_bytes(&link), NULL);
    else {
        status = vvi_node_remove(self->node, slot_of(key), bytes, NULL);
        value = -1;
    }
    assert_int_equal(status, VV_OK);
    self->values[key] = value;
}

static void compare(const node_model *self, const vvi_node *node)
{
    uint64_t count = 0;

    for (int key = 0; key < MODEL_KEYS; key++) {
        char text[400];
        vv_bytes stored;
        vvi_link link;
        bool found = vvi_node_find(node, slot_of(key), text_of_key(key, text), &stored);

        assert_int_equal(found, self->values[key] >= 0);
        if (!found)
            continue;
        link_of_value(self->values[key], &link);
        assert_true(vvi_bytes_equal(stored, link_bytes(&link)));
        count++;
    }
    assert_int_equal(vvi_node_entry_count(node), count);
}

static void changed_nodes_encode_to_what_decodes_to_the_same(void **state)
{
    node_model self;
    uint64_t random = 3;
    vv_buf block = VV_BUF_INIT;

    (void)state;
    memset(self.values, 0xff, sizeof(self.values));
    assert_int_equal(vvi_node_new(&self.node, NULL), VV_OK);
    for (int turn = 0; turn < 2000; turn++) {
        vvi_node *loaded;
        vvi_node *copy;

        change(&self, &random);
        if (turn % 7)
            continue;
        compare(&self, self.node);
        encode(self.node, &block);
        assert_int_equal(self.node->size, block.len);
        assert_int_equal(decode(vvi_buf_bytes(&block), &loaded, NULL), VV_OK);
        compare(&self, loaded);
        if (turn % 3 == 0) {
            /* Go on with a copy of what was loaded. */
            assert_int_equal(vvi_node_copy(loaded, &copy, NULL), VV_OK);
            vvi_node_release(self.node);
            self.node = copy;
        }
        vvi_node_release(loaded);
    }
    vvi_node_release(self.node);
    vv_buf_clear(&block);
}

static void a_changed_child_counts_and_is_named_when_written(void **state)
{
    vvi_node *node;
    vvi_node *kid;
    vvi_node *copy;
    vvi_link link;

    (void)state;
    link_of("child", &link);
    assert_int_equal(vvi_node_new(&node, NULL), VV_OK);
    assert_int_equal(vvi_node_new(&kid, NULL), VV_OK);
    assert_int_equal(vvi_node_set_kid(node, 9, kid, NULL), VV_OK);
    assert_int_equal(node->size, VVI_NODE_EMPTY_SIZE - 1 + VVI_KID_LINK_SIZE);
    assert_int_equal(vvi_node_encoded_size(node, link.len),
                     VVI_NODE_EMPTY_SIZE + link.len);
    assert_int_equal(vvi_node_copy(node, &copy, NULL), VV_OK);
    assert_int_equal(atomic_load(&kid->refs), 2);
    vvi_node_release(copy);
    assert_int_equal(vvi_node_reserve_links(node, 1, link.len, NULL), VV_OK);
    vvi_node_set_link(node, 9, link_bytes(&link));
    assert_int_equal(node->size, VVI_NODE_EMPTY_SIZE + link.len);
    assert_true(vvi_bytes_equal(vvi_node_link(node, 9), link_bytes(&link)));
    vvi_node_release(node);
}

static void bits_of_a_hash_are_counted_from_its_front(void **state)
{
    static const uint8_t hash[] = { 0x84, 0x90 };
    uint32_t bits = 0;

    (void)state;
    assert_int_equal(vvi_extract_bits(vvi_bytes(hash, 2), 1, 5, &bits, NULL), VV_OK);
    assert_int_equal(bits, 0x12);
    assert_int_equal(vvi_extract_bits(vvi_bytes(hash, 2), 0, 9, &bits, NULL), VV_OK);
    assert_int_equal(bits, 0x109);
    assert_int_equal(vvi_extract_bits(vvi_bytes(hash, 2), 2, 8, &bits, NULL), VV_ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_that_a_node_may_have_are_read_and_written_back),
        cmocka_unit_test(other_forms_are_refused_with_their_place),
        cmocka_unit_test(every_cut_of_a_node_is_refused),
        cmocka_unit_test(changed_nodes_encode_to_what_decodes_to_the_same),
        cmocka_unit_test(a_changed_child_counts_and_is_named_when_written),
        cmocka_unit_test(bits_of_a_hash_are_counted_from_its_front),
    };

    return cmocka_run_group_tests_name("hamt_node", tests, NULL, NULL);
}
