/* traj stats: what the values of leaves are, and what they take. */
#include "out.h"
#include "progress.h"
#include "traj.h"

#include <varvite/stats.h>
#include <varvite/zarr.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct stats_call {
    cli_call *call;
    vv_traj *traj;
    vv_store *store; /* the same file, as arrays */
    vv_stats_options options;
    cli_progress progress;
    int width;
} stats_call;

/* A leaf, and why there are no numbers of it. */
typedef struct leaf_stats {
    const char *path, *problem;
    char type[TRAJ_TEXT];
    bool has_rows;
    uint64_t rows;
    const char *filters;
    vv_traj_storage storage;
    vv_stats numbers;
    vv_error why;
} leaf_stats;

/* ---- looking ---------------------------------------------------------------------------------- */

/* The numbers of a leaf. Places that were never written are NaN where the type has it. */
static vv_status read_numbers(stats_call *self, leaf_stats *out)
{
    vv_array *array = NULL;
    vv_status status = vv_array_open(self->store, out->path, &array, &out->why);

    if (!status)
        status = vv_array_stats(array, &self->options, &out->numbers, &out->why);
    vv_array_free(array);
    if (status == VV_ECANCELED || status == VV_EIO || status == VV_ENOMEM)
        return cli_fail(self->call, status, "%s", out->why.message);
    out->problem = status ? out->why.message : NULL;
    return VV_OK;
}

static vv_status look_at(stats_call *self, size_t group, size_t number, leaf_stats *out)
{
    const vv_traj_group *in = vv_traj_group_at(self->traj, group);
    vv_traj_rows rows = VV_TRAJ_ROWS_INIT;
    vv_traj_leaf leaf;

    *out = (leaf_stats){ .path = vv_traj_leaf_path(self->traj, group, number),
                         .storage = VV_TRAJ_STORAGE_INIT,
                         .numbers = VV_STATS_INIT,
                         .why = VV_ERROR_INIT };
    vv_status status = vv_traj_get_rows(self->traj, group, &rows, &out->why);
    if (!status)
        status = vv_traj_leaf_at(self->traj, group, number, &leaf, &out->why);
    if (!status)
        status = vv_traj_leaf_storage(self->traj, group, number, &out->storage,
                                      &out->why);
    if (status == VV_EIO || status == VV_ENOMEM)
        return cli_fail(self->call, status, "%s", out->why.message);
    if (status) {
        out->problem = out->why.message;
        return VV_OK;
    }
    out->has_rows = rows.has_rows;
    out->rows = rows.rows;
    out->filters = leaf.filters;
    traj_type(in, &leaf, false, out->type);
    return read_numbers(self, out);
}

/* ---- text -------------------------------------------------------------------------------------- */

static void print_head(const stats_call *self)
{
    out_format("%-*s  %-18s %9s %13s %13s %13s %10s %6s\n", self->width, "leaf", "type",
               "rows", "min", "max", "mean", "stored", "ratio");
}

static void print_number(const leaf_stats *leaf, double number)
{
    if (leaf->numbers.count > leaf->numbers.infinite && !isnan(number))
        out_format(" %13.6g", number);
    else
        out_format(" %13s", "-");
}

static void print_leaf(const stats_call *self, const leaf_stats *leaf)
{
    int pad = self->width - (int)strlen(leaf->path);

    out_name(leaf->path);
    out_format("%*s", pad > 0 ? pad : 0, "");
    if (!*leaf->type) { /* not even this could be read */
        out_text("  ");
        out_name(leaf->problem);
        out_text("\n");
        return;
    }
    out_format("  %-18s ", leaf->type);
    if (leaf->has_rows)
        out_format("%9" PRIu64, leaf->rows);
    else
        out_format("%9s", "-");
    print_number(leaf, leaf->numbers.min);
    print_number(leaf, leaf->numbers.max);
    print_number(leaf, leaf->numbers.mean);
    out_format(" %10s", cli_bytes_text(leaf->storage.stored_bytes));
    if (leaf->storage.stored_bytes)
        out_format(" %6.2f",
                   (double)leaf->storage.raw_bytes / (double)leaf->storage.stored_bytes);
    out_text("\n");
    if (leaf->numbers.nan)
        out_format("%*s  %" PRIu64 " of %" PRIu64 " are NaN\n", self->width, "",
                   leaf->numbers.nan, leaf->numbers.elements);
    if (leaf->problem) {
        out_format("%*s  no numbers: ", self->width, "");
        out_name(leaf->problem);
        out_text("\n");
    }
}

/* ---- JSON -------------------------------------------------------------------------------------- */

static void json_number(const char *key, double number)
{
    char text[64];

    if (!isfinite(number)) {
        json_text(key, NULL);
        return;
    }
    vv_element_format(VV_FLOAT64, &number, text, sizeof(text));
    json_raw(key, text, strlen(text));
}

static void json_leaf(const leaf_stats *leaf)
{
    json_object(NULL);
    json_text("path", leaf->path);
    if (leaf->problem)
        json_text("error", leaf->problem);
    if (*leaf->type) {
        json_text("type", leaf->type);
        if (leaf->has_rows)
            json_uint("rows", leaf->rows);
        json_text("filters", leaf->filters);
        json_uint("raw_bytes", leaf->storage.raw_bytes);
        json_uint("stored_bytes", leaf->storage.stored_bytes);
        json_uint("chunks", leaf->storage.chunks);
        json_uint("absent_chunks", leaf->storage.absent);
    }
    if (!leaf->problem) {
        json_number("min", leaf->numbers.min);
        json_number("max", leaf->numbers.max);
        json_number("mean", leaf->numbers.mean);
        json_number("stddev", leaf->numbers.stddev);
        json_uint("elements", leaf->numbers.elements);
        json_uint("nan", leaf->numbers.nan);
        json_uint("infinite", leaf->numbers.infinite);
    }
    json_end();
}

/* ------------------------------------------------------------------------------------------------ */

static vv_status look_at_all(stats_call *self, const traj_leaves *leaves)
{
    vv_status status = VV_OK;

    self->width = 4;
    for (size_t i = 0; i < leaves->count; i++) {
        const char *path = vv_traj_leaf_path(self->traj, leaves->items[i].group,
                                             leaves->items[i].leaf);
        if ((int)strlen(path) > self->width && strlen(path) < 40)
            self->width = (int)strlen(path);
    }
    if (self->call->json)
        json_list(NULL);
    else
        print_head(self);
    for (size_t i = 0; i < leaves->count && !status && !out_failed(); i++) {
        leaf_stats leaf;
        progress_begin(&self->progress, self->call, "stats");
        status = look_at(self, leaves->items[i].group, leaves->items[i].leaf, &leaf);
        progress_hide();
        if (!status && self->call->json)
            json_leaf(&leaf);
        else if (!status)
            print_leaf(self, &leaf);
    }
    if (self->call->json)
        json_end();
    return status;
}

vv_status cmd_traj_stats(cli_call *call)
{
    stats_call self = { .call = call, .options = VV_STATS_OPTIONS_INIT };
    traj_leaves leaves = { NULL, 0, 0 };

    self.options.progress = progress_tick;
    self.options.ctx = &self.progress;
    vv_status status = traj_open(call, call->args[0], &self.traj);
    if (!status)
        status = vv_traj_store_open(call->args[0], &self.store, &call->err);
    if (!status)
        status = traj_select(call, self.traj, call->args + 1, call->arg_count - 1,
                             &leaves);
    if (!status)
        status = look_at_all(&self, &leaves);
    traj_leaves_clear(&leaves);
    vv_store_free(self.store);
    vv_traj_close(self.traj);
    return status;
}
