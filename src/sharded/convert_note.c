/*
 * The note that an unfinished conversion leaves in a file: which conversion it is, and what is done. It is
 * gone on with only if every line of the first part is the same again.
 */
#include "sharded/convert.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/file.h"

#include <stdio.h>
#include <string.h>

#define NOTE_MAX 16384

static void cid_line(const vv_cid *cid, char out[VV_CID_TEXT_MAX])
{
    vv_cid_format(cid, out);
}

vv_status vvi_conversion_describe(vvi_conversion *self, vv_error *err)
{
    static const char *const targets[] = { "sharded v2", "sharded v1", "HAMT" };
    const vv_conversion_options *options = &self->options;
    const vv_sharded_options *sharded = &options->sharded;
    const vv_cid_prefix *ids = self->to == VV_TO_HAMT ? &options->hamt.ids
                                                      : &sharded->ids;
    const char *path = sharded->primary_array_path;
    char source[VV_CID_TEXT_MAX];

    cid_line(&self->source, source);
    self->note.len = 0;
    return vvi_buf_printf(
        &self->note, err,
        "varvite conversion 1\nsource %s\nto %s\nids %" PRIu64 " %" PRIu64 " %" PRIu64
        "\nbucket %" PRIu32 "\nchunks_per_shard %" PRIu64 "\nmemory %" PRIu64
        "\narray %s%s\nprimary %s\n",
        source, targets[self->to], (uint64_t)ids->version, (uint64_t)ids->hash,
        (uint64_t)ids->digest_len, options->hamt.max_bucket_size,
        sharded->chunks_per_shard, options->memory_bytes, path ? "/" : "",
        path ? path : "", sharded->without_primary ? "left out" : "recorded");
}

/* The part that changes: a root, the pass to go on with, and counts. */
static bool read_end(vvi_conversion *self, const char *text, vv_cid *partial)
{
    char cid[VV_CID_TEXT_MAX];
    uint64_t n[6];
    int used = 0;

    /* The width is that of the array, less its end. */
    _Static_assert(VV_CID_TEXT_MAX > 500, "the width below");
    if (sscanf(text,
               "root %500s pass %" SCNu64 " of %" SCNu64 " written %" SCNu64
               " keys %" SCNu64 " documents %" SCNu64 " added %" SCNu64 " %n",
               cid, &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &used) != 7 ||
        text[used] != '\0' || vv_cid_parse(cid, partial, NULL) || n[0] > n[1] + 1)
        return false;
    self->pass = n[0];
    self->passes = n[1];
    self->written = n[2];
    self->result.keys = n[3];
    self->result.documents = n[4];
    self->result.added = n[5];
    return true;
}

vv_status vvi_conversion_look(vvi_conversion *self, bool *found, vv_cid *partial,
                              vv_error *err)
{
    vv_buf there = VV_BUF_INIT;
    vv_status status;

    *found = false;
    status = vvi_file_load(self->options.note_path, NOTE_MAX, &there, err);
    if (status == VV_ENOTFOUND)
        return VV_OK;
    if (!status)
        status = vvi_buf_terminate(&there, err);
    if (!status &&
        (!vvi_bytes_start_with(vvi_buf_bytes(&there), vvi_buf_bytes(&self->note)) ||
         !read_end(self, (const char *)there.data + self->note.len, partial)))
        status = vvi_fail(err, VV_EEXISTS,
                          "%s is no note of this conversion; another one may have been "
                          "stopped",
                          self->options.note_path);
    *found = !status;
    vv_buf_clear(&there);
    return status;
}

vv_status vvi_conversion_keep(const vvi_conversion *self, const vv_cid *partial,
                              vv_error *err)
{
    const char *path = self->options.note_path;
    const char *slash = strrchr(path, '/');
    char *directory = slash ? vvi_strndup(path, (size_t)(slash - path) + (slash == path))
                            : vvi_strdup(".");
    char root[VV_CID_TEXT_MAX];
    vv_buf text = VV_BUF_INIT;
    vv_status status = directory ? VV_OK : vvi_fail_nomem(err, strlen(path));

    cid_line(partial, root);
    if (!status)
        status = vvi_buf_append(&text, vvi_buf_bytes(&self->note), err);
    if (!status)
        status = vvi_buf_printf(
            &text, err,
            "root %s\npass %" PRIu64 " of %" PRIu64 "\nwritten %" PRIu64 "\nkeys %" PRIu64
            "\ndocuments %" PRIu64 "\nadded %" PRIu64 "\n",
            root, self->pass, self->passes, self->written, self->result.keys,
            self->result.documents, self->result.added);
    if (!status)
        status = vvi_file_save(directory, slash ? slash + 1 : path, vvi_buf_bytes(&text),
                               err);
    vv_buf_clear(&text);
    vvi_free(directory);
    return status;
}

vv_status vvi_conversion_forget(const vvi_conversion *self, vv_error *err)
{
    vv_status status = vvi_file_unlink(self->options.note_path, err);

    return status == VV_ENOTFOUND ? VV_OK : status;
}
