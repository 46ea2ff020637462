#include "surplus.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "log.h"

enum { WATTS_MAX = 100000000 };

static bool read_watts(const struct quantity *q, int64_t *watts)
{
    *watts = q->present ? quantity_scaled(q, 0) : -1;
    return *watts >= 0 && *watts <= WATTS_MAX;
}

int surplus_check(const struct surplus *s)
{
    size_t len = strlen(s->meter);

    if (len == METER_ID_CHARS && strspn(s->meter, "0123456789ABCDEF") == len)
        return 0;
    return conf_wrong("METER", s->meter, "16 hex digits in upper case");
}

int surplus_open(struct surplus *s)
{
    snprintf(s->topic, sizeof s->topic, "reading.%s", s->meter);
    s->live = live_new(s->skew_seconds);
    return s->live == NULL ? -ENOMEM : 0;
}

void surplus_close(struct surplus *s)
{
    live_free(s->live);
    s->live = NULL;
    record_memory_free(&s->memory);
}

bool surplus_step(struct surplus *s, int64_t now_ms)
{
    if (s->heard && now_ms - s->heard_ms >= s->silence_seconds * 1000)
        s->heard = s->above = s->on = false;
    return s->on;
}

static void decide(struct surplus *s, int64_t export_watts, int64_t now_ms)
{
    if (export_watts <= s->on_watts) {
        s->above = false;
    } else if (!s->above) {
        s->above = true;
        s->above_ms = now_ms;
    }
    if (-export_watts > s->off_watts)
        s->on = false;
    else if (s->above && now_ms - s->above_ms >= s->on_seconds * 1000)
        s->on = true;
}

static void take_live(struct surplus *s, const struct reading *r, int64_t now_ms)
{
    int64_t in, out;

    (void)surplus_step(s, now_ms); /* what was before a silence does not count */
    if (!read_watts(&r->values[FIELD_PIN], &in) || !read_watts(&r->values[FIELD_POUT], &out))
        return;
    s->heard = true;
    s->heard_ms = now_ms;
    decide(s, out - in, now_ms);
}

const char *
surplus_take(struct surplus *s, const uint8_t *octets, size_t len, int64_t utc_ms, int64_t now_ms)
{
    size_t at = 0;
    int rc = record_unpack(octets, len, &at, &s->record, &s->memory);
    enum live_verdict v;

    if (rc != 0 || s->record.type != RECORD_READING) {
        log_unreadable("readings", rc);
        return "unreadable";
    }
    v = live_judge(s->live, &s->record, utc_ms);
    if (v == LIVE)
        take_live(s, &s->record.reading, now_ms);
    return live_name(v);
}
