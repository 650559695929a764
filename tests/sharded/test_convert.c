/* Conversions between HAMT and sharded roots: parts that fit into memory, going on, and what is refused. */
#include "support/faulty_blockstore.h"
#include "support/support.h"

#include "sharded/convert.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/fault.h"
#include "util/file.h"

#include <errno.h>
#include <stdio.h>

#define PER_SHARD 4

typedef struct source {
    vv_blockstore *blocks;
    vv_cid root;
    uint64_t keys;
} source;

static const char v3_form[] =
    "{\"zarr_format\": 3, \"node_type\": \"array\", \"shape\": [%d, %d], \"chunk_grid\": "
    "{\"name\": \"regular\", \"configuration\": {\"chunk_shape\": [1, 2]}}}";
static const char v2_form[] =
    "{\"zarr_format\": 2, \"shape\": [%d, %d], \"chunks\": [1, 2]}";

static void set(vv_store *store, source *self, const char *key, const char *value)
{
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_store_set(store, key, vv_bytes_of(value), &err));
    self->keys++;
}

/* Two arrays of 40 × 5 chunks in groups, one in the words of Zarr 2, and a scalar. */
static void fill(vv_store *store, source *self)
{
    char text[300];
    char key[60];

    set(store, self, "zarr.json",
        "{\"zarr_format\": 3, \"node_type\": \"group\", \"attributes\": {}}");
    snprintf(text, sizeof(text), v3_form, 40, 10);
    set(store, self, "g/a/zarr.json", text);
    snprintf(text, sizeof(text), v2_form, 40, 10);
    set(store, self, "g/old/.zarray", text);
    set(store, self, "g/s/zarr.json",
        "{\"zarr_format\": 3, \"node_type\": \"array\", \"shape\": [], \"chunk_grid\": "
        "{\"name\": \"regular\", \"configuration\": {\"chunk_shape\": []}}}");
    set(store, self, "g/s/c", "scalar");
    for (int i = 0; i < 200; i += 1 + i % 3) {
        snprintf(text, sizeof(text), "value %d", i % 50);
        snprintf(key, sizeof(key), "g/a/c/%d/%d", i / 5, i % 5);
        set(store, self, key, text);
        snprintf(key, sizeof(key), i % 2 ? "g/old/%d.%d" : "g/old/%d/%d", i / 5, i % 5);
        set(store, self, key, text);
    }
}

static source new_source(void (*fill_in)(vv_store *, source *))
{
    source self = { 0 };
    vv_store *store = NULL;
    vv_error err = VV_ERROR_INIT;

    assert_vv_ok(vv_memory_blockstore_new(&self.blocks, &err));
    assert_vv_ok(vv_hamt_store_open(self.blocks, NULL, NULL, &store, &err));
    fill_in(store, &self);
    assert_vv_ok(vv_store_commit(store, &self.root, &err));
    vv_store_free(store);
    return self;
}

static vv_conversion_options defaults(void)
{
    vv_conversion_options options = VV_CONVERSION_OPTIONS_INIT;

    options.sharded = VV_SHARDED_OPTIONS_INIT;
    options.sharded.chunks_per_shard = PER_SHARD;
    options.hamt = VV_HAMT_OPTIONS_INIT;
    return options;
}

static void assert_same_root(const vv_cid *a, const vv_cid *b)
{
    assert_true(vv_cid_equal(a, b));
}

/* ---- parts ------------------------------------------------------------------------------------- */

static void parts_give_the_same_root(void **state)
{
    source from = new_source(fill);
    vv_conversion_options options = defaults();
    vv_conversion_result result;
    vv_error err = VV_ERROR_INIT;
    vv_cid whole;
    vv_cid parted;
    vv_cid back;

    (void)state;
    assert_vv_ok(vv_sharded_convert(from.blocks, &from.root, VV_TO_SHARDED_V2, &options,
                                    &whole, &result, &err));
    assert_int_equal(result.passes, 1);
    assert_int_equal(result.keys, from.keys);
    assert_int_equal(result.documents, 4);
    assert_int_equal(result.added, 3); /* g/zarr.json, .zgroup, g/.zgroup */
    assert_int_equal(result.verified, from.keys + 3);

    options.memory_bytes = 50 * 48; /* slots */
    assert_vv_ok(vv_sharded_convert(from.blocks, &from.root, VV_TO_SHARDED_V2, &options,
                                    &parted, &result, &err));
    assert_true(result.passes >= 8);
    assert_same_root(&parted, &whole);

    assert_vv_ok(vv_sharded_convert(from.blocks, &whole, VV_TO_HAMT, &options, &back,
                                    &result, &err));
    assert_true(result.passes > 3);
    assert_int_equal(result.keys, from.keys + 3);
    options.memory_bytes = 0;
    assert_vv_ok(vv_sharded_convert(from.blocks, &whole, VV_TO_HAMT, &options, &parted,
                                    &result, &err));
    assert_int_equal(result.passes, 1);
    assert_same_root(&parted, &back);
    vv_blockstore_free(from.blocks);
}

/* A dataset of one array and coordinates, to version 1, from there to 2, and back to a HAMT. */
static void fill_one_array(vv_store *store, source *self)
{
    char text[300];
    char key[60];

    snprintf(text, sizeof(text), v3_form, 6, 10);
    set(store, self, "temp/zarr.json", text);
    set(store, self, "zarr.json", "{\"zarr_format\": 3, \"node_type\": \"group\"}");
    for (int i = 0; i < 30; i += 2) {
        snprintf(key, sizeof(key), "temp/c/%d/%d", i / 5, i % 5);
        set(store, self, key, key);
    }
    set(store, self, "x/zarr.json",
        "{\"zarr_format\": 3, \"node_type\": \"array\", \"shape\": [10], \"chunk_grid\": "
        "{\"name\": \"regular\", \"configuration\": {\"chunk_shape\": [10]}}}");
    set(store, self, "x/c/0", "x");
}

static void version_1_goes_through_all_layouts(void **state)
{
    source from = new_source(fill_one_array);
    vv_conversion_options options = defaults();
    vv_conversion_result result;
    vv_error err = VV_ERROR_INIT;
    vv_cid one;
    vv_cid two;
    vv_cid direct;
    vv_cid back;

    (void)state;
    assert_vv_ok(vv_sharded_convert(from.blocks, &from.root, VV_TO_SHARDED_V1, &options,
                                    &one, &result, &err));
    assert_int_equal(result.keys, from.keys);
    assert_vv_ok(vv_sharded_convert(from.blocks, &one, VV_TO_SHARDED_V2, &options, &two,
                                    &result, &err));
    assert_vv_ok(vv_sharded_convert(from.blocks, &from.root, VV_TO_SHARDED_V2, &options,
                                    &direct, &result, &err));
    assert_same_root(&two, &direct);
    assert_vv_ok(vv_sharded_convert(from.blocks, &two, VV_TO_SHARDED_V1, &options,
                                    &direct, &result, &err));
    assert_same_root(&one, &direct);
    assert_vv_ok(vv_sharded_convert(from.blocks, &one, VV_TO_HAMT, &options, &back,
                                    &result, &err));
    assert_same_root(&from.root, &back);
    vv_blockstore_free(from.blocks);
}

/* ---- going on ---------------------------------------------------------------------------------- */

typedef struct stopper {
    uint64_t after; /* calls */
    uint64_t calls;
} stopper;

static vv_status stop(void *ctx, const vv_progress *progress)
{
    stopper *self = ctx;

    assert_true(progress->items_total == 0 ||
                progress->items_done <= progress->items_total);
    return self->calls++ < self->after ? VV_OK : VV_ECANCELED;
}

/* Many keys, so that progress is told within a pass. */
static void fill_many(vv_store *store, source *self)
{
    char text[300];
    char key[60];

    snprintf(text, sizeof(text), v3_form, 4000, 4);
    set(store, self, "g/a/zarr.json", text);
    for (int i = 0; i < 8000; i++) {
        snprintf(key, sizeof(key), "g/a/c/%d/%d", i / 2, i % 2);
        set(store, self, key, "same");
    }
}

static bool is_there(const char *path)
{
    uint64_t size;

    return vvi_path_size(path, &size, NULL) == VV_OK;
}

/* Let each call fail at its next file call, until one comes through; every one goes on. */
static void goes_on(source *from, vv_conversion to, const vv_cid *source_root,
                    vv_conversion_options *options, const vv_cid *right)
{
    vv_conversion_result result;
    vv_error err = VV_ERROR_INIT;
    uint64_t most = 0;
    vv_status status = VV_EIO;
    vv_cid root;

    while (status) {
        vvi_fault plan = { .calls = VVI_CALL_BIT(VVI_CALL_RENAME),
                           .after = 2, /* two passes, then the note cannot be kept */
                           .kind = VVI_FAULT_ERROR,
                           .error_number = EIO };

        vvi_fault_plan(&plan);
        status = vv_sharded_convert(from->blocks, source_root, to, options, &root,
                                    &result, &err);
        vvi_fault_plan(NULL);
        if (status) {
            assert_int_equal(status, VV_EIO);
            assert_true(is_there(options->note_path));
        }
        assert_true(result.going_on >= most);
        most = result.going_on;
    }
    assert_true(most >= 4);
    assert_false(is_there(options->note_path));
    assert_same_root(&root, right);
}

static void a_stopped_conversion_is_gone_on_with(void **state)
{
    source from = new_source(fill);
    vv_conversion_options options = defaults();
    vv_error err = VV_ERROR_INIT;
    char *directory = make_directory();
    char *note = vvi_path_join(directory, "note");
    vv_cid sharded;
    vv_cid hamt;

    (void)state;
    assert_vv_ok(vv_sharded_convert(from.blocks, &from.root, VV_TO_SHARDED_V2, &options,
                                    &sharded, NULL, &err));
    assert_vv_ok(vv_sharded_convert(from.blocks, &sharded, VV_TO_HAMT, &options, &hamt,
                                    NULL, &err));
    options.note_path = note;
    options.memory_bytes = 50 * 48;
    goes_on(&from, VV_TO_SHARDED_V2, &from.root, &options, &sharded);
    goes_on(&from, VV_TO_HAMT, &sharded, &options, &hamt);
    vvi_free(note);
    remove_directory(directory);
    vv_blockstore_free(from.blocks);
}

static void the_caller_stops_it(void **state)
{
    source from = new_source(fill_many);
    vv_conversion_options options = defaults();
    stopper stops = { 0 };
    vv_error err = VV_ERROR_INIT;
    char *directory = make_directory();
    char *note = vvi_path_join(directory, "note");
    vv_cid root;

    (void)state;
    options.progress = stop;
    options.ctx = &stops;
    options.note_path = note;
    assert_int_equal(vv_sharded_convert(from.blocks, &from.root, VV_TO_SHARDED_V2,
                                        &options, &root, NULL, &err),
                     VV_ECANCELED);
    stops.after = 1000;
    assert_vv_ok(vv_sharded_convert(from.blocks, &from.root, VV_TO_SHARDED_V2, &options,
                                    &root, NULL, &err));
    assert_false(is_there(note));
    vvi_free(note);
    remove_directory(directory);
    vv_blockstore_free(from.blocks);
}

static void a_note_of_another_conversion_is_left_alone(void **state)
{
    static const char *const notes[] = { "", "something else",
                                         "varvite conversion 1\nsource bafkqaaa\n" };
    source from = new_source(fill);
    vv_conversion_options options = defaults();
    vv_error err = VV_ERROR_INIT;
    char *directory = make_directory();
    char *note = vvi_path_join(directory, "note");
    vv_cid root;

    (void)state;
    options.note_path = note;
    for (size_t i = 0; i < 3; i++) {
        write_file(note, notes[i], strlen(notes[i]));
        assert_int_equal(vv_sharded_convert(from.blocks, &from.root, VV_TO_SHARDED_V2,
                                            &options, &root, NULL, &err),
                         VV_EEXISTS);
        assert_non_null(strstr(err.message, note));
        assert_true(is_there(note));
    }
    vvi_free(note);
    remove_directory(directory);
    vv_blockstore_free(from.blocks);
}

/* ---- verification ------------------------------------------------------------------------------ */

/* Verify a root that is not what the source makes. */
static vv_status verify_changed(void (*change)(vv_store *store), vv_error *err)
{
    source from = new_source(fill);
    vv_conversion_options options = defaults();
    vv_hamt_options hamt = VV_HAMT_OPTIONS_INIT;
    vvi_conversion self = { .blocks = from.blocks,
                            .source = from.root,
                            .to = VV_TO_SHARDED_V2,
                            .from_hamt = true };
    vv_store *store = NULL;
    vv_status status;
    vv_cid root;

    assert_int_equal(vv_sharded_convert(from.blocks, &from.root, VV_TO_SHARDED_V2,
                                        &options, &root, &self.result, err),
                     VV_OK);
    assert_int_equal(vv_sharded_store_open(from.blocks, &root, NULL, &store, err), VV_OK);
    if (change)
        change(store);
    assert_int_equal(vv_store_commit(store, &root, err), VV_OK);
    vv_store_free(store);
    hamt.read_only = true;
    hamt.values = VV_HAMT_BYTES;
    assert_int_equal(vv_hamt_open(from.blocks, &from.root, &hamt, &self.tree, err),
                     VV_OK);
    status = vvi_conversion_verify(&self, &root, err);
    vv_hamt_free(self.tree);
    vv_buf_clear(&self.key);
    vv_blockstore_free(from.blocks);
    return status;
}

static void lose_a_chunk(vv_store *store)
{
    assert_int_equal(vv_store_delete(store, "g/a/c/0/1", NULL), VV_OK);
}

static void change_a_chunk(vv_store *store)
{
    assert_int_equal(vv_store_set(store, "g/old/c/0/1", vv_bytes_of("other"), NULL),
                     VV_OK);
}

static void add_a_chunk(vv_store *store)
{
    assert_int_equal(vv_store_set(store, "g/a/c/0/2", vv_bytes_of("more"), NULL), VV_OK);
}

static void exchange(vv_store *store)
{
    lose_a_chunk(store);
    add_a_chunk(store);
}

static void verification_finds_differences(void **state)
{
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_int_equal(verify_changed(NULL, &err), VV_OK);
    assert_int_equal(verify_changed(lose_a_chunk, &err), VV_ECORRUPT);
    assert_non_null(strstr(err.message, "g/a/c/0/1"));
    assert_int_equal(verify_changed(change_a_chunk, &err), VV_ECORRUPT);
    assert_non_null(strstr(err.message, "g/old/c/0/1"));
    assert_int_equal(verify_changed(add_a_chunk, &err), VV_ECORRUPT);
    assert_non_null(strstr(err.message, "g/a/c/0/2"));
    assert_int_equal(verify_changed(exchange, &err), VV_ECORRUPT);
}

/* ---- what is refused --------------------------------------------------------------------------- */

static void fill_outside(vv_store *store, source *self)
{
    fill(store, self);
    set(store, self, "g/a/c/40/0", "outside");
}

static void fill_unknown(vv_store *store, source *self)
{
    fill(store, self);
    set(store, self, "README", "no chunk");
}

static void assert_refused(void (*fill_in)(vv_store *, source *), vv_conversion to,
                           vv_status status, const char *name)
{
    source from = new_source(fill_in);
    vv_conversion_options options = defaults();
    vv_error err = VV_ERROR_INIT;
    vv_cid root;

    assert_int_equal(
        vv_sharded_convert(from.blocks, &from.root, to, &options, &root, NULL, &err),
        status);
    if (!strstr(err.message, name))
        fail_msg("%s: not in '%s'", name, err.message);
    vv_blockstore_free(from.blocks);
}

static void what_belongs_nowhere_is_named(void **state)
{
    (void)state;
    assert_refused(fill_outside, VV_TO_SHARDED_V2, VV_ERANGE, "g/a/c/40/0");
    assert_refused(fill_unknown, VV_TO_SHARDED_V2, VV_EINVAL, "README");
    assert_refused(fill, VV_TO_SHARDED_V1, VV_EINVAL, "g/old");
    assert_refused(fill, VV_TO_HAMT, VV_EINVAL, "already");
}

static void a_root_of_no_store_is_refused(void **state)
{
    source from = new_source(fill);
    vv_error err = VV_ERROR_INIT;
    vv_cid value;
    vv_cid root;

    (void)state;
    assert_vv_ok(vv_blockstore_put(from.blocks, &VV_PREFIX_RAW_BLAKE3,
                                   vv_bytes_of("text"), &value, &err));
    assert_int_equal(vv_sharded_convert(from.blocks, &value, VV_TO_SHARDED_V2, NULL,
                                        &root, NULL, &err),
                     VV_ECORRUPT);
    value.digest[0] ^= 1;
    assert_int_equal(vv_sharded_convert(from.blocks, &value, VV_TO_SHARDED_V2, NULL,
                                        &root, NULL, &err),
                     VV_ENOTFOUND);
    vv_blockstore_free(from.blocks);
}

/* ---- failing ----------------------------------------------------------------------------------- */

typedef struct fault_case {
    vv_blockstore *blocks;
    vv_cid from;
    vv_conversion to;
    vv_conversion_options options;
} fault_case;

static vv_status convert_once(void *ctx)
{
    fault_case *self = ctx;
    vv_cid root;
    vv_status status = vv_sharded_convert(self->blocks, &self->from, self->to,
                                          &self->options, &root, NULL, NULL);

    if (self->options.note_path)
        (void)vvi_file_unlink(self->options.note_path, NULL);
    return status;
}

static void fill_few(vv_store *store, source *self)
{
    char text[300];

    snprintf(text, sizeof(text), v3_form, 2, 4);
    set(store, self, "temp/zarr.json", text);
    set(store, self, "temp/c/0/1", "one");
    set(store, self, "temp/c/1/0", "two");
    set(store, self, "zarr.json",
        "{\"node_type\": \"group\", \"consolidated_metadata\": {}}");
}

static void failures_leave_nothing_behind(void **state)
{
    source from = new_source(fill_few);
    fault_case self = { .from = from.root, .options = defaults() };
    char *directory = make_directory();
    char *note = vvi_path_join(directory, "note");
    vv_blockstore *faulty = faulty_blockstore_new(from.blocks);
    vv_error err = VV_ERROR_INIT;
    vv_cid sharded;

    (void)state;
    assert_vv_ok(vv_sharded_convert(from.blocks, &from.root, VV_TO_SHARDED_V2,
                                    &self.options, &sharded, NULL, &err));
    self.options.note_path = note;
    for (int to = VV_TO_SHARDED_V2; to <= VV_TO_HAMT; to++) {
        self.to = (vv_conversion)to;
        self.from = to == VV_TO_HAMT ? sharded : from.root;
        self.blocks = from.blocks;
        assert_int_equal(convert_once(&self), VV_OK); /* its blocks stay */
        survives_failing_allocations(convert_once, &self);
        self.blocks = faulty;
        survives_failing_calls(faulty, VV_EIO, convert_once, &self);
    }
    vvi_free(note);
    remove_directory(directory);
    vv_blockstore_free(faulty);
    vv_blockstore_free(from.blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_give_the_same_root),
        cmocka_unit_test(version_1_goes_through_all_layouts),
        cmocka_unit_test(a_stopped_conversion_is_gone_on_with),
        cmocka_unit_test(the_caller_stops_it),
        cmocka_unit_test(a_note_of_another_conversion_is_left_alone),
        cmocka_unit_test(verification_finds_differences),
        cmocka_unit_test(what_belongs_nowhere_is_named),
        cmocka_unit_test(a_root_of_no_store_is_refused),
        cmocka_unit_test(failures_leave_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
