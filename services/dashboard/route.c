#include "route.h"

#include <stdlib.h>
#include <string.h>

#include "assets.h"
#include "check.h"
#include "clock.h"

#define ASSETS_PATH "/assets/"

enum place { PAGE, ASSET, STATE, EVENTS, SERIES, ENERGY, EXPORT, CHECK, LOGIN, LOGOUT, PLACES };

static const struct {
    const char *path;
    const char *methods; /* as Allow says them */
    bool open;           /* for those who have not signed in, too */
} places[PLACES] = {
    [PAGE] = {"/", "GET, HEAD", true},
    [ASSET] = {ASSETS_PATH, "GET, HEAD", true},
    [STATE] = {"/api/state", "GET, HEAD", false},
    [EVENTS] = {"/api/events", "GET", false},
    [SERIES] = {"/api/series", "GET, HEAD", false},
    [ENERGY] = {"/api/energy", "GET, HEAD", false},
    [EXPORT] = {"/api/export.csv", "GET", false},
    [CHECK] = {"/api/check", "POST", false},
    [LOGIN] = {"/api/login", "POST", true},
    [LOGOUT] = {"/api/logout", "POST", true},
};

static enum place find_place(const char *path)
{
    enum place p = PAGE;

    if (strncmp(path, ASSETS_PATH, strlen(ASSETS_PATH)) == 0 || strcmp(path, "/favicon.ico") == 0)
        return ASSET;
    while (p < PLACES && (p == ASSET || strcmp(places[p].path, path) != 0))
        p++;
    return p;
}

/* A word among those of "GET, HEAD". */
static bool is_method(const char *methods, const char *method)
{
    size_t n = strlen(method);
    const char *at = n == 0 ? NULL : strstr(methods, method);

    return at != NULL && (at == methods || at[-1] == ' ') && (at[n] == '\0' || at[n] == ',');
}

enum route_next
route_headers(const struct route_parts *p, const struct request *r, struct answer *a)
{
    enum place place = find_place(r->path);

    if (!guard_host(p->guard, r, a))
        return ROUTE_ANSWERED;
    if (place == PLACES) {
        answer_error(a, 404, "not-found", "There is nothing here.");
        return ROUTE_ANSWERED;
    }
    if (!is_method(places[place].methods, r->method)) {
        answer_error(a, 405, "method", "That cannot be done here.");
        a->allow = places[place].methods;
        return ROUTE_ANSWERED;
    }
    if (!places[place].open && !guard_knows(p->guard, r, clock_utc_ms() / 1000)) {
        guard_refuse(p->guard, a);
        return ROUTE_ANSWERED;
    }
    if (strcmp(r->method, "POST") == 0 && !guard_post(r, a))
        return ROUTE_ANSWERED;
    return ROUTE_BODY;
}

/* The sign-in stands at the same place. */
static void
answer_page(const struct route_parts *p, const struct request *r, int64_t now_s, struct answer *a)
{
    if (guard_knows(p->guard, r, now_s)) {
        asset_answer(asset_find("index.html"), r, a);
        guard_renew(p->guard, r, a, now_s);
    } else if (guard_has_password(p->guard)) {
        asset_answer(asset_find("login.html"), r, a);
    } else {
        guard_refuse(p->guard, a);
    }
}

static void answer_asset(const struct request *r, struct answer *a)
{
    const char *name = strrchr(r->path, '/') + 1;
    bool whole =
        strcmp(r->path, "/favicon.ico") == 0 || (size_t)(name - r->path) == strlen(ASSETS_PATH);

    asset_answer(whole ? asset_find(name) : NULL, r, a);
}

static void answer_state(const struct route_parts *p, int64_t now_s, struct answer *a)
{
    char *text = board_state_text(p->board, now_s);

    a->status = text != NULL && buf_add(&a->body, text, strlen(text)) == 0 ? 200 : 500;
    a->type = a->status == 200 ? "application/json" : NULL;
    free(text);
}

static enum route_next ask(enum place place,
                           const struct route_parts *p,
                           const struct request *r,
                           int64_t now_s,
                           struct answer *a,
                           struct question **question)
{
    struct question q = {0};

    if (place == SERIES)
        q.series = series_ask(r, now_s, a);
    else if (place == ENERGY)
        q.energy = energy_ask(r, p->prices, a);
    else
        q.download = download_ask(r, a);
    if (a->status != 0)
        return ROUTE_ANSWERED;
    *question = malloc(sizeof q);
    if (*question == NULL) {
        series_free(q.series);
        energy_free(q.energy);
        download_free(q.download);
        a->status = 500;
        return ROUTE_ANSWERED;
    }
    **question = q;
    return ROUTE_QUESTION;
}

enum route_next route_request(const struct route_parts *p,
                              const struct request *r,
                              int64_t now_s,
                              struct answer *a,
                              struct question **question)
{
    enum place place = find_place(r->path);

    switch (place) {
    case PAGE:
        answer_page(p, r, now_s, a);
        break;
    case ASSET:
        answer_asset(r, a);
        break;
    case STATE:
        answer_state(p, now_s, a);
        break;
    case EVENTS:
        return ROUTE_EVENTS;
    case CHECK:
        check_frame(r, a);
        break;
    case LOGIN:
        guard_login(p->guard, r, a, now_s);
        break;
    case LOGOUT:
        guard_logout(r, a);
        break;
    default:
        return ask(place, p, r, now_s, a, question);
    }
    return ROUTE_ANSWERED;
}
