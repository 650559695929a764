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

/* A struct that a call fills in, whose first member is its size as the caller knows it: a shorter one of an older caller
 * gets the members it has; what a longer one has besides is left alone. Check before the work is done; VV_EINVAL. */
vv_status vvi_check_result(const void *out, vv_error *err);
void vvi_write_result(void *out, const void *made, size_t known_size);

#endif
