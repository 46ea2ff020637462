/* The embedded store: what is written is there once and exact, in whatever order it comes. */
#include "stores.h"

#include <inttypes.h>

static struct record debounced(int64_t time, int64_t counter)
{
    struct record r = three_phases(time, counter);

    r.type = RECORD_DEBOUNCED;
    r.window = time - time % 300;
    return r;
}

#define VALUES "win, wout, pin, pout, u1, u2, u3, i1, i2, i3, pf"

/* --- readings -------------------------------------------------------------------------- */

static void readings_are_stored_exactly(void **state)
{
    struct record rows[] = {three_phases(1665581631, 4294967295), three_phases(1665581636, -1),
                            three_phases(1665581641, 0)};
    struct store *s = open_store(0);

    (void)state;
    rows[1].reading = (struct reading){
        .meter = "056B3C12541276DE",
        .counter = -1,
        .values = {Q(PIN, 1362, 0), Q(U1, 2500, -1), Q(I1, 93, -1), Q(QIN, 996, 0)}};
    rows[2].reading.meter[0] = 'A';
    rows[2].reading.values[FIELD_WIN] = (struct quantity){true, 1, 6307498};
    rows[2].reading.values[FIELD_POUT] = (struct quantity){true, 0, -5};
    rows[2].reading.values[FIELD_U1] = (struct quantity){true, -4, 2337849};
    assert_int_equal(write_rows(s, rows, 3, 0).readings, 3);
    check("SELECT time, meter, counter, received_at, suspect, " VALUES
          " FROM history ORDER BY time",
          "1665581631 " METER " 4294967295 1665581631.748 - "
          "6842204 6430217 0 2088 233.8 234.1 234.8 0.33 0.46 1.41 0.943;"
          "1665581636 056B3C12541276DE -1 1665581636.748 - "
          "- - 1362 - 250.0 - - 9.3 - - -;"
          "1665581641 A341475E40F89D93 0 1665581641.748 - "
          "63074980 6430217 0 -5 233.785 234.1 234.8 0.33 0.46 1.41 0.943;");
    check("SELECT u1 = 233.8, i3 = 1.41, pf = 0.943 FROM history WHERE counter = 4294967295",
          "1 1 1;");
    check("SELECT meter, number FROM meters ORDER BY id", METER " 178290335021;056B3C12541276DE ;"
                                                                "A341475E40F89D93 178290335021;");
    check("SELECT datetime(time, 'unixepoch') FROM history WHERE counter = 0",
          "2022-10-12 13:34:01;");
    store_free(s);
}

static void the_same_reading_is_stored_once(void **state)
{
    struct record rows[] = {three_phases(1000, 5), three_phases(1000, 5), three_phases(1000, 6),
                            three_phases(1001, 5), three_phases(1000, 5)};
    struct store *s = open_store(0);

    (void)state;
    rows[4].reading.meter[0] = 'A';
    assert_int_equal(write_rows(s, rows, COUNT(rows), 0).readings, 4);
    assert_int_equal(write_rows(s, rows, COUNT(rows), 0).readings, 0);
    rows[0].attempt = 7; /* again, later, with other values: what is there stays */
    rows[0].arrival_ms += 1000000;
    rows[0].reading.values[FIELD_POUT].mantissa = 1;
    assert_int_equal(write_rows(s, rows, 1, 0).readings, 0);
    check("SELECT count(*), min(pout), max(pout) FROM history", "4 2088 2088;");
    check("SELECT count(*) FROM meters", "2;");
    store_free(s);
}

/* All that fits its column is taken; one value that does not refuses the whole write. */
static void values_and_their_columns(void **state)
{
    static const struct row {
        const char *why;
        enum field field;
        int8_t scaler;
        int64_t mantissa;
        int rc;
    } rows[] = {
        {"largest power", FIELD_PIN, 0, INT32_MAX, 0},
        {"beyond", FIELD_PIN, 0, INT32_MAX + 1LL, -EINVAL},
        {"beyond by its scaler", FIELD_POUT, 9, 3, -EINVAL},
        {"negative and beyond", FIELD_POUT, 0, -2147483648LL, -EINVAL},
        {"largest voltage", FIELD_U1, -3, INT32_MAX, 0},
        {"beyond", FIELD_U2, -3, INT32_MAX + 1LL, -EINVAL},
        {"beyond in volts", FIELD_U3, 0, 2147484, -EINVAL},
        {"largest current", FIELD_I1, -3, INT32_MAX, 0},
        {"beyond", FIELD_I3, 0, 2147484, -EINVAL},
        {"largest factor", FIELD_PF, -3, 32767, 0},
        {"beyond", FIELD_PF, -3, 32768, -EINVAL},
        {"a factor in units", FIELD_PF, 0, 33, -EINVAL},
        {"a large energy", FIELD_WIN, 0, INT64_MAX - 1, 0},
        {"beyond 64 bits", FIELD_WIN, 1, INT64_MAX, -EINVAL},
        {"negative beyond 64 bits", FIELD_WOUT, 1, INT64_MIN, -EINVAL},
    };
    struct store *s = open_store(0);

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t n = (int64_t)i + 1;
        struct record batch[] = {three_phases(1000 * n, 1), three_phases(1000 * n, 2)};
        const struct record *list[] = {&batch[0], &batch[1]};
        struct store_counts counts;
        char why[STORE_WHY_CHARS] = "", sql[128];
        int rc;

        batch[1].reading.values[rows[i].field] =
            (struct quantity){true, rows[i].scaler, rows[i].mantissa};
        rc = store_write(s, list, 2, &counts, why);
        if (rc != rows[i].rc)
            fail_msg("%s: %d %s", rows[i].why, rc, why);
        snprintf(sql, sizeof sql, "SELECT count(*) FROM history WHERE time = %" PRId64, 1000 * n);
        check(sql, rc == 0 ? "2;" : "0;");
    }
    assert_true(store_alive(s));
    store_free(s);
}

/* Without a clock: the same reading is found again, whenever and however often it comes. */
static void without_a_clock_a_reading_is_found_again(void **state)
{
    static const struct row {
        const char *why;
        int64_t arrival_ms, counter, pin;
        size_t rows;
    } rows[] = {
        {"the first", 1000000, 5, 1, 1},
        {"redelivered", 1000000, 5, 1, 0},
        {"replayed a day later", 87400000, 5, 1, 0},
        {"the next in the same second", 1000500, 6, 1, 1},
        {"plain", 2000000, -1, 7, 1},
        {"published again", 2059000, -1, 7, 0},
        {"another in the same second", 2000400, -1, 8, 1},
        {"and again", 2001400, -1, 8, 0},
        {"the same values more than a minute later", 2060001, -1, 7, 1},
    };
    struct store *s = open_store(0);

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct record r = three_phases(0, rows[i].counter);

        r.reading.has_time = false;
        r.arrival_ms = rows[i].arrival_ms;
        r.reading.values[FIELD_PIN].mantissa = rows[i].pin;
        if (write_rows(s, &r, 1, 0).readings != rows[i].rows)
            fail_msg("%s", rows[i].why);
        r.type = RECORD_DEBOUNCED;
        r.window = r.arrival_ms / 300000 * 300;
        write_rows(s, &r, 1, 0);
    }
    check("SELECT time, counter, pin FROM history ORDER BY time, counter",
          "1000 5 1;1000 6 1;2000 -1 7;2001 -1 8;2060 -1 7;");
    check("SELECT window_start, time, counter FROM historydebounced", "900 1000 5;1800 2000 -1;");
    store_free(s);
}

/* --- debounced ------------------------------------------------------------------------- */

/* Every order of four readings of one window, one by one and in one batch. */
static void the_earliest_of_a_window_stays(void **state)
{
    static const int64_t at[4][2] = {{1200, 9}, {1200, 10}, {1499, 8}, {1300, 11}};

    (void)state;
    for (int order = 0; order < 256; order++) {
        int p[4] = {order & 3, order >> 2 & 3, order >> 4 & 3, order >> 6};
        struct record rows[4];
        struct store *s;

        if (1 << p[0] ^ 1 << p[1] ^ 1 << p[2] ^ 1 << p[3] ^ 15)
            continue;
        for (int i = 0; i < 4; i++) {
            rows[i] = debounced(at[p[i]][0], at[p[i]][1]);
            rows[i].reading.values[FIELD_PIN].mantissa = p[i];
        }
        for (int batch = 0; batch < 2; batch++) {
            s = open_store(0);
            for (int i = 0; i < 4 && batch == 0; i++)
                write_rows(s, &rows[i], 1, 0);
            if (batch == 1)
                write_rows(s, rows, 4, 0);
            check("SELECT window_start, time, counter, pin FROM historydebounced",
                  "1200 1200 9 0;");
            assert_int_equal(write_rows(s, rows, 4, 0).debounced, 0);
            store_free(s);
            remove(url + strlen("sqlite:"));
        }
    }
}

static void windows_and_meters_have_rows_of_their_own(void **state)
{
    struct record rows[] = {debounced(1200, 1), debounced(1500, 2), debounced(1201, 3),
                            three_phases(1200, 1)};
    struct store_counts counts;
    struct store *s = open_store(0);

    (void)state;
    rows[2].reading = (struct reading){
        .meter = "AA", .counter = 3, .has_time = true, .time = 1201, .values = {Q(U1, 2308, -1)}};
    counts = write_rows(s, rows, COUNT(rows), 0);
    assert_int_equal(counts.debounced, 3);
    assert_int_equal(counts.readings, 1);
    check("SELECT window_start, time, meter, counter, received_at, suspect, " VALUES
          " FROM historydebounced ORDER BY window_start, meter",
          "1200 1200 " METER " 1 1200.748 - "
          "6842204 6430217 0 2088 233.8 234.1 234.8 0.33 0.46 1.41 0.943;"
          "1200 1201 AA 3 1201.748 - - - - - 230.8 - - - - - -;"
          "1500 1500 " METER " 2 1500.748 - "
          "6842204 6430217 0 2088 233.8 234.1 234.8 0.33 0.46 1.41 0.943;");
    store_free(s);
}

/* --- rejects --------------------------------------------------------------------------- */

static void rejects_are_kept_whole_and_once(void **state)
{
    static const uint8_t octets[] = {0x68, 0x00, 0xFF, 0x16};
    struct record rows[] = {{.type = RECORD_REJECT,
                             .arrival_ms = 1686293876623,
                             .topic = "t",
                             .verdict = VERDICT_WRONG_KEY,
                             .detail = "no data-notification header",
                             .octets = {octets, sizeof octets},
                             .reading = {.meter = METER, .counter = 7}},
                            {.type = RECORD_REJECT,
                             .arrival_ms = 1686293877000,
                             .topic = "z\xC3\xA4",
                             .verdict = VERDICT_NOT_A_FRAME,
                             .octets = {octets, 2}},
                            {.type = RECORD_REJECT, .verdict = VERDICT_TRUNCATED}};
    struct store *s = open_store(0);

    (void)state;
    assert_int_equal(write_rows(s, rows, 3, 0).rejects, 3);
    assert_int_equal(write_rows(s, rows, 3, 0).rejects, 0);
    check("SELECT time, meter, topic, reason, detail, hex(payload) FROM rejects ORDER BY time",
          "0 -  truncated  ;"
          "1686293876.623 " METER " t wrong-key no data-notification header 6800FF16;"
          "1686293877 - z\xC3\xA4 not-a-frame  6800;");
    check("SELECT hex(digest) FROM rejects WHERE time = 0",
          "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855;");
    check("SELECT count(*) FROM meters", "0;");
    store_free(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_scratch, scratch_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(readings_are_stored_exactly),     TEST(the_same_reading_is_stored_once),
        TEST(values_and_their_columns),        TEST(without_a_clock_a_reading_is_found_again),
        TEST(the_earliest_of_a_window_stays),  TEST(windows_and_meters_have_rows_of_their_own),
        TEST(rejects_are_kept_whole_and_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
