/* The note that an unfinished copy leaves at its target: what is copied, and how. */
#include "copy/run.h"

#include "store/internal.h"
#include "util/buf.h"
#include "json/json.h"

#include <string.h>

#define NOTE ".varvite-copy"

static vv_status note_key(const vvi_copy_run *run, vv_buf *out, vv_error *err)
{
    return vvi_copy_path(run->to_path, NOTE, out, err);
}

/* The name of the source; empty when it has none. */
static vv_status name_source(const vvi_copy_run *run, vv_buf *out, vv_error *err)
{
    char text[VV_CID_TEXT_MAX];
    vv_cid root;

    if (run->options.source_name)
        return vvi_buf_append_text(out, run->options.source_name, err);
    if (!vvi_store_has_root(run->from))
        return VV_OK;
    VVI_TRY(vv_store_commit(run->from, &root, err));
    vv_cid_format(&root, text);
    return vvi_buf_append_text(out, text, err);
}

static vv_status add_text(vvi_json *object, const char *name, const char *text,
                          vv_error *err)
{
    return vvi_json_set(
        object, name, text ? vvi_json_new_text(text) : vvi_json_new(VVI_JSON_NULL), err);
}

static vv_status write_note(const vvi_copy_run *run, const char *source, vv_buf *out,
                            vv_error *err)
{
    const vv_copy_options *options = &run->options;
    vvi_json *note = vvi_json_new(VVI_JSON_OBJECT);
    vvi_json *arrays = NULL;
    vv_status status = note ? VV_OK : vvi_fail_nomem(err, 64);

    if (!status)
        status = add_text(note, "source", source, err);
    if (!status)
        status = add_text(note, "path", run->from_path, err);
    if (!status)
        status = add_text(note, "chunks", options->chunks, err);
    if (!status)
        status = add_text(note, "shards", options->shards, err);
    if (!status)
        status = add_text(note, "codecs", options->codecs, err);
    if (!status)
        status = add_text(note, "keys", options->keys, err);
    if (!status) {
        arrays = vvi_json_new(VVI_JSON_ARRAY);
        status = vvi_json_set(note, "arrays", arrays, err);
    }
    for (size_t i = 0; i < options->array_count && !status; i++)
        status = vvi_json_append(arrays, vvi_json_new_text(options->arrays[i]), err);
    if (!status)
        status = vvi_json_write(note, 0, out, err);
    vvi_json_free(note);
    return status;
}

/* Compare with the note that lies there, if any. */
static vv_status compare_note(vvi_copy_run *run, const char *key, vv_bytes mine,
                              vv_error *err)
{
    vv_buf there = VV_BUF_INIT;
    vv_status status = vv_store_get(run->to, key, VV_RANGE_ALL, &there, err);

    if (status == VV_ENOTFOUND) {
        status = VV_OK;
    } else if (!status && run->options.resume) {
        run->going_on = vvi_bytes_equal(vvi_buf_bytes(&there), mine);
        if (!run->going_on)
            status = vvi_fail(
                err, VV_EEXISTS,
                "the copy that was stopped here was of another source or with "
                "other changes: %.*s",
                (int)(there.len < 300 ? there.len : 300), (const char *)there.data);
    } else if (!status && !run->options.overwrite) {
        status = vvi_fail(err, VV_EEXISTS,
                          "a copy was stopped at '/%s'; resume it, or overwrite it",
                          run->to_path);
    }
    vv_buf_clear(&there);
    return status;
}

vv_status vvi_note_look(vvi_copy_run *run, vv_buf *note, vv_error *err)
{
    vv_buf source = VV_BUF_INIT;
    vv_buf key = VV_BUF_INIT;
    vv_status status = name_source(run, &source, err);

    if (!status)
        status = vvi_buf_terminate(&source, err);
    if (!status && run->options.resume && !source.len)
        status = vvi_fail(
            err, VV_EINVAL,
            "a copy from a %s store can be resumed only if the source is named",
            vv_store_name(run->from));
    if (!status)
        status = note_key(run, &key, err);
    if (!status)
        status = write_note(run, (const char *)source.data, note, err);
    if (!status)
        status = compare_note(run, (const char *)key.data, vvi_buf_bytes(note), err);
    vv_buf_clear(&key);
    vv_buf_clear(&source);
    return status;
}

vv_status vvi_note_put(vvi_copy_run *run, const vv_buf *note, vv_error *err)
{
    vv_buf key = VV_BUF_INIT;
    vv_status status = note_key(run, &key, err);

    if (!status)
        status = vv_store_set(run->to, (const char *)key.data, vvi_buf_bytes(note), err);
    vv_buf_clear(&key);
    return status;
}

vv_status vvi_note_end(vvi_copy_run *run, vv_error *err)
{
    vv_buf key = VV_BUF_INIT;
    vv_status status = note_key(run, &key, err);

    if (!status)
        status = vv_store_delete(run->to, (const char *)key.data, err);
    vv_buf_clear(&key);
    return status;
}
