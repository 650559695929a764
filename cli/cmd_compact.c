#include "out.h"
#include "stores.h"

#include <varvite/local.h>

#include <string.h>

vv_status cmd_compact(cli_call *call)
{
    vv_blockstore *blocks = NULL;
    uint64_t reclaimed = 0;

    vv_status status = cli_open_blocks(call, CLI_WRITE, &blocks);
    if (status)
        return status;
    if (strcmp(vv_blockstore_name(blocks), "local") != 0)
        status = cli_usage(call, "only an embedded store has space to give back");
    else
        status = vv_local_compact(blocks, &reclaimed, &call->err);
    vv_blockstore_free(blocks);
    if (status)
        return status;
    if (call->json) {
        json_object(NULL);
        json_uint("reclaimed_bytes", reclaimed);
        json_end();
    } else {
        out_format("%s given back\n", cli_bytes_text(reclaimed));
    }
    return VV_OK;
}
