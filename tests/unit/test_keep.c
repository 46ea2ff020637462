/* Raw rows go after some days, on both stores; what quarter hours say of them stays. */
#include "both_stores.h"

#include <inttypes.h>

#include "keep.h"

#define DAY   INT64_C(86400)
#define BEGIN INT64_C(1789948800) /* midnight */
#define OTHER "056B3C12541276DE"

static struct record made[4000];

/* A reading and a debounced one each `every` seconds of n. */
static void fill(struct store *s, int64_t from, int64_t every, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        made[2 * i] = three_phases(from + (int64_t)i * every, (int64_t)i);
        made[2 * i + 1] = made[2 * i];
        made[2 * i + 1].type = RECORD_DEBOUNCED;
        made[2 * i + 1].window = made[2 * i].reading.time / 300 * 300;
    }
    write_many(s, made, 2 * n, 500);
}

/* All steps of a pass; what was dropped of each table. */
static void steps(struct keep *k, struct store *s, int64_t now_s, size_t dropped[KEEP_TABLES])
{
    char why[STORE_WHY_CHARS] = "";
    int n = 0;

    dropped[KEEP_HISTORY] = dropped[KEEP_DEBOUNCED] = 0;
    capture_begin(&capture);
    do
        if (keep_step(k, s, 1, now_s * 1000, dropped, why) != 0)
            fail_msg("%s", why);
    while (k->next_ms <= 1 && ++n < 1000);
    capture_end(&capture);
}

static void count(size_t history, size_t debounced)
{
    char want[48];

    snprintf(want, sizeof want, "%zu %zu;", history, debounced);
    check_both("SELECT (SELECT count(*) FROM history), (SELECT count(*) FROM historydebounced)",
               want);
}

static void without_bounds_all_stay(void **state)
{
    struct store *s = open_store(0);
    struct keep k = {0};
    size_t dropped[KEEP_TABLES];

    (void)state;
    fill(s, BEGIN, DAY, 100);
    steps(&k, s, BEGIN + 5000 * DAY, dropped);
    assert_true(dropped[KEEP_HISTORY] == 0 && dropped[KEEP_DEBOUNCED] == 0);
    assert_string_equal(capture.text, "");
    count(100, 100);
    store_free(s);
}

/* More than a batch; each table by its own setting; told once a pass; the next is due in an hour.
 */
static void the_old_go(void **state)
{
    struct store *s = open_store(0);
    struct keep k = {.days = {7, 30}};
    size_t dropped[KEEP_TABLES];
    char why[STORE_WHY_CHARS];

    (void)state;
    fill(s, BEGIN, 3600, 1200); /* 50 days */
    steps(&k, s, BEGIN + 1199 * 3600, dropped);
    assert_int_equal(dropped[KEEP_HISTORY], 1199 - 7 * 24);
    assert_int_equal(dropped[KEEP_DEBOUNCED], 1199 - 30 * 24);
    count(7 * 24 + 1, 30 * 24 + 1);
    assert_non_null(
        strstr(capture.text, "event=dropped what=history setting=HISTORY_KEEP_DAYS rows=1031"));
    assert_non_null(
        strstr(capture.text, "event=dropped what=debounced setting=DEBOUNCED_KEEP_DAYS rows=479"));
    assert_int_equal(k.next_ms, 3600001);
    assert_int_equal(keep_step(&k, s, 3600000, (BEGIN + 9999 * DAY) * 1000, dropped, why), 0);
    count(7 * 24 + 1, 30 * 24 + 1);
    check_both("SELECT count(*) FROM quarters", "4797;"); /* from the first to the last */
    store_free(s);
}

static void a_wrong_clock_takes_nothing_that_is_young(void **state)
{
    static const struct {
        const char *why;
        int64_t now, stray; /* time of one more reading */
        size_t left;
    } rows[] = {
        {"our clock is ahead", BEGIN + 9999 * DAY, BEGIN + 19 * DAY, 9},
        {"a meter's clock is ahead", BEGIN + 19 * DAY, BEGIN + 9999 * DAY, 9},
        {"our clock is behind", BEGIN - 9999 * DAY, BEGIN + 19 * DAY, 21},
        {"a meter's clock is behind", BEGIN + 19 * DAY, BEGIN - 9999 * DAY, 8},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct store *s = open_store(0);
        struct record stray = three_phases(rows[i].stray, 99);
        struct keep k = {.days = {7, 0}};
        size_t dropped[KEEP_TABLES];
        char left[24];

        query_both("DELETE FROM history_compact");
        fill(s, BEGIN, DAY, 20);
        write_rows(s, &stray, 1, 0);
        steps(&k, s, rows[i].now, dropped);
        snprintf(left, sizeof left, "%zu;", rows[i].left);
        if (strcmp(query_both("SELECT count(*) FROM history"), left) != 0)
            fail_msg("%s: %s", rows[i].why, query_both("SELECT count(*) FROM history"));
        store_free(s);
    }
}

/* Where a reading without a clock stood is forgotten with it, and of no other. */
static void identities_without_a_clock_go_too(void **state)
{
    struct store *s = open_store(0);
    struct keep k = {.days = {7, 0}};
    size_t dropped[KEEP_TABLES];

    (void)state;
    for (int i = 0; i < 20; i++) {
        struct record r = three_phases(0, i % 2 == 0 ? i : -1);

        r.reading.has_time = false;
        r.arrival_ms = (BEGIN + i * DAY) * 1000;
        write_rows(s, &r, 1, 0);
    }
    steps(&k, s, BEGIN + 19 * DAY, dropped);
    assert_int_equal(dropped[KEEP_HISTORY], 12);
    check_both("SELECT count(*), min(time) FROM history_clockless", "8 1790985600;");
    check_both("SELECT count(*) FROM history", "8;");
    store_free(s);
}

/* --- forty days ------------------------------------------------------------------------- */

static int64_t win_at(int64_t minute)
{
    return 5000000 + minute * 7 + minute / 60 * 11; /* in steps */
}

/* One reading a minute, from..to minutes. */
static void send(struct store *s, int64_t from, int64_t to)
{
    size_t n = 0;

    for (int64_t m = from; m < to; m++) {
        made[n] = three_phases(BEGIN + m * 60 + 7, m);
        made[n].reading.values[FIELD_WIN].mantissa = win_at(m);
        made[n++].reading.values[FIELD_WOUT].mantissa = m / 3;
    }
    write_many(s, made, n, 500);
}

static const char *totals(void)
{
    return query_both("SELECT sum(win), sum(wout), count(*) FROM quarter_hour");
}

/* Seven are kept; three hours of the tenth come on the thirtieth. */
static void forty_days_of_which_seven_are_kept(void **state)
{
    enum { MINUTES = 1440, LATE = 10 * MINUTES + 300 };
    struct store *s = open_store(0);
    struct keep k = {.days = {7, 0}};
    size_t dropped[KEEP_TABLES];
    char want[96];

    (void)state;
    for (int64_t day = 0; day < 40; day++) {
        if (day == 10) {
            send(s, day * MINUTES, LATE);
            send(s, LATE + 180, (day + 1) * MINUTES);
        } else {
            send(s, day * MINUTES, (day + 1) * MINUTES);
        }
        if (day == 30) {
            check_both("SELECT quality, count(*) FROM quarter_hour WHERE quality IN ('gap', "
                       "'missing') GROUP BY quality ORDER BY quality",
                       "gap 2;missing 12;");
            snprintf(want, sizeof want, "%s", totals());
            send(s, LATE, LATE + 180);
            assert_string_equal(totals(), want);
        }
        k.next_ms = 0;
        steps(&k, s, BEGIN + (day + 1) * DAY, dropped);
    }
    snprintf(want, sizeof want, "%" PRId64 " %d %d;", win_at(40 * MINUTES - 1) - win_at(0),
             (40 * MINUTES - 1) / 3, 40 * 96);
    assert_string_equal(totals(), want);
    check_both("SELECT quality, count(*) FROM quarter_hour GROUP BY quality ORDER BY quality",
               "ok 3838;open 1;start 1;");
    check_both("SELECT count(*) FROM history", "10081;");
    store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(without_bounds_all_stay),
        BOTH(the_old_go),
        BOTH(a_wrong_clock_takes_nothing_that_is_young),
        BOTH(identities_without_a_clock_go_too),
        BOTH(forty_days_of_which_seven_are_kept),
    };

    return cmocka_run_group_tests(tests, pg_begin, pg_end);
}
