#include "dataset/netcdf.h"

#include <netcdf_filter.h>
#include <stdio.h>

static vv_status status_of(int code)
{
    switch (code) {
    case NC_ENOMEM:
        return VV_ENOMEM;
    case NC_ENOTNC:
        return VV_EINVAL;
    case NC_EEXIST:
        return VV_EEXISTS;
    case NC_EPERM:
        return VV_EAUTH;
    case NC_EFILTER:
    case NC_ENOFILTER:
    case NC_ENOTBUILT:
    case NC_ECANTEXTEND:
        return VV_EUNSUPPORTED;
    case NC_ECANTWRITE:
    case NC_ECANTCREATE:
        return VV_EIO;
    default:
        return VV_ECORRUPT;
    }
}

vv_status vvi_fail_netcdf(vv_error *err, int code, const char *format, ...)
{
    char what[VV_ERROR_MESSAGE_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    if (code > 0)
        return vvi_fail_errno(err, code, "%s", what);
    return vvi_fail(err, status_of(code), "%s: %s", what, nc_strerror(code));
}

static const vv_dtype dtypes[] = {
    [NC_BYTE] = VV_INT8,      [NC_SHORT] = VV_INT16,   [NC_INT] = VV_INT32,
    [NC_INT64] = VV_INT64,    [NC_UBYTE] = VV_UINT8,   [NC_USHORT] = VV_UINT16,
    [NC_UINT] = VV_UINT32,    [NC_UINT64] = VV_UINT64, [NC_FLOAT] = VV_FLOAT32,
    [NC_DOUBLE] = VV_FLOAT64,
};
#define DTYPE_COUNT ((nc_type)(sizeof(dtypes) / sizeof(*dtypes)))

vv_dtype vvi_dtype_of_nc(nc_type type)
{
    return type > 0 && type < DTYPE_COUNT ? dtypes[type] : VV_DTYPE_NONE;
}

nc_type vvi_nc_of_dtype(vv_dtype dtype)
{
    if (dtype == VV_BOOL)
        return NC_BYTE;
    for (nc_type type = 1; type < DTYPE_COUNT && dtype != VV_DTYPE_NONE; type++)
        if (dtypes[type] == dtype)
            return type;
    return NC_NAT;
}
