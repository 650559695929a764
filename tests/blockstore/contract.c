#include "blockstore/contract.h"

#include <pthread.h>
#include <stdio.h>

#define MANY 300

static const contract_backend *backend;

/* A store with blocks in it, and their names. */
typedef struct fixture {
    vv_blockstore *store;
    void *ctx;
    vv_block blocks[MANY];
    uint8_t bytes[MANY][600];
} fixture;

static vv_error err;

vv_cid cid_of_text(const char *text)
{
    vv_cid cid;

    assert_vv_ok(vv_cid_of(&VV_PREFIX_RAW_BLAKE3, vv_bytes_of(text), &cid, &err));
    return cid;
}

const char *cid_text(const vv_cid *cid)
{
    static char text[VV_CID_TEXT_MAX];

    vv_cid_format(cid, text);
    return text;
}

void contract_fill(vv_blockstore *store, const vv_block *blocks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_vv_ok(vv_blockstore_add_many(store, &blocks[i], 1, &err));
}

/* Blocks 0 … MANY − 1: of i × 2 bytes, so that the first is empty; codecs and hashes mixed. */
static int set_up(void **state)
{
    static const vv_cid_prefix prefixes[] = {
        { VV_CODEC_RAW, VV_HASH_BLAKE3, 1, 0 },
        { VV_CODEC_RAW, VV_HASH_SHA2_256, 1, 0 },
        { VV_CODEC_RAW, VV_HASH_BLAKE3, 1, 0 },
        { VV_CODEC_RAW, VV_HASH_SHA2_512, 1, 0 },
    };
    fixture *self = calloc(1, sizeof(*self));
    uint64_t seed = 7;

    assert_non_null(self);
    for (size_t i = 0; i < MANY; i++) {
        for (size_t j = 0; j < 2 * i; j++)
            self->bytes[i][j] = (uint8_t)next_random(&seed);
        self->blocks[i].data = (vv_bytes){ self->bytes[i], 2 * i };
        assert_vv_ok(vv_cid_of(&prefixes[i % 4], self->blocks[i].data,
                               &self->blocks[i].cid, &err));
    }
    self->store = backend->make(&self->ctx, self->blocks, MANY);
    assert_non_null(self->store);
    *state = self;
    return 0;
}

static int tear_down(void **state)
{
    fixture *self = *state;

    vv_blockstore_free(self->store);
    if (backend->unmake)
        backend->unmake(self->ctx);
    free(self);
    return 0;
}

static void assert_block(const vv_buf *got, const vv_block *want)
{
    assert_int_equal(got->len, want->data.len);
    if (got->len)
        assert_memory_equal(got->data, want->data.data, got->len);
}

/* ---- reading ----------------------------------------------------------------------------- */

static void every_block_comes_back_as_it_went_in(void **state)
{
    fixture *self = *state;

    for (size_t i = 0; i < MANY; i++) {
        vv_buf out = VV_BUF_INIT;
        uint64_t size = 77;

        assert_vv_ok(vv_blockstore_get(self->store, &self->blocks[i].cid, &out, &err));
        assert_block(&out, &self->blocks[i]);
        assert_vv_ok(vv_blockstore_size(self->store, &self->blocks[i].cid, &size, &err));
        assert_int_equal(size, out.len);
        vv_buf_clear(&out);
    }
}

static void missing_block_is_not_found_and_leaves_out_alone(void **state)
{
    fixture *self = *state;
    vv_cid cid = cid_of_text("never written");
    uint8_t before[] = "before";
    vv_buf out = { .data = before, .len = 6 };
    uint64_t size = 77;
    bool there = true;

    assert_int_equal(vv_blockstore_get(self->store, &cid, &out, &err), VV_ENOTFOUND);
    assert_non_null(strstr(err.message, cid_text(&cid)));
    assert_ptr_equal(out.data, before);
    assert_int_equal(out.len, 6);
    assert_int_equal(
        vv_blockstore_get_range(self->store, &cid, VV_RANGE_AT(1), &out, NULL),
        VV_ENOTFOUND);
    assert_ptr_equal(out.data, before);
    assert_int_equal(vv_blockstore_size(self->store, &cid, &size, &err), VV_ENOTFOUND);
    assert_non_null(strstr(err.message, cid_text(&cid)));
    assert_int_equal(size, 77);
    assert_vv_ok(vv_blockstore_has(self->store, &cid, &there, &err));
    assert_false(there);
}

static void codec_and_version_do_not_matter(void **state)
{
    fixture *self = *state;
    vv_cid cid = self->blocks[8].cid;
    vv_buf out = VV_BUF_INIT;
    bool there = false;

    cid.codec = VV_CODEC_DAG_CBOR;
    assert_vv_ok(vv_blockstore_get(self->store, &cid, &out, &err));
    assert_block(&out, &self->blocks[8]);
    cid.codec = VV_CODEC_RAW;
    cid.version = VV_CID_BARE;
    assert_vv_ok(vv_blockstore_has(self->store, &cid, &there, &err));
    assert_true(there);
    vv_buf_clear(&out);
}

static void many_blocks_come_in_the_order_asked_for(void **state)
{
    fixture *self = *state;
    vv_cid cids[MANY + 2];
    vv_buf outs[MANY + 2] = { 0 };
    vv_status statuses[MANY + 2];

    for (size_t i = 0; i < MANY; i++)
        cids[i] = self->blocks[(i * 7) % MANY].cid;
    cids[MANY] = cid_of_text("never written");
    cids[MANY + 1] = self->blocks[5].cid;
    assert_vv_ok(
        vv_blockstore_get_many(self->store, cids, MANY + 2, outs, statuses, &err));
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(statuses[i], VV_OK);
        assert_block(&outs[i], &self->blocks[(i * 7) % MANY]);
    }
    assert_int_equal(statuses[MANY], VV_ENOTFOUND);
    assert_int_equal(outs[MANY].len, 0);
    assert_block(&outs[MANY + 1], &self->blocks[5]);
    for (size_t i = 0; i < MANY + 2; i++)
        vv_buf_clear(&outs[i]);
    assert_vv_ok(vv_blockstore_get_many(self->store, cids, 0, outs, NULL, &err));
}

static void without_statuses_one_missing_block_changes_no_buffer(void **state)
{
    fixture *self = *state;
    vv_cid cids[3] = { self->blocks[3].cid, cid_of_text("never written"),
                       self->blocks[4].cid };
    uint8_t before[] = "before";
    vv_buf outs[3];

    for (size_t i = 0; i < 3; i++)
        outs[i] = (vv_buf){ .data = before, .len = 6 };
    assert_int_equal(vv_blockstore_get_many(self->store, cids, 3, outs, NULL, &err),
                     VV_ENOTFOUND);
    assert_non_null(strstr(err.message, cid_text(&cids[1])));
    for (size_t i = 0; i < 3; i++)
        assert_ptr_equal(outs[i].data, before);
}

static void presence_of_many_is_told_at_once(void **state)
{
    fixture *self = *state;
    vv_cid cids[4] = { self->blocks[0].cid, cid_of_text("never written"),
                       self->blocks[9].cid, cid_of_text("nor this") };
    bool there[4] = { false, true, false, true };

    assert_vv_ok(vv_blockstore_has_many(self->store, cids, 4, there, &err));
    assert_true(there[0] && !there[1] && there[2] && !there[3]);
}

static void a_range_is_cut_to_the_block(void **state)
{
    static const vv_range ranges[] = {
        { VV_RANGE_WHOLE, 0, 0 },         { VV_RANGE_FROM, 4, 0 },
        { VV_RANGE_FROM, 1000, 0 },       { VV_RANGE_SPAN, 2, 3 },
        { VV_RANGE_SPAN, 8, UINT64_MAX }, { VV_RANGE_SPAN, UINT64_MAX, 1 },
        { VV_RANGE_SPAN, 3, 0 },          { VV_RANGE_LAST, 0, 3 },
        { VV_RANGE_LAST, 0, 3000 },       { VV_RANGE_LAST, 0, 0 },
    };
    static const size_t which[] = { 0, 1, 6, 100, 299 };
    fixture *self = *state;

    for (size_t b = 0; b < 5; b++)
        for (size_t r = 0; r < sizeof(ranges) / sizeof(*ranges); r++) {
            const vv_block *block = &self->blocks[which[b]];
            uint64_t len = block->data.len;
            uint64_t from = ranges[r].offset < len ? ranges[r].offset : len;
            uint64_t count = len - from;
            vv_buf out = VV_BUF_INIT;

            if (ranges[r].kind == VV_RANGE_SPAN && ranges[r].length < count)
                count = ranges[r].length;
            if (ranges[r].kind == VV_RANGE_LAST) {
                count = ranges[r].length < len ? ranges[r].length : len;
                from = len - count;
            }
            assert_vv_ok(
                vv_blockstore_get_range(self->store, &block->cid, ranges[r], &out, &err));
            assert_int_equal(out.len, count);
            if (count)
                assert_memory_equal(out.data, block->data.data + from, count);
            vv_buf_clear(&out);
        }
}

static void a_block_outlives_the_store_it_came_from(void **state)
{
    fixture *self = *state;
    vv_buf out = VV_BUF_INIT;
    void *ctx = NULL;
    vv_blockstore *other = backend->make(&ctx, self->blocks, MANY);

    assert_vv_ok(vv_blockstore_get(other, &self->blocks[200].cid, &out, &err));
    vv_blockstore_free(vv_blockstore_retain(other));
    vv_blockstore_free(other);
    assert_block(&out, &self->blocks[200]);
    vv_buf_clear(&out);
    if (backend->unmake)
        backend->unmake(ctx);
}

static void an_identity_cid_holds_its_block(void **state)
{
    fixture *self = *state;
    vv_cid cid = { .codec = VV_CODEC_RAW,
                   .hash = VV_HASH_IDENTITY,
                   .version = 1,
                   .digest_len = 5,
                   .digest = "hello" };
    vv_cid cids[3] = { cid, self->blocks[6].cid, cid };
    vv_buf outs[3] = { 0 };
    uint64_t size = 0;
    bool there = false;

    assert_vv_ok(vv_blockstore_get_many(self->store, cids, 3, outs, NULL, &err));
    assert_memory_equal(outs[0].data, "hello", 5);
    assert_block(&outs[1], &self->blocks[6]);
    assert_int_equal(outs[2].len, 5);
    assert_vv_ok(
        vv_blockstore_get_range(self->store, &cid, VV_RANGE_OF(1, 2), &outs[0], &err));
    assert_int_equal(outs[0].len, 2);
    assert_memory_equal(outs[0].data, "el", 2);
    assert_vv_ok(vv_blockstore_size(self->store, &cid, &size, &err));
    assert_int_equal(size, 5);
    assert_vv_ok(vv_blockstore_has(self->store, &cid, &there, &err));
    assert_true(there);
    for (size_t i = 0; i < 3; i++)
        vv_buf_clear(&outs[i]);
}

static void a_cid_that_can_name_nothing_is_refused(void **state)
{
    fixture *self = *state;
    vv_cid cid = { .codec = VV_CODEC_RAW, .hash = VV_HASH_BLAKE3, .version = 1 };
    vv_buf out = VV_BUF_INIT;
    bool there;

    assert_int_equal(vv_blockstore_get(self->store, &cid, &out, &err), VV_EINVAL);
    assert_int_equal(vv_blockstore_has(self->store, &cid, &there, &err), VV_EINVAL);
}

/* ---- listing ----------------------------------------------------------------------------- */

typedef struct seen {
    fixture *fixture;
    bool blocks[MANY];
    size_t count;
    size_t stop_at;
    bool delete_all;
} seen;

static vv_status see(void *ctx, const vv_cid *cid, uint64_t size, vv_error *error)
{
    seen *self = ctx;

    (void)error;
    for (size_t i = 0; i < MANY; i++)
        if (vv_cid_same_block(cid, &self->fixture->blocks[i].cid)) {
            assert_false(self->blocks[i]);
            assert_int_equal(size, 2 * i);
            self->blocks[i] = true;
            self->count++;
            if (self->delete_all)
                assert_int_equal(vv_blockstore_delete(self->fixture->store, cid, NULL),
                                 VV_OK);
            return self->count == self->stop_at ? VV_ECANCELED : VV_OK;
        }
    fail_msg("an unknown block %s", cid_text(cid));
    return VV_OK;
}

static void iterating_visits_every_block_once(void **state)
{
    seen all = { .fixture = *state };

    if (backend->no_iterate)
        skip();
    assert_vv_ok(vv_blockstore_iterate(all.fixture->store, see, &all, &err));
    assert_int_equal(all.count, MANY);
}

static void a_visitor_can_stop_the_iteration(void **state)
{
    seen some = { .fixture = *state, .stop_at = 10 };

    if (backend->no_iterate)
        skip();
    assert_int_equal(vv_blockstore_iterate(some.fixture->store, see, &some, &err),
                     VV_ECANCELED);
    assert_int_equal(some.count, 10);
}

static void a_visitor_may_delete_what_it_sees(void **state)
{
    seen all = { .fixture = *state, .delete_all = true };
    vv_blockstore_stats stats;

    if (backend->no_iterate || backend->read_only)
        skip();
    assert_vv_ok(vv_blockstore_iterate(all.fixture->store, see, &all, &err));
    assert_int_equal(all.count, MANY);
    assert_vv_ok(vv_blockstore_stat(all.fixture->store, &stats, &err));
    assert_int_equal(stats.block_count, 0);
    assert_int_equal(stats.block_bytes, 0);
}

static void stat_counts_blocks_and_bytes(void **state)
{
    fixture *self = *state;
    vv_blockstore_stats stats;

    assert_vv_ok(vv_blockstore_stat(self->store, &stats, &err));
    assert_int_equal(stats.block_count, MANY);
    assert_int_equal(stats.block_bytes, (uint64_t)MANY * (MANY - 1));
}

/* ---- writing ----------------------------------------------------------------------------- */

static void a_block_that_was_put_is_there_at_once(void **state)
{
    fixture *self = *state;
    vv_cid cid = cid_of_text("");
    vv_cid want = cid_of_text("a new block");
    vv_buf out = VV_BUF_INIT;

    assert_vv_ok(vv_blockstore_put(self->store, &VV_PREFIX_RAW_BLAKE3,
                                   vv_bytes_of("a new block"), &cid, &err));
    assert_true(vv_cid_equal(&cid, &want));
    assert_vv_ok(vv_blockstore_get(self->store, &cid, &out, &err));
    assert_int_equal(out.len, 11);
    assert_memory_equal(out.data, "a new block", 11);
    vv_buf_clear(&out);
    assert_vv_ok(vv_blockstore_flush(self->store, &err));
}

static void many_are_put_at_once_and_named_in_order(void **state)
{
    fixture *self = *state;
    enum {
        count = 2500
    };
    static char texts[count][32];
    static vv_bytes blocks[count];
    static vv_cid cids[count];
    static bool there[count];
    vv_blockstore_stats before, after;

    assert_vv_ok(vv_blockstore_stat(self->store, &before, &err));
    for (size_t i = 0; i < count; i++) {
        snprintf(texts[i], sizeof(texts[i]), "block number %zu", i);
        blocks[i] = vv_bytes_of(texts[i]);
    }
    assert_vv_ok(vv_blockstore_put_many(self->store, &VV_PREFIX_CBOR_BLAKE3, blocks,
                                        count, cids, &err));
    assert_vv_ok(vv_blockstore_has_many(self->store, cids, count, there, &err));
    for (size_t i = 0; i < count; i++) {
        vv_cid want = cid_of_text(texts[i]);

        assert_true(there[i]);
        assert_true(vv_cid_same_block(&cids[i], &want));
        assert_int_equal(cids[i].codec, VV_CODEC_DAG_CBOR);
    }
    assert_vv_ok(vv_blockstore_put_many(self->store, &VV_PREFIX_RAW_BLAKE3, blocks, count,
                                        NULL, &err));
    assert_vv_ok(vv_blockstore_stat(self->store, &after, &err));
    assert_int_equal(after.block_count, before.block_count + count);
}

static void a_large_block_comes_back(void **state)
{
    fixture *self = *state;
    size_t len = 5u << 20;
    uint8_t *data = malloc(len);
    vv_bytes twice[3];
    vv_cid cids[3];
    vv_buf outs[3] = { 0 };

    assert_non_null(data);
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)(i * 31 >> 7);
    for (size_t i = 0; i < 3; i++)
        twice[i] = (vv_bytes){ data + i, len - i };
    assert_vv_ok(
        vv_blockstore_put_many(self->store, &VV_PREFIX_RAW_BLAKE3, twice, 3, cids, &err));
    assert_vv_ok(vv_blockstore_get_many(self->store, cids, 3, outs, NULL, &err));
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(outs[i].len, len - i);
        assert_memory_equal(outs[i].data, data + i, len - i);
        vv_buf_clear(&outs[i]);
    }
    free(data);
}

static void a_block_under_a_wrong_name_is_refused_and_none_is_stored(void **state)
{
    fixture *self = *state;
    vv_block blocks[3] = { { cid_of_text("one"), vv_bytes_of("one") },
                           { cid_of_text("two"), vv_bytes_of("TWO") },
                           { cid_of_text("three"), vv_bytes_of("three") } };
    bool there = true;

    assert_int_equal(vv_blockstore_add_many(self->store, blocks, 3, &err), VV_ECORRUPT);
    assert_non_null(strstr(err.message, cid_text(&blocks[1].cid)));
    assert_vv_ok(vv_blockstore_has(self->store, &blocks[0].cid, &there, &err));
    assert_false(there);
    blocks[1].data = vv_bytes_of("two");
    assert_vv_ok(vv_blockstore_add_many(self->store, blocks, 3, &err));
    assert_vv_ok(vv_blockstore_has(self->store, &blocks[1].cid, &there, &err));
    assert_true(there);
}

static void a_deleted_block_is_gone_but_what_was_lent_stays(void **state)
{
    fixture *self = *state;
    const vv_block *block = &self->blocks[50];
    vv_buf out = VV_BUF_INIT;
    vv_buf again = VV_BUF_INIT;

    assert_vv_ok(vv_blockstore_get(self->store, &block->cid, &out, &err));
    assert_vv_ok(vv_blockstore_delete(self->store, &block->cid, &err));
    assert_block(&out, block);
    assert_int_equal(vv_blockstore_get(self->store, &block->cid, &again, &err),
                     VV_ENOTFOUND);
    assert_int_equal(vv_blockstore_delete(self->store, &block->cid, &err), VV_ENOTFOUND);
    assert_non_null(strstr(err.message, cid_text(&block->cid)));
    contract_fill(self->store, block, 1);
    assert_vv_ok(vv_blockstore_get(self->store, &block->cid, &again, &err));
    assert_block(&again, block);
    vv_buf_clear(&again);
    vv_buf_clear(&out);
}

static void too_long_a_block_is_refused_unread(void **state)
{
    fixture *self = *state;
    uint8_t byte = 0;
    vv_bytes block = { &byte, (size_t)VV_BLOCK_BYTES_MAX + 1 };

    assert_int_equal(
        vv_blockstore_put(self->store, &VV_PREFIX_RAW_BLAKE3, block, NULL, &err),
        VV_ELIMIT);
    assert_int_equal(
        vv_blockstore_put_many(self->store, &VV_PREFIX_RAW_BLAKE3, &block, 1, NULL, &err),
        VV_ELIMIT);
}

static void a_read_only_store_says_so(void **state)
{
    fixture *self = *state;

    assert_int_equal(vv_blockstore_put(self->store, &VV_PREFIX_RAW_BLAKE3,
                                       vv_bytes_of("x"), NULL, &err),
                     VV_EREADONLY);
    assert_non_null(strstr(err.message, "read-only"));
    assert_int_equal(vv_blockstore_add_many(self->store, self->blocks, 1, &err),
                     VV_EREADONLY);
    assert_int_equal(vv_blockstore_delete(self->store, &self->blocks[1].cid, &err),
                     VV_EREADONLY);
    assert_vv_ok(vv_blockstore_flush(self->store, &err));
}

/* ---- threads ----------------------------------------------------------------------------- */

#define THREADS 4

typedef struct user {
    fixture *fixture;
    uint64_t seed;
    const char *wrong;
} user;

static const char *read_at_random(user *self, uint64_t r)
{
    const vv_block *one = &self->fixture->blocks[r % MANY];
    const vv_block *other = &self->fixture->blocks[(r >> 16) % MANY];
    vv_cid cids[2] = { one->cid, other->cid };
    vv_buf outs[2] = { 0 };
    const char *wrong = NULL;
    uint64_t size = 0;

    if (vv_blockstore_get_many(self->fixture->store, cids, 2, outs, NULL, NULL))
        wrong = "cannot get";
    else if (outs[0].len != one->data.len || outs[1].len != other->data.len ||
             (one->data.len && memcmp(outs[0].data, one->data.data, one->data.len) != 0))
        wrong = "gets wrong bytes";
    else if (vv_blockstore_size(self->fixture->store, &one->cid, &size, NULL) ||
             size != one->data.len)
        wrong = "gets a wrong size";
    vv_buf_clear(&outs[0]);
    vv_buf_clear(&outs[1]);
    return wrong;
}

static const char *put_and_read_back(user *self, uint64_t r)
{
    vv_buf out = VV_BUF_INIT;
    const char *wrong = NULL;
    char text[40];
    vv_cid cid;

    /* Other threads put some of the same. */
    snprintf(text, sizeof(text), "thread block %d", (int)(r % 200));
    if (vv_blockstore_put(self->fixture->store, &VV_PREFIX_RAW_BLAKE3, vv_bytes_of(text),
                          &cid, NULL))
        wrong = "cannot put";
    else if (vv_blockstore_get(self->fixture->store, &cid, &out, NULL) ||
             out.len != strlen(text) || memcmp(out.data, text, out.len) != 0)
        wrong = "does not read what it put";
    else if (r % 64 == 0 && vv_blockstore_flush(self->fixture->store, NULL))
        wrong = "cannot flush";
    vv_buf_clear(&out);
    return wrong;
}

static void *use_store(void *arg)
{
    user *self = arg;

    for (int i = 0; i < 300 && !self->wrong; i++) {
        uint64_t r = next_random(&self->seed);

        self->wrong = read_at_random(self, r);
        if (!self->wrong && !backend->read_only)
            self->wrong = put_and_read_back(self, r >> 32);
    }
    return NULL;
}

static void threads_read_and_put_at_once(void **state)
{
    pthread_t threads[THREADS];
    user users[THREADS];

    for (size_t i = 0; i < THREADS; i++) {
        users[i] = (user){ .fixture = *state, .seed = i };
        assert_int_equal(pthread_create(&threads[i], NULL, use_store, &users[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        if (users[i].wrong)
            fail_msg("a thread %s", users[i].wrong);
    }
}

/* ---- memory ------------------------------------------------------------------------------ */

static vv_status read_some(void *ctx)
{
    fixture *self = ctx;
    vv_buf outs[3] = { 0 };
    vv_cid cids[3] = { self->blocks[10].cid, self->blocks[20].cid, self->blocks[31].cid };
    vv_status status = vv_blockstore_get(self->store, &cids[0], &outs[0], &err);

    if (!status)
        status = vv_blockstore_get_many(self->store, cids, 3, outs, NULL, &err);
    if (!status)
        status = vv_blockstore_get_range(self->store, &cids[1], VV_RANGE_AT(3), &outs[1],
                                         &err);
    for (size_t i = 0; i < 3; i++)
        vv_buf_clear(&outs[i]);
    return status;
}

static void reading_survives_any_failing_allocation(void **state)
{
    watch_allocations();
    assert_vv_ok(read_some(*state)); /* what is cached by the first read is not a leak */
    survives_failing_allocations(read_some, *state);
}

static void putting_survives_any_failing_allocation(void **state)
{
    fixture *self = *state;
    vv_bytes blocks[2] = { vv_bytes_of("hello"), vv_bytes_of("world") };
    vv_status status = VV_ENOMEM;
    bool any = true;
    bool there = false;
    vv_cid cid = cid_of_text("world");

    for (size_t n = 0; any; n++) {
        fail_allocation_after(n, false);
        status = vv_blockstore_put_many(self->store, &VV_PREFIX_RAW_BLAKE3, blocks, 2,
                                        NULL, &err);
        any = stop_failing_allocations();
        assert_true(status == VV_OK || (any && status == VV_ENOMEM));
    }
    assert_int_equal(status, VV_OK);
    assert_vv_ok(vv_blockstore_has(self->store, &cid, &there, &err));
    assert_true(there);
}

#define WITH_STORE(test_) cmocka_unit_test_setup_teardown(test_, set_up, tear_down)

static const struct CMUnitTest reading[] = {
    WITH_STORE(every_block_comes_back_as_it_went_in),
    WITH_STORE(missing_block_is_not_found_and_leaves_out_alone),
    WITH_STORE(codec_and_version_do_not_matter),
    WITH_STORE(many_blocks_come_in_the_order_asked_for),
    WITH_STORE(without_statuses_one_missing_block_changes_no_buffer),
    WITH_STORE(presence_of_many_is_told_at_once),
    WITH_STORE(a_range_is_cut_to_the_block),
    WITH_STORE(a_block_outlives_the_store_it_came_from),
    WITH_STORE(an_identity_cid_holds_its_block),
    WITH_STORE(a_cid_that_can_name_nothing_is_refused),
    WITH_STORE(iterating_visits_every_block_once),
    WITH_STORE(a_visitor_can_stop_the_iteration),
    WITH_STORE(stat_counts_blocks_and_bytes),
    WITH_STORE(reading_survives_any_failing_allocation),
    WITH_STORE(threads_read_and_put_at_once),
};

static const struct CMUnitTest writing[] = {
    WITH_STORE(a_visitor_may_delete_what_it_sees),
    WITH_STORE(a_block_that_was_put_is_there_at_once),
    WITH_STORE(many_are_put_at_once_and_named_in_order),
    WITH_STORE(a_large_block_comes_back),
    WITH_STORE(a_block_under_a_wrong_name_is_refused_and_none_is_stored),
    WITH_STORE(a_deleted_block_is_gone_but_what_was_lent_stays),
    WITH_STORE(too_long_a_block_is_refused_unread),
    WITH_STORE(putting_survives_any_failing_allocation),
};

static const struct CMUnitTest not_writing[] = { WITH_STORE(a_read_only_store_says_so) };

int run_blockstore_contract(const contract_backend *given)
{
    int failed;

    backend = given;
    printf("contract of the block store: %s\n", given->name);
    failed = cmocka_run_group_tests_name("reading", reading, NULL, NULL);
    failed += given->read_only
                  ? cmocka_run_group_tests_name("not writing", not_writing, NULL, NULL)
                  : cmocka_run_group_tests_name("writing", writing, NULL, NULL);
    return failed;
}
