/*
 * URL → block store, and root → store: the one place that knows every backend and every layout of this
 * build.
 */
#ifndef VARVITE_OPEN_H
#define VARVITE_OPEN_H

#include <varvite/base.h>
#include <varvite/blockstore.h>
#include <varvite/crypto.h>
#include <varvite/encrypted.h>
#include <varvite/hamt.h>
#include <varvite/sharded.h>
#include <varvite/store.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vv_open_options {
    size_t struct_size;
    bool read_only;
    bool create;  /* make a local store if there is none */
    bool trusted; /* do not hash blocks again when they are read */
} vv_open_options;
#define VV_OPEN_OPTIONS_INIT ((vv_open_options){ .struct_size = sizeof(vv_open_options) })

/**
 * Open "local:DIR", "mem:", "car:FILE", "kubo://HOST:PORT" or "gateway+https://HOST" (kubo.h), or a bare path (a
 * directory is a local store, a file a CAR).
 * @return as the backend's constructor; VV_EUNSUPPORTED for a scheme that this build lacks
 */
VV_API vv_status vv_blockstore_open(const char *url, const vv_open_options *options,
                                    vv_blockstore **out, vv_error *err);

/** The directory of the store to use when none is named: $VARVITE_STORE, else the nearest
 *  ".varvite" from the working directory upward. The text is freed with vv_free().
 *  @return VV_OK, VV_ENOTFOUND (the message says what to do), VV_ENOMEM */
VV_API vv_status vv_default_store_path(char **out, vv_error *err);

/* ---- roots --------------------------------------------------------------------------- */

/** How the keys below a root are laid out; docs/format/. */
typedef enum vv_layout {
    VV_LAYOUT_HAMT = 0,
    VV_LAYOUT_SHARDED_V2,
    VV_LAYOUT_SHARDED_V1,
    VV_LAYOUT_ENCRYPTED /* our own format; one of py-hamt's looks like any HAMT */
} vv_layout;

/** "HAMT", "sharded v2", "sharded v1", "encrypted". */
VV_API const char *vv_layout_name(vv_layout layout);

/**
 * What a root is. Its block is read, and tells; nothing below it is looked at.
 *
 * @return VV_OK, VV_ENOTFOUND, VV_ECORRUPT (damaged, or no root of a store: the message says what it is),
 *         VV_EUNSUPPORTED (a sharded root of a version that is not known; named), VV_EIO, VV_ENOMEM
 */
VV_API vv_status vv_root_layout(vv_blockstore *blocks, const vv_cid *root, vv_layout *out,
                                vv_error *err);

typedef struct vv_root_options {
    size_t struct_size;
    bool read_only;
    vv_layout layout; /* of a new store; a root has its own */
    /* Opens an encrypted root. Together with a HAMT: its values are encrypted in py-hamt's format, and
     * header is the associated data of each. NULL: none. Neither is needed any more after the call. */
    const vv_key *key;
    vv_bytes header;
    vv_hamt_options hamt;           /* zero: defaults; read_only and values are set */
    vv_sharded_options sharded;     /* zero: defaults; read_only and version are set */
    vv_encrypted_options encrypted; /* zero: defaults; read_only is set */
} vv_root_options;
#define VV_ROOT_OPTIONS_INIT ((vv_root_options){ .struct_size = sizeof(vv_root_options) })

/**
 * Open the store below a root, whatever its layout, or begin an empty one.
 *
 * @param root  NULL: new; VV_EINVAL together with read_only
 * @return as vv_root_layout(), and as vv_hamt_store_open(), vv_sharded_store_open() or
 *         vv_encrypted_store_open(); VV_EAUTH (an encrypted root and no key, or another), VV_EINVAL (a key, or
 *         a header, for a layout that has none)
 */
VV_API vv_status vv_root_open(vv_blockstore *blocks, const vv_cid *root,
                              const vv_root_options *options, vv_store **out,
                              vv_error *err);

/**
 * Hash every block below a root again and check its structure, whatever its layout; no key is needed. As
 * vv_hamt_verify() and vv_sharded_verify(), whose options and findings these are. A root that is none, or is
 * of a version that is not known, is a finding too ("root").
 */
VV_API vv_status vv_root_verify(vv_blockstore *blocks, const vv_cid *root,
                                const vv_verify_options *options,
                                vv_verify_result *result, vv_error *err);

#ifdef __cplusplus
}
#endif
#endif
