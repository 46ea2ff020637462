/* COSEM date-time to UTC (quirks Q16, Q17, Q18). */
#include "tools.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "dlms_time.h"

#define UNTOUCHED INT64_C(-4711)

static const struct row {
    const char *why, *octets;
    int rc;
    int64_t utc;
} rows[] = {
    {"summer, deviation -120, 12:12:55", "07E60A0B020C0C3700FF8882", 0, 1665483175},
    {"new year, still winter", "07E701010700000000FFC400", 0, 1672527600},
    {"operator's example", "07E5091B01092F0F00FF8880", 0, 1632728835},
    {"twelve everywhere: 0C is no tag", "07DC0C0C030C0C0C00FFC400", 0, 1355310732},
    {"02:30 of an autumn night, summer", "07EA0A1907021E0000FF8880", 0, 1792888200},
    {"02:30 of an autumn night, winter", "07EA0A1907021E0000FFC400", 0, 1792891800},
    {"leap day", "07E8021D040C000000FFC400", 0, 1709204400},
    {"leap day of a century", "07D0021D02000000000000FF", 0, 951782400},
    {"the first second", "07B2010104000000000000FF", 0, 0},
    {"before the first second: east of it", "07B2010104000000FFFFC4FF", 0, -3600},
    {"the last year taken", "08970C1F02173B3BFF000000", 0, 7258118399},
    {"west of Greenwich", "07E60A0B020C0C3700012C00", 0, 1665483175 + 420 * 60},
    {"as far east as a deviation goes", "07E60A0B020C0C3700FCB800", 0, 1665483175 - 720 * 60},
    {"the largest deviation", "07E60A0B020C0C3700034800", 0, 1665483175 + 960 * 60},

    {"status: summer and doubtful", "07E5091B01092F0F00FF8882", 0, 1632728835},
    {"status: doubtful", "07E5091B01092F0F00FF8802", 0, 1632728835},
    {"status: not given", "07E5091B01092F0F00FF88FF", 0, 1632728835},
    {"status: nothing set", "07E5091B01092F0F00FF8800", 0, 1632728835},
    {"status: other base, invalid status", "07E5091B01092F0F00FF888C", 0, 1632728835},
    {"status: invalid", "07E5091B01092F0F00FF8801", -ENODATA, 0},
    {"status: invalid, summer", "07E5091B01092F0F00FF8881", -ENODATA, 0},

    {"weekday not given", "07E5091BFF092F0F00FF8880", 0, 1632728835},
    {"a weekday that does not fit the date", "07E5091B07092F0F00FF8880", 0, 1632728835},
    {"hundredths not given", "07E5091B01092F0FFFFF8880", 0, 1632728835},
    {"hundredths dropped", "07E5091B01092F0F63FF8880", 0, 1632728835},
    {"seconds not given count as 0", "07E5091B01092FFF00FF8880", 0, 1632728820},
    {"deviation not given", "07E5091B01092F0F00800080", -ENODATA, 0},
    {"year not given", "FFFF091B01092F0F00FF8880", -ENODATA, 0},
    {"month not given", "07E5FF1B01092F0F00FF8880", -ENODATA, 0},
    {"month: begin of daylight saving", "07E5FE1B01092F0F00FF8880", -ENODATA, 0},
    {"month: end of daylight saving", "07E5FD1B01092F0F00FF8880", -ENODATA, 0},
    {"day not given", "07E509FF01092F0F00FF8880", -ENODATA, 0},
    {"day: the last of the month", "07E509FE01092F0F00FF8880", -ENODATA, 0},
    {"day: the last but one", "07E509FD01092F0F00FF8880", -ENODATA, 0},
    {"hour not given", "07E5091B01FF2F0F00FF8880", -ENODATA, 0},
    {"minute not given", "07E5091B0109FF0F00FF8880", -ENODATA, 0},
    {"nothing given at all", "FFFFFFFFFFFFFFFFFF8000FF", -ENODATA, 0},

    {"year 60688 of a shifted telegram", "ED10091B01092F0F00FF8880", -EPROTO, 0},
    {"year 1969", "07B1091B01092F0F00FF8880", -EPROTO, 0},
    {"year 2200", "0898091B01092F0F00FF8880", -EPROTO, 0},
    {"month 0", "07E5001B01092F0F00FF8880", -EPROTO, 0},
    {"month 13", "07E50D1B01092F0F00FF8880", -EPROTO, 0},
    {"day 0", "07E5090001092F0F00FF8880", -EPROTO, 0},
    {"day 32", "07E5092001092F0F00FF8880", -EPROTO, 0},
    {"31 April", "07E5041F01092F0F00FF8880", -EPROTO, 0},
    {"29 February of a common year", "07E7021D01092F0F00FF8880", -EPROTO, 0},
    {"29 February of 2100", "0834021D01092F0F00FF8880", -EPROTO, 0},
    {"weekday 0", "07E5091B00092F0F00FF8880", -EPROTO, 0},
    {"weekday 8", "07E5091B08092F0F00FF8880", -EPROTO, 0},
    {"hour 24", "07E5091B01182F0F00FF8880", -EPROTO, 0},
    {"minute 60", "07E5091B01093C0F00FF8880", -EPROTO, 0},
    {"second 60", "07E5091B01092F3C00FF8880", -EPROTO, 0},
    {"hundredth 100", "07E5091B01092F0F64FF8880", -EPROTO, 0},
    {"deviation beyond any zone", "07E5091B01092F0F007FFF80", -EPROTO, 0},
    {"all zero", "000000000000000000000000", -EPROTO, 0},
};

static void reads(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct octets o = octets_from_hex(rows[i].octets);
        int64_t utc = UNTOUCHED, want = rows[i].rc == 0 ? rows[i].utc : UNTOUCHED;
        uint8_t status = 0x55;
        int rc;

        assert_int_equal(o.len, DLMS_TIME_OCTETS);
        rc = dlms_time_read(o.at, &utc, &status);
        if (rc != rows[i].rc || utc != want)
            fail_msg("%s: %d, %" PRId64, rows[i].why, rc, utc);
        if (rc != -EPROTO && status != o.at[11])
            fail_msg("%s: status %02X", rows[i].why, status);
        free(o.at);
    }
}

/* What is written is read again, whatever the hour, the day and the zone. */
static void writes_what_it_reads(void **state)
{
    static const int deviations[] = {0, -60, -120, -345, 210, 720, -720};
    static const uint8_t statuses[] = {0x00, 0x80, 0x82, 0x02, 0xFF};
    unsigned n = 0;

    (void)state;
    for (int64_t utc = 86400; utc < INT64_C(7258000000); utc += 1234567, n++) {
        int deviation = deviations[n % COUNT(deviations)];
        uint8_t octets[DLMS_TIME_OCTETS], status = 0x55;
        int64_t back = UNTOUCHED;

        dlms_time_write(utc, deviation, statuses[n % COUNT(statuses)], octets);
        if (dlms_time_read(octets, &back, &status) != 0 || back != utc)
            fail_msg("%" PRId64 " with %d: %" PRId64, utc, deviation, back);
        assert_int_equal(status, statuses[n % COUNT(statuses)]);
        /* 1970-01-01 was a Thursday */
        assert_int_equal(octets[4], ((utc - deviation * 60) / 86400 + 3) % 7 + 1);
    }
}

static void writes_as_meters_do(void **state)
{
    uint8_t octets[DLMS_TIME_OCTETS];
    char text[2 * DLMS_TIME_OCTETS + 1];

    (void)state;
    dlms_time_write(1665483175, -120, 0x82, octets);
    hex_encode(octets, sizeof octets, text);
    assert_string_equal(text, "07E60A0B020C0C3700FF8882");
    dlms_time_write(1792891800, -60, 0x00, octets);
    hex_encode(octets, sizeof octets, text);
    assert_string_equal(text, "07EA0A1907021E0000FFC400");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),
        cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(writes_as_meters_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
