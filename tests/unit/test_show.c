/* Lines of `zaehlwerk tail`: what stands in them, in what width and colours. */
#include "tools.h"

#include <stdio.h>

#include "show.h"

static struct record reading(void)
{
    struct record r = {.type = RECORD_READING, .arrival_ms = 1763971206078};

    strcpy(r.reading.meter, "534147B13DC66D62");
    r.reading.counter = 7;
    r.reading.has_time = true;
    r.reading.time = 1763971205;
    r.reading.values[FIELD_WIN] = (struct quantity){true, 0, 10069016};
    r.reading.values[FIELD_WOUT] = (struct quantity){true, 0, 219};
    r.reading.values[FIELD_PIN] = (struct quantity){true, 0, 366};
    r.reading.values[FIELD_POUT] = (struct quantity){true, 0, 0};
    r.reading.values[FIELD_U1] = (struct quantity){true, -1, 2338};
    r.reading.values[FIELD_I1] = (struct quantity){true, -2, 33};
    r.reading.values[FIELD_PF] = (struct quantity){true, -3, 943};
    r.reading.values[FIELD_QIN] = (struct quantity){true, 0, 5};
    return r;
}

static void check_line(const struct record *r, struct show_look look, const char *want)
{
    char text[SHOW_LINE_CHARS];

    show_line(r, &look, text);
    assert_string_equal(text, want);
}

static const struct show_look pipe_look = {.width = 0}, wide = {.terminal = true, .width = 200};

static void in_a_pipe(void **state)
{
    struct record r = reading();

    (void)state;
    check_line(&r, pipe_look,
               "2025-11-24T08:00:05Z 534147B13DC66D62     +366 W  WIn   10069016 Wh  WOut        "
               "219 Wh  U1 233.8 V  I1  0.33 A  PF 0.943  QIn 5 var");
    strcpy(r.reading.name, "roof");
    r.reading.has_time = false; /* then the arrival's */
    r.reading.values[FIELD_WOUT].present = false;
    r.reading.values[FIELD_POUT].mantissa = 1366;
    check_line(&r, pipe_look,
               "2025-11-24T08:00:06Z 534147B13DC66D62 roof    -1000 W  WIn   10069016 Wh  U1 233.8 "
               "V  I1  0.33 A  PF 0.943  QIn 5 var");
}

static void on_a_terminal(void **state)
{
    struct record r = reading();

    (void)state;
    check_line(&r, wide,
               "08:00:05Z 534147B13DC66D62     +366 W  WIn   10069016 Wh  WOut        219 Wh  U1 "
               "233.8 V  I1  0.33 A  PF 0.943  QIn 5 var");
    strcpy(r.reading.name, "Zählerkasten hinten");
    check_line(&r, (struct show_look){.terminal = true, .width = 60},
               "08:00:05Z Zählerkasten hin     +366 W  WIn   10069016 Wh");
    strcpy(r.reading.name, "\033[2Jx");
    r.reading.values[FIELD_PIN].present = r.reading.values[FIELD_POUT].present = false;
    r.reading.values[FIELD_WIN].present = false;
    check_line(&r, (struct show_look){.terminal = true, .width = 78},
               "08:00:05Z ?[2Jx                   -    WIn          - Wh  WOut        219 Wh");
}

/* 80 columns hold time, meter, power and both energies; nothing is ever wider than asked. */
static void widths(void **state)
{
    struct record r = reading();
    char text[SHOW_LINE_CHARS];

    (void)state;
    for (int width = 1; width < 200; width++) {
        show_line(&r, &(struct show_look){.terminal = true, .width = width}, text);
        assert_true(strlen(text) <= (size_t)width);
        show_titles(&(struct show_look){.terminal = true, .width = width}, text);
        assert_true(strlen(text) <= (size_t)width);
    }
    show_line(&r, &(struct show_look){.terminal = true, .width = 80}, text);
    assert_non_null(strstr(text, "WOut        219 Wh"));
    assert_null(strstr(text, "U1"));
}

static void colours(void **state)
{
    struct record r = reading();
    struct show_look look = {.terminal = true, .colour = true, .width = 45};

    (void)state;
    check_line(&r, look, "08:00:05Z 534147B13DC66D62 \033[33m    +366 W\033[0m");
    r.reading.values[FIELD_POUT].mantissa = 400;
    check_line(&r, look, "08:00:05Z 534147B13DC66D62 \033[32m     -34 W\033[0m");
    r.reading.values[FIELD_POUT].mantissa = 366;
    look.width = 70;
    strcpy(r.reading.suspect, "energy-falls");
    check_line(&r, look,
               "08:00:05Z 534147B13DC66D62       +0 W \033[1;31m suspect: energy-falls\033[0m");
}

static void json(void **state)
{
    struct record r = reading();
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    (void)state;
    strcpy(r.reading.number, "1\"2");
    show_json(out, &r.reading);
    r.reading.has_time = false;
    strcpy(r.reading.suspect, "energy-jumps");
    strcpy(r.reading.name, "roof");
    show_record_json(out, &r);
    fclose(out);
    assert_string_equal(
        text,
        "{\"meter\":\"534147B13DC66D62\",\"counter\":7,\"time\":\"2025-11-24T08:00:05Z\","
        "\"clock_status\":0,\"meter_number\":\"1\\\"2\",\"values\":{\"WIn\":10069016,\"WOut\":219,"
        "\"PIn\":366,\"POut\":0,\"U1\":233.8,\"I1\":0.33,\"PF\":0.943,\"QIn\":5}}\n"
        "{\"meter\":\"534147B13DC66D62\",\"counter\":7,\"time\":null,\"clock_status\":0,"
        "\"meter_number\":\"1\\\"2\",\"name\":\"roof\",\"suspect\":\"energy-jumps\","
        "\"received_at\":\"2025-11-24T08:00:06.078Z\",\"values\":{\"WIn\":10069016,\"WOut\":219,"
        "\"PIn\":366,\"POut\":0,\"U1\":233.8,\"I1\":0.33,\"PF\":0.943,\"QIn\":5}}\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_a_pipe), cmocka_unit_test(on_a_terminal), cmocka_unit_test(widths),
        cmocka_unit_test(colours),   cmocka_unit_test(json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
