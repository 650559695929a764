/* Codecs "sharding_indexed" and "transpose": golden bytes, models, hostile indexes. */
#include "chains.h"

#include "codec/sharding.h"
#include "util/endian.h"

#include <stdio.h>

#define BYTES "{\"name\":\"bytes\",\"configuration\":{\"endian\":\"little\"}}"
#define INDEX "\"index_codecs\":[" BYTES ",\"crc32c\"]"
#define SHARDS(shape_, codecs_, more_)                                           \
    "[{\"name\":\"sharding_indexed\",\"configuration\":{\"chunk_shape\":" shape_ \
    ",\"codecs\":[" codecs_ "]" more_ "}}]"

static const uint64_t golden_shape[2] = { 4, 6 };

/* What zarr-python 3.1.6 wrote: a quarter each of sevens, of the numbers of the array in C order
 * (twice), and of the fill value 9. */
static const struct {
    const char *codecs, *hex;
} golden[] = {
    { "[{\"name\":\"sharding_indexed\",\"configuration\":{\"chunk_shape\":[2,"
      "3],\"codecs\":[{\"name\":\"bytes\",\"configuration\":{\"endian\":\"lit"
      "tle\"}}],\"index_codecs\":[{\"name\":\"bytes\",\"configuration\":{\"en"
      "dian\":\"little\"}},{\"name\":\"crc32c\"}],\"index_location\":\"end\"}"
      "}]",
      "0700070007000700070007000c000d000e0012001300140003000400050009000a000b"
      "0000000000000000000c0000000000000018000000000000000c000000000000000c00"
      "0000000000000c00000000000000ffffffffffffffffffffffffffffffffd1606ea8" },
    { "[{\"name\":\"sharding_indexed\",\"configuration\":{\"chunk_shape\":[2,"
      "3],\"codecs\":[{\"name\":\"bytes\",\"configuration\":{\"endian\":\"lit"
      "tle\"}}],\"index_codecs\":[{\"name\":\"bytes\",\"configuration\":{\"en"
      "dian\":\"big\"}}],\"index_location\":\"start\"}}]",
      "0000000000000040000000000000000c0000000000000058000000000000000c000000"
      "000000004c000000000000000cffffffffffffffffffffffffffffffff070007000700"
      "0700070007000c000d000e0012001300140003000400050009000a000b00" },
    { "[{\"name\":\"sharding_indexed\",\"configuration\":{\"chunk_shape\":[2,"
      "3],\"codecs\":[{\"name\":\"transpose\",\"configuration\":{\"order\":[1"
      ",0]}},{\"name\":\"bytes\",\"configuration\":{\"endian\":\"little\"}}],"
      "\"index_codecs\":[{\"name\":\"bytes\",\"configuration\":{\"endian\":\""
      "little\"}},{\"name\":\"crc32c\"}],\"index_location\":\"end\"}}]",
      "0700070007000700070007000c0012000d0013000e0014000300090004000a0005000b"
      "0000000000000000000c0000000000000018000000000000000c000000000000000c00"
      "0000000000000c00000000000000ffffffffffffffffffffffffffffffffd1606ea8" },
    { "[{\"name\":\"transpose\",\"configuration\":{\"order\":[1,0]}},{\"name"
      "\":\"sharding_indexed\",\"configuration\":{\"chunk_shape\":[2,2],\"cod"
      "ecs\":[{\"name\":\"bytes\",\"configuration\":{\"endian\":\"little\"}}]"
      ",\"index_codecs\":[{\"name\":\"bytes\",\"configuration\":{\"endian\":"
      "\"little\"}},{\"name\":\"crc32c\"}],\"index_location\":\"end\"}}]",
      "070007000700070007000700030009000c0012000d0013000e0014000900090004000a"
      "0005000b00000000000000000008000000000000001000000000000000080000000000"
      "0000080000000000000008000000000000001800000000000000080000000000000020"
      "000000000000000800000000000000ffffffffffffffffffffffffffffffff524a507e" },
    { "[{\"name\":\"sharding_indexed\",\"configuration\":{\"chunk_shape\":[2,"
      "6],\"codecs\":[{\"name\":\"sharding_indexed\",\"configuration\":{\"chu"
      "nk_shape\":[2,3],\"codecs\":[{\"name\":\"bytes\",\"configuration\":{\""
      "endian\":\"little\"}}],\"index_codecs\":[{\"name\":\"bytes\",\"configu"
      "ration\":{\"endian\":\"little\"}},{\"name\":\"crc32c\"}],\"index_locat"
      "ion\":\"end\"}}],\"index_codecs\":[{\"name\":\"bytes\",\"configuration"
      "\":{\"endian\":\"little\"}},{\"name\":\"crc32c\"}],\"index_location\":"
      "\"end\"}}]",
      "07000700070007000700070003000400050009000a000b0000000000000000000c0000"
      "00000000000c000000000000000c000000000000004e6d92840c000d000e0012001300"
      "140000000000000000000c00000000000000ffffffffffffffffffffffffffffffffcf"
      "be0a0500000000000000003c000000000000003c000000000000003000000000000000"
      "6984b9df" },
};

static void golden_values(int16_t out[24])
{
    for (int i = 0; i < 24; i++) {
        int row = i / 6;
        int column = i % 6;

        out[i] = (int16_t)(row < 2 && column < 3 ? 7 : row >= 2 && column >= 3 ? 9 : i);
    }
}

static void shards_of_another_writer_are_read_and_written_alike(void **state)
{
    const int16_t fill = 9;
    vvi_codec_array array = array_of_shape(VV_INT16, 2, golden_shape);
    int16_t want[24], out[24];
    vv_error err = VV_ERROR_INIT;

    (void)state;
    array.fill = &fill;
    golden_values(want);
    for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++) {
        vvi_codec_chain *chain = chain_of(golden[i].codecs, array);
        vv_buf bytes = from_hex(golden[i].hex);
        vv_buf again = VV_BUF_INIT;

        memset(out, 0, sizeof(out));
        assert_vv_ok(
            vvi_codec_chain_decode(chain, vvi_buf_bytes(&bytes), out, NULL, &err));
        assert_memory_equal(out, want, sizeof(want));
        assert_vv_ok(vvi_codec_chain_encode(chain, want, &again, &err));
        assert_vv_ok(
            vvi_codec_chain_decode(chain, vvi_buf_bytes(&again), out, NULL, &err));
        assert_memory_equal(out, want, sizeof(want));
        assert_int_equal(again.len, bytes.len);
        survives_damage(chain, vvi_buf_bytes(&bytes));
        vv_buf_clear(&bytes);
        vv_buf_clear(&again);
        vvi_codec_chain_free(chain);
    }
}

/* ---- random shards --------------------------------------------------------------------------- */

#define NDIM_MAX 4

static void print_list(char *out, uint32_t n, const uint64_t *numbers)
{
    strcpy(out, "[");
    for (uint32_t i = 0; i < n; i++)
        sprintf(out + strlen(out), "%s%d", i ? "," : "", (int)numbers[i]);
    strcat(out, "]");
}

static const char *const inner_codecs[] = {
    BYTES,
    BYTES ",\"zstd\"",
    BYTES ",\"crc32c\"",
    "{\"name\":\"bytes\",\"configuration\":{\"endian\":\"big\"}},\"gzip\",\"crc32c\"",
};
static const char *const index_settings[] = {
    "," INDEX,
    "," INDEX ",\"index_location\":\"start\"",
    ",\"index_codecs\":[{\"name\":\"bytes\",\"configuration\":{\"endian\":\"big\"}}],"
    "\"index_location\":\"end\"",
    ",\"index_codecs\":[{\"name\":\"transpose\",\"configuration\":{\"order\":\"F\"}}," BYTES
    "]",
    "",
};

/* Random runs, so that some inner chunks are nothing but the fill value 5. */
static void random_values(int32_t *out, size_t n, uint64_t *random)
{
    int32_t value = 5;

    for (size_t i = 0; i < n; i++) {
        if (next_random(random) % 16 == 0)
            value = next_random(random) % 2 ? 5 : (int32_t)(next_random(random) % 1000);
        out[i] = value;
    }
}

static void check_random_shard(uint64_t *random)
{
    const int32_t fill = 5;
    uint32_t ndim = (uint32_t)(next_random(random) % (NDIM_MAX + 1));
    uint64_t shape[NDIM_MAX], chunk[NDIM_MAX];
    char list[64];
    char text[800];
    vv_error err = VV_ERROR_INIT;

    for (uint32_t d = 0; d < ndim; d++) {
        chunk[d] = 1 + next_random(random) % 4;
        shape[d] = chunk[d] * (1 + next_random(random) % 3);
    }
    print_list(list, ndim, chunk);
    snprintf(text, sizeof(text),
             "[{\"name\":\"sharding_indexed\",\"configuration\":{\"chunk_shape\":%s,"
             "\"codecs\":[%s]%s}}%s]",
             list, inner_codecs[next_random(random) % 4],
             index_settings[next_random(random) % 5],
             next_random(random) % 3 ? "" : ",\"zstd\",\"crc32c\"");

    vvi_codec_array array = array_of_shape(VV_INT32, ndim, shape);
    int32_t *values = calloc(array.elements, 4);
    int32_t *back = calloc(array.elements, 4);
    vv_buf encoded = VV_BUF_INIT;

    array.fill = &fill;
    vvi_codec_chain *chain = chain_of(text, array);
    random_values(values, array.elements, random);
    assert_vv_ok(vvi_codec_chain_encode(chain, values, &encoded, &err));
    assert_vv_ok(
        vvi_codec_chain_decode(chain, vvi_buf_bytes(&encoded), back, NULL, &err));
    assert_memory_equal(back, values, array.elements * 4);
    vv_buf_clear(&encoded);
    vvi_codec_chain_free(chain);
    free(values);
    free(back);
}

static void shards_of_any_shape_give_back_what_they_were_given(void **state)
{
    uint64_t random = 2026;

    (void)state;
    for (int i = 0; i < 400; i++)
        check_random_shard(&random);
}

static void inner_chunks_of_fill_values_take_no_room(void **state)
{
    const uint64_t shape = 1000;
    vvi_codec_chain *chain = chain_of(SHARDS("[100]", BYTES, "," INDEX),
                                      array_of_shape(VV_FLOAT64, 1, &shape));
    const vvi_sharding *shard = vvi_codec_chain_sharding(chain);
    vv_error err = VV_ERROR_INIT;
    vv_buf out = VV_BUF_INIT;
    double values[1000] = { 0 };
    double back[1000];

    (void)state;
    assert_non_null(shard);
    assert_int_equal(shard->chunk_count, 10);
    assert_int_equal(shard->index_bytes, 164);
    assert_vv_ok(vvi_codec_chain_encode(chain, values, &out, &err));
    assert_int_equal(out.len, 164);
    memset(back, 1, sizeof(back));
    assert_vv_ok(vvi_codec_chain_decode(chain, vvi_buf_bytes(&out), back, NULL, &err));
    assert_memory_equal(back, values, sizeof(back));
    values[250] = 1;
    values[999] = 2;
    assert_vv_ok(vvi_codec_chain_encode(chain, values, &out, &err));
    assert_int_equal(out.len, 164 + 2 * 800);
    vv_buf_clear(&out);
    vvi_codec_chain_free(chain);
}

static void only_a_chain_of_nothing_but_sharding_is_one(void **state)
{
    const uint64_t shape = 8;
    vvi_codec_array array = array_of_shape(VV_INT8, 1, &shape);
    const char *const no[] = {
        "zstd", "[{\"name\":\"sharding_indexed\",\"configuration\":{\"chunk_"
                "shape\":[4],\"codecs\":[\"bytes\"]}},\"crc32c\"]"
    };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        vvi_codec_chain *chain = chain_of(no[i], array);

        assert_null(vvi_codec_chain_sharding(chain));
        vvi_codec_chain_free(chain);
    }
}

/* ---- the parts that an engine uses ----------------------------------------------------------- */

static void an_assembled_shard_decodes_and_one_of_nothing_is_empty(void **state)
{
    const uint64_t shape = 6;
    vvi_codec_chain *chain = chain_of(
        SHARDS("[2]", "\"bytes\"", "," INDEX ",\"index_location\":\"start\""),
        array_of_shape(VV_UINT8, 1, &shape));
    const vvi_sharding *shard = vvi_codec_chain_sharding(chain);
    vv_bytes chunks[3] = { vv_bytes_of("ab"), { NULL, 0 }, vv_bytes_of("yz") };
    vvi_shard_entry entries[3];
    vv_error err = VV_ERROR_INIT;
    vv_buf out = VV_BUF_INIT;
    uint8_t back[6];

    (void)state;
    assert_vv_ok(vvi_shard_assemble(shard, chunks, &out, &err));
    assert_vv_ok(vvi_codec_chain_decode(chain, vvi_buf_bytes(&out), back, NULL, &err));
    assert_memory_equal(back, "ab\0\0yz", 6);
    vv_range range = vvi_shard_index_range(shard);
    assert_int_equal(range.kind, VV_RANGE_SPAN);
    assert_int_equal(range.length, 52);
    assert_vv_ok(vvi_shard_index_decode(shard, vvi_bytes(out.data, 52), UINT64_MAX,
                                        entries, &err));
    assert_int_equal(entries[0].offset, 52);
    assert_int_equal(entries[0].length, 2);
    assert_true(entries[1].offset == UINT64_MAX && entries[1].length == UINT64_MAX);
    assert_int_equal(entries[2].offset, 54);
    chunks[0].data = chunks[2].data = NULL;
    assert_vv_ok(vvi_shard_assemble(shard, chunks, &out, &err));
    assert_int_equal(out.len, 0);
    vv_buf_clear(&out);
    vvi_codec_chain_free(chain);
}

static void an_index_that_lies_is_refused(void **state)
{
    static const struct {
        uint64_t offset, length;
        vv_status status;
    } cases[] = {
        { 0, 2, VV_OK },
        { 2, 2, VV_OK },
        { UINT64_MAX, UINT64_MAX, VV_OK },
        { 35, 2, VV_ECORRUPT }, /* past the shard's 36 bytes */
        { 0, 37, VV_ECORRUPT },
        { 1, UINT64_MAX - 1, VV_ECORRUPT },
        { UINT64_MAX - 1, 2, VV_ECORRUPT },
        { UINT64_MAX - 1, UINT64_MAX - 1, VV_ECORRUPT },
        { UINT64_MAX, 2, VV_ECORRUPT },
        { 0, UINT64_MAX, VV_ECORRUPT },
        { 0, 1, VV_ECORRUPT }, /* not a chunk's two bytes */
        { 0, 3, VV_ECORRUPT },
        { 0, 0, VV_ECORRUPT },
    };
    const uint64_t shape = 4;
    vvi_codec_chain *chain = chain_of(
        SHARDS("[2]", "\"bytes\"", ",\"index_codecs\":[" BYTES "]"),
        array_of_shape(VV_UINT8, 1, &shape));

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t shard[36] = "wxyz";
        uint8_t out[4];
        vv_error err = VV_ERROR_INIT;

        vvi_put_le64(shard + 4, cases[i].offset);
        vvi_put_le64(shard + 12, cases[i].length);
        memset(shard + 20, 0xFF, 16);
        vv_status status = vvi_codec_chain_decode(chain, vvi_bytes(shard, sizeof(shard)),
                                                  out, NULL, &err);
        if (status != cases[i].status)
            fail_msg("entry %d: %s, %s", (int)i, vv_status_name(status), err.message);
    }
    vvi_codec_chain_free(chain);
}

static void settings_that_cannot_be_meant_are_refused(void **state)
{
    static const struct {
        const char *text;
        vv_status status;
        const char *named;
    } cases[] = {
        { "[\"sharding_indexed\"]", VV_ECORRUPT, "chunk_shape" },
        { SHARDS("[3,3]", BYTES, ""), VV_ECORRUPT, "divide" },
        { SHARDS("[0,3]", BYTES, ""), VV_ECORRUPT, "divide" },
        { SHARDS("[8,12]", BYTES, ""), VV_ECORRUPT, "divide" },
        { SHARDS("[2]", BYTES, ""), VV_ECORRUPT, "2 lengths" },
        { SHARDS("[2,3]", "", ""), VV_ECORRUPT, "codecs" },
        { SHARDS("[2,3]", "\"lzo\"", ""), VV_EUNSUPPORTED, "lzo" },
        { SHARDS("[2,3]", BYTES, ",\"index_location\":\"middle\""), VV_ECORRUPT,
          "index_location" },
        { SHARDS("[2,3]", BYTES, ",\"index_codecs\":[" BYTES ",\"zstd\"]"), VV_ECORRUPT,
          "fixed length" },
        { SHARDS("[2,3]", BYTES, ",\"index_codecs\":[]"), VV_ECORRUPT, "index_codecs" },
        { SHARDS("[2,3]", BYTES, ",\"typo\":1"), VV_EUNSUPPORTED, "typo" },
        { "[{\"name\":\"transpose\",\"configuration\":{\"order\":[0]}}," BYTES "]",
          VV_ECORRUPT, "order" },
        { "[{\"name\":\"transpose\",\"configuration\":{\"order\":[0,0]}}," BYTES "]",
          VV_ECORRUPT, "order" },
        { "[{\"name\":\"transpose\",\"configuration\":{\"order\":[0,2]}}," BYTES "]",
          VV_ECORRUPT, "order" },
        { "[{\"name\":\"transpose\",\"configuration\":{\"order\":\"A\"}}," BYTES "]",
          VV_ECORRUPT, "order" },
        { "[\"transpose\"," BYTES "]", VV_ECORRUPT, "order" },
        { "[" BYTES ",{\"name\":\"transpose\",\"configuration\":{\"order\":[1,0]}}]",
          VV_ECORRUPT, "transpose" },
    };
    vvi_codec_array array = array_of_shape(VV_INT16, 2, golden_shape);

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

static void shards_within_each_other_end_somewhere(void **state)
{
    const uint64_t shape = 64;
    vvi_codec_array array = array_of_shape(VV_UINT8, 1, &shape);
    vv_error err = VV_ERROR_INIT;
    uint8_t values[64], back[64];

    (void)state;
    for (size_t i = 0; i < 64; i++)
        values[i] = (uint8_t)(i / 5);
    for (int depth = 1; depth <= 5; depth++) {
        char text[1000] = "[";
        vvi_codec_chain *chain = NULL;
        vv_buf encoded = VV_BUF_INIT;

        for (int i = 0; i < depth; i++)
            sprintf(
                text + strlen(text),
                "{\"name\":\"sharding_indexed\",\"configuration\":{\"chunk_shape\":[%d],"
                "\"codecs\":[",
                32 >> i);
        strcat(text, "\"bytes\"");
        for (int i = 0; i < depth; i++)
            strcat(text, "]}}");
        strcat(text, "]");
        vv_status status = make_chain(text, &array, &chain, &err);
        assert_int_equal(status, depth <= 4 ? VV_OK : VV_EUNSUPPORTED);
        if (status)
            continue;
        assert_vv_ok(vvi_codec_chain_encode(chain, values, &encoded, &err));
        assert_vv_ok(
            vvi_codec_chain_decode(chain, vvi_buf_bytes(&encoded), back, NULL, &err));
        assert_memory_equal(back, values, 64);
        vv_buf_clear(&encoded);
        vvi_codec_chain_free(chain);
    }
}

static void a_shard_of_absurdly_many_chunks_is_refused_when_it_is_named(void **state)
{
    const uint64_t shape = (uint64_t)1 << 60;
    vvi_codec_array array = array_of_shape(VV_UINT8, 1, &shape);
    vvi_codec_chain *chain = NULL;
    vv_error err = VV_ERROR_INIT;

    (void)state;
    assert_int_equal(make_chain(SHARDS("[1]", "\"bytes\"", ""), &array, &chain, &err),
                     VV_EUNSUPPORTED);
}

/* ---- transpose ----------------------------------------------------------------------------- */

static void shuffle_order(uint32_t n, uint64_t *order, uint64_t *random)
{
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    for (uint32_t i = n; i > 1; i--) {
        uint64_t j = next_random(random) % i;
        uint64_t kept = order[i - 1];

        order[i - 1] = order[j];
        order[j] = kept;
    }
}

/* Element by element. */
static void transpose_slowly(uint32_t ndim, const uint64_t *shape, const uint64_t *order,
                             size_t item, const uint8_t *in, uint8_t *out)
{
    uint64_t n = 1;

    for (uint32_t d = 0; d < ndim; d++)
        n *= shape[d];
    for (uint64_t i = 0; i < n; i++) {
        uint64_t index[8];
        uint64_t rest = i;
        uint64_t to = 0;

        for (uint32_t d = ndim; d-- > 0; rest /= shape[d])
            index[d] = rest % shape[d];
        for (uint32_t d = 0; d < ndim; d++)
            to = to * shape[order[d]] + index[order[d]];
        memcpy(out + to * item, in + i * item, item);
    }
}

static void check_transpose(uint32_t ndim, const uint64_t *shape, const uint64_t *order,
                            vv_dtype dtype, uint64_t *random)
{
    vvi_codec_array array = array_of_shape(dtype, ndim, shape);
    size_t size = (size_t)array.elements * array.dtype.item;
    uint8_t *in = malloc(size);
    uint8_t *want = malloc(size);
    vv_error err = VV_ERROR_INIT;
    vv_buf out = VV_BUF_INIT;
    char list[64];
    char text[300];

    print_list(list, ndim, order);
    snprintf(text, sizeof(text),
             "[{\"name\":\"transpose\",\"configuration\":{\"order\":%s}}," BYTES "]",
             list);
    vvi_codec_chain *chain = chain_of(text, array);
    for (size_t i = 0; i < size; i++)
        in[i] = (uint8_t)next_random(random);
    transpose_slowly(ndim, shape, order, array.dtype.item, in, want);
    assert_vv_ok(vvi_codec_chain_encode(chain, in, &out, &err));
    assert_int_equal(out.len, size);
    assert_memory_equal(out.data, want, size);
    memset(want, 0, size);
    assert_vv_ok(vvi_codec_chain_decode(chain, vvi_buf_bytes(&out), want, NULL, &err));
    assert_memory_equal(want, in, size);
    vv_buf_clear(&out);
    vvi_codec_chain_free(chain);
    free(in);
    free(want);
}

static void transpose_is_the_same_as_done_element_by_element(void **state)
{
    static const vv_dtype types[] = { VV_INT8, VV_INT16, VV_FLOAT32, VV_FLOAT64,
                                      VV_COMPLEX128 };
    static const uint64_t long_ones[3][3] = { { 70, 1, 37 },
                                              { 33, 5, 64 },
                                              { 1, 129, 17 } };
    uint64_t random = 5;

    (void)state;
    for (int i = 0; i < 500; i++) {
        uint32_t ndim = (uint32_t)(next_random(&random) % 6);
        uint64_t shape[5], order[5];

        for (uint32_t d = 0; d < ndim; d++)
            shape[d] = 1 + next_random(&random) % 6;
        if (i % 50 == 0) {
            ndim = 3;
            memcpy(shape, long_ones[i / 50 % 3], sizeof(long_ones[0]));
        }
        shuffle_order(ndim, order, &random);
        check_transpose(ndim, shape, order, types[i % 5], &random);
    }
}

static void old_names_of_orders_are_read(void **state)
{
    const uint64_t shape[3] = { 2, 3, 5 };
    vvi_codec_array array = array_of_shape(VV_UINT8, 3, shape);
    static const char *const pairs[2][2] = {
        { "[{\"name\":\"transpose\",\"configuration\":{\"order\":\"F\"}},\"bytes\"]",
          "[{\"name\":\"transpose\",\"configuration\":{\"order\":[2,1,0]}},\"bytes\"]" },
        { "[{\"name\":\"transpose\",\"configuration\":{\"order\":\"C\"}},\"bytes\"]",
          "[\"bytes\"]" },
    };
    uint8_t values[30];
    vv_error err = VV_ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < 30; i++)
        values[i] = (uint8_t)i;
    for (size_t p = 0; p < 2; p++) {
        vv_buf out[2] = { VV_BUF_INIT, VV_BUF_INIT };

        for (size_t i = 0; i < 2; i++) {
            vvi_codec_chain *chain = chain_of(pairs[p][i], array);

            assert_vv_ok(vvi_codec_chain_encode(chain, values, &out[i], &err));
            assert_int_equal(vvi_codec_chain_is_identity(chain), p == 1);
            vvi_codec_chain_free(chain);
        }
        assert_int_equal(out[0].len, 30);
        assert_memory_equal(out[0].data, out[1].data, 30);
        vv_buf_clear(&out[0]);
        vv_buf_clear(&out[1]);
    }
}

/* ---- memory -------------------------------------------------------------------------------- */

static vv_status scenario(void *ctx)
{
    const int16_t fill = 9;
    vvi_codec_array array = array_of_shape(VV_INT16, 2, golden_shape);
    int16_t values[24], back[24];

    array.fill = &fill;
    golden_values(values);
    return there_and_back(ctx, &array, values, back, NULL);
}

static void shards_survive_any_failing_allocation(void **state)
{
    char plain[] = SHARDS("[2,3]", BYTES ",\"zstd\",\"crc32c\"", "," INDEX);
    char nested[] =
        "[{\"name\":\"transpose\",\"configuration\":{\"order\":[1,0]}},{\"name\":"
        "\"sharding_indexed\",\"configuration\":{\"chunk_shape\":[3,4],\"codecs\":[{\"name\":"
        "\"transpose\",\"configuration\":{\"order\":[1,0]}},{\"name\":\"sharding_indexed\","
        "\"configuration\":{\"chunk_shape\":[2,3],\"codecs\":[" BYTES ",\"gzip\"]}}]}},"
        "\"crc32c\",\"zstd\"]";

    (void)state;
    survives_failing_allocations(scenario, plain);
    survives_failing_allocations(scenario, nested);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shards_of_another_writer_are_read_and_written_alike),
        cmocka_unit_test(shards_of_any_shape_give_back_what_they_were_given),
        cmocka_unit_test(inner_chunks_of_fill_values_take_no_room),
        cmocka_unit_test(only_a_chain_of_nothing_but_sharding_is_one),
        cmocka_unit_test(an_assembled_shard_decodes_and_one_of_nothing_is_empty),
        cmocka_unit_test(an_index_that_lies_is_refused),
        cmocka_unit_test(settings_that_cannot_be_meant_are_refused),
        cmocka_unit_test(shards_within_each_other_end_somewhere),
        cmocka_unit_test(a_shard_of_absurdly_many_chunks_is_refused_when_it_is_named),
        cmocka_unit_test(transpose_is_the_same_as_done_element_by_element),
        cmocka_unit_test(old_names_of_orders_are_read),
        cmocka_unit_test(shards_survive_any_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
