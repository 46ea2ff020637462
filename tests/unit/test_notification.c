/* Data-notifications to readings: the typed walk (quirks Q12 to Q19, Q26, Q27). */
#include "vectors.h"

#include <inttypes.h>
#include <stdio.h>

#include "notification.h"

/* Headers: without a clock, and 2021-09-27 09:47:15 +02:00 (1632728835) */
#define BARE          "0F80000001 00"
#define CLOCK         "07E5091B01092F0F00FF8880"
#define HEADER        "0F80000001 0C" CLOCK
#define CLOCK_2012    "07DC0C0C030C0C0C00FFC400" /* 12:12:12 on 12 December 2012, +01:00 */
#define CLOCK_UNSET   "07E5091B01092F0F00800000"
#define CLOCK_INVALID "07DC0C0C030C0C0C00FFC401"

/* OBIS codes of group A 1 as octet strings, and {scaler, unit} */
#define CODE(cde) "0906 0100" cde "FF"
#define WIN       CODE("010800")
#define PIN       CODE("010700")
#define U1        CODE("200700")
#define I1        CODE("1F0700")
#define PF        CODE("0D0700")
#define WH        "0202 0F00 161E"
#define W         "0202 0F00 161B"
#define V_1       "0202 0FFF 1623"
#define A_2       "0202 0FFE 1621"
#define ONE_3     "0202 0FFD 16FF"

static const char *const results[] = {[NOTIFICATION_OK] = "ok",
                                      [NOTIFICATION_NOISE] = "noise",
                                      [NOTIFICATION_BROKEN] = "broken",
                                      [NOTIFICATION_UNKNOWN] = "unknown",
                                      [NOTIFICATION_DSMR] = "dsmr"};

/* "WIn=12937 U1=233.7 time=1632728835 status=80 number=18122" */
static void describe(const struct reading *r, char text[512])
{
    size_t at = 0;

    for (int f = 0; f < FIELD_COUNT; f++) {
        char value[QUANTITY_CHARS];

        if (!r->values[f].present)
            continue;
        quantity_format(&r->values[f], value);
        at += (size_t)sprintf(text + at, "%s=%s ", field_name((enum field)f), value);
    }
    if (r->has_time)
        at += (size_t)sprintf(text + at, "time=%" PRId64 " ", r->time);
    at += (size_t)sprintf(text + at, "status=%02X", r->clock_status);
    if (r->number[0] != '\0')
        sprintf(text + at, " number=%s", r->number);
}

static enum notification_result read_text(const char *hex, char text[512], const char **detail)
{
    struct octets o = octets_from_hex(hex);
    struct reading r;
    enum notification_result result;

    memset(&r, 0x5A, sizeof r); /* all that is filled is reset first */
    result = notification_read(o.at, o.len, &r, detail);
    assert_int_equal(notification_is_whole(o.at, o.len),
                     o.at[0] == 0x0F &&
                         (result == NOTIFICATION_OK || result == NOTIFICATION_UNKNOWN));
    describe(&r, text);
    free(o.at);
    return result;
}

static const struct good_row {
    const char *why, *octets, *reading;
} good_rows[] = {
    {"factor as long-unsigned", BARE "0203" PF "1203AF" ONE_3, "PF=0.943 status=FF"},
    {"factor as long (old T210-D)", BARE "0203" PF "1003E8" ONE_3, "PF=1.0 status=FF"},
    {"factor as long, negative", BARE "0203" PF "10FC18" ONE_3, "PF=-1.0 status=FF"},
    {"implausible factor: as sent", BARE "0203" PF "10005E" ONE_3, "PF=0.094 status=FF"},
    {"energy of 64 bits", BARE "0203" WIN "150000001122334455" WH, "WIn=73588229205 status=FF"},
    {"energy of signed 64 bits", BARE "0203" WIN "140000000000003289" WH, "WIn=12937 status=FF"},
    {"energy of 32 bits, signed", BARE "0203" WIN "0500003289" WH, "WIn=12937 status=FF"},
    {"energy of 32 bits, all set", BARE "0203" WIN "06FFFFFFFF" WH, "WIn=4294967295 status=FF"},
    {"scaler above zero", BARE "0203" WIN "0600003289 0202 0F02 161E", "WIn=1293700 status=FF"},
    {"the largest scaler", BARE "0203" WIN "1101 0202 0F09 161E", "WIn=1000000000 status=FF"},
    {"the smallest scaler", BARE "0203" WIN "1101 0202 0FF7 161E", "WIn=0.000000001 status=FF"},
    {"without scaler: as it is", BARE "0202" WIN "0600003289", "WIn=12937 status=FF"},
    {"in an array", BARE "0101 0203" WIN "0600003289" WH, "WIn=12937 status=FF"},
    {"structures in a structure", BARE "0202 0203" WIN "0600003289" WH "0203" U1 "12090C" V_1,
     "WIn=12937 U1=231.6 status=FF"},
    {"channel 1 (Kamstrup, Swiss)", BARE "0202 0906 0101010800FF 1107", "WIn=7 status=FF"},
    {"32-bit float", BARE "0202" U1 "17 43698000", "U1=233.5 status=FF"},
    {"64-bit float", BARE "0202" I1 "18 3FD5C28F5C28F5C3", "I1=0.34 status=FF"},
    {"a single phase leaves out the others (Q19)",
     HEADER "0203 0203" U1 "120904" V_1 "0203" I1 "120000" A_2 "0203" PIN "0600000000" W,
     "PIn=0 U1=230.8 I1=0.0 time=1632728835 status=80"},
    {"32-bit float with a scaler", BARE "0203" U1 "17 43698000" V_1, "U1=23.35 status=FF"},
    {"0C in all places (Q16)",
     "0F0C0C0C0C 0C" CLOCK_2012 "020B 090C" CLOCK_2012 WIN "060C0C0C0C" WH U1 "12090C" V_1 I1
     "120C09" A_2 "090C313831323230303030303039",
     "WIn=202116108 U1=231.6 I1=30.81 time=1355310732 status=00 number=181220000009"},

    {"clock in the header alone", HEADER "0202" WIN "1107", "WIn=7 time=1632728835 status=80"},
    {"clock in the header, Norwegian spelling", "0F80000001 090C" CLOCK "0202" WIN "1107",
     "WIn=7 time=1632728835 status=80"},
    {"no clock, Norwegian spelling", "0F80000001 0900 0202" WIN "1107", "WIn=7 status=FF"},
    {"clock in the body alone", BARE "0203 090C" CLOCK WIN "1107",
     "WIn=7 time=1632728835 status=80"},
    {"clock in the body with its own type", BARE "0203 19" CLOCK WIN "1107",
     "WIn=7 time=1632728835 status=80"},
    {"clock behind its code", BARE "0204 0906 0000010000FF 090C" CLOCK WIN "1107",
     "WIn=7 time=1632728835 status=80"},
    {"the body's clock wins", HEADER "0203 090C" CLOCK_2012 WIN "1107",
     "WIn=7 time=1355310732 status=00"},
    {"the body's first clock wins", BARE "0204 090C" CLOCK_2012 "090C" CLOCK WIN "1107",
     "WIn=7 time=1355310732 status=00"},
    {"an invalid clock in the body leaves the header's time",
     HEADER "0203 090C" CLOCK_INVALID WIN "1107", "WIn=7 time=1632728835 status=01"},
    {"a clock without deviation has no time", "0F80000001 0C" CLOCK_UNSET "0202" WIN "1107",
     "WIn=7 status=00"},
    {"an invalid clock has none", BARE "0203 090C" CLOCK_INVALID WIN "1107", "WIn=7 status=01"},
    {"unset in the header, set in the body",
     "0F80000001 0C" CLOCK_UNSET "0203 090C" CLOCK WIN "1107", "WIn=7 time=1632728835 status=80"},
    {"12 octets that are no clock",
     HEADER "0203 090C"
            "FF0000000000000000000000" WIN "1107",
     "WIn=7 time=1632728835 status=80"},

    {"number bare, at the end", BARE "0203" WIN "1107 090C313831323230303030303039",
     "WIn=7 status=FF number=181220000009"},
    {"number bare, 8 digits", BARE "0203" WIN "1107 09083330313337323539",
     "WIn=7 status=FF number=30137259"},
    {"number behind its code",
     BARE "0204 0906 0000600100FF 090E314B464D32373833353630323533" WIN "1107",
     "WIn=7 status=FF number=1KFM2783560253"},
    {"number behind its code, before bare digits",
     BARE "0205 0906 0000600100FF 0904314B464D" WIN "1107 09083330313337323539",
     "WIn=7 status=FF number=1KFM"},
    {"number as a visible string", BARE "0204 0906 0000600100FF 0A0436353134" WIN "1107",
     "WIn=7 status=FF number=6514"},
    {"unprintable octets of a number are dropped",
     BARE "0204 0906 0000600100FF 0907 31 00 20 1B 32 FF 33" WIN "1107",
     "WIn=7 status=FF number=123"},
    {"a number of 32 characters",
     BARE "0204 0906 0000600100FF 0920 "
          "3132333435363738393031323334353637383930313233343536373839303132" WIN "1107",
     "WIn=7 status=FF number=12345678901234567890123456789012"},
    {"a longer one is none",
     BARE "0204 0906 0000600100FF 0921 "
          "313233343536373839303132333435363738393031323334353637383930313233" WIN "1107",
     "WIn=7 status=FF"},

    {"a register without a value", BARE "0204" WIN "00" PIN "1107", "PIn=7 status=FF"},
    {"a register with text for a value", BARE "0204" WIN "0A023132" PIN "1107", "PIn=7 status=FF"},
    {"a register that nobody knows", BARE "0206 0906 0100010801FF 1109" WH PIN "1107" W,
     "PIn=7 status=FF"},
    {"another group A: heat, gas", BARE "0204 0906 0600010800FF 1109" PIN "1107",
     "PIn=7 status=FF"},
    {"another group B: a second meter", BARE "0204 0906 0102010800FF 1109" PIN "1107",
     "PIn=7 status=FF"},
    {"an earlier billing period (F = 1)", BARE "0204 0906 010001080001 1109" PIN "1107",
     "PIn=7 status=FF"},
    {"convention of Kamstrup lists: 10 Wh, 0.01 A",
     BARE "0205 0A0E 4B616D73747275705F5630303031" WIN "1107" I1 "1107",
     "WIn=70 I1=0.07 status=FF"},
    {"convention of Kaifa lists: 0.1 V, mA", BARE "0205 0907 4B464D5F303031" U1 "120904" I1 "1107",
     "U1=230.8 I1=0.007 status=FF"},
    {"what is sent wins over a convention",
     BARE "0206 0907 4B464D5F303031" U1 "120904"
          "0202 0F00 1623" I1 "1107",
     "U1=2308 I1=0.007 status=FF"},
};

static void readings(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good_rows); i++) {
        const char *detail = NULL;
        char text[512];
        enum notification_result result = read_text(good_rows[i].octets, text, &detail);

        if (result != NOTIFICATION_OK || strcmp(text, good_rows[i].reading) != 0)
            fail_msg("%s: %s, %s (%s)", good_rows[i].why, results[result], text, detail);
        assert_string_equal(detail, "");
    }
}

static void every_truncation_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good_rows); i++) {
        struct octets o = octets_from_hex(good_rows[i].octets);

        for (size_t len = 0; len < o.len; len++) {
            struct octets cut = octets_copy(o.at, len);
            const char *detail = "";
            struct reading r;
            enum notification_result result = notification_read(cut.at, cut.len, &r, &detail);

            if (result != NOTIFICATION_BROKEN && result != NOTIFICATION_NOISE)
                fail_msg("%s, %zu octets: %s", good_rows[i].why, len, results[result]);
            assert_string_not_equal(detail, "");
            assert_false(notification_is_whole(cut.at, cut.len));
            free(cut.at);
        }
        free(o.at);
    }
}

static void what_is_refused(void **state)
{
    static const struct row {
        const char *why, *octets;
        enum notification_result result;
    } rows[] = {
        {"energy in W", HEADER "0203" WIN "1107" W, NOTIFICATION_UNKNOWN},
        {"power in Wh", HEADER "0203" PIN "1107" WH, NOTIFICATION_UNKNOWN},
        {"energy in kWh, which COSEM has no unit for", HEADER "0203" WIN "1107 0202 0F03 161F",
         NOTIFICATION_UNKNOWN},
        {"factor in V", HEADER "0203" PF "1203E8" V_1, NOTIFICATION_UNKNOWN},
        {"energy without a unit", HEADER "0203" WIN "1107 0202 0F00 16FF", NOTIFICATION_UNKNOWN},
        {"scaler +10", HEADER "0203" WIN "1107 0202 0F0A 161E", NOTIFICATION_UNKNOWN},
        {"scaler -10", HEADER "0203" WIN "1107 0202 0FF6 161E", NOTIFICATION_UNKNOWN},
        {"scaler -128", HEADER "0203" WIN "1107 0202 0F80 161E", NOTIFICATION_UNKNOWN},
        {"a register twice", HEADER "0206" WIN "1107" WH WIN "1107" WH, NOTIFICATION_UNKNOWN},
        {"a register on two channels", HEADER "0204" WIN "1107 0906 0101010800FF 1108",
         NOTIFICATION_UNKNOWN},
        {"a float twice", HEADER "0204" U1 "17 43698000" U1 "17 43698000", NOTIFICATION_UNKNOWN},
        {"a float in another unit", HEADER "0203" U1 "17 43698000" A_2, NOTIFICATION_UNKNOWN},
        {"a scaler of another type: one bit off", HEADER "0203" U1 "120904 0202 0DFF 1623",
         NOTIFICATION_UNKNOWN},
        {"a unit of another type", HEADER "0203" U1 "120904 0202 0FFF 1123", NOTIFICATION_UNKNOWN},
        {"a push object list", HEADER "0203 0101 0204 120003" WIN "0F02 120000" WIN "1107",
         NOTIFICATION_UNKNOWN},
        {"one object, no list", HEADER "0202 0204 120003" WIN "0F02 120000 1107",
         NOTIFICATION_UNKNOWN},
        {"positional values", HEADER "0204 090C" CLOCK "0600003289 0600003289 060000328A",
         NOTIFICATION_UNKNOWN},
        {"a number alone", HEADER "0201 090C313831323230303030303039", NOTIFICATION_UNKNOWN},
        {"nothing", HEADER "00", NOTIFICATION_UNKNOWN},
        {"an empty structure", HEADER "0200", NOTIFICATION_UNKNOWN},
        {"not a number", HEADER "0202" U1 "17 7FC00000", NOTIFICATION_UNKNOWN},
        {"infinite", HEADER "0202" U1 "17 FF800000", NOTIFICATION_UNKNOWN},
        {"a float beyond all meters", HEADER "0202" U1 "18 7FEFFFFFFFFFFFFF", NOTIFICATION_UNKNOWN},
        {"DSMR (T210-D-r)", "2F5341473520 0D0A 312D303A312E372E30 21 0D0A", NOTIFICATION_DSMR},

        {"an octet behind the contents", HEADER "0202" WIN "1107 00", NOTIFICATION_BROKEN},
        {"a second value behind the contents", HEADER "0202" WIN "1107 0202" PIN "1107",
         NOTIFICATION_BROKEN},
        {"one element too few", HEADER "0203" WIN "1107", NOTIFICATION_BROKEN},
        {"unknown type", HEADER "0202" WIN "0700", NOTIFICATION_BROKEN},
        {"a number beyond int64_t", HEADER "0202" WIN "158000000000000000", NOTIFICATION_BROKEN},
        {"a header and no contents", HEADER, NOTIFICATION_BROKEN},
        {"lost octets shift the types", HEADER "0203" WIN "06003289" WH, NOTIFICATION_BROKEN},

        {"another service", "0E80000001 00 0202" WIN "1107", NOTIFICATION_NOISE},
        {"clock of 11 octets", "0F80000001 0B 07E5091B01092F0F00FF88 0202" WIN "1107",
         NOTIFICATION_NOISE},
        {"clock of 13 octets", "0F80000001 0D" CLOCK "00 0202" WIN "1107", NOTIFICATION_NOISE},
        {"clock out of range", "0F80000001 0C ED10091B01092F0F00FF8880 0202" WIN "1107",
         NOTIFICATION_NOISE},
        {"Norwegian spelling of another length", "0F80000001 0906 07E5091B0109 0202" WIN "1107",
         NOTIFICATION_NOISE},
        {"a slash and noise is no DSMR", "2F53414735208D0A312D303A", NOTIFICATION_NOISE},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *detail = NULL;
        char text[512];
        enum notification_result result = read_text(rows[i].octets, text, &detail);

        if (result != rows[i].result)
            fail_msg("%s: %s, %s (%s)", rows[i].why, results[result], text, detail);
        assert_string_not_equal(detail, "");
    }
}

/* Real plaintexts with a bit flipped: any result, but no fault, and never a value without a code.
 */
static void flipped_bits_do_no_harm(void **state)
{
    json_t *vectors = vectors_load();
    const json_t *vector;
    size_t i;

    (void)state;
    json_array_foreach(vectors, i, vector)
    {
        const char *hex = vector_text(vector, "plaintext");
        struct octets o;

        if (hex == NULL)
            continue;
        o = octets_from_hex(hex);
        for (size_t bit = 0; bit < 8 * o.len; bit++) {
            struct reading r;
            const char *detail = NULL;
            enum notification_result result;

            o.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
            result = notification_read(o.at, o.len, &r, &detail);
            assert_non_null(detail);
            assert_int_equal(*detail == '\0', result == NOTIFICATION_OK);
            assert_true(memchr(r.number, '\0', sizeof r.number) != NULL);
            o.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        free(o.at);
    }
    json_decref(vectors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readings),
        cmocka_unit_test(every_truncation_fails),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(flipped_bits_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
