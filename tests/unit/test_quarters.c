/* Energy per quarter hour, on both stores: right, whatever the order in which readings come. */
#include "quarters_check.h"

#include <pthread.h>

static int open_sqlite(void **state)
{
    made_count = 0;
    return on_sqlite_open(state);
}

static int open_postgresql(void **state)
{
    made_count = 0;
    return on_postgresql_open(state);
}

/* --- the definition --------------------------------------------------------------------- */

/* Numbers that can be checked by hand. */
static void each_quality(void **state)
{
    struct store *s = open_store(0);
    struct table_of_quarters *t;

    (void)state;
    reading(METER, T0 + 840, 1000, 50, "");      /* start: from its first reading on */
    reading(METER, T0 + 900 + 60, 1060, 50, ""); /* 120 s over the boundary, at half time: 1030 */
    reading(METER, T0 + 900 + 870, 1200, 60, "");
    reading(METER, T0 + 1800, 1210, 60, ""); /* exactly on the boundary */
    reading(METER, T0 + 1800 + 890, 1300, 60, "");
    reading(METER, T0 + 2700 + 10, 1310, 70, ""); /* then 55 minutes of nothing */
    reading(METER, T0 + 6300 + 0, 1669, 70, "");
    reading(METER, T0 + 6300 + 600, 1700, 70, "");
    reading(METER, T0 + 7200 + 300, 5, 0, ""); /* the counters begin anew */
    reading(METER, T0 + 8100 + 300, 15, 0, "");
    write_made(s, 500);
    t = look(s, METER);
    assert_int_equal(t->count, 10);
    check_line(&t->lines[0], T0, 30, 0, "start");
    check_line(&t->lines[1], T0 + 900, 1210 - 1030, 10, "gap");
    check_line(&t->lines[2], T0 + 1800, 1305 - 1210, 5, "ok");
    check_line(&t->lines[3], T0 + 2700, 1399 - 1305, 5, "gap"); /* 359 Wh in 3590 s */
    check_line(&t->lines[4], T0 + 3600, 90, 0, "missing");
    check_line(&t->lines[5], T0 + 4500, 90, 0, "missing");
    check_line(&t->lines[6], T0 + 5400, 1669 - 1579, 0, "missing");
    check_line(&t->lines[7], T0 + 6300, ROWS_NULL, ROWS_NULL, "reset");
    check_line(&t->lines[8], T0 + 7200, ROWS_NULL, ROWS_NULL, "reset");
    check_line(&t->lines[9], T0 + 8100, 15 - 12, 0, "open"); /* so far */
    free(t);
    check_all(s);
    store_free(s);
}

static void one_reading_is_a_quarter_of_nothing_yet(void **state)
{
    struct store *s = open_store(0);
    struct table_of_quarters *t;

    (void)state;
    reading(METER, T0 + 10, 1000, STORE_NULL, "");
    write_made(s, 1);
    t = look(s, METER);
    assert_int_equal(t->count, 1);
    check_line(&t->lines[0], T0, 0, ROWS_NULL, "open");
    free(t);
    t = look(s, OTHER);
    assert_int_equal(t->count, 0);
    free(t);
    store_free(s);
}

/* Suspect ones, and those without the counter, leave no trace. */
static void what_is_not_trusted_does_not_count(void **state)
{
    struct store *s = open_store(0);

    (void)state;
    for (int i = 0; i < 200; i++)
        reading(METER, T0 + i * 30, 1000 + i, i, "");
    reading(METER, T0 + 3, 99999, 5, "energy-jumps");
    reading(METER, T0 + 14000, 99999, 5, "energy-jumps");
    reading(METER, T0 - 9000, 1, 5, "energy-falls");
    reading(METER, T0 + 15000, 0, 0, "")->reading.values[FIELD_WIN].present = false;
    write_made(s, 64);
    check_all(s);
    check_both("SELECT count(*) FROM history", "204;");
    store_free(s);
}

/* The new meter has another id: the old series ends, a new one begins, nothing is added up. */
static void a_meter_is_swapped(void **state)
{
    struct store *s = open_store(0);
    struct table_of_quarters *t;

    (void)state;
    for (int i = 0; i < 60; i++)
        reading(METER, T0 + i * 60, 5000000 + 10 * i, 0, "");
    for (int i = 60; i < 150; i++)
        reading(OTHER, T0 + i * 60, 10 * (i - 60), 0, "");
    write_made(s, 64);
    t = look(s, METER);
    assert_int_equal(t->count, 4);
    check_line(&t->lines[0], T0, 150, 0, "start");
    check_line(&t->lines[3], T0 + 2700, 140, 0, "open");
    free(t);
    t = look(s, OTHER);
    assert_int_equal(t->count, 6);
    check_line(&t->lines[0], T0 + 3600, 150, 0, "start");
    check_line(&t->lines[1], T0 + 4500, 150, 0, "ok");
    check_line(&t->lines[5], T0 + 8100, 140, 0, "open");
    free(t);
    store_free(s);
}

/* A hole of more than 400 days, a meter's clock that was wrong, stays one. */
static void a_hole_without_end_is_not_filled(void **state)
{
    static const struct {
        int64_t days;
        size_t rows;
    } rows[] = {{100, 100 * 96 + 1}, {400, 2}};
    struct table_of_quarters *t;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct store *s = open_store(0);

        made_count = 0;
        reading(i == 0 ? METER : OTHER, T0, 1000, 0, "");
        reading(i == 0 ? METER : OTHER, T0 + rows[i].days * 86400 + 900 * (int64_t)i, 98200, 0, "");
        write_made(s, 2);
        t = look(s, i == 0 ? METER : OTHER);
        assert_int_equal(t->count, rows[i].rows);
        free(t);
        store_free(s);
    }
}

/* --- order, doubles, batches ------------------------------------------------------------ */

static uint64_t chance;

static size_t below(size_t n)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (size_t)(chance % n);
}

/* Two meters with holes of all lengths, a fall, doubtful ones, and two readings of one second. */
static void make_many(size_t n)
{
    int64_t time[2] = {T0, T0 + 13}, win[2] = {1000, 77}, wout[2] = {0, 5};

    for (size_t i = 0; i < n; i++) {
        size_t m = below(2), hole = below(200);

        time[m] += hole == 0 ? (int64_t)below(9000) : hole == 1 ? 0 : 1 + (int64_t)below(120);
        win[m] = hole == 2 ? 0 : win[m] + (int64_t)below(30);
        wout[m] += (int64_t)below(3);
        reading(m == 0 ? METER : OTHER, time[m], win[m], m == 0 ? wout[m] : STORE_NULL,
                below(50) == 0 ? "other" : "");
    }
}

static void shuffle(void)
{
    for (size_t i = made_count; i > 1; i--) {
        size_t k = below(i);
        struct record r = made[k];

        made[k] = made[i - 1];
        made[i - 1] = r;
    }
}

static void any_order_gives_the_same(void **state)
{
    const char *seed = getenv("QUARTERS_SEED");

    (void)state;
    chance = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL) * 2 + 1;
    print_message("QUARTERS_SEED=%" PRIu64 "\n", chance);
    for (int round = 0; round < 6; round++) {
        struct store *s = open_store(0);
        size_t n;

        query_both("DELETE FROM quarters");
        query_both("DELETE FROM history_compact");
        made_count = 0;
        make_many(1200);
        if (round > 0)
            shuffle();
        n = made_count; /* some come twice */
        for (size_t i = 0; i < 200 && round > 1; i++)
            made[made_count++] = made[below(n)];
        write_made(s, 1 + below(round % 2 == 0 ? 500 : 40));
        check_all(s);
        write_many(s, made, made_count / 2, 77); /* redelivered */
        check_all(s);
        store_free(s);
    }
}

/* Doubtful the first time, not the second: what stands in history counts. */
static void what_stands_in_history_counts(void **state)
{
    struct store *s = open_store(0);
    struct record again[2];

    (void)state;
    reading(METER, T0 + 10, 1000, 0, "");
    reading(METER, T0 + 20, 9000, 0, "energy-jumps");
    reading(METER, T0 + 30, 1002, 0, "");
    write_made(s, 3);
    again[0] = made[1];
    again[0].reading.suspect[0] = '\0';
    again[1] = made[2];
    snprintf(again[1].reading.suspect, sizeof again[1].reading.suspect, "other");
    write_rows(s, again, 2, 0);
    check_all(s);
    check_both("SELECT first_win, last_win FROM quarters", "1000 1002;");
    store_free(s);
}

/* A write that is refused leaves nothing behind. */
static void a_refused_batch_leaves_nothing(void **state)
{
    struct store *s = open_store(0);
    struct record *odd;

    (void)state;
    reading(METER, T0 + 10, 1000, 0, "");
    odd = reading(METER, T0 + 900, 1001, 0, "");
    odd->reading.values[FIELD_PIN].mantissa = INT64_C(1) << 40;
    write_rows(s, made, 2, -EINVAL);
    check_both("SELECT count(*) FROM quarters", "0;");
    made_count = 1;
    write_made(s, 1);
    check_all(s);
    store_free(s);
}

/* --- two writers on PostgreSQL ---------------------------------------------------------- */

static void *write_later(void *arg)
{
    struct store *s = arg;
    const struct record *rows[] = {&made[1]};
    struct store_counts counts;
    char why[STORE_WHY_CHARS];

    return store_write(s, rows, 1, &counts, why) == 0 ? NULL : s;
}

static void run(PGconn *c, const char *sql)
{
    PGresult *r = PQexec(c, sql);

    if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(c));
    PQclear(r);
}

/* Both bring a meter its quarters at once, with a hole between: the second waits, and fills it. */
static void two_writers_leave_no_hole(void **state)
{
    struct store *s = open_store(0);
    PGconn *other = PQconnectdb(url);
    pthread_t thread;
    void *failed = NULL;

    (void)state;
    reading(METER, T0 - 900, 1000, 0, "");
    reading(METER, T0 + 3600 + 10, 1200, 0, "");
    write_many(s, made, 1, 1);
    run(other, "SET search_path = smartmeter; BEGIN; SELECT pg_advisory_xact_lock(hashtext("
               "'smartmeter quarters'), id) FROM meters");
    run(other, "INSERT INTO quarters (start, meter, first_s, first_win, last_s, last_win) SELECT "
               "to_timestamp(1790000100), id, 10, 1100, 10, 1100 FROM meters");
    assert_int_equal(pthread_create(&thread, NULL, write_later, s), 0);
    while (strcmp(pg_query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT "
                           "granted"),
                  "1;") != 0)
        usleep(10000);
    run(other, "COMMIT");
    pthread_join(thread, &failed);
    PQfinish(other);
    assert_null(failed);
    store_free(s);
    check_both("SELECT count(*), count(first_s), min(extract(epoch FROM start)::bigint) FROM "
               "quarters",
               "6 3 1789999200;");
}

/* --- a database from before ------------------------------------------------------------- */

/* What versions 4 and 5 made is gone, or out of their way. */
static void back_to_version_3(void)
{
    query_both("DROP VIEW quarter_hour");
    query_both("DROP TABLE quarters");
    query_both("DELETE FROM zaehlwerk_schema WHERE version >= 4");
    if (on_postgresql)
        query_both("ALTER DOMAIN few_values RENAME TO few_values_before");
}

static void an_older_database_is_brought_up(void **state)
{
    struct store *s = open_store(0);

    (void)state;
    chance = 88172645463325252;
    make_many(3000);
    write_made(s, 500);
    store_free(s);
    back_to_version_3();
    s = open_store(0);
    assert_non_null(strstr(capture.text, "event=migrated"));
    check_all(s);
    store_free(s);
}

/* A writer of the version before, still connected, cannot write what no quarter would count. */
static void an_older_writer_is_cut_off(void **state)
{
    struct store *s = open_store(0), *newer;

    (void)state;
    back_to_version_3();
    newer = open_store(0);
    reading(METER, T0, 1, 1, "");
    write_rows(s, made, 1, -EAGAIN);
    assert_false(store_alive(s));
    write_rows(newer, made, 1, 0);
    store_free(s);
    store_free(newer);
}

/* --- local days ------------------------------------------------------------------------- */

/* Over both changes of the clock: days of 92, 96 and 100 quarters, and their energy. */
static void local_days(void **state)
{
    static const char *const want[] = {
        "2026-03-28 96 9600;2026-03-29 92 9200;2026-03-30 96 9600;",
        "2026-10-24 96 9600;2026-10-25 100 10000;2026-10-26 96 9600;"};
    static const int64_t begin[] = {1774652400, 1792792800}; /* local midnight */
    const char *sql =
        on_postgresql ? "SELECT (time AT TIME ZONE 'Europe/Vienna')::date AS day, count(*), "
                        "sum(win) FROM quarter_hour WHERE quality = 'ok' GROUP BY day ORDER BY day"
                      : "SELECT date(time, 'unixepoch', 'localtime') AS day, count(*), sum(win) "
                        "FROM quarter_hour WHERE quality = 'ok' GROUP BY day ORDER BY day";

    (void)state;
    setenv("TZ", "Europe/Vienna", 1);
    tzset();
    for (size_t change = 0; change < 2; change++) {
        struct store *s = open_store(0);
        int64_t seconds = (3 * 24 + (change == 0 ? -1 : 1)) * 3600;

        query_both("DELETE FROM quarters");
        made_count = 0;
        for (int64_t t = -90; t <= seconds + 90; t += 90) /* 100 Wh a quarter */
            reading(METER, begin[change] + t, 10 * (t + 90) / 90, 0, "");
        write_made(s, 500);
        store_free(s);
        check_both(sql, want[change]);
    }
    unsetenv("TZ");
    tzset();
}

/* --- how exact ------------------------------------------------------------------------- */

/*
 * A household of steps up to 2.4 kW; its counter is known at every boundary. Of the mean error 0.2
 * Wh is that both counters show whole Wh. (Last less first reading of a quarter: 1.2 and 10 Wh
 * every 10 s, 7 and 53 Wh every 60 s, and the sum loses 1 to 7 %.)
 */
static void the_truth_is_near(void **state)
{
    static const struct {
        int64_t every, days;
        double mean, worst;
    } rows[] = {{5, 1, 0.3, 2}, {10, 2, 0.3, 2}, {60, 14, 0.4, 11}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct store *s = open_store(0);
        int64_t truth[14 * 96 + 2] = {0}, seconds = rows[i].days * 86400, ws = 0, watts = 300;
        struct table_of_quarters *t;
        double sum = 0, worst = 0;
        int64_t total = 0;

        query_both("DELETE FROM quarters");
        query_both("DELETE FROM history_compact");
        chance = 0x9E3779B97F4A7C15u;
        for (int64_t now = 0; now <= seconds; now++) {
            if (now % 900 == 0)
                truth[now / 900] = ws / 3600;
            if (now % rows[i].every == 3 && now < seconds)
                reading(METER, T0 + now, ws / 3600, 0, "");
            if (made_count == MANY) {
                write_made(s, 500);
                made_count = 0;
            }
            if (below(600) == 0)
                watts = 100 + (int64_t)below(5) * 100 + (below(6) == 0 ? 2000 : 0);
            ws += watts;
        }
        write_made(s, 500);
        made_count = 0;
        t = look(s, METER);
        assert_int_equal(t->count, rows[i].days * 96);
        for (size_t q = 0; q < t->count; q++)
            total += t->lines[q].win;
        for (size_t q = 1; q + 1 < t->count; q++) {
            double error = (double)llabs(t->lines[q].win - (truth[q + 1] - truth[q]));

            assert_string_equal(t->lines[q].quality, "ok");
            sum += error;
            worst = error > worst ? error : worst;
        }
        print_message("every %d s: error mean %.2f, worst %.0f Wh\n", (int)rows[i].every,
                      sum / (double)(t->count - 2), worst);
        assert_true(worst <= rows[i].worst && sum / (double)(t->count - 2) <= rows[i].mean);
        check_both("SELECT max(last_win) - min(first_win) = (SELECT sum(win) FROM quarter_hour) "
                   "FROM quarters",
                   on_postgresql ? "t;" : "1;");
        assert_true(total > 0);
        free(t);
        store_free(s);
    }
}

/* --- how fast -------------------------------------------------------------------------- */

/* A year of five meters. */
static void fill_a_year(void)
{
    const char *const number = on_postgresql ? "lpad(m::text, 16, '0')" : "printf('%016d', m)";
    const char *const start =
        on_postgresql ? "to_timestamp(1760000400 + 900 * k)" : "1760000400 + 900 * k";
    char sql[1024];

    snprintf(
        sql, sizeof sql,
        "INSERT INTO meters (meter, number) WITH RECURSIVE n (m) AS (SELECT 1 UNION ALL SELECT "
        "m + 1 FROM n WHERE m < 5) SELECT %s, '' FROM n",
        number);
    query_both(sql);
    snprintf(sql, sizeof sql,
             "INSERT INTO quarters (meter, start, first_s, first_win, last_s, last_win) WITH "
             "RECURSIVE n (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 35000) SELECT "
             "m.id, %s, 2, 150 * k, 895, 150 * k + 148 FROM n, meters m",
             start);
    query_both(sql);
    query_both("ANALYZE");
}

/* Nothing is walked through that lies outside of what is asked for. */
static void indexes_are_used(void **state)
{
    static const char *const wheres[] = {"meter = '0000000000000003' AND time >= %s AND time < %s",
                                         "time >= %s AND time < %s"};
    const char *from = on_postgresql ? "'2026-02-02'" : "1769990400";
    const char *to = on_postgresql ? "'2026-02-03'" : "1770076800";
    struct store *s = open_store(0);

    (void)state;
    fill_a_year();
    for (size_t i = 0; i < COUNT(wheres); i++) {
        char where[128], sql[400];
        const char *plan;
        int lookups = 0;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(where, sizeof where, wheres[i], from, to);
#pragma GCC diagnostic pop
        snprintf(sql, sizeof sql, "SELECT count(*), sum(win) FROM quarter_hour WHERE %s", where);
        check_both(sql, i == 0 ? "96 14400;" : "480 72000;");
        snprintf(sql, sizeof sql, "EXPLAIN %sSELECT * FROM quarter_hour WHERE %s",
                 on_postgresql ? "" : "QUERY PLAN ", where);
        plan = query_both(sql);
        for (const char *p = plan; (p = strstr(p, "quarters_read")) != NULL; p++)
            lookups++;
        if (lookups != 2 || strstr(plan, "Seq Scan on quarters") != NULL ||
            strstr(plan, "SCAN q") != NULL)
            fail_msg("%s: %s", sql, plan);
    }
    store_free(s);
}

#define TEST(f)                                                                                    \
    {#f " (SQLite)", f, open_sqlite, scratch_close, NULL},                                         \
    {                                                                                              \
#f " (PostgreSQL)", f, open_postgresql, scratch_close, NULL                                \
    }
#define TEST_PG(f)                                                                                 \
    {                                                                                              \
#f, f, open_postgresql, scratch_close, NULL                                                \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_quality),
        TEST(one_reading_is_a_quarter_of_nothing_yet),
        TEST(what_is_not_trusted_does_not_count),
        TEST(a_meter_is_swapped),
        TEST(a_hole_without_end_is_not_filled),
        TEST(any_order_gives_the_same),
        TEST(what_stands_in_history_counts),
        TEST(a_refused_batch_leaves_nothing),
        TEST_PG(two_writers_leave_no_hole),
        TEST(an_older_database_is_brought_up),
        TEST_PG(an_older_writer_is_cut_off),
        TEST(local_days),
        TEST(the_truth_is_near),
        TEST(indexes_are_used),
    };

    return cmocka_run_group_tests(tests, pg_begin, pg_end);
}
