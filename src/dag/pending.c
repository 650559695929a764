#include "dag/pending.h"

#include "util/buf.h"
#include "util/endian.h"

#include <assert.h>

#define TAIL_BYTES 6

vv_status vvi_pending_push(vv_buf *stack, const vvi_dag_link *link, vv_error *err)
{
    uint8_t bytes[VV_CID_BYTES_MAX + TAIL_BYTES];
    size_t len;

    vv_cid_to_bytes(&link->cid, bytes, &len);
    vvi_put_le32(bytes + len, link->depth);
    bytes[len + 4] = (uint8_t)link->form;
    bytes[len + 5] = (uint8_t)len;
    return vvi_buf_append(stack, vvi_bytes(bytes, len + TAIL_BYTES), err);
}

/* The packed link that ends at byte end. */
static vv_bytes packed_before(const vv_buf *stack, size_t end)
{
    size_t len = stack->data[end - 1] + (size_t)TAIL_BYTES;

    assert(len <= end);
    return vvi_bytes(stack->data + end - len, len);
}

void vvi_pending_before(const vv_buf *stack, size_t *end, vvi_dag_link *link)
{
    vv_bytes packed = packed_before(stack, *end);
    const uint8_t *tail = packed.data + packed.len - TAIL_BYTES;
    size_t used;
    vv_status status = vv_cid_read(vvi_bytes(packed.data, packed.len - TAIL_BYTES),
                                   &link->cid, &used, NULL);

    assert(status == VV_OK && used + TAIL_BYTES == packed.len);
    (void)status;
    link->depth = vvi_get_le32(tail);
    link->form = (vvi_dag_form)tail[4];
    *end -= packed.len;
}

vv_status vvi_pending_push_reversed(vv_buf *stack, const vv_buf *other, vv_error *err)
{
    size_t end = other->len;

    VVI_TRY(vvi_buf_reserve(stack, other->len, err));
    while (end) {
        vv_bytes packed = packed_before(other, end);

        VVI_TRY(vvi_buf_append(stack, packed, err));
        end -= packed.len;
    }
    return VV_OK;
}
