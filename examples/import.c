/* Import a netCDF file into an embedded store and print its root: import STORE-DIRECTORY FILE */
#include <stdio.h>
#include <varvite/varvite.h>

static vv_status say(void *ctx, const vv_progress *progress)
{
    (void)ctx;
    fprintf(stderr, "%llu of %llu bytes\n", (unsigned long long)progress->bytes_done,
            (unsigned long long)progress->bytes_total);
    return VV_OK; /* VV_ECANCELED would stop the import */
}

static vv_status import(const char *directory, const char *file, vv_cid *root,
                        vv_error *err)
{
    vv_local_options local = VV_LOCAL_OPTIONS_INIT;
    vv_import_options options = VV_IMPORT_OPTIONS_INIT;
    vv_blockstore *blocks = NULL;
    vv_store *store = NULL;
    vv_status status;

    local.create = true;
    options.progress = say;
    status = vv_local_open(directory, &local, &blocks, err);
    if (!status)
        status = vv_hamt_store_open(blocks, NULL, NULL, &store, err);
    if (!status)
        status = vv_dataset_import(file, store, "", &options, NULL, err);
    if (!status)
        status = vv_store_commit(store, root, err); /* durable from here on */
    vv_store_free(store);
    vv_blockstore_free(blocks);
    return status;
}

int main(int argc, char **argv)
{
    char text[VV_CID_TEXT_MAX];
    vv_error err = VV_ERROR_INIT;
    vv_cid root;

    if (argc != 3) {
        fprintf(stderr, "usage: import STORE-DIRECTORY FILE\n");
        return 2;
    }
    if (import(argv[1], argv[2], &root, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    vv_cid_format(&root, text);
    printf("%s\n", text);
    return 0;
}
