#include "numbers.h"

#include "describe.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static vv_status put(cli_numbers *self, const char *text)
{
    return result_write(self->out, vv_bytes_of(text));
}

static vv_status putf(cli_numbers *self, const char *format, ...) CLI_PRINTF(2, 3);

static vv_status putf(cli_numbers *self, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return put(self, text);
}

/* A name on one line: control characters as \xNN. */
static void escape(const char *name, char *out, size_t cap)
{
    size_t len = 0;

    for (; *name && len + 5 < cap; name++) {
        if ((unsigned char)*name < 0x20 || *name == 0x7f)
            len += (size_t)snprintf(out + len, cap - len, "\\x%02x",
                                    (unsigned char)*name);
        else
            out[len++] = *name;
    }
    out[len] = '\0';
}

static vv_status put_name(cli_numbers *self, const char *name)
{
    char text[512];

    escape(name, text, sizeof(text));
    return put(self, text);
}

/* Text on one line: what would break it is shown as a question mark. */
static void blank_controls(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

static size_t item_of(const vv_array *array)
{
    return vv_array_get_meta(array)->item_size;
}

/* The text of an element, whatever its length. */
static char *element_text(cli_numbers *self, const uint8_t *element)
{
    size_t len = vv_array_element_format(self->array, element, self->text,
                                         self->text_cap);

    if (len >= self->text_cap) {
        free(self->text);
        self->text_cap = len + 1 > CLI_ELEMENT_MAX ? len + 1 : CLI_ELEMENT_MAX;
        self->text = cli_alloc(self->text_cap);
        vv_array_element_format(self->array, element, self->text, self->text_cap);
    }
    return self->text;
}

void numbers_clear(cli_numbers *numbers)
{
    for (uint32_t i = 0; i < numbers->ndim; i++) {
        free(numbers->axes[i].coordinates);
        vv_array_free(numbers->axes[i].array);
    }
    free(numbers->text);
    numbers->text = NULL;
}

static const uint8_t *coordinate(const cli_axis *axis, uint64_t at)
{
    return axis->coordinates + at * item_of(axis->array);
}

void axis_label(const cli_axis *axis, uint64_t at, char out[CLI_ELEMENT_MAX])
{
    if (axis->array)
        vv_array_element_format(axis->array, coordinate(axis, at), out, CLI_ELEMENT_MAX);
    else
        snprintf(out, CLI_ELEMENT_MAX, "%" PRIu64, axis->start + at * axis->step);
}

/* The same on one line. */
static void axis_line(const cli_axis *axis, uint64_t at, char out[CLI_ELEMENT_MAX])
{
    axis_label(axis, at, out);
    blank_controls(out);
}

/* Step self->at; returns how many of the innermost dimensions began anew. */
static uint32_t advance(cli_numbers *self)
{
    for (uint32_t i = self->ndim; i-- > 0;) {
        if (++self->at[i] < self->axes[i].count)
            return self->ndim - 1 - i;
        self->at[i] = 0;
    }
    return self->ndim;
}

/* How many of the innermost dimensions stand at their beginning. */
static uint32_t beginnings(const cli_numbers *self)
{
    uint32_t n = 0;

    while (n < self->ndim && self->at[self->ndim - 1 - n] == 0)
        n++;
    return n;
}

static vv_status nothing(cli_numbers *self)
{
    (void)self;
    return VV_OK;
}

/* ---- text: a table for every two innermost dimensions ------------------------------------ */

static vv_status text_begin(cli_numbers *self)
{
    char label[CLI_ELEMENT_MAX], name[CLI_DTYPE_MAX];

    self->width = 10;
    for (uint32_t i = self->ndim > 2 ? self->ndim - 2 : 0; i < self->ndim; i++) {
        uint64_t step = self->axes[i].count / 1000 + 1; /* a look at some is enough */
        for (uint64_t at = 0; at < self->axes[i].count; at += step) {
            axis_line(&self->axes[i], at, label);
            if ((int)strlen(label) > self->width && strlen(label) < 28)
                self->width = (int)strlen(label);
        }
    }
    put_name(self, self->path);
    put(self, " ");
    dtype_text(vv_array_get_meta(self->array), name);
    put(self, name);
    if (self->units) {
        put(self, ", ");
        put_name(self, self->units);
    }
    if (self->selection && *self->selection) {
        put(self, "\nat ");
        put_name(self, self->selection);
    }
    return put(self, "\n");
}

static const char *axis_name(const cli_axis *axis, uint32_t i, char out[32])
{
    if (*axis->name)
        return axis->name;
    snprintf(out, 32, "dim %u", i);
    return out;
}

/* "TIME = 366, DEPTH = 5", and the labels of the columns. */
static vv_status table_head(cli_numbers *self)
{
    char label[CLI_ELEMENT_MAX], name[32];
    uint32_t rows = self->ndim - 2;
    const cli_axis *columns = &self->axes[self->ndim - 1];

    for (uint32_t i = 0; i < rows; i++) {
        axis_line(&self->axes[i], self->at[i], label);
        put(self, i ? ", " : "\n");
        put_name(self, axis_name(&self->axes[i], i, name));
        putf(self, " = %s", label);
    }
    put(self, rows ? "\n" : "");
    put_name(self, axis_name(&self->axes[rows], rows, name));
    put(self, " \\ ");
    put_name(self, axis_name(columns, rows + 1, name));
    putf(self, "\n%*s", self->width, "");
    vv_status status = VV_OK;
    for (uint64_t at = 0; at < columns->count && !status; at++) {
        axis_line(columns, at, label);
        status = putf(self, " %*s", self->width, label);
    }
    return put(self, "\n");
}

static vv_status text_elements(cli_numbers *self, const uint8_t *elements, size_t n)
{
    char label[CLI_ELEMENT_MAX];
    vv_status status = VV_OK;

    for (size_t i = 0; i < n && !status; i++) {
        uint32_t begun = beginnings(self);
        char *text = element_text(self, elements + i * self->item);
        blank_controls(text);
        if (self->ndim >= 2 && begun >= 2)
            table_head(self);
        if (self->ndim && (self->ndim == 1 || begun)) {
            axis_line(&self->axes[self->ndim >= 2 ? self->ndim - 2 : 0],
                      self->at[self->ndim >= 2 ? self->ndim - 2 : 0], label);
            putf(self, "%*s", self->width, label);
        }
        if (self->ndim)
            putf(self, " %*s", self->width - (int)strnlen(text, (size_t)self->width), "");
        status = put(self, text);
        if (advance(self) || self->ndim <= 1)
            status = put(self, "\n");
    }
    return status;
}

const cli_number_format numbers_text = { text_begin, text_elements, nothing };

/* ---- CSV: a line for each element ---------------------------------------------------------- */

static vv_status csv_field(cli_numbers *self, const char *text)
{
    if (!text[strcspn(text, ",\"\r\n")])
        return put(self, text);
    put(self, "\"");
    for (; *text; text++)
        putf(self, *text == '"' ? "\"%c" : "%c", *text);
    return put(self, "\"");
}

static vv_status csv_name(cli_numbers *self, const char *name)
{
    char text[512];

    escape(name, text, sizeof(text));
    return csv_field(self, text);
}

static vv_status csv_begin(cli_numbers *self)
{
    const char *slash = strrchr(self->path, '/');
    char name[32];

    for (uint32_t i = 0; i < self->ndim; i++) {
        csv_name(self, axis_name(&self->axes[i], i, name));
        put(self, ",");
    }
    csv_name(self, slash ? slash + 1 : self->path);
    return put(self, "\n");
}

static vv_status csv_elements(cli_numbers *self, const uint8_t *elements, size_t n)
{
    char text[CLI_ELEMENT_MAX];
    vv_status status = VV_OK;

    for (size_t i = 0; i < n && !status; i++) {
        for (uint32_t d = 0; d < self->ndim; d++) {
            axis_label(&self->axes[d], self->at[d], text);
            csv_field(self, text);
            put(self, ",");
        }
        csv_field(self, element_text(self, elements + i * self->item));
        status = put(self, "\n");
        advance(self);
    }
    return status;
}

const cli_number_format numbers_csv = { csv_begin, csv_elements, nothing };

/* ---- JSON ------------------------------------------------------------------------------------ */

/* A number; what JSON has none for is text, as in Zarr's fill values. */
static void json_number(const char *key, vv_dtype dtype, const uint8_t *element)
{
    char text[CLI_ELEMENT_MAX];

    vv_element_format(dtype, element, text, sizeof(text));
    char first = text[strspn(text, "-")];
    if (dtype == VV_BOOL || (first >= '0' && first <= '9'))
        json_raw(key, text, strlen(text));
    else
        json_text(key, text);
}

/* A complex number is a pair; times, text and bytes are text. */
static void json_element(const char *key, const vv_array *array, const uint8_t *element,
                         cli_numbers *self)
{
    vv_dtype dtype = vv_array_get_meta(array)->dtype;
    char label[CLI_ELEMENT_MAX];

    if (dtype == VV_COMPLEX64 || dtype == VV_COMPLEX128) {
        vv_dtype half = dtype == VV_COMPLEX64 ? VV_FLOAT32 : VV_FLOAT64;
        json_row(key);
        json_number(NULL, half, element);
        json_number(NULL, half, element + vv_dtype_size(half));
        json_end();
    } else if (dtype <= VV_BFLOAT16) {
        json_number(key, dtype, element);
    } else if (self) {
        json_text(key, element_text(self, element));
    } else {
        vv_array_element_format(array, element, label, sizeof(label));
        json_text(key, label);
    }
}

static void json_axes(const cli_numbers *self)
{
    json_row("dimensions");
    for (uint32_t i = 0; i < self->ndim; i++)
        json_text(NULL, *self->axes[i].name ? self->axes[i].name : NULL);
    json_end();
    json_row("shape");
    for (uint32_t i = 0; i < self->ndim; i++)
        json_uint(NULL, self->axes[i].count);
    json_end();
    json_list("labels");
    for (uint32_t i = 0; i < self->ndim; i++) {
        const cli_axis *axis = &self->axes[i];
        json_row(NULL);
        for (uint64_t at = 0; at < axis->count && !out_failed(); at++) {
            if (axis->array)
                json_element(NULL, axis->array, coordinate(axis, at), NULL);
            else
                json_uint(NULL, axis->start + at * axis->step);
        }
        json_end();
    }
    json_end();
}

static vv_status numbers_json_begin(cli_numbers *self)
{
    bool empty = false;

    json_object(NULL);
    json_text("array", self->path);
    json_text("dtype", vv_dtype_name(vv_array_get_meta(self->array)->dtype));
    if (self->units)
        json_text("units", self->units);
    json_axes(self);
    for (uint32_t i = 0; i < self->ndim; i++)
        empty = empty || self->axes[i].count == 0;
    if (empty) {
        json_row("data");
        json_end();
    }
    return out_failed() ? VV_ECANCELED : VV_OK;
}

static vv_status numbers_json_elements(cli_numbers *self, const uint8_t *elements,
                                       size_t n)
{
    for (size_t i = 0; i < n && !out_failed(); i++) {
        uint32_t begun = beginnings(self);
        const char *key = begun == self->ndim ? "data" : NULL;
        for (uint32_t d = begun; d-- > 0; key = NULL)
            (d ? json_list : json_row)(key);
        json_element(self->ndim ? NULL : "data", self->array, elements + i * self->item,
                     self);
        for (uint32_t ended = advance(self); ended; ended--)
            json_end();
    }
    return out_failed() ? VV_ECANCELED : VV_OK;
}

static vv_status numbers_json_end(cli_numbers *self)
{
    (void)self;
    json_end();
    return VV_OK;
}

const cli_number_format numbers_json = { numbers_json_begin, numbers_json_elements,
                                         numbers_json_end };

/* ---- NumPy's format, version 1.0 or 2.0 ----------------------------------------------------- */

/* NumPy's name of the type without its byte order; false where it has none. */
static bool npy_type(const vv_array_meta *meta, char out[64])
{
    static const char *const names[] = {
        [VV_BOOL] = "b1",      [VV_INT8] = "i1",       [VV_INT16] = "i2",
        [VV_INT32] = "i4",     [VV_INT64] = "i8",      [VV_UINT8] = "u1",
        [VV_UINT16] = "u2",    [VV_UINT32] = "u4",     [VV_UINT64] = "u8",
        [VV_FLOAT16] = "f2",   [VV_FLOAT32] = "f4",    [VV_FLOAT64] = "f8",
        [VV_COMPLEX64] = "c8", [VV_COMPLEX128] = "c16"
    };
    bool generic = meta->time_unit && strcmp(meta->time_unit, "generic") == 0;

    switch (meta->dtype) {
    case VV_BFLOAT16: /* of which NumPy itself has none */
    case VV_RAW:
        snprintf(out, 64, "V%zu", meta->item_size);
        return true;
    case VV_NULL_TERMINATED_BYTES:
        snprintf(out, 64, "S%zu", meta->item_size);
        return true;
    case VV_FIXED_UTF32:
        snprintf(out, 64, "U%zu", meta->item_size / 4);
        return true;
    case VV_DATETIME64:
    case VV_TIMEDELTA64:
        snprintf(out, 64, "%c8", meta->dtype == VV_DATETIME64 ? 'M' : 'm');
        if (!generic && meta->time_scale == 1)
            snprintf(out + 2, 62, "[%s]", meta->time_unit);
        else if (!generic)
            snprintf(out + 2, 62, "[%" PRIu32 "%s]", meta->time_scale, meta->time_unit);
        return true;
    case VV_STRING:
    case VV_BYTES:
    case VV_DTYPE_NONE:
        return false;
    default:
        snprintf(out, 64, "%s", names[meta->dtype]);
        return true;
    }
}

bool numbers_have_npy(const vv_array_meta *meta)
{
    char type[64];

    return npy_type(meta, type);
}

/*
 * 93 "NUMPY" 01 00, the length of the rest as 16 bits little-endian, a Python dictionary, blanks
 * to a multiple of 64 bytes, a line end.
 */
static vv_status npy_begin(cli_numbers *self)
{
    const uint16_t one = 1;
    bool little = *(const uint8_t *)&one == 1;
    const vv_array_meta *meta = vv_array_get_meta(self->array);
    char head[1024] = "\x93NUMPY\x01";
    char type[64] = "";
    size_t len = 10;

    (void)npy_type(meta, type);
    len += (size_t)snprintf(head + len, sizeof(head) - len,
                            "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                            self->item == 1 || strchr("SV", *type) ? '|'
                            : little                               ? '<'
                                                                   : '>',
                            type);
    for (uint32_t i = 0; i < self->ndim; i++)
        len += (size_t)snprintf(head + len, sizeof(head) - len, "%" PRIu64 ", ",
                                self->axes[i].count);
    len += (size_t)snprintf(head + len, sizeof(head) - len, "), }");
    while ((len + 1) % 64)
        head[len++] = ' ';
    head[len++] = '\n';
    head[8] = (char)((len - 10) & 0xff);
    head[9] = (char)((len - 10) >> 8);
    return result_write(self->out, (vv_bytes){ (const uint8_t *)head, len });
}

static vv_status npy_elements(cli_numbers *self, const uint8_t *elements, size_t n)
{
    return result_write(self->out, (vv_bytes){ elements, n * self->item });
}

const cli_number_format numbers_npy = { npy_begin, npy_elements, nothing };
