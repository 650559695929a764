/* A CAR file as a block store: by its index, and by a scan. */
#include "blockstore/contract.h"

#include <stdio.h>

static vv_error err;

typedef struct car_file {
    char *directory;
    char path[300];
} car_file;

/* Blocks in a CAR whose roots they all are. */
static vv_blockstore *make_car(void **ctx, const vv_block *blocks, size_t n,
                               uint32_t version, bool no_index)
{
    car_file *self = calloc(1, sizeof(*self));
    vv_car_options options = VV_CAR_OPTIONS_INIT;
    vv_blockstore *memory = NULL;
    vv_blockstore *car = NULL;
    vv_cid *roots = calloc(n + 1, sizeof(*roots));

    assert_non_null(self);
    assert_non_null(roots);
    self->directory = make_directory();
    snprintf(self->path, sizeof(self->path), "%s/x.car", self->directory);
    assert_vv_ok(vv_memory_blockstore_new(&memory, &err));
    contract_fill(memory, blocks, n);
    for (size_t i = 0; i < n; i++)
        roots[i] = blocks[i].cid;
    options.version = version;
    options.no_index = no_index;
    assert_vv_ok(vv_car_export(memory, roots, n, &options, self->path, NULL, &err));
    vv_blockstore_free(memory);
    free(roots);
    assert_vv_ok(vv_car_open(self->path, &car, &err));
    *ctx = self;
    return car;
}

static vv_blockstore *make_v1(void **ctx, const vv_block *blocks, size_t n)
{
    return make_car(ctx, blocks, n, 1, false);
}

static vv_blockstore *make_v2(void **ctx, const vv_block *blocks, size_t n)
{
    return make_car(ctx, blocks, n, 2, false);
}

static vv_blockstore *make_v2_no_index(void **ctx, const vv_block *blocks, size_t n)
{
    return make_car(ctx, blocks, n, 2, true);
}

static void unmake(void *ctx)
{
    car_file *self = ctx;

    remove_directory(self->directory);
    free(self);
}

static void vector_path(char out[4096], const char *name)
{
    snprintf(out, 4096, "%s/vectors/ipfs/cars/%s", VV_TEST_DATA, name);
}

static vv_status count(void *ctx, const vv_cid *cid, uint64_t size, vv_error *error)
{
    (void)cid;
    (void)size;
    (void)error;
    ++*(size_t *)ctx;
    return VV_OK;
}

static void files_of_other_writers_are_read_through_either_index(void **state)
{
    static const char *const names[] = { "small-v1.car", "small-v2-index-0400.car",
                                         "small-v2-index-0401.car",
                                         "small-v2-padded-no-index.car",
                                         "gateway-dups.car" };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        vv_blockstore *car = NULL;
        const vv_cid *roots = NULL;
        size_t root_count = 0;
        size_t blocks = 0;
        char path[4096];
        vv_buf root = VV_BUF_INIT;

        vector_path(path, names[i]);
        assert_vv_ok(vv_car_open(path, &car, &err));
        assert_vv_ok(vv_car_roots(car, &roots, &root_count, &err));
        assert_int_equal(root_count, 1);
        assert_string_equal(
            cid_text(roots),
            "bafyr4ihqslq5ifmegtvmruk7n4xkqj5ak346iedeuoh3ydf3smiag56gda");
        assert_vv_ok(vv_blockstore_get(car, roots, &root, &err));
        assert_int_equal(root.len, 182);
        assert_vv_ok(vv_blockstore_iterate(car, count, &blocks, &err));
        assert_int_equal(blocks, 9); /* one is there twice in gateway-dups.car */
        vv_blockstore_free(car);
        vv_buf_clear(&root);
    }
}

static void a_damaged_block_is_found_when_it_is_read(void **state)
{
    char *directory = make_directory();
    char from[4096];
    char path[4096];
    uint8_t *data;
    size_t len;

    (void)state;
    vector_path(from, "small-v2-index-0401.car");
    snprintf(path, sizeof(path), "%s/damaged.car", directory);
    data = read_file(from, &len);
    for (size_t at = 200; at < 5900; at += 611) {
        vv_blockstore *car = NULL;
        vv_car_result result;
        vv_blockstore *memory = NULL;

        data[at] ^= 1;
        write_file(path, data, len);
        data[at] ^= 1;
        assert_vv_ok(vv_memory_blockstore_new(&memory, &err));
        assert_int_equal(vv_car_import(path, memory, NULL, NULL, NULL, &result, &err),
                         VV_ECORRUPT);
        assert_non_null(strstr(err.message, "byte "));
        assert_non_null(strstr(err.message, path));
        if (vv_car_open(path, &car, &err) == VV_OK) {
            const vv_cid *roots;
            size_t n;

            assert_vv_ok(vv_car_roots(car, &roots, &n, &err));
            assert_int_not_equal(
                vv_car_export_stream(car, roots, n, NULL, vv_sink_fd(-1), NULL, &err),
                VV_OK);
        }
        vv_blockstore_free(car);
        vv_blockstore_free(memory);
    }
    free(data);
    remove_directory(directory);
}

static void roots_of_another_store_are_refused(void **state)
{
    vv_blockstore *memory;
    const vv_cid *roots;
    size_t n;

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&memory, &err));
    assert_int_equal(vv_car_roots(memory, &roots, &n, &err), VV_EINVAL);
    vv_blockstore_free(memory);
}

static void a_missing_file_is_named(void **state)
{
    vv_blockstore *car;

    (void)state;
    assert_int_equal(vv_car_open("/nonexistent/x.car", &car, &err), VV_ENOTFOUND);
    assert_non_null(strstr(err.message, "/nonexistent/x.car"));
}

static vv_status open_and_close(void *ctx)
{
    vv_blockstore *car = NULL;
    vv_status status = vv_car_open(ctx, &car, &err);

    vv_blockstore_free(car);
    return status;
}

static void opening_survives_any_failing_allocation(void **state)
{
    char path[4096];

    (void)state;
    vector_path(path, "small-v1.car");
    survives_failing_allocations(open_and_close, path);
    vector_path(path, "small-v2-index-0401.car");
    survives_failing_allocations(open_and_close, path);
}

int main(void)
{
    static const contract_backend backends[] = {
        { .name = "CARv1", .make = make_v1, .unmake = unmake, .read_only = true },
        { .name = "CARv2", .make = make_v2, .unmake = unmake, .read_only = true },
        { .name = "CARv2 without index",
          .make = make_v2_no_index,
          .unmake = unmake,
          .read_only = true },
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_other_writers_are_read_through_either_index),
        cmocka_unit_test(a_damaged_block_is_found_when_it_is_read),
        cmocka_unit_test(roots_of_another_store_are_refused),
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(opening_survives_any_failing_allocation),
    };
    int failed = 0;

    for (size_t i = 0; i < 3; i++)
        failed += run_blockstore_contract(&backends[i]);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
