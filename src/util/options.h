/* Options structs: struct_size first, zero means the default, new fields at the end. */
#ifndef VVI_UTIL_OPTIONS_H
#define VVI_UTIL_OPTIONS_H

#include "util/error.h"

/*
 * Copy given, whose first member is its size, over zeros of known_size bytes. NULL means all
 * defaults. A longer struct of a newer caller is taken only if what we do not know is zero.
 */
vv_status vvi_read_options(void *out, size_t known_size, const void *given,
                           vv_error *err);

#endif
