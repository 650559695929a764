/* Files of kUPS and what must be found in them: <name>.h5 beside <name>.json. A case is the file, a
 * group, a data set or a reader's index. */
#include "trees.h"
#include "vectors.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct traj_run {
    vector_run *run;
    vv_traj *traj;
    char name[512];
} traj_run;

/* ---- values -------------------------------------------------------------------------------- */

/* NumPy's name of a leaf's type. */
static void numpy_type(const vv_traj_leaf *leaf, char out[16])
{
    static const char *const types[] = {
        [VV_BOOL] = "|b1",      [VV_INT8] = "|i1",        [VV_INT16] = "<i2",
        [VV_INT32] = "<i4",     [VV_INT64] = "<i8",       [VV_UINT8] = "|u1",
        [VV_UINT16] = "<u2",    [VV_UINT32] = "<u4",      [VV_UINT64] = "<u8",
        [VV_FLOAT16] = "<f2",   [VV_FLOAT32] = "<f4",     [VV_FLOAT64] = "<f8",
        [VV_COMPLEX64] = "<c8", [VV_COMPLEX128] = "<c16",
    };

    if ((size_t)leaf->dtype < sizeof(types) / sizeof(types[0]) && types[leaf->dtype])
        snprintf(out, 16, "%s", types[leaf->dtype]);
    else
        snprintf(out, 16, "|V%zu", leaf->item_size);
}

static char *sha256_of(const void *data, size_t len)
{
    static char text[65];
    uint8_t digest[32];

    if (vv_hash(VV_HASH_SHA2_256, (vv_bytes){ data, len }, digest, sizeof(digest), NULL))
        abort();
    for (size_t i = 0; i < 32; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return text;
}

static bool same_shape(const json_t *wanted, const uint64_t *shape, uint32_t ndim)
{
    if (json_array_size(wanted) != ndim)
        return false;
    for (uint32_t d = 0; d < ndim; d++)
        if ((uint64_t)json_integer_value(json_array_get(wanted, d)) != shape[d])
            return false;
    return true;
}

/* ---- an index ------------------------------------------------------------------------------ */

/* What an index takes of a leaf. */
typedef struct taken {
    uint64_t start[VV_TRAJ_NDIM_MAX], count[VV_TRAJ_NDIM_MAX], step[VV_TRAJ_NDIM_MAX];
    bool dropped[VV_TRAJ_NDIM_MAX]; /* an integer stood there */
} taken;

static void take_all(taken *self, uint32_t d, uint64_t length)
{
    self->start[d] = 0;
    self->count[d] = length;
    self->step[d] = 1;
    self->dropped[d] = false;
}

static bool take_integer(taken *self, uint32_t d, uint64_t length, long long i)
{
    if (i < 0)
        i += (long long)length;
    if (i < 0 || (uint64_t)i >= length)
        return false;
    self->start[d] = (uint64_t)i;
    self->count[d] = self->step[d] = 1;
    self->dropped[d] = true;
    return true;
}

static void take_slice(taken *self, uint32_t d, uint64_t length, const char *text)
{
    long long n = (long long)length;
    long long parts[3] = { 0, n, 1 };

    for (int i = 0; i < 3; i++) {
        if (*text && *text != ':') {
            parts[i] = strtoll(text, (char **)(uintptr_t)&text, 10);
            if (i < 2 && parts[i] < 0)
                parts[i] += n;
            if (i < 2)
                parts[i] = parts[i] < 0 ? 0 : parts[i] > n ? n : parts[i];
        }
        if (*text != ':')
            break;
        text++;
    }
    self->start[d] = (uint64_t)parts[0];
    self->step[d] = (uint64_t)parts[2];
    self->count[d] = parts[1] <= parts[0]
                         ? 0
                         : (uint64_t)((parts[1] - parts[0] - 1) / parts[2] + 1);
    if (self->count[d] == 0)
        self->start[d] = 0;
    self->dropped[d] = false;
}

/* Apply an index as Python writes it; false: it lies outside. */
static bool apply(const char *index, const vv_traj_leaf *leaf, taken *self)
{
    char *end;

    for (uint32_t d = 0; d < leaf->ndim; d++)
        take_all(self, d, leaf->shape[d]);
    if (!strcmp(index, "...") || !strcmp(index, "()") || !strcmp(index, "None"))
        return true;
    if (!strcmp(index, "(..., 0)"))
        return leaf->ndim > 0 &&
               take_integer(self, leaf->ndim - 1, leaf->shape[leaf->ndim - 1], 0);
    if (!strcmp(index, "(0, ...)"))
        return leaf->ndim > 0 && take_integer(self, 0, leaf->shape[0], 0);
    if (!strcmp(index, "(0, 0)"))
        return leaf->ndim > 1 && take_integer(self, 0, leaf->shape[0], 0) &&
               take_integer(self, 1, leaf->shape[1], 0);
    if (leaf->ndim == 0)
        return false;
    if (!strcmp(index, "[0, 1]")) {
        self->count[0] = 2;
        return leaf->shape[0] >= 2;
    }
    if (strchr(index, ':')) {
        take_slice(self, 0, leaf->shape[0], index);
        return true;
    }
    long long i = strtoll(index, &end, 10);
    return !*end && take_integer(self, 0, leaf->shape[0], i);
}

/* Read what was taken; the shape without dropped dimensions. NULL: failed, err says why. */
static void *read_taken(traj_run *self, size_t group, size_t leaf,
                        const vv_traj_leaf *what, const taken *take, uint64_t *shape,
                        uint32_t *ndim, size_t *bytes, vv_error *err)
{
    void *data;

    *ndim = 0;
    *bytes = what->item_size;
    for (uint32_t d = 0; d < what->ndim; d++) {
        *bytes *= (size_t)take->count[d];
        if (!take->dropped[d])
            shape[(*ndim)++] = take->count[d];
    }
    data = malloc(*bytes + 1);
    if (!data)
        abort();
    if (vv_traj_read(self->traj, group, leaf, take->start, take->count, take->step, data,
                     *bytes, err)) {
        free(data);
        return NULL;
    }
    return data;
}

/* Is leaf number leaf, indexed, [dtype, shape, first 16 digits of the sha256]? */
static bool leaf_is(traj_run *self, size_t group, size_t leaf, const char *index,
                    const json_t *wanted)
{
    vv_error err = VV_ERROR_INIT;
    uint64_t shape[VV_TRAJ_NDIM_MAX];
    const char *sum = json_string_value(json_array_get(wanted, 2));
    vv_traj_leaf what;
    char dtype[16];
    uint32_t ndim;
    size_t bytes;
    taken take;
    void *data;
    bool fine;

    if (vv_traj_leaf_at(self->traj, group, leaf, &what, &err) ||
        !apply(index, &what, &take)) {
        vector_fail(self->run, self->name, "[%s] of leaf %zu: %s", index, leaf,
                    err.message);
        return false;
    }
    data = read_taken(self, group, leaf, &what, &take, shape, &ndim, &bytes, &err);
    if (!data) {
        vector_fail(self->run, self->name, "[%s]: %s", index, err.message);
        return false;
    }
    numpy_type(&what, dtype);
    fine = strcmp(dtype, json_string_value(json_array_get(wanted, 0))) == 0 &&
           same_shape(json_array_get(wanted, 1), shape, ndim) &&
           strncmp(sha256_of(data, bytes), sum, 16) == 0;
    if (!fine)
        vector_fail(self->run, self->name, "[%s] of %s gives other values", index,
                    what.name);
    free(data);
    return fine;
}

/* An index that the real reader refuses as outside must be refused here. */
static bool is_refused(traj_run *self, size_t group, const char *index)
{
    vv_traj_leaf what;
    taken take;

    for (size_t i = 0; vv_traj_leaf_name(self->traj, group, i); i++)
        if (!vv_traj_leaf_at(self->traj, group, i, &what, NULL) &&
            !apply(index, &what, &take)) {
            uint64_t start[VV_TRAJ_NDIM_MAX] = { 0 }, count[VV_TRAJ_NDIM_MAX];
            uint8_t byte;

            for (uint32_t d = 0; d < what.ndim; d++)
                count[d] = 1;
            if (what.ndim)
                start[0] = (uint64_t)strtoll(index, NULL, 10);
            return what.ndim == 0 || vv_traj_read(self->traj, group, i, start, count,
                                                  NULL, &byte, 1, NULL) != VV_OK;
        }
    return false;
}

/* ---- reader cases --------------------------------------------------------------------------- */

static bool leaves_are(traj_run *self, size_t group, const char *index,
                       const json_t *leaves)
{
    size_t i;
    json_t *wanted;

    json_array_foreach(leaves, i,
                       wanted) if (!leaf_is(self, group, i, index, wanted)) return false;
    return true;
}

/* All rows, so many at a time: every piece, or their number and the last one. */
static bool pieces_are(traj_run *self, size_t group, const json_t *entry)
{
    int64_t rows = int_of(entry, "read_chunked", 1);
    const json_t *pieces = json_object_get(entry, "chunks");
    vv_error err = VV_ERROR_INIT;
    int64_t count;
    vv_traj_leaf first;
    char index[64];

    if (vv_traj_leaf_at(self->traj, group, 0, &first, &err) || first.ndim == 0) {
        vector_fail(self->run, self->name, "in pieces: %s", err.message);
        return false;
    }
    count = ((int64_t)first.shape[0] + rows - 1) / rows;
    if (count !=
        (pieces ? (int64_t)json_array_size(pieces) : int_of(entry, "count", -1))) {
        vector_fail(self->run, self->name, "%lld pieces", (long long)count);
        return false;
    }
    for (int64_t i = 0; i < count; i++) {
        const json_t *wanted = pieces           ? json_array_get(pieces, (size_t)i)
                               : i + 1 == count ? json_object_get(entry, "last")
                                                : NULL;

        snprintf(index, sizeof(index), "%lld:%lld", (long long)(i * rows),
                 (long long)((i + 1) * rows));
        if (wanted && !leaves_are(self, group, index, wanted))
            return false;
    }
    return true;
}

static void run_reader_case(traj_run *self, size_t group, const json_t *entry)
{
    const char *index = text_of(entry, "index");
    const char *error = text_of(entry, "error");

    if (error && (!index || strcmp(error, "IndexError") != 0)) {
        /* Steps below 1, floats, unordered lists: the C interface has no way to say them. */
        vector_skip(self->run, self->name, "an index that C cannot state");
        return;
    }
    if (error   ? is_refused(self, group, index)
        : index ? leaves_are(self, group, index, json_object_get(entry, "leaves"))
                : pieces_are(self, group, entry))
        vector_pass(self->run);
    else if (error)
        vector_fail(self->run, self->name, "[%s] was not refused", index);
}

/* ---- data sets ------------------------------------------------------------------------------ */

/* Values that must not be had, or need not. */
static bool runs_into(traj_run *self, size_t group, size_t leaf, const json_t *entry)
{
    const char *expect = text_of(entry, "expect");
    vv_error err = VV_ERROR_INIT;
    uint64_t shape[VV_TRAJ_NDIM_MAX];
    vv_traj_leaf what;
    uint32_t ndim;
    size_t bytes;
    taken take;
    void *data = NULL;

    if (!vv_traj_leaf_at(self->traj, group, leaf, &what, &err)) {
        (void)apply("...", &what, &take);
        data = read_taken(self, group, leaf, &what, &take, shape, &ndim, &bytes, &err);
    }
    free(data);
    if (data && (!expect || strcmp(expect, "must be an error") == 0)) {
        vector_fail(self->run, self->name, "%s: damage was not noticed", what.name);
        return false;
    }
    return true;
}

static bool dataset_is(traj_run *self, size_t group, size_t leaf, const json_t *entry)
{
    const json_t *chunks = json_object_get(entry, "chunks");
    vv_error err = VV_ERROR_INIT;
    uint64_t shape[VV_TRAJ_NDIM_MAX];
    vv_traj_leaf what;
    char dtype[16];
    uint32_t ndim;
    size_t bytes;
    taken take;
    void *data;
    bool fine;

    if (json_object_get(entry, "expect") || json_object_get(entry, "read_error"))
        return runs_into(self, group, leaf, entry);
    if (vv_traj_leaf_at(self->traj, group, leaf, &what, &err)) {
        vector_fail(self->run, self->name, "%s", err.message);
        return false;
    }
    numpy_type(&what, dtype);
    (void)apply("...", &what, &take);
    data = read_taken(self, group, leaf, &what, &take, shape, &ndim, &bytes, &err);
    fine = data && strcmp(what.name, text_of(entry, "name")) == 0 &&
           strcmp(dtype, text_of(entry, "dtype")) == 0 &&
           same_shape(json_object_get(entry, "shape"), what.shape, what.ndim) &&
           (!chunks || (what.chunk && same_shape(chunks, what.chunk, what.ndim))) &&
           strcmp(sha256_of(data, bytes), text_of(entry, "sha256")) == 0;
    if (!fine)
        vector_fail(self->run, self->name, "%s %s: %s", what.name, dtype,
                    data ? "other values, type, shape or chunks" : err.message);
    free(data);
    return fine;
}

/* ---- groups and the file ---------------------------------------------------------------------- */

/* A tree as the vector has it; where it cannot be decoded there must be none. */
static bool tree_is(traj_run *self, const vv_tree *tree, const json_t *pickle,
                    const json_t *form, bool readable)
{
    json_t *got;
    bool fine;

    if (json_object_get(pickle, "undecodable") || !readable) {
        if (tree)
            vector_fail(self->run, self->name, "a tree that is none was read");
        return !tree;
    }
    if (!tree) {
        vector_fail(self->run, self->name, "no tree");
        return false;
    }
    if (!form)
        form = json_object_get(pickle, "tree");
    if (!form)
        return true;
    got = tree_as_json(tree);
    forget_fields(got);
    fine = json_equal(got, form);
    if (!fine)
        vector_fail(self->run, self->name, "another tree");
    json_decref(got);
    return fine;
}

/* Does the real reader take the group: a tree with as many leaves as there are names? */
static bool is_readable(const json_t *group)
{
    size_t names = json_array_size(json_object_get(group, "paths"));

    return !json_object_get(group, "reader_error") &&
           int_of(json_object_get(group, "tree_def"), "leaves", (int64_t)names) ==
               (int64_t)names;
}

static void run_group(traj_run *self, const json_t *entry)
{
    const json_t *paths = json_object_get(entry, "paths");
    const vv_traj_group *group;
    const char *class_name = text_of(entry, "data_class_name");
    size_t number, i;
    json_t *one;

    if (!vv_traj_group_by_name(self->traj, text_of(entry, "name"), &number)) {
        vector_fail(self->run, self->name, "no such group");
        return;
    }
    group = vv_traj_group_at(self->traj, number);
    if (json_object_get(entry, "missing")) {
        if (group->problem && group->leaf_count == 0)
            vector_pass(self->run);
        else
            vector_fail(self->run, self->name, "a missing group was found");
        return;
    }
    json_array_foreach(paths, i, one) if (!vv_traj_leaf_name(self->traj, number, i) ||
                                          strcmp(vv_traj_leaf_name(self->traj, number, i),
                                                 json_string_value(one)) != 0)
    {
        vector_fail(self->run, self->name, "leaf %zu has another name", i);
        return;
    }
    if (group->leaf_count != json_array_size(paths) || !group->class_name ||
        strcmp(group->class_name, class_name) != 0)
        vector_fail(self->run, self->name, "%zu leaves of %s", group->leaf_count,
                    group->class_name);
    else if (tree_is(self, group->tree, json_object_get(entry, "tree_def"),
                     json_object_get(entry, "tree"), is_readable(entry)))
        vector_pass(self->run);
    json_array_foreach(json_object_get(entry, "datasets"), i,
                       one) if (dataset_is(self, number, i, one)) vector_pass(self->run);
    json_array_foreach(json_object_get(entry, "reader_cases"), i, one)
        run_reader_case(self, number, one);
}

static bool file_is(traj_run *self, const json_t *document)
{
    const json_t *attributes = json_object_get(document, "root_attrs");
    const json_t *steps = json_object_get(json_object_get(attributes, "actual_steps"),
                                          "value");
    const json_t *type = json_object_get(json_object_get(attributes, "config_class_name"),
                                         "value");
    const vv_traj_info *info = vv_traj_get_info(self->traj);

    if (info->group_count != json_array_size(json_object_get(document, "group_names")) ||
        info->has_actual_steps != (steps != NULL) ||
        (steps && info->actual_steps != json_integer_value(steps)) ||
        (type && (!info->config_class ||
                  strcmp(info->config_class, json_string_value(type)) != 0)) ||
        info->is_open != (int_of(document, "superblock_status_flags", 0) != 0)) {
        vector_fail(self->run, self->name, "%zu groups, %lld steps, %s",
                    info->group_count, (long long)info->actual_steps, info->config_class);
        return false;
    }
    return tree_is(self, info->config, json_object_get(document, "config_pytree"), NULL,
                   true);
}

/* May the file not be opened at all? */
static bool must_fail(const json_t *document)
{
    const char *plain = text_of(document, "plain_open");

    return json_object_get(document, "open_error") ||
           (plain && strcmp(plain, "SWMR flag set") != 0);
}

void run_trajectory(vector_run *run, const json_t *document)
{
    traj_run self = { .run = run };
    vv_error err = VV_ERROR_INIT;
    const char *slash = strrchr(run->file, '/');
    char path[4096];
    size_t i;
    json_t *group;

    snprintf(path, sizeof(path), "%.*s%s", slash ? (int)(slash + 1 - run->file) : 0,
             run->file, text_of(document, "file"));
    if (vv_traj_open(path, &self.traj, &err)) {
        if (must_fail(document) && strstr(err.message, path))
            vector_pass(run);
        else
            vector_fail(run, "file", "%s", err.message);
        return;
    }
    snprintf(self.name, sizeof(self.name), "file");
    if (must_fail(document))
        vector_fail(run, "file", "was opened");
    else if (file_is(&self, document))
        vector_pass(run);
    json_array_foreach(json_object_get(document, "groups"), i, group)
    {
        snprintf(self.name, sizeof(self.name), "%s", text_of(group, "name"));
        run_group(&self, group);
    }
    vv_traj_close(self.traj);
}
