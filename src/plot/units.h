/* Units as print has them, and the labels that they end. */
#ifndef VVI_PLOT_UNITS_H
#define VVI_PLOT_UNITS_H

#include <stddef.h>

#define VVI_TEXT_SIZE  256
#define VVI_UNITS_SIZE 96

/* "1E11 W" is 10^11 and "W"; "m s-1" is 10^0 and "m s⁻¹". */
typedef struct vvi_units {
    int exponent; /* of the power of ten in front; 0: none */
    char text[VVI_UNITS_SIZE];
} vvi_units;

/* NULL: none. */
void vvi_units_read(const char *units, vvi_units *out);
/* Both parts as one text: "m s-1" → "m s⁻¹", "degC" → "°C", "1e-3 kg" → "10⁻³ kg", "1" → "". */
void vvi_units_text(const char *units, char *out, size_t cap);
/* "name (units)", either may be NULL. */
void vvi_label_text(const char *name, const char *units, char out[VVI_TEXT_SIZE]);
/* The same for numbers that were divided by 10^exponent: one power of ten, which is the product of this
 * one and that of the units. */
void vvi_label_scaled(const char *name, const char *units, int exponent,
                      char out[VVI_TEXT_SIZE]);
/* "2.5×10¹¹ W": a number of at most so many digits, as %g has them. */
void vvi_quantity_text(double value, int digits, const char *units,
                       char out[VVI_TEXT_SIZE]);

#endif
