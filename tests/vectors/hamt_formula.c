/* hamt_formula.json: large trees given by rules; hamt_delete.json: roots before and after. */
#include "hamt.h"

#include "util/buf.h"
#include "util/endian.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the rules ---------------------------------------------------------------------------- */

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static uint64_t number(uint64_t seed, uint64_t i)
{
    return mix(seed + (i + 1) * 0x9E3779B97F4A7C15u);
}

static vv_bytes key_by_rule(const char *rule, uint64_t seed, uint64_t i, char out[64])
{
    if (strcmp(rule, "decimal") == 0)
        snprintf(out, 64, "%" PRIu64, i);
    else if (strcmp(rule, "zarr") == 0)
        snprintf(out, 64, "temp/c/%" PRIu64 "/%" PRIu64 "/%" PRIu64, i / 100, i / 10 % 10,
                 i % 10);
    else if (strcmp(rule, "hex16") == 0)
        snprintf(out, 64, "%016" PRIx64, number(seed, i));
    else if (strcmp(rule, "cyrillic") == 0)
        snprintf(out, 64, "\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87/%" PRIu64, i);
    else
        abort();
    return vv_bytes_of(out);
}

static vv_bytes le_bytes(uint64_t seed, uint64_t n, uint8_t out[8])
{
    vvi_put_le64(out, number(seed + 1, n));
    return vvi_bytes(out, 8);
}

static void put_list(vv_buf *out, uint64_t n, vv_bytes text)
{
    bool failed = vv_cbor_put_list(out, 2, NULL) || vv_cbor_put_uint(out, n, NULL) ||
                  vv_cbor_put_map(out, 2, NULL) ||
                  vv_cbor_put_text(out, vv_bytes_of("b"), NULL) ||
                  vv_cbor_put_bool(out, n % 2 == 0, NULL) ||
                  vv_cbor_put_text(out, vv_bytes_of("k"), NULL) ||
                  vv_cbor_put_text(out, text, NULL);

    if (failed)
        abort();
}

static vv_buf value_by_rule(const char *rule, uint64_t seed, uint64_t n, bool bytes)
{
    static const char *const mixed[] = {
        "int", "str", "bytes_le", "null", "list", "float"
    };
    vv_buf out = VV_BUF_INIT;
    uint8_t eight[8];
    char text[32];
    vv_bytes plain;
    vv_status status = VV_OK;

    snprintf(text, sizeof(text), "v%" PRIu64, n);
    if (strcmp(rule, "mixed") == 0)
        rule = mixed[n % 6];
    plain = strcmp(rule, "bytes_le") == 0 ? le_bytes(seed, n, eight) : vv_bytes_of(text);
    if (bytes)
        status = vvi_buf_append(&out, plain, NULL);
    else if (strcmp(rule, "int") == 0)
        status = vv_cbor_put_uint(&out, n, NULL);
    else if (strcmp(rule, "neg") == 0)
        status = vv_cbor_put_nint(&out, n, NULL);
    else if (strcmp(rule, "str") == 0)
        status = vv_cbor_put_text(&out, plain, NULL);
    else if (strcmp(rule, "ascii") == 0 || strcmp(rule, "bytes_le") == 0)
        status = vv_cbor_put_bytes(&out, plain, NULL);
    else if (strcmp(rule, "float") == 0)
        status = vv_cbor_put_float(&out, (double)n / 8, NULL);
    else if (strcmp(rule, "null") == 0)
        status = vv_cbor_put_null(&out, NULL);
    else if (strcmp(rule, "list") == 0)
        put_list(&out, n, plain);
    else
        abort();
    if (status)
        abort();
    return out;
}

/* ---- hamt_formula.json -------------------------------------------------------------------- */

typedef struct formula {
    vv_hamt *hamt;
    const char *key_rule;
    uint64_t seed;
    bool bytes;
} formula;

static vv_status run_step(formula *self, const json_t *step)
{
    const char *op = text_of(step, "op");
    uint64_t stop = (uint64_t)int_of(step, "stop", 0);
    uint64_t mod = (uint64_t)int_of(step, "mod", 1);
    uint64_t rem = (uint64_t)int_of(step, "rem", 0);

    for (uint64_t i = (uint64_t)int_of(step, "start", 0); i < stop; i++) {
        char text[64];
        vv_bytes key;
        vv_status status;

        if (i % mod != rem)
            continue;
        key = key_by_rule(self->key_rule, self->seed, i, text);
        if (strcmp(op, "set") == 0) {
            vv_buf value = value_by_rule(text_of(step, "value_rule"), self->seed,
                                         i + (uint64_t)int_of(step, "value_add", 0),
                                         self->bytes);

            status = vv_hamt_set(self->hamt, key, vvi_buf_bytes(&value), NULL);
            vv_buf_clear(&value);
        } else
            status = vv_hamt_delete(self->hamt, key, NULL);
        if (status && status != VV_ENOTFOUND)
            return status;
    }
    return VV_OK;
}

static bool run_steps(vector_run *run, const json_t *one, const json_t *results,
                      vv_blockstore *store, formula *self)
{
    const json_t *steps = json_object_get(one, "steps");
    size_t n = json_array_size(steps);

    for (size_t i = 0; i < n; i++) {
        const json_t *want = json_array_get(results, i);
        vv_status status = run_step(self, json_array_get(steps, i));
        hamt_counts counts;
        vv_cid root;

        if (!status)
            status = vv_hamt_flush(self->hamt, &root, NULL);
        if (status || strcmp(hamt_id_text(&root), text_of(want, "root")) != 0) {
            vector_fail(run, text_of(one, "name"), "step %zu: %s, another root", i,
                        vv_status_name(status));
            return false;
        }
        if (i + 1 == n &&
            (hamt_count(store, &root, &counts) || !hamt_counts_match(&counts, want))) {
            vector_fail(run, text_of(one, "name"), "other nodes below the root");
            return false;
        }
    }
    return true;
}

static void run_formula(vector_run *run, const json_t *one, const hamt_backend *backend)
{
    const json_t *results = json_object_get(json_object_get(one, "results"),
                                            backend->name);
    formula self = { .key_rule = text_of(one, "key_rule"),
                     .seed = strtoull(text_of(one, "seed"), NULL, 10),
                     .bytes = json_is_true(json_object_get(one, "values_are_bytes")) };
    vv_hamt_options options = VV_HAMT_OPTIONS_INIT;
    vv_blockstore *store = NULL;

    if (!results)
        return;
    options.max_bucket_size = (uint32_t)int_of(one, "max_bucket_size", 4);
    options.values = self.bytes ? VV_HAMT_BYTES : VV_HAMT_DAG_CBOR;
    options.deletes = VV_HAMT_PRUNE_EMPTY;
    options.ids = backend->ids;
    if (vv_memory_blockstore_new(&store, NULL) ||
        vv_hamt_open(store, NULL, &options, &self.hamt, NULL))
        vector_fail(run, text_of(one, "name"), "cannot be opened");
    else if (run_steps(run, one, results, store, &self))
        vector_pass(run);
    vv_hamt_free(self.hamt);
    vv_blockstore_free(store);
}

void run_hamt_formula(vector_run *run, const json_t *document)
{
    const json_t *cases = json_object_get(document, "cases");

    for (size_t i = 0; i < json_array_size(cases); i++)
        for (size_t b = 0; b < HAMT_BACKEND_COUNT; b++)
            run_formula(run, json_array_get(cases, i), &hamt_backends[b]);
}

/* ---- hamt_delete.json --------------------------------------------------------------------- */

static vv_status set_number(vv_hamt *hamt, uint64_t i)
{
    char key[32];
    char value[32];

    snprintf(key, sizeof(key), "k%" PRIu64, i);
    snprintf(value, sizeof(value), "v%" PRIu64, i);
    return vv_hamt_set(hamt, vv_bytes_of(key), vv_bytes_of(value), NULL);
}

static vv_status delete_number(vv_hamt *hamt, uint64_t i)
{
    char key[32];

    snprintf(key, sizeof(key), "k%" PRIu64, i);
    return vv_hamt_delete(hamt, vv_bytes_of(key), NULL);
}

static bool root_is(vv_hamt *hamt, const char *want)
{
    vv_cid root;

    return !vv_hamt_flush(hamt, &root, NULL) && strcmp(hamt_id_text(&root), want) == 0;
}

static void run_delete(vector_run *run, const json_t *one, const hamt_backend *backend)
{
    uint64_t n = (uint64_t)int_of(one, "n", 0);
    uint64_t step = (uint64_t)int_of(one, "step", 1);
    vv_hamt_options options = VV_HAMT_OPTIONS_INIT;
    vv_blockstore *store = NULL;
    vv_hamt *hamt = NULL;
    uint64_t len = 0;
    char name[64];
    bool right;

    snprintf(name, sizeof(name), "%s bucket %d n %d", backend->name,
             (int)int_of(one, "max_bucket_size", 0), (int)n);
    options.max_bucket_size = (uint32_t)int_of(one, "max_bucket_size", 4);
    options.values = VV_HAMT_BYTES;
    options.ids = backend->ids;
    right = !vv_memory_blockstore_new(&store, NULL) &&
            !vv_hamt_open(store, NULL, &options, &hamt, NULL);
    for (uint64_t i = 0; i < n && right; i++)
        right = !set_number(hamt, i);
    right = right && root_is(hamt, text_of(one, "root_full"));
    for (uint64_t i = 0; i < (uint64_t)int_of(one, "deletes", 0) && right; i++)
        right = !delete_number(hamt, i * step % n);
    right = right && root_is(hamt, text_of(one, "root_after")) &&
            !vv_hamt_len(hamt, &len, NULL) &&
            len == (uint64_t)int_of(one, "len_after", -1);
    if (right)
        vector_pass(run);
    else
        vector_fail(run, name, "another root or length");
    vv_hamt_free(hamt);
    vv_blockstore_free(store);
}

void run_hamt_delete(vector_run *run, const json_t *document)
{
    const json_t *cases = json_object_get(document, "cases");

    for (size_t i = 0; i < json_array_size(cases); i++)
        for (size_t b = 0; b < HAMT_BACKEND_COUNT; b++)
            if (strcmp(text_of(json_array_get(cases, i), "backend"),
                       hamt_backends[b].name) == 0)
                run_delete(run, json_array_get(cases, i), &hamt_backends[b]);
}
