/* Memory: everything the library allocates goes through here, so that a test can refuse it. */
#ifndef VVI_UTIL_ALLOC_H
#define VVI_UTIL_ALLOC_H

#include "util/error.h"

/* size 0 gives a pointer that can be freed. NULL: out of memory. */
void *vvi_alloc(size_t size);
void *vvi_alloc_zero(size_t size);
void *vvi_realloc(void *ptr, size_t size);
void vvi_free(void *ptr);

/* count × size, NULL also when that overflows. */
void *vvi_alloc_array(size_t count, size_t size);
void *vvi_alloc_array_zero(size_t count, size_t size);

char *vvi_strdup(const char *text);
char *vvi_strndup(const char *text, size_t len);

/* Let *array (elements of size bytes, *cap of them) hold at least want; grows by half. */
vv_status vvi_grow(void **array, size_t *cap, size_t want, size_t size, vv_error *err);

#endif
