/*
 * Arrays of a directory store from the outside, for the tests that hold us against other programs.
 *
 *   zarr_tool write DIR PATH DTYPE SHAPE CHUNKS CODECS FILL [OPTION…]   elements on stdin
 *   zarr_tool update DIR PATH START COUNT                     a region; elements on stdin
 *   zarr_tool read DIR PATH                                   elements on stdout
 *   zarr_tool slice DIR PATH START COUNT STEP                 the same of a region
 *   zarr_tool attributes DIR PATH [JSON]                      print, or replace
 *   zarr_tool walk DIR                                        "depth kind path" a line
 *   zarr_tool metadata DIR PATH                               the metadata document
 *
 * SHAPE and the like are joined by commas, "-" for none. Elements are in C order and native byte
 * order; one of variable length is its length in 4 bytes, little-endian, and its bytes. FILL is one
 * element in hexadecimal (of variable length: its bytes), "-" for zero. An OPTION is
 * keys=ENCODING and SEPARATOR ("v2."), item=BYTES, unit=NAME, scale=N, inner=SHAPE, names=A,B,
 * attributes=JSON, or split: write all before the middle of the first dimension, then the rest, in
 * calls that cut chunks.
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
    size_t bytes = meta->item_size ? meta->item_size : vv_dtype_size(meta->dtype);

    for (uint32_t i = 0; i < meta->ndim; i++)
        bytes *= count[i];
    return bytes;
}

/* ---- elements ---------------------------------------------------------------------------------- */

static void *must_alloc(size_t bytes)
{
    void *out = malloc(bytes ? bytes : 1);

    if (!out) {
        fprintf(stderr, "zarr_tool: no memory for %zu bytes\n", bytes);
        exit(1);
    }
    return out;
}

static void must_read(void *out, size_t bytes)
{
    if (fread(out, 1, bytes, stdin) != bytes) {
        fprintf(stderr, "zarr_tool: standard input is short of %zu bytes\n", bytes);
        exit(1);
    }
}

static void *read_variable(size_t bytes)
{
    size_t n = bytes / sizeof(vv_bytes);
    vv_bytes *out = must_alloc(bytes);

    for (size_t i = 0; i < n; i++) {
        uint8_t head[4], *data;

        must_read(head, 4);
        out[i].len = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 |
                     (size_t)head[3] << 24;
        data = must_alloc(out[i].len);
        must_read(data, out[i].len);
        out[i].data = data;
    }
    return out;
}

/* A region's elements from stdin. */
static void *read_elements(vv_dtype dtype, size_t bytes)
{
    void *out;

    if (vv_dtype_is_variable(dtype))
        return read_variable(bytes);
    out = must_alloc(bytes);
    must_read(out, bytes);
    return out;
}

static void read_variable_region(vv_array *array, const uint64_t *start,
                                 const uint64_t *count, const uint64_t *step)
{
    vv_varlen found = VV_VARLEN_INIT;

    check(vv_array_read_varlen(array, start, count, step, &found, &error), "read");
    for (size_t i = 0; i < found.count; i++) {
        size_t len = found.items[i].len;
        const uint8_t head[4] = { (uint8_t)len, (uint8_t)(len >> 8), (uint8_t)(len >> 16),
                                  (uint8_t)(len >> 24) };

        fwrite(head, 1, 4, stdout);
        fwrite(found.items[i].data, 1, len, stdout);
    }
    vv_varlen_clear(&found);
}

/* What read_variable() took. */
static void free_elements(vv_dtype dtype, void *elements, size_t bytes)
{
    vv_bytes *element = elements;

    if (vv_dtype_is_variable(dtype))
        for (size_t i = 0; i < bytes / sizeof(vv_bytes); i++)
            free((void *)element[i].data);
    free(elements);
}

/* ---- commands ---------------------------------------------------------------------------------- */

/* What the options of "write" say, and where the metadata's pointers lead. */
typedef struct new_array {
    vv_array_meta meta;
    uint64_t shape[VV_NDIM_MAX], chunk[VV_NDIM_MAX], inner[VV_NDIM_MAX];
    const char *names[VV_NDIM_MAX];
    uint8_t fill[256];
    vv_bytes fill_bytes;
    bool split;
} new_array;

static void read_option(new_array *self, char *text)
{
    vv_array_meta *meta = &self->meta;
    char *value = strchr(text, '=');

    if (strcmp(text, "split") == 0) {
        self->split = true;
        return;
    }
    if (!value)
        exit(2);
    *value++ = '\0';
    if (strcmp(text, "keys") == 0) {
        meta->v2_keys = strncmp(value, "v2", 2) == 0;
        meta->separator = value[strlen(value) - 1];
    } else if (strcmp(text, "item") == 0) {
        meta->item_size = strtoul(value, NULL, 10);
    } else if (strcmp(text, "unit") == 0) {
        meta->time_unit = value;
    } else if (strcmp(text, "scale") == 0) {
        meta->time_scale = (uint32_t)strtoul(value, NULL, 10);
    } else if (strcmp(text, "inner") == 0) {
        parse_list(value, self->inner);
        meta->inner_chunk_shape = self->inner;
    } else if (strcmp(text, "attributes") == 0) {
        meta->attributes = value;
    } else if (strcmp(text, "names") == 0) {
        meta->dimension_names = self->names;
        for (uint32_t i = 0; i < meta->ndim && value; i++) {
            self->names[i] = value;
            value = strchr(value, ',');
            if (value)
                *value++ = '\0';
        }
    } else {
        exit(2);
    }
}

static void read_fill(new_array *self, const char *hex)
{
    size_t bytes = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;

    if (bytes > sizeof(self->fill))
        exit(2);
    parse_hex(hex, self->fill, bytes);
    self->fill_bytes = (vv_bytes){ self->fill, bytes };
    self->meta.fill_value = self->fill;
    if (vv_dtype_is_variable(self->meta.dtype))
        self->meta.fill_value = &self->fill_bytes;
}

/* Write a region: elements as read_elements() gave them. */
static void write_region(vv_array *array, const uint64_t *start, const uint64_t *count,
                         const void *elements, size_t bytes)
{
    if (vv_dtype_is_variable(vv_array_get_meta(array)->dtype))
        check(vv_array_write_varlen(array, start, count, elements,
                                    bytes / sizeof(vv_bytes), &error),
              "write");
    else
        check(vv_array_write(array, start, count, elements, bytes, &error), "write");
}

/* Write the whole array, in two calls if it is split. */
static void write_all(vv_array *array, bool split)
{
    const vv_array_meta *meta = vv_array_get_meta(array);
    uint64_t start[VV_NDIM_MAX] = { 0 }, count[VV_NDIM_MAX], middle;
    size_t bytes = bytes_of(meta, meta->shape), first = 0;
    uint8_t *data = read_elements(meta->dtype, bytes);

    memcpy(count, meta->shape, meta->ndim * sizeof(*count));
    if (split && meta->ndim > 0 && bytes > 0) {
        middle = (meta->shape[0] + 1) / 2;
        count[0] = middle;
        first = bytes_of(meta, count);
        write_region(array, start, count, data, first);
        start[0] = middle;
        count[0] = meta->shape[0] - middle;
    }
    write_region(array, start, count, data + first, bytes - first);
    free_elements(meta->dtype, data, bytes);
}

static void write_array(vv_store *store, int argc, char **argv)
{
    new_array self = { .meta = VV_ARRAY_META_INIT };
    vv_array_meta *meta = &self.meta;
    vv_array *array = NULL;

    /* r24: raw bits, 3 bytes of them. */
    meta->dtype = vv_dtype_by_name(argv[1]);
    if (argv[1][0] == 'r' && argv[1][1] >= '0' && argv[1][1] <= '9') {
        meta->dtype = VV_RAW;
        meta->item_size = strtoul(argv[1] + 1, NULL, 10) / 8;
    }
    meta->ndim = parse_list(argv[2], self.shape);
    parse_list(argv[3], self.chunk);
    meta->shape = self.shape;
    meta->chunk_shape = self.chunk;
    meta->codecs = argv[4];
    for (int i = 6; i < argc; i++)
        read_option(&self, argv[i]);
    read_fill(&self, argv[5]);
    check(vv_array_create(store, argv[0], meta, true, &array, &error), "create");
    write_all(array, self.split);
    check(vv_store_flush(store, &error), "flush");
    vv_array_free(array);
}

static void update_array(vv_store *store, char **argv)
{
    uint64_t start[VV_NDIM_MAX] = { 0 }, count[VV_NDIM_MAX] = { 0 };
    const vv_array_meta *meta;
    vv_array *array = NULL;
    uint8_t *data;
    size_t bytes;

    check(vv_array_open(store, argv[0], &array, &error), "open");
    meta = vv_array_get_meta(array);
    parse_list(argv[1], start);
    parse_list(argv[2], count);
    bytes = bytes_of(meta, count);
    data = read_elements(meta->dtype, bytes);
    write_region(array, start, count, data, bytes);
    check(vv_store_flush(store, &error), "flush");
    free_elements(meta->dtype, data, bytes);
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
    if (vv_dtype_is_variable(meta->dtype)) {
        read_variable_region(array, start, count, step);
    } else {
        bytes = bytes_of(meta, count);
        data = must_alloc(bytes);
        check(vv_array_read(array, start, count, step, data, bytes, &error), "read");
        fwrite(data, 1, bytes, stdout);
        free(data);
    }
    vv_array_free(array);
}

static void print_metadata(vv_store *store, const char *path)
{
    vv_buf text = VV_BUF_INIT;
    vv_array *array = NULL;

    check(vv_array_open(store, path, &array, &error), "open");
    check(vv_array_metadata_json(array, &text, &error), "metadata");
    printf("%s\n", (char *)text.data);
    vv_buf_clear(&text);
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
    if (argc >= 9 && strcmp(argv[1], "write") == 0) {
        write_array(store, argc - 3, argv + 3);
    } else if (argc == 6 && strcmp(argv[1], "update") == 0) {
        update_array(store, argv + 3);
    } else if (argc == 4 && strcmp(argv[1], "metadata") == 0) {
        print_metadata(store, argv[3]);
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
