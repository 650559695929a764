/* Bugs of sharded stores in known_bugs.json: programs with the right results in place of the reference's. */
#include "sharded_bugs.h"

#include "counting_blocks.h"
#include "sharded_program.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool is_step(const json_t *op, const char *name)
{
    return strcmp(sharded_step_name(op), name) == 0;
}

static const char *key_of(const json_t *op)
{
    const char *key = json_string_value(sharded_step_arg(op, 0));

    return key ? key : "";
}

static json_t *error_of(const char *type)
{
    return json_pack("{s:{s:s}}", "error", "type", type);
}

static void put(json_t *results, size_t i, json_t *value)
{
    json_array_set_new(results, i, value);
}

static json_t *ok_of(json_t *results, size_t i)
{
    return json_object_get(json_array_get(results, i), "ok");
}

/* Add a step at the end, with its result. */
static void then(json_t *ops, json_t *results, json_t *op, json_t *result)
{
    json_array_append_new(ops, op);
    json_array_append_new(results, result);
}

/* The last value that a step before i set the key to; NULL: none. */
static json_t *set_before(const json_t *ops, size_t i, const char *key)
{
    while (i-- > 0) {
        const json_t *op = json_array_get(ops, i);

        if (is_step(op, "set") && strcmp(key_of(op), key) == 0)
            return (json_t *)(uintptr_t)sharded_step_arg(op, 1);
    }
    return NULL;
}

/* Names of a list without those that begin with prefix, or without chunks where it is NULL. */
static void leave_out(json_t *list, const char *prefix)
{
    for (size_t i = json_array_size(list); i-- > 0;) {
        const char *name = json_string_value(json_array_get(list, i));

        if (prefix ? strncmp(name, prefix, strlen(prefix)) == 0
                   : strstr(name, "/c/") != NULL)
            json_array_remove(list, i);
    }
}

/* What "state" shows of a one-dimensional array. */
static void reshape(json_t *state, const char *path, json_int_t len, json_int_t per_shard)
{
    json_t *array = json_object_get(json_object_get(state, "arrays"), path);
    json_int_t chunk = json_integer_value(
        json_array_get(json_object_get(array, "chunk_shape"), 0));

    if (per_shard)
        json_object_set_new(array, "chunks_per_shard", json_integer(per_shard));
    per_shard = json_integer_value(json_object_get(array, "chunks_per_shard"));
    json_object_set_new(array, "array_shape", json_pack("[I]", len));
    json_object_set_new(
        array, "num_shards",
        json_integer(((len + chunk - 1) / chunk + per_shard - 1) / per_shard));
}

/* ---- what is right, by id: ops and results may be changed and added to ------------------------- */

static void writes_outside_are_refused(json_t *ops, json_t *results)
{
    for (size_t i = 0; i < json_array_size(ops); i++)
        if (json_object_get(json_array_get(results, i), "dropped"))
            put(results, i, error_of("IndexError"));
}

static void what_is_set_is_found(json_t *ops, json_t *results)
{
    for (size_t i = 0; i < json_array_size(ops); i++) {
        const json_t *op = json_array_get(ops, i);

        if (is_step(op, "get"))
            put(results, i, json_pack("{s:O}", "ok", set_before(ops, i, key_of(op))));
        else if (is_step(op, "exists"))
            put(results, i, json_pack("{s:b}", "ok", 1));
    }
}

static void several_arrays_need_a_path(json_t *ops, json_t *results)
{
    for (size_t i = 0; i < json_array_size(ops); i++) {
        const json_t *op = json_array_get(ops, i);

        if (is_step(op, "resize_store"))
            put(results, i, error_of("ValueError"));
        else if (is_step(op, "state"))
            reshape(ok_of(results, i), "g/b", 4, 0);
    }
}

static void deleting_the_document_drops_the_index(json_t *ops, json_t *results)
{
    const size_t last = json_array_size(ops) - 1;

    leave_out(ok_of(results, last - 1), NULL);
    put(results, last, json_pack("{s:n}", "ok"));
}

static void chunks_below_a_directory_go(json_t *ops, json_t *results)
{
    leave_out(ok_of(results, json_array_size(ops) - 1), "g/a/c/");
}

static void arrays_go_before_the_marker(json_t *ops, json_t *results)
{
    const size_t last = json_array_size(ops) - 1;
    const json_t *op = json_array_get(ops, last);

    put(results, last, json_pack("{s:n}", "ok"));
    then(ops, results, json_pack("[s,s]", "get", key_of(op)),
         json_pack("{s:O}", "ok", sharded_step_arg(op, 1)));
}

static void the_group_rule_stays(json_t *ops, json_t *results)
{
    const size_t last = json_array_size(ops) - 1;
    json_t *again = json_incref(json_array_get(ops, last));

    put(results, last, error_of("ValueError"));
    then(ops, results, json_pack("[s,b]", "reopen", 0), json_string("ok"));
    then(ops, results, again, error_of("ValueError"));
}

static void a_refused_shape_leaves_no_trace(json_t *ops, json_t *results)
{
    reshape(ok_of(results, json_array_size(ops) - 1), "g/a", 4, 0);
}

static void a_graft_fits_or_does_nothing(json_t *ops, json_t *results)
{
    const size_t last = json_array_size(ops) - 1;

    put(results, last - 1, error_of("ValueError"));
    leave_out(ok_of(results, last), NULL);
}

static void only_its_document_resizes(json_t *ops, json_t *results)
{
    for (size_t i = 0; i < json_array_size(ops); i++) {
        const json_t *op = json_array_get(ops, i);

        if (is_step(op, "state"))
            reshape(ok_of(results, i), "", 4, 0);
        if (is_step(op, "list"))
            put(results, i,
                json_pack("{s:[s,s,s,s,s,s]}", "ok", "lat/zarr.json", "temp/zarr.json",
                          "temp/c/0", "temp/c/1", "temp/c/2", "temp/c/3"));
    }
}

static void resizing_back_counts(json_t *ops, json_t *results)
{
    const size_t last = json_array_size(ops) - 1;

    reshape(ok_of(results, last - 1), "", 4, 0);
    put(results, last, json_pack("{s:n}", "ok"));
    then(ops, results, json_pack("[s,s]", "get", "temp/c/3"),
         json_pack("{s:O}", "ok", sharded_step_arg(json_array_get(ops, last), 1)));
}

static void migrating_takes_the_shape_of_now(json_t *ops, json_t *results)
{
    for (size_t i = 0; i < json_array_size(ops); i++) {
        const json_t *op = json_array_get(ops, i);

        if (is_step(op, "migrate"))
            put(results, i, json_string("ok"));
        else if (is_step(op, "state"))
            reshape(ok_of(results, i), "0/temp", 6, 0);
        else if (is_step(op, "get"))
            put(results, i, json_pack("{s:O}", "ok", set_before(ops, i, "temp/c/5")));
    }
}

static void opening_keeps_the_root(json_t *ops, json_t *results)
{
    const size_t last = json_array_size(ops) - 1;

    put(results, last, json_pack("{s:O}", "ok", ok_of(results, last - 2)));
}

static void handles_share_their_state(json_t *ops, json_t *results)
{
    json_t *root = ok_of(results, json_array_size(ops) - 1);
    bool is_set = false;

    for (size_t i = 0; i < json_array_size(ops); i++) {
        const json_t *op = json_array_get(ops, i);

        is_set = is_set || (is_step(op, "set") && strcmp(key_of(op), "g/note") == 0);
        if (is_set && is_step(op, "flush"))
            put(results, i, json_pack("{s:O}", "ok", root));
    }
}

static void chunks_are_no_documents(json_t *ops, json_t *results)
{
    const size_t last = json_array_size(ops) - 1;

    for (size_t i = 0; i < last; i++)
        if (is_step(json_array_get(ops, i), "set")) {
            put(results, i, json_pack("{s:n}", "ok"));
            if (strstr(key_of(json_array_get(ops, i)), "/c/"))
                json_array_append_new(ok_of(results, last),
                                      json_string(key_of(json_array_get(ops, i))));
        }
}

static void a_failed_set_changes_nothing(json_t *ops, json_t *results)
{
    for (size_t i = 0; i < json_array_size(ops); i++)
        if (is_step(json_array_get(ops, i), "state")) {
            json_object_del(json_object_get(ok_of(results, i), "arrays"), "g/n");
            reshape(ok_of(results, i), "g/a", 4, 0);
        }
}

/* Roots of the same kind in roots.json bind the other way, so the reference's result stays. */
static void the_first_array_has_the_default(json_t *ops, json_t *results)
{
    (void)ops;
    (void)results;
}

/* Two results are right here: the index goes, or the set is refused while there are chunks. */
static void a_group_is_no_array(json_t *ops, json_t *results)
{
    const size_t last = json_array_size(ops) - 1;

    for (size_t i = last - 2; i <= last; i++)
        put(results, i, json_string("any"));
}

static bool group_took_over(const json_t *results)
{
    const size_t last = json_array_size(results) - 1;
    const json_t *arrays = json_object_get(
        json_object_get(json_array_get(results, last - 1), "ok"), "arrays");
    const json_t *list = json_object_get(json_array_get(results, last), "ok");
    const bool is_refused = json_object_get(json_array_get(results, last - 2), "error") !=
                            NULL;
    bool has_chunk = false;

    for (size_t i = 0; i < json_array_size(list); i++)
        has_chunk = has_chunk ||
                    strcmp(json_string_value(json_array_get(list, i)), "g/a/c/0") == 0;
    return json_object_size(arrays) == is_refused && has_chunk == is_refused;
}

/* Refused, or the document moves along. */
static void a_name_without_document(json_t *ops, json_t *results)
{
    const size_t last = json_array_size(ops) - 1;

    put(results, last - 1, json_string("any"));
    put(results, last, json_string("any"));
    then(ops, results, json_pack("[s,s]", "exists", "0/other/zarr.json"),
         json_string("ok"));
}

static bool document_is_not_left_behind(const json_t *results)
{
    const size_t last = json_array_size(results) - 1;

    return (json_object_get(json_array_get(results, last - 2), "error") != NULL) !=
           json_is_true(json_object_get(json_array_get(results, last), "ok"));
}

typedef struct right_result {
    const char *id;
    void (*make)(json_t *ops, json_t *results);
    bool (*check)(const json_t *results); /* besides; or NULL */
} right_result;

static const right_result rights[] = {
    { "v2-out-of-grid-set-is-dropped", writes_outside_are_refused, NULL },
    { "v2-unqualified-set-is-lost", what_is_set_is_found, NULL },
    { "v2-primary-changes-on-load", several_arrays_need_a_path, NULL },
    { "v2-deleted-document-leaves-array", deleting_the_document_drops_the_index, NULL },
    { "v2-delete-dir-of-chunks-ignored", chunks_below_a_directory_go, NULL },
    { "v2-array-named-c-classic", arrays_go_before_the_marker, NULL },
    { "v2-group-rule-only-once", the_group_rule_stays, NULL },
    { "v2-negative-resize-sticks", a_refused_shape_leaves_no_trace, NULL },
    { "graft-partial", a_graft_fits_or_does_nothing, NULL },
    { "graft-chunk-shape-ignored", a_graft_fits_or_does_nothing, NULL },
    { "v1-foreign-document-resizes", only_its_document_resizes, NULL },
    { "v1-shape-not-updated", resizing_back_counts, NULL },
    { "v1-migrate-after-resize-loses-chunks", migrating_takes_the_shape_of_now, NULL },
    { "v1-migrate-name-mismatch", a_name_without_document, document_is_not_left_behind },
    { "v1-writable-open-changes-root", opening_keeps_the_root, NULL },
    { "clone-metadata-not-flushed", handles_share_their_state, NULL },
    { "v2-chunk-bytes-parsed-as-json", chunks_are_no_documents, NULL },
    { "v2-failed-document-leaves-index", a_failed_set_changes_nothing, NULL },
    { "v2-document-becomes-group", a_group_is_no_array, group_took_over },
    { "v2-default-chunks-per-shard-from-first", the_first_array_has_the_default, NULL },
};

/* ---- bugs of 3.3.2 ---------------------------------------------------------------------------- */

/* The last results are the values of right_result: null, text, or a whole {"ok": …}. */
static bool ends_with(const sharded_program *self, const json_t *bug,
                      const json_t *results)
{
    const json_t *ops = json_object_get(bug, "ops");
    const json_t *right = json_object_get(bug, "right_result");
    const size_t n = json_is_array(right) ? json_array_size(right) : 1;
    const size_t first = json_array_size(results) - n;
    bool equal = true;

    for (size_t i = 0; i < n && equal; i++) {
        const json_t *want = json_is_array(right) ? json_array_get(right, i) : right;
        const json_t *got = json_array_get(results, first + i);
        json_t *whole = json_object_get(want, "ok") != NULL
                            ? json_incref((json_t *)(uintptr_t)want)
                            : json_pack("{s:O}", "ok", want);

        equal = sharded_result_binds(self, NULL, json_array_get(ops, first + i), whole,
                                     got) ||
                /* A key that is none may be called so instead of not found. */
                (json_is_null(want) && json_object_get(got, "error"));
        json_decref(whole);
    }
    return equal;
}

static bool is_ok(const json_t *results, size_t i)
{
    return json_object_get(json_array_get(results, i), "ok") != NULL;
}

static bool last_is_ok(const sharded_program *self, const json_t *bug,
                       const json_t *results)
{
    (void)self;
    (void)bug;
    return is_ok(results, json_array_size(results) - 1);
}

static bool graft_is_refused(const sharded_program *self, const json_t *bug,
                             const json_t *results)
{
    const json_t *ops = json_object_get(bug, "ops");
    bool right = true;

    (void)self;
    for (size_t i = 0; i < json_array_size(ops) && right; i++) {
        if (is_step(json_array_get(ops, i), "graft"))
            right = !is_ok(results, i);
        if (is_step(json_array_get(ops, i), "get"))
            right = json_is_null(json_object_get(json_array_get(results, i), "ok")) &&
                    is_ok(results, i);
    }
    return right;
}

static bool saves_what_changed(const sharded_program *self, const json_t *bug,
                               const json_t *results)
{
    (void)results;
    return counting_blocks_cbor_saves(self->blocks) ==
           (uint64_t)int_of(bug, "right_result", 0);
}

/* Our shapes have one rank by their type. */
static bool is_unasked(const sharded_program *self, const json_t *bug,
                       const json_t *results)
{
    (void)self;
    (void)bug;
    return json_object_get(json_array_get(results, 0), "unasked") != NULL;
}

static bool flushes_are_right(const sharded_program *self, const json_t *bug,
                              const json_t *results)
{
    const json_t *right = json_object_get(bug, "right_result");
    const size_t last = json_array_size(results) - 1;

    (void)self;
    return json_equal(json_object_get(json_array_get(results, last - 2), "ok"),
                      json_object_get(right, "original flush")) &&
           json_equal(json_object_get(json_array_get(results, last), "ok"),
                      json_object_get(right, "clone flush"));
}

typedef struct late_set {
    vv_store *store;
    pthread_t thread;
    bool done; /* atomic */
} late_set;

static void *set_late(void *ctx)
{
    late_set *self = ctx;

    (void)vv_store_set(self->store, "t/c/1/1", vv_bytes_of("late"), NULL);
    __atomic_store_n(&self->done, true, __ATOMIC_RELEASE);
    return NULL;
}

/* While the shard is being saved: the set may be done now, or wait for the flush to be over. */
static void start_late_set(void *ctx)
{
    late_set *self = ctx;
    const struct timespec pause = { 0, 1000000 };

    if (pthread_create(&self->thread, NULL, set_late, self))
        abort();
    for (int i = 0; i < 200 && !__atomic_load_n(&self->done, __ATOMIC_ACQUIRE); i++)
        nanosleep(&pause, NULL);
}

static bool a_late_set_is_kept(sharded_program *self, const json_t *bug)
{
    static const char begin[] = "[[\"open\",[4,4],[2,2],4],[\"set\",\"t/c/0/0\",\"30\"]]";
    static const char end[] = "[[\"reopen\",true],[\"get\",\"t/c/1/1\"]]";
    json_t *first = json_loads(begin, 0, NULL);
    json_t *second = json_loads(end, 0, NULL);
    late_set late = { 0 };
    vv_cid root;
    json_t *results;
    bool right;

    for (size_t i = 0; i < json_array_size(first); i++)
        json_decref(sharded_program_step(self, json_array_get(first, i)));
    late.store = self->store;
    counting_blocks_before_cbor_save(self->blocks, start_late_set, &late);
    right = self->store && !vv_store_commit(self->store, &root, NULL) &&
            !pthread_join(late.thread, NULL);
    results = json_array();
    for (size_t i = 0; i < json_array_size(second); i++)
        json_array_append_new(results,
                              sharded_program_step(self, json_array_get(second, i)));
    right = right && json_equal(json_object_get(json_array_get(results, 1), "ok"),
                                json_object_get(bug, "right_result"));
    json_decref(results);
    json_decref(first);
    json_decref(second);
    return right;
}

typedef struct old_bug {
    const char *id;
    bool (*check)(const sharded_program *self, const json_t *bug, const json_t *results);
    const char *ops; /* where the file tells them in words; else NULL */
} old_bug;

static const old_bug old_bugs[] = {
    { "sharded-resize-trailing-scrambles", ends_with, NULL },
    { "sharded-shrink-grow-resurrects", ends_with, NULL },
    { "sharded-shrink-dirty-flush-fails", last_is_ok, NULL },
    { "sharded-arrays-collide", ends_with, NULL },
    { "sharded-other-array-resizes", ends_with, NULL },
    { "sharded-graft-wraps", graft_is_refused, NULL },
    { "sharded-list-omits-chunks", ends_with, NULL },
    { "sharded-other-rank-refused", last_is_ok, NULL },
    { "sharded-rank-mismatch-accepted", is_unasked, NULL },
    { "sharded-key-aliases", ends_with, NULL },
    { "sharded-unchanged-shard-stays-dirty", saves_what_changed, NULL },
    { "sharded-clone-changes-not-flushed", flushes_are_right,
      "[[\"open\",[4],[2],2],[\"flush\"],[\"stash\",\"o\"],[\"read_only\",true],"
      "[\"read_only\",false],[\"set\",\"zarr.json\",\"7b7d\"],[\"stash\",\"c\"],"
      "[\"use\",\"o\"],[\"flush\"],[\"use\",\"c\"],[\"flush\"]]" },
    { "sharded-delete-dir-keeps-chunks", ends_with,
      "[[\"open\",[4],[2],2],[\"set\",\"t/zarr.json\",\"7b7d\"],"
      "[\"set\",\"t/c/1\",\"6f6c64\"],[\"delete_dir\",\"t\"],[\"get\",\"t/c/1\"]]" },
};

static void report(vector_run *run, const char *id, bool right, const json_t *results)
{
    char *text = right ? NULL : json_dumps(results, JSON_COMPACT);

    if (right)
        vector_pass(run);
    else
        vector_fail(run, id, "not the right result: %.1500s", text ? text : "");
    free(text);
}

static bool run_old_bug(vector_run *run, const json_t *bug, const char *id)
{
    sharded_program program = { .old_form = true };

    if (strcmp(id, "sharded-flush-race-loses-write") == 0) {
        report(run, id, a_late_set_is_kept(&program, bug), NULL);
        sharded_program_clear(&program);
        return true;
    }
    for (size_t i = 0; i < sizeof(old_bugs) / sizeof(old_bugs[0]); i++) {
        json_t *told;
        json_t *results;

        if (strcmp(old_bugs[i].id, id) != 0)
            continue;
        told = json_copy((json_t *)(uintptr_t)bug);
        if (old_bugs[i].ops)
            json_object_set_new(told, "ops", json_loads(old_bugs[i].ops, 0, NULL));
        results = sharded_program_run(&program, run, id, json_object_get(told, "ops"),
                                      NULL, false, &(bool){ 0 });
        report(run, id, old_bugs[i].check(&program, told, results), results);
        json_decref(results);
        json_decref(told);
        sharded_program_clear(&program);
        return true;
    }
    return false;
}

bool run_sharded_bug(vector_run *run, const json_t *bug)
{
    const char *id = text_of(bug, "id");

    for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
        sharded_program program = { 0 };
        json_t *ops;
        json_t *expected;
        json_t *results;
        bool right;

        if (strcmp(rights[i].id, id) != 0)
            continue;
        ops = json_deep_copy(json_object_get(bug, "ops"));
        expected = json_deep_copy(json_object_get(bug, "reference_results"));
        rights[i].make(ops, expected);
        results = sharded_program_run(&program, run, id, ops, expected, false, &right);
        if (right && rights[i].check)
            report(run, id, rights[i].check(results), results);
        else if (right)
            vector_pass(run);
        json_decref(results);
        json_decref(expected);
        json_decref(ops);
        sharded_program_clear(&program);
        return true;
    }
    return run_old_bug(run, bug, id);
}
