/* Sinks and sources of descriptors that others opened. */
#include "util/buf.h"
#include "util/file_call.h"

#include <unistd.h>

static vv_status fd_write(void *ctx, vv_bytes data, vv_error *err)
{
    int fd = (int)(intptr_t)ctx;

    while (data.len) {
        size_t want = data.len;
        ssize_t n;

        errno = vvi_fault_check(VVI_CALL_WRITE, &want, NULL);
        n = errno ? -1 : write(fd, data.data, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return vvi_fail_errno(err, errno, "write to descriptor %d", fd);
        data.data += n;
        data.len -= (size_t)n;
    }
    return VV_OK;
}

static vv_status fd_read(void *ctx, uint8_t *out, size_t cap, size_t *len, vv_error *err)
{
    int fd = (int)(intptr_t)ctx;
    ssize_t n;

    do {
        size_t want = cap;

        errno = vvi_fault_check(VVI_CALL_READ, &want, NULL);
        n = errno ? -1 : read(fd, out, want);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return vvi_fail_errno(err, errno, "read from descriptor %d", fd);
    *len = (size_t)n;
    return VV_OK;
}

vv_sink vv_sink_fd(int fd)
{
    return (vv_sink){ fd_write, (void *)(intptr_t)fd };
}

vv_source vv_source_fd(int fd)
{
    return (vv_source){ fd_read, (void *)(intptr_t)fd };
}
