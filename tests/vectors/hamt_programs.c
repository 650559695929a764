/* hamt_small.json and hamt_collide.json: histories of a map, step by step. */
#include "hamt.h"

#include "hamt/bits.h"
#include "util/buf.h"

#include <stdlib.h>
#include <string.h>

typedef struct program {
    vector_run *run;
    const char *name;
    const hamt_backend *backend;
    vv_blockstore *store;
    vv_hamt *hamt;
    vv_hamt_options options;
    bool bytes;
    bool failed;
} program;

#define EXPECT(self_, condition_, ...)                             \
    do {                                                           \
        if (!(condition_)) {                                       \
            vector_fail((self_)->run, (self_)->name, __VA_ARGS__); \
            (self_)->failed = true;                                \
        }                                                          \
    } while (0)

static vv_bytes key_of(const json_t *text)
{
    return vvi_bytes(json_string_value(text), json_string_length(text));
}

static vv_range range_of(const json_t *range)
{
    int64_t offset = int_of(range, "offset", -1);
    int64_t length = int_of(range, "length", -1);
    int64_t suffix = int_of(range, "suffix", -1);

    if (offset >= 0 && length >= 0)
        return VV_RANGE_OF((uint64_t)offset, (uint64_t)length);
    if (offset >= 0)
        return VV_RANGE_AT((uint64_t)offset);
    return suffix >= 0 ? VV_RANGE_SUFFIX((uint64_t)suffix) : VV_RANGE_ALL;
}

/* What the step should give: the member ok, or NULL for an error; *known false: not recorded. */
static const json_t *expected_of(const json_t *result, bool *known)
{
    *known = json_is_object(result);
    return json_object_get(result, "ok");
}

static void step_get(program *self, const json_t *op, const json_t *result)
{
    vv_buf out = VV_BUF_INIT;
    bool known;
    const json_t *want = expected_of(result, &known);
    vv_status status = vv_hamt_get(self->hamt, key_of(json_array_get(op, 1)),
                                   range_of(json_array_get(op, 2)), &out, NULL);

    if (known && !want)
        EXPECT(self, status == VV_ENOTFOUND, "get gives %s", vv_status_name(status));
    else if (known) {
        vv_buf right = hamt_value(want, self->bytes);

        EXPECT(self,
               !status && vvi_bytes_equal(vvi_buf_bytes(&right), vvi_buf_bytes(&out)),
               "get of %s: %s", json_string_value(json_array_get(op, 1)),
               vv_status_name(status));
        vv_buf_clear(&right);
    }
    vv_buf_clear(&out);
}

static vv_status collect_key(void *ctx, vv_bytes key, const vv_cid *pointer,
                             vv_error *err)
{
    (void)pointer;
    (void)err;
    return json_array_append_new(ctx, json_stringn((const char *)key.data, key.len))
               ? VV_ENOMEM
               : VV_OK;
}

static json_t *all_keys(vv_hamt *hamt)
{
    json_t *keys = json_array();

    if (vv_hamt_iterate(hamt, vvi_bytes(NULL, 0), collect_key, keys, NULL))
        json_array_clear(keys);
    return keys;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(json_string_value(*(json_t *const *)a),
                  json_string_value(*(json_t *const *)b));
}

/* Order before a flush does not bind. */
static bool same_keys(const json_t *a, const json_t *b)
{
    size_t n = json_array_size(a);
    const json_t **x = calloc(n + 1, sizeof(*x));
    const json_t **y = calloc(n + 1, sizeof(*y));
    bool same = json_array_size(b) == n && x && y;

    for (size_t i = 0; i < n && same; i++) {
        x[i] = json_array_get(a, i);
        y[i] = json_array_get(b, i);
    }
    if (same && n) {
        qsort(x, n, sizeof(*x), compare_texts);
        qsort(y, n, sizeof(*y), compare_texts);
    }
    for (size_t i = 0; i < n && same; i++)
        same = json_equal(x[i], y[i]);
    free(x);
    free(y);
    return same;
}

static void step_ask(program *self, const char *what, const json_t *result)
{
    bool known;
    const json_t *want = expected_of(result, &known);
    vv_hamt_stats stats;
    uint64_t len = 0;

    if (!known)
        return;
    if (strcmp(what, "len") == 0) {
        EXPECT(self,
               !vv_hamt_len(self->hamt, &len, NULL) &&
                   len == (uint64_t)json_integer_value(want),
               "len is %llu", (unsigned long long)len);
    } else if (strcmp(what, "keys") == 0) {
        json_t *keys = all_keys(self->hamt);

        EXPECT(self, same_keys(keys, want), "other keys");
        json_decref(keys);
    } else if (strcmp(what, "cache_size") == 0) {
        vv_hamt_stat(self->hamt, &stats);
        EXPECT(self, stats.encoded_bytes == (uint64_t)json_integer_value(want),
               "cache_size is %llu, not %llu", (unsigned long long)stats.encoded_bytes,
               (unsigned long long)json_integer_value(want));
    }
}

static void step_root(program *self, const json_t *op, const json_t *result)
{
    const char *what = json_string_value(json_array_get(op, 0));
    bool known;
    const json_t *want = expected_of(result, &known);
    vv_status status;
    vv_cid root;

    if (strcmp(what, "vacate") == 0)
        status = vv_hamt_vacate(self->hamt, &root, NULL);
    else
        status = vv_hamt_make_read_only(self->hamt, &root, NULL);
    EXPECT(self, !status, "%s: %s", what, vv_status_name(status));
    if (!status && known)
        EXPECT(self, strcmp(hamt_id_text(&root), json_string_value(want)) == 0,
               "%s gives %s, not %s", what, hamt_id_text(&root), json_string_value(want));
    if (strcmp(what, "reopen") == 0 && !status) {
        vv_hamt_free(self->hamt);
        self->hamt = NULL;
        if (json_array_size(op) > 1)
            self->options.max_bucket_size = (uint32_t)json_integer_value(
                json_array_get(op, 1));
        EXPECT(self, !vv_hamt_open(self->store, &root, &self->options, &self->hamt, NULL),
               "cannot be opened again");
    } else
        vv_hamt_enable_write(self->hamt, NULL);
}

static void step(program *self, const json_t *op, const json_t *result)
{
    const char *what = json_string_value(json_array_get(op, 0));
    vv_bytes key = key_of(json_array_get(op, 1));
    bool known;
    const json_t *want = expected_of(result, &known);
    vv_status status;

    if (strcmp(what, "set") == 0) {
        vv_buf value = hamt_value(json_array_get(op, 2), self->bytes);

        status = vv_hamt_set(self->hamt, key, vvi_buf_bytes(&value), NULL);
        EXPECT(self, !status, "set: %s", vv_status_name(status));
        vv_buf_clear(&value);
    } else if (strcmp(what, "delete") == 0) {
        status = vv_hamt_delete(self->hamt, key, NULL);
        if (known)
            EXPECT(self, status == (want ? VV_OK : VV_ENOTFOUND), "delete: %s",
                   vv_status_name(status));
    } else if (strcmp(what, "get") == 0)
        step_get(self, op, result);
    else if (strcmp(what, "flush") == 0 || strcmp(what, "vacate") == 0 ||
             strcmp(what, "reopen") == 0)
        step_root(self, op, result);
    else if (strcmp(what, "cache_size_with_garbage") != 0)
        step_ask(self, what, result);
}

/* Flush, compare the root and what is below it, and the order of keys when loaded again. */
static void finish(program *self, const json_t *result)
{
    hamt_counts counts;
    json_t *want = json_object_get(result, "keys_after_reload");
    vv_cid root;
    json_t *keys;

    EXPECT(self, !vv_hamt_vacate(self->hamt, &root, NULL), "the last flush fails");
    EXPECT(self, strcmp(hamt_id_text(&root), text_of(result, "root")) == 0,
           "the root is %s, not %s", hamt_id_text(&root), text_of(result, "root"));
    EXPECT(self,
           !hamt_count(self->store, &root, &counts) &&
               hamt_counts_match(&counts, json_object_get(result, "reachable")),
           "other nodes below the root");
    if (!want)
        return;
    keys = all_keys(self->hamt);
    EXPECT(self, json_equal(keys, want), "keys in another order");
    json_decref(keys);
}

static void run_program(vector_run *run, const json_t *one, const hamt_backend *backend)
{
    const json_t *params = json_object_get(one, "params");
    const json_t *result = json_object_get(json_object_get(one, "results"),
                                           backend->name);
    const json_t *ops = json_object_get(one, "ops");
    program self = { .run = run, .name = text_of(one, "name"), .backend = backend };
    vv_error err = VV_ERROR_INIT;

    self.bytes = json_is_true(json_object_get(params, "values_are_bytes"));
    self.options = VV_HAMT_OPTIONS_INIT;
    self.options.max_bucket_size = (uint32_t)int_of(params, "max_bucket_size", 4);
    self.options.values = self.bytes ? VV_HAMT_BYTES : VV_HAMT_DAG_CBOR;
    self.options.deletes = VV_HAMT_PRUNE_EMPTY;
    self.options.ids = backend->ids;
    hamt_use_hash(text_of(params, "hash_fn"), &self.options);
    if (vv_memory_blockstore_new(&self.store, &err) ||
        vv_hamt_open(self.store, NULL, &self.options, &self.hamt, &err))
        EXPECT(&self, false, "%s", err.message);
    for (size_t i = 0; i < json_array_size(ops) && self.hamt && !self.failed; i++)
        step(&self, json_array_get(ops, i),
             json_array_get(json_object_get(result, "op_results"), i));
    if (self.hamt && !self.failed)
        finish(&self, result);
    if (!self.failed)
        vector_pass(run);
    vv_hamt_free(self.hamt);
    vv_blockstore_free(self.store);
}

void run_hamt_small(vector_run *run, const json_t *document)
{
    const json_t *cases = json_object_get(document, "cases");

    for (size_t i = 0; i < json_array_size(cases); i++)
        for (size_t b = 0; b < HAMT_BACKEND_COUNT; b++)
            run_program(run, json_array_get(cases, i), &hamt_backends[b]);
}

/* ---- hamt_collide.json ----------------------------------------------------------------- */

static void run_extract_bits(vector_run *run, const json_t *one)
{
    vv_buf hash = bytes_of_hex(text_of(one, "hash"));
    int64_t want = int_of(one, "ok", -1);
    uint32_t bits = 0;
    vv_status status = vvi_extract_bits(vvi_buf_bytes(&hash),
                                        (uint32_t)int_of(one, "depth", 0),
                                        (uint32_t)int_of(one, "nbits", 0), &bits, NULL);

    if (want < 0 ? status == VV_ERANGE : !status && bits == (uint64_t)want)
        vector_pass(run);
    else
        vector_fail(run, "extract_bits", "%s, %u, not %lld", vv_status_name(status), bits,
                    (long long)want);
    vv_buf_clear(&hash);
}

/* The third key of one hash is refused, and the first two stay. */
static void run_out_of_bits(vector_run *run, const json_t *one)
{
    const json_t *keys = json_object_get(one, "set");
    vv_hamt_options options = VV_HAMT_OPTIONS_INIT;
    vv_blockstore *store = NULL;
    vv_hamt *hamt = NULL;
    vv_bytes zero = vvi_bytes("", 1);
    bool right;

    options.max_bucket_size = (uint32_t)int_of(one, "max_bucket_size", 4);
    hamt_use_hash(text_of(one, "hash_fn"), &options);
    right = !vv_memory_blockstore_new(&store, NULL) &&
            !vv_hamt_open(store, NULL, &options, &hamt, NULL);
    for (size_t i = 0; i < json_array_size(keys) && right; i++)
        right = vv_hamt_set(hamt, key_of(json_array_get(keys, i)), zero, NULL) ==
                (i + 1 < json_array_size(keys) ? VV_OK : VV_ELIMIT);
    for (size_t i = 0; i < json_array_size(keys) && right; i++) {
        vv_cid cid;

        right = vv_hamt_get_pointer(hamt, key_of(json_array_get(keys, i)), &cid, NULL) ==
                (i + 1 < json_array_size(keys) ? VV_OK : VV_ENOTFOUND);
    }
    if (right)
        vector_pass(run);
    else
        vector_fail(run, text_of(one, "name"), "the third key, or what it leaves");
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

void run_hamt_collide(vector_run *run, const json_t *document)
{
    const json_t *bits = json_object_get(document, "extract_bits");

    run_hamt_small(run, document);
    for (size_t i = 0; i < json_array_size(bits); i++)
        run_extract_bits(run, json_array_get(bits, i));
    run_out_of_bits(run, json_object_get(document, "run_out"));
}
