/*
 * HDF5 files, read only, without libhdf5.
 *
 * Covers what kUPS, h5py and the recorder write: superblocks 0 to 3, object headers 1 and 2, groups with
 * symbol tables, compact and dense links, attributes in headers, and contiguous, compact and chunked
 * data sets with every chunk index. What is read is held to its checksums, and to the file's length;
 * nothing that a file says makes this follow a link to another file, load code, or take more memory than
 * the thing asked for. Why not libhdf5: docs/architecture.md, "HDF5".
 *
 * Source: HDF5 File Format Specification, version 4.0. Threads: an open file may be read by many at once.
 */
#ifndef VVI_H5_H5_H
#define VVI_H5_H5_H

#include "dtype/dtype.h"
#include "util/error.h"

#define VVI_H5_NONE     UINT64_MAX /* an undefined address */
#define VVI_H5_RANK_MAX 32

typedef struct vvi_h5 vvi_h5;

/* Returns VV_ENOTFOUND, VV_ECORRUPT (no HDF5 file; cut short), VV_EUNSUPPORTED, VV_EIO, VV_ENOMEM. */
vv_status vvi_h5_open(const char *path, vvi_h5 **out, vv_error *err);
void vvi_h5_close(vvi_h5 *file);

typedef struct vvi_h5_info {
    uint8_t superblock; /* version */
    uint8_t flags; /* status flags: 1 a writer has it open, 4 in SWMR mode; 0 closed */
    uint8_t own_flags; /* as the file itself has them, whatever the journal says */
    uint64_t
        commit;    /* number of the one that is read from the journal; 0: there is none */
    uint64_t end;  /* of the file, as the superblock says */
    uint64_t size; /* as it is */
    uint64_t root; /* address of the root group's header */
} vvi_h5_info;
const vvi_h5_info *vvi_h5_get_info(const vvi_h5 *file);
/* Read the superblock and the size again, of a file that is being written. */
vv_status vvi_h5_refresh(vvi_h5 *file, vv_error *err);
/*
 * May chunks have moved since the last look at a file that was open then? A writer gives the space of chunks that it
 * moved back when it closes the file, or uses it again some time later; what is read there now may be anything.
 */
bool vvi_h5_is_stale(const vvi_h5 *file);
/* The same file once more, as it is now. VV_EIO: another one has its name. */
vv_status vvi_h5_reopen(const vvi_h5 *file, vvi_h5 **out, vv_error *err);

/* Bob Jenkins' lookup3 (hashlittle), as HDF5 uses it for checksums and names. */
uint32_t vvi_h5_checksum(vv_bytes data);

/* ---- objects ------------------------------------------------------------------------------- */

/* Messages of an object header, in the order they stand. */
typedef struct vvi_h5_message {
    uint16_t type;
    uint8_t flags;
    vv_bytes data; /* in the object's memory */
} vvi_h5_message;

typedef struct vvi_h5_object {
    uint64_t address;
    vvi_h5_message *messages;
    size_t count, cap;
    vv_buf *blocks; /* what messages point into */
    size_t block_count, block_cap;
} vvi_h5_object;

/* Zero is an empty object. Returns VV_ECORRUPT (with the address), VV_EUNSUPPORTED, VV_EIO. */
vv_status vvi_h5_object_read(const vvi_h5 *file, uint64_t address, vvi_h5_object *out,
                             vv_error *err);
void vvi_h5_object_clear(vvi_h5_object *object);
/* The first message of a type; NULL: there is none. */
const vvi_h5_message *vvi_h5_message_of(const vvi_h5_object *object, uint16_t type);
bool vvi_h5_is_group(const vvi_h5_object *object);
bool vvi_h5_is_dataset(const vvi_h5_object *object);

/* Told of each hard link; any status but VV_OK ends it. */
typedef vv_status (*vvi_h5_link_fn)(void *ctx, vv_bytes name, uint64_t address,
                                    vv_error *err);
/* Links in no given order. Soft and external ones are refused by name with VV_EUNSUPPORTED. */
vv_status vvi_h5_links(const vvi_h5 *file, const vvi_h5_object *group,
                       vvi_h5_link_fn visit, void *ctx, vv_error *err);
/* The object that a path leads to from a group; parts between slashes, empty ones and "." passed over.
 * Returns VV_ENOTFOUND. */
vv_status vvi_h5_find(const vvi_h5 *file, uint64_t group, const char *path, uint64_t *out,
                      vv_error *err);

/* ---- types, spaces, attributes ------------------------------------------------------------------ */

typedef enum vvi_h5_class {
    VVI_H5_NUMBER, /* a vv_dtype */
    VVI_H5_OPAQUE, /* bytes of item length */
    VVI_H5_FIXED_TEXT,
    VVI_H5_VARIABLE_TEXT, /* item: as it stands in the file, 16 bytes */
    VVI_H5_OTHER          /* what has no place here; only its length is known */
} vvi_h5_class;

typedef struct vvi_h5_type {
    vvi_h5_class kind;
    vvi_dtype dtype; /* NUMBER; OPAQUE: VV_RAW */
    size_t item;
    bool big_endian;
    bool is_signed; /* of an integer */
} vvi_h5_type;

typedef struct vvi_h5_space {
    uint32_t rank; /* 0: one element */
    bool is_null;  /* no element */
    uint64_t dims[VVI_H5_RANK_MAX];
    uint64_t max[VVI_H5_RANK_MAX]; /* VVI_H5_NONE: unlimited */
} vvi_h5_space;

typedef struct vvi_h5_attribute {
    vvi_h5_type type;
    vvi_h5_space space;
    vv_buf
        value; /* elements as they stand; a scalar text of either kind: its bytes, terminated */
} vvi_h5_attribute;

/* Clear out->value. Returns VV_ENOTFOUND. */
vv_status vvi_h5_attribute_read(const vvi_h5 *file, const vvi_h5_object *object,
                                const char *name, vvi_h5_attribute *out, vv_error *err);

/* ---- data sets ------------------------------------------------------------------------------ */

typedef struct vvi_h5_filter {
    uint16_t id;
    uint32_t values[8];
    uint32_t value_count;
} vvi_h5_filter;
#define VVI_H5_FILTERS_MAX 8

/* Undo the filters of a stored chunk; exactly chunk_bytes come out. VV_ECORRUPT. */
vv_status vvi_h5_unfilter(const vvi_h5_filter *filters, uint32_t count, uint32_t mask,
                          size_t item, vv_bytes stored, uint8_t *out, size_t chunk_bytes,
                          vv_error *err);
/* Is there a decoder for this filter? */
bool vvi_h5_filter_known(uint16_t id);
/* The checksum of filter 3. */
uint32_t vvi_h5_fletcher32(vv_bytes data);

typedef enum vvi_h5_layout {
    VVI_H5_COMPACT,
    VVI_H5_CONTIGUOUS,
    VVI_H5_CHUNKED
} vvi_h5_layout;

typedef enum vvi_h5_index {
    VVI_H5_SINGLE = 1,
    VVI_H5_IMPLICIT,
    VVI_H5_FIXED_ARRAY,
    VVI_H5_EXTENSIBLE_ARRAY,
    VVI_H5_BTREE2,
    VVI_H5_BTREE1 /* of layout version 3 */
} vvi_h5_index;

typedef struct vvi_h5_dataset vvi_h5_dataset;

/* Where a chunk lies. */
typedef struct vvi_h5_chunk {
    uint64_t address; /* VVI_H5_NONE: nowhere */
    uint64_t stored;  /* bytes */
    uint32_t mask;    /* bit i: filter i was left out */
} vvi_h5_chunk;

/* Returns VV_ECORRUPT, VV_EUNSUPPORTED (external files, virtual data sets, unknown filters, types). */
vv_status vvi_h5_dataset_open(const vvi_h5 *file, uint64_t address, vvi_h5_dataset **out,
                              vv_error *err);
void vvi_h5_dataset_free(vvi_h5_dataset *dataset);

typedef struct vvi_h5_dataset_info {
    vvi_h5_type type;
    vvi_h5_space space;
    vvi_h5_layout layout;
    uint8_t layout_version;
    uint64_t address;   /* CONTIGUOUS: of the elements; VVI_H5_NONE: nowhere */
    vvi_h5_index index; /* CHUNKED */
    uint64_t chunk[VVI_H5_RANK_MAX]; /* CHUNKED */
    vvi_h5_filter filters[VVI_H5_FILTERS_MAX];
    uint32_t filter_count;
} vvi_h5_dataset_info;
const vvi_h5_dataset_info *vvi_h5_dataset_get_info(const vvi_h5_dataset *dataset);

/*
 * Read count[i] elements from start[i], every step[i]-th (step NULL: all 1) into out, in native byte
 * order. What was never written reads as the fill value. Returns VV_ERANGE, VV_ECORRUPT (names the
 * chunk), VV_EIO, VV_ENOMEM.
 */
vv_status vvi_h5_read(const vvi_h5_dataset *dataset, const uint64_t *start,
                      const uint64_t *count, const uint64_t *step, void *out,
                      size_t out_bytes, vv_error *err);

/*
 * Told of each chunk that is stored, in C order, with its number in each dimension; of a data set that is not
 * chunked once, of all its bytes.
 */
typedef vv_status (*vvi_h5_chunk_fn)(void *ctx, const uint64_t *index,
                                     const vvi_h5_chunk *chunk, vv_error *err);
/* Any status but VV_OK of visit ends it. *all: how many there could be. Returns VV_ELIMIT (too many). */
vv_status vvi_h5_each_chunk(const vvi_h5_dataset *dataset, vvi_h5_chunk_fn visit,
                            void *ctx, uint64_t *all, vv_error *err);

#endif
