/* DCD files made in memory, for the tests: any byte order, any length of lengths, cells, atoms that do not move. */
#ifndef VV_TESTS_MADE_DCD_H
#define VV_TESTS_MADE_DCD_H

#include "support/support.h"

typedef struct made_dcd {
    bool big, wide, xplor, fourth, velocities;
    uint32_t atoms, fixed, frames;
    int32_t first, by;
    float delta;
    double cell[6]; /* as it stands in the file; all zero: none */
} made_dcd;

/* Coordinate d of an atom in a frame; fixed atoms, which are the first ones, stay where they were. */
float made_dcd_value(const made_dcd *what, uint32_t frame, uint32_t atom, uint32_t d);
void make_dcd(const made_dcd *what, vv_buf *out);

#endif
