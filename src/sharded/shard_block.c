/*
 * The block of a shard: a DAG-CBOR list of links and nulls.
 *
 * Nearly every link is a usual one (CIDv1, 32 bytes of digest), 41 bytes that begin with the same nine
 * as the one before it; these are compared and copied, and nothing else is done for them.
 */
#include "sharded/shard.h"

#include "cbor/head.h"
#include "multiformats/cid_fill.h"
#include "util/buf.h"

#include <varvite/blockstore.h>

#include <string.h>

#define DIGEST    32u
#define LINK_HEAD 9u /* d8 2a, 58 25, 00, 01 codec hash 20 */
#define LINK      (LINK_HEAD + DIGEST)

/* In front of CID bytes: the tag, the head of a byte string and the zero byte. */
#define LINK_FRONT_MAX (2 + VVI_CBOR_HEAD_MAX + 1)

/* ---- reading -------------------------------------------------------------------------------- */

typedef struct reader {
    const uint8_t *at, *end;
    uint64_t entry; /* that at stands before */
    vv_error *err;
} reader;

static vv_status refuse(const reader *self, const char *what)
{
    return vvi_fail(self->err, VV_ECORRUPT, "entry %" PRIu64 " %s", self->entry, what);
}

static const char *fault_text(vvi_cbor_fault fault)
{
    return fault == VVI_CBOR_CUT    ? "is cut off"
           : fault == VVI_CBOR_LONG ? "has a head that is not in its shortest form"
                                    : "has a head that is not DAG-CBOR";
}

/* Step behind the head of the list. */
static vv_status open_list(reader *self, vv_bytes block, uint64_t slot_count,
                           vv_error *err)
{
    vvi_cbor_fault fault = VVI_CBOR_CUT;
    uint64_t count = 0;
    unsigned major = 0;
    size_t used;

    *self = (reader){ .at = block.data, .end = block.data + block.len, .err = err };
    if (block.len == 0)
        return vvi_fail(err, VV_ECORRUPT, "the block is empty");
    if (block.data[0] >> 5 != VVI_CBOR_LIST)
        return vvi_fail(err, VV_ECORRUPT, "the block is no list");
    used = vvi_cbor_get_head(block.data, block.len, &major, &count, &fault);
    if (!used)
        return vvi_fail(err, VV_ECORRUPT, "the list %s", fault_text(fault));
    if (count != slot_count)
        return vvi_fail(err, VV_ECORRUPT, "%" PRIu64 " entries; %" PRIu64 " are right",
                        count, slot_count);
    self->at += used;
    return VV_OK;
}

/* Any link: step behind it; its CID bytes are *cid. */
static vv_status take_link(reader *self, vv_bytes *cid)
{
    vvi_cbor_fault fault;
    uint64_t len;
    unsigned major;
    size_t used;

    if (self->at == self->end)
        return refuse(self, "is missing");
    if (self->at[0] >> 5 != VVI_CBOR_TAG)
        return refuse(self, "is neither a link nor null");
    used = vvi_cbor_get_head(self->at, (size_t)(self->end - self->at), &major, &len,
                             &fault);
    if (!used)
        return refuse(self, fault_text(fault));
    if (len != VVI_CBOR_LINK_TAG)
        return refuse(self, "is neither a link nor null");
    self->at += used;
    used = vvi_cbor_get_head(self->at, (size_t)(self->end - self->at), &major, &len,
                             &fault);
    if (!used)
        return refuse(self, fault_text(fault));
    if (major != VVI_CBOR_BYTES)
        return refuse(self, "is a link of something else than bytes");
    self->at += used;
    if (len > (uint64_t)(self->end - self->at))
        return refuse(self, "is cut off");
    if (len == 0 || self->at[0] != 0)
        return refuse(self, "is a link without the zero byte before its CID");
    *cid = vvi_bytes(self->at + 1, (size_t)len - 1);
    self->at += len;
    return VV_OK;
}

static vv_status parse_cid(const reader *self, vv_bytes bytes, vv_cid *out)
{
    vv_status status = vv_cid_from_bytes(bytes, out, self->err);

    if (!status)
        return VV_OK;
    status = status == VV_EUNSUPPORTED ? status : VV_ECORRUPT;
    if (self->err)
        self->err->status = status;
    return vvi_wrap(self->err, status, "entry %" PRIu64, self->entry);
}

/* How many nulls stand here, at most most of them. */
static uint64_t count_nulls(const reader *self, uint64_t most)
{
    static const uint8_t eight[8] = { VVI_CBOR_NULL, VVI_CBOR_NULL, VVI_CBOR_NULL,
                                      VVI_CBOR_NULL, VVI_CBOR_NULL, VVI_CBOR_NULL,
                                      VVI_CBOR_NULL, VVI_CBOR_NULL };
    uint64_t there = (uint64_t)(self->end - self->at);
    uint64_t n = 0;

    most = most < there ? most : there;
    while (most - n >= 8 && memcmp(self->at + n, eight, 8) == 0)
        n += 8;
    while (n < most && self->at[n] == VVI_CBOR_NULL)
        n++;
    return n;
}

/* The nine bytes that the links of a shard's kind begin with; false: they are not usual. */
static bool usual_head(const vv_cid_prefix *kind, uint8_t out[LINK_HEAD])
{
    const uint8_t head[LINK_HEAD] = {
        0xd8, 0x2a, 0x58, 0x25, 0, 1, (uint8_t)kind->codec, (uint8_t)kind->hash, DIGEST,
    };

    memcpy(out, head, LINK_HEAD);
    return kind->version == 1 && kind->codec < 0x80 && kind->hash < 0x80 &&
           kind->digest_len == DIGEST;
}

/*
 * Copy usual links to the places behind slot, as long as they begin with head and stay within its page,
 * which is there. None of these places is taken.
 */
static void copy_links(vvi_shard *self, reader *from, const uint8_t head[LINK_HEAD])
{
    vvi_shard_page *page = &self->pages[from->entry / VVI_SHARD_PAGE];
    unsigned first = (unsigned)(from->entry % VVI_SHARD_PAGE);
    uint64_t left = self->slot_count - from->entry;
    unsigned end = left < VVI_SHARD_PAGE - first ? first + (unsigned)left
                                                 : VVI_SHARD_PAGE;
    const uint8_t *at = from->at;
    unsigned i = first;

    for (; i < end && (size_t)(from->end - at) >= LINK && memcmp(at, head, 8) == 0 &&
           at[8] == head[8];
         i++, at += LINK)
        memcpy(page->digests + (size_t)i * DIGEST, at + LINK_HEAD, DIGEST);
    if (i > first)
        page->present |=
            (i - first == 64 ? ~(uint64_t)0 : ((uint64_t)1 << (i - first)) - 1) << first;
    self->link_count += i - first;
    from->entry += i - first;
    from->at = at;
}

/* One link by the long way, and those like it behind it by the short one. */
static vv_status decode_links(vvi_shard *self, reader *from)
{
    uint8_t head[LINK_HEAD];
    vv_bytes bytes;
    vv_cid cid;

    VVI_TRY(take_link(from, &bytes));
    VVI_TRY(parse_cid(from, bytes, &cid));
    VVI_TRY(vvi_shard_set(self, from->entry, &cid, from->err));
    from->entry++;
    if (from->entry % VVI_SHARD_PAGE && usual_head(&self->kind, head))
        copy_links(self, from, head);
    return VV_OK;
}

static vv_status decode(vvi_shard *self, vv_bytes block, vv_error *err)
{
    reader from;

    VVI_TRY(open_list(&from, block, self->slot_count, err));
    while (from.entry < self->slot_count) {
        uint64_t nulls = count_nulls(&from, self->slot_count - from.entry);

        from.entry += nulls;
        from.at += nulls;
        if (from.entry < self->slot_count)
            VVI_TRY(decode_links(self, &from));
    }
    if (from.at != from.end)
        return vvi_fail(err, VV_ECORRUPT, "%zu bytes behind the list",
                        (size_t)(from.end - from.at));
    return VV_OK;
}

vv_status vvi_shard_decode(vvi_shard *self, vv_bytes block, vv_error *err)
{
    vv_status status = decode(self, block, err);

    if (status)
        vvi_shard_clear(self);
    return status;
}

/* Step over entries up to slot. */
static vv_status step_to(reader *self, uint64_t slot)
{
    uint8_t head[LINK_HEAD] = { 0 };
    vv_bytes bytes;

    while (self->entry < slot) {
        uint64_t nulls = count_nulls(self, slot - self->entry);

        self->entry += nulls;
        self->at += nulls;
        if (self->entry == slot)
            break;
        if ((size_t)(self->end - self->at) >= LINK)
            memcpy(head, self->at, 5);
        VVI_TRY(take_link(self, &bytes));
        self->entry++;
        /* Those of the same length behind it. */
        while (bytes.len == LINK - 5 && self->entry < slot &&
               (size_t)(self->end - self->at) >= LINK && memcmp(self->at, head, 5) == 0) {
            self->at += LINK;
            self->entry++;
        }
    }
    return VV_OK;
}

vv_status vvi_shard_find(vv_bytes block, uint64_t slot_count, const uint64_t *slots,
                         size_t n, vv_cid *outs, bool *has, vv_error *err)
{
    vv_bytes bytes;
    reader from;

    VVI_TRY(open_list(&from, block, slot_count, err));
    for (size_t i = 0; i < n; i++) {
        if (i && slots[i] == slots[i - 1]) {
            outs[i] = outs[i - 1];
            has[i] = has[i - 1];
            continue;
        }
        VVI_TRY(step_to(&from, slots[i]));
        has[i] = from.at == from.end || *from.at != VVI_CBOR_NULL;
        if (has[i]) {
            VVI_TRY(take_link(&from, &bytes));
            VVI_TRY(parse_cid(&from, bytes, &outs[i]));
        } else {
            from.at++;
        }
        from.entry++;
    }
    return VV_OK;
}

/* ---- writing -------------------------------------------------------------------------------- */

/* A link of CID bytes; out has room for LINK_FRONT_MAX and them. */
static size_t put_link(uint8_t *out, const vv_cid *cid)
{
    uint8_t bytes[VV_CID_BYTES_MAX];
    size_t len;
    size_t n;

    vv_cid_to_bytes(cid, bytes, &len);
    n = vvi_cbor_put_head(out, VVI_CBOR_TAG, VVI_CBOR_LINK_TAG);
    n += vvi_cbor_put_head(out + n, VVI_CBOR_BYTES, len + 1);
    out[n++] = 0;
    memcpy(out + n, bytes, len);
    return n + len;
}

/* Bytes of a link of a CID of this kind. */
static size_t link_len(const vv_cid_prefix *kind)
{
    vv_cid cid = { .codec = kind->codec,
                   .hash = kind->hash,
                   .version = kind->version,
                   .digest_len = kind->digest_len };
    uint8_t bytes[LINK_FRONT_MAX + VV_CID_BYTES_MAX];

    return put_link(bytes, &cid);
}

static uint64_t block_len(const vvi_shard *self)
{
    uint64_t plain = self->link_count - self->odd_count;
    uint64_t len = vvi_cbor_head_len(self->slot_count) + self->slot_count -
                   self->link_count;

    for (size_t i = 0; i < self->odd_count; i++) {
        const vv_cid *cid = &self->odd[i].cid;

        len += link_len(
            &(vv_cid_prefix){ cid->codec, cid->hash, cid->version, cid->digest_len });
    }
    return plain ? len + plain * link_len(&self->kind) : len;
}

/* The 64 slots of a page, or fewer at the end. Returns where it ended. */
static uint8_t *put_page(const vvi_shard *self, size_t index, unsigned slots,
                         const uint8_t *head, uint8_t *to)
{
    const vvi_shard_page *page = &self->pages[index];

    for (unsigned i = 0; i < slots; i++) {
        uint64_t bit = (uint64_t)1 << i;
        vv_cid cid;

        if (!(page->present & bit)) {
            *to++ = VVI_CBOR_NULL;
        } else if (head && !(page->odd & bit)) {
            memcpy(to, head, LINK_HEAD);
            memcpy(to + LINK_HEAD, page->digests + (size_t)i * DIGEST, DIGEST);
            to += LINK;
        } else {
            vvi_shard_get(self, (uint64_t)index * VVI_SHARD_PAGE + i, &cid);
            to += put_link(to, &cid);
        }
    }
    return to;
}

vv_status vvi_shard_encode(const vvi_shard *self, vv_buf *out, vv_error *err)
{
    uint64_t len = self->slot_count > VV_BLOCK_BYTES_MAX ? UINT64_MAX : block_len(self);
    uint8_t head[LINK_HEAD];
    bool usual = self->stride && usual_head(&self->kind, head);
    uint64_t slot = 0;
    uint8_t *to;

    if (len > VV_BLOCK_BYTES_MAX)
        return vvi_fail(err, VV_ELIMIT,
                        "%" PRIu64 " entries of a shard do not fit into a block",
                        self->slot_count);
    VVI_TRY(vvi_buf_reserve(out, (size_t)len, err));
    to = out->data + out->len;
    to += vvi_cbor_put_head(to, VVI_CBOR_LIST, self->slot_count);
    for (size_t i = 0; i < self->page_count; i++) {
        uint64_t left = self->slot_count - slot;
        unsigned slots = left < VVI_SHARD_PAGE ? (unsigned)left : VVI_SHARD_PAGE;

        if (self->pages[i].present) {
            to = put_page(self, i, slots, usual ? head : NULL, to);
        } else {
            memset(to, VVI_CBOR_NULL, slots);
            to += slots;
        }
        slot += slots;
    }
    memset(to, VVI_CBOR_NULL, (size_t)(self->slot_count - slot));
    out->len += (size_t)len;
    return VV_OK;
}
