/* dlms_time: COSEM date-time. */
#ifndef DLMS_TIME_H
#define DLMS_TIME_H

#include <stdint.h>

#define DLMS_TIME_OCTETS 12

/**
 * Convert the 12 octets of a COSEM date-time to UTC:
 *   year(2) month day weekday hour minute second hundredths deviation(2) status
 * Deviation is minutes from local time to UTC: -120 (FF88) for Vienna in summer. Weekday and
 * hundredths are dropped; seconds FF (not specified) count as 0.
 *
 * utc     seconds since 1970-01-01T00:00:00Z; untouched on failure.
 * status  clock status: bit 0 invalid, 1 doubtful, 2 other base, 3 invalid status, 7 summer time;
 *         FF not specified. Filled whenever the octets are a date-time at all.
 *
 * Returns 0; -EPROTO when a field is out of range (these octets are no date-time); -ENODATA when
 * year, month, day, hour, minute or deviation is "not specified", or the status says "invalid".
 * A doubtful clock (02, 82: Netz NÖ Sagemcom) is taken.
 * Source: DLMS UA Blue Book ed. 13, 4.1.6.1.
 */
int dlms_time_read(const uint8_t octets[DLMS_TIME_OCTETS], int64_t *utc, uint8_t *status);

/** Write a date-time for meter-sim: deviation in minutes as above, weekday computed. */
void dlms_time_write(int64_t utc, int deviation, uint8_t status, uint8_t octets[DLMS_TIME_OCTETS]);

#endif
