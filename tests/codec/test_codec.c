/* The room codec: round trips, settings as metadata writes them, damage and bombs. */
#include "chains.h"

static const uint64_t shape = 1000;

static vvi_codec_array array_with(size_t item, size_t word, const uint64_t *lengths,
                                  uint64_t elements)
{
    vvi_codec_array array = { .ndim = 1, .shape = lengths, .elements = elements };

    assert_true(vvi_dtype_init(item == 1   ? VV_UINT8
                               : item == 4 ? VV_FLOAT32
                               : item == 8 ? VV_FLOAT64
                                           : VV_COMPLEX128,
                               &array.dtype));
    assert_int_equal(array.dtype.item, item);
    assert_int_equal(array.dtype.word, word);
    return array;
}

static vvi_codec_array array_of(size_t item, size_t word)
{
    return array_with(item, word, &shape, shape);
}

static void fill_values(double *values)
{
    uint64_t random = 11;

    for (size_t i = 0; i < shape; i++)
        values[i] = (double)(next_random(&random) % 50) / 4;
}

static const char *const texts[] = {
    "none",
    "zstd",
    "zstd:-5",
    "zstd:19+crc32c",
    "gzip:1",
    "gzip:0",
    "crc32c",
    "crc32c+crc32c",
    "blosc",
    "blosc:zstd:3",
    "blosc:blosclz:9:noshuffle",
    "blosc:zlib:1:bitshuffle",
    "blosc:lz4hc:5",
    "bytes:big",
    "bytes:big+zstd:1",
    "bytes:big+gzip:9+zstd:1+crc32c",
    "crc32c+gzip:6",
    "zstd:1+gzip:1",
    "shuffle+lz4",
    "shuffle+zlib:9+adler32",
    "bz2+crc32",
    "lzma:1",
    "delta+fletcher32",
    "bytes:big+blosc:zstd:1:bitshuffle+crc32c",
    "transpose:0+blosc:lz4",
    "[\"bytes\"]",
};

static void every_chain_gives_back_what_it_was_given(void **state)
{
    double values[1000], back[1000];
    vv_error err = VV_ERROR_INIT;

    (void)state;
    fill_values(values);
    for (size_t t = 0; t + 1 < sizeof(texts) / sizeof(texts[0]); t++) {
        vvi_codec_chain *chain = chain_of(texts[t], array_of(8, 8));
        vv_buf encoded = VV_BUF_INIT;
        vv_bytes view;
        bool found;

        assert_vv_ok(vvi_codec_chain_encode(chain, values, &encoded, &err));
        memset(back, 0, sizeof(back));
        assert_vv_ok(
            vvi_codec_chain_decode(chain, vvi_buf_bytes(&encoded), back, NULL, &err));
        assert_memory_equal(back, values, sizeof(values));
        assert_vv_ok(
            vvi_codec_chain_view(chain, vvi_buf_bytes(&encoded), &view, &found, &err));
        assert_int_equal(found, strcmp(texts[t], "none") == 0 || t == 6 || t == 7);
        if (found) {
            assert_int_equal(view.len, sizeof(values));
            assert_memory_equal(view.data, values, sizeof(values));
        }
        vv_buf_clear(&encoded);
        vvi_codec_chain_free(chain);
    }
}

static void big_endian_turns_each_word_and_half_of_a_complex_element(void **state)
{
    static const uint8_t native[16] = { 1, 2,  3,  4,  5,  6,  7,  8,
                                        9, 10, 11, 12, 13, 14, 15, 16 };
    static const uint8_t turned[16] = { 8,  7,  6,  5,  4,  3,  2,  1,
                                        16, 15, 14, 13, 12, 11, 10, 9 };
    const uint64_t one = 1;
    vvi_codec_array array = array_with(16, 8, &one, 1);
    vvi_codec_chain *chain = chain_of("bytes:big", array);
    vv_error err = VV_ERROR_INIT;
    vv_buf out = VV_BUF_INIT;

    (void)state;
    assert_vv_ok(vvi_codec_chain_encode(chain, native, &out, &err));
    assert_int_equal(out.len, 16);
    assert_memory_equal(out.data, turned, 16);
    vv_buf_clear(&out);
    vvi_codec_chain_free(chain);
}

/* The text "abcdefgh" as the programs gzip and zstd write it (the second without a stated size),
 * and with the CRC-32C of RFC 3720's 32 zero bytes. */
static void foreign_bytes_are_read(void **state)
{
    static const struct {
        const char *codecs, *hex, *decoded;
    } cases[] = {
        { "gzip", "1f8b08000000000002034b4c4a4e494d4bcf0000502aefae08000000",
          "6162636465666768" },
        { "zstd", "28b52ffd04584100006162636465666768b734465b", "6162636465666768" },
        { "zstd", "28b52ffd00584100006162636465666768", "6162636465666768" },
        { "crc32c",
          "0000000000000000000000000000000000000000000000000000000000000000aa36918a",
          "0000000000000000000000000000000000000000000000000000000000000000" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vv_buf encoded = from_hex(cases[i].hex);
        uint64_t n = strlen(cases[i].decoded) / 2;
        vvi_codec_chain *chain = chain_of(cases[i].codecs, array_with(1, 1, &n, n));
        vv_error err = VV_ERROR_INIT;
        uint8_t out[32];

        assert_vv_ok(
            vvi_codec_chain_decode(chain, vvi_buf_bytes(&encoded), out, NULL, &err));
        assert_string_equal(to_hex(out, n), cases[i].decoded);
        vvi_codec_chain_free(chain);
        vv_buf_clear(&encoded);
    }
}

static void metadata_is_read_in_every_spelling(void **state)
{
    static const char *const spellings[] = {
        "[\"bytes\", \"zstd\"]",
        "[{\"name\":\"bytes\",\"configuration\":{\"endian\":\"little\"}},"
        "{\"name\":\"zstd\",\"configuration\":{\"level\":0,\"checksum\":false}}]",
        "[{\"name\":\"endian\",\"configuration\":{\"endian\":\"big\"}},"
        "{\"name\":\"gzip\",\"configuration\":{\"level\":5}}]",
        "[{\"name\":\"bytes\",\"configuration\":{}},{\"name\":\"crc32c\"}]",
        "[{\"name\":\"bytes\",\"configuration\":null},{\"name\":\"crc32c\",\"configuration\":{}}]",
        "[{\"name\":\"bytes\"},{\"name\":\"numcodecs.zstd\",\"configuration\":{\"level\":3}}]",
        "[{\"name\":\"bytes\"},{\"name\":\"blosc\",\"configuration\":{\"typesize\":1,\"cname\":"
        "\"zstd\",\"clevel\":5,\"shuffle\":\"bitshuffle\",\"blocksize\":0}}]",
        "[{\"name\":\"bytes\"},{\"name\":\"numcodecs.blosc\",\"configuration\":{\"cname\":"
        "\"lz4\",\"clevel\":5,\"shuffle\":-1,\"blocksize\":0}}]",
    };
    vv_error err = VV_ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++)
        vvi_codec_chain_free(chain_of(spellings[i], array_of(1, 1)));
    vvi_codec_array array = array_of(4, 4);
    vvi_codec_chain *chain = NULL;
    assert_int_equal(make_chain("[\"bytes\"]", &array, &chain, &err), VV_ECORRUPT);
    assert_non_null(strstr(err.message, "endian"));
}

static void metadata_that_cannot_be_meant_is_refused_by_name(void **state)
{
    static const struct {
        const char *text;
        vv_status status;
        const char *named;
    } cases[] = {
        { "[]", VV_ECORRUPT, "codecs" },
        { "[1]", VV_ECORRUPT, "name" },
        { "[{}]", VV_ECORRUPT, "name" },
        { "[\"zstd\"]", VV_ECORRUPT, "zstd" },
        { "[\"bytes\",\"bytes\"]", VV_ECORRUPT, "bytes" },
        { "[\"bytes\",\"sharding_indexed\"]", VV_ECORRUPT, "sharding_indexed" },
        { "[{\"name\":\"vlen-utf8\"}]", VV_ECORRUPT, "vlen-utf8" },
        { "[\"bytes\",\"pcodec\"]", VV_EUNSUPPORTED, "'pcodec'" },
        { "[\"bytes\",\"pcodec\"]", VV_EUNSUPPORTED, "there are transpose, " },
        { "[\"bytes\",{\"name\":\"zstd\",\"configuration\":3}]", VV_ECORRUPT, "zstd" },
        { "[\"bytes\",{\"name\":\"zstd\",\"configuration\":{\"level\":\"3\"}}]",
          VV_ECORRUPT, "level" },
        { "[\"bytes\",{\"name\":\"zstd\",\"configuration\":{\"level\":100}}]",
          VV_ECORRUPT, "level" },
        { "[\"bytes\",{\"name\":\"zstd\",\"configuration\":{\"dictionary\":1}}]",
          VV_EUNSUPPORTED, "dictionary" },
        { "[\"bytes\",{\"name\":\"zstd\",\"configuration\":{\"checksum\":1}}]",
          VV_ECORRUPT, "checksum" },
        { "[\"bytes\",{\"name\":\"blosc\",\"configuration\":{\"cname\":\"lzma\"}}]",
          VV_EUNSUPPORTED, "lzma" },
        { "[\"bytes\",{\"name\":\"blosc\",\"configuration\":{\"cname\":7}}]", VV_ECORRUPT,
          "cname" },
        { "[\"bytes\",{\"name\":\"blosc\",\"configuration\":{\"shuffle\":\"x\"}}]",
          VV_ECORRUPT, "shuffle" },
        { "[\"bytes\",{\"name\":\"crc32c\",\"configuration\":{\"location\":\"middle\"}}]",
          VV_ECORRUPT, "location" },
        { "[{\"name\":\"bytes\",\"configuration\":{\"endian\":\"middle\"}}]", VV_ECORRUPT,
          "endian" },
        { "[\"bytes\",\"crc32c\",\"crc32c\",\"crc32c\",\"crc32c\",\"crc32c\",\"crc32c\",\"crc32c\","
          "\"crc32c\",\"crc32c\",\"crc32c\",\"crc32c\",\"crc32c\",\"crc32c\",\"crc32c\",\"crc32c\","
          "\"crc32c\",\"crc32c\"]",
          VV_EUNSUPPORTED, "16" },
        { "[", VV_EINVAL, "codecs" },
        { "xz:3", VV_EINVAL, "xz" },
        { "lzma:10", VV_ECORRUPT, "preset" },
        { "[\"bytes\",{\"name\":\"lzma\",\"configuration\":{\"format\":3}}]", VV_ECORRUPT,
          "filters" },
        { "[\"bytes\",{\"name\":\"lzma\",\"configuration\":{\"filters\":[{\"id\":4}]}}]",
          VV_EUNSUPPORTED, "filter 4" },
        { "[\"bytes\",{\"name\":\"lzma\",\"configuration\":{\"format\":2,"
          "\"filters\":[{\"id\":33}]}}]",
          VV_ECORRUPT, "LZMA1" },
        { "[\"bytes\",{\"name\":\"lzma\",\"configuration\":{\"filters\":[{\"id\":33,"
          "\"dict_size\":1073741824}]}}]",
          VV_ECORRUPT, "dict_size" },
        { "zstd:fast", VV_EINVAL, "fast" },
        { "zstd:3:4", VV_EINVAL, "4" },
        { "zstd:", VV_EINVAL, "zstd" },
        { "none:1", VV_EINVAL, "none" },
        { "xz", VV_EINVAL, "there are none, transpose" },
        { "none+zstd", VV_EINVAL, "none" },
        { "zstd+bytes", VV_EINVAL, "place" },
        { "zstd+delta", VV_EINVAL, "place" },
        { "bytes+bytes", VV_EINVAL, "place" },
        { "transpose", VV_EINVAL, "order" },
        { "transpose:1,", VV_EINVAL, "order" },
        { "transpose:a", VV_EINVAL, "order" },
        { "cast_value", VV_EINVAL, "type" },
        { "cast_value:string32", VV_EINVAL, "string32" },
        { "quantize", VV_EINVAL, "digits" },
        { "quantize:x", VV_EINVAL, "digits" },
        { "fixedscaleoffset:2", VV_EINVAL, "offset" },
        { "delta:3", VV_EINVAL, "3" },
        { "zstd+", VV_EINVAL, "''" },
        { "blosc:lz4:5:shuffle:0", VV_EINVAL, "blosc" },
    };
    vvi_codec_array array = array_of(1, 1);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vv_error err = VV_ERROR_INIT;
        vvi_codec_chain *chain = NULL;
        vv_status status = make_chain(cases[i].text, &array, &chain, &err);

        if (status != cases[i].status || !strstr(err.message, cases[i].named))
            fail_msg("%s: %s, %s", cases[i].text, vv_status_name(status), err.message);
        assert_null(chain);
    }
}

static void short_forms_become_metadata(void **state)
{
    static const struct {
        vv_dtype dtype;
        const char *text, *metadata;
    } cases[] = {
        { VV_FLOAT32, "shuffle+zstd:3",
          "[{\"name\": \"bytes\", \"configuration\": {\"endian\": \"little\"}}, "
          "{\"name\": \"numcodecs.shuffle\", \"configuration\": {\"elementsize\": 4}}, "
          "{\"name\": \"zstd\", \"configuration\": {\"level\": 3, \"checksum\": false}}]" },
        { VV_FLOAT64, "fixedscaleoffset:100:1.5:int16+shuffle+lz4",
          "[{\"name\": \"numcodecs.fixedscaleoffset\", \"configuration\": {\"scale\": 100, "
          "\"offset\": 1.5, \"dtype\": \"<f8\", \"astype\": \"<i2\"}}, "
          "{\"name\": \"bytes\", \"configuration\": {\"endian\": \"little\"}}, "
          "{\"name\": \"numcodecs.shuffle\", \"configuration\": {\"elementsize\": 2}}, "
          "{\"name\": \"numcodecs.lz4\", \"configuration\": {\"acceleration\": 1}}]" },
        { VV_INT32, "transpose:1,0+bytes:big",
          "[{\"name\": \"transpose\", \"configuration\": {\"order\": [1, 0]}}, "
          "{\"name\": \"bytes\", \"configuration\": {\"endian\": \"big\"}}]" },
        { VV_UINT16, "scale_offset:2:1000+cast_value:uint8:clamp",
          "[{\"name\": \"scale_offset\", \"configuration\": {\"scale\": 2, \"offset\": 1000}}, "
          "{\"name\": \"cast_value\", \"configuration\": {\"data_type\": \"uint8\", "
          "\"out_of_range\": \"clamp\"}}, {\"name\": \"bytes\"}]" },
        { VV_BOOL, "packbits+crc32c",
          "[{\"name\": \"packbits\"}, {\"name\": \"crc32c\"}]" },
        { VV_STRING, "none", "[{\"name\": \"vlen-utf8\"}]" },
        { VV_INT64, "delta+bz2+adler32",
          "[{\"name\": \"numcodecs.delta\", \"configuration\": {\"dtype\": \"<i8\"}}, "
          "{\"name\": \"bytes\", \"configuration\": {\"endian\": \"little\"}}, "
          "{\"name\": \"numcodecs.bz2\", \"configuration\": {\"level\": 9}}, "
          "{\"name\": \"numcodecs.adler32\"}]" },
    };
    const uint64_t two[2] = { 3, 5 };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vvi_codec_array array = array_of_shape(cases[i].dtype, 2, two);
        vv_error err = VV_ERROR_INIT;
        vvi_json *codecs = NULL;
        vv_buf text = VV_BUF_INIT;

        assert_vv_ok(vvi_codecs_from_text(cases[i].text, &array, &codecs, &err));
        assert_vv_ok(vvi_json_write(codecs, 0, &text, &err));
        assert_vv_ok(vvi_buf_terminate(&text, &err));
        assert_string_equal((const char *)text.data, cases[i].metadata);
        vvi_codec_chain_free(chain_of(cases[i].text, array));
        vvi_json_free(codecs);
        vv_buf_clear(&text);
    }
}

static void damaged_data_is_refused_where_a_checksum_sees_it_and_never_overflows(
    void **state)
{
    double values[1000], back[1001];
    vv_error err = VV_ERROR_INIT;
    uint64_t random = 5;

    (void)state;
    fill_values(values);
    for (size_t t = 0; t + 1 < sizeof(texts) / sizeof(texts[0]); t++) {
        vvi_codec_chain *chain = chain_of(texts[t], array_of(8, 8));
        vv_buf encoded = VV_BUF_INIT;
        bool summed = strstr(texts[t], "crc32c") != NULL;

        assert_vv_ok(vvi_codec_chain_encode(chain, values, &encoded, &err));
        back[1000] = 42;
        for (int i = 0; i < 300; i++) {
            size_t at = next_random(&random) % encoded.len;
            uint8_t bit = (uint8_t)(1u << next_random(&random) % 8);
            size_t len = i % 3 ? encoded.len : next_random(&random) % encoded.len;
            vv_status status;

            encoded.data[at] ^= bit;
            status = vvi_codec_chain_decode(chain, vvi_bytes(encoded.data, len), back,
                                            NULL, &err);
            if (status)
                assert_int_equal(status, VV_ECORRUPT);
            else if (summed)
                assert_memory_equal(back, values, sizeof(values));
            encoded.data[at] ^= bit;
            assert_true(back[1000] == 42);
        }
        vv_buf_clear(&encoded);
        vvi_codec_chain_free(chain);
    }
}

#define LZMA(settings_) \
    "[\"bytes\",{\"name\":\"numcodecs.lzma\",\"configuration\":{" settings_ "}}]"

/* Bytes 0 … 39, as Python's lzma makes them of each format. */
static void every_form_of_lzma_is_read(void **state)
{
    static const struct {
        const char *codecs, *encoded;
    } cases[] = {
        { LZMA("\"format\":1,\"check\":-1,\"preset\":null,\"filters\":null"),
          "fd377a585a000004e6d6b4460200210110000000a8708e86010027000102030405060708"
          "090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262700205f756a"
          "798e285100014028d4524ae51fb6f37d010000000004595a" },
        { LZMA("\"format\":2"),
          "5d00008000ffffffffffffffff00000052500a84f99bb28021a969d627e03e065a5f048d"
          "53d404ba39570509c15524de9db8715933da78f4ffff1ae40000" },
        { LZMA(
              "\"format\":3,\"filters\":[{\"id\":3,\"dist\":4},{\"id\":33,\"preset\":1}]"),
          "e00027000b5d00000052500aa079b7f8000000" },
        { LZMA(""),
          "fd377a585a000004e6d6b4460200210110000000a8708e86010013000102030405060708"
          "090a0b0c0d0e0f1011121300c3e7009f18adefc600012c14f80a6d031fb6f37d01000000"
          "0004595afd377a585a000000ff12d9410200210116000000742fe5a30100131415161718"
          "191a1b1c1d1e1f20212223242526270000012414f080b4cb06729e7a010000000000595a" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const uint64_t forty = 40;
        vvi_codec_chain *chain = chain_of(cases[i].codecs, array_with(1, 1, &forty, 40));
        vv_buf encoded = from_hex(cases[i].encoded);
        vv_buf again = VV_BUF_INIT;
        vv_error err = VV_ERROR_INIT;
        uint8_t out[40];

        for (int round = 0; round < 2; round++) { /* as Python wrote it, and as we do */
            vv_bytes bytes = vvi_buf_bytes(round ? &again : &encoded);

            memset(out, 0xFF, sizeof(out));
            assert_vv_ok(vvi_codec_chain_decode(chain, bytes, out, NULL, &err));
            for (uint8_t k = 0; k < 40; k++)
                assert_int_equal(out[k], k);
            for (size_t cut = 0; cut < bytes.len; cut++)
                assert_int_not_equal(vvi_codec_chain_decode(chain,
                                                            vvi_bytes(bytes.data, cut),
                                                            out, NULL, &err),
                                     VV_OK);
            if (!round) {
                for (uint8_t k = 0; k < 40; k++)
                    out[k] = k;
                assert_vv_ok(vvi_codec_chain_encode(chain, out, &again, &err));
            }
        }
        vv_buf_clear(&encoded);
        vv_buf_clear(&again);
        vvi_codec_chain_free(chain);
    }
}

/* A chunk of a thousand bytes, given the encoded form of ten million. */
static void a_bomb_is_refused_without_unfolding_it(void **state)
{
    static const char *const chains[] = { "zstd:3",        "gzip:9",        "blosc:lz4:5",
                                          "gzip:9+gzip:9", "zstd:1+zstd:1", "none",
                                          "lzma:1",        "crc32c" };
    const uint64_t many = 10000000;
    uint8_t *zeros = calloc(many, 1);
    uint8_t out[1001];
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_non_null(zeros);
    for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
        vvi_codec_chain *large = chain_of(chains[i], array_with(1, 1, &many, many));
        vvi_codec_chain *small = chain_of(chains[i], array_of(1, 1));
        vv_buf encoded = VV_BUF_INIT;

        assert_vv_ok(vvi_codec_chain_encode(large, zeros, &encoded, &err));
        out[1000] = 42;
        assert_int_equal(
            vvi_codec_chain_decode(small, vvi_buf_bytes(&encoded), out, NULL, &err),
            VV_ECORRUPT);
        assert_int_equal(out[1000], 42);
        vv_buf_clear(&encoded);
        vvi_codec_chain_free(large);
        vvi_codec_chain_free(small);
    }
    free(zeros);
}

static void a_long_chain_asks_for_no_more_memory_than_a_short_one(void **state)
{
    const uint64_t many = (uint64_t)1 << 28;
    vvi_codec_chain *chain = chain_of(
        "zstd+zstd+zstd+zstd+zstd+zstd+zstd+zstd+zstd+zstd+zstd+zstd+zstd+zstd+zstd",
        array_with(1, 1, &many, many));
    vv_error err = VV_ERROR_INIT;
    uint8_t none = 0;

    (void)state;
    assert_int_equal(
        vvi_codec_chain_decode(chain, vv_bytes_of("junk"), &none, NULL, &err),
        VV_ECORRUPT);
    vvi_codec_chain_free(chain);
}

static void a_chunk_past_the_limit_is_refused_before_it_is_allocated(void **state)
{
    const uint64_t many = UINT64_MAX / 4;
    vvi_codec_chain *chain = chain_of("zstd", array_with(8, 8, &many, many));
    vv_error err = VV_ERROR_INIT;
    vv_buf out = VV_BUF_INIT;
    double value = 0;

    (void)state;
    assert_int_equal(vvi_codec_chain_encode(chain, &value, &out, &err), VV_ELIMIT);
    assert_int_equal(vvi_codec_chain_decode(chain, vv_bytes_of("x"), &value, NULL, &err),
                     VV_ELIMIT);
    vvi_codec_chain_free(chain);
}

static void gzip_reads_several_members_as_one(void **state)
{
    uint64_t half = 500;
    vvi_codec_chain *part = chain_of("gzip:6", array_with(1, 1, &half, half));
    vvi_codec_chain *whole = chain_of("gzip:6", array_of(1, 1));
    vv_error err = VV_ERROR_INIT;
    vv_buf first = VV_BUF_INIT;
    vv_buf second = VV_BUF_INIT;
    uint8_t values[1000], back[1000];

    (void)state;
    for (size_t i = 0; i < 1000; i++)
        values[i] = (uint8_t)(i / 3);
    assert_vv_ok(vvi_codec_chain_encode(part, values, &first, &err));
    assert_vv_ok(vvi_codec_chain_encode(part, values + 500, &second, &err));
    assert_vv_ok(vvi_buf_append(&first, vvi_buf_bytes(&second), &err));
    assert_vv_ok(vvi_codec_chain_decode(whole, vvi_buf_bytes(&first), back, NULL, &err));
    assert_memory_equal(back, values, 1000);
    assert_vv_ok(vvi_buf_append_text(&first, "x", &err));
    assert_int_equal(
        vvi_codec_chain_decode(whole, vvi_buf_bytes(&first), back, NULL, &err),
        VV_ECORRUPT);
    vv_buf_clear(&first);
    vv_buf_clear(&second);
    vvi_codec_chain_free(part);
    vvi_codec_chain_free(whole);
}

static vv_status make_encode_and_decode(void *ctx)
{
    vvi_codec_array array = array_of(8, 8);
    vvi_codec_chain *chain = NULL;
    vv_buf encoded = VV_BUF_INIT;
    double values[1000];
    vv_status status = make_chain(ctx, &array, &chain, NULL);

    fill_values(values);
    if (!status)
        status = vvi_codec_chain_encode(chain, values, &encoded, NULL);
    if (!status)
        status = vvi_codec_chain_decode(chain, vvi_buf_bytes(&encoded), values, NULL,
                                        NULL);
    vv_buf_clear(&encoded);
    vvi_codec_chain_free(chain);
    return status;
}

static void chains_survive_any_failing_allocation(void **state)
{
    char text[] = "bytes:big+gzip:9+zstd:1+crc32c";
    char blosc[] = "blosc:lz4:1";

    (void)state;
    survives_failing_allocations(make_encode_and_decode, text);
    survives_failing_allocations(make_encode_and_decode, blosc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_chain_gives_back_what_it_was_given),
        cmocka_unit_test(big_endian_turns_each_word_and_half_of_a_complex_element),
        cmocka_unit_test(foreign_bytes_are_read),
        cmocka_unit_test(metadata_is_read_in_every_spelling),
        cmocka_unit_test(metadata_that_cannot_be_meant_is_refused_by_name),
        cmocka_unit_test(short_forms_become_metadata),
        cmocka_unit_test(
            damaged_data_is_refused_where_a_checksum_sees_it_and_never_overflows),
        cmocka_unit_test(every_form_of_lzma_is_read),
        cmocka_unit_test(a_bomb_is_refused_without_unfolding_it),
        cmocka_unit_test(a_long_chain_asks_for_no_more_memory_than_a_short_one),
        cmocka_unit_test(a_chunk_past_the_limit_is_refused_before_it_is_allocated),
        cmocka_unit_test(gzip_reads_several_members_as_one),
        cmocka_unit_test(chains_survive_any_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
