#include "sharded/named.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <varvite/cbor.h>

#include <stdlib.h>
#include <string.h>

/* A CID as bytes: a hundred thousand names are kept, of some 36 bytes each. */
typedef struct value {
    uint8_t len;
    uint8_t bytes[];
} value;

static value *value_new(const vv_cid *cid)
{
    uint8_t bytes[VV_CID_BYTES_MAX];
    size_t len;
    value *self;

    vv_cid_to_bytes(cid, bytes, &len);
    self = vvi_alloc(sizeof(*self) + len);
    if (!self)
        return NULL;
    self->len = (uint8_t)len;
    memcpy(self->bytes, bytes, len);
    return self;
}

vv_bytes vvi_named_bytes(const vvi_key_entry *entry)
{
    const value *found = entry->value;

    return vvi_bytes(found->bytes, found->len);
}

void vvi_named_cid(const vvi_key_entry *entry, vv_cid *out)
{
    (void)vv_cid_from_bytes(vvi_named_bytes(entry), out, NULL); /* made from a CID */
}

void vvi_named_clear(vvi_named *names)
{
    for (size_t i = 0; i < names->set.capacity; i++)
        vvi_free(names->set.entries[i].value);
    vvi_key_set_clear(&names->set);
    names->count = 0;
}

static vvi_key_entry *find(const vvi_named *names, const char *key, size_t len)
{
    vvi_key_entry *entry = vvi_key_set_find(&names->set, key, len);

    return entry && entry->value ? entry : NULL;
}

bool vvi_named_get(const vvi_named *names, const char *key, size_t len, vv_cid *out)
{
    const vvi_key_entry *entry = find(names, key, len);

    if (entry)
        vvi_named_cid(entry, out);
    return entry != NULL;
}

bool vvi_named_has(const vvi_named *names, const char *key, size_t len)
{
    return find(names, key, len) != NULL;
}

bool vvi_named_remove(vvi_named *names, const char *key)
{
    vvi_key_entry *entry = find(names, key, strlen(key));

    if (!entry)
        return false;
    vvi_free(entry->value);
    vvi_key_set_remove(&names->set, entry);
    names->count--;
    return true;
}

vv_status vvi_naming_add(vvi_naming *naming, vvi_named *names, const char *key,
                         size_t len, const vv_cid *cid, vv_error *err)
{
    struct vvi_naming_item item;
    vvi_key_entry *entry;
    bool is_new;

    VVI_TRY(vvi_grow((void **)&naming->items, &naming->cap, naming->count + 1,
                     sizeof(*naming->items), err));
    item.key = vvi_strndup(key, len);
    item.value = value_new(cid);
    if (!item.key || !item.value ||
        vvi_key_set_add(&names->set, key, len, &entry, &is_new, NULL)) {
        vvi_free(item.key);
        vvi_free(item.value);
        return vvi_fail_nomem(err, len);
    }
    naming->items[naming->count++] = item;
    return VV_OK;
}

bool vvi_naming_apply(vvi_naming *naming, vvi_named *names)
{
    bool changed = false;

    for (size_t i = 0; i < naming->count; i++) {
        struct vvi_naming_item *item = &naming->items[i];
        vvi_key_entry *entry = vvi_key_set_find(&names->set, item->key,
                                                strlen(item->key));
        value *old = entry->value;
        const value *fresh = item->value;

        if (!old || old->len != fresh->len ||
            memcmp(old->bytes, fresh->bytes, fresh->len) != 0)
            changed = true;
        names->count += !old;
        vvi_free(old);
        entry->value = item->value;
        item->value = NULL;
    }
    return changed;
}

void vvi_naming_clear(vvi_naming *naming, vvi_named *names)
{
    for (size_t i = 0; i < naming->count; i++) {
        struct vvi_naming_item *item = &naming->items[i];
        vvi_key_entry *entry = vvi_key_set_find(&names->set, item->key,
                                                strlen(item->key));

        if (entry && !entry->value)
            vvi_key_set_remove(&names->set, entry);
        vvi_free(item->key);
        vvi_free(item->value);
    }
    vvi_free(naming->items);
    *naming = (vvi_naming){ NULL, 0, 0 };
}

static int compare_entries(const void *a, const void *b)
{
    const vvi_key_entry *const *x = a;
    const vvi_key_entry *const *y = b;

    return vv_cbor_key_cmp(vv_bytes_of((*x)->key), vv_bytes_of((*y)->key));
}

vv_status vvi_named_sorted(const vvi_named *names, const vvi_key_entry ***out,
                           vv_error *err)
{
    const vvi_key_entry **list = vvi_alloc_array(names->count, sizeof(*list));
    size_t n = 0;

    if (!list)
        return vvi_fail_nomem(err, names->count * sizeof(*list));
    for (size_t i = 0; i < names->set.capacity; i++) {
        const vvi_key_entry *entry = &names->set.entries[i];

        if (entry->key && entry->value)
            list[n++] = entry;
    }
    qsort(list, n, sizeof(*list), compare_entries);
    *out = list;
    return VV_OK;
}
