/* An open array, for the files of this room. */
#ifndef VVI_ZARR_ARRAY_H
#define VVI_ZARR_ARRAY_H

#include "codec/sharding.h"
#include "store/value.h"
#include "util/thread.h"
#include "zarr/meta.h"
#include "zarr/selection.h"

/*
 * How a stored value is read and written: its shape, and its units, which are encoded one by one: the
 * inner chunks of a shard, or the chunk itself. Arrays on a regular grid have one form.
 */
typedef struct vvi_form {
    uint64_t shape[VV_NDIM_MAX];
    const vvi_sharding *sharding;  /* NULL: the value is one unit */
    vvi_grid units;                /* its shape is the value's */
    const vvi_codec_chain *chain;  /* of a unit */
    uint64_t strides[VV_NDIM_MAX]; /* of a decoded unit, in bytes */
    size_t unit_bytes;             /* decoded; SIZE_MAX: more than this build handles */
    /* Of a form that was made for one shape of chunk: */
    vvi_codec_chain *own;
    size_t users; /* guarded by the lock of the forms */
    bool is_kept; /* by the array; else freed by its last user */
} vvi_form;

#define VVI_FORMS_KEPT 64

/* Those of a grid whose chunks have different lengths. */
typedef struct vvi_forms {
    vvi_mutex lock;
    vvi_form *kept[VVI_FORMS_KEPT]; /* guarded by lock */
    size_t count;
    bool is_ready;
} vvi_forms;

/* Buffers of a thread at work, kept by the array: fresh pages cost as much as decoding. */
typedef struct vvi_desk {
    vv_buf key;     /* of the stored value */
    vv_buf encoded; /* a unit as it is stored */
    uint8_t *unit;  /* a decoded unit */
    size_t unit_bytes;
} vvi_desk;

#define VVI_DESKS_KEPT 16

typedef struct vvi_desks {
    vvi_mutex lock;
    vvi_desk *kept[VVI_DESKS_KEPT]; /* guarded by lock, as the rest is */
    size_t count, bytes;
} vvi_desks;

/* The index of a shard, decoded and counted. */
typedef struct vvi_shard_index {
    int refs;        /* atomic */
    uint64_t number; /* of the shard, in C order */
    uint64_t size, version[2];
    uint64_t used; /* when, guarded by the cache's lock */
    size_t count;
    vvi_shard_entry entries[];
} vvi_shard_index;

#define VVI_INDEXES_KEPT      256
#define VVI_INDEXES_BYTES_MAX ((size_t)16 << 20)

typedef struct vvi_index_cache {
    vvi_mutex lock;
    vvi_shard_index *kept[VVI_INDEXES_KEPT]; /* guarded by lock, as the rest is */
    size_t count, bytes;
    uint64_t clock;
} vvi_index_cache;

/* Stored values that are being changed: who changes one has it for himself. */
typedef struct vvi_turns {
    vvi_mutex lock;
    vvi_cond freed;
    uint64_t *busy; /* numbers of values; guarded by lock */
    size_t count, cap;
} vvi_turns;

struct vv_array {
    vv_store *store; /* held */
    char *path;
    vvi_meta meta;
    vv_array_meta public_meta; /* points into meta and the two texts */
    vv_buf codecs_text, attributes_text;
    size_t item;   /* bytes of an element */
    vvi_form form; /* of all values; of a grid of different lengths: of the longest */
    vvi_forms forms;
    vvi_desks desks;
    vvi_index_cache indexes;
    vvi_turns turns;
    bool has_locks; /* those of the three above are there */
};

/* The array at a clean path that a document describes, which is taken also on failure; nothing is
 * stored. */
vv_status vvi_array_of_document(vv_store *store, const char *path, vvi_json *document,
                                vv_array **out, vv_error *err);

/* Append the key of a chunk, terminated. */
vv_status vvi_array_key(const vv_array *array, const uint64_t *index, vv_buf *out,
                        vv_error *err);
/* The number of a chunk in C order over the grid, modulo 2^64. */
uint64_t vvi_array_chunk_number(const vv_array *array, const uint64_t *index);
/* Does each chunk have a number of its own? Not where there are more than 2^64. */
bool vvi_array_numbers_differ(const vv_array *array);

/* Bytes of a decoded chunk; VV_ELIMIT when it is more than this build handles. */
vv_status vvi_array_chunk_bytes(const vv_array *array, size_t *out, vv_error *err);
/* VV_EINVAL for elements of variable length. */
vv_status vvi_array_check_fixed(const vv_array *array, vv_error *err);
/* Bytes of a selection's elements; VV_EINVAL when given is another number. */
vv_status vvi_array_check_bytes(const vv_array *array, uint64_t elements, size_t given,
                                vv_error *err);

/* ---- resize.c --------------------------------------------------------------------------------- */

/* Is the array that a document describes the one that was opened: of its shape, and stored in the same
 * way? Attributes and names of dimensions may be others. VV_EBUSY otherwise, VV_ENOMEM. */
vv_status vvi_array_check_same(const vv_array *array, const vvi_json *document,
                               vv_error *err);

/* ---- form.c ------------------------------------------------------------------------------------ */

vv_status vvi_forms_init(vv_array *array, vv_error *err);
/* A form of the array for values of this shape; chain is borrowed. */
vv_status vvi_form_init(vvi_form *form, const vv_array *array,
                        const vvi_codec_chain *chain, const uint64_t *shape,
                        vv_error *err);
void vvi_forms_clear(vv_array *array);
/* The form of the value under a chunk's index, until it is given back. Returns VV_ELIMIT when a unit is
 * longer than this build handles. */
vv_status vvi_form_take(vv_array *array, const uint64_t *index, const vvi_form **out,
                        vv_error *err);
void vvi_form_give(vv_array *array, const vvi_form *form); /* NULL is fine */
/* At most so many units hold something of a selection; UINT64_MAX past 2^64. */
uint64_t vvi_selection_units(const vv_array *array, const vvi_selection *selection);
/* The same for the part of a selection that lies in one value. */
uint64_t vvi_part_units(const vvi_form *form, const vvi_selection *selection,
                        const vvi_grid_part *part);
/* How many threads are worth it for so many units, decoded or encoded; 0: one a processor. */
uint32_t vvi_form_threads(const vvi_form *form, uint64_t units);
/* How many of so many values to hold at once, for one call of a store with latency: every thread is to
 * have something, however long they are. */
size_t vvi_form_batch(const vvi_form *form, uint64_t values);

/* ---- desk.c: buffers, turns ----------------------------------------------------------------- */

vv_status vvi_desks_init(vvi_desks *desks, vv_error *err);
void vvi_desks_clear(vvi_desks *desks);
vv_status vvi_desk_take(vv_array *array, vvi_desk **out, vv_error *err);
void vvi_desk_give(vv_array *array, vvi_desk *desk); /* NULL is fine */
/* Let the desk have room for a decoded unit. */
vv_status vvi_desk_unit(vvi_desk *desk, const vvi_form *form, vv_error *err);

/* Blocks of memory of one size, used again, for who works on arrays in threads of his own. */
typedef struct vvi_scratch {
    vvi_mutex lock;
    size_t bytes;
    void *blocks[64]; /* guarded by lock */
    size_t count;
} vvi_scratch;

vv_status vvi_scratch_init(vvi_scratch *scratch, size_t bytes, vv_error *err);
void vvi_scratch_clear(vvi_scratch *scratch);
vv_status vvi_scratch_take(vvi_scratch *scratch, uint8_t **out, vv_error *err);
void vvi_scratch_give(vvi_scratch *scratch, void *block); /* NULL is fine */

vv_status vvi_turns_init(vvi_turns *turns, vv_error *err);
void vvi_turns_clear(vvi_turns *turns);
/* Wait until nobody changes the value with this number, and have it until it is given back. Who takes
 * several takes them in C order. */
vv_status vvi_turns_take(vvi_turns *turns, uint64_t number, vv_error *err);
void vvi_turns_give(vvi_turns *turns, uint64_t number);

/* ---- index_cache.c ---------------------------------------------------------------------------- */

vv_status vvi_index_cache_init(vvi_index_cache *cache, vv_error *err);
void vvi_index_cache_clear(vvi_index_cache *cache);
void vvi_index_cache_empty(vvi_index_cache *cache);
/* The index of this state of a shard, held for the caller; NULL: not kept. */
vvi_shard_index *vvi_index_cache_get(vvi_index_cache *cache, uint64_t number,
                                     const vv_store_value *value);
/* Keep an index whose state is known. */
void vvi_index_cache_put(vvi_index_cache *cache, vvi_shard_index *index);
void vvi_index_cache_empty(vvi_index_cache *cache);
void vvi_index_cache_drop(vvi_index_cache *cache, uint64_t number);
void vvi_shard_index_release(vvi_shard_index *index); /* NULL is fine */

/* ---- stored.c --------------------------------------------------------------------------------- */

/* A part of a value that was fetched. */
typedef struct vvi_piece {
    uint64_t offset, length;
    vv_buf bytes;
} vvi_piece;

/* A stored value that is being read, whole or unit by unit. */
typedef struct vvi_stored {
    vv_array *array;
    const vvi_form *form;
    bool is_there;        /* false: all of it is fill values */
    vv_store_value value; /* near stores */
    vv_buf loaded;        /* the others: the whole value, or */
    vvi_piece *pieces;    /* what of it was fetched, sorted; none overlap */
    size_t piece_count;
    vv_bytes whole; /* the whole value where it lies in memory; else data is NULL */
    uint64_t size;  /* of the value; UINT64_MAX: not known */
    vvi_shard_index *index; /* of a shard */
} vvi_stored;

/* Open the value of a chunk; key is its key. Clear it in any case. */
vv_status vvi_stored_open(vvi_stored *source, vv_array *array, const vvi_form *form,
                          const uint64_t *index, const char *key, vv_error *err);
/* Take a value that was fetched whole; loaded becomes empty. */
vv_status vvi_stored_take(vvi_stored *source, vv_array *array, const vvi_form *form,
                          const uint64_t *index, vv_buf *loaded, vv_error *err);
/* Take the index alone of a shard of unknown length. */
vv_status vvi_stored_take_index(vvi_stored *source, vv_array *array, const vvi_form *form,
                                const uint64_t *index, vv_bytes encoded, vv_error *err);
/* Bring the whole value into memory. */
vv_status vvi_stored_load(vvi_stored *source, vv_error *err);
void vvi_stored_clear(vvi_stored *source);

/* Where a unit lies in the value; false: it is absent. */
bool vvi_stored_find(const vvi_stored *source, const uint64_t *unit, uint64_t *offset,
                     uint64_t *length);
/* The encoded bytes of a unit, in *out: in memory of the source, or read into scratch. Returns
 * VV_ECORRUPT where they are far more than an encoder makes of a unit. */
vv_status vvi_stored_unit(const vvi_stored *source, uint64_t offset, uint64_t length,
                          vv_buf *scratch, vv_bytes *out, vv_error *err);
/* Any bytes of the value, in the same way. */
vv_status vvi_stored_bytes(const vvi_stored *source, uint64_t offset, uint64_t length,
                           vv_buf *scratch, vv_bytes *out, vv_error *err);

/* ---- pieces.c: parts of a value, of a store with latency ------------------------------------------ */

/* Note that these bytes are wanted. VV_ECORRUPT: no value has so many. */
vv_status vvi_pieces_add(vvi_stored *source, size_t *cap, uint64_t offset,
                         uint64_t length, vv_error *err);
/* Sort the pieces and join those that lie near each other. False when two overlap and may not: there are
 * none then. */
bool vvi_pieces_join(vvi_stored *source, bool may_overlap);
/* Of all pieces together. */
uint64_t vvi_pieces_bytes(const vvi_stored *source);
/* Fetch them in one call of the store. VV_ENOTFOUND, VV_EIO and what else the store says. */
vv_status vvi_pieces_fetch(vvi_stored *source, const char *key, vv_error *err);

/* ---- region_read.c ---------------------------------------------------------------------------- */

/* A selection that is being read: shared by the threads at work. */
typedef struct vvi_reading {
    vv_array *array;
    const vvi_selection *selection;
    vvi_box result;
    vvi_heap *heap;      /* what elements of variable length point into; else NULL */
    const uint8_t *fill; /* one element, that of the array, or a copy that lives longer */
} vvi_reading;

/* Read a selection into memory that has these strides. */
vv_status vvi_read_selection(const vvi_reading *reading, vv_error *err);
/* Encode a unit; decode one. */
vv_status vvi_unit_encode(const vvi_form *form, const void *elements, vv_buf *out,
                          vv_error *err);
vv_status vvi_unit_decode(const vvi_form *form, vv_bytes encoded, void *elements,
                          vvi_heap *heap, vv_error *err);

/* ---- region_write.c --------------------------------------------------------------------------- */

typedef struct vvi_writing {
    vv_array *array;
    const vvi_selection *selection;
    vvi_box data; /* is only read */
    vvi_heap
        *heap; /* of elements that are read to be written back; NULL for fixed types */
} vvi_writing;

vv_status vvi_write_selection(const vvi_writing *writing, vv_error *err);

#endif
