/*
 * Zarr v3 arrays and groups over any store.
 *
 * Source: the Zarr v3 core specification. Elements are handed over in C order and native byte
 * order. Threads: any number may read and write one array at the same time, writers also different
 * elements of one chunk; a reader then sees each chunk, or shard, as it was or as it is. Resizing and
 * appending exclude all other calls. Through two arrays, or from two processes, writers keep to different
 * chunks. Ownership: free with vv_array_free(); an array holds its store.
 */
#ifndef VARVITE_ZARR_H
#define VARVITE_ZARR_H

#include <varvite/base.h>
#include <varvite/dtype.h>
#include <varvite/store.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VV_NDIM_MAX 32

/**
 * What an array is. All pointers are borrowed: from the array when it was asked for, from the
 * caller when one is made.
 */
typedef struct vv_array_meta {
    size_t struct_size;
    vv_dtype dtype;
    uint32_t ndim;
    const uint64_t *shape;       /* ndim lengths */
    const uint64_t *chunk_shape; /* ndim, each ≥ 1 */
    const void *fill_value;      /* one element, native; NULL: zero */
    /* Codec chain: a Zarr JSON array, or a short form: "zstd:3", "gzip:5", "blosc:lz4:5",
     * "none", several joined by "+" ("zstd:3+crc32c"). NULL: "zstd:3". Read: always JSON. */
    const char *codecs;
    char separator;                     /* of chunk keys, '/' or '.'; 0: '/' */
    bool v2_keys;                       /* chunk key encoding "v2" instead of "default" */
    const char *const *dimension_names; /* ndim, each may be NULL; NULL: none */
    const char *attributes;             /* a JSON object; NULL: {} */
    /* Parameters of the dtype. item_size: bytes of an element, which types of a fixed length need;
     * 0 for the others when an array is made. time_unit: "ns", "D", … of VV_DATETIME64 and
     * VV_TIMEDELTA64; NULL: "generic". time_scale: how many of them a count is; 0: 1. */
    size_t item_size;
    const char *time_unit;
    uint32_t time_scale;
    /* Sharded: chunk_shape is that of a shard, which is stored under one key; this is that of the
     * chunks in it, each length a divisor; codecs are those of the inner chunks. NULL: not
     * sharded. */
    const uint64_t *inner_chunk_shape;
    /* A rectilinear grid: for each dimension the lengths of its chunks, and how many there are; NULL
     * for one whose chunks all have the length in chunk_shape. NULL for all: a regular grid. Where it
     * is not NULL, chunk_shape holds the longest of each dimension. */
    const uint64_t *const *chunk_edges;
    const uint64_t *chunk_edge_counts;
    uint32_t zarr_format; /* 3, or 2 for an array that was opened; arrays are made in 3 */
} vv_array_meta;
#define VV_ARRAY_META_INIT ((vv_array_meta){ .struct_size = sizeof(vv_array_meta) })

typedef struct vv_array vv_array;

/** What lies at a path. */
typedef enum vv_node_kind {
    VV_NODE_NONE = 0,
    VV_NODE_ARRAY,
    VV_NODE_GROUP
} vv_node_kind;

/** @param path  "" for the root, "group/temp"; slashes at the ends are dropped
 *  @return VV_OK (NONE is an answer), VV_ECORRUPT (metadata), VV_EIO */
VV_API vv_status vv_node_kind_of(vv_store *store, const char *path, vv_node_kind *out,
                                 vv_error *err);

/** Make a group, and the groups above it that have no metadata yet.
 *  @param attributes  JSON object; NULL: {}
 *  @return VV_OK, VV_EEXISTS (a node is there; replace with overwrite), VV_EINVAL, VV_EIO */
VV_API vv_status vv_group_create(vv_store *store, const char *path,
                                 const char *attributes, bool overwrite, vv_error *err);
/** Attributes of a group or an array as JSON text, terminated. */
VV_API vv_status vv_node_attributes(vv_store *store, const char *path, vv_buf *out,
                                    vv_error *err);
VV_API vv_status vv_node_set_attributes(vv_store *store, const char *path,
                                        const char *attributes, vv_error *err);

/** Delete a node and all below it; its document goes first, so that a reader sees all of it or nothing.
 *  @return VV_OK, VV_ENOTFOUND, VV_EUNSUPPORTED (Zarr version 2), VV_EREADONLY, VV_EIO */
VV_API vv_status vv_node_delete(vv_store *store, const char *path, vv_error *err);
/**
 * Copy a node with all below it; groups above the new place are made.
 *
 * Chunks are not decoded; a HAMT and a memory store share them, and read none. The copy is seen once it is
 * whole. Threads: changes of the node meanwhile may be in the copy or not.
 * @return VV_OK, VV_ENOTFOUND, VV_EEXISTS (a node is at to, or below it), VV_EINVAL (to lies in from, or in
 *         an array),
 *         VV_EUNSUPPORTED (below a group of Zarr version 2), VV_EREADONLY, VV_EIO
 */
VV_API vv_status vv_node_copy(vv_store *store, const char *from, const char *to,
                              vv_error *err);
/**
 * Give a node another path: one rename in a directory, else a copy and then a deletion, so that a killed
 * one leaves it at the old path or at both.
 * Threads: not while others use the node; arrays that are open have to be opened again.
 */
VV_API vv_status vv_node_rename(vv_store *store, const char *from, const char *to,
                                vv_error *err);

/** Told of each node with its path; depth is 0 for the start. */
typedef vv_status (*vv_node_fn)(void *ctx, const char *path, vv_node_kind kind,
                                uint32_t depth, vv_error *err);
/** Visit the node at path and, if recursive, all below it, parents first, names sorted. */
VV_API vv_status vv_node_walk(vv_store *store, const char *path, bool recursive,
                              vv_node_fn visit, void *ctx, vv_error *err);

/**
 * A store for reading that knows the metadata of a hierarchy from its consolidated metadata: a group's
 * member consolidated_metadata, of Zarr version 2 the key .zmetadata. Listing, walking and opening all
 * nodes below the group then cost the one read that is made here; chunks come from store.
 *
 * It tells what was written down when the hierarchy was consolidated, and nothing newer: nodes that were
 * made since are not there, changed ones are as they were. So nothing else uses consolidated metadata; who
 * opens such a store asks for it. Its listings name documents, not chunks. It holds store.
 *
 * @param path  the group
 * @return VV_OK, VV_ENOTFOUND (it has none), VV_ECORRUPT, VV_EUNSUPPORTED (a kind other than inline),
 *         VV_EIO, VV_ENOMEM
 */
VV_API vv_status vv_consolidated_store_open(vv_store *store, const char *path,
                                            vv_store **out, vv_error *err);

/** Make an array; groups above it as in vv_group_create().
 *  @return VV_OK, VV_EEXISTS, VV_EINVAL (names the member), VV_EUNSUPPORTED (codec), VV_EIO */
VV_API vv_status vv_array_create(vv_store *store, const char *path,
                                 const vv_array_meta *meta, bool overwrite,
                                 vv_array **out, vv_error *err);
/** @return VV_OK, VV_ENOTFOUND, VV_ECORRUPT (metadata; names the member), VV_EUNSUPPORTED
 *  (a codec, dtype or grid that this build cannot read, by name), VV_EIO */
VV_API vv_status vv_array_open(vv_store *store, const char *path, vv_array **out,
                               vv_error *err);
VV_API void vv_array_free(vv_array *array);
VV_API const vv_array_meta *vv_array_get_meta(const vv_array *array);
VV_API const char *vv_array_path(const vv_array *array);
/** The array's metadata document as JSON text, terminated. */
VV_API vv_status vv_array_metadata_json(const vv_array *array, vv_buf *out,
                                        vv_error *err);

/**
 * Change the lengths of an array. What is cut off is gone: lengthened again, it reads as the fill value.
 *
 * Chunks that lie outside are deleted and those at the new edge cleared first, the metadata is written
 * last: a killed call leaves an array of the old shape, some of whose elements that were to go are gone,
 * and calling it again finishes. Cost: one listing of the array's keys, and the chunks that an edge
 * goes through. A dimension that lists the lengths of its chunks gets one more where it grows.
 * Threads: excludes every other call on the array, in all processes; the array has the new shape then,
 * and what vv_array_get_meta() gave before is no longer valid.
 *
 * @param shape  ndim lengths
 * @return VV_OK, VV_EUNSUPPORTED (Zarr version 2), VV_EBUSY (in the store it has another shape, or
 *         another array is at its path: open it again), VV_EREADONLY, VV_ECORRUPT (a chunk at the edge),
 *         VV_ELIMIT, VV_EIO, VV_ENOMEM
 */
VV_API vv_status vv_array_resize(vv_array *array, const uint64_t *shape, vv_error *err);

/** Elements in all, and chunks in each dimension; VV_ERANGE past 2^64. */
VV_API vv_status vv_array_count(const vv_array *array, uint64_t *elements, vv_error *err);
VV_API void vv_array_grid(const vv_array *array, uint64_t *chunks_per_dim);
/**
 * One element as text: numbers as vv_element_format() writes them, times as ISO 8601
 * ("2020-02-29T12:00:00.125", a span "-P3D", "NaT"), strings as they are (control characters too),
 * bytes with \\x00 for what is not printable ASCII, raw bits in hexadecimal.
 * @return bytes needed without the end, as snprintf; what is cut ends with a whole character
 */
VV_API size_t vv_array_element_format(const vv_array *array, const void *element,
                                      char *out, size_t cap);
/** The key of a chunk, terminated. */
VV_API vv_status vv_array_chunk_key(const vv_array *array, const uint64_t *index,
                                    vv_buf *out, vv_error *err);

/**
 * Read one chunk; a chunk that was never written reads as the fill value.
 *
 * @param index  chunk coordinates, one per dimension, counted in chunks
 * @param out    chunk_shape[0] × … × chunk_shape[ndim-1] elements, also at the array's edge; the lengths
 *               of the chunk itself where the grid lists them
 * @return VV_OK
 *         VV_ERANGE    an index lies outside the chunk grid
 *         VV_ECORRUPT  a stored chunk or its decoded size is wrong; names the key
 *         VV_EIO       the store could not be reached; trying again may help
 */
VV_API vv_status vv_array_read_chunk(vv_array *array, const uint64_t *index, void *out,
                                     vv_error *err);
/**
 * Read many chunks in one call: they are fetched and decoded in parallel.
 *
 * @param indices  n × ndim chunk coordinates
 * @param outs     n places, as out of vv_array_read_chunk()
 */
VV_API vv_status vv_array_read_chunks(vv_array *array, size_t n, const uint64_t *indices,
                                      void *const *outs, vv_error *err);
/** Write one whole chunk, as many elements as vv_array_read_chunk() reads. A chunk of fill values only is
 *  not stored. */
VV_API vv_status vv_array_write_chunk(vv_array *array, const uint64_t *index,
                                      const void *data, vv_error *err);

/**
 * Read a region: count[i] elements from start[i], every step[i]-th.
 *
 * All chunks of the region are fetched together and decoded on the worker pool into out.
 * @param step       ndim steps ≥ 1; NULL: all 1
 * @param out        count[0] × … × count[ndim-1] elements
 * @param out_bytes  size of out, checked
 * @return VV_OK, VV_ERANGE, VV_EINVAL (out_bytes), VV_ECORRUPT, VV_EIO, VV_ENOMEM
 */
VV_API vv_status vv_array_read(vv_array *array, const uint64_t *start,
                               const uint64_t *count, const uint64_t *step, void *out,
                               size_t out_bytes, vv_error *err);
/** Write a region; chunks that it covers in part are read, changed and written back. */
VV_API vv_status vv_array_write(vv_array *array, const uint64_t *start,
                                const uint64_t *count, const void *data,
                                size_t data_bytes, vv_error *err);

/**
 * What is wanted of one dimension: a list of positions, or count elements from start, every step-th.
 */
typedef struct vv_select {
    const uint64_t *
        indices; /* count positions, in any order, also several times; NULL: start, step */
    uint64_t start, count;
    uint64_t step; /* 0: 1 */
} vv_select;

/**
 * Read what lies where the selections of all dimensions cross.
 *
 * Each chunk is fetched and decoded once, in whatever order its positions are listed.
 * @param dims       ndim of them
 * @param out        dims[0].count × … × dims[ndim-1].count elements
 * @param out_bytes  size of out, checked
 * @return as vv_array_read()
 */
VV_API vv_status vv_array_read_select(vv_array *array, const vv_select *dims, void *out,
                                      size_t out_bytes, vv_error *err);
/** Write there. Of a position that is listed several times, the last element stays. */
VV_API vv_status vv_array_write_select(vv_array *array, const vv_select *dims,
                                       const void *data, size_t data_bytes,
                                       vv_error *err);
/**
 * Read single elements; those that lie in one chunk cost one read of it. From a store with latency only
 * their own bytes are read of a chunk that is stored as it is in memory, whose length stays unchecked
 * then, and of a shard its index and the inner chunks that they lie in.
 *
 * @param coords     n × ndim coordinates, in elements
 * @param out        n elements
 * @param out_bytes  size of out, checked
 * @return as vv_array_read()
 */
VV_API vv_status vv_array_read_points(vv_array *array, size_t n, const uint64_t *coords,
                                      void *out, size_t out_bytes, vv_error *err);

/** Told of a block of a region: count[0] × … elements from start[0], …; any status but VV_OK ends the
 *  visit. All is borrowed until it returns. */
typedef vv_status (*vv_array_block_fn)(void *ctx, const uint64_t *start,
                                       const uint64_t *count, const void *elements,
                                       size_t bytes, vv_error *err);
/**
 * Read a region of any size in bounded memory: block after block, in C order of the blocks, each chunk
 * in one of them as long as whole rows of chunks fit.
 *
 * @param memory_bytes  of a block; 0: 64 MiB. A block is never less than one chunk, or inner chunk.
 * @return as vv_array_read(), or what visit returned
 */
VV_API vv_status vv_array_visit(vv_array *array, const uint64_t *start,
                                const uint64_t *count, size_t memory_bytes,
                                vv_array_block_fn visit, void *ctx, vv_error *err);

/**
 * Make the array longer by count along a dimension, and write what is there.
 *
 * The elements are stored first and the metadata last: another reader sees all of them or none, and so
 * does the next one when the writer is killed. Threads: as if it were a write of the whole array; one
 * writer at a time, in all processes.
 *
 * @param axis        the dimension, from 0
 * @param data        the array's shape with count in place of the length of axis
 * @param data_bytes  size of data, checked
 * @return VV_OK
 *         VV_EINVAL        no such dimension, or data_bytes
 *         VV_EUNSUPPORTED  a grid that lists its chunks; an array of Zarr version 2
 *         VV_EBUSY         in the store it has another shape, or another array is at its path: open it
 *                          again
 *         VV_EREADONLY, VV_ECORRUPT, VV_EIO, VV_ENOMEM
 */
VV_API vv_status vv_array_append(vv_array *array, uint32_t axis, uint64_t count,
                                 const void *data, size_t data_bytes, vv_error *err);

/**
 * Elements of variable length that were read: text without an end, or bytes. Start from
 * VV_VARLEN_INIT, end with vv_varlen_clear().
 */
typedef struct vv_varlen {
    vv_bytes *items; /* count of them, in C order; they point into memory */
    size_t count;
    void *memory;
} vv_varlen;
/* clang-format off */
#define VV_VARLEN_INIT { NULL, 0, NULL }
/* clang-format on */

/** NULL and empty are fine. */
VV_API void vv_varlen_clear(vv_varlen *varlen);
/**
 * vv_array_read() for VV_STRING and VV_BYTES, which that refuses. What out held is cleared.
 * @return as vv_array_read(); VV_EINVAL for elements of a fixed length
 */
VV_API vv_status vv_array_read_varlen(vv_array *array, const uint64_t *start,
                                      const uint64_t *count, const uint64_t *step,
                                      vv_varlen *out, vv_error *err);
/** vv_array_write() for them. @param n  count[0] × … × count[ndim-1], checked */
VV_API vv_status vv_array_write_varlen(vv_array *array, const uint64_t *start,
                                       const uint64_t *count, const vv_bytes *items,
                                       size_t n, vv_error *err);

#ifdef __cplusplus
}
#endif
#endif
