/*
 * URL → block store: the one place that knows every backend of this build.
 */
#ifndef VARVITE_OPEN_H
#define VARVITE_OPEN_H

#include <varvite/base.h>
#include <varvite/blockstore.h>

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
 * Open "local:DIR", "mem:", "car:FILE", or a bare path (a directory is a local store, a file a
 * CAR).
 * @return as the backend's constructor; VV_EUNSUPPORTED for a scheme that this build lacks
 */
VV_API vv_status vv_blockstore_open(const char *url, const vv_open_options *options,
                                    vv_blockstore **out, vv_error *err);

/** The directory of the store to use when none is named: $VARVITE_STORE, else the nearest
 *  ".varvite" from the working directory upward. The text is freed with vv_free().
 *  @return VV_OK, VV_ENOTFOUND (the message says what to do), VV_ENOMEM */
VV_API vv_status vv_default_store_path(char **out, vv_error *err);

#ifdef __cplusplus
}
#endif
#endif
