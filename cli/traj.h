/* What the commands of recordings share. */
#ifndef CLI_TRAJ_H
#define CLI_TRAJ_H

#include "call.h"

#include <varvite/convert.h>
#include <varvite/recorder.h>
#include <varvite/store.h>
#include <varvite/trajectory.h>

vv_status traj_open(cli_call *call, const char *path, vv_traj **out);

#define TRAJ_TEXT 128
/* "once", "every 10 steps", "placed in 5 x 2", "not known". */
const char *traj_logged(const vv_traj_group *group, char out[TRAJ_TEXT]);
/* "float32[20,3]": of a value, without rows or places; with_rows: the rows too. */
const char *traj_type(const vv_traj_group *group, const vv_traj_leaf *leaf,
                      bool with_rows, char out[TRAJ_TEXT]);
/* Dimensions of a leaf that are rows or places. */
uint32_t traj_leading(const vv_traj_group *group, const vv_traj_leaf *leaf,
                      bool has_rows);

/* Leaves that operands name: paths of leaves, groups or subtrees of them; all for none. */
typedef struct traj_leaves {
    struct {
        size_t group, leaf;
    } * items;
    size_t count, cap;
} traj_leaves;
vv_status traj_select(cli_call *call, const vv_traj *traj, char *const *paths,
                      size_t count, traj_leaves *out);
void traj_leaves_clear(traj_leaves *leaves);

/* ---- writing (traj_write.c) ---------------------------------------------------------------- */

/* A directory to write a recording into as Zarr: new, empty, or with a hierarchy in it. */
vv_status traj_open_directory(cli_call *call, const char *path, vv_store **out);
/* VV_EEXISTS: there is such a file, and no --force. */
vv_status traj_check_absent(cli_call *call, const char *path);
/* Print the root, NULL for none. Where JSON is asked for it is the first member of an object, which the caller
 * goes on with and ends: true then. */
bool traj_begin_result(cli_call *call, const vv_cid *root);
/* Say what was transferred, how long it took, and what came out. */
void traj_report_transfer(cli_call *call, const vv_transfer_result *result, uint64_t ms);
/* --codec and --chunk. */
vv_status traj_compression(cli_call *call, vv_compression *out);
/* --rows; all of them where it is not given. */
vv_status traj_row_range(cli_call *call, vv_row_range *out);

#endif
