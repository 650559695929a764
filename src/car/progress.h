/* Telling how far an export or an import has come, some ten times a second. */
#ifndef VVI_CAR_PROGRESS_H
#define VVI_CAR_PROGRESS_H

#include <varvite/car.h>

#include "util/thread.h"

typedef struct vvi_car_progress {
    const char *what;
    vv_progress_fn tell; /* NULL: nobody asked */
    void *ctx;
    uint64_t next_ns; /* when to tell again */
} vvi_car_progress;

static inline vv_status vvi_car_tell(vvi_car_progress *self, const vv_car_result *result,
                                     vv_error *err)
{
    vv_progress progress = { .what = self->what,
                             .items_done = result->blocks,
                             .bytes_done = result->bytes };
    vv_status status;
    uint64_t now;

    if (!self->tell)
        return VV_OK;
    now = vvi_now_ns();
    if (now < self->next_ns)
        return VV_OK;
    self->next_ns = now + 100000000u;
    status = self->tell(self->ctx, &progress);
    return status ? vvi_fail(err, status, "%s stopped by the caller", self->what) : VV_OK;
}

#endif
