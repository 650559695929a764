/* Files of unknown origin, opened in a child process first. */
#include <varvite/dataset.h>

#include "dataset/netcdf.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSOR_SECONDS 20

/* The child: open, close, and tell what came of it through fd. */
static void look(const char *path, int fd)
{
    const struct rlimit seconds = { PROCESSOR_SECONDS, PROCESSOR_SECONDS };
    const struct rlimit no_core = { 0, 0 };
    static const int crashes[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGXCPU };
    vv_error outcome = VV_ERROR_INIT;
    vvi_source *source = NULL;
    const char *from = (const char *)&outcome;
    size_t left = sizeof(outcome);

    /* A crash ends the child; the parent's handlers are not for it. */
    for (size_t i = 0; i < sizeof(crashes) / sizeof(*crashes); i++)
        signal(crashes[i], SIG_DFL);
    setrlimit(RLIMIT_CPU, &seconds);
    setrlimit(RLIMIT_CORE, &no_core);
    outcome.status = vvi_netcdf_source_open(path, &source, &outcome);
    if (!outcome.status)
        vvi_source_free(source);
    while (left) {
        ssize_t n = write(fd, from, left);

        if (n < 0)
            break;
        from += n;
        left -= (size_t)n;
    }
    _exit(0);
}

/* All that the child said; false when it ended before it had. */
static bool listen_to(int fd, vv_error *outcome)
{
    char *to = (char *)outcome;
    size_t left = sizeof(*outcome);

    while (left) {
        ssize_t n = read(fd, to, left);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        to += n;
        left -= (size_t)n;
    }
    return true;
}

static vv_status judge(const char *path, bool spoke, const vv_error *outcome, int result,
                       vv_error *err)
{
    if (spoke && !outcome->status)
        return VV_OK;
    if (spoke)
        return vvi_fail(err, outcome->status, "%s", outcome->message);
    if (WIFSIGNALED(result) &&
        (WTERMSIG(result) == SIGXCPU || WTERMSIG(result) == SIGKILL))
        return vvi_fail(
            err, VV_ECORRUPT,
            "%s: reading its metadata took more than %d seconds of processor time: "
            "it is damaged",
            path, PROCESSOR_SECONDS);
    return vvi_fail(err, VV_ECORRUPT, "%s: libhdf5 crashes on it (%s): it is damaged",
                    path, WIFSIGNALED(result) ? strsignal(WTERMSIG(result)) : "exit");
}

vv_status vv_dataset_probe(const char *source, vv_error *err)
{
    vv_error outcome = VV_ERROR_INIT;
    struct stat st;
    bool hdf5 = false;
    bool spoke;
    int result = 0;
    int ends[2];
    pid_t child;
    vv_status status;

    if (stat(source, &st) < 0)
        return vvi_fail_errno(err, errno, "%s", source);
    if (S_ISDIR(st.st_mode))
        return VV_OK;
    status = vvi_netcdf_check_file(source, &hdf5, err);
    if (status)
        return vvi_wrap(err, status, "%s", source);
    if (!hdf5)
        return VV_OK;
    if (pipe(ends) < 0)
        return vvi_fail_errno(err, errno, "%s: make a pipe", source);
    vvi_hdf5_lock(); /* so that no other thread holds it while the child is made */
    child = fork();
    vvi_hdf5_unlock();
    if (child == 0)
        look(source, ends[1]);
    close(ends[1]);
    if (child < 0) {
        close(ends[0]);
        return vvi_fail_errno(err, errno, "%s: make a process to probe it", source);
    }
    spoke = listen_to(ends[0], &outcome);
    close(ends[0]);
    while (waitpid(child, &result, 0) < 0 && errno == EINTR)
        continue;
    return judge(source, spoke, &outcome, result, err);
}
