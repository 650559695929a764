/* Random histories of a map on the embedded store, beside an array: whatever happens between,
 * the last root that was flushed holds what the array held then. */
#include "local/numbers.h"

#include <stdio.h>

#define KEYS 120

static vv_error err;

typedef struct history {
    char *dir;
    vv_local_options opts;
    vv_blockstore *store;
    vv_hamt *map;
    int values[KEYS]; /* −1: not there */
    vv_cid root;      /* at the last flush */
    int flushed[KEYS];
    uint64_t random;
} history;

static unsigned below(history *self, unsigned n)
{
    return (unsigned)(next_random(&self->random) % n);
}

static vv_bytes key_of(int i, char text[32])
{
    snprintf(text, 32, "air/c/%d/%d", i / 10, i);
    return vv_bytes_of(text);
}

/* Some are long enough to go straight to the pack file. */
static vv_bytes value_of(int v, uint8_t *out)
{
    uint64_t seed = (uint64_t)v;
    size_t len = v % 7 == 0 ? 33000 + (size_t)v : (size_t)v % 90;

    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)next_random(&seed);
    return (vv_bytes){ out, len };
}

static void open_map(history *self, const char *dir, const vv_cid *root)
{
    vv_hamt_options options = VV_HAMT_OPTIONS_INIT;

    options.values = VV_HAMT_BYTES;
    options.dirty_bytes = 20000;
    self->store = open_numbers(dir, &self->opts);
    assert_vv_ok(vv_hamt_open(self->store, root, &options, &self->map, &err));
}

static void close_map(history *self)
{
    vv_hamt_free(self->map);
    vv_blockstore_free(self->store);
}

static void flush_map(history *self)
{
    assert_vv_ok(vv_hamt_flush(self->map, &self->root, &err));
    assert_vv_ok(vv_blockstore_flush(self->store, &err));
    memcpy(self->flushed, self->values, sizeof(self->values));
}

static void assert_holds(vv_hamt *map, const int values[KEYS])
{
    static uint8_t bytes[40000];
    uint64_t count = 0;
    uint64_t want = 0;

    for (int i = 0; i < KEYS; i++) {
        vv_buf out = VV_BUF_INIT;
        char text[32];
        vv_status status = vv_hamt_get(map, key_of(i, text), VV_RANGE_ALL, &out, &err);

        if (values[i] < 0) {
            assert_int_equal(status, VV_ENOTFOUND);
            continue;
        }
        assert_vv_ok(status);
        want++;
        assert_true(out.len == value_of(values[i], bytes).len);
        if (out.len)
            assert_memory_equal(out.data, bytes, out.len);
        vv_buf_clear(&out);
    }
    assert_vv_ok(vv_hamt_len(map, &count, &err));
    assert_int_equal(count, want);
}

static void set_or_delete(history *self)
{
    static uint8_t bytes[40000];
    int i = (int)below(self, KEYS);
    char text[32];

    if (below(self, 3)) {
        self->values[i] = (int)below(self, 600);
        assert_vv_ok(vv_hamt_set(self->map, key_of(i, text),
                                 value_of(self->values[i], bytes), &err));
    } else {
        assert_int_equal(vv_hamt_delete(self->map, key_of(i, text), NULL),
                         self->values[i] < 0 ? VV_ENOTFOUND : VV_OK);
        self->values[i] = -1;
    }
}

static void close_and_reopen(history *self)
{
    flush_map(self);
    close_map(self);
    open_map(self, self->dir, &self->root);
}

/* What is there when everybody was killed: the files as they are, and the last root. */
static void look_as_if_killed(history *self)
{
    history after = { .opts = self->opts };
    char *copy = make_directory();

    copy_directory(self->dir, copy);
    open_map(&after, copy, &self->root);
    assert_holds(after.map, self->flushed);
    close_map(&after);
    remove_directory(copy);
}

typedef struct names {
    vv_cid list[4096];
    size_t count;
} names;

static vv_status note(void *ctx, const vv_cid *cid, uint64_t size, vv_error *why)
{
    names *all = ctx;

    (void)size;
    (void)why;
    assert_true(all->count < 4096);
    all->list[all->count++] = *cid;
    return VV_OK;
}

static vv_status note_reached(void *ctx, const vv_dag_visit *visit, vv_error *why)
{
    assert_int_equal(visit->status, VV_OK);
    return note(ctx, visit->cid, 0, why);
}

static bool is_among(const names *all, const vv_cid *cid)
{
    for (size_t i = 0; i < all->count; i++)
        if (vv_cid_same_block(&all->list[i], cid))
            return true;
    return false;
}

/* Delete what the last root does not reach, and give its space back. */
static void collect_garbage(history *self)
{
    static names reached;
    static names stored;

    close_and_reopen(self);
    reached.count = stored.count = 0;
    assert_vv_ok(
        vv_dag_walk(self->store, &self->root, 1, NULL, note_reached, &reached, &err));
    assert_vv_ok(vv_blockstore_iterate(self->store, note, &stored, &err));
    for (size_t i = 0; i < stored.count; i++)
        if (!is_among(&reached, &stored.list[i]))
            assert_vv_ok(vv_blockstore_delete(self->store, &stored.list[i], &err));
    assert_vv_ok(vv_local_compact(self->store, NULL, &err));
    for (size_t i = 0; i < reached.count; i++)
        assert_true(is_among(&stored, &reached.list[i]));
}

static void step(history *self)
{
    unsigned what = below(self, 100);

    if (what < 85)
        set_or_delete(self);
    else if (what < 91)
        flush_map(self);
    else if (what < 95)
        close_and_reopen(self);
    else if (what < 97)
        look_as_if_killed(self);
    else if (what < 98)
        collect_garbage(self);
    else
        assert_holds(self->map, self->values);
}

static void run_history(char *dir, uint64_t seed, const vv_local_options *opts)
{
    static history self;

    memset(&self, 0, sizeof(self));
    self.dir = dir;
    self.opts = *opts;
    self.random = seed;
    memset(self.values, 0xff, sizeof(self.values));
    open_map(&self, dir, NULL);
    flush_map(&self);
    for (int i = 0; i < 250; i++)
        step(&self);
    assert_holds(self.map, self.values);
    close_and_reopen(&self);
    assert_holds(self.map, self.values);
    close_map(&self);
    assert_vv_ok(vv_local_fsck(dir, NULL, NULL, &err));
}

static void a_map_on_the_store_is_what_was_done_to_it(void **state)
{
    vv_local_options opts = VV_LOCAL_OPTIONS_INIT;

    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        char *dir = make_directory();

        opts.segment_bytes = seed % 2 ? 100000 : 0;
        opts.buffer_bytes = seed % 3 ? 0 : 2000;
        run_history(dir, seed, &opts);
        remove_directory(dir);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_on_the_store_is_what_was_done_to_it),
    };

    use_fast_directory();
    return cmocka_run_group_tests_name("map on local", tests, NULL, NULL);
}
