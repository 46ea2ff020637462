/* A reading as texts. */
#include "tools.h"

#include <stdio.h>

#include "fields.h"

/* "WIn=10069016/0 PIn=-366/-1": mantissas and scalers by name. */
static struct record record_of(const char *values)
{
    struct record r = {.type = RECORD_READING, .arrival_ms = 1665581632999};
    char text[256], *rest = NULL;

    snprintf(text, sizeof text, "%s", values);
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        char *equals = strchr(word, '='), *slash = strchr(word, '/');
        int f = field_from_name(word, (unsigned)(equals - word));

        assert_true(f >= 0);
        r.reading.values[f] = (struct quantity){true, (int8_t)strtol(slash + 1, NULL, 10),
                                                strtoll(equals + 1, NULL, 10)};
    }
    return r;
}

/* Every text that is not empty, as "name=text ". */
static const char *all(const struct fields *f)
{
    static char text[1024];
    size_t n = 0;

    text[0] = '\0';
    for (int place = 0; place < FIELDS_COUNT; place++)
        if (f->text[place][0] != '\0')
            n += (size_t)snprintf(text + n, sizeof text - n, "%s=%s ",
                                  fields_name((enum fields_place)place), f->text[place]);
    return text;
}

#define SEEN "last_seen=2022-10-12T13:33:52Z "

static void texts_of_a_reading(void **state)
{
    static const struct row {
        const char *why, *values, *texts;
    } rows[] = {
        {"three phases",
         "WIn=10069016/0 WOut=219/0 PIn=366/0 POut=0/0 U1=2338/-1 U2=2341/-1 U3=2300/-1 I1=33/-2 "
         "I2=46/-2 I3=141/-2 PF=943/-3",
         "power=366 power_import=366 power_export=0 l1_voltage=233.8 l2_voltage=234.1 "
         "l3_voltage=230.0 l1_current=0.33 l2_current=0.46 l3_current=1.41 "
         "power_factor=0.943 " SEEN},
        {"export", "PIn=0/0 POut=1250/0", "power=-1250 power_import=0 power_export=1250 " SEEN},
        {"both", "PIn=100/0 POut=1/0", "power=99 power_import=100 power_export=1 " SEEN},
        {"neither", "U1=2300/-1", "l1_voltage=230.0 " SEEN},
        {"import alone", "PIn=5/0", "power=5 power_import=5 " SEEN},
        {"export alone", "POut=5/0", "power=-5 power_export=5 " SEEN},
        {"tenths", "PIn=3665/-1 POut=0/0", "power=366.5 power_import=366.5 power_export=0 " SEEN},
        {"two scalers", "PIn=3/3 POut=15/-1",
         "power=2998.5 power_import=3000 power_export=1.5 " SEEN},
        {"kilowatts", "PIn=3/3", "power=3000 power_import=3000 " SEEN},
        {"finer than milliwatts", "PIn=12345678/-6", "power=12.346 power_import=12.345678 " SEEN},
        {"a factor below zero", "PF=-5/-1", "power_factor=-0.5 " SEEN},
        {"reactive energy has no topic", "RIn=1/0 QIn=1/0", SEEN},
        {"nothing", "", SEEN},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct record r = record_of(rows[i].values);
        struct fields f;

        memset(&f, 'x', sizeof f);
        fields_of_reading(&r, &f);
        if (strcmp(all(&f), rows[i].texts) != 0)
            fail_msg("%s: %s", rows[i].why, all(&f));
    }
}

static void a_meters_time_is_shown_where_it_has_one(void **state)
{
    struct record r = record_of("");
    struct fields f;

    (void)state;
    r.reading.has_time = true;
    r.reading.time = 1665581631;
    fields_of_reading(&r, &f);
    assert_string_equal(all(&f), "time=2022-10-12T13:33:51Z " SEEN);
    r.reading.time = INT64_MAX; /* no year for it */
    fields_of_reading(&r, &f);
    assert_string_equal(all(&f), SEEN);
}

static void watt_hours_are_thousandths(void **state)
{
    static const struct row {
        int64_t wh;
        const char *text;
    } rows[] = {
        {0, "0.000"},
        {7, "0.007"},
        {219, "0.219"},
        {10069016, "10069.016"},
        {-1, "-0.001"},
        {-2500, "-2.500"},
        {INT64_MAX / 2, "4611686018427387.903"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[QUANTITY_CHARS];

        fields_kwh(rows[i].wh, text);
        assert_string_equal(text, rows[i].text);
    }
}

static void names_fit_topics_and_entities(void **state)
{
    (void)state;
    for (int place = 0; place < FIELDS_COUNT; place++) {
        const char *name = fields_name((enum fields_place)place);

        assert_true(strlen(name) > 0);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name));
        for (int other = 0; other < place; other++)
            assert_string_not_equal(name, fields_name((enum fields_place)other));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_a_reading),
        cmocka_unit_test(a_meters_time_is_shown_where_it_has_one),
        cmocka_unit_test(watt_hours_are_thousandths),
        cmocka_unit_test(names_fit_topics_and_entities),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
