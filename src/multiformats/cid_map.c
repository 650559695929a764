#include "multiformats/cid_map.h"

#include "util/alloc.h"
#include "util/endian.h"
#include "util/thread.h"

#include <string.h>
#include <sys/random.h>

#define INLINE_MAX 32
#define FIRST_CAP  16

/* 48 bytes. */
struct vvi_cid_slot {
    union {
        uint8_t bytes[INLINE_MAX]; /* a digest of up to 32 bytes, zeros behind it */
        uint8_t *far;              /* a longer one */
    } digest;
    vvi_cid_value value;
    uint32_t hash;
    uint8_t digest_len;
    bool used;
};

static const uint8_t *digest_of(const vvi_cid_slot *slot)
{
    return slot->digest_len > INLINE_MAX ? slot->digest.far : slot->digest.bytes;
}

/* The two halves of the 128-bit product, folded. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Digests are padded with zeros to whole steps of 16 bytes, both in vv_cid and in a slot. */
static uint64_t place_of(const uint64_t seed[2], uint32_t hash, const uint8_t *digest,
                         size_t len)
{
    uint64_t h = seed[1] ^ ((uint64_t)hash << 8 | len);

    for (size_t i = 0; i < len; i += 16)
        h = mix(vvi_get_le64(digest + i) ^ seed[0] ^ h,
                vvi_get_le64(digest + i + 8) ^ seed[1]);
    return mix(h ^ seed[0], 0x9e3779b97f4a7c15u);
}

uint64_t vvi_cid_mix(const uint64_t seed[2], const vv_cid *cid)
{
    return place_of(seed, cid->hash, cid->digest, cid->digest_len);
}

static size_t start_of(const vvi_cid_map *map, uint32_t hash, const uint8_t *digest,
                       size_t len)
{
    return (size_t)place_of(map->seed, hash, digest, len) & (map->cap - 1);
}

/* The slot of a name, or the free slot where it belongs. cap is not 0. */
static vvi_cid_slot *probe(const vvi_cid_map *map, const vv_cid *cid)
{
    size_t i = start_of(map, cid->hash, cid->digest, cid->digest_len);

    for (;; i = (i + 1) & (map->cap - 1)) {
        vvi_cid_slot *slot = &map->slots[i];

        if (!slot->used ||
            (slot->hash == cid->hash && slot->digest_len == cid->digest_len &&
             memcmp(digest_of(slot), cid->digest, cid->digest_len) == 0))
            return slot;
    }
}

void vvi_cid_draw_seed(uint64_t seed[2])
{
    size_t size = 2 * sizeof(*seed);

    if (getrandom(seed, size, GRND_NONBLOCK) == (ssize_t)size)
        return;
    /* Only early at boot: the clock and where the seed lies are better than nothing. */
    seed[0] = vvi_now_ns() * 0x9e3779b97f4a7c15u;
    seed[1] = (uint64_t)(uintptr_t)seed * 0xbf58476d1ce4e5b9u ^ vvi_wall_ns();
}

static vv_status resize(vvi_cid_map *map, size_t cap, vv_error *err)
{
    vvi_cid_map larger = { NULL, cap, map->count, { map->seed[0], map->seed[1] } };

    larger.slots = vvi_alloc_array_zero(cap, sizeof(*larger.slots));
    if (!larger.slots)
        return vvi_fail_nomem(err, cap * sizeof(*larger.slots));
    if (!map->slots)
        vvi_cid_draw_seed(larger.seed);
    for (size_t i = 0; i < map->cap; i++) {
        const vvi_cid_slot *slot = &map->slots[i];
        size_t at;

        if (!slot->used)
            continue;
        at = start_of(&larger, slot->hash, digest_of(slot), slot->digest_len);
        while (larger.slots[at].used)
            at = (at + 1) & (cap - 1);
        larger.slots[at] = *slot;
    }
    vvi_free(map->slots);
    *map = larger;
    return VV_OK;
}

vv_status vvi_cid_map_reserve(vvi_cid_map *map, size_t count, vv_error *err)
{
    size_t cap = map->cap ? map->cap : FIRST_CAP;

    if (count > SIZE_MAX / 4)
        return vvi_fail_nomem(err, SIZE_MAX);
    while (cap / 4 * 3 < count)
        cap *= 2;
    return cap == map->cap ? VV_OK : resize(map, cap, err);
}

void vvi_cid_map_clear(vvi_cid_map *map)
{
    if (!map)
        return;
    for (size_t i = 0; i < map->cap; i++)
        if (map->slots[i].used && map->slots[i].digest_len > INLINE_MAX)
            vvi_free(map->slots[i].digest.far);
    vvi_free(map->slots);
    *map = (vvi_cid_map)VVI_CID_MAP_INIT;
}

vvi_cid_value *vvi_cid_map_find(const vvi_cid_map *map, const vv_cid *cid)
{
    vvi_cid_slot *slot;

    if (map->count == 0)
        return NULL;
    slot = probe(map, cid);
    return slot->used ? &slot->value : NULL;
}

/* Fill a free slot with a name. */
static vv_status fill(vvi_cid_slot *slot, const vv_cid *cid, vv_error *err)
{
    vvi_cid_slot filled = { .hash = cid->hash,
                            .digest_len = cid->digest_len,
                            .used = true };

    if (cid->digest_len <= INLINE_MAX) {
        memcpy(filled.digest.bytes, cid->digest, cid->digest_len);
    } else {
        /* Whole steps of 16 bytes, as place_of() reads them. */
        filled.digest.far = vvi_alloc(sizeof(cid->digest));
        if (!filled.digest.far)
            return vvi_fail_nomem(err, sizeof(cid->digest));
        memcpy(filled.digest.far, cid->digest, sizeof(cid->digest));
    }
    *slot = filled;
    return VV_OK;
}

vv_status vvi_cid_map_put(vvi_cid_map *map, const vv_cid *cid, vvi_cid_value **value,
                          bool *added, vv_error *err)
{
    vvi_cid_slot *slot;
    bool is_new;

    VVI_TRY(vvi_cid_map_reserve(map, map->count + 1, err));
    slot = probe(map, cid);
    is_new = !slot->used;
    if (is_new) {
        VVI_TRY(fill(slot, cid, err));
        map->count++;
    }
    if (added)
        *added = is_new;
    *value = &slot->value;
    return VV_OK;
}

bool vvi_cid_map_remove(vvi_cid_map *map, const vv_cid *cid, vvi_cid_value *value)
{
    size_t mask = map->cap - 1;
    vvi_cid_slot *hole;

    if (map->count == 0)
        return false;
    hole = probe(map, cid);
    if (!hole->used)
        return false;
    if (value)
        *value = hole->value;
    if (hole->digest_len > INLINE_MAX)
        vvi_free(hole->digest.far);
    /* Move back what was pushed past the hole, so that no probe stops too early. */
    for (size_t i = (size_t)(hole - map->slots);;) {
        vvi_cid_slot *slot;
        size_t start;

        i = (i + 1) & mask;
        slot = &map->slots[i];
        if (!slot->used)
            break;
        start = start_of(map, slot->hash, digest_of(slot), slot->digest_len);
        if (((i - start) & mask) < ((i - (size_t)(hole - map->slots)) & mask))
            continue;
        *hole = *slot;
        hole = slot;
    }
    memset(hole, 0, sizeof(*hole));
    map->count--;
    return true;
}

size_t vvi_cid_map_bytes(const vvi_cid_map *map)
{
    return map->cap * sizeof(*map->slots);
}

bool vvi_cid_map_next(const vvi_cid_map *map, size_t *cursor, vv_cid *name,
                      vvi_cid_value **value)
{
    while (*cursor < map->cap) {
        vvi_cid_slot *slot = &map->slots[(*cursor)++];

        if (!slot->used)
            continue;
        if (name) {
            memset(name, 0, sizeof(*name));
            name->version = 1;
            name->codec = VV_CODEC_RAW;
            name->hash = slot->hash;
            name->digest_len = slot->digest_len;
            memcpy(name->digest, digest_of(slot), slot->digest_len);
        }
        *value = &slot->value;
        return true;
    }
    return false;
}
