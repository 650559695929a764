/* Codecs "vlen-utf8" and "vlen-bytes". */
#include "chains.h"

#include "util/endian.h"

static const uint64_t four = 4, three = 3;

static void fill_texts(vv_bytes out[4])
{
    out[0] = vv_bytes_of("");
    out[1] = vv_bytes_of("a");
    out[2] = vv_bytes_of("h\xc3\xa4\xc3\x9f");
    out[3] = vv_bytes_of("\xf0\x9f\x98\x80x");
}

static void assert_same_texts(const vv_bytes *a, const vv_bytes *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(a[i].len, b[i].len);
        if (a[i].len)
            assert_memory_equal(a[i].data, b[i].data, a[i].len);
    }
}

/* Written by numcodecs 0.17.1: VLenUTF8 and VLenBytes. */
static const char golden_texts[] =
    "040000000000000001000000610500000068c3a4c39f05000000f09f988078";
static const char golden_bytes[] = "03000000000000000200000000ff03000000616263";

static void bytes_of_another_writer_are_read_and_written_alike(void **state)
{
    vvi_codec_chain *chain = chain_of("none", array_of_shape(VV_STRING, 1, &four));
    vv_buf golden = from_hex(golden_texts);
    vv_bytes want[4], out[4];
    vv_error err = VV_ERROR_INIT;
    vv_buf again = VV_BUF_INIT;
    vvi_heap heap;

    (void)state;
    fill_texts(want);
    assert_vv_ok(vvi_heap_init(&heap, &err));
    assert_vv_ok(vvi_codec_chain_decode(chain, vvi_buf_bytes(&golden), out, &heap, &err));
    vv_buf_clear(&golden); /* what it held was copied */
    assert_same_texts(out, want, 4);
    assert_vv_ok(vvi_codec_chain_encode(chain, want, &again, &err));
    assert_string_equal(to_hex(again.data, again.len), golden_texts);
    survives_damage(chain, vvi_buf_bytes(&again));
    vvi_codec_chain_free(chain);

    chain = chain_of("[\"vlen-bytes\"]", array_of_shape(VV_BYTES, 1, &three));
    golden = from_hex(golden_bytes);
    assert_vv_ok(vvi_codec_chain_decode(chain, vvi_buf_bytes(&golden), out, &heap, &err));
    assert_int_equal(out[0].len, 0);
    assert_memory_equal(out[1].data, "\0\xff", 2);
    assert_memory_equal(out[2].data, "abc", 3);
    vv_buf_clear(&golden);
    vv_buf_clear(&again);
    vvi_codec_chain_free(chain);
    vvi_heap_clear(&heap);
}

static const char *const chains[] = {
    "none",
    "zstd:1",
    "gzip+crc32c",
    "blosc:lz4:5",
    "zstd+gzip",
    "[{\"name\":\"transpose\",\"configuration\":{\"order\":[1,0]}},\"vlen-utf8\",\"zstd\"]",
    "[{\"name\":\"sharding_indexed\",\"configuration\":{\"chunk_shape\":[5,10],\"codecs\":["
    "\"vlen-utf8\",\"zstd\"]}}]",
    "[{\"name\":\"sharding_indexed\",\"configuration\":{\"chunk_shape\":[20,2],\"codecs\":["
    "\"vlen-utf8\"]}},\"zstd\"]",
};
#define CHAIN_COUNT (sizeof(chains) / sizeof(chains[0]))

/* 400 texts, some long, half of them the fill value. */
static const uint64_t many[2] = { 20, 20 };

static void make_many(vv_bytes *out, const char *letters)
{
    uint64_t random = 3;

    for (size_t i = 0; i < 400; i++) {
        size_t len = next_random(&random) % 40;

        out[i] = i < 100 || i % 3 == 0 ? vv_bytes_of("fill")
                                       : vvi_bytes(letters + i, len);
    }
}

static vv_status run_many(void *ctx)
{
    static char letters[500];
    const vv_bytes fill = vv_bytes_of("fill");
    vvi_codec_array array = array_of_shape(VV_STRING, 2, many);
    vv_bytes want[400], out[400];
    vvi_heap heap;
    vv_status status;

    for (size_t i = 0; i < sizeof(letters); i++)
        letters[i] = (char)('a' + i % 26);
    array.fill = &fill;
    make_many(want, letters);
    status = vvi_heap_init(&heap, NULL);
    if (status)
        return status;
    status = there_and_back(ctx, &array, want, out, &heap);
    if (!status)
        assert_same_texts(out, want, 400);
    vvi_heap_clear(&heap);
    return status;
}

static void texts_pass_through_every_kind_of_chain(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHAIN_COUNT; i++)
        assert_int_equal(run_many((void *)(uintptr_t)chains[i]), VV_OK);
}

static void texts_survive_any_failing_allocation(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHAIN_COUNT; i++)
        survives_failing_allocations(run_many, (void *)(uintptr_t)chains[i]);
}

static void what_is_no_chunk_of_texts_is_refused(void **state)
{
    static const struct {
        const char *hex, *named;
    } cases[] = {
        { "", "elements" },
        { "040000", "elements" },
        { "03000000000000000000000000000000", "elements" },
        { "ffffffff000000000000000000000000", "elements" },
        { "04000000", "element 0" },
        { "04000000000000000000000000000000", "element 3" },
        { "040000000000000000000000000000000100000078ff", "behind" },
        { "04000000000000000000000000000000ffffffff", "past the data" },
        { "0400000000000000000000000000000001000000", "past the data" },
        { "04000000000000000000000000000000010000"
          "00ff",
          "UTF-8" },
        { "0400000000000000000000000000000002000000c080", "UTF-8" },
        { "0400000000000000000000000000000003000000eda080", "UTF-8" },
    };
    vvi_codec_chain *chain = chain_of("none", array_of_shape(VV_STRING, 1, &four));
    vvi_heap heap;

    (void)state;
    assert_int_equal(vvi_heap_init(&heap, NULL), VV_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vv_buf encoded = from_hex(cases[i].hex);
        vv_error err = VV_ERROR_INIT;
        vv_bytes out[4];
        vv_status status = vvi_codec_chain_decode(chain, vvi_buf_bytes(&encoded), out,
                                                  &heap, &err);

        if (status != VV_ECORRUPT || !strstr(err.message, cases[i].named))
            fail_msg("%s: %s, %s", cases[i].hex, vv_status_name(status), err.message);
        vv_buf_clear(&encoded);
    }
    vvi_heap_clear(&heap);
    vvi_codec_chain_free(chain);
}

static void text_that_is_not_utf8_is_not_written(void **state)
{
    vvi_codec_chain *chain = chain_of("none", array_of_shape(VV_STRING, 1, &four));
    vv_bytes texts[4];
    vv_error err = VV_ERROR_INIT;
    vv_buf out = VV_BUF_INIT;

    (void)state;
    fill_texts(texts);
    texts[2] = vv_bytes_of("\xff");
    assert_int_equal(vvi_codec_chain_encode(chain, texts, &out, &err), VV_EINVAL);
    assert_non_null(strstr(err.message, "element 2"));
    assert_int_equal(out.len, 0);
    vvi_codec_chain_free(chain);
}

/* A kilobyte that says it holds four texts and unfolds into 256 MiB. */
static void a_bomb_of_text_is_refused(void **state)
{
    const uint64_t length = (uint64_t)256 << 20;
    uint8_t *zeros = calloc(length, 1);
    vvi_codec_chain *bytes = chain_of("zstd:1+zstd:1",
                                      array_of_shape(VV_UINT8, 1, &length));
    vvi_codec_chain *texts = chain_of("zstd+zstd", array_of_shape(VV_STRING, 1, &four));
    vv_error err = VV_ERROR_INIT;
    vv_buf bomb = VV_BUF_INIT;
    vv_bytes out[4];
    vvi_heap heap;

    (void)state;
    assert_non_null(zeros);
    vvi_put_le32(zeros, 4);
    assert_vv_ok(vvi_codec_chain_encode(bytes, zeros, &bomb, &err));
    assert_in_range(bomb.len, 1, 4096);
    assert_vv_ok(vvi_heap_init(&heap, &err));
    assert_int_equal(
        vvi_codec_chain_decode(texts, vvi_buf_bytes(&bomb), out, &heap, &err),
        VV_ECORRUPT);
    assert_non_null(strstr(err.message, "unfolds"));
    vvi_heap_clear(&heap);
    vv_buf_clear(&bomb);
    vvi_codec_chain_free(bytes);
    vvi_codec_chain_free(texts);
    free(zeros);
}

static void types_and_codecs_that_do_not_fit_are_refused(void **state)
{
    static const struct {
        vv_dtype dtype;
        const char *text;
    } cases[] = {
        { VV_STRING, "[\"bytes\"]" },    { VV_STRING, "[\"vlen-bytes\"]" },
        { VV_BYTES, "[\"vlen-utf8\"]" }, { VV_INT32, "[\"vlen-utf8\"]" },
        { VV_INT8, "[\"vlen-bytes\"]" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vvi_codec_array array = array_of_shape(cases[i].dtype, 1, &four);
        vvi_codec_chain *chain = NULL;
        vv_error err = VV_ERROR_INIT;

        assert_int_equal(make_chain(cases[i].text, &array, &chain, &err), VV_ECORRUPT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_of_another_writer_are_read_and_written_alike),
        cmocka_unit_test(texts_pass_through_every_kind_of_chain),
        cmocka_unit_test(texts_survive_any_failing_allocation),
        cmocka_unit_test(what_is_no_chunk_of_texts_is_refused),
        cmocka_unit_test(text_that_is_not_utf8_is_not_written),
        cmocka_unit_test(a_bomb_of_text_is_refused),
        cmocka_unit_test(types_and_codecs_that_do_not_fit_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
