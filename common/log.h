/* log: one line per event on stderr. */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

/** One key=value of a line. Values are escaped, so bytes from outside are safe. Never a key. */
struct log_field {
    const char *key;  /* NULL ends the list */
    const char *text; /* NULL: number counts */
    int64_t number;
};

#define LOG_S(k, v) ((struct log_field){.key = (k), .text = (v)})
#define LOG_I(k, v) ((struct log_field){.key = (k), .number = (int64_t)(v)})

#define LOG_LINE(event, ...)                                                                       \
    ((const struct log_field[]){LOG_S("event", event), ##__VA_ARGS__, {.key = NULL}})

/** log_warn("reject", LOG_S("reason", "checksum"), LOG_I("octets", 257)): an event and its fields.
 */
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, LOG_LINE(__VA_ARGS__))
#define log_info(...)  log_write(LOG_LEVEL_INFO, LOG_LINE(__VA_ARGS__))
#define log_warn(...)  log_write(LOG_LEVEL_WARN, LOG_LINE(__VA_ARGS__))
#define log_error(...) log_write(LOG_LEVEL_ERROR, LOG_LINE(__VA_ARGS__))

/** Set once at start: the service's name, level and form. Before that: "?", info, text. */
void log_open(const char *service, enum log_level level, bool json);

/**
 * Write one line in one write(2), so that lines of several threads never mix:
 *   time=2026-11-24T08:00:00.123Z level=warn svc=decryptor event=reject reason=checksum octets=257
 * or the same as one JSON object. Where stderr is systemd's journal (JOURNAL_STREAM) the priority
 * stands before it, as <4>, and the journal takes it off.
 */
void log_write(enum log_level level, const struct log_field *fields);

/** The level of "debug", "info", "warn" or "error", or -1. */
int log_level_from_name(const char *name);

/**
 * For troubles that repeat with every telegram: true when a line about `what` (any text: reason and
 * meter) may be written now, at most one a minute and 300 of all together; *suppressed is how many
 * were held back since.
 */
bool log_allowed(const char *what, int64_t *suppressed);

/** One line, limited as above, for a message on a stream that is no record of this version. */
void log_unreadable(const char *stream, int rc);

#endif
