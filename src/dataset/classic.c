/* Source: the netCDF classic format specification (CDF-1, CDF-2) and its CDF-5 extension. */
#include "dataset/classic.h"

#include "util/alloc.h"
#include "util/endian.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define TAG_DIMENSION 10
#define TAG_VARIABLE  11
#define TAG_ATTRIBUTE 12
#define NAME_MAX_     256
#define RANK_MAX      1024

typedef struct header {
    int fd;
    uint64_t size; /* of the file */
    uint64_t at;   /* offset of the next byte */
    int version;   /* 1, 2 or 5 */
    uint64_t numrecs;
    uint64_t *dims; /* lengths; 0 is the record dimension */
    uint64_t dim_count;
    uint64_t record_bytes;
    uint64_t record_vars;
    uint64_t
        last_record_end; /* of the first record: begin + size of the farthest variable */
    uint8_t buffer[8192];
    uint64_t buffer_at;
    size_t buffer_len;
} header;

static vv_status cut(const header *h, vv_error *err)
{
    return vvi_fail(err, VV_ECORRUPT,
                    "the netCDF header goes on past byte %" PRIu64
                    ", where the file ends: it is cut short",
                    h->size);
}

static vv_status get(header *h, void *out, size_t n, vv_error *err)
{
    uint8_t *to = out;

    if (h->at > h->size || n > h->size - h->at)
        return cut(h, err);
    while (n) {
        uint64_t off = h->at - h->buffer_at;
        size_t part;

        if (h->at < h->buffer_at || off >= h->buffer_len) {
            ssize_t got = pread(h->fd, h->buffer, sizeof(h->buffer), (off_t)h->at);

            if (got < 0)
                return vvi_fail_errno(err, errno, "read the header");
            if (got == 0)
                return cut(h, err);
            h->buffer_at = h->at;
            h->buffer_len = (size_t)got;
            off = 0;
        }
        part = h->buffer_len - (size_t)off;
        if (part > n)
            part = n;
        memcpy(to, h->buffer + off, part);
        to += part;
        h->at += part;
        n -= part;
    }
    return VV_OK;
}

static vv_status get32(header *h, uint64_t *out, vv_error *err)
{
    uint8_t b[4];

    VVI_TRY(get(h, b, sizeof(b), err));
    *out = vvi_get_be32(b);
    return VV_OK;
}

static vv_status get64(header *h, uint64_t *out, vv_error *err)
{
    uint8_t b[8];

    VVI_TRY(get(h, b, sizeof(b), err));
    *out = vvi_get_be64(b);
    return VV_OK;
}

/* A count or a length: 64 bits in CDF-5, else 32. */
static vv_status get_count(header *h, uint64_t *out, vv_error *err)
{
    return h->version == 5 ? get64(h, out, err) : get32(h, out, err);
}

static vv_status skip(header *h, uint64_t n, vv_error *err)
{
    if (h->at > h->size || n > h->size - h->at)
        return cut(h, err);
    h->at += n;
    return VV_OK;
}

static vv_status skip_name(header *h, vv_error *err)
{
    uint64_t at = h->at;
    uint64_t n;

    VVI_TRY(get_count(h, &n, err));
    if (n == 0 || n > NAME_MAX_)
        return vvi_fail(err, VV_ECORRUPT,
                        "a name of %" PRIu64 " bytes at offset %" PRIu64, n, at);
    return skip(h, (n + 3) / 4 * 4, err);
}

/* Bytes of an element; 0 for what is no type of this version. */
static unsigned type_size(const header *h, uint64_t type)
{
    static const uint8_t sizes[] = { 0, 1, 1, 2, 4, 4, 8, 1, 2, 4, 8, 8 };

    return type <= (h->version == 5 ? 11u : 6u) ? sizes[type] : 0;
}

/* The head of a list: its tag and count, or zeros where it is absent. */
static vv_status get_list(header *h, unsigned tag, const char *what, uint64_t least_bytes,
                          uint64_t *count, vv_error *err)
{
    uint64_t at = h->at;
    uint64_t found;

    VVI_TRY(get32(h, &found, err));
    VVI_TRY(get_count(h, count, err));
    if (found != tag && !(found == 0 && *count == 0))
        return vvi_fail(err, VV_ECORRUPT,
                        "no list of %s at offset %" PRIu64 " (tag %" PRIu64 ")", what, at,
                        found);
    if (*count > (h->size - h->at) / least_bytes)
        return vvi_fail(err, VV_ECORRUPT,
                        "%" PRIu64 " %s at offset %" PRIu64
                        " are more than the file can hold",
                        *count, what, at);
    return VV_OK;
}

static vv_status skip_attributes(header *h, vv_error *err)
{
    uint64_t n;

    VVI_TRY(get_list(h, TAG_ATTRIBUTE, "attributes", 16, &n, err));
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = h->at;
        uint64_t type;
        uint64_t count;
        uint64_t bytes;

        VVI_TRY(skip_name(h, err));
        VVI_TRY(get32(h, &type, err));
        VVI_TRY(get_count(h, &count, err));
        if (!type_size(h, type))
            return vvi_fail(err, VV_ECORRUPT,
                            "attribute at offset %" PRIu64 " has unknown type %" PRIu64,
                            at, type);
        if (__builtin_mul_overflow(count, (uint64_t)type_size(h, type), &bytes) ||
            bytes > h->size)
            return cut(h, err);
        VVI_TRY(skip(h, (bytes + 3) / 4 * 4, err));
    }
    return VV_OK;
}

static vv_status read_dimensions(header *h, vv_error *err)
{
    bool record = false;

    VVI_TRY(get_list(h, TAG_DIMENSION, "dimensions", 12, &h->dim_count, err));
    h->dims = vvi_alloc_array(h->dim_count ? h->dim_count : 1, sizeof(*h->dims));
    if (!h->dims)
        return vvi_fail_nomem(err, h->dim_count * sizeof(*h->dims));
    for (uint64_t i = 0; i < h->dim_count; i++) {
        VVI_TRY(skip_name(h, err));
        VVI_TRY(get_count(h, &h->dims[i], err));
        if (h->dims[i] > INT64_MAX || (h->dims[i] == 0 && record))
            return vvi_fail(err, VV_ECORRUPT, "dimension %" PRIu64 " has a wrong length",
                            i);
        record = record || h->dims[i] == 0;
    }
    return VV_OK;
}

/* The last byte of a variable lies within the file, or the file was cut. */
static vv_status check_extent(const header *h, uint64_t var, uint64_t begin,
                              uint64_t bytes, vv_error *err)
{
    uint64_t end;

    if (__builtin_add_overflow(begin, bytes, &end))
        end = UINT64_MAX;
    if (bytes && end > h->size)
        return vvi_fail(err, VV_ECORRUPT,
                        "variable number %" PRIu64 " needs bytes up to %" PRIu64
                        " but the file has %" PRIu64 ": it is cut short",
                        var, end, h->size);
    return VV_OK;
}

/* Dimension numbers of a variable and its bytes, those of one record where it has records. */
static vv_status read_shape(header *h, uint64_t var, uint64_t *elements, bool *record,
                            vv_error *err)
{
    uint64_t rank;

    VVI_TRY(get_count(h, &rank, err));
    if (rank > RANK_MAX)
        return vvi_fail(err, VV_ECORRUPT,
                        "variable number %" PRIu64 " has %" PRIu64 " dimensions", var,
                        rank);
    *record = false;
    *elements = 1;
    for (uint64_t i = 0; i < rank; i++) {
        uint64_t dim;

        VVI_TRY(get_count(h, &dim, err));
        if (dim >= h->dim_count || (h->dims[dim] == 0 && i > 0))
            return vvi_fail(err, VV_ECORRUPT,
                            "variable number %" PRIu64 " names dimension %" PRIu64
                            " of %" PRIu64,
                            var, dim, h->dim_count);
        if (h->dims[dim] == 0)
            *record = true;
        else if (__builtin_mul_overflow(*elements, h->dims[dim], elements))
            return vvi_fail(err, VV_ECORRUPT,
                            "variable number %" PRIu64 " has more than 2^64 elements",
                            var);
    }
    return VV_OK;
}

static vv_status read_variable(header *h, uint64_t var, vv_error *err)
{
    uint64_t elements = 1;
    uint64_t type;
    uint64_t vsize;
    uint64_t begin;
    uint64_t bytes;
    bool record = false;

    VVI_TRY(skip_name(h, err));
    VVI_TRY(read_shape(h, var, &elements, &record, err));
    VVI_TRY(skip_attributes(h, err));
    VVI_TRY(get32(h, &type, err));
    VVI_TRY(get_count(h, &vsize, err)); /* redundant, and wrong above 4 GiB by design */
    VVI_TRY(h->version == 1 ? get32(h, &begin, err) : get64(h, &begin, err));
    if (!type_size(h, type))
        return vvi_fail(err, VV_ECORRUPT,
                        "variable number %" PRIu64 " has unknown type %" PRIu64, var,
                        type);
    if (__builtin_mul_overflow(elements, (uint64_t)type_size(h, type), &bytes) ||
        bytes > UINT64_MAX - 3)
        return vvi_fail(err, VV_ECORRUPT,
                        "variable number %" PRIu64 " has more than 2^64 bytes", var);
    if (!record)
        return check_extent(h, var, begin, bytes, err);
    h->record_vars++;
    if (h->numrecs)
        VVI_TRY(check_extent(h, var, begin, bytes, err));
    if (begin + bytes > h->last_record_end)
        h->last_record_end = begin + bytes;
    if (h->record_vars == 1)
        h->record_bytes = bytes; /* padded below, when there is another one */
    else if (h->record_vars == 2)
        h->record_bytes = (h->record_bytes + 3) / 4 * 4;
    if (h->record_vars > 1 &&
        __builtin_add_overflow(h->record_bytes, (bytes + 3) / 4 * 4, &h->record_bytes))
        return vvi_fail(err, VV_ECORRUPT, "a record has more than 2^64 bytes");
    return VV_OK;
}

static vv_status check_records(const header *h, vv_error *err)
{
    uint64_t more;
    uint64_t end;

    if (h->record_vars == 0 || h->numrecs < 2)
        return VV_OK;
    if (__builtin_mul_overflow(h->numrecs - 1, h->record_bytes, &more) ||
        __builtin_add_overflow(more, h->last_record_end, &end))
        end = UINT64_MAX;
    if (end > h->size)
        return vvi_fail(err, VV_ECORRUPT,
                        "%" PRIu64 " records need bytes up to %" PRIu64
                        " but the file has %" PRIu64 ": it is cut short",
                        h->numrecs, end, h->size);
    return VV_OK;
}

static vv_status check(header *h, vv_error *err)
{
    uint8_t magic[4];
    uint64_t n;

    VVI_TRY(get(h, magic, sizeof(magic), err));
    h->version = magic[3];
    if (memcmp(magic, "CDF", 3) != 0 ||
        (h->version != 1 && h->version != 2 && h->version != 5))
        return vvi_fail(err, VV_ECORRUPT, "no classic netCDF header");
    VVI_TRY(get_count(h, &h->numrecs, err));
    if (h->numrecs == (h->version == 5 ? UINT64_MAX : UINT32_MAX))
        return vvi_fail(err, VV_ECORRUPT, "the number of records was never written");
    VVI_TRY(read_dimensions(h, err));
    VVI_TRY(skip_attributes(h, err));
    VVI_TRY(get_list(h, TAG_VARIABLE, "variables", 32, &n, err));
    for (uint64_t i = 0; i < n; i++)
        VVI_TRY(read_variable(h, i, err));
    return check_records(h, err);
}

vv_status vvi_classic_check(int fd, uint64_t file_bytes, vv_error *err)
{
    header *h = vvi_alloc_zero(sizeof(*h));
    vv_status status;

    if (!h)
        return vvi_fail_nomem(err, sizeof(*h));
    h->fd = fd;
    h->size = file_bytes;
    status = check(h, err);
    vvi_free(h->dims);
    vvi_free(h);
    return status;
}
