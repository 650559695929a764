/* varvite: see table.c for what it can do. */
#include "measure.h"
#include "out.h"
#include "progress.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>

/* What comes of a command: messages on standard error, and the exit code. */
static int conclude(cli_call *call, vv_status status)
{
    vv_error error = call->err;
    bool gone = false;

    progress_hide();
    vv_status closed = out_close(call, &gone);
    if (gone)
        return 128 + SIGPIPE;
    if (closed) { /* explains a command that ended early, so it comes first */
        cli_complain(call, "%s", call->err.message);
        return cli_exit_code_of(closed);
    }
    if (status == VV_ECANCELED && stop_signal()) {
        cli_complain(call, "stopped by a signal");
        return 128 + stop_signal();
    }
    if (status && !call->reported) {
        cli_complain(call, "%s", *error.message ? error.message : vv_status_name(status));
        if (call->usage)
            cli_complain(call, "see 'varvite %s%s--help'",
                         call->command ? call->command->name : "",
                         call->command ? " " : "");
    }
    return cli_exit_code_of(status);
}

int main(int argc, char **argv)
{
    cli_call call = { .err = VV_ERROR_INIT };
    bool is_measured = false;

    setlocale(LC_CTYPE, "");  /* whether lines can be drawn; numbers keep their point */
    signal(SIGPIPE, SIG_IGN); /* a reader that left is seen as EPIPE */
    signal(SIGXFSZ, SIG_IGN); /* and a file size limit as EFBIG */
    vv_status status = cli_parse(&call, argc, argv);
    if (!status && cli_has(&call, "help"))
        status = cli_help_for(&call, call.command);
    else if (!status) {
        is_measured = cli_text(&call, "metrics") != NULL;
        measure_begin(&call);
        status = call.command->run(&call);
    }
    int code = conclude(&call, status);
    if (is_measured) {
        status = measure_end(&call);
        if (status)
            cli_complain(&call, "%s", call.err.message);
        code = code == 0 ? cli_exit_code_of(status) : code;
    }
    cli_call_clear(&call);
    return code;
}
