/* converter.json of both folders: HAMT → sharded v2 as 3.6 does it, and v1 as 3.3.2; and the way back. */
#include "hamt.h"

#include "sharded_program.h"
#include "util/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKET 4 /* of the source trees */

typedef struct conversion {
    vector_run *run;
    const char *name;
    vv_blockstore *blocks;
    vv_store *hamt;
    vv_cid source, made;
} conversion;

static bool begin(conversion *self, vector_run *run, const char *name)
{
    vv_hamt_options options = VV_HAMT_OPTIONS_INIT;

    *self = (conversion){ .run = run, .name = name };
    options.max_bucket_size = BUCKET;
    return !vv_memory_blockstore_new(&self->blocks, NULL) &&
           !vv_hamt_store_open(self->blocks, NULL, &options, &self->hamt, NULL);
}

static void end(conversion *self)
{
    vv_store_free(self->hamt);
    vv_blockstore_free(self->blocks);
}

static bool set(conversion *self, const char *key, const char *hex)
{
    vv_buf value = bytes_of_hex(hex);
    bool right = !vv_store_set(self->hamt, key, vvi_buf_bytes(&value), NULL);

    vv_buf_clear(&value);
    return right;
}

static bool commit(conversion *self, const char *root)
{
    return !vv_store_commit(self->hamt, &self->source, NULL) &&
           strcmp(hamt_id_text(&self->source), root) == 0;
}

static vv_status convert(conversion *self, vv_conversion to, const vv_cid *from,
                         uint64_t chunks_per_shard, vv_cid *out, vv_error *err)
{
    vv_conversion_options options = VV_CONVERSION_OPTIONS_INIT;

    options.sharded = VV_SHARDED_OPTIONS_INIT;
    options.sharded.chunks_per_shard = chunks_per_shard;
    options.sharded.without_primary = true;
    options.hamt = VV_HAMT_OPTIONS_INIT;
    options.hamt.max_bucket_size = BUCKET;
    return vv_sharded_convert(self->blocks, from, to, &options, out, NULL, err);
}

static vv_status append_key(void *ctx, const char *key, vv_error *err)
{
    (void)err;
    json_array_append_new(ctx, json_string(key));
    return VV_OK;
}

static json_t *keys_of(vv_store *store)
{
    json_t *keys = json_array();

    if (vv_store_list(store, "", append_key, keys, NULL))
        abort();
    return keys;
}

/* Every listed key is there, and as many; values come from the same blocks. */
static bool lists(vv_store *store, const json_t *list)
{
    json_t *keys = keys_of(store);
    bool right = json_array_size(keys) == json_array_size(list);

    for (size_t i = 0; i < json_array_size(list) && right; i++) {
        bool there = false;

        right = !vv_store_exists(store, json_string_value(json_array_get(list, i)),
                                 &there, NULL) &&
                there;
    }
    json_decref(keys);
    return right;
}

/* Back again and forth: keys and pointers stay. */
static const char *goes_round(conversion *self, const json_t *list,
                              uint64_t chunks_per_shard)
{
    vv_hamt_options options = VV_HAMT_OPTIONS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_store *back = NULL;
    const char *why = NULL;
    vv_cid root;
    vv_cid again;

    options.read_only = true;
    if (convert(self, VV_TO_HAMT, &self->made, 0, &root, &err) ||
        vv_hamt_store_open(self->blocks, &root, &options, &back, &err))
        return "the way back fails";
    if (!lists(back, list))
        why = "the way back loses keys";
    else if (convert(self, VV_TO_SHARDED_V2, &root, chunks_per_shard, &again, &err))
        why = "converting again fails";
    else if (!vv_cid_equal(&self->made, &again))
        why = "converting again gives another root";
    vv_store_free(back);
    return why;
}

static bool is_sharded_as_said(conversion *self, const json_t *one)
{
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    const json_t *entries = json_object_get(one, "entries");
    const json_t *list = json_object_get(one, "list");
    vv_store *store = NULL;
    const char *key;
    json_t *hex;
    json_t *keys;
    bool right;

    options.read_only = true;
    if (vv_sharded_store_open(self->blocks, &self->made, &options, &store, NULL))
        return false;
    if (json_is_array(list)) {
        keys = json_incref((json_t *)(uintptr_t)list);
    } else { /* what the reference refuses: all entries are there */
        keys = json_array();
        json_object_foreach((json_t *)(uintptr_t)entries, key, hex)
            json_array_append_new(keys, json_string(key));
    }
    right = json_is_array(list) ? lists(store, keys) : true;
    for (size_t i = 0; i < json_array_size(keys) && right; i++) {
        bool there = false;

        right = !vv_store_exists(store, json_string_value(json_array_get(keys, i)),
                                 &there, NULL) &&
                there;
    }
    json_decref(keys);
    vv_store_free(store);
    return right;
}

/* What is right where the reference loses a chunk (W1) or refuses a scalar (W16). */
static vv_status right_status(const json_t *one)
{
    const char *quirk = text_of(one, "quirk");
    const json_t *error = json_object_get(json_object_get(one, "result"), "error");

    if (quirk && strcmp(quirk, "W1") == 0)
        return VV_ERANGE;
    if (quirk && strcmp(quirk, "W16") == 0)
        return VV_OK;
    return error ? VV_EINVAL : VV_OK;
}

static void run_entries(vector_run *run, const json_t *one)
{
    const uint64_t per_shard = (uint64_t)int_of(one, "chunks_per_shard", 0);
    const char *root = text_of(json_object_get(one, "result"), "ok");
    const char *name = text_of(one, "name");
    vv_error err = VV_ERROR_INIT;
    const char *why = NULL;
    conversion self;
    vv_status status;
    const char *key;
    json_t *hex;
    bool ready = begin(&self, run, name);

    json_object_foreach(json_object_get(one, "entries"), key, hex)
        ready = ready && set(&self, key, json_string_value(hex));
    if (!ready || !commit(&self, text_of(one, "hamt_root"))) {
        vector_fail(run, name, "the source has another root");
        end(&self);
        return;
    }
    status = convert(&self, VV_TO_SHARDED_V2, &self.source, per_shard, &self.made, &err);
    if (status != right_status(one))
        why = err.message[0] ? err.message : vv_status_name(status);
    else if (!status && !json_object_get(one, "quirk") &&
             strcmp(hamt_id_text(&self.made), root) != 0)
        why = hamt_id_text(&self.made);
    else if (!status && !is_sharded_as_said(&self, one))
        why = "other keys";
    else if (!status && json_object_get(one, "list"))
        why = goes_round(&self, json_object_get(one, "list"), per_shard);
    if (why)
        vector_fail(run, name, "%s", why);
    else
        vector_pass(run);
    end(&self);
}

/* ---- 3.3.2: the source is a case of zarr_hamt.json, in the same folder ------------------------- */

static json_t *source_case(const vector_run *run, const char *source)
{
    const char *slash = strrchr(run->file, '/');
    char path[4096];
    json_t *document;
    json_t *found = NULL;
    const json_t *cases;

    snprintf(path, sizeof(path), "%.*szarr_hamt.json",
             slash ? (int)(slash + 1 - run->file) : 0, run->file);
    document = json_load_file(path, 0, NULL);
    cases = json_object_get(document, "cases");
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const char *name = text_of(json_array_get(cases, i), "name");

        /* "zarr_hamt.json case NAME, replayed on …" */
        const char *at = strstr(source, name);

        if (at && at[strlen(name)] == ',')
            found = json_incref(json_array_get(cases, i));
    }
    json_decref(document);
    return found;
}

static void run_old(vector_run *run, const json_t *one)
{
    json_t *from = source_case(run, text_of(one, "source"));
    const json_t *ops = json_object_get(from, "ops");
    const char *name = text_of(one, "name");
    vv_error err = VV_ERROR_INIT;
    conversion self;
    bool ready = begin(&self, run, name) && from;

    for (size_t i = 0; i < json_array_size(ops) && ready; i++) {
        const json_t *op = json_array_get(ops, i);
        const char *key = json_string_value(sharded_step_arg(op, 0));

        ready = strcmp(sharded_step_name(op), "set") == 0
                    ? set(&self, key, json_string_value(sharded_step_arg(op, 1)))
                    : vv_store_delete(self.hamt, key, NULL) == VV_OK;
    }
    if (!ready || !commit(&self, text_of(one, "hamt_root")))
        vector_fail(run, name, "the source cannot be replayed");
    else if (convert(&self, VV_TO_SHARDED_V1, &self.source,
                     (uint64_t)int_of(one, "chunks_per_shard", 0), &self.made, &err))
        vector_fail(run, name, "%s", err.message);
    else if (strcmp(hamt_id_text(&self.made), text_of(one, "sharded_root")) != 0)
        vector_fail(run, name, "root %s", hamt_id_text(&self.made));
    else
        vector_pass(run);
    end(&self);
    json_decref(from);
}

void run_converter(vector_run *run, const json_t *document)
{
    const json_t *cases = json_object_get(document, "cases");

    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *one = json_array_get(cases, i);

        if (json_object_get(one, "entries"))
            run_entries(run, one);
        else
            run_old(run, one);
    }
}
