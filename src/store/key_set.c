#include "store/key_set.h"

#include "util/alloc.h"

#include <string.h>

/* FNV-1a, then mixed so that the low bits depend on all of it. Keys of one's own store are not an
 * attacker's to choose in number; a hostile one makes its own listing slow. */
static uint64_t hash_key(const char *key, size_t len)
{
    uint64_t hash = 0xCBF29CE484222325u;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)key[i]) * 0x100000001B3u;
    hash = (hash ^ hash >> 32) * 0xD6E8FEB86659FD93u;
    return hash ^ hash >> 32;
}

void vvi_key_set_clear(vvi_key_set *set)
{
    for (size_t i = 0; i < set->capacity; i++)
        vvi_free(set->entries[i].key);
    vvi_free(set->entries);
    *set = (vvi_key_set){ NULL, 0, 0 };
}

/* The key's place, or the free one where it would go. */
static vvi_key_entry *probe(const vvi_key_set *set, const char *key, size_t len,
                            uint64_t hash)
{
    size_t mask = set->capacity - 1;
    size_t i = (size_t)hash & mask;

    while (set->entries[i].key &&
           (set->entries[i].hash != hash || strncmp(set->entries[i].key, key, len) != 0 ||
            set->entries[i].key[len] != '\0'))
        i = (i + 1) & mask;
    return &set->entries[i];
}

vvi_key_entry *vvi_key_set_find(const vvi_key_set *set, const char *key, size_t len)
{
    vvi_key_entry *entry;

    if (set->count == 0)
        return NULL;
    entry = probe(set, key, len, hash_key(key, len));
    return entry->key ? entry : NULL;
}

static vv_status grow(vvi_key_set *set, vv_error *err)
{
    vvi_key_set larger = { .capacity = set->capacity ? set->capacity * 2 : 16 };

    larger.entries = vvi_alloc_array_zero(larger.capacity, sizeof(*larger.entries));
    if (!larger.entries)
        return vvi_fail_nomem(err, larger.capacity * sizeof(*larger.entries));
    for (size_t i = 0; i < set->capacity; i++) {
        const vvi_key_entry *entry = &set->entries[i];

        if (entry->key)
            *probe(&larger, entry->key, strlen(entry->key), entry->hash) = *entry;
    }
    vvi_free(set->entries);
    set->entries = larger.entries;
    set->capacity = larger.capacity;
    return VV_OK;
}

vv_status vvi_key_set_add(vvi_key_set *set, const char *key, size_t len,
                          vvi_key_entry **out, bool *is_new, vv_error *err)
{
    uint64_t hash = hash_key(key, len);
    vvi_key_entry *entry;

    if (set->count * 4 >= set->capacity * 3)
        VVI_TRY(grow(set, err));
    entry = probe(set, key, len, hash);
    *is_new = !entry->key;
    if (*is_new) {
        entry->key = vvi_strndup(key, len);
        if (!entry->key)
            return vvi_fail_nomem(err, len + 1);
        entry->hash = hash;
        entry->value = NULL;
        set->count++;
    }
    *out = entry;
    return VV_OK;
}

void vvi_key_set_remove(vvi_key_set *set, vvi_key_entry *entry)
{
    size_t mask = set->capacity - 1;
    size_t hole = (size_t)(entry - set->entries);

    vvi_free(entry->key);
    set->count--;
    /* Move back what probed past the hole, so that no probe ends there too early. */
    for (size_t i = (hole + 1) & mask; set->entries[i].key; i = (i + 1) & mask) {
        size_t home = (size_t)set->entries[i].hash & mask;

        if (((i - home) & mask) >= ((i - hole) & mask)) {
            set->entries[hole] = set->entries[i];
            hole = i;
        }
    }
    set->entries[hole] = (vvi_key_entry){ NULL, NULL, 0 };
}
