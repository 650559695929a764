/* URL → block store, and which store is meant when none is named. */
#include "support/support.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static vv_error err;

static int in_new_directory(void **state)
{
    unsetenv("VARVITE_STORE");
    *state = make_directory();
    return chdir(*state);
}

static int leave_directory(void **state)
{
    if (chdir("/") != 0)
        return -1;
    unsetenv("VARVITE_STORE");
    remove_directory(*state);
    return 0;
}

static vv_status open_with(const char *url, bool create, bool read_only,
                           vv_blockstore **out)
{
    vv_open_options options = VV_OPEN_OPTIONS_INIT;

    options.create = create;
    options.read_only = read_only;
    return vv_blockstore_open(url, &options, out, &err);
}

static void a_memory_store_opens_empty_and_takes_blocks(void **state)
{
    const vv_cid_prefix prefix = VV_PREFIX_RAW_BLAKE3;
    vv_blockstore *store;
    vv_cid cid;
    bool there;

    (void)state;
    assert_vv_ok(vv_blockstore_open("mem:", NULL, &store, &err));
    assert_string_equal(vv_blockstore_name(store), "memory");
    assert_vv_ok(vv_blockstore_put(store, &prefix, vv_bytes_of("x"), &cid, &err));
    assert_vv_ok(vv_blockstore_has(store, &cid, &there, &err));
    assert_true(there);
    vv_blockstore_free(store);
}

static void a_memory_store_to_read_only_is_refused(void **state)
{
    vv_blockstore *store;

    (void)state;
    assert_int_equal(open_with("mem:", false, true, &store), VV_EINVAL);
    assert_int_equal(open_with("mem:x", false, false, &store), VV_EINVAL);
    assert_non_null(strstr(err.message, "mem:x"));
}

static void an_unknown_scheme_is_unsupported_and_named(void **state)
{
    vv_blockstore *store;

    (void)state;
    assert_int_equal(open_with("ipfs://bafy", false, true, &store), VV_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "ipfs://bafy"));
    assert_non_null(strstr(err.message, "local:DIR"));
}

static void an_empty_or_contradictory_request_is_invalid(void **state)
{
    vv_blockstore *store;

    (void)state;
    assert_int_equal(vv_blockstore_open("", NULL, &store, &err), VV_EINVAL);
    assert_int_equal(vv_blockstore_open(NULL, NULL, &store, &err), VV_EINVAL);
    assert_int_equal(open_with("there", true, true, &store), VV_EINVAL);
    assert_int_equal(open_with("local:", false, false, &store), VV_EINVAL);
    assert_int_equal(open_with("car:", false, true, &store), VV_EINVAL);
}

static void a_path_without_a_store_is_not_found_and_says_what_to_do(void **state)
{
    vv_blockstore *store;

    (void)state;
    assert_int_equal(open_with("nowhere", false, true, &store), VV_ENOTFOUND);
    assert_non_null(strstr(err.message, "nowhere"));
    assert_non_null(strstr(err.message, "varvite init"));
}

static void a_path_with_a_colon_behind_a_slash_is_a_path(void **state)
{
    vv_blockstore *store;

    (void)state;
    assert_int_equal(open_with("./data:x", false, true, &store), VV_ENOTFOUND);
    assert_int_equal(open_with("C:x", false, true, &store), VV_ENOTFOUND);
}

/* Skips where this build has no local stores. */
static void a_local_store_opens_by_path_and_by_url(void **state)
{
    vv_blockstore *store;

    (void)state;
    vv_status status = open_with("store", true, false, &store);
    if (status == VV_EUNSUPPORTED)
        skip();
    assert_vv_ok(status);
    assert_string_equal(vv_blockstore_name(store), "local");
    vv_blockstore_free(store);
    assert_vv_ok(open_with("local:store", false, true, &store));
    vv_blockstore_free(store);
    assert_vv_ok(open_with("./store", false, true, &store));
    vv_blockstore_free(store);
    assert_int_equal(open_with("local:other", false, true, &store), VV_ENOTFOUND);
}

static void a_file_is_read_as_a_car(void **state)
{
    vv_blockstore *store;

    (void)state;
    write_file("data.car", "this is no archive", 18);
    vv_status by_path = open_with("data.car", false, true, &store);
    assert_true(by_path == VV_ECORRUPT || by_path == VV_EUNSUPPORTED);
    assert_int_equal(open_with("car:data.car", false, true, &store), by_path);
}

static void the_environment_names_the_store(void **state)
{
    char *path;

    (void)state;
    assert_int_equal(mkdir(".varvite", 0777), 0);
    setenv("VARVITE_STORE", "local:/data/climate", 1);
    assert_vv_ok(vv_default_store_path(&path, &err));
    assert_string_equal(path, "local:/data/climate");
    vv_free(path);
    setenv("VARVITE_STORE", "", 1); /* empty is as if unset */
    assert_vv_ok(vv_default_store_path(&path, &err));
    assert_non_null(strstr(path, "/.varvite"));
    vv_free(path);
}

static void the_nearest_store_upward_is_found(void **state)
{
    char expected[4096], *path;

    (void)state;
    assert_int_equal(mkdir(".varvite", 0777), 0);
    assert_int_equal(mkdir("a", 0777), 0);
    assert_int_equal(mkdir("a/b", 0777), 0);
    assert_non_null(getcwd(expected, sizeof(expected) - 10));
    strcat(expected, "/.varvite");
    assert_int_equal(chdir("a/b"), 0);
    assert_vv_ok(vv_default_store_path(&path, &err));
    assert_string_equal(path, expected);
    vv_free(path);

    /* A file of that name is no store; a nearer directory wins. */
    write_file(".varvite", "", 0);
    assert_vv_ok(vv_default_store_path(&path, &err));
    assert_string_equal(path, expected);
    vv_free(path);
    assert_int_equal(mkdir("../.varvite", 0777), 0);
    assert_vv_ok(vv_default_store_path(&path, &err));
    assert_non_null(strstr(path, "/a/.varvite"));
    vv_free(path);
}

static void without_any_store_the_message_says_what_to_do(void **state)
{
    char *path;

    (void)state;
    if (access("/.varvite", F_OK) == 0 || access("/tmp/.varvite", F_OK) == 0)
        skip();
    assert_int_equal(vv_default_store_path(&path, &err), VV_ENOTFOUND);
    assert_non_null(strstr(err.message, "varvite init"));
    assert_non_null(strstr(err.message, "VARVITE_STORE"));
}

static vv_status open_and_find(void *ctx)
{
    vv_blockstore *store;
    char *path;

    (void)ctx;
    vv_status status = vv_blockstore_open("mem:", NULL, &store, &err);
    if (status)
        return status;
    vv_blockstore_free(store);
    status = vv_default_store_path(&path, &err);
    if (status)
        return status;
    vv_free(path);
    return VV_OK;
}

static void opening_survives_failing_allocations(void **state)
{
    (void)state;
    assert_int_equal(mkdir(".varvite", 0777), 0);
    survives_failing_allocations(open_and_find, NULL);
}

#define CASE(name_) \
    cmocka_unit_test_setup_teardown(name_, in_new_directory, leave_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_memory_store_opens_empty_and_takes_blocks),
        CASE(a_memory_store_to_read_only_is_refused),
        CASE(an_unknown_scheme_is_unsupported_and_named),
        CASE(an_empty_or_contradictory_request_is_invalid),
        CASE(a_path_without_a_store_is_not_found_and_says_what_to_do),
        CASE(a_path_with_a_colon_behind_a_slash_is_a_path),
        CASE(a_local_store_opens_by_path_and_by_url),
        CASE(a_file_is_read_as_a_car),
        CASE(the_environment_names_the_store),
        CASE(the_nearest_store_upward_is_found),
        CASE(without_any_store_the_message_says_what_to_do),
        CASE(opening_survives_failing_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
