/*
 * Entries of a bucket, as DAG-CBOR has them: the head of a text, the key, the link to the value.
 *
 *   63 66 6f 6f  d8 2a 58 25 00 01 55 1e 20 …      "foo" → CIDv1
 *   63 66 6f 6f  58 22 1e 20 …                     "foo" → bare multihash
 *
 * The functions here read what has been checked; they trust every length.
 */
#ifndef VVI_HAMT_ENTRY_H
#define VVI_HAMT_ENTRY_H

#include "cbor/head.h"
#include "hamt/link.h"

/* A head of major type 3 or 5 whose form was checked; returns its length. */
static inline size_t vvi_head_read(const uint8_t *at, uint64_t *value)
{
    unsigned info = at[0] & 31u;

    if (info < 24) {
        *value = info;
        return 1;
    }
    if (info == 24) {
        *value = at[1];
        return 2;
    }
    if (info == 25) {
        *value = vvi_get_be16(at + 1);
        return 3;
    }
    if (info == 26) {
        *value = vvi_get_be32(at + 1);
        return 5;
    }
    *value = vvi_get_be64(at + 1);
    return 9;
}

typedef struct vvi_entry {
    vv_bytes whole; /* head, key and link */
    vv_bytes key;
    vv_bytes link;
} vvi_entry;

static inline void vvi_entry_read(const uint8_t *at, vvi_entry *out)
{
    uint64_t key_len;
    size_t head = vvi_head_read(at, &key_len);
    const uint8_t *link = at + head + key_len;

    out->key = vvi_bytes(at + head, (size_t)key_len);
    out->link = vvi_bytes(link, vvi_link_len(link));
    out->whole = vvi_bytes(at, head + (size_t)key_len + out->link.len);
}

/* Walks the entries of a bucket: a map whose head stands at the front. */
typedef struct vvi_bucket_cursor {
    const uint8_t *at;
    uint64_t left;
} vvi_bucket_cursor;

static inline vvi_bucket_cursor vvi_bucket_begin(const uint8_t *bucket)
{
    vvi_bucket_cursor cursor;

    cursor.at = bucket + vvi_head_read(bucket, &cursor.left);
    return cursor;
}

static inline bool vvi_bucket_next(vvi_bucket_cursor *cursor, vvi_entry *out)
{
    if (!cursor->left)
        return false;
    vvi_entry_read(cursor->at, out);
    cursor->at += out->whole.len;
    cursor->left--;
    return true;
}

#endif
