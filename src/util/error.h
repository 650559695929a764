/* Making and wrapping errors. */
#ifndef VVI_UTIL_ERROR_H
#define VVI_UTIL_ERROR_H

#include <varvite/base.h>

#include <inttypes.h>
#include <stdarg.h>

#define VVI_PRINTF(format_, first_) __attribute__((format(printf, format_, first_)))
#define VVI_MUST_USE                __attribute__((warn_unused_result))

/* Fill err, which may be NULL, and return status. */
vv_status vvi_fail(vv_error *err, vv_status status, const char *format, ...)
    VVI_PRINTF(3, 4);

/* Put "context: " in front of the message that err holds, and return status. */
vv_status vvi_wrap(vv_error *err, vv_status status, const char *format, ...)
    VVI_PRINTF(3, 4);

/* "open pack-3: No space left on device" for the given errno: VV_EIO, or VV_ENOTFOUND, VV_EAUTH,
 * VV_EEXISTS, VV_ENOMEM where errno says so. */
vv_status vvi_fail_errno(vv_error *err, int error_number, const char *format, ...)
    VVI_PRINTF(3, 4);

vv_status vvi_fail_nomem(vv_error *err, size_t bytes);

/*
 * What a compiler does not see from here: these return the status they are given, and never VV_OK.
 * Told so, it does not take what a successful call fills in for read after a failed one.
 */
#ifndef VVI_UTIL_ERROR_C
#define vvi_fail(err_, status_, ...)                             \
    __extension__({                                              \
        vv_status vvi_fail_status_ = (status_);                  \
        (void)(vvi_fail)((err_), vvi_fail_status_, __VA_ARGS__); \
        vvi_fail_status_;                                        \
    })
#define vvi_wrap(err_, status_, ...)                             \
    __extension__({                                              \
        vv_status vvi_wrap_status_ = (status_);                  \
        (void)(vvi_wrap)((err_), vvi_wrap_status_, __VA_ARGS__); \
        vvi_wrap_status_;                                        \
    })
#define vvi_fail_errno(err_, number_, ...)                                              \
    __extension__({                                                                     \
        vv_status vvi_errno_status_ = (vvi_fail_errno)((err_), (number_), __VA_ARGS__); \
        if (!vvi_errno_status_)                                                         \
            __builtin_unreachable();                                                    \
        vvi_errno_status_;                                                              \
    })
#define vvi_fail_nomem(err_, bytes_)              \
    __extension__({                               \
        (void)(vvi_fail_nomem)((err_), (bytes_)); \
        vv_status vvi_nomem_status_ = VV_ENOMEM;  \
        vvi_nomem_status_;                        \
    })
#endif

/* Return a failure where nothing needs releasing. */
#define VVI_TRY(expr)                       \
    do {                                    \
        vv_status vvi_try_status_ = (expr); \
        if (vvi_try_status_)                \
            return vvi_try_status_;         \
    } while (0)

#endif
