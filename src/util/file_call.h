/* How the files of this room make calls of the system: the fault plan is asked first. */
#ifndef VVI_UTIL_FILE_CALL_H
#define VVI_UTIL_FILE_CALL_H

#include "util/fault.h"

#include <errno.h>

/* Make a call that gives -1 and errno, again when it is interrupted; *result_ is its value. */
#define VVI_MAKE_CALL(kind_, result_, call_)          \
    do {                                              \
        errno = vvi_fault_check((kind_), NULL, NULL); \
        (result_) = errno ? -1 : (call_);             \
    } while ((result_) < 0 && errno == EINTR)

#endif
