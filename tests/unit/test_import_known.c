/* What the database has already of the original's rows, on both stores. */
#include "both_stores.h"

#include "import_known.h"
#include "zone.h"

#define T0 INT64_C(1700000000)

static struct store *store;
static struct import_known *known;
static enum rows_table kind;

/* A row of the original, as import_rows makes it; its voltage tells rows apart. */
static struct record row(int64_t time, int64_t u1)
{
    struct record r = three_phases(time, -1);

    r.arrival_ms = time * 1000;
    r.reading.values[FIELD_U1].mantissa = u1;
    return r;
}

static struct record own(int64_t time, int64_t counter, int64_t arrival_ms, int64_t u1)
{
    struct record r = three_phases(time, counter);

    r.arrival_ms = arrival_ms;
    r.reading.values[FIELD_U1].mantissa = u1;
    return r;
}

static void begin(enum rows_table of)
{
    store = open_store(0);
    kind = of;
    known = import_known_new(kind);
    assert_non_null(known);
}

static void end(void)
{
    import_known_free(known);
    store_free(store);
}

/* Try rows as one batch, write the new ones, and say what each was: n new, t there, s shifted, f no
 * place. */
static const char *import(struct record *rows, size_t n)
{
    static char verdicts[32];
    struct record fresh[16];
    char why[STORE_WHY_CHARS] = "";
    int64_t first = INT64_MAX, last = INT64_MIN;
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        int64_t at = kind == ROWS_DEBOUNCED ? rows[i].window : rows[i].reading.time;

        first = at < first ? at : first;
        last = at > last ? at : last;
    }
    if (import_known_load(known, store, METER, first, last, why) != 0)
        fail_msg("%s", why);
    for (size_t i = 0; i < n; i++) {
        enum import_known_verdict v = import_known_try(known, &rows[i]);

        verdicts[i] = "ntsfm"[v];
        if (v == IMPORT_NEW || v == IMPORT_SHIFTED)
            fresh[count++] = rows[i];
    }
    verdicts[n] = '\0';
    if (count > 0)
        write_rows(store, fresh, count, 0);
    return verdicts;
}

/* The same with a process of its own. */
static const char *import_again(struct record *rows, size_t n)
{
    import_known_free(known);
    known = import_known_new(kind);
    assert_non_null(known);
    return import(rows, n);
}

static const char *times(void)
{
    return query_both(on_postgresql ? "SELECT extract(epoch FROM time)::bigint - 1700000000 FROM "
                                      "history ORDER BY time, counter"
                                    : "SELECT time - 1700000000 FROM history ORDER BY time, "
                                      "counter");
}

/* --- the same row again ----------------------------------------------------------------- */

#define FOUR                                                                                       \
    {                                                                                              \
        row(T0, 2301), row(T0 + 5, 2302), row(T0 + 10, 2302), row(T0 + 15, 2302)                   \
    }

static void run_again_all_are_there(void **state)
{
    struct record one[] = FOUR, two[] = FOUR;

    (void)state;
    begin(ROWS_HISTORY);
    assert_string_equal(import(one, 4), "nnnn");
    assert_string_equal(import_again(two, 4), "tttt");
    assert_string_equal(times(), "0;5;10;15;");
    end();
}

/* Equal rows that follow one another are no reason to leave one out, over the end of a batch. */
static void equal_rows_in_two_batches(void **state)
{
    struct record one[] = FOUR, again[] = FOUR;

    (void)state;
    begin(ROWS_HISTORY);
    assert_string_equal(import(one, 2), "nn");
    assert_string_equal(import(one + 2, 2), "nn");
    assert_string_equal(import_again(again, 3), "ttt");
    assert_string_equal(import(again + 3, 1), "t");
    assert_string_equal(times(), "0;5;10;15;");
    end();
}

static void in_the_other_order(void **state)
{
    struct record one[] = FOUR;
    struct record back[] = {row(T0 + 15, 2302), row(T0 + 10, 2302), row(T0 + 5, 2302),
                            row(T0, 2301)};

    (void)state;
    begin(ROWS_HISTORY);
    assert_string_equal(import(one, 2), "nn");
    assert_string_equal(import_again(back, 4), "nntt");
    assert_string_equal(times(), "0;5;10;15;");
    end();
}

/* --- two rows of one second ------------------------------------------------------------- */

#define CROWD                                                                                      \
    {                                                                                              \
        row(T0, 2301), row(T0, 2302), row(T0 + 1, 2303), row(T0, 2304), row(T0, 2304)              \
    }

static void rows_of_one_second_stand_one_after_another(void **state)
{
    struct record one[] = CROWD, two[] = CROWD, three[] = CROWD;

    (void)state;
    begin(ROWS_HISTORY);
    assert_string_equal(import(one, 5), "nnnnn");
    assert_string_equal(times(), "0;1;2;3;4;");
    assert_string_equal(import_again(two, 5), "ttttt");
    assert_string_equal(import_again(three, 2), "tt");
    assert_string_equal(import(three + 2, 3), "ttt");
    end();
}

static void cut_off_in_a_crowded_second(void **state)
{
    struct record one[] = CROWD, two[] = CROWD;

    (void)state;
    begin(ROWS_HISTORY);
    assert_string_equal(import(one, 2), "nn");
    assert_string_equal(import_again(two, 5), "ttnnn");
    assert_string_equal(times(), "0;1;2;3;4;");
    end();
}

/* --- readings of our own ---------------------------------------------------------------- */

static void a_reading_of_ours_is_not_doubled(void **state)
{
    const struct record ours[] = {
        own(T0, 1, T0 * 1000 + 900, 2301),              /* just the same */
        own(T0 + 5, 2, (T0 + 5) * 1000 + 900, 2302),    /* theirs came two seconds later */
        own(T0 + 10, 3, (T0 + 3600) * 1000, 2303),      /* we had been away: it came an hour late */
        own(T0 + 300, 4, (T0 + 15) * 1000 + 100, 2304), /* the meter's clock is five minutes fast */
        own(T0 + 20, 5, (T0 + 20) * 1000, 2305),
    };
    struct record theirs[] = {row(T0 + 1, 2301),  row(T0 + 8, 2302),  row(T0 + 11, 2303),
                              row(T0 + 15, 2304), row(T0 + 20, 2399), row(T0 + 90, 2305)};

    (void)state;
    begin(ROWS_HISTORY);
    write_rows(store, ours, COUNT(ours), 0);
    assert_string_equal(import(theirs, 6), "ttttnn"); /* other values; more than a minute away */
    assert_string_equal(import_again(theirs, 6), "tttttt");
    assert_string_equal(times(), "0;5;10;20;20;90;300;");
    end();
}

/* Each of ours stands for one of theirs: what we have missed comes in. */
static void one_for_one(void **state)
{
    const struct record ours[] = {own(T0, 1, T0 * 1000 + 400, 2301)};
    struct record theirs[] = {row(T0, 2301), row(T0 + 5, 2301), row(T0 + 10, 2301)};

    (void)state;
    begin(ROWS_HISTORY);
    write_rows(store, ours, 1, 0);
    assert_string_equal(import(theirs, 1), "t");
    assert_string_equal(import(theirs + 1, 2), "nn");
    assert_string_equal(import_again(theirs, 3), "ttt");
    end();
}

/* Of another meter it is another reading. */
static void other_meters_do_not_count(void **state)
{
    struct record other = own(T0, 1, T0 * 1000, 2301), theirs[] = {row(T0, 2301)};

    (void)state;
    begin(ROWS_HISTORY);
    snprintf(other.reading.meter, sizeof other.reading.meter, "5341475E40F89D94");
    write_rows(store, &other, 1, 0);
    assert_string_equal(import(theirs, 1), "n");
    end();
}

static void a_shifted_clock_is_noticed(void **state)
{
    const struct record ours[] = {own(T0, 1, T0 * 1000 + 400, 2301)};
    struct record theirs[] = {row(T0 - 3600, 2301), row(T0 - 7200, 2301)}; /* in winter */

    (void)state;
    begin(ROWS_HISTORY);
    write_rows(store, ours, 1, 0);
    assert_string_equal(import(theirs, 2), "sn");
    end();
}

/* --- windows ---------------------------------------------------------------------------- */

static struct record in_window(struct record r)
{
    r.type = RECORD_DEBOUNCED;
    r.window = r.reading.time - r.reading.time % 300;
    return r;
}

static void windows(void **state)
{
    const struct record ours[] = {in_window(own(T0, 1, T0 * 1000, 2301))};
    struct record theirs[] = {in_window(row(T0 - 2, 2305)), in_window(row(T0 + 305, 2302)),
                              in_window(row(T0 + 302, 2303))};

    (void)state;
    begin(ROWS_DEBOUNCED);
    write_rows(store, ours, 1, 0);
    assert_string_equal(import(theirs, 3), "tnn"); /* ours stays though theirs is earlier */
    check_both("SELECT counter, u1 FROM historydebounced ORDER BY window_start",
               "1 230.1;-1 230.3;");
    assert_string_equal(import_again(theirs, 3), "ttt");
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(run_again_all_are_there),
        BOTH(equal_rows_in_two_batches),
        BOTH(in_the_other_order),
        BOTH(rows_of_one_second_stand_one_after_another),
        BOTH(cut_off_in_a_crowded_second),
        BOTH(a_reading_of_ours_is_not_doubled),
        BOTH(one_for_one),
        BOTH(other_meters_do_not_count),
        BOTH(a_shifted_clock_is_noticed),
        BOTH(windows),
    };

    if (zone_use("Europe/Vienna") != 0)
        return 1;
    return cmocka_run_group_tests(tests, pg_begin, pg_end);
}
