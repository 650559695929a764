/* The embedded store: what was flushed stays, whatever fails. */
#include "faults.h"

vv_status open_local(const world *w, vv_blockstore **out, vv_error *err)
{
    vv_local_options options = VV_LOCAL_OPTIONS_INIT;

    options.create = true;
    options.segment_bytes = 64 << 10; /* small, so that a scenario crosses segments */
    return vv_local_open(path_in(w, "store"), &options, out, err);
}

/* A store with blocks 0 … 9, flushed and closed. */
static void prepare_store(world *w)
{
    vv_blockstore *blocks = NULL;
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(open_local(w, &blocks, &err));
    assert_vv_ok(put_blocks(blocks, 0, 10, &err));
    assert_vv_ok(vv_blockstore_flush(blocks, &err));
    vv_blockstore_free(blocks);
}

/* Nothing but unfinished writes may be found: no damaged block, no wrong index. */
static vv_status only_torn_tails(void *ctx, const vv_fsck_finding *finding)
{
    (void)ctx;
    if (finding->kind == VV_FSCK_DAMAGED_BLOCK || finding->kind == VV_FSCK_INDEX_WRONG)
        fail_msg("fsck: %s: %s", finding->file, finding->message);
    return VV_OK;
}

static void assert_store(world *w, unsigned count)
{
    vv_fsck_options fsck = VV_FSCK_OPTIONS_INIT;
    vv_blockstore *blocks = NULL;
    vv_error err = VV_ERROR_INIT;
    vv_fsck_result found;

    fsck.report = only_torn_tails;
    vv_local_fsck(path_in(w, "store"), &fsck, &found, &err);
    assert_vv_ok(open_local(w, &blocks, &err));
    assert_blocks(blocks, 0, count);
    /* And it takes more. */
    assert_vv_ok(put_blocks(blocks, 90, 2, &err));
    assert_vv_ok(vv_blockstore_flush(blocks, &err));
    assert_blocks(blocks, 90, 2);
    vv_blockstore_free(blocks);
}

static vv_status put_and_flush(world *w, vv_error *err)
{
    vv_blockstore *blocks = NULL;
    vv_status status = open_local(w, &blocks, err);

    for (unsigned batch = 0; batch < 2 && status == VV_OK; batch++) {
        status = put_blocks(blocks, 10 + 10 * batch, 10, err);
        if (status == VV_OK)
            status = vv_blockstore_flush(blocks, err);
        if (status == VV_OK)
            w->acked++;
    }
    vv_blockstore_free(blocks);
    return status;
}

static void check_put(world *w)
{
    assert_store(w, 10 + 10 * w->acked);
}

static vv_status create_store(world *w, vv_error *err)
{
    vv_blockstore *blocks = NULL;
    vv_status status = open_local(w, &blocks, err);

    vv_blockstore_free(blocks);
    return status;
}

static void check_create(world *w)
{
    assert_store(w, 0);
}

static vv_status count_block(void *ctx, const vv_cid *cid, uint64_t size, vv_error *err)
{
    (void)cid;
    (void)size;
    (void)err;
    ++*(unsigned *)ctx;
    return VV_OK;
}

/* Every reading call once. */
static vv_status read_everything(world *w, vv_error *err)
{
    vv_cid cids[2] = { cid_of_block(3), cid_of_block(4) };
    vv_buf outs[2] = { VV_BUF_INIT, VV_BUF_INIT };
    vv_blockstore *blocks = NULL;
    unsigned seen = 0;
    uint64_t size = 0;
    vv_status status = open_local(w, &blocks, err);

    if (status == VV_OK)
        status = vv_blockstore_get_many(blocks, cids, 2, outs, NULL, err);
    if (status == VV_OK)
        status = vv_blockstore_get_range(blocks, &cids[0], VV_RANGE_SUFFIX(5), &outs[0],
                                         err);
    if (status == VV_OK)
        status = vv_blockstore_size(blocks, &cids[1], &size, err);
    if (status == VV_OK)
        status = vv_blockstore_iterate(blocks, count_block, &seen, err);
    if (status == VV_OK)
        assert_int_equal(seen, 10);
    vv_buf_clear(&outs[0]);
    vv_buf_clear(&outs[1]);
    vv_blockstore_free(blocks);
    return status;
}

static void check_read(world *w)
{
    assert_store(w, 10);
}

/* Blocks 20 … 39 come and go, then their space is given back; 0 … 9 stay. */
static vv_status delete_and_compact(world *w, vv_error *err)
{
    vv_blockstore *blocks = NULL;
    vv_status status = open_local(w, &blocks, err);

    if (status == VV_OK)
        status = put_blocks(blocks, 20, 20, err);
    for (unsigned i = 20; i < 40 && status == VV_OK; i++) {
        vv_cid cid = cid_of_block(i);

        status = vv_blockstore_delete(blocks, &cid, err);
    }
    if (status == VV_OK)
        status = vv_blockstore_flush(blocks, err);
    if (status == VV_OK)
        status = vv_local_compact(blocks, NULL, err);
    vv_blockstore_free(blocks);
    return status;
}

static vv_status repair(world *w, vv_error *err)
{
    vv_fsck_options fsck = VV_FSCK_OPTIONS_INIT;
    vv_fsck_result found;

    fsck.repair = true;
    return vv_local_fsck(path_in(w, "store"), &fsck, &found, err);
}

const scenario scenarios_local[] = {
    { "local: make a store", true, NULL, create_store, check_create },
    { "local: put and flush twice", true, prepare_store, put_and_flush, check_put },
    { "local: read", true, prepare_store, read_everything, check_read },
    { "local: delete and compact", true, prepare_store, delete_and_compact, check_read },
    { "local: fsck with repair", true, prepare_store, repair, check_read },
    { NULL, false, NULL, NULL, NULL },
};
