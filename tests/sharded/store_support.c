#include "sharded/store_support.h"

#include <stdio.h>

static int setup_with(void **state, const vv_sharded_options *options)
{
    store_fixture *fixture = calloc(1, sizeof(*fixture));
    below *blocks = calloc(1, sizeof(*blocks));

    *state = fixture;
    if (!fixture || !blocks || vv_memory_blockstore_new(&blocks->memory, NULL))
        return 1;
    fixture->held = blocks;
    blocks->faulty = faulty_blockstore_new(blocks->memory);
    return vv_sharded_store_open(blocks->faulty, NULL, options, &fixture->store, NULL) !=
           VV_OK;
}

int setup_v2(void **state)
{
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;

    options.chunks_per_shard = 4;
    return setup_with(state, &options);
}

int setup_v1(void **state)
{
    static const uint64_t shape[] = { 4, 6 }, chunk[] = { 2, 2 };
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;

    options.version = VV_SHARDED_V1;
    options.chunks_per_shard = 4;
    options.ndim = 2;
    options.array_shape = shape;
    options.chunk_shape = chunk;
    return setup_with(state, &options);
}

int teardown(void **state)
{
    store_fixture *fixture = *state;
    below *blocks = fixture->held;

    vv_store_free(fixture->store);
    vv_blockstore_free(blocks->faulty);
    vv_blockstore_free(blocks->memory);
    free(blocks);
    free(fixture);
    return 0;
}

vv_store *store_of(void **state)
{
    return ((store_fixture *)*state)->store;
}

vv_blockstore *memory_of(void **state)
{
    return ((below *)((store_fixture *)*state)->held)->memory;
}

vv_blockstore *faulty_of(void **state)
{
    return ((below *)((store_fixture *)*state)->held)->faulty;
}

const char *array_document(const char *shape, const char *chunk)
{
    static char texts[4][256];
    static int next;
    char *text = texts[next++ % 4];

    snprintf(text, sizeof(texts[0]),
             "{\"zarr_format\": 3, \"node_type\": \"array\", \"shape\": [%s], "
             "\"chunk_grid\": {\"name\": \"regular\", \"configuration\": "
             "{\"chunk_shape\": [%s]}}}",
             shape, chunk);
    return text;
}

vv_status set_value(vv_store *store, const char *key, const char *value, vv_error *err)
{
    return vv_store_set(store, key, vv_bytes_of(value), err);
}

const char *commit(vv_store *store)
{
    static char texts[4][VV_CID_TEXT_MAX];
    static int next;
    char *text = texts[next++ % 4];
    vv_error err = VV_ERROR_INIT;
    vv_cid root;

    assert_vv_ok(vv_store_commit(store, &root, &err));
    vv_cid_format(&root, text);
    return text;
}

vv_store *reopen(void **state, bool read_only)
{
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_store *again = NULL;
    vv_cid root;

    options.read_only = read_only;
    assert_vv_ok(vv_store_commit(store_of(state), &root, &err));
    assert_vv_ok(vv_sharded_store_open(faulty_of(state), &root, &options, &again, &err));
    return again;
}
