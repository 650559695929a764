#include "util/options.h"

#include <string.h>

vv_status vvi_read_options(void *out, size_t known_size, const void *given, vv_error *err)
{
    const uint8_t *bytes = given;
    size_t size;

    memset(out, 0, known_size);
    memcpy(out, &known_size, sizeof(known_size));
    if (!given)
        return VV_OK;
    memcpy(&size, given, sizeof(size));
    if (size < sizeof(size))
        return vvi_fail(err, VV_EINVAL,
                        "options: struct_size is %zu; use the _INIT macro", size);
    for (size_t i = known_size; i < size; i++)
        if (bytes[i])
            return vvi_fail(
                err, VV_EUNSUPPORTED,
                "options: byte %zu is set, but this library knows only %zu; it is "
                "older than the header",
                i, known_size);
    memcpy(out, given, size < known_size ? size : known_size);
    memcpy(out, &known_size, sizeof(known_size));
    return VV_OK;
}
