/* Counting in a child of a fork. Apart, since the thread sanitizer takes the child for one that forgot its
 * threads. */
#include "support/support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static atomic_bool is_over;

static void *count_on(void *arg)
{
    while (!is_over) {
        vv_metrics_increment("all", 1);
        vv_metrics_value("values", 1);
    }
    return arg;
}

/* A lock that another thread held at the fork would never be free in the child. */
static void a_forked_child_counts_on(void **state)
{
    pthread_t counter;

    (void)state;
    vv_metrics_enable(true);
    assert_int_equal(pthread_create(&counter, NULL, count_on, NULL), 0);
    for (int i = 0; i < 50; i++) {
        pid_t child = fork();
        int how = -1;

        if (child == 0) {
            alarm(20);
            for (int k = 0; k < 20; k++)
                vv_metrics_value("in a child", 1);
            vv_metrics_set_sink(NULL, NULL);
            vv_metrics_reset(NULL);
            vv_metrics_increment("in a child", 1);
            _exit(vv_metrics_counter("in a child") == 1 ? 0 : 1);
        }
        assert_true(child > 0);
        waitpid(child, &how, 0);
        assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    }
    is_over = true;
    pthread_join(counter, NULL);
    vv_metrics_reset(NULL);
    vv_metrics_enable(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_forked_child_counts_on) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
