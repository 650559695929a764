/* resize: another shape for an array. */
#include "lengths.h"
#include "stores.h"

#include <varvite/sharded.h>
#include <varvite/zarr.h>

#include <stdlib.h>

static vv_status check_rank(cli_call *call, const vv_array_meta *meta, uint32_t ndim)
{
    if (ndim == meta->ndim)
        return VV_OK;
    return cli_usage(call, "%.200s has %u dimensions, and the new shape has %u",
                     call->args[1], (unsigned)meta->ndim, (unsigned)ndim);
}

/* Does the first dimension alone change, and lengthen by whole chunks? Then the index of a sharded root is
 * all that has to change besides the document. Else what lies at an edge is to be cleared. */
static bool only_index_changes(const vv_array_meta *meta, const uint64_t *shape)
{
    if (!meta->ndim || meta->chunk_edges || shape[0] < meta->shape[0] ||
        meta->shape[0] % meta->chunk_shape[0] != 0)
        return false;
    for (uint32_t d = 1; d < meta->ndim; d++)
        if (shape[d] != meta->shape[d])
            return false;
    return true;
}

static vv_status resize(cli_call *call, vv_store *store, const char *path, uint32_t ndim,
                        const uint64_t *shape)
{
    vv_sharded_info info = VV_SHARDED_INFO_INIT;
    vv_array *array = NULL;
    bool in_index = false;

    vv_status status = vv_array_open(store, path, &array, &call->err);
    if (status)
        return status;
    status = check_rank(call, vv_array_get_meta(array), ndim);
    if (!status && vv_sharded_store_info(store, &info, NULL) == VV_OK)
        in_index = only_index_changes(vv_array_get_meta(array), shape);
    if (!status && in_index) {
        status = vv_sharded_store_resize_variable(store, path, ndim, shape, &call->err);
    } else if (!status) {
        status = vv_array_resize(array, shape, &call->err);
    }
    vv_array_free(array);
    return status;
}

vv_status cmd_resize(cli_call *call)
{
    uint64_t shape[CLI_LENGTHS_MAX];
    char *copy = cli_strdup(call->args[1]);
    cli_tree tree = { NULL, NULL };
    uint32_t ndim;

    vv_status status = cli_lengths(call, "SHAPE", call->args[2], shape, &ndim);
    if (!status)
        status = cli_tree_open(call, call->args[0], &tree);
    if (!status)
        status = resize(call, tree.store, cli_trim_slashes(copy), ndim, shape);
    if (!status)
        status = cli_tree_finish(call, &tree);
    cli_tree_clear(&tree);
    free(copy);
    return status;
}
