/*
 * A block that is read as a shard of as many slots as the first two bytes say: it is read exactly when it is
 * strict DAG-CBOR, a list of so many links and nulls; it is written back as it was; and stepping to a slot
 * gives what the whole shard has there.
 */
#include "fuzz.h"

#include "cbor/reader.h"
#include "sharded/shard.h"
#include "util/buf.h"

/* What the general reader makes of it. */
static bool is_shard(vv_bytes block, uint64_t slot_count)
{
    vv_cbor_reader reader;
    vv_cbor_item item;
    uint64_t n = 0;
    bool good;

    vvi_cbor_reader_init(&reader, block);
    good = vv_cbor_next(&reader, &item, NULL) == VV_OK && item.kind == VV_CBOR_LIST &&
           item.u.count == slot_count;
    while (good && !vvi_cbor_at_end(&reader)) {
        good = vv_cbor_next(&reader, &item, NULL) == VV_OK;
        good = good && (item.kind == VV_CBOR_NULL || item.kind == VV_CBOR_LINK);
        n++;
    }
    vvi_cbor_reader_clear(&reader);
    return good && n == slot_count && vv_cbor_validate(block, NULL) == VV_OK;
}

static void check_slots(const vvi_shard *shard, vv_bytes block)
{
    for (uint64_t slot = 0; slot < shard->slot_count && slot < 300; slot++) {
        bool has;
        vv_cid a;
        vv_cid b;

        CHECK(vvi_shard_find(block, shard->slot_count, &slot, 1, &a, &has, NULL) ==
              VV_OK);
        CHECK(vvi_shard_get(shard, slot, &b) == has);
        CHECK(!has || vv_cid_equal(&a, &b));
        CHECK(vvi_shard_holds(shard, slot, has ? &a : NULL));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    vv_buf out = VV_BUF_INIT;
    vvi_shard shard;
    vv_bytes block;
    vv_status status;

    if (len < 2)
        return 0;
    vvi_shard_init(&shard, data[0] * 256u + data[1]);
    block = vvi_bytes(data + 2, len - 2);
    status = vvi_shard_decode(&shard, block, NULL);
    CHECK((status == VV_OK) == is_shard(block, shard.slot_count));
    if (status == VV_OK) {
        CHECK(vvi_shard_encode(&shard, &out, NULL) == VV_OK);
        CHECK(vvi_bytes_equal(vvi_buf_bytes(&out), block));
        check_slots(&shard, block);
    } else if (shard.slot_count) {
        uint64_t slots[2] = { shard.slot_count / 2, shard.slot_count - 1 };
        bool has[2];
        vv_cid cids[2];

        CHECK(status == VV_ECORRUPT || status == VV_EUNSUPPORTED);
        (void)vvi_shard_find(block, shard.slot_count, slots, 2, cids, has, NULL);
    }
    vvi_shard_clear(&shard);
    vv_buf_clear(&out);
    return 0;
}
