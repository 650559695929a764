/*
 * Arrays of a directory store from the outside, for the tests that hold us against other programs.
 *
 *   zarr_tool write DIR PATH DTYPE SHAPE CHUNKS CODECS FILL   elements on stdin, native byte order
 *   zarr_tool read DIR PATH                                   elements on stdout
 *   zarr_tool slice DIR PATH START COUNT STEP                 the same of a region
 *   zarr_tool attributes DIR PATH [JSON]                      print, or replace
 *   zarr_tool walk DIR                                        "depth kind path" a line
 *
 * SHAPE and the like are joined by commas, "-" for none; FILL is one element in hexadecimal, "-"
 * for zero.
 */
#include <varvite/varvite.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static vv_error error;

static void check(vv_status status, const char *what)
{
    if (!status)
        return;
    fprintf(stderr, "zarr_tool: %s: %s: %s\n", what, vv_status_name(status),
            error.message);
    exit(1);
}

static uint32_t parse_list(const char *text, uint64_t *out)
{
    uint32_t n = 0;
    char *end;

    if (strcmp(text, "-") == 0)
        return 0;
    for (;;) {
        out[n++] = strtoull(text, &end, 10);
        if (*end != ',' || n == VV_NDIM_MAX)
            return n;
        text = end + 1;
    }
}

static void parse_hex(const char *text, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned byte = 0;

        sscanf(text + 2 * i, "%2x", &byte);
        out[i] = (uint8_t)byte;
    }
}

static size_t bytes_of(const vv_array_meta *meta, const uint64_t *count)
{
    size_t bytes = vv_dtype_size(meta->dtype);

    for (uint32_t i = 0; i < meta->ndim; i++)
        bytes *= count[i];
    return bytes;
}

static void write_array(vv_store *store, char **argv)
{
    vv_array_meta meta = VV_ARRAY_META_INIT;
    uint64_t shape[VV_NDIM_MAX], chunk[VV_NDIM_MAX], start[VV_NDIM_MAX] = { 0 };
    uint8_t fill[16] = { 0 };
    vv_array *array = NULL;
    uint8_t *data;
    size_t bytes;

    meta.dtype = vv_dtype_by_name(argv[1]);
    meta.ndim = parse_list(argv[2], shape);
    parse_list(argv[3], chunk);
    meta.shape = shape;
    meta.chunk_shape = chunk;
    meta.codecs = argv[4];
    if (strcmp(argv[5], "-") != 0)
        parse_hex(argv[5], fill, vv_dtype_size(meta.dtype));
    meta.fill_value = fill;
    check(vv_array_create(store, argv[0], &meta, true, &array, &error), "create");
    bytes = bytes_of(&meta, shape);
    data = malloc(bytes ? bytes : 1);
    if (!data || fread(data, 1, bytes, stdin) != bytes) {
        fprintf(stderr, "zarr_tool: standard input is short of %zu bytes\n", bytes);
        exit(1);
    }
    check(vv_array_write(array, start, shape, data, bytes, &error), "write");
    check(vv_store_flush(store, &error), "flush");
    free(data);
    vv_array_free(array);
}

static void read_array(vv_store *store, char **argv, bool region)
{
    uint64_t start[VV_NDIM_MAX] = { 0 }, count[VV_NDIM_MAX], step[VV_NDIM_MAX];
    const vv_array_meta *meta;
    vv_array *array = NULL;
    uint8_t *data;
    size_t bytes;

    check(vv_array_open(store, argv[0], &array, &error), "open");
    meta = vv_array_get_meta(array);
    for (uint32_t i = 0; i < meta->ndim; i++) {
        count[i] = meta->shape[i];
        step[i] = 1;
    }
    if (region) {
        parse_list(argv[1], start);
        parse_list(argv[2], count);
        parse_list(argv[3], step);
    }
    bytes = bytes_of(meta, count);
    data = malloc(bytes ? bytes : 1);
    if (!data)
        exit(1);
    check(vv_array_read(array, start, count, step, data, bytes, &error), "read");
    fwrite(data, 1, bytes, stdout);
    free(data);
    vv_array_free(array);
}

static vv_status print_node(void *ctx, const char *path, vv_node_kind kind,
                            uint32_t depth, vv_error *err)
{
    (void)ctx;
    (void)err;
    printf("%u %s %s\n", depth, kind == VV_NODE_ARRAY ? "array" : "group", path);
    return VV_OK;
}

int main(int argc, char **argv)
{
    vv_store *store = NULL;
    vv_buf text = VV_BUF_INIT;

    if (argc < 3)
        return 2;
    check(vv_directory_store_open(argv[2], false, &store, &error), "open the directory");
    if (argc == 9 && strcmp(argv[1], "write") == 0) {
        write_array(store, argv + 3);
    } else if (argc == 4 && strcmp(argv[1], "read") == 0) {
        read_array(store, argv + 3, false);
    } else if (argc == 7 && strcmp(argv[1], "slice") == 0) {
        read_array(store, argv + 3, true);
    } else if (argc == 4 && strcmp(argv[1], "attributes") == 0) {
        check(vv_node_attributes(store, argv[3], &text, &error), "attributes");
        printf("%s\n", (char *)text.data);
    } else if (argc == 5 && strcmp(argv[1], "attributes") == 0) {
        check(vv_node_set_attributes(store, argv[3], argv[4], &error), "attributes");
    } else if (argc == 3 && strcmp(argv[1], "walk") == 0) {
        check(vv_node_walk(store, "", true, print_node, NULL, &error), "walk");
    } else {
        return 2;
    }
    vv_buf_clear(&text);
    vv_store_free(store);
    return 0;
}
