/* What differs between two hierarchies. */
#include "copy_support.h"

#include <varvite/sharded.h>

#include <math.h>
#include <stdio.h>

/* Findings as lines of text, in the order told. */
typedef struct lines {
    char text[8000];
    size_t count;
} lines;

static void add_box(char *out, size_t cap, const vv_diff_finding *finding)
{
    for (uint32_t d = 0; d < finding->ndim; d++)
        snprintf(out + strlen(out), cap - strlen(out), " %d:%d", (int)finding->start[d],
                 (int)finding->stop[d]);
}

static vv_status see(void *ctx, const vv_diff_finding *finding, vv_error *err)
{
    static const char *const kinds[] = { "added",  "removed", "kind", "member",
                                         "chunks", "values",  "key" };
    lines *all = ctx;
    char line[600];

    (void)err;
    snprintf(line, sizeof(line), "%s /%s", kinds[finding->kind], finding->path);
    if (finding->kind == VV_DIFF_MEMBER)
        snprintf(line + strlen(line), sizeof(line) - strlen(line), " %s %s -> %s",
                 finding->member, finding->before ? finding->before : "none",
                 finding->after ? finding->after : "none");
    if (finding->kind == VV_DIFF_CHUNKS && finding->encoded_differently)
        snprintf(line + strlen(line), sizeof(line) - strlen(line),
                 " encoded differently");
    else if (finding->kind == VV_DIFF_CHUNKS) {
        snprintf(line + strlen(line), sizeof(line) - strlen(line), " +%d -%d ~%d",
                 (int)finding->chunks_added, (int)finding->chunks_removed,
                 (int)finding->chunks_changed);
        add_box(line, sizeof(line), finding);
    }
    if (finding->kind == VV_DIFF_VALUES)
        snprintf(line + strlen(line), sizeof(line) - strlen(line), " %d of %d by %g",
                 (int)finding->differing, (int)finding->compared,
                 finding->max_difference);
    strcat(line, "\n");
    assert_true(strlen(all->text) + strlen(line) < sizeof(all->text));
    strcat(all->text, line);
    all->count++;
    return VV_OK;
}

static vv_diff_result diff(vv_store *a, vv_store *b, bool values, lines *out)
{
    vv_diff_options options = VV_DIFF_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_diff_result result;

    memset(out, 0, sizeof(*out));
    options.values = values;
    assert_vv_ok(vv_diff(a, "", b, "", &options, see, out, &result, &err));
    assert_int_equal(result.findings, out->count);
    return result;
}

/* The two sides of a comparison: HAMTs on one block store, or stores in memory. */
typedef struct pair {
    vv_blockstore *blocks;
    vv_store *a, *b;
} pair;

static void pair_init(pair *self, bool hamt, uint64_t seed)
{
    vv_error err = VV_ERROR_INIT;

    memset(self, 0, sizeof(*self));
    if (hamt)
        assert_vv_ok(vv_memory_blockstore_new(&self->blocks, &err));
    self->a = hamt ? new_hamt_store(self->blocks, NULL) : new_memory_store();
    self->b = hamt ? new_hamt_store(self->blocks, NULL) : new_memory_store();
    make_hierarchy(self->a, seed);
    make_hierarchy(self->b, seed);
}

static void pair_clear(pair *self)
{
    vv_store_free(self->a);
    vv_store_free(self->b);
    vv_blockstore_free(self->blocks);
}

static void equal_hierarchies_have_no_differences(void **state)
{
    lines all;

    (void)state;
    for (int hamt = 0; hamt < 2; hamt++) {
        vv_diff_result result;
        pair p;

        pair_init(&p, hamt, 4);
        result = diff(p.a, p.b, false, &all);
        assert_true(result.same);
        assert_int_equal(result.findings, 0);
        assert_int_equal(result.keys, 0);
        pair_clear(&p);
    }
}

static void every_kind_of_difference_is_told(void **state)
{
    static const char expected[] =
        "member / attributes.title \"test\" -> \"other\"\n"
        "removed /ocean/deep\n"
        "removed /ocean/deep/salt\n"
        "member /ocean/temp attributes.units \"K\" -> none\n"
        "member /ocean/temp attributes.scale [1.0, 2] -> none\n"
        "member /ocean/temp attributes.new none -> {\"a\": 1}\n"
        "chunks /ocean/temp +1 -0 ~2 0:9 0:16 0:9\n"
        "values /ocean/temp 3 of 648 by 1500\n"
        "added /ocean/wind\n"
        "kind /scalar\n"
        "key /notes/readme.txt\n";
    vv_error err = VV_ERROR_INIT;
    lines all;

    (void)state;
    for (int hamt = 0; hamt < 2; hamt++) {
        uint64_t where[3] = { 0, 0, 0 };
        vv_diff_result result;
        size_t bytes;
        int32_t *old;
        pair p;

        pair_init(&p, hamt, 4);
        old = read_all(p.a, "ocean/temp", &bytes);
        assert_vv_ok(vv_node_set_attributes(p.b, "", "{\"title\": \"other\"}", &err));
        assert_vv_ok(vv_store_delete_prefix(p.b, "ocean/deep/", NULL, &err));
        assert_vv_ok(
            vv_node_set_attributes(p.b, "ocean/temp", "{\"new\": {\"a\": 1}}", &err));
        write_one(p.b, "ocean/temp", where, -9 + 7); /* was not stored */
        where[0] = 8;
        where[1] = 9;
        write_one(p.b, "ocean/temp", where, old[(8 * 17 + 9) * 9] + 1500);
        where[0] = 5;
        where[1] = 2;
        where[2] = 4;
        write_one(p.b, "ocean/temp", where, old[(5 * 17 + 2) * 9 + 4] - 3);
        make_array(p.b, "ocean/wind", 1, (uint64_t[]){ 4 }, (uint64_t[]){ 2 }, 6);
        assert_vv_ok(vv_store_delete_prefix(p.b, "scalar/", NULL, &err));
        assert_vv_ok(vv_group_create(p.b, "scalar", NULL, false, &err));
        assert_vv_ok(vv_store_set(p.b, "notes/readme.txt", vv_bytes_of("hello"), &err));
        result = diff(p.a, p.b, true, &all);
        assert_false(result.same);
        assert_int_equal(result.values_differing, 3);
        assert_non_null(strstr(all.text, "key /notes/readme.txt\n"));
        if (hamt)
            assert_true(result.hamt_nodes > 0);
        else
            assert_int_equal(result.hamt_nodes, 0);
        /* Keys come as they are met, the rest in order of paths. */
        assert_int_equal(strlen(all.text), strlen(expected));
        for (const char *line = expected; *line; line = strchr(line, '\n') + 1) {
            char one[200] = "";

            strncat(one, line, (size_t)(strchr(line, '\n') - line));
            if (!strstr(all.text, one))
                fail_msg("'%s' is not in:\n%s", one, all.text);
        }
        free(old);
        pair_clear(&p);
    }
}

static void other_forms_of_the_same_values_are_the_same_by_value(void **state)
{
    static const struct {
        const char *chunks, *codecs, *keys;
    } forms[] = {
        { "time=4,lat=3", NULL, NULL },
        { NULL, "gzip:3", NULL },
        { NULL, NULL, "v2." },
        { "time=5", "zstd:9", "default." },
    };
    vv_error err = VV_ERROR_INIT;
    lines all;

    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        vv_copy_options options = VV_COPY_OPTIONS_INIT;
        uint64_t where[2] = { 30, 11 };
        vv_store *a = new_memory_store();
        vv_store *b = new_memory_store();
        vv_diff_result result;

        make_hierarchy(a, 5);
        options.chunks = forms[i].chunks;
        options.codecs = forms[i].codecs;
        options.keys = forms[i].keys;
        assert_vv_ok(vv_copy(a, "", b, "", &options, NULL, &err));
        result = diff(a, b, false, &all);
        assert_false(result.same);
        assert_non_null(strstr(all.text, "chunks /ocean/temp encoded differently\n"));
        result = diff(a, b, true, &all);
        assert_true(result.same);
        assert_true(result.findings > 0);
        assert_int_equal(result.values_differing, 0);
        write_one(b, "ocean/deep/salt", where, 100000);
        result = diff(a, b, true, &all);
        assert_false(result.same);
        assert_int_equal(result.values_differing, 1);
        assert_non_null(strstr(all.text, "values /ocean/deep/salt 1 of "));
        vv_store_free(a);
        vv_store_free(b);
    }
}

static void few_changes_in_a_large_tree_read_few_nodes(void **state)
{
    vv_blockstore *blocks = NULL;
    vv_error err = VV_ERROR_INIT;
    vv_diff_result result;
    vv_store *store;
    vv_store *before;
    vv_store *after;
    vv_cid roots[2];
    lines all;

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&blocks, &err));
    store = new_hamt_store(blocks, NULL);
    make_array(store, "a", 2, (uint64_t[]){ 200, 200 }, (uint64_t[]){ 1, 2 }, 7);
    roots[0] = commit(store);
    for (uint64_t i = 0; i < 10; i++)
        write_one(store, "a", (uint64_t[]){ i * 19, i }, 5000 + (int32_t)i);
    roots[1] = commit(store);
    vv_store_free(store);
    before = new_hamt_store(blocks, &roots[0]);
    after = new_hamt_store(blocks, &roots[1]);
    result = diff(before, after, true, &all);
    assert_int_equal(result.keys, 10);
    assert_int_equal(result.values_differing, 10);
    assert_true(result.hamt_nodes < 60);
    vv_store_free(before);
    vv_store_free(after);
    vv_blockstore_free(blocks);
}

/* ---- sharded stores ------------------------------------------------------------------------ */

static vv_store *open_sharded(vv_blockstore *blocks, const vv_cid *root)
{
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_store *store = NULL;

    options.read_only = root != NULL;
    options.stored_keys = true;
    options.chunks_per_shard = 100;
    assert_vv_ok(vv_sharded_store_open(blocks, root, &options, &store, &err));
    return store;
}

static uint64_t shard_loads(vv_store *store)
{
    vv_sharded_info info = VV_SHARDED_INFO_INIT;
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_sharded_store_info(store, &info, &err));
    return info.shard_loads;
}

static void delete_chunk(vv_store *store, const char *key)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_store_delete(store, key, &err));
}

/* The same changes in a HAMT and in a sharded store of 200 shards: one and the same is found, and few shards are
 * looked at. */
static void few_changes_in_a_sharded_store_read_few_shards(void **state)
{
    static const uint64_t longer[] = { 250, 200 };
    vv_blockstore *blocks = NULL;
    vv_error err = VV_ERROR_INIT;
    lines found[2][2];

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&blocks, &err));
    for (int sharded = 0; sharded < 2; sharded++) {
        vv_store *store = sharded ? open_sharded(blocks, NULL)
                                  : new_hamt_store(blocks, NULL);
        vv_array *array = NULL;
        vv_cid roots[3];
        vv_store *stores[3];

        assert_vv_ok(vv_group_create(store, "g", NULL, false, &err));
        make_array(store, "g/a", 2, (uint64_t[]){ 200, 200 }, (uint64_t[]){ 1, 2 }, 7);
        make_array(store, "g/b", 1, (uint64_t[]){ 20 }, (uint64_t[]){ 2 }, 7);
        roots[0] = commit(store);
        for (uint64_t i = 0; i < 3; i++)
            write_one(store, "g/a", (uint64_t[]){ i * 90, i }, 5000 + (int32_t)i);
        delete_chunk(store, "g/a/c/91/3");
        delete_chunk(store, "g/a/c/199/99");
        roots[1] = commit(store);
        assert_vv_ok(vv_array_open(store, "g/a", &array, &err));
        assert_vv_ok(vv_array_resize(array, longer, &err));
        vv_array_free(array);
        write_one(store, "g/a", (uint64_t[]){ 240, 7 }, 3);
        roots[2] = commit(store);
        vv_store_free(store);
        for (int later = 1; later < 3; later++) {
            for (int i = 0; i <= later; i += later)
                stores[i] = sharded ? open_sharded(blocks, &roots[i])
                                    : new_hamt_store(blocks, &roots[i]);
            diff(stores[0], stores[later], true, &found[sharded][later - 1]);
            for (int i = 0; i <= later; i += later) {
                if (sharded)
                    assert_in_range(shard_loads(stores[i]), 1, 12);
                vv_store_free(stores[i]);
            }
        }
    }
    for (int i = 0; i < 2; i++)
        assert_string_equal(found[0][i].text, found[1][i].text);
    assert_non_null(strstr(found[1][0].text, "chunks /g/a +1 -2 ~2 0:200 0:200\n"));
    vv_blockstore_free(blocks);
}

/* What was changed and not committed is seen too. */
static void changes_that_are_not_saved_are_told(void **state)
{
    vv_blockstore *blocks = NULL;
    vv_error err = VV_ERROR_INIT;
    vv_store *before, *after;
    vv_cid root;
    lines all;

    (void)state;
    assert_vv_ok(vv_memory_blockstore_new(&blocks, &err));
    after = open_sharded(blocks, NULL);
    assert_vv_ok(vv_group_create(after, "g", NULL, false, &err));
    make_array(after, "g/a", 1, (uint64_t[]){ 900 }, (uint64_t[]){ 2 }, 7);
    root = commit(after);
    before = open_sharded(blocks, &root);
    assert_true(diff(before, after, false, &all).same);
    write_one(after, "g/a", (uint64_t[]){ 600 }, 4);
    delete_chunk(after, "g/a/c/1");
    assert_false(diff(before, after, false, &all).same);
    assert_string_equal(all.text, "chunks /g/a +0 -1 ~1 2:602\n");
    assert_false(diff(after, before, false, &all).same);
    assert_string_equal(all.text, "chunks /g/a +1 -0 ~1 2:602\n");
    vv_store_free(before);
    vv_store_free(after);
    vv_blockstore_free(blocks);
}

/* ---- numbers --------------------------------------------------------------------------------- */

static void compare_two(vv_dtype dtype, const void *a, const void *b, size_t item,
                        uint64_t differing, double most)
{
    vv_array_meta meta = VV_ARRAY_META_INIT;
    uint64_t shape = 2;
    uint64_t start = 0;
    vv_error err = VV_ERROR_INIT;
    vv_store *stores[2];
    vv_diff_result result;
    char want[100];
    lines all;

    meta.dtype = dtype;
    meta.ndim = 1;
    meta.shape = &shape;
    meta.chunk_shape = &shape;
    for (int i = 0; i < 2; i++) {
        vv_array *array = NULL;

        stores[i] = new_memory_store();
        assert_vv_ok(vv_array_create(stores[i], "x", &meta, false, &array, &err));
        assert_vv_ok(vv_array_write(array, &start, &shape, i ? b : a, 2 * item, &err));
        vv_array_free(array);
    }
    result = diff(stores[0], stores[1], true, &all);
    assert_int_equal(result.values_differing, differing);
    assert_int_equal(result.same, differing == 0);
    if (differing) {
        snprintf(want, sizeof(want), "values /x %d of 2 by %g\n", (int)differing, most);
        if (!strstr(all.text, want))
            fail_msg("'%s' is not in:\n%s", want, all.text);
    }
    vv_store_free(stores[0]);
    vv_store_free(stores[1]);
}

static void numbers_of_every_type_are_compared_by_value(void **state)
{
    (void)state;
    compare_two(VV_FLOAT64, (double[]){ NAN, 1 }, (double[]){ -NAN, 1.5 }, 8, 1, 0.5);
    compare_two(VV_FLOAT64, (double[]){ 0.0, 2 }, (double[]){ -0.0, 2 }, 8, 0, 0);
    compare_two(VV_FLOAT32, (float[]){ 1, INFINITY }, (float[]){ 3, INFINITY }, 4, 1, 2);
    compare_two(VV_FLOAT16, (uint16_t[]){ 0x3c00, 0x4000 },
                (uint16_t[]){ 0x4200, 0x4000 }, 2, 1, 2);
    compare_two(VV_INT8, (int8_t[]){ -128, 1 }, (int8_t[]){ 127, 1 }, 1, 1, 255);
    compare_two(VV_INT16, (int16_t[]){ 5, 1 }, (int16_t[]){ -5, 2 }, 2, 2, 10);
    compare_two(VV_INT64, (int64_t[]){ INT64_MIN, 0 }, (int64_t[]){ INT64_MAX, 0 }, 8, 1,
                18446744073709551615.0);
    compare_two(VV_UINT64, (uint64_t[]){ 0, 9 }, (uint64_t[]){ UINT64_MAX, 9 }, 8, 1,
                18446744073709551615.0);
    compare_two(VV_UINT32, (uint32_t[]){ 7, 9 }, (uint32_t[]){ 8, 9 }, 4, 1, 1);
    compare_two(VV_BOOL, (uint8_t[]){ 0, 1 }, (uint8_t[]){ 1, 1 }, 1, 1, 1);
    compare_two(VV_COMPLEX64, (float[]){ 0, 0, 1, 1 }, (float[]){ 3, 4, 1, 1 }, 8, 1, 5);
    compare_two(VV_COMPLEX128, (double[]){ 0, NAN, 1, 1 }, (double[]){ 0, NAN, 1, 2 }, 16,
                1, 1);
}

static void nothing_at_either_place_is_not_found(void **state)
{
    vv_store *a = new_memory_store();
    vv_store *b = new_memory_store();
    vv_error err = VV_ERROR_INIT;
    vv_diff_result result;

    (void)state;
    assert_int_equal(vv_diff(a, "", b, "", NULL, NULL, NULL, &result, &err),
                     VV_ENOTFOUND);
    make_hierarchy(b, 3);
    assert_vv_ok(vv_diff(a, "", b, "", NULL, NULL, NULL, &result, &err));
    assert_int_equal(result.findings, HIERARCHY_ARRAYS + HIERARCHY_GROUPS);
    assert_vv_ok(vv_diff(b, "ocean", b, "ocean", NULL, NULL, NULL, &result, &err));
    assert_true(result.same);
    vv_store_free(a);
    vv_store_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_hierarchies_have_no_differences),
        cmocka_unit_test(every_kind_of_difference_is_told),
        cmocka_unit_test(other_forms_of_the_same_values_are_the_same_by_value),
        cmocka_unit_test(few_changes_in_a_large_tree_read_few_nodes),
        cmocka_unit_test(few_changes_in_a_sharded_store_read_few_shards),
        cmocka_unit_test(changes_that_are_not_saved_are_told),
        cmocka_unit_test(numbers_of_every_type_are_compared_by_value),
        cmocka_unit_test(nothing_at_either_place_is_not_found),
    };

    return cmocka_run_group_tests_name("diff", tests, NULL, NULL);
}
