/* Leaves: what they are, and their rows. */
#include "trajectory/trajectory.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>
#include <time.h>

/* "shuffle, zstd:1" */
static vv_status describe_filters(const vvi_h5_dataset_info *info, char **out,
                                  vv_error *err)
{
    static const struct {
        uint16_t id;
        const char *name;
        bool level; /* the first value is one */
    } names[] = { { 1, "gzip", true },        { 2, "shuffle", false },
                  { 3, "fletcher32", false }, { 32000, "lzf", false },
                  { 32001, "blosc", false },  { 32015, "zstd", true } };
    vv_buf text = VV_BUF_INIT;
    vv_status status = VV_OK;

    for (uint32_t i = 0; i < info->filter_count && !status; i++) {
        const vvi_h5_filter *filter = &info->filters[i];
        size_t k = 0;

        while (k < sizeof(names) / sizeof(names[0]) && names[k].id != filter->id)
            k++;
        status = vvi_buf_append_text(&text, i ? ", " : "", err);
        if (!status && k == sizeof(names) / sizeof(names[0]))
            status = vvi_buf_printf(&text, err, "filter %d", filter->id);
        else if (!status && names[k].level && filter->value_count)
            status = vvi_buf_printf(&text, err, "%s:%d", names[k].name,
                                    (int32_t)filter->values[0]);
        else if (!status)
            status = vvi_buf_append_text(&text, names[k].name, err);
    }
    if (!status) {
        *out = text.len ? vvi_strndup((const char *)text.data, text.len) : vvi_strdup("");
        if (!*out)
            status = vvi_fail_nomem(err, text.len);
    }
    vv_buf_clear(&text);
    return status;
}

unsigned vvi_traj_tries = 6;

void vvi_traj_pause(uint64_t ns)
{
    struct timespec pause = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };

    nanosleep(&pause, NULL);
}

bool vvi_traj_try_again(bool is_open, vv_status status, unsigned i)
{
    if (!is_open || status != VV_ECORRUPT || i >= vvi_traj_tries)
        return false;
    vvi_traj_pause((uint64_t)1000000 << i);
    return true;
}

/* What of the extent counts. Rows that a recording has must be there. */
static vv_status limit_shape(const vvi_traj_group *group, vvi_traj_leaf *leaf,
                             const vvi_h5_dataset_info *info, vv_error *err)
{
    memcpy(leaf->shape, info->space.dims, sizeof(leaf->shape));
    if (!vvi_traj_has_rows(group))
        return VV_OK;
    if (!info->space.rank || info->space.dims[0] < group->rows)
        return vvi_fail(err, VV_ECORRUPT, "%" PRIu64 " rows where the group has %" PRIu64,
                        info->space.rank ? info->space.dims[0] : 0, group->rows);
    leaf->shape[0] = group->rows;
    return VV_OK;
}

/* Under the lock. */
/* As the recorder keeps them, and others by hand; no text, or none that is text, is none. */
static vv_status read_units(const vv_traj *traj, uint64_t address, char **out,
                            vv_error *err)
{
    vv_buf text = VV_BUF_INIT;
    vvi_h5_object object;
    vv_status status = vvi_h5_object_read(traj->file, address, &object, err);

    if (status)
        return status;
    status = vvi_traj_read_text(traj, &object, "units", &text, NULL);
    vvi_h5_object_clear(&object);
    if (!status && text.len && *text.data &&
        vvi_is_utf8(vv_bytes_of((const char *)text.data)) &&
        !(*out = vvi_strdup((const char *)text.data)))
        status = VV_ENOMEM;
    vv_buf_clear(&text);
    return status == VV_ENOMEM ? vvi_fail_nomem(err, 0) : VV_OK;
}

static vv_status open_leaf(vv_traj *traj, vvi_traj_group *group, vvi_traj_leaf *leaf,
                           vv_error *err)
{
    const vvi_h5_dataset_info *info;
    vvi_h5_dataset *dataset;
    uint64_t address;
    vv_status status;

    if (group->address == VVI_H5_NONE)
        return vvi_fail(err, VV_ENOTFOUND, "the group is not in the file");
    VVI_TRY(vvi_h5_find(traj->file, group->address, leaf->at ? leaf->at : leaf->name,
                        &address, err));
    VVI_TRY(vvi_h5_dataset_open(traj->file, address, &dataset, err));
    info = vvi_h5_dataset_get_info(dataset);
    if (info->type.kind != VVI_H5_NUMBER && info->type.kind != VVI_H5_OPAQUE)
        status = vvi_fail(err, VV_EUNSUPPORTED, "a data type that no leaf has");
    else
        status = limit_shape(group, leaf, info, err);
    if (!status && !leaf->units)
        status = read_units(traj, address, &leaf->units, err);
    if (!status && !leaf->filters)
        status = describe_filters(info, &leaf->filters, err);
    if (status)
        vvi_h5_dataset_free(dataset);
    else
        leaf->dataset = dataset;
    return status;
}

vv_status vvi_traj_need_leaf(vv_traj *traj, size_t group, size_t leaf,
                             vvi_traj_leaf **out, vv_error *err)
{
    vvi_traj_group *in;
    vv_status status = VV_OK;

    if (group >= traj->info.group_count || leaf >= traj->groups[group].public.leaf_count)
        return vvi_fail(err, VV_ERANGE, "%s: no leaf %zu of group %zu", traj->path, leaf,
                        group);
    in = &traj->groups[group];
    *out = &in->leaves[leaf];
    if ((*out)->source != VVI_TRAJ_DATASET)
        return VV_OK;
    for (unsigned i = 0;; i++) {
        vvi_mutex_lock(&traj->lock);
        status = (*out)->dataset ? VV_OK : open_leaf(traj, in, *out, err);
        vvi_mutex_unlock(&traj->lock);
        if (!vvi_traj_try_again(traj->info.is_open, status, i))
            break;
    }
    return status
               ? vvi_wrap(err, status, "%s: %s: %s", traj->path, in->name, (*out)->name)
               : VV_OK;
}

/* Types that HDF5 has no name for are bytes there. */
static vv_dtype dtype_of(const vvi_traj_leaf *leaf, const vvi_h5_type *type)
{
    return type->dtype.code == VV_RAW && leaf->said &&
                   vv_dtype_size(leaf->said) == type->item
               ? leaf->said
               : type->dtype.code;
}

vv_status vv_traj_leaf_at(vv_traj *traj, size_t group, size_t leaf, vv_traj_leaf *out,
                          vv_error *err)
{
    const vvi_h5_dataset_info *info;
    vvi_traj_leaf *found;

    VVI_TRY(vvi_traj_need_leaf(traj, group, leaf, &found, err));
    if (found->source != VVI_TRAJ_DATASET) {
        vvi_traj_other_leaf(found, out);
        return VV_OK;
    }
    info = vvi_h5_dataset_get_info(found->dataset);
    *out = (vv_traj_leaf){ .name = found->name,
                           .dtype = dtype_of(found, &info->type),
                           .item_size = info->type.item,
                           .ndim = info->space.rank,
                           .shape = found->shape,
                           .chunk = info->layout == VVI_H5_CHUNKED ? info->chunk : NULL,
                           .filters = found->filters,
                           .path = found->path,
                           .units = found->units };
    return VV_OK;
}

const char *vv_traj_leaf_name(const vv_traj *traj, size_t group, size_t leaf)
{
    if (group >= traj->info.group_count || leaf >= traj->groups[group].public.leaf_count)
        return NULL;
    return traj->groups[group].leaves[leaf].name;
}

const char *vv_traj_leaf_path(const vv_traj *traj, size_t group, size_t leaf)
{
    if (group >= traj->info.group_count || leaf >= traj->groups[group].public.leaf_count)
        return NULL;
    return traj->groups[group].leaves[leaf].path;
}

bool vv_traj_leaf_by_name(const vv_traj *traj, size_t group, const char *name,
                          size_t *leaf)
{
    static const char prefix[] = "array";

    for (size_t i = 0; vv_traj_leaf_name(traj, group, i); i++) {
        const char *have = vv_traj_leaf_name(traj, group, i);

        if (strcmp(have, name) == 0 || (strncmp(have, prefix, sizeof(prefix) - 1) == 0 &&
                                        strcmp(have + sizeof(prefix) - 1, name) == 0)) {
            *leaf = i;
            return true;
        }
    }
    return false;
}

/* By a look of its own at the file. */
static vv_status read_anew(const vv_traj *traj, const vvi_traj_group *group,
                           const char *name, const uint64_t *start, const uint64_t *count,
                           const uint64_t *step, void *out, size_t out_bytes,
                           vv_error *err)
{
    vvi_h5_dataset *dataset = NULL;
    uint64_t address;
    vvi_h5 *file;
    vv_status status = vvi_h5_reopen(traj->file, &file, err);

    if (status)
        return status;
    status = vvi_h5_find(file, group->address, name, &address, err);
    if (!status)
        status = vvi_h5_dataset_open(file, address, &dataset, err);
    if (!status)
        status = vvi_h5_read(dataset, start, count, step, out, out_bytes, err);
    vvi_h5_dataset_free(dataset);
    vvi_h5_close(file);
    return status;
}

vv_status vvi_traj_read_dataset(const vv_traj *traj, const vvi_traj_group *group,
                                const char *name, const vvi_h5_dataset *dataset,
                                const uint64_t *start, const uint64_t *count,
                                const uint64_t *step, void *out, size_t out_bytes,
                                vv_error *err)
{
    vv_status status;

    for (unsigned i = 0;; i++) {
        status = vvi_h5_read(dataset, start, count, step, out, out_bytes, err);
        if ((!status || status == VV_ECORRUPT) && traj->info.is_open &&
            vvi_h5_is_stale(traj->file))
            status = read_anew(traj, group, name, start, count, step, out, out_bytes,
                               err);
        if (!vvi_traj_try_again(traj->info.is_open, status, i))
            return status;
    }
}

/* Rows that do not count are not there. */
static vv_status check_rows(const vvi_traj_leaf *leaf, const uint64_t *start,
                            const uint64_t *count, const uint64_t *step, vv_error *err)
{
    uint64_t rows = leaf->shape[0], last = start[0];

    if (count[0] && (__builtin_mul_overflow(count[0] - 1, step ? step[0] : 1, &last) ||
                     __builtin_add_overflow(last, start[0], &last) || last >= rows))
        return vvi_fail(err, VV_ERANGE,
                        "%" PRIu64 " rows from %" PRIu64 " on, of %" PRIu64, count[0],
                        start[0], rows);
    return VV_OK;
}

vv_status vv_traj_read(vv_traj *traj, size_t group, size_t leaf, const uint64_t *start,
                       const uint64_t *count, const uint64_t *step, void *out,
                       size_t out_bytes, vv_error *err)
{
    vvi_traj_leaf *found;
    vv_status status = VV_OK;

    VVI_TRY(vvi_traj_need_leaf(traj, group, leaf, &found, err));
    if (vvi_traj_has_rows(&traj->groups[group]))
        status = check_rows(found, start, count, step, err);
    if (!status && found->source != VVI_TRAJ_DATASET)
        status = vvi_traj_read_other(traj, found, start, count, step, out, out_bytes,
                                     err);
    else if (!status)
        status = vvi_traj_read_dataset(
            traj, &traj->groups[group], found->at ? found->at : found->name,
            found->dataset, start, count, step, out, out_bytes, err);
    return status ? vvi_wrap(err, status, "%s: %s: %s", traj->path,
                             traj->groups[group].name, found->name)
                  : VV_OK;
}

vv_status vv_traj_read_rows(vv_traj *traj, size_t group, size_t leaf,
                            const uint64_t *rows, size_t n, void *out, size_t out_bytes,
                            vv_error *err)
{
    uint64_t start[VV_TRAJ_NDIM_MAX] = { 0 };
    uint64_t count[VV_TRAJ_NDIM_MAX];
    vv_traj_leaf what;
    size_t row;

    VVI_TRY(vv_traj_leaf_at(traj, group, leaf, &what, err));
    if (what.ndim == 0)
        return vvi_fail(err, VV_EINVAL, "%s: %s has no rows", traj->path, what.name);
    row = what.item_size;
    for (uint32_t d = 1; d < what.ndim; d++) {
        count[d] = what.shape[d];
        row *= (size_t)what.shape[d];
    }
    if (row && (out_bytes / row != n || out_bytes % row))
        return vvi_fail(err, VV_EINVAL,
                        "%s: %s: room for %zu bytes, not for %zu rows of %zu", traj->path,
                        what.name, out_bytes, n, row);
    for (size_t i = 0; i < n;) {
        size_t run = 1;

        while (i + run < n && rows[i + run] == rows[i] + run)
            run++;
        start[0] = rows[i];
        count[0] = run;
        VVI_TRY(vv_traj_read(traj, group, leaf, start, count, NULL,
                             (uint8_t *)out + i * row, run * row, err));
        i += run;
    }
    return VV_OK;
}

vv_status vv_traj_read_mask(vv_traj *traj, size_t group, size_t leaf, const uint8_t *mask,
                            size_t n, void *out, size_t out_bytes, vv_error *err)
{
    uint64_t *rows = vvi_alloc_array(n, sizeof(*rows));
    size_t count = 0;
    vv_status status;

    if (!rows)
        return vvi_fail_nomem(err, n * sizeof(*rows));
    for (size_t i = 0; i < n; i++)
        if (mask[i])
            rows[count++] = i;
    status = vv_traj_read_rows(traj, group, leaf, rows, count, out, out_bytes, err);
    vvi_free(rows);
    return status;
}
