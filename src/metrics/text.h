/* Writing text: the first failure stays, and what follows it does nothing. */
#ifndef VVI_METRICS_TEXT_H
#define VVI_METRICS_TEXT_H

#include "util/error.h"

typedef struct vvi_text {
    vv_buf out;
    vv_status status;
    vv_error *err;
    bool is_first; /* the next item of a JSON list or object is its first: no comma */
} vvi_text;

void vvi_text_put(vvi_text *text, const char *format, ...) VVI_PRINTF(2, 3);
/* The shortest number that reads back equal, without a fraction where it has none. */
void vvi_text_number(vvi_text *text, double number);

/* JSON: an item of a list, or a member; name NULL: of a list. Then its value. */
void vvi_text_item(vvi_text *text, const char *name);
void vvi_text_open(vvi_text *text, char bracket);
void vvi_text_close(vvi_text *text, char bracket);
/* A string; bytes that are no UTF-8 become U+FFFD. */
void vvi_text_string(vvi_text *text, vv_bytes bytes);
void vvi_text_member(vvi_text *text, const char *name, const char *value);

/* Put what was written into out, or give the failure; the text is empty afterwards. */
vv_status vvi_text_end(vvi_text *text, vv_buf *out);

#endif
