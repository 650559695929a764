/* The key of a command: --key-file FILE, --key-fd N or --key-env NAME. Never an argument itself. */
#ifndef CLI_KEYS_H
#define CLI_KEYS_H

#include "call.h"

#include <varvite/crypto.h>

/*
 * The key that the options <prefix>-file, <prefix>-fd and <prefix>-env name, prefix being "key" or
 * "new-key"; all three are in the command's table. *out is NULL where none is given; else freed with
 * vv_key_free(). VV_EINVAL for more than one.
 */
vv_status cli_key(cli_call *call, const char *prefix, vv_key **out);

#endif
