/* What base.h promises and no other file of the room holds. */
#include "util/error.h"

#include <errno.h>
#include <unistd.h>

#define TEXT_(x_) #x_
#define TEXT(x_)  TEXT_(x_)

const char *vv_version(void)
{
    return TEXT(VV_VERSION_MAJOR) "." TEXT(VV_VERSION_MINOR) "." TEXT(VV_VERSION_PATCH);
}

static vv_status fd_write(void *ctx, vv_bytes data, vv_error *err)
{
    int fd = (int)(intptr_t)ctx;

    while (data.len) {
        ssize_t n = write(fd, data.data, data.len);

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
        n = read(fd, out, cap);
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
