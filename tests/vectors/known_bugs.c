/* known_bugs.json: where the reference is wrong, the right result. Two files have this name;
 * bugs of other kinds of stores are checked where those are. */
#include "hamt.h"

#include "sharded_bugs.h"

#include "hamt/node.h"
#include "util/buf.h"

#include <stdlib.h>
#include <string.h>

/* A map over a store in memory, and the values that the setups use: integers and texts. */
typedef struct bug {
    const json_t *entry;
    vv_hamt_options options;
    vv_blockstore *store;
    vv_hamt *hamt;
} bug;

static bool open_map(bug *self)
{
    return !vv_memory_blockstore_new(&self->store, NULL) &&
           !vv_hamt_open(self->store, NULL, &self->options, &self->hamt, NULL);
}

static bool reopen(bug *self)
{
    vv_cid root;

    if (vv_hamt_flush(self->hamt, &root, NULL))
        return false;
    vv_hamt_free(self->hamt);
    self->hamt = NULL;
    return !vv_hamt_open(self->store, &root, &self->options, &self->hamt, NULL);
}

static vv_buf value_of(const json_t *value)
{
    vv_buf out = VV_BUF_INIT;
    vv_status status = json_is_integer(value)
                           ? vv_cbor_put_int(&out, json_integer_value(value), NULL)
                           : vv_cbor_put_text(&out, vv_bytes_of(json_string_value(value)),
                                              NULL);

    if (status)
        abort();
    return out;
}

static vv_status set(bug *self, const json_t *op)
{
    vv_buf value = value_of(json_array_get(op, 2));
    vv_status status = vv_hamt_set(self->hamt,
                                   vv_bytes_of(json_string_value(json_array_get(op, 1))),
                                   vvi_buf_bytes(&value), NULL);

    vv_buf_clear(&value);
    return status;
}

static bool holds(bug *self, const char *key, const json_t *value)
{
    vv_buf want = value_of(value);
    vv_buf got = VV_BUF_INIT;
    bool same = !vv_hamt_get(self->hamt, vv_bytes_of(key), VV_RANGE_ALL, &got, NULL) &&
                vvi_bytes_equal(vvi_buf_bytes(&want), vvi_buf_bytes(&got));

    vv_buf_clear(&want);
    vv_buf_clear(&got);
    return same;
}

static uint32_t bucket_of(const json_t *op)
{
    return (uint32_t)int_of(json_array_get(op, 1), "max_bucket_size", 4);
}

static bool smaller_bucket_keeps_keys(bug *self)
{
    const json_t *setup = json_object_get(self->entry, "setup");
    const char *key;
    json_t *value;
    bool right = true;

    self->options.max_bucket_size = bucket_of(json_array_get(setup, 0));
    right = open_map(self);
    for (size_t i = 1; i < json_array_size(setup) && right; i++) {
        const json_t *op = json_array_get(setup, i);
        const char *what = json_string_value(json_array_get(op, 0));

        if (strcmp(what, "set") == 0)
            right = !set(self, op);
        else if (strcmp(what, "reopen") == 0)
            self->options.max_bucket_size = bucket_of(op);
        if (strcmp(what, "set") != 0)
            right = right && reopen(self);
    }
    json_object_foreach(json_object_get(self->entry, "right_result"), key, value)
        right = right && holds(self, key, value);
    return right;
}

static bool delete_is_canonical(bug *self)
{
    const json_t *setup = json_object_get(self->entry, "setup");
    bool right = true;
    vv_cid root;

    for (int form = 0; form < 2 && right; form++) {
        vv_hamt_free(self->hamt);
        vv_blockstore_free(self->store);
        self->hamt = NULL;
        self->store = NULL;
        self->options.deletes = form ? VV_HAMT_PRUNE_EMPTY : VV_HAMT_CANONICAL;
        right = open_map(self);
        for (size_t i = 0; i < json_array_size(setup) && right; i++) {
            const json_t *op = json_array_get(setup, i);
            const char *what = json_string_value(json_array_get(op, 0));
            const char *key = json_string_value(json_array_get(op, 1));

            if (strcmp(what, "set") == 0)
                right = !set(self, op);
            else if (strcmp(what, "delete") == 0)
                right = !vv_hamt_delete(self->hamt, vv_bytes_of(key), NULL);
        }
        right = right && !vv_hamt_flush(self->hamt, &root, NULL) &&
                strcmp(hamt_id_text(&root),
                       text_of(self->entry,
                               form ? "reference_result" : "right_result")) == 0;
    }
    return right;
}

static bool failed_set_keeps_bucket(bug *self)
{
    const json_t *setup = json_object_get(self->entry, "setup");
    const json_t *want = json_object_get(self->entry, "right_result");
    uint64_t len = 0;

    return open_map(self) && !set(self, json_array_get(setup, 0)) &&
           !set(self, json_array_get(setup, 1)) &&
           set(self, json_array_get(setup, 2)) == VV_ELIMIT &&
           holds(self, "k0", json_object_get(want, "k0")) &&
           holds(self, "k1", json_object_get(want, "k1")) &&
           !vv_hamt_len(self->hamt, &len, NULL) &&
           len == (uint64_t)int_of(want, "len", 0);
}

static bool enable_write_keeps_changes(bug *self)
{
    return open_map(self) &&
           !set(self, json_array_get(json_object_get(self->entry, "setup"), 0)) &&
           !vv_hamt_enable_write(self->hamt, NULL) &&
           holds(self, "a", json_object_get(self->entry, "right_result"));
}

static bool malformed_node_is_an_error(bug *self)
{
    vv_buf block = bytes_of_hex(text_of(self->entry, "node_block"));
    vv_error err = VV_ERROR_INIT;
    vv_cid root;
    vv_status status = VV_OK;

    if (!vv_memory_blockstore_new(&self->store, NULL) &&
        !vv_blockstore_put(self->store, &VV_PREFIX_CBOR_BLAKE3, vvi_buf_bytes(&block),
                           &root, NULL))
        status = vv_hamt_open(self->store, &root, &self->options, &self->hamt, &err);
    vv_buf_clear(&block);
    return status == VV_ECORRUPT && strstr(err.message, hamt_id_text(&root));
}

static bool reads_keep_memory(bug *self)
{
    const json_t *sizes = json_object_get(self->entry, "right_result");
    vv_buf one = VV_BUF_INIT;
    bool right;

    self->options.values = VV_HAMT_BYTES;
    right = open_map(self) && !vvi_buf_append_byte(&one, 1, NULL) &&
            !vv_hamt_set(self->hamt, vv_bytes_of("a"), vvi_buf_bytes(&one), NULL) &&
            !vv_hamt_vacate(self->hamt, NULL, NULL);
    for (size_t i = 0; i < json_array_size(sizes) && right; i++) {
        vv_hamt_stats stats;

        right = !vv_hamt_get(self->hamt, vv_bytes_of("a"), VV_RANGE_ALL, &one, NULL);
        vv_hamt_stat(self->hamt, &stats);
        right = right && stats.encoded_bytes ==
                             (uint64_t)json_integer_value(json_array_get(sizes, i));
    }
    vv_buf_clear(&one);
    return right;
}

static bool a_suffix_of_nothing_is_empty(bug *self)
{
    vv_buf out = VV_BUF_INIT;
    bool right;
    vv_cid cid;

    right = !vv_memory_blockstore_new(&self->store, NULL) &&
            !vv_blockstore_put(self->store, &VV_PREFIX_RAW_BLAKE3,
                               vv_bytes_of("0123456789"), &cid, NULL) &&
            !vv_blockstore_get_range(self->store, &cid, VV_RANGE_SUFFIX(0), &out, NULL) &&
            out.len == 0;
    vv_buf_clear(&out);
    return right;
}

void run_known_bugs(vector_run *run, const json_t *document)
{
    static const struct {
        const char *id;
        bool (*check)(bug *);
    } checks[] = { { "hamt-smaller-bucket-loses-keys", smaller_bucket_keeps_keys },
                   { "hamt-delete-not-canonical", delete_is_canonical },
                   { "hamt-failed-set-loses-bucket", failed_set_keeps_bucket },
                   { "hamt-enable-write-drops-changes", enable_write_keeps_changes },
                   { "hamt-malformed-node-hangs", malformed_node_is_an_error },
                   { "hamt-reads-in-write-mode-grow-memory", reads_keep_memory },
                   { "inmemory-suffix-zero", a_suffix_of_nothing_is_empty } };
    const size_t count = sizeof(checks) / sizeof(checks[0]);
    const json_t *bugs = json_object_get(document, "bugs");

    for (size_t i = 0; i < json_array_size(bugs); i++) {
        bug self = { .entry = json_array_get(bugs, i), .options = VV_HAMT_OPTIONS_INIT };
        const char *id = text_of(self.entry, "id");
        size_t k = 0;

        while (k < count && strcmp(checks[k].id, id) != 0)
            k++;
        self.options.max_bucket_size = (uint32_t)int_of(self.entry, "max_bucket_size", 4);
        if (k == count) {
            if (!run_zarr_bug(run, id) && !run_encrypted_bug(run, id) &&
                !run_sharded_bug(run, self.entry))
                vector_skip(run, id, "a bug of another kind of store");
            continue;
        }
        hamt_use_hash(text_of(self.entry, "hash_fn"), &self.options);
        if (checks[k].check(&self))
            vector_pass(run);
        else
            vector_fail(run, id, "not the right result");
        vv_hamt_free(self.hamt);
        vv_blockstore_free(self.store);
    }
}
