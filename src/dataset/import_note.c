/*
 * The note that an unfinished import leaves in the group that it imports into: which file it was of.
 * It is put there before anything else, and is then not ready: what lies in the group may be replaced.
 * It is ready when the arrays' metadata is there: from then on every chunk of those arrays is of that file.
 */
#include "dataset/import.h"

#include "util/buf.h"
#include "util/file.h"

#include <varvite/hash.h>

#include <string.h>

#define NOTE       ".varvite-import"
#define NOT_READY  ", \"ready\": false}"
#define READY      "}"
#define HEAD_BYTES 65536u

/* The file itself, or of a Zarr directory its document. */
static vv_status open_source(const char *source, vvi_file *file, vv_error *err)
{
    static const char *const documents[] = { "", "/zarr.json", "/.zgroup", "/.zattrs" };
    vv_status status = VV_OK;

    for (size_t i = 0; i < sizeof(documents) / sizeof(*documents); i++) {
        vvi_path_kind kind = VVI_PATH_OTHER;
        vv_buf path = VV_BUF_INIT;

        status = vvi_buf_printf(&path, err, "%s%s", source, documents[i]);
        if (!status)
            status = vvi_path_look((const char *)path.data, &kind, NULL, err);
        if (!status && kind == VVI_PATH_FILE)
            status = vvi_file_open(file, (const char *)path.data, VVI_FILE_READ, err);
        vv_buf_clear(&path);
        if ((status && status != VV_ENOTFOUND) || vvi_file_is_open(file))
            return status;
    }
    return status ? status
                  : vvi_fail(err, VV_EINVAL, "%s is neither a file nor a Zarr directory",
                             source);
}

/* Size, time of the last change, and the hash of what the file begins with: the note but for its end. */
static vv_status describe(const char *source, vv_buf *out, vv_error *err)
{
    uint8_t digest[VV_BLAKE3_SIZE];
    vvi_file file = VVI_FILE_INIT;
    vv_buf head = VV_BUF_INIT;
    vvi_file_facts facts;
    vv_status status = open_source(source, &file, err);

    if (!status)
        status = vvi_file_look(&file, &facts, err);
    if (!status)
        status = vvi_buf_reserve(&head, HEAD_BYTES, err);
    if (!status)
        status = vvi_file_read_at(&file, 0, head.data, HEAD_BYTES, &head.len, err);
    vvi_file_close(&file);
    if (!status) {
        vv_blake3(vvi_buf_bytes(&head), digest);
        status = vvi_buf_printf(out, err,
                                "{\"size\": %" PRIu64 ", \"changed\": %" PRIu64
                                ".%09" PRIu64 ", \"head\": \"",
                                facts.size, facts.changed_ns / 1000000000u,
                                facts.changed_ns % 1000000000u);
    }
    for (size_t i = 0; i < sizeof(digest) && !status; i++)
        status = vvi_buf_printf(out, err, "%02x", digest[i]);
    if (!status)
        status = vvi_buf_append_text(out, "\"", err);
    vv_buf_clear(&head);
    return status;
}

static vv_status note_key(const vvi_import *self, vv_buf *out, vv_error *err)
{
    return vvi_join(self->path, NOTE, out, err);
}

/* What a note of the same file says behind the description; NULL: it is of another one. */
static const char *note_end(const vvi_import *self, const vv_buf *there)
{
    if (there->len < self->note.len ||
        memcmp(there->data, self->note.data, self->note.len) != 0)
        return NULL;
    return (const char *)there->data + self->note.len;
}

vv_status vvi_import_note_look(vvi_import *self, const char *source, vv_error *err)
{
    vv_buf key = VV_BUF_INIT;
    vv_buf there = VV_BUF_INIT;
    const char *end = NULL;
    vv_status status = describe(source, &self->note, err);

    self->may_replace = self->options.overwrite;
    if (status || !self->options.skip_existing)
        return status;
    self->options.skip_existing = false;
    status = note_key(self, &key, err);
    if (!status)
        status = vv_store_get(self->target, (const char *)key.data, VV_RANGE_ALL, &there,
                              err);
    if (!status)
        status = vvi_buf_terminate(&there, err);
    if (!status)
        end = note_end(self, &there);
    if (status == VV_ENOTFOUND) { /* nothing of this file is there yet */
        status = VV_OK;
    } else if (!status && !end) {
        status = vvi_fail(
            err, VV_EEXISTS,
            "%s is not the file whose import was stopped here, or it was changed "
            "since: its chunks would be mixed with those of another one",
            source);
    } else if (!status) {
        self->may_replace = true;
        self->options.skip_existing = strcmp(end, READY) == 0;
    }
    vv_buf_clear(&there);
    vv_buf_clear(&key);
    return status;
}

vv_status vvi_import_note_put(vvi_import *self, bool ready, vv_error *err)
{
    vv_buf key = VV_BUF_INIT;
    vv_buf text = VV_BUF_INIT;
    vv_status status = note_key(self, &key, err);

    if (!status)
        status = vvi_buf_append(&text, vvi_buf_bytes(&self->note), err);
    if (!status)
        status = vvi_buf_append_text(&text, ready ? READY : NOT_READY, err);
    if (!status)
        status = vv_store_set(self->target, (const char *)key.data, vvi_buf_bytes(&text),
                              err);
    vv_buf_clear(&text);
    vv_buf_clear(&key);
    return status;
}

vv_status vvi_import_note_end(vvi_import *self, vv_error *err)
{
    vv_buf key = VV_BUF_INIT;
    vv_status status = note_key(self, &key, err);

    if (!status)
        status = vv_store_delete(self->target, (const char *)key.data, err);
    vv_buf_clear(&key);
    return status;
}
