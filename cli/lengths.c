#include "lengths.h"

#include <errno.h>
#include <stdlib.h>

vv_status cli_lengths(cli_call *call, const char *what, const char *text,
                      uint64_t out[CLI_LENGTHS_MAX], uint32_t *n)
{
    const char *at = text;

    *n = 0;
    while (*at) {
        char *end;

        if (*n == CLI_LENGTHS_MAX)
            return cli_usage(call, "%s %.100s: more than %d numbers", what, text,
                             CLI_LENGTHS_MAX);
        errno = 0;
        out[*n] = strtoull(at, &end, 10);
        if (*at < '0' || *at > '9' || errno || (*end && *end != ',') ||
            (*end == ',' && !end[1]))
            return cli_usage(call,
                             "%s %.100s: whole numbers with commas between them, "
                             "as in 12,0,0",
                             what, text);
        ++*n;
        at = end + (*end == ',');
    }
    return VV_OK;
}
