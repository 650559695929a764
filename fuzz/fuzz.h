/* What fuzz targets share. */
#ifndef VV_FUZZ_H
#define VV_FUZZ_H

#include <varvite/varvite.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* An assertion that stays in optimised builds. */
#define CHECK(condition_)                                                    \
    do {                                                                     \
        if (!(condition_)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition_); \
            abort();                                                         \
        }                                                                    \
    } while (0)

#endif
