/* Lists of lengths, "24,180,360": shapes and offsets. */
#ifndef CLI_LENGTHS_H
#define CLI_LENGTHS_H

#include "call.h"

#define CLI_LENGTHS_MAX 32

/* VV_EINVAL for text that is no such list; what is what it is, in the message. An empty text is none. */
vv_status cli_lengths(cli_call *call, const char *what, const char *text,
                      uint64_t out[CLI_LENGTHS_MAX], uint32_t *n);

#endif
