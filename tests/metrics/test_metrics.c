/* Counting by name: switches, snapshots, distributions, many threads. */
#include "metrics/snapshots.h"

#include "metrics/metrics.h"

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>

static vv_error err;

static int begin_anew(void **state)
{
    (void)state;
    unsetenv("IPFS_RETRIEVAL_TRACE");
    unsetenv("PY_HAMT_TRACE");
    unsetenv("IPFS_RETRIEVAL_TRACE_SAMPLE_LIMIT");
    vv_metrics_enable(true);
    vv_metrics_reset(NULL);
    return 0;
}

static int forget(void **state)
{
    begin_anew(state);
    vv_metrics_enable(false);
    return (int)vv_metrics_set_sink(NULL, NULL);
}

/* ---- on and off ------------------------------------------------------------------------------- */

static void off_counts_nothing(void **state)
{
    json_t *tree;

    (void)state;
    vv_metrics_enable(false);
    vv_metrics_increment("a", 1);
    vv_metrics_observe("a", 1);
    vv_metrics_value("a", 1);
    vv_metrics_reset("x");
    tree = snapshot();
    assert_int_equal(json_object_size(tree), 0);
    json_decref(tree);
    vv_metrics_enable(true);
    assert_true(counted("counters", "a") < 0);
    tree = snapshot();
    assert_true(json_is_null(json_object_get(tree, "label")));
    json_decref(tree);
}

static void the_environment_decides_by_exact_words(void **state)
{
    static const char *const on[] = { "True", "true", "1", "yes", "Y", "T" };
    static const char *const off[] = { "TRUE", "y", "t", "on", "Yes", "0", "", " 1" };

    (void)state;
    for (int which = 0; which < 2; which++) {
        const char *variable = which ? "PY_HAMT_TRACE" : "IPFS_RETRIEVAL_TRACE";

        for (size_t i = 0; i < sizeof(on) / sizeof(*on); i++) {
            setenv(variable, on[i], 1);
            vv_metrics_use_environment();
            assert_true(vv_metrics_is_enabled());
        }
        for (size_t i = 0; i < sizeof(off) / sizeof(*off); i++) {
            setenv(variable, off[i], 1);
            vv_metrics_use_environment();
            assert_false(vv_metrics_is_enabled());
        }
        unsetenv(variable);
    }
    setenv("PY_HAMT_TRACE", "0", 1);
    setenv("IPFS_RETRIEVAL_TRACE", "1", 1);
    vv_metrics_use_environment();
    assert_true(vv_metrics_is_enabled());
}

/* ---- snapshots -------------------------------------------------------------------------------- */

static void a_snapshot_has_all_members(void **state)
{
    static const char *const members[] = { "enabled",
                                           "label",
                                           "elapsed_seconds",
                                           "counters",
                                           "bytes",
                                           "timings",
                                           "values",
                                           "cas_load_unique_cids",
                                           "cas_load_duplicate_requests",
                                           "cas_load_top_cids",
                                           "zarr_top_keys",
                                           "max_inflight_cas_loads",
                                           "sample_limit" };
    json_t *tree;

    (void)state;
    vv_metrics_reset("run \"7\"\n");
    vv_metrics_increment("mine", 2);
    vv_metrics_increment("mine", 0.5);
    vv_metrics_add_bytes("moved", 1e12);
    vv_metrics_observe("waited", 0.25);
    vv_metrics_value("deep", 3);
    vv_metrics_value("deep", 4);
    tree = snapshot();
    assert_int_equal(json_object_size(tree), sizeof(members) / sizeof(*members));
    for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
        assert_non_null(json_object_get(tree, members[i]));
    assert_true(json_is_true(json_object_get(tree, "enabled")));
    assert_string_equal(json_string_value(json_object_get(tree, "label")), "run \"7\"\n");
    assert_true(number_at(tree, NULL, "elapsed_seconds") >= 0);
    assert_true(number_at(tree, "counters", "mine") == 2.5);
    assert_true(number_at(tree, "counters", "deep.total") == 7);
    assert_true(number_at(tree, "counters", "deep.count") == 2);
    assert_true(number_at(tree, "bytes", "moved") == 1e12);
    assert_true(number_at(json_object_get(tree, "timings"), "waited", "avg") == 0.25);
    assert_true(number_at(json_object_get(tree, "values"), "deep", "p50") == 3.5);
    assert_true(number_at(tree, NULL, "sample_limit") == 2000);
    json_decref(tree);
    assert_true(vv_metrics_counter("mine") == 2.5);
    assert_true(vv_metrics_counter("moved") == 1e12);
    assert_true(vv_metrics_counter("nothing") == 0);
}

static void the_sample_limit_is_read_as_python_reads_it(void **state)
{
    static const struct {
        const char *text;
        double limit;
    } cases[] = { { "5", 5 },      { "0", 0 },      { "-3", 0 },     { "abc", 2000 },
                  { "", 2000 },    { " 7 ", 7 },    { "1_0", 10 },   { "1__0", 2000 },
                  { "_1", 2000 },  { "1_", 2000 },  { "+4", 4 },     { "4.0", 2000 },
                  { "- 4", 2000 }, { "007", 7 },    { "\t9\n", 9 },  { "-0", 0 },
                  { "-", 2000 },   { "1 2", 2000 }, { "0x10", 2000 } };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        setenv("IPFS_RETRIEVAL_TRACE_SAMPLE_LIMIT", cases[i].text, 1);
        vv_metrics_reset(NULL);
        if (counted(NULL, "sample_limit") != cases[i].limit)
            fail_msg("\"%s\" is %g", cases[i].text, counted(NULL, "sample_limit"));
    }
    setenv("IPFS_RETRIEVAL_TRACE_SAMPLE_LIMIT", "99999999999999999999999999", 1);
    vv_metrics_reset(NULL);
    vv_metrics_observe("a", 1);
    assert_true(counted(NULL, "sample_limit") > 1e18);
}

static void a_series_keeps_no_more_samples_than_the_limit(void **state)
{
    json_t *tree, *series;

    (void)state;
    setenv("IPFS_RETRIEVAL_TRACE_SAMPLE_LIMIT", "3", 1);
    vv_metrics_reset(NULL);
    for (int i = 1; i <= 10; i++)
        vv_metrics_observe("t", i);
    tree = snapshot();
    series = json_object_get(json_object_get(tree, "timings"), "t");
    assert_true(number_at(series, NULL, "count") == 10);
    assert_true(number_at(series, NULL, "avg") == 5.5);
    assert_true(number_at(series, NULL, "sample_count") == 3);
    assert_true(number_at(series, NULL, "max") == 3);
    json_decref(tree);
    setenv("IPFS_RETRIEVAL_TRACE_SAMPLE_LIMIT", "0", 1);
    vv_metrics_reset(NULL);
    vv_metrics_observe("t", 1);
    tree = snapshot();
    series = json_object_get(json_object_get(tree, "timings"), "t");
    assert_int_equal(json_object_size(series), 3);
    assert_true(number_at(series, NULL, "sample_count") == 0);
    json_decref(tree);
}

static void numbers_that_are_none_are_passed_by(void **state)
{
    (void)state;
    vv_metrics_increment("n", NAN);
    vv_metrics_observe("n", INFINITY);
    vv_metrics_value("n", -INFINITY);
    vv_metrics_increment("big", 1e308);
    vv_metrics_increment("big", 1e308);
    assert_true(counted("counters", "n") < 0);
    assert_true(vv_metrics_counter("big") == DBL_MAX);
    vv_metrics_increment("big", -1e308);
    assert_true(counted("counters", "big") < 1e308);
}

static void names_that_are_no_utf8_are_shown_repaired(void **state)
{
    vv_buf text = VV_BUF_INIT;

    (void)state;
    vv_metrics_increment("caf\xc3\xa9", 1);
    vv_metrics_increment("caf\xe9", 1);
    assert_vv_ok(vv_metrics_snapshot(&text, &err));
    assert_non_null(strstr((char *)text.data, "\"caf\xc3\xa9\": 1"));
    assert_non_null(strstr((char *)text.data, "\"caf\xef\xbf\xbd\": 1"));
    vv_buf_clear(&text);
}

static void long_names_count(void **state)
{
    char name[2000];
    json_t *tree;

    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    vv_metrics_value(name, 2);
    tree = snapshot();
    assert_true(number_at(json_object_get(tree, "values"), name, "max") == 2);
    json_decref(tree);
}

/* ---- distributions ---------------------------------------------------------------------------- */

static void percentiles_are_samples_and_ties_go_to_even_places(void **state)
{
    double ten[] = { 10, 9, 8, 7, 6, 5, 4, 3, 2, 1 };
    double eleven[11];
    vv_distribution d;

    (void)state;
    vv_metrics_distribution(NULL, 0, 0, 0, &d);
    assert_int_equal(d.count, 0);
    vv_metrics_distribution(NULL, 0, 6, 3, &d);
    assert_true(d.average == 2 && d.sample_count == 0);
    vv_metrics_distribution(ten, 10, 55, 10, &d);
    assert_true(d.min == 1 && d.max == 10 && d.p50 == 5.5 && d.average == 5.5);
    assert_true(d.p95 == 10 && d.p99 == 10); /* 8.55 and 8.91 round to 9 */
    for (int i = 0; i < 11; i++)
        eleven[i] = i;
    vv_metrics_distribution(eleven, 11, 55, 11, &d);
    assert_true(d.p95 == 10); /* 9.5 is between 9 and 10: 10 is even */
    assert_true(d.p50 == 5);
    vv_metrics_distribution(ten, 1, 1, 1, &d);
    assert_true(d.p95 == 1 && d.p99 == 1 && d.max == 1);
}

/* ---- threads and memory -------------------------------------------------------------------- */

#define THREADS 6
#define TURNS   2000

static void *count_a_lot(void *arg)
{
    char name[40];

    for (int i = 0; i < TURNS; i++) {
        snprintf(name, sizeof(name), "name %d", i % 100);
        vv_metrics_increment(name, 1);
        vv_metrics_increment("all", 1);
        vv_metrics_value("values", i);
        vv_metrics_observe("times", 1e-3);
    }
    return arg;
}

static void no_count_of_many_threads_is_lost(void **state)
{
    pthread_t threads[THREADS];
    json_t *tree;

    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_a_lot, NULL), 0);
    for (int i = 0; i < 50; i++) /* looking on changes nothing */
        json_decref(snapshot());
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    tree = snapshot();
    assert_true(number_at(tree, "counters", "all") == THREADS * TURNS);
    assert_true(number_at(tree, "counters", "name 42") == THREADS * TURNS / 100);
    assert_true(number_at(json_object_get(tree, "timings"), "times", "count") ==
                THREADS * TURNS);
    assert_true(number_at(json_object_get(tree, "timings"), "times", "sample_count") ==
                2000);
    json_decref(tree);
}

static void *switch_about(void *arg)
{
    for (int i = 0; i < 300; i++) {
        vv_metrics_enable(i % 3 != 0);
        vv_metrics_keep_spans(i % 2 ? 10 : 0);
        vv_metrics_reset("label");
        json_decref(snapshot());
    }
    vv_metrics_keep_spans(0);
    return arg;
}

static void switching_while_others_count_is_fine(void **state)
{
    pthread_t counter, switcher;

    (void)state;
    assert_int_equal(pthread_create(&counter, NULL, count_a_lot, NULL), 0);
    assert_int_equal(pthread_create(&switcher, NULL, switch_about, NULL), 0);
    pthread_join(counter, NULL);
    pthread_join(switcher, NULL);
}

static vv_status count_and_look(void *ctx)
{
    vv_buf text = VV_BUF_INIT;
    vv_status status;
    vvi_load load;

    (void)ctx;
    vv_metrics_reset("short of memory");
    vv_metrics_increment("a", 1);
    vv_metrics_value("b", 1);
    vv_metrics_observe("c", 1);
    vv_metrics_keep_spans(5);
    vvi_load_begin(&load, "bafy", false, true);
    vvi_load_end(&load, "bafy", false, VV_OK, 5);
    status = vv_metrics_snapshot(&text, &err);
    if (!status)
        status = vv_metrics_prometheus(&text, &err);
    if (!status)
        status = vv_metrics_otlp(VV_OTLP_METRICS, NULL, &text, &err);
    if (!status)
        status = vv_metrics_otlp(VV_OTLP_TRACES, NULL, &text, &err);
    vv_buf_clear(&text);
    vv_metrics_keep_spans(0);
    vv_metrics_reset(NULL);
    return status;
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    survives_failing_allocations(count_and_look, NULL);
}

static void without_memory_counting_is_silent(void **state)
{
    (void)state;
    watch_allocations();
    fail_allocation_after(0, true);
    for (int i = 0; i < 10; i++)
        vv_metrics_value("lost", i);
    vvi_count_work(VVI_STORE_SET, "memory", 1, 1, 0, VV_OK);
    stop_failing_allocations();
    assert_true(counted("values", "lost") < 0);
    vv_metrics_value("lost", 1);
    assert_true(vv_metrics_counter("lost.total") == 1);
}

int main(void)
{
#define TEST(test_) cmocka_unit_test_setup_teardown(test_, begin_anew, forget)
    const struct CMUnitTest tests[] = {
        TEST(off_counts_nothing),
        TEST(the_environment_decides_by_exact_words),
        TEST(a_snapshot_has_all_members),
        TEST(the_sample_limit_is_read_as_python_reads_it),
        TEST(a_series_keeps_no_more_samples_than_the_limit),
        TEST(numbers_that_are_none_are_passed_by),
        TEST(names_that_are_no_utf8_are_shown_repaired),
        TEST(long_names_count),
        TEST(percentiles_are_samples_and_ties_go_to_even_places),
        TEST(no_count_of_many_threads_is_lost),
        TEST(switching_while_others_count_is_fine),
        TEST(any_allocation_may_fail),
        TEST(without_memory_counting_is_silent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
