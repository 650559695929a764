/* Coordinate variables: the arrays that say where the places of a dimension are. */
#ifndef CLI_COORDS_H
#define CLI_COORDS_H

#include "select.h"

#include <varvite/store.h>

/* Coordinates of more places than this are not read whole. */
#define COORDINATES_MAX ((uint64_t)1 << 22)

/*
 * The coordinates of a dimension: an array of one dimension and its length, beside the array or in a
 * group above it, called as the dimension is. NULL if there is none. To be freed.
 */
vv_array *coordinates_open(vv_store *store, const vv_array *array, uint32_t dim);

bool coordinates_are_text(const vv_array *coordinates);
/*
 * Names of the places of a dimension: its coordinates, if they are text, or a text over it that the
 * attribute "coordinates" of the array names, as for stations. NULL if there are none. To be freed.
 */
vv_array *names_open(vv_store *store, const vv_array *array, uint32_t dim);
#define PLACE_NAME_MAX 256
/* The name of a place, to be freed; cut where it is longer. */
char *names_read(vv_array *names, uint64_t index);

/* What a variable with these units, which the attribute "coordinates" names, says of the place that is
 * selected: of latitude and longitude over two dimensions, as on rotated poles and curved grids. False
 * where there is none, or the place is more than one. */
bool coordinates_at(vv_store *store, const vv_array *array,
                    const cli_selection *selection, const char *units, double *value);

/* The units that numbers read from the array have, to be freed; NULL for none. Those of datetime64, and of
 * latitudes in "degrees", are put as the CF conventions would. */
char *coordinates_units(const vv_array_meta *meta);
/* Their calendar, where they are times; as above. */
char *coordinates_calendar(const vv_array_meta *meta);

/*
 * Narrow a selection by coordinates: "lat=12.5" is the place nearest to it, "lat=10:20" the places
 * between, ends included. Times take dates: "time=1982-07" is the first place in that month, or the
 * nearest to it where there is none; "time=1982:1983-06" is all from the beginning of the one to the end
 * of the other. The dimension must not have been narrowed otherwise.
 * VV_EINVAL for text that says none, VV_ENOTFOUND for a dimension without coordinates, VV_ERANGE for
 * none between.
 */
vv_status select_at(cli_call *call, vv_store *store, const vv_array *array,
                    const char *text, cli_selection *selection);
/* Every --at of the call. */
vv_status select_all_at(cli_call *call, vv_store *store, const vv_array *array,
                        cli_selection *selection);

#endif
