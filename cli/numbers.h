/* Printing the elements of a selection as they come, in C order. */
#ifndef CLI_NUMBERS_H
#define CLI_NUMBERS_H

#include "out.h"
#include "select.h"

/* A dimension of the result: its name, and a label for each of its places. */
typedef struct cli_axis {
    const char *name; /* borrowed; "" where it has none */
    uint64_t count;
    uint64_t start, step; /* labels by index */
    vv_array *array;      /* of the coordinates, open; NULL: labels by index */
    uint8_t *coordinates; /* count elements */
} cli_axis;

typedef struct cli_numbers {
    cli_result_file *out;
    const char *path;  /* of the array */
    const char *units; /* NULL: none */
    const char *
        selection; /* where dimensions were dropped, said above a table; NULL: not wanted */
    const vv_array *array;
    size_t item;   /* bytes of an element */
    uint32_t ndim; /* dropped dimensions are not among them */
    cli_axis axes[VV_NDIM_MAX];
    /* private: */
    uint64_t at[VV_NDIM_MAX]; /* of the next element */
    int width;                /* of a column in text */
    char *text; /* of an element, as long as it is; freed by numbers_clear() */
    size_t text_cap;
} cli_numbers;

typedef struct cli_number_format {
    vv_status (*begin)(cli_numbers *numbers);
    vv_status (*elements)(cli_numbers *numbers, const uint8_t *elements, size_t n);
    vv_status (*end)(cli_numbers *numbers);
} cli_number_format;

/* Has NumPy's format the elements of such an array? */
bool numbers_have_npy(const vv_array_meta *meta);
extern const cli_number_format numbers_text, numbers_csv, numbers_json, numbers_npy;

/* Free what was made on the way; the arrays and coordinates of the axes too. */
void numbers_clear(cli_numbers *numbers);

#define CLI_ELEMENT_MAX 128 /* of a label; a longer one is cut */
/* The label of a place. */
void axis_label(const cli_axis *axis, uint64_t at, char out[CLI_ELEMENT_MAX]);

#endif
