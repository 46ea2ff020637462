/* Log lines: one event, one line, safe whatever stands in it. */
#include "tools.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "log.h"

static struct capture capture;
static int64_t ahead_s;

#ifndef SYS_clock_gettime64 /* of 32-bit machines: with 64 bits of seconds, as timespec here */
#define SYS_clock_gettime64 SYS_clock_gettime
#endif

/* The clocks of this program can be put forward. */
int clock_gettime(clockid_t id, struct timespec *t)
{
    int rc = (int)syscall(SYS_clock_gettime64, id, t);

    t->tv_sec += ahead_s;
    return rc;
}

static int close_log(void **state)
{
    (void)state;
    ahead_s = 0;
    log_open("?", LOG_LEVEL_INFO, false);
    return 0;
}

static const char *log_text(const char *key, const char *value)
{
    capture_begin(&capture);
    log_warn("event-1", LOG_S(key, value), LOG_I("n", -5));
    return capture_end(&capture);
}

/* The one JSON object that a line is. */
static json_t *parse(const char *line)
{
    json_error_t error;
    json_t *json = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    size_t len = strlen(line);

    if (json == NULL)
        fail_msg("%s: %s", error.text, line);
    if (len == 0 || strchr(line, '\n') != line + len - 1)
        fail_msg("not one line: %s", line);
    return json;
}

static void check_time(const char *text)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    int millis = -1, used = 0;

    assert_non_null(end);
    assert_int_equal(sscanf(end, ".%3dZ%n", &millis, &used), 1);
    assert_int_equal(used, 5);
    assert_in_range(time(NULL) - timegm(&tm), 0, 2);
}

static void a_line_of_text(void **state)
{
    static const struct row {
        const char *why, *value, *shown;
    } rows[] = {
        {"plain", "checksum", "checksum"},
        {"a topic", "sensors/smart-meter_1", "sensors/smart-meter_1"},
        {"an endpoint", "tcp://*:5550", "tcp://*:5550"},
        {"empty", "", "\"\""},
        {"a blank", "frame checksum", "\"frame checksum\""},
        {"quotes", "say \"no\"", "\"say \\\"no\\\"\""},
        {"a backslash", "a\\b", "\"a\\\\b\""},
        {"an equals sign", "a=b", "\"a=b\""},
        {"line feeds", "a\nlevel=error\r", "\"a\\u000Alevel=error\\u000D\""},
        {"an escape sequence", "\x1B[31m", "\"\\u001B[31m\""},
        {"octets above 7F", "\x7F\x80\xFF", "\"\\u007F\\u0080\\u00FF\""},
    };

    (void)state;
    log_open("decryptor", LOG_LEVEL_INFO, false);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *line = log_text("k", rows[i].value);
        char want[256], time[32] = "";

        assert_int_equal(sscanf(line, "time=%31[^ ]", time), 1);
        check_time(time);
        snprintf(want, sizeof want, " level=warn svc=decryptor event=event-1 k=%s n=-5\n",
                 rows[i].shown);
        if (strcmp(line + strlen("time=") + strlen(time), want) != 0)
            fail_msg("%s: %s", rows[i].why, line);
    }
}

static void a_line_of_json(void **state)
{
    static const struct row {
        const char *why, *value, *same;
    } rows[] = {
        {"plain", "checksum", NULL},
        {"empty", "", NULL},
        {"quotes and backslashes", "\"\\\"", NULL},
        {"line feeds and controls", "a\n\r\t\x01\x1F", NULL},
        {"octets above 7F stand for themselves", "\xFF", "\xC3\xBF"},
    };

    (void)state;
    log_open("decryptor", LOG_LEVEL_INFO, true);
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *json = parse(log_text("k", rows[i].value));
        const char *value = json_string_value(json_object_get(json, "k"));

        assert_int_equal(json_object_size(json), 6);
        check_time(json_string_value(json_object_get(json, "time")));
        assert_string_equal(json_string_value(json_object_get(json, "level")), "warn");
        assert_string_equal(json_string_value(json_object_get(json, "svc")), "decryptor");
        assert_string_equal(json_string_value(json_object_get(json, "event")), "event-1");
        assert_int_equal(json_integer_value(json_object_get(json, "n")), -5);
        if (strcmp(value, rows[i].same != NULL ? rows[i].same : rows[i].value) != 0)
            fail_msg("%s: %s", rows[i].why, value);
        json_decref(json);
    }
}

/* Values of every length around the line's room, with more fields behind them: whole lines. */
static void a_long_value_is_cut_but_the_line_is_whole(void **state)
{
    static const char fills[] = {'x', '"', '\x01', '\xFF'};
    char value[6000];

    (void)state;
    for (size_t f = 0; f < COUNT(fills); f++) {
        for (size_t len = 300; len < sizeof value; len += len < 2100 ? 1 : 700) {
            const char *line;
            json_t *json;

            memset(value, fills[f], len);
            value[len] = '\0';
            log_open("decryptor", LOG_LEVEL_INFO, true);
            json = parse(log_text("k", value));
            assert_non_null(json_object_get(json, "level"));
            assert_non_null(json_object_get(json, "k"));
            json_decref(json);

            log_open("decryptor", LOG_LEVEL_INFO, false);
            line = log_text("k", value);
            assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
            assert_non_null(strstr(line, fills[f] == 'x' ? " k=x" : " k=\""));
        }
    }
}

static void many_long_values_leave_a_whole_line(void **state)
{
    char value[900];
    json_t *json;

    (void)state;
    memset(value, '\x01', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    log_open("decryptor", LOG_LEVEL_INFO, true);
    capture_begin(&capture);
    log_warn("reject", LOG_S("a", value), LOG_S("b", value), LOG_I("c", 1), LOG_S("d", value),
             LOG_I("e", 1234567890123), LOG_I("f", 1234567890123), LOG_S("g", "short"));
    json = parse(capture_end(&capture));
    assert_string_equal(json_string_value(json_object_get(json, "event")), "reject");
    assert_true(json_string_length(json_object_get(json, "a")) > 200);
    if (json_object_get(json, "e") != NULL) /* whole or not at all */
        assert_int_equal(json_integer_value(json_object_get(json, "e")), 1234567890123);
    json_decref(json);
}

/* systemd names the stream that it gave; the same variable in a child whose stderr is another. */
static void priorities_stand_before_a_line_for_the_journal(void **state)
{
    char stream[64];
    struct stat st;

    (void)state;
    for (int json = 0; json < 2; json++) {
        const char *text;

        capture_begin(&capture);
        (void)fstat(STDERR_FILENO, &st);
        snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
        setenv("JOURNAL_STREAM", stream, 1);
        log_open("x", LOG_LEVEL_DEBUG, json == 1);
        log_debug("e");
        log_info("e");
        log_warn("e");
        log_error("e");
        text = capture_end(&capture);
        for (const char *const *p = (const char *const[]){"<7>", "<6>", "<4>", "<3>", NULL};
             *p != NULL; p++, text = strchr(text, '\n') + 1) {
            assert_memory_equal(text, *p, 3);
            assert_memory_equal(text + 3, json == 1 ? "{\"time\":" : "time=", json == 1 ? 8 : 5);
        }
        capture_begin(&capture);
        setenv("JOURNAL_STREAM", "1:1", 1);
        log_open("x", LOG_LEVEL_INFO, json == 1);
        log_warn("e");
        text = capture_end(&capture);
        assert_memory_equal(text, json == 1 ? "{" : "t", 1);
    }
    unsetenv("JOURNAL_STREAM");
}

static void lines_below_the_level_are_not_written(void **state)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};

    (void)state;
    for (int level = 0; level < 4; level++) {
        assert_int_equal(log_level_from_name(names[level]), level);
        log_open("x", (enum log_level)level, false);
        capture_begin(&capture);
        log_debug("e", LOG_I("l", 0));
        log_info("e", LOG_I("l", 1));
        log_warn("e", LOG_I("l", 2));
        log_error("e", LOG_I("l", 3));
        capture_end(&capture);
        for (int l = 0; l < 4; l++) {
            char field[32];

            snprintf(field, sizeof field, "level=%s svc=x event=e l=%d\n", names[l], l);
            if ((strstr(capture.text, field) != NULL) != (l >= level))
                fail_msg("level %d: %s", level, capture.text);
        }
    }
    assert_int_equal(log_level_from_name("warning"), -1);
    assert_int_equal(log_level_from_name(""), -1);
}

static void troubles_that_repeat_are_held_back(void **state)
{
    int64_t held = -1;

    (void)state;
    assert_true(log_allowed("checksum meter-1", &held));
    assert_int_equal(held, 0);
    for (int i = 0; i < 5; i++)
        assert_false(log_allowed("checksum meter-1", &held));
    ahead_s = 59;
    assert_false(log_allowed("checksum meter-1", &held));
    assert_true(log_allowed("checksum meter-2", &held));
    assert_int_equal(held, 0);
    ahead_s = 61;
    assert_true(log_allowed("checksum meter-1", &held));
    assert_int_equal(held, 6);
    assert_false(log_allowed("checksum meter-1", &held));
    ahead_s = 122;
    assert_true(log_allowed("checksum meter-1", &held));
    assert_int_equal(held, 1);
    assert_true(log_allowed("", &held));
    assert_false(log_allowed("", &held));
}

#define TEST(f) cmocka_unit_test_teardown(f, close_log)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_of_text),
        TEST(a_line_of_json),
        TEST(a_long_value_is_cut_but_the_line_is_whole),
        TEST(many_long_values_leave_a_whole_line),
        TEST(priorities_stand_before_a_line_for_the_journal),
        TEST(lines_below_the_level_are_not_written),
        TEST(troubles_that_repeat_are_held_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
