/*
 * Chunks that zarr-python stored (tests/data/codec/golden.txt, made by make_golden.py): read as it
 * reads them; written to the same bytes where no compressor has a choice.
 */
#include "chains.h"

#include <stdio.h>

#define FIELDS 7

enum {
    TYPE,
    SHAPE,
    FILL,
    CODECS,
    ELEMENTS,
    STORED,
    BACK
};

/* A line of the file. */
typedef struct golden {
    char *field[FIELDS];
    vvi_codec_array array;
    uint64_t shape[8];
    vv_buf fill, elements, stored, back;
} golden;

static bool cut_line(char **text, golden *out)
{
    for (int i = 0; i < FIELDS; i++) {
        out->field[i] = *text;
        *text += strcspn(*text, "\t\n");
        if (**text == '\0')
            return false;
        *(*text)++ = '\0';
    }
    return true;
}

static void read_array(golden *self)
{
    vv_error err = VV_ERROR_INIT;
    vvi_json *shape = NULL;
    vvi_json *fill = NULL;

    assert_vv_ok(vvi_json_parse(vv_bytes_of(self->field[SHAPE]), &shape, &err));
    assert_vv_ok(vvi_json_parse(vv_bytes_of(self->field[FILL]), &fill, &err));
    self->array.shape = self->shape;
    self->array.elements = 1;
    assert_true(vvi_dtype_init(vv_dtype_by_name(self->field[TYPE]), &self->array.dtype));
    for (const vvi_json *m = vvi_json_first(shape); m; m = vvi_json_next(m)) {
        uint64_t *length = &self->shape[self->array.ndim++];

        assert_true(vvi_json_uint64(m, length));
        self->array.elements *= *length;
    }
    assert_vv_ok(vvi_fill_read(&self->array.dtype, fill, &self->fill, &err));
    self->array.fill = self->fill.data;
    self->elements = from_hex(self->field[ELEMENTS]);
    self->stored = from_hex(self->field[STORED]);
    self->back = from_hex(
        self->field[strcmp(self->field[BACK], "=") == 0 ? ELEMENTS : BACK]);
    vvi_json_free(shape);
    vvi_json_free(fill);
}

static void clear_golden(golden *self)
{
    vv_buf_clear(&self->fill);
    vv_buf_clear(&self->elements);
    vv_buf_clear(&self->stored);
    vv_buf_clear(&self->back);
}

/* Compressors of one format may make different bytes of the same. */
static bool has_choice(const char *codecs)
{
    static const char *const names[] = { "gzip", "zlib",     "zstd", "blosc",
                                         "lz4",  "sharding", "bz2" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strstr(codecs, names[i]))
            return true;
    return false;
}

static void check_line(golden *self)
{
    vvi_codec_chain *chain = chain_of(self->field[CODECS], self->array);
    vv_buf encoded = VV_BUF_INIT;
    vv_error err = VV_ERROR_INIT;
    uint8_t *out = calloc(1, self->back.len + 1);

    if (vvi_codec_chain_decode(chain, vvi_buf_bytes(&self->stored), out, NULL, &err))
        fail_msg("%s %s: %s", self->field[TYPE], self->field[CODECS], err.message);
    if (memcmp(out, self->back.data, self->back.len) != 0)
        fail_msg("%s %s: read as\n%s, not\n%s", self->field[TYPE], self->field[CODECS],
                 to_hex(out, self->back.len), self->field[BACK]);
    if (vvi_codec_chain_encode(chain, self->elements.data, &encoded, &err))
        fail_msg("%s %s: %s", self->field[TYPE], self->field[CODECS], err.message);
    if (!has_choice(self->field[CODECS]) &&
        !vvi_bytes_equal(vvi_buf_bytes(&encoded), vvi_buf_bytes(&self->stored)))
        fail_msg("%s %s: written as\n%s, not\n%s", self->field[TYPE], self->field[CODECS],
                 to_hex(encoded.data, encoded.len), self->field[STORED]);
    assert_vv_ok(vvi_codec_chain_decode(chain, vvi_buf_bytes(&encoded), out, NULL, &err));
    assert_memory_equal(out, self->back.data, self->back.len);
    survives_damage(chain, vvi_buf_bytes(&self->stored));
    vv_buf_clear(&encoded);
    vvi_codec_chain_free(chain);
    free(out);
}

static void chunks_of_another_writer_are_read_and_written_alike(void **state)
{
    char *text = (char *)read_file(VV_TEST_DATA "/codec/golden.txt", NULL);
    char *at = text;
    size_t count = 0;

    (void)state;
    for (;;) {
        golden self = { { NULL }, .fill = VV_BUF_INIT };

        if (!cut_line(&at, &self))
            break;
        read_array(&self);
        check_line(&self);
        clear_golden(&self);
        count++;
    }
    assert_in_range(count, 100, 1000);
    free(text);
}

/* Packed by hand as zarr-extensions describes it, the first element in the low bit; and that
 * repository's samples of bitround. */
static void what_extensions_describe_is_what_is_written(void **state)
{
    static const struct {
        vv_dtype dtype;
        uint64_t n;
        const char *codecs, *elements, *stored;
    } cases[] = {
        { VV_BOOL, 10, "[\"packbits\"]", "01000101000001000101", "4d03" },
        { VV_BOOL, 10,
          "[{\"name\":\"packbits\",\"configuration\":{\"padding_encoding\":\"first_byte\"}}]",
          "01000101000001000101", "064d03" },
        { VV_BOOL, 10,
          "[{\"name\":\"packbits\",\"configuration\":{\"padding_encoding\":\"last_byte\","
          "\"first_bit\":null}}]",
          "01000101000001000101", "4d0306" },
        { VV_INT8, 3,
          "[{\"name\":\"packbits\",\"configuration\":{\"first_bit\":0,\"last_bit\":3}}]",
          "05fdf8", "d508" },
        { VV_UINT16, 2,
          "[{\"name\":\"packbits\",\"configuration\":{\"first_bit\":4,\"last_bit\":15}}]",
          "3012f0ff", "23f1ff" },
        { VV_UINT8, 10,
          "[{\"name\":\"bitround\",\"configuration\":{\"keepbits\":3}},\"bytes\"]",
          "00010a0b647bc8d0d1ff", "00010a0c6080c0c0e0e0" },
        { VV_FLOAT32, 6,
          "[{\"name\":\"bitround\",\"configuration\":{\"keepbits\":3}},{\"name\":\"bytes\","
          "\"configuration\":{\"endian\":\"little\"}}]",
          "cdcccc3d9a99993fcdcc44410000c07f0000807f000080ff",
          "0000d03d0000a03f000040410000c07f0000807f000080ff" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        vvi_codec_array array = array_of_shape(cases[i].dtype, 1, &cases[i].n);
        vvi_codec_chain *chain = chain_of(cases[i].codecs, array);
        vv_buf elements = from_hex(cases[i].elements);
        vv_buf stored = VV_BUF_INIT;
        vv_error err = VV_ERROR_INIT;
        uint8_t back[64];

        assert_vv_ok(vvi_codec_chain_encode(chain, elements.data, &stored, &err));
        assert_string_equal(to_hex(stored.data, stored.len), cases[i].stored);
        assert_vv_ok(
            vvi_codec_chain_decode(chain, vvi_buf_bytes(&stored), back, NULL, &err));
        if (strstr(cases[i].codecs, "packbits"))
            assert_memory_equal(back, elements.data, elements.len);
        survives_damage(chain, vvi_buf_bytes(&stored));
        vv_buf_clear(&elements);
        vv_buf_clear(&stored);
        vvi_codec_chain_free(chain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_of_another_writer_are_read_and_written_alike),
        cmocka_unit_test(what_extensions_describe_is_what_is_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
