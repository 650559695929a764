/* Who waits for whom in a sharded store: no lock is held while a value is stored, and readers go on while
 * others write. */
#include "store/contract.h"

#include "util/thread.h"

#include <varvite/blockstore_backend.h>
#include <varvite/sharded.h>

#include <pthread.h>
#include <stdio.h>

#define PATIENCE_NS ((uint64_t)20 * 1000000000u)

/* A block store whose puts wait: for as many of them as are to meet, or until it is opened again. */
typedef struct gate {
    vv_blockstore base;
    vv_blockstore *inner;
    vvi_mutex lock;
    vvi_cond changed;
    int inside; /* puts that came since, as the next four guarded by lock */
    int meet;   /* how many have to come before one goes on */
    bool closed;
    bool late;  /* one waited in vain */
    bool waits; /* one waits at the closed gate */
} gate;

static vv_status gate_get(vv_blockstore *base, const vv_cid *cid, vv_buf *out,
                          vv_error *err)
{
    return vv_blockstore_get(((gate *)base)->inner, cid, out, err);
}

static vv_status gate_put_many(vv_blockstore *base, const vv_block *blocks, size_t n,
                               vv_error *err)
{
    gate *self = (gate *)base;
    uint64_t until = vvi_now_ns() + PATIENCE_NS;

    vvi_mutex_lock(&self->lock);
    self->inside++;
    self->waits = self->closed;
    vvi_cond_broadcast(&self->changed);
    while ((self->inside < self->meet || self->closed) && !self->late)
        if (!vvi_cond_wait_until(&self->changed, &self->lock, until))
            self->late = true;
    vvi_mutex_unlock(&self->lock);
    return vv_blockstore_add_many(self->inner, blocks, n, err);
}

static vv_status gate_has_many(vv_blockstore *base, const vv_cid *cids, size_t n,
                               bool *out, vv_error *err)
{
    return vv_blockstore_has_many(((gate *)base)->inner, cids, n, out, err);
}

static vv_status gate_size(vv_blockstore *base, const vv_cid *cid, uint64_t *out,
                           vv_error *err)
{
    return vv_blockstore_size(((gate *)base)->inner, cid, out, err);
}

static void gate_free(vv_blockstore *base)
{
    gate *self = (gate *)base;

    vvi_mutex_clear(&self->lock);
    vvi_cond_clear(&self->changed);
    vv_blockstore_free(self->inner);
    free(self);
}

static const vv_blockstore_ops gate_ops = { .name = "gate",
                                            .get = gate_get,
                                            .put_many = gate_put_many,
                                            .has_many = gate_has_many,
                                            .size = gate_size,
                                            .free = gate_free };

static int setup(void **state)
{
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    store_fixture *fixture = calloc(1, sizeof(*fixture));
    gate *self = calloc(1, sizeof(*self));

    *state = fixture;
    if (!fixture || !self || vv_memory_blockstore_new(&self->inner, NULL) ||
        vvi_mutex_init(&self->lock, NULL) || vvi_cond_init(&self->changed, NULL))
        return 1;
    vv_blockstore_base_init(&self->base, &gate_ops, true);
    fixture->held = self;
    options.chunks_per_shard = 4;
    return vv_sharded_store_open(&self->base, NULL, &options, &fixture->store, NULL) !=
           VV_OK;
}

static int teardown(void **state)
{
    store_fixture *fixture = *state;

    vv_store_free(fixture->store);
    vv_blockstore_free(fixture->held);
    free(fixture);
    return 0;
}

static void array_document(char *out, size_t size, int shape)
{
    snprintf(out, size, "{\"shape\": [%d], \"chunks\": [1]}", shape);
}

static vv_status set_chunk(void *ctx, size_t i, vv_error *err)
{
    char key[32];

    snprintf(key, sizeof(key), "g/t/%zu", i);
    return vv_store_set(ctx, key, vv_bytes_of(key), err);
}

static vv_status set_document(void *ctx, size_t i, vv_error *err)
{
    char key[32], document[64];

    snprintf(key, sizeof(key), "g/a%zu/.zarray", i);
    array_document(document, sizeof(document), 4);
    return vv_store_set(ctx, key, vv_bytes_of(document), err);
}

/* Let four threads work, none of which may go on before all have come to store their value. */
static void assert_they_meet(gate *blocks, vvi_work_fn work, vv_store *store)
{
    vv_error err = VV_ERROR_INIT;

    blocks->inside = 0;
    blocks->meet = 4;
    assert_vv_ok(vvi_parallel(4, 4, work, store, &err));
    assert_false(blocks->late);
    blocks->meet = 0;
}

static void values_are_stored_side_by_side(void **state)
{
    store_fixture *fixture = *state;

    set_text(fixture->store, "g/t/.zarray", "{\"shape\": [4], \"chunks\": [1]}");
    assert_they_meet(fixture->held, set_chunk, fixture->store);
    assert_they_meet(fixture->held, set_document, fixture->store);
    assert_text(fixture->store, "g/t/3", "g/t/3");
}

/* Keys that are no documents come and go while documents look for those of the groups above them. */
static vv_status set_attributes_or_documents(void *ctx, size_t i, vv_error *err)
{
    vv_status status = VV_OK;
    char key[48];

    for (int k = 0; k < 300 && !status; k++) {
        snprintf(key, sizeof(key), "g/a%zu/%d/%s", i, k, i % 2 ? ".zattrs" : ".zarray");
        status = vv_store_set(ctx, key, vv_bytes_of("{\"shape\": [4], \"chunks\": [1]}"),
                              err);
    }
    return status;
}

static void documents_and_other_keys_are_set_side_by_side(void **state)
{
    store_fixture *fixture = *state;
    vv_error err = VV_ERROR_INIT;
    vv_sharded_info info = VV_SHARDED_INFO_INIT;

    assert_vv_ok(vvi_parallel(4, 4, set_attributes_or_documents, fixture->store, &err));
    assert_vv_ok(vv_sharded_store_info(fixture->store, &info, &err));
    assert_int_equal(info.array_count, 600);
    /* Also .zgroup at the root, in g, a0, and a2. */
    assert_int_equal(info.metadata_count, 1200 + 4);
}

static void *commit(void *ctx)
{
    static vv_error err;
    vv_cid root;

    return vv_store_commit(ctx, &root, &err) ? &err : NULL;
}

static void readers_go_on_while_a_commit_saves(void **state)
{
    store_fixture *fixture = *state;
    gate *blocks = fixture->held;
    vv_store *store = fixture->store;
    pthread_t thread;
    void *failure;

    set_text(store, "g/t/.zarray", "{\"shape\": [40], \"chunks\": [1]}");
    set_text(store, "g/t/1", "one");
    blocks->closed = true;
    assert_int_equal(pthread_create(&thread, NULL, commit, store), 0);
    vvi_mutex_lock(&blocks->lock);
    while (!blocks->waits)
        vvi_cond_wait_until(&blocks->changed, &blocks->lock, vvi_now_ns() + PATIENCE_NS);
    vvi_mutex_unlock(&blocks->lock);
    assert_text(store, "g/t/1", "one");
    assert_absent(store, "g/t/2");
    assert_listing(listing(store, "g/t/c"), "g/t/c/1");
    vvi_mutex_lock(&blocks->lock);
    assert_false(blocks->late);
    blocks->closed = false;
    vvi_cond_broadcast(&blocks->changed);
    vvi_mutex_unlock(&blocks->lock);
    pthread_join(thread, &failure);
    assert_null(failure);
}

static void read_chunk(vv_store *store)
{
    assert_text(store, "g/t/c/1", "one");
}

static void resize(vv_store *store)
{
    static int shape = 40;
    char document[64];

    shape = shape == 40 ? 20 : 40;
    array_document(document, sizeof(document), shape);
    set_text(store, "g/t/.zarray", document);
}

static void a_resize_gets_its_turn_among_readers(void **state)
{
    store_fixture *fixture = *state;

    set_text(fixture->store, "g/t/.zarray", "{\"shape\": [40], \"chunks\": [1]}");
    set_text(fixture->store, "g/t/c/1", "one");
    assert_a_writer_gets_its_turn(fixture->store, read_chunk, resize);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define PROMISE(function_) cmocka_unit_test_setup_teardown(function_, setup, teardown)
        PROMISE(values_are_stored_side_by_side),
        PROMISE(documents_and_other_keys_are_set_side_by_side),
        PROMISE(readers_go_on_while_a_commit_saves),
        PROMISE(a_resize_gets_its_turn_among_readers),
    };

    return cmocka_run_group_tests_name("turns", tests, NULL, NULL);
}
