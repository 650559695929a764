/* The memory store keeps the contract. */
#include "store/contract.h"

#include <stdio.h>

static int setup(void **state)
{
    store_fixture *fixture = calloc(1, sizeof(*fixture));

    *state = fixture;
    return !fixture || vv_memory_store_new(&fixture->store, NULL);
}

static int teardown(void **state)
{
    store_fixture *fixture = *state;

    vv_store_free(fixture->store);
    free(fixture);
    return 0;
}

static vv_status make_and_fill(void *ctx)
{
    vv_store *store = NULL;
    vv_status status = vv_memory_store_new(&store, NULL);

    (void)ctx;
    for (int i = 0; i < 40 && !status; i++) {
        const char key[] = { 'k', (char)('0' + i), '\0' };

        status = vv_store_set(store, key, vv_bytes_of("value"), NULL);
    }
    vv_store_free(store);
    return status;
}

static void a_memory_store_survives_any_failing_allocation(void **state)
{
    (void)state;
    survives_failing_allocations(make_and_fill, NULL);
}

static vv_status ignore_key(void *ctx, const char *key, vv_error *err)
{
    (void)ctx;
    (void)key;
    (void)err;
    return VV_OK;
}

static void list_nothing(vv_store *store)
{
    (void)vv_store_list(store, "none", ignore_key, NULL, NULL);
}

static void change_a_key(vv_store *store)
{
    (void)vv_store_set(store, "key", vv_bytes_of("value"), NULL);
}

static void a_writer_gets_its_turn_among_listings(void **state)
{
    vv_store *store = NULL;

    (void)state;
    assert_int_equal(vv_memory_store_new(&store, NULL), VV_OK);
    for (int i = 0; i < 20000; i++) {
        char key[16];

        snprintf(key, sizeof(key), "k%d", i);
        assert_int_equal(vv_store_set(store, key, vv_bytes_of("value"), NULL), VV_OK);
    }
    assert_a_writer_gets_its_turn(store, list_nothing, change_a_key);
    vv_store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_writer_gets_its_turn_among_listings),
        cmocka_unit_test(a_memory_store_survives_any_failing_allocation),
    };

    watch_allocations();
    return run_store_contract("memory", setup, teardown) |
           cmocka_run_group_tests(tests, NULL, NULL);
}
