/* sharded_tool STORE ROOT sharded|hamt: convert a root of an embedded store, and print what was made. */
#include <varvite/varvite.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    vv_blockstore *blocks = NULL;
    vv_error err = VV_ERROR_INIT;
    char text[VV_CID_TEXT_MAX];
    vv_cid from;
    vv_cid made;
    vv_status status;

    if (argc != 4) {
        fprintf(stderr, "usage: sharded_tool STORE ROOT sharded|hamt\n");
        return 2;
    }
    status = vv_local_open(argv[1], NULL, &blocks, &err);
    if (!status)
        status = vv_cid_parse(argv[2], &from, &err);
    if (!status)
        status = vv_sharded_convert(
            blocks, &from, strcmp(argv[3], "hamt") == 0 ? VV_TO_HAMT : VV_TO_SHARDED_V2,
            NULL, &made, NULL, &err);
    if (!status) {
        vv_cid_format(&made, text);
        puts(text);
    } else {
        fprintf(stderr, "sharded_tool: %s\n", err.message);
    }
    vv_blockstore_free(blocks);
    return status != VV_OK;
}
