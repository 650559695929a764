#include "stores.h"

#include <varvite/open.h>

#include <stdlib.h>

vv_status cli_store_url(cli_call *call, char **out)
{
    const char *given = cli_text(call, "store");
    char *found;

    if (given) {
        *out = cli_strdup(given);
        return VV_OK;
    }
    vv_status status = vv_default_store_path(&found, &call->err);
    if (status)
        return status;
    *out = cli_strdup(found);
    vv_free(found);
    return VV_OK;
}

vv_status cli_open_blocks(cli_call *call, cli_access access, vv_blockstore **out)
{
    vv_open_options options = VV_OPEN_OPTIONS_INIT;
    char *url;

    vv_status status = cli_store_url(call, &url);
    if (status)
        return status;
    options.read_only = access == CLI_READ;
    status = vv_blockstore_open(url, &options, out, &call->err);
    free(url);
    return status;
}
