/* Many readers and one writer; iterations that see the map as it was when they began. */
#include "hamt_support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#define KEYS    400
#define READERS 3

typedef struct shared {
    vv_hamt *hamt;
    atomic_bool stop;
    atomic_uint rounds; /* made by readers */
    uint64_t bad;       /* guarded by being only added to with atomics */
} shared;

/* A key's value is its number plus KEYS times anything, or it is not there. */
static bool plausible(uint64_t i, const vv_buf *value)
{
    char text[32] = { 0 };

    if (value->len >= sizeof(text))
        return false;
    memcpy(text, value->data, value->len);
    return strncmp(text, "value ", 6) == 0 && strtoull(text + 6, NULL, 10) % KEYS == i;
}

static vv_status count_key(void *ctx, vv_bytes key, const vv_cid *pointer, vv_error *err)
{
    (void)key;
    (void)pointer;
    (void)err;
    ++*(uint64_t *)ctx;
    return VV_OK;
}

static void *read_all(void *arg)
{
    shared *self = arg;

    while (!atomic_load(&self->stop)) {
        for (uint64_t i = 0; i < KEYS; i += 7) {
            vv_buf out = VV_BUF_INIT;
            vv_status status = vv_hamt_get(self->hamt, key_number(i), VV_RANGE_ALL, &out,
                                           NULL);

            if (status ? status != VV_ENOTFOUND : !plausible(i, &out))
                __atomic_add_fetch(&self->bad, 1, __ATOMIC_RELAXED);
            vv_buf_clear(&out);
        }
        atomic_fetch_add(&self->rounds, 1);
    }
    return NULL;
}

/* A batch at a time, in which a key stands twice. */
static void *read_all_together(void *arg)
{
    enum {
        COUNT = 150
    };
    shared *self = arg;
    char texts[COUNT][16];
    vv_bytes keys[COUNT];
    vv_buf outs[COUNT] = { 0 };
    vv_status statuses[COUNT];

    while (!atomic_load(&self->stop)) {
        for (uint64_t i = 0; i < COUNT; i++) {
            snprintf(texts[i], sizeof(texts[i]), "k%d", (int)(i * 11 % (KEYS / 4)));
            keys[i] = vv_bytes_of(texts[i]);
        }
        if (vv_hamt_get_many(self->hamt, keys, COUNT, outs, statuses, NULL))
            __atomic_add_fetch(&self->bad, 1, __ATOMIC_RELAXED);
        for (uint64_t i = 0; i < COUNT; i++) /* none of these is ever deleted */
            if (statuses[i] || !plausible(i * 11 % (KEYS / 4), &outs[i]))
                __atomic_add_fetch(&self->bad, 1, __ATOMIC_RELAXED);
        for (uint64_t i = 0; i + KEYS / 4 < COUNT; i++) /* one call sees one map */
            if (outs[i].len != outs[i + KEYS / 4].len ||
                memcmp(outs[i].data, outs[i + KEYS / 4].data, outs[i].len) != 0)
                __atomic_add_fetch(&self->bad, 1, __ATOMIC_RELAXED);
        atomic_fetch_add(&self->rounds, 1);
    }
    for (uint64_t i = 0; i < COUNT; i++)
        vv_buf_clear(&outs[i]);
    return NULL;
}

/* The lower half is never deleted, so every iteration sees all of it. */
static void *iterate_all(void *arg)
{
    shared *self = arg;

    while (!atomic_load(&self->stop)) {
        vv_bytes keys[4] = { { (const uint8_t *)"k1", 2 },
                             { (const uint8_t *)"k2", 2 },
                             { (const uint8_t *)"k9", 2 },
                             { (const uint8_t *)"none", 4 } };
        vv_status statuses[4];
        vv_cid cids[4];
        uint64_t count = 0;

        if (vv_hamt_iterate(self->hamt, (vv_bytes){ NULL, 0 }, count_key, &count, NULL) ||
            count < KEYS / 2 || count > KEYS)
            __atomic_add_fetch(&self->bad, 1, __ATOMIC_RELAXED);
        if (vv_hamt_get_pointers(self->hamt, keys, 4, cids, statuses, NULL) ||
            statuses[0] || statuses[2] || statuses[3] != VV_ENOTFOUND)
            __atomic_add_fetch(&self->bad, 1, __ATOMIC_RELAXED);
        atomic_fetch_add(&self->rounds, 1);
    }
    return NULL;
}

static void write_for_a_while(vv_hamt *hamt, shared *self)
{
    uint64_t random = 11;
    vv_error err = VV_ERROR_INIT;

    for (uint64_t turn = 0; turn < 3000 || atomic_load(&self->rounds) < 20; turn++) {
        uint64_t k = next_random(&random) % KEYS;

        if (k >= KEYS / 2 && turn % 3 == 0) {
            vv_status status = vv_hamt_delete(hamt, key_number(k), &err);

            assert_true(status == VV_OK || status == VV_ENOTFOUND);
        } else
            set_key(hamt, k, k + KEYS * turn);
        if (turn % 200 == 0)
            flush_hamt(hamt);
        if (turn % 611 == 0)
            assert_vv_ok(vv_hamt_vacate(hamt, NULL, &err));
    }
}

static void run_threads(size_t dirty_bytes, size_t clean_bytes)
{
    vv_hamt_options options = byte_options();
    pthread_t threads[READERS + 3];
    vv_blockstore *store = new_memory();
    shared self;

    options.dirty_bytes = dirty_bytes;
    options.clean_cache_bytes = clean_bytes;
    options.max_bucket_size = 2;
    memset(&self, 0, sizeof(self));
    atomic_init(&self.stop, false);
    atomic_init(&self.rounds, 0);
    self.hamt = open_hamt(store, NULL, &options);
    for (uint64_t i = 0; i < KEYS; i++)
        set_key(self.hamt, i, i);
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_all, &self), 0);
    assert_int_equal(pthread_create(&threads[READERS], NULL, iterate_all, &self), 0);
    for (size_t i = READERS + 1; i < READERS + 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_all_together, &self), 0);
    write_for_a_while(self.hamt, &self);
    atomic_store(&self.stop, true);
    for (size_t i = 0; i < READERS + 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(self.bad, 0);
    vv_hamt_free(self.hamt);
    vv_blockstore_free(store);
}

static void readers_and_a_writer_see_whole_maps(void **state)
{
    (void)state;
    run_threads(0, 0);
}

static void readers_and_a_writer_that_spills(void **state)
{
    (void)state;
    run_threads(20000, 0);
}

static void readers_and_a_writer_over_a_cache_too_small_for_the_map(void **state)
{
    (void)state;
    run_threads(0, 6000);
    run_threads(20000, 1);
}

/* Two writers take turns. */
static void *set_half(void *arg)
{
    shared *self = arg;
    uint64_t half = atomic_fetch_add(&self->rounds, 1);

    for (uint64_t i = 0; i < KEYS; i++)
        if (vv_hamt_set(self->hamt, key_number(2 * i + half), value_number(2 * i + half),
                        NULL))
            __atomic_add_fetch(&self->bad, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void two_writers_take_turns(void **state)
{
    vv_blockstore *store = new_memory();
    int64_t values[2 * KEYS];
    pthread_t threads[2];
    shared self;
    vv_cid root;
    vv_cid right;

    (void)state;
    memset(&self, 0, sizeof(self));
    atomic_init(&self.rounds, 0);
    self.hamt = open_hamt(store, NULL, NULL);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, set_half, &self), 0);
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(self.bad, 0);
    for (size_t i = 0; i < 2 * KEYS; i++)
        values[i] = (int64_t)i;
    root = flush_hamt(self.hamt);
    right = fresh_root(values, 2 * KEYS, NULL);
    assert_same_cid(&root, &right);
    vv_hamt_free(self.hamt);
    vv_blockstore_free(store);
}

static void *read_without_pause(void *arg)
{
    shared *self = arg;
    uint64_t i = 0;

    while (!atomic_load(&self->stop)) {
        vv_cid cid;

        vv_hamt_get_pointer(self->hamt, key_number(i++ % KEYS), &cid, NULL);
    }
    return NULL;
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Where readers may go before a writer that waits, one set takes milliseconds here and the test
 * many seconds. */
static void readers_do_not_keep_the_writer_out(void **state)
{
    vv_blockstore *store = new_memory();
    pthread_t threads[8];
    double begin;
    shared self;

    (void)state;
    memset(&self, 0, sizeof(self));
    atomic_init(&self.stop, false);
    self.hamt = open_hamt(store, NULL, NULL);
    for (uint64_t i = 0; i < KEYS; i++)
        set_key(self.hamt, i, i);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_without_pause, &self), 0);
    begin = seconds();
    for (uint64_t i = 0; i < 2000 && seconds() - begin < 30; i++)
        set_key(self.hamt, i % KEYS, i);
    atomic_store(&self.stop, true);
    for (size_t i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    assert_true(seconds() - begin < 30);
    vv_hamt_free(self.hamt);
    vv_blockstore_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_and_a_writer_see_whole_maps),
        cmocka_unit_test(readers_and_a_writer_that_spills),
        cmocka_unit_test(readers_and_a_writer_over_a_cache_too_small_for_the_map),
        cmocka_unit_test(two_writers_take_turns),
        cmocka_unit_test(readers_do_not_keep_the_writer_out),
    };

    return cmocka_run_group_tests_name("hamt_threads", tests, NULL, NULL);
}
