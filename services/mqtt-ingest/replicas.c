/* replicas: an ingest among others: its slot, and an eye on theirs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "mqtt_ingest.h"
#include "log.h"

enum {
    TAKEN_MS = 15000, /* as long as a predecessor may drain, and more */
    RETRY_MS = 250,
    LOOK_MS = 15000,
    REMIND_MS = 3600000,
    ANSWER_MS = 2000,
};

static bool holds(char *const *list, const char *filter)
{
    for (; *list != NULL; list++)
        if (strcmp(*list, filter) == 0)
            return true;
    return false;
}

/* No slot is free: what to do about it. */
static int taken(const struct mqtt_ingest *i, int number)
{
    char wrong[SLOT_FOLDER_CHARS + 60];

    if (number < 0) {
        snprintf(wrong, sizeof wrong, "all %d slots in %s are taken", (int)i->slots.count,
                 i->slots.folder);
        (void)conf_wrong("INGEST_SLOTS", wrong,
                         "as many slots as mqtt-ingests run, or one mqtt-ingest less");
    } else {
        snprintf(wrong, sizeof wrong, "slot %d in %s is taken", number, i->slots.folder);
        (void)conf_wrong("INGEST_SLOT", wrong,
                         i->retire.wanted ? "the slot of a stopped mqtt-ingest: stop it first"
                                          : "another slot for each mqtt-ingest");
    }
    return -EBUSY;
}

static int take_slot(struct mqtt_ingest *i)
{
    int number = i->retire.wanted ? i->retire.slot : slots_fixed(&i->slots);
    int64_t until = clock_monotonic_ms() + TAKEN_MS;
    char why[SLOT_WHY_CHARS], wrong[SLOT_FOLDER_CHARS + SLOT_WHY_CHARS + 4];
    bool told = false;
    int rc;

    while ((rc = slot_take(&i->slot, &i->slots, number, why)) == -EBUSY) {
        if (clock_monotonic_ms() >= until)
            return taken(i, number);
        if (!told)
            log_info("slot", LOG_S("waiting", "none is free: a predecessor may still be ending"));
        told = true;
        if (svc_signalled(&i->ingest.svc, RETRY_MS))
            return -EINTR;
    }
    if (rc == 0)
        return 0;
    snprintf(wrong, sizeof wrong, "%s: %s", i->slots.folder, why);
    return conf_wrong("JOURNAL_PATH", wrong, "a folder that this process can write");
}

/* What the session is still subscribed to by earlier settings. */
static int find_leftover(struct mqtt_ingest *i)
{
    char **list = slot_read_note(&i->slots, i->slot.number, SLOT_MAYBE);
    size_t n = 0;
    int rc;

    for (size_t k = 0; list != NULL && list[k] != NULL; k++)
        if (!holds(i->own, list[k]))
            list[n++] = list[k];
    if (list != NULL)
        list[n] = NULL;
    i->neighbours.leftover = list;
    if (list == NULL)
        return -ENOMEM;
    rc = slot_write_note(&i->slot, SLOT_MAYBE, i->own, list);
    if (rc != 0) /* a full disk, perhaps: then what is in the journal can still be drained */
        log_warn("slot", LOG_S("note", SLOT_MAYBE), LOG_S("reason", strerror(-rc)));
    return 0;
}

int replicas_open(struct mqtt_ingest *i)
{
    int rc = take_slot(i);

    if (rc != 0)
        return rc;
    i->neighbours.next_ms = clock_monotonic_ms() + LOOK_MS / 3;
    i->session = slot_client_id(i->client_id, i->slot.number);
    if (i->session == NULL)
        return -ENOMEM;
    log_info("slot", LOG_I("number", i->slot.number), LOG_I("of", i->slots.count),
             LOG_S("session", i->session), LOG_S("folder", i->slot.folder));
    if (i->retire.wanted && !i->slots.shared && i->slot.number < i->slots.count)
        log_warn("retire", LOG_I("slot", i->slot.number),
                 LOG_S("reason", "by INGEST_SLOTS it has topic filters, which nobody will receive"),
                 LOG_S("then", "start the others with fewer INGEST_SLOTS first"));
    if (i->retire.wanted)
        return 0; /* it receives what it is subscribed to, and subscribes nothing */
    i->own = slot_filters(&i->slots, i->slot.number, i->filters);
    return i->own == NULL ? -ENOMEM : find_leftover(i);
}

void replicas_close(struct mqtt_ingest *i)
{
    slot_release(&i->slot);
    free(i->session);
    free(i->own);
    free(i->neighbours.leftover);
}

/*
 * An unsubscription must lose nothing: a filter of before is ended when no setting names it any
 * more, or when the slot that has it now has subscribed it.
 */
static bool handed_over(const struct mqtt_ingest *i, const char *filter)
{
    size_t share = strlen(SLOT_SHARE), place = 0;
    const char *base = strncmp(filter, SLOT_SHARE, share) == 0 ? filter + share : filter;
    char **theirs;
    bool has;

    while (i->filters[place] != NULL && strcmp(i->filters[place], base) != 0)
        place++;
    if (i->filters[place] == NULL || i->slots.shared ||
        place % (size_t)i->slots.count == (size_t)i->slot.number)
        return true;
    theirs = slot_read_note(&i->slots, (int)(place % (size_t)i->slots.count), SLOT_SURELY);
    has = theirs != NULL && holds(theirs, base);
    free(theirs);
    return has;
}

static void end_leftover(struct mqtt_ingest *i)
{
    char **left = i->neighbours.leftover;
    size_t n = 0;

    for (size_t k = 0; left[k] != NULL; k++) {
        const char *const one[] = {left[k], NULL};

        if (handed_over(i, left[k]) && mqtt_unsubscribe(i->mqtt, one, ANSWER_MS) == 0)
            log_info("unsubscribed", LOG_S("filter", left[k]));
        else
            left[n++] = left[k];
    }
    if (left[n] == NULL)
        return;
    left[n] = NULL;
    (void)slot_write_note(&i->slot, SLOT_SURELY, i->own, left);
    (void)slot_write_note(&i->slot, SLOT_MAYBE, i->own, left);
}

/* Once and then every hour, from the second look on: a replica may just be restarting. */
static bool may_warn(struct mqtt_ingest *i, int number, bool trouble, int64_t now)
{
    struct neighbour *n = &i->neighbours.list[number];

    if (!trouble) {
        *n = (struct neighbour){false, 0};
        return false;
    }
    if (!n->seen || (n->warned_ms != 0 && now - n->warned_ms < REMIND_MS)) {
        n->seen = true;
        return false;
    }
    n->warned_ms = now;
    return true;
}

static void warn(const struct mqtt_ingest *i, int number, enum slot_view view, int64_t entries)
{
    bool has_filters = !i->slots.shared && number < i->slots.count;

    if (view == SLOT_ORPHAN)
        log_warn("orphan", LOG_I("slot", number), LOG_I("payloads", entries),
                 LOG_S("reason", "served by nobody"),
                 LOG_S("then", "start an mqtt-ingest for it, or run `zaehlwerk retire`"));
    else
        log_warn("unserved", LOG_I("slot", number),
                 LOG_S("reason", has_filters ? "nobody receives its topic filters"
                                             : "its session may still collect at the broker"),
                 LOG_S("then", has_filters
                                   ? "start an mqtt-ingest for it, or lower INGEST_SLOTS"
                                   : "start an mqtt-ingest for it, or run `zaehlwerk retire`"));
}

/* Slots that were ever taken, and those that must be; without a common folder only one's own. */
static void look(struct mqtt_ingest *i, int64_t now)
{
    bool must = !i->slots.shared && slots_fixed(&i->slots) < 0;
    bool seen[SLOTS_MAX];
    int orphans = 0, unserved = 0;

    slots_list(&i->slots, seen);
    for (int n = 0; n < SLOTS_MAX; n++) {
        enum slot_view view = SLOT_SERVED;
        int64_t entries = 0;

        if (n != i->slot.number && (seen[n] || (must && n < i->slots.count)))
            view = slot_look(&i->slots, n, &entries);
        orphans += view == SLOT_ORPHAN;
        unserved += view != SLOT_SERVED;
        if (may_warn(i, n, view != SLOT_SERVED, now))
            warn(i, n, view, entries);
    }
    svc_gauge(&i->ingest.svc, INGEST_ORPHANS, NULL, orphans);
    svc_gauge(&i->ingest.svc, INGEST_UNSERVED, NULL, unserved);
}

void replicas_step(struct mqtt_ingest *i, int64_t now_ms)
{
    struct neighbours *n = &i->neighbours;

    if (!n->noted && mqtt_subscribed(i->mqtt))
        n->noted = slot_write_note(&i->slot, SLOT_SURELY, i->own, n->leftover) == 0;
    if (now_ms < n->next_ms)
        return;
    n->next_ms = now_ms + LOOK_MS;
    look(i, now_ms);
    if (n->noted && n->leftover[0] != NULL && mqtt_subscribed(i->mqtt))
        end_leftover(i);
}
