/*
 * The end of a conversion: every key of either root names the same block in the other.
 *
 * One root is sharded. Its keys are listed, some thousands at a time looked up in the other root, and
 * counted; as many keys there make it both ways, since no two of them are one key here.
 */
#include "sharded/convert.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

#define BATCH 4096

typedef struct comparing {
    vvi_conversion *conversion;
    vv_store *sharded;  /* whose keys are listed */
    vv_store *other;    /* where they are looked up; NULL: in the tree */
    bool other_is_made; /* what was made is the other */
    uint64_t keys, added;

    size_t count;   /* in hand */
    vv_buf texts;   /* keys, each with its end */
    size_t *starts; /* BATCH of each */
    vv_bytes *names;
    vv_cid *pointers, *found;
    vv_status *statuses;
} comparing;

static const char *text_at(const comparing *self, size_t i)
{
    return (const char *)self->texts.data + self->starts[i];
}

static vv_status look_up(comparing *self, const char *key, vv_cid *out)
{
    return self->other
               ? vv_store_pointer(self->other, key, out, NULL)
               : vv_hamt_get_pointer(self->conversion->tree, vv_bytes_of(key), out, NULL);
}

/* The forms that a chunk's key "path/c/0/1" may have in the source: path/0.1, path/0/1; of an array at the
 * root in version 1 "/c/0/1" is c/0/1. */
static vv_status look_up_forms(comparing *self, const char *key, vv_cid *out,
                               vv_error *err)
{
    const char *marker = NULL;
    vv_buf form = VV_BUF_INIT;
    vv_status status = VV_ENOTFOUND;
    vv_status made = VV_OK;

    if (key[0] == '/')
        return look_up(self, key + 1, out);
    for (const char *at = strstr(key, "/c/"); at; at = strstr(at + 1, "/c/"))
        marker = at + 1;
    if (!marker && strncmp(key, "c/", 2) == 0)
        marker = key;
    for (int slashed = 0; marker && slashed < 2 && status == VV_ENOTFOUND; slashed++) {
        const size_t path = (size_t)(marker - key);

        form.len = 0;
        made = vvi_buf_append(&form, vvi_bytes(key, path), err);
        if (!made)
            made = vvi_buf_append_text(&form, marker + 2, err);
        if (!made)
            made = vvi_buf_terminate(&form, err);
        if (made)
            break;
        for (size_t i = path; i < form.len && !slashed; i++)
            if (form.data[i] == '/')
                form.data[i] = '.';
        status = look_up(self, (const char *)form.data, out);
    }
    vv_buf_clear(&form);
    return made ? made : status;
}

/* Is it one of the group documents that arrays get besides? */
static bool is_added(const char *key, const vv_cid *pointer)
{
    static const char *const texts[] = { VVI_GROUP_V3, VVI_GROUP_V2 };
    const vv_cid_prefix ids = { VV_CODEC_RAW, pointer->hash, 1,
                                (uint8_t)pointer->digest_len };
    size_t len;
    vv_cid cid;

    if (!vvi_key_is_document(key) ||
        (vvi_key_is_array_document(key, &len) && strstr(key, ".zarray")))
        return false;
    for (size_t i = 0; i < 2; i++)
        if (!vv_cid_of(&ids, vv_bytes_of(texts[i]), &cid, NULL) &&
            vv_cid_same_block(&cid, pointer))
            return true;
    return false;
}

/* Is the one document the other without its consolidated metadata? */
static vv_status is_stripped(const comparing *self, const vv_cid *from,
                             const vv_cid *made, bool *out, vv_error *err)
{
    vv_blockstore *blocks = self->conversion->blocks;
    vv_buf text = VV_BUF_INIT;
    vv_buf left = VV_BUF_INIT;
    vvi_document document;
    vv_cid cid;
    vv_cid_prefix ids = { VV_CODEC_RAW, made->hash, 1, (uint8_t)made->digest_len };
    vv_status status = vv_blockstore_get(blocks, from, &text, err);

    *out = false;
    if (!status)
        status = vvi_document_read(vvi_buf_bytes(&text), &document, err);
    if (!status && document.is_object && document.is_group && document.consolidated) {
        status = vvi_document_strip(vvi_buf_bytes(&text), &left, err);
        if (!status)
            status = vv_cid_of(&ids, vvi_buf_bytes(&left), &cid, err);
        *out = !status && vv_cid_same_block(&cid, made);
    }
    vv_buf_clear(&text);
    vv_buf_clear(&left);
    return status;
}

static vv_status fail_difference(const char *key, const vv_cid *here, const vv_cid *there,
                                 vv_error *err)
{
    char a[VV_CID_TEXT_MAX];
    char b[VV_CID_TEXT_MAX] = "nothing";

    vv_cid_format(here, a);
    if (there)
        vv_cid_format(there, b);
    return vvi_fail(err, VV_ECORRUPT,
                    "verification: key '%s' is %s in one root and %s in the other", key,
                    a, b);
}

static vv_status compare_one(comparing *self, size_t i, vv_error *err)
{
    const char *key = text_at(self, i);
    const vv_cid *here = &self->pointers[i];
    vv_cid *there = &self->found[i];
    vv_status status = self->statuses[i];
    bool stripped = false;

    if (status == VV_ENOTFOUND && !self->other_is_made)
        status = look_up_forms(self, key, there, err);
    if (status == VV_ENOTFOUND && !self->other_is_made && is_added(key, here)) {
        self->added++;
        return VV_OK;
    }
    if (status == VV_ENOTFOUND)
        return fail_difference(key, here, NULL, err);
    if (status)
        return vvi_wrap(err, status, "key '%s'", key);
    if (!vv_cid_equal(here, there) && !self->other_is_made &&
        strcmp(key, "zarr.json") == 0)
        VVI_TRY(is_stripped(self, there, here, &stripped, err));
    return stripped || vv_cid_equal(here, there) ? VV_OK
                                                 : fail_difference(key, here, there, err);
}

static vv_status compare_batch(comparing *self, vv_error *err)
{
    vv_status status = VV_OK;

    for (size_t i = 0; i < self->count; i++)
        self->names[i] = vv_bytes_of(text_at(self, i));
    if (self->other)
        for (size_t i = 0; i < self->count; i++)
            self->statuses[i] = vv_store_pointer(self->other, text_at(self, i),
                                                 &self->found[i], NULL);
    else
        status = vv_hamt_get_pointers(self->conversion->tree, self->names, self->count,
                                      self->found, self->statuses, err);
    for (size_t i = 0; i < self->count && !status; i++)
        status = compare_one(self, i, err);
    self->conversion->result.verified += self->count;
    self->count = 0;
    self->texts.len = 0;
    return status;
}

static vv_status take_pair(void *ctx, vv_bytes key, const vv_cid *pointer, vv_error *err)
{
    comparing *self = ctx;

    self->keys++;
    VVI_TRY(vvi_conversion_tell(self->conversion, err));
    self->starts[self->count] = self->texts.len;
    VVI_TRY(vvi_buf_append(&self->texts, key, err));
    VVI_TRY(vvi_buf_append_byte(&self->texts, 0, err));
    self->pointers[self->count++] = *pointer;
    return self->count < BATCH ? VV_OK : compare_batch(self, err);
}

/* ---- counts ------------------------------------------------------------------------------------ */

/* A key of the source that is not, or not so, in what was made; told apart only if counts differ. */
static vv_status find_lost(void *ctx, vv_bytes key, const vv_cid *pointer, vv_error *err)
{
    comparing *self = ctx;
    vvi_conversion *conversion = self->conversion;
    vv_status status;
    vv_cid there;

    conversion->key.len = 0;
    VVI_TRY(vvi_buf_append(&conversion->key, key, err));
    VVI_TRY(vvi_buf_terminate(&conversion->key, err));
    status = vv_store_pointer(self->sharded, (const char *)conversion->key.data, &there,
                              err);
    if (status == VV_ENOTFOUND)
        return fail_difference((const char *)conversion->key.data, pointer, NULL, err);
    VVI_TRY(status);
    if (vv_cid_equal(&there, pointer) ||
        strcmp((const char *)conversion->key.data, "zarr.json") == 0)
        return VV_OK;
    return fail_difference((const char *)conversion->key.data, pointer, &there, err);
}

/* As many keys in the other root? Two keys of the source may be two forms of one chunk's. */
static vv_status compare_counts(comparing *self, vv_error *err)
{
    vvi_conversion *conversion = self->conversion;
    const uint64_t here = self->keys - self->added;
    uint64_t there = conversion->result.keys;

    if (self->other_is_made)
        VVI_TRY(vv_hamt_len(conversion->tree, &there, err));
    if (here == there)
        return VV_OK;
    if (!self->other_is_made && here < there)
        return conversion->from_hamt
                   ? vv_hamt_iterate(conversion->tree, vvi_bytes(NULL, 0), find_lost,
                                     self, err)
                   : vvi_sharded_pairs(conversion->from, NULL, find_lost, self, err);
    return vvi_fail(err, VV_ECORRUPT,
                    "verification: %" PRIu64 " keys in one root and %" PRIu64
                    " in the other",
                    here, there);
}

static vv_status make_room(comparing *self, vv_error *err)
{
    self->starts = vvi_alloc_array(BATCH, sizeof(*self->starts));
    self->names = vvi_alloc_array(BATCH, sizeof(*self->names));
    self->pointers = vvi_alloc_array(BATCH, sizeof(*self->pointers));
    self->found = vvi_alloc_array(BATCH, sizeof(*self->found));
    self->statuses = vvi_alloc_array(BATCH, sizeof(*self->statuses));
    return self->starts && self->names && self->pointers && self->found && self->statuses
               ? VV_OK
               : vvi_fail_nomem(err, BATCH * 2 * sizeof(vv_cid));
}

vv_status vvi_conversion_verify(vvi_conversion *self, const vv_cid *made, vv_error *err)
{
    comparing compare = { .conversion = self, .other_is_made = self->to == VV_TO_HAMT };
    vv_sharded_options options = VV_SHARDED_OPTIONS_INIT;
    vv_status status = make_room(&compare, err);

    /* What was made is read from its root, not from what is still in memory. */
    options.read_only = true;
    options.stored_keys = true;
    options.read = VV_SHARD_FULL;
    vv_store_free(self->into);
    self->into = NULL;
    if (compare.other_is_made) {
        compare.sharded = vv_store_retain(self->from);
        if (!status)
            status = vv_hamt_vacate(self->tree, NULL, err);
    } else {
        compare.other = self->from;
        if (!status)
            status = vv_sharded_store_open(self->blocks, made, &options, &compare.sharded,
                                           err);
    }
    if (!status)
        status = vvi_sharded_pairs(compare.sharded, NULL, take_pair, &compare, err);
    if (!status)
        status = compare_batch(&compare, err);
    if (!status)
        status = compare_counts(&compare, err);
    vv_store_free(compare.sharded);
    vv_buf_clear(&compare.texts);
    vvi_free(compare.starts);
    vvi_free(compare.names);
    vvi_free(compare.pointers);
    vvi_free(compare.found);
    vvi_free(compare.statuses);
    return status;
}
