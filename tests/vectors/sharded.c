/* Programs on sharded stores: v2_store, v2_random, v1_compat, roots of 3.6, sharded of 3.3.2. */
#include "sharded_program.h"

#include "util/buf.h"

#include <stdlib.h>
#include <string.h>

/* Is a block named by one of the others? Names are bytes within them. */
static bool is_named(const json_t *made, const vv_cid *cid)
{
    char *digest = hex_of((vv_bytes){ cid->digest, cid->digest_len });
    bool found = false;
    const char *text;
    json_t *hex;

    json_object_foreach((json_t *)(uintptr_t)made, text, hex)
        found = found || strstr(json_string_value(hex), digest) != NULL;
    free(digest);
    return found;
}

/* Every block that the reference made itself is there, byte for byte, since CIDs say so; but for documents
 * that it wrote and replaced before a root named them. */
static const char *missing_block(vv_blockstore *blocks, const json_t *made)
{
    const char *text;
    json_t *hex;

    json_object_foreach((json_t *)(uintptr_t)made, text, hex)
    {
        bool there = false;
        vv_cid cid;

        if (vv_cid_parse(text, &cid, NULL) ||
            vv_blockstore_has(blocks, &cid, &there, NULL))
            return text;
        if (!there && (cid.codec == VV_CODEC_DAG_CBOR || is_named(made, &cid)))
            return text;
    }
    return NULL;
}

static void run_program(vector_run *run, const json_t *one)
{
    const char *name = text_of(one, "name");
    const bool is_quirk = json_object_get(one, "quirk") != NULL;
    sharded_program program = { 0 };
    const char *missing = NULL;
    bool right;

    json_decref(sharded_program_run(&program, run, name, json_object_get(one, "ops"),
                                    json_object_get(one, "results"), is_quirk, &right));
    /* The root that an older v1 root becomes by being opened is not made (W17). */
    if (right && !is_quirk && strncmp(name, "legacy_", 7) != 0)
        missing = missing_block(program.blocks, json_object_get(one, "made_blocks"));
    if (missing)
        vector_fail(run, name, "block %s was not made", missing);
    else if (right)
        vector_pass(run);
    sharded_program_clear(&program);
}

static void run_programs(vector_run *run, const json_t *document)
{
    const json_t *cases = json_object_get(document, "cases");

    for (size_t i = 0; i < json_array_size(cases); i++)
        run_program(run, json_array_get(cases, i));
}

void run_v2_store(vector_run *run, const json_t *document)
{
    run_programs(run, document);
}

void run_v2_random(vector_run *run, const json_t *document)
{
    run_programs(run, document);
}

void run_v1_compat(vector_run *run, const json_t *document)
{
    run_programs(run, document);
}

void run_roots(vector_run *run, const json_t *document)
{
    run_programs(run, document);
}

/* ---- 3.3.2 ------------------------------------------------------------------------------------ */

static bool flushes(const json_t *op)
{
    const char *name = sharded_step_name(op);

    return strcmp(name, "flush") == 0 || strcmp(name, "reopen") == 0 ||
           strcmp(name, "remember") == 0;
}

static void run_old_program(vector_run *run, const json_t *one)
{
    const json_t *ops = json_object_get(one, "ops");
    const json_t *sha2_roots = json_object_get(one, "flush_roots_sha2_256");
    const char *name = text_of(one, "name");
    sharded_program program = { .old_form = true };
    size_t flush = 0;
    json_t *results;
    bool right;

    json_decref(sharded_program_run(&program, run, name, ops,
                                    json_object_get(one, "results"),
                                    json_object_get(one, "quirk") != NULL, &right));
    sharded_program_clear(&program);
    program.old_form = true;
    program.ids = (vv_cid_prefix){ VV_CODEC_RAW, VV_HASH_SHA2_256, 1, 32 };
    results = sharded_program_run(&program, run, name, ops, NULL, false, &(bool){ 0 });
    for (size_t i = 0; i < json_array_size(ops) && right; i++) {
        const json_t *got;

        if (!flushes(json_array_get(ops, i)))
            continue;
        got = json_object_get(json_array_get(results, i), "ok");
        right = json_equal(got, json_array_get(sha2_roots, flush++));
        if (!right)
            vector_fail(run, name, "step %zu: root %s with sha2-256", i,
                        json_string_value(got));
    }
    json_decref(results);
    sharded_program_clear(&program);
    if (right)
        vector_pass(run);
}

/* Arguments of "open" that must be refused; what our types cannot even say is. */
static void run_open_error(vector_run *run, const json_t *one)
{
    sharded_program program = { .old_form = true };
    json_t *op = json_pack("[s,O?,O?,O?]", "open", json_object_get(one, "array_shape"),
                           json_object_get(one, "chunk_shape"),
                           json_object_get(one, "chunks_per_shard"));
    json_t *expected = json_pack("{s:O}", "error", json_object_get(one, "error"));
    char *what = json_dumps(op, JSON_COMPACT);
    bool right;
    json_t *ops = json_pack("[o]", op);
    json_t *results = json_pack("[o]", expected);

    json_decref(sharded_program_run(&program, run, what, ops, results, false, &right));
    if (right)
        vector_pass(run);
    free(what);
    json_decref(ops);
    json_decref(results);
    sharded_program_clear(&program);
}

static void run_root_check(vector_run *run, const json_t *one)
{
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    vv_buf block = bytes_of_hex(text_of(one, "block"));
    const bool is_good = json_is_true(json_object_get(one, "ok"));
    vv_blockstore *blocks = NULL;
    vv_store *store = NULL;
    vv_error err = VV_ERROR_INIT;
    vv_status status;
    vv_cid root;

    options.read_only = true;
    status = vv_memory_blockstore_new(&blocks, &err);
    if (!status)
        status = vv_blockstore_put(blocks, &VV_PREFIX_CBOR_BLAKE3, vvi_buf_bytes(&block),
                                   &root, &err);
    if (!status)
        status = vv_sharded_store_open(blocks, &root, &options, &store, &err);
    if (is_good ? status == VV_OK : status == VV_ECORRUPT || status == VV_EUNSUPPORTED)
        vector_pass(run);
    else
        vector_fail(run, text_of(one, "what"), "%s: %s", vv_status_name(status),
                    err.message);
    vv_store_free(store);
    vv_blockstore_free(blocks);
    vv_buf_clear(&block);
}

void run_sharded(vector_run *run, const json_t *document)
{
    const json_t *cases = json_object_get(document, "cases");
    const json_t *refused = json_object_get(document, "open_errors");
    const json_t *roots = json_object_get(document, "root_checks");

    for (size_t i = 0; i < json_array_size(cases); i++)
        run_old_program(run, json_array_get(cases, i));
    for (size_t i = 0; i < json_array_size(refused); i++)
        run_open_error(run, json_array_get(refused, i));
    for (size_t i = 0; i < json_array_size(roots); i++)
        run_root_check(run, json_array_get(roots, i));
}
