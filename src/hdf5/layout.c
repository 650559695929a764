#include "hdf5/layout.h"

#include "util/buf.h"
#include "json/json.h"

#include <inttypes.h>
#include <string.h>

/* ---- types --------------------------------------------------------------------------------- */

static hid_t bool_type(void)
{
    hid_t type = H5Tenum_create(H5T_STD_I8LE);
    int8_t no = 0, yes = 1;

    if (type >= 0 && (H5Tenum_insert(type, "FALSE", &no) < 0 ||
                      H5Tenum_insert(type, "TRUE", &yes) < 0)) {
        H5Tclose(type);
        return -1;
    }
    return type;
}

static hid_t complex_type(hid_t part, size_t len)
{
    hid_t type = H5Tcreate(H5T_COMPOUND, 2 * len);

    if (type >= 0 &&
        (H5Tinsert(type, "r", 0, part) < 0 || H5Tinsert(type, "i", len, part) < 0)) {
        H5Tclose(type);
        return -1;
    }
    return type;
}

/* IEEE 754's 16 bits, as h5py describes them. */
static hid_t half_type(void)
{
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);

    if (type >= 0 && (H5Tset_fields(type, 15, 10, 5, 0, 10) < 0 ||
                      H5Tset_size(type, 2) < 0 || H5Tset_ebias(type, 15) < 0)) {
        H5Tclose(type);
        return -1;
    }
    return type;
}

static hid_t opaque_type(size_t len)
{
    hid_t type = H5Tcreate(H5T_OPAQUE, len ? len : 1);

    if (type >= 0)
        H5Tset_tag(type, "");
    return type;
}

/* The type in the file; to be closed. Negative: failed, or none. */
static hid_t type_of(const vvi_dtype *dtype)
{
    switch (dtype->code) {
    case VV_BOOL:
        return bool_type();
    case VV_INT8:
        return H5Tcopy(H5T_STD_I8LE);
    case VV_INT16:
        return H5Tcopy(H5T_STD_I16LE);
    case VV_INT32:
        return H5Tcopy(H5T_STD_I32LE);
    case VV_INT64:
    case VV_DATETIME64:
    case VV_TIMEDELTA64:
        return H5Tcopy(H5T_STD_I64LE);
    case VV_UINT8:
        return H5Tcopy(H5T_STD_U8LE);
    case VV_UINT16:
        return H5Tcopy(H5T_STD_U16LE);
    case VV_UINT32:
        return H5Tcopy(H5T_STD_U32LE);
    case VV_UINT64:
        return H5Tcopy(H5T_STD_U64LE);
    case VV_FLOAT16:
        return half_type();
    case VV_FLOAT32:
        return H5Tcopy(H5T_IEEE_F32LE);
    case VV_FLOAT64:
        return H5Tcopy(H5T_IEEE_F64LE);
    case VV_COMPLEX64:
        return complex_type(H5T_IEEE_F32LE, 4);
    case VV_COMPLEX128:
        return complex_type(H5T_IEEE_F64LE, 8);
    case VV_BFLOAT16:
    case VV_RAW:
        return opaque_type(dtype->item);
    default:
        return -1;
    }
}

/* ---- leaves -------------------------------------------------------------------------------- */

bool vvi_hdf5_is_chunked(const vvi_plan_group *group, const vvi_plan_leaf *leaf)
{
    bool compressed = group->compression.codec != VV_COMPRESS_NONE;

    switch (group->kind) {
    case VVI_GROUP_ROWS:
        return true;
    case VVI_GROUP_ONCE:
        return compressed && leaf->ndim && leaf->row_bytes &&
               leaf->row_bytes < VVI_HDF5_CHUNK_MAX;
    default:
        return compressed && leaf->row_bytes >= VVI_HDF5_PLACED_CHUNK &&
               leaf->row_bytes < VVI_HDF5_CHUNK_MAX && group->places;
    }
}

void vvi_hdf5_leaf_pipeline(const vvi_plan *plan, const vvi_plan_group *group,
                            const vvi_plan_leaf *leaf, vvi_pool *scratch,
                            vvi_hdf5_pipeline *out)
{
    uint64_t rows = group->kind == VVI_GROUP_ROWS ? leaf->chunk_rows : 1;

    vvi_hdf5_pipeline_make(&group->compression, plan->options.checksum, leaf->dtype.item,
                           (size_t)(rows * leaf->row_bytes), scratch, out);
}

/* Dimensions of a leaf's data set, and of its chunks. */
typedef struct extent {
    uint32_t rank;
    hsize_t dims[H5S_MAX_RANK], max[H5S_MAX_RANK], chunk[H5S_MAX_RANK];
} extent;

static vv_status extent_of(const vvi_plan_group *group, const vvi_plan_leaf *leaf,
                           extent *out, vv_error *err)
{
    uint32_t lead = group->kind == VVI_GROUP_ROWS   ? 1
                    : group->kind == VVI_GROUP_ONCE ? 0
                                                    : group->extent_ndim;

    if (lead + leaf->ndim > H5S_MAX_RANK)
        return vvi_fail(err, VV_EINVAL, "HDF5 has at most %d dimensions", H5S_MAX_RANK);
    out->rank = lead + leaf->ndim;
    for (uint32_t d = 0; d < lead; d++) {
        out->dims[d] = out->max[d] = group->extent[d];
        out->chunk[d] = 1;
    }
    if (group->kind == VVI_GROUP_ROWS) {
        out->dims[0] = 0;
        out->max[0] = H5S_UNLIMITED;
        out->chunk[0] = leaf->chunk_rows;
    }
    for (uint32_t d = 0; d < leaf->ndim; d++) {
        out->dims[lead + d] = out->max[lead + d] = leaf->shape[d];
        out->chunk[lead + d] = leaf->shape[d] ? leaf->shape[d] : 1;
    }
    return VV_OK;
}

static hid_t link_properties(void)
{
    hid_t properties = H5Pcreate(H5P_LINK_CREATE);

    if (properties >= 0 && (H5Pset_create_intermediate_group(properties, 1) < 0 ||
                            H5Pset_char_encoding(properties, H5T_CSET_UTF8) < 0)) {
        H5Pclose(properties);
        return -1;
    }
    return properties;
}

/* A data set in one piece, whose place in the file is set aside. Negative: failed. */
static herr_t make_contiguous(hid_t in, const char *name, hid_t type, hid_t space,
                              const void *value)
{
    hid_t links = link_properties();
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    hid_t dataset = -1;
    herr_t result = -1;

    if (links >= 0 && properties >= 0 && type >= 0 && space >= 0 &&
        H5Pset_obj_track_times(properties, 0) >= 0 &&
        H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY) >= 0 &&
        H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER) >= 0)
        dataset = H5Dcreate2(in, name, type, space, links, properties, H5P_DEFAULT);
    if (dataset >= 0) {
        result = value ? H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, value)
                       : 0;
        if (H5Dclose(dataset) < 0)
            result = -1;
    }
    if (properties >= 0)
        H5Pclose(properties);
    if (links >= 0)
        H5Pclose(links);
    return result;
}

static herr_t make_scalar(hid_t in, const char *name, hid_t type, const void *value)
{
    hid_t space = H5Screate(H5S_SCALAR);
    herr_t result = make_contiguous(in, name, type, space, value);

    if (space >= 0)
        H5Sclose(space);
    return result;
}

static herr_t make_bytes(hid_t in, const char *name, vv_bytes bytes)
{
    hid_t type = opaque_type(bytes.len);
    herr_t result = make_scalar(in, name, type, bytes.data);

    if (type >= 0)
        H5Tclose(type);
    return result;
}

static herr_t make_chunked(hid_t in, const char *name, hid_t type, hid_t space,
                           const extent *shape, const vvi_hdf5_pipeline *pipeline)
{
    hid_t links = link_properties();
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    hid_t dataset = -1;

    if (links >= 0 && properties >= 0 && type >= 0 && space >= 0 &&
        H5Pset_obj_track_times(properties, 0) >= 0 &&
        H5Pset_chunk(properties, (int)shape->rank, shape->chunk) >= 0 &&
        vvi_hdf5_filters_set(properties, pipeline) >= 0)
        dataset = H5Dcreate2(in, name, type, space, links, properties, H5P_DEFAULT);
    if (properties >= 0)
        H5Pclose(properties);
    if (links >= 0)
        H5Pclose(links);
    return dataset >= 0 ? H5Dclose(dataset) : -1;
}

static hid_t text_type(size_t len, bool variable)
{
    hid_t type = H5Tcopy(H5T_C_S1);

    if (type >= 0 && (H5Tset_size(type, variable ? H5T_VARIABLE : len) < 0 ||
                      H5Tset_cset(type, H5T_CSET_UTF8) < 0)) {
        H5Tclose(type);
        return -1;
    }
    return type;
}

static herr_t set_attribute(hid_t object, const char *name, hid_t type, const void *value)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = -1;
    herr_t result = -1;

    if (H5Aexists(object, name) > 0 && H5Adelete(object, name) < 0)
        goto done;
    if (type >= 0 && space >= 0)
        attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute >= 0) {
        result = H5Awrite(attribute, type, value);
        if (H5Aclose(attribute) < 0)
            result = -1;
    }
done:
    if (space >= 0)
        H5Sclose(space);
    return result;
}

/* As h5py keeps texts: of variable length. */
static herr_t set_text(hid_t object, const char *name, const char *text)
{
    hid_t type = text_type(0, true);
    herr_t result = set_attribute(object, name, type, &text);

    if (type >= 0)
        H5Tclose(type);
    return result;
}

static herr_t put_units(hid_t in, const vvi_plan_leaf *leaf)
{
    hid_t dataset = H5Dopen2(in, leaf->name, H5P_DEFAULT);
    herr_t result = dataset < 0 ? -1 : set_text(dataset, "units", leaf->units);

    if (dataset >= 0)
        H5Dclose(dataset);
    return result;
}

static vv_status make_leaf(const vvi_hdf5_file *file, hid_t in, const vvi_plan *plan,
                           const vvi_plan_group *group, const vvi_plan_leaf *leaf,
                           vv_error *err)
{
    vvi_hdf5_pipeline pipeline;
    extent shape = { .rank = 0 };
    hid_t type, space;
    herr_t result;

    VVI_TRY(extent_of(group, leaf, &shape, err));
    if (group->kind == VVI_GROUP_ROWS &&
        leaf->row_bytes > VVI_HDF5_CHUNK_MAX / leaf->chunk_rows)
        return vvi_fail(err, VV_EUNSUPPORTED, "chunks of more than 2 GiB");
    type = type_of(&leaf->dtype);
    if (type < 0)
        return vvi_fail(err, VV_EUNSUPPORTED, "HDF5 has no elements of type %s",
                        vv_dtype_name(leaf->dtype.code));
    space = shape.rank ? H5Screate_simple((int)shape.rank, shape.dims, shape.max)
                       : H5Screate(H5S_SCALAR);
    vvi_hdf5_leaf_pipeline(plan, group, leaf, NULL, &pipeline);
    result = vvi_hdf5_is_chunked(group, leaf)
                 ? make_chunked(in, leaf->name, type, space, &shape, &pipeline)
                 : make_contiguous(in, leaf->name, type, space, NULL);
    if (result >= 0 && leaf->units)
        result = put_units(in, leaf);
    if (space >= 0)
        H5Sclose(space);
    H5Tclose(type);
    return result < 0 ? vvi_hdf5_fail(file, err, "make the data set") : VV_OK;
}

/* ---- attributes ---------------------------------------------------------------------------- */

static herr_t set_json(hid_t root, const char *name, const vvi_json *value, vv_buf *text)
{
    int64_t integer;
    double number;

    if (vvi_json_text(value, NULL))
        return set_text(root, name, vvi_json_text(value, NULL));
    if (vvi_json_int64(value, &integer))
        return set_attribute(root, name, H5T_NATIVE_INT64, &integer);
    if (vvi_json_double(value, &number))
        return set_attribute(root, name, H5T_NATIVE_DOUBLE, &number);
    text->len = 0;
    if (vvi_json_write(value, 0, text, NULL) || vvi_buf_terminate(text, NULL))
        return -1;
    return set_text(root, name, (const char *)text->data);
}

static bool is_ours(const char *name)
{
    return strcmp(name, "actual_steps") == 0 || strcmp(name, "group_names") == 0 ||
           strcmp(name, "config_class_name") == 0 || strcmp(name, "config_pytree") == 0;
}

vv_status vvi_hdf5_set_attributes(const vvi_hdf5_file *file, hid_t id,
                                  int64_t actual_steps, const char *attributes,
                                  vv_error *err)
{
    vvi_json *object = NULL;
    vv_buf text = VV_BUF_INIT;
    vv_status status = VV_OK;

    if (attributes)
        VVI_TRY(vvi_json_parse(vv_bytes_of(attributes), &object, err));
    if (object && !vvi_json_is(object, VVI_JSON_OBJECT))
        status = vvi_fail(err, VV_EINVAL, "attributes are %s, not an object",
                          vvi_json_kind_name(object));
    for (const vvi_json *member = vvi_json_first(object); member && !status;
         member = vvi_json_next(member)) {
        const char *name = vvi_json_name(member);

        if (is_ours(name) || !name[0])
            status = vvi_fail(err, VV_EINVAL, "attribute '%s' is the recording's own",
                              name);
        else if (set_json(id, name, member, &text) < 0)
            status = vvi_hdf5_fail(file, err, "attribute '%s'", name);
    }
    if (!status &&
        set_attribute(id, "actual_steps", H5T_STD_I64LE, &(int64_t){ actual_steps }) < 0)
        status = vvi_hdf5_fail(file, err, "attribute 'actual_steps'");
    vv_buf_clear(&text);
    vvi_json_free(object);
    return status;
}

/* ---- groups -------------------------------------------------------------------------------- */

/* The pickle of a tree, the class of it, and the names of its leaves, as kUPS has them. */
static vv_status make_tree(const vvi_hdf5_file *file, hid_t in, const vv_tree *tree,
                           bool is_config, vv_error *err)
{
    const char *class_name = vv_tree_class_name(tree);
    vv_buf pickle = VV_BUF_INIT;
    vv_buf names = VV_BUF_INIT;
    vv_status status = vv_tree_to_pickle(tree, &pickle, err);

    if (!class_name) /* of one leaf, as kUPS has it there */
        class_name = is_config ? "WriterGroupConfig" : "ArrayImpl";
    if (!status)
        status = vv_tree_names_json(tree, is_config ? "group" : "array", &names, err);
    if (!status &&
        (make_bytes(in, is_config ? "config_pytree" : "tree_def",
                    vvi_buf_bytes(&pickle)) < 0 ||
         set_text(in, is_config ? "config_class_name" : "data_class_name", class_name) <
             0 ||
         set_text(in, is_config ? "group_names" : "paths", (const char *)names.data) < 0))
        status = vvi_hdf5_fail(file, err, "write the tree");
    vv_buf_clear(&pickle);
    vv_buf_clear(&names);
    return status;
}

static herr_t make_written(hid_t in, const vvi_plan_group *group)
{
    hsize_t dims[VVI_EXTENT_NDIM_MAX];
    hid_t space;
    herr_t result;

    for (uint32_t d = 0; d < group->extent_ndim; d++)
        dims[d] = group->extent[d];
    space = group->extent_ndim ? H5Screate_simple((int)group->extent_ndim, dims, NULL)
                               : H5Screate(H5S_SCALAR);
    result = make_contiguous(in, VVI_HDF5_WRITTEN, H5T_STD_U8LE, space, NULL);
    if (space >= 0)
        H5Sclose(space);
    return result;
}

static vv_status fill_group(const vvi_hdf5_file *file, hid_t in, const vvi_plan *plan,
                            const vvi_plan_group *group, vv_error *err)
{
    uint64_t zero = 0;

    for (size_t i = 0; i < group->leaf_count; i++) {
        vv_status status = make_leaf(file, in, plan, group, &group->leaves[i], err);

        if (status)
            return vvi_wrap(err, status, "leaf '%s'", group->leaves[i].name);
    }
    if (make_scalar(in, VVI_HDF5_ROWS, H5T_STD_U64LE, &zero) < 0)
        return vvi_hdf5_fail(file, err, "make '%s'", VVI_HDF5_ROWS);
    if (group->kind == VVI_GROUP_PLACED && make_written(in, group) < 0)
        return vvi_hdf5_fail(file, err, "make '%s'", VVI_HDF5_WRITTEN);
    return make_tree(file, in, group->tree, false, err);
}

static vv_status make_group(const vvi_hdf5_file *file, hid_t root, const vvi_plan *plan,
                            const vvi_plan_group *group, vv_error *err)
{
    hid_t links = link_properties();
    hid_t in = links >= 0 ? H5Gcreate2(root, group->name, links, H5P_DEFAULT, H5P_DEFAULT)
                          : -1;
    vv_status status;

    if (links >= 0)
        H5Pclose(links);
    if (in < 0)
        return vvi_hdf5_fail(file, err, "group '%s'", group->name);
    status = fill_group(file, in, plan, group, err);
    if (H5Gclose(in) < 0 && !status)
        status = vvi_hdf5_fail(file, err, "close it");
    return status ? vvi_wrap(err, status, "group '%s'", group->name) : VV_OK;
}

static vv_status make_schema(const vvi_hdf5_file *file, hid_t id, const vvi_plan *plan,
                             const char *recording, vv_error *err)
{
    vv_buf text = VV_BUF_INIT;
    vv_status status = vvi_hdf5_schema_text(plan, recording, &text, err);
    hid_t type = -1;

    if (!status) {
        type = text_type(text.len, false);
        if (make_scalar(id, VVI_HDF5_SCHEMA, type, text.data) < 0)
            status = vvi_hdf5_fail(file, err, "make '%s'", VVI_HDF5_SCHEMA);
        if (type >= 0)
            H5Tclose(type);
    }
    vv_buf_clear(&text);
    return status;
}

vv_status vvi_hdf5_layout(const vvi_hdf5_file *file, hid_t id, const vvi_plan *plan,
                          const char *recording, vv_error *err)
{
    int64_t zero = 0;

    if (vvi_hdf5_filters_register() < 0)
        return vvi_hdf5_fail(file, err, "register filters");
    VVI_TRY(make_schema(file, id, plan, recording, err));
    if (make_scalar(id, VVI_HDF5_NEXT_STEP, H5T_STD_I64LE, &zero) < 0)
        return vvi_hdf5_fail(file, err, "make '%s'", VVI_HDF5_NEXT_STEP);
    VVI_TRY(make_tree(file, id, plan->config, true, err));
    for (size_t g = 0; g < plan->group_count; g++)
        VVI_TRY(make_group(file, id, plan, &plan->groups[g], err));
    return VV_OK;
}

uint64_t vvi_hdf5_address_of(hid_t in, const char *name)
{
    hid_t dataset = H5Dopen2(in, name, H5P_DEFAULT);
    haddr_t address = HADDR_UNDEF;

    if (dataset >= 0) {
        address = H5Dget_offset(dataset);
        H5Dclose(dataset);
    }
    return address == HADDR_UNDEF ? 0 : address;
}
