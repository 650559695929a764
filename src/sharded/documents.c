/* What documents say of arrays and groups. */
#include "sharded/store.h"

#include "sharded/python_json.h"
#include "util/buf.h"
#include "json/json.h"

#include <string.h>

/* A length as py-hamt reads it: a number is cut to an integer. False: it is none. */
static bool read_length(const vvi_json *item, uint64_t *out, bool *negative)
{
    double number;

    if (vvi_json_uint64(item, out))
        return true;
    if (!vvi_json_double(item, &number) || number >= 18446744073709551616.0)
        return false;
    *negative = number <= -1;
    *out = *negative ? 0 : (uint64_t)(number > 0 ? number : 0);
    return true;
}

/* A list of lengths. *is_list: it is one. */
static vv_status read_lengths(const vvi_json *list, const char *what, bool *is_list,
                              uint32_t *n, uint64_t out[VVI_GRID_NDIM_MAX], vv_error *err)
{
    size_t count = vvi_json_count(list);
    bool negative = false;
    uint32_t i = 0;

    *is_list = false;
    if (!vvi_json_is(list, VVI_JSON_ARRAY))
        return VV_OK;
    for (const vvi_json *item = vvi_json_first(list); item; item = vvi_json_next(item)) {
        uint64_t length;

        if (!read_length(item, &length, &negative))
            return VV_OK;
        if (i < VVI_GRID_NDIM_MAX)
            out[i++] = length;
    }
    if (count > VVI_GRID_NDIM_MAX)
        return vvi_fail(err, VV_EUNSUPPORTED, "%s has %zu dimensions", what, count);
    if (negative)
        return vvi_fail(err, VV_EINVAL, "%s has a negative length", what);
    *is_list = true;
    *n = i;
    return VV_OK;
}

/* Put another character for halves of surrogate pairs, all of which are escapes in text. */
static void hide_surrogates(vv_buf *text)
{
    for (size_t at = 0; at + 6 <= text->len; at++) {
        if (text->data[at] != '\\')
            continue;
        if (memcmp(text->data + at, "\\ud", 3) == 0 && text->data[at + 3] >= '8')
            memcpy(text->data + at, "\\ufffd", 6);
        at++;
    }
}

/* What Python reads, which is more than JSON: halves of surrogate pairs. */
static vv_status parse(vv_bytes text, vvi_json **out, vv_error *err)
{
    vv_status status = vvi_json_parse(text, out, err);
    vv_buf plain = VV_BUF_INIT;

    if (status != VV_ECORRUPT || !vvi_is_utf8(text) ||
        vvi_bytes_start_with(text, vv_bytes_of("\xEF\xBB\xBF")))
        return status;
    status = vvi_python_json(text, NULL, 0, &plain, err);
    hide_surrogates(&plain);
    if (!status)
        status = vvi_json_parse(vvi_buf_bytes(&plain), out, err);
    vv_buf_clear(&plain);
    return status == VV_ELIMIT ? VV_ECORRUPT : status;
}

vv_status vvi_document_read(vv_bytes text, vvi_document *out, vv_error *err)
{
    vvi_json *tree = NULL;
    const vvi_json *grid;
    vv_status status = parse(text, &tree, err);

    *out = (vvi_document){ .is_object = false };
    /* Nor is what is longer than the document of any array. */
    if (status == VV_ECORRUPT || text.len > VVI_JSON_BYTES_MAX)
        return VV_OK;
    out->is_object = !status && vvi_json_is(tree, VVI_JSON_OBJECT);
    if (out->is_object) {
        out->is_group = vvi_json_is_text(vvi_json_get(tree, "node_type"), "group");
        out->consolidated = vvi_json_get(tree, "consolidated_metadata") != NULL;
        status = read_lengths(vvi_json_get(tree, "shape"), "shape", &out->has_shape,
                              &out->ndim, out->shape, err);
        grid = vvi_json_get(vvi_json_get(tree, "chunk_grid"), "configuration");
        if (!status)
            status = read_lengths(vvi_json_get(grid, "chunk_shape"), "chunk_shape",
                                  &out->has_chunk, &out->chunk_ndim, out->chunk, err);
        if (!status && !out->has_chunk)
            status = read_lengths(vvi_json_get(tree, "chunks"), "chunks", &out->has_chunk,
                                  &out->chunk_ndim, out->chunk, err);
    }
    vvi_json_free(tree);
    return status;
}

vv_status vvi_document_strip(vv_bytes text, vv_buf *out, vv_error *err)
{
    const vvi_python_edit edit = { .remove = "consolidated_metadata" };

    return vvi_python_json(text, &edit, 0, out, err);
}
