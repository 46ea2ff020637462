/* zone: where days and months begin in the time zone of the people who pay. */
#ifndef ZONE_H
#define ZONE_H

#include <stdint.h>

/**
 * Take a zone of the system's database ("Europe/Vienna") as this process's own. Call it before
 * there are threads: it sets TZ. Returns 0; -EINVAL, with nothing changed, when there is no such
 * zone.
 */
int zone_use(const char *name) __attribute__((warn_unused_result));

/**
 * The first second of the local day, or month, that a second belongs to; both since 1970 UTC. Right
 * on days of 23 and 25 hours, and where midnight does not exist. Thread-safe.
 */
int64_t zone_day_start(int64_t utc);
int64_t zone_month_start(int64_t utc);

#endif
