/* export and compare: a tree beside files. */
#include "out.h"
#include "progress.h"
#include "stores.h"

#include <varvite/dataset.h>

#include <stdlib.h>
#include <string.h>

/* *variables are to be freed. */
static vv_status export_options(cli_call *call, vv_export_options *options,
                                const char ***variables)
{
    const char *format = cli_text(call, "format");
    uint64_t level;

    *options = VV_EXPORT_OPTIONS_INIT;
    vv_status status = cli_number(call, "deflate", 0, 9, &level);
    if (!status)
        status = cli_size(call, "memory", 0, &options->memory_bytes);
    if (status)
        return status;
    options->deflate_level = (uint32_t)level;
    options->overwrite = cli_has(call, "force");
    options->format = !format                         ? VV_EXPORT_AUTO
                      : strcmp(format, "zarr") == 0   ? VV_EXPORT_ZARR
                      : strcmp(format, "netcdf") == 0 ? VV_EXPORT_NETCDF
                                                      : VV_EXPORT_AUTO;
    options->progress = progress_tick;
    *variables = cli_texts(call, "var", &options->variable_count);
    options->variables = *variables;
    return VV_OK;
}

vv_status cmd_export(cli_call *call)
{
    const char *target = call->args[1];
    const char *given = cli_text(call, "path");
    char *path = cli_strdup(given ? given : "");
    vv_import_result result = { 0 };
    const char **variables = NULL;
    vv_export_options options;
    vv_store *store = NULL;
    cli_progress progress;

    vv_status status = export_options(call, &options, &variables);
    if (!status)
        status = cli_check_parent(call, target);
    if (!status)
        status = cli_open_root(call, call->args[0], &store);
    if (status)
        goto done;
    progress_begin(&progress, call, "export");
    options.ctx = &progress;
    status = vv_dataset_export(store, cli_trim_slashes(path), target, &options, &result,
                               &call->err);
    progress_hide();
    if (status == VV_EEXISTS)
        cli_wrap(call, status, "give --force to replace it");
    if (status == VV_EUNSUPPORTED && !options.variable_count)
        cli_talk(call, "--var NAME leaves other arrays out of a netCDF file");
    if (status)
        goto done;
    if (call->json) {
        json_object(NULL);
        json_text("target", target);
        json_uint("groups", result.groups);
        json_uint("arrays", result.arrays);
        json_uint("chunks", result.chunks);
        json_uint("bytes", result.bytes);
        json_end();
    }
    cli_talk(call, "%s in %s, %s, in %.1f s", cli_count_text(result.arrays, "array"),
             cli_count_text(result.chunks, "chunk"), cli_bytes_text(result.bytes),
             (double)progress_ms(&progress) / 1000);

done:
    vv_store_free(store);
    free(variables);
    free(path);
    return status;
}

static vv_status print_difference(void *ctx, const vv_difference *difference)
{
    cli_call *call = ctx;

    progress_hide();
    if (call->json) {
        json_object(NULL);
        json_text("path", difference->path);
        json_text("message", difference->message);
        json_end();
    } else {
        out_name(*difference->path ? difference->path : "/");
        out_text(": ");
        out_name(difference->message);
        out_text("\n");
    }
    return out_failed() ? VV_ECANCELED : VV_OK;
}

vv_status cmd_compare(cli_call *call)
{
    const char *given = cli_text(call, "path");
    char *path = cli_strdup(given ? given : "");
    vv_compare_options options = VV_COMPARE_OPTIONS_INIT;
    uint64_t differences = 0, values = 0;
    cli_progress progress;
    vv_store *store = NULL;

    vv_status status = cli_check_source(call, vv_dataset_probe(call->args[0], &call->err),
                                        call->args[0],
                                        "'varvite diff' compares two roots");
    if (!status)
        status = cli_open_root(call, call->args[1], &store);
    if (status)
        goto done;
    if (call->json) {
        json_object(NULL);
        json_list("differences");
    }
    progress_begin(&progress, call, "compare");
    options.progress = progress_tick;
    options.progress_ctx = &progress;
    status = vv_dataset_compare(call->args[0], store, cli_trim_slashes(path), &options,
                                print_difference, call, &differences, &values,
                                &call->err);
    progress_hide();
    if (call->json) {
        json_end();
        json_bool("equal", status == VV_OK && differences == 0);
        json_uint("values", values);
        json_end();
    }
    if (status)
        goto done;
    if (!call->json && differences == 0)
        out_format("equal: %s compared\n", cli_count_text(values, "value"));
    if (differences) {
        status = cli_fail(call, VV_ENOTFOUND, "%s in %s",
                          cli_count_text(differences, "difference"),
                          cli_count_text(values, "value"));
    }

done:
    vv_store_free(store);
    free(path);
    return status;
}
