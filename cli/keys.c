#include "keys.h"

#include <limits.h>
#include <stdio.h>

#define NAME_MAX_LEN 32

static const char *text_of(const cli_call *call, const char *prefix, const char *way,
                           char name[NAME_MAX_LEN])
{
    snprintf(name, NAME_MAX_LEN, "%s-%s", prefix, way);
    return cli_text(call, name);
}

vv_status cli_key(cli_call *call, const char *prefix, vv_key **out)
{
    char file_option[NAME_MAX_LEN];
    char fd_option[NAME_MAX_LEN];
    char env_option[NAME_MAX_LEN];
    const char *file = text_of(call, prefix, "file", file_option);
    const char *fd = text_of(call, prefix, "fd", fd_option);
    const char *env = text_of(call, prefix, "env", env_option);
    vv_status status = VV_OK;
    uint64_t number;

    *out = NULL;
    if (!!file + !!fd + !!env > 1)
        return cli_usage(call, "--%s, --%s and --%s exclude each other", file_option,
                         fd_option, env_option);
    if (file)
        status = vv_key_load(file, out, &call->err);
    if (fd) {
        status = cli_number(call, fd_option, 0, INT_MAX, &number);
        if (!status)
            status = vv_key_load_fd((int)number, out, &call->err);
    }
    if (env)
        status = vv_key_load_env(env, out, &call->err);
    return status;
}
