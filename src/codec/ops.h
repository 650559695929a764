/* What a codec implements. To add one: its file, and a line of the table in table.c. */
#ifndef VVI_CODEC_OPS_H
#define VVI_CODEC_OPS_H

#include "codec/codec.h"
#include "grid/grid.h"

/* The index of a shard has one dimension more than the shard. */
#define VVI_CODEC_NDIM_MAX (VVI_GRID_NDIM_MAX + 1)

typedef enum vvi_codec_kind {
    VVI_CODEC_ARRAY_TO_ARRAY,
    VVI_CODEC_ARRAY_TO_BYTES,
    VVI_CODEC_BYTES_TO_BYTES
} vvi_codec_kind;

/* The array as it comes to a codec while a chain is made. An array → array codec turns it into what
 * goes to the next one; the members behind array are room for its new shape and fill value. */
typedef struct vvi_codec_stage {
    vvi_codec_array array;
    unsigned depth; /* shards around this chain */
    uint64_t shape[VVI_CODEC_NDIM_MAX];
    _Alignas(16) uint8_t fill[16];
} vvi_codec_stage;

/* A codec with its settings. */
typedef struct vvi_codec {
    const struct vvi_codec_ops *ops;
    const char *name; /* as this library spells it; for messages */
    /* Of array → … codecs: the array that is encoded, and for array → array the one it becomes.
     * UINT64_MAX bytes: more than fit. */
    vvi_dtype dtype;
    uint64_t elements;
    uint64_t bytes, coded_bytes;
    void *state; /* freed by ops->clear */
    union {
        struct {
            size_t word; /* bytes to turn round; 1: none */
        } bytes;
        int level;
        struct {
            int level, window;
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
        struct {
            uint32_t (*sum)(vv_bytes data);
            bool in_front;
        } checksum;
        struct {
            size_t size;
        } shuffle;
        struct {
            int acceleration;
        } lz4;
        struct {
            vvi_dtype out;
            double offset, scale;
        } filter;
        struct {
            uint32_t keep, fraction; /* bits; fraction 0: of an integer */
        } bitround;
        struct {
            uint32_t first, bits;
            enum {
                PACKBITS_NONE,
                PACKBITS_FIRST,
                PACKBITS_LAST
            } padding;
        } packbits;
    } u;
} vvi_codec;

/* Which functions a codec has depends on its kind. */
typedef struct vvi_codec_ops {
    const char *name;
    const char *old_names[2]; /* other spellings that writers used */
    vvi_codec_kind kind;
    /* settings: an object or NULL. Returns VV_ECORRUPT, VV_EUNSUPPORTED. When it fails, clear is
     * called too. */
    vv_status (*configure)(vvi_codec *self, const vvi_json *settings,
                           vvi_codec_stage *stage, vv_error *err);
    void (*clear)(vvi_codec *self); /* NULL: holds nothing */
    bool (*is_identity)(
        const vvi_codec *self); /* changes nothing as it is set; NULL: never so */

    /* array → array: self->elements elements of one form into as many of the other. */
    vv_status (*encode_array)(const vvi_codec *self, const void *in, void *out,
                              vv_error *err);
    vv_status (*decode_array)(const vvi_codec *self, const void *in, void *out,
                              vv_error *err);

    /* array → bytes that keep the size: both ways, in place; then none of those below. */
    void (*turn)(const vvi_codec *self, uint8_t *data, size_t len);
    /* Other array → bytes: in may lie in *owner, which may be handed to the heap. */
    vv_status (*decode_elements)(const vvi_codec *self, vv_bytes in, vv_buf *owner,
                                 void *elements, vvi_heap *heap, vv_error *err);
    /* The most bytes that encoding may make. */
    uint64_t (*encoded_max)(const vvi_codec *self);

    /* array → bytes and bytes → bytes: into an empty buffer. */
    vv_status (*encode)(const vvi_codec *self, vv_bytes in, vv_buf *out, vv_error *err);
    /* The length that in bytes have when they are encoded; NULL: it depends on the bytes. */
    size_t (*encoded_size)(const vvi_codec *self, size_t in);

    /* bytes → bytes, one of these two. decode: at most cap bytes into out; more is
     * vvi_codec_too_long(). view: the decoded bytes are a part of the encoded ones. */
    vv_status (*decode)(const vvi_codec *self, vv_bytes in, uint8_t *out, size_t cap,
                        size_t *len, vv_error *err);
    vv_status (*view)(const vvi_codec *self, vv_bytes in, vv_bytes *out, vv_error *err);
    /* How long encoded bytes say that they are when decoded; 0: they do not say. Not to be
     * trusted. NULL: they never say. */
    uint64_t (*stated_size)(const vvi_codec *self, vv_bytes in);
} vvi_codec_ops;

/* By any of its names; NULL: there is none. */
const vvi_codec_ops *vvi_codec_find(const char *name);
/* VV_EUNSUPPORTED, with the names there are. */
vv_status vvi_codec_unknown(const char *name, vv_error *err);

extern const vvi_codec_ops vvi_adler32_ops, vvi_astype_ops, vvi_bitround_ops,
    vvi_blosc_ops, vvi_bytes_ops, vvi_bz2_ops, vvi_cast_value_ops, vvi_crc32_ops,
    vvi_crc32c_ops, vvi_delta_ops, vvi_fixedscaleoffset_ops, vvi_fletcher32_ops,
    vvi_gzip_ops, vvi_lz4_ops, vvi_lzma_ops, vvi_packbits_ops, vvi_packed_bools_ops,
    vvi_quantize_ops, vvi_scale_offset_ops, vvi_sharding_ops, vvi_shuffle_ops,
    vvi_transpose_ops, vvi_vlen_bytes_ops, vvi_vlen_utf8_ops, vvi_zlib_ops, vvi_zstd_ops;

/* Helpers for configure. */

/* Refuse a member that is not in the NULL-ended list of names. */
vv_status vvi_codec_known(const vvi_codec *self, const vvi_json *settings,
                          const char *const *names, vv_error *err);
/* An integer setting from min to max; otherwise where it is missing. */
vv_status vvi_codec_integer(const vvi_codec *self, const vvi_json *settings,
                            const char *name, int64_t min, int64_t max, int64_t otherwise,
                            int64_t *out, vv_error *err);
/* The failure for encoded bytes that unfold into more than cap; tells the chain so in *len. */
vv_status vvi_codec_too_long(const vvi_codec *self, size_t cap, size_t *len,
                             vv_error *err);

/* A chain inside depth shards. */
vv_status vvi_codec_chain_make(const vvi_json *codecs, const vvi_codec_array *array,
                               unsigned depth, vvi_codec_chain **out, vv_error *err);
/* The length of every encoded chunk; false when it depends on what is in it. */
bool vvi_codec_chain_encoded_size(const vvi_codec_chain *chain, size_t *out);
/* The most bytes that a chunk may be encoded as and be read back. */
uint64_t vvi_codec_chain_encoded_max(const vvi_codec_chain *chain);
/* The one codec of a chain of one; NULL for others. */
const vvi_codec *vvi_codec_chain_only(const vvi_codec_chain *chain);

#endif
