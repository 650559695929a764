/* Going on with a recording. */
#include "hdf5/journal.h"
#include "hdf5/repair.h"
#include "hdf5/sink.h"

#include "h5/h5.h"
#include "recorder/same.h"
#include "recorder/schema.h"
#include "util/alloc.h"
#include "util/buf.h"
#include "json/json.h"

#include <varvite/trajectory.h>

#include <stdlib.h>
#include <string.h>

/* Steps that are looked at at once. */
#define STEPS_AT_ONCE 8192

typedef struct resuming {
    const char *path;
    vv_traj *traj;
    vvi_json *said;    /* the file's schema */
    vv_schema *made;   /* of what the file says */
    vv_schema *schema; /* a copy of it or of the caller's */
    vvi_plan plan;
    vvi_resume resume;
    size_t group_count;
    size_t
        *leaf_counts; /* of each group: the plan is the recorder's when tails are freed */
    bool *cut;        /* of each group: rows go */
    size_t *groups;   /* of each group of the plan: its number in traj */
    vvi_hdf5_file *file;
    vvi_hdf5_sink *sink;
    char id[VVI_HDF5_ID];
} resuming;

static void clear(resuming *self)
{
    vv_traj_close(self->traj);
    vvi_json_free(self->said);
    for (size_t g = 0; self->resume.tails && g < self->group_count; g++) {
        for (size_t i = 0; self->resume.tails[g] && i < self->leaf_counts[g]; i++)
            vvi_free(self->resume.tails[g][i]);
        vvi_free(self->resume.tails[g]);
    }
    vvi_free(self->resume.tails);
    vvi_free(self->resume.rows);
    vvi_free(self->leaf_counts);
    vvi_free(self->cut);
    vvi_free(self->groups);
    if (self->sink) {
        self->sink->base.ops->free(&self->sink->base, false);
    } else if (self->file) {
        vvi_hdf5_file_free(self->file);
    }
    vvi_plan_clear(&self->plan);
    vv_schema_free(self->schema);
    vv_schema_free(self->made);
}

/* ---- the file's schema --------------------------------------------------------------------- */

static vv_status read_said(resuming *self, vv_error *err)
{
    vvi_h5_dataset *dataset = NULL;
    vv_buf text = VV_BUF_INIT;
    vvi_h5 *file = NULL;
    uint64_t address;
    vv_status status = vvi_h5_open(self->path, &file, err);

    if (!status)
        status = vvi_h5_find(file, vvi_h5_get_info(file)->root, VVI_HDF5_SCHEMA, &address,
                             err);
    if (!status)
        status = vvi_h5_dataset_open(file, address, &dataset, err);
    if (!status) {
        size_t len = vvi_h5_dataset_get_info(dataset)->type.item;

        status = len <= VVI_JSON_BYTES_MAX
                     ? vvi_buf_reserve(&text, len, err)
                     : vvi_fail(err, VV_ELIMIT, "a schema of %zu bytes", len);
        if (!status)
            status = vvi_h5_read(dataset, NULL, NULL, NULL, text.data, len, err);
        if (!status)
            status = vvi_json_parse(vvi_bytes(text.data, strnlen((char *)text.data, len)),
                                    &self->said, err);
    }
    vv_buf_clear(&text);
    vvi_h5_dataset_free(dataset);
    vvi_h5_close(file);
    return status;
}

static vvi_json *group_named(const vvi_json *schema, const char *name)
{
    vvi_json *list = vvi_json_get(schema, "groups");

    for (vvi_json *group = vvi_json_first(list); group; group = vvi_json_next(group))
        if (vvi_json_is_text(vvi_json_get(group, "name"), name))
            return group;
    return NULL;
}

static vvi_json *said_group(const resuming *self, const char *name)
{
    return group_named(self->said, name);
}

static vv_compression said_compression(const vvi_json *group)
{
    const vvi_json *said = vvi_json_get(group, "compression");
    vv_compression out = { .codec = VV_COMPRESS_NONE };
    bool shuffle = true;
    int64_t level = 0;

    for (int codec = VV_COMPRESS_NONE; codec <= VV_COMPRESS_BLOSC; codec++)
        if (vvi_json_is_text(vvi_json_get(said, "codec"),
                             vvi_hdf5_codec_name((vv_compression_codec)codec)))
            out.codec = (vv_compression_codec)codec;
    (void)vvi_json_int64(vvi_json_get(said, "level"), &level);
    (void)vvi_json_bool(vvi_json_get(said, "shuffle"), &shuffle);
    out.level = level >= INT32_MIN && level <= INT32_MAX ? (int32_t)level : 0;
    out.no_shuffle = !shuffle;
    return out;
}

/*
 * The key of a group in a configuration that is a dict of groups, as a schema makes of the groups that are added to
 * it; the key of a lone group is empty. NULL: it is another tree, whose leaves are the groups in their order.
 */
static const char *key_of(const resuming *self, const char *name)
{
    const vv_tree *config = vv_traj_get_info(self->traj)->config;
    const vvi_json *said = vvi_json_get(self->said, "config");
    const vvi_json *child = vvi_json_first(vvi_json_get(said, "children"));
    const char *key = NULL;
    size_t i = 0;

    if (vvi_json_is_text(vvi_json_get(said, "kind"), "leaf"))
        return "";
    if (!vvi_json_is_text(vvi_json_get(said, "kind"), "dict"))
        return NULL;
    for (const vvi_json *at = vvi_json_first(vvi_json_get(said, "keys")); at && child;
         at = vvi_json_next(at), child = vvi_json_next(child), i++) {
        const char *leaf = vv_tree_leaf_name(config, i);

        if (!vvi_json_text(at, NULL) ||
            !vvi_json_is_text(vvi_json_get(child, "kind"), "leaf") || !leaf)
            return NULL;
        if (strncmp(name, "group", 5) == 0 && strcmp(name + 5, leaf) == 0)
            key = vvi_json_text(at, NULL);
    }
    return key;
}

/* Which number the caller gave each leaf of the tree. */
static vv_status read_given(const vvi_json *leaves, size_t count, size_t *out,
                            vv_error *err)
{
    const vvi_json *leaf = vvi_json_first(leaves);

    for (size_t i = 0; i < count; i++) {
        uint64_t number;

        if (!vvi_json_uint64(vvi_json_get(leaf, "number"), &number) || number >= count)
            return vvi_fail(err, VV_ECORRUPT, "leaves without numbers");
        out[i] = (size_t)number;
        for (size_t before = 0; before < i; before++)
            if (out[before] == out[i])
                return vvi_fail(err, VV_ECORRUPT, "two leaves of number %zu", out[i]);
        leaf = vvi_json_next(leaf);
    }
    return VV_OK;
}

/* Shapes of values, without the dimensions of rows. */
static vv_status set_leaves(resuming *self, size_t group, const vv_traj_group *there,
                            size_t g, vv_error *err)
{
    size_t count = there->leaf_count;
    uint32_t lead = there->kind == VV_TRAJ_ROWS;
    vv_leaf_type *types = vvi_alloc_array_zero(count, sizeof(*types));
    size_t *given = vvi_alloc_array_zero(count, sizeof(*given));
    const vvi_json *said = said_group(self, there->name);
    vv_buf text = VV_BUF_INIT;
    vv_tree *tree = NULL;
    vv_status status = types && given ? VV_OK : vvi_fail_nomem(err, count);

    if (!status)
        status = read_given(vvi_json_get(said, "leaves"), count, given, err);
    for (size_t i = 0; i < count && !status; i++) {
        vv_traj_leaf leaf;

        status = vv_traj_leaf_at(self->traj, g, i, &leaf, err);
        if (!status)
            types[given[i]] = (vv_leaf_type){
                .dtype = leaf.dtype,
                .item_size = leaf.dtype == VV_RAW ? leaf.item_size : 0,
                .ndim = leaf.ndim - lead,
                .shape = leaf.shape + lead,
                .units = leaf.units,
            };
    }
    if (!status)
        status = vv_tree_to_json(there->tree, &text, err);
    if (!status)
        status = vv_tree_from_json((const char *)text.data, &tree, err);
    if (!status) {
        status = vvi_schema_take_tree(self->made, group, tree, given, types, count, err);
        given = NULL;
    }
    vv_buf_clear(&text);
    vvi_free(given);
    vvi_free(types);
    return status;
}

static vv_status add_group(resuming *self, size_t g, bool keyed, vv_error *err)
{
    const vv_traj_group *group = vv_traj_group_at(self->traj, g);
    vv_compression compression = said_compression(said_group(self, group->name));
    const char *key = keyed ? key_of(self, group->name) : NULL;
    char number[32];
    vv_status status;
    size_t added;

    if (group->kind == VV_TRAJ_PLACED)
        return vvi_fail(
            err, VV_EINVAL,
            "group '%s' has a frequency of the caller's, whose functions are needed",
            group->name);
    snprintf(number, sizeof(number), "%zu", g); /* until the configuration names it */
    VVI_TRY(vv_schema_add_group(self->made, key ? key : number,
                                (vv_frequency){ .every = group->every }, &compression,
                                &added, err));
    status = set_leaves(self, added, group, g, err);
    return status ? vvi_wrap(err, status, "group '%s'", group->name) : VV_OK;
}

static vv_status schema_of_file(resuming *self, vv_error *err)
{
    const vv_traj_info *info = vv_traj_get_info(self->traj);
    bool keyed = true;

    if (!info->config)
        return vvi_fail(err, VV_ECORRUPT, "%s: no configuration", self->path);
    VVI_TRY(vv_schema_new(&self->made, err));
    for (size_t g = 0; g < info->group_count; g++)
        keyed &= key_of(self, vv_traj_group_at(self->traj, g)->name) != NULL;
    for (size_t g = 0; g < info->group_count; g++)
        VVI_TRY(add_group(self, g, keyed, err));
    return keyed ? VV_OK : vv_schema_set_config(self->made, info->config, err);
}

/* ---- is the plan what the file holds? ------------------------------------------------------ */

static bool same_json(const vvi_json *a, const vvi_json *b, vv_status *status)
{
    vv_buf x = VV_BUF_INIT, y = VV_BUF_INIT;
    bool same;

    if (!*status)
        *status = a && b ? vvi_json_write(a, 0, &x, NULL) : VV_OK;
    if (!*status)
        *status = a && b ? vvi_json_write(b, 0, &y, NULL) : VV_OK;
    same = a && b && vvi_bytes_equal(vvi_buf_bytes(&x), vvi_buf_bytes(&y));
    vv_buf_clear(&x);
    vv_buf_clear(&y);
    return same;
}

/* Who numbers leaves otherwise records the same. */
static void forget_numbers(vvi_json *schema)
{
    for (vvi_json *group = vvi_json_first(vvi_json_get(schema, "groups")); group;
         group = vvi_json_next(group))
        for (vvi_json *leaf = vvi_json_first(vvi_json_get(group, "leaves")); leaf;
             leaf = vvi_json_next(leaf))
            vvi_json_remove(leaf, "number");
}

/* The members that the caller's schema and the file's must have in common. */
static vv_status compare(resuming *self, vv_error *err)
{
    static const char *const members[] = { "frequency", "leaves", "tree" };
    char recording[VVI_HDF5_ID + 1] = "";
    vvi_json *mine = NULL, *there = NULL;
    vv_buf text = VV_BUF_INIT;
    vv_status status;

    memset(recording, '0', VVI_HDF5_ID);
    status = vvi_hdf5_schema_text(&self->plan, recording, &text, err);
    if (!status)
        status = vvi_json_parse(vv_bytes_of((const char *)text.data), &mine, err);
    vv_buf_clear(&text);
    if (!status)
        status = vvi_json_copy(self->said, &there, err);
    forget_numbers(mine);
    forget_numbers(there);
    if (!status && vvi_json_count(vvi_json_get(mine, "groups")) !=
                       vvi_json_count(vvi_json_get(self->said, "groups")))
        status = vvi_fail(err, VV_EINVAL, "%s: %zu groups, and %zu in the schema",
                          self->path, vvi_json_count(vvi_json_get(self->said, "groups")),
                          vvi_json_count(vvi_json_get(mine, "groups")));
    for (const vvi_json *group = vvi_json_first(vvi_json_get(mine, "groups"));
         group && !status; group = vvi_json_next(group)) {
        const char *name = vvi_json_text(vvi_json_get(group, "name"), NULL);
        const vvi_json *other = group_named(there, name);

        if (!other)
            status = vvi_fail(err, VV_EINVAL, "%s: no group '%s'", self->path, name);
        for (size_t i = 0; i < 3 && !status; i++)
            if (!same_json(vvi_json_get(group, members[i]),
                           vvi_json_get(other, members[i]), &status) &&
                !status)
                status = vvi_fail(err, VV_EINVAL,
                                  "%s: group '%s': the schema has another '%s'",
                                  self->path, name, members[i]);
    }
    if (!status &&
        !same_json(vvi_json_get(mine, "config"), vvi_json_get(self->said, "config"),
                   &status) &&
        !status)
        status = vvi_fail(err, VV_EINVAL, "%s: the schema has another configuration",
                          self->path);
    vvi_json_free(mine);
    vvi_json_free(there);
    return status == VV_ENOMEM ? vvi_fail_nomem(err, 0) : status;
}

/* Filters as this build would make them, so that chunks can be encoded as the file says. */
static bool same_filters(const vvi_h5_dataset_info *info,
                         const vvi_hdf5_pipeline *pipeline)
{
    static const uint16_t ids[] = {
        0, 0, VVI_HDF5_ZSTD, VVI_HDF5_DEFLATE, VVI_HDF5_LZF, VVI_HDF5_BLOSC
    };
    uint16_t want[3];
    uint32_t n = 0;

    if (pipeline->shuffle)
        want[n++] = VVI_HDF5_SHUFFLE;
    if (pipeline->compression.codec != VV_COMPRESS_NONE)
        want[n++] = ids[pipeline->compression.codec];
    if (pipeline->checksum)
        want[n++] = VVI_HDF5_FLETCHER32;
    if (info->filter_count != n)
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (info->filters[i].id != want[i])
            return false;
    return !pipeline->shuffle || (info->filters[0].value_count > 0 &&
                                  info->filters[0].values[0] == pipeline->item);
}

static vv_status check_dataset(const vvi_plan *plan, const vvi_plan_group *group,
                               vvi_plan_leaf *leaf, const vvi_h5_dataset_info *info,
                               vv_error *err)
{
    bool rows = group->kind == VVI_GROUP_ROWS;
    uint32_t lead = rows ? 1 : group->extent_ndim;
    vvi_hdf5_pipeline pipeline;

    if (info->space.rank != lead + leaf->ndim || info->type.item != leaf->dtype.item)
        return vvi_fail(err, VV_ECORRUPT, "another shape or type than the schema says");
    for (uint32_t d = 0; d < info->space.rank; d++) {
        uint64_t want = d >= lead ? leaf->shape[d - lead]
                        : rows    ? info->space.dims[0]
                                  : group->extent[d];

        if (info->space.dims[d] != want)
            return vvi_fail(err, VV_ECORRUPT, "another shape than the schema says");
        if (info->layout == VVI_H5_CHUNKED && d >= lead &&
            info->chunk[d] != (want ? want : 1))
            return vvi_fail(err, VV_EUNSUPPORTED, "rows in several chunks");
    }
    if (vvi_hdf5_is_chunked(group, leaf) != (info->layout == VVI_H5_CHUNKED))
        return vvi_fail(err, VV_EUNSUPPORTED, "a layout that the recorder does not make");
    if (info->layout != VVI_H5_CHUNKED)
        return VV_OK;
    if (rows && (info->space.max[0] != VVI_H5_NONE || !info->chunk[0] ||
                 info->index != VVI_H5_EXTENSIBLE_ARRAY))
        return vvi_fail(err, VV_EUNSUPPORTED, "a layout that the recorder does not make");
    if (rows)
        leaf->chunk_rows = info->chunk[0];
    vvi_hdf5_leaf_pipeline(plan, group, leaf, NULL, &pipeline);
    return same_filters(info, &pipeline)
               ? VV_OK
               : vvi_fail(err, VV_EUNSUPPORTED, "filters that the recorder does not use");
}

/* libhdf5 will open these data sets: they must be what the recorder makes. */
static vv_status check_datasets(resuming *self, vv_error *err)
{
    vvi_h5 *file = NULL;
    vv_status status = vvi_h5_open(self->path, &file, err);

    for (size_t g = 0; g < self->plan.group_count && !status; g++) {
        vvi_plan_group *group = &self->plan.groups[g];

        for (size_t i = 0; i < group->leaf_count && !status; i++) {
            vvi_h5_dataset *dataset = NULL;
            uint64_t address;

            status = vvi_h5_find(file, vvi_h5_get_info(file)->root, group->name, &address,
                                 err);
            if (!status)
                status = vvi_h5_find(file, address, group->leaves[i].name, &address, err);
            if (!status)
                status = vvi_h5_dataset_open(file, address, &dataset, err);
            if (!status)
                status = check_dataset(&self->plan, group, &group->leaves[i],
                                       vvi_h5_dataset_get_info(dataset), err);
            if (status)
                vvi_wrap(err, status, "%s: group '%s', leaf '%s'", self->path,
                         group->name, group->leaves[i].name);
            vvi_h5_dataset_free(dataset);
        }
    }
    vvi_h5_close(file);
    return status;
}

static vv_status take_units(resuming *self, vv_error *err)
{
    for (size_t g = 0; g < self->schema->count; g++) {
        vvi_schema_group *group = &self->schema->groups[g];
        size_t there, number;
        vv_traj_leaf leaf;

        if (!vv_traj_group_by_name(self->traj, group->name, &there))
            continue; /* which the comparison told of */
        for (size_t i = 0; i < group->count; i++) {
            if (!vv_traj_leaf_by_name(self->traj, there, group->leaves[i].name, &number))
                continue;
            VVI_TRY(vv_traj_leaf_at(self->traj, there, number, &leaf, err));
            VVI_TRY(vvi_schema_same_units(group, &group->leaves[i], leaf.units, err));
        }
    }
    return VV_OK;
}

static vv_status make_plan(resuming *self, const vv_schema *given,
                           const vv_recorder_options *options, vv_error *err)
{
    bool checksum = false;

    if (!given)
        VVI_TRY(schema_of_file(self, err));
    VVI_TRY(vvi_schema_copy(given ? given : self->made, &self->schema, err));
    VVI_TRY(vvi_recorder_plan(self->schema, options, &self->plan, err));
    VVI_TRY(compare(self, err));
    if (given)
        VVI_TRY(take_units(self, err));
    (void)vvi_json_bool(vvi_json_get(self->said, "checksum"), &checksum);
    self->plan.options.checksum = checksum;
    for (size_t g = 0; g < self->plan.group_count; g++)
        self->plan.groups[g].compression = said_compression(
            said_group(self, self->plan.groups[g].name));
    return check_datasets(self, err);
}

/* ---- where it stands ----------------------------------------------------------------------- */

/* Rows of the group whose step is below next_step. */
static vv_status find_rows(resuming *self, size_t g, int64_t next_step, vv_error *err)
{
    const vvi_plan_group *group = &self->plan.groups[g];
    vv_traj_rows there = VV_TRAJ_ROWS_INIT;
    uint64_t keep;

    VVI_TRY(vv_traj_get_rows(self->traj, self->groups[g], &there, err));
    keep = group->kind == VVI_GROUP_PLACED ? there.written : there.rows;
    if (group->kind == VVI_GROUP_ONCE && next_step <= 0)
        keep = 0;
    if (group->kind == VVI_GROUP_ROWS && there.rows)
        VVI_TRY(vv_traj_row_of_step(self->traj, self->groups[g], next_step, &keep, err));
    self->cut[g] = group->kind == VVI_GROUP_ROWS && keep < there.rows;
    self->resume.rows[g] = keep;
    return VV_OK;
}

static vv_status read_tail(resuming *self, size_t g, size_t i, uint64_t first,
                           uint64_t count, void *out, vv_error *err)
{
    const vvi_plan_group *group = &self->plan.groups[g];
    const vvi_plan_leaf *leaf = &group->leaves[i];
    uint64_t start[VV_TRAJ_NDIM_MAX] = { first };
    uint64_t n[VV_TRAJ_NDIM_MAX] = { count };
    size_t number;

    if (i + 1 == group->leaf_count)
        return vv_traj_read_steps(self->traj, self->groups[g], first, count, out, err);
    if (!vv_traj_leaf_by_name(self->traj, self->groups[g], leaf->name, &number))
        return vvi_fail(err, VV_ECORRUPT, "%s: no leaf '%s'", self->path, leaf->name);
    for (uint32_t d = 0; d < leaf->ndim; d++)
        n[1 + d] = leaf->shape[d];
    return vv_traj_read(self->traj, self->groups[g], number, start, n, NULL, out,
                        (size_t)count * leaf->row_bytes, err);
}

static vv_status read_tails(resuming *self, size_t g, vv_error *err)
{
    const vvi_plan_group *group = &self->plan.groups[g];
    void **tails;

    if (group->kind != VVI_GROUP_ROWS)
        return VV_OK;
    tails = vvi_alloc_array_zero(group->leaf_count, sizeof(*tails));
    self->resume.tails[g] = tails;
    if (!tails)
        return vvi_fail_nomem(err, group->leaf_count * sizeof(*tails));
    for (size_t i = 0; i < group->leaf_count; i++) {
        const vvi_plan_leaf *leaf = &group->leaves[i];
        uint64_t count = self->resume.rows[g] % leaf->chunk_rows;

        if (!count || !leaf->row_bytes)
            continue;
        tails[i] = vvi_alloc_array((size_t)count, leaf->row_bytes);
        if (!tails[i])
            return vvi_fail_nomem(err, (size_t)count * leaf->row_bytes);
        VVI_TRY(
            read_tail(self, g, i, self->resume.rows[g] - count, count, tails[i], err));
    }
    return VV_OK;
}

static vv_status find_place(resuming *self, int64_t next_step, vv_error *err)
{
    const vv_traj_info *info = vv_traj_get_info(self->traj);
    size_t count = self->plan.group_count;

    if (!info->has_next_step)
        return vvi_fail(err, VV_ECORRUPT, "%s: no '%s'", self->path, VVI_HDF5_NEXT_STEP);
    self->resume.next_step = next_step < 0 ? info->next_step : next_step;
    self->resume.rows = vvi_alloc_array_zero(count, sizeof(*self->resume.rows));
    self->resume.tails = vvi_alloc_array_zero(count, sizeof(*self->resume.tails));
    self->cut = vvi_alloc_array_zero(count, sizeof(*self->cut));
    self->groups = vvi_alloc_array_zero(count, sizeof(*self->groups));
    self->leaf_counts = vvi_alloc_array_zero(count, sizeof(*self->leaf_counts));
    if (!self->resume.rows || !self->resume.tails || !self->cut || !self->groups ||
        !self->leaf_counts)
        return vvi_fail_nomem(err, count * sizeof(void *));
    self->group_count = count;
    for (size_t g = 0; g < count; g++)
        self->leaf_counts[g] = self->plan.groups[g].leaf_count;
    for (size_t g = 0; g < count; g++) {
        if (!vv_traj_group_by_name(self->traj, self->plan.groups[g].name,
                                   &self->groups[g]))
            return vvi_fail(err, VV_ECORRUPT, "%s: no group '%s'", self->path,
                            self->plan.groups[g].name);
        VVI_TRY(find_rows(self, g, self->resume.next_step, err));
        VVI_TRY(read_tails(self, g, err));
    }
    return VV_OK;
}

/* ---- cutting ------------------------------------------------------------------------------- */

/* Cut a leaf at the chunk in which its rows end; the tail is put back behind it. */
static vv_status cut_leaf(resuming *self, hid_t in, const vvi_plan_leaf *leaf,
                          uint64_t rows, vv_error *err)
{
    hsize_t dims[H5S_MAX_RANK] = { rows - rows % leaf->chunk_rows };
    hid_t dataset = H5Dopen2(in, leaf->name, H5P_DEFAULT);
    herr_t result = -1;

    for (uint32_t d = 0; d < leaf->ndim; d++)
        dims[1 + d] = leaf->shape[d];
    if (dataset >= 0) {
        result = H5Dset_extent(dataset, dims);
        if (H5Dclose(dataset) < 0)
            result = -1;
    }
    return result < 0 ? vvi_hdf5_fail(self->file, err, "cut leaf '%s'", leaf->name)
                      : VV_OK;
}

/* With the lock held: all that is cut, and what only a closed file has. */
static vv_status cut_file(resuming *self, vv_error *err)
{
    hid_t id = vvi_hdf5_file_enter(self->file, false, false);
    vv_status status = VV_OK;

    if (id < 0)
        return vvi_hdf5_fail(self->file, err, "open %s", self->path);
    if (vvi_hdf5_filters_register() < 0 ||
        (H5Aexists(id, "actual_steps") > 0 && H5Adelete(id, "actual_steps") < 0))
        status = vvi_hdf5_fail(self->file, err, "change %s", self->path);
    for (size_t g = 0; g < self->plan.group_count && !status; g++) {
        const vvi_plan_group *group = &self->plan.groups[g];
        hid_t in;

        if (!self->cut[g])
            continue;
        in = H5Gopen2(id, group->name, H5P_DEFAULT);
        if (in < 0)
            status = vvi_hdf5_fail(self->file, err, "open group '%s'", group->name);
        for (size_t i = 0; i < group->leaf_count && !status; i++)
            status = cut_leaf(self, in, &group->leaves[i], self->resume.rows[g], err);
        if (in >= 0)
            H5Gclose(in);
    }
    return vvi_hdf5_file_end(self->file, id, status, err);
}

/* The rows of unfinished chunks that were cut, back as tails. */
static vv_status put_tails(resuming *self, vv_error *err)
{
    vvi_sink *sink = &self->sink->base;

    for (size_t g = 0; g < self->plan.group_count; g++) {
        const vvi_plan_group *group = &self->plan.groups[g];

        for (size_t i = 0; self->cut[g] && i < group->leaf_count; i++) {
            uint64_t rows = self->resume.rows[g];
            uint64_t count = rows % group->leaves[i].chunk_rows;

            if (self->resume.tails[g][i])
                VVI_TRY(sink->ops->put_tail(sink, g, i,
                                            rows / group->leaves[i].chunk_rows,
                                            self->resume.tails[g][i], 0, count, err));
        }
    }
    return VV_OK;
}

/*
 * Places that steps from next_step on were put at are not written any more, as far as the caller's functions say
 * where that was.
 */
static vv_status cut_places(resuming *self, size_t g, int64_t end, vv_error *err)
{
    const vvi_plan_group *group = &self->plan.groups[g];
    vvi_hdf5_group *to = &self->sink->groups[g];

    for (int64_t step = self->resume.next_step; step < end; step++) {
        uint64_t index[VVI_EXTENT_NDIM_MAX] = { 0 };
        uint64_t place = 0;
        uint8_t byte;

        if (!vvi_frequency_due(&group->frequency, step))
            continue;
        VVI_TRY(group->frequency.index(group->frequency.ctx, step, index, err));
        for (uint32_t d = 0; d < group->extent_ndim; d++) {
            if (index[d] >= group->extent[d])
                return vvi_fail(err, VV_ERANGE,
                                "group '%s': step %" PRId64 " lies outside its extent",
                                group->name, step);
            place = place * group->extent[d] + index[d];
        }
        VVI_TRY(vvi_hdf5_file_read(self->file, to->written_at + place, &byte, 1, err));
        if (!byte)
            continue;
        byte = 0;
        VVI_TRY(vvi_hdf5_file_keep(self->file, to->written_at + place,
                                   vvi_bytes(&byte, 1), err));
        to->rows--;
        self->resume.rows[g] = to->rows;
        to->rows_changed = true;
    }
    return VV_OK;
}

/* From the state that the file is in to the one that is gone on from, in one commit. */
static vv_status go_on(resuming *self, vv_error *err)
{
    int64_t end = vv_traj_get_info(self->traj)->next_step;
    vvi_hdf5_file *file = self->file;
    vv_status status;

    VVI_TRY(vvi_hdf5_journal_begin(file, self->id, err));
    VVI_TRY(vvi_hdf5_sync_name(file->journal.path, err));
    file->known = file->size;
    VVI_TRY(vvi_hdf5_file_flag(file, VVI_HDF5_OPEN, err));
    file->end = file->size;
    file->apart = file->size;
    VVI_TRY(vvi_hdf5_file_commit(file, true, false, err));
    VVI_TRY(vvi_hdf5_file_flag(file, 0, err));
    vvi_hdf5_enter();
    status = cut_file(self, err);
    if (!status)
        status = vvi_hdf5_sink_open(self->sink, err);
    vvi_hdf5_leave();
    if (!status)
        status = put_tails(self, err);
    for (size_t g = 0; g < self->plan.group_count && !status; g++)
        if (self->plan.groups[g].kind == VVI_GROUP_PLACED)
            status = cut_places(self, g, end, err);
    if (status)
        return status;
    self->sink->changed = true;
    return self->sink->base.ops->commit(&self->sink->base, self->resume.rows,
                                        self->resume.next_step, VV_DURABLE, err);
}

/* ---- going on ------------------------------------------------------------------------------ */

/* A file that a killed writer left is closed first. */
static vv_status close_killed(resuming *self, vv_error *err)
{
    vv_repair_report report = VV_REPAIR_REPORT_INIT;
    vvi_h5 *file = NULL;
    bool is_open = false, old = false;
    uint64_t rows;
    vv_status status = vvi_h5_open(self->path, &file, err);

    if (!status) {
        is_open = vvi_h5_get_info(file)->own_flags != 0;
        old = vvi_h5_get_info(file)->superblock < 3;
        status = vvi_h5_find(file, vvi_h5_get_info(file)->root, VVI_HDF5_SCHEMA, &rows,
                             err);
        if (status == VV_ENOTFOUND || (!status && old))
            status = vvi_fail(err, VV_EUNSUPPORTED, "%s: the recorder did not make it",
                              self->path);
    }
    vvi_h5_close(file);
    if (!status)
        status = vvi_hdf5_inspect(self->path, &rows, err);
    if (!status && is_open)
        status = vvi_hdf5_mend(self->file, &report, err);
    return status;
}

static vv_status resume(resuming *self, const vv_schema *schema, int64_t next_step,
                        const vv_recorder_options *options, vv_error *err)
{
    vv_status status;

    VVI_TRY(vvi_file_lock(&self->file->file, VVI_LOCK_SHARED, 0, err));
    VVI_TRY(close_killed(self, err));
    VVI_TRY(vvi_hdf5_find_id(self->file, self->id, err));
    VVI_TRY(vv_traj_open(self->path, &self->traj, err));
    VVI_TRY(read_said(self, err));
    VVI_TRY(make_plan(self, schema, options, err));
    VVI_TRY(find_place(self, next_step, err));
    status = vvi_hdf5_sink_over(self->file, self->path, &self->plan, self->id,
                                &self->sink, err);
    if (status) {
        self->file = NULL; /* it took it over */
        return status;
    }
    return go_on(self, err);
}

vv_status vv_recorder_append_hdf5(const char *path, const vv_schema *schema,
                                  int64_t next_step, const vv_recorder_options *options,
                                  vv_recorder **out, vv_error *err)
{
    vvi_file journal = VVI_FILE_INIT;
    char *real = vvi_path_real(path); /* by whatever name: one file, one journal */
    resuming self = { .path = real };
    uint64_t there;
    vv_status status = real ? vvi_path_identity(real, &there, err)
                            : vvi_fail_nomem(err, strlen(path));

    if (!status)
        status = vvi_hdf5_journal_open(real, &journal, err);
    if (!status)
        status = vvi_hdf5_file_new(real, &self.file, err);
    if (!status) {
        self.file->journal = journal;
        journal = VVI_FILE_INIT;
        status = resume(&self, schema, next_step, options, err);
    }
    vvi_hdf5_journal_drop(&journal);
    if (!status) {
        vvi_sink *sink = &self.sink->base;

        self.sink = NULL;
        self.file = NULL;
        status = vvi_recorder_start(self.schema, &self.plan, sink, &self.resume, out,
                                    err);
        self.schema = NULL;
    }
    clear(&self);
    vvi_free(real);
    return status;
}
