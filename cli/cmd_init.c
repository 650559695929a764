#include "out.h"
#include "stores.h"

#include <varvite/local.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Where the store is to be: DIR/.varvite, or what --store or $VARVITE_STORE name. */
static vv_status choose_directory(cli_call *call, char **out)
{
    const char *given = cli_text(call, "store");
    const char *named = getenv("VARVITE_STORE");

    if (given && call->arg_count)
        return cli_usage(call, "--store and DIR exclude each other");
    if (!given && !call->arg_count && named && *named)
        given = named;
    if (given) {
        *out = cli_strdup(strncmp(given, "local:", 6) == 0 ? given + 6 : given);
        return VV_OK;
    }
    const char *parent = call->arg_count ? call->args[0] : ".";
    size_t cap = strlen(parent) + sizeof("/.varvite");
    *out = cli_alloc(cap);
    snprintf(*out, cap, "%s/.varvite", parent);
    return VV_OK;
}

static vv_status make_parent(cli_call *call)
{
    struct stat info;

    if (!call->arg_count || mkdir(call->args[0], 0777) == 0)
        return VV_OK;
    if (errno == EEXIST && stat(call->args[0], &info) == 0 && S_ISDIR(info.st_mode))
        return VV_OK;
    cli_fail_errno(call, "%s", call->args[0]);
    return call->err.status = VV_EIO;
}

vv_status cmd_init(cli_call *call)
{
    vv_local_options options = VV_LOCAL_OPTIONS_INIT;
    vv_blockstore *store = NULL;
    char *directory = NULL, *full = NULL;

    vv_status status = choose_directory(call, &directory);
    if (!status)
        status = make_parent(call);
    if (status)
        goto done;
    status = vv_local_open(directory, &options, &store, &call->err);
    if (!status) {
        cli_talk(call, "there is a store already");
    } else if (status == VV_ENOTFOUND) {
        options.create = true;
        status = vv_local_open(directory, &options, &store, &call->err);
        if (status == VV_ENOTFOUND) /* a place where nothing can be made */
            status = call->err.status = VV_EIO;
    }
    if (status)
        goto done;
    full = realpath(directory, NULL);
    if (call->json) {
        json_object(NULL);
        json_text("store", full ? full : directory);
        json_end();
    } else {
        out_name(full ? full : directory);
        out_text("\n");
    }

done:
    vv_blockstore_free(store);
    free(full);
    free(directory);
    return status;
}
