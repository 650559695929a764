/* Is a recording that is gone on with the one that the caller's schema describes? */
#ifndef VVI_RECORDER_SAME_H
#define VVI_RECORDER_SAME_H

#include "recorder/schema.h"

/*
 * A copy of the schema to go on by: of given, once it is seen to be the recording's own, or of the recording's
 * where given is NULL. Groups of the same name have to have the same frequency, tree, types and shapes; how chunks are
 * compressed may differ, as the recording's way goes on. Groups that stand in another order are fine.
 * Returns VV_EINVAL (names the group and the leaf), VV_ENOMEM.
 */
vv_status vvi_schema_to_go_on(const vv_schema *given, const vv_schema *there,
                              vv_schema **out, vv_error *err);

/* Units that leaf says must be those of the recording; one that says none takes them. VV_EINVAL. */
vv_status vvi_schema_same_units(const vvi_schema_group *group, vvi_schema_leaf *leaf,
                                const char *there, vv_error *err);

#endif
