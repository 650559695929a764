/* Shards in memory; shard_block.c reads and writes their blocks. */
#include "sharded/shard.h"

#include "multiformats/cid_fill.h"
#include "util/alloc.h"

#include <assert.h>
#include <string.h>

/* A place must hold the index of an odd name too. */
#define STRIDE_MIN sizeof(uint64_t)

void vvi_shard_init(vvi_shard *self, uint64_t slot_count)
{
    *self = (vvi_shard){ .slot_count = slot_count, .bytes = sizeof(*self) };
}

void vvi_shard_clear(vvi_shard *self)
{
    if (!self)
        return;
    for (size_t i = 0; i < self->page_count; i++)
        vvi_free(self->pages[i].digests);
    vvi_free(self->pages);
    vvi_free(self->odd);
    vvi_shard_init(self, self->slot_count);
}

static size_t digests_bytes(const vvi_shard *self)
{
    return VVI_SHARD_PAGE * self->stride;
}

vv_status vvi_shard_copy(const vvi_shard *from, vvi_shard *to, vv_error *err)
{
    *to = *from;
    to->pages = vvi_alloc_array_zero(from->page_count, sizeof(*to->pages));
    to->odd = vvi_alloc_array(from->odd_cap, sizeof(*to->odd));
    if (!to->pages)
        to->page_count = 0;
    if (!to->pages || !to->odd)
        goto nomem;
    if (from->odd_count)
        memcpy(to->odd, from->odd, from->odd_count * sizeof(*to->odd));
    for (size_t i = 0; i < from->page_count; i++) {
        if (!from->pages[i].digests)
            continue;
        to->pages[i].digests = vvi_alloc(digests_bytes(from));
        if (!to->pages[i].digests)
            goto nomem;
        memcpy(to->pages[i].digests, from->pages[i].digests, digests_bytes(from));
        to->pages[i].present = from->pages[i].present;
        to->pages[i].odd = from->pages[i].odd;
    }
    return VV_OK;

nomem:
    vvi_shard_clear(to);
    return vvi_fail_nomem(err, from->bytes);
}

/* ---- reading a slot ------------------------------------------------------------------------- */

/* The page of a slot with a name; NULL: no name. */
static vvi_shard_page *page_of(const vvi_shard *self, uint64_t slot)
{
    uint64_t page = slot / VVI_SHARD_PAGE;

    if (page >= self->page_count ||
        !(self->pages[page].present >> slot % VVI_SHARD_PAGE & 1))
        return NULL;
    return &self->pages[page];
}

static uint8_t *place_of(const vvi_shard *self, const vvi_shard_page *page, uint64_t slot)
{
    return page->digests + slot % VVI_SHARD_PAGE * self->stride;
}

static bool is_odd(const vvi_shard_page *page, uint64_t slot)
{
    return page->odd >> slot % VVI_SHARD_PAGE & 1;
}

static uint64_t odd_index(const uint8_t *place)
{
    uint64_t index;

    memcpy(&index, place, sizeof(index));
    return index;
}

bool vvi_shard_get(const vvi_shard *self, uint64_t slot, vv_cid *out)
{
    const vvi_shard_page *page = page_of(self, slot);
    const uint8_t *place;

    if (!page)
        return false;
    place = place_of(self, page, slot);
    if (is_odd(page, slot)) {
        *out = self->odd[odd_index(place)].cid;
        return true;
    }
    vvi_cid_zero(out);
    out->codec = self->kind.codec;
    out->hash = self->kind.hash;
    out->version = self->kind.version;
    out->digest_len = self->kind.digest_len;
    /* Nearly all have 32 bytes, for which the compiler needs no loop. */
    if (self->kind.digest_len == VV_BLAKE3_SIZE)
        memcpy(out->digest, place, VV_BLAKE3_SIZE);
    else
        memcpy(out->digest, place, self->kind.digest_len);
    return true;
}

static bool is_of_kind(const vvi_shard *self, const vv_cid *cid)
{
    return self->stride && cid->codec == self->kind.codec &&
           cid->hash == self->kind.hash && cid->version == self->kind.version &&
           cid->digest_len == self->kind.digest_len;
}

bool vvi_shard_holds(const vvi_shard *self, uint64_t slot, const vv_cid *cid)
{
    const vvi_shard_page *page = page_of(self, slot);
    const uint8_t *place;

    if (!page || !cid)
        return !page && !cid;
    place = place_of(self, page, slot);
    if (is_odd(page, slot))
        return vv_cid_equal(&self->odd[odd_index(place)].cid, cid);
    return is_of_kind(self, cid) && memcmp(place, cid->digest, cid->digest_len) == 0;
}

bool vvi_shard_next(const vvi_shard *self, uint64_t *slot)
{
    uint64_t at = *slot;
    uint64_t page = at / VVI_SHARD_PAGE;

    for (; page < self->page_count; page++, at = page * VVI_SHARD_PAGE) {
        uint64_t rest;

        rest = self->pages[page].present >> at % VVI_SHARD_PAGE;
        if (rest) {
            *slot = at + (uint64_t)__builtin_ctzll(rest);
            return true;
        }
    }
    return false;
}

/* ---- changing a slot ------------------------------------------------------------------------ */

/* Let there be a page for the slot, and a kind of names if there was none: that of the first. */
static vv_status make_page(vvi_shard *self, uint64_t slot, const vv_cid *cid,
                           vv_error *err)
{
    size_t page = (size_t)(slot / VVI_SHARD_PAGE);

    if (!self->stride) {
        self->kind = (vv_cid_prefix){ cid->codec, cid->hash, cid->version,
                                      cid->digest_len };
        self->stride = cid->digest_len > STRIDE_MIN ? cid->digest_len : STRIDE_MIN;
    }
    if (page >= self->page_count) {
        size_t most = (size_t)((self->slot_count - 1) / VVI_SHARD_PAGE + 1);
        size_t count = self->page_count * 2 > page ? self->page_count * 2 : page + 1;
        vvi_shard_page *pages;

        count = count < most ? count : most;
        if (count > SIZE_MAX / sizeof(*pages))
            return vvi_fail_nomem(err, SIZE_MAX);
        pages = vvi_realloc(self->pages, count * sizeof(*pages));
        if (!pages)
            return vvi_fail_nomem(err, count * sizeof(*pages));
        memset(pages + self->page_count, 0, (count - self->page_count) * sizeof(*pages));
        self->bytes += (count - self->page_count) * sizeof(*pages);
        self->pages = pages;
        self->page_count = count;
    }
    if (!self->pages[page].digests) {
        self->pages[page].digests = vvi_alloc(digests_bytes(self));
        if (!self->pages[page].digests)
            return vvi_fail_nomem(err, digests_bytes(self));
        self->bytes += digests_bytes(self);
    }
    return VV_OK;
}

/* Take the odd name of a slot out; the last one moves to its place. */
static void drop_odd(vvi_shard *self, vvi_shard_page *page, uint64_t slot)
{
    uint64_t index = odd_index(place_of(self, page, slot));
    uint64_t last = --self->odd_count;

    page->odd &= ~((uint64_t)1 << slot % VVI_SHARD_PAGE);
    if (index == last)
        return;
    self->odd[index] = self->odd[last];
    slot = self->odd[index].slot;
    memcpy(place_of(self, &self->pages[slot / VVI_SHARD_PAGE], slot), &index,
           sizeof(index));
}

static vv_status put_odd(vvi_shard *self, vvi_shard_page *page, uint64_t slot,
                         const vv_cid *cid, vv_error *err)
{
    uint64_t index = self->odd_count;
    size_t cap = self->odd_cap;

    VVI_TRY(vvi_grow((void **)&self->odd, &self->odd_cap, self->odd_count + 1,
                     sizeof(*self->odd), err));
    self->bytes += (self->odd_cap - cap) * sizeof(*self->odd);
    self->odd[self->odd_count++] = (vvi_shard_odd){ slot, *cid };
    memcpy(place_of(self, page, slot), &index, sizeof(index));
    page->odd |= (uint64_t)1 << slot % VVI_SHARD_PAGE;
    return VV_OK;
}

static void take_out(vvi_shard *self, uint64_t slot)
{
    vvi_shard_page *page = page_of(self, slot);

    if (!page)
        return;
    if (is_odd(page, slot))
        drop_odd(self, page, slot);
    page->present &= ~((uint64_t)1 << slot % VVI_SHARD_PAGE);
    self->link_count--;
}

vv_status vvi_shard_set(vvi_shard *self, uint64_t slot, const vv_cid *cid, vv_error *err)
{
    uint64_t bit = (uint64_t)1 << slot % VVI_SHARD_PAGE;
    vvi_shard_page *page;

    assert(slot < self->slot_count);
    if (!cid) {
        take_out(self, slot);
        return VV_OK;
    }
    if (cid->version > 1)
        return vvi_fail(err, VV_EINVAL,
                        "a bare multihash is no CID that a link can hold");
    VVI_TRY(make_page(self, slot, cid, err));
    page = &self->pages[slot / VVI_SHARD_PAGE];
    if (is_of_kind(self, cid)) {
        if (page->odd & bit)
            drop_odd(self, page, slot);
        memcpy(place_of(self, page, slot), cid->digest, cid->digest_len);
    } else if (page->odd & bit) {
        self->odd[odd_index(place_of(self, page, slot))].cid = *cid;
    } else {
        VVI_TRY(put_odd(self, page, slot, cid, err));
    }
    self->link_count += !(page->present & bit);
    page->present |= bit;
    return VV_OK;
}

uint64_t vvi_shard_cut(vvi_shard *self, uint64_t first)
{
    uint64_t before = self->link_count;

    for (uint64_t slot = first; vvi_shard_next(self, &slot); slot++)
        take_out(self, slot);
    return before - self->link_count;
}
