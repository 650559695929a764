/* The index of the memory store beside an array: also where tags meet. */
#include "support/support.h"

#include "blockstore/memory_table.h"

#include <stdlib.h>

#define NAMES 200

static vv_error err;

/* Block number i, which is named by a digest of its number. */
static vvi_mem_block *make_block(uint32_t i, vv_cid *cid)
{
    vvi_mem_block *block = calloc(1, sizeof(*block) + VV_BLAKE3_SIZE);

    assert_non_null(block);
    assert_vv_ok(vv_cid_of(&VV_PREFIX_RAW_BLAKE3, (vv_bytes){ (uint8_t *)&i, sizeof(i) },
                           cid, &err));
    block->hash = cid->hash;
    block->digest_len = cid->digest_len;
    memcpy(block->tail, cid->digest, cid->digest_len);
    return block;
}

/* tag_count tags for all names: 1 makes them all meet. */
static void play(uint64_t tag_count, uint64_t seed)
{
    vvi_mem_table table = { NULL, 0, 0 };
    vvi_mem_block *blocks[NAMES];
    bool there[NAMES] = { false };
    vv_cid cids[NAMES];
    size_t count = 0;

    for (uint32_t i = 0; i < NAMES; i++)
        blocks[i] = make_block(i, &cids[i]);
    for (int turn = 0; turn < 20000; turn++) {
        size_t i = (size_t)(next_random(&seed) % NAMES);
        /* Multiplied, so that tags that differ may begin at one slot, the last one too. */
        uint64_t tag = (i * 7919 % tag_count) * 0x1fff;

        assert_ptr_equal(vvi_mem_table_find(&table, tag, &cids[i]),
                         there[i] ? blocks[i] : NULL);
        if (there[i])
            assert_non_null(vvi_mem_table_guess(&table, tag));
        if (next_random(&seed) % 2) {
            bool added = false;

            assert_vv_ok(
                vvi_mem_table_put(&table, tag, &cids[i], blocks[i], &added, &err));
            assert_int_equal(added, !there[i]);
            count += added;
            there[i] = true;
        } else {
            assert_ptr_equal(vvi_mem_table_remove(&table, tag, &cids[i]),
                             there[i] ? blocks[i] : NULL);
            count -= there[i];
            there[i] = false;
        }
        assert_int_equal(table.count, count);
    }
    for (size_t i = 0; i < NAMES; i++)
        free(blocks[i]);
    vvi_mem_table_clear(&table);
}

static void a_name_is_found_from_its_put_to_its_removal(void **state)
{
    (void)state;
    play(NAMES, 1);
}

static void names_whose_tags_meet_are_told_apart(void **state)
{
    (void)state;
    play(1, 2);
    play(9, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_found_from_its_put_to_its_removal),
        cmocka_unit_test(names_whose_tags_meet_are_told_apart),
    };

    return cmocka_run_group_tests_name("memory_table", tests, NULL, NULL);
}
