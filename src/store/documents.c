#include "store/documents.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

/* All of them at most, and one. */
#define BYTES_MAX ((size_t)8 << 20)
#define ONE_MAX   ((size_t)1 << 20)

vv_status vvi_documents_init(vvi_documents *documents, vv_error *err)
{
    *documents = (vvi_documents){ .bytes = 0 };
    return vvi_mutex_init(&documents->lock, err);
}

static void forget(vvi_documents *documents)
{
    for (size_t i = 0; i < documents->kept.capacity; i++)
        if (documents->kept.entries[i].key) {
            vv_buf_clear(documents->kept.entries[i].value);
            vvi_free(documents->kept.entries[i].value);
        }
    vvi_key_set_clear(&documents->kept);
    documents->bytes = 0;
}

void vvi_documents_clear(vvi_documents *documents)
{
    forget(documents);
    vvi_mutex_clear(&documents->lock);
}

bool vvi_is_document(const char *key)
{
    static const char name[] = "zarr.json";
    size_t len = strlen(key);

    return len >= sizeof(name) - 1 && strcmp(key + len - (sizeof(name) - 1), name) == 0;
}

bool vvi_documents_get(vvi_documents *documents, const char *key, vv_buf *out)
{
    const vvi_key_entry *entry;
    bool found = false;

    vvi_mutex_lock(&documents->lock);
    entry = vvi_key_set_find(&documents->kept, key, strlen(key));
    if (entry)
        found = vvi_buf_set(out, vvi_buf_bytes(entry->value), NULL) == VV_OK;
    vvi_mutex_unlock(&documents->lock);
    return found;
}

void vvi_documents_put(vvi_documents *documents, const char *key, vv_bytes value)
{
    size_t cost = value.len + strlen(key) + sizeof(vv_buf);
    vv_buf *copy = cost > ONE_MAX ? NULL : vvi_alloc_zero(sizeof(*copy));
    vvi_key_entry *entry;
    bool is_new = false;

    if (!copy || vvi_buf_set(copy, value, NULL)) {
        vvi_free(copy);
        return;
    }
    vvi_mutex_lock(&documents->lock);
    if (documents->bytes + cost > BYTES_MAX)
        forget(documents);
    if (vvi_key_set_add(&documents->kept, key, strlen(key), &entry, &is_new, NULL) ==
            VV_OK &&
        is_new) {
        entry->value = copy;
        documents->bytes += cost;
        copy = NULL;
    }
    vvi_mutex_unlock(&documents->lock);
    vv_buf_clear(copy);
    vvi_free(copy);
}
