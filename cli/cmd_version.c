#include "out.h"

#include <string.h>

#define TEXT_OF(x_) #x_
#define TEXT(x_)    TEXT_OF(x_)
#define HEADER_VERSION \
    TEXT(VV_VERSION_MAJOR) "." TEXT(VV_VERSION_MINOR) "." TEXT(VV_VERSION_PATCH)

vv_status cmd_version(cli_call *call)
{
    const char *library = vv_version();

    if (call->json) {
        json_object(NULL);
        json_text("version", HEADER_VERSION);
        json_text("library", library);
        json_end();
    } else {
        out_format("varvite %s\n", HEADER_VERSION);
        if (strcmp(library, HEADER_VERSION) != 0)
            out_format("library %s\n", library);
    }
    return VV_OK;
}
