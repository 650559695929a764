/* What base.h promises and no other file of the room holds. */
#include "util/error.h"

#define TEXT_(x_) #x_
#define TEXT(x_)  TEXT_(x_)

const char *vv_version(void)
{
    return TEXT(VV_VERSION_MAJOR) "." TEXT(VV_VERSION_MINOR) "." TEXT(VV_VERSION_PATCH);
}
