/*
 * Standard output: results, as text or as JSON. The first failure is kept; from then on every
 * call returns VV_ECANCELED, so that walks and listings end, and out_close() says why.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include "call.h"

#include <stdio.h>

vv_status out_bytes(vv_bytes bytes);
vv_status out_text(const char *text);
vv_status out_format(const char *format, ...) CLI_PRINTF(1, 2);
/* A name from a store: control characters as \xNN, so that it can neither steer a terminal nor
 * pretend to be two lines. */
vv_status out_name(const char *name);
vv_status out_cid(const vv_cid *cid);
vv_sink out_sink(void);

/*
 * Give everything to the system. VV_EIO: a write failed, in call->err.
 * *gone: the reader went away, which is no failure to talk about.
 */
vv_status out_close(cli_call *call, bool *gone);

/* ---- JSON ------------------------------------------------------------------------------ */

/*
 * A writer that knows where commas and line ends belong. key is NULL within a list and at the
 * top. Lists begun with json_row() stay on one line.
 */
void json_object(const char *key);
void json_list(const char *key);
void json_row(const char *key);
void json_end(void); /* the innermost object or list; behind the outermost, a line end */
void json_text(const char *key, const char *text); /* NULL text: null */
void json_uint(const char *key, uint64_t value);
void json_real(const char *key, double value);
void json_bool(const char *key, bool value);
void json_cid(const char *key, const vv_cid *cid);
void json_uints(const char *key, const uint64_t *values, size_t n);
/* Text that is JSON already. */
void json_raw(const char *key, const char *json, size_t len);
/* Has standard output failed? */
bool out_failed(void);

/* ---- a file instead -------------------------------------------------------------------- */

/*
 * Where --output points, or standard output: bytes go to a file beside it, which is renamed by
 * result_commit(). result_clear() without commit removes what was written.
 */
typedef struct cli_result_file {
    cli_call *call;
    char *path; /* NULL: standard output */
    char *partial;
    FILE *stream; /* to it */
} cli_result_file;

vv_status result_open(cli_call *call, const char *path, cli_result_file *out);
vv_sink result_sink(cli_result_file *file);
vv_status result_write(cli_result_file *file, vv_bytes bytes);
vv_status result_commit(cli_result_file *file);
void result_clear(cli_result_file *file);

/* ---- input ----------------------------------------------------------------------------- */

/* Open a file to read, "-" is standard input. */
vv_status input_open(cli_call *call, const char *path, int *fd);
void input_close(int fd);
/* All of it, at most limit bytes. */
vv_status input_read(cli_call *call, const char *path, uint64_t limit, vv_bytes *out,
                     void **owner);

#endif
