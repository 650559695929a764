/*
 * Files of H5MD: their particles and observables as groups and leaves.
 *
 * A group of particles is a group here, with what has the same steps as its positions, and beside it one of what it has
 * once; an observable is in the first group that has its steps, else in one of its own. Source: H5MD, version 1.1.
 */
#include "trajectory/trajectory.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

#define ELEMENTS_MAX 4096
#define COMPARE      512

/* An element: a group of value, step and time, or a data set alone. */
typedef struct element {
    char *particles; /* the group of particles; NULL: an observable */
    char *key;
    char *at;    /* of its values */
    char *above; /* of value, step and time */
    char *units;
    bool is_once;
    bool is_taken;
    uint64_t rows;
    /* Steps: a data set, or a rule, or neither. */
    uint64_t steps_at;
    vvi_h5_dataset *steps;
    bool by_rule;
    int64_t first_step, step_by;
} element;

typedef struct reading {
    vv_traj *traj;
    element *elements;
    size_t count, cap;
    vvi_traj_made *groups;
    size_t group_count, group_cap;
    /* Where links are being looked at. */
    const char *particles;
    const char *above;
} reading;

/* ---- pieces -------------------------------------------------------------------------------------- */

/* Call a function for each link of a group, each with its path. */
static vv_status each_link(reading *self, const char *path, vvi_h5_link_fn visit,
                           vv_error *err)
{
    const vvi_h5 *file = self->traj->file;
    vvi_h5_object object;
    uint64_t address;
    vv_status status = vvi_h5_find(file, vvi_h5_get_info(file)->root, path, &address,
                                   err);

    if (!status)
        status = vvi_h5_object_read(file, address, &object, err);
    if (status)
        return status;
    if (vvi_h5_is_group(&object))
        status = vvi_h5_links(file, &object, visit, self, err);
    vvi_h5_object_clear(&object);
    return status;
}

static vv_status join(const char *above, vv_bytes name, char **out, vv_error *err)
{
    vv_buf text = VV_BUF_INIT;
    vv_status status = vvi_buf_printf(&text, err, "%s/%.*s", above, (int)name.len,
                                      (const char *)name.data);

    if (!status)
        status = vvi_buf_terminate(&text, err);
    if (status)
        vv_buf_clear(&text);
    else
        *out = (char *)text.data;
    return status;
}

/* A data set below a group; NULL where there is none that has numbers. */
static vv_status open_numbers(const reading *self, const char *path, uint64_t *address,
                              vvi_h5_dataset **out, vv_error *err)
{
    const vvi_h5 *file = self->traj->file;
    vv_status status = vvi_h5_find(file, vvi_h5_get_info(file)->root, path, address,
                                   NULL);

    *out = NULL;
    if (!status)
        status = vvi_h5_dataset_open(file, *address, out, err);
    if (status == VV_ENOMEM || status == VV_EIO)
        return status;
    if (status)
        return VV_OK;
    if (vvi_h5_dataset_get_info(*out)->type.kind == VVI_H5_NUMBER &&
        !vvi_h5_dataset_get_info(*out)->space.is_null)
        return VV_OK;
    vvi_h5_dataset_free(*out);
    *out = NULL;
    return VV_OK;
}

/* Text of an attribute; NULL where there is none. */
static vv_status read_unit(const reading *self, uint64_t address, char **out,
                           vv_error *err)
{
    vv_buf text = VV_BUF_INIT;
    vvi_h5_object object;
    vv_status status = vvi_h5_object_read(self->traj->file, address, &object, err);

    if (status)
        return status;
    status = vvi_traj_read_text(self->traj, &object, "unit", &text, NULL);
    vvi_h5_object_clear(&object);
    if (!status && text.len && strlen((const char *)text.data)) {
        *out = vvi_strdup((const char *)text.data);
        status = *out ? VV_OK : vvi_fail_nomem(err, text.len);
    }
    vv_buf_clear(&text);
    return status == VV_ENOMEM ? vvi_fail_nomem(err, 0) : VV_OK;
}

static bool is_integer(const vvi_h5_dataset *dataset)
{
    const vvi_h5_type *type = &vvi_h5_dataset_get_info(dataset)->type;

    return (type->dtype.kind == VVI_KIND_INT || type->dtype.kind == VVI_KIND_UINT) &&
           type->item <= 8;
}

/* A scalar and its attribute "offset", both numbers, as what they count. */
static vv_status read_rule(const reading *self, uint64_t address,
                           const vvi_h5_dataset *dataset, double *first, double *by,
                           vv_error *err)
{
    const vvi_dtype *dtype = &vvi_h5_dataset_get_info(dataset)->type.dtype;
    vvi_h5_attribute offset;
    vvi_h5_object object;
    uint8_t value[32];
    int64_t number;
    vv_status status;

    *first = *by = 0;
    if (dtype->item > sizeof(value))
        return VV_OK;
    VVI_TRY(vvi_h5_read(dataset, NULL, NULL, NULL, value, dtype->item, err));
    if (is_integer(dataset)) {
        VVI_TRY(vvi_traj_read_integers(dataset, 0, 1, &number, err));
        *by = (double)number;
    } else if (dtype->code == VV_FLOAT64) {
        memcpy(by, value, sizeof(*by));
    } else if (dtype->code == VV_FLOAT32) {
        float narrow;

        memcpy(&narrow, value, sizeof(narrow));
        *by = narrow;
    }
    VVI_TRY(vvi_h5_object_read(self->traj->file, address, &object, err));
    status = vvi_h5_attribute_read(self->traj->file, &object, "offset", &offset, NULL);
    vvi_h5_object_clear(&object);
    if (status)
        return status == VV_ENOMEM || status == VV_EIO
                   ? vvi_fail(err, status, "its offset cannot be read")
                   : VV_OK;
    if (offset.type.kind == VVI_H5_NUMBER && !offset.type.big_endian &&
        offset.value.len == offset.type.item) {
        if (offset.type.dtype.code == VV_FLOAT64)
            memcpy(first, offset.value.data, sizeof(*first));
        else if (offset.type.dtype.code == VV_INT64) {
            memcpy(&number, offset.value.data, sizeof(number));
            *first = (double)number;
        } else if (offset.type.dtype.code == VV_INT32) {
            int32_t word;

            memcpy(&word, offset.value.data, sizeof(word));
            *first = word;
        }
    }
    vv_buf_clear(&offset.value);
    return VV_OK;
}

/* ---- elements ------------------------------------------------------------------------------------ */

static vv_status take_steps(reading *self, element *to, const char *path, vv_error *err)
{
    const vvi_h5_dataset_info *info;
    double first, by;

    VVI_TRY(open_numbers(self, path, &to->steps_at, &to->steps, err));
    if (!to->steps)
        return VV_OK;
    info = vvi_h5_dataset_get_info(to->steps);
    if (is_integer(to->steps) && info->space.rank == 1 && info->space.dims[0] >= to->rows)
        return VV_OK;
    if (is_integer(to->steps) && info->space.rank == 0) {
        VVI_TRY(read_rule(self, to->steps_at, to->steps, &first, &by, err));
        to->by_rule = by >= 1 && by < 9e15 && first >= 0 && first < 9e15 &&
                      (by + 1) * (double)to->rows < 9e18;
        to->first_step = to->by_rule ? (int64_t)first : 0;
        to->step_by = to->by_rule ? (int64_t)by : 0;
    }
    vvi_h5_dataset_free(to->steps);
    to->steps = NULL;
    return VV_OK;
}

static vv_status fill_element(reading *self, element *to, vv_error *err)
{
    vvi_h5_dataset *values;
    uint64_t address;
    char *path = NULL;
    vv_status status;

    VVI_TRY(open_numbers(self, to->at, &address, &values, err));
    if (!values) {
        self->count--;
        vvi_free(to->key);
        vvi_free(to->at);
        vvi_free(to->above);
        vvi_free(to->particles);
        return VV_OK;
    }
    to->is_once = to->above == NULL || vvi_h5_dataset_get_info(values)->space.rank == 0;
    if (!to->is_once)
        to->rows = vvi_h5_dataset_get_info(values)->space.dims[0];
    vvi_h5_dataset_free(values);
    VVI_TRY(read_unit(self, address, &to->units, err));
    if (to->is_once)
        return VV_OK;
    status = join(to->above, vv_bytes_of("step"), &path, err);
    if (!status)
        status = take_steps(self, to, path, err);
    vvi_free(path);
    return status;
}

/* What the elements of H5MD are called in recordings. */
static const char *key_of(const char *name)
{
    return strcmp(name, "position") == 0   ? "positions"
           : strcmp(name, "velocity") == 0 ? "velocities"
           : strcmp(name, "force") == 0    ? "forces"
                                           : name;
}

/* Note an element at a path. above: the group of its value and steps; NULL: it is the data set itself. */
static vv_status add_element(reading *self, const char *key, const char *path,
                             bool is_group, vv_error *err)
{
    element *to;

    if (self->count == ELEMENTS_MAX)
        return vvi_fail(err, VV_ELIMIT, "more than %d elements", ELEMENTS_MAX);
    VVI_TRY(vvi_grow((void **)&self->elements, &self->cap, self->count + 1,
                     sizeof(*self->elements), err));
    to = &self->elements[self->count++];
    *to = (element){ .steps_at = VVI_H5_NONE };
    to->key = vvi_strdup(key);
    to->particles = self->particles ? vvi_strdup(self->particles) : NULL;
    to->above = is_group ? vvi_strdup(path) : NULL;
    if (!to->key || (self->particles && !to->particles) || (is_group && !to->above))
        return vvi_fail_nomem(err, strlen(path));
    if (is_group)
        VVI_TRY(join(path, vv_bytes_of("value"), &to->at, err));
    else if (!(to->at = vvi_strdup(path)))
        return vvi_fail_nomem(err, strlen(path));
    return fill_element(self, to, err);
}

/* Is it a group that has values? *is_group: it is a group at all. */
static vv_status look_at(const reading *self, uint64_t address, bool *is_group,
                         bool *has_value, vv_error *err)
{
    vvi_h5_object object;

    *has_value = false;
    VVI_TRY(vvi_h5_object_read(self->traj->file, address, &object, err));
    *is_group = vvi_h5_is_group(&object);
    vvi_h5_object_clear(&object);
    return *is_group ? vvi_traj_has(self->traj, address, "value", has_value, err) : VV_OK;
}

/* Of a box, whose size and shape is its edges; there may be none. */
static vv_status add_box(reading *self, const char *path, uint64_t address, vv_error *err)
{
    bool is_there, is_group, has_value;
    char *edges = NULL;
    uint64_t at;
    vv_status status;

    VVI_TRY(vvi_traj_has(self->traj, address, "edges", &is_there, err));
    if (!is_there)
        return VV_OK;
    VVI_TRY(vvi_h5_find(self->traj->file, address, "edges", &at, err));
    VVI_TRY(look_at(self, at, &is_group, &has_value, err));
    VVI_TRY(join(path, vv_bytes_of("edges"), &edges, err));
    status = has_value || !is_group ? add_element(self, "box", edges, is_group, err)
                                    : VV_OK;
    vvi_free(edges);
    return status;
}

/* A link of a group of particles: an element, or the box, whose edges are one. */
static vv_status visit_element(void *ctx, vv_bytes name, uint64_t address, vv_error *err)
{
    reading *self = ctx;
    bool is_group, has_value;
    char *path = NULL;
    const char *key;
    vv_status status = join(self->above, name, &path, err);

    if (!status)
        status = look_at(self, address, &is_group, &has_value, err);
    if (status) {
        vvi_free(path);
        return status;
    }
    key = strrchr(path, '/') + 1;
    if (self->particles && strcmp(key, "box") == 0 && is_group) {
        status = add_box(self, path, address, err);
    } else if (has_value || !is_group) {
        status = add_element(self, self->particles ? key_of(key) : key, path, is_group,
                             err);
    }
    vvi_free(path);
    return status;
}

/* A group of particles, or a group of observables, or one of these. */
static vv_status visit_group(void *ctx, vv_bytes name, uint64_t address, vv_error *err)
{
    reading *self = ctx;
    const char *above = self->above;
    bool particles = strcmp(above, "particles") == 0;
    bool is_group, has_value;
    char *path = NULL;
    vv_status status;

    VVI_TRY(look_at(self, address, &is_group, &has_value, err));
    if (!particles && (has_value || !is_group))
        return visit_element(ctx, name, address, err);
    VVI_TRY(join(above, name, &path, err));
    self->above = path;
    self->particles = particles ? strrchr(path, '/') + 1 : NULL;
    status = each_link(self, path, visit_element, err);
    self->above = above;
    self->particles = NULL;
    vvi_free(path);
    return status;
}

static vv_status list_elements(reading *self, vv_error *err)
{
    static const char *const tops[] = { "particles", "observables" };

    for (size_t i = 0; i < 2; i++) {
        vv_status status;

        self->above = tops[i];
        status = each_link(self, tops[i], visit_group, err);
        if (status && (status != VV_ENOTFOUND || i == 0))
            return status;
    }
    return VV_OK;
}

/* ---- groups -------------------------------------------------------------------------------------- */

/* Have two elements frames of the same steps? Those of one data set have; else they are compared. */
static vv_status have_same_steps(const element *a, const element *b, bool *same,
                                 vv_error *err)
{
    uint64_t rows = a->rows < b->rows ? a->rows : b->rows;
    int64_t left[COMPARE], right[COMPARE];

    if (!a->steps || !b->steps || a->steps_at == b->steps_at) {
        *same = !a->steps == !b->steps && a->by_rule == b->by_rule &&
                a->first_step == b->first_step && a->step_by == b->step_by &&
                (a->steps ? a->steps_at == b->steps_at : a->rows == b->rows);
        return VV_OK;
    }
    *same = a->rows == b->rows;
    for (uint64_t row = 0; row < rows && *same; row += COMPARE) {
        uint64_t n = rows - row < COMPARE ? rows - row : COMPARE;

        VVI_TRY(vvi_traj_read_integers(a->steps, row, n, left, err));
        VVI_TRY(vvi_traj_read_integers(b->steps, row, n, right, err));
        *same = memcmp(left, right, (size_t)n * sizeof(*left)) == 0;
    }
    return VV_OK;
}

static bool has_key(const vvi_traj_made *group, const char *key)
{
    for (size_t i = 0; i < group->count; i++)
        if (strcmp(group->parts[i].key, key) == 0)
            return true;
    return false;
}

static bool has_group(const reading *self, const char *key)
{
    for (size_t g = 0; g < self->group_count; g++)
        if (strcmp(self->groups[g].key, key) == 0)
            return true;
    return false;
}

/* The first of "positions", "positions_2", … that is free. */
static vv_status free_key(const reading *self, const vvi_traj_made *group,
                          const char *wanted, const char *behind, vv_buf *out,
                          vv_error *err)
{
    for (unsigned n = 1;; n++) {
        out->len = 0;
        VVI_TRY(n == 1 ? vvi_buf_printf(out, err, "%s%s", wanted, behind)
                       : vvi_buf_printf(out, err, "%s%s_%u", wanted, behind, n));
        VVI_TRY(vvi_buf_terminate(out, err));
        if (group ? !has_key(group, (const char *)out->data)
                  : !has_group(self, (const char *)out->data))
            return VV_OK;
    }
}

static vv_status take_element(reading *self, vvi_traj_made *group, element *from,
                              vv_error *err)
{
    vv_buf key = VV_BUF_INIT;
    vvi_traj_part *part;
    vv_status status = free_key(self, group, from->key, "", &key, err);

    if (!status)
        status = vvi_traj_made_add(group, (const char *)key.data, from->at, from->units,
                                   &part, err);
    vv_buf_clear(&key);
    from->is_taken = true;
    if (!from->is_once && from->rows < group->rows)
        group->rows = from->rows;
    return status;
}

static vv_status new_group(reading *self, const char *name, const char *behind,
                           vvi_traj_made **out, vv_error *err)
{
    vv_buf key = VV_BUF_INIT;
    vv_status status = free_key(self, NULL, name, behind, &key, err);

    if (!status)
        status = vvi_grow((void **)&self->groups, &self->group_cap, self->group_count + 1,
                          sizeof(*self->groups), err);
    if (status) {
        vv_buf_clear(&key);
        return status;
    }
    *out = &self->groups[self->group_count++];
    **out = (vvi_traj_made){ .key = (char *)key.data };
    return VV_OK;
}

/* The times of a group's frames, by those of the element that it began with. */
static vv_status add_time(reading *self, vvi_traj_made *group, const element *from,
                          vv_error *err)
{
    const vvi_h5_dataset_info *info;
    vvi_h5_dataset *times = NULL;
    vvi_traj_part *part;
    uint64_t address;
    char *path = NULL, *units = NULL;
    vv_status status = join(from->above, vv_bytes_of("time"), &path, err);

    if (!status)
        status = open_numbers(self, path, &address, &times, err);
    if (!status && times && !has_key(group, "time")) {
        info = vvi_h5_dataset_get_info(times);
        status = read_unit(self, address, &units, err);
        if (!status && info->space.rank == 1 && info->space.dims[0] >= group->rows)
            status = vvi_traj_made_add(group, "time", path, units, &part, err);
        else if (!status && info->space.rank == 0) {
            status = vvi_traj_made_add(group, "time", NULL, units, &part, err);
            if (!status) {
                part->source = VVI_TRAJ_LINE;
                status = read_rule(self, address, times, &part->first, &part->by, err);
            }
        }
    }
    vvi_h5_dataset_free(times);
    vvi_free(path);
    vvi_free(units);
    return status;
}

/* A group that begins with an element, and takes all that have its steps: of its particles, and of the observables. */
static vv_status gather(reading *self, element *first, const char *name,
                        const char *behind, vv_error *err)
{
    vvi_traj_made *group;

    VVI_TRY(new_group(self, name, behind, &group, err));
    group->rows = first->rows;
    group->is_once = first->is_once;
    group->by_rule = first->by_rule;
    group->first_step = first->first_step;
    group->step_by = first->step_by;
    VVI_TRY(take_element(self, group, first, err));
    for (size_t i = 0; i < self->count; i++) {
        element *other = &self->elements[i];
        bool is_other = other->particles &&
                        (!first->particles || strcmp(other->particles, first->particles));
        bool same = other->is_once;

        if (other->is_taken || is_other || other->is_once != first->is_once ||
            (other->is_once && !other->particles != !first->particles))
            continue;
        if (!other->is_once)
            VVI_TRY(have_same_steps(first, other, &same, err));
        if (same)
            VVI_TRY(take_element(self, group, other, err));
    }
    if (first->is_once)
        return VV_OK;
    VVI_TRY(add_time(self, group, first, err));
    group->steps = first->steps;
    first->steps = NULL;
    return VV_OK;
}

/* Positions first, so that they give their group its name; then the rest, in the order of the file. */
static vv_status make_groups(reading *self, vv_error *err)
{
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < self->count; i++) {
            element *at = &self->elements[i];
            const char *name = at->particles ? at->particles : "observables";
            vv_buf behind = VV_BUF_INIT;
            vv_status status = VV_OK;

            if (at->is_taken || (round == 0 && (!at->particles || at->is_once ||
                                                strcmp(at->key, "positions"))))
                continue;
            if (at->is_once)
                status = vvi_buf_append_text(&behind, "_fixed", err);
            else if (round && at->particles)
                status = vvi_buf_printf(&behind, err, "_%s", at->key);
            if (!status)
                status = vvi_buf_terminate(&behind, err);
            if (!status)
                status = gather(self, at, name, (const char *)behind.data, err);
            vv_buf_clear(&behind);
            if (status)
                return status;
        }
    return VV_OK;
}

static void clear(reading *self)
{
    for (size_t i = 0; i < self->count; i++) {
        vvi_free(self->elements[i].particles);
        vvi_free(self->elements[i].key);
        vvi_free(self->elements[i].at);
        vvi_free(self->elements[i].above);
        vvi_free(self->elements[i].units);
        vvi_h5_dataset_free(self->elements[i].steps);
    }
    vvi_free(self->elements);
    vvi_traj_made_clear(self->groups, self->group_count);
    vvi_free(self->groups);
}

vv_status vvi_traj_read_h5md(vv_traj *traj, vv_error *err)
{
    reading self = { .traj = traj };
    vv_status status;

    traj->info.format = "H5MD";
    status = list_elements(&self, err);
    if (!status)
        status = make_groups(&self, err);
    if (!status && !self.group_count)
        status = vvi_fail(err, VV_ECORRUPT, "a file of H5MD without particles");
    if (!status)
        status = vvi_traj_make_groups(traj, self.groups, self.group_count, err);
    clear(&self);
    return status == VV_ENOTFOUND ? VV_ECORRUPT : status;
}
