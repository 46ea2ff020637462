#include "log.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "instant.h"

enum {
    LINE_MAX_CHARS = 2048,
    FIELD_ROOM = 128,
    LIMITS = 1024,
    LIMIT_MS = 60000,
    LIMITED_LINES = 300
};

static struct {
    const char *service;
    enum log_level level;
    bool json;
    bool journal; /* stderr is systemd's: each line begins with its priority, sd-daemon(3) */
} logger = {"?", LOG_LEVEL_INFO, false, false};

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const priorities[] = {"<7>", "<6>", "<4>", "<3>"};

/* systemd says so by device:inode of its stream; a child's stderr may have become another. */
static bool is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char own[64];
    struct stat st;

    if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
        return false;
    snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(stream, own) == 0;
}

void log_open(const char *service, enum log_level level, bool json)
{
    logger.service = service;
    logger.level = level;
    logger.json = json;
    logger.journal = is_journal();
}

int log_level_from_name(const char *name)
{
    for (int i = 0; i < (int)(sizeof level_names / sizeof level_names[0]); i++)
        if (strcmp(name, level_names[i]) == 0)
            return i;
    return -1;
}

struct line {
    char text[LINE_MAX_CHARS];
    size_t len;
};

/* Room is kept for the end of the line: a long value is cut, never the line's form. What comes when
 * less than FIELD_ROOM is left is left out whole. */
static void add(struct line *l, const char *text)
{
    size_t n = strlen(text);
    size_t room = sizeof l->text - 8 - l->len;

    if (n > room)
        n = room;
    memcpy(l->text + l->len, text, n);
    l->len += n;
}

/* Quoted, with controls and octets above 7F as \u00XX: valid UTF-8 and JSON whatever comes in. */
static void add_quoted(struct line *l, const char *text)
{
    char piece[8];

    add(l, "\"");
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            snprintf(piece, sizeof piece, "\\%c", *p);
        else if (*p < ' ' || *p >= 0x7F)
            snprintf(piece, sizeof piece, "\\u%04X", *p);
        else
            snprintf(piece, sizeof piece, "%c", *p);
        if (l->len + sizeof piece > sizeof l->text - 16)
            break;
        add(l, piece);
    }
    add(l, "\"");
}

static bool is_plain(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-_.:/+*#@%,";

    return *text != '\0' && strspn(text, plain) == strlen(text);
}

static void add_field(struct line *l, const struct log_field *f)
{
    char number[24];
    bool first = l->len == 0 || strchr(">{", l->text[l->len - 1]) != NULL; /* no value ends so */

    if (!first)
        add(l, logger.json ? "," : " ");
    if (logger.json) {
        add_quoted(l, f->key);
        add(l, ":");
    } else {
        add(l, f->key);
        add(l, "=");
    }
    if (f->text == NULL) {
        snprintf(number, sizeof number, "%" PRId64, f->number);
        add(l, number);
    } else if (!logger.json && is_plain(f->text)) {
        add(l, f->text);
    } else {
        add_quoted(l, f->text);
    }
}

void log_write(enum log_level level, const struct log_field *fields)
{
    struct line l = {.len = 0};
    char now[INSTANT_CHARS];
    const struct log_field head[] = {LOG_S("time", now), LOG_S("level", level_names[level]),
                                     LOG_S("svc", logger.service)};
    ssize_t ignored;

    if (level < logger.level)
        return;
    instant_print_ms(clock_utc_ms(), now);
    if (logger.journal)
        add(&l, priorities[level]);
    if (logger.json)
        add(&l, "{");
    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++)
        add_field(&l, &head[i]);
    for (; fields->key != NULL && l.len < sizeof l.text - FIELD_ROOM; fields++)
        add_field(&l, fields);
    if (logger.json)
        add(&l, "}");
    l.text[l.len++] = '\n';
    ignored = write(STDERR_FILENO, l.text, l.len);
    (void)ignored; /* nobody left to tell */
}

static bool allowed(const char *what, int64_t *suppressed)
{
    static struct {
        uint64_t hash;
        int64_t since_ms, held;
    } limits[LIMITS];
    static int64_t minute_ms, lines;
    uint64_t hash = 14695981039346656037U; /* FNV-1a */
    int64_t now = clock_monotonic_ms();
    size_t slot;

    for (const unsigned char *p = (const unsigned char *)what; *p != '\0'; p++)
        hash = (hash ^ *p) * 1099511628211U;
    slot = (size_t)(hash % LIMITS);
    if (now - minute_ms >= LIMIT_MS) {
        minute_ms = now;
        lines = 0;
    }
    if (limits[slot].hash == hash && now - limits[slot].since_ms < LIMIT_MS) {
        limits[slot].held++;
        return false;
    }
    if (lines++ >= LIMITED_LINES) /* a thousand meters with the same trouble */
        return false;
    *suppressed = limits[slot].hash == hash ? limits[slot].held : 0;
    limits[slot].hash = hash;
    limits[slot].since_ms = now;
    limits[slot].held = 0;
    return true;
}

bool log_allowed(const char *what, int64_t *suppressed)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    bool yes;

    pthread_mutex_lock(&lock);
    yes = allowed(what, suppressed);
    pthread_mutex_unlock(&lock);
    return yes;
}

void log_unreadable(const char *stream, int rc)
{
    int64_t held;

    if (log_allowed(stream, &held))
        log_error("unreadable", LOG_S("stream", stream), LOG_S("reason", strerror(-rc)),
                  LOG_I("suppressed", held));
}
