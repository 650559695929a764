/* What a codec implements. To add one: its file, and a line of the table in chain.c. */
#ifndef VVI_CODEC_OPS_H
#define VVI_CODEC_OPS_H

#include "codec/codec.h"

typedef enum vvi_codec_kind {
    VVI_CODEC_ARRAY_TO_ARRAY,
    VVI_CODEC_ARRAY_TO_BYTES,
    VVI_CODEC_BYTES_TO_BYTES
} vvi_codec_kind;

/* A codec with its settings. */
typedef struct vvi_codec {
    const struct vvi_codec_ops *ops;
    const char
        *name; /* as the metadata spells it; for messages; borrowed from the chain */
    union {
        struct {
            size_t word; /* bytes to turn round; 1: none */
        } bytes;
        struct {
            int level;
        } gzip;
        struct {
            int level;
            bool checksum;
        } zstd;
        struct {
            int level, shuffle;
            size_t typesize, blocksize;
            char compressor[16];
        } blosc;
    } u;
} vvi_codec;

typedef struct vvi_codec_ops {
    const char *name;
    const char *old_names[2]; /* other spellings that writers used */
    vvi_codec_kind kind;
    /* settings: an object or NULL. Returns VV_ECORRUPT, VV_EUNSUPPORTED. */
    vv_status (*configure)(vvi_codec *self, const vvi_json *settings,
                           const vvi_codec_array *array, vv_error *err);
    vv_status (*encode)(const vvi_codec *self, vv_bytes in, vv_buf *out, vv_error *err);
    /* One of these two. decode: at most cap bytes into out; more is VV_ECORRUPT. view: the decoded
     * bytes are a part of the encoded ones. */
    vv_status (*decode)(const vvi_codec *self, vv_bytes in, uint8_t *out, size_t cap,
                        size_t *len, vv_error *err);
    vv_status (*view)(const vvi_codec *self, vv_bytes in, vv_bytes *out, vv_error *err);
    /* Instead of all three, for codecs that keep the size: both ways, in place. NULL settings of
     * the codec that change nothing are told by is_identity. */
    void (*turn)(const vvi_codec *self, uint8_t *data, size_t len);
    bool (*is_identity)(const vvi_codec *self); /* NULL: never */
} vvi_codec_ops;

extern const vvi_codec_ops vvi_bytes_ops, vvi_crc32c_ops, vvi_gzip_ops, vvi_zstd_ops,
    vvi_blosc_ops;

/* Helpers for configure. */

/* Refuse a member that is not in the NULL-ended list of names. */
vv_status vvi_codec_known(const vvi_codec *self, const vvi_json *settings,
                          const char *const *names, vv_error *err);
/* An integer setting from min to max; otherwise where it is missing. */
vv_status vvi_codec_integer(const vvi_codec *self, const vvi_json *settings,
                            const char *name, int64_t min, int64_t max, int64_t otherwise,
                            int64_t *out, vv_error *err);
/* The failure for encoded bytes that unfold into more than cap. */
vv_status vvi_codec_too_long(const vvi_codec *self, size_t cap, vv_error *err);

#endif
