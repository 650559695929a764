/* A program outside the tree: sees what is installed and nothing else. */
#include <varvite/varvite.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
    char version[32];

    snprintf(version, sizeof(version), "%d.%d.%d", VV_VERSION_MAJOR, VV_VERSION_MINOR,
             VV_VERSION_PATCH);
    if (strcmp(vv_version(), version) != 0) {
        fprintf(stderr, "library %s, headers %s\n", vv_version(), version);
        return 1;
    }
    printf("varvite %s\n", vv_version());
    return 0;
}
