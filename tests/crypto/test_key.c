/* Keys: what they are read from and written to, their names, and one key under another. */
#include "support/support.h"

#include "crypto/key.h"
#include "crypto/secret.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "util/fault.h"
#include "util/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static vv_key *counting_key(void)
{
    vv_error err = VV_ERROR_INIT;
    uint8_t bytes[32];
    vv_key *key;

    for (uint8_t i = 0; i < 32; i++)
        bytes[i] = i;
    assert_vv_ok(vv_key_from_bytes(vvi_bytes(bytes, sizeof(bytes)), &key, &err));
    return key;
}

static vv_key *new_key(void)
{
    vv_error err = VV_ERROR_INIT;
    vv_key *key;

    assert_vv_ok(vv_key_new(&key, &err));
    return key;
}

static void assert_is_counting(vv_key *key)
{
    vv_key *right = counting_key();

    assert_true(vv_key_equal(key, right));
    vv_key_free(right);
    vv_key_free(key);
}

/* ---- names and derived keys ------------------------------------------------------------ */

/* Made again by Python's hashlib.blake2b(label + b"\0" + context, key=…, digest_size=32). */
static void derived_keys_and_names_are_keyed_blake2b(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_key *key = counting_key();
    vv_key *derived;
    uint8_t bytes[32];
    uint8_t id[VV_KEY_ID_BYTES];
    char text[VV_KEY_ID_TEXT_MAX];

    (void)state;
    vv_key_id(key, id);
    vv_key_id_format(id, text);
    assert_string_equal(text, "aa46c88af4b380d3");
    assert_vv_ok(vv_key_derive(key, "test", vv_bytes_of("ctx"), &derived, &err));
    vv_key_bytes(derived, bytes);
    assert_string_equal(
        to_hex(bytes, 32),
        "4422559c4746dc28a29be9585e743d42c511ffa7da171291e2594003aac8acae");
    assert_false(vv_key_equal(key, derived));
    vv_key_free(derived);
    vv_key_free(key);
}

static void names_are_read_back(void **state)
{
    vv_error err = VV_ERROR_INIT;
    uint8_t id[VV_KEY_ID_BYTES] = { 0 };
    char text[VV_KEY_ID_TEXT_MAX];

    (void)state;
    assert_vv_ok(vv_key_id_parse("00ff10ABcdef0123", id, &err));
    vv_key_id_format(id, text);
    assert_string_equal(text, "00ff10abcdef0123");
    assert_int_equal(vv_key_id_parse("00ff10abcdef012", id, &err), VV_EINVAL);
    assert_int_equal(vv_key_id_parse("00ff10abcdef01234", id, &err), VV_EINVAL);
    assert_int_equal(vv_key_id_parse("00ff10abcdef012g", id, &err), VV_EINVAL);
    assert_int_equal(vv_key_id_parse("", id, &err), VV_EINVAL);
    assert_int_equal(vv_key_id_parse(HEX, id, &err), VV_EINVAL);
    assert_null(
        strstr(err.message, "0001")); /* the key itself, in the place of its name */
}

static void new_keys_differ(void **state)
{
    vv_key *a = new_key();
    vv_key *b = new_key();

    (void)state;
    assert_false(vv_key_equal(a, b));
    assert_true(vv_key_equal(a, a));
    vv_key_free(a);
    vv_key_free(b);
    vv_key_free(NULL);
}

/* Nor does a child draw what its parent draws after the fork. */
static void a_child_draws_other_bytes(void **state)
{
    uint8_t mine[32];
    uint8_t childs[32];
    int ends[2];
    int how;
    pid_t child;

    (void)state;
    vvi_random(mine, sizeof(mine));
    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        vvi_random(mine, sizeof(mine));
        _exit(write(ends[1], mine, sizeof(mine)) != (ssize_t)sizeof(mine));
    }
    assert_true(child > 0);
    vvi_random(mine, sizeof(mine));
    assert_int_equal(read(ends[0], childs, sizeof(childs)), sizeof(childs));
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_memory_not_equal(mine, childs, sizeof(mine));
    close(ends[0]);
    close(ends[1]);
}

static void a_key_of_another_length_is_refused(void **state)
{
    uint8_t bytes[33] = { 0 };
    vv_key *key;

    (void)state;
    assert_int_equal(vv_key_from_bytes(vvi_bytes(bytes, 31), &key, NULL), VV_EINVAL);
    assert_int_equal(vv_key_from_bytes(vvi_bytes(bytes, 33), &key, NULL), VV_EINVAL);
    assert_int_equal(vv_key_from_bytes(vvi_bytes(NULL, 0), &key, NULL), VV_EINVAL);
}

/* ---- wrapping --------------------------------------------------------------------------- */

static void only_the_right_key_and_context_unwrap(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_key *under = new_key();
    vv_key *other = new_key();
    vv_key *key = new_key();
    vv_key *back;
    uint8_t wrapped[VV_KEY_WRAPPED_BYTES];
    uint8_t again[VV_KEY_WRAPPED_BYTES];

    (void)state;
    assert_vv_ok(vv_key_wrap(under, key, vv_bytes_of("for x"), wrapped, &err));
    assert_vv_ok(vv_key_wrap(under, key, vv_bytes_of("for x"), again, &err));
    assert_memory_not_equal(wrapped, again, sizeof(wrapped));
    assert_vv_ok(vv_key_unwrap(under, wrapped, vv_bytes_of("for x"), &back, &err));
    assert_true(vv_key_equal(key, back));
    vv_key_free(back);
    assert_int_equal(vv_key_unwrap(other, wrapped, vv_bytes_of("for x"), &back, &err),
                     VV_EAUTH);
    assert_int_equal(vv_key_unwrap(under, wrapped, vv_bytes_of("for y"), &back, &err),
                     VV_EAUTH);
    for (size_t i = 0; i < sizeof(wrapped) * 8; i++) {
        wrapped[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_int_equal(vv_key_unwrap(under, wrapped, vv_bytes_of("for x"), &back, &err),
                         VV_EAUTH);
        wrapped[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    vv_key_free(under);
    vv_key_free(other);
    vv_key_free(key);
}

/* ---- text --------------------------------------------------------------------------------- */

static vv_status parse(const char *text, bool raw, vv_key **out)
{
    return vvi_key_parse(vv_bytes_of(text), raw, out, NULL);
}

static void text_forms_are_read(void **state)
{
    static const char *const good[] = {
        HEX,
        (HEX "\n"),
        ("  " HEX " \r\n\n"),
        ("# a comment\n" HEX),
        "varvite-key-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "# one\n#two\r\n\nvarvite-key-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\r\n",
        "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        vv_key *key;

        assert_int_equal(parse(good[i], false, &key), VV_OK);
        assert_is_counting(key);
    }
}

static void what_is_no_key_is_refused_without_showing_it(void **state)
{
    static const char *const bad[] = {
        "",
        "#",
        "# only a comment\n",
        "secret",
        (HEX "0"),
        (HEX HEX),
        (HEX " " HEX),
        ("0x" HEX),
        "varvite-key-2:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "varvite-key-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "varvite-key-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=",
        "varvite-key-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=x",
        "varvite-key-1:AAECAwQF\nBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1g",
    };
    vv_error err = VV_ERROR_INIT;
    vv_key *key;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(vvi_key_parse(vv_bytes_of(bad[i]), true, &key, &err), VV_EINVAL);
        assert_null(strstr(err.message, "secret"));
        assert_null(strstr(err.message, "0001"));
        assert_null(strstr(err.message, "AAEC"));
    }
}

static void raw_bytes_are_a_key_in_files_alone(void **state)
{
    vv_key *key;
    uint8_t bytes[32];

    (void)state;
    assert_int_equal(parse("# 32 bytes that begin like a com", true, &key), VV_OK);
    vv_key_bytes(key, bytes);
    assert_memory_equal(bytes, "# 32 bytes that begin like a com", 32);
    vv_key_free(key);
    assert_int_equal(parse("# 32 bytes that begin like a com", false, &key), VV_EINVAL);
    assert_int_equal(parse("31 bytes that begin like a comm", true, &key), VV_EINVAL);
}

/* ---- files ------------------------------------------------------------------------------- */

typedef struct fixture {
    char *dir, *path;
} fixture;

static int set_up(void **state)
{
    fixture *f = malloc(sizeof(*f));

    f->dir = make_directory();
    f->path = vvi_path_join(f->dir, "key");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    vvi_fault_plan(NULL);
    vvi_free(f->path);
    remove_directory(f->dir);
    free(f);
    return 0;
}

static void a_saved_key_is_for_its_owner_and_is_never_written_over(void **state)
{
    fixture *f = *state;
    vv_error err = VV_ERROR_INIT;
    vv_key *key = counting_key();
    vv_key *other = new_key();
    vv_key *back;
    struct stat st;
    char *text;

    assert_vv_ok(vv_key_save(key, f->path, &err));
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(vv_key_save(other, f->path, &err), VV_EEXISTS);
    assert_vv_ok(vv_key_load(f->path, &back, &err));
    assert_true(vv_key_equal(key, back));
    text = (char *)read_file(f->path, NULL);
    assert_string_equal(
        text, "# varvite key aa46c88af4b380d3: who has the next line can read what it "
              "encrypts\n"
              "varvite-key-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n");
    free(text);
    vv_key_free(back);
    vv_key_free(other);
    vv_key_free(key);
}

static void a_file_open_to_others_is_refused(void **state)
{
    static const struct {
        mode_t mode;
        vv_status status;
    } modes[] = { { 0600, VV_OK },    { 0400, VV_OK },    { 0440, VV_OK },
                  { 0644, VV_EAUTH }, { 0604, VV_EAUTH }, { 0602, VV_EAUTH },
                  { 0620, VV_EAUTH }, { 0601, VV_EAUTH } };
    fixture *f = *state;
    vv_error err = VV_ERROR_INIT;

    write_file(f->path, HEX "\n", 65);
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        vv_key *key = NULL;

        assert_int_equal(chmod(f->path, modes[i].mode), 0);
        assert_int_equal(vv_key_load(f->path, &key, &err), modes[i].status);
        if (modes[i].status)
            assert_non_null(strstr(err.message, "chmod 600"));
        vv_key_free(key);
    }
}

static void what_is_no_key_file_is_named(void **state)
{
    fixture *f = *state;
    vv_error err = VV_ERROR_INIT;
    vv_key *key;
    char *pipe_path = vvi_path_join(f->dir, "pipe");
    char *big = calloc(1, 100000);

    assert_int_equal(vv_key_load(f->path, &key, &err), VV_ENOTFOUND);
    assert_non_null(strstr(err.message, f->path));
    assert_int_equal(vv_key_load(f->dir, &key, &err), VV_EINVAL);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    assert_int_equal(vv_key_load(pipe_path, &key, &err), VV_EINVAL);
    write_file(f->path, "no key", 6);
    assert_int_equal(chmod(f->path, 0600), 0);
    assert_int_equal(vv_key_load(f->path, &key, &err), VV_EINVAL);
    assert_non_null(strstr(err.message, f->path));
    write_file(f->path, big, 100000);
    assert_int_equal(vv_key_load(f->path, &key, &err), VV_EINVAL);
    /* What is a key as far as it is read, and goes on behind that. */
    memset(big, '\n', 100000);
    memcpy(big, HEX, 64);
    write_file(f->path, big, VVI_KEY_TEXT_MAX + 1);
    assert_int_equal(vv_key_load(f->path, &key, &err), VV_EINVAL);
    write_file(f->path, big, VVI_KEY_TEXT_MAX);
    assert_vv_ok(vv_key_load(f->path, &key, &err));
    assert_is_counting(key);
    free(big);
    vvi_free(pipe_path);
}

static void a_descriptor_is_read_to_its_end(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_key *key;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], HEX, 30), 30);
    assert_int_equal(write(ends[1], &HEX[30], 34), 34);
    close(ends[1]);
    assert_vv_ok(vv_key_load_fd(ends[0], &key, &err));
    assert_is_counting(key);
    assert_int_equal(vv_key_load_fd(ends[0], &key, &err), VV_EINVAL); /* empty now */
    close(ends[0]);
    assert_int_equal(vv_key_load_fd(ends[0], &key, &err), VV_EIO);
}

static void a_variable_holds_text(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_key *key;

    (void)state;
    unsetenv("VV_TEST_KEY");
    assert_int_equal(vv_key_load_env("VV_TEST_KEY", &key, &err), VV_ENOTFOUND);
    setenv("VV_TEST_KEY", HEX, 1);
    assert_vv_ok(vv_key_load_env("VV_TEST_KEY", &key, &err));
    assert_is_counting(key);
    setenv("VV_TEST_KEY", "exactly thirty-two characters ok", 1);
    assert_int_equal(vv_key_load_env("VV_TEST_KEY", &key, &err), VV_EINVAL);
    assert_non_null(strstr(err.message, "VV_TEST_KEY"));
    assert_null(strstr(err.message, "exactly"));
}

static vv_status save_and_load(void *ctx)
{
    fixture *f = ctx;
    vv_key *key = NULL;
    vv_key *back = NULL;
    vv_key *wrapped = NULL;
    uint8_t bytes[VV_KEY_WRAPPED_BYTES];
    vv_status status = vv_key_new(&key, NULL);

    if (!status)
        status = vv_key_save(key, f->path, NULL);
    if (!status)
        status = vv_key_load(f->path, &back, NULL);
    if (!status)
        status = vv_key_wrap(key, back, vvi_bytes(NULL, 0), bytes, NULL);
    if (!status)
        status = vv_key_unwrap(key, bytes, vvi_bytes(NULL, 0), &wrapped, NULL);
    unlink(f->path);
    vv_key_free(key);
    vv_key_free(back);
    vv_key_free(wrapped);
    return status;
}

static void keys_survive_failing_allocations(void **state)
{
    survives_failing_allocations(save_and_load, *state);
}

/* Whatever call fails: no file is left that is not a whole key. */
static void a_save_that_fails_leaves_no_file(void **state)
{
    fixture *f = *state;
    vv_key *key = counting_key();
    bool failed = true;

    for (uint64_t n = 0; failed; n++) {
        vvi_fault plan = { .calls = VVI_CALLS_ALL & ~VVI_CALL_BIT(VVI_CALL_UNLINK),
                           .after = n,
                           .kind = n % 2 ? VVI_FAULT_TORN : VVI_FAULT_ERROR,
                           .error_number = ENOSPC };
        vv_status status;

        vvi_fault_plan(&plan);
        status = vv_key_save(key, f->path, NULL);
        failed = vvi_fault_plan(NULL) > 0;
        assert_int_equal(status == VV_OK, !failed);
        assert_int_equal(access(f->path, F_OK) == 0, !failed);
    }
    vv_key_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(derived_keys_and_names_are_keyed_blake2b),
        cmocka_unit_test(names_are_read_back),
        cmocka_unit_test(new_keys_differ),
        cmocka_unit_test(a_child_draws_other_bytes),
        cmocka_unit_test(a_key_of_another_length_is_refused),
        cmocka_unit_test(only_the_right_key_and_context_unwrap),
        cmocka_unit_test(text_forms_are_read),
        cmocka_unit_test(what_is_no_key_is_refused_without_showing_it),
        cmocka_unit_test(raw_bytes_are_a_key_in_files_alone),
        cmocka_unit_test_setup_teardown(
            a_saved_key_is_for_its_owner_and_is_never_written_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_open_to_others_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_key_file_is_named, set_up, tear_down),
        cmocka_unit_test(a_descriptor_is_read_to_its_end),
        cmocka_unit_test(a_variable_holds_text),
        cmocka_unit_test_setup_teardown(keys_survive_failing_allocations, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_save_that_fails_leaves_no_file, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
