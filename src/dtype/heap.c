/* Memory of elements of variable length. */
#include "dtype/dtype.h"

#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

vv_status vvi_heap_init(vvi_heap *heap, vv_error *err)
{
    memset(heap, 0, sizeof(*heap));
    return vvi_mutex_init(&heap->lock, err);
}

void vvi_heap_clear(vvi_heap *heap)
{
    for (size_t i = 0; i < heap->count; i++)
        vv_buf_clear(&heap->blocks[i]);
    vvi_free(heap->blocks);
    vvi_mutex_clear(&heap->lock);
    memset(heap, 0, sizeof(*heap));
}

vv_status vvi_heap_keep(vvi_heap *heap, vv_buf *buf, vv_error *err)
{
    vv_status status;

    vvi_mutex_lock(&heap->lock);
    status = vvi_grow((void **)&heap->blocks, &heap->cap, heap->count + 1,
                      sizeof(*heap->blocks), err);
    if (!status) {
        heap->blocks[heap->count] = (vv_buf)VV_BUF_INIT;
        vvi_buf_move(&heap->blocks[heap->count++], buf);
    }
    vvi_mutex_unlock(&heap->lock);
    return status;
}
