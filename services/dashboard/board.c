#include "board.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advice.h"
#include "answer.h"
#include "clock.h"
#include "energy.h"
#include "log.h"

enum {
    LIVE_MS = 60000,
    SUMS_SECONDS = 10,
    MONTH_SECONDS = 600,
    QUIET_MS = 30000 /* at a first start db-writer is still making its tables */
};

struct board {
    pthread_mutex_t lock;
    struct board_conf conf;
    struct names *meters; /* of struct picture_meter */
    bool database_up, database_told;
    char database_why[STORE_WHY_CHARS];
    int64_t since_ms; /* monotonic */
    struct health_report health;
    char *status; /* as it was last given out */
};

/* The meters whose sums are wanted next. */
struct choice {
    int64_t now_s;
    struct picture_meter *meters[SUMS_METERS];
    size_t count;
};

struct board *board_new(const struct board_conf *conf)
{
    struct board *b = calloc(1, sizeof *b);

    if (b == NULL)
        return NULL;
    pthread_mutex_init(&b->lock, NULL);
    b->conf = *conf;
    b->health.mqtt_messages = -1;
    b->since_ms = clock_monotonic_ms();
    snprintf(b->database_why, sizeof b->database_why, "not asked yet");
    b->meters = names_new(sizeof(struct picture_meter), NULL);
    if (b->meters != NULL)
        return b;
    board_free(b);
    return NULL;
}

void board_free(struct board *b)
{
    if (b == NULL)
        return;
    names_free(b->meters);
    pthread_mutex_destroy(&b->lock);
    free(b->status);
    free(b);
}

char *board_reading(struct board *b, const struct record *r, bool *unknown)
{
    struct picture_meter *m;
    struct told told;
    json_t *json;
    char *text;

    *unknown = false;
    if (told_from_record(&told, r) != 0)
        return NULL;
    pthread_mutex_lock(&b->lock);
    m = picture_add(b->meters, told.meter, unknown);
    if (m != NULL) {
        told_set(&m->last, &told.row, told.name);
        m->has_last = true;
        snprintf(m->name, sizeof m->name, "%s", told.name);
        if (r->reading.number[0] != '\0')
            snprintf(m->number, sizeof m->number, "%s", r->reading.number);
    }
    pthread_mutex_unlock(&b->lock);
    json = reading_json(&told);
    text = answer_dump(json);
    json_decref(json);
    return text;
}

void board_database(struct board *b, bool up, const char *why)
{
    bool changed, early;

    pthread_mutex_lock(&b->lock);
    changed = up != b->database_up || !b->database_told;
    early = !up && !b->database_told && clock_monotonic_ms() - b->since_ms < QUIET_MS;
    b->database_up = up;
    b->database_told = !early;
    snprintf(b->database_why, sizeof b->database_why, "%s", up ? "" : why);
    pthread_mutex_unlock(&b->lock);
    if (changed && up)
        log_info("up", LOG_S("what", "database"));
    else if (changed && early)
        log_debug("down", LOG_S("what", "database"), LOG_S("detail", why));
    else if (changed)
        log_warn("down", LOG_S("what", "database"), LOG_S("detail", why));
}

void board_health(struct board *b, const struct health_report *report)
{
    pthread_mutex_lock(&b->lock);
    b->health = *report;
    pthread_mutex_unlock(&b->lock);
}

/* What the board knows and a picture cannot: names, what is newer, and the sums. */
static void keep(void *value, void *arg)
{
    struct picture_meter *old = value;
    struct picture *p = arg;
    struct picture_meter *fresh = names_find(p->meters, names_of(value));
    bool is_new;

    if (fresh == NULL && old->has_last) /* live, and not stored yet */
        fresh = picture_add(p->meters, names_of(value), &is_new);
    if (fresh == NULL)
        return;
    memcpy(fresh->name, old->name, sizeof fresh->name);
    if (fresh->number[0] == '\0')
        memcpy(fresh->number, old->number, sizeof fresh->number);
    fresh->today = old->today;
    fresh->month_before = old->month_before;
    fresh->asked_s = old->asked_s;
    fresh->month_s = old->month_s;
    if (old->has_last &&
        (!fresh->has_last || old->last.row.received_ms > fresh->last.row.received_ms)) {
        fresh->has_last = true;
        told_set(&fresh->last, &old->last.row, old->name);
    }
}

void board_picture(struct board *b, struct picture *p)
{
    struct names *old;

    pthread_mutex_lock(&b->lock);
    names_each(b->meters, keep, p);
    old = b->meters;
    b->meters = p->meters;
    p->meters = old;
    pthread_mutex_unlock(&b->lock);
}

/* Kept in order of asked_s: the first go first. */
static void choose(void *value, void *arg)
{
    struct picture_meter *m = value, *next;
    struct choice *c = arg;

    if (m->asked_s <= c->now_s && c->now_s - m->asked_s < SUMS_SECONDS)
        return;
    if (*names_of(value) == '\0') /* rejects without a meter */
        return;
    for (size_t i = 0; i < c->count; i++)
        if (m->asked_s < c->meters[i]->asked_s) {
            next = c->meters[i];
            c->meters[i] = m;
            m = next;
        }
    if (c->count < SUMS_METERS)
        c->meters[c->count++] = m;
}

/* The month changes with a day, and what was today goes to it then. */
static bool is_month_old(const struct picture_meter *m, const struct sums *s)
{
    return m->month_s < s->day || m->month_s > s->now_s || s->now_s - m->month_s >= MONTH_SECONDS;
}

bool board_wants_sums(struct board *b, struct sums *s)
{
    struct choice c = {.now_s = s->now_s};

    pthread_mutex_lock(&b->lock);
    if (b->database_up) /* else the picture asks whether it is back */
        names_each(b->meters, choose, &c);
    for (size_t i = 0; i < c.count; i++) {
        sums_add(s, names_of(c.meters[i]), is_month_old(c.meters[i], s));
        c.meters[i]->asked_s = s->now_s;
    }
    pthread_mutex_unlock(&b->lock);
    return c.count > 0;
}

static void take_sums(struct picture_meter *m, const struct sums *s, const struct sums_meter *from)
{
    m->today = from->today;
    if (!from->whole)
        return;
    m->month_before = from->before;
    m->month_s = s->now_s;
}

void board_sums(struct board *b, const struct sums *s, bool *news)
{
    *news = false;
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < s->count; i++) {
        const struct sums_meter *from = &s->meters[i];
        struct picture_meter *m = names_find(b->meters, from->meter);

        if (m == NULL)
            continue;
        if (from->state == SUMS_READ) {
            *news |= m->month_s == 0;
            take_sums(m, s, from);
        } else if (from->state == SUMS_LEFT) {
            m->asked_s = 0; /* the next slice begins with it */
        }
    }
    pthread_mutex_unlock(&b->lock);
}

static json_t *pair_json(struct energy_pair p)
{
    return json_pack("{s:o, s:o}", "win", answer_number(p.win), "wout", answer_number(p.wout));
}

static json_t *rejects_json(const struct picture_meter *m)
{
    json_t *list = json_array();

    for (int v = 0; v < VERDICT_COUNT; v++)
        if (m->rejects[v].count > 0)
            json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:o}", "reason",
                                                  verdict_name((enum verdict)v), "count",
                                                  (json_int_t)m->rejects[v].count, "last",
                                                  (json_int_t)m->rejects[v].last, "advice",
                                                  advice_json((enum verdict)v)));
    return list;
}

/* One walk over the meters. */
struct walk {
    json_t *list;
    int64_t now_ms;
    bool reading;                   /* one of them has a reading */
    int64_t rejects[VERDICT_COUNT]; /* of all together */
};

static void add_json(void *value, void *arg)
{
    const struct picture_meter *m = value;
    struct walk *w = arg;
    struct energy_pair month = m->month_before;
    struct told last = {0};

    energy_add(&month.win, m->today.win);
    energy_add(&month.wout, m->today.wout);
    if (m->has_last)
        told_set(&last, &m->last.row, m->name);
    json_array_append_new(
        w->list,
        json_pack("{s:s, s:s, s:s, s:o, s:o, s:b, s:o, s:o, s:o}", "id", names_of(value), "number",
                  m->number, "name", m->name, "first_seen",
                  m->first_seen == 0 ? json_null() : json_integer(m->first_seen), "last",
                  m->has_last ? reading_json(&last) : json_null(), "live",
                  m->has_last && w->now_ms - m->last.row.received_ms < LIVE_MS, "today",
                  pair_json(m->today), "month", pair_json(month), "rejects", rejects_json(m)));
}

static void add_counts(void *value, void *arg)
{
    const struct picture_meter *m = value;
    struct walk *w = arg;

    w->reading |= m->has_last;
    for (int v = 0; v < VERDICT_COUNT; v++)
        w->rejects[v] += m->rejects[v].count;
}

static json_t *meters_json(struct board *b, int64_t now_s)
{
    struct walk w = {.list = json_array(), .now_ms = now_s * 1000};

    names_each(b->meters, add_json, &w);
    return w.list;
}

static json_t *services_json(const struct health_report *h)
{
    json_t *list = json_array();

    for (size_t i = 0; i < h->count; i++) {
        const struct health_service *s = &h->services[i];
        json_t *details = json_array();

        for (size_t d = 0; d < s->detail_count; d++)
            json_array_append_new(details, json_string(s->details[d]));
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:o}", "name", s->name, "state",
                                        health_name(s->state), "why", s->why, "details", details));
    }
    return list;
}

/* While the database is away, or empty, the services' own counts say what goes wrong. */
static json_t *first_run_json(struct board *b, bool *reading)
{
    struct walk w = {0};
    json_t *rejects = json_object();
    json_t *messages =
        b->health.mqtt_messages < 0 ? json_null() : json_integer(b->health.mqtt_messages);

    names_each(b->meters, add_counts, &w);
    for (int v = VERDICT_OK + 1; v < VERDICT_COUNT; v++) {
        int64_t n = b->database_up ? w.rejects[v] : b->health.rejects[v];

        if (n > 0 || v == VERDICT_NO_KEY || v == VERDICT_WRONG_KEY)
            json_object_set_new(rejects, verdict_name((enum verdict)v), json_integer(n));
    }
    *reading = w.reading;
    return json_pack("{s:b, s:o, s:o}", "reading", w.reading, "mqtt_messages", messages, "rejects",
                     rejects);
}

static json_t *status_json(struct board *b, bool *reading)
{
    return json_pack("{s:{s:b, s:s}, s:o, s:o}", "database", "up", b->database_up, "why",
                     b->database_why, "services", services_json(&b->health), "first_run",
                     first_run_json(b, reading));
}

/* Takes the reference over. */
static char *dump(json_t *json)
{
    char *text = json == NULL ? NULL : answer_dump(json);

    json_decref(json);
    return text;
}

char *board_state_text(struct board *b, int64_t now_s)
{
    bool reading;
    json_t *state;

    pthread_mutex_lock(&b->lock);
    state =
        json_pack("{s:s, s:I, s:s, s:o, s:b, s:o}", "version", ZW_VERSION, "now", (json_int_t)now_s,
                  "timezone", b->conf.timezone, "prices", prices_json(&b->conf.prices), "login",
                  b->conf.login, "meters", meters_json(b, now_s));
    if (state != NULL)
        json_object_update_new(state, status_json(b, &reading));
    pthread_mutex_unlock(&b->lock);
    return dump(state);
}

char *board_meters_text(struct board *b, int64_t now_s)
{
    json_t *meters;

    pthread_mutex_lock(&b->lock);
    meters = json_pack("{s:o}", "meters", meters_json(b, now_s));
    pthread_mutex_unlock(&b->lock);
    return dump(meters);
}

/* Once readings come, nobody waits for the count of messages: it alone is no change. */
char *board_status_text(struct board *b)
{
    bool reading, changed = false;
    json_t *status, *compared;
    char *text;

    pthread_mutex_lock(&b->lock);
    status = status_json(b, &reading);
    compared = json_deep_copy(status);
    if (reading)
        json_object_del(json_object_get(compared, "first_run"), "mqtt_messages");
    text = dump(compared);
    if (text != NULL && (b->status == NULL || strcmp(text, b->status) != 0)) {
        free(b->status);
        b->status = text;
        text = NULL;
        changed = true;
    }
    pthread_mutex_unlock(&b->lock);
    free(text);
    if (changed)
        return dump(status);
    json_decref(status);
    return NULL;
}
