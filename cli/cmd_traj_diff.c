/* traj diff: leaves and rows that two files do not have in common. */
#include "out.h"
#include "progress.h"
#include "traj.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES ((uint64_t)16 << 20)

typedef struct differing {
    cli_call *call;
    vv_traj *files[2];
    uint64_t differences, same;
} differing;

/* What of a leaf differs; NULL: nothing. */
typedef struct finding {
    const char *what;
    char text[300];
    uint64_t rows, first; /* that differ, and the first of them */
} finding;

static vv_status report(differing *self, const char *path, const char *what,
                        const finding *rows)
{
    self->differences++;
    if (self->call->json) {
        json_object(NULL);
        json_text("path", path);
        json_text("what", what);
        if (rows) {
            json_uint("rows", rows->rows);
            json_uint("first_row", rows->first);
        }
        json_end();
    } else {
        out_name(path);
        out_text(": ");
        out_name(what);
        out_text("\n");
    }
    return out_failed() ? VV_ECANCELED : VV_OK;
}

/* ---- one leaf ----------------------------------------------------------------------------------- */

/* Compare rows first to first + count of both; elements that lie in one run a row. */
static vv_status compare_piece(differing *self, const size_t place[2][2],
                               const vv_traj_leaf *leaf, uint64_t first, uint64_t count,
                               size_t row_bytes, uint8_t *room, finding *out)
{
    uint64_t start[VV_TRAJ_NDIM_MAX] = { 0 }, n[VV_TRAJ_NDIM_MAX];
    size_t bytes = (size_t)count * row_bytes;

    memcpy(n, leaf->shape, leaf->ndim * sizeof(*n));
    start[0] = first;
    n[0] = count;
    for (int i = 0; i < 2; i++) {
        vv_status status = vv_traj_read(self->files[i], place[i][0], place[i][1], start,
                                        n, NULL, room + (size_t)i * bytes, bytes,
                                        &self->call->err);
        if (status)
            return status;
    }
    if (memcmp(room, room + bytes, bytes) == 0)
        return VV_OK;
    for (uint64_t r = 0; r < count; r++)
        if (memcmp(room + r * row_bytes, room + bytes + r * row_bytes, row_bytes) != 0 &&
            out->rows++ == 0)
            out->first = first + r;
    return VV_OK;
}

static vv_status compare_rows(differing *self, const size_t place[2][2],
                              const vv_traj_leaf *leaf, uint64_t rows, finding *out)
{
    uint64_t row_bytes = leaf->item_size;
    vv_status status = VV_OK;

    for (uint32_t d = 1; d < leaf->ndim; d++)
        row_bytes *= leaf->shape[d];
    uint64_t at_once = row_bytes && row_bytes < PIECE_BYTES ? PIECE_BYTES / row_bytes : 1;
    if (leaf->chunk && at_once > leaf->chunk[0])
        at_once -= at_once % leaf->chunk[0];
    if (at_once > rows)
        at_once = rows ? rows : 1;
    uint8_t *room = cli_alloc((size_t)(2 * at_once * row_bytes + 1));
    for (uint64_t at = 0; at < rows && row_bytes && !status; at += at_once) {
        status = compare_piece(self, place, leaf, at,
                               rows - at < at_once ? rows - at : at_once,
                               (size_t)row_bytes, room, out);
        if (!status && stop_signal())
            status = VV_ECANCELED;
    }
    free(room);
    return status;
}

/* Of rows that differ: how many, and the first with its step. */
static void describe_rows(differing *self, size_t group, const vv_traj_leaf *leaf,
                          uint64_t rows, finding *out)
{
    int64_t step;

    if (leaf->ndim == 0) {
        snprintf(out->text, sizeof(out->text), "another value");
    } else {
        size_t len = (size_t)snprintf(out->text, sizeof(out->text),
                                      "%" PRIu64 " of %" PRIu64
                                      " rows differ, the first is row %" PRIu64,
                                      out->rows, rows, out->first);
        if (!vv_traj_read_steps(self->files[0], group, out->first, 1, &step, NULL))
            snprintf(out->text + len, sizeof(out->text) - len, ", step %" PRId64, step);
    }
    out->what = out->text;
}

static vv_status compare_leaf(differing *self, const size_t place[2][2], const char *path)
{
    char types[2][TRAJ_TEXT];
    vv_traj_leaf leaves[2];
    finding found = { .what = NULL };

    for (int i = 0; i < 2; i++) {
        vv_status status = vv_traj_leaf_at(self->files[i], place[i][0], place[i][1],
                                           &leaves[i], &self->call->err);
        if (status)
            return status;
        traj_type(vv_traj_group_at(self->files[i], place[i][0]), &leaves[i], true,
                  types[i]);
    }
    uint64_t rows[2] = { leaves[0].ndim ? leaves[0].shape[0] : 1,
                         leaves[1].ndim ? leaves[1].shape[0] : 1 };
    bool alike = leaves[0].dtype == leaves[1].dtype &&
                 leaves[0].item_size == leaves[1].item_size &&
                 leaves[0].ndim == leaves[1].ndim;
    for (uint32_t d = 1; alike && d < leaves[0].ndim; d++)
        alike = leaves[0].shape[d] == leaves[1].shape[d];
    if (!alike) {
        snprintf(found.text, sizeof(found.text), "%s, and %s", types[0], types[1]);
        return report(self, path, found.text, NULL);
    }
    vv_status status = compare_rows(self, place, &leaves[0],
                                    rows[0] < rows[1] ? rows[0] : rows[1], &found);
    if (!status && found.rows) {
        describe_rows(self, place[0][0], &leaves[0],
                      rows[0] < rows[1] ? rows[0] : rows[1], &found);
        status = report(self, path, found.what, &found);
    }
    if (!status && rows[0] != rows[1]) {
        snprintf(found.text, sizeof(found.text), "%" PRIu64 " rows, and %" PRIu64,
                 rows[0], rows[1]);
        status = report(self, path, found.text, NULL);
    }
    self->same += !status && !found.rows && rows[0] == rows[1];
    return status;
}

/* ---- all ---------------------------------------------------------------------------------------- */

/* Steps of groups of one path, which are data of their own. */
static vv_status compare_steps(differing *self, size_t a, size_t b)
{
    vv_traj_rows rows[2] = { VV_TRAJ_ROWS_INIT, VV_TRAJ_ROWS_INIT };
    uint64_t n, same = 0;
    int64_t steps[2][512];
    char text[200];

    for (int i = 0; i < 2; i++) {
        vv_status status = vv_traj_get_rows(self->files[i], i ? b : a, &rows[i],
                                            &self->call->err);
        if (status)
            return status;
    }
    if (!rows[0].has_steps || !rows[1].has_steps)
        return VV_OK;
    n = rows[0].rows < rows[1].rows ? rows[0].rows : rows[1].rows;
    while (same < n) {
        uint64_t count = n - same < 512 ? n - same : 512, i = 0;
        for (int f = 0; f < 2; f++) {
            vv_status status = vv_traj_read_steps(self->files[f], f ? b : a, same, count,
                                                  steps[f], &self->call->err);
            if (status)
                return status;
        }
        while (i < count && steps[0][i] == steps[1][i])
            i++;
        same += i;
        if (i == count)
            continue;
        snprintf(text, sizeof(text),
                 "row %" PRIu64 " is of step %" PRId64 ", and %" PRId64, same,
                 steps[0][i], steps[1][i]);
        return report(self, vv_traj_group_at(self->files[0], a)->path, text, NULL);
    }
    return VV_OK;
}

/* Which places were written, of groups of one path. */
static vv_status compare_places(differing *self, size_t a, size_t b)
{
    const vv_traj_group *in[2] = { vv_traj_group_at(self->files[0], a),
                                   vv_traj_group_at(self->files[1], b) };
    uint64_t places[2] = { 1, 1 }, unlike = 0;
    uint8_t *written[2] = { NULL, NULL };
    vv_status status = VV_OK;
    char text[100];

    if (in[0]->kind != VV_TRAJ_PLACED || in[1]->kind != VV_TRAJ_PLACED)
        return VV_OK;
    for (int i = 0; i < 2 && !status; i++) {
        for (uint32_t d = 0; d < in[i]->extent_ndim; d++)
            places[i] *= in[i]->extent[d];
        written[i] = cli_alloc((size_t)places[i] + 1);
        status = vv_traj_read_written(self->files[i], i ? b : a, written[i],
                                      (size_t)places[i], &self->call->err);
    }
    for (uint64_t i = 0; i < places[0] && places[0] == places[1] && !status; i++)
        unlike += !written[0][i] != !written[1][i];
    if (unlike) {
        snprintf(text, sizeof(text),
                 "%" PRIu64 " of %" PRIu64 " places were written in one of them only",
                 unlike, places[0]);
        status = report(self, in[0]->path, text, NULL);
    }
    free(written[0]);
    free(written[1]);
    return status;
}

static vv_status compare_group(differing *self, size_t group)
{
    const vv_traj_group *in = vv_traj_group_at(self->files[0], group);
    size_t other;
    vv_status status = VV_OK;

    if (vv_traj_find(self->files[1], in->path, &other, NULL, NULL))
        return report(self, in->path, "only in the first file", NULL);
    status = compare_steps(self, group, other);
    if (!status)
        status = compare_places(self, group, other);
    for (size_t i = 0; i < in->leaf_count && !status; i++) {
        const char *path = vv_traj_leaf_path(self->files[0], group, i);
        size_t place[2][2] = { { group, i }, { 0, 0 } };
        if (vv_traj_find(self->files[1], path, &place[1][0], &place[1][1], NULL) ||
            place[1][1] == SIZE_MAX)
            status = report(self, path, "only in the first file", NULL);
        else
            status = compare_leaf(self, (const size_t(*)[2])place, path);
    }
    return status;
}

/* What only the second file has. */
static vv_status find_added(differing *self)
{
    vv_status status = VV_OK;
    size_t group, leaf;

    for (size_t g = 0; g < vv_traj_get_info(self->files[1])->group_count && !status;
         g++) {
        const char *path = vv_traj_group_at(self->files[1], g)->path;
        if (vv_traj_find(self->files[0], path, &group, NULL, NULL)) {
            status = report(self, path, "only in the second file", NULL);
            continue;
        }
        for (size_t i = 0; (path = vv_traj_leaf_path(self->files[1], g, i)) && !status;
             i++)
            if (vv_traj_find(self->files[0], path, &group, &leaf, NULL))
                status = report(self, path, "only in the second file", NULL);
    }
    return status;
}

vv_status cmd_traj_diff(cli_call *call)
{
    differing self = { .call = call };
    vv_status status = traj_open(call, call->args[0], &self.files[0]);

    if (!status)
        status = traj_open(call, call->args[1], &self.files[1]);
    if (!status) {
        stop_watch();
        if (call->json)
            json_list(NULL);
        for (size_t g = 0; g < vv_traj_get_info(self.files[0])->group_count && !status;
             g++)
            status = compare_group(&self, g);
        if (!status)
            status = find_added(&self);
        if (call->json)
            json_end();
    }
    if (!status && self.differences)
        status = cli_fail(call, VV_ENOTFOUND, "%s",
                          cli_count_text(self.differences, "difference"));
    else if (!status && !call->json)
        out_format("same: %" PRIu64 " leaves\n", self.same);
    vv_traj_close(self.files[0]);
    vv_traj_close(self.files[1]);
    return status;
}
