#include "util/options.h"

#include <string.h>

/* More than any struct of results will have: a size above it was never set. */
#define RESULT_MAX 65536

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

vv_status vvi_check_result(const void *out, vv_error *err)
{
    size_t size;

    memcpy(&size, out, sizeof(size));
    if (size < sizeof(size) || size > RESULT_MAX)
        return vvi_fail(err, VV_EINVAL, "result: struct_size is %zu; use the _INIT macro",
                        size);
    return VV_OK;
}

void vvi_write_result(void *out, const void *made, size_t known_size)
{
    size_t size;

    memcpy(&size, out, sizeof(size));
    if (size > known_size)
        size = known_size;
    memcpy((uint8_t *)out + sizeof(size), (const uint8_t *)made + sizeof(size),
           size - sizeof(size));
}
