/* CAR files: export and import, byte for byte as other writers, and under faults. */
#include "support/faulty_blockstore.h"

#include "util/buf.h"
#include "util/error.h"
#include "util/fault.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT "bafyr4ihqslq5ifmegtvmruk7n4xkqj5ak346iedeuoh3ydf3smiag56gda"

static vv_error err;

static void vector_path(char out[4096], const char *name)
{
    snprintf(out, 4096, "%s/vectors/ipfs/cars/%s", VV_TEST_DATA, name);
}

/* The tree that small-v1.car holds, in memory. */
static vv_blockstore *small_tree(vv_cid *root)
{
    vv_blockstore *store = NULL;
    vv_cid *roots = NULL;
    size_t n = 0;
    vv_car_result result;
    char path[4096];

    vector_path(path, "small-v1.car");
    assert_vv_ok(vv_memory_blockstore_new(&store, &err));
    assert_vv_ok(vv_car_import(path, store, NULL, &roots, &n, &result, &err));
    assert_int_equal(n, 1);
    assert_int_equal(result.blocks, 9);
    assert_int_equal(result.already, 0);
    *root = roots[0];
    vv_free(roots);
    return store;
}

static vv_status write_buf(void *ctx, vv_bytes data, vv_error *error)
{
    return vvi_buf_append(ctx, data, error);
}

/* Bytes handed out a few at a time. */
typedef struct dribble {
    vv_bytes rest;
    size_t step;
} dribble;

static vv_status read_dribble(void *ctx, uint8_t *out, size_t cap, size_t *len,
                              vv_error *error)
{
    dribble *self = ctx;
    size_t n = self->rest.len < self->step ? self->rest.len : self->step;

    (void)error;
    if (n > cap)
        n = cap;
    if (n)
        memcpy(out, self->rest.data, n);
    self->rest.data += n;
    self->rest.len -= n;
    *len = n;
    return VV_OK;
}

/* ---- golden ------------------------------------------------------------------------------ */

static void an_export_is_byte_for_byte_what_kubo_and_go_car_write(void **state)
{
    static const struct {
        const char *name;
        uint32_t version;
    } cases[] = { { "small-v1.car", 1 }, { "small-v2-index-0401.car", 2 } };
    char *directory = make_directory();
    vv_cid root;
    vv_blockstore *store = small_tree(&root);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        vv_car_options options = VV_CAR_OPTIONS_INIT;
        vv_car_result result;
        char want_path[4096];
        char path[4096];
        uint8_t *want;
        uint8_t *got;
        size_t want_len;
        size_t len;

        options.version = cases[i].version;
        vector_path(want_path, cases[i].name);
        snprintf(path, sizeof(path), "%s/out.car", directory);
        assert_vv_ok(vv_car_export(store, &root, 1, &options, path, &result, &err));
        assert_int_equal(result.blocks, 9);
        want = read_file(want_path, &want_len);
        got = read_file(path, &len);
        assert_int_equal(len, want_len);
        assert_memory_equal(got, want, len);
        free(want);
        free(got);
    }
    vv_blockstore_free(store);
    remove_directory(directory);
}

static void every_golden_file_is_imported_whole_however_it_dribbles_in(void **state)
{
    static const struct {
        const char *name;
        size_t blocks, already;
    } cases[] = { { "small-v1.car", 9, 0 },
                  { "small-v2-index-0400.car", 9, 0 },
                  { "small-v2-index-0401.car", 9, 0 },
                  { "small-v2-padded-no-index.car", 9, 0 },
                  { "gateway-dups.car", 10, 0 },
                  { "gateway-path.car", 2, 0 } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        for (size_t step = 1; step < 20000; step = step * 7 + 1) {
            vv_blockstore *store = NULL;
            vv_car_result result;
            vv_cid *roots = NULL;
            size_t n = 0;
            char path[4096];
            size_t len;
            uint8_t *data;
            dribble from;

            vector_path(path, cases[i].name);
            data = read_file(path, &len);
            from = (dribble){ { data, len }, step };
            assert_vv_ok(vv_memory_blockstore_new(&store, &err));
            assert_vv_ok(vv_car_import_stream((vv_source){ read_dribble, &from }, store,
                                              NULL, &roots, &n, &result, &err));
            assert_int_equal(n, 1);
            assert_int_equal(result.blocks, cases[i].blocks);
            vv_free(roots);
            vv_blockstore_free(store);
            free(data);
        }
}

static void a_second_import_finds_every_block_there(void **state)
{
    vv_cid root;
    vv_blockstore *store = small_tree(&root);
    vv_car_result result;
    char path[4096];

    (void)state;
    vector_path(path, "small-v1.car");
    assert_vv_ok(vv_car_import(path, store, NULL, NULL, NULL, &result, &err));
    assert_int_equal(result.already, 9);
    vv_blockstore_free(store);
}

/* ---- round trips ------------------------------------------------------------------------- */

/* A list of links to blocks of many lengths, beyond every buffer's. */
static vv_cid put_tree(vv_blockstore *store, size_t leaves, size_t longest)
{
    vv_buf node = VV_BUF_INIT;
    uint8_t *data = malloc(longest + 1);
    uint64_t seed = 3;
    vv_cid cid;

    assert_non_null(data);
    assert_vv_ok(vv_cbor_put_list(&node, leaves, &err));
    for (size_t i = 0; i < leaves; i++) {
        size_t len = i == 0 ? longest : next_random(&seed) % (longest / (i + 1) + 1);

        for (size_t j = 0; j < len; j += 8) {
            uint64_t r = next_random(&seed);

            memcpy(data + j, &r, len - j < 8 ? len - j : 8);
        }
        assert_vv_ok(vv_blockstore_put(store, &VV_PREFIX_RAW_BLAKE3,
                                       (vv_bytes){ data, len }, &cid, &err));
        assert_vv_ok(vv_cbor_put_link(&node, &cid, &err));
    }
    assert_vv_ok(vv_blockstore_put(store, &VV_PREFIX_CBOR_BLAKE3, vvi_buf_bytes(&node),
                                   &cid, &err));
    vv_buf_clear(&node);
    free(data);
    return cid;
}

static void a_large_tree_comes_back_through_every_form_of_the_file(void **state)
{
    char *directory = make_directory();
    vv_blockstore *store = NULL;
    vv_blockstore_stats before;
    char path[4096];
    vv_cid root;

    (void)state;
    snprintf(path, sizeof(path), "%s/x.car", directory);
    assert_vv_ok(vv_memory_blockstore_new(&store, &err));
    root = put_tree(store, 700, 9u << 20);
    assert_vv_ok(vv_blockstore_stat(store, &before, &err));
    for (uint32_t version = 1; version <= 2; version++)
        for (int no_index = 0; no_index < 2; no_index++) {
            vv_car_options options = VV_CAR_OPTIONS_INIT;
            vv_blockstore *other = NULL;
            vv_blockstore_stats after;
            vv_car_result result;

            options.version = version;
            options.no_index = no_index;
            assert_vv_ok(vv_car_export(store, &root, 1, &options, path, &result, &err));
            assert_vv_ok(vv_memory_blockstore_new(&other, &err));
            assert_vv_ok(vv_car_import(path, other, NULL, NULL, NULL, &result, &err));
            assert_vv_ok(vv_blockstore_stat(other, &after, &err));
            assert_int_equal(after.block_count, before.block_count);
            assert_int_equal(after.block_bytes, before.block_bytes);
            vv_blockstore_free(other);
        }
    vv_blockstore_free(store);
    remove_directory(directory);
}

static void a_bare_root_travels_under_a_cid(void **state)
{
    vv_cid root;
    vv_blockstore *store = small_tree(&root);
    vv_buf car = VV_BUF_INIT;
    vv_cid bare = root;
    vv_cid *roots = NULL;
    size_t n = 0;
    dribble from;

    (void)state;
    bare.version = VV_CID_BARE;
    bare.codec = VV_CODEC_RAW;
    assert_vv_ok(vv_car_export_stream(store, &bare, 1, NULL, (vv_sink){ write_buf, &car },
                                      NULL, &err));
    from = (dribble){ vvi_buf_bytes(&car), 1000 };
    assert_vv_ok(vv_car_import_stream((vv_source){ read_dribble, &from }, store, NULL,
                                      &roots, &n, NULL, &err));
    assert_true(vv_cid_equal(&roots[0], &root));
    vv_free(roots);
    vv_buf_clear(&car);
    vv_blockstore_free(store);
}

static void blocks_that_their_cids_hold_are_not_written(void **state)
{
    vv_blockstore *store = NULL;
    vv_buf node = VV_BUF_INIT;
    vv_buf car = VV_BUF_INIT;
    vv_cid inner = {
        .codec = VV_CODEC_RAW, .version = 1, .digest_len = 2, .digest = "hi"
    };
    vv_car_result result;
    vv_cid root;

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&store, &err));
    assert_vv_ok(vv_cbor_put_link(&node, &inner, &err));
    assert_vv_ok(vv_blockstore_put(store, &VV_PREFIX_CBOR_BLAKE3, vvi_buf_bytes(&node),
                                   &root, &err));
    assert_vv_ok(vv_car_export_stream(store, &root, 1, NULL, (vv_sink){ write_buf, &car },
                                      &result, &err));
    assert_int_equal(result.blocks, 1);
    vv_buf_clear(&node);
    vv_buf_clear(&car);
    vv_blockstore_free(store);
}

/* ---- what is missing --------------------------------------------------------------------- */

static void a_missing_block_fails_the_export_unless_allowed(void **state)
{
    char *directory = make_directory();
    vv_cid root;
    vv_blockstore *store = small_tree(&root);
    vv_car_options options = VV_CAR_OPTIONS_INIT;
    vv_car_result result;
    vv_cid lost;
    char path[4096];

    (void)state;
    assert_vv_ok(vv_cid_parse(
        "bafkr4icrmu33i7zsh2krboukc2avwcg6m2u5op24yl3kbp3m4mewxs7pmi", &lost, &err));
    assert_vv_ok(vv_blockstore_delete(store, &lost, &err));
    snprintf(path, sizeof(path), "%s/x.car", directory);
    write_file(path, "before", 6);
    assert_int_equal(vv_car_export(store, &root, 1, NULL, path, &result, &err),
                     VV_ENOTFOUND);
    assert_non_null(
        strstr(err.message, "bafkr4icrmu33i7zsh2krboukc2avwcg6m2u5op24yl3kbp3m4mewxs7"));
    {
        size_t len;
        uint8_t *data = read_file(path, &len);

        assert_int_equal(len, 6); /* what was there is untouched */
        free(data);
    }
    options.allow_missing = true;
    assert_vv_ok(vv_car_export(store, &root, 1, &options, path, &result, &err));
    assert_int_equal(result.missing, 1);
    assert_int_equal(result.blocks, 8);
    vv_blockstore_free(store);
    remove_directory(directory);
}

static void a_version_that_cannot_be_written_is_refused(void **state)
{
    vv_cid root;
    vv_blockstore *store = small_tree(&root);
    vv_car_options options = VV_CAR_OPTIONS_INIT;
    vv_buf car = VV_BUF_INIT;
    vv_sink sink = { write_buf, &car };

    (void)state;
    options.version = 3;
    assert_int_equal(vv_car_export_stream(store, &root, 1, &options, sink, NULL, &err),
                     VV_EUNSUPPORTED);
    options.version = 2;
    assert_int_equal(vv_car_export_stream(store, &root, 1, &options, sink, NULL, &err),
                     VV_EINVAL);
    vv_blockstore_free(store);
}

static vv_status stop(void *ctx, const vv_progress *progress)
{
    ++*(int *)ctx;
    assert_true(progress->items_done > 0);
    return VV_ECANCELED;
}

static void the_caller_can_stop_either_way(void **state)
{
    vv_cid root;
    vv_blockstore *store = small_tree(&root);
    vv_car_options options = VV_CAR_OPTIONS_INIT;
    vv_buf car = VV_BUF_INIT;
    char path[4096];
    int told = 0;

    (void)state;
    options.progress = stop;
    options.ctx = &told;
    assert_int_equal(vv_car_export_stream(store, &root, 1, &options,
                                          (vv_sink){ write_buf, &car }, NULL, &err),
                     VV_ECANCELED);
    vector_path(path, "small-v1.car");
    assert_int_equal(vv_car_import(path, store, &options, NULL, NULL, NULL, &err),
                     VV_ECANCELED);
    assert_int_equal(told, 2);
    vv_buf_clear(&car);
    vv_blockstore_free(store);
}

/* ---- faults ------------------------------------------------------------------------------ */

typedef struct scenario {
    vv_blockstore *store;
    vv_cid root;
    char path[4096];
} scenario;

static vv_status export_and_import(void *ctx)
{
    scenario *self = ctx;
    vv_car_options options = VV_CAR_OPTIONS_INIT;
    vv_blockstore *other = NULL;
    vv_cid *roots = NULL;
    size_t n;
    vv_status status = vv_memory_blockstore_new(&other, &err);

    options.version = 2;
    if (!status)
        status = vv_car_export(self->store, &self->root, 1, &options, self->path, NULL,
                               &err);
    if (!status)
        status = vv_car_import(self->path, other, NULL, &roots, &n, NULL, &err);
    vv_free(roots);
    vv_blockstore_free(other);
    return status;
}

static void export_and_import_survive_any_failing_allocation(void **state)
{
    char *directory = make_directory();
    scenario all = { .path = "" };

    (void)state;
    all.store = small_tree(&all.root);
    snprintf(all.path, sizeof(all.path), "%s/x.car", directory);
    survives_failing_allocations(export_and_import, &all);
    vv_blockstore_free(all.store);
    remove_directory(directory);
}

static size_t files_in(const char *directory)
{
    char command[4200];
    FILE *pipe;
    size_t n = 0;
    int c;

    snprintf(command, sizeof(command), "ls -A '%s'", directory);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    while ((c = fgetc(pipe)) != EOF)
        n += c == '\n';
    pclose(pipe);
    return n;
}

static void an_export_under_any_failing_file_call_is_whole_or_not_there(void **state)
{
    char *directory = make_directory();
    scenario all = { .path = "" };
    bool struck = true;

    (void)state;
    all.store = small_tree(&all.root);
    snprintf(all.path, sizeof(all.path), "%s/x.car", directory);
    for (uint64_t n = 0; struck; n++) {
        vvi_fault plan = { .calls = VVI_CALLS_ALL,
                           .after = n,
                           .kind = VVI_FAULT_ERROR,
                           .error_number = ENOSPC };
        vv_status status;
        vv_blockstore *car = NULL;

        unlink(all.path);
        vvi_fault_plan(&plan);
        status = export_and_import(&all);
        struck = vvi_fault_plan(NULL) > 0;
        if (!struck)
            assert_int_equal(status, VV_OK);
        /* Removing the part file may be the call that fails; nothing else is left behind. */
        assert_true(files_in(directory) <= 1);
        if (access(all.path, F_OK) == 0)
            assert_vv_ok(vv_car_open(all.path, &car, &err));
        vv_blockstore_free(car);
    }
    vv_blockstore_free(all.store);
    remove_directory(directory);
}

static vv_status import_into(void *ctx)
{
    char path[4096];

    vector_path(path, "small-v1.car");
    return vv_car_import(path, ctx, NULL, NULL, NULL, NULL, &err);
}

static void an_import_passes_on_any_failure_of_the_store(void **state)
{
    vv_blockstore *memory = NULL;
    vv_blockstore *faulty;

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&memory, &err));
    assert_vv_ok(import_into(memory));
    faulty = faulty_blockstore_new(memory);
    survives_failing_calls(faulty, VV_EIO, import_into, faulty);
    vv_blockstore_free(faulty);
    vv_blockstore_free(memory);
}

/* VV_ENOTFOUND must not pass for the end of the stream. */
static void no_failure_of_the_store_looks_like_the_end(void **state)
{
    bool struck = true;

    (void)state;
    for (size_t n = 0; struck; n++) {
        vv_blockstore *memory = NULL;
        vv_blockstore *faulty;
        vv_status status;

        assert_vv_ok(vv_memory_blockstore_new(&memory, &err));
        faulty = faulty_blockstore_new(memory);
        faulty_fail_after(faulty, n, VV_ENOTFOUND, true);
        status = import_into(faulty);
        struck = faulty_stop(faulty);
        assert_int_equal(status, struck ? VV_ENOTFOUND : VV_OK);
        vv_blockstore_free(faulty);
        vv_blockstore_free(memory);
    }
}

static vv_status read_and_lose(void *ctx, uint8_t *out, size_t cap, size_t *len,
                               vv_error *error)
{
    dribble *self = ctx;

    if (self->rest.len == 0)
        return vvi_fail(error, VV_ENOTFOUND, "the place it came from is gone");
    return read_dribble(ctx, out, cap, len, error);
}

static void no_failure_of_the_source_looks_like_the_end(void **state)
{
    char path[4096];
    uint8_t *bytes;
    size_t len;

    (void)state;
    vector_path(path, "small-v1.car");
    bytes = read_file(path, &len);
    for (size_t cut = 0; cut <= len; cut += 97) {
        dribble from = { { bytes, cut }, 4096 };
        vv_source source = { read_and_lose, &from };
        vv_blockstore *store = NULL;

        assert_vv_ok(vv_memory_blockstore_new(&store, &err));
        assert_int_equal(
            vv_car_import_stream(source, store, NULL, NULL, NULL, NULL, &err),
            VV_ENOTFOUND);
        vv_blockstore_free(store);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_export_is_byte_for_byte_what_kubo_and_go_car_write),
        cmocka_unit_test(every_golden_file_is_imported_whole_however_it_dribbles_in),
        cmocka_unit_test(a_second_import_finds_every_block_there),
        cmocka_unit_test(a_large_tree_comes_back_through_every_form_of_the_file),
        cmocka_unit_test(a_bare_root_travels_under_a_cid),
        cmocka_unit_test(blocks_that_their_cids_hold_are_not_written),
        cmocka_unit_test(a_missing_block_fails_the_export_unless_allowed),
        cmocka_unit_test(a_version_that_cannot_be_written_is_refused),
        cmocka_unit_test(the_caller_can_stop_either_way),
        cmocka_unit_test(export_and_import_survive_any_failing_allocation),
        cmocka_unit_test(an_export_under_any_failing_file_call_is_whole_or_not_there),
        cmocka_unit_test(an_import_passes_on_any_failure_of_the_store),
        cmocka_unit_test(no_failure_of_the_store_looks_like_the_end),
        cmocka_unit_test(no_failure_of_the_source_looks_like_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
