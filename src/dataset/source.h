/*
 * What a data set is, wherever it lies: a tree of groups with dimensions, attributes and variables,
 * and a way to read a part of a variable. Import, export and comparison know only this.
 */
#ifndef VVI_DATASET_SOURCE_H
#define VVI_DATASET_SOURCE_H

#include "dataset/attr.h"

#include <varvite/store.h>
#include <varvite/zarr.h>

#define VVI_GROUPS_MAX    10000
#define VVI_VARIABLES_MAX 65536 /* a group */

typedef struct vvi_dim {
    char *name;
    uint64_t length;
    bool unlimited;
} vvi_dim;

typedef struct vvi_var {
    char *name;
    vv_dtype dtype;
    size_t item; /* bytes of an element in memory; of variable length: of a vv_bytes */
    bool text;   /* netCDF char; dtype is VV_UINT8, its bytes */
    bool fixed;  /* such text that is an array of strings of a fixed length in Zarr, which
                          has no last dimension (or none at all for a single char) */
    char *unsupported; /* why no Zarr array can hold it; NULL: one can */
    uint32_t ndim;
    uint64_t shape[VV_NDIM_MAX];
    char *dims[VV_NDIM_MAX];      /* each may be NULL: has no name */
    uint64_t chunks[VV_NDIM_MAX]; /* of the source; chunks[0] 0: it has none */
    vvi_attrs attrs;
    bool wanted;                  /* set by the plan */
    uint64_t plan[VV_NDIM_MAX];   /* chunk shape, set by the plan */
    uint64_t shards[VV_NDIM_MAX]; /* and of shards, where there are any */
    bool sharded;
    int ncid, varid; /* netCDF */
    vv_array *array; /* Zarr */
} vvi_var;

typedef struct vvi_group {
    char *path; /* from the source's root, "" for that, "a/b" */
    vvi_dim *dims;
    size_t dim_count, dim_cap;
    vvi_attrs attrs;
    vvi_var *vars;
    size_t var_count, var_cap;
    bool wanted; /* set by the plan */
    bool exact;  /* types of attributes and order are known, not inferred from JSON */
    int ncid;
} vvi_group;

/* Parents stand before their children. */
typedef struct vvi_tree {
    vvi_group *groups;
    size_t count, cap;
} vvi_tree;

typedef struct vvi_source vvi_source;

typedef struct vvi_source_ops {
    /* Read count elements a dimension from start, C order, native. */
    vv_status (*read)(vvi_source *self, const vvi_var *var, const uint64_t *start,
                      const uint64_t *count, void *out, size_t bytes, vv_error *err);
    /* Optional: reads of var in slabs of so many elements begin; slab NULL: they are over. */
    void (*reading)(vvi_source *self, const vvi_var *var, const uint64_t *slab,
                    uint64_t memory_bytes);
    void (*free)(vvi_source *self);
} vvi_source_ops;

/* First member of each kind's own struct. */
struct vvi_source {
    const vvi_source_ops *ops;
    char *name; /* for messages: the path as it was given */
    vvi_tree tree;
};

/* A netCDF or HDF5 file, or a Zarr directory: whatever path turns out to be. */
vv_status vvi_source_open(const char *path, vvi_source **out, vv_error *err);
/* Does a directory hold a Zarr hierarchy, of version 3 or 2? */
vv_status vvi_has_document(const char *path, bool *found, vv_error *err);
/* What a file is by its first bytes and, for classic files, by its header. */
vv_status vvi_netcdf_check_file(const char *path, bool *hdf5, vv_error *err);
vv_status vvi_netcdf_source_open(const char *path, vvi_source **out, vv_error *err);
/* The group (or array) at path of a store, which it holds on to. */
vv_status vvi_zarr_source_open(vv_store *store, const char *path, const char *name,
                               vvi_source **out, vv_error *err);
void vvi_source_free(vvi_source *source);

/* The store and path below which a Zarr source lies; false for other kinds. */
bool vvi_zarr_source_place(const vvi_source *source, vv_store **store, const char **path);

vv_status vvi_source_read(vvi_source *source, const vvi_var *var, const uint64_t *start,
                          const uint64_t *count, void *out, size_t bytes, vv_error *err);
void vvi_source_reading(vvi_source *source, const vvi_var *var, const uint64_t *slab,
                        uint64_t memory_bytes);

/* ---- trees ---------------------------------------------------------------------------------- */

void vvi_tree_clear(vvi_tree *tree);
/* path is copied; *out is valid until the next one is added. */
vv_status vvi_tree_add_group(vvi_tree *tree, const char *path, vvi_group **out,
                             vv_error *err);
vv_status vvi_group_add_dim(vvi_group *group, const char *name, uint64_t length,
                            bool unlimited, vv_error *err);
vv_status vvi_group_add_var(vvi_group *group, const char *name, vvi_var **out,
                            vv_error *err);
void vvi_var_clear(vvi_var *var);
void vvi_group_clear(vvi_group *group);

vvi_group *vvi_tree_find(const vvi_tree *tree, const char *path);
vvi_var *vvi_group_find_var(const vvi_group *group, const char *name);
const vvi_dim *vvi_group_find_dim(const vvi_group *group, const char *name);
/* The group above; NULL for the root. */
vvi_group *vvi_tree_parent(const vvi_tree *tree, const vvi_group *group);
/* The dimension of that name and length nearest to the group, upward; *owner: whose it is. */
const vvi_dim *vvi_tree_resolve_dim(const vvi_tree *tree, const vvi_group *group,
                                    const char *name, uint64_t length,
                                    const vvi_group **owner);
/* A copy of a path in a store without slashes at its ends; NULL: out of memory. */
char *vvi_path_trim(const char *path);
/* "a/b/name", or name alone in the root. */
vv_status vvi_join(const char *path, const char *name, vv_buf *out, vv_error *err);

/* The variable as Zarr has it: without the last dimension of strings, and bytes of one element. */
uint32_t vvi_var_array_ndim(const vvi_var *var);
size_t vvi_var_array_item(const vvi_var *var);
/* Elements and bytes of a variable; false when that passes 2^63. */
bool vvi_var_bytes(const vvi_var *var, uint64_t *elements, uint64_t *bytes);

#endif
