/*
 * Input: a byte each for the element type, the shape of a chunk and the chain of codecs, then an
 * encoded chunk. The chain's number past the end of the list: its metadata stands in front of the
 * chunk, up to a zero byte. Whatever the bytes are, decoding gives a chunk or VV_ECORRUPT, touches
 * nothing else, and asks for no more memory than the chunk's size allows. What was decoded is encoded
 * and decoded again.
 */
#include "fuzz.h"

#include "codec/codec.h"
#include "util/buf.h"

#define LE "{\"name\":\"bytes\",\"configuration\":{\"endian\":\"little\"}}"
#define BE "{\"name\":\"bytes\",\"configuration\":{\"endian\":\"big\"}}"
#define NAMED(name_, settings_) \
    "{\"name\":\"" name_ "\",\"configuration\":{" settings_ "}}"
#define SHARDS(chunk_, codecs_, more_) \
    NAMED("sharding_indexed", "\"chunk_shape\":" chunk_ ",\"codecs\":[" codecs_ "]" more_)
#define START \
    ",\"index_location\":\"start\",\"index_codecs\":[" BE ",\"numcodecs.crc32\"]"

static const char *const chains[] = {
    "[" LE "]",
    "[" BE ",\"zstd\"]",
    "[" LE ",\"gzip\"]",
    "[" LE ",\"zlib\",\"crc32c\"]",
    "[" LE ",\"bz2\"]",
    "[" LE ",\"lz4\"]",
    "[" LE ",\"blosc\"]",
    "[" LE "," NAMED("blosc", "\"cname\":\"zstd\",\"shuffle\":\"bitshuffle\"") "]",
    "[" LE "," NAMED("blosc", "\"cname\":\"blosclz\",\"shuffle\":\"noshuffle\"") "]",
    "[" LE "," NAMED("blosc", "\"cname\":\"zlib\"") "]",
    "[" LE ",\"shuffle\",\"zstd\"]",
    "[" LE ",\"shuffle\",\"lz4\",\"adler32\"]",
    "[" LE ",\"crc32\",\"fletcher32\",\"adler32\"]",
    "[" LE ",\"gzip\",\"zstd\",\"bz2\"]",
    "[" NAMED("transpose", "\"order\":\"F\"") "," LE "]",
    "[" NAMED("transpose", "\"order\":[1,0]") "," LE ",\"lz4\"]",
    "[\"delta\"," LE "]",
    "[" NAMED("delta", "\"astype\":\"<i2\"") "," LE "]",
    "[" NAMED("fixedscaleoffset", "\"offset\":5,\"scale\":2,\"astype\":\"<i4\"") "," LE
                                                                                 "]",
    "[" NAMED("quantize", "\"digits\":2") "," LE "]",
    "[" NAMED("bitround", "\"keepbits\":3") "," LE "]",
    "[" NAMED("numcodecs.astype", "\"encode_dtype\":\"<f4\"") "," LE "]",
    "[\"numcodecs.packbits\"," LE "]",
    "[" NAMED("cast_value", "\"data_type\":\"int16\",\"out_of_range\":\"clamp\"") "," LE
                                                                                  "]",
    "[" NAMED(
        "cast_value",
        "\"data_type\":\"float32\",\"rounding\":\"towards-zero\",\"scalar_map\":{\"decode\":"
        "[[7,1]]}") "," LE "]",
    "[" NAMED("scale_offset", "\"offset\":3,\"scale\":2") "," LE "]",
    "[\"packbits\"]",
    "[" NAMED("packbits",
              "\"padding_encoding\":\"first_byte\",\"first_bit\":0,\"last_bit\":0") "]",
    "[" NAMED("packbits",
              "\"padding_encoding\":\"last_byte\",\"first_bit\":1,\"last_bit\":5") "]",
    "[\"vlen-utf8\"]",
    "[\"vlen-utf8\",\"zstd\"]",
    "[\"vlen-bytes\"]",
    "[\"vlen-bytes\",\"gzip\"]",
    "[" SHARDS("[2,3]", LE, "") "]",
    "[" SHARDS("[2,3]", LE ",\"zstd\",\"crc32c\"", START) "]",
    "[" SHARDS("[4,1]", LE ",\"lz4\"", "") ",\"zstd\"]",
    "[" SHARDS("[5]", BE ",\"blosc\"", START) "]",
    "[" SHARDS("[2,6]", SHARDS("[1,6]", LE ",\"zlib\"", START), "") "]",
    "[" SHARDS("[2,6]", "\"vlen-utf8\",\"zstd\"", "") "]",
    "[" NAMED("transpose", "\"order\":[1,0]") "," SHARDS("[3,2]", LE, START) "]",
    "[" LE ",\"lzma\"]",
};
#define CHAIN_COUNT (sizeof(chains) / sizeof(chains[0]))

static const vv_dtype types[] = { VV_BOOL,       VV_INT8,    VV_INT16,   VV_INT32,
                                  VV_INT64,      VV_UINT8,   VV_UINT16,  VV_UINT32,
                                  VV_UINT64,     VV_FLOAT16, VV_FLOAT32, VV_FLOAT64,
                                  VV_COMPLEX128, VV_STRING,  VV_BYTES };
#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

static const struct {
    uint32_t ndim;
    uint64_t shape[3];
} shapes[] = { { 1, { 20, 0, 0 } },
               { 2, { 4, 6, 0 } },
               { 0, { 0, 0, 0 } },
               { 3, { 2, 3, 5 } },
               { 1, { 1500, 0, 0 } } };
#define SHAPE_COUNT (sizeof(shapes) / sizeof(shapes[0]))

/* ---- memory: what is asked for is counted ---------------------------------------------------- */

/* The largest chunk has 24 KB; what compressors keep for themselves is more. */
#define LIMIT          ((size_t)24 << 20)
#define LIMIT_VARIABLE ((size_t)160 << 20)
#define HEAD           16

static size_t live, limit = SIZE_MAX;

static void *count_alloc(void *ctx, size_t size)
{
    uint8_t *block;

    (void)ctx;
    live += size;
    CHECK(live <= limit);
    block = malloc(HEAD + size);
    CHECK(block);
    memcpy(block, &size, sizeof(size));
    return block + HEAD;
}

static void count_free(void *ctx, void *ptr)
{
    size_t size;

    (void)ctx;
    if (!ptr)
        return;
    memcpy(&size, (uint8_t *)ptr - HEAD, sizeof(size));
    live -= size;
    free((uint8_t *)ptr - HEAD);
}

static void *count_realloc(void *ctx, void *ptr, size_t size)
{
    void *block = count_alloc(ctx, size);
    size_t old = 0;

    if (ptr) {
        memcpy(&old, (uint8_t *)ptr - HEAD, sizeof(old));
        memcpy(block, ptr, old < size ? old : size);
    }
    count_free(ctx, ptr);
    return block;
}

/* ---- one input ------------------------------------------------------------------------------- */

static vvi_codec_chain *chain_of(const char *text, size_t len,
                                 const vvi_codec_array *array)
{
    vvi_json *codecs = NULL;
    vvi_codec_chain *chain = NULL;

    if (vvi_json_parse(vvi_bytes(text, len), &codecs, NULL) == VV_OK)
        (void)vvi_codec_chain_new(codecs, array, &chain, NULL);
    vvi_json_free(codecs);
    return chain;
}

static bool same(const vvi_dtype *dtype, const void *a, const void *b, size_t n)
{
    const vv_bytes *x = a;
    const vv_bytes *y = b;

    if (dtype->kind != VVI_KIND_VARIABLE)
        return memcmp(a, b, n * dtype->item) == 0;
    for (size_t i = 0; i < n; i++)
        if (!vvi_bytes_equal(x[i], y[i]))
            return false;
    return true;
}

/* Codecs that calculate may not be able to give back what did not come from them. */
static bool keeps_all(const char *text, size_t len)
{
    static const char *const lossy[] = { "delta",  "fixed", "quantize", "bitround",
                                         "astype", "cast",  "scale",    "packbits" };

    for (size_t i = 0; i < sizeof(lossy) / sizeof(lossy[0]); i++)
        if (memmem(text, len, lossy[i], strlen(lossy[i])))
            return false;
    return true;
}

static void decode_and_again(const vvi_codec_chain *chain, const vvi_codec_array *array,
                             vv_bytes encoded, bool exact)
{
    size_t n = (size_t)array->elements;
    size_t size = n * array->dtype.item;
    uint8_t *out = malloc(size + 1);
    uint8_t *again = malloc(size + 1);
    vv_buf other = VV_BUF_INIT;
    vvi_heap heap;
    vv_status status;

    CHECK(out && again && vvi_heap_init(&heap, NULL) == VV_OK);
    memset(again, 0, size + 1);
    out[size] = 42;
    limit = live + (array->dtype.kind == VVI_KIND_VARIABLE ? LIMIT_VARIABLE : LIMIT);
    status = vvi_codec_chain_decode(chain, encoded, out, &heap, NULL);
    limit = SIZE_MAX;
    CHECK(status == VV_OK || status == VV_ECORRUPT);
    CHECK(out[size] == 42);
    if (status == VV_OK) {
        status = vvi_codec_chain_encode(chain, out, &other, NULL);
        CHECK(status == VV_OK || (!exact && status == VV_EINVAL));
        if (status == VV_OK)
            status = vvi_codec_chain_decode(chain, vvi_buf_bytes(&other), again, &heap,
                                            NULL);
        CHECK(!exact || (status == VV_OK && same(&array->dtype, out, again, n)));
    }
    vv_buf_clear(&other);
    vvi_heap_clear(&heap);
    free(out);
    free(again);
}

static void run(const uint8_t *data, size_t len)
{
    vvi_codec_array array = { .elements = 1 };
    uint8_t *encoded = NULL;
    vvi_codec_chain *chain;
    const char *text;
    size_t text_len;

    CHECK(vvi_dtype_init(types[data[0] % TYPE_COUNT], &array.dtype));
    array.ndim = shapes[data[1] % SHAPE_COUNT].ndim;
    array.shape = shapes[data[1] % SHAPE_COUNT].shape;
    for (uint32_t d = 0; d < array.ndim; d++)
        array.elements *= array.shape[d];
    if (data[2] < CHAIN_COUNT) {
        text = chains[data[2]];
        text_len = strlen(text);
        data += 3;
        len -= 3;
    } else {
        const uint8_t *zero = memchr(data + 3, 0, len - 3);

        text = (const char *)data + 3;
        text_len = zero ? (size_t)(zero - data) - 3 : len - 3;
        data += 3 + text_len + (zero != NULL);
        len -= 3 + text_len + (zero != NULL);
    }
    chain = chain_of(text, text_len, &array);
    if (chain) {
        size_t size;

        /* In a block of its own, so that a sanitizer sees a step past it. */
        encoded = malloc(len ? len : 1);
        CHECK(encoded);
        memcpy(encoded, data, len);
        if (vvi_codec_chain_size(chain, &size, NULL) == VV_OK)
            decode_and_again(chain, &array, vvi_bytes(encoded, len),
                             keeps_all(text, text_len));
    }
    free(encoded);
    vvi_codec_chain_free(chain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const vv_allocator counting = { count_alloc, count_realloc, count_free, NULL };
    size_t before;

    vv_set_allocator(&counting);
    before = live;
    if (len >= 3)
        run(data, len);
    CHECK(live == before);
    return 0;
}
