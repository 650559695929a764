/* A CAR of either version that comes from a source, section by section. */
#ifndef VVI_CAR_STREAM_H
#define VVI_CAR_STREAM_H

#include "car/format.h"

typedef struct vvi_car_stream {
    vv_source source;
    uint8_t *window; /* bytes read from source and not used yet */
    size_t start, end;
    uint64_t offset; /* of the next byte, from the start of the stream */
    uint64_t limit;  /* where the sections end; UINT64_MAX: with the stream */
    vvi_car_header header;
} vvi_car_stream;

/* Read the headers. Ended with clear whatever comes of it. */
vv_status vvi_car_stream_init(vvi_car_stream *self, vv_source source, vv_error *err);
void vvi_car_stream_clear(vvi_car_stream *self);

/*
 * Append the next section's CID and block to out and say its name, its length of CID bytes and
 * where it lies; or *ended and none of that. No status says the end, since a source may fail with
 * any of them.
 */
vv_status vvi_car_stream_next(vvi_car_stream *self, vv_buf *out, vv_cid *cid,
                              size_t *cid_bytes, uint64_t *offset, bool *ended,
                              vv_error *err);

#endif
