/* Source: H5MD, version 1.1: "The H5MD metadata group", "Particles group", "Simulation box", "Observables group". */
#include "hdf5/h5md.h"

#include "hdf5/driver.h"
#include "util/alloc.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Aimed at, of a chunk: some frames of what is small, one of what is large. */
#define CHUNK_BYTES ((uint64_t)256 << 10)

struct vvi_h5md {
    char *path, *partial;
    hid_t id;
    hid_t *values; /* of each part */
    hid_t *types;
    size_t count;
    uint64_t frames;
    hid_t steps, times;
    vvi_h5md_part *parts; /* paths and units are not kept */
};

static hid_t native_type(vv_dtype dtype)
{
    switch (dtype) {
    case VV_FLOAT32:
        return H5T_NATIVE_FLOAT;
    case VV_FLOAT64:
        return H5T_NATIVE_DOUBLE;
    case VV_INT8:
        return H5T_NATIVE_INT8;
    case VV_INT16:
        return H5T_NATIVE_INT16;
    case VV_INT32:
        return H5T_NATIVE_INT32;
    case VV_INT64:
        return H5T_NATIVE_INT64;
    case VV_UINT8:
        return H5T_NATIVE_UINT8;
    case VV_UINT16:
        return H5T_NATIVE_UINT16;
    case VV_UINT32:
        return H5T_NATIVE_UINT32;
    case VV_UINT64:
        return H5T_NATIVE_UINT64;
    default:
        return -1;
    }
}

static vv_status fail(const vvi_h5md *self, const char *what, vv_error *err)
{
    return vvi_hdf5_fail(NULL, err, "%s: %s", self->path, what);
}

/* ---- attributes ---------------------------------------------------------------------------------- */

static herr_t put_attribute(hid_t in, const char *name, hid_t type, hid_t space,
                            const void *value)
{
    hid_t attribute = H5Acreate2(in, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    herr_t done = attribute < 0 ? -1 : H5Awrite(attribute, type, value);

    if (attribute >= 0)
        H5Aclose(attribute);
    return done;
}

/* count texts of a fixed length, one behind the other; count 0: one alone. */
static herr_t put_texts(hid_t in, const char *name, const char *texts, size_t len,
                        hsize_t count)
{
    hid_t space = count ? H5Screate_simple(1, &count, NULL) : H5Screate(H5S_SCALAR);
    hid_t type = H5Tcopy(H5T_C_S1);
    herr_t done = -1;

    if (space >= 0 && type >= 0 && H5Tset_size(type, len) >= 0)
        done = put_attribute(in, name, type, space, texts);
    if (type >= 0)
        H5Tclose(type);
    if (space >= 0)
        H5Sclose(space);
    return done;
}

/* One text of variable length, which h5py and what stands on it read as text and not as bytes. */
static herr_t put_text(hid_t in, const char *name, const char *text)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t type = H5Tcopy(H5T_C_S1);
    herr_t done = -1;

    if (space >= 0 && type >= 0 && H5Tset_size(type, H5T_VARIABLE) >= 0 &&
        H5Tset_cset(type, H5T_CSET_UTF8) >= 0)
        done = put_attribute(in, name, type, space, &text);
    if (type >= 0)
        H5Tclose(type);
    if (space >= 0)
        H5Sclose(space);
    return done;
}

static herr_t put_numbers(hid_t in, const char *name, const int *numbers, hsize_t count)
{
    hid_t space = count > 1 ? H5Screate_simple(1, &count, NULL) : H5Screate(H5S_SCALAR);
    herr_t done = space < 0 ? -1
                            : put_attribute(in, name, H5T_NATIVE_INT, space, numbers);

    if (space >= 0)
        H5Sclose(space);
    return done;
}

/* ---- what every file has --------------------------------------------------------------------------- */

/* A group, with those above it. */
static hid_t make_group(hid_t in, const char *path)
{
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    hid_t group = -1;

    if (links >= 0 && H5Pset_create_intermediate_group(links, 1) >= 0)
        group = H5Gcreate2(in, path, links, H5P_DEFAULT, H5P_DEFAULT);
    if (links >= 0)
        H5Pclose(links);
    return group;
}

static herr_t put_named(hid_t file, const char *path, const char *name,
                        const char *version)
{
    hid_t group = make_group(file, path);
    herr_t done = group < 0 ? -1 : put_texts(group, "name", name, strlen(name), 0);

    if (done >= 0 && version)
        done = put_texts(group, "version", version, strlen(version), 0);
    if (group >= 0)
        H5Gclose(group);
    return done;
}

static herr_t put_metadata(hid_t file)
{
    static const int version[] = { 1, 1 };
    hid_t group;
    herr_t done = put_named(file, "h5md/author", "unknown", NULL);

    if (done >= 0)
        done = put_named(file, "h5md/creator", "varvite", vv_version());
    group = done < 0 ? -1 : H5Gopen2(file, "h5md", H5P_DEFAULT);
    if (group < 0)
        return -1;
    done = put_numbers(group, "version", version, 2);
    H5Gclose(group);
    return done;
}

/* Periodic where there are edges, else without a box. */
static herr_t put_box(hid_t file, bool has_edges)
{
    static const char periodic[] = "periodicperiodicperiodic";
    static const char none[] = "nonenonenone";
    static const int dimension = 3;
    hid_t group = make_group(file, "particles/all/box");
    herr_t done = group < 0 ? -1 : put_numbers(group, "dimension", &dimension, 1);

    if (done >= 0)
        done = has_edges ? put_texts(group, "boundary", periodic, 8, 3)
                         : put_texts(group, "boundary", none, 4, 3);
    if (group >= 0)
        H5Gclose(group);
    return done;
}

static herr_t make_steps(vvi_h5md *self)
{
    hsize_t frames = self->frames;
    hid_t space = H5Screate_simple(1, &frames, NULL);

    if (space < 0)
        return -1;
    /* They are linked into every element, and have no names of their own in the end. */
    self->steps = H5Dcreate2(self->id, "step", H5T_STD_I64LE, space, H5P_DEFAULT,
                             H5P_DEFAULT, H5P_DEFAULT);
    self->times = H5Dcreate2(self->id, "time", H5T_IEEE_F64LE, space, H5P_DEFAULT,
                             H5P_DEFAULT, H5P_DEFAULT);
    H5Sclose(space);
    return self->steps < 0 || self->times < 0 ? -1 : 0;
}

/* ---- elements ------------------------------------------------------------------------------------ */

static herr_t set_chunks(hid_t properties, const vvi_h5md_part *part, uint64_t frames)
{
    hsize_t chunk[VVI_H5MD_NDIM_MAX + 1] = { 1 };
    uint64_t bytes = vv_dtype_size(part->dtype);

    for (uint32_t d = 0; d < part->ndim; d++) {
        chunk[d + 1] = part->shape[d] ? part->shape[d] : 1;
        bytes *= chunk[d + 1];
    }
    if (part->is_fixed || frames == 0 || bytes > UINT32_MAX)
        return 0; /* in one piece */
    chunk[0] = bytes < CHUNK_BYTES ? CHUNK_BYTES / bytes : 1;
    if (chunk[0] > frames)
        chunk[0] = frames;
    if (H5Pset_chunk(properties, (int)part->ndim + 1, chunk) < 0 ||
        H5Pset_shuffle(properties) < 0)
        return -1;
    return H5Pset_deflate(properties, 1);
}

static hid_t make_values(vvi_h5md *self, size_t i, hid_t in, const char *name)
{
    const vvi_h5md_part *part = &self->parts[i];
    uint32_t first = part->is_fixed ? 0 : 1;
    hsize_t shape[VVI_H5MD_NDIM_MAX + 1] = { self->frames };
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space, made = -1;

    for (uint32_t d = 0; d < part->ndim; d++)
        shape[first + d] = part->shape[d];
    space = first + part->ndim ? H5Screate_simple((int)(first + part->ndim), shape, NULL)
                               : H5Screate(H5S_SCALAR);
    if (properties >= 0 && space >= 0 && set_chunks(properties, part, self->frames) >= 0)
        made = H5Dcreate2(in, name, self->types[i], space, H5P_DEFAULT, properties,
                          H5P_DEFAULT);
    if (space >= 0)
        H5Sclose(space);
    if (properties >= 0)
        H5Pclose(properties);
    return made;
}

static herr_t link_to(vvi_h5md *self, const char *name, hid_t group)
{
    return H5Lcreate_hard(self->id, name, group, name, H5P_DEFAULT, H5P_DEFAULT);
}

static herr_t make_part(vvi_h5md *self, size_t i)
{
    const char *path = self->parts[i].path;
    const char *name = strrchr(path, '/');
    const char *units = self->parts[i].units;
    char *above;
    hid_t group;

    if (!self->parts[i].is_fixed) {
        group = make_group(self->id, path);
        self->values[i] = group < 0 ? -1 : make_values(self, i, group, "value");
        if (self->values[i] >= 0 &&
            (link_to(self, "step", group) < 0 || link_to(self, "time", group) < 0)) {
            H5Dclose(self->values[i]);
            self->values[i] = -1;
        }
    } else {
        above = vvi_strndup(path, (size_t)(name - path));
        group = above ? H5Gopen2(self->id, above, H5P_DEFAULT) : -1;
        self->values[i] = group < 0 ? -1 : make_values(self, i, group, name + 1);
        vvi_free(above);
    }
    if (group >= 0)
        H5Gclose(group);
    if (self->values[i] < 0)
        return -1;
    return units ? put_text(self->values[i], "unit", units) : 0;
}

/* ---- the file ------------------------------------------------------------------------------------ */

static void free_file(vvi_h5md *self)
{
    vvi_free(self->path);
    vvi_free(self->partial);
    vvi_free(self->values);
    vvi_free(self->types);
    vvi_free(self->parts);
    vvi_free(self);
}

static vv_status new_file(const char *path, uint64_t frames, const vvi_h5md_part *parts,
                          size_t count, vvi_h5md **out, vv_error *err)
{
    vvi_h5md *self = vvi_alloc_zero(sizeof(*self));
    size_t len = strlen(path) + 48;

    if (!self)
        return vvi_fail_nomem(err, sizeof(*self));
    self->id = self->steps = self->times = -1;
    self->frames = frames;
    self->path = vvi_strdup(path);
    self->partial = vvi_alloc(len);
    self->values = vvi_alloc_array(count, sizeof(*self->values));
    self->types = vvi_alloc_array(count, sizeof(*self->types));
    self->parts = vvi_alloc_array(count, sizeof(*self->parts));
    if (!self->path || !self->partial || !self->values || !self->types || !self->parts) {
        free_file(self);
        return vvi_fail_nomem(err, len);
    }
    self->count = count;
    memcpy(self->parts, parts, count * sizeof(*parts));
    for (size_t i = 0; i < count; i++)
        self->values[i] = -1;
    snprintf(self->partial, len, "%s.%ld.partial", path, (long)getpid());
    *out = self;
    return VV_OK;
}

static herr_t make_all(vvi_h5md *self)
{
    bool has_edges = false;

    for (size_t i = 0; i < self->count; i++)
        has_edges = has_edges ||
                    strcmp(self->parts[i].path, "particles/all/box/edges") == 0;
    self->id = H5Fcreate(self->partial, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    if (self->id < 0 || put_metadata(self->id) < 0 || put_box(self->id, has_edges) < 0 ||
        make_steps(self) < 0)
        return -1;
    for (size_t i = 0; i < self->count; i++)
        if (make_part(self, i) < 0)
            return -1;
    return H5Ldelete(self->id, "step", H5P_DEFAULT) < 0
               ? -1
               : H5Ldelete(self->id, "time", H5P_DEFAULT);
}

static herr_t close_all(vvi_h5md *self)
{
    herr_t done = 0;

    for (size_t i = 0; i < self->count; i++)
        if (self->values[i] >= 0 && H5Dclose(self->values[i]) < 0)
            done = -1;
    if (self->steps >= 0 && H5Dclose(self->steps) < 0)
        done = -1;
    if (self->times >= 0 && H5Dclose(self->times) < 0)
        done = -1;
    if (self->id >= 0 && H5Fclose(self->id) < 0)
        done = -1;
    return done;
}

vv_status vvi_h5md_create(const char *path, uint64_t frames, const vvi_h5md_part *parts,
                          size_t count, vvi_h5md **out, vv_error *err)
{
    vvi_h5md *self = NULL;
    vv_status status = new_file(path, frames, parts, count, &self, err);

    if (status)
        return status;
    vvi_hdf5_enter();
    for (size_t i = 0; i < count && !status; i++) {
        self->types[i] = native_type(parts[i].dtype);
        if (self->types[i] < 0 || parts[i].ndim > VVI_H5MD_NDIM_MAX)
            status = vvi_fail(err, VV_EUNSUPPORTED, "H5MD: %s has no element type for it",
                              parts[i].path);
    }
    if (!status && make_all(self) < 0)
        status = fail(self, "create", err);
    if (status)
        (void)close_all(self);
    vvi_hdf5_leave();
    if (status) {
        (void)vvi_file_unlink(self->partial, NULL);
        free_file(self);
        return status;
    }
    *out = self;
    return VV_OK;
}

/* Write one frame, or all of a fixed value. */
static herr_t put_value(vvi_h5md *self, size_t i, uint64_t frame, const void *value)
{
    const vvi_h5md_part *part = &self->parts[i];
    hsize_t start[VVI_H5MD_NDIM_MAX + 1] = { frame };
    hsize_t count[VVI_H5MD_NDIM_MAX + 1] = { 1 };
    hid_t in_file, in_memory;
    herr_t done = -1;

    if (part->is_fixed)
        return H5Dwrite(self->values[i], self->types[i], H5S_ALL, H5S_ALL, H5P_DEFAULT,
                        value);
    for (uint32_t d = 0; d < part->ndim; d++)
        count[d + 1] = part->shape[d];
    in_file = H5Dget_space(self->values[i]);
    in_memory = H5Screate_simple((int)part->ndim + 1, count, NULL);
    if (in_file >= 0 && in_memory >= 0 &&
        H5Sselect_hyperslab(in_file, H5S_SELECT_SET, start, NULL, count, NULL) >= 0)
        done = H5Dwrite(self->values[i], self->types[i], in_memory, in_file, H5P_DEFAULT,
                        value);
    if (in_file >= 0)
        H5Sclose(in_file);
    if (in_memory >= 0)
        H5Sclose(in_memory);
    return done;
}

vv_status vvi_h5md_put(vvi_h5md *self, size_t part, uint64_t frame, const void *value,
                       vv_error *err)
{
    vv_status status = VV_OK;

    vvi_hdf5_enter();
    if (put_value(self, part, frame, value) < 0)
        status = fail(self, "write", err);
    vvi_hdf5_leave();
    return status;
}

vv_status vvi_h5md_put_steps(vvi_h5md *self, const int64_t *steps, vv_error *err)
{
    vv_status status = VV_OK;

    vvi_hdf5_enter();
    /* libhdf5 makes floating-point numbers of them. */
    if (self->frames && (H5Dwrite(self->steps, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL,
                                  H5P_DEFAULT, steps) < 0 ||
                         H5Dwrite(self->times, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL,
                                  H5P_DEFAULT, steps) < 0))
        status = fail(self, "write the steps", err);
    vvi_hdf5_leave();
    return status;
}

vv_status vvi_h5md_close(vvi_h5md *self, bool keep, vv_error *err)
{
    vv_status status = VV_OK;

    vvi_hdf5_enter();
    if (close_all(self) < 0 && keep)
        status = fail(self, "close", err);
    vvi_hdf5_leave();
    if (keep && !status)
        status = vvi_file_rename(self->partial, self->path, err);
    if (!keep || status)
        (void)vvi_file_unlink(self->partial, NULL);
    free_file(self);
    return status;
}
