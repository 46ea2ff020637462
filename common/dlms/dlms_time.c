#include "dlms_time.h"

#include <errno.h>
#include <stdbool.h>
#include <time.h>

enum { UNSET = 0xFF, YEAR_UNSET = 0xFFFF, DEVIATION_UNSET = -0x8000, STATUS_INVALID = 0x01 };

static bool in_range(const uint8_t *t, int deviation)
{
    unsigned year = (unsigned)(t[0] << 8 | t[1]);

    return (year == YEAR_UNSET || (year >= 1970 && year < 2200)) &&
           (t[2] == UNSET || t[2] == 0xFD || t[2] == 0xFE || (t[2] >= 1 && t[2] <= 12)) &&
           (t[3] >= 0xFD || (t[3] >= 1 && t[3] <= 31)) &&
           (t[4] == UNSET || (t[4] >= 1 && t[4] <= 7)) && (t[5] == UNSET || t[5] <= 23) &&
           (t[6] == UNSET || t[6] <= 59) && (t[7] == UNSET || t[7] <= 59) &&
           (t[8] == UNSET || t[8] <= 99) &&
           (deviation == DEVIATION_UNSET || (deviation >= -840 && deviation <= 840));
}

int dlms_time_read(const uint8_t octets[DLMS_TIME_OCTETS], int64_t *utc, uint8_t *status)
{
    int deviation = (int16_t)(octets[9] << 8 | octets[10]);
    struct tm tm = {
        .tm_year = (octets[0] << 8 | octets[1]) - 1900,
        .tm_mon = octets[2] - 1,
        .tm_mday = octets[3],
        .tm_hour = octets[5],
        .tm_min = octets[6],
        .tm_sec = octets[7] == UNSET ? 0 : octets[7],
    };
    struct tm asked = tm;
    int64_t local;

    if (!in_range(octets, deviation))
        return -EPROTO;
    *status = octets[11];
    if ((octets[0] << 8 | octets[1]) == YEAR_UNSET || octets[2] > 12 || octets[3] > 31 ||
        octets[5] == UNSET || octets[6] == UNSET || deviation == DEVIATION_UNSET)
        return -ENODATA;
    if (octets[11] != UNSET && (octets[11] & STATUS_INVALID) != 0)
        return -ENODATA;
    local = timegm(&tm);
    if (tm.tm_mday != asked.tm_mday) /* 31 April */
        return -EPROTO;
    *utc = local + (int64_t)deviation * 60;
    return 0;
}

void dlms_time_write(int64_t utc, int deviation, uint8_t status, uint8_t octets[DLMS_TIME_OCTETS])
{
    time_t local = (time_t)(utc - (int64_t)deviation * 60);
    struct tm tm;

    gmtime_r(&local, &tm);
    octets[0] = (uint8_t)((tm.tm_year + 1900) >> 8);
    octets[1] = (uint8_t)(tm.tm_year + 1900);
    octets[2] = (uint8_t)(tm.tm_mon + 1);
    octets[3] = (uint8_t)tm.tm_mday;
    octets[4] = (uint8_t)(tm.tm_wday == 0 ? 7 : tm.tm_wday);
    octets[5] = (uint8_t)tm.tm_hour;
    octets[6] = (uint8_t)tm.tm_min;
    octets[7] = (uint8_t)tm.tm_sec;
    octets[8] = 0;
    octets[9] = (uint8_t)((unsigned)deviation >> 8);
    octets[10] = (uint8_t)deviation;
    octets[11] = status;
}
