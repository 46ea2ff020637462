/* Counters, gauges and histograms as Prometheus reads them. */
#include "tools.h"

#include <pthread.h>
#include <stdio.h>

#include "metrics.h"

enum { READINGS, REJECTS, WAITING, STATE };

static const struct metric_def defs[] = {
    [READINGS] = {"z_readings_total", METRIC_COUNTER, NULL, "Readings decoded."},
    [REJECTS] = {"z_rejects_total", METRIC_COUNTER, "reason", "Rejects."},
    [WAITING] = {"z_waiting", METRIC_GAUGE, NULL, "Telegrams that wait."},
    [STATE] = {"z_state", METRIC_GAUGE, "what", "1 when up."},
    {NULL, METRIC_GAUGE, NULL, NULL},
};

static void check_print(struct metrics *m, const char *want)
{
    char text[2048] = "";
    FILE *out = fmemopen(text, sizeof text, "w");

    metrics_print(m, out);
    fclose(out);
    assert_string_equal(text, want);
}

static void unlabelled_ones_stand_at_zero_from_the_start(void **state)
{
    struct metrics *m = metrics_new(defs);

    (void)state;
    check_print(m, "# HELP z_readings_total Readings decoded.\n"
                   "# TYPE z_readings_total counter\n"
                   "z_readings_total 0\n"
                   "# HELP z_rejects_total Rejects.\n"
                   "# TYPE z_rejects_total counter\n"
                   "# HELP z_waiting Telegrams that wait.\n"
                   "# TYPE z_waiting gauge\n"
                   "z_waiting 0\n"
                   "# HELP z_state 1 when up.\n"
                   "# TYPE z_state gauge\n");
    metrics_free(m);
    metrics_free(NULL);
}

static void labels_make_series_in_their_order(void **state)
{
    struct metrics *m = metrics_new(defs);

    (void)state;
    metrics_add(m, READINGS, NULL, 1);
    metrics_add(m, READINGS, NULL, 4000000000);
    metrics_add(m, REJECTS, "checksum", 2);
    metrics_add(m, REJECTS, "wrong-key", 1);
    metrics_add(m, REJECTS, "checksum", 3);
    metrics_set(m, WAITING, NULL, 7);
    metrics_set(m, WAITING, NULL, -3);
    metrics_set(m, STATE, "broker", 1);
    metrics_set(m, STATE, "broker", 0);
    assert_int_equal(metrics_get(m, READINGS, NULL), 4000000001);
    assert_int_equal(metrics_get(m, REJECTS, "checksum"), 5);
    assert_int_equal(metrics_get(m, REJECTS, "wrong-key"), 1);
    check_print(m, "# HELP z_readings_total Readings decoded.\n"
                   "# TYPE z_readings_total counter\n"
                   "z_readings_total 4000000001\n"
                   "# HELP z_rejects_total Rejects.\n"
                   "# TYPE z_rejects_total counter\n"
                   "z_rejects_total{reason=\"checksum\"} 5\n"
                   "z_rejects_total{reason=\"wrong-key\"} 1\n"
                   "# HELP z_waiting Telegrams that wait.\n"
                   "# TYPE z_waiting gauge\n"
                   "z_waiting -3\n"
                   "# HELP z_state 1 when up.\n"
                   "# TYPE z_state gauge\n"
                   "z_state{what=\"broker\"} 0\n");
    metrics_free(m);
}

static void a_histogram_counts_up_to_each_bound(void **state)
{
    static const struct metric_def histograms[] = {
        {"z_seconds", METRIC_DURATIONS, "stream", "Durations."},
        {"z_sizes", METRIC_SIZES, NULL, "Sizes."},
        {NULL, METRIC_GAUGE, NULL, NULL},
    };
    struct metrics *m = metrics_new(histograms);
    char text[4096] = "";
    FILE *out = fmemopen(text, sizeof text, "w");

    (void)state;
    metrics_observe(NULL, 0, "history", 1);
    metrics_observe(m, 0, "history", -5); /* a clock that was set back */
    metrics_observe(m, 0, "history", 25);
    metrics_observe(m, 0, "history", 26);
    metrics_observe(m, 0, "history", 3600001);
    assert_int_equal(metrics_get(m, 0, "history"), 4);
    for (int i = 1; i <= 3; i++)
        metrics_observe(m, 1, NULL, 400 * i);
    metrics_print(m, out);
    fclose(out);
    assert_non_null(strstr(text, "# TYPE z_seconds histogram\n"
                                 "z_seconds_bucket{stream=\"history\",le=\"0.001\"} 1\n"));
    assert_non_null(strstr(text, "z_seconds_bucket{stream=\"history\",le=\"0.025\"} 2\n"
                                 "z_seconds_bucket{stream=\"history\",le=\"0.05\"} 3\n"));
    assert_non_null(strstr(text, "z_seconds_bucket{stream=\"history\",le=\"3600.0\"} 3\n"
                                 "z_seconds_bucket{stream=\"history\",le=\"+Inf\"} 4\n"
                                 "z_seconds_sum{stream=\"history\"} 3600.052\n"
                                 "z_seconds_count{stream=\"history\"} 4\n"));
    assert_non_null(strstr(text, "z_sizes_bucket{le=\"500.0\"} 1\n"
                                 "z_sizes_bucket{le=\"1000.0\"} 2\n"
                                 "z_sizes_bucket{le=\"+Inf\"} 3\n"
                                 "z_sizes_sum 2400\n"
                                 "z_sizes_count 3\n"));
    metrics_free(m);
}

static void a_label_is_kept_when_its_text_is_gone(void **state)
{
    struct metrics *m = metrics_new(defs);
    char meter[] = "4B414D0000000001";

    (void)state;
    metrics_set(m, STATE, meter, 7);
    meter[0] = 'X';
    assert_int_equal(metrics_get(m, STATE, "4B414D0000000001"), 7);
    metrics_free(m);
}

static void a_service_without_metrics_counts_nothing(void **state)
{
    (void)state;
    metrics_add(NULL, READINGS, NULL, 1);
    metrics_set(NULL, WAITING, NULL, 1);
}

static void *count_many(void *m)
{
    for (int i = 0; i < 20000; i++)
        metrics_add(m, REJECTS, i % 2 == 0 ? "checksum" : "tag", 1);
    return NULL;
}

static void threads_lose_no_count(void **state)
{
    struct metrics *m = metrics_new(defs);
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_many, m), 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(metrics_get(m, REJECTS, "checksum"), 40000);
    assert_int_equal(metrics_get(m, REJECTS, "tag"), 40000);
    metrics_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unlabelled_ones_stand_at_zero_from_the_start),
        cmocka_unit_test(labels_make_series_in_their_order),
        cmocka_unit_test(a_histogram_counts_up_to_each_bound),
        cmocka_unit_test(a_label_is_kept_when_its_text_is_gone),
        cmocka_unit_test(a_service_without_metrics_counts_nothing),
        cmocka_unit_test(threads_lose_no_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
