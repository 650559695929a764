/* The bytes of docs/format/encrypted.md, as another implementation of that page made them (tests/data/encrypted). */
#include "support/support.h"

#include "encrypted/format.h"
#include "util/buf.h"

#include <jansson.h>

static json_t *vectors;
static vvi_data_keys *keys;

static const char *text(const json_t *object, const char *member)
{
    const char *found = json_string_value(json_object_get(object, member));

    assert_non_null(found);
    return found;
}

static vv_buf bytes(const json_t *object, const char *member)
{
    return from_hex(text(object, member));
}

static int load(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf data;

    (void)state;
    vectors = json_load_file(VV_TEST_DATA "/encrypted/vectors.json", 0, NULL);
    assert_non_null(vectors);
    data = bytes(vectors, "data_set_key");
    assert_vv_ok(vvi_data_keys_new(data.data, &keys, &err));
    vv_buf_clear(&data);
    return 0;
}

static int unload(void **state)
{
    (void)state;
    vvi_data_keys_free(keys);
    json_decref(vectors);
    return 0;
}

static void assert_is_hex(const void *got, size_t len, const char *hex)
{
    vv_buf want = from_hex(hex);

    assert_int_equal(len, want.len);
    assert_memory_equal(got, want.data, len);
    vv_buf_clear(&want);
}

static void keys_are_derived(void **state)
{
    const json_t *derived = json_object_get(vectors, "derived_keys");

    (void)state;
    assert_is_hex(keys->tag, 32, text(derived, "tag"));
    assert_is_hex(keys->name, 32, text(derived, "name"));
    assert_is_hex(keys->value, 32, text(derived, "value"));
    assert_is_hex(keys->root, 32, text(derived, "root"));
}

/* The n-th byte drawn is n. */
static void count(void *ctx, uint8_t *out, size_t len)
{
    uint8_t *next = ctx;

    for (size_t i = 0; i < len; i++)
        out[i] = (*next)++;
}

static vv_key *user_key(size_t i)
{
    vv_buf data = from_hex(
        json_string_value(json_array_get(json_object_get(vectors, "user_keys"), i)));
    vv_error err = VV_ERROR_INIT;
    vv_key *key = NULL;

    assert_vv_ok(vv_key_from_bytes(vvi_buf_bytes(&data), &key, &err));
    vv_buf_clear(&data);
    return key;
}

static void the_envelope_is_written_and_read(void **state)
{
    vv_error err = VV_ERROR_INIT;
    uint8_t next = 48; /* behind the data set's name and key */
    vvi_draw draw = { count, &next };
    vvi_envelope envelope = { .segment_bytes = 4096 };
    vvi_envelope back;
    vv_buf tree = bytes(vectors, "tree");
    vv_buf id = bytes(vectors, "data_set_id");
    vv_buf block = VV_BUF_INIT;
    vv_buf again = VV_BUF_INIT;

    (void)state;
    memcpy(envelope.id, id.data, sizeof(envelope.id));
    assert_vv_ok(vv_cid_from_bytes(vvi_buf_bytes(&tree), &envelope.tree, &err));
    for (size_t i = 0; i < 2; i++) {
        vv_key *user = user_key(i);

        assert_vv_ok(vvi_envelope_set_key(&envelope, i, user, keys, &draw, &err));
        vv_key_free(user);
    }
    assert_vv_ok(vvi_envelope_encode(&envelope, keys, &block, &err));
    assert_is_hex(block.data, block.len, text(vectors, "envelope"));
    assert_true(vvi_is_envelope(vvi_buf_bytes(&block)));
    assert_vv_ok(vvi_envelope_decode(vvi_buf_bytes(&block), &back, &err));
    assert_vv_ok(vvi_envelope_check_seal(vvi_buf_bytes(&block), keys, &err));
    for (size_t i = 0; i < 2; i++) {
        vv_key *user = user_key(i);
        vvi_data_keys *opened = NULL;

        assert_vv_ok(vvi_envelope_open(&back, user, &opened, &err));
        assert_memory_equal(opened, keys, sizeof(*keys));
        vvi_data_keys_free(opened);
        vv_key_free(user);
    }
    assert_vv_ok(vvi_envelope_encode(&back, keys, &again, &err));
    assert_true(vvi_bytes_equal(vvi_buf_bytes(&block), vvi_buf_bytes(&again)));
    vvi_envelope_clear(&envelope);
    vvi_envelope_clear(&back);
    vv_buf_clear(&tree);
    vv_buf_clear(&id);
    vv_buf_clear(&block);
    vv_buf_clear(&again);
}

static void a_later_version_is_said_to_be_one(void **state)
{
    vv_error err = VV_ERROR_INIT;
    vv_buf block = bytes(vectors, "envelope");
    vvi_envelope envelope;

    (void)state;
    block.data[block.len - 1] = 2;
    assert_true(vvi_is_envelope(vvi_buf_bytes(&block)));
    assert_int_equal(vvi_envelope_decode(vvi_buf_bytes(&block), &envelope, &err),
                     VV_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "version 2"));
    vv_buf_clear(&block);
}

static void names_are_sealed_and_opened(void **state)
{
    const json_t *names = json_object_get(vectors, "names");
    vv_error err = VV_ERROR_INIT;
    vv_buf token = VV_BUF_INIT;
    vv_buf name = VV_BUF_INIT;

    (void)state;
    for (size_t i = 0; i < json_array_size(names); i++) {
        const json_t *entry = json_array_get(names, i);

        assert_vv_ok(vvi_name_seal(keys, text(entry, "key"), &token, &err));
        assert_string_equal((char *)token.data, text(entry, "token"));
        assert_vv_ok(vvi_name_open(keys, vvi_buf_bytes(&token), &name, &err));
        assert_string_equal((char *)name.data, text(entry, "key"));
    }
    vv_buf_clear(&token);
    vv_buf_clear(&name);
}

static void run_value(const json_t *entry)
{
    vv_error err = VV_ERROR_INIT;
    uint64_t length = (uint64_t)json_integer_value(json_object_get(entry, "length"));
    uint64_t body_length = vvi_body_length(length, 4096);
    vvi_descriptor at = { .length = length };
    vvi_descriptor back;
    vv_buf body_cid = bytes(entry, "body_cid_sha2_256");
    vv_buf salt = bytes(entry, "salt");
    uint8_t *plain = malloc(length + 1);
    uint8_t *opened = malloc(length + 1);
    uint8_t *body = malloc(body_length);
    uint8_t cid_bytes[VV_CID_BYTES_MAX];
    vvi_sealed_value value;
    vvi_segments run;
    vv_cid pointer;
    size_t len;

    for (size_t i = 0; i < length; i++)
        plain[i] = (uint8_t)(7 * i + i / 251);
    memcpy(at.salt, salt.data, sizeof(at.salt));
    vvi_sealed_value_init(&value, keys, text(entry, "key"), at.salt, length, 4096);
    run = vvi_segments_of(&value, 0, length);
    assert_vv_ok(vvi_segments_seal(&value, &run, plain, body, false, &err));
    assert_int_equal(run.body_len, body_length);
    assert_is_hex(body, body_length, text(entry, "body"));
    assert_vv_ok(vvi_segments_open(&value, &run, body, opened, false, &err));
    assert_memory_equal(plain, opened, length);
    vvi_sealed_value_clear(&value);
    assert_vv_ok(vv_cid_from_bytes(vvi_buf_bytes(&body_cid), &at.body, &err));
    assert_vv_ok(vv_cid_verify(&at.body, vvi_bytes(body, body_length), &err));
    assert_vv_ok(vvi_descriptor_to_cid(&at, &pointer, &err));
    vv_cid_to_bytes(&pointer, cid_bytes, &len);
    assert_is_hex(cid_bytes, len, text(entry, "pointer"));
    assert_vv_ok(vvi_descriptor_of_cid(&pointer, &back, &err));
    assert_memory_equal(&back.salt, &at.salt, sizeof(at.salt));
    assert_true(vv_cid_equal(&back.body, &at.body));
    assert_int_equal(back.length, length);
    free(plain);
    free(opened);
    free(body);
    vv_buf_clear(&body_cid);
    vv_buf_clear(&salt);
}

static void values_are_sealed_and_opened(void **state)
{
    const json_t *values = json_object_get(vectors, "values");

    (void)state;
    assert_true(json_array_size(values) > 0);
    for (size_t i = 0; i < json_array_size(values); i++)
        run_value(json_array_get(values, i));
}

/* Threads or none, any run of segments: the same bytes. */
static void long_values_are_the_same_by_several_threads(void **state)
{
    uint8_t salt[VVI_ENC_SALT_BYTES] = { 1 };
    size_t length = (size_t)5 << 20;
    size_t body_length = (size_t)vvi_body_length(length, 32768);
    uint8_t *plain = calloc(1, length);
    uint8_t *one = malloc(body_length);
    uint8_t *many = malloc(body_length);
    vv_error err = VV_ERROR_INIT;
    vvi_sealed_value value;
    vvi_segments run;

    (void)state;
    plain[length / 2] = 9;
    vvi_sealed_value_init(&value, keys, "k", salt, length, 32768);
    run = vvi_segments_of(&value, 0, length);
    assert_vv_ok(vvi_segments_seal(&value, &run, plain, one, false, &err));
    assert_vv_ok(vvi_segments_seal(&value, &run, plain, many, true, &err));
    assert_memory_equal(one, many, body_length);
    many[body_length - 1] ^= 1;
    assert_int_equal(vvi_segments_open(&value, &run, many, plain, true, &err), VV_EAUTH);
    for (size_t i = 0; i < length; i++)
        assert_int_equal(plain[i], 0);
    vvi_sealed_value_clear(&value);
    free(plain);
    free(one);
    free(many);
}

static void lengths_that_no_block_holds_are_told(void **state)
{
    (void)state;
    assert_int_equal(vvi_body_length(0, 4096), 16);
    assert_int_equal(vvi_body_length(4096, 4096), 4096 + 16);
    assert_int_equal(vvi_body_length(4097, 4096), 4097 + 32);
    assert_int_equal(vvi_body_length(VV_BLOCK_BYTES_MAX, 32768), 0);
    assert_int_equal(vvi_body_length(UINT64_MAX, 32768), 0);
    /* 65504 segments of 32784 bytes and one of 512 are 2 GiB. */
    assert_int_equal(vvi_body_length((uint64_t)65504 * 32768 + 496, 32768),
                     VV_BLOCK_BYTES_MAX);
    assert_int_equal(vvi_body_length((uint64_t)65504 * 32768 + 497, 32768), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_derived),
        cmocka_unit_test(the_envelope_is_written_and_read),
        cmocka_unit_test(a_later_version_is_said_to_be_one),
        cmocka_unit_test(names_are_sealed_and_opened),
        cmocka_unit_test(values_are_sealed_and_opened),
        cmocka_unit_test(long_values_are_the_same_by_several_threads),
        cmocka_unit_test(lengths_that_no_block_holds_are_told),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
