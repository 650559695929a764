/* Selections: "group/tas[0,:,10:20]", as NumPy reads what is in the brackets, or by the names of
 * dimensions, "tas[lon=10:20, time=0]". */
#ifndef CLI_SELECT_H
#define CLI_SELECT_H

#include "call.h"

#include <varvite/zarr.h>

/* What is selected of an array; every step is positive. */
typedef struct cli_selection {
    uint32_t ndim;
    uint64_t start[VV_NDIM_MAX];
    uint64_t count[VV_NDIM_MAX];
    uint64_t step[VV_NDIM_MAX];
    bool dropped[VV_NDIM_MAX]; /* a plain index: count is 1, and the result lacks it */
} cli_selection;

/* Open the array that stands in front of the brackets; *inside is the text in them, or NULL. An array
 * whose name is the whole text, brackets and all, is meant where there is none in front of them. Where
 * nothing is called so, brackets that are not closed, or not at its end, are said to be the fault. */
vv_status select_open(cli_call *call, vv_store *store, const char *text, vv_array **out,
                      const char **inside);
/* VV_EINVAL for text that is no selection, VV_ERANGE for an index outside; both name it. */
vv_status select_resolve(cli_call *call, const char *inside, const vv_array_meta *meta,
                         cli_selection *out);

#endif
