/* Print the first numbers of an array: quickstart STORE-DIRECTORY ROOT ARRAY */
#include <stdio.h>
#include <varvite/varvite.h>

int main(int argc, char **argv)
{
    vv_error err = VV_ERROR_INIT;
    vv_blockstore *blocks = NULL;
    vv_store *store = NULL;
    vv_array *array = NULL;
    vv_cid root;
    float first[3];

    if (argc != 4)
        return 2;
    if (vv_cid_parse(argv[2], &root, &err) ||
        vv_local_open(argv[1], NULL, &blocks, &err) ||
        vv_hamt_store_open(blocks, &root, NULL, &store, &err) ||
        vv_array_open(store, argv[3], &array, &err) ||
        vv_array_read(array, (uint64_t[]){ 0, 45, 80 }, (uint64_t[]){ 1, 1, 3 }, NULL,
                      first, sizeof(first), &err))
        fprintf(stderr, "%s\n", err.message);
    else
        printf("%g %g %g\n", first[0], first[1], first[2]);
    vv_array_free(array);
    vv_store_free(store);
    vv_blockstore_free(blocks);
    return err.status ? 1 : 0;
}
