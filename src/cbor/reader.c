#include "cbor/reader.h"

#include "cbor/head.h"
#include "cbor/utf8.h"
#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

static vv_status corrupt(vv_error *err, size_t at, const char *what)
{
    return vvi_fail(err, VV_ECORRUPT, "dag-cbor: at byte %zu: %s", at, what);
}

static vv_status corrupt_head(vv_error *err, size_t at, vvi_cbor_fault fault)
{
    static const char *const texts[] = {
        [VVI_CBOR_CUT] = "the input ends",
        [VVI_CBOR_LONG] = "a length or number is not in its shortest form",
        [VVI_CBOR_RESERVED] = "an indefinite length or reserved form",
    };

    return corrupt(err, at, texts[fault]);
}

void vvi_cbor_reader_init(vv_cbor_reader *self, vv_bytes input)
{
    self->input = input;
    self->at = 0;
    self->started = false;
    self->depth = 0;
    self->levels = self->inside;
    self->cap = VVI_CBOR_LEVELS_INSIDE;
}

void vvi_cbor_reader_clear(vv_cbor_reader *self)
{
    if (self->levels != self->inside)
        vvi_free(self->levels);
    self->levels = self->inside;
    self->cap = VVI_CBOR_LEVELS_INSIDE;
}

vv_status vv_cbor_reader_new(vv_bytes input, vv_cbor_reader **out, vv_error *err)
{
    vv_cbor_reader *self = vvi_alloc(sizeof(*self));

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    vvi_cbor_reader_init(self, input);
    *out = self;
    return VV_OK;
}

void vv_cbor_reader_free(vv_cbor_reader *self)
{
    if (!self)
        return;
    vvi_cbor_reader_clear(self);
    vvi_free(self);
}

/* ---- one item ----------------------------------------------------------------------- */

/* The bytes of a text or byte string whose head ends at *at; *at moves past them. */
static vv_status take_bytes(const vv_cbor_reader *self, uint64_t len, size_t *at,
                            vv_bytes *out, vv_error *err)
{
    if (len > self->input.len - *at)
        return corrupt(err, *at, "the input ends inside a string");
    *out = vvi_bytes(self->input.data + *at, (size_t)len);
    *at += (size_t)len;
    return VV_OK;
}

static vv_status read_text(const vv_cbor_reader *self, uint64_t len, size_t *at,
                           vv_cbor_item *item, vv_error *err)
{
    size_t good;

    VVI_TRY(take_bytes(self, len, at, &item->bytes, err));
    good = vvi_utf8_span(item->bytes);
    if (good != item->bytes.len)
        return corrupt(err, *at - item->bytes.len + good, "a text is not UTF-8");
    return VV_OK;
}

/* What nearly every link holds: CIDv1, a codec in daily use, 32 bytes of BLAKE3 or SHA-256. */
static bool is_usual_cid(vv_bytes cid)
{
    return cid.len == 36 && cid.data[0] == 1 && cid.data[3] == 32 &&
           (cid.data[1] == VV_CODEC_RAW || cid.data[1] == VV_CODEC_DAG_CBOR ||
            cid.data[1] == VV_CODEC_DAG_PB) &&
           (cid.data[2] == VV_HASH_BLAKE3 || cid.data[2] == VV_HASH_SHA2_256);
}

/* d8 2a, a byte string, 00, the binary CID. *at is past the tag. */
static vv_status read_link(const vv_cbor_reader *self, uint64_t tag, size_t *at,
                           vv_cbor_item *item, vv_error *err)
{
    size_t start = *at;
    vvi_cbor_fault fault;
    vv_status status;
    unsigned major;
    uint64_t len;
    size_t used;
    vv_cid cid;

    if (tag != VVI_CBOR_LINK_TAG)
        return corrupt(err, item->offset, "a tag other than 42");
    used = vvi_cbor_get_head(self->input.data + start, self->input.len - start, &major,
                             &len, &fault);
    if (used == 0)
        return corrupt_head(err, start, fault);
    if (major != VVI_CBOR_BYTES)
        return corrupt(err, start, "a link that holds no byte string");
    *at += used;
    VVI_TRY(take_bytes(self, len, at, &item->bytes, err));
    if (item->bytes.len == 0 || item->bytes.data[0] != 0)
        return corrupt(err, start, "a link that does not begin with a zero byte");
    item->bytes = vvi_bytes(item->bytes.data + 1, item->bytes.len - 1);
    if (is_usual_cid(item->bytes))
        return VV_OK;
    status = vv_cid_from_bytes(item->bytes, &cid, err);
    if (status)
        return vvi_wrap(err, status == VV_EINVAL ? VV_ECORRUPT : status,
                        "dag-cbor: at byte %zu: link", start);
    return VV_OK;
}

/* A count that the rest of the input cannot hold is refused before anybody believes it. */
static vv_status read_count(const vv_cbor_reader *self, uint64_t count, size_t at,
                            size_t least, vv_cbor_item *item, vv_error *err)
{
    if (count > (self->input.len - at) / least)
        return corrupt(err, item->offset, "more members than the input has bytes for");
    item->u.count = count;
    return VV_OK;
}

/* Major type 7: false, true, null and floats of 64 bits. */
static vv_status read_other(const vv_cbor_reader *self, size_t *at, vv_cbor_item *item,
                            vv_error *err)
{
    uint64_t bits;

    switch (self->input.data[item->offset]) {
    case VVI_CBOR_FALSE:
    case VVI_CBOR_TRUE:
        item->kind = VV_CBOR_BOOL;
        item->u.boolean = self->input.data[item->offset] == VVI_CBOR_TRUE;
        *at += 1;
        return VV_OK;
    case VVI_CBOR_NULL:
        item->kind = VV_CBOR_NULL;
        *at += 1;
        return VV_OK;
    case VVI_CBOR_FLOAT:
        break;
    default:
        return corrupt(err, item->offset,
                       "a simple value or short float that DAG-CBOR does not have");
    }
    if (self->input.len - *at < 9)
        return corrupt(err, item->offset, "the input ends inside a float");
    bits = vvi_get_be64(self->input.data + *at + 1);
    if ((bits >> 52 & 0x7ff) == 0x7ff)
        return corrupt(err, item->offset, "a float that is no number, or infinite");
    item->kind = VV_CBOR_FLOAT;
    memcpy(&item->u.real, &bits, sizeof(bits));
    *at += 9;
    return VV_OK;
}

/* Read the item at *at and move *at past its head and, for strings and links, its bytes. */
static vv_status read_item(const vv_cbor_reader *self, size_t *at, vv_cbor_item *item,
                           vv_error *err)
{
    static const uint8_t kinds[] = { VV_CBOR_UINT, VV_CBOR_NINT, VV_CBOR_BYTES,
                                     VV_CBOR_TEXT, VV_CBOR_LIST, VV_CBOR_MAP,
                                     VV_CBOR_LINK };
    vvi_cbor_fault fault;
    uint64_t argument;
    unsigned major;
    size_t used;

    item->offset = *at;
    item->bytes = (vv_bytes){ NULL, 0 };
    item->u.uint = 0;
    if (*at < self->input.len && self->input.data[*at] >> 5 == VVI_CBOR_OTHER)
        return read_other(self, at, item, err);
    used = vvi_cbor_get_head(self->input.data + *at, self->input.len - *at, &major,
                             &argument, &fault);
    if (used == 0)
        return corrupt_head(err, *at, fault);
    *at += used;
    item->kind = (vv_cbor_kind)kinds[major];
    switch (major) {
    case VVI_CBOR_BYTES:
        return take_bytes(self, argument, at, &item->bytes, err);
    case VVI_CBOR_TEXT:
        return read_text(self, argument, at, item, err);
    case VVI_CBOR_LIST:
        return read_count(self, argument, *at, 1, item, err);
    case VVI_CBOR_MAP:
        return read_count(self, argument, *at, 2, item, err);
    case VVI_CBOR_TAG:
        return read_link(self, argument, at, item, err);
    default:
        item->u.uint = argument;
        return VV_OK;
    }
}

/* ---- the nesting -------------------------------------------------------------------- */

static vv_status check_key(const vvi_cbor_level *level, const vv_cbor_item *item,
                           vv_error *err)
{
    int order;

    if (item->kind != VV_CBOR_TEXT)
        return corrupt(err, item->offset, "a map key that is no text");
    if (!level->key.data)
        return VV_OK;
    order = vv_cbor_key_cmp(level->key, item->bytes);
    if (order == 0)
        return corrupt(err, item->offset, "a map key for the second time");
    if (order > 0)
        return corrupt(err, item->offset, "a map key out of order");
    return VV_OK;
}

static vv_status grow_levels(vv_cbor_reader *self, vv_error *err)
{
    vvi_cbor_level *levels;
    size_t cap = self->cap * 2;

    if (self->levels == self->inside) {
        levels = vvi_alloc_array(cap, sizeof(*levels));
        if (levels)
            memcpy(levels, self->inside, sizeof(self->inside));
    } else {
        levels = vvi_realloc(self->levels, cap * sizeof(*levels));
    }
    if (!levels)
        return vvi_fail_nomem(err, cap * sizeof(*levels));
    self->levels = levels;
    self->cap = cap;
    return VV_OK;
}

static bool is_container(const vv_cbor_item *item)
{
    return item->kind == VV_CBOR_LIST || item->kind == VV_CBOR_MAP;
}

/* Make room for the level that item opens; nothing is changed on failure. */
static vv_status prepare_level(vv_cbor_reader *self, const vv_cbor_item *item,
                               vv_error *err)
{
    if (self->depth == VV_CBOR_DEPTH_MAX)
        return vvi_fail(err, VV_ELIMIT,
                        "dag-cbor: at byte %zu: nested deeper than %d levels",
                        item->offset, VV_CBOR_DEPTH_MAX);
    return self->depth == self->cap ? grow_levels(self, err) : VV_OK;
}

static void open_level(vv_cbor_reader *self, const vv_cbor_item *item)
{
    bool is_map = item->kind == VV_CBOR_MAP;

    self->levels[self->depth++] = (vvi_cbor_level){
        .left = is_map ? item->u.count * 2 : item->u.count,
        .offset = item->offset,
        .is_map = is_map,
    };
}

/* Leave the lists and maps of which nothing is left. */
static void close_levels(vv_cbor_reader *self)
{
    while (self->depth && self->levels[self->depth - 1].left == 0)
        self->depth--;
}

/* The value is complete: either the input is too, or it is wrong. */
static vv_status at_end(const vv_cbor_reader *self, vv_error *err)
{
    if (self->at < self->input.len)
        return corrupt(err, self->at, "bytes follow the value");
    return vvi_fail(err, VV_ENOTFOUND, "dag-cbor: the value has been read");
}

vv_status vv_cbor_next(vv_cbor_reader *self, vv_cbor_item *out, vv_error *err)
{
    vvi_cbor_level *level = NULL;
    size_t at = self->at;
    vv_cbor_item item;
    bool is_key;

    close_levels(self);
    if (self->depth)
        level = &self->levels[self->depth - 1];
    else if (self->started)
        return at_end(self, err);
    VVI_TRY(read_item(self, &at, &item, err));
    is_key = level && level->is_map && level->left % 2 == 0;
    if (is_key)
        VVI_TRY(check_key(level, &item, err));
    if (is_container(&item))
        VVI_TRY(prepare_level(self, &item, err));
    /* Nothing fails from here on. Making room may have moved the levels. */
    if (self->depth) {
        level = &self->levels[self->depth - 1];
        level->left--;
        if (is_key)
            level->key = item.bytes;
    }
    if (is_container(&item))
        open_level(self, &item);
    self->started = true;
    self->at = at;
    *out = item;
    return VV_OK;
}

/* ---- whole values ------------------------------------------------------------------- */

vv_status vvi_cbor_skip(vv_cbor_reader *self, const vv_cbor_item *item, vv_error *err)
{
    size_t depth = self->depth;
    vv_cbor_item member;

    if (!is_container(item))
        return VV_OK;
    /* The level is closed as soon as nothing is left in it and in those above it. */
    while (self->depth > depth ||
           (self->depth == depth && self->levels[depth - 1].left)) {
        VVI_TRY(vv_cbor_next(self, &member, err));
        while (self->depth > depth && self->levels[self->depth - 1].left == 0)
            self->depth--;
    }
    return VV_OK;
}

bool vvi_cbor_at_end(vv_cbor_reader *self)
{
    close_levels(self);
    return self->started && self->depth == 0 && self->at == self->input.len;
}

vv_status vv_cbor_validate(vv_bytes input, vv_error *err)
{
    return vv_cbor_links(input, NULL, NULL, err);
}

static vv_status visit_link(const vv_cbor_item *item, vv_cbor_link_fn visit, void *ctx,
                            vv_error *err)
{
    vv_cid cid;

    VVI_TRY(vv_cid_from_bytes(item->bytes, &cid, err));
    return visit(ctx, &cid, err);
}

vv_status vv_cbor_links(vv_bytes input, vv_cbor_link_fn visit, void *ctx, vv_error *err)
{
    vv_cbor_reader reader;
    vv_status status = VV_OK;
    vv_cbor_item item;

    vvi_cbor_reader_init(&reader, input);
    while (!status && !vvi_cbor_at_end(&reader)) {
        status = vv_cbor_next(&reader, &item, err);
        if (!status && visit && item.kind == VV_CBOR_LINK)
            status = visit_link(&item, visit, ctx, err);
    }
    vvi_cbor_reader_clear(&reader);
    return status;
}
