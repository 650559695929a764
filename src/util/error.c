#define VVI_UTIL_ERROR_C /* the functions themselves */
#include "util/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *vv_status_name(vv_status status)
{
    static const char *const names[] = {
        [VV_OK] = "VV_OK",
        [VV_EINVAL] = "VV_EINVAL",
        [VV_ERANGE] = "VV_ERANGE",
        [VV_ENOTFOUND] = "VV_ENOTFOUND",
        [VV_EEXISTS] = "VV_EEXISTS",
        [VV_EREADONLY] = "VV_EREADONLY",
        [VV_ECORRUPT] = "VV_ECORRUPT",
        [VV_EUNSUPPORTED] = "VV_EUNSUPPORTED",
        [VV_EIO] = "VV_EIO",
        [VV_ETIMEDOUT] = "VV_ETIMEDOUT",
        [VV_EAUTH] = "VV_EAUTH",
        [VV_ENOMEM] = "VV_ENOMEM",
        [VV_ELIMIT] = "VV_ELIMIT",
        [VV_EBUSY] = "VV_EBUSY",
        [VV_ECANCELED] = "VV_ECANCELED",
    };

    if ((int)status < 0 || (size_t)status >= sizeof(names) / sizeof(names[0]))
        return "VV_?";
    return names[status];
}

vv_status vvi_fail(vv_error *err, vv_status status, const char *format, ...)
{
    va_list args;

    if (!err)
        return status;
    err->status = status;
    va_start(args, format);
    vsnprintf(err->message, sizeof(err->message), format, args);
    va_end(args);
    return status;
}

/* Put a and b behind the first len bytes of message, cut at its end. */
static void append_cut(char message[VV_ERROR_MESSAGE_SIZE], size_t len, const char *a,
                       const char *b)
{
    for (; *a && len + 1 < VV_ERROR_MESSAGE_SIZE; a++)
        message[len++] = *a;
    for (; *b && len + 1 < VV_ERROR_MESSAGE_SIZE; b++)
        message[len++] = *b;
    message[len] = '\0';
}

vv_status vvi_wrap(vv_error *err, vv_status status, const char *format, ...)
{
    char inner[VV_ERROR_MESSAGE_SIZE];
    va_list args;
    int n;

    if (!err)
        return status;
    memcpy(inner, err->message, sizeof(inner));
    inner[sizeof(inner) - 1] = '\0';
    va_start(args, format);
    n = vsnprintf(err->message, sizeof(err->message), format, args);
    va_end(args);
    err->status = status;
    if (n >= 0 && (size_t)n < sizeof(err->message))
        append_cut(err->message, (size_t)n, ": ", inner);
    return status;
}

static vv_status status_of_errno(int error_number)
{
    switch (error_number) {
    case ENOENT:
    case ENOTDIR:
        return VV_ENOTFOUND;
    case EEXIST:
        return VV_EEXISTS;
    case EACCES:
    case EPERM:
        return VV_EAUTH;
    case EROFS:
        return VV_EREADONLY;
    case ENOMEM:
        return VV_ENOMEM;
    case ETIMEDOUT:
        return VV_ETIMEDOUT;
    default:
        return VV_EIO;
    }
}

vv_status vvi_fail_errno(vv_error *err, int error_number, const char *format, ...)
{
    vv_status status = status_of_errno(error_number);
    char why[128];
    va_list args;
    int n;

    if (!err)
        return status;
    err->status = status;
    va_start(args, format);
    n = vsnprintf(err->message, sizeof(err->message), format, args);
    va_end(args);
    if (n >= 0 && (size_t)n < sizeof(err->message))
        snprintf(err->message + n, sizeof(err->message) - (size_t)n, ": %s",
                 strerror_r(error_number, why, sizeof(why)));
    return status;
}

vv_status vvi_fail_nomem(vv_error *err, size_t bytes)
{
    return vvi_fail(err, VV_ENOMEM, "out of memory (%zu bytes)", bytes);
}
