/* A selection of an array, written as text, CSV, JSON or for NumPy. */
#ifndef CLI_SLICE_H
#define CLI_SLICE_H

#include "numbers.h"

typedef struct cli_slice_target {
    const cli_number_format *format;
    const char *path; /* of a file; NULL: standard output */
    bool by_index;    /* label places by their numbers, not by their coordinates */
} cli_slice_target;

/* Write it, piece by piece. A file appears when it is complete. */
vv_status slice_write(cli_call *call, vv_store *store, vv_array *array,
                      const cli_selection *selection, const cli_slice_target *to);

#endif
