/* The dashboard's parts: files, advice, STATUS_URLS, events. */
#include "tools.h"

#include <stdio.h>

#include "advice.h"
#include "assets.h"
#include "board.h"
#include "capture.h"
#include "events.h"
#include "health.h"

/* Files */

static void files(void **state)
{
    const struct asset *index = asset_find("index.html");
    const char *before = "";

    (void)state;
    assert_non_null(index);
    assert_non_null(asset_find("login.html"));
    assert_null(asset_find(""));
    assert_null(asset_find("INDEX.HTML"));
    assert_null(asset_find("../index.html"));
    for (const struct asset *a = assets; a->name != NULL; a++) {
        assert_true(strcmp(before, a->name) < 0);
        assert_true(a->plain_end > a->plain);
        assert_memory_equal(a->gzip, "\x1F\x8B\x08", 3);
        assert_true(a->etag[0] == '"' && a->etag[strlen(a->etag) - 1] == '"');
        before = a->name;
    }
    assert_string_equal(index->type, "text/html; charset=utf-8");
    assert_memory_equal(index->plain, "<!", 2);
}

static void codings(void **state)
{
    static const struct row {
        const char *header;
        bool gzip;
    } rows[] = {
        {NULL, false},           {"", false},
        {"gzip", true},          {"deflate, gzip, br", true},
        {"gzip;q=0", false},     {"gzip; q=0.5", true},
        {"gzip;q=0.000", false}, {"gzip;q=0.001", true},
        {"identity", false},
    };
    const struct asset *index = asset_find("index.html");

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct request r = {.encoding = rows[i].header};
        struct answer a = {0};

        asset_answer(index, &r, &a);
        if (a.status != 200 || a.gzip != rows[i].gzip)
            fail_msg("%s: %u %d", rows[i].header, a.status, a.gzip);
        assert_ptr_equal(a.fixed, a.gzip ? index->gzip : index->plain);
    }
}

static void known_files(void **state)
{
    const struct asset *index = asset_find("index.html");
    struct request r = {.none_match = index->etag};
    struct answer a = {0};

    (void)state;
    asset_answer(index, &r, &a);
    assert_int_equal(a.status, 304);
    assert_null(a.fixed);
    r.none_match = "\"0\"";
    asset_answer(index, &r, &a);
    assert_int_equal(a.status, 200);
    asset_answer(NULL, &r, &a);
    assert_int_equal(a.status, 404);
    answer_free(&a);
}

/* Every verdict has words of its own in both languages. */
static void advice(void **state)
{
    (void)state;
    for (int v = 0; v < VERDICT_COUNT; v++) {
        const char *de = advice_de((enum verdict)v), *en = advice_en((enum verdict)v);

        if (strlen(de) < 20 || strlen(en) < 20 || strcmp(de, en) == 0)
            fail_msg("%s: %s %s", verdict_name((enum verdict)v), de, en);
        for (int other = 0; other < v; other++)
            assert_string_not_equal(de, advice_de((enum verdict)other));
    }
    assert_string_equal(advice_de(VERDICT_COUNT), "?");
}

/* Health */

static void status_urls(void **state)
{
    static const struct row {
        const char *text;
        int rc;
    } rows[] = {
        {HEALTH_DEFAULT, 0},
        {"off", 0},
        {"", 0},
        {"a=http://h:1/readyz, b=https://[::1]:2/x", 0},
        {"http://h:1/readyz", -22},
        {"a=h:1/readyz", -22},
        {"a=file:///etc/passwd", -22},
        {"=http://h", -22},
        {"a=http://", -22},
        {"a=", -22},
        {"a", -22},
        {"a=http://h,b", -22},
        {"a-name-of-more-than-forty-characters-is-none=http://h", -22},
    };
    struct capture capture;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int rc;

        capture_begin(&capture);
        rc = health_check(rows[i].text);
        capture_end(&capture);
        if (rc != rows[i].rc)
            fail_msg("%s: %d", rows[i].text, rc);
        assert_int_equal(strstr(capture.text, "variable=STATUS_URLS") != NULL, rc != 0);
    }
}

static void judgements(void **state)
{
    struct health_service s = {.name = "x"};

    (void)state;
    health_judge(&s, 200, "broker: up\n", "");
    assert_int_equal(s.state, HEALTH_UP);
    assert_string_equal(s.why, "");
    assert_string_equal(s.details[0], "broker: up");
    health_judge(&s, 503, "broker: up\r\ndatabase: down, no\x01 \xC3\xA4 such\n", "");
    assert_int_equal(s.state, HEALTH_WAITING);
    assert_string_equal(s.why, "database: down, no? ?? such");
    assert_int_equal(s.detail_count, 2);
    health_judge(&s, 503, "", "");
    assert_string_equal(s.why, "it is not ready");
    health_judge(&s, 404, "<html>", "");
    assert_int_equal(s.state, HEALTH_DOWN);
    assert_string_equal(s.why, "it answers with HTTP status 404");
    assert_int_equal(s.detail_count, 0);
    health_judge(&s, 0, "", "Couldn't connect");
    assert_int_equal(s.state, HEALTH_DOWN);
    assert_string_equal(s.why, "Couldn't connect");
}

static void long_answers(void **state)
{
    struct health_service s = {.name = "x"};
    char text[4096];

    (void)state;
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    health_judge(&s, 200, text, "");
    assert_int_equal(strlen(s.details[0]), HEALTH_TEXT_CHARS);
    for (size_t i = 1; i < sizeof text - 1; i += 2)
        text[i] = '\n';
    health_judge(&s, 200, text, "");
    assert_int_equal(s.detail_count, HEALTH_DETAILS);
}

static void counts(void **state)
{
    struct health_report r = {.mqtt_messages = -1};

    (void)state;
    health_count(&r, "# HELP zaehlwerk_payloads_total x\nzaehlwerk_other 1\n");
    assert_int_equal(r.mqtt_messages, -1);
    health_count(&r,
                 "zaehlwerk_payloads_total 12\nzaehlwerk_rejects_total{reason=\"wrong-key\"} 3\n"
                 "zaehlwerk_rejects_total{reason=\"no-such\"} 9\n");
    health_count(&r,
                 "\nzaehlwerk_payloads_total 5\nzaehlwerk_rejects_total{reason=\"wrong-key\"} 2");
    assert_int_equal(r.mqtt_messages, 17);
    assert_int_equal(r.rejects[VERDICT_WRONG_KEY], 3);
    health_count(&r, "zaehlwerk_payloads_total 99999999999999999999\n"
                     "zaehlwerk_payloads_total x\nzaehlwerk_payloads_total \n"
                     "zaehlwerk_payloads_total 1.5\nzaehlwerk_payloads_total -1\n"
                     "zaehlwerk_rejects_total{reason=\"wrong-key\"} 9999999999999999999999\n"
                     "zaehlwerk_rejects_total{reason=\"wrong-key\n\"} 9\n"
                     "zaehlwerk_rejects_total{reason=\"wrong-key\"}\n"
                     "zaehlwerk_rejects_total{reason=\"");
    assert_int_equal(r.mqtt_messages, 17);
    assert_int_equal(r.rejects[VERDICT_WRONG_KEY], 3);
    health_count(&r, "zaehlwerk_rejects_total{reason=\"wrong-key\"} 4\r\n");
    assert_int_equal(r.rejects[VERDICT_WRONG_KEY], 4);
}

/* Events */

struct ear {
    int woken, slept;
};

static void on_wake(void *arg)
{
    ((struct ear *)arg)->woken++;
}

static void on_sleep(void *arg)
{
    ((struct ear *)arg)->slept++;
}

/* All that waits, in pieces of a size. */
static const char *hear(struct events *e, struct listener *l, size_t piece)
{
    static char text[65536];
    size_t len = 0;
    ssize_t n;

    while ((n = events_take(e, l, text + len, piece, on_sleep)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    return n < 0 ? "the end" : text;
}

static void events_in_pieces(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 40; piece += 3) {
        struct events *e = events_new(2);
        struct ear ear = {0};
        struct listener *l = events_join(e, on_wake, &ear);

        assert_string_equal(hear(e, l, piece), ": hello\n\n");
        assert_int_equal(ear.slept, 1);
        events_publish(e, "reading", "{\"a\":1}");
        events_publish(e, NULL, "ping");
        assert_int_equal(ear.woken, 1); /* once for both */
        assert_string_equal(hear(e, l, piece), "event: reading\ndata: {\"a\":1}\n\n: ping\n\n");
        events_end(e);
        assert_int_equal(ear.woken, 2);
        assert_string_equal(hear(e, l, piece), "the end");
        assert_null(events_join(e, on_wake, &ear));
        events_leave(e, l);
        events_free(e);
    }
}

static void a_slow_listener(void **state)
{
    struct events *e = events_new(2);
    struct ear ear = {0};
    struct listener *l = events_join(e, on_wake, &ear), *other = events_join(e, on_wake, &ear);
    char part[4], data[16];
    const char *rest;

    (void)state;
    assert_null(events_join(e, on_wake, &ear)); /* two are the most */
    assert_int_equal(events_take(e, l, part, sizeof part, on_sleep), 4);
    for (int i = 0; i < EVENTS_QUEUE + 10; i++) {
        snprintf(data, sizeof data, "%d", i);
        events_publish(e, "n", data);
    }
    rest = hear(e, l, 4096);
    assert_memory_equal(rest, "llo\n\nevent: n\ndata: 10\n\n",
                        24); /* whole, then the oldest kept */
    assert_non_null(strstr(rest, "data: 73\n\n"));
    assert_int_equal(events_dropped(e), 20);
    events_drop(e, l);
    assert_string_equal(hear(e, l, 4096), "the end");
    events_leave(e, l);
    assert_int_equal(events_count(e), 1);
    l = events_join(e, on_wake, &ear);
    assert_non_null(l);
    events_leave(e, other);
    events_leave(e, l);
    events_free(e);
    events_free(NULL);
}

/* At a first start db-writer is still making its tables: no warning then, one for each fall later.
 */
static void a_database_that_is_not_there_yet(void **state)
{
    static struct capture capture;
    const struct board_conf conf = {.timezone = "UTC", .prices = {.currency = "EUR"}};
    struct board *b = board_new(&conf);
    const char *line;

    (void)state;
    capture_begin(&capture);
    board_database(b, false, "no tables of db-writer in it");
    assert_string_equal(capture_end(&capture), "");
    capture_begin(&capture);
    board_database(b, true, "");
    board_database(b, false, "away");
    board_database(b, false, "away");
    line = strstr(capture_end(&capture), "level=warn");
    assert_non_null(line);
    assert_null(strstr(line + 1, "level=warn"));
    board_free(b);
}

/* A meter asks for a new picture once; those that there is no room for never do. */
static void a_full_board(void **state)
{
    const struct board_conf conf = {.timezone = "UTC", .prices = {.currency = "EUR"}};
    struct board *b = board_new(&conf);
    struct record r = {.type = RECORD_READING, .arrival_ms = 1700000000000};
    bool unknown;

    (void)state;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i <= PICTURE_METERS; i++) {
            snprintf(r.reading.meter, sizeof r.reading.meter, "%016X", (unsigned)i);
            free(board_reading(b, &r, &unknown));
            assert_int_equal(unknown, round == 0 && i < PICTURE_METERS);
        }
    board_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files),
        cmocka_unit_test(codings),
        cmocka_unit_test(known_files),
        cmocka_unit_test(advice),
        cmocka_unit_test(status_urls),
        cmocka_unit_test(judgements),
        cmocka_unit_test(long_answers),
        cmocka_unit_test(counts),
        cmocka_unit_test(events_in_pieces),
        cmocka_unit_test(a_slow_listener),
        cmocka_unit_test(a_database_that_is_not_there_yet),
        cmocka_unit_test(a_full_board),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
