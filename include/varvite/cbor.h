/*
 * DAG-CBOR: one encoding for each value, strictly checked.
 *
 * Writing appends to a vv_buf; reading borrows from the input and copies nothing. Neither
 * recurses: nesting is limited to VV_CBOR_DEPTH_MAX and costs a few bytes a level.
 * Source: the IPLD DAG-CBOR specification; docs/format/dag-cbor.md. Threads: one at a time an
 * object.
 */
#ifndef VARVITE_CBOR_H
#define VARVITE_CBOR_H

#include <varvite/base.h>
#include <varvite/cid.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VV_CBOR_DEPTH_MAX 1000

typedef enum vv_cbor_kind {
    VV_CBOR_NULL,
    VV_CBOR_BOOL,
    VV_CBOR_UINT, /* 0 … 2^64−1 in uint */
    VV_CBOR_NINT, /* −1 − uint, so −1 … −2^64 */
    VV_CBOR_FLOAT,
    VV_CBOR_TEXT, /* UTF-8, in bytes */
    VV_CBOR_BYTES,
    VV_CBOR_LIST, /* count items follow */
    VV_CBOR_MAP,  /* count times a text and an item follow */
    VV_CBOR_LINK  /* CID in link, its binary form in bytes */
} vv_cbor_kind;

/** One item as it stands in the input. */
typedef struct vv_cbor_item {
    vv_cbor_kind kind;
    size_t offset; /* of its first byte */
    union {
        bool boolean;
        uint64_t uint;
        double real;
        uint64_t count;
    } u;
    vv_bytes bytes; /* TEXT, BYTES, LINK: borrowed from the input */
} vv_cbor_item;

/**
 * A strict pull reader: vv_cbor_next() gives the items in order, containers before their
 * members. Every form that the specification does not allow is VV_ECORRUPT with its offset.
 */
typedef struct vv_cbor_reader vv_cbor_reader;

/** Borrows input. @return VV_OK, VV_ENOMEM */
VV_API vv_status vv_cbor_reader_new(vv_bytes input, vv_cbor_reader **out, vv_error *err);
/**
 * @return VV_OK
 *         VV_ENOTFOUND  the one value, and the input, ended before this call
 *         VV_ECORRUPT   the input is not DAG-CBOR, or bytes follow the value
 *         VV_EUNSUPPORTED  a link with a digest of more than VV_DIGEST_MAX bytes
 *         VV_ELIMIT     nested deeper than VV_CBOR_DEPTH_MAX
 *         VV_ENOMEM
 */
VV_API vv_status vv_cbor_next(vv_cbor_reader *reader, vv_cbor_item *item, vv_error *err);
VV_API void vv_cbor_reader_free(vv_cbor_reader *reader);

/** Check that input is one DAG-CBOR value. VV_OK, or a failure of vv_cbor_next(). */
VV_API vv_status vv_cbor_validate(vv_bytes input, vv_error *err);

/** Called with each link of a value, in order; any status but VV_OK ends the walk. */
typedef vv_status (*vv_cbor_link_fn)(void *ctx, const vv_cid *link, vv_error *err);
/** Check input and visit its links, also those in front of what is then refused. Bare
 *  multihashes in byte strings are not links. */
VV_API vv_status vv_cbor_links(vv_bytes input, vv_cbor_link_fn visit, void *ctx,
                               vv_error *err);

/** Append one item to out. The caller keeps counts and the order of map keys right;
 *  vv_cbor_key_cmp() gives that order. @return VV_OK, VV_ENOMEM, VV_EINVAL (as said) */
VV_API vv_status vv_cbor_put_null(vv_buf *out, vv_error *err);
VV_API vv_status vv_cbor_put_bool(vv_buf *out, bool value, vv_error *err);
VV_API vv_status vv_cbor_put_uint(vv_buf *out, uint64_t value, vv_error *err);
VV_API vv_status vv_cbor_put_int(vv_buf *out, int64_t value, vv_error *err);
/** −1 − value, down to −2^64. */
VV_API vv_status vv_cbor_put_nint(vv_buf *out, uint64_t value, vv_error *err);
/** VV_EINVAL for NaN and infinities. */
VV_API vv_status vv_cbor_put_float(vv_buf *out, double value, vv_error *err);
/** VV_EINVAL when text is not UTF-8. */
VV_API vv_status vv_cbor_put_text(vv_buf *out, vv_bytes text, vv_error *err);
VV_API vv_status vv_cbor_put_bytes(vv_buf *out, vv_bytes bytes, vv_error *err);
VV_API vv_status vv_cbor_put_list(vv_buf *out, uint64_t count, vv_error *err);
VV_API vv_status vv_cbor_put_map(vv_buf *out, uint64_t count, vv_error *err);
/** A tag-42 link; a bare multihash becomes a byte string, as py-hamt writes it. */
VV_API vv_status vv_cbor_put_link(vv_buf *out, const vv_cid *cid, vv_error *err);

/** The order of map keys: shorter first, then bytewise. <0, 0, >0 */
VV_API int vv_cbor_key_cmp(vv_bytes a, vv_bytes b);

/**
 * A value as DAG-JSON text (links {"/": "bafy…"}, bytes {"/": {"bytes": …}}), terminated; pretty
 * puts each member on a line of its own. The text has at most some hundred bytes for each of
 * input.
 *
 * @return VV_OK, a failure of vv_cbor_next(), VV_EUNSUPPORTED (a map with the one key "/", which
 *         would read as a link)
 */
VV_API vv_status vv_cbor_to_json(vv_bytes input, bool pretty, vv_buf *out, vv_error *err);

#ifdef __cplusplus
}
#endif
#endif
