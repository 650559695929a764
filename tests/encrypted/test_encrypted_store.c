/* Our own encrypted format keeps the contract of stores. */
#include "store/contract.h"

#include "encrypted/store.h"

typedef struct held {
    vv_blockstore *blocks;
    vv_key *key;
} held;

static int setup(void **state)
{
    store_fixture *fixture = calloc(1, sizeof(*fixture));
    held *all = calloc(1, sizeof(*all));

    *state = fixture;
    fixture->held = all;
    if (vv_memory_blockstore_new(&all->blocks, NULL) || vv_key_new(&all->key, NULL))
        return 1;
    return vv_encrypted_store_open(all->blocks, NULL, all->key, NULL, &fixture->store,
                                   NULL) != VV_OK;
}

static int teardown(void **state)
{
    store_fixture *fixture = *state;
    held *all = fixture->held;

    vv_store_free(fixture->store);
    vv_blockstore_free(all->blocks);
    vv_key_free(all->key);
    free(all);
    free(fixture);
    return 0;
}

int main(void)
{
    return run_store_contract("encrypted store", setup, teardown);
}
