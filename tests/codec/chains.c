#include "chains.h"

vvi_codec_array array_of_shape(vv_dtype dtype, uint32_t ndim, const uint64_t *shape)
{
    vvi_codec_array array = { .ndim = ndim, .shape = shape, .elements = 1 };

    assert_true(vvi_dtype_init(dtype, &array.dtype));
    for (uint32_t d = 0; d < ndim; d++)
        array.elements *= shape[d];
    return array;
}

vv_status make_chain(const char *text, const vvi_codec_array *array,
                     vvi_codec_chain **out, vv_error *err)
{
    vvi_json *codecs = NULL;
    vv_status status = vvi_codecs_from_text(text, array, &codecs, err);

    if (!status)
        status = vvi_codec_chain_new(codecs, array, out, err);
    vvi_json_free(codecs);
    return status;
}

vvi_codec_chain *chain_of(const char *text, vvi_codec_array array)
{
    vv_error err = VV_ERROR_INIT;
    vvi_codec_chain *chain = NULL;
    vv_status status = make_chain(text, &array, &chain, &err);

    if (status)
        fail_msg("%s: %s (%s)", text, vv_status_name(status), err.message);
    return chain;
}

vv_status there_and_back(const char *text, const vvi_codec_array *array,
                         const void *elements, void *out, vvi_heap *heap)
{
    vvi_codec_chain *chain = NULL;
    vv_buf encoded = VV_BUF_INIT;
    vv_status status = make_chain(text, array, &chain, NULL);

    if (!status)
        status = vvi_codec_chain_encode(chain, elements, &encoded, NULL);
    if (!status)
        status = vvi_codec_chain_decode(chain, vvi_buf_bytes(&encoded), out, heap, NULL);
    vv_buf_clear(&encoded);
    vvi_codec_chain_free(chain);
    return status;
}

/* In a block of exactly its size, so that a sanitizer sees what is read past the end. */
static void decode_damaged(const vvi_codec_chain *chain, const uint8_t *data, size_t len,
                           size_t size)
{
    uint8_t *exact = malloc(len ? len : 1);
    uint8_t *out = malloc(size + 1);
    vvi_heap heap;
    vv_status status;

    assert_non_null(exact);
    assert_non_null(out);
    assert_int_equal(vvi_heap_init(&heap, NULL), VV_OK);
    memcpy(exact, data, len);
    out[size] = 42;
    status = vvi_codec_chain_decode(chain, vvi_bytes(exact, len), out, &heap, NULL);
    if (status)
        assert_int_equal(status, VV_ECORRUPT);
    assert_int_equal(out[size], 42);
    vvi_heap_clear(&heap);
    free(exact);
    free(out);
}

void survives_damage(const vvi_codec_chain *chain, vv_bytes encoded)
{
    size_t step = encoded.len / 200 + 1;
    size_t size = 0;
    uint64_t random = 77;
    vv_buf copy = VV_BUF_INIT;

    assert_int_equal(vvi_codec_chain_size(chain, &size, NULL), VV_OK);
    assert_int_equal(vvi_buf_set(&copy, encoded, NULL), VV_OK);
    for (size_t len = 0; len < encoded.len; len += step)
        decode_damaged(chain, encoded.data, len, size);
    for (int i = 0; i < 300 && encoded.len; i++) {
        /* Headers and ends are where most goes wrong. */
        size_t at = next_random(&random) % encoded.len;
        uint8_t bit = (uint8_t)(1u << next_random(&random) % 8);

        if (i % 3 == 1)
            at %= 40;
        if (i % 3 == 2)
            at = encoded.len - 1 - at % 40 % encoded.len;
        copy.data[at] ^= bit;
        decode_damaged(chain, copy.data, copy.len, size);
        copy.data[at] ^= bit;
    }
    vv_buf_clear(&copy);
}
