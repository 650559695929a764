#include "recorder/same.h"

#include "recorder/schema.h"
#include "recorder/sink.h"
#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

static vv_status same_tree(const vvi_schema_group *given, const vvi_schema_group *there,
                           vv_error *err)
{
    vv_buf a = VV_BUF_INIT;
    vv_buf b = VV_BUF_INIT;
    vv_status status = vv_tree_to_json(given->tree, &a, err);

    if (!status)
        status = vv_tree_to_json(there->tree, &b, err);
    if (!status && !vvi_bytes_equal(vvi_buf_bytes(&a), vvi_buf_bytes(&b)))
        status = vvi_fail(err, VV_EINVAL, "%s: its tree is not that of the recording",
                          given->name);
    vv_buf_clear(&a);
    vv_buf_clear(&b);
    return status;
}

static bool same_type(const vvi_schema_leaf *a, const vvi_schema_leaf *b)
{
    return a->dtype.code == b->dtype.code && a->dtype.item == b->dtype.item &&
           a->ndim == b->ndim &&
           (a->ndim == 0 || memcmp(a->shape, b->shape, a->ndim * sizeof(*a->shape)) == 0);
}

vv_status vvi_schema_same_units(const vvi_schema_group *group, vvi_schema_leaf *leaf,
                                const char *there, vv_error *err)
{
    if (leaf->units && (!there || strcmp(leaf->units, there) != 0))
        return vvi_fail(err, VV_EINVAL, "%s, %s: in %s, and in the recording in %s",
                        group->name, leaf->name, leaf->units,
                        there ? there : "units that are not said");
    if (!leaf->units && there && !(leaf->units = vvi_strdup(there)))
        return vvi_fail_nomem(err, strlen(there));
    return VV_OK;
}

static vv_status same_group(const vvi_schema_group *given, const vvi_schema_group *there,
                            vv_error *err)
{
    if (given->custom != there->custom ||
        (!given->custom && given->frequency.every != there->frequency.every))
        return vvi_fail(err, VV_EINVAL, "%s: its frequency is not that of the recording",
                        given->name);
    VVI_TRY(same_tree(given, there, err));
    /* Equal trees have equally many leaves, of equal names. */
    for (size_t i = 0; i < given->count; i++) {
        vvi_schema_leaf *a = &given->leaves[given->given[i]];
        const vvi_schema_leaf *b = &there->leaves[there->given[i]];
        char types[2][VVI_TYPE_TEXT];

        VVI_TRY(vvi_schema_same_units(given, a, b->units, err));
        if (same_type(a, b))
            continue;
        vvi_type_text(vv_dtype_name(a->dtype.code), a->ndim, a->shape, types[0]);
        vvi_type_text(vv_dtype_name(b->dtype.code), b->ndim, b->shape, types[1]);
        return vvi_fail(err, VV_EINVAL, "%s, %s: %s, and %s in the recording",
                        given->name, a->name, types[0], types[1]);
    }
    return VV_OK;
}

static vv_status check_same(vv_schema *given, const vv_schema *there, vv_error *err)
{
    if (given->count != there->count)
        return vvi_fail(err, VV_EINVAL,
                        "the schema has %zu groups, and the recording %zu", given->count,
                        there->count);
    for (size_t g = 0; g < given->count; g++) {
        size_t other = 0;

        while (other < there->count &&
               strcmp(given->groups[g].name, there->groups[other].name) != 0)
            other++;
        if (other == there->count)
            return vvi_fail(err, VV_EINVAL, "the recording has no %s",
                            given->groups[g].name);
        VVI_TRY(same_group(&given->groups[g], &there->groups[other], err));
    }
    return VV_OK;
}

vv_status vvi_schema_to_go_on(const vv_schema *given, const vv_schema *there,
                              vv_schema **out, vv_error *err)
{
    vv_schema *copy = NULL;
    vv_schema *own = NULL;
    vv_status status;

    /* Copies have all their trees. */
    VVI_TRY(vvi_schema_copy(there, &copy, err));
    if (!given) {
        *out = copy;
        return VV_OK;
    }
    status = vvi_schema_copy(given, &own, err);
    if (!status)
        status = check_same(own, copy, err);
    vv_schema_free(copy);
    if (status)
        vv_schema_free(own);
    else
        *out = own;
    return status;
}
