/* traj tail: the last rows, and those that come. */
#include "out.h"
#include "progress.h"
#include "traj.h"

#include <varvite/zarr.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COLUMNS_MAX  64
#define ELEMENTS_MAX 3 /* of a leaf are shown */
#define WIDTH        13
/* Looks at the file end so often, to see a signal. */
#define LOOK_MS 200

typedef struct column {
    size_t leaf;
    vv_traj_leaf what;
    uint64_t elements, shown; /* of a row */
} column;

typedef struct tail {
    cli_call *call;
    vv_traj *traj;
    size_t group;
    column columns[COLUMNS_MAX];
    size_t count;
    bool has_steps;
    uint64_t printed, told;     /* rows, at all and when rates were told */
    uint64_t begun_ms, told_ms; /* of a clock */
} tail;

static uint64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- which leaves ------------------------------------------------------------------------------ */

static vv_status add_column(tail *self, size_t leaf)
{
    column *to = &self->columns[self->count];

    if (self->count == COLUMNS_MAX)
        return cli_usage(self->call, "more than %d leaves; name some", COLUMNS_MAX);
    vv_status status = vv_traj_leaf_at(self->traj, self->group, leaf, &to->what,
                                       &self->call->err);
    if (status)
        return status;
    to->leaf = leaf;
    to->elements = 1;
    for (uint32_t d = 1; d < to->what.ndim; d++)
        to->elements *= to->what.shape[d];
    to->shown = to->elements < ELEMENTS_MAX ? to->elements : ELEMENTS_MAX;
    self->count++;
    return VV_OK;
}

/* Of a group that nobody named, leaves of few elements; all where there are no such. */
static void drop_large(tail *self)
{
    size_t kept = 0;

    for (size_t i = 0; i < self->count; i++)
        if (self->columns[i].elements <= ELEMENTS_MAX)
            self->columns[kept++] = self->columns[i];
    if (kept)
        self->count = kept;
}

/* The first group with rows, where none is named. */
static vv_status choose(tail *self)
{
    cli_call *call = self->call;
    traj_leaves leaves = { NULL, 0, 0 };
    vv_traj_rows rows = VV_TRAJ_ROWS_INIT;
    size_t groups = vv_traj_get_info(self->traj)->group_count;
    const char *path = NULL;
    vv_status status = VV_OK;

    for (size_t g = 0; g < groups && call->arg_count == 1 && !path; g++)
        if (vv_traj_group_at(self->traj, g)->kind != VV_TRAJ_PLACED &&
            !vv_traj_get_rows(self->traj, g, &rows, NULL) && rows.has_rows)
            path = vv_traj_group_at(self->traj, g)->path;
    if (call->arg_count == 1 && !path)
        return cli_fail(call, VV_ENOTFOUND, "%.200s: no group has rows", call->args[0]);
    char *copy = path ? cli_strdup(path) : NULL;
    status = traj_select(call, self->traj, copy ? &copy : call->args + 1,
                         copy ? 1 : call->arg_count - 1, &leaves);
    free(copy);
    for (size_t i = 0; i < leaves.count && !status; i++) {
        if (i && leaves.items[i].group != self->group)
            status = cli_usage(call, "rows of one group at a time");
        self->group = leaves.items[i].group;
        if (!status)
            status = add_column(self, leaves.items[i].leaf);
    }
    traj_leaves_clear(&leaves);
    if (path)
        drop_large(self);
    if (!status)
        status = vv_traj_get_rows(self->traj, self->group, &rows, &call->err);
    self->has_steps = rows.has_steps;
    if (!status && (!rows.has_rows || !self->count ||
                    vv_traj_group_at(self->traj, self->group)->kind == VV_TRAJ_PLACED))
        status = cli_usage(call, "%.100s has no rows that follow one another",
                           vv_traj_group_at(self->traj, self->group)->path);
    return status;
}

/* ---- rows -------------------------------------------------------------------------------------- */

static const char *name_of(const column *at)
{
    const char *slash = strrchr(at->what.path, '/');

    return slash ? slash + 1 : at->what.path;
}

static void print_head(const tail *self)
{
    out_format("%*s", 10, self->has_steps ? "step" : "row");
    for (size_t i = 0; i < self->count; i++) {
        const column *at = &self->columns[i];
        int width = (int)at->shown * (WIDTH + 1) + (at->shown < at->elements ? 4 : 0);
        out_format("%*s",
                   width - (int)strlen(name_of(at)) > 0 ? width - (int)strlen(name_of(at))
                                                        : 1,
                   "");
        out_name(name_of(at));
    }
    out_text("\n");
}

/* Numbers of a row as text; floats in six digits, unless they are for a program. */
static void format(const column *at, const uint8_t *element, bool exact,
                   char out[TRAJ_TEXT])
{
    double wide;
    float narrow;

    if (at->what.dtype == VV_FLOAT64 && !exact) {
        memcpy(&wide, element, sizeof(wide));
        snprintf(out, TRAJ_TEXT, "%.6g", wide);
    } else if (at->what.dtype == VV_FLOAT32 && !exact) {
        memcpy(&narrow, element, sizeof(narrow));
        snprintf(out, TRAJ_TEXT, "%.6g", (double)narrow);
    } else if (!vv_element_format(at->what.dtype, element, out, TRAJ_TEXT)) {
        snprintf(out, TRAJ_TEXT, "?");
    }
}

static void json_element(const char *key, const column *at, const uint8_t *element)
{
    char text[TRAJ_TEXT];

    format(at, element, true, text);
    char first = text[strspn(text, "-")];
    if (at->what.dtype == VV_BOOL || (first >= '0' && first <= '9'))
        json_raw(key, text, strlen(text));
    else
        json_text(key, text);
}

static void json_values(const column *at, const uint8_t *row)
{
    const char *key = at->what.path;

    if (at->what.ndim > 1)
        json_row(key);
    for (uint64_t e = 0; e < at->elements; e++)
        json_element(at->what.ndim > 1 ? NULL : key, at, row + e * at->what.item_size);
    if (at->what.ndim > 1)
        json_end();
}

static void print_values(const column *at, const uint8_t *row)
{
    char text[TRAJ_TEXT];

    for (uint64_t e = 0; e < at->shown; e++) {
        format(at, row + e * at->what.item_size, false, text);
        out_format(" %*s", WIDTH, text);
    }
    out_text(at->shown < at->elements ? " ..." : "");
}

static void print_row(tail *self, uint64_t row, int64_t step, uint64_t in_batch,
                      const void *const *data)
{
    char text[32];

    if (self->call->json) {
        json_object(NULL);
        json_uint("row", row);
        snprintf(text, sizeof(text), "%" PRId64, step);
        if (self->has_steps)
            json_raw("step", text, strlen(text));
    } else if (self->has_steps) {
        out_format("%10" PRId64, step);
    } else {
        out_format("%10" PRIu64, row);
    }
    for (size_t i = 0; i < self->count; i++) {
        const column *at = &self->columns[i];
        const uint8_t *values = (const uint8_t *)data[i] +
                                in_batch * at->elements * at->what.item_size;
        (self->call->json ? json_values : print_values)(at, values);
    }
    if (self->call->json)
        json_end();
    else
        out_text("\n");
}

static vv_status print_rows(tail *self, uint64_t first, uint64_t stop)
{
    vv_traj_batches *batches;
    const void *const *data;
    size_t leaves[COLUMNS_MAX];
    uint64_t at, count = 1;

    for (size_t i = 0; i < self->count; i++)
        leaves[i] = self->columns[i].leaf;
    vv_status status = vv_traj_batches_new(self->traj, self->group, leaves, self->count,
                                           first, stop, (uint64_t)8 << 20, &batches,
                                           &self->call->err);
    if (status)
        return status;
    while (!status && count && !out_failed()) {
        status = vv_traj_batches_next(batches, &at, &count, &data, &self->call->err);
        int64_t *steps = cli_alloc((size_t)(count ? count : 1) * sizeof(*steps));
        if (!status && self->has_steps)
            status = vv_traj_read_steps(self->traj, self->group, at, count, steps,
                                        &self->call->err);
        for (uint64_t i = 0; i < count && !status && !stop_signal(); i++)
            print_row(self, at + i, self->has_steps ? steps[i] : 0, i, data);
        free(steps);
        if (!status && stop_signal())
            status = VV_ECANCELED;
    }
    vv_traj_batches_free(batches);
    self->printed += stop - first;
    fflush(stdout);
    return out_failed() ? VV_ECANCELED : status;
}

/* ---- following ---------------------------------------------------------------------------------- */

/* Every second, and at the end. */
static void tell_rate(tail *self, bool at_end)
{
    uint64_t now = clock_ms(), since = at_end ? self->begun_ms : self->told_ms;
    uint64_t rows = at_end ? self->printed : self->printed - self->told;

    if (!at_end && now - since < 1000)
        return;
    cli_talk(self->call, "%s, %.1f rows/s", cli_count_text(self->printed, "row"),
             1000.0 * (double)rows / (double)(now > since ? now - since : 1));
    self->told = self->printed;
    self->told_ms = now;
}

/* Leaves were told anew by the file. */
static vv_status renew(tail *self)
{
    vv_status status = VV_OK;

    for (size_t i = 0; i < self->count && !status; i++)
        status = vv_traj_leaf_at(self->traj, self->group, self->columns[i].leaf,
                                 &self->columns[i].what, &self->call->err);
    return status;
}

static vv_status follow(tail *self, uint64_t seen, uint64_t most, double timeout_s)
{
    uint64_t last_ms = clock_ms(), rows = seen;

    self->begun_ms = self->told_ms = last_ms;
    self->printed = 0;
    while (self->printed < most) {
        vv_status status = vv_traj_follow(self->traj, self->group, seen, LOOK_MS, &rows,
                                          &self->call->err);
        if (stop_signal()) {
            tell_rate(self, true);
            return VV_ECANCELED;
        }
        if (status == VV_ETIMEDOUT) {
            if (timeout_s > 0 && (double)(clock_ms() - last_ms) > 1000 * timeout_s)
                break;
            continue;
        }
        if (status == VV_ENOTFOUND)
            break; /* the writer is done */
        if (!status)
            status = renew(self);
        if (!status) {
            if (rows - seen > most - self->printed)
                rows = seen + (most - self->printed);
            status = print_rows(self, seen, rows);
        }
        if (status)
            return status;
        seen = rows;
        last_ms = clock_ms();
        tell_rate(self, false);
    }
    tell_rate(self, true);
    return VV_OK;
}

vv_status cmd_traj_tail(cli_call *call)
{
    tail self = { .call = call };
    vv_traj_rows rows = VV_TRAJ_ROWS_INIT;
    uint64_t lines, most;
    double timeout_s;

    vv_status status = cli_number(call, "lines", 10, UINT64_MAX, &lines);
    if (!status)
        status = cli_number(call, "rows", UINT64_MAX, UINT64_MAX, &most);
    if (!status)
        status = cli_real(call, "timeout", 0, &timeout_s);
    if (!status)
        status = traj_open(call, call->args[0], &self.traj);
    if (!status)
        status = choose(&self);
    if (!status)
        status = vv_traj_get_rows(self.traj, self.group, &rows, &call->err);
    if (!status) {
        uint64_t first = rows.rows > lines ? rows.rows - lines : 0;
        stop_watch();
        if (call->json)
            json_list(NULL);
        else
            print_head(&self);
        status = print_rows(&self, first, rows.rows);
        if (!status && cli_has(call, "follow"))
            status = follow(&self, rows.rows, most, timeout_s);
        if (call->json)
            json_end();
    }
    vv_traj_close(self.traj);
    return status;
}
