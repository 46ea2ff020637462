#include "picture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 86400 };

struct picture *picture_new(int64_t now_s)
{
    struct picture *p = calloc(1, sizeof *p);

    if (p != NULL)
        p->now_s = now_s;
    return p;
}

void picture_free(struct picture *p)
{
    if (p == NULL)
        return;
    names_free(p->meters);
    free(p);
}

struct picture_meter *picture_add(struct names *meters, const char *id, bool *is_new)
{
    struct picture_meter *m = names_find(meters, id);

    *is_new = false;
    if (m != NULL || names_count(meters) >= PICTURE_METERS)
        return m;
    m = names_add(meters, id);
    *is_new = m != NULL;
    if (m != NULL)
        m->today = m->month_before = (struct energy_pair){ROWS_NULL, ROWS_NULL};
    return m;
}

static void visit_meter(void *arg, const struct rows_meter *meter)
{
    const struct picture *p = arg;
    bool is_new;
    struct picture_meter *m = picture_add(p->meters, meter->meter, &is_new);

    if (m == NULL)
        return;
    snprintf(m->number, sizeof m->number, "%s", meter->number);
    m->first_seen = meter->first_seen;
    m->has_last = meter->has_last;
    if (!meter->has_last)
        return;
    told_set(&m->last, &meter->last, "");
    if (m->last.row.received_ms ==
        ROWS_NULL) /* gone with its row: the meter's time stands for it */
        m->last.row.received_ms = m->last.row.time * 1000;
}

static void visit_reject(void *arg, const struct reject_row *row)
{
    const struct picture *p = arg;
    bool is_new;
    struct picture_meter *m = picture_add(p->meters, row->meter, &is_new);
    int v = verdict_from_name(row->reason);

    if (m == NULL || v < 0)
        return;
    m->rejects[v].count++;
    if (row->mark.time_ms / 1000 > m->rejects[v].last)
        m->rejects[v].last = row->mark.time_ms / 1000;
}

int picture_run(struct picture *p, struct store *store, char why[STORE_WHY_CHARS])
{
    const struct reject_query rejects = {
        .after.time_ms = (p->now_s - (int64_t)PICTURE_DAYS * DAY) * 1000,
        .newest = true,
        .max = PICTURE_REJECTS,
    };
    int rc;

    names_free(p->meters);
    p->meters = names_new(sizeof(struct picture_meter), NULL);
    if (p->meters == NULL)
        return -ENOMEM;
    rc = store_meters(store, PICTURE_METERS, visit_meter, p, why);
    if (rc == 0)
        rc = store_rejects(store, &rejects, visit_reject, p, why);
    return rc;
}
