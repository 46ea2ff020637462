/* What is stored is read back: exact, in order, in pages, by the indexes; on both stores. */
#include "both_stores.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>

#include "clock.h"

#define OTHER "056B3C12541276DE"

struct seen {
    size_t count;
    struct rows_row rows[64];
    char meters[64][24], suspects[64][24], qualities[64][16];
};

static void note(void *arg, const struct rows_row *row)
{
    struct seen *s = arg;

    assert_true(s->count < COUNT(s->rows));
    s->rows[s->count] = *row;
    snprintf(s->meters[s->count], sizeof s->meters[0], "%s", row->meter);
    snprintf(s->suspects[s->count], sizeof s->suspects[0], "%s", row->suspect);
    snprintf(s->qualities[s->count], sizeof s->qualities[0], "%s", row->quality);
    s->count++;
}

static struct seen look(struct rows_query q)
{
    struct store *s = look_store();
    struct seen seen = {0};
    char why[STORE_WHY_CHARS] = "";

    if (store_rows(s, &q, note, &seen, why) != 0)
        fail_msg("%s", why);
    store_free(s);
    return seen;
}

static struct record of(const char *meter, int64_t time, int64_t counter)
{
    struct record r = three_phases(time, counter);

    snprintf(r.reading.meter, sizeof r.reading.meter, "%s", meter);
    return r;
}

static void names_of_tables(void **state)
{
    (void)state;
    for (int t = ROWS_HISTORY; t <= ROWS_QUARTERS; t++)
        assert_int_equal(rows_table_from_name(rows_table_name((enum rows_table)t)), t);
    assert_string_equal(rows_table_name(ROWS_QUARTERS), "quarter_hour");
    assert_int_equal(rows_table_from_name("rejects"), -1);
    assert_int_equal(rows_table_from_name(""), -1);
}

static void readings_come_back_exactly(void **state)
{
    struct record rows[] = {three_phases(1665581631, 4294967294), three_phases(1665581636, -1)};
    struct store *s = open_store(0);
    struct rows_row *r;
    struct seen seen;

    (void)state;
    rows[1].reading = (struct reading){.meter = OTHER,
                                       .counter = -1,
                                       .values = {Q(PIN, 1362, 0), Q(U1, 2500, -1)},
                                       .suspect = "energy-jumps"};
    write_rows(s, rows, 2, 0);
    store_free(s);
    seen = look((struct rows_query){.from = 0, .to = INT32_MAX, .max = 9});
    assert_int_equal(seen.count, 2);
    r = &seen.rows[0];
    assert_string_equal(seen.meters[0], METER);
    assert_true(r->at == 1665581631 && r->time == r->at && r->received_ms == 1665581631748);
    assert_true(r->counter == 4294967294 && r->win == 6842204 && r->wout == 6430217);
    assert_true(r->pin == 0 && r->pout == 2088 && r->pf == 943);
    assert_true(r->u[0] == 233800 && r->u[2] == 234800 && r->i[0] == 330 && r->i[2] == 1410);
    assert_string_equal(seen.suspects[0], "");
    assert_string_equal(seen.qualities[0], "");
    r = &seen.rows[1];
    assert_string_equal(seen.meters[1], OTHER);
    assert_true(r->time == 1665581636 && r->counter == -1 && r->win == ROWS_NULL);
    assert_true(r->pin == 1362 && r->u[0] == 250000 && r->u[1] == ROWS_NULL && r->pf == ROWS_NULL);
    assert_string_equal(seen.suspects[1], "energy-jumps");
}

/* Bounds are half open; a meter's own rows alone; the newest come in the same order. */
static void a_query_finds_what_it_asks_for(void **state)
{
    struct record rows[12];
    struct store *s = open_store(0);
    struct rows_query q = {.from = 1005, .to = 1020, .max = 64};
    struct seen seen;

    (void)state;
    for (int i = 0; i < 12; i++)
        rows[i] = of(i % 2 == 0 ? METER : OTHER, 1000 + 5 * (i / 2), i);
    write_rows(s, rows, 12, 0);
    store_free(s);
    seen = look(q);
    assert_int_equal(seen.count, 6);
    assert_true(seen.rows[0].at == 1005 && seen.rows[5].at == 1015);
    assert_string_equal(seen.meters[0], OTHER); /* 056... before 534... */
    assert_string_equal(seen.meters[1], METER);
    q.meter = METER;
    seen = look(q);
    assert_int_equal(seen.count, 3);
    assert_true(seen.rows[0].counter == 2 && seen.rows[2].counter == 6);
    q.newest = true;
    q.max = 2;
    seen = look(q);
    assert_int_equal(seen.count, 2);
    assert_true(seen.rows[0].at == 1010 && seen.rows[1].at == 1015);
    q.meter = "5341475e40f89d93"; /* in small letters */
    assert_int_equal(look(q).count, 2);
    q.meter = "0000000000000000";
    assert_int_equal(look(q).count, 0);
    q = (struct rows_query){.from = 1000, .to = 1000, .max = 64};
    assert_int_equal(look(q).count, 0);
}

static void windows_are_found_by_their_start(void **state)
{
    struct record rows[] = {three_phases(1210, 1), three_phases(1499, 2), three_phases(1500, 3)};
    struct store *s = open_store(0);
    struct rows_query q = {.table = ROWS_DEBOUNCED, .from = 1200, .to = 1500, .max = 64};
    struct seen seen;

    (void)state;
    for (int i = 0; i < 3; i++) {
        rows[i].type = RECORD_DEBOUNCED;
        rows[i].window = rows[i].reading.time / 300 * 300;
    }
    write_rows(s, rows, 3, 0);
    store_free(s);
    seen = look(q);
    assert_int_equal(seen.count, 1);
    assert_true(seen.rows[0].at == 1200 && seen.rows[0].time == 1210 && seen.rows[0].pout == 2088);
    q.to = 1501;
    assert_int_equal(look(q).count, 2);
}

/* Page by page, by the second and how many of it were seen. */
static void pages_meet_every_row_once(void **state)
{
    struct record rows[60];
    struct store *s = open_store(0);
    struct rows_query q = {.from = 0, .to = 5000, .max = 7};
    int64_t sum = 0;
    size_t total = 0;
    struct seen seen;

    (void)state;
    for (int i = 0; i < 60; i++) /* up to 20 of one second */
        rows[i] = of(i % 2 == 0 ? METER : OTHER, i < 20 ? 1000 : 1000 + i / 4, i);
    write_many(s, rows, 60, 16);
    store_free(s);
    do {
        seen = look(q);
        for (size_t i = 0; i < seen.count; i++) {
            sum += seen.rows[i].counter;
            q.skip = seen.rows[i].at == q.from ? q.skip + 1 : 1;
            q.from = seen.rows[i].at;
        }
        total += seen.count;
    } while (seen.count == q.max);
    assert_int_equal(total, 60);
    assert_int_equal(sum, 59 * 60 / 2);
}

/* Quarters of all meters, too, forward and from behind; two of each second. */
static void pages_of_quarters(void **state)
{
    struct record rows[60];
    struct store *s = open_store(0);
    struct rows_query q = {.table = ROWS_QUARTERS, .from = 0, .to = 900 * 25, .max = 7};
    size_t total = 0;
    struct seen seen;

    (void)state;
    for (int i = 0; i < 60; i++)
        rows[i] = of(i % 2 == 0 ? METER : OTHER, 900 * (i / 2) + 5, i);
    write_many(s, rows, 60, 16);
    store_free(s);
    do {
        seen = look(q);
        for (size_t i = 0; i < seen.count; i++) {
            assert_int_equal(seen.rows[i].at, 900 * (total / 2));
            assert_string_equal(seen.meters[i], total % 2 == 0 ? OTHER : METER);
            q.skip = seen.rows[i].at == q.from && total > 0 ? q.skip + 1 : 1;
            q.from = seen.rows[i].at;
            total++;
        }
    } while (seen.count == q.max);
    assert_int_equal(total, 50);
    seen = look((struct rows_query){
        .table = ROWS_QUARTERS, .from = 0, .to = 900 * 25, .max = 3, .newest = true});
    assert_int_equal(seen.count, 3);
    assert_true(seen.rows[0].at == 900 * 23 && seen.rows[2].at == 900 * 24);
    assert_string_equal(seen.meters[0], METER);
    assert_string_equal(seen.qualities[0], "gap");
}

static void a_meter_that_is_no_hex_digits_is_refused(void **state)
{
    static const char *const wrong[] = {"", "x' OR 1 = 1 --  ", "5341475E40F89D9",
                                        "5341475E40F89D930"};
    struct store *s = open_store(0);
    struct seen seen = {0};
    char why[STORE_WHY_CHARS] = "";

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        const struct rows_query q = {.meter = wrong[i], .to = 1, .max = 1};

        assert_int_equal(store_rows(s, &q, note, &seen, why), -EINVAL);
        assert_string_not_equal(why, "");
    }
    store_free(s);
}

/* --- meters ---------------------------------------------------------------------------- */

struct met {
    size_t count;
    struct rows_meter meters[8];
    char names[8][48];
};

static void note_meter(void *arg, const struct rows_meter *m)
{
    struct met *met = arg;

    assert_true(met->count < COUNT(met->meters));
    snprintf(met->names[met->count], sizeof met->names[0], "%s %s", m->meter, m->number);
    met->meters[met->count++] = *m;
}

static struct met look_meters(void)
{
    struct store *s = look_store();
    struct met met = {0};
    char why[STORE_WHY_CHARS] = "";

    if (store_meters(s, COUNT(met.meters), note_meter, &met, why) != 0)
        fail_msg("%s", why);
    store_free(s);
    return met;
}

static void every_meter_has_its_last_reading(void **state)
{
    int64_t now = clock_utc_ms() / 1000;
    struct record rows[] = {of(METER, now - 10, 7), of(METER, now - 5, 8), of(METER, now - 5, 9),
                            of(OTHER, now - 50, 3), of("AA00000000000000", 0, 1)};
    struct store *s = open_store(0);
    struct met met;

    (void)state;
    assert_int_equal(look_meters().count, 0);
    rows[4].type = RECORD_DEBOUNCED; /* nothing of it in history */
    snprintf(rows[3].reading.number, sizeof rows[3].reading.number, "n");
    write_rows(s, rows, COUNT(rows), 0);
    store_free(s);
    met = look_meters();
    assert_int_equal(met.count, 3);
    assert_string_equal(met.names[0], OTHER " n");
    assert_string_equal(met.names[1], METER " 178290335021");
    assert_true(met.meters[0].has_last && met.meters[0].last.time == now - 50);
    assert_true(met.meters[1].has_last && met.meters[1].last.time == now - 5);
    assert_true(met.meters[1].last.counter == 9 && met.meters[1].last.pout == 2088);
    assert_int_equal(met.meters[1].first_seen, now - 10 - (now - 10) % 900); /* its first quarter */
    assert_true(llabs(met.meters[2].first_seen - now) < 60);
    assert_false(met.meters[2].has_last);
}

/* Nothing is walked through for a meter that is silent for long, nor when its row is gone. */
static void the_last_of_a_silent_meter(void **state)
{
    struct record rows[] = {of(METER, 1665581631, 7), of(METER, 1665581641, 8),
                            of(OTHER, 1665581631, 3)};
    struct store *s = open_store(0);
    struct met met;

    (void)state;
    write_rows(s, rows, COUNT(rows), 0);
    store_free(s);
    query_both("DELETE FROM history_compact WHERE meter = (SELECT id FROM meters WHERE meter = "
               "'" OTHER "')");
    met = look_meters();
    assert_int_equal(met.count, 2);
    assert_true(met.meters[0].has_last && met.meters[0].last.time == 1665581631);
    assert_true(met.meters[0].last.win == 6842204 && met.meters[0].last.wout == 6430217);
    assert_true(met.meters[0].last.counter == -1 && met.meters[0].last.pin == ROWS_NULL);
    assert_true(met.meters[1].last.time == 1665581641 && met.meters[1].last.counter == 8);
    assert_true(met.meters[1].last.pout == 2088);
}

static void no_more_meters_than_asked_for(void **state)
{
    struct record rows[] = {of(METER, 1000, 7), of(OTHER, 1000, 3), of("AA00000000000000", 0, 1)};
    struct store *s = open_store(0);
    struct met all, met = {0};
    char why[STORE_WHY_CHARS];

    (void)state;
    write_rows(s, rows, COUNT(rows), 0);
    store_free(s);
    all = look_meters();
    assert_int_equal(all.count, 3);
    s = look_store();
    assert_int_equal(store_meters(s, 2, note_meter, &met, why), 0);
    assert_int_equal(met.count, 2);
    for (size_t i = 0; i < met.count; i++)
        assert_string_equal(met.names[i], all.names[i]);
    store_free(s);
}

/* --- what must not hang or block -------------------------------------------------------- */

struct writing {
    struct store *s;
    int64_t time;
    size_t rows;
};

/* A reading is written while the rows are looked through. */
static void write_meanwhile(void *arg, const struct rows_row *row)
{
    struct writing *w = arg;
    struct record r = three_phases(w->time++, 1);

    (void)row;
    assert_int_equal(write_rows(w->s, &r, 1, 0).readings, 1);
    w->rows++;
}

static void a_look_does_not_block_the_writer(void **state)
{
    const struct rows_query q = {.to = 2000, .max = 100};
    struct writing w = {.s = open_store(0), .time = 5000};
    struct store *s;
    char why[STORE_WHY_CHARS];

    (void)state;
    for (int i = 0; i < 5; i++) {
        struct record r = three_phases(1000 + i, 1);

        write_rows(w.s, &r, 1, 0);
    }
    s = look_store();
    assert_int_equal(store_rows(s, &q, write_meanwhile, &w, why), 0);
    assert_int_equal(w.rows, 5);
    store_free(s);
    store_free(w.s);
    check_both("SELECT count(*) FROM history", "10;");
}

static void no_connection_is_said(void **state)
{
    const struct rows_query q = {.to = 2000, .max = 100};
    struct store *s = store_new(&conf);
    struct seen seen = {0};
    struct met met = {0};
    char why[STORE_WHY_CHARS] = "";

    (void)state;
    assert_int_equal(store_rows(s, &q, note, &seen, why), -EAGAIN);
    assert_string_not_equal(why, "");
    assert_int_equal(store_meters(s, COUNT(met.meters), note_meter, &met, why), -EAGAIN);
    store_free(s);
}

static void dawdle(void *arg, const struct rows_row *row)
{
    (void)arg;
    (void)row;
    poll(NULL, 0, 1);
}

/* The database is there, and has too much to do: that is something else than being away. */
static void a_slow_look_is_no_lost_database(void **state)
{
    const struct rows_query q = {.table = ROWS_QUARTERS, .to = 10000000, .max = 10000};
    struct store *s = open_store(0);
    char why[STORE_WHY_CHARS] = "";

    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct record r = three_phases(900 * (int64_t)(i + 1), i + 1);

        write_rows(s, &r, 1, 0);
    }
    store_free(s);
    s = look_store();
    store_patience(s, 1);
    assert_int_equal(store_rows(s, &q, dawdle, NULL, why), -ETIMEDOUT);
    assert_string_not_equal(why, "");
    store_patience(s, ROWS_TIMEOUT_MS);
    assert_int_equal(store_rows(s, &q, dawdle, NULL, why), 0);
    store_free(s);
}

static void an_index_is_used(void **state)
{
    static const struct rows_dialect sqlite = {
        "", "", "", "", "h.time * 1000 + h.delay", "h.counter", "l.start + l.last_s", false};
    static const struct {
        enum rows_table table;
        const char *plan;
    } rows[] = {
        {ROWS_HISTORY, "SEARCH h USING PRIMARY KEY (time>? AND time<?)"},
        {ROWS_DEBOUNCED, "SEARCH h USING PRIMARY KEY (window_start>? AND window_start<?)"},
    };
    struct store *s = open_store(0);
    char sql[ROWS_SQL_CHARS], plan[ROWS_SQL_CHARS + 32];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        for (int newest = 0; newest < 2; newest++) {
            const struct rows_query q = {
                rows[i].table, i == 0 ? METER : NULL, 1000, 2000, 10, newest != 0, 0};

            assert_int_equal(rows_select(&q, &sqlite, "history", sql), 0);
            snprintf(plan, sizeof plan, "EXPLAIN QUERY PLAN %s", sql);
            if (strstr(query(plan), rows[i].plan) == NULL || strstr(query(plan), "SCAN h") != NULL)
                fail_msg("%s: %s", sql, query(plan));
        }
    store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_tables),
        BOTH(readings_come_back_exactly),
        BOTH(a_query_finds_what_it_asks_for),
        BOTH(windows_are_found_by_their_start),
        BOTH(pages_meet_every_row_once),
        BOTH(pages_of_quarters),
        BOTH(a_meter_that_is_no_hex_digits_is_refused),
        BOTH(every_meter_has_its_last_reading),
        BOTH(the_last_of_a_silent_meter),
        BOTH(no_more_meters_than_asked_for),
        BOTH(a_look_does_not_block_the_writer),
        BOTH(no_connection_is_said),
        {"a_slow_look_is_no_lost_database", a_slow_look_is_no_lost_database, on_sqlite_open,
         scratch_close, NULL},
        {"an_index_is_used", an_index_is_used, on_sqlite_open, scratch_close, NULL},
    };

    return cmocka_run_group_tests(tests, pg_begin, pg_end);
}
