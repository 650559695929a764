/* car export and import. */
#include "out.h"
#include "progress.h"
#include "stores.h"

#include <varvite/car.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void print_counts(cli_call *call, const char *what, const vv_car_result *result)
{
    cli_talk(call, "%s %s, %s%s%s", what, cli_count_text(result->blocks, "block"),
             cli_bytes_text(result->bytes),
             result->missing ? "; left out, missing: " : "",
             result->missing ? cli_count_text(result->missing, "block") : "");
}

static void json_counts(const vv_car_result *result)
{
    json_uint("blocks", result->blocks);
    json_uint("bytes", result->bytes);
    json_uint("missing", result->missing);
    json_uint("already", result->already);
}

static vv_status export_roots(cli_call *call, vv_blockstore *blocks, const vv_cid *roots,
                              const vv_car_options *options, vv_car_result *result)
{
    const char *path = cli_text(call, "output");
    size_t n = call->arg_count;

    if (path && strcmp(path, "-") != 0)
        return vv_car_export(blocks, roots, n, options, path, result, &call->err);
    return vv_car_export_stream(blocks, roots, n, options, out_sink(), result,
                                &call->err);
}

/* Refuse what cannot be: a version, version 2 to a pipe, an archive on a terminal. */
static vv_status check_export(cli_call *call, vv_car_options *options)
{
    const char *path = cli_text(call, "output");
    bool to_stdout = !path || strcmp(path, "-") == 0;
    uint64_t version;
    vv_status status = cli_number(call, "version", 1, 2, &version);

    if (status)
        return status;
    if (version == 0)
        return cli_usage(call, "--version 0: must be 1 or 2");
    if (version == 2 && to_stdout)
        return cli_usage(call, "version 2 is written back to front: give --output FILE");
    if (version == 1 && cli_has(call, "no-index"))
        return cli_usage(call, "--no-index: version 1 has no index");
    if (to_stdout && call->json)
        return cli_usage(call,
                         "--json needs --output, since the archive goes to standard "
                         "output");
    if (to_stdout && isatty(STDOUT_FILENO))
        return cli_usage(call, "standard output is a terminal; give --output FILE");
    options->version = (uint32_t)version;
    options->no_index = cli_has(call, "no-index");
    options->allow_missing = cli_has(call, "allow-missing");
    /* A tree of py-hamt's in-memory store would lose all but its root otherwise. */
    options->bare_links = true;
    return VV_OK;
}

vv_status cmd_car_export(cli_call *call)
{
    vv_car_options options = VV_CAR_OPTIONS_INIT;
    vv_car_result result = { 0 };
    vv_cid *roots = cli_alloc(call->arg_count * sizeof(*roots));
    vv_blockstore *blocks = NULL;
    cli_progress progress;

    vv_status status = check_export(call, &options);
    for (size_t i = 0; i < call->arg_count && !status; i++)
        status = cli_cid(call, call->args[i], &roots[i]);
    if (!status)
        status = cli_open_blocks(call, CLI_READ, &blocks);
    if (status)
        goto done;
    progress_begin(&progress, call, "car export");
    options.progress = progress_tick;
    options.ctx = &progress;
    status = export_roots(call, blocks, roots, &options, &result);
    progress_hide();
    if (status)
        goto done;
    if (call->json) {
        json_object(NULL);
        json_counts(&result);
        json_end();
    }
    print_counts(call, "exported", &result);

done:
    vv_blockstore_free(blocks);
    free(roots);
    return status;
}

static void print_roots(cli_call *call, const vv_cid *roots, size_t n,
                        const vv_car_result *result)
{
    if (call->json) {
        json_object(NULL);
        json_list("roots");
        for (size_t i = 0; i < n; i++)
            json_cid(NULL, &roots[i]);
        json_end();
        json_counts(result);
        json_end();
        return;
    }
    for (size_t i = 0; i < n; i++) {
        out_cid(&roots[i]);
        out_text("\n");
    }
}

vv_status cmd_car_import(cli_call *call)
{
    vv_car_options options = VV_CAR_OPTIONS_INIT;
    vv_car_result result = { 0 };
    vv_blockstore *blocks = NULL;
    vv_cid *roots = NULL;
    size_t root_count = 0;
    cli_progress progress;
    int fd = -1;

    vv_status status = input_open(call, call->args[0], &fd);
    if (!status)
        status = cli_open_blocks(call, CLI_WRITE, &blocks);
    if (status)
        goto done;
    progress_begin(&progress, call, "car import");
    options.progress = progress_tick;
    options.ctx = &progress;
    status = vv_car_import_stream(vv_source_fd(fd), blocks, &options, &roots, &root_count,
                                  &result, &call->err);
    progress_hide();
    if (status) { /* what came before the failure is kept, and safe */
        vv_blockstore_flush(blocks, NULL);
        cli_wrap(call, status, "%.200s", call->args[0]);
        goto done;
    }
    status = vv_blockstore_flush(blocks, &call->err);
    if (status)
        goto done;
    print_roots(call, roots, root_count, &result);
    print_counts(call, "imported", &result);
    if (result.already)
        cli_talk(call, "%s there already", cli_count_text(result.already, "block"));

done:
    input_close(fd);
    vv_free(roots);
    vv_blockstore_free(blocks);
    return status;
}
